"""A project's own fields as an application fills them: read, refused with their place, put together into a component.

（第十三、十四条） The fields are the JSON Schema of the project's definition; the amount is its formula's.
"""

import re
from collections.abc import Mapping
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from policies.definitions import Definition
from policies.refusals import Refused

LONG_NUMBER = re.compile(r"\d{11}")
LONGEST = 200


class ValueWrong(Refused):
    """项目字段“{field}”{problem}；{remedy}。"""

    status_code = 400


class AmountNotPositive(Refused):
    """按项目公式计算的金额不大于零，不能受理；请核对数量、补贴标准和项目字段。"""

    status_code = 400


def properties(definition: Definition) -> Mapping[str, Mapping[str, Any]]:
    """Return the project's own fields by their names."""
    found: Mapping[str, Mapping[str, Any]] = definition.fields.get("properties", {})
    return found


def title_of(name: str, spec: Mapping[str, Any]) -> str:
    """Return how officers name a field."""
    return str(spec.get("title") or name)


def shown_value(value: Any) -> str:
    """Return a field's value as people read it."""
    return {True: "是", False: "否"}[value] if isinstance(value, bool) else str(value)


def read_values(definition: Definition, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields' values as they are kept. Raises ValueWrong naming the field, the mistake and the remedy."""
    known, required = properties(definition), set(definition.fields.get("required", ()))
    for name in given:
        if name not in known:
            raise ValueWrong(field=name, problem="不是本项目的字段", remedy="请删去")
    values: dict[str, Any] = {}
    for name, spec in known.items():
        value = given.get(name)
        if value is None or value == "":
            if name in required:
                raise ValueWrong(field=title_of(name, spec), problem="没有填写", remedy="请补充后提交")
            continue
        values[name] = _value(title_of(name, spec), spec, value)
    return values


def _value(title: str, spec: Mapping[str, Any], value: Any) -> Any:
    choices = spec.get("enum")
    if choices is not None:
        chosen = next((choice for choice in choices if str(choice) == str(value)), None)
        if chosen is None:
            raise ValueWrong(field=title, problem="不在可选的范围内", remedy="请从列表中选择")
        return chosen
    kind = spec.get("type", "string")
    if kind == "boolean":
        return _truth(title, value)
    if kind in ("number", "integer"):
        return _number(title, spec, value, whole=kind == "integer")
    return _text(title, spec, value)


def _truth(title: str, value: Any) -> bool:
    if str(value) not in ("True", "true", "yes", "是", "False", "false", "no", "否"):
        raise ValueWrong(field=title, problem="须为是或否", remedy="请重新选择")
    return str(value) in ("True", "true", "yes", "是")


def _number(title: str, spec: Mapping[str, Any], value: Any, *, whole: bool) -> int | str:
    """Return a whole number as it is, any other as text: a float would not be the number that was written."""
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation as wrong:
        raise ValueWrong(field=title, problem="不是数字", remedy="请填写数字") from wrong
    if not number.is_finite() or abs(number) >= Decimal(10) ** 12:
        raise ValueWrong(field=title, problem="不在允许范围内", remedy="请核对后填写")
    if whole and number != number.to_integral_value():
        raise ValueWrong(field=title, problem="须为整数", remedy="请填写整数")
    low, high = spec.get("minimum"), spec.get("maximum")
    if (low is not None and number < Decimal(str(low))) or (high is not None and number > Decimal(str(high))):
        span = f"{'' if low is None else low} 至 {'' if high is None else high}"
        raise ValueWrong(field=title, problem=f"不在 {span} 之间", remedy="请核对后填写")
    return int(number) if whole else f"{number.normalize():f}"


def _text(title: str, spec: Mapping[str, Any], value: Any) -> str:
    text = str(value).strip()
    if LONG_NUMBER.search(text):
        raise ValueWrong(
            field=title, problem="含有像证件号码、账号或手机号的长数字", remedy="项目字段不保存个人信息，请删去"
        )
    if len(text) > int(spec.get("maxLength", LONGEST)):
        raise ValueWrong(field=title, problem=f"超过 {spec.get('maxLength', LONGEST)} 个字", remedy="请缩短后提交")
    if spec.get("format") == "date":
        try:
            date.fromisoformat(text)
        except ValueError as wrong:
            raise ValueWrong(field=title, problem="不是有效的日期", remedy="请按 2024-05-01 的格式填写") from wrong
    if spec.get("pattern") and not re.fullmatch(str(spec["pattern"]), text):
        raise ValueWrong(field=title, problem="的格式不正确", remedy=str(spec.get("description") or "请按要求填写"))
    return text


def component_of(definition: Definition, values: Mapping[str, Any]) -> str:
    """Return what tells one entitlement of a person from another: the fields that the project names. （DESIGN D6）"""
    return "|".join(str(values.get(name, "")) for name in definition.component)


def expected_fen(definition: Definition, quantity: Decimal, standard: Decimal, values: Mapping[str, Any]) -> int:
    """Return the amount by the project's formula, half up to the fen. Raises AmountNotPositive."""
    amount = int((quantity * standard * 100).quantize(Decimal(1), ROUND_HALF_UP))
    if amount <= 0:
        raise AmountNotPositive
    return amount


AMOUNT_SQL = "cast(round(f.quantity * f.standard * 100) as bigint)"
"""The same amount as PostgreSQL computes it, of a row `f` with quantity, standard and the fields in `extra`."""
