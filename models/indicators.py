"""Budget indicators as downloaded from the budget system, with their projections. （第十条）"""

from datetime import date, datetime
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from models.base import Labelled, Table, column, division, enum_type, fen, identity, moment


class BudgetIndicator(Table, table=True):
    """One indicator of a county. Invariant, checked by PostgreSQL: amount = available + reserved + requested + paid."""

    __tablename__ = "budget_indicators"
    __title__: ClassVar[str] = "预算指标"

    id: int | None = identity()
    division_code: str = division("旗县")
    bgt_id: str = column("指标主键", unique=True, help="一体化系统 BGT_ID")
    fiscal_year: int = column("预算年度")
    document_number: str = column("指标文号")
    document_title: str = column("指标文件", "")
    document_date: date | None = column("发文日期", None, nullable=True)
    pro_code: str = column("预算项目代码", index=True)
    pro_name: str = column("预算项目名称", "")
    hot_topic: str = column("热点分类", help="须为“惠民惠农财政补贴资金”")
    hot_topic_code: str = column("热点分类代码", "", server_default="", help="一体化系统所给，与名称一并保存")
    sup_document_number: str = column("上级文号", "", server_default="", help="一体化系统 SUP_BGT_DOC_NO")
    agency_code: str = column("单位代码", "")
    fund_type_code: str = column("资金性质", "")
    exp_func_code: str = column("功能分类", "")
    gov_eco_code: str = column("政府经济分类", "")
    dep_eco_code: str = column("部门经济分类", "")
    amount_fen: int = fen("指标金额")
    available_fen: int = fen("可用")
    reserved_fen: int = fen("已占用", 0)
    requested_fen: int = fen("已申请", 0)
    paid_fen: int = fen("已拨付", 0)
    distributed_fen: int = column("已分配下级", 0, unit="分", sa_type=sa.BigInteger, server_default="0")
    deleted: bool = column("一体化系统已删除", False, server_default=sa.false())
    updated_at: datetime | None = moment("一体化系统更新时间", help="UPDATE_TIME，新旧以此为准")
    arrived_at: datetime | None = moment("到达时间", help="首次下载的时间")
    raw: dict[str, Any] = column("原始数据", default_factory=dict, sa_type=JSONB)

    __table_args__ = (
        sa.UniqueConstraint("division_code", "id"),
        sa.CheckConstraint(
            "amount_fen = available_fen + reserved_fen + requested_fen + paid_fen"
            " and least(available_fen, reserved_fen, requested_fen, paid_fen) >= 0",
            name="conserved",
        ),
        sa.Index("ix_budget_indicators_pro", "division_code", "pro_code", "document_date", "id"),
        sa.Index("ix_budget_indicators_pro_name", "pro_name"),
        sa.Index("ix_budget_indicators_year", "division_code", "fiscal_year", "id"),
        sa.Index(
            "ix_budget_indicators_untouched",
            "division_code",
            "pro_code",
            postgresql_where=sa.text("amount_fen > 0 and available_fen = amount_fen"),
        ),
        sa.Index(
            "ix_budget_indicators_upstream",
            "sup_document_number",
            "division_code",
            postgresql_where=sa.text("sup_document_number <> ''"),
        ),
    )


class UpstreamIndicator(Table, table=True):
    """One indicator of a league or of the region: distributed further down, never paid from. （第十条）"""

    __tablename__ = "upstream_indicators"
    __title__: ClassVar[str] = "上级指标"

    id: int | None = identity()
    division_code: str = division("盟市或自治区")
    bgt_id: str = column("指标主键", unique=True, help="一体化系统 BGT_ID")
    fiscal_year: int = column("预算年度")
    document_number: str = column("指标文号")
    document_title: str = column("指标文件", "")
    document_date: date | None = column("发文日期", None, nullable=True)
    sup_document_number: str = column("上级文号", "", help="一体化系统 SUP_BGT_DOC_NO")
    pro_code: str = column("预算项目代码")
    pro_name: str = column("预算项目名称", "")
    amount_fen: int = fen("指标金额")
    distributed_fen: int = fen("已分配下级", 0)
    deleted: bool = column("一体化系统已删除", False)
    updated_at: datetime | None = moment("一体化系统更新时间", help="UPDATE_TIME，新旧以此为准")
    arrived_at: datetime | None = moment("到达时间", help="首次下载的时间")

    __table_args__ = (
        sa.CheckConstraint("distributed_fen between 0 and amount_fen", name="distributed"),
        sa.Index("ix_upstream_indicators_document", "division_code", "document_number"),
        sa.Index(
            "ix_upstream_indicators_rest",
            "division_code",
            "document_date",
            "id",
            postgresql_where=sa.text("distributed_fen < amount_fen"),
        ),
    )


class Drawdown(Labelled):
    """In which order indicators of one priority are drawn down, besides the priority itself."""

    DOCUMENT = "document", "先发文的先支用"
    ASCENDING = "ascending", "可用少的先支用"
    DESCENDING = "descending", "可用多的先支用"


class ProjectDrawdown(Table, table=True):
    """A county's choice for one project; none means by document date. （第十条）"""

    __tablename__ = "project_drawdowns"
    __title__: ClassVar[str] = "支用方式"

    id: int | None = identity()
    division_code: str = division("旗县")
    project_id: int = column("补贴项目", sa_type=sa.BigInteger, foreign_key="subsidy_projects.id")
    drawdown: Drawdown = column("同序支用方式", sa_type=enum_type(Drawdown))

    __table_args__ = (sa.UniqueConstraint("division_code", "project_id"),)
