"""What an agent bank tells by its own desk: verifications, results, notices. （第十二、二十、二十一、三十四条）"""

from datetime import date, datetime
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from models.base import Labelled, Table, column, division, enum_type, fen, identity, moment


class ReplyKind(Labelled):
    """What the bank tells."""

    ANSWERS = "answers", "账户验证答复"
    RESULTS = "results", "发放结果"
    NOTICES = "notices", "不动户、销户通知"


class ReplySource(Labelled):
    """How it reached us."""

    HAND = "hand", "手工录入"
    WORKBOOK = "workbook", "工作簿"
    MESSAGE = "message", "回盘报文"


class ReplyStatus(Labelled):
    """Prepared by one person of the bank, confirmed by another, applied by a job; or refused, or withdrawn."""

    RECEIVED = "received", "核对中"
    PREPARED = "prepared", "待复核"
    CONFIRMED = "confirmed", "已复核待登记"
    APPLIED = "applied", "已登记"
    WITHDRAWN = "withdrawn", "已撤回"
    REFUSED = "refused", "已退回"


class RowOutcome(Labelled):
    """What became of one row of a reply."""

    WAITING = "waiting", "待登记"
    DONE = "done", "已登记"
    SKIPPED = "skipped", "无需登记"
    EXCEPTION = "exception", "转异常处理"


class BankReply(Table, table=True):
    """One reply of an agent bank, by hand or as a file."""

    __tablename__ = "bank_replies"
    __title__: ClassVar[str] = "银行回复"

    id: int | None = identity()
    division_code: str = division("机构所在地")
    bank_id: int = column("代理银行", sa_type=sa.BigInteger, foreign_key="agent_banks.id", index=True)
    number: str = column("回复编号", unique=True)
    kind: ReplyKind = column("回复内容", sa_type=enum_type(ReplyKind))
    source: ReplySource = column("来源", sa_type=enum_type(ReplySource))
    status: ReplyStatus = column("状态", ReplyStatus.PREPARED, sa_type=enum_type(ReplyStatus))
    version: int = column("版本", 1)
    subject: str = column("说明", "", help="哪个批次、哪个文件")
    batch_id: int | None = column("代发批次", None, sa_type=sa.BigInteger, nullable=True)
    file_id: int | None = column("回复文件", None, sa_type=sa.BigInteger, nullable=True)
    file_name: str = column("文件名", "")
    sha256: str = column("文件摘要", "")
    marked_file_id: int | None = column("标注文件", None, sa_type=sa.BigInteger, nullable=True)
    row_count: int = column("行数", 0, unit="行")
    amount_fen: int = fen("金额", 0)
    rest_outcome: str = column("整批结论", "", help="paid 其余全部成功，failed 其余全部失败，空为只按明细")
    rest_code: str = column("整批原因代码", "")
    rest_text: str = column("整批原因", "")
    problem_count: int = column("问题数", 0)
    note_count: int = column("提示数", 0)
    problems: list[dict[str, Any]] = column(
        "问题", default_factory=list, sa_type=JSONB, help="最多 500 条，其余见标注文件"
    )
    done_count: int = column("已登记", 0, unit="行")
    skipped_count: int = column("无需登记", 0, unit="行")
    exception_count: int = column("转异常处理", 0, unit="行")
    prepared_at: datetime = moment("录入时间", ..., nullable=False)
    arrived_at: datetime = moment("到达时间", ..., nullable=False)
    applied_at: datetime | None = moment("登记时间")
    prepared_by: int = column("录入人", sa_type=sa.BigInteger)

    __table_args__ = (
        sa.UniqueConstraint("division_code", "id"),
        sa.Index(
            "uq_bank_replies_file",
            "bank_id",
            "kind",
            "sha256",
            unique=True,
            postgresql_where=sa.text("sha256 <> '' and status in ('received', 'prepared', 'confirmed', 'applied')"),
        ),
    )


class BankReplyRow(Table, table=True):
    """One row of a reply: an account or a payment, and what became of it. No number in full stays."""

    __tablename__ = "bank_reply_rows"
    __title__: ClassVar[str] = "银行回复明细"

    division_code: str = division("机构所在地", primary_key=True)
    reply_id: int = column("银行回复", sa_type=sa.BigInteger, primary_key=True)
    row_number: int = column("行号", primary_key=True)
    bank_id: int = column("代理银行", sa_type=sa.BigInteger)
    reference: str = column("账号或支付标识", "", help="账号只存脱敏后的")
    account_id: int | None = column("账户", None, sa_type=sa.BigInteger, nullable=True)
    amount_fen: int | None = fen("金额", None, nullable=True)
    state: str = column("银行答复", help="验证结果、发放结果或账户状态")
    is_card: bool | None = column("社会保障卡", None, nullable=True)
    settled_on: date | None = column("结果日期", None, nullable=True)
    code: str = column("原因代码", "")
    words: str = column("银行说明", "")
    outcome: RowOutcome = column("登记结果", RowOutcome.WAITING, sa_type=enum_type(RowOutcome))
    message: str = column("结果说明", "")

    __table_args__ = (
        sa.ForeignKeyConstraint(["division_code", "reply_id"], ["bank_replies.division_code", "bank_replies.id"]),
        sa.Index("ix_bank_reply_rows_reply", "reply_id", "row_number"),
    )
