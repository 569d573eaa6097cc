"""The columns of roster workbooks, declared once: read by header, written as a template (DOMAIN section 7)."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from typing import Any

import xlsxwriter

from models.projects import SubsidyProject
from policies.identities import half_width

_BRACKETS = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_NOISE = re.compile(r"[\s*:_\-]+")


def label_key(text: str) -> str:
    """Return a header as compared: half-width, without spaces, stars and colons."""
    return _NOISE.sub("", half_width(text)).replace("【", "(").replace("】", ")")


def bare_key(text: str) -> str:
    """Return a header as compared without its bracketed unit: 补贴标准(元/亩) is 补贴标准."""
    return _BRACKETS.sub("", label_key(text))


@dataclass(frozen=True)
class Field:
    """One column of a roster workbook."""

    name: str
    title: str
    required: bool = False
    synonyms: tuple[str, ...] = ()
    group: str = ""
    """The upper header above it, in a two-row header."""
    width: int = 12
    number: bool = False

    @property
    def full_title(self) -> str:
        """Return both header rows as one name."""
        return f"{self.group}{self.title}"

    @cached_property
    def keys(self) -> frozenset[str]:
        """Return every header by which the column is known, as compared."""
        names = (self.full_title, *self.synonyms)
        return frozenset(label_key(name) for name in names) | frozenset(bare_key(name) for name in names)


@dataclass(frozen=True)
class Template:
    """The columns of one kind of roster."""

    code: str
    title: str
    fields: tuple[Field, ...]

    @property
    def required(self) -> tuple[Field, ...]:
        """Return the fields without which a sheet is no roster."""
        return tuple(field for field in self.fields if field.required)

    def field(self, name: str) -> Field:
        """Return a field by name."""
        return next(field for field in self.fields if field.name == name)

    def match(self, label: str) -> Field | None:
        """Return the field that a header names, or None."""
        full, bare = label_key(label), bare_key(label)
        if not bare:
            return None
        exact = next((field for field in self.fields if full in field.keys), None)
        return exact or next((field for field in self.fields if bare in field.keys), None)


SEQUENCE = Field("sequence", "序号", synonyms=("排序序号", "编号"), width=6)
NOTE_FIELD = Field("note", "备注", synonyms=("说明",), width=14)
PHONE = Field("phone", "联系电话", synonyms=("电话", "手机号", "手机号码", "手机"), width=14)
BANK = Field("bank_name", "开户银行", synonyms=("开户行", "银行", "开户行名称", "银行名称"), width=16)
COMPONENT = Field("component", "构成", synonyms=("地块", "地块编号", "补发序号"), width=10)
PAYEE = Field("payee_name", "收款人姓名", synonyms=("收款人", "收款户名", "领款人"), width=12)
AMOUNT = Field("amount", "补贴金额", True, ("金额", "实发金额", "应发金额", "发放金额"), width=12, number=True)

LAND = Template(
    "land",
    "耕地地力保护补贴清册",
    (
        SEQUENCE,
        Field("village", "嘎查村", synonyms=("嘎查", "村", "行政村", "村(居)委会", "村委会", "嘎查村(社区)"), width=14),
        Field("group_name", "小组", synonyms=("村民小组", "村(居)民小组", "独贵龙", "组"), width=10),
        Field("name", "户主姓名", True, ("户主", "姓名", "农户姓名", "承包方代表", "享受人", "补贴对象"), width=14),
        Field(
            "id_number",
            "身份证号",
            True,
            ("身份证号码", "公民身份号码", "户主身份证号", "户主身份证号码", "证件号码", "享受人身份证号"),
            width=21,
        ),
        Field("contracted_area", "承包面积", synonyms=("确权面积", "承包(确权)面积"), number=True),
        Field("excluded_area", "不予补贴面积", number=True),
        Field("leased_in", "流转入", synonyms=("流转面积入", "转入面积", "流入面积"), group="流转面积", number=True),
        Field("leased_out", "流转出", synonyms=("流转面积出", "转出面积", "流出面积"), group="流转面积", number=True),
        Field("quantity", "核定补贴面积", True, ("核定面积", "补贴面积", "实际补贴面积"), number=True),
        Field("standard", "补贴标准(元/亩)", True, ("补贴标准", "标准", "每亩标准", "亩均标准"), number=True),
        AMOUNT,
        PAYEE,
        Field(
            "account_number",
            "社会保障卡号",
            synonyms=("社保卡号", "社会保障卡账号", "银行账号", "收款账号", "一卡通账号", "银行卡号", "卡号", "账号"),
            width=23,
        ),
        BANK,
        PHONE,
        Field("signature", "农户签字", synonyms=("签字", "户主签字", "签名"), width=10),
        COMPONENT,
        NOTE_FIELD,
    ),
)

GENERIC = Template(
    "generic",
    "补贴资金发放清册",
    (
        Field("sequence", "排序序号", synonyms=("序号", "编号"), width=8),
        Field("head_name", "户主姓名", synonyms=("户主",), width=12),
        Field("head_id_number", "户主身份证号", synonyms=("户主身份证号码",), width=21),
        PAYEE,
        Field("payee_id_number", "收款人身份证号", synonyms=("收款人身份证号码",), width=21),
        Field(
            "account_number",
            "银行账号",
            synonyms=("社会保障卡号", "社保卡号", "收款账号", "一卡通账号", "银行卡号", "卡号", "账号"),
            width=23,
        ),
        BANK,
        Field("village", "村(居)委会", synonyms=("嘎查村", "嘎查", "村委会", "行政村"), width=14),
        Field("group_name", "村(居)民小组", synonyms=("小组", "村民小组", "组"), width=12),
        Field("name", "享受人", True, ("享受人姓名", "姓名", "补贴对象"), width=12),
        Field("id_number", "享受人身份证号", True, ("身份证号", "身份证号码", "公民身份号码", "证件号码"), width=21),
        PHONE,
        Field("quantity", "数量", synonyms=("补贴数量", "面积", "补贴面积", "月数", "人数"), number=True),
        Field("standard", "补贴标准", True, ("标准",), number=True),
        AMOUNT,
        Field("filled_on", "填报日期", width=12),
        COMPONENT,
        NOTE_FIELD,
    ),
)

TEMPLATES = {template.code: template for template in (LAND, GENERIC)}


def template_of(project: SubsidyProject) -> Template:
    """Return the template of a project's rosters."""
    return TEMPLATES.get(project.sheet_kind, GENERIC)


