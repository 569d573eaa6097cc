"""The check of a roster by job: police, bank, rules, over real sockets. （第十六条第一、二项、第十八条）"""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import Session, select

from integrations.sandbox.launch import Sandboxes
from models.accounts import Account, AccountStatus
from models.events import Event
from models.households import IdentityOutcome, Member, MemberStatus
from models.jobs import Job, JobStatus
from models.registry_tasks import RegistryTask, TaskKind, TaskStatus
from models.rosters import Roster, RosterLine, RosterStatus
from policies.clock import now
from policies.refusals import NotAllowed, StepNotPossible
from tests.conftest import As, Owner
from tests.factories import World, a_line, a_roster, an_account, lines_of
from tests.world import key
from workflows import checks, jobs, rosters
from workflows.checks import CheckRunning, run_check, start_check
from workflows.jobs import Waiting, follow

UNCHECKED = {"identity": None, "account_state": None}


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandboxes]:
    """Police and bank as processes of their own, without anybody in them yet."""
    folder: Path = tmp_path_factory.mktemp("outside")
    world = folder / "world.jsonl"
    world.touch()
    boxes = Sandboxes(world, folder / "ledgers")
    boxes.folder.mkdir(exist_ok=True)
    boxes.start("police", "bank")
    yield boxes
    boxes.stop("police")
    boxes.stop("bank")


@pytest.fixture
def boxes(outside: Sandboxes, database: str) -> Sandboxes:
    """The running sandboxes, named by this test's settings."""
    outside.use()
    return outside


class Checked:
    """A roster whose people and accounts stand in the sandboxes, and its check."""

    def __init__(self, county: World, owner: Owner, as_: As, boxes: Sandboxes, lines: list[Any]) -> None:
        self.county, self.owner, self.as_, self.by = county, owner, as_, county.township.clerk
        with owner() as session:
            roster = a_roster(session, county, lines=lines, checked_at=None)
            session.execute(sa.text("update accounts set status = 'registered', verified_at = null"))
            session.execute(sa.text("update members set identity_outcome = null, identity_checked_at = null"))
            self.id = key(roster.id)
            rows = lines_of(session, roster)
            people = [{"kind": "person", "id_number": r.id_number, "name": r.name, "died_on": None} for r in rows]
            cards = [
                {"kind": "account", "number": r.account_number, "holder_name": r.name, "holder_id": r.id_number,
                 "bank_code": r.bank_code, "status": "active"} for r in rows if r.account_number
            ]  # fmt: skip
        boxes.police.add_world(people)
        boxes.bank.add_world(cards)
        self.people, self.cards = people, cards

    def start(self) -> int:
        with self.as_(self.by) as session:
            return key(start_check(session, self.roster(session), by=self.by).id)

    def run(self, job: int | None = None) -> Job:
        number = job or self.start()
        follow(number, self.by.post_id, run_check)
        with self.owner() as session:
            return session.get_one(Job, number)

    def roster(self, session: Session) -> Roster:
        return session.exec(select(Roster).where(Roster.id == self.id)).one()

    def lines(self) -> list[RosterLine]:
        with self.owner() as session:
            return lines_of(session, self.roster(session))


@pytest.fixture
def prepared(county: World, owner: Owner, as_: As, boxes: Sandboxes) -> Any:
    """Make a roster with these lines, known outside."""
    return lambda *lines: Checked(county, owner, as_, boxes, list(lines) or [a_line(**UNCHECKED)])


