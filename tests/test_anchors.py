"""Signed anchors outside the database: what even its owner, recomputing everything, can't hide. （第二十三条）"""

from pathlib import Path

import pytest
import sqlalchemy as sa

from models.base import REGION_CODE
from models.divisions import Level
from models.officers import system_principal
from policies.moves import record_event
from tests.conftest import As, Owner
from tests.factories import World, a_roster
from workflows import anchors
from workflows.anchors import AnchorBroken, AnchorsMissing
from workflows.audit import Chain, verify

REGION = system_principal(REGION_CODE, Level.REGION)

RECOMPUTE = """
do $tamper$
declare
    link record;
    previous bytea := '\\x00';
begin
    for link in
        select l.sequence, l.record_ids from event_links l where l.county_code = '{code}' order by l.sequence
    loop
        select sha256(previous || string_agg(r.digest, '' order by r.id)) into previous from (
            select e.id, record_digest(e) as digest from events e where e.id = any (link.record_ids)
            union all select c.id, record_digest(c) from changes c where c.id = any (link.record_ids)) r;
        update event_links set hash = previous where county_code = '{code}' and sequence = link.sequence;
    end loop;
    update event_heads set hash = previous, sequence = (select max(sequence) from event_links
        where county_code = '{code}') where county_code = '{code}';
end $tamper$
"""
"""What a tamperer with all rights and all of our SQL does, who lacks only the anchor key."""


@pytest.fixture
def anchored(county: World, owner: Owner, as_: As, tmp_path: Path) -> Path:
    """Four events of the county; the first two anchored, the third anchored apart, the fourth not yet."""
    with owner() as session:
        roster = a_roster(session, county)
    for number in range(4):
        with as_(county.township.clerk) as session:
            record_event(session, roster, "note", by=county.township.clerk, label="备注", facts={"number": number})
        if number in (1, 2):
            with as_(REGION) as session:
                assert anchors.anchor(session, tmp_path) > 0
    return tmp_path


def links_of_notes(owner: Owner, world: World) -> list[int]:
    asked = sa.text(
        "select l.sequence from events e join event_links l on e.id = any (l.record_ids)"
        " where e.county_code = :code and e.verb = 'note' order by 1"
    )
    with owner() as session:
        return list(session.execute(asked, {"code": world.code}).scalars())


def tamper(owner: Owner, world: World, sql: str) -> None:
    """Change the records with every trigger switched off, then recompute the whole chain."""
    with owner() as session:
        session.execute(sa.text("set local session_replication_role = replica"))
        session.execute(sa.text(sql.format(code=world.code)))
        session.execute(sa.text(RECOMPUTE.format(code=world.code)))


def found(as_: As, world: World, folder: Path) -> Chain:
    with as_(REGION) as session:
        return next(c for c in verify(session, world.code, anchors.known(folder)) if c.county_code == world.code)


NOTE = "(select {which}(id) from events where county_code = '{{code}}' and verb = 'note')"
FIRST, LAST = NOTE.format(which="min"), NOTE.format(which="max")
DROP_LINK = """;
delete from event_links where county_code = '{code}' and not exists (
    select from events e where e.id = any (record_ids) union all select from changes c where c.id = any (record_ids));
update event_links l set sequence = n.place from (
    select sequence as old, row_number() over (order by sequence) as place from event_links where county_code = '{code}'
) n where l.county_code = '{code}' and l.sequence = n.old
"""


