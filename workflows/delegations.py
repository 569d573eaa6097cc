"""Delegation for absence: the holder lends a post for a time, never wider, never onward. （第二十三条）"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from models.delegations import Delegation
from models.officers import ActingOfficer, Post, Role
from policies.clock import today
from policies.duties import require_compatible
from policies.enforcement import allow, permissions_of
from policies.moves import begin, move
from policies.permissions import Permission
from policies.refusals import NotAllowed, NotFound, Refused
from workflows.posts import require_reason

ALONE = frozenset((Permission.DELEGATION_GRANT.value,))
"""Never delegated, whatever else is: a delegation goes no further."""


ONE_AT_A_TIME = "ex_delegations_one_at_a_time"


class NotRedelegable(Refused):
    """您正在代 {absent} 办理，受托的岗位不能再委托他人，请由 {absent} 本人委托（第二十三条）。"""

    status_code = 403


class StandingIn(Refused):
    """您正在代 {absent} 办理，请先在页面右上角切换回本人岗位，再提前结束这项委托。"""


class ColleagueUnfit(Refused):
    """受托人须是本机构（或本区划同类机构）的在任人员，且不是您本人的其他账号；请从列表中选择。"""

    status_code = 400


class DelegationTooWide(Refused):
    """委托不能超出您自己的权限，您的岗位没有：{permissions}。"""

    status_code = 400


class DelegationDatesWrong(Refused):
    """委托起止日期有误：{problem}；请更正后提交。"""

    status_code = 400


class DelegatedAlready(Refused):
    """该岗位在这段时间已经委托他人，同一时间只能委托一人；需要换人的，请先提前结束原委托。"""


@dataclass(frozen=True)
class Colleague:
    """Somebody who may stand in."""

    officer_id: int
    person: str
    name: str
    post: str


def colleagues(session: Session) -> list[Colleague]:
    """Return whom the acting officer may ask to stand in: their own organisation's people first by number."""
    rows = session.execute(sa.text("select * from colleagues(:day)"), {"day": today(session)})
    return [
        Colleague(row.officer_id, row.person, row.name, f"{row.organisation}{Role(row.role).label}") for row in rows
    ]


def grant(
    session: Session,
    *,
    by: ActingOfficer,
    officer_id: str,
    valid_from: date,
    valid_to: date,
    reason: str,
    permissions: Sequence[str] = (),
) -> Delegation:
    """Lend the post that `by` holds to a colleague from one day to another. （第二十三条）

    permissions: those that are lent; none named means all of the post. Raises NotAllowed, NotRedelegable, NotFound,
    ColleagueUnfit, DelegationTooWide, DelegationDatesWrong, DelegatedAlready, DutiesCollide.
    """
    if by.delegation_id:
        raise NotRedelegable(absent=by.absent)
    allow(session, by, Permission.DELEGATION_GRANT)
    post = session.get(Post, by.post_id)
    if post is None or post.officer_id != by.officer_id:
        raise NotFound
    delegate = next((one for one in colleagues(session) if str(one.officer_id) == str(officer_id)), None)
    if delegate is None:
        raise ColleagueUnfit
    words = require_reason("委托代办", reason)
    _require_dates(session, post, valid_from, valid_to)
    chosen = _narrowed(session, by, permissions)
    require_compatible(session, delegate.person, post.role, post.organisation_id, valid_from, valid_to)
    delegation = Delegation(
        division_code=post.division_code,
        post_id=by.post_id,
        holder_id=by.officer_id,
        officer_id=delegate.officer_id,
        title=f"{by.organisation}{by.role.label}",
        holder=by.name,
        delegate=delegate.name,
        valid_from=valid_from,
        valid_to=valid_to,
        permissions=chosen,
        reason=words,
    )
    facts = {"from": valid_from.isoformat(), "to": valid_to.isoformat(), "permissions": chosen or "all"}
    try:
        with session.begin_nested():
            return begin(session, delegation, by=by, label="委托代办", desk=None, facts=facts)
    except IntegrityError as taken:
        if ONE_AT_A_TIME not in str(taken.orig):
            raise
        raise DelegatedAlready from taken


def revoke(session: Session, delegation: Delegation, *, by: ActingOfficer, reason: str) -> Delegation:
    """Revoke a delegation as security administrator: the delegate loses it at once. （第二十三条）

    Raises NotFound, NotAllowed, StepNotPossible, FasterColleague.
    """
    allow(session, by, Permission.DELEGATION_REVOKE, delegation)
    return move(session, delegation, "revoke", by=by, opinion=require_reason("撤销委托", reason))


def end(session: Session, delegation: Delegation, *, by: ActingOfficer) -> Delegation:
    """Give a delegation back before its date, as its holder or its delegate. （第二十三条）

    Raises NotAllowed, StandingIn, StepNotPossible, FasterColleague.
    """
    allow(session, by, Permission.DELEGATION_VIEW)
    if by.delegation_id == delegation.id:
        raise StandingIn(absent=delegation.holder)
    if by.officer_id not in (delegation.holder_id, delegation.officer_id):
        raise NotAllowed(post=by.post, permission="提前结束委托（仅限委托人和受托人）")
    return move(session, delegation, "end", by=by)


def concerning(session: Session, officer_id: int) -> list[Delegation]:
    """Return the delegations that an officer gave or was given, the newest first."""
    statement = sa.select(Delegation).where(
        sa.or_(Delegation.officer_id == officer_id, Delegation.holder_id == officer_id)  # type: ignore[arg-type]
    )
    return list(session.execute(statement.order_by(Delegation.id.desc()).limit(100)).scalars())  # type: ignore[union-attr]


def delegable(session: Session, by: ActingOfficer) -> list[Permission]:
    """Return the permissions of the post that may be lent."""
    return [one for one in Permission if one.value in permissions_of(session, by) - ALONE]


def _require_dates(session: Session, post: Post, valid_from: date, valid_to: date) -> None:
    if valid_from < today(session):
        raise DelegationDatesWrong(problem="委托起不能早于今天")
    if valid_to < valid_from:
        raise DelegationDatesWrong(problem="委托止早于委托起")
    if valid_from < post.valid_from or (post.valid_to is not None and valid_to > post.valid_to):
        until = f"至 {post.valid_to}" if post.valid_to else ""
        raise DelegationDatesWrong(problem=f"不能超出本岗位的任职期（{post.valid_from} 起{until}）")


def _narrowed(session: Session, by: ActingOfficer, permissions: Sequence[str]) -> list[str] | None:
    """Return the named permissions, or None for all. Raises DelegationTooWide."""
    if not permissions:
        return None
    held = {one.value for one in delegable(session, by)}
    labels = {one.value: one.label for one in Permission}
    beyond = [labels.get(name, name) for name in permissions if name not in held]
    if beyond:
        raise DelegationTooWide(permissions="、".join(beyond))
    return sorted(set(permissions))
