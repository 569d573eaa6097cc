"""Replacing cards in bulk: a list checked row by row, proposed by one person, confirmed by another.

（第十二、二十三条） A township's list is its own; a county's serves whole banks. A bank's own list is vouched for by
its reviewer first, and is then the bank's verification. Checked by `account_batch_check.py`,
applied by `account_batch_apply.py`.
"""

from hashlib import sha256
from pathlib import PurePath

import sqlalchemy as sa
from sqlalchemy import text
from sqlmodel import Session, col, select

from models.account_batches import AccountBatch, AccountBatchRow, BatchKind, BatchSource, BatchStatus, CardOutcome
from models.base import county_of
from models.divisions import Level
from models.jobs import Job, JobStatus
from models.officers import ActingOfficer, system_principal
from models.organisations import OrganisationKind
from models.payment_orders import AgentBank
from policies.clock import now
from policies.enforcement import allow
from policies.interests import require_disinterested
from policies.lifecycles import Desk
from policies.moves import begin, move, title_of
from policies.permissions import Permission
from policies.refusals import NotAllowed, NotFound, ReasonMissing, Refused
from reports.sheets.account_batches import CARDS, GUIDES, write_list
from reports.sheets.comma import is_text
from reports.sheets.workbooks import FileEmpty, require_workbook
from workflows import account_batch_rows
from workflows.files import XLSX, Download, store
from workflows.numbers import next_numbers
from workflows.queue import start_job

CHECK_JOB, APPLY_JOB = "check_account_batch", "apply_account_batch"
CSV = "text/csv"
TWO = 2
ENDED = (JobStatus.DONE, JobStatus.REFUSED, JobStatus.FAILED, JobStatus.CANCELLED)


class SameList(Refused):
    """该清单已上传为 {number}（{status}），没有重复处理；内容有更正的，请修改后上传更正的清单。"""


class BankChoice(Refused):
    """更换代理银行须选择两家不同的银行：原代理银行和新代理银行（第三十四条）。"""

    status_code = 400


class NothingToReplace(Refused):
    """批次 {number} 没有可以换卡的行；请按标注文件更正后重新上传。"""


class StillRunning(Refused):
    """批次 {number} 正在登记，不需要重新开始；请查看进度。"""


def receive(
    session: Session,
    *,
    by: ActingOfficer,
    kind: BatchKind,
    source: BatchSource,
    reason: str,
    file_name: str,
    content: bytes,
    bank_id: int | None = None,
    from_bank_id: int | None = None,
) -> AccountBatch:
    """Receive a list of replaced cards, a workbook or delimited text, and start its check. （第十二条）

    A bank's officer sends the bank's own list; only a county changes its bank. Raises NotAllowed, ReasonMissing,
    BankChoice, FileEmpty, FileTooBig, WrongFileType, WorkbookEncrypted, WorkbookDamaged, TextUnreadable, SameList.
    """
    source, bank_id = _whose(session, by, source, bank_id)
    if not reason.strip():
        raise ReasonMissing(step="批量换卡", field="换卡原因")
    if kind == BatchKind.BANK:
        _require_two_banks(session, by, bank_id, from_bank_id)
    name = PurePath(file_name.replace("\\", "/")).name or "换卡清单.xlsx"
    plain = _require_list(name, content)
    letters = "HK" if source != BatchSource.BANK else f"HK{session.get_one(AgentBank, bank_id).prefix}"
    [number] = next_numbers(session, AccountBatch, letters, by.division_code)
    digest = sha256(content).hexdigest()
    _require_new(session, by.division_code, kind, digest)
    file = store(session, name, content, by=by, division_code=by.division_code, media_type=CSV if plain else XLSX)
    batch = AccountBatch(
        division_code=by.division_code,
        county_code=county_of(by.division_code),
        number=number,
        kind=kind,
        source=source,
        bank_id=bank_id,
        from_bank_id=from_bank_id if kind == BatchKind.BANK else None,
        reason=reason.strip()[:500],
        file_id=file.id or 0,
        file_name=name,
        sha256=digest,
        prepared_at=now(session),
        prepared_by=by.officer_id,
    )
    begin(session, batch, by=by, label=f"上传{source.label}", desk=_desk(by))
    start_job(session, by=by, kind=CHECK_JOB, title=f"核对批量换卡 {number}", division_code=batch.division_code,
              arguments={"batch_id": batch.id})  # fmt: skip
    return batch


def _require_list(name: str, content: bytes) -> bool:
    """Refuse what is neither a workbook nor delimited text; tell whether it is text. Raises as `receive` says."""
    plain = is_text(name, content)
    if plain and not content.strip():
        raise FileEmpty(file=name)
    if not plain:
        require_workbook(content, name)
    return plain


