"""Transfers of persons between townships: asked for where the person lives now, confirmed where the person is kept.

（第十一条）Each township has a record of its own; nobody writes the other's, named functions of PostgreSQL do.
"""

from datetime import date, datetime
from typing import ClassVar

import sqlalchemy as sa

from models.base import DivisionCode, Labelled, Table, column, county_check, division, enum_type, identity, moment


class TransferSide(Labelled):
    """Whose record it is."""

    IN = "in", "迁入"
    OUT = "out", "迁出"


class TransferStatus(Labelled):
    """The life of a transfer, over both records."""

    REQUESTED = "requested", "待本乡镇负责人审批"
    SENT = "sent", "待管理地确认"
    ASKED = "asked", "待确认迁出"
    DONE = "done", "已完成"
    REFUSED = "refused", "未同意"
    WITHDRAWN = "withdrawn", "已撤回"


class Transfer(Table, table=True):
    """One side of one person's transfer; the other side is the record `pair_id` of the other township."""

    __tablename__ = "transfers"
    __title__: ClassVar[str] = "跨乡镇迁移"

    id: int | None = identity()
    division_code: str = division("苏木乡镇")
    county_code: str = division("旗县")
    number: str = column("迁移编号", unique=True)
    side: TransferSide = column("方向", TransferSide.IN, sa_type=enum_type(TransferSide))
    status: TransferStatus = column("状态", TransferStatus.REQUESTED, sa_type=enum_type(TransferStatus))
    version: int = column("版本", 1)
    partner_code: str = column("对方代码", "", sa_type=DivisionCode)
    partner: str = column("对方苏木乡镇", "")
    pair_id: int = column("对方记录", 0, sa_type=sa.BigInteger)
    person: str = column("自然人标识", "")
    name: str = column("姓名", "", help="脱敏后的姓名")
    reason: str = column("迁移原因")
    effective_on: date = column("迁移日期", help="实际迁居的日期")
    household_id: int | None = column("户", None, sa_type=sa.BigInteger, nullable=True, help="迁入方为空：新建户")
    member_id: int | None = column("成员", None, sa_type=sa.BigInteger, nullable=True)
    relation: str = column("与户主关系", "02", help="GB/T 4761，迁入后")
    village_code: str = column("嘎查村代码", "")
    village: str = column("嘎查村", "")
    group_name: str = column("村民小组", "")
    address: str = column("住址", "", mask="address")
    evidence_count: int = column("佐证材料", 0, unit="份")
    prepared_at: datetime = moment("提出时间", ..., nullable=False)
    arrived_at: datetime | None = moment("到达时间")
    answered_at: datetime | None = moment("答复时间")
    refused_for: str = column("不同意的原因", "")
    change_id: int | None = column("变更单", None, sa_type=sa.BigInteger, nullable=True)

    __table_args__ = (
        sa.UniqueConstraint("division_code", "id"),
        sa.ForeignKeyConstraint(["division_code", "household_id"], ["households.division_code", "households.id"]),
        sa.ForeignKeyConstraint(["division_code", "member_id"], ["members.division_code", "members.id"]),
        sa.Index("ix_transfers_status", "division_code", "status"),
        sa.Index(
            "uq_transfers_live",
            "person",
            unique=True,
            postgresql_where=sa.text("person <> '' and side = 'in' and status in ('requested', 'sent')"),
        ),
        county_check(),
    )
