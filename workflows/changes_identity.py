"""Corrections of who somebody is: wrong number, 15 to 18 digits, renamed; two records of one person become one.

（第十一条、第十六条）
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from models.crypto import id_index
from models.households import Household, Member
from models.officers import ActingOfficer
from models.registry_changes import ChangeKind, RegistryChange
from models.registry_tasks import TaskKind
from policies.clock import today
from policies.codes import HEAD, SEXES
from policies.identities import LEGACY_ID_LENGTH, name_key, upgrade_id
from policies.person_fields import a_name, a_number
from policies.refusals import Refused
from workflows.attachments import Evidence
from workflows.change_lines import correct_lines
from workflows.change_rules import (
    LIVING,
    MemberNotHere,
    PersonHere,
    home_of,
    keeper_of,
    nobody_twice,
    require_day,
    require_new,
    staying,
    touch,
    write_staying,
)
from workflows.identity_checks import check_members
from workflows.registry_changes import About, Draft, plan_change, planned
from workflows.registry_tasks import raise_tasks
from workflows.virtual_members import tell_references


class OtherRecord(Refused):
    """更正后的身份证号已登记在本苏木乡镇户 {number}（{status}）；确为同一人的，请办理“合并重复人员”（第十一条）。"""


class KeptElsewhere(Refused):
    """要保留的记录由{township}登记，只能合并同一苏木乡镇的记录；请先办理“跨苏木乡镇迁移”，再合并（第十一条）。"""


class KeptUnknown(Refused):
    """没有身份证号为所填号码的现存记录；请核对要保留的身份证号（第十一条）。"""

    status_code = 400


class SameRecord(Refused):
    """要保留的记录就是本记录，无需合并；请填写另一条记录的身份证号（第十一条）。"""

    status_code = 400


class MoneyUnderWay(Refused):
    """两条记录还有 {count} 笔补贴正在支付或发放失败待办；请待其办结后再合并（第十一、二十一条）。"""


# --- correct --------------------------------------------------------------------------------------------------------


def correct_identity(
    session: Session, member: Member, *, by: ActingOfficer, reason: str, name: str = "", id_number: str = "",
    evidence: Sequence[Evidence] = (), effective_on: date | None = None,
) -> RegistryChange:  # fmt: skip
    """Propose a corrected name or number; '' leaves a field. Birth date and sex follow the number. （第十一条）

    Raises MemberNotHere, FieldWrong, OtherRecord, PersonKept, NothingChanges, ChangeUnderWay.
    """
    return plan_change(session, ChangeKind.IDENTITY, by=by, reason=reason, evidence=evidence,
                       effective_on=effective_on, member=member,
                       asked={"name": name, "id_number": id_number})  # fmt: skip


@planned(ChangeKind.IDENTITY)
def plan_identity(session: Session, about: About, name: str, id_number: str) -> Draft:
    """Draft a corrected name or number."""
    member = about.member
    if member is None or not member.current:
        raise MemberNotHere(status="已并入或迁出", step=ChangeKind.IDENTITY.label)
    former, former_number = member.name, member.id_number
    values: dict[str, Any] = {}
    before, after = {"姓名": former}, {"姓名": former}
    if name.strip() and name.strip() != former:
        after["姓名"] = values["name"] = a_name(name)
        values["name_key"] = name_key(values["name"])
    if id_number.strip():
        numbered = a_number(id_number, today(session))
        if numbered.number != former_number:
            _require_free(session, member, numbered.number)
            values |= {
                "id_number": numbered.number, "id_index": id_index(numbered.number),
                "birth_date": numbered.birth_date, "sex": numbered.sex, "police_died_on": None,
            }  # fmt: skip
            before |= _shown(former_number, member.birth_date, member.sex)
            after |= _shown(numbered.number, numbered.birth_date, numbered.sex)

    def write(session: Session, change: RegistryChange, by: ActingOfficer) -> None:
        _correct(session, change, member, values, by)

    return Draft(after, write, before, subject=former)


def _shown(number: str, born: date, sex: str) -> dict[str, str]:
    return {"身份证号": number, "出生日期": born.isoformat(), "性别": SEXES.get(sex, "")}


def _require_free(session: Session, member: Member, number: str) -> None:
    try:
        require_new(session, member.division_code, number, but=member.id)
    except PersonHere as taken:
        raise OtherRecord(**taken.fields) from taken


def _correct(
    session: Session, change: RegistryChange, member: Member, values: Mapping[str, Any], by: ActingOfficer
) -> None:
    """Write a corrected name or number: nobody has checked it yet, whatever the police said before."""
    former, former_number = member.name, member.id_number
    with nobody_twice(session, member.division_code, values.get("id_number", former_number)):
        touch(session, member, change, **values, identity_outcome=None, identity_checked_at=None)
    renamed: Household | None = None
    if "name" in values and member.relation == HEAD:
        renamed = home_of(session, member)
        touch(session, renamed, change, head_name=member.name)
        session.flush()
    renumbered = "id_number" in values and values["id_number"] != _upgraded(former_number)
    correct_lines(session, member, by=by, former=former, household=renamed, renumbered=renumbered)
    check_members(session, [member.id or 0], by=by)
    tell_references(session, [member.id or 0], "identity")


def _upgraded(number: str) -> str:
    legacy = len(number) == LEGACY_ID_LENGTH and number.isascii() and number.isdigit()
    return upgrade_id(number) if legacy else number.upper()


# --- merge ----------------------------------------------------------------------------------------------------------


def merge_person(
    session: Session, member: Member, *, by: ActingOfficer, keep_id_number: str, reason: str, head_id: int = 0,
    relations: Mapping[int, str] | None = None, evidence: Sequence[Evidence] = (), effective_on: date | None = None,
) -> RegistryChange:  # fmt: skip
    """Propose that this record is one person's second one: it goes over into the other, payments and all. （第十一条）

    Raises MemberNotHere, FieldWrong, SameRecord, KeptElsewhere, KeptUnknown, MoneyUnderWay, HeadNeeded, NotAHead.
    """
    asked = {"keep_id_number": keep_id_number, "head_id": head_id, "relations": dict(relations or {})}
    return plan_change(session, ChangeKind.MERGE, by=by, reason=reason, evidence=evidence, effective_on=effective_on,
                       member=member, asked=asked)  # fmt: skip


@planned(ChangeKind.MERGE)
def plan_merge(
    session: Session, about: About, keep_id_number: str, head_id: int, relations: Mapping[str, str]
) -> Draft:
    """Draft two records of one person becoming one."""
    member = about.member
    if member is None or not member.current:
        raise MemberNotHere(status="已并入或迁出", step=ChangeKind.MERGE.label)
    kept = _kept_record(session, member, keep_id_number)
    if (kept.status in LIVING) != (member.status in LIVING):
        raise MemberNotHere(status=kept.status.label, step=ChangeKind.MERGE.label)
    _require_no_money(session, [member.id or 0, kept.id or 0])
    home, kept_home = home_of(session, member), home_of(session, kept)
    stay = staying(session, home, [member], "并入另一条记录", head_id=int(head_id), relations=relations)
    require_day(session, [member] if stay.head is None else [member, *stay.members], about.day)

    def write(session: Session, change: RegistryChange, by: ActingOfficer) -> None:
        _merge(session, change, member, kept)
        if member.status in LIVING:
            write_staying(session, change, stay, by, "唯一成员并入另一条记录")
        tell_references(session, [member.id or 0, kept.id or 0], "identity")

    before = {"姓名": member.name, "身份证号": member.id_number, "户编号": home.number}
    after = {"姓名": kept.name, "身份证号": kept.id_number, "户编号": kept_home.number}
    return Draft(after | {f"原户{title}": text for title, text in stay.shown("").items()}, write, before, row_count=2)


def _kept_record(session: Session, member: Member, number: str) -> Member:
    index = id_index(a_number(number, today(session), "要保留的身份证号").number)
    kept = session.exec(
        select(Member).where(
            Member.division_code == member.division_code, col(Member.id_index) == index, col(Member.current)
        )
    ).one_or_none()
    if kept is None:
        keeper = keeper_of(session, index)
        raise KeptElsewhere(township=keeper) if keeper else KeptUnknown
    if kept.id == member.id:
        raise SameRecord
    return kept


UNDER_WAY = sa.text("select payments_under_way(:members)")
MERGE = sa.text("select verdict, roster_id, lines from merge_records(:change, :member, :kept)")


def _require_no_money(session: Session, members: Sequence[int]) -> None:
    count = session.execute(UNDER_WAY, {"members": list(members)}).scalar_one()
    if count:
        raise MoneyUnderWay(count=count)


def _merge(session: Session, change: RegistryChange, member: Member, kept: Member) -> None:
    """Bring a record's payments, claims, accounts and certificates under the other; tell what was paid twice.

    Neither can then be paid the same entitlement again.
    """
    session.flush()
    rows = session.execute(MERGE, {"change": change.id, "member": member.id, "kept": kept.id}).all()
    session.refresh(member)
    session.refresh(kept)
    twice = [row.roster_id for row in rows]
    raise_tasks(
        session,
        TaskKind.PAID_TWICE,
        [kept.id or 0] * len(twice),
        rosters=twice,
        source="township",
        detail="合并前两条记录的同一项补贴、同一所属期都已发放，请报主管部门追回多发部分（第十一、二十一条）",
    )
