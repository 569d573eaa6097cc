"""Bank statements against the journal. （第二十二条）"""

from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from sqlmodel import select

from integrations.iso20022.camt053 import Entry, StatementFile
from integrations.sandbox.launch import Sandboxes
from models.bank_batches import DisbursementStatus
from models.jobs import Job, JobStatus
from models.payment_orders import AgentAccount
from models.statements import Difference, ReconciliationStatus, Statement
from policies.clock import now
from policies.refusals import NotAllowed, NotFound
from tests.conftest import Owner
from tests.factories import World, again
from tests.money import SWEEP, Money, sandboxes_in
from tests.test_bank_batches import PAID, answers, numbers
from tests.world import key
from workflows import disbursements, statements
from workflows.jobs import follow
from workflows.statements import DayOpen, StatementRejected, run_reconciliation, start_reconciliation


@pytest.fixture
def paid(county: World, owner: Owner) -> Money:
    """A batch of four that has been paid today."""
    money = Money(county, owner)
    with owner() as session:
        money.send_by_hand(session)
    with owner() as session:
        file = answers(*((number, PAID, None) for number in numbers(money)))
        disbursements.apply_results(session, again(session, money.batch()), file, by=SWEEP)
    return money


def today_of(money: Money) -> date:
    with money.owner() as session:
        return now(session).date()


def entries_of(money: Money) -> list[Entry]:
    """The bookings that the bank would show: the credit, and each payment."""
    day, order = today_of(money), money.order()
    credit = Entry(day, True, order.amount_fen, "BK0", order.pay_app_no or "", "CREDIT")
    return [credit] + [
        Entry(day, False, one.amount_fen, f"BK{one.id}", one.end_to_end_id, "PAY") for one in money.disbursements()
    ]


def keep(money: Money, entries: list[Entry], *, closing_fen: int | None = None, number: str = "DZ1") -> Statement:
    """Keep a statement of today with these entries."""
    with money.owner() as session:
        account = session.get_one(AgentAccount, money.agent_id)
        total = sum(entry.signed_fen for entry in entries)
        closing = total if closing_fen is None else closing_fen
        file = StatementFile(number, account.number, today_of(money), 0, closing, entries)
        return statements.keep(session, file, by=money.finance.clerk)


def kinds(money: Money) -> list[str]:
    return [one.kind for one in money.all(Difference)]


class TestReconcile:
    def test_a_statement_that_shows_our_bookings_agrees(self, paid: Money):
        statement = keep(paid, entries_of(paid))
        assert (statement.status, statement.difference_count, kinds(paid)) == (ReconciliationStatus.AGREED, 0, [])
        assert statement.our_balance_fen == statement.closing_fen == 0

    def test_a_booking_of_the_bank_that_we_do_not_know_is_a_difference(self, paid: Money):
        unknown = Entry(today_of(paid), True, 12_34, "QT1", "", "INTEREST")
        statement = keep(paid, [*entries_of(paid), unknown])
        assert (statement.status, sorted(kinds(paid))) == (
            ReconciliationStatus.DIFFERENT, ["期末余额不一致", "银行有账面无"],
        )  # fmt: skip

    def test_a_payment_that_the_bank_does_not_show_is_a_difference(self, paid: Money):
        keep(paid, entries_of(paid)[:-1])
        assert "账面有银行无" in kinds(paid)

    def test_another_amount_is_a_difference(self, paid: Money):
        *rest, last = entries_of(paid)
        keep(paid, [*rest, Entry(last.booked_on, False, last.amount_fen + 1, "X", last.end_to_end_id, "PAY")])
        assert "金额不一致" in kinds(paid)

    def test_a_statement_that_does_not_add_up_is_told(self, paid: Money):
        keep(paid, entries_of(paid), closing_fen=5)
        assert "账单自身不平" in kinds(paid)

    def test_the_same_statement_again_is_reconciled_anew_and_kept_once(self, paid: Money):
        keep(paid, entries_of(paid)[:-1])
        statement = keep(paid, entries_of(paid))
        assert (len(paid.all(Statement)), statement.status, kinds(paid)) == (1, ReconciliationStatus.AGREED, [])

    def test_a_payment_that_came_back_is_reversed_first(self, paid: Money):
        one = paid.disbursements()[0]
        back = Entry(today_of(paid), True, one.amount_fen, "TH1", one.end_to_end_id, "REVERSAL")
        statement = keep(paid, [*entries_of(paid), back])
        assert statement.status == ReconciliationStatus.AGREED
        assert statement.our_balance_fen == one.amount_fen
        assert paid.disbursements()[0].status == DisbursementStatus.REVERSED
        assert paid.problems() == []
        assert keep(paid, [*entries_of(paid), back]).status == ReconciliationStatus.AGREED

    def test_an_account_that_is_not_ours_is_not_found(self, paid: Money):
        file = StatementFile("DZ1", "0000", today_of(paid), 0, 0, [])
        with pytest.raises(NotFound), paid.owner() as session:
            statements.keep(session, file, by=paid.finance.clerk)


