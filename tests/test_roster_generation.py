"""Rosters made from the qualified register: amounts, accounts, who is left out, who joined and left. （第十六条）"""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import Session, select

from models.events import Event
from models.households import Household, Member, MemberStatus
from models.jobs import Job, JobStatus
from models.projects import ProjectStandard, SubsidyProject
from models.qualifications import (
    GenerationStatus,
    Qualification,
    QualificationLine,
    QualificationStatus,
    RosterGeneration,
)
from models.rosters import Roster, RosterLine, RosterStatus
from policies.refusals import NotAllowed
from tests.applying import a_notice_period, qualified
from tests.conftest import As, Owner
from tests.factories import LAND, World, a_member, a_project, an_account
from workflows import roster_generation
from workflows.annual_list_offers import NotListed
from workflows.imports import PeriodWrong

PERIOD: dict[str, Any] = {"period": "2026年", "period_start": date(2026, 1, 1), "period_end": date(2026, 12, 31)}
NEXT: dict[str, Any] = {"period": "2026年补", "period_start": date(2026, 6, 1), "period_end": date(2026, 12, 31)}


@pytest.fixture
def register(county: World, owner: Owner) -> list[Qualification]:
    """Three people of the first township with cards, on the register."""
    with owner() as session:
        a_notice_period(session, county, a_project(session, county))
        return [qualified(session, county, quantity=quantity, valid_from=date(2026, 1, 1)) for quantity in "123"]


def made(county: World, as_: As, **period: Any) -> RosterGeneration:
    by = county.township.clerk
    with as_(by) as session:
        record = roster_generation.start(session, by=by, project=a_project_of(session), **(period or PERIOD))
        job = roster_generation.job_of(session, record)
        assert job is not None
    roster_generation.run(job.id or 0, by.post_id)
    with as_(by) as session:
        return session.get_one(RosterGeneration, record.id)


def a_project_of(session: Session) -> SubsidyProject:
    return session.exec(select(SubsidyProject).where(SubsidyProject.code == LAND)).one()


def lines(session: Session, record: RosterGeneration) -> list[RosterLine]:
    return list(
        session.exec(select(RosterLine).where(RosterLine.roster_id == record.roster_id).order_by(RosterLine.sequence))
    )


class TestGenerate:
    def test_all_active_qualifications_become_lines_as_an_import_fills_them(
        self, county: World, owner: Owner, as_: As, register: list[Qualification]
    ):
        record = made(county, as_)
        with owner() as session:
            roster = session.exec(select(Roster).where(Roster.id == record.roster_id)).one()
            found = lines(session, record)
            assert (record.status, record.line_count, record.amount_fen) == (GenerationStatus.APPLIED, 3, 9_000)
            assert (roster.status, roster.line_count, roster.amount_fen) == (RosterStatus.DRAFT, 3, 9_000)
            assert [line.amount_fen for line in found] == [1_500, 3_000, 4_500]
            assert all(line.account_number and line.account_is_card and line.name == line.payee_name for line in found)
            assert all(line.id_number and line.member_added_on and line.phone_present for line in found)
            told = session.exec(select(QualificationLine)).all()
            assert {one.qualification_id for one in told} == {one.id for one in register}
            begun = session.exec(select(Event).where(Event.noun == "roster", Event.record_id == roster.id)).one()
            assert (begun.label, begun.facts["generation"]) == ("由资格名册生成清册", record.id)

    def test_the_standard_in_force_counts_not_the_one_of_the_application(
        self, county: World, owner: Owner, as_: As, register: list[Qualification]
    ):
        with owner() as session:
            session.execute(sa.text("update project_standards set valid_to = date '2026-05-31'"))
            project = a_project_of(session)
            session.add(
                ProjectStandard(division_code=county.code, project_id=project.id or 0, standard_yuan=Decimal("20.5"),
                                valid_from=date(2026, 6, 1))
            )  # fmt: skip
        record = made(county, as_, **NEXT)
        assert record.amount_fen == 6 * 2_050

    def test_a_second_roster_of_the_period_takes_only_who_is_new(
        self, county: World, owner: Owner, as_: As, register: list[Qualification]
    ):
        made(county, as_)
        again = made(county, as_)
        assert (again.status, again.roster_id, again.skipped_count) == (GenerationStatus.REFUSED, None, 3)
        assert {one["what"] for one in again.findings["skipped"]} == {"本期已在其他清册中"}
        with owner() as session:
            qualified(session, county, quantity="4", valid_from=date(2026, 1, 1))
        late = made(county, as_)
        assert (late.line_count, late.skipped_count) == (1, 3)

    def test_whoever_has_died_has_no_account_or_is_unchecked_is_left_out_with_the_reason(
        self, county: World, owner: Owner, as_: As, register: list[Qualification]
    ):
        with owner() as session:
            bare = a_member(session, county)
            qualified(session, county, bare, valid_from=date(2026, 1, 1))
            unchecked = qualified(session, county, valid_from=date(2026, 1, 1))
            session.execute(
                sa.text("update members set identity_outcome = null where id = :id"), {"id": unchecked.member_id}
            )
            session.execute(sa.text("update members set status = 'dead' where id = :id"), {"id": register[0].member_id})
        record = made(county, as_)
        assert (record.line_count, record.skipped_count) == (2, 2)
        assert sorted(one["what"] for one in record.findings["skipped"]) == [
            "收款人没有登记的发放账户", "新增人员尚未通过公安联网核查",
        ]  # fmt: skip
        assert all("*" in one["name"] for one in record.findings["skipped"])
        with owner() as session:
            dead = session.get_one(Qualification, register[0].id)
            assert (dead.status, dead.suspended_for) == (QualificationStatus.SUSPENDED, "dead")

    def test_who_joined_and_who_left_is_told_against_the_previous_period(
        self, county: World, owner: Owner, as_: As, register: list[Qualification]
    ):
        made(county, as_)
        with owner() as session:
            session.execute(
                sa.text("update qualifications set status = 'ended', end_reason = '土地流转' where id = :id"),
                {"id": register[1].id},
            )
            qualified(session, county, quantity="5", valid_from=date(2026, 6, 1))
        record = made(county, as_, **NEXT)
        assert (record.joined_count, record.left_count, record.line_count) == (1, 1, 3)
        assert record.findings["left"][0]["what"] == "资格已终止：土地流转"
        with owner() as session:
            found = lines(session, record)
            assert [line.previous_amount_fen for line in found] == [1_500, 4_500, None]

    def test_validity_decides_who_is_listed(self, county: World, owner: Owner, as_: As, register: list[Qualification]):
        with owner() as session:
            session.execute(
                sa.text("update qualifications set valid_to = date '2026-03-31' where id = :id"), {"id": register[0].id}
            )
        assert made(county, as_).line_count == 3
        assert made(county, as_, **NEXT).line_count == 2

    def test_one_that_ended_after_the_period_began_is_still_listed_and_only_once(
        self, county: World, owner: Owner, as_: As, register: list[Qualification]
    ):
        with owner() as session:
            session.execute(
                sa.text(
                    "update qualifications set status = 'ended', ends_on = date '2026-05-01' where id = any (:ids)"
                ),
                {"ids": [register[0].id, register[1].id]},
            )
            again = session.get_one(Member, register[0].member_id)
            qualified(session, county, again, quantity="7", valid_from=date(2026, 5, 1))
        record = made(county, as_)
        with owner() as session:
            assert sorted(line.amount_fen for line in lines(session, record)) == [3_000, 4_500, 10_500]
        assert made(county, as_, **NEXT).line_count == 2

    def test_where_the_head_is_paid_the_heads_account_receives(self, county: World, owner: Owner, as_: As):
        with owner() as session:
            project = a_project(session, county)
            a_notice_period(session, county, project)
            session.execute(sa.text("set local session_replication_role = replica"))
            project.definition = {**project.definition, "payee": "head"}
            session.flush()
            session.execute(sa.text("set local session_replication_role = origin"))
            head = a_member(session, county)
            an_account(session, head)
            home = session.get_one(Household, head.household_id)
            child = a_member(session, county, home, name="张小红", relation="20")
            qualified(session, county, child, valid_from=date(2026, 1, 1))
        record = made(county, as_)
        with owner() as session:
            (line,) = lines(session, record)
            assert (line.name, line.payee_name, line.payee_relation) == ("张小红", head.name, "head")


