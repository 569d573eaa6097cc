"""A confirmed card list registered by job, set-based; a stopped job goes on with the next row. （第十二条）

New cards go to verification in bulk; those of a bank's own list are verified with it. Only a verified card takes the
payments over and closes the old account; until then the old one serves.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import text
from sqlmodel import Session, col

from integrations import banks
from integrations.banks import AccountAnswer, AccountQuery
from models.account_batches import AccountBatch, BatchSource, BatchStatus
from models.accounts import Account
from models.crypto import ring
from models.database import transaction
from models.jobs import JobStatus
from models.officers import ActingOfficer
from models.outbox import OutboxMessage
from policies.clock import now
from policies.moves import move, move_many
from policies.refusals import Refused
from workflows import account_answers, account_batch_rows
from workflows.account_batches import batch_of, principal_of
from workflows.outbox import TOPICS, Topic, ask
from workflows.plans import by_hash
from workflows.queue import finish, officer_of_post, progress

TOPIC = "account_batch_check"
CHUNK = 2_000
VOUCHED = "代理银行换卡清单，户名、账号相符"
LOCK = text("select pg_advisory_xact_lock(hashtextextended('accounts', 0))")
"""The lock that each single registration shares: while a chunk is written nobody registers a card of it."""


def run_apply(job_id: int, post_id: int) -> None:
    """Register a confirmed batch: whoever confirmed it must still be in post; the work is the system's. （第十二条）"""
    by = officer_of_post(post_id)
    with transaction(by) as session:
        batch = batch_of(session, job_id)
        if batch.status != BatchStatus.CONFIRMED:
            return
    apply = _Apply(principal_of(batch), job_id, batch)
    try:
        apply.run()
    except Refused as refusal:
        apply.fail(refusal)
        raise


class _Apply:
    """One run of the registration."""

    def __init__(self, principal: ActingOfficer, job_id: int, batch: AccountBatch) -> None:
        self.by, self.job_id, self.batch = principal, job_id, batch
        self.total = batch.ready_count + batch.done_count

    def run(self) -> None:
        """Register chunk after chunk, each in one transaction with its rows' outcomes."""
        done = self.batch.done_count
        while True:
            if not progress(self.by, self.job_id, min(done, self.total), self.total, "逐批登记新卡"):
                self._stop()
                return
            with transaction(self.by) as session:
                numbers = _next(session, self.batch)
                if numbers:
                    self._register(session, numbers)
            if not numbers:
                break
            done += len(numbers)
        self._finish()

    def _register(self, session: Session, numbers: Sequence[int]) -> None:
        session.execute(LOCK)
        keys = account_batch_rows.keys_of(self.batch) | {"numbers": list(numbers)}
        account_batch_rows.mark_problems(session, self.batch, _moved_on(session, keys))
        told = {"moment": now(session), "officer": self.batch.prepared_by, "reason": self.batch.reason}
        made = session.execute(REGISTER, keys | told).all()
        if not made:
            return
        ids = [row.id for row in made]
        with by_hash(session):
            session.execute(DONE, keys | {"ids": ids, "members": [row.member_id for row in made]})
        move_many(session, Account, "send", ids, by=self.by, facts={"batch": self.batch.number})
        if self.batch.source == BatchSource.BANK:
            good = [AccountAnswer(str(one), "verified", True, VOUCHED) for one in ids]
            account_answers.apply_answers(session, good, by=self.by, facts={"batch": self.batch.number})
        elif session.execute(WIRED, {"ids": ids}).first() is not None:
            key = f"{TOPIC}:{self.batch.id}:{numbers[0]}:{ids[0]}"
            ask(session, TOPIC, key, self.batch, {"from": min(ids), "to": max(ids)})

    def _stop(self) -> None:
        with transaction(self.by) as session:
            record = self._claim(session)
            if record is None:
                return
            account_batch_rows.count(session, record)
            session.flush()
            move(session, record, "stop", by=self.by, opinion="已取消任务，可继续登记")
            message = f"已暂停：已登记 {record.done_count} 行，未登记 {record.ready_count} 行，可在批次页面继续"
            finish(session, self.job_id, JobStatus.CANCELLED, message)

    def _finish(self) -> None:
        with transaction(self.by) as session:
            record = self._claim(session)
            if record is None:
                return
            account_batch_rows.count(session, record)
            session.execute(FORGET, account_batch_rows.keys_of(record))
            record.applied_at = now(session)
            session.flush()
            move(session, record, "apply", by=self.by, facts={"done": record.done_count})
            finish(session, self.job_id, JobStatus.DONE, f"批次 {record.number} 已登记 {record.done_count} 行")

    def _claim(self, session: Session) -> AccountBatch | None:
        return session.execute(
            sa.select(AccountBatch)
            .where(col(AccountBatch.id) == self.batch.id, col(AccountBatch.status) == BatchStatus.CONFIRMED)
            .with_for_update()
        ).scalar_one_or_none()

    def fail(self, refusal: Refused) -> None:
        """A batch that can't be registered goes back, with the reason."""
        with transaction(self.by) as session:
            record = self._claim(session)
            if record is not None:
                move(session, record, "fail", by=self.by, opinion=str(refusal))


