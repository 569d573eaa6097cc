"""Persons kept elsewhere are referenced, and people move between townships.

Revision ID: 0017
Revises: 0016
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

import models.base
import models.crypto

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"
STATUS = "householdstatus"
BEFORE, AFTER = ("active", "closed"), ("active", "closed", "virtual")


def run(name: str) -> None:
    """Run a reviewed file as it stands: a driver call, so that neither % nor : is touched."""
    op.get_bind().connection.driver_connection.execute((SQL / f"{name}.sql").read_text())


def _household_status(values: tuple[str, ...]) -> None:
    """Let a household's status be one of these: the check as the enum's type writes it."""
    op.drop_constraint(op.f(f"ck_households_{STATUS}"), "households", type_="check")
    listed = ", ".join(f"'{value}'" for value in values)
    op.create_check_constraint(op.f(f"ck_households_{STATUS}"), "households", f"status in ({listed})")


def _virtual_members() -> None:
    op.create_table('virtual_members',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False, comment='编号'),
    sa.Column('division_code', models.base.DivisionCode(), nullable=False, comment='发放地苏木乡镇'),
    sa.Column('county_code', models.base.DivisionCode(), nullable=False, comment='发放地旗县'),
    sa.Column('number', sa.Text(), nullable=False, comment='引用编号'),
    sa.Column('status', sa.Enum('proposed', 'approved', 'in_force', 'refused', 'withdrawn', 'ended', name='virtualstatus', native_enum=False, create_constraint=True, length=40), nullable=False, comment='状态'),
    sa.Column('version', sa.Integer(), nullable=False, comment='版本'),
    sa.Column('keeper_code', models.base.DivisionCode(), nullable=False, comment='管理地代码'),
    sa.Column('keeper', sa.Text(), nullable=False, comment='管理地苏木乡镇'),
    sa.Column('keeper_member_id', sa.BigInteger(), nullable=False, comment='管理地成员：不是外键：管理地的记录不在本区划'),
    sa.Column('person', sa.Text(), nullable=False, comment='自然人标识：跨苏木乡镇迁移后不变'),
    sa.Column('name', sa.Text(), nullable=False, comment='姓名：脱敏后的姓名'),
    sa.Column('project_id', sa.BigInteger(), nullable=True, comment='补贴项目编号：空为全部项目'),
    sa.Column('project_name', sa.Text(), nullable=False, comment='补贴项目'),
    sa.Column('reason', sa.Text(), nullable=False, comment='引用原因'),
    sa.Column('prepared_at', postgresql.TIMESTAMP(timezone=True), nullable=False, comment='提出时间'),
    sa.Column('arrived_at', postgresql.TIMESTAMP(timezone=True), nullable=True, comment='到达时间'),
    sa.Column('started_on', sa.Date(), nullable=True, comment='引用起'),
    sa.Column('ended_on', sa.Date(), nullable=True, comment='引用止'),
    sa.Column('ended_for', sa.Text(), nullable=False, comment='终止原因'),
    sa.Column('household_id', sa.BigInteger(), nullable=True, comment='本地虚拟户：只为清册明细而设'),
    sa.Column('member_id', sa.BigInteger(), nullable=True, comment='本地虚拟成员：只为清册明细而设'),
    sa.Column('person_status', sa.Enum('alive', 'dead', 'missing', 'moved', name='personstatus', native_enum=False, create_constraint=True, length=40), nullable=True, comment='人员状态'),
    sa.Column('died_on', sa.Date(), nullable=True, comment='死亡日期'),
    sa.Column('account_number', models.crypto.Sealed(), nullable=True, comment='收款账号'),
    sa.Column('account_index', models.crypto.BlindIndex(), nullable=True, comment='账号盲索引'),
    sa.Column('bank_name', sa.Text(), nullable=False, comment='开户银行'),
    sa.Column('bank_code', sa.Text(), nullable=False, comment='联行号'),
    sa.Column('account_state', sa.Text(), nullable=True, comment='账户状态：管理地登记的银行答复，空为尚未验证'),
    sa.Column('account_is_card', sa.Boolean(), nullable=True, comment='社会保障卡'),
    sa.Column('account_verified_at', postgresql.TIMESTAMP(timezone=True), nullable=True, comment='账户验证时间'),
    sa.Column('refreshed_at', postgresql.TIMESTAMP(timezone=True), nullable=True, comment='快照时间：最近一次从管理地取得以上内容的时间'),
    sa.CheckConstraint("county_code = left(division_code, 6) || '000000'", name=op.f('ck_virtual_members_county')),
    sa.ForeignKeyConstraint(['division_code', 'household_id'], ['households.division_code', 'households.id'], name=op.f('fk_virtual_members_division_code_household_id')),
    sa.ForeignKeyConstraint(['division_code', 'member_id'], ['members.division_code', 'members.id'], name=op.f('fk_virtual_members_division_code_member_id')),
    sa.ForeignKeyConstraint(['project_id'], ['subsidy_projects.id'], name=op.f('fk_virtual_members_project_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_virtual_members')),
    sa.UniqueConstraint('division_code', 'id', name=op.f('uq_virtual_members_division_code_id')),
    sa.UniqueConstraint('number', name=op.f('uq_virtual_members_number'))
    )
    op.create_index('ix_virtual_members_keeper', 'virtual_members', ['keeper_code', 'keeper_member_id'], unique=False)
    op.create_index('ix_virtual_members_member', 'virtual_members', ['division_code', 'member_id'], unique=False)
    op.create_index('ix_virtual_members_person', 'virtual_members', ['person'], unique=False)
    op.create_index('ix_virtual_members_status', 'virtual_members', ['division_code', 'status'], unique=False)
    op.create_index('uq_virtual_members_live', 'virtual_members', ['division_code', 'person', sa.literal_column('coalesce(project_id, 0)')], unique=True, postgresql_where=sa.text("person <> '' and status in ('proposed', 'approved', 'in_force')"))


def _transfers() -> None:
    op.create_table('transfers',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False, comment='编号'),
    sa.Column('division_code', models.base.DivisionCode(), nullable=False, comment='苏木乡镇'),
    sa.Column('county_code', models.base.DivisionCode(), nullable=False, comment='旗县'),
    sa.Column('number', sa.Text(), nullable=False, comment='迁移编号'),
    sa.Column('side', sa.Enum('in', 'out', name='transferside', native_enum=False, create_constraint=True, length=40), nullable=False, comment='方向'),
    sa.Column('status', sa.Enum('requested', 'sent', 'asked', 'done', 'refused', 'withdrawn', name='transferstatus', native_enum=False, create_constraint=True, length=40), nullable=False, comment='状态'),
    sa.Column('version', sa.Integer(), nullable=False, comment='版本'),
    sa.Column('partner_code', models.base.DivisionCode(), nullable=False, comment='对方代码'),
    sa.Column('partner', sa.Text(), nullable=False, comment='对方苏木乡镇'),
    sa.Column('pair_id', sa.BigInteger(), nullable=False, comment='对方记录'),
    sa.Column('person', sa.Text(), nullable=False, comment='自然人标识'),
    sa.Column('name', sa.Text(), nullable=False, comment='姓名：脱敏后的姓名'),
    sa.Column('reason', sa.Text(), nullable=False, comment='迁移原因'),
    sa.Column('effective_on', sa.Date(), nullable=False, comment='迁移日期：实际迁居的日期'),
    sa.Column('household_id', sa.BigInteger(), nullable=True, comment='户：迁入方为空：新建户'),
    sa.Column('member_id', sa.BigInteger(), nullable=True, comment='成员'),
    sa.Column('relation', sa.Text(), nullable=False, comment='与户主关系：GB/T 4761，迁入后'),
    sa.Column('village_code', sa.Text(), nullable=False, comment='嘎查村代码'),
    sa.Column('village', sa.Text(), nullable=False, comment='嘎查村'),
    sa.Column('group_name', sa.Text(), nullable=False, comment='村民小组'),
    sa.Column('address', sa.Text(), nullable=False, comment='住址'),
    sa.Column('evidence_count', sa.Integer(), nullable=False, comment='佐证材料（份）'),
    sa.Column('prepared_at', postgresql.TIMESTAMP(timezone=True), nullable=False, comment='提出时间'),
    sa.Column('arrived_at', postgresql.TIMESTAMP(timezone=True), nullable=True, comment='到达时间'),
    sa.Column('answered_at', postgresql.TIMESTAMP(timezone=True), nullable=True, comment='答复时间'),
    sa.Column('refused_for', sa.Text(), nullable=False, comment='不同意的原因'),
    sa.Column('change_id', sa.BigInteger(), nullable=True, comment='变更单'),
    sa.CheckConstraint("county_code = left(division_code, 6) || '000000'", name=op.f('ck_transfers_county')),
    sa.ForeignKeyConstraint(['division_code', 'household_id'], ['households.division_code', 'households.id'], name=op.f('fk_transfers_division_code_household_id')),
    sa.ForeignKeyConstraint(['division_code', 'member_id'], ['members.division_code', 'members.id'], name=op.f('fk_transfers_division_code_member_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_transfers')),
    sa.UniqueConstraint('division_code', 'id', name=op.f('uq_transfers_division_code_id')),
    sa.UniqueConstraint('number', name=op.f('uq_transfers_number'))
    )
    op.create_index('ix_transfers_status', 'transfers', ['division_code', 'status'], unique=False)
    op.create_index('uq_transfers_live', 'transfers', ['person'], unique=True, postgresql_where=sa.text("person <> '' and side = 'in' and status in ('requested', 'sent')"))


def upgrade() -> None:
    """Make the tables, then their policies, guards and functions."""
    _household_status(AFTER)
    _virtual_members()
    _transfers()
    run("0017_virtual")


def downgrade() -> None:
    """Take it away again; local rows of virtual members stay as closed households, for what was paid under them."""
    run("0017_virtual_down")
    op.drop_table("transfers")
    op.drop_table("virtual_members")
    op.execute("update households set status = 'closed' where status = 'virtual'")
    _household_status(BEFORE)
