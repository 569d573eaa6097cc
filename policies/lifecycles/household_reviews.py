"""The steps of a yearly review: prepared by the clerk, signed by the township's head. （第十一、二十三、三十一条）"""

from models.household_reviews import ReviewStatus as S
from policies.lifecycles.base import OPINION, REASON, Desk, Lifecycle, Step
from policies.permissions import Permission as P

# fmt: off
HOUSEHOLD_REVIEW_LIFECYCLE = Lifecycle(
    "household_review",
    "年度复核",
    (
        Step("sign", S.PREPARED, S.SIGNED, P.HOUSEHOLD_REVIEW_SIGN, "签署", Desk.TOWNSHIP_HEAD, asks=(OPINION,),
             consequence="签署后记入该户的最近复核日期（第十一条）。"),
        Step("return_", S.PREPARED, S.RETURNED, P.HOUSEHOLD_REVIEW_SIGN, "退回", Desk.TOWNSHIP_HEAD, asks=(REASON,),
             forward=False, resume_at=S.PREPARED, consequence="退回经办人重新核实。"),
        Step("resubmit", S.RETURNED, None, P.HOUSEHOLD_REVIEW_PREPARE, "核实后再次提交", Desk.TOWNSHIP_KEEPER,
             asks=(OPINION,), consequence="再次交负责人签署。"),
        Step("withdraw", S.PREPARED, S.WITHDRAWN, P.HOUSEHOLD_REVIEW_PREPARE, "撤回", Desk.TOWNSHIP_KEEPER,
             asks=(REASON,), forward=False, consequence="本次复核作废，可重新登记。"),
        Step("withdraw", S.RETURNED, S.WITHDRAWN, P.HOUSEHOLD_REVIEW_PREPARE, "撤回", Desk.TOWNSHIP_KEEPER,
             asks=(REASON,), forward=False, consequence="本次复核作废，可重新登记。"),
    ),
    ends=frozenset({S.SIGNED, S.WITHDRAWN}),
)
# fmt: on
