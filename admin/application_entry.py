"""The form of an application, made from the project: guide, standards in force, its own fields. （第十三、二十六条）"""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar

import sqlalchemy as sa
from sqladmin import BaseView, expose
from sqlmodel import Session, col
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from admin import pages
from admin import registry_asks as q
from admin.answers import answers_of
from admin.base import BASE
from admin.forms import ABOUT, field_of, typed_in
from admin.reading import doing, form_of, reading, who
from models.applications import Application, ApplicationStatus
from models.officers import ActingOfficer
from models.organisations import OrganisationKind
from models.projects import SubsidyProject
from policies.clock import today
from policies.definitions import Definition
from policies.identities import mask_name
from policies.lifecycles import Ask
from policies.permissions import Permission as P
from policies.refusals import NotFound, Refused
from workflows import applications
from workflows.application_rules import Asked, standards, unit_of
from workflows.application_values import properties, title_of
from workflows.project_versions import in_force

OWN = "x_"
"""What the names of a project's own fields begin with in the form."""
NEW, AMEND = "受理申请", "补正申请"
ID_NUMBER = Ask("id_number", "申请人身份证号", "text", help="18 位；须是本乡镇登记或引用的补贴对象")
TOWNSHIP = Ask("township", "苏木乡镇", "choice", help="申请人登记或享受补贴的苏木乡镇")
STANDARD = Ask("standard", "补贴标准", "choice")
VALID_FROM = Ask("valid_from", "拟享受起", "date", required=False, help="留空为今天")
VALID_TO = Ask("valid_to", "拟享受止", "date", required=False, help="留空为长期")
PAPERS = Ask("evidence", "申请材料", "evidence", required=False, choices=q.EVIDENCE.choices, help=q.EVIDENCE.help)

ABOUT |= {
    "PersonUnknown": "id_number", "PersonGone": "id_number", "PersonUnchecked": "id_number",
    "AlreadyApplied": "id_number", "Excluded": "id_number", "StandardUnknown": "standard",
    "AmountOutside": "quantity", "ValidityWrong": "valid_to",
}  # fmt: skip

TOWNSHIPS = sa.text(
    "select code, name from divisions where level = 'township' and not hidden and parent_code = :county order by code"
)


def own_asks(definition: Definition) -> tuple[Ask, ...]:
    """Return the project's own fields as questions of the form. （第十三条）"""
    required = set(definition.fields.get("required", ()))
    return tuple(_ask(name, spec, name in required) for name, spec in properties(definition).items())


def _ask(name: str, spec: Mapping[str, Any], required: bool) -> Ask:
    kind, choices = "text", tuple((str(one), str(one)) for one in spec.get("enum", ()))
    if spec.get("type") == "boolean":
        choices = (("true", "是"), ("false", "否"))
    if choices:
        kind = "choice"
    elif spec.get("format") == "date":
        kind = "date"
    elif spec.get("type") in ("number", "integer"):
        kind = "number"
    return Ask(f"{OWN}{name}", title_of(name, spec), kind, required, choices, str(spec.get("description", "")))


def asks_of(by: ActingOfficer, project: SubsidyProject, known: Sequence[Any], *, new: bool) -> list[Ask]:
    """Return the questions of the form: who, how much, the project's own fields, documents."""
    counted = unit_of(project)
    unit = f"数量（{counted}）" if counted else "数量"
    place = [TOWNSHIP] if new and by.kind == OrganisationKind.DEPARTMENT else []
    return [
        *place,
        *([ID_NUMBER] if new else []),
        Ask("quantity", unit, "number"),
        *([STANDARD] if len(known) > 1 else []),
        *own_asks(in_force(project)),
        VALID_FROM,
        VALID_TO,
        PAPERS,
    ]


def entry_content(
    session: Session, by: ActingOfficer, project: SubsidyProject, application: Application | None = None
) -> dict[str, Any]:
    """Return what the page shows: the project, its questions, and what a returned application said."""
    definition = in_force(project)
    place = application.division_code if application else by.division_code
    known = standards(session, project, place, today(session))
    county = {"county": f"{by.division_code[:6]}000000"}
    choices = {
        "standard": [(f"{one.normalize():f}", f"{one.normalize():f} 元") for one in known],
        "township": [(row.code, row.name) for row in session.execute(TOWNSHIPS, county)],
    }
    return {
        "project": project,
        "definition": definition,
        "standards": known,
        "asks": asks_of(by, project, known, new=application is None),
        "choices": choices,
        "given": _said(application) if application else {},
        "application": application,
        "applicant": mask_name(application.member_name) if application else "",
        "action": f"{BASE}/application-entry" + (f"/{application.id}" if application else ""),
        "wrong": "",
        "message": "",
    }


