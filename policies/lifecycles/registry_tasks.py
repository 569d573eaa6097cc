"""The steps of a registry task: settled by the township, or gone with the difference. （第十一、十六条）"""

from models.registry_tasks import TaskStatus as S
from policies.lifecycles.base import Ask, Desk, Lifecycle, Step
from policies.permissions import Permission as P

OUTCOME = Ask(
    "settled_as",
    "处理结果",
    "choice",
    choices=(
        ("corrected", "已发起更正"),
        ("death", "已发起死亡登记"),
        ("account", "已变更或激活账户"),
        ("reported", "已报主管部门追缴或追回"),
        ("confirmed", "核实无误，登记正确"),
        ("unreachable", "无法联系补贴对象"),
    ),
)
NOTE = Ask("note", "处理说明", help="写明核实经过和依据，不要写身份证号、账号")

# fmt: off
REGISTRY_TASK_LIFECYCLE = Lifecycle(
    "registry_task",
    "基础信息待办",
    (
        Step("settle", S.OPEN, S.SETTLED, P.REGISTRY_TASK_SETTLE, "处理", Desk.TOWNSHIP_KEEPER, asks=(OUTCOME, NOTE),
             consequence="处理结果和说明留存备查；差异仍在的，下次比对会再次提示。"),
        Step("vanish", S.OPEN, S.GONE, label="差异已消除"),
    ),
    ends=frozenset({S.SETTLED, S.GONE}),
)
# fmt: on
