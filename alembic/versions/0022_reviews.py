"""Yearly review of every household.

Revision ID: 0022
Revises: 0021
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

import models.base

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"
STATUSES = ("prepared", "signed", "returned", "withdrawn")


def run(name: str) -> None:
    """Run a reviewed file as it stands: a driver call, so that neither % nor : is touched."""
    op.get_bind().connection.driver_connection.execute((SQL / f"{name}.sql").read_text())


def _enum(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=40)


def upgrade() -> None:
    """Make the table of reviews, then its policies and guards."""
    op.create_table(
        "household_reviews",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="编号"),
        sa.Column("division_code", models.base.DivisionCode(), nullable=False, comment="苏木乡镇"),
        sa.Column("county_code", models.base.DivisionCode(), nullable=False, comment="旗县"),
        sa.Column("number", sa.Text(), nullable=False, comment="复核编号"),
        sa.Column("household_id", sa.BigInteger(), nullable=False, comment="户"),
        sa.Column("year", sa.Integer(), nullable=False, comment="年度"),
        sa.Column("status", _enum("reviewstatus", *STATUSES), nullable=False, comment="状态"),
        sa.Column("version", sa.Integer(), nullable=False, comment="版本"),
        sa.Column("village", sa.Text(), nullable=False, comment="嘎查村"),
        sa.Column("subject", sa.Text(), nullable=False, comment="户主"),
        sa.Column("visited_on", sa.Date(), nullable=False, comment="入户日期"),
        sa.Column("finding", _enum("reviewfinding", "agrees", "differs", "absent"), nullable=False, comment="复核结果"),
        sa.Column("checked", postgresql.ARRAY(sa.Text()), nullable=False, comment="核对内容"),
        sa.Column("note", sa.Text(), nullable=False, comment="复核情况：不写身份证号、账号、手机号"),
        sa.Column("arrived_at", postgresql.TIMESTAMP(timezone=True), nullable=True, comment="提交时间"),
        sa.Column("signed_at", postgresql.TIMESTAMP(timezone=True), nullable=True, comment="签署时间"),
        sa.Column("resume_status", _enum("reviewresume", *STATUSES), nullable=True, comment="退回前状态"),
        sa.Column("returned_for", sa.Text(), nullable=False, comment="退回原因"),
        sa.CheckConstraint(
            "county_code = left(division_code, 6) || '000000'", name=op.f("ck_household_reviews_county")
        ),
        sa.ForeignKeyConstraint(
            ["division_code", "household_id"],
            ["households.division_code", "households.id"],
            name=op.f("fk_household_reviews_division_code_household_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_household_reviews")),
        sa.UniqueConstraint("division_code", "id", name=op.f("uq_household_reviews_division_code_id")),
        sa.UniqueConstraint("number", name=op.f("uq_household_reviews_number")),
    )
    op.create_index(
        "uq_household_reviews_year",
        "household_reviews",
        ["division_code", "household_id", "year"],
        unique=True,
        postgresql_where=sa.text("status <> 'withdrawn'"),
    )
    op.create_index("ix_household_reviews_status", "household_reviews", ["division_code", "status", "village"])
    op.create_index(
        "ix_households_review",
        "households",
        ["division_code", "village", "reviewed_on"],
        postgresql_where=sa.text("status = 'active'"),
    )
    run("0022_reviews")


def downgrade() -> None:
    """Take it away again."""
    run("0022_reviews_down")
    op.drop_index("ix_households_review", "households")
    op.drop_table("household_reviews")
