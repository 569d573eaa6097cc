"""What a change of the policy does: which kinds of post gain or lose which permission, and whom that concerns.

Pure: the posts in force are given. （第二十三、二十四条）
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

from models.divisions import Level
from models.officers import Role
from models.organisations import OrganisationKind
from policies.enforcement import Policy
from policies.lifecycles.posts import ROLES_OF
from policies.permissions import Permission
from policies.policy_lines import Post

Conflict = tuple[str, str, str]
"""Who or which post, and the two permissions that it unites."""
Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Holder:
    """One officer in one post in force, their own or delegated."""

    officer_id: int
    person: str
    name: str
    role: str
    level: str
    kind: str
    organisation_id: int
    organisation: str
    limits: Sequence[str] | None = None
    """The permissions that a delegation is limited to."""
    delegated: bool = False

    @property
    def only(self) -> frozenset[str] | None:
        """Return the delegation's limits as the compiled table takes them."""
        return None if self.limits is None else frozenset(self.limits)

    @property
    def post(self) -> Post:
        """Return the kind of post."""
        return self.role, self.level, self.kind

    def permissions(self, policy: Policy) -> frozenset[str]:
        """Return what the policy gives this post, within the delegation's limits."""
        return policy.permissions(*self.post, self.only)


@dataclass(frozen=True)
class Effect:
    """One permission that kinds of post gain or lose, and the officers in those posts today."""

    permission: Permission
    gained: bool
    posts: tuple[Post, ...]
    officers: int
    delegated: int
    """How many of the officers hold the post only by delegation."""

    @property
    def text(self) -> str:
        """Say it in one line: 7 人获得 roster:endorse."""
        return f"{self.officers} 人{'获得' if self.gained else '失去'} {self.permission}"

    @property
    def titles(self) -> str:
        """Name the kinds of post."""
        return "、".join(title_of(post) for post in self.posts)


@lru_cache(maxsize=1)
def real_posts() -> tuple[Post, ...]:
    """Return every kind of post that there can be: what an organisation of a kind has, at its levels."""
    return tuple(
        (str(role), str(level), str(kind))
        for kind, level in product(OrganisationKind, Level)
        if exists(kind, level)
        for role in ROLES_OF[kind]
    )


def exists(kind: OrganisationKind, level: Level) -> bool:
    """Tell whether organisations of the kind exist at the level."""
    if level == Level.VILLAGE:
        return False
    return (level == Level.TOWNSHIP) == (kind == OrganisationKind.TOWNSHIP)


def title_of(post: Post) -> str:
    """Return a kind of post as officers say it: 旗县（市、区）财政部门经办岗."""
    role, level, kind = post
    words = [
        "" if level == "*" or kind == OrganisationKind.TOWNSHIP else Level(level).label,
        "各类机构" if kind == "*" else OrganisationKind(kind).label,
        "各岗位" if role == "*" else Role(role).label,
    ]
    return "".join(words)


def effects(before: Policy, after: Policy, holders: Iterable[Holder]) -> list[Effect]:
    """Return which permissions are gained and lost, by which kinds of post, and by how many officers in post."""
    people = list(holders)
    changed: dict[tuple[str, bool], list[Post]] = {}
    for post in dict.fromkeys([*real_posts(), *(holder.post for holder in people)]):
        old, new = before.permissions(*post), after.permissions(*post)
        for gained, names in ((True, new - old), (False, old - new)):
            for name in names:
                changed.setdefault((name, gained), []).append(post)
    found = [_effect(Permission(name), gained, posts, people) for (name, gained), posts in changed.items()]
    return sorted(found, key=lambda one: (not one.gained, one.permission))


def _effect(permission: Permission, gained: bool, posts: list[Post], people: list[Holder]) -> Effect:
    concerned = [
        holder for holder in people if holder.post in posts and (holder.only is None or permission in holder.only)
    ]
    own = {holder.person for holder in concerned if not holder.delegated}
    lent = {holder.person for holder in concerned if holder.delegated} - own
    return Effect(permission, gained, tuple(posts), len(own | lent), len(lent))


def unheld(policy: Policy, holders: Iterable[Holder]) -> frozenset[Permission]:
    """Return the permissions that no officer in post holds."""
    kinds = {holder.post for holder in holders if not holder.delegated}
    held = frozenset().union(*(policy.permissions(*post) for post in kinds))
    return frozenset(one for one in Permission if one not in held)


def without_post(policy: Policy) -> frozenset[Permission]:
    """Return the permissions that no kind of post holds: nobody could ever be given them."""
    held = frozenset().union(*(policy.permissions(*post) for post in real_posts()))
    return frozenset(one for one in Permission if one not in held)


def people_conflicts(policy: Policy, holders: Iterable[Holder], pairs: Pairs) -> list[Conflict]:
    """Return the people whose posts in one organisation, delegations included, unite both sides of a pair."""
    united: dict[tuple[str, int], tuple[Holder, frozenset[str], int]] = {}
    for holder in holders:
        key = (holder.person, holder.organisation_id)
        first, held, posts = united.get(key, (holder, frozenset(), 0))
        united[key] = (first, held | holder.permissions(policy), posts + 1)
    return [
        (f"{holder.name}（{holder.organisation}）", one, other)
        for holder, held, posts in united.values()
        if posts > 1
        for one, other in pairs
        if one in held and other in held
    ]
