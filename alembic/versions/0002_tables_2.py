"""Tables, part 2: warning_rules, agent_accounts, assets, events, members, notice_periods, postings, posts, project_links, project_standards, roster_imports, rosters, accounts.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

import models.base
import models.crypto

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('warning_rules',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False, comment='编号'),
    sa.Column('division_code', models.base.DivisionCode(), nullable=False, comment='制定区划'),
    sa.Column('code', sa.Text(), nullable=False, comment='规则编码'),
    sa.Column('version', sa.Integer(), nullable=False, comment='版本'),
    sa.Column('name', sa.Text(), nullable=False, comment='规则名称'),
    sa.Column('light', sa.Enum('red', 'yellow', 'blue', name='light', native_enum=False, create_constraint=True, length=40), nullable=False, comment='灯色'),
    sa.Column('subject', sa.Text(), nullable=False, comment='对象：line 明细'),
    sa.Column('gates', postgresql.ARRAY(sa.Text()), nullable=False, comment='环节'),
    sa.Column('expression', sa.Text(), nullable=False, comment='条件'),
    sa.Column('message', sa.Text(), nullable=False, comment='提示'),
    sa.Column('article', sa.Text(), nullable=False, comment='依据'),
    sa.Column('enabled', sa.Boolean(), nullable=False, comment='启用'),
    sa.Column('valid_from', sa.Date(), nullable=False, comment='生效日期'),
    sa.Column('saved_by', sa.Text(), server_default='', nullable=False, comment='保存人标识：自然人标识；启用须由另一人办理'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_warning_rules')),
    sa.UniqueConstraint('division_code', 'code', 'version', name=op.f('uq_warning_rules_division_code_code_version'))
    )
    op.create_table('agent_accounts',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False, comment='编号'),
    sa.Column('division_code', models.base.DivisionCode(), nullable=False, comment='旗县'),
    sa.Column('bank_id', sa.BigInteger(), nullable=False, comment='代理银行'),
    sa.Column('name', sa.Text(), nullable=False, comment='户名'),
    sa.Column('number', models.crypto.Sealed(), nullable=False, comment='账号'),
    sa.Column('number_index', sa.LargeBinary(), nullable=False, comment='账号盲索引'),
    sa.ForeignKeyConstraint(['bank_id'], ['agent_banks.id'], name=op.f('fk_agent_accounts_bank_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_agent_accounts')),
    sa.UniqueConstraint('division_code', 'id', name=op.f('uq_agent_accounts_division_code_id')),
    sa.UniqueConstraint('number_index', name=op.f('uq_agent_accounts_number_index'))
    )
    op.create_table('assets',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False, comment='编号'),
    sa.Column('division_code', models.base.DivisionCode(), nullable=False, comment='苏木乡镇'),
    sa.Column('county_code', models.base.DivisionCode(), nullable=False, comment='旗县'),
    sa.Column('household_id', sa.BigInteger(), nullable=False, comment='户'),
    sa.Column('kind', sa.Text(), nullable=False, comment='种类：contracted_land、leased_in、leased_out、excluded_land、grassland、livestock'),
    sa.Column('quantity', sa.Numeric(precision=14, scale=3), nullable=False, comment='数量'),
    sa.Column('unit', sa.Text(), nullable=False, comment='单位'),
    sa.Column('as_of', sa.Date(), nullable=False, comment='登记日期'),
    sa.Column('source', sa.Text(), nullable=False, comment='来源'),
    sa.CheckConstraint("county_code = left(division_code, 6) || '000000'", name=op.f('ck_assets_county')),
    sa.ForeignKeyConstraint(['division_code', 'household_id'], ['households.division_code', 'households.id'], name=op.f('fk_assets_division_code_household_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_assets'))
    )
    op.create_index('ix_assets_household', 'assets', ['division_code', 'household_id', 'kind'], unique=False)
    op.create_table('events',
    sa.Column('county_code', models.base.DivisionCode(), nullable=False, comment='旗县'),
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False, comment='编号'),
    sa.Column('division_code', models.base.DivisionCode(), nullable=False, comment='区划'),
    sa.Column('noun', sa.Text(), nullable=False, comment='对象'),
    sa.Column('record_id', sa.BigInteger(), nullable=False, comment='记录'),
    sa.Column('verb', sa.Text(), nullable=False, comment='动作'),
    sa.Column('label', sa.Text(), nullable=False, comment='办理事项'),
    sa.Column('desk', sa.Text(), nullable=True, comment='岗位'),
    sa.Column('officer_id', sa.BigInteger(), nullable=False, comment='用户'),
    sa.Column('person', sa.Text(), nullable=False, comment='自然人'),
    sa.Column('officer_name', sa.Text(), nullable=False, comment='办理人'),
    sa.Column('post', sa.Text(), nullable=False, comment='办理岗位'),
    sa.Column('from_status', sa.Text(), nullable=False, comment='原状态'),
    sa.Column('to_status', sa.Text(), nullable=False, comment='新状态'),
    sa.Column('opinion', sa.Text(), nullable=False, comment='意见'),
    sa.Column('facts', postgresql.JSONB(astext_type=sa.Text()), nullable=False, comment='事实'),
    sa.Column('business_at', postgresql.TIMESTAMP(timezone=True), nullable=False, comment='业务时间'),
    sa.Column('recorded_at', sa.TIMESTAMP(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=True, comment='记录时间'),
    sa.ForeignKeyConstraint(['noun', 'record_id', 'person', 'desk'], ['desk_holders.noun', 'desk_holders.record_id', 'desk_holders.person', 'desk_holders.desk'], name=op.f('fk_events_noun_record_id_person_desk')),
    sa.PrimaryKeyConstraint('county_code', 'id', name=op.f('pk_events'))
    )
    op.create_index('ix_events_person', 'events', ['person', 'noun', 'record_id'], unique=False)
    op.create_index('ix_events_record', 'events', ['noun', 'record_id'], unique=False)
    op.create_table('members',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False, comment='编号'),
    sa.Column('division_code', models.base.DivisionCode(), nullable=False, comment='苏木乡镇'),
    sa.Column('county_code', models.base.DivisionCode(), nullable=False, comment='旗县'),
    sa.Column('household_id', sa.BigInteger(), nullable=False, comment='户'),
    sa.Column('name', sa.Text(), nullable=False, comment='姓名'),
    sa.Column('name_key', sa.Text(), nullable=False, comment='姓名比对键：规范化后的姓名，仅供比对'),
    sa.Column('id_number', models.crypto.Sealed(), nullable=False, comment='身份证号'),
    sa.Column('id_index', sa.LargeBinary(), nullable=False, comment='身份证盲索引'),
    sa.Column('birth_date', sa.Date(), nullable=False, comment='出生日期'),
    sa.Column('sex', sa.Text(), nullable=False, comment='性别：GB/T 2261.1'),
    sa.Column('relation', sa.Text(), nullable=False, comment='与户主关系：GB/T 4761'),
    sa.Column('ethnicity', sa.Text(), nullable=False, comment='民族：GB/T 3304'),
    sa.Column('phone', models.crypto.Sealed(), nullable=True, comment='手机号'),
    sa.Column('phone_index', sa.LargeBinary(), nullable=True, comment='手机号盲索引'),
    sa.Column('status', sa.Enum('alive', 'dead', 'missing', 'moved', name='memberstatus', native_enum=False, create_constraint=True, length=40), nullable=False, comment='人员状态'),
    sa.Column('died_on', sa.Date(), nullable=True, comment='死亡日期'),
    sa.Column('added_on', sa.Date(), nullable=False, comment='入库日期'),
    sa.Column('identity_outcome', sa.Enum('match', 'mismatch', 'dead', 'not_found', name='identityoutcome', native_enum=False, create_constraint=True, length=40), nullable=True, comment='核查结果'),
    sa.Column('identity_checked_at', postgresql.TIMESTAMP(timezone=True), nullable=True, comment='核查时间'),
    sa.CheckConstraint("county_code = left(division_code, 6) || '000000'", name=op.f('ck_members_county')),
    sa.ForeignKeyConstraint(['division_code', 'household_id'], ['households.division_code', 'households.id'], name=op.f('fk_members_division_code_household_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_members')),
    sa.UniqueConstraint('division_code', 'id', name=op.f('uq_members_division_code_id')),
    sa.UniqueConstraint('id_index', name=op.f('uq_members_id_index'))
    )
    op.create_index('ix_members_household', 'members', ['division_code', 'household_id'], unique=False)
    op.create_index(op.f('ix_members_phone_index'), 'members', ['phone_index'], unique=False)
    op.create_table('notice_periods',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False, comment='编号'),
    sa.Column('division_code', models.base.DivisionCode(), nullable=False, comment='旗县'),
    sa.Column('project_id', sa.BigInteger(), nullable=False, comment='补贴项目'),
    sa.Column('stage', sa.Enum('roster', 'eligibility', name='noticestage', native_enum=False, create_constraint=True, length=40), nullable=False, comment='公示环节'),
    sa.Column('notice_days', sa.Integer(), nullable=False, comment='公示天数（自然日）'),
    sa.CheckConstraint('notice_days between 1 and 60', name=op.f('ck_notice_periods_days')),
    sa.ForeignKeyConstraint(['project_id'], ['subsidy_projects.id'], name=op.f('fk_notice_periods_project_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_notice_periods')),
    sa.UniqueConstraint('division_code', 'project_id', 'stage', name=op.f('uq_notice_periods_division_code_project_id_stage'))
    )
    op.create_table('postings',
    sa.Column('county_code', models.base.DivisionCode(), nullable=False, comment='旗县'),
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False, comment='编号'),
    sa.Column('division_code', models.base.DivisionCode(), nullable=False, comment='区划'),
    sa.Column('entry_id', sa.BigInteger(), nullable=False, comment='凭证'),
    sa.Column('ledger', sa.Enum('allocated', 'available', 'reserved', 'requested', 'in_transit', 'agent_account', 'paid', name='ledger', native_enum=False, create_constraint=True, length=40), nullable=False, comment='科目'),
    sa.Column('indicator_id', sa.BigInteger(), nullable=False, comment='预算指标'),
    sa.Column('agent_account_id', sa.BigInteger(), nullable=True, comment='代发户'),
    sa.Column('project_id', sa.BigInteger(), nullable=True, comment='补贴项目'),
    sa.Column('disbursement_id', sa.BigInteger(), nullable=True, comment='发放明细'),
    sa.Column('amount_fen', sa.BigInteger(), nullable=False, comment='金额（分）：借正贷负'),
    sa.Column('value_on', sa.Date(), nullable=True, comment='起息日：银行记账的日期，对账按此日'),
    sa.Column('reference', sa.Text(), server_default=sa.text("''"), nullable=False, comment='外部编号：EndToEndId、支付申请号或退款单号，对账按此号'),
    sa.CheckConstraint('amount_fen <> 0', name=op.f('ck_postings_amount')),
    sa.CheckConstraint('division_code = county_code', name=op.f('ck_postings_county')),
    sa.ForeignKeyConstraint(['county_code', 'entry_id'], ['journal_entries.county_code', 'journal_entries.id'], name=op.f('fk_postings_county_code_entry_id')),
    sa.PrimaryKeyConstraint('county_code', 'id', name=op.f('pk_postings'))
    )
    op.create_index('ix_postings_entry', 'postings', ['county_code', 'entry_id'], unique=False)
    op.create_index('ix_postings_ledger', 'postings', ['county_code', 'ledger', 'indicator_id'], unique=False)
    op.create_index('ix_postings_day', 'postings', ['county_code', 'agent_account_id', 'value_on'], unique=False)
    op.create_table('posts',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False, comment='编号'),
    sa.Column('division_code', models.base.DivisionCode(), nullable=False, comment='区划'),
    sa.Column('officer_id', sa.BigInteger(), nullable=False, comment='用户'),
    sa.Column('organisation_id', sa.BigInteger(), nullable=False, comment='机构'),
    sa.Column('role', sa.Enum('clerk', 'reviewer', 'head', 'auditor', 'system_admin', 'security_admin', 'audit_admin', 'system', name='role', native_enum=False, create_constraint=True, length=40), nullable=False, comment='岗位'),
    sa.Column('valid_from', sa.Date(), nullable=False, comment='任职起'),
    sa.Column('valid_to', sa.Date(), nullable=True, comment='任职止'),
    sa.ForeignKeyConstraint(['officer_id'], ['officers.id'], name=op.f('fk_posts_officer_id')),
    sa.ForeignKeyConstraint(['organisation_id'], ['organisations.id'], name=op.f('fk_posts_organisation_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_posts'))
    )
    op.create_index(op.f('ix_posts_officer_id'), 'posts', ['officer_id'], unique=False)
    op.create_table('project_links',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False, comment='编号'),
    sa.Column('division_code', models.base.DivisionCode(), nullable=False, comment='旗县'),
    sa.Column('project_id', sa.BigInteger(), nullable=False, comment='补贴项目'),
    sa.Column('pro_code', sa.Text(), nullable=False, comment='预算项目代码：一体化系统21位代码'),
    sa.Column('priority', sa.Integer(), nullable=False, comment='支用顺序'),
    sa.CheckConstraint("pro_code ~ '^[0-9]{8}[0-9A-Z]{13}$'", name=op.f('ck_project_links_pro_code')),
    sa.ForeignKeyConstraint(['project_id'], ['subsidy_projects.id'], name=op.f('fk_project_links_project_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_project_links')),
    sa.UniqueConstraint('division_code', 'project_id', 'pro_code', name=op.f('uq_project_links_division_code_project_id_pro_code'))
    )
    op.create_table('project_standards',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False, comment='编号'),
    sa.Column('division_code', models.base.DivisionCode(), nullable=False, comment='适用区划'),
    sa.Column('project_id', sa.BigInteger(), nullable=False, comment='补贴项目'),
    sa.Column('standard_yuan', sa.Numeric(precision=14, scale=4), nullable=False, comment='标准（元）'),
    sa.Column('valid_from', sa.Date(), nullable=False, comment='执行起'),
    sa.Column('valid_to', sa.Date(), nullable=True, comment='执行止'),
    sa.Column('document', sa.Text(), nullable=False, comment='政策文件'),
    sa.ForeignKeyConstraint(['project_id'], ['subsidy_projects.id'], name=op.f('fk_project_standards_project_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_project_standards'))
    )
    op.create_index(op.f('ix_project_standards_project_id'), 'project_standards', ['project_id'], unique=False)
    op.create_table('roster_imports',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False, comment='编号'),
    sa.Column('division_code', models.base.DivisionCode(), nullable=False, comment='苏木乡镇'),
    sa.Column('county_code', models.base.DivisionCode(), nullable=False, comment='旗县'),
    sa.Column('project_id', sa.BigInteger(), nullable=False, comment='补贴项目'),
    sa.Column('period', sa.Text(), nullable=False, comment='补贴所属期'),
    sa.Column('period_start', sa.Date(), nullable=False, comment='所属期起'),
    sa.Column('period_end', sa.Date(), nullable=False, comment='所属期止'),
    sa.Column('file_id', sa.BigInteger(), nullable=False, comment='文件'),
    sa.Column('file_name', sa.Text(), nullable=False, comment='文件名'),
    sa.Column('sha256', sa.Text(), nullable=False, comment='文件摘要'),
    sa.Column('status', sa.Enum('received', 'refused', 'applied', 'cancelled', name='importstatus', native_enum=False, create_constraint=True, length=40), nullable=False, comment='状态'),
    sa.Column('row_count', sa.Integer(), nullable=False, comment='行数'),
    sa.Column('amount_fen', sa.BigInteger(), nullable=False, comment='金额（分）'),
    sa.Column('problem_count', sa.Integer(), nullable=False, comment='问题数'),
    sa.Column('note_count', sa.Integer(), nullable=False, comment='提示数'),
    sa.Column('problems', postgresql.JSONB(astext_type=sa.Text()), nullable=False, comment='问题：最多 500 条，其余见标注文件'),
    sa.Column('marked_file_id', sa.BigInteger(), nullable=True, comment='标注文件'),
    sa.Column('roster_id', sa.BigInteger(), nullable=True, comment='清册'),
    sa.Column('received_at', postgresql.TIMESTAMP(timezone=True), nullable=False, comment='上传时间'),
    sa.Column('received_by', sa.BigInteger(), nullable=False, comment='上传人'),
    sa.CheckConstraint("county_code = left(division_code, 6) || '000000'", name=op.f('ck_roster_imports_county')),
    sa.ForeignKeyConstraint(['project_id'], ['subsidy_projects.id'], name=op.f('fk_roster_imports_project_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_roster_imports')),
    sa.UniqueConstraint('division_code', 'id', name=op.f('uq_roster_imports_division_code_id'))
    )
    op.create_index('uq_roster_imports_applied_file', 'roster_imports', ['division_code', 'project_id', 'period', 'sha256'], unique=True, postgresql_where=sa.text("status = 'applied'"))
    op.create_table('rosters',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False, comment='编号'),
    sa.Column('division_code', models.base.DivisionCode(), nullable=False, comment='苏木乡镇'),
    sa.Column('county_code', models.base.DivisionCode(), nullable=False, comment='旗县'),
    sa.Column('number', sa.Text(), nullable=False, comment='清册编号'),
    sa.Column('project_id', sa.BigInteger(), nullable=False, comment='补贴项目'),
    sa.Column('project_name', sa.Text(), nullable=False, comment='项目名称'),
    sa.Column('sector', sa.Text(), nullable=False, comment='主管领域'),
    sa.Column('township', sa.Text(), nullable=False, comment='苏木乡镇名称'),
    sa.Column('period', sa.Text(), nullable=False, comment='补贴所属期'),
    sa.Column('period_start', sa.Date(), nullable=False, comment='所属期起'),
    sa.Column('period_end', sa.Date(), nullable=False, comment='所属期止'),
    sa.Column('status', sa.Enum('draft', 'on_notice', 'endorsed', 'reported', 'department_examined', 'department_passed', 'finance_examined', 'final', 'ordered', 'part_paid', 'paid', 'closed', 'returned', name='rosterstatus', native_enum=False, create_constraint=True, length=40), nullable=False, comment='状态'),
    sa.Column('resume_status', sa.Enum('draft', 'on_notice', 'endorsed', 'reported', 'department_examined', 'department_passed', 'finance_examined', 'final', 'ordered', 'part_paid', 'paid', 'closed', 'returned', name='resumestatus', native_enum=False, create_constraint=True, length=40), nullable=True, comment='退回前状态：更正后回到退回的岗位'),
    sa.Column('version', sa.Integer(), nullable=False, comment='版本'),
    sa.Column('line_count', sa.Integer(), nullable=False, comment='明细数（笔）'),
    sa.Column('amount_fen', sa.BigInteger(), nullable=False, comment='应发金额（分）'),
    sa.Column('paid_fen', sa.BigInteger(), nullable=False, comment='实发金额（分）'),
    sa.Column('generated_at', postgresql.TIMESTAMP(timezone=True), nullable=False, comment='生成时间'),
    sa.Column('arrived_at', postgresql.TIMESTAMP(timezone=True), nullable=False, comment='到达时间：到达当前机构的时间，时限从此起算'),
    sa.Column('due_on', sa.Date(), nullable=True, comment='办理期限'),
    sa.Column('days_left', sa.Integer(), nullable=True, comment='剩余工作日：退回期间时钟停走，恢复后续用'),
    sa.Column('notice_round', sa.Integer(), nullable=False, comment='公示轮次'),
    sa.Column('facts_changed', sa.Boolean(), nullable=False, comment='公示内容已变：为真则须补充公示并重新审核'),
    sa.Column('checked_at', postgresql.TIMESTAMP(timezone=True), nullable=True, comment='核查完成时间'),
    sa.Column('source_file_id', sa.BigInteger(), nullable=True, comment='来源文件'),
    sa.Column('prepared_by', sa.BigInteger(), nullable=False, comment='制单人'),
    sa.CheckConstraint("county_code = left(division_code, 6) || '000000'", name=op.f('ck_rosters_county')),
    sa.ForeignKeyConstraint(['project_id'], ['subsidy_projects.id'], name=op.f('fk_rosters_project_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_rosters')),
    sa.UniqueConstraint('county_code', 'id', name=op.f('uq_rosters_county_code_id')),
    sa.UniqueConstraint('division_code', 'id', name=op.f('uq_rosters_division_code_id')),
    sa.UniqueConstraint('number', name=op.f('uq_rosters_number'))
    )
    op.create_index('ix_rosters_status', 'rosters', ['division_code', 'status'], unique=False)
    op.create_table('accounts',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False, comment='编号'),
    sa.Column('division_code', models.base.DivisionCode(), nullable=False, comment='苏木乡镇'),
    sa.Column('county_code', models.base.DivisionCode(), nullable=False, comment='旗县'),
    sa.Column('member_id', sa.BigInteger(), nullable=False, comment='持有人'),
    sa.Column('number', models.crypto.Sealed(), nullable=False, comment='账号'),
    sa.Column('number_index', sa.LargeBinary(), nullable=False, comment='账号盲索引'),
    sa.Column('bank_name', sa.Text(), nullable=False, comment='开户银行'),
    sa.Column('bank_code', sa.Text(), nullable=False, comment='联行号：CNAPS 12 位'),
    sa.Column('is_card', sa.Boolean(), nullable=False, comment='社会保障卡'),
    sa.Column('is_payment', sa.Boolean(), nullable=False, comment='发放账户'),
    sa.Column('status', sa.Enum('registered', 'verifying', 'verified', 'refused', 'dormant', 'closed', name='accountstatus', native_enum=False, create_constraint=True, length=40), nullable=False, comment='状态'),
    sa.Column('version', sa.Integer(), nullable=False, comment='版本'),
    sa.Column('verified_at', postgresql.TIMESTAMP(timezone=True), nullable=True, comment='验证时间'),
    sa.Column('answer', sa.Text(), nullable=False, comment='银行答复'),
    sa.Column('registered_by', sa.BigInteger(), nullable=False, comment='登记人'),
    sa.CheckConstraint("county_code = left(division_code, 6) || '000000'", name=op.f('ck_accounts_county')),
    sa.ForeignKeyConstraint(['division_code', 'member_id'], ['members.division_code', 'members.id'], name=op.f('fk_accounts_division_code_member_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_accounts')),
    sa.UniqueConstraint('division_code', 'id', name=op.f('uq_accounts_division_code_id'))
    )
    op.create_index(op.f('ix_accounts_number_index'), 'accounts', ['number_index'], unique=False)
    op.create_index('uq_accounts_one_payment', 'accounts', ['division_code', 'member_id'], unique=True, postgresql_where=sa.text('is_payment'))


def downgrade() -> None:
    op.drop_table("accounts")
    op.drop_table("rosters")
    op.drop_table("roster_imports")
    op.drop_table("project_standards")
    op.drop_table("project_links")
    op.drop_table("posts")
    op.drop_table("postings")
    op.drop_table("notice_periods")
    op.drop_table("members")
    op.drop_table("events")
    op.drop_table("assets")
    op.drop_table("agent_accounts")
    op.drop_table("warning_rules")
