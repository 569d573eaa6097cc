"""How a value looks: derived from what its column declares (title, unit, mask, type), once for all pages."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from models.base import DivisionCode, Labelled, Table
from models.crypto import Sealed
from policies.clock import ZONE
from policies.identities import mask_card, mask_id, mask_name, mask_phone
from policies.refusals import Refused

EMPTY = "—"
GOOD = frozenset(
    ("verified", "paid", "settled", "closed", "final", "funded", "refunded", "agreed", "applied", "done", "alive")
    + ("match", "active", "admitted")
)
BAD = frozenset(
    ("refused", "rejected", "failed", "returned", "different", "red", "stopped", "dead", "not_found", "mismatch")
    + ("missing", "open", "cancelled")
)
WAITING = frozenset(
    ("draft", "drafted", "prepared", "registered", "notified", "yellow", "held", "dormant", "unknown", "queued")
)


def _mask_address(text: str) -> str:
    return text[:6] + "****" if text else text


MASKS: dict[str, Callable[[str], str]] = {
    "id": mask_id,
    "card": mask_card,
    "phone": mask_phone,
    "name": mask_name,
    "address": _mask_address,
}


def yuan(amount_fen: Any) -> str:
    """Return an amount in yuan, as officers read it: 1,234.56."""
    return EMPTY if amount_fen is None else f"{Decimal(int(amount_fen)) / 100:,.2f}"


def moment_text(value: datetime | None) -> str:
    """Return a moment in local time, to the minute."""
    return EMPTY if value is None else f"{value.astimezone(ZONE):%Y-%m-%d %H:%M}"


def day_text(value: date | None) -> str:
    """Return a date."""
    return EMPTY if value is None else value.isoformat()


def count_text(value: Any) -> str:
    """Return a count with thousands separated."""
    return EMPTY if value is None else f"{value:,}"


def tone(value: Any) -> str:
    """Return the colour of a status: green done, red blocked, yellow waiting, blue under way."""
    word = str(value)
    if word in GOOD:
        return "good"
    if word in BAD:
        return "bad"
    return "wait" if word in WAITING else "busy"


@dataclass(frozen=True)
class Cell:
    """One value ready for the page."""

    text: str
    kind: str = "text"
    """text, number, status, division or code: how the page sets it."""
    tone: str = ""


@dataclass(frozen=True)
class FieldView:
    """One column as the console shows it."""

    name: str
    title: str
    kind: str
    mask: str = ""
    help: str = ""

    def cell(self, record: Any, divisions: dict[str, str]) -> Cell:
        """Return the record's value, masked and formatted."""
        return self.show(getattr(record, self.name), divisions)

    def show(self, value: Any, divisions: dict[str, str]) -> Cell:
        """Return a value, masked and formatted."""
        if value is None or value == "":
            return Cell(EMPTY, self.kind)
        if self.mask:
            return Cell(MASKS[self.mask](str(value)), "code" if self.mask in ("id", "card", "phone") else "text")
        if isinstance(value, Labelled):
            return Cell(value.label, "status", tone(value))
        return Cell(_FORMATS.get(self.kind, _plain)(value, divisions), self.kind)


def _plain(value: Any, _: dict[str, str]) -> str:
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, datetime):
        return moment_text(value)
    if isinstance(value, Decimal):
        return f"{value.normalize():,f}"
    if isinstance(value, list):
        return "、".join(str(item) for item in value)
    return str(value)


_FORMATS: dict[str, Callable[[Any, dict[str, str]], str]] = {
    "money": lambda value, _: yuan(value),
    "number": lambda value, _: f"{value:,}" if isinstance(value, int) else _plain(value, {}),
    "division": lambda value, divisions: divisions.get(value, value),
}


@lru_cache(maxsize=1024)
def field_view(model: type[Table], name: str) -> FieldView:
    """Return how a column is shown, from what it declares."""
    column = model.__table__.columns[name]  # type: ignore[attr-defined]
    info = column.info
    title, unit, kind = info.get("title", name), info.get("unit", ""), _kind(column)
    if kind == "money":
        title = f"{title}（元）"
    elif unit and kind == "number":
        title = f"{title}（{unit}）"
    return FieldView(name, title, kind, info.get("mask", ""), info.get("help", ""))


def _kind(column: sa.Column[Any]) -> str:
    unit = column.info.get("unit", "")
    if unit == "分":
        return "money"
    if isinstance(column.type, DivisionCode):
        return "division"
    if isinstance(column.type, sa.Enum):
        return "status"
    if isinstance(column.type, Sealed):
        return "code"
    if isinstance(column.type, sa.Numeric) or (isinstance(column.type, sa.Integer) and unit):
        return "number"
    return "text"


def hits_of(refusal: Refused) -> list[dict[str, Any]]:
    """Return the warnings that a refusal names, as plain rows: rule, article, message, line."""
    hits = refusal.fields.get("hits") or ()
    wanted = ("light", "rule_code", "rule", "rule_name", "name", "article", "message", "line_sequence", "line", "count")
    return [{key: getattr(hit, key) for key in wanted if hasattr(hit, key)} for hit in hits]
