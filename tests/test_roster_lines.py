"""Adjusting the lines of a roster: sums follow, and published facts that change need a new notice. （第十六条）"""

from decimal import Decimal as D

import pytest
from sqlmodel import select

from models.events import Event
from models.notices import Notice
from models.rosters import LineState, Roster, RosterStatus
from policies.refusals import FasterColleague, NotAllowed, ReasonMissing, StepNotPossible
from tests.conftest import As, Owner
from tests.factories import World, a_line, a_roster, again, lines_of
from workflows import roster_lines, rosters

S = RosterStatus


class TestLines:
    def test_stopping_a_line_takes_it_out_of_the_sums_and_needs_no_new_notice(self, session, county):
        roster = a_roster(session, county, status=S.ON_NOTICE, lines=[a_line(), a_line(quantity="20")])
        line = lines_of(session, roster)[1]
        roster_lines.stop(session, line, by=county.township.clerk, reason="已死亡")
        again(session, roster)
        assert (line.state, roster.line_count, roster.amount_fen) == (LineState.STOPPED, 1, 15_000)
        assert not roster.facts_changed
        event = session.exec(select(Event).where(Event.record_id == roster.id)).one()
        assert (event.verb, event.facts["sequence"], event.opinion) == ("line_stopped", 2, "已死亡")

    def test_a_held_line_is_released_with_its_sum(self, session, county):
        roster = a_roster(session, county, lines=[a_line(), a_line()])
        line = lines_of(session, roster)[1]
        roster_lines.hold(session, line, by=county.township.clerk, reason="账户待更正")
        assert again(session, roster).line_count == 1
        roster_lines.release_line(session, line, by=county.township.clerk, reason="已更正")
        assert (again(session, roster).line_count, roster.amount_fen) == (2, 30_000)

    def test_a_line_nobody_has_read_on_the_notice_needs_a_new_one(self, session, county):
        roster = a_roster(session, county, lines=[a_line(), a_line(state=LineState.HELD)])
        rosters.publish_notice(session, roster, by=county.township.clerk, mode="online")
        line = lines_of(session, roster)[1]
        roster_lines.release_line(session, line, by=county.township.clerk, reason="可以发放")
        assert again(session, roster).facts_changed
        rosters.reopen(session, roster, by=county.township.clerk)
        rosters.publish_notice(session, roster, by=county.township.clerk, mode="online")
        second = session.exec(select(Notice).where(Notice.roster_id == roster.id, Notice.round == 2)).one()
        assert second.content["supplementary"]
        assert [line["sequence"] for line in second.content["lines"]] == [2]

    def test_releasing_a_line_that_was_on_the_notice_needs_none(self, session, county):
        roster = a_roster(session, county, lines=[a_line(), a_line()])
        rosters.publish_notice(session, roster, by=county.township.clerk, mode="online")
        line = lines_of(session, roster)[1]
        roster_lines.hold(session, line, by=county.township.clerk, reason="核实中")
        roster_lines.release_line(session, line, by=county.township.clerk, reason="已核实")
        assert not again(session, roster).facts_changed

    def test_a_line_stopped_for_death_is_not_released(self, session, county):
        roster = a_roster(session, county, lines=[a_line(), a_line(deceased=True, state=LineState.STOPPED)])
        with pytest.raises(roster_lines.PersonDead):
            roster_lines.release_line(
                session, lines_of(session, roster)[1], by=county.township.clerk, reason="家属要求"
            )

    def test_an_amount_is_rounded_half_up_to_the_fen(self, session, county):
        assert roster_lines.line_amount_fen(D("10.5"), D("0.0010")) == 1
        assert roster_lines.line_amount_fen(D("10.499"), D("0.0010")) == 1
        assert roster_lines.line_amount_fen(D("3.333"), D("15.0450")) == 5014

    def test_with_the_county_nothing_is_adjusted(self, session, county):
        roster = a_roster(session, county, status=S.REPORTED)
        with pytest.raises(StepNotPossible):
            roster_lines.stop(session, lines_of(session, roster)[0], by=county.township.clerk, reason="停发")

    def test_only_the_townships_clerk_adjusts(self, session, county):
        roster = a_roster(session, county)
        for by in (county.township.head, county.department.clerk):
            with pytest.raises(NotAllowed):
                roster_lines.stop(session, lines_of(session, roster)[0], by=by, reason="停发")

    def test_it_works_in_the_clerks_own_transaction(self, county: World, owner: Owner, as_: As):
        with owner() as session:
            roster = a_roster(session, county, lines=[a_line(), a_line()])
            line = lines_of(session, roster)[0]
        with as_(county.township.clerk) as session:
            session.add(line)
            roster_lines.stop(session, line, by=county.township.clerk, reason="重复")
        with owner() as session:
            assert session.get_one(Roster, roster.id).line_count == 1

    def test_it_asks_a_reason(self, session, county):
        roster = a_roster(session, county)
        with pytest.raises(ReasonMissing):
            roster_lines.stop(session, lines_of(session, roster)[0], by=county.township.clerk, reason=" ")

    def test_a_line_is_not_stopped_twice(self, session, county):
        roster = a_roster(session, county, lines=[a_line(), a_line(state=LineState.STOPPED)])
        with pytest.raises(roster_lines.LineStateWrong, match="停发"):
            roster_lines.stop(session, lines_of(session, roster)[1], by=county.township.clerk, reason="停发")

    def test_of_two_clerks_who_adjust_one_line_one_is_told(self, county: World, owner: Owner, as_: As):
        with owner() as session:
            roster = a_roster(session, county, lines=[a_line(), a_line()])
        clerk, colleague = county.township.clerk, county.township.second_clerk
        with as_(colleague) as late:
            as_read = lines_of(late, roster)[0]
            with as_(clerk) as early:
                roster_lines.stop(early, lines_of(early, roster)[0], by=clerk, reason="重复")
            with pytest.raises(FasterColleague):
                roster_lines.hold(late, as_read, by=colleague, reason="核实中")

    def test_an_amount_must_stay_positive(self, session, county):
        line = lines_of(session, a_roster(session, county))[0]
        with pytest.raises(roster_lines.AmountWrong):
            roster_lines.change_amount(
                session, line, by=county.township.clerk, quantity=D(0), standard=D(15), reason="更正"
            )

    def test_before_publication_another_amount_needs_no_new_notice(self, session, county):
        roster = a_roster(session, county)
        line = lines_of(session, roster)[0]
        clerk = county.township.clerk
        roster_lines.change_amount(session, line, by=clerk, quantity=D("10.01"), standard=D("15.05"), reason="更正")
        assert (line.amount_fen, again(session, roster).amount_fen) == (15_065, 15_065)
        assert not roster.facts_changed
