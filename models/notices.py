"""Public notices of rosters and the objections they draw. （第十五条、第十六条第三项）"""

from datetime import datetime
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from models.base import Labelled, Table, column, county_check, division, enum_type, identity, moment


class NoticeMode(Labelled):
    """Where the notice hangs."""

    ONLINE = "online", "阳光申报公示平台"
    OFFLINE = "offline", "线下公示"


class ObjectionStatus(Labelled):
    """Whether an objection has been settled."""

    OPEN = "open", "待处理"
    SETTLED = "settled", "已处理"


class Notice(Table, table=True):
    """One round of public notice with its frozen, masked content."""

    __tablename__ = "notices"
    __title__: ClassVar[str] = "公示"

    id: int | None = identity()
    division_code: str = division("苏木乡镇")
    county_code: str = division("旗县")
    roster_id: int = column("清册", sa_type=sa.BigInteger)
    sector: str = column("主管领域", help="随清册，由外键保证一致；主管部门只见本领域")
    round: int = column("轮次")
    mode: NoticeMode = column("方式", NoticeMode.ONLINE, sa_type=enum_type(NoticeMode))
    statement: str = column("说明", "", help="线下公示须说明地点")
    published_at: datetime = moment("公示开始", ..., nullable=False)
    ends_at: datetime = moment("公示届满", ..., nullable=False)
    line_count: int = column("公示明细数", 0, unit="笔")
    content: dict[str, Any] = column("公示内容", default_factory=dict, sa_type=JSONB, help="脱敏后的固定内容")
    digest: str = column("内容摘要", "")

    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["division_code", "roster_id", "sector"], ["rosters.division_code", "rosters.id", "rosters.sector"]
        ),
        sa.UniqueConstraint("division_code", "roster_id", "round"),
        county_check(),
    )


class Objection(Table, table=True):
    """An objection against a roster on notice; open ones hold the roster back."""

    __tablename__ = "objections"
    __title__: ClassVar[str] = "公示异议"

    id: int | None = identity()
    division_code: str = division("苏木乡镇")
    county_code: str = division("旗县")
    roster_id: int = column("清册", sa_type=sa.BigInteger)
    sector: str = column("主管领域", help="随清册，由外键保证一致；主管部门只见本领域")
    line_sequence: int | None = column("涉及序号", None, nullable=True)
    text: str = column("异议内容")
    received_at: datetime = moment("收到时间", ..., nullable=False)
    status: ObjectionStatus = column("状态", ObjectionStatus.OPEN, sa_type=enum_type(ObjectionStatus))
    answer: str = column("处理意见", "")
    settled_at: datetime | None = moment("处理时间")

    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["division_code", "roster_id", "sector"], ["rosters.division_code", "rosters.id", "rosters.sector"]
        ),
        sa.Index("ix_objections_roster", "division_code", "roster_id"),
        county_check(),
    )
