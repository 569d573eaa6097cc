"""The very beginning: the platform and its first two security administrators, and nothing else. （第二十三条）

As the database's owner, once: from these two everything else is built through the verbs, each act by one of them and
confirmed by the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import uuid4

import pyotp
import sqlalchemy as sa
from sqlmodel import Session, select

from models.base import REGION_CODE
from models.divisions import Division, Level
from models.officers import ActingOfficer, Officer, OfficerSecret, Post, Role, system_principal
from models.organisations import Organisation, OrganisationKind
from policies.clock import today
from policies.moves import record_event
from policies.refusals import Refused
from workflows.officers import LoginTaken, OfficerInvalid, first_password, valid_login, valid_person
from workflows.sessions import end_all, hasher

PLATFORM = "一卡通平台"
FOUNDERS = 2


class BegunAlready(Refused):
    """系统已设立过安全管理员，不能再次初始化；请由现任安全管理员登记用户、拟任岗位。"""


class FoundersWrong(Refused):
    """首任安全管理员必须是两名不同的人员：{problem}。"""

    status_code = 400


class DivisionsMissing(Refused):
    """还没有区划数据，请先执行 yikatong migrate。"""


class OfficerUnknown(Refused):
    """没有登录名为 {login} 的用户，请核对后再试。"""


@dataclass(frozen=True)
class Founder:
    """Who is to be one of the first two."""

    login: str
    name: str
    id_number: str


@dataclass(frozen=True, repr=False)
class Credentials:
    """What is printed once."""

    login: str
    name: str
    password: str
    totp_secret: str


def require_unbegun(session: Session) -> None:
    """Refuse when any security administrator is, or has ever been, there. Raises BegunAlready, DivisionsMissing."""
    session.execute(sa.text("lock table posts in share row exclusive mode"))  # of two who begin at once one is told
    held = session.execute(sa.text("select 1 from posts where role = 'security_admin' limit 1"))
    if held.first() is not None:
        raise BegunAlready
    if session.get(Division, REGION_CODE) is None:
        raise DivisionsMissing


def bootstrap(session: Session, founders: Sequence[Founder]) -> list[Credentials]:
    """Make the platform and its first two security administrators, in the owner's session. （第二十三条）

    Raises BegunAlready, DivisionsMissing, FoundersWrong, OfficerInvalid, LoginTaken.
    """
    require_unbegun(session)
    if len(founders) != FOUNDERS:
        raise FoundersWrong(problem=f"应为 {FOUNDERS} 人")
    logins = [valid_login(one.login) for one in founders]
    indexes = [valid_person(one.name, one.id_number) for one in founders]
    if len(set(logins)) < FOUNDERS or len(set(indexes)) < FOUNDERS:
        raise FoundersWrong(problem="登录名和身份证号码都不能相同")
    by = system_principal(REGION_CODE, Level.REGION, "系统初始化")
    platform = _platform(session)
    day = today(session)
    return [
        _found(session, platform, login, one.name.strip(), index, day, by)
        for login, one, index in zip(logins, founders, indexes, strict=True)
    ]


def reset(session: Session, login: str) -> Credentials:
    """Give an officer a new first password and second factor, in the owner's session. （第三十条）

    What no security administrator may do to a peer, whoever keeps the server does, on record. Raises OfficerUnknown.
    """
    officer = session.exec(select(Officer).where(Officer.login == login)).one_or_none()
    if officer is None or officer.id is None:
        raise OfficerUnknown(login=login)
    fresh = _fresh(login, officer.name)
    session.merge(_secret(officer.id, fresh))
    end_all(session, officer.id)
    by = system_principal(REGION_CODE, Level.REGION, "命令行")
    record_event(session, officer, "reset_by_operator", by=by, label="运维人员重置登录凭据", noun="officer")
    return fresh


def _platform(session: Session) -> Organisation:
    found = session.exec(
        select(Organisation).where(
            Organisation.kind == OrganisationKind.PLATFORM, Organisation.division_code == REGION_CODE
        )
    ).one_or_none()
    if found is not None:
        return found
    made = Organisation(
        division_code=REGION_CODE, name=PLATFORM, kind=OrganisationKind.PLATFORM, level=Level.REGION, telephone=""
    )
    session.add(made)
    session.flush()
    return made


def _found(
    session: Session,
    platform: Organisation,
    login: str,
    name: str,
    index: bytes,
    day: date,
    by: ActingOfficer,
) -> Credentials:
    if session.execute(sa.text("select 1 from officers where login = :login"), {"login": login}).first():
        raise LoginTaken(login=login)
    person = session.execute(sa.text("select person_of(:index)"), {"index": index}).scalar_one()
    officer = Officer(
        division_code=REGION_CODE, login=login, name=name, person=person or uuid4().hex, person_index=index
    )
    session.add(officer)
    session.flush()
    assert officer.id is not None and platform.id is not None  # flushed rows have their numbers
    fresh = _fresh(login, name)
    session.add(_secret(officer.id, fresh))
    post = Post(
        division_code=REGION_CODE,
        officer_id=officer.id,
        organisation_id=platform.id,
        role=Role.SECURITY_ADMIN,
        valid_from=day,
    )
    session.add(post)
    session.flush()
    record_event(session, post, "bootstrap", by=by, label="系统初始化：首任安全管理员", noun="post")
    return fresh


def _fresh(login: str, name: str) -> Credentials:
    return Credentials(login, name, first_password(), pyotp.random_base32())


def _secret(officer_id: int, fresh: Credentials) -> OfficerSecret:
    return OfficerSecret(
        officer_id=officer_id,
        password_hash=hasher().hash(fresh.password),
        totp_secret=fresh.totp_secret,
        must_change=True,
    )


__all__ = ["BegunAlready", "Credentials", "Founder", "OfficerInvalid", "bootstrap", "require_unbegun", "reset"]
