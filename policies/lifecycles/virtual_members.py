"""The steps of a virtual household: proposed and approved where the subsidy is paid. （第十一、二十三条）"""

from models.virtual_members import VirtualStatus as S
from policies.lifecycles.base import OPINION, Ask, Desk, Lifecycle, Step
from policies.permissions import Permission as P

REASON = Ask("reason", "原因")

# fmt: off
VIRTUAL_MEMBER_LIFECYCLE = Lifecycle(
    "virtual_member",
    "虚拟户",
    (
        Step("approve", S.PROPOSED, S.APPROVED, P.REGISTRY_CHANGE_APPROVE, "审批同意", Desk.TOWNSHIP_HEAD,
             asks=(OPINION,), consequence="可列入本乡镇清册；信息和账户由管理地维护，本乡镇只能引用（第十一条）。"),
        Step("refuse", S.PROPOSED, S.REFUSED, P.REGISTRY_CHANGE_APPROVE, "不予引用", Desk.TOWNSHIP_HEAD,
             asks=(REASON,), forward=False, consequence="引用不成立；确需发放的可说明理由后重新提出。"),
        Step("withdraw", S.PROPOSED, S.WITHDRAWN, P.REGISTRY_CHANGE_PROPOSE, "撤回", Desk.TOWNSHIP_KEEPER,
             asks=(REASON,), forward=False, consequence="引用作废，没有取得任何信息。"),
        Step("begin", S.APPROVED, S.IN_FORCE, label="引用生效"),
        Step("end", S.IN_FORCE, S.ENDED, P.REGISTRY_CHANGE_PROPOSE, "终止引用", Desk.TOWNSHIP_KEEPER,
             asks=(REASON,), forward=False, consequence="不能再列入新的清册；已在清册中的明细不受影响，记录长期保留。"),
    ),
    ends=frozenset({S.IN_FORCE, S.REFUSED, S.WITHDRAWN, S.ENDED}),
)
# fmt: on
