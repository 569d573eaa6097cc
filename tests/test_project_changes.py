"""Projects enter the library, change and stop by the level whose policy they are. （第七条、第九条）"""

from datetime import date
from decimal import Decimal

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, select

from models.events import Event
from models.officers import Role
from models.project_changes import PolicyDocument, ProjectChange, ProjectChangeKind
from models.project_changes import ProjectChangeStatus as S
from models.projects import PolicyLevel, ProjectStandard, ProjectVersion, SubsidyProject
from policies.definitions import StandardRow
from policies.enforcement import OtherSector
from policies.lifecycles.project_changes import PROJECT_CHANGE_LIFECYCLE
from policies.refusals import FasterColleague, NotAllowed, ReasonMissing, Refused, SamePersonTwice, StepNotPossible
from tests.conftest import As, Owner
from tests.factories import COUNTY, LEAGUE, REGION, World, second_account
from tests.library import (
    FILE,
    LOCAL_WAY,
    MANZHOULI,
    REGION_WAY,
    Manzhouli,
    a_definition,
    admitted,
    begun,
    filled,
    officer,
    project_of,
    step,
    take,
)
from workflows import policy_documents
from workflows import project_changes as changes

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


def test_nobody_sits_at_two_desks_of_a_change(session: Session, county: World):
    change = filled(session, county.region_department.clerk, a_definition())
    take(session, county, change, "submit", "region_department.clerk")
    office = county.region_department
    twin = second_account(session, office.clerk, office.organisation_id, Role.REVIEWER)
    with pytest.raises(SamePersonTwice):
        changes.sign(session, change, by=twin)
