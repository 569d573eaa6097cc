"""Working days by the State Council's calendar, a table; make-up Saturdays count. （第十六、十七、二十、二十一条）"""

from datetime import date, datetime, time

from sqlalchemy import text
from sqlmodel import Session

from policies.clock import ZONE
from policies.refusals import Refused

OPENING = time(9, 0)


class CalendarMissing(Refused):
    """工作日历只维护到 {until}，无法计算办理期限；请自治区财政厅经办岗在“工作日历”中导入新一年的放假安排。"""


def add_working_days(session: Session, start: date, days: int) -> date:
    """Return the last day of a limit of `days` working days that runs from the day after `start`.

    Raises CalendarMissing when the calendar ends before.
    """
    day: date | None = session.execute(
        text("select day from calendar_days where day > :start and working order by day offset :skip limit 1"),
        {"start": start, "skip": max(days, 1) - 1},
    ).scalar_one_or_none()
    if day is None:
        raise CalendarMissing(until=calendar_end(session))
    return day


def calendar_end(session: Session) -> str:
    """Return the last day that the calendar knows, for people."""
    return str(session.execute(text("select max(day) from calendar_days")).scalar_one_or_none() or "（空）")


def working_days_left(session: Session, since: date, due_on: date) -> int:
    """Return how many working days remain after `since` up to and including `due_on`; negative when overdue."""
    count = text("select count(*) from calendar_days where working and day > :low and day <= :high")
    if due_on >= since:
        return int(session.execute(count, {"low": since, "high": due_on}).scalar_one())
    return -int(session.execute(count, {"low": due_on, "high": since}).scalar_one())


def next_working_day(session: Session, day: date) -> datetime:
    """Return the opening hour of the first working day after `day`."""
    return datetime.combine(add_working_days(session, day, 1), OPENING, ZONE)
