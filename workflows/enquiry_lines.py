"""A person's payments line by line: where each is now, and why it is not paid. （第十六条、第十八条、第二十一条）"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from models.bank_batches import DisbursementStatus
from models.base import Labelled
from models.crypto import Sealed
from models.failures import FailureRoute, FailureStatus
from models.households import IdentityOutcome
from models.payment_orders import PaymentOrderStatus
from models.rosters import LineState, PayeeRelation, RosterStatus
from policies.identities import mask_card

LINES = sa.text(
    """
    with people as materialized (
        select m.division_code, m.id from members m where m.person = any (cast(:persons as text[]))
    ), mine as (
        select l.county_code, l.id, false as for_other from people p
        join roster_lines l on l.division_code = p.division_code and l.member_id = p.id
        union
        select l.county_code, l.id, true from people p
        join accounts a on a.division_code = p.division_code and a.member_id = p.id
        join roster_lines l on l.division_code = a.division_code and l.account_index = a.number_index
        where not exists (select from people q where q.division_code = l.division_code and q.id = l.member_id)
    )
    select r.project_name, r.number, r.period, r.period_start, r.township, r.status as roster_status,
        r.due_on as roster_due, l.id, l.quantity, l.standard, l.amount_fen, l.component, l.state, l.state_reason,
        l.payee_relation, l.payee_name, l.account_number, l.bank_name, l.identity_outcome, l.died_on, l.account_state,
        mine.for_other, d.status as paid_status, d.settled_on, d.account_number as paid_to, d.attempt,
        o.number as order_number, o.status as order_status, b.number as batch_number, f.status as failure_status,
        f.route, f.due_on as failure_due, f.failure_class, f.reason as failure_reason,
        coalesce((select array_agg(w.rule_name order by w.light, w.rule_name) from roster_warnings w
            where w.division_code = l.division_code and w.roster_id = l.roster_id and w.line_id = l.id and w.live
                and w.light in ('red', 'yellow')), '{}') as warnings
    from mine
    join roster_lines l on l.county_code = mine.county_code and l.id = mine.id
    join rosters r on r.division_code = l.division_code and r.id = l.roster_id
    left join lateral (select * from disbursements x where x.county_code = l.county_code and x.line_id = l.id
        order by x.attempt desc limit 1) d on true
    left join payment_orders o on o.division_code = d.county_code and o.id = d.order_id
    left join bank_batches b on b.division_code = d.county_code and b.id = d.batch_id
    left join failures f on f.county_code = d.county_code and f.disbursement_id = d.id
    order by r.period_start desc, r.project_name, l.id
    """
).columns(account_number=Sealed, paid_to=Sealed)

UNDER_WAY = frozenset((
    RosterStatus.DRAFT, RosterStatus.ON_NOTICE, RosterStatus.ENDORSED, RosterStatus.REPORTED,
    RosterStatus.DEPARTMENT_EXAMINED, RosterStatus.DEPARTMENT_PASSED, RosterStatus.FINANCE_EXAMINED,
    RosterStatus.FINAL, RosterStatus.ORDERED,
))  # fmt: skip
ENDED = frozenset((FailureStatus.REFUNDED, FailureStatus.SETTLED, FailureStatus.REPLACED))


@dataclass(frozen=True, repr=False)
class Failed:
    """Why the last attempt failed, and what becomes of it. （第二十一条）"""

    failure_class: str
    reason: str
    route: FailureRoute
    status: FailureStatus
    due_on: date | None


@dataclass(frozen=True, repr=False)
class Payment:
    """One line of a roster with the last attempt to pay it; never printed by accident."""

    project: str
    roster: str
    period: str
    year: int
    township: str
    component: str
    quantity: Decimal
    standard: Decimal
    amount_fen: int
    paid: bool
    paid_on: date | None
    status: Labelled
    """Where the line is now: stopped or held, else its last attempt, else its roster."""
    account: str
    """The bank and the masked number it goes to."""
    payee: str
    """Who receives it, when that is not the person: the relation; for another's line paid to this account, that."""
    order: str
    order_status: PaymentOrderStatus | None
    batch: str
    why: tuple[str, ...]
    failed: Failed | None


