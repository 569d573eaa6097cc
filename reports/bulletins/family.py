"""What a bulletin family is: a question to the books and a workbook made of the answer. （第三十三条）"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from typing import Any

from sqlmodel import Session


@dataclass(frozen=True)
class Span:
    """The days that a bulletin reports on, both included."""

    start: date
    end: date

    def __str__(self) -> str:
        """Return the days as a bulletin says them."""
        return f"{self.start:%Y年%-m月%-d日}至{self.end:%Y年%-m月%-d日}"


@dataclass(frozen=True)
class Heading:
    """What stands on a bulletin besides its figures."""

    number: str
    title: str
    issuer: str
    place: str
    span: Span
    prepared_at: datetime
    prepared_by: str


@dataclass(frozen=True)
class Figures:
    """A family's answer: plain data that can be stored, and the two totals that must equal the journal."""

    data: dict[str, Any]
    paid_count: int
    paid_fen: int

    @property
    def digest(self) -> str:
        """Return the digest of the figures: the same figures, the same digest."""
        return sha256(json.dumps(self.data, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Family:
    """One kind of bulletin."""

    code: str
    title: str
    article: str
    ask: Callable[[Session, Span], Figures]
    write: Callable[[Figures, Heading], bytes]
