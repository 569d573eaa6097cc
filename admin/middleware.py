"""What stands before every page: headers, the session, the token of every form, and the last error page.

One place guards all routes, so that a route added tomorrow is guarded too (DESIGN D2, D13).
"""

import hmac
import logging
import secrets
from dataclasses import replace
from urllib.parse import quote

import anyio
from starlette.datastructures import FormData, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from admin import pages
from admin.origins import origin_of, same_origin
from models.database import transaction
from models.officers import acting
from models.settings import settings
from policies.enforcement import permissions_of
from workflows import sessions

COOKIE = "yikatong_session"
BASE = "/console"
OPEN = ("/", f"{BASE}/login", f"{BASE}/openid/login", f"{BASE}/openid/callback", "/health", "/ready")
OPEN_FOLDERS = (f"{BASE}/statics/", "/assets/")
"""What needs no session: the way in, and what holds nothing. Exact addresses: a view named login-… is none."""
SIGNED_FOLDER = "/exchange/v1/"
"""Asked by other departments' systems: each of its routes checks the request's own signature. （第二十九条）"""
SAFE = ("GET", "HEAD", "OPTIONS")
MAX_BODY = 40 * 1024 * 1024
MOST_FIELDS = 5000
"""Of one form: the widest, the matrix of a policy, has a field for each verb of each role."""
LONGEST_TOKEN = 128
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
        if scope["type"] != "http" or scope["path"] in OPEN or scope["path"].startswith((*OPEN_FOLDERS, SIGNED_FOLDER)):
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        token = request.cookies.get(COOKIE, "")[:LONGEST_TOKEN]
        known = await anyio.to_thread.run_sync(_find, token, origin_of(request)) if token else None
        if known is None:
            await _to_login(request)(scope, receive, send)
            return
        found, scope["granted"] = known
        scope["token"] = token
        try:
            wrong = await self._admit(request, found)
            if wrong is not None:
                await wrong(scope, receive, send)
                return
            # Until the login is complete nobody acts: no row of any table is in sight.
            with acting(found.officer if found.stage is sessions.Stage.IN else None):
                await self.app(scope, receive, send)
        finally:
            # Uploads are spooled to files of their own: they end with the request, not when memory is swept.
            await request.close()

    async def _admit(self, request: Request, found: sessions.LiveSession) -> Response | None:
        """Let the request on, or return why not."""
        scope = request.scope
        scope["live" if found.stage is sessions.Stage.IN else "coming"] = found
        if request.method not in SAFE:
            wrong = await _require_genuine(request, found.csrf_token)
            if wrong is not None:
                return wrong
        step = f"{BASE}/me/{found.stage}"
        if "coming" in scope and scope["path"] not in (step, f"{BASE}/logout"):
            return RedirectResponse(step, status_code=303)
        return None


async def _require_genuine(request: Request, expected: str) -> Response | None:
    """Read the form and check where it comes from and its token; return the page that refuses, or None."""
    if not fits(request, MAX_BODY):
        return await pages.error(request, 413, "上传的文件超过 40 MB，请拆分后再上传。")
    try:
        form = await request.form(max_fields=MOST_FIELDS, max_part_size=MAX_BODY)
    except (HTTPException, MultiPartException):
        return await pages.error(request, 400, "提交的内容不完整或格式不对，本次操作没有执行。请返回上一页重新提交。")
    if not genuine(request, form, expected):
        return await pages.error(request, 403, STALE)
    if any(isinstance(value, str) and "\x00" in value for _, value in form.multi_items()):
        return await pages.error(request, 400, "提交的内容中含有无效字符，本次操作没有执行。请删去后重新提交。")
    request.scope["form"] = form
    return None


def _find(token: str, origin: sessions.Origin) -> tuple[sessions.LiveSession, frozenset[str]] | None:
    """Return the session of a token and what the policy in force grants its post: one transaction for both."""
    with transaction(None) as session:
        found = sessions.find(session, token)
        if found is None:
            return None
        granted = permissions_of(session, found.officer)
    return replace(found, officer=replace(found.officer, address=origin.address)), granted


def _to_login(request: Request) -> Response:
    target = f"{BASE}/login"
    if request.method in SAFE and request.url.path.startswith(BASE):
        asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        target += f"?next={quote(asked, safe='')}"
    return RedirectResponse(target, status_code=303)


def fits(request: Request, limit: int) -> bool:
    """Tell whether the body says its length and keeps within the limit; none at all does."""
    if "transfer-encoding" in request.headers:
        return False
    length = request.headers.get("content-length", "0")
    return length.isascii() and length.isdigit() and len(length) < 12 and int(length) <= limit


def genuine(request: Request, form: FormData, expected: str) -> bool:
    """Tell whether the form carries the session's token and comes from our own page."""
    given = form.get("csrf_token")
    return isinstance(given, str) and hmac.compare_digest(given.encode(), expected.encode()) and same_origin(request)
