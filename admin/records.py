"""A record page as data: head, what blocks it, steps, tabs of what belongs to it, timeline. (DESIGN section 7)"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session
from starlette.exceptions import HTTPException
from starlette.requests import Request

from admin import inbox
from admin.base import ConsoleView, Form, Related, division_names
from admin.fields import Cell, FieldView, field_view
from admin.reading import reading, who
from models.events import Event
from policies.clock import today
from policies.lifecycles import Step
from policies.permissions import Permission
from workflows.blockers import Blocker, blockers

TAB_ROWS = 50
TIMELINE_ROWS = 200
LAST_PAGE = 2000


@dataclass
class Tab:
    """One tab: rows of another table."""

    related: Related
    key: str
    fields: list[FieldView]
    rows: list[tuple[str, list[Cell], list[tuple[str, str]]]]
    """Address, cells, and the row's own forms as label and address."""
    count: int
    total_fen: int | None
    page: int
    pages: int
    total_at: int
    forms: list[Form]


@dataclass
class Page:
    """Everything a record page shows."""

    record: Any
    title: str
    status: Any
    facts: list[tuple[FieldView, Cell]]
    details: list[tuple[FieldView, Cell]]
    blockers: list[Blocker]
    primary: Step | None
    secondary: list[Step]
    forms: list[Form]
    tabs: list[Tab]
    tab_links: list[tuple[str, str, int]]
    tab: str
    events: list[Any]
    due_on: date | None
    tentative: bool
    """The limit lies where the calendar is provisional."""
    late: bool
    days_left: int | None
    turn: Step | None
    done: str
    extra: dict[str, Any] = field(default_factory=dict)


async def record_page(view: ConsoleView, request: Request, key: str) -> Page:
    """Return the record page. Raises NotFound out of scope, HTTPException 400 on a page that is no number."""
    by, granted = who(request), view.granted(request)
    tabs = [related for related in view.related if related.permission in granted]
    wanted = request.query_params.get("tab", "")
    number = _page_of(request)

    def question(session: Session) -> Page:
        record = view.find(session, by, key)
        names, day = division_names(session), today(session)
        open_tab = wanted if wanted in _tab_names(tabs) else _first_tab(tabs)
        due = getattr(record, "due_on", None)
        steps = view.steps(request, record)
        primary = next((step for step in steps if step.forward), None)
        return Page(
            record=record,
            title=view.title(record),
            status=getattr(record, "status", None),
            facts=_facts(view, record, view.headline, names),
            details=_facts(view, record, view._details_prop_names, names),
            blockers=blockers(session, record, by),
            primary=primary,
            secondary=[step for step in steps if step is not primary],
            forms=view.fitting(session, record, [form for form in view.offered(request, record) if not form.tab]),
            tabs=[
                _tab(session, request, view, related, record, number) for related in tabs if _key(related) == open_tab
            ],
            tab_links=_tab_links(session, request, view, tabs, record),
            tab=open_tab,
            events=_timeline(session, view, record) if Permission.EVENT_VIEW in granted else [],
            due_on=due,
            late=due is not None and due < day,
            tentative=bool(due and inbox.provisional(session, {due})),
            days_left=inbox.days_left(session, day, {due}).get(due) if due else None,
            turn=inbox.turn(record),
            done=done_of(view, request),
            extra=view.extra(session, record, by, granted) | view.panel(session, request, record, open_tab),
        )

    return await reading(question)


def _page_of(request: Request) -> int:
    text = request.query_params.get("page", "1")
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= LAST_PAGE:
        raise HTTPException(400, f"页码应是 1 到 {LAST_PAGE} 的整数。")
    return int(text)


def _tab_names(tabs: list[Related]) -> list[str]:
    return [*(_key(related) for related in tabs), "details", "events"]


def _first_tab(tabs: list[Related]) -> str:
    return _key(tabs[0]) if tabs else "details"


def _key(related: Related) -> str:
    return str(related.model.__tablename__)


