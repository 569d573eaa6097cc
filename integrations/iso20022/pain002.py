"""Reading pain.002 of any version: what became of the payments of a batch. （第二十条、第二十一条）

Banks reject a whole file, a payment information or single payments; give the reason as a code, a word of their own or
free text; report in parts, twice, in any order of elements and with or without a namespace. All of it is normal input.
"""

from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any, Literal

from integrations.errors import Unreadable
from integrations.iso20022.reasons import failure_class
from integrations.iso20022.xml import amount_fen, child, children, day, drop_previous, local, parts, plain, text, walk

DOCUMENT = "银行回盘报文（pain.002）"

Outcome = Literal["paid", "failed", "pending"]

PAID = frozenset({"ACSC", "ACCC"})
FAILED = frozenset({"RJCT", "CANC", "BLCK"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """A status with its reason; `failure_class` is "" unless it failed. `text` is the bank's own words."""

    outcome: Outcome
    status: str
    code: str
    text: str
    failure_class: str


@dataclass(frozen=True, slots=True)
class PaymentResult:
    """What became of one payment; `end_to_end_id` is "" and `amount_fen` None when the bank told none."""

    end_to_end_id: str
    amount_fen: int | None
    settled_on: date | None
    verdict: Verdict


@dataclass
class ResultFile:
    """One pain.002: verdicts on the file, on its payment informations and on single payments."""

    report_id: str = ""
    message_id: str = ""
    created_on: date | None = None
    group: Verdict | None = None
    payments: list[Verdict] = field(default_factory=list)
    results: list[PaymentResult] = field(default_factory=list)

    @property
    def rest(self) -> Verdict | None:
        """The final verdict on every payment of the batch that is not listed; None when they are still open.

        Our files have one payment information, so a verdict on it covers them all; else the group's does.
        """
        above = [*self.payments, *([self.group] if self.group else [])]
        return next((verdict for verdict in above if verdict.outcome != "pending"), None)


def read(content: bytes) -> ResultFile:
    """Read one pain.002 file. Raises Unreadable."""
    file = ResultFile()
    listed: list[tuple[Any, ...]] = []
    answered: list[tuple[tuple[Any, ...], str]] = []
    found = False
    for element in walk(
        DOCUMENT, content, "GrpHdr", "OrgnlGrpInfAndSts", "TxInfAndSts", "OrgnlPmtInfAndSts", "CstmrPmtStsRpt"
    ):
        name = local(element)
        if name == "TxInfAndSts":
            listed.append(_listed(element))
            drop_previous(element)
        elif name == "OrgnlPmtInfAndSts":
            payment = _verdict(text(element, "PmtInfSts"), element)
            file.payments.append(payment)
            answered += [(one, payment.status) for one in listed]
            listed = []
            drop_previous(element)
        elif name == "OrgnlGrpInfAndSts":
            _read_group(file, element)
        elif name == "GrpHdr":
            file.report_id = text(element, "MsgId")
            file.created_on = day(element, "CreDtTm")
        else:
            found = True
    if not found:
        raise Unreadable(DOCUMENT, "不是支付状态报告（缺少 CstmrPmtStsRpt）")
    # Old versions list payments outside any payment information. One without a status has that of what stands above.
    answered += [(one, "") for one in listed]
    group = file.group.status if file.group else ""
    file.results = [_result(one, above or group, file.created_on) for one, above in answered]
    return file


def _read_group(file: ResultFile, element: Any) -> None:
    file.message_id = text(element, "OrgnlMsgId")
    status = text(element, "GrpSts")
    if status:
        file.group = _verdict(status, element)


def _listed(element: Any) -> tuple[Any, ...]:
    """Return what one TxInfAndSts says, before what stands above it is known."""
    said = parts(element)
    ids = [plain(said.get("OrgnlEndToEndId")), plain(said.get("OrgnlInstrId"))]
    reference = next((one for one in ids if one and one != "NOTPROVIDED"), "")
    amount = amount_fen(said.get("OrgnlTxRef"), "Amt", "InstdAmt")
    settled = day(said.get("FctvIntrBkSttlmDt")) or day(said.get("AccptncDtTm"))
    reason = _reason(element) if "StsRsnInf" in said else ("", "", "")
    return reference, amount, settled, plain(said.get("TxSts")), reason


def _result(listed: tuple[Any, ...], status_above: str, reported_on: date | None) -> PaymentResult:
    reference, amount, settled, status, reason = listed
    verdict = _judged(status or status_above, *reason)
    return PaymentResult(reference, amount, settled or (reported_on if verdict.outcome != "pending" else None), verdict)


def _verdict(status: str, element: Any) -> Verdict:
    return _judged(status, *_reason(element))


@lru_cache(maxsize=1024)
def _judged(status: str, code: str, proprietary: str, said: str) -> Verdict:
    outcome: Outcome = "paid" if status in PAID else "failed" if status in FAILED else "pending"
    kind = str(failure_class(code, proprietary, said)) if outcome == "failed" else ""
    return Verdict(outcome, status, code or proprietary, said or proprietary, kind)


def _reason(element: Any) -> tuple[str, str, str]:
    """Return code, proprietary word and free text of all StsRsnInf; the first code and word count."""
    codes: list[str] = []
    words: list[str] = []
    said: list[str] = []
    for reason in children(element, "StsRsnInf"):
        why = child(reason, "Rsn")
        if why is not None:
            codes.append(text(why, "Cd"))
            words.append(text(why, "Prtry"))
            said.append((why.text or "").strip())
        said += [(more.text or "").strip() for more in children(reason, "AddtlInf")]
    return _first(codes), _first(words), "；".join(filter(None, said))


def _first(values: list[str]) -> str:
    return next(filter(None, values), "")
