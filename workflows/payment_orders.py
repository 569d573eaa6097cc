"""The verbs of a payment order: from a final roster to the money on the agent account. （第十九条）

An order takes whole lines of one roster on one indicator through one agent account. The indicator is reserved with the
draft; a rejection releases nothing until the order is cancelled.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import text
from sqlmodel import Session, col, select

from integrations import banks, budget_system
from integrations.budget_system import ApplicationState, PaymentApplication
from integrations.errors import Rejected
from models.bank_batches import Disbursement, DisbursementStatus
from models.database import transaction
from models.indicators import BudgetIndicator
from models.journal import Ledger
from models.officers import ActingOfficer
from models.outbox import OutboxMessage, OutboxStatus
from models.payment_orders import AgentAccount, AgentBank, PaymentOrder, PaymentOrderStatus
from models.rosters import Roster, RosterStatus
from policies.clock import ZONE, now
from policies.enforcement import allow
from policies.lifecycles import Desk
from policies.lifecycles.payment_orders import PAYMENT_ORDER_LIFECYCLE
from policies.moves import begin, move, require_desk, title_of
from policies.permissions import Permission
from policies.refusals import ReasonMissing, StepNotPossible
from workflows import disbursements, journal
from workflows.allotment import Share, shares_of
from workflows.indicators import shift
from workflows.numbers import next_numbers
from workflows.outbox import TOPICS, Topic, ask

TOPIC = "payment_application"
DRAFTABLE = (RosterStatus.FINAL, RosterStatus.ORDERED, RosterStatus.PART_PAID)
"""FINAL; afterwards only for lines whose order was cancelled while another order of the roster lives."""


def draft(session: Session, roster: Roster, *, by: ActingOfficer) -> list[PaymentOrder]:
    """Draft the payment orders of a final roster, one per indicator and agent account, and reserve. （第十九条）

    Raises NotAllowed, StepNotPossible, NothingToOrder, AccountGone, AgentAccountMissing, EntitlementTaken, NoLink,
    InsufficientIndicator, IndicatorOverdrawn.
    """
    allow(session, by, Permission.ORDER_DRAFT, roster)
    if roster.status not in DRAFTABLE:
        raise StepNotPossible(title=title_of(roster), status=roster.status.label, step="生成支付单")
    shares = shares_of(session, roster)
    numbers = next_numbers(session, PaymentOrder, "ZF", roster.county_code, len(shares))
    orders = [_draft_one(session, roster, share, number, by) for share, number in zip(shares, numbers, strict=True)]
    _write_lines(session, roster, orders, shares)
    if roster.status == RosterStatus.FINAL:
        facts = {"orders": [order.number for order in orders], "amount_fen": sum(order.amount_fen for order in orders)}
        move(session, roster, "order", by=by, facts=facts)
    return orders


def draft_for_roster(session: Session, roster: Roster, *, by: ActingOfficer) -> list[PaymentOrder]:
    """Do as `draft` does, from the page of a roster. （第十九条）"""
    return draft(session, roster, by=by)


def _draft_one(session: Session, roster: Roster, share: Share, number: str, by: ActingOfficer) -> PaymentOrder:
    moment = now(session)
    order = PaymentOrder(
        division_code=roster.county_code,
        number=number,
        project_id=roster.project_id,
        project_name=roster.project_name,
        sector=roster.sector,
        indicator_id=share.indicator_id,
        agent_account_id=share.agent_account_id,
        bank_id=session.get_one(AgentAccount, share.agent_account_id).bank_id,
        line_count=len(share.line_ids),
        amount_fen=share.amount_fen,
        drafted_at=moment,
        arrived_at=moment,
    )
    facts = {"roster": roster.number, "line_count": order.line_count, "amount_fen": order.amount_fen}
    begin(session, order, by=by, label="生成资金支付单", desk=Desk.DEPARTMENT_CLERK, facts=facts)
    _shift(session, order, "reserve", f"reserve:{order.number}")
    return order


LINES = text(
    """
    with former as materialized (
        select line_id, max(attempt) as attempt from disbursements
        where county_code = :county and division_code = :division and roster_id = :roster group by line_id
    )
    insert into disbursements (county_code, division_code, roster_id, line_id, line_sequence, project_id, order_id,
        sector, bank_id, indicator_id, agent_account_id, attempt, end_to_end_id, entitlement_key, amount_fen,
        payee_name,
        account_number, account_is_card, bank_code, status, reason_code, reason, failure_class)
    select l.county_code, l.division_code, l.roster_id, l.id, l.sequence, :project, o.order_id, l.sector, o.bank_id,
        o.indicator_id,
        o.agent_account_id, coalesce(f.attempt, 0) + 1,
        left(l.county_code, 6) || 'L' || l.id || 'A' || coalesce(f.attempt, 0) + 1, l.entitlement_key, l.amount_fen,
        l.payee_name, l.account_number, coalesce(l.account_is_card, true), l.bank_code, 'reserved',
        '', '', ''
    from unnest(cast(:lines as bigint[]), cast(:orders as bigint[]), cast(:indicators as bigint[]),
        cast(:agents as bigint[]), cast(:banks as bigint[]))
        as o (line_id, order_id, indicator_id, agent_account_id, bank_id)
    join roster_lines l on l.county_code = :county and l.division_code = :division and l.id = o.line_id
    left join former f on f.line_id = l.id
    """
)


def _write_lines(session: Session, roster: Roster, orders: Sequence[PaymentOrder], shares: Sequence[Share]) -> None:
    pairs = [(line, order) for order, share in zip(orders, shares, strict=True) for line in share.line_ids]
    session.execute(
        LINES,
        {
            "project": roster.project_id,
            "county": roster.county_code,
            "division": roster.division_code,
            "roster": roster.id,
            "lines": [line for line, _ in pairs],
            "orders": [order.id for _, order in pairs],
            "indicators": [order.indicator_id for _, order in pairs],
            "agents": [order.agent_account_id for _, order in pairs],
            "banks": [order.bank_id for _, order in pairs],
        },
    )


def _shift(session: Session, order: PaymentOrder, kind: str, business_key: str, reference: str = "") -> bool:
    return shift(
        session,
        order.division_code,
        kind,
        business_key,
        indicator_id=order.indicator_id,
        amount_fen=order.amount_fen,
        project_id=order.project_id,
        agent_account_id=order.agent_account_id,
        reference=reference,
        memo=title_of(order),
    )


def release(session: Session, order: PaymentOrder, *, by: ActingOfficer, opinion: str = "") -> PaymentOrder:
    """Release a drafted order: the payment application goes to the budget system by itself. （第十九条）"""
    _allow(session, order, "release", by)
    number = f"{order.number}-{order.attempt + 1}"
    order.attempt, order.pay_app_no, order.answer = order.attempt + 1, number, ""
    session.flush()
    move(session, order, "release", by=by, opinion=opinion, facts={"pay_app_no": number})
    ask(session, TOPIC, number, order)
    return order


def draft_again(session: Session, order: PaymentOrder, *, by: ActingOfficer, opinion: str = "") -> PaymentOrder:
    """Send a rejected order to the reviewer again; its next application bears a new number. （第十九条）"""
    _allow(session, order, "draft_again", by)
    return move(session, order, "draft_again", by=by, opinion=opinion)


def cancel(session: Session, order: PaymentOrder, *, by: ActingOfficer, reason: str) -> PaymentOrder:
    """Cancel a drafted order: the indicator is released, its lines may be ordered again. （第十九条）

    Raises ReasonMissing.
    """
    return _cancel(session, order, "cancel", by, reason)


def cancel_rejected(session: Session, order: PaymentOrder, *, by: ActingOfficer, reason: str) -> PaymentOrder:
    """Cancel a rejected order: the indicator is released, its lines may be ordered again. （第十九条）

    Raises ReasonMissing.
    """
    return _cancel(session, order, "cancel_rejected", by, reason)


def _cancel(session: Session, order: PaymentOrder, verb: str, by: ActingOfficer, reason: str) -> PaymentOrder:
    _allow(session, order, verb, by)
    if not reason.strip():
        raise ReasonMissing(step="撤销", field="撤销原因")
    move(session, order, verb, by=by, opinion=reason.strip())
    _shift(session, order, "release", f"release:{order.number}")
    disbursements.step(session, order.division_code, "cancel", order_id=order.id)
    for roster in _rosters_without_orders(session, order):
        move(session, roster, "unorder", by=by, facts={"order": order.number})
    return order


def _rosters_without_orders(session: Session, order: PaymentOrder) -> list[Roster]:
    """Return the order's rosters that no living order carries any more."""
    line: Any = Disbursement
    rosters = sa.select(line.roster_id).where(line.county_code == order.division_code, line.order_id == order.id)
    living = sa.select(line.roster_id).where(
        line.county_code == order.division_code, line.status != DisbursementStatus.CANCELLED
    )
    return list(
        session.exec(
            select(Roster).where(
                Roster.county_code == order.division_code,
                Roster.status == RosterStatus.ORDERED,
                col(Roster.id).in_(rosters),
                col(Roster.id).not_in(living.where(line.roster_id.in_(rosters))),
            )
        )
    )


