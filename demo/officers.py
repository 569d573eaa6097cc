"""The demo's organisations and one officer per post and level, with random passwords and one-time secrets.

The passwords exist twice: as Argon2 digests in the database, and in a file that only its owner can read, which the
demo prints at every start. Nothing is ever a default. （第二十三条、第三十条）
"""

import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import pyotp
import sqlalchemy as sa
from sqlmodel import Session

from demo.names import HAN, MONGOLIAN, a_name
from demo.people import AGRICULTURAL, COUNTY, PLACES, RURAL_CREDIT, SECOND_COUNTY, Bank
from models.base import REGION_CODE, county_of
from models.crypto import id_index
from models.divisions import Division
from models.officers import Officer, OfficerSecret, Post, Role
from models.organisations import Organisation, OrganisationKind
from models.payment_orders import AgentBank
from policies.identities import id_check
from workflows.sessions import hasher

FILE = "officers.json"
IN_POST_FROM = date(2024, 4, 2)
OFFICER_SEQUENCE = 990
"""Officers' fictitious identity numbers take the sequence code that the population leaves free."""
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without the letters and digits that are mistaken for each other."""

TOWNSHIP, DEPARTMENT, FINANCE, BANK, PLATFORM = (
    OrganisationKind.TOWNSHIP, OrganisationKind.DEPARTMENT, OrganisationKind.FINANCE, OrganisationKind.BANK,
    OrganisationKind.PLATFORM,
)  # fmt: skip
CLERK, REVIEWER, HEAD, AUDITOR, REGISTRAR = Role.CLERK, Role.REVIEWER, Role.HEAD, Role.AUDITOR, Role.REGISTRAR
DESKS = (CLERK, REVIEWER)
ADMINISTRATORS = (Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN, Role.AUDIT_ADMIN)
LEAGUE, SECOND_LEAGUE = "150400000000", "152500000000"


@dataclass(frozen=True)
class Office:
    """One organisation of the demo: where it is, what its people's logins begin with, and who sits there."""

    division_code: str
    kind: OrganisationKind
    suffix: str
    login: str
    roles: tuple[Role, ...]
    sector: str = ""
    telephone: str = ""
    bank: Bank | None = None
    """The agent bank whose branch this is."""
    staff: tuple[tuple[Role, str, str], ...] = ()
    """Township staff of one sector (第三十一条): role, sector, the end of the login."""


@dataclass(frozen=True)
class Account:
    """One demo account as it stands in the file."""

    login: str
    password: str
    totp_secret: str
    name: str
    post: str
    organisation: str
    division_code: str
    role: str


def _township(code: str, login: str, telephone: str, *, registrar: bool = False) -> Office:
    """Return a township of a clerk and a head; not every one has its 专职管理岗 yet. （第三十一条）"""
    roles = (CLERK, HEAD, REGISTRAR) if registrar else (CLERK, HEAD)
    staff = ((CLERK, "民政", "minzheng"),) if registrar else ()
    return Office(code, TOWNSHIP, "人民政府", login, roles, telephone=telephone, staff=staff)


def _county(code: str, login: str, telephone: str) -> tuple[Office, ...]:
    return (
        Office(code, DEPARTMENT, "农牧局", f"{login}.nongmu", DESKS, "农牧", f"{telephone}1"),
        Office(code, DEPARTMENT, "民政局", f"{login}.minzheng", DESKS, "民政", f"{telephone}2"),
        Office(code, FINANCE, "财政局", f"{login}.caizheng", (*DESKS, AUDITOR), telephone=f"{telephone}3"),
    )


OFFICES: tuple[Office, ...] = (
    _township(PLACES[0].code, "changsheng", "0476-4300011", registrar=True),
    _township(PLACES[1].code, "beizifu", "0476-4300021"),
    _township(PLACES[2].code, "aorunsumo", "0476-4300031"),
    *_county(COUNTY, "aohan", "0476-430010"),
    Office(COUNTY, BANK, "农村信用联社", "aohan.nongxin", DESKS, telephone="0476-4300201", bank=RURAL_CREDIT),
    Office(COUNTY, BANK, "农业银行支行", "aohan.nonghang", DESKS, telephone="0476-4300202", bank=AGRICULTURAL),
    _township(PLACES[3].code, "bieligutai", "0479-2300011", registrar=True),
    *_county(SECOND_COUNTY, "abaga", "0479-230010"),
    Office(SECOND_COUNTY, BANK, "农村信用联社", "abaga.nongxin", DESKS, telephone="0479-2300201", bank=RURAL_CREDIT),
    Office(LEAGUE, FINANCE, "财政局", "chifeng.caizheng", (*DESKS, AUDITOR), telephone="0476-8300001"),
    Office(LEAGUE, DEPARTMENT, "农牧局", "chifeng.nongmu", DESKS, "农牧", "0476-8300002"),
    Office(SECOND_LEAGUE, FINANCE, "财政局", "xilinguole.caizheng", (*DESKS, AUDITOR), telephone="0479-8300001"),
    Office(REGION_CODE, FINANCE, "财政厅", "zizhiqu.caizheng", (*DESKS, AUDITOR), telephone="0471-4300001"),
    Office(REGION_CODE, DEPARTMENT, "农牧厅", "zizhiqu.nongmu", DESKS, "农牧", "0471-4300002"),
    Office(REGION_CODE, DEPARTMENT, "民政厅", "zizhiqu.minzheng", DESKS, "民政", "0471-4300003"),
    Office(REGION_CODE, PLATFORM, "一卡通平台", "pingtai", ADMINISTRATORS, telephone="0471-4300009"),
)  # fmt: skip
SECOND_OF_ITS_KIND = {Role.SECURITY_ADMIN: 2}
"""What needs two people of one role: a policy change is enabled by another security administrator."""


