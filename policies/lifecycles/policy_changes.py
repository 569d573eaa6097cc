"""The steps of a change of the policy: one security administrator drafts, another enables. （第二十三、二十四条）"""

from models.policy_changes import PolicyChangeStatus as S
from policies.lifecycles.base import Ask, Desk, Lifecycle, Step
from policies.permissions import Permission as P

WHY = Ask("reason", "不予启用的原因")
PASSWORD = Ask("password", "登录口令（启用前复核身份）", kind="password")

# fmt: off
POLICY_CHANGE_LIFECYCLE = Lifecycle(
    "policy_change",
    "策略变更",
    (
        Step("propose", S.DRAFT, S.PROPOSED, P.POLICY_DRAFT, "提交复核", Desk.SECURITY_DRAFTER,
             consequence="提交后内容固定，由另一名安全管理员复核启用；现行策略不变。"),
        Step("enable", S.PROPOSED, S.ENABLED, P.POLICY_ENABLE, "启用", Desk.SECURITY_ENABLER, asks=(PASSWORD,),
             consequence="立即生效：所有进程从下一次判断起按新策略办理，现行版本留存，可回滚（第二十三条）。"),
        Step("reject", S.PROPOSED, S.REJECTED, P.POLICY_ENABLE, "不予启用", Desk.SECURITY_ENABLER, asks=(WHY,),
             forward=False, consequence="本变更不生效；需要时重新拟定。"),
        Step("withdraw", S.DRAFT, S.WITHDRAWN, P.POLICY_DRAFT, "撤回", Desk.SECURITY_DRAFTER, forward=False,
             consequence="本变更不再办理；现行策略不变。"),
        Step("withdraw", S.PROPOSED, S.WITHDRAWN, P.POLICY_DRAFT, "撤回", Desk.SECURITY_DRAFTER, forward=False,
             consequence="本变更不再办理；现行策略不变。"),
    ),
    ends=frozenset({S.ENABLED, S.REJECTED, S.WITHDRAWN}),
)
# fmt: on
