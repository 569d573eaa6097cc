"""我的账号: password, second factor, recovery codes, sessions; the steps of a first login. （第二十三条、第三十条）"""

from typing import Any

import anyio
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from admin import pages
from admin.answers import ARGON, reauthenticate
from admin.auth import logout, set_cookie
from admin.middleware import BASE, COOKIE
from admin.origins import origin_of
from admin.reading import as_nobody, coming, form_of, live
from models.settings import settings
from policies.refusals import Refused
from workflows import logins, my_account, passwords, second_factor
from workflows.sessions import Stage

ACCOUNT = f"{BASE}/me"
DONE = {
    "password": "口令已更换，其他登录会话已全部退出。",
    "ended": "所选会话已退出。",
    "others": "其他会话已全部退出。",
    "linked": "统一身份已绑定，下次可用统一身份认证登录。",
    "unlinked": "统一身份已解除绑定。",
}


async def account(request: Request) -> Response:
    """Show my account."""
    token = request.scope["token"]
    await request.app.state.console.authorization_backend.load(request)
    state = await as_nobody(lambda session: my_account.state(session, token))
    sessions = await as_nobody(lambda session: my_account.sessions(session, token))
    return await pages.render(
        request,
        "account",
        title="我的账号",
        state=state,
        sessions=sessions,
        done=DONE.get(request.query_params.get("done", ""), ""),
        openid=settings().security.openid,
    )


async def _page(request: Request, template: str, refused: Refused | None = None, **context: Any) -> Response:
    """Render a page of the account; before the login is complete without menu and post."""
    mine = coming(request)
    status = 200 if refused is None else refused.status_code
    steps = mine.stage is not Stage.IN
    return await pages.render(
        request,
        f"account_{template}",
        status,
        message=str(refused or ""),
        csrf_token=mine.csrf_token,
        first=steps,
        officer=mine.officer,
        code_due=mine.code_due,
        account=ACCOUNT,
        **context,
    )


def _renewed(response: Response, token: str) -> Response:
    set_cookie(response, COOKIE, token)
    return response


async def code(request: Request) -> Response:
    """Ask for our one-time code after the provider's word, which proved no second factor."""
    if coming(request).stage is not Stage.CODE:
        return RedirectResponse(f"{BASE}/", status_code=303)
    if request.method != "POST":
        return await _page(request, "code", title=Stage.CODE.label)
    try:
        fresh = await _prove_by_code(request)
    except Refused as refusal:
        return await _page(request, "code", refusal, title=Stage.CODE.label)
    return _renewed(RedirectResponse(f"{BASE}/", status_code=303), fresh)


async def _prove_by_code(request: Request) -> str:
    """Check the code, count a failure, complete the login under a new token. Raises CodeWrong."""
    token, typed = request.scope["token"], str(form_of(request).get("code", ""))[:32]
    candidate = await as_nobody(lambda session: logins.look_up_session(session, token))
    origin = origin_of(request)
    try:
        proof = logins.proven_by_code(candidate, typed, origin)
    except Refused as refusal:
        if refusal.keep is not None:
            await as_nobody(refusal.keep)
        raise
    assert candidate is not None  # proven_by_code() has refused None
    proven = candidate
    return await as_nobody(lambda session: logins.complete(session, token, proven, proof, origin))


async def password(request: Request) -> Response:
    """Change my password: the current one first, then a good new one, twice. （第三十条）"""
    context = {"title": "更换口令", "rules": passwords.rules_in_words()}
    if request.method != "POST":
        return await _page(request, "password", **context)
    try:
        fresh = await _change_password(request)
    except Refused as refusal:
        return await _page(request, "password", refusal, **context)
    target = ACCOUNT + "?done=password" if coming(request).stage is Stage.IN else f"{BASE}/"
    return _renewed(RedirectResponse(target, status_code=303), fresh)


async def _change_password(request: Request) -> str:
    form, token = form_of(request), request.scope["token"]
    current, chosen = str(form.get("current", "")), str(form.get("chosen", ""))
    await _prove(request, current)
    if chosen != str(form.get("again", "")):
        raise passwords.PasswordsDiffer
    candidate = await as_nobody(lambda session: logins.look_up_session(session, token))
    assert candidate is not None  # the middleware has just found the session
    proven = candidate
    passwords.require_good(chosen, login=proven.login, name=proven.name)
    stored = await as_nobody(lambda session: my_account.former_hashes(session, token, proven.password_hash))

    def hashed() -> str:
        passwords.require_new(chosen, stored)
        return passwords.hasher().hash(chosen)

    chosen_hash = await anyio.to_thread.run_sync(hashed, limiter=ARGON)
    return await as_nobody(lambda session: my_account.change_password(session, token, chosen_hash))


