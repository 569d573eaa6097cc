"""What a person's fields must look like: name, number, telephone, codes; pure checks with their refusals. （第十一条）

A refusal names the field and the remedy, never the value: refusals are kept, and are no place for personal data.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from policies.codes import ETHNICITIES, HEAD, RELATIONS, SELF
from policies.identities import birth_date, half_width, id_problem, normalise_id, sex_of
from policies.refusals import Refused

NAME_LENGTH = 60
FIRST_SUPPLEMENTARY = 0x20000
"""Ideographs beyond this may be newer than the character tables of this program: they are kept as given."""
MOBILE = re.compile(r"1[3-9]\d{9}")
LANDLINE = re.compile(r"0\d{2,3}\d{7,8}")
DOTS = frozenset("·・•．‧∙⋅●˙ 　")
THOUSANDTHS = 3


class FieldWrong(Refused):
    """“{field}”{problem}；{remedy}（第十一条）。"""

    status_code = 400


def a_name(text: str, field: str = "姓名") -> str:
    """Return a name as given, without the blanks around it. Raises FieldWrong."""
    name = text.strip()
    if not name:
        raise FieldWrong(field=field, problem="没有填写", remedy="请按户口簿或身份证填写")
    if len(name) > NAME_LENGTH:
        raise FieldWrong(field=field, problem=f"超过 {NAME_LENGTH} 个字", remedy="请核对是否误填了其他内容")
    if not all(_of_a_name(letter) for letter in name) or all(letter in DOTS for letter in name):
        remedy = "请按身份证填写，只用汉字、字母和间隔号“·”；自造字请换用规范字"
        raise FieldWrong(field=field, problem="含有姓名中不会出现的字符", remedy=remedy)
    return name


def _of_a_name(letter: str) -> bool:
    return letter in DOTS or unicodedata.category(letter)[0] in "LM" or ord(letter) >= FIRST_SUPPLEMENTARY


@dataclass(frozen=True)
class Numbered:
    """A valid identity number and what it states."""

    number: str
    birth_date: date
    sex: str


def a_number(text: str, today: date, field: str = "身份证号") -> Numbered:
    """Return an identity number as stored: 18 characters, X upper case, 15 digits upgraded. Raises FieldWrong."""
    number = normalise_id(text)
    if not number:
        raise FieldWrong(field=field, problem="没有填写", remedy="请按身份证或户口簿填写 18 位号码")
    problem = id_problem(number)
    if problem:
        raise FieldWrong(field=field, problem=problem, remedy="请对照身份证逐位核对后重新填写")
    born = birth_date(number)
    if born > today:
        raise FieldWrong(field=field, problem="中的出生日期晚于今天", remedy="请对照身份证逐位核对后重新填写")
    return Numbered(number, born, sex_of(number))


def a_phone(text: str | None, field: str = "手机号") -> str | None:
    """Return a telephone number without blanks and hyphens; None when it is empty. Raises FieldWrong."""
    number = re.sub(r"[\s\-()]", "", half_width(text or ""))
    number = number.removeprefix("+86") if number.startswith("+86") else number
    if not number:
        return None
    if not (MOBILE.fullmatch(number) or LANDLINE.fullmatch(number)):
        raise FieldWrong(field=field, problem="不是 11 位手机号或带区号的固定电话", remedy="请核对后重新填写")
    return number


def a_relation(code: str, field: str = "与户主关系") -> str:
    """Return the relation of somebody who isn't the head, by GB/T 4761. Raises FieldWrong."""
    if code in (HEAD, SELF):
        remedy = "请按户口簿选择；要改由其担任户主的，办理“变更户主”"
        raise FieldWrong(field=field, problem="不能填本人或户主", remedy=remedy)
    if code not in RELATIONS:
        raise FieldWrong(field=field, problem="不是 GB/T 4761 中的代码", remedy="请从列表中选择")
    return code


def an_ethnicity(code: str, field: str = "民族") -> str:
    """Return an ethnicity by GB/T 3304. Raises FieldWrong."""
    if code not in ETHNICITIES:
        raise FieldWrong(field=field, problem="不是 GB/T 3304 中的代码", remedy="请从列表中选择")
    return code


def a_day(value: Any, field: str) -> date:
    """Return a date. Raises FieldWrong."""
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value or ""))
    except ValueError as wrong:
        raise FieldWrong(field=field, problem="不是有效的日期", remedy="请按 2024-05-01 的格式填写") from wrong


def a_quantity(value: Any, field: str = "数量") -> Decimal:
    """Return a positive quantity of at most three decimals. Raises FieldWrong."""
    try:
        quantity = Decimal(str(value).strip() or "x")
    except InvalidOperation as wrong:
        raise FieldWrong(field=field, problem="不是数字", remedy="请填写大于零的数，最多三位小数") from wrong
    exponent = quantity.as_tuple().exponent
    if not (quantity.is_finite() and 0 < quantity < Decimal(10) ** 10) or not isinstance(exponent, int):
        raise FieldWrong(field=field, problem="不在允许范围内", remedy="请填写大于零的数，最多三位小数")
    if exponent < -THOUSANDTHS:
        raise FieldWrong(field=field, problem="超过三位小数", remedy="请四舍五入到三位小数后填写")
    return quantity


def a_text(text: str, field: str, longest: int = 200) -> str:
    """Return a short text without the blanks around it. Raises FieldWrong."""
    found = text.strip()
    if len(found) > longest:
        raise FieldWrong(field=field, problem=f"超过 {longest} 个字", remedy="请缩短后重新填写")
    if any(unicodedata.category(letter) == "Cc" for letter in found):
        raise FieldWrong(field=field, problem="含有控制字符", remedy="请删去换行等不可见字符后重新填写")
    return found
