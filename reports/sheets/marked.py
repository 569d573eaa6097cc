"""The workbook given back: problem cells coloured and commented, all findings listed on a sheet of their own."""

from collections.abc import Sequence
from io import BytesIO
from typing import Any
from zipfile import BadZipFile

from openpyxl import Workbook, load_workbook
from openpyxl.cell.cell import Cell, MergedCell
from openpyxl.comments import Comment
from openpyxl.styles import Font, PatternFill
from openpyxl.utils.exceptions import InvalidFileException

from reports.sheets.findings import PROBLEM, Finding

LIST_NAME = "问题清单"
AUTHOR = "一卡通"
COLOURS = {"problem": "FFC7CE", "note": "FFEB9C"}
LABELS = {"problem": "问题", "note": "提示"}
COMMENTED = 5_000
"""More comments than this make a workbook that no office suite opens in reasonable time; the list has them all."""


def mark(content: bytes, findings: Sequence[Finding]) -> bytes:
    """Return the workbook with its problem cells marked and the list of findings as its first sheet.

    A workbook that can't be written back (strict OOXML, damaged parts) yields the list alone.
    """
    try:
        book = load_workbook(BytesIO(content))
    except (InvalidFileException, BadZipFile, KeyError, ValueError, TypeError, AttributeError):
        book = Workbook()
        book.remove(book.worksheets[0])
    else:
        _mark_cells(book, findings)
    _write_list(book, findings)
    buffer = BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def _mark_cells(book: Any, findings: Sequence[Finding]) -> None:
    fills = {kind: PatternFill("solid", start_color=colour, end_color=colour) for kind, colour in COLOURS.items()}
    texts: dict[tuple[str, int, int], list[Finding]] = {}
    for finding in findings:
        if finding.row > 0 and finding.sheet in book.sheetnames:
            texts.setdefault((finding.sheet, finding.row, max(finding.column, 0)), []).append(finding)
    for count, ((name, row, column), about) in enumerate(texts.items()):
        cell = _top_left(book[name], row, column + 1)
        cell.fill = fills[min((finding.kind for finding in about), key=lambda kind: kind != PROBLEM)]
        if count < COMMENTED:
            text = "\n".join(f"{finding.what}。{finding.remedy}" for finding in about)
            cell.comment = Comment(text, AUTHOR, height=90, width=280)


def _top_left(sheet: Any, row: int, column: int) -> Any:
    cell: Cell | MergedCell = sheet.cell(row, column)
    if not isinstance(cell, MergedCell):
        return cell
    merged = next(area for area in sheet.merged_cells.ranges if cell.coordinate in area)
    return sheet.cell(merged.min_row, merged.min_col)


def _write_list(book: Any, findings: Sequence[Finding]) -> None:
    if LIST_NAME in book.sheetnames:
        book.remove(book[LIST_NAME])
    sheet = book.create_sheet(LIST_NAME, 0)
    for column, (title, width) in enumerate(
        (("类别", 8), ("工作表", 14), ("单元格", 12), ("问题", 52), ("处理办法", 60)), 1
    ):
        sheet.cell(1, column, title).font = Font(bold=True)
        sheet.column_dimensions[sheet.cell(1, column).column_letter].width = width
    for row, finding in enumerate(findings, 2):
        values = (LABELS[finding.kind], finding.sheet, finding.cell, finding.what, finding.remedy)
        for column, value in enumerate(values, 1):
            # As text whatever it begins with: nothing we write may become a formula.
            sheet.cell(row, column, value).data_type = "s"
    sheet.freeze_panes = "A2"
    book.active = 0
