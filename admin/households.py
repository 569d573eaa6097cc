"""Households and their members: masked, shown in full only for a recorded reason. （第十一、十二、三十条）"""

from admin.accounts import MEMBER_FORMS
from admin.base import ConsoleView, Form, Menu, Related, call
from models.accounts import Account
from models.crypto import id_index, phone_index
from models.households import Asset, Household, Member
from models.rosters import RosterLine
from policies.lifecycles import Ask
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
        *MEMBER_FORMS,
    )
