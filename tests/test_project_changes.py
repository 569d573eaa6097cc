"""Projects enter the library, change and stop by the level whose policy they are. （第七条、第九条）"""

from datetime import date, timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, col, select

from models.catalogue_tasks import CatalogueTask, CatalogueTaskKind
from models.events import Event
from models.officers import Role
from models.project_changes import PolicyDocument, ProjectChange, ProjectChangeKind
from models.project_changes import ProjectChangeStatus as S
from models.projects import PolicyLevel, ProjectStandard, ProjectStatus, ProjectVersion, SubsidyProject
from models.rosters import Roster
from policies.clock import today
from policies.definitions import StandardRow, parse
from policies.enforcement import OtherSector
from policies.lifecycles.project_changes import PROJECT_CHANGE_LIFECYCLE
from policies.refusals import FasterColleague, NotAllowed, ReasonMissing, Refused, SamePersonTwice, StepNotPossible
from tests.conftest import As, Owner
from tests.factories import COUNTY, LEAGUE, REGION, World, a_roster, second_account
from tests.library import (
    FILE,
    LOCAL_WAY,
    MANZHOULI,
    REGION_WAY,
    Manzhouli,
    a_definition,
    admitted,
    amended,
    begun,
    filled,
    officer,
    project_of,
    step,
    take,
)
from workflows import policy_documents
from workflows import project_changes as changes
from workflows.project_sheets import sheet_of
from workflows.project_versions import is_stopped, version_of

HOME = {PolicyLevel.LEAGUE: LEAGUE, PolicyLevel.COUNTY: COUNTY}


class TestTheRegionsWay:
    """Region department fills in and signs, region finance examines and admits. （第七条第二项）"""

    def test_a_subsidy_that_did_not_exist_yesterday_is_in_the_library(self, as_: As, owner: Owner, county: World):
        number = begun(as_, county.region_department.clerk, a_definition())
        for verb, name in REGION_WAY:
            change = step(as_, county, number, verb, name)
        assert change.status == S.EFFECTIVE and change.effective_at
        with owner() as session:
            project = project_of(session)
            assert (project.division_code, project.project_version, project.status) == (REGION, 1, "admitted")
            version = session.exec(select(ProjectVersion).where(ProjectVersion.project_id == project.id)).one()
            assert (version.basis, version.digest) == (change.number, change.digest)
            standard = session.exec(select(ProjectStandard).where(ProjectStandard.project_id == project.id)).one()
            assert standard.standard_yuan == Decimal("12.3456")

    def test_a_township_reads_the_policy_document_of_the_region(self, as_: As, county: World):
        admitted(as_, county)
        with as_(county.township.clerk) as session:
            paper = session.exec(select(PolicyDocument)).one()
            assert paper.number == "内农发〔2026〕1号"
            assert policy_documents.file_of(session, paper.id or 0).content == FILE.content

    def test_whoever_drafts_does_not_sign_and_whoever_examines_does_not_admit(self, session: Session, county: World):
        change = filled(session, county.region_department.clerk, a_definition())
        take(session, county, change, "submit", "region_department.clerk")
        for verb, name in (("sign", "region_department.clerk"), ("examine", "region_finance.clerk")):
            with pytest.raises(Refused):
                take(session, county, change, verb, name)


class TestTheLocalWay:
    """County department with county finance, league department and finance, the region files. （第七条第三项）"""

    @pytest.mark.parametrize("level", [PolicyLevel.COUNTY, PolicyLevel.LEAGUE])
    def test_the_project_belongs_to_the_level_of_its_policy(
        self, as_: As, owner: Owner, county: World, level: PolicyLevel
    ):
        number = begun(as_, county.department.clerk, a_definition("9990002", policy_level=level))
        seen = []
        for verb, name in LOCAL_WAY:
            seen.append(step(as_, county, number, verb, name).status)
        assert seen == [S.LOCAL_SUBMITTED, S.LOCAL_SIGNED, S.JOINED, S.DEPARTMENT_VERIFIED, S.VERIFIED, S.FILING,
                        S.EFFECTIVE]  # fmt: skip
        with owner() as session:
            assert project_of(session, "9990002").division_code == HOME[level]
            assert session.get_one(ProjectChange, number).joint_document

    def test_a_joint_document_has_its_number(self, session: Session, county: World):
        change = filled(session, county.department.clerk, a_definition(policy_level=PolicyLevel.COUNTY))
        for verb, name in LOCAL_WAY[:2]:
            take(session, county, change, verb, name)
        with pytest.raises(ReasonMissing, match="联合行文文号"):
            changes.join(session, change, by=county.finance.reviewer, joint_document=" ")

    def test_manzhouli_passes_over_the_leagues_finance(self, as_: As, owner: Owner, county: World):
        with owner() as session:
            city = Manzhouli(session, county)
        row = StandardRow(division_code=MANZHOULI, yuan=Decimal(3), valid_from="2024-01-01")
        definition = a_definition("9990003", policy_level=PolicyLevel.COUNTY, standards=(row,))
        number = begun(as_, city.department.clerk, definition)
        for verb, name in LOCAL_WAY[:4]:
            change = step(as_, city, number, verb, name)
        assert change.status == S.VERIFIED
        with as_(city.league_finance.reviewer) as session:  # its finance reports to the region, not to the league
            assert session.get(ProjectChange, number) is None
        for verb, name in LOCAL_WAY[5:]:
            change = step(as_, city, number, verb, name)
        assert change.status == S.EFFECTIVE
        with owner() as session:
            passed = session.exec(select(Event).where(Event.record_id == number, Event.verb == "pass_over")).one()
            assert passed.desk is None and passed.noun == "project_change"
            assert project_of(session, "9990003").division_code == MANZHOULI

    def test_another_countys_department_verifies_nothing(self, as_: As, county: World):
        number = begun(as_, county.department.clerk, a_definition("9990004", policy_level=PolicyLevel.COUNTY))
        with as_(county.other_county.department.reviewer) as session:
            assert session.get(ProjectChange, number) is None


