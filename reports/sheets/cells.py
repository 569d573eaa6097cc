"""Cells to values, a whole column at a time: text, exact decimals as integers, identity and account numbers."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np

from policies.identities import CARD_LENGTHS, half_width, id_problems, luhn_valid, normalise_id

AMOUNT_PLACES, AREA_PLACES, STANDARD_PLACES = 2, 3, 4
LARGEST = 900_000
"""Larger numbers are refused; quantity × standard in their units then fits 64 bits."""
LARGEST_TOTAL = LARGEST * 200_000
"""The same for the 合计 of a whole sheet."""

BLANK, NOT_NUMBER, NEGATIVE, ZERO, TOO_LARGE = "未填写", "不是数字", "为负数", "为零", "数值过大"

_PLAIN = re.compile(r"[+-]?(\d+|\d{1,3}(,\d{3})+)(\.\d+)?")
_AROUND = re.compile(r"^[¥￥\s]+|[\s元亩]+$")


class NumberWrong(ValueError):
    """The cell holds no number that may stand there; the message says why."""


@dataclass
class Column:
    """One parsed column: values by place, and what is wrong or noteworthy by place."""

    values: list[Any]
    problems: dict[int, str] = field(default_factory=dict)
    notes: dict[int, str] = field(default_factory=dict)


def text_of(value: Any) -> str:
    """Return a cell as text: whole numbers without .0, without control characters."""
    if type(value) is str:
        text = value.strip()
        return text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text).strip()
    if type(value) is float and value.is_integer():
        return str(int(value))
    return str(value)


def texts(values: Sequence[Any]) -> list[str]:
    """Return a column as texts."""
    return [text_of(value) for value in values]


def too_many_places(places: int) -> str:
    """Return the message for more decimals than allowed."""
    return f"超过 {places} 位小数"


def scaled(value: Any, places: int, largest: float = LARGEST) -> int:
    """Return a positive number times 10**places, exactly. Raises NumberWrong.

    A cell's number counts with its first 15 digits, as spreadsheets do; text that is plainly a number counts.
    """
    if type(value) is bool or not isinstance(value, (int, float, str)):
        raise NumberWrong(NOT_NUMBER)
    number = _decimal(value)
    if number == 0:
        raise NumberWrong(ZERO)
    if number < 0:
        raise NumberWrong(NEGATIVE)
    if number > largest:
        raise NumberWrong(TOO_LARGE)
    units = number.scaleb(places)
    if units != units.to_integral_value():
        raise NumberWrong(too_many_places(places))
    return int(units)


def _decimal(value: float | str) -> Decimal:
    if isinstance(value, str):
        text = _AROUND.sub("", half_width(value))
        if not text:
            raise NumberWrong(BLANK)
        if not (text.isascii() and _PLAIN.fullmatch(text)):
            raise NumberWrong(NOT_NUMBER)
        return Decimal(text.replace(",", ""))
    return Decimal(f"{value:.15g}")


def numbers(values: Sequence[Any], places: int) -> Column:
    """Return a column of positive numbers times 10**places; what isn't one is 0 with its problem.

    Ordinary cells are computed together; only the odd ones go through `scaled` one by one.
    """
    floats = np.array(
        [value if type(value) is float and 0 < value <= LARGEST else 0.0 for value in values], dtype=np.float64
    )
    factor = 10.0**places
    units = np.rint(floats * factor)
    plain = (floats > 0) & (np.abs(floats - units / factor) <= floats * 4e-16)
    column = Column(np.where(plain, units, 0).astype(np.int64).tolist())
    for place in np.flatnonzero(~plain).tolist():
        value = values[place]
        try:
            column.values[place] = scaled(value, places)
            if isinstance(value, str):
                column.notes[place] = "文本形式的数字，已按数字读取"
        except NumberWrong as wrong:
            column.problems[place] = str(wrong)
    return column


def identities(values: Sequence[Any]) -> Column:
    """Return a column of normalised identity numbers with their problems."""
    column = Column([value if type(value) is str and len(value) == 18 else text_of(value) for value in values])
    for place, text in enumerate(column.values):
        if text.isascii() and len(text) == 18 and text.isalnum() and not text.endswith("x"):
            continue
        number = normalise_id(text)
        if number != text:
            column.values[place] = number
            column.notes[place] = _id_note(text, number)
    for place, problem in id_problems(column.values).items():
        column.problems[place] = f"身份证号{problem}" if column.values[place] else BLANK
    for place, value in enumerate(values):
        if type(value) is float and value >= 1e15:
            column.problems[place] = "身份证号以数字形式保存，末尾几位已丢失"
    return column


def _id_note(text: str, number: str) -> str:
    if len(number) != len(text):
        return "15 位旧身份证号已升为 18 位" if len(text) == 15 else "身份证号中的空格已去除"
    return "身份证号中的全角字符或小写 x 已规范"


def accounts(values: Sequence[Any]) -> Column:
    """Return a column of account numbers: blank stays blank, 16–19 digits, a Luhn miss is a note."""
    column = Column(texts(values))
    for place, text in enumerate(column.values):
        if text.isascii() and text.isdigit():
            continue
        number = re.sub(r"[\s-]+", "", half_width(text))
        if number != text:
            column.values[place] = number
            column.notes[place] = "账号中的全角字符或空格已规范"
    lengths = {len(number) for number in column.values}
    if not lengths <= {0, *CARD_LENGTHS} or not all(map(str.isdigit, filter(None, column.values))):
        for place, number in enumerate(column.values):
            if number and not (number.isascii() and number.isdigit() and len(number) in CARD_LENGTHS):
                column.problems[place] = "账号不是 16–19 位数字"
    for place, value in enumerate(values):
        if type(value) is float and value >= 1e15:
            column.problems[place] = "账号以数字形式保存，末尾几位已丢失"
    for place in _luhn_misses(column.values):
        if place not in column.problems:
            column.notes.setdefault(place, "账号未通过银行卡校验，可能是存折账号，请核对")
    return column


def _luhn_misses(numbers_: Sequence[str]) -> list[int]:
    """Return the places of numbers that fail the Luhn check, all at once."""
    width = max(CARD_LENGTHS)
    plain = all(len(number) <= width and (not number or (number.isascii() and number.isdigit())) for number in numbers_)
    if not plain:
        return [place for place, number in enumerate(numbers_) if number and not luhn_valid(number)]
    if not numbers_:
        return []
    codes = np.frombuffer("".join([number.zfill(width) for number in numbers_]).encode(), dtype=np.uint8)
    digits = codes.reshape(-1, width).astype(np.int64) - ord("0")
    doubled = digits[:, width - 2 :: -2] * 2
    doubled -= np.where(doubled > 9, 9, 0)
    sums = digits[:, width - 1 :: -2].sum(axis=1) + doubled.sum(axis=1)
    return [int(place) for place in np.flatnonzero(sums % 10)]


def expected_fen(quantity_milli: Sequence[int], standard_units: Sequence[int]) -> list[int]:
    """Return quantity × standard rounded half up to the fen, in integers throughout.

    quantity_milli: thousandths; standard_units: ten-thousandths of a yuan.
    """
    product = np.array(quantity_milli, dtype=np.int64) * np.array(standard_units, dtype=np.int64)
    result: list[int] = ((product + 50_000) // 100_000).tolist()
    return result
