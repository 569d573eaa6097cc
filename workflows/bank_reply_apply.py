"""A confirmed bank reply applied by job. （第十二、二十、二十一条）

The work is a system principal's, in the name of the reply, through the very verbs that apply what a bank's interface
says; the bank's officers gain no right on the county's rows. A job that was stopped goes on with the next row.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from sqlmodel import Session, select

from integrations.iso20022 import pain002
from integrations.iso20022.pain002 import ResultFile
from models.bank_batches import BankBatch, BankBatchStatus
from models.bank_replies import BankReply, ReplyKind, ReplySource, ReplyStatus, RowOutcome
from models.base import REGION_CODE
from models.database import transaction
from models.divisions import Level
from models.failures import FailureRoute
from models.jobs import JobStatus
from models.officers import ActingOfficer, system_principal
from models.payment_orders import AgentBank
from policies.clock import now
from policies.moves import move
from policies.refusals import Refused
from workflows import account_answers, bank_batches, bank_reply_rows
from workflows.account_answers import NOTICES
from workflows.bank_replies import TAKES_FILES, BatchNotOpen, reply_of
from workflows.files import content_of
from workflows.queue import finish, officer_of_post, progress

CHUNK = 2_000
ROUTE_OF_STATE = {
    "dormant": FailureRoute.ACTIVATE,
    "closed": FailureRoute.CHANGE_ACCOUNT,
    "name_differs": FailureRoute.CHANGE_ACCOUNT,
}


def principal_of(bank: AgentBank, reply: BankReply) -> ActingOfficer:
    """Return the system principal that applies a reply: events name the bank and the reply's number."""
    return system_principal(REGION_CODE, Level.REGION, f"{bank.name}回复 {reply.number}")


def run_apply(job_id: int, post_id: int) -> None:
    """Apply a confirmed reply: whoever confirmed it must still be in post; the work is the system's. （第二十条）"""
    by = officer_of_post(post_id)
    with transaction(by) as session:
        reply = reply_of(session, job_id)
        bank = session.get_one(AgentBank, reply.bank_id)
        if reply.status != ReplyStatus.CONFIRMED:
            return
    apply = _Apply(principal_of(bank, reply), job_id, reply)
    try:
        if reply.kind == ReplyKind.RESULTS:
            apply.results()
        else:
            apply.accounts()
    except Refused as refusal:
        apply.fail(refusal)
        raise


