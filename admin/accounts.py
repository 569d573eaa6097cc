"""One-card accounts: masked, verified by the bank, changed by two people. （第十二、二十一、三十条）"""

from admin.bank_desk import ACCOUNT_FORMS
from admin.base import ConsoleView, Form, Menu, call
from models.accounts import Account, AccountStatus
from models.crypto import account_index
from policies.lifecycles import Ask
from policies.lifecycles.accounts import ACCOUNT_LIFECYCLE
from policies.permissions import Permission as P

REASON = Ask("reason", "查看事由", help="将记入办理记录，供监督检查")

MEMBER_FORMS = (
    Form(
        "register",
        "登记账户",
        P.ACCOUNT_REGISTER,
        call("accounts", "register"),
        (Ask("number", "社会保障卡账号", "text"), Ask("bank_name", "开户银行", "text")),
        consequence="登记后自动送代理金融机构验证，验证通过方可使用（第十二条）。",
        on_record=True,
    ),
)
"""What a member's page offers about accounts."""


class AccountView(ConsoleView, model=Account):
    """一卡通账户。"""

    category, icon = Menu.REGISTRY, "fa-solid fa-credit-card"
    permission = P.ACCOUNT_VIEW
    lifecycle, verbs = ACCOUNT_LIFECYCLE, "workflows.accounts"
    title_field = "number"
    column_list = ["number", "bank_name", "division_code", "is_card", "is_payment", "status", "verified_at"]
    headline = ("number", "bank_name", "is_card", "is_payment", "verified_at", "answer")
    search_index = (("number_index", account_index),)
    filters = ("status",)
    noun = "account"
    forms = (
        Form(
            "reveal",
            "查看完整账号",
            P.ACCOUNT_REVEAL,
            call("reveals", "reveal_account"),
            (REASON,),
            consequence="显示完整账号一次，查看人、时间和事由将被记录（第三十条）。",
            on_record=True,
        ),
        Form(
            "recheck",
            "再次向银行核实",
            P.ACCOUNT_VERIFY,
            call("accounts", "recheck"),
            consequence="由代理金融机构再次答复账户状态（第二十一条第二项）。",
            on_record=True,
            statuses=(AccountStatus.VERIFIED, AccountStatus.DORMANT),
        ),
        *ACCOUNT_FORMS,
    )
