"""Pages of people that belong to no single table: leaving, townships without 专职管理岗, the officer's own page."""

from datetime import date
from typing import Any

import sqlalchemy as sa
from sqladmin import BaseView, expose
from sqlmodel import Session
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from admin import pages
from admin.base import BASE, ID_DIGITS, Menu
from admin.reading import doing, form_of, reading, who
from models.divisions import Level
from models.officers import ActingOfficer, Officer, Role
from models.organisations import OrganisationKind
from policies.clock import today
from policies.permissions import Permission as P
from policies.refusals import NotFound, ReasonMissing, Refused
from workflows import delegations, handover, organisations
from workflows.handover import Succession

OVERSEERS = (OrganisationKind.FINANCE, OrganisationKind.DEPARTMENT, OrganisationKind.PLATFORM)
LONGEST = 200


def _granted(request: Request) -> frozenset[str]:
    held: frozenset[str] = getattr(request.state, "permissions", frozenset())
    return held


class OwnView(BaseView):
    """The officer's own posts and delegations."""

    name, category, icon = "我的岗位与委托", Menu.PEOPLE, "fa-solid fa-user-check"
    permission, lifecycle = None, None
    root_url = menu_url = f"{BASE}/own"

    @expose("/own", identity="own")
    async def own(self, request: Request) -> Response:
        """Show what the officer may act as, and who stands in for whom."""
        by = who(request)
        shown = await reading(lambda session: _own(session, by))
        grants = P.DELEGATION_GRANT in _granted(request) and not by.delegation_id
        return await pages.render(request, "people_own", title=self.name, by=by, grants=grants, **shown)


def _own(session: Session, by: ActingOfficer) -> dict[str, Any]:
    day = today(session)
    rows = session.execute(
        sa.text(
            "select o.*, p.valid_from, coalesce(d.valid_to, p.valid_to) as valid_to from posts_of(:officer, :day) o"
            " left join posts p on p.id = o.post_id and o.delegation_id = 0"
            " left join delegations d on d.id = o.delegation_id"
        ),
        {"officer": by.officer_id, "day": day},
    ).all()
    held = [(row, Role(row.role).label) for row in rows]
    concerned = delegations.concerning(session, by.officer_id)
    return {
        "held": held,
        "given": [one for one in concerned if one.holder_id == by.officer_id],
        "taken": [one for one in concerned if one.officer_id == by.officer_id],
        "day": day,
    }


class RegistrarsView(BaseView):
    """Townships where nobody holds the 专职管理岗. （第三十一条）"""

    name, category, icon = "专职管理岗缺岗", Menu.PEOPLE, "fa-solid fa-user-slash"
    permission, lifecycle = None, None
    root_url = menu_url = f"{BASE}/registrars"

    def is_accessible(self, request: Request) -> bool:
        """Let in whoever oversees townships: county, league, region, and the platform's administrators."""
        by = who(request)
        return by.level != Level.TOWNSHIP and by.kind in OVERSEERS

    is_visible = is_accessible

    @expose("/registrars", identity="registrars")
    async def missing(self, request: Request) -> Response:
        """Show the townships of the officer's range without one."""
        if not self.is_accessible(request):
            raise HTTPException(403, f"您当前的岗位（{who(request).post}）不能查看“{self.name}”（第二十三条）。")

        def question(session: Session) -> tuple[list[organisations.Unattended], int]:
            return organisations.townships_without_registrar(session), organisations.count_townships(session)

        found, count = await reading(question)
        return await pages.render(request, "people_registrars", title=self.name, found=found, townships=count)


class HandoverView(BaseView):
    """Leaving: what is open, who takes it over."""

    name, category, icon = "办理离任", "", "fa-solid fa-right-from-bracket"
    permission, lifecycle = None, None
    root_url = menu_url = f"{BASE}/handover/"

    @expose("/handover/{key}", identity="handover")
    async def show(self, request: Request) -> Response:
        """Show what is open in each post, and ask who takes it over."""
        return await _leaving(request)

    @expose("/handover/{key}", methods=["POST"], identity="leave")
    async def leave(self, request: Request) -> Response:
        """Let the officer leave."""
        by, officer = await _officer(request)
        form = form_of(request)
        try:
            on = _day(str(form.get("on", "")))
            named = {
                int(name.removeprefix("successor_")): Succession(
                    str(form.get(name, ""))[:ID_DIGITS],
                    str(form.get(name.replace("successor_", "gap_"), "")).replace("\x00", "")[:LONGEST],
                )
                for name in form
                if name.startswith("successor_") and name.removeprefix("successor_").isdecimal()
            }

            def work(session: Session) -> Officer:
                record = _find(session, request.path_params["key"])
                reason = str(form.get("reason", "")).replace("\x00", "")[:LONGEST]
                return handover.leave(session, record, by=by, on=on, reason=reason, successors=named)

            await doing(by, "leave", f"用户{officer.id}", work)
        except Refused as refusal:
            return await _leaving(request, refusal)
        return RedirectResponse(f"{BASE}/officer/details/{officer.id}?tab=posts", status_code=303)


async def _officer(request: Request) -> tuple[ActingOfficer, Officer]:
    """Return who acts and the officer of the page. Raises HTTPException 403, NotFound."""
    by = who(request)
    if P.POST_END not in _granted(request):
        raise HTTPException(403, f"您当前的岗位（{by.post}）不能办理离任，请由安全管理员办理（第二十三条）。")
    return by, await reading(lambda session: _find(session, request.path_params["key"]))


def _find(session: Session, key: str) -> Officer:
    if not key.isascii() or not key.isdigit() or len(key) > ID_DIGITS:
        raise NotFound
    officer = session.get(Officer, int(key))
    if officer is None:
        raise NotFound
    return officer


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as wrong:
        raise ReasonMissing(step="办理离任", field="离任日期（如 2026-05-01）") from wrong


async def _leaving(request: Request, refusal: Refused | None = None) -> Response:
    by, officer = await _officer(request)

    def question(session: Session) -> tuple[list[handover.Held], list[tuple[str, str]], date]:
        return handover.open_things(session, officer), handover.candidates(session, officer), today(session)

    held, people, day = await reading(question)
    return await pages.render(
        request,
        "people_leaving",
        200 if refusal is None else refusal.status_code,
        title=f"办理离任：{officer.name}",
        record=officer,
        own=officer.person == by.person,
        held=held,
        people=people,
        day=day,
        typed=form_of(request) if refusal is not None else {},
        message=str(refusal or ""),
        back=f"{BASE}/officer/details/{officer.id}",
    )
