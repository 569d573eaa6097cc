"""The web application: FastAPI outside, SQLAdmin's console inside, our guards around both."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import anyio
import structlog
from fastapi import FastAPI
from sqladmin import Admin
from sqladmin.authentication import login_required
from sqlalchemy import text
from sqlmodel import Session
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from admin import auth, bank_desk, inbox, pages, records, sheets
from admin.application_api import APPLICATION_ROUTES
from admin.base import ConsoleView, division_names
from admin.exchange_api import EXCHANGE_ROUTES
from admin.i18n import install_chinese
from admin.middleware import BASE, Guard, Sessions, Unforeseen
from admin.own_pages import ACCOUNT_ROUTES
from admin.reading import reading, who
from admin.routes import Signpost, registry
from admin.views import VIEWS
from models.database import async_engine, async_sessions
from models.settings import settings
from policies.policy_watch import PolicyWatch
from policies.refusals import Refused
from workflows.row_scope import require_safe

STATICS = Path(__file__).parent / "statics"
KEPT_ROUTES = ("statics", "index", "list", "details", "login")
"""What we keep of SQLAdmin's own routes; create, edit, delete, export, import, look-ups and files are verbs here."""

log = structlog.get_logger()


class Console(Admin):
    """SQLAdmin with our pages: inbox, lists, record pages."""

    def init_templating_engine(self) -> pages.Pages:
        """Return our environment, with this console in it."""
        engine = pages.environment()
        engine.env.globals["admin"] = self
        return engine

    def view_of(self, identity: str) -> Any:
        """Return the view of an identity, or None."""
        return self._by_identity.get(identity)

    @cached_property
    def _by_identity(self) -> dict[str, Any]:
        """Every page asks about every view: found once, when all are there."""
        return {view.identity: view for view in reversed(self.views)}

    def _list_view(self, request: Request) -> ConsoleView:
        view = self.view_of(request.path_params["identity"])
        if not isinstance(view, ConsoleView):
            raise HTTPException(404, "没有这个页面，请从菜单进入。")
        if not view.is_accessible(request):
            raise HTTPException(403, f"您当前的岗位（{who(request).post}）不能查看“{view.name}”（第二十三条）。")
        return view

    @login_required
    async def index(self, request: Request) -> Response:
        """Show what waits at the officer's desk."""
        by = who(request)
        tasks, names = await reading(lambda session: (inbox.tasks(session, by), division_names(session)))
        desks, bank = inbox.desks_of(by), await bank_desk.shown(by)
        return await pages.render(request, "inbox", title="待办", tasks=tasks, divisions=names, desks=desks, bank=bank)

    @login_required
    async def list(self, request: Request) -> Response:
        """Show a list: tabs, search, filters, totals."""
        view = self._list_view(request)
        sheet = await sheets.sheet(view, request)
        done = records.done_of(view, request)
        return await pages.render(request, "list", title=view.name, view=view, sheet=sheet, done=done)

    @login_required
    async def details(self, request: Request) -> Response:
        """Show a record: state, what blocks it, and its tabs."""
        view = self._list_view(request)
        record = await records.record_page(view, request, request.path_params["pk"])
        return await pages.render(request, view.record_template, title=view.name, view=view, page=record)

    async def login(self, request: Request) -> Response:
        """Log in."""
        return await auth.login(request)


async def _http_error(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, HTTPException)
    english = problem.detail.isascii()
    message = _PLAIN.get(problem.status_code, "请求没有完成，请从菜单重新进入。") if english else problem.detail
    return await pages.error(request, problem.status_code, message)


_PLAIN = {
    403: "您当前的岗位没有这项权限，请由有权岗位办理（第二十三条）。",
    404: "没有找到该页面或记录，或该记录不在您的管辖范围内。",
    405: "这个地址不支持该操作，请从页面上的按钮进入。",
}


async def _refusal(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, Refused)
    return await pages.refused(request, problem)


async def _home(_: Request) -> Response:
    return RedirectResponse(f"{BASE}/", status_code=303)


async def _health(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _ready(_: Request) -> Response:
    def question(session: Session) -> None:
        session.execute(text("select 1"))

    await reading(question)
    return JSONResponse({"status": "ready"})


@asynccontextmanager
async def _lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Keep the policy fresh while the server runs; close the console's connections with it.

    Raises NotSafe, PolicyInvalid.
    """
    await anyio.to_thread.run_sync(require_safe)
    with PolicyWatch():
        yield
    await async_engine().dispose()


def create_app() -> FastAPI:
    """Return the web application of this process. Raises RouteUnregistered."""
    app = FastAPI(title="一卡通", docs_url=None, redoc_url=None, openapi_url=None, lifespan=_lifespan)
    console = Console(
        app,
        session_maker=async_sessions(),
        base_url=BASE,
        middlewares=[Middleware(Unforeseen)],
        title="惠民惠农财政补贴资金“一卡通”",
        authentication_backend=auth.Doorkeeper(),
        authorization_backend=auth.Bridge(),
        i18n_config=install_chinese(),
    )
    console.admin.router.routes = [
        route for route in console.admin.router.routes if getattr(route, "name", "") in KEPT_ROUTES
    ]
    console.admin.router.routes[:0] = [
        Route("/logout", auth.logout, methods=["POST"], name="logout"),
        Route("/post", auth.switch_post, methods=["POST"], name="post"),
        *ACCOUNT_ROUTES,
    ]
    for view in VIEWS:
        console.add_view(view)
    console.admin.router.middleware_stack = Signpost(console.admin.router.routes)
    console.admin.exception_handlers = {HTTPException: _http_error, Refused: _refusal}
    app.state.console = console.admin.state.console = console
    app.add_exception_handler(HTTPException, _http_error)
    app.router.routes[:0] = [
        Route("/", _home),
        Route("/health", _health),
        Route("/ready", _ready),
        *EXCHANGE_ROUTES,
        *APPLICATION_ROUTES,
        Mount("/assets", StaticFiles(directory=STATICS), name="assets"),
    ]
    app.add_middleware(Sessions)
    app.add_middleware(Unforeseen)
    app.add_middleware(Guard)
    log.info("console ready", mode=settings().mode, routes=len(registry(app.routes)))
    return app


def __getattr__(name: str) -> Any:
    """Make `admin.app:app` on first use, so that importing the module reads no settings."""
    if name != "app":
        raise AttributeError(name)
    made = globals()["app"] = create_app()
    return made
