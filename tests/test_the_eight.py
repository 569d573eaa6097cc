"""Eight mechanisms on which everything stands; `test_mutations.py` takes each away and wants its test here to fail."""

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, select

from models.events import DeskHolder
from models.officers import ActingOfficer
from models.outbox import OutboxMessage
from models.rosters import Roster, RosterStatus
from policies.clock import now
from policies.enforcement import may
from policies.moves import move
from policies.permissions import Permission
from policies.refusals import FasterColleague, StepNotPossible
from tests.conftest import As, Owner
from tests.console import running
from tests.factories import World, a_roster


def stored(owner: Owner, world: World, status: RosterStatus = RosterStatus.DRAFT) -> int:
    with owner() as session:
        return a_roster(session, world, status=status).id or 0


def roster_of(session: Session, number: int) -> Roster:
    return session.exec(select(Roster).where(Roster.id == number)).one()


def test_an_officer_of_another_county_sees_no_roster(county: World, owner: Owner, as_: As):
    stored(owner, county)
    with as_(county.other_county.township.clerk) as session:
        assert session.exec(select(sa.func.count()).select_from(Roster)).one() == 0


def test_the_head_of_a_township_may_endorse_its_rosters(county: World, as_: As):
    with as_(county.township.head) as session:
        assert may(session, county.township.head, Permission.ROSTER_ENDORSE)


def test_a_township_withdraws_a_roster_until_the_department_has_acted(county: World, owner: Owner, as_: As):
    number = stored(owner, county, RosterStatus.REPORTED)
    with as_(county.township.clerk) as session:
        roster = roster_of(session, number)
        try:
            move(session, roster, "withdraw", by=county.township.clerk)
        except StepNotPossible:
            session.expunge_all()
        assert roster.status == RosterStatus.ENDORSED


def test_of_two_officers_who_act_on_what_they_read_the_second_is_refused(county: World, owner: Owner, as_: As):
    number = stored(owner, county, RosterStatus.ENDORSED)
    clerk, colleague = county.township.clerk, county.township.second_clerk

    def report(by: ActingOfficer, session: Session, roster: Roster) -> None:
        move(session, roster, "report", by=by)

    with as_(colleague) as late:
        as_read = roster_of(late, number)
        with as_(clerk) as early:
            report(clerk, early, roster_of(early, number))
        with pytest.raises(FasterColleague):
            report(colleague, late, as_read)


def test_one_person_cannot_be_seated_at_two_desks_of_one_record(county: World, owner: Owner, as_: As):
    number = stored(owner, county)
    twice = sa.insert(DeskHolder).values(
        division_code=county.township.division_code,
        noun="roster",
        record_id=number,
        person=county.township.clerk.person,
        desk="township_head",
    )
    with pytest.raises(IntegrityError, match="desk_holders"), as_(county.township.clerk) as session:
        session.execute(twice)


def test_one_question_is_put_to_the_outside_once_for_ever(county: World, owner: Owner):
    question = {
        "division_code": county.code,
        "topic": "payment_application",
        "business_key": "ZFD-1-1",
        "record_id": 1,
        "payload": {},
        "attempts": 0,
        "last_error": "",
        "status": "pending",
    }
    with pytest.raises(IntegrityError, match="business_key"), owner() as session:
        question["created_at"] = now(session)
        session.execute(sa.insert(OutboxMessage), [question, question])


def test_a_booking_that_does_not_sum_to_zero_is_refused(county: World, owner: Owner):
    entry = sa.text(
        "insert into journal_entries (county_code, division_code, kind, business_key, memo, booked_at)"
        " values (:county, :county, 'fund', 'one-sided', '', clock_timestamp()) returning id"
    )
    side = sa.text(
        "insert into postings (county_code, division_code, entry_id, ledger, indicator_id, amount_fen)"
        " values (:county, :county, :entry, 'paid', 1, 100)"
    )
    with pytest.raises(IntegrityError, match="借贷不平"), owner() as session:
        number = session.execute(entry, {"county": county.code}).scalar_one()
        session.execute(side, {"county": county.code, "entry": number})


def test_a_state_change_without_the_sessions_token_is_refused(county: World, owner: Owner):
    number = stored(owner, county, RosterStatus.ON_NOTICE)
    with running() as console, console.client(county.township.head) as client:
        answer = client.post("/console/roster/action/endorse", data={"pks": str(number), "attested": "yes"})
    with owner() as session:
        assert roster_of(session, number).status == RosterStatus.ON_NOTICE
    assert answer.status_code == 403
