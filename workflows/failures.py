"""Failed payments on their way by Article 21: corrected and paid again, or removed and refunded. （第二十一条）"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import text
from sqlmodel import Session, col, select

from integrations.banks import AccountAnswer
from integrations.iso20022.reasons import FailureClass as C
from models.bank_batches import BankBatch
from models.failures import Failure, FailureRoute
from models.officers import ActingOfficer
from models.rosters import LineState, Roster, RosterLine, RosterStatus
from policies.clock import now
from policies.enforcement import allow
from policies.lifecycles.failures import FAILURE_LIFECYCLE
from policies.moves import move, move_many, record_event, require_desk, title_of
from policies.permissions import Permission
from policies.refusals import FasterColleague, ReasonMissing, Refused
from workflows import account_answers, accounts, results
from workflows.plans import by_hash
from workflows.virtual_guards import require_kept_here, tell_keepers

RETURNED = "returned"
"""The class of a payment that came back after it had been paid (退汇)."""

ROUTES: dict[str, FailureRoute] = {
    C.INVALID: FailureRoute.CHANGE_ACCOUNT,
    C.CLOSED: FailureRoute.CHANGE_ACCOUNT,
    C.FROZEN: FailureRoute.CHANGE_ACCOUNT,
    C.LOST_CARD: FailureRoute.CHANGE_ACCOUNT,
    C.NAME_DIFFERS: FailureRoute.CHANGE_ACCOUNT,
    C.WRONG_KIND: FailureRoute.CHANGE_ACCOUNT,
    RETURNED: FailureRoute.CHANGE_ACCOUNT,
    C.DORMANT: FailureRoute.ACTIVATE,
    C.DEAD: FailureRoute.REMOVE,
    C.LIMIT: FailureRoute.FINANCE,
    C.AGENT_SHORT: FailureRoute.FINANCE,
    C.BANK_CODE: FailureRoute.FINANCE,
    C.DUPLICATE: FailureRoute.EXCEPTION,
    C.UNSPECIFIED: FailureRoute.EXCEPTION,
}
"""Class of a failure → the item of Article 21 it follows."""

BANK_NOTICES = (C.DORMANT, C.CLOSED, C.NAME_DIFFERS)
"""What a failure tells of the account itself, as a notice of the bank would. （第二十一条）"""

WAYS = {
    "correct": (FailureRoute.CHANGE_ACCOUNT, FailureRoute.ACTIVATE, FailureRoute.EXCEPTION),
    "activate": (FailureRoute.ACTIVATE,),
    "report_unpayable": tuple(FailureRoute),
    "retry": (FailureRoute.FINANCE, FailureRoute.EXCEPTION),
}
"""Which routes a verb may be taken on: the dead are in no way that leads to another payment."""


class NotThisWay(Refused):
    """该笔按“{route}”处理，不能办理“{step}”；请按页面提示的处理方式办理（第二十一条）。"""


class PaidAsDuplicate(Refused):
    """银行答复该笔重复支付，不能直接重付；请先向代理金融机构核实是否已到账，再反馈主管部门处理（第二十一条）。"""


# --- opened and concluded by results ------------------------------------------------------------------------------

INSERT = text(
    """
    insert into failures (division_code, county_code, roster_id, line_id, line_sequence, disbursement_id, order_id,
        project_name, sector, name, amount_fen, failure_class, reason, route, status, version, arrived_at, resolution)
    select d.division_code, d.county_code, d.roster_id, d.line_id, d.line_sequence, d.id, d.order_id, r.project_name,
        r.sector, d.payee_name, d.amount_fen, k.class, d.reason, k.route, 'open', 1, cast(:moment as timestamptz), ''
    from unnest(cast(:ids as bigint[])) as one (id)
    join disbursements d on d.county_code = :county and d.batch_id = :batch and d.id = one.id
    join rosters r on r.division_code = d.division_code and r.id = d.roster_id
    join unnest(cast(:classes as text[]), cast(:routes as text[])) as k (class, route)
        on k.class = case when d.status = 'reversed' then 'returned' else d.failure_class end
    order by d.line_sequence, d.id
    on conflict (county_code, disbursement_id) do nothing
    """
)

ACCOUNTS = text(
    """
    select d.failure_class as class, array_agg(distinct l.account_id) as ids
    from disbursements d join roster_lines l on l.county_code = d.county_code and l.id = d.line_id
    where d.county_code = :county and d.id = any (:ids) and d.failure_class = any (:classes)
        and l.account_id is not null and l.account_number is not null
    group by 1
    """
)


def open_(session: Session, batch: BankBatch, disbursement_ids: Sequence[int], *, by: ActingOfficer) -> None:
    """Open a failure for each failed attempt, with its way by Article 21; the bank's notices reach the accounts."""
    keys = {"county": batch.division_code, "batch": batch.id, "ids": list(disbursement_ids)}
    ways = {"classes": [str(kind) for kind in ROUTES], "routes": [str(route) for route in ROUTES.values()]}
    with by_hash(session):
        session.execute(INSERT, keys | ways | {"moment": now(session)})
    found = session.execute(ACCOUNTS, keys | {"classes": [str(kind) for kind in BANK_NOTICES]})
    told = {one: AccountAnswer(str(one), kind, True, "") for kind, ids in found for one in ids}
    account_answers.notice(session, told, by=by, facts={"batch": batch.number})
    tell_keepers(session, batch.division_code, disbursement_ids)


