"""Each attempt to pay a line: listed, sent, and what the bank answered, applied set-based. （第二十、二十一条）

Answers may come twice, late, in any order, in parts, contradict each other or fit nothing: settled lines are skipped,
the rest of what does not fit goes to the exceptions desk. An entitlement is claimed in the transaction that books it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy import text
from sqlmodel import Session, col

from integrations.iso20022.pain002 import ResultFile
from models.bank_batches import BankBatch, BankBatchStatus, Disbursement
from models.officers import ActingOfficer
from models.payment_orders import PaymentOrder
from policies.clock import ZONE, today
from policies.deadlines import BANK_PAYMENT
from policies.lifecycles.bank_batches import DISBURSEMENT_LIFECYCLE
from policies.limits import due_on
from policies.moves import record_event
from workflows import failures, journal, results
from workflows.plans import by_hash

OPEN = (BankBatchStatus.SENT, BankBatchStatus.ACCEPTED)


@dataclass(frozen=True)
class Stepped:
    """How many attempts took a step, and their sum."""

    count: int
    amount_fen: int


def step(
    session: Session, county_code: str, verb: str, *, values: dict[str, Any] | None = None, **where: int | None
) -> Stepped:
    """Let every attempt of an order or batch that stands at a step's source take it, in one statement."""
    columns = sa.inspect(Disbursement, raiseerr=True).columns
    count = amount_fen = 0
    for one in (one for one in DISBURSEMENT_LIFECYCLE.steps if one.verb == verb):
        statement = (
            sa.update(Disbursement)
            .where(columns["county_code"] == county_code, columns["status"] == one.source)
            .where(*(columns[name] == value for name, value in where.items()))
            .values(status=one.target, **(values or {}))
            .returning(columns["amount_fen"])
        )
        amounts = session.execute(statement, execution_options={"synchronize_session": False}).scalars().all()
        count, amount_fen = count + len(amounts), amount_fen + sum(amounts)
    return Stepped(count, amount_fen)


def bank_clock(session: Session, order: PaymentOrder) -> None:
    """Let the bank's 3 working days run from the money's arrival, for batches sent before it came. （第二十条）"""
    if order.credited_at is None:
        return
    arrived = order.credited_at.astimezone(ZONE).date()
    due = due_on(session, BANK_PAYMENT, order.division_code, arrived)
    session.execute(
        sa.update(BankBatch)
        .where(
            col(BankBatch.division_code) == order.division_code,
            col(BankBatch.order_id) == order.id,
            col(BankBatch.status).in_(OPEN),
            sa.not_(col(BankBatch.correction)),
        )
        .values(due_on=due),
        execution_options={"synchronize_session": False},
    )


@dataclass(frozen=True)
class Applied:
    """What one result file changed."""

    paid: Sequence[int] = ()
    failed: Sequence[int] = ()
    exceptions: int = 0

    @property
    def changed(self) -> bool:
        """Tell whether any line was answered."""
        return bool(self.paid or self.failed)


def apply_results(session: Session, batch: BankBatch, file: ResultFile, *, by: ActingOfficer) -> Applied:
    """Apply one result file to a batch whose row the caller has locked. （第二十条）

    Paid lines are claimed, booked and added to their rosters; failed ones become failures on their way by Article 21.
    """
    if file.message_id and file.message_id != batch.number:
        results.note(session, batch, file.message_id[:35], "批次号不符", "回盘文件属于另一批次，未处理")
        return Applied(exceptions=1)
    results.stage(session, file)
    with by_hash(session):
        if file.rest is not None:
            results.add_rest(session, batch, file.rest, today(session))
        results.judge(session, batch)
        results.claim(session, batch)
        paid, failed = results.write(session, batch, today(session))
    exceptions = results.note_misfits(session, batch)
    if paid:
        _book(session, batch, paid)
    if failed:
        failures.open_(session, batch, failed, by=by)
    failures.conclude(session, batch, paid, failed, by=by)
    applied = Applied(paid, failed, exceptions)
    if applied.changed or exceptions:
        results.count(session, batch)
        facts = {"report": file.report_id, "paid": len(paid), "failed": len(failed), "exceptions": exceptions}
        record_event(session, batch, "results", by=by, label="登记发放结果", facts=facts)
    return applied


def _book(session: Session, batch: BankBatch, paid: Sequence[int]) -> None:
    """Book payments: the key counts what had been booked of this batch before, under the batch's lock."""
    before = session.execute(
        text(
            "select count(*) from journal_entries where county_code = :county and kind = 'pay'"
            " and business_key between :first and :last"
        ),
        {"county": batch.division_code, "first": f"pay:{batch.number}:", "last": f"pay:{batch.number}:~"},
    ).scalar_one()
    key = f"pay:{batch.number}:{before + 1:06d}"
    journal.book_payments(session, batch.division_code, key, paid, f"代发批次{batch.number}")


# --- money that comes back ----------------------------------------------------------------------------------------

BACK = text(
    """
    update disbursements set status = :target, reason_code = 'RETURNED', reason = :reason
    where county_code = :county and id = any (:ids) and status = :source returning id, batch_id
    """
)
UNCLAIM = text("delete from entitlement_successes where division_code = :county and disbursement_id = any (:ids)")
RETURNED = "收款行退回（退汇）"


def take_back(
    session: Session, county_code: str, disbursement_ids: Sequence[int], *, by: ActingOfficer, on: date, key: str
) -> int:
    """Reverse payments that came back to the agent account (退汇); return how many. （第二十一、二十二条）

    Their claims are given up, the reversal is booked, and each becomes a failure, so that it can be paid again or
    refunded. What is not paid (any more) is left as it is.
    """
    one = next(one for one in DISBURSEMENT_LIFECYCLE.steps if one.verb == "reverse")
    keys = {"county": county_code, "ids": list(disbursement_ids)}
    moved = session.execute(BACK, keys | {"target": one.target, "source": one.source, "reason": RETURNED}).all()
    if not moved:
        return 0
    ids = [row.id for row in moved]
    session.execute(UNCLAIM, keys | {"ids": ids})
    journal.book_reversals(session, county_code, f"reverse:{key}", ids, on, RETURNED)
    for batch_id, lines in Counter(row.batch_id for row in moved).items():
        batch = session.execute(
            sa.select(BankBatch).where(col(BankBatch.id) == batch_id).with_for_update()
        ).scalar_one()
        mine = [row.id for row in moved if row.batch_id == batch_id]
        failures.open_(session, batch, mine, by=by)
        results.count(session, batch)
        failures.settle_rosters(session, county_code, mine, by=by)
        record_event(session, batch, "reverse", by=by, label="登记退汇", facts={"lines": lines})
    return len(ids)
