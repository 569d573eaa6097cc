"""Builders of peculiar workbooks: each takes the people of a registry and returns the bytes of a file."""

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msoffcrypto.format.ooxml
import openpyxl
from openpyxl.worksheet.worksheet import Worksheet

from reports.sheets.templates import LAND, Template, write_sheet

STANDARD = "15"
FIRST = 5
"""The first data row of the land template: title, unit, two header rows above."""
COLUMNS = {name.name: "ABCDEFGHIJKLMNOPQRS"[place] for place, name in enumerate(LAND.fields)}


@dataclass(frozen=True)
class Person:
    """Somebody who may stand in a roster."""

    name: str
    id_number: str
    account_number: str


@dataclass(frozen=True)
class People:
    """Those whom the registry of the township knows, and those whom it doesn't."""

    known: tuple[Person, ...]
    """[1] has an X, [2] a middle dot, [3] a passbook that fails Luhn."""
    stranger: Person
    elsewhere: Person
    """Registered in another township of the county."""


Build = Callable[[People], bytes]


def rows_for(people: People) -> list[dict[str, Any]]:
    """Return the plain rows; the second amount is rounded half up from 154.995."""
    quantities, amounts = (10.5, 10.333, 8.0, 20.25), (157.5, 155.0, 120.0, 303.75)
    return [
        {
            "sequence": place + 1, "village": "东村", "group_name": "一组", "name": person.name,
            "id_number": person.id_number, "contracted_area": 30.0, "quantity": quantities[place], "standard": 15.0,
            "amount": amounts[place], "payee_name": person.name, "account_number": person.account_number,
            "bank_name": "内蒙古农村信用社", "phone": "13800000001",
        }
        for place, person in enumerate(people.known)
    ]  # fmt: skip


def plain(people: People) -> bytes:
    """Return the workbook without peculiarities, as the land template writes it."""
    return write_sheet(LAND, "2026年耕地地力保护补贴清册", rows_for(people), unit="测试镇", total=True)


def edited(change: Callable[[Worksheet, People], None]) -> Build:
    """Return a builder: the plain workbook after a change of its sheet."""

    def build(people: People) -> bytes:
        book = openpyxl.load_workbook(io.BytesIO(plain(people)))
        change(book.worksheets[0], people)
        return saved(book)

    return build


def saved(book: openpyxl.Workbook) -> bytes:
    """Return a workbook's bytes."""
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def cell(name: str, value: Any, row: int = FIRST) -> Build:
    """Return a builder: the plain workbook with another value in one cell."""

    def change(sheet: Worksheet, people: People) -> None:
        place = sheet[f"{COLUMNS[name]}{row}"]
        place.value = value(people) if callable(value) else value
        if place.value == "#N/A":
            place.data_type = "e"

    return edited(change)


def person(who: Callable[[People], Person]) -> Build:
    """Return a builder: another person in the first row."""

    def change(sheet: Worksheet, people: People) -> None:
        for name in ("name", "payee_name"):
            sheet[f"{COLUMNS[name]}{FIRST}"].value = who(people).name
        sheet[f"{COLUMNS['id_number']}{FIRST}"].value = who(people).id_number
        sheet[f"{COLUMNS['account_number']}{FIRST}"].value = who(people).account_number

    return edited(change)


def repacked(build: Build, change: Callable[[str, bytes], bytes]) -> Build:
    """Return a builder: the package of a workbook with its parts changed."""

    def rebuild(people: People) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(build(people))) as source, zipfile.ZipFile(out, "w") as target:
            for item in source.infolist():
                target.writestr(item, change(item.filename, source.read(item)))
        return out.getvalue()

    return rebuild


def bad_check(people: People) -> str:
    number = people.known[0].id_number
    return number[:-1] + ("0" if number[-1] != "0" else "1")


def full_width(people: People) -> str:
    return people.known[0].id_number.translate({ord("0") + digit: ord("０") + digit for digit in range(10)})


def twice(sheet: Worksheet, people: People) -> None:
    for column in range(1, 20):
        sheet.cell(FIRST + 1, column).value = sheet.cell(FIRST, column).value
    _fix_total(sheet, 10.5 + 10.5 + 8 + 20.25, 157.5 * 2 + 120 + 303.75)


def two_plots(sheet: Worksheet, people: People) -> None:
    twice(sheet, people)
    sheet[f"{COLUMNS['component']}{FIRST}"], sheet[f"{COLUMNS['component']}{FIRST + 1}"] = "东地", "西地"


def _fix_total(sheet: Worksheet, quantity: float, amount: float, row: int = FIRST + 4) -> None:
    sheet[f"{COLUMNS['quantity']}{row}"], sheet[f"{COLUMNS['amount']}{row}"] = quantity, amount


def header(name: str, label: str | None) -> Build:
    def change(sheet: Worksheet, people: People) -> None:
        column = COLUMNS[name]
        sheet.unmerge_cells(f"{column}3:{column}4")
        sheet[f"{column}3"].value = label

    return edited(change)


