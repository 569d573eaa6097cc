"""What an application must meet: a project that is listed and not stopped, a person of the registry, values, an amount.

（第六、十一、十三、十四条） Nothing here writes; `workflows/applications.py` decides what follows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, select

from models.applications import LIVE, Application
from models.base import county_of
from models.crypto import id_index
from models.households import Household, IdentityOutcome, Member, MemberStatus
from models.projects import SubsidyProject
from policies.clock import today
from policies.definitions import Definition
from policies.enforcement import OtherSector
from policies.flows import ApplicationStage
from policies.freshness import CHECKED_SINCE
from policies.person_fields import a_number
from policies.refusals import Refused
from workflows import flows
from workflows.annual_list_offers import require_listed
from workflows.application_values import LONG_NUMBER, component_of, expected_fen, read_values
from workflows.imports import ProjectStopped, StandardMissing
from workflows.project_versions import in_force, is_stopped


class PersonUnknown(Refused):
    """该身份证号不在“{township}”的补贴对象基础信息库中，也没有引用；请核对号码，新增对象先建档并核查身份（第十一条）。"""


class PersonGone(Refused):
    """该人员登记为“{status}”，不能申请；登记有误的先更正基础信息库（第十六条第一项）。"""


class PersonUnchecked(Refused):
    """该人员是新增补贴对象，尚未通过公安联网核查，不能申请；请先在家庭成员页面发起核查（第十一条）。"""


class AlreadyApplied(Refused):
    """该人员的同一项目（同一构成）已有在办的申请或有效的资格，不能重复申请；请先查看办理进度（第十四条）。"""


class Excluded(Refused):
    """该人员或其家庭已享受“{project}”，按政策不能同时享受；请核对互斥规定（{basis}）。"""


class StandardUnknown(Refused):
    """补贴标准 {standard} 元不在现行公布的标准中（{known}）；请从中选择（第八条）。"""

    status_code = 400


class ReasonNamesPerson(Refused):
    """{field}会长期保存，不要写证件号码、账号或手机号；请改写后再提交（第三十条）。"""

    status_code = 400


class ValidityWrong(Refused):
    """“{field}”不正确：拟享受止不能早于拟享受起；请更正后再提交。"""

    status_code = 400


@dataclass(frozen=True)
class Asked:
    """What is asked for, before anything has been checked."""

    quantity: Decimal
    standard: Decimal | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    valid_from: date | None = None
    valid_to: date | None = None


@dataclass(frozen=True)
class Settled:
    """What the project makes of it."""

    quantity: Decimal
    standard: Decimal
    values: dict[str, Any]
    component: str
    amount_fen: int
    valid_from: date
    valid_to: date | None


def require_open(session: Session, project: SubsidyProject, division_code: str) -> Definition:
    """Return the definition in force of a project that may be applied for in a township. （第六、七条）

    Raises ProjectStopped, NotListed.
    """
    if is_stopped(session, project):
        raise ProjectStopped(project=project.name)
    require_listed(session, project, county_of(division_code), today(session))
    return in_force(project)


def require_own_sector(sector: str, own: str) -> None:
    """Let a department receive what it is in charge of. （第十四条） Raises OtherSector."""
    if own and own != sector:
        raise OtherSector(sector=sector, own=own)


def stages(session: Session, project: SubsidyProject) -> tuple[bool, bool]:
    """Return whether the project's flow asks for the township's head, and for the notice. （第十四、二十四条）"""
    codes = {stage.code for stage in flows.application_stages(session, project)}
    return ApplicationStage.HEAD in codes, ApplicationStage.NOTICE in codes


FOUND = sa.text(
    "select m.id from members m where m.division_code = :division and m.id_index = :wanted"
    " and (m.current or exists (select from virtual_members v where v.division_code = m.division_code"
    " and v.member_id = m.id and v.status = 'in_force' and coalesce(v.project_id, :project) = :project))"
    " order by m.current desc limit 1"
)


def person_of(session: Session, project: SubsidyProject, division_code: str, id_number: str) -> Member:
    """Return the person of the registry, kept here or referenced for this project, who may apply. （第十一条）

    Raises FieldWrong, PersonUnknown, PersonGone, PersonUnchecked.
    """
    number = a_number(id_number, today(session)).number
    asked = {"division": division_code, "wanted": id_index(number), "project": project.id}
    found = session.execute(FOUND, asked).scalar_one_or_none()
    if found is None:
        name = session.execute(sa.text("select name from divisions where code = :code"), {"code": division_code})
        raise PersonUnknown(township=name.scalar_one_or_none() or division_code)
    member = session.get_one(Member, found)
    require_alive(session, member)
    return member


STATE = sa.text(
    "select v.person_status from virtual_members v where v.division_code = :division and v.member_id = :member"
    " and v.status = 'in_force' order by v.id limit 1"
)


def require_alive(session: Session, member: Member) -> None:
    """Let nobody apply who is dead, missing, gone, or new and unchecked. （第十一、十六条）

    Raises PersonGone, PersonUnchecked.
    """
    status = member.status
    if not member.current:
        keeper = session.execute(STATE, {"division": member.division_code, "member": member.id}).scalar_one_or_none()
        status = MemberStatus(keeper) if keeper else status
    if status != MemberStatus.ALIVE:
        raise PersonGone(status=status.label)
    if member.identity_outcome == IdentityOutcome.DEAD:
        raise PersonGone(status="公安核查为死亡")
    if member.current and member.identity_outcome is None and member.added_on >= CHECKED_SINCE:
        raise PersonUnchecked


def person_of_application(session: Session, application: Application) -> Member:
    """Return the person of an application."""
    return session.exec(
        select(Member).where(Member.division_code == application.division_code, Member.id == application.member_id)
    ).one()


STANDARDS = sa.text(
    "select division_code, standard_yuan from project_standards where project_id = :project"
    " and status in ('in_force', 'ended') and valid_from <= :day and (valid_to is null or valid_to >= :day)"
    " and division_code in (:township, :county, left(:county, 4) || '00000000', '150000000000')"
    " order by division_code desc, standard_yuan"
)


def standards(session: Session, project: SubsidyProject, division_code: str, day: date) -> list[Decimal]:
    """Return the standards in force, those of the nearest division that has any; none: empty. （第八条）"""
    asked = {"project": project.id, "day": day, "township": division_code, "county": county_of(division_code)}
    rows = session.execute(STANDARDS, asked).all()
    return sorted({row.standard_yuan for row in rows if row.division_code == rows[0].division_code})


def settle(
    session: Session, project: SubsidyProject, definition: Definition, division_code: str, asked: Asked
) -> Settled:
    """Return what an application comes to: values checked, the standard in force, the amount by the project's formula.

    （第八、十四条） Raises StandardMissing, StandardUnknown, ValidityWrong, and what the fields refuse.
    """
    day = today(session)
    valid_from = asked.valid_from or day
    if asked.valid_to is not None and asked.valid_to < valid_from:
        raise ValidityWrong(field="拟享受止")
    known = standards(session, project, division_code, day)
    if not known:
        raise StandardMissing(project=project.name, period=day.isoformat())
    standard = asked.standard if asked.standard is not None else known[0]
    if standard not in known or (asked.standard is None and len(known) > 1):
        shown = "、".join(f"{one.normalize():f}" for one in known)
        raise StandardUnknown(standard=f"{standard.normalize():f}", known=shown)
    values = read_values(definition, asked.values)
    quantity = asked.quantity
    amount = expected_fen(definition, quantity, standard, values)
    component = component_of(definition, values)
    return Settled(quantity, standard, values, component, amount, valid_from, asked.valid_to)


TAKEN = sa.text(
    "select 1 from applications where project_id = :project and person = :person and component = :component"
    " and status = any (:live) and id <> :own union all select 1 from qualifications where project_id = :project"
    " and person = :person and component = :component and status <> 'ended' limit 1"
)


def require_first(session: Session, project: SubsidyProject, member: Member, component: str, own: int = 0) -> None:
    """Let one person have one application under way, or one qualification, of a project and component. （第十四条）

    Other townships' are invisible here: a unique key over the whole region stands behind it. Raises AlreadyApplied.
    """
    asked = {"project": project.id, "person": member.person, "component": component, "own": own,
             "live": [str(status) for status in LIVE]}  # fmt: skip
    if session.execute(TAKEN, asked).first() is not None:
        raise AlreadyApplied


HELD = sa.text(
    "select q.project_name from qualifications q join subsidy_projects p on p.id = q.project_id"
    " where q.division_code = :division and q.status in ('active', 'suspended', 'ending') and p.code = :code"
    " and case when :household then q.household_id = :home else q.member_id = :member end limit 1"
)


def require_not_excluded(session: Session, definition: Definition, member: Member) -> None:
    """Let nobody hold what their project excludes, where the register tells. （第十四条） Raises Excluded."""
    for one in definition.exclusions:
        asked = {
            "division": member.division_code, "code": one.code, "household": one.subject == "household",
            "home": member.household_id, "member": member.id,
        }  # fmt: skip
        held = session.execute(HELD, asked).scalar_one_or_none() if one.subject != "component" else None
        if held is not None:
            raise Excluded(project=held, basis=one.basis or definition.exclusions_note or "见项目政策")


def home_of(session: Session, member: Member) -> Household:
    """Return the household of an applicant."""
    return session.exec(
        select(Household).where(Household.division_code == member.division_code, Household.id == member.household_id)
    ).one()


def unit_of(project: SubsidyProject) -> str:
    """Return what a project counts: of 元/亩/年 the 亩."""
    parts = project.unit.split("/")
    return parts[1] if len(parts) > 1 and parts[0] == "元" else project.unit


def impersonal(text: str, field: str) -> str:
    """Return words that will be kept, free of numbers that name people. （第三十条） Raises ReasonNamesPerson."""
    if LONG_NUMBER.search(text):
        raise ReasonNamesPerson(field=field)
    return text.strip()


NUMBER = sa.text(
    "select :letters || left(:division, 9) || to_char(cast(:day as date), 'YYYYMMDD')"
    " || to_char(nextval('application_numbers'), 'FM0000000')"
)


def next_number(session: Session, letters: str, division_code: str) -> str:
    """Return the next number of an application (SQ) or notice (ZS) of a township; nobody waits for it."""
    asked = {"letters": letters, "division": division_code, "day": today(session)}
    number: str = session.execute(NUMBER, asked).scalar_one()
    return number
