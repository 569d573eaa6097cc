"""Tables, part 3: import_rows, login_sessions, notices, objections, payment_orders, roster_lines, roster_warnings, statements, bank_batches, differences, refunds.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

import models.base
import models.crypto

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('import_rows',
    sa.Column('division_code', models.base.DivisionCode(), nullable=False, comment='苏木乡镇'),
    sa.Column('import_id', sa.BigInteger(), nullable=False, comment='导入'),
    sa.Column('row_number', sa.Integer(), nullable=False, comment='行号'),
    sa.Column('village', sa.Text(), nullable=False, comment='嘎查村'),
    sa.Column('group_name', sa.Text(), nullable=False, comment='小组'),
    sa.Column('head_name', sa.Text(), nullable=False, comment='户主'),
    sa.Column('name', sa.Text(), nullable=False, comment='享受人'),
    sa.Column('name_key', sa.Text(), nullable=False, comment='姓名比对键'),
    sa.Column('id_number', models.crypto.Sealed(), nullable=False, comment='身份证号'),
    sa.Column('id_index', sa.LargeBinary(), nullable=False, comment='身份证盲索引'),
    sa.Column('payee_name', sa.Text(), nullable=False, comment='收款人'),
    sa.Column('account_number', models.crypto.Sealed(), nullable=True, comment='账号'),
    sa.Column('account_index', sa.LargeBinary(), nullable=True, comment='账号盲索引'),
    sa.Column('bank_name', sa.Text(), nullable=False, comment='开户银行'),
    sa.Column('quantity', sa.Numeric(precision=14, scale=3), nullable=False, comment='数量'),
    sa.Column('standard', sa.Numeric(precision=14, scale=4), nullable=False, comment='标准'),
    sa.Column('amount_fen', sa.BigInteger(), nullable=False, comment='金额（分）'),
    sa.Column('component', sa.Text(), nullable=False, comment='构成'),
    sa.Column('entitlement_key', sa.Text(), nullable=False, comment='发放权'),
    sa.Column('note', sa.Text(), nullable=False, comment='备注'),
    sa.ForeignKeyConstraint(['division_code', 'import_id'], ['roster_imports.division_code', 'roster_imports.id'], name=op.f('fk_import_rows_division_code_import_id')),
    sa.PrimaryKeyConstraint('division_code', 'import_id', 'row_number', name=op.f('pk_import_rows'))
    )
    op.create_table('login_sessions',
    sa.Column('token_hash', sa.LargeBinary(), nullable=False, comment='令牌散列'),
    sa.Column('officer_id', sa.BigInteger(), nullable=False, comment='用户'),
    sa.Column('post_id', sa.BigInteger(), nullable=False, comment='当前岗位'),
    sa.Column('csrf_token', sa.Text(), nullable=False, comment='防伪令牌'),
    sa.Column('started_at', postgresql.TIMESTAMP(timezone=True), nullable=False, comment='登录时间'),
    sa.Column('seen_at', postgresql.TIMESTAMP(timezone=True), nullable=False, comment='最近活动'),
    sa.Column('confirmed_at', postgresql.TIMESTAMP(timezone=True), nullable=True, comment='最近复核身份时间：拨付前重新验证'),
    sa.Column('ended_at', postgresql.TIMESTAMP(timezone=True), nullable=True, comment='结束时间'),
    sa.ForeignKeyConstraint(['officer_id'], ['officers.id'], name=op.f('fk_login_sessions_officer_id')),
    sa.ForeignKeyConstraint(['post_id'], ['posts.id'], name=op.f('fk_login_sessions_post_id')),
    sa.PrimaryKeyConstraint('token_hash', name=op.f('pk_login_sessions'))
    )
    op.create_index(op.f('ix_login_sessions_officer_id'), 'login_sessions', ['officer_id'], unique=False)
    op.create_table('notices',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False, comment='编号'),
    sa.Column('division_code', models.base.DivisionCode(), nullable=False, comment='苏木乡镇'),
    sa.Column('county_code', models.base.DivisionCode(), nullable=False, comment='旗县'),
    sa.Column('roster_id', sa.BigInteger(), nullable=False, comment='清册'),
    sa.Column('round', sa.Integer(), nullable=False, comment='轮次'),
    sa.Column('mode', sa.Enum('online', 'offline', name='noticemode', native_enum=False, create_constraint=True, length=40), nullable=False, comment='方式'),
    sa.Column('statement', sa.Text(), nullable=False, comment='说明：线下公示须说明地点'),
    sa.Column('published_at', postgresql.TIMESTAMP(timezone=True), nullable=False, comment='公示开始'),
    sa.Column('ends_at', postgresql.TIMESTAMP(timezone=True), nullable=False, comment='公示届满'),
    sa.Column('line_count', sa.Integer(), nullable=False, comment='公示明细数（笔）'),
    sa.Column('content', postgresql.JSONB(astext_type=sa.Text()), nullable=False, comment='公示内容：脱敏后的固定内容'),
    sa.Column('digest', sa.Text(), nullable=False, comment='内容摘要'),
    sa.CheckConstraint("county_code = left(division_code, 6) || '000000'", name=op.f('ck_notices_county')),
    sa.ForeignKeyConstraint(['division_code', 'roster_id'], ['rosters.division_code', 'rosters.id'], name=op.f('fk_notices_division_code_roster_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_notices')),
    sa.UniqueConstraint('division_code', 'roster_id', 'round', name=op.f('uq_notices_division_code_roster_id_round'))
    )
    op.create_table('objections',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False, comment='编号'),
    sa.Column('division_code', models.base.DivisionCode(), nullable=False, comment='苏木乡镇'),
    sa.Column('county_code', models.base.DivisionCode(), nullable=False, comment='旗县'),
    sa.Column('roster_id', sa.BigInteger(), nullable=False, comment='清册'),
    sa.Column('line_sequence', sa.Integer(), nullable=True, comment='涉及序号'),
    sa.Column('text', sa.Text(), nullable=False, comment='异议内容'),
    sa.Column('received_at', postgresql.TIMESTAMP(timezone=True), nullable=False, comment='收到时间'),
    sa.Column('status', sa.Enum('open', 'settled', name='objectionstatus', native_enum=False, create_constraint=True, length=40), nullable=False, comment='状态'),
    sa.Column('answer', sa.Text(), nullable=False, comment='处理意见'),
    sa.Column('settled_at', postgresql.TIMESTAMP(timezone=True), nullable=True, comment='处理时间'),
    sa.CheckConstraint("county_code = left(division_code, 6) || '000000'", name=op.f('ck_objections_county')),
    sa.ForeignKeyConstraint(['division_code', 'roster_id'], ['rosters.division_code', 'rosters.id'], name=op.f('fk_objections_division_code_roster_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_objections'))
    )
    op.create_index('ix_objections_roster', 'objections', ['division_code', 'roster_id'], unique=False)
    op.create_table('payment_orders',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False, comment='编号'),
    sa.Column('division_code', models.base.DivisionCode(), nullable=False, comment='旗县'),
    sa.Column('number', sa.Text(), nullable=False, comment='支付单号'),
    sa.Column('project_id', sa.BigInteger(), nullable=False, comment='补贴项目'),
    sa.Column('project_name', sa.Text(), nullable=False, comment='项目名称'),
    sa.Column('sector', sa.Text(), nullable=False, comment='主管领域'),
    sa.Column('indicator_id', sa.BigInteger(), nullable=False, comment='预算指标'),
    sa.Column('agent_account_id', sa.BigInteger(), nullable=False, comment='代发户'),
    sa.Column('status', sa.Enum('drafted', 'released', 'requested', 'funded', 'rejected', 'cancelled', name='paymentorderstatus', native_enum=False, create_constraint=True, length=40), nullable=False, comment='状态'),
    sa.Column('version', sa.Integer(), nullable=False, comment='版本'),
    sa.Column('line_count', sa.Integer(), nullable=False, comment='笔数（笔）'),
    sa.Column('amount_fen', sa.BigInteger(), nullable=False, comment='金额（分）'),
    sa.Column('attempt', sa.Integer(), nullable=False, comment='申请次数'),
    sa.Column('pay_app_no', sa.Text(), nullable=True, comment='支付申请号'),
    sa.Column('drafted_at', postgresql.TIMESTAMP(timezone=True), nullable=False, comment='生成时间'),
    sa.Column('arrived_at', postgresql.TIMESTAMP(timezone=True), nullable=False, comment='到达时间'),
    sa.Column('due_on', sa.Date(), nullable=True, comment='办理期限'),
    sa.Column('funded_at', postgresql.TIMESTAMP(timezone=True), nullable=True, comment='拨付成功时间'),
    sa.Column('credited_at', postgresql.TIMESTAMP(timezone=True), nullable=True, comment='到账时间'),
    sa.Column('answer', sa.Text(), nullable=False, comment='一体化系统答复'),
    sa.CheckConstraint('amount_fen > 0', name=op.f('ck_payment_orders_amount')),
    sa.ForeignKeyConstraint(['division_code', 'agent_account_id'], ['agent_accounts.division_code', 'agent_accounts.id'], name=op.f('fk_payment_orders_division_code_agent_account_id')),
    sa.ForeignKeyConstraint(['division_code', 'indicator_id'], ['budget_indicators.division_code', 'budget_indicators.id'], name=op.f('fk_payment_orders_division_code_indicator_id')),
    sa.ForeignKeyConstraint(['project_id'], ['subsidy_projects.id'], name=op.f('fk_payment_orders_project_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_payment_orders')),
    sa.UniqueConstraint('division_code', 'id', name=op.f('uq_payment_orders_division_code_id')),
    sa.UniqueConstraint('number', name=op.f('uq_payment_orders_number')),
    sa.UniqueConstraint('pay_app_no', name=op.f('uq_payment_orders_pay_app_no'))
    )
    op.create_table('roster_lines',
    sa.Column('county_code', models.base.DivisionCode(), nullable=False, comment='旗县'),
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False, comment='编号'),
    sa.Column('division_code', models.base.DivisionCode(), nullable=False, comment='苏木乡镇'),
    sa.Column('roster_id', sa.BigInteger(), nullable=False, comment='清册'),
    sa.Column('sequence', sa.Integer(), nullable=False, comment='序号'),
    sa.Column('household_id', sa.BigInteger(), nullable=False, comment='户'),
    sa.Column('member_id', sa.BigInteger(), nullable=False, comment='享受人编号'),
    sa.Column('village', sa.Text(), nullable=False, comment='嘎查村'),
    sa.Column('group_name', sa.Text(), nullable=False, comment='小组'),
    sa.Column('head_name', sa.Text(), nullable=False, comment='户主姓名'),
    sa.Column('name', sa.Text(), nullable=False, comment='享受人'),
    sa.Column('id_number', models.crypto.Sealed(), nullable=False, comment='身份证号'),
    sa.Column('id_index', sa.LargeBinary(), nullable=False, comment='身份证盲索引'),
    sa.Column('payee_name', sa.Text(), nullable=False, comment='收款人'),
    sa.Column('payee_relation', sa.Enum('self', 'head', 'guardian', 'heir', name='payeerelation', native_enum=False, create_constraint=True, length=40), nullable=False, comment='收款人关系'),
    sa.Column('account_id', sa.BigInteger(), nullable=True, comment='账户'),
    sa.Column('account_number', models.crypto.Sealed(), nullable=True, comment='收款账号'),
    sa.Column('account_index', sa.LargeBinary(), nullable=True, comment='账号盲索引'),
    sa.Column('bank_name', sa.Text(), nullable=False, comment='开户银行'),
    sa.Column('bank_code', sa.Text(), nullable=False, comment='联行号'),
    sa.Column('quantity', sa.Numeric(precision=14, scale=3), nullable=False, comment='数量'),
    sa.Column('standard', sa.Numeric(precision=14, scale=4), nullable=False, comment='补贴标准（元）'),
    sa.Column('amount_fen', sa.BigInteger(), nullable=False, comment='补贴金额（分）'),
    sa.Column('component', sa.Text(), nullable=False, comment='构成：地块、机具、补发序号等，同一发放权的组成'),
    sa.Column('entitlement_key', sa.Text(), nullable=False, comment='发放权：项目×所属期×享受人×构成 的散列'),
    sa.Column('state', sa.Enum('active', 'held', 'stopped', name='linestate', native_enum=False, create_constraint=True, length=40), nullable=False, comment='明细状态'),
    sa.Column('state_reason', sa.Text(), nullable=False, comment='停缓发原因'),
    sa.Column('note', sa.Text(), nullable=False, comment='备注'),
    sa.Column('identity_outcome', sa.Enum('match', 'mismatch', 'dead', 'not_found', name='identityoutcome', native_enum=False, create_constraint=True, length=40), nullable=True, comment='核查结果'),
    sa.Column('identity_checked_at', postgresql.TIMESTAMP(timezone=True), nullable=True, comment='核查时间'),
    sa.Column('died_on', sa.Date(), nullable=True, comment='死亡日期'),
    sa.Column('account_state', sa.Text(), nullable=True, comment='账户验证：银行答复，空为尚未验证'),
    sa.Column('account_is_card', sa.Boolean(), nullable=True, comment='社保卡'),
    sa.Column('account_checked_at', postgresql.TIMESTAMP(timezone=True), nullable=True, comment='验证时间'),
    sa.Column('contracted_area_mu', sa.Numeric(precision=14, scale=3), nullable=True, comment='承包面积（亩）'),
    sa.Column('previous_amount_fen', sa.BigInteger(), nullable=True, comment='上期金额（分）'),
    sa.Column('phone_present', sa.Boolean(), nullable=False, comment='有手机号'),
    sa.Column('member_added_on', sa.Date(), nullable=True, comment='对象入库日期'),
    sa.Column('reviewed_on', sa.Date(), nullable=True, comment='最近复核日期'),
    sa.CheckConstraint("county_code = left(division_code, 6) || '000000'", name=op.f('ck_roster_lines_county')),
    sa.CheckConstraint('amount_fen > 0', name=op.f('ck_roster_lines_amount')),
    sa.ForeignKeyConstraint(['division_code', 'household_id'], ['households.division_code', 'households.id'], name=op.f('fk_roster_lines_division_code_household_id')),
    sa.ForeignKeyConstraint(['division_code', 'member_id'], ['members.division_code', 'members.id'], name=op.f('fk_roster_lines_division_code_member_id')),
    sa.ForeignKeyConstraint(['division_code', 'roster_id'], ['rosters.division_code', 'rosters.id'], name=op.f('fk_roster_lines_division_code_roster_id')),
    sa.PrimaryKeyConstraint('county_code', 'id', name=op.f('pk_roster_lines')),
    sa.UniqueConstraint('division_code', 'id', name=op.f('uq_roster_lines_division_code_id'))
    )
    op.create_index('ix_roster_lines_account', 'roster_lines', ['division_code', 'account_index'], unique=False)
    op.create_index('ix_roster_lines_entitlement', 'roster_lines', ['county_code', 'entitlement_key'], unique=False)
    op.create_index('ix_roster_lines_roster', 'roster_lines', ['division_code', 'roster_id', 'sequence'], unique=True)
    op.create_table('roster_warnings',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False, comment='编号'),
    sa.Column('division_code', models.base.DivisionCode(), nullable=False, comment='苏木乡镇'),
    sa.Column('county_code', models.base.DivisionCode(), nullable=False, comment='旗县'),
    sa.Column('roster_id', sa.BigInteger(), nullable=False, comment='清册'),
    sa.Column('line_id', sa.BigInteger(), nullable=False, comment='明细'),
    sa.Column('line_sequence', sa.Integer(), nullable=False, comment='序号'),
    sa.Column('rule_code', sa.Text(), nullable=False, comment='规则编码'),
    sa.Column('rule_version', sa.Integer(), nullable=False, comment='规则版本'),
    sa.Column('rule_name', sa.Text(), nullable=False, comment='规则名称'),
    sa.Column('light', sa.Enum('red', 'yellow', 'blue', name='light', native_enum=False, create_constraint=True, length=40), nullable=False, comment='灯色'),
    sa.Column('gate', sa.Enum('report', 'department', 'finance', name='gate', native_enum=False, create_constraint=True, length=40), nullable=False, comment='环节'),
    sa.Column('message', sa.Text(), nullable=False, comment='提示'),
    sa.Column('evidence', postgresql.JSONB(astext_type=sa.Text()), nullable=False, comment='依据数据'),
    sa.Column('skipped', sa.Boolean(), nullable=False, comment='未能判断：清册一级的提示：部分明细缺少数据，规则没有判断（明细、序号为 0）'),
    sa.Column('raised_at', postgresql.TIMESTAMP(timezone=True), nullable=False, comment='触发时间'),
    sa.Column('explanation', sa.Text(), nullable=False, comment='说明'),
    sa.Column('explained_by', sa.Text(), nullable=False, comment='说明人'),
    sa.Column('explained_at', postgresql.TIMESTAMP(timezone=True), nullable=True, comment='说明时间'),
    sa.Column('live', sa.Boolean(), nullable=False, comment='有效：再次核查不再触发时为假'),
    sa.CheckConstraint("county_code = left(division_code, 6) || '000000'", name=op.f('ck_roster_warnings_county')),
    sa.ForeignKeyConstraint(['division_code', 'roster_id'], ['rosters.division_code', 'rosters.id'], name=op.f('fk_roster_warnings_division_code_roster_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_roster_warnings')),
    sa.UniqueConstraint('division_code', 'roster_id', 'line_id', 'rule_code', name=op.f('uq_roster_warnings_division_code_roster_id_line_id_rule_code'))
    )
    op.create_table('statements',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False, comment='编号'),
    sa.Column('division_code', models.base.DivisionCode(), nullable=False, comment='旗县'),
    sa.Column('agent_account_id', sa.BigInteger(), nullable=False, comment='代发户'),
    sa.Column('statement_number', sa.Text(), nullable=False, comment='对账单号'),
    sa.Column('day', sa.Date(), nullable=False, comment='账单日期'),
    sa.Column('opening_fen', sa.BigInteger(), nullable=False, comment='期初余额（分）'),
    sa.Column('closing_fen', sa.BigInteger(), nullable=False, comment='期末余额（分）'),
    sa.Column('entry_count', sa.Integer(), nullable=False, comment='笔数（笔）'),
    sa.Column('our_balance_fen', sa.BigInteger(), nullable=False, comment='账面余额（分）'),
    sa.Column('status', sa.Enum('agreed', 'different', name='reconciliationstatus', native_enum=False, create_constraint=True, length=40), nullable=False, comment='对账结果'),
    sa.Column('difference_count', sa.Integer(), nullable=False, comment='差异数（笔）'),
    sa.Column('reconciled_at', postgresql.TIMESTAMP(timezone=True), nullable=False, comment='对账时间'),
    sa.ForeignKeyConstraint(['division_code', 'agent_account_id'], ['agent_accounts.division_code', 'agent_accounts.id'], name=op.f('fk_statements_division_code_agent_account_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_statements')),
    sa.UniqueConstraint('division_code', 'agent_account_id', 'statement_number', name=op.f('uq_statements_division_code_agent_account_id_statement_number')),
    sa.UniqueConstraint('division_code', 'id', name=op.f('uq_statements_division_code_id'))
    )
    op.create_table('bank_batches',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False, comment='编号'),
    sa.Column('division_code', models.base.DivisionCode(), nullable=False, comment='旗县'),
    sa.Column('number', sa.Text(), nullable=False, comment='批次号：报文标识 MsgId'),
    sa.Column('order_id', sa.BigInteger(), nullable=False, comment='支付单'),
    sa.Column('agent_account_id', sa.BigInteger(), nullable=False, comment='代发户'),
    sa.Column('project_name', sa.Text(), nullable=False, comment='项目名称'),
    sa.Column('correction', sa.Boolean(), nullable=False, comment='补发批次'),
    sa.Column('status', sa.Enum('prepared', 'released', 'sent', 'accepted', 'refused', 'settled', 'closed', name='bankbatchstatus', native_enum=False, create_constraint=True, length=40), nullable=False, comment='状态'),
    sa.Column('version', sa.Integer(), nullable=False, comment='版本'),
    sa.Column('line_count', sa.Integer(), nullable=False, comment='笔数（笔）'),
    sa.Column('amount_fen', sa.BigInteger(), nullable=False, comment='金额（分）'),
    sa.Column('paid_count', sa.Integer(), nullable=False, comment='成功笔数（笔）'),
    sa.Column('paid_fen', sa.BigInteger(), nullable=False, comment='成功金额（分）'),
    sa.Column('failed_count', sa.Integer(), nullable=False, comment='失败笔数（笔）'),
    sa.Column('failed_fen', sa.BigInteger(), nullable=False, comment='失败金额（分）'),
    sa.Column('prepared_at', postgresql.TIMESTAMP(timezone=True), nullable=False, comment='生成时间'),
    sa.Column('arrived_at', postgresql.TIMESTAMP(timezone=True), nullable=False, comment='到达时间'),
    sa.Column('due_on', sa.Date(), nullable=True, comment='办理期限'),
    sa.Column('sent_at', postgresql.TIMESTAMP(timezone=True), nullable=True, comment='发送时间'),
    sa.Column('settled_at', postgresql.TIMESTAMP(timezone=True), nullable=True, comment='结果返回时间'),
    sa.Column('file_id', sa.BigInteger(), nullable=True, comment='报文'),
    sa.Column('bank_reference', sa.Text(), nullable=False, comment='银行受理号'),
    sa.ForeignKeyConstraint(['division_code', 'order_id'], ['payment_orders.division_code', 'payment_orders.id'], name=op.f('fk_bank_batches_division_code_order_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_bank_batches')),
    sa.UniqueConstraint('division_code', 'id', name=op.f('uq_bank_batches_division_code_id')),
    sa.UniqueConstraint('number', name=op.f('uq_bank_batches_number'))
    )
    op.create_table('differences',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False, comment='编号'),
    sa.Column('division_code', models.base.DivisionCode(), nullable=False, comment='旗县'),
    sa.Column('statement_id', sa.BigInteger(), nullable=False, comment='对账单'),
    sa.Column('kind', sa.Text(), nullable=False, comment='差异类别'),
    sa.Column('end_to_end_id', sa.Text(), nullable=False, comment='支付标识'),
    sa.Column('bank_fen', sa.BigInteger(), nullable=True, comment='银行金额（分）'),
    sa.Column('our_fen', sa.BigInteger(), nullable=True, comment='账面金额（分）'),
    sa.ForeignKeyConstraint(['division_code', 'statement_id'], ['statements.division_code', 'statements.id'], name=op.f('fk_differences_division_code_statement_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_differences'))
    )
    op.create_table('refunds',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False, comment='编号'),
    sa.Column('division_code', models.base.DivisionCode(), nullable=False, comment='旗县'),
    sa.Column('number', sa.Text(), nullable=False, comment='退款单号'),
    sa.Column('order_id', sa.BigInteger(), nullable=False, comment='支付单'),
    sa.Column('indicator_id', sa.BigInteger(), nullable=False, comment='预算指标'),
    sa.Column('agent_account_id', sa.BigInteger(), nullable=False, comment='代发户'),
    sa.Column('project_name', sa.Text(), nullable=False, comment='项目名称'),
    sa.Column('status', sa.Enum('prepared', 'released', 'returned', name='refundstatus', native_enum=False, create_constraint=True, length=40), nullable=False, comment='状态'),
    sa.Column('version', sa.Integer(), nullable=False, comment='版本'),
    sa.Column('line_count', sa.Integer(), nullable=False, comment='笔数（笔）'),
    sa.Column('amount_fen', sa.BigInteger(), nullable=False, comment='金额（分）'),
    sa.Column('prepared_at', postgresql.TIMESTAMP(timezone=True), nullable=False, comment='生成时间'),
    sa.Column('arrived_at', postgresql.TIMESTAMP(timezone=True), nullable=False, comment='到达时间'),
    sa.Column('due_on', sa.Date(), nullable=True, comment='办理期限'),
    sa.Column('returned_at', postgresql.TIMESTAMP(timezone=True), nullable=True, comment='退回时间'),
    sa.CheckConstraint('amount_fen > 0', name=op.f('ck_refunds_amount')),
    sa.ForeignKeyConstraint(['division_code', 'order_id'], ['payment_orders.division_code', 'payment_orders.id'], name=op.f('fk_refunds_division_code_order_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_refunds')),
    sa.UniqueConstraint('division_code', 'id', name=op.f('uq_refunds_division_code_id')),
    sa.UniqueConstraint('number', name=op.f('uq_refunds_number'))
    )


def downgrade() -> None:
    op.drop_table("refunds")
    op.drop_table("differences")
    op.drop_table("bank_batches")
    op.drop_table("statements")
    op.drop_table("roster_warnings")
    op.drop_table("roster_lines")
    op.drop_table("payment_orders")
    op.drop_table("objections")
    op.drop_table("notices")
    op.drop_table("login_sessions")
    op.drop_table("import_rows")
