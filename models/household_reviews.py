"""Yearly reviews of households: visited, found, signed. （第十一、三十一条）"""

from datetime import date, datetime
from typing import ClassVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from models.base import Labelled, Table, column, county_check, division, enum_type, identity, moment


class ReviewStatus(Labelled):
    """The life of a review: it counts once the head has signed it."""

    PREPARED = "prepared", "待签署"
    SIGNED = "signed", "已签署"
    RETURNED = "returned", "已退回"
    WITHDRAWN = "withdrawn", "已撤回"


class ReviewFinding(Labelled):
    """Whether what was found is what is registered."""

    AGREES = "agrees", "与登记一致"
    DIFFERS = "differs", "有出入，另行办理变更"
    ABSENT = "absent", "未见到户主，向知情人核实"


class HouseholdReview(Table, table=True):
    """One household looked into in one year by the township's clerk, signed by its head."""

    __tablename__ = "household_reviews"
    __title__: ClassVar[str] = "年度复核"

    id: int | None = identity()
    division_code: str = division("苏木乡镇")
    county_code: str = division("旗县")
    number: str = column("复核编号", unique=True)
    household_id: int = column("户", sa_type=sa.BigInteger)
    year: int = column("年度")
    status: ReviewStatus = column("状态", ReviewStatus.PREPARED, sa_type=enum_type(ReviewStatus))
    version: int = column("版本", 1)
    village: str = column("嘎查村", "")
    subject: str = column("户主", "", mask="name")
    visited_on: date = column("入户日期")
    finding: ReviewFinding = column("复核结果", sa_type=enum_type(ReviewFinding))
    checked: list[str] = column("核对内容", sa_type=ARRAY(sa.Text))
    note: str = column("复核情况", "", help="不写身份证号、账号、手机号")
    arrived_at: datetime | None = moment("提交时间")
    signed_at: datetime | None = moment("签署时间")
    resume_status: ReviewStatus | None = column(
        "退回前状态", None, sa_type=enum_type(ReviewStatus, "reviewresume"), nullable=True
    )
    returned_for: str = column("退回原因", "")

    __table_args__ = (
        sa.UniqueConstraint("division_code", "id"),
        sa.ForeignKeyConstraint(["division_code", "household_id"], ["households.division_code", "households.id"]),
        sa.Index(
            "uq_household_reviews_year",
            "division_code",
            "household_id",
            "year",
            unique=True,
            postgresql_where=sa.text("status <> 'withdrawn'"),
        ),
        sa.Index("ix_household_reviews_status", "division_code", "status", "village"),
        county_check(),
    )