class TestRefusals:
    def test_only_a_townships_clerk_generates(self, county: World, as_: As):
        for by in (county.township.head, county.department.clerk, county.finance.clerk):
            with as_(by) as session, pytest.raises(NotAllowed):
                roster_generation.start(session, by=by, project=a_project_of(session), **PERIOD)

    def test_a_project_outside_the_countys_list_and_a_period_that_ends_before_it_begins(
        self, session: Session, county: World
    ):
        project = a_project(session, county)
        with pytest.raises(PeriodWrong):
            wrong = PERIOD | {"period_end": date(2025, 1, 1)}
            roster_generation.start(session, by=county.township.clerk, project=project, **wrong)
        with pytest.raises(NotListed):
            old = {"period": "2019年", "period_start": date(2019, 1, 1), "period_end": date(2019, 12, 31)}
            roster_generation.start(session, by=county.township.clerk, project=project, **old)

    def test_a_cancelled_job_leaves_nothing(self, county: World, owner: Owner, as_: As, register: list[Qualification]):
        by = county.township.clerk
        with as_(by) as session:
            record = roster_generation.start(session, by=by, project=a_project_of(session), **PERIOD)
            job = roster_generation.job_of(session, record)
            assert job is not None
            with pytest.raises(roster_generation.GenerationUnderWay):
                roster_generation.start(session, by=by, project=a_project_of(session), **PERIOD)
        with owner() as session:
            session.execute(sa.text("update jobs set cancel_asked = true where id = :id"), {"id": job.id})
        roster_generation.run(job.id or 0, by.post_id)
        with owner() as session:
            assert session.exec(select(Roster)).all() == []
            assert session.get_one(RosterGeneration, record.id).status == GenerationStatus.CANCELLED
            assert session.get_one(Job, job.id).status == JobStatus.CANCELLED

    def test_other_sectors_and_townships_see_nothing_of_it(self, county: World, as_: As, register: list[Qualification]):
        made(county, as_)
        for by in (county.civil_affairs.clerk, county.second_township.clerk, county.other_county.department.clerk):
            with as_(by) as session:
                assert session.exec(select(RosterGeneration)).all() == []
                assert session.exec(select(QualificationLine)).all() == []


def test_a_missing_person_is_not_paid(county: World, owner: Owner, as_: As, register: list[Qualification]):
    with owner() as session:
        session.execute(
            sa.text("update members set status = :s where id = :id"),
            {"s": MemberStatus.MISSING, "id": register[2].member_id},
        )
    assert made(county, as_).line_count == 2
