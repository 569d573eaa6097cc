"""Whom and what the rows of a department's batch are about: projects, townships, persons asked for once.

（第十一条、第十四条第二项） What the registry doesn't confirm is a mistake of its row and field, without the value.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Session, col, select

from models.application_exchange import ApplicationAgreement
from models.applications import LIVE
from models.base import county_of
from models.projects import ProjectStatus, SubsidyProject
from policies.clock import today
from policies.definitions import Definition
from policies.freshness import CHECKED_SINCE
from policies.refusals import Refused
from workflows.annual_list_offers import NotListed, require_listed
from workflows.application_rows import Mistakes, Row
from workflows.application_rules import standards, unit_of
from workflows.application_values import component_of, expected_fen, wrong_values
from workflows.project_versions import in_force


@dataclass(frozen=True)
class Target:
    """One row with what the platform knows of it."""

    row: Row
    known: bool
    """It has been pushed before, with the same content."""
    project_id: int = 0
    project_name: str = ""
    project_version: int = 0
    unit: str = ""
    household_id: int = 0
    member_id: int = 0
    person: str = ""
    member_name: str = ""
    village: str = ""
    standard: Decimal = Decimal(0)
    amount_fen: int = 0
    component: str = ""
    values: Mapping[str, Any] = None  # type: ignore[assignment]


PEOPLE = sa.text(
    """
    select r.place, m.id, m.household_id, m.person, m.name, m.name_key, h.village,
        case when m.current then m.status else v.person_status end as status, m.identity_outcome,
        m.current and m.identity_outcome is null and m.added_on >= :since as unchecked
    from unnest(cast(:places as integer[]), cast(:townships as text[]), :indexes, cast(:projects as bigint[]))
        as r (place, township, id_index, project_id)
    join lateral (
        select x.* from members x where x.division_code = r.township and x.id_index = r.id_index
            and (x.current or exists (select from virtual_members o where o.division_code = x.division_code
                and o.member_id = x.id and o.status = 'in_force'
                and coalesce(o.project_id, r.project_id) = r.project_id))
        order by x.current desc limit 1) m on true
    join households h on h.division_code = m.division_code and h.id = m.household_id
    left join lateral (select o.person_status from virtual_members o where o.division_code = m.division_code
        and o.member_id = m.id and o.status = 'in_force' order by o.id limit 1) v on not m.current
    """
).bindparams(sa.bindparam("indexes", type_=ARRAY(sa.LargeBinary)))
KNOWN = sa.text(
    "select external_number, project_id, division_code, person, quantity, component, extra from applications"
    " where body = :body and external_number = any (:numbers)"
)
TAKEN = sa.text(
    "select a.project_id, a.person, a.component from applications a where a.person = any (:people)"
    " and a.status = any (:live) union all select q.project_id, q.person, q.component from qualifications q"
    " where q.person = any (:people) and q.status <> 'ended'"
)


def targets(
    session: Session, body: str, agreement: ApplicationAgreement, rows: Sequence[Row], mistakes: Mistakes
) -> list[Target]:
    """Return the rows that hold; what doesn't is noted with its row and field. （第十一、十四条）"""
    projects = _projects(session, agreement, rows, mistakes)
    places = _places(session, projects, rows, mistakes)
    good = [row for row in rows if row.project in projects and row.township in places and row.id_index]
    people = _people(session, good, projects)
    known = {
        one.external_number: one
        for one in session.execute(KNOWN, {"body": body, "numbers": [row.external for row in rows]})
    }
    asked = {"people": [one.person for one in people.values()], "live": [str(status) for status in LIVE]}
    taken = {(one.project_id, one.person, one.component) for one in session.execute(TAKEN, asked)}
    found = []
    for row in good:
        person = people.get(row.place)
        if _wrong_person(row, person, mistakes):
            continue
        target = _settled(session, row, projects[row.project], person, mistakes)
        if target is None:
            continue
        former = known.get(row.external)
        key = (target.project_id, target.person, target.component)
        if former is not None and _same(former, target):
            found.append(Target(row, known=True))
        elif former is not None:
            mistakes.note(row.place, "external_number", "该申请号已用于另一内容")
        elif key in taken:
            mistakes.note(row.place, "id_number", "该人员的同一项目（同一构成）已有在办的申请或有效的资格")
        else:
            taken.add(key)
            found.append(target)
    return found


def _projects(
    session: Session, agreement: ApplicationAgreement, rows: Sequence[Row], mistakes: Mistakes
) -> dict[str, tuple[SubsidyProject, Definition]]:
    """Return the projects that the body may push for, by code. （第十四条谁主管、谁审批）"""
    codes = {row.project for row in rows if row.project}
    there = {one.code: one for one in session.exec(select(SubsidyProject).where(col(SubsidyProject.code).in_(codes)))}
    open_ = {
        code: (one, in_force(one))
        for code, one in there.items()
        if one.sector == agreement.line and one.status == ProjectStatus.ADMITTED
    }
    for row in rows:
        if row.project and row.project not in open_:
            problem = "项目库中没有该项目" if row.project not in there else "不是约定领域的在库项目"
            mistakes.note(row.place, "project", problem)
    return open_


