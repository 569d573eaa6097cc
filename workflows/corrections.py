"""Corrected failures copied as new attempts: each is claimed before its line is copied. （第二十一条第一、二项）"""

from sqlalchemy import text
from sqlmodel import Session

from models.failures import Failure
from models.officers import ActingOfficer
from models.payment_orders import PaymentOrder
from policies.moves import move_many, title_of
from policies.refusals import FasterColleague

CORRECTED = text(
    """
    select f.id from failures f
    join disbursements d on d.county_code = f.county_code and d.id = f.disbursement_id
    join roster_lines l on l.county_code = f.county_code and l.id = f.line_id and l.state = 'active'
    left join accounts o on o.division_code = l.division_code and o.id = l.account_id
    left join accounts a on a.division_code = l.division_code and a.member_id = coalesce(o.member_id, l.member_id)
        and a.is_payment and a.status = 'verified'
    where f.county_code = :county and f.order_id = :order and f.status = 'corrected'
        and d.status in ('failed', 'reversed')
        and (a.id is not null or l.account_id is null and l.account_state = 'verified' and exists (
            select from virtual_members v where v.division_code = l.division_code and v.member_id = l.member_id))
    order by f.line_sequence for update of f
    """
)

TAKE_ACCOUNTS = text(
    """
    update roster_lines l set account_id = a.id, account_number = a.number, account_index = a.number_index,
        bank_name = a.bank_name, bank_code = a.bank_code, account_is_card = a.is_card, account_state = 'verified',
        account_checked_at = a.verified_at
    from failures f, accounts a
    where f.county_code = :county and f.id = any (:ids) and l.county_code = f.county_code and l.id = f.line_id
        and a.division_code = l.division_code and a.is_payment and a.id is distinct from l.account_id
        and a.member_id = coalesce((select o.member_id from accounts o
            where o.division_code = l.division_code and o.id = l.account_id), l.member_id)
    """
)

COPY = text(
    """
    with former as materialized (
        select line_id, max(attempt) + 1 as attempt from disbursements
        where county_code = :county and line_id in (select line_id from failures where county_code = :county
            and id = any (:ids)) group by line_id
    )
    insert into disbursements (county_code, division_code, roster_id, line_id, line_sequence, project_id, order_id,
        sector, bank_id, indicator_id, agent_account_id, attempt, end_to_end_id, entitlement_key, amount_fen,
        payee_name, account_number, account_is_card, bank_code, status, reason_code, reason, failure_class)
    select d.county_code, d.division_code, d.roster_id, d.line_id, d.line_sequence, d.project_id, d.order_id,
        d.sector, d.bank_id, d.indicator_id, d.agent_account_id, n.attempt,
        left(d.county_code, 6) || 'L' || d.line_id || 'A' || n.attempt,
        d.entitlement_key, d.amount_fen, l.payee_name, l.account_number, coalesce(l.account_is_card, true),
        l.bank_code, 'reserved', '', '', ''
    from failures f
    join disbursements d on d.county_code = f.county_code and d.id = f.disbursement_id
    join roster_lines l on l.county_code = f.county_code and l.id = f.line_id
    join former n on n.line_id = d.line_id
    where f.county_code = :county and f.id = any (:ids)
    """
)


def ready(session: Session, order: PaymentOrder) -> list[int]:
    """Return the order's corrected failures whose payee has a verified payment account; their rows are locked.

    The account of a virtual household stands on its line, as its keeper has it. （第十一条）
    """
    keys = {"county": order.division_code, "order": order.id}
    return list(session.execute(CORRECTED, keys).scalars())


def copy(session: Session, order: PaymentOrder, *, by: ActingOfficer) -> int:
    """Claim the order's corrected failures and copy each line as one more attempt of the same amount.

    Lines follow their payee to the account that is now paid to. Raises FasterColleague.
    """
    ids = ready(session, order)
    if not ids:
        return 0
    if move_many(session, Failure, "reissue", ids, by=by, facts={"order": order.number}) != len(ids):
        raise FasterColleague(title=title_of(order))
    keys = {"county": order.division_code, "ids": ids}
    session.execute(TAKE_ACCOUNTS, keys)
    session.execute(COPY, keys)
    return len(ids)
