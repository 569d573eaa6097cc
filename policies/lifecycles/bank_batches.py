"""The steps of a bank batch, and of each attempt to pay a line. （第二十条）"""

from models.bank_batches import BankBatchStatus as S
from models.bank_batches import DisbursementStatus as D
from policies.deadlines import BANK_PAYMENT, BATCH_SENDING
from policies.lifecycles.base import OPINION, PASSWORD, REASON, Desk, Lifecycle, Step
from policies.permissions import Permission as P

# fmt: off
BANK_BATCH_LIFECYCLE = Lifecycle(
    "bank_batch",
    "代发批次",
    (
        Step("release", S.PREPARED, S.RELEASED, P.BATCH_RELEASE, "复核发送", Desk.FINANCE_REVIEWER, BATCH_SENDING,
             (OPINION, PASSWORD), consequence="报文自动发送至代理金融机构，资金到账后 3 个工作日内发放完毕。"),
        Step("cancel", S.PREPARED, S.REFUSED, P.BATCH_RELEASE, "退回经办", Desk.FINANCE_REVIEWER, asks=(REASON,),
             forward=False, consequence="批次作废，明细回到待发送。"),
        Step("send", S.RELEASED, S.SENT, label="已发送", due=BATCH_SENDING),
        Step("accept", S.SENT, S.ACCEPTED, label="银行已受理", due=BANK_PAYMENT),
        Step("refuse", S.SENT, S.REFUSED, label="银行拒收"),
        Step("settle", S.SENT, S.SETTLED, label="结果已返回"),
        Step("settle", S.ACCEPTED, S.SETTLED, label="结果已返回", due=BANK_PAYMENT),
        Step("close", S.SETTLED, S.CLOSED, label="办结"),
    ),
    ends=frozenset({S.CLOSED, S.REFUSED}),
)
# fmt: on

# fmt: off
DISBURSEMENT_LIFECYCLE = Lifecycle(
    "disbursement",
    "发放明细",
    (
        Step("prepare", D.RESERVED, D.PENDING, label="列入批次"),
        Step("cancel", D.RESERVED, D.CANCELLED, label="支付单已撤销"),
        Step("unprepare", D.PENDING, D.RESERVED, label="移出批次"),
        Step("send", D.PENDING, D.SENT, label="已发送"),
        Step("refuse", D.SENT, D.RESERVED, label="银行拒收整批"),
        Step("pay", D.SENT, D.PAID, label="发放成功"),
        Step("pay", D.UNKNOWN, D.PAID, label="发放成功"),
        Step("fail", D.SENT, D.FAILED, label="发放失败"),
        Step("fail", D.UNKNOWN, D.FAILED, label="发放失败"),
        Step("lose", D.SENT, D.UNKNOWN, label="结果未知"),
        Step("reverse", D.PAID, D.REVERSED, label="退汇"),
    ),
    ends=frozenset({D.PAID, D.FAILED, D.REVERSED, D.CANCELLED}),
)
# fmt: on
