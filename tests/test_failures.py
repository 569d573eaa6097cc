"""Failed payments by Article 21: corrected and paid again, activated and paid again, removed and refunded."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlmodel import select

from integrations.iso20022.pain002 import Verdict
from integrations.iso20022.reasons import FailureClass
from integrations.sandbox.launch import Sandboxes
from models.accounts import Account, AccountStatus
from models.bank_batches import Disbursement, DisbursementStatus
from models.crypto import account_index
from models.failures import Failure, FailureRoute, FailureStatus, RefundStatus
from models.rosters import LineState, RosterLine, RosterStatus
from policies.refusals import NotAllowed, ReasonMissing, StepNotPossible
from policies.working_days import add_working_days
from tests.conftest import Owner
from tests.factories import World, a_card_number, a_line, again, lines_of
from tests.money import SWEEP, Money, deliver_all, sandboxes_in
from tests.test_bank_batches import CLOSED, PAID, answers
from workflows import accounts, bank_batches, disbursements, failures, refunds
from workflows.accounts import AccountKnown, AccountTaken, BankUnknown, CardNumberWrong
from workflows.bank_batches import NothingCorrected
from workflows.failures import ROUTES, NotThisWay, PaidAsDuplicate
from workflows.refunds import NothingToRefund

DORMANT = Verdict("failed", "RJCT", "DORMANT", "不动户", "dormant")
DEAD = Verdict("failed", "RJCT", "MD07", "收款人已死亡", "dead")
SHORT = Verdict("failed", "RJCT", "AM04", "代发户余额不足", "agent_short")
TWICE = Verdict("failed", "RJCT", "AM05", "重复支付", "duplicate")


@pytest.fixture
def money(county: World, owner: Owner) -> Money:
    return Money(county, owner)


def failed(money: Money, *verdicts: Any) -> list[Failure]:
    """Let the first lines of a batch of four fail and the others be paid."""
    with money.owner() as session:
        batch = money.send_by_hand(session)
        told = [*verdicts, *[PAID] * (4 - len(verdicts))]
        numbers = [one.end_to_end_id for one in _attempts(session, batch.id)]
        file = answers(*((number, verdict, None) for number, verdict in zip(numbers, told, strict=True)))
        disbursements.apply_results(session, batch, file, by=SWEEP)
    return money.failures()


def _attempts(session: Any, batch_id: int | None) -> list[Any]:
    return list(
        session.exec(select(Disbursement).where(Disbursement.batch_id == batch_id).order_by(Disbursement.line_sequence))
    )


def notified(money: Money, failure: Failure) -> Failure:
    told: Failure = money.do(money.finance.clerk, failures.notify, failure, opinion="请核实")
    return told


class TestRoutes:
    def test_every_class_of_failure_has_a_way(self):
        assert {str(kind) for kind in FailureClass} <= {str(kind) for kind in ROUTES}

    def test_each_case_of_the_article_goes_its_way(self, money: Money):
        found = failed(money, CLOSED, DORMANT, DEAD)
        assert [one.route for one in found] == [
            FailureRoute.CHANGE_ACCOUNT, FailureRoute.ACTIVATE, FailureRoute.REMOVE,
        ]  # fmt: skip

    def test_the_banks_notice_reaches_the_account(self, money: Money):
        failed(money, CLOSED, DORMANT)
        with money.owner() as session:
            lines = lines_of(session, money.roster())
            found = [session.get_one(Account, line.account_id).status for line in lines[:2]]
        assert found == [AccountStatus.CLOSED, AccountStatus.DORMANT]

    def test_the_dead_are_in_no_way_that_leads_to_another_payment(self, money: Money):
        failure = notified(money, failed(money, DEAD)[0])
        township = money.township.clerk
        with pytest.raises(NotThisWay):
            money.do(township, failures.correct, failure, account_number=a_card_number(), resolution="换卡")
        with pytest.raises(NotThisWay):
            money.do(township, failures.activate, failure, resolution="激活")


class TestNotify:
    def test_the_townships_five_working_days_run_from_the_notice(self, money: Money):
        failure = notified(money, failed(money, CLOSED)[0])
        with money.owner() as session:
            assert failure.due_on == add_working_days(session, failure.arrived_at.date(), 5)

    def test_only_the_finance_clerk_notifies(self, money: Money):
        [failure] = failed(money, CLOSED)
        for by in (money.finance.reviewer, money.township.clerk, money.department.clerk):
            with pytest.raises(NotAllowed):
                money.do(by, failures.notify, failure)


class TestCorrect:
    @pytest.mark.parametrize("number", ["", "123", "6217370000000000000", "62173７0000000000012"])
    def test_a_number_that_is_no_card_is_refused(self, money: Money, number: str):
        failure = notified(money, failed(money, CLOSED)[0])
        with pytest.raises(CardNumberWrong):
            money.do(money.township.clerk, failures.correct, failure, account_number=number, resolution="换卡")

    def test_a_card_of_somebody_else_is_refused(self, money: Money):
        failure = notified(money, failed(money, CLOSED)[0])
        with money.owner() as session:
            other = lines_of(session, money.roster())[3].account_number
        with pytest.raises(AccountTaken):
            money.do(money.township.clerk, failures.correct, failure, account_number=other, resolution="换卡")

    def test_an_unknown_bank_is_refused_with_the_known_ones(self, money: Money):
        failure = notified(money, failed(money, CLOSED)[0])
        with pytest.raises(BankUnknown, match="农村信用社"):
            money.do(
                money.township.clerk, failures.correct, failure, account_number=a_card_number(), bank_name="火星银行",
                resolution="换卡",
            )  # fmt: skip

    def test_a_corrected_line_waits_for_the_bank_before_it_is_paid_again(self, money: Money):
        failure = notified(money, failed(money, CLOSED)[0])
        card = a_card_number()
        money.do(money.township.clerk, failures.correct, failure, account_number=card, resolution="换卡")
        with pytest.raises(NothingCorrected):
            money.do(money.finance.clerk, bank_batches.prepare_correction, money.order())
        verify(money, card, "verified")
        batch = money.do(money.finance.clerk, bank_batches.prepare_correction, money.order())
        assert (batch.correction, batch.line_count, batch.amount_fen) == (True, 1, failure.amount_fen)
        second = money.disbursements()[-1]
        assert (second.attempt, second.account_number, second.status) == (2, card, DisbursementStatus.PENDING)
        with pytest.raises(NothingCorrected):
            money.do(money.finance.clerk, bank_batches.prepare_correction, money.order())

    def test_an_account_that_the_bank_refuses_sends_the_failure_back(self, money: Money):
        failure = notified(money, failed(money, CLOSED)[0])
        card = a_card_number()
        money.do(money.township.clerk, failures.correct, failure, account_number=card, resolution="换卡")
        verify(money, card, "name_differs")
        assert money.failures()[0].status == FailureStatus.NOTIFIED
        with pytest.raises(AccountKnown):
            money.do(money.township.clerk, failures.correct, failure, account_number=card, resolution="换卡")

    def test_a_paid_correction_settles_the_failure_and_the_roster(self, money: Money):
        correct_and_answer(money, PAID)
        assert money.failures()[0].status == FailureStatus.SETTLED
        assert money.roster().status == RosterStatus.PAID
        assert money.problems() == []

    def test_a_correction_that_fails_again_is_another_failure(self, money: Money):
        correct_and_answer(money, CLOSED)
        assert [one.status for one in money.failures()] == [FailureStatus.REPLACED, FailureStatus.OPEN]
        assert money.roster().status == RosterStatus.PART_PAID
        assert money.problems() == []


def proposed(money: Money, card: str) -> Account:
    """Return the account that a correction has proposed."""
    with money.owner() as session:
        return session.exec(select(Account).where(Account.number_index == account_index(card))).one()


def verify(money: Money, card: str, state: Any) -> None:
    """Let the head agree to a new account, then take the bank's answer to it."""
    money.do(money.township.head, accounts.confirm, proposed(money, card))
    with money.owner() as session:
        account = session.exec(select(Account).where(Account.number_index == account_index(card))).one()
        answer = accounts.AccountAnswer(str(account.id), state, True, "银行答复")
        accounts.apply_answer(session, account, answer, by=SWEEP)


