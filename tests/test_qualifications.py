"""The qualified register: ended by two people, suspended by the registry, scoped. （第十四条、第十六条第一项）"""

from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from sqlmodel import Session

from models.applications import ApplicationStatus as A
from models.base import REGION_CODE
from models.divisions import Level
from models.officers import system_principal
from models.qualifications import Qualification
from models.qualifications import QualificationStatus as Q
from policies.refusals import NotAllowed, ReasonMissing, SamePersonTwice
from tests.applying import (
    a_notice_period,
    a_qualification_in,
    an_application_in,
    carried,
    conclude,
    entered,
    qualified,
)
from tests.conftest import As, Owner
from tests.factories import World, a_member, a_project, second_account
from workflows import qualifications
from workflows.application_rules import AlreadyApplied
from workflows.qualifications import EndTooEarly, StillGone

DAY = date(2027, 1, 1)


@pytest.fixture
def held(session: Session, county: World) -> Qualification:
    return a_qualification_in(session, county, Q.ACTIVE)


class TestEnd:
    def test_the_clerk_proposes_and_the_reviewer_agrees(self, session: Session, county: World, held: Qualification):
        qualifications.propose_end(session, held, by=county.department.clerk, ends_on=DAY, reason="土地已流转")
        assert (held.status, held.ends_on, held.end_reason) == (Q.ENDING, DAY, "土地已流转")
        with pytest.raises(NotAllowed):
            qualifications.confirm_end(session, held, by=county.department.clerk)
        twin = second_account(session, county.department.clerk, county.department.organisation_id, "reviewer")
        with pytest.raises(SamePersonTwice):
            qualifications.confirm_end(session, held, by=twin)
        qualifications.confirm_end(session, held, by=county.department.reviewer)
        assert held.status == Q.ENDED

    def test_it_asks_for_a_day_and_a_reason(self, session: Session, county: World, held: Qualification):
        for ends_on, reason in ((None, "流转"), (DAY, " ")):
            with pytest.raises(ReasonMissing):
                qualifications.propose_end(session, held, by=county.department.clerk, ends_on=ends_on, reason=reason)
        with pytest.raises(EndTooEarly):
            early = held.valid_from - timedelta(days=1)
            qualifications.propose_end(session, held, by=county.department.clerk, ends_on=early, reason="流转")

    def test_a_refused_end_leaves_it_as_it_was(self, session: Session, county: World, held: Qualification):
        qualifications.propose_end(session, held, by=county.department.clerk, ends_on=DAY, reason="土地已流转")
        qualifications.keep(session, held, by=county.department.reviewer, reason="流转合同无效")
        assert (held.status, held.ends_on, held.end_reason) == (Q.ACTIVE, None, "")

    def test_whoever_was_ended_may_apply_again(self, session: Session, county: World):
        a_notice_period(session, county, a_project(session, county))
        member = a_member(session, county)
        mine = qualified(session, county, member)
        with pytest.raises(AlreadyApplied):
            entered(session, county, member)
        qualifications.propose_end(session, mine, by=county.department.clerk, ends_on=DAY, reason="土地已流转")
        qualifications.confirm_end(session, mine, by=county.department.reviewer)
        assert entered(session, county, member).status == A.SUBMITTED


