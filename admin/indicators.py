"""Budget indicators with their history, what leagues received, downloads and what they could not keep. （第十条）"""

from typing import Any

from sqlmodel import Session
from starlette.requests import Request

from admin.base import BASE, ConsoleView, Form, Menu, Related, call
from models.indicator_downloads import IndicatorDownload, IndicatorFault
from models.indicators import BudgetIndicator, UpstreamIndicator
from models.payment_orders import PaymentOrder
from policies.lifecycles import Ask
from policies.permissions import Permission as P
from workflows import indicator_funds

NOTE = Ask("note", "接收说明", required=False, help="拟于何时造册、由哪些苏木乡镇办理等")
HISTORY_ROWS = 50
LEDGER_TAB = "ledger"
DOWNLOAD = Form(
    "download", "下载指标", P.INDICATOR_DOWNLOAD, call("indicator_downloads", "start_download"),
    consequence="从预算管理一体化系统下载热点分类为“惠民惠农财政补贴资金”的指标；中断的从中断处继续，"
    "重复下载不会重复记账（第十条）。",
)  # fmt: skip


class BudgetIndicatorView(ConsoleView, model=BudgetIndicator):
    """预算指标。"""

    category, icon = Menu.MONEY, "fa-solid fa-scale-balanced"
    permission = P.INDICATOR_VIEW
    title_field = "document_number"
    record_template = "indicator"
    column_list = ["document_number", "pro_name", "fiscal_year", "document_date", "amount_fen", "available_fen",
                   "reserved_fen", "requested_fen", "paid_fen"]  # fmt: skip
    headline = ("pro_name", "pro_code", "amount_fen", "available_fen", "reserved_fen", "requested_fen", "paid_fen",
                "arrived_at")  # fmt: skip
    column_details_list = ["division_code", "bgt_id", "fiscal_year", "document_number", "document_title",
                           "document_date", "sup_document_number", "pro_code", "pro_name", "hot_topic",
                           "hot_topic_code", "agency_code", "fund_type_code", "exp_func_code", "gov_eco_code",
                           "dep_eco_code", "amount_fen", "distributed_fen", "deleted", "updated_at",
                           "arrived_at"]  # fmt: skip
    search_text = ("document_number", "pro_code", "pro_name", "bgt_id")
    total = "amount_fen"
    noun = "indicator"
    related = (
        Related(
            "变动和占用", PaymentOrder, "indicator_id",
            ("number", "project_name", "line_count", "amount_fen", "status", "drafted_at"), P.ORDER_VIEW,
            link="payment-order", order="-id", total="amount_fen", together=True,
        ),
    )  # fmt: skip
    forms = (
        DOWNLOAD,
        Form(
            "acknowledge", "接收通知", P.INDICATOR_ACKNOWLEDGE, call("indicator_arrivals", "acknowledge"), (NOTE,),
            consequence="记为本部门已接收该指标的到达通知，待办随即办结；请及时组织造册（第十条）。", on_record=True,
        ),
    )  # fmt: skip

    def links(self, record: Any) -> list[tuple[str, str]]:
        """Return the projects that it pays."""
        return [("项目可用指标", f"{BASE}/project-funds?q={record.pro_code}")]

    def panel(self, session: Session, request: Request, record: Any, tab: str) -> dict[str, Any]:
        """Return the history with its balances: the tab beside the payment orders."""
        if request.query_params.get("tab", LEDGER_TAB) != LEDGER_TAB:
            return {}
        text = request.query_params.get("page", "1")
        page = max(int(text), 1) if text.isascii() and text.isdigit() else 1
        skip = (page - 1) * HISTORY_ROWS
        count, rows = indicator_funds.ledger(session, record.division_code, record.id, limit=HISTORY_ROWS, skip=skip)
        return {"ledger": rows, "ledger_count": count, "ledger_page": page, "kinds": indicator_funds.KINDS,
                "ledger_pages": max(1, -(-count // HISTORY_ROWS))}  # fmt: skip


class UpstreamIndicatorView(ConsoleView, model=UpstreamIndicator):
    """上级指标。"""

    category, icon = Menu.MONEY, "fa-solid fa-diagram-project"
    permission = P.INDICATOR_VIEW
    title_field = "document_number"
    column_list = ["document_number", "division_code", "pro_name", "fiscal_year", "document_date", "amount_fen",
                   "distributed_fen", "updated_at"]  # fmt: skip
    headline = ("division_code", "pro_name", "pro_code", "amount_fen", "distributed_fen", "document_date")
    search_text = ("document_number", "pro_code", "pro_name", "bgt_id")
    total = "amount_fen"
    noun = "upstream_indicator"
    forms = (DOWNLOAD,)


class IndicatorDownloadView(ConsoleView, model=IndicatorDownload):
    """指标下载。"""

    category, icon = Menu.MONEY, "fa-solid fa-cloud-arrow-down"
    permission = P.INDICATOR_VIEW
    title_field = "started_at"
    column_list = ["started_at", "division_code", "started_by", "status", "pages", "items", "new_count",
                   "changed_count", "fault_count", "ended_at"]  # fmt: skip
    headline = ("division_code", "started_by", "pages", "items", "new_count", "changed_count", "fault_count",
                "started_at", "ended_at", "message")  # fmt: skip
    filters = ("status",)
    noun = "indicator_download"
    forms = (DOWNLOAD,)
    related = (
        Related(
            "未保存的指标", IndicatorFault, "download_id",
            ("bgt_id", "document_number", "field", "problem", "found_at", "gone_at"), P.INDICATOR_VIEW,
            link="indicator-fault", order="-id", together=True,
        ),
    )  # fmt: skip


class IndicatorFaultView(ConsoleView, model=IndicatorFault):
    """未保存的指标。"""

    category, icon = Menu.MONEY, "fa-solid fa-triangle-exclamation"
    permission = P.INDICATOR_VIEW
    title_field = "bgt_id"
    column_list = ["bgt_id", "document_number", "field", "problem", "found_at", "gone_at"]
    headline = ("bgt_id", "document_number", "field", "problem", "found_at", "gone_at")
    search_text = ("bgt_id", "document_number")
    noun = "indicator_fault"
