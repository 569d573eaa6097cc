"""The steps of a bank's reply: prepared by one person, confirmed by another, applied by a job. （第二十、二十三条）"""

from models.bank_replies import ReplyStatus as S
from policies.lifecycles.base import OPINION, PASSWORD, REASON, Desk, Lifecycle, Step
from policies.permissions import Permission as P

# fmt: off
BANK_REPLY_LIFECYCLE = Lifecycle(
    "bank_reply",
    "银行回复",
    (
        Step("check", S.RECEIVED, S.PREPARED, label="核对无误"),
        Step("refuse", S.RECEIVED, S.REFUSED, label="核对有问题，整份退回", forward=False),
        Step("confirm", S.PREPARED, S.CONFIRMED, P.BANK_REPLY_CONFIRM, "复核确认", Desk.BANK_REVIEWER,
             asks=(OPINION, PASSWORD),
             consequence="确认后由后台逐行登记：验证答复写入账户，发放结果记账并返回旗县财政，通知改变账户状态（第二十条）。"),
        Step("return_", S.PREPARED, S.REFUSED, P.BANK_REPLY_CONFIRM, "退回经办", Desk.BANK_REVIEWER, asks=(REASON,),
             forward=False, consequence="整份退回，没有登记任何内容；更正后重新录入。"),
        Step("withdraw", S.RECEIVED, S.WITHDRAWN, P.BANK_REPLY_PREPARE, "撤回", Desk.BANK_CLERK, asks=(REASON,),
             forward=False, consequence="整份撤回，没有登记任何内容。"),
        Step("withdraw", S.PREPARED, S.WITHDRAWN, P.BANK_REPLY_PREPARE, "撤回", Desk.BANK_CLERK, asks=(REASON,),
             forward=False, consequence="整份撤回，没有登记任何内容。"),
        Step("apply", S.CONFIRMED, S.APPLIED, label="登记完毕"),
        Step("fail", S.CONFIRMED, S.REFUSED, label="不能登记，整份退回", forward=False),
    ),
    ends=frozenset({S.APPLIED, S.WITHDRAWN, S.REFUSED}),
)
# fmt: on
