"""The catalogue's ground: versions of projects, extra fields on lines, tasks of finance bureaus and departments.

Revision ID: 0025
Revises: 0024
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

import models.base

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"
KINDS = (
    "publish_list", "select_list", "stale_publication", "standard_ending", "indicator_arrived", "indicator_unmapped",
    "money_at_rest", "local_rule",
)  # fmt: skip


def run(name: str) -> None:
    """Run a reviewed file as it stands: a driver call, so that neither % nor : is touched."""
    op.get_bind().connection.driver_connection.execute((SQL / f"{name}.sql").read_text())


def upgrade() -> None:
    """Make the tables and columns, then what row scope, trail and guards need."""
    empty = sa.text("'{}'")
    op.add_column(
        "subsidy_projects",
        sa.Column("project_version", sa.Integer(), server_default="1", nullable=False,
                  comment="版本：project_versions 中现行的版本号"),
    )  # fmt: skip
    op.add_column(
        "subsidy_projects",
        sa.Column("definition", postgresql.JSONB(), server_default=empty, nullable=False,
                  comment="项目定义：现行版本的内容，见 policies/definitions.py"),
    )  # fmt: skip
    op.add_column(
        "rosters",
        sa.Column("project_version", sa.Integer(), server_default="0", nullable=False,
                  comment="项目版本：造册时的项目版本，由触发器写入，此后不变"),
    )  # fmt: skip
    op.add_column(
        "roster_lines",
        sa.Column("extra", postgresql.JSONB(), server_default=empty, nullable=False,
                  comment="项目字段：项目自定的字段和值"),
    )  # fmt: skip
    op.add_column(
        "import_rows",
        sa.Column("extra", postgresql.JSONB(), server_default=empty, nullable=False, comment="项目字段"),
    )
    _project_versions()
    _catalogue_tasks()
    run("0025_catalogue")
    op.execute("select watch_changes('subsidy_projects')")
    op.execute("select watch_changes('rosters')")
    op.execute("select watch_changes('roster_lines')")


def _project_versions() -> None:
    op.create_table(
        "project_versions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="编号"),
        sa.Column("division_code", models.base.DivisionCode(), nullable=False, comment="所属区划"),
        sa.Column("project_id", sa.BigInteger(), nullable=False, comment="补贴项目"),
        sa.Column("sector", sa.Text(), nullable=False, comment="主管领域"),
        sa.Column("number", sa.Integer(), nullable=False, comment="版本号"),
        sa.Column("definition", postgresql.JSONB(), nullable=False, comment="项目定义"),
        sa.Column("digest", sa.Text(), nullable=False, comment="内容摘要：项目定义的 SHA-256"),
        sa.Column("basis", sa.Text(), nullable=False, comment="依据：申请表编号，初始版本为资料来源"),
        sa.Column("effective_on", sa.Date(), nullable=False, comment="生效日期"),
        sa.Column("made_at", postgresql.TIMESTAMP(timezone=True), nullable=False, comment="形成时间"),
        sa.ForeignKeyConstraint(["project_id"], ["subsidy_projects.id"], name=op.f("fk_project_versions_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_project_versions")),
        sa.UniqueConstraint("project_id", "number", name=op.f("uq_project_versions_project_id_number")),
    )


def _catalogue_tasks() -> None:
    op.create_table(
        "catalogue_tasks",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="编号"),
        sa.Column("division_code", models.base.DivisionCode(), nullable=False, comment="办理地"),
        sa.Column("number", sa.Text(), nullable=False, comment="待办编号"),
        sa.Column(
            "kind", sa.Enum(*KINDS, name="cataloguetaskkind", native_enum=False, create_constraint=True, length=40),
            nullable=False, comment="事项",
        ),
        sa.Column("sector", sa.Text(), server_default="", nullable=False, comment="主管领域：财政待办为空"),
        sa.Column(
            "status",
            sa.Enum("finance", "department", "settled", "gone", name="cataloguetaskstatus", native_enum=False,
                    create_constraint=True, length=40),
            nullable=False, comment="状态",
        ),
        sa.Column("version", sa.Integer(), nullable=False, comment="版本"),
        sa.Column("subject", sa.Text(), nullable=False,
                  comment="对象：annual_list、subsidy_project、budget_indicator、publication、local_rule 等"),
        sa.Column("subject_id", sa.BigInteger(), nullable=False, comment="对象编号"),
        sa.Column("detail", sa.Text(), nullable=False, comment="说明"),
        sa.Column("found_on", sa.Date(), nullable=False, comment="提出日期"),
        sa.Column("due_on", sa.Date(), nullable=True, comment="办理期限"),
        sa.Column("days_left", sa.Integer(), nullable=True, comment="剩余工作日"),
        sa.Column("arrived_at", postgresql.TIMESTAMP(timezone=True), nullable=True, comment="到达时间"),
        sa.Column("note", sa.Text(), server_default="", nullable=False, comment="处理说明"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_catalogue_tasks")),
        sa.UniqueConstraint("number", name=op.f("uq_catalogue_tasks_number")),
    )  # fmt: skip
    op.create_index(
        "uq_catalogue_tasks_open", "catalogue_tasks", ["division_code", "kind", "sector", "subject", "subject_id"],
        unique=True, postgresql_where=sa.text("status in ('finance', 'department')"),
    )  # fmt: skip
    op.create_index("ix_catalogue_tasks_status", "catalogue_tasks", ["division_code", "status"])


def downgrade() -> None:
    """Take all of it away again."""
    run("0025_catalogue_down")
    op.drop_table("catalogue_tasks")
    op.drop_table("project_versions")
    op.drop_column("import_rows", "extra")
    op.drop_column("roster_lines", "extra")
    op.drop_column("rosters", "project_version")
    op.drop_column("subsidy_projects", "definition")
    op.drop_column("subsidy_projects", "project_version")
    op.execute("select watch_changes('subsidy_projects')")
    op.execute("select watch_changes('rosters')")
    op.execute("select watch_changes('roster_lines')")
