"""Departments' own systems at the register: batches they push, what they read back. （第十四条第二项、第二十九条）"""

from datetime import date, datetime
from typing import ClassVar

import sqlalchemy as sa

from models.base import RowScope, Table, column, county_check, division, fen, identity, moment


class ApplicationAgreement(Table, table=True):
    """What is agreed with a body beside its key: of which sector it may push, and what its approval counts for."""

    __tablename__ = "application_agreements"
    __row_scope__: ClassVar[RowScope] = RowScope.REFERENCE
    __title__: ClassVar[str] = "协同约定"

    body_id: int = column("部门", sa_type=sa.BigInteger, primary_key=True, foreign_key="exchange_bodies.id")
    line: str = column("主管领域", help="只接收本领域项目的申请和审批结果")
    examination_counts: bool = column(
        "审批视同初审", False, server_default=sa.false(), help="部门系统的批准视同主管部门初审；审批和公示不省略"
    )
    document: str = column("约定文件", "", server_default="")
    agreed_at: datetime | None = moment("约定时间")


class ApplicationBatch(Table, table=True):
    """One batch as received: its counts, nobody's data; the same number and content change nothing again."""

    __tablename__ = "application_batches"
    __title__: ClassVar[str] = "协同批次"

    id: int | None = identity()
    division_code: str = division()
    sector: str = column("主管领域")
    body: str = column("部门代码")
    number: int = column("批次号", sa_type=sa.BigInteger)
    receipt: str = column("回执号", unique=True)
    digest: str = column("内容摘要", help="SHA-256，同号同内容返回同一回执")
    row_count: int = column("行数", unit="行")
    created_count: int = column("新受理", unit="行")
    decided_count: int = column("审批结果", unit="行")
    unchanged_count: int = column("无变化", unit="行")
    received_at: datetime = moment("接收时间", ..., nullable=False)

    __table_args__ = (sa.UniqueConstraint("body", "number"),)


class ApplicationResult(Table, table=True):
    """What a department's system reads back of one application: a new state, or what was paid. （第二十九条）"""

    __tablename__ = "application_results"
    __title__: ClassVar[str] = "协同反馈"

    id: int | None = identity()
    transaction: int | None = column(
        "事务", None, sa_type=sa.BigInteger, server_default=sa.text("(pg_current_xact_id()::text)::bigint"),
        help="按提交先后读取，不漏并行事务写入的行",
    )  # fmt: skip
    division_code: str = division("苏木乡镇")
    county_code: str = division("旗县")
    sector: str = column("主管领域")
    body: str = column("部门代码")
    application_id: int = column("申请", sa_type=sa.BigInteger)
    kind: str = column("类别", help="state 状态，payment 发放结果")
    state: str = column("状态")
    reason: str = column("原因", "", server_default="")
    period: str = column("补贴所属期", "", server_default="")
    amount_fen: int | None = fen("金额", None, nullable=True)
    paid_on: date | None = column("到账日期", None, nullable=True)
    failure_class: str = column("失败类别", "", server_default="")
    disbursement_id: int | None = column("发放明细", None, sa_type=sa.BigInteger, nullable=True)
    told_at: datetime = moment("形成时间", ..., nullable=False)

    __table_args__ = (
        sa.ForeignKeyConstraint(["division_code", "application_id"], ["applications.division_code", "applications.id"]),
        sa.Index("ix_application_results_body", "body", "transaction", "id"),
        sa.Index("ix_application_results_application", "division_code", "application_id"),
        sa.Index(
            "uq_application_results_payment", "county_code", "disbursement_id", "state", unique=True,
            postgresql_where=sa.text("disbursement_id is not null"),
        ),
        county_check(),
    )  # fmt: skip
