"""The steps of an arrangement of holidays: imported and enabled by two people of the region. （第十七条等）"""

from models.clock import CalendarStatus as S
from policies.lifecycles.base import OPINION, REASON, Desk, Lifecycle, Step
from policies.permissions import Permission as P

# fmt: off
CALENDAR_LIFECYCLE = Lifecycle(
    "calendar",
    "放假安排",
    (
        Step("enable", S.IMPORTED, S.ENABLED, P.CALENDAR_ENABLE, "启用", Desk.REGION_FINANCE_REVIEWER, asks=(OPINION,),
             consequence="全区工作日历随即更新，未办结事项的办理期限由后台任务一次重算；退回件剩余的工作日不变。"),
        Step("return_", S.IMPORTED, S.DISCARDED, P.CALENDAR_ENABLE, "退回", Desk.REGION_FINANCE_REVIEWER,
             asks=(REASON,), forward=False, consequence="本次导入不启用，由经办岗核对文件后重新导入。"),
        Step("withdraw", S.IMPORTED, S.DISCARDED, P.CALENDAR_IMPORT, "撤回", Desk.REGION_FINANCE_CLERK,
             forward=False, consequence="本次导入不启用，可重新导入。"),
        Step("apply", S.ENABLED, S.APPLIED, label="日历生效"),
    ),
    ends=frozenset({S.APPLIED, S.DISCARDED}),
)
# fmt: on
