"""The steps of a list's edition: the finance bureau's clerk drafts, another person publishes. （第六、二十三条）"""

from models.annual_lists import AnnualListStatus as S
from policies.lifecycles.base import OPINION, REASON, Ask, Desk, Lifecycle, Step
from policies.permissions import Permission as P

VOID = Ask("reason", "作废原因")

# fmt: off
ANNUAL_LIST_LIFECYCLE = Lifecycle(
    "annual_list",
    "项目清单",
    (
        Step("submit", S.DRAFT, S.SUBMITTED, P.ANNUAL_LIST_DRAFT, "提交发布", Desk.OWN_FINANCE_CLERK,
             consequence="提交后所选项目固定，由本级财政审核岗核对后发布；需要改动的，由审核岗退回。"),
        Step("publish", S.SUBMITTED, S.PUBLISHED, P.ANNUAL_LIST_PUBLISH, "发布", Desk.OWN_FINANCE_REVIEWER,
             asks=(OPINION,),
             consequence="发布后内容不再改动，下级财政部门据此选择确定本地区清单；以后的增减另发补充清单（第六条、第七条第一项）。"),
        Step("return_", S.SUBMITTED, S.DRAFT, P.ANNUAL_LIST_PUBLISH, "退回", Desk.OWN_FINANCE_REVIEWER, asks=(REASON,),
             forward=False, consequence="退回经办岗重新选择。"),
        Step("withdraw", S.DRAFT, S.WITHDRAWN, P.ANNUAL_LIST_DRAFT, "作废", Desk.OWN_FINANCE_CLERK, asks=(VOID,),
             forward=False, consequence="本稿作废；需要时重新编制。"),
    ),
    ends=frozenset({S.PUBLISHED, S.WITHDRAWN}),
)
# fmt: on
