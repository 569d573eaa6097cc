"""The double-entry journal: every fen from the indicator to the card and back. （第十九至二十二条）

A ledger holds what stands in it as a positive sum; money goes from one ledger to another, so each entry sums to zero.
The business key makes a second booking of the same fact impossible: booking again returns None and changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col

from models.journal import JournalEntry, Ledger, Posting
from policies.clock import now


@dataclass(frozen=True)
class Side:
    """One posting: signed fen in one ledger, and what the money belongs to."""

    ledger: Ledger
    amount_fen: int
    indicator_id: int
    agent_account_id: int | None = None
    project_id: int | None = None
    disbursement_id: int | None = None
    value_on: date | None = None
    reference: str = ""


def transfer(
    source: Ledger,
    target: Ledger,
    amount_fen: int,
    *,
    indicator_id: int,
    agent_account_id: int | None = None,
    project_id: int | None = None,
    value_on: date | None = None,
    reference: str = "",
) -> list[Side]:
    """Return the two sides of money that goes from one ledger to another."""
    return [
        Side(ledger, signed, indicator_id, agent_account_id, project_id, None, value_on, reference)
        for ledger, signed in ((target, amount_fen), (source, -amount_fen))
    ]


def book(
    session: Session, county_code: str, kind: str, business_key: str, postings: Sequence[Side], memo: str = ""
) -> int | None:
    """Book one entry and return its number; None when its business key stands in the journal already."""
    entry = _enter(session, county_code, kind, business_key, memo)
    if entry is None or not postings:
        return entry
    keys = {"county_code": county_code, "division_code": county_code, "entry_id": entry}
    session.execute(sa.insert(Posting).values([keys | vars(side) for side in postings]))
    return entry


ALLOCATIONS = text(
    """
    with given as (
        select * from unnest(cast(:ids as bigint[]), cast(:numbers as text[]), cast(:changes as bigint[]),
            cast(:memos as text[])) as g (indicator_id, number, change, memo)
    ), keyed as (
        select g.*, 'indicator:' || g.number || ':' || (select count(*) from postings p where p.county_code = :county
            and p.ledger = 'allocated' and p.indicator_id = g.indicator_id) as business_key
        from given g
    ), entries as (
        insert into journal_entries (county_code, division_code, kind, business_key, memo, booked_at)
        select :county, :county, 'indicator', k.business_key, k.memo, :moment from keyed k
        on conflict (business_key) do nothing
        returning id, business_key
    )
    insert into postings (county_code, division_code, entry_id, ledger, indicator_id, amount_fen)
    select :county, :county, e.id, side.ledger, k.indicator_id, side.sign * k.change
    from entries e join keyed k on k.business_key = e.business_key
    cross join (values ('available', 1), ('allocated', -1)) as side (ledger, sign)
    """
)
"""One entry for each indicator that is new or whose amount changed, in one statement."""


def book_allocations(session: Session, county_code: str, changes: Sequence[tuple[int, str, int, str]]) -> None:
    """Book what was issued or changed of indicators: id, BGT_ID, fen more or less, memo. （第十条）"""
    if not changes:
        return
    ids, numbers, fens, memos = (list(column) for column in zip(*changes, strict=True))
    asked = {"county": county_code, "moment": now(session), "ids": ids, "numbers": numbers}
    session.execute(ALLOCATIONS, asked | {"changes": fens, "memos": memos})


PAYMENTS = text(
    """
    insert into postings (county_code, division_code, entry_id, ledger, indicator_id, agent_account_id, project_id,
        disbursement_id, amount_fen, value_on, reference)
    select d.county_code, d.county_code, :entry, side.ledger, d.indicator_id, d.agent_account_id, d.project_id, d.id,
        side.sign * d.amount_fen, coalesce(cast(:day as date), d.settled_on), d.end_to_end_id
    from unnest(cast(:ids as bigint[])) as paid (id)
    join disbursements d on d.county_code = :county and d.id = paid.id
    cross join (values (cast(:target as text), 1), (cast(:source as text), -1)) as side (ledger, sign)
    """
)
"""Two postings for each payment, in one statement: the trigger sees the whole entry."""


def book_payments(
    session: Session, county_code: str, business_key: str, disbursement_ids: Sequence[int], memo: str = ""
) -> int | None:
    """Book payments that succeeded: from the agent account to the people, one entry for all of them. （第二十条）"""
    return _book_many(session, county_code, "pay", business_key, disbursement_ids, memo, None)


def book_reversals(
    session: Session, county_code: str, business_key: str, disbursement_ids: Sequence[int], on: date, memo: str = ""
) -> int | None:
    """Book payments that came back to the agent account on a day (退汇). （第二十一、二十二条）"""
    return _book_many(session, county_code, "reverse", business_key, disbursement_ids, memo, on)


def _book_many(
    session: Session,
    county_code: str,
    kind: str,
    business_key: str,
    ids: Sequence[int],
    memo: str,
    on: date | None,
) -> int | None:
    entry = _enter(session, county_code, kind, business_key, memo)
    if entry is None:
        return None
    ledgers = (Ledger.AGENT_ACCOUNT, Ledger.PAID) if kind == "pay" else (Ledger.PAID, Ledger.AGENT_ACCOUNT)
    values = {"source": ledgers[0].value, "target": ledgers[1].value, "ids": list(ids), "day": on}
    session.execute(PAYMENTS, values | {"entry": entry, "county": county_code})
    return entry


def _enter(session: Session, county_code: str, kind: str, business_key: str, memo: str) -> int | None:
    statement = (
        insert(JournalEntry)
        .values(
            county_code=county_code,
            division_code=county_code,
            kind=kind,
            business_key=business_key,
            memo=memo,
            booked_at=now(session),
        )
        .on_conflict_do_nothing(index_elements=["business_key"])
        .returning(col(JournalEntry.id))
    )
    return session.execute(statement).scalar_one_or_none()


@dataclass(frozen=True)
class Problem:
    """One thing that does not agree, with the figures on both sides."""

    check: str
    where: str
    expected_fen: int
    found_fen: int

    def __str__(self) -> str:
        """Return the problem as officers read it."""
        return f"{self.check}（{self.where}）：应为 {self.expected_fen} 分，实为 {self.found_fen} 分"


CHECKS: tuple[tuple[str, str], ...] = (
    (
        "凭证借贷不平",
        "select 'entry ' || entry_id, 0, sum(amount_fen) from postings group by county_code, entry_id"
        " having sum(amount_fen) <> 0",
    ),
    (
        "指标与账面不符",
        """
        select i.document_number || ' ' || v.name, v.projected, coalesce(b.booked, 0)
        from budget_indicators i
        cross join lateral (values ('available', i.available_fen), ('reserved', i.reserved_fen),
            ('requested', i.requested_fen), ('paid', i.paid_fen), ('allocated', -i.amount_fen)) as v (name, projected)
        left join (
            select county_code, indicator_id, case when ledger in ('in_transit', 'agent_account', 'paid') then 'paid'
                else ledger end as name, sum(amount_fen) as booked
            from postings group by 1, 2, 3
        ) b on b.county_code = i.division_code and b.indicator_id = i.id and b.name = v.name
        where v.projected <> coalesce(b.booked, 0)
        """,
    ),
    (
        "代发户余额为负",
        "select 'agent account ' || agent_account_id, 0, sum(amount_fen) from postings where ledger = 'agent_account'"
        " group by county_code, agent_account_id having sum(amount_fen) < 0",
    ),
    (
        "代发户到账、发放、退回不符",
        """
        select 'agent account ' || a.id, coalesce(o.fen, 0) - coalesce(d.fen, 0) - coalesce(r.fen, 0),
            coalesce(p.fen, 0)
        from agent_accounts a
        left join (select division_code, agent_account_id, sum(amount_fen) fen from payment_orders
            where credited_at is not null group by 1, 2) o on o.division_code = a.division_code
            and o.agent_account_id = a.id
        left join (select county_code, agent_account_id, sum(amount_fen) fen from disbursements
            where status = 'paid' group by 1, 2) d on d.county_code = a.division_code and d.agent_account_id = a.id
        left join (select division_code, agent_account_id, sum(amount_fen) fen from refunds
            where returned_at is not null group by 1, 2) r on r.division_code = a.division_code
            and r.agent_account_id = a.id
        left join (select county_code, agent_account_id, sum(amount_fen) fen from postings
            where ledger = 'agent_account' group by 1, 2) p on p.county_code = a.division_code
            and p.agent_account_id = a.id
        where coalesce(o.fen, 0) - coalesce(d.fen, 0) - coalesce(r.fen, 0) <> coalesce(p.fen, 0)
        """,
    ),
    (
        "发放结果与账面不符",
        """
        select d.end_to_end_id, case when d.status = 'paid' then d.amount_fen else 0 end, coalesce(p.fen, 0)
        from disbursements d
        full join (select county_code, disbursement_id, sum(amount_fen) fen from postings
            where ledger = 'paid' group by 1, 2) p on p.county_code = d.county_code and p.disbursement_id = d.id
        where case when d.status = 'paid' then d.amount_fen else 0 end <> coalesce(p.fen, 0)
        """,
    ),
    (
        "发放权登记与成功发放不符",
        """
        select coalesce(d.end_to_end_id, s.entitlement_key),
            case when d.status = 'paid' then 1 else 0 end, case when s.disbursement_id is null then 0 else 1 end
        from disbursements d
        full join entitlement_successes s on s.division_code = d.county_code and s.disbursement_id = d.id
        where (coalesce(d.status, '') = 'paid') <> (s.disbursement_id is not null)
        """,
    ),
    (
        "清册实发与明细不符",
        """
        select r.number, coalesce(sum(d.amount_fen) filter (where d.status = 'paid'), 0), r.paid_fen
        from rosters r
        left join disbursements d on d.division_code = r.division_code and d.roster_id = r.id
        group by r.id, r.number, r.paid_fen
        having coalesce(sum(d.amount_fen) filter (where d.status = 'paid'), 0) <> r.paid_fen
        """,
    ),
    (
        "批次成功金额与明细不符",
        """
        select b.number, coalesce(sum(d.amount_fen) filter (where d.status = 'paid'), 0), b.paid_fen
        from bank_batches b left join disbursements d on d.county_code = b.division_code and d.batch_id = b.id
        group by b.id, b.number, b.paid_fen
        having coalesce(sum(d.amount_fen) filter (where d.status = 'paid'), 0) <> b.paid_fen
        """,
    ),
)
"""What is proved, and the statement whose rows (where, expected, found) are the counter-examples."""

SHOWN = 20


def verify(session: Session) -> list[Problem]:
    """Prove the books of everything in the caller's range; return what does not agree, at most 20 of each kind.

    Balances are rebuilt from the postings: entries sum to zero; indicators, agent accounts, payments, claims, rosters
    and batches are what the journal says. （第二十二条）
    """
    problems: list[Problem] = []
    for name, statement in CHECKS:
        rows = session.execute(text(f"select * from ({statement}) as found limit {SHOWN}"))  # noqa: S608 - constants
        problems += [Problem(name, str(where), int(expected), int(found)) for where, expected, found in rows]
    return problems
