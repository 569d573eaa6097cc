"""Posts: proposed by one security administrator, confirmed by another, never for oneself. （第二十三、二十四条）"""

from collections.abc import Callable
from datetime import date, timedelta
from typing import TypeVar

import sqlalchemy as sa
from sqlmodel import Session

from models.base import REGION_CODE
from models.officers import ActingOfficer, Officer, Post, PostStatus, Role
from models.organisations import Organisation, OrganisationKind
from policies.clock import today
from policies.duties import require_compatible
from policies.enforcement import allow
from policies.lifecycles import Desk
from policies.lifecycles.posts import ROLES_OF
from policies.moves import begin, move
from policies.permissions import Permission
from policies.refusals import NotFound, ReasonMissing, Refused

SHORTEST_REASON = 2
Row = TypeVar("Row", Officer, Organisation)


class OwnAccount(Refused):
    """不能办理涉及本人的事项（{subject}），请由另一名管理员办理（第二十三条）。"""

    status_code = 403


class PostUnfit(Refused):
    """{organisation}（{kind}）不设{role}，请选择：{roles}。"""

    status_code = 400


class PostDatesWrong(Refused):
    """任职起止日期有误：{problem}；请更正后提交。"""

    status_code = 400


class OfficerSuspended(Refused):
    """{officer}的账号已停用，不能任职；需要时请先恢复账号。"""


class OrganisationClosed(Refused):
    """{organisation}已撤销，不能在该机构任职。"""


class PostHeld(Refused):
    """{officer}在这段时间已任或拟任{organisation}{role}，不必重复拟任。"""


def propose(
    session: Session,
    *,
    by: ActingOfficer,
    officer_id: str,
    organisation_id: str,
    role: str,
    valid_from: date,
    valid_to: date | None = None,
    sector: str = "",
) -> Post:
    """Propose somebody for a post; it carries no right until another security administrator confirms it. （第二十三条）

    Raises NotAllowed, NotFound, OwnAccount, OfficerSuspended, OrganisationClosed, PostUnfit, PostDatesWrong, PostHeld,
    DutiesCollide.
    """
    allow(session, by, Permission.POST_PROPOSE)
    officer = _one(session, Officer, officer_id)
    organisation = _one(session, Organisation, organisation_id)
    wanted = Role(role) if role in list(Role) else Role.SYSTEM
    require_another(officer.person, by, "本人任职")
    _require_fit(officer, organisation, wanted)
    _require_dates(session, valid_from, valid_to)
    require_compatible(session, officer.person, wanted, _key(organisation.id), valid_from, valid_to)
    _require_free(session, officer, organisation, wanted, valid_from, valid_to)
    post = Post(
        division_code=organisation.division_code,
        officer_id=_key(officer.id),
        organisation_id=_key(organisation.id),
        role=wanted,
        sector=sector.strip() if organisation.kind == OrganisationKind.TOWNSHIP else "",
        valid_from=valid_from,
        valid_to=valid_to,
        organisation=organisation.name,
        holder=officer.name,
        status=PostStatus.PROPOSED,
        proposed_by=by.person,
    )
    _widen_home(session, officer, organisation.division_code)
    facts = {"from": valid_from.isoformat(), "to": valid_to.isoformat() if valid_to else "", "role": str(wanted)}
    return begin(session, post, by=by, label="拟任岗位", desk=Desk.SECURITY_DRAFTER, facts=facts)


def confirm(session: Session, post: Post, *, by: ActingOfficer) -> Post:
    """Put a post into force that another security administrator has proposed. （第二十三条）

    Raises NotFound, NotAllowed, StepNotPossible, OwnAccount, SamePersonTwice, PostDatesWrong, OfficerSuspended,
    DutiesCollide, FasterColleague.
    """
    allow(session, by, Permission.POST_CONFIRM, post)
    officer = session.get_one(Officer, post.officer_id)
    require_another(officer.person, by, "本人任职")
    if not officer.active:
        raise OfficerSuspended(officer=officer.name)
    if post.valid_to is not None and post.valid_to < today(session):
        raise PostDatesWrong(problem="任职止日已过")
    require_compatible(
        session, officer.person, post.role, post.organisation_id, post.valid_from, post.valid_to, post_id=_key(post.id)
    )
    return move(session, post, "confirm", by=by)


def refuse(session: Session, post: Post, *, by: ActingOfficer, reason: str) -> Post:
    """Refuse a proposed post. （第二十三条） Raises NotFound, NotAllowed, StepNotPossible, SamePersonTwice."""
    allow(session, by, Permission.POST_CONFIRM, post)
    return move(session, post, "refuse", by=by, opinion=require_reason("不同意任职", reason))


