"""One-card accounts: registered by the township, verified by the agent bank before they are used. （第十二条）

A verified new account becomes the payment account by itself; until then the old one serves.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy import text
from sqlmodel import Session, col, select

from integrations import banks
from integrations.banks import AccountAnswer, AccountQuery
from models.accounts import Account, AccountStatus
from models.crypto import account_index
from models.failures import Failure
from models.households import Member
from models.officers import ActingOfficer
from models.outbox import OutboxMessage
from models.payment_orders import AgentBank
from models.rosters import RosterLine
from policies.clock import now
from policies.enforcement import allow
from policies.identities import luhn_valid
from policies.lifecycles import Desk
from policies.moves import move, move_many, record_event
from policies.permissions import Permission
from policies.refusals import Refused
from workflows.outbox import TOPICS, Topic, ask

TOPIC = "account_check"
PREFIX = 3
"""The digits of a CNAPS code that name the bank."""
AT_THE_DESK = text("select 1 from agent_banks where prefix = :prefix and not interface")
CARD = re.compile(r"\d{16,19}")
VERB_OF_STATE = {"verified": "verify", "dormant": "fall_dormant", "closed": "close"}
"""The account's step by the bank's answer; any other answer refuses it."""


class CardNumberWrong(Refused):
    """社会保障卡账号不正确：须为 16 至 19 位数字并通过校验；请对照卡面逐位核对后重新填写（第十二条）。"""

    status_code = 400


class AccountTaken(Refused):
    """该账号已登记在其他人名下，不能重复登记；请核对账号和持卡人（第十二条）。"""


class AccountKnown(Refused):
    """该账号已登记，当前状态为“{status}”，无需重复登记；请换用其他社会保障卡，或对原账户重新提交验证（第十二条）。"""


class BankUnknown(Refused):
    """开户银行“{bank}”不在代理金融机构名录中；请从 {banks} 中选择（第十二、三十四条）。"""

    status_code = 400


class NoAccount(Refused):
    """序号 {sequence} 的明细没有登记账户；请先为收款人登记社会保障卡账户（第十二条）。"""


def register(session: Session, member: Member, *, by: ActingOfficer, number: str, bank_name: str = "") -> Account:
    """Register a person's social-security card and send it to the bank for verification. （第十二条）

    bank_name "": the bank of the person's present account. Raises CardNumberWrong, AccountTaken, AccountKnown,
    BankUnknown.
    """
    allow(session, by, Permission.ACCOUNT_REGISTER, member)
    card = number.strip().replace(" ", "")
    if not CARD.fullmatch(card) or not luhn_valid(card):
        raise CardNumberWrong
    _require_free(session, member, card)
    name, code = _bank(session, member, bank_name.strip())
    account = Account(
        division_code=member.division_code,
        county_code=member.county_code,
        member_id=member.id or 0,
        number=card,
        number_index=account_index(card),
        bank_name=name,
        bank_code=code,
        is_payment=_has_none(session, member),
        registered_by=by.officer_id,
    )
    session.add(account)
    session.flush()
    record_event(session, account, "register", by=by, label="登记账户", desk=Desk.TOWNSHIP_CLERK)
    return submit(session, account, by=by)


def _require_free(session: Session, member: Member, card: str) -> None:
    taken = session.exec(
        select(Account).where(
            col(Account.number_index) == account_index(card), col(Account.status) != AccountStatus.CLOSED
        )
    ).all()
    if any(account.member_id != member.id for account in taken):
        raise AccountTaken
    if taken:
        raise AccountKnown(status=taken[0].status.label)


def _has_none(session: Session, member: Member) -> bool:
    found = session.execute(
        text("select 1 from accounts where division_code = :division and member_id = :member and is_payment"),
        {"division": member.division_code, "member": member.id},
    ).first()
    return found is None


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


def apply_answer(session: Session, account: Account, answer: AccountAnswer, *, by: ActingOfficer) -> Account:
    """Write the bank's answer onto an account under verification. （第十二条）"""
    apply_answers(session, [replace(answer, reference=str(account.id))], by=by, facts={"answer": answer.text})
    session.refresh(account)
    return account


