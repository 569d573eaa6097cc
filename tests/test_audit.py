"""The hash chain of events: whoever changes, removes or slips in a record is found, and where. （第二十三条）"""

import pytest
import sqlalchemy as sa

from models.base import REGION_CODE
from models.divisions import Level
from models.events import Event
from models.officers import system_principal
from policies.moves import record_event
from tests.conftest import As, Owner
from tests.factories import World, a_roster
from workflows.audit import Chain, verify

REGION = system_principal(REGION_CODE, Level.REGION)


@pytest.fixture
def eventful(county: World, owner: Owner, as_: As) -> World:
    """Five events in each of the two counties, each in a transaction of its own."""
    for place in (county, county.other_county):
        with owner() as session:
            roster = a_roster(session, county, township=place.township)
        for number in range(5):
            with as_(place.township.clerk) as session:
                record_event(session, roster, "note", by=place.township.clerk, label="备注", facts={"number": number})
    return county


def found(as_: As, world: World) -> Chain:
    with as_(REGION) as session:
        chains = verify(session)
    assert {chain.county_code for chain in chains} == {world.code, world.other_county.code}
    assert next(chain for chain in chains if chain.county_code == world.other_county.code).whole
    return next(chain for chain in chains if chain.county_code == world.code)


def tamper(owner: Owner, sql: str, **values: object) -> None:
    """Change rows as the owner with the guards switched off: what the chain is there to show."""
    with owner() as session:
        session.execute(sa.text("set local session_replication_role = replica"))
        session.execute(sa.text(sql), values)


def event_at(owner: Owner, world: World, sequence: int) -> int:
    with owner() as session:
        return session.execute(
            sa.text("select event_id from event_links where county_code = :code and sequence = :number"),
            {"code": world.code, "number": sequence},
        ).scalar_one()


class TestVerify:
    def test_an_untouched_chain_is_whole(self, eventful: World, as_: As):
        chain = found(as_, eventful)
        assert (chain.links, chain.whole, chain.finding) == (5, True, "完整")

    def test_a_changed_event_is_named(self, eventful: World, owner: Owner, as_: As):
        event = event_at(owner, eventful, 3)
        tamper(owner, "update events set opinion = '同意' where id = :event", event=event)
        chain = found(as_, eventful)
        assert (chain.fault, chain.sequence, chain.event_id) == ("changed", 3, event)
        assert "第 3 环" in chain.finding

    def test_the_first_of_several_is_named(self, eventful: World, owner: Owner, as_: As):
        tamper(owner, "update events set facts = '{}' where county_code = :code and id >= :event", code=eventful.code,
               event=event_at(owner, eventful, 2))  # fmt: skip
        assert found(as_, eventful).sequence == 2

    def test_a_removed_event_is_named(self, eventful: World, owner: Owner, as_: As):
        event = event_at(owner, eventful, 4)
        tamper(owner, "delete from events where id = :event", event=event)
        chain = found(as_, eventful)
        assert (chain.fault, chain.sequence, chain.event_id) == ("missing", 4, event)

    def test_a_removed_link_is_named(self, eventful: World, owner: Owner, as_: As):
        tamper(owner, "delete from event_links where county_code = :code and sequence = 2", code=eventful.code)
        chain = found(as_, eventful)
        assert (chain.fault, chain.sequence) == ("gap", 3)

    def test_a_cut_tail_is_noticed(self, eventful: World, owner: Owner, as_: As):
        event = event_at(owner, eventful, 5)
        tamper(owner, "delete from event_links where county_code = :code and sequence = 5", code=eventful.code)
        tamper(owner, "delete from events where id = :event", event=event)
        chain = found(as_, eventful)
        assert (chain.fault, chain.sequence) == ("head", 4)

    def test_an_event_slipped_in_beside_the_chain_is_noticed(self, eventful: World, owner: Owner, as_: As):
        columns = ", ".join(column.name for column in sa.inspect(Event).columns if column.name != "id")
        tamper(owner, f"insert into events ({columns}) select {columns} from events where id = :event",
               event=event_at(owner, eventful, 1))  # fmt: skip
        chain = found(as_, eventful)
        assert chain.fault == "stray"

    def test_a_county_asks_for_its_own_chain_only(self, eventful: World, as_: As):
        with as_(eventful.finance.auditor) as session:
            assert [chain.county_code for chain in verify(session)] == [eventful.code]

    def test_one_county_is_picked(self, eventful: World, as_: As):
        with as_(REGION) as session:
            assert [chain.county for chain in verify(session, eventful.code)] == ["敖汉旗"]


class TestChain:
    def test_the_application_cannot_change_what_has_happened(self, eventful: World, as_: As):
        for verb in ("update events set opinion = ''", "delete from events", "delete from event_links"):
            refused = pytest.raises(sa.exc.ProgrammingError, match="permission denied")
            with refused, as_(eventful.finance.clerk) as session:
                session.execute(sa.text(verb))

    def test_not_even_the_owner_changes_it_by_mistake(self, eventful: World, owner: Owner):
        for verb in ("update events set opinion = ''", "delete from event_links", "truncate events cascade"):
            with pytest.raises(sa.exc.ProgrammingError, match="只能追加"), owner() as session:
                session.execute(sa.text(verb))