def write_template(project: SubsidyProject) -> bytes:
    """Return an empty workbook to fill in, with the headers of the project's rosters."""
    return write_sheet(template_of(project), f"{project.name}发放清册", ())


def write_sheet(
    template: Template, title: str, rows: Iterable[Mapping[str, Any]], *, unit: str = "", total: bool = False
) -> bytes:
    """Return a workbook of a template: merged title, unit row, header of one or two rows, rows, 合计 row.

    rows: values by field name; text is written as text, so that 18 digits stay 18 digits.
    """
    buffer = BytesIO()
    book = xlsxwriter.Workbook(
        buffer, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    )
    sheet = book.add_worksheet("清册")
    head = book.add_format({"bold": True, "align": "center", "valign": "vcenter", "border": 1, "text_wrap": True})
    first = _write_heads(book, sheet, template, title, unit, head)
    text, money = book.add_format({"num_format": "@"}), book.add_format({"num_format": "0.00##"})
    sums = dict.fromkeys(("quantity", "amount"), 0)
    place = first
    for place, row in enumerate(rows, first):
        for column, field in enumerate(template.fields):
            value = row.get(field.name, "")
            if isinstance(value, str):
                sheet.write_string(place, column, value, text)
            else:
                sheet.write_number(place, column, value, money if field.number else None)
        for name in sums:
            sums[name] += row.get(name, 0) or 0
    if total:
        _write_total(sheet, template, place + 1, sums, head)
    sheet.freeze_panes(first, 0)
    book.close()
    return buffer.getvalue()


def _write_heads(book: Any, sheet: Any, template: Template, title: str, unit: str, head: Any) -> int:
    """Write title, unit row and header; return the first data row."""
    width = len(template.fields)
    big = book.add_format({"bold": True, "font_size": 16, "align": "center", "valign": "vcenter"})
    sheet.merge_range(0, 0, 0, width - 1, title, big)
    sheet.write_string(1, 0, f"填报单位：{unit}")
    sheet.write_string(1, width - 3, "单位：亩、元" if template.code == "land" else "单位：元")
    two_rows = any(field.group for field in template.fields)
    grouped: dict[str, list[int]] = {}
    for column, field in enumerate(template.fields):
        sheet.set_column(column, column, field.width)
        mark = "*" if field.required else ""
        if field.group:
            grouped.setdefault(field.group, []).append(column)
            sheet.write_string(3, column, field.title, head)
        elif two_rows:
            sheet.merge_range(2, column, 3, column, mark + field.title, head)
        else:
            sheet.write_string(2, column, mark + field.title, head)
    for group, columns in grouped.items():
        sheet.merge_range(2, columns[0], 2, columns[-1], group, head)
    return 4 if two_rows else 3


def _write_total(sheet: Any, template: Template, row: int, sums: Mapping[str, Any], head: Any) -> None:
    names = [field.name for field in template.fields]
    sheet.write_string(row, 0, "合计", head)
    for name, value in sums.items():
        sheet.write_number(row, names.index(name), value, head)
    sheet.write_string(row + 1, 0, "制表人：        审核人：        负责人签字：        （盖章）")
