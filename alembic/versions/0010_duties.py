"""Pairs of duties that one person may not unite, the triggers behind them, and the way to one's own lines.

Revision ID: 0010
Revises: 0009
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

import models.base

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"
LIVE = sa.text("status in ('proposed', 'in_force', 'ending')")


def run(name: str) -> None:
    """Run a reviewed file as it stands: a driver call, so that neither % nor : is touched."""
    op.get_bind().connection.driver_connection.execute((SQL / f"{name}.sql").read_text())


def _words(*words: str, name: str) -> sa.Enum:
    return sa.Enum(*words, name=name, native_enum=False, create_constraint=True, length=40)


def _pairs() -> None:
    op.create_table(
        "duty_pairs",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="编号"),
        sa.Column("division_code", models.base.DivisionCode(), nullable=False, comment="区划"),
        sa.Column("title", sa.Text(), nullable=False, comment="名称"),
        sa.Column("kind", _words("role", "permission", name="dutykind"), nullable=False, comment="类别"),
        sa.Column(
            "one",
            sa.Text(),
            nullable=False,
            comment="一方：岗位代码，可加机构类别，如 clerk@finance、*@bank；或权限代码，如 roster:pass",
        ),
        sa.Column("other", sa.Text(), nullable=False, comment="另一方：写法与“一方”相同"),
        sa.Column(
            "within", _words("record", "organisation", "anywhere", name="dutywithin"), nullable=False, comment="范围"
        ),
        sa.Column("basis", sa.Text(), nullable=False, comment="依据"),
        sa.Column("statutory", sa.Boolean(), nullable=False, comment="法定：法定的不能修改、终止或删除"),
        sa.Column(
            "status",
            _words("proposed", "in_force", "ending", "ended", "refused", name="dutypairstatus"),
            nullable=False,
            comment="状态",
        ),
        sa.Column("version", sa.Integer(), nullable=False, comment="版本"),
        sa.Column("arrived_at", postgresql.TIMESTAMP(timezone=True), nullable=False, comment="到达时间"),
        sa.Column("proposed_by", sa.Text(), nullable=False, comment="拟定人：自然人标识"),
        sa.Column("confirmed_by", sa.Text(), nullable=True, comment="复核人：自然人标识，与拟定人不同"),
        sa.Column("end_proposed_by", sa.Text(), nullable=True, comment="拟终止人：自然人标识"),
        sa.Column("ended_by", sa.Text(), nullable=True, comment="终止复核人：自然人标识，与拟终止人不同"),
        sa.CheckConstraint("one <> other", name=op.f("ck_duty_pairs_two")),
        sa.CheckConstraint("not statutory or status = 'in_force'", name=op.f("ck_duty_pairs_statutory")),
        sa.CheckConstraint(
            "statutory or status in ('proposed', 'refused') or confirmed_by is not null",
            name=op.f("ck_duty_pairs_confirmed"),
        ),
        sa.CheckConstraint(
            "confirmed_by is null or confirmed_by <> proposed_by", name=op.f("ck_duty_pairs_second_officer")
        ),
        sa.CheckConstraint(
            "status <> 'ended' or (ended_by is not null and end_proposed_by is not null"
            " and ended_by <> end_proposed_by)",
            name=op.f("ck_duty_pairs_ended_by_second"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_duty_pairs")),
    )
    columns = ["division_code", "kind", "one", "other", "within"]
    op.create_index("uq_duty_pairs_live", "duty_pairs", columns, unique=True, postgresql_where=LIVE)


def upgrade() -> None:
    """Make the pairs, the indexes of people's lines and accounts, then the triggers and the statutory pairs."""
    _pairs()
    op.create_index("ix_roster_lines_member", "roster_lines", ["division_code", "member_id"])
    op.create_index("ix_accounts_member", "accounts", ["division_code", "member_id"])
    run("0010_duties")


def downgrade() -> None:
    """Undo it."""
    run("0010_duties_down")
    op.drop_index("ix_accounts_member", "accounts")
    op.drop_index("ix_roster_lines_member", "roster_lines")
    op.drop_table("duty_pairs")
    op.get_bind().connection.driver_connection.execute(
        "drop function guard_duty_pairs(); drop function duty_signatures()"
    )
