"""The hash chain of records: whoever changes, removes or slips in a record is found, and where. （第二十三条）"""

import pytest
import sqlalchemy as sa

from models.base import REGION_CODE
from models.divisions import Level
from models.events import Event
from models.officers import system_principal
from policies.moves import record_event
from tests.conftest import As, Owner
from tests.factories import World, a_roster
from workflows.audit import Chain, sleeping_guards, verify

REGION = system_principal(REGION_CODE, Level.REGION)


@pytest.fixture
def eventful(county: World, owner: Owner, as_: As) -> World:
    """Five events in each of the two counties, each in a transaction of its own, after what built the world."""
    for place in (county, county.other_county):
        with owner() as session:
            roster = a_roster(session, county, township=place.township)
        for number in range(5):
            with as_(place.township.clerk) as session:
                record_event(session, roster, "note", by=place.township.clerk, label="备注", facts={"number": number})
    return county


def found(as_: As, world: World) -> Chain:
    with as_(REGION) as session:
        chains = {chain.county_code: chain for chain in verify(session)}
    assert {world.code, world.other_county.code} <= chains.keys()
    assert [chain for code, chain in chains.items() if code != world.code and not chain.whole] == []
    return chains[world.code]


def tamper(owner: Owner, sql: str, **values: object) -> None:
    """Change rows as the owner with the guards switched off: what the chain is there to show."""
    with owner() as session:
        session.execute(sa.text("set local session_replication_role = replica"))
        session.execute(sa.text(sql), values)


def nth(owner: Owner, world: World, number: int) -> tuple[int, int]:
    """Return the link and the record of the county's nth event."""
    with owner() as session:
        row = session.execute(
            sa.text(
                "select l.sequence, e.id from events e join event_links l on l.county_code = e.county_code"
                " and e.id = any (l.record_ids) where e.county_code = :code order by e.id offset :n limit 1"
            ),
            {"code": world.code, "n": number - 1},
        ).one()
        return row.sequence, row.id


class TestVerify:
    def test_an_untouched_chain_is_whole(self, eventful: World, as_: As):
        chain = found(as_, eventful)
        assert (chain.whole, chain.finding) == (True, "完整")
        assert chain.links > 5

    def test_a_changed_event_is_named(self, eventful: World, owner: Owner, as_: As):
        link, event = nth(owner, eventful, 3)
        tamper(owner, "update events set opinion = '同意' where id = :event", event=event)
        chain = found(as_, eventful)
        assert (chain.fault, chain.sequence, chain.event_id) == ("changed", link, event)
        assert f"第 {link} 环" in chain.finding

    def test_the_first_of_several_is_named(self, eventful: World, owner: Owner, as_: As):
        link, event = nth(owner, eventful, 2)
        tamper(owner, "update events set facts = '{}' where county_code = :code and id >= :event", code=eventful.code,
               event=event)  # fmt: skip
        assert found(as_, eventful).sequence == link

    def test_two_records_that_change_places_are_noticed(self, eventful: World, owner: Owner, as_: As):
        link, one = nth(owner, eventful, 2)
        _, other = nth(owner, eventful, 4)
        tamper(owner, "update events e set facts = o.facts from events o where e.id in (:a, :b) and o.id in (:a, :b)"
               " and o.id <> e.id", a=one, b=other)  # fmt: skip
        assert (found(as_, eventful).fault, found(as_, eventful).sequence) == ("changed", link)

    def test_a_removed_event_is_named(self, eventful: World, owner: Owner, as_: As):
        link, event = nth(owner, eventful, 4)
        tamper(owner, "delete from events where id = :event", event=event)
        chain = found(as_, eventful)
        assert (chain.fault, chain.sequence, chain.event_id) == ("missing", link, event)

    def test_a_changed_trail_is_noticed(self, eventful: World, owner: Owner, as_: As):
        with owner() as session:
            change = session.execute(
                sa.text("select max(id) from changes where county_code = :code"), {"code": eventful.code}
            ).scalar_one()
        tamper(owner, "update changes set officer_id = 1 where id = :change", change=change)
        assert found(as_, eventful).fault == "changed"

    def test_a_removed_link_is_named(self, eventful: World, owner: Owner, as_: As):
        tamper(owner, "delete from event_links where county_code = :code and sequence = 2", code=eventful.code)
        chain = found(as_, eventful)
        assert (chain.fault, chain.sequence) == ("gap", 3)

    def test_a_cut_tail_is_noticed(self, eventful: World, owner: Owner, as_: As):
        link, event = nth(owner, eventful, 5)
        tamper(owner, "delete from event_links where county_code = :code and sequence = :n", code=eventful.code, n=link)
        tamper(owner, "delete from events where id = :event", event=event)
        chain = found(as_, eventful)
        assert (chain.fault, chain.sequence) == ("head", link - 1)

    def test_an_event_slipped_in_beside_the_chain_is_noticed(self, eventful: World, owner: Owner, as_: As):
        columns = ", ".join(column.name for column in sa.inspect(Event).columns if column.name != "id")
        tamper(owner, f"insert into events ({columns}) select {columns} from events where id = :event",
               event=nth(owner, eventful, 1)[1])  # fmt: skip
        assert found(as_, eventful).fault == "stray"

    def test_a_county_asks_for_its_own_chain_only(self, eventful: World, as_: As):
        with as_(eventful.finance.auditor) as session:
            assert [chain.county_code for chain in verify(session)] == [eventful.code]

    def test_one_county_is_picked(self, eventful: World, as_: As):
        with as_(REGION) as session:
            assert [chain.county for chain in verify(session, eventful.code)] == ["敖汉旗"]


