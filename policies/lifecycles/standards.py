"""The steps of a dated standard: proposed and confirmed by the department of the level that sets it. （第八条）"""

from models.projects import StandardStatus as S
from policies.lifecycles.base import OPINION, REASON, Ask, Desk, Lifecycle, Step
from policies.permissions import Permission as P

LAST_DAY = Ask("valid_to", "执行止", "date", help="最后一天仍按本标准执行；不能早于今天")
WHY = Ask("reason", "定止期原因")

# fmt: off
STANDARD_LIFECYCLE = Lifecycle(
    "standard",
    "补贴标准",
    (
        Step("confirm", S.PROPOSED, S.IN_FORCE, P.STANDARD_CONFIRM, "审核通过", Desk.OWN_DEPARTMENT_REVIEWER,
             asks=(OPINION,),
             consequence="自执行起日起新造的清册按本标准；同档次原无止期的标准止于前一日，已造的清册不变（第八条）。"),
        Step("return_", S.PROPOSED, S.DISCARDED, P.STANDARD_CONFIRM, "不通过", Desk.OWN_DEPARTMENT_REVIEWER,
             asks=(REASON,), forward=False, consequence="本条不执行；需要的由经办岗另行拟定。"),
        Step("withdraw", S.PROPOSED, S.DISCARDED, P.STANDARD_PROPOSE, "撤回", Desk.OWN_DEPARTMENT_CLERK,
             forward=False, consequence="本条不执行；需要的另行拟定。"),
        Step("end", S.IN_FORCE, S.ENDED, P.STANDARD_CONFIRM, "定止期", Desk.OWN_DEPARTMENT_REVIEWER,
             asks=(LAST_DAY, WHY), forward=False,
             consequence="止期以后的所属期不能再按本标准造册，直到有新标准（第九条停发）。"),
        Step("supersede", S.IN_FORCE, S.ENDED, label="由新标准接续"),
    ),
    ends=frozenset({S.ENDED, S.DISCARDED}),
    begins=frozenset({S.IN_FORCE}),
)
# fmt: on
