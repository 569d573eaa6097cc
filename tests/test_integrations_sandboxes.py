"""The sandboxes themselves: statements, doors, clocks, faults, starting and ending. （第二十二条）"""

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from time import sleep

import httpx
import pytest

from integrations import banks, budget_system
from integrations.errors import Rejected, Unavailable
from integrations.iso20022 import camt053
from integrations.sandbox.control import SandboxControl, move_clocks
from integrations.sandbox.launch import ROOT, Sandboxes
from integrations.signature import HEADER, sign
from tests import outside
from tests.outside import ACTIVE, AGENT, GONE_ID, HOLDER, HOLDER_ID, TODAY, a_payment, an_application


@pytest.fixture(scope="module")
def sandboxes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandboxes]:
    with outside.running(tmp_path_factory.mktemp("outside"), page_size=3) as started:
        started.bank.book(AGENT, "5000000.00", credit=True, kind="CREDIT")
        yield started


def balance(sandboxes: Sandboxes) -> int:
    return int(sandboxes.bank.ledger()["balance_fen"])


class TestStatements:
    def test_a_statement_tells_every_booking_of_the_day_and_adds_up(self, sandboxes: Sandboxes) -> None:
        outside.send("PC-ST", [a_payment("ST-1", ACTIVE[5], 1_234)])
        outside.settle("PC-ST")
        (statement,) = camt053.read(banks.fetch_statement(AGENT, TODAY))
        assert (statement.account_number, statement.day) == (AGENT, TODAY)
        assert statement.difference_fen == 0
        assert statement.closing_fen == balance(sandboxes)
        paid = [entry for entry in statement.entries if entry.end_to_end_id == "ST-1"]
        assert [(one.credit, one.amount_fen, one.kind) for one in paid] == [(False, 1_234, "PAY")]

    def test_a_day_without_bookings_has_a_statement_without_entries(self, sandboxes: Sandboxes) -> None:
        (statement,) = camt053.read(banks.fetch_statement(AGENT, TODAY - timedelta(days=30)))
        assert (statement.entries, statement.opening_fen, statement.closing_fen) == ([], 0, 0)

    def test_the_same_statement_has_the_same_number_and_a_longer_one_another(self, sandboxes: Sandboxes) -> None:
        first, again = (camt053.read(banks.fetch_statement(AGENT, TODAY))[0].number for _ in range(2))
        sandboxes.bank.book(AGENT, "0.01", credit=True, kind="INTEREST")
        assert first == again != camt053.read(banks.fetch_statement(AGENT, TODAY))[0].number

    def test_a_payment_that_comes_back_is_a_reversal(self, sandboxes: Sandboxes) -> None:
        outside.send("PC-RV", [a_payment("RV-1", ACTIVE[6], 4_321)])
        outside.settle("PC-RV")
        before = balance(sandboxes)
        sandboxes.bank.reverse("RV-1")
        assert balance(sandboxes) == before + 4_321
        (statement,) = camt053.read(banks.fetch_statement(AGENT, TODAY))
        last = statement.entries[-1]
        assert (last.end_to_end_id, last.credit, last.kind) == ("RV-1", True, "REVERSAL")

    def test_a_strange_account_has_no_statement(self, sandboxes: Sandboxes) -> None:
        with pytest.raises(Rejected):
            banks.fetch_statement("123", TODAY)


