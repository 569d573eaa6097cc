"""The page of 《惠民惠农财政补贴项目申请表》: clicks only, kept as typed, mistakes at their fields. （第七条）"""

import re
from datetime import date
from typing import Any, ClassVar

import sqlalchemy as sa
from sqladmin import BaseView, expose
from sqlmodel import Session
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from admin import pages
from admin.base import BASE
from admin.project_changes import drafters, file_answer, number_of
from admin.project_questions import PARTS, STOP_PARTS, Part
from admin.reading import doing, form_of, reading, who
from models.base import REGION_CODE
from models.divisions import Division, Level
from models.officers import ActingOfficer
from models.project_changes import ProjectChange, ProjectChangeKind
from models.projects import SubsidyProject
from policies.permissions import Permission as P
from policies.refusals import NotFound, Refused
from workflows import flows, policy_documents, project_changes
from workflows.attachments import Evidence
from workflows.project_drafts import EDITABLE
from workflows.project_sheets import TABLES, YES, Sheet, is_day

BLANK, MORE = 1, 3
"""Empty rows at the end of a table: usually, and when more were asked for."""
ROW = re.compile(r"(standards|fields|exclusions|documents)\.(\d{1,3})\.([a-z_]{1,20})")
LONGEST = 4000
MOST_ROWS = 200


class _Page(BaseView):
    """What pages beside the lists share: who may open them."""

    permission: ClassVar[P]
    lifecycle = None

    def is_accessible(self, request: Request) -> bool:
        """Let those in who hold the permission."""
        return self.permission in getattr(request.state, "permissions", frozenset())

    def is_visible(self, request: Request) -> bool:
        """Stand in no menu."""
        return False

    def require(self, request: Request) -> None:
        """Raise HTTPException 403 for everybody else."""
        if not self.is_accessible(request):
            raise HTTPException(
                403, f"您当前的岗位（{who(request).post}）没有“{self.permission.label}”权限（第二十三条）。"
            )


class ProjectFormView(_Page):
    """Filling in the form of a change."""

    name, icon = "填写项目申请表", "fa-solid fa-file-pen"
    permission = P.PROJECT_CHANGE_DRAFT
    root_url = menu_url = f"{BASE}/project-form"

    @expose("/project-form/{key}", identity="project_form")
    async def ask(self, request: Request) -> Response:
        """Show the form as it was saved, with what is still wrong with it."""
        self.require(request)
        return await self._page(request)

    @expose("/project-form/{key}", methods=["POST"], identity="project_form_save")
    async def save(self, request: Request) -> Response:
        """Save what was typed; a refusal shows it again, nothing is lost."""
        self.require(request)
        by, key, form = who(request), request.path_params["key"], form_of(request)
        sheet, files = typed(form), await uploads(form)
        day = str(form.get("effective_on", ""))

        def work(session: Session) -> ProjectChange:
            version = str(form.get("version", ""))
            return project_changes.save(
                session, find(session, by, key), by=by, sheet=sheet, files=files, reason=str(form.get("reason", "")),
                effective_on=date.fromisoformat(day) if is_day(day) else None,
                version=int(version) if version.isdigit() and len(version) < 9 else None,
            )  # fmt: skip

        try:
            change = await doing(by, "save", f"项目申请{key[:18]}", work)
            left = await reading(lambda session: project_changes.mistakes_of(session, find(session, by, key)))
        except Refused as refusal:
            return await self._page(request, sheet=sheet, refusal=refusal)
        return RedirectResponse(_onward(change, str(form.get("then", "")), bool(left)), status_code=303)

    async def _page(self, request: Request, sheet: Sheet | None = None, refusal: Refused | None = None) -> Response:
        by, key = who(request), request.path_params["key"]
        more = request.query_params.get("more", "")

        def question(session: Session) -> dict[str, Any]:
            change = find(session, by, key)
            if change.status not in EDITABLE or not drafters(by):
                raise HTTPException(
                    403, f"项目申请{change.number}当前状态为“{change.status.label}”，不能填写（第七条）。"
                )
            stops = change.kind == ProjectChangeKind.STOP
            shown = sheet or dict(change.sheet)
            mistakes = [] if sheet else project_changes.mistakes_of(session, change)
            return {
                "change": change,
                "parts": STOP_PARTS if stops else PARTS,
                "sheet": shown,
                "rows": {name: rows_of(shown, name, MORE if name == more else BLANK) for name in TABLES},
                "options": options(session, change),
                "mistakes": mistakes,
                "wrong": {one.place: one.message for one in mistakes},
                "titles": titles(STOP_PARTS if stops else PARTS),
                "project": session.get(SubsidyProject, change.project_id) if change.project_id else None,
                "papers": f"{BASE}/project-change/paper/{change.id}",
            }

        content = await reading(question)
        asks = request.query_params
        return await pages.render(
            request, "project_form", 200 if refusal is None else refusal.status_code, title=self.name,
            message="" if refusal is None else str(refusal), checked=asks.get("done") == "check",
            done=asks.get("done", ""), **content,
        )  # fmt: skip


