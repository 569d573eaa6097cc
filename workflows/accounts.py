"""One-card accounts: the first is registered by the township, a change is two people's, the bank verifies. （第十二条）

A verified new account becomes the payment account by itself; until then the old one serves (`account_answers.py`).
"""

import re
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import text
from sqlmodel import Session, col, select

from integrations import banks
from integrations.banks import AccountAnswer, AccountQuery
from models.accounts import Account, AccountStatus
from models.crypto import account_index
from models.households import Member, MemberStatus
from models.officers import ActingOfficer
from models.outbox import OutboxMessage
from models.payment_orders import AgentBank
from models.rosters import RosterLine
from policies.enforcement import allow
from policies.identities import luhn_valid
from policies.lifecycles import Desk
from policies.moves import begin, move
from policies.permissions import Permission
from policies.refusals import ReasonMissing, Refused
from workflows.account_answers import apply_answer, apply_answers, send_back
from workflows.attachments import Evidence, attach
from workflows.outbox import TOPICS, Topic, ask

__all__ = ["AccountAnswer", "apply_answer", "apply_answers", "confirm", "recheck", "register", "reject", "submit"]

TOPIC, NOUN = "account_check", "account"
PREFIX = 3
"""The digits of a CNAPS code that name the bank."""
AT_THE_DESK = text("select 1 from agent_banks where prefix = :prefix and not interface")
CARD = re.compile(r"\d{16,19}")


class CardNumberWrong(Refused):
    """社会保障卡账号不正确：须为 16 至 19 位数字并通过校验；请对照卡面逐位核对后重新填写（第十二条）。"""

    status_code = 400


class AccountTaken(Refused):
    """该账号已登记在其他人名下（登记地：{township}），不能重复登记；请核对账号和持卡人（第十二条）。"""


class AccountKnown(Refused):
    """该账号已登记，当前状态为“{status}”，无需重复登记；请换用其他社会保障卡，或对原账户重新提交验证（第十二条）。"""


class ChangeProposed(Refused):
    """该人员已有账户变更等待负责人复核；请等待复核，或先撤回原变更（第十二条）。"""


class HolderGone(Refused):
    """该人员当前为“{status}”，不能登记账户；请先核对人员状态，死亡的按继承或停发处理（第二十一条第三项）。"""


class BankUnknown(Refused):
    """开户银行“{bank}”不在代理金融机构名录中；请从 {banks} 中选择（第十二、三十四条）。"""

    status_code = 400


class NoAccount(Refused):
    """序号 {sequence} 的明细没有登记账户；请先为收款人登记社会保障卡账户（第十二条）。"""


# --- registered, proposed -----------------------------------------------------------------------------------------


def register(
    session: Session,
    member: Member,
    *,
    by: ActingOfficer,
    number: str,
    bank_name: str = "",
    reason: str = "",
    evidence: Sequence[Evidence] = (),
) -> Account:
    """Register a person's social-security card: the first goes to the bank at once, a change to the head. （第十二条）

    bank_name "": the bank of the person's present account. A change says why. Raises CardNumberWrong, HolderGone,
    AccountTaken, AccountKnown, ChangeProposed, ReasonMissing, BankUnknown, DocumentTooBig, DocumentNotKnown.
    """
    allow(session, by, Permission.ACCOUNT_REGISTER, member)
    card = number.strip().replace(" ", "")
    if not CARD.fullmatch(card) or not luhn_valid(card):
        raise CardNumberWrong
    if member.status == MemberStatus.DEAD or not member.current:
        raise HolderGone(status=member.status.label if member.current else "已迁出或并入其他记录")
    _one_at_a_time(session, member, card)
    _require_free(session, member, card)
    first = not session.execute(HAS_ACCOUNTS, {"person": member.person}).scalar_one()
    if not first and not reason.strip():
        raise ReasonMissing(step="变更账户", field="变更原因")
    account = _fresh(session, member, card, bank_name.strip(), by)
    account.card_required = first or _has_card(session, member)
    if first:
        begin(session, account, by=by, label="登记账户", desk=Desk.TOWNSHIP_KEEPER)
        attach(session, NOUN, account.id or 0, account.division_code, evidence, by=by)
        return submit(session, account, by=by)
    _require_no_proposal(session, member)
    account.status, account.is_payment, account.reason = AccountStatus.PROPOSED, False, reason.strip()
    begin(session, account, by=by, label="提出账户变更", desk=Desk.TOWNSHIP_KEEPER)
    attach(session, NOUN, account.id or 0, account.division_code, evidence, by=by)
    return account


