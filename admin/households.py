"""Households and their members: one household, one file; masked, shown in full only for a recorded reason.

（第十一、十二、三十条）
"""

from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col
from starlette.exceptions import HTTPException
from starlette.requests import Request

from admin import identity, registry_forms
from admin.accounts import MEMBER_FORMS
from admin.base import BASE, ConsoleView, Form, Menu, Related, call, division_names
from admin.household_reviews import REVIEW_FORM
from admin.virtual import REFERENCES
from models.accounts import Account
from models.certificates import Certificate
from models.crypto import id_index, phone_index
from models.household_reviews import HouseholdReview
from models.households import Asset, Household, Member
from models.registry_changes import RegistryChange
from models.residences import Residence
from models.rosters import RosterLine
from policies.lifecycles import Ask
from policies.permissions import Permission as P
from workflows import household_pages

REASON = Ask("reason", "查看事由", help="将记入办理记录，供监督检查")
ACCOUNT_COLUMNS = ("number", "bank_name", "is_card", "is_payment", "status", "verified_at")
CHANGE_COLUMNS = ("number", "kind", "fields", "effective_on", "status", "prepared_at")


def _people(household: Household) -> Any:
    """Return the present people of a household, for what hangs on persons."""
    return sa.select(col(Member.id)).where(
        col(Member.division_code) == household.division_code,
        col(Member.household_id) == household.id,
        col(Member.current),
    )


class HouseholdView(ConsoleView, model=Household):
    """补贴对象（户）。"""

    category, icon = Menu.REGISTRY, "fa-solid fa-house-chimney"
    permission = P.HOUSEHOLD_VIEW
    title_field = "number"
    noun = "household"
    record_template = "registry_household"
    column_list = ["number", "head_name", "division_code", "village", "group_name", "status", "reviewed_on"]
    headline = ("head_name", "division_code", "village", "group_name", "address", "hukou_kind", "reviewed_on")
    column_details_list = [
        "number", "head_name", "division_code", "village_code", "village", "group_name", "address", "hukou_kind",
        "status", "closed_on", "reviewed_on",
    ]  # fmt: skip
    search_text = ("number", "village")
    search_page = "/console/people"
    filters = ("status",)
    order = ("-division_code", "-id")
    related = (
        Related(
            "家庭成员", Member, "household_id",
            ("name", "id_number", "relation", "phone", "status", "identity_outcome", "identity_checked_at"),
            P.HOUSEHOLD_VIEW, link="member", order="relation", together=True, where=(col(Member.current),),
        ),
        Related(
            "生产资料", Asset, "household_id",
            ("kind", "quantity", "unit", "certificate_number", "as_of", "source", "ended_on"), P.HOUSEHOLD_VIEW,
            link="asset", order="-as_of", together=True,
        ),
        Related("居住经历", Residence, "household_id", (), P.HOUSEHOLD_VIEW, together=True),
        Related(
            "证件与资格", Certificate, "member_id",
            ("kind", "number", "level", "valid_from", "valid_to", "source", "ended_on"), P.HOUSEHOLD_VIEW,
            link="certificate", order="kind", together=True,
            within=lambda home: col(Certificate.member_id).in_(_people(home)),
        ),
        Related(
            "一卡通账户", Account, "member_id", ACCOUNT_COLUMNS,
            P.ACCOUNT_VIEW, link="account", together=True,
            within=lambda home: col(Account.member_id).in_(_people(home)),
        ),
        Related(
            "变更", RegistryChange, "household_id", CHANGE_COLUMNS, P.REGISTRY_CHANGE_VIEW, link="registry-change",
            order="-id", together=True,
        ),
        Related(
            "年度复核", HouseholdReview, "household_id",
            ("number", "year", "visited_on", "finding", "status", "signed_at"), P.HOUSEHOLD_REVIEW_VIEW,
            link="household-review", order="-id", together=True,
        ),
        Related(
            "发放", RosterLine, "household_id", (), P.ROSTER_VIEW, together=True,
            within=household_pages.of_household,
        ),
    )  # fmt: skip
    forms = (
        registry_forms.NEW_HOUSEHOLD.form(),
        REVIEW_FORM,
        *registry_forms.forms(registry_forms.HOUSEHOLD_PROPOSALS),
    )

    def links(self, record: Any) -> list[tuple[str, str]]:
        """Return the file of the household for paper, beside what can be downloaded."""
        return [*super().links(record), ("一户一档", f"/console/household-file/{record.id}")]

    def panel(self, session: Session, request: Request, record: Any, tab: str) -> dict[str, Any]:
        """Return who lived here, on the day asked for or ever; what was paid."""
        day = day_asked(request)
        stays = household_pages.lived_in(session, record, day) if tab == "residences" else []
        paid = household_pages.payments(session, household_pages.of_household(record)) if tab == "roster_lines" else []
        return {"stays": stays, "day": day, "payments": paid}


