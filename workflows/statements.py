"""Bank statements of the agent accounts against the journal, entry by entry. （第二十二条）

A payment that the bank shows as come back (退汇) is reversed first; what is left is compared by reference and side.
"""

from collections.abc import Sequence
from datetime import date, timedelta

import sqlalchemy as sa
import structlog
from sqlalchemy import text
from sqlmodel import Session, col, select

from integrations import banks
from integrations.errors import Rejected, Unavailable, Unreadable
from integrations.iso20022 import camt053
from integrations.iso20022.camt053 import Entry, StatementFile
from models.base import county_of
from models.crypto import account_index
from models.jobs import Job, JobStatus
from models.officers import ActingOfficer
from models.payment_orders import AgentAccount, AgentBank
from models.statements import ReconciliationStatus, Statement
from policies.clock import now, today
from policies.enforcement import allow
from policies.moves import record_event
from policies.permissions import Permission
from policies.refusals import NotFound, Refused
from workflows import disbursements
from workflows.edges import edge
from workflows.jobs import Waiting
from workflows.queue import finish, officer_of_post, progress, start_job

log = structlog.get_logger()

RECONCILE = "reconcile_statement"


class DayOpen(Refused):
    """账单日期 {day} 晚于今天，银行还没有出账；请选择今天或以前的日期（第二十二条）。"""

    status_code = 400


class StatementRejected(Refused):
    """代理银行没有提供对账单：{text}（代码 {code}）；请与代理金融机构核对代发户后重试（第二十二条）。"""


class StatementUnreadable(Refused):
    """代理银行提供的对账单无法读取：{problem}；请联系代理金融机构重新提供（第二十二条）。"""


def start_reconciliation(session: Session, *, by: ActingOfficer, agent_account_id: str | int, day: date) -> Job:
    """Start fetching and reconciling one day's statement of an agent account as a job. （第二十二条）

    Raises NotFound, DayOpen.
    """
    allow(session, by, Permission.STATEMENT_RECONCILE)
    account = _account(session, county_of(by.division_code), int(agent_account_id))
    if day > today(session):
        raise DayOpen(day=day)
    return start_job(
        session,
        by=by,
        kind=RECONCILE,
        title=f"对账：{account.name} {day}",
        division_code=account.division_code,
        arguments={"agent_account_id": account.id, "day": day.isoformat()},
    )


def run_reconciliation(job_id: int, post_id: int) -> None:
    """Run the reconciliation job. Raises Waiting while the bank can't be reached, PostEnded."""
    by = officer_of_post(post_id)
    progress(by, job_id, 0, 1, "取对账单")
    with edge(by, "reconcile", "银行对账单") as session:
        asked = session.get_one(Job, job_id).arguments
    try:
        made = reconcile(by=by, agent_account_id=asked["agent_account_id"], day=date.fromisoformat(asked["day"]))
    except Unavailable as away:
        raise Waiting(str(away)) from away
    with edge(by, "reconcile", "银行对账单") as session:
        told = "；".join(f"{one.statement_number} {one.status.label}，差异 {one.difference_count} 笔" for one in made)
        finish(session, job_id, JobStatus.DONE, told)


def reconcile(*, by: ActingOfficer, agent_account_id: int, day: date) -> list[Statement]:
    """Fetch one day's statement and reconcile it; the same statement again is reconciled anew. （第二十二条）

    Nothing is open while the bank is asked. Raises NotFound, NotAllowed, StatementRejected, StatementUnreadable,
    Unavailable.
    """
    with edge(by, "reconcile", "银行对账单") as session:
        allow(session, by, Permission.STATEMENT_RECONCILE)
        number = _account(session, county_of(by.division_code), agent_account_id).number
    try:
        files = camt053.read(banks.fetch_statement(number, day))
    except Rejected as refused:
        raise StatementRejected(text=refused.text, code=refused.code) from refused
    except Unreadable as problem:
        raise StatementUnreadable(problem=problem.fields.get("problem", "")) from problem
    made = []
    for file in files:
        with edge(by, "reconcile", file.number) as session:
            made.append(keep(session, file, by=by))
    return made


