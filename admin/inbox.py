"""Whose turn is it: the inbox and its counts come from the lifecycles, never from a list of their own (DESIGN D5)."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from models.bank_batches import BankBatch
from models.base import Table
from models.failures import Failure, Refund
from models.officers import ActingOfficer
from models.organisations import OrganisationKind
from models.payment_orders import PaymentOrder
from models.rosters import Roster
from policies.clock import today
from policies.lifecycles import LIFECYCLES, Desk, Lifecycle

NOUNS: dict[type[Table], str] = {
    Roster: "roster",
    PaymentOrder: "payment-order",
    BankBatch: "bank-batch",
    Failure: "failure",
    Refund: "refund",
}
"""The nouns that wait at desks, with the identity of their view."""
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

    @property
    def late(self) -> bool:
        """Tell whether the statutory limit has passed."""
        return self.days_left is not None and self.days_left < 0


def desk_of(by: ActingOfficer) -> Desk | None:
    """Return the desk that the officer's post sits at."""
    return next((desk for desk in Desk if desk.seats(by)), None)


def awaited(lifecycle: Lifecycle, by: ActingOfficer) -> tuple[Any, ...]:
    """Return the statuses in which it is the officer's turn."""
    desk = desk_of(by)
    return lifecycle.awaits(desk) if desk else ()


def sector_filter(model: Any, by: ActingOfficer) -> list[Any]:
    """Return the condition that a department sees its own line only. （第十四条）"""
    if by.kind != OrganisationKind.DEPARTMENT or not hasattr(model, "sector"):
        return []
    return [model.sector == by.sector]


def _waiting(model: Any, by: ActingOfficer) -> list[Any]:
    return [model.status.in_(awaited(LIFECYCLES[model], by)), *sector_filter(model, by)]


def counts(session: Session, by: ActingOfficer) -> dict[str, int]:
    """Return how many records of each noun wait at the officer's desk: one statement."""
    parts = [
        sa.select(sa.literal(identity), sa.func.count()).select_from(
            sa.select(model.id).where(*_waiting(model, by)).limit(COUNT_CAP).subquery()  # type: ignore[attr-defined]
        )
        for model, identity in NOUNS.items()
        if awaited(LIFECYCLES[model], by)
    ]
    return dict(session.execute(sa.union_all(*parts)).tuples().all()) if parts else {}


def tasks(session: Session, by: ActingOfficer) -> list[Task]:
    """Return what waits at the officer's desk, the oldest deadline first."""
    day = today(session)
    found: list[Task] = []
    for model, identity in NOUNS.items():  # five nouns, one statement each
        if not awaited(LIFECYCLES[model], by):
            continue
        table: Any = model
        statement = (
            sa.select(table).where(*_waiting(model, by)).order_by(table.due_on.asc().nulls_last(), table.id).limit(PAGE)
        )
        found += [_task(identity, record) for record in session.execute(statement).scalars()]
    left = days_left(session, day, {task.due_on for task in found if task.due_on})
    found = [replace(task, days_left=left.get(task.due_on)) for task in found]
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


def _task(identity: str, record: Any) -> Task:
    lifecycle = LIFECYCLES[type(record)]
    step = lifecycle.onward(record.status)
    return Task(
        identity=identity,
        kind=lifecycle.title,
        record_id=record.id,
        title=getattr(record, "number", "") or f"{record.project_name}第{record.line_sequence}行",
        detail=f"{record.project_name} {getattr(record, 'period', '')}".strip(),
        division_code=record.division_code,
        amount_fen=record.amount_fen,
        status=record.status,
        step=step.label if step else "",
        due_on=record.due_on,
        days_left=None,
    )
