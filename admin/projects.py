"""Subsidy projects with their standards, notice periods and budget links. （第六至十、十五条）"""

from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from admin.base import ConsoleView, Form, Menu, Related, call
from models.officers import ActingOfficer
from models.projects import NoticePeriod, NoticeStage, ProjectLink, ProjectStandard, SubsidyProject
from policies.lifecycles import Ask
from policies.permissions import Permission as P
from workflows import notices

STAGES = tuple((str(stage), stage.label) for stage in NoticeStage)


def set_period(session: Session, project: SubsidyProject, *, by: ActingOfficer, stage: str, days: int) -> Any:
    """Set the notice period of a project from its page."""
    return notices.set_period(session, by=by, project=project, stage=NoticeStage(stage), days=days)  # type: ignore[call-arg]


class SubsidyProjectView(ConsoleView, model=SubsidyProject):
    """补贴项目。"""

    category, icon = Menu.CATALOGUE, "fa-solid fa-book"
    permission = P.PROJECT_VIEW
    title_field = "name"
    column_list = ["code", "name", "sector", "domain", "policy_level", "unit", "status"]
    headline = ("name", "code", "sector", "policy_level", "unit", "period_kind")
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
        Related("公示期", NoticePeriod, "project_id", ("division_code", "stage", "notice_days"), P.PROJECT_VIEW),
        Related("预算项目对应", ProjectLink, "project_id", ("division_code", "pro_code", "priority"), P.PROJECT_VIEW),
    )
    forms = (
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
