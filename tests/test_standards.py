"""Standards dated and by division: two people of the rightful department, never rewritten. （第八、九条）"""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, select

from models.catalogue_tasks import CatalogueTask, CatalogueTaskKind, CatalogueTaskStatus
from models.projects import ProjectStandard, StandardStatus, SubsidyProject
from models.publications import PublicationKind
from policies.clock import today
from policies.definitions import StandardRow
from policies.refusals import NotAllowed, ReasonMissing, SamePersonTwice
from tests.conftest import As
from tests.factories import World, a_project, key
from tests.money import SWEEP
from workflows import publications, standard_endings, standards
from workflows.imports import StandardMissing, standards_of
from workflows.standards import (
    StandardDayWrong,
    StandardOverlaps,
    StandardUnderWay,
    StandardWrong,
    WrongSetter,
)


def land(session: Session, county: World) -> SubsidyProject:
    """Return the project of the land subsidy, without a standard."""
    return a_project(session, county, standard=None)


def proposed(session: Session, county: World, project: SubsidyProject, yuan: str = "16.5", **more) -> ProjectStandard:
    asked = {"valid_from": date(2026, 1, 1), "document": "敖农发〔2026〕1号"} | more
    return standards.propose(session, by=county.department.clerk, project=project, yuan=yuan, **asked)


def confirmed(session: Session, county: World, project: SubsidyProject, yuan: str, **more) -> ProjectStandard:
    record = proposed(session, county, project, yuan, **more)
    return standards.confirm(session, record, by=county.department.reviewer)


def a_standard(session: Session, project: SubsidyProject, division_code: str, **given: Any) -> int:
    """Make a standard in force since the year's beginning; return its number."""
    columns = {"valid_from": date(2026, 1, 1), "standard_yuan": Decimal(15), "status": StandardStatus.IN_FORCE} | given
    record = ProjectStandard(division_code=division_code, project_id=key(project.id), **columns)
    session.add(record)
    session.flush()
    return key(record.id)


class Period:
    """What `standards_of` asks of an import."""

    def __init__(self, county: World, day: date):
        self.period_start, self.period, self.division_code = day, "期", county.township.division_code
        self.county_code = county.code


def test_the_department_is_told_once_before_a_standard_ends_with_none_to_follow(as_, county, owner):
    """第九条：根据政策变化及时更新。"""
    with owner() as session:
        project = land(session, county)
        day, number = today(session), key(project.id)
        ending = a_standard(session, project, county.code, valid_to=day + timedelta(days=20))
        lasting = a_standard(session, project, county.code, grade="B 类", valid_to=day + timedelta(days=200))
        followed = a_standard(session, project, county.code, grade="C 类", valid_to=day + timedelta(days=3))
        a_standard(session, project, county.code, grade="C 类", valid_from=day + timedelta(days=4))
    assert (standard_endings.tell_endings(SWEEP), standard_endings.tell_endings(SWEEP)) == (1, 0)
    with as_(county.department.clerk) as session:
        task = session.exec(select(CatalogueTask)).one()
        told = (task.kind, task.sector, task.subject_id, task.division_code)
        assert told == (CatalogueTaskKind.STANDARD_ENDING, "农牧", ending, county.code)
        assert "其后没有标准" in task.detail
        assert {lasting, followed}.isdisjoint({task.subject_id})
        waiting = standards.propose(
            session, by=county.department.clerk, project=session.get_one(SubsidyProject, number), yuan="18",
            valid_from=day + timedelta(days=21), document="敖农发〔2026〕3号",
        ).id  # fmt: skip
    with as_(county.department.reviewer) as session:
        standards.confirm(session, session.get_one(ProjectStandard, waiting), by=county.department.reviewer)
        assert session.exec(select(CatalogueTask)).one().status == CatalogueTaskStatus.GONE


def test_the_task_goes_when_the_project_has_stopped_meanwhile(as_, county, owner):
    with owner() as session:
        project = land(session, county)
        number = key(project.id)
        a_standard(session, project, county.code, valid_to=today(session))
    assert standard_endings.tell_endings(SWEEP) == 1
    with owner() as session:
        session.execute(sa.text("update subsidy_projects set status = 'stopped' where id = :id"), {"id": number})
    assert standard_endings.tell_endings(SWEEP) == 0
    with as_(county.department.clerk) as session:
        assert session.exec(select(CatalogueTask)).one().status == CatalogueTaskStatus.GONE


