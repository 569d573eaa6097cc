"""The world of the tests: organisations and officers of two counties in two leagues, and numbers for people in it."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import count
from uuid import uuid4

import pyotp
import sqlalchemy as sa
from sqlmodel import Session

from models.crypto import id_index
from models.divisions import Division
from models.officers import ActingOfficer, Officer, OfficerSecret, Post, Role
from models.organisations import Organisation, OrganisationKind
from policies.clock import today
from policies.identities import id_check, luhn_digit
from workflows.list_adoption import adopt_lists
from workflows.queue import officer_from
from workflows.sessions import hasher

COUNTY, OTHER_COUNTY = "150430000000", "152522000000"
LEAGUE, OTHER_LEAGUE, REGION = "150400000000", "152500000000", "150000000000"
TOWNSHIP, SECOND_TOWNSHIP, OTHER_TOWNSHIP = "150430102000", "150430103000", "152522100000"
PASSWORD = "Ykt-test-2024"
TOTP_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
NUMBERS = count(1)
LISTED_SINCE = 2023
"""From this year to the present one every county of the world has a list of everything the library has."""
SURNAMES, GIVEN = "王李张刘陈杨赵孙", "国建秀兰玉海桂春明志红军"


def key(value: int | None) -> int:
    """Return the surrogate key of a flushed row."""
    assert value is not None
    return value


@dataclass(frozen=True)
class Office:
    """One organisation and the officers who sit in it; a post that nobody holds there is None."""

    organisation_id: int
    division_code: str
    clerk: ActingOfficer
    reviewer: ActingOfficer
    head: ActingOfficer
    auditor: ActingOfficer
    second_clerk: ActingOfficer


@dataclass(frozen=True)
class County:
    """The organisations of one county; `township` is the first, `second_township` the other."""

    code: str
    township: Office
    second_township: Office
    department: Office
    """农牧局"""
    civil_affairs: Office
    """民政局"""
    finance: Office
    bank: Office
    """The county's branch of the first agent bank."""


@dataclass(frozen=True)
class World(County):
    """敖汉旗 in 赤峰市 with all its desks, 阿巴嘎旗 in 锡林郭勒盟, and the levels above."""

    other_county: County
    league_finance: Office
    league_department: Office
    other_league_finance: Office
    region_finance: Office
    region_department: Office
    system_admin: ActingOfficer
    security_admin: ActingOfficer
    second_security_admin: ActingOfficer
    audit_admin: ActingOfficer

    @property
    def league(self) -> ActingOfficer:
        """The clerk of the league's finance bureau."""
        return self.league_finance.clerk

    @property
    def region(self) -> ActingOfficer:
        """The clerk of the region's finance department."""
        return self.region_finance.clerk

    @property
    def everyone(self) -> tuple[ActingOfficer, ...]:
        """Every officer of this world, without doubles."""
        found: dict[int, ActingOfficer] = {}
        for holder in (self, self.other_county):
            for value in vars(holder).values():
                members = vars(value).values() if isinstance(value, Office) else [value]
                found |= {person.post_id: person for person in members if isinstance(person, ActingOfficer)}
        return tuple(found.values())


def build_world(session: Session) -> World:
    """Make the organisations and officers of the world; every officer's password is PASSWORD."""
    hashed = hasher().hash(PASSWORD)
    region_platform = _office(session, hashed, REGION, OrganisationKind.PLATFORM, "platform")
    admins = {
        role.value: _officer(session, hashed, region_platform, role, role.value)
        for role in (Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN, Role.AUDIT_ADMIN)
    }
    finance, department = OrganisationKind.FINANCE, OrganisationKind.DEPARTMENT
    other = _county(session, hashed, OTHER_COUNTY, (OTHER_TOWNSHIP, "152522101000"), "abg")
    second_security = _officer(session, hashed, region_platform, Role.SECURITY_ADMIN, "security_admin2")
    adopt_lists(session, [COUNTY, OTHER_COUNTY], listed_years(session))
    return World(
        second_security_admin=second_security,
        **vars(_county(session, hashed, COUNTY, (TOWNSHIP, SECOND_TOWNSHIP), "ah")),
        other_county=other,
        league_finance=_staffed(session, hashed, LEAGUE, finance, "cf.cz"),
        league_department=_staffed(session, hashed, LEAGUE, department, "cf.nm", "农牧"),
        other_league_finance=_staffed(session, hashed, OTHER_LEAGUE, finance, "xl.cz"),
        region_finance=_staffed(session, hashed, REGION, finance, "nmg.cz"),
        region_department=_staffed(session, hashed, REGION, department, "nmg.nm", "农牧"),
        **admins,
    )


def listed_years(session: Session) -> list[int]:
    """Return the years whose lists are there."""
    return list(range(LISTED_SINCE, today(session).year + 1))


