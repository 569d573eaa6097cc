"""Events and changes, hash-chained per county, and who held which desk of a record. （第二十三条）"""

from datetime import datetime
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

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
    address: str = column("来源地址", None, server_default="", help="由数据库按本次操作的凭证填写")
    transaction: int = column("事务", None, sa_type=sa.BigInteger, server_default="0", help="同一事务的记录编号相同")

    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["noun", "record_id", "person", "desk"],
            ["desk_holders.noun", "desk_holders.record_id", "desk_holders.person", "desk_holders.desk"],
        ),
        sa.Index("ix_events_record", "noun", "record_id"),
        sa.Index("ix_events_person", "person", "noun", "record_id"),
        sa.Index("ix_events_transaction", "transaction"),
        sa.Index("ix_events_recorded_at", "recorded_at", postgresql_using="brin"),
    )


class Change(Table, table=True):
    """What one statement changed in one table and county: written by triggers only, whatever the path. （第二十三条）

    At most 20 rows: old and new of each row's changed columns; more: count, sums of money and a digest over all rows.
    """

    __tablename__ = "changes"
    __title__: ClassVar[str] = "变更记录"

    county_code: str = division("旗县", primary_key=True)
    id: int | None = column(
        "编号",
        None,
        sa_type=sa.BigInteger,
        primary_key=True,
        server_default=sa.text("nextval('events_id_seq'::regclass)"),
        help="与办理记录同一序列",
    )
    division_code: str = division()
    table_name: str = column("数据表")
    operation: str = column("操作", help="insert、update、delete、truncate；baseline 为启用时的存量")
    row_count: int = column("行数", sa_type=sa.BigInteger)
    record_id: int | None = column("记录", None, sa_type=sa.BigInteger, nullable=True, help="只涉及一行时")
    before: dict[str, Any] | None = column("变更前合计", None, sa_type=JSONB, nullable=True)
    after: dict[str, Any] | None = column("变更后合计", None, sa_type=JSONB, nullable=True)
    rows: list[dict[str, Any]] | None = column(
        "逐行新旧值", None, sa_type=JSONB, nullable=True, help="敏感内容只存摘要"
    )
    digest: bytes | None = column("逐行摘要", None, sa_type=sa.LargeBinary, nullable=True, help="超过 20 行时")
    officer_id: int = column("用户", sa_type=sa.BigInteger, help="0 为系统任务或直接连库")
    person: str = column("自然人")
    post_id: int = column("岗位", sa_type=sa.BigInteger)
    delegation_id: int = column("委托", sa_type=sa.BigInteger)
    address: str = column("来源地址")
    database_user: str = column("数据库用户")
    application: str = column("连接程序", help="没有凭证时，直接连库的程序名")
    transaction: int = column("事务", None, sa_type=sa.BigInteger, server_default="0", help="同一事务的记录编号相同")
    recorded_at: datetime = column(
        "记录时间", None, sa_type=sa.TIMESTAMP(timezone=True), server_default=sa.text("clock_timestamp()")
    )

    __table_args__ = (
        sa.Index("ix_changes_record", "table_name", "record_id"),
        sa.Index("ix_changes_transaction", "transaction"),
        sa.Index("ix_changes_recorded_at", "recorded_at", postgresql_using="brin"),
    )


class EventLink(Table, table=True):
    """One link of a county's hash chain: all records of one transaction, linked at its commit (DESIGN D9)."""

    __tablename__ = "event_links"
    __row_scope__: ClassVar[RowScope] = RowScope.RANGE
    __title__: ClassVar[str] = "事件链"

    county_code: str = division("旗县", primary_key=True)
    sequence: int = column("链序号", sa_type=sa.BigInteger, primary_key=True)
    division_code: str = division()
    record_ids: list[int] = column("记录", sa_type=ARRAY(sa.BigInteger), help="办理记录和变更记录的编号")
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
    transaction: int | None = column("最近事务", None, sa_type=sa.BigInteger, nullable=True)
    linked_from: int | None = column("最近事务首条", None, sa_type=sa.BigInteger, nullable=True)
    linked_to: int | None = column("最近事务末条", None, sa_type=sa.BigInteger, nullable=True)


class EventArchive(Table, table=True):
    """The closing link that stays when a county's oldest links have gone into a signed file. （第二十三条）"""

    __tablename__ = "event_archives"
    __title__: ClassVar[str] = "记录归档"

    id: int | None = identity()
    county_code: str = division("旗县")
    division_code: str = division()
    first_sequence: int = column("首环", sa_type=sa.BigInteger)
    last_sequence: int = column("末环", sa_type=sa.BigInteger)
    record_count: int = column("记录数", sa_type=sa.BigInteger)
    hash: bytes = column("末环散列", sa_type=sa.LargeBinary)
    sums: dict[str, Any] = column("归档变更合计", sa_type=JSONB)
    file_name: str = column("归档文件")
    file_digest: bytes = column("文件摘要", sa_type=sa.LargeBinary)
    archived_at: datetime = column(
        "归档时间", None, sa_type=sa.TIMESTAMP(timezone=True), server_default=sa.text("clock_timestamp()")
    )

    __table_args__ = (sa.UniqueConstraint("county_code", "last_sequence"),)


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