OPEN_QUESTIONS = text("select id from accounts where id = any (:ids) and status = 'verifying' order by id for update")
KEEP = text(
    """
    update accounts a set answer = b.answer, is_card = b.is_card,
        verified_at = case when b.state = 'verified' then cast(:moment as timestamptz) else a.verified_at end
    from unnest(cast(:ids as bigint[]), cast(:states as text[]), cast(:cards as boolean[]), cast(:answers as text[]))
        as b (id, state, is_card, answer)
    where a.id = b.id
    """
)


def apply_answers(
    session: Session, answers: Sequence[AccountAnswer], *, by: ActingOfficer, facts: dict[str, Any] | None = None
) -> set[int]:
    """Write a bank's answers onto the accounts under verification, set-based; return which were answered. （第十二条）

    A verified account becomes the payment account. A failure that waits for one that the bank refuses goes back to
    the township. （第二十一条第一项） Accounts that wait for no answer (any more) stay as they are.
    """
    asked = {"ids": [int(answer.reference) for answer in answers]}
    waiting = set(session.execute(OPEN_QUESTIONS, asked).scalars())
    fit = [answer for answer in answers if int(answer.reference) in waiting]
    told = {
        "ids": [int(answer.reference) for answer in fit],
        "states": [answer.state for answer in fit],
        "cards": [answer.is_card for answer in fit],
        "answers": [answer.text for answer in fit],
    }
    session.execute(KEEP, told | {"moment": now(session)})
    by_verb: dict[str, list[int]] = {}
    for answer in fit:
        by_verb.setdefault(VERB_OF_STATE.get(answer.state, "refuse"), []).append(int(answer.reference))
    for verb, ids in by_verb.items():
        move_many(session, Account, verb, ids, by=by, facts=facts)
    _make_payment_accounts(session, by_verb.get("verify", []))
    _send_back(session, [one for verb, ids in by_verb.items() if verb != "verify" for one in ids], by)
    return waiting


LATEST = text(
    "select distinct on (division_code, member_id) id from accounts where id = any (:ids)"
    " order by division_code, member_id, id desc"
)
FORMER = text(
    """
    update accounts o set is_payment = false from accounts n
    where n.id = any (:ids) and o.division_code = n.division_code and o.member_id = n.member_id and o.is_payment
        and o.id <> n.id
    """
)


def _make_payment_accounts(session: Session, ids: Sequence[int]) -> None:
    """One payment account per person: the old one stays as history. （第十二条）"""
    latest = {"ids": list(session.execute(LATEST, {"ids": list(ids)}).scalars())} if ids else {"ids": []}
    if latest["ids"]:
        session.execute(FORMER, latest)
        session.execute(text("update accounts set is_payment = true where id = any (:ids)"), latest)


WAITING = text(
    """
    select distinct on (f.id) f.id, t.answer from accounts t
    join failures f on f.county_code = t.county_code and f.division_code = t.division_code and f.status = 'corrected'
    join roster_lines l on l.county_code = f.county_code and l.id = f.line_id
    left join accounts a on a.division_code = l.division_code and a.id = l.account_id
    where t.id = any (:ids) and coalesce(a.member_id, l.member_id) = t.member_id
        and not exists (select 1 from accounts n where n.division_code = l.division_code and n.member_id = t.member_id
            and n.status = 'verifying')
    order by f.id, t.id desc
    """
)


def _send_back(session: Session, ids: Sequence[int], by: ActingOfficer) -> None:
    """Return the failures that waited for these accounts to their townships, each with what the bank said."""
    if not ids:
        return
    by_answer: dict[str, list[int]] = {}
    for failure_id, answer in session.execute(WAITING, {"ids": list(ids)}):
        by_answer.setdefault(answer, []).append(failure_id)
    for answer, failure_ids in by_answer.items():
        move_many(session, Failure, "reject_account", failure_ids, by=by, opinion=f"银行验证未通过：{answer}")
