"""The steps of a one-card account: usable only once the bank has verified it. （第十二条）"""

from models.accounts import AccountStatus as S
from policies.lifecycles.base import Desk, Lifecycle, Step
from policies.permissions import Permission as P

# fmt: off
ACCOUNT_LIFECYCLE = Lifecycle(
    "account",
    "一卡通账户",
    (
        Step("submit", S.REGISTERED, S.VERIFYING, P.ACCOUNT_VERIFY, "提交银行验证", Desk.TOWNSHIP_CLERK,
             consequence="由代理金融机构验证，通过后方可使用（第十二条）。"),
        Step("verify", S.VERIFYING, S.VERIFIED, label="验证通过"),
        Step("refuse", S.VERIFYING, S.REFUSED, label="验证未通过"),
        Step("submit", S.REFUSED, S.VERIFYING, P.ACCOUNT_VERIFY, "再次提交验证", Desk.TOWNSHIP_CLERK,
             consequence="由代理金融机构验证，通过后方可使用（第十二条）。"),
        Step("recheck", S.VERIFIED, S.VERIFYING, label="再次验证"),
        Step("recheck", S.DORMANT, S.VERIFYING, label="再次验证"),
        Step("fall_dormant", S.VERIFIED, S.DORMANT, label="银行通知不动户"),
        Step("fall_dormant", S.VERIFYING, S.DORMANT, label="银行通知不动户"),
        Step("activate", S.DORMANT, S.VERIFIED, label="已激活"),
        Step("close", S.VERIFIED, S.CLOSED, label="已销户"),
        Step("close", S.VERIFYING, S.CLOSED, label="已销户"),
        Step("close", S.DORMANT, S.CLOSED, label="已销户"),
    ),
    ends=frozenset({S.CLOSED}),
)
# fmt: on
