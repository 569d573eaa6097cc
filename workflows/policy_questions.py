"""Questions put to the live policy: who can do X here, and why may or may not Y do X. （第二十三、二十四条）

Every answer comes from the compiled table that `allow` decides from, and from the row scope, sectors, desks and
holders that the verbs ask; a test asks both.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import product
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from models.divisions import Division, Level
from models.events import DeskHolder
from models.officers import ActingOfficer, Role, Scope
from models.organisations import OrganisationKind
from policies.clock import today
from policies.enforcement import Decision, Policy, allow, policy
from policies.lifecycles import LIFECYCLES, Desk, Step
from policies.permissions import Permission
from policies.policy_effects import real_posts, title_of
from policies.policy_lines import Post
from policies.refusals import NotFound, Refused
from workflows.queue import officer_from

MOST_HOLDERS = 500
POSTS_HERE = sa.text("""
select p.id, p.officer_id, p.valid_from, p.valid_to, d.id as delegation_id, d.officer_id as delegate_id,
    d.valid_from as lent_from, d.valid_to as lent_to
from posts p join officers o on o.id = p.officer_id join organisations g on g.id = p.organisation_id
left join delegations d on d.post_id = p.id and d.status = 'in_force' and :day between d.valid_from and d.valid_to
where p.status = 'in_force' and p.valid_from <= :day and (p.valid_to is null or p.valid_to >= :day) and o.active
    and (p.role, g.level, g.kind) in (select * from unnest(
        cast(:roles as text[]), cast(:levels as text[]), cast(:kinds as text[])))
    and (g.division_code = any (:above) or g.kind = 'bank')
order by length(rtrim(g.division_code, '0')) desc, p.id
limit :most
""")


class OfficerUnknown(Refused):
    """没有找到登录名或姓名为“{wanted}”的在任人员，请核对后再查。"""

    status_code = 404


class SeveralOfficers(Refused):
    """有 {count} 名人员叫“{wanted}”，请改用登录名查询：{logins}。"""


@dataclass(frozen=True)
class Able:
    """One officer who can do it here, and what says so."""

    officer: ActingOfficer
    until: date | None
    decision: Decision
    desks: tuple[Step, ...]
    """The steps of lifecycles with this permission whose desk the post sits at."""


@dataclass(frozen=True)
class Who:
    """The answer to “who can do X here”."""

    permission: Permission
    place: str
    able: list[Able]
    kinds: list[tuple[str, Decision]]
    """Every kind of post that the policy gives it, staffed here or not."""
    steps: list[tuple[str, Step]]
    """The steps of lifecycles that ask for it: title of the noun, and the step with its desk."""
    capped: bool


@dataclass(frozen=True)
class Fact:
    """One condition of an answer, and whether it holds; None: it doesn't apply."""

    title: str
    holds: bool | None
    text: str


@dataclass(frozen=True)
class Why:
    """The answer to “why may (not) Y do X”, for one post of Y."""

    officer: ActingOfficer
    permission: Permission
    facts: list[Fact]

    @property
    def able(self) -> bool:
        """Tell whether everything holds: the verb would be allowed."""
        return all(fact.holds is not False for fact in self.facts)


def ancestors(code: str) -> list[str]:
    """Return a division and those above it: whose organisations have it in their range."""
    cut = [code[:2] + "0" * 10, code[:4] + "0" * 8, code[:6] + "0" * 6, code[:9] + "0" * 3, code]
    return list(dict.fromkeys(cut))


def who_can(session: Session, permission: Permission, division_code: str, *, by: ActingOfficer) -> Who:
    """Answer who can do a permission in a division. （第二十四条） Raises NotAllowed, NotFound beyond the range."""
    allow(session, by, Permission.POLICY_VIEW)
    place = session.get(Division, division_code)
    if place is None or not by.scope.covers(division_code):
        raise NotFound
    live = policy(session)
    kinds = [(post, live.decision(post, permission)) for post in real_posts()]
    given = [(post, decision) for post, decision in kinds if decision.allowed]
    rows = session.execute(POSTS_HERE, _asked(live, permission, division_code, today(session))).all()
    able = [
        Able(officer, until, live.decision(_post(officer), permission), _steps_at(officer, permission))
        for officer, until in _officers(session, rows)
        if permission in live.of(officer) and _reaches(officer, division_code)
    ]
    return Who(
        permission=permission,
        place=place.name,
        able=able,
        kinds=[(title_of(post), decision) for post, decision in given],
        steps=[(one.title, step) for one, step in _steps_of(permission)],
        capped=len(rows) == MOST_HOLDERS,
    )


