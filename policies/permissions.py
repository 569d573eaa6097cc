"""Every permission, alphabetically: noun:verb. The seed policy says who holds it; the docs list each."""

from models.base import Labelled


class Permission(Labelled):
    """One verb of the regulation that somebody may be allowed to do."""

    ACCOUNT_CONFIRM = "account:confirm", "复核账户变更"
    ACCOUNT_REGISTER = "account:register", "登记账户"
    ACCOUNT_REVEAL = "account:reveal", "查看完整账号"
    ACCOUNT_VERIFY = "account:verify", "提交账户验证"
    ACCOUNT_VIEW = "account:view", "查看账户"
    ACCOUNT_BATCH_CONFIRM = "account_batch:confirm", "复核批量换卡"
    ACCOUNT_BATCH_PROPOSE = "account_batch:propose", "提出批量换卡"
    ACCOUNT_BATCH_VIEW = "account_batch:view", "查看批量换卡"
    ALLOCATION_CONFIRM = "allocation:confirm", "审核分配方案"
    ALLOCATION_DRAFT = "allocation:draft", "编制分配方案"
    ALLOCATION_VIEW = "allocation:view", "查看分配方案"
    ANNUAL_LIST_DRAFT = "annual_list:draft", "编制项目清单"
    ANNUAL_LIST_PUBLISH = "annual_list:publish", "发布项目清单"
    ANNUAL_LIST_VIEW = "annual_list:view", "查看项目清单"
    APPLICATION_ENDORSE = "application:endorse", "负责人审核申请"
    APPLICATION_ENTER = "application:enter", "录入资格申请"
    APPLICATION_EXAMINE = "application:examine", "主管部门初审申请"
    APPLICATION_NOTICE = "application:notice", "公示资格审核情况"
    APPLICATION_PASS = "application:pass", "主管部门审批申请"
    APPLICATION_VIEW = "application:view", "查看资格申请"
    AUDIT_EXPORT = "audit:export", "导出审计记录"
    AUDIT_VERIFY = "audit:verify", "校验审计链"
    AUDIT_VIEW = "audit:view", "查看审计记录"
    BANK_REPLY_CONFIRM = "bank_reply:confirm", "复核银行回复"
    BANK_REPLY_PREPARE = "bank_reply:prepare", "录入银行回复"
    BANK_REPLY_VIEW = "bank_reply:view", "查看银行回复"
    BATCH_PREPARE = "batch:prepare", "生成代发批次"
    BATCH_RELEASE = "batch:release", "复核代发批次"
    BATCH_VIEW = "batch:view", "查看代发批次"
    BULLETIN_MAKE = "bulletin:make", "生成通报"
    BULLETIN_VIEW = "bulletin:view", "查看通报"
    CALENDAR_ENABLE = "calendar:enable", "启用工作日历"
    CALENDAR_IMPORT = "calendar:import", "导入工作日历"
    CALENDAR_VIEW = "calendar:view", "查看工作日历"
    CATALOGUE_TASK_SETTLE = "catalogue_task:settle", "处理项目与指标待办"
    CATALOGUE_TASK_VIEW = "catalogue_task:view", "查看项目与指标待办"
    DELEGATION_GRANT = "delegation:grant", "委托代办"
    DELEGATION_REVOKE = "delegation:revoke", "撤销委托"
    DELEGATION_VIEW = "delegation:view", "查看委托"
    DUTY_CONFIRM = "duty:confirm", "启用不相容岗位规则"
    DUTY_PROPOSE = "duty:propose", "拟定不相容岗位规则"
    DUTY_VIEW = "duty:view", "查看不相容岗位"
    ENQUIRY_MAKE = "enquiry:make", "窗口查询"
    ENQUIRY_VIEW = "enquiry:view", "查看窗口查询记录"
    EVENT_VIEW = "event:view", "查看办理记录"
    EXCEPTION_CONFIRM = "exception:confirm", "复核不纳入项目"
    EXCEPTION_PROPOSE = "exception:propose", "登记不纳入项目"
    EXCEPTION_VIEW = "exception:view", "查看不纳入项目"
    EXCHANGE_KEEP = "exchange:keep", "维护共享接口"
    EXCHANGE_VIEW = "exchange:view", "查看部门数据共享"
    EXPORT_PLAIN = "export:plain", "导出完整信息"
    FAILURE_ACTIVATE = "failure:activate", "确认账户激活"
    FAILURE_CORRECT = "failure:correct", "更正失败明细账户"
    FAILURE_NOTIFY = "failure:notify", "通知乡镇更正"
    FAILURE_REMOVE = "failure:remove", "移出清册"
    FAILURE_REPORT = "failure:report", "乡镇反馈无法发放"
    FAILURE_VIEW = "failure:view", "查看发放失败"
    FLOW_DRAFT = "flow:draft", "编制发放管理流程"
    FLOW_ENABLE = "flow:enable", "启用发放管理流程"
    FLOW_VIEW = "flow:view", "查看发放管理流程"
    HOUSEHOLD_VIEW = "household:view", "查看补贴对象"
    HOUSEHOLD_REVIEW_PREPARE = "household_review:prepare", "登记年度复核"
    HOUSEHOLD_REVIEW_SIGN = "household_review:sign", "签署年度复核"
    HOUSEHOLD_REVIEW_VIEW = "household_review:view", "查看年度复核"
    IMPORT_CREATE = "import:create", "导入清册"
    IMPORT_VIEW = "import:view", "查看清册导入"
    INDICATOR_ACKNOWLEDGE = "indicator:acknowledge", "接收指标通知"
    INDICATOR_DOWNLOAD = "indicator:download", "下载预算指标"
    INDICATOR_LINK = "indicator:link", "对应预算项目"
    INDICATOR_VIEW = "indicator:view", "查看预算指标"
    JOB_VIEW = "job:view", "查看后台任务"
    JOURNAL_VIEW = "journal:view", "查看记账凭证"
    KEY_VIEW = "key:view", "查看密钥状态"
    LOCAL_RULE_ENABLE = "local_rule:enable", "审定本地细则参数"
    LOCAL_RULE_FILE = "local_rule:file", "备案本地细则"
    LOCAL_RULE_PROPOSE = "local_rule:propose", "拟定本地细则参数"
    LOCAL_RULE_VIEW = "local_rule:view", "查看本地细则"
    MEMBER_CHECK = "member:check", "发起公安联网核查"
    MEMBER_REVEAL = "member:reveal", "查看完整身份信息"
    NOTICE_OBJECT = "notice:object", "登记公示异议"
    NOTICE_SETTLE = "notice:settle", "处理公示异议"
    NOTICE_SET_PERIOD = "notice:set_period", "设定公示期"
    NOTICE_VIEW = "notice:view", "查看公示"
    OFFICER_REGISTER = "officer:register", "登记用户"
    OFFICER_RESET = "officer:reset", "重置登录凭据"
    OFFICER_SUSPEND = "officer:suspend", "停用用户"
    OFFICER_VIEW = "officer:view", "查看用户"
    ORDER_DRAFT = "order:draft", "生成资金支付单"
    ORDER_RELEASE = "order:release", "复核资金支付单"
    ORDER_VIEW = "order:view", "查看资金支付单"
    ORGANISATION_KEEP = "organisation:keep", "维护机构"
    ORGANISATION_VIEW = "organisation:view", "查看机构"
    POLICY_DRAFT = "policy:draft", "拟定权限策略"
    POLICY_ENABLE = "policy:enable", "启用权限策略"
    POLICY_VIEW = "policy:view", "查看权限策略"
    POST_CONFIRM = "post:confirm", "复核任职"
    POST_END = "post:end", "终止任职"
    POST_PROPOSE = "post:propose", "拟任岗位"
    POST_VIEW = "post:view", "查看岗位"
    PROJECT_VIEW = "project:view", "查看补贴项目"
    PROJECT_CHANGE_ADMIT = "project_change:admit", "办理项目入库、变更、停用"
    PROJECT_CHANGE_DRAFT = "project_change:draft", "填写项目申请表"
    PROJECT_CHANGE_EXAMINE = "project_change:examine", "初审项目申请"
    PROJECT_CHANGE_JOIN = "project_change:join", "联合行文"
    PROJECT_CHANGE_SIGN = "project_change:sign", "审签项目申请"
    PROJECT_CHANGE_VERIFY = "project_change:verify", "核验项目申请"
    PROJECT_CHANGE_VIEW = "project_change:view", "查看项目申请"
    PUBLICATION_PREPARE = "publication:prepare", "拟稿公开内容"
    PUBLICATION_PUBLISH = "publication:publish", "发布公开内容"
    PUBLICATION_VIEW = "publication:view", "查看公开内容"
    QUALIFICATION_CONFIRM = "qualification:confirm", "复核资格终止"
    QUALIFICATION_END = "qualification:end", "终止资格"
    QUALIFICATION_VIEW = "qualification:view", "查看资格名册"
    REFUND_PREPARE = "refund:prepare", "生成退款单"
    REFUND_RELEASE = "refund:release", "复核退款单"
    REFUND_VIEW = "refund:view", "查看退款单"
    REVEAL_VIEW = "reveal:view", "查看明文查看记录"
    REGISTRY_CHANGE_APPROVE = "registry_change:approve", "复核基础信息变更"
    REGISTRY_CHANGE_PROPOSE = "registry_change:propose", "提出基础信息变更"
    REGISTRY_CHANGE_VIEW = "registry_change:view", "查看基础信息变更"
    REGISTRY_TASK_SETTLE = "registry_task:settle", "处理基础信息待办"
    REGISTRY_TASK_VIEW = "registry_task:view", "查看基础信息待办"
    ROSTER_CHECK = "roster:check", "核查清册"
    ROSTER_EDIT = "roster:edit", "调整清册明细"
    ROSTER_ENDORSE = "roster:endorse", "负责人审核清册"
    ROSTER_EXAMINE = "roster:examine", "主管部门初审清册"
    ROSTER_FINANCE_EXAMINE = "roster:finance_examine", "财政初审清册"
    ROSTER_FINANCE_PASS = "roster:finance_pass", "财政终审清册"
    ROSTER_GENERATE = "roster:generate", "由资格名册生成清册"
    ROSTER_NOTICE = "roster:notice", "公示清册"
    ROSTER_PASS = "roster:pass", "主管部门审核清册"
    ROSTER_REPORT = "roster:report", "上报清册"
    ROSTER_RETURN = "roster:return", "退回清册"
    ROSTER_SUBSTEP = "roster:substep", "办理流程子环节"
    ROSTER_VIEW = "roster:view", "查看清册"
    RULE_ENABLE = "rule:enable", "启用预警规则"
    RULE_SAVE = "rule:save", "维护预警规则"
    RULE_VIEW = "rule:view", "查看预警规则"
    SESSION_END = "session:end", "结束会话"
    SESSION_VIEW = "session:view", "查看登录会话"
    STANDARD_CONFIRM = "standard:confirm", "审核补贴标准"
    STANDARD_PROPOSE = "standard:propose", "拟定补贴标准"
    STATEMENT_RECONCILE = "statement:reconcile", "对账"
    STATEMENT_VIEW = "statement:view", "查看对账单"
    WARNING_EXPLAIN = "warning:explain", "说明预警"
    WARNING_VIEW = "warning:view", "查看预警"