def _onward(change: ProjectChange, then: str, wrong: bool) -> str:
    """Return where a saved form leads: to itself, to more rows of a table, or to the step that submits it."""
    page = f"{BASE}/project-form/{change.id}"
    if then in TABLES:
        return f"{page}?more={then}#{then}"
    if then == "submit" and not wrong:
        return f"{BASE}/project-change/action/submit?pks={change.id}"
    return f"{page}?done={'check' if then in ('check', 'submit') else 'save'}"


def find(session: Session, by: ActingOfficer, key: str) -> ProjectChange:
    """Return a change of the officer's own division and line. Raises NotFound."""
    change = session.get(ProjectChange, number_of(key))
    if change is None or change.division_code != by.division_code or by.sector not in ("", change.sector):
        raise NotFound
    return change


def typed(form: Any) -> Sheet:
    """Return what was typed, as the sheet keeps it: single fields, and the rows of the tables in their order."""
    asked = [one for part in PARTS for one in part.questions if one.kind != "shown"]
    sheet: Sheet = {
        one.name: (YES if form.get(one.name) == YES else "") if one.kind == "switch" else _words(form.get(one.name))
        for one in asked
    }
    rows: dict[str, dict[int, dict[str, str]]] = {name: {} for name in TABLES}
    for name, value in form.multi_items():
        found = ROW.fullmatch(name)
        if found and isinstance(value, str) and int(found[2]) < MOST_ROWS:
            rows[found[1]].setdefault(int(found[2]), {})[found[3]] = _words(value)
    return sheet | {name: [_row(name, found[place]) for place in sorted(found)] for name, found in rows.items()}


def _row(table: str, given: dict[str, str]) -> dict[str, str]:
    """Return a row's columns; one that was struck out is empty."""
    gone = given.get("drop") == YES
    return {name: "" if gone else given.get(name, "") for name in TABLES[table]}


def _words(value: Any) -> str:
    return value.strip().replace("\x00", "")[:LONGEST] if isinstance(value, str) else ""


async def uploads(form: Any) -> dict[int, Evidence]:
    """Return the files of policy documents by their rows' places among the rows sent."""
    places = sorted({int(found[2]) for name, _ in form.multi_items()
                     if (found := ROW.fullmatch(name)) and found[1] == "documents"})  # fmt: skip
    files = {}
    for index, place in enumerate(places):
        value = form.get(f"documents.{place}.file")
        if isinstance(value, UploadFile) and form.get(f"documents.{place}.drop") != YES:
            content = await value.read()
            if content:
                files[index] = Evidence(value.filename or "", content)
    return files


def rows_of(sheet: Sheet, table: str, blank: int) -> list[dict[str, str]]:
    """Return the rows of a table with empty ones behind."""
    kept = [dict(row) for row in sheet.get(table, ())]
    return kept + [{} for _ in range(blank if kept else max(blank, BLANK))]


def options(session: Session, change: ProjectChange) -> dict[str, list[tuple[str, str]]]:
    """Return the choices that depend on what is in force: divisions of the project's, flows of its line."""
    place: Any = Division
    reach = change.owner_code.rstrip("0") if change.owner_code != REGION_CODE else REGION_CODE[:2]
    levels = (Level.REGION, Level.LEAGUE, Level.COUNTY)
    statement = sa.select(place.code, place.name, place.level).where(
        place.code >= reach.ljust(12, "0"), place.code < reach + ":", place.level.in_(levels), ~place.hidden
    )
    indent = {Level.LEAGUE: "　", Level.COUNTY: "　　"} if change.owner_code == REGION_CODE else {}
    found = [(code, indent.get(level, "") + name) for code, name, level in
             session.execute(statement.order_by(place.code))]  # fmt: skip
    return {"division_code": found, "flow": list(flows.enabled(session, change.sector))}


def titles(parts: tuple[Part, ...]) -> dict[str, str]:
    """Return how each field is called, for the list of mistakes."""
    names = {one.name: one.label for part in parts for one in part.questions}
    for part in parts:
        if part.grid is not None:
            names[part.grid.name] = part.grid.title
            names |= {f"{part.grid.name}.{one.name}": one.label for one in part.grid.columns}
    return names


class PolicyDocumentView(_Page):
    """Policy documents of the library."""

    name, icon = "政策文件", "fa-solid fa-file-pdf"
    permission = P.PROJECT_VIEW
    root_url = menu_url = f"{BASE}/policy-file"

    @expose("/policy-file/{key}", identity="policy_file")
    async def file(self, request: Request) -> Response:
        """Send the file of a policy document. （第七条、第八条）"""
        self.require(request)
        wanted = number_of(request.path_params["key"])
        found = await reading(lambda session: policy_documents.file_of(session, wanted))
        return file_answer(found.name, found.content, found.media_type)
