"""The steps of a post and of its delegation: two security administrators, never for oneself. （第二十三、二十四条）"""

from models.delegations import DelegationStatus as D
from models.officers import PostStatus as S
from models.officers import Role
from models.organisations import OrganisationKind
from policies.lifecycles.base import Ask, Desk, Lifecycle, Step
from policies.permissions import Permission as P

WHY = Ask("reason", "原因")

ROLES_OF: dict[OrganisationKind, tuple[Role, ...]] = {
    OrganisationKind.TOWNSHIP: (Role.CLERK, Role.HEAD, Role.REGISTRAR),
    OrganisationKind.DEPARTMENT: (Role.CLERK, Role.REVIEWER, Role.HEAD),
    OrganisationKind.FINANCE: (Role.CLERK, Role.REVIEWER, Role.HEAD, Role.AUDITOR),
    OrganisationKind.BANK: (Role.CLERK, Role.REVIEWER),
    OrganisationKind.PLATFORM: (Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN, Role.AUDIT_ADMIN),
}
"""Which posts an organisation of a kind has. （第二十三、三十一至三十四条）"""

# fmt: off
POST_LIFECYCLE = Lifecycle(
    "post",
    "岗位",
    (
        Step("confirm", S.PROPOSED, S.IN_FORCE, P.POST_CONFIRM, "复核任职", Desk.SECURITY_ENABLER,
             consequence="复核后自任职起日生效；拟任人和复核人须为两名安全管理员，均不得为任职人本人。"),
        Step("refuse", S.PROPOSED, S.REFUSED, P.POST_CONFIRM, "不同意任职", Desk.SECURITY_ENABLER, asks=(WHY,),
             forward=False, consequence="该拟任岗位作废，需要时重新拟任。"),
        Step("withdraw", S.PROPOSED, S.REFUSED, P.POST_PROPOSE, "撤回拟任", Desk.SECURITY_DRAFTER,
             forward=False, consequence="尚未复核，拟任岗位作废。"),
        Step("lapse", S.PROPOSED, S.REFUSED, label="拟任人员已离任", forward=False),
        Step("end", S.IN_FORCE, S.ENDED, label="终止任职"),
    ),
    ends=frozenset({S.ENDED, S.REFUSED}),
)

DELEGATION_LIFECYCLE = Lifecycle(
    "delegation",
    "委托代办",
    (
        Step("revoke", D.IN_FORCE, D.REVOKED, P.DELEGATION_REVOKE, "撤销委托", Desk.SECURITY_DRAFTER, asks=(WHY,),
             forward=False, consequence="受托人立即失去该岗位的权限，已办理的事项不受影响。"),
        Step("end", D.IN_FORCE, D.ENDED, label="提前结束"),
    ),
    ends=frozenset({D.REVOKED, D.ENDED}),
)
# fmt: on
