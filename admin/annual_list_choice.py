"""The page where finance selects its list: everything that is offered, by clicks. （第七条第一项）"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import urlencode

from sqladmin import BaseView, expose
from sqlmodel import Session
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from admin import pages
from admin.annual_lists import CHOOSE
from admin.base import ID_DIGITS
from admin.reading import doing, form_of, reading, who
from models.annual_lists import AnnualList, AnnualListStatus
from models.officers import ActingOfficer
from models.projects import PolicyLevel
from policies.permissions import Permission as P
from policies.refusals import NotFound, Refused
from workflows import annual_lists
from workflows.annual_list_offers import FILTERS, Offer, OfferPage, latest, matching, offer_page, offers, upper_of

PAGE = 100
LONGEST, LONGEST_REASON = 60, 200
SHOWS = (
    ("", "全部"), ("chosen", "已选"), ("open", "可选未选"), ("added", "新增"), ("dropped", "移出"),
    ("closed", "不能选择"),
)  # fmt: skip
ASKED = (*FILTERS, "page")


@dataclass(frozen=True)
class Choice:
    """The draft, what the address asks for, and whose list it is selected from."""

    record: AnnualList
    asked: dict[str, str]
    upper: str
    """Empty for the region, which selects from the library."""

    @property
    def page(self) -> int:
        """Return the page asked for."""
        text = self.asked["page"]
        return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 5 else 1


class ListChoiceView(BaseView):
    """Selecting the projects of a draft."""

    name, icon = "选择项目", "fa-solid fa-square-check"
    permission: ClassVar[P] = P.ANNUAL_LIST_VIEW
    lifecycle = None
    root_url = menu_url = CHOOSE

    def is_accessible(self, request: Request) -> bool:
        """Let those in who may see lists."""
        return self.permission in _granted(request)

    def is_visible(self, request: Request) -> bool:
        """Stand in no menu: a list's page leads here."""
        return False

    @expose("/annual-lists/{key}/choose", identity="annual_list_choice")
    async def choose(self, request: Request) -> Response:
        """Show what is offered."""
        return await self._page(request, dict(request.query_params))

    @expose("/annual-lists/{key}/choose", methods=["POST"], identity="do_annual_list_choice")
    async def do_choose(self, request: Request) -> Response:
        """Write what was ticked, or what the filters leave, into the draft."""
        self._admit(request)
        by, form, key = who(request), form_of(request), request.path_params["key"]
        if P.ANNUAL_LIST_DRAFT not in _granted(request):
            raise HTTPException(403, f"您当前的岗位（{by.post}）不能选择清单项目（第二十三条）。")
        typed = {name: str(value) for name, value in form.items()}

        def work(session: Session) -> None:
            choice = _choice(session, key, typed)
            ticked = {_number(str(one)) for one in form.getlist("ids")}
            found = offers(session, choice.record.division_code, choice.record.year, choice.record)
            chosen, reasons = wanted(found, matching(session, choice.record, choice.asked), typed, ticked)
            annual_lists.choose(session, choice.record, by=by, project_ids=sorted(chosen), reasons=reasons)

        try:
            await doing(by, "choose", f"项目清单{key[:ID_DIGITS]}", work)
        except Refused as refusal:
            return await self._page(request, typed, refusal)
        asked = {name: typed.get(name, "") for name in ASKED if typed.get(name)} | {"done": "saved"}
        return RedirectResponse(f"{CHOOSE}/{_number(key)}/choose?{urlencode(asked)}", status_code=303)

    async def _page(self, request: Request, typed: dict[str, str], refusal: Refused | None = None) -> Response:
        self._admit(request)
        by, key = who(request), request.path_params["key"]

        def question(session: Session) -> tuple[Choice, OfferPage]:
            choice = _choice(session, key, typed)
            found = offer_page(session, choice.record, choice.asked, size=PAGE, page=choice.page)
            return choice, found

        choice, found = await reading(question)
        links = {
            side: "?" + urlencode({**{k: v for k, v in choice.asked.items() if v}, "page": choice.page + step})
            for side, step in (("previous", -1), ("next", 1))
        }
        return await pages.render(
            request, "annual_list_choose", 200 if refusal is None else refusal.status_code, title="选择项目", view=self,
            choice=choice, found=found, page=choice.page, pages=max(1, -(-found.found // PAGE)), links=links,
            may=_may(request, by, choice.record), shows=SHOWS, levels=[*PolicyLevel],
            message="" if refusal is None else str(refusal), done=typed.get("done") == "saved",
        )  # fmt: skip

    def _admit(self, request: Request) -> None:
        if not self.is_accessible(request):
            raise HTTPException(403, f"您当前的岗位（{who(request).post}）不能查看“{self.name}”（第二十三条）。")


def wanted(
    found: Sequence[Offer], matching: set[int], typed: Mapping[str, str], ticked: set[int]
) -> tuple[set[int], dict[int, str]]:
    """Return what is to be selected after a click, and why what was listed is dropped.

    found: everything that is offered; matching: what the filters leave of it; ticked: of the rows that were shown.
    """
    chosen = {one.project_id for one in found if one.chosen}
    shown = {_number(one) for one in typed.get("shown", "").split(",") if one}
    match typed.get("do", "save"):
        case "all":
            chosen |= {one.project_id for one in found if one.offered and one.project_id in matching}
        case "none":
            chosen -= matching
        case "former":
            chosen = {one.project_id for one in found if one.offered and one.before}
        case _:
            chosen = (chosen - shown) | ticked
    general = typed.get("reason", "").strip()[:LONGEST_REASON]
    own = {one.project_id: typed.get(f"reason.{one.project_id}", "").strip()[:LONGEST_REASON] for one in found}
    return chosen, {
        one.project_id: own[one.project_id] or one.reason or general for one in found if one.project_id not in chosen
    }


def _granted(request: Request) -> frozenset[str]:
    held: frozenset[str] = getattr(request.state, "permissions", frozenset())
    return held


def _may(request: Request, by: ActingOfficer, record: AnnualList) -> bool:
    """Tell whether the officer may select now: the predicate that guards the verb."""
    mine = annual_lists.SUBMIT.desk is not None and annual_lists.SUBMIT.desk.seats(by)
    here = record.division_code == by.division_code and record.status == AnnualListStatus.DRAFT
    return mine and here and P.ANNUAL_LIST_DRAFT in _granted(request)


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > ID_DIGITS:
        raise NotFound
    return int(text)


def _choice(session: Session, key: str, typed: Mapping[str, str]) -> Choice:
    record = session.get(AnnualList, _number(key))
    if record is None:
        raise NotFound
    asked = {name: typed.get(name, "").strip().replace("\x00", "")[:LONGEST] for name in ASKED}
    upper = upper_of(session, record.division_code)
    above = latest(session, upper.code, record.year) if upper is not None else None
    return Choice(record, asked, above.title if above else "")
