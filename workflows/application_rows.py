"""Reading a department's batch of applications and decisions: every mistake with its row and field, never the value.

（第十四条第二项、第三十条） Pure: the registry is asked in `workflows/application_exchange.py`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from models.crypto import id_index
from policies.exchange import MAX_ROWS
from policies.identities import name_key
from policies.person_fields import FieldWrong, a_name, a_number, a_quantity
from workflows.exchange_rows import BatchWrong, Envelope, Problem, Wrong, an_object, day_of, words_of

APPLICATION, DECISION = "application", "decision"
FIELDS = {
    APPLICATION: frozenset(
        ("kind", "external_number", "project", "township", "id_number", "name", "quantity", "standard", "fields")
        + ("valid_from", "valid_to", "decision")
    ),
    DECISION: frozenset(("kind", "external_number", "decision", "reason")),
}
EXTERNAL = re.compile(r"[A-Za-z0-9_-]{1,40}")
TOWNSHIP = re.compile(r"\d{9}000")
PROJECT = re.compile(r"[0-9A-Z]{3,20}")
LONG_NUMBER = re.compile(r"\d{11}")
DECISIONS = ("approved", "rejected")
LONGEST_REASON = 200


@dataclass
class Row:
    """One row as it was read, without anybody's number."""

    place: int
    kind: str = ""
    external: str = ""
    project: str = ""
    township: str = ""
    id_index: bytes = b""
    name_key: str = ""
    quantity: Decimal = Decimal(0)
    standard: Decimal | None = None
    values: dict[str, Any] = field(default_factory=dict)
    valid_from: date | None = None
    valid_to: date | None = None
    decision: str = ""
    reason: str = ""


class Mistakes:
    """What is wrong in a batch, gathered over all rows."""

    def __init__(self) -> None:
        self.found: list[Problem] = []

    def note(self, row: int, name: str, problem: str) -> None:
        """Remember one."""
        self.found.append(Problem(row, name, problem))

    def require_none(self) -> None:
        """Refuse the batch if anything was wrong. Raises BatchWrong."""
        if self.found:
            raise BatchWrong(sorted(self.found, key=lambda one: one.row))


def read(envelope: Envelope, rest: bytes, today: date, mistakes: Mistakes) -> list[Row]:
    """Return the rows of a batch; mistakes are gathered, row by row and field by field. Raises BatchWrong."""
    lines = rest.removesuffix(b"\n").split(b"\n") if rest else []
    if len(lines) != envelope.rows or len(lines) > MAX_ROWS:
        raise BatchWrong([Problem(0, "rows", f"声明 {envelope.rows} 行，实际 {len(lines)} 行")])
    rows, seen = [], set()
    for place, line in enumerate(lines, 1):
        row = _row(place, line, today, mistakes)
        if row is None:
            continue
        if (row.kind, row.external) in seen:
            mistakes.note(place, "external_number", "在本批中重复")
        seen.add((row.kind, row.external))
        rows.append(row)
    return rows


def _row(place: int, line: bytes, today: date, mistakes: Mistakes) -> Row | None:
    try:
        said = an_object(line)
    except Wrong as wrong:
        mistakes.note(place, wrong.field, wrong.problem)
        return None
    kind = said.get("kind")
    if kind not in FIELDS:
        mistakes.note(place, "kind", "只能是 application 或 decision")
        return None
    for name in sorted(set(said) - FIELDS[kind]):
        mistakes.note(place, name if name.isidentifier() and name.isascii() else "", "含有未定义的字段")
    row = Row(place, kind)
    for name, take in (_OF_APPLICATION if kind == APPLICATION else _OF_DECISION).items():
        try:
            take(row, said, today)
        except (Wrong, FieldWrong) as wrong:
            problem = wrong.problem if isinstance(wrong, Wrong) else str(wrong.fields["problem"])
            mistakes.note(place, name, problem)
    return row