def load_offices(session: Session, file: Path) -> None:
    """Add the organisations and their officers, and write the accounts to `file` before the caller commits."""
    places = _place_names(session)
    banks = dict(session.execute(sa.select(AgentBank.prefix, AgentBank.id)).tuples().all())  # type: ignore[call-overload]
    rows = [
        {
            "division_code": office.division_code,
            "name": places[office.division_code].name + office.suffix,
            "kind": office.kind,
            "level": places[office.division_code].level,
            "sector": office.sector,
            "telephone": office.telephone,
            "bank_id": banks[office.bank.prefix] if office.bank else None,
        }
        for office in OFFICES
    ]
    keys = _insert(session, Organisation, rows)
    seats = [
        (office, organisation, row["name"], role, sector, tail)
        for office, organisation, row in zip(OFFICES, keys, rows, strict=True)
        for role, sector, tail in _seats(office)
    ]
    random = Random(OFFICER_SEQUENCE)
    accounts, officers = [], []
    for place, (office, _, name, role, sector, tail) in enumerate(seats):
        account = _account(random, office, str(name), role, sector, tail)
        accounts.append(account)
        officers.append(_officer(account, _identity(place)))
    people = _insert(session, Officer, officers)
    session.execute(
        sa.insert(OfficerSecret),
        [_secret(account) | {"officer_id": officer} for officer, account in zip(people, accounts, strict=True)],
    )
    posts = [
        {
            "division_code": office.division_code,
            "officer_id": officer,
            "organisation_id": organisation,
            "role": role,
            "sector": sector,
            "valid_from": IN_POST_FROM,
        }
        for officer, (office, organisation, _, role, sector, _) in zip(people, seats, strict=True)
    ]
    session.execute(sa.insert(Post), posts)
    write_accounts(file, accounts)


def renew_accounts(session: Session, file: Path) -> None:
    """Give every demo officer a new password and secret: the file that held the former ones is gone."""
    rows = session.execute(
        sa.text(
            "select o.login, o.name, p.role, p.division_code, g.name as organisation from officers o"
            " join posts p on p.officer_id = o.id join organisations g on g.id = p.organisation_id order by o.id"
        )
    ).all()
    accounts = [_fresh(row.login, row.name, row.organisation, Role(row.role), row.division_code) for row in rows]
    keys = dict(session.execute(sa.select(Officer.login, Officer.id)).tuples().all())  # type: ignore[call-overload]
    for_update = [_secret(account) | {"wanted": keys[account.login]} for account in accounts]
    table = OfficerSecret.__table__  # type: ignore[attr-defined]
    session.connection().execute(sa.update(table).where(table.c.officer_id == sa.bindparam("wanted")), for_update)
    write_accounts(file, accounts)


def read_accounts(file: Path) -> list[Account]:
    """Return the accounts of the file. Raises OSError, ValueError, TypeError when it is absent or broken."""
    return [Account(**row) for row in json.loads(file.read_text(encoding="utf-8"))]


def write_accounts(file: Path, accounts: Sequence[Account]) -> None:
    """Write the accounts, readable by nobody else from the first byte; the file is whole or the former one."""
    half = file.with_suffix(".half")
    half.unlink(missing_ok=True)
    descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        json.dump([asdict(account) for account in accounts], stream, ensure_ascii=False, indent=1)
    half.replace(file)


def _seats(office: Office) -> list[tuple[Role, str, str]]:
    """Return the posts of an office: role, sector, the end of the login."""
    numbered = [(role, number) for role in office.roles for number in range(1, 1 + SECOND_OF_ITS_KIND.get(role, 1))]
    desks = [(role, "", role.value if number == 1 else f"{role.value}{number}") for role, number in numbered]
    return [*desks, *office.staff]


def _account(random: Random, office: Office, organisation: str, role: Role, sector: str, tail: str) -> Account:
    ethnicity = MONGOLIAN if random.random() < 0.3 else HAN
    name = a_name(random, random.choice("12"), ethnicity)
    fresh = _fresh(f"{office.login}.{tail}", name, organisation, role, office.division_code)
    return replace(fresh, post=f"{fresh.post}（{sector}）") if sector else fresh


def _fresh(login: str, name: str, organisation: str, role: Role, division_code: str) -> Account:
    password = "-".join("".join(secrets.choice(ALPHABET) for _ in range(4)) for _ in range(4))
    return Account(
        login=login,
        password=password,
        totp_secret=pyotp.random_base32(),
        name=name,
        post=f"{organisation}{role.label}",
        organisation=organisation,
        division_code=division_code,
        role=role.value,
    )


def _officer(account: Account, identity: str) -> dict[str, Any]:
    return {
        "division_code": account.division_code,
        "login": account.login,
        "name": account.name,
        "person": uuid4().hex,
        "person_index": id_index(identity),
    }


def _secret(account: Account) -> dict[str, Any]:
    return {"password_hash": hasher().hash(account.password), "totp_secret": account.totp_secret}


def _identity(place: int) -> str:
    body = f"{county_of(COUNTY)[:6]}{1975 + place % 20}{1 + place // 20 % 12:02d}01{OFFICER_SEQUENCE}"
    return body + id_check(body)


def _insert(session: Session, model: Any, rows: Sequence[dict[str, Any]]) -> list[int]:
    """Insert rows and return their keys in the same order."""
    return list(session.execute(sa.insert(model).returning(model.id, sort_by_parameter_order=True), rows).scalars())


def _place_names(session: Session) -> dict[str, Division]:
    codes = {office.division_code for office in OFFICES}
    found = session.execute(sa.select(Division).where(Division.code.in_(codes))).scalars()  # type: ignore[attr-defined]
    return {place.code: place for place in found}
