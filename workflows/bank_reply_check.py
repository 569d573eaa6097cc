"""The check of a bank's file by job: prepared when nothing is wrong, else refused whole. （第十二、二十、二十一条）

It runs as the bank's officer, who sees the bank's own rows only; every problem is collected and marked in the workbook.
"""

from collections.abc import Sequence
from pathlib import PurePath

import sqlalchemy as sa
from sqlmodel import Session, col

from integrations.errors import Unreadable
from integrations.iso20022 import pain002
from integrations.iso20022.pain002 import ResultFile
from models.bank_batches import BankBatch
from models.bank_replies import BankReply, ReplyKind, ReplySource, ReplyStatus
from models.database import transaction
from models.jobs import JobStatus
from models.officers import ActingOfficer
from policies.clock import today
from policies.moves import move
from policies.refusals import Refused
from reports.sheets.bank_reply_reader import ReplySheet, Row
from reports.sheets.findings import SHOWN, Findings
from reports.sheets.marked import mark
from workflows import bank_reply_rows
from workflows.bank_replies import batch_of, reply_of
from workflows.files import content_of, store
from workflows.imports import MARKED_SUFFIX
from workflows.queue import finish, officer_of_post, progress


class OtherBatch(Refused):
    """回盘报文属于批次 {told}，不是所选的批次 {number}；请核对后选择正确的批次重新上传（第二十条）。"""


class MessageUnreadable(Refused):
    """回盘报文无法读取（{problem}）；请重新导出 pain.002 报文，或改用发放结果工作簿上传（第二十条）。"""


def run_check(job_id: int, post_id: int) -> None:
    """Read a received file and match its rows: prepared when nothing is wrong, else refused whole with its marks."""
    by = officer_of_post(post_id)
    with transaction(by) as session:
        reply = reply_of(session, job_id)
        if reply.status != ReplyStatus.RECEIVED:
            return
        content, day = content_of(session, reply.file_id), today(session)
        batch = batch_of(session, reply)
    check = _Check(by, job_id, reply, batch, content)
    try:
        if reply.source == ReplySource.MESSAGE:
            check.message()
        else:
            check.workbook(ReplySheet(reply.kind, content, reply.file_name, day))
    except Refused as refusal:
        check.refuse_unread(str(refusal))


