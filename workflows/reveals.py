"""Showing an account number in full: with a reason, recorded before it is shown. （第三十条）"""

from dataclasses import dataclass

from sqlmodel import Session

from models.accounts import Account
from models.officers import ActingOfficer
from policies.enforcement import allow
from policies.moves import record_event
from policies.permissions import Permission
from policies.refusals import ReasonMissing

SHORTEST_REASON = 4


@dataclass(frozen=True, repr=False)
class Revealed:
    """What is shown once, on one page that no cache keeps."""

    title: str
    values: tuple[tuple[str, str], ...]


def reveal_account(session: Session, account: Account, *, by: ActingOfficer, reason: str) -> Revealed:
    """Show an account number in full. （第三十条） Raises ReasonMissing, NotAllowed, NotFound."""
    allow(session, by, Permission.ACCOUNT_REVEAL, account)
    _require_reason(reason)
    record_event(session, account, "reveal", by=by, label="查看完整账号", noun="account", opinion=reason.strip())
    return Revealed("完整账号", (("账号", account.number), ("开户银行", account.bank_name)))


def _require_reason(reason: str) -> None:
    if len(reason.strip()) < SHORTEST_REASON:
        raise ReasonMissing(step="查看完整信息", field=f"查看事由（不少于 {SHORTEST_REASON} 个字）")
