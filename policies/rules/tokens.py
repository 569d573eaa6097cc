"""Words of a condition. Full-width marks from a Chinese keyboard count as their half-width twins."""

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum, auto

from policies.rules.mistakes import SyntaxMistake
from policies.rules.tree import Value

LONGEST = 2000
MOST_WORDS = 400

# One character for one, so that places stay true.
HALF_WIDTH = str.maketrans("（），＝＞＜＋－＊／％！．　×÷０１２３４５６７８９", "(),=><+-*/%!. */0123456789")
QUOTES = {"'": "'", '"': '"', "‘": "’", "“": "”"}
KEYWORDS = {
    **{word: word for word in ("and", "or", "not", "between", "in", "is", "known", "unknown", "true", "false")},
    "且": "and",
    "或": "or",
    "非": "not",
    "已知": "known",
    "未知": "unknown",
    "真": "true",
    "假": "false",
}
SIGNS = {"≥": ">=", "≤": "<=", "≠": "!=", "<>": "!=", "==": "="}
PATTERN = re.compile(
    r"(?P<space>\s+)"
    r"|(?P<date>\d{4}-\d{2}-\d{2}(?!\d))"
    r"|(?P<number>\d+(?:\.\d+)?%?)"
    r"|(?P<word>[^\W\d]\w*)"
    r"|(?P<sign><=|>=|!=|<>|==|[≥≤≠=<>+\-*/(),])",
)
NUMBER_LIMITS = (15, 6)


class Sort(Enum):
    """What a word is."""

    NAME = auto()
    KEYWORD = auto()
    SIGN = auto()
    LITERAL = auto()
    END = auto()


@dataclass(frozen=True)
class Token:
    """One word with its place."""

    sort: Sort
    text: str
    at: int
    value: Value | None = None


def tokens_of(source: str) -> list[Token]:
    """Cut a condition into words, closed by an END. Raises SyntaxMistake."""
    if len(source) > LONGEST:
        raise SyntaxMistake(source[:80], 0, f"条件太长，最多 {LONGEST} 个字符")
    plain = source.translate(HALF_WIDTH)
    found: list[Token] = []
    at = 0
    while at < len(plain):
        if source[at] in QUOTES:
            token, at = _text(source, at)
            found.append(token)
            continue
        match = PATTERN.match(plain, at)
        if match is None:
            raise SyntaxMistake(source, at, f"不能识别的字符“{source[at]}”")
        if match.lastgroup != "space":
            found.append(_token(source, match))
        at = match.end()
    if len(found) > MOST_WORDS:
        raise SyntaxMistake(source, found[MOST_WORDS].at, f"条件太复杂，最多 {MOST_WORDS} 个词")
    return [*found, Token(Sort.END, "", len(source))]


def _text(source: str, at: int) -> tuple[Token, int]:
    end = source.find(QUOTES[source[at]], at + 1)
    if end < 0:
        raise SyntaxMistake(source, at, "文字的引号没有成对")
    value = source[at + 1 : end]
    if "\x00" in value:
        raise SyntaxMistake(source, at, "文字中有不允许的字符")
    return Token(Sort.LITERAL, source[at : end + 1], at, value), end + 1


def _token(source: str, match: re.Match[str]) -> Token:
    text, at = match.group(), match.start()
    match match.lastgroup:
        case "date":
            return Token(Sort.LITERAL, text, at, _date(source, text, at))
        case "number":
            return Token(Sort.LITERAL, text, at, _number(source, text, at))
        case "word" if text.lower() in KEYWORDS:
            return Token(Sort.KEYWORD, KEYWORDS[text.lower()], at)
        case "word":
            return Token(Sort.NAME, text, at)
    return Token(Sort.SIGN, SIGNS.get(text, text), at)


def _date(source: str, text: str, at: int) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise SyntaxMistake(source, at, f"“{text}”不是有效日期") from None


def _number(source: str, text: str, at: int) -> Decimal:
    digits = text.rstrip("%")
    whole, _, decimals = digits.partition(".")
    if not digits.isascii() or len(whole) > NUMBER_LIMITS[0] or len(decimals) > NUMBER_LIMITS[1]:
        raise SyntaxMistake(source, at, f"数字最多 {NUMBER_LIMITS[0]} 位整数、{NUMBER_LIMITS[1]} 位小数")
    return Decimal(digits) / 100 if text.endswith("%") else Decimal(digits)
