"""Tables, part 4: statement_entries, disbursements, result_exceptions, entitlement_successes, failures.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

import models.base
import models.crypto

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('statement_entries',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False, comment='编号'),
    sa.Column('division_code', models.base.DivisionCode(), nullable=False, comment='旗县'),
    sa.Column('statement_id', sa.BigInteger(), nullable=False, comment='对账单'),
    sa.Column('booked_on', sa.Date(), nullable=False, comment='记账日期'),
    sa.Column('credit', sa.Boolean(), nullable=False, comment='收入'),
    sa.Column('amount_fen', sa.BigInteger(), nullable=False, comment='金额（分）'),
    sa.Column('reference', sa.Text(), nullable=False, comment='银行流水'),
    sa.Column('end_to_end_id', sa.Text(), nullable=False, comment='支付标识'),
    sa.Column('kind', sa.Text(), nullable=False, comment='类别'),
    sa.ForeignKeyConstraint(['division_code', 'statement_id'], ['statements.division_code', 'statements.id'], name=op.f('fk_statement_entries_division_code_statement_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_statement_entries'))
    )
    op.create_index('ix_statement_entries_reference', 'statement_entries', ['division_code', 'end_to_end_id'], unique=False)
    op.create_table('disbursements',
    sa.Column('county_code', models.base.DivisionCode(), nullable=False, comment='旗县'),
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False, comment='编号'),
    sa.Column('division_code', models.base.DivisionCode(), nullable=False, comment='苏木乡镇'),
    sa.Column('roster_id', sa.BigInteger(), nullable=False, comment='清册'),
    sa.Column('line_id', sa.BigInteger(), nullable=False, comment='清册明细'),
    sa.Column('line_sequence', sa.Integer(), nullable=False, comment='序号'),
    sa.Column('project_id', sa.BigInteger(), nullable=False, comment='补贴项目'),
    sa.Column('order_id', sa.BigInteger(), nullable=False, comment='支付单'),
    sa.Column('batch_id', sa.BigInteger(), nullable=True, comment='批次'),
    sa.Column('indicator_id', sa.BigInteger(), nullable=False, comment='预算指标'),
    sa.Column('agent_account_id', sa.BigInteger(), nullable=False, comment='代发户'),
    sa.Column('attempt', sa.Integer(), nullable=False, comment='次数'),
    sa.Column('end_to_end_id', sa.Text(), nullable=False, comment='支付标识：EndToEndId，每次尝试唯一'),
    sa.Column('entitlement_key', sa.Text(), nullable=False, comment='发放权'),
    sa.Column('amount_fen', sa.BigInteger(), nullable=False, comment='金额（分）'),
    sa.Column('payee_name', sa.Text(), nullable=False, comment='收款人'),
    sa.Column('account_number', models.crypto.Sealed(), nullable=False, comment='收款账号'),
    sa.Column('account_is_card', sa.Boolean(), nullable=False, comment='社保卡'),
    sa.Column('bank_code', sa.Text(), nullable=False, comment='联行号'),
    sa.Column('status', sa.Enum('reserved', 'pending', 'sent', 'paid', 'failed', 'unknown', 'reversed', 'cancelled', name='disbursementstatus', native_enum=False, create_constraint=True, length=40), nullable=False, comment='状态'),
    sa.Column('reason_code', sa.Text(), nullable=False, comment='原因代码'),
    sa.Column('reason', sa.Text(), nullable=False, comment='失败原因'),
    sa.Column('failure_class', sa.Text(), nullable=False, comment='失败类别'),
    sa.Column('settled_on', sa.Date(), nullable=True, comment='结果日期'),
    sa.CheckConstraint("county_code = left(division_code, 6) || '000000'", name=op.f('ck_disbursements_county')),
    sa.ForeignKeyConstraint(['county_code', 'batch_id'], ['bank_batches.division_code', 'bank_batches.id'], name=op.f('fk_disbursements_county_code_batch_id')),
    sa.ForeignKeyConstraint(['county_code', 'line_id'], ['roster_lines.county_code', 'roster_lines.id'], name=op.f('fk_disbursements_county_code_line_id')),
    sa.ForeignKeyConstraint(['county_code', 'order_id'], ['payment_orders.division_code', 'payment_orders.id'], name=op.f('fk_disbursements_county_code_order_id')),
    sa.ForeignKeyConstraint(['division_code', 'roster_id'], ['rosters.division_code', 'rosters.id'], name=op.f('fk_disbursements_division_code_roster_id')),
    sa.PrimaryKeyConstraint('county_code', 'id', name=op.f('pk_disbursements')),
    sa.UniqueConstraint('county_code', 'line_id', 'attempt', name=op.f('uq_disbursements_county_code_line_id_attempt')),
    sa.UniqueConstraint('end_to_end_id', name=op.f('uq_disbursements_end_to_end_id'))
    )
    op.create_index('ix_disbursements_batch', 'disbursements', ['county_code', 'batch_id'], unique=False)
    op.create_index('ix_disbursements_order', 'disbursements', ['county_code', 'order_id'], unique=False)
    op.create_index('ix_disbursements_roster', 'disbursements', ['division_code', 'roster_id'], unique=False)
    op.create_index('uq_disbursements_live_entitlement', 'disbursements', ['county_code', 'entitlement_key'], unique=True, postgresql_where=sa.text("status in ('reserved', 'pending', 'sent', 'unknown', 'paid')"))
    op.create_table('result_exceptions',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False, comment='编号'),
    sa.Column('division_code', models.base.DivisionCode(), nullable=False, comment='旗县'),
    sa.Column('batch_id', sa.BigInteger(), nullable=False, comment='批次'),
    sa.Column('end_to_end_id', sa.Text(), nullable=False, comment='支付标识'),
    sa.Column('kind', sa.Text(), nullable=False, comment='异常类别'),
    sa.Column('detail', sa.Text(), nullable=False, comment='说明'),
    sa.Column('found_at', postgresql.TIMESTAMP(timezone=True), nullable=False, comment='发现时间'),
    sa.ForeignKeyConstraint(['division_code', 'batch_id'], ['bank_batches.division_code', 'bank_batches.id'], name=op.f('fk_result_exceptions_division_code_batch_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_result_exceptions')),
    sa.UniqueConstraint('division_code', 'batch_id', 'end_to_end_id', 'kind', name=op.f('uq_result_exceptions_division_code_batch_id_end_to_end_id_kind'))
    )
    op.create_table('entitlement_successes',
    sa.Column('entitlement_key', sa.Text(), nullable=False, comment='发放权'),
    sa.Column('division_code', models.base.DivisionCode(), nullable=False, comment='旗县'),
    sa.Column('disbursement_id', sa.BigInteger(), nullable=False, comment='发放明细'),
    sa.ForeignKeyConstraint(['division_code', 'disbursement_id'], ['disbursements.county_code', 'disbursements.id'], name=op.f('fk_entitlement_successes_division_code_disbursement_id')),
    sa.PrimaryKeyConstraint('entitlement_key', name=op.f('pk_entitlement_successes'))
    )
    op.create_table('failures',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False, comment='编号'),
    sa.Column('division_code', models.base.DivisionCode(), nullable=False, comment='苏木乡镇'),
    sa.Column('county_code', models.base.DivisionCode(), nullable=False, comment='旗县'),
    sa.Column('roster_id', sa.BigInteger(), nullable=False, comment='清册'),
    sa.Column('line_id', sa.BigInteger(), nullable=False, comment='清册明细'),
    sa.Column('line_sequence', sa.Integer(), nullable=False, comment='序号'),
    sa.Column('disbursement_id', sa.BigInteger(), nullable=False, comment='发放明细'),
    sa.Column('order_id', sa.BigInteger(), nullable=False, comment='支付单'),
    sa.Column('project_name', sa.Text(), nullable=False, comment='项目名称'),
    sa.Column('sector', sa.Text(), nullable=False, comment='主管领域'),
    sa.Column('name', sa.Text(), nullable=False, comment='收款人'),
    sa.Column('amount_fen', sa.BigInteger(), nullable=False, comment='金额（分）'),
    sa.Column('failure_class', sa.Text(), nullable=False, comment='失败类别'),
    sa.Column('reason', sa.Text(), nullable=False, comment='失败原因'),
    sa.Column('route', sa.Enum('change_account', 'activate', 'remove', 'finance', 'exception', name='failureroute', native_enum=False, create_constraint=True, length=40), nullable=False, comment='处理方式'),
    sa.Column('status', sa.Enum('open', 'notified', 'corrected', 'reissued', 'reported', 'removed', 'refunded', 'settled', 'replaced', name='failurestatus', native_enum=False, create_constraint=True, length=40), nullable=False, comment='状态'),
    sa.Column('version', sa.Integer(), nullable=False, comment='版本'),
    sa.Column('arrived_at', postgresql.TIMESTAMP(timezone=True), nullable=False, comment='到达时间'),
    sa.Column('due_on', sa.Date(), nullable=True, comment='办理期限'),
    sa.Column('resolution', sa.Text(), nullable=False, comment='处理说明'),
    sa.Column('refund_id', sa.BigInteger(), nullable=True, comment='退款单'),
    sa.CheckConstraint("county_code = left(division_code, 6) || '000000'", name=op.f('ck_failures_county')),
    sa.ForeignKeyConstraint(['county_code', 'disbursement_id'], ['disbursements.county_code', 'disbursements.id'], name=op.f('fk_failures_county_code_disbursement_id')),
    sa.ForeignKeyConstraint(['county_code', 'line_id'], ['roster_lines.county_code', 'roster_lines.id'], name=op.f('fk_failures_county_code_line_id')),
    sa.ForeignKeyConstraint(['county_code', 'refund_id'], ['refunds.division_code', 'refunds.id'], name=op.f('fk_failures_county_code_refund_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_failures')),
    sa.UniqueConstraint('county_code', 'disbursement_id', name=op.f('uq_failures_county_code_disbursement_id')),
    sa.UniqueConstraint('division_code', 'id', name=op.f('uq_failures_division_code_id'))
    )


def downgrade() -> None:
    op.drop_table("failures")
    op.drop_table("entitlement_successes")
    op.drop_table("result_exceptions")
    op.drop_table("disbursements")
    op.drop_table("statement_entries")
