"""What officers upload for the registry: .xlsx and .xls workbooks, CSV in UTF-8 or GB18030, archives of several.

Files are opened one after the other and CSV is read as a stream, so that memory is that of the largest workbook.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO, TextIOWrapper
from pathlib import PurePath
from typing import Any, Protocol
from zipfile import BadZipFile, ZipFile, ZipInfo

from python_calamine import CalamineError, CalamineWorkbook

from policies.refusals import Refused
from reports.sheets.workbooks import (
    CONTENT_TYPES,
    ENCRYPTED_STREAM,
    MAX_BYTES,
    MAX_UNPACKED_BYTES,
    OLE_MAGIC,
    UNREADABLE,
    XLSX_MAGIC,
    FileEmpty,
    FileTooBig,
    Hidden,
    Workbook,
    WorkbookDamaged,
    WorkbookEncrypted,
    WrongFileType,
    open_workbook,
)

MOST_FILES = 500
GENERAL_PURPOSE_UTF8 = 0x800
DELIMITERS = (",", "\t", ";", "，", "|")
SNIFFED = 64 * 1024
CSV_SHEET = "CSV"

csv.field_size_limit(1_000_000)


class ArchiveTooBig(Refused):
    """压缩包“{file}”中的文件超过 {most} 个或解压后过大；请分成几个压缩包分别上传。"""

    status_code = 400


class ArchiveEmpty(Refused):
    """压缩包“{file}”中没有登记表（.xlsx、.xls 或 .csv）；请核对压缩包的内容后再上传。"""

    status_code = 400


class TextUnreadable(Refused):
    """文件“{file}”既不是 UTF-8 也不是 GB18030（GBK）编码，无法读取；请用 Excel 或 WPS 打开后另存为 .xlsx 再上传。"""

    status_code = 400


class Sheet(Protocol):
    """A sheet's values, row by row."""

    @property
    def end(self) -> tuple[int, int] | None:
        """Return the place of the last cell."""

    def iter_rows(self) -> Iterator[list[Any]]:
        """Return the rows from the first on."""


class Book(Protocol):
    """What the readers need of a file, whatever its kind."""

    @property
    def sheet_names(self) -> list[str]:
        """Return the names of the worksheets, in order."""

    def sheet(self, name: str) -> Any:
        """Return a sheet."""

    def hidden(self, name: str) -> Hidden:
        """Return what the sheet's values don't show."""


class OldBook(Workbook):
    """A .xls workbook: its values; what they hide can't be seen in this format."""

    @property
    def sheet_names(self) -> list[str]:
        """Return the names of the worksheets, in order."""
        return list(self.book.sheet_names)

    def hidden(self, name: str) -> Hidden:
        """Return nothing: neither hidden rows nor formulas can be told."""
        return Hidden()


@dataclass
class CsvSheet:
    """The one sheet of a CSV file: a stream that begins anew with every reading."""

    content: bytes
    encoding: str
    delimiter: str

    @property
    def end(self) -> tuple[int, int] | None:
        """Return the place of the last cell, by counting lines."""
        return (self.content.count(b"\n"), 0) if self.content else None

    @property
    def height(self) -> int:
        """Return the number of lines."""
        return self.content.count(b"\n") + 1

    def iter_rows(self) -> Iterator[list[Any]]:
        """Return the rows as lists of text."""
        stream = TextIOWrapper(BytesIO(self.content), self.encoding, newline="")
        for row in csv.reader(stream, delimiter=self.delimiter):
            yield [_cell(value) for value in row]


def _cell(value: str) -> str:
    """Return a cell of a CSV file: ="…", a leading ' and tabs are how numbers are kept from spreadsheets."""
    text = value.strip("\t\ufeff ")
    if text.startswith('="') and text.endswith('"'):
        return text[2:-1]
    return text[1:] if text.startswith("'") else text


@dataclass
class CsvBook:
    """A CSV file as a workbook of one sheet."""

    csv: CsvSheet

    @property
    def sheet_names(self) -> list[str]:
        """Return the one sheet's name."""
        return [CSV_SHEET]

    def sheet(self, name: str) -> CsvSheet:
        """Return the sheet."""
        return self.csv

    def hidden(self, name: str) -> Hidden:
        """Return nothing: text hides nothing."""
        return Hidden()