def day_asked(request: Request) -> date | None:
    """Return the day that a page is asked for. Raises HTTPException 400 when it is no date."""
    text = request.query_params.get("day", "")
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as wrong:
        raise HTTPException(400, "日期应写成 2024-05-01 的样子，请返回重新选择。") from wrong


class MemberView(ConsoleView, model=Member):
    """家庭成员。"""

    category, icon = Menu.REGISTRY, "fa-solid fa-user"
    permission = P.HOUSEHOLD_VIEW
    title_field = "name"
    record_template = "registry_member"
    column_list = ["name", "id_number", "division_code", "relation", "phone", "status", "identity_outcome", "added_on"]
    headline = ("name", "id_number", "division_code", "relation", "phone", "ethnicity", "birth_date",
                "identity_outcome", "identity_checked_at", "died_on")  # fmt: skip
    search_index = (("id_index", id_index), ("phone_index", phone_index))
    search_page = "/console/people"
    filters = ("status", "identity_outcome")
    order = ("-division_code", "-id")
    noun = "member"
    related = (
        Related(
            "居住经历", Residence, "person", (), P.HOUSEHOLD_VIEW, own="person",
        ),
        Related(
            "证件与资格", Certificate, "member_id",
            ("kind", "number", "level", "valid_from", "valid_to", "source", "as_of", "ended_on"), P.HOUSEHOLD_VIEW,
            link="certificate", order="kind", together=True,
        ),
        Related(
            "一卡通账户", Account, "member_id", ACCOUNT_COLUMNS,
            P.ACCOUNT_VIEW, link="account", together=True,
        ),
        Related(
            "变更", RegistryChange, "member_id", CHANGE_COLUMNS, P.REGISTRY_CHANGE_VIEW, link="registry-change",
            order="-id", together=True,
        ),
        Related("发放", RosterLine, "member_id", (), P.ROSTER_VIEW, together=True),
        REFERENCES,
    )  # fmt: skip
    forms = (
        identity.ONE,
        identity.EVERYBODY,
        Form(
            "reveal",
            "查看完整信息",
            P.MEMBER_REVEAL,
            call("reveals", "reveal_member"),
            (REASON,),
            consequence="显示完整身份信息一次，查看人、时间和事由将被记录（第三十条）。",
            on_record=True,
        ),
        *registry_forms.forms(registry_forms.MEMBER_PROPOSALS),
        *MEMBER_FORMS,
    )

    def row_links(self, request: Request, row: Any) -> list[tuple[str, str]]:
        """Return nothing: what can be done with a person stands on the person's page."""
        return []

    def extra(self, session: Session, record: Any, by: Any, granted: frozenset[str]) -> dict[str, Any]:
        """Return the household that the record belongs to."""
        return {"home": session.get(Household, record.household_id)}

    def panel(self, session: Session, request: Request, record: Any, tab: str) -> dict[str, Any]:
        """Return where the person has lived, and what was paid to them."""
        lives = household_pages.lives_of(session, record) if tab == "residences" else []
        mine = household_pages.of_member(session, record) if tab == "roster_lines" else None
        return {
            "lives": lives,
            "payments": household_pages.payments(session, mine) if mine is not None else [],
            "divisions": division_names(session),
        }


class AssetView(ConsoleView, model=Asset):
    """家庭生产资料：在户的页面上登记和变更。"""

    category, icon = "", "fa-solid fa-tractor"
    permission = P.HOUSEHOLD_VIEW
    title_field = "kind"
    column_list = ["kind", "quantity", "unit", "division_code", "as_of", "source", "ended_on"]
    order = ("-division_code", "-id")

    def row_links(self, request: Request, row: Any) -> list[tuple[str, str]]:
        """Return the form that changes or ends this asset, for whoever may propose it."""
        return _change(self, request, row, f"household/form/asset?pk={row.household_id}&asset_id={row.id}")


class CertificateView(ConsoleView, model=Certificate):
    """证件与资格：在成员的页面上登记和变更。"""

    category, icon = "", "fa-solid fa-id-badge"
    permission = P.HOUSEHOLD_VIEW
    title_field = "kind"
    column_list = ["kind", "number", "level", "division_code", "valid_from", "valid_to", "source", "ended_on"]
    order = ("-division_code", "-id")

    def row_links(self, request: Request, row: Any) -> list[tuple[str, str]]:
        """Return the form that changes or ends this certificate, for whoever may propose it."""
        return _change(self, request, row, f"member/form/certificate?pk={row.member_id}&certificate_id={row.id}")


def _change(view: ConsoleView, request: Request, row: Any, address: str) -> list[tuple[str, str]]:
    if row.ended_on is not None or P.REGISTRY_CHANGE_PROPOSE not in view.granted(request):
        return []
    return [("变更", f"{BASE}/{address}")]
