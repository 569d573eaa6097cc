"""Annual lists and publications (第六、八条).

Revision ID: 0027
Revises: 0026
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

import models.base

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"
MOMENT = postgresql.TIMESTAMP(timezone=True)
PUBLICATION = (
    "finance_draft", "finance_ready", "finance_shown", "department_draft", "department_ready", "department_shown",
    "replaced", "withdrawn", "discarded",
)  # fmt: skip


def run(name: str) -> None:
    """Run a reviewed file as it stands: a driver call, so that neither % nor : is touched."""
    op.get_bind().connection.driver_connection.execute((SQL / f"{name}.sql").read_text())


def _words(*values: str, name: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=40)


def _identity() -> sa.Column:
    return sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="编号")


def upgrade() -> None:
    """Make the tables, then what row scope, trail and guards need."""
    _annual_lists()
    _annual_list_items()
    _publications()
    run("0027_lists")


def _annual_lists() -> None:
    op.create_table(
        "annual_lists",
        _identity(),
        sa.Column("division_code", models.base.DivisionCode(), nullable=False, comment="地区"),
        sa.Column("number", sa.Text(), nullable=False, comment="清单编号"),
        sa.Column("year", sa.Integer(), nullable=False, comment="年度"),
        sa.Column("edition", sa.Integer(), nullable=False, comment="版次：1 为年度清单，2 起为补充清单"),
        sa.Column("title", sa.Text(), nullable=False, comment="名称"),
        sa.Column(
            "status", _words("draft", "submitted", "published", "withdrawn", name="annualliststatus"), nullable=False,
            comment="状态",
        ),
        sa.Column("version", sa.Integer(), nullable=False, comment="版本"),
        sa.Column("upper_id", sa.BigInteger(), nullable=True, comment="上级清单：选择时依据的上级清单；自治区清单为空"),
        sa.Column("item_count", sa.Integer(), nullable=False, comment="项目数"),
        sa.Column("added_count", sa.Integer(), nullable=False, comment="新增"),
        sa.Column("dropped_count", sa.Integer(), nullable=False, comment="移出"),
        sa.Column("note", sa.Text(), nullable=False, comment="编制说明"),
        sa.Column("digest", sa.Text(), nullable=False, comment="内容摘要：发布时各项目的 SHA-256"),
        sa.Column("arrived_at", MOMENT, nullable=True, comment="到达时间"),
        sa.Column("published_at", MOMENT, nullable=True, comment="发布时间"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_annual_lists")),
        sa.UniqueConstraint("number", name=op.f("uq_annual_lists_number")),
        sa.UniqueConstraint("division_code", "id", name=op.f("uq_annual_lists_division_code_id")),
        sa.CheckConstraint("edition >= 1", name=op.f("ck_annual_lists_edition")),
        sa.CheckConstraint(
            "status <> 'published' or (digest <> '' and published_at is not null)",
            name=op.f("ck_annual_lists_published"),
        ),
    )  # fmt: skip
    op.create_index(
        "uq_annual_lists_edition", "annual_lists", ["division_code", "year", "edition"], unique=True,
        postgresql_where=sa.text("status <> 'withdrawn'"),
    )  # fmt: skip
    op.create_index(
        "uq_annual_lists_open", "annual_lists", ["division_code", "year"], unique=True,
        postgresql_where=sa.text("status in ('draft', 'submitted')"),
    )  # fmt: skip
    op.create_index("ix_annual_lists_status", "annual_lists", ["division_code", "status"])


def _annual_list_items() -> None:
    op.create_table(
        "annual_list_items",
        _identity(),
        sa.Column("division_code", models.base.DivisionCode(), nullable=False, comment="地区"),
        sa.Column("list_id", sa.BigInteger(), nullable=False, comment="清单"),
        sa.Column("project_id", sa.BigInteger(), nullable=False, comment="补贴项目"),
        sa.Column("code", sa.Text(), nullable=False, comment="项目编码"),
        sa.Column("name", sa.Text(), nullable=False, comment="项目名称"),
        sa.Column("sector", sa.Text(), nullable=False, comment="主管领域"),
        sa.Column("domain", sa.Text(), nullable=False, comment="领域"),
        sa.Column(
            "policy_level", _words("central", "region", "league", "county", name="listitemlevel"), nullable=False,
            comment="政策级次",
        ),
        sa.Column("project_version", sa.Integer(), nullable=False, comment="项目版本"),
        sa.Column("change", _words("kept", "added", "dropped", name="listchange"), nullable=False, comment="变动"),
        sa.Column("reason", sa.Text(), nullable=False, comment="移出原因"),
        sa.ForeignKeyConstraint(
            ["division_code", "list_id"], ["annual_lists.division_code", "annual_lists.id"],
            name=op.f("fk_annual_list_items_division_code_list_id"),
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["subsidy_projects.id"], name=op.f("fk_annual_list_items_project_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_annual_list_items")),
        sa.UniqueConstraint("list_id", "project_id", name=op.f("uq_annual_list_items_list_id_project_id")),
    )  # fmt: skip
    op.create_index("ix_annual_list_items_list_id_code", "annual_list_items", ["list_id", "code"])


def _publications() -> None:
    op.create_table(
        "publications",
        _identity(),
        sa.Column("division_code", models.base.DivisionCode(), nullable=False, comment="公开地区"),
        sa.Column("number", sa.Text(), nullable=False, comment="公开编号"),
        sa.Column("kind", _words("list", "policy", "standard", name="publicationkind"), nullable=False, comment="类别"),
        sa.Column("title", sa.Text(), nullable=False, comment="标题"),
        sa.Column("sector", sa.Text(), nullable=False, comment="主管领域：财政部门公开的清单为空"),
        sa.Column("project_id", sa.BigInteger(), nullable=True, comment="补贴项目"),
        sa.Column("list_id", sa.BigInteger(), nullable=True, comment="项目清单"),
        sa.Column("year", sa.Integer(), nullable=False, comment="年度：清单的年度，其他为 0"),
        sa.Column("source_version", sa.Integer(), nullable=False, comment="来源版本：项目版本或清单版次"),
        sa.Column("status", _words(*PUBLICATION, name="publicationstatus"), nullable=False, comment="状态"),
        sa.Column("version", sa.Integer(), nullable=False, comment="版本"),
        sa.Column("content", postgresql.JSONB(), nullable=False, comment="公开内容"),
        sa.Column("digest", sa.Text(), nullable=False, comment="内容摘要：公开内容的 SHA-256"),
        sa.Column(
            "contact", sa.Text(), nullable=False, comment="联系人：第二十六条：发布补贴政策应明确联系人、联系电话"
        ),
        sa.Column("telephone", sa.Text(), nullable=False, comment="联系电话"),
        sa.Column("arrived_at", MOMENT, nullable=True, comment="到达时间"),
        sa.Column("published_on", sa.Date(), nullable=True, comment="公开日期"),
        sa.Column("ended_on", sa.Date(), nullable=True, comment="停止公开日期"),
        sa.Column("ended_for", sa.Text(), nullable=False, comment="撤下原因"),
        sa.Column("replaces_id", sa.BigInteger(), nullable=True, comment="替换：被本内容替换的公开内容"),
        sa.ForeignKeyConstraint(["project_id"], ["subsidy_projects.id"], name=op.f("fk_publications_project_id")),
        sa.ForeignKeyConstraint(
            ["division_code", "list_id"], ["annual_lists.division_code", "annual_lists.id"],
            name=op.f("fk_publications_division_code_list_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_publications")),
        sa.UniqueConstraint("number", name=op.f("uq_publications_number")),
        sa.UniqueConstraint("division_code", "id", name=op.f("uq_publications_division_code_id")),
        sa.CheckConstraint("contact <> '' and telephone <> ''", name=op.f("ck_publications_contact")),
        sa.CheckConstraint(
            "(kind = 'list') = (list_id is not null) and (kind = 'list') = (project_id is null)"
            " and (kind = 'list') = (sector = '')",
            name=op.f("ck_publications_subject"),
        ),
    )  # fmt: skip
    op.create_foreign_key(
        op.f("fk_publications_division_code_replaces_id"), "publications", "publications",
        ["division_code", "replaces_id"], ["division_code", "id"],
    )  # fmt: skip
    for name, statuses in (
        ("shown", "'finance_shown', 'department_shown'"),
        ("open", "'finance_draft', 'finance_ready', 'department_draft', 'department_ready'"),
    ):
        op.create_index(
            f"uq_publications_{name}", "publications", ["division_code", "kind", "project_id", "year"], unique=True,
            postgresql_nulls_not_distinct=True, postgresql_where=sa.text(f"status in ({statuses})"),
        )  # fmt: skip
    op.create_index("ix_publications_project_id", "publications", ["project_id"])
    op.create_index("ix_publications_status", "publications", ["division_code", "status"])


def downgrade() -> None:
    """Take all of it away again."""
    run("0027_lists_down")
    op.drop_table("publications")
    op.drop_table("annual_list_items")
    op.drop_table("annual_lists")
