"""Step → button → confirm page (GET) → POST with token → workflow, derived for every view (DESIGN D13)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

import anyio
from sqladmin import action, expose
from sqlmodel import Session
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from admin import pages
from admin.base import ConsoleView, Form
from admin.reading import as_nobody, doing, form_of, reading, who
from models.base import Table
from policies.lifecycles import Ask, Step
from policies.moves import title_of
from policies.refusals import NotFound, ReasonMissing, Refused
from workflows import sessions
from workflows.blockers import Blocker, blockers
from workflows.edges import note_refusal
from workflows.reveals import Revealed

MOST_AT_ONCE = 100
ARGON = anyio.CapacityLimiter(2)
"""Argon2 is slow on purpose: never more than two at once, never on the event loop."""


@dataclass(frozen=True)
class Target:
    """One record on the confirm page."""

    record: Any
    title: str
    step: Step | None
    blockers: list[Blocker]


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
        setattr(view, f"ask_form_{name}", _named(_ask_form(form), f"ask_form_{name}", get))
        setattr(view, f"do_form_{name}", _named(_do_form(form), f"do_form_{name}", post))


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


async def targets_of(view: ConsoleView, request: Request, given: list[str], verb: str) -> list[Target]:
    """Return the records that are named, in the officer's scope. Raises HTTPException 400, NotFound."""
    keys = list(dict.fromkeys(key for text in given for key in text.split(",") if key))
    if not keys:
        raise HTTPException(400, "还没有选择记录：请返回列表，勾选要办理的记录。")
    if len(keys) > MOST_AT_ONCE:
        raise HTTPException(400, f"一次最多办理 {MOST_AT_ONCE} 条，请分批办理。")
    by = who(request)

    def question(session: Session) -> list[Target]:
        records = [view.find(session, by, key) for key in keys]
        return [
            Target(record, title_of(record), _step_for(view, request, record, verb), blockers(session, record, by))
            for record in records
        ]

    return await reading(question)


def _step_for(view: ConsoleView, request: Request, record: Any, verb: str) -> Step | None:
    return next((step for step in view.steps(request, record) if step.verb == verb), None)


def _do_step(verb: str) -> Callable[..., Any]:
    async def do(self: ConsoleView, request: Request) -> Response:
        assert self.lifecycle is not None
        form = form_of(request)
        step = next(step for step in self.lifecycle.steps if step.verb == verb and step.desk)
        targets = await targets_of(self, request, form.getlist("pks"), verb)
        answers = await answers_of(request, step.label, step.asks)
        results = [await _take(self, request, target, verb, answers) for target in targets]
        if len(results) > 1:
            told = [
                Result(target.title, self.url_of(target.record), refusal is None, str(refusal or "已办理"))
                for target, refusal in zip(targets, results, strict=True)
            ]
            return await pages.render(request, "results", title=f"{step.label}：办理结果", results=told, view=self)
        if results[0] is not None:
            return await pages.refused(request, results[0], [(targets[0].title, self.url_of(targets[0].record))])
        return RedirectResponse(f"{self.url_of(targets[0].record)}?done={verb.strip('_')}", status_code=303)

    return do


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


async def answers_of(request: Request, step: str, asks: tuple[Ask, ...]) -> dict[str, Any]:
    """Return the verb's keywords from the form; a password is checked here and goes no further.

    Raises ReasonMissing, PasswordWrong, LoginLocked.
    """
    form = form_of(request)
    answers: dict[str, Any] = {}
    for ask in asks:
        if ask.kind == "password":
            await reauthenticate(request, str(form.get(ask.name, "")))
        else:
            answers[ask.name] = await _answer(form, step, ask)
    return answers


async def _answer(form: FormData, step: str, ask: Ask) -> Any:
    value = form.get(ask.name)
    if isinstance(value, UploadFile):
        content = await value.read()
        if ask.required and not content:
            raise ReasonMissing(step=step, field=ask.label)
        return (value.filename or "", content)
    if ask.kind == "checkbox":
        if ask.required and value != "yes":
            raise ReasonMissing(step=step, field=ask.label)
        return value == "yes"
    if ask.kind == "choices":
        return _several(form, step, ask)
    text = (value or "").strip().replace("\x00", "")
    if ask.required and not text:
        raise ReasonMissing(step=step, field=ask.label)
    if ask.kind in _READERS:
        return _read(text, step, ask) if text else None
    if ask.kind == "choice" and ask.choices and text and text not in dict(ask.choices):
        raise ReasonMissing(step=step, field=ask.label)
    return text


