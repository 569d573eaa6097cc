"""Public notices: how long they run and what may be read on them. Pure: no database. （第十五条、第十六条第三项）"""

import json
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any

from policies.clock import ZONE
from policies.identities import mask_name

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


def ends_at(published_at: datetime, days: int) -> datetime:
    """Return when a notice is over: the day of publication doesn't count, the last day counts whole. （第十五条）"""
    last = published_at.astimezone(ZONE).date() + timedelta(days=days)
    return datetime.combine(last + timedelta(days=1), time.min, ZONE)


def last_day(end: datetime) -> date:
    """Return the last day of a notice."""
    return (end.astimezone(ZONE) - timedelta(microseconds=1)).date()


def mark(person: str, quantity: Decimal, standard: Decimal, amount_fen: int, component: str) -> str:
    """Return the digest of a line's published facts; it tells nothing of the person (their mark is random)."""
    facts = f"{person}|{quantity.normalize():f}|{standard.normalize():f}|{amount_fen}|{component}"
    return sha256(facts.encode()).hexdigest()[:24]


def public_line(line: PublicLine, unit: str, *, names_shown: bool) -> dict[str, Any]:
    """Return one line of a notice's content; names are masked, or hidden where the project is not to be published."""
    return {
        "sequence": line.sequence,
        "village": line.village if names_shown else HIDDEN,
        "name": mask_name(line.name) if names_shown else HIDDEN,
        "quantity": f"{line.quantity.normalize():f}",
        "unit": unit,
        "standard": f"{line.standard.normalize():f}",
        "amount": f"{line.amount_fen // 100}.{line.amount_fen % 100:02d}",
        "mark": line.mark,
    }


def digest(content: dict[str, Any]) -> str:
    """Return the digest of a notice's frozen content."""
    return sha256(json.dumps(content, ensure_ascii=False, sort_keys=True).encode()).hexdigest()
