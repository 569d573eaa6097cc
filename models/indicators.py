"""Budget indicators as downloaded from the budget system, with their projections. （第十条）"""

from datetime import date
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from models.base import Table, column, division, fen, identity


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
    raw: dict[str, Any] = column("原始数据", default_factory=dict, sa_type=JSONB)

    __table_args__ = (
        sa.UniqueConstraint("division_code", "id"),
        sa.CheckConstraint(
            "amount_fen = available_fen + reserved_fen + requested_fen + paid_fen"
            " and least(available_fen, reserved_fen, requested_fen, paid_fen) >= 0",
            name="conserved",
        ),
    )