def _several(form: FormData, step: str, ask: Ask) -> list[str]:
    chosen = [str(item) for item in form.getlist(ask.name) if str(item) in dict(ask.choices)]
    if ask.required and not chosen:
        raise ReasonMissing(step=step, field=ask.label)
    return chosen


_READERS: dict[str, Callable[[str], Any]] = {"number": Decimal, "integer": int, "date": date.fromisoformat}


def _read(text: str, step: str, ask: Ask) -> Any:
    try:
        return _READERS[ask.kind](text)
    except (InvalidOperation, ValueError) as wrong:
        form = "日期，如 2024-05-01" if ask.kind == "date" else "数字"
        raise ReasonMissing(step=step, field=f"{ask.label}（须为{form}）") from wrong


async def reauthenticate(request: Request, password: str) -> None:
    """Ask who is at the screen before money moves. （第二十条、第二十三条） Raises PasswordWrong, LoginLocked."""
    by, token = who(request), request.scope["token"]
    candidate = await as_nobody(lambda session: sessions.look_up_session(session, token))
    try:
        await anyio.to_thread.run_sync(sessions.recheck, candidate, password, limiter=ARGON)
    except Refused as refusal:
        await anyio.to_thread.run_sync(note_refusal, by, "reauthenticate", "", refusal)
        raise
    await as_nobody(lambda session: sessions.confirm(session, token))


def _ask_form(form: Form) -> Callable[..., Any]:
    async def ask(self: ConsoleView, request: Request) -> Response:
        by, granted = who(request), self.granted(request)
        key = request.query_params.get("pk", "")

        def question(session: Session) -> tuple[Any, list[Blocker], dict[str, Any]]:
            record = self.find(session, by, key) if form.on_record else None
            choices = {name: list(choose(session, by, record)) for name, choose in form.choices}
            return record, blockers(session, record, by) if record is not None else [], choices

        record, found, choices = await reading(question)
        if not form.offered(granted, by, record):
            raise HTTPException(403, f"您当前的岗位（{by.post}）现在不能办理“{form.label}”（第二十三条）。")
        targets = [Target(record, title_of(record), None, found)] if record is not None else []
        given = {ask.name: request.query_params.get(ask.name, "") for ask in form.asks}
        return await pages.render(
            request,
            "confirm",
            view=self,
            title=form.label,
            asks=form.asks,
            choices=choices,
            given=given,
            targets=targets,
            consequence=form.consequence,
            action=f"{self.root_url}form/{form.slug}",
            back=self.url_of(record) if record is not None else self.menu_url,
        )

    return ask


def _do_form(form: Form) -> Callable[..., Any]:
    async def do(self: ConsoleView, request: Request) -> Response:
        by, granted = who(request), self.granted(request)
        if form.permission not in granted or not form.seats(by):
            raise HTTPException(403, f"您当前的岗位（{by.post}）不能办理“{form.label}”（第二十三条）。")
        key = str(form_of(request).get("pks", ""))
        back = await _back(self, request, key) if form.on_record else self.menu_url

        def work(session: Session) -> Any:
            record = [self.find(session, by, key)] if form.on_record else []
            return form.run(session, *record, by=by, **answers)

        try:
            answers = await answers_of(request, form.label, form.asks)
            made = await doing(by, form.slug, f"{self.name}{key}", work)
        except Refused as refusal:
            again = f"{self.root_url}form/{form.slug}" + (f"?pk={key}" if form.on_record else "")
            return await pages.refused(request, refusal, [("返回修改", again), ("返回", back)])
        if isinstance(made, Revealed):
            return await pages.render(request, "revealed", title=made.title, revealed=made, back=back)
        return RedirectResponse(_after(request, made, back, form), status_code=303)

    return do


async def _back(view: ConsoleView, request: Request, key: str) -> str:
    by = who(request)
    record = await reading(lambda session: view.find(session, by, key))
    return view.url_of(record)


def _after(request: Request, made: Any, back: str, form: Form) -> str:
    """Lead to what was made; several, or nothing with a page, lead back."""
    record = made[0] if isinstance(made, list) and len(made) == 1 else made
    console = request.app.state.console
    if isinstance(record, Table) and not form.on_record:
        view = next((view for view in console.views if getattr(view, "model", None) is type(record)), None)
        if view is not None:
            return f"{view.url_of(record)}?done={form.slug}"
    return f"{back}{'&' if '?' in back else '?'}done={form.slug}"
