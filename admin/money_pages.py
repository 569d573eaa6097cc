"""What the pages about indicators and money at rest share: who may open them, page numbers, workbooks. （第十条）"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from io import BytesIO
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

import xlsxwriter
from sqladmin import BaseView
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from admin.exports import MONEY_FORMAT, SAFE
from admin.reading import who
from policies.permissions import Permission
from workflows.files import XLSX

ROWS = 50
LAST_PAGE = 200
MOST_EXPORTED = 100_000


class MoneyPage(BaseView):
    """A page of its own behind one permission."""

    permission: ClassVar[Permission] = Permission.INDICATOR_VIEW
    lifecycle = None
    menu_url: ClassVar[str]

    def is_accessible(self, request: Request) -> bool:
        """Let those in who hold the permission."""
        return self.permission in granted_of(request)

    is_visible = is_accessible

    def admit(self, request: Request, permission: Permission | None = None) -> None:
        """Raise HTTPException 403 for everybody else."""
        if (permission or self.permission) not in granted_of(request):
            raise HTTPException(403, f"您当前的岗位（{who(request).post}）不能使用“{self.name}”（第二十三条）。")


def granted_of(request: Request) -> frozenset[str]:
    """Return the permissions of the post."""
    held: frozenset[str] = getattr(request.state, "permissions", frozenset())
    return held


def page_of(request: Request) -> int:
    """Return the page asked for. Raises HTTPException 400 when it is no number."""
    text = request.query_params.get("page", "1")
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= LAST_PAGE:
        raise HTTPException(400, f"页码应是 1 到 {LAST_PAGE} 的整数；请用筛选缩小范围。")
    return int(text)


def number_of(text: str) -> int:
    """Return a record's number from an address. Raises HTTPException 404."""
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise HTTPException(404, "没有找到该记录，请从列表进入。")
    return int(text)


def link(request: Request, **changes: str) -> str:
    """Return this address with other parameters."""
    query = {**request.query_params, **changes}
    return f"?{urlencode({name: value for name, value in query.items() if value})}"


def sheet_of(title: str, heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> Response:
    """Return rows as a workbook: amounts (Decimal) as numbers, everything else as text."""
    content = BytesIO()
    with xlsxwriter.Workbook(content, SAFE) as book:
        sheet = book.add_worksheet(title[:31])
        money, bold = book.add_format({"num_format": MONEY_FORMAT}), book.add_format({"bold": True})
        sheet.set_column(0, len(heads) - 1, 20)
        for column, head in enumerate(heads):
            sheet.write_string(0, column, head, bold)
        for number, row in enumerate(rows, 1):
            for column, value in enumerate(row):
                if isinstance(value, Decimal):
                    sheet.write_number(number, column, float(value), money)
                elif value is not None:
                    sheet.write_string(number, column, str(value))
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(title)}.xlsx"}
    return Response(content.getvalue(), media_type=XLSX, headers=headers)


def yuan(amount_fen: int) -> Decimal:
    """Return fen as yuan for a workbook's cell."""
    return Decimal(amount_fen) / 100