def withdraw(session: Session, post: Post, *, by: ActingOfficer) -> Post:
    """Take one's own proposal back. （第二十三条） Raises NotFound, NotAllowed, StepNotPossible."""
    allow(session, by, Permission.POST_PROPOSE, post)
    return move(session, post, "withdraw", by=by)


def end(session: Session, post: Post, *, by: ActingOfficer, reason: str) -> Post:
    """End a post at once: taking rights away needs one administrator, never for oneself. （第二十三条）

    Its delegations end with it, and so does every session in it. Raises NotFound, NotAllowed, StepNotPossible,
    OwnAccount, FasterColleague.
    """
    allow(session, by, Permission.POST_END, post)
    require_another(session.get_one(Officer, post.officer_id).person, by, "本人任职")
    move(session, post, "end", by=by, opinion=require_reason("终止任职", reason))
    day = today(session)
    if post.valid_to is None or post.valid_to > day:
        post.valid_to = max(day, post.valid_from)
        session.add(post)
        session.flush()
    return post


def ends_on(session: Session, day: date) -> date:
    """Return the first day on which a post that ends on `day` is free for a successor."""
    return max(day + timedelta(days=1), today(session))


def require_another(person: str, by: ActingOfficer, subject: str) -> None:
    """Let nobody decide about themselves, over all their accounts (DESIGN D4c). Raises OwnAccount."""
    if person == by.person:
        raise OwnAccount(subject=subject)


def require_reason(step: str, reason: str) -> str:
    """Return the reason without blanks around it. Raises ReasonMissing."""
    words = reason.strip()
    if len(words) < SHORTEST_REASON:
        raise ReasonMissing(step=step, field="原因")
    return words


def _require_fit(officer: Officer, organisation: Organisation, role: Role) -> None:
    if not officer.active:
        raise OfficerSuspended(officer=officer.name)
    if organisation.closed_on is not None:
        raise OrganisationClosed(organisation=organisation.name)
    roles = ROLES_OF[organisation.kind]
    if role not in roles:
        labels = "、".join(one.label for one in roles)
        kind = organisation.kind.label
        raise PostUnfit(organisation=organisation.name, kind=kind, role=role.label, roles=labels)


def _require_dates(session: Session, valid_from: date, valid_to: date | None) -> None:
    if valid_from < today(session):
        raise PostDatesWrong(problem="任职起不能早于今天")
    if valid_to is not None and valid_to < valid_from:
        raise PostDatesWrong(problem="任职止早于任职起")


def _require_free(
    session: Session, officer: Officer, organisation: Organisation, role: Role, since: date, until: date | None
) -> None:
    statement = sa.text(
        "select 1 from posts where officer_id = :officer and organisation_id = :organisation and role = :role"
        " and status in ('proposed', 'in_force')"
        " and daterange(valid_from, valid_to, '[]') && daterange(:since, :until, '[]') limit 1"
    ).bindparams(sa.bindparam("since", type_=sa.Date), sa.bindparam("until", type_=sa.Date))
    asked = {"officer": officer.id, "organisation": organisation.id, "role": role, "since": since, "until": until}
    if session.execute(statement, asked).first() is not None:
        raise PostHeld(officer=officer.name, organisation=organisation.name, role=role.label)


def _one(session: Session, model: type[Row], key: str) -> Row:
    """Return the row of a number that a form sent, in the caller's range. Raises NotFound."""
    text = str(key)
    found = session.get(model, int(text)) if text.isascii() and text.isdigit() and len(text) < 19 else None
    if found is None:
        raise NotFound
    return found


def _widen_home(session: Session, officer: Officer, division_code: str) -> None:
    """Let the officer belong to the lowest division above all their posts: who is transferred stays one account."""
    home = officer.division_code
    while not division_code.startswith(stem := _stem(home)):
        home = ABOVE[len(stem)](home)
    if home != officer.division_code:
        officer.division_code = home
        session.add(officer)
        session.flush()


def _stem(code: str) -> str:
    """Return the digits that every division beneath shares; none for the region."""
    if code == REGION_CODE:
        return ""
    return next(code[:length] for length in (4, 6, 9, 12) if not code[length:].strip("0"))


ABOVE: dict[int, Callable[[str], str]] = {
    4: lambda code: REGION_CODE,
    6: lambda code: f"{code[:4]}00000000",
    9: lambda code: f"{code[:6]}000000",
    12: lambda code: f"{code[:9]}000",
}
"""The next division above one whose stem has so many digits."""


def _key(value: int | None) -> int:
    assert value is not None  # a row that PostgreSQL has given has its number
    return value
