"""The page where finance selects its list: everything that is offered, by clicks. （第七条第一项）"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar
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
from workflows.annual_list_offers import Offer, latest, offers, upper_of

PAGE = 200
LONGEST = 60
SHOWS = (
    ("", "全部"), ("chosen", "已选"), ("open", "可选未选"), ("added", "新增"), ("dropped", "移出"),
    ("closed", "不能选择"),
)  # fmt: skip
FILTERS = ("q", "sector", "domain", "level", "show", "page")


@dataclass(frozen=True)
class Choice:
    """The page as data: the draft, what is offered, and what the filters leave of it."""

    record: AnnualList
    offers: list[Offer]
    asked: dict[str, str]
    upper: str
    """Whose list it is selected from; empty for the region."""

    def base(self, one: Offer) -> bool:
        """Tell whether the edition before has the project: of this year, else the last year's list."""
        return one.current if self.record.edition > 1 else one.last_year

    @property
    def matching(self) -> list[Offer]:
        """Return what the filters leave."""
        asked, shows = self.asked, self._shows()
        return [
            one
            for one in self.offers
            if (not asked["q"] or asked["q"] in one.name or one.code.startswith(asked["q"]))
            and asked["sector"] in ("", one.sector)
            and asked["domain"] in ("", one.domain)
            and asked["level"] in ("", one.policy_level)
            and shows(one)
        ]

    def _shows(self) -> Any:
        return {
            "chosen": lambda one: one.chosen,
            "open": lambda one: one.offered and not one.chosen,
            "added": lambda one: one.chosen and not self.base(one),
            "dropped": lambda one: not one.chosen and self.base(one),
            "closed": lambda one: not one.offered,
        }.get(self.asked["show"], lambda one: True)

    @property
    def counts(self) -> dict[str, int]:
        """Return the counts of the page's head."""
        chosen = [one for one in self.offers if one.chosen]
        found = {"已选": len(chosen)}
        found |= {f"其中{one.label}": sum(1 for item in chosen if item.policy_level == one) for one in PolicyLevel}
        found["可选未选"] = sum(1 for one in self.offers if one.offered and not one.chosen)
        found["新增"] = sum(1 for one in chosen if not self.base(one))
        found["移出"] = sum(1 for one in self.offers if self.base(one) and not one.chosen)
        return {name: count for name, count in found.items() if count or not name.startswith("其中")}


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
            chosen, reasons = wanted(choice, typed, ticked)
            annual_lists.choose(session, choice.record, by=by, project_ids=sorted(chosen), reasons=reasons)

        try:
            await doing(by, "choose", f"项目清单{key[:ID_DIGITS]}", work)
        except Refused as refusal:
            return await self._page(request, typed, refusal)
        asked = {name: typed.get(name, "") for name in FILTERS if typed.get(name)} | {"done": "saved"}
        return RedirectResponse(f"{CHOOSE}/{_number(key)}/choose?{urlencode(asked)}", status_code=303)

    async def _page(self, request: Request, typed: dict[str, str], refusal: Refused | None = None) -> Response:
        self._admit(request)
        by, key = who(request), request.path_params["key"]
        choice = await reading(lambda session: _choice(session, key, typed))
        rows = choice.matching
        last = max(1, -(-len(rows) // PAGE))
        page = min(int(choice.asked["page"]) if choice.asked["page"].isdigit() else 1, last) or 1
        links = {
            side: "?" + urlencode({**{k: v for k, v in choice.asked.items() if v}, "page": page + step})
            for side, step in (("previous", -1), ("next", 1))
        }
        return await pages.render(
            request, "annual_list_choose", 200 if refusal is None else refusal.status_code, title="选择项目", view=self,
            choice=choice, rows=rows[(page - 1) * PAGE : page * PAGE], found=len(rows), page=page, pages=last,
            links=links, may=_may(request, by, choice.record), shows=SHOWS, levels=[*PolicyLevel],
            sectors=sorted({one.sector for one in choice.offers}),
            domains=sorted({one.domain for one in choice.offers if one.domain}),
            message="" if refusal is None else str(refusal), done=typed.get("done") == "saved",
        )  # fmt: skip

    def _admit(self, request: Request) -> None:
        if not self.is_accessible(request):
            raise HTTPException(403, f"您当前的岗位（{who(request).post}）不能查看“{self.name}”（第二十三条）。")


def wanted(choice: Choice, typed: Mapping[str, str], ticked: set[int]) -> tuple[set[int], dict[int, str]]:
    """Return what is to be selected after a click, and why what was listed is dropped."""
    chosen = {one.project_id for one in choice.offers if one.chosen}
    matching = {one.project_id: one for one in choice.matching}
    offered = {number for number, one in matching.items() if one.offered}
    shown = {_number(one) for one in typed.get("shown", "").split(",") if one}
    match typed.get("do", "save"):
        case "all":
            chosen |= offered
        case "none":
            chosen -= set(matching)
        case "former":
            chosen = {one.project_id for one in choice.offers if one.offered and choice.base(one)}
        case _:
            chosen = (chosen - shown) | ticked
    general = typed.get("reason", "")
    reasons = {
        one.project_id: typed.get(f"reason.{one.project_id}", "").strip()[:200] or one.reason or general.strip()[:200]
        for one in choice.offers
        if one.project_id not in chosen
    }
    return chosen, reasons


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
    asked = {name: typed.get(name, "").strip().replace("\x00", "")[:LONGEST] for name in FILTERS}
    upper = upper_of(session, record.division_code)
    above = latest(session, upper.code, record.year) if upper is not None else None
    return Choice(
        record, offers(session, record.division_code, record.year, record), asked, above.title if above else ""
    )
