"""Roster imports: the file, what was found in it, and the staged rows until they are applied (DESIGN D14)."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from models.base import Labelled, Table, column, county_check, division, enum_type, fen, identity, moment
from models.crypto import BlindIndex, Sealed


class ImportStatus(Labelled):
    """Nothing is half-imported: a file is refused whole or applied whole."""

    RECEIVED = "received", "已上传"
    REFUSED = "refused", "有问题未导入"
    APPLIED = "applied", "已导入"
    CANCELLED = "cancelled", "已取消"


class RosterImport(Table, table=True):
    """One uploaded roster workbook."""

    __tablename__ = "roster_imports"
    __title__: ClassVar[str] = "清册导入"

    id: int | None = identity()
    division_code: str = division("苏木乡镇")
    county_code: str = division("旗县")
    project_id: int = column("补贴项目", sa_type=sa.BigInteger, foreign_key="subsidy_projects.id")
    sector: str = column("主管领域", help="随补贴项目；主管部门和分管人员只见本领域")
    period: str = column("补贴所属期")
    period_start: date = column("所属期起")
    period_end: date = column("所属期止")
    file_id: int = column("文件", sa_type=sa.BigInteger)
    file_name: str = column("文件名")
    sha256: str = column("文件摘要")
    status: ImportStatus = column("状态", ImportStatus.RECEIVED, sa_type=enum_type(ImportStatus))
    row_count: int = column("行数", 0)
    amount_fen: int = fen("金额", 0)
    problem_count: int = column("问题数", 0)
    note_count: int = column("提示数", 0)
    problems: list[dict[str, Any]] = column(
        "问题", default_factory=list, sa_type=JSONB, help="最多 500 条，其余见标注文件"
    )
    marked_file_id: int | None = column("标注文件", None, sa_type=sa.BigInteger, nullable=True)
    roster_id: int | None = column("清册", None, sa_type=sa.BigInteger, nullable=True)
    received_at: datetime = moment("上传时间", ..., nullable=False)
    received_by: int = column("上传人", sa_type=sa.BigInteger)

    __table_args__ = (
        sa.Index(
            "uq_roster_imports_applied_file",
            "division_code",
            "project_id",
            "period",
            "sha256",
            unique=True,
            postgresql_where=sa.text("status = 'applied'"),
        ),
        sa.UniqueConstraint("division_code", "id"),
        county_check(),
    )


class ImportRow(Table, table=True):
    """One staged row of a roster workbook, encrypted, purged once applied."""

    __tablename__ = "import_rows"
    __title__: ClassVar[str] = "导入暂存"

    division_code: str = division("苏木乡镇", primary_key=True)
    import_id: int = column("导入", sa_type=sa.BigInteger, primary_key=True)
    row_number: int = column("行号", primary_key=True)
    village: str = column("嘎查村", "")
    group_name: str = column("小组", "")
    head_name: str = column("户主", "")
    name: str = column("享受人")
    name_key: str = column("姓名比对键")
    id_number: str = column("身份证号", sa_type=Sealed)
    id_index: bytes = column("身份证盲索引", sa_type=BlindIndex)
    payee_name: str = column("收款人", "")
    account_number: str | None = column("账号", None, sa_type=Sealed, nullable=True)
    account_index: bytes | None = column("账号盲索引", None, sa_type=BlindIndex, nullable=True)
    bank_name: str = column("开户银行", "")
    quantity: Decimal = column("数量", sa_type=sa.Numeric(14, 3))
    standard: Decimal = column("标准", sa_type=sa.Numeric(14, 4))
    amount_fen: int = fen("金额")
    component: str = column("构成", "")
    note: str = column("备注", "")
    extra: dict[str, Any] = column("项目字段", default_factory=dict, sa_type=JSONB, server_default=sa.text("'{}'"))

    __table_args__ = (
        sa.ForeignKeyConstraint(["division_code", "import_id"], ["roster_imports.division_code", "roster_imports.id"]),
    )
