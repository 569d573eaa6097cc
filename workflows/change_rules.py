"""What every change of households and people keeps true: one head, nobody twice, no day out of order. （第十一条）"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from models.base import county_of
from models.crypto import id_index, phone_index
from models.households import Household, HouseholdStatus, Member, MemberStatus
from models.officers import ActingOfficer
from models.registry_changes import RegistryChange
from models.residences import Residence
from policies.clock import today
from policies.codes import HEAD, RELATIONS
from policies.identities import mask_name, name_key
from policies.moves import record_event
from policies.person_fields import Numbered, a_relation
from policies.refusals import Refused

LIVING = (MemberStatus.ALIVE, MemberStatus.MISSING)
OTHER_RELATION = "80"
"""What somebody is to a new head until the township has said it."""
SPOUSES, PARENTS = ("10", "11", "12"), ("50", "51", "52")
UNIQUE_PERSON = "uq_members_id_index"


class HouseholdNotActive(Refused):
    """户 {number} 已撤销，不能办理变更；请在其成员现在所在的户办理（第十一条）。"""


class MemberNotHere(Refused):
    """该成员的记录当前为“{status}”，不能办理“{step}”；须先办理恢复正常，或在其现存记录上办理（第十一条）。"""


class HeadNeeded(Refused):
    """户主{because}后，户 {number} 还有 {count} 名成员；请同时指定新户主（第十一条）。"""

    status_code = 400


class NotAHead(Refused):
    """指定的新户主不是户 {number} 留下的在册成员；请从该户正常或失踪以外的成员中选择（第十一条）。"""

    status_code = 400


class HouseholdHasNoHead(Refused):
    """户 {number} 没有在册户主；请先办理“变更户主”再办理本项（第十一条）。"""


class HouseholdUnknown(Refused):
    """本苏木乡镇没有编号为 {number} 的在册户；请核对户编号，迁往其他苏木乡镇的请办理“跨苏木乡镇迁移”（第十一条）。"""

    status_code = 400


class DayTooEarly(Refused):
    """发生日期 {day} 早于该成员现有居住经历的起始日 {since}；请填写 {since} 或以后的日期（第十一条）。"""

    status_code = 400


class PersonHere(Refused):
    """该身份证号已登记在本苏木乡镇户 {number}（{status}），不能重复采集；请办理“转入他户”或更正登记（第十一条）。"""


class PersonKept(Refused):
    """该身份证号已由{township}登记，不能重复采集；已迁来本地的请办理“跨苏木乡镇迁移”，仍由其管理的请办理“虚拟户引用”（第十一条）。"""


# --- reading --------------------------------------------------------------------------------------------------------


def home_of(session: Session, member: Member) -> Household:
    """Return the household a person's record belongs to, as it stands now."""
    return session.get_one(Household, member.household_id, populate_existing=True)


def require_active(household: Household) -> Household:
    """Let only households be changed that are kept on. Raises HouseholdNotActive."""
    if household.status != HouseholdStatus.ACTIVE:
        raise HouseholdNotActive(number=household.number)
    return household


def require_member(member: Member | None, step: str, *statuses: MemberStatus) -> Member:
    """Return a present record in one of the statuses (alive or missing unless given). Raises MemberNotHere."""
    if member is None or not member.current or member.status not in (statuses or LIVING):
        merged = member is not None and not member.current
        status = "已并入或迁出" if merged or member is None else member.status.label
        raise MemberNotHere(status=status, step=step)
    return member


def living(session: Session, household: Household) -> list[Member]:
    """Return who lives in a household now, the head first."""
    statement = (
        select(Member)
        .where(Member.division_code == household.division_code, Member.household_id == household.id)
        .where(col(Member.current), col(Member.status).in_(LIVING))
        .order_by(col(Member.relation) != HEAD, col(Member.id))
        .execution_options(populate_existing=True)
    )
    return list(session.exec(statement))


def household_numbered(session: Session, division_code: str, number: str) -> Household:
    """Return an active household of the township by its number. Raises HouseholdUnknown."""
    wanted = number.strip()
    found = session.exec(
        select(Household).where(
            Household.division_code == division_code,
            Household.number == wanted,
            Household.status == HouseholdStatus.ACTIVE,
        )
    ).one_or_none()
    if found is None:
        raise HouseholdUnknown(number=wanted)
    return found


