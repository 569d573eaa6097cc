"""The clients against the sandboxes, over real sockets. （第十、十二、十六、十九至二十二条）"""

from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from integrations import banks, budget_system, police
from integrations.budget_system import RefundApplication
from integrations.errors import Rejected, Unavailable, Unknown
from integrations.iso20022 import pain001, pain002
from integrations.sandbox.launch import Sandboxes
from models.households import IdentityOutcome
from tests import outside
from tests.outside import ACTIVE, AGENT, COUNTY, GONE, GONE_ID, HOLDER, HOLDER_ID, TODAY, a_payment, an_application


@pytest.fixture(scope="module")
def sandboxes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandboxes]:
    with outside.running(tmp_path_factory.mktemp("outside"), page_size=3) as started:
        started.bank.book(AGENT, "5000000.00", credit=True, kind="CREDIT")
        yield started


def balance(sandboxes: Sandboxes) -> int:
    return int(sandboxes.bank.ledger()["balance_fen"])


class TestPolice:
    def test_each_person_gets_one_of_four_answers_in_the_order_asked(self, sandboxes: Sandboxes) -> None:
        answers = police.check_people(
            [
                police.PersonQuery("1", HOLDER, HOLDER_ID),
                police.PersonQuery("2", GONE, GONE_ID),
                police.PersonQuery("3", "张峰", GONE_ID),
                police.PersonQuery("4", HOLDER, "150430199001010022"),
            ]
        )
        outcomes = [IdentityOutcome.MATCH, IdentityOutcome.DEAD, IdentityOutcome.MISMATCH, IdentityOutcome.NOT_FOUND]
        assert [answer.reference for answer in answers] == ["1", "2", "3", "4"]
        assert [answer.outcome for answer in answers] == outcomes
        assert [answer.died_on for answer in answers] == [None, date(2026, 11, 20), None, None]

    def test_a_name_with_another_middle_dot_is_the_same_name(self, sandboxes: Sandboxes) -> None:
        asked = [police.PersonQuery("1", HOLDER.replace("·", "．"), HOLDER_ID)]
        assert police.check_people(asked)[0].outcome is IdentityOutcome.MATCH

    def test_nobody_is_dead_before_the_day_of_death(self, sandboxes: Sandboxes) -> None:
        sandboxes.police.set_person(GONE_ID, died_on=TODAY + timedelta(days=1))
        asked = [police.PersonQuery("1", GONE, GONE_ID)]
        before = police.check_people(asked)[0].outcome
        sandboxes.police.set_person(GONE_ID, died_on=date(2026, 11, 20))
        assert before is IdentityOutcome.MATCH

    def test_more_people_than_one_request_carries_are_all_answered(self, sandboxes: Sandboxes) -> None:
        asked = [police.PersonQuery(str(number), HOLDER, HOLDER_ID) for number in range(police.CHUNK + 1)]
        assert [answer.reference for answer in police.check_people(asked)] == [one.reference for one in asked]


class TestAccounts:
    def test_the_bank_tells_every_state_of_an_account(self, sandboxes: Sandboxes) -> None:
        numbers = [ACTIVE[0], outside.DORMANT, outside.CLOSED, outside.FROZEN, outside.LOST, outside.NOWHERE]
        asked = [banks.AccountQuery(number[-4:], number, HOLDER, HOLDER_ID) for number in numbers]
        answers = banks.verify_accounts(asked)
        assert [answer.state for answer in answers] == [
            "verified",
            "dormant",
            "closed",
            "frozen",
            "frozen",
            "unknown",
        ]
        assert [answer.reference for answer in answers] == [one.reference for one in asked]
        assert answers[0].is_card

    def test_an_account_of_somebody_else_is_not_verified(self, sandboxes: Sandboxes) -> None:
        other_name = banks.AccountQuery("1", ACTIVE[0], GONE, HOLDER_ID)
        other_number = banks.AccountQuery("2", ACTIVE[0], HOLDER, GONE_ID)
        assert [one.state for one in banks.verify_accounts([other_name, other_number])] == ["name_differs"] * 2