@dataclass(frozen=True)
class Year:
    """What one year's lines come to."""

    year: int
    count: int
    amount_fen: int
    paid_count: int
    paid_fen: int


def payments(session: Session, persons: Sequence[str]) -> list[Payment]:
    """Return the lines of a person that the officer may see, the newest period first: one statement."""
    return [payment(row) for row in session.execute(LINES, {"persons": list(persons)})]


def payment(row: Any) -> Payment:
    """Return one line as the window tells it."""
    state, relation = LineState(row.state), PayeeRelation(row.payee_relation)
    attempt = DisbursementStatus(row.paid_status) if row.paid_status else None
    number = row.paid_to or row.account_number or ""
    told = "" if relation == PayeeRelation.SELF else f"由{relation.label}代领"
    return Payment(
        project=row.project_name, roster=row.number, period=row.period, year=row.period_start.year,
        township=row.township, component=row.component, quantity=row.quantity, standard=row.standard,
        amount_fen=row.amount_fen, paid=attempt == DisbursementStatus.PAID,
        paid_on=row.settled_on if attempt == DisbursementStatus.PAID else None,
        status=where_now(state, attempt, RosterStatus(row.roster_status)),
        account=f"{row.bank_name} {mask_card(number)}".strip() if number else "",
        payee="他人补贴，发放至本人账户" if row.for_other else told, order=row.order_number or "",
        order_status=PaymentOrderStatus(row.order_status) if row.order_status else None, batch=row.batch_number or "",
        why=tuple(why_not(row, state, attempt)) if attempt != DisbursementStatus.PAID else (), failed=failed(row),
    )  # fmt: skip


def where_now(state: LineState, attempt: DisbursementStatus | None, roster: RosterStatus) -> Labelled:
    """Return the one state that answers "where is my money"."""
    if attempt == DisbursementStatus.PAID or (attempt is not None and state == LineState.ACTIVE):
        return attempt
    return roster if state == LineState.ACTIVE else state


def why_not(row: Any, state: LineState, attempt: DisbursementStatus | None) -> list[str]:
    """Return why a line isn't paid, in the order in which somebody can do something about it."""
    told = []
    if state != LineState.ACTIVE:
        told.append(f"{state.label}{'：' + row.state_reason if row.state_reason else ''}")
    outcome = IdentityOutcome(row.identity_outcome) if row.identity_outcome else None
    if row.died_on:
        told.append(f"公安登记死亡日期 {row.died_on}（第十六条第一项）")
    elif outcome not in (None, IdentityOutcome.MATCH):
        told.append(f"公安核查结果：{outcome.label if outcome else ''}（第十六条第一项）")
    roster, goes = RosterStatus(row.roster_status), state == LineState.ACTIVE and attempt is None
    if goes and roster == RosterStatus.RETURNED:
        told.append("清册已退回，待更正后继续办理")
    elif goes and roster in UNDER_WAY:
        told.append(f"清册{roster.label}{f'，办理期限 {row.roster_due}' if row.roster_due else ''}")
    if not row.account_number and state == LineState.ACTIVE:
        told.append("没有收款账户，请到苏木乡镇登记社会保障卡（第十二条）")
    told += [f"预警：{name}（第十八条）" for name in row.warnings]
    return told


def failed(row: Any) -> Failed | None:
    """Return the failure that stands in the way, if one does. （第二十一条）"""
    if not row.failure_status or FailureStatus(row.failure_status) == FailureStatus.SETTLED:
        return None
    status = FailureStatus(row.failure_status)
    due = None if status in ENDED else row.failure_due
    return Failed(row.failure_class, row.failure_reason, FailureRoute(row.route), status, due)


def years(shown: Sequence[Payment]) -> list[Year]:
    """Return the sums of each year, the latest first; what is another's counts for the other."""
    own = [one for one in shown if not one.payee.startswith("他人")]
    found = []
    for year in sorted({one.year for one in own}, reverse=True):
        lines = [one for one in own if one.year == year]
        paid = [one for one in lines if one.paid]
        found.append(
            Year(year, len(lines), sum(one.amount_fen for one in lines), len(paid), sum(one.amount_fen for one in paid))
        )
    return found
