"""The steps of a registry change: proposed by one person, true once a second one approves. （第十一、二十三条）"""

from models.registry_changes import ChangeStatus as S
from policies.lifecycles.base import OPINION, REASON, Desk, Lifecycle, Step
from policies.permissions import Permission as P

# fmt: off
REGISTRY_CHANGE_LIFECYCLE = Lifecycle(
    "registry_change",
    "基础信息变更",
    (
        Step("approve", S.SUBMITTED, S.APPROVED, P.REGISTRY_CHANGE_APPROVE, "复核同意", Desk.TOWNSHIP_HEAD,
             asks=(OPINION,), consequence="变更立即写入基础信息库，办理人和复核人留痕（第十一条）。"),
        Step("return_", S.SUBMITTED, S.RETURNED, P.REGISTRY_CHANGE_APPROVE, "退回", Desk.TOWNSHIP_HEAD, asks=(REASON,),
             forward=False, resume_at=S.SUBMITTED, consequence="退回经办人补正，基础信息没有变动。"),
        Step("resubmit", S.RETURNED, None, P.REGISTRY_CHANGE_PROPOSE, "补正后再次提交", Desk.TOWNSHIP_KEEPER,
             asks=(OPINION,), consequence="再次交负责人复核。"),
        Step("withdraw", S.SUBMITTED, S.WITHDRAWN, P.REGISTRY_CHANGE_PROPOSE, "撤回", Desk.TOWNSHIP_KEEPER,
             asks=(REASON,), forward=False, consequence="变更作废，基础信息没有变动。"),
        Step("withdraw", S.RETURNED, S.WITHDRAWN, P.REGISTRY_CHANGE_PROPOSE, "撤回", Desk.TOWNSHIP_KEEPER,
             asks=(REASON,), forward=False, consequence="变更作废，基础信息没有变动。"),
        Step("apply", S.APPROVED, S.APPLIED, label="写入基础信息库"),
        Step("fail", S.APPROVED, S.RETURNED, label="不能写入，退回经办", forward=False, resume_at=S.SUBMITTED),
    ),
    ends=frozenset({S.APPLIED, S.WITHDRAWN}),
)
# fmt: on