NEXT = text(
    "select row_number from account_batch_rows where division_code = :division and batch_id = :batch"
    " and outcome = 'ready' order by row_number limit :limit"
)


def _next(session: Session, batch: AccountBatch) -> list[int]:
    """Return the next rows that nobody has registered: a job that was stopped goes on here."""
    return list(session.execute(NEXT, account_batch_rows.keys_of(batch) | {"limit": CHUNK}).scalars())


ASKED = text(account_batch_rows.ASKED + " and r.row_number = any (:numbers)")
GONE = text(
    """
    select r.row_number from account_batch_rows r
    left join members m on m.division_code = r.member_division and m.id = r.member_id and m.current
        and m.status <> 'dead'
    left join accounts p on p.division_code = r.member_division and p.member_id = r.member_id and p.is_payment
    where r.division_code = :division and r.batch_id = :batch and r.row_number = any (:numbers)
        and (m.id is null or p.id is distinct from r.account_id or exists (select from accounts k
            where k.division_code = r.member_division and k.member_id = r.member_id
                and (k.status = 'proposed' or k.number_index = r.new_index and k.status not in ('closed', 'rejected'))))
    """
)


def _moved_on(session: Session, keys: dict[str, Any]) -> dict[int, str]:
    """Return the rows that were good when checked and are so no more: person, account or card have changed since."""
    found = {number: "核对后人员或账户有变动，没有换卡" for number in session.execute(GONE, keys).scalars()}
    return found | account_batch_rows.taken_of(session, session.execute(ASKED, keys).all())


REGISTER = text(
    """
    insert into accounts (division_code, county_code, member_id, number, number_index, bank_name, bank_code, is_card,
        is_payment, status, version, answer, registered_by, card_required, reason, replaces_id, batch_id, arrived_at)
    select r.member_division, left(r.member_division, 6) || '000000', r.member_id, r.new_number, r.new_index,
        r.bank_name, r.bank_code, true, false, 'registered', 1, '', :officer, true, :reason, r.account_id, :batch,
        :moment
    from account_batch_rows r
    where r.division_code = :division and r.batch_id = :batch and r.row_number = any (:numbers)
        and r.outcome = 'ready'
    returning id, member_id
    """
)
"""Planned as it comes: the triggers of accounts look people up one by one, which a forced hash would make quadratic."""
DONE = text(
    """
    update account_batch_rows r set outcome = 'done', new_account_id = made.id, new_number = null, message = ''
    from unnest(cast(:ids as bigint[]), cast(:members as bigint[])) as made (id, member_id)
    where r.division_code = :division and r.batch_id = :batch and r.row_number = any (:numbers)
        and r.outcome = 'ready' and r.member_id = made.member_id
    """
)
FORGET = text(
    "update account_batch_rows set new_number = null where division_code = :division and batch_id = :batch"
    " and new_number is not null"
)
WIRED = text(
    "select 1 from accounts a join agent_banks b on b.id = a.bank_id and b.interface where a.id = any (:ids) limit 1"
)


# --- verified in bulk ---------------------------------------------------------------------------------------------

QUESTIONS = text(
    """
    select a.id, a.number, m.name, m.id_number from accounts a
    join members m on m.division_code = a.division_code and m.id = a.member_id
    join agent_banks b on b.id = a.bank_id and b.interface
    where a.batch_id = :batch and a.id between :from and :to and a.status = 'verifying'
    order by a.id
    """
)


def _question(session: Session, message: OutboxMessage) -> list[AccountQuery]:
    keys = ring()
    rows = session.execute(QUESTIONS, {"batch": message.record_id} | message.payload).all()
    return [
        AccountQuery(str(row.id), keys.open(bytes(row.number)), row.name, keys.open(bytes(row.id_number)))
        for row in rows
    ]


def _apply(session: Session, message: OutboxMessage, answers: Sequence[AccountAnswer], by: ActingOfficer) -> bool:
    account_answers.apply_answers(session, answers, by=by, facts={"batch": message.record_id})
    return True


TOPICS[TOPIC] = Topic(prepare=_question, send=banks.verify_accounts, inquire=banks.verify_accounts, apply=_apply)