def _places(
    session: Session, projects: Mapping[str, tuple[SubsidyProject, Definition]], rows: Sequence[Row], mistakes: Mistakes
) -> set[str]:
    """Return the townships that there are, where the project is on the county's list. （第六条）"""
    codes = {row.township for row in rows if row.township}
    there = set(
        session.execute(
            sa.text("select code from divisions where code = any (:codes) and level = 'township' and not hidden"),
            {"codes": sorted(codes)},
        ).scalars()
    )
    unlisted: dict[tuple[str, str], bool] = {}
    for row in rows:
        if row.township and row.township not in there:
            mistakes.note(row.place, "township", "没有该苏木乡镇")
        elif row.township and row.project in projects:
            pair = (row.project, county_of(row.township))
            if pair not in unlisted:
                unlisted[pair] = _is_unlisted(session, projects[row.project][0], pair[1])
            if unlisted[pair]:
                mistakes.note(row.place, "project", "不在该旗县本年度项目清单中")
    return there


def _is_unlisted(session: Session, project: SubsidyProject, county: str) -> bool:
    try:
        require_listed(session, project, county, today(session))
    except NotListed:
        return True
    return False


def _people(
    session: Session, rows: Sequence[Row], projects: Mapping[str, tuple[SubsidyProject, Definition]]
) -> dict[int, Any]:
    asked = {
        "places": [row.place for row in rows], "townships": [row.township for row in rows],
        "indexes": [row.id_index for row in rows], "projects": [projects[row.project][0].id for row in rows],
        "since": CHECKED_SINCE,
    }  # fmt: skip
    return {one.place: one for one in session.execute(PEOPLE, asked)} if rows else {}


def _wrong_person(row: Row, person: Any, mistakes: Mistakes) -> bool:
    """Note what keeps a person from applying, as at the window. （第十一、十六条）"""
    if person is None:
        problem = "不在该苏木乡镇的补贴对象基础信息库中，也没有引用"
    elif person.status != "alive" or person.identity_outcome == "dead":
        problem = "登记为死亡、失踪或迁出"
    elif person.unchecked:
        problem = "尚未通过公安联网核查"
    else:
        problem = ""
    if problem:
        mistakes.note(row.place, "id_number", problem)
    elif row.name_key and row.name_key != person.name_key:
        mistakes.note(row.place, "name", "与登记的姓名不一致")
    return bool(problem)


def _settled(
    session: Session, row: Row, about: tuple[SubsidyProject, Definition], person: Any, mistakes: Mistakes
) -> Target | None:
    """Return the row with its standard, values and amount; None when something of it is wrong. （第八、十四条）"""
    project, definition = about
    known = _standards(session, project, row.township)
    standard = row.standard if row.standard is not None else known[0] if len(known) == 1 else None
    if standard not in known:
        problem = "没有公布的补贴标准" if not known else "不在现行公布的标准中，标准有多档的必须填写"
        mistakes.note(row.place, "standard", problem)
        return None
    values, wrong = wrong_values(definition, row.values)
    for name, problem, _ in wrong:
        mistakes.note(row.place, f"fields.{name}" if name in definition.fields.get("properties", {}) else "fields",
                      problem or "不符合项目字段的要求")  # fmt: skip
    if wrong or standard is None:
        return None
    try:
        amount = expected_fen(definition, row.quantity, standard, values)
    except Refused:
        mistakes.note(row.place, "quantity", "按项目公式不能算出大于零的金额")
        return None
    return Target(
        row, known=False, project_id=project.id or 0, project_name=project.name,
        project_version=project.project_version, unit=unit_of(project), household_id=person.household_id,
        member_id=person.id, person=person.person, member_name=person.name, village=person.village, standard=standard,
        amount_fen=amount, component=component_of(definition, values), values=values,
    )  # fmt: skip


def _standards(session: Session, project: SubsidyProject, township: str) -> list[Decimal]:
    held = session.info.setdefault("standards_of_batch", {})
    key = (project.id, township)
    if key not in held:
        held[key] = standards(session, project, township, today(session))
    found: list[Decimal] = held[key]
    return found


def _same(former: Any, target: Target) -> bool:
    """Tell whether what was pushed before under the number says the same."""
    row = target.row
    return (former.project_id, former.division_code, former.person, former.quantity, former.component) == (
        target.project_id, row.township, target.person, row.quantity, target.component
    ) and former.extra == dict(target.values)  # fmt: skip
