"""Whose turn is it: the inbox and its counts come from the lifecycles, never from a list of their own (DESIGN D5)."""

from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col

from admin.fields import field_view
from models.account_batches import AccountBatch
from models.accounts import Account, AccountStatus
from models.allocation_plans import AllocationPlan
from models.annual_lists import AnnualList
from models.applications import Application, ApplicationStatus
from models.bank_batches import BankBatch, BankBatchStatus, Disbursement, DisbursementStatus
from models.bank_replies import BankReply
from models.base import Table
from models.catalogue_tasks import CatalogueTask
from models.clock import CalendarVersion
from models.events import DeskHolder
from models.failures import Failure, FailureRoute, FailureStatus, Refund
from models.flows import ProjectFlow
from models.household_reviews import HouseholdReview
from models.local_rules import LocalRule
from models.officers import ActingOfficer, Post
from models.organisations import OrganisationKind
from models.payment_orders import PaymentOrder, PaymentOrderStatus
from models.policy_changes import PolicyChange
from models.project_changes import ProjectChange, ProjectException
from models.projects import ProjectStandard
from models.publications import Publication
from models.qualifications import Qualification
from models.registry_changes import ChangeKind, RegistryChange
from models.registry_tasks import RegistryTask, TaskKind
from models.rosters import Roster, RosterStatus
from models.transfers import Transfer
from models.virtual_members import VirtualMember
from policies.clock import today
from policies.deadlines import BATCH_SENDING
from policies.flows import DESKS as SUBSTEP_DESKS
from policies.lifecycles import LIFECYCLES, Desk, Lifecycle, Step
from policies.limits import due_clause
from workflows.failures import WAYS

NOUNS: dict[type[Table], str] = {
    Roster: "roster",
    PaymentOrder: "payment-order",
    BankBatch: "bank-batch",
    BankReply: "bank-reply",
    Failure: "failure",
    Refund: "refund",
    Post: "post",
    PolicyChange: "policy-change",
    RegistryChange: "registry-change",
    Account: "account",
    AccountBatch: "account-batch",
    RegistryTask: "registry-task",
    HouseholdReview: "household-review",
    Transfer: "transfer",
    VirtualMember: "virtual-member",
    CatalogueTask: "catalogue-task",
    AllocationPlan: "allocation-plan",
    Application: "application",
    Qualification: "qualification",
    AnnualList: "annual-list",
    Publication: "publication",
    ProjectStandard: "project-standard",
    LocalRule: "local-rule",
    CalendarVersion: "calendar-version",
    ProjectChange: "project-change",
    ProjectException: "project-exception",
    ProjectFlow: "project-flow",
}
"""The nouns that wait at desks, with the identity of their view."""


@dataclass(frozen=True)
class Errand:
    """What waits at a desk though no step of the record's own lifecycle says so: making the next record from it."""

    model: type[Table]
    desk: Desk
    label: str
    where: tuple[Any, ...]
    due: Any = None
    """The limit, when the record carries none itself."""


UNSENT = (
    col(PaymentOrder.status) == PaymentOrderStatus.FUNDED,
    sa.exists().where(
        col(Disbursement.county_code) == PaymentOrder.division_code,
        col(Disbursement.order_id) == PaymentOrder.id,
        col(Disbursement.status) == DisbursementStatus.RESERVED,
    ),
)
"""A funded order with lines that no batch holds yet. （第二十条）"""

ERRANDS = (
    Errand(Account, Desk.BANK_CLERK, "答复账户验证", (col(Account.status) == AccountStatus.VERIFYING,)),
    Errand(
        BankBatch,
        Desk.BANK_CLERK,
        "返回发放结果",
        (col(BankBatch.status).in_((BankBatchStatus.SENT, BankBatchStatus.ACCEPTED)),),
    ),
    Errand(
        Application, Desk.DEPARTMENT_CLERK, "公示审核情况", (col(Application.status) == ApplicationStatus.APPROVED,)
    ),
    Errand(Roster, Desk.DEPARTMENT_CLERK, "生成资金支付单", (col(Roster.status) == RosterStatus.FINAL,)),
    Errand(
        PaymentOrder,
        Desk.FINANCE_CLERK,
        "生成代发批次",
        UNSENT,
        due_clause(BATCH_SENDING, PaymentOrder.division_code, sa.cast(PaymentOrder.funded_at, sa.Date)),
    ),
    Errand(Failure, Desk.FINANCE_CLERK, "生成补发批次", (col(Failure.status) == FailureStatus.CORRECTED,)),
    Errand(
        Failure,
        Desk.FINANCE_CLERK,
        "生成退款单",
        (col(Failure.status) == FailureStatus.REMOVED, col(Failure.refund_id).is_(None)),
    ),
    *(Errand(Roster, desk, "", (col(Roster.substep_desk) == str(desk),)) for desk in SUBSTEP_DESKS),
)
BEFORE: dict[type[Table], tuple[Any, ...]] = {Roster: (col(Roster.substep_desk).is_(None),)}
"""What must be so before it is the turn of a desk's own step: no sub-step of the flow is open. （第二十四条）"""
PAGE = 50
COUNT_CAP = 1000


