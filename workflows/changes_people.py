"""Changes of people: new, their facts, dead, missing, gone, back, to another household of the township. （第十一条）

Each verb proposes; the plan beside it says what is true before and after, and writes it once two people agree.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col

from models.crypto import phone_index
from models.households import Household, HouseholdStatus, Member, MemberStatus
from models.officers import ActingOfficer
from models.registry_changes import ChangeKind, RegistryChange
from models.registry_tasks import TaskKind
from models.residences import Residence
from policies.codes import ETHNICITIES, HEAD, RELATIONS, SEXES
from policies.identities import mask_name
from policies.person_fields import FieldWrong, a_day, a_phone, a_relation, a_text, an_ethnicity
from policies.refusals import Refused
from workflows.attachments import Evidence
from workflows.change_lines import mark_dead
from workflows.change_rules import (
    LIVING,
    MemberNotHere,
    add_person,
    home_of,
    household_numbered,
    living,
    require_active,
    require_day,
    require_member,
    staying,
    touch,
    write_staying,
)
from workflows.changes_households import SameHousehold, a_person, head_of
from workflows.changes_identity import correct_identity, merge_person
from workflows.identity_checks import check_members, find_paid_after_death
from workflows.registry_changes import About, Draft, plan_change, planned
from workflows.registry_tasks import vanish
from workflows.virtual_members import tell_references

__all__ = [
    "change_member", "correct_identity", "merge_person", "move_member", "new_member", "register_death",
    "register_leave", "register_missing", "restore",
]  # fmt: skip

Relations = Mapping[int, str] | None


class HeadStays(Refused):
    """该成员是户主，其与户主关系不能直接修改；请办理“变更户主”（第十一条）。"""

    status_code = 400


class RelationNeeded(Refused):
    """该户现在另有户主，请同时填写该成员与现户主的关系（第十一条）。"""

    status_code = 400


# --- new ------------------------------------------------------------------------------------------------------------


def new_member(
    session: Session, household: Household, *, by: ActingOfficer, name: str, id_number: str, relation: str,
    reason: str, ethnicity: str = "01", phone: str = "", evidence: Sequence[Evidence] = (),
    effective_on: date | None = None,
) -> RegistryChange:  # fmt: skip
    """Propose another person of a household: born, married in, adopted. （第十一条）

    Raises HouseholdNotActive, HouseholdHasNoHead, FieldWrong, PersonHere, PersonKept, EffectiveLater.
    """
    asked = {"name": name, "id_number": id_number, "relation": relation, "ethnicity": ethnicity, "phone": phone}
    return plan_change(session, ChangeKind.NEW_MEMBER, by=by, reason=reason, evidence=evidence,
                       effective_on=effective_on, household=household, asked=asked)  # fmt: skip


@planned(ChangeKind.NEW_MEMBER)
def plan_new_member(
    session: Session, about: About, name: str, id_number: str, relation: str, ethnicity: str, phone: str
) -> Draft:
    """Draft another person of a household."""
    if about.household is None:
        raise LookupError("a new member names no household")
    home = require_active(about.household)
    head_of(session, home)
    code = a_relation(relation)
    person = a_person(session, about, name, id_number, ethnicity, phone)

    def write(session: Session, change: RegistryChange, by: ActingOfficer) -> None:
        member = add_person(session, change, home, person, code)
        check_members(session, [member.id or 0], by=by)

    numbered = person.numbered
    shown = person.shown() | {"性别": SEXES[numbered.sex], "出生日期": numbered.birth_date.isoformat()}
    shown |= {"民族": ETHNICITIES[person.ethnicity], "与户主关系": RELATIONS[code], "户编号": home.number}
    return Draft(shown, write, subject=person.name)


# --- their facts ----------------------------------------------------------------------------------------------------


def change_member(
    session: Session, member: Member, *, by: ActingOfficer, reason: str, relation: str | None = None,
    ethnicity: str | None = None, phone: str | None = None, evidence: Sequence[Evidence] = (),
    effective_on: date | None = None,
) -> RegistryChange:  # fmt: skip
    """Propose another relation, ethnicity or telephone number; None leaves a field, '' empties the number. （第十一条）

    Raises MemberNotHere, HeadStays, FieldWrong, DayTooEarly, NothingChanges, ChangeUnderWay.
    """
    asked = {"relation": relation, "ethnicity": ethnicity, "phone": phone}
    return plan_change(session, ChangeKind.MEMBER, by=by, reason=reason, evidence=evidence,
                       effective_on=effective_on, member=member, asked=asked)  # fmt: skip


@planned(ChangeKind.MEMBER)
def plan_member(
    session: Session, about: About, relation: str | None, ethnicity: str | None, phone: str | None
) -> Draft:
    """Draft other facts of a person."""
    member = require_member(about.member, ChangeKind.MEMBER.label)
    before: dict[str, str] = {}
    after: dict[str, str] = {}
    values: dict[str, Any] = {}
    if relation is not None and relation != member.relation:
        if member.relation == HEAD:
            raise HeadStays
        require_day(session, [member], about.day)
        values["relation"] = a_relation(relation)
        before["与户主关系"], after["与户主关系"] = RELATIONS.get(member.relation, ""), RELATIONS[relation]
    if ethnicity is not None and ethnicity != member.ethnicity:
        values["ethnicity"] = an_ethnicity(ethnicity)
        before["民族"], after["民族"] = ETHNICITIES.get(member.ethnicity, ""), ETHNICITIES[ethnicity]
    number = a_phone(phone)
    if phone is not None and number != member.phone:
        values |= {"phone": number, "phone_index": phone_index(number) if number else None}
        before["手机号"], after["手机号"] = member.phone or "", number or ""

    def write(session: Session, change: RegistryChange, by: ActingOfficer) -> None:
        touch(session, member, change, **values)

    return Draft(after, write, before)


# --- dead, missing, gone --------------------------------------------------------------------------------------------


def register_death(
    session: Session, member: Member, *, by: ActingOfficer, died_on: date, reason: str, head_id: int = 0,
    relations: Relations = None, evidence: Sequence[Evidence] = (), effective_on: date | None = None,
) -> RegistryChange:  # fmt: skip
    """Propose a death; head_id, relations: the new head when the head has died. （第十一条、第十六条第一项）

    The date is the death's own, however late it is registered: what happened to others since then stays.
    Raises MemberNotHere, FieldWrong, EffectiveLater, HeadNeeded, NotAHead.
    """
    asked = {"head_id": head_id, "relations": dict(relations or {})}
    return plan_change(session, ChangeKind.DEATH, by=by, reason=reason, evidence=evidence,
                       effective_on=a_day(died_on, "死亡日期"), member=member, asked=asked)  # fmt: skip


@planned(ChangeKind.DEATH)
def plan_death(session: Session, about: About, head_id: int, relations: Mapping[str, str]) -> Draft:
    """Draft a death."""
    member = require_member(about.member, ChangeKind.DEATH.label, *LIVING, MemberStatus.MOVED)
    if about.day < member.birth_date:
        raise FieldWrong(field="死亡日期", problem="早于其出生日期", remedy="请按死亡证明填写")
    stay = None
    if member.status in LIVING:
        home = home_of(session, member)
        stay = staying(session, home, [member], "死亡", head_id=int(head_id), relations=relations)

    def write(session: Session, change: RegistryChange, by: ActingOfficer) -> None:
        touch(session, member, change, status=MemberStatus.DEAD, died_on=about.day)
        if stay is not None:
            write_staying(session, change, stay, by, "最后一名成员死亡")
        session.flush()
        mark_dead(session, member, about.day)
        vanish(session, TaskKind.DECEASED, [member.id or 0], by=by)
        find_paid_after_death(session, [member.id or 0])
        tell_references(session, [member.id or 0], "death")

    after = {"人员状态": MemberStatus.DEAD.label, "死亡日期": about.day.isoformat()}
    return Draft(after | (stay.shown() if stay is not None else {}), write, {"人员状态": member.status.label})


def register_missing(
    session: Session, member: Member, *, by: ActingOfficer, reason: str, evidence: Sequence[Evidence] = (),
    effective_on: date | None = None,
) -> RegistryChange:  # fmt: skip
    """Propose that a person is missing; they stay in their household. （第十一条、第二十一条第三项）

    Raises MemberNotHere, EffectiveLater.
    """
    return plan_change(session, ChangeKind.MISSING, by=by, reason=reason, evidence=evidence,
                       effective_on=effective_on, member=member, asked={})  # fmt: skip


@planned(ChangeKind.MISSING)
def plan_missing(session: Session, about: About) -> Draft:
    """Draft that a person is missing."""
    member = require_member(about.member, ChangeKind.MISSING.label, MemberStatus.ALIVE)

    def write(session: Session, change: RegistryChange, by: ActingOfficer) -> None:
        touch(session, member, change, status=MemberStatus.MISSING)
        session.flush()
        tell_references(session, [member.id or 0], "missing")

    return Draft({"人员状态": MemberStatus.MISSING.label}, write, {"人员状态": MemberStatus.ALIVE.label})


def register_leave(
    session: Session, member: Member, *, by: ActingOfficer, destination: str, reason: str, head_id: int = 0,
    relations: Relations = None, evidence: Sequence[Evidence] = (), effective_on: date | None = None,
) -> RegistryChange:  # fmt: skip
    """Propose that a person has left for somewhere that doesn't take them over (out of the region). （第十一条）

    Raises MemberNotHere, FieldWrong, DayTooEarly, HeadNeeded, NotAHead.
    """
    asked = {"destination": destination, "head_id": head_id, "relations": dict(relations or {})}
    return plan_change(session, ChangeKind.LEAVE, by=by, reason=reason, evidence=evidence, effective_on=effective_on,
                       member=member, asked=asked)  # fmt: skip


@planned(ChangeKind.LEAVE)
def plan_leave(session: Session, about: About, destination: str, head_id: int, relations: Mapping[str, str]) -> Draft:
    """Draft that a person has left."""
    member = require_member(about.member, ChangeKind.LEAVE.label)
    where = a_text(destination, "迁往地", 100)
    if not where:
        raise FieldWrong(field="迁往地", problem="没有填写", remedy="请填写迁往的省、市、县和乡镇")
    home = home_of(session, member)
    stay = staying(session, home, [member], "迁出", head_id=int(head_id), relations=relations)
    require_day(session, [member] if stay.head is None else [member, *stay.members], about.day)

    def write(session: Session, change: RegistryChange, by: ActingOfficer) -> None:
        touch(session, member, change, status=MemberStatus.MOVED, left_on=about.day)
        write_staying(session, change, stay, by, "最后一名成员迁出")
        tell_references(session, [member.id or 0], "moved")

    after = {"人员状态": MemberStatus.MOVED.label, "离户日期": about.day.isoformat(), "迁往地": where}
    return Draft(after | stay.shown(), write, {"人员状态": member.status.label})


# --- back -----------------------------------------------------------------------------------------------------------


def restore(
    session: Session, member: Member, *, by: ActingOfficer, reason: str, relation: str = "",
    evidence: Sequence[Evidence] = (), effective_on: date | None = None,
) -> RegistryChange:  # fmt: skip
    """Propose that somebody is alive and here: wrongly registered dead, found, come back. （第十一条）

    relation: to the present head, when the person was the head. After a wrong death they have lived here all the
    time. Raises MemberNotHere, RelationNeeded, FieldWrong, DayTooEarly.
    """
    until = _last_day_here(session, member)
    day = until if member.status == MemberStatus.DEAD else effective_on
    return plan_change(session, ChangeKind.RESTORE, by=by, reason=reason, evidence=evidence, effective_on=day,
                       member=member, asked={"relation": relation})  # fmt: skip


def _last_day_here(session: Session, member: Member) -> date | None:
    found: date | None = session.execute(
        sa.select(sa.func.max(col(Residence.until_on))).where(col(Residence.member_id) == member.id)
    ).scalar_one()
    return found or member.died_on


@planned(ChangeKind.RESTORE)
def plan_restore(session: Session, about: About, relation: str) -> Draft:
    """Draft that somebody is alive and here again."""
    gone = (MemberStatus.DEAD, MemberStatus.MISSING, MemberStatus.MOVED)
    member = require_member(about.member, ChangeKind.RESTORE.label, *gone)
    home = home_of(session, member)
    others = [one for one in living(session, home) if one.id != member.id]
    until = _last_day_here(session, member)
    if member.status != MemberStatus.MISSING and until is not None and about.day < until:
        raise FieldWrong(field="发生日期", problem="早于其离开本户的日期", remedy=f"请填写 {until} 或以后的日期")
    role = member.relation if member.status == MemberStatus.MISSING else _role(member, others, relation)
    reopens = home.status == HouseholdStatus.CLOSED
    if reopens and others:
        raise MemberNotHere(status="户已撤销", step=ChangeKind.RESTORE.label)

    missing, dead = member.status == MemberStatus.MISSING, member.status == MemberStatus.DEAD

    def write(session: Session, change: RegistryChange, by: ActingOfficer) -> None:
        touch(session, member, change, status=MemberStatus.ALIVE, died_on=None, left_on=None, relation=role)
        if role == HEAD and not missing:
            touch(session, home, change, head_name=member.name, status=HouseholdStatus.ACTIVE, closed_on=None)
        session.flush()
        if dead:
            mark_dead(session, member, None)
        check_members(session, [member.id or 0], by=by)
        tell_references(session, [member.id or 0], "identity")

    before = {"人员状态": member.status.label, "死亡日期": member.died_on.isoformat() if member.died_on else ""}
    after = {"人员状态": MemberStatus.ALIVE.label, "死亡日期": "", "与户主关系": RELATIONS[role]}
    return Draft(after | ({"户状态": "恢复在册"} if reopens else {}), write, before)


def _role(member: Member, others: Sequence[Member], relation: str) -> str:
    """Return what somebody is on return: head of an empty household, else as asked or as before."""
    if not others:
        return HEAD
    if relation:
        return a_relation(relation)
    if member.relation == HEAD:
        raise RelationNeeded
    return member.relation


# --- to another household -------------------------------------------------------------------------------------------


def move_member(
    session: Session, member: Member, *, by: ActingOfficer, into_number: str, relation: str, reason: str,
    head_id: int = 0, relations: Relations = None, evidence: Sequence[Evidence] = (),
    effective_on: date | None = None,
) -> RegistryChange:  # fmt: skip
    """Propose that a person goes over to another household of the township. （第十一条）

    head_id, relations: who heads those that stay when the head goes. Raises MemberNotHere, HouseholdUnknown,
    SameHousehold, HouseholdHasNoHead, HeadNeeded, NotAHead, FieldWrong, DayTooEarly.
    """
    asked = {"into_number": into_number, "relation": relation, "head_id": head_id, "relations": dict(relations or {})}
    return plan_change(session, ChangeKind.MOVE, by=by, reason=reason, evidence=evidence, effective_on=effective_on,
                       member=member, asked=asked)  # fmt: skip


@planned(ChangeKind.MOVE)
def plan_move(
    session: Session, about: About, into_number: str, relation: str, head_id: int, relations: Mapping[str, str]
) -> Draft:
    """Draft that a person goes over to another household."""
    member = require_member(about.member, ChangeKind.MOVE.label)
    home = home_of(session, member)
    into = household_numbered(session, about.division_code, into_number)
    if into.id == home.id:
        raise SameHousehold(number=home.number)
    head, code = head_of(session, into), a_relation(relation)
    stay = staying(session, home, [member], "转出", head_id=int(head_id), relations=relations)
    require_day(session, [member] if stay.head is None else [member, *stay.members], about.day)

    def write(session: Session, change: RegistryChange, by: ActingOfficer) -> None:
        touch(session, member, change, household_id=into.id, relation=code)
        write_staying(session, change, stay, by, f"最后一名成员转入户 {into.number}")

    before = {"户编号": home.number, "与户主关系": RELATIONS.get(member.relation, member.relation)}
    after = {"户编号": into.number, "户主": mask_name(head.name), "与户主关系": RELATIONS[code]}
    return Draft(after | {f"原户{title}": text for title, text in stay.shown("").items()}, write, before)