def _whose(
    session: Session, by: ActingOfficer, source: BatchSource, bank_id: int | None
) -> tuple[BatchSource, int | None]:
    """Return whose list it is: a bank's officer sends the bank's, nobody else does. Raises NotAllowed."""
    if by.bank_id:
        allow(session, by, Permission.BANK_REPLY_PREPARE)
        if by.level != Level.COUNTY:
            raise NotAllowed(post=by.post, permission="上传换卡清单（由旗县经办机构上传）")
        return BatchSource.BANK, by.bank_id
    allow(session, by, Permission.ACCOUNT_BATCH_PROPOSE)
    allowed = {
        OrganisationKind.TOWNSHIP: (BatchSource.TOWNSHIP, BatchSource.SOCIAL_SECURITY),
        OrganisationKind.FINANCE: (BatchSource.COUNTY, BatchSource.SOCIAL_SECURITY),
    }
    if source not in allowed.get(by.kind, ()):
        raise NotAllowed(post=by.post, permission=f"上传{source.label}")
    return source, bank_id


def _require_two_banks(session: Session, by: ActingOfficer, bank_id: int | None, from_bank_id: int | None) -> None:
    """Let a county, or the coming bank, change a whole bank. Raises NotAllowed, BankChoice."""
    if by.level != Level.COUNTY:
        raise NotAllowed(post=by.post, permission="更换代理银行（由旗县财政办理）")
    known = [session.get(AgentBank, one) for one in (bank_id, from_bank_id) if one]
    if None in known or len(known) < TWO or bank_id == from_bank_id:
        raise BankChoice


def _desk(by: ActingOfficer) -> Desk:
    if by.bank_id:
        return Desk.BANK_CLERK
    return Desk.TOWNSHIP_KEEPER if by.level == Level.TOWNSHIP else Desk.FINANCE_CLERK


def _require_new(session: Session, division_code: str, kind: BatchKind, digest: str) -> None:
    ended = (BatchStatus.REFUSED, BatchStatus.RETURNED, BatchStatus.WITHDRAWN)
    same = select(AccountBatch).where(
        AccountBatch.division_code == division_code,
        AccountBatch.kind == kind,
        AccountBatch.sha256 == digest,
        col(AccountBatch.status).not_in(ended),
    )
    known = session.exec(same).first()
    if known is not None:
        raise SameList(number=known.number, status=known.status.label)


# --- proposed, confirmed ------------------------------------------------------------------------------------------


def vouch(session: Session, batch: AccountBatch, *, by: ActingOfficer, opinion: str = "") -> AccountBatch:
    """Vouch for the bank's own list as its reviewer: the new cards are the bank's, and good. （第十二条）

    Raises NotAllowed, NotFound, SamePersonTwice, NothingToReplace.
    """
    allow(session, by, Permission.BANK_REPLY_CONFIRM)
    if batch.bank_id != by.bank_id:
        raise NotFound
    _require_ready(batch)
    return move(session, batch, "vouch", by=by, opinion=opinion)


def propose(session: Session, batch: AccountBatch, *, by: ActingOfficer, opinion: str = "") -> AccountBatch:
    """Propose the rows that can be replaced. （第十二条） Raises NotAllowed, NothingToReplace, SamePersonTwice."""
    allow(session, by, Permission.ACCOUNT_BATCH_PROPOSE, batch)
    _require_ready(batch)
    return move(session, batch, "propose", by=by, opinion=opinion, facts={"rows": batch.ready_count})


def _require_ready(batch: AccountBatch) -> None:
    if not batch.ready_count:
        raise NothingToReplace(number=batch.number)


def confirm(session: Session, batch: AccountBatch, *, by: ActingOfficer, opinion: str = "") -> AccountBatch:
    """Confirm a batch as the second person; a job registers its rows. （第十二、二十三条）

    Raises NotAllowed, SamePersonTwice, OwnHousehold, FasterColleague.
    """
    allow(session, by, Permission.ACCOUNT_BATCH_CONFIRM, batch)
    mine = select(AccountBatchRow.account_id).where(
        AccountBatchRow.division_code == batch.division_code,
        AccountBatchRow.batch_id == batch.id,
        AccountBatchRow.outcome == CardOutcome.READY,
        col(AccountBatchRow.account_id).is_not(None),
    )
    ids = [one for one in session.exec(mine) if one is not None]
    require_disinterested(session, "account", ids, by=by, title=title_of(batch), step="复核同意")
    move(session, batch, "confirm", by=by, opinion=opinion, facts={"rows": batch.ready_count})
    return _start(session, batch, by)


