"""Flows as data (第二十四条): versions of flows, the flow a roster keeps, and the sub-steps taken at it.

Revision ID: 0029
Revises: 0028
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

import models.base

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"
MOMENT = postgresql.TIMESTAMP(timezone=True)
STATUSES = ("draft", "proposed", "in_force", "superseded", "ended", "discarded")
KINDS = ("sign_off", "spot_check", "countersign")


def run(name: str) -> None:
    """Run a reviewed file as it stands: a driver call, so that neither % nor : is touched."""
    op.get_bind().connection.driver_connection.execute((SQL / f"{name}.sql").read_text())


def upgrade() -> None:
    """Make the tables and the roster's columns, then what row scope, trail and guards need."""
    _project_flows()
    _roster_substeps()
    op.add_column(
        "rosters",
        sa.Column("flow_id", sa.BigInteger(), nullable=True,
                  comment="办理流程：造册时项目所选流程的版本，由触发器写入，此后不变；空为法定流程"),
    )  # fmt: skip
    op.add_column(
        "rosters", sa.Column("substep_desk", sa.Text(), nullable=True, comment="子环节办理岗：空为没有待办的子环节")
    )
    op.add_column("rosters", sa.Column("substep_name", sa.Text(), nullable=True, comment="待办子环节"))
    op.add_column(
        "rosters",
        sa.Column("substep_note", sa.Boolean(), server_default=sa.text("false"), nullable=False,
                  comment="子环节须填意见"),
    )  # fmt: skip
    op.add_column(
        "rosters",
        sa.Column("substep_round", sa.Integer(), server_default="0", nullable=False,
                  comment="子环节轮次：公示内容变更后加一，已办子环节须重新办理"),
    )  # fmt: skip
    op.create_index(
        "ix_rosters_substep", "rosters", ["division_code", "substep_desk"],
        postgresql_where=sa.text("substep_desk is not null"),
    )  # fmt: skip
    run("0029_flows")
    op.execute("select watch_changes('rosters')")


def _project_flows() -> None:
    op.create_table(
        "project_flows",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="编号"),
        sa.Column("division_code", models.base.DivisionCode(), nullable=False, comment="制定地区"),
        sa.Column("number", sa.Text(), nullable=False, comment="流程文号"),
        sa.Column("sector", sa.Text(), nullable=False, comment="主管领域"),
        sa.Column("code", sa.Text(), nullable=False, comment="流程编码：补贴项目以此编码选用，取已启用的版本"),
        sa.Column("name", sa.Text(), nullable=False, comment="流程名称"),
        sa.Column("flow_version", sa.Integer(), nullable=False, comment="流程版本：启用时编定，0 为尚未启用"),
        sa.Column("reason", sa.Text(), nullable=False, comment="制定依据"),
        sa.Column("content", postgresql.JSONB(), nullable=False, comment="流程内容：见 policies/flows.py"),
        sa.Column("digest", sa.Text(), nullable=False, comment="内容摘要：流程内容的 SHA-256"),
        sa.Column("trial", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False,
                  comment="试运行结果：按既往清册推算"),
        sa.Column("trial_digest", sa.Text(), server_default="", nullable=False,
                  comment="试运行内容摘要：与内容摘要一致，方可启用"),
        sa.Column("tried_at", MOMENT, nullable=True, comment="试运行时间"),
        sa.Column("drafted_by", sa.Text(), nullable=False, comment="编制人"),
        sa.Column("enabled_by", sa.Text(), server_default="", nullable=False, comment="启用人"),
        sa.Column(
            "status", sa.Enum(*STATUSES, name="flowstatus", native_enum=False, create_constraint=True, length=40),
            nullable=False, comment="状态",
        ),
        sa.Column("version", sa.Integer(), nullable=False, comment="记录版本"),
        sa.Column("arrived_at", MOMENT, nullable=False, comment="到达时间"),
        sa.Column("in_force_from", sa.Date(), nullable=True, comment="启用日期"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_project_flows")),
        sa.UniqueConstraint("number", name=op.f("uq_project_flows_number")),
    )  # fmt: skip
    op.create_index(
        "uq_project_flows_in_force", "project_flows", ["sector", "code"], unique=True,
        postgresql_where=sa.text("status = 'in_force'"),
    )  # fmt: skip
    op.create_index(
        "uq_project_flows_open", "project_flows", ["sector", "code"], unique=True,
        postgresql_where=sa.text("status in ('draft', 'proposed')"),
    )  # fmt: skip
    op.create_index("ix_project_flows_status", "project_flows", ["division_code", "status"])


def _roster_substeps() -> None:
    op.create_table(
        "roster_substeps",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="编号"),
        sa.Column("division_code", models.base.DivisionCode(), nullable=False, comment="苏木乡镇"),
        sa.Column("sector", sa.Text(), nullable=False, comment="主管领域"),
        sa.Column("roster_id", sa.BigInteger(), nullable=False, comment="清册"),
        sa.Column("flow_id", sa.BigInteger(), nullable=False, comment="流程"),
        sa.Column("stage", sa.Text(), nullable=False, comment="法定环节"),
        sa.Column("position", sa.Integer(), nullable=False, comment="次序：在本环节中的次序，从 0 起"),
        sa.Column("substep_round", sa.Integer(), nullable=False, comment="轮次：公示内容变更后须重新办理"),
        sa.Column(
            "kind", sa.Enum(*KINDS, name="substepkind", native_enum=False, create_constraint=True, length=40),
            nullable=False, comment="方式",
        ),
        sa.Column("name", sa.Text(), nullable=False, comment="子环节"),
        sa.Column("desk", sa.Text(), nullable=False, comment="办理岗"),
        sa.Column("officer_id", sa.BigInteger(), nullable=False, comment="用户"),
        sa.Column("person", sa.Text(), nullable=False, comment="自然人"),
        sa.Column("officer_name", sa.Text(), nullable=False, comment="办理人"),
        sa.Column("post", sa.Text(), nullable=False, comment="办理岗位"),
        sa.Column("note", sa.Text(), nullable=False, comment="意见"),
        sa.Column("drawn", postgresql.ARRAY(sa.Integer()), server_default=sa.text("'{}'"), nullable=False,
                  comment="抽中序号"),
        sa.Column("taken_at", MOMENT, nullable=False, comment="办理时间"),
        sa.ForeignKeyConstraint(
            ["division_code", "roster_id"], ["rosters.division_code", "rosters.id"],
            name=op.f("fk_roster_substeps_division_code_roster_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_roster_substeps")),
        sa.UniqueConstraint(
            "division_code", "roster_id", "substep_round", "stage", "position",
            name="uq_roster_substeps_taken",
        ),
    )  # fmt: skip


def downgrade() -> None:
    """Take all of it away again."""
    run("0029_flows_down")
    op.drop_index("ix_rosters_substep", "rosters")
    for column in ("substep_round", "substep_note", "substep_name", "substep_desk", "flow_id"):
        op.drop_column("rosters", column)
    op.drop_table("roster_substeps")
    op.drop_table("project_flows")
    op.execute("select watch_changes('rosters')")
