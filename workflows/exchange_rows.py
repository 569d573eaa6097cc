"""Reading a batch of another department: an envelope and its rows, or every problem with its row and field.

（第二十九、三十条） Pure: nothing is stored, and no problem repeats what was given.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from hashlib import sha256
from typing import Any

from models.crypto import id_index, ring
from models.exchange import FactKind
from policies.exchange import MAX_LINE, MAX_ROWS, MOST_PROBLEMS, QUANTITIES, STATES
from policies.identities import name_key
from policies.person_fields import FieldWrong, a_day, a_name, a_number, a_quantity, a_text
from policies.refusals import Refused

ENVELOPE = frozenset(("body", "number", "rows", "digest"))
FIELDS = frozenset(
    ("id_number", "name", "kind", "as_of", "number", "level", "quantity", "state", "died_on", "valid_from", "valid_to")
    + ("ended",)
)
EARLIEST = date(1900, 1, 1)
LATEST = date(2200, 1, 1)
HIGHEST = 2**53
MOST_DIGITS = 17


@dataclass(frozen=True)
class Problem:
    """What is wrong where: row 0 is the envelope."""

    row: int
    field: str
    problem: str


class BatchWrong(Refused):
    """批次内容有 {count} 处问题，整批没有接收；请按行号更正后用同一批次号重新发送（第二十九条）。"""

    status_code = 400

    def __init__(self, problems: list[Problem]) -> None:
        """Keep the first problems; the count is of all."""
        super().__init__(count=len(problems))
        self.problems = problems[:MOST_PROBLEMS]


@dataclass(frozen=True)
class Envelope:
    """What a batch says of itself before its rows."""

    body: str
    number: int
    rows: int
    digest: str


class Wrong(Exception):
    """One mistake of one row: its field, and what is wrong, never the value."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(problem)
        self.field, self.problem = field, problem


def read_envelope(content: bytes) -> tuple[Envelope, bytes]:
    """Return the envelope and the bytes of the rows; what they declare is what there is. Raises BatchWrong."""
    head, _, rest = content.partition(b"\n")
    try:
        said = an_object(head)
        if set(said) - ENVELOPE:
            raise Wrong("", "首行含有未定义的字段")
        number, rows = _whole(said, "number", 1, HIGHEST), _whole(said, "rows", 1, MAX_ROWS)
        body, digest = words_of(said, "body"), words_of(said, "digest").lower()
        if digest != sha256(rest).hexdigest():
            raise Wrong("digest", "与首行之后内容的 SHA-256 不符")
    except Wrong as wrong:
        raise BatchWrong([Problem(0, wrong.field, wrong.problem)]) from wrong
    return Envelope(body, number, rows, digest), rest


def read_rows(envelope: Envelope, rest: bytes, kinds: frozenset[str], salt: str, today: date) -> list[dict[str, Any]]:
    """Return the rows as they are staged: blind index for the number, digest for the name. Raises BatchWrong.

    kinds: what the body may tell; salt: of this batch, so that equal names of two batches look different.
    """
    lines = rest.removesuffix(b"\n").split(b"\n") if rest else []
    if len(lines) != envelope.rows:
        raise BatchWrong([Problem(0, "rows", f"声明 {envelope.rows} 行，实际 {len(lines)} 行")])
    problems: list[Problem] = []
    staged = list(_staged(lines, kinds, salt, today, problems))
    if problems:
        raise BatchWrong(problems)
    return staged


def _staged(
    lines: list[bytes], kinds: frozenset[str], salt: str, today: date, problems: list[Problem]
) -> Iterator[dict[str, Any]]:
    seal = ring().seal
    for place, line in enumerate(lines, start=1):
        try:
            row = _row(an_object(line), kinds, today)
        except Wrong as wrong:
            problems.append(Problem(place, wrong.field, wrong.problem))
            continue
        name, number = row.pop("name"), row.pop("id_number")
        digest = sha256(f"{salt}:{name_key(name)}".encode()).hexdigest() if name else None
        yield row | {
            "row_number": place,
            "id_index": id_index(number).hex(),
            "name_digest": digest,
            "number": seal(row["number"]).hex(),
        }


