"""Enquiries at the window: who asked for whose payments, why, and how much was shown. （第二十六条、第三十条）"""

from datetime import datetime
from typing import ClassVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from models.base import MOMENT, Labelled, Table, column, division, enum_type, identity


class EnquiryPurpose(Labelled):
    """On whose behalf the enquiry is made."""

    SELF = "self", "本人查询"
    AGENT = "agent", "受本人委托查询"
    GUARDIAN = "guardian", "监护人查询"
    HEIR = "heir", "继承人查询"
    VISIT = "visit", "核查或信访办理"


class EnquiryWay(Labelled):
    """By which number the person was found."""

    ID = "id", "身份证号"
    ACCOUNT = "account", "一卡通账号"


class Enquiry(Table, table=True):
    """One enquiry, written before anything is shown and never changed; it names the person by a random mark only."""

    __tablename__ = "enquiries"
    __title__: ClassVar[str] = "窗口查询记录"

    id: int | None = identity()
    division_code: str = division("查询机构所在地")
    number: str = column("查询编号", unique=True)
    way: EnquiryWay = column("查询方式", sa_type=enum_type(EnquiryWay))
    purpose: EnquiryPurpose = column("查询类别", sa_type=enum_type(EnquiryPurpose))
    reason: str = column("查询说明", "", help="不含个人信息")
    persons: list[str] = column("自然人标识", sa_type=ARRAY(sa.Text), help="随机，合并前后的全部标识")
    member_id: int | None = column("成员", None, sa_type=sa.BigInteger, nullable=True, help="在管辖范围内的现存记录")
    keeper: str = column("管理地", "", help="登记该人员的苏木乡镇，只在辖区外时显示")
    line_count: int = column("显示笔数", 0, unit="笔")
    elsewhere_count: int = column("其他地区笔数", 0, unit="笔", help="只告知笔数")
    officer_id: int = column("用户", sa_type=sa.BigInteger)
    officer_person: str = column("自然人", help="查询人的自然人标识")
    officer_name: str = column("查询人")
    post: str = column("岗位")
    address: str = column("来源地址", "")
    enquired_at: datetime | None = column(
        "查询时间", None, sa_type=MOMENT, nullable=True, server_default=sa.text("clock_timestamp()")
    )

    __table_args__ = (
        sa.UniqueConstraint("division_code", "id"),
        sa.Index("ix_enquiries_officer", "officer_id", "enquired_at"),
        sa.Index("ix_enquiries_time", "division_code", "enquired_at"),
    )
