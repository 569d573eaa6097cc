"""Allocation plans: the list, the plan against what was issued, and the form they are drafted in. （第三十二条）"""

from typing import Any
from urllib.parse import quote

import anyio
import sqlalchemy as sa
from sqladmin import expose
from sqlmodel import Session
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from admin import pages
from admin.base import BASE, ConsoleView, Menu
from admin.money_pages import MoneyPage, granted_of, number_of
from admin.reading import doing, form_of, reading, who
from integrations.amounts import fen_of, yuan_text
from models.allocation_plans import AllocationPlan, AllocationStatus
from models.officers import ActingOfficer
from models.projects import ProjectStatus, SubsidyProject
from policies.clock import today
from policies.lifecycles.allocation_plans import ALLOCATION_PLAN_LIFECYCLE
from policies.permissions import Permission as P
from policies.refusals import NotFound, Refused
from workflows import allocation_plans, allocation_sheets
from workflows.allocation_plans import Content
from workflows.allocation_sheets import AllocationWrong, Mistake, Sheet
from workflows.files import XLSX

FORM = f"{BASE}/allocation-form"
FIELDS = ("project", "document_number", "title", "fiscal_year", "total", "pasted")


class AllocationPlanView(ConsoleView, model=AllocationPlan):
    """分配方案。"""

    category, icon = Menu.MONEY, "fa-solid fa-chart-pie"
    permission = P.ALLOCATION_VIEW
    lifecycle, verbs = ALLOCATION_PLAN_LIFECYCLE, "workflows.allocation_plans"
    record_template = "allocation_plan"
    opens = "all"
    column_list = ["number", "division_code", "title", "project_name", "fiscal_year", "edition", "total_fen",
                   "line_count", "status", "confirmed_on"]  # fmt: skip
    headline = ("division_code", "project_name", "document_number", "fiscal_year", "edition", "total_fen",
                "line_count", "confirmed_on", "issue_due_on")  # fmt: skip
    search_text = ("number", "document_number", "title", "project_name")
    filters = ("status",)
    total = "total_fen"

    def scoped(self, by: ActingOfficer) -> Any:
        """Return one's own plans; of those above oneself what has been confirmed."""
        told = (AllocationStatus.CONFIRMED, AllocationStatus.SUPERSEDED)
        inside = sa.and_(
            AllocationPlan.division_code >= by.scope.start,  # type: ignore[arg-type]
            AllocationPlan.division_code < by.scope.end,  # type: ignore[arg-type]
        )
        shown = sa.or_(inside, AllocationPlan.status.in_(told))  # type: ignore[attr-defined]
        return super().scoped(by).where(shown)

    def extra(self, session: Session, record: Any, by: ActingOfficer, granted: frozenset[str]) -> dict[str, Any]:
        """Return planned against issued, place by place, and the form if the post may go on with the plan."""
        way = ("", "")
        if P.ALLOCATION_DRAFT in granted and by.division_code == record.division_code:
            way = {
                AllocationStatus.DRAFT: ("修改", f"{FORM}?plan={record.id}"),
                AllocationStatus.CONFIRMED: ("编制补充方案", f"{FORM}?supplements={record.id}"),
            }.get(record.status, way)
        return {"compared": allocation_plans.compared(session, record, by=by), "way": way}


