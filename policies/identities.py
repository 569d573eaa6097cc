"""Identity, card and bank-code numbers, names and masks: pure checks, no database. （第十一、十二、三十条）

GB 11643 is checked whole: length, digits, calendar date, check character. The prefix says where a number was issued,
not where its holder lives, so it is not compared with divisions.
"""

import re
import unicodedata
from collections.abc import Sequence
from datetime import date
from functools import lru_cache

import numpy as np

ID_LENGTH = 18
LEGACY_ID_LENGTH = 15
ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
ID_CHECKS = "10X98765432"
CNAPS_LENGTH = 12
CARD_LENGTHS = range(16, 20)

LENGTH_WRONG = "长度不是 18 位"
CHARACTER_WRONG = "含有数字和末位 X 以外的字符"
DATE_WRONG = "出生日期不存在"
CHECK_WRONG = "校验位不正确"

_DOTS = dict.fromkeys(map(ord, "・•．‧∙⋅‐●˙"), "·")
_LONG_NUMBERS = re.compile(r"(?<![0-9A-Za-z])\d{11,18}[0-9Xx]?(?![0-9A-Za-z])")
_SPACES = re.compile(r"[\s\u3000\u200b\ufeff]+")
_DAYS_IN_MONTH = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], dtype=np.int64)


class IdentityWrong(ValueError):
    """The number is no valid identity number; the message says which part is wrong, never the number."""


def half_width(text: str) -> str:
    """Return the text with full-width digits, letters and punctuation as half-width ones."""
    return text if text.isascii() else unicodedata.normalize("NFKC", text)


def normalise_id(text: str) -> str:
    """Return an identity number as stored: half-width, without spaces or hyphens, X upper case, 18 characters.

    A 15-digit number of the old kind is upgraded by inserting 19 and its check character.
    """
    number = _SPACES.sub("", half_width(text)).replace("-", "").upper()
    if len(number) == LEGACY_ID_LENGTH and number.isascii() and number.isdigit():
        return upgrade_id(number)
    return number


def upgrade_id(legacy: str) -> str:
    """Return the 18-character form of a 15-digit number."""
    body = legacy[:6] + "19" + legacy[6:]
    return body + id_check(body)


def id_check(body: str) -> str:
    """Return the check character of the first 17 digits."""
    return ID_CHECKS[sum(weight * int(digit) for weight, digit in zip(ID_WEIGHTS, body, strict=True)) % 11]


def id_problem(number: str) -> str:
    """Return what is wrong with a normalised identity number, in Chinese; '' when nothing is."""
    if len(number) != ID_LENGTH:
        return LENGTH_WRONG
    body, last = number[:17], number[17]
    if not (body.isascii() and body.isdigit() and last in ID_CHECKS):
        return CHARACTER_WRONG
    try:
        born = date(int(body[6:10]), int(body[10:12]), int(body[12:14]))
    except ValueError:
        return DATE_WRONG
    if born.year < 1850:
        return DATE_WRONG
    return "" if id_check(body) == last else CHECK_WRONG


def is_valid_id(number: str) -> bool:
    """Tell whether a normalised identity number is valid."""
    return not id_problem(number)


def id_problems(numbers: Sequence[str]) -> dict[int, str]:
    """Return what is wrong with normalised identity numbers, by position; the whole column at once."""
    found: dict[int, str] = {}
    places = []
    for place, number in enumerate(numbers):
        if len(number) == ID_LENGTH and number.isascii():
            places.append(place)
        else:
            found[place] = id_problem(number)
    if places:
        codes = np.frombuffer("".join([numbers[place] for place in places]).encode(), dtype=np.uint8)
        suspects = ~_valid_ids(codes.reshape(-1, ID_LENGTH))
        for row in np.flatnonzero(suspects):
            place = places[row]
            found[place] = id_problem(numbers[place])
    return found


