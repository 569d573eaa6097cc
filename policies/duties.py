"""Static segregation of duties: which posts no person may hold together (DESIGN D4a). （第二十三条）

The pairs are rows of `duty_pairs`; the statutory ones stand here too, so that a test can tell when they differ.
PostgreSQL refuses a collision by a trigger on posts and delegations; what is here names it before that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import combinations
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from models.divisions import Level
from models.duty_pairs import DutyKind, DutyPair, DutyPairStatus, DutyWithin
from models.officers import Role
from models.organisations import OrganisationKind
from policies.enforcement import Line, Policy
from policies.refusals import Refused

BUSINESS = (Role.CLERK, Role.REVIEWER, Role.HEAD, Role.REGISTRAR)
"""Posts that do the regulation's work."""
ADMINISTRATORS = (Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN, Role.AUDIT_ADMIN)
"""三权分立: nobody unites two of them, nor one with any other post."""
LIVE = (DutyPairStatus.IN_FORCE, DutyPairStatus.ENDING)

Pair = tuple[DutyKind, str, str, DutyWithin]


def _statutory() -> tuple[Pair, ...]:
    role, permission = DutyKind.ROLE, DutyKind.PERMISSION
    office, record, anywhere = DutyWithin.ORGANISATION, DutyWithin.RECORD, DutyWithin.ANYWHERE
    desks: list[Pair] = [
        (role, Role.CLERK, Role.REVIEWER, office),
        (role, Role.CLERK, Role.HEAD, office),
        (role, Role.REGISTRAR, Role.HEAD, office),
        *((role, Role.AUDITOR, duty, office) for duty in BUSINESS),
        *((role, one, other, anywhere) for one, other in combinations(ADMINISTRATORS, 2)),
        *((role, one, other, anywhere) for one in ADMINISTRATORS for other in (*BUSINESS, Role.AUDITOR)),
    ]
    verbs: list[Pair] = [(permission, one, other, office) for one, other in PREPARED_AND_JUDGED]
    return (*desks, *verbs, *((permission, one, other, record) for one, other in TWO_OFFICERS))


PREPARED_AND_JUDGED = (
    ("roster:notice", "roster:endorse"),
    ("roster:report", "roster:endorse"),
    ("roster:examine", "roster:pass"),
    ("roster:finance_examine", "roster:finance_pass"),
    ("order:draft", "order:release"),
    ("batch:prepare", "batch:release"),
    ("refund:prepare", "refund:release"),
    ("rule:save", "rule:enable"),
    ("bank_reply:prepare", "bank_reply:confirm"),
    ("registry_change:propose", "registry_change:approve"),
    ("household_review:prepare", "household_review:sign"),
    ("account:register", "account:confirm"),
    ("account_batch:propose", "account_batch:confirm"),
    ("project_change:draft", "project_change:sign"),
    ("project_change:examine", "project_change:admit"),
    ("exception:propose", "exception:confirm"),
    ("annual_list:draft", "annual_list:publish"),
    ("publication:prepare", "publication:publish"),
    ("standard:propose", "standard:confirm"),
    ("flow:draft", "flow:enable"),
    ("local_rule:propose", "local_rule:enable"),
    ("calendar:import", "calendar:enable"),
    ("allocation:draft", "allocation:confirm"),
    ("application:enter", "application:endorse"),
    ("application:examine", "application:pass"),
    ("qualification:end", "qualification:confirm"),
)
"""One prepares, another judges: never two permissions of one post, nor of one person's posts in one organisation."""

TWO_OFFICERS = (
    ("duty:propose", "duty:confirm"),
    ("policy:draft", "policy:enable"),
    ("post:propose", "post:confirm"),
)
"""Both belong to 安全管理员; on one record they are two people's (`desk_holders`)."""

STATUTORY = _statutory()


class DutiesCollide(Refused):
    """{officer}的“{one}”与“{other}”是不相容岗位（{pair}），{period}重叠，不能任职；请另派人员，或先终止其中一个岗位（第二十三条）。"""


@dataclass(frozen=True)
class Collision:
    """Two posts of one person that exclude each other, and the days on which they would be held together."""

    pair_id: int
    pair: str
    officer: str
    one: str
    other: str
    since: date
    until: date | None

    @property
    def period(self) -> str:
        """Return the days as officers say them."""
        return f"{self.since} 起" if self.until is None else f"{self.since} 至 {self.until}"


