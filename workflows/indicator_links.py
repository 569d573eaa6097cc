"""Which budget project pays which subsidy: mapped by county finance, drawn down in its order. （第十条）

Later indicators of a mapped budget project follow by themselves: the link is by the project's code, not by indicator.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select

from models.base import Labelled, county_of
from models.catalogue_tasks import CatalogueTaskKind
from models.indicators import Drawdown, ProjectDrawdown
from models.officers import ActingOfficer
from models.projects import ProjectLink, SubsidyProject
from policies.enforcement import allow
from policies.moves import record_event
from policies.permissions import Permission
from policies.refusals import NotFound, Refused
from workflows import indicator_arrivals
from workflows.catalogue_tasks import vanish

PRO_CODE = re.compile(r"\d{8}[0-9A-Z]{13}")
NOUN = "project_link"


class ProCodeWrong(Refused):
    """预算项目代码“{pro_code}”不正确：须为 21 位，前 8 位是数字，后 13 位是数字或大写字母；请核对后重填。"""

    status_code = 400


class PriorityWrong(Refused):
    """支用顺序“{priority}”不正确：请填写 1 到 99 的整数，数字小的先支用。"""

    status_code = 400


class LinkInUse(Refused):
    """预算项目 {pro_code} 还有支付单 {orders} 未办结，不能解除与“{project}”的对应；请待其办结后再办理（第十条）。"""


class Step(Labelled):
    """One click up or down in the order."""

    UP = "up", "提前"
    DOWN = "down", "推后"


def link(
    session: Session, *, by: ActingOfficer, project: SubsidyProject, pro_code: str, priority: int | None = None
) -> ProjectLink:
    """Let a budget project pay a subsidy project in the officer's county, last in order unless told. （第十条）

    The same pair again changes its order only. What has arrived of it is told to the department at once. Raises
    ProCodeWrong, PriorityWrong.
    """
    allow(session, by, Permission.INDICATOR_LINK)
    code = pro_code.strip()
    if not PRO_CODE.fullmatch(code):
        raise ProCodeWrong(pro_code=code[:30])
    county = county_of(by.division_code)
    place = priority if priority is not None else len(_links(session, county, project)) + 1
    if not 1 <= place <= 99:
        raise PriorityWrong(priority=place)
    known = any(one.pro_code == code for one in _links(session, county, project))
    session.execute(
        insert(ProjectLink)
        .values(division_code=county, project_id=project.id, pro_code=code, priority=place)
        .on_conflict_do_update(index_elements=["division_code", "project_id", "pro_code"], set_={"priority": place})
    )
    made = _link_of(session, county, project, code)
    _tell(session, made, project, "link", "调整支用顺序" if known else "对应预算项目", by, priority=place)
    if not known:
        _follow(session, county, code, by)
    return made


def link_project(
    session: Session, project: SubsidyProject, *, by: ActingOfficer, pro_code: str, priority: int | None = None
) -> ProjectLink:
    """Do as `link` does, from the page of a project. （第十条）"""
    return link(session, by=by, project=project, pro_code=pro_code, priority=priority)


OPEN_ORDERS = text(
    """
    select o.number from payment_orders o join budget_indicators i on i.division_code = o.division_code
        and i.id = o.indicator_id
    where o.division_code = :county and o.project_id = :project and i.pro_code = :code
        and o.status in ('drafted', 'released', 'requested', 'rejected')
    order by o.id limit 5
    """
)


def unlink(session: Session, project: SubsidyProject, *, by: ActingOfficer, pro_code: str) -> None:
    """End that a budget project pays a subsidy project in the county. （第十条）

    Raises NotFound, LinkInUse while a payment order of the pair lives.
    """
    allow(session, by, Permission.INDICATOR_LINK)
    county = county_of(by.division_code)
    made = _link_of(session, county, project, pro_code)
    orders = list(session.execute(OPEN_ORDERS, {"county": county, "project": project.id, "code": pro_code}).scalars())
    if orders:
        raise LinkInUse(pro_code=pro_code, orders="、".join(orders), project=project.name)
    _tell(session, made, project, "unlink", "解除预算项目对应", by, priority=made.priority)
    session.delete(made)
    session.flush()
    _renumber(session, _links(session, county, project))


def shift_link(session: Session, project: SubsidyProject, *, by: ActingOfficer, pro_code: str, step: str) -> None:
    """Move a budget project one place up or down in the draw-down order. （第十条） Raises NotFound."""
    allow(session, by, Permission.INDICATOR_LINK)
    county = county_of(by.division_code)
    made = _link_of(session, county, project, pro_code)
    order = _links(session, county, project)
    at = order.index(made)
    to = at - 1 if step == Step.UP else at + 1
    if step not in (Step.UP, Step.DOWN) or not 0 <= to < len(order):
        raise NotFound
    order[at], order[to] = order[to], order[at]
    _renumber(session, order)
    _tell(session, made, project, "reorder", f"支用顺序{Step(step).label}", by, priority=made.priority)


def choose_drawdown(session: Session, project: SubsidyProject, *, by: ActingOfficer, drawdown: str) -> None:
    """Choose in which order indicators of one priority are drawn down. （第十条） Raises NotFound."""
    allow(session, by, Permission.INDICATOR_LINK)
    if drawdown not in list(Drawdown):
        raise NotFound
    county = county_of(by.division_code)
    links = _links(session, county, project)
    if not links:
        raise NotFound
    session.execute(
        insert(ProjectDrawdown)
        .values(division_code=county, project_id=project.id, drawdown=Drawdown(drawdown))
        .on_conflict_do_update(index_elements=["division_code", "project_id"], set_={"drawdown": Drawdown(drawdown)})
    )
    label = f"支用方式：{Drawdown(drawdown).label}"
    _tell(session, links[0], project, "drawdown", label, by, drawdown=drawdown)


def _links(session: Session, county: str, project: SubsidyProject) -> list[ProjectLink]:
    found = (
        select(ProjectLink)
        .where(ProjectLink.division_code == county, ProjectLink.project_id == project.id)
        .order_by(col(ProjectLink.priority), col(ProjectLink.pro_code))
        .execution_options(populate_existing=True)
    )
    return list(session.exec(found))


def _link_of(session: Session, county: str, project: SubsidyProject, code: str) -> ProjectLink:
    found = next((one for one in _links(session, county, project) if one.pro_code == code), None)
    if found is None:
        raise NotFound
    return found


def _renumber(session: Session, order: Sequence[ProjectLink]) -> None:
    for place, one in enumerate(order, 1):
        one.priority = place
        session.add(one)
    session.flush()


def _tell(
    session: Session, made: ProjectLink, project: SubsidyProject, verb: str, label: str, by: ActingOfficer, **facts: Any
) -> None:
    told = {"project": project.code, "pro_code": made.pro_code} | facts
    record_event(session, made, verb, by=by, label=label, noun=NOUN, facts=told)


WAITING = text(
    "select i.id from budget_indicators i where i.division_code = :county and i.pro_code = :code"
    " and i.available_fen > 0 order by i.id"
)
OF_PROJECT = text("select id from budget_indicators where division_code = :county and pro_code = :code")


def _follow(session: Session, county: str, code: str, by: ActingOfficer) -> None:
    """Close finance's task about an unmapped budget project; tell the department of what has arrived."""
    keys = {"county": county, "code": code}
    ids = list(session.execute(OF_PROJECT, keys).scalars())
    for kind in (CatalogueTaskKind.INDICATOR_UNMAPPED, CatalogueTaskKind.MONEY_AT_REST):
        vanish(session, kind, indicator_arrivals.SUBJECT, ids, by=by, division_code=county)
    indicator_arrivals.tell(session, list(session.execute(WAITING, keys).scalars()))


