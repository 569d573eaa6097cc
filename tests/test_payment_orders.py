"""Payment orders: drafted from final rosters, reserved, released, funded or rejected. （第十九条）"""

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import NoResultFound
from sqlmodel import Session

from integrations.budget_system import ApplicationState
from integrations.sandbox.launch import Sandboxes
from models.bank_batches import DisbursementStatus
from models.indicators import BudgetIndicator
from models.payment_orders import PaymentOrder, PaymentOrderStatus
from models.projects import ProjectLink
from models.rosters import LineState, Roster, RosterStatus
from policies.clock import now
from policies.refusals import NotAllowed, NotFound, ReasonMissing, StepNotPossible
from tests.conftest import Owner
from tests.factories import World, a_line, a_project, a_roster, again, an_agent_account, lines_of
from tests.money import SWEEP, Money, a_funded_indicator, a_second_link, deliver_all, sandboxes_in
from tests.world import key
from workflows import payment_orders
from workflows.allotment import (
    AccountGone,
    AgentAccountMissing,
    EntitlementTaken,
    InsufficientIndicator,
    NoLink,
    NothingToOrder,
    OpenLine,
    Source,
    allot,
)


@pytest.fixture
def money(county: World, owner: Owner) -> Money:
    return Money(county, owner)


def yuan_lines(*amounts: int) -> list[Any]:
    return [a_line(amount_fen=amount) for amount in amounts]


class TestDraft:
    def test_the_department_drafts_an_order_from_a_final_roster_and_reserves_the_indicator(self, money: Money):
        [order] = money.draft()
        assert (order.status, order.line_count, order.amount_fen) == (PaymentOrderStatus.DRAFTED, 4, 60000)
        assert money.roster().status == RosterStatus.ORDERED
        assert (money.indicator().available_fen, money.indicator().reserved_fen) == (99_940_000, 60_000)
        lines = money.disbursements()
        assert {one.status for one in lines} == {DisbursementStatus.RESERVED}
        assert all(len(one.end_to_end_id) <= 35 and one.attempt == 1 for one in lines)
        assert money.problems() == []

    def test_stopped_and_held_lines_are_not_ordered(self, county: World, owner: Owner):
        states = [LineState.ACTIVE, LineState.HELD, LineState.STOPPED]
        money = Money(county, owner, lines=[a_line(state=state) for state in states])
        [order] = money.draft()
        assert (order.line_count, [one.line_sequence for one in money.disbursements()]) == (1, [1])

    def test_a_roster_is_ordered_once(self, money: Money):
        money.draft()
        with pytest.raises(NothingToOrder):
            money.draft()

    def test_a_roster_that_is_not_final_is_not_ordered(self, county: World, owner: Owner, money: Money):
        with owner() as session:
            roster = a_roster(session, county, status=RosterStatus.FINANCE_EXAMINED, period="2023")
        with pytest.raises(StepNotPossible):
            money.do(county.department.clerk, payment_orders.draft, roster)

    def test_only_the_department_of_the_project_drafts(self, county: World, money: Money):
        for by in (county.finance.clerk, county.department.reviewer, county.township.clerk):
            with pytest.raises(NotAllowed):
                money.do(by, payment_orders.draft, money.roster())
        with pytest.raises(NoResultFound):  # another department's rosters are not there for it
            money.do(county.civil_affairs.clerk, payment_orders.draft, money.roster())

    def test_what_the_indicators_lack_is_named_with_need_and_have(self, county: World, owner: Owner):
        money = Money(county, owner, lines=yuan_lines(300_00, 200_00), amount_fen=499_99)
        with pytest.raises(InsufficientIndicator, match=r"需要 500\.00 元，对应指标可用 499\.99 元"):
            money.draft()
        assert money.roster().status == RosterStatus.FINAL

    def test_several_indicators_pay_in_link_order_each_line_whole(self, county: World, owner: Owner):
        money = Money(county, owner, lines=yuan_lines(300_00, 200_00, 250_00), amount_fen=550_00)
        with owner() as session:
            project = a_project(session, county)
            second = a_funded_indicator(session, county, project, amount_fen=900_00)
            second.pro_code = a_second_link(session, county.code, project).pro_code
        orders = money.draft()
        assert [(one.indicator_id, one.amount_fen, one.line_count) for one in orders] == [
            (money.indicator_id, 500_00, 2),
            (second.id, 250_00, 1),
        ]
        assert money.problems() == []

    def test_an_unlinked_project_is_refused_with_the_remedy(self, owner: Owner, money: Money):
        with owner() as session:
            session.execute(sa.delete(ProjectLink))
        with pytest.raises(NoLink, match="对应预算项目"):
            money.draft()

    def test_payees_of_two_banks_go_through_two_agent_accounts(self, county: World, owner: Owner):
        lines = [a_line(), a_line(bank_code="103191000007"), a_line()]
        money = Money(county, owner, lines=lines)
        with pytest.raises(AgentAccountMissing, match="序号 2"):
            money.draft()
        with owner() as session:
            other = an_agent_account(session, county, prefix="103")
        orders = money.draft()
        assert [(one.agent_account_id, one.line_count) for one in orders] == [(money.agent_id, 2), (other.id, 1)]

    def test_a_line_without_account_is_named(self, county: World, owner: Owner):
        money = Money(county, owner, lines=[a_line(), a_line(account=False)])
        with owner() as session:
            session.execute(sa.text("update roster_lines set bank_code = '402191000008'"))
        with pytest.raises(AccountGone, match="序号 2"):
            money.draft()

    def test_the_same_entitlement_on_two_rosters_is_ordered_once(self, county: World, owner: Owner, money: Money):
        with owner() as session:
            former = lines_of(session, session.get_one(Roster, money.roster_id))
            twin = a_roster(session, county, status=RosterStatus.FINAL)
            [line] = lines_of(session, twin)
            line.entitlement_key = former[2].entitlement_key
        money.draft()
        with pytest.raises(EntitlementTaken, match="序号 1"):
            money.do(county.department.clerk, payment_orders.draft, twin)

    def test_an_indicator_that_may_not_be_paid_to_people_is_not_used(self, owner: Owner, money: Money):
        with owner() as session:
            session.execute(sa.update(BudgetIndicator).values(gov_eco_code="51301"))
        with pytest.raises(InsufficientIndicator):
            money.draft()

    def test_another_county_does_not_see_the_roster(self, county: World, money: Money):
        with pytest.raises(NotFound):
            payment_orders.draft(Session(), money.roster(), by=county.other_county.department.clerk)


