"""Pages of the policy that belong to no table: the matrix, the file, and the two questions. （第二十三、二十四条）"""

from dataclasses import dataclass
from typing import Any, ClassVar

from sqladmin import BaseView, expose
from sqlmodel import Session
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from admin import pages
from admin.base import BASE, ID_DIGITS, Menu, division_names
from admin.policy_matrix import STATES, edited, matrix
from admin.reading import doing, form_of, reading, who
from models.policy_changes import PolicyChange, PolicyChangeStatus
from policies.enforcement import policy
from policies.permissions import NOUN_TITLES, Permission
from policies.permissions import Permission as P
from policies.policy_lines import Lines, findings, to_csv
from policies.refusals import FasterColleague, NotFound, Refused
from workflows import policy_changes, policy_questions
from workflows.policy_consequences import conflicts

LONGEST = 64
PERMISSIONS = tuple(
    (NOUN_TITLES.get(noun, noun), [(str(one), one.label) for one in P if one.split(":")[0] == noun])
    for noun in dict.fromkeys(one.split(":")[0] for one in P)
)


@dataclass(frozen=True)
class Source:
    """Which policy a matrix or file is of."""

    title: str
    lines: Lines
    url: str
    back: str
    change: PolicyChange | None = None

    @property
    def editable(self) -> bool:
        """Tell whether the matrix can be edited: a draft."""
        return self.change is not None and self.change.status == PolicyChangeStatus.DRAFT


class _PolicyPage(BaseView):
    """What the pages share: who may look."""

    permission: ClassVar[P] = P.POLICY_VIEW
    lifecycle = None

    def is_accessible(self, request: Request) -> bool:
        """Let those in who may see the policy."""
        return self.permission in _granted(request)

    is_visible = is_accessible

    def require(self, request: Request, permission: P = P.POLICY_VIEW) -> None:
        """Raise HTTPException 403 for everybody else."""
        if permission not in _granted(request):
            raise HTTPException(403, f"您当前的岗位（{who(request).post}）没有“{permission.label}”权限（第二十三条）。")


def _granted(request: Request) -> frozenset[str]:
    held: frozenset[str] = getattr(request.state, "permissions", frozenset())
    return held


class PolicyView(_PolicyPage):
    """The policy in force, a version or a draft as a matrix and as a file."""

    name, category, icon = "权限矩阵", Menu.SECURITY, "fa-solid fa-table-cells"
    root_url = menu_url = f"{BASE}/policy/matrix"

    @expose("/policy/matrix", identity="policy_matrix")
    async def live(self, request: Request) -> Response:
        """Show the policy in force."""
        return await self._page(request, _live)

    @expose("/policy/versions/{key}/matrix", identity="policy_version_matrix")
    async def version(self, request: Request) -> Response:
        """Show one version of the history."""
        return await self._page(request, _edition)

    @expose("/policy-changes/{key}/matrix", identity="policy_change_matrix")
    async def change(self, request: Request) -> Response:
        """Show a change; a draft can be edited."""
        return await self._page(request, _change)

    async def _page(self, request: Request, of: Any, message: str = "", status: int = 200) -> Response:
        self.require(request)
        key, asked = request.path_params.get("key", ""), dict(request.query_params) | dict(_posted(request))

        def question(session: Session) -> dict[str, Any]:
            source, live = of(session, request, key), policy(session)
            return {
                "source": source,
                "matrix": matrix(source.lines, live.lines, asked),
                "version": live.version,
                "useless": findings(source.lines),
                "conflicts": conflicts(session, source.lines),
                "entry": policy_changes.edition(session, live.version),
            }

        shown = await reading(question)
        drafts = shown["source"].editable and P.POLICY_DRAFT in _granted(request)
        return await pages.render(
            request, "policy_matrix", status, title=self.name, states=STATES, drafts=drafts, message=message,
            can_draft=P.POLICY_DRAFT in _granted(request),
            done="已保存" if request.query_params.get("done") == "cells" else "", **shown,
        )  # fmt: skip

    @expose("/policy-changes/{key}/matrix", methods=["POST"], identity="policy_change_cells")
    async def save(self, request: Request) -> Response:
        """Put the cells that differ into the draft."""
        self.require(request, P.POLICY_DRAFT)
        by, form, key = who(request), _posted(request), request.path_params["key"]

        def work(session: Session) -> None:
            source = _change(session, request, key)
            assert source.change is not None
            if form.get("version") != str(source.change.version):
                raise FasterColleague(title=source.title)
            shown = matrix(source.lines, source.lines, form)
            cells = edited(shown, form)
            if cells:
                policy_changes.set_cells(session, source.change, by=by, level=shown.level, kind=shown.kind, cells=cells)

        try:
            await doing(by, "set_cells", f"策略变更{key[:ID_DIGITS]}", work)
        except Refused as refusal:
            return await self._page(request, _change, str(refusal), refusal.status_code)
        asked = "&".join(f"{name}={form.get(name, '')}" for name in ("level", "kind", "noun"))
        return RedirectResponse(f"{BASE}/policy-changes/{_number(key)}/matrix?{asked}&done=cells", status_code=303)

    @expose("/policy/policy.csv", identity="policy_file")
    async def live_file(self, request: Request) -> Response:
        """Send the policy in force as a Casbin file."""
        return await self._file(request, _live)

    @expose("/policy/versions/{key}/policy.csv", identity="policy_version_file")
    async def version_file(self, request: Request) -> Response:
        """Send one version as a Casbin file."""
        return await self._file(request, _edition)

    @expose("/policy-changes/{key}/policy.csv", identity="policy_change_file")
    async def change_file(self, request: Request) -> Response:
        """Send a change as a Casbin file."""
        return await self._file(request, _change)

    async def _file(self, request: Request, of: Any) -> Response:
        self.require(request)
        key = request.path_params.get("key", "")
        source = await reading(lambda session: of(session, request, key))
        headers = {"Content-Disposition": 'attachment; filename="policy.csv"'}
        return Response(to_csv(source.lines), media_type="text/csv; charset=utf-8", headers=headers)