class TestSilentChanges:
    @pytest.mark.parametrize(
        ("sql", "what"),
        [
            ("update rosters set amount_fen = amount_fen + 100 where county_code = :code", "应发金额"),
            ("delete from roster_lines where county_code = :code", "行数"),
        ],
    )
    def test_what_was_changed_while_the_triggers_slept_is_found(
        self, eventful: World, owner: Owner, as_: As, sql: str, what: str
    ):
        tamper(owner, sql, code=eventful.code)
        chain = found(as_, eventful)
        assert (chain.fault, chain.what) == ("silent", what)

    def test_a_trigger_that_sleeps_is_named(self, eventful: World, owner: Owner, as_: As):
        with as_(REGION) as session:
            assert sleeping_guards(session) == []
        with owner() as session:
            session.execute(sa.text("alter table rosters disable trigger trail_update"))
            session.execute(sa.text("drop trigger events_linked on events"))
        with as_(REGION) as session:
            assert sleeping_guards(session) == ["events.events_linked", "rosters.trail_update"]


class TestChain:
    def test_the_application_cannot_change_what_has_happened(self, eventful: World, as_: As):
        for verb in ("update events set opinion = ''", "delete from events", "delete from event_links",
                     "delete from changes", "insert into changes default values"):  # fmt: skip
            refused = pytest.raises(sa.exc.ProgrammingError, match="permission denied")
            with refused, as_(eventful.finance.clerk) as session:
                session.execute(sa.text(verb))

    def test_not_even_the_owner_changes_it_by_mistake(self, eventful: World, owner: Owner):
        for verb in ("update events set opinion = ''", "delete from event_links", "truncate events cascade",
                     "delete from changes", "update refusals set message = ''", "truncate changes",
                     "delete from desk_holders", "truncate event_heads"):  # fmt: skip
            if verb.endswith("= ''") and "refusals" in verb:
                continue  # an empty table has no row to refuse
            with pytest.raises(sa.exc.ProgrammingError, match="只能追加"), owner() as session:
                session.execute(sa.text(verb))

    def test_one_transaction_is_one_link_of_its_county(self, eventful: World, owner: Owner, as_: As):
        with owner() as session:
            roster = a_roster(session, eventful)
        before = found(as_, eventful).links
        with as_(eventful.township.clerk) as session:
            for _ in range(3):
                record_event(session, roster, "note", by=eventful.township.clerk, label="备注")
        assert found(as_, eventful).links == before + 1

    def test_constraints_set_immediate_split_a_transaction_but_lose_nothing(
        self, eventful: World, owner: Owner, as_: As
    ):
        with owner() as session:
            roster = a_roster(session, eventful)
        with as_(eventful.township.clerk) as session:
            session.execute(sa.text("set constraints all immediate"))
            for _ in range(3):
                record_event(session, roster, "note", by=eventful.township.clerk, label="备注")
        assert found(as_, eventful).whole

    @pytest.mark.parametrize(
        "forged", [{"address": "10.0.0.9"}, {"officer_id": 1}, {"recorded_at": "2020-01-01"}, {"transaction": 1}]
    )
    def test_who_when_and_whence_cannot_be_forged_by_the_application(
        self, eventful: World, owner: Owner, as_: As, forged: dict[str, object]
    ):
        by = eventful.township.clerk
        with owner() as session:
            roster = a_roster(session, eventful)
        refused = pytest.raises(sa.exc.ProgrammingError, match="不符|不属于")
        with refused, as_(by) as session:
            row = {
                "county_code": eventful.code, "division_code": by.division_code, "noun": "roster", "verb": "note",
                "record_id": roster.id, "officer_id": by.officer_id, "person": by.person, "officer_name": by.name,
                "post": by.post, "business_at": sa.func.now(), "label": "", "from_status": "", "to_status": "",
                "opinion": "", "facts": {},
            }  # fmt: skip
            session.execute(sa.insert(Event).values(row | forged))
