"""The window enquiry, its slip, the file of a household: masked, recorded, printed on A4. （第二十六条、第三十条）"""

from typing import Any, ClassVar

from sqladmin import BaseView, expose
from sqlmodel import Session
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from admin import pages
from admin.answers import answers_of
from admin.base import BASE, ConsoleView, Menu, division_names
from admin.fields import WORDS, field_view
from admin.reading import doing, form_of, reading, who
from models.accounts import Account
from models.certificates import Certificate
from models.enquiries import Enquiry, EnquiryPurpose
from models.households import Asset, Household, Member
from policies.capitals import capitals
from policies.clock import now
from policies.lifecycles import Ask
from policies.permissions import Permission as P
from policies.refusals import NotFound, Refused
from workflows import enquiries
from workflows.household_files import household_file

ID_DIGITS = 18
PURPOSES = tuple((str(one), one.label) for one in EnquiryPurpose)
ASKS = (
    Ask("number", "身份证号或一卡通账号", "text", help="18 位或 15 位身份证号，或完整账号；只用于本次查询"),
    Ask("purpose", "查询类别", "choice", choices=PURPOSES),
    Ask("reason", "查询说明", "text", required=False, help="非本人查询须写明，如委托书、监护证明；不要写号码"),
)
PERSON = ("name", "id_number", "sex", "birth_date", "status", "died_on", "identity_outcome", "phone")
MEMBER = ("name", "relation", "id_number", "sex", "birth_date", "ethnicity", "phone", "status", "identity_outcome")
ASSET = ("kind", "quantity", "unit", "as_of", "source", "certificate_number")
ACCOUNT = ("number", "bank_name", "is_card", "is_payment", "status", "verified_at")
CERTIFICATE = ("kind", "number", "level", "valid_from", "valid_to", "source")
HOME = ("number", "head_name", "division_code", "village", "group_name", "address", "hukou_kind", "reviewed_on")


class EnquiryView(ConsoleView, model=Enquiry):
    """窗口查询记录。"""

    category, icon = Menu.OVERSIGHT, "fa-solid fa-clipboard-question"
    permission = P.ENQUIRY_VIEW
    title_field = "number"
    noun = "enquiry"
    column_list = [
        "enquired_at", "number", "officer_name", "post", "purpose", "way", "line_count", "elsewhere_count", "reason",
    ]  # fmt: skip
    headline = ("enquired_at", "officer_name", "post", "purpose", "way", "line_count", "elsewhere_count", "address")
    column_details_list = [
        "number", "enquired_at", "officer_name", "post", "address", "purpose", "reason", "way", "keeper",
        "line_count", "elsewhere_count", "division_code",
    ]  # fmt: skip
    search_text = ("number", "officer_name")
    filters = ("purpose", "way")


