"""One-card accounts: masked, verified by the bank, changed by two people. （第十二、二十一、三十条）"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col

from admin import registry_asks as q
from admin.bank_desk import ACCOUNT_FORMS
from admin.base import ConsoleView, Form, Menu, Related, call
from admin.fields import MASKS
from admin.forms import Shown
from admin.registry import DOCUMENTS, HOW, WHY, documents_tab, options_of, packed, papers_page
from admin.registry_shown import items, plain
from models.accounts import Account, AccountNotice, AccountStatus
from models.crypto import account_index
from models.events import Event
from models.officers import ActingOfficer
from models.payment_orders import AgentBank
from models.registry_changes import Attachment, DocumentKind
from models.registry_tasks import RegistryTask
from policies.lifecycles import Ask, Desk
from policies.lifecycles.accounts import ACCOUNT_LIFECYCLE
from policies.permissions import Permission as P
from workflows import account_papers, accounts
from workflows.files import Download

REASON = Ask("reason", "查看事由", help="将记入办理记录，供监督检查")
CHANGE_REASON = Ask("reason", "变更原因", required=False, help="首个账户可不填；已有账户的须写明，不要写账号")
NUMBER = Ask("number", "社会保障卡账号", "text", help="16 至 19 位数字，对照卡面逐位核对")
BANK = Ask("bank_name", "开户银行", "choice", required=False, help="不选的为现有账户的开户银行")

CARD_FIRST = replace(
    q.MAYBE_EVIDENCE, choices=tuple(sorted(q.EVIDENCE.choices, key=lambda one: one[0] != DocumentKind.BANK_CARD))
)


def banks(session: Session, by: ActingOfficer, record: Any) -> Sequence[tuple[str, str]]:
    """Return the agent banks by name. （第三十四条）"""
    names = session.execute(sa.select(col(AgentBank.name)).order_by(col(AgentBank.id))).scalars()
    return [(name, name) for name in names]


MEMBER_FORMS = (
    Form(
        "register",
        "登记或变更账户",
        P.ACCOUNT_REGISTER,
        call("accounts", "register"),
        (NUMBER, BANK, CHANGE_REASON, CARD_FIRST),
        (("bank_name", banks),),
        consequence="首个账户登记后即送代理金融机构验证；已有账户的，变更由负责人复核后送验证，通过前仍发放至原账户"
        "（第十二条）。",
        on_record=True,
        seats=Desk.TOWNSHIP_KEEPER.seats,
    ),
)
"""What a member's page offers about accounts."""


def show_papers(
    session: Session, account: Account, *, by: ActingOfficer, reason: str, documents: list[int], how: str
) -> Shown | Download:
    """Show what proves a change of account, and to whoever agrees to it both numbers in full. （第三十条）"""
    told, found = account_papers.show(session, account, by=by, reason=reason, documents=documents)
    if how == "download" and found:
        return packed(found, f"账户变更{account.id}")
    return papers_page(account, found, items(*told, plain) if told else [], reason)


def usual(session: Session, by: ActingOfficer, record: Any, asked: Mapping[str, str]) -> Mapping[str, str]:
    """Return what a look is mostly for: all documents on the page, the head's for agreeing."""
    shown = ",".join(value for value, _ in options_of(accounts.NOUN)(session, by, record))
    reason = "办理账户变更复核，核对卡面和账号" if Desk.TOWNSHIP_HEAD.seats(by) else ""
    return {"documents": shown, "how": "view", "reason": reason}


PROVEN = sa.or_(
    col(Account.status) == AccountStatus.PROPOSED,
    sa.exists().where(col(Attachment.noun) == accounts.NOUN, col(Attachment.record_id) == Account.id),
)
"""There is something to compare: a change that waits, or documents."""


class AccountView(ConsoleView, model=Account):
    """一卡通账户。"""

    category, icon = Menu.REGISTRY, "fa-solid fa-credit-card"
    permission = P.ACCOUNT_VIEW
    lifecycle, verbs = ACCOUNT_LIFECYCLE, "workflows.accounts"
    title_field = "number"
    record_template = "card_account"
    column_list = [
        "number",
        "bank_name",
        "division_code",
        "is_card",
        "is_payment",
        "status",
        "refused_for",
        "verified_at",
    ]
    headline = ("number", "bank_name", "division_code", "is_card", "is_payment", "verified_at")
    column_details_list = [
        "number", "bank_name", "bank_code", "division_code", "is_card", "is_payment", "card_required", "status",
        "refused_for", "answer", "reason", "verified_at", "arrived_at",
    ]  # fmt: skip
    search_index = (("number_index", account_index),)
    filters = ("status", "refused_for")
    noun = "account"
    opens = "todo"
    related = (
        documents_tab(accounts.NOUN, P.ACCOUNT_VIEW),
        Related(
            "待办", RegistryTask, "account_id", ("number", "kind", "detail", "found_on", "status"),
            P.REGISTRY_TASK_VIEW, link="registry-task", together=True,
        ),
        Related(
            "银行通知", AccountNotice, "account_id", ("received_at", "state", "words", "outcome"), P.ACCOUNT_VIEW,
            order="-sequence", together=True,
        ),
    )  # fmt: skip
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
            "documents",
            "查看材料和账号",
            P.ACCOUNT_VIEW,
            show_papers,
            (WHY, DOCUMENTS, HOW),
            (("documents", options_of(accounts.NOUN)),),
            consequence="材料和账号为完整个人信息；查看人、时间、事由和份数将被记录，每次查看各记一次（第三十条）。",
            on_record=True,
            where=(PROVEN,),
            present=usual,
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

    def extra(self, session: Session, record: Any, by: ActingOfficer, granted: frozenset[str]) -> dict[str, Any]:
        """Return whose account it is, the account it takes the place of, and why it was not agreed to."""
        held = accounts.holder(session, record) if P.HOUSEHOLD_VIEW in granted else None
        present = accounts.payment_account(session, held) if held is not None else None
        event: Any = Event
        last = session.execute(
            sa.select(event)
            .where(event.noun == accounts.NOUN, event.record_id == record.id, event.verb.in_(("reject", "withdraw")))
            .order_by(event.id.desc())
            .limit(1)
        ).scalar_one_or_none()
        return {
            "holder": held,
            "holder_name": MASKS["name"](held.name) if held is not None else "",
            "present": present if present is not None and present.id != record.id else None,
            "present_number": MASKS["card"](present.number) if present is not None else "",
            "dropped": last if record.status == AccountStatus.REJECTED else None,
        }
