"""The steps of an application and of a qualification: entered, audited, examined, decided, on notice, on the register.

（第十四、十五条）
"""

from models.applications import ApplicationStatus as A
from models.qualifications import QualificationStatus as Q
from policies.lifecycles.base import OPINION, REASON, Ask, Desk, Lifecycle, Step
from policies.permissions import Permission as P

REJECTION = Ask("reason", "不予批准的原因", help="写明依据，将告知申请人；不要写身份证号、账号")
WITHDRAWAL = Ask("reason", "撤回原因")
END_REASON = Ask("reason", "终止原因", help="写明依据；不要写身份证号、账号")
ENDS_ON = Ask("ends_on", "终止日期", "date", help="自该日起不再享受")

# fmt: off
APPLICATION_LIFECYCLE = Lifecycle(
    "application",
    "资格申请",
    (
        Step("endorse", A.SUBMITTED, A.ENDORSED, P.APPLICATION_ENDORSE, "负责人审核", Desk.TOWNSHIP_HEAD,
             asks=(OPINION,), consequence="负责人对申请人和申请内容的真实性负责，交旗县主管部门初审（第三十一条）。"),
        Step("return_", A.SUBMITTED, A.RETURNED, P.APPLICATION_ENDORSE, "退回", Desk.TOWNSHIP_HEAD, asks=(REASON,),
             forward=False, resume_at=A.SUBMITTED, consequence="退回经办人补正。"),
        Step("withdraw", A.SUBMITTED, A.WITHDRAWN, P.APPLICATION_ENTER, "撤回", Desk.TOWNSHIP_CLERK,
             asks=(WITHDRAWAL,), forward=False, consequence="申请作废；需要时可重新受理。"),
        Step("withdraw_department", A.SUBMITTED, A.WITHDRAWN, P.APPLICATION_ENTER, "撤回受理", Desk.DEPARTMENT_CLERK,
             asks=(WITHDRAWAL,), forward=False, consequence="只能撤回主管部门受理的申请；需要时可重新受理。"),
        Step("examine", A.ENDORSED, A.EXAMINED, P.APPLICATION_EXAMINE, "初审通过", Desk.DEPARTMENT_CLERK,
             asks=(OPINION,), consequence="交本部门审核岗审批（第十四条）。"),
        Step("accept", A.ENDORSED, A.EXAMINED, label="部门系统审批视同初审"),
        Step("return_", A.ENDORSED, A.RETURNED, P.APPLICATION_EXAMINE, "退回", Desk.DEPARTMENT_CLERK, asks=(REASON,),
             forward=False, resume_at=A.ENDORSED, consequence="退回苏木乡镇补正；补正内容的须由负责人再次审核。"),
        Step("approve", A.EXAMINED, A.APPROVED, P.APPLICATION_PASS, "批准", Desk.DEPARTMENT_REVIEWER, asks=(OPINION,),
             consequence="审核情况由主管部门经办岗公示，公示期满无异议的列入资格名册（第十四、十五条）。"),
        Step("reject", A.EXAMINED, A.REJECTED, P.APPLICATION_PASS, "不予批准", Desk.DEPARTMENT_REVIEWER,
             asks=(REJECTION,), forward=False, consequence="申请办结，原因告知申请人。"),
        Step("reject", A.ON_NOTICE, A.REJECTED, P.APPLICATION_PASS, "不予批准", Desk.DEPARTMENT_REVIEWER,
             asks=(REJECTION,), forward=False, consequence="公示异议成立等原因不予批准，申请办结。"),
        Step("return_", A.EXAMINED, A.RETURNED, P.APPLICATION_PASS, "退回", Desk.DEPARTMENT_REVIEWER, asks=(REASON,),
             forward=False, resume_at=A.ENDORSED, consequence="退回苏木乡镇补正；补正后由经办岗再次初审。"),
        Step("publish", A.APPROVED, A.ON_NOTICE, P.APPLICATION_NOTICE, "公示", Desk.DEPARTMENT_CLERK, forward=False,
             consequence="只公示这一份申请；同一项目的多份申请请在列表上方点“整批公示”。公示内容从此固定（第十五条）。"),
        Step("qualify", A.ON_NOTICE, A.QUALIFIED, label="列入资格名册"),
        Step("qualify", A.APPROVED, A.QUALIFIED, label="列入资格名册（流程不要求公示）"),
        Step("resume", A.RETURNED, None, P.APPLICATION_ENTER, "再次提交", Desk.TOWNSHIP_CLERK, asks=(OPINION,),
             consequence="内容已补正的，由苏木乡镇负责人再次审核；未变的，回到退回的岗位。"),
        Step("withdraw", A.RETURNED, A.WITHDRAWN, P.APPLICATION_ENTER, "撤回", Desk.TOWNSHIP_CLERK,
             asks=(WITHDRAWAL,), forward=False, consequence="申请作废；需要时可重新受理。"),
        Step("refuse_taken", A.ON_NOTICE, A.REJECTED, label="在其他地区已有同一资格，不予列入", forward=False),
        Step("refuse_taken", A.APPROVED, A.REJECTED, label="在其他地区已有同一资格，不予列入", forward=False),
        Step("refuse_outside", A.ENDORSED, A.REJECTED, label="部门系统未批准", forward=False),
        Step("refuse_outside", A.SUBMITTED, A.REJECTED, label="部门系统未批准", forward=False),
    ),
    ends=frozenset({A.QUALIFIED, A.REJECTED, A.WITHDRAWN}),
    begins=frozenset({A.ENDORSED}),
)

QUALIFICATION_LIFECYCLE = Lifecycle(
    "qualification",
    "补贴资格",
    (
        Step("propose_end", Q.ACTIVE, Q.ENDING, P.QUALIFICATION_END, "终止资格", Desk.DEPARTMENT_CLERK,
             asks=(ENDS_ON, END_REASON), forward=False, resume_at=Q.ACTIVE,
             consequence="交本部门审核岗复核；复核期间不列入新的清册。"),
        Step("propose_end", Q.SUSPENDED, Q.ENDING, P.QUALIFICATION_END, "终止资格", Desk.DEPARTMENT_CLERK,
             asks=(ENDS_ON, END_REASON), resume_at=Q.SUSPENDED, consequence="交本部门审核岗复核。"),
        Step("confirm_end", Q.ENDING, Q.ENDED, P.QUALIFICATION_CONFIRM, "复核终止", Desk.DEPARTMENT_REVIEWER,
             asks=(OPINION,), consequence="资格自终止日期起不再列入清册。"),
        Step("keep", Q.ENDING, None, P.QUALIFICATION_CONFIRM, "不予终止", Desk.DEPARTMENT_REVIEWER, asks=(REASON,),
             forward=False, consequence="资格恢复到提出终止前的状态。"),
        Step("reinstate", Q.SUSPENDED, Q.ACTIVE, P.QUALIFICATION_CONFIRM, "恢复资格", Desk.DEPARTMENT_REVIEWER,
             asks=(REASON,), forward=False, consequence="登记的死亡、失踪、迁出已撤销的，资格恢复，列入以后的清册。"),
        Step("suspend", Q.ACTIVE, Q.SUSPENDED, label="人员状态变化，资格自动暂停"),
    ),
    ends=frozenset({Q.ENDED}),
)
# fmt: on
