"""The sandbox police: who exists under which name, and who has died."""

import sqlite3
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from pydantic import BaseModel
from starlette.types import ASGIApp

from integrations.sandbox.ledger import Ledger, next_number, now
from integrations.sandbox.service import Gate, Refusal, make_service
from integrations.sandbox.world import of_kind, same_name

TABLES = """
create table if not exists people (id_number text primary key, name text not null, died_on text);
"""


class Asked(BaseModel):
    """One person asked about."""

    reference: str
    name: str
    id_number: str


class People(BaseModel):
    """One request."""

    people: list[Asked]


class Change(BaseModel):
    """What becomes of a person: the date of death (null: alive) and, if given, another name."""

    id_number: str
    died_on: date | None = None
    name: str = ""


def make_app(ledger: Ledger, key: str) -> ASGIApp:
    """Return the sandbox police."""
    app = make_service("公安联网核查（沙箱）", ledger, load, figures, ())

    @app.post("/people/check")
    def check(asked: People) -> dict[str, list[dict[str, str | None]]]:
        with ledger.turn() as db:
            today = now(db).date().isoformat()
            next_number(db, "checks")
            return {"answers": [_answer(db, one, today) for one in asked.people]}

    @app.post("/control/people")
    def change(asked: Change) -> dict[str, str]:
        died_on = asked.died_on.isoformat() if asked.died_on else None
        with ledger.turn() as db:
            changed = db.execute(
                "update people set died_on = ?, name = coalesce(nullif(?, ''), name) where id_number = ?",
                (died_on, asked.name, asked.id_number),
            )
            if not changed.rowcount:
                raise Refusal("PERSON_UNKNOWN", "沙箱里没有此人")
        return {"status": "ok"}

    return Gate(app, ledger, key)


def load(db: sqlite3.Connection, lines: Iterable[Mapping[str, Any]]) -> None:
    """Take the people of a world file that are not known yet."""
    db.executemany(
        "insert or ignore into people values (:id_number, :name, :died_on)",
        [{"died_on": None, **line} for line in of_kind(lines, "person")],
    )


def figures(db: sqlite3.Connection) -> dict[str, Any]:
    """Return how many people are known, how many are dead today, and how many requests came."""
    today = now(db).date().isoformat()
    row = db.execute("select count(*) people, count(*) filter (where died_on <= ?) dead from people", (today,))
    asked = db.execute("select value from meta where key = 'checks'").fetchone()
    return {**dict(row.fetchone()), "requests": int(asked["value"]) if asked else 0}


def _answer(db: sqlite3.Connection, asked: Asked, today: str) -> dict[str, str | None]:
    known = db.execute("select * from people where id_number = ?", (asked.id_number.upper(),)).fetchone()
    died_on = known["died_on"] if known and known["died_on"] and known["died_on"] <= today else None
    if known is None:
        outcome = "not_found"
    elif not same_name(known["name"], asked.name):
        outcome, died_on = "mismatch", None
    else:
        outcome = "dead" if died_on else "match"
    return {"reference": asked.reference, "outcome": outcome, "died_on": died_on}
