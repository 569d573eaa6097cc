"""How the workbooks we issue look: the fonts of office machines, A4 landscape, frozen header, page x of y.

Tables are declared as columns; a column of counts or money is a number, a column of rates is a formula over columns of
its own row, written with its value, so that a reader without a calculating program sees the same figures.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from io import BytesIO
from typing import Any, Literal

import xlsxwriter
from xlsxwriter.utility import xl_col_to_name, xl_rowcol_to_cell

TITLE_FONT, HEADER_FONT, BODY_FONT, FIGURE_FONT = "黑体", "黑体", "仿宋", "宋体"
"""Fonts that Windows and WPS both bring along."""

A4 = 9
NONE = "—"
"""What stands where a rate has no base."""

Kind = Literal["text", "count", "money", "rate", "rank"]
NUMBER_FORMATS: dict[Kind, str] = {
    "text": "@", "count": "#,##0", "money": "#,##0.00", "rate": "0.0%;-0.0%;0.0%", "rank": "0"
}  # fmt: skip

SAFE = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}


@dataclass(frozen=True)
class Column:
    """One column of a table; `formula` names other columns of the row in braces, e.g. "{paid}/{due}"."""

    name: str
    title: str
    kind: Kind
    group: str = ""
    width: float = 9
    formula: str = ""
    base: str = ""
    """The divisor of a rate, by which it is worth nothing when zero."""


@dataclass(frozen=True)
class TableRow:
    """One row: its values by column name, how it stands out, and which rows its sums are made of."""

    values: dict[str, Any]
    level: int = 0
    """0 ordinary, 1 subtotal, 2 total."""
    sum_of: tuple[int, ...] = ()
    """Places (within the table) of the rows that its additive columns sum up."""
    outline: int = 0


@dataclass
class Book:
    """A workbook in the making; the same formats for every sheet."""

    title: str
    buffer: BytesIO = field(default_factory=BytesIO)

    def __post_init__(self) -> None:
        """Open the workbook."""
        self.book: Any = xlsxwriter.Workbook(self.buffer, SAFE)
        self.book.set_properties({"title": self.title, "company": "惠民惠农财政补贴资金“一卡通”"})
        self.format = lru_cache(maxsize=None)(self._format)

    def _format(self, kind: Kind = "text", level: int = 0, header: bool = False, grey: bool = False) -> Any:
        look: dict[str, Any] = {
            "font_name": HEADER_FONT if header else (FIGURE_FONT if kind != "text" else BODY_FONT),
            "font_size": 10,
            "valign": "vcenter",
            "border": 1,
            "align": "center" if header or kind == "rank" else ("left" if kind == "text" else "right"),
            "num_format": NUMBER_FORMATS[kind],
        }
        if header:
            look |= {"bold": True, "text_wrap": True, "bg_color": "#DDE6F0"}
        if level:
            look |= {"bold": True, "bg_color": "#EFF3F8" if level == 1 else "#D9E2EC"}
        if grey:
            look |= {"font_color": "#7F7F7F"}
        return self.book.add_format(look)

    def sheet(self, name: str, *, repeat: tuple[int, int] | None = None) -> Any:
        """Add a sheet set up for print: A4 landscape, one page wide, page x of y."""
        sheet = self.book.add_worksheet(name)
        sheet.set_paper(A4)
        sheet.set_landscape()
        sheet.fit_to_pages(1, 0)
        sheet.set_margins(left=0.4, right=0.4, top=0.6, bottom=0.6)
        sheet.center_horizontally()
        sheet.set_footer("&C第 &P 页 共 &N 页")
        if repeat is not None:
            sheet.repeat_rows(*repeat)
        return sheet

    def words(self, size: int = 11, *, bold: bool = False, center: bool = False, wrap: bool = False) -> Any:
        """Return the format of running text."""
        return self.book.add_format(
            {
                "font_name": TITLE_FONT if bold else BODY_FONT,
                "font_size": size,
                "bold": bold,
                "align": "center" if center else "left",
                "valign": "vcenter" if center else "top",
                "text_wrap": wrap,
            }
        )

    def close(self) -> bytes:
        """Finish the workbook and return it."""
        self.book.close()
        return self.buffer.getvalue()


@dataclass
class Table:
    """A table on a sheet: two header rows from `top` on, then its rows."""

    book: Book
    sheet: Any
    top: int
    columns: Sequence[Column]

    @property
    def first(self) -> int:
        """Return the row of the first entry."""
        return self.top + 2

    def place(self, name: str) -> int:
        """Return a column's place."""
        return next(place for place, column in enumerate(self.columns) if column.name == name)

    def cell(self, row: int, name: str) -> str:
        """Return the address of a column in the table's row with this place, as formulas name it."""
        return str(xl_rowcol_to_cell(self.first + row, self.place(name)))

    def write_header(self) -> None:
        """Write both header rows: groups merged over their columns, the others over both rows."""
        header = self.book.format(header=True)
        groups: dict[str, list[int]] = {}
        for place, column in enumerate(self.columns):
            self.sheet.set_column(place, place, column.width)
            if column.group:
                groups.setdefault(column.group, []).append(place)
                self.sheet.write_string(self.top + 1, place, column.title, header)
            else:
                self.sheet.merge_range(self.top, place, self.top + 1, place, column.title, header)
        for group, places in groups.items():
            self.sheet.merge_range(self.top, places[0], self.top, places[-1], group, header)

    def write(self, rows: Sequence[TableRow]) -> None:
        """Write the header and all rows."""
        self.write_header()
        for number, row in enumerate(rows):
            if row.outline:
                self.sheet.set_row(self.first + number, None, None, {"level": row.outline})
            for place, column in enumerate(self.columns):
                self._write_cell(number, place, column, row)

    def _write_cell(self, number: int, place: int, column: Column, row: TableRow) -> None:
        at = (self.first + number, place)
        look = self.book.format(column.kind, row.level)
        value = row.values.get(column.name)
        if column.formula:
            self.sheet.write_formula(*at, self._rate(number, column), look, NONE if value is None else value)
        elif value is None or isinstance(value, str):
            self.sheet.write_string(*at, value or "", look)
        elif row.sum_of and column.kind in ("count", "money") and column.name not in NOT_ADDITIVE:
            self.sheet.write_formula(*at, self._sum(place, row.sum_of), look, value)
        else:
            self.sheet.write_number(*at, value, look)

    def _rate(self, number: int, column: Column) -> str:
        cells = {other.name: self.cell(number, other.name) for other in self.columns if not other.formula}
        base = column.base.format(**cells)
        return f'=IF(({base})=0,"{NONE}",{column.formula.format(**cells)})'

    def _sum(self, place: int, rows: tuple[int, ...]) -> str:
        letter = xl_col_to_name(place)
        numbers = [self.first + row + 1 for row in rows]
        if numbers == list(range(numbers[0], numbers[0] + len(numbers))):
            return f"=SUM({letter}{numbers[0]}:{letter}{numbers[-1]})"
        return "=" + "+".join(f"{letter}{number}" for number in numbers)


NOT_ADDITIVE = frozenset({"projects"})
"""Columns that count something distinct: a subtotal can't add them up."""


def rate(part: float, base: float) -> float | None:
    """Return a share, or None without a base."""
    return part / base if base else None