class TestIdentity:
    def test_each_answer_of_the_police_stays_on_line_and_person(self, prepared, boxes, owner):
        checked = prepared(*[a_line(**UNCHECKED) for _ in range(3)])
        boxes.police.set_person(checked.people[1]["id_number"], died_on=date(2024, 3, 5))
        boxes.police.set_person(checked.people[2]["id_number"], died_on=None, name="另有其人")
        job = checked.run()
        lines = checked.lines()
        assert job.status == JobStatus.DONE
        assert [line.identity_outcome for line in lines] == [
            IdentityOutcome.MATCH, IdentityOutcome.DEAD, IdentityOutcome.MISMATCH,
        ]  # fmt: skip
        assert lines[1].died_on == date(2024, 3, 5)
        with owner() as session:
            person = session.get_one(Member, lines[1].member_id)
            assert (person.status, person.died_on) == (MemberStatus.ALIVE, None)  # registering a death takes two people
            assert person.police_died_on == date(2024, 3, 5)
            assert checked.roster(session).checked_at is not None

    def test_the_job_sums_up_what_was_found(self, prepared, boxes):
        checked = prepared(a_line(**UNCHECKED), a_line(**UNCHECKED))
        boxes.police.set_person(checked.people[1]["id_number"], died_on=date(2024, 3, 5))
        job = checked.run()
        assert "一致 1" in job.message
        assert "死亡 1" in job.message
        assert (job.done, job.total) == (4, 4)

    def test_a_person_brought_back_by_the_police_is_a_task(self, prepared, owner):
        checked = prepared(a_line(deceased=True, account_state=None))
        checked.run()
        with owner() as session:
            person = session.get_one(Member, checked.lines()[0].member_id)
            assert (person.status, person.identity_outcome) == (MemberStatus.DEAD, IdentityOutcome.MATCH)
            task = session.exec(select(RegistryTask).where(RegistryTask.member_id == person.id)).one()
            assert (task.kind, task.status) == (TaskKind.IDENTITY_MISMATCH, TaskStatus.OPEN)

    def test_who_started_and_what_came_out_are_events_without_personal_data(self, prepared, owner):
        checked = prepared()
        checked.run()
        with owner() as session:
            events = session.exec(select(Event).where(Event.record_id == checked.id).order_by(sa.text("id"))).all()
            assert [event.verb for event in events] == ["check", "checked"]
            assert checked.people[0]["id_number"] not in str(events[1].facts)


class TestAccounts:
    def test_the_banks_answers_stay_on_account_and_line(self, prepared, boxes, owner):
        checked = prepared(*[a_line(**UNCHECKED) for _ in range(4)])
        boxes.bank.set_account(checked.cards[1]["number"], status="dormant")
        boxes.bank.set_account(checked.cards[2]["number"], status="closed")
        boxes.bank.set_account(checked.cards[3]["number"], holder_name="另有其人")
        checked.run()
        lines = checked.lines()
        assert [line.account_state for line in lines] == ["verified", "dormant", "closed", "name_differs"]
        with owner() as session:
            accounts = [session.get_one(Account, line.account_id) for line in lines]
            assert [account.status for account in accounts] == [
                AccountStatus.VERIFIED, AccountStatus.DORMANT, AccountStatus.CLOSED, AccountStatus.REFUSED,
            ]  # fmt: skip
            assert accounts[0].verified_at is not None
            assert accounts[3].answer == "户名不符"

    def test_an_account_verified_lately_is_not_asked_about_again(self, prepared, boxes, owner):
        checked = prepared()
        with owner() as session:
            session.execute(sa.text("update accounts set status = 'verified', verified_at = now() - interval '3 days'"))
        boxes.bank.set_account(checked.cards[0]["number"], status="frozen")
        checked.run()
        line = checked.lines()[0]
        with owner() as session:
            assert now(session) - line.account_checked_at > timedelta(days=2)
        assert line.account_state == "verified"

    def test_a_stale_answer_is_asked_for_again_and_may_turn_out_worse(self, prepared, boxes, owner):
        checked = prepared()
        with owner() as session:
            session.execute(
                sa.text("update accounts set status = 'verified', verified_at = now() - interval '31 days'")
            )
        boxes.bank.set_account(checked.cards[0]["number"], status="frozen")
        checked.run()
        line = checked.lines()[0]
        with owner() as session:
            assert session.get_one(Account, line.account_id).status == AccountStatus.REFUSED
        assert line.account_state == "frozen"

    def test_lines_follow_their_holder_to_the_new_payment_account(self, prepared, boxes, owner, county):
        checked = prepared()
        with owner() as session:
            old = session.exec(select(Account)).one()
            old.is_payment = False
            session.flush()
            member = session.get_one(Member, old.member_id)
            fresh = an_account(session, member, status=AccountStatus.REGISTERED)
            number = fresh.number
        card = checked.cards[0] | {"number": number}
        boxes.bank.add_world([card])
        checked.run()
        line = checked.lines()[0]
        assert (line.account_number, line.account_state) == (number, "verified")


