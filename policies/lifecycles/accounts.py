"""The steps of a one-card account: a change is two people's, and nothing is usable before the bank verified it.

（第十二、二十三条）
"""

from models.accounts import AccountStatus as S
from policies.lifecycles.base import OPINION, REASON, Desk, Lifecycle, Step
from policies.permissions import Permission as P

BY_THE_BANK = "由代理金融机构验证，通过后方可使用（第十二条）。"

# fmt: off
ACCOUNT_LIFECYCLE = Lifecycle(
    "account",
    "一卡通账户",
    (
        Step("confirm", S.PROPOSED, S.REGISTERED, P.ACCOUNT_CONFIRM, "复核同意变更", Desk.TOWNSHIP_HEAD,
             asks=(OPINION,),
             consequence="同意后立即送代理金融机构验证，验证通过后成为发放账户；在此之前仍发放至原账户（第十二条）。"),
        Step("reject", S.PROPOSED, S.REJECTED, P.ACCOUNT_CONFIRM, "不同意", Desk.TOWNSHIP_HEAD, asks=(REASON,),
             forward=False, consequence="变更不生效，仍使用原账户；涉及发放失败的，退回经办重新变更账户。"),
        Step("withdraw", S.PROPOSED, S.REJECTED, P.ACCOUNT_REGISTER, "撤回", Desk.TOWNSHIP_KEEPER, asks=(REASON,),
             forward=False, consequence="变更不生效，仍使用原账户。"),
        Step("repropose", S.REJECTED, S.PROPOSED, P.ACCOUNT_REGISTER, "补正后再次提出", Desk.TOWNSHIP_KEEPER,
             asks=(OPINION,), forward=False, consequence="再次交负责人复核。"),
        Step("submit", S.REGISTERED, S.VERIFYING, P.ACCOUNT_VERIFY, "提交银行验证", Desk.TOWNSHIP_KEEPER,
             consequence=BY_THE_BANK),
        Step("send", S.REGISTERED, S.VERIFYING, label="送银行验证"),
        Step("verify", S.VERIFYING, S.VERIFIED, label="验证通过"),
        Step("refuse", S.VERIFYING, S.REFUSED, label="验证未通过"),
        Step("refuse", S.VERIFIED, S.REFUSED, label="银行通知户名不符"),
        Step("refuse", S.DORMANT, S.REFUSED, label="银行通知户名不符"),
        Step("submit", S.REFUSED, S.VERIFYING, P.ACCOUNT_VERIFY, "再次提交验证", Desk.TOWNSHIP_KEEPER,
             consequence=BY_THE_BANK),
        Step("recheck", S.VERIFIED, S.VERIFYING, label="再次验证"),
        Step("recheck", S.DORMANT, S.VERIFYING, label="再次验证"),
        Step("fall_dormant", S.VERIFIED, S.DORMANT, label="银行通知不动户"),
        Step("fall_dormant", S.VERIFYING, S.DORMANT, label="银行通知不动户"),
        Step("activate", S.DORMANT, S.VERIFIED, label="已激活"),
        Step("close", S.VERIFIED, S.CLOSED, label="已销户"),
        Step("close", S.VERIFYING, S.CLOSED, label="已销户"),
        Step("close", S.DORMANT, S.CLOSED, label="已销户"),
        Step("close", S.REFUSED, S.CLOSED, label="已销户"),
        Step("replace", S.VERIFIED, S.CLOSED, label="已换卡"),
        Step("replace", S.DORMANT, S.CLOSED, label="已换卡"),
        Step("replace", S.REFUSED, S.CLOSED, label="已换卡"),
        Step("replace", S.REGISTERED, S.CLOSED, label="已换卡"),
        Step("replace", S.VERIFYING, S.CLOSED, label="已换卡"),
    ),
    ends=frozenset({S.CLOSED, S.REJECTED}),
)
# fmt: on
