"""Verbs: Casbin's policy, compiled to one set of permissions per post and version (DESIGN D3). （第二十三、二十四条）

The policy lives in `policy_rules`; PostgreSQL raises its version with every change, and `allow` compares the version
in the verb's own transaction, so no process answers from an old policy; `policies/policy_watch.py` also loads a new
version before the next question. A test proves the compiled answers equal pycasbin's own.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import casbin
from sqlalchemy import URL, text
from sqlmodel import Session

from models.database import POLICY
from models.officers import ActingOfficer
from models.organisations import OrganisationKind
from policies.permissions import Permission
from policies.policy_lines import (
    ALLOW,
    ANY,
    DENY,
    Line,
    Lines,
    PolicyInvalid,
    Post,
    concerns,
    permission_of,
    seed_lines,
    text_of,
    validated,
)
from policies.refusals import NotAllowed, NotFound, Refused

__all__ = [
    "Decision",
    "Line",
    "OtherSector",
    "Policy",
    "PolicyInvalid",
    "allow",
    "may",
    "permissions_of",
    "policy",
    "seed_lines",
    "validated",
]

MODEL = Path(__file__).with_name("model.conf")


class OtherSector(Refused):
    """该记录由“{sector}”主管部门负责，您所在部门（{own}）不能办理（第十四条谁主管、谁审批）。"""

    status_code = 403


@dataclass(frozen=True)
class Decision:
    """What the policy says of one post and permission, and the line that says so."""

    allowed: bool
    line: Line | None = None
    """The deny that decides, else the allow; None: no line speaks of it, so it is refused."""
    rule_id: int = 0
    """The row of `policy_rules`; 0 when the policy isn't the stored one."""

    @property
    def text(self) -> str:
        """Say which line decides."""
        if self.line is None:
            return "没有任何一行允许，默认不允许"
        number = f"第 {self.rule_id} 号规则" if self.rule_id else "规则"
        return f"{number}“{text_of(self.line)}”{'允许' if self.allowed else '禁止'}"


@dataclass(frozen=True, eq=False)
class Policy:
    """One version of the policy, compiled: the permissions of each kind of post.

    Compared by identity: hashing some hundred lines at every question would cost more than the answer.
    """

    version: int
    lines: Lines
    rule_ids: tuple[int, ...] = field(default=(), repr=False)
    stamp: int = 0
    """What the process compares: unlike the number never given twice, not even after a rollback."""

    @lru_cache(maxsize=64)  # noqa: B019 - the instance is frozen and replaced as a whole
    def _about(self, role: str) -> tuple[tuple[int, Line], ...]:
        """Return the lines that name a role or any, with their rules' numbers: most lines are about other roles."""
        ids = self.rule_ids or (0,) * len(self.lines)
        pairs = zip(ids, self.lines, strict=True)
        return tuple((rule_id, line) for rule_id, line in pairs if line[0] in (role, ANY))

    @lru_cache(maxsize=512)  # noqa: B019 - as above
    def _decisions(self, role: str, level: str, kind: str) -> dict[str, Decision]:
        """Return what decides each permission that any line about the post names; a deny beats every allow."""
        found: dict[str, Decision] = {}
        for rule_id, line in self._about(role):
            if not concerns(line, (role, level, kind)):
                continue
            known = found.get(permission_of(line))
            if known is None or (known.allowed and line[5] == DENY):
                found[permission_of(line)] = Decision(line[5] == ALLOW, line, rule_id)
        return found

    @lru_cache(maxsize=2048)  # noqa: B019 - as above
    def permissions(self, role: str, level: str, kind: str, only: frozenset[str] | None = None) -> frozenset[str]:
        """Return the "noun:verb" strings of a post, within the limits of a delegation if there are any."""
        held = frozenset(name for name, decision in self._decisions(role, level, kind).items() if decision.allowed)
        return held if only is None else held & only

    def of(self, by: ActingOfficer) -> frozenset[str]:
        """Return what the officer may do in the post they act in: the table that every question is answered from."""
        return self.permissions(by.role, by.level, by.kind, by.only)

    def decision(self, post: Post, permission: str) -> Decision:
        """Return what is said of a post and permission, with the deciding line."""
        return self._decisions(*post).get(permission, Decision(False))

    def enforcer(self) -> casbin.Enforcer:
        """Return pycasbin's own enforcer of this policy: the reference that the compiled table must equal."""
        enforcer = casbin.Enforcer(str(MODEL))
        enforcer.add_policies([list(line) for line in self.lines])
        return enforcer


IN_FORCE = text("select version, stamp from policy_version")
_in_force: dict[str, Policy] = {}


def policy(session: Session) -> Policy:
    """Return the policy in force as the transaction began, reloaded when its stamp changed. Raises PolicyInvalid."""
    version, stamp = session.connection().info.get(POLICY) or session.execute(IN_FORCE).one()
    database = _name(session.get_bind().engine.url)
    held = _in_force.get(database)
    if held is None or held.stamp != stamp:
        held = _in_force[database] = _load(session, version, stamp)
    return held


@lru_cache(maxsize=8)
def _name(url: URL) -> str:
    return str(url)


def _load(session: Session, version: int, stamp: int) -> Policy:
    rows = session.execute(
        text("select id, role, level, kind, object, action, effect from policy_rules order by id")
    ).all()
    return Policy(version, validated(row[1:] for row in rows), tuple(row[0] for row in rows), stamp)


def held_version(database: str) -> int | None:
    """Return the version that this process holds compiled for a database, without asking it."""
    held = _in_force.get(database)
    return None if held is None else held.version


def may(session: Session, by: ActingOfficer, permission: Permission) -> bool:
    """Tell whether the officer's post holds the permission: the predicate of buttons and menus."""
    return permission in permissions_of(session, by)


def permissions_of(session: Session, by: ActingOfficer) -> frozenset[str]:
    """Return the permissions of the post the officer acts in; a delegation never carries more than it names."""
    return policy(session).of(by)


def allow(session: Session, by: ActingOfficer, permission: Permission, record: Any = None) -> None:
    """Let the officer's post do `permission` on `record`, or refuse. （第二十三条）

    Raises NotFound when the record lies outside the officer's range, OtherSector when another department keeps it,
    NotAllowed when the post lacks the permission.
    """
    if record is not None and not by.scope.covers(record.division_code):
        raise NotFound
    if not may(session, by, permission):
        raise NotAllowed(post=by.post, permission=permission.label)
    sector = getattr(record, "sector", "")
    if sector and by.kind == OrganisationKind.DEPARTMENT and by.sector != sector:
        raise OtherSector(sector=sector, own=by.sector)
