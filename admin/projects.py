"""Subsidy projects with their standards, notice periods and budget links. （第六至十、十五条）"""

from typing import Any

import sqlalchemy as sa
from sqlmodel import Session
from starlette.requests import Request

from admin.base import ConsoleView, Form, Menu, Related, call, division_names
from admin.project_changes import REASON, drafters
from admin.project_shown import differences, readable, sections
from models.base import REGION_CODE
from models.divisions import Level
from models.officers import ActingOfficer
from models.project_changes import PolicyDocument, ProjectChange, ProjectChangeKind
from models.projects import (
    NoticePeriod,
    NoticeStage,
    ProjectLink,
    ProjectStandard,
    ProjectStatus,
    ProjectVersion,
    SubsidyProject,
)
from models.rosters import Roster
from policies.lifecycles import Ask
from policies.permissions import Permission as P
from workflows import notices, project_changes

STAGES = tuple((str(stage), stage.label) for stage in NoticeStage)


def set_period(session: Session, project: SubsidyProject, *, by: ActingOfficer, stage: str, days: int) -> Any:
    """Set the notice period of a project from its page."""
    return notices.set_period(session, by=by, project=project, stage=NoticeStage(stage), days=days)


DAY = Ask("effective_on", "停用日期", "date", help="自该日起不再造新的清册，已造的清册继续办完；可以是将来的日期")
ASKED = (
    ("amend", ProjectChangeKind.AMEND, "提出变更", ProjectStatus.ADMITTED, (REASON,),
     "按现行内容填写《惠民惠农财政补贴项目申请表》；办结生效后，新造的清册按新版本，已造的仍按原版本（第七条、第九条）。"),
    ("stop", ProjectChangeKind.STOP, "提出停用", ProjectStatus.ADMITTED, (DAY, REASON),
     "停用申请办结后，自停用日期起不再造新的清册，已造的清册继续办完（第七条、第九条）。"),
    ("readmit", ProjectChangeKind.ADMIT, "提出恢复入库", ProjectStatus.STOPPED, (REASON,),
     "停用的项目重新入库：按停用前的内容填写申请表，逐级办理（第七条）。"),
)  # fmt: skip
WAYS = (
    ("", Level.REGION, SubsidyProject.division_code == REGION_CODE),
    ("-local", Level.COUNTY, SubsidyProject.division_code != REGION_CODE),
)
"""Who fills in the form for whose projects: 7(二) and 7(三)."""


def draft_forms() -> tuple[Form, ...]:
    """Return the forms of a project's page that begin a change of it, by the level of whoever fills in. （第七条）"""
    return tuple(
        Form(
            slug + suffix, label, P.PROJECT_CHANGE_DRAFT, _draft_of(kind), asks, consequence=consequence,
            on_record=True, statuses=(status,), seats=_at(level),
            where=(owned,), group="项目申请",
        )
        for suffix, level, owned in WAYS
        for slug, kind, label, status, asks, consequence in ASKED
    )  # fmt: skip


def _draft_of(kind: ProjectChangeKind) -> Any:
    def draft(session: Session, project: SubsidyProject, *, by: ActingOfficer, **asked: Any) -> ProjectChange:
        return project_changes.draft(session, by=by, kind=kind, project=project, **asked)

    return draft


def _at(level: Level) -> Any:
    return lambda by: drafters(by) and by.level == level