async def _prove(request: Request, typed: str) -> None:
    """Ask who is at the screen: the password; once logged in, a code too when the last one is old."""
    await reauthenticate(request, typed, str(form_of(request).get("password_code", "")))


async def second(request: Request) -> Response:
    """Bind an authenticator app: scan, confirm by a code, note the recovery codes down."""
    mine = coming(request)
    if request.method != "POST":
        return await _enrolment(request, second_factor.new_secret())
    form = form_of(request)
    try:
        secret = second_factor.unsealed(str(form.get("secret", "")), mine.session_id)
    except Refused as refusal:
        return await _enrolment(request, second_factor.new_secret(), refusal)
    try:
        fresh, codes = await _enrol(request, secret)
    except Refused as refusal:
        return await _enrolment(request, secret, refusal)
    return _renewed(await _codes_page(request, codes, fresh=True), fresh)


async def _enrolment(request: Request, secret: str, refused: Refused | None = None) -> Response:
    token, mine = request.scope["token"], coming(request)
    state = await as_nobody(lambda session: my_account.state(session, token))
    return await _page(
        request,
        "second_factor",
        refused,
        title="绑定动态口令" if not state.has_totp else "更换动态口令验证器",
        state=state,
        image=second_factor.drawn(second_factor.address_of(secret, state.login)),
        letters=second_factor.grouped(secret),
        secret=second_factor.sealed_for(secret, mine.session_id),
    )


async def _enrol(request: Request, secret: str) -> tuple[str, list[str]]:
    form, token, mine = form_of(request), request.scope["token"], coming(request)
    if mine.stage is Stage.IN:
        await _prove(request, str(form.get("password", "")))
    candidate = await as_nobody(lambda session: logins.look_up_session(session, token))
    assert candidate is not None  # the middleware has just found the session
    step = second_factor.step_of(secret, str(form.get("code", ""))[:12], candidate.at)
    if step is None:
        raise second_factor.CodeWrong
    return await as_nobody(lambda session: my_account.enrol(session, token, mine.officer.officer_id, secret, step))


async def _codes_page(request: Request, codes: list[str], *, fresh: bool) -> Response:
    shown = [second_factor.grouped(one) for one in codes]
    return await _page(request, "codes", title="恢复码", codes=shown, fresh=fresh)


async def codes(request: Request) -> Response:
    """Replace my recovery codes and show the new ones once."""
    token, mine = request.scope["token"], live(request)
    state = await as_nobody(lambda session: my_account.state(session, token))
    if not state.has_totp:
        raise HTTPException(409, "还没有绑定动态口令，不能生成恢复码。请先绑定。")
    if request.method != "POST":
        return await _page(request, "renew_codes", title="更换恢复码", state=state)
    try:
        await _prove(request, str(form_of(request).get("password", "")))
        made = await as_nobody(lambda session: my_account.renew_codes(session, token, mine.officer.officer_id))
    except Refused as refusal:
        return await _page(request, "renew_codes", refusal, title="更换恢复码", state=state)
    return await _codes_page(request, made, fresh=False)


async def end_sessions(request: Request) -> Response:
    """End one of my sessions, or all the others."""
    token, wanted = request.scope["token"], str(form_of(request).get("session", ""))
    if wanted == "others":
        await as_nobody(lambda session: my_account.end_others(session, token))
        return RedirectResponse(f"{ACCOUNT}?done=others", status_code=303)
    if wanted == "all":
        await as_nobody(lambda session: my_account.end_others(session, token))
        return await logout(request)
    if not (wanted.isascii() and wanted.isdigit() and 0 < len(wanted) <= 18 and int(wanted)):
        raise HTTPException(400, "没有选择要退出的会话，请返回“我的账号”重新选择。")
    await as_nobody(lambda session: my_account.end_one(session, token, int(wanted)))
    return RedirectResponse(f"{ACCOUNT}?done=ended", status_code=303)