def _allow(session: Session, order: PaymentOrder, verb: str, by: ActingOfficer) -> None:
    permission = next(step.permission for step in PAYMENT_ORDER_LIFECYCLE.steps if step.verb == verb)
    allow(session, by, permission or Permission.ORDER_VIEW, order)
    require_desk(PAYMENT_ORDER_LIFECYCLE.step(verb, order.status, title_of(order)), by)


# --- the budget system --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Refusal:
    """The budget system's final no to an application."""

    text: str


def _application(session: Session, message: OutboxMessage) -> PaymentApplication:
    order = _order(session, message)
    indicator = session.exec(
        select(BudgetIndicator).where(
            BudgetIndicator.division_code == order.division_code, BudgetIndicator.id == order.indicator_id
        )
    ).one()
    account, bank = agent_account(session, order)
    return PaymentApplication(
        number=message.business_key,
        bgt_id=indicator.bgt_id,
        fiscal_year=indicator.fiscal_year,
        division_code=order.division_code,
        pro_code=indicator.pro_code,
        agency_code=indicator.agency_code,
        fund_type_code=indicator.fund_type_code,
        exp_func_code=indicator.exp_func_code,
        gov_eco_code=indicator.gov_eco_code,
        dep_eco_code=indicator.dep_eco_code,
        amount_fen=order.amount_fen,
        payee_name=account.name,
        payee_account=account.number,
        payee_bank_code=bank.cnaps,
        use=order.project_name,
        created_on=order.drafted_at.astimezone(ZONE).date(),
    )


