"""The demo's registry written in bulk by the owner: villages, households, members, assets, accounts. （第十一、十二条）

Everything personal is sealed and indexed here, before it leaves the process; PostgreSQL sees envelopes only.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session

from demo.people import PLACES, Home, Person, Population
from models.accounts import AccountStatus
from models.base import county_of
from models.crypto import account_index, id_index, phone_index, ring
from models.divisions import Division, Level
from models.households import IdentityOutcome, MemberStatus
from policies.clock import now, today
from policies.identities import name_key
from workflows.reference_data import pinyin_key

VERIFIED_AGO = timedelta(days=240)
"""The registry's verifications date from the last payment: the check of a roster asks the banks again."""

LAND_REGISTERED_ON, SEASON_REGISTERED_ON = date(2018, 12, 31), date(2026, 4, 20)
ASSETS = (
    ("contracted_land", "contracted", LAND_REGISTERED_ON, "农村土地承包经营权证"),
    ("excluded_land", "excluded", SEASON_REGISTERED_ON, "旗县农牧局核定"),
    ("leased_in", "leased_in", SEASON_REGISTERED_ON, "土地流转合同"),
    ("leased_out", "leased_out", SEASON_REGISTERED_ON, "土地流转合同"),
    ("grassland", "grassland", LAND_REGISTERED_ON, "草原承包经营权证"),
)
"""Kind of asset, field of `Land`, date of registration, source."""


def load_registry(session: Session, people: Population) -> None:
    """Copy the whole population into the registry: five statements, whatever its size."""
    _load_villages(session)
    homes = people.homes
    keys = _reserve(session, "households", len(homes))
    _copy(session, "households", HOUSEHOLD, _households(homes, keys, today(session)))
    members = [(home, key, person) for home, key in zip(homes, keys, strict=True) for person in home.people]
    member_keys = _reserve(session, "members", len(members))
    _copy(session, "members", MEMBER, _members(members, member_keys, now(session) - VERIFIED_AGO))
    _copy(session, "assets", ASSET, _assets(homes, keys))
    holders = [(home, key, person) for (home, _, person), key in zip(members, member_keys, strict=True) if person.card]
    _copy(session, "accounts", ACCOUNT, _accounts(holders, now(session) - VERIFIED_AGO))
    session.execute(sa.text("analyze households, members, assets, accounts"))


HOUSEHOLD = (
    "id", "division_code", "county_code", "number", "head_name", "village_code", "village", "group_name", "address",
    "reviewed_on",
)  # fmt: skip
MEMBER = (
    "id", "division_code", "county_code", "household_id", "name", "name_key", "id_number", "id_index", "birth_date",
    "sex", "relation", "ethnicity", "phone", "phone_index", "status", "added_on",
    "identity_outcome", "identity_checked_at",
)  # fmt: skip
ASSET = ("division_code", "county_code", "household_id", "kind", "quantity", "unit", "as_of", "source")
ACCOUNT = (
    "division_code", "county_code", "member_id", "number", "number_index", "bank_name", "bank_code", "is_card",
    "is_payment", "status", "version", "verified_at", "answer", "registered_by",
)  # fmt: skip

Row = tuple[Any, ...]


def _households(homes: Sequence[Home], keys: Sequence[int], day: date) -> Iterator[Row]:
    for home, key in zip(homes, keys, strict=True):
        yield (
            key, home.township_code, home.county_code, home.number, home.head.name, home.village_code, home.village,
            home.group, home.address, day - timedelta(home.reviewed_days_ago),
        )  # fmt: skip


def _members(members: Sequence[tuple[Home, int, Person]], keys: Sequence[int], moment: datetime) -> Iterator[Row]:
    seal = ring().seal
    for (home, household, person), key in zip(members, keys, strict=True):
        phone = person.phone or None
        yield (
            key, home.township_code, home.county_code, household, person.name, name_key(person.name),
            seal(person.id_number), id_index(person.id_number), person.birth_date, person.sex, person.relation,
            person.ethnicity, seal(phone) if phone else None, phone_index(phone) if phone else None,
            MemberStatus.ALIVE.value, person.added_on, IdentityOutcome.MATCH.value, moment,
        )  # fmt: skip


def _assets(homes: Sequence[Home], keys: Sequence[int]) -> Iterator[Row]:
    for home, key in zip(homes, keys, strict=True):
        for kind, name, as_of, source in ASSETS:
            quantity = getattr(home.land, name)
            if quantity:
                yield (home.township_code, home.county_code, key, kind, quantity, "亩", as_of, source)


def _accounts(holders: Sequence[tuple[Home, int, Person]], moment: Any) -> Iterator[Row]:
    seal = ring().seal
    for home, member, person in holders:
        card = person.card
        if card is None:
            continue
        status = AccountStatus.VERIFIED if card.verified else AccountStatus.REGISTERED
        yield (
            home.township_code, home.county_code, member, seal(card.number), account_index(card.number), card.bank_name,
            card.bank_code, card.is_card, True, status.value, 1, moment if card.verified else None,
            "户名、账号相符" if card.verified else "", 0,
        )  # fmt: skip


def _load_villages(session: Session) -> None:
    rows = [
        {
            "code": place.village_code(number),
            "name": village,
            "level": Level.VILLAGE,
            "parent_code": place.code,
            "code_standard": "demo",
            "note": f"演示用嘎查村（{county_of(place.code)[:6]}）",
            "pinyin_key": pinyin_key(village),
        }
        for place in PLACES
        for number, village in enumerate(place.villages)
    ]
    session.execute(insert(Division).values(rows).on_conflict_do_nothing())


def _reserve(session: Session, table: str, count: int) -> list[int]:
    """Return fresh keys of a table's own sequence, so that later rows go on behind them."""
    statement = sa.text("select nextval(pg_get_serial_sequence(:table, 'id')) from generate_series(1, :count)")
    return list(session.execute(statement, {"table": table, "count": count}).scalars())


def _copy(session: Session, table: str, columns: Sequence[str], rows: Iterator[Row]) -> None:
    driver: Any = session.connection().connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f"copy {table} ({', '.join(columns)}) from stdin") as copy:
        for row in rows:
            copy.write_row(row)