COLLISIONS = sa.text(
    "select pair_id, title, organisation, role, since, until"
    " from duty_collisions(:person, :organisation, :role, :valid_from, :valid_to, :post, :delegation)"
)


def collisions(
    session: Session,
    person: str,
    role: Role,
    organisation_id: int,
    valid_from: date,
    valid_to: date | None = None,
    *,
    post_id: int = 0,
    delegation_id: int = 0,
) -> list[Collision]:
    """Return the person's posts, over all accounts and delegations, that exclude the duty asked for. （第二十三条）

    post_id, delegation_id: the row that is being changed, which doesn't collide with itself. Two who ask for the same
    person wait for each other until the first has committed.
    """
    asked = {
        "person": person, "organisation": organisation_id, "role": str(role), "valid_from": valid_from,
        "valid_to": valid_to, "post": post_id, "delegation": delegation_id,
    }  # fmt: skip
    session.flush()
    session.execute(sa.text("select lock_person(:person)"), {"person": person})
    rows = session.execute(COLLISIONS, asked).all()
    if not rows:
        return []
    name = session.execute(
        sa.text("select name from officers where person = :person order by id limit 1"), {"person": person}
    ).scalar()
    own = session.execute(
        sa.text("select name from organisations where id = :id"), {"id": organisation_id}
    ).scalar_one_or_none()
    mine = f"{own or ''}{role.label}"
    return [
        Collision(
            row.pair_id, row.title, name or "该人员", f"{row.organisation}{Role(row.role).label}", mine, row.since,
            row.until,
        )
        for row in rows
    ]  # fmt: skip


def require_compatible(
    session: Session,
    person: str,
    role: Role,
    organisation_id: int,
    valid_from: date,
    valid_to: date | None = None,
    *,
    post_id: int = 0,
    delegation_id: int = 0,
) -> None:
    """Let a person take a duty only if no other of theirs excludes it in those days. （第二十三条）

    Raises DutiesCollide, which names both posts and the days.
    """
    found = collisions(
        session, person, role, organisation_id, valid_from, valid_to, post_id=post_id, delegation_id=delegation_id
    )
    if found:
        first = found[0]
        raise DutiesCollide(
            officer=first.officer, one=first.one, other=first.other, pair=first.pair, period=first.period
        )


# --- the policy ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PermissionConflict:
    """A post to which the policy gives both sides of a pair."""

    role: Role
    level: Level
    kind: OrganisationKind
    one: str
    other: str

    @property
    def post(self) -> str:
        """Return the post as officers say it."""
        return f"{self.level.label}{self.kind.label}{self.role.label}"


def pairs(session: Session, *, live: bool = True) -> list[DutyPair]:
    """Return the pairs that bind the caller's division, the statutory first."""
    statement = select(DutyPair).order_by(col(DutyPair.statutory).desc(), col(DutyPair.id))
    return list(session.exec(statement.where(col(DutyPair.status).in_(LIVE)) if live else statement))


def permission_conflicts(
    lines: Sequence[Line], against: Sequence[tuple[str, str]] = PREPARED_AND_JUDGED
) -> list[PermissionConflict]:
    """Return the posts to which a policy gives both sides of a pair of permissions. （第二十三条）"""
    policy = Policy(0, tuple(lines))
    found = []
    for role in Role:
        for level in Level:
            for kind in OrganisationKind:
                held = policy.permissions(role, level, kind)
                found += [
                    PermissionConflict(role, level, kind, one, other)
                    for one, other in against
                    if one in held and other in held
                ]
    return found


def permission_pairs(session: Session) -> list[tuple[str, str]]:
    """Return the pairs of permissions in force that no post may unite: what `permission_conflicts` asks against."""
    return [
        (pair.one, pair.other)
        for pair in pairs(session)
        if pair.kind == DutyKind.PERMISSION and pair.within != DutyWithin.RECORD
    ]


# --- what stands now ----------------------------------------------------------------------------------------------

CONFLICTS = sa.text("select * from duty_conflicts(:day)")


def conflicts(session: Session, day: date) -> list[Collision]:
    """Return the present collisions of people in force, within the caller's range. （第二十三条）"""
    rows: Any = session.execute(CONFLICTS, {"day": day})
    return [
        Collision(
            row.pair_id, row.title, row.officer, f"{row.one_organisation}{Role(row.one_role).label}",
            f"{row.other_organisation}{Role(row.other_role).label}", row.since, row.until,
        )
        for row in rows
    ]  # fmt: skip
