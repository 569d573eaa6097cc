"""Failed payments on their way by Article 21, and refunds of money that can't be paid. （第二十一条）"""

from datetime import date, datetime
from typing import ClassVar

import sqlalchemy as sa

from models.base import Labelled, Table, column, county_check, division, enum_type, fen, identity, moment


class FailureStatus(Labelled):
    """Every terminal state of a line maps to a next step."""

    OPEN = "open", "待通知"
    NOTIFIED = "notified", "已通知乡镇"
    CORRECTED = "corrected", "已更正待补发"
    REISSUED = "reissued", "已列入补发"
    REPORTED = "reported", "已反馈主管部门"
    REMOVED = "removed", "已移出待退款"
    REFUNDED = "refunded", "已退回指标"
    SETTLED = "settled", "已补发成功"
    REPLACED = "replaced", "补发又失败"


class FailureRoute(Labelled):
    """Which item of Article 21 the failure follows."""

    CHANGE_ACCOUNT = "change_account", "变更账户（第二十一条第一项）"
    ACTIVATE = "activate", "激活后重付（第二十一条第二项）"
    REMOVE = "remove", "移出清册（第二十一条第三项）"
    FINANCE = "finance", "财政更正后重付"
    EXCEPTION = "exception", "异常处理"


class RefundStatus(Labelled):
    """Money on its way back from the agent account to the indicator that paid it."""

    PREPARED = "prepared", "待复核"
    RELEASED = "released", "已复核待退回"
    RETURNED = "returned", "已退回"


class Failure(Table, table=True):
    """One failed attempt and what becomes of it."""

    __tablename__ = "failures"
    __title__: ClassVar[str] = "发放失败"

    id: int | None = identity()
    division_code: str = division("苏木乡镇")
    county_code: str = division("旗县")
    roster_id: int = column("清册", sa_type=sa.BigInteger)
    line_id: int = column("清册明细", sa_type=sa.BigInteger)
    line_sequence: int = column("序号")
    disbursement_id: int = column("发放明细", sa_type=sa.BigInteger)
    order_id: int = column("支付单", sa_type=sa.BigInteger)
    project_name: str = column("项目名称")
    sector: str = column("主管领域", "")
    name: str = column("收款人", mask="name")
    amount_fen: int = fen("金额")
    failure_class: str = column("失败类别")
    reason: str = column("失败原因", "")
    route: FailureRoute = column("处理方式", sa_type=enum_type(FailureRoute))
    status: FailureStatus = column("状态", FailureStatus.OPEN, sa_type=enum_type(FailureStatus))
    version: int = column("版本", 1)
    arrived_at: datetime = moment("到达时间", ..., nullable=False)
    due_on: date | None = column("办理期限", None, nullable=True)
    resolution: str = column("处理说明", "")
    refund_id: int | None = column("退款单", None, sa_type=sa.BigInteger, nullable=True)

    __table_args__ = (
        sa.UniqueConstraint("division_code", "id"),
        sa.UniqueConstraint("county_code", "disbursement_id"),
        sa.ForeignKeyConstraint(["county_code", "line_id"], ["roster_lines.county_code", "roster_lines.id"]),
        sa.ForeignKeyConstraint(["county_code", "disbursement_id"], ["disbursements.county_code", "disbursements.id"]),
        sa.ForeignKeyConstraint(["county_code", "refund_id"], ["refunds.division_code", "refunds.id"]),
        county_check(),
    )


class Refund(Table, table=True):
    """Money returned from the agent account to the very indicator that paid it (DESIGN D6)."""

    __tablename__ = "refunds"
    __title__: ClassVar[str] = "退款单"

    id: int | None = identity()
    division_code: str = division("旗县")
    number: str = column("退款单号", unique=True)
    order_id: int = column("支付单", sa_type=sa.BigInteger)
    sector: str = column("主管领域", help="随支付单，由外键保证一致；主管部门只见本领域")
    bank_id: int = column("代理银行", sa_type=sa.BigInteger, help="随支付单，由外键保证一致；银行只见本行")
    indicator_id: int = column("预算指标", sa_type=sa.BigInteger)
    agent_account_id: int = column("代发户", sa_type=sa.BigInteger)
    project_name: str = column("项目名称")
    status: RefundStatus = column("状态", RefundStatus.PREPARED, sa_type=enum_type(RefundStatus))
    version: int = column("版本", 1)
    line_count: int = column("笔数", unit="笔")
    amount_fen: int = fen("金额")
    prepared_at: datetime = moment("生成时间", ..., nullable=False)
    arrived_at: datetime = moment("到达时间", ..., nullable=False)
    due_on: date | None = column("办理期限", None, nullable=True)
    returned_at: datetime | None = moment("退回时间")

    __table_args__ = (
        sa.UniqueConstraint("division_code", "id"),
        sa.ForeignKeyConstraint(
            ["division_code", "order_id", "sector", "bank_id"],
            [
                "payment_orders.division_code",
                "payment_orders.id",
                "payment_orders.sector",
                "payment_orders.bank_id",
            ],
        ),
        sa.CheckConstraint("amount_fen > 0", name="amount"),
    )
