"""Yearly reviews in the console, one by one: what is asked at a household, what the head signs. （第十一、三十一条）"""

from collections.abc import Mapping
from typing import Any

from sqlmodel import Session

from admin.base import BASE, ConsoleView, Form, Menu
from admin.registry import documents_form, documents_tab, show_review
from admin.registry_asks import MAYBE_EVIDENCE, labelled
from models.household_reviews import HouseholdReview, ReviewFinding
from models.households import HouseholdStatus
from models.officers import ActingOfficer
from policies.clock import today
from policies.lifecycles import Ask
from policies.lifecycles.household_reviews import HOUSEHOLD_REVIEW_LIFECYCLE
from policies.permissions import Permission as P
from workflows import household_reviews
from workflows.household_reviews import CHECKS, LABEL

VISITED = Ask("visited_on", "入户日期", "date")
FINDING = Ask("finding", "复核结果", "choice", choices=labelled(ReviewFinding))
CHECKED = Ask("checked", "核对内容", "choices", choices=CHECKS)
NOTE = Ask("note", "复核情况", required=False, help="有出入的写明哪些项目，不要写身份证号、账号、手机号")
ASKS = (VISITED, FINDING, CHECKED, NOTE)


def begun(session: Session, by: ActingOfficer, record: Any, asked: Mapping[str, str]) -> Mapping[str, str]:
    """Return what a review mostly says: today, all checked, nothing different."""
    return {
        "visited_on": today(session).isoformat(), "finding": str(ReviewFinding.AGREES),
        "checked": ",".join(key for key, _ in CHECKS),
    }  # fmt: skip


def prepare(session: Session, household: Any, *, by: ActingOfficer, **answers: Any) -> HouseholdReview:
    """Write what was found at the household on whose page the form stands."""
    return household_reviews.prepare(session, household, by=by, **answers)


REVIEW_FORM = Form(
    "review", LABEL, P.HOUSEHOLD_REVIEW_PREPARE, prepare, (*ASKS, MAYBE_EVIDENCE), on_record=True,
    statuses=(HouseholdStatus.ACTIVE,), present=begun,
    consequence="提交后由苏木乡镇负责人签署，签署后记为该户最近复核日期；有出入的请另行办理变更（第十一条）。",
)  # fmt: skip
"""What a household's page offers."""


class HouseholdReviewView(ConsoleView, model=HouseholdReview):
    """年度复核。"""

    category, icon = Menu.REGISTRY, "fa-solid fa-calendar-check"
    permission = P.HOUSEHOLD_REVIEW_VIEW
    lifecycle, verbs = HOUSEHOLD_REVIEW_LIFECYCLE, "workflows.household_reviews"
    column_list = ["number", "year", "subject", "division_code", "village", "visited_on", "finding", "status",
                   "signed_at"]  # fmt: skip
    headline = ("year", "subject", "division_code", "village", "visited_on", "finding", "checked", "note", "signed_at")
    column_details_list = ["number", "year", "subject", "division_code", "village", "visited_on", "finding", "checked",
                           "note", "status", "arrived_at", "signed_at", "returned_for"]  # fmt: skip
    search_text = ("number", "village")
    filters = ("status", "finding")
    order = ("-division_code", "-id")
    noun = household_reviews.NOUN
    related = (documents_tab(household_reviews.NOUN, P.HOUSEHOLD_REVIEW_VIEW),)
    forms = (documents_form(show_review, household_reviews.NOUN, P.HOUSEHOLD_REVIEW_VIEW),)
    makers = ((REVIEW_FORM,),)

    def links(self, record: Any) -> list[tuple[str, str]]:
        """Return the household."""
        return [("查看该户", f"{BASE}/household/details/{record.household_id}")]
