"""Reading one sheet of a register chunk by chunk: every problem collected, nothing silently dropped. （第十一条）

What a sheet says is checked here without a database; whom the registry knows is asked by
`workflows/registry_import_check.py`.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from itertools import islice
from typing import Any

from models.households import AssetKind
from policies.codes import HEAD
from reports.sheets import cells, registry_cells
from reports.sheets.cells import BLANK, Column
from reports.sheets.findings import Findings, column_letter
from reports.sheets.headers import SEARCHED_ROWS, Header, find_header, report_header
from reports.sheets.registry_files import Book
from reports.sheets.registry_templates import EXAMPLE, RegistryTemplate
from reports.sheets.rosters import ODD_REMEDIES
from reports.sheets.templates import Field
from reports.sheets.workbooks import Hidden, last_row_of, rows_of

CHUNK_ROWS = 10_000
MAX_ROWS = 400_000
MOST_PROBLEMS = 20_000
"""More than these in one sheet are not listed: the file is of another kind."""

_FOOTER = re.compile(r"合计|总计|小计|签字|签名|盖章|制表|审核人|填表|填报|经办|负责人|说明|注[:：]")
_IGNORED = frozenset(("sequence", "note", "head_name"))
_REMEDIES = {
    "name": "请对照身份证填写",
    "id_number": "请对照身份证逐位核对后改正",
    "head_id_number": "请对照户主的身份证逐位核对后改正",
    "relation": "请从下拉列表中选择，或填写 GB/T 4761 代码",
    "ethnicity": "请从下拉列表中选择，或填写 GB/T 3304 代码",
    "sex": "请填写“男”或“女”，并与身份证号核对",
    "birth_date": "请填写如 1955-03-15 的日期，并与身份证号核对",
    "phone": "请填写 11 位手机号，或如 0476-4300000 的固定电话",
    "hukou_kind": "请从下拉列表中选择",
    "asset_kind": "请从下拉列表中选择",
    "quantity": "请填写大于零、最多 3 位小数的数字",
    "as_of": "请填写不晚于今天的日期，如 2024-01-01",
    "account_number": "请对照社会保障卡卡面填写完整账号，并设为“文本”格式",
    "bank_name": "请填写代理金融机构的名称",
}
_LOST = ODD_REMEDIES["long_number"][1]


@dataclass
class Chunk:
    """Rows parsed together, by column."""

    numbers: list[int]
    columns: dict[str, list[Any]] = field(default_factory=dict)
    usable: list[bool] = field(default_factory=list)
    """Rows that say whom they are about: those are looked up in the registry."""


class RegistrySheet:
    """One sheet: `chunks()` reads it once from top to bottom, then `finish()` checks the whole."""

    def __init__(self, book: Book, name: str, template: RegistryTemplate, today: date, label: str = "") -> None:
        """Find the header. label: how findings name the sheet."""
        self.template, self.today, self.name = template, today, name
        self.findings = Findings(label or name)
        self.row_count = 0
        self._book = book
        self._rows = rows_of(book.sheet(name))
        self._head = [row for _, row in islice(self._rows, SEARCHED_ROWS + 5)]
        self.header = find_header(self._head, template) or _guess(self._head, template)
        self._hidden = Hidden()
        self._last_head = ""
        self._last_number = ""

    @property
    def readable(self) -> bool:
        """Tell whether all required columns are there, once each."""
        return self.header is not None and not self.header.missing(self.template) and not self.header.repeated

    @property
    def height(self) -> int:
        """Return the number of the sheet's last row, for progress."""
        return last_row_of(self._book.sheet(self.name))

    def column_map(self) -> dict[str, Any]:
        """Return how the header is read, for the page on which officers map columns."""
        if self.header is None:
            return {"sheet": self.findings.sheet, "row": 0, "columns": [], "missing": []}
        names = {column: name for name, column in self.header.columns.items()}
        labels = self._labels()
        return {
            "sheet": self.findings.sheet,
            "row": self.header.row,
            "columns": [
                {"letter": column_letter(place), "label": label, "field": names.get(place, "")}
                for place, label in enumerate(labels)
                if label
            ],
            "missing": [one.name for one in self.header.missing(self.template)],
        }

    def _labels(self) -> list[str]:
        assert self.header is not None
        row = self._head[self.header.row - 1]
        labels = [cells.text_of(value) for value in row]
        if self.header.first_data_row - self.header.row > 1:
            lower = self._head[self.header.row] if self.header.row < len(self._head) else []
            labels = [cells.text_of(lower[at]) or one if at < len(lower) else one for at, one in enumerate(labels)]
        return labels

    def chunks(self, size: int = CHUNK_ROWS) -> Iterator[Chunk]:
        """Read the data rows; findings of each chunk are complete when it is returned."""
        assert self.header is not None
        report_header(self.header, self.template, self.findings)
        if not self.readable:
            return
        self._hidden = self._book.hidden(self.name)
        pending: list[tuple[int, list[Any]]] = []
        # A CSV stream begins anew: the rows read for the header are read again.
        for number, row in islice(rows_of(self._book.sheet(self.name)), self.header.first_data_row - 1, None):
            if self._is_data(number, row):
                pending.append((number, row))
                if len(pending) == size:
                    yield self._parse(pending)
                    pending = []
            if len(self.findings.problems) > MOST_PROBLEMS or self.row_count + len(pending) > MAX_ROWS:
                break
        if pending:
            yield self._parse(pending)

    def _is_data(self, number: int, row: list[Any]) -> bool:
        """Tell data from blank, total, signature and example rows."""
        assert self.header is not None
        columns = self.header.columns
        sequence = columns.get("sequence")
        if sequence is not None and sequence < len(row) and row[sequence] == EXAMPLE:
            self.findings.note(number, -1, "示例行，已跳过")
            return False
        for one in self.template.fields:
            place = columns.get(one.name, -1)
            if one.name in _IGNORED or place < 0 or place >= len(row):
                continue
            value = row[place]
            if value != "" and not (isinstance(value, str) and not value.strip()):
                return not self._is_footer(number, row)
        if any((number, place) in self._hidden.odd_cells for place in columns.values()):
            return True
        if any(isinstance(value, str) and value.strip() and not value.strip().isdigit() for value in row):
            self.findings.note(number, -1, "没有内容的行，已跳过")
        return False

    def _is_footer(self, number: int, row: list[Any]) -> bool:
        assert self.header is not None
        filled = [value for value in row if value != ""]
        first = filled[0] if len(filled) <= 4 else ""
        if isinstance(first, str) and _FOOTER.match(re.sub(r"\s+", "", first)):
            self.findings.note(number, -1, "合计、签字或说明行，已跳过")
            return True
        place = self.header.columns[self.template.required[-1].name]
        if place < len(row) and row[place] == self._head[self.header.row - 1][place]:
            self.findings.note(number, -1, "重复的表头行，已跳过")
            return True
        return False

    def _parse(self, rows: list[tuple[int, list[Any]]]) -> Chunk:
        assert self.header is not None
        numbers = [number for number, _ in rows]
        self.row_count += len(rows)
        chunk = Chunk(numbers)
        for one in self.template.fields:
            place = self.header.columns.get(one.name)
            if one.name in ("sequence", "note"):
                continue
            if place is None:
                chunk.columns[one.name] = [None if one.name == "as_of" else ""] * len(rows)
                continue
            raw = [row[place] if place < len(row) else "" for _, row in rows]
            chunk.columns[one.name] = self._take(one, raw, numbers)
        self._cross_check(chunk)
        return chunk

    def _take(self, one: Field, raw: list[Any], numbers: list[int]) -> list[Any]:
        parse = PARSERS.get(one.name)
        parsed = parse(raw, self.today) if parse else _required(registry_cells.texts(raw), one.required)
        for place, what in parsed.problems.items():
            said = f"“{one.title}”{what}" if what == BLANK else what
            remedy = _LOST if "丢失" in what else _REMEDIES.get(one.name, "请更正后重新上传")
            self.problem(numbers[place], one.name, said, remedy)
        place_of = self.header.columns[one.name] if self.header else -1
        for place, what in parsed.notes.items():
            self.findings.note(numbers[place], place_of, what)
        return parsed.values

    def _cross_check(self, chunk: Chunk) -> None:
        """Compare what a row says twice, and find out to whom or to which household it belongs."""
        columns = chunk.columns
        people = "id_number" in columns
        valid = {row for row in self._invalid_rows(chunk)}
        chunk.usable = [number not in valid for number in chunk.numbers]
        if people:
            self._compare_with_number(chunk)
        if "head_id_number" in columns:
            self._find_heads(chunk)
        if "asset_kind" in columns:
            units = columns["unit"]
            for place, kind in enumerate(columns["asset_kind"]):
                units[place] = units[place] or ("头" if kind == AssetKind.LIVESTOCK else "亩")

    def _invalid_rows(self, chunk: Chunk) -> set[int]:
        first, last = chunk.numbers[0], chunk.numbers[-1]
        wanted = {self.header.columns.get(name) for name in ("id_number", "head_id_number")} if self.header else set()
        return {one.row for one in self.findings.problems if first <= one.row <= last and one.column in wanted - {None}}

    def _compare_with_number(self, chunk: Chunk) -> None:
        """Compare sex and date of birth, where they are told, with what the number says."""
        columns = chunk.columns
        for name, what, said in (
            ("sex", "性别与身份证号不一致", lambda number: "1" if number[16] in "13579" else "2"),
            ("birth_date", "出生日期与身份证号不一致", lambda number: number[6:14]),
        ):
            told = columns.get(name, [])
            for place, value in enumerate(told):
                if not value or not chunk.usable[place]:
                    continue
                compared = value if name == "sex" else value.isoformat().replace("-", "")
                if compared != said(columns["id_number"][place]):
                    self.problem(chunk.numbers[place], name, what, _REMEDIES[name])

    def _find_heads(self, chunk: Chunk) -> None:
        """Give each row the number of its household or the identity of its head, its own or of the rows above."""
        columns = chunk.columns
        heads, relations = columns["head_id_number"], columns.get("relation")
        numbers, own = columns["household_number"], columns.get("id_number")
        follows = self.template.code == "register"
        for place, head in enumerate(heads):
            if relations is not None and own is not None and relations[place] == HEAD:
                if head and head != own[place] and chunk.usable[place]:
                    self.problem(
                        chunk.numbers[place],
                        "head_id_number",
                        "户主行的户主身份证号不是本人的",
                        "户主一行填本人的身份证号",
                    )
                head = heads[place] = own[place]
            if head or numbers[place]:
                self._last_head, self._last_number = head, numbers[place]
            elif follows and (self._last_head or self._last_number):
                heads[place], numbers[place] = self._last_head, self._last_number
            else:
                chunk.usable[place] = False
                what = "没有户编号，也没有户主身份证号，不知道属于哪一户"
                remedy = (
                    "请填写户编号或户主身份证号，或把户主排在该户第一行" if follows else "请填写户编号或户主身份证号"
                )
                self.problem(chunk.numbers[place], "household_number", what, remedy)

    def problem(self, row: int, name: str, what: str, remedy: str) -> None:
        """Add a problem of a cell; what the XML says of the cell is truer than what its value seems to be."""
        column = self.column_of(name)
        odd = self._hidden.odd_cells.get((row, column))
        if odd is not None:
            what, remedy = ODD_REMEDIES[odd]
        self.findings.problem(row, column, what, remedy)

    def column_of(self, name: str) -> int:
        """Return the place of a column, -1 when the sheet has none."""
        return self.header.columns.get(name, -1) if self.header else -1

    def finish(self) -> Findings:
        """Check what only the whole sheet shows: hidden rows, cells that passed for blank, no rows at all."""
        if not self.readable:
            return self.findings
        assert self.header is not None
        first = self.header.first_data_row
        if not self.row_count:
            self.findings.problem(0, -1, "表头下没有内容", "请在表头下填写后再上传")
        if self.row_count > MAX_ROWS or len(self.findings.problems) > MOST_PROBLEMS:
            remedy = "请先更正已列出的问题，或按嘎查村拆分成几个文件上传"
            self.findings.problem(0, -1, "行数或问题过多，后面的没有继续检查", remedy)
        if self._hidden.lost_row:
            what = f"工作表记录的范围与内容不符，实际到第 {self._hidden.lost_row} 行"
            self.findings.problem(0, -1, what, "请用 Excel 或 WPS 打开并另存为 .xlsx 后再上传")
        rows = [row for row in self._hidden.hidden_rows if row >= first]
        if rows:
            shown = "、".join(map(str, rows[:10])) + ("…" if len(rows) > 10 else "")
            self.findings.note(0, -1, f"第 {shown} 行被隐藏或筛选，已一并读取（共 {len(rows)} 行）")
        used = {column for name, column in self.header.columns.items() if name not in _IGNORED}
        reported = {(one.row, one.column) for one in self.findings.problems}
        for (row, column), odd in self._hidden.odd_cells.items():
            if row >= first and column in used and (row, column) not in reported:
                self.findings.problem(row, column, *ODD_REMEDIES[odd])
        return self.findings


