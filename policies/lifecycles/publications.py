"""The steps of what is published: prepared by a clerk, published and withdrawn by a reviewer of the same office.

（第八条谁主管、谁负责、谁公开；第九、二十三条）
"""

from models.publications import PublicationStatus as S
from policies.lifecycles.base import OPINION, REASON, Ask, Desk, Lifecycle, Step
from policies.permissions import Permission as P

WHY = Ask("reason", "撤下原因", help="撤下后公众不再看到，原文和原因留存备查")
VOID = Ask("reason", "作废原因")


def _of(draft: S, ready: S, shown: S, clerk: Desk, reviewer: Desk) -> tuple[Step, ...]:
    """Return the steps at one kind of office."""
    return (
        Step(
            "submit", draft, ready, P.PUBLICATION_PREPARE, "提交发布", clerk,
            consequence="提交后内容固定，由本部门审核岗核对后发布。",
        ),
        Step(
            "publish", ready, shown, P.PUBLICATION_PUBLISH, "发布", reviewer, asks=(OPINION,),
            consequence="向社会公开；同一事项原来公开的内容随即被替换，原文留存备查（第八、九条）。",
        ),
        Step(
            "return_", ready, draft, P.PUBLICATION_PUBLISH, "退回", reviewer, asks=(REASON,), forward=False,
            consequence="退回经办岗修改。",
        ),
        Step(
            "discard", draft, S.DISCARDED, P.PUBLICATION_PREPARE, "作废", clerk, asks=(VOID,), forward=False,
            consequence="本稿作废，已公开的内容不变。",
        ),
        Step(
            "withdraw", shown, S.WITHDRAWN, P.PUBLICATION_PUBLISH, "撤下", reviewer, asks=(WHY,), forward=False,
            consequence="公众不再看到；原文、摘要和原因留存备查（第九条）。",
        ),
        Step("replace", shown, S.REPLACED, label="被新内容替换"),
    )  # fmt: skip


PUBLICATION_LIFECYCLE = Lifecycle(
    "publication",
    "公开内容",
    _of(S.FINANCE_DRAFT, S.FINANCE_READY, S.FINANCE_SHOWN, Desk.OWN_FINANCE_CLERK, Desk.OWN_FINANCE_REVIEWER)
    + _of(
        S.DEPARTMENT_DRAFT,
        S.DEPARTMENT_READY,
        S.DEPARTMENT_SHOWN,
        Desk.OWN_DEPARTMENT_CLERK,
        Desk.OWN_DEPARTMENT_REVIEWER,
    ),
    ends=frozenset({S.REPLACED, S.WITHDRAWN, S.DISCARDED}),
    begins=frozenset({S.DEPARTMENT_DRAFT}),
)