def correct_and_answer(money: Money, verdict: Any) -> None:
    """Correct a closed account, pay again, and take the bank's verdict."""
    failure = notified(money, failed(money, CLOSED)[0])
    card = a_card_number()
    money.do(money.township.clerk, failures.correct, failure, account_number=card, resolution="换卡")
    verify(money, card, "verified")
    money.do(money.finance.clerk, bank_batches.prepare_correction, money.order())
    with money.owner() as session:
        batch = money.sent(session, again(session, money.batch()))
        [one] = _attempts(session, batch.id)
        disbursements.apply_results(session, batch, answers((one.end_to_end_id, verdict, None)), by=SWEEP)


class TestRetry:
    def test_finance_pays_again_what_was_its_own_to_mend(self, money: Money):
        [failure] = failed(money, SHORT)
        money.do(money.finance.clerk, failures.retry, failure, resolution="头寸已补足")
        batch = money.do(money.finance.clerk, bank_batches.prepare_correction, money.order())
        assert batch.line_count == 1

    def test_a_duplicate_is_never_simply_paid_again(self, money: Money):
        [failure] = failed(money, TWICE)
        with pytest.raises(PaidAsDuplicate):
            money.do(money.finance.clerk, failures.retry, failure, resolution="再付")

    def test_what_the_township_must_mend_is_not_retried(self, money: Money):
        [failure] = failed(money, CLOSED)
        with pytest.raises(NotThisWay):
            money.do(money.finance.clerk, failures.retry, failure, resolution="再付")


