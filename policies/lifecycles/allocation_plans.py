"""The steps of an allocation plan (分配方案). （第三十二条）"""

from models.allocation_plans import AllocationStatus as S
from policies.lifecycles.base import OPINION, REASON, Desk, Lifecycle, Step
from policies.permissions import Permission as P

# fmt: off
ALLOCATION_PLAN_LIFECYCLE = Lifecycle(
    "allocation_plan",
    "分配方案",
    (
        Step("submit", S.DRAFT, S.SUBMITTED, P.ALLOCATION_DRAFT, "提交审核", Desk.OWN_DEPARTMENT_CLERK,
             consequence="提交后方案内容不能再改，由本部门审核岗审核（第三十二条）。"),
        Step("withdraw", S.DRAFT, S.WITHDRAWN, P.ALLOCATION_DRAFT, "作废", Desk.OWN_DEPARTMENT_CLERK, forward=False,
             consequence="作废后不能恢复，可重新编制。"),
        Step("confirm", S.SUBMITTED, S.CONFIRMED, P.ALLOCATION_CONFIRM, "审核通过", Desk.OWN_DEPARTMENT_REVIEWER,
             asks=(OPINION,),
             consequence="审核通过后方案永久不变，与实际下达逐地区对照；需要调整的编制补充方案（第三十二条）。"),
        Step("return_", S.SUBMITTED, S.DRAFT, P.ALLOCATION_CONFIRM, "退回", Desk.OWN_DEPARTMENT_REVIEWER,
             asks=(REASON,), forward=False),
        Step("supersede", S.CONFIRMED, S.SUPERSEDED, label="由补充方案替代"),
    ),
    ends=frozenset({S.CONFIRMED, S.SUPERSEDED, S.WITHDRAWN}),
)
# fmt: on
