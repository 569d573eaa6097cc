"""The form of a flow as data: its cards, what was typed, and the buttons that change rows. Pure. （第二十四条）"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models.flows import SubstepKind
from policies.flows import MOST_SUBSTEPS, OPTIONAL, STAGES, ApplicationStage, desks_at, place_of

FIELDS = ("name", "kind", "desk", "percent", "count")
LONGEST = 200


@dataclass(frozen=True)
class StageCard:
    """One stage of the form: what the law fixes about it, and what may be chosen."""

    way: str
    code: str
    label: str
    desk: str
    article: str
    optional: bool
    law_days: int | None
    takes_days: bool
    days_help: str
    desks: tuple[tuple[str, str], ...]


KINDS = tuple((str(kind), kind.label) for kind in SubstepKind)


def _card(way: str, code: Any) -> StageCard:
    place = place_of(way, code)
    law = place.limit.working_days if place.limit is not None else None
    takes = way == "roster" and law is not None
    words = f"法定 {law} 个工作日，只能更短；空为按法定"
    return StageCard(
        way=way,
        code=str(code),
        label=code.label,
        desk=place.desk.label,
        article=place.article,
        optional=way == "application" and code in OPTIONAL,
        law_days=law,
        takes_days=takes,
        days_help=words if takes else f"与“{place.shared}”共用时限" if place.shared else "",
        desks=tuple((str(desk), desk.label) for desk in desks_at(way, code)),
    )


STAGE_CARDS = tuple(_card(way, code) for way, codes in STAGES.items() for code in codes)


def rows_of(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stored flow as the form holds it."""
    return {way: [dict(stage) | {"substeps": list(stage["substeps"])} for stage in content[way]] for way in STAGES}


def posted(form: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the form sent as a flow; numbers stay as typed, so that a mistake is told at its place."""
    found: dict[str, Any] = {way: [] for way in STAGES}
    for card in STAGE_CARDS:
        prefix = f"{card.way}.{card.code}"
        if card.optional and f"{prefix}.on" not in form:
            continue
        substeps = [
            _row(form, f"{prefix}.{place}") for place in range(MOST_SUBSTEPS + 1) if f"{prefix}.{place}.name" in form
        ]
        days = _text(form, f"{prefix}.days")
        found[card.way].append({"code": card.code, "days": days or None, "substeps": substeps})
    return found


def _text(form: Mapping[str, Any], name: str) -> str:
    return str(form.get(name, "")).replace("\x00", "").strip()[:LONGEST]


def _row(form: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    typed = {name: _text(form, f"{prefix}.{name}") for name in FIELDS}
    numbers = {name: typed[name] or 0 for name in ("percent", "count")}
    return typed | numbers | {"note_required": f"{prefix}.note_required" in form}


def changed(rows: dict[str, Any], deed: str) -> dict[str, Any]:
    """Return the form's rows after a button: add, remove, up, down; what isn't a button changes nothing."""
    verb, _, rest = deed.partition(":")
    way, _, rest = rest.partition(":")
    code, _, place = rest.partition(":")
    stage = next((one for one in rows.get(way, []) if one["code"] == code), None)
    if stage is None:
        return rows
    held, at = stage["substeps"], int(place) - 1 if place.isascii() and place.isdigit() else -1
    if verb == "add" and len(held) < MOST_SUBSTEPS:
        held.append(_fresh(way, code))
    elif verb == "remove" and 0 <= at < len(held):
        del held[at]
    elif verb in ("up", "down") and 0 <= at < len(held):
        other = at - 1 if verb == "up" else at + 1
        if 0 <= other < len(held):
            held[at], held[other] = held[other], held[at]
    return rows


def _fresh(way: str, code: str) -> dict[str, Any]:
    own = place_of(way, ApplicationStage(code) if way == "application" else code).desk
    return {
        "name": "", "kind": str(SubstepKind.SIGN_OFF), "desk": str(own), "percent": 0, "count": 0,
        "note_required": True,
    }  # fmt: skip
