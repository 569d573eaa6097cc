"""A township of any size for the measures: households, heads and cards, written by COPY; a throw-away database."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlmodel import Session, select

from models.accounts import Account
from models.base import county_of
from models.cluster import Cluster
from models.crypto import make_key_file, ring
from models.database import forget_engines
from models.households import Household, Member
from models.officers import ActingOfficer
from models.projects import ProjectStandard, SubsidyProject
from policies.identities import id_check, luhn_digit, name_key
from tests.conftest import address, migrate, owner_session, point_at, statement
from tests.factories import build_world
from workflows import reference_data

LAND_CODE = "2130122"
BANK, BANK_CODE = "内蒙古农村信用社", "402191000008"


@dataclass(frozen=True)
class Township:
    """A settled township: one head with one card per household, numbered without gaps."""

    clerk: ActingOfficer
    project_id: int
    size: int
    first_household: int
    first_member: int
    first_account: int

    def rows(self) -> Iterator[dict[str, Any]]:
        """Return the rows of its roster of the land subsidy."""
        for place in range(self.size):
            milli = 3_000 + place * 7 % 20_000
            name = _name(place)
            yield {
                "sequence": place + 1, "village": f"第{place // 500 + 1}嘎查", "group_name": f"{place % 9 + 1}组",
                "name": name, "id_number": _id_number(place), "contracted_area": 30.0, "quantity": milli / 1000,
                "standard": 15.0, "amount": ((milli * 1500 + 500) // 1000) / 100, "payee_name": name,
                "account_number": _card(place), "bank_name": BANK, "phone": "13800000001",
            }  # fmt: skip


@contextmanager
def throw_away_database() -> Iterator[str]:
    """Start a cluster in a temporary folder with the schema, the reference data and the world of the tests."""
    folder = Path(tempfile.mkdtemp(prefix="ykt-"))
    folder.chmod(0o711)
    keys = folder / "keys.json"
    make_key_file(keys)
    try:
        with Cluster(folder, "18", durable=False) as server:
            statement(server, "create database bench")
            url = address(server, "bench")
            point_at(url, keys)
            migrate()
            with owner_session(url) as session:
                reference_data.load(session)
            yield url
            forget_engines()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def settled_township(size: int) -> Iterator[Township]:
    """Settle a township of `size` households in a throw-away database."""
    with throw_away_database() as url:
        with owner_session(url) as session:
            clerk = build_world(session).township.clerk
            project = session.exec(select(SubsidyProject).where(SubsidyProject.code == LAND_CODE)).one()
            session.add(
                ProjectStandard(
                    division_code=county_of(clerk.division_code), project_id=project.id or 0, standard_yuan=15,
                    valid_from=date(2024, 1, 1),
                )
            )  # fmt: skip
            session.flush()
            firsts = _settle(session, clerk.division_code, size)
        with owner_session(url) as session:
            session.execute(sa.text("analyze"))
        yield Township(clerk, project.id or 0, size, *firsts)


def _settle(session: Session, code: str, size: int) -> tuple[int, int, int]:
    county, keys = county_of(code), ring()
    firsts = []
    for table in (Household, Member, Account):
        name = f"{table.__tablename__}_id_seq"
        firsts.append(session.execute(sa.text("select nextval(cast(:name as regclass))"), {"name": name}).scalar_one())
        session.execute(
            sa.text("select setval(cast(:name as regclass), :last)"), {"name": name, "last": firsts[-1] + size}
        )
    homes, heads, cards = firsts
    people = range(size)
    _copy(session, "households", "id, division_code, county_code, number, head_name, village_code, village, group_name,"
          " address", ((homes + p, code, county, f"B{p:08d}", _name(p), "", "", "", "") for p in people))  # fmt: skip
    _copy(
        session, "members", "id, division_code, county_code, household_id, name, name_key, id_number, id_index,"
        " birth_date, sex, relation, ethnicity, status, added_on",
        ((heads + p, code, county, homes + p, _name(p), name_key(_name(p)), keys.seal(_id_number(p)),
          keys.index("id", _id_number(p)), _born(p), "1", "02", "01", "alive", date(2024, 5, 1)) for p in people),
    )  # fmt: skip
    _copy(
        session, "accounts", "id, division_code, county_code, member_id, number, number_index, bank_name, bank_code,"
        " is_card, is_payment, status, version, answer, registered_by",
        ((cards + p, code, county, heads + p, keys.seal(_card(p)), keys.index("account", _card(p)), BANK, BANK_CODE,
          True, True, "verified", 1, "", 0) for p in people),
    )  # fmt: skip
    return homes, heads, cards


def _copy(session: Session, table: str, columns: str, rows: Iterator[tuple[Any, ...]]) -> None:
    driver = session.connection().connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    with driver.cursor() as cursor, cursor.copy(f"copy {table} ({columns}) from stdin".encode()) as copy:
        for row in rows:
            copy.write_row(row)


def _born(place: int) -> date:
    return date(1950, 1, 1) + timedelta(days=place // 1000 * 37)


def _id_number(place: int) -> str:
    body = f"150430{_born(place):%Y%m%d}{place % 1000:03d}"
    return body + id_check(body)


def _card(place: int) -> str:
    body = f"621737{place:012d}"
    return body + luhn_digit(body)


def _name(place: int) -> str:
    return (
        "王李张刘陈杨赵孙周吴"[place % 10]
        + "建秀玉海桂春明志国红"[place // 10 % 10]
        + "国兰英山花军梅林芳强"[place // 100 % 10]
    )