def reconcile_accounts(by: ActingOfficer) -> int:
    """Reconcile yesterday's statement of every agent account that has none yet; return how many. （第二十二条）

    For a sweep: `by` is a system principal. A statement that the bank refuses or garbles waits for the next round.
    Raises Unavailable.
    """
    with edge(by, "reconcile", "银行对账单") as session:
        day = today(session) - timedelta(days=1)
        waiting = session.exec(
            select(AgentAccount)
            .join(AgentBank, col(AgentBank.id) == col(AgentAccount.bank_id))
            .where(
                col(AgentBank.interface),
                ~sa.exists().where(
                    col(Statement.division_code) == col(AgentAccount.division_code),
                    col(Statement.agent_account_id) == col(AgentAccount.id),
                    col(Statement.day) == day,
                ),
            )
        ).all()
    done = 0
    for account in waiting:
        try:
            files = camt053.read(banks.fetch_statement(account.number, day))
        except (Rejected, Unreadable) as problem:
            log.warning("statement waits", agent_account=account.id, problem=type(problem).__name__)
            continue
        for file in files:
            with edge(by, "reconcile", file.number) as session:
                keep(session, file, by=by)
        done += 1
    return done


def _account(session: Session, county: str, account_id: int) -> AgentAccount:
    account = session.exec(
        select(AgentAccount).where(AgentAccount.division_code == county, AgentAccount.id == account_id)
    ).one_or_none()
    if account is None:
        raise NotFound
    return account


def keep(session: Session, file: StatementFile, *, by: ActingOfficer) -> Statement:
    """Keep a statement with its entries and what reconciliation found; set-based. （第二十二条） Raises NotFound."""
    account = session.exec(
        select(AgentAccount).where(AgentAccount.number_index == account_index(file.account_number)).with_for_update()
    ).one_or_none()
    if account is None:
        raise NotFound
    _take_back(session, account, file, by)
    statement = _statement(session, account, file)
    _write_entries(session, statement, file.entries)
    found = _compare(session, statement, account)
    found += _balances(session, statement, account, file)
    statement.difference_count = found
    statement.status = ReconciliationStatus.DIFFERENT if found else ReconciliationStatus.AGREED
    session.flush()
    facts = {"number": statement.statement_number, "day": statement.day.isoformat(), "differences": found}
    record_event(session, statement, "reconcile", by=by, label="对账", noun="statement", facts=facts)
    return statement


RETURNS = text(
    """
    select e.booked_on, array_agg(d.id) as ids
    from unnest(cast(:ids as text[]), cast(:amounts as bigint[]), cast(:days as date[]))
        as e (end_to_end_id, amount_fen, booked_on)
    join disbursements d on d.county_code = :county and d.end_to_end_id = e.end_to_end_id
        and d.amount_fen = e.amount_fen and d.agent_account_id = :account and d.status = 'paid'
    group by e.booked_on order by e.booked_on
    """
)


def _take_back(session: Session, account: AgentAccount, file: StatementFile, by: ActingOfficer) -> None:
    """Reverse the payments that the statement shows as come back: money in, under a payment's own reference."""
    credits_ = [entry for entry in file.entries if entry.credit and entry.end_to_end_id]
    rows = session.execute(
        RETURNS,
        {
            "ids": [entry.end_to_end_id for entry in credits_],
            "amounts": [entry.amount_fen for entry in credits_],
            "days": [entry.booked_on for entry in credits_],
            "county": account.division_code,
            "account": account.id,
        },
    ).all()
    for day, ids in rows:
        key = f"{file.number}:{day}:{min(ids)}"
        disbursements.take_back(session, account.division_code, ids, by=by, on=day, key=key)


def _statement(session: Session, account: AgentAccount, file: StatementFile) -> Statement:
    known = session.exec(
        select(Statement)
        .where(
            Statement.division_code == account.division_code,
            Statement.agent_account_id == account.id,
            Statement.statement_number == file.number,
        )
        .with_for_update()
    ).one_or_none()
    statement = known or Statement(
        division_code=account.division_code,
        agent_account_id=account.id or 0,
        statement_number=file.number,
        day=file.day,
        opening_fen=0,
        closing_fen=0,
        status=ReconciliationStatus.DIFFERENT,
        reconciled_at=now(session),
    )
    statement.opening_fen, statement.closing_fen = file.opening_fen, file.closing_fen
    statement.entry_count, statement.reconciled_at = len(file.entries), now(session)
    session.add(statement)
    session.flush()
    keys = {"county": statement.division_code, "statement": statement.id}
    for table in ("statement_entries", "differences"):
        former = f"delete from {table} where division_code = :county and statement_id = :statement"  # noqa: S608
        session.execute(text(former), keys)
    return statement


