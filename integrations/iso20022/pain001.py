"""Writing pain.001.001.09: one debit of the agent account, many credits to people. （第二十条）

Streamed: memory stays flat however many payments there are. The schema of what we emit is
`schemas/pain.001.001.09.subset.xsd`, a strict subset of the standard's, written by us.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import IO, Any, Literal

from lxml import etree

from integrations.amounts import yuan_text
from integrations.errors import Unwritable
from integrations.iso20022.xml import drop_previous, walk

DOCUMENT = "代发报文（pain.001）"
NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"
SCHEMA = Path(__file__).parent / "schemas" / "pain.001.001.09.subset.xsd"

_IDENTIFIER = re.compile(r"[0-9A-Za-z/?:().,'+ -]{1,35}")
_ACCOUNT = re.compile(r"[0-9A-Za-z-]{1,34}")
_BANK_CODE = re.compile(r"[0-9]{12}")
_MAX_FEN = 10**15


@dataclass(frozen=True, slots=True)
class CreditTransfer:
    """One payment to one person; bank_code may be "" when the payee banks with the agent bank."""

    end_to_end_id: str
    amount_fen: int
    payee_name: str
    account_number: str
    bank_code: str = ""
    memo: str = ""


@dataclass(frozen=True)
class CreditTransferFile:
    """One file: `payments` may be any iterable, even a server cursor; its count and sum are declared beforehand.

    message_id is the batch's number (≤ 35). category: GOVT government payment, SSBE social-security benefit.
    """

    message_id: str
    created_at: datetime
    execution_on: date
    debtor_name: str
    debtor_account: str
    debtor_bank_code: str
    payment_count: int
    total_fen: int
    payments: Iterable[CreditTransfer]
    category: Literal["GOVT", "SSBE"] = "GOVT"


def write(file: CreditTransferFile) -> bytes:
    """Return the file as UTF-8 XML. Raises Unwritable (naming the payment by its EndToEndId)."""
    target = BytesIO()
    write_to(target, file)
    return target.getvalue()


def write_to(target: IO[bytes], file: CreditTransferFile) -> None:
    """Write the file to an open binary stream, one payment at a time.

    Raises Unwritable when a field breaks the format or the payments differ from the declared count or sum.
    """
    _require(_IDENTIFIER.fullmatch(file.message_id), "报文标识（MsgId）须为 1–35 个字母、数字")
    _require(file.payment_count > 0 and 0 < file.total_fen < _MAX_FEN, "笔数和金额须大于 0")
    _require(_ACCOUNT.fullmatch(file.debtor_account), "代发户账号须为 1–34 个字母、数字")
    _require(_BANK_CODE.fullmatch(file.debtor_bank_code), "代发户联行号须为 12 位数字")
    _require(0 < len(file.debtor_name) <= 140, "代发户户名须为 1–140 字")
    with etree.xmlfile(target, encoding="UTF-8") as xml:
        xml.write_declaration()
        with xml.element("Document", nsmap={None: NAMESPACE}), xml.element("CstmrCdtTrfInitn"):
            xml.write(_group_header(file))
            with xml.element("PmtInf"):
                for head in _payment_head(file):
                    xml.write(head)
                count, total_fen = _write_payments(xml, file.payments)
    _require(
        (count, total_fen) == (file.payment_count, file.total_fen),
        f"实际 {count} 笔 {yuan_text(total_fen)} 元，与批次登记的 {file.payment_count} 笔 "
        f"{yuan_text(file.total_fen)} 元不一致",
    )


def validate(content: bytes) -> None:
    """Check a file against the schema of our subset, streaming. Raises Unreadable, which names the line only."""
    for payment in walk(DOCUMENT, content, "CdtTrfTxInf", schema=schema()):
        drop_previous(payment)


@lru_cache(maxsize=1)
def schema() -> Any:
    """Return the compiled schema of the subset we emit."""
    return etree.XMLSchema(etree.parse(str(SCHEMA), etree.XMLParser(no_network=True)))


def _require(holds: object, problem: str) -> None:
    if not holds:
        raise Unwritable(DOCUMENT, problem)


def _add(parent: Any, path: str, value: str = "", **attributes: str) -> Any:
    """Add nested elements ("Id/Othr/Id") below `parent`; elements inherit the default namespace where written."""
    for name in path.split("/"):
        parent = etree.SubElement(parent, name)
    parent.text = value
    for name, content in attributes.items():
        parent.set(name, content)
    return parent


def _agent(name: str, bank_code: str) -> Any:
    agent = etree.Element(name)
    member = etree.SubElement(etree.SubElement(agent, "FinInstnId"), "ClrSysMmbId")
    _add(member, "ClrSysId/Cd", "CNAPS")
    _add(member, "MmbId", bank_code)
    return agent


def _group_header(file: CreditTransferFile) -> Any:
    header = etree.Element("GrpHdr")
    _add(header, "MsgId", file.message_id)
    _add(header, "CreDtTm", file.created_at.isoformat(timespec="seconds"))
    _add(header, "NbOfTxs", str(file.payment_count))
    _add(header, "CtrlSum", yuan_text(file.total_fen))
    _add(header, "InitgPty/Nm", file.debtor_name)
    return header


def _payment_head(file: CreditTransferFile) -> list[Any]:
    """Return the elements of PmtInf that stand before the payments."""
    head = etree.Element("PmtInf")
    _add(head, "PmtInfId", file.message_id)
    _add(head, "PmtMtd", "TRF")
    _add(head, "BtchBookg", "false")
    _add(head, "NbOfTxs", str(file.payment_count))
    _add(head, "CtrlSum", yuan_text(file.total_fen))
    _add(head, "PmtTpInf/CtgyPurp/Cd", file.category)
    _add(head, "ReqdExctnDt/Dt", file.execution_on.isoformat())
    _add(head, "Dbtr/Nm", file.debtor_name)
    account = etree.SubElement(head, "DbtrAcct")
    _add(account, "Id/Othr/Id", file.debtor_account)
    _add(account, "Ccy", "CNY")
    head.append(_agent("DbtrAgt", file.debtor_bank_code))
    # The payee is never charged (第三十四条).
    _add(head, "ChrgBr", "DEBT")
    return list(head)


class _Transaction:
    """One CdtTrfTxInf element, made once and filled anew for each payment: making them anew costs thrice the time."""

    def __init__(self) -> None:
        self.element = etree.Element("CdtTrfTxInf")
        self.element.tail = "\n"  # One payment a line, so that whoever finds a mistake can name it.
        ids = etree.SubElement(self.element, "PmtId")
        self.instruction = _add(ids, "InstrId")
        self.end_to_end = _add(ids, "EndToEndId")
        self.amount = _add(self.element, "Amt/InstdAmt", Ccy="CNY")
        self.agent = _agent("CdtrAgt", "")
        self.agent_code = self.agent[0][0][1]
        self.name = _add(self.element, "Cdtr/Nm")
        self.account = _add(self.element, "CdtrAcct/Id/Othr/Id")
        self.remittance = etree.Element("RmtInf")
        self.memo = _add(self.remittance, "Ustrd")

    def fill(self, payment: CreditTransfer) -> Any:
        """Return the element carrying this payment. Raises Unwritable."""
        _check(payment)
        self.instruction.text = self.end_to_end.text = payment.end_to_end_id
        self.amount.text = yuan_text(payment.amount_fen)
        self.agent_code.text = payment.bank_code
        self.account.text = payment.account_number
        try:
            self.name.text = payment.payee_name
            self.memo.text = payment.memo
        except ValueError:
            raise Unwritable(DOCUMENT, f"支付 {payment.end_to_end_id} 的收款人或附言含控制字符") from None
        self._place(self.agent, bool(payment.bank_code), 2)
        self._place(self.remittance, bool(payment.memo), len(self.element))
        return self.element

    def _place(self, part: Any, wanted: bool, position: int) -> None:
        placed = part.getparent() is not None
        if wanted and not placed:
            self.element.insert(position, part)
        elif placed and not wanted:
            self.element.remove(part)


def _check(payment: CreditTransfer) -> None:
    named = f"支付 {payment.end_to_end_id[:35]} "
    _require(_IDENTIFIER.fullmatch(payment.end_to_end_id), named + "的标识（EndToEndId）须为 1–35 个字母、数字")
    _require(0 < payment.amount_fen < _MAX_FEN, named + "的金额须大于 0")
    _require(_ACCOUNT.fullmatch(payment.account_number), named + "的收款账号须为 1–34 个字母、数字")
    _require(0 < len(payment.payee_name.strip()) <= 140, named + "的收款人须为 1–140 字")
    _require(not payment.bank_code or _BANK_CODE.fullmatch(payment.bank_code), named + "的联行号须为 12 位数字")
    _require(len(payment.memo) <= 140, named + "的附言不能超过 140 字")


def _write_payments(xml: Any, payments: Iterable[CreditTransfer]) -> tuple[int, int]:
    """Write the payments and return their count and sum."""
    transaction = _Transaction()
    count = total_fen = 0
    for payment in payments:
        xml.write(transaction.fill(payment))
        count += 1
        total_fen += payment.amount_fen
    return count, total_fen
