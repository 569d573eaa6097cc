"""The steps of a local rule: settled by the division's own finance bureau, told to the region. （第三十六条）"""

from models.local_rules import LocalRuleStatus as S
from policies.lifecycles.base import OPINION, REASON, Ask, Desk, Lifecycle, Step
from policies.permissions import Permission as P

LAST_DAY = Ask("valid_to", "执行止", "date", help="最后一天仍按本细则执行；不能早于今天")
WHY = Ask("reason", "停止原因")
NOTE = Ask("note", "备案说明", required=False)

END = "该日以后按办法（或盟市细则）规定的数值；已起算的期限不变（第三十六条）。"

# fmt: off
LOCAL_RULE_LIFECYCLE = Lifecycle(
    "local_rule",
    "本地细则",
    (
        Step("settle", S.PROPOSED, S.SETTLED, P.LOCAL_RULE_ENABLE, "审定", Desk.OWN_FINANCE_REVIEWER, asks=(OPINION,),
             consequence="自执行起日起，本地区新起算的期限按本细则；同时报自治区财政厅备案（第三十六条）。"),
        Step("return_", S.PROPOSED, S.DISCARDED, P.LOCAL_RULE_ENABLE, "不采用", Desk.OWN_FINANCE_REVIEWER,
             asks=(REASON,), forward=False, consequence="本条不执行；需要的由经办岗另行拟定。"),
        Step("withdraw", S.PROPOSED, S.DISCARDED, P.LOCAL_RULE_PROPOSE, "撤回", Desk.OWN_FINANCE_CLERK,
             forward=False, consequence="本条不执行；需要的另行拟定。"),
        Step("file", S.SETTLED, S.FILED, P.LOCAL_RULE_FILE, "备案", Desk.REGION_FINANCE_CLERK, asks=(NOTE,),
             consequence="备案是登记，不是审批：细则自审定后按其执行起日执行（第三十六条）。"),
        Step("end", S.SETTLED, S.ENDED, P.LOCAL_RULE_ENABLE, "停止执行", Desk.OWN_FINANCE_REVIEWER,
             asks=(LAST_DAY, WHY), forward=False, consequence=END),
        Step("end", S.FILED, S.ENDED, P.LOCAL_RULE_ENABLE, "停止执行", Desk.OWN_FINANCE_REVIEWER,
             asks=(LAST_DAY, WHY), forward=False, consequence=END),
    ),
    ends=frozenset({S.FILED, S.ENDED, S.DISCARDED}),
)
# fmt: on
