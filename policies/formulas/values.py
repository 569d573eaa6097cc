"""What stands in a cell or a form for one of the project's own fields: the value as it is kept, or what is wrong.

（第十六条） Decimals are kept as text: a float would not be the number that was written.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from policies.definitions import Definition
from policies.formulas.fields import LONGEST_TEXT, day_of, decimal_of

LONG_NUMBER = re.compile(r"\d{11}")
TRUE, FALSE = frozenset(("是", "true", "yes", "1", "√", "有")), frozenset(("否", "false", "no", "0", "×", "无"))
LIMITS: dict[str, tuple[Callable[[Decimal, Decimal], bool], str]] = {
    "minimum": (lambda number, bound: number >= bound, "不小于"),
    "maximum": (lambda number, bound: number <= bound, "不大于"),
    "exclusiveMinimum": (lambda number, bound: number > bound, "大于"),
    "exclusiveMaximum": (lambda number, bound: number < bound, "小于"),
    "multipleOf": (lambda number, bound: number % bound == 0, "整倍于"),
}
Read = tuple[Any, str, str]
"""The value, or what is wrong and the remedy."""


def read_value(spec: Mapping[str, Any], given: Any) -> Read:
    """Return a field's value as it is kept, or the problem and its remedy; an empty one is None without a problem."""
    text = _text_of(given)
    if not text:
        return None, "", ""
    match spec.get("type"):
        case "boolean":
            return _truth(text)
        case "number" | "integer":
            return _number(spec, text)
    if spec.get("format") == "date":
        day = day_of(given.date() if isinstance(given, datetime) else text.replace("/", "-"))
        return (day.isoformat(), "", "") if day else (None, f"“{text[:20]}”不是日期", "请按 2026-05-01 的格式填写")
    if "enum" in spec:
        options = [str(one) for one in spec["enum"]]
        shown = "、".join(options[:10]) + ("…" if len(options) > 10 else "")
        return (text, "", "") if text in options else (None, f"“{text[:20]}”不在选项内", f"请从 {shown} 中选择")
    return _text(spec, text)


def _text_of(given: Any) -> str:
    if given is None:
        return ""
    if isinstance(given, bool):
        return "是" if given else "否"
    if isinstance(given, float):
        return f"{Decimal(repr(given)).normalize():f}"
    if isinstance(given, date):
        return given.isoformat()[:10]
    return str(given).strip()


def _truth(text: str) -> Read:
    word = text.lower()
    if word in TRUE or word in FALSE:
        return word in TRUE, "", ""
    return None, f"“{text[:20]}”不是“是”或“否”", "请填是或否"


def _number(spec: Mapping[str, Any], text: str) -> Read:
    number = decimal_of(text.replace(",", ""))
    if number is None:
        return None, f"“{text[:20]}”不是最多 6 位小数的数字", "请填写数字"
    whole = spec["type"] == "integer"
    if whole and number != number.to_integral_value():
        return None, f"“{text[:20]}”不是整数", "请填写整数"
    for key, (fits, words) in LIMITS.items():
        bound = decimal_of(spec[key]) if key in spec else None
        if bound is not None and not fits(number, bound):
            return None, f"{text[:20]} 超出范围", f"应{words} {bound.normalize():f}，请核对"
    return (int(number) if whole else f"{number.normalize():f}"), "", ""


def _text(spec: Mapping[str, Any], text: str) -> Read:
    if LONG_NUMBER.search(text):
        return None, "含有像证件、账号或手机的长数字", "项目字段不保存个人信息，请删去（第三十条）"
    low, high = int(spec.get("minLength", 0)), int(spec.get("maxLength", LONGEST_TEXT))
    if not low <= len(text) <= high:
        return None, f"有 {len(text)} 个字", f"应为 {low} 至 {high} 个字，请更正"
    if spec.get("pattern") and not re.fullmatch(str(spec["pattern"]), text):
        return None, f"“{text[:20]}”格式不正确", str(spec.get("description") or "请按要求的格式填写")
    return text, "", ""


def shown(spec: Mapping[str, Any], value: Any) -> str:
    """Return a kept value as officers and notices read it."""
    if value in (None, ""):
        return ""
    if spec.get("type") == "boolean":
        return "是" if value else "否"
    return f"{value}{spec.get('x-unit', '')}"


def component_of(definition: Definition, values: Mapping[str, Any]) -> str:
    """Return what tells one entitlement of a person from another: the fields that the project names (DESIGN D6)."""
    words = (values.get(name, "") for name in definition.component)
    return "|".join(("是" if word else "否") if isinstance(word, bool) else str(word) for word in words)
