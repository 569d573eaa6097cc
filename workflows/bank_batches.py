"""The verbs of a bank batch: prepared, released, sent once, answered in parts, settled. （第二十条）"""

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import text
from sqlmodel import Session, col, select

from integrations import banks
from integrations.errors import Rejected, Unavailable, Unreadable, Unwritable
from integrations.iso20022 import pain001, pain002
from integrations.iso20022.pain001 import CreditTransfer, CreditTransferFile
from integrations.iso20022.pain002 import ResultFile
from models.bank_batches import BankBatch, BankBatchStatus, Disbursement
from models.database import transaction
from models.officers import ActingOfficer
from models.outbox import OutboxMessage
from models.payment_orders import AgentBank, PaymentOrder, PaymentOrderStatus
from policies.clock import ZONE, now, today
from policies.deadlines import BATCH_SENDING
from policies.enforcement import allow
from policies.identities import CNAPS_LENGTH
from policies.lifecycles import Desk
from policies.lifecycles.bank_batches import BANK_BATCH_LIFECYCLE
from policies.limits import due_on
from policies.moves import begin, move, move_many, require_desk, title_of
from policies.permissions import Permission
from policies.refusals import ReasonMissing, Refused, StepNotPossible
from workflows import corrections, disbursements, results
from workflows.files import XML, content_of, store
from workflows.numbers import next_numbers
from workflows.outbox import TOPICS, Topic, ask
from workflows.payment_orders import agent_account

TOPIC = "bank_batch"
KEPT_DAYS = 90


class NothingToPay(Refused):
    """{title}没有待发放的明细：都已列入代发批次；请在“代发批次”页查看办理进度（第二十条）。"""


class FileUnwritable(Refused):
    """{title}不能生成代发报文：{problem}；请退回经办，更正收款人或账户后重新生成批次（第二十条）。"""


class NothingCorrected(Refused):
    """{title}没有可补发的明细：须先由乡镇更正账户或确认激活，并经代理金融机构验证通过（第二十一条）。"""


# --- prepare ------------------------------------------------------------------------------------------------------


def prepare(session: Session, order: PaymentOrder, *, by: ActingOfficer) -> BankBatch:
    """Put a funded order's open lines into a batch, due 2 working days from the funding (拨付成功). （第二十条）

    Raises StepNotPossible when the order is not funded, NothingToPay.
    """
    _allow_prepare(session, order, by)
    found = session.execute(
        text(
            "select count(*) as lines, coalesce(sum(amount_fen), 0) as fen, coalesce(max(attempt), 1) as attempt"
            " from disbursements where county_code = :county and order_id = :order and status = 'reserved'"
        ),
        {"county": order.division_code, "order": order.id},
    ).one()
    if not found.lines:
        raise NothingToPay(title=title_of(order))
    return _prepare(session, order, by, correction=found.attempt > 1)


def _allow_prepare(session: Session, order: PaymentOrder, by: ActingOfficer) -> None:
    allow(session, by, Permission.BATCH_PREPARE, order)
    if order.status != PaymentOrderStatus.FUNDED or order.funded_at is None:
        raise StepNotPossible(title=title_of(order), status=order.status.label, step="生成代发批次")


def _prepare(session: Session, order: PaymentOrder, by: ActingOfficer, *, correction: bool) -> BankBatch:
    moment = now(session)
    [number] = next_numbers(session, BankBatch, "PC", order.division_code)
    batch = BankBatch(
        division_code=order.division_code,
        number=number,
        order_id=order.id or 0,
        sector=order.sector,
        bank_id=order.bank_id,
        agent_account_id=order.agent_account_id,
        project_name=order.project_name,
        correction=correction,
        amount_fen=0,
        prepared_at=moment,
        arrived_at=moment,
    )
    begin(session, batch, by=by, label="生成代发批次", desk=Desk.FINANCE_CLERK, facts={"order": order.number})
    listed = disbursements.step(
        session, order.division_code, "prepare", values={"batch_id": batch.id}, order_id=order.id
    )
    batch.line_count, batch.amount_fen = listed.count, listed.amount_fen
    if not correction and order.funded_at is not None:
        funded_on = order.funded_at.astimezone(ZONE).date()
        batch.due_on = due_on(session, BATCH_SENDING, batch.division_code, funded_on)
    session.flush()
    return batch