class TestPropose:
    def test_the_clerk_proposes_and_the_reviewer_of_the_same_department_confirms(self, session, county):
        project = land(session, county)
        record = proposed(session, county, project, "7.1250", grade="A 类")
        assert (record.status, record.sector, record.project_name) == (
            StandardStatus.PROPOSED, "农牧", project.name,
        )  # fmt: skip
        with pytest.raises(StandardMissing):
            standards_of(session, project, Period(county, date(2026, 5, 1)))
        standards.confirm(session, record, by=county.department.reviewer)
        assert record.status == StandardStatus.IN_FORCE
        assert standards_of(session, project, Period(county, date(2026, 5, 1))) == [Decimal("7.1250")]

    def test_only_the_department_of_the_level_that_sets_it_may_propose(self, session, county):
        project = land(session, county)
        for by in (county.civil_affairs.clerk, county.league_department.clerk, county.region_department.clerk):
            with pytest.raises(WrongSetter, match="旗县（市、区）农牧主管部门"):
                standards.propose(session, by=by, project=project, yuan="1", valid_from=date(2026, 1, 1), document="文")
        for by in (county.finance.clerk, county.department.reviewer, county.township.clerk):
            with pytest.raises(NotAllowed):
                standards.propose(session, by=by, project=project, yuan="1", valid_from=date(2026, 1, 1), document="文")

    @pytest.mark.parametrize("yuan", ["0", "-1", "1.00001", "甲", "NaN", "Infinity", ""])
    def test_the_amount_is_yuan_with_four_decimals(self, session, county, yuan):
        with pytest.raises(StandardWrong):
            proposed(session, county, land(session, county), yuan)

    def test_a_document_number_is_required_and_the_days_agree(self, session, county):
        project = land(session, county)
        with pytest.raises(ReasonMissing, match="文号"):
            proposed(session, county, project, document=" ")
        with pytest.raises(StandardDayWrong, match="早于执行起"):
            proposed(session, county, project, valid_to=date(2025, 12, 31))

    def test_a_second_proposal_waits_for_the_first(self, session, county):
        project = land(session, county)
        proposed(session, county, project)
        with pytest.raises(StandardUnderWay, match="16.5"):
            proposed(session, county, project, "17")

    def test_nobody_confirms_what_they_proposed(self, session, county):
        record = proposed(session, county, land(session, county))
        twin = replace(county.department.reviewer, person=county.department.clerk.person)
        with pytest.raises(SamePersonTwice):
            standards.confirm(session, record, by=twin)


class TestOneAfterTheOther:
    def test_a_new_one_ends_the_former_the_day_before(self, session, county):
        project = land(session, county)
        first = confirmed(session, county, project, "15")
        second = confirmed(session, county, project, "16", valid_from=date(2026, 7, 1))
        assert (first.valid_to, first.status) == (date(2026, 6, 30), StandardStatus.ENDED)
        for day, yuan in ((date(2026, 6, 30), "15"), (date(2026, 7, 1), "16")):
            assert standards_of(session, project, Period(county, day)) == [Decimal(yuan)]
        assert second.valid_to is None

    def test_overlaps_are_refused_with_the_row_named(self, session, county):
        project = land(session, county)
        confirmed(session, county, project, "15", valid_to=date(2026, 12, 31))
        with pytest.raises(StandardOverlaps, match="15.0000 元，2026-01-01 至 2026-12-31（敖农发〔2026〕1号）"):
            proposed(session, county, project, "16", valid_from=date(2026, 7, 1))
        with pytest.raises(StandardOverlaps):
            proposed(session, county, project, "16", valid_from=date(2025, 7, 1))
        assert proposed(session, county, project, "16", valid_from=date(2027, 1, 1))

    def test_grades_stand_side_by_side(self, session, county):
        project = land(session, county)
        confirmed(session, county, project, "15", grade="A 类")
        confirmed(session, county, project, "12", grade="B 类")
        assert standards_of(session, project, Period(county, date(2026, 5, 1))) == [Decimal("12"), Decimal("15")]

    def test_the_nearest_division_wins(self, session, county):
        project = land(session, county)
        standards.put_in_force(
            session, project,
            [StandardRow(division_code="150000000000", yuan=Decimal("9"), valid_from="2026-01-01", document="区文")],
            basis="SQ1",
        )  # fmt: skip
        assert standards_of(session, project, Period(county, date(2026, 5, 1))) == [Decimal("9")]
        confirmed(session, county, project, "15")
        assert standards_of(session, project, Period(county, date(2026, 5, 1))) == [Decimal("15")]

    def test_one_ends_with_a_reason_and_not_in_the_past(self, session, county):
        record = confirmed(session, county, land(session, county), "15")
        day = today(session)
        with pytest.raises(StandardDayWrong, match="早于今天"):
            standards.end(session, record, by=county.department.reviewer, valid_to=day - timedelta(1), reason="停发")
        with pytest.raises(ReasonMissing):
            standards.end(session, record, by=county.department.reviewer, valid_to=day, reason=" ")
        standards.end(session, record, by=county.department.reviewer, valid_to=day, reason="停发")
        assert (record.status, record.valid_to) == (StandardStatus.ENDED, day)


