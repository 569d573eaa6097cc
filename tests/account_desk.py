"""Townships, counties and banks at work on accounts: one transaction per verb, and jobs done as the worker does."""

from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, select

from integrations.banks import AccountAnswer
from models.account_batches import AccountBatch, AccountBatchRow
from models.accounts import Account, AccountStatus
from models.database import transaction
from models.jobs import Job
from models.officers import ActingOfficer
from models.registry_tasks import RegistryTask
from reports.sheets.account_batches import CARDS, write_list
from tests.bank_desk import work_off
from tests.conftest import Owner
from tests.money import SWEEP
from tests.world import World
from workflows import account_batches, accounts
from workflows.account_answers import apply_answers
from workflows.account_batch_apply import run_apply
from workflows.account_batch_check import run_check

WORK = {account_batches.CHECK_JOB: run_check, account_batches.APPLY_JOB: run_apply}


def cards(*rows: dict[str, str]) -> bytes:
    """Return a list of replaced cards as our template writes it."""
    return write_list(CARDS, rows)


class AccountDesk:
    """Officers at work on one database."""

    def __init__(self, owner: Owner, world: World) -> None:
        self.owner, self.world = owner, world

    def does(self, verb: Any, *records: Any, by: ActingOfficer | None = None, **asked: Any) -> Any:
        """Let the township's clerk (or `by`) do one verb as the application's role, on records read anew."""
        who = by or self.world.township.clerk
        with transaction(who) as session:
            fresh = [session.get_one(type(record), sa.inspect(record).identity) for record in records]
            return verb(session, *fresh, by=who, **asked)

    def confirms(self, account: Account) -> Account:
        """Let the head agree to a change."""
        return self.does(accounts.confirm, account, by=self.world.township.head)

    def answers(self, account: Account, state: Any, *, is_card: bool = True, text: str = "银行答复") -> Account:
        """Take the bank's answer, as its interface gives it."""
        with self.owner() as session:
            apply_answers(session, [AccountAnswer(str(account.id), state, is_card, text)], by=SWEEP)
        return self.again(account)

    def again(self, record: Any) -> Any:
        """Return a record as it stands."""
        with self.owner() as session:
            return session.get_one(type(record), sa.inspect(record).identity)

    def tasks(self, member_id: int | None) -> dict[str, str]:
        """Return the kind and status of a person's tasks."""
        with self.owner() as session:
            rows = session.exec(select(RegistryTask).where(RegistryTask.member_id == member_id))
            return {row.kind.value: row.status.value for row in rows}

    def sends(self, content: bytes, *, by: ActingOfficer | None = None, name: str = "换卡.xlsx", **told: Any) -> Any:
        """Upload a list and let the worker check it."""
        who = by or self.world.township.clerk
        values = {"kind": "cards", "source": "township", "reason": "社会保障卡到期换发"} | told
        kind, source = account_batches.BatchKind(values.pop("kind")), account_batches.BatchSource(values.pop("source"))
        with transaction(who) as session:
            batch = account_batches.receive(
                session, by=who, kind=kind, source=source, file_name=name, content=content, **values
            )
        self.work()
        return self.again(batch)

    def carries(self, batch: AccountBatch, *, office: Any = None) -> AccountBatch:
        """Let two people propose and confirm a batch, and the worker register it."""
        place = office or self.world.township
        second = place.head if place is self.world.township else place.reviewer
        self.does(account_batches.propose, batch, by=place.clerk)
        self.does(account_batches.confirm, batch, by=second)
        self.work()
        return self.again(batch)

    def work(self) -> list[Job]:
        """Do what the worker does with the jobs of batches."""
        return work_off(self.owner, WORK)

    def rows(self, batch: AccountBatch) -> dict[int, tuple[str, str]]:
        """Return outcome and message of each row of a batch."""
        with self.owner() as session:
            rows = session.exec(select(AccountBatchRow).where(AccountBatchRow.batch_id == batch.id))
            return {row.row_number: (row.outcome.value, row.message) for row in rows}

    def accounts_of(self, member_id: int | None) -> list[Account]:
        """Return a person's accounts, the first registered first."""
        with self.owner() as session:
            return list(session.exec(select(Account).where(Account.member_id == member_id).order_by(sa.text("id"))))


def payment_accounts(session: Session) -> list[tuple[int, int]]:
    """Return how many payment accounts each person has who has any account."""
    return session.execute(
        sa.text("select member_id, count(*) filter (where is_payment) from accounts group by 1")
    ).tuples().all()  # fmt: skip


LIVE = (AccountStatus.REGISTERED, AccountStatus.VERIFYING, AccountStatus.VERIFIED, AccountStatus.DORMANT)