FORMER = text(
    """
    select f.id from failures f
    join disbursements d on d.county_code = f.county_code and d.line_id = f.line_id
    where d.county_code = :county and d.batch_id = :batch and d.attempt > 1 and f.status = 'reissued'
        and d.id in (select unnest(cast(:ids as bigint[])))
        and f.disbursement_id <> d.id
    """
)


def conclude(
    session: Session, batch: BankBatch, paid: Sequence[int], failed: Sequence[int], *, by: ActingOfficer
) -> None:
    """Conclude what a file answered: former failures of its lines, and where their rosters stand. （第二十一条）"""
    for ids, verb in ((paid, "settle"), (failed, "fail_again")):
        if ids:
            keys = {"county": batch.division_code, "batch": batch.id, "ids": list(ids)}
            with by_hash(session):
                former = session.execute(FORMER, keys).scalars().all()
            move_many(session, Failure, verb, former, by=by, facts={"batch": batch.number})
    settle_rosters(session, batch.division_code, [*paid, *failed], by=by)


PAID_SUMS = text(
    """
    update rosters r set paid_fen = coalesce((select sum(d.amount_fen) from disbursements d
        where d.division_code = r.division_code and d.roster_id = r.id and d.status = 'paid'), 0)
    where r.county_code = :county and r.id = any (:ids)
    """
)

WHOLE = text(
    """
    select bool_and(d.line_id is not null) from roster_lines l
    left join disbursements d on d.division_code = :division and d.roster_id = :roster and d.line_id = l.id
        and d.status = 'paid'
    where l.division_code = :division and l.roster_id = :roster and l.state = 'active'
    """
)


def settle_rosters(session: Session, county_code: str, disbursement_ids: Sequence[int], *, by: ActingOfficer) -> None:
    """Carry what was paid to the rosters of some attempts, and move them to partly paid or paid. （第二十条）"""
    _settle(session, county_code, results.rosters_of(session, county_code, disbursement_ids), by)


def _settle(session: Session, county_code: str, roster_ids: Sequence[int], by: ActingOfficer) -> None:
    keys = {"county": county_code, "ids": list(roster_ids)}
    session.flush()
    session.execute(PAID_SUMS, keys)
    for roster_id in roster_ids:
        roster = session.exec(
            select(Roster).where(Roster.id == roster_id).with_for_update().execution_options(populate_existing=True)
        ).one()
        with by_hash(session):
            found = session.execute(WHOLE, {"division": roster.division_code, "roster": roster.id}).scalar_one()
        verb = _roster_step(roster, bool(found) or found is None)
        if verb:
            move(session, roster, verb, by=by, facts={"paid_fen": roster.paid_fen})


def _roster_step(roster: Roster, whole: bool) -> str:
    if roster.status in (RosterStatus.ORDERED, RosterStatus.PART_PAID) and whole and roster.paid_fen:
        return "pay"
    if roster.status == RosterStatus.ORDERED and roster.paid_fen:
        return "pay_part"
    return "unpay" if roster.status == RosterStatus.PAID and not whole else ""


# --- verbs --------------------------------------------------------------------------------------------------------


def notify(session: Session, failure: Failure, *, by: ActingOfficer, opinion: str = "") -> Failure:
    """Notify the township of a failure; its 5 working days run from here. （第二十一条第一项）"""
    _allow(session, failure, "notify", by)
    return move(session, failure, "notify", by=by, opinion=opinion)


