"""Small pages that belong to no table: search without personal data in the address, files, the demo's clock."""

from datetime import datetime
from urllib.parse import quote, urlencode, urlsplit

import anyio
from sqladmin import BaseView, expose
from sqlmodel import Session
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from admin import pages
from admin.answers import answers_of
from admin.base import ConsoleView
from admin.exports import PLAIN_ASKS, offers_plain, plain_workbook, workbook
from admin.reading import doing, form_of, reading, who
from models.jobs import StoredFile
from models.settings import settings
from policies.clock import ZONE, advance, today
from policies.permissions import Permission
from policies.refusals import NotFound, Refused
from policies.working_days import next_working_day
from reports.sheets.templates import write_template
from workflows.files import XLSX, content_of

LONGEST_QUERY = 64
PLAIN_LABEL = "导出完整信息"


class ToolsView(BaseView):
    """Search, download, clock."""

    name, category, permission, lifecycle = "工具", "", None, None

    @expose("/{of}/search", methods=["POST"], identity="search")
    async def search(self, request: Request) -> Response:
        """Turn what was typed into an address: an ID or account number becomes its blind index. （第三十条）"""
        view = _view(request, request.path_params["of"])
        form = form_of(request)
        typed = str(form.get("q", "")).strip().replace("\x00", "")[:LONGEST_QUERY]
        query = {"tab": str(form.get("tab", ""))}
        if typed and view.search_index and looks_personal(typed):
            name, index = view.search_index[0]
            wanted = next(((n, i) for n, i in view.search_index if _fits(n, typed)), (name, index))
            query["key"] = wanted[1](typed).hex()
        elif typed:
            query["q"] = typed
        chosen = {name: value for name, value in query.items() if value}
        return RedirectResponse(f"{view.menu_url}?{urlencode(chosen)}", status_code=303)

    @expose("/{of}/file/{key}/{column}", identity="file")
    async def file(self, request: Request) -> Response:
        """Send a file of a record that the officer may see."""
        view = _view(request, request.path_params["of"])
        column = request.path_params["column"]
        if column not in view.file_columns:
            raise NotFound
        by = who(request)

        def question(session: Session) -> tuple[StoredFile | None, bytes]:
            record = view.find(session, by, request.path_params["key"])
            number = getattr(record, column)
            return session.get(StoredFile, number) if number else None, content_of(session, number)

        file, content = await reading(question)
        if file is None:
            raise NotFound
        disposition = f"attachment; filename*=UTF-8''{quote(file.name)}"
        return Response(content, media_type=file.media_type, headers={"Content-Disposition": disposition})

    @expose("/subsidy-project/template/{key}", identity="template")
    async def template(self, request: Request) -> Response:
        """Send the empty roster workbook of a project."""
        view, by = _view(request, "subsidy-project"), who(request)
        project = await reading(lambda session: view.find(session, by, request.path_params["key"]))
        content = await anyio.to_thread.run_sync(write_template, project)
        headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(project.name)}{quote('清册模板')}.xlsx"}
        return Response(content, media_type=XLSX, headers=headers)

    @expose("/{of}/export.xlsx", identity="export")
    async def export(self, request: Request) -> Response:
        """Send the list as a workbook, masked as on the page."""
        view = _view(request, request.path_params["of"])
        content = await workbook(view, request)
        headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(view.name)}.xlsx"}
        return Response(content, media_type=XLSX, headers=headers)

    @expose("/{of}/export-plain", identity="ask-plain")
    async def ask_plain(self, request: Request) -> Response:
        """Ask why the list is to leave the console in full, and who asks. （第三十条）"""
        return await _plain_page(request, _plain_view(request))

    @expose("/{of}/export-plain", methods=["POST"], identity="export-plain")
    async def export_plain(self, request: Request) -> Response:
        """Send the list in full, once the reason is recorded and the person has proven who they are. （第三十条）"""
        view = _plain_view(request)
        try:
            answers = await answers_of(request, PLAIN_LABEL, PLAIN_ASKS)
            content = await plain_workbook(view, request, answers["reason"])
        except Refused as refusal:
            return await _plain_page(request, view, refusal, str(form_of(request).get("reason", "")))
        headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(view.name)}{quote('（完整）')}.xlsx"}
        return Response(content, media_type=XLSX, headers=headers)

    @expose("/clock", methods=["POST"], identity="clock")
    async def clock(self, request: Request) -> Response:
        """Move business time to the opening of the next working day; demo and test only."""
        if not settings().movable_clock:
            raise NotFound
        by = who(request)

        def work(session: Session) -> datetime:
            return advance(session, next_working_day(session, today(session)).astimezone(ZONE))

        await doing(by, "advance_clock", "业务时钟", work)
        return RedirectResponse(came_from(request), status_code=303)


def _plain_view(request: Request) -> ConsoleView:
    view = _view(request, request.path_params["of"])
    if Permission.EXPORT_PLAIN not in view.granted(request) or not offers_plain(view):
        raise HTTPException(403, f"您当前的岗位不能{Permission.EXPORT_PLAIN.label}（第三十条）。")
    return view


async def _plain_page(
    request: Request, view: ConsoleView, refusal: Refused | None = None, reason: str = ""
) -> Response:
    query = f"?{request.url.query}" if request.url.query else ""
    return await pages.render(
        request, "confirm", 200 if refusal is None else refusal.status_code, view=view, title=PLAIN_LABEL,
        asks=PLAIN_ASKS, choices={}, given={"reason": reason}, message="" if refusal is None else str(refusal),
        targets=[], consequence=f"按当前筛选导出“{view.name}”，姓名、证件号码、账号等不作脱敏；导出人、时间、事由、"
        "栏目、条数和文件摘要将被记录，供监督检查。文件离开平台后由导出人负责保管（第三十条）。",
        action=f"{view.root_url}export-plain{query}", back=f"{view.menu_url}{query}",
    )  # fmt: skip


def came_from(request: Request) -> str:
    """Return the page of ours that the form stood on, or the inbox."""
    path = urlsplit(request.headers.get("referer", "")).path
    return path if path.startswith("/console/") and "/details/" in path and "//" not in path else "/console/"


def looks_personal(typed: str) -> bool:
    """Tell whether the text could be an ID, account or telephone number, which never stands in an address."""
    return len(typed) >= 11 and sum(letter.isdigit() for letter in typed) >= len(typed) - 1


def _fits(column: str, typed: str) -> bool:
    return {"id_index": len(typed) in (15, 18), "phone_index": len(typed) == 11}.get(column, True)


def _view(request: Request, identity: str) -> ConsoleView:
    view = request.app.state.console.view_of(identity)
    if not isinstance(view, ConsoleView):
        raise HTTPException(404, "没有这个页面，请从菜单进入。")
    if not view.is_accessible(request):
        raise HTTPException(403, f"您当前的岗位不能查看“{view.name}”（第二十三条）。")
    return view
