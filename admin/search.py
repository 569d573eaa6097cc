"""Find people: one box for ID, name, phone, card or household number; village, state beside. （第十一条、第三十条）

What is typed never stands in an address: the conditions travel sealed, so that a page can be reloaded and gone back to.
"""

import base64
import binascii
import json
from dataclasses import asdict
from typing import Any, ClassVar

from sqladmin import BaseView, expose
from sqlmodel import Session
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from admin import pages
from admin.base import BASE, Menu, division_names
from admin.fields import Cell, field_view
from admin.reading import form_of, reading, who
from models.crypto import EnvelopeBroken, ring
from models.households import Household, IdentityOutcome, Member, MemberStatus
from policies.permissions import Permission as P
from workflows import search
from workflows.search import UNCHECKED, Found, Kind, Place, Sought

STATES = [(str(one), one.label) for one in MemberStatus]
OUTCOMES = [*((str(one), one.label) for one in IdentityOutcome), (UNCHECKED, "尚未核查")]
COLUMNS = ("name", "id_number", "relation", "phone", "status", "identity_outcome")
LONGEST_SEAL = 2000


def sealed(sought: Sought, after: Place | None = None) -> str:
    """Return conditions, and where the page begins, as an address may carry them. （第三十条）"""
    told = json.dumps([asdict(sought), asdict(after) if after else None], ensure_ascii=False)
    return base64.urlsafe_b64encode(ring().seal(told)).decode().rstrip("=")


def opened(text: str) -> tuple[Sought, Place | None]:
    """Return what an address carries. Raises HTTPException 400 on what this console has not made."""
    if not text:
        return Sought(), None
    try:
        envelope = base64.urlsafe_b64decode(text[:LONGEST_SEAL] + "=" * (-len(text) % 4))
        asked, after = json.loads(ring().open(envelope))
        return Sought(**asked), Place(**after) if after else None
    except (binascii.Error, EnvelopeBroken, ValueError, TypeError) as wrong:
        raise HTTPException(400, "查询条件无效或已过期，请重新输入。") from wrong


class PeopleView(BaseView):
    """The page of the search."""

    name, category, icon = "查找补贴对象", Menu.REGISTRY, "fa-solid fa-magnifying-glass"
    permission: ClassVar[P] = P.HOUSEHOLD_VIEW
    lifecycle = None
    root_url = menu_url = f"{BASE}/people"

    def is_accessible(self, request: Request) -> bool:
        """Let those in who may see the registry."""
        return self.permission in getattr(request.state, "permissions", frozenset())

    is_visible = is_accessible

    @expose("/people", identity="people")
    async def found(self, request: Request) -> Response:
        """Show what fits, a page at a time."""
        self._require(request)
        sought, after = opened(request.query_params.get("s", ""))

        def question(session: Session) -> tuple[Found, list[str], dict[str, str]]:
            found = Found(Kind.NOTHING, []) if sought.empty else search.find(session, sought, after=after)
            return found, search.villages(session), division_names(session)

        found, villages, names = await reading(question)
        granted: frozenset[str] = getattr(request.state, "permissions", frozenset())
        return await pages.render(
            request, "people", title=self.name, sought=search.shown(sought), asked=not sought.empty, found=found,
            rows=rows_of(found, names), fields=[field_view(Member, name) for name in COLUMNS],
            kind=search.TITLES.get(found.kind, ""), number=found.kind not in (Kind.NAME, Kind.NOTHING),
            states=STATES, outcomes=OUTCOMES, villages=villages, later=after is not None,
            first=sealed(sought) if after else "", next=sealed(sought, found.next) if found.next else "",
            may_enquire=P.ENQUIRY_MAKE in granted, doubt=search.doubt(sought.typed),
        )  # fmt: skip

    @expose("/people", methods=["POST"], identity="people-asked")
    async def ask(self, request: Request) -> Response:
        """Turn what was typed into an address that says nothing to anybody else. （第三十条）"""
        self._require(request)
        form = form_of(request)
        given = {name: search.tidy(str(form.get(name, ""))) for name in ("q", "village", "status", "outcome")}
        if given["status"] not in ("", *dict(STATES)) or given["outcome"] not in ("", *dict(OUTCOMES)):
            raise HTTPException(400, "筛选条件无效，请从列表中选择。")
        sought = Sought(given["q"], given["village"], given["status"], given["outcome"])
        return RedirectResponse(
            self.menu_url if sought.empty else f"{self.menu_url}?s={sealed(sought)}", status_code=303
        )

    def _require(self, request: Request) -> None:
        if not self.is_accessible(request):
            raise HTTPException(403, f"您当前的岗位（{who(request).post}）不能{self.permission.label}（第二十三条）。")


def rows_of(found: Found, names: dict[str, str]) -> list[dict[str, Any]]:
    """Return the rows of a page, masked as everywhere."""
    fields = [field_view(Member, name) for name in COLUMNS]
    place = field_view(Household, "division_code")
    told = []
    for hit in found.hits:
        cells: list[Cell] = [field.cell(hit.member, names) for field in fields]
        told.append({
            "cells": cells, "member": hit.member.id, "home": hit.household.id, "number": hit.household.number,
            "place": place.cell(hit.household, names).text, "village": hit.household.village,
            "group": hit.household.group_name,
        })  # fmt: skip
    return told
