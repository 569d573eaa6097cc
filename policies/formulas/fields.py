"""A project's own fields: the part of JSON Schema (2020-12) that form, sheet and formula can carry. （第十六条）

A field holds no personal data: numbers of people, cards and telephones have fixed, encrypted columns. （第三十条）
"""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from policies.definitions import Definition, Publicness, Rounding
from policies.refusals import Refused

NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")
FIXED = ("name", "id_number", "village", "quantity", "standard", "amount")
"""What every line has; a notice may show, mask or hide it."""
FIXED_TITLES = frozenset((
    "序号", "排序序号", "户主姓名", "户主", "户主身份证号", "收款人姓名", "收款人", "收款人身份证号", "银行账号",
    "社会保障卡号", "开户银行", "村(居)委会", "嘎查村", "村(居)民小组", "小组", "享受人", "姓名", "享受人身份证号",
    "身份证号", "联系电话", "手机号", "数量", "补贴标准", "标准", "补贴金额", "金额", "填报日期", "构成", "备注",
))  # fmt: skip
"""Columns that every roster has."""
PERSONAL = re.compile(r"身份证|证件号|银行卡|卡号|账号|手机|电话|社保号|护照")
PERSONAL_FORMATS = frozenset(("id-number", "phone", "card", "email", "idn-email"))
KEYS = frozenset((
    "type", "title", "description", "enum", "format", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
    "multipleOf", "minLength", "maxLength", "pattern", "x-unit", "x-public", "x-order",
))  # fmt: skip
TYPES = ("string", "number", "integer", "boolean")
TOP_KEYS = frozenset(("type", "properties", "required", "title", "description", "$schema", "additionalProperties"))
BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
MOST_FIELDS, MOST_OPTIONS, LONGEST_TEXT, MOST_PLACES = 30, 50, 200, 6


class FieldsWrong(Refused):
    """项目字段{which}：{problem}；{remedy}。"""

    status_code = 400


def check_fields(definition: Definition) -> None:
    """Tell the first mistake in the fields, the component and what is public. Raises FieldsWrong."""
    schema = definition.fields
    own = properties(definition)
    if schema:
        _check_top(schema)
    titles: set[str] = set()
    for row, (name, spec) in enumerate(own.items(), 1):
        _check_field(row, name, spec, titles)
    for name in schema.get("required", ()):
        if name not in own:
            raise _wrong("fields", "", f"必填字段“{name}”没有定义", "请增加该字段，或取消必填")
    for name in definition.component:
        if name not in own:
            raise _wrong("component", "", f"构成字段“{name}”没有定义", "请从项目字段中选择")
    if definition.rounding == Rounding.COMPONENT and not definition.component:
        raise _wrong("rounding", "", "按构成舍入须先选择构成字段", "请选择构成字段，或改为按明细舍入")
    for name in definition.public:
        if name not in own and name not in FIXED:
            raise _wrong(f"public.{name}", "", f"公开范围中的“{name}”没有定义", "请删去该项")


def properties(definition: Definition) -> Mapping[str, Mapping[str, Any]]:
    """Return the project's own fields by their names, in the order in which they were written."""
    found = definition.fields.get("properties", {})
    return dict(sorted(found.items(), key=_place)) if isinstance(found, Mapping) else {}


def _place(named: tuple[str, Any]) -> int:
    order = named[1].get("x-order") if isinstance(named[1], Mapping) else None
    return order if isinstance(order, int) else MOST_FIELDS


def required(definition: Definition) -> frozenset[str]:
    """Return the names of the fields that every line must fill."""
    return frozenset(definition.fields.get("required", ()))


def title_of(name: str, spec: Mapping[str, Any]) -> str:
    """Return how officers name a field."""
    return str(spec.get("title") or name)


def publicness_of(definition: Definition, name: str) -> Publicness:
    """Return how a notice shows one of the project's own fields: hidden unless the project says so. （第十五条）"""
    said = definition.public.get(name) or properties(definition).get(name, {}).get("x-public")
    return Publicness(said) if said else Publicness.HIDDEN


def _wrong(place: str, which: str, problem: str, remedy: str) -> FieldsWrong:
    return FieldsWrong(place=place, which=which, problem=problem, remedy=remedy)


def _check_top(schema: Mapping[str, Any]) -> None:
    strange = sorted(set(schema) - TOP_KEYS)
    if strange:
        raise _wrong("fields", "", f"不支持“{strange[0]}”", "请删去该项")
    if schema.get("type", "object") != "object" or not isinstance(schema.get("properties", {}), Mapping):
        raise _wrong("fields", "", "最外层须是 object，字段写在 properties 中", "请更正结构")
    if not isinstance(schema.get("required", []), list):
        raise _wrong("fields", "", "required 须是字段名的列表", "请更正结构")
    if len(schema.get("properties", {})) > MOST_FIELDS:
        raise _wrong("fields", "", f"字段超过 {MOST_FIELDS} 个", "请只保留审核和计算需要的字段")


