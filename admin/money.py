"""Payment orders, bank batches, disbursements. （第十九、二十条）"""

from admin.bank_desk import BATCH_FORMS, PAYMENT_FORMS
from admin.base import ConsoleView, Form, Menu, Related, call
from admin.inbox import UNSENT
from models.bank_batches import BankBatch, Disbursement, ResultException
from models.journal import JournalEntry, Posting
from models.payment_orders import PaymentOrder, PaymentOrderStatus
from policies.lifecycles.bank_batches import BANK_BATCH_LIFECYCLE
from policies.lifecycles.payment_orders import PAYMENT_ORDER_LIFECYCLE
from policies.permissions import Permission as P

PAYMENT_COLUMNS = ("line_sequence", "payee_name", "account_number", "amount_fen", "attempt", "status", "reason")


class PaymentOrderView(ConsoleView, model=PaymentOrder):
    """资金支付单。"""

    category, icon = Menu.MONEY, "fa-solid fa-file-invoice-dollar"
    permission = P.ORDER_VIEW
    lifecycle, verbs = PAYMENT_ORDER_LIFECYCLE, "workflows.payment_orders"
    column_list = ["number", "project_name", "line_count", "amount_fen", "status", "drafted_at", "funded_at"]
    headline = ("project_name", "line_count", "amount_fen", "pay_app_no", "funded_at", "credited_at")
    search_text = ("number", "project_name", "pay_app_no")
    filters = ("status",)
    total = "amount_fen"
    related = (
        Related(
            "支付明细",
            Disbursement,
            "order_id",
            PAYMENT_COLUMNS,
            P.ORDER_VIEW,
            order="line_sequence",
            total="amount_fen",
        ),
        Related(
            "代发批次",
            BankBatch,
            "order_id",
            ("number", "correction", "line_count", "amount_fen", "paid_fen", "failed_fen", "status"),
            P.BATCH_VIEW,
            link="bank-batch",
            total="amount_fen",
        ),
    )
    forms = (
        Form(
            "prepare-batch",
            "生成代发批次",
            P.BATCH_PREPARE,
            call("bank_batches", "prepare"),
            consequence="拨付成功后 2 个工作日内发送代理金融机构（第二十条），由财政审核岗复核发送。",
            on_record=True,
            statuses=(PaymentOrderStatus.FUNDED,),
            where=UNSENT,
        ),
    )


class BankBatchView(ConsoleView, model=BankBatch):
    """代发批次。"""

    category, icon = Menu.MONEY, "fa-solid fa-building-columns"
    permission = P.BATCH_VIEW
    lifecycle, verbs = BANK_BATCH_LIFECYCLE, "workflows.bank_batches"
    column_list = ["number", "project_name", "correction", "line_count", "amount_fen", "paid_fen", "failed_fen"] + [
        "status",
        "due_on",
    ]
    headline = ("project_name", "line_count", "amount_fen", "paid_count", "paid_fen", "failed_count", "failed_fen")
    search_text = ("number", "project_name")
    filters = ("status",)
    total = "amount_fen"
    forms = BATCH_FORMS
    related = (
        Related(
            "发放明细",
            Disbursement,
            "batch_id",
            PAYMENT_COLUMNS,
            P.BATCH_VIEW,
            link="disbursement",
            order="line_sequence",
            total="amount_fen",
        ),
        Related("回盘异常", ResultException, "batch_id", ("end_to_end_id", "kind", "detail", "found_at"), P.BATCH_VIEW),
    )


class DisbursementView(ConsoleView, model=Disbursement):
    """发放明细。"""

    category, icon = Menu.MONEY, "fa-solid fa-money-bill-transfer"
    permission = P.BATCH_VIEW
    title_field = "end_to_end_id"
    column_list = ["end_to_end_id", "payee_name", "account_number", "amount_fen", "attempt", "status", "settled_on"]
    headline = ("payee_name", "account_number", "amount_fen", "attempt", "settled_on", "reason")
    search_text = ("end_to_end_id",)
    filters = ("status",)
    total = "amount_fen"
    noun = "disbursement"
    forms = PAYMENT_FORMS


class ResultExceptionView(ConsoleView, model=ResultException):
    """回盘异常。"""

    category, icon = Menu.DIFFERENCES, "fa-solid fa-circle-exclamation"
    permission = P.BATCH_VIEW
    title_field = "end_to_end_id"
    column_list = ["found_at", "end_to_end_id", "kind", "detail"]
    headline = ("end_to_end_id", "kind", "found_at")
    search_text = ("end_to_end_id",)
    noun = "result_exception"


class JournalEntryView(ConsoleView, model=JournalEntry):
    """记账凭证。"""

    category, icon = Menu.MONEY, "fa-solid fa-book-open"
    permission = P.JOURNAL_VIEW
    title_field = "business_key"
    column_list = ["booked_at", "kind", "memo", "business_key"]
    headline = ("booked_at", "kind", "memo", "business_key")
    search_text = ("business_key",)
    noun = "journal_entry"
    related = (Related("分录", Posting, "entry_id", ("ledger", "amount_fen"), P.JOURNAL_VIEW, total="amount_fen"),)
