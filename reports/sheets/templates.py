"""The columns of roster workbooks, declared once: read by header, written as a template (DOMAIN section 7)."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from io import BytesIO
from typing import Any

import xlsxwriter

from models.projects import SubsidyProject
from policies.definitions import Definition, parse
from policies.formulas import program_of
from policies.formulas.fields import properties, required, title_of
from policies.identities import half_width

MOST_LIST, OFFERED_ROWS = 255, 5000
"""A drop-down holds at most 255 characters; it is offered for so many rows."""
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
    own: str = ""
    """The name of the project's own field that the column holds."""
    choices: tuple[str, ...] = ()
    """What the column's drop-down offers."""
    told: str = ""
    """What a note at the header says."""

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

OWN = "own_"
"""How the names of the project's own columns begin."""
TEMPLATES = {template.code: template for template in (LAND, GENERIC)}


def template_of(definition: Definition) -> Template:
    """Return the template of a project's rosters: the kind's columns, then the project's own. （第十六条）"""
    base = TEMPLATES.get(definition.sheet_kind, GENERIC)
    needed = required(definition)
    own = tuple(_own_field(name, spec, name in needed) for name, spec in properties(definition).items())
    if not own:
        return base
    fields = [replace(one, required=one.required and _asked(one, definition)) for one in base.fields]
    place = fields.index(next(one for one in fields if one.name == "amount"))
    return Template(base.code, base.title, (*fields[:place], *own, *fields[place:]))


def _asked(field: Field, definition: Definition) -> bool:
    """Tell whether a required column is one that the project's formula reads."""
    return field.name not in ("quantity", "standard") or field.name in program_of(definition).names


def _own_field(name: str, spec: Mapping[str, Any], needed: bool) -> Field:
    unit = spec.get("x-unit", "")
    title = f"{title_of(name, spec)}({unit})" if unit else title_of(name, spec)
    choices = ("是", "否") if spec.get("type") == "boolean" else tuple(map(str, spec.get("enum", ())))
    number = spec.get("type") in ("number", "integer")
    return Field(OWN + name, title, needed, (title_of(name, spec),), width=max(12, 2 * len(title) + 2), number=number,
                 own=name, choices=choices, told=_told(spec, needed))  # fmt: skip


KINDS = {"number": "小数", "integer": "整数", "boolean": "是或否", "string": "文字"}
LIMITS = {"minimum": "不小于", "maximum": "不大于", "exclusiveMinimum": "大于", "exclusiveMaximum": "小于"}


def _told(spec: Mapping[str, Any], needed: bool) -> str:
    kind = "日期，如 2026-05-01" if spec.get("format") == "date" else KINDS[str(spec.get("type", "string"))]
    limits = [f"{words} {spec[key]}" for key, words in LIMITS.items() if key in spec]
    words = ["必填" if needed else "选填", kind, *limits, str(spec.get("description", ""))]
    return "；".join(word for word in words if word)


def write_template(project: SubsidyProject) -> bytes:
    """Return an empty workbook to fill in, with the headers of the project's rosters."""
    return write_sheet(template_of(parse(project.definition)), f"{project.name}发放清册", ())


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
    _offer_choices(sheet, template, 4 if any(field.group for field in template.fields) else 3)
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


def _offer_choices(sheet: Any, template: Template, first: int) -> None:
    """Give columns with fixed values a drop-down, and the project's own columns a note."""
    for column, field in enumerate(template.fields):
        if field.choices and len(",".join(field.choices)) <= MOST_LIST:
            offered = {"validate": "list", "source": list(field.choices), "error_title": "不在选项内"}
            sheet.data_validation(first, column, first + OFFERED_ROWS, column, offered)
        if field.told:
            sheet.write_comment(first - 1, column, field.told)


def _write_total(sheet: Any, template: Template, row: int, sums: Mapping[str, Any], head: Any) -> None:
    names = [field.name for field in template.fields]
    sheet.write_string(row, 0, "合计", head)
    for name, value in sums.items():
        sheet.write_number(row, names.index(name), value, head)
    sheet.write_string(row + 1, 0, "制表人：        审核人：        负责人签字：        （盖章）")
