"""Events, hash-chained per county, and who held which desk of a record. （第二十三条）"""

from datetime import datetime
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from models.base import RowScope, Table, column, division, identity, moment


class DeskHolder(Table, table=True):
    """A person at one record holds one desk, for ever: the key admits no second desk. （第二十三条）"""

    __tablename__ = "desk_holders"
    __title__: ClassVar[str] = "经手岗位"

    division_code: str = division()
    noun: str = column("对象", primary_key=True)
    record_id: int = column("记录", sa_type=sa.BigInteger, primary_key=True)
    person: str = column("自然人", primary_key=True)
    desk: str = column("岗位")

    __table_args__ = (sa.UniqueConstraint("noun", "record_id", "person", "desk"),)


class Event(Table, table=True):
    """Who did what to which record, when, in which post; inserted only, never changed."""

    __tablename__ = "events"
    __title__: ClassVar[str] = "办理记录"

    county_code: str = division("旗县", primary_key=True)
    id: int | None = identity()
    division_code: str = division()
    noun: str = column("对象")
    record_id: int = column("记录", sa_type=sa.BigInteger)
    verb: str = column("动作")
    label: str = column("办理事项", "")
    desk: str | None = column("岗位", None, nullable=True)
    officer_id: int = column("用户", sa_type=sa.BigInteger)
    person: str = column("自然人")
    officer_name: str = column("办理人")
    post: str = column("办理岗位")
    from_status: str = column("原状态", "")
    to_status: str = column("新状态", "")
    opinion: str = column("意见", "")
    facts: dict[str, Any] = column("事实", default_factory=dict, sa_type=JSONB)
    business_at: datetime = moment("业务时间", ..., nullable=False)
    recorded_at: datetime | None = column(
        "记录时间",
        None,
        sa_type=sa.TIMESTAMP(timezone=True),
        nullable=True,
        server_default=sa.text("clock_timestamp()"),
    )

    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["noun", "record_id", "person", "desk"],
            ["desk_holders.noun", "desk_holders.record_id", "desk_holders.person", "desk_holders.desk"],
        ),
        sa.Index("ix_events_record", "noun", "record_id"),
        sa.Index("ix_events_person", "person", "noun", "record_id"),
    )


class EventLink(Table, table=True):
    """One link of a county's hash chain, written by a deferred trigger at commit (DESIGN D9)."""

    __tablename__ = "event_links"
    __row_scope__: ClassVar[RowScope] = RowScope.RANGE
    __title__: ClassVar[str] = "事件链"

    county_code: str = division("旗县", primary_key=True)
    sequence: int = column("链序号", sa_type=sa.BigInteger, primary_key=True)
    division_code: str = division()
    event_id: int = column("事件", sa_type=sa.BigInteger)
    hash: bytes = column("散列", sa_type=sa.LargeBinary)


class EventHead(Table, table=True):
    """The head of a county's chain."""

    __tablename__ = "event_heads"
    __row_scope__: ClassVar[RowScope] = RowScope.RANGE
    __title__: ClassVar[str] = "事件链头"

    county_code: str = division("旗县", primary_key=True)
    division_code: str = division()
    sequence: int = column("链序号", 0, sa_type=sa.BigInteger)
    hash: bytes = column("散列", sa_type=sa.LargeBinary)


class Refusal(Table, table=True):
    """A refusal, recorded by the edge in a transaction of its own (a Refused rolls its own back)."""

    __tablename__ = "refusals"
    __title__: ClassVar[str] = "拒绝记录"

    id: int | None = identity()
    division_code: str = division()
    officer_id: int = column("用户", sa_type=sa.BigInteger)
    officer_name: str = column("用户姓名")
    post: str = column("岗位")
    verb: str = column("动作")
    record: str = column("记录", "")
    refusal: str = column("拒绝类别")
    message: str = column("原因")
    recorded_at: datetime | None = column(
        "记录时间",
        None,
        sa_type=sa.TIMESTAMP(timezone=True),
        nullable=True,
        server_default=sa.text("clock_timestamp()"),
    )