class AllocationFormView(MoneyPage):
    """编制分配方案。"""

    name, category, icon = "编制分配方案", Menu.MONEY, "fa-solid fa-table-list"
    permission = P.ALLOCATION_DRAFT
    root_url = menu_url = FORM

    @expose("/allocation-form", identity="allocation-form")
    async def form(self, request: Request) -> Response:
        """Ask for document, project, total and the amounts: typed, pasted or as a workbook."""
        self.admit(request)
        return await self._form(request, {}, {}, [])

    @expose("/allocation-form", methods=["POST"], identity="allocation-form-do")
    async def draft(self, request: Request) -> Response:
        """Draft or amend a plan; every mistake comes back at its row."""
        self.admit(request)
        by, form = who(request), form_of(request)
        given = {name: str(form.get(name, "")).strip() for name in FIELDS}
        typed = {key[2:]: str(value).strip() for key, value in form.multi_items() if key.startswith("a.")}
        upload = form.get("file")
        content = await upload.read() if isinstance(upload, UploadFile) and upload.filename else b""
        name = upload.filename or "" if isinstance(upload, UploadFile) else ""

        def work(session: Session) -> int:
            known = allocation_sheets.targets(session, by.division_code)
            if content:
                rows = allocation_sheets.of_workbook(name, content)
            elif given["pasted"]:
                rows = allocation_sheets.pasted(given["pasted"])
            else:
                rows = [(at, code, fen) for at, (code, fen) in enumerate(typed.items(), 1) if fen]
            sheet = allocation_sheets.read_lines(rows, known)
            asked = _content(given, sheet)
            if request.query_params.get("plan", ""):
                plan = session.get(AllocationPlan, number_of(request.query_params["plan"]))
                if plan is None:
                    raise NotFound
                allocation_plans.amend(session, plan, by=by, content=asked, sheet=sheet)
            else:
                project = number_of(given["project"] or "0")
                plan = allocation_plans.draft(session, by=by, project_id=project, content=asked, sheet=sheet)
            return plan.id or 0

        try:
            number = await doing(by, "draft", "分配方案", work)
        except AllocationWrong as wrong:
            return await self._form(request, given, typed, wrong.fields["mistakes"])
        except Refused as refusal:
            return await self._form(request, given, typed, [Mistake(0, "不能保存", str(refusal))], refusal.status_code)
        return RedirectResponse(f"{BASE}/allocation-plan/details/{number}", status_code=303)

    @expose("/allocation-form/template.xlsx", identity="allocation-template")
    async def template(self, request: Request) -> Response:
        """Send the workbook to fill in."""
        self.admit(request)
        owner = who(request).division_code
        known = await reading(lambda session: allocation_sheets.targets(session, owner))
        content = await anyio.to_thread.run_sync(allocation_sheets.template, known, {})
        headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote('分配方案模板')}.xlsx"}
        return Response(content, media_type=XLSX, headers=headers)

    async def _form(
        self,
        request: Request,
        given: dict[str, str],
        typed: dict[str, str],
        mistakes: list[Mistake],
        status: int = 400,
    ) -> Response:
        by, query = who(request), request.query_params
        key = query.get("plan", "") or query.get("supplements", "")

        def question(session: Session) -> dict[str, Any]:
            plan = session.get(AllocationPlan, number_of(key)) if key else None
            if key and (plan is None or plan.division_code != by.division_code):
                raise NotFound
            projects = sa.select(SubsidyProject.id, SubsidyProject.name).where(  # type: ignore[call-overload]
                SubsidyProject.status == ProjectStatus.ADMITTED, SubsidyProject.sector == by.sector
            )
            amounts = allocation_plans.amounts_of(session, plan) if plan else {}
            return {
                "plan": plan, "projects": session.execute(projects.order_by(SubsidyProject.code)).all(),
                "targets": allocation_sheets.targets(session, by.division_code),
                "begun": _begun(plan, today(session).year),
                "amounts": {code: yuan_text(fen) for code, fen in amounts.items()},
            }  # fmt: skip

        found = await reading(question)
        return await pages.render(
            request, "allocation_form", status if mistakes else 200, title=_title(query, found["plan"]), view=self,
            given=found["begun"] | given, typed=typed or found["amounts"], mistakes=mistakes, amends="plan" in query,
            action=f"{FORM}{'?' + request.url.query if request.url.query else ''}",
            may_submit=P.ALLOCATION_DRAFT in granted_of(request), **found,
        )  # fmt: skip


def _title(query: Any, plan: AllocationPlan | None) -> str:
    if plan is None:
        return "编制分配方案"
    return f"修改分配方案 {plan.number}" if "plan" in query else f"编制补充方案（第 {plan.edition + 1} 版）"


def _begun(plan: AllocationPlan | None, year: int) -> dict[str, str]:
    """Return what the form begins with."""
    if plan is None:
        return {"fiscal_year": str(year)}
    return {
        "project": str(plan.project_id), "document_number": plan.document_number, "title": plan.title,
        "fiscal_year": str(plan.fiscal_year), "total": yuan_text(plan.total_fen),
    }  # fmt: skip


def _content(given: dict[str, str], sheet: Sheet) -> Content:
    """Return what the plan says; a total or year that is no number is a mistake of the sheet."""
    try:
        total = fen_of(given["total"].replace(",", "").replace("，", ""))
    except ValueError:
        total = 0
        sheet.mistakes.append(Mistake(0, "分配总额", "请填以元为单位、最多两位小数的数字"))
    year = int(given["fiscal_year"]) if given["fiscal_year"].isascii() and given["fiscal_year"].isdigit() else 0
    if not given["project"]:
        sheet.mistakes.append(Mistake(0, "补贴项目", "请选择"))
    return Content(given["title"], given["document_number"], min(year, 9999), total)