ENTRIES = text(
    """
    insert into statement_entries (division_code, statement_id, booked_on, credit, amount_fen, reference,
        end_to_end_id, kind)
    select :county, :statement, e.* from unnest(cast(:days as date[]), cast(:credits as boolean[]),
        cast(:amounts as bigint[]), cast(:references as text[]), cast(:ids as text[]), cast(:kinds as text[])) as e
    """
)


def _write_entries(session: Session, statement: Statement, entries: Sequence[Entry]) -> None:
    session.execute(
        ENTRIES,
        {
            "county": statement.division_code,
            "statement": statement.id,
            "days": [entry.booked_on for entry in entries],
            "credits": [entry.credit for entry in entries],
            "amounts": [entry.amount_fen for entry in entries],
            "references": [entry.reference for entry in entries],
            "ids": [entry.end_to_end_id for entry in entries],
            "kinds": [entry.kind for entry in entries],
        },
    )


COMPARE = text(
    """
    insert into differences (division_code, statement_id, kind, end_to_end_id, bank_fen, our_fen)
    select :county, :statement,
        case when o.fen is null and x.day is not null then '记账日不同'
            when o.fen is null then '银行有账面无'
            when b.fen is null then '账面有银行无'
            else '金额不一致' end,
        coalesce(b.reference, o.reference), b.fen, o.fen
    from (
        select coalesce(nullif(end_to_end_id, ''), reference) as reference, credit, sum(amount_fen) as fen
        from statement_entries where division_code = :county and statement_id = :statement group by 1, 2
    ) b
    full join (
        select reference, amount_fen > 0 as credit, sum(abs(amount_fen)) as fen from postings
        where county_code = :county and agent_account_id = :account and ledger = 'agent_account' and value_on = :day
        group by 1, 2
    ) o on o.reference = b.reference and o.credit = b.credit
    left join lateral (select min(p.value_on) as day from postings p where p.county_code = :county
        and p.agent_account_id = :account and p.ledger = 'agent_account' and o.fen is null
        and p.reference = b.reference and (p.amount_fen > 0) = b.credit and p.value_on is not null
        and p.value_on between :day - 7 and :day + 7) x on true
    where b.fen is distinct from o.fen
    """
).bindparams(sa.bindparam("day", type_=sa.Date))


def _compare(session: Session, statement: Statement, account: AgentAccount) -> int:
    done = session.execute(COMPARE, _keys(statement, account))
    return int(done.rowcount)  # type: ignore[attr-defined]


def _keys(statement: Statement, account: AgentAccount) -> dict[str, object]:
    return {
        "county": statement.division_code,
        "statement": statement.id,
        "account": account.id,
        "day": statement.day,
    }


BALANCE = text(
    "select coalesce(sum(amount_fen), 0) from postings where county_code = :county and agent_account_id = :account"
    " and ledger = 'agent_account' and value_on <= :day"
)


def _balances(session: Session, statement: Statement, account: AgentAccount, file: StatementFile) -> int:
    """Compare the closing balance with ours of that day, and the statement with itself."""
    statement.our_balance_fen = int(session.execute(BALANCE, _keys(statement, account)).scalar_one())
    rows = []
    if statement.our_balance_fen != file.closing_fen:
        rows.append(("期末余额不一致", file.closing_fen, statement.our_balance_fen))
    if file.difference_fen:
        rows.append(("账单自身不平", file.closing_fen, file.closing_fen - file.difference_fen))
    for kind, bank_fen, our_fen in rows:
        session.execute(
            text(
                "insert into differences (division_code, statement_id, kind, end_to_end_id, bank_fen, our_fen)"
                " values (:county, :statement, :kind, '', :bank, :ours)"
            ),
            _keys(statement, account) | {"kind": kind, "bank": bank_fen, "ours": our_fen},
        )
    return len(rows)
