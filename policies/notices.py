"""Public notices: how long they run and what may be read on them. Pure: no database. （第十五条、第十六条第三项）"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any

from policies.clock import ZONE
from policies.definitions import Definition, Publicness
from policies.formulas.fields import properties, publicness_of, title_of
from policies.identities import mask_id, mask_name

HIDDEN = "***"
"""Stands for a name and a village on notices of projects that aren't to be published (orphans, …)."""

DAYS_ALLOWED = range(1, 61)


@dataclass(frozen=True)
class PublicLine:
    """One line as the public may read it: project, person, standard and amount. （第十五条）"""

    sequence: int
    village: str
    name: str
    quantity: Decimal
    standard: Decimal
    amount_fen: int
    mark: str
    """A digest of the published facts, by which a supplementary notice finds what has changed."""
    id_number: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """The project's own fields."""


def ends_at(published_at: datetime, days: int) -> datetime:
    """Return when a notice is over: the day of publication doesn't count, the last day counts whole. （第十五条）"""
    last = published_at.astimezone(ZONE).date() + timedelta(days=days)
    return datetime.combine(last + timedelta(days=1), time.min, ZONE)


def last_day(end: datetime) -> date:
    """Return the last day of a notice."""
    return (end.astimezone(ZONE) - timedelta(microseconds=1)).date()


def mark(
    person: str,
    quantity: Decimal,
    standard: Decimal,
    amount_fen: int,
    component: str,
    fields: Mapping[str, str] | None = None,
) -> str:
    """Return the digest of a line's published facts; it tells nothing of the person (their mark is random).

    `fields` are those of the project's own that the notice shows, masked or whole: see `published_fields`.
    """
    facts = f"{person}|{quantity.normalize():f}|{standard.normalize():f}|{amount_fen}|{component}"
    if fields:
        facts += "|" + json.dumps(fields, ensure_ascii=False, sort_keys=True)
    return sha256(facts.encode()).hexdigest()[:24]


TITLES = {
    "village": "嘎查村（社区）", "name": "享受人", "id_number": "身份证号", "quantity": "数量",
    "standard": "补贴标准（元）", "amount": "补贴金额（元）",
}  # fmt: skip
NUMBERS = frozenset(("quantity", "standard", "amount"))


def columns_of(definition: Definition) -> list[dict[str, Any]]:
    """Return the columns of a project's notices in their order: what the project hides is not among them. （第十五条）

    Person and village stay as columns and are hidden in their cells; an identity number is there when asked for only.
    """
    fixed = [
        {"name": name, "title": title, "number": name in NUMBERS}
        for name, title in TITLES.items()
        if _stays(definition, name)
    ]
    own = [
        {"name": name, "title": _headed(name, spec), "number": spec.get("type") in ("number", "integer"), "own": True}
        for name, spec in properties(definition).items()
        if publicness_of(definition, name) != Publicness.HIDDEN
    ]
    return fixed + own


def columns_shown(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the columns of a notice as it was hung; those of former notices were the same for every project."""
    former = ("village", "name", "quantity", "standard", "amount")
    plain = [{"name": name, "title": TITLES[name], "number": name in NUMBERS} for name in former]
    return content.get("columns") or plain


def _stays(definition: Definition, name: str) -> bool:
    if name == "id_number":
        return definition.public.get(name, Publicness.HIDDEN) != Publicness.HIDDEN
    return name in ("name", "village") or definition.publicness(name) != Publicness.HIDDEN


def _headed(name: str, spec: Mapping[str, Any]) -> str:
    unit = spec.get("x-unit")
    return f"{title_of(name, spec)}（{unit}）" if unit else title_of(name, spec)


def public_line(line: PublicLine, definition: Definition) -> dict[str, Any]:
    """Return one line of a notice's content: just what the project's publicness lets be read. （第十五条）

    A name is masked unless the project says otherwise; hidden, it hides the village too. An identity number is never
    written whole. （第三十条）
    """
    named = definition.publicness("name") != Publicness.HIDDEN
    whole = {
        "quantity": f"{line.quantity.normalize():f}",
        "standard": f"{line.standard.normalize():f}",
        "amount": f"{line.amount_fen // 100}.{line.amount_fen % 100:02d}",
    }
    shown: dict[str, Any] = {
        "sequence": line.sequence,
        "village": _cell(line.village, definition.publicness("village")) if named else HIDDEN,
        "name": _name(line.name, definition.publicness("name")),
        "unit": definition.unit,
        "mark": line.mark,
    }
    for name, text in whole.items():
        if _stays(definition, name):
            shown[name] = text if definition.publicness(name) == Publicness.SHOWN else HIDDEN
    if _stays(definition, "id_number"):
        shown["id_number"] = mask_id(line.id_number, public=True)
    if own := _own_cells(line.extra, definition):
        shown["fields"] = own
    return shown


def _name(name: str, publicness: Publicness) -> str:
    match publicness:
        case Publicness.SHOWN:
            return name
        case Publicness.MASKED:
            return mask_name(name)
    return HIDDEN


def _cell(text: str, publicness: Publicness) -> str:
    match publicness:
        case Publicness.SHOWN:
            return text
        case Publicness.MASKED:
            return text[:1] + "*" * (len(text) - 1)
    return HIDDEN


def _own_cells(extra: Mapping[str, Any], definition: Definition) -> dict[str, str]:
    """Return the cells of the project's own fields; of what is masked, a text's first character only."""
    specs = properties(definition)
    cells = {}
    for name, text in published_fields(definition, extra).items():
        if publicness_of(definition, name) == Publicness.SHOWN or not text:
            cells[name] = text
        else:
            plain = specs[name].get("type") == "string" and not {"enum", "format"} & set(specs[name])
            cells[name] = _cell(text, Publicness.MASKED) if plain else HIDDEN
    return cells


def published_fields(definition: Definition, extra: Mapping[str, Any]) -> dict[str, str]:
    """Return the project's own fields that a notice shows, masked or whole, as they are written out: for the mark."""
    return {
        name: _written(extra.get(name))
        for name, spec in properties(definition).items()
        if publicness_of(definition, name) != Publicness.HIDDEN
    }


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "是" if value else "否"
    return "" if value is None else str(value)


def digest(content: dict[str, Any]) -> str:
    """Return the digest of a notice's frozen content."""
    return sha256(json.dumps(content, ensure_ascii=False, sort_keys=True).encode()).hexdigest()
