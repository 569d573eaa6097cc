"""Failed payments on their way by Article 21, refunds, statements and reconciliation. （第二十一、二十二条）"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from admin.base import ConsoleView, Form, Menu, Related, call
from admin.virtual import ADOPT
from models.failures import Failure, Refund
from models.officers import ActingOfficer
from models.payment_orders import AgentAccount
from models.statements import Difference, Statement, StatementEntry
from policies.lifecycles import Ask
from policies.lifecycles.failures import FAILURE_LIFECYCLE, REFUND_LIFECYCLE
from policies.permissions import Permission as P


def agent_accounts(session: Session, by: ActingOfficer, record: Any) -> Sequence[tuple[str, str]]:
    """Return the county's agent accounts by name."""
    account: Any = AgentAccount
    rows = session.execute(sa.select(account.id, account.name).order_by(account.id))
    return [(str(key), name) for key, name in rows]


class FailureView(ConsoleView, model=Failure):
    """发放失败。"""

    category, icon = Menu.DIFFERENCES, "fa-solid fa-triangle-exclamation"
    permission = P.FAILURE_VIEW
    lifecycle, verbs = FAILURE_LIFECYCLE, "workflows.failures"
    title_field = "project_name"
    column_list = ["project_name", "line_sequence", "name", "amount_fen", "failure_class", "route", "status", "due_on"]
    headline = ("project_name", "line_sequence", "name", "amount_fen", "failure_class", "reason", "route", "resolution")
    search_text = ("project_name",)
    filters = ("status", "route")
    total = "amount_fen"
    forms = (
        Form(
            "reissue",
            "生成补发批次",
            P.BATCH_PREPARE,
            call("bank_batches", "prepare_corrections"),
            consequence="已更正且账户验证通过的失败明细，按原支付单生成补发批次，由财政审核岗复核发送（第二十一条）。",
        ),
        ADOPT,
    )


class RefundView(ConsoleView, model=Refund):
    """退款单。"""

    category, icon = Menu.DIFFERENCES, "fa-solid fa-rotate-left"
    permission = P.REFUND_VIEW
    lifecycle, verbs = REFUND_LIFECYCLE, "workflows.refunds"
    column_list = ["number", "project_name", "line_count", "amount_fen", "status", "prepared_at", "returned_at"]
    headline = ("project_name", "line_count", "amount_fen", "prepared_at", "returned_at")
    search_text = ("number", "project_name")
    filters = ("status",)
    total = "amount_fen"
    related = (
        Related(
            "失败明细",
            Failure,
            "refund_id",
            ("line_sequence", "name", "amount_fen", "failure_class", "reason", "status"),
            P.FAILURE_VIEW,
            link="failure",
            total="amount_fen",
        ),
    )
    forms = (
        Form(
            "prepare",
            "生成退款单",
            P.REFUND_PREPARE,
            call("refunds", "prepare"),
            consequence="已移出清册的失败明细，按原支付指标生成退款单，由财政审核岗复核。",
        ),
    )


class StatementView(ConsoleView, model=Statement):
    """银行对账单。"""

    category, icon = Menu.DIFFERENCES, "fa-solid fa-not-equal"
    permission = P.STATEMENT_VIEW
    title_field = "statement_number"
    column_list = ["day", "statement_number", "entry_count", "closing_fen", "our_balance_fen", "difference_count"] + [
        "status",
    ]
    headline = ("day", "opening_fen", "closing_fen", "our_balance_fen", "entry_count", "difference_count")
    search_text = ("statement_number",)
    filters = ("status",)
    noun = "statement"
    related = (
        Related("差异", Difference, "statement_id", ("kind", "end_to_end_id", "bank_fen", "our_fen"), P.STATEMENT_VIEW),
        Related(
            "账单明细",
            StatementEntry,
            "statement_id",
            ("booked_on", "credit", "amount_fen", "reference", "end_to_end_id", "kind"),
            P.STATEMENT_VIEW,
        ),
    )
    forms = (
        Form(
            "reconcile",
            "取对账单并对账",
            P.STATEMENT_RECONCILE,
            call("statements", "start_reconciliation"),
            (Ask("agent_account_id", "代发户", "choice"), Ask("day", "账单日期", "date")),
            (("agent_account_id", agent_accounts),),
            consequence="从代理金融机构取当日对账单，与系统账面逐笔核对（第二十二条）。",
        ),
    )