class TestRecomputed:
    def test_an_untouched_chain_is_whole_and_its_newest_link_is_unanchored(
        self, anchored: Path, county: World, as_: As
    ):
        chain = found(as_, county, anchored)
        assert (chain.whole, chain.unanchored) == (True, 1)
        assert "1 环尚未锚定" in chain.finding

    @pytest.mark.parametrize(
        "sql",
        [
            pytest.param(f"update events set opinion = '改' where id = {FIRST}", id="edit"),
            pytest.param(f"delete from events where id = {FIRST}{DROP_LINK}", id="deletion"),
            pytest.param(
                "update events e set facts = o.facts from events o where e.county_code = '{code}' and e.verb = 'note'"
                f" and o.verb = 'note' and e.id <> o.id and e.id in ({FIRST}, {FIRST} + 1)"
                f" and o.id in ({FIRST}, {FIRST} + 1)", id="swap",
            ),
            pytest.param(
                "insert into events (county_code, division_code, noun, record_id, verb, label, officer_id, person,"
                " officer_name, post, from_status, to_status, opinion, facts, business_at) select county_code,"
                " division_code, noun, record_id, 'endorse', '', officer_id, person, officer_name, post, '', '', '',"
                f" '{{{{}}}}', business_at from events where id = {FIRST}; update event_links set record_ids ="
                " record_ids || (select max(id) from events) where county_code = '{code}' and"
                f" {FIRST} = any (record_ids)", id="insertion",
            ),
        ],
    )  # fmt: skip
    def test_it_is_found_where_the_first_anchor_no_longer_fits(
        self, anchored: Path, county: World, owner: Owner, as_: As, sql: str
    ):
        notes = links_of_notes(owner, county)
        tamper(owner, county, sql)
        with as_(REGION) as session:
            assert verify(session, county.code)[0].whole, "the tamperer left a chain that agrees with itself"
        chain = found(as_, county, anchored)
        assert chain.fault == "recomputed"
        assert chain.sequence <= notes[0]

    def test_the_good_part_before_is_known(self, anchored: Path, county: World, owner: Owner, as_: As):
        notes = links_of_notes(owner, county)
        tamper(owner, county, f"update events set opinion = '改' where id = {LAST} - 1")
        assert found(as_, county, anchored).sequence == notes[1] + 1

    def test_a_cut_tail_is_found_up_to_the_last_anchor(self, anchored: Path, county: World, owner: Owner, as_: As):
        notes = links_of_notes(owner, county)
        tamper(owner, county, f"delete from events where id >= {LAST} - 1{DROP_LINK}")
        chain = found(as_, county, anchored)
        assert (chain.fault, chain.sequence, chain.many) == ("cut", notes[1], notes[2])

    def test_a_whole_county_that_vanishes_is_found(self, anchored: Path, county: World, owner: Owner, as_: As):
        tamper(owner, county, "delete from events where county_code = '{code}'; delete from changes where county_code"
               " = '{code}'; delete from event_links where county_code = '{code}'; delete from event_heads"
               " where county_code = '{code}'")  # fmt: skip
        assert found(as_, county, anchored).fault == "cut"

    def test_what_is_not_anchored_yet_is_the_tamperers_and_is_said_so(
        self, anchored: Path, county: World, owner: Owner, as_: As
    ):
        tamper(owner, county, f"update events set opinion = '改' where id = {LAST}")
        chain = found(as_, county, anchored)
        assert (chain.whole, chain.unanchored) == (True, 1)


class TestFile:
    def lines(self, folder: Path) -> tuple[Path, list[bytes]]:
        (file,) = anchors.files(folder)
        return file, file.read_bytes().splitlines(keepends=True)

    @pytest.mark.parametrize(("change", "problem"), [("edit", "签名不符"), ("remove", "不相连"), ("junk", "无法读取")])
    def test_a_changed_file_is_no_evidence(self, anchored: Path, change: str, problem: str):
        file, lines = self.lines(anchored)
        changed = {
            "edit": [lines[0].replace(b'"count":', b'"count":1'), *lines[1:]],
            "remove": [lines[0], *lines[2:]],
            "junk": [b"{}\n", *lines[1:]],
        }[change]
        file.write_bytes(b"".join(changed))
        with pytest.raises(AnchorBroken, match=problem):
            anchors.read([file])

    def test_another_key_proves_nothing(self, anchored: Path):
        with pytest.raises(AnchorBroken, match="签名不符"):
            anchors.read(anchors.files(anchored), key="00" * 32)

    def test_the_public_key_alone_proves_it_elsewhere(self, anchored: Path):
        assert anchors.read(anchors.files(anchored), key=anchors.public_key())

    def test_only_heads_that_have_moved_are_written(self, anchored: Path, as_: As):
        with as_(REGION) as session:
            assert anchors.anchor(session, anchored) == 1
        with as_(REGION) as session:
            assert (anchors.anchor(session, anchored), anchors.is_due(session, anchored)) == (0, False)

    def test_a_missing_file_is_said(self, tmp_path: Path):
        with pytest.raises(AnchorsMissing):
            anchors.read([tmp_path / "none.jsonl"])