def agent_account(session: Session, order: PaymentOrder) -> tuple[AgentAccount, AgentBank]:
    """Return the agent account of an order and its bank."""
    return session.exec(
        select(AgentAccount, AgentBank)
        .join(AgentBank, col(AgentBank.id) == col(AgentAccount.bank_id))
        .where(AgentAccount.division_code == order.division_code, AgentAccount.id == order.agent_account_id)
    ).one()


def _order(session: Session, message: OutboxMessage) -> PaymentOrder:
    return session.exec(select(PaymentOrder).where(PaymentOrder.id == message.record_id)).one()


def _send(application: PaymentApplication) -> ApplicationState | Refusal:
    try:
        budget_system.submit_application(application)
    except Rejected as refused:
        return Refusal(f"{refused.text}（{refused.code}）")
    return ApplicationState("received", None, "")


def _inquire(application: PaymentApplication) -> ApplicationState | None:
    state = budget_system.ask_application(application.number)
    return None if state.status == "unknown" else state


def _apply(session: Session, message: OutboxMessage, answer: ApplicationState | Refusal, by: ActingOfficer) -> bool:
    order = _locked(session, message.record_id)
    if order.pay_app_no != message.business_key:
        return True  # an answer to a former attempt
    if isinstance(answer, Refusal):
        message.status = OutboxStatus.REFUSED
        _reject(session, order, answer.text, by)
    else:
        apply_state(session, order, answer, by=by)
    return True


TOPICS[TOPIC] = Topic(prepare=_application, send=_send, inquire=_inquire, apply=_apply)


