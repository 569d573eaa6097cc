"""Twenty at one record at once, two hundred rounds: one wins, the others get the named refusal. （第二十三条）"""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle
from threading import Barrier
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import Session, select

from models.failures import Failure, FailureStatus
from models.officers import ActingOfficer
from models.payment_orders import PaymentOrderStatus
from models.rosters import Roster, RosterLine, RosterStatus
from policies.refusals import FasterColleague, Refused, StepNotPossible
from tests.conftest import Owner
from tests.factories import LAND, World, a_card_number, a_line, a_project, a_roster, an_indicator, lines_of
from tests.payments import Payments
from tests.records import a_batch, a_failure, a_refund, an_order
from tests.world import key
from workflows import bank_batches, failures, payment_orders, refunds, roster_lines, rosters
from workflows.accounts import AccountKnown
from workflows.edges import edge

THREADS, ROUNDS = 20, 200
LOST = (StepNotPossible, FasterColleague, AccountKnown)
"""All have seen the same record; the verb finds it changed when it reads on, or its guarded update does; or the card
that all would register is registered."""

S = RosterStatus


@dataclass(frozen=True)
class Race:
    """One verb that several officers take on one record."""

    name: str
    prepare: Callable[[Session, World, int], Any]
    run: Callable[[Session, Any, ActingOfficer, int], Any]
    by: Callable[[World], tuple[ActingOfficer, ...]]
    verb: str
    noun: str = "roster"


def a_roster_in(status: RosterStatus) -> Callable[[Session, World, int], Any]:
    def make(session: Session, county: World, number: int) -> Roster:
        return a_roster(session, county, status=status, period=f"R{number}")

    return make


def a_line_of_a_draft(session: Session, county: World, number: int) -> RosterLine:
    return lines_of(session, a_roster(session, county, period=f"L{number}", lines=[a_line(), a_line()]))[0]


class Bought:
    """One ordered roster for all races about money: each takes another of its lines or a record of its own."""

    def __init__(self, session: Session, county: World, number: int) -> None:
        self.land = Payments(session, county, LAND, lines=2)
        self.land.roster.period = f"M{number}"


def money(make: Callable[[Session, Payments, Any], Any], status: Any) -> Callable[[Session, World, int], Any]:
    return lambda session, county, number: make(session, Bought(session, county, number).land, status)


def plain(verb: Callable[..., Any], **asked: Any) -> Callable[[Session, Any, ActingOfficer, int], Any]:
    return lambda session, record, by, _: verb(session, record, by=by, **asked)


def correct(session: Session, failure: Failure, by: ActingOfficer, number: int) -> Any:
    return failures.correct(
        session,
        failure,
        by=by,
        account_number=CARDS[number],
        bank_name="内蒙古农村信用社（农商银行）",
        resolution="换卡",
    )


def change(session: Session, line: RosterLine, by: ActingOfficer, number: int) -> Any:
    return roster_lines.change_amount(
        session, line, by=by, quantity=line.quantity + 1 + number % 3, standard=line.standard, reason="复核"
    )


def one(office: str, role: str) -> Callable[[World], tuple[ActingOfficer, ...]]:
    return lambda county: (getattr(getattr(county, office), role),)


def clerks(office: str) -> Callable[[World], tuple[ActingOfficer, ...]]:
    return lambda county: (getattr(county, office).clerk, getattr(county, office).second_clerk)


CARDS = [a_card_number() for _ in range(ROUNDS)]
RACES = (
    Race("endorse", a_roster_in(S.ON_NOTICE), plain(rosters.endorse, attested=True), one("township", "head"),
         "endorse"),
    Race("report", a_roster_in(S.ENDORSED), plain(rosters.report), clerks("township"), "report"),
    Race("examine", a_roster_in(S.REPORTED), plain(rosters.examine_department), clerks("department"),
         "examine_department"),
    Race("pass", a_roster_in(S.DEPARTMENT_EXAMINED), plain(rosters.pass_department), one("department", "reviewer"),
         "pass_department"),
    Race("return", a_roster_in(S.DEPARTMENT_PASSED), plain(rosters.return_, reason="请核对"), clerks("finance"),
         "return_"),
    Race("final", a_roster_in(S.FINANCE_EXAMINED), plain(rosters.pass_finance), one("finance", "reviewer"),
         "pass_finance"),
    Race("release order", money(an_order, PaymentOrderStatus.DRAFTED), plain(payment_orders.release),
         one("department", "reviewer"), "release", "payment_order"),
    Race("release batch", money(a_batch, "prepared"), plain(bank_batches.release), one("finance", "reviewer"),
         "release", "bank_batch"),
    Race("release refund", money(a_refund, "prepared"), plain(refunds.release), one("finance", "reviewer"), "release",
         "refund"),
    Race("correct failure", money(a_failure, FailureStatus.NOTIFIED), correct, clerks("township"), "correct",
         "failure"),
    Race("correct line", a_line_of_a_draft, change, clerks("township"), "change_amount"),
)  # fmt: skip


def prepared(owner: Owner, county: World) -> list[tuple[Race, type[Any], Any]]:
    """Return the records of all rounds, race by race in turn: made beforehand, so that the rounds are the races."""
    found = []
    with owner() as session:
        session.execute(sa.text("update warning_rules set enabled = false"))
        an_indicator(session, county, a_project(session, county), amount_fen=10**12)
        for number, race in zip(range(ROUNDS), cycle(RACES), strict=False):
            record = race.prepare(session, county, number)
            session.flush()
            found.append((race, type(record), key(record.id)))
    return found


@pytest.mark.timeout(1200)
def test_exactly_one_of_twenty_wins_each_of_two_hundred_rounds(county: World, owner: Owner):
    rounds = prepared(owner, county)
    ready = Barrier(THREADS)

    def attempt(place: int, number: int, seen: Any) -> str:
        race = rounds[number][0]
        by = race.by(county)[place % len(race.by(county))]
        ready.wait(60)
        try:
            with edge(by, race.verb, f"{race.name} {number}") as session:
                race.run(session, session.merge(seen, load=False), by, number)
        except Refused as refusal:
            return type(refusal).__name__
        return "won"

    with ThreadPoolExecutor(THREADS) as threads:
        for number, (race, model, record_id) in enumerate(rounds):
            with owner() as session:
                seen = session.exec(select(model).where(model.id == record_id)).one()
            outcome = Counter(threads.map(lambda place, n=number, r=seen: attempt(place, n, r), range(THREADS)))
            lost = sum(outcome[refusal.__name__] for refusal in LOST)
            assert (outcome["won"], lost) == (1, THREADS - 1), (race.name, outcome)
    with owner() as session:
        refused = session.execute(sa.text("select count(*) from refusals")).scalar_one()
        twice = session.execute(
            sa.text(
                "select noun, record_id, verb, count(*) from events where verb = any (:verbs)"
                " group by 1, 2, 3 having count(*) > 1"
            ),
            {"verbs": sorted({race.verb for race in RACES})},
        ).all()
    assert refused == ROUNDS * (THREADS - 1)
    assert twice == []
