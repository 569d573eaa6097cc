"""Supplementary editions: what changes later, told below; a published edition never changes. （第六条动态调整）"""

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from sqlmodel import Session

from models.annual_lists import AnnualList
from tests.conftest import Owner
from tests.factories import LEAGUE, REGION, World
from tests.listing import GRASS, a_stop, ids_of, next_year, project_of, published, tasks
from tests.world import key
from workflows import annual_lists as lists


class TestSupplements:
    @pytest.fixture
    def chain(self, session: Session, county: World) -> int:
        """The lists of next year of region, league and county, everything selected."""
        year = next_year(session)
        for office in (county.region_finance, county.league_finance, county.finance):
            published(session, office, year)
        return year

    def test_what_is_dropped_needs_a_reason_and_is_told_below(self, session, county, chain):
        land, office = project_of(session), county.region_finance
        draft = lists.draft(session, by=office.clerk, year=chain)
        rest = sorted(ids_of(session, draft) - {key(land.id)})
        lists.choose(session, draft, by=office.clerk, project_ids=rest, reasons={})
        with pytest.raises(lists.DropReasonMissing, match="耕地地力"):
            lists.submit(session, draft, by=office.clerk)
        lists.choose(session, draft, by=office.clerk, project_ids=rest, reasons={key(land.id): "政策废止"})
        lists.submit(session, draft, by=office.clerk)
        lists.publish(session, draft, by=office.reviewer)
        assert (draft.edition, draft.dropped_count, draft.added_count) == (2, 1, 0)
        told = tasks(session)
        assert "移出 1 项" in told[LEAGUE].detail and told[LEAGUE].subject_id == draft.id

    def test_a_newer_supplement_leaves_one_task(self, session, county, chain):
        land, grass = project_of(session), project_of(session, GRASS)
        published(session, county.region_finance, chain, drop=(key(land.id),))
        newest = published(session, county.region_finance, chain, drop=(key(grass.id),))
        assert tasks(session)[LEAGUE].subject_id == newest.id

    def test_what_is_dropped_above_cannot_stay_below(self, session, county, chain):
        land = project_of(session)
        published(session, county.region_finance, chain, drop=(key(land.id),))
        draft = lists.draft(session, by=county.league_finance.clerk, year=chain)
        assert land.id not in ids_of(session, draft)
        shown = {one.project_id: one for one in lists.offers(session, LEAGUE, chain, draft)}
        assert shown[key(land.id)].why_not == "上级清单没有该项目或已移出"
        with pytest.raises(lists.NotOffered, match="上级清单"):
            lists.choose(session, draft, by=county.league_finance.clerk, reasons={},
                         project_ids=[*ids_of(session, draft), key(land.id)])  # fmt: skip

    def test_what_is_dropped_above_after_the_submission_stops_the_publishing(self, session, county, chain):
        land, grass, league = project_of(session), project_of(session, GRASS), county.league_finance
        draft = lists.draft(session, by=league.clerk, year=chain)
        lists.choose(session, draft, by=league.clerk, project_ids=sorted(ids_of(session, draft) - {key(grass.id)}),
                     reasons={key(grass.id): "不再补贴"})  # fmt: skip
        lists.submit(session, draft, by=league.clerk)
        published(session, county.region_finance, chain, drop=(key(land.id),))
        with pytest.raises(lists.NotOffered, match="耕地地力"):
            lists.publish(session, draft, by=league.reviewer)

    def test_a_stopped_project_can_be_dropped_and_not_be_kept(self, session, county, chain):
        land, office = project_of(session), county.region_finance
        a_stop(session, land)
        draft = lists.draft(session, by=office.clerk, year=chain)
        assert land.id not in ids_of(session, draft)
        shown = {one.project_id: one for one in lists.offers(session, REGION, chain, draft)}
        assert shown[key(land.id)].why_not == "该项目已停用"

    def test_a_published_edition_never_changes_whoever_asks(self, county: World, owner: Owner):
        with owner() as session:
            record = published(session, county.region_finance, next_year(session))
        for statement in (
            "update annual_lists set note = 'x' where id = :id",
            "delete from annual_lists where id = :id",
            "delete from annual_list_items where list_id = :id",
            "update annual_list_items set name = 'x' where list_id = :id",
            "insert into annual_list_items (division_code, list_id, project_id, code, name, sector, domain,"
            " policy_level, project_version, change, reason) select division_code, :id, (select id from"
            " subsidy_projects where policy_level = 'league' limit 1), 'x', 'x', 'x', '', 'league', 1, 'added', ''"
            " from annual_lists where id = :id",
            "truncate annual_list_items",
        ):
            with pytest.raises(sa.exc.ProgrammingError, match="42501|项目|只能"), owner() as session:
                session.execute(sa.text(statement), {"id": record.id} if ":id" in statement else {})
        with owner() as session:
            assert lists.digest(session, session.get_one(AnnualList, record.id)) == record.digest

    def test_any_history_of_editions_keeps_every_edition_as_it_was(self, session, county):
        """Whatever is selected and dropped later, each published edition keeps its items and its digest."""
        year, region = next_year(session), county.region_finance
        everything = sorted(ids_of(session, published(session, region, year)))

        @given(some.lists(some.sets(some.sampled_from(everything[:12]), min_size=1), min_size=1, max_size=4))
        @settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
        def walk(histories: list[set[int]]) -> None:
            with session.begin_nested() as save:
                before: dict[int, tuple[str, int]] = {}
                for chosen in histories:
                    try:
                        one = published(session, region, year, keep=tuple(chosen))
                    except lists.NothingChanged:
                        session.execute(sa.text("update annual_lists set status = 'withdrawn' where status = 'draft'"))
                        session.expire_all()
                        continue
                    before[key(one.id)] = (one.digest, one.item_count)
                for number, (kept, count) in before.items():
                    record = session.get_one(AnnualList, number, populate_existing=True)
                    assert lists.digest(session, record) == kept and len(ids_of(session, record)) == count
                newest = lists.latest(session, REGION, year)
                assert newest is not None
                if before:
                    assert key(newest.id) == max(before)
                save.rollback()
            session.expire_all()

        walk()