class TestWaiting:
    @pytest.mark.parametrize("kind", ["police", "bank"])
    def test_with_the_counter_shut_the_check_waits_and_does_not_pass(self, prepared, boxes, owner, kind):
        checked = prepared()
        boxes.stop(kind)
        job = checked.start()
        try:
            with pytest.raises(Waiting):
                checked.run(job)
            with owner() as session:
                waiting = session.get_one(Job, job)
                assert (waiting.status, checked.roster(session).checked_at) == (JobStatus.RUNNING, None)
                assert "等待对方系统恢复" in waiting.message
        finally:
            boxes.start(kind)
        assert checked.run(job).status == JobStatus.DONE

    def test_it_goes_on_with_what_this_job_has_not_asked_yet(self, prepared, boxes, owner, monkeypatch):
        monkeypatch.setattr(checks, "CHUNK", 2)
        checked = prepared(*[a_line(**UNCHECKED) for _ in range(5)])
        asked = boxes.police.ledger()["requests"]
        boxes.stop("bank")
        job = checked.start()
        try:
            with pytest.raises(Waiting):
                checked.run(job)
        finally:
            boxes.start("bank")
        assert boxes.police.ledger()["requests"] == asked + 3
        assert checked.run(job).status == JobStatus.DONE
        assert boxes.police.ledger()["requests"] == asked + 3

    def test_a_new_check_asks_anew(self, prepared, boxes):
        checked = prepared()
        checked.run()
        boxes.police.set_person(checked.people[0]["id_number"], died_on=date(2024, 3, 5))
        checked.run()
        assert checked.lines()[0].identity_outcome == IdentityOutcome.DEAD

    def test_a_cancelled_check_stops_and_the_roster_stays_unchecked(self, prepared, owner):
        checked = prepared()
        job = checked.start()
        with owner() as session:
            session.execute(sa.text("update jobs set status = 'running', cancel_asked = true"))
        assert checked.run(job).status == JobStatus.CANCELLED
        with owner() as session:
            assert checked.roster(session).checked_at is None

    def test_a_queued_check_is_cancelled_before_it_begins(self, prepared, owner, as_):
        checked = prepared()
        job = checked.start()
        with as_(checked.by) as session:
            jobs.cancel(session, session.get_one(Job, job), by=checked.by)
        assert checked.run(job).status == JobStatus.CANCELLED
        assert checked.lines()[0].identity_outcome is None


class TestStart:
    def test_one_check_at_a_time(self, prepared):
        checked = prepared()
        checked.start()
        with pytest.raises(CheckRunning):
            checked.start()

    def test_with_the_county_no_check_starts(self, session, county):
        roster = a_roster(session, county, status=RosterStatus.REPORTED)
        with pytest.raises(StepNotPossible):
            start_check(session, roster, by=county.township.clerk)

    def test_only_the_townships_clerk_starts_one(self, session, county):
        roster = a_roster(session, county)
        for by in (county.township.head, county.department.clerk, county.finance.reviewer):
            with pytest.raises(NotAllowed):
                start_check(session, roster, by=by)

    def test_after_the_check_the_notice_may_hang(self, prepared, as_):
        checked = prepared()
        checked.run()
        with as_(checked.by) as session:
            roster = checked.roster(session)
            assert rosters.publish_notice(session, roster, by=checked.by, mode="online").status == "on_notice"

    def test_a_roster_that_went_to_the_county_meanwhile_is_left_alone(self, prepared, owner):
        checked = prepared()
        job = checked.start()
        with owner() as session:
            session.execute(sa.text("update rosters set status = 'reported'"))
        ended = checked.run(job)
        assert (ended.status, checked.lines()[0].identity_outcome) == (JobStatus.REFUSED, None)
        assert "已上报" in ended.message

    def test_a_post_that_ended_loses_its_job(self, prepared, owner):
        checked = prepared()
        job = checked.start()
        with owner() as session:
            session.execute(
                sa.text("update posts set valid_to = '2024-02-01' where id = :p"), {"p": checked.by.post_id}
            )
        assert checked.run(job).status == JobStatus.FAILED
        assert checked.lines()[0].identity_outcome is None
