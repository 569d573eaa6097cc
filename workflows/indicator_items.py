"""Items of the budget system as we keep them: parsed field by field, the newest version of each wins. （第十条）

UPDATE_TIME decides which version is newer, so that a repeated, reordered or overlapping download ends in the same
indicators. An item that can't be kept is told by BGT_ID and field; the others are kept.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from integrations.amounts import fen_of
from integrations.budget_system import hot_topic, mof_division
from policies.clock import ZONE

FIRST_YEAR, LAST_YEAR = 2000, 2100
LONGEST = 200
DELETED = ("1", "true", "True", "Y")


@dataclass(frozen=True)
class Fault:
    """An item that is not kept: its key, the field, and what to do."""

    bgt_id: str
    document_number: str
    field: str
    problem: str
    item: Mapping[str, Any]


@dataclass
class Parsed:
    """What a page held: rows by BGT_ID, the newest version of each, and what could not be read."""

    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)


class ItemWrong(Exception):
    """A field of an item can't be read."""

    def __init__(self, name: str, problem: str) -> None:
        """Keep the field's name and what is wrong."""
        super().__init__(problem)
        self.name, self.problem = name, problem


def parse(items: Iterable[Mapping[str, Any]], division_code: str) -> Parsed:
    """Return the rows of a division's items of the class, and the faults of those that can't be read. （第十条）"""
    found = Parsed()
    for number, item in enumerate(items, 1):
        if not isinstance(item, Mapping):
            found.faults.append(Fault(f"第 {number} 条", "", "data", "不是一条指标记录，请联系系统管理员检查接口", {}))
            continue
        if item.get("HOT_TOPIC_CATE_NAME") != hot_topic() or str(item.get("MOF_DIV_CODE")) != mof_division(
            division_code
        ):
            continue
        bgt_id = str(item.get("BGT_ID") or "").strip()
        try:
            row = _row(item, division_code, bgt_id)
        except ItemWrong as wrong:
            key = bgt_id[:LONGEST] or f"第 {number} 条"
            document = str(item.get("COR_BGT_DOC_NO") or "")[:LONGEST]
            found.faults.append(Fault(key, document, wrong.name, wrong.problem, item))
            continue
        if bgt_id not in found.rows or newer(row, found.rows[bgt_id]):
            found.rows[bgt_id] = row
    return found


def newer(row: Mapping[str, Any], known: Mapping[str, Any]) -> bool:
    """Tell whether a version takes the place of the known one.

    Two versions of one moment are put in the order of their content, so that each order of arrival ends the same; an
    item without UPDATE_TIME never takes the place of one that has it.
    """
    before, after = known["updated_at"], row["updated_at"]
    if before is None or after is None:
        return before is None and content(row) != content(known)
    return bool(after > before or (after == before and content(row) > content(known)))


TOLD = ("amount_fen", "distributed_fen", "fiscal_year", "document_number", "document_title", "document_date",
        "sup_document_number", "pro_code", "pro_name", "agency_code", "fund_type_code", "exp_func_code",
        "gov_eco_code", "dep_eco_code", "hot_topic_code", "deleted")  # fmt: skip
"""The columns that the budget system decides; what it says of payments is not ours to take over."""


def content(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what a version says, comparable."""
    return tuple(str(row.get(name, "")) for name in TOLD)


def _row(item: Mapping[str, Any], division_code: str, bgt_id: str) -> dict[str, Any]:
    """Return our columns of an item; what was distributed further down is not ours to pay with. Raises ItemWrong."""
    if not bgt_id or len(bgt_id) > LONGEST:
        raise ItemWrong("BGT_ID", "指标主键为空或过长，请一体化系统补齐主键后重新下载")
    odd = next((str(name) for name, value in item.items() if "\x00" in f"{name}{value}"), "")
    if odd:
        raise ItemWrong(odd.replace("\x00", ""), "含有无法保存的字符，请财政部门在一体化系统更正后重新下载")
    deleted = str(item.get("IS_DELETED", "0")) in DELETED
    issued_fen = 0 if deleted else _read(item, "AMOUNT", _amount, "须为不小于 0、最多两位小数的金额")
    passed_on = 0 if deleted else _read(item, "DIS_AMT", _amount, "须为不小于 0、最多两位小数的金额", "0")
    if passed_on > issued_fen:
        raise ItemWrong("DIS_AMT", "已分配金额大于指标金额，请财政部门在一体化系统核对后重新下载")
    return {
        "division_code": division_code,
        "bgt_id": bgt_id,
        "fiscal_year": _read(item, "FISCAL_YEAR", _year, f"须为 {FIRST_YEAR} 到 {LAST_YEAR} 的年度"),
        "document_date": _read(item, "DOC_DATE", _day, "须为 2026-03-01 样式的日期", ""),
        "updated_at": _read(item, "UPDATE_TIME", _moment, "须为 2026-03-01 08:30:00 样式的时间", ""),
        "document_number": _text(item, "COR_BGT_DOC_NO"),
        "document_title": _text(item, "BGT_DOC_TITLE"),
        "sup_document_number": _text(item, "SUP_BGT_DOC_NO"),
        "pro_code": _read(item, "PRO_CODE", _needed, "预算项目代码为空，请在一体化系统补齐"),
        "pro_name": _text(item, "PRO_NAME"),
        "hot_topic": hot_topic(),
        "hot_topic_code": _text(item, "HOT_TOPIC_CATE_CODE"),
        "agency_code": _text(item, "AGENCY_CODE"),
        "fund_type_code": _text(item, "FUND_TYPE_CODE"),
        "exp_func_code": _text(item, "EXP_FUNC_CODE"),
        "gov_eco_code": _text(item, "GOV_BGT_ECO_CODE"),
        "dep_eco_code": _text(item, "DEP_BGT_ECO_CODE"),
        "amount_fen": issued_fen - passed_on,
        "distributed_fen": passed_on,
        "deleted": deleted,
        "raw": dict(item),
    }


def _read(item: Mapping[str, Any], name: str, read: Callable[[str], Any], problem: str, absent: str = "?") -> Any:
    given = item.get(name)
    text = absent if given is None or str(given).strip() == "" else str(given).strip()
    try:
        return read(text)
    except ValueError as wrong:
        raise ItemWrong(name, f"{problem}，请财政部门在一体化系统更正后重新下载") from wrong


def _text(item: Mapping[str, Any], name: str) -> str:
    text = str(item.get(name) or "").strip()
    if len(text) > LONGEST:
        raise ItemWrong(name, f"超过 {LONGEST} 个字，请财政部门在一体化系统更正后重新下载")
    return text


def _needed(text: str) -> str:
    if text == "?" or len(text) > LONGEST:
        raise ValueError(text)
    return text


def _amount(text: str) -> int:
    amount_fen = fen_of(text)
    if amount_fen < 0:
        raise ValueError("below zero")
    return amount_fen


def _year(text: str) -> int:
    if not FIRST_YEAR <= int(text) <= LAST_YEAR:
        raise ValueError("no year")
    return int(text)


def _day(text: str) -> date | None:
    return date.fromisoformat(text[:10]) if text else None


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=ZONE)