@dataclass(frozen=True)
class Task:
    """One record that waits at the officer's desk."""

    identity: str
    kind: str
    record_id: int
    title: str
    detail: str
    division_code: str
    amount_fen: int
    status: Any
    step: str
    due_on: date | None
    days_left: int | None
    tentative: bool = False
    """The limit lies where the calendar is provisional."""

    @property
    def late(self) -> bool:
        """Tell whether the statutory limit has passed."""
        return self.days_left is not None and self.days_left < 0


def desks_of(by: ActingOfficer) -> tuple[Desk, ...]:
    """Return the desks that the officer's post sits at."""
    return tuple(desk for desk in Desk if desk.seats(by))


def at_home(model: Any, desk: Desk, by: ActingOfficer) -> list[Any]:
    """Return the condition that a desk of every level takes only its own division's records."""
    return [model.division_code == by.division_code] if desk.home else []


def sector_filter(model: Any, by: ActingOfficer) -> list[Any]:
    """Return the condition that a department sees its own line only. （第十四条）"""
    if by.kind != OrganisationKind.DEPARTMENT or not hasattr(model, "sector"):
        return []
    return [model.sector == by.sector]


def errands(model: type[Table], by: ActingOfficer) -> list[Errand]:
    """Return the officer's errands at a noun."""
    desks = desks_of(by)
    return [errand for errand in ERRANDS if errand.model is model and errand.desk in desks]


def _turns(model: Any, by: ActingOfficer) -> list[Any]:
    """Return, per desk, the condition that it is this person's turn: not at another desk of the record already."""
    if model not in LIFECYCLES:
        return []
    lifecycle: Lifecycle = LIFECYCLES[model]
    taken = sa.exists().where(
        col(DeskHolder.noun) == lifecycle.noun,
        col(DeskHolder.record_id) == model.id,
        col(DeskHolder.person) == by.person,
    )
    return [
        sa.and_(
            model.status.in_(statuses),
            ~taken.where(col(DeskHolder.desk) != desk),
            *at_home(model, desk, by),
            *BEFORE.get(model, ()),
        )
        for desk in desks_of(by)
        if (statuses := lifecycle.awaits(desk))
    ]


def waiting(model: Any, by: ActingOfficer) -> Any:
    """Return the condition that a record waits at the officer's desk; None when nothing of the noun ever does."""
    parts = _turns(model, by) + [sa.and_(*errand.where) for errand in errands(model, by)]
    return sa.and_(sa.or_(*parts), *sector_filter(model, by)) if parts else None


def nouns_of(by: ActingOfficer) -> dict[type[Table], str]:
    """Return the nouns that wait at this officer's desks; a bank's accounts wait on its own desk, not one by one."""
    return {model: identity for model, identity in NOUNS.items() if not (by.bank_id and model is Account)}


def counts(session: Session, by: ActingOfficer) -> dict[str, int]:
    """Return how many records of each noun wait at the officer's desk: one statement."""
    statement = _counting(replace(by, address=""))
    return {} if statement is None else dict(session.execute(statement).tuples().all())


@lru_cache(maxsize=1024)
def _counting(by: ActingOfficer) -> Any:
    """Return the statement that counts for this post: every page asks it, and composing it costs more than asking."""
    parts = [
        sa.select(sa.literal(identity), sa.func.count()).select_from(
            sa.select(model.id).where(condition).limit(COUNT_CAP).subquery()  # type: ignore[attr-defined]
        )
        for model, identity in nouns_of(by).items()
        if (condition := waiting(model, by)) is not None
    ]
    return sa.union_all(*parts) if parts else None


