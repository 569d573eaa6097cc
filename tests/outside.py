"""A small outside world for the tests of the clients and the sandboxes."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from integrations import banks
from integrations.budget_system import HOT_TOPIC, PaymentApplication
from integrations.iso20022.pain001 import CreditTransfer, CreditTransferFile, write
from integrations.sandbox.launch import Sandboxes
from models.settings import settings

COUNTY = "150430000000"
MORNING = datetime(2026, 12, 1, 9, tzinfo=ZoneInfo("Asia/Shanghai"))
TODAY = MORNING.date()
AGENT = "0515043040200000011"
CNAPS = "402194000015"
HOLDER, HOLDER_ID = "孛儿只斤·额尔敦巴特尔", "150430199001010014"
GONE, GONE_ID = "张丰", "150430195001010019"

ACTIVE = [f"62173715043{number:08d}" for number in range(40)]
DORMANT, CLOSED, FROZEN, LOST, OF_THE_DEAD, NOWHERE = (f"62173799043{number:08d}" for number in range(6))


def world() -> list[dict[str, Any]]:
    """The lines of the world file."""
    special = ((DORMANT, "dormant"), (CLOSED, "closed"), (FROZEN, "frozen"), (LOST, "lost"))
    accounts = [*((number, "active") for number in ACTIVE), *special]
    lines: list[dict[str, Any]] = [
        {"kind": "person", "id_number": HOLDER_ID, "name": HOLDER, "died_on": None},
        {"kind": "person", "id_number": GONE_ID, "name": GONE, "died_on": "2026-11-20"},
        {"kind": "agent_account", "number": AGENT, "name": "代发户", "bank_code": CNAPS, "division_code": COUNTY},
        an_account(OF_THE_DEAD, "active", GONE, GONE_ID),
    ]
    lines += [an_account(number, status) for number, status in accounts]
    lines += [an_indicator(f"BGT-{number}") for number in range(5)]
    lines += [an_indicator("BGT-OTHER", HOT_TOPIC_CATE_NAME="“三保”支出"), an_indicator("BGT-REFUND")]
    return lines


def an_account(number: str, status: str, name: str = HOLDER, id_number: str = HOLDER_ID) -> dict[str, Any]:
    return {
        "kind": "account",
        "number": number,
        "holder_name": name,
        "holder_id": id_number,
        "bank_code": CNAPS,
        "status": status,
    }


def an_indicator(bgt_id: str, **fields: Any) -> dict[str, Any]:
    return {
        "kind": "indicator",
        "BGT_ID": bgt_id,
        "MOF_DIV_CODE": COUNTY[:9],
        "FISCAL_YEAR": 2026,
        "HOT_TOPIC_CATE_NAME": HOT_TOPIC,
        "AMOUNT": "100000.00",
        **fields,
    }


def an_application(number: str, amount_fen: int = 1_000_000, **fields: Any) -> PaymentApplication:
    facts = {
        "number": number,
        "bgt_id": "BGT-0",
        "fiscal_year": 2026,
        "division_code": COUNTY,
        "pro_code": "1504302621301220000001",
        "agency_code": "045001",
        "fund_type_code": "111",
        "exp_func_code": "2130122",
        "gov_eco_code": "50903",
        "dep_eco_code": "30310",
        "amount_fen": amount_fen,
        "payee_name": "代发户",
        "payee_account": AGENT,
        "payee_bank_code": CNAPS,
        "use": "耕地地力保护补贴",
        "created_on": date(2026, 12, 1),
    }
    return PaymentApplication(**{**facts, **fields})  # type: ignore[arg-type]  # the facts are of mixed kinds


def a_payment(reference: str, account: str = ACTIVE[0], amount_fen: int = 10_000, name: str = HOLDER) -> CreditTransfer:
    return CreditTransfer(reference, amount_fen, name, account, CNAPS, "耕地地力保护补贴")


def a_file(message_id: str, payments: list[CreditTransfer], **fields: Any) -> CreditTransferFile:
    facts = {
        "message_id": message_id,
        "created_at": MORNING,
        "execution_on": TODAY,
        "debtor_name": "敖汉旗财政局代发户",
        "debtor_account": AGENT,
        "debtor_bank_code": CNAPS,
        "payment_count": len(payments),
        "total_fen": sum(payment.amount_fen for payment in payments),
        "payments": payments,
    }
    return CreditTransferFile(**{**facts, **fields})  # type: ignore[arg-type]  # the facts are of mixed kinds


def send(message_id: str, payments: list[CreditTransfer]) -> bytes:
    """Send a batch and return its file."""
    content = write(a_file(message_id, payments))
    banks.send_batch(message_id, content, AGENT)
    return content


def settle(message_id: str) -> list[bytes]:
    """Ask until the batch is settled, and return its result files."""
    for _ in range(6):
        if banks.ask_batch(message_id) in ("settled", "refused"):
            return banks.fetch_results(message_id)
    raise AssertionError(f"{message_id} is never settled")


@contextmanager
def running(folder: Path, **options: Any) -> Iterator[Sandboxes]:
    """The three sandboxes over this world, with this process's settings pointed at them for as long."""
    file = folder / "world.jsonl"
    file.write_text("\n".join(json.dumps(line, ensure_ascii=False) for line in world()), encoding="utf-8")
    with Sandboxes(file, folder / "sandboxes", **options) as started, pytest.MonkeyPatch.context() as patch:
        for name, value in started.environment().items():
            patch.setenv(name, value)
        settings.cache_clear()
        started.set_clock(MORNING)
        yield started
    settings.cache_clear()


@contextmanager
def patience(seconds: int) -> Iterator[None]:
    """Clients that wait no longer than this for an answer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("YIKATONG_PARTNER_SECONDS", str(seconds))
        settings.cache_clear()
        yield
    settings.cache_clear()
