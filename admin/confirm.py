"""Step → button → confirm page (GET) → POST with token → workflow, derived for every view (DESIGN D13)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import anyio
from sqladmin import action, expose
from sqlmodel import Session
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from admin import pages
from admin.answers import answers_of
from admin.base import ConsoleView
from admin.forms import ask_form, do_form
from admin.reading import doing, form_of, reading, who
from admin.targets import Target
from policies.lifecycles import Step
from policies.refusals import NotAllowed, NotFound, Refused
from workflows.blockers import blockers
from workflows.edges import note_refusal

MOST_AT_ONCE = 100


@dataclass(frozen=True)
class Result:
    """What became of one record."""

    title: str
    url: str
    done: bool
    message: str


def add_routes(view: type[ConsoleView]) -> None:
    """Give a view class its confirm pages and POSTs."""
    lifecycle = view.lifecycle
    if lifecycle is not None:
        for step in {step.verb: step for step in lifecycle.steps if step.desk}.values():
            name = step.verb.strip("_")
            setattr(view, f"ask_{name}", _named(_ask_step(step.verb), f"ask_{name}", action(name, step.label)))
            post = expose(f"/action/{name.replace('_', '-')}", methods=["POST"])
            setattr(view, f"do_{name}", _named(_do_step(step.verb), f"do_{name}", post))
    for form in view.forms:
        get, post = expose(f"/form/{form.slug}"), expose(f"/form/{form.slug}", methods=["POST"])
        name = form.slug.replace("-", "_")
        setattr(view, f"ask_form_{name}", _named(ask_form(form), f"ask_form_{name}", get))
        setattr(view, f"do_form_{name}", _named(do_form(form), f"do_form_{name}", post))


def _named(handler: Callable[..., Any], name: str, decorate: Callable[..., Any]) -> Any:
    handler.__name__ = name
    return decorate(handler)


def _ask_step(verb: str) -> Callable[..., Any]:
    async def ask(self: ConsoleView, request: Request) -> Response:
        targets = await targets_of(self, request, request.query_params.getlist("pks"), verb)
        step = next((target.step for target in targets if target.step), None)
        if step is None:
            assert self.lifecycle is not None
            target = targets[0]
            refusal = _refusal_of(lambda: self.lifecycle.step(verb, target.record.status, target.title))  # type: ignore[union-attr]
            return await pages.refused(request, refusal, [(target.title, self.url_of(target.record))])
        return await pages.render(request, "confirm", **_step_context(self, step, targets))

    return ask


def _refusal_of(call: Callable[[], Any]) -> Refused:
    try:
        call()
    except Refused as refusal:
        return refusal
    return NotFound()


def _step_context(view: ConsoleView, step: Step, targets: list[Target]) -> dict[str, Any]:
    assert view.lifecycle is not None
    following = view.lifecycle.onward(step.target) if step.target is not None else None
    return {
        "view": view,
        "title": step.label,
        "given": {},
        "asks": step.asks,
        "choices": {},
        "targets": targets,
        "consequence": step.consequence,
        "following": following,
        "target_status": step.target,
        "total_fen": sum(getattr(target.record, "amount_fen", 0) or 0 for target in targets),
        "lines": sum(getattr(target.record, "line_count", 0) or 0 for target in targets),
        "action": f"{view.root_url}action/{step.verb.strip('_').replace('_', '-')}",
        "back": view.url_of(targets[0].record) if len(targets) == 1 else view.menu_url,
    }


async def targets_of(
    view: ConsoleView, request: Request, given: list[str], verb: str, *, shown: bool = True
) -> list[Target]:
    """Return the records that are named, in the officer's scope. Raises HTTPException 400, NotFound.

    shown: the page will say what blocks them; a POST doesn't ask, the verb itself refuses.
    """
    keys = list(dict.fromkeys(key for text in given for key in text.split(",") if key))
    if not keys:
        raise HTTPException(400, "还没有选择记录：请返回列表，勾选要办理的记录。")
    if len(keys) > MOST_AT_ONCE:
        raise HTTPException(400, f"一次最多办理 {MOST_AT_ONCE} 条，请分批办理。")
    by = who(request)

    def question(session: Session) -> list[Target]:
        records = [view.find(session, by, key) for key in keys]
        return [
            Target(
                record,
                view.title(record),
                _step_for(view, request, record, verb),
                blockers(session, record, by) if shown else [],
            )
            for record in records
        ]

    return await reading(question)


def _step_for(view: ConsoleView, request: Request, record: Any, verb: str) -> Step | None:
    return next((step for step in view.steps(request, record) if step.verb == verb), None)


def _do_step(verb: str) -> Callable[..., Any]:
    async def do(self: ConsoleView, request: Request) -> Response:
        assert self.lifecycle is not None
        await _require_post(self, request, verb)
        form = form_of(request)
        step = next(step for step in self.lifecycle.steps if step.verb == verb and step.desk)
        targets = await targets_of(self, request, form.getlist("pks"), verb, shown=False)
        answers = await answers_of(request, step.label, step.asks)
        results = [await _take(self, request, target, verb, answers) for target in targets]
        if len(results) > 1:
            told = [
                Result(target.title, self.url_of(target.record), refusal is None, str(refusal or "已办理"))
                for target, refusal in zip(targets, results, strict=True)
            ]
            return await pages.render(request, "results", title=f"{step.label}：办理结果", results=told, view=self)
        if results[0] is not None:
            return await pages.refused(request, results[0], _ways_out(self, targets[0], results[0]))
        return RedirectResponse(f"{self.url_of(targets[0].record)}?done={verb.strip('_')}", status_code=303)

    return do


async def _require_post(view: ConsoleView, request: Request, verb: str) -> None:
    """Let only a post in that sits at one of the verb's desks: one refusal for all records named, recorded at once.

    （第二十三条） Raises NotAllowed.
    """
    by, granted = who(request), view.granted(request)
    assert view.lifecycle is not None
    steps = [step for step in view.lifecycle.steps if step.verb == verb and step.permission is not None]
    if not any(view.permits(step, by, granted) for step in steps):
        refusal = NotAllowed(post=by.post, permission=steps[0].label)
        await anyio.to_thread.run_sync(note_refusal, by, verb, view.name, refusal)
        raise refusal


def _ways_out(view: ConsoleView, target: Target, refusal: Refused) -> list[tuple[str, str]]:
    """Return where to go from a refusal: to the warnings that caused it, or to the record."""
    page = view.url_of(target.record)
    warnings = [("查看预警", f"{page}?tab=roster_warnings")] if getattr(refusal, "hits", ()) else []
    return [*warnings, (target.title, page)]


async def _take(
    view: ConsoleView, request: Request, target: Target, verb: str, answers: dict[str, Any]
) -> Refused | None:
    by = who(request)

    def work(session: Session) -> Any:
        record = view.find(session, by, str(target.record.id))
        return view.verb(verb)(session, record, by=by, **answers)

    try:
        await doing(by, verb, target.title, work)
    except Refused as refusal:
        return refusal
    return None