def _said(application: Application) -> dict[str, str]:
    own = {f"{OWN}{name}": str(value).lower() if isinstance(value, bool) else str(value)
           for name, value in application.extra.items()}  # fmt: skip
    return own | {
        "quantity": f"{application.quantity.normalize():f}",
        "standard": f"{application.standard.normalize():f}",
        "valid_from": application.valid_from.isoformat(),
        "valid_to": application.valid_to.isoformat() if application.valid_to else "",
    }


class ApplicationEntryView(BaseView):
    """Entering and amending applications."""

    name, category, icon = NEW, "", "fa-solid fa-file-pen"
    permission: ClassVar[P] = P.APPLICATION_ENTER
    lifecycle = None
    root_url = menu_url = f"{BASE}/application/list"

    def _require(self, request: Request) -> ActingOfficer:
        by = who(request)
        if self.permission not in getattr(request.state, "permissions", frozenset()):
            raise HTTPException(403, f"您当前的岗位（{by.post}）不能办理“{self.name}”（第二十三条）。")
        return by

    @expose("/application-entry", methods=["POST"], identity="application-enter")
    async def enter(self, request: Request) -> Response:
        """Enter an application. （第十三、十四条）"""
        return await self._do(request, None)

    @expose("/application-entry/{key}", identity="application-amend-page")
    async def page(self, request: Request) -> Response:
        """Show a returned application to be amended. （第十四条）"""
        by, key = self._require(request), request.path_params["key"]
        content = await reading(lambda session: _content(session, by, key, ""))
        return await self._render(request, content)

    @expose("/application-entry/{key}", methods=["POST"], identity="application-amend")
    async def amend(self, request: Request) -> Response:
        """Amend a returned application. （第十四条）"""
        return await self._do(request, request.path_params["key"])

    async def _do(self, request: Request, key: str | None) -> Response:
        by = self._require(request)
        code = str(form_of(request).get("project", ""))[:20]
        content = await reading(lambda session: _content(session, by, key, code))
        asks = tuple(content["asks"])
        shared = tuple(ask for ask in asks if not ask.name.startswith(OWN))
        try:
            answers = await answers_of(request, AMEND if key else NEW, shared)
            asked = _asked(answers, _own(request, asks))
            made = await doing(by, "amend" if key else "enter", self.name, _work(by, key, code, asked, answers))
        except Refused as refusal:
            content |= {"given": typed_in(request, asks), "message": str(refusal), "wrong": field_of(asks, refusal)}
            return await self._render(request, content, refusal.status_code)
        done = "amend" if key else "new"
        return RedirectResponse(f"{BASE}/application/details/{made.id}?done={done}", status_code=303)

    async def _render(self, request: Request, content: dict[str, Any], status: int = 200) -> Response:
        back = content["application"]
        address = f"{BASE}/application/details/{back.id}" if back else self.menu_url
        title = AMEND if back else NEW
        return await pages.render(request, "application_entry", status, title=title, view=self, back=address, **content)


def _work(by: ActingOfficer, key: str | None, code: str, asked: Asked, answers: Mapping[str, Any]) -> Any:
    def work(session: Session) -> Application:
        if key is not None:
            return applications.amend(session, _find(session, key), by=by, asked=asked, evidence=answers["evidence"])
        return applications.enter(
            session, by=by, project=_project(session, code), id_number=answers["id_number"], asked=asked,
            township=answers.get("township", ""), evidence=answers["evidence"],
        )  # fmt: skip

    return work


def _own(request: Request, asks: Sequence[Ask]) -> dict[str, str]:
    """Return what was typed into the project's own fields; what it must be is said by the project."""
    form = form_of(request)
    own = {ask.name.removeprefix(OWN): form.get(ask.name) for ask in asks if ask.name.startswith(OWN)}
    return {name: value.replace("\x00", "").strip() for name, value in own.items() if isinstance(value, str)}


def _asked(answers: Mapping[str, Any], values: Mapping[str, str]) -> Asked:
    text = answers.get("standard") or None
    try:
        standard = Decimal(text) if text else None
    except InvalidOperation:
        standard = Decimal(0)  # no standard is zero: refused by name, with those in force
    return Asked(answers["quantity"], standard, values, answers.get("valid_from"), answers.get("valid_to"))


def _content(session: Session, by: ActingOfficer, key: str | None, code: str) -> dict[str, Any]:
    if key is None:
        return entry_content(session, by, _project(session, code))
    application = _find(session, key)
    if application.status != ApplicationStatus.RETURNED:
        raise NotFound
    return entry_content(session, by, session.get_one(SubsidyProject, application.project_id), application)


def _project(session: Session, code: str) -> SubsidyProject:
    found = session.execute(sa.select(SubsidyProject).where(col(SubsidyProject.code) == code)).scalar_one_or_none()
    if found is None:
        raise NotFound
    return found


def _find(session: Session, key: str) -> Application:
    number = int(key) if key.isascii() and key.isdigit() and len(key) < 18 else 0
    found = session.execute(sa.select(Application).where(col(Application.id) == number)).scalar_one_or_none()
    if found is None:
        raise NotFound
    return found
