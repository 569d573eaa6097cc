"""The list as a workbook: the same rows in the same scope, masked as on the page, formulas neutralised. （第三十条）

In full only for whoever holds the permission, states a reason and proves who they are; then the rows, the columns and
the file's digest are recorded before the file is sent. Rows are streamed from PostgreSQL into memory, never to a disk.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from io import BytesIO
from typing import Any

import sqlalchemy as sa
import xlsxwriter
from sqlmodel import Session
from starlette.requests import Request

from admin.base import ConsoleView, division_names
from admin.fields import EMPTY, FieldView
from admin.reading import doing, reading_aside, who
from admin.sheets import asked_for, ordered, tab_of
from models.officers import ActingOfficer
from policies.lifecycles import Ask
from policies.refusals import Refused
from workflows.reveals import record_export, require_export

MONEY_FORMAT = "#,##0.00"
SAFE = {
    "constant_memory": True, "in_memory": True, "strings_to_formulas": False, "strings_to_urls": False,
    "strings_to_numbers": False,
}  # fmt: skip
"""Constant memory keeps no cells; in memory writes no temporary file, which would hold personal data."""
MOST_ROWS = 100_000
ROWS_AT_ONCE = 500
PLAIN_ASKS = (
    Ask("reason", "导出事由", help="写明用途和去向；与导出的栏目、条数、文件摘要一并记录，供监督检查"),
    Ask("password", "登录口令（导出完整信息前复核身份）", kind="password"),
)


class TooManyRows(Refused):
    """“{title}”超过 {limit} 条，不能一次导出。请先用筛选或搜索缩小范围，再导出。"""


@dataclass(frozen=True)
class Asked:
    """What the address asks for, read before the database is."""

    view: ConsoleView
    by: ActingOfficer
    tab: str
    where: list[Any]
    fields: list[FieldView]

    @classmethod
    def of(cls, view: ConsoleView, request: Request) -> "Asked":
        """Read the request."""
        by = who(request)
        fields = view.fields(view.column_list)  # type: ignore[arg-type]
        return cls(view, by, tab_of(view, request, by), asked_for(view, request), fields)

    def workbook(self, session: Session, *, plain: bool) -> tuple[bytes, int]:
        """Return the workbook and its number of rows. Raises TooManyRows."""
        selected = self.view.scoped(self.by).where(*self.where)
        key = self.view.model.id  # type: ignore[attr-defined]
        inner = selected.with_only_columns(key).limit(MOST_ROWS + 1).subquery()
        count = int(session.execute(sa.select(sa.func.count()).select_from(inner)).scalar_one())
        if count > MOST_ROWS:
            raise TooManyRows(title=self.view.name, limit=f"{MOST_ROWS:,}")
        statement = ordered(selected, self.view, self.tab).limit(MOST_ROWS)
        return self._write(session, statement, plain=plain), count

    def _write(self, session: Session, statement: Any, *, plain: bool) -> bytes:
        names = division_names(session)
        streamed = session.execute(statement, execution_options={"yield_per": ROWS_AT_ONCE}).scalars()

        def rows() -> Iterator[list[Any]]:
            for part in streamed.partitions():
                for record in part:
                    yield [_value(field, record, names, plain=plain) for field in self.fields]

        return _written(self.view.name, self.fields, rows())


async def workbook(view: ConsoleView, request: Request) -> bytes:
    """Return the list that the address asks for, masked as on the page. Raises TooManyRows."""
    asked = Asked.of(view, request)
    content, _ = await reading_aside(asked.by, lambda session: asked.workbook(session, plain=False))
    return content


async def plain_workbook(view: ConsoleView, request: Request, reason: str) -> bytes:
    """Return the list in full, recorded with columns, rows and digest. （第三十条）

    Raises ReasonMissing, RevealsUsedUp, NotAllowed, TooManyRows.
    """
    asked = Asked.of(view, request)

    def work(session: Session) -> bytes:
        require_export(session, by=asked.by, reason=reason)
        content, count = asked.workbook(session, plain=True)
        titles = [field.title for field in asked.fields]
        record_export(
            session, by=asked.by, noun=view.event_noun, title=view.name, columns=titles, count=count,
            digest=sha256(content).hexdigest(), reason=reason,
        )  # fmt: skip
        return content

    return await doing(asked.by, "export_plain", view.name, work)


def offers_plain(view: ConsoleView) -> bool:
    """Tell whether a list hides anything that an export in full would show."""
    return any(field.mask for field in view.fields(view.column_list))  # type: ignore[arg-type]


def _value(field: FieldView, record: Any, names: dict[str, str], *, plain: bool) -> Any:
    if field.kind == "money":
        amount = getattr(record, field.name)
        return None if amount is None else Decimal(amount) / 100
    text = (field.plain_cell if plain else field.cell)(record, names).text
    return None if text == EMPTY else text


def _written(title: str, fields: list[FieldView], rows: Iterable[list[Any]]) -> bytes:
    content = BytesIO()
    with xlsxwriter.Workbook(content, SAFE) as book:
        sheet = book.add_worksheet(title[:31])
        money = book.add_format({"num_format": MONEY_FORMAT})
        bold = book.add_format({"bold": True})
        sheet.set_column(0, len(fields) - 1, 18)
        for column, field in enumerate(fields):
            sheet.write_string(0, column, field.title, bold)
        for number, row in enumerate(rows, 1):
            for column, value in enumerate(row):
                if isinstance(value, Decimal):
                    sheet.write_number(number, column, float(value), money)
                elif value is not None:
                    sheet.write_string(number, column, value)
    return content.getvalue()
