"""Reading a bank's workbook: every problem collected with its cell and remedy, nothing silently dropped. （第二十条）

What the sheet says is checked here without a database; whether accounts and payments are the bank's own is asked by
`workflows/bank_reply_rows.py`.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from typing import Any

from models.bank_replies import ReplyKind
from policies.identities import half_width
from reports.sheets import cells
from reports.sheets.bank_replies import GUIDE, STATES, TEMPLATES, YES_NO, said
from reports.sheets.data_rows import data_chunks
from reports.sheets.findings import Findings
from reports.sheets.headers import SEARCHED_ROWS, Header, find_header, report_header
from reports.sheets.rosters import ODD_REMEDIES
from reports.sheets.templates import Template, label_key
from reports.sheets.workbooks import Hidden, last_row_of, open_workbook, rows_of

CHUNK_ROWS = 10_000
MAX_ROWS = 200_000
LONGEST_WORDS, LONGEST_CODE, LONGEST_REFERENCE = 200, 35, 35
_TOTAL = re.compile(r"^(合计|总计|小计|制表|复核|经办|说明|注[:：])")
_DAY = re.compile(r"(\d{4})[-/.年]?(\d{1,2})[-/.月]?(\d{1,2})日?")


@dataclass(frozen=True, slots=True)
class Row:
    """One parsed row; whatever had a problem is blank, and the row is not `sound`."""

    number: int
    key: str
    """The account number or the payment's EndToEndId."""
    state: str
    is_card: bool | None
    amount_fen: int | None
    settled_on: date | None
    code: str
    words: str
    sound: bool