class TestIndicators:
    def test_only_indicators_of_the_hot_topic_come_down_page_by_page(self, sandboxes: Sandboxes) -> None:
        found, cursor, pages = [], "", 0
        while pages == 0 or cursor:
            page = budget_system.download_indicators(COUNTY, cursor=cursor)
            found, cursor, pages = found + page.items, page.cursor, pages + 1
        assert [one["BGT_ID"] for one in found] == ["BGT-0", "BGT-1", "BGT-2", "BGT-3", "BGT-4", "BGT-REFUND"]
        assert pages == 2
        assert budget_system.download_indicators("150525000000").items == []

    def test_downloading_twice_gives_the_same(self, sandboxes: Sandboxes) -> None:
        assert budget_system.download_indicators(COUNTY) == budget_system.download_indicators(COUNTY)

    def test_what_is_applied_for_is_no_longer_available(self, sandboxes: Sandboxes) -> None:
        budget_system.submit_application(an_application("ZF-AV-1", 4_000_000, bgt_id="BGT-4"))
        page = budget_system.download_indicators(COUNTY, cursor="3")
        told = next(one for one in page.items if one["BGT_ID"] == "BGT-4")
        assert (told["AMOUNT"], told["PAY_APP_AMT"], told["CUR_AMT"]) == ("100000.00", "40000.00", "60000.00")


class TestApplications:
    def test_an_application_is_received_then_funded_and_the_money_reaches_the_agent_account(
        self, sandboxes: Sandboxes
    ) -> None:
        before = balance(sandboxes)
        assert banks.ask_credit(AGENT, "ZF/1-1") is None
        budget_system.submit_application(an_application("ZF/1-1"))
        state = budget_system.ask_application("ZF/1-1")
        assert state.status == "funded"
        assert state.funded_at is not None and state.funded_at.astimezone(outside.MORNING.tzinfo).date() == TODAY
        assert banks.ask_credit(AGENT, "ZF/1-1") is not None
        assert balance(sandboxes) == before + 1_000_000

    def test_the_same_application_twice_is_one(self, sandboxes: Sandboxes) -> None:
        before = balance(sandboxes)
        first = budget_system.submit_application(an_application("ZF-2-1", bgt_id="BGT-1"))
        budget_system.ask_application("ZF-2-1")
        assert budget_system.submit_application(an_application("ZF-2-1", bgt_id="BGT-1")) == first
        budget_system.ask_application("ZF-2-1")
        assert balance(sandboxes) == before + 1_000_000
        assert sandboxes.budget.ledger()["indicators"]["BGT-1"]["applied_fen"] == 1_000_000

    @pytest.mark.parametrize(
        ("code", "fields"),
        [
            ("BGT_UNKNOWN", {"bgt_id": "NONE"}),
            ("BGT_UNKNOWN", {"division_code": "150525000000"}),
            ("BGT_SHORT", {"amount_fen": 10_000_001}),
            ("ECO_WRONG", {"gov_eco_code": "51301"}),
            ("PAYEE_UNKNOWN", {"payee_account": ""}),
            ("FIELD_WRONG", {"amount_fen": 0}),
        ],
    )
    def test_a_wrong_application_is_rejected_with_its_reason(
        self, sandboxes: Sandboxes, code: str, fields: dict[str, object]
    ) -> None:
        with pytest.raises(Rejected) as refusal:
            budget_system.submit_application(an_application("ZF-3-1", **{"bgt_id": "BGT-2", **fields}))
        assert refusal.value.code == code
        assert budget_system.ask_application("ZF-3-1").status == "unknown"

    def test_a_number_is_never_used_for_another_application(self, sandboxes: Sandboxes) -> None:
        budget_system.submit_application(an_application("ZF-4-1", bgt_id="BGT-2"))
        with pytest.raises(Rejected) as refusal:
            budget_system.submit_application(an_application("ZF-4-1", 999, bgt_id="BGT-2"))
        assert refusal.value.code == "PAY_APP_NO_REUSED"

    def test_a_rejected_application_gives_the_indicator_its_money_back(self, sandboxes: Sandboxes) -> None:
        before = sandboxes.budget.ledger()["indicators"]["BGT-3"]
        sandboxes.budget.fault("reject")
        budget_system.submit_application(an_application("ZF-5-1", bgt_id="BGT-3"))
        state = budget_system.ask_application("ZF-5-1")
        assert (state.status, state.funded_at) == ("rejected", None)
        assert state.reason
        assert sandboxes.budget.ledger()["indicators"]["BGT-3"] == before

    def test_an_account_that_the_bank_does_not_know_is_rejected(self, sandboxes: Sandboxes) -> None:
        budget_system.submit_application(an_application("ZF-6-1", bgt_id="BGT-3", payee_account="999"))
        assert budget_system.ask_application("ZF-6-1").status == "rejected"