def _check_field(row: int, name: str, spec: Any, titles: set[str]) -> None:
    def wrong(column: str, problem: str, remedy: str) -> FieldsWrong:
        title = spec.get("title") if isinstance(spec, Mapping) else None
        return _wrong(f"fields.{row}.{column}", f"第 {row} 行（{title or name}）", problem, remedy)

    if not NAME.fullmatch(name) or name in FIXED:
        raise wrong("name", f"字段名“{name}”不合规", "请用小写字母开头的字母、数字和下划线，且不与固定列同名")
    if not isinstance(spec, Mapping):
        raise wrong("type", "不是字段定义", "请更正结构")
    strange = sorted(set(spec) - KEYS)
    if strange:
        raise wrong("type", f"不支持“{strange[0]}”", "请删去该项")
    title = str(spec.get("title", "")).strip()
    if not title or len(title) > 20:
        raise wrong("title", "没有中文标题，或标题超过 20 个字", "请填写标题，它就是清册的列名")
    if title in titles or title in FIXED_TITLES:
        raise wrong("title", f"标题“{title}”与其他字段或清册的固定列相同", "请改用别的标题")
    titles.add(title)
    if PERSONAL.search(title) or spec.get("format") in PERSONAL_FORMATS:
        raise wrong("title", "像是证件、账号或电话号码", "个人敏感信息已有加密的固定列，请删去该字段（第三十条）")
    if spec.get("type") not in TYPES:
        raise wrong("type", f"类型“{spec.get('type')}”不支持", f"请选择 {'、'.join(TYPES)} 之一")
    if (public := spec.get("x-public")) is not None and public not in tuple(Publicness):
        raise wrong("publicness", f"公开范围“{public}”不支持", "请选择公开、脱敏公开或不公开")
    _check_text(spec, wrong) if spec["type"] == "string" else _check_number(spec, wrong)


def _check_text(spec: Mapping[str, Any], wrong: Any) -> None:
    if any(key in spec for key in BOUNDS):
        raise wrong("minimum", "文字没有最小、最大值", "请删去，或改为数字类型")
    options = spec.get("enum")
    if options is not None and not _distinct_texts(options):
        raise wrong("options", f"选项须是 1 至 {MOST_OPTIONS} 个互不相同的文字", "请更正选项")
    if spec.get("format") not in (None, "date"):
        raise wrong("type", f"格式“{spec['format']}”不支持", "文字的格式只支持 date（日期）")
    low, high = spec.get("minLength", 0), spec.get("maxLength", LONGEST_TEXT)
    if not (type(low) is int and type(high) is int and 0 <= low <= high <= LONGEST_TEXT):
        raise wrong("maximum", "文字长度的范围不正确", f"请填 0 至 {LONGEST_TEXT} 的整数，且最短不超过最长")
    if "pattern" in spec:
        try:
            re.compile(str(spec["pattern"]))
        except re.error as mistake:
            raise wrong("options", f"格式规则在第 {(mistake.pos or 0) + 1} 个字符处有误", "请更正格式规则") from mistake


def _distinct_texts(options: Any) -> bool:
    return (
        isinstance(options, list)
        and 1 <= len(options) <= MOST_OPTIONS
        and all(isinstance(one, str) and one.strip() == one and 0 < len(one) <= 30 for one in options)
        and len(set(options)) == len(options)
    )


def _check_number(spec: Mapping[str, Any], wrong: Any) -> None:
    if any(key in spec for key in ("enum", "format", "pattern", "minLength", "maxLength")):
        raise wrong("options", "数字和是否没有选项、格式和长度", "请删去，或改为文字类型")
    if spec["type"] == "boolean":
        if any(key in spec for key in BOUNDS):
            raise wrong("minimum", "“是否”没有最小、最大值", "请删去")
        return
    bounds = dict(_bounds(spec, wrong))
    low = bounds.get("minimum", bounds.get("exclusiveMinimum"))
    high = bounds.get("maximum", bounds.get("exclusiveMaximum"))
    if low is not None and high is not None and low > high:
        raise wrong("minimum", f"最小值 {low} 大于最大值 {high}", "请更正范围")
    if bounds.get("multipleOf", Decimal(1)) <= 0:
        raise wrong("minimum", "步长须大于零", "请更正")


def _bounds(spec: Mapping[str, Any], wrong: Any) -> Iterator[tuple[str, Decimal]]:
    for key in BOUNDS:
        if key in spec:
            value = decimal_of(spec[key])
            if value is None:
                raise wrong("minimum" if "inimum" in key else "maximum", f"{key} 不是最多 6 位小数的数字", "请更正")
            yield key, value


def decimal_of(value: Any) -> Decimal | None:
    """Return a JSON or typed number exactly, with at most six decimals; None when it is none."""
    if isinstance(value, bool):
        return None
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    if not number.is_finite() or abs(number) >= Decimal(10) ** 12:
        return None
    return number if number == round(number, MOST_PLACES) else None


def day_of(value: Any) -> date | None:
    """Return a day as forms and sheets write it; None when it is none."""
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value).strip())
    except ValueError:
        return None
