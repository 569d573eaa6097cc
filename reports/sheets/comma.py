"""Delimited text as a workbook: what a bank's or a department's own system writes, UTF-8 or GB 18030. （第十二条）

Everything stays text, so that account and ID numbers keep their digits; from there on there is one way for both.
"""

import csv
from io import BytesIO, StringIO

import xlsxwriter

from policies.refusals import Refused
from reports.sheets.workbooks import MAX_BYTES, XLSX_MAGIC, FileEmpty, FileTooBig

ENCODINGS = ("utf-8-sig", "gb18030")
DELIMITERS = ",\t|;"
SEEN = 4096
MAX_COLUMNS = 60


class TextUnreadable(Refused):
    """文件“{file}”不是可读取的分隔文本（{detail}）；请另存为 UTF-8 或 GBK 编码的 .csv，或 .xlsx 工作簿后上传。"""

    status_code = 400


def is_text(file_name: str, content: bytes) -> bool:
    """Tell whether a file says of itself that it is delimited text."""
    return file_name.lower().endswith((".csv", ".txt")) and not content.startswith(XLSX_MAGIC)


def as_workbook(content: bytes, file_name: str) -> bytes:
    """Return delimited text as a workbook of one sheet. Raises FileEmpty, FileTooBig, TextUnreadable."""
    if not content.strip():
        raise FileEmpty(file=file_name)
    if len(content) > MAX_BYTES:
        raise FileTooBig(file=file_name, limit=MAX_BYTES // 1024 // 1024)
    text = _decoded(content, file_name)
    buffer = BytesIO()
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "in_memory": False}
    book = xlsxwriter.Workbook(buffer, options)
    sheet = book.add_worksheet("Sheet1")
    plain = book.add_format({"num_format": "@"})
    try:
        for place, row in enumerate(csv.reader(StringIO(text, newline=""), delimiter=_delimiter(text))):
            for column, value in enumerate(row[:MAX_COLUMNS]):
                # Spreadsheets guard long numbers in text files as ="6217…" or '6217….
                cell = value.strip().removeprefix("=").strip('"').removeprefix("'")
                if cell:
                    sheet.write_string(place, column, cell, plain)
    except csv.Error as wrong:
        raise TextUnreadable(file=file_name, detail="行结构不完整") from wrong
    book.close()
    return buffer.getvalue()


def _decoded(content: bytes, file_name: str) -> str:
    if b"\x00" in content:
        raise TextUnreadable(file=file_name, detail="含有二进制内容")
    for encoding in ENCODINGS:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise TextUnreadable(file=file_name, detail="无法识别文字编码")


def _delimiter(text: str) -> str:
    """Return the delimiter that the first lines use most."""
    head = text[:SEEN]
    return max(DELIMITERS, key=head.count)