def second_sheet(people: People, content: str) -> bytes:
    book = openpyxl.load_workbook(io.BytesIO(plain(people)))
    if content == "roster":
        book.copy_worksheet(book.worksheets[0]).title = "清册二"
    else:
        book.create_sheet("填表说明").append(["一、本表由苏木乡镇填写。"])
    return saved(book)


def no_rows(sheet: Worksheet, people: People) -> None:
    sheet.delete_rows(FIRST, 10)


def no_header(sheet: Worksheet, people: People) -> None:
    for area in [str(area) for area in sheet.merged_cells.ranges]:
        sheet.unmerge_cells(area)
    sheet.delete_rows(1, 4)


def hidden(sheet: Worksheet, people: People) -> None:
    sheet.row_dimensions[FIRST + 1].hidden = True


def extra(sheet: Worksheet, people: People) -> None:
    sheet["T3"], sheet[f"T{FIRST}"] = "是否脱贫户", "否"


def blank_tail(sheet: Worksheet, people: People) -> None:
    for row in range(FIRST + 6, FIRST + 1500):
        sheet.cell(row, 1).number_format = "@"


def numbered_tail(sheet: Worksheet, people: People) -> None:
    sheet.delete_rows(FIRST + 4, 2)
    for number in range(5, 30):
        sheet.cell(FIRST + number - 1, 1).value = number


def second_page(sheet: Worksheet, people: People) -> None:
    """Repeat the header below the second row, as printed sheets do at a page break."""
    sheet.insert_rows(FIRST + 2, 2)
    for column in range(1, 20):
        for upper in (0, 1):
            sheet.cell(FIRST + 2 + upper, column).value = sheet.cell(3 + upper, column).value


def village_heading(sheet: Worksheet, people: People) -> None:
    """Put a row with nothing but the village's name above its people."""
    sheet.insert_rows(FIRST)
    sheet[f"{COLUMNS['village']}{FIRST}"] = "东村"


def subtotals(sheet: Worksheet, people: People) -> None:
    sheet.insert_rows(FIRST + 2)
    sheet[f"A{FIRST + 2}"] = "小  计"
    _fix_total(sheet, 20.833, 312.5, FIRST + 2)


def subtotal_wrong(sheet: Worksheet, people: People) -> None:
    subtotals(sheet, people)
    _fix_total(sheet, 20.833, 300, FIRST + 2)


def other_order(people: People) -> bytes:
    fields = tuple(reversed(LAND.fields))
    return write_sheet(Template("land", "", fields), "清册", rows_for(people), total=False)


def generic(people: People) -> bytes:
    """Return the default columns in practice, with their one-row header (read by the generic template's names)."""
    heads = "排序序号 户主姓名 身份证号 补贴面积 补贴标准 补贴金额 收款人 银行账号 开户银行 备注"
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(heads.split())
    for row in rows_for(people):
        sheet.append([row[name] for name in ("sequence", "name", "id_number", "quantity", "standard", "amount",
                                             "payee_name", "account_number", "bank_name")])  # fmt: skip
    return saved(book)


def formula_with_value(people: People) -> bytes:
    def calculate(name: str, part: bytes) -> bytes:
        value = b"<v>157.5</v>"
        return part.replace(b"<v></v>", value).replace(b"<v/>", value) if name.endswith("sheet1.xml") else part

    return repacked(cell("amount", f"=J{FIRST}*K{FIRST}"), calculate)(people)


def stale(name: str, part: bytes) -> bytes:
    if not name.endswith("sheet1.xml"):
        return part
    start = part.index(b"<dimension ref=")
    return part[:start] + b'<dimension ref="A1:B2"/>' + part[part.index(b"/>", start) + 2 :]


def strict(name: str, part: bytes) -> bytes:
    old, new = b"http://schemas.openxmlformats.org/", b"http://purl.oclc.org/ooxml/"
    return part.replace(old + b"spreadsheetml/2006/main", new + b"spreadsheetml/main").replace(
        old + b"officeDocument/2006/relationships", new + b"officeDocument/relationships"
    )


def encrypted(people: People) -> bytes:
    out = io.BytesIO()
    msoffcrypto.format.ooxml.OOXMLFile(io.BytesIO(plain(people))).encrypt("secret", out)
    return out.getvalue()


def word(people: People) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as package:
        package.writestr("[Content_Types].xml", "<Types/>")
        package.writestr("word/document.xml", "<document/>")
    return out.getvalue()


def legacy(people: People) -> str:
    number = people.known[0].id_number
    return number[:6] + number[8:17]


def blank_book(people: People) -> bytes:
    return saved(openpyxl.Workbook())


def text_number(sheet: Worksheet, people: People) -> None:
    sheet[f"{COLUMNS['amount']}{FIRST}"].value = "￥１５７.50元"
