"""Verbs: Casbin's policy, compiled to one set of permissions per post (DESIGN D3). （第二十三、二十四条）

The policy lives in `policy_rules`; a trigger raises its version with every change, and `allow` compares the version
in the verb's own transaction, so no process answers from an old policy. A test proves the compiled answers equal
pycasbin's own.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import casbin
from sqlalchemy import text
from sqlmodel import Session

from models.divisions import Level
from models.officers import ActingOfficer, Role
from models.organisations import OrganisationKind
from policies.permissions import Permission
from policies.refusals import NotAllowed, NotFound, Refused

MODEL = Path(__file__).with_name("model.conf")
SEED = Path(__file__).with_name("seed.csv")
ANY = "*"
EFFECTS = ("allow", "deny")

Line = tuple[str, str, str, str, str, str]
Post = tuple[str, str, str]


class PolicyInvalid(Refused):
    """权限策略第 {line} 行无效：{problem}；请安全管理员更正后再启用（第二十三条）。"""


class OtherSector(Refused):
    """该记录由“{sector}”主管部门负责，您所在部门（{own}）不能办理（第十四条谁主管、谁审批）。"""

    status_code = 403


@dataclass(frozen=True, eq=False)
class Policy:
    """One version of the policy, compiled: the permissions of each kind of post.

    Compared by identity: hashing some hundred lines at every question would cost more than the answer.
    """

    version: int
    lines: tuple[Line, ...]

    @lru_cache(maxsize=512)  # noqa: B019 - the instance is frozen and replaced as a whole
    def permissions(self, role: str, level: str, kind: str) -> frozenset[str]:
        """Return the "noun:verb" strings of a post; a deny beats every allow."""
        mine = [line for line in self.lines if _covers(line, (role, level, kind))]
        granted = {f"{line[3]}:{line[4]}" for line in mine if line[5] == "allow"}
        denied = {f"{line[3]}:{line[4]}" for line in mine if line[5] == "deny"}
        return frozenset(granted - denied)

    def enforcer(self) -> casbin.Enforcer:
        """Return pycasbin's own enforcer of this policy: the reference that the compiled table must equal."""
        enforcer = casbin.Enforcer(str(MODEL))
        enforcer.add_policies([list(line) for line in self.lines])
        return enforcer


def _covers(line: Line, post: Post) -> bool:
    return all(wanted in (ANY, held) for wanted, held in zip(line[:3], post, strict=True))


def validated(lines: list[Line]) -> tuple[Line, ...]:
    """Return the lines if every word of them is known; Casbin itself would ignore a mistyped one and fail open.

    Raises PolicyInvalid.
    """
    known: tuple[tuple[str, frozenset[str]], ...] = (
        ("岗位", frozenset(Role) | {ANY}),
        ("级别", frozenset(Level) | {ANY}),
        ("机构类别", frozenset(OrganisationKind) | {ANY}),
    )
    permissions = frozenset(Permission)
    for number, line in enumerate(lines, 1):
        if len(line) != 6:
            raise PolicyInvalid(line=number, problem="应有 6 列")
        for (title, words), word in zip(known, line[:3], strict=True):
            if word not in words:
                raise PolicyInvalid(line=number, problem=f"未知的{title}“{word}”")
        if f"{line[3]}:{line[4]}" not in permissions:
            raise PolicyInvalid(line=number, problem=f"未知的权限“{line[3]}:{line[4]}”")
        if line[5] not in EFFECTS:
            raise PolicyInvalid(line=number, problem=f"未知的效力“{line[5]}”")
    return tuple(lines)


def seed_lines() -> tuple[Line, ...]:
    """Return the seed policy of `seed.csv`. Raises PolicyInvalid."""
    rows: list[Any] = []
    for row in SEED.read_text(encoding="utf-8").splitlines():
        ptype, *words = (word.strip() for word in row.split(","))
        if ptype != "p":
            raise PolicyInvalid(line=len(rows) + 1, problem=f"未知的类型“{ptype}”")
        rows.append(tuple(words))
    return validated(rows)


_in_force: dict[str, Policy] = {}


def policy(session: Session) -> Policy:
    """Return the policy in force, reloaded when its version has changed. Raises PolicyInvalid."""
    version: int = session.execute(text("select version from policy_version")).scalar_one()
    database = str(session.get_bind().engine.url)
    held = _in_force.get(database)
    if held is None or held.version != version:
        rows = session.execute(text("select role, level, kind, object, action, effect from policy_rules order by id"))
        lines: list[Line] = [(r[0], r[1], r[2], r[3], r[4], r[5]) for r in rows]
        held = _in_force[database] = Policy(version, validated(lines))
    return held


def may(session: Session, by: ActingOfficer, permission: Permission) -> bool:
    """Tell whether the officer's post holds the permission: the predicate of buttons and menus."""
    return permission in permissions_of(session, by)


def permissions_of(session: Session, by: ActingOfficer) -> frozenset[str]:
    """Return the permissions of the post the officer acts in; a delegation never carries more than it names."""
    held = policy(session).permissions(by.role, by.level, by.kind)
    return held if by.only is None else held & by.only


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
