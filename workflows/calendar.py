"""The calendar of working days: imported, enabled by another person, and every open limit counted anew.

（第十六、十七、二十、二十一条的工作日；国务院办公厅的节假日安排）
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from models.bank_batches import BankBatch
from models.base import Table
from models.catalogue_tasks import CatalogueTask
from models.clock import CalendarDay, CalendarStatus, CalendarVersion, CalendarVersionDay
from models.database import transaction
from models.jobs import JobStatus
from models.officers import ActingOfficer
from policies.clock import now, today
from policies.enforcement import allow
from policies.lifecycles import LIFECYCLES, Desk
from policies.moves import begin, move
from policies.permissions import Permission
from policies.refusals import ReasonMissing, Refused
from reports.sheets.calendar import read
from workflows.queue import finish, officer_of_post, progress, start_job

APPLY_JOB = "apply_calendar"


class ArrangementUnderWay(Refused):
    """{year} 年放假安排 {number} 正在办理（{status}），请先启用、退回或撤回。"""


class YearOutOfReach(Refused):
    """工作日历到 {until} 为止，不能跳到 {year} 年；请先导入 {next} 年的安排。"""

    status_code = 400


class PastDaysChanged(Refused):
    """{days} 已经过去，文件与现行日历不同；已过去的日期不能改，请核对年度和文件。"""

    status_code = 400


class NothingNew(Refused):
    """文件与 {year} 年现行日历完全相同，且该年已是正式安排，不需要导入。"""


def import_arrangement(
    session: Session, *, by: ActingOfficer, year: int, document: str, file: tuple[str, bytes]
) -> CalendarVersion:
    """Import the arrangement of one year for another person to enable. （第十七条等）

    Raises NotAllowed, ReasonMissing, YearOutOfReach, ArrangementUnderWay, CalendarFileWrong, ArrangementWrong,
    PastDaysChanged, NothingNew.
    """
    allow(session, by, Permission.CALENDAR_IMPORT)
    if not document.strip():
        raise ReasonMissing(step="导入放假安排", field="文件文号")
    known = session.execute(
        sa.text("select max(day) as until, min(day) as since, bool_or(provisional and day between :first and :last)"
                " as provisional from calendar_days"),
        {"first": date(_year(year), 1, 1), "last": date(_year(year), 12, 31)},
    ).one()  # fmt: skip
    if known.until is not None and not known.since.year <= year <= known.until.year + 1:
        raise YearOutOfReach(until=known.until, year=year, next=known.until.year + 1)
    _require_alone(session, year)
    days, listed = read(*file, year)
    record = CalendarVersion(
        division_code=by.division_code, number=_number(session, year), year=year, document=document.strip(),
        listed_count=listed,
    )  # fmt: skip
    label = "导入放假安排"
    begin(session, record, by=by, label=label, desk=Desk.REGION_FINANCE_CLERK, facts={"document": record.document})
    session.execute(
        sa.insert(CalendarVersionDay),
        [
            {"division_code": record.division_code, "version_id": record.id, "day": day, "working": working,
             "note": note}
            for day, (working, note) in days.items()
        ],
    )  # fmt: skip
    changed = differences(session, record)
    past = [one.day for one in changed if one.day <= today(session)]
    if past:
        raise PastDaysChanged(days="、".join(str(day) for day in past[:5]))
    if not changed and not known.provisional:
        raise NothingNew(year=year)
    record.changed_count = len(changed)
    session.flush()
    return record


def enable(session: Session, record: CalendarVersion, *, by: ActingOfficer, opinion: str = "") -> CalendarVersion:
    """Enable an arrangement: a job writes the calendar and counts every open limit anew, whole or not at all."""
    allow(session, by, Permission.CALENDAR_ENABLE, record)
    move(session, record, "enable", by=by, opinion=opinion)
    _start(session, record, by)
    return record


def resume(session: Session, record: CalendarVersion, *, by: ActingOfficer) -> CalendarVersion:
    """Start the job of an enabled arrangement again, when the first has failed. （第十七条等）"""
    allow(session, by, Permission.CALENDAR_ENABLE, record)
    _start(session, record, by)
    return record


def return_(session: Session, record: CalendarVersion, *, by: ActingOfficer, reason: str) -> CalendarVersion:
    """Turn an import down. Raises ReasonMissing."""
    allow(session, by, Permission.CALENDAR_ENABLE, record)
    if not reason.strip():
        raise ReasonMissing(step="退回", field="原因")
    return move(session, record, "return_", by=by, opinion=reason.strip())


def withdraw(session: Session, record: CalendarVersion, *, by: ActingOfficer) -> CalendarVersion:
    """Take one's own import back."""
    allow(session, by, Permission.CALENDAR_IMPORT, record)
    return move(session, record, "withdraw", by=by)