class _Apply:
    """One run of the application."""

    def __init__(self, principal: ActingOfficer, job_id: int, reply: BankReply) -> None:
        self.principal, self.job_id, self.reply = principal, job_id, reply
        self.facts = {"reply": reply.number}

    def accounts(self) -> None:
        """Apply answers or notices in chunks, each with its rows' outcomes in one transaction."""
        verb = self._answer if self.reply.kind == ReplyKind.ANSWERS else self._notify
        done = 0
        while True:
            with transaction(self.principal) as session:
                rows = bank_reply_rows.next_rows(session, self.reply, CHUNK)
                if rows:
                    bank_reply_rows.mark(session, self.reply, verb(session, rows))
            if not rows:
                break
            done += len(rows)
            progress(self.principal, self.job_id, min(done, self.reply.row_count), self.reply.row_count, "逐行登记")
        with transaction(self.principal) as session:
            self._finish(session)

    def _answer(self, session: Session, rows: Sequence[Any]) -> list[tuple[int, str, str]]:
        answered = account_answers.apply_answers(
            session, bank_reply_rows.answers_of(rows), by=self.principal, facts=self.facts
        )
        return [
            (row.row_number, RowOutcome.DONE, "")
            if row.account_id in answered
            else (row.row_number, RowOutcome.SKIPPED, "该账户没有等待答复的验证")
            for row in rows
        ]

    def _notify(self, session: Session, rows: Sequence[Any]) -> list[tuple[int, str, str]]:
        """Take the bank's notices; lines that wait for payment are told their way. （第二十一条）"""
        told: list[tuple[int, str, str]] = []
        answers = {row.account_id: answer for row, answer in zip(rows, bank_reply_rows.told_by(rows), strict=True)}
        done = account_answers.notice(session, answers, by=self.principal, facts=self.facts)
        for state in NOTICES:
            mine = [row for row in rows if row.state == state]
            fit = [row.account_id for row in mine if row.account_id in done]
            waiting = tell_lines(session, sorted(fit), state)
            for row in mine:
                if row.account_id in done:
                    told.append((row.row_number, RowOutcome.DONE, _way(state, waiting.get(row.account_id, 0))))
                else:
                    told.append((row.row_number, RowOutcome.SKIPPED, "账户已是此状态，或不能由当前状态改变"))
        return told

    def results(self) -> None:
        """Apply results as the interface's are applied: the same decision table, in one transaction. （第二十条）"""
        with transaction(self.principal) as session:
            batch = session.exec(select(BankBatch).where(BankBatch.id == self.reply.batch_id).with_for_update()).one()
            if batch.status not in TAKES_FILES:
                raise BatchNotOpen(number=batch.number, status=batch.status.label)
            applied = bank_batches.apply_told(session, batch, self._file(session, batch), by=self.principal)
            if batch.status != BankBatchStatus.REFUSED:
                bank_reply_rows.mark_verdicts(session, self.reply)
            whole = f"：成功 {len(applied.paid)} 笔，失败 {len(applied.failed)} 笔，异常 {applied.exceptions} 笔"
            self._finish(session, whole)

    def _file(self, session: Session, batch: BankBatch) -> ResultFile:
        if self.reply.source != ReplySource.MESSAGE:
            return bank_reply_rows.result_file(session, self.reply, batch)
        file = pain002.read(content_of(session, self.reply.file_id))
        file.report_id = self.reply.number
        return file

    def _finish(self, session: Session, told: str = "") -> None:
        record = session.exec(select(BankReply).where(BankReply.id == self.reply.id).with_for_update()).one()
        if record.status != ReplyStatus.CONFIRMED:
            return
        facts = bank_reply_rows.count(session, record)
        record.applied_at = now(session)
        session.flush()
        move(session, record, "apply", by=self.principal, facts=facts)
        message = told or f"：登记 {facts['done']} 行，无需登记 {facts['skipped']} 行"
        finish(session, self.job_id, JobStatus.DONE, f"回复 {record.number} 已登记{message}")

    def fail(self, refusal: Refused) -> None:
        """A reply that can't be applied goes back whole, with the reason."""
        with transaction(self.principal) as session:
            record = session.exec(select(BankReply).where(BankReply.id == self.reply.id).with_for_update()).one()
            if record.status == ReplyStatus.CONFIRMED:
                move(session, record, "fail", by=self.principal, opinion=str(refusal))


NOT_ORDERED = (
    "draft", "on_notice", "endorsed", "reported", "department_examined", "department_passed", "finance_examined",
    "final", "returned",
)  # fmt: skip
TELL_LINES = text(
    """
    update roster_lines l set account_state = :state, account_checked_at = cast(:moment as timestamptz)
    from accounts a, rosters r
    where a.id = any (:ids) and l.division_code = a.division_code and l.account_id = a.id and l.state = 'active'
        and r.division_code = l.division_code and r.id = l.roster_id and r.status = any (:statuses)
    """
)
WAITING_LINES = text(
    """
    select l.account_id, count(*) as lines from accounts a
    join roster_lines l on l.division_code = a.division_code and l.account_id = a.id
    join disbursements d on d.county_code = l.county_code and d.line_id = l.id
        and d.status in ('reserved', 'pending', 'sent', 'unknown')
    where a.id = any (:ids) group by 1
    """
)


def tell_lines(session: Session, ids: Sequence[int], state: str) -> dict[int, int]:
    """Let the rosters that are not ordered yet know the account's state, so that the gates' rules meet it.

    （第十六条第二项） Return how many payments of each account are under way: those follow their way by Article 21.
    """
    if not ids:
        return {}
    told = {"ids": list(ids), "state": state, "moment": now(session), "statuses": list(NOT_ORDERED)}
    session.execute(TELL_LINES, told)
    return {row.account_id: row.lines for row in session.execute(WAITING_LINES, {"ids": list(ids)})}


def _way(state: str, lines: int) -> str:
    return f"有 {lines} 笔待发放，发放失败后按“{ROUTE_OF_STATE[state].label}”处理" if lines else ""