class SubsidyProjectView(ConsoleView, model=SubsidyProject):
    """补贴项目。"""

    category, icon = Menu.CATALOGUE, "fa-solid fa-book"
    permission = P.PROJECT_VIEW
    title_field = "name"
    record_template = "project"
    column_list = ["code", "name", "sector", "domain", "policy_level", "division_code", "unit", "project_version",
                   "status", "stopped_on"]  # fmt: skip
    headline = ("name", "code", "sector", "policy_level", "division_code", "period_kind", "project_version",
                "stopped_on")  # fmt: skip
    column_details_list = ["code", "name", "short_name", "sector", "domain", "policy_level", "division_code", "unit",
                           "period_kind", "sheet_kind", "project_version", "status", "stopped_on"]  # fmt: skip
    search_text = ("code", "name", "sector")
    filters = ("status", "policy_level")
    order = ("code",)
    noun = "project"
    related = (
        Related(
            "补贴标准",
            ProjectStandard,
            "project_id",
            ("division_code", "standard_yuan", "valid_from", "valid_to", "document"),
            P.PROJECT_VIEW,
            order="-valid_from",
        ),
        Related(
            "版本", ProjectVersion, "project_id", ("number", "basis", "effective_on", "made_at"), P.PROJECT_VIEW,
            order="-number",
        ),
        Related(
            "政策文件", PolicyDocument, "project_id",
            ("number", "title", "issuer", "issued_on", "valid_to", "project_version"), P.PROJECT_VIEW, order="-id",
        ),
        Related(
            "项目申请", ProjectChange, "project_id", ("number", "kind", "division_code", "status", "prepared_at"),
            P.PROJECT_CHANGE_VIEW, link="project-change", order="-id",
        ),
        Related("公示期", NoticePeriod, "project_id", ("division_code", "stage", "notice_days"), P.PROJECT_VIEW),
        Related("预算项目对应", ProjectLink, "project_id", ("division_code", "pro_code", "priority"), P.PROJECT_VIEW),
        Related(
            "发放清册", Roster, "project_id",
            ("number", "township", "period", "project_version", "line_count", "amount_fen", "status"),
            P.ROSTER_VIEW, link="roster", order="-id", total="amount_fen",
        ),
    )  # fmt: skip
    forms = (
        *draft_forms(),
        Form(
            "set-period",
            "设定公示期",
            P.NOTICE_SET_PERIOD,
            set_period,
            (Ask("stage", "公示环节", "choice", choices=STAGES), Ask("days", "公示天数（自然日）", "integer")),
            consequence="旗县主管部门按项目和环节设定公示期；未设定的不能公示（第十五条）。",
            on_record=True,
        ),
        Form(
            "link",
            "对应预算项目",
            P.INDICATOR_LINK,
            call("indicator_links", "link_project"),
            (Ask("pro_code", "预算项目代码（21 位）", "text"), Ask("priority", "支用顺序", "integer")),
            consequence="本旗县的支付单按支用顺序占用对应预算项目的指标（第十条）。",
            on_record=True,
        ),
    )

    def links(self, record: Any) -> list[tuple[str, str]]:
        """Return the empty workbook that townships fill in. （第十六条）"""
        return [("下载清册模板", f"{self.root_url}template/{record.id}")]

    def scoped(self, by: ActingOfficer) -> Any:
        """Return the whole catalogue: everyone beneath its owner reads it. （第八条）"""
        return sa.select(SubsidyProject)

    def extra(self, session: Session, record: Any, by: ActingOfficer, granted: frozenset[str]) -> dict[str, Any]:
        """Return the definition in force as people read it."""
        definition = readable(record.definition)
        return {
            "definition": definition,
            "sections": sections(definition, division_names(session)) if definition else [],
        }

    def panel(self, session: Session, request: Request, record: Any, tab: str) -> dict[str, Any]:
        """Return on the tab of versions what two of them differ in, on that of documents which have a file."""
        if tab == ProjectVersion.__tablename__:
            return compared(session, record, request)
        if tab == PolicyDocument.__tablename__:
            return {"documents": documents(session, record)}
        return {}


def compared(session: Session, project: SubsidyProject, request: Request) -> dict[str, Any]:
    """Return the versions of a project and the differences between the two that are asked for."""
    version: Any = ProjectVersion
    found = list(
        session.execute(sa.select(version).where(version.project_id == project.id).order_by(version.number)).scalars()
    )
    by_number = {str(one.number): one for one in found}
    newest = found[-1] if found else None
    new = by_number.get(request.query_params.get("new", ""), newest)
    old = by_number.get(request.query_params.get("old", "")) or by_number.get(str(new.number - 1) if new else "")
    one, other = readable(old.definition) if old else None, readable(new.definition) if new else None
    names = division_names(session)
    return {
        "versions": found, "old": old, "new": new,
        "differences": differences(one, other, names) if old and other else [],
        "shown": sections(other, names) if other else [],
    }  # fmt: skip


def documents(session: Session, project: SubsidyProject) -> list[PolicyDocument]:
    """Return the policy documents of a project, the newest version's first."""
    document: Any = PolicyDocument
    statement = sa.select(document).where(document.project_id == project.id)
    return list(session.execute(statement.order_by(document.project_version.desc(), document.id).limit(200)).scalars())
