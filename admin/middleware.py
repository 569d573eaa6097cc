"""What stands before every page: headers, the session, the token of every form, and the last error page.

One place guards all routes, so that a route added tomorrow is guarded too (DESIGN D2, D13).
"""

import hmac
import logging
import secrets
from urllib.parse import quote

import anyio
from starlette.datastructures import FormData, MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from admin import pages
from models.database import transaction
from models.officers import acting
from models.settings import settings
from workflows import sessions

COOKIE = "yikatong_session"
BASE = "/console"
OPEN = (f"{BASE}/login", f"{BASE}/statics/", "/assets/", "/health", "/ready")
SAFE = ("GET", "HEAD", "OPTIONS")
MAX_BODY = 40 * 1024 * 1024
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self';"
        " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}

STALE = "页面已过期或来源不可信，本次操作没有执行。请返回上一页，刷新后重新提交。"

logger = logging.getLogger("yikatong.console")


class Guard:
    """The outermost layer: security headers, and no NUL."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request with our headers."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if not scope["path"].startswith((f"{BASE}/statics/", "/assets/")):
                    headers["Cache-Control"] = "no-store"
                if settings().secure_cookies:
                    headers["Strict-Transport-Security"] = "max-age=31536000"
            await send(message)

        if "\x00" in scope["path"] or b"%00" in scope.get("query_string", b""):
            wrong = await pages.error(Request(scope), 400, "网址中含有无效字符，请从菜单重新进入。")
            await wrong(scope, receive, secured)
            return
        await self.app(scope, receive, secured)


class Unforeseen:
    """Our own page for whatever went wrong: without SQL or parameters, with a number for the administrator."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; an exception becomes a page."""
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception as problem:  # the edge of the program: everything unforeseen ends here, once
            reference = secrets.token_hex(4)
            logger.error("unforeseen %s, reference %s", type(problem).__name__, reference, exc_info=trace(problem))
            if started or scope["type"] != "http":
                raise
            await (await pages.unforeseen(Request(scope), reference))(scope, receive, send)


def trace(problem: Exception) -> Exception | None:
    """Return the exception for the log outside production; in production its text may hold personal data."""
    return problem if settings().movable_clock else None


class Sessions:
    """Finds the session of the cookie, lets nobody else in, and checks the token of every form."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request as the officer of its session."""
        if scope["type"] != "http" or scope["path"].startswith(OPEN) or scope["path"] == "/":
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        token = request.cookies.get(COOKIE, "")
        found = await anyio.to_thread.run_sync(_find, token) if token else None
        if found is None:
            await _to_login(request)(scope, receive, send)
            return
        scope["live"], scope["token"] = found, token
        try:
            await self._serve(request, found, receive, send)
        finally:
            # Uploads are spooled to files of their own: they end with the request, not when memory is swept.
            await request.close()

    async def _serve(self, request: Request, found: sessions.LiveSession, receive: Receive, send: Send) -> None:
        scope = request.scope
        if request.method not in SAFE:
            form = await _read_form(request)
            if form is None:
                await (await pages.error(request, 413, "上传的文件超过 40 MB，请拆分后再上传。"))(scope, receive, send)
                return
            if not genuine(request, form, found.csrf_token):
                wrong = await pages.error(
                    request, 403, "页面已过期或来源不可信，本次操作没有执行。请返回上一页，刷新后重新提交。"
                )
                await wrong(scope, receive, send)
                return
            scope["form"] = form
        with acting(found.officer):
            await self.app(scope, receive, send)


def _find(token: str) -> sessions.LiveSession | None:
    with transaction(None) as session:
        return sessions.find(session, token)


def _to_login(request: Request) -> Response:
    target = f"{BASE}/login"
    if request.method in SAFE and request.url.path.startswith(BASE):
        asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        target += f"?next={quote(asked, safe='')}"
    return RedirectResponse(target, status_code=303)


async def _read_form(request: Request) -> FormData | None:
    if not fits(request, MAX_BODY):
        return None
    return await request.form(max_part_size=MAX_BODY)


def fits(request: Request, limit: int) -> bool:
    """Tell whether the body says its length and keeps within the limit."""
    length = request.headers.get("content-length", "")
    return length.isascii() and length.isdigit() and len(length) < 12 and int(length) <= limit


def same_origin(request: Request) -> bool:
    """Tell whether the form comes from our own pages, as far as the browser says where it comes from."""
    origin = request.headers.get("origin")
    return origin in (None, "null") or origin == f"{request.url.scheme}://{request.url.netloc}"


def genuine(request: Request, form: FormData, expected: str) -> bool:
    """Tell whether the form carries the session's token and doesn't come from elsewhere."""
    given = form.get("csrf_token")
    return isinstance(given, str) and hmac.compare_digest(given.encode(), expected.encode()) and same_origin(request)
