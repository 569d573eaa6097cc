"""Exchange with the twelve bodies of Article 29.

Revision ID: 0021
Revises: 0020
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

import models.base
import models.crypto

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"
KINDS = (
    "disability", "rural_allowance", "urban_allowance", "extreme_poverty", "orphan", "veteran", "family_planning",
    "ranger", "public_job", "difficulty", "housing", "tax", "other", "person", "death", "contracted_land", "leased_in",
    "leased_out", "excluded_land", "grassland", "forest", "livestock",
)  # fmt: skip
CONFLICTS = ("level", "validity", "ended", "name", "dead", "alive", "area")
TABLES = (
    "exchange_coverage", "exchange_facts", "exchange_rows", "exchange_batches", "exchange_nonces", "exchange_keys",
    "exchange_bodies",
)  # fmt: skip
STAMP = postgresql.TIMESTAMP(timezone=True)


def run(name: str) -> None:
    """Run a reviewed file as it stands: a driver call, so that neither % nor : is touched."""
    op.get_bind().connection.driver_connection.execute((SQL / f"{name}.sql").read_text())


def choice(name: str, *values: str) -> sa.Enum:
    """Return a checked column of words."""
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=40)


def _bodies() -> None:
    op.create_table(
        "exchange_bodies",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="编号"),
        sa.Column("code", sa.Text(), nullable=False, comment="部门代码"),
        sa.Column("name", sa.Text(), nullable=False, comment="部门"),
        sa.Column("kinds", postgresql.ARRAY(sa.Text()), nullable=False, comment="可提供的信息"),
        sa.Column("enabled", sa.Boolean(), server_default=sa.false(), nullable=False, comment="接口启用"),
        sa.Column(
            "fresh_days",
            sa.Integer(),
            server_default="100",
            nullable=False,
            comment="更新周期（天）：超过即提示数据陈旧",
        ),
        sa.Column("key_set_at", STAMP, nullable=True, comment="密钥启用时间"),
        sa.Column("last_number", sa.BigInteger(), server_default="0", nullable=False, comment="最近批次号"),
        sa.Column("last_received_at", STAMP, nullable=True, comment="最近接收时间"),
        sa.Column("last_applied_at", STAMP, nullable=True, comment="最近处理时间"),
        sa.Column("last_as_of", sa.Date(), nullable=True, comment="最近数据日期"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exchange_bodies")),
        sa.UniqueConstraint("code", name=op.f("uq_exchange_bodies_code")),
    )
    op.create_table(
        "exchange_keys",
        sa.Column("body_id", sa.BigInteger(), nullable=False, comment="部门"),
        sa.Column("key", models.crypto.Sealed(), nullable=False, comment="接口密钥"),
        sa.ForeignKeyConstraint(["body_id"], ["exchange_bodies.id"], name=op.f("fk_exchange_keys_body_id")),
        sa.PrimaryKeyConstraint("body_id", name=op.f("pk_exchange_keys")),
    )
    op.create_table(
        "exchange_nonces",
        sa.Column("body_id", sa.BigInteger(), nullable=False, comment="部门"),
        sa.Column("nonce", sa.Text(), nullable=False, comment="随机串"),
        sa.Column("admitted_at", STAMP, nullable=False, comment="接收时间"),
        sa.ForeignKeyConstraint(["body_id"], ["exchange_bodies.id"], name=op.f("fk_exchange_nonces_body_id")),
        sa.PrimaryKeyConstraint("body_id", "nonce", name=op.f("pk_exchange_nonces")),
    )


def _count(name: str, title: str) -> sa.Column:
    return sa.Column(name, sa.Integer(), server_default="0", nullable=False, comment=title)


def _batches() -> None:
    op.create_table(
        "exchange_batches",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="编号"),
        sa.Column("body_id", sa.BigInteger(), nullable=False, comment="部门"),
        sa.Column("body_name", sa.Text(), nullable=False, comment="部门名称"),
        sa.Column("number", sa.BigInteger(), nullable=False, comment="批次号"),
        sa.Column("receipt", sa.Text(), nullable=False, comment="回执号"),
        sa.Column("digest", sa.Text(), nullable=False, comment="内容摘要：SHA-256，同号同内容返回同一回执"),
        sa.Column("status", choice("batchstate", "received", "applied"), nullable=False, comment="状态"),
        sa.Column("row_count", sa.Integer(), nullable=False, comment="行数（行）"),
        _count("applied_count", "已更新（行）"),
        _count("unchanged_count", "无变化（行）"),
        _count("older_count", "较旧未采用（行）"),
        _count("unknown_count", "不在库（行）：只计数并反馈行号，不新建人员"),
        _count("conflict_count", "与登记不一致（行）"),
        sa.Column(
            "outcomes",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="行号：各类结果的行号，不含个人信息",
        ),
        sa.Column("missing", postgresql.ARRAY(sa.BigInteger()), nullable=False, comment="缺号"),
        sa.Column("last_as_of", sa.Date(), nullable=True, comment="数据日期"),
        sa.Column("received_at", STAMP, nullable=False, comment="接收时间"),
        sa.Column("applied_at", STAMP, nullable=True, comment="处理时间"),
        sa.ForeignKeyConstraint(["body_id"], ["exchange_bodies.id"], name=op.f("fk_exchange_batches_body_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exchange_batches")),
        sa.UniqueConstraint("body_id", "number", name=op.f("uq_exchange_batches_body_id_number")),
        sa.UniqueConstraint("receipt", name=op.f("uq_exchange_batches_receipt")),
    )
    op.create_index(
        "ix_exchange_batches_waiting",
        "exchange_batches",
        ["received_at"],
        postgresql_where=sa.text("status = 'received'"),
    )


def _told() -> tuple[sa.Column, ...]:
    """Return what a row says and a fact keeps, made anew each time."""
    return (
        sa.Column("level", sa.Text(), nullable=False, comment="等级或类别"),
        sa.Column("quantity", sa.Numeric(14, 3), nullable=True, comment="数量"),
        sa.Column("state", sa.Text(), nullable=False, comment="人员状态"),
        sa.Column("died_on", sa.Date(), nullable=True, comment="死亡日期"),
        sa.Column("valid_from", sa.Date(), nullable=True, comment="有效期起"),
        sa.Column("valid_to", sa.Date(), nullable=True, comment="有效期止"),
        sa.Column("ended", sa.Boolean(), nullable=False, comment="注销"),
        sa.Column("as_of", sa.Date(), nullable=False, comment="数据日期"),
    )


def _rows() -> None:
    op.create_table(
        "exchange_rows",
        sa.Column("batch_id", sa.BigInteger(), nullable=False, comment="批次"),
        sa.Column("row_number", sa.Integer(), nullable=False, comment="行号"),
        sa.Column("id_index", models.crypto.BlindIndex(), nullable=False, comment="身份证盲索引"),
        sa.Column("name_digest", sa.LargeBinary(), nullable=True, comment="姓名摘要"),
        sa.Column("kind", choice("factkind", *KINDS), nullable=False, comment="信息种类"),
        sa.Column("number", models.crypto.Sealed(), nullable=False, comment="证号"),
        *_told(),
        sa.Column("place", models.base.DivisionCode(), nullable=True, comment="苏木乡镇"),
        sa.Column("member_id", sa.BigInteger(), nullable=True, comment="成员"),
        sa.Column("outcome", sa.Text(), server_default="", nullable=False, comment="结果"),
        sa.ForeignKeyConstraint(["batch_id"], ["exchange_batches.id"], name=op.f("fk_exchange_rows_batch_id")),
        sa.PrimaryKeyConstraint("batch_id", "row_number", name=op.f("pk_exchange_rows")),
    )


def _facts() -> None:
    code = models.base.DivisionCode
    op.create_table(
        "exchange_facts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="编号"),
        sa.Column("division_code", code(), nullable=False, comment="苏木乡镇"),
        sa.Column("county_code", code(), nullable=False, comment="旗县"),
        sa.Column("member_id", sa.BigInteger(), nullable=False, comment="成员"),
        sa.Column("source", sa.Text(), nullable=False, comment="来源：共享部门代码（第二十九条）"),
        sa.Column("kind", choice("factkind", *KINDS), nullable=False, comment="信息种类"),
        *_told(),
        sa.Column("batch_id", sa.BigInteger(), nullable=False, comment="批次"),
        sa.Column(
            "conflict",
            choice("conflict", *CONFLICTS),
            nullable=True,
            comment="与登记的差异：登记值不被覆盖，由苏木乡镇核实",
        ),
        sa.CheckConstraint("county_code = left(division_code, 6) || '000000'", name=op.f("ck_exchange_facts_county")),
        sa.ForeignKeyConstraint(
            ["division_code", "member_id"],
            ["members.division_code", "members.id"],
            name=op.f("fk_exchange_facts_division_code_member_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exchange_facts")),
        sa.UniqueConstraint(
            "division_code", "member_id", "source", "kind",
            name=op.f("uq_exchange_facts_division_code_member_id_source_kind"),
        ),
    )  # fmt: skip
    op.create_index(
        "ix_exchange_facts_conflict",
        "exchange_facts",
        ["division_code"],
        postgresql_where=sa.text("conflict is not null"),
    )
    op.create_table(
        "exchange_coverage",
        sa.Column("division_code", code(), nullable=False, comment="旗县"),
        sa.Column("source", sa.Text(), nullable=False, comment="来源"),
        sa.Column("fact_count", sa.BigInteger(), nullable=False, comment="信息条数"),
        sa.Column("last_as_of", sa.Date(), nullable=False, comment="最近数据日期"),
        sa.PrimaryKeyConstraint("division_code", "source", name=op.f("pk_exchange_coverage")),
    )


def upgrade() -> None:
    """Make the tables, then their policies."""
    _bodies()
    _batches()
    _rows()
    _facts()
    run("0021_exchange")


def downgrade() -> None:
    """Take it away again."""
    run("0021_exchange_down")
    for table in TABLES:
        op.drop_table(table)
