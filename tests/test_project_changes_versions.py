"""Versions and stops of projects, and the guard that lets nothing else write the library. （第七条、第九条）"""

from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, col, select

from models.catalogue_tasks import CatalogueTask, CatalogueTaskKind
from models.project_changes import ProjectChange, ProjectChangeKind
from models.project_changes import ProjectChangeStatus as S
from models.projects import ProjectStatus, SubsidyProject
from models.rosters import Roster
from policies.clock import today
from policies.definitions import parse
from tests.conftest import As, Owner
from tests.factories import REGION, World, a_roster
from tests.library import (
    REGION_WAY,
    a_definition,
    admitted,
    amended,
    begun,
    step,
)
from workflows import policy_documents
from workflows import project_changes as changes
from workflows.project_sheets import sheet_of
from workflows.project_versions import is_stopped, version_of


class TestAChange:
    """A new version stands beside the old one; running rosters keep theirs. （第九条）"""

    def test_running_rosters_keep_the_version_they_were_made_under(self, as_: As, owner: Owner, county: World):
        number = admitted(as_, county)
        with owner() as session:
            early = a_roster(session, county, project=session.get_one(SubsidyProject, number)).id
        self.amend(as_, county, number, formula="数量 * 补贴标准 * 2")
        with owner() as session:
            late = a_roster(session, county, project=session.get_one(SubsidyProject, number)).id
            rows = dict(session.execute(sa.text("select id, project_version from rosters")).tuples().all())
            assert (rows[early], rows[late]) == (1, 2)
            assert version_of(session, number, 1).formula == "数量 * 补贴标准"
            assert version_of(session, number, 2).formula == "数量 * 补贴标准 * 2"
            papers = policy_documents.documents_of(session, number, 2)
            assert len(papers) == 2 and all(one.file_id for one in papers)

    def test_another_change_meanwhile_is_told_kindly(self, as_: As, county: World):
        number = admitted(as_, county)
        with as_(county.region_department.clerk) as session:
            late = amended(session, county.region_department.clerk, session.get_one(SubsidyProject, number)).id or 0
        for verb, name in REGION_WAY[:3]:
            step(as_, county, late, verb, name)
        self.amend(as_, county, number)
        with pytest.raises(changes.Overtaken, match="第 1 版.*第 2 版"):
            step(as_, county, late, *REGION_WAY[3])
        step(as_, county, late, "return_", "region_finance.reviewer", reason="已有变动")
        with as_(county.region_department.clerk) as session:
            change = session.get_one(ProjectChange, late)
            changes.rebase(session, change, by=county.region_department.clerk)
            assert (change.base_version, change.status) == (2, S.DRAFT)
        for verb, name in REGION_WAY:
            step(as_, county, late, verb, name)

    def test_each_change_brings_a_policy_document(self, as_: As, county: World):
        number = admitted(as_, county)
        by = county.region_department.clerk
        with pytest.raises(changes.SheetWrong, match="政策文件"), as_(by) as session:
            project = session.get_one(SubsidyProject, number)
            change = changes.draft(session, by=by, kind=ProjectChangeKind.AMEND, project=project, reason="变更")
            changes.submit(session, change, by=by)

    def test_what_is_published_and_now_stale_is_told(self, as_: As, owner: Owner, county: World):
        number = admitted(as_, county)
        with owner() as session:
            self.publish(session, county, session.get_one(SubsidyProject, number))
        self.amend(as_, county, number, guide="新的指南")
        with owner() as session:
            task = session.exec(
                select(CatalogueTask).where(CatalogueTask.kind == CatalogueTaskKind.STALE_PUBLICATION)
            ).one()
            assert (task.division_code, task.sector) == (REGION, "农牧")

    def publish(self, session: Session, county: World, project: SubsidyProject) -> None:
        from models.publications import PublicationKind
        from workflows import publications

        department = county.region_department
        record = publications.prepare(session, by=department.clerk, kind=PublicationKind.POLICY, project=project)
        publications.submit(session, record, by=department.clerk)
        publications.publish(session, record, by=department.reviewer)

    def amend(self, as_: As, county: World, number: int, **fields: object) -> None:
        with as_(county.region_department.clerk) as session:
            project = session.get_one(SubsidyProject, number)
            change = amended(session, county.region_department.clerk, project, **fields).id or 0
        for verb, name in REGION_WAY:
            step(as_, county, change, verb, name)


