"""The steps of an added pair of duties: one security officer proposes, another confirms. （第二十三条）"""

from models.duty_pairs import DutyPairStatus as S
from policies.lifecycles.base import OPINION, REASON, Desk, Lifecycle, Step
from policies.permissions import Permission as P

# fmt: off
DUTY_PAIR_LIFECYCLE = Lifecycle(
    "duty_pair",
    "不相容岗位",
    (
        Step("confirm", S.PROPOSED, S.IN_FORCE, P.DUTY_CONFIRM, "复核启用", Desk.SECURITY_ENABLER, asks=(OPINION,),
             consequence="启用后，新的任职和委托凡与此冲突的一律拒绝；已有冲突列入“现有冲突”，由安全管理员处理。"),
        Step("refuse", S.PROPOSED, S.REFUSED, P.DUTY_CONFIRM, "不予启用", Desk.SECURITY_ENABLER, asks=(REASON,),
             forward=False),
        Step("propose_end", S.IN_FORCE, S.ENDING, P.DUTY_PROPOSE, "拟终止", Desk.SECURITY_DRAFTER, asks=(REASON,),
             forward=False, consequence="复核前继续有效。法定的不能终止（第二十三条）。"),
        Step("confirm_end", S.ENDING, S.ENDED, P.DUTY_CONFIRM, "复核终止", Desk.SECURITY_ENABLER, asks=(OPINION,),
             consequence="终止后不再限制任职；历史记录保留。"),
        Step("keep", S.ENDING, S.IN_FORCE, P.DUTY_CONFIRM, "继续有效", Desk.SECURITY_ENABLER, asks=(REASON,),
             forward=False),
    ),
    ends=frozenset({S.IN_FORCE, S.ENDED, S.REFUSED}),
)
# fmt: on
