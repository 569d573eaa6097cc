"""Totals can't be exceeded under any concurrency: real threads, real PostgreSQL. （第十条）"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
import sqlalchemy as sa
from sqlmodel import Session, select

from integrations.sandbox.launch import Sandboxes
from models.database import _hooked, forget_engines
from models.indicators import BudgetIndicator
from models.officers import ActingOfficer, acting
from tests.conftest import As
from tests.factories import World
from tests.money import sandboxes_in
from tests.test_indicators import item
from tests.world import key
from workflows import indicator_downloads, journal
from workflows.indicators import IndicatorOverdrawn, shift

PEOPLE, ROUNDS = 20, 200


@pytest.fixture(scope="module")
def boxes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandboxes]:
    with sandboxes_in(tmp_path_factory.mktemp("outside")) as boxes:
        yield boxes


def reserve(engine: sa.Engine, by: ActingOfficer, county: str, indicator: int, share: int, name: str) -> bool:
    """Reserve in a connection of one's own, as a payment order does; the release is a later round's."""
    try:
        with acting(by), Session(engine) as session, session.begin():
            return shift(session, county, "reserve", name, indicator_id=indicator, amount_fen=share)
    except IndicatorOverdrawn:
        return False


class TestReservations:
    def test_20_at_once_of_a_tenth_of_the_rest_200_rounds_are_never_over(
        self, county: World, boxes: Sandboxes, as_: As
    ):
        """Each round 20 people reserve 10 % of what was free; at most ten fit, and what they got is given back."""
        boxes.use()
        boxes.budget.add_world([{"kind": "indicator", **item(county, "RACE", amount="123456.78")}])
        by = county.finance.clerk
        assert indicator_downloads.download(by=by) == 1
        with as_(by) as session:
            row = session.exec(select(BudgetIndicator)).one()
            indicator, amount = key(row.id), row.amount_fen
            url = session.get_bind().engine.url
        engine = _hooked(sa.create_engine(url, pool_size=PEOPLE, max_overflow=0))
        free, got, kept = amount, 0, 0
        try:
            with ThreadPoolExecutor(PEOPLE) as people:
                for number in range(ROUNDS):
                    share = max(free // 10, 1)
                    names = [f"race:{number}:{person}" for person in range(PEOPLE)]
                    try_one = partial(reserve, engine, by, county.code, indicator, share)
                    won = sum(people.map(try_one, names))
                    assert won == min(PEOPLE, free // share)
                    got += won
                    with as_(by) as session:
                        row = session.exec(select(BudgetIndicator)).one()
                        assert (row.available_fen, row.reserved_fen) == (free - won * share, kept + won * share)
                        back = won * share if number % 2 else (won - 1) * share
                        if back:
                            shift(session, county.code, "release", f"back:{number}", indicator_id=indicator,
                                  amount_fen=back)  # fmt: skip
                    kept += won * share - back
                    free = amount - kept
                    if free < 10:
                        with as_(by) as session:
                            shift(session, county.code, "release", f"all:{number}", indicator_id=indicator,
                                  amount_fen=kept)  # fmt: skip
                        free, kept = amount, 0
        finally:
            engine.dispose()
            forget_engines()
        assert got >= ROUNDS * 10
        assert indicator_downloads.download(by=by) == 0
        with as_(by) as session:
            row = session.exec(select(BudgetIndicator)).one()
            assert row.amount_fen == amount == boxes.budget.ledger()["indicators"]["RACE"]["amount_fen"]
            assert journal.verify(session) == []