class TestTheWrongActor:
    """At every desk everybody else is refused. （第二十三条）"""

    @pytest.mark.parametrize("way", [REGION_WAY, LOCAL_WAY], ids=["region", "local"])
    def test_is_refused_at_each_step(self, session: Session, county: World, way: tuple[tuple[str, str], ...]):
        level = PolicyLevel.REGION if way is REGION_WAY else PolicyLevel.COUNTY
        change = filled(session, officer(county, way[0][1]), a_definition("9990005", policy_level=level))
        for verb, name in way:
            current = PROJECT_CHANGE_LIFECYCLE.step(verb, change.status)
            for other in county.everyone:
                same_post = current.desk is not None and current.desk.seats(other)
                if same_post and other.scope.covers(change.division_code):
                    continue
                with session.begin_nested() as savepoint:
                    with pytest.raises(Refused):
                        asked = {"joint_document": "1"} if verb == "join" else {}
                        getattr(changes, verb)(session, change, by=other, **asked)
                    savepoint.rollback()
                session.refresh(change)
            take(session, county, change, verb, name)
        assert change.status == S.EFFECTIVE

    def test_fills_in_no_form_of_another_level(self, session: Session, county: World):
        with pytest.raises(changes.OtherLevel, match="第七条"):
            filled(session, county.department.clerk, a_definition())
        with pytest.raises(changes.OtherLevel):
            filled(session, county.region_department.clerk, a_definition(policy_level=PolicyLevel.COUNTY))
        for by in (county.league_department.clerk, county.finance.clerk, county.region_finance.clerk):
            with pytest.raises(NotAllowed):
                filled(session, by, a_definition())

    def test_changes_no_project_of_another_department(self, session: Session, county: World):
        other = session.exec(select(SubsidyProject).where(SubsidyProject.sector != "农牧")).first()
        assert other
        with pytest.raises(OtherSector):
            changes.draft(session, by=county.region_department.clerk, kind=ProjectChangeKind.STOP, project=other,
                          reason="废止", effective_on=date(2027, 1, 1))  # fmt: skip


