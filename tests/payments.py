"""Payments booked in the journal, for the tests of what is asked of it: a roster ordered, paid, failed, reversed."""

from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from models.bank_batches import Disbursement, DisbursementStatus
from models.journal import Ledger
from models.payment_orders import PaymentOrder, PaymentOrderStatus
from models.rosters import Roster, RosterStatus
from policies.clock import now, today
from tests.factories import World, a_line, a_project, a_roster, an_agent_account, an_indicator, key, lines_of
from workflows import journal


class Payments:
    """A roster whose lines were ordered, with the journal entries that the test asks for."""

    def __init__(self, session: Session, world: World, code: str, *, other: bool = False, lines: int = 6) -> None:
        place = world.other_county if other else world
        self.session, self.county = session, place.code
        self.project = a_project(session, world, code, county=place.code)
        self.roster: Roster = a_roster(
            session, world, status=RosterStatus.ORDERED, project=self.project, township=place.township,
            lines=[a_line(quantity=f"{10 + number}.{number}37") for number in range(lines)],
        )  # fmt: skip
        self.indicator = an_indicator(session, world, self.project, county=place.code)
        self.agent = an_agent_account(session, world, county=place.code)
        self.order = self._order()
        self.attempts = [self._attempt(line) for line in lines_of(session, self.roster)]
        session.flush()

    def _order(self) -> PaymentOrder:
        moment = now(self.session)
        order = PaymentOrder(
            division_code=self.county, number=f"ZF{self.roster.number}", project_id=key(self.project.id),
            project_name=self.project.name, sector=self.project.sector, indicator_id=key(self.indicator.id),
            agent_account_id=key(self.agent.id), bank_id=self.agent.bank_id, status=PaymentOrderStatus.FUNDED,
            line_count=self.roster.line_count, amount_fen=self.roster.amount_fen, drafted_at=moment,
            arrived_at=moment, funded_at=moment, credited_at=moment,
        )  # fmt: skip
        self.session.add(order)
        self.session.flush()
        return order

    def _attempt(self, line: Any) -> Disbursement:
        attempt = Disbursement(
            county_code=self.county, division_code=line.division_code, roster_id=line.roster_id, line_id=line.id,
            line_sequence=line.sequence, project_id=key(self.project.id), order_id=key(self.order.id),
            sector=self.order.sector, bank_id=self.order.bank_id, indicator_id=key(self.indicator.id),
            agent_account_id=key(self.agent.id),
            end_to_end_id=f"E{line.roster_id}-{line.id}", entitlement_key=line.entitlement_key,
            amount_fen=line.amount_fen, payee_name=line.payee_name, account_number="6200400430000000016",
            status=DisbursementStatus.SENT,
        )  # fmt: skip
        self.session.add(attempt)
        return attempt

    def pay(self, *places: int, on: date | None = None) -> None:
        """Book the payment of these lines."""
        for place in places:
            self.attempts[place].status = DisbursementStatus.PAID
            self.attempts[place].settled_on = on or today(self.session)
        self.session.flush()
        ids = [key(self.attempts[place].id) for place in places]
        journal.book_payments(self.session, self.county, f"pay:{self.roster.number}:{places}", ids)

    def fail(self, place: int, kind: str) -> None:
        """Let one attempt fail."""
        self.attempts[place].status = DisbursementStatus.FAILED
        self.attempts[place].failure_class = kind
        self.attempts[place].settled_on = today(self.session)
        self.session.flush()

    def reverse(self, place: int) -> None:
        """Book a payment that came back."""
        self.attempts[place].status = DisbursementStatus.REVERSED
        self.session.flush()
        ids = [key(self.attempts[place].id)]
        journal.book_reversals(self.session, self.county, f"reverse:{ids}", ids, today(self.session))

    def amount(self, *places: int) -> int:
        """Return the fen of these lines."""
        return sum(self.attempts[place].amount_fen for place in places)


def earlier(session: Session, land: Payments, place: int) -> None:
    """Book a payment of a year ago by the owner, as an import of old books would."""
    attempt = land.attempts[place]
    attempt.status = DisbursementStatus.PAID
    session.flush()
    entry = session.execute(
        sa.text(
            "insert into journal_entries (county_code, division_code, kind, business_key, memo, booked_at)"
            " values (:county, :county, 'pay', 'old', '', :at) returning id"
        ),
        {"county": land.county, "at": now(session) - timedelta(days=366)},
    ).scalar_one()
    session.execute(
        sa.text(
            "insert into postings (county_code, division_code, entry_id, ledger, indicator_id, project_id,"
            " disbursement_id, amount_fen, reference)"
            " values (:county, :county, :entry, :paid, :indicator, :project, :attempt, :fen, ''),"
            " (:county, :county, :entry, :agent, :indicator, :project, :attempt, -cast(:fen as bigint), '')"
        ),
        {
            "county": land.county, "entry": entry, "paid": Ledger.PAID.value, "agent": Ledger.AGENT_ACCOUNT.value,
            "indicator": land.indicator.id, "project": land.project.id, "attempt": attempt.id,
            "fen": attempt.amount_fen,
        },
    )  # fmt: skip
