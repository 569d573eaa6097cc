"""The workbook given back: problem cells coloured and commented, all findings listed on a sheet of their own."""

import warnings
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from io import BytesIO
from typing import Any, Protocol
from zipfile import BadZipFile

import xlsxwriter
from openpyxl import load_workbook
from openpyxl.cell.cell import MergedCell
from openpyxl.comments import Comment
from openpyxl.styles import Font, PatternFill
from openpyxl.utils.exceptions import InvalidFileException

from reports.sheets.findings import PROBLEM, Finding
from reports.sheets.workbooks import Workbook, last_row_of, open_workbook, rows_of

LIST_NAME = "问题清单"
AUTHOR = "一卡通"
COLOURS = {"problem": "FFC7CE", "note": "FFEB9C"}
LABELS = {"problem": "问题", "note": "提示"}
COLUMNS = (("类别", 8), ("工作表", 14), ("单元格", 12), ("问题", 52), ("处理办法", 60))
COMMENTED = 5_000
"""More comments than this make a workbook that no office suite opens in reasonable time; the list has them all."""
EDITED_ROWS = 20_000
"""Up to here the workbook itself is edited and keeps its looks; larger ones are written anew, row by row."""


class Readable(Protocol):
    """A file of one or more sheets: a workbook, or text that is read like one."""

    @property
    def sheet_names(self) -> list[str]:
        """Return the names of the sheets, in order."""

    def sheet(self, name: str) -> Any:
        """Return a sheet's values."""


Marks = dict[tuple[str, int, int], list[Finding]]


def mark(content: bytes, findings: Sequence[Finding]) -> bytes:
    """Return the workbook with its problem cells marked and the list of findings as its first sheet.

    A large workbook, or one that can't be edited in place (strict OOXML), comes back with its values only.
    """
    workbook = open_workbook(content, "")
    if max((last_row_of(workbook.sheet(name)) for name in workbook.sheet_names), default=0) > EDITED_ROWS:
        return _write_anew(workbook, findings)
    try:
        with warnings.catch_warnings():
            # What the library can't keep (extensions, strict parts) it warns of; the values are compared below.
            warnings.simplefilter("ignore")
            book = load_workbook(BytesIO(content))
    except (InvalidFileException, BadZipFile, KeyError, ValueError, TypeError, AttributeError):
        return _write_anew(workbook, findings)
    if not set(workbook.sheet_names) <= set(book.sheetnames):
        return _write_anew(workbook, findings)
    _mark_cells(book, findings)
    _write_list(book, findings)
    buffer = BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def mark_book(book: Readable, content: bytes, findings: Sequence[Finding], *, anew: bool = False) -> bytes:
    """Return any readable file marked: an .xlsx workbook as `mark` does, else its values as a new workbook."""
    return mark(content, findings) if isinstance(book, Workbook) and not anew else _write_anew(book, findings)


def _marks(findings: Sequence[Finding], sheets: Sequence[str]) -> Marks:
    """Return the findings by cell; one about a whole row marks its first cell."""
    marks: Marks = {}
    for finding in findings:
        if finding.row > 0 and finding.sheet in sheets:
            marks.setdefault((finding.sheet, finding.row, max(finding.column, 0)), []).append(finding)
    return marks


def _kind(about: Sequence[Finding]) -> str:
    return min((finding.kind for finding in about), key=lambda kind: kind != PROBLEM)


def _comment(about: Sequence[Finding]) -> str:
    return "\n".join(f"{finding.what}。{finding.remedy}" for finding in about)


def _list_row(finding: Finding) -> tuple[str, ...]:
    return LABELS[finding.kind], finding.sheet, finding.cell, finding.what, finding.remedy


def _mark_cells(book: Any, findings: Sequence[Finding]) -> None:
    fills = {kind: PatternFill("solid", start_color=colour, end_color=colour) for kind, colour in COLOURS.items()}
    for count, ((name, row, column), about) in enumerate(_marks(findings, book.sheetnames).items()):
        cell = _top_left(book[name], row, column + 1)
        cell.fill = fills[_kind(about)]
        if count < COMMENTED:
            cell.comment = Comment(_comment(about), AUTHOR, height=90, width=280)


def _top_left(sheet: Any, row: int, column: int) -> Any:
    cell = sheet.cell(row, column)
    if not isinstance(cell, MergedCell):
        return cell
    merged = next(area for area in sheet.merged_cells.ranges if cell.coordinate in area)
    return sheet.cell(merged.min_row, merged.min_col)


def _write_list(book: Any, findings: Sequence[Finding]) -> None:
    if LIST_NAME in book.sheetnames:
        book.remove(book[LIST_NAME])
    sheet = book.create_sheet(LIST_NAME, 0)
    for column, (title, width) in enumerate(COLUMNS, 1):
        sheet.cell(1, column, title).font = Font(bold=True)
        sheet.column_dimensions[sheet.cell(1, column).column_letter].width = width
    for row, finding in enumerate(findings, 2):
        for column, value in enumerate(_list_row(finding), 1):
            # As text whatever it begins with: nothing we write may become a formula.
            sheet.cell(row, column, value).data_type = "s"
    sheet.freeze_panes = "A2"
    book.active = 0


def _write_anew(workbook: Readable, findings: Sequence[Finding]) -> bytes:
    buffer = BytesIO()
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "in_memory": False}
    book = xlsxwriter.Workbook(buffer, options)
    sheet = book.add_worksheet(LIST_NAME)
    for column, (title, width) in enumerate(COLUMNS):
        sheet.set_column(column, column, width)
        sheet.write_string(0, column, title)
    for row, finding in enumerate(findings, 1):
        for column, value in enumerate(_list_row(finding)):
            sheet.write_string(row, column, value)
    names = [name for name in workbook.sheet_names if name != LIST_NAME]
    marks = _marks(findings, names)
    formats = {kind: book.add_format({"bg_color": f"#{colour}"}) for kind, colour in COLOURS.items()}
    for name in names:
        _copy_values(book.add_worksheet(name), workbook, name, marks, formats)
    book.close()
    return buffer.getvalue()


def _copy_values(sheet: Any, workbook: Readable, name: str, marks: Marks, formats: Mapping[str, Any]) -> None:
    """Copy a sheet's values cell by cell, marked; numbers stay numbers and text stays text."""
    commented = 0
    for number, row in rows_of(workbook.sheet(name)):
        for column, value in enumerate(row):
            about = marks.get((name, number, column))
            shape = formats[_kind(about)] if about else None
            if isinstance(value, float):
                sheet.write_number(number - 1, column, value, shape)
            elif value != "" or about:
                shown = value.isoformat() if isinstance(value, (date, datetime)) else str(value)
                sheet.write_string(number - 1, column, shown, shape)
            if about and commented < COMMENTED:
                sheet.write_comment(number - 1, column, _comment(about), {"author": AUTHOR, "x_scale": 2})
                commented += 1