def _county(session: Session, hashed: str, code: str, townships: tuple[str, str], login: str) -> County:
    finance, department = OrganisationKind.FINANCE, OrganisationKind.DEPARTMENT
    first, second = (
        _staffed(session, hashed, township, OrganisationKind.TOWNSHIP, f"{login}.t{number}")
        for number, township in enumerate(townships, 1)
    )
    return County(
        code=code,
        township=first,
        second_township=second,
        department=_staffed(session, hashed, code, department, f"{login}.nm", "农牧"),
        civil_affairs=_staffed(session, hashed, code, department, f"{login}.mz", "民政"),
        finance=_staffed(session, hashed, code, finance, f"{login}.cz"),
        bank=_staffed(session, hashed, code, OrganisationKind.BANK, f"{login}.yh", bank_id=1),
    )


def _office(
    session: Session, hashed: str, code: str, kind: OrganisationKind, login: str, sector: str = "", bank_id: int = 0
) -> int:
    place = session.get_one(Division, code)
    suffix = {"finance": "财政局", "department": f"{sector}局", "township": "人民政府", "platform": "一卡通平台",
              "bank": "代理银行支行"}[kind]  # fmt: skip
    organisation = Organisation(
        division_code=code, name=f"{place.name}{suffix}", kind=kind, level=place.level, sector=sector,
        bank_id=bank_id or None, telephone="0476-4300000",
    )  # fmt: skip
    session.add(organisation)
    session.flush()
    return key(organisation.id)


def _staffed(
    session: Session, hashed: str, code: str, kind: OrganisationKind, login: str, sector: str = "", bank_id: int = 0
) -> Office:
    office = _office(session, hashed, code, kind, login, sector, bank_id)
    roles = {"clerk": Role.CLERK, "reviewer": Role.REVIEWER, "head": Role.HEAD, "auditor": Role.AUDITOR}
    people = {name: _officer(session, hashed, office, role, f"{login}.{name}") for name, role in roles.items()}
    second = _officer(session, hashed, office, Role.CLERK, f"{login}.clerk2")
    return Office(office, code, second_clerk=second, **people)


def _officer(session: Session, hashed: str, organisation_id: int, role: Role, login: str) -> ActingOfficer:
    organisation = session.get_one(Organisation, organisation_id)
    officer = Officer(
        division_code=organisation.division_code, login=login, name=a_name(), person=uuid4().hex,
        person_index=id_index(an_id_number()),
    )  # fmt: skip
    session.add(officer)
    session.flush()
    session.add(OfficerSecret(officer_id=key(officer.id), password_hash=hashed, totp_secret=TOTP_SECRET))
    post = Post(
        division_code=organisation.division_code, officer_id=key(officer.id), organisation_id=organisation_id,
        role=role, valid_from=date(2024, 1, 1),
    )  # fmt: skip
    session.add(post)
    session.flush()
    row = session.execute(
        sa.text("select * from officer_in_post(:post, :day)"), {"post": post.id, "day": today(session)}
    )
    return officer_from(session, row.one())


def second_account(session: Session, officer: ActingOfficer, organisation_id: int, role: Role) -> ActingOfficer:
    """Give the same person another login with another post: what the same-person check must see through."""
    twin = _officer(session, hasher().hash(PASSWORD), organisation_id, role, f"twin.{next(NUMBERS)}")
    row = session.get_one(Officer, twin.officer_id)
    first = session.get_one(Officer, officer.officer_id)
    row.person, row.person_index = first.person, first.person_index
    # Past the net of incompatible posts, as an account that is recognised as the same person's only afterwards.
    session.execute(sa.text("set local session_replication_role = replica"))
    session.flush()
    session.execute(sa.text("set local session_replication_role = origin"))
    return replace(twin, person=officer.person)


def an_officer(session: Session, division_code: str, *, person_of: ActingOfficer | None = None) -> Officer:
    """Register an account without any post, of a new person or of somebody who has one already."""
    number = next(NUMBERS)
    officer = Officer(
        division_code=division_code, login=f"new.{number}", name=a_name(), person=uuid4().hex,
        person_index=id_index(an_id_number()),
    )  # fmt: skip
    if person_of is not None:
        first = session.get_one(Officer, person_of.officer_id)
        officer.person, officer.person_index = first.person, first.person_index
    session.add(officer)
    session.flush()
    session.add(OfficerSecret(officer_id=key(officer.id), password_hash=hasher().hash(PASSWORD)))
    session.flush()
    return officer


def login_name(session: Session, officer: ActingOfficer) -> str:
    """Return the login of an officer of the world."""
    return session.get_one(Officer, officer.officer_id).login


def totp_code() -> str:
    """Return the one-time code that is valid at this moment for every officer of the world."""
    return pyotp.TOTP(TOTP_SECRET).now()


def an_id_number(born: date | None = None, county: str = COUNTY) -> str:
    """Return a fresh valid GB 11643 number of a fictitious person of the county."""
    number = next(NUMBERS)
    day = born or date(1955, 1, 1) + timedelta(days=number * 7 % 15000)
    body = f"{county[:6]}{day:%Y%m%d}{number % 1000:03d}"
    return body + id_check(body)


def a_card_number(prefix: str = "621737") -> str:
    """Return a fresh 19-digit card number that passes Luhn."""
    body = f"{prefix}{next(NUMBERS):012d}"
    return body + luhn_digit(body)


def a_name() -> str:
    """Return a plausible Han name."""
    number = next(NUMBERS)
    return SURNAMES[number % 8] + GIVEN[number % 12] + GIVEN[number * 7 // 12 % 12]