def _external(row: Row, said: Mapping[str, Any], _: date) -> None:
    row.external = words_of(dict(said), "external_number")
    if not EXTERNAL.fullmatch(row.external) or LONG_NUMBER.fullmatch(row.external[:18]):
        raise Wrong("external_number", "须为 1 至 40 个字母、数字、连字符或下划线，且不得是身份证号")


def _project(row: Row, said: Mapping[str, Any], _: date) -> None:
    row.project = words_of(dict(said), "project")
    if not PROJECT.fullmatch(row.project):
        raise Wrong("project", "须为项目编码")


def _township(row: Row, said: Mapping[str, Any], _: date) -> None:
    row.township = words_of(dict(said), "township")
    if not TOWNSHIP.fullmatch(row.township):
        raise Wrong("township", "须为 12 位苏木乡镇代码")


def _id_number(row: Row, said: Mapping[str, Any], today: date) -> None:
    row.id_index = id_index(a_number(words_of(dict(said), "id_number"), today).number)


def _name(row: Row, said: Mapping[str, Any], _: date) -> None:
    name = words_of(dict(said), "name", required=False)
    row.name_key = name_key(a_name(name)) if name else ""


def _quantity(row: Row, said: Mapping[str, Any], _: date) -> None:
    row.quantity = a_quantity(_plain(said.get("quantity"), "quantity"))


def _standard(row: Row, said: Mapping[str, Any], _: date) -> None:
    if said.get("standard") is not None:
        row.standard = Decimal(str(_plain(said["standard"], "standard")))


def _plain(value: Any, name: str) -> Any:
    text = str(value) if isinstance(value, int | Decimal | str) and not isinstance(value, bool) else ""
    if not re.fullmatch(r"\d{1,10}(\.\d{1,4})?", text):
        raise Wrong(name, "须为大于零的数字" if text or value is None else "须为数字")
    return text


def _values(row: Row, said: Mapping[str, Any], _: date) -> None:
    given = said.get("fields", {})
    if not isinstance(given, dict) or not all(isinstance(one, str | int | Decimal | bool) for one in given.values()):
        raise Wrong("fields", "须为对象，值为文字、数字或 true、false")
    row.values = given


def _valid_from(row: Row, said: Mapping[str, Any], _: date) -> None:
    text = day_of(dict(said), "valid_from")
    row.valid_from = date.fromisoformat(text) if text else None


def _valid_to(row: Row, said: Mapping[str, Any], today: date) -> None:
    text = day_of(dict(said), "valid_to")
    row.valid_to = date.fromisoformat(text) if text else None
    if row.valid_to and row.valid_to < (row.valid_from or today):
        raise Wrong("valid_to", "早于拟享受起")


def _decision(row: Row, said: Mapping[str, Any], _: date) -> None:
    row.decision = words_of(dict(said), "decision", required=row.kind == DECISION)
    if row.decision and row.decision not in (DECISIONS if row.kind == DECISION else DECISIONS[:1]):
        raise Wrong("decision", "只能是 approved 或 rejected" if row.kind == DECISION else "只能是 approved")


def _reason(row: Row, said: Mapping[str, Any], _: date) -> None:
    row.reason = words_of(dict(said), "reason", required=row.decision == DECISIONS[1]).strip()
    if len(row.reason) > LONGEST_REASON or LONG_NUMBER.search(row.reason):
        raise Wrong("reason", f"不超过 {LONGEST_REASON} 个字，且不得含证件号码、账号、手机号")


_OF_APPLICATION = {
    "external_number": _external, "project": _project, "township": _township, "id_number": _id_number, "name": _name,
    "quantity": _quantity, "standard": _standard, "fields": _values, "valid_from": _valid_from, "valid_to": _valid_to,
    "decision": _decision,
}  # fmt: skip
_OF_DECISION = {"external_number": _external, "decision": _decision, "reason": _reason}
