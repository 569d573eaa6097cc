"""Keys that rotate: generations of blind indexes, a person's own mark for entitlements, rotations, reveals.

Revision ID: 0012
Revises: 0011
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

import models.base

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"


def run(name: str) -> None:
    """Run a reviewed file as it stands: a driver call, so that neither % nor : is touched."""
    op.get_bind().connection.driver_connection.execute((SQL / f"{name}.sql").read_text())


def _rotations() -> None:
    op.create_table(
        "key_rotations",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="编号"),
        sa.Column("kind", sa.Enum("envelopes", "index", name="keykind", native_enum=False, create_constraint=True, length=40), nullable=False, comment="密钥类别"),
        sa.Column("key_number", sa.Integer(), nullable=False, comment="新密钥编号：密钥文件中的编号，不是密钥"),
        sa.Column("status", sa.Enum("running", "done", "cancelled", "failed", name="rotationstatus", native_enum=False, create_constraint=True, length=40), nullable=False, comment="状态"),
        sa.Column("stage", sa.Text(), nullable=False, comment="阶段"),
        sa.Column("done", sa.BigInteger(), nullable=False, comment="已处理（行）"),
        sa.Column("total", sa.BigInteger(), nullable=False, comment="总数（行）"),
        sa.Column("per_second", sa.Integer(), nullable=False, comment="速度（行/秒）"),
        sa.Column("seconds_left", sa.Integer(), nullable=True, comment="预计剩余（秒）"),
        sa.Column("started_at", postgresql.TIMESTAMP(timezone=True), nullable=False, comment="开始时间"),
        sa.Column("finished_at", postgresql.TIMESTAMP(timezone=True), nullable=True, comment="结束时间"),
        sa.Column("cancel_asked", sa.Boolean(), nullable=False, comment="要求停止"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_key_rotations")),
    )
    op.create_table(
        "index_generation",
        sa.Column("id", sa.Integer(), nullable=False, comment="编号"),
        sa.Column("generation", sa.Integer(), nullable=False, comment="代次"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_index_generation")),
    )


def _reveals() -> None:
    op.create_table(
        "reveals",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="编号"),
        sa.Column("division_code", models.base.DivisionCode(), nullable=False, comment="区划"),
        sa.Column("kind", sa.Enum("page", "export", name="revealkind", native_enum=False, create_constraint=True, length=40), nullable=False, comment="方式"),
        sa.Column("noun", sa.Text(), nullable=False, comment="对象"),
        sa.Column("record_id", sa.BigInteger(), nullable=False, comment="记录：导出时为 0"),
        sa.Column("title", sa.Text(), nullable=False, comment="查看内容：对象种类与查看的栏目，不含个人信息"),
        sa.Column("row_count", sa.Integer(), nullable=False, comment="条数（条）"),
        sa.Column("reason", sa.Text(), nullable=False, comment="查看事由"),
        sa.Column("officer_id", sa.BigInteger(), nullable=False, comment="用户"),
        sa.Column("person", sa.Text(), nullable=False, comment="自然人"),
        sa.Column("officer_name", sa.Text(), nullable=False, comment="查看人"),
        sa.Column("post", sa.Text(), nullable=False, comment="岗位"),
        sa.Column("address", sa.Text(), nullable=False, comment="来源地址"),
        sa.Column("digest", sa.Text(), nullable=False, comment="导出文件摘要"),
        sa.Column("revealed_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=True, comment="查看时间"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reveals")),
    )
    op.create_index("ix_reveals_officer", "reveals", ["officer_id", "revealed_at"])
    op.create_index("ix_reveals_time", "reveals", ["division_code", "revealed_at"])


def upgrade() -> None:
    """Number the generations of the indexes; free entitlements from the index key."""
    _rotations()
    _reveals()
    mark = sa.text("encode(uuid_send(gen_random_uuid()), 'hex')")
    op.add_column("members", sa.Column("person", sa.Text(), server_default=mark, nullable=False, comment="自然人标识：随机，用于发放权，不随密钥变化"))
    run("0012_keys")
    op.drop_column("import_rows", "entitlement_key")


def downgrade() -> None:
    """Take the generations off again; entitlements hang on the index as before."""
    op.add_column("import_rows", sa.Column("entitlement_key", sa.Text(), server_default="", nullable=False, comment="发放权"))
    op.alter_column("import_rows", "entitlement_key", server_default=None)
    run("0012_keys_down")
    op.drop_column("members", "person")
    op.drop_table("reveals")
    op.drop_table("index_generation")
    op.drop_table("key_rotations")