PARSERS: dict[str, Callable[[list[Any], date], Column]] = {
    "name": lambda raw, _: registry_cells.names(raw),
    "id_number": lambda raw, today: registry_cells.identities(raw, today),
    "head_id_number": lambda raw, today: registry_cells.identities(raw, today, required=False),
    "relation": lambda raw, _: registry_cells.relations(raw),
    "ethnicity": lambda raw, _: registry_cells.coded(raw, registry_cells.ETHNICITY_CODES, "民族"),
    "sex": lambda raw, _: registry_cells.coded(raw, registry_cells.SEX_CODES, "性别"),
    "hukou_kind": lambda raw, _: registry_cells.coded(raw, registry_cells.HUKOU_CODES, "户口性质"),
    "asset_kind": lambda raw, _: registry_cells.coded(raw, registry_cells.ASSET_CODES, "种类", required=True),
    "birth_date": lambda raw, today: registry_cells.dates(raw, today),
    "as_of": lambda raw, today: registry_cells.dates(raw, today, required=True),
    "phone": lambda raw, _: registry_cells.phones(raw),
    "quantity": lambda raw, _: cells.numbers(raw, cells.AREA_PLACES),
    "account_number": lambda raw, _: registry_cells.accounts(raw),
}
"""How the cells of a column are read; the others are texts."""


def _required(column: Column, required: bool) -> Column:
    if required:
        for place, text in enumerate(column.values):
            if not text:
                column.problems.setdefault(place, BLANK)
    return column


def _guess(rows: list[list[Any]], template: RegistryTemplate) -> Header | None:
    """Return the row that looks most like a header when too few of its names are known: officers map it by hand."""
    best, most = -1, 2
    for index, row in enumerate(rows):
        words = [value for value in row if isinstance(value, str) and value.strip()]
        if len(words) > most and not any(letter.isdigit() for word in words for letter in word):
            best, most = index, len(words)
    if best < 0:
        return None
    header = Header(best + 1, best + 2)
    for place, value in enumerate(rows[best]):
        found = template.match(str(value)) if value else None
        if found is not None and found.name not in header.columns:
            header.columns[found.name] = place
        elif value:
            header.unknown.append((place, str(value)))
    return header