def require_day(session: Session, members: Iterable[Member], day: date) -> None:
    """Let nothing happen to people before they came to live where they live. Raises DayTooEarly."""
    ids = [member.id for member in members]
    since = session.execute(
        sa.select(sa.func.max(col(Residence.from_on))).where(
            col(Residence.member_id).in_(ids), col(Residence.until_on).is_(None)
        )
    ).scalar_one()
    if since is not None and day < since:
        raise DayTooEarly(day=day, since=since)


def require_new(session: Session, division_code: str, number: str, but: int | None = None) -> None:
    """Let nobody be registered twice over the whole region. （第十一条） Raises PersonHere, PersonKept.

    but: the record whose number it may be. A foreign township is named, nothing else of its row.
    """
    index = id_index(number)
    own = session.execute(
        sa.select(col(Member.id), col(Member.status), col(Household.number))
        .join(Household, col(Household.id) == col(Member.household_id))
        .where(col(Member.division_code) == division_code, col(Member.id_index) == index, col(Member.current))
    ).one_or_none()
    if own is not None:
        if own.id == but:
            return
        raise PersonHere(number=own.number, status=own.status.label)
    keeper = keeper_of(session, index)
    if keeper:
        raise PersonKept(township=keeper)


def keeper_of(session: Session, index: bytes) -> str:
    """Return which township keeps a person, '' when none does."""
    found = session.execute(sa.text("select township from keepers_of(:indexes)"), {"indexes": [index]}).first()
    return str(found.township) if found else ""


# --- one head -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Staying:
    """What becomes of a household when some of its people are gone."""

    household: Household
    members: list[Member]
    head: Member | None = None
    """The new head; None: the head stays, or nobody is left."""
    relations: Mapping[int, str] = field(default_factory=dict)
    """New relations to the new head, by member."""

    @property
    def closes(self) -> bool:
        """Tell whether nobody is left."""
        return not self.members

    def shown(self, title: str = "原户") -> dict[str, str]:
        """Return what the change's page says of it."""
        if self.closes:
            return {f"{title}状态": "撤销（户内已无在册成员）"}
        return shown_head(self.head, self.members, self.relations) if self.head is not None else {}


def staying(
    session: Session,
    household: Household,
    gone: Iterable[Member],
    because: str,
    *,
    head_id: int = 0,
    relations: Mapping[str, str] | None = None,
) -> Staying:
    """Say who stays in a household and under which head. Raises HeadNeeded, NotAHead, HouseholdHasNoHead."""
    leaving = {member.id for member in gone}
    people = living(session, household)
    members = [member for member in people if member.id not in leaving]
    if not members:
        return Staying(household, members)
    heads = [member for member in people if member.relation == HEAD]
    if any(member.id not in leaving for member in heads):
        return Staying(household, members)
    if not head_id:
        if not heads:
            raise HouseholdHasNoHead(number=household.number)
        raise HeadNeeded(because=because, number=household.number, count=len(members))
    head = next((member for member in members if member.id == head_id), None)
    if head is None:
        raise NotAHead(number=household.number)
    return Staying(household, members, head, relations_to(head, members, relations))


def relations_to(
    head: Member, members: Iterable[Member], asked: Mapping[str, str] | None, *, keep: bool = True
) -> dict[int, str]:
    """Return everybody's relation to a head: as asked, else kept, for a former head what follows. Raises FieldWrong.

    keep False: the former relations were to a head who isn't here, so who wasn't asked about is "other".
    """
    given = {int(number): code for number, code in (asked or {}).items() if code}
    found: dict[int, str] = {}
    for member in members:
        if member.id is None or member.id == head.id:
            continue
        if member.id in given and given[member.id] not in ("", HEAD):
            found[member.id] = a_relation(given[member.id])
        elif member.relation == HEAD:
            found[member.id] = converse(head.relation, member.sex) if keep else OTHER_RELATION
        else:
            found[member.id] = member.relation if keep else OTHER_RELATION
    return found