class TestRemoveAndRefund:
    def test_a_removed_line_leaves_the_roster_and_its_money_waits_for_refund(self, money: Money):
        failure = removed(money)
        with money.owner() as session:
            line = session.exec(select(RosterLine).where(RosterLine.id == failure.line_id)).one()
        assert line.state == LineState.STOPPED
        assert (money.roster().status, money.roster().line_count) == (RosterStatus.PAID, 3)
        assert money.roster().amount_fen == money.roster().paid_fen

    def test_the_township_does_not_remove_and_the_department_gives_its_reason(self, money: Money):
        failure = notified(money, failed(money, DEAD)[0])
        with pytest.raises(StepNotPossible):
            money.do(money.department.clerk, failures.remove, failure, resolution="死亡")
        money.do(money.township.clerk, failures.report_unpayable, failure, resolution="收款人已死亡")
        with pytest.raises(NotAllowed):
            money.do(money.township.clerk, failures.remove, failure, resolution="死亡")
        with pytest.raises(ReasonMissing):
            money.do(money.department.clerk, failures.remove, failure, resolution=" ")

    def test_nothing_removed_is_nothing_to_refund(self, money: Money):
        with pytest.raises(NothingToRefund):
            money.do(money.finance.clerk, refunds.prepare)

    def test_a_removed_line_is_refunded_once(self, money: Money):
        failure = removed(money)
        [refund] = money.do(money.finance.clerk, refunds.prepare)
        assert (refund.amount_fen, refund.indicator_id) == (failure.amount_fen, money.indicator_id)
        with pytest.raises(NothingToRefund):
            money.do(money.finance.clerk, refunds.prepare)
        with pytest.raises(NotAllowed):
            money.do(money.finance.clerk, refunds.release, refund)


