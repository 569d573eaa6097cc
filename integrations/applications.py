"""A department's own system that works together with the register: what it pushes and reads back. （第十四条第二项）"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from integrations.exchange import Department, pack

APPLICATIONS = "/exchange/v1/applications"
RESULTS = "/exchange/v1/results"
BEGINNING = "0-0"
"""The cursor before everything."""


@dataclass
class DepartmentSystem(Department):
    """A department's business system; tests and the demo play it over a real socket."""

    def push(self, number: int, rows: Sequence[dict[str, Any]]) -> httpx.Response:
        """Push applications and decisions; pushing the same batch again is safe. Raises Unavailable, Unknown."""
        return self.request("POST", APPLICATIONS, pack(self.body, number, rows))

    def pushed(self, number: int) -> httpx.Response:
        """Ask what became of a batch. Raises Unavailable, Unknown."""
        return self.request("GET", f"{APPLICATIONS}/{number}")

    def results(self, cursor: str = BEGINNING) -> httpx.Response:
        """Read a page of decisions and payments after a cursor. Raises Unavailable, Unknown."""
        return self.request("GET", f"{RESULTS}/{cursor}")

    def all_results(self, cursor: str = BEGINNING) -> Iterator[dict[str, Any]]:
        """Read everything after a cursor, page by page. Raises Unavailable, Unknown."""
        more = True
        while more:
            page = self.results(cursor).raise_for_status().json()
            yield from page["results"]
            cursor, more = page["next"], page["more"]
