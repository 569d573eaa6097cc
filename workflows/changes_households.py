"""Changes of households: new, their facts, split, joined, another head. （第十一条）

Each verb proposes; the plan beside it says what is true before and after, and writes it once two people agree.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from sqlmodel import Session

from models.base import county_of
from models.households import Asset, Household, HukouKind, Member
from models.officers import ActingOfficer
from models.registry_changes import ChangeKind, RegistryChange
from policies.clock import today
from policies.codes import ETHNICITIES, HEAD, SEXES
from policies.identities import mask_name
from policies.person_fields import FieldWrong, a_name, a_number, a_phone, a_text, an_ethnicity
from policies.refusals import Refused
from workflows.attachments import Evidence
from workflows.change_rules import (
    HouseholdHasNoHead,
    NotAHead,
    Person,
    add_person,
    close,
    household_numbered,
    living,
    relations_to,
    require_active,
    require_day,
    require_new,
    shown_head,
    shown_people,
    staying,
    touch,
    write_head,
    write_staying,
)
from workflows.households import assets_of
from workflows.identity_checks import check_members
from workflows.numbers import next_numbers
from workflows.registry_changes import About, Draft, plan_change, planned

VILLAGE_CODE = 12
TOWNSHIP_DIGITS = 9


class NobodyToMove(Refused):
    """没有选择要分出的成员；请在户 {number} 的在册成员中选择（第十一条）。"""

    status_code = 400


class WholeHousehold(Refused):
    """不能把户 {number} 的全部成员分出；住址有变的请办理“变更户信息”（第十一条）。"""

    status_code = 400


class SameHousehold(Refused):
    """并入户与原户是同一户 {number}；请核对户编号（第十一条）。"""

    status_code = 400


# --- new ------------------------------------------------------------------------------------------------------------


def new_household(
    session: Session, *, by: ActingOfficer, name: str, id_number: str, reason: str, village_code: str = "",
    village: str = "", group_name: str = "", address: str = "", hukou_kind: str = HukouKind.UNKNOWN, phone: str = "",
    ethnicity: str = "01", evidence: Sequence[Evidence] = (), effective_on: date | None = None,
) -> RegistryChange:  # fmt: skip
    """Propose a household with its head. （第十一条）

    Raises NotAllowed, FieldWrong, PersonHere, PersonKept, EffectiveLater, ReasonMissing.
    """
    asked = {
        "name": name, "id_number": id_number, "village_code": village_code, "village": village,
        "group_name": group_name, "address": address, "hukou_kind": hukou_kind, "phone": phone, "ethnicity": ethnicity,
    }  # fmt: skip
    return plan_change(session, ChangeKind.NEW_HOUSEHOLD, by=by, reason=reason, evidence=evidence,
                       effective_on=effective_on, asked=asked)  # fmt: skip


def a_person(session: Session, about: About, name: str, id_number: str, ethnicity: str, phone: str) -> Person:
    """Return somebody who is to be registered. Raises FieldWrong, PersonHere, PersonKept."""
    numbered = a_number(id_number, today(session))
    if about.day < numbered.birth_date:
        raise FieldWrong(field="发生日期", problem="早于其出生日期", remedy="请填写出生或迁入的日期")
    person = Person(a_name(name), numbered, an_ethnicity(ethnicity), a_phone(phone))
    require_new(session, about.division_code, numbered.number)
    return person


@planned(ChangeKind.NEW_HOUSEHOLD)
def plan_new_household(
    session: Session, about: About, name: str, id_number: str, village_code: str, village: str, group_name: str,
    address: str, hukou_kind: str, phone: str, ethnicity: str,
) -> Draft:  # fmt: skip
    """Draft a new household of one person."""
    person = a_person(session, about, name, id_number, ethnicity, phone)
    place = _place(about.division_code, village_code, village, group_name, address, hukou_kind)

    def write(session: Session, change: RegistryChange, by: ActingOfficer) -> None:
        home = _add_household(session, change, person.name, place)
        member = add_person(session, change, home, person, HEAD)
        check_members(session, [member.id or 0], by=by)

    shown = person.shown() | {
        "性别": SEXES[person.numbered.sex],
        "出生日期": person.numbered.birth_date.isoformat(),
        "民族": ETHNICITIES[person.ethnicity],
    }
    return Draft(shown | _shown_place(place), write, subject=person.name)


PLACE = {
    "village_code": "嘎查村代码",
    "village": "嘎查村",
    "group_name": "村民小组",
    "address": "住址",
    "hukou_kind": "户口性质",
}
"""The fields of a household that a change may write, with their titles."""


def _place(division_code: str, village_code: str, village: str, group_name: str, address: str,
           hukou_kind: str) -> dict[str, str]:  # fmt: skip
    """Return the checked fields of a household. Raises FieldWrong."""
    code = village_code.strip()
    if code and not (len(code) == VILLAGE_CODE and code.isdigit() and code[:9] == division_code[:TOWNSHIP_DIGITS]):
        raise FieldWrong(
            field="嘎查村代码", problem="不是本苏木乡镇的 12 位代码", remedy="请从本苏木乡镇的嘎查村中选择"
        )
    if hukou_kind not in list(HukouKind):
        raise FieldWrong(field="户口性质", problem="不是可选的类别", remedy="请从列表中选择")
    return {
        "village_code": code,
        "village": a_text(village, "嘎查村", 60),
        "group_name": a_text(group_name, "村民小组", 60),
        "address": a_text(address, "住址"),
        "hukou_kind": hukou_kind,
    }


def _shown_place(place: Mapping[str, str]) -> dict[str, str]:
    return {PLACE[key]: HukouKind(value).label if key == "hukou_kind" else value for key, value in place.items()}


def _add_household(session: Session, change: RegistryChange, head_name: str, place: Mapping[str, str]) -> Household:
    code = change.division_code
    values: dict[str, Any] = {**place, "hukou_kind": HukouKind(place["hukou_kind"])}
    home = Household(
        division_code=code,
        county_code=county_of(code),
        number=next_numbers(session, Household, "H", code)[0],
        head_name=head_name,
        change_id=change.id or 0,
        **values,
    )
    session.add(home)
    session.flush()
    return home


# --- its facts ------------------------------------------------------------------------------------------------------


def change_household(
    session: Session, household: Household, *, by: ActingOfficer, reason: str, village_code: str | None = None,
    village: str | None = None, group_name: str | None = None, address: str | None = None,
    hukou_kind: str | None = None, evidence: Sequence[Evidence] = (), effective_on: date | None = None,
) -> RegistryChange:  # fmt: skip
    """Propose other facts of a household; None leaves a field as it is. （第十一条）

    Raises HouseholdNotActive, FieldWrong, NothingChanges, ChangeUnderWay.
    """
    asked = {"village_code": village_code, "village": village, "group_name": group_name, "address": address,
             "hukou_kind": hukou_kind}  # fmt: skip
    return plan_change(session, ChangeKind.HOUSEHOLD, by=by, reason=reason, evidence=evidence,
                       effective_on=effective_on, household=household, asked=asked)  # fmt: skip


@planned(ChangeKind.HOUSEHOLD)
def plan_household(session: Session, about: About, **asked: str | None) -> Draft:
    """Draft other facts of a household."""
    home = require_active(_household(about))
    former = {key: str(getattr(home, key)) for key in PLACE}
    place = _place(home.division_code, **former | {key: value for key, value in asked.items() if value is not None})
    changed = [key for key in PLACE if place[key] != former[key]]

    def write(session: Session, change: RegistryChange, by: ActingOfficer) -> None:
        values = {key: place[key] for key in changed}
        if "hukou_kind" in values:
            home.hukou_kind = HukouKind(values.pop("hukou_kind"))
        touch(session, home, change, **values)

    return Draft(
        _shown_place({key: place[key] for key in changed}), write, _shown_place({key: former[key] for key in changed})
    )


def _household(about: About) -> Household:
    if about.household is None:
        raise LookupError("a change of a household names none")
    return about.household


# --- head -----------------------------------------------------------------------------------------------------------


def change_head(
    session: Session, household: Household, *, by: ActingOfficer, head_id: int, reason: str,
    relations: Mapping[int, str] | None = None, evidence: Sequence[Evidence] = (), effective_on: date | None = None,
) -> RegistryChange:  # fmt: skip
    """Propose another head; relations: everybody's relation to the new head, where it changes. （第十一条）

    Raises HouseholdNotActive, NotAHead, FieldWrong, DayTooEarly, NothingChanges.
    """
    asked = {"head_id": head_id, "relations": dict(relations or {})}
    return plan_change(session, ChangeKind.HEAD, by=by, reason=reason, evidence=evidence, effective_on=effective_on,
                       household=household, asked=asked)  # fmt: skip


@planned(ChangeKind.HEAD)
def plan_head(session: Session, about: About, head_id: int, relations: Mapping[str, str]) -> Draft:
    """Draft another head of a household."""
    home = require_active(_household(about))
    people = living(session, home)
    head = next((member for member in people if member.id == int(head_id)), None)
    if head is None or head.relation == HEAD:
        raise NotAHead(number=home.number)
    wanted = relations_to(head, people, relations)
    changing = [one for one in people if one.id == head.id or one.relation != wanted.get(one.id or 0)]
    require_day(session, changing, about.day)
    former = [member for member in people if member.relation == HEAD]
    before = {"户主": mask_name(former[0].name) if former else ""}
    others = [member for member in changing if member.id != head.id]
    if others:
        before["与户主关系"] = shown_people(others)

    def write(session: Session, change: RegistryChange, by: ActingOfficer) -> None:
        write_head(session, change, home, head, wanted)

    return Draft(shown_head(head, others, wanted), write, before, row_count=len(changing))


# --- split and join -------------------------------------------------------------------------------------------------


def split(
    session: Session, household: Household, *, by: ActingOfficer, member_ids: Sequence[int], head_id: int, reason: str,
    village_code: str = "", village: str = "", group_name: str = "", address: str = "",
    hukou_kind: str = HukouKind.UNKNOWN, relations: Mapping[int, str] | None = None, stay_head_id: int = 0,
    stay_relations: Mapping[int, str] | None = None, evidence: Sequence[Evidence] = (),
    effective_on: date | None = None,
) -> RegistryChange:  # fmt: skip
    """Propose that some of a household's people form one of their own. （第十一条）

    head_id: the new household's head; relations: the others' to them ("other" when not said); stay_head_id: who heads
    the people that stay when the head leaves. Raises NobodyToMove, WholeHousehold, NotAHead, HeadNeeded, DayTooEarly,
    FieldWrong, HouseholdNotActive.
    """
    asked = {
        "member_ids": list(member_ids), "head_id": head_id, "village_code": village_code, "village": village,
        "group_name": group_name, "address": address, "hukou_kind": hukou_kind, "relations": dict(relations or {}),
        "stay_head_id": stay_head_id, "stay_relations": dict(stay_relations or {}),
    }  # fmt: skip
    return plan_change(session, ChangeKind.SPLIT, by=by, reason=reason, evidence=evidence, effective_on=effective_on,
                       household=household, asked=asked)  # fmt: skip


@planned(ChangeKind.SPLIT)
def plan_split(
    session: Session, about: About, member_ids: Sequence[int], head_id: int, village_code: str, village: str,
    group_name: str, address: str, hukou_kind: str, relations: Mapping[str, str], stay_head_id: int,
    stay_relations: Mapping[str, str],
) -> Draft:  # fmt: skip
    """Draft a household made of some people of another."""
    home = require_active(_household(about))
    people, wanted = living(session, home), {int(one) for one in member_ids}
    going = [member for member in people if member.id in wanted]
    if not going or len(going) != len(wanted):
        raise NobodyToMove(number=home.number)
    head = next((member for member in going if member.id == int(head_id)), None)
    if head is None:
        raise NotAHead(number=home.number)
    stay = staying(session, home, going, "分出", head_id=int(stay_head_id), relations=stay_relations)
    if stay.closes:
        raise WholeHousehold(number=home.number)
    require_day(session, going if stay.head is None else people, about.day)
    place = _place(home.division_code, village_code or home.village_code, village or home.village,
                   group_name or home.group_name, address, hukou_kind)  # fmt: skip
    roles = relations_to(head, going, relations, keep=False)

    def write(session: Session, change: RegistryChange, by: ActingOfficer) -> None:
        fresh = _add_household(session, change, head.name, place)
        for member in going:
            touch(session, member, change, household_id=fresh.id, relation=roles.get(member.id or 0, HEAD))
        write_staying(session, change, stay, by, "分户")

    new = {f"新户{title}": text for title, text in shown_head(head, going, roles).items()}
    new |= {f"新户{title}": text for title, text in _shown_place(place).items() if text}
    before = {"户编号": home.number, "成员": shown_people(people)}
    return Draft(new | stay.shown(), write, before, row_count=len(going))


def join(
    session: Session, household: Household, *, by: ActingOfficer, into_number: str, reason: str,
    relations: Mapping[int, str] | None = None, evidence: Sequence[Evidence] = (), effective_on: date | None = None,
) -> RegistryChange:  # fmt: skip
    """Propose that all of a household's people, and its assets, go over to another one of the township. （第十一条）

    relations: theirs to the other household's head ("other" when not said). Raises HouseholdUnknown, SameHousehold,
    HouseholdNotActive, DayTooEarly, FieldWrong.
    """
    asked = {"into_number": into_number, "relations": dict(relations or {})}
    return plan_change(session, ChangeKind.JOIN, by=by, reason=reason, evidence=evidence, effective_on=effective_on,
                       household=household, asked=asked)  # fmt: skip


@planned(ChangeKind.JOIN)
def plan_join(session: Session, about: About, into_number: str, relations: Mapping[str, str]) -> Draft:
    """Draft a household going over into another."""
    home = require_active(_household(about))
    into = household_numbered(session, home.division_code, into_number)
    if into.id == home.id:
        raise SameHousehold(number=home.number)
    head = head_of(session, into)
    people, assets = living(session, home), assets_of(session, home)
    require_day(session, people, about.day)
    roles = relations_to(head, people, relations, keep=False)

    def write(session: Session, change: RegistryChange, by: ActingOfficer) -> None:
        for member in people:
            touch(session, member, change, household_id=into.id, relation=roles[member.id or 0])
        for asset in assets:
            move_asset(asset, into, change)
        close(session, change, home, by, f"并入户 {into.number}")

    before = {"户编号": home.number, "成员": shown_people(people), "生产资料": f"{len(assets)} 项"}
    after = {"户编号": into.number, "户主": mask_name(head.name), "生产资料": f"{len(assets)} 项随户并入"}
    after |= {title: text for title, text in shown_head(head, people, roles).items() if title != "户主"}
    return Draft(after, write, before, row_count=len(people))


def head_of(session: Session, household: Household) -> Member:
    """Return the head of a household. Raises HouseholdHasNoHead."""
    people = living(session, household)
    if not people or people[0].relation != HEAD:
        raise HouseholdHasNoHead(number=household.number)
    return people[0]


def move_asset(asset: Asset, into: Household, change: RegistryChange) -> None:
    """Carry an asset over to another household."""
    asset.household_id, asset.change_id = into.id or 0, change.id or 0


__all__ = [
    "a_person", "change_head", "change_household", "head_of", "join", "new_household", "split",
]  # fmt: skip
