"""How far the yearly reviews have come: who is overdue where, a village at once. （第十一、三十一条）"""

from typing import Any, ClassVar
from urllib.parse import urlencode

from sqladmin import BaseView, expose
from sqlmodel import Session
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from admin import pages
from admin.answers import answers_of
from admin.base import BASE, Menu, division_names
from admin.household_reviews import ASKS, begun
from admin.reading import doing, form_of, reading, who
from models.divisions import Level, scope_range
from policies.lifecycles import OPINION, Ask
from policies.permissions import Permission as P
from policies.refusals import NotFound, Refused
from workflows import household_reviews
from workflows.household_reviews import LABEL, MOST_AT_ONCE

HOUSEHOLDS = Ask("ids", "户", "rows")
SIGN = "签署"
LEVELS = {"0000000000": Level.REGION, "00000000": Level.LEAGUE, "000000": Level.COUNTY, "000": Level.TOWNSHIP}


def granted_of(request: Request) -> frozenset[str]:
    """Return the permissions of the post."""
    held: frozenset[str] = getattr(request.state, "permissions", frozenset())
    return held


class ReviewProgressView(BaseView):
    """Who is overdue, and a village at once."""

    name, category, icon = "年度复核进度", Menu.REGISTRY, "fa-solid fa-list-check"
    permission: ClassVar[P] = P.HOUSEHOLD_REVIEW_VIEW
    lifecycle = None
    root_url = menu_url = f"{BASE}/review-progress"

    def is_accessible(self, request: Request) -> bool:
        """Let those in who may see reviews."""
        return self.permission in granted_of(request)

    is_visible = is_accessible

    @expose("/review-progress", identity="review-progress")
    async def overdue(self, request: Request) -> Response:
        """Show by village, township, county or league how many households are overdue."""
        self._admit(request)
        by = who(request)
        code = request.query_params.get("division", "") or by.division_code
        level = level_of(code)
        if level is None or not by.scope.covers(code):
            raise NotFound
        start, end = scope_range(code, level)

        def question(session: Session) -> dict[str, Any]:
            rows = household_reviews.progress(session, level, start, end)
            return {"rows": rows, "names": division_names(session), "limit": household_reviews.limit_day(session)}

        found = await reading(question)
        return await pages.render(
            request, "household_reviews", title="年度复核进度", view=self, code=code, level=level,
            prepares=P.HOUSEHOLD_REVIEW_PREPARE in granted_of(request) and level == Level.TOWNSHIP,
            signs=P.HOUSEHOLD_REVIEW_SIGN in granted_of(request) and level == Level.TOWNSHIP,
            done=_done(request), **found,
        )  # fmt: skip

    @expose("/review-progress/village", identity="review-village")
    async def village(self, request: Request) -> Response:
        """Show the households of a village that wait for this year's review, or the reviews that wait for the head."""
        return await self._village(request)

    @expose("/review-progress/village", methods=["POST"], identity="do-review-village")
    async def do_village(self, request: Request) -> Response:
        """Prepare or sign what was ticked, all at once."""
        self._admit(request)
        by, signs = who(request), P.HOUSEHOLD_REVIEW_SIGN in granted_of(request)
        label = SIGN if signs else LABEL
        try:
            answers = await answers_of(request, label, (HOUSEHOLDS, OPINION) if signs else (HOUSEHOLDS, *ASKS))
            ids = answers.pop("ids")

            def work(session: Session) -> int:
                if signs:
                    return household_reviews.sign_many(session, ids, by=by, **answers)
                return len(household_reviews.prepare_many(session, ids, by=by, **answers))

            count = await doing(by, "sign" if signs else "prepare", f"{self.name}{len(ids)} 户", work)
        except Refused as refusal:
            return await self._village(request, refusal)
        query = {"count": str(count), "did": "sign" if signs else "prepare"}
        return RedirectResponse(f"{self.menu_url}?{urlencode(query)}", status_code=303)

    async def _village(self, request: Request, refusal: Refused | None = None) -> Response:
        self._admit(request)
        by, signs = who(request), P.HOUSEHOLD_REVIEW_SIGN in granted_of(request)
        typed = form_of(request) if refusal is not None else request.query_params
        name, everyone = str(typed.get("village", "")), str(typed.get("all", "")) == "yes"

        def question(session: Session) -> dict[str, Any]:
            rows = (
                household_reviews.to_sign(session, by.division_code, name)
                if signs
                else household_reviews.to_review(session, by.division_code, name, overdue=not everyone)
            )
            return {"rows": rows, "begun": dict(begun(session, by, None, {}))}

        found = await reading(question)
        given = found["begun"] if refusal is None else _typed(request)
        return await pages.render(
            request, "household_reviews_village", 200 if refusal is None else refusal.status_code,
            title=f"{name or '未填嘎查村'}：{'签署' if signs else '登记'}年度复核", view=self, village=name,
            everyone=everyone, signs=signs, asks=(OPINION,) if signs else ASKS, given=given, rows=found["rows"],
            message="" if refusal is None else str(refusal), most=MOST_AT_ONCE,
        )  # fmt: skip

    def _admit(self, request: Request) -> None:
        if not self.is_accessible(request):
            raise HTTPException(403, f"您当前的岗位（{who(request).post}）不能查看“{self.name}”（第二十三条）。")


def _typed(request: Request) -> dict[str, str]:
    form = form_of(request)
    names = {name for name in form if name not in ("csrf_token", "ids")}
    return {name: ",".join(str(one) for one in form.getlist(name)) for name in names}


def _done(request: Request) -> str:
    """Return what has just been done, for the head of the overview."""
    count, did = request.query_params.get("count", ""), request.query_params.get("did", "")
    if not (count.isascii() and count.isdigit()) or len(count) > len(str(MOST_AT_ONCE)):
        return ""
    return {"sign": f"签署 {count} 户", "prepare": f"登记 {count} 户，待负责人签署"}.get(did, "")


def level_of(code: str) -> Level | None:
    """Return the level of a division's code by its ending; None when it is no code."""
    if len(code) != 12 or not (code.isascii() and code.isdigit()):
        return None
    return next((level for end, level in LEVELS.items() if code.endswith(end)), None)
