"""The yearly lists of projects: published by the region, selected by leagues and counties. （第六条、第七条第一项）"""

from datetime import datetime
from typing import ClassVar

import sqlalchemy as sa

from models.base import Labelled, RowScope, Table, column, division, enum_type, identity, moment
from models.projects import PolicyLevel


class AnnualListStatus(Labelled):
    """The life of one edition: once published it never changes; a later edition follows."""

    DRAFT = "draft", "编制中"
    SUBMITTED = "submitted", "待发布"
    PUBLISHED = "published", "已发布"
    WITHDRAWN = "withdrawn", "已撤回"


class ListChange(Labelled):
    """How an item differs from the edition before; of a year's first edition from the last year's list."""

    KEPT = "kept", "保留"
    ADDED = "added", "新增"
    DROPPED = "dropped", "移出"


class AnnualList(Table, table=True):
    """One edition of a division's list of one year: edition 1 for the year, later ones supplement it. （第六条）"""

    __tablename__ = "annual_lists"
    __row_scope__: ClassVar[RowScope] = RowScope.DOWNWARD
    __title__: ClassVar[str] = "项目清单"

    id: int | None = identity()
    division_code: str = division("地区")
    number: str = column("清单编号", unique=True)
    year: int = column("年度")
    edition: int = column("版次", help="1 为年度清单，2 起为补充清单")
    title: str = column("名称")
    status: AnnualListStatus = column("状态", AnnualListStatus.DRAFT, sa_type=enum_type(AnnualListStatus))
    version: int = column("版本", 1)
    upper_id: int | None = column(
        "上级清单", None, sa_type=sa.BigInteger, nullable=True, help="选择时依据的上级清单；自治区清单为空"
    )
    item_count: int = column("项目数", 0)
    added_count: int = column("新增", 0)
    dropped_count: int = column("移出", 0)
    note: str = column("编制说明", "")
    digest: str = column("内容摘要", "", help="发布时各项目的 SHA-256")
    arrived_at: datetime | None = moment("到达时间")
    published_at: datetime | None = moment("发布时间")

    __table_args__ = (
        sa.UniqueConstraint("division_code", "id"),
        sa.CheckConstraint("edition >= 1", name="edition"),
        sa.CheckConstraint("status <> 'published' or (digest <> '' and published_at is not null)", name="published"),
        sa.Index(
            "uq_annual_lists_edition",
            "division_code",
            "year",
            "edition",
            unique=True,
            postgresql_where=sa.text("status <> 'withdrawn'"),
        ),
        sa.Index(
            "uq_annual_lists_open",
            "division_code",
            "year",
            unique=True,
            postgresql_where=sa.text("status in ('draft', 'submitted')"),
        ),
        sa.Index("ix_annual_lists_status", "division_code", "status"),
    )


class AnnualListItem(Table, table=True):
    """One project of one edition as it stood when the edition was made. （第七条第一项）"""

    __tablename__ = "annual_list_items"
    __row_scope__: ClassVar[RowScope] = RowScope.DOWNWARD
    __title__: ClassVar[str] = "清单项目"

    id: int | None = identity()
    division_code: str = division("地区")
    list_id: int = column("清单", sa_type=sa.BigInteger)
    project_id: int = column("补贴项目", sa_type=sa.BigInteger, foreign_key="subsidy_projects.id")
    code: str = column("项目编码")
    name: str = column("项目名称")
    sector: str = column("主管领域")
    domain: str = column("领域", "")
    policy_level: PolicyLevel = column("政策级次", sa_type=enum_type(PolicyLevel, "listitemlevel"))
    project_version: int = column("项目版本")
    change: ListChange = column("变动", ListChange.KEPT, sa_type=enum_type(ListChange))
    reason: str = column("移出原因", "")

    __table_args__ = (
        sa.ForeignKeyConstraint(["division_code", "list_id"], ["annual_lists.division_code", "annual_lists.id"]),
        sa.UniqueConstraint("list_id", "project_id"),
        sa.Index("ix_annual_list_items_list_id_code", "list_id", "code"),
    )
