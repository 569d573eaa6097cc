"""What banks say of accounts: answers to our questions, and notices at any time. （第十二、二十一条）

A verified account becomes the payment account by itself; a refused one leaves the old one serving. What has become of
an account opens a task for its township, without any clock: the 5 working days run for failed payments alone.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from integrations.banks import AccountAnswer
from models.accounts import Account, AccountRefusal
from models.failures import Failure
from models.officers import ActingOfficer
from models.registry_tasks import TaskKind
from policies.clock import now
from policies.lifecycles.accounts import ACCOUNT_LIFECYCLE
from policies.moves import move_many
from workflows.registry_tasks import raise_tasks, vanish
from workflows.virtual_members import tell_references

VERB_OF_STATE = {"verified": "verify", "dormant": "fall_dormant", "closed": "close"}
"""The account's step by the bank's answer; any other answer refuses it."""
NOTICES = {"dormant": "fall_dormant", "closed": "close", "name_differs": "refuse"}
"""What a bank tells of an account by itself → the account's step."""
TASKS = {
    "dormant": (TaskKind.ACCOUNT_DORMANT, "代理银行反馈为不动户（未激活金融功能），请通知补贴对象激活后再次核实"),
    "closed": (TaskKind.ACCOUNT_CLOSED, "代理银行反馈账户已销户，请补贴对象提供新的社会保障卡并变更账户"),
    "name_differs": (TaskKind.ACCOUNT_NAME, "代理银行反馈户名或证件号码不符，请核对姓名、身份证号和账号"),
}
"""State → the task that it opens, and what the task says; free of personal data."""
NO_CARD = "代理银行反馈不是社会保障卡账户；新增补贴对象应登记社会保障卡账户（第十二条）"


def apply_answer(session: Session, account: Account, answer: AccountAnswer, *, by: ActingOfficer) -> Account:
    """Write the bank's answer onto an account under verification. （第十二条）"""
    apply_answers(session, [replace(answer, reference=str(account.id))], by=by, facts={"answer": answer.text})
    session.refresh(account)
    return account


OPEN_QUESTIONS = text(
    "select id, card_required, verified_at is null as fresh from accounts"
    " where id = any (:ids) and status = 'verifying' order by id for update"
)


def apply_answers(
    session: Session, answers: Sequence[AccountAnswer], *, by: ActingOfficer, facts: dict[str, Any] | None = None
) -> set[int]:
    """Write a bank's answers onto the accounts under verification, set-based; return which were answered. （第十二条）

    A verified account becomes the payment account. A failure that waits for one that the bank refuses goes back to
    the township. （第二十一条第一项） Accounts that wait for no answer (any more) stay as they are.
    """
    rows = session.execute(OPEN_QUESTIONS, {"ids": [int(answer.reference) for answer in answers]}).all()
    bound = {row.id for row in rows if row.card_required}
    waiting, fresh = {row.id for row in rows}, {row.id for row in rows if row.fresh}
    fit = [judged(answer, bound) for answer in answers if int(answer.reference) in waiting]
    keep(session, fit)
    by_verb: dict[str, list[int]] = {}
    for answer in fit:
        by_verb.setdefault(VERB_OF_STATE.get(answer.state, "refuse"), []).append(int(answer.reference))
    for verb, ids in by_verb.items():
        move_many(session, Account, verb, ids, by=by, facts=facts)
    make_payment_accounts(session, by_verb.get("verify", []), fresh, by=by)
    tell_tasks(session, fit, fresh, by=by)
    send_back(session, [one for verb, ids in by_verb.items() if verb != "verify" for one in ids], by)
    return waiting


def judged(answer: AccountAnswer, bound: Collection[int]) -> AccountAnswer:
    """Return the answer as it counts: an account that must be a card isn't verified when the bank says it is none."""
    if answer.state == "verified" and not answer.is_card and int(answer.reference) in bound:
        return replace(answer, state="wrong_kind", text=NO_CARD)
    return answer


def refusal_of(state: str) -> AccountRefusal | None:
    """Return the class of a refusal; None when the answer refuses nothing."""
    if state in VERB_OF_STATE:
        return None
    return AccountRefusal(state) if state in list(AccountRefusal) else AccountRefusal.OTHER


BOUND = text("select id from accounts where id = any (:ids) and card_required")