class TestRegistry:
    @pytest.mark.parametrize(
        ("change", "why"),
        [("status = 'dead'", "dead"), ("status = 'missing'", "missing"), ("current = false", "moved"),
         ("status = 'moved'", "moved")],
    )  # fmt: skip
    def test_what_the_registry_says_of_the_person_suspends_by_itself(
        self, county: World, owner: Owner, change: str, why: str
    ):
        with owner() as session:
            held = a_qualification_in(session, county, Q.ACTIVE)
            other = a_qualification_in(session, county, Q.ACTIVE)
            session.execute(sa.text(f"update members set {change} where id = :id"), {"id": held.member_id})
        by = system_principal(REGION_CODE, Level.REGION)
        assert qualifications.sweep_gone(by) == 1
        assert qualifications.sweep_gone(by) == 0
        with owner() as session:
            found = session.get_one(Qualification, held.id)
            assert (found.status, found.suspended_for, found.gone) == (Q.SUSPENDED, why, False)
            assert session.get_one(Qualification, other.id).status == Q.ACTIVE

    def test_it_counts_again_only_when_the_registry_says_so_and_the_reviewer(
        self, session: Session, county: World, held: Qualification
    ):
        session.execute(sa.text("update members set status = 'missing' where id = :id"), {"id": held.member_id})
        by = system_principal(county.code, Level.COUNTY)
        qualifications.suspend_gone(session, by=by)
        session.refresh(held)
        with pytest.raises(StillGone):
            qualifications.reinstate(session, held, by=county.department.reviewer, reason="已返回")
        session.execute(sa.text("update members set status = 'alive' where id = :id"), {"id": held.member_id})
        session.expire_all()
        with pytest.raises(NotAllowed):
            qualifications.reinstate(session, held, by=county.department.clerk, reason="已返回")
        qualifications.reinstate(session, held, by=county.department.reviewer, reason="已返回")
        assert (held.status, held.suspended_for) == (Q.ACTIVE, None)

    def test_whoever_dies_while_the_notice_hangs_is_suspended_at_once(self, session: Session, county: World):
        a_notice_period(session, county, a_project(session, county))
        application = carried(session, county, entered(session, county), A.ON_NOTICE)
        session.execute(sa.text("update members set status = 'dead' where id = :id"), {"id": application.member_id})
        carried(session, county, application, A.QUALIFIED)
        held = session.get_one(Qualification, application.qualification_id)
        session.refresh(held)
        assert (held.status, held.suspended_for) == (Q.SUSPENDED, "dead")

    def test_whoever_holds_it_elsewhere_gets_no_second_one(self, session: Session, county: World):
        a_notice_period(session, county, a_project(session, county))
        application = carried(session, county, entered(session, county), A.ON_NOTICE)
        elsewhere = an_application_in(session, county, A.QUALIFIED)
        session.execute(
            sa.text(
                "insert into qualifications (division_code, county_code, number, project_id, project_name, sector,"
                " household_id, member_id, person, member_name, quantity, standard, amount_fen, valid_from,"
                " application_id, status, version, qualified_at) select division_code, county_code, 'ZGX', project_id,"
                " project_name, sector, household_id, member_id, :person, member_name, 1, 15, 1500, valid_from, id,"
                " 'active', 1, submitted_at from applications where id = :id"
            ),
            {"person": application.person, "id": elsewhere.id},
        )
        conclude(session, county, application)
        assert (application.status, application.reason) == (A.REJECTED, "该人员在其他地区已有同一资格")


def test_a_department_sees_its_own_sector_and_a_township_its_own_people(county: World, owner: Owner, as_: As):
    with owner() as session:
        held = a_qualification_in(session, county, Q.ACTIVE)
    seen = {}
    for name, by in (
        ("township", county.township.clerk), ("other township", county.second_township.clerk),
        ("department", county.department.clerk), ("other sector", county.civil_affairs.clerk),
        ("finance", county.finance.auditor), ("league", county.league_finance.clerk),
        ("other county", county.other_county.department.clerk), ("bank", county.bank.clerk),
    ):  # fmt: skip
        with as_(by) as session:
            events = session.execute(
                sa.text("select count(*) from qualifications where id = :id"), {"id": held.id}
            ).scalar_one()
            seen[name] = bool(events)
    assert [name for name, one in seen.items() if one] == ["township", "department", "finance", "league"]


def test_the_timeline_of_an_application_is_its_own_sectors(county: World, owner: Owner, as_: As):
    with owner() as session:
        application = entered(session, county)
    about = {"id": application.id}
    statement = sa.text("select count(*) from events where noun = 'application' and record_id = :id")
    with as_(county.department.clerk) as session:
        assert session.execute(statement, about).scalar_one() == 1
    with as_(county.civil_affairs.clerk) as session:
        assert session.execute(statement, about).scalar_one() == 0


def test_whom_and_what_an_application_is_about_never_changes(county: World, owner: Owner, as_: As):
    with owner() as session:
        application = entered(session, county)
    with as_(county.township.clerk) as session, pytest.raises(sa.exc.ProgrammingError):
        session.execute(sa.text("update applications set person = 'x' where id = :id"), {"id": application.id})
    with as_(county.township.clerk) as session, pytest.raises(sa.exc.ProgrammingError):
        session.execute(sa.text("delete from applications where id = :id"), {"id": application.id})
