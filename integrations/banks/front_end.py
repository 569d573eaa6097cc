"""The agent bank's front end: XML of GB/T 27926 (ISO 20022) for batches, results and statements, JSON for inquiries."""

from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal
from urllib.parse import quote

from integrations import transport
from integrations.amounts import yuan_text

CHUNK = 1000
"""How many accounts one request carries at most."""

AGENT_ACCOUNT_HEADER = "X-Agent-Account"
"""Carries the account to be debited: numbers never stand in an address, which others may log."""

AccountState = Literal["verified", "unknown", "closed", "dormant", "frozen", "name_differs", "wrong_kind"]
BatchState = Literal["unknown", "received", "accepted", "refused", "settled"]


@dataclass(frozen=True)
class AccountQuery:
    """One account to be verified; `reference` is ours and comes back with the answer."""

    reference: str
    number: str
    holder_name: str
    id_number: str


@dataclass(frozen=True)
class AccountAnswer:
    """What the bank says of one account; `text` is for officers, without personal data."""

    reference: str
    state: AccountState
    is_card: bool
    text: str


@dataclass(frozen=True, repr=False)
class AccountNotice:
    """What the bank tells of an account by itself; notices are numbered in their order, and each stays."""

    sequence: int
    number: str
    state: AccountState
    text: str


@dataclass(frozen=True)
class BatchReceipt:
    """The bank has the file; the same message id with the same content gives the same receipt."""

    message_id: str
    bank_reference: str


@dataclass(frozen=True)
class FundsReturn:
    """Money on the agent account to be sent back to the treasury; `number` is the refund's, valid for ever."""

    number: str
    agent_account: str
    amount_fen: int
    pay_app_no: str
    purpose: str


@dataclass(frozen=True)
class ReturnReceipt:
    """The bank has sent the money back to the treasury."""

    number: str
    bank_reference: str
    returned_at: datetime


def verify_accounts(accounts: Sequence[AccountQuery]) -> list[AccountAnswer]:
    """Ask the bank whether accounts exist, are usable and belong to their holders. （第十二条）

    Answers come in the order of the questions; asking again changes nothing. Raises Unavailable, Rejected.
    """
    answers: list[AccountAnswer] = []
    for start in range(0, len(accounts), CHUNK):
        asked = accounts[start : start + CHUNK]
        body = {
            "accounts": [
                {
                    "reference": a.reference,
                    "number": a.number,
                    "holder_name": a.holder_name,
                    "id_number": a.id_number,
                }
                for a in asked
            ]
        }
        told = transport.agent_bank().read("POST", "/accounts/verify", body).json()["answers"]
        answers += [AccountAnswer(one["reference"], one["state"], one["is_card"], one["text"]) for one in told]
    return answers


def fetch_account_notices(after: int) -> list[AccountNotice]:
    """Fetch what the bank tells of accounts by itself, past notice `after`, oldest first. （第二十一条）

    At most CHUNK at once; fetching again changes nothing. Raises Unavailable.
    """
    answer = transport.agent_bank().read("POST", "/accounts/notices/inquiry", {"after": after, "limit": CHUNK})
    if answer.status_code == 404:  # a front end of the former version tells nothing by itself
        return []
    told = answer.json()["notices"]
    return [AccountNotice(int(one["sequence"]), one["number"], one["state"], one["text"]) for one in told]


def send_batch(message_id: str, content: bytes, agent_account: str) -> BatchReceipt:
    """Send one pain.001 file; idempotent by its MsgId. （第二十条）

    agent_account: the account to be debited, which the bank compares with the file's.
    Raises Unavailable; Unknown (ask_batch before anything else); Rejected with the code DUPLICATE_MSGID (the id came
    before with other content), FORMAT (not the schema) or AGENT_ACCOUNT.
    """
    path = f"/batches/{quote(message_id, safe='')}"
    told = transport.agent_bank().write("PUT", path, content, {AGENT_ACCOUNT_HEADER: agent_account}).json()
    return BatchReceipt(message_id=told["message_id"], bank_reference=told["bank_reference"])


def ask_batch(message_id: str) -> BatchState:
    """Ask where a batch stands; "unknown" means that it never arrived and may be sent. Raises Unavailable."""
    answer = transport.agent_bank().read("GET", f"/batches/{quote(message_id, safe='')}")
    if answer.status_code == 404:
        return "unknown"
    state: BatchState = answer.json()["state"]
    return state


def fetch_results(message_id: str) -> list[bytes]:
    """Fetch all pain.002 files of a batch so far, oldest first; they stay, so fetching again changes nothing.

    A refused batch has one, with the reason at group level. Raises Unavailable.
    """
    answer = transport.agent_bank().read("GET", f"/batches/{quote(message_id, safe='')}/results")
    if answer.status_code == 404:
        return []
    return [b64decode(file) for file in answer.json()["files"]]


def ask_credit(agent_account: str, reference: str) -> datetime | None:
    """Ask when the money of a payment application reached the agent account (到账); None when it has not. （第二十条）

    reference: the application's number (PAY_APP_NO). Raises Unavailable.
    """
    body = {"agent_account": agent_account, "reference": reference}
    told = transport.agent_bank().read("POST", "/credits/inquiry", body).json()["credited_at"]
    return datetime.fromisoformat(told) if told else None


def return_funds(funds: FundsReturn) -> ReturnReceipt:
    """Order money from the agent account back to the treasury; idempotent by its number. （第二十二条）

    Raises Unavailable; Unknown (ask_return first); Rejected with the code AM04 (the account is short), AGENT_ACCOUNT or
    RETURN_NO_REUSED.
    """
    body = {
        "number": funds.number,
        "agent_account": funds.agent_account,
        "amount": yuan_text(funds.amount_fen),
        "pay_app_no": funds.pay_app_no,
        "purpose": funds.purpose,
    }
    return _return_receipt(transport.agent_bank().write("POST", "/returns", body).json())


def ask_return(number: str) -> ReturnReceipt | None:
    """Ask whether a return was made; None means that the order never arrived and may be sent. Raises Unavailable."""
    answer = transport.agent_bank().read("GET", f"/returns/{quote(number, safe='')}")
    return None if answer.status_code == 404 else _return_receipt(answer.json())


def fetch_statement(agent_account: str, day: date) -> bytes:
    """Fetch the camt.053 statement of an agent account for one day (without entries when nothing moved). （第二十二条）

    Raises Unavailable, Rejected with the code AGENT_ACCOUNT.
    """
    body = {"agent_account": agent_account, "day": day.isoformat()}
    return transport.agent_bank().read("POST", "/statements/inquiry", body).content


def _return_receipt(told: dict[str, Any]) -> ReturnReceipt:
    return ReturnReceipt(told["number"], told["bank_reference"], datetime.fromisoformat(told["returned_at"]))
