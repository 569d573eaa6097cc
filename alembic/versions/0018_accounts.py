"""Accounts change by two people, and in bulk; what banks tell of them by themselves is kept.

Revision ID: 0018
Revises: 0017
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

import models.base
import models.crypto

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"
REFUSALS = sa.Enum(
    "unknown", "name_differs", "frozen", "wrong_kind", "other",
    name="accountrefusal", native_enum=False, create_constraint=True, length=40,
)  # fmt: skip


def run(name: str) -> None:
    """Run a reviewed file as it stands: a driver call, so that neither % nor : is touched."""
    op.get_bind().connection.driver_connection.execute((SQL / f"{name}.sql").read_text())


def choice(name: str, *values: str) -> sa.Enum:
    """Return a checked column of words."""
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=40)


def _added() -> tuple[sa.Column, ...]:
    """Return the columns that accounts get, made anew each time."""
    return (
        sa.Column(
            "card_required",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="须为社会保障卡：新增补贴对象，或现有发放账户已是社会保障卡",
        ),
        sa.Column("refused_for", REFUSALS.copy(), nullable=True, comment="未通过原因：银行最近一次未通过的类别"),
        sa.Column("reason", sa.Text(), server_default="", nullable=False, comment="变更原因"),
        sa.Column("replaces_id", sa.BigInteger(), nullable=True, comment="换卡前账户：验证通过后，换卡前账户销户留存"),
        sa.Column("batch_id", sa.BigInteger(), nullable=True, comment="换卡批次"),
        sa.Column("arrived_at", postgresql.TIMESTAMP(timezone=True), nullable=True, comment="到达时间"),
    )


def _notices() -> None:
    op.create_table(
        "account_notices",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="编号"),
        sa.Column(
            "division_code",
            models.base.DivisionCode(),
            nullable=False,
            comment="苏木乡镇，不是已登记账户的为自治区",
        ),
        sa.Column("sequence", sa.BigInteger(), nullable=False, comment="通知序号：银行的顺序号，只处理一次"),
        sa.Column("account_id", sa.BigInteger(), nullable=True, comment="账户"),
        sa.Column("shown", sa.Text(), nullable=False, comment="账号：只存脱敏后的"),
        sa.Column("state", sa.Text(), nullable=False, comment="账户状态：银行答复"),
        sa.Column("words", sa.Text(), nullable=False, comment="银行说明"),
        sa.Column("outcome", choice("noticeoutcome", "done", "skipped", "unknown"), nullable=False, comment="登记结果"),
        sa.Column("received_at", postgresql.TIMESTAMP(timezone=True), nullable=False, comment="收到时间"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_notices")),
        sa.UniqueConstraint("sequence", name=op.f("uq_account_notices_sequence")),
    )
    op.create_index("ix_account_notices_account", "account_notices", ["division_code", "account_id"], unique=False)


STATUSES = (
    "received", "refused", "bank_checked", "checked", "county_checked", "proposed", "county_proposed", "confirmed",
    "stopped", "applied", "returned", "withdrawn",
)  # fmt: skip
SOURCES = ("township", "social_security", "county", "bank")
PROBLEMS = "问题：最多 500 条，其余见标注文件"


def _batches() -> None:
    big, text, number = sa.BigInteger, sa.Text, sa.Integer
    stamp = postgresql.TIMESTAMP(timezone=True)
    op.create_table(
        "account_batches",
        sa.Column("id", big(), sa.Identity(always=False), nullable=False, comment="编号"),
        sa.Column("division_code", models.base.DivisionCode(), nullable=False, comment="苏木乡镇或旗县"),
        sa.Column("county_code", models.base.DivisionCode(), nullable=False, comment="旗县"),
        sa.Column("number", text(), nullable=False, comment="批次编号"),
        sa.Column("kind", choice("batchkind", "cards", "bank"), nullable=False, comment="事项"),
        sa.Column("source", choice("batchsource", *SOURCES), nullable=False, comment="文件来源"),
        sa.Column("status", choice("batchstatus", *STATUSES), nullable=False, comment="状态"),
        sa.Column("version", number(), nullable=False, comment="版本"),
        sa.Column("bank_id", big(), nullable=True, comment="换卡银行"),
        sa.Column("from_bank_id", big(), nullable=True, comment="原代理银行"),
        sa.Column("reason", text(), nullable=False, comment="换卡原因"),
        sa.Column("file_id", big(), nullable=False, comment="文件"),
        sa.Column("file_name", text(), nullable=False, comment="文件名"),
        sa.Column("sha256", text(), nullable=False, comment="文件摘要"),
        sa.Column("marked_file_id", big(), nullable=True, comment="标注文件"),
        sa.Column("missing_file_id", big(), nullable=True, comment="未换卡人员名单"),
        sa.Column("row_count", number(), nullable=False, comment="行数（行）"),
        sa.Column("ready_count", number(), nullable=False, comment="可以换卡（行）"),
        sa.Column("problem_count", number(), nullable=False, comment="不能换卡（行）"),
        sa.Column("skipped_count", number(), nullable=False, comment="无需换卡（行）"),
        sa.Column("done_count", number(), nullable=False, comment="已登记（行）"),
        sa.Column("missing_count", number(), nullable=False, comment="未换卡人员（人）"),
        sa.Column("problems", postgresql.JSONB(astext_type=sa.Text()), nullable=False, comment=PROBLEMS),
        sa.Column("prepared_at", stamp, nullable=False, comment="上传时间"),
        sa.Column("arrived_at", stamp, nullable=True, comment="到达时间"),
        sa.Column("applied_at", stamp, nullable=True, comment="登记时间"),
        sa.Column("prepared_by", big(), nullable=False, comment="上传人"),
        sa.CheckConstraint("county_code = left(division_code, 6) || '000000'", name=op.f("ck_account_batches_county")),
        sa.ForeignKeyConstraint(["bank_id"], ["agent_banks.id"], name=op.f("fk_account_batches_bank_id")),
        sa.ForeignKeyConstraint(["from_bank_id"], ["agent_banks.id"], name=op.f("fk_account_batches_from_bank_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_batches")),
        sa.UniqueConstraint("division_code", "id", name=op.f("uq_account_batches_division_code_id")),
        sa.UniqueConstraint("number", name=op.f("uq_account_batches_number")),
    )
    op.create_index("ix_account_batches_status", "account_batches", ["division_code", "status"], unique=False)
    op.create_index(op.f("ix_account_batches_bank_id"), "account_batches", ["bank_id"], unique=False)
    op.create_index(
        "uq_account_batches_file",
        "account_batches",
        ["division_code", "kind", "sha256"],
        unique=True,
        postgresql_where=sa.text("status not in ('refused', 'returned', 'withdrawn')"),
    )


def _rows() -> None:
    big, text, code = sa.BigInteger, sa.Text, models.base.DivisionCode
    op.create_table(
        "account_batch_rows",
        sa.Column("division_code", code(), nullable=False, comment="苏木乡镇或旗县"),
        sa.Column("batch_id", big(), nullable=False, comment="批次"),
        sa.Column("row_number", sa.Integer(), nullable=False, comment="行号"),
        sa.Column("member_division", code(), nullable=False, comment="持有人所在苏木乡镇"),
        sa.Column("member_id", big(), nullable=True, comment="持有人"),
        sa.Column("account_id", big(), nullable=True, comment="原账户"),
        sa.Column("new_account_id", big(), nullable=True, comment="新账户"),
        sa.Column("name", text(), nullable=False, comment="姓名"),
        sa.Column("name_key", text(), nullable=False, comment="姓名比对键：规范化后的姓名，仅供比对"),
        sa.Column("id_index", models.crypto.BlindIndex(), nullable=True, comment="身份证盲索引"),
        sa.Column("old_index", models.crypto.BlindIndex(), nullable=True, comment="原账号盲索引"),
        sa.Column("old_shown", text(), nullable=False, comment="原账号：只存脱敏后的"),
        sa.Column("new_number", models.crypto.Sealed(), nullable=True, comment="新卡号"),
        sa.Column("new_index", models.crypto.BlindIndex(), nullable=True, comment="新卡号盲索引"),
        sa.Column("new_shown", text(), nullable=False, comment="新社会保障卡号：只存脱敏后的"),
        sa.Column("bank_name", text(), nullable=False, comment="开户银行"),
        sa.Column("bank_code", text(), nullable=False, comment="联行号"),
        sa.Column(
            "outcome",
            choice("cardoutcome", "ready", "problem", "skipped", "done"),
            nullable=False,
            comment="核对结果",
        ),
        sa.Column("message", text(), nullable=False, comment="说明"),
        sa.ForeignKeyConstraint(
            ["division_code", "batch_id"],
            ["account_batches.division_code", "account_batches.id"],
            name=op.f("fk_account_batch_rows_division_code_batch_id"),
        ),
        sa.PrimaryKeyConstraint("division_code", "batch_id", "row_number", name=op.f("pk_account_batch_rows")),
    )
    op.create_index(
        "ix_account_batch_rows_outcome", "account_batch_rows", ["division_code", "batch_id", "outcome"], unique=False
    )
    op.create_index(
        "ix_account_batch_rows_new",
        "account_batch_rows",
        ["new_account_id"],
        unique=False,
        postgresql_where=sa.text("new_account_id is not null"),
    )


def upgrade() -> None:
    """Give accounts their new columns and statuses, make the tables, then say who sees and writes what."""
    for column in _added():
        op.add_column("accounts", column)
    op.drop_constraint("ck_accounts_accountstatus", "accounts")
    run("0018_accounts_statuses")
    op.create_index(
        "uq_accounts_one_proposal",
        "accounts",
        ["division_code", "member_id"],
        unique=True,
        postgresql_where=sa.text("status = 'proposed'"),
    )
    op.create_index(
        "ix_accounts_waiting",
        "accounts",
        ["division_code"],
        unique=False,
        postgresql_where=sa.text("status in ('proposed', 'registered', 'refused')"),
    )
    op.create_index(
        "ix_accounts_batch", "accounts", ["batch_id"], unique=False, postgresql_where=sa.text("batch_id is not null")
    )
    _notices()
    _batches()
    _rows()
    run("0018_accounts")


def downgrade() -> None:
    """Take it away again: proposals that nobody confirmed never were accounts."""
    run("0018_accounts_down")
    op.drop_table("account_batch_rows")
    op.drop_table("account_batches")
    op.drop_table("account_notices")
    op.drop_index("ix_accounts_batch", "accounts")
    op.drop_index("ix_accounts_waiting", "accounts")
    op.drop_index("uq_accounts_one_proposal", "accounts")
    op.drop_constraint("ck_accounts_payment", "accounts")
    op.drop_constraint("ck_accounts_accountstatus", "accounts")
    run("0018_accounts_statuses_down")
    for column in _added():
        op.drop_column("accounts", column.name)
    op.execute("select watch_changes('accounts')")