def prepare_correction(session: Session, order: PaymentOrder, *, by: ActingOfficer) -> BankBatch:
    """Pay an order's corrected failures again, each by a new attempt of the same amount. （第二十一条第一、二项）

    Each failure is claimed before its line is copied, so that it is paid again once. Raises NothingCorrected.
    """
    _allow_prepare(session, order, by)
    if not corrections.copy(session, order, by=by):
        raise NothingCorrected(title=title_of(order))
    return _prepare(session, order, by, correction=True)


def prepare_corrections(session: Session, *, by: ActingOfficer) -> list[BankBatch]:
    """Prepare a correction batch for every order of the county that has verified corrections. （第二十一条）

    Raises NothingCorrected when there is none.
    """
    allow(session, by, Permission.BATCH_PREPARE)
    orders = session.exec(
        select(PaymentOrder)
        .where(
            PaymentOrder.division_code == by.division_code,
            PaymentOrder.status == PaymentOrderStatus.FUNDED,
            col(PaymentOrder.id).in_(
                sa.text("select order_id from failures where county_code = :c and status = 'corrected'").bindparams(
                    c=by.division_code
                )
            ),
        )
        .order_by(col(PaymentOrder.id))
    ).all()
    ready = [order for order in orders if corrections.ready(session, order)]
    if not ready:
        raise NothingCorrected(title="本旗县")
    return [prepare_correction(session, order, by=by) for order in ready]


# --- release and cancel -------------------------------------------------------------------------------------------


def release(session: Session, batch: BankBatch, *, by: ActingOfficer, opinion: str = "") -> BankBatch:
    """Release a batch: its file is fixed and sent to the agent bank by itself, once for ever. （第二十条）

    Raises FileUnwritable.
    """
    _allow(session, batch, "release", by)
    _fix_file(session, batch, by)
    move(session, batch, "release", by=by, opinion=opinion)
    ask(session, TOPIC, batch.number, batch)
    return batch


def cancel(session: Session, batch: BankBatch, *, by: ActingOfficer, reason: str) -> BankBatch:
    """Send a prepared batch back: its lines wait for the next batch of their order. （第二十条）

    Raises ReasonMissing.
    """
    _allow(session, batch, "cancel", by)
    if not reason.strip():
        raise ReasonMissing(step="退回经办", field="退回原因")
    move(session, batch, "cancel", by=by, opinion=reason.strip())
    disbursements.step(session, batch.division_code, "unprepare", values={"batch_id": None}, batch_id=batch.id)
    return batch


def _allow(session: Session, batch: BankBatch, verb: str, by: ActingOfficer) -> None:
    permission = next(step.permission for step in BANK_BATCH_LIFECYCLE.steps if step.verb == verb)
    allow(session, by, permission or Permission.BATCH_VIEW, batch)
    require_desk(BANK_BATCH_LIFECYCLE.step(verb, batch.status, title_of(batch)), by)


# --- sending ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class Sending:
    """One batch on its way to the bank."""

    number: str
    content: bytes
    agent_account: str
    pay_app_no: str
    credited: bool
    interface: bool = True
    """Without one, the bank's officers fetch the file at their desk."""


@dataclass(frozen=True)
class Answer:
    """What the bank said to the file: its receipt, or why it refused it as a whole."""

    bank_reference: str = ""
    refusal: str = ""


def _sending(session: Session, message: OutboxMessage) -> Sending:
    """Return the batch as it was released: a second sending has the very same content."""
    batch = _locked(session, message.record_id)
    order = _order(session, batch)
    account, bank = agent_account(session, order)
    content = content_of(session, batch.file_id)
    credited = order.credited_at is not None
    return Sending(batch.number, content, account.number, order.pay_app_no or "", credited, bank.interface)