def _facts(
    view: ConsoleView, record: Any, names: Sequence[str], divisions: dict[str, str]
) -> list[tuple[FieldView, Cell]]:
    return [(field, field.cell(record, divisions)) for field in view.fields(names)]


def _where(related: Related, record: Any) -> Any:
    model: Any = related.model
    own = related.within(record) if related.within else getattr(model, related.key) == getattr(record, related.own)
    here = (model.division_code == record.division_code,) if related.together else ()
    return sa.and_(own, *here, *related.where)


def _row_url(view: ConsoleView | None, row: Any) -> str:
    return view.url_of(row) if view is not None and view.category else ""


def _row_forms(view: ConsoleView | None, request: Request, row: Any) -> list[tuple[str, str]]:
    return [] if view is None else view.row_links(request, row)


def _tab(session: Session, request: Request, own: ConsoleView, related: Related, record: Any, page: int) -> Tab:
    view = request.app.state.console.view_of(related.link) if related.link else None
    model: Any = related.model
    names = division_names(session)
    fields = [field_view(model, name) for name in related.columns]
    fields += related.further(session, record) if related.further else ()
    total = getattr(model, related.total) if related.total else sa.literal(0)
    where = _where(related, record)
    summed = sa.select(sa.func.count(), sa.func.sum(total)).select_from(model).where(where)
    count, amount = session.execute(summed).one()
    key = getattr(model, related.order.lstrip("-"))
    ordered = key.desc() if related.order.startswith("-") else key
    statement = sa.select(model).where(where).order_by(ordered).limit(TAB_ROWS).offset((page - 1) * TAB_ROWS)
    return Tab(
        related=related,
        key=_key(related),
        fields=fields,
        rows=[
            (_row_url(view, row), [field.cell(row, names) for field in fields], _row_forms(view, request, row))
            for row in session.execute(statement).scalars()
        ],
        count=count,
        total_fen=int(amount or 0) if related.total else None,
        page=page,
        pages=max(1, -(-count // TAB_ROWS)),
        total_at=related.columns.index(related.total) if related.total else -1,
        forms=own.fitting(
            session, record, [form for form in own.offered(request, record) if form.tab == _key(related)]
        ),
    )


def _tab_links(
    session: Session, request: Request, view: ConsoleView, tabs: list[Related], record: Any
) -> list[tuple[str, str, int]]:
    """Return key, title and count of each tab: one statement for all counts."""
    parts = [
        sa.select(sa.literal(_key(related)), sa.func.count()).select_from(related.model).where(_where(related, record))
        for related in tabs
    ]
    counts = dict(session.execute(sa.union_all(*parts)).tuples().all()) if parts else {}
    links = [(_key(related), related.title, counts.get(_key(related), 0)) for related in tabs]
    links.append(("details", "详情", -1))
    if Permission.EVENT_VIEW in view.granted(request):
        links.append(("events", "办理记录", -1))
    return links


def _timeline(session: Session, view: ConsoleView, record: Any) -> list[Any]:
    statement = (
        sa.select(Event)
        .where(Event.noun == view.event_noun, Event.record_id == record.id)  # type: ignore[arg-type]
        .order_by(Event.id.desc())  # type: ignore[union-attr]
        .limit(TIMELINE_ROWS)
    )
    return list(session.execute(statement).scalars())


def done_of(view: ConsoleView, request: Request) -> str:
    """Return the name of what has just been done, if it is a verb of this view or of the rows on its tabs."""
    slug = request.query_params.get("done", "")
    if view.lifecycle is not None:
        for step in view.lifecycle.steps:
            if step.verb.strip("_") == slug:
                return step.label
    links = [related.link for related in view.related if related.link]
    rows = [request.app.state.console.view_of(link) for link in links]
    own = next((form.label for one in (view, *rows) if one for form in one.forms if form.slug == slug), "")
    return own or next((form.label for one in view.makers for form in one if form.slug == slug), "")
