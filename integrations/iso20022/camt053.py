"""Reading camt.053 of any version: the bank's statements of an agent account. （第二十二条）"""

from dataclasses import dataclass
from datetime import date
from typing import Any

from integrations.errors import Unreadable
from integrations.iso20022.xml import amount_fen, child, children, day, drop_previous, local, parts, plain, text, walk

DOCUMENT = "银行对账单（camt.053）"


@dataclass(frozen=True, slots=True)
class Entry:
    """One booking; an entry of the bank with several payments in it gives one of these for each payment.

    kind: the bank's own code of the booking (proprietary, else domain/family/sub-family).
    """

    booked_on: date
    credit: bool
    amount_fen: int
    reference: str
    end_to_end_id: str
    kind: str

    @property
    def signed_fen(self) -> int:
        """The change of the balance."""
        return self.amount_fen if self.credit else -self.amount_fen


@dataclass(frozen=True)
class StatementFile:
    """One statement: balances are signed, positive when the account is in credit; entries are the booked ones."""

    number: str
    account_number: str
    day: date
    opening_fen: int
    closing_fen: int
    entries: list[Entry]

    @property
    def difference_fen(self) -> int:
        """Closing minus (opening + entries): 0 when the statement is consistent in itself."""
        return self.closing_fen - self.opening_fen - sum(entry.signed_fen for entry in self.entries)


def read(content: bytes) -> list[StatementFile]:
    """Read all statements of one file, in its order. Raises Unreadable."""
    statements: list[StatementFile] = []
    entries: list[tuple[Any, ...]] = []
    found = False
    for element in walk(DOCUMENT, content, "Ntry", "Stmt", "BkToCstmrStmt"):
        name = local(element)
        if name == "Ntry":
            entries += _entries(element)
            drop_previous(element)
        elif name == "Stmt":
            statements.append(_statement(element, entries))
            entries = []
            drop_previous(element)
        else:
            found = True
    if not found:
        raise Unreadable(DOCUMENT, "不是对账单报文（缺少 BkToCstmrStmt）")
    if not statements:
        raise Unreadable(DOCUMENT, "文件里没有对账单")
    return statements


def _statement(element: Any, entries: list[tuple[Any, ...]]) -> StatementFile:
    number = text(element, "Id")
    if not number:
        raise Unreadable(DOCUMENT, "对账单缺少编号（Stmt/Id）")
    opening, _ = _balance(element, number, "期初", "OPBD", "PRCD")
    closing, closed_on = _balance(element, number, "期末", "CLBD")
    on = closed_on or day(element, "FrToDt", "ToDtTm") or day(element, "CreDtTm")
    if on is None:
        raise Unreadable(DOCUMENT, f"对账单 {number} 没有日期")
    account = child(element, "Acct")
    identifier = child(account, "Id") if account is not None else None
    if identifier is None:
        raise Unreadable(DOCUMENT, f"对账单 {number} 没有账号")
    return StatementFile(
        number=number,
        account_number=text(identifier, "Othr", "Id") or text(identifier, "IBAN"),
        day=on,
        opening_fen=opening,
        closing_fen=closing,
        entries=[Entry(booked_on or on, *rest) for booked_on, *rest in entries],
    )


def _balance(statement: Any, number: str, title: str, *kinds: str) -> tuple[int, date | None]:
    for kind in kinds:
        for balance in children(statement, "Bal"):
            if text(balance, "Tp", "CdOrPrtry", "Cd") == kind:
                amount = amount_fen(balance, "Amt")
                if amount is None:
                    raise Unreadable(DOCUMENT, f"对账单 {number} 的{title}余额不是人民币金额")
                return (amount if _credit(balance, number) else -amount), day(balance, "Dt")
    raise Unreadable(DOCUMENT, f"对账单 {number} 没有{title}余额")


def _credit(element: Any, where: str) -> bool:
    sign = text(element, "CdtDbtInd")
    if sign not in ("CRDT", "DBIT"):
        raise Unreadable(DOCUMENT, f"{where} 没有借贷标志（CdtDbtInd）")
    return sign == "CRDT"


def _entries(entry: Any) -> list[tuple[Any, ...]]:
    """Return one booking per payment of an entry; none when it is not booked (pending, information)."""
    said = parts(entry)
    reference = plain(said.get("AcctSvcrRef")) or plain(said.get("NtryRef"))
    if _status(said.get("Sts")) != "BOOK":
        return []
    where = f"流水 {reference}".strip()
    amount = amount_fen(said.get("Amt"))
    if amount is None:
        raise Unreadable(DOCUMENT, f"{where} 没有人民币金额")
    head = (day(said.get("BookgDt")) or day(said.get("ValDt")), _credit(entry, where))
    kind = _kind(said.get("BkTxCd"))
    details = [one for group in children(entry, "NtryDtls") for one in children(group, "TxDtls")]
    if len(details) <= 1:
        end_to_end_id = _end_to_end(details[0]) if details else ""
        return [(*head, amount, reference, end_to_end_id, kind)]
    known = [part for part in map(_detail_amount, details) if part is not None]
    if len(known) < len(details) or sum(known) != amount:
        raise Unreadable(DOCUMENT, f"{where} 的明细金额之和与流水金额不一致")
    return [
        (*head, part, text(one, "Refs", "AcctSvcrRef") or reference, _end_to_end(one), kind)
        for one, part in zip(details, known, strict=True)
    ]


def _status(element: Any | None) -> str:
    """Return an entry's status: text in old versions, a code in newer ones; booked when it says nothing."""
    return "BOOK" if element is None else plain(element) or text(element, "Cd") or "BOOK"


def _detail_amount(detail: Any) -> int | None:
    own = amount_fen(detail, "Amt")
    return own if own is not None else amount_fen(detail, "AmtDtls", "TxAmt", "Amt")


def _end_to_end(detail: Any) -> str:
    named = text(detail, "Refs", "EndToEndId")
    return named if named != "NOTPROVIDED" else ""


def _kind(code: Any | None) -> str:
    if code is None:
        return ""
    own = text(code, "Prtry", "Cd")
    if own:
        return own
    domain = [text(code, "Domn", "Cd"), text(code, "Domn", "Fmly", "Cd"), text(code, "Domn", "Fmly", "SubFmlyCd")]
    return "/".join(filter(None, domain))