class TestTheForm:
    """Kept as it was typed; its mistakes stand at their fields and stop the submission."""

    @pytest.mark.parametrize(
        ("typed", "place"),
        [
            ({"telephone": ""}, "telephone"), ({"guide": " "}, "guide"), ({"contact": ""}, "contact"),
            ({"budget_funded": ""}, "budget_funded"), ({"payout.month": "", "payout.day": ""}, "payout.month"),
            ({"payout.month": "十二"}, "payout.month"), ({"code": "1"}, "code"), ({"code": "2130122"}, "code"),
            ({"formula": "数量 * 没有这个"}, "formula"), ({"payee": "谁都行"}, "payee"),
            ({"flow": "没有这个流程"}, "flow"),
            ({"fields": [{"name": "plot", "title": ""}]}, "fields.1.title"),
            ({"fields": [{"name": "plot", "title": "地块", "type": "choice"}]}, "fields.1.options"),
            ({"fields": [{"name": "plot", "title": "地块", "type": "number", "minimum": "少"}]}, "fields.1.minimum"),
            ({"fields": [{"name": "a", "title": "甲"}, {"name": "a", "title": "乙"}]}, "fields.2.name"),
            ({"exclusions": [{"code": "0000000"}]}, "exclusions.1.code"),
            ({"standards": [{"division_code": REGION, "yuan": "1.23456", "valid_from": "2024-01-01"}]},
             "standards.1.yuan"),
            ({"standards": [{"division_code": REGION, "yuan": "1", "valid_from": "明年"}]}, "standards.1.valid_from"),
            ({"standards": [{"division_code": "999999999999", "yuan": "1", "valid_from": "2024-01-01"}]},
             "standards.1.division_code"),
            ({"documents": []}, "documents"),
        ],
    )  # fmt: skip
    def test_a_mistake_is_pointed_at_and_nothing_is_lost(
        self, session: Session, county: World, typed: dict[str, object], place: str
    ):
        change = filled(session, county.region_department.clerk, a_definition(), sheet=typed)
        assert place in [one.place for one in changes.mistakes_of(session, change)]
        with pytest.raises(changes.SheetWrong):
            changes.submit(session, change, by=county.region_department.clerk)
        for name, value in typed.items():
            kept = change.sheet[name]
            assert kept == value if isinstance(value, str) and value.strip() else len(kept) == len(value) or not kept

    def test_two_people_do_not_write_over_each_other(self, session: Session, county: World):
        change = filled(session, county.region_department.clerk, a_definition())
        with pytest.raises(FasterColleague):
            changes.save(session, change, by=county.region_department.second_clerk, sheet=change.sheet, version=1)

    def test_what_was_submitted_stays_as_it_is(self, as_: As, county: World):
        number = begun(as_, county.region_department.clerk, a_definition())
        step(as_, county, number, *REGION_WAY[0])
        with pytest.raises(StepNotPossible), as_(county.region_department.clerk) as session:
            changes.save(session, session.get_one(ProjectChange, number), by=county.region_department.clerk, sheet={})
        for column in ("reason = 'x'", "definition = '{}'", "sheet = '{}'", "code = 'X'", "owner_code = 'X'"):
            with pytest.raises(DBAPIError, match="不能改写"), as_(county.region_department.clerk) as session:
                session.execute(sa.text(f"update project_changes set {column} where id = :id"), {"id": number})

    def test_a_code_is_one_projects_for_ever(self, as_: As, county: World):
        first = begun(as_, county.department.clerk, a_definition("9990006", policy_level=PolicyLevel.COUNTY))
        other = county.other_county.department.clerk
        with as_(other) as session:
            second = changes.draft(session, by=other, kind=ProjectChangeKind.ADMIT, code="9990006", name="同码",
                                   policy_level=PolicyLevel.COUNTY, reason="出台")  # fmt: skip
            assert second.number
        for verb, name in LOCAL_WAY:
            step(as_, county, first, verb, name)
        with pytest.raises(changes.CodeTaken, match="9990006"), as_(other) as session:
            changes.draft(session, by=other, kind=ProjectChangeKind.ADMIT, code="9990006", name="同码",
                          policy_level=PolicyLevel.COUNTY, reason="出台")  # fmt: skip


class TestReturned:
    """A form comes back to the desk that returned it, unless its content has changed."""

    def test_unchanged_it_goes_on_where_it_was(self, session: Session, county: World):
        change = self.returned(session, county)
        changes.resubmit(session, change, by=county.region_department.clerk)
        assert change.status == S.EXAMINED
        take(session, county, change, "admit", "region_finance.reviewer")

    def test_changed_it_is_signed_again(self, session: Session, county: World):
        change = self.returned(session, county)
        by = county.region_department.clerk
        changes.save(session, change, by=by, sheet=change.sheet | {"name": "新名称"})
        assert change.status == S.DRAFT
        for verb, name in REGION_WAY:
            take(session, county, change, verb, name)
        assert project_of(session).name == "新名称"

    def returned(self, session: Session, county: World) -> ProjectChange:
        change = filled(session, county.region_department.clerk, a_definition())
        for verb, name in REGION_WAY[:3]:
            take(session, county, change, verb, name)
        with pytest.raises(ReasonMissing):
            changes.return_(session, change, by=county.region_finance.reviewer, reason=" ")
        changes.return_(session, change, by=county.region_finance.reviewer, reason="请补充依据")
        assert change.status == S.RETURNED and change.returned_for == "请补充依据"
        return change

    def test_the_drafters_desk_withdraws(self, session: Session, county: World):
        change = filled(session, county.region_department.clerk, a_definition())
        take(session, county, change, "submit", "region_department.clerk")
        changes.withdraw(session, change, by=county.region_department.clerk, reason="政策暂缓")
        assert change.status == S.WITHDRAWN


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


def test_nobody_sits_at_two_desks_of_a_change(session: Session, county: World):
    change = filled(session, county.region_department.clerk, a_definition())
    take(session, county, change, "submit", "region_department.clerk")
    office = county.region_department
    twin = second_account(session, office.clerk, office.organisation_id, Role.REVIEWER)
    with pytest.raises(SamePersonTwice):
        changes.sign(session, change, by=twin)


def test_the_form_and_the_definition_say_the_same(session: Session, county: World):
    admitted_before = session.exec(select(SubsidyProject).where(col(SubsidyProject.definition).is_not(None))).all()
    from workflows.project_sheets import read

    for project in admitted_before:
        definition = parse(project.definition)
        again, mistakes = read(sheet_of(definition))
        assert not mistakes and again == definition