def files_of(name: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    """Return the files of an upload one after the other: itself, or those of the archive.

    Raises ArchiveEmpty, WorkbookDamaged.
    """
    if not _is_archive(content):
        yield name, content
        return
    found = 0
    with ZipFile(BytesIO(content)) as package:
        for item in package.infolist():
            if _is_register(item):
                found += 1
                yield _name_of(item), _unpacked(package, item)
    if not found:
        raise ArchiveEmpty(file=name)


def _unpacked(package: ZipFile, item: ZipInfo) -> bytes:
    try:
        return package.read(item)
    except UNREADABLE as problem:
        raise WorkbookDamaged(file=_name_of(item), detail="压缩结构不完整，或设有密码") from problem


def require_register(name: str, content: bytes, most: int = MAX_BYTES) -> None:
    """Refuse what is no register, from its first bytes.

    Raises FileEmpty, FileTooBig, WorkbookEncrypted, WrongFileType, WorkbookDamaged, TextUnreadable, ArchiveTooBig,
    ArchiveEmpty.
    """
    if not content:
        raise FileEmpty(file=name)
    if len(content) > most:
        raise FileTooBig(file=name, limit=most // 1024 // 1024)
    if _is_archive(content):
        try:
            with ZipFile(BytesIO(content)) as package:
                items = [item for item in package.infolist() if _is_register(item)]
        except UNREADABLE as problem:
            raise WorkbookDamaged(file=name, detail="压缩结构不完整") from problem
        if len(items) > MOST_FILES or sum(item.file_size for item in items) > MAX_UNPACKED_BYTES:
            raise ArchiveTooBig(file=name, most=MOST_FILES)
        if not items:
            raise ArchiveEmpty(file=name)
        return
    open_book(name, content)


def open_book(name: str, content: bytes) -> Book:
    """Open one file. Raises what `require_register` raises."""
    if not content:
        raise FileEmpty(file=name)
    if content.startswith(XLSX_MAGIC):
        return _open_workbook(name, content)
    if content.startswith(OLE_MAGIC):
        return _open_old(name, content)
    return _open_text(name, content)


def _open_workbook(name: str, content: bytes) -> Workbook:
    return open_workbook(content, name)


def _open_old(name: str, content: bytes) -> OldBook:
    if ENCRYPTED_STREAM in content:
        raise WorkbookEncrypted(file=name)
    try:
        book = OldBook(content, name, CalamineWorkbook.from_filelike(BytesIO(content)))
        book.sheet(book.sheet_names[0])
    except (CalamineError, IndexError) as problem:
        raise WrongFileType(file=name, kind="无法识别的 Office 文件") from problem
    return book


def _open_text(name: str, content: bytes) -> CsvBook:
    start = content[:SNIFFED].lstrip()
    if start.startswith(b"%PDF"):
        raise WrongFileType(file=name, kind="PDF 文件")
    if start.lower().startswith((b"<html", b"<!doctype", b"<table", b"<?xml")):
        raise WrongFileType(file=name, kind="网页或 XML 文件")
    if b"\x00" in content[:SNIFFED]:
        raise WrongFileType(file=name, kind="未知的二进制文件")
    encoding = next((one for one in ("utf-8-sig", "gb18030") if _decodes(content, one)), "")
    if not encoding:
        raise TextUnreadable(file=name)
    first = start.decode(encoding, "replace").splitlines()[:5]
    delimiter = max(DELIMITERS, key=lambda mark: max((line.count(mark) for line in first), default=0))
    return CsvBook(CsvSheet(content, encoding, delimiter))


def _decodes(content: bytes, encoding: str) -> bool:
    try:
        for _ in TextIOWrapper(BytesIO(content), encoding, newline="\n"):
            pass
    except UnicodeDecodeError:
        return False
    return True


def _is_archive(content: bytes) -> bool:
    """Tell an archive of files from a workbook, which is an archive too."""
    if not content.startswith(XLSX_MAGIC):
        return False
    try:
        with ZipFile(BytesIO(content)) as package:
            return CONTENT_TYPES not in package.namelist()
    except BadZipFile:
        return False


def _is_register(item: ZipInfo) -> bool:
    path = PurePath(_name_of(item))
    hidden = path.name.startswith((".", "~$")) or "__MACOSX" in item.filename
    return not item.is_dir() and not hidden and path.suffix.lower() in (".xlsx", ".xls", ".csv", ".txt")


def _name_of(item: ZipInfo) -> str:
    """Return a file's name: archives made on Chinese Windows say it in GBK without saying so."""
    name = item.filename
    if not item.flag_bits & GENERAL_PURPOSE_UTF8:
        try:
            name = name.encode("cp437").decode("gb18030")
        except (UnicodeEncodeError, UnicodeDecodeError):
            name = item.filename
    return PurePath(name.replace("\\", "/")).name
