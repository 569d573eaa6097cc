"""The list as a workbook: the same rows in the same scope, masked as on the page, formulas neutralised. （第三十条）"""

from decimal import Decimal
from io import BytesIO
from typing import Any

import xlsxwriter
from sqlmodel import Session
from starlette.requests import Request

from admin.base import ConsoleView, division_names
from admin.fields import EMPTY, FieldView
from admin.reading import reading_aside, who
from admin.sheets import COUNT_CAP, asked_for, ordered, tab_of

MONEY_FORMAT = "#,##0.00"
SAFE = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}


async def workbook(view: ConsoleView, request: Request) -> bytes:
    """Return the list that the address asks for as a workbook of at most 10,000 rows."""
    by, tab = who(request), tab_of(view, request, who(request))
    fields = view.fields(view.column_list)  # type: ignore[arg-type]
    where = asked_for(view, request)

    def question(session: Session) -> bytes:
        statement = ordered(view.scoped(by).where(*where), view, tab).limit(COUNT_CAP)
        names = division_names(session)
        records = session.execute(statement.execution_options(yield_per=500)).scalars()
        return _written(view.name, fields, ([_value(field, record, names) for field in fields] for record in records))

    return await reading_aside(by, question)


def _value(field: FieldView, record: Any, names: dict[str, str]) -> Any:
    if field.kind == "money":
        amount = getattr(record, field.name)
        return None if amount is None else Decimal(amount) / 100
    text = field.cell(record, names).text
    return None if text == EMPTY else text


def _written(title: str, fields: list[FieldView], rows: Any) -> bytes:
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
