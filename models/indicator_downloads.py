"""Downloads of indicators: where each stands, and which items could not be kept. （第十条）"""

from datetime import datetime
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from models.base import Labelled, Table, column, division, enum_type, identity, moment


class DownloadStatus(Labelled):
    """Whether a download goes on, waits at its page, or has ended."""

    QUEUED = "queued", "排队"
    RUNNING = "running", "下载中"
    INTERRUPTED = "interrupted", "中断待续"
    DONE = "done", "完成"
    REFUSED = "refused", "对方未受理"
    ABANDONED = "abandoned", "过时未续"


OPEN_DOWNLOADS = (DownloadStatus.QUEUED, DownloadStatus.RUNNING, DownloadStatus.INTERRUPTED)


class IndicatorDownload(Table, table=True):
    """One download of one division: each page is kept with the cursor of the next in one transaction."""

    __tablename__ = "indicator_downloads"
    __title__: ClassVar[str] = "指标下载"

    id: int | None = identity()
    division_code: str = division("财政部门所在地")
    status: DownloadStatus = column("状态", sa_type=enum_type(DownloadStatus))
    scheduled: bool = column("定时下载", False)
    cursor: str = column("游标", "", help="下一页的位置；中断后由此继续")
    pages: int = column("页数", 0)
    items: int = column("条数", 0)
    new_count: int = column("新增", 0)
    changed_count: int = column("变更", 0)
    fault_count: int = column("未保存", 0)
    started_at: datetime = moment("开始时间", ..., nullable=False)
    seen_at: datetime = moment("最近一页时间", ..., nullable=False)
    ended_at: datetime | None = moment("结束时间")
    started_by: str = column("发起人", help="岗位和姓名；定时下载为系统任务")
    message: str = column("说明", "")

    __table_args__ = (
        sa.Index(
            "uq_indicator_downloads_open",
            "division_code",
            unique=True,
            postgresql_where=sa.text("status in ('queued', 'running', 'interrupted')"),
        ),
        sa.Index("ix_indicator_downloads_started", "division_code", "started_at"),
    )


class IndicatorFault(Table, table=True):
    """One downloaded item that was not kept: which field is wrong, and since when; the others were kept."""

    __tablename__ = "indicator_faults"
    __title__: ClassVar[str] = "未保存的指标"

    id: int | None = identity()
    division_code: str = division("财政部门所在地")
    bgt_id: str = column("指标主键", help="一体化系统 BGT_ID；没有主键的为“第几条”")
    document_number: str = column("指标文号", "")
    field: str = column("字段", help="一体化系统的字段名")
    problem: str = column("问题和处理办法")
    item: dict[str, Any] = column("原始数据", default_factory=dict, sa_type=JSONB)
    download_id: int | None = column("最近一次下载", None, sa_type=sa.BigInteger, nullable=True)
    found_at: datetime = moment("发现时间", ..., nullable=False)
    gone_at: datetime | None = moment("消除时间", help="同一指标后来保存成功的时间")

    __table_args__ = (
        sa.UniqueConstraint("division_code", "bgt_id"),
        sa.Index("ix_indicator_faults_found", "division_code", "found_at"),
    )
