"""What proves a change of account, and both numbers for whoever agrees: for a reason, recorded before. （第三十条）"""

from collections.abc import Sequence

from sqlmodel import Session

from models.accounts import Account, AccountStatus
from models.officers import ActingOfficer
from policies.enforcement import allow, may
from policies.permissions import Permission
from workflows import accounts, registry_documents
from workflows.registry_documents import Document
from workflows.reveals import record_shown

LABEL, TITLE = "账户变更内容", "发放账户"

Contents = tuple[dict[str, str], dict[str, str]]


def show(
    session: Session, account: Account, *, by: ActingOfficer, reason: str, documents: Sequence[int]
) -> tuple[Contents | None, list[Document]]:
    """Show a change's documents, and its numbers in full to whoever must agree to it. （第十二、三十条）

    Raises NotAllowed, NotFound, ReasonMissing, ReasonPersonal, RevealsUsedUp.
    """
    allow(session, by, Permission.ACCOUNT_VIEW, account)
    compares = may(session, by, Permission.ACCOUNT_CONFIRM) and account.status == AccountStatus.PROPOSED
    found = []
    if documents or not compares:
        found = registry_documents.show(session, account, accounts.NOUN, by=by, reason=reason, documents=documents)
    if not compares:
        return None, found
    record_shown(session, account, by=by, noun=accounts.NOUN, label=LABEL, fields=[TITLE], count=1, reason=reason)
    present = accounts.payment_account(session, accounts.holder(session, account))
    before = {TITLE: f"{present.number}（{present.bank_name}）"} if present is not None else {}
    return (before, {TITLE: f"{account.number}（{account.bank_name}）"}), found