class TestSilence:
    def test_a_time_out_after_acting_is_unknown_and_asking_tells(self, sandboxes: Sandboxes) -> None:
        sandboxes.budget.fault("timeout", path="/pay-applications", method="POST", seconds=3)
        with outside.patience(1), pytest.raises(Unknown):
            budget_system.submit_application(an_application("ZF-7-1", 100, bgt_id="BGT-1"))
        assert budget_system.ask_application("ZF-7-1").status == "funded"

    def test_a_lost_answer_is_unknown_and_asking_tells(self, sandboxes: Sandboxes) -> None:
        sandboxes.bank.fault("lost_answer", path="/batches", method="PUT")
        content = pain001.write(outside.a_file("PC-LOST", [a_payment("LOST-1")]))
        with pytest.raises(Unknown):
            banks.send_batch("PC-LOST", content, AGENT)
        assert banks.ask_batch("PC-LOST") != "unknown"
        assert banks.send_batch("PC-LOST", content, AGENT).bank_reference

    def test_an_error_of_the_other_side_is_unavailable_and_nothing_was_done(self, sandboxes: Sandboxes) -> None:
        sandboxes.budget.fault("error")
        with pytest.raises(Unavailable):
            budget_system.submit_application(an_application("ZF-8-1", 100, bgt_id="BGT-1"))
        assert budget_system.ask_application("ZF-8-1").status == "unknown"

    def test_silence_on_a_question_is_only_unavailable(self, sandboxes: Sandboxes) -> None:
        sandboxes.police.fault("lost_answer")
        with pytest.raises(Unavailable):
            police.check_people([police.PersonQuery("1", HOLDER, HOLDER_ID)])

    def test_an_address_that_is_not_configured_is_unavailable(
        self, sandboxes: Sandboxes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("YIKATONG_BANK_URL", "")
        with outside.patience(1), pytest.raises(Unavailable) as refusal:
            banks.ask_batch("PC-1")
        assert "尚未配置" in str(refusal.value)

    def test_messages_carry_no_personal_data(self, sandboxes: Sandboxes) -> None:
        sandboxes.bank.fault("error")
        with pytest.raises(Unavailable) as refusal:
            banks.verify_accounts([banks.AccountQuery("1", ACTIVE[0], HOLDER, HOLDER_ID)])
        assert not any(secret in str(refusal.value) for secret in (ACTIVE[0], HOLDER, HOLDER_ID))


class TestBatches:
    def test_a_batch_is_received_accepted_partly_answered_and_settled(self, sandboxes: Sandboxes) -> None:
        assert banks.ask_batch("PC-1") == "unknown"
        assert banks.fetch_results("PC-1") == []
        outside.send("PC-1", [a_payment(f"A-{number}", ACTIVE[number]) for number in range(5)])
        seen = [(banks.ask_batch("PC-1"), [len(pain002.read(one).results) for one in banks.fetch_results("PC-1")])]
        for _ in range(3):
            seen.append((banks.ask_batch("PC-1"), [len(pain002.read(o).results) for o in banks.fetch_results("PC-1")]))
        assert seen == [("accepted", []), ("accepted", [2]), ("settled", [2, 5]), ("settled", [2, 5])]

    def test_each_case_of_article_21_has_its_class(self, sandboxes: Sandboxes) -> None:
        accounts = [
            outside.NOWHERE,
            outside.CLOSED,
            outside.FROZEN,
            outside.LOST,
            outside.DORMANT,
            ACTIVE[1],
        ]
        payments = [a_payment(f"B-{at}", number) for at, number in enumerate(accounts)]
        payments.append(a_payment("B-6", outside.OF_THE_DEAD, name=GONE))
        payments.append(a_payment("B-7", ACTIVE[2], name="包·乌日汗"))
        outside.send("PC-2", payments)
        results = pain002.read(outside.settle("PC-2")[-1]).results
        classes = ["invalid", "closed", "frozen", "lost_card", "dormant", "", "dead", "name_differs"]
        assert [one.verdict.failure_class for one in results] == classes

    def test_the_same_file_twice_is_one_batch_and_another_file_is_rejected(self, sandboxes: Sandboxes) -> None:
        content = outside.send("PC-3", [a_payment("C-1")])
        outside.settle("PC-3")
        before = balance(sandboxes)
        first = banks.send_batch("PC-3", content, AGENT)
        assert banks.send_batch("PC-3", content, AGENT) == first
        other = pain001.write(outside.a_file("PC-3", [a_payment("C-2")]))
        with pytest.raises(Rejected) as refusal:
            banks.send_batch("PC-3", other, AGENT)
        assert refusal.value.code == "DUPLICATE_MSGID"
        assert balance(sandboxes) == before

    def test_one_end_to_end_id_is_paid_once_ever(self, sandboxes: Sandboxes) -> None:
        outside.send("PC-4", [a_payment("D-1"), a_payment("D-1")])
        outside.send("PC-5", [a_payment("D-1")])
        twice = pain002.read(outside.settle("PC-4")[-1]).results
        again = pain002.read(outside.settle("PC-5")[-1]).results
        assert [one.verdict.code for one in twice + again] == ["", "AM05", "AM05"]

    def test_nothing_is_paid_beyond_the_balance(self, sandboxes: Sandboxes) -> None:
        before = balance(sandboxes)
        outside.send("PC-6", [a_payment("E-1", amount_fen=before + 1), a_payment("E-2", ACTIVE[3], 1)])
        results = pain002.read(outside.settle("PC-6")[-1]).results
        assert [one.verdict.failure_class for one in results] == ["agent_short", ""]
        assert balance(sandboxes) == before - 1

    @pytest.mark.parametrize(
        ("old", "new", "code"),
        [
            (b"<CtrlSum>200.00<", b"<CtrlSum>200.01<", "AM10"),
            (b"<NbOfTxs>2<", b"<NbOfTxs>3<", "AM10"),
        ],
    )
    def test_a_file_whose_sums_disagree_is_refused_as_a_whole(
        self, sandboxes: Sandboxes, old: bytes, new: bytes, code: str
    ) -> None:
        message = f"PC-SUM-{len(old)}"
        content = pain001.write(outside.a_file(message, [a_payment("F-1"), a_payment("F-2")])).replace(old, new)
        banks.send_batch(message, content, AGENT)
        assert banks.ask_batch(message) == "refused"
        report = pain002.read(banks.fetch_results(message)[0])
        assert report.message_id == message
        assert report.rest is not None and (report.rest.outcome, report.rest.code) == ("failed", code)

    def test_a_file_off_the_schema_or_for_another_account_is_rejected_at_once(self, sandboxes: Sandboxes) -> None:
        content = pain001.write(outside.a_file("PC-8", [a_payment("G-1")]))
        for sent, account, code in (
            (content.replace(b"CNY", b"USD"), AGENT, "FORMAT"),
            (content, "123", "AGENT_ACCOUNT"),
        ):
            with pytest.raises(Rejected) as refusal:
                banks.send_batch("PC-8", sent, account)
            assert refusal.value.code == code

    @pytest.mark.parametrize("kind", ["duplicate", "out_of_order", "alien", "contradiction"])
    def test_results_can_come_twice_backwards_or_with_what_fits_nothing(self, sandboxes: Sandboxes, kind: str) -> None:
        name = kind.replace("_", "-")
        message = f"PC-{name}"
        outside.send(message, [a_payment(f"{name}-1"), a_payment(f"{name}-2")])
        plain = outside.settle(message)
        sandboxes.bank.fault(kind)  # type: ignore[arg-type]  # one of the kinds
        disturbed = banks.fetch_results(message)
        assert banks.fetch_results(message) == plain
        expected = {"duplicate": plain + plain, "out_of_order": plain[::-1]}
        if kind in expected:
            assert disturbed == expected[kind]
        else:
            extra = pain002.read(disturbed[-1]).results[0]
            assert (extra.end_to_end_id, extra.verdict.outcome) in (
                ("STRANGER-1", "paid"),
                ("contradiction-1", "failed"),
            )

    @hypothesis_settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        amounts=st.lists(st.integers(1, 10_000), min_size=1, max_size=12),
        accounts=st.lists(st.sampled_from([*ACTIVE[:3], outside.CLOSED, outside.DORMANT]), min_size=12, max_size=12),
        names=st.lists(
            st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp", "Cn"]), min_size=1),
            min_size=12,
            max_size=12,
        ),
    )
    def test_what_went_out_comes_back_and_the_money_adds_up(
        self, sandboxes: Sandboxes, amounts: list[int], accounts: list[str], names: list[str]
    ) -> None:
        number = sum(sandboxes.bank.ledger()["batches"].values())
        before = balance(sandboxes)
        payments = [
            a_payment(f"H{number}-{at}", accounts[at], amount, HOLDER if at % 3 else names[at][:140])
            for at, amount in enumerate(amounts)
        ]
        outside.send(f"PC-H{number}", payments)
        results = pain002.read(outside.settle(f"PC-H{number}")[-1]).results
        assert [(one.end_to_end_id, one.amount_fen) for one in results] == [
            (one.end_to_end_id, one.amount_fen) for one in payments
        ]
        paid_fen = sum(one.amount_fen or 0 for one in results if one.verdict.outcome == "paid")
        assert all(one.verdict.outcome in ("paid", "failed") for one in results)
        assert before - balance(sandboxes) == paid_fen


