"""The money of the tests: an indicator, an agent account, people whose cards stand at the sandbox bank."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, select

from integrations.budget_system import ApplicationState
from integrations.sandbox.launch import Sandboxes
from models.bank_batches import BankBatch, Disbursement, EntitlementSuccess
from models.base import REGION_CODE
from models.database import transaction
from models.divisions import Level
from models.failures import Failure, Refund
from models.indicators import BudgetIndicator
from models.journal import Ledger
from models.officers import ActingOfficer, system_principal
from models.outbox import OutboxMessage, OutboxStatus
from models.payment_orders import AgentAccount, AgentBank, PaymentOrder
from models.projects import ProjectLink, SubsidyProject
from models.rosters import Roster, RosterStatus
from policies.clock import advance, now
from tests.conftest import Owner
from tests.factories import Line, World, a_line, a_project, a_roster, an_agent_account, an_indicator, lines_of
from tests.world import key
from workflows import bank_batches, journal, outbox, payment_orders


@contextmanager
def sandboxes_in(folder: Path) -> Iterator[Sandboxes]:
    """Run the three sandboxes, without anybody in them yet."""
    world = folder / "world.jsonl"
    world.touch()
    with Sandboxes(world, folder / "ledgers") as boxes:
        yield boxes


SWEEP = system_principal(REGION_CODE, Level.REGION, "定时任务")


def a_funded_indicator(
    session: Session, world: World, project: SubsidyProject, *, amount_fen: int = 100_000_000, county: str = ""
) -> BudgetIndicator:
    """Make an indicator as the download would: with its journal entry."""
    indicator = an_indicator(session, world, project, amount_fen=amount_fen, county=county)
    sides = journal.transfer(Ledger.ALLOCATED, Ledger.AVAILABLE, amount_fen, indicator_id=key(indicator.id))
    journal.book(session, indicator.division_code, "indicator", f"indicator:{indicator.bgt_id}:0", sides)
    return indicator


def a_second_link(session: Session, county: str, project: SubsidyProject, priority: int = 2) -> ProjectLink:
    """Let a second budget project pay the subsidy."""
    link = ProjectLink(
        division_code=county, project_id=key(project.id), pro_code=f"{county[:6]}24{'Z' * 13}", priority=priority
    )
    session.add(link)
    session.flush()
    return link


def deliver_all(times: int = 3) -> int:
    """Do what the worker does: deliver every open message of the outbox; return how many stay open."""
    for _ in range(times):
        with transaction(SWEEP) as session:
            waiting = session.exec(
                select(OutboxMessage).where(
                    sa.not_(
                        sa.inspect(OutboxMessage, raiseerr=True)
                        .columns["status"]
                        .in_((OutboxStatus.DONE, OutboxStatus.REFUSED))
                    )
                )
            ).all()
        for message in waiting:
            outbox.deliver(key(message.id), message.division_code)
    with transaction(SWEEP) as session:
        return session.execute(
            sa.text("select count(*) from outbox where status not in ('done', 'refused')")
        ).scalar_one()


DAYS = count(1)


def _apart(session: Session) -> None:
    """Give this test numbers of its own: the sandboxes of a module remember those of the tests before."""
    day = next(DAYS)
    advance(session, now(session) + timedelta(days=day))
    for table in ("roster_lines", "accounts"):
        session.execute(
            sa.text("select setval(pg_get_serial_sequence(:table, 'id'), :first)"),
            {"table": table, "first": day * 1000},
        )


class Money:
    """One roster on its way to the people, with the sandboxes knowing what they must."""

    def __init__(
        self,
        county: World,
        owner: Owner,
        boxes: Sandboxes | None = None,
        *,
        lines: list[Line] | None = None,
        amount_fen: int = 100_000_000,
    ) -> None:
        """Make a final roster, its indicator and agent account; tell the sandboxes when there are any."""
        self.county, self.owner, self.boxes = county, owner, boxes
        self.department, self.finance, self.township = county.department, county.finance, county.township
        with owner() as session:
            if boxes is not None:
                _apart(session)
            project = a_project(session, county)
            self.roster_id = key(
                a_roster(session, county, status=RosterStatus.FINAL, lines=lines or [a_line() for _ in range(4)]).id
            )
            self.indicator_id = key(a_funded_indicator(session, county, project, amount_fen=amount_fen).id)
            self.agent_id = key(an_agent_account(session, county).id)
        if boxes is not None:
            boxes.use()
            with owner() as session:
                boxes.set_clock(now(session))
                boxes.bank.add_world([*self._cards(session), *self._agents(session)])
                boxes.budget.add_world(self._indicators(session))

    def _cards(self, session: Session) -> list[dict[str, Any]]:
        roster = session.get_one(Roster, self.roster_id)
        return [
            {"kind": "account", "number": line.account_number, "holder_name": line.payee_name,
             "holder_id": line.id_number, "bank_code": line.bank_code, "status": "active"}
            for line in lines_of(session, roster)
        ]  # fmt: skip

    def _agents(self, session: Session) -> list[dict[str, Any]]:
        rows = session.exec(select(AgentAccount, AgentBank).where(AgentAccount.bank_id == AgentBank.id))
        return [
            {"kind": "agent_account", "number": account.number, "name": account.name, "bank_code": bank.cnaps,
             "division_code": account.division_code} for account, bank in rows
        ]  # fmt: skip

    def _indicators(self, session: Session) -> list[dict[str, Any]]:
        return [
            {"kind": "indicator", "BGT_ID": row.bgt_id, "MOF_DIV_CODE": row.division_code[:9],
             "FISCAL_YEAR": row.fiscal_year, "PRO_CODE": row.pro_code, "HOT_TOPIC_CATE_NAME": row.hot_topic,
             "AMOUNT": f"{row.amount_fen / 100:.2f}"} for row in session.exec(select(BudgetIndicator))
        ]  # fmt: skip

    def do(self, by: ActingOfficer, verb: Any, *records: Any, **asked: Any) -> Any:
        """Let an officer do one verb in a transaction of the application's role, on records read anew."""
        with transaction(by) as session:
            fresh = [session.get_one(type(record), sa.inspect(record).identity) for record in records]
            return verb(session, *fresh, by=by, **asked)

    def all(self, model: Any) -> list[Any]:
        """Return all rows of a table by id."""
        with self.owner() as session:
            return list(session.exec(select(model).order_by(sa.text("id"))))

    def roster(self) -> Roster:
        """Return the roster as it stands."""
        with self.owner() as session:
            return session.get_one(Roster, self.roster_id)

    def order(self) -> PaymentOrder:
        """Return the only (or latest) order."""
        return self.all(PaymentOrder)[-1]  # type: ignore[no-any-return]

    def batch(self) -> BankBatch:
        """Return the latest batch."""
        return self.all(BankBatch)[-1]  # type: ignore[no-any-return]

    def disbursements(self) -> list[Disbursement]:
        """Return all attempts."""
        return self.all(Disbursement)

    def all_claims(self) -> list[EntitlementSuccess]:
        """Return all claims."""
        with self.owner() as session:
            return list(session.exec(select(EntitlementSuccess)))

    def failures(self) -> list[Failure]:
        """Return all failures."""
        return self.all(Failure)

    def refund(self) -> Refund:
        """Return the latest refund."""
        return self.all(Refund)[-1]  # type: ignore[no-any-return]

    def indicator(self) -> BudgetIndicator:
        """Return the indicator as it stands."""
        with self.owner() as session:
            return session.get_one(BudgetIndicator, self.indicator_id)

    def draft(self) -> list[PaymentOrder]:
        """Draft the roster's orders."""
        orders: list[PaymentOrder] = self.do(self.department.clerk, payment_orders.draft, self.roster())
        return orders

    def fund(self) -> PaymentOrder:
        """Draft, release, and let the budget system fund it and the money arrive."""
        for order in self.draft():
            self.do(self.department.reviewer, payment_orders.release, order)
        deliver_all()
        payment_orders.ask_funding(SWEEP)
        return self.order()

    def send(self) -> BankBatch:
        """Prepare the order's batch, release it, and let it reach the bank."""
        self.do(self.finance.clerk, bank_batches.prepare, self.order())
        self.do(self.finance.reviewer, bank_batches.release, self.batch())
        deliver_all()
        return self.batch()

    def fund_by_hand(self, session: Session) -> PaymentOrder:
        """Draft and fund the only order without any outside, in this session."""
        roster = session.get_one(Roster, self.roster_id)
        [order] = payment_orders.draft(session, roster, by=self.department.clerk)
        payment_orders.release(session, order, by=self.department.reviewer)
        for status in ("received", "funded"):
            state = ApplicationState(status, now(session) if status == "funded" else None, "")
            payment_orders.apply_state(session, order, state, by=SWEEP)
        payment_orders.apply_credit(session, order, now(session))
        return order

    def send_by_hand(self, session: Session) -> BankBatch:
        """Bring the roster's batch to the bank without any outside, in this session."""
        order = self.fund_by_hand(session)
        batch = bank_batches.prepare(session, order, by=self.finance.clerk)
        return self.sent(session, batch)

    def sent(self, session: Session, batch: BankBatch) -> BankBatch:
        """Release a batch and take the bank's receipt."""
        bank_batches.release(session, batch, by=self.finance.reviewer)
        message = session.exec(select(OutboxMessage).where(OutboxMessage.business_key == batch.number)).one()
        outbox.TOPICS["bank_batch"].apply(session, message, bank_batches.Answer("BK1"), SWEEP)
        return batch

    def settle(self) -> BankBatch:
        """Let the bank pay, and fetch its results until the batch is answered."""
        for _ in range(4):
            bank_batches.fetch_results(SWEEP)
        return self.batch()

    def problems(self) -> list[str]:
        """Return what the books don't agree on."""
        with transaction(SWEEP) as session:
            return [str(problem) for problem in journal.verify(session)]
