"""The steps of a roster, from the township's draft to the last payment. （第十六、十七、十九至二十一条）"""

from models.rosters import RosterStatus as S
from models.warnings import Gate
from policies.deadlines import DEPARTMENT_REVIEW, FINANCE_REVIEW, TOWNSHIP_NOTICE
from policies.lifecycles.base import OPINION, REASON, Ask, Desk, Lifecycle, Step
from policies.permissions import Permission as P

MODE = Ask("mode", "公示方式", "choice", choices=(("online", "阳光申报公示平台"), ("offline", "线下公示")))
STATEMENT = Ask("statement", "线下公示说明", required=False, help="线下公示须写明张贴地点和不宜线上公示的理由")
ATTESTATION = Ask(
    "attested",
    "本人确认：补贴对象和补贴标准情况真实准确，没有用补贴资金抵扣补贴对象的债务或其他欠款（第三十一条）",
    "checkbox",
)

# fmt: off
ROSTER_LIFECYCLE = Lifecycle(
    "roster",
    "发放清册",
    (
        Step("publish_notice", S.DRAFT, S.ON_NOTICE, P.ROSTER_NOTICE, "公示", Desk.TOWNSHIP_CLERK, TOWNSHIP_NOTICE,
             (MODE, STATEMENT), consequence="公示内容从此固定，公示期按旗县主管部门的设定计算。"),
        Step("endorse", S.ON_NOTICE, S.ENDORSED, P.ROSTER_ENDORSE, "负责人审核", Desk.TOWNSHIP_HEAD,
             asks=(ATTESTATION, OPINION), consequence="公示期满且异议已处理后，由负责人对真实准确性负责。"),
        Step("report", S.ENDORSED, S.REPORTED, P.ROSTER_REPORT, "上报", Desk.TOWNSHIP_CLERK, gate=Gate.REPORT,
             consequence="清册报旗县主管部门，2 个工作日内审核。"),
        Step("examine_department", S.REPORTED, S.DEPARTMENT_EXAMINED, P.ROSTER_EXAMINE, "主管部门初审",
             Desk.DEPARTMENT_CLERK, DEPARTMENT_REVIEW, (OPINION,), gate=Gate.DEPARTMENT,
             consequence="交本部门审核岗审核。"),
        Step("pass_department", S.DEPARTMENT_EXAMINED, S.DEPARTMENT_PASSED, P.ROSTER_PASS, "主管部门审核通过",
             Desk.DEPARTMENT_REVIEWER, DEPARTMENT_REVIEW, (OPINION,), gate=Gate.DEPARTMENT,
             consequence="报旗县财政局，2 个工作日内审核完毕。"),
        Step("examine_finance", S.DEPARTMENT_PASSED, S.FINANCE_EXAMINED, P.ROSTER_FINANCE_EXAMINE, "财政初审",
             Desk.FINANCE_CLERK, FINANCE_REVIEW, (OPINION,), gate=Gate.FINANCE, consequence="交财政审核岗终审。"),
        Step("pass_finance", S.FINANCE_EXAMINED, S.FINAL, P.ROSTER_FINANCE_PASS, "财政终审通过", Desk.FINANCE_REVIEWER,
             FINANCE_REVIEW, (OPINION,), gate=Gate.FINANCE, consequence="清册终审，主管部门可据此生成资金支付单。"),
        Step("return_", S.REPORTED, S.RETURNED, P.ROSTER_RETURN, "退回", Desk.DEPARTMENT_CLERK, asks=(REASON,),
             forward=False, resume_at=S.REPORTED, consequence="退回苏木乡镇更正，时限暂停。"),
        Step("return_", S.DEPARTMENT_EXAMINED, S.RETURNED, P.ROSTER_RETURN, "退回", Desk.DEPARTMENT_REVIEWER,
             asks=(REASON,), forward=False, resume_at=S.REPORTED, consequence="退回苏木乡镇更正，时限暂停。"),
        Step("return_", S.DEPARTMENT_PASSED, S.RETURNED, P.ROSTER_RETURN, "退回", Desk.FINANCE_CLERK, asks=(REASON,),
             forward=False, resume_at=S.DEPARTMENT_PASSED, consequence="退回苏木乡镇更正，时限暂停。"),
        Step("return_", S.FINANCE_EXAMINED, S.RETURNED, P.ROSTER_RETURN, "退回", Desk.FINANCE_REVIEWER, asks=(REASON,),
             forward=False, resume_at=S.DEPARTMENT_PASSED, consequence="退回苏木乡镇更正，时限暂停。"),
        Step("resume", S.RETURNED, None, P.ROSTER_REPORT, "更正后再次上报", Desk.TOWNSHIP_CLERK, gate=Gate.REPORT,
             consequence="公示内容未变的，回到退回的岗位继续办理。"),
        Step("reopen", S.RETURNED, S.DRAFT, P.ROSTER_NOTICE, "重新公示", Desk.TOWNSHIP_CLERK, forward=False,
             consequence="公示内容已变的，须补充公示并重新审核。"),
        Step("reopen", S.ON_NOTICE, S.DRAFT, P.ROSTER_NOTICE, "重新公示", Desk.TOWNSHIP_CLERK, forward=False,
             consequence="公示内容已变的，须补充公示并重新审核。"),
        Step("reopen", S.ENDORSED, S.DRAFT, P.ROSTER_NOTICE, "重新公示", Desk.TOWNSHIP_CLERK, forward=False,
             consequence="公示内容已变的，须补充公示并重新审核。"),
        Step("withdraw", S.REPORTED, S.ENDORSED, P.ROSTER_REPORT, "撤回", Desk.TOWNSHIP_CLERK, forward=False,
             undoes=True, consequence="主管部门尚未办理，清册回到苏木乡镇。"),
        Step("withdraw_department", S.DEPARTMENT_PASSED, S.DEPARTMENT_EXAMINED, P.ROSTER_PASS, "撤回",
             Desk.DEPARTMENT_REVIEWER, forward=False, undoes=True,
             consequence="财政尚未办理，清册回到主管部门审核岗。"),
        Step("withdraw_finance", S.FINAL, S.FINANCE_EXAMINED, P.ROSTER_FINANCE_PASS, "撤回", Desk.FINANCE_REVIEWER,
             forward=False, undoes=True, consequence="尚未生成支付单，清册回到财政审核岗。"),
        Step("order", S.FINAL, S.ORDERED, label="已生成支付单"),
        Step("unorder", S.ORDERED, S.FINAL, label="支付单已撤销", forward=False),
        Step("pay_part", S.ORDERED, S.PART_PAID, label="部分发放"),
        Step("pay", S.ORDERED, S.PAID, label="发放完毕"),
        Step("pay", S.PART_PAID, S.PAID, label="发放完毕"),
        Step("unpay", S.PAID, S.PART_PAID, label="退汇", forward=False),
        Step("close", S.PART_PAID, S.CLOSED, label="办结"),
        Step("close", S.PAID, S.CLOSED, label="办结"),
    ),
    ends=frozenset({S.CLOSED, S.PAID}),
)
# fmt: on
