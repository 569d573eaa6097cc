"""Unified login in the console: to the provider, back again, and linking an identity to one's own account."""

from typing import Any

import anyio
import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from admin import pages
from admin.answers import reauthenticate
from admin.auth import entered, inside, login_page, set_cookie
from admin.middleware import BASE
from admin.origins import origin_of, own_origin
from admin.reading import as_nobody, form_of, live
from integrations.oidc import Flow, Identity, OpenIdFailed, Provider, provider
from models.settings import settings
from policies.refusals import Refused
from workflows import oidc

FLOW_COOKIE = "yikatong_openid"
IDENTITY_COOKIE = "yikatong_identity"
CALLBACK = f"{BASE}/openid/callback"
ACCOUNT = f"{BASE}/me"
LONGEST_CODE = 2048

log = structlog.get_logger()


async def login(request: Request) -> Response:
    """Send the browser to the provider."""
    return await _set_out(request, next=inside(request.query_params.get("next", "")))


async def link(request: Request) -> Response:
    """Send the browser of a logged-in officer to the provider; what comes back must be confirmed by password."""
    return await _set_out(request, session_id=live(request).session_id)


async def _set_out(request: Request, **kept: Any) -> Response:
    try:
        chosen = await _provider()
        at = await as_nobody(oidc.wall_clock)
    except Refused as refusal:
        return await _back(request, refusal)
    flow = Flow.begin(at, **kept)
    response = RedirectResponse(chosen.address(flow, own_origin(request) + CALLBACK), status_code=303)
    set_cookie(response, FLOW_COOKIE, oidc.packed(flow))
    return response


async def _provider() -> Provider:
    if not settings().security.openid.on:
        raise oidc.OpenIdOff
    try:
        return await anyio.to_thread.run_sync(provider)
    except OpenIdFailed as failure:
        log.warning("unified login", problem=str(failure))
        raise oidc.OpenIdRefused from failure


async def callback(request: Request) -> Response:
    """Receive the browser back from the provider: log in, or ask to confirm a link."""
    try:
        flow, identity = await _identified(request)
        response = await (_confirm(request, flow, identity) if flow.session_id else _enter(request, flow, identity))
    except Refused as refusal:
        response = await _back(request, refusal)
    response.delete_cookie(FLOW_COOKIE, path=BASE)
    return response


async def _identified(request: Request) -> tuple[Flow, Identity]:
    query = request.query_params
    at = await as_nobody(oidc.wall_clock)
    flow = oidc.unpacked(request.cookies.get(FLOW_COOKIE, ""), query.get("state", ""), at)
    chosen, code = await _provider(), query.get("code", "")
    if not code or len(code) > LONGEST_CODE or query.get("iss", chosen.chosen.issuer) != chosen.chosen.issuer:
        raise oidc.OpenIdRefused
    redirect = own_origin(request) + CALLBACK
    try:
        return flow, await anyio.to_thread.run_sync(chosen.identify, flow, code, redirect, at)
    except OpenIdFailed as failure:
        log.warning("unified login", problem=str(failure))
        raise oidc.OpenIdRefused from failure


async def _enter(request: Request, flow: Flow, identity: Identity) -> Response:
    origin = origin_of(request)
    token = await as_nobody(lambda session: oidc.enter(session, identity, origin))
    return entered(token, flow.next)


async def _confirm(request: Request, flow: Flow, identity: Identity) -> Response:
    """Lead on to the page that asks for the password: the callback itself has no session to speak of."""
    response = RedirectResponse(f"{ACCOUNT}/identity", status_code=303)
    set_cookie(response, IDENTITY_COOKIE, oidc.packed_identity(identity, flow.session_id))
    return response


async def identity_page(request: Request) -> Response:
    """Ask whether the identity that came back is to be linked, and link it."""
    envelope, mine = request.cookies.get(IDENTITY_COOKIE, ""), live(request)
    try:
        identity = oidc.unpacked_identity(envelope, mine.session_id)
    except Refused as refusal:
        return await pages.refused(request, refusal, [("返回我的账号", ACCOUNT)])
    refused: Refused | None = None
    if request.method == "POST":
        refused = await _link(request, identity)
        if refused is None:
            response: Response = RedirectResponse(f"{ACCOUNT}?done=linked", status_code=303)
            response.delete_cookie(IDENTITY_COOKIE, path=BASE)
            return response
    return await pages.render(
        request,
        "account_identity",
        200 if refused is None else refused.status_code,
        title="绑定统一身份",
        identity=identity,
        message=str(refused or ""),
        code_due=mine.code_due,
    )


async def _link(request: Request, identity: Identity) -> Refused | None:
    form, token = form_of(request), request.scope["token"]
    try:
        await reauthenticate(request, str(form.get("password", "")), str(form.get("password_code", "")))
        await as_nobody(lambda session: oidc.link_mine(session, token, identity))
    except Refused as refusal:
        return refusal
    return None


async def unlink(request: Request) -> Response:
    """Unlink one of my identities."""
    token, wanted = request.scope["token"], str(form_of(request).get("identity", ""))
    number = int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) <= 18 else 0
    await as_nobody(lambda session: oidc.unlink_mine(session, token, number))
    return RedirectResponse(f"{ACCOUNT}?done=unlinked", status_code=303)


async def _back(request: Request, refusal: Refused) -> Response:
    """Say it on the login page; to an officer who is logged in, on a page of its own."""
    if "live" in request.scope:
        return await pages.refused(request, refusal, [("返回我的账号", ACCOUNT)])
    return await login_page(request, message=str(refusal), status=refusal.status_code)