class TestAllot:
    def test_a_line_that_no_indicator_holds_whole_has_no_room(self):
        lines = [OpenLine(1, 1, 60, 7), OpenLine(2, 2, 60, 7)]
        assert allot(lines, [Source(1, 70), Source(2, 50)]) is None

    def test_a_later_small_line_uses_what_is_left_of_the_first(self):
        lines = [OpenLine(1, 1, 60, 7), OpenLine(2, 2, 60, 7), OpenLine(3, 3, 10, 7)]
        shares = allot(lines, [Source(1, 70), Source(2, 60)]) or []
        assert [(one.indicator_id, one.line_ids, one.amount_fen) for one in shares] == [(1, [1, 3], 70), (2, [2], 60)]


class TestCancel:
    def test_a_cancelled_draft_gives_everything_back_and_may_be_ordered_again(self, money: Money):
        [order] = money.draft()
        money.do(money.department.reviewer, payment_orders.cancel, order, reason="金额有误")
        assert money.roster().status == RosterStatus.FINAL
        assert money.indicator().reserved_fen == 0
        assert {one.status for one in money.disbursements()} == {DisbursementStatus.CANCELLED}
        money.draft()
        assert [one.attempt for one in money.disbursements()] == [1, 1, 1, 1, 2, 2, 2, 2]
        assert money.problems() == []

    def test_the_lines_of_one_cancelled_order_are_ordered_again_while_the_other_goes_on(
        self, county: World, owner: Owner
    ):
        money = Money(county, owner, lines=[a_line(), a_line(bank_code="103191000007")])
        with owner() as session:
            an_agent_account(session, county, prefix="103")
        _, second = money.draft()
        money.do(money.department.reviewer, payment_orders.cancel, second, reason="换行")
        assert money.roster().status == RosterStatus.ORDERED
        [third] = money.draft()
        assert third.agent_account_id == second.agent_account_id
        assert money.problems() == []

    def test_a_cancellation_needs_a_reason_and_the_reviewer(self, money: Money):
        [order] = money.draft()
        with pytest.raises(ReasonMissing):
            money.do(money.department.reviewer, payment_orders.cancel, order, reason=" ")
        with pytest.raises(NotAllowed):
            money.do(money.department.clerk, payment_orders.cancel, order, reason="金额有误")


