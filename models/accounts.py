"""One-card accounts, registered by person and verified by the agent bank. （第十二条）"""

from datetime import datetime
from typing import ClassVar

import sqlalchemy as sa

from models.base import Labelled, Table, column, county_check, division, enum_type, identity, moment
from models.crypto import BlindIndex, Sealed


class AccountStatus(Labelled):
    """The life of an account: it can be used only once the bank has verified it."""

    PROPOSED = "proposed", "待复核"
    REJECTED = "rejected", "未生效"
    REGISTERED = "registered", "已登记"
    VERIFYING = "verifying", "验证中"
    VERIFIED = "verified", "已验证"
    REFUSED = "refused", "验证未通过"
    DORMANT = "dormant", "不动户"
    CLOSED = "closed", "已销户"


class AccountRefusal(Labelled):
    """Why a bank doesn't verify an account; its own words stand beside it."""

    UNKNOWN = "unknown", "账号不存在"
    NAME_DIFFERS = "name_differs", "户名或证件号码不符"
    FROZEN = "frozen", "已冻结或挂失"
    WRONG_KIND = "wrong_kind", "不是社会保障卡账户"
    OTHER = "other", "其他原因"


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
    card_required: bool = column(
        "须为社会保障卡", False, server_default=sa.false(), help="新增补贴对象，或现有发放账户已是社会保障卡"
    )
    refused_for: AccountRefusal | None = column(
        "未通过原因", None, sa_type=enum_type(AccountRefusal), nullable=True, help="银行最近一次未通过的类别"
    )
    reason: str = column("变更原因", "", server_default="")
    replaces_id: int | None = column(
        "换卡前账户", None, sa_type=sa.BigInteger, nullable=True, help="验证通过后，换卡前账户销户留存"
    )
    batch_id: int | None = column("换卡批次", None, sa_type=sa.BigInteger, nullable=True)
    arrived_at: datetime | None = moment("到达时间")

    __table_args__ = (
        sa.UniqueConstraint("division_code", "id"),
        sa.ForeignKeyConstraint(["division_code", "member_id"], ["members.division_code", "members.id"]),
        sa.Index("ix_accounts_member", "division_code", "member_id"),
        sa.Index(
            "uq_accounts_one_payment", "division_code", "member_id", unique=True, postgresql_where=sa.text("is_payment")
        ),
        sa.Index(
            "uq_accounts_one_proposal",
            "division_code",
            "member_id",
            unique=True,
            postgresql_where=sa.text("status = 'proposed'"),
        ),
        sa.Index(
            "ix_accounts_waiting",
            "division_code",
            postgresql_where=sa.text("status in ('proposed', 'registered', 'refused')"),
        ),
        sa.Index("ix_accounts_batch", "batch_id", postgresql_where=sa.text("batch_id is not null")),
        sa.CheckConstraint("not is_payment or status not in ('proposed', 'rejected')", name="payment"),
        county_check(),
    )


class NoticeOutcome(Labelled):
    """What became of a bank's own notice."""

    DONE = "done", "已登记"
    SKIPPED = "skipped", "无需登记"
    UNKNOWN = "unknown", "不是已登记账户"


class AccountNotice(Table, table=True):
    """What a bank told of an account by itself, over its interface, in the order in which it told it. （第二十一条）"""

    __tablename__ = "account_notices"
    __title__: ClassVar[str] = "银行账户通知"

    id: int | None = identity()
    division_code: str = division("苏木乡镇，不是已登记账户的为自治区")
    sequence: int = column("通知序号", sa_type=sa.BigInteger, unique=True, help="银行的顺序号，只处理一次")
    account_id: int | None = column("账户", None, sa_type=sa.BigInteger, nullable=True)
    shown: str = column("账号", help="只存脱敏后的")
    state: str = column("账户状态", help="银行答复")
    words: str = column("银行说明", "")
    outcome: NoticeOutcome = column("登记结果", sa_type=enum_type(NoticeOutcome))
    received_at: datetime = moment("收到时间", ..., nullable=False)

    __table_args__ = (sa.Index("ix_account_notices_account", "division_code", "account_id"),)
