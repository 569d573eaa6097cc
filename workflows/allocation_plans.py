"""Allocation plans (分配方案): drafted, confirmed, frozen, compared with what was issued. （第三十二条）"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy import text
from sqlmodel import Session, col, select

from models.allocation_plans import AllocationLine, AllocationPlan, AllocationStatus
from models.divisions import Level
from models.officers import ActingOfficer
from models.projects import ProjectStatus, SubsidyProject
from policies.clock import now, today
from policies.deadlines import MONEY_ISSUING
from policies.enforcement import allow
from policies.lifecycles import Desk
from policies.moves import begin, move, record_event
from policies.permissions import Permission
from policies.refusals import NotFound, Refused
from policies.steps import require_step
from policies.working_days import add_working_days
from workflows.allocation_sheets import AllocationWrong, Mistake, Sheet, check_sum, targets

FIRST_YEAR, LAST_YEAR = 2000, 2100
LONGEST = 200


class PlanOpen(Refused):
    """上级指标 {document} 的“{project}”已有方案 {number} 未办结，请先办结或作废，再编制补充方案（第三十二条）。"""


class PlanFrozen(Refused):
    """{title}已提交，内容不能再改；退回后可以修改，已审核的请编制补充方案（第三十二条）。"""


class ProjectStopped(Refused):
    """补贴项目“{project}”已停用，不能编制分配方案（第九条）。"""


@dataclass(frozen=True)
class Content:
    """What a plan says beside its lines."""

    title: str
    document_number: str
    fiscal_year: int
    total_fen: int


def draft(session: Session, *, by: ActingOfficer, project_id: int, content: Content, sheet: Sheet) -> AllocationPlan:
    """Draft a plan; a confirmed one of the same document and project makes it a supplementary plan. （第三十二条）

    Raises NotAllowed, NotFound, ProjectStopped, PlanOpen, AllocationWrong.
    """
    allow(session, by, Permission.ALLOCATION_DRAFT)
    project = session.get(SubsidyProject, project_id)
    if project is None or project.sector != by.sector:
        raise NotFound
    if project.status == ProjectStatus.STOPPED:
        raise ProjectStopped(project=project.name)
    names = _checked(session, by.division_code, content, sheet)
    same = select(AllocationPlan).where(
        AllocationPlan.division_code == by.division_code,
        AllocationPlan.document_number == content.document_number,
        AllocationPlan.project_id == project_id,
    )
    before = list(session.exec(same))
    for one in before:
        if one.status in (AllocationStatus.DRAFT, AllocationStatus.SUBMITTED):
            raise PlanOpen(document=content.document_number, project=project.name, number=one.number)
    plan = AllocationPlan(
        division_code=by.division_code, sector=by.sector, number=_number(session, by), project_id=project_id,
        project_name=project.name, edition=1 + max((one.edition for one in before), default=0),
        line_count=len(sheet.amounts), **vars(content),
    )  # fmt: skip
    label = "编制补充方案" if before else "编制分配方案"
    begin(session, plan, by=by, label=label, desk=Desk.OWN_DEPARTMENT_CLERK)
    _write_lines(session, plan, sheet, names)
    return plan


def amend(session: Session, plan: AllocationPlan, *, by: ActingOfficer, content: Content, sheet: Sheet) -> None:
    """Change a plan while it is a draft: number, document and project stay. （第三十二条）

    Raises NotAllowed, PlanFrozen, AllocationWrong.
    """
    allow(session, by, Permission.ALLOCATION_DRAFT, plan)
    if plan.division_code != by.division_code:
        raise NotFound
    if plan.status != AllocationStatus.DRAFT:
        raise PlanFrozen(title=f"分配方案{plan.number}")
    names = _checked(session, by.division_code, content, sheet)
    session.execute(sa.delete(AllocationLine).where(_of(plan)))
    plan.title, plan.fiscal_year, plan.total_fen = content.title, content.fiscal_year, content.total_fen
    plan.line_count = len(sheet.amounts)
    plan.version += 1
    session.add(plan)
    session.flush()
    _write_lines(session, plan, sheet, names)
    record_event(session, plan, "amend", by=by, label="修改分配方案")


def submit(session: Session, plan: AllocationPlan, *, by: ActingOfficer, opinion: str = "") -> AllocationPlan:
    """Hand the plan to the reviewer. （第三十二条）"""
    allow(session, by, Permission.ALLOCATION_DRAFT, plan)
    return move(session, plan, "submit", by=by, opinion=opinion)


def withdraw(session: Session, plan: AllocationPlan, *, by: ActingOfficer) -> AllocationPlan:
    """Give a draft up. （第三十二条）"""
    allow(session, by, Permission.ALLOCATION_DRAFT, plan)
    return move(session, plan, "withdraw", by=by)


def return_(session: Session, plan: AllocationPlan, *, by: ActingOfficer, reason: str) -> AllocationPlan:
    """Give the plan back to the clerk. （第三十二条）"""
    allow(session, by, Permission.ALLOCATION_CONFIRM, plan)
    move(session, plan, "return_", by=by, opinion=reason)
    plan.returned_for = reason[:LONGEST]
    session.flush()
    return plan


def confirm(session: Session, plan: AllocationPlan, *, by: ActingOfficer, opinion: str = "") -> AllocationPlan:
    """Confirm the plan: frozen for ever, in the place of the edition before. （第三十二条）"""
    allow(session, by, Permission.ALLOCATION_CONFIRM, plan)
    require_step(plan, "confirm", by=by)
    former = session.exec(
        select(AllocationPlan).where(
            AllocationPlan.division_code == plan.division_code,
            AllocationPlan.document_number == plan.document_number,
            AllocationPlan.project_id == plan.project_id,
            col(AllocationPlan.status) == AllocationStatus.CONFIRMED,
        )
    ).one_or_none()
    if former is not None:
        move(session, former, "supersede", by=by, facts={"by": plan.number})
    move(session, plan, "confirm", by=by, opinion=opinion)
    plan.confirmed_on = today(session)
    plan.issue_due_on = add_working_days(session, plan.confirmed_on, MONEY_ISSUING.working_days)
    session.flush()
    return plan


def _of(plan: AllocationPlan) -> Any:
    return (col(AllocationLine.division_code) == plan.division_code) & (col(AllocationLine.plan_id) == plan.id)


def _number(session: Session, by: ActingOfficer) -> str:
    serial = session.execute(text("select nextval('allocation_plan_numbers')")).scalar_one()
    return f"FP{by.division_code[:6]}{now(session):%Y%m%d}{serial:05d}"


def _checked(session: Session, owner: str, content: Content, sheet: Sheet) -> Mapping[str, str]:
    """Return the names of the divisions. Raises AllocationWrong with every mistake in `fields["mistakes"]`."""
    for label, value in (("方案名称", content.title), ("上级指标文号", content.document_number)):
        if not value.strip() or len(value) > LONGEST:
            sheet.mistakes.append(Mistake(0, label, f"请填写，不超过 {LONGEST} 个字"))
    if not FIRST_YEAR <= content.fiscal_year <= LAST_YEAR:
        sheet.mistakes.append(Mistake(0, "预算年度", "请填写四位年度，如 2026"))
    names = {target.code: target.name for target in targets(session, owner)}
    strange = [code for code in sheet.amounts if code not in names]
    sheet.mistakes += [Mistake(0, "地区", f"{code} 不是下级盟市或旗县") for code in strange]
    check_sum(sheet, content.total_fen)
    if sheet.mistakes:
        raise AllocationWrong(count=len(sheet.mistakes), first=sheet.mistakes[0].words, mistakes=sheet.mistakes)
    return names


def _write_lines(session: Session, plan: AllocationPlan, sheet: Sheet, names: Mapping[str, str]) -> None:
    keys = {"division_code": plan.division_code, "plan_id": plan.id}
    rows = [
        {**keys, "target_code": code, "target_name": names[code], "amount_fen": fen}
        for code, fen in sorted(sheet.amounts.items())
    ]
    session.execute(sa.insert(AllocationLine), rows)


# --- planned against issued -----------------------------------------------------------------------------------------

COMPARED = text(
    """
    select l.target_code, l.target_name, l.amount_fen as planned_fen, coalesce(i.issued_fen, 0) as issued_fen,
        i.documents, i.last_on, f.amount_fen as former_fen
    from allocation_lines l
    left join lateral (
        select sum(g.fen) as issued_fen, max(g.on_) as last_on, count(*) as documents from (
            select b.amount_fen + b.distributed_fen as fen, b.document_date as on_ from budget_indicators b
            where b.sup_document_number = :document and b.sup_document_number <> '' and b.division_code = l.target_code
                and b.fiscal_year = :year
            union all
            select u.amount_fen, u.document_date from upstream_indicators u
            where u.sup_document_number = :document and u.sup_document_number <> '' and u.division_code = l.target_code
                and u.fiscal_year = :year) g) i on true
    left join allocation_lines f on f.division_code = l.division_code and f.plan_id = :former
        and f.target_code = l.target_code
    where l.division_code = :division and l.plan_id = :plan and starts_with(l.target_code, :mine)
    order by l.target_code
    """
)


@dataclass(frozen=True)
class Compared:
    """One place: planned, issued, the difference, and whether the rest is late."""

    code: str
    name: str
    planned_fen: int
    issued_fen: int
    documents: int
    last_on: date | None
    former_fen: int | None
    late: bool

    @property
    def difference_fen(self) -> int:
        """Return what is issued beyond the plan; below zero: still to be issued."""
        return self.issued_fen - self.planned_fen


def compared(session: Session, plan: AllocationPlan, *, by: ActingOfficer) -> list[Compared]:
    """Return planned, issued, difference and late for each place of the plan; a county sees its own. （第三十二条）"""
    former = session.execute(
        select(AllocationPlan.id).where(
            AllocationPlan.division_code == plan.division_code,
            AllocationPlan.document_number == plan.document_number,
            AllocationPlan.project_id == plan.project_id,
            AllocationPlan.edition < plan.edition,
            col(AllocationPlan.confirmed_on).is_not(None),
        ).order_by(col(AllocationPlan.edition).desc()).limit(1)
    ).scalar_one_or_none()  # fmt: skip
    mine = "" if by.scope.covers(plan.division_code) else by.division_code[: 4 if by.level == Level.LEAGUE else 6]
    asked = {"division": plan.division_code, "plan": plan.id, "document": plan.document_number, "mine": mine,
             "year": plan.fiscal_year, "former": former}  # fmt: skip
    day = today(session)
    due = plan.issue_due_on
    return [
        Compared(
            row.target_code, row.target_name, row.planned_fen, int(row.issued_fen), row.documents, row.last_on,
            row.former_fen, due is not None and row.issued_fen < row.planned_fen and due < day,
        )
        for row in session.execute(COMPARED, asked)
    ]  # fmt: skip


def amounts_of(session: Session, plan: AllocationPlan) -> dict[str, int]:
    """Return the fen of each place: what the form begins with."""
    rows = session.execute(select(AllocationLine.target_code, AllocationLine.amount_fen).where(_of(plan)))
    return dict(rows.tuples().all())
