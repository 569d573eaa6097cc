"""The verbs of an agent bank's desk: prepared by one person, confirmed by another. （第十二、二十、二十一、二十三条）

A reply changes nothing until it is confirmed; files are checked by `bank_reply_check.py` and
what is confirmed is applied by `bank_reply_apply.py`.
"""

from datetime import date
from hashlib import sha256
from pathlib import PurePath
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from models.accounts import Account, AccountStatus
from models.bank_batches import BankBatch, BankBatchStatus, Disbursement, DisbursementStatus
from models.bank_replies import BankReply, BankReplyRow, ReplyKind, ReplySource, ReplyStatus
from models.jobs import Job
from models.officers import ActingOfficer
from models.payment_orders import AgentBank
from policies.clock import now, today
from policies.enforcement import allow
from policies.identities import mask_card
from policies.lifecycles import Desk
from policies.moves import begin, move
from policies.permissions import Permission
from policies.refusals import NotFound, ReasonMissing, Refused
from reports.sheets.bank_replies import said
from reports.sheets.workbooks import require_workbook
from workflows.account_answers import NOTICES
from workflows.files import XLSX, XML, store
from workflows.numbers import next_numbers
from workflows.queue import start_job

CHECK_JOB, APPLY_JOB = "check_bank_reply", "apply_bank_reply"
OPEN_BATCH = (BankBatchStatus.SENT, BankBatchStatus.ACCEPTED)
TAKES_FILES = (*OPEN_BATCH, BankBatchStatus.SETTLED)
"""A settled batch still takes files: what they repeat is skipped, what they contradict goes to the exceptions desk."""
OPEN_PAYMENT = (DisbursementStatus.SENT, DisbursementStatus.UNKNOWN)


class SameReply(Refused):
    """该文件已上传为 {number}（{status}），没有重复处理；内容有更正的，请修改后上传更正的文件。"""


class AnsweredAlready(Refused):
    """该账户当前状态为“{status}”，没有等待答复的验证；如状态有变化，请使用“通知不动户、销户”（第十二条）。"""


class NoticeNotFitting(Refused):
    """该账户当前状态为“{status}”，不能再通知为“{told}”；请核对账户状态（第二十一条）。"""


class PaymentAnswered(Refused):
    """该笔支付当前状态为“{status}”，没有等待返回的结果；如与银行记录不符，请联系旗县财政局按异常处理（第二十条）。"""


class BatchNotOpen(Refused):
    """代发批次 {number} 当前状态为“{status}”，不在等待发放结果；请核对批次号（第二十条）。"""


class PendingReply(Refused):
    """该{what}已录入 {number}，正在等待复核；如需更改，请先撤回原回复。"""


# --- by hand ------------------------------------------------------------------------------------------------------


def answer_account(
    session: Session, account: Account, *, by: ActingOfficer, state: str, is_card: bool = True, words: str = ""
) -> BankReply:
    """Answer one account's verification by hand. （第十二条） Raises AnsweredAlready, PendingReply."""
    _allow(session, by, account)
    if account.status != AccountStatus.VERIFYING:
        raise AnsweredAlready(status=account.status.label)
    _require_none_pending(session, "账户", BankReplyRow.account_id == account.id, ReplyKind.ANSWERS)
    row = _account_row(account, state) | {"is_card": is_card, "words": words.strip()}
    subject = f"{mask_card(account.number)}：{said(ReplyKind.ANSWERS, state)}"
    return _by_hand(session, by, ReplyKind.ANSWERS, subject, [row])


def notice_account(session: Session, account: Account, *, by: ActingOfficer, state: str, words: str = "") -> BankReply:
    """Tell by hand that an account is dormant or closed, or that its name differs. （第二十一条第一、二项）

    Raises NoticeNotFitting, PendingReply.
    """
    _allow(session, by, account)
    if account.status == AccountStatus.CLOSED or state == account.status or state not in NOTICES:
        raise NoticeNotFitting(status=account.status.label, told=said(ReplyKind.NOTICES, state))
    _require_none_pending(session, "账户", BankReplyRow.account_id == account.id, ReplyKind.NOTICES)
    subject = f"{mask_card(account.number)}：{said(ReplyKind.NOTICES, state)}"
    row = _account_row(account, state) | {"words": words.strip()}
    return _by_hand(session, by, ReplyKind.NOTICES, subject, [row])


def _account_row(account: Account, state: str) -> dict[str, Any]:
    return {"account_id": account.id, "reference": mask_card(account.number), "state": state}


