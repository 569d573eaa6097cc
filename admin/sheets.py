"""A list page as data: tabs, search, filters, rows, totals, pages; all under the same scope. (DESIGN section 10)"""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import sqlalchemy as sa
from sqlmodel import Session
from starlette.exceptions import HTTPException
from starlette.requests import Request

from admin import inbox
from admin.base import ConsoleView, Form, division_names
from admin.fields import Cell, FieldView, field_view
from admin.reading import reading, who
from models.base import Labelled
from models.events import Event
from models.officers import ActingOfficer
from policies.lifecycles import Step
from policies.permissions import Permission

PAGE_SIZE = 50
COUNT_CAP = 10_000
TABS = (("todo", "待办"), ("done", "已办"), ("all", "全部"))
HEX_INDEX = 66


@dataclass
class Row:
    """One row of the list."""

    key: int
    url: str
    cells: list[Cell]
    late: bool = False


@dataclass
class Sheet:
    """Everything a list page shows."""

    fields: list[FieldView]
    rows: list[Row]
    count: int
    capped: bool
    total_fen: int | None
    total_at: int
    page: int
    pages: int
    tab: str
    tabs: list[tuple[str, str, str]]
    query: str
    filters: list[tuple[FieldView, list[tuple[str, str]], str]]
    steps: list[Step]
    forms: list[Form]
    links: dict[str, str] = field(default_factory=dict)
    searched: bool = False


def page_number(request: Request) -> int:
    """Return the page asked for. Raises HTTPException 400 when it is no number."""
    text = request.query_params.get("page", "1")
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= COUNT_CAP // PAGE_SIZE:
        raise HTTPException(400, f"页码应是 1 到 {COUNT_CAP // PAGE_SIZE} 的整数；要找更早的记录，请用编号搜索或筛选。")
    return int(text)


def conditions(view: ConsoleView, request: Request, by: ActingOfficer) -> list[Any]:
    """Return what the search box and the filters ask for. Raises HTTPException 400 on values nobody offers."""
    model: Any = view.model
    found: list[Any] = []
    query = request.query_params.get("q", "").strip()
    if query:
        found.append(
            sa.or_(*(sa.func.starts_with(getattr(model, name), query) for name in view.search_text), sa.false())
        )
    key = request.query_params.get("key", "")
    if key:
        if len(key) != HEX_INDEX or any(letter not in "0123456789abcdef" for letter in key):
            raise HTTPException(400, "搜索条件无效，请重新输入证件号码或账号。")
        index = bytes.fromhex(key)
        found.append(sa.or_(*(getattr(model, name) == index for name, _ in view.search_index), sa.false()))
    for name in view.filters:
        value = request.query_params.get(f"f_{name}", "")
        if value:
            if value not in [choice for choice, _ in choices_of(view, name)]:
                raise HTTPException(400, "筛选条件无效，请从列表中选择。")
            found.append(getattr(model, name) == value)
    return found


def choices_of(view: ConsoleView, name: str) -> list[tuple[str, str]]:
    """Return the values a filter offers, from the column's own enum."""
    column = view.model.__table__.columns[name]  # type: ignore[attr-defined]
    kind: type[Labelled] = column.type.enum_class
    return [(str(member), member.label) for member in kind]


def tab_condition(view: ConsoleView, tab: str, by: ActingOfficer) -> list[Any]:
    """Return the condition of a tab: waits at my desk, went through my hands, everything."""
    model: Any = view.model
    if view.lifecycle is None or tab == "all":
        return []
    if tab == "todo":
        condition = inbox.waiting(model, by)
        return [sa.false() if condition is None else condition]
    mine = sa.select(Event.id).where(  # type: ignore[call-overload]
        Event.noun == view.event_noun, Event.record_id == model.id, Event.officer_id == by.officer_id
    )
    return [mine.exists()]


def tab_of(view: ConsoleView, request: Request, by: ActingOfficer) -> str:
    """Return the open tab: the officer's own work first, unless something is searched for."""
    asked = request.query_params.get("tab", "")
    if asked in dict(TABS):
        return asked
    searching = "q" in request.query_params or "key" in request.query_params
    mine = view.lifecycle is not None and inbox.waiting(view.model, by) is not None
    return view.opens if mine and not searching else "all"