def _asked(live: Policy, permission: Permission, division_code: str, day: date) -> dict[str, Any]:
    posts = [post for post in every_post() if permission in live.permissions(*post)]
    roles, levels, kinds = ([post[at] for post in posts] for at in range(3))
    return {
        "day": day, "roles": roles, "levels": levels, "kinds": kinds, "above": ancestors(division_code),
        "most": MOST_HOLDERS,
    }  # fmt: skip


def every_post() -> Iterator[Post]:
    """Return every combination of role, level and kind: an officer may stand where nobody is expected."""
    return ((str(r), str(level), str(kind)) for r, level, kind in product(Role, Level, OrganisationKind))


def _officers(session: Session, rows: Any) -> list[tuple[ActingOfficer, date | None]]:
    """Return the holders of posts and their delegates, as they would act: one statement for all of them."""
    asked = dict[tuple[int, int], date | None]()
    for row in rows:
        asked[(row.id, 0)] = row.valid_to
        if row.delegation_id is not None:
            asked[(row.id, row.delegation_id)] = row.lent_to
    statement = sa.text(
        "select o.* from unnest(cast(:posts as bigint[]), cast(:delegations as bigint[])) with ordinality a"
        " (post, delegation, place), lateral officer_in_post(a.post, :day, a.delegation) o order by a.place"
    )
    told = {"posts": [post for post, _ in asked], "delegations": [lent for _, lent in asked], "day": today(session)}
    found = [officer_from(session, row) for row in session.execute(statement, told).all()] if asked else []
    return [(one, asked[(one.post_id, one.delegation_id)]) for one in found]


def _post(officer: ActingOfficer) -> Post:
    return str(officer.role), str(officer.level), str(officer.kind)


def _reaches(officer: ActingOfficer, division_code: str) -> bool:
    """Tell whether a division lies in the post's range; a bank has none, it sees its own rows anywhere."""
    return officer.kind == OrganisationKind.BANK or officer.scope.covers(division_code)


def _steps_of(permission: Permission) -> list[tuple[Any, Step]]:
    found = {
        (lifecycle.noun, step.verb, step.desk): (lifecycle, step)
        for lifecycle in LIFECYCLES.values()
        for step in lifecycle.steps
        if step.permission == permission and step.desk is not None
    }
    return list(found.values())


def _steps_at(officer: ActingOfficer, permission: Permission) -> tuple[Step, ...]:
    return tuple(step for _, step in _steps_of(permission) if step.desk is not None and step.desk.seats(officer))


def why(
    session: Session,
    wanted: str,
    permission: Permission,
    *,
    by: ActingOfficer,
    record: Any = None,
) -> list[Why]:
    """Answer, for each post of an officer (by login or name), why they may or may not do a permission.

    record: the record they would do it on. （第二十三、二十四条） Raises NotAllowed, OfficerUnknown, SeveralOfficers.
    """
    allow(session, by, Permission.POLICY_VIEW)
    row = _find_officer(session, wanted.strip())
    live, day = policy(session), today(session)
    posts = session.execute(POSTS_OF, {"officer": row.id}).all()
    if not posts:
        raise OfficerUnknown(wanted=wanted.strip()[:30])
    return [_why(session, live, row, post, permission, record, day) for post in posts]


POSTS_OF = sa.text("""
select p.id, 0 as delegation_id, p.valid_from, p.valid_to, p.status, o.active
from posts p join officers o on o.id = p.officer_id where p.officer_id = :officer
union all
select p.id, d.id, d.valid_from, d.valid_to, d.status, o.active
from delegations d join posts p on p.id = d.post_id join officers o on o.id = d.officer_id
where d.officer_id = :officer
order by 2, 1
""")
IN_POST = sa.text("""
select o.id as officer_id, o.person, o.name, p.id as post_id, coalesce(d.id, 0) as delegation_id, p.role,
    g.id as organisation_id, g.name as organisation, g.kind, g.level, g.division_code,
    coalesce(nullif(p.sector, ''), g.sector) as sector, coalesce(g.bank_id, 0) as bank_id,
    case when d.id is null then '' else h.name end as absent, d.permissions
from posts p join organisations g on g.id = p.organisation_id join officers h on h.id = p.officer_id
left join delegations d on d.id = :delegation and d.post_id = p.id
join officers o on o.id = coalesce(d.officer_id, p.officer_id)
where p.id = :post
""")
"""As `officer_in_post`, of posts that are over too: why somebody may not is also asked of them."""


