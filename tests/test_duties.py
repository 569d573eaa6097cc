"""Segregation of duties: nobody acts at two desks of one record; of two who act at once one is told. （第二十三条）"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event as Signal

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, select

from models.events import DeskHolder, Event, Refusal
from models.officers import ActingOfficer, Role
from models.rosters import Roster, RosterStatus
from policies.clock import now
from policies.lifecycles import LIFECYCLES, Desk
from policies.lifecycles.rosters import ROSTER_LIFECYCLE
from policies.moves import hold_desk, move, move_many
from policies.refusals import FasterColleague, NotAllowed, Refused, SamePersonTwice
from tests.conftest import As, Owner
from tests.factories import World, a_project, a_roster, an_indicator, second_account
from tests.records import BUILDERS, a_record, sitting
from tests.world import key
from workflows import roster_lines, rosters
from workflows.edges import edge

S = RosterStatus
OF = {lifecycle.noun: lifecycle for lifecycle in LIFECYCLES.values()}
DESKS = {noun: {step.desk for step in OF[noun].steps if step.desk is not None} for noun in ("roster", *BUILDERS)}
ROSTER_DESKS = {step.desk for step in ROSTER_LIFECYCLE.steps if step.desk is not None}
ONWARD = {status: step for status in S if (step := ROSTER_LIFECYCLE.onward(status)) is not None}


@pytest.fixture
def no_rules(session: Session) -> None:
    """Only duties decide here."""
    session.execute(sa.text("update warning_rules set enabled = false"))


def stored(owner: Owner, world: World, status: RosterStatus) -> int:
    with owner() as session:
        session.execute(sa.text("update warning_rules set enabled = false"))
        return key(a_roster(session, world, status=status).id)


def roster_of(session: Session, number: int) -> Roster:
    return session.exec(select(Roster).where(Roster.id == number)).one()


def as_desk(person: ActingOfficer, desk: Desk) -> ActingOfficer:
    """Return the same person in the post that sits at a desk, as a second account would have it."""
    kind, level, role = desk.post
    return replace(person, kind=kind, level=level, role=role, sector="农牧", officer_id=person.officer_id + 1000)


class TestOneDeskPerPerson:
    @pytest.mark.parametrize("held", Desk, ids=str)
    def test_whoever_held_one_desk_is_refused_at_every_other(self, session, county, held):
        roster = a_roster(session, county)
        person = replace(county.region, person="one and the same")
        hold_desk(session, roster, held, person, "roster")
        for wanted in set(Desk) - {held}:
            with pytest.raises(SamePersonTwice, match=f"{held.label}.*{wanted.label}"):
                hold_desk(session, roster, wanted, person, "roster")
        hold_desk(session, roster, held, person, "roster")

    @pytest.mark.parametrize("noun", sorted(DESKS), ids=str)
    def test_at_every_step_of_every_noun_whoever_held_another_of_its_desks_is_refused(self, session, county, noun):
        """Generated from the lifecycles: own post, second account or a colleague's by delegation, it is one person."""
        for step in (step for step in OF[noun].steps if step.desk is not None):
            for held in DESKS[noun] - {step.desk}:
                with session.begin_nested() as save:
                    record, _ = a_record(session, county, noun, step.source)
                    person = f"{held} and then {step.desk}"
                    by = sitting(county, step.desk)
                    hold_desk(session, record, held, replace(by, person=person), noun)
                    for disguise in (
                        replace(by, person=person),
                        replace(by, person=person, officer_id=by.officer_id + 1000),
                        replace(by, person=person, delegation_id=7, absent="某人"),
                    ):
                        with pytest.raises(SamePersonTwice, match=f"{held.label}.*{step.desk.label}"):
                            move(session, record, step.verb, by=disguise)
                        with pytest.raises(SamePersonTwice):
                            hold_desk(session, record, step.desk, disguise, noun)
                    assert record.status == step.source
                    save.rollback()
                session.expunge_all()

    @pytest.mark.parametrize("status", ONWARD, ids=str)
    def test_the_next_step_is_refused_to_each_who_acted_before(self, session, county, no_rules, status):
        step = ONWARD[status]
        roster = a_roster(session, county, status=status, resume_status=S.REPORTED if status == S.RETURNED else None)
        seated = session.exec(select(DeskHolder).where(DeskHolder.record_id == roster.id)).all()
        others = [seat.person for seat in seated if seat.desk != step.desk]
        for person in others:
            by = as_desk(replace(county.region, person=person), step.desk)
            with pytest.raises(SamePersonTwice):
                move(session, roster, step.verb, by=by)
        assert roster.status == status

    def test_every_desk_of_a_roster_from_notice_to_final_is_another_person(self, session, county, no_rules):
        project = a_project(session, county)
        an_indicator(session, county, project)
        roster = a_roster(session, county, project=project, status=S.ON_NOTICE)
        for status, verb, by in (
            (S.ENDORSED, rosters.endorse, county.township.head),
            (S.REPORTED, rosters.report, county.township.clerk),
            (S.DEPARTMENT_EXAMINED, rosters.examine_department, county.department.clerk),
            (S.DEPARTMENT_PASSED, rosters.pass_department, county.department.reviewer),
            (S.FINANCE_EXAMINED, rosters.examine_finance, county.finance.clerk),
            (S.FINAL, rosters.pass_finance, county.finance.reviewer),
        ):
            verb(session, roster, by=by, **({"attested": True} if verb is rosters.endorse else {}))
            assert roster.status == status
        seats = session.exec(select(DeskHolder).where(DeskHolder.record_id == roster.id)).all()
        assert {seat.desk for seat in seats} == ROSTER_DESKS
        assert len({seat.person for seat in seats}) == len(seats) == 6

    def test_the_steps_of_one_desk_may_be_one_persons(self, session, county, no_rules):
        roster = a_roster(session, county, status=S.ENDORSED)
        rosters.report(session, roster, by=county.township.clerk)
        rosters.withdraw(session, roster, by=county.township.clerk)
        rosters.report(session, roster, by=county.township.clerk)
        assert roster.status == S.REPORTED

    def test_two_clerks_may_share_one_desk(self, session, county, no_rules):
        roster = a_roster(session, county, status=S.ENDORSED)
        rosters.report(session, roster, by=county.township.second_clerk)
        assert roster.status == S.REPORTED

    def test_a_second_account_of_the_same_person_is_the_same_person(self, session, county, no_rules):
        roster = a_roster(session, county, status=S.DEPARTMENT_EXAMINED)
        office = county.department.organisation_id
        twin = second_account(session, county.department.clerk, office, Role.REVIEWER)
        assert twin.officer_id != county.department.clerk.officer_id
        with pytest.raises(SamePersonTwice, match="主管部门经办.*主管部门审核"):
            rosters.pass_department(session, roster, by=twin)

    def test_another_roster_is_another_record(self, session, county, no_rules):
        office = county.department.organisation_id
        twin = second_account(session, county.department.clerk, office, Role.REVIEWER)
        other = a_roster(session, county, status=S.REPORTED)
        rosters.examine_department(session, other, by=county.department.second_clerk)
        rosters.pass_department(session, other, by=twin)
        assert other.status == S.DEPARTMENT_PASSED

    def test_adjusting_a_line_seats_the_clerk_too(self, session, county, no_rules):
        roster = a_roster(session, county)
        clerk = county.township.second_clerk
        line = session.exec(select(roster_lines.RosterLine)).one()
        roster_lines.hold(session, line, by=clerk, reason="核实中")
        with pytest.raises(SamePersonTwice):
            hold_desk(session, roster, Desk.TOWNSHIP_HEAD, clerk, "roster")

    def test_a_desk_held_stays_held_through_return_and_a_new_round(self, session, county, no_rules):
        roster = a_roster(session, county, status=S.REPORTED)
        rosters.return_(session, roster, by=county.department.clerk, reason="请核对")
        rosters.resume(session, roster, by=county.township.clerk)
        rosters.examine_department(session, roster, by=county.department.second_clerk)
        twin = second_account(session, county.department.clerk, county.department.organisation_id, Role.REVIEWER)
        with pytest.raises(SamePersonTwice):
            rosters.pass_department(session, roster, by=twin)

    def test_steps_taken_for_many_at_once_ask_the_same(self, session, county, no_rules):
        roster = a_roster(session, county, status=S.ENDORSED)
        head_as_clerk = replace(county.township.clerk, person=county.township.head.person)
        with pytest.raises(SamePersonTwice):
            move_many(session, Roster, "report", [key(roster.id)], by=head_as_clerk)

    def test_steps_for_many_need_the_post_of_the_desk(self, session, county, no_rules):
        roster = a_roster(session, county, status=S.ENDORSED)
        with pytest.raises(NotAllowed):
            move_many(session, Roster, "report", [key(roster.id)], by=county.township.head)


