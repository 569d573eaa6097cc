"""Opening a workbook that officers upload: what it is, which sheets it has, and what the cell values hide.

Values come from calamine; one streamed pass over the sheet's XML finds what calamine turns into blanks or rounds
away: error cells, formulas without a value, numbers of more than 15 digits, hidden rows, the true last row.
"""

import posixpath
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import IO, Any
from zipfile import BadZipFile, ZipFile

from lxml import etree
from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, SheetTypeEnum

from policies.refusals import Refused

MAX_BYTES = 20 * 1024 * 1024
MAX_UNPACKED_BYTES = 600 * 1024 * 1024
XLSX_MAGIC, OLE_MAGIC = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
ENCRYPTED_STREAM = "EncryptedPackage".encode("utf-16-le")
CONTENT_TYPES = "[Content_Types].xml"
STRICT = "http://purl.oclc.org/ooxml/"
DIGITS_KEPT = 10**15
"""Spreadsheets keep 15 digits of a number: a longer one has lost its tail."""

KEPT_ROWS = 1000
"""Emptied row elements kept in memory during the XML pass."""

UNREADABLE = (
    etree.XMLSyntaxError, BadZipFile, KeyError, ValueError, NotImplementedError, RuntimeError, EOFError, zlib.error
)  # fmt: skip
"""All that a damaged package raises: parts missing, compressed or locked in ways no spreadsheet uses."""

ERROR, NO_VALUE, LONG_NUMBER = "error", "no_value", "long_number"


class FileEmpty(Refused):
    """文件“{file}”是空文件；请重新保存工作簿后再上传。"""

    status_code = 400


class FileTooBig(Refused):
    """文件“{file}”超过 {limit} MB；请按嘎查村拆分成多个清册后分别上传。"""

    status_code = 400


class WrongFileType(Refused):
    """文件“{file}”不是 .xlsx 工作簿（{kind}）；请用 Excel 或 WPS 打开后另存为“Excel 工作簿（.xlsx）”再上传。"""

    status_code = 400


class WorkbookEncrypted(Refused):
    """文件“{file}”设有打开密码，无法读取；请在 Excel 或 WPS 中取消密码、另存后再上传。"""

    status_code = 400


class WorkbookDamaged(Refused):
    """文件“{file}”已损坏，无法读取（{detail}）；请用 Excel 或 WPS 打开修复、另存为 .xlsx 后再上传。"""

    status_code = 400


@dataclass
class Hidden:
    """What the values of a sheet don't show; rows are 1-based, columns 0-based."""

    odd_cells: dict[tuple[int, int], str] = field(default_factory=dict)
    hidden_rows: list[int] = field(default_factory=list)
    lost_row: int = 0
    """The last filled row that the values don't reach; 0 when all were read."""
    strict: bool = False


@dataclass
class Workbook:
    """An opened workbook."""

    content: bytes
    file_name: str
    book: CalamineWorkbook
    _sheets: dict[str, CalamineSheet] = field(default_factory=dict)

    @property
    def sheet_names(self) -> list[str]:
        """Return the names of the worksheets, in order."""
        return [meta.name for meta in self.book.sheets_metadata if meta.typ == SheetTypeEnum.WorkSheet]

    def sheet(self, name: str) -> CalamineSheet:
        """Return a sheet's values, read once. Raises WorkbookDamaged."""
        if name not in self._sheets:
            try:
                self._sheets[name] = self.book.get_sheet_by_name(name)
            except CalamineError as problem:
                raise WorkbookDamaged(file=self.file_name, detail=f"工作表“{name}”") from problem
        return self._sheets[name]

    def hidden(self, name: str) -> Hidden:
        """Return what the sheet's XML says and its values don't. Raises WorkbookDamaged."""
        height = last_row_of(self.sheet(name))
        try:
            with ZipFile(BytesIO(self.content)) as package, package.open(_part_of(package, name)) as part:
                return _inspect(part, height)
        except UNREADABLE as problem:
            raise WorkbookDamaged(file=self.file_name, detail=f"工作表“{name}”") from problem


