"""Who lived where when: answered from the stays that the database itself keeps. （第十一条）"""

from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlmodel import Session

from models.households import Household, Member
from models.registry_changes import ChangeKind
from policies.codes import HEAD

ON_DAY = sa.text(
    """
    select distinct on (r.person) r.member_id, r.relation, r.from_on, r.until_on
    from residences r join members m on m.division_code = r.division_code and m.id = r.member_id
    where r.division_code = :division and r.household_id = :household and r.from_on <= :day
        and (r.until_on is null or r.until_on > :day) and (m.died_on is null or m.died_on > :day)
    order by r.person, m.current desc, r.from_on desc, r.id desc
    """
)
OF_PERSON = sa.text(
    """
    select * from (
        select r.id, r.division_code, r.household_id, h.number, r.member_id, r.relation, r.from_on,
            case when m.died_on < coalesce(r.until_on, 'infinity') then m.died_on else r.until_on end as until_on,
            r.began_by, r.ended_by
        from residences r
        join members m on m.division_code = r.division_code and m.id = r.member_id
        join households h on h.division_code = r.division_code and h.id = r.household_id
        where r.person = :person
    ) s
    where s.until_on is null or s.until_on > s.from_on
    order by s.from_on, s.id
    """
)


@dataclass(frozen=True)
class Resident:
    """Somebody who lived in a household on a day."""

    member: Member
    relation: str

    @property
    def is_head(self) -> bool:
        """Tell whether they were the head."""
        return self.relation == HEAD


@dataclass(frozen=True)
class Stay:
    """One stay of a person in one household, half-open."""

    division_code: str
    household_id: int
    household_number: str
    member_id: int
    relation: str
    from_on: date
    until_on: date | None
    began_by: ChangeKind
    ended_by: ChangeKind | None


def household_on(session: Session, household: Household, day: date) -> list[Resident]:
    """Return who lived in a household on a day, the head first. （第十一条）

    Nobody lives anywhere from the day of their death, whenever it was registered.
    """
    asked = {"division": household.division_code, "household": household.id, "day": day}
    rows = session.execute(ON_DAY, asked).all()
    people = [Resident(session.get_one(Member, row.member_id), row.relation) for row in rows]
    return sorted(people, key=lambda one: (not one.is_head, one.member.id or 0))


def residences_of(session: Session, member: Member) -> list[Stay]:
    """Return where a person has lived, under all of their records that the officer may see. （第十一条）"""
    rows = session.execute(OF_PERSON, {"person": member.person}).all()
    return [
        Stay(
            row.division_code, row.household_id, row.number, row.member_id, row.relation, row.from_on, row.until_on,
            ChangeKind(row.began_by), ChangeKind(row.ended_by) if row.ended_by else None,
        )
        for row in rows
    ]  # fmt: skip
