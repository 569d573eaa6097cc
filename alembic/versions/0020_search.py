"""Search of the registry at ten million people.

Revision ID: 0020
Revises: 0019
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

import models.base

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"


def run(name: str) -> None:
    """Run a reviewed file as it stands: a driver call, so that neither % nor : is touched."""
    op.get_bind().connection.driver_connection.execute((SQL / f"{name}.sql").read_text())


def _villages() -> None:
    op.create_table(
        "villages",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="编号"),
        sa.Column("division_code", models.base.DivisionCode(), nullable=False, comment="苏木乡镇"),
        sa.Column("county_code", models.base.DivisionCode(), nullable=False, comment="旗县"),
        sa.Column("name", sa.Text(), nullable=False, comment="嘎查村"),
        sa.CheckConstraint("county_code = left(division_code, 6) || '000000'", name=op.f("ck_villages_county")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_villages")),
        sa.UniqueConstraint("division_code", "name", name=op.f("uq_villages_division_code_name")),
    )


def _enquiries() -> None:
    op.create_table(
        "enquiries",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="编号"),
        sa.Column("division_code", models.base.DivisionCode(), nullable=False, comment="查询机构所在地"),
        sa.Column("number", sa.Text(), nullable=False, comment="查询编号"),
        sa.Column(
            "way",
            sa.Enum("id", "account", name="enquiryway", native_enum=False, create_constraint=True, length=40),
            nullable=False,
            comment="查询方式",
        ),
        sa.Column(
            "purpose",
            sa.Enum(
                "self",
                "agent",
                "guardian",
                "heir",
                "visit",
                name="enquirypurpose",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
            comment="查询类别",
        ),
        sa.Column("reason", sa.Text(), nullable=False, comment="查询说明：不含个人信息"),
        sa.Column(
            "persons", postgresql.ARRAY(sa.Text()), nullable=False, comment="自然人标识：随机，合并前后的全部标识"
        ),
        sa.Column("member_id", sa.BigInteger(), nullable=True, comment="成员：在管辖范围内的现存记录"),
        sa.Column("keeper", sa.Text(), nullable=False, comment="管理地：登记该人员的苏木乡镇，只在辖区外时显示"),
        sa.Column("line_count", sa.Integer(), nullable=False, comment="显示笔数（笔）"),
        sa.Column("elsewhere_count", sa.Integer(), nullable=False, comment="其他地区笔数（笔）：只告知笔数"),
        sa.Column("officer_id", sa.BigInteger(), nullable=False, comment="用户"),
        sa.Column("officer_person", sa.Text(), nullable=False, comment="自然人：查询人的自然人标识"),
        sa.Column("officer_name", sa.Text(), nullable=False, comment="查询人"),
        sa.Column("post", sa.Text(), nullable=False, comment="岗位"),
        sa.Column("address", sa.Text(), nullable=False, comment="来源地址"),
        sa.Column(
            "enquired_at",
            postgresql.TIMESTAMP(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=True,
            comment="查询时间",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_enquiries")),
        sa.UniqueConstraint("division_code", "id", name=op.f("uq_enquiries_division_code_id")),
        sa.UniqueConstraint("number", name=op.f("uq_enquiries_number")),
    )
    op.create_index("ix_enquiries_officer", "enquiries", ["officer_id", "enquired_at"], unique=False)
    op.create_index("ix_enquiries_time", "enquiries", ["division_code", "enquired_at"], unique=False)


def upgrade() -> None:
    """Make the tables, then the indexes, the functions and their policies."""
    _villages()
    _enquiries()
    run("0020_search")


def downgrade() -> None:
    """Take it away again."""
    run("0020_search_down")
    op.drop_table("enquiries")
    op.drop_table("villages")
