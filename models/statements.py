"""Bank statements, their entries, and what reconciliation found. （第二十二条）"""

from datetime import date, datetime
from typing import ClassVar

import sqlalchemy as sa

from models.base import Labelled, Table, column, division, enum_type, fen, identity, moment


class ReconciliationStatus(Labelled):
    """Whether the bank's figures and ours agree."""

    AGREED = "agreed", "相符"
    DIFFERENT = "different", "有差异"


class Statement(Table, table=True):
    """One bank statement of an agent account for one day, with the outcome of its reconciliation."""

    __tablename__ = "statements"
    __title__: ClassVar[str] = "银行对账单"

    id: int | None = identity()
    division_code: str = division("旗县")
    agent_account_id: int = column("代发户", sa_type=sa.BigInteger)
    statement_number: str = column("对账单号")
    day: date = column("账单日期")
    opening_fen: int = fen("期初余额")
    closing_fen: int = fen("期末余额")
    entry_count: int = column("笔数", 0, unit="笔")
    our_balance_fen: int = fen("账面余额", 0)
    status: ReconciliationStatus = column("对账结果", sa_type=enum_type(ReconciliationStatus))
    difference_count: int = column("差异数", 0, unit="笔")
    reconciled_at: datetime = moment("对账时间", ..., nullable=False)

    __table_args__ = (
        sa.UniqueConstraint("division_code", "id"),
        sa.UniqueConstraint("division_code", "agent_account_id", "statement_number"),
        sa.ForeignKeyConstraint(
            ["division_code", "agent_account_id"], ["agent_accounts.division_code", "agent_accounts.id"]
        ),
    )


class StatementEntry(Table, table=True):
    """One booking of the bank."""

    __tablename__ = "statement_entries"
    __title__: ClassVar[str] = "对账单明细"

    id: int | None = identity()
    division_code: str = division("旗县")
    statement_id: int = column("对账单", sa_type=sa.BigInteger)
    booked_on: date = column("记账日期")
    credit: bool = column("收入")
    amount_fen: int = fen("金额")
    reference: str = column("银行流水", "")
    end_to_end_id: str = column("支付标识", "")
    kind: str = column("类别", "")

    __table_args__ = (
        sa.ForeignKeyConstraint(["division_code", "statement_id"], ["statements.division_code", "statements.id"]),
        sa.Index("ix_statement_entries_reference", "division_code", "end_to_end_id"),
    )


class Difference(Table, table=True):
    """One difference between the bank and us."""

    __tablename__ = "differences"
    __title__: ClassVar[str] = "对账差异"

    id: int | None = identity()
    division_code: str = division("旗县")
    statement_id: int = column("对账单", sa_type=sa.BigInteger)
    kind: str = column("差异类别")
    end_to_end_id: str = column("支付标识", "")
    bank_fen: int | None = fen("银行金额", None, nullable=True)
    our_fen: int | None = fen("账面金额", None, nullable=True)

    __table_args__ = (
        sa.ForeignKeyConstraint(["division_code", "statement_id"], ["statements.division_code", "statements.id"]),
    )
