"""The workbook of replaced cards: old account, new card, name, read whole, each row with what is wrong. （第十二条）

What the sheet says is checked here without a database; whose account it is, `workflows/account_batch_rows.py` asks.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from itertools import islice
from typing import Any

import xlsxwriter

from policies.identities import luhn_valid, name_key
from reports.sheets import cells
from reports.sheets.data_rows import data_chunks
from reports.sheets.findings import Findings
from reports.sheets.headers import SEARCHED_ROWS, Header, find_header, report_header
from reports.sheets.rosters import ODD_REMEDIES
from reports.sheets.templates import BANK, Field, Template
from reports.sheets.workbooks import Hidden, last_row_of, open_workbook, rows_of

CHUNK_ROWS = 10_000
MAX_ROWS = 200_000
ISSUER = "62"
"""A social-security card's bank number begins so (DOMAIN section 5)."""
_TOTAL = re.compile(r"^(合计|总计|小计|制表|复核|经办|说明|注[:：])")

CARDS = Template(
    "cards",
    "批量换卡清单",
    (
        Field("sequence", "序号", synonyms=("编号",), width=7),
        Field("name", "姓名", True, ("户名", "持卡人", "持卡人姓名", "开户人", "补贴对象", "户主姓名"), width=14),
        Field("id_number", "身份证号", synonyms=("身份证号码", "公民身份号码", "证件号码", "社会保障号码"), width=21),
        Field(
            "old_number",
            "原账号",
            synonyms=("原卡号", "原银行账号", "旧卡号", "旧账号", "原社会保障卡号", "原社保卡号", "原账户"),
            width=23,
        ),
        Field(
            "new_number",
            "新社会保障卡号",
            True,
            ("新卡号", "新账号", "新社保卡号", "新银行账号", "新社保卡账号", "新银行卡号", "新账户"),
            width=23,
        ),
        BANK,
        Field("note", "备注", synonyms=("说明",), width=18),
    ),
)
GUIDE = "填写说明"
GUIDES = (
    "每行一人，“姓名”“新社会保障卡号”必填；“原账号”“身份证号”至少填写一项，都填写的须一致。",
    "账号、卡号和身份证号须为文本格式；以数字形式保存的长账号末尾几位会丢失，该行不能换卡。",
    "开户银行不填的，换卡后仍在原开户银行；更换代理银行的以所选新代理银行为准。",
    "逐行核对，有问题的行不换卡，其余行可以提出；核对结果和未换卡人员名单可下载。",
)


@dataclass(frozen=True, slots=True)
class CardRow:
    """One row as read; `problem` says the first thing that is wrong with it, "" when nothing is."""

    number: int
    name: str
    id_number: str
    old_number: str
    new_number: str
    bank_name: str
    problem: str


@dataclass
class _Seen:
    new: list[str] = field(default_factory=list)
    old: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)