def require_workbook(content: bytes, file_name: str) -> None:
    """Refuse what is no readable .xlsx file, from its first bytes and its table of contents.

    Raises FileEmpty, FileTooBig, WorkbookEncrypted, WrongFileType, WorkbookDamaged.
    """
    if not content:
        raise FileEmpty(file=file_name)
    if len(content) > MAX_BYTES:
        raise FileTooBig(file=file_name, limit=MAX_BYTES // 1024 // 1024)
    if content.startswith(OLE_MAGIC):
        if ENCRYPTED_STREAM in content:
            raise WorkbookEncrypted(file=file_name)
        raise WrongFileType(file=file_name, kind="旧版 .xls 或其他 Office 文件")
    if not content.startswith(XLSX_MAGIC):
        raise WrongFileType(file=file_name, kind=_kind_of(content))
    try:
        with ZipFile(BytesIO(content)) as package:
            names = {item.filename for item in package.infolist()}
            unpacked = sum(item.file_size for item in package.infolist())
    except UNREADABLE as problem:
        raise WorkbookDamaged(file=file_name, detail="压缩结构不完整") from problem
    if CONTENT_TYPES not in names or not any(name.startswith("xl/workbook") for name in names):
        raise WrongFileType(file=file_name, kind="压缩文件或其他 Office 文件")
    if unpacked > MAX_UNPACKED_BYTES:
        raise FileTooBig(file=file_name, limit=MAX_BYTES // 1024 // 1024)


def _kind_of(content: bytes) -> str:
    if content.startswith(b"%PDF"):
        return "PDF 文件"
    if content.lstrip().lower().startswith((b"<html", b"<!doctype", b"<table", b"<?xml")):
        return "网页或 XML 文件"
    return "文本或其他文件，如 .csv"


def open_workbook(content: bytes, file_name: str) -> Workbook:
    """Open a workbook. Raises what `require_workbook` raises."""
    require_workbook(content, file_name)
    try:
        return Workbook(content, file_name, CalamineWorkbook.from_filelike(BytesIO(content)))
    except CalamineError as problem:
        raise WorkbookDamaged(file=file_name, detail="无法识别工作簿结构") from problem


def last_row_of(sheet: CalamineSheet) -> int:
    """Return the number of the last row of a sheet's values; 0 when it is empty."""
    return sheet.end[0] + 1 if sheet.end is not None else 0


def rows_of(sheet: CalamineSheet) -> Iterator[tuple[int, list[Any]]]:
    """Return the sheet's rows with their 1-based numbers; column A is always at place 0."""
    yield from enumerate(sheet.iter_rows(), 1)


def _parser_options() -> dict[str, Any]:
    return {"resolve_entities": False, "no_network": True, "load_dtd": False, "huge_tree": False}


def _tree(package: ZipFile, name: str) -> Any:
    return etree.fromstring(package.read(name), etree.XMLParser(**_parser_options()))


def _part_of(package: ZipFile, sheet_name: str) -> str:
    """Return the package part of a sheet: workbook.xml names it by a relationship."""
    root = _tree(package, "xl/workbook.xml")
    for sheet in root.iter("{*}sheet"):
        if sheet.get("name") == sheet_name:
            wanted = next((value for key, value in sheet.attrib.items() if key.endswith("}id")), "")
            break
    else:
        raise KeyError(sheet_name)
    for relation in _tree(package, "xl/_rels/workbook.xml.rels"):
        if relation.get("Id") == wanted:
            target = relation.get("Target")
            return str(target[1:] if target.startswith("/") else posixpath.normpath(posixpath.join("xl", target)))
    raise KeyError(sheet_name)


# One XPath per row, evaluated in C: only the odd cells come up to Python.
_ODD = etree.XPath(
    "*[@t='e' or (*[local-name()='f'] and not(string(*[local-name()='v'])))"
    f" or ((not(@t) or @t='n') and *[local-name()='v'] >= {DIGITS_KEPT})]"
)
_FILLED = etree.XPath("boolean(*[string(.)])")


def _inspect(part: IO[bytes], height: int) -> Hidden:
    """Walk the rows once; `height` is how far the values reach, beyond which a filled row would be lost."""
    found = Hidden()
    number = 0
    for _, row in etree.iterparse(part, events=("end",), tag="{*}row", **_parser_options()):
        number = int(row.get("r") or number + 1)
        if row.get("hidden") in ("1", "true"):
            found.hidden_rows.append(number)
        for cell in _ODD(row):
            found.odd_cells[number, _column_of(cell, row)] = _oddity(cell)
        if number > height and _FILLED(row):
            found.lost_row = number
        if number == 1:
            found.strict = row.tag.startswith("{" + STRICT)
        row.clear(keep_tail=False)
        if not number % KEPT_ROWS:
            del row.getparent()[:-1]
    return found


def _column_of(cell: Any, row: Any) -> int:
    letters = (cell.get("r") or "").rstrip("0123456789")
    if not letters:
        return int(row.index(cell))
    column = 0
    for letter in letters:
        column = column * 26 + ord(letter) - ord("A") + 1
    return column - 1


def _oddity(cell: Any) -> str:
    if cell.get("t") == "e":
        return ERROR
    return NO_VALUE if cell.find("{*}f") is not None and not cell.findtext("{*}v") else LONG_NUMBER