def _valid_ids(codes: np.ndarray) -> np.ndarray:
    digits = codes[:, :17].astype(np.int64) - ord("0")
    numeric = ((digits >= 0) & (digits <= 9)).all(axis=1)
    years = digits[:, 6:10] @ np.array([1000, 100, 10, 1])
    months = digits[:, 10:12] @ np.array([10, 1])
    days = digits[:, 12:14] @ np.array([10, 1])
    leap = ((years % 4 == 0) & (years % 100 != 0)) | (years % 400 == 0)
    month_fits = (months >= 1) & (months <= 12)
    last_days = _DAYS_IN_MONTH[np.where(month_fits, months, 0)] + (leap & (months == 2))
    dated = month_fits & (days >= 1) & (days <= last_days) & (years >= 1850)
    checks = np.frombuffer(ID_CHECKS.encode(), dtype=np.uint8)[(digits @ np.array(ID_WEIGHTS)) % 11]
    result: np.ndarray = numeric & dated & (checks == codes[:, 17])
    return result


def birth_date(number: str) -> date:
    """Return the date of birth that a valid number states. Raises IdentityWrong."""
    problem = id_problem(number)
    if problem:
        raise IdentityWrong(problem)
    return date(int(number[6:10]), int(number[10:12]), int(number[12:14]))


def sex_of(number: str) -> str:
    """Return the sex that a valid number states, by GB/T 2261.1: 1 male, 2 female. Raises IdentityWrong."""
    problem = id_problem(number)
    if problem:
        raise IdentityWrong(problem)
    return "1" if int(number[16]) % 2 else "2"


def luhn_valid(number: str) -> bool:
    """Tell whether a card number passes the Luhn check; passbook accounts may not."""
    return number.isascii() and number.isdigit() and _luhn_sum(number) % 10 == 0


def luhn_digit(body: str) -> str:
    """Return the last digit that makes a card number pass the Luhn check."""
    return str(-_luhn_sum(body + "0") % 10)


_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def _luhn_sum(number: str) -> int:
    digits = [int(digit) for digit in reversed(number)]
    return sum(digits[::2]) + sum(_DOUBLED[digit] for digit in digits[1::2])


def cnaps_valid(code: str) -> bool:
    """Tell whether a 12-digit bank code passes ISO 7064 MOD 11,10; a miss is a hint, not a refusal."""
    return len(code) == CNAPS_LENGTH and code.isascii() and code.isdigit() and cnaps_digit(code[:-1]) == code[-1]


def cnaps_digit(body: str) -> str:
    """Return the check digit of the first 11 digits of a bank code."""
    check = 5
    for digit in body:
        check = ((check or 10) * 2 % 11 + int(digit)) % 10
    return str((1 - (check or 10) * 2 % 11) % 10)


@lru_cache(maxsize=65536)
def name_key(name: str) -> str:
    """Return a name as compared: NFC, one kind of middle dot, no spaces. Names are stored as given."""
    key = _SPACES.sub("", unicodedata.normalize("NFC", name).translate(_DOTS))
    return key if not any("\uff00" < letter < "\uff5f" for letter in key) else unicodedata.normalize("NFKC", key)


def mask_id(number: str, public: bool = False) -> str:
    """Return an identity number as screens show it: 150102********0019, in public 150***********0019."""
    if len(number) < LEGACY_ID_LENGTH:
        return "*" * len(number)
    return number[:3] + "*" * 11 + number[-4:] if public else number[:6] + "*" * 8 + number[-4:]


def mask_card(number: str) -> str:
    """Return a card or account number as shown: 621737*********0014."""
    if len(number) <= 10:
        return "*" * max(len(number) - 4, 0) + number[-4:] if len(number) > 4 else "*" * len(number)
    return number[:6] + "*" * (len(number) - 10) + number[-4:]


def mask_phone(number: str) -> str:
    """Return a telephone number as shown: 138****0001."""
    if len(number) < 8:
        return "*" * len(number)
    return number[:3] + "*" * (len(number) - 7) + number[-4:]


def mask_numbers(text: str) -> str:
    """Return words with every number masked that could name a person: 11 to 19 digits that stand alone."""
    masks = {11: mask_phone, 15: mask_id, 18: mask_id}
    return _LONG_NUMBERS.sub(lambda found: masks.get(len(found[0]), mask_card)(found[0]), text)


def mask_name(name: str) -> str:
    """Return a name as notices show it: 张*, 张*丰, 孛儿只斤·***."""
    family, dot, given = name.partition("·")
    if dot and given:
        return f"{family}·{'*' * len(given)}"
    if len(name) <= 1:
        return "*" * len(name)
    if len(name) == 2:
        return name[0] + "*"
    return name[0] + "*" * (len(name) - 2) + name[-1]
