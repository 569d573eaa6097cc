"""The double-entry journal of each county: every fen from indicator to card and back. （第十九至二十二条）"""

from datetime import date, datetime
from typing import ClassVar

import sqlalchemy as sa

from models.base import Labelled, Table, column, division, enum_type, fen, identity, moment


class Ledger(Labelled):
    """The accounts of the journal."""

    ALLOCATED = "allocated", "下达来源"
    AVAILABLE = "available", "指标可用"
    RESERVED = "reserved", "指标占用"
    REQUESTED = "requested", "已申请"
    IN_TRANSIT = "in_transit", "拨付在途"
    AGENT_ACCOUNT = "agent_account", "代发户"
    PAID = "paid", "已发放"


class JournalEntry(Table, table=True):
    """One booking; its business key makes a second one impossible."""

    __tablename__ = "journal_entries"
    __title__: ClassVar[str] = "记账凭证"

    county_code: str = division("旗县", primary_key=True)
    id: int | None = identity()
    division_code: str = division("区划")
    kind: str = column("业务", help="indicator、reserve、release、request、fund、credit、pay、refund、reverse")
    business_key: str = column("业务键", unique=True)
    memo: str = column("摘要", "")
    booked_at: datetime = moment("记账时间", ..., nullable=False)

    __table_args__ = (sa.CheckConstraint("division_code = county_code", name="county"),)


class Posting(Table, table=True):
    """One side of a booking, in signed fen; the postings of an entry sum to zero (statement-level trigger)."""

    __tablename__ = "postings"
    __title__: ClassVar[str] = "分录"

    county_code: str = division("旗县", primary_key=True)
    id: int | None = identity()
    division_code: str = division("区划")
    entry_id: int = column("凭证", sa_type=sa.BigInteger)
    ledger: Ledger = column("科目", sa_type=enum_type(Ledger))
    indicator_id: int = column("预算指标", sa_type=sa.BigInteger)
    agent_account_id: int | None = column("代发户", None, sa_type=sa.BigInteger, nullable=True)
    project_id: int | None = column("补贴项目", None, sa_type=sa.BigInteger, nullable=True)
    disbursement_id: int | None = column("发放明细", None, sa_type=sa.BigInteger, nullable=True)
    amount_fen: int = fen("金额", help="借正贷负")
    value_on: date | None = column("起息日", None, nullable=True, help="银行记账的日期，对账按此日")
    reference: str = column(
        "外部编号", "", server_default=sa.text("''"), help="EndToEndId、支付申请号或退款单号，对账按此号"
    )

    __table_args__ = (
        sa.ForeignKeyConstraint(["county_code", "entry_id"], ["journal_entries.county_code", "journal_entries.id"]),
        sa.Index("ix_postings_entry", "county_code", "entry_id"),
        sa.Index("ix_postings_ledger", "county_code", "ledger", "indicator_id"),
        sa.Index("ix_postings_day", "county_code", "agent_account_id", "value_on"),
        sa.CheckConstraint("division_code = county_code", name="county"),
        sa.CheckConstraint("amount_fen <> 0", name="amount"),
    )
