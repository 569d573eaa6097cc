"""The steps of a failed payment by Article 21, and of the refund of money that can't be paid. （第二十一条）"""

from models.failures import FailureStatus as S
from models.failures import RefundStatus as R
from policies.deadlines import ACCOUNT_CHANGE
from policies.lifecycles.base import OPINION, PASSWORD, Ask, Desk, Lifecycle, Step
from policies.permissions import Permission as P

RESOLUTION = Ask("resolution", "处理说明")
ACCOUNT = Ask("account_number", "新的社会保障卡账号", "text", help="由负责人复核后送代理银行验证，验证通过方可补发")
BANK = Ask("bank_name", "开户银行", "text", required=False)

# fmt: off
FAILURE_LIFECYCLE = Lifecycle(
    "failure",
    "发放失败",
    (
        Step("notify", S.OPEN, S.NOTIFIED, P.FAILURE_NOTIFY, "通知苏木乡镇", Desk.FINANCE_CLERK, asks=(OPINION,),
             consequence="苏木乡镇自此 5 个工作日内变更账户（第二十一条第一项）。"),
        Step("retry", S.OPEN, S.CORRECTED, P.FAILURE_NOTIFY, "财政更正后重付", Desk.FINANCE_CLERK, asks=(RESOLUTION,),
             consequence="限额、代发户头寸、联行号等由财政部门更正，列入补发。"),
        Step("correct", S.NOTIFIED, S.CORRECTED, P.FAILURE_CORRECT, "变更账户", Desk.TOWNSHIP_CLERK, ACCOUNT_CHANGE,
             (ACCOUNT, BANK, RESOLUTION), consequence="由负责人复核、银行验证通过后列入补发。"),
        Step("activate", S.NOTIFIED, S.CORRECTED, P.FAILURE_ACTIVATE, "确认已激活", Desk.TOWNSHIP_CLERK, ACCOUNT_CHANGE,
             (RESOLUTION,), consequence="不动户激活后重新支付（第二十一条第二项）。"),
        Step("report_unpayable", S.NOTIFIED, S.REPORTED, P.FAILURE_REPORT, "反馈无法发放", Desk.TOWNSHIP_CLERK,
             ACCOUNT_CHANGE, (RESOLUTION,), consequence="反馈主管部门移出清册（第二十一条第一、三项）。"),
        Step("remove", S.REPORTED, S.REMOVED, P.FAILURE_REMOVE, "移出清册", Desk.DEPARTMENT_CLERK, asks=(RESOLUTION,),
             consequence="明细移出清册，资金退回原指标。"),
        Step("reject_account", S.CORRECTED, S.NOTIFIED, label="新账户验证未通过", forward=False),
        Step("reissue", S.CORRECTED, S.REISSUED, label="列入补发"),
        Step("settle", S.REISSUED, S.SETTLED, label="补发成功"),
        Step("fail_again", S.REISSUED, S.REPLACED, label="补发又失败，另立一笔"),
        Step("refund", S.REMOVED, S.REFUNDED, label="已退回指标"),
    ),
    ends=frozenset({S.SETTLED, S.REFUNDED, S.REPLACED}),
)
# fmt: on

# fmt: off
REFUND_LIFECYCLE = Lifecycle(
    "refund",
    "退款单",
    (
        Step("release", R.PREPARED, R.RELEASED, P.REFUND_RELEASE, "复核退款", Desk.FINANCE_REVIEWER, asks=(OPINION,
             PASSWORD), consequence="代发户资金退回原支付指标。"),
        Step("complete", R.RELEASED, R.RETURNED, label="已退回"),
        Step("reject", R.RELEASED, R.PREPARED, label="退款被拒，待重新复核", forward=False),
    ),
    ends=frozenset({R.RETURNED}),
)
# fmt: on
