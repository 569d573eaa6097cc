"""Pairs of incompatible duties: one security officer proposes, another confirms; so they end, too. （第二十三条）

The statutory pairs are no one's to change: PostgreSQL refuses it to the owner as well.
"""

from sqlalchemy import text
from sqlmodel import Session

from models.duty_pairs import DutyKind, DutyPair, DutyPairStatus, DutyWithin
from models.officers import ActingOfficer, Role
from models.organisations import OrganisationKind
from policies.clock import now
from policies.enforcement import allow
from policies.lifecycles import Desk
from policies.lifecycles.duty_pairs import DUTY_PAIR_LIFECYCLE
from policies.moves import begin, hold_desk, move, require_desk, title_of
from policies.permissions import Permission
from policies.refusals import ReasonMissing, Refused, SamePersonTwice

ROLES = frozenset(Role) - {Role.SYSTEM} | {"*"}
KINDS = frozenset(OrganisationKind) | {""}


class DutyPairInvalid(Refused):
    """“{field}”填写有误：{problem}，请更正后再提交。"""

    status_code = 400


class DutyPairKnown(Refused):
    """“{title}”已有相同的不相容岗位（{status}），不必重复拟定。"""


class StatutoryPair(Refused):
    """“{title}”是法定的不相容岗位（{basis}），任何人不能修改或终止（第二十三条）。"""


def propose(
    session: Session, *, by: ActingOfficer, kind: str, one: str, other: str, within: str, title: str, basis: str
) -> DutyPair:
    """Propose one more pair of duties that nobody may unite; another security officer confirms it. （第二十三条）

    Raises NotAllowed, DutyPairInvalid, ReasonMissing, DutyPairKnown.
    """
    allow(session, by, Permission.DUTY_PROPOSE)
    require_desk(DUTY_PAIR_LIFECYCLE.step("propose_end", DutyPairStatus.IN_FORCE), by)
    for field, words in (("名称", title), ("依据", basis)):
        if not words.strip():
            raise ReasonMissing(step="拟定不相容岗位", field=field)
    sides = sorted((_side(kind, one, "一方"), _side(kind, other, "另一方")))
    if sides[0] == sides[1]:
        raise DutyPairInvalid(field="另一方", problem="与“一方”相同")
    if within not in (DutyWithin.ORGANISATION, DutyWithin.ANYWHERE):
        raise DutyPairInvalid(field="范围", problem="请选择同一机构或任何机构")
    pair = DutyPair(
        division_code=by.division_code,
        title=title.strip(),
        kind=DutyKind(kind),
        one=sides[0],
        other=sides[1],
        within=DutyWithin(within),
        basis=basis.strip(),
        proposed_by=by.person,
        arrived_at=now(session),
    )
    _require_new(session, pair)
    facts = {"kind": kind, "one": sides[0], "other": sides[1], "within": within}
    return begin(session, pair, by=by, label="拟定", desk=Desk.SECURITY_DRAFTER, facts=facts)


def _side(kind: str, given: str, field: str) -> str:
    """Return one side if every word of it is known. Raises DutyPairInvalid."""
    side = given.strip()
    if kind == DutyKind.PERMISSION:
        if side not in frozenset(Permission):
            raise DutyPairInvalid(field=field, problem=f"没有权限“{side[:40]}”")
        return side
    if kind != DutyKind.ROLE:
        raise DutyPairInvalid(field="类别", problem="请选择岗位或权限")
    role, _, place = side.partition("@")
    if role not in ROLES or place not in KINDS or side in ("*", "*@") or side.endswith("@"):
        raise DutyPairInvalid(field=field, problem=f"没有岗位“{side[:40]}”，写法如 clerk、clerk@finance、*@bank")
    return side


SAME = text(
    "select title, status from duty_pairs where kind = :kind and least(one, other) = :one"
    " and greatest(one, other) = :other and within in (:within, 'anywhere')"
    " and status in ('proposed', 'in_force', 'ending') limit 1"
)


def _require_new(session: Session, pair: DutyPair) -> None:
    asked = {"kind": pair.kind, "one": pair.one, "other": pair.other, "within": pair.within}
    known = session.execute(SAME, asked).first()
    if known is not None:
        raise DutyPairKnown(title=known.title, status=DutyPairStatus(known.status).label)


def confirm(session: Session, pair: DutyPair, *, by: ActingOfficer, opinion: str = "") -> DutyPair:
    """Put a proposed pair in force, as the second officer. （第二十三条） Raises SamePersonTwice."""
    _allow(session, pair, "confirm", by)
    pair.confirmed_by = by.person
    session.flush()
    return move(session, pair, "confirm", by=by, opinion=opinion)


def refuse(session: Session, pair: DutyPair, *, by: ActingOfficer, reason: str) -> DutyPair:
    """Refuse a proposed pair, as the second officer. （第二十三条） Raises ReasonMissing, SamePersonTwice."""
    return _say_why(session, pair, "refuse", by, reason)


def propose_end(session: Session, pair: DutyPair, *, by: ActingOfficer, reason: str) -> DutyPair:
    """Propose to end an added pair; it binds until another officer confirms. （第二十三条）

    Raises StatutoryPair, ReasonMissing, SamePersonTwice.
    """
    _allow(session, pair, "propose_end", by)
    pair.end_proposed_by = by.person
    return _say_why(session, pair, "propose_end", by, reason)


def confirm_end(session: Session, pair: DutyPair, *, by: ActingOfficer, opinion: str = "") -> DutyPair:
    """End an added pair, as the second officer. （第二十三条） Raises SamePersonTwice."""
    _allow(session, pair, "confirm_end", by)
    if pair.end_proposed_by == by.person:  # seated as the enabler from its beginning
        raise SamePersonTwice(
            officer=by.name,
            desk=Desk.SECURITY_DRAFTER.label,
            title=title_of(pair),
            next_desk=Desk.SECURITY_ENABLER.label,
        )
    pair.ended_by = by.person
    session.flush()
    return move(session, pair, "confirm_end", by=by, opinion=opinion)


def keep(session: Session, pair: DutyPair, *, by: ActingOfficer, reason: str) -> DutyPair:
    """Let a pair bind on that was to end, as the second officer. （第二十三条）

    Raises ReasonMissing, SamePersonTwice.
    """
    return _say_why(session, pair, "keep", by, reason)


def _say_why(session: Session, pair: DutyPair, verb: str, by: ActingOfficer, reason: str) -> DutyPair:
    _allow(session, pair, verb, by)
    if not reason.strip():
        step = DUTY_PAIR_LIFECYCLE.step(verb, pair.status)
        raise ReasonMissing(step=step.label, field="原因")
    session.flush()
    return move(session, pair, verb, by=by, opinion=reason.strip())


def _allow(session: Session, pair: DutyPair, verb: str, by: ActingOfficer) -> None:
    """Let the post take the step, by a person who has sat at no other desk of the pair."""
    permission = next(step.permission for step in DUTY_PAIR_LIFECYCLE.steps if step.verb == verb)
    allow(session, by, permission or Permission.DUTY_VIEW, pair)
    if pair.statutory:
        raise StatutoryPair(title=pair.title, basis=pair.basis)
    step = DUTY_PAIR_LIFECYCLE.step(verb, pair.status, title_of(pair))
    require_desk(step, by)
    hold_desk(session, pair, step.desk, by, DUTY_PAIR_LIFECYCLE.noun)
