"""Amounts per county or league as typed, pasted or in a workbook: every mistake at its row. （第三十二条）"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import xlsxwriter
from python_calamine import CalamineError, CalamineWorkbook
from sqlalchemy import text
from sqlmodel import Session

from integrations.amounts import fen_of, yuan_text
from models.base import REGION_CODE
from policies.refusals import Refused
from reports.sheets.workbooks import require_workbook

MOST_ROWS = 300
CODE = re.compile(r"\d{12}|\d{9}|\d{6}")
HEADS = ("分配地区", "区划代码", "地区", "名称", "合计", "总计")
SAFE = {"constant_memory": True, "in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}


class AllocationWrong(Refused):
    """分配方案有 {count} 处需要更正：{first}"""

    status_code = 400


class WorkbookWrong(Refused):
    """文件“{name}”无法读取：请使用本页下载的 Excel 模板（.xlsx），不要改动前三列的位置。"""

    status_code = 400


@dataclass(frozen=True)
class Mistake:
    """What is wrong at a row, and what to do."""

    row: int
    """The row of the paste or the workbook; 0: the plan as a whole."""
    field: str
    problem: str

    @property
    def words(self) -> str:
        """Return it as one sentence."""
        return f"第 {self.row} 行{self.field}：{self.problem}" if self.row else f"{self.field}：{self.problem}"


@dataclass(frozen=True)
class Target:
    """A county or league that may be allotted money."""

    code: str
    name: str
    level: str


@dataclass
class Sheet:
    """What was read: fen by division, and the mistakes."""

    amounts: dict[str, int] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)

    @property
    def total_fen(self) -> int:
        """Return the sum."""
        return sum(self.amounts.values())


TARGETS = text(
    """
    select d.code, d.name, d.level from divisions d
    where d.level in ('league', 'county') and d.code <> :owner and not d.hidden
        and (:owner = :region or left(d.code, 4) = left(:owner, 4))
        and (:owner <> :region or d.level = 'league' or d.region_direct_finance or cast(:all as boolean))
    order by d.code
    """
)


def targets(session: Session, owner: str, *, everyone: bool = True) -> list[Target]:
    """Return the divisions that a plan of `owner` may name; everyone=False: those beneath it directly."""
    asked = {"owner": owner, "region": REGION_CODE, "all": everyone}
    return [Target(*row) for row in session.execute(TARGETS, asked)]


def read_lines(rows: Iterable[tuple[int, str, str]], known: Sequence[Target]) -> Sheet:
    """Return fen by division from (row, division by name or code, amount), each mistake at its row."""
    by_code = {target.code: target for target in known}
    by_name: dict[str, list[Target]] = {}
    for target in known:
        by_name.setdefault(target.name, []).append(target)
    sheet = Sheet()
    first: dict[str, int] = {}
    for number, place, amount in rows:
        code, problem = _target(place, by_code, by_name)
        fen, wrong = _amount(amount)
        if problem:
            sheet.mistakes.append(Mistake(number, "地区", problem))
        if wrong:
            sheet.mistakes.append(Mistake(number, "金额", wrong))
        if code and code in first:
            name = by_code[code].name
            sheet.mistakes.append(Mistake(number, "地区", f"“{name}”与第 {first[code]} 行重复，请合并为一行"))
        elif code and not wrong and fen:
            first[code] = number
            sheet.amounts[code] = fen
    return sheet


def _target(place: str, by_code: dict[str, Target], by_name: dict[str, list[Target]]) -> tuple[str, str]:
    name = place.strip()
    if CODE.fullmatch(name):
        code = name.ljust(12, "0")
        return (code, "") if code in by_code else ("", f"区划代码“{name}”不是下级盟市或旗县，请核对")
    found = by_name.get(name, [])
    if len(found) == 1:
        return found[0].code, ""
    if len(found) > 1:
        return "", f"“{name}”有 {len(found)} 个同名地区，请改填 12 位区划代码"
    near = [target.name for target in by_code.values() if name and (name in target.name or target.name in name)][:3]
    hint = f"，是否为“{'”“'.join(near)}”" if near else ""
    return "", f"没有名为“{name[:20]}”的下级盟市或旗县{hint}；请填全称或 12 位区划代码"


def _amount(amount: str) -> tuple[int, str]:
    plain = amount.strip().replace(",", "").replace("，", "").removesuffix("元")
    try:
        fen = fen_of(plain)
    except ValueError as wrong:
        return (
            0,
            f"“{amount.strip()[:20]}”{'小数超过两位' if '小数' in str(wrong) else '不是金额'}，请填以元为单位的数字",
        )
    return (fen, "") if fen > 0 else (0, "金额须大于 0；不分配的地区请删去该行")


LINE = re.compile(r"(.*?\S)[\s,，]+([\d,，]+(?:\.\d*)?\s*元?)")
PARTS = re.compile(r"[\s,，]+")


def pasted(content: str) -> list[tuple[int, str, str]]:
    """Return the rows of a paste, place and amount parted by tab, comma or space; head and totals are left out."""
    rows = []
    for number, line in enumerate(content.splitlines()[: MOST_ROWS + 1], 1):
        typed = line.strip()
        found = LINE.fullmatch(typed)
        place, amount = found.groups() if found else (typed, "")
        parts = [part for part in PARTS.split(place) if part]
        if not found and len(parts) > 1:
            amount = parts[-1]
        if parts and not parts[0].startswith(HEADS):
            rows.append((number, parts[0], amount))
    return rows


def of_workbook(name: str, content: bytes) -> list[tuple[int, str, str]]:
    """Return the rows of the template: code, name, amount. Raises WorkbookWrong."""
    require_workbook(content, name)
    try:
        sheet = CalamineWorkbook.from_filelike(BytesIO(content)).get_sheet_by_index(0)
        read = list(sheet.iter_rows())[: MOST_ROWS + 1]
    except (CalamineError, ValueError, IndexError, OSError) as broken:
        raise WorkbookWrong(name=name[:60]) from broken
    rows = []
    for number, cells in enumerate(read, sheet.start[0] + 1 if sheet.start else 1):
        texts = [_cell(cell) for cell in (*cells, "", "", "")[:3]]
        if any(texts) and not texts[0].startswith(HEADS) and texts[2] not in ("", "0"):
            rows.append((number, texts[0] or texts[1], texts[2]))
    return rows


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.5f}".rstrip("0").rstrip(".")
    return str(value or "").strip()


def template(known: Sequence[Target], amounts: dict[str, int]) -> bytes:
    """Return the workbook to fill in: code, name, amount; what is known already stands in it."""
    buffer = BytesIO()
    with xlsxwriter.Workbook(buffer, SAFE) as book:
        sheet = book.add_worksheet("分配方案")
        bold, money = book.add_format({"bold": True}), book.add_format({"num_format": "#,##0.00"})
        sheet.set_column(0, 2, 20)
        for column, head in enumerate(("区划代码", "名称", "分配金额（元）")):
            sheet.write_string(0, column, head, bold)
        for row, target in enumerate(known, 1):
            sheet.write_string(row, 0, target.code)
            sheet.write_string(row, 1, target.name)
            if target.code in amounts:
                sheet.write_number(row, 2, amounts[target.code] / 100, money)
    return buffer.getvalue()


def check_sum(sheet: Sheet, total_fen: int) -> None:
    """Add the mistakes of the whole: nothing allotted, two levels of one place, a sum that differs from the total."""
    codes = sorted(sheet.amounts)
    for code in codes:
        league = code[:4] + "00000000"
        if league != code and league in sheet.amounts:
            sheet.mistakes.append(Mistake(0, "地区", f"同时列了盟市 {league} 和所属旗县 {code}，请只列其一"))
    if not codes and not sheet.mistakes:
        sheet.mistakes.append(Mistake(0, "分配明细", "至少填写一个地区的金额"))
    if not sheet.mistakes and sheet.total_fen != total_fen:
        apart = yuan_text(abs(sheet.total_fen - total_fen))
        side = "多" if sheet.total_fen > total_fen else "少"
        problem = f"明细合计 {yuan_text(sheet.total_fen)} 元，比分配总额 {yuan_text(total_fen)} 元{side} {apart} 元"
        sheet.mistakes.append(Mistake(0, "合计", problem))
