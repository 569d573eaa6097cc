"""The data rows of a sheet in chunks, never read short: what its XML says is there must have been read."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from reports.sheets.findings import Findings
from reports.sheets.workbooks import Hidden, rows_of

Rows = list[tuple[int, list[Any]]]


def data_chunks(
    sheet: Any, first: int, size: int, is_data: Callable[[int, list[Any]], bool], hidden: Hidden, findings: Findings
) -> Iterator[Rows]:
    """Return the rows that hold data, from the 1-based `first` on, `size` at a time; a lost row is a problem."""
    pending: Rows = []
    last = 0
    for number, row in islice(rows_of(sheet), first - 1, None):
        last = number
        if is_data(number, row):
            pending.append((number, row))
            if len(pending) == size:
                yield pending
                pending = []
    if pending:
        yield pending
    report_lost_rows(last, hidden, findings)


def report_lost_rows(last: int, hidden: Hidden, findings: Findings) -> None:
    """Compare the last row read with the last filled row of the sheet's XML."""
    if hidden.lost_row:
        what = f"工作表记录的范围与内容不符：只读到第 {last} 行，实际到第 {hidden.lost_row} 行"
        findings.problem(0, -1, what, "请用 Excel 或 WPS 打开并另存为 .xlsx 后再上传")
