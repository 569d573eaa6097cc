"""What a change of the policy would do to the posts in force today, delegations included. （第二十三、二十四条）"""

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlmodel import Session

from policies.clock import today
from policies.duties import permission_conflicts, permission_pairs
from policies.enforcement import Policy
from policies.permissions import Permission
from policies.policy_effects import (
    Conflict,
    Effect,
    Holder,
    effects,
    people_conflicts,
    title_of,
    unheld,
    without_post,
)
from policies.policy_lines import Difference, Finding, Lines, difference, findings

HOLDERS = sa.text("""
select o.id, o.person, o.name, p.role, g.level, g.kind, g.id, g.name, null::text[], false
from posts p join officers o on o.id = p.officer_id and o.active join organisations g on g.id = p.organisation_id
where p.status = 'in_force' and p.valid_from <= :day and (p.valid_to is null or p.valid_to >= :day)
union all
select o.id, o.person, o.name, p.role, g.level, g.kind, g.id, g.name, d.permissions, true
from delegations d join posts p on p.id = d.post_id join officers o on o.id = d.officer_id and o.active
    join officers h on h.id = p.officer_id and h.active join organisations g on g.id = p.organisation_id
where d.status = 'in_force' and :day between d.valid_from and d.valid_to
    and p.status = 'in_force' and p.valid_from <= :day and (p.valid_to is null or p.valid_to >= :day)
""")
SHOWN = 3


@dataclass(frozen=True)
class Consequences:
    """What changes between two policies, for people: shown before proposing and before enabling."""

    difference: Difference
    findings: list[Finding]
    effects: list[Effect]
    orphaned: list[Permission]
    """Permissions that an officer holds today and nobody would hold afterwards."""
    without_post: list[Permission]
    """Permissions that no kind of post would hold: nobody could be given them."""
    conflicts_before: list[Conflict]
    conflicts: list[Conflict]
    """Posts, and people through their posts, that would unite two duties."""

    @property
    def new_conflicts(self) -> list[Conflict]:
        """Return the conflicts that the change would make."""
        return [one for one in self.conflicts if one not in self.conflicts_before]

    @property
    def solved_conflicts(self) -> list[Conflict]:
        """Return the conflicts that the change would end."""
        return [one for one in self.conflicts_before if one not in self.conflicts]

    @property
    def headline(self) -> str:
        """Say it in one line: 7 人获得 roster:endorse；2 处冲突."""
        told = [effect.text for effect in self.effects[:SHOWN]]
        told += [f"另有 {len(self.effects) - SHOWN} 项权限变化"] if len(self.effects) > SHOWN else []
        told += [] if self.effects else ["没有岗位的权限发生变化"]
        told += [f"{len(self.orphaned)} 项权限无人持有"] if self.orphaned else []
        return "；".join([*told, f"{len(self.conflicts)} 处冲突"])


def consequences(session: Session, before: Lines, after: Lines) -> Consequences:
    """Return what would change from one policy to another, for the officers in the caller's range."""
    old, new = Policy(0, before), Policy(0, after)
    people, pairs = holders(session), permission_pairs(session)
    lost = unheld(new, people) - unheld(old, people)
    return Consequences(
        difference=difference(before, after),
        findings=findings(after),
        effects=effects(old, new, people),
        orphaned=sorted(lost),
        without_post=sorted(without_post(new)),
        conflicts_before=_conflicts(old, people, pairs),
        conflicts=_conflicts(new, people, pairs),
    )


def holders(session: Session) -> list[Holder]:
    """Return who stands in which post today, in the caller's range: one statement."""
    rows = session.execute(HOLDERS, {"day": today(session)})
    return [Holder(*row) for row in rows]


def conflicts(session: Session, lines: Lines) -> list[Conflict]:
    """Return the posts and people that a policy gives both sides of a pair. （第二十三条）"""
    return _conflicts(Policy(0, lines), holders(session), permission_pairs(session))


def _conflicts(policy: Policy, people: Iterable[Holder], pairs: list[tuple[str, str]]) -> list[Conflict]:
    posts = [
        (title_of((found.role, found.level, found.kind)), found.one, found.other)
        for found in permission_conflicts(policy.lines, pairs)
    ]
    return [*dict.fromkeys([*posts, *people_conflicts(policy, people, pairs)])]