NOUN_TITLES = {
    "account": "账户",
    "account_batch": "批量换卡",
    "allocation": "分配方案",
    "annual_list": "项目清单",
    "application": "资格申请",
    "audit": "审计",
    "bank_reply": "银行回复",
    "batch": "代发批次",
    "bulletin": "通报",
    "calendar": "工作日历",
    "catalogue_task": "项目与指标待办",
    "delegation": "委托代办",
    "duty": "不相容岗位",
    "enquiry": "窗口查询",
    "event": "办理记录",
    "exception": "不纳入项目",
    "exchange": "部门数据共享",
    "export": "导出",
    "failure": "发放失败",
    "flow": "发放管理流程",
    "household": "补贴对象",
    "household_review": "年度复核",
    "import": "清册导入",
    "indicator": "预算指标",
    "job": "后台任务",
    "journal": "记账凭证",
    "key": "密钥",
    "local_rule": "本地细则",
    "member": "身份信息",
    "notice": "公示",
    "officer": "用户",
    "order": "资金支付单",
    "organisation": "机构",
    "policy": "权限策略",
    "post": "岗位",
    "project": "补贴项目",
    "project_change": "项目申请",
    "publication": "公开内容",
    "qualification": "资格名册",
    "refund": "退款单",
    "registry_change": "基础信息变更",
    "registry_task": "基础信息待办",
    "reveal": "明文查看",
    "roster": "发放清册",
    "rule": "预警规则",
    "session": "登录会话",
    "standard": "补贴标准",
    "statement": "对账单",
    "warning": "预警",
}
"""What the nouns of permissions are called: the groups of the matrix."""
