"""Two agent banks at their desks: officers, accounts that wait, batches, and jobs done as the worker does."""

from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, select

from models.accounts import Account, AccountStatus
from models.bank_replies import BankReply, BankReplyRow, ReplyKind
from models.database import transaction
from models.jobs import Job, JobStatus
from models.officers import ActingOfficer
from models.organisations import OrganisationKind
from models.payment_orders import AgentBank
from reports.sheets.bank_replies import write_template
from tests.conftest import Owner
from tests.factories import World, a_member, an_account
from tests.world import PASSWORD, Office, _staffed
from workflows import bank_replies
from workflows.bank_reply_apply import run_apply
from workflows.bank_reply_check import run_check
from workflows.jobs import follow
from workflows.sessions import hasher

RURAL, OTHER = "402", "103"
"""The prefixes of the first bank (the world's own) and of the second."""
WORK = {bank_replies.CHECK_JOB: run_check, bank_replies.APPLY_JOB: run_apply}


def work_off(owner: Owner, work: Mapping[str, Callable[[int, int], None]]) -> list[Job]:
    """Do what the worker does with the waiting jobs of these kinds; return all that waited."""
    with owner() as session:
        waiting = list(session.exec(select(Job).where(Job.status == JobStatus.QUEUED).order_by(sa.text("id"))))
    for job in waiting:
        if job.kind in work and job.id is not None:
            follow(job.id, job.post_id, work[job.kind])
    return waiting


def a_bank_office(session: Session, world: World, prefix: str, login: str) -> Office:
    """Open a branch of an agent bank in the county."""
    bank = session.exec(select(AgentBank).where(AgentBank.prefix == prefix)).one()
    return _staffed(session, hasher().hash(PASSWORD), world.code, OrganisationKind.BANK, login, bank_id=bank.id or 0)


def without_interface(session: Session, prefix: str = RURAL) -> None:
    """Let a bank have no interface: its officers answer at their desk."""
    session.execute(sa.text("update agent_banks set interface = false where prefix = :prefix"), {"prefix": prefix})


def waiting_account(session: Session, world: World, *, prefix: str = RURAL, **fields: Any) -> Account:
    """Make an account that waits for its bank's answer."""
    values = {"status": AccountStatus.VERIFYING, "bank_code": f"{prefix}191000008", "is_payment": False}
    return an_account(session, a_member(session, world), **values | fields)


def answers(*rows: tuple[Account, str]) -> bytes:
    """Return a workbook of verification answers."""
    return write_template(
        ReplyKind.ANSWERS, [{"account_number": account.number, "state": word} for account, word in rows]
    )


class BankDesk:
    """A bank's officers at work on one database."""

    def __init__(self, owner: Owner, office: Office) -> None:
        self.owner, self.office = owner, office

    def does(self, verb: Any, *records: Any, by: ActingOfficer | None = None, **asked: Any) -> Any:
        """Let the clerk (or `by`) do one verb in a transaction of the application's role, on records read anew."""
        who = by or self.office.clerk
        with transaction(who) as session:
            fresh = [session.get_one(type(record), sa.inspect(record).identity) for record in records]
            return verb(session, *fresh, by=who, **asked)

    def sends(self, kind: ReplyKind, content: bytes, *, name: str = "回复.xlsx", batch: Any = None) -> BankReply:
        """Upload a file and let the worker check it."""
        with transaction(self.office.clerk) as session:
            mine = None if batch is None else session.get_one(type(batch), sa.inspect(batch).identity)
            reply = bank_replies.receive(
                session, by=self.office.clerk, kind=kind, file_name=name, content=content, batch=mine
            )
        self.work()
        return self.again(reply)

    def confirms(self, reply: BankReply) -> BankReply:
        """Let the reviewer confirm and the worker apply."""
        self.does(bank_replies.confirm, reply, by=self.office.reviewer)
        self.work()
        return self.again(reply)

    def work(self) -> list[Job]:
        """Do what the worker does with the jobs of replies."""
        return work_off(self.owner, WORK)

    def again(self, record: Any) -> Any:
        """Return a record as it stands."""
        with self.owner() as session:
            return session.get_one(type(record), sa.inspect(record).identity)

    def rows(self, reply: BankReply) -> list[tuple[str, str]]:
        """Return outcome and message of each row of a reply."""
        with self.owner() as session:
            rows = session.exec(
                select(BankReplyRow).where(BankReplyRow.reply_id == reply.id).order_by(sa.text("row_number"))
            )
            return [(row.outcome.value, row.message) for row in rows]