class TestRelease:
    def test_who_drafted_does_not_release(self, money: Money):
        [order] = money.draft()
        with pytest.raises(NotAllowed):
            money.do(money.department.clerk, payment_orders.release, order)

    def test_a_rejection_releases_nothing_until_the_order_is_cancelled(self, money: Money):
        [order] = money.draft()
        money.do(money.department.reviewer, payment_orders.release, order)
        with money.owner() as session:
            row = again(session, order)
            payment_orders.apply_state(session, row, ApplicationState("received", None, ""), by=SWEEP)
            payment_orders.apply_state(session, row, ApplicationState("rejected", None, "用途不符"), by=SWEEP)
        order = money.order()
        assert (order.status, order.answer) == (PaymentOrderStatus.REJECTED, "用途不符")
        assert money.indicator().reserved_fen == order.amount_fen
        assert money.problems() == []
        money.do(money.department.clerk, payment_orders.cancel_rejected, order, reason="不再支付")
        assert money.indicator().reserved_fen == 0
        assert money.problems() == []

    def test_a_rejected_order_goes_again_under_a_new_number(self, money: Money):
        [order] = money.draft()
        money.do(money.department.reviewer, payment_orders.release, order)
        with money.owner() as session:
            payment_orders.apply_state(
                session, again(session, order), ApplicationState("rejected", None, "用途不符"), by=SWEEP
            )
        money.do(money.department.clerk, payment_orders.draft_again, order, opinion="已更正")
        money.do(money.department.reviewer, payment_orders.release, order)
        assert money.order().pay_app_no == f"{order.number}-2"
        assert money.problems() == []

    def test_an_answer_told_twice_is_booked_once(self, money: Money):
        with money.owner() as session:
            order = money.fund_by_hand(session)
            for _ in range(2):
                payment_orders.apply_state(session, order, ApplicationState("funded", now(session), ""), by=SWEEP)
                payment_orders.apply_credit(session, order, now(session))
        assert (money.indicator().requested_fen, money.indicator().paid_fen) == (0, money.order().amount_fen)
        assert money.problems() == []


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandboxes]:
    with sandboxes_in(tmp_path_factory.mktemp("outside")) as boxes:
        yield boxes


class TestTheBudgetSystem:
    def test_funding_and_arrival_are_two_moments(self, county: World, owner: Owner, outside: Sandboxes):
        money = Money(county, owner, outside)
        [order] = money.draft()
        money.do(money.department.reviewer, payment_orders.release, order)
        assert deliver_all() == 0
        assert money.order().status == PaymentOrderStatus.REQUESTED
        outside.stop("bank")
        try:
            with pytest.raises(Exception, match="暂时无法连接"):
                payment_orders.ask_funding(SWEEP)
            funded = money.order()
            assert funded.status == PaymentOrderStatus.FUNDED
            assert funded.funded_at is not None and funded.credited_at is None
        finally:
            outside.start("bank")
        assert outside.budget.ledger()["funded_fen"] >= funded.amount_fen
        for _ in range(40):
            if payment_orders.ask_funding(SWEEP):
                break
        assert money.order().credited_at is not None
        assert money.problems() == []

    def test_a_lost_answer_is_asked_after_and_not_sent_again(self, county: World, owner: Owner, outside: Sandboxes):
        money = Money(county, owner, outside)
        before = outside.budget.ledger()["applications"]
        [order] = money.draft()
        money.do(money.department.reviewer, payment_orders.release, order)
        outside.budget.fault("lost_answer", path="/pay-applications", method="POST")
        assert deliver_all(1) == 1
        assert money.order().status == PaymentOrderStatus.RELEASED
        assert deliver_all(1) == 0
        assert payment_orders.ask_funding(SWEEP) >= 1
        count = {name: row["count"] for name, row in outside.budget.ledger()["applications"].items()}
        assert sum(count.values()) == sum(row["count"] for row in before.values()) + 1
        assert money.order().status == PaymentOrderStatus.FUNDED

    def test_a_refusal_by_the_budget_system_stands_on_the_order(self, county: World, owner: Owner, outside: Sandboxes):
        money = Money(county, owner, outside)
        [order] = money.draft()
        with owner() as session:
            session.execute(sa.update(BudgetIndicator).values(bgt_id="不存在的指标"))
        money.do(money.department.reviewer, payment_orders.release, order)
        deliver_all()
        order = money.order()
        assert order.status == PaymentOrderStatus.REJECTED
        assert "本区划没有该指标" in order.answer
        assert key(order.id) and money.problems() == []


class TestNumbers:
    def test_numbers_run_on_within_a_day(self, county: World, owner: Owner, money: Money):
        money.draft()
        with owner() as session:
            other = a_roster(session, county, status=RosterStatus.FINAL, period="2023")
        [second] = money.do(county.department.clerk, payment_orders.draft, other)
        numbers = [one.number for one in money.all(PaymentOrder)]
        assert [number[-4:] for number in numbers] == ["0001", "0002"]
        assert second.number == numbers[1]