class TestSandboxes:
    @pytest.mark.parametrize("path", ["/control/ledger", "/batches/PC-1", "/people/check", "/indicators"])
    def test_nobody_comes_in_without_a_signature(self, sandboxes: Sandboxes, path: str) -> None:
        for kind in ("police", "bank", "budget"):
            url = sandboxes.url(kind)
            wrong = {HEADER: sign("another key", "GET", path, b"")}
            assert httpx.get(url + path, trust_env=False).status_code == 401
            assert httpx.get(url + path, headers=wrong, trust_env=False).status_code == 401

    def test_a_changed_body_breaks_the_signature(self, sandboxes: Sandboxes) -> None:
        signature = sign(sandboxes.key, "POST", "/control/clock", b'{"now": "2026-12-02T00:00:00+08:00"}')
        changed = httpx.post(
            sandboxes.url("bank") + "/control/clock",
            content=b'{"now": "2036-12-02T00:00:00+08:00"}',
            headers={HEADER: signature, "Content-Type": "application/json"},
            trust_env=False,
        )
        assert changed.status_code == 401

    def test_a_wrong_key_on_our_side_is_told_as_such(self, sandboxes: Sandboxes) -> None:
        with pytest.raises(Unavailable) as refusal:
            SandboxControl(sandboxes.url("bank"), "another key").ledger()
        assert "密钥" in str(refusal.value)

    def test_a_wrong_field_is_named_and_its_content_is_not(self, sandboxes: Sandboxes) -> None:
        with pytest.raises(Rejected) as refusal:
            sandboxes.bank.ask("accounts", status=HOLDER)
        assert (refusal.value.code, "number" in refusal.value.text) == ("FIELD_WRONG", True)
        assert HOLDER not in refusal.value.text

    def test_a_shut_bank_leaves_funded_money_waiting_and_nothing_is_lost(self, sandboxes: Sandboxes) -> None:
        before = balance(sandboxes)
        sandboxes.stop("bank")
        budget_system.submit_application(an_application("ZF-10-1", 300, bgt_id="BGT-3"))
        assert budget_system.ask_application("ZF-10-1").status == "funded"
        with pytest.raises(Unavailable):
            banks.ask_credit(AGENT, "ZF-10-1")
        assert sandboxes.budget.ledger()["not_yet_credited_fen"] == 300
        sandboxes.start("bank")
        wait_until(lambda: banks.ask_credit(AGENT, "ZF-10-1"))
        assert balance(sandboxes) == before + 300

    def test_ledgers_survive_a_restart_and_the_world_file_does_not_undo_changes(self, sandboxes: Sandboxes) -> None:
        sandboxes.bank.set_account(ACTIVE[9], status="closed")
        before = sandboxes.bank.ledger()
        sandboxes.stop("bank")
        sandboxes.start("bank")
        assert sandboxes.bank.ledger() == before
        asked = [banks.AccountQuery("1", ACTIVE[9], HOLDER, HOLDER_ID)]
        assert banks.verify_accounts(asked)[0].state == "closed"

    def test_the_sandboxes_follow_business_time_except_in_production(
        self, sandboxes: Sandboxes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        later = outside.MORNING + timedelta(days=3)
        for mode, day in (("production", TODAY), ("demo", later.date())):
            monkeypatch.setenv("YIKATONG_MODE", mode)
            with outside.patience(5):
                move_clocks(later)
                sandboxes.bank.book(AGENT, "0.01", credit=True)
                assert "OTHER" in {one.kind for one in camt053.read(banks.fetch_statement(AGENT, day))[0].entries}
        sandboxes.set_clock(outside.MORNING)

    def test_the_ledger_is_the_owners_alone_and_logs_hold_no_personal_data(self, sandboxes: Sandboxes) -> None:
        assert sandboxes.folder.stat().st_mode & 0o077 == 0
        written = "".join(file.read_text() for file in sandboxes.folder.glob("*.log"))
        assert not any(secret in written for secret in (HOLDER, HOLDER_ID, GONE_ID, *ACTIVE))

    def test_the_ledger_of_the_bank_balances_by_itself(self, sandboxes: Sandboxes) -> None:
        told = sandboxes.bank.ledger()["agent_accounts"][AGENT]
        with closing(sqlite3.connect(f"file:{sandboxes.folder}/bank.sqlite3?mode=ro", uri=True)) as book:
            total = book.execute(
                "select sum(case when credit then amount_fen else -amount_fen end) from bookings"
            ).fetchone()[0]
        assert told["balance_fen"] == total

    def test_sandboxes_whose_starter_was_killed_end_by_themselves(self, sandboxes: Sandboxes, tmp_path: Path) -> None:
        script = (
            "import sys, time; from pathlib import Path; from integrations.sandbox.launch import Sandboxes\n"
            "with Sandboxes(Path(sys.argv[1]), Path(sys.argv[2])) as s:\n"
            "    print(s.url('police'), flush=True); time.sleep(60)"
        )
        command = [sys.executable, "-c", script, str(sandboxes.world), str(tmp_path / "orphans")]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as starter:
            assert starter.stdout is not None
            url = starter.stdout.readline().strip()
            assert answers(url)
            starter.kill()
        wait_until(lambda: not answers(url))


def answers(url: str) -> bool:
    """Whether a sandbox is there."""
    try:
        return httpx.get(url + "/health", trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def wait_until(holds: Callable[[], object]) -> None:
    """Give the other processes up to ten seconds."""
    for _ in range(100):
        if holds():
            return
        sleep(0.1)
    raise AssertionError("it never happens")


class TestOptions:
    def test_a_budget_system_can_fund_by_itself_and_a_bank_can_take_its_time(self, tmp_path: Path) -> None:
        with outside.running(tmp_path, fund_on_inquiry=False, delay_seconds=600):
            budget_system.submit_application(an_application("ZF-1-1"))
            wait_until(lambda: banks.ask_credit(AGENT, "ZF-1-1"))
            outside.send("PC-1", [a_payment("A-1")])
            assert [banks.ask_batch("PC-1") for _ in range(3)] == ["received"] * 3