def keep_checked(session: Session, answers: Sequence[AccountAnswer], *, by: ActingOfficer) -> list[AccountAnswer]:
    """Write what the bank said of a roster's accounts, whatever they wait for; return it as it counts.

    （第十六条第二项） The check records one event for the roster, not one for each account.
    """
    asked = [int(answer.reference) for answer in answers]
    bound = set(session.execute(BOUND, {"ids": asked}).scalars())
    told = [judged(answer, bound) for answer in answers]
    for verb in ("submit", "recheck"):
        move_many(session, Account, verb, asked, by=by, events=False)
    by_verb: dict[str, list[int]] = {}
    for answer in told:
        by_verb.setdefault(VERB_OF_STATE.get(answer.state, "refuse"), []).append(int(answer.reference))
    for verb, ids in by_verb.items():
        move_many(session, Account, verb, ids, by=by, events=False)
    keep(session, told)
    tell_tasks(session, told, by=by)
    return told


KEEP = text(
    """
    update accounts a set answer = b.answer, is_card = b.is_card, refused_for = nullif(b.refusal, ''),
        verified_at = case when b.state = 'verified' then cast(:moment as timestamptz) else a.verified_at end
    from unnest(cast(:ids as bigint[]), cast(:states as text[]), cast(:cards as boolean[]), cast(:answers as text[]),
        cast(:refusals as text[])) as b (id, state, is_card, answer, refusal)
    where a.id = b.id
    """
)


def keep(session: Session, answers: Sequence[AccountAnswer]) -> None:
    """Keep what the bank said: its words, whether it is a card, and the class of a refusal."""
    told = {
        "ids": [int(answer.reference) for answer in answers],
        "states": [answer.state for answer in answers],
        "cards": [answer.is_card for answer in answers],
        "answers": [answer.text for answer in answers],
        "refusals": [str(refusal_of(answer.state) or "") for answer in answers],
    }
    session.execute(KEEP, told | {"moment": now(session)})


# --- the payment account ------------------------------------------------------------------------------------------

PROMOTED = text(
    """
    select distinct on (a.division_code, a.member_id) a.id, a.member_id from accounts a
    left join accounts p on p.division_code = a.division_code and p.member_id = a.member_id and p.is_payment
        and p.status = 'verified' and p.id <> a.id
    where a.id = any (:ids) and a.status = 'verified' and not a.is_payment
        and (p.id is null or a.id = any (:fresh) and (a.is_card or not p.is_card))
    order by a.division_code, a.member_id, a.is_card desc, a.id desc
    """
)
"""Newly verified accounts that take over: a card always, another account only where no verified card serves."""
FORMER = text(
    """
    update accounts o set is_payment = false from accounts n
    where n.id = any (:ids) and o.division_code = n.division_code and o.member_id = n.member_id and o.is_payment
        and o.id <> n.id
    """
)
REPLACED = text(
    "select o.id from accounts n join accounts o on o.division_code = n.division_code and o.id = n.replaces_id"
    " where n.id = any (:ids) and n.status = 'verified' and o.status <> 'closed' order by o.id for update of o"
)


def make_payment_accounts(session: Session, ids: Sequence[int], fresh: Collection[int], *, by: ActingOfficer) -> None:
    """One payment account per person: the old one stays as history, a replaced card is closed. （第十二条）

    fresh: those of them that are verified for the first time.
    """
    if not ids:
        return
    rows = session.execute(PROMOTED, {"ids": list(ids), "fresh": list(fresh)}).all()
    if rows:
        latest = {"ids": [row.id for row in rows]}
        session.execute(FORMER, latest)
        session.execute(text("update accounts set is_payment = true where id = any (:ids)"), latest)
        tell_references(session, [row.member_id for row in rows], "account")
    replaced = list(session.execute(REPLACED, {"ids": list(ids)}).scalars())
    if replaced:
        move_many(session, Account, "replace", replaced, by=by)


# --- tasks of the township ----------------------------------------------------------------------------------------

CONCERNED = text(
    """
    select a.id, a.member_id from accounts a
    where a.id = any (:ids) and (a.is_payment or a.id = any (:fresh) or not exists (select from accounts p
        where p.division_code = a.division_code and p.member_id = a.member_id and p.is_payment
            and p.status = 'verified'))
    order by a.id
    """
)
SOUND = text(
    "select distinct member_id from accounts where id = any (:ids) and is_payment and status = 'verified' order by 1"
)


