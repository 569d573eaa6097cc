"""The steps of a flow's version: the department's clerk drafts and tries it, its reviewer enables it. （第二十四条）"""

from models.flows import FlowStatus as S
from policies.lifecycles.base import Ask, Desk, Lifecycle, Step
from policies.permissions import Permission as P

WHY = Ask("reason", "退回原因")
END_WHY = Ask("reason", "停用原因", help="依据的文件或政策变化")

# fmt: off
FLOW_LIFECYCLE = Lifecycle(
    "flow",
    "发放管理流程",
    (
        Step("propose", S.DRAFT, S.PROPOSED, P.FLOW_DRAFT, "提交审核", Desk.REGION_DEPARTMENT_CLERK,
             consequence="提交后内容固定，由本部门审核岗审核启用；现行版本不变。"),
        Step("discard", S.DRAFT, S.DISCARDED, P.FLOW_DRAFT, "作废", Desk.REGION_DEPARTMENT_CLERK, forward=False,
             consequence="本草稿不再使用，现行版本不变。"),
        Step("withdraw", S.PROPOSED, S.DRAFT, P.FLOW_DRAFT, "撤回修改", Desk.REGION_DEPARTMENT_CLERK, forward=False,
             undoes=True, consequence="回到编制中，可继续修改；修改后须重新试运行。"),
        Step("enable", S.PROPOSED, S.IN_FORCE, P.FLOW_ENABLE, "审核启用", Desk.REGION_DEPARTMENT_REVIEWER,
             consequence="此后新造的清册按本版办理；已在办理的清册继续按原版本办完。"),
        Step("return_", S.PROPOSED, S.DRAFT, P.FLOW_ENABLE, "退回修改", Desk.REGION_DEPARTMENT_REVIEWER, asks=(WHY,),
             forward=False, consequence="退回经办岗修改，修改后须重新试运行。"),
        Step("supersede", S.IN_FORCE, S.SUPERSEDED, label="被新版取代"),
        Step("end", S.IN_FORCE, S.ENDED, P.FLOW_ENABLE, "停用", Desk.REGION_DEPARTMENT_REVIEWER, asks=(END_WHY,),
             forward=False, consequence="不再供补贴项目选用；已在办理的清册继续按本版办完。"),
    ),
    ends=frozenset({S.SUPERSEDED, S.ENDED, S.DISCARDED}),
)
# fmt: on
