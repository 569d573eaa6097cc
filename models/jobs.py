"""Jobs as officers see them: owner, progress, result; and files kept encrypted for a set time (DESIGN D8, D10)."""

from datetime import datetime
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from models.base import Labelled, Table, column, division, enum_type, identity, moment
from models.crypto import SealedFile


class JobStatus(Labelled):
    """The business state of a job, apart from the record's status."""

    QUEUED = "queued", "排队中"
    RUNNING = "running", "进行中"
    DONE = "done", "已完成"
    REFUSED = "refused", "未通过"
    FAILED = "failed", "出错"
    CANCELLED = "cancelled", "已取消"


class Job(Table, table=True):
    """One background task started by an officer."""

    __tablename__ = "jobs"
    __title__: ClassVar[str] = "后台任务"

    id: int | None = identity()
    division_code: str = division()
    kind: str = column("类别")
    title: str = column("任务")
    officer_id: int = column("发起人", sa_type=sa.BigInteger)
    post_id: int = column("发起岗位", sa_type=sa.BigInteger)
    delegation_id: int = column("委托", 0, sa_type=sa.BigInteger, server_default="0", help="代办时的委托，0 为本人岗位")
    arguments: dict[str, Any] = column("参数", default_factory=dict, sa_type=JSONB)
    status: JobStatus = column("状态", JobStatus.QUEUED, sa_type=enum_type(JobStatus))
    done: int = column("已处理", 0)
    total: int = column("总数", 0)
    stage: str = column("阶段", "")
    queued_at: datetime = moment("提交时间", ..., nullable=False)
    started_at: datetime | None = moment("开始时间")
    finished_at: datetime | None = moment("结束时间")
    message: str = column("结果", "")
    cancel_asked: bool = column("要求取消", False)
    roster_id: int | None = column("清册", None, sa_type=sa.BigInteger, nullable=True)
    file_id: int | None = column("结果文件", None, sa_type=sa.BigInteger, nullable=True)


class StoredFile(Table, table=True):
    """A file kept as an encrypted envelope until its expiry: uploads, marked workbooks, bank files, bulletins."""

    __tablename__ = "stored_files"
    __title__: ClassVar[str] = "文件"

    id: int | None = identity()
    division_code: str = division()
    name: str = column("文件名")
    media_type: str = column("类型")
    size: int = column("大小", unit="字节", sa_type=sa.BigInteger)
    sha256: str = column("摘要")
    content: bytes = column("内容（加密）", sa_type=SealedFile)
    owner_id: int = column("所有者", sa_type=sa.BigInteger)
    stored_at: datetime = moment("存入时间", ..., nullable=False)
    expires_at: datetime | None = moment("清除时间")
