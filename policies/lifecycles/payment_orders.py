"""The steps of a payment order, from the department's draft to funded money. （第十九条）"""

from models.payment_orders import PaymentOrderStatus as S
from policies.lifecycles.base import OPINION, PASSWORD, REASON, Desk, Lifecycle, Step
from policies.permissions import Permission as P

# fmt: off
PAYMENT_ORDER_LIFECYCLE = Lifecycle(
    "payment_order",
    "资金支付单",
    (
        Step("release", S.DRAFTED, S.RELEASED, P.ORDER_RELEASE, "复核支付单", Desk.DEPARTMENT_REVIEWER, asks=(OPINION,
             PASSWORD), consequence="自动向预算管理一体化系统提交资金支付申请。"),
        Step("cancel", S.DRAFTED, S.CANCELLED, P.ORDER_RELEASE, "撤销", Desk.DEPARTMENT_REVIEWER, asks=(REASON,),
             forward=False, consequence="释放占用的指标，清册回到已终审。"),
        Step("request", S.RELEASED, S.REQUESTED, label="已提交支付申请"),
        Step("fund", S.REQUESTED, S.FUNDED, label="拨付成功"),
        Step("reject", S.REQUESTED, S.REJECTED, label="申请被拒"),
        Step("reject", S.RELEASED, S.REJECTED, label="申请被拒"),
        Step("draft_again", S.REJECTED, S.DRAFTED, P.ORDER_DRAFT, "更正后重新提交", Desk.DEPARTMENT_CLERK,
             asks=(OPINION,),
             consequence="以新的申请次数重新送复核。"),
        Step("cancel_rejected", S.REJECTED, S.CANCELLED, P.ORDER_DRAFT, "撤销", Desk.DEPARTMENT_CLERK, asks=(REASON,),
             forward=False, consequence="释放占用的指标，清册回到已终审。"),
    ),
    ends=frozenset({S.FUNDED, S.CANCELLED}),
)
# fmt: on
