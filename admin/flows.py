"""A department's flows: the list, the record with its diagram and trial, and the form by clicks. （第二十四条）"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from sqladmin import BaseView, expose
from sqlmodel import Session, col, select
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from admin import pages
from admin.base import BASE, ConsoleView, Form, Menu, call
from admin.flow_diagram import diagrams
from admin.flow_form import KINDS, STAGE_CARDS, changed, posted, rows_of
from admin.reading import doing, form_of, reading, who
from models.divisions import Level
from models.flows import FlowStatus, ProjectFlow
from models.officers import ActingOfficer
from policies.flows import MOST_SUBSTEPS, FlowContent, FlowWrong
from policies.lifecycles import Ask
from policies.lifecycles.flows import FLOW_LIFECYCLE
from policies.permissions import Permission as P
from policies.refusals import Refused
from workflows import flows

VERSIONS = 20


class FlowView(ConsoleView, model=ProjectFlow):
    """发放管理流程。"""

    category, icon = Menu.CATALOGUE, "fa-solid fa-diagram-project"
    opens = "all"
    permission = P.FLOW_VIEW
    lifecycle, verbs = FLOW_LIFECYCLE, "workflows.flows"
    column_list = ["number", "code", "name", "sector", "flow_version", "status", "drafted_by", "in_force_from"]
    headline = ("name", "code", "sector", "flow_version", "in_force_from", "drafted_by", "enabled_by")
    column_details_list = [
        "number", "code", "name", "sector", "flow_version", "reason", "status", "drafted_by", "enabled_by",
        "in_force_from", "tried_at", "arrived_at",
    ]  # fmt: skip
    search_text = ("number", "code", "name")
    filters = ("status",)
    record_template = "flow"
    forms = (
        Form(
            "new",
            "编制流程",
            P.FLOW_DRAFT,
            call("flows", "draft"),
            (
                Ask("code", "流程编码", "text", help="2 至 20 个数字和大写字母；已有的编码即编制其新版本"),
                Ask("name", "流程名称", "text", help="如 耕地地力保护补贴发放管理流程"),
                Ask("reason", "制定依据", help="文件名称、文号或会议"),
            ),
            consequence="从现行版本或法定流程开始编制；法定环节不能减少，只能增加子环节、缩短时限（第二十四条）。",
            seats=lambda by: by.level == Level.REGION,
        ),
        Form(
            "try",
            "试运行",
            P.FLOW_DRAFT,
            call("flow_trials", "try_out"),
            consequence="按本领域最近的清册推算：每个子环节要办多少次、多少清册会超过更短的时限、哪里人手不足；不改变任何清册。",
            on_record=True,
            statuses=(FlowStatus.DRAFT,),
        ),
        Form(
            "revise",
            "编制新版本",
            P.FLOW_DRAFT,
            call("flows", "revise"),
            (Ask("reason", "修订依据", help="文件名称、文号或会议"),),
            consequence="新版本启用前，现行版本不变；已在办理的清册始终按原版本办完。",
            on_record=True,
            statuses=(FlowStatus.IN_FORCE,),
        ),
    )

    def scoped(self, by: ActingOfficer) -> Any:
        """Show drafts to the region alone: elsewhere a flow is what is or was in force."""
        statement = super().scoped(by)
        return statement if by.level == Level.REGION else statement.where(col(ProjectFlow.flow_version) > 0)

    def extra(self, session: Session, record: Any, by: ActingOfficer, granted: frozenset[str]) -> dict[str, Any]:
        """Return the diagram, the other versions, and whether the draft can be edited here."""
        others = session.exec(
            select(ProjectFlow)
            .where(ProjectFlow.sector == record.sector, ProjectFlow.code == record.code, ProjectFlow.id != record.id)
            .order_by(col(ProjectFlow.id).desc())
            .limit(VERSIONS)
        ).all()
        return {
            "diagrams": diagrams(FlowContent.model_validate(record.content)),
            "editable": record.status == FlowStatus.DRAFT and P.FLOW_DRAFT in granted,
            "edit": f"{BASE}/project-flow/edit/{record.id}",
            "tried": record.trial_digest == record.digest,
            "others": others,
        }


@dataclass(frozen=True)
class Saved:
    """What the form shows after a refusal: every mistake at its place."""

    message: str
    status: int
    wrong: dict[tuple[str, str, int], list[str]]

    @classmethod
    def of(cls, refusal: Refused) -> "Saved":
        """Sort a refusal's mistakes by way, stage and row."""
        wrong: dict[tuple[str, str, int], list[str]] = {}
        for one in refusal.fields.get("found", []) if isinstance(refusal, FlowWrong) else []:
            wrong.setdefault((one.way, one.stage, one.row), []).append(f"{one.field}{one.text}")
        return cls(str(refusal), refusal.status_code, wrong)


