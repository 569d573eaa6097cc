"""Changes of the policy as records, every version with its lines, and one function that puts a version into force.

Revision ID: 0009
Revises: 0008
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

import models.base

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"
STAMP = "版本标记：历史版本的编号，回滚后也不重复，各进程据此判断是否须重新装入"
LINES = "策略行：Casbin 策略文本，每行一条，按文本排序"


def run(name: str) -> None:
    """Run a reviewed file as it stands: a driver call, so that neither % nor : is touched."""
    op.get_bind().connection.driver_connection.execute((SQL / f"{name}.sql").read_text())


def _key() -> sa.Column:
    return sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="编号")


def _text(name: str, comment: str) -> sa.Column:
    return sa.Column(name, sa.Text(), nullable=False, comment=comment)


def _moment(name: str, comment: str) -> sa.Column:
    return sa.Column(name, postgresql.TIMESTAMP(timezone=True), nullable=False, comment=comment)


def _changes() -> None:
    op.create_table(
        "policy_changes",
        _key(),
        sa.Column("division_code", models.base.DivisionCode(), nullable=False, comment="区划"),
        _text("number", "变更编号"),
        _text("title", "变更事项"),
        _text("reason", "变更理由"),
        _text("origin", "起草依据：现行策略、历史版本或系统升级"),
        sa.Column(
            "base_version", sa.Integer(), nullable=False, comment="基础版本：拟定时的现行版本；启用时须仍为现行版本"
        ),
        _text("lines", LINES),
        _text("summary", "变更内容：与基础版本相比"),
        _text("digest", "摘要：提交时策略行的 SHA-256，此后内容固定"),
        _text("drafter", "拟定人标识：自然人标识，不能再由其启用"),
        _text("drafted_by", "拟定人"),
        sa.Column(
            "status",
            sa.Enum(
                "draft", "proposed", "enabled", "rejected", "withdrawn", name="policychangestatus", native_enum=False,
                create_constraint=True, length=40,
            ),
            nullable=False,
            comment="状态",
        ),
        sa.Column("version", sa.Integer(), nullable=False, comment="记录版本"),
        _moment("arrived_at", "到达时间"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_changes")),
        sa.UniqueConstraint("number", name=op.f("uq_policy_changes_number")),
    )


def upgrade() -> None:
    """Carry the present rules over as the first version of the history; from now on only a second officer changes them."""
    _changes()
    op.create_table(
        "policy_versions",
        _key(),
        sa.Column("policy_version", sa.Integer(), nullable=False, comment="策略版本号"),
        _text("origin", "来源：初始装入、升级前已有、变更启用或数据库直接修改"),
        sa.Column("change_id", sa.BigInteger(), nullable=True, comment="策略变更"),
        _text("title", "事项"),
        _text("reason", "理由"),
        _text("drafted_by", "拟定人"),
        _text("enabled_by", "启用人"),
        _moment("in_force_from", "启用时间"),
        sa.Column("line_count", sa.Integer(), nullable=False, comment="行数（行）"),
        _text("lines", LINES),
        _text("digest", "摘要：策略行的 SHA-256"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_versions")),
        sa.UniqueConstraint("policy_version", name=op.f("uq_policy_versions_policy_version")),
    )
    op.create_index("ix_policy_versions_change", "policy_versions", ["change_id"], unique=True)
    op.create_table(
        "policy_releases",
        _key(),
        _text("digest", "摘要"),
        _text("lines", LINES),
        _moment("installed_at", "安装时间"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_releases")),
    )
    op.add_column(
        "policy_version",
        sa.Column("stamp", sa.BigInteger(), server_default="0", nullable=False, comment=STAMP),
    )
    op.create_check_constraint(
        op.f("ck_policy_rules_effect"), "policy_rules", sa.column("effect").in_(("allow", "deny"))
    )
    run("0009_policy")


def downgrade() -> None:
    """Leave the rules in force; their history goes."""
    run("0009_policy_down")
    op.drop_constraint(op.f("ck_policy_rules_effect"), "policy_rules")
    op.drop_column("policy_version", "stamp")
    for name in ("policy_releases", "policy_versions", "policy_changes"):
        op.drop_table(name)
