"""The demo's exchange: three departments have sent, one has a key only, the others aren't connected. （第二十九条）

What they sent goes through the interface's own verbs; what differs from the registry becomes tasks of the townships.
"""

import secrets
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, select

from demo.people import Home, Population
from integrations.exchange import pack
from models.crypto import ring
from models.database import transaction
from models.exchange import ExchangeBody
from models.households import Member
from models.schema import owner_session
from policies.clock import today
from policies.identities import id_check
from workflows import exchange
from workflows.exchange import Caller, KeyNotSet
from workflows.exchange_rows import read_envelope

KEYED = ("disabled", "civil", "agriculture", "forestry")
LEVELS = ("肢体二级", "视力三级", "听力三级", "肢体四级", "智力二级")
EVERY_THIRD, EVERY_SEVENTH, EVERY_NINTH = 3, 7, 9
STRANGER = "15010219800101" + "001"

Rows = list[dict[str, Any]]


def load_exchange(url: str, people: Population) -> None:
    """Give four departments keys and let three of them send; 民政 has left out one number."""
    with owner_session(url) as session:
        day = today(session)
        keys = {code: _connect(session, code) for code in KEYED}
    homes = people.homes
    for body, number, rows in (
        ("disabled", 1, _disabled(homes, day - timedelta(40))),
        ("disabled", 2, _disabled(homes[::2], day - timedelta(9))),
        ("civil", 1, _allowances(homes, day - timedelta(35))),
        ("civil", 3, _allowances(homes[::3], day - timedelta(4))),
        ("agriculture", 1, _land(homes, day - timedelta(20))),
    ):
        _send(keys[body], number, rows)


def _connect(session: Session, code: str) -> Caller:
    """Give a body a key that nobody sees: `yikatong sandbox exchange` finds it again."""
    body = session.exec(select(ExchangeBody).where(ExchangeBody.code == code)).one()
    session.execute(
        sa.text(
            "with made as (insert into exchange_keys (body_id, key) values (:body, :key) returning body_id)"
            " update exchange_bodies b set enabled = true, key_set_at = clock_timestamp() from made"
            " where b.id = made.body_id"
        ),
        {"body": body.id, "key": ring().seal(secrets.token_hex(32))},
    )
    return Caller(body.id or 0, code, body.name, frozenset(body.kinds), 0)


def _send(caller: Caller, number: int, rows: Rows) -> None:
    envelope, rest = read_envelope(pack(caller.code, number, rows))
    with transaction(exchange.principal()) as session:
        batch, _ = exchange.receive(session, caller, envelope, rest)
    exchange.apply(batch.id or 0)


def _disabled(homes: Sequence[Home], day: date) -> Rows:
    rows = [
        {
            "id_number": home.people[-1].id_number,
            "kind": "disability",
            "as_of": day.isoformat(),
            "number": f"{home.people[-1].id_number}4{place % 4 + 1}",
            "level": LEVELS[place % len(LEVELS)],
            "valid_from": "2021-06-01",
            "valid_to": "2031-05-31",
        }
        for place, home in enumerate(homes)
        if place % EVERY_SEVENTH == 0
    ]
    return [*rows, {"id_number": STRANGER + id_check(STRANGER), "kind": "disability", "as_of": day.isoformat()}]


def _allowances(homes: Sequence[Home], day: date) -> Rows:
    return [
        {
            "id_number": home.head.id_number,
            "kind": "rural_allowance",
            "as_of": day.isoformat(),
            "level": "A类" if place % 2 else "B类",
            "valid_from": f"{day.year}-01-01",
            "valid_to": f"{day.year}-12-31",
        }
        for place, home in enumerate(homes)
        if place % EVERY_NINTH == 0
    ]


def _land(homes: Sequence[Home], day: date) -> Rows:
    """Return what the land register says: it agrees but for a few households."""
    return [
        {
            "id_number": home.head.id_number,
            "kind": "contracted_land",
            "as_of": day.isoformat(),
            "quantity": str(home.land.contracted + (Decimal(3) if place % 40 == 0 else 0)),
        }
        for place, home in enumerate(homes)
        if place % EVERY_THIRD == 0 and home.land.contracted
    ]


def key_of(code: str) -> str:
    """Return a body's key, for the sandbox that plays the department. Raises KeyNotSet."""
    with owner_session() as session:
        asked = sa.text(
            "select k.key from exchange_keys k join exchange_bodies b on b.id = k.body_id where b.code = :code"
        )
        sealed = session.execute(asked, {"code": code}).scalar_one_or_none()
    if sealed is None:
        raise KeyNotSet(name=code)
    return ring().open(bytes(sealed))


def some_people(kind: str, count: int) -> Iterator[dict[str, Any]]:
    """Return rows about people of the registry, as a department would send them today."""
    with owner_session() as session:
        day = today(session).isoformat()
        people = session.exec(select(Member).where(Member.current).order_by(sa.func.random()).limit(count)).all()
    for person in people:
        row = {"id_number": person.id_number, "kind": kind, "as_of": day}
        if kind == "person":
            row |= {"name": person.name, "state": "alive"}
        yield row