def _start(session: Session, record: CalendarVersion, by: ActingOfficer) -> None:
    title = f"启用 {record.year} 年放假安排并重算办理期限"
    start_job(
        session, by=by, kind=APPLY_JOB, title=title, division_code=record.division_code,
        arguments={"version_id": record.id},
    )  # fmt: skip


def _year(year: int) -> int:
    return min(max(year, 2000), 2200)


def _number(session: Session, year: int) -> str:
    serial = session.execute(sa.text("select to_char(nextval('calendar_version_numbers'), 'FM000')")).scalar_one()
    return f"RL{year}{serial}"


def _require_alone(session: Session, year: int) -> None:
    session.execute(sa.text("select pg_advisory_xact_lock(hashtextextended('calendar', 0))"))
    under_way = (CalendarStatus.IMPORTED, CalendarStatus.ENABLED)
    other = session.exec(select(CalendarVersion).where(col(CalendarVersion.status).in_(under_way))).first()
    if other is not None:
        raise ArrangementUnderWay(year=other.year, number=other.number, status=other.status.label)


# --- differences, and what they move ------------------------------------------------------------------------------

DIFFERENCES = sa.text(
    """
    select d.day, case when v.status = 'applied' then d.was_working else c.working end as was, d.working as now,
        d.note, extract(isodow from d.day)::int as weekday
    from calendar_versions v join calendar_version_days d on d.version_id = v.id
    left join calendar_days c on c.day = d.day
    where v.id = :version
        and d.working is distinct from case when v.status = 'applied' then d.was_working else c.working end
    order by d.day
    """
)


def differences(session: Session, record: CalendarVersion) -> Sequence[Any]:
    """Return the days that an arrangement changes: against the calendar, or against the one before it."""
    return session.execute(DIFFERENCES, {"version": record.id}).all()


@dataclass(frozen=True)
class Clocked:
    """A noun whose records carry a limit, and the day from which it runs."""

    model: type[Table]
    base: str = "t.arrived_at"
    only: str = "true"


OWN_CLOCKS = {
    BankBatch: Clocked(
        BankBatch,
        "case when t.correction then t.arrived_at else coalesce((select case when t.status in ('sent', 'accepted') then"
        " o.credited_at else o.funded_at end from payment_orders o where o.division_code = t.division_code"
        " and o.id = t.order_id), t.arrived_at) end",
    ),
    CatalogueTask: Clocked(CatalogueTask, only="t.kind not in ('publish_list', 'select_list')"),
}
"""A bank batch runs from the money (第二十条); lists are due on a day of the year, not after working days."""


def clocked() -> list[Clocked]:
    """Return every noun with a limit, from the lifecycles."""
    found = [
        model
        for model in LIFECYCLES
        if {"due_on", "arrived_at"} <= set(sa.inspect(model, raiseerr=True).columns.keys())
    ]
    return [OWN_CLOCKS.get(model, Clocked(model)) for model in found]


