"""The bank's side of the bank files: reading pain.001, writing pain.002 and camt.053."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from io import BytesIO
from typing import Any

from lxml import etree

from integrations.amounts import yuan_text
from integrations.iso20022 import pain001
from integrations.iso20022.xml import amount_fen, child, drop_previous, local, text, walk

RESULT_NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:pain.002.001.12"
STATEMENT_NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"

PROPRIETARY = frozenset({"DORMANT", "LOST"})
"""Reasons that the standard has no code for; the bank gives its own word."""


@dataclass
class Order:
    """A pain.001 file as the bank reads it: what it declares and its payments (end_to_end_id, name, account, fen)."""

    message_id: str = ""
    debtor_account: str = ""
    declared: tuple[tuple[str, str], ...] = ()
    payments: list[tuple[str, str, str, int]] | None = None

    def sums_agree(self) -> bool:
        """Tell whether both levels declare the count and the sum that the payments have."""
        payments = self.payments or []
        real = (str(len(payments)), yuan_text(sum(payment[3] for payment in payments)))
        return all(declared == real for declared in self.declared)


def read_order(content: bytes) -> Order:
    """Read a file, checking it against the schema in the same pass. Raises Unreadable."""
    order = Order(payments=[])
    payments = order.payments or []
    for element in walk(pain001.DOCUMENT, content, "GrpHdr", "CdtTrfTxInf", "PmtInf", schema=pain001.schema()):
        name = local(element)
        if name == "CdtTrfTxInf":
            payments.append(
                (
                    text(element, "PmtId", "EndToEndId"),
                    text(element, "Cdtr", "Nm"),
                    text(element, "CdtrAcct", "Id", "Othr", "Id"),
                    amount_fen(element, "Amt", "InstdAmt") or 0,
                )
            )
            drop_previous(element)
        else:
            order.declared += ((text(element, "NbOfTxs"), text(element, "CtrlSum")),)
            order.message_id = order.message_id or text(element, "MsgId")
            account = child(element, "DbtrAcct")
            if account is not None:
                order.debtor_account = text(account, "Id", "Othr", "Id")
    order.payments = payments
    return order


def _add(parent: Any, path: str, value: str = "", **attributes: str) -> Any:
    for name in path.split("/"):
        parent = etree.SubElement(parent, name)
    parent.text = value or None
    for name, content in attributes.items():
        parent.set(name, content)
    return parent


def _reason(parent: Any, code: str, said: str) -> None:
    info = etree.SubElement(parent, "StsRsnInf")
    _add(info, "Rsn/" + ("Prtry" if code in PROPRIETARY else "Cd"), code)
    if said:
        _add(info, "AddtlInf", said)


def write_results(
    report_id: str,
    message_id: str,
    group_status: str,
    at: datetime,
    payments: Iterable[Mapping[str, Any]],
    reason: tuple[str, str] = ("", ""),
) -> bytes:
    """Return a pain.002: payments carry end_to_end_id, amount_fen, status, code, text; reason is the group's."""
    target = BytesIO()
    moment = at.isoformat(timespec="seconds")
    with etree.xmlfile(target, encoding="UTF-8") as xml:
        xml.write_declaration()
        with xml.element("Document", nsmap={None: RESULT_NAMESPACE}), xml.element("CstmrPmtStsRpt"):
            header = etree.Element("GrpHdr")
            _add(header, "MsgId", report_id)
            _add(header, "CreDtTm", moment)
            xml.write(header)
            group = etree.Element("OrgnlGrpInfAndSts")
            _add(group, "OrgnlMsgId", message_id)
            _add(group, "OrgnlMsgNmId", "pain.001.001.09")
            _add(group, "GrpSts", group_status)
            if reason[0]:
                _reason(group, *reason)
            xml.write(group)
            with xml.element("OrgnlPmtInfAndSts"):
                xml.write(_add(etree.Element("x"), "OrgnlPmtInfId", message_id))
                for payment in payments:
                    xml.write(_transaction(payment, moment))
    return target.getvalue()


def _transaction(payment: Mapping[str, Any], moment: str) -> Any:
    element = etree.Element("TxInfAndSts")
    _add(element, "OrgnlInstrId", payment["end_to_end_id"])
    _add(element, "OrgnlEndToEndId", payment["end_to_end_id"])
    _add(element, "TxSts", payment["status"])
    if payment["code"]:
        _reason(element, payment["code"], payment["text"])
    _add(element, "AccptncDtTm", moment)
    _add(element, "OrgnlTxRef/Amt/InstdAmt", yuan_text(payment["amount_fen"]), Ccy="CNY")
    element.tail = "\n"
    return element


def write_statement(
    number: str,
    account: str,
    day: date,
    at: datetime,
    opening_fen: int,
    bookings: Iterable[Mapping[str, Any]],
    closing_fen: int,
) -> bytes:
    """Return a camt.053 of one day, with one entry for each row of the bookings table."""
    target = BytesIO()
    with etree.xmlfile(target, encoding="UTF-8") as xml:
        xml.write_declaration()
        with xml.element("Document", nsmap={None: STATEMENT_NAMESPACE}), xml.element("BkToCstmrStmt"):
            header = etree.Element("GrpHdr")
            _add(header, "MsgId", number)
            _add(header, "CreDtTm", at.isoformat(timespec="seconds"))
            xml.write(header)
            with xml.element("Stmt"):
                for head in _statement_head(number, account, day, at, opening_fen, closing_fen):
                    xml.write(head)
                for booking in bookings:
                    xml.write(_booking(booking))
    return target.getvalue()


def _statement_head(
    number: str, account: str, day: date, at: datetime, opening_fen: int, closing_fen: int
) -> list[Any]:
    head = etree.Element("Stmt")
    _add(head, "Id", number)
    _add(head, "CreDtTm", at.isoformat(timespec="seconds"))
    holder = etree.SubElement(head, "Acct")
    _add(holder, "Id/Othr/Id", account)
    _add(holder, "Ccy", "CNY")
    for kind, balance_fen in (("OPBD", opening_fen), ("CLBD", closing_fen)):
        balance = etree.SubElement(head, "Bal")
        _add(balance, "Tp/CdOrPrtry/Cd", kind)
        _add(balance, "Amt", yuan_text(abs(balance_fen)), Ccy="CNY")
        _add(balance, "CdtDbtInd", "CRDT" if balance_fen >= 0 else "DBIT")
        _add(balance, "Dt/Dt", day.isoformat())
    return list(head)


def _booking(booking: Mapping[str, Any]) -> Any:
    entry = etree.Element("Ntry")
    _add(entry, "NtryRef", str(booking["id"]))
    _add(entry, "Amt", yuan_text(booking["amount_fen"]), Ccy="CNY")
    _add(entry, "CdtDbtInd", "CRDT" if booking["credit"] else "DBIT")
    if booking["kind"] == "REVERSAL":
        _add(entry, "RvslInd", "true")
    _add(entry, "Sts/Cd", "BOOK")
    _add(entry, "BookgDt/Dt", booking["booked_on"])
    _add(entry, "AcctSvcrRef", booking["reference"])
    _add(entry, "BkTxCd/Prtry/Cd", booking["kind"])
    references = _add(entry, "NtryDtls/TxDtls/Refs")
    _add(references, "EndToEndId", booking["end_to_end_id"] or "NOTPROVIDED")
    entry.tail = "\n"
    return entry
