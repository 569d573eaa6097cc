"""Bank batches and their results, over real sockets. （第二十条、第二十一条）"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from integrations.sandbox.launch import Sandboxes
from models.bank_batches import BankBatchStatus, DisbursementStatus
from models.payment_orders import PaymentOrderStatus
from models.rosters import RosterStatus
from tests.conftest import Owner
from tests.factories import World
from tests.money import Money


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandboxes]:
    """The budget system and the bank as processes of their own, without anybody in them yet."""
    folder: Path = tmp_path_factory.mktemp("outside")
    world = folder / "world.jsonl"
    world.touch()
    with Sandboxes(world, folder / "ledgers") as boxes:
        yield boxes


@pytest.fixture
def money(county: World, owner: Owner, outside: Sandboxes) -> Money:
    return Money(county, owner, outside)


class TestTheWayOfTheMoney:
    def test_a_final_roster_is_ordered_funded_sent_and_paid(self, money: Money):
        order = money.fund()
        assert order.status == PaymentOrderStatus.FUNDED
        assert order.funded_at is not None and order.credited_at is not None
        batch = money.send()
        assert batch.status == BankBatchStatus.SENT
        batch = money.settle()
        assert batch.status == BankBatchStatus.SETTLED
        assert {one.status for one in money.disbursements()} == {DisbursementStatus.PAID}
        assert money.roster().status == RosterStatus.PAID
        assert money.roster().paid_fen == money.roster().amount_fen == money.indicator().paid_fen
        assert money.problems() == []