def _fix_file(session: Session, batch: BankBatch, by: ActingOfficer) -> None:
    """Write the batch's file and keep it sealed: what is released is what is sent. Raises FileUnwritable."""
    try:
        content = write(session, batch, _order(session, batch))
    except Unwritable as problem:
        raise FileUnwritable(title=title_of(batch), problem=problem.fields["problem"]) from problem
    file = store(
        session,
        f"{batch.number}.xml",
        content,
        by=by,
        division_code=batch.division_code,
        media_type=XML,
        days=KEPT_DAYS,
    )
    batch.file_id = file.id
    session.flush()


def _order(session: Session, batch: BankBatch) -> PaymentOrder:
    return session.exec(
        select(PaymentOrder).where(PaymentOrder.division_code == batch.division_code, PaymentOrder.id == batch.order_id)
    ).one()


def write(session: Session, batch: BankBatch, order: PaymentOrder) -> bytes:
    """Return the batch's pain.001 file. （第二十条） Raises Unwritable."""
    account, bank = agent_account(session, order)
    with closing(_payments(session, batch)) as payments:
        file = CreditTransferFile(
            message_id=batch.number,
            created_at=now(session),
            execution_on=today(session),
            debtor_name=account.name,
            debtor_account=account.number,
            debtor_bank_code=bank.cnaps,
            payment_count=batch.line_count,
            total_fen=batch.amount_fen,
            payments=payments,
        )
        return pain001.write(file)


def _payments(session: Session, batch: BankBatch) -> Generator[CreditTransfer, None, None]:
    line: Any = Disbursement
    statement = (
        sa.select(line.end_to_end_id, line.amount_fen, line.payee_name, line.account_number, line.bank_code)
        .where(line.county_code == batch.division_code, line.batch_id == batch.id)
        .order_by(line.roster_id, line.line_sequence)
        .execution_options(yield_per=2000)
    )
    memo = batch.project_name[:140]
    with session.execute(statement) as rows:
        for number, fen, name, account, code in rows:
            yield CreditTransfer(number, fen, name, account, code if len(code) == CNAPS_LENGTH else "", memo)


def _send(sending: Sending) -> Answer:
    if not sending.interface:
        return Answer()
    if not sending.credited and banks.ask_credit(sending.agent_account, sending.pay_app_no) is None:
        raise Unavailable("代理银行", "拨付资金尚未到账，暂不发送")
    try:
        return Answer(banks.send_batch(sending.number, sending.content, sending.agent_account).bank_reference)
    except Rejected as refused:
        if refused.code == "DUPLICATE_MSGID":
            return Answer()  # the bank has it: its results decide
        return Answer(refusal=f"{refused.text}（{refused.code}）")


def _inquire(sending: Sending) -> Answer | None:
    return Answer() if not sending.interface or banks.ask_batch(sending.number) != "unknown" else None


def _apply(session: Session, message: OutboxMessage, answer: Answer, by: ActingOfficer) -> bool:
    batch = _locked(session, message.record_id)
    if batch.status == BankBatchStatus.RELEASED:
        batch.sent_at, batch.bank_reference = now(session), answer.bank_reference
        session.flush()
        move(session, batch, "send", by=by, facts={"bank_reference": answer.bank_reference})
        disbursements.step(session, batch.division_code, "send", batch_id=batch.id)
        if not batch.correction:
            disbursements.bank_clock(session, _order(session, batch))
            session.refresh(batch)
        if answer.refusal:
            _refuse(session, batch, answer.refusal, by)
    return True


TOPICS[TOPIC] = Topic(prepare=_sending, send=_send, inquire=_inquire, apply=_apply)


def _locked(session: Session, batch_id: int | None) -> BankBatch:
    return session.exec(
        select(BankBatch).where(BankBatch.id == batch_id).with_for_update().execution_options(populate_existing=True)
    ).one()