def converse(relation: str, sex: str) -> str:
    """Return what the former head is to the new one, from what the new one was to the former."""
    male = sex == "1"
    if relation in SPOUSES:
        return "11" if male else "12"
    if relation[0] in "23":
        return "51" if male else "52"
    if relation in PARENTS:
        return "20" if male else "30"
    return OTHER_RELATION


def shown_head(head: Member, members: Iterable[Member], relations: Mapping[int, str]) -> dict[str, str]:
    """Return a new head and the relations to them as pages show it; names are masked here already."""
    shown = {"户主": mask_name(head.name)}
    others = [
        f"{mask_name(one.name)}（{RELATIONS[relations[one.id]]}）" for one in members if one.id and one.id in relations
    ]
    if others:
        shown["与户主关系"] = "、".join(others)
    return shown


def shown_people(members: Iterable[Member]) -> str:
    """Return people with their relations, masked."""
    return "、".join(f"{mask_name(one.name)}（{RELATIONS.get(one.relation, one.relation)}）" for one in members)


# --- writing --------------------------------------------------------------------------------------------------------


def touch(session: Session, row: Household | Member, change: RegistryChange, **values: Any) -> None:
    """Write a row of the registry in the name of a change."""
    for name, value in values.items():
        setattr(row, name, value)
    row.version += 1
    row.change_id = change.id or 0
    session.add(row)


def write_head(
    session: Session, change: RegistryChange, household: Household, head: Member, relations: Mapping[int, str]
) -> None:
    """Write a household's head, and what everybody is to them."""
    for member in living(session, household):
        wanted = HEAD if member.id == head.id else relations.get(member.id or 0, member.relation)
        if member.relation != wanted:
            touch(session, member, change, relation=wanted)
    touch(session, household, change, head_name=head.name)
    session.flush()


def write_staying(session: Session, change: RegistryChange, stay: Staying, by: ActingOfficer, because: str) -> None:
    """Write what becomes of a household after people have gone; call it when they are gone."""
    session.flush()
    if stay.closes:
        close(session, change, stay.household, by, because)
    elif stay.head is not None:
        write_head(session, change, stay.household, stay.head, stay.relations)


def close(session: Session, change: RegistryChange, household: Household, by: ActingOfficer, because: str) -> None:
    """Close a household whose last member is gone; its record says why."""
    touch(session, household, change, status=HouseholdStatus.CLOSED, closed_on=change.effective_on)
    session.flush()
    facts = {"change": change.number, "because": because}
    record_event(session, household, "close", by=by, label=f"撤销户：{because}", noun="household", facts=facts)


@dataclass(frozen=True)
class Person:
    """Somebody who is to be registered."""

    name: str
    numbered: Numbered
    ethnicity: str
    phone: str | None

    def shown(self) -> dict[str, str]:
        """Return what the change's page shows of them."""
        return {"姓名": self.name, "身份证号": self.numbered.number, "手机号": self.phone or ""}


def add_person(session: Session, change: RegistryChange, household: Household, person: Person, relation: str) -> Member:
    """Register somebody, unchecked as yet; of two townships at the same moment one is told. Raises PersonKept."""
    number = person.numbered
    member = Member(
        division_code=household.division_code,
        county_code=county_of(household.division_code),
        household_id=household.id or 0,
        name=person.name,
        name_key=name_key(person.name),
        id_number=number.number,
        id_index=id_index(number.number),
        birth_date=number.birth_date,
        sex=number.sex,
        relation=relation,
        ethnicity=person.ethnicity,
        phone=person.phone,
        phone_index=phone_index(person.phone) if person.phone else None,
        status=MemberStatus.ALIVE,
        added_on=today(session),
        change_id=change.id or 0,
    )
    with nobody_twice(session, household.division_code, number.number):
        session.add(member)
    return member


@contextmanager
def nobody_twice(session: Session, division_code: str, number: str) -> Iterator[None]:
    """Write an ID number in a savepoint: a clash says who keeps the person. Raises PersonHere, PersonKept."""
    try:
        with session.begin_nested():
            yield
            session.flush()
    except IntegrityError as clash:
        name = getattr(getattr(clash.orig, "diag", None), "constraint_name", "")
        if name == UNIQUE_PERSON:
            require_new(session, division_code, number)
        raise
