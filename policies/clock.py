"""Business time: the only source of "now". It lives in the database so that every process agrees (DESIGN section 6)."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlmodel import Session

from policies.refusals import ClockFixed

ZONE = ZoneInfo("Asia/Shanghai")


def now(session: Session) -> datetime:
    """Return the business moment, with time zone."""
    moment: datetime = session.execute(
        text("select clock_timestamp() + (select moved_by from business_clock)")
    ).scalar_one()
    return moment.astimezone(ZONE)


def today(session: Session) -> date:
    """Return the business date in Inner Mongolia."""
    return now(session).date()


def advance(session: Session, until: datetime) -> datetime:
    """Move business time forward to a moment; demo and test only. Raises ClockFixed."""
    step: timedelta = until - now(session)
    moved = session.execute(text("select advance_clock(:step)"), {"step": step}).scalar_one_or_none()
    if not moved:
        raise ClockFixed
    return now(session)