class ReplySheet:
    """One opened reply: `chunks()` reads it once from top to bottom, then `finish()` checks the whole."""

    def __init__(self, kind: ReplyKind, content: bytes, file_name: str, today: date) -> None:
        """Open the workbook and find its header. Raises what `open_workbook` raises."""
        self.kind, self.today = kind, today
        self.template = TEMPLATES[kind]
        self.key_name = "reference" if kind == ReplyKind.RESULTS else "account_number"
        self.findings = Findings()
        self._book = open_workbook(content, file_name)
        self._hidden = Hidden()
        self._keys: list[str] = []
        self._numbers: list[int] = []
        self.amount_fen = 0
        self.header = self._choose_sheet()

    @property
    def row_count(self) -> int:
        """Return the number of data rows read so far."""
        return len(self._numbers)

    @property
    def height(self) -> int:
        """Return the number of the sheet's last row, for progress."""
        return last_row_of(self._book.sheet(self.findings.sheet)) if self.findings.sheet else 0

    @property
    def readable(self) -> bool:
        """Tell whether there is one sheet with all required columns, so that rows can be read at all."""
        return self.header is not None and not self.header.missing(self.template) and not self.header.repeated

    def _choose_sheet(self) -> Header | None:
        found: list[tuple[str, Header]] = []
        for name in self._book.sheet_names:
            rows = [row for _, row in islice(rows_of(self._book.sheet(name)), SEARCHED_ROWS)]
            header = _header_of(rows, self.template)
            if header is not None and name != GUIDE:
                found.append((name, header))
        whole = [item for item in found if not item[1].missing(self.template)] or found
        self.findings.sheet = whole[0][0] if whole else next(iter(self._book.sheet_names), "")
        if len(whole) > 1:
            names = "、".join(f"“{name}”" for name, _ in whole)
            self.findings.problem(0, -1, f"有 {len(whole)} 张工作表都像{self.template.title}：{names}", "请只保留一张")
            return None
        if not whole:
            wanted = "、".join(field.title for field in self.template.required)
            remedy = f"请使用平台下载的模板，保留表头行，必填列为：{wanted}"
            self.findings.problem(0, -1, f"没有找到{self.template.title}的表头", remedy)
            return None
        self._hidden = self._book.hidden(whole[0][0])
        report_header(whole[0][1], self.template, self.findings)
        return whole[0][1]

    def chunks(self, size: int = CHUNK_ROWS) -> Iterator[list[Row]]:
        """Read the data rows; the findings of each chunk are complete when it is returned."""
        if self.header is None or not self.readable:
            return
        sheet, first = self._book.sheet(self.findings.sheet), self.header.first_data_row
        for rows in data_chunks(sheet, first, size, self._is_data, self._hidden, self.findings):
            yield self._parse(rows)

    def _is_data(self, number: int, row: list[Any]) -> bool:
        """Tell data from blank, total and signature rows; a row with a key or an odd cell is always data."""
        assert self.header is not None
        columns = self.header.columns
        if cells.text_of(row[columns[self.key_name]]):
            return True
        filled = [(column, value) for column, value in enumerate(row) if cells.text_of(value)]
        if not filled and not self._odd_row(number):
            return False
        if filled and _TOTAL.match(cells.text_of(filled[0][1])):
            self.findings.note(number, -1, "合计、签字或说明行，已跳过")
            return False
        told = [name for name in ("state", "amount", "code", "words", "settled_on") if name in columns]
        if self._odd_row(number) or any(cells.text_of(row[columns[name]]) for name in told):
            return True
        self.findings.note(number, -1, "没有账号、标识和结果的行，已跳过")
        return False

    def _odd_row(self, number: int) -> bool:
        assert self.header is not None
        return any((number, column) in self._hidden.odd_cells for column in self.header.columns.values())

    def _parse(self, rows: list[tuple[int, list[Any]]]) -> list[Row]:
        assert self.header is not None
        numbers = [number for number, _ in rows]
        raw = {name: [row[column] for _, row in rows] for name, column in self.header.columns.items()}
        blanks: list[Any] = [""] * len(rows)
        before = len(self.findings.problems)
        keys = self._keys_of(numbers, raw[self.key_name])
        states = self._states(numbers, raw["state"])
        amounts = self._amounts(numbers, raw["amount"]) if "amount" in raw else [None] * len(rows)
        cards = self._cards(numbers, raw.get("is_card", blanks))
        days = self._days(numbers, raw.get("settled_on", blanks))
        codes = [text.upper()[:LONGEST_CODE] for text in cells.texts(raw.get("code", blanks))]
        words = [text[:LONGEST_WORDS] for text in cells.texts(raw.get("words", blanks))]
        self._require_reasons(numbers, states, codes, words)
        self._report_odd(set(numbers))
        wrong = {finding.row for finding in self.findings.problems[before:]}
        self._keys.extend(keys)
        self._numbers.extend(numbers)
        self.amount_fen += sum(filter(None, amounts))
        sound = [number not in wrong for number in numbers]
        return list(map(Row, numbers, keys, states, cards, amounts, days, codes, words, sound))

    def _keys_of(self, numbers: list[int], values: list[Any]) -> list[str]:
        if self.kind != ReplyKind.RESULTS:
            column = cells.accounts(values)
            keys: list[str] = column.values
            for place, what in column.problems.items():
                remedy = "请把该列设为“文本”格式后重新录入完整账号" if "丢失" in what else "请核对后填写完整账号"
                self._problem(numbers[place], self.key_name, what, remedy)
        else:
            keys = cells.texts(values)
            for place, key in enumerate(keys):
                if len(key) > LONGEST_REFERENCE:
                    self._problem(numbers[place], self.key_name, "支付标识超过 35 位", "请填写代发报文中的 EndToEndId")
        for place, key in enumerate(keys):
            if not key:
                title = self.template.field(self.key_name).title
                self._problem(numbers[place], self.key_name, f"{title}未填写", f"请填写{title}")
        return keys

    def _states(self, numbers: list[int], values: list[Any]) -> list[str]:
        known, title = STATES[self.kind], self.template.field("state").title
        found = []
        for number, value in zip(numbers, values, strict=True):
            word = label_key(cells.text_of(value))
            state = known.get(word, "")
            found.append(state)
            if not state:
                offered = "、".join(dict.fromkeys(said(self.kind, one) for one in known.values()))
                what = f"{title}“{word[:12]}”无法识别" if word else f"{title}未填写"
                self._problem(number, "state", what, f"请填写：{offered}")
        return found

    def _amounts(self, numbers: list[int], values: list[Any]) -> list[int | None]:
        column = cells.numbers(values, cells.AMOUNT_PLACES)
        for place, what in column.problems.items():
            self._problem(numbers[place], "amount", f"金额{what}", "请填写大于零、最多 2 位小数的数字，与代发报文一致")
        return list(column.values)

    def _cards(self, numbers: list[int], values: list[Any]) -> list[bool | None]:
        found: list[bool | None] = []
        for number, value in zip(numbers, values, strict=True):
            word = half_width(cells.text_of(value)).lower()
            found.append(YES_NO.get(word))
            if word and word not in YES_NO:
                self._problem(number, "is_card", "是否社会保障卡无法识别", "请填写“是”或“否”，不清楚的留空")
        return found

    def _days(self, numbers: list[int], values: list[Any]) -> list[date | None]:
        found: list[date | None] = []
        for number, value in zip(numbers, values, strict=True):
            day = _day_of(value)
            found.append(day)
            if day is None and cells.text_of(value):
                self._problem(number, "settled_on", "结果日期无法识别", "请填写日期，如 2026-11-24")
            elif day is not None and day > self.today:
                self._problem(number, "settled_on", "结果日期晚于今天", "请填写实际入账或退票的日期")
        return found

    def _require_reasons(self, numbers: list[int], states: list[str], codes: list[str], words: list[str]) -> None:
        for number, state, code, text in zip(numbers, states, codes, words, strict=True):
            if state == "failed" and not code and not text:
                name = "words" if "words" in (self.header.columns if self.header else ()) else "state"
                self._problem(number, name, "失败没有写明原因", "请填写原因代码（如 AC04）或失败原因")

    def _column(self, name: str) -> int:
        return self.header.columns.get(name, -1) if self.header else -1

    def _problem(self, row: int, name: str, what: str, remedy: str) -> None:
        """Add a problem of a cell; what the XML says of the cell is truer than what its value seems to be."""
        odd = self._hidden.odd_cells.get((row, self._column(name)))
        if odd is not None:
            what, remedy = ODD_REMEDIES[odd]
        self.findings.problem(row, self._column(name), what, remedy)

    def _report_odd(self, numbers: set[int]) -> None:
        """Report odd cells that no check met: in an optional column they would pass for blank."""
        assert self.header is not None
        used = {column for name, column in self.header.columns.items() if name not in _IGNORED}
        reported = {(problem.row, problem.column) for problem in self.findings.problems}
        for (row, column), odd in self._hidden.odd_cells.items():
            if row in numbers and column in used and (row, column) not in reported:
                self.findings.problem(row, column, *ODD_REMEDIES[odd])

    def finish(self) -> Findings:
        """Check what only the whole sheet shows: repetition, hidden rows, no rows at all."""
        if not self.readable:
            return self.findings
        if not self.row_count:
            self.findings.problem(0, -1, "没有明细行", "请在表头下逐行填写后再上传")
        if self.row_count > MAX_ROWS:
            self.findings.problem(0, -1, f"明细超过 {MAX_ROWS} 行", "请分成几个文件上传")
        counts = Counter(self._keys)
        for key, number in zip(self._keys, self._numbers, strict=True):
            if key and counts[key] > 1:
                title = self.template.field(self.key_name).title
                self._problem(number, self.key_name, f"同一{title}出现 {counts[key]} 次", "请只保留一行")
        hidden = [row for row in self._hidden.hidden_rows if self.header and row >= self.header.first_data_row]
        if hidden:
            self.findings.note(0, -1, f"共 {len(hidden)} 行被隐藏或筛选，已一并读取")
        return self.findings


def _header_of(rows: list[list[Any]], template: Template) -> Header | None:
    """Return the row that names most columns; our header has one row, so each is tried by itself."""
    best: Header | None = None
    for number, row in enumerate(rows[:SEARCHED_ROWS], 1):
        header = find_header([row], template)
        if header is not None and (best is None or len(header.columns) > len(best.columns)):
            header.row, header.first_data_row = number, number + 1
            best = header
    return best


_IGNORED = frozenset({"sequence", "name", "id_number", "place", "account_shown"})


def _day_of(value: Any) -> date | None:
    """Return a cell's date: a date cell, or text that is plainly one."""
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    found = _DAY.fullmatch(half_width(cells.text_of(value)))
    try:
        return date(*map(int, found.groups())) if found else None
    except ValueError:  # no such day in the calendar
        return None
