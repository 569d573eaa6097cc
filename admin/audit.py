"""The audit administrator's pages: search, one record with old and new, the state of the chains, export. （第二十三条）

What is shown of business is what the records say of it, masked as they were written; nothing else.
"""

import json
from dataclasses import replace
from datetime import date, timedelta
from hashlib import sha256
from io import BytesIO
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

import sqlalchemy as sa
import xlsxwriter
from sqladmin import BaseView, expose
from sqlmodel import Session
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from admin import pages
from admin.answers import answers_of
from admin.base import BASE, Menu, division_names
from admin.exports import SAFE
from admin.fields import EMPTY, field_view, moment_text
from admin.reading import doing, form_of, reading, who
from models.events import Change
from models.settings import settings
from policies.lifecycles import LIFECYCLES, Ask
from policies.permissions import Permission as P
from policies.refusals import NotFound, Refused
from workflows import anchors, audit, reveals, trail
from workflows.files import XLSX

PAGE = 50
LAST_PAGE = 200
MOST_EXPORTED = 100_000
LONGEST = 64
EXPORT_ASKS = (
    Ask("reason", "导出事由", help="与查询条件、条数、文件摘要一并记录"),
    Ask("password", "登录口令（导出前复核身份）", kind="password"),
)
COLUMNS = ("时间", "类别", "事项", "对象", "记录编号", "办理人", "岗位", "来源地址", "旗县", "说明")


class AuditView(BaseView):
    """Search of all records."""

    name, category, icon = "审计查询", Menu.OVERSIGHT, "fa-solid fa-magnifying-glass"
    permission: ClassVar[P] = P.AUDIT_VIEW
    lifecycle = None
    root_url = menu_url = f"{BASE}/audit"

    def is_accessible(self, request: Request) -> bool:
        """Let those in who may see the audit records."""
        return self.permission in _granted(request)

    is_visible = is_accessible

    @expose("/audit", identity="audit")
    async def search(self, request: Request) -> Response:
        """Show what fits, the newest first."""
        _require(request, P.AUDIT_VIEW)
        by, page = who(request), _page(request)
        asked = await _asked(request, dict(request.query_params))

        def question(session: Session) -> tuple[list[trail.Found], dict[str, str]]:
            try:
                found = trail.search(session, asked, by=by, limit=PAGE + 1, offset=(page - 1) * PAGE)
            except NotFound:
                found = []
            return found, division_names(session)

        found, names = await reading(question)
        query = {name: value for name, value in vars(asked).items() if value} | {
            "since": asked.since.isoformat(), "until": asked.until.isoformat()
        }  # fmt: skip
        return await pages.render(
            request, "audit", title=self.name, asked=asked, rows=found[:PAGE], more=len(found) > PAGE, page=page,
            names=names, kinds=trail.KINDS, tables=trail.tables(), labels=_labels(), operations=trail.OPERATIONS,
            query=urlencode(query), counties=_counties(names), may_export=P.AUDIT_EXPORT in _granted(request),
        )  # fmt: skip

    @expose("/audit/record/{kind}/{key}", identity="audit-record")
    async def record(self, request: Request) -> Response:
        """Show one record: who, when, from where, old and new, and what happened in the same transaction."""
        _require(request, P.AUDIT_VIEW)
        by, key = who(request), request.path_params["key"]
        if not key.isascii() or not key.isdigit() or len(key) > 18:
            raise NotFound

        def question(session: Session) -> dict[str, Any]:
            found = trail.whole(session, request.path_params["kind"], int(key), by=by)
            names = division_names(session)
            return {
                "found": found, "names": names, "is_change": isinstance(found.record, Change),
                "rows": rows_of(found.record, names) if isinstance(found.record, Change) else [],
                "sums": sums_of(found.record) if isinstance(found.record, Change) else [],
            }  # fmt: skip

        shown = await reading(question)
        return await pages.render(
            request, "audit_record", title="审计记录", labels=_labels(), operations=trail.OPERATIONS,
            facts_of=facts_of, **shown
        )  # fmt: skip

    @expose("/audit/export", identity="audit-export")
    async def ask_export(self, request: Request) -> Response:
        """Ask for the reason and the password before anything leaves."""
        _require(request, P.AUDIT_EXPORT)
        return await _export_page(request, dict(request.query_params))

    @expose("/audit/export", methods=["POST"], identity="audit-exported")
    async def export(self, request: Request) -> Response:
        """Send what fits as a workbook, recorded with conditions, rows and digest. （第三十条）"""
        _require(request, P.AUDIT_EXPORT)
        by = who(request)
        given = {name: str(value) for name, value in form_of(request).items() if name in _FIELDS}
        asked = await _asked(request, given)

        def work(session: Session) -> bytes:
            reason = trail.require_reason(answers["reason"])
            found = trail.search(session, asked, by=by, limit=MOST_EXPORTED)
            content = _workbook(found, division_names(session))
            reveals.record_list(
                session, by=by, noun="audit", title=f"审计记录：{asked.since} 至 {asked.until}", count=len(found),
                digest=sha256(content).hexdigest(), reason=reason,
            )  # fmt: skip
            return content

        try:
            answers = await answers_of(request, "导出审计记录", EXPORT_ASKS)
            content = await doing(by, "audit_export", "审计记录", work)
        except Refused as refusal:
            return await _export_page(request, given, refusal)
        headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote('审计记录')}.xlsx"}
        return Response(content, media_type=XLSX, headers=headers)