class TestReturns:
    def test_money_goes_back_to_the_very_indicator_that_paid_it(self, sandboxes: Sandboxes) -> None:
        budget_system.submit_application(an_application("ZF-9-1", 50_000, bgt_id="BGT-REFUND"))
        budget_system.ask_application("ZF-9-1")
        before = balance(sandboxes)
        refund = RefundApplication("TK-1", "ZF-9-1", "BGT-REFUND", COUNTY, 20_000, "收款人死亡")
        assert budget_system.return_funds(refund).status == "received"
        assert banks.ask_return("TK-1") is None
        funds = banks.FundsReturn("TK-1", AGENT, 20_000, "ZF-9-1", "收款人死亡")
        receipt = banks.return_funds(funds)
        assert banks.return_funds(funds) == receipt == banks.ask_return("TK-1")
        assert budget_system.ask_refund("TK-1").status == "returned"
        assert budget_system.return_funds(refund).status == "returned"
        assert balance(sandboxes) == before - 20_000
        assert sandboxes.budget.ledger()["indicators"]["BGT-REFUND"]["applied_fen"] == 30_000

    @pytest.mark.parametrize(
        ("code", "changed"),
        [
            ("PAY_APP_UNKNOWN", {"pay_app_no": "NONE"}),
            ("BGT_DIFFERS", {"bgt_id": "BGT-1"}),
            ("REFUND_TOO_MUCH", {"amount_fen": 30_001}),
        ],
    )
    def test_a_refund_that_fits_no_payment_is_rejected(
        self, sandboxes: Sandboxes, code: str, changed: dict[str, object]
    ) -> None:
        facts = {"pay_app_no": "ZF-9-1", "bgt_id": "BGT-REFUND", "amount_fen": 1, **changed}
        with pytest.raises(Rejected) as refusal:
            budget_system.return_funds(RefundApplication("TK-2", division_code=COUNTY, reason="x", **facts))  # type: ignore[arg-type]
        assert refusal.value.code == code
        assert budget_system.ask_refund("TK-2").status == "unknown"

    def test_the_bank_returns_no_more_than_there_is(self, sandboxes: Sandboxes) -> None:
        with pytest.raises(Rejected) as refusal:
            banks.return_funds(banks.FundsReturn("TK-3", AGENT, balance(sandboxes) + 1, "ZF-9-1", "x"))
        assert refusal.value.code == "AM04"
