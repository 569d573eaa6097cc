"""Allocation plans (分配方案): amounts per county or league from an upstream indicator. （第三十二条）"""

from datetime import date, datetime
from typing import ClassVar

import sqlalchemy as sa

from models.base import DivisionCode, Labelled, RowScope, Table, column, division, enum_type, fen, identity, moment


class AllocationStatus(Labelled):
    """Drafted by the clerk, confirmed by the reviewer, frozen; a supplementary plan takes its place."""

    DRAFT = "draft", "编制中"
    SUBMITTED = "submitted", "待审核"
    CONFIRMED = "confirmed", "已审核"
    SUPERSEDED = "superseded", "已由补充方案替代"
    WITHDRAWN = "withdrawn", "已作废"


class AllocationPlan(Table, table=True):
    """One plan of a region or league department; each edition states all amounts anew."""

    __tablename__ = "allocation_plans"
    __row_scope__: ClassVar[RowScope] = RowScope.DOWNWARD
    __title__: ClassVar[str] = "分配方案"

    id: int | None = identity()
    division_code: str = division("编制地")
    sector: str = column("主管领域")
    number: str = column("方案编号", unique=True)
    title: str = column("方案名称")
    document_number: str = column("上级指标文号", help="与一体化系统 SUP_BGT_DOC_NO 一致，据此与下达对照")
    project_id: int = column("补贴项目", sa_type=sa.BigInteger, foreign_key="subsidy_projects.id")
    project_name: str = column("项目名称")
    fiscal_year: int = column("预算年度")
    edition: int = column("版次", 1, help="1 为原方案，2 起为补充方案")
    total_fen: int = fen("分配总额")
    line_count: int = column("分配地区数", 0)
    status: AllocationStatus = column("状态", AllocationStatus.DRAFT, sa_type=enum_type(AllocationStatus))
    version: int = column("版本", 1)
    arrived_at: datetime | None = moment("到达时间")
    returned_for: str = column("退回原因", "")
    confirmed_on: date | None = column("审核日期", None, nullable=True)
    issue_due_on: date | None = column("应下达日期", None, nullable=True, help="审核后的平台提醒期限")

    __table_args__ = (
        sa.UniqueConstraint("division_code", "id"),
        sa.Index(
            "uq_allocation_plans_open",
            "division_code",
            "document_number",
            "project_id",
            unique=True,
            postgresql_where=sa.text("status in ('draft', 'submitted')"),
        ),
        sa.Index(
            "uq_allocation_plans_confirmed",
            "division_code",
            "document_number",
            "project_id",
            unique=True,
            postgresql_where=sa.text("status = 'confirmed'"),
        ),
        sa.Index("ix_allocation_plans_status", "division_code", "status"),
    )


class AllocationLine(Table, table=True):
    """What one county or league is to get; immutable with its plan."""

    __tablename__ = "allocation_lines"
    __row_scope__: ClassVar[RowScope] = RowScope.DOWNWARD
    __title__: ClassVar[str] = "分配明细"

    id: int | None = identity()
    division_code: str = division("编制地")
    plan_id: int = column("分配方案", sa_type=sa.BigInteger)
    target_code: str = column("分配地区", sa_type=DivisionCode)
    target_name: str = column("地区名称")
    amount_fen: int = fen("分配金额")

    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["division_code", "plan_id"], ["allocation_plans.division_code", "allocation_plans.id"]
        ),
        sa.UniqueConstraint("plan_id", "target_code"),
        sa.CheckConstraint("amount_fen > 0", name="amount"),
        sa.Index("ix_allocation_lines_plan_id", "division_code", "plan_id"),
    )