def removed(money: Money) -> Failure:
    """Let one payee turn out dead, and the line be removed."""
    failure = notified(money, failed(money, DEAD)[0])
    money.do(money.township.clerk, failures.report_unpayable, failure, resolution="收款人已死亡")
    gone: Failure = money.do(money.department.clerk, failures.remove, failure, resolution="收款人已死亡")
    return gone


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandboxes]:
    with sandboxes_in(tmp_path_factory.mktemp("outside")) as boxes:
        yield boxes


class TestArticle21OverRealSockets:
    def test_closed_dormant_and_dead_go_their_ways_to_the_end(self, county: World, owner: Owner, outside: Sandboxes):
        money = Money(county, owner, outside, lines=[a_line() for _ in range(5)])
        money.fund()
        with owner() as session:
            lines = lines_of(session, money.roster())
        closed, dormant, dead = (line.account_number for line in lines[:3])
        for number, change in (
            (closed, {"status": "closed"}),
            (dormant, {"status": "dormant"}),
            (dead, {"died": True}),
        ):
            outside.bank.set_account(number, **change)
        money.send()
        money.settle()
        first, second, third = (notified(money, failure) for failure in money.failures())
        self._correct(money, outside, first, lines[0])
        outside.bank.set_account(dormant, status="active")
        money.do(money.township.clerk, failures.activate, second, resolution="已激活")
        money.do(money.township.clerk, failures.report_unpayable, third, resolution="收款人已死亡")
        money.do(money.department.clerk, failures.remove, third, resolution="收款人已死亡")
        assert deliver_all() == 0
        [batch] = money.do(money.finance.clerk, bank_batches.prepare_corrections)
        assert batch.line_count == 2
        money.do(money.finance.reviewer, bank_batches.release, batch)
        deliver_all()
        money.settle()
        [refund] = money.do(money.finance.clerk, refunds.prepare)
        money.do(money.finance.reviewer, refunds.release, refund)
        assert deliver_all() == 0
        assert money.refund().status == RefundStatus.RETURNED
        assert [one.status.value for one in money.failures()] == ["settled", "settled", "refunded"]
        assert money.roster().status == RosterStatus.PAID
        assert money.indicator().paid_fen == money.roster().paid_fen == money.roster().amount_fen
        assert money.problems() == []

    @staticmethod
    def _correct(money: Money, outside: Sandboxes, failure: Failure, line: RosterLine) -> None:
        card = a_card_number()
        outside.bank.add_world([
            {"kind": "account", "number": card, "holder_name": line.payee_name, "holder_id": line.id_number,
             "bank_code": line.bank_code, "status": "active"}
        ])  # fmt: skip
        money.do(money.township.clerk, failures.correct, failure, account_number=card, resolution="换卡")
        money.do(money.township.head, accounts.confirm, proposed(money, card))

    def test_a_refund_whose_answer_is_lost_is_made_once(self, county: World, owner: Owner, outside: Sandboxes):
        money = Money(county, owner, outside)
        money.fund()
        with owner() as session:
            outside.bank.set_account(lines_of(session, money.roster())[0].account_number or "", died=True)
        money.send()
        money.settle()
        failure = notified(money, money.failures()[0])
        money.do(money.township.clerk, failures.report_unpayable, failure, resolution="收款人已死亡")
        money.do(money.department.clerk, failures.remove, failure, resolution="收款人已死亡")
        [refund] = money.do(money.finance.clerk, refunds.prepare)
        money.do(money.finance.reviewer, refunds.release, refund)
        before = outside.bank.ledger()["returned_fen"]
        outside.bank.fault("lost_answer", path="/returns", method="POST")
        outside.budget.fault("lost_answer", path="/refunds", method="POST")
        assert deliver_all(1) == 1
        assert deliver_all(3) == 0
        assert outside.bank.ledger()["returned_fen"] - before == refund.amount_fen
        assert money.refund().status == RefundStatus.RETURNED
        assert money.problems() == []
