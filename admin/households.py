"""Households, their members and accounts: masked, shown in full only for a recorded reason. （第十一、十二、三十条）"""

from admin.bank_desk import ACCOUNT_FORMS
from admin.base import ConsoleView, Form, Menu, Related, call
from models.accounts import Account, AccountStatus
from models.crypto import account_index, id_index, phone_index
from models.households import Asset, Household, Member
from models.rosters import RosterLine
from policies.lifecycles import Ask
from policies.lifecycles.accounts import ACCOUNT_LIFECYCLE
from policies.permissions import Permission as P

REASON = Ask("reason", "查看事由", help="将记入办理记录，供监督检查")


class HouseholdView(ConsoleView, model=Household):
    """补贴对象（户）。"""

    category, icon = Menu.REGISTRY, "fa-solid fa-house-chimney"
    permission = P.HOUSEHOLD_VIEW
    title_field = "number"
    column_list = ["number", "head_name", "division_code", "village", "group_name", "reviewed_on"]
    headline = ("head_name", "division_code", "village", "group_name")
    search_text = ("number", "village")
    related = (
        Related(
            "家庭成员",
            Member,
            "household_id",
            ("name", "id_number", "relation", "phone", "status", "identity_outcome", "died_on"),
            P.HOUSEHOLD_VIEW,
            link="member",
        ),
        Related("生产资料", Asset, "household_id", ("kind", "quantity", "unit", "as_of", "source"), P.HOUSEHOLD_VIEW),
        Related(
            "发放清册明细",
            RosterLine,
            "household_id",
            ("sequence", "name", "quantity", "standard", "amount_fen", "state"),
            P.ROSTER_VIEW,
            order="-id",
            total="amount_fen",
        ),
    )


class MemberView(ConsoleView, model=Member):
    """家庭成员。"""

    category, icon = Menu.REGISTRY, "fa-solid fa-user"
    permission = P.HOUSEHOLD_VIEW
    title_field = "name"
    column_list = ["name", "id_number", "division_code", "relation", "phone", "status", "identity_outcome", "added_on"]
    headline = ("name", "id_number", "division_code", "phone", "status")
    search_index = (("id_index", id_index), ("phone_index", phone_index))
    filters = ("status", "identity_outcome")
    noun = "member"
    related = (
        Related(
            "一卡通账户",
            Account,
            "member_id",
            ("number", "bank_name", "is_card", "is_payment", "status", "verified_at"),
            P.ACCOUNT_VIEW,
            link="account",
        ),
        Related(
            "发放清册明细",
            RosterLine,
            "member_id",
            ("sequence", "quantity", "standard", "amount_fen", "state"),
            P.ROSTER_VIEW,
            order="-id",
            total="amount_fen",
        ),
    )
    forms = (
        Form(
            "reveal",
            "查看完整信息",
            P.MEMBER_REVEAL,
            call("reveals", "reveal_member"),
            (REASON,),
            consequence="显示完整身份信息一次，查看人、时间和事由将被记录（第三十条）。",
            on_record=True,
        ),
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
