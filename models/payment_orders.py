"""Payment orders: one project's final lines on one indicator and one agent account. （第十九条）"""

from datetime import date, datetime
from typing import ClassVar

import sqlalchemy as sa

from models.base import Labelled, RowScope, Table, column, division, enum_type, fen, identity, moment
from models.crypto import BlindIndex, Sealed


class PaymentOrderStatus(Labelled):
    """From the department's draft to the money on the agent account."""

    DRAFTED = "drafted", "待复核"
    RELEASED = "released", "已复核待申请"
    REQUESTED = "requested", "已申请支付"
    FUNDED = "funded", "拨付成功"
    REJECTED = "rejected", "申请被拒"
    CANCELLED = "cancelled", "已撤销"


class AgentBank(Table, table=True):
    """A bank that pays on the region's behalf. （第三十四条）"""

    __tablename__ = "agent_banks"
    __row_scope__: ClassVar[RowScope] = RowScope.REFERENCE
    __title__: ClassVar[str] = "代理金融机构"

    id: int | None = identity()
    name: str = column("名称", unique=True)
    cnaps: str = column("联行号", help="CNAPS 12 位")
    prefix: str = column("行别代码", help="收款账户联行号的前 3 位")
    interface: bool = column("有接口", True, help="否：由银行人员在平台领取批次、答复验证、返回结果")


class AgentAccount(Table, table=True):
    """A county's agent account (代发户) at an agent bank."""

    __tablename__ = "agent_accounts"
    __title__: ClassVar[str] = "代发户"

    id: int | None = identity()
    division_code: str = division("旗县")
    bank_id: int = column("代理银行", sa_type=sa.BigInteger, foreign_key="agent_banks.id")
    name: str = column("户名")
    number: str = column("账号", sa_type=Sealed, mask="card")
    number_index: bytes = column("账号盲索引", sa_type=BlindIndex, unique=True)

    __table_args__ = (sa.UniqueConstraint("division_code", "id"), sa.UniqueConstraint("division_code", "id", "bank_id"))


class PaymentOrder(Table, table=True):
    """One payment order of a county department."""

    __tablename__ = "payment_orders"
    __title__: ClassVar[str] = "资金支付单"

    id: int | None = identity()
    division_code: str = division("旗县")
    number: str = column("支付单号", unique=True)
    project_id: int = column("补贴项目", sa_type=sa.BigInteger, foreign_key="subsidy_projects.id")
    project_name: str = column("项目名称")
    sector: str = column("主管领域")
    indicator_id: int = column("预算指标", sa_type=sa.BigInteger)
    agent_account_id: int = column("代发户", sa_type=sa.BigInteger)
    bank_id: int = column("代理银行", sa_type=sa.BigInteger, help="随代发户，由外键保证一致")
    status: PaymentOrderStatus = column("状态", PaymentOrderStatus.DRAFTED, sa_type=enum_type(PaymentOrderStatus))
    version: int = column("版本", 1)
    line_count: int = column("笔数", 0, unit="笔")
    amount_fen: int = fen("金额")
    attempt: int = column("申请次数", 0)
    pay_app_no: str | None = column("支付申请号", None, nullable=True, unique=True)
    drafted_at: datetime = moment("生成时间", ..., nullable=False)
    arrived_at: datetime = moment("到达时间", ..., nullable=False)
    due_on: date | None = column("办理期限", None, nullable=True)
    funded_at: datetime | None = moment("拨付成功时间")
    credited_at: datetime | None = moment("到账时间")
    answer: str = column("一体化系统答复", "")

    __table_args__ = (
        sa.UniqueConstraint("division_code", "id"),
        sa.ForeignKeyConstraint(
            ["division_code", "indicator_id"], ["budget_indicators.division_code", "budget_indicators.id"]
        ),
        sa.UniqueConstraint("division_code", "id", "sector", "bank_id"),
        sa.ForeignKeyConstraint(
            ["division_code", "agent_account_id", "bank_id"],
            ["agent_accounts.division_code", "agent_accounts.id", "agent_accounts.bank_id"],
        ),
        sa.CheckConstraint("amount_fen > 0", name="amount"),
        sa.Index("ix_payment_orders_indicator", "division_code", "indicator_id"),
    )
