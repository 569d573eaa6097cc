"""The desk of the agent banks: their replies, row by row; who of them may see and write what.

Revision ID: 0014
Revises: 0013
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

import models.base

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"


def run(name: str) -> None:
    """Run a reviewed file as it stands: a driver call, so that neither % nor : is touched."""
    op.get_bind().connection.driver_connection.execute((SQL / f"{name}.sql").read_text())


def _tables() -> None:
    op.create_table(
        "bank_replies",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="编号"),
        sa.Column("division_code", models.base.DivisionCode(), nullable=False, comment="机构所在地"),
        sa.Column("bank_id", sa.BigInteger(), nullable=False, comment="代理银行"),
        sa.Column("number", sa.Text(), nullable=False, comment="回复编号"),
        sa.Column(
            "kind",
            sa.Enum(
                "answers", "results", "notices", name="replykind", native_enum=False, create_constraint=True, length=40
            ),
            nullable=False,
            comment="回复内容",
        ),
        sa.Column(
            "source",
            sa.Enum(
                "hand", "workbook", "message", name="replysource", native_enum=False, create_constraint=True, length=40
            ),
            nullable=False,
            comment="来源",
        ),
        sa.Column(
            "status",
            sa.Enum(
                "received",
                "prepared",
                "confirmed",
                "applied",
                "withdrawn",
                "refused",
                name="replystatus",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
            comment="状态",
        ),
        sa.Column("version", sa.Integer(), nullable=False, comment="版本"),
        sa.Column("subject", sa.Text(), nullable=False, comment="说明：哪个批次、哪个文件"),
        sa.Column("batch_id", sa.BigInteger(), nullable=True, comment="代发批次"),
        sa.Column("file_id", sa.BigInteger(), nullable=True, comment="回复文件"),
        sa.Column("file_name", sa.Text(), nullable=False, comment="文件名"),
        sa.Column("sha256", sa.Text(), nullable=False, comment="文件摘要"),
        sa.Column("marked_file_id", sa.BigInteger(), nullable=True, comment="标注文件"),
        sa.Column("row_count", sa.Integer(), nullable=False, comment="行数（行）"),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False, comment="金额（分）"),
        sa.Column(
            "rest_outcome",
            sa.Text(),
            nullable=False,
            comment="整批结论：paid 其余全部成功，failed 其余全部失败，空为只按明细",
        ),
        sa.Column("rest_code", sa.Text(), nullable=False, comment="整批原因代码"),
        sa.Column("rest_text", sa.Text(), nullable=False, comment="整批原因"),
        sa.Column("problem_count", sa.Integer(), nullable=False, comment="问题数"),
        sa.Column("note_count", sa.Integer(), nullable=False, comment="提示数"),
        sa.Column(
            "problems",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="问题：最多 500 条，其余见标注文件",
        ),
        sa.Column("done_count", sa.Integer(), nullable=False, comment="已登记（行）"),
        sa.Column("skipped_count", sa.Integer(), nullable=False, comment="无需登记（行）"),
        sa.Column("exception_count", sa.Integer(), nullable=False, comment="转异常处理（行）"),
        sa.Column("prepared_at", postgresql.TIMESTAMP(timezone=True), nullable=False, comment="录入时间"),
        sa.Column("arrived_at", postgresql.TIMESTAMP(timezone=True), nullable=False, comment="到达时间"),
        sa.Column("applied_at", postgresql.TIMESTAMP(timezone=True), nullable=True, comment="登记时间"),
        sa.Column("prepared_by", sa.BigInteger(), nullable=False, comment="录入人"),
        sa.ForeignKeyConstraint(["bank_id"], ["agent_banks.id"], name=op.f("fk_bank_replies_bank_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bank_replies")),
        sa.UniqueConstraint("division_code", "id", name=op.f("uq_bank_replies_division_code_id")),
        sa.UniqueConstraint("number", name=op.f("uq_bank_replies_number")),
    )
    op.create_index(op.f("ix_bank_replies_bank_id"), "bank_replies", ["bank_id"], unique=False)
    op.create_index(
        "uq_bank_replies_file",
        "bank_replies",
        ["bank_id", "kind", "sha256"],
        unique=True,
        postgresql_where=sa.text("sha256 <> '' and status in ('received', 'prepared', 'confirmed', 'applied')"),
    )
    op.create_table(
        "bank_reply_rows",
        sa.Column("division_code", models.base.DivisionCode(), nullable=False, comment="机构所在地"),
        sa.Column("reply_id", sa.BigInteger(), nullable=False, comment="银行回复"),
        sa.Column("row_number", sa.Integer(), nullable=False, comment="行号"),
        sa.Column("bank_id", sa.BigInteger(), nullable=False, comment="代理银行"),
        sa.Column("reference", sa.Text(), nullable=False, comment="账号或支付标识：账号只存脱敏后的"),
        sa.Column("account_id", sa.BigInteger(), nullable=True, comment="账户"),
        sa.Column("amount_fen", sa.BigInteger(), nullable=True, comment="金额（分）"),
        sa.Column("state", sa.Text(), nullable=False, comment="银行答复：验证结果、发放结果或账户状态"),
        sa.Column("is_card", sa.Boolean(), nullable=True, comment="社会保障卡"),
        sa.Column("settled_on", sa.Date(), nullable=True, comment="结果日期"),
        sa.Column("code", sa.Text(), nullable=False, comment="原因代码"),
        sa.Column("words", sa.Text(), nullable=False, comment="银行说明"),
        sa.Column(
            "outcome",
            sa.Enum(
                "waiting",
                "done",
                "skipped",
                "exception",
                name="rowoutcome",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
            comment="登记结果",
        ),
        sa.Column("message", sa.Text(), nullable=False, comment="结果说明"),
        sa.ForeignKeyConstraint(
            ["division_code", "reply_id"],
            ["bank_replies.division_code", "bank_replies.id"],
            name=op.f("fk_bank_reply_rows_division_code_reply_id"),
        ),
        sa.PrimaryKeyConstraint("division_code", "reply_id", "row_number", name=op.f("pk_bank_reply_rows")),
    )
    op.create_index("ix_bank_reply_rows_reply", "bank_reply_rows", ["reply_id", "row_number"], unique=False)


def upgrade() -> None:
    """Make the tables of replies, then say which bank sees and writes what."""
    interface = "有接口：否：由银行人员在平台领取批次、答复验证、返回结果"
    op.add_column(
        "agent_banks", sa.Column("interface", sa.Boolean(), server_default="true", nullable=False, comment=interface)
    )
    op.alter_column("agent_banks", "interface", server_default=None)
    _tables()
    op.execute("select watch_changes(t) from unnest(array['bank_replies', 'bank_reply_rows', 'agent_banks']) t")
    run("0014_bank_desk")


def downgrade() -> None:
    """Take the desk away again."""
    run("0014_bank_desk_down")
    op.drop_table("bank_reply_rows")
    op.drop_table("bank_replies")
    op.drop_column("agent_banks", "interface")
    op.execute("select watch_changes('agent_banks')")
    op.execute("select watch_changes('agent_banks')")