class TestStart:
    def test_only_the_finance_clerk_reconciles_and_not_tomorrow(self, paid: Money):
        asked = {"agent_account_id": str(paid.agent_id), "day": today_of(paid)}
        with pytest.raises(NotAllowed):
            paid.do(paid.department.clerk, start_reconciliation, **asked)
        with pytest.raises(DayOpen):
            paid.do(paid.finance.clerk, start_reconciliation, **asked | {"day": today_of(paid) + timedelta(days=1)})

    def test_another_countys_account_is_not_found(self, county: World, paid: Money):
        with pytest.raises(NotFound):
            paid.do(
                county.other_county.finance.clerk, start_reconciliation, agent_account_id=paid.agent_id,
                day=today_of(paid),
            )  # fmt: skip


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandboxes]:
    with sandboxes_in(tmp_path_factory.mktemp("outside")) as boxes:
        yield boxes


class TestOverRealSockets:
    def test_the_days_statement_agrees_with_the_journal(self, county: World, owner: Owner, outside: Sandboxes):
        money = Money(county, owner, outside)
        money.fund()
        money.send()
        money.settle()
        job: Job = money.do(
            county.finance.clerk, start_reconciliation, agent_account_id=str(money.agent_id), day=today_of(money)
        )
        follow(key(job.id), county.finance.clerk.post_id, run_reconciliation)
        assert money.all(Job)[-1].status == JobStatus.DONE
        [statement] = money.all(Statement)
        assert (statement.status, statement.entry_count) == (ReconciliationStatus.AGREED, 5)

    def test_what_the_bank_books_unasked_and_takes_back_is_found(self, county: World, owner: Owner, outside: Sandboxes):
        money = Money(county, owner, outside)
        money.fund()
        money.send()
        money.settle()
        one = money.disbursements()[0]
        outside.bank.reverse(one.end_to_end_id)
        with owner() as session:
            number = session.get_one(AgentAccount, money.agent_id).number
        outside.bank.book(number, "0.07", credit=True, kind="INTEREST")
        statements.reconcile(by=county.finance.clerk, agent_account_id=money.agent_id, day=today_of(money))
        assert sorted(kinds(money)) == ["期末余额不一致", "银行有账面无"]
        assert money.disbursements()[0].status == DisbursementStatus.REVERSED
        assert money.problems() == []

    def test_an_account_the_bank_does_not_know_is_told(self, county: World, owner: Owner, outside: Sandboxes):
        outside.use()
        money = Money(county, owner)
        with pytest.raises(StatementRejected):
            statements.reconcile(by=county.finance.clerk, agent_account_id=money.agent_id, day=today_of(money))

    def test_the_sweep_reconciles_yesterday_once(self, county: World, owner: Owner, outside: Sandboxes):
        money = Money(county, owner, outside)
        assert statements.reconcile_accounts(SWEEP) == 1
        assert statements.reconcile_accounts(SWEEP) == 0
        with owner() as session:
            [statement] = session.exec(select(Statement)).all()
        assert statement.day == today_of(money) - timedelta(days=1)