class _Check:
    """One run of the check: its ends, each one transaction."""

    def __init__(
        self, by: ActingOfficer, job_id: int, reply: BankReply, batch: BankBatch | None, content: bytes
    ) -> None:
        self.by, self.job_id, self.reply, self.batch, self.content = by, job_id, reply, batch, content

    def workbook(self, sheet: ReplySheet) -> None:
        """Stage the rows chunk by chunk, match them, then prepare or refuse."""
        with transaction(self.by) as session:
            bank_reply_rows.clear(session, self.reply)
        for chunk in sheet.chunks():
            if not progress(self.by, self.job_id, sheet.row_count, max(sheet.height, sheet.row_count), "读取明细"):
                self.cancel()
                return
            self._stage([row for row in chunk if row.key])
        sheet.finish()
        progress(self.by, self.job_id, sheet.row_count, sheet.row_count, "与本行账户和批次核对")
        self.conclude(sheet)

    def _stage(self, rows: Sequence[Row]) -> None:
        with transaction(self.by) as session:
            bank_reply_rows.stage(session, self.reply, rows)

    def message(self) -> None:
        """Stage the payments that a pain.002 message lists, so that the reviewer sees them."""
        file = self._read()
        listed = [
            Row(
                number,
                one.end_to_end_id[:64],
                one.verdict.outcome,
                None,
                one.amount_fen,
                one.settled_on,
                one.verdict.code[:35],
                one.verdict.text[:200],
                True,
            )
            for number, one in enumerate(file.results, 1)
        ]
        findings = Findings(self.reply.file_name)
        with transaction(self.by) as session:
            bank_reply_rows.clear(session, self.reply)
            bank_reply_rows.stage(session, self.reply, listed)
            assert self.batch is not None
            bank_reply_rows.match_results(session, self.reply, self.batch, _noting(findings, -1))
            record = self._claim(session)
            if record is None:
                return
            if file.rest is not None:
                record.rest_outcome, record.rest_code = file.rest.outcome, file.rest.code[:35]
                record.rest_text = file.rest.text[:200]
            amount = sum(one.amount_fen or 0 for one in file.results)
            self._prepare(session, record, findings, len(listed), amount)

    def _read(self) -> ResultFile:
        assert self.batch is not None
        try:
            file = pain002.read(self.content)
        except Unreadable as problem:
            raise MessageUnreadable(problem=problem.fields.get("problem", "格式不符")) from problem
        if file.message_id and file.message_id != self.batch.number:
            raise OtherBatch(told=file.message_id[:35], number=self.batch.number)
        return file

    def conclude(self, sheet: ReplySheet) -> None:
        """Match what was staged; prepare a sheet without problems, else refuse it."""
        findings = sheet.findings
        column = sheet.header.columns.get(sheet.key_name, -1) if sheet.header else -1
        with transaction(self.by) as session:
            if self.reply.kind == ReplyKind.RESULTS:
                assert self.batch is not None
                bank_reply_rows.match_results(session, self.reply, self.batch, _noting(findings, column))
            else:
                problem = _finding(findings, column)
                bank_reply_rows.match_accounts(session, self.reply, problem, _noting(findings, column))
            record = None if findings.problems else self._claim(session)
            if record is not None:
                self._prepare(session, record, findings, sheet.row_count, sheet.amount_fen)
        if findings.problems:
            self.refuse(findings, sheet.row_count)

    def _claim(self, session: Session) -> BankReply | None:
        """Return the reply under lock if nobody has ended it meanwhile."""
        return session.execute(
            sa.select(BankReply)
            .where(col(BankReply.id) == self.reply.id, col(BankReply.status) == ReplyStatus.RECEIVED)
            .with_for_update()
        ).scalar_one_or_none()

    def _prepare(self, session: Session, record: BankReply, findings: Findings, rows: int, amount_fen: int) -> None:
        self._note(record, findings, rows)
        record.amount_fen = amount_fen
        session.flush()
        move(session, record, "check", by=self.by, facts={"rows": rows, "notes": record.note_count})
        finish(session, self.job_id, JobStatus.DONE, f"{rows} 行核对无误，{record.note_count} 条提示，等待复核")

    @staticmethod
    def _note(record: BankReply, findings: Findings, rows: int) -> None:
        record.row_count = rows
        record.problem_count, record.note_count = len(findings.problems), len(findings.notes)
        record.problems = findings.shown()

    def refuse(self, findings: Findings, rows: int) -> None:
        """Refuse the whole file: give it back marked, keep nothing of its rows. （第三十条）"""
        marked = mark(self.content, findings.ordered())
        with transaction(self.by) as session:
            record = self._claim(session)
            if record is None:
                return
            name = f"{PurePath(record.file_name).stem}{MARKED_SUFFIX}"
            file = store(session, name, marked, by=self.by, division_code=record.division_code)
            bank_reply_rows.clear(session, record)
            self._note(record, findings, rows)
            record.marked_file_id = file.id
            session.flush()
            move(session, record, "refuse", by=self.by, facts={"problems": record.problem_count})
            more = f"，页面显示前 {SHOWN} 条" if len(findings.problems) > SHOWN else ""
            message = f"发现 {record.problem_count} 个问题，整份退回，没有登记任何内容{more}"
            finish(session, self.job_id, JobStatus.REFUSED, message, file.id)

    def refuse_unread(self, reason: str) -> None:
        """Refuse a file that can't be read at all: there is nothing to mark."""
        what, _, remedy = reason.partition("；")
        findings = Findings(self.reply.file_name)
        findings.problem(0, -1, what, remedy)
        with transaction(self.by) as session:
            record = self._claim(session)
            if record is None:
                return
            bank_reply_rows.clear(session, record)
            self._note(record, findings, 0)
            session.flush()
            move(session, record, "refuse", by=self.by, opinion=what)
            finish(session, self.job_id, JobStatus.REFUSED, reason)

    def cancel(self) -> None:
        """End a cancelled check: nothing of the file stays."""
        with transaction(self.by) as session:
            record = self._claim(session)
            if record is None:
                return
            bank_reply_rows.clear(session, record)
            move(session, record, "refuse", by=self.by, opinion="已取消核对")
            finish(session, self.job_id, JobStatus.CANCELLED, "已取消，没有登记任何内容")


def _finding(findings: Findings, column: int) -> bank_reply_rows.Finding:
    return lambda row, what, remedy: findings.problem(row, column, what, remedy)


def _noting(findings: Findings, column: int) -> bank_reply_rows.Finding:
    return lambda row, what, remedy: findings.note(row, column, what)
