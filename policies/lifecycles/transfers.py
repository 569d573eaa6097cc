"""The steps of a transfer between townships: asked for by two people, confirmed where the person is kept.

（第十一、二十三条）
"""

from models.transfers import TransferStatus as S
from policies.lifecycles.base import OPINION, Ask, Desk, Lifecycle, Step
from policies.permissions import Permission as P

REASON = Ask("reason", "原因")

# fmt: off
TRANSFER_LIFECYCLE = Lifecycle(
    "transfer",
    "跨乡镇迁移",
    (
        Step("approve", S.REQUESTED, S.SENT, P.REGISTRY_CHANGE_APPROVE, "审批同意", Desk.TOWNSHIP_HEAD,
             asks=(OPINION,), consequence="送管理地苏木乡镇确认；确认前没有任何信息转移。"),
        Step("decline", S.REQUESTED, S.REFUSED, P.REGISTRY_CHANGE_APPROVE, "不同意", Desk.TOWNSHIP_HEAD,
             asks=(REASON,), forward=False, consequence="迁移作废，管理地不会收到请求。"),
        Step("withdraw", S.REQUESTED, S.WITHDRAWN, P.REGISTRY_CHANGE_PROPOSE, "撤回", Desk.TOWNSHIP_KEEPER,
             asks=(REASON,), forward=False, consequence="迁移作废。"),
        Step("withdraw", S.SENT, S.WITHDRAWN, P.REGISTRY_CHANGE_PROPOSE, "撤回", Desk.TOWNSHIP_KEEPER,
             asks=(REASON,), forward=False, consequence="迁移作废，同时告知管理地。"),
        Step("confirm", S.ASKED, S.DONE, P.REGISTRY_CHANGE_APPROVE, "确认迁出", Desk.TOWNSHIP_HEAD, asks=(OPINION,),
             consequence="该人员连同已验证账户、证件转由对方管理；本乡镇保留历史，以后不能再造册。"),
        Step("refuse", S.ASKED, S.REFUSED, P.REGISTRY_CHANGE_APPROVE, "不同意迁出", Desk.TOWNSHIP_HEAD,
             asks=(REASON,), forward=False, consequence="原因告知对方，该人员仍由本乡镇管理。"),
        Step("ask", S.SENT, S.ASKED, label="管理地收到请求（管理地的记录）"),
        Step("complete", S.SENT, S.DONE, label="管理地已确认，迁移完成"),
        Step("reject", S.SENT, S.REFUSED, label="管理地不同意", forward=False),
        Step("drop", S.ASKED, S.WITHDRAWN, label="迁入地已撤回", forward=False),
    ),
    ends=frozenset({S.DONE, S.REFUSED, S.WITHDRAWN}),
)
# fmt: on
