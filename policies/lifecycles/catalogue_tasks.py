"""The steps of a task about lists, policies and money at rest. （第六、八、九、十条）"""

from models.catalogue_tasks import CatalogueTaskStatus as S
from policies.lifecycles.base import Ask, Desk, Lifecycle, Step
from policies.permissions import Permission as P

NOTE = Ask("note", "处理说明", help="办理结果，或暂不能办理的原因和计划")

# fmt: off
CATALOGUE_TASK_LIFECYCLE = Lifecycle(
    "catalogue_task",
    "项目与指标待办",
    (
        Step("settle", S.FINANCE, S.SETTLED, P.CATALOGUE_TASK_SETTLE, "处理完毕", Desk.OWN_FINANCE_CLERK, asks=(NOTE,),
             consequence="记录处理说明；事由仍在的，系统按期再次提出。"),
        Step("settle", S.DEPARTMENT, S.SETTLED, P.CATALOGUE_TASK_SETTLE, "处理完毕", Desk.OWN_DEPARTMENT_CLERK,
             asks=(NOTE,), consequence="记录处理说明；事由仍在的，系统按期再次提出。"),
        Step("vanish", S.FINANCE, S.GONE, label="事由消除"),
        Step("vanish", S.DEPARTMENT, S.GONE, label="事由消除"),
    ),
    ends=frozenset({S.SETTLED, S.GONE}),
    begins=frozenset({S.DEPARTMENT}),
)
# fmt: on
