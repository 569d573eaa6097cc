"""Reading a roster workbook: one sheet, chunk by chunk, every problem collected, nothing silently dropped.

What a sheet says of people is checked here without a database: numbers, arithmetic, repetition, totals. Whether the
people and accounts are registered is asked by `workflows/imports.py`.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Any

from policies.definitions import Definition
from policies.formulas import component_of, program_of
from policies.identities import name_key
from reports.sheets import cells
from reports.sheets.data_rows import report_lost_rows
from reports.sheets.findings import Findings
from reports.sheets.headers import SEARCHED_ROWS, Header, find_header, report_header
from reports.sheets.own_columns import OwnColumns, check_amounts, yuan
from reports.sheets.templates import Template
from reports.sheets.workbooks import ERROR, LONG_NUMBER, NO_VALUE, Hidden, last_row_of, open_workbook, rows_of

CHUNK_ROWS = 10_000
MAX_ROWS = 200_000

GRAND_TOTALS = frozenset({"合计", "总计", "总合计"})
SUBTOTALS = frozenset({"小计", "本页合计", "本页小计"})
_FOOTER = re.compile(r"签字|签名|签章|盖章|制表|审核人|复核|填表|填报|经办|负责人|联系电话|说明|注[:：]|日期")
_TEXT_FIELDS = ("village", "group_name", "head_name", "bank_name", "component", "note")

ODD_REMEDIES = {
    ERROR: ("单元格是错误值（如 #N/A、#REF!）", "请改为正确的数值或文本"),
    NO_VALUE: ("单元格的公式没有计算结果", "请用 Excel 或 WPS 打开、重新计算并保存，或改为数值"),
    LONG_NUMBER: ("超过 15 位的号码以数字形式保存，末尾几位已丢失", "请把该列设为“文本”格式后重新录入完整号码"),
}


@dataclass
class Chunk:
    """Rows parsed together, by column; numbers are exact integers (0 where there is a problem)."""

    numbers: list[int]
    id_numbers: list[str]
    matchable: list[bool]
    """Rows with a valid identity number: those can be looked up in the registry."""
    names: list[str]
    payees: list[str]
    accounts: list[str]
    quantity_milli: list[int]
    standard_units: list[int]
    amount_fen: list[int]
    texts: dict[str, list[str]]
    extra: list[dict[str, Any]]
    """The project's own fields, by name."""


@dataclass
class _Total:
    """A declared 合计 or 小计 row, and how many rows stand above it."""

    row: int
    grand: bool
    declared: dict[str, Any]
    rows_above: int