class FlowFormView(BaseView):
    """The form of a flow: rows are added, removed and ordered by buttons, without a script."""

    name, category = "编辑流程", ""
    permission: ClassVar[P] = P.FLOW_DRAFT
    lifecycle = None

    def is_visible(self, request: Request) -> bool:
        """Keep the form out of the menu: it is reached from its flow."""
        return False

    @expose("/project-flow/edit/{key}", identity="flow-form")
    async def ask(self, request: Request) -> Response:
        """Show the draft as it is."""
        flow = await self._draft(request)
        return await self._page(request, flow, rows_of(flow.content), flow.name)

    @expose("/project-flow/edit/{key}", methods=["POST"], identity="flow-form-do")
    async def do(self, request: Request) -> Response:
        """Add, remove or move a row and show the form again, or save the draft."""
        flow, form = await self._draft(request), form_of(request)
        rows, deed = posted(form), str(form.get("do", "save"))
        name = str(form.get("name", "")).replace("\x00", "")
        if deed != "save":
            return await self._page(request, flow, changed(rows, deed), name, focus=deed)
        view, by = _view(request), who(request)

        def work(session: Session) -> ProjectFlow:
            record = view.find(session, by, str(flow.id))
            return flows.save(session, record, by=by, content=rows, name=name)

        try:
            await doing(by, "save", flow.number, work)
        except Refused as refusal:
            return await self._page(request, flow, rows, name, saved=Saved.of(refusal))
        return RedirectResponse(f"{view.url_of(flow)}?done=save", status_code=303)

    async def _draft(self, request: Request) -> ProjectFlow:
        view, by = _view(request), who(request)
        flow: ProjectFlow = await reading(lambda session: view.find(session, by, request.path_params["key"]))
        if flow.status != FlowStatus.DRAFT:
            raise HTTPException(
                409, f"{flow.number} 当前状态为“{flow.status.label}”，内容已固定，不能修改（第二十四条）。"
            )
        return flow

    async def _page(
        self,
        request: Request,
        flow: ProjectFlow,
        rows: dict[str, Any],
        name: str,
        *,
        saved: Saved | None = None,
        focus: str = "",
    ) -> Response:
        view = _view(request)
        return await pages.render(
            request,
            "flow_form",
            saved.status if saved else 200,
            title="编辑流程",
            view=view,
            flow=flow,
            name=name,
            cards=list(_cards(rows, saved)),
            kinds=KINDS,
            most=MOST_SUBSTEPS,
            saved=saved,
            focus=focus,
            action=f"{BASE}/project-flow/edit/{flow.id}",
            back=view.url_of(flow),
        )


def _cards(rows: dict[str, Any], saved: Saved | None) -> Iterator[tuple[Any, dict[str, Any] | None, list[Any]]]:
    """Yield each stage's card with what was typed, and its rows with their mistakes."""
    wrong = saved.wrong if saved else {}
    for card in STAGE_CARDS:
        held = next((one for one in rows[card.way] if one["code"] == card.code), None)
        typed = list(held["substeps"]) if held else []
        told = [(place, row, wrong.get((card.way, card.code, place), [])) for place, row in enumerate(typed, 1)]
        yield card, held, [wrong.get((card.way, card.code, 0), []), told]


def _view(request: Request) -> ConsoleView:
    view: ConsoleView = request.app.state.console.view_of("project-flow")
    if P.FLOW_DRAFT not in view.granted(request):
        raise HTTPException(403, f"您当前的岗位（{who(request).post}）不能编制发放管理流程（第二十四条）。")
    return view