# --- what is not mapped yet -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Suggestion:
    """A subsidy that a budget project might pay, and why."""

    project_id: int
    name: str
    reason: str


@dataclass(frozen=True)
class Unmapped:
    """A budget project of a county that pays no subsidy yet."""

    division_code: str
    pro_code: str
    pro_name: str
    indicators: int
    amount_fen: int
    since: Any
    suggestions: tuple[Suggestion, ...] = ()


UNMAPPED = text(
    """
    select i.division_code, i.pro_code, max(i.pro_name) as pro_name, count(*) as indicators,
        sum(i.amount_fen) as amount_fen, min(coalesce(i.document_date, cast(i.arrived_at as date))) as since
    from budget_indicators i where i.amount_fen > 0
    group by i.division_code, i.pro_code
    having (i.division_code, i.pro_code) not in (select l.division_code, l.pro_code from project_links l)
    order by sum(i.amount_fen) desc, i.pro_code limit :limit offset :skip
    """
)
COUNTED = text(
    """
    select count(*) as projects, coalesce(sum(amount_fen), 0) as amount_fen from (
        select sum(i.amount_fen) as amount_fen from budget_indicators i where i.amount_fen > 0
        group by i.division_code, i.pro_code
        having (i.division_code, i.pro_code) not in (select l.division_code, l.pro_code from project_links l)) u
    """
)