MOVED = """
with listed as (select d.day, d.working from calendar_version_days d where d.version_id = :version),
old as materialized (select c.day, sum(c.working::int) over (order by c.day) as n from calendar_days c),
new as materialized (select m.day, m.working, sum(m.working::int) over (order by m.day) as n
    from (select coalesce(c.day, l.day) as day, coalesce(l.working, c.working) as working
        from calendar_days c full join listed l on l.day = c.day) m),
open as (
    select t.id, t.due_on, ({base} at time zone 'Asia/Shanghai')::date as since from {table} t
    where t.due_on >= :first and t.status <> all (:ends) and {only}
),
moved as (
    select o.id, p.day from open o
    join old a on a.day = o.since join old b on b.day = o.due_on
    join new s on s.day = o.since
    join new p on p.working and p.n = s.n + (b.n - a.n)
    where o.due_on > o.since and p.day <> o.due_on
)
"""
"""The same number of working days as before, counted from the same day by the new calendar: longer or shorter."""
COUNT = "select count(*) from moved"
WRITE = "update {table} t set due_on = m.day from moved m where t.id = m.id"


def _asked(record: CalendarVersion, noun: Clocked, first: date) -> dict[str, Any]:
    return {"version": record.id, "first": first, "ends": [str(one) for one in LIFECYCLES[noun.model].ends]}


def _statement(noun: Clocked, last: str) -> sa.TextClause:
    table = noun.model.__tablename__
    return sa.text((MOVED + last).format(table=table, base=noun.base, only=noun.only))


def would_move(session: Session, record: CalendarVersion) -> list[tuple[str, int]]:
    """Return how many open limits of each noun an arrangement would move, before it is applied."""
    changed = differences(session, record)
    if not changed or record.status == CalendarStatus.APPLIED:
        return []
    found = [
        (LIFECYCLES[noun.model].title,
         int(session.execute(_statement(noun, COUNT), _asked(record, noun, changed[0].day)).scalar_one()))
        for noun in clocked()
    ]  # fmt: skip
    return [(title, count) for title, count in found if count]


def run_apply(job_id: int, post_id: int) -> None:
    """Count every open limit anew and write the calendar, in one transaction: the body of the job, safe to run again.

    Days that a returned record has left stay as they are.
    """
    by = officer_of_post(post_id)
    with transaction(by) as session:
        session.execute(sa.text("select pg_advisory_xact_lock(hashtextextended('calendar', 0))"))
        arguments = session.execute(sa.text("select arguments from jobs where id = :job"), {"job": job_id}).scalar_one()
        record = session.get_one(CalendarVersion, int(arguments["version_id"]))
        enabled = record.status == CalendarStatus.ENABLED
        told = recompute(session, record, by, job_id) if enabled else "该安排已经生效"
        finish(session, job_id, JobStatus.DONE, told)


def recompute(session: Session, record: CalendarVersion, by: ActingOfficer, job_id: int | None = None) -> str:
    """Apply an enabled arrangement; return what it moved, for people. One event tells of the whole."""
    changed = differences(session, record)
    nouns = clocked()
    moved: dict[str, int] = {}
    for done, noun in enumerate(nouns):
        if job_id is not None:
            progress(by, job_id, done, len(nouns), LIFECYCLES[noun.model].title)
        if changed:
            written = session.execute(_statement(noun, WRITE), _asked(record, noun, changed[0].day))
            moved[LIFECYCLES[noun.model].noun] = int(written.rowcount)  # type: ignore[attr-defined]
    session.execute(sa.text("select apply_calendar(:version)"), {"version": record.id})
    record.changed_count, record.moved_count = len(changed), sum(moved.values())
    record.applied_at = now(session)
    session.flush()
    move(session, record, "apply", by=by, facts={"days": len(changed)} | {key: n for key, n in moved.items() if n})
    return f"{record.year} 年工作日历已生效：{len(changed)} 天改变，{record.moved_count} 件未办结事项的期限已重算"


def days_of(session: Session, year: int) -> Sequence[CalendarDay]:
    """Return the calendar of a year."""
    statement = select(CalendarDay).where(
        col(CalendarDay.day) >= date(_year(year), 1, 1), col(CalendarDay.day) <= date(_year(year), 12, 31)
    )
    return session.exec(statement.order_by(col(CalendarDay.day))).all()


def years(session: Session) -> Sequence[int]:
    """Return the years that the calendar knows."""
    rows = session.execute(sa.text("select distinct extract(year from day)::int as year from calendar_days order by 1"))
    return list(rows.scalars())
