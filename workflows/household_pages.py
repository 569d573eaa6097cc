"""What the pages of a household and of a person tell beyond their rows: who lived where, what was paid, what waits.

（第十一、十六、二十条）
"""

from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col

from models.bank_batches import Disbursement, DisbursementStatus
from models.households import Household, IdentityOutcome, Member, MemberStatus
from models.registry_changes import ChangeStatus, RegistryChange
from models.registry_tasks import RegistryTask, TaskStatus
from models.residences import Residence
from models.rosters import Roster, RosterLine
from workflows.household_reviews import limit_day

MOST_ROWS = 200
OPEN = (ChangeStatus.SUBMITTED, ChangeStatus.RETURNED, ChangeStatus.APPROVED)


def lived_in(session: Session, household: Household, on: date | None = None) -> list[tuple[Residence, Member]]:
    """Return who has lived in a household, on one day or ever; the present first. （第十一条）"""
    stay: Any = Residence
    statement = (
        sa.select(stay, Member)
        .join(Member, (col(Member.division_code) == stay.division_code) & (col(Member.id) == stay.member_id))
        .where(stay.division_code == household.division_code, stay.household_id == household.id)
        .order_by(stay.until_on.desc().nulls_first(), stay.from_on.desc(), stay.relation, stay.id)
        .limit(MOST_ROWS)
    )
    if on is not None:
        statement = statement.where(stay.from_on <= on, sa.or_(stay.until_on.is_(None), stay.until_on > on))
    return [(row[0], row[1]) for row in session.execute(statement)]


def lives_of(session: Session, member: Member) -> list[tuple[Residence, Household]]:
    """Return where a person has lived, over all their records in sight, the present first. （第十一条）"""
    stay: Any = Residence
    home = (col(Household.division_code) == stay.division_code) & (col(Household.id) == stay.household_id)
    statement = (
        sa.select(stay, Household)
        .join(Household, home)
        .where(stay.person == member.person)
        .order_by(stay.until_on.desc().nulls_first(), stay.from_on.desc(), stay.id.desc())
        .limit(MOST_ROWS)
    )
    return [(row[0], row[1]) for row in session.execute(statement)]


def payments(session: Session, condition: Any) -> list[tuple[RosterLine, Roster, Disbursement | None]]:
    """Return roster lines with their roster and their latest attempt, the newest first. （第十六、二十条）"""
    line: Any = RosterLine
    paid: Any = Disbursement
    latest = (
        sa.select(paid.id)
        .where(
            paid.county_code == line.county_code,
            paid.line_id == line.id,
            paid.status != DisbursementStatus.CANCELLED,
        )
        .order_by(paid.attempt.desc(), paid.id.desc())
        .limit(1)
        .correlate(line)
        .scalar_subquery()
    )
    roster: Any = Roster
    statement = (
        sa.select(line, roster, paid)
        .join(roster, (roster.division_code == line.division_code) & (roster.id == line.roster_id))
        .outerjoin(paid, (paid.county_code == line.county_code) & (paid.id == latest))
        .where(condition)
        .order_by(line.id.desc())
        .limit(MOST_ROWS)
    )
    return [(row[0], row[1], row[2]) for row in session.execute(statement)]


def of_household(household: Household) -> Any:
    """Return the condition on roster lines that they were paid to a household: by its people, who are indexed."""
    line: Any = RosterLine
    people = sa.select(col(Residence.member_id)).where(
        col(Residence.division_code) == household.division_code, col(Residence.household_id) == household.id
    )
    return sa.and_(
        line.division_code == household.division_code,
        line.member_id.in_(people),
        line.household_id == household.id,
    )


def of_member(session: Session, member: Member) -> Any:
    """Return the condition on roster lines that they are a person's, under whichever record of theirs in sight.

    The records are named one by one, so that each finds its lines by the index.
    """
    line: Any = RosterLine
    records = session.execute(
        sa.select(col(Member.division_code), col(Member.id)).where(col(Member.person) == member.person)
    ).all()
    return sa.or_(
        sa.false(), *(sa.and_(line.division_code == row.division_code, line.member_id == row.id) for row in records)
    )


def waiting(session: Session, record: Household | Member) -> tuple[int, int]:
    """Return how many changes and differences of a household or person are open: one statement. （第十一条）"""
    name = "household_id" if isinstance(record, Household) else "member_id"
    sought: tuple[tuple[Any, tuple[Any, ...]], ...] = ((RegistryChange, OPEN), (RegistryTask, (TaskStatus.OPEN,)))
    counts = [
        sa.select(sa.func.count())
        .select_from(model)
        .where(
            model.division_code == record.division_code, getattr(model, name) == record.id, model.status.in_(statuses)
        )
        .scalar_subquery()
        for model, statuses in sought
    ]
    changes, tasks = session.execute(sa.select(*counts)).one()
    return changes, tasks


def overdue(session: Session, household: Household) -> bool:
    """Tell whether a household's last review is too old. （第十一条）"""
    return household.reviewed_on is None or household.reviewed_on < limit_day(session, household.division_code)


def identity_problem(member: Member) -> tuple[str, str, str] | None:
    """Return why a person can't be used in a roster yet: tone, words, way; None when nothing stands against it.

    （第十一条、第十六条第一项）
    """
    if not member.current or member.status not in (MemberStatus.ALIVE, MemberStatus.MISSING):
        return None
    if member.police_died_on is not None or member.identity_outcome == IdentityOutcome.DEAD:
        return "red", "公安登记已死亡", "由苏木乡镇信息管理岗核实后办理死亡登记"
    if member.identity_outcome is None:
        return "yellow", "尚未完成公安联网核查，不能列入清册", "由苏木乡镇信息管理岗发起身份核查"
    if member.identity_outcome != IdentityOutcome.MATCH:
        return "red", f"公安核查结果：{member.identity_outcome.label}", "由苏木乡镇信息管理岗办理“更正身份信息”"
    return None
