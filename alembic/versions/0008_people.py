"""Posts proposed and confirmed, delegations, organisations that close, jobs that change hands.

Revision ID: 0008
Revises: 0007
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

import models.base

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"
POST_STATUS = sa.Enum(
    "proposed", "in_force", "ended", "refused",
    name="poststatus", native_enum=False, create_constraint=False, length=40,
)  # fmt: skip
MOMENT = postgresql.TIMESTAMP(timezone=True)


def run(name: str) -> None:
    """Run a reviewed file as it stands: a driver call, so that neither % nor : is touched."""
    op.get_bind().connection.driver_connection.execute((SQL / f"{name}.sql").read_text())


def _posts() -> None:
    for column in (
        sa.Column("organisation", sa.Text(), server_default="", nullable=False, comment="机构名称"),
        sa.Column("holder", sa.Text(), server_default="", nullable=False, comment="任职人"),
        sa.Column("status", POST_STATUS, server_default="in_force", nullable=False, comment="状态"),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False, comment="版本"),
        sa.Column("arrived_at", MOMENT, nullable=True, comment="拟任时间"),
        sa.Column(
            "proposed_by",
            sa.Text(),
            server_default="",
            nullable=False,
            comment="拟任人标识：自然人标识；复核须由另一人办理",
        ),
    ):
        op.add_column("posts", column)
    op.create_check_constraint("poststatus", "posts", sa.column("status").in_(POST_STATUS.enums))
    op.create_check_constraint("dates", "posts", "valid_to is null or valid_from <= valid_to")
    op.create_unique_constraint(op.f("uq_posts_division_code_id"), "posts", ["division_code", "id"])
    op.create_index("ix_posts_organisation_id_role", "posts", ["organisation_id", "role"])


def _delegations() -> None:
    op.create_table(
        "delegations",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="编号"),
        sa.Column("division_code", models.base.DivisionCode(), nullable=False, comment="区划"),
        sa.Column("post_id", sa.BigInteger(), nullable=False, comment="委托的岗位"),
        sa.Column("holder_id", sa.BigInteger(), nullable=False, comment="委托人用户"),
        sa.Column("officer_id", sa.BigInteger(), nullable=False, comment="受托人用户"),
        sa.Column("title", sa.Text(), nullable=False, comment="委托岗位"),
        sa.Column("holder", sa.Text(), nullable=False, comment="委托人"),
        sa.Column("delegate", sa.Text(), nullable=False, comment="受托人"),
        sa.Column("valid_from", sa.Date(), nullable=False, comment="委托起"),
        sa.Column("valid_to", sa.Date(), nullable=False, comment="委托止"),
        sa.Column(
            "permissions", postgresql.ARRAY(sa.Text()), nullable=True, comment="委托权限：空为该岗位的全部权限"
        ),
        sa.Column("reason", sa.Text(), nullable=False, comment="事由"),
        sa.Column(
            "status",
            sa.Enum(
                "in_force", "revoked", "ended",
                name="delegationstatus", native_enum=False, create_constraint=True, length=40,
            ),
            nullable=False,
            comment="状态",
        ),
        sa.Column("version", sa.Integer(), nullable=False, comment="版本"),
        sa.Column("arrived_at", MOMENT, nullable=True, comment="委托时间"),
        sa.CheckConstraint("valid_from <= valid_to", name=op.f("ck_delegations_dates")),
        sa.CheckConstraint("officer_id <> holder_id", name=op.f("ck_delegations_other")),
        sa.ForeignKeyConstraint(
            ["division_code", "post_id"],
            ["posts.division_code", "posts.id"],
            name=op.f("fk_delegations_division_code_post_id"),
        ),
        sa.ForeignKeyConstraint(["holder_id"], ["officers.id"], name=op.f("fk_delegations_holder_id")),
        sa.ForeignKeyConstraint(["officer_id"], ["officers.id"], name=op.f("fk_delegations_officer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delegations")),
        postgresql.ExcludeConstraint(
            (sa.text("int8range(post_id, post_id, '[]')"), "&&"),
            (sa.text("daterange(valid_from, valid_to, '[]')"), "&&"),
            using="gist",
            where=sa.text("status = 'in_force'"),
            name="ex_delegations_one_at_a_time",
        ),
    )  # fmt: skip
    for name in ("post_id", "holder_id", "officer_id"):
        op.create_index(op.f(f"ix_delegations_{name}"), "delegations", [name])
    op.execute("select apply_scope('delegations', 'ranged')")


def upgrade() -> None:
    """Add what posts, organisations and jobs must say; then the guards and the functions that read them."""
    _posts()
    op.add_column("organisations", sa.Column("closed_on", sa.Date(), nullable=True, comment="撤销日期：空为在用"))
    op.create_index(
        "uq_organisations_one_of_a_kind",
        "organisations",
        ["division_code", "kind", "sector", "bank_id"],
        unique=True,
        postgresql_nulls_not_distinct=True,
        postgresql_where=sa.text("closed_on is null"),
    )
    op.add_column(
        "jobs",
        sa.Column(
            "delegation_id",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="委托：代办时的委托，0 为本人岗位",
        ),
    )
    _delegations()
    run("0008_people")


def downgrade() -> None:
    """Undo it; posts that were never in force are lost."""
    run("0008_people_down")
    op.drop_column("jobs", "delegation_id")
    op.drop_index("uq_organisations_one_of_a_kind", "organisations")
    op.drop_column("organisations", "closed_on")
    op.execute("delete from posts where status in ('proposed', 'refused')")
    op.execute("update posts set valid_to = current_date - 1 where status = 'ended' and valid_to is null")
    op.drop_index("ix_posts_organisation_id_role", "posts")
    op.drop_constraint(op.f("uq_posts_division_code_id"), "posts")
    op.drop_constraint(op.f("ck_posts_dates"), "posts")
    for name in ("proposed_by", "arrived_at", "version", "status", "holder", "organisation"):
        op.drop_column("posts", name)
