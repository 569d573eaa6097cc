"""The outbox: what is to be asked outside, written with the verb that asks and sent after it (DESIGN D7)."""

from datetime import datetime
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from models.base import Labelled, Table, column, division, enum_type, identity, moment


class OutboxStatus(Labelled):
    """Unknown is a state: after a time-out we ask, we never resend blind."""

    PENDING = "pending", "待发送"
    SENT = "sent", "已发送"
    DONE = "done", "已完成"
    REFUSED = "refused", "对方拒绝"


class OutboxMessage(Table, table=True):
    """One question to the outside; the business key makes it unique for ever."""

    __tablename__ = "outbox"
    __title__: ClassVar[str] = "外联消息"

    id: int | None = identity()
    division_code: str = division()
    topic: str = column("主题", help="payment_application、bank_batch、refund、identity_check、account_check")
    business_key: str = column("业务键", unique=True)
    record_id: int = column("记录", sa_type=sa.BigInteger)
    payload: dict[str, Any] = column("内容", default_factory=dict, sa_type=JSONB, help="只存编号，不存个人信息")
    status: OutboxStatus = column("状态", OutboxStatus.PENDING, sa_type=enum_type(OutboxStatus))
    attempts: int = column("尝试次数", 0)
    last_error: str = column("最近错误", "")
    created_at: datetime = moment("生成时间", ..., nullable=False)
    done_at: datetime | None = moment("完成时间")

    __table_args__ = (sa.Index("ix_outbox_open", "status", "topic"),)
