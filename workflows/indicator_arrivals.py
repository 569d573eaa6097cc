"""What arrives is told at once: to the department whose project it pays, else to finance to map it. （第十条）"""

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from integrations.amounts import yuan_text
from models.catalogue_tasks import CatalogueTask, CatalogueTaskKind
from models.indicators import BudgetIndicator
from models.officers import ActingOfficer
from policies.clock import today
from policies.deadlines import INDICATOR_NOTICE
from policies.enforcement import allow
from policies.moves import move, record_event
from policies.permissions import Permission
from policies.refusals import NotFound, Refused
from policies.working_days import add_working_days
from workflows.catalogue_tasks import Errand, raise_tasks

SUBJECT = "budget_indicator"
LONGEST_NOTE = 500


class NothingToAcknowledge(Refused):
    """指标 {document} 没有待{department}接收的到达通知：可能已接收，或预算项目没有对应到本部门的补贴项目（第十条）。"""


ARRIVED = text(
    """
    select i.id, i.division_code, i.document_number, i.pro_code, i.pro_name, i.amount_fen, p.sector,
        string_agg(distinct p.name, '、') as projects,
        (select min(o.id) from budget_indicators o
            where o.division_code = i.division_code and o.pro_code = i.pro_code) as first_id
    from budget_indicators i
    left join project_links l on l.division_code = i.division_code and l.pro_code = i.pro_code
    left join subsidy_projects p on p.id = l.project_id
    where i.id = any (:ids) and i.amount_fen > 0
    group by i.id, i.division_code, p.sector
    order by i.id
    """
)


def tell(session: Session, ids: Sequence[int]) -> None:
    """Tell the departments whose projects these indicators pay, and finance of those that pay none yet. （第十条）"""
    if not ids:
        return
    rows = session.execute(ARRIVED, {"ids": list(ids)}).all()
    due = add_working_days(session, today(session), INDICATOR_NOTICE.working_days)
    arrived = [
        Errand(
            row.division_code, row.sector, SUBJECT, row.id,
            f"指标 {row.document_number}（{row.pro_name}，{yuan_text(row.amount_fen)} 元）已到达，"
            f"请及时启动“{row.projects}”兑付", due,
        )
        for row in rows if row.sector
    ]  # fmt: skip
    raise_tasks(session, CatalogueTaskKind.INDICATOR_ARRIVED, arrived)
    raise_tasks(session, CatalogueTaskKind.INDICATOR_UNMAPPED, _unmapped(rows, due))


def _unmapped(rows: Sequence[Any], due: date) -> list[Errand]:
    """One task for a budget project, however many of its indicators arrive."""
    return [
        Errand(
            row.division_code, "", SUBJECT, row.first_id,
            f"预算项目 {row.pro_code}（{row.pro_name}）的指标 {row.document_number}（{yuan_text(row.amount_fen)} 元）"
            "已到达，尚未对应补贴项目", due,
        )
        for row in {row.first_id: row for row in reversed(rows) if not row.sector}.values()
    ]  # fmt: skip


WAITING = text(
    "select id from catalogue_tasks where status = 'department' and kind = 'indicator_arrived'"
    " and division_code = :division and sector = :sector and subject = 'budget_indicator' and subject_id = :id"
)


def acknowledge(session: Session, indicator: BudgetIndicator, *, by: ActingOfficer, note: str = "") -> BudgetIndicator:
    """Take note of an indicator that has arrived, for the department whose project it pays. （第十条）

    Raises NotAllowed, NotFound, NothingToAcknowledge, OtherDivision.
    """
    allow(session, by, Permission.INDICATOR_ACKNOWLEDGE, indicator)
    asked = {"division": indicator.division_code, "sector": by.sector, "id": indicator.id}
    number = session.execute(WAITING, asked).scalar_one_or_none()
    if number is None:
        raise NothingToAcknowledge(document=indicator.document_number, department=by.organisation)
    task = session.get(CatalogueTask, number)
    if task is None:
        raise NotFound
    words = note.strip()[:LONGEST_NOTE] or "已接收，启动兑付"
    move(session, task, "settle", by=by, opinion=words)
    task.note = words
    session.flush()
    record_event(session, indicator, "acknowledge", by=by, label="接收指标通知", noun="indicator", opinion=words)
    return indicator
