"""The business clock and the State Council's calendar of working days (DESIGN section 6)."""

from datetime import date, datetime, timedelta
from typing import ClassVar

import sqlalchemy as sa

from models.base import Labelled, RowScope, Table, column, division, enum_type, identity, moment


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


class CalendarStatus(Labelled):
    """The life of an arrangement of holidays: imported, enabled by another person, then the calendar."""

    IMPORTED = "imported", "待启用"
    ENABLED = "enabled", "启用中"
    APPLIED = "applied", "已生效"
    DISCARDED = "discarded", "未启用"


class CalendarVersion(Table, table=True):
    """One imported arrangement of the State Council for one year. （第十六、十七、二十、二十一条的工作日）"""

    __tablename__ = "calendar_versions"
    __row_scope__: ClassVar[RowScope] = RowScope.DOWNWARD
    __title__: ClassVar[str] = "放假安排"

    id: int | None = identity()
    division_code: str = division("导入地")
    number: str = column("安排编号", unique=True)
    year: int = column("年度")
    document: str = column("文件文号", help="国务院办公厅关于节假日安排的通知")
    status: CalendarStatus = column("状态", CalendarStatus.IMPORTED, sa_type=enum_type(CalendarStatus))
    version: int = column("版本", 1)
    listed_count: int = column("文件所列天数", 0)
    changed_count: int = column("与原日历不同的天数", 0)
    moved_count: int = column("重算的办理期限", 0, help="生效时改动的未办结事项数")
    arrived_at: datetime | None = moment("到达时间")
    applied_at: datetime | None = moment("生效时间")

    __table_args__ = (sa.UniqueConstraint("division_code", "id"),)


class CalendarVersionDay(Table, table=True):
    """One day of an arrangement, and what the calendar said before it."""

    __tablename__ = "calendar_version_days"
    __row_scope__: ClassVar[RowScope] = RowScope.DOWNWARD
    __title__: ClassVar[str] = "放假安排明细"

    id: int | None = identity()
    division_code: str = division("导入地")
    version_id: int = column("放假安排", sa_type=sa.BigInteger)
    day: date = column("日期")
    working: bool = column("上班")
    note: str = column("说明", "")
    was_working: bool | None = column("原日历上班", None, nullable=True, help="原日历没有这一天的为空")

    __table_args__ = (
        sa.UniqueConstraint("version_id", "day"),
        sa.ForeignKeyConstraint(
            ["division_code", "version_id"], ["calendar_versions.division_code", "calendar_versions.id"]
        ),
    )
