"""What projects can still pay from, and which budget projects pay them: clicks of county finance. （第十条）"""

from typing import Any

import sqlalchemy as sa
from sqladmin import expose
from sqlmodel import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from admin import pages
from admin.base import BASE, Menu, division_names
from admin.money_pages import LAST_PAGE, MOST_EXPORTED, ROWS, MoneyPage, granted_of, link, number_of, page_of, sheet_of
from admin.money_pages import yuan as in_yuan
from admin.reading import doing, form_of, reading, reading_aside, who
from models.base import county_of
from models.divisions import Level
from models.indicators import Drawdown
from models.payment_orders import PaymentOrderStatus
from models.projects import ProjectStatus, SubsidyProject
from policies.permissions import Permission
from policies.refusals import NotFound, Refused
from workflows import indicator_funds, indicator_links

HEADS = ("旗县", "项目编码", "补贴项目", "指标数", "指标金额（元）", "可用（元）", "占用（元）", "已申请（元）",
         "已拨付（元）", "待支付清册需要（元）", "在审清册（元）")  # fmt: skip
DONE = {"link": "对应预算项目", "unlink": "解除预算项目对应", "shift": "调整支用顺序", "drawdown": "选择支用方式"}


class ProjectFundsView(MoneyPage):
    """项目可用指标。"""

    name, category, icon = "项目可用指标", Menu.MONEY, "fa-solid fa-coins"
    root_url = menu_url = f"{BASE}/project-funds"

    @expose("/project-funds", identity="project-funds")
    async def overview(self, request: Request) -> Response:
        """Show per project and county: amount, available, reserved, requested, paid, and what rosters need."""
        self.admit(request)
        page, code = page_of(request), request.query_params.get("q", "")

        def question(session: Session) -> dict[str, Any]:
            found = indicator_funds.per_project(session, limit=ROWS, skip=(page - 1) * ROWS, pro_code=code[:21])
            return {"rows": found, "total": indicator_funds.in_all(session), "names": division_names(session),
                    "waiting": indicator_links.count_unmapped(session)}  # fmt: skip

        found = await reading(question)
        pages_ = min(max(1, -(-found["total"].projects // ROWS)), LAST_PAGE)
        return await pages.render(
            request, "project_funds", title=self.name, view=self, page=page, pages=pages_, code=code,
            link=lambda **to: link(request, **to), **found,
        )  # fmt: skip

    @expose("/project-funds/export.xlsx", identity="project-funds-export")
    async def export(self, request: Request) -> Response:
        """Send the list as a workbook."""
        self.admit(request)

        def question(session: Session) -> list[tuple[Any, ...]]:
            names = division_names(session)
            fens = ("amount_fen", "available_fen", "reserved_fen", "requested_fen", "paid_fen", "needed_fen",
                    "reviewed_fen")  # fmt: skip
            return [
                (names.get(row.division_code, ""), row.code, row.name, row.indicators,
                 *(in_yuan(getattr(row, fen)) for fen in fens))
                for row in indicator_funds.per_project(session, limit=MOST_EXPORTED)
            ]  # fmt: skip

        return sheet_of(self.name, HEADS, await reading_aside(who(request), question))

    @expose("/project-funds/{key}", identity="project-funds-one")
    async def one(self, request: Request) -> Response:
        """Show one project of one county: links in order, indicators, who has reserved, who needs, history."""
        return await self._one(request)

    @expose("/project-funds/{key}", methods=["POST"], identity="project-funds-do")
    async def change(self, request: Request) -> Response:
        """Move a link up or down, end it, add one, or choose how indicators are drawn down."""
        self.admit(request, Permission.INDICATOR_LINK)
        form, by, number = form_of(request), who(request), number_of(request.path_params["key"])
        did, code = str(form.get("do", "")), str(form.get("pro_code", ""))[:40]

        def work(session: Session) -> None:
            project = session.get(SubsidyProject, number)
            if project is None:
                raise NotFound
            if did == "link":
                indicator_links.link(session, by=by, project=project, pro_code=code)
            elif did == "unlink":
                indicator_links.unlink(session, project, by=by, pro_code=code)
            elif did == "shift":
                indicator_links.shift_link(session, project, by=by, pro_code=code, step=str(form.get("step", "")))
            elif did == "drawdown":
                indicator_links.choose_drawdown(session, project, by=by, drawdown=str(form.get("drawdown", "")))
            else:
                raise NotFound

        try:
            await doing(by, did or "link", "预算项目对应", work)
        except Refused as refusal:
            return await self._one(request, refusal, code)
        return RedirectResponse(f"{self.menu_url}/{number}?done={did}", status_code=303)

    async def _one(self, request: Request, refusal: Refused | None = None, typed: str = "") -> Response:
        self.admit(request)
        by, number, page = who(request), number_of(request.path_params["key"]), page_of(request)
        division = request.query_params.get("division", "") or county_of(by.division_code)
        if not by.scope.covers(division):
            raise NotFound

        def question(session: Session) -> dict[str, Any]:
            project = session.get(SubsidyProject, number)
            if project is None:
                raise NotFound
            skip = (page - 1) * ROWS
            about = indicator_funds.of_project(session, division, number, project.code, limit=ROWS, skip=skip)
            rows = indicator_funds.per_project(session, limit=1, project_id=number, division_code=division)
            return {"project": project, "funds": rows[0] if rows else None, "names": division_names(session), **about}

        found = await reading(question)
        changes = Permission.INDICATOR_LINK in granted_of(request) and by.level == Level.COUNTY
        return await pages.render(
            request, "project_funds_one", 200 if refusal is None else refusal.status_code, title=found["project"].name,
            view=self, division=division, page=page, message="" if refusal is None else str(refusal), typed=typed,
            changes=changes, drawdowns=list(Drawdown), states={str(one): one for one in PaymentOrderStatus},
            done=DONE.get(request.query_params.get("done", ""), ""), rows_at_once=ROWS,
            link=lambda **to: link(request, **to), **found,
        )  # fmt: skip


class BudgetLinksView(MoneyPage):
    """未对应预算项目。"""

    name, category, icon = "未对应预算项目", Menu.MONEY, "fa-solid fa-link"
    root_url = menu_url = f"{BASE}/budget-links"

    @expose("/budget-links", identity="budget-links")
    async def unmapped(self, request: Request) -> Response:
        """Show the budget projects that pay no subsidy yet, with amounts and suggestions."""
        return await self._unmapped(request)

    @expose("/budget-links", methods=["POST"], identity="budget-links-do")
    async def link(self, request: Request) -> Response:
        """Let a budget project pay the subsidy that was suggested or chosen."""
        self.admit(request, Permission.INDICATOR_LINK)
        form, by = form_of(request), who(request)
        chosen, code = str(form.get("project", "")), str(form.get("pro_code", ""))[:40]

        def work(session: Session) -> str:
            project = session.get(SubsidyProject, number_of(chosen))
            if project is None:
                raise NotFound
            indicator_links.link(session, by=by, project=project, pro_code=code)
            return project.name

        if not chosen:
            return await self._unmapped(request, "请选择补贴项目，再点“对应”。")
        try:
            await doing(by, "link", "预算项目对应", work)
        except Refused as refusal:
            return await self._unmapped(request, str(refusal), refusal.status_code)
        return RedirectResponse(f"{self.menu_url}?done=link", status_code=303)

    async def _unmapped(self, request: Request, message: str = "", status: int = 400) -> Response:
        self.admit(request)
        page, by = page_of(request), who(request)
        changes = Permission.INDICATOR_LINK in granted_of(request) and by.level == Level.COUNTY

        def question(session: Session) -> dict[str, Any]:
            rows = indicator_links.unmapped(session, limit=ROWS, skip=(page - 1) * ROWS)
            offered = sa.select(SubsidyProject.id, SubsidyProject.code, SubsidyProject.name)  # type: ignore[call-overload]
            offered = offered.where(SubsidyProject.status == ProjectStatus.ADMITTED).order_by(SubsidyProject.code)
            return {"rows": rows, "total": indicator_links.count_unmapped(session), "names": division_names(session),
                    "projects": session.execute(offered).all() if changes and rows else []}  # fmt: skip

        found = await reading(question)
        pages_ = min(max(1, -(-found["total"][0] // ROWS)), LAST_PAGE)
        return await pages.render(
            request, "budget_links", status if message else 200, title=self.name, view=self, page=page, pages=pages_,
            message=message, changes=changes, done=DONE.get(request.query_params.get("done", ""), ""),
            link=lambda **to: link(request, **to), **found,
        )  # fmt: skip
