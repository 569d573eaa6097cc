"""The matrix of verbs as data: permissions by noun × roles, for one level and kind of organisation. （第二十四条）"""

from collections.abc import Mapping
from dataclasses import dataclass

from models.divisions import Level
from models.officers import Role
from models.organisations import OrganisationKind
from policies.enforcement import Policy
from policies.lifecycles.posts import ROLES_OF
from policies.permissions import NOUN_TITLES, Permission
from policies.policy_effects import exists
from policies.policy_lines import ALLOW, ANY, DENY, Lines, text_of

STATES = ((ALLOW, "允许"), (DENY, "禁止"), ("", "不设"))
PREFIX = "cell|"
LEVELS = (*(level for level in Level if level != Level.VILLAGE),)


@dataclass(frozen=True)
class Square:
    """One cell: the line of its own, and what is decided by which line."""

    name: str
    """How the form calls it: cell|role|permission."""
    role: str
    own: str
    allowed: bool | None
    """What the policy answers for this kind of post; None: the cell stands for several kinds."""
    decides: str
    """The line that decides, if it isn't the cell's own."""
    changed: bool

    @property
    def state(self) -> str:
        """Return the label of the cell's own line."""
        return dict(STATES)[self.own]


@dataclass(frozen=True)
class Row:
    """One permission."""

    permission: Permission
    squares: list[Square]


@dataclass(frozen=True)
class Group:
    """The permissions of one noun."""

    noun: str
    title: str
    rows: list[Row]


@dataclass(frozen=True)
class Matrix:
    """The page: which posts it is about, and its groups."""

    level: str
    kind: str
    noun: str
    roles: list[tuple[str, str]]
    groups: list[Group]
    levels: list[tuple[str, str]]
    kinds: list[tuple[str, str]]
    nouns: list[tuple[str, str]]

    @property
    def known(self) -> bool:
        """Tell whether organisations of the kind exist at the level."""
        return ANY in (self.level, self.kind) or exists(OrganisationKind(self.kind), Level(self.level))


def matrix(lines: Lines, live: Lines, asked: Mapping[str, str]) -> Matrix:
    """Return the matrix of a policy for the level, kind and noun asked for; `live`: what it is compared with."""
    kind = _known(asked.get("kind", ""), (*OrganisationKind, ANY), OrganisationKind.TOWNSHIP)
    level = _known(asked.get("level", ""), (*LEVELS, ANY), _usual(kind))
    noun = _known(asked.get("noun", ""), (*NOUN_TITLES, ""), "")
    policy, present, former = Policy(0, lines), frozenset(lines), frozenset(live)
    roles = _roles(kind, level, lines)
    groups: dict[str, list[Row]] = {}
    for permission in Permission:
        of = permission.split(":")[0]
        if noun in ("", of):
            squares = [_square(policy, present, former, role, level, kind, permission) for role in roles]
            groups.setdefault(of, []).append(Row(permission, squares))
    return Matrix(
        level=level,
        kind=kind,
        noun=noun,
        roles=[(role, "全部岗位" if role == ANY else Role(role).label) for role in roles],
        groups=[Group(of, NOUN_TITLES.get(of, of), rows) for of, rows in groups.items()],
        levels=[*((str(one), one.label) for one in LEVELS), (ANY, "全部级别")],
        kinds=[*((str(one), one.label) for one in OrganisationKind), (ANY, "全部机构")],
        nouns=[("", "全部对象"), *NOUN_TITLES.items()],
    )


def _known(word: str, words: tuple[str, ...], default: str) -> str:
    return str(word) if word in words else str(default)


def _usual(kind: str) -> str:
    return {
        str(OrganisationKind.TOWNSHIP): str(Level.TOWNSHIP),
        str(OrganisationKind.PLATFORM): str(Level.REGION),
        ANY: ANY,
    }.get(kind, str(Level.COUNTY))


def _roles(kind: str, level: str, lines: Lines) -> list[str]:
    """Return the roles that the kind has, those that its lines name besides, and "any"."""
    usual = set(Role) - {Role.SYSTEM} if kind == ANY else set(ROLES_OF[OrganisationKind(kind)])
    named = {line[0] for line in lines if line[1] == level and line[2] == kind}
    return [*(str(role) for role in Role if role in usual or role in named), ANY]


def _square(
    policy: Policy,
    present: frozenset[tuple[str, ...]],
    former: frozenset[tuple[str, ...]],
    role: str,
    level: str,
    kind: str,
    permission: Permission,
) -> Square:
    noun, _, verb = permission.partition(":")
    lines = {effect: (role, level, kind, noun, verb, effect) for effect in (DENY, ALLOW)}
    own = next((effect for effect, line in lines.items() if line in present), "")
    before = next((effect for effect, line in lines.items() if line in former), "")
    name, changed = f"{PREFIX}{role}|{permission}", own != before
    if ANY in (role, level, kind):
        return Square(name, role, own, None, "", changed)
    decision = policy.decision((role, level, kind), permission)
    other = decision.line is not None and decision.line != lines.get(own)
    return Square(name, role, own, decision.allowed, text_of(decision.line) if other and decision.line else "", changed)


def edited(shown: Matrix, form: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """Return the cells that a form sets otherwise than they stand: (role, permission) → effect."""
    squares = [(row.permission, square) for group in shown.groups for row in group.rows for square in row.squares]
    return {
        (square.role, str(permission)): str(form[square.name])
        for permission, square in squares
        if square.name in form and str(form[square.name]) != square.own
    }
