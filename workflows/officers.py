"""Officers' accounts: registered with the person behind them, suspended, restored, reset. （第二十三条、第三十条）

A password is made here, shown once, and kept only as a digest; it must be changed at the first login.
"""

import re
import secrets
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from models.crypto import id_index
from models.officers import ActingOfficer, Officer
from models.organisations import Organisation
from policies.enforcement import allow
from policies.identities import id_problem, normalise_id
from policies.moves import record_event
from policies.permissions import Permission
from policies.refusals import FasterColleague, NotFound, Refused
from workflows.posts import OrganisationClosed, require_another, require_reason
from workflows.reveals import Revealed
from workflows.sessions import end_all, hasher

NOUN = "officer"
LOGIN = re.compile(r"[a-z][a-z0-9._-]{2,39}")
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without the letters and digits that are mistaken for each other."""
PARTS, PART_LENGTH = 4, 5
SAME_PERSON = "该身份证号码已登记过账号：两个账号按同一自然人执行岗位不相容和“同一事项一人一岗”的限制。"
NEW_PERSON = "首次登记。"


class OfficerInvalid(Refused):
    """用户的“{field}”填写有误：{problem}，请更正后再保存。"""

    status_code = 400


class LoginTaken(Refused):
    """登录名 {login} 已被使用，请另取一个。"""


class AlreadySo(Refused):
    """{officer}的账号已经是“{state}”状态，不需要重复办理。"""


class PeerFactor(Refused):
    """{officer}是安全管理员，动态口令只能由运维人员用命令 reset-officer 重置，防止一人兼掌两人权限（第二十三条）。"""

    status_code = 403


def first_password() -> str:
    """Return a random password that can be read out and typed: four groups of five, about 99 bits."""
    groups = ("".join(secrets.choice(ALPHABET) for _ in range(PART_LENGTH)) for _ in range(PARTS))
    return "-".join(groups)


def register(
    session: Session, *, by: ActingOfficer, login: str, name: str, id_number: str, organisation_id: str
) -> Revealed:
    """Register an officer's account; whoever has one already is recognised as the same person. （第二十三条）

    The message says so and no more: neither the other account nor where it is. Raises NotAllowed, OfficerInvalid,
    LoginTaken, NotFound, OrganisationClosed, OwnAccount.
    """
    allow(session, by, Permission.OFFICER_REGISTER)
    wanted, index = valid_login(login), valid_person(name, id_number)
    organisation = _organisation(session, organisation_id)
    password = first_password()
    hashed = hasher().hash(password)
    person = session.execute(sa.text("select person_of(:index)"), {"index": index}).scalar_one()
    if person is not None:
        require_another(person, by, "本人账号")
    officer = Officer(
        division_code=organisation.division_code,
        login=wanted,
        name=name.strip(),
        person=person or uuid4().hex,
        person_index=index,
    )
    try:
        with session.begin_nested():
            session.add(officer)
    except IntegrityError as taken:
        raise LoginTaken(login=wanted) from taken
    session.execute(sa.text("select credentials_issue(:officer, :hash)"), {"officer": officer.id, "hash": hashed})
    facts = {"same_person": person is not None, "organisation": organisation.name}
    record_event(session, officer, "register", by=by, label="登记用户", noun=NOUN, facts=facts)
    return _once(officer, password, ("自然人", SAME_PERSON if person else NEW_PERSON))


def suspend(session: Session, officer: Officer, *, by: ActingOfficer, reason: str) -> Officer:
    """Suspend an account: it can't log in and every session of it ends at once. （第二十三条）

    Raises NotFound, NotAllowed, OwnAccount, ReasonMissing, AlreadySo.
    """
    _switch(session, officer, False, by, "停用账号", require_reason("停用账号", reason))
    end_all(session, _key(officer))
    return officer


def restore(session: Session, officer: Officer, *, by: ActingOfficer, reason: str) -> Officer:
    """Let a suspended account log in again. （第二十三条） Raises as `suspend`."""
    return _switch(session, officer, True, by, "恢复账号", require_reason("恢复账号", reason))


def reset_password(session: Session, officer: Officer, *, by: ActingOfficer, reason: str) -> Revealed:
    """Issue a new first password, shown once, and end every session. （第三十条）

    Raises NotFound, NotAllowed, OwnAccount, ReasonMissing.
    """
    words = _allow_other(session, officer, by, Permission.OFFICER_RESET, "重置口令", reason)
    password = first_password()
    hashed = hasher().hash(password)
    session.execute(sa.text("select credentials_issue(:officer, :hash)"), {"officer": officer.id, "hash": hashed})
    end_all(session, _key(officer))
    record_event(session, officer, "reset_password", by=by, label="重置口令", noun=NOUN, opinion=words)
    return _once(officer, password)


def reset_second_factor(session: Session, officer: Officer, *, by: ActingOfficer, reason: str) -> Officer:
    """Forget a lost second factor: the next login enrols a new one. （第三十条）

    Raises NotFound, NotAllowed, OwnAccount, ReasonMissing, PeerFactor.
    """
    words = _allow_other(session, officer, by, Permission.OFFICER_RESET, "重置动态口令", reason)
    peer = sa.text(
        "select 1 from posts where officer_id = :id and role = 'security_admin' and status in ('proposed', 'in_force')"
    )
    if session.execute(peer, {"id": officer.id}).first() is not None:
        raise PeerFactor(officer=officer.name)
    session.execute(sa.text("select second_factor_forget(:officer)"), {"officer": officer.id})
    end_all(session, _key(officer))
    record_event(session, officer, "reset_second_factor", by=by, label="重置动态口令", noun=NOUN, opinion=words)
    return officer


def valid_login(login: str) -> str:
    """Return the login name. Raises OfficerInvalid."""
    wanted = login.strip()
    if not LOGIN.fullmatch(wanted):
        raise OfficerInvalid(field="登录名", problem="应为小写字母开头的 3–40 位小写字母、数字、点、下划线或 -")
    return wanted


def valid_person(name: str, id_number: str) -> bytes:
    """Return the blind index of a valid ID number; the number itself goes no further. Raises OfficerInvalid."""
    if not 2 <= len(name.strip()) <= 40:
        raise OfficerInvalid(field="姓名", problem="应为 2–40 个字")
    number = normalise_id(id_number)
    problem = id_problem(number)
    if problem:
        raise OfficerInvalid(field="身份证号码", problem=problem)
    return id_index(number)


def _organisation(session: Session, key: str) -> Organisation:
    text = str(key)
    found = session.get(Organisation, int(text)) if text.isascii() and text.isdigit() and len(text) < 19 else None
    if found is None:
        raise NotFound
    if found.closed_on is not None:
        raise OrganisationClosed(organisation=found.name)
    return found


def _allow_other(
    session: Session, officer: Officer, by: ActingOfficer, permission: Permission, step: str, reason: str
) -> str:
    allow(session, by, permission, officer)
    require_another(officer.person, by, "本人账号")
    return require_reason(step, reason)


def _switch(session: Session, officer: Officer, active: bool, by: ActingOfficer, label: str, words: str) -> Officer:
    allow(session, by, Permission.OFFICER_SUSPEND, officer)
    require_another(officer.person, by, "本人账号")
    if officer.active == active:
        raise AlreadySo(officer=officer.name, state="在用" if active else "停用")
    table: Any = Officer
    statement = sa.update(Officer).where(table.id == officer.id, table.active == (not active)).values(active=active)
    if session.execute(statement).rowcount == 0:  # type: ignore[attr-defined]
        raise FasterColleague(title=f"{officer.name}的账号")
    session.refresh(officer)
    verb = "restore" if active else "suspend"
    record_event(session, officer, verb, by=by, label=label, noun=NOUN, opinion=words)
    return officer


def _key(officer: Officer) -> int:
    assert officer.id is not None  # a row that PostgreSQL has given has its number
    return officer.id


def _once(officer: Officer, password: str, *more: tuple[str, str]) -> Revealed:
    values = (("登录名", officer.login), ("姓名", officer.name), ("初始口令（仅显示这一次）", password), *more)
    return Revealed("初始口令", values)