def _refuse(session: Session, batch: BankBatch, reason: str, by: ActingOfficer) -> None:
    """The bank refused the whole file: nothing was paid, the lines wait for the next batch of their order."""
    results.note(session, batch, "", "银行整批拒收", reason)
    move(session, batch, "refuse", by=by, opinion=reason[:300])
    disbursements.step(session, batch.division_code, "refuse", values={"batch_id": None}, batch_id=batch.id)


# --- results ------------------------------------------------------------------------------------------------------


def fetch_results(by: ActingOfficer) -> int:
    """Fetch the results of every batch the bank has, and apply them; return how many lines were answered. （第二十条）

    Idempotent: what is settled is skipped. Nothing is open while the bank is asked. Raises Unavailable.
    """
    with transaction(by) as session:
        waiting = session.execute(
            sa.select(col(BankBatch.id), col(BankBatch.number))
            .join(AgentBank, col(AgentBank.id) == col(BankBatch.bank_id))
            .where(col(BankBatch.status).in_(disbursements.OPEN), col(AgentBank.interface))
            .order_by(col(BankBatch.id))
        ).all()
    answered = 0
    for batch_id, number in waiting:
        state = banks.ask_batch(number)
        files = banks.fetch_results(number)
        if state in ("accepted", "settled"):
            with transaction(by) as session:
                batch = _locked(session, batch_id)
                if batch.status == BankBatchStatus.SENT:
                    move(session, batch, "accept", by=by)
                    _keep_clock(session, batch)
        for content in files:
            with transaction(by) as session:
                applied = apply_file(session, _locked(session, batch_id), content, by=by)
            answered += len(applied.paid) + len(applied.failed)
    return answered


def _keep_clock(session: Session, batch: BankBatch) -> None:
    if not batch.correction:
        disbursements.bank_clock(session, _order(session, batch))


SETTLED = text(
    """
    select b.id from bank_batches b where b.status = 'settled' and not exists (
        select 1 from disbursements d join failures f on f.county_code = d.county_code and f.disbursement_id = d.id
        where d.county_code = b.division_code and d.batch_id = b.id
            and f.status not in ('settled', 'refunded', 'replaced'))
    """
)


def close_settled(by: ActingOfficer) -> int:
    """Close the settled batches whose every failure has come to its end; return how many. （第二十条）"""
    with transaction(by) as session:
        return move_many(session, BankBatch, "close", list(session.execute(SETTLED).scalars()), by=by)


def apply_file(session: Session, batch: BankBatch, content: bytes, *, by: ActingOfficer) -> disbursements.Applied:
    """Apply one pain.002 file to a locked batch; settle it when every line is answered. （第二十条）"""
    try:
        file = pain002.read(content)
    except Unreadable as problem:
        results.note(session, batch, "", "回盘文件无法读取", str(problem))
        return disbursements.Applied(exceptions=1)
    return apply_told(session, batch, file, by=by)


def apply_told(session: Session, batch: BankBatch, file: ResultFile, *, by: ActingOfficer) -> disbursements.Applied:
    """Apply what the bank told of a locked batch, in whatever form it came; settle it when all is answered."""
    rest = file.rest
    whole = rest is not None and rest.outcome == "failed" and not file.results
    if whole and rest is not None and batch.status == BankBatchStatus.SENT and file.message_id in ("", batch.number):
        _refuse(session, batch, f"{rest.text or '银行拒收'}（{rest.code}）", by)
        return disbursements.Applied()
    if batch.status not in (*disbursements.OPEN, BankBatchStatus.SETTLED):
        return disbursements.Applied()
    applied = disbursements.apply_results(session, batch, file, by=by)
    if batch.status in disbursements.OPEN and not results.open_count(session, batch):
        batch.settled_at = now(session)
        session.flush()
        facts = {"paid_fen": batch.paid_fen, "failed_fen": batch.failed_fen}
        move(session, batch, "settle", by=by, facts=facts)
    return applied
