"""What is known of keys and of whoever looked at personal data in full: rotations, generation, reveals. （第三十条）"""

from datetime import datetime
from typing import ClassVar

import sqlalchemy as sa

from models.base import MOMENT, Labelled, RowScope, Table, column, division, enum_type, identity, moment


class KeyKind(Labelled):
    """Which key is rotated."""

    ENVELOPES = "envelopes", "加密密钥"
    INDEX = "index", "索引密钥"


class RotationStatus(Labelled):
    """How a rotation goes."""

    RUNNING = "running", "进行中"
    DONE = "done", "已完成"
    CANCELLED = "cancelled", "已取消"
    FAILED = "failed", "出错"


class KeyRotation(Table, table=True):
    """One run of a key rotation: its progress, and the wish to stop it; a stopped one is taken up again."""

    __tablename__ = "key_rotations"
    __row_scope__: ClassVar[RowScope] = RowScope.REFERENCE
    __title__: ClassVar[str] = "密钥轮换"

    id: int | None = identity()
    kind: KeyKind = column("密钥类别", sa_type=enum_type(KeyKind))
    key_number: int = column("新密钥编号", help="密钥文件中的编号，不是密钥")
    status: RotationStatus = column("状态", RotationStatus.RUNNING, sa_type=enum_type(RotationStatus))
    stage: str = column("阶段", "")
    done: int = column("已处理", 0, unit="行", sa_type=sa.BigInteger)
    total: int = column("总数", 0, unit="行", sa_type=sa.BigInteger)
    per_second: int = column("速度", 0, unit="行/秒")
    seconds_left: int | None = column("预计剩余", None, unit="秒", nullable=True)
    started_at: datetime = moment("开始时间", ..., nullable=False)
    finished_at: datetime | None = moment("结束时间")
    cancel_asked: bool = column("要求停止", False)


class IndexGeneration(Table, table=True):
    """The generation of blind indexes that the columns hold; the key file must name the same one."""

    __tablename__ = "index_generation"
    __row_scope__: ClassVar[RowScope] = RowScope.REFERENCE
    __title__: ClassVar[str] = "索引密钥代次"

    id: int = column("编号", primary_key=True)
    generation: int = column("代次")


class RevealKind(Labelled):
    """How personal data was shown in full."""

    PAGE = "page", "页面查看"
    EXPORT = "export", "导出"


class Reveal(Table, table=True):
    """Who saw whose personal data in full, when, why, from where; written before it is shown, never changed."""

    __tablename__ = "reveals"
    __title__: ClassVar[str] = "明文查看记录"

    id: int | None = identity()
    division_code: str = division()
    kind: RevealKind = column("方式", RevealKind.PAGE, sa_type=enum_type(RevealKind))
    noun: str = column("对象")
    record_id: int = column("记录", 0, sa_type=sa.BigInteger, help="导出时为 0")
    title: str = column("查看内容", help="对象种类与查看的栏目，不含个人信息")
    row_count: int = column("条数", 1, unit="条")
    reason: str = column("查看事由")
    officer_id: int = column("用户", sa_type=sa.BigInteger)
    person: str = column("自然人")
    officer_name: str = column("查看人")
    post: str = column("岗位")
    address: str = column("来源地址", "")
    digest: str = column("导出文件摘要", "")
    revealed_at: datetime | None = column(
        "查看时间", None, sa_type=MOMENT, nullable=True, server_default=sa.text("clock_timestamp()")
    )

    __table_args__ = (
        sa.Index("ix_reveals_officer", "officer_id", "revealed_at"),
        sa.Index("ix_reveals_time", "division_code", "revealed_at"),
    )
