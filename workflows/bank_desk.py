"""What lies on an agent bank's desk and what is taken from it: lists, batch files, forms. （第十二、二十、三十四条）

Full account numbers stand in two files only: the list of verifications that wait, whose download is recorded as a
reveal, and the batch's own message, whose download is recorded with the batch. （第三十条）
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import Any

from sqlalchemy import text
from sqlmodel import Session, select

from models.bank_batches import BankBatch, Disbursement
from models.bank_replies import ReplyKind
from models.crypto import ring
from models.jobs import StoredFile
from models.officers import ActingOfficer
from models.payment_orders import AgentBank
from policies.clock import today
from policies.enforcement import allow
from policies.identities import mask_card, mask_name
from policies.moves import record_event
from policies.permissions import Permission
from policies.refusals import NotFound, Refused
from reports.sheets.bank_replies import write_template
from workflows.bank_replies import OPEN_PAYMENT
from workflows.files import Download, content_of
from workflows.reveals import record_list

LISTED = 20_000
"""Verifications in one list, the longest waiting first; the next list has the next ones."""
REASON = "账户验证"
COUNT_CAP = 100_000


class NothingWaits(Refused):
    """目前没有等待本行答复的账户验证；有新的验证时会显示在工作台。"""


class FileGone(Refused):
    """代发批次 {number} 的报文已过保存期限并清除；如仍需要，请联系旗县财政局（第三十条）。"""


@dataclass(frozen=True)
class Desk:
    """How much waits at the bank's desk."""

    bank: str
    interface: bool
    verifications: int
    batches: int
    late: int
    next_due: date | None
    dormant: int
    closed: int
    to_confirm: int


DESK = text(
    """
    select
        (select count(*) from (select 1 from accounts where status = 'verifying' limit :cap) v) as verifications,
        (select count(*) from bank_batches where status in ('sent', 'accepted')) as batches,
        (select count(*) from bank_batches where status in ('sent', 'accepted') and due_on < :day) as late,
        (select min(due_on) from bank_batches where status in ('sent', 'accepted')) as next_due,
        (select count(*) from (select 1 from accounts where status = 'dormant' limit :cap) d) as dormant,
        (select count(*) from (select 1 from accounts where status = 'closed' limit :cap) c) as closed,
        (select count(*) from bank_replies where status = 'prepared') as to_confirm
    """
)


def desk(session: Session, by: ActingOfficer) -> Desk:
    """Return what waits at the bank's desk; the row policies show the bank's own rows only. （第二十条）"""
    bank = session.get_one(AgentBank, by.bank_id)
    found = session.execute(DESK, {"cap": COUNT_CAP, "day": today(session)}).one()
    return Desk(bank.name, bank.interface, *found)


QUESTIONS = text("select * from bank_questions() limit :limit")


def waiting_list(session: Session, *, by: ActingOfficer) -> Download:
    """Return the verifications that wait for the bank as the workbook in which it answers. （第十二、三十条）

    The only list with full account numbers; each download is recorded as a reveal. Raises NothingWaits, RevealsUsedUp.
    """
    _allow(session, by, Permission.BANK_REPLY_PREPARE)
    rows = session.execute(QUESTIONS, {"limit": LISTED}).all()
    if not rows:
        raise NothingWaits
    day = today(session)
    title = f"待验证账户清单（{day:%Y-%m-%d}，{len(rows)} 户）：填写“验证结果”后原表上传"
    content = write_template(ReplyKind.ANSWERS, _questions(rows), title=title)
    title = "待验证账户清单：账号、户名、证件号码"
    digest = sha256(content).hexdigest()
    record_list(session, by=by, noun="account", title=title, count=len(rows), digest=digest, reason=REASON)
    return Download(f"待验证账户清单-{day:%Y%m%d}.xlsx", content)


def _questions(rows: Any) -> Iterator[dict[str, Any]]:
    keys = ring()
    for number, row in enumerate(rows, 1):
        yield {
            "sequence": number,
            "account_number": keys.open(bytes(row.number)),
            "name": row.holder,
            "id_number": keys.open(bytes(row.id_number)),
            "place": f"{row.county}{row.township}",
        }


def batch_file(session: Session, batch: BankBatch, *, by: ActingOfficer) -> Download:
    """Return a batch's own message, for a bank without interface; the download is recorded. （第二十条）

    Raises FileGone, NotFound.
    """
    _allow(session, by, Permission.BATCH_VIEW, batch)
    file = session.get(StoredFile, batch.file_id) if batch.file_id is not None else None
    if file is None or batch.sent_at is None:
        raise NotFound
    if not file.content:
        raise FileGone(number=batch.number)
    record_event(session, batch, "download", by=by, label="代理银行领取代发报文", facts={"file": file.sha256[:16]})
    return Download(file.name, content_of(session, file.id), file.media_type)


def results_form(session: Session, batch: BankBatch, *, by: ActingOfficer) -> Download:
    """Return the workbook in which the bank writes a batch's results: the payments without one, masked. （第二十条）"""
    _allow(session, by, Permission.BATCH_VIEW, batch)
    line: Any = Disbursement
    rows = session.exec(
        select(Disbursement)
        .where(line.county_code == batch.division_code, line.batch_id == batch.id, line.status.in_(OPEN_PAYMENT))
        .order_by(line.roster_id, line.line_sequence)
        .execution_options(yield_per=2000)
    )
    title = f"代发批次 {batch.number} 发放结果：填写“发放结果”后原表上传"
    return Download(f"发放结果-{batch.number}.xlsx", write_template(ReplyKind.RESULTS, _payments(rows), title=title))


def _payments(rows: Any) -> Iterator[dict[str, Any]]:
    for number, row in enumerate(rows, 1):
        yield {
            "sequence": number,
            "reference": row.end_to_end_id,
            "name": mask_name(row.payee_name),
            "account_shown": mask_card(row.account_number),
            "amount": row.amount_fen / 100,
        }


def _allow(session: Session, by: ActingOfficer, permission: Permission, record: Any = None) -> None:
    """Let a bank's officer take what is the bank's own. （第三十四条） Raises NotAllowed, NotFound."""
    allow(session, by, permission)
    if not by.bank_id or (record is not None and record.bank_id != by.bank_id):
        raise NotFound
