"""What is published: lists by finance, policies and standards by the department of their level. （第八、九条）"""

from datetime import date, datetime
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from models.base import Labelled, RowScope, Table, column, division, enum_type, identity, moment


class PublicationKind(Labelled):
    """What is told to the public. （第八条）"""

    LIST = "list", "补贴项目清单"
    POLICY = "policy", "补贴政策"
    STANDARD = "standard", "补贴标准"


class PublicationStatus(Labelled):
    """The life of a publication, at the desks of finance or of the department; its content is frozen when submitted."""

    FINANCE_DRAFT = "finance_draft", "财政拟稿"
    FINANCE_READY = "finance_ready", "待财政发布"
    FINANCE_SHOWN = "finance_shown", "财政公开中"
    DEPARTMENT_DRAFT = "department_draft", "部门拟稿"
    DEPARTMENT_READY = "department_ready", "待部门发布"
    DEPARTMENT_SHOWN = "department_shown", "部门公开中"
    REPLACED = "replaced", "已替换"
    WITHDRAWN = "withdrawn", "已撤下"
    DISCARDED = "discarded", "已作废"


SHOWN = (PublicationStatus.FINANCE_SHOWN, PublicationStatus.DEPARTMENT_SHOWN)
"""What the public reads."""


class Publication(Table, table=True):
    """One text that a division's finance bureau or department publishes, frozen with its digest. （第八、二十六条）"""

    __tablename__ = "publications"
    __row_scope__: ClassVar[RowScope] = RowScope.DOWNWARD
    __title__: ClassVar[str] = "公开内容"

    id: int | None = identity()
    division_code: str = division("公开地区")
    number: str = column("公开编号", unique=True)
    kind: PublicationKind = column("类别", sa_type=enum_type(PublicationKind))
    title: str = column("标题")
    sector: str = column("主管领域", "", help="财政部门公开的清单为空")
    project_id: int | None = column(
        "补贴项目", None, sa_type=sa.BigInteger, nullable=True, foreign_key="subsidy_projects.id"
    )
    list_id: int | None = column("项目清单", None, sa_type=sa.BigInteger, nullable=True)
    year: int = column("年度", 0, help="清单的年度，其他为 0")
    source_version: int = column("来源版本", 1, help="项目版本或清单版次")
    status: PublicationStatus = column("状态", sa_type=enum_type(PublicationStatus))
    version: int = column("版本", 1)
    content: dict[str, Any] = column("公开内容", sa_type=JSONB)
    digest: str = column("内容摘要", help="公开内容的 SHA-256")
    contact: str = column("联系人", help="第二十六条：发布补贴政策应明确联系人、联系电话")
    telephone: str = column("联系电话")
    arrived_at: datetime | None = moment("到达时间")
    published_on: date | None = column("公开日期", None, nullable=True)
    ended_on: date | None = column("停止公开日期", None, nullable=True)
    ended_for: str = column("撤下原因", "")
    replaces_id: int | None = column("替换", None, sa_type=sa.BigInteger, nullable=True, help="被本内容替换的公开内容")

    __table_args__ = (
        sa.UniqueConstraint("division_code", "id"),
        sa.ForeignKeyConstraint(["division_code", "list_id"], ["annual_lists.division_code", "annual_lists.id"]),
        sa.ForeignKeyConstraint(["division_code", "replaces_id"], ["publications.division_code", "publications.id"]),
        sa.CheckConstraint("contact <> '' and telephone <> ''", name="contact"),
        sa.CheckConstraint(
            "(kind = 'list') = (list_id is not null) and (kind = 'list') = (project_id is null)"
            " and (kind = 'list') = (sector = '')",
            name="subject",
        ),
        sa.Index(
            "uq_publications_shown",
            "division_code",
            "kind",
            "project_id",
            "year",
            unique=True,
            postgresql_nulls_not_distinct=True,
            postgresql_where=sa.text("status in ('finance_shown', 'department_shown')"),
        ),
        sa.Index(
            "uq_publications_open",
            "division_code",
            "kind",
            "project_id",
            "year",
            unique=True,
            postgresql_nulls_not_distinct=True,
            postgresql_where=sa.text(
                "status in ('finance_draft', 'finance_ready', 'department_draft', 'department_ready')"
            ),
        ),
        sa.Index("ix_publications_project_id", "project_id"),
        sa.Index("ix_publications_status", "division_code", "status"),
    )
