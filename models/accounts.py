"""One-card accounts, registered by person and verified by the agent bank. （第十二条）"""

from datetime import datetime
from typing import ClassVar

import sqlalchemy as sa

from models.base import Labelled, Table, column, county_check, division, enum_type, identity, moment
from models.crypto import BlindIndex, Sealed


class AccountStatus(Labelled):
    """The life of an account: it can be used only once the bank has verified it."""

    REGISTERED = "registered", "已登记"
    VERIFYING = "verifying", "验证中"
    VERIFIED = "verified", "已验证"
    REFUSED = "refused", "验证未通过"
    DORMANT = "dormant", "不动户"
    CLOSED = "closed", "已销户"


class Account(Table, table=True):
    """One account of a person; at most one is the payment account at a time."""

    __tablename__ = "accounts"
    __title__: ClassVar[str] = "一卡通账户"

    id: int | None = identity()
    division_code: str = division("苏木乡镇")
    county_code: str = division("旗县")
    member_id: int = column("持有人", sa_type=sa.BigInteger)
    number: str = column("账号", sa_type=Sealed, mask="card")
    number_index: bytes = column("账号盲索引", sa_type=BlindIndex, index=True)
    bank_name: str = column("开户银行")
    bank_code: str = column("联行号", "", help="CNAPS 12 位")
    bank_id: int | None = column(
        "代理银行", None, sa_type=sa.BigInteger, nullable=True, help="由触发器按联行号前三位确定；银行只见本行账户"
    )
    is_card: bool = column("社会保障卡", True)
    is_payment: bool = column("发放账户", True)
    status: AccountStatus = column("状态", AccountStatus.REGISTERED, sa_type=enum_type(AccountStatus))
    version: int = column("版本", 1)
    verified_at: datetime | None = moment("验证时间")
    answer: str = column("银行答复", "")
    registered_by: int = column("登记人", 0, sa_type=sa.BigInteger)

    __table_args__ = (
        sa.UniqueConstraint("division_code", "id"),
        sa.ForeignKeyConstraint(["division_code", "member_id"], ["members.division_code", "members.id"]),
        sa.Index("ix_accounts_member", "division_code", "member_id"),
        sa.Index(
            "uq_accounts_one_payment", "division_code", "member_id", unique=True, postgresql_where=sa.text("is_payment")
        ),
        county_check(),
    )