class TestTheNetBehind:
    def test_an_event_at_a_desk_that_its_person_does_not_hold_cannot_be_written(self, county, owner):
        number = stored(owner, county, S.REPORTED)
        with pytest.raises(IntegrityError, match="foreign key"), owner() as session:
            session.execute(sa.insert(Event).values(
                county_code=county.code, division_code=county.township.division_code, noun="roster", record_id=number,
                verb="pass_department", label="", desk=Desk.DEPARTMENT_REVIEWER, officer_id=1,
                person=county.township.clerk.person, officer_name="", post="", business_at=now(session), facts={},
                from_status="", to_status="", opinion="",
            ))  # fmt: skip

    def test_a_desk_once_held_cannot_be_given_up(self, county, owner, as_):
        stored(owner, county, S.REPORTED)
        with pytest.raises(sa.exc.ProgrammingError, match="permission denied"), as_(county.township.clerk) as session:
            session.execute(sa.text("delete from desk_holders"))

    def test_an_event_once_written_stays(self, county, owner, as_):
        stored(owner, county, S.REPORTED)
        for statement in ("delete from events", "update events set person = 'x'", "truncate events"):
            with pytest.raises(sa.exc.ProgrammingError), as_(county.township.clerk) as session:
                session.execute(sa.text(statement))


