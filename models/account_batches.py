"""Cards replaced in bulk: a bank's or the social-security department's file, row by row. （第十二条）"""

from datetime import datetime
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from models.base import Labelled, Table, column, county_check, division, enum_type, identity, moment
from models.crypto import BlindIndex, Sealed


class BatchKind(Labelled):
    """What is replaced."""

    CARDS = "cards", "批量换卡"
    BANK = "bank", "更换代理银行"


class BatchSource(Labelled):
    """Whose file it is: only a bank's own desk says with it that its new cards are good."""

    TOWNSHIP = "township", "苏木乡镇整理"
    SOCIAL_SECURITY = "social_security", "人社部门换卡清单"
    COUNTY = "county", "旗县财政整理"
    BANK = "bank", "代理银行换卡清单"


class BatchStatus(Labelled):
    """Checked row by row, proposed by one person, confirmed by another, applied by a job."""

    RECEIVED = "received", "核对中"
    REFUSED = "refused", "不能读取"
    BANK_CHECKED = "bank_checked", "待银行复核"
    CHECKED = "checked", "待乡镇提出"
    COUNTY_CHECKED = "county_checked", "待旗县提出"
    PROPOSED = "proposed", "待乡镇复核"
    COUNTY_PROPOSED = "county_proposed", "待旗县复核"
    CONFIRMED = "confirmed", "登记中"
    STOPPED = "stopped", "已暂停"
    APPLIED = "applied", "已登记"
    RETURNED = "returned", "已退回"
    WITHDRAWN = "withdrawn", "已撤回"


class CardOutcome(Labelled):
    """What becomes of one row."""

    READY = "ready", "可以换卡"
    PROBLEM = "problem", "不能换卡"
    SKIPPED = "skipped", "无需换卡"
    DONE = "done", "已登记"


class AccountBatch(Table, table=True):
    """One file of replaced cards."""

    __tablename__ = "account_batches"
    __title__: ClassVar[str] = "批量换卡"

    id: int | None = identity()
    division_code: str = division("苏木乡镇或旗县")
    county_code: str = division("旗县")
    number: str = column("批次编号", unique=True)
    kind: BatchKind = column("事项", sa_type=enum_type(BatchKind))
    source: BatchSource = column("文件来源", sa_type=enum_type(BatchSource))
    status: BatchStatus = column("状态", BatchStatus.RECEIVED, sa_type=enum_type(BatchStatus))
    version: int = column("版本", 1)
    bank_id: int | None = column(
        "换卡银行", None, sa_type=sa.BigInteger, foreign_key="agent_banks.id", nullable=True, index=True
    )
    from_bank_id: int | None = column(
        "原代理银行", None, sa_type=sa.BigInteger, foreign_key="agent_banks.id", nullable=True
    )
    reason: str = column("换卡原因")
    file_id: int = column("文件", sa_type=sa.BigInteger)
    file_name: str = column("文件名")
    sha256: str = column("文件摘要")
    marked_file_id: int | None = column("标注文件", None, sa_type=sa.BigInteger, nullable=True)
    missing_file_id: int | None = column("未换卡人员名单", None, sa_type=sa.BigInteger, nullable=True)
    row_count: int = column("行数", 0, unit="行")
    ready_count: int = column("可以换卡", 0, unit="行")
    problem_count: int = column("不能换卡", 0, unit="行")
    skipped_count: int = column("无需换卡", 0, unit="行")
    done_count: int = column("已登记", 0, unit="行")
    missing_count: int = column("未换卡人员", 0, unit="人")
    problems: list[dict[str, Any]] = column(
        "问题", default_factory=list, sa_type=JSONB, help="最多 500 条，其余见标注文件"
    )
    prepared_at: datetime = moment("上传时间", ..., nullable=False)
    arrived_at: datetime | None = moment("到达时间")
    applied_at: datetime | None = moment("登记时间")
    prepared_by: int = column("上传人", sa_type=sa.BigInteger)

    __table_args__ = (
        sa.UniqueConstraint("division_code", "id"),
        sa.Index("ix_account_batches_status", "division_code", "status"),
        sa.Index(
            "uq_account_batches_file",
            "division_code",
            "kind",
            "sha256",
            unique=True,
            postgresql_where=sa.text("status not in ('refused', 'returned', 'withdrawn')"),
        ),
        county_check(),
    )


class AccountBatchRow(Table, table=True):
    """One row: whose account is replaced by which card, and what became of it. The new number goes once applied."""

    __tablename__ = "account_batch_rows"
    __title__: ClassVar[str] = "换卡明细"

    division_code: str = division("苏木乡镇或旗县", primary_key=True)
    batch_id: int = column("批次", sa_type=sa.BigInteger, primary_key=True)
    row_number: int = column("行号", primary_key=True)
    member_division: str = division("持有人所在苏木乡镇")
    member_id: int | None = column("持有人", None, sa_type=sa.BigInteger, nullable=True)
    account_id: int | None = column("原账户", None, sa_type=sa.BigInteger, nullable=True)
    new_account_id: int | None = column("新账户", None, sa_type=sa.BigInteger, nullable=True)
    name: str = column("姓名", "", mask="name")
    name_key: str = column("姓名比对键", "", help="规范化后的姓名，仅供比对")
    id_index: bytes | None = column("身份证盲索引", None, sa_type=BlindIndex, nullable=True)
    old_index: bytes | None = column("原账号盲索引", None, sa_type=BlindIndex, nullable=True)
    old_shown: str = column("原账号", "", help="只存脱敏后的")
    new_number: str | None = column("新卡号", None, sa_type=Sealed, nullable=True, mask="card")
    new_index: bytes | None = column("新卡号盲索引", None, sa_type=BlindIndex, nullable=True)
    new_shown: str = column("新社会保障卡号", "", help="只存脱敏后的")
    bank_name: str = column("开户银行", "")
    bank_code: str = column("联行号", "")
    outcome: CardOutcome = column("核对结果", CardOutcome.READY, sa_type=enum_type(CardOutcome))
    message: str = column("说明", "")

    __table_args__ = (
        sa.ForeignKeyConstraint(["division_code", "batch_id"], ["account_batches.division_code", "account_batches.id"]),
        sa.Index("ix_account_batch_rows_outcome", "division_code", "batch_id", "outcome"),
        sa.Index("ix_account_batch_rows_new", "new_account_id", postgresql_where=sa.text("new_account_id is not null")),
    )
