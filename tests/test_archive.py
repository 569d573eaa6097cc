"""The oldest records go into a signed file and the chain goes on; nothing young can go. （第二十三条）"""

import gzip
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlmodel import Session

from models.base import REGION_CODE
from models.divisions import Level
from models.officers import system_principal
from models.settings import SettingWrong, settings
from policies.moves import record_event
from tests.conftest import As, Owner
from tests.factories import World, a_roster
from tests.test_anchors import RECOMPUTE
from workflows import anchors, archive
from workflows.audit import Chain, verify

REGION = system_principal(REGION_CODE, Level.REGION)


def old(session: Session, days: int = 200) -> date:
    """Return a day that long ago by the clock that stamps records."""
    asked = sa.text("select cast(clock_timestamp() - make_interval(days => :days) as date)")
    day: date = session.execute(asked, {"days": days}).scalar_one()
    return day


@pytest.fixture
def aged(county: World, owner: Owner, as_: As, tmp_path: Path) -> Path:
    """The county's records so far, made 300 days old and anchored; then one young event."""
    with owner() as session:
        roster = a_roster(session, county)
    with owner() as session:
        session.execute(sa.text("set local session_replication_role = replica"))
        session.execute(sa.text("update changes set recorded_at = recorded_at - interval '300 days'"))
        session.execute(sa.text("update events set recorded_at = recorded_at - interval '300 days'"))
        for code in session.execute(sa.text("select county_code from event_heads")).scalars().all():
            session.execute(sa.text(RECOMPUTE.format(code=code)))
    with as_(REGION) as session:
        anchors.anchor(session, tmp_path / "anchors")
    with as_(county.township.clerk) as session:
        record_event(session, roster, "note", by=county.township.clerk, label="备注")
    return tmp_path


def archived(owner: Owner, place: Path) -> list[archive.Archived]:
    with owner() as session:
        return archive.archive(session, old(session), anchors.known(place / "anchors") or [], place)


def found(as_: As, world: World, place: Path) -> Chain:
    with as_(REGION) as session:
        chains = verify(session, None, anchors.known(place / "anchors"))
    assert [c for c in chains if not c.whole and c.county_code != world.code] == []
    return next(c for c in chains if c.county_code == world.code)


class TestArchive:
    def test_the_chain_goes_on_from_its_closing_link(self, aged: Path, county: World, owner: Owner, as_: As):
        before = found(as_, county, aged)
        mine = next(one for one in archived(owner, aged) if one.county_code == county.code)
        assert mine.file is not None
        with owner() as session:
            left = session.execute(
                sa.text("select count(*) from changes where county_code = :c and table_name <> 'event_archives'"),
                {"c": county.code}).scalar_one()  # fmt: skip
            assert archive.check(session, mine.file) == mine.records > 0
        assert left == 0
        after = found(as_, county, aged)
        assert (after.whole, after.links) == (True, before.links + 1)  # the closing link is itself on record

    def test_a_changed_file_is_refused(self, aged: Path, county: World, owner: Owner):
        mine = next(one for one in archived(owner, aged) if one.county_code == county.code)
        assert mine.file is not None
        whole = gzip.decompress(mine.file.read_bytes())
        mine.file.write_bytes(gzip.compress(whole.replace(b"150430", b"150431", 1)))
        refused = pytest.raises(archive.ArchiveBroken, match="签名不符")
        with refused, owner() as session:
            archive.check(session, mine.file)

    def test_nothing_younger_than_the_retention_can_go(self, aged: Path, county: World, owner: Owner):
        with pytest.raises(archive.TooYoung), owner() as session:
            archive.archive(session, old(session, 170), [], aged)
        refused = pytest.raises(sa.exc.ProgrammingError, match="保存期内")
        with refused, owner() as session:
            last = session.execute(
                sa.text("select sequence from event_heads where county_code = :c"), {"c": county.code}
            ).scalar_one()
            session.execute(
                sa.text("select archive_records(:c, :last, 'x', '\\x00', 1)"), {"c": county.code, "last": last}
            )

    def test_what_no_anchor_vouches_for_stays(self, aged: Path, owner: Owner):
        with owner() as session:
            done = archive.archive(session, old(session), [], aged)
        assert {one.records for one in done} == {0}

    def test_the_application_cannot_archive(self, aged: Path, county: World, as_: As):
        refused = pytest.raises(sa.exc.ProgrammingError, match="permission denied")
        with refused, as_(county.finance.clerk) as session:
            session.execute(sa.text("select archive_records(:c, 1, 'x', '\\x00', 180)"), {"c": county.code})

    def test_a_retention_below_180_days_is_refused(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("YIKATONG_AUDIT_DAYS", "90")
        settings.cache_clear()
        with pytest.raises(SettingWrong, match="180"):
            settings()
        monkeypatch.undo()
        settings.cache_clear()
