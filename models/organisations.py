"""Organisations that take part: finance bureaus, competent departments, townships, administrations. （第四条）"""

from datetime import date
from typing import ClassVar

import sqlalchemy as sa

from models.base import Labelled, RowScope, Table, column, division, enum_type, identity
from models.divisions import Level


class OrganisationKind(Labelled):
    """The part an organisation plays (第三十一至三十四条)."""

    TOWNSHIP = "township", "苏木乡镇（街道）"
    DEPARTMENT = "department", "补贴项目主管部门"
    FINANCE = "finance", "财政部门"
    BANK = "bank", "代理金融机构"
    PLATFORM = "platform", "平台管理机构"


class Organisation(Table, table=True):
    """One organisation at one division."""

    __tablename__ = "organisations"
    __row_scope__: ClassVar[RowScope] = RowScope.DOWNWARD
    __title__: ClassVar[str] = "机构"

    id: int | None = identity()
    division_code: str = division()
    name: str = column("机构名称")
    kind: OrganisationKind = column("机构类别", sa_type=enum_type(OrganisationKind))
    level: Level = column("级别", sa_type=enum_type(Level))
    sector: str = column("主管领域", "", help="主管部门所管的领域，如 农牧、民政")
    bank_id: int | None = column(
        "代理银行",
        None,
        sa_type=sa.BigInteger,
        nullable=True,
        foreign_key="agent_banks.id",
        help="代理金融机构所属银行",
    )
    telephone: str = column("联系电话", "", help="第二十六条：办理业务时应明确联系电话")
    closed_on: date | None = column("撤销日期", None, nullable=True, help="空为在用")

    __table_args__ = (
        sa.CheckConstraint("kind <> 'department' or sector <> ''", name="department_sector"),
        sa.Index(
            "uq_organisations_one_of_a_kind",
            "division_code",
            "kind",
            "sector",
            "bank_id",
            unique=True,
            postgresql_nulls_not_distinct=True,
            postgresql_where=sa.text("closed_on is null"),
        ),
    )
