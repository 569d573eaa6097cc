"""The check of a card list by job: every row judged, none refused for another's sake; the list comes back marked.

（第十二条） It runs as whoever sent the list, within their range; a bank sees no people, so its list is checked by a
system principal of the county.
"""

from pathlib import PurePath
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col

from models.account_batches import AccountBatch, BatchSource, BatchStatus
from models.database import transaction
from models.jobs import JobStatus
from models.officers import ActingOfficer
from policies.moves import move
from policies.refusals import Refused
from reports.sheets.account_batches import MISSING, CardSheet, write_list
from reports.sheets.comma import as_workbook, is_text
from reports.sheets.findings import Findings
from reports.sheets.marked import mark
from workflows import account_batch_rows
from workflows.account_batches import batch_of, principal_of
from workflows.files import content_of, store
from workflows.imports import MARKED_SUFFIX
from workflows.queue import finish, officer_of_post, progress

MISSING_SUFFIX = "-未换卡人员名单.xlsx"


def run_check(job_id: int, post_id: int) -> None:
    """Read a received list, stage and judge its rows; unreadable it is refused whole. （第十二条）"""
    by = officer_of_post(post_id)
    with transaction(by) as session:
        batch = batch_of(session, job_id)
        if batch.status != BatchStatus.RECEIVED:
            return
        content = content_of(session, batch.file_id)
    check = _Check(by, job_id, batch)
    try:
        if is_text(batch.file_name, content):
            content = as_workbook(content, batch.file_name)
        check.run(CardSheet(content, batch.file_name), content)
    except Refused as refusal:
        check.refuse(str(refusal))


class _Check:
    """One run of the check: its ends, each one transaction."""

    def __init__(self, by: ActingOfficer, job_id: int, batch: AccountBatch) -> None:
        self.owner, self.job_id, self.batch = by, job_id, batch
        self.by = principal_of(batch) if batch.source == BatchSource.BANK else by

    def run(self, sheet: CardSheet, content: bytes) -> None:
        """Stage the rows chunk by chunk, judge them, and say how each stands."""
        with transaction(self.by) as session:
            account_batch_rows.clear(session, self.batch)
        for chunk in sheet.chunks():
            if not progress(
                self.by, self.job_id, sheet.row_count, max(sheet.height, sheet.row_count), "读取并加密明细"
            ):
                self.refuse("已取消核对", JobStatus.CANCELLED)
                return
            with transaction(self.by) as session:
                account_batch_rows.stage(session, self.batch, chunk)
        sheet.finish()
        if sheet.findings.problems and not sheet.row_count:
            self.refuse_unread(sheet.findings)
            return
        progress(self.by, self.job_id, sheet.row_count, sheet.row_count, "与基础信息库和账户核对")
        self.conclude(sheet, content)

    def conclude(self, sheet: CardSheet, content: bytes) -> None:
        """Judge what was staged; the batch waits to be proposed, with the rows that can be replaced."""
        with transaction(self.by) as session:
            record = self._claim(session)
            if record is None:
                return
            account_batch_rows.mark_problems(session, record, sheet.repeated())
            account_batch_rows.judge(session, record)
            findings = self._findings(session, record, sheet)
            account_batch_rows.count(session, record)
            record.problems = findings.shown()
            if findings.problems or findings.notes:
                record.marked_file_id = self._keep(session, record, MARKED_SUFFIX, mark(content, findings.ordered()))
            self._list_missing(session, record)
            session.flush()
            verb = "check" if record.division_code != record.county_code else "check_county"
            verb = "check_bank" if record.source == BatchSource.BANK else verb
            move(session, record, verb, by=self.by, facts=_facts(record))
            message = f"{record.row_count} 行：可以换卡 {record.ready_count} 行，不能换卡 {record.problem_count} 行，"
            message += f"无需换卡 {record.skipped_count} 行"
            finish(session, self.job_id, JobStatus.DONE, message, record.marked_file_id)

    def _claim(self, session: Session) -> AccountBatch | None:
        """Return the batch under lock if nobody has ended it meanwhile."""
        return session.execute(
            sa.select(AccountBatch)
            .where(col(AccountBatch.id) == self.batch.id, col(AccountBatch.status) == BatchStatus.RECEIVED)
            .with_for_update()
        ).scalar_one_or_none()

    def _findings(self, session: Session, record: AccountBatch, sheet: CardSheet) -> Findings:
        columns = sheet.header.columns if sheet.header else {}
        known = [finding.row for finding in sheet.findings.problems if finding.row > 0]
        for number, column, what in account_batch_rows.found(session, record, known):
            sheet.findings.problem(number, columns.get(column, -1), what, "请核对后更正该行，或从清单中删除")
        for number, what in account_batch_rows.skipped(session, record):
            sheet.findings.note(number, columns.get("new_number", -1), what)
        return sheet.findings

    def _list_missing(self, session: Session, record: AccountBatch) -> None:
        """List who has no new card yet, when a whole bank is changed. （第十二条）"""
        rows = account_batch_rows.missing(session, record)
        record.missing_count = len(rows)
        if rows:
            record.missing_file_id = self._keep(session, record, MISSING_SUFFIX, write_list(MISSING, rows))

    def _keep(self, session: Session, record: AccountBatch, suffix: str, content: bytes) -> int | None:
        name = f"{PurePath(record.file_name).stem}{suffix}"
        return store(session, name, content, by=self.by, division_code=record.division_code).id

    def refuse_unread(self, findings: Findings) -> None:
        """Refuse a list without readable rows: what is wrong with the whole file is said."""
        reason = "；".join(finding.what for finding in findings.problems[:3])
        self.refuse(f"清单不能读取：{reason}", findings=findings)

    def refuse(self, reason: str, status: JobStatus = JobStatus.REFUSED, findings: Findings | None = None) -> None:
        """End a check that can't go on: nothing of the list stays. （第三十条）"""
        with transaction(self.by) as session:
            record = self._claim(session)
            if record is None:
                return
            account_batch_rows.clear(session, record)
            what, _, remedy = reason.partition("；")
            if findings is None:
                findings = Findings(self.batch.file_name)
                findings.problem(0, -1, what, remedy)
            record.problems = findings.shown()
            record.problem_count = len(findings.problems)
            session.flush()
            move(session, record, "refuse", by=self.by, opinion=what[:200])
            finish(session, self.job_id, status, reason)


def _facts(record: AccountBatch) -> dict[str, Any]:
    return {"rows": record.row_count, "ready": record.ready_count, "problems": record.problem_count}