def _start(session: Session, batch: AccountBatch, by: ActingOfficer) -> AccountBatch:
    start_job(session, by=by, kind=APPLY_JOB, title=f"登记批量换卡 {batch.number}", division_code=batch.division_code,
              arguments={"batch_id": batch.id})  # fmt: skip
    return batch


def resume(session: Session, batch: AccountBatch, *, by: ActingOfficer) -> AccountBatch:
    """Go on with a batch whose job was cancelled or has broken: with the next row. （第十二条）

    Raises NotAllowed, StillRunning, StepNotPossible.
    """
    allow(session, by, Permission.ACCOUNT_BATCH_CONFIRM, batch)
    if by.division_code != batch.division_code:
        raise NotAllowed(post=by.post, permission=Permission.ACCOUNT_BATCH_CONFIRM.label)
    job = job_of(session, batch)
    if batch.status == BatchStatus.CONFIRMED and job is not None and job.status not in ENDED:
        raise StillRunning(number=batch.number)
    if batch.status != BatchStatus.CONFIRMED:
        move(session, batch, "resume", by=by)
    return _start(session, batch, by)


def return_(session: Session, batch: AccountBatch, *, by: ActingOfficer, reason: str) -> AccountBatch:
    """Give a batch back: nothing of it is registered. （第二十三条） Raises ReasonMissing, NotFound."""
    if by.bank_id:
        allow(session, by, Permission.BANK_REPLY_CONFIRM)
        if batch.bank_id != by.bank_id:
            raise NotFound
    else:
        allow(session, by, Permission.ACCOUNT_BATCH_CONFIRM, batch)
    return _end(session, batch, "return_", by, reason)


def withdraw(session: Session, batch: AccountBatch, *, by: ActingOfficer, reason: str) -> AccountBatch:
    """Take a batch back that nobody has proposed yet. Raises ReasonMissing."""
    allow(session, by, Permission.ACCOUNT_BATCH_PROPOSE, batch)
    return _end(session, batch, "withdraw", by, reason)


def _end(session: Session, batch: AccountBatch, verb: str, by: ActingOfficer, reason: str) -> AccountBatch:
    if not reason.strip():
        raise ReasonMissing(step="退回或撤回批量换卡", field="原因")
    move(session, batch, verb, by=by, opinion=reason.strip())
    forget = text(
        "update account_batch_rows set new_number = null where division_code = :division and batch_id = :batch"
    )
    if not by.bank_id:
        session.execute(forget, account_batch_rows.keys_of(batch))
    return batch


def template(session: Session, *, by: ActingOfficer) -> Download:
    """Return the empty list to be filled in. （第十二条）"""
    allow(session, by, Permission.ACCOUNT_BATCH_VIEW)
    return Download("批量换卡清单模板.xlsx", write_list(CARDS, guides=GUIDES))


# --- read ---------------------------------------------------------------------------------------------------------


def batch_of(session: Session, job_id: int) -> AccountBatch:
    """Return the batch that a job is about."""
    return session.exec(
        select(AccountBatch).where(AccountBatch.id == session.get_one(Job, job_id).arguments["batch_id"])
    ).one()


def job_of(session: Session, batch: AccountBatch) -> Job | None:
    """Return the latest job of a batch, to follow its progress."""
    mine = sa.cast(Job.arguments["batch_id"], sa.Text) == str(batch.id)
    statement = select(Job).where(Job.division_code == batch.division_code, mine)
    return session.exec(statement.where(col(Job.kind).in_((CHECK_JOB, APPLY_JOB))).order_by(col(Job.id).desc())).first()


STANDING = text(
    "select a.status, count(*) as accounts from account_batch_rows r"
    " join accounts a on a.division_code = r.member_division and a.id = r.new_account_id"
    " where r.division_code = :division and r.batch_id = :batch and r.new_account_id is not null group by 1"
)


def standing(session: Session, batch: AccountBatch) -> dict[str, int]:
    """Return how the new accounts of a batch stand at the bank: status → how many. （第十二条）"""
    return {row.status: row.accounts for row in session.execute(STANDING, account_batch_rows.keys_of(batch))}


def principal_of(batch: AccountBatch) -> ActingOfficer:
    """Return the system principal that checks a bank's list and registers a batch: events name its number."""
    level = Level.COUNTY if batch.division_code == batch.county_code else Level.TOWNSHIP
    return system_principal(batch.division_code, level, f"批量换卡 {batch.number}")