class TestAtOnce:
    def test_of_two_clerks_who_report_what_they_read_one_is_told(self, county: World, owner: Owner, as_: As):
        number = stored(owner, county, S.ENDORSED)
        with as_(county.township.second_clerk) as late:
            as_read = roster_of(late, number)
            with as_(county.township.clerk) as early:
                rosters.report(early, roster_of(early, number), by=county.township.clerk)
            with pytest.raises(FasterColleague, match="刷新"):
                rosters.report(late, as_read, by=county.township.second_clerk)

    def test_an_adjusted_line_and_a_report_do_not_pass_each_other(self, county: World, owner: Owner, as_: As):
        number = stored(owner, county, S.ENDORSED)
        clerk = county.township.clerk
        with as_(clerk) as late:
            as_read = roster_of(late, number)
            with as_(clerk) as early:
                line = early.exec(select(roster_lines.RosterLine)).one()
                roster_lines.hold(early, line, by=clerk, reason="核实中")
            with pytest.raises(Refused):
                rosters.report(late, as_read, by=clerk)

    def test_one_person_at_two_desks_in_the_same_moment_gets_one(self, county: World, owner: Owner, as_: As):
        number = stored(owner, county, S.REPORTED)
        person = county.department.second_clerk
        seated, tried = Signal(), Signal()

        def sit(desk: Desk, first: bool) -> str:
            with as_(person) as session:
                if not first:
                    seated.wait(20)
                    tried.set()
                try:
                    hold_desk(session, roster_of(session, number), desk, person, "roster")
                except SamePersonTwice:
                    return "refused"
                if first:
                    seated.set()
                    tried.wait(20)
                return "seated"

        with ThreadPoolExecutor(2) as threads:
            clerk = threads.submit(sit, Desk.DEPARTMENT_CLERK, True)
            reviewer = threads.submit(sit, Desk.DEPARTMENT_REVIEWER, False)
            assert (clerk.result(30), reviewer.result(30)) == ("seated", "refused")

    def test_a_refusal_at_the_edge_changes_nothing_and_is_recorded(self, county: World, owner: Owner):
        number = stored(owner, county, S.ON_NOTICE)
        clerk = county.township.clerk
        with pytest.raises(NotAllowed), edge(clerk, "endorse", f"roster {number}") as session:
            rosters.endorse(session, roster_of(session, number), by=clerk, attested=True)
        with owner() as session:
            refusal = session.exec(select(Refusal)).one()
            assert (refusal.refusal, refusal.verb, refusal.officer_id) == ("NotAllowed", "endorse", clerk.officer_id)
            assert roster_of(session, number).status == S.ON_NOTICE
