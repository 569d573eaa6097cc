"""Tables, part 1: agent_banks, budget_indicators, bulletins, business_clock, calendar_days, desk_holders, divisions, event_heads, event_links, households, jobs, journal_entries, officers, organisations, outbox, policy_rules, policy_version, refusals, stored_files, subsidy_projects.

Revision ID: 0001
Revises: 
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

import models.base
import models.crypto

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('agent_banks',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False, comment='编号'),
    sa.Column('name', sa.Text(), nullable=False, comment='名称'),
    sa.Column('cnaps', sa.Text(), nullable=False, comment='联行号：CNAPS 12 位'),
    sa.Column('prefix', sa.Text(), nullable=False, comment='行别代码：收款账户联行号的前 3 位'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_agent_banks')),
    sa.UniqueConstraint('name', name=op.f('uq_agent_banks_name'))
    )
    op.create_table('budget_indicators',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False, comment='编号'),
    sa.Column('division_code', models.base.DivisionCode(), nullable=False, comment='旗县'),
    sa.Column('bgt_id', sa.Text(), nullable=False, comment='指标主键：一体化系统 BGT_ID'),
    sa.Column('fiscal_year', sa.Integer(), nullable=False, comment='预算年度'),
    sa.Column('document_number', sa.Text(), nullable=False, comment='指标文号'),
    sa.Column('document_title', sa.Text(), nullable=False, comment='指标文件'),
    sa.Column('document_date', sa.Date(), nullable=True, comment='发文日期'),
    sa.Column('pro_code', sa.Text(), nullable=False, comment='预算项目代码'),
    sa.Column('pro_name', sa.Text(), nullable=False, comment='预算项目名称'),
    sa.Column('hot_topic', sa.Text(), nullable=False, comment='热点分类：须为“惠民惠农财政补贴资金”'),
    sa.Column('agency_code', sa.Text(), nullable=False, comment='单位代码'),
    sa.Column('fund_type_code', sa.Text(), nullable=False, comment='资金性质'),
    sa.Column('exp_func_code', sa.Text(), nullable=False, comment='功能分类'),
    sa.Column('gov_eco_code', sa.Text(), nullable=False, comment='政府经济分类'),
    sa.Column('dep_eco_code', sa.Text(), nullable=False, comment='部门经济分类'),
    sa.Column('amount_fen', sa.BigInteger(), nullable=False, comment='指标金额（分）'),
    sa.Column('available_fen', sa.BigInteger(), nullable=False, comment='可用（分）'),
    sa.Column('reserved_fen', sa.BigInteger(), nullable=False, comment='已占用（分）'),
    sa.Column('requested_fen', sa.BigInteger(), nullable=False, comment='已申请（分）'),
    sa.Column('paid_fen', sa.BigInteger(), nullable=False, comment='已拨付（分）'),
    sa.Column('raw', postgresql.JSONB(astext_type=sa.Text()), nullable=False, comment='原始数据'),
    sa.CheckConstraint('amount_fen = available_fen + reserved_fen + requested_fen + paid_fen and least(available_fen, reserved_fen, requested_fen, paid_fen) >= 0', name=op.f('ck_budget_indicators_conserved')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_budget_indicators')),
    sa.UniqueConstraint('bgt_id', name=op.f('uq_budget_indicators_bgt_id')),
    sa.UniqueConstraint('division_code', 'id', name=op.f('uq_budget_indicators_division_code_id'))
    )
    op.create_index(op.f('ix_budget_indicators_pro_code'), 'budget_indicators', ['pro_code'], unique=False)
    op.create_table('bulletins',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False, comment='编号'),
    sa.Column('division_code', models.base.DivisionCode(), nullable=False, comment='区划'),
    sa.Column('number', sa.Text(), nullable=False, comment='通报编号'),
    sa.Column('family', sa.Text(), nullable=False, comment='通报种类'),
    sa.Column('title', sa.Text(), nullable=False, comment='标题'),
    sa.Column('date_from', sa.Date(), nullable=False, comment='期间起'),
    sa.Column('date_to', sa.Date(), nullable=False, comment='期间止'),
    sa.Column('figures', postgresql.JSONB(astext_type=sa.Text()), nullable=False, comment='数据'),
    sa.Column('paid_count', sa.Integer(), nullable=False, comment='成功笔数（笔）'),
    sa.Column('paid_fen', sa.BigInteger(), nullable=False, comment='已发金额（分）'),
    sa.Column('digest', sa.Text(), nullable=False, comment='数据摘要'),
    sa.Column('file_id', sa.BigInteger(), nullable=True, comment='文件'),
    sa.Column('prepared_at', postgresql.TIMESTAMP(timezone=True), nullable=False, comment='生成时间'),
    sa.Column('prepared_by', sa.Text(), nullable=False, comment='生成人'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_bulletins')),
    sa.UniqueConstraint('number', name=op.f('uq_bulletins_number'))
    )
    op.create_table('business_clock',
    sa.Column('id', sa.Integer(), nullable=False, comment='编号'),
    sa.Column('moved_by', sa.Interval(), nullable=False, comment='前移量'),
    sa.Column('movable', sa.Boolean(), nullable=False, comment='可调整：仅演示和测试环境为真'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_business_clock'))
    )
    op.create_table('calendar_days',
    sa.Column('day', sa.Date(), nullable=False, comment='日期'),
    sa.Column('working', sa.Boolean(), nullable=False, comment='工作日'),
    sa.Column('source', sa.Text(), nullable=False, comment='来源'),
    sa.Column('version', sa.Integer(), nullable=False, comment='版本'),
    sa.Column('provisional', sa.Boolean(), nullable=False, comment='暂定'),
    sa.PrimaryKeyConstraint('day', name=op.f('pk_calendar_days'))
    )
    op.create_table('desk_holders',
    sa.Column('division_code', models.base.DivisionCode(), nullable=False, comment='区划'),
    sa.Column('noun', sa.Text(), nullable=False, comment='对象'),
    sa.Column('record_id', sa.BigInteger(), nullable=False, comment='记录'),
    sa.Column('person', sa.Text(), nullable=False, comment='自然人'),
    sa.Column('desk', sa.Text(), nullable=False, comment='岗位'),
    sa.PrimaryKeyConstraint('noun', 'record_id', 'person', name=op.f('pk_desk_holders')),
    sa.UniqueConstraint('noun', 'record_id', 'person', 'desk', name=op.f('uq_desk_holders_noun_record_id_person_desk'))
    )
    op.create_table('divisions',
    sa.Column('code', models.base.DivisionCode(), nullable=False, comment='区划代码'),
    sa.Column('name', sa.Text(), nullable=False, comment='名称'),
    sa.Column('level', sa.Enum('region', 'league', 'county', 'township', 'village', name='level', native_enum=False, create_constraint=True, length=40), nullable=False, comment='级别'),
    sa.Column('parent_code', models.base.DivisionCode(), nullable=True, comment='上级代码'),
    sa.Column('code_standard', sa.Text(), nullable=False, comment='代码标准：gb2260、gb10114 或统计代码'),
    sa.Column('note', sa.Text(), nullable=False, comment='说明'),
    sa.Column('region_direct_finance', sa.Boolean(), nullable=False, comment='财政直管：满洲里、二连浩特的财政由自治区直接管理'),
    sa.Column('hidden', sa.Boolean(), nullable=False, comment='停用：统计用区，启用前不出现在下拉框'),
    sa.Column('pinyin_key', sa.Text(), nullable=False, comment='拼音排序键：汉字排序用，写入时计算'),
    sa.PrimaryKeyConstraint('code', name=op.f('pk_divisions'))
    )
    op.create_index(op.f('ix_divisions_parent_code'), 'divisions', ['parent_code'], unique=False)
    op.create_table('event_heads',
    sa.Column('county_code', models.base.DivisionCode(), nullable=False, comment='旗县'),
    sa.Column('division_code', models.base.DivisionCode(), nullable=False, comment='区划'),
    sa.Column('sequence', sa.BigInteger(), nullable=False, comment='链序号'),
    sa.Column('hash', sa.LargeBinary(), nullable=False, comment='散列'),
    sa.PrimaryKeyConstraint('county_code', name=op.f('pk_event_heads'))
    )
    op.create_table('event_links',
    sa.Column('county_code', models.base.DivisionCode(), nullable=False, comment='旗县'),
    sa.Column('sequence', sa.BigInteger(), nullable=False, comment='链序号'),
    sa.Column('division_code', models.base.DivisionCode(), nullable=False, comment='区划'),
    sa.Column('event_id', sa.BigInteger(), nullable=False, comment='事件'),
    sa.Column('hash', sa.LargeBinary(), nullable=False, comment='散列'),
    sa.PrimaryKeyConstraint('county_code', 'sequence', name=op.f('pk_event_links'))
    )
    op.create_table('households',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False, comment='编号'),
    sa.Column('division_code', models.base.DivisionCode(), nullable=False, comment='苏木乡镇'),
    sa.Column('county_code', models.base.DivisionCode(), nullable=False, comment='旗县'),
    sa.Column('number', sa.Text(), nullable=False, comment='户编号'),
    sa.Column('head_name', sa.Text(), nullable=False, comment='户主姓名'),
    sa.Column('village_code', sa.Text(), nullable=False, comment='嘎查村代码'),
    sa.Column('village', sa.Text(), nullable=False, comment='嘎查村'),
    sa.Column('group_name', sa.Text(), nullable=False, comment='村民小组'),
    sa.Column('address', sa.Text(), nullable=False, comment='住址'),
    sa.Column('reviewed_on', sa.Date(), nullable=True, comment='最近复核日期'),
    sa.CheckConstraint("county_code = left(division_code, 6) || '000000'", name=op.f('ck_households_county')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_households')),
    sa.UniqueConstraint('division_code', 'id', name=op.f('uq_households_division_code_id')),
    sa.UniqueConstraint('number', name=op.f('uq_households_number'))
    )
    op.create_table('jobs',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False, comment='编号'),
    sa.Column('division_code', models.base.DivisionCode(), nullable=False, comment='区划'),
    sa.Column('kind', sa.Text(), nullable=False, comment='类别'),
    sa.Column('title', sa.Text(), nullable=False, comment='任务'),
    sa.Column('officer_id', sa.BigInteger(), nullable=False, comment='发起人'),
    sa.Column('post_id', sa.BigInteger(), nullable=False, comment='发起岗位'),
    sa.Column('arguments', postgresql.JSONB(astext_type=sa.Text()), nullable=False, comment='参数'),
    sa.Column('status', sa.Enum('queued', 'running', 'done', 'refused', 'failed', 'cancelled', name='jobstatus', native_enum=False, create_constraint=True, length=40), nullable=False, comment='状态'),
    sa.Column('done', sa.Integer(), nullable=False, comment='已处理'),
    sa.Column('total', sa.Integer(), nullable=False, comment='总数'),
    sa.Column('stage', sa.Text(), nullable=False, comment='阶段'),
    sa.Column('queued_at', postgresql.TIMESTAMP(timezone=True), nullable=False, comment='提交时间'),
    sa.Column('started_at', postgresql.TIMESTAMP(timezone=True), nullable=True, comment='开始时间'),
    sa.Column('finished_at', postgresql.TIMESTAMP(timezone=True), nullable=True, comment='结束时间'),
    sa.Column('message', sa.Text(), nullable=False, comment='结果'),
    sa.Column('cancel_asked', sa.Boolean(), nullable=False, comment='要求取消'),
    sa.Column('roster_id', sa.BigInteger(), nullable=True, comment='清册'),
    sa.Column('file_id', sa.BigInteger(), nullable=True, comment='结果文件'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_jobs'))
    )
    op.create_table('journal_entries',
    sa.Column('county_code', models.base.DivisionCode(), nullable=False, comment='旗县'),
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False, comment='编号'),
    sa.Column('division_code', models.base.DivisionCode(), nullable=False, comment='区划'),
    sa.Column('kind', sa.Text(), nullable=False, comment='业务：indicator、reserve、release、request、fund、credit、pay、refund、reverse'),
    sa.Column('business_key', sa.Text(), nullable=False, comment='业务键'),
    sa.Column('memo', sa.Text(), nullable=False, comment='摘要'),
    sa.Column('booked_at', postgresql.TIMESTAMP(timezone=True), nullable=False, comment='记账时间'),
    sa.CheckConstraint('division_code = county_code', name=op.f('ck_journal_entries_county')),
    sa.PrimaryKeyConstraint('county_code', 'id', name=op.f('pk_journal_entries')),
    sa.UniqueConstraint('business_key', name=op.f('uq_journal_entries_business_key'))
    )
    op.create_table('officers',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False, comment='编号'),
    sa.Column('login', sa.Text(), nullable=False, comment='登录名'),
    sa.Column('name', sa.Text(), nullable=False, comment='姓名'),
    sa.Column('person_index', sa.LargeBinary(), nullable=False, comment='自然人标识：身份证号的盲索引，识别同一人的多个账号'),
    sa.Column('password_hash', sa.Text(), nullable=False, comment='口令散列'),
    sa.Column('totp_secret', models.crypto.Sealed(), nullable=True, comment='动态口令密钥'),
    sa.Column('totp_last_step', sa.BigInteger(), nullable=False, comment='已用动态口令步：防止同一动态口令重复使用'),
    sa.Column('active', sa.Boolean(), nullable=False, comment='在用'),
    sa.Column('failed_logins', sa.Integer(), nullable=False, comment='连续失败次数'),
    sa.Column('locked_until', postgresql.TIMESTAMP(timezone=True), nullable=True, comment='锁定至'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_officers')),
    sa.UniqueConstraint('login', name=op.f('uq_officers_login'))
    )
    op.create_table('organisations',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False, comment='编号'),
    sa.Column('division_code', models.base.DivisionCode(), nullable=False, comment='区划'),
    sa.Column('name', sa.Text(), nullable=False, comment='机构名称'),
    sa.Column('kind', sa.Enum('township', 'department', 'finance', 'bank', 'platform', name='organisationkind', native_enum=False, create_constraint=True, length=40), nullable=False, comment='机构类别'),
    sa.Column('level', sa.Enum('region', 'league', 'county', 'township', 'village', name='level', native_enum=False, create_constraint=True, length=40), nullable=False, comment='级别'),
    sa.Column('sector', sa.Text(), nullable=False, comment='主管领域：主管部门所管的领域，如 农牧、民政'),
    sa.Column('telephone', sa.Text(), nullable=False, comment='联系电话：第二十六条：办理业务时应明确联系电话'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_organisations'))
    )
    op.create_table('outbox',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False, comment='编号'),
    sa.Column('division_code', models.base.DivisionCode(), nullable=False, comment='区划'),
    sa.Column('topic', sa.Text(), nullable=False, comment='主题：payment_application、bank_batch、refund、identity_check、account_check'),
    sa.Column('business_key', sa.Text(), nullable=False, comment='业务键'),
    sa.Column('record_id', sa.BigInteger(), nullable=False, comment='记录'),
    sa.Column('payload', postgresql.JSONB(astext_type=sa.Text()), nullable=False, comment='内容：只存编号，不存个人信息'),
    sa.Column('status', sa.Enum('pending', 'sent', 'done', 'refused', name='outboxstatus', native_enum=False, create_constraint=True, length=40), nullable=False, comment='状态'),
    sa.Column('attempts', sa.Integer(), nullable=False, comment='尝试次数'),
    sa.Column('last_error', sa.Text(), nullable=False, comment='最近错误'),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), nullable=False, comment='生成时间'),
    sa.Column('done_at', postgresql.TIMESTAMP(timezone=True), nullable=True, comment='完成时间'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_outbox')),
    sa.UniqueConstraint('business_key', name=op.f('uq_outbox_business_key'))
    )
    op.create_index('ix_outbox_open', 'outbox', ['status', 'topic'], unique=False)
    op.create_table('policy_rules',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False, comment='编号'),
    sa.Column('role', sa.Text(), nullable=False, comment='岗位'),
    sa.Column('level', sa.Text(), nullable=False, comment='级别'),
    sa.Column('kind', sa.Text(), nullable=False, comment='机构类别'),
    sa.Column('object', sa.Text(), nullable=False, comment='对象'),
    sa.Column('action', sa.Text(), nullable=False, comment='动作'),
    sa.Column('effect', sa.Text(), nullable=False, comment='效力'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_policy_rules')),
    sa.UniqueConstraint('role', 'level', 'kind', 'object', 'action', 'effect', name=op.f('uq_policy_rules_role_level_kind_object_action_effect'))
    )
    op.create_table('policy_version',
    sa.Column('id', sa.Integer(), nullable=False, comment='编号'),
    sa.Column('version', sa.Integer(), nullable=False, comment='版本'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_policy_version'))
    )
    op.create_table('refusals',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False, comment='编号'),
    sa.Column('division_code', models.base.DivisionCode(), nullable=False, comment='区划'),
    sa.Column('officer_id', sa.BigInteger(), nullable=False, comment='用户'),
    sa.Column('officer_name', sa.Text(), nullable=False, comment='用户姓名'),
    sa.Column('post', sa.Text(), nullable=False, comment='岗位'),
    sa.Column('verb', sa.Text(), nullable=False, comment='动作'),
    sa.Column('record', sa.Text(), nullable=False, comment='记录'),
    sa.Column('refusal', sa.Text(), nullable=False, comment='拒绝类别'),
    sa.Column('message', sa.Text(), nullable=False, comment='原因'),
    sa.Column('recorded_at', sa.TIMESTAMP(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=True, comment='记录时间'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_refusals'))
    )
    op.create_table('stored_files',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False, comment='编号'),
    sa.Column('division_code', models.base.DivisionCode(), nullable=False, comment='区划'),
    sa.Column('name', sa.Text(), nullable=False, comment='文件名'),
    sa.Column('media_type', sa.Text(), nullable=False, comment='类型'),
    sa.Column('size', sa.BigInteger(), nullable=False, comment='大小（字节）'),
    sa.Column('sha256', sa.Text(), nullable=False, comment='摘要'),
    sa.Column('content', sa.LargeBinary(), nullable=False, comment='内容（加密）'),
    sa.Column('owner_id', sa.BigInteger(), nullable=False, comment='所有者'),
    sa.Column('stored_at', postgresql.TIMESTAMP(timezone=True), nullable=False, comment='存入时间'),
    sa.Column('expires_at', postgresql.TIMESTAMP(timezone=True), nullable=True, comment='清除时间'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_stored_files'))
    )
    op.create_table('subsidy_projects',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False, comment='编号'),
    sa.Column('division_code', models.base.DivisionCode(), nullable=False, comment='所属区划'),
    sa.Column('code', sa.Text(), nullable=False, comment='项目编码'),
    sa.Column('name', sa.Text(), nullable=False, comment='项目名称'),
    sa.Column('short_name', sa.Text(), nullable=False, comment='简称'),
    sa.Column('sector', sa.Text(), nullable=False, comment='主管领域：农牧、民政等'),
    sa.Column('domain', sa.Text(), nullable=False, comment='领域：通报分组：农业、牧业、林业、社会保障等'),
    sa.Column('policy_level', sa.Enum('central', 'region', 'league', 'county', name='policylevel', native_enum=False, create_constraint=True, length=40), nullable=False, comment='政策级次'),
    sa.Column('funding_object', sa.Text(), nullable=False, comment='补贴对象：户或人'),
    sa.Column('unit', sa.Text(), nullable=False, comment='计量单位'),
    sa.Column('period_kind', sa.Text(), nullable=False, comment='发放周期'),
    sa.Column('standard_note', sa.Text(), nullable=False, comment='标准说明'),
    sa.Column('exclusions_note', sa.Text(), nullable=False, comment='互斥说明'),
    sa.Column('eligibility', sa.Text(), nullable=False, comment='申领条件'),
    sa.Column('gov_eco_code', sa.Text(), nullable=False, comment='政府经济分类'),
    sa.Column('names_shown', sa.Boolean(), nullable=False, comment='公示姓名：不宜公开的项目公示时隐去姓名'),
    sa.Column('sheet_kind', sa.Text(), nullable=False, comment='清册样式：land：耕地地力样式；generic：通用样式'),
    sa.Column('status', sa.Enum('admitted', 'stopped', name='projectstatus', native_enum=False, create_constraint=True, length=40), nullable=False, comment='状态'),
    sa.Column('source', sa.Text(), nullable=False, comment='资料来源'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_subsidy_projects')),
    sa.UniqueConstraint('code', name=op.f('uq_subsidy_projects_code'))
    )


def downgrade() -> None:
    op.drop_table("subsidy_projects")
    op.drop_table("stored_files")
    op.drop_table("refusals")
    op.drop_table("policy_version")
    op.drop_table("policy_rules")
    op.drop_table("outbox")
    op.drop_table("organisations")
    op.drop_table("officers")
    op.drop_table("journal_entries")
    op.drop_table("jobs")
    op.drop_table("households")
    op.drop_table("event_links")
    op.drop_table("event_heads")
    op.drop_table("divisions")
    op.drop_table("desk_holders")
    op.drop_table("calendar_days")
    op.drop_table("business_clock")
    op.drop_table("bulletins")
    op.drop_table("budget_indicators")
    op.drop_table("agent_banks")