def unmapped(session: Session, *, limit: int, skip: int = 0) -> list[Unmapped]:
    """Return the budget projects of the caller's range that pay no subsidy yet, the most money first. （第十条）"""
    rows = [Unmapped(**row) for row in session.execute(UNMAPPED, {"limit": limit, "skip": skip}).mappings()]
    return _suggested(session, rows)


def count_unmapped(session: Session) -> tuple[int, int]:
    """Return how many there are and their fen."""
    row = session.execute(COUNTED).one()
    return int(row.projects), int(row.amount_fen)


LAST_YEARS = text("select substr(pro_code, 9) as suffix, project_id, division_code from project_links"
                  " where substr(pro_code, 9) = any (:suffixes)")  # fmt: skip
ELSEWHERE = text("select * from link_suggestions(:suffixes, :names)")
NAMES = text("select id, name, short_name from subsidy_projects where status = 'admitted' order by id")
MOST = 3


def _suggested(session: Session, rows: Sequence[Unmapped]) -> list[Unmapped]:
    """Add suggestions: the county's own link of last year, other counties' links, the name."""
    asked = {"suffixes": [row.pro_code[8:] for row in rows], "names": [row.pro_name for row in rows]}
    own = session.execute(LAST_YEARS, {"suffixes": asked["suffixes"]}).all() if rows else []
    others = session.execute(ELSEWHERE, asked).all() if rows else []
    projects = {row.id: row for row in session.execute(NAMES)} if rows else {}
    found = []
    for row in rows:
        reasons: dict[int, str] = {}
        for one in own:
            if one.suffix == row.pro_code[8:] and one.division_code == row.division_code:
                reasons.setdefault(one.project_id, "本地往年对应")
        for one in sorted(others, key=lambda other: -other.counties):
            if one.suffix == row.pro_code[8:] or (one.pro_name and one.pro_name == row.pro_name):
                reasons.setdefault(one.project_id, f"其他 {one.counties} 个旗县如此对应")
        for project in projects.values():
            if row.pro_name and (project.name in row.pro_name or row.pro_name in project.name
                                 or (project.short_name and project.short_name in row.pro_name)):  # fmt: skip
                reasons.setdefault(project.id, "名称相近")
        kept = [(one, why) for one, why in reasons.items() if one in projects][:MOST]
        named = tuple(Suggestion(one, projects[one].name, why) for one, why in kept)
        found.append(Unmapped(**{**vars(row), "suggestions": named}))
    return found
