"""Nobody judges what concerns themselves, their household or their account: every judging step. （第二十三条）"""

from dataclasses import replace

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import ProgrammingError
from sqlmodel import Session, select

from models.households import Household, Member
from models.officers import ActingOfficer, Officer, Role
from models.rosters import LineState, Roster, RosterLine, RosterStatus
from policies.interests import OwnHousehold, judges, require_disinterested
from policies.lifecycles import LIFECYCLES, Desk
from policies.moves import hold_desk, move, move_many
from tests.conftest import As, Owner
from tests.factories import World, a_line, a_member, a_roster, an_account, lines_of, second_account
from tests.records import BUILDERS, a_record, sitting
from tests.world import key
from workflows import roster_lines, rosters

JUDGED = [
    (lifecycle.noun, step) for lifecycle in LIFECYCLES.values() for step in lifecycle.steps if judges(step)
]  # fmt: skip


def relate(session: Session, world: World, line: RosterLine, by: ActingOfficer) -> Member:
    """Let the officer live in the household of a line."""
    home = session.get_one(Household, line.household_id)
    relative = a_member(session, world, home, relation="20", name="本人")
    relative.id_index = session.get_one(Officer, by.officer_id).person_index
    session.flush()
    return relative


def colleague(session: Session, by: ActingOfficer) -> ActingOfficer:
    """Return another natural person in the same post."""
    other = session.exec(select(Officer).where(Officer.person != by.person).order_by(sa.text("id"))).first()
    assert other is not None
    return replace(by, person=f"colleague of {by.person}")


LINES = [(noun, step) for noun, step in JUDGED if noun in ("roster", *BUILDERS)]


class TestEveryJudgingStep:
    def test_all_nouns_are_known_here(self):
        assert {noun for noun, _ in JUDGED} <= {"roster", *BUILDERS, "bank_reply", "post", "account", "account_batch"}
        assert len(LINES) >= 12

    @pytest.mark.parametrize(("noun", "step"), LINES, ids=lambda one: getattr(one, "verb", one))
    def test_it_is_refused_to_whoever_lives_in_the_household_and_done_by_a_colleague(self, session, county, noun, step):
        record, line = a_record(session, county, noun, step.source)
        by = sitting(county, step.desk)
        relate(session, county, line, by)
        with pytest.raises(OwnHousehold, match=f"序号 {line.sequence}.*由本机构其他有权人员办理"):
            move(session, record, step.verb, by=by)
        with pytest.raises(OwnHousehold):
            move_many(session, type(record), step.verb, [key(record.id)], by=by)
        assert record.status == step.source
        with session.begin_nested():
            moved = move(session, record, step.verb, by=colleague(session, by))
            assert moved.status == step.target

    def test_giving_back_is_no_judgement(self, session, county):
        record, line = a_record(session, county, "roster", RosterStatus.REPORTED)
        relate(session, county, line, county.department.clerk)
        rosters.return_(session, record, by=county.department.clerk, reason="涉及本人，请换人")
        assert record.status == RosterStatus.RETURNED


class TestWhatIsOwn:
    def refused(self, session: Session, roster: Roster, by: ActingOfficer) -> bool:
        try:
            require_disinterested(session, "roster", [key(roster.id)], by=by, title="清册", step="审核")
        except OwnHousehold:
            return True
        return False

    @pytest.fixture
    def roster(self, session: Session, county: World) -> Roster:
        return a_roster(session, county, status=RosterStatus.REPORTED, lines=[a_line(), a_line()])

    def test_ones_own_line(self, session, county, roster):
        line, by = lines_of(session, roster)[0], county.department.clerk
        assert not self.refused(session, roster, by)
        member = session.get_one(Member, line.member_id)
        member.id_index = session.get_one(Officer, by.officer_id).person_index
        session.flush()
        assert self.refused(session, roster, by)

    def test_another_persons_line_paid_to_an_account_of_the_household(self, session, county, roster):
        line, by = lines_of(session, roster)[0], county.department.clerk
        member = a_member(session, county, id_number="")
        member.id_index = session.get_one(Officer, by.officer_id).person_index
        session.flush()
        account = an_account(session, member)
        assert not self.refused(session, roster, by)
        line.account_id, line.account_index = account.id, account.number_index
        session.flush()
        assert self.refused(session, roster, by)

    def test_by_a_second_account_of_the_person(self, session, county, roster):
        by = county.department.clerk
        relate(session, county, lines_of(session, roster)[0], by)
        twin = second_account(session, by, county.finance.organisation_id, Role.CLERK)
        assert twin.officer_id != by.officer_id
        assert self.refused(session, roster, twin)

    def test_by_delegation_it_is_the_delegates_interest_that_counts(self, session, county, roster):
        by = county.department.second_clerk
        relate(session, county, lines_of(session, roster)[0], by)
        assert self.refused(session, roster, replace(by, delegation_id=1, absent=county.department.clerk.name))
        assert not self.refused(session, roster, county.department.clerk)

    def test_a_stopped_line_concerns_nobody(self, session, county, roster):
        line, by = lines_of(session, roster)[0], county.department.clerk
        relate(session, county, line, by)
        line.state = LineState.STOPPED
        session.flush()
        assert not self.refused(session, roster, by)

    def test_a_household_of_another_county_concerns_no_record_here(self, session, county, roster):
        other = a_roster(session, county, status=RosterStatus.REPORTED, township=county.other_county.township)
        relate(session, county, lines_of(session, other)[0], county.department.clerk)
        assert not self.refused(session, roster, county.department.clerk)

    def test_a_clerk_does_not_correct_an_own_line(self, session, county):
        roster = a_roster(session, county, lines=[a_line(), a_line()])
        line, by = lines_of(session, roster)[0], county.township.clerk
        relate(session, county, line, by)
        with pytest.raises(OwnHousehold, match="更正金额"):
            roster_lines.change_amount(
                session, line, by=by, quantity=line.quantity * 2, standard=line.standard, reason="复核"
            )
        line.state = LineState.HELD
        session.flush()
        with pytest.raises(OwnHousehold, match="恢复发放"):
            roster_lines.release_line(session, line, by=by, reason="复核")
        other = lines_of(session, roster)[1]
        roster_lines.change_amount(
            session, other, by=by, quantity=other.quantity * 2, standard=other.standard, reason="复核"
        )

    def test_the_question_is_answered_through_the_range_and_for_oneself_only(
        self, county: World, owner: Owner, as_: As
    ):
        by = county.department.clerk
        with owner() as session:
            roster = a_roster(session, county, status=RosterStatus.REPORTED)
            relate(session, county, lines_of(session, roster)[0], by)
        with as_(by) as session:
            assert self.refused(session, roster, by)
        with as_(county.finance.clerk) as session, pytest.raises(ProgrammingError, match="只能查询本人"):
            self.refused(session, roster, by)

    def test_a_seat_is_not_taken_by_a_refused_attempt(self, session, county, roster):
        by = county.department.clerk
        relate(session, county, lines_of(session, roster)[0], by)
        with pytest.raises(OwnHousehold):
            move(session, roster, "examine_department", by=by)
        hold_desk(session, roster, Desk.DEPARTMENT_REVIEWER, by, "roster")