class RosterSheet:
    """One opened roster: `chunks()` reads it once from top to bottom, then `finish()` checks the whole."""

    def __init__(
        self,
        content: bytes,
        file_name: str,
        template: Template,
        standards: Sequence[Decimal],
        definition: Definition | None = None,
    ) -> None:
        """Open the workbook and find its roster sheet and header.

        standards: the project's dated standards in yuan, one of which every row must bear; definition: the project's,
        when its own fields, formula or payee count. Raises what `open_workbook` raises.
        """
        self.template = template
        self.definition = definition
        self.program = None if definition is None else program_of(definition)
        self._own = OwnColumns(definition) if definition is not None and definition.fields else None
        self.findings = Findings()
        self.standards = standards
        self._allowed = {int(standard.scaleb(cells.STANDARD_PLACES)) for standard in standards}
        self._book = open_workbook(content, file_name)
        self._totals: list[_Total] = []
        self._seen: list[tuple[str, str]] = []
        self._seen_rows: list[int] = []
        self._sums: dict[str, list[int]] = {"amount": [], "quantity": []}
        self._hidden = Hidden()
        self.header = self._choose_sheet()

    @property
    def row_count(self) -> int:
        """Return the number of data rows read so far."""
        return len(self._seen_rows)

    @property
    def amount_fen(self) -> int:
        """Return the sum of the amounts read so far."""
        return sum(self._sums["amount"])

    @property
    def height(self) -> int:
        """Return the number of the sheet's last row, for progress."""
        return last_row_of(self._book.sheet(self.findings.sheet))

    @property
    def readable(self) -> bool:
        """Tell whether there is one sheet with all required columns, so that rows can be read at all."""
        return self.header is not None and not self.header.missing(self.template) and not self.header.repeated

    def _choose_sheet(self) -> Header | None:
        candidates: list[tuple[str, Header]] = []
        for name in self._book.sheet_names:
            rows = [row for _, row in islice(rows_of(self._book.sheet(name)), SEARCHED_ROWS + 5)]
            header = find_header(rows, self.template)
            if header is not None:
                candidates.append((name, header))
        rosters = [item for item in candidates if not item[1].missing(self.template)] or candidates
        self.findings.sheet = rosters[0][0] if rosters else next(iter(self._book.sheet_names), "")
        if len(rosters) > 1:
            names = "、".join(f"“{name}”" for name, _ in rosters)
            remedy = "请只保留一张清册工作表；确有多份清册的，分成多个文件分别上传"
            self.findings.problem(0, -1, f"有 {len(rosters)} 张工作表都像清册：{names}", remedy)
            return None
        if not rosters:
            self._report_no_header()
            return None
        for name in self._book.sheet_names:
            if name != rosters[0][0] and self._book.sheet(name).height:
                self.findings.note(0, -1, f"工作表“{name}”不是清册，未导入")
        self._hidden = self._book.hidden(rosters[0][0])
        report_header(rosters[0][1], self.template, self.findings)
        return rosters[0][1]

    def _report_no_header(self) -> None:
        wanted = "、".join(field.full_title for field in self.template.required)
        if not any(self._book.sheet(name).height for name in self._book.sheet_names):
            self.findings.problem(0, -1, "工作簿中没有内容", "请填写清册明细后再上传，或下载空白模板")
        else:
            remedy = f"请保留表头行，必填列为：{wanted}；可下载本项目的空白模板"
            self.findings.problem(0, -1, "没有找到清册表头", remedy)

    def chunks(self, size: int = CHUNK_ROWS) -> Iterator[Chunk]:
        """Read the data rows; findings of each chunk are complete when it is returned."""
        if self.header is None or not self.readable:
            return
        pending: list[tuple[int, list[Any]]] = []
        rows = islice(rows_of(self._book.sheet(self.findings.sheet)), self.header.first_data_row - 1, None)
        last = 0
        for number, row in rows:
            last = number
            if self._is_data(number, row, pending):
                pending.append((number, row))
                if len(pending) == size:
                    yield self._parse(pending)
                    pending = []
        if pending:
            yield self._parse(pending)
        report_lost_rows(last, self._hidden, self.findings)

    def _is_data(self, number: int, row: list[Any], pending: list[tuple[int, list[Any]]]) -> bool:
        """Tell data from blank, total and signature rows; totals are remembered with the sums up to them."""
        assert self.header is not None
        columns = self.header.columns
        identity = row[columns["id_number"]]
        if identity != "" and (type(identity) is not str or len(identity) >= 15):
            return True
        filled = [(column, value) for column, value in enumerate(row) if value != "" and str(value).strip()]
        first = re.sub(r"[\s:：]+", "", filled[0][1]) if filled and isinstance(filled[0][1], str) else ""
        if first in GRAND_TOTALS or first in SUBTOTALS:
            self._add_total(number, first in GRAND_TOTALS, row, pending)
            return False
        if self.template.match(str(identity)) is self.template.field("id_number"):
            self.findings.note(number, -1, "重复的表头行，已跳过")
            return False
        if any(row[columns[field.name]] != "" for field in self.template.required) or self._is_odd(number):
            return True
        if filled:
            self._note_skipped(number, filled)
        return False

    def _note_skipped(self, number: int, filled: list[tuple[int, Any]]) -> None:
        """Say why a row without name, number and amount is no data."""
        words = "".join(re.sub(r"\s+", "", value) for _, value in filled[:2] if isinstance(value, str))
        if _FOOTER.search(words):
            self.findings.note(number, -1, "签字或说明行，已跳过")
        elif {column for column, _ in filled} <= {self._column("sequence")}:
            self.findings.note(number, -1, "只有序号的空行，已跳过")
        else:
            self.findings.note(number, -1, "没有姓名、号码、数量和金额的行，已跳过")

    def _is_odd(self, number: int) -> bool:
        """Tell whether a column of the row holds what only the XML shows: it is no blank row then."""
        columns = self.header.columns.values() if self.header else ()
        return any((number, column) in self._hidden.odd_cells for column in columns)

    def _add_total(self, number: int, grand: bool, row: list[Any], pending: list[tuple[int, list[Any]]]) -> None:
        assert self.header is not None
        columns = self.header.columns
        declared = {name: row[columns[name]] for name in self._sums if name in columns}
        self._totals.append(_Total(number, grand, declared, self.row_count + len(pending)))
        self.findings.note(number, -1, "合计或小计行，已跳过并与明细核对")

    def _parse(self, rows: list[tuple[int, list[Any]]]) -> Chunk:
        assert self.header is not None
        columns = self.header.columns
        numbers = [number for number, _ in rows]
        raw = {name: [row[column] for _, row in rows] for name, column in columns.items()}
        blanks = [""] * len(rows)
        identities = self._take("id_number", cells.identities(raw["id_number"]), numbers)
        accounts = self._take("account_number", cells.accounts(raw.get("account_number", blanks)), numbers)
        quantities = self._numbers("quantity", raw, numbers, cells.AREA_PLACES)
        standards = self._numbers("standard", raw, numbers, cells.STANDARD_PLACES)
        amounts = self._numbers("amount", raw, numbers, cells.AMOUNT_PLACES)
        names = cells.texts(raw["name"])
        for place in [place for place, name in enumerate(names) if not name]:
            self._problem(numbers[place], "name", cells.BLANK, "请填写姓名")
        if "payee_id_number" in raw:
            self._take_optional("payee_id_number", raw["payee_id_number"], numbers)
        if "head_id_number" in raw:
            self._take_optional("head_id_number", raw["head_id_number"], numbers)
        texts = {name: cells.texts(raw[name]) if name in raw else blanks for name in _TEXT_FIELDS}
        chunk = Chunk(
            numbers,
            identities.values,
            [not problem for problem in map(identities.problems.get, range(len(rows)))],
            names,
            [name_key(payee) if payee else "" for payee in cells.texts(raw.get("payee_name", blanks))],
            ["" if place in accounts.problems else number for place, number in enumerate(accounts.values)],
            quantities,
            standards,
            amounts,
            texts,
            self._own.read(raw, numbers, self._problem) if self._own else [{}] * len(rows),
        )
        if self.definition is not None and self.definition.component:
            texts["component"] = [component_of(self.definition, values) for values in chunk.extra]
        self._check_arithmetic(chunk)
        self._count(chunk)
        return chunk

    def _take(self, name: str, column: cells.Column, numbers: list[int]) -> cells.Column:
        for place, what in column.problems.items():
            self._problem(numbers[place], name, what, _REMEDIES.get(what, "请按居民身份证或银行卡核对后更正"))
        for place, what in column.notes.items():
            self.findings.note(numbers[place], self._column(name), what)
        return column

    def _take_optional(self, name: str, values: list[Any], numbers: list[int]) -> None:
        column = cells.identities(values)
        column.problems = {place: what for place, what in column.problems.items() if what != cells.BLANK}
        self._take(name, column, numbers)

    def _numbers(self, name: str, raw: dict[str, list[Any]], numbers: list[int], places: int) -> list[int]:
        unread = self.program is not None and name in ("quantity", "standard") and name not in self.program.names
        blank = 0 if unread and name == "standard" else 10**places
        if name not in raw:
            return [blank] * len(numbers)
        column = cells.numbers(raw[name], places)
        for place in [place for place, value in enumerate(raw[name]) if unread and value == ""]:
            column.values[place] = blank  # a figure that the formula doesn't read may stay blank
            column.problems.pop(place, None)
        title = self.template.field(name).title
        for place, what in column.problems.items():
            self._problem(numbers[place], name, f"{title}{what}", f"请填写大于零、最多 {places} 位小数的数字")
        for place, what in column.notes.items():
            self.findings.note(numbers[place], self._column(name), what)
        values: list[int] = column.values
        return values

    def _column(self, name: str) -> int:
        return self.header.columns.get(name, -1) if self.header else -1

    def _problem(self, row: int, name: str, what: str, remedy: str) -> None:
        """Add a problem of a cell; what the XML says of the cell is truer than what its value seems to be."""
        column = self._column(name)
        odd = self._hidden.odd_cells.get((row, column))
        if odd is not None:
            what, remedy = ODD_REMEDIES[odd]
        self.findings.problem(row, column, what, remedy)

    def _check_arithmetic(self, chunk: Chunk) -> None:
        if self.program is not None and not self.program.plain:
            columns = (chunk.numbers, chunk.quantity_milli, chunk.standard_units, chunk.amount_fen, chunk.extra)
            check_amounts(self.program, zip(*columns, strict=True), self.standards, self._problem)
            return
        expected = cells.expected_fen(chunk.quantity_milli, chunk.standard_units)
        if self._allowed.issuperset(chunk.standard_units) and expected == chunk.amount_fen:
            return
        listed = "、".join(f"{standard.normalize():f}" for standard in self.standards)
        for place, number in enumerate(chunk.numbers):
            standard, amount = chunk.standard_units[place], chunk.amount_fen[place]
            if standard and standard not in self._allowed:
                self._problem(number, "standard", "补贴标准与公布的标准不一致", f"本期公布的标准为 {listed} 元，请更正")
            elif standard and amount and chunk.quantity_milli[place] and amount != expected[place]:
                what = f"补贴金额 {yuan(amount)} 元不等于数量 × 标准"
                remedy = f"按数量 × 标准四舍五入到分，应为 {yuan(expected[place])} 元"
                self._problem(number, "amount", what, remedy)

    def _count(self, chunk: Chunk) -> None:
        self._seen.extend(zip(chunk.id_numbers, chunk.texts["component"], strict=True))
        self._seen_rows.extend(chunk.numbers)
        self._sums["amount"].extend(chunk.amount_fen)
        self._sums["quantity"].extend(chunk.quantity_milli)

    def finish(self) -> Findings:
        """Check what only the whole sheet shows: repetition, totals, hidden rows, no rows at all."""
        if not self.readable:
            return self.findings
        if not self.row_count:
            self.findings.problem(0, -1, "清册没有明细行", "请在表头下填写明细后再上传")
        if self.row_count > MAX_ROWS:
            self.findings.problem(0, -1, f"明细超过 {MAX_ROWS} 行", "请按嘎查村拆分成多个文件上传")
        self._check_repetition()
        self._check_totals()
        self._note_hidden()
        return self.findings

    def _check_repetition(self) -> None:
        counts = Counter(self._seen)
        if len(counts) == len(self._seen):
            return
        places: dict[tuple[str, str], list[int]] = {}
        for key, number in zip(self._seen, self._seen_rows, strict=True):
            if counts[key] > 1 and key[0]:
                places.setdefault(key, []).append(number)
        for rows in places.values():
            for number in rows:
                others = "、".join(str(other) for other in rows if other != number)
                what = f"同一人同一补贴重复，另见第 {others} 行"
                self._problem(number, "id_number", what, "请只保留一行；确有多个地块或补发的，请增加“构成”列分别注明")

    def _check_totals(self) -> None:
        places = {"amount": cells.AMOUNT_PLACES, "quantity": cells.AREA_PLACES}
        since = 0
        for total in self._totals:
            first = 0 if total.grand else since
            since = total.rows_above
            for name, declared in total.declared.items():
                self._compare_total(total.row, name, declared, sum(self._sums[name][first:since]), places[name])

    def _compare_total(self, number: int, name: str, declared: Any, total: int, places: int) -> None:
        if declared == "":
            return
        title = self.template.field(name).title
        right = f"{Decimal(total).scaleb(-places):.{places}f}"
        try:
            figure = round(declared, places) if isinstance(declared, float) else declared
            wrong = cells.scaled(figure, places, cells.LARGEST_TOTAL) != total
        except cells.NumberWrong:
            wrong = True
        if wrong:
            self._problem(
                number, name, f"{title}合计与明细之和不符", f"明细之和为 {right}，请核对明细是否缺行后更正合计"
            )

    def _note_hidden(self) -> None:
        assert self.header is not None
        first = self.header.first_data_row
        rows = [row for row in self._hidden.hidden_rows if row >= first]
        if rows:
            shown = "、".join(map(str, rows[:10])) + ("…" if len(rows) > 10 else "")
            self.findings.note(0, -1, f"第 {shown} 行被隐藏或筛选，已一并读取（共 {len(rows)} 行）")
        if self._hidden.strict:
            self.findings.note(0, -1, "文件为“严格的 Open XML”格式，已完整读取")
        self._report_odd(first)

    def _report_odd(self, first: int) -> None:
        """Report odd cells that no value check met: in an optional column they would have passed for blank."""
        assert self.header is not None
        data_rows = set(self._seen_rows)
        used = {column for name, column in self.header.columns.items() if name not in _IGNORED_FIELDS}
        reported = {(problem.row, problem.column) for problem in self.findings.problems}
        for (row, column), odd in self._hidden.odd_cells.items():
            what, remedy = ODD_REMEDIES[odd]
            if row in data_rows and column in used and (row, column) not in reported:
                self.findings.problem(row, column, what, remedy)
            elif row >= first and (row, column) not in reported:
                self.findings.note(row, column, f"{what}；该单元格不导入")


_IGNORED_FIELDS = frozenset({"sequence", "phone", "signature", "filled_on", "note", "contracted_area", "excluded_area"})

_REMEDIES = {
    cells.BLANK: "请填写 18 位身份证号",
    "身份证号以数字形式保存，末尾几位已丢失": ODD_REMEDIES[LONG_NUMBER][1],
    "账号以数字形式保存，末尾几位已丢失": ODD_REMEDIES[LONG_NUMBER][1],
    "账号不是 16–19 位数字": "请按社会保障卡或存折核对后填写完整账号",
}