def asked_for(view: ConsoleView, request: Request) -> list[Any]:
    """Return the conditions of the list that the address asks for: page, totals and export share them."""
    by = who(request)
    return [*conditions(view, request, by), *tab_condition(view, tab_of(view, request, by), by)]


def ordered(selected: Any, view: ConsoleView, tab: str) -> Any:
    """Return the select in the order of the list: own work by deadline, else the newest first."""
    model: Any = view.model
    if tab == "todo" and hasattr(model, "due_on"):
        return selected.order_by(model.due_on.asc().nulls_last(), model.id)
    keys = [getattr(model, name.lstrip("-")) for name in view.order]
    return selected.order_by(
        *(key.desc() if name.startswith("-") else key for key, name in zip(keys, view.order, strict=True))
    )


async def sheet(view: ConsoleView, request: Request) -> Sheet:
    """Return the list page that the address asks for."""
    by, page = who(request), page_number(request)
    tab = tab_of(view, request, by)
    fields = view.fields(view.column_list)  # type: ignore[arg-type]
    where = asked_for(view, request)

    def question(session: Session) -> tuple[list[Row], int, int | None]:
        selected = view.scoped(by).where(*where)
        count, total = _totals(session, view, selected)
        statement = ordered(selected, view, tab).limit(PAGE_SIZE).offset((page - 1) * PAGE_SIZE)
        names, day = division_names(session), inbox.today(session)
        rows = [
            Row(record.id, view.url_of(record), view.row(record, fields, names), _late(record, day))
            for record in session.execute(statement).scalars()
        ]
        return rows, count, total

    rows, count, total = await reading(question)
    shown = min(count, COUNT_CAP)
    return Sheet(
        fields=fields,
        rows=rows,
        count=shown,
        capped=count > COUNT_CAP,
        total_fen=total,
        total_at=view.column_list.index(view.total) if view.total in view.column_list else -1,  # type: ignore[union-attr]
        page=page,
        pages=max(1, -(-shown // PAGE_SIZE)),
        tab=tab,
        tabs=[(name, title, _link(request, tab=name, page="")) for name, title in TABS] if view.lifecycle else [],
        query=request.query_params.get("q", ""),
        filters=[
            (field_view(view.model, name), choices_of(view, name), request.query_params.get(f"f_{name}", ""))
            for name in view.filters
        ],
        steps=_bulk_steps(view, request) if tab == "todo" else [],
        forms=view.offered(request),
        links={
            "previous": _link(request, page=str(page - 1)),
            "next": _link(request, page=str(page + 1)),
            "export": f"{view.root_url}export.xlsx{_link(request, page='', tab=tab)}",
            "plain": f"{view.root_url}export-plain{_link(request, page='', tab=tab)}" if _plain(view, request) else "",
        },
        searched="key" in request.query_params,
    )


def _plain(view: ConsoleView, request: Request) -> bool:
    """Tell whether the list may leave in full: something is masked, and the post may export it."""
    masked = any(field.mask for field in view.fields(view.column_list))  # type: ignore[arg-type]
    return masked and Permission.EXPORT_PLAIN in view.granted(request)


def _late(record: Any, day: Any) -> bool:
    due = getattr(record, "due_on", None)
    return due is not None and due < day


def _totals(session: Session, view: ConsoleView, selected: Any) -> tuple[int, int | None]:
    column = view.total or "id"
    inner = selected.with_only_columns(getattr(view.model, column).label("amount")).limit(COUNT_CAP + 1).subquery()
    count, total = session.execute(sa.select(sa.func.count(), sa.func.sum(inner.c.amount)).select_from(inner)).one()
    return count, (int(total or 0) if view.total and count <= COUNT_CAP else None)


def _bulk_steps(view: ConsoleView, request: Request) -> list[Step]:
    if view.lifecycle is None:
        return []
    by, granted = who(request), view.granted(request)
    steps = [step for step in view.lifecycle.steps if step.forward and view.permits(step, by, granted)]
    return list({step.verb: step for step in steps}.values())


def _link(request: Request, **changes: str) -> str:
    query = {**request.query_params, **changes}
    return f"?{urlencode({name: value for name, value in query.items() if value})}"
