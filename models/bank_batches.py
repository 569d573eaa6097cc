"""Bank batches: what a county finance bureau sends the agent bank, and each attempt to pay a line. （第二十条）"""

from datetime import date, datetime
from typing import ClassVar

import sqlalchemy as sa

from models.base import Labelled, RowScope, Table, column, county_check, division, enum_type, fen, identity, moment
from models.crypto import Sealed


class BankBatchStatus(Labelled):
    """From preparation to every line answered."""

    PREPARED = "prepared", "待复核"
    RELEASED = "released", "已复核待发送"
    SENT = "sent", "已发送"
    ACCEPTED = "accepted", "银行已受理"
    REFUSED = "refused", "银行拒收"
    SETTLED = "settled", "结果已返回"
    CLOSED = "closed", "已办结"


class DisbursementStatus(Labelled):
    """One attempt for one line; unknown is a state of its own (DESIGN D7)."""

    RESERVED = "reserved", "已列入支付单"
    PENDING = "pending", "已列入批次"
    SENT = "sent", "已发送"
    PAID = "paid", "发放成功"
    FAILED = "failed", "发放失败"
    UNKNOWN = "unknown", "结果未知"
    REVERSED = "reversed", "已退汇"
    CANCELLED = "cancelled", "已撤销"


class BankBatch(Table, table=True):
    """One file to the agent bank: lines of one payment order, one attempt each."""

    __tablename__ = "bank_batches"
    __title__: ClassVar[str] = "代发批次"

    id: int | None = identity()
    division_code: str = division("旗县")
    number: str = column("批次号", unique=True, help="报文标识 MsgId")
    order_id: int = column("支付单", sa_type=sa.BigInteger)
    sector: str = column("主管领域", help="随支付单，由外键保证一致；主管部门只见本领域")
    bank_id: int = column("代理银行", sa_type=sa.BigInteger, help="随支付单，由外键保证一致；银行只见本行")
    agent_account_id: int = column("代发户", sa_type=sa.BigInteger)
    project_name: str = column("项目名称")
    correction: bool = column("补发批次", False)
    status: BankBatchStatus = column("状态", BankBatchStatus.PREPARED, sa_type=enum_type(BankBatchStatus))
    version: int = column("版本", 1)
    line_count: int = column("笔数", 0, unit="笔")
    amount_fen: int = fen("金额")
    paid_count: int = column("成功笔数", 0, unit="笔")
    paid_fen: int = fen("成功金额", 0)
    failed_count: int = column("失败笔数", 0, unit="笔")
    failed_fen: int = fen("失败金额", 0)
    prepared_at: datetime = moment("生成时间", ..., nullable=False)
    arrived_at: datetime = moment("到达时间", ..., nullable=False)
    due_on: date | None = column("办理期限", None, nullable=True)
    sent_at: datetime | None = moment("发送时间")
    settled_at: datetime | None = moment("结果返回时间")
    file_id: int | None = column("报文", None, sa_type=sa.BigInteger, nullable=True)
    bank_reference: str = column("银行受理号", "")

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
    )


class Disbursement(Table, table=True):
    """One attempt to pay one line. Its county_code is the payment order's division."""

    __tablename__ = "disbursements"
    __title__: ClassVar[str] = "发放明细"

    county_code: str = division("旗县", primary_key=True)
    id: int | None = identity()
    division_code: str = division("苏木乡镇")
    roster_id: int = column("清册", sa_type=sa.BigInteger)
    line_id: int = column("清册明细", sa_type=sa.BigInteger)
    line_sequence: int = column("序号")
    project_id: int = column("补贴项目", sa_type=sa.BigInteger)
    order_id: int = column("支付单", sa_type=sa.BigInteger)
    sector: str = column("主管领域", help="随支付单，由外键保证一致；主管部门只见本领域")
    bank_id: int = column("代理银行", sa_type=sa.BigInteger, help="随支付单，由外键保证一致；银行只见本行")
    batch_id: int | None = column("批次", None, sa_type=sa.BigInteger, nullable=True)
    indicator_id: int = column("预算指标", sa_type=sa.BigInteger)
    agent_account_id: int = column("代发户", sa_type=sa.BigInteger)
    attempt: int = column("次数", 1)
    end_to_end_id: str = column("支付标识", unique=True, help="EndToEndId，每次尝试唯一")
    entitlement_key: str = column("发放权")
    amount_fen: int = fen("金额")
    payee_name: str = column("收款人", mask="name")
    account_number: str = column("收款账号", sa_type=Sealed, mask="card")
    account_is_card: bool = column("社保卡", True)
    bank_code: str = column("联行号", "")
    status: DisbursementStatus = column("状态", DisbursementStatus.RESERVED, sa_type=enum_type(DisbursementStatus))
    reason_code: str = column("原因代码", "")
    reason: str = column("失败原因", "")
    failure_class: str = column("失败类别", "")
    settled_on: date | None = column("结果日期", None, nullable=True)

    __table_args__ = (
        sa.UniqueConstraint("county_code", "line_id", "attempt"),
        sa.ForeignKeyConstraint(["division_code", "roster_id"], ["rosters.division_code", "rosters.id"]),
        sa.ForeignKeyConstraint(["county_code", "line_id"], ["roster_lines.county_code", "roster_lines.id"]),
        sa.ForeignKeyConstraint(
            ["county_code", "order_id", "sector", "bank_id"],
            [
                "payment_orders.division_code",
                "payment_orders.id",
                "payment_orders.sector",
                "payment_orders.bank_id",
            ],
        ),
        sa.ForeignKeyConstraint(["county_code", "batch_id"], ["bank_batches.division_code", "bank_batches.id"]),
        sa.Index("ix_disbursements_batch", "county_code", "batch_id"),
        sa.Index("ix_disbursements_order", "county_code", "order_id"),
        sa.Index("ix_disbursements_roster", "division_code", "roster_id"),
        sa.Index(
            "uq_disbursements_live_entitlement",
            "county_code",
            "entitlement_key",
            unique=True,
            postgresql_where=sa.text("status in ('reserved', 'pending', 'sent', 'unknown', 'paid')"),
        ),
        county_check(),
    )


class EntitlementSuccess(Table, table=True):
    """The claim of an entitlement: region-wide, at most one success each (DESIGN D6)."""

    __tablename__ = "entitlement_successes"
    __title__: ClassVar[str] = "发放权登记"

    entitlement_key: str = column("发放权", primary_key=True)
    division_code: str = division("旗县")
    disbursement_id: int = column("发放明细", sa_type=sa.BigInteger)

    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["division_code", "disbursement_id"], ["disbursements.county_code", "disbursements.id"]
        ),
    )


class ResultException(Table, table=True):
    """An answer that fits nothing: strange line, contradictory, wrong amount; a person decides. （第二十一条）"""

    __tablename__ = "result_exceptions"
    __row_scope__: ClassVar[RowScope] = RowScope.RANGE
    __title__: ClassVar[str] = "回盘异常"

    id: int | None = identity()
    division_code: str = division("旗县")
    batch_id: int = column("批次", sa_type=sa.BigInteger)
    end_to_end_id: str = column("支付标识")
    kind: str = column("异常类别")
    detail: str = column("说明")
    found_at: datetime = moment("发现时间", ..., nullable=False)

    __table_args__ = (
        sa.ForeignKeyConstraint(["division_code", "batch_id"], ["bank_batches.division_code", "bank_batches.id"]),
        sa.UniqueConstraint("division_code", "batch_id", "end_to_end_id", "kind"),
    )
