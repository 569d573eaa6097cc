"""The qualified register, and the rosters made from it. （第十四、十六条）"""

from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col

from admin.applications import open_projects
from admin.base import ConsoleView, Form, Menu, Related
from models.applications import Application
from models.bank_batches import Disbursement
from models.officers import ActingOfficer
from models.projects import SubsidyProject
from models.qualifications import Qualification, QualificationLine, RosterGeneration
from models.rosters import RosterLine
from policies.lifecycles import Ask, Desk
from policies.lifecycles.applications import QUALIFICATION_LIFECYCLE
from policies.permissions import Permission as P
from policies.refusals import NotFound
from workflows import roster_generation


def _lines_of(record: Any) -> Any:
    lines = sa.select(col(QualificationLine.line_id)).where(
        col(QualificationLine.division_code) == record.division_code,
        col(QualificationLine.qualification_id) == record.id,
    )
    return sa.and_(col(RosterLine.county_code) == record.county_code, col(RosterLine.id).in_(lines))


def _payments_of(record: Any) -> Any:
    lines = sa.select(col(QualificationLine.line_id)).where(
        col(QualificationLine.division_code) == record.division_code,
        col(QualificationLine.qualification_id) == record.id,
    )
    return sa.and_(col(Disbursement.county_code) == record.county_code, col(Disbursement.line_id).in_(lines))


class QualificationView(ConsoleView, model=Qualification):
    """资格名册。"""

    category, icon = Menu.APPLICATIONS, "fa-solid fa-id-card-clip"
    permission = P.QUALIFICATION_VIEW
    lifecycle, verbs = QUALIFICATION_LIFECYCLE, "workflows.qualifications"
    opens = "all"
    column_list = ["number", "project_name", "member_name", "division_code", "village", "quantity", "amount_fen",
                   "valid_from", "valid_to", "status"]  # fmt: skip
    headline = ("project_name", "member_name", "division_code", "quantity", "standard", "amount_fen", "valid_from",
                "valid_to", "suspended_for")  # fmt: skip
    column_details_list = [
        "number", "project_name", "sector", "member_name", "division_code", "village", "quantity", "unit", "standard",
        "amount_fen", "component", "valid_from", "valid_to", "status", "suspended_for", "ends_on", "end_reason",
        "qualified_at",
    ]  # fmt: skip
    search_text = ("number", "project_name", "village")
    filters = ("status", "suspended_for")
    order = ("-division_code", "-id")
    total = "amount_fen"
    related = (
        Related(
            "清册明细", RosterLine, "id", ("sequence", "quantity", "standard", "amount_fen", "state"), P.ROSTER_VIEW,
            link="roster-line", order="-id", total="amount_fen", within=_lines_of,
        ),
        Related(
            "发放", Disbursement, "line_id", ("attempt", "amount_fen", "status", "reason", "settled_on"), P.ROSTER_VIEW,
            order="-id", total="amount_fen", within=_payments_of,
        ),
        Related(
            "来源申请", Application, "id", ("number", "source", "submitted_at", "status"), P.APPLICATION_VIEW,
            link="application", own="application_id", together=True,
        ),
    )  # fmt: skip


def start(
    session: Session, *, by: ActingOfficer, project: str, period: str, period_start: date, period_end: date
) -> RosterGeneration:
    """Start to make a roster of the project of that code. Raises NotFound."""
    wanted = session.execute(sa.select(SubsidyProject).where(col(SubsidyProject.code) == project)).scalar_one_or_none()
    if wanted is None:
        raise NotFound
    return roster_generation.start(
        session, by=by, project=wanted, period=period, period_start=period_start, period_end=period_end
    )


class RosterGenerationView(ConsoleView, model=RosterGeneration):
    """由资格名册造册。"""

    category, icon = Menu.ROSTERS, "fa-solid fa-wand-magic-sparkles"
    permission = P.ROSTER_VIEW
    title_field = "period"
    column_list = ["received_at", "project_name", "period", "line_count", "amount_fen", "joined_count", "left_count",
                   "skipped_count", "status"]  # fmt: skip
    headline = ("project_name", "period", "line_count", "amount_fen", "joined_count", "left_count", "skipped_count")
    search_text = ("project_name", "period")
    filters = ("status",)
    order = ("-division_code", "-id")
    record_template = "roster_generation"
    forms = (
        Form(
            "new", "由资格名册造册", P.ROSTER_GENERATE, start,
            (Ask("project", "补贴项目", "choice"), Ask("period", "补贴所属期", "text", help="如 2026年、2026年5月"),
             Ask("period_start", "所属期起", "date"), Ask("period_end", "所属期止", "date")),
            (("project", open_projects),),
            "列入所属期内有效的全部资格，金额按项目公式和现行标准计算，账户和人员信息与导入相同；"
            "不能列入的逐人说明原因，与上期的增减一并列出（第十六条）。",
            seats=Desk.TOWNSHIP_CLERK.seats,
        ),
    )  # fmt: skip

    def extra(self, session: Session, record: Any, by: ActingOfficer, granted: frozenset[str]) -> dict[str, Any]:
        """Return the job whose progress the page shows."""
        return {"job": roster_generation.job_of(session, record)}