class TestPutInForce:
    def test_a_version_puts_its_rows_in_force_once(self, session, county):
        project = land(session, county)
        row = StandardRow(division_code=county.code, yuan=Decimal("8.2"), valid_from="2026-01-01")
        assert standards.put_in_force(session, project, [row], basis="SQ1") == 1
        assert standards.put_in_force(session, project, [row], basis="SQ2") == 0
        later = row.model_copy(update={"yuan": Decimal("8.4"), "valid_from": "2026-09-01"})
        assert standards.put_in_force(session, project, [row, later], basis="SQ3") == 1
        rows = session.exec(
            select(ProjectStandard).where(ProjectStandard.project_id == project.id).order_by(ProjectStandard.id)
        ).all()
        assert [(one.valid_to, one.status, one.document) for one in rows] == [
            (date(2026, 8, 31), StandardStatus.ENDED, "SQ1"), (None, StandardStatus.IN_FORCE, "SQ3"),
        ]  # fmt: skip


class TestUnchanged:
    @pytest.mark.parametrize(
        "change", ["standard_yuan = 99", "valid_from = date '2020-01-01'", "grade = 'X'", "status = 'proposed'"]
    )
    def test_a_standard_in_force_is_never_rewritten_not_even_by_the_owner(self, session, county, change):
        record = confirmed(session, county, land(session, county), "15")
        with pytest.raises(DBAPIError, match="不能改写"):
            session.execute(sa.text(f"update project_standards set {change} where id = :id"), {"id": record.id})

    def test_nor_deleted(self, session, county):
        record = confirmed(session, county, land(session, county), "15")
        with pytest.raises(DBAPIError, match="不能删除"):
            session.execute(sa.text("delete from project_standards where id = :id"), {"id": record.id})


def test_a_published_standard_becomes_stale_when_another_comes_into_force(county: World, owner, as_: As):
    with owner() as session:
        number = key(land(session, county).id)
    with as_(county.department.clerk) as session:
        record = proposed(session, county, session.get_one(SubsidyProject, number), "15")
    with as_(county.department.reviewer) as session:
        standards.confirm(session, session.get_one(ProjectStandard, record.id), by=county.department.reviewer)
    with as_(county.department.clerk) as session:
        shown = publications.prepare(
            session, session.get_one(SubsidyProject, number), by=county.department.clerk,
            kind=PublicationKind.STANDARD, contact="王", telephone="0476-4321000",
        )  # fmt: skip
        publications.submit(session, shown, by=county.department.clerk)
    with as_(county.department.reviewer) as session:
        publications.publish(session, session.get_one(type(shown), shown.id), by=county.department.reviewer)
    with as_(county.department.second_clerk) as session:
        later = standards.propose(
            session, by=county.department.second_clerk, project=session.get_one(SubsidyProject, number), yuan="16",
            valid_from=today(session) + timedelta(days=9), document="敖农发〔2026〕9号",
        )  # fmt: skip
    with as_(county.department.reviewer) as session:
        standards.confirm(session, session.get_one(ProjectStandard, later.id), by=county.department.reviewer)
    with owner() as session:
        task = session.exec(select(CatalogueTask)).one()
        assert (task.kind, task.sector) == (CatalogueTaskKind.STALE_PUBLICATION, "农牧")