def _row(said: dict[str, Any], kinds: frozenset[str], today: date) -> dict[str, Any]:
    if set(said) - FIELDS:
        raise Wrong("", "含有未定义的字段")
    kind = words_of(said, "kind")
    if kind not in kinds:
        raise Wrong("kind", "不是本部门可提供的信息种类")
    try:
        number = a_number(words_of(said, "id_number"), today).number
        name = words_of(said, "name", required=False)
        row = {
            "id_number": number,
            "name": a_name(name) if name else "",
            "kind": kind,
            "as_of": day_of(said, "as_of", required=True),
            "number": a_text(words_of(said, "number", required=False), "number", 60),
            "level": a_text(words_of(said, "level", required=False), "level", 60),
            "quantity": None,
            "state": "",
            "died_on": day_of(said, "died_on"),
            "valid_from": day_of(said, "valid_from"),
            "valid_to": day_of(said, "valid_to"),
            "ended": _flag(said),
        }
    except FieldWrong as wrong:
        named = {"身份证号": "id_number", "姓名": "name"}.get(wrong.fields["field"], wrong.fields["field"])
        raise Wrong(named, wrong.fields["problem"]) from wrong
    if str(row["as_of"]) > today.isoformat():
        raise Wrong("as_of", "晚于今天")
    if row["valid_from"] and row["valid_to"] and str(row["valid_to"]) < str(row["valid_from"]):
        raise Wrong("valid_to", "早于有效期起")
    return row | _of_kind(FactKind(kind), said, row)


def _of_kind(kind: FactKind, said: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    """Return what only some kinds say: the quantity of an asset, the state of a person."""
    for field, fits in (("quantity", kind in QUANTITIES), ("state", kind in STATES), ("died_on", kind in STATES)):
        if said.get(field) is not None and not fits:
            raise Wrong(field, "该信息种类不含此项")
    if kind in QUANTITIES:
        return {"quantity": _quantity(said, row["ended"])}
    if kind not in STATES:
        return {}
    state = words_of(said, "state", required=kind == FactKind.PERSON) or "dead"
    if state not in ("alive", "dead") or (kind == FactKind.DEATH and state != "dead"):
        raise Wrong("state", "只能是 alive 或 dead，死亡信息只能是 dead")
    if row["died_on"] and (state != "dead" or row["died_on"] > row["as_of"]):
        raise Wrong("died_on", "与人员状态或数据日期矛盾")
    return {"state": state}


def an_object(line: bytes) -> dict[str, Any]:
    """Return the object of a line, each key once. Raises Wrong."""
    if len(line) > MAX_LINE:
        raise Wrong("", f"超过 {MAX_LINE} 字节")
    try:
        said = json.loads(
            line.decode(), parse_int=_integer, parse_float=_decimal, parse_constant=_constant, object_pairs_hook=_once
        )
    except UnicodeDecodeError as wrong:
        raise Wrong("", "不是 UTF-8 编码") from wrong
    except (ValueError, RecursionError) as wrong:
        raise Wrong("", "不是有效的 JSON 对象") from wrong
    if not isinstance(said, dict):
        raise Wrong("", "不是 JSON 对象")
    return said


def _integer(text: str) -> int:
    if len(text) > MOST_DIGITS:
        raise ValueError("too long")
    return int(text)


def _decimal(text: str) -> Decimal:
    # An exponent may ask for a billion digits: nobody writes an area that way.
    if len(text) > MOST_DIGITS or "e" in text.lower():
        raise ValueError("too long")
    return Decimal(text)


def _constant(_: str) -> Any:
    raise ValueError("no number")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key twice")
    return found


def _whole(said: dict[str, Any], field: str, least: int, most: int) -> int:
    value = said.get(field)
    if type(value) is not int or not least <= value <= most:
        raise Wrong(field, f"须为 {least} 到 {most} 的整数")
    return value


def words_of(said: dict[str, Any], field: str, *, required: bool = True) -> str:
    """Return the words of a field. Raises Wrong."""
    value = said.get(field)
    if value is None and not required:
        return ""
    if not isinstance(value, str) or (required and not value.strip()):
        raise Wrong(field, "没有填写" if value is None or value == "" else "须为文字")
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        raise Wrong(field, "含有无效字符")
    return value


def day_of(said: dict[str, Any], field: str, *, required: bool = False) -> str | None:
    """Return the day of a field, as it is written. Raises Wrong."""
    text = words_of(said, field, required=required)
    if not text:
        return None
    day = a_day(text if len(text) == len("2024-05-01") else "", field)
    if not EARLIEST <= day <= LATEST:
        raise Wrong(field, "不在允许的年份内")
    return day.isoformat()


def _flag(said: dict[str, Any]) -> bool:
    value = said.get("ended", False)
    if not isinstance(value, bool):
        raise Wrong("ended", "须为 true 或 false")
    return value


def _quantity(said: dict[str, Any], ended: bool) -> str:
    value = said.get("quantity")
    if (
        isinstance(value, bool)
        or not isinstance(value, int | Decimal | str)
        or (isinstance(value, str) and len(value) > MOST_DIGITS)
    ):
        raise Wrong("quantity", "须为数字，最多三位小数")
    if ended and str(value) in ("0", "0.0", "0.00", "0.000"):
        return "0"
    return str(a_quantity(value, "quantity"))