def _find_officer(session: Session, wanted: str) -> Any:
    asked = sa.text("select id, login, name from officers where login = :wanted or name = :wanted order by id")
    rows = session.execute(asked, {"wanted": wanted}).all()
    exact = [row for row in rows if row.login == wanted] or rows
    if not exact:
        raise OfficerUnknown(wanted=wanted[:30])
    if len(exact) > 1:
        raise SeveralOfficers(count=len(exact), wanted=wanted[:30], logins="、".join(row.login for row in exact[:10]))
    return exact[0]


def _why(session: Session, live: Policy, person: Any, post: Any, permission: Permission, record: Any, day: date) -> Why:
    told = {"post": post.id, "delegation": post.delegation_id}
    officer = officer_from(session, session.execute(IN_POST, told).one())
    decision = live.decision(_post(officer), permission)
    facts = [_validity(post, day), Fact("权限策略", decision.allowed, decision.text)]
    if officer.only is not None:
        limited = permission in officer.only
        facts.append(Fact("委托范围", limited, "委托包含该权限" if limited else "委托不包含该权限"))
    if record is not None:
        facts += _on_record(session, officer, permission, record)
    return Why(officer, permission, facts)


def _validity(post: Any, day: date) -> Fact:
    until = "长期" if post.valid_to is None else post.valid_to
    inside = post.valid_from <= day and (post.valid_to is None or day <= post.valid_to)
    title = "任职" if post.delegation_id == 0 else "委托"
    words = f"{title}期间 {post.valid_from} 至 {until}"
    if not post.active:
        return Fact(title, False, f"{words}；账号已停用")
    if post.status != "in_force":
        return Fact(title, False, f"{words}；{title}已终止或尚未复核")
    return Fact(title, inside, words if inside else f"{words}，今天（{day}）不在期间内")


def _on_record(session: Session, officer: ActingOfficer, permission: Permission, record: Any) -> Iterator[Fact]:
    """Return what the record adds: range, sector, desk, and what the person has already done to it."""
    inside = _reaches(officer, record.division_code)
    yield Fact("数据范围", inside, _range_text(officer.scope, record.division_code))
    sector = getattr(record, "sector", "")
    if sector and officer.kind == OrganisationKind.DEPARTMENT:
        own = sector == officer.sector
        yield Fact("主管领域", own, f"记录由“{sector}”主管部门负责，本岗领域为“{officer.sector or '全部'}”（第十四条）")
    lifecycle = LIFECYCLES.get(type(record))
    if lifecycle is None:
        return
    steps = [step for step in lifecycle.steps_from(record.status) if step.permission == permission and step.desk]
    if not steps:
        yield Fact("办理环节", None, f"当前状态“{record.status.label}”没有需要该权限的环节")
        return
    seated = [step for step in steps if step.desk and step.desk.seats(officer)]
    desks = "、".join(dict.fromkeys(step.desk.label for step in steps if step.desk))
    yield Fact("岗位", bool(seated), f"“{steps[0].label}”由{desks}岗办理")
    seat = {"noun": lifecycle.noun, "record_id": record.id, "person": officer.person}
    held = session.execute(sa.select(DeskHolder.desk).filter_by(**seat)).scalar_one_or_none()  # type: ignore[call-overload]
    free = held is None or any(step.desk == held for step in seated)
    told = "本人没有办理过该记录" if held is None else f"本人已在“{Desk(held).label}”岗办理过该记录"
    yield Fact("不相容岗位", free, f"{told}（第二十三条）")


def _range_text(scope: Scope, code: str) -> str:
    hole = "，不含自治区财政直管的旗县" if scope.hole_start else ""
    return f"{'在' if scope.covers(code) else '不在'}该岗位的管辖范围内{hole}"


def nouns() -> list[tuple[str, str]]:
    """Return the kinds of record that a question can name by their number (an account's is personal data)."""
    return [(lifecycle.noun, lifecycle.title) for lifecycle in _numbered().values()]


def _numbered() -> dict[Any, Any]:
    return {
        model: lifecycle
        for model, lifecycle in LIFECYCLES.items()
        if hasattr(model, "number") and not hasattr(model, "number_index")
    }


def record_of(session: Session, noun: str, number: str) -> Any:
    """Return the record of a kind and number that a question is about. Raises NotFound."""
    for model, lifecycle in _numbered().items():
        if lifecycle.noun == noun:
            found = session.execute(sa.select(model).where(model.number == number)).scalars().first()
            if found is not None:
                return found
    raise NotFound
