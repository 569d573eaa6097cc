"""Verbs that are no steps: page with fields (GET) → POST with token → workflow; a refusal keeps what was typed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from sqlmodel import Session
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from admin import pages
from admin.answers import answers_of
from admin.base import BASE, ConsoleView, Form
from admin.reading import doing, form_of, reading, who
from admin.targets import Target
from models.base import Table
from policies.lifecycles import Ask
from policies.refusals import Refused
from workflows.blockers import Blocker, blockers
from workflows.files import Download
from workflows.reveals import Revealed

ABOUT = {
    "DocumentNotKnown": "evidence",
    "DocumentTooBig": "evidence",
    "TooManyDocuments": "evidence",
    "EffectiveLater": "effective_on",
    "DayTooEarly": "effective_on",
    "PersonHere": "id_number",
    "PersonKept": "id_number",
    "HouseholdUnknown": "into_number",
    "SameHousehold": "into_number",
    "HouseholdHasNoHead": "into_number",
    "NotAHead": "head_id",
    "HeadNeeded": "head_id",
    "HeadStays": "relation",
    "RelationNeeded": "relation",
    "NobodyToMove": "member_ids",
    "WholeHousehold": "member_ids",
    "VisitLater": "visited_on",
    "NotePersonal": "note",
    "ReasonPersonal": "reason",
}
"""The field that a refusal is about when it names none itself."""


WAYS = {
    "PersonKept": (
        ("该人已迁来本地：办理迁入", f"{BASE}/transfer/form/new"),
        ("仍由登记地管理：引用为虚拟户", f"{BASE}/virtual-member/form/new"),
    ),
}
"""Where to go instead, when a refusal knows it."""


@dataclass(frozen=True, repr=False)
class Shown:
    """A page that a verb makes: shown once, kept nowhere."""

    template: str
    content: dict[str, Any]


def ask_form(form: Form) -> Callable[..., Any]:
    """Return the page that asks."""

    async def ask(self: ConsoleView, request: Request) -> Response:
        given = {ask.name: request.query_params.get(ask.name, "") for ask in form.asks}
        return await _page(self, request, form, request.query_params.get("pk", ""), given)

    return ask


async def _page(
    view: ConsoleView, request: Request, form: Form, key: str, given: dict[str, str], refusal: Refused | None = None
) -> Response:
    by, granted = who(request), view.granted(request)

    Answer = tuple[Any, list[Blocker], dict[str, Any], Mapping[str, str], Mapping[str, str], tuple[Ask, ...]]

    def question(session: Session) -> Answer:
        record = view.find(session, by, key) if form.on_record else None
        choices = {name: list(choose(session, by, record)) for name, choose in form.choices}
        shown = blockers(session, record, by) if record is not None and not form.asks else []
        present = form.present(session, by, record, given) if form.present and refusal is None else {}
        notes = form.notes(session, by, record) if form.notes else {}
        asks = form.asked(session, by, record) if form.asked else form.asks
        return record, shown, choices, present, notes, asks

    record, found, choices, present, notes, asks = await reading(question)
    if refusal is None:
        held = {name: str(getattr(record, name) or "") for name in form.filled} if record is not None else {}
        given = held | dict(present) | {name: typed for name, typed in given.items() if typed}
    if not form.offered(granted, by, record):
        raise HTTPException(403, f"您当前的岗位（{by.post}）现在不能办理“{form.label}”（第二十三条）。")
    return await pages.render(
        request,
        "confirm",
        200 if refusal is None else refusal.status_code,
        view=view,
        title=form.label,
        asks=asks,
        choices=choices,
        given=given,
        notes=notes,
        wrong=field_of(asks, refusal),
        ways=WAYS.get(type(refusal).__name__, ()),
        message="" if refusal is None else str(refusal),
        targets=[Target(record, view.title(record), None, found)] if record is not None else [],
        consequence=form.consequence,
        action=f"{view.root_url}form/{form.slug}",
        back=view.url_of(record) if record is not None else view.menu_url,
    )


def do_form(form: Form) -> Callable[..., Any]:
    """Return the POST that does it."""

    async def do(self: ConsoleView, request: Request) -> Response:
        by, granted = who(request), self.granted(request)
        if form.permission not in granted or not form.seats(by):
            raise HTTPException(403, f"您当前的岗位（{by.post}）不能办理“{form.label}”（第二十三条）。")
        key = str(form_of(request).get("pks", ""))
        back = await _back(self, request, key) if form.on_record else self.menu_url
        asks = await _asked(self, request, form, key)

        def work(session: Session) -> Any:
            record = [self.find(session, by, key)] if form.on_record else []
            return form.run(session, *record, by=by, **answers)

        try:
            answers = await answers_of(request, form.label, asks)
            made = await doing(by, form.slug, f"{self.name}{key}", work)
        except Refused as refusal:
            return await _refused(self, request, form, key, refusal, back)
        if isinstance(made, Revealed):
            return await pages.render(request, "revealed", title=made.title, revealed=made, back=back)
        if isinstance(made, Shown):
            return await pages.render(request, made.template, title=form.label, view=self, back=back, **made.content)
        if isinstance(made, Download):
            disposition = f"attachment; filename*=UTF-8''{quote(made.name)}"
            return Response(made.content, media_type=made.media_type, headers={"Content-Disposition": disposition})
        return RedirectResponse(_after(request, made, back, form), status_code=303)

    return do


async def _refused(view: ConsoleView, request: Request, form: Form, key: str, refusal: Refused, back: str) -> Response:
    """Say why on the form itself, with what was typed; without fields on a page of its own."""
    if not form.asks:
        return await pages.refused(request, refusal, [("返回", back)])
    typed = typed_in(request, form.asks)
    try:
        return await _page(view, request, form, key, typed, refusal)
    except (HTTPException, Refused):  # the form is no longer offered: the first refusal is the one that counts
        return await pages.refused(request, refusal, [("返回", back)])


def typed_in(request: Request, asks: Sequence[Ask]) -> dict[str, str]:
    """Return what was typed, for the same form again; passwords and files a browser must be given anew."""
    secret = [ask.name for ask in asks if ask.kind in ("password", "file")]
    given: dict[str, list[str]] = {}
    for name, value in form_of(request).multi_items():
        if isinstance(value, str) and not name.startswith(("csrf_token", "pks", "password", *secret)):
            given.setdefault(name, []).append(value)
    return {name: ",".join(values) for name, values in given.items()}


def field_of(asks: Sequence[Ask], refusal: Refused | None) -> str:
    """Return the field that a refusal is about: the one it names, or the one its class says it asks of."""
    if refusal is None:
        return ""
    named = str(refusal.fields.get("field", ""))
    about = ABOUT.get(type(refusal).__name__, "")
    for ask in asks:
        if ask.name == about or (named and (named.startswith(ask.label) or ask.label.endswith(named))):
            return ask.name
    return ""


async def _asked(view: ConsoleView, request: Request, form: Form, key: str) -> tuple[Ask, ...]:
    """Return the form's fields; the record itself may say them."""
    by, asked = who(request), form.asked
    if asked is None:
        return form.asks
    return await reading(lambda session: asked(session, by, view.find(session, by, key)))


async def _back(view: ConsoleView, request: Request, key: str) -> str:
    by = who(request)
    record = await reading(lambda session: view.find(session, by, key))
    return view.url_of(record)


def _after(request: Request, made: Any, back: str, form: Form) -> str:
    """Lead to the record that was made, to the list of several; what only changed a record leads back to it."""
    records = made if isinstance(made, list) else [made]
    kinds = {type(record) for record in records if isinstance(record, Table)}
    views = request.app.state.console.views
    view = next((one for one in views if getattr(one, "model", None) in kinds and one.category), None)
    if view is None or (form.on_record and view.root_url in back):
        return f"{back}{'&' if '?' in back else '?'}done={form.slug}"
    return f"{view.url_of(records[0])}?done={form.slug}" if len(records) == 1 else f"{view.menu_url}?tab=all"