class CardSheet:
    """One opened list: `chunks()` reads it once from top to bottom, then `repeated()` says what stands twice."""

    def __init__(self, content: bytes, file_name: str) -> None:
        """Open the workbook and find its header. Raises what `open_workbook` raises."""
        self.findings = Findings()
        self._book = open_workbook(content, file_name)
        self._hidden = Hidden()
        self._numbers: list[int] = []
        self._seen = _Seen()
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
        """Tell whether there is one sheet with the columns that are needed, so that rows can be read at all."""
        return self.header is not None and not self.findings.problems

    def _choose_sheet(self) -> Header | None:
        found: list[tuple[str, Header]] = []
        for name in self._book.sheet_names:
            header = _header_of([row for _, row in islice(rows_of(self._book.sheet(name)), SEARCHED_ROWS)])
            if header is not None and name != GUIDE:
                found.append((name, header))
        whole = [item for item in found if not item[1].missing(CARDS)] or found
        self.findings.sheet = whole[0][0] if whole else next(iter(self._book.sheet_names), "")
        if len(whole) > 1:
            names = "、".join(f"“{name}”" for name, _ in whole)
            self.findings.problem(0, -1, f"有 {len(whole)} 张工作表都像换卡清单：{names}", "请只保留一张")
            return None
        if not whole:
            remedy = "请使用平台下载的模板，保留表头行：姓名、新社会保障卡号、原账号（或身份证号）"
            self.findings.problem(0, -1, "没有找到换卡清单的表头", remedy)
            return None
        header = whole[0][1]
        self._hidden = self._book.hidden(whole[0][0])
        report_header(header, CARDS, self.findings)
        if not {"old_number", "id_number"} & header.columns.keys():
            self.findings.problem(header.row, -1, "没有“原账号”列，也没有“身份证号”列", "请至少增加其中一列")
        return header

    def chunks(self, size: int = CHUNK_ROWS) -> Iterator[list[CardRow]]:
        """Read the data rows, each with what the sheet alone shows to be wrong."""
        if self.header is None or not self.readable:
            return
        sheet, first = self._book.sheet(self.findings.sheet), self.header.first_data_row
        for rows in data_chunks(sheet, first, size, self._is_data, self._hidden, self.findings):
            yield self._parse(rows)

    def _is_data(self, number: int, row: list[Any]) -> bool:
        """Tell data from blank, total and signature rows; a row with a number or an odd cell is always data."""
        columns = self.header.columns if self.header else {}
        told = [name for name in ("new_number", "old_number", "id_number") if name in columns]
        if any(cells.text_of(row[columns[name]]) for name in told) or self._odd(number):
            return True
        filled = [cells.text_of(value) for value in row if cells.text_of(value)]
        if filled and not _TOTAL.match(filled[0]) and cells.text_of(row[columns["name"]]):
            return True
        if filled:
            self.findings.note(number, -1, "没有账号和姓名的行，已跳过")
        return False

    def _odd(self, number: int) -> list[tuple[int, str]]:
        columns = self.header.columns if self.header else {}
        used = [columns[name] for name in ("name", "id_number", "old_number", "new_number") if name in columns]
        odd = self._hidden.odd_cells
        return [(column, odd[number, column]) for column in used if (number, column) in odd]

    def _parse(self, rows: list[tuple[int, list[Any]]]) -> list[CardRow]:
        assert self.header is not None
        numbers = [number for number, _ in rows]
        raw = {name: [row[column] for _, row in rows] for name, column in self.header.columns.items()}
        blanks: list[Any] = [""] * len(rows)
        names, banks = cells.texts(raw["name"]), cells.texts(raw.get("bank_name", blanks))
        ids = _identities(raw.get("id_number", blanks))
        old, new = cells.accounts(raw.get("old_number", blanks)), cells.accounts(raw["new_number"])
        found = []
        for place, number in enumerate(numbers):
            wrong = self._wrong(number, names[place], ids, old, new, place)
            found.append(
                CardRow(
                    number,
                    names[place][:80],
                    "" if place in ids.problems else ids.values[place],
                    "" if place in old.problems else old.values[place],
                    "" if place in new.problems else new.values[place],
                    banks[place][:80],
                    wrong,
                )
            )
        self._numbers += numbers
        self._seen.new += [row.new_number for row in found]
        self._seen.old += [row.old_number for row in found]
        self._seen.ids += [row.id_number for row in found]
        return found

    def _wrong(
        self, number: int, name: str, ids: cells.Column, old: cells.Column, new: cells.Column, place: int
    ) -> str:
        """Return the first thing that is wrong with a row, and mark its cell."""
        odd = self._odd(number)
        if odd:
            what, remedy = ODD_REMEDIES[odd[0][1]]
            self.findings.problem(number, odd[0][0], what, remedy)
            return what
        if not name:
            return self._problem(number, "name", "姓名未填写", "请填写持卡人姓名")
        for column, key in ((old, "old_number"), (new, "new_number"), (ids, "id_number")):
            if place in column.problems:
                return self._problem(number, key, column.problems[place], "请核对后以文本格式填写完整号码")
        if not new.values[place]:
            return self._problem(number, "new_number", "新社会保障卡号未填写", "请填写新卡号；没有新卡的删除该行")
        if not new.values[place].startswith(ISSUER) or not luhn_valid(new.values[place]):
            return self._problem(number, "new_number", "新卡号未通过银行卡校验或不是 62 开头", "请对照卡面逐位核对")
        if not old.values[place] and not ids.values[place]:
            return self._problem(number, "name", "原账号和身份证号都未填写", "请至少填写一项")
        if old.values[place] == new.values[place]:
            return self._problem(number, "new_number", "新卡号与原账号相同", "请填写换发后的新卡号")
        return ""

    def _column(self, name: str) -> int:
        return self.header.columns.get(name, -1) if self.header else -1

    def _problem(self, row: int, name: str, what: str, remedy: str) -> str:
        self.findings.problem(row, self._column(name), what, remedy)
        return what

    def repeated(self) -> dict[int, str]:
        """Return the rows whose card or person stands in the list more than once, and mark them."""
        found: dict[int, str] = {}
        seen = self._seen
        for values, name, what in (
            (seen.new, "new_number", "同一新卡号在清单中出现 {count} 次"),
            (seen.old, "old_number", "同一原账号在清单中出现 {count} 次"),
            (seen.ids, "id_number", "同一身份证号在清单中出现 {count} 次"),
        ):
            counts = Counter(value for value in values if value)
            for value, number in zip(values, self._numbers, strict=True):
                if counts[value] > 1 and number not in found:
                    found[number] = self._problem(number, name, what.format(count=counts[value]), "请只保留正确的一行")
        return found

    def finish(self) -> Findings:
        """Check what only the whole sheet shows: no rows, too many rows, hidden rows."""
        if self.header is None:
            return self.findings
        if not self.row_count and not self.findings.problems:
            self.findings.problem(0, -1, "没有明细行", "请在表头下逐行填写后再上传")
        if self.row_count > MAX_ROWS:
            self.findings.problem(0, -1, f"明细超过 {MAX_ROWS} 行", "请分成几个文件上传")
        hidden = [row for row in self._hidden.hidden_rows if row >= self.header.first_data_row]
        if hidden:
            self.findings.note(0, -1, f"共 {len(hidden)} 行被隐藏或筛选，已一并读取")
        return self.findings