class WindowView(BaseView):
    """The window."""

    name, category, icon = "窗口查询", Menu.REGISTRY, "fa-solid fa-person-circle-question"
    permission: ClassVar[P] = P.ENQUIRY_MAKE
    lifecycle = None
    root_url = menu_url = f"{BASE}/window"

    def is_accessible(self, request: Request) -> bool:
        """Let those in who may enquire."""
        return self.permission in getattr(request.state, "permissions", frozenset())

    is_visible = is_accessible

    @expose("/window", identity="window")
    async def form(self, request: Request) -> Response:
        """Ask for a number and a reason."""
        self._require(request)
        return await self._asking(request)

    @expose("/window", methods=["POST"], identity="window-asked")
    async def made(self, request: Request) -> Response:
        """Record the enquiry, then show its page. （第三十条）"""
        self._require(request)
        by = who(request)
        try:
            answers = await answers_of(request, self.name, ASKS)
            answers["purpose"] = EnquiryPurpose(answers["purpose"])
            answers["reason"] = answers["reason"] or ""
            enquiry = await doing(
                by, "enquire", "窗口查询", lambda session: enquiries.enquire(session, by=by, **answers)
            )
        except Refused as refusal:
            return await self._asking(request, refusal)
        return RedirectResponse(f"{self.root_url}/{enquiry.id}", status_code=303)

    @expose("/window/{key}", identity="window-page")
    async def page(self, request: Request) -> Response:
        """Show everything of the person that the officer may see."""
        return await self._shown(request, "enquiry")

    @expose("/window/{key}/slip", identity="window-slip")
    async def slip(self, request: Request) -> Response:
        """Show the slip as it is printed."""
        return await self._shown(request, "enquiry_slip")

    async def _shown(self, request: Request, template: str) -> Response:
        self._require(request)
        by, key = who(request), number_of(request)

        def question(session: Session) -> dict[str, Any]:
            names = division_names(session)
            sheet = enquiries.sheet(session, key, by=by)
            member = sheet.member
            facts = [] if member is None else [(field, field.cell(member, names)) for field in _fields(Member, PERSON)]
            return {
                "sheet": sheet, "facts": facts, "names": names, "moment": now(session), "by": by,
                "words": capitals(sheet.paid_fen),
            }  # fmt: skip

        shown = await reading(question)
        return await pages.render(
            request, template, title=self.name, classes=WORDS["failure_class"], minutes=enquiries.VALID_MINUTES, **shown
        )

    async def _asking(self, request: Request, refusal: Refused | None = None) -> Response:
        given = {name: str(form_of(request).get(name, "")) for name in ("purpose", "reason")} if refusal else {}
        return await pages.render(
            request, "enquiry_form", 200 if refusal is None else refusal.status_code, title=self.name, asks=ASKS,
            given=given, message="" if refusal is None else str(refusal), minutes=enquiries.VALID_MINUTES,
        )  # fmt: skip

    def _require(self, request: Request) -> None:
        if not self.is_accessible(request):
            raise HTTPException(403, f"您当前的岗位（{who(request).post}）不能{self.permission.label}（第二十三条）。")


class HouseholdFileView(BaseView):
    """The file of a household, as it is printed."""

    name, category, icon = "一户一档", "", ""
    permission: ClassVar[P] = P.HOUSEHOLD_VIEW
    lifecycle = None

    @expose("/household-file/{key}", identity="household-file")
    async def file(self, request: Request) -> Response:
        """Show a household with people, assets, accounts and payments by year. （第十一条）"""
        by, key = who(request), request.path_params["key"]
        if self.permission not in getattr(request.state, "permissions", frozenset()):
            raise HTTPException(403, f"您当前的岗位（{by.post}）不能{self.permission.label}（第二十三条）。")
        view = request.app.state.console.view_of("household")

        def question(session: Session) -> dict[str, Any]:
            names = division_names(session)
            file = household_file(session, view.find(session, by, key), by=by)
            named = {member.id: field_view(Member, "name").cell(member, names) for member in file.members}
            return {
                "file": file, "names": names, "moment": now(session), "by": by, "named": named,
                "words": capitals(file.paid_fen), "home": _facts(Household, HOME, file.household, names),
                "member_fields": _fields(Member, MEMBER), "asset_fields": _fields(Asset, ASSET),
                "account_fields": _fields(Account, ACCOUNT), "certificate_fields": _fields(Certificate, CERTIFICATE),
            }  # fmt: skip

        shown = await reading(question)
        return await pages.render(request, "household_file", title=self.name, **shown)


def number_of(request: Request) -> int:
    """Return the record's number in the address. Raises NotFound."""
    key = request.path_params["key"]
    if not key.isascii() or not key.isdigit() or len(key) > ID_DIGITS:
        raise NotFound
    return int(key)


def _fields(model: Any, names: tuple[str, ...]) -> list[Any]:
    return [field_view(model, name) for name in names]


def _facts(model: Any, names: tuple[str, ...], record: Any, divisions: dict[str, str]) -> list[Any]:
    return [(field, field.cell(record, divisions)) for field in _fields(model, names)]