def retry(session: Session, failure: Failure, *, by: ActingOfficer, resolution: str) -> Failure:
    """Put a failure of the finance bureau's own making right for re-issue: limit, short account, bank code.

    （第二十一条） Raises NotThisWay, PaidAsDuplicate, ReasonMissing.
    """
    _allow(session, failure, "retry", by)
    if failure.failure_class == C.DUPLICATE:
        raise PaidAsDuplicate
    return _resolve(session, failure, "retry", by, resolution)


def correct(
    session: Session,
    failure: Failure,
    *,
    by: ActingOfficer,
    account_number: str,
    bank_name: str = "",
    resolution: str = "更正账户",
) -> Failure:
    """Propose the payee's new account: the head confirms it, the bank verifies it, then the line is paid again.

    （第二十一条第一项）

    Raises NotThisWay and the refusals of `accounts.register`.
    """
    _allow(session, failure, "correct", by)
    require_kept_here(session, failure.division_code, _line(session, failure).member_id)
    holder = accounts.holder_of(session, _line(session, failure))
    accounts.register(session, holder, by=by, number=account_number, bank_name=bank_name, reason=resolution)
    return _resolve(session, failure, "correct", by, resolution)


def activate(session: Session, failure: Failure, *, by: ActingOfficer, resolution: str) -> Failure:
    """Confirm that the payee has activated a dormant account; the bank is asked again. （第二十一条第二项）

    Raises NotThisWay, ReasonMissing.
    """
    _allow(session, failure, "activate", by)
    require_kept_here(session, failure.division_code, _line(session, failure).member_id)
    accounts.recheck(session, accounts.account_of(session, _line(session, failure)), by=by)
    return _resolve(session, failure, "activate", by, resolution)


def report_unpayable(session: Session, failure: Failure, *, by: ActingOfficer, resolution: str) -> Failure:
    """Report to the department that a person has died or can't be reached. （第二十一条第一、三项）

    Raises ReasonMissing.
    """
    _allow(session, failure, "report_unpayable", by)
    return _resolve(session, failure, "report_unpayable", by, resolution)


def remove(session: Session, failure: Failure, *, by: ActingOfficer, resolution: str) -> Failure:
    """Remove a reported line from its roster; its money is to be refunded. （第二十一条第一、三项）

    Raises ReasonMissing, FasterColleague.
    """
    _allow(session, failure, "remove", by)
    _stop_line(session, failure, resolution, by)
    _resolve(session, failure, "remove", by, resolution)
    _settle(session, failure.county_code, [failure.roster_id], by)
    return failure


def _allow(session: Session, failure: Failure, verb: str, by: ActingOfficer) -> None:
    permission = next(step.permission for step in FAILURE_LIFECYCLE.steps if step.verb == verb)
    allow(session, by, permission or Permission.FAILURE_VIEW, failure)
    step = FAILURE_LIFECYCLE.step(verb, failure.status, title_of(failure))
    require_desk(step, by)
    if failure.route not in WAYS.get(verb, tuple(FailureRoute)):
        raise NotThisWay(route=failure.route.label, step=step.label)


def _resolve(session: Session, failure: Failure, verb: str, by: ActingOfficer, resolution: str) -> Failure:
    if not resolution.strip():
        raise ReasonMissing(step="处理发放失败", field="处理说明")
    failure.resolution = resolution.strip()
    session.flush()
    return move(session, failure, verb, by=by, opinion=failure.resolution)


def _line(session: Session, failure: Failure) -> RosterLine:
    return session.exec(
        select(RosterLine).where(RosterLine.county_code == failure.county_code, RosterLine.id == failure.line_id)
    ).one()


def _stop_line(session: Session, failure: Failure, reason: str, by: ActingOfficer) -> None:
    """Stop the line and take it out of its roster's sums."""
    line: Any = RosterLine
    done = session.execute(
        sa.update(RosterLine)
        .where(line.county_code == failure.county_code, line.id == failure.line_id, line.state == LineState.ACTIVE)
        .values(state=LineState.STOPPED, state_reason=reason.strip()),
        execution_options={"synchronize_session": False},
    )
    if done.rowcount == 0:  # type: ignore[attr-defined]
        raise FasterColleague(title=f"序号 {failure.line_sequence} 的明细")
    roster = session.exec(
        select(Roster)
        .where(Roster.county_code == failure.county_code, col(Roster.id) == failure.roster_id)
        .with_for_update()
    ).one()
    roster.line_count -= 1
    roster.amount_fen -= failure.amount_fen
    session.flush()
    facts = {"sequence": failure.line_sequence, "amount_fen": failure.amount_fen}
    record_event(session, roster, "line_removed", by=by, label="移出清册", opinion=reason.strip(), facts=facts)
