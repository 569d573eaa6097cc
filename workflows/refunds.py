"""Refunds: money that can't be paid goes back to the very indicator that paid it. （第二十一、二十二条）

The bank sends it to the treasury, the budget system puts it on the indicator; both know it by the refund's number.
"""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import text
from sqlmodel import Session, col, select

from integrations import banks, budget_system
from integrations.banks import FundsReturn
from integrations.budget_system import RefundApplication
from integrations.errors import Rejected
from models.base import county_of
from models.failures import Failure, Refund, RefundStatus
from models.indicators import BudgetIndicator
from models.journal import Ledger
from models.officers import ActingOfficer
from models.outbox import OutboxMessage, OutboxStatus
from models.payment_orders import PaymentOrder
from policies.clock import ZONE, now
from policies.enforcement import allow
from policies.lifecycles import Desk
from policies.lifecycles.failures import REFUND_LIFECYCLE
from policies.moves import begin, move, move_many, require_desk, title_of
from policies.permissions import Permission
from policies.refusals import FasterColleague, Refused
from workflows import journal
from workflows.indicators import shift
from workflows.numbers import next_numbers
from workflows.outbox import TOPICS, Topic, ask
from workflows.payment_orders import agent_account

TOPIC = "refund"
REASON = "无法发放的补贴资金退回"


class NothingToRefund(Refused):
    """本旗县没有待退款的失败明细；主管部门移出清册后，才能生成退款单（第二十一条）。"""


REMOVED = text(
    """
    select o.id as order_id, array_agg(f.id order by f.id) as ids, sum(f.amount_fen) as fen
    from failures f join payment_orders o on o.division_code = f.county_code and o.id = f.order_id
    where f.county_code = :county and f.status = 'removed' and f.refund_id is null
    group by o.id order by o.id
    """
)


def prepare(session: Session, *, by: ActingOfficer) -> list[Refund]:
    """Prepare a refund for each order (one indicator, one agent account) with removed lines. （第二十一条）

    Raises NothingToRefund.
    """
    allow(session, by, Permission.REFUND_PREPARE)
    county = county_of(by.division_code)
    groups = session.execute(REMOVED, {"county": county}).all()
    if not groups:
        raise NothingToRefund
    numbers = next_numbers(session, Refund, "TK", county, len(groups))
    return [
        _prepare(session, group.order_id, group.ids, int(group.fen), number, by)
        for group, number in zip(groups, numbers, strict=True)
    ]


def _prepare(
    session: Session, order_id: int, failure_ids: list[int], amount_fen: int, number: str, by: ActingOfficer
) -> Refund:
    order = session.exec(select(PaymentOrder).where(PaymentOrder.id == order_id)).one()
    moment = now(session)
    refund = Refund(
        division_code=order.division_code,
        number=number,
        order_id=order_id,
        sector=order.sector,
        bank_id=order.bank_id,
        indicator_id=order.indicator_id,
        agent_account_id=order.agent_account_id,
        project_name=order.project_name,
        line_count=len(failure_ids),
        amount_fen=amount_fen,
        prepared_at=moment,
        arrived_at=moment,
    )
    begin(session, refund, by=by, label="生成退款单", desk=Desk.FINANCE_CLERK, facts={"order": order.number})
    claimed = session.execute(
        sa.update(Failure)
        .where(
            col(Failure.county_code) == order.division_code,
            col(Failure.id).in_(failure_ids),
            col(Failure.refund_id).is_(None),
        )
        .values(refund_id=refund.id),
        execution_options={"synchronize_session": False},
    )
    if claimed.rowcount != len(failure_ids):  # type: ignore[attr-defined]
        raise FasterColleague(title=title_of(refund))
    return refund


def release(session: Session, refund: Refund, *, by: ActingOfficer, opinion: str = "") -> Refund:
    """Release a refund: the bank returns the money, the budget system restores the indicator. （第二十二条）"""
    allow(session, by, Permission.REFUND_RELEASE, refund)
    require_desk(REFUND_LIFECYCLE.step("release", refund.status, title_of(refund)), by)
    move(session, refund, "release", by=by, opinion=opinion)
    ask(session, TOPIC, f"{refund.number}:{refund.version}", refund)
    return refund


# --- bank and budget system ---------------------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class Returning:
    """One refund on its way: the bank's part and the budget system's."""

    funds: FundsReturn
    application: RefundApplication


@dataclass(frozen=True)
class Returned:
    """How far it has come: when the bank sent the money, when the indicator had it, or who refused and why."""

    sent_at: datetime | None = None
    restored_at: datetime | None = None
    refusal: str = ""