def _locked(session: Session, order_id: int | None) -> PaymentOrder:
    return session.exec(
        select(PaymentOrder)
        .where(PaymentOrder.id == order_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()


def apply_state(session: Session, order: PaymentOrder, state: ApplicationState, *, by: ActingOfficer) -> PaymentOrder:
    """Write where an application stands onto its order, idempotently: requested, funded, rejected. （第十九条）"""
    if state.status == "unknown":
        return order
    if order.status == PaymentOrderStatus.RELEASED and state.status != "rejected":
        _shift(session, order, "request", f"request:{order.pay_app_no}")
        move(session, order, "request", by=by, facts={"pay_app_no": order.pay_app_no})
    if state.status == "rejected":
        _reject(session, order, state.reason, by)
    elif state.status == "funded" and order.status == PaymentOrderStatus.REQUESTED:
        order.funded_at = state.funded_at or now(session)
        session.flush()
        _shift(session, order, "fund", f"fund:{order.number}", order.pay_app_no or "")
        move(session, order, "fund", by=by, facts={"funded_at": order.funded_at.isoformat()})
    return order


def _reject(session: Session, order: PaymentOrder, reason: str, by: ActingOfficer) -> None:
    if order.status not in (PaymentOrderStatus.RELEASED, PaymentOrderStatus.REQUESTED):
        return
    if order.status == PaymentOrderStatus.REQUESTED:
        _shift(session, order, "reject", f"reject:{order.pay_app_no}")
    order.answer = reason[:300]
    session.flush()
    move(session, order, "reject", by=by, opinion=order.answer)


def apply_credit(session: Session, order: PaymentOrder, credited_at: datetime) -> None:
    """Book the money's arrival on the agent account (到账), from which the bank's 3 working days run. （第二十条）"""
    if order.credited_at is not None or order.status != PaymentOrderStatus.FUNDED:
        return
    day = credited_at.astimezone(ZONE).date()
    sides = journal.transfer(
        Ledger.IN_TRANSIT,
        Ledger.AGENT_ACCOUNT,
        order.amount_fen,
        indicator_id=order.indicator_id,
        agent_account_id=order.agent_account_id,
        project_id=order.project_id,
        value_on=day,
        reference=order.pay_app_no or "",
    )
    journal.book(session, order.division_code, "credit", f"credit:{order.number}", sides, title_of(order))
    order.credited_at = credited_at
    session.flush()
    disbursements.bank_clock(session, order)


def ask_funding(by: ActingOfficer) -> int:
    """Ask what became of every application and whether the money has arrived; return how many orders moved on.

    （第十九条：自动下载资金拨付情况） Idempotent; nothing is open while the outside is asked. Raises Unavailable.
    """
    moved = 0
    with transaction(by) as session:
        requested = session.execute(
            sa.select(col(PaymentOrder.id), col(PaymentOrder.pay_app_no)).where(
                col(PaymentOrder.status) == PaymentOrderStatus.REQUESTED
            )
        ).all()
    for order_id, number in requested:
        state = budget_system.ask_application(number)
        if state.status in ("funded", "rejected"):
            with transaction(by) as session:
                order = _locked(session, order_id)
                if order.pay_app_no == number:
                    apply_state(session, order, state, by=by)
                    moved += 1
    return moved + _ask_credits(by)


def _ask_credits(by: ActingOfficer) -> int:
    moved = 0
    with transaction(by) as session:
        funded = session.execute(
            sa.select(
                col(PaymentOrder.id),
                col(PaymentOrder.pay_app_no),
                col(AgentAccount.number),
                col(PaymentOrder.funded_at),
                col(AgentBank.interface),
            )
            .join(AgentAccount, col(AgentAccount.id) == col(PaymentOrder.agent_account_id))
            .join(AgentBank, col(AgentBank.id) == col(PaymentOrder.bank_id))
            .where(col(PaymentOrder.status) == PaymentOrderStatus.FUNDED, col(PaymentOrder.credited_at).is_(None))
        ).all()
    for order_id, number, account, funded_at, interface in funded:
        # A bank without interface tells of no arrival: its clock runs from the funding, never later than the money.
        credited_at = banks.ask_credit(account, number) if interface else funded_at
        if credited_at is not None:
            with transaction(by) as session:
                apply_credit(session, _locked(session, order_id), credited_at)
            moved += 1
    return moved
