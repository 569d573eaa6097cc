"""The business clock and the State Council's calendar of working days (DESIGN section 6)."""

from datetime import date, timedelta
from typing import ClassVar

import sqlalchemy as sa

from models.base import RowScope, Table, column


class BusinessClock(Table, table=True):
    """One row: how far business time runs ahead of the wall clock; moved only in demo and test."""

    __tablename__ = "business_clock"
    __row_scope__: ClassVar[RowScope] = RowScope.REFERENCE
    __title__: ClassVar[str] = "业务时钟"

    id: int = column("编号", 1, sa_type=sa.Integer, primary_key=True)
    moved_by: timedelta = column("前移量", timedelta(0), sa_type=sa.Interval)
    movable: bool = column("可调整", False, help="仅演示和测试环境为真")


class CalendarDay(Table, table=True):
    """Whether a date is a working day, by which source; provisional days await the State Council's notice."""

    __tablename__ = "calendar_days"
    __row_scope__: ClassVar[RowScope] = RowScope.REFERENCE
    __title__: ClassVar[str] = "工作日历"

    day: date = column("日期", primary_key=True)
    working: bool = column("工作日")
    source: str = column("来源", "")
    version: int = column("版本", 1)
    provisional: bool = column("暂定", False)
