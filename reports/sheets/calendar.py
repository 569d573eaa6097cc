"""The State Council's arrangement of holidays as a file: 日期, 是否上班, 说明. （第十六、十七、二十、二十一条）"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from python_calamine import CalamineError, CalamineWorkbook

from policies.refusals import Refused

MOST_ROWS = 400
HEADS = ("日期", "是否上班", "说明")
WORKING = {"是": True, "上班": True, "班": True, "1": True, "1.0": True, "true": True, "调休上班": True,
           "否": False, "休息": False, "休": False, "放假": False,
           "0": False, "0.0": False, "false": False}  # fmt: skip
SATURDAY = 5


class CalendarFileWrong(Refused):
    """文件“{name}”不能读取：{why}。请用“日期、是否上班、说明”三列的 .xlsx 或 .csv 文件重新上传。"""

    status_code = 400


class ArrangementWrong(Refused):
    """放假安排有 {count} 处需要更正：{words}"""

    status_code = 400


@dataclass(frozen=True)
class Listed:
    """One row of the file."""

    row: int
    day: date
    working: bool
    note: str


@dataclass
class Arrangement:
    """What was read, and what is wrong, row by row."""

    rows: list[Listed] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)


def read(name: str, content: bytes, year: int) -> tuple[dict[date, tuple[bool, str]], int]:
    """Return every day of the year, as the file lists it, else by its weekday; and how many it lists.

    Raises CalendarFileWrong, ArrangementWrong.
    """
    table = _table(name, content)
    found = Arrangement()
    columns = _columns(name, table)
    for number, cells in enumerate(table[1:], 2):
        _row(found, number, cells, columns, year)
    if not found.rows and not found.mistakes:
        found.mistakes.append("文件中没有任何日期；请列出放假和调休上班的日期")
    if found.rows and not any(not one.working and one.day.weekday() < SATURDAY for one in found.rows):
        found.mistakes.append("没有列出任何放假的工作日；请列出全年放假和调休上班的日期")
    if found.mistakes:
        raise ArrangementWrong(count=len(found.mistakes), words="；".join(found.mistakes[:10]))
    first = date(year, 1, 1)
    days = [first + timedelta(number) for number in range((date(year + 1, 1, 1) - first).days)]
    listed = {one.day: (one.working, one.note) for one in found.rows}
    return {day: listed.get(day, (day.weekday() < SATURDAY, "")) for day in days}, len(listed)


def _table(name: str, content: bytes) -> list[list[Any]]:
    if not content:
        raise CalendarFileWrong(name=name, why="文件是空的")
    if name.lower().endswith(".csv"):
        for encoding in ("utf-8-sig", "gb18030"):
            try:
                return [list(row) for row in csv.reader(io.StringIO(content.decode(encoding)))][: MOST_ROWS + 1]
            except UnicodeDecodeError:
                continue
        raise CalendarFileWrong(name=name, why="文字编码不是 UTF-8 或 GBK")
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(content))
        rows = book.get_sheet_by_index(0).to_python(skip_empty_area=False)
    except (CalamineError, IndexError, ValueError) as problem:
        raise CalendarFileWrong(name=name, why="不是 Excel 工作簿") from problem
    return rows[: MOST_ROWS + 1]


def _columns(name: str, table: Sequence[Sequence[Any]]) -> dict[str, int]:
    heads = [str(cell).strip() for cell in table[0]] if table else []
    missing = [head for head in HEADS[:2] if head not in heads]
    if missing:
        raise CalendarFileWrong(name=name, why=f"第一行缺少列：{'、'.join(missing)}")
    return {head: heads.index(head) for head in HEADS if head in heads}


def _row(found: Arrangement, number: int, cells: Sequence[Any], columns: dict[str, int], year: int) -> None:
    given = {head: cells[at] if at < len(cells) else "" for head, at in columns.items()}
    if not any(str(value).strip() for value in given.values()):
        return
    day = _day(given["日期"])
    working = WORKING.get(str(given["是否上班"]).strip().lower())
    if day is None:
        found.mistakes.append(f"第 {number} 行日期“{given['日期']}”不是日期，请填如 {year}-10-01")
    elif day.year != year:
        found.mistakes.append(f"第 {number} 行日期 {day} 不在 {year} 年，请删去该行或改正年度")
    elif working is None:
        found.mistakes.append(f"第 {number} 行是否上班“{given['是否上班']}”应填“是”或“否”")
    elif any(one.day == day for one in found.rows):
        found.mistakes.append(f"第 {number} 行日期 {day} 重复，请只保留一行")
    else:
        found.rows.append(Listed(number, day, working, str(given.get("说明", "")).strip()[:60]))


def _day(value: Any) -> date | None:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    text = str(value).strip().replace("/", "-").replace(".", "-").replace("年", "-").replace("月", "-").rstrip("日")
    parts = text.split("-")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts):
        return None
    try:
        return date(*(int(part) for part in parts))
    except ValueError:
        return None
