"""The journal: double entry, booked once, never changed; a command proves it. （第十九至二十二条）"""

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlmodel import Session, select

from models.journal import JournalEntry, Ledger, Posting
from tests.conftest import As, Owner
from tests.factories import World, a_project, again
from tests.money import SWEEP, Money, a_funded_indicator
from tests.test_bank_batches import CLOSED, PAID, answers, numbers
from tests.world import key
from workflows import disbursements, journal
from workflows.journal import Side, transfer


class TestBook:
    def test_the_same_fact_is_booked_once(self, county: World, session: Session):
        sides = transfer(Ledger.ALLOCATED, Ledger.AVAILABLE, 100, indicator_id=1)
        assert journal.book(session, county.code, "indicator", "one", sides) is not None
        assert journal.book(session, county.code, "indicator", "one", sides) is None
        assert len(session.exec(select(JournalEntry)).all()) == 1
        assert len(session.exec(select(Posting)).all()) == 2

    def test_an_entry_that_does_not_sum_to_zero_is_refused(self, county: World, session: Session):
        sides = [Side(Ledger.AVAILABLE, 100, 1), Side(Ledger.ALLOCATED, -99, 1)]
        with pytest.raises(IntegrityError, match="借贷不平"):
            journal.book(session, county.code, "indicator", "one", sides)

    def test_what_is_booked_is_never_changed(self, county: World, as_: As, owner: Owner):
        with owner() as session:
            journal.book(
                session, county.code, "indicator", "one",
                transfer(Ledger.ALLOCATED, Ledger.AVAILABLE, 100, indicator_id=1),
            )  # fmt: skip
        for change in ("update postings set amount_fen = 1", "delete from postings", "delete from journal_entries"):
            with pytest.raises(DBAPIError, match="permission denied"), as_(county.finance.clerk) as session:
                session.execute(sa.text(change))
            with pytest.raises(DBAPIError, match="只能追加"), owner() as session:
                session.execute(sa.text(change))

    def test_another_county_sees_no_entry(self, county: World, as_: As, owner: Owner):
        with owner() as session:
            a_funded_indicator(session, county, a_project(session, county))
        with as_(county.other_county.finance.clerk) as session:
            assert session.exec(select(Posting)).all() == []
        with as_(county.league) as session:
            assert len(session.exec(select(Posting)).all()) == 2


class TestVerify:
    @pytest.fixture
    def settled(self, county: World, owner: Owner) -> Money:
        money = Money(county, owner)
        with owner() as session:
            money.send_by_hand(session)
        with owner() as session:
            first, *rest = numbers(money)
            file = answers((first, CLOSED, None), *((number, PAID, None) for number in rest))
            disbursements.apply_results(session, again(session, money.batch()), file, by=SWEEP)
        return money

    def test_true_books_have_no_problem(self, settled: Money):
        assert settled.problems() == []

    @pytest.mark.parametrize(
        ("change", "check"),
        [
            (
                "update budget_indicators set available_fen = available_fen - 1, paid_fen = paid_fen + 1",
                "指标与账面不符",
            ),
            ("update payment_orders set credited_at = null", "代发户到账、发放、退回不符"),
            ("update disbursements set status = 'paid' where status = 'failed'", "发放结果与账面不符"),
            ("delete from entitlement_successes", "发放权登记与成功发放不符"),
            ("update rosters set paid_fen = paid_fen + 1", "清册实发与明细不符"),
            ("update bank_batches set paid_fen = paid_fen - 1", "批次成功金额与明细不符"),
        ],
    )
    def test_what_was_changed_behind_the_journal_is_found(self, settled: Money, change: str, check: str):
        with settled.owner() as session:
            session.execute(sa.text(change))
        assert any(problem.startswith(check) for problem in settled.problems())

    def test_the_balances_are_what_the_postings_add_up_to(self, settled: Money):
        with settled.owner() as session:
            rows = session.execute(sa.text("select ledger, sum(amount_fen) from postings group by 1"))
            sums = {ledger: int(fen) for ledger, fen in rows}
        order = settled.order()
        paid = settled.batch().paid_fen
        assert sums == {
            "allocated": -100_000_000, "available": 100_000_000 - order.amount_fen, "reserved": 0, "requested": 0,
            "in_transit": 0, "agent_account": order.amount_fen - paid, "paid": paid,
        }  # fmt: skip
        assert key(order.id)
