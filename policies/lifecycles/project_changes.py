"""The steps of a project change by level, and of the register of exceptions. （第二条、第七条、第二十三条）

The region's way (7(二)): department clerk, department reviewer, finance clerk, finance reviewer. The local way (7(三)):
county department with county finance by a joint document, the league's department and finance verify, the region files.
"""

from models.project_changes import ExceptionStatus as E
from models.project_changes import ProjectChangeStatus as S
from policies.lifecycles.base import OPINION, REASON, Ask, Desk, Lifecycle, Step
from policies.permissions import Permission as P

WHY = Ask("reason", "撤回原因")
JOINT = Ask(
    "joint_document", "联合行文文号", "text", help="旗县主管部门会同同级财政局联合行文的文号，如“敖农发〔2026〕12号”"
)
JOINT_FILE = Ask("evidence", "联合行文扫描件", "evidence", choices=(("joint", "联合行文"),),
                 help="JPG、PNG 图片或 PDF，每份不超过 5 MB")  # fmt: skip
END = Ask("reason", "恢复纳入原因")
DRAFT, SIGN, EXAMINE, ADMIT = (
    P.PROJECT_CHANGE_DRAFT, P.PROJECT_CHANGE_SIGN, P.PROJECT_CHANGE_EXAMINE, P.PROJECT_CHANGE_ADMIT,
)  # fmt: skip
FROZEN = "提交后申请表内容固定，由本部门审核岗审签；需要改动的，由后续岗位退回。"
EFFECT = "办结后立即生效：项目库写入新版本，此前造册的清册仍按原版本办理（第七条、第九条）。"


def _return(source: S, target: S, permission: P, desk: Desk) -> Step:
    """Return the step that gives a change back to its drafter; it comes back to the desk that returned it."""
    return Step("return_", source, target, permission, "退回", desk, asks=(REASON,), forward=False, resume_at=source,
                consequence="退回填报岗位；内容不变的重新提交后回到本岗位，内容有改动的从审签重新办理。")  # fmt: skip


def _drafter(draft: S, submitted: S, returned: S, desk: Desk) -> tuple[Step, ...]:
    """Return the steps of the desk that fills in the form."""
    return (
        Step("submit", draft, submitted, DRAFT, "提交审签", desk, asks=(OPINION,), consequence=FROZEN),
        Step("resubmit", returned, None, DRAFT, "原内容重新提交", desk, asks=(OPINION,),
             consequence="申请表内容不变，回到退回的岗位继续办理。"),
        Step("revise", returned, draft, DRAFT, "修改申请表", desk, forward=False,
             consequence="申请表恢复为填写中，改好后重新提交审签。"),
    )  # fmt: skip


def _withdrawals(desk: Desk, *sources: S) -> tuple[Step, ...]:
    return tuple(
        Step("withdraw", source, S.WITHDRAWN, DRAFT, "撤回", desk, asks=(WHY,), forward=False,
             consequence="本申请终止；需要时重新填写。")
        for source in sources
    )  # fmt: skip


