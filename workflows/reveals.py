"""Showing personal data in full: for a reason, no more often than allowed, recorded before it is shown. （第三十条）"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, select

from models.accounts import Account
from models.households import Household, Member
from models.keys import Reveal, RevealKind
from models.officers import ActingOfficer
from models.rosters import RosterLine
from models.settings import settings
from policies.enforcement import allow
from policies.moves import record_event
from policies.permissions import Permission
from policies.refusals import ReasonMissing, Refused
from workflows.virtual_guards import require_kept_here

SHORTEST_REASON = 4
NUMBERS = re.compile(r"\d{11}")
EMPTY = "—"


class ReasonPersonal(Refused):
    """查看事由会长期保存，不要写证件号码、账号或手机号。请改写事由后再提交（第三十条）。"""

    status_code = 400


class RevealsUsedUp(Refused):
    """{span}内已查看 {limit} 次完整信息，达到上限，本次没有显示。请稍后再试，或联系安全管理员（第三十条）。"""

    status_code = 429


@dataclass(frozen=True, repr=False)
class Revealed:
    """What is shown once, on one page that no cache keeps, and never printed by accident."""

    title: str
    values: tuple[tuple[str, str], ...]


def reveal_account(session: Session, account: Account, *, by: ActingOfficer, reason: str) -> Revealed:
    """Show an account number in full. （第三十条） Raises ReasonMissing, RevealsUsedUp, NotAllowed, NotFound."""
    allow(session, by, Permission.ACCOUNT_REVEAL, account)
    _record(session, account, by, "account", "完整账号", ("number",), reason)
    return Revealed("完整账号", (("账号", account.number), ("开户银行", account.bank_name)))


def reveal_member(session: Session, member: Member, *, by: ActingOfficer, reason: str) -> Revealed:
    """Show a person's full particulars. （第三十条）

    Raises ReasonMissing, RevealsUsedUp, PaidElsewhere, NotAllowed, NotFound.
    """
    allow(session, by, Permission.MEMBER_REVEAL, member)
    require_kept_here(session, member.division_code, member.id or 0)
    address = session.exec(
        select(Household.address).where(
            Household.division_code == member.division_code, Household.id == member.household_id
        )
    ).one()
    _record(session, member, by, "member", "完整身份信息", ("name", "id_number", "phone", "address"), reason)
    values = (("姓名", member.name), ("身份证号", member.id_number), ("手机号", member.phone or EMPTY))
    return Revealed("完整身份信息", (*values, ("住址", address or EMPTY)))


def reveal_line(session: Session, line: RosterLine, *, by: ActingOfficer, reason: str) -> Revealed:
    """Show who a roster line pays, and to which account. （第三十条）

    Raises ReasonMissing, RevealsUsedUp, PaidElsewhere, NotAllowed, NotFound.
    """
    allow(session, by, Permission.MEMBER_REVEAL, line)
    allow(session, by, Permission.ACCOUNT_REVEAL, line)
    require_kept_here(session, line.division_code, line.member_id)
    fields = ("name", "id_number", "payee_name", "account_number")
    _record(session, line, by, "roster_line", "清册明细完整信息", fields, reason)
    values = (("享受人", line.name), ("身份证号", line.id_number), ("收款人", line.payee_name))
    return Revealed("清册明细完整信息", (*values, ("收款账号", line.account_number or EMPTY)))


def record_shown(
    session: Session, record: Any, *, by: ActingOfficer, noun: str, label: str, fields: Sequence[str], count: int,
    reason: str,
) -> None:  # fmt: skip
    """Record that documents or contents of a record are shown in full. （第三十条）

    The caller has asked who may see the record. Raises ReasonMissing, RevealsUsedUp.
    """
    _record(session, record, by, noun, label, tuple(fields), reason, count)


def record_export(
    session: Session, *, by: ActingOfficer, noun: str, title: str, columns: list[str], count: int, digest: str,
    reason: str,
) -> Reveal:  # fmt: skip
    """Record that a list leaves the console in full: columns, rows and digest of the file. （第三十条）

    Raises ReasonMissing, RevealsUsedUp, NotAllowed.
    """
    require_export(session, by=by, reason=reason)
    shown = f"{title}：{'、'.join(columns)}"
    made = _listed(session, by, by.division_code, noun, 0, shown, reason, RevealKind.EXPORT, count, digest)
    facts = {"noun": noun, "columns": columns, "count": count, "sha256": digest}
    record_event(session, made, "export", by=by, label="导出完整信息", noun="reveal", opinion=reason, facts=facts)
    return made


def record_list(
    session: Session, *, by: ActingOfficer, noun: str, title: str, count: int, digest: str, reason: str
) -> Reveal:
    """Record a list in full that a desk's own work needs, such as the verifications that wait for a bank. （第三十条）

    Raises RevealsUsedUp.
    """
    _require_allowance(session)
    return _listed(session, by, by.division_code, noun, 0, title, reason, RevealKind.EXPORT, count, digest)


def require_export(session: Session, *, by: ActingOfficer, reason: str) -> None:
    """Let nothing be read for an export that will not be recorded. （第三十条）

    Raises ReasonMissing, RevealsUsedUp, NotAllowed.
    """
    allow(session, by, Permission.EXPORT_PLAIN)
    require_reason(reason)
    _require_allowance(session)


def _record(
    session: Session, record: Any, by: ActingOfficer, noun: str, label: str, fields: tuple[str, ...], reason: str,
    count: int = 1,
) -> None:  # fmt: skip
    require_reason(reason)
    _require_allowance(session)
    why = reason.strip()
    facts = {"fields": list(fields)}
    record_event(session, record, "reveal", by=by, label=f"查看{label}", noun=noun, opinion=why, facts=facts)
    _listed(session, by, record.division_code, noun, record.id, label, why, RevealKind.PAGE, count, "")


def _listed(
    session: Session, by: ActingOfficer, division_code: str, noun: str, record_id: int, title: str, reason: str,
    kind: RevealKind, count: int, digest: str,
) -> Reveal:  # fmt: skip
    made = Reveal(
        division_code=division_code, kind=kind, noun=noun, record_id=record_id, title=title, row_count=count,
        reason=reason.strip(), officer_id=by.officer_id, person=by.person, officer_name=by.name, post=by.post,
        address=by.address, digest=digest,
    )  # fmt: skip
    session.add(made)
    session.flush()
    return made


def require_reason(reason: str) -> None:
    """Let nobody see personal data in full without saying why. Raises ReasonMissing, ReasonPersonal."""
    if len(reason.strip()) < SHORTEST_REASON:
        raise ReasonMissing(step="查看完整信息", field=f"查看事由（不少于 {SHORTEST_REASON} 个字）")
    if NUMBERS.search(reason):
        raise ReasonPersonal


def _require_allowance(session: Session) -> None:
    """Count what the person has seen, in all posts and accounts; the count is locked until the commit."""
    made = session.execute(sa.text("select in_hour, in_day from reveals_made()")).one()
    hourly, daily = settings().reveals_per_hour, settings().reveals_per_day
    if made.in_hour >= hourly:
        raise RevealsUsedUp(span="1 小时", limit=hourly)
    if made.in_day >= daily:
        raise RevealsUsedUp(span="24 小时", limit=daily)