def _question(session: Session, message: OutboxMessage) -> Returning:
    refund, order = _both(session, message.record_id)
    account, _ = agent_account(session, order)
    bgt_id = session.execute(
        sa.select(col(BudgetIndicator.bgt_id)).where(
            col(BudgetIndicator.division_code) == refund.division_code,
            col(BudgetIndicator.id) == refund.indicator_id,
        )
    ).scalar_one()
    number = order.pay_app_no or ""
    return Returning(
        FundsReturn(refund.number, account.number, refund.amount_fen, number, REASON),
        RefundApplication(refund.number, number, bgt_id, refund.division_code, refund.amount_fen, REASON),
    )


def _both(session: Session, refund_id: int) -> tuple[Refund, PaymentOrder]:
    refund = session.exec(
        select(Refund).where(Refund.id == refund_id).with_for_update().execution_options(populate_existing=True)
    ).one()
    order = session.exec(
        select(PaymentOrder).where(
            PaymentOrder.division_code == refund.division_code, PaymentOrder.id == refund.order_id
        )
    ).one()
    return refund, order


def _send(asked: Returning) -> Returned:
    """Let the bank return the money, then report it; both are idempotent by the refund's number."""
    try:
        sent_at = banks.return_funds(asked.funds).returned_at
    except Rejected as refused:
        return Returned(refusal=f"代理银行：{refused.text}（{refused.code}）")
    return _report(asked, sent_at)


def _report(asked: Returning, sent_at: datetime) -> Returned:
    try:
        state = budget_system.return_funds(asked.application)
    except Rejected as refused:
        return Returned(sent_at, refusal=f"一体化系统：{refused.text}（{refused.code}）")
    return Returned(sent_at, state.returned_at if state.status == "returned" else None)


def _inquire(asked: Returning) -> Returned | None:
    receipt = banks.ask_return(asked.funds.number)
    if receipt is None:
        return None
    state = budget_system.ask_refund(asked.application.number)
    if state.status == "unknown":
        return _report(asked, receipt.returned_at)
    if state.status == "rejected":
        return Returned(receipt.returned_at, refusal=f"一体化系统：{state.reason}")
    return Returned(receipt.returned_at, state.returned_at if state.status == "returned" else None)


def _apply(session: Session, message: OutboxMessage, answer: Returned, by: ActingOfficer) -> bool:
    refund, order = _both(session, message.record_id)
    if refund.status != RefundStatus.RELEASED:
        return True
    if answer.sent_at is not None:
        _book_return(session, refund, order, answer.sent_at)
    if answer.refusal:
        message.status, message.last_error = OutboxStatus.REFUSED, answer.refusal[:300]
        move(session, refund, "reject", by=by, opinion=answer.refusal[:300])
        return True
    if answer.sent_at is None or answer.restored_at is None:
        return False
    _restore(session, refund, order, by)
    return True


def _book_return(session: Session, refund: Refund, order: PaymentOrder, sent_at: datetime) -> None:
    sides = journal.transfer(
        Ledger.AGENT_ACCOUNT,
        Ledger.IN_TRANSIT,
        refund.amount_fen,
        indicator_id=refund.indicator_id,
        agent_account_id=refund.agent_account_id,
        project_id=order.project_id,
        value_on=sent_at.astimezone(ZONE).date(),
        reference=refund.number,
    )
    journal.book(session, refund.division_code, "return", f"return:{refund.number}", sides, title_of(refund))
    refund.returned_at = sent_at
    session.flush()


def _restore(session: Session, refund: Refund, order: PaymentOrder, by: ActingOfficer) -> None:
    """Put the money back on the indicator and conclude the failures. （第二十一、二十二条）"""
    shift(
        session,
        refund.division_code,
        "refund",
        f"refund:{refund.number}",
        indicator_id=refund.indicator_id,
        amount_fen=refund.amount_fen,
        project_id=order.project_id,
        agent_account_id=refund.agent_account_id,
        reference=refund.number,
        memo=title_of(refund),
    )
    move(session, refund, "complete", by=by)
    ids = session.execute(
        text("select id from failures where county_code = :county and refund_id = :refund and status = 'removed'"),
        {"county": refund.division_code, "refund": refund.id},
    ).scalars()
    move_many(session, Failure, "refund", list(ids), by=by, facts={"refund": refund.number})


TOPICS[TOPIC] = Topic(prepare=_question, send=_send, inquire=_inquire, apply=_apply)