# fmt: off
PROJECT_CHANGE_LIFECYCLE = Lifecycle(
    "project_change",
    "项目申请",
    (
        *_drafter(S.DRAFT, S.SUBMITTED, S.RETURNED, Desk.REGION_DEPARTMENT_CLERK),
        Step("sign", S.SUBMITTED, S.SIGNED, SIGN, "审签", Desk.REGION_DEPARTMENT_REVIEWER, asks=(OPINION,),
             consequence="报自治区财政厅办理（第七条第二项）。"),
        Step("examine", S.SIGNED, S.EXAMINED, EXAMINE, "初审", Desk.REGION_FINANCE_CLERK, asks=(OPINION,),
             consequence="报财政厅审核岗办理入库、变更或停用。"),
        Step("admit", S.EXAMINED, S.EFFECTIVE, ADMIT, "办理生效", Desk.REGION_FINANCE_REVIEWER, asks=(OPINION,),
             consequence=EFFECT),
        _return(S.SUBMITTED, S.RETURNED, SIGN, Desk.REGION_DEPARTMENT_REVIEWER),
        _return(S.SIGNED, S.RETURNED, EXAMINE, Desk.REGION_FINANCE_CLERK),
        _return(S.EXAMINED, S.RETURNED, ADMIT, Desk.REGION_FINANCE_REVIEWER),
        *_withdrawals(Desk.REGION_DEPARTMENT_CLERK, S.DRAFT, S.SUBMITTED, S.SIGNED, S.RETURNED),
        *_drafter(S.LOCAL_DRAFT, S.LOCAL_SUBMITTED, S.LOCAL_RETURNED, Desk.DEPARTMENT_CLERK),
        Step("sign", S.LOCAL_SUBMITTED, S.LOCAL_SIGNED, SIGN, "审签", Desk.DEPARTMENT_REVIEWER, asks=(OPINION,),
             consequence="会同同级财政局联合行文（第七条第三项）。"),
        Step("join", S.LOCAL_SIGNED, S.JOINED, P.PROJECT_CHANGE_JOIN, "联合行文", Desk.FINANCE_REVIEWER,
             asks=(JOINT, JOINT_FILE, OPINION), consequence="报盟市主管部门、财政部门核验（第七条第三项）。"),
        Step("verify", S.JOINED, S.DEPARTMENT_VERIFIED, P.PROJECT_CHANGE_VERIFY, "核验",
             Desk.LEAGUE_DEPARTMENT_REVIEWER, asks=(OPINION,),
             consequence="转盟市财政部门核验；财政直管的满洲里、二连浩特直接报财政厅备案。"),
        Step("verify", S.DEPARTMENT_VERIFIED, S.VERIFIED, P.PROJECT_CHANGE_VERIFY, "核验", Desk.LEAGUE_FINANCE_REVIEWER,
             asks=(OPINION,), consequence="报自治区财政厅备案（第七条第三项）。"),
        Step("pass_over", S.DEPARTMENT_VERIFIED, S.VERIFIED, label="财政直管，不经盟市财政核验"),
        Step("examine", S.VERIFIED, S.FILING, EXAMINE, "初审", Desk.REGION_FINANCE_CLERK, asks=(OPINION,),
             consequence="报财政厅审核岗备案。"),
        Step("file", S.FILING, S.EFFECTIVE, ADMIT, "备案", Desk.REGION_FINANCE_REVIEWER, asks=(OPINION,),
             consequence=EFFECT),
        _return(S.LOCAL_SUBMITTED, S.LOCAL_RETURNED, SIGN, Desk.DEPARTMENT_REVIEWER),
        _return(S.LOCAL_SIGNED, S.LOCAL_RETURNED, P.PROJECT_CHANGE_JOIN, Desk.FINANCE_REVIEWER),
        _return(S.JOINED, S.LOCAL_RETURNED, P.PROJECT_CHANGE_VERIFY, Desk.LEAGUE_DEPARTMENT_REVIEWER),
        _return(S.DEPARTMENT_VERIFIED, S.LOCAL_RETURNED, P.PROJECT_CHANGE_VERIFY, Desk.LEAGUE_FINANCE_REVIEWER),
        _return(S.VERIFIED, S.LOCAL_RETURNED, EXAMINE, Desk.REGION_FINANCE_CLERK),
        _return(S.FILING, S.LOCAL_RETURNED, ADMIT, Desk.REGION_FINANCE_REVIEWER),
        *_withdrawals(Desk.DEPARTMENT_CLERK, S.LOCAL_DRAFT, S.LOCAL_SUBMITTED, S.LOCAL_SIGNED, S.JOINED,
                      S.LOCAL_RETURNED),
    ),
    ends=frozenset({S.EFFECTIVE, S.WITHDRAWN}),
    begins=frozenset({S.LOCAL_DRAFT}),
)

PROJECT_EXCEPTION_LIFECYCLE = Lifecycle(
    "project_exception",
    "不纳入项目",
    (
        Step("confirm", E.PROPOSED, E.CONFIRMED, P.EXCEPTION_CONFIRM, "复核同意", Desk.REGION_FINANCE_REVIEWER,
             asks=(OPINION,), consequence="列入不纳入“一卡通”发放管理的项目登记（第二条）。"),
        Step("return_", E.PROPOSED, E.RETURNED, P.EXCEPTION_CONFIRM, "退回", Desk.REGION_FINANCE_REVIEWER,
             asks=(REASON,), forward=False, resume_at=E.PROPOSED, consequence="退回登记岗位补正。"),
        Step("resubmit", E.RETURNED, None, P.EXCEPTION_PROPOSE, "重新提交", Desk.REGION_FINANCE_CLERK,
             asks=(OPINION,)),
        Step("withdraw", E.PROPOSED, E.WITHDRAWN, P.EXCEPTION_PROPOSE, "撤回", Desk.REGION_FINANCE_CLERK,
             asks=(WHY,), forward=False),
        Step("withdraw", E.RETURNED, E.WITHDRAWN, P.EXCEPTION_PROPOSE, "撤回", Desk.REGION_FINANCE_CLERK,
             asks=(WHY,), forward=False),
        Step("end", E.CONFIRMED, E.ENDING, P.EXCEPTION_PROPOSE, "提出恢复纳入", Desk.REGION_FINANCE_CLERK,
             asks=(END,), forward=False, consequence="复核同意后不再列为例外，应按第七条办理入库（第二条应纳尽纳）。"),
        Step("confirm_end", E.ENDING, E.ENDED, P.EXCEPTION_CONFIRM, "同意恢复纳入", Desk.REGION_FINANCE_REVIEWER,
             asks=(OPINION,)),
        Step("keep", E.ENDING, E.CONFIRMED, P.EXCEPTION_CONFIRM, "不同意恢复", Desk.REGION_FINANCE_REVIEWER,
             asks=(REASON,), forward=False),
    ),
    ends=frozenset({E.CONFIRMED, E.ENDED, E.WITHDRAWN}),
)
# fmt: on
