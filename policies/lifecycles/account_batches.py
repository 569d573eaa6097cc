"""The steps of replacing cards in bulk: checked, proposed by one person, confirmed by another. （第十二、二十三条）

A township's file is the township's; a county's, and a bank's once its reviewer has vouched for it, the county's.
"""

from models.account_batches import BatchStatus as S
from policies.lifecycles.base import OPINION, PASSWORD, REASON, Desk, Lifecycle, Step
from policies.permissions import Permission as P

ENABLED = "后台逐行登记：送银行验证，或按代理银行换卡清单直接生效；原账户销户留存（第十二条）。"
NOTHING = "整批退回，没有登记任何内容。"

# fmt: off
ACCOUNT_BATCH_LIFECYCLE = Lifecycle(
    "account_batch",
    "批量换卡",
    (
        Step("check", S.RECEIVED, S.CHECKED, label="核对完毕"),
        Step("check_county", S.RECEIVED, S.COUNTY_CHECKED, label="核对完毕"),
        Step("check_bank", S.RECEIVED, S.BANK_CHECKED, label="核对完毕"),
        Step("refuse", S.RECEIVED, S.REFUSED, label="不能读取", forward=False),
        Step("vouch", S.BANK_CHECKED, S.COUNTY_CHECKED, P.BANK_REPLY_CONFIRM, "银行复核", Desk.BANK_REVIEWER,
             asks=(OPINION, PASSWORD),
             consequence="确认清单中的新卡均为本行核发、户名相符、可以入账，交旗县财政提出（第十二条）。"),
        Step("propose", S.CHECKED, S.PROPOSED, P.ACCOUNT_BATCH_PROPOSE, "提出换卡", Desk.TOWNSHIP_KEEPER,
             asks=(OPINION,), consequence="交苏木乡镇负责人复核；有问题的行不换卡。"),
        Step("propose", S.COUNTY_CHECKED, S.COUNTY_PROPOSED, P.ACCOUNT_BATCH_PROPOSE, "提出换卡", Desk.FINANCE_CLERK,
             asks=(OPINION,), consequence="交旗县财政审核岗复核；有问题的行不换卡。"),
        Step("confirm", S.PROPOSED, S.CONFIRMED, P.ACCOUNT_BATCH_CONFIRM, "复核同意换卡", Desk.TOWNSHIP_HEAD,
             asks=(OPINION, PASSWORD), consequence=ENABLED),
        Step("confirm", S.COUNTY_PROPOSED, S.CONFIRMED, P.ACCOUNT_BATCH_CONFIRM, "复核同意换卡", Desk.FINANCE_REVIEWER,
             asks=(OPINION, PASSWORD), consequence=ENABLED),
        Step("return_", S.BANK_CHECKED, S.RETURNED, P.BANK_REPLY_CONFIRM, "退回", Desk.BANK_REVIEWER, asks=(REASON,),
             forward=False, consequence=NOTHING),
        Step("return_", S.PROPOSED, S.RETURNED, P.ACCOUNT_BATCH_CONFIRM, "退回", Desk.TOWNSHIP_HEAD, asks=(REASON,),
             forward=False, consequence=NOTHING),
        Step("return_", S.COUNTY_PROPOSED, S.RETURNED, P.ACCOUNT_BATCH_CONFIRM, "退回", Desk.FINANCE_REVIEWER,
             asks=(REASON,), forward=False, consequence=NOTHING),
        Step("withdraw", S.CHECKED, S.WITHDRAWN, P.ACCOUNT_BATCH_PROPOSE, "撤回", Desk.TOWNSHIP_KEEPER,
             asks=(REASON,), forward=False, consequence=NOTHING),
        Step("withdraw", S.COUNTY_CHECKED, S.WITHDRAWN, P.ACCOUNT_BATCH_PROPOSE, "撤回", Desk.FINANCE_CLERK,
             asks=(REASON,), forward=False, consequence=NOTHING),
        Step("apply", S.CONFIRMED, S.APPLIED, label="登记完毕"),
        Step("stop", S.CONFIRMED, S.STOPPED, label="暂停登记", forward=False),
        Step("resume", S.STOPPED, S.CONFIRMED, label="继续登记"),
        Step("fail", S.CONFIRMED, S.RETURNED, label="不能登记，退回", forward=False),
    ),
    ends=frozenset({S.APPLIED, S.REFUSED, S.RETURNED, S.WITHDRAWN}),
)
# fmt: on