class TestAStop:
    """No new roster begins from its day on; those under way go on. （第九条停发）"""

    @pytest.mark.parametrize("days", [0, 30])
    def test_it_begins_on_its_day(self, as_: As, owner: Owner, county: World, days: int):
        number = admitted(as_, county)
        with owner() as session:
            roster = a_roster(session, county, project=session.get_one(SubsidyProject, number)).id
            day = today(session) + timedelta(days=days)
        change = self.stop(as_, county, number, day)
        assert change.status == S.EFFECTIVE
        with owner() as session:
            project = session.get_one(SubsidyProject, number)
            assert (project.status, project.stopped_on) == (ProjectStatus.STOPPED, day)
            assert is_stopped(session, project) == (days == 0)
            assert session.get_one(Roster, roster).project_version == 1
            assert len(policy_documents.documents_of(session, number, 1)) == 2

    def test_a_stopped_project_is_neither_changed_nor_stopped_again_but_admitted_again(self, as_: As, county: World):
        number = admitted(as_, county)
        self.stop(as_, county, number, date(2026, 1, 1))
        by = county.region_department.clerk
        for kind in (ProjectChangeKind.AMEND, ProjectChangeKind.STOP):
            with pytest.raises(changes.AlreadyStopped), as_(by) as session:
                amended(session, by, session.get_one(SubsidyProject, number), kind, day=date(2026, 2, 1))
        with as_(by) as session:
            again = amended(session, by, session.get_one(SubsidyProject, number), ProjectChangeKind.ADMIT).id or 0
        for verb, name in REGION_WAY:
            step(as_, county, again, verb, name)
        with as_(by) as session:
            project = session.get_one(SubsidyProject, number)
            assert (project.status, project.project_version, project.stopped_on) == ("admitted", 2, None)
        with pytest.raises(changes.NotStopped), as_(by) as session:
            amended(session, by, session.get_one(SubsidyProject, number), ProjectChangeKind.ADMIT)

    def stop(self, as_: As, county: World, number: int, day: date) -> ProjectChange:
        with as_(county.region_department.clerk) as session:
            project = session.get_one(SubsidyProject, number)
            stop = amended(session, county.region_department.clerk, project, ProjectChangeKind.STOP, day=day).id or 0
        for verb, name in REGION_WAY:
            change = step(as_, county, stop, verb, name)
        return change


class TestTheGuard:
    """PostgreSQL lets the application write the library only as a change says that becomes effective now."""

    WRITES = (
        "update subsidy_projects set name = 'x' where code = '9990001'",
        "update subsidy_projects set status = 'stopped' where code = '9990001'",
        "delete from subsidy_projects where code = '9990001'",
        "insert into project_versions (division_code, project_id, sector, number, definition, digest, basis,"
        " effective_on, made_at) select division_code, id, sector, 2, definition, 'x', 'x', date '2026-01-01', now()"
        " from subsidy_projects where code = '9990001'",
        "insert into policy_documents (division_code, project_id, project_version, sector, number, title, issuer,"
        " file_name, attachment_id) select division_code, id, 1, sector, 'x', 'x', 'x', '', 0 from subsidy_projects"
        " where code = '9990001'",
        "update project_changes set status = 'effective' where status = 'draft'",
    )

    @pytest.mark.parametrize("write", WRITES, ids=[write[:30] for write in WRITES])
    def test_refuses_what_no_change_says(self, as_: As, county: World, write: str):
        admitted(as_, county)
        begun(as_, county.region_department.clerk, a_definition("9990007"))
        refused = pytest.raises(DBAPIError, match="项目|permission denied|逐级")
        with refused, as_(county.region_finance.reviewer) as session:
            session.execute(sa.text(write))

    def test_refuses_an_effect_without_all_desks(self, as_: As, county: World):
        number = begun(as_, county.region_department.clerk, a_definition())
        step(as_, county, number, *REGION_WAY[0])
        for status in ("signed", "examined"):
            with as_(county.region_finance.reviewer) as session:
                session.execute(sa.text("update project_changes set status = :status where id = :id"),
                                {"status": status, "id": number})  # fmt: skip
        with pytest.raises(DBAPIError, match="全部岗位"), as_(county.region_finance.reviewer) as session:
            changes.admit(session, session.get_one(ProjectChange, number), by=county.region_finance.reviewer)

    def test_refuses_to_write_more_than_the_change_says(self, as_: As, county: World):
        number = begun(as_, county.region_department.clerk, a_definition())
        for verb, name in REGION_WAY[:3]:
            step(as_, county, number, verb, name)
        by = county.region_finance.reviewer
        with pytest.raises(DBAPIError, match="一致"), as_(by) as session:
            changes.admit(session, session.get_one(ProjectChange, number), by=by)
            session.execute(sa.text("update subsidy_projects set definition = '{}' where code = '9990001'"))


def test_the_form_and_the_definition_say_the_same(session: Session, county: World):
    admitted_before = session.exec(select(SubsidyProject).where(col(SubsidyProject.definition).is_not(None))).all()
    from workflows.project_sheets import read

    for project in admitted_before:
        definition = parse(project.definition)
        again, mistakes = read(sheet_of(definition))
        assert not mistakes and again == definition