class ChainView(BaseView):
    """State of the chains, and their verification."""

    name, category, icon = "散列链与锚点", Menu.OVERSIGHT, "fa-solid fa-link"
    permission: ClassVar[P] = P.AUDIT_VIEW
    lifecycle = None
    root_url = menu_url = f"{BASE}/chain"

    def is_accessible(self, request: Request) -> bool:
        """Let those in who may see the audit records."""
        return self.permission in _granted(request)

    is_visible = is_accessible

    @expose("/chain", identity="audit-chain")
    async def chain(self, request: Request) -> Response:
        """Show every chain's length, its last anchor, and what the last verifications found."""
        _require(request, P.AUDIT_VIEW)
        by = who(request)
        heads, jobs = await reading(lambda session: trail.state(session, by=by))
        last = {anchor.county: anchor for anchor in _known_anchors()}
        return await pages.render(
            request, "audit_chain", title=self.name, heads=heads, jobs=jobs, last=last, newest=anchors.newest(),
            minutes=settings().anchor_minutes, days=settings().audit_days,
            may_verify=P.AUDIT_VERIFY in _granted(request), done=request.query_params.get("done", ""),
        )  # fmt: skip

    @expose("/chain/verify", methods=["POST"], identity="audit-verify")
    async def verify(self, request: Request) -> Response:
        """Start a verification in the background."""
        _require(request, P.AUDIT_VERIFY)
        by = who(request)
        await doing(by, "audit_verify", "散列链", lambda session: trail.ask_verify(session, by=by))
        return RedirectResponse(f"{self.menu_url}?done=1", status_code=303)


def _known_anchors() -> list[anchors.Anchor]:
    """Return what the newest anchor file says, genuine or not: the verification judges it."""
    try:
        return anchors.read(anchors.files()[-1:])
    except Refused:
        return []


def _day(session: Session) -> date:
    """Return the day of the wall clock that records are stamped with: the demo's business day may be ahead."""
    stamped: date = session.execute(
        sa.text("select (clock_timestamp() at time zone 'Asia/Shanghai')::date")
    ).scalar_one()
    return stamped


_FIELDS = ("since", "until", "kind", "table", "number", "officer", "verb", "address", "county")


async def _asked(request: Request, given: dict[str, str]) -> trail.Asked:
    """Read the conditions. Raises HTTPException 400 on a date that is none or a choice nobody offers."""
    day: date = await reading(_day)
    texts = {name: given.get(name, "").strip().replace("\x00", "")[:LONGEST] for name in _FIELDS}
    if texts["kind"] not in ("", *trail.KINDS) or texts["table"] not in ("", *trail.tables()):
        raise HTTPException(400, "筛选条件无效，请从列表中选择。")
    since, until = texts.pop("since"), texts.pop("until")
    try:
        return trail.Asked(
            since=date.fromisoformat(since) if since else day - timedelta(days=trail.WINDOW_DAYS),
            until=date.fromisoformat(until) if until else day,
            **texts,
        )
    except ValueError as wrong:
        raise HTTPException(400, "日期应如 2026-05-01。") from wrong


def _page(request: Request) -> int:
    text = request.query_params.get("page", "1")
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= LAST_PAGE:
        raise HTTPException(400, f"页码应是 1 到 {LAST_PAGE} 的整数；请缩小查询范围。")
    return int(text)


def _granted(request: Request) -> frozenset[str]:
    held: frozenset[str] = getattr(request.state, "permissions", frozenset())
    return held