LOCK_ALL = text("select pg_advisory_xact_lock_shared(hashtextextended('accounts', 0))")
LOCK = text(
    "select pg_advisory_xact_lock(hashtextextended(key, 0)) from unnest(cast(:keys as text[])) key order by key"
)
HAS_ACCOUNTS = text("select has_accounts(:person)")
KEEPERS = text("select township from account_keepers(cast(:indexes as bytea[]), cast(:persons as text[]))")


def _one_at_a_time(session: Session, member: Member, card: str) -> None:
    """Let one registration of a card, and one of a person, be decided after the other, over the whole region.

    A bulk replacement takes the first lock alone.
    """
    session.execute(LOCK_ALL)
    session.execute(LOCK, {"keys": [f"card:{account_index(card).hex()}", f"holder:{member.person}"]})


def _require_free(session: Session, member: Member, card: str) -> None:
    """Let a card be one person's: only the township is told of somebody else. Raises AccountTaken, AccountKnown."""
    index = account_index(card)
    _require_unshared(session, member, index)
    known = session.exec(
        select(Account).where(
            col(Account.number_index) == index,
            Account.division_code == member.division_code,
            Account.member_id == member.id,
            col(Account.status).not_in((AccountStatus.CLOSED, AccountStatus.REJECTED)),
        )
    ).first()
    if known is not None:
        raise AccountKnown(status=known.status.label)


def _require_unshared(session: Session, member: Member, index: bytes) -> None:
    taken = session.execute(KEEPERS, {"indexes": [index], "persons": [member.person]}).scalar()
    if taken is not None:
        raise AccountTaken(township=taken)


def _require_no_proposal(session: Session, member: Member) -> None:
    waiting = select(Account.id).where(
        Account.division_code == member.division_code,
        Account.member_id == member.id,
        Account.status == AccountStatus.PROPOSED,
    )
    if session.exec(waiting).first() is not None:
        raise ChangeProposed


def _fresh(session: Session, member: Member, card: str, bank_name: str, by: ActingOfficer) -> Account:
    name, code = _bank(session, member, bank_name)
    return Account(
        division_code=member.division_code,
        county_code=member.county_code,
        member_id=member.id or 0,
        number=card,
        number_index=account_index(card),
        bank_name=name,
        bank_code=code,
        is_payment=payment_account(session, member) is None,
        registered_by=by.officer_id,
    )


def payment_account(session: Session, member: Member) -> Account | None:
    """Return the account that a person is paid to; None when there is none."""
    return session.exec(
        select(Account).where(
            Account.division_code == member.division_code, Account.member_id == member.id, col(Account.is_payment)
        )
    ).first()


def _has_card(session: Session, member: Member) -> bool:
    """Tell whether the person is paid to a verified card: nothing else takes its place."""
    present = payment_account(session, member)
    return present is not None and present.is_card and present.status == AccountStatus.VERIFIED


def _bank(session: Session, member: Member, name: str) -> tuple[str, str]:
    """Return the bank's name and CNAPS code: as named, else the person's present bank, else the only one there is."""
    known = session.exec(select(AgentBank).order_by(col(AgentBank.id))).all()
    if name:
        fits = [bank for bank in known if bank.name == name] or [bank for bank in known if name in bank.name]
        if len(fits) != 1:
            raise BankUnknown(bank=name[:40], banks="、".join(bank.name for bank in known))
        return fits[0].name, fits[0].cnaps
    present = session.exec(
        select(Account)
        .where(Account.division_code == member.division_code, Account.member_id == member.id)
        .order_by(col(Account.is_payment).desc(), col(Account.id).desc())
    ).first()
    if present is not None:
        return present.bank_name, present.bank_code
    if len(known) != 1:
        raise BankUnknown(bank="（未填写）", banks="、".join(bank.name for bank in known))
    return known[0].name, known[0].cnaps


# --- the second person --------------------------------------------------------------------------------------------


def confirm(session: Session, account: Account, *, by: ActingOfficer, opinion: str = "") -> Account:
    """Agree to a change of account as the second person: it goes to the bank at once. （第十二条、第二十三条）

    Raises NotAllowed, OwnHousehold, SamePersonTwice, AccountTaken, HolderGone.
    """
    allow(session, by, Permission.ACCOUNT_CONFIRM, account)
    member = holder(session, account)
    if member.status == MemberStatus.DEAD or not member.current:
        raise HolderGone(status=member.status.label if member.current else "已迁出或并入其他记录")
    _one_at_a_time(session, member, account.number)
    _require_unshared(session, member, account.number_index)
    move(session, account, "confirm", by=by, opinion=opinion)
    move(session, account, "send", by=by)
    return _ask_bank(session, account)