def answer_payment(
    session: Session,
    payment: Disbursement,
    *,
    by: ActingOfficer,
    outcome: str,
    code: str = "",
    words: str = "",
    settled_on: date | None = None,
) -> BankReply:
    """Return the result of one payment by hand. （第二十条）

    Raises PaymentAnswered, PendingReply, ReasonMissing when a failure says no reason.
    """
    _allow(session, by, payment)
    if payment.status not in OPEN_PAYMENT or payment.batch_id is None:
        raise PaymentAnswered(status=payment.status.label)
    batch = _batch(session, payment.batch_id)
    _require_reason(outcome, code, words)
    _require_none_pending(session, "支付", BankReplyRow.reference == payment.end_to_end_id, ReplyKind.RESULTS)
    day = settled_on or today(session)
    if day > today(session):
        raise ReasonMissing(step="登记发放结果", field="不晚于今天的结果日期")
    row = {
        "reference": payment.end_to_end_id,
        "amount_fen": payment.amount_fen,
        "state": outcome,
        "code": code.strip().upper(),
        "words": words.strip(),
        "settled_on": day,
    }
    subject = f"批次 {batch.number} 序号 {payment.line_sequence}：{said(ReplyKind.RESULTS, outcome)}"
    return _by_hand(session, by, ReplyKind.RESULTS, subject, [row], batch=batch)


def answer_batch(
    session: Session, batch: BankBatch, *, by: ActingOfficer, outcome: str, code: str = "", words: str = ""
) -> BankReply:
    """Return one result for every payment of a batch that has none yet. （第二十条）

    Raises BatchNotOpen, ReasonMissing.
    """
    _allow(session, by, batch)
    _require_open(batch)
    _require_reason(outcome, code, words)
    what = "尚无结果的明细全部成功" if outcome == "paid" else "尚无结果的明细全部失败"
    rest = {"rest_outcome": outcome, "rest_code": code.strip().upper(), "rest_text": words.strip()[:200]}
    return _by_hand(session, by, ReplyKind.RESULTS, f"批次 {batch.number}：{what}", [], batch=batch, **rest)


def _require_reason(outcome: str, code: str, words: str) -> None:
    if outcome == "failed" and not code.strip() and not words.strip():
        raise ReasonMissing(step="登记发放结果", field="失败的原因代码或原因说明")


def _require_none_pending(session: Session, what: str, same: Any, kind: ReplyKind) -> None:
    number = session.execute(
        sa.select(col(BankReply.number))
        .join(BankReplyRow, col(BankReplyRow.reply_id) == col(BankReply.id))
        .where(same, col(BankReply.kind) == kind)
        .where(col(BankReply.status).in_((ReplyStatus.PREPARED, ReplyStatus.CONFIRMED)))
        .limit(1)
    ).scalar_one_or_none()
    if number is not None:
        raise PendingReply(what=what, number=number)


def _by_hand(
    session: Session,
    by: ActingOfficer,
    kind: ReplyKind,
    subject: str,
    rows: list[dict[str, Any]],
    *,
    batch: BankBatch | None = None,
    **fields: Any,
) -> BankReply:
    reply = _new(session, by, kind, ReplySource.HAND, subject, batch)
    for name, value in fields.items():
        setattr(reply, name, value)
    reply.row_count, reply.amount_fen = len(rows), sum(row.get("amount_fen") or 0 for row in rows)
    begin(session, reply, by=by, label=f"录入{kind.label}", desk=Desk.BANK_CLERK, facts={"rows": len(rows)})
    keys: dict[str, Any] = {"division_code": reply.division_code, "reply_id": reply.id, "bank_id": reply.bank_id}
    session.add_all([BankReplyRow(**keys, row_number=number, **row) for number, row in enumerate(rows, 1)])
    session.flush()
    return reply


def _new(
    session: Session,
    by: ActingOfficer,
    kind: ReplyKind,
    source: ReplySource,
    subject: str,
    batch: BankBatch | None,
    status: ReplyStatus = ReplyStatus.PREPARED,
) -> BankReply:
    bank = session.get_one(AgentBank, by.bank_id)
    # The bank stands in the number: two banks of one place don't see each other's.
    [number] = next_numbers(session, BankReply, f"HF{bank.prefix}", by.division_code)
    moment = now(session)
    return BankReply(
        division_code=by.division_code,
        bank_id=by.bank_id,
        number=number,
        kind=kind,
        source=source,
        status=status,
        subject=subject[:200],
        batch_id=batch.id if batch is not None else None,
        prepared_at=moment,
        arrived_at=moment,
        prepared_by=by.officer_id,
    )


# --- by file ------------------------------------------------------------------------------------------------------


def receive(
    session: Session,
    *,
    by: ActingOfficer,
    kind: ReplyKind,
    file_name: str,
    content: bytes,
    batch: BankBatch | None = None,
) -> BankReply:
    """Receive a file of the bank, a workbook or for results also a pain.002 message, and start its check.

    （第十二、二十、二十一条） Raises FileEmpty, FileTooBig, WrongFileType, WorkbookEncrypted, WorkbookDamaged,
    SameReply, BatchNotOpen.
    """
    _allow(session, by)
    name = PurePath(file_name.replace("\\", "/")).name or "回复.xlsx"
    source = _source_of(kind, content)
    if source == ReplySource.WORKBOOK:
        require_workbook(content, name)
    if kind == ReplyKind.RESULTS:
        if batch is None:
            raise ReasonMissing(step="上传发放结果", field="代发批次")
        _allow(session, by, batch)
        _require_open(batch, TAKES_FILES)
    digest = sha256(content).hexdigest()
    subject = name if batch is None else f"批次 {batch.number}：{name}"
    reply = _new(session, by, kind, source, subject, batch, ReplyStatus.RECEIVED)
    # Under the lock that the number has taken: of two uploads of one file at once the second is recognised.
    _require_new_file(session, by, kind, digest)
    media_type = XML if source == ReplySource.MESSAGE else XLSX
    file = store(session, name, content, by=by, division_code=by.division_code, media_type=media_type)
    reply.file_id, reply.file_name, reply.sha256 = file.id, name, digest
    begin(session, reply, by=by, label=f"上传{kind.label}", desk=Desk.BANK_CLERK)
    start_job(
        session,
        by=by,
        kind=CHECK_JOB,
        title=f"核对银行回复 {reply.number}",
        division_code=reply.division_code,
        arguments={"reply_id": reply.id},
    )
    return reply