def _require(request: Request, permission: P) -> None:
    if permission not in _granted(request):
        raise HTTPException(403, f"您当前的岗位（{who(request).post}）不能{permission.label}（第二十三条）。")


def _counties(names: dict[str, str]) -> list[tuple[str, str]]:
    return [(code, name) for code, name in sorted(names.items()) if code.endswith("000000")]


def _labels() -> dict[str, str]:
    """Return what nouns and tables are called."""
    named = {lifecycle.noun: lifecycle.title for lifecycle in LIFECYCLES.values()}
    for table, title in trail.tables().items():
        named |= {table: title, table.removesuffix("s"): named.get(table.removesuffix("s"), title)}
    return named


def value_of(table: str, name: str, value: Any, names: dict[str, str]) -> str:
    """Return a recorded value as an officer reads it: the label of a code, yuan for fen, a place's name."""
    if value is None or value == "":
        return EMPTY
    model = audit.models_by_table().get(table)
    column = model.__table__.columns.get(name) if model else None  # type: ignore[attr-defined]
    if model is None or column is None or str(value).startswith("#"):
        return str(value)
    kind = getattr(column.type, "enum_class", None)
    if kind is not None and value in [str(member) for member in kind]:
        return str(kind(value).label)
    field = replace(field_view(model, name), mask="")
    return field.show(value, names).text


def title_of(table: str, name: str) -> str:
    """Return what a column is called."""
    model = audit.models_by_table().get(table)
    if name == "rows":
        return "行数"
    known = model is not None and name in model.__table__.columns  # type: ignore[attr-defined]
    return field_view(model, name).title if model is not None and known else name


def rows_of(change: Change, names: dict[str, str]) -> list[tuple[str, list[tuple[str, str, str]]]]:
    """Return each recorded row: its key, and title, old and new of every column."""
    table, told = change.table_name, []
    for row in change.rows or []:
        old, new = row.get("old") or {}, row.get("new") or {}
        cells = [
            (title_of(table, name), value_of(table, name, old.get(name), names),
             value_of(table, name, new.get(name), names))
            for name in dict.fromkeys([*old, *new]) if name != "id"
        ]  # fmt: skip
        told.append((str(row.get("key", "")), cells))
    return told


def sums_of(change: Change) -> list[tuple[str, str, str]]:
    """Return count and sums before and after."""
    before, after = change.before or {}, change.after or {}
    keys = sorted({*before, *after}, key=lambda name: (name != "rows", name))
    shown = [(title_of(change.table_name, name), before.get(name), after.get(name), name) for name in keys]
    return [(title, _sum(name, old), _sum(name, new)) for title, old, new, name in shown]


def _sum(name: str, value: Any) -> str:
    if value is None:
        return EMPTY
    return f"{int(value):,}" if name == "rows" else f"{int(value) / 100:,.2f}"


def facts_of(facts: dict[str, Any]) -> str:
    """Return an event's facts on one line."""
    return json.dumps(facts, ensure_ascii=False) if facts else EMPTY


async def _export_page(request: Request, given: dict[str, str], refusal: Refused | None = None) -> Response:
    asked = await _asked(request, given)
    shown = {name: str(value) for name, value in vars(asked).items() if value}
    return await pages.render(
        request, "audit_export", 200 if refusal is None else refusal.status_code, title="导出审计记录",
        asks=EXPORT_ASKS, given={}, choices={}, shown=shown, message="" if refusal is None else str(refusal),
    )  # fmt: skip


def _workbook(found: list[trail.Found], names: dict[str, str]) -> bytes:
    content, labels = BytesIO(), _labels()
    with xlsxwriter.Workbook(content, SAFE) as book:
        sheet = book.add_worksheet("审计记录")
        sheet.set_column(0, len(COLUMNS) - 1, 18)
        for column, title in enumerate(COLUMNS):
            sheet.write_string(0, column, title, book.add_format({"bold": True}))
        for number, row in enumerate(found, 1):
            cells = (
                moment_text(row.recorded_at), trail.KINDS[row.kind], trail.OPERATIONS.get(row.label, row.label),
                labels.get(row.target, row.target), str(row.record_id or ""), row.officer, row.post, row.address,
                names.get(row.county_code, row.county_code), row.note,
            )  # fmt: skip
            for column, text in enumerate(cells):
                sheet.write_string(number, column, text or "")
    return content.getvalue()
