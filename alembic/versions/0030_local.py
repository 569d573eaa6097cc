"""Local rules, standards and the calendar (第八、十五、三十六条).

Revision ID: 0030
Revises: 0029
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

import models.base

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"
MOMENT = postgresql.TIMESTAMP(timezone=True)


def run(name: str) -> None:
    """Run a reviewed file as it stands: a driver call, so that neither % nor : is touched."""
    op.get_bind().connection.driver_connection.execute((SQL / f"{name}.sql").read_text())


def _words(*values: str, name: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=40)


def _identity() -> sa.Column:
    return sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="编号")


def upgrade() -> None:
    """Make the tables and columns, then what row scope, trail and guards need."""
    _standards()
    _local_rules()
    _calendar()
    run("0030_local")
    op.execute("select watch_changes('project_standards')")


def _columns() -> tuple[sa.Column, ...]:
    """Return what a standard has beside its amount and validity."""
    return (
        sa.Column("grade", sa.Text(), server_default="", nullable=False, comment="档次：A 类、B 类等；不分档的为空"),
        sa.Column("status", sa.String(40), server_default="in_force", nullable=False, comment="状态"),
        sa.Column("basis", sa.Text(), server_default="", nullable=False, comment="依据：申请表编号，或拟定时的说明"),
        sa.Column("sector", sa.Text(), server_default="", nullable=False, comment="主管领域：由数据库按项目填写"),
        sa.Column("project_name", sa.Text(), server_default="", nullable=False,
                  comment="补贴项目名称：由数据库按项目填写"),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False, comment="版本"),
        sa.Column("arrived_at", MOMENT, nullable=True, comment="到达时间"),
    )  # fmt: skip


def _standards() -> None:
    for one in _columns():
        op.add_column("project_standards", one)
    op.create_check_constraint(
        op.f("ck_project_standards_standardstatus"), "project_standards",
        "status in ('proposed', 'in_force', 'ended', 'discarded')",
    )  # fmt: skip
    op.create_index("ix_project_standards_status", "project_standards", ["division_code", "status"])


def _local_rules() -> None:
    op.create_table(
        "local_rules",
        _identity(),
        sa.Column("division_code", models.base.DivisionCode(), nullable=False, comment="适用地区"),
        sa.Column("number", sa.Text(), nullable=False, comment="细则编号"),
        sa.Column("parameter", sa.Text(), nullable=False, comment="参数：policies/limits.py 中的代码"),
        sa.Column("title", sa.Text(), nullable=False, comment="事项：参数名称，拟定时从目录抄录"),
        sa.Column("value", sa.Integer(), nullable=False, comment="本地数值"),
        sa.Column("unit", sa.Text(), nullable=False, comment="单位"),
        sa.Column("law_value", sa.Integer(), nullable=False, comment="办法规定：拟定时办法或平台的数值"),
        sa.Column("valid_from", sa.Date(), nullable=False, comment="执行起"),
        sa.Column("valid_to", sa.Date(), nullable=True, comment="执行止"),
        sa.Column("document_number", sa.Text(), nullable=False, comment="文件文号"),
        sa.Column("document_title", sa.Text(), nullable=False, comment="文件名称"),
        sa.Column("file_id", sa.BigInteger(), nullable=True, comment="文件"),
        sa.Column(
            "status",
            _words("proposed", "settled", "filed", "ended", "discarded", name="localrulestatus"),
            nullable=False, comment="状态",
        ),
        sa.Column("version", sa.Integer(), nullable=False, comment="版本"),
        sa.Column("arrived_at", MOMENT, nullable=True, comment="到达时间"),
        sa.Column("filed_on", sa.Date(), nullable=True, comment="备案日期"),
        sa.Column("ended_for", sa.Text(), server_default="", nullable=False, comment="停止原因"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_local_rules")),
        sa.UniqueConstraint("number", name=op.f("uq_local_rules_number")),
        sa.UniqueConstraint("division_code", "id", name=op.f("uq_local_rules_division_code_id")),
        sa.CheckConstraint("valid_to is null or valid_to >= valid_from", name=op.f("ck_local_rules_validity")),
        sa.CheckConstraint("document_number <> '' and document_title <> ''", name=op.f("ck_local_rules_document")),
        sa.CheckConstraint("value between 1 and 366", name=op.f("ck_local_rules_value")),
    )  # fmt: skip
    op.create_index("ix_local_rules_parameter", "local_rules", ["division_code", "parameter"])
    op.create_index("ix_local_rules_status", "local_rules", ["division_code", "status"])


def _calendar() -> None:
    op.create_table(
        "calendar_versions",
        _identity(),
        sa.Column("division_code", models.base.DivisionCode(), nullable=False, comment="导入地"),
        sa.Column("number", sa.Text(), nullable=False, comment="安排编号"),
        sa.Column("year", sa.Integer(), nullable=False, comment="年度"),
        sa.Column("document", sa.Text(), nullable=False, comment="文件文号：国务院办公厅关于节假日安排的通知"),
        sa.Column(
            "status", _words("imported", "enabled", "applied", "discarded", name="calendarstatus"), nullable=False,
            comment="状态",
        ),
        sa.Column("version", sa.Integer(), nullable=False, comment="版本"),
        sa.Column("listed_count", sa.Integer(), nullable=False, comment="文件所列天数"),
        sa.Column("changed_count", sa.Integer(), nullable=False, comment="与原日历不同的天数"),
        sa.Column("moved_count", sa.Integer(), nullable=False, comment="重算的办理期限：生效时改动的未办结事项数"),
        sa.Column("arrived_at", MOMENT, nullable=True, comment="到达时间"),
        sa.Column("applied_at", MOMENT, nullable=True, comment="生效时间"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendar_versions")),
        sa.UniqueConstraint("number", name=op.f("uq_calendar_versions_number")),
        sa.UniqueConstraint("division_code", "id", name=op.f("uq_calendar_versions_division_code_id")),
    )  # fmt: skip
    op.create_table(
        "calendar_version_days",
        _identity(),
        sa.Column("division_code", models.base.DivisionCode(), nullable=False, comment="导入地"),
        sa.Column("version_id", sa.BigInteger(), nullable=False, comment="放假安排"),
        sa.Column("day", sa.Date(), nullable=False, comment="日期"),
        sa.Column("working", sa.Boolean(), nullable=False, comment="上班"),
        sa.Column("note", sa.Text(), nullable=False, comment="说明"),
        sa.Column("was_working", sa.Boolean(), nullable=True, comment="原日历上班：原日历没有这一天的为空"),
        sa.ForeignKeyConstraint(
            ["division_code", "version_id"], ["calendar_versions.division_code", "calendar_versions.id"],
            name=op.f("fk_calendar_version_days_division_code_version_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendar_version_days")),
        sa.UniqueConstraint("version_id", "day", name=op.f("uq_calendar_version_days_version_id_day")),
    )  # fmt: skip


def downgrade() -> None:
    """Take all of it away again."""
    run("0030_local_down")
    op.drop_table("calendar_version_days")
    op.drop_table("calendar_versions")
    op.drop_table("local_rules")
    op.drop_index("ix_project_standards_status", "project_standards")
    op.drop_constraint(op.f("ck_project_standards_standardstatus"), "project_standards")
    for one in reversed(_columns()):
        op.drop_column("project_standards", one.name)
    op.execute("select watch_changes('project_standards')")