def tell_tasks(
    session: Session, answers: Sequence[AccountAnswer], fresh: Collection[int] = (), *, by: ActingOfficer
) -> None:
    """Open the townships' tasks for what has become of accounts, and close those that a good account answers.

    （第二十一条第二项） An old account beside a verified one concerns nobody. No task has a clock.
    """
    by_state: dict[str, list[int]] = {}
    for answer in answers:
        by_state.setdefault(answer.state, []).append(int(answer.reference))
    for state, (kind, detail) in TASKS.items():
        rows = session.execute(CONCERNED, {"ids": by_state.get(state, []), "fresh": list(fresh)}).all()
        members, accounts = [row.member_id for row in rows], [row.id for row in rows]
        raise_tasks(session, kind, members, source="bank", detail=detail, accounts=accounts)
    settle_tasks(session, by_state.get("verified", []), by=by)


def settle_tasks(session: Session, ids: Sequence[int], *, by: ActingOfficer) -> None:
    """Close the tasks about the accounts of people whose payment account is verified now."""
    members = list(session.execute(SOUND, {"ids": list(ids)}).scalars()) if ids else []
    for kind, _ in TASKS.values() if members else ():
        vanish(session, kind, members, by=by)


# --- failures that wait for an account ----------------------------------------------------------------------------

WAITING = text(
    """
    select distinct on (f.id) f.id, t.answer from accounts t
    join failures f on f.county_code = t.county_code and f.division_code = t.division_code and f.status = 'corrected'
    join roster_lines l on l.county_code = f.county_code and l.id = f.line_id
    left join accounts a on a.division_code = l.division_code and a.id = l.account_id
    where t.id = any (:ids) and coalesce(a.member_id, l.member_id) = t.member_id
        and not exists (select 1 from accounts n where n.division_code = l.division_code and n.member_id = t.member_id
            and n.status in ('proposed', 'registered', 'verifying'))
    order by f.id, t.id desc
    """
)


def send_back(session: Session, ids: Sequence[int], by: ActingOfficer, why: str = "银行验证未通过") -> None:
    """Return the failures that waited for these accounts to their townships, each with what was said of it."""
    if not ids:
        return
    by_answer: dict[str, list[int]] = {}
    for failure_id, answer in session.execute(WAITING, {"ids": list(ids)}):
        by_answer.setdefault(answer, []).append(failure_id)
    for answer, failure_ids in by_answer.items():
        opinion = f"{why}：{answer}" if answer else why
        move_many(session, Failure, "reject_account", failure_ids, by=by, opinion=opinion)


# --- notices ------------------------------------------------------------------------------------------------------

SOURCES = text("select id from accounts where id = any (:ids) and status = any (:sources) order by id for update")


def fitting(session: Session, verb: str, ids: Sequence[int]) -> set[int]:
    """Return the accounts that can take a notice's step now, under lock."""
    sources = [str(step.source) for step in ACCOUNT_LIFECYCLE.steps if step.verb == verb]
    return set(session.execute(SOURCES, {"ids": list(ids), "sources": sources}).scalars())


def notice(
    session: Session, told: Mapping[int, AccountAnswer], *, by: ActingOfficer, facts: dict[str, Any] | None = None
) -> set[int]:
    """Take a bank's own notices: accounts fall dormant, are closed, or their names differ; return which moved.

    （第二十一条） told: account → what the bank tells; states other than those of NOTICES tell nothing new.
    """
    done: set[int] = set()
    for state, verb in NOTICES.items():
        fit = fitting(session, verb, [one for one, answer in told.items() if answer.state == state])
        if not fit:
            continue
        move_many(session, Account, verb, sorted(fit), by=by, facts=facts)
        keep_notice(session, sorted(fit), state, told)
        done |= fit
    tell_tasks(session, [replace(told[one], reference=str(one)) for one in sorted(done)], by=by)
    return done


KEEP_NOTICE = text(
    """
    update accounts a set answer = coalesce(nullif(b.words, ''), a.answer), refused_for = nullif(:refusal, '')
    from unnest(cast(:ids as bigint[]), cast(:words as text[])) as b (id, words) where a.id = b.id
    """
)


def keep_notice(session: Session, ids: Sequence[int], state: str, told: Mapping[int, AccountAnswer]) -> None:
    """Keep the bank's words and the class of a refusal."""
    refusal = str(refusal_of(state) or "")
    session.execute(KEEP_NOTICE, {"ids": list(ids), "words": [told[one].text for one in ids], "refusal": refusal})
