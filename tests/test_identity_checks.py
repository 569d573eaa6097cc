"""The comparison of the registry with the police. （第十一条、第十六条第一项、第三十三条第一项）"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import Session, select

from integrations.sandbox.launch import Sandboxes
from models.base import REGION_CODE
from models.divisions import Level
from models.households import IdentityOutcome, Member, MemberStatus
from models.jobs import Job, JobStatus
from models.officers import system_principal
from models.registry_tasks import RegistryTask, TaskKind, TaskStatus
from policies.clock import ZONE, advance, now
from policies.refusals import NotAllowed, NotFound
from tests.conftest import As, Owner
from tests.factories import LAND, World, a_member, lines_of
from tests.payments import Payments
from tests.test_checks import boxes, outside  # noqa: F401 - fixtures
from tests.world import key
from workflows import identity_checks
from workflows.identity_checks import CheckUnderWay, NobodyToCheck
from workflows.jobs import Waiting, follow
from workflows.registry_tasks import settle


class Township:
    """Some people of a township and what the police know of them."""

    def __init__(self, county: World, owner: Owner, as_: As, boxes: Sandboxes) -> None:  # noqa: F811
        self.county, self.owner, self.as_, self.boxes, self.by = county, owner, as_, boxes, county.township.clerk
        with owner() as session:
            unasked = {"identity_outcome": None, "identity_checked_at": None}
            people = [a_member(session, county, **unasked) for _ in range(4)]
            self.ids = [key(person.id) for person in people]
            told = [{"kind": "person", "id_number": p.id_number, "name": p.name, "died_on": None} for p in people]
        boxes.police.add_world(told[:3])  # the fourth is unknown to the police
        boxes.police.set_person(told[1]["id_number"], died_on=date(2024, 3, 5))
        boxes.police.set_person(told[2]["id_number"], died_on=None, name="另有其人")
        self.numbers = [str(one["id_number"]) for one in told]

    def check(self) -> Job:
        with self.as_(self.by) as session:
            job = key(identity_checks.check_township(session, by=self.by).id)
        follow(job, self.by.post_id, identity_checks.run_checks)
        with self.owner() as session:
            return session.get_one(Job, job)

    def people(self, session: Session) -> list[Member]:
        return list(session.exec(select(Member).where(sa.column("id").in_(self.ids)).order_by(sa.text("id"))))

    def tasks(self, status: TaskStatus = TaskStatus.OPEN) -> set[tuple[int, TaskKind]]:
        with self.owner() as session:
            rows = session.exec(select(RegistryTask).where(RegistryTask.status == status)).all()
            return {(key(row.member_id), row.kind) for row in rows}


@pytest.fixture
def town(county: World, owner: Owner, as_: As, boxes: Sandboxes) -> Iterator[Township]:  # noqa: F811
    yield Township(county, owner, as_, boxes)


class TestWholeTownship:
    def test_each_answer_stays_with_its_date_and_each_difference_becomes_a_task(self, town, owner):
        job = town.check()
        assert (job.status, job.done, job.total) == (JobStatus.DONE, 4, 4)
        assert job.message == "一致 1、死亡 1、不一致 1、查无此人 1"
        with owner() as session:
            people = town.people(session)
            assert [p.identity_outcome for p in people] == ["match", "dead", "mismatch", "not_found"]
            assert all(p.identity_checked_at is not None for p in people)
            assert [p.police_died_on for p in people] == [None, date(2024, 3, 5), None, None]
            assert {p.status for p in people} == {MemberStatus.ALIVE}
        assert town.tasks() == {
            (town.ids[1], TaskKind.DECEASED), (town.ids[2], TaskKind.IDENTITY_MISMATCH),
            (town.ids[3], TaskKind.IDENTITY_NOT_FOUND),
        }  # fmt: skip

    def test_nobody_is_asked_about_twice_while_the_answer_is_fresh(self, town):
        town.check()
        with pytest.raises(NobodyToCheck), town.as_(town.by) as session:
            identity_checks.check_township(session, by=town.by)

    def test_whoever_differed_is_asked_about_again_the_next_day(self, town, owner):
        town.check()
        with owner() as session:
            advance(session, now(session) + timedelta(days=2))
        town.boxes.police.set_person(town.numbers[1], died_on=None)
        assert town.check().total == 3
        assert (town.ids[1], TaskKind.DECEASED) in town.tasks(TaskStatus.GONE)
        assert (town.ids[1], TaskKind.DECEASED) not in town.tasks()

    def test_everybody_is_asked_about_again_after_a_month(self, town, owner):
        town.check()
        with owner() as session:
            advance(session, now(session) + timedelta(days=31))
        assert town.check().total == 4

    def test_one_comparison_at_a_time(self, town):
        with town.as_(town.by) as session:
            identity_checks.check_township(session, by=town.by)
        with pytest.raises(CheckUnderWay), town.as_(town.by) as session:
            identity_checks.check_township(session, by=town.by)

    def test_a_cancelled_comparison_keeps_what_was_answered(self, town, owner):
        with town.as_(town.by) as session:
            job = key(identity_checks.check_township(session, by=town.by).id)
        with owner() as session:
            session.execute(sa.text("update jobs set cancel_asked = true where id = :job"), {"job": job})
        follow(job, town.by.post_id, identity_checks.run_checks)
        with owner() as session:
            assert session.get_one(Job, job).status == JobStatus.CANCELLED
        assert town.check().done == 4

    def test_while_the_police_are_away_the_job_waits_and_goes_on(self, town, boxes, owner):  # noqa: F811
        with town.as_(town.by) as session:
            job = key(identity_checks.check_township(session, by=town.by).id)
        boxes.stop("police")
        try:
            with pytest.raises(Waiting):
                follow(job, town.by.post_id, identity_checks.run_checks)
        finally:
            boxes.start("police")
        with owner() as session:
            assert {person.identity_outcome for person in town.people(session)} == {None}
        follow(job, town.by.post_id, identity_checks.run_checks)
        with owner() as session:
            assert session.get_one(Job, job).status == JobStatus.DONE


class TestWho:
    def test_one_person_is_asked_about_by_a_click(self, town, owner):
        with town.as_(town.by) as session:
            member = session.exec(select(Member).where(Member.id == town.ids[0])).one()
            job = key(identity_checks.check_member(session, member, by=town.by).id)
        follow(job, town.by.post_id, identity_checks.run_checks)
        with owner() as session:
            outcomes = [person.identity_outcome for person in town.people(session)]
        assert outcomes == [IdentityOutcome.MATCH, None, None, None]

    def test_the_head_and_another_township_may_not(self, town, county):
        with pytest.raises(NotAllowed), town.as_(county.township.head) as session:
            identity_checks.check_township(session, by=county.township.head)
        with town.owner() as session:
            member = session.get_one(Member, town.ids[0])
        other = county.second_township.clerk
        with pytest.raises(NotFound), town.as_(other) as session:
            identity_checks.check_member(session, member, by=other)

    def test_nobody_is_asked_about_beyond_the_officers_township(self, town, county, owner):
        with town.as_(county.second_township.clerk) as session:
            job = key(identity_checks.check_members(session, town.ids, by=county.second_township.clerk).id)
        follow(job, county.second_township.clerk.post_id, identity_checks.run_checks)
        with owner() as session:
            assert {person.identity_outcome for person in town.people(session)} == {None}

    def test_the_clerk_settles_a_task_with_what_was_found(self, town, county, owner):
        town.check()
        with town.as_(town.by) as session:
            task = session.exec(select(RegistryTask).where(RegistryTask.member_id == town.ids[2])).one()
            settle(session, task, by=town.by, settled_as="corrected", note="户口簿姓名已更正")
        assert (town.ids[2], TaskKind.IDENTITY_MISMATCH) in town.tasks(TaskStatus.SETTLED)
        head = county.township.head
        with pytest.raises(NotAllowed), town.as_(head) as session:
            task = session.exec(select(RegistryTask).where(RegistryTask.member_id == town.ids[3])).one()
            settle(session, task, by=head, settled_as="corrected", note="已核实")


class TestNight:
    @pytest.fixture
    def system(self, county: World) -> Any:
        return system_principal(REGION_CODE, Level.REGION, "定时任务")

    def at(self, owner: Owner, hour: int) -> None:
        with owner() as session:
            moment = now(session)
            day = moment.date() + timedelta(days=1)
            advance(session, datetime(day.year, day.month, day.day, hour, 30, tzinfo=ZONE))

    def test_the_registry_is_compared_with_the_police_every_night(self, town, owner, system):
        self.at(owner, 14)
        assert identity_checks.sweep_identities(system) == 0
        self.at(owner, 2)
        assert identity_checks.sweep_identities(system) >= 4
        assert identity_checks.sweep_identities(system) == 0
        assert (town.ids[1], TaskKind.DECEASED) in town.tasks()

    def test_while_the_police_are_away_nothing_is_lost(self, town, boxes, owner, system):  # noqa: F811
        self.at(owner, 2)
        boxes.stop("police")
        try:
            assert identity_checks.sweep_identities(system) == 0
        finally:
            boxes.start("police")
        assert identity_checks.sweep_identities(system) >= 4


class TestPaidAfterDeath:
    def test_what_was_paid_after_a_death_becomes_a_task(self, session: Session, county: World):
        land = Payments(session, county, LAND, lines=2)
        land.pay(0)
        line, unpaid = lines_of(session, land.roster)
        session.execute(
            sa.text("update members set police_died_on = date '2020-01-01' where id = any (:ids)"),
            {"ids": [line.member_id, unpaid.member_id]},
        )
        assert identity_checks.find_paid_after_death(session, [line.member_id, unpaid.member_id]) == 1
        task = session.exec(select(RegistryTask).where(RegistryTask.member_id == line.member_id)).one()
        assert (task.kind, task.roster_id) == (TaskKind.PAID_AFTER_DEATH, land.roster.id)


class TestRevived:
    def test_the_task_about_a_person_registered_dead_stays_one_while_the_police_call_them_alive(self, town, owner):
        with owner() as session:
            session.execute(sa.text("update members set status = 'dead', died_on = date '2024-03-05' where id = :id"),
                            {"id": town.ids[0]})  # fmt: skip
        town.check()
        with owner() as session:
            advance(session, now(session) + timedelta(days=31))
        town.check()
        with owner() as session:
            tasks = session.exec(select(RegistryTask).where(RegistryTask.member_id == town.ids[0])).all()
        assert [(task.kind, task.status) for task in tasks] == [(TaskKind.IDENTITY_MISMATCH, TaskStatus.OPEN)]