def _source_of(kind: ReplyKind, content: bytes) -> ReplySource:
    """Tell a message from a workbook by its first bytes."""
    markup = content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")
    return ReplySource.MESSAGE if kind == ReplyKind.RESULTS and markup else ReplySource.WORKBOOK


def _require_new_file(session: Session, by: ActingOfficer, kind: ReplyKind, digest: str) -> None:
    same = session.exec(
        select(BankReply).where(
            BankReply.bank_id == by.bank_id,
            BankReply.kind == kind,
            BankReply.sha256 == digest,
            col(BankReply.status).not_in((ReplyStatus.WITHDRAWN, ReplyStatus.REFUSED)),
        )
    ).first()
    if same is not None:
        raise SameReply(number=same.number, status=same.status.label)


def job_of(session: Session, reply: BankReply) -> Job | None:
    """Return the latest job of a reply, to follow its progress."""
    mine = sa.cast(Job.arguments["reply_id"], sa.Text) == str(reply.id)
    statement = select(Job).where(Job.division_code == reply.division_code, mine)
    return session.exec(statement.where(col(Job.kind).in_((CHECK_JOB, APPLY_JOB))).order_by(col(Job.id).desc())).first()


# --- the reviewer -------------------------------------------------------------------------------------------------


def confirm(session: Session, reply: BankReply, *, by: ActingOfficer, opinion: str = "") -> BankReply:
    """Confirm a reply that another person prepared; a job applies it. （第二十、二十三条）

    Raises SamePersonTwice, FasterColleague.
    """
    _allow(session, by, reply, Permission.BANK_REPLY_CONFIRM)
    if reply.batch_id is not None:
        _require_open(_batch(session, reply.batch_id), TAKES_FILES)
    move(session, reply, "confirm", by=by, opinion=opinion)
    start_job(
        session,
        by=by,
        kind=APPLY_JOB,
        title=f"登记银行回复 {reply.number}",
        division_code=reply.division_code,
        arguments={"reply_id": reply.id},
    )
    return reply


def return_(session: Session, reply: BankReply, *, by: ActingOfficer, reason: str) -> BankReply:
    """Return a reply to its clerk: nothing of it is applied. （第二十三条） Raises ReasonMissing."""
    _allow(session, by, reply, Permission.BANK_REPLY_CONFIRM)
    return _end(session, reply, "return_", by, reason, "退回原因")


def withdraw(session: Session, reply: BankReply, *, by: ActingOfficer, reason: str) -> BankReply:
    """Take back a reply that nobody has confirmed yet. Raises ReasonMissing."""
    _allow(session, by, reply)
    return _end(session, reply, "withdraw", by, reason, "撤回原因")


def _end(session: Session, reply: BankReply, verb: str, by: ActingOfficer, reason: str, field: str) -> BankReply:
    if not reason.strip():
        raise ReasonMissing(step="退回或撤回", field=field)
    return move(session, reply, verb, by=by, opinion=reason.strip())


# --- what is the bank's own ---------------------------------------------------------------------------------------


def _allow(
    session: Session,
    by: ActingOfficer,
    record: Any = None,
    permission: Permission = Permission.BANK_REPLY_PREPARE,
) -> None:
    """Let a bank's officer act on the bank's own rows. （第三十四条） Raises NotAllowed, NotFound."""
    allow(session, by, permission)
    if not by.bank_id or (record is not None and record.bank_id != by.bank_id):
        raise NotFound


def reply_of(session: Session, job_id: int) -> BankReply:
    """Return the reply that a job is about."""
    return session.get_one(BankReply, session.get_one(Job, job_id).arguments["reply_id"])


def batch_of(session: Session, reply: BankReply) -> BankBatch | None:
    """Return the batch whose results a reply tells, if it is about any."""
    return None if reply.batch_id is None else _batch(session, reply.batch_id)


def _batch(session: Session, batch_id: int) -> BankBatch:
    batch = session.exec(select(BankBatch).where(BankBatch.id == batch_id)).one_or_none()
    if batch is None:
        raise NotFound
    return batch


def _require_open(batch: BankBatch, statuses: tuple[BankBatchStatus, ...] = OPEN_BATCH) -> None:
    if batch.status not in statuses:
        raise BatchNotOpen(number=batch.number, status=batch.status.label)
