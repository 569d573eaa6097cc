"""Bank batches and their results, by hand and over real sockets. （第二十条、第二十一条）"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import Session, select

from integrations.iso20022 import pain001
from integrations.iso20022.pain002 import PaymentResult, ResultFile, Verdict
from integrations.sandbox.launch import Sandboxes
from models.bank_batches import (
    BankBatch,
    BankBatchStatus,
    Disbursement,
    DisbursementStatus,
    EntitlementSuccess,
    ResultException,
)
from models.failures import Failure
from models.jobs import StoredFile
from models.payment_orders import PaymentOrderStatus
from models.rosters import Roster, RosterStatus
from policies.clock import ZONE, now
from policies.refusals import NotAllowed, StepNotPossible
from policies.working_days import add_working_days
from tests.conftest import Owner
from tests.factories import World, a_line, again
from tests.money import SWEEP, Money, deliver_all, sandboxes_in
from workflows import bank_batches, disbursements, journal, outbox, payment_orders
from workflows.bank_batches import FileUnwritable, NothingToPay

PAID = Verdict("paid", "ACCC", "", "", "")
CLOSED = Verdict("failed", "RJCT", "AC04", "账户已销户", "closed")
PENDING = Verdict("pending", "PDNG", "", "", "")


def answers(*told: tuple[str, Verdict, int | None], group: Verdict | None = None) -> ResultFile:
    """A result file: EndToEndId, verdict and amount of each payment."""
    results = [PaymentResult(number, fen, None, verdict) for number, verdict, fen in told]
    return ResultFile(report_id="R", group=group, results=results)


@pytest.fixture
def money(county: World, owner: Owner) -> Money:
    return Money(county, owner)


@pytest.fixture
def sent(money: Money) -> Money:
    """A batch of four that the bank has received."""
    with money.owner() as session:
        money.send_by_hand(session)
    return money


def apply(money: Money, *files: ResultFile) -> list[disbursements.Applied]:
    """Apply result files, each in a transaction, as the sweep does."""
    told = []
    for file in files:
        with money.owner() as session:
            told.append(disbursements.apply_results(session, again(session, money.batch()), file, by=SWEEP))
    return told


def numbers(money: Money) -> list[str]:
    return [one.end_to_end_id for one in money.disbursements()]


def statuses(money: Money) -> list[str]:
    return [one.status.value for one in money.disbursements()]


def exceptions(money: Money) -> list[str]:
    return [one.kind for one in money.all(ResultException)]


class TestPrepare:
    def test_a_funded_order_is_sent_within_two_working_days_of_the_funding(self, money: Money):
        with money.owner() as session:
            order = money.fund_by_hand(session)
            assert order.funded_at is not None
            order.funded_at = now(session) - timedelta(days=1)
            session.flush()
            batch = bank_batches.prepare(session, order, by=money.finance.clerk)
            assert batch.due_on == add_working_days(session, order.funded_at.astimezone(ZONE).date(), 2)
            assert (batch.line_count, batch.amount_fen) == (4, order.amount_fen)

    def test_an_order_that_is_not_funded_is_not_sent(self, money: Money):
        [order] = money.draft()
        with pytest.raises(StepNotPossible):
            money.do(money.finance.clerk, bank_batches.prepare, order)

    def test_lines_go_into_one_batch_only(self, sent: Money):
        with pytest.raises(NothingToPay):
            sent.do(sent.finance.clerk, bank_batches.prepare, sent.order())

    def test_who_prepared_does_not_release(self, money: Money):
        with money.owner() as session:
            batch = bank_batches.prepare(session, money.fund_by_hand(session), by=money.finance.clerk)
        for by in (money.finance.clerk, money.department.reviewer):
            with pytest.raises(NotAllowed):
                money.do(by, bank_batches.release, batch)

    def test_the_lines_of_a_cancelled_batch_go_into_the_next(self, money: Money):
        with money.owner() as session:
            batch = bank_batches.prepare(session, money.fund_by_hand(session), by=money.finance.clerk)
        money.do(money.finance.reviewer, bank_batches.cancel, batch, reason="附言有误")
        assert set(statuses(money)) == {"reserved"}
        money.do(money.finance.clerk, bank_batches.prepare, money.order())
        assert (money.batch().line_count, set(statuses(money))) == (4, {"pending"})

    def test_the_file_is_the_same_however_often_it_is_sent_and_lies_sealed(self, money: Money):
        with money.owner() as session:
            batch = bank_batches.prepare(session, money.fund_by_hand(session), by=money.finance.clerk)
            bank_batches.release(session, batch, by=money.finance.reviewer)
            message = session.exec(
                select(outbox.OutboxMessage).where(outbox.OutboxMessage.business_key == batch.number)
            ).one()
            prepared = outbox.TOPICS["bank_batch"].prepare
            first, second = prepared(session, message), prepared(session, message)
            assert first.content == second.content
            pain001.validate(first.content)
            stored = session.exec(select(StoredFile)).one()
            assert first.agent_account.encode() in first.content
            assert first.agent_account.encode() not in stored.content

    def test_a_file_that_cannot_be_written_is_refused_at_the_release(self, money: Money):
        with money.owner() as session:
            batch = bank_batches.prepare(session, money.fund_by_hand(session), by=money.finance.clerk)
            session.execute(sa.text("update disbursements set payee_name = '' where line_sequence = 1"))
        with pytest.raises(FileUnwritable, match="收款人"):
            money.do(money.finance.reviewer, bank_batches.release, batch)


class TestResults:
    def test_a_paid_line_is_claimed_and_booked_in_the_same_transaction(self, sent: Money):
        first, *_ = numbers(sent)
        apply(sent, answers((first, PAID, None)))
        assert statuses(sent).count("paid") == 1
        assert len(sent.all_claims()) == 1
        assert sent.roster().status == RosterStatus.PART_PAID
        assert sent.batch().status == BankBatchStatus.SENT
        assert sent.problems() == []

    def test_the_same_answer_again_changes_nothing(self, sent: Money):
        file = answers(*((number, PAID, None) for number in numbers(sent)))
        first, second = apply(sent, file, file)
        assert (len(first.paid), second.changed, second.exceptions) == (4, False, 0)
        assert sent.roster().status == RosterStatus.PAID
        assert sent.problems() == []

    def test_a_failed_line_goes_on_its_way_by_article_21(self, sent: Money):
        first, *rest = numbers(sent)
        apply(sent, answers((first, CLOSED, None), *((number, PAID, None) for number in rest)))
        [failure] = sent.failures()
        assert (failure.failure_class, failure.route.value, failure.status.value) == (
            "closed",
            "change_account",
            "open",
        )
        assert (sent.batch().paid_count, sent.batch().failed_count) == (3, 1)
        assert sent.roster().status == RosterStatus.PART_PAID
        assert sent.problems() == []

    def test_a_stranger_is_left_to_a_person(self, sent: Money):
        [applied] = apply(sent, answers(("STRANGER", PAID, 100)))
        assert (applied.changed, exceptions(sent)) == (False, ["陌生支付标识"])

    def test_a_wrong_amount_is_not_booked(self, sent: Money):
        first, *_ = numbers(sent)
        apply(sent, answers((first, PAID, 1)))
        assert (statuses(sent)[0], exceptions(sent)) == ("unknown", ["金额不符"])
        assert sent.problems() == []

    def test_two_answers_for_one_line_in_one_file_leave_it_open(self, sent: Money):
        first, *_ = numbers(sent)
        apply(sent, answers((first, PAID, None), (first, CLOSED, None)))
        assert (statuses(sent)[0], exceptions(sent)) == ("unknown", ["结果自相矛盾"])
        apply(sent, answers((first, PAID, None)))
        assert statuses(sent)[0] == "paid"
        assert sent.problems() == []

    @pytest.mark.parametrize(("first", "second"), [(PAID, CLOSED), (CLOSED, PAID)])
    def test_an_answer_against_what_is_settled_is_left_to_a_person(self, sent: Money, first: Verdict, second: Verdict):
        one = numbers(sent)[0]
        apply(sent, answers((one, first, None)), answers((one, second, None)))
        assert statuses(sent)[0] == first.outcome
        assert exceptions(sent) == ["与已登记结果矛盾"]
        assert sent.problems() == []

    def test_a_verdict_on_the_whole_file_holds_for_what_it_does_not_list(self, sent: Money):
        first, *_ = numbers(sent)
        apply(sent, answers((first, CLOSED, None), group=PAID))
        assert statuses(sent) == ["failed", "paid", "paid", "paid"]
        assert sent.problems() == []

    def test_a_pending_line_stays_open(self, sent: Money):
        [applied] = apply(sent, answers((numbers(sent)[0], PENDING, None)))
        assert not applied.changed
        assert set(statuses(sent)) == {"sent"}

    def test_an_answer_for_another_batch_is_not_applied(self, sent: Money):
        file = answers((numbers(sent)[0], PAID, None))
        file.message_id = "PC000000202601010001"
        apply(sent, file)
        assert (set(statuses(sent)), exceptions(sent)) == ({"sent"}, ["批次号不符"])

    def test_an_entitlement_that_was_paid_elsewhere_is_not_paid_twice(self, county: World, sent: Money):
        first = sent.disbursements()[0]
        with sent.owner() as session:
            former = Disbursement(**first.model_dump(exclude={"id"}) | {
                "end_to_end_id": "FORMER", "attempt": 9, "status": DisbursementStatus.FAILED,
            })  # fmt: skip
            session.add(former)
            session.flush()
            session.add(
                EntitlementSuccess(
                    entitlement_key=first.entitlement_key, division_code=county.code, disbursement_id=former.id
                )
            )
        apply(sent, answers((first.end_to_end_id, PAID, None)))
        assert (statuses(sent)[0], exceptions(sent)) == ("unknown", ["发放权已被占用"])

    def test_an_unreadable_file_is_noted_and_nothing_else(self, sent: Money):
        with sent.owner() as session:
            bank_batches.apply_file(session, again(session, sent.batch()), b"<broken", by=SWEEP)
        assert exceptions(sent) == ["回盘文件无法读取"]

    def test_a_batch_settles_when_every_line_is_answered(self, sent: Money):
        xml = _pain002(sent.batch().number, [(number, "ACCC") for number in numbers(sent)])
        with sent.owner() as session:
            bank_batches.apply_file(session, again(session, sent.batch()), xml, by=SWEEP)
        assert sent.batch().status == BankBatchStatus.SETTLED
        assert sent.batch().settled_at is not None

    def test_a_batch_refused_as_a_whole_waits_for_the_next(self, sent: Money):
        with sent.owner() as session:
            bank_batches.apply_file(session, again(session, sent.batch()), _pain002(sent.batch().number, []), by=SWEEP)
        assert (sent.batch().status, set(statuses(sent))) == (BankBatchStatus.REFUSED, {"reserved"})
        sent.do(sent.finance.clerk, bank_batches.prepare, sent.order())
        assert not sent.batch().correction


def _pain002(message_id: str, told: list[tuple[str, str]]) -> bytes:
    lines = "".join(
        f"<TxInfAndSts><OrgnlEndToEndId>{number}</OrgnlEndToEndId><TxSts>{status}</TxSts></TxInfAndSts>"
        for number, status in told
    )
    group = "PART" if told else "RJCT"
    return (
        f"<Document><CstmrPmtStsRpt><GrpHdr><MsgId>R1</MsgId></GrpHdr><OrgnlGrpInfAndSts><OrgnlMsgId>{message_id}"
        f"</OrgnlMsgId><GrpSts>{group}</GrpSts></OrgnlGrpInfAndSts><OrgnlPmtInfAndSts>{lines}</OrgnlPmtInfAndSts>"
        "</CstmrPmtStsRpt></Document>"
    ).encode()


TOLD = st.tuples(st.integers(0, 5), st.sampled_from([PAID, CLOSED, PENDING]), st.sampled_from([None, None, None, 1]))


class TestWhateverTheBankAnswers:
    @settings(
        max_examples=30,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(
        st.lists(
            st.tuples(st.lists(TOLD, max_size=5), st.sampled_from([None, None, PAID, CLOSED]), st.booleans()),
            max_size=5,
        )
    )
    def test_the_books_balance_and_nobody_is_paid_twice(
        self, sent: Money, session: Session, files: list[tuple[list[Any], Verdict | None, bool]]
    ):
        known = [*numbers(sent), "STRANGER-1", "STRANGER-2"]
        with session.begin_nested() as savepoint:
            batch = session.exec(select(BankBatch).execution_options(populate_existing=True)).one()
            for told, group, twice in files:
                file = answers(*((known[at], verdict, fen) for at, verdict, fen in told), group=group)
                for _ in range(2 if twice else 1):
                    disbursements.apply_results(session, batch, file, by=SWEEP)
            assert journal.verify(session) == []
            paid = session.execute(
                sa.text("select count(*), count(distinct entitlement_key) from disbursements where status = 'paid'")
            ).one()
            failed = session.execute(sa.text("select count(*) from disbursements where status = 'failed'")).scalar_one()
            assert paid[0] == paid[1] == session.exec(select(sa.func.count()).select_from(EntitlementSuccess)).one()
            assert failed == session.exec(select(sa.func.count()).select_from(Failure)).one()
            savepoint.rollback()
        session.expire_all()


class TestTakeBack:
    def test_a_payment_that_comes_back_is_reversed_and_may_be_paid_again(self, sent: Money):
        apply(sent, answers(*((number, PAID, None) for number in numbers(sent))))
        one = sent.disbursements()[0]
        with sent.owner() as session:
            day = now(session).date()
            for times in (1, 0):
                assert disbursements.take_back(
                    session, one.county_code, [one.id or 0], by=SWEEP, on=day, key=one.end_to_end_id
                ) == times  # fmt: skip
        assert statuses(sent)[0] == "reversed"
        assert sent.roster().status == RosterStatus.PART_PAID
        assert sent.roster().paid_fen == sent.roster().amount_fen - one.amount_fen
        assert [failure.failure_class for failure in sent.failures()] == ["returned"]
        assert sent.problems() == []


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandboxes]:
    with sandboxes_in(tmp_path_factory.mktemp("outside")) as boxes:
        yield boxes


class TestTheWayOfTheMoney:
    def test_a_final_roster_is_ordered_funded_sent_and_paid(self, county: World, owner: Owner, outside: Sandboxes):
        money = Money(county, owner, outside)
        order = money.fund()
        assert order.status == PaymentOrderStatus.FUNDED
        assert order.funded_at is not None and order.credited_at is not None
        batch = money.send()
        assert batch.status == BankBatchStatus.SENT
        with owner() as session:
            assert batch.due_on == add_working_days(session, order.credited_at.astimezone(ZONE).date(), 3)
        batch = money.settle()
        assert batch.status == BankBatchStatus.SETTLED
        assert set(statuses(money)) == {"paid"}
        assert money.roster().status == RosterStatus.PAID
        assert money.roster().paid_fen == money.roster().amount_fen == money.indicator().paid_fen
        assert money.problems() == []

    @pytest.mark.parametrize("fault", ["duplicate", "out_of_order", "alien", "contradiction"])
    def test_whatever_the_bank_does_with_its_files_the_books_hold(
        self, county: World, owner: Owner, outside: Sandboxes, fault: Any
    ):
        money = Money(county, owner, outside)
        money.fund()
        money.send()
        outside.bank.fault(fault, times=2, path="/batches")
        assert money.settle().status == BankBatchStatus.SETTLED
        assert money.problems() == []
        kinds = {"alien": {"陌生支付标识"}, "contradiction": {"与已登记结果矛盾"}}
        assert set(exceptions(money)) == kinds.get(fault, set())

    def test_a_lost_receipt_is_asked_after_and_the_batch_is_paid_once(
        self, county: World, owner: Owner, outside: Sandboxes
    ):
        money = Money(county, owner, outside)
        money.fund()
        before = outside.bank.ledger()["paid_fen"]
        money.do(money.finance.clerk, bank_batches.prepare, money.order())
        money.do(money.finance.reviewer, bank_batches.release, money.batch())
        outside.bank.fault("lost_answer", path="/batches", method="PUT")
        assert deliver_all(1) == 1
        assert money.batch().status == BankBatchStatus.RELEASED
        assert deliver_all(1) == 0
        assert money.settle().status == BankBatchStatus.SETTLED
        assert outside.bank.ledger()["paid_fen"] - before == money.roster().paid_fen == money.roster().amount_fen

    def test_a_batch_waits_until_the_money_has_arrived(self, county: World, owner: Owner, outside: Sandboxes):
        money = Money(county, owner, outside)
        with owner() as session:
            order = money.fund_by_hand(session)
            order.credited_at = None
            session.flush()
            batch = bank_batches.prepare(session, order, by=money.finance.clerk)
            bank_batches.release(session, batch, by=money.finance.reviewer)
        assert deliver_all(1) == 1
        assert "尚未到账" in money.all(outbox.OutboxMessage)[-1].last_error
        assert money.batch().status == BankBatchStatus.RELEASED


class TestKilledHalfWay:
    def test_results_of_which_half_were_posted_end_in_the_same_figures(
        self, county: World, owner: Owner, outside: Sandboxes
    ):
        money = Money(county, owner, outside, lines=[a_line() for _ in range(6)])
        money.fund()
        money.send()
        for _ in range(3):
            bank_batches.fetch_results(SWEEP)
            with pytest.raises(RuntimeError), owner() as session:
                batch = again(session, money.batch())
                file = answers(*((number, PAID, None) for number in numbers(money)))
                disbursements.apply_results(session, batch, file, by=SWEEP)
                raise RuntimeError("killed before the commit")
        assert money.settle().status == BankBatchStatus.SETTLED
        assert money.problems() == []
        assert isinstance(money.roster(), Roster) and payment_orders.ask_funding(SWEEP) == 0