def _number(key: str) -> int:
    if not key.isascii() or not key.isdigit() or len(key) > ID_DIGITS:
        raise NotFound
    return int(key)


def _live(session: Session, request: Request, key: str) -> Source:
    live = policy(session)
    return Source(f"现行策略（版本 {live.version}）", live.lines, f"{BASE}/policy", f"{BASE}/policy-edition/list")


def _edition(session: Session, request: Request, key: str) -> Source:
    entry = policy_changes.edition(session, _number(key[:9]))
    back = f"{BASE}/policy-edition/details/{entry.id}"
    lines = policy_changes.stored_lines(entry.lines)
    return Source(f"策略版本 {entry.policy_version}", lines, f"{BASE}/policy/versions/{entry.policy_version}", back)


def _change(session: Session, request: Request, key: str) -> Source:
    view = request.app.state.console.view_of("policy-change")
    change = view.find(session, who(request), key)
    url = f"{BASE}/policy-changes/{change.id}"
    return Source(view.title(change), policy_changes.lines_of(change), url, view.url_of(change), change)


def _posted(request: Request) -> dict[str, str]:
    """Return the fields of a POST; a GET has none."""
    form = request.scope.get("form")
    return {} if form is None else {name: str(value) for name, value in form.items()}


class QuestionsView(_PolicyPage):
    """Who can do X here, and why may or may not Y do X."""

    name, category, icon = "权限问答", Menu.SECURITY, "fa-solid fa-circle-question"
    root_url = menu_url = f"{BASE}/policy/questions"

    @expose("/policy/questions", identity="policy_questions")
    async def ask(self, request: Request) -> Response:
        """Ask."""
        return await self._page(request, {})

    @expose("/policy/questions", methods=["POST"], identity="policy_answers")
    async def answer(self, request: Request) -> Response:
        """Answer; by POST, so that no name stands in an address. （第三十条）"""
        self.require(request)
        form = form_of(request)
        asked = {
            name: str(form.get(name, "")).strip().replace("\x00", "")[:LONGEST]
            for name in ("question", "permission", "division", "officer", "noun", "number")
        }
        by = who(request)

        def question(session: Session) -> dict[str, Any]:
            permission = _permission(asked["permission"])
            if asked["question"] == "who":
                code = asked["division"].split(" ")[-1]
                return {"who": policy_questions.who_can(session, permission, code, by=by)}
            record = policy_questions.record_of(session, asked["noun"], asked["number"]) if asked["number"] else None
            return {"why": policy_questions.why(session, asked["officer"], permission, by=by, record=record)}

        try:
            return await self._page(request, asked, **await reading(question))
        except Refused as refusal:
            return await self._page(request, asked, message=str(refusal), status=refusal.status_code)

    async def _page(self, request: Request, asked: dict[str, str], status: int = 200, **found: Any) -> Response:
        self.require(request)
        by = who(request)
        names = await reading(division_names)
        places = [(code, name) for code, name in names.items() if by.scope.covers(code)]
        return await pages.render(
            request, "policy_questions", status, title=self.name, asked=asked, permissions=PERMISSIONS,
            nouns=policy_questions.nouns(), places=places, **found,
        )  # fmt: skip


def _permission(word: str) -> Permission:
    if word not in list(P):
        raise NotFound
    return Permission(word)