def reject(session: Session, account: Account, *, by: ActingOfficer, reason: str) -> Account:
    """Don't agree to a change; a failed payment that waits for it goes back to the township. （第十二、二十一条）

    Raises ReasonMissing.
    """
    allow(session, by, Permission.ACCOUNT_CONFIRM, account)
    return _drop(session, account, "reject", by, reason)


def withdraw(session: Session, account: Account, *, by: ActingOfficer, reason: str) -> Account:
    """Take a proposed change back before it is agreed to. （第十二条） Raises ReasonMissing."""
    allow(session, by, Permission.ACCOUNT_REGISTER, account)
    return _drop(session, account, "withdraw", by, reason)


def _drop(session: Session, account: Account, verb: str, by: ActingOfficer, reason: str) -> Account:
    if not reason.strip():
        raise ReasonMissing(step="不同意或撤回账户变更", field="原因")
    move(session, account, verb, by=by, opinion=reason.strip())
    send_back(session, [account.id or 0], by, "账户变更未生效")
    return account


def repropose(session: Session, account: Account, *, by: ActingOfficer, opinion: str = "") -> Account:
    """Propose once more a change that was not agreed to. （第十二条）

    Raises AccountTaken, AccountKnown, ChangeProposed.
    """
    allow(session, by, Permission.ACCOUNT_REGISTER, account)
    member = holder(session, account)
    _one_at_a_time(session, member, account.number)
    _require_free(session, member, account.number)
    _require_no_proposal(session, member)
    return move(session, account, "repropose", by=by, opinion=opinion)


def holder(session: Session, account: Account) -> Member:
    """Return whose account it is."""
    return session.exec(
        select(Member).where(Member.division_code == account.division_code, Member.id == account.member_id)
    ).one()


# --- asked of the bank --------------------------------------------------------------------------------------------


def submit(session: Session, account: Account, *, by: ActingOfficer) -> Account:
    """Send an account to the bank for verification, for the first time or again. （第十二条）"""
    allow(session, by, Permission.ACCOUNT_VERIFY, account)
    move(session, account, "submit", by=by)
    return _ask_bank(session, account)


def recheck(session: Session, account: Account, *, by: ActingOfficer) -> Account:
    """Ask the bank again about an account that it had verified or called dormant. （第十二条、第二十一条第二项）"""
    allow(session, by, Permission.ACCOUNT_VERIFY, account)
    verb = "submit" if account.status in (AccountStatus.REGISTERED, AccountStatus.REFUSED) else "recheck"
    if account.status != AccountStatus.VERIFYING:
        move(session, account, verb, by=by)
        _ask_bank(session, account)
    return account


def _ask_bank(session: Session, account: Account) -> Account:
    """Put the question to the bank's interface; a bank without one answers at its own desk. （第十二、三十四条）"""
    if session.execute(AT_THE_DESK, {"prefix": account.bank_code[:PREFIX]}).first() is not None:
        return account
    ask(session, TOPIC, f"account:{account.id}:{account.version}", account, {"version": account.version})
    return account


def holder_of(session: Session, line: RosterLine) -> Member:
    """Return whose account a line is paid to: the present account's holder, else the person entitled."""
    holder = line.member_id
    if line.account_id is not None:
        holder = account_of(session, line).member_id
    return session.exec(select(Member).where(Member.division_code == line.division_code, Member.id == holder)).one()


def account_of(session: Session, line: RosterLine) -> Account:
    """Return the account that a line names. Raises NoAccount."""
    account = session.exec(
        select(Account).where(Account.division_code == line.division_code, Account.id == line.account_id)
    ).one_or_none()
    if account is None:
        raise NoAccount(sequence=line.sequence)
    return account


# --- the bank's answer --------------------------------------------------------------------------------------------


def _question(session: Session, message: OutboxMessage) -> list[AccountQuery]:
    account, member = session.exec(
        select(Account, Member)
        .join(
            Member,
            sa.and_(col(Member.division_code) == col(Account.division_code), col(Member.id) == col(Account.member_id)),
        )
        .where(Account.division_code == message.division_code, Account.id == message.record_id)
    ).one()
    return [AccountQuery(str(account.id), account.number, member.name, member.id_number)]


def _apply(session: Session, message: OutboxMessage, answer: Sequence[AccountAnswer], by: ActingOfficer) -> bool:
    account = session.exec(
        select(Account)
        .where(Account.division_code == message.division_code, Account.id == message.record_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    if account.status == AccountStatus.VERIFYING:
        apply_answer(session, account, answer[0], by=by)
    return True


TOPICS[TOPIC] = Topic(prepare=_question, send=banks.verify_accounts, inquire=banks.verify_accounts, apply=_apply)
