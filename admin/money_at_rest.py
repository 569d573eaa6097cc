"""Money at rest: three lists with clocks and amounts, by place and by project. （第十条）"""

from typing import Any

from sqladmin import expose
from sqlmodel import Session
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from admin import pages
from admin.base import BASE, Menu, division_names
from admin.money_pages import LAST_PAGE, MOST_EXPORTED, ROWS, MoneyPage, link, page_of, sheet_of, yuan
from admin.reading import reading, reading_aside, who
from admin.review_progress import level_of
from models.divisions import Level, scope_range
from models.officers import ActingOfficer
from workflows import money_at_rest
from workflows.money_at_rest import LIMITS, Asked, Stage

HEADS = (
    "地区",
    "指标文号",
    "预算项目",
    "补贴项目",
    "滞留金额（元）",
    "起算日期",
    "已停留（工作日）",
    "提醒天数",
    "是否超过",
    "情形",
)
VIEWS = (("", "逐笔"), ("place", "按地区"), ("project", "按预算项目"))


class MoneyAtRestView(MoneyPage):
    """滞留资金。"""

    name, category, icon = "滞留资金", Menu.MONEY, "fa-solid fa-hourglass-half"
    root_url = menu_url = f"{BASE}/money-at-rest"

    @expose("/money-at-rest", identity="money-at-rest")
    async def overview(self, request: Request) -> Response:
        """Show one stage: what rests, since when, how much, and what is over its days."""
        self.admit(request)
        by = who(request)
        stage, asked, view, page = _stage(request), _asked(request, by), _view(request), page_of(request)
        division = request.query_params.get("division", "")
        grouped = _grouping(view, by, division)

        def question(session: Session) -> dict[str, Any]:
            found: dict[str, Any] = {"names": division_names(session)}
            found["stages"] = [(one, *money_at_rest.sums(session, one, asked)) for one in Stage]
            if grouped:
                found["groups"] = money_at_rest.sums(session, stage, asked, grouped)
            else:
                skip = (page - 1) * ROWS
                found["rows"] = money_at_rest.rows(session, stage, asked, limit=ROWS, skip=skip)
            return found

        found = await reading(question)
        total = next(sums for one, sums in found["stages"] if one == stage)
        pages_ = min(max(1, -(-total.count // ROWS)), LAST_PAGE)
        return await pages.render(
            request, "money_at_rest", title=self.name, view=self, stage=stage, asked=asked, shape=view, views=VIEWS,
            grouped=grouped, limits=LIMITS, total=total, page=page, pages=pages_, link=lambda **to: link(request, **to),
            division=division, **found,
        )  # fmt: skip

    @expose("/money-at-rest/export.xlsx", identity="money-at-rest-export")
    async def export(self, request: Request) -> Response:
        """Send the list that the address asks for as a workbook."""
        self.admit(request)
        by, stage = who(request), _stage(request)
        asked = _asked(request, by)

        def question(session: Session) -> list[tuple[Any, ...]]:
            names, days = division_names(session), LIMITS[stage].working_days
            return [
                (names.get(row.division_code, row.division_code), row.document_number, row.pro_name, row.projects,
                 yuan(row.amount_fen), row.since, row.age, days, "超过" if row.late else "", row.what)
                for row in money_at_rest.rows(session, stage, asked, limit=MOST_EXPORTED)
            ]  # fmt: skip

        return sheet_of(f"滞留资金-{stage.label}", HEADS, await reading_aside(by, question))


def _stage(request: Request) -> Stage:
    given = request.query_params.get("stage", "") or Stage.STARTING
    if given not in list(Stage):
        raise HTTPException(400, "环节无效，请从页面上的三个环节中选择。")
    return Stage(given)


def _view(request: Request) -> str:
    given = request.query_params.get("view", "")
    if given not in dict(VIEWS):
        raise HTTPException(400, "显示方式无效，请从页面上选择。")
    return given


def _asked(request: Request, by: ActingOfficer) -> Asked:
    query = request.query_params
    code = query.get("division", "")
    level = level_of(code) if code else None
    if code and (level is None or not by.scope.covers(code)):
        raise HTTPException(404, "没有这个地区，或不在您的管辖范围内。")
    place = "" if level in (None, Level.REGION) else scope_range(code, level)[0]
    return Asked(place, query.get("project", "")[:200].replace("\x00", ""), query.get("late", "") == "yes")


def _grouping(view: str, by: ActingOfficer, division: str) -> str:
    if view != "place":
        return view
    return "league" if by.level == Level.REGION and not division else "place"