def _identities(values: list[Any]) -> cells.Column:
    """Return a column of identity numbers in which a blank is nothing wrong."""
    column = cells.identities(values)
    column.problems = {place: what for place, what in column.problems.items() if what != cells.BLANK}
    return column


def _header_of(rows: list[list[Any]]) -> Header | None:
    best: Header | None = None
    for number, row in enumerate(rows, 1):
        header = find_header([row], CARDS)
        if header is not None and (best is None or len(header.columns) > len(best.columns)):
            header.row, header.first_data_row = number, number + 1
            best = header
    return best


def key_of(name: str) -> str:
    """Return a name as compared with the registry's."""
    return name_key(name)


def write_list(
    template: Template, rows: Iterable[Mapping[str, Any]] = (), *, title: str = "", guides: tuple[str, ...] = ()
) -> bytes:
    """Return a workbook of a template's columns, everything as text; empty it is the form to be filled in."""
    buffer = BytesIO()
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "in_memory": False}
    book = xlsxwriter.Workbook(buffer, options)
    sheet = book.add_worksheet(template.title[:31])
    head = book.add_format({"bold": True, "align": "center", "border": 1, "text_wrap": True})
    text = book.add_format({"num_format": "@"})
    sheet.write_string(0, 0, title or template.title, book.add_format({"bold": True, "font_size": 14}))
    sheet.freeze_panes(2, 0)
    for column, one in enumerate(template.fields):
        sheet.set_column(column, column, one.width, text)
        sheet.write_string(1, column, ("*" if one.required else "") + one.title, head)
    for place, row in enumerate(rows, 2):
        for column, one in enumerate(template.fields):
            sheet.write_string(place, column, str(row.get(one.name, "")), text)
    if guides:
        guide = book.add_worksheet(GUIDE)
        guide.set_column(0, 0, 90)
        for number, line in enumerate(guides):
            guide.write_string(number, 0, line)
    book.close()
    return buffer.getvalue()


MISSING = Template(
    "missing",
    "未换卡人员名单",
    (
        Field("sequence", "序号", width=7),
        Field("township", "苏木乡镇", width=18),
        Field("village", "嘎查村", width=14),
        Field("name", "姓名（脱敏）", width=14),
        Field("account", "原账号（脱敏）", width=23),
        Field("why", "说明", width=40),
    ),
)
