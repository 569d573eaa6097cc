"""Who may come in, and SQLAdmin's bridge to the policy: nothing else of the console asks Casbin (DESIGN D3)."""

import hmac
import secrets
from hashlib import sha256
from typing import Any

import anyio
import structlog
from sqladmin.authentication import AuthenticationBackend
from sqladmin.authorization import Action, AuthorizationBackend
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from admin import pages
from admin.answers import ARGON
from admin.middleware import BASE, COOKIE, LONGEST_TOKEN, fits
from admin.origins import origin_of, same_origin
from admin.reading import as_nobody, coming, form_of, who
from integrations.oidc import OpenIdFailed, provider
from models.crypto import ring
from models.sessions import LoginWay
from models.settings import settings
from policies.refusals import Refused
from workflows import logins, sessions
from workflows.edges import note_refusal

LOGIN_COOKIE = "yikatong_login"
HOME = f"{BASE}/"
LOGIN_BODY = 16 * 1024

log = structlog.get_logger()


class Doorkeeper(AuthenticationBackend):
    """SQLAdmin's question "who is it?", answered by the session that the middleware has found."""

    def __init__(self) -> None:
        self.middlewares = []  # no client-side session: it would outlive the logout

    async def authenticate(self, request: Request) -> Response | bool:
        """Tell whether the middleware found a session; without one nobody gets here."""
        return "live" in request.scope

    async def get_user_id(self, request: Request) -> Any:
        """Return the officer's number."""
        return who(request).officer_id


class Bridge(AuthorizationBackend):
    """SQLAdmin's question "may they?", answered by the policy in force, loaded once per request."""

    async def load(self, request: Request) -> None:
        """Take the permissions of the officer's post, which the middleware has read with the session."""
        request.state.permissions = request.scope["granted"] if "live" in request.scope else frozenset()

    def has_permission(self, request: Request, identity: str, action: str, obj: Any | None = None) -> bool:
        """Answer for one view: its own permission to look, its steps' permissions to act, nothing else."""
        granted: frozenset[str] = getattr(request.state, "permissions", frozenset())
        view = request.app.state.console.view_of(identity)
        if view is None:
            return False
        if action in (Action.LIST, Action.DETAILS):
            return view.permission is None or view.permission in granted
        if action.startswith("action:") and view.lifecycle is not None:
            by, slug = who(request), action.removeprefix("action:")
            return any(
                view.permits(step, by, granted)
                for step in view.lifecycle.steps
                if step.verb.strip("_").replace("_", "-") == slug
            )
        return False


def _login_token(cookie: str) -> str:
    return hmac.new(ring().ticket_key, f"login\x00{cookie}".encode(), sha256).hexdigest()


async def login_page(request: Request, *, message: str = "", status: int = 200, name: str = "") -> Response:
    """Render the login form with a token of its own."""
    cookie = request.cookies.get(LOGIN_COOKIE) or secrets.token_urlsafe(24)
    response = await pages.render(
        request,
        "login",
        status,
        title="登录",
        message=message,
        name=name,
        csrf_token=_login_token(cookie),
        next=inside(request.query_params.get("next", "")),
        openid=settings().security.openid,
        goodbye=await _goodbye() if "bye" in request.query_params else "",
    )
    set_cookie(response, LOGIN_COOKIE, cookie, "strict")
    return response


def set_cookie(response: Response, name: str, value: str, same_site: Any = "lax") -> None:
    """Set a cookie that scripts can't read and that leaves only over TLS in production."""
    response.set_cookie(name, value, httponly=True, samesite=same_site, secure=settings().secure_cookies, path=BASE)


def inside(address: str) -> str:
    """Return an address of our own pages, or the inbox: nobody is led elsewhere after logging in."""
    within = address.startswith(f"{BASE}/") and "\\" not in address and "//" not in address and address.isprintable()
    return address if within else HOME


async def login(request: Request) -> Response:
    """Log in: the form's own token, then password and one-time code, then a session on the server."""
    if request.method == "GET":
        return await login_page(request)
    if not fits(request, LOGIN_BODY):
        return await pages.error(request, 413, "登录信息过长，请返回登录页重新输入。")
    try:
        form = await request.form()
    except (HTTPException, MultiPartException):
        return await login_page(request, message="提交的内容不完整，请重新输入。", status=400)
    cookie, token = request.cookies.get(LOGIN_COOKIE, ""), str(form.get("csrf_token", ""))
    if not cookie or not hmac.compare_digest(token.encode(), _login_token(cookie).encode()) or not same_origin(request):
        return await login_page(request, message="登录页已过期，请重新输入。", status=403)
    name = str(form.get("login", "")).strip().replace("\x00", "")[:64]
    try:
        former = request.cookies.get(COOKIE, "")[:LONGEST_TOKEN]
        opened = await _enter(request, name, str(form.get("password", ""))[:256], str(form.get("code", ""))[:32])
    except Refused as refusal:
        return await login_page(request, message=str(refusal), status=refusal.status_code, name=name)
    if former:  # whoever logs in anew at this browser has left it before
        await as_nobody(lambda session: sessions.logout(session, former))
    return entered(opened, str(form.get("next", "")))


def entered(token: str, address: str) -> Response:
    """Return the way in, with the session's cookie."""
    response = RedirectResponse(inside(address), status_code=303)
    set_cookie(response, COOKIE, token)
    response.delete_cookie(LOGIN_COOKIE, path=BASE)
    return response


async def _enter(request: Request, name: str, password: str, code: str) -> str:
    """Look up, check, enter; every failure takes the same way, whoever it is about."""
    origin = origin_of(request)
    candidate, barred = await as_nobody(lambda session: logins.look_up(session, name, origin))
    try:
        proof = await anyio.to_thread.run_sync(logins.check, candidate, barred, password, code, origin, limiter=ARGON)
    except Refused as refusal:
        if refusal.keep is not None:
            await as_nobody(refusal.keep)
        raise
    assert candidate is not None  # check() has refused None
    proven = candidate
    return await as_nobody(lambda session: logins.enter(session, proven, proof, origin))


async def logout(request: Request) -> Response:
    """End the session on the server at once."""
    token, leaving = request.scope["token"], coming(request)
    await as_nobody(lambda session: sessions.logout(session, token))
    from_provider = leaving.way == LoginWay.OPENID
    response = RedirectResponse(f"{BASE}/login{'?bye=1' if from_provider else ''}", status_code=303)
    response.delete_cookie(COOKIE, path=BASE)
    return response


async def _goodbye() -> str:
    """Return where the browser may log out at the provider too; "" when there is nowhere."""
    if not settings().security.openid.on:
        return ""
    try:
        chosen = await anyio.to_thread.run_sync(provider)
    except OpenIdFailed as failure:
        log.warning("unified login", problem=str(failure))
        return ""
    return chosen.goodbye(settings().security.public_url + f"{BASE}/login")


async def switch_post(request: Request) -> Response:
    """Act in another of the officer's posts, under a new token; forms of the old post are void."""
    token, by, wanted = request.scope["token"], who(request), str(form_of(request).get("post", ""))[:40]
    try:
        fresh = await as_nobody(lambda session: sessions.switch_post(session, token, by.officer_id, wanted))
    except Refused as refusal:
        await anyio.to_thread.run_sync(note_refusal, by, "switch_post", "", refusal)
        raise
    response = RedirectResponse(HOME, status_code=303)
    set_cookie(response, COOKIE, fresh)
    return response
