"""One record of every noun that has steps, in every status; who sits at which desk."""

from collections.abc import Callable
from typing import Any

from sqlmodel import Session

from models.bank_batches import BankBatch, BankBatchStatus
from models.failures import Failure, FailureRoute, Refund, RefundStatus
from models.officers import ActingOfficer
from models.organisations import OrganisationKind
from models.payment_orders import PaymentOrderStatus
from models.rosters import RosterLine, RosterStatus
from policies.clock import now
from policies.lifecycles import Desk
from tests.factories import LAND, World, a_line, a_roster, lines_of
from tests.payments import Payments
from tests.world import key


def paid(session: Session, county: World) -> Payments:
    return Payments(session, county, LAND, lines=3)


def a_batch(session: Session, land: Payments, status: Any) -> BankBatch:
    moment = now(session)
    batch = BankBatch(
        division_code=land.county, number=f"PC{land.roster.number}", order_id=key(land.order.id),
        sector=land.order.sector, bank_id=land.order.bank_id,
        agent_account_id=key(land.agent.id), project_name=land.project.name, status=BankBatchStatus(status),
        line_count=len(land.attempts),
        amount_fen=land.roster.amount_fen, prepared_at=moment, arrived_at=moment,
    )  # fmt: skip
    session.add(batch)
    session.flush()
    for attempt in land.attempts:
        attempt.batch_id = key(batch.id)
    session.flush()
    return batch


def a_failure(session: Session, land: Payments, status: Any) -> Failure:
    land.fail(1, "invalid")
    attempt, moment = land.attempts[1], now(session)
    failure = Failure(
        division_code=attempt.division_code, county_code=land.county, roster_id=attempt.roster_id,
        line_id=attempt.line_id, line_sequence=attempt.line_sequence, disbursement_id=key(attempt.id),
        order_id=key(land.order.id), project_name=land.project.name, sector=land.roster.sector, name="某",
        amount_fen=attempt.amount_fen, failure_class="invalid", route=FailureRoute.CHANGE_ACCOUNT, status=status,
        arrived_at=moment,
    )  # fmt: skip
    session.add(failure)
    session.flush()
    return failure


def a_refund(session: Session, land: Payments, status: Any) -> Refund:
    failure, moment = a_failure(session, land, "removed"), now(session)
    refund = Refund(
        division_code=land.county, number=f"TK{land.roster.number}", order_id=key(land.order.id),
        sector=land.order.sector, bank_id=land.order.bank_id,
        indicator_id=key(land.indicator.id), agent_account_id=key(land.agent.id), project_name=land.project.name,
        status=RefundStatus(status), line_count=1, amount_fen=failure.amount_fen, prepared_at=moment,
        arrived_at=moment,
    )  # fmt: skip
    session.add(refund)
    session.flush()
    failure.refund_id = refund.id
    session.flush()
    return refund


def an_order(session: Session, land: Payments, status: Any) -> Any:
    land.order.status = PaymentOrderStatus(status)
    session.flush()
    return land.order


BUILDERS: dict[str, Callable[[Session, Payments, Any], Any]] = {
    "payment_order": an_order, "bank_batch": a_batch, "failure": a_failure, "refund": a_refund,
}  # fmt: skip


def a_record(session: Session, county: World, noun: str, status: Any) -> tuple[Any, RosterLine]:
    """Return a record of the noun in a status, and one line of several that it is about."""
    if noun == "roster":
        roster = a_roster(session, county, status=RosterStatus(status), lines=[a_line(), a_line(), a_line()])
        return roster, lines_of(session, roster)[1]
    land = paid(session, county)
    return BUILDERS[noun](session, land, status), lines_of(session, land.roster)[1]


def sitting(county: World, desk: Desk) -> ActingOfficer:
    """Return the officer of the world who sits at the desk."""
    kind, _, role = desk.post
    if kind == OrganisationKind.PLATFORM:
        enabler = county.second_security_admin if desk == Desk.SECURITY_ENABLER else county.security_admin
        return county.system_admin if desk == Desk.SYSTEM_KEEPER else enabler
    offices = {
        OrganisationKind.TOWNSHIP: county.township,
        OrganisationKind.DEPARTMENT: county.department,
        OrganisationKind.FINANCE: county.finance,
        OrganisationKind.BANK: county.bank,
    }
    found: ActingOfficer = getattr(offices[kind], role)
    return found