def tasks(session: Session, by: ActingOfficer) -> list[Task]:
    """Return what waits at the officer's desk, the oldest deadline first."""
    day = today(session)
    found: list[Task] = []
    for model, identity in nouns_of(by).items():  # a handful of nouns, one statement each
        condition = waiting(model, by)
        if condition is None:
            continue
        table: Any = model
        mine = errands(model, by)
        named = (
            sa.case(*((sa.and_(*errand.where), errand.label) for errand in mine), else_="") if mine else sa.literal("")
        )
        limits = [errand.due for errand in mine if errand.due is not None]
        own = getattr(table, "due_on", sa.literal(None, sa.Date))
        due = sa.func.coalesce(own, *limits) if limits else own
        statement = sa.select(table, named, due).where(condition).order_by(due.asc().nulls_last(), table.id).limit(PAGE)
        found += [_task(identity, *row) for row in session.execute(statement)]
    left = days_left(session, day, {task.due_on for task in found if task.due_on})
    unsure = provisional(session, set(left))
    found = [replace(task, days_left=left.get(task.due_on), tentative=task.due_on in unsure) for task in found]
    return sorted(found, key=lambda task: (task.due_on is None, task.due_on or day, task.kind, task.record_id))


def days_left(session: Session, day: date, dates: set[date]) -> dict[date | None, int]:
    """Return the working days left until each date, negative when it has passed: one statement."""
    statement = sa.text(
        "select due, (select count(*) from calendar_days c where c.working and c.day > :day and c.day <= due)"
        " - (select count(*) from calendar_days c where c.working and c.day > due and c.day <= :day)"
        " from unnest(cast(:dates as date[])) due"
    )
    rows = session.execute(statement, {"day": day, "dates": sorted(dates)}) if dates else ()
    return {due: left for due, left in rows}


def provisional(session: Session, dates: set[date | None]) -> set[date]:
    """Return which of the dates lie where the calendar is provisional: the State Council hasn't said yet."""
    if not dates:
        return set()
    statement = sa.text("select day from calendar_days where day = any (:dates) and provisional")
    return set(session.execute(statement, {"dates": sorted(one for one in dates if one)}).scalars())


def steps_of(record: Any) -> list[Step]:
    """Return the steps that leave the record's status, by its own way; of a failure the most specific first."""
    lifecycle = LIFECYCLES.get(type(record))
    steps = list(lifecycle.steps_from(record.status)) if lifecycle else []
    if not isinstance(record, Failure):
        return steps
    ways = {step.verb: WAYS.get(step.verb, tuple(FailureRoute)) for step in steps}
    return sorted((step for step in steps if record.route in ways[step.verb]), key=lambda step: len(ways[step.verb]))


def turn(record: Any) -> Step | None:
    """Return the step that leads onward, and by it whose desk the record waits at; a flow's sub-step comes first."""
    if getattr(record, "substep_desk", None):
        return Step("substep", record.status, None, label=record.substep_name, desk=Desk(record.substep_desk))
    return next((step for step in steps_of(record) if step.forward and step.desk), None)


def _title(record: Any) -> str:
    """Return how a task names its record: its number, a line's place, or what it calls itself."""
    if hasattr(record, "line_sequence"):
        return f"{record.project_name}第{record.line_sequence}行"
    if hasattr(record, "number"):
        return field_view(type(record), "number").cell(record, {}).text  # an account's is masked
    return str(getattr(record, "title", "") or getattr(record, "document", "") or record.id)


def _detail(record: Any) -> str:
    """Return what a task is about: the project and period, or what the record says of itself."""
    about = getattr(record, "project_name", "")
    if not about and hasattr(record, "subject"):
        about = field_view(type(record), "subject").cell(record, {}).text
    if isinstance(record, CatalogueTask | AnnualList | Publication):
        return record.detail if isinstance(record, CatalogueTask) else record.title
    if isinstance(record, ProjectChange | ProjectException):
        return f"{record.kind.label} {record.name}" if isinstance(record, ProjectChange) else record.name
    if isinstance(record, LocalRule | CalendarVersion):
        return f"{record.title} {record.value} {record.unit}" if isinstance(record, LocalRule) else record.document
    kind = getattr(record, "kind", None)
    if isinstance(record, AccountBatch):
        return f"{record.kind.label}：{record.file_name}，可以换卡 {record.ready_count} 行"
    if isinstance(record, Account):
        return f"{record.status.label}：{record.refused_for.label}" if record.refused_for else record.bank_name
    words = f"{kind.label} {about}" if isinstance(kind, ChangeKind | TaskKind) else about
    return f"{words} {getattr(record, 'period', '')}".strip()


def _task(identity: str, record: Any, errand: str, due_on: date | None) -> Task:
    lifecycle = LIFECYCLES[type(record)]
    step = turn(record)
    return Task(
        identity=identity,
        kind=lifecycle.title,
        record_id=record.id,
        title=_title(record),
        detail=_detail(record),
        division_code=record.division_code,
        amount_fen=getattr(record, "amount_fen", 0),
        status=record.status,
        step=errand or (step.label if step else ""),
        due_on=due_on,
        days_left=None,
    )
