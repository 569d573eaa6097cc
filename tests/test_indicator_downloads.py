"""Downloads: page by page, taken up where they stopped, shared by two, queued on schedule. （第十条）"""

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import Session, select

from integrations.errors import Unavailable
from integrations.sandbox.launch import Sandboxes
from models.database import transaction
from models.indicator_downloads import DownloadStatus, IndicatorDownload
from models.indicators import BudgetIndicator, UpstreamIndicator
from models.jobs import Job
from models.settings import settings
from policies.clock import advance, now
from policies.refusals import NotAllowed
from tests.conftest import As, Owner
from tests.factories import World
from tests.money import SWEEP, sandboxes_in
from tests.test_indicator_keeping import standing
from tests.test_indicators import item
from tests.world import LEAGUE, key
from workflows import indicator_downloads, journal
from workflows.indicator_downloads import DownloadRejected


def books(session: Session) -> list[tuple[Any, ...]]:
    entries = sa.text(
        "select e.business_key, p.ledger, p.amount_fen from journal_entries e join postings p"
        " on p.county_code = e.county_code and p.entry_id = e.id"
    )
    return sorted(session.execute(entries).tuples().all())


@pytest.fixture(scope="module")
def boxes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandboxes]:
    with sandboxes_in(tmp_path_factory.mktemp("outside")) as boxes:
        yield boxes


@pytest.fixture
def outside(boxes: Sandboxes, county: World) -> Sandboxes:
    """The budget system with 120 indicators of the county and 3 of its league: three pages."""
    boxes.use()
    boxes.budget.add_world([{"kind": "indicator", **item(county, f"PG{n:03d}")} for n in range(120)])
    league = {"MOF_DIV_CODE": LEAGUE[:9], "DIS_AMT": "400.00", "COR_BGT_DOC_NO": "赤财农〔2026〕9号"}
    boxes.budget.add_world([{"kind": "indicator", **item(county, f"UP{n}", **league)} for n in range(3)])
    return boxes


def downloads(session: Session) -> list[IndicatorDownload]:
    return list(session.exec(select(IndicatorDownload).order_by(sa.text("id"))))


class TestDownload:
    def test_a_second_download_adds_nothing(self, county: World, outside: Sandboxes, as_: As):
        by = county.finance.clerk
        assert indicator_downloads.download(by=by) == 120
        with as_(by) as session:
            before = books(session)
        assert indicator_downloads.download(by=by) == 0
        with as_(by) as session:
            assert len(session.exec(select(BudgetIndicator)).all()) == 120
            assert books(session) == before
            assert journal.verify(session) == []
            first, second = downloads(session)
            assert (first.status, first.pages, first.items, first.new_count) == (DownloadStatus.DONE, 3, 120, 120)
            assert (second.new_count, second.changed_count, second.fault_count) == (0, 0, 0)
            assert by.name in first.started_by

    def test_an_interrupted_download_goes_on_at_its_page(self, county: World, outside: Sandboxes, as_: As):
        by = county.finance.clerk
        outside.budget.fault("error", times=99, path="/indicators")
        with pytest.raises(Unavailable):
            indicator_downloads.download(by=by)
        with as_(by) as session:
            assert downloads(session)[0].status == DownloadStatus.INTERRUPTED
        while True:  # the ordered faults are used up
            try:
                indicator_downloads.download(by=by)
                break
            except Unavailable:
                continue
        with as_(by) as session:
            (row,) = downloads(session)
            assert (row.status, row.pages, row.items) == (DownloadStatus.DONE, 3, 120)

    @pytest.mark.parametrize("page", [0, 1, 2])
    def test_killed_between_two_pages_it_ends_the_same(
        self, county: World, outside: Sandboxes, as_: As, monkeypatch: pytest.MonkeyPatch, page: int
    ):
        by = county.finance.clerk
        asked: list[str] = []
        ask = indicator_downloads.budget_system.download_indicators

        def die(division: str, **fields: Any) -> Any:
            asked.append(fields["cursor"])
            if len(asked) == page + 1:
                raise KeyboardInterrupt
            return ask(division, **fields)

        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr(indicator_downloads.budget_system, "download_indicators", die)
            indicator_downloads.download(by=by)
        with as_(by) as session:
            (row,) = downloads(session)
            assert (row.status, row.pages, row.cursor) == (DownloadStatus.RUNNING, page, asked[-1])
        assert indicator_downloads.download(by=by) == 120 - min(page * 50, 120)
        with as_(by) as session:
            (row,) = downloads(session)
            assert (row.status, row.pages, row.items, row.new_count) == (DownloadStatus.DONE, 3, 120, 120)
            assert len(standing(session)) == 120
            assert journal.verify(session) == []

    def test_one_that_stopped_long_ago_begins_anew(self, county: World, outside: Sandboxes, as_: As, owner: Owner):
        by = county.finance.clerk
        with owner() as session:
            indicator_downloads._take(session, county.code, by=by, scheduled=False)
            session.execute(sa.text("update indicator_downloads set cursor = '60'"))
            advance(session, now(session) + timedelta(hours=25))
        assert indicator_downloads.download(by=by) == 120
        with as_(by) as session:
            assert [row.status for row in downloads(session)] == [DownloadStatus.ABANDONED, DownloadStatus.DONE]

    def test_two_at_once_keep_each_page_once(self, county: World, outside: Sandboxes, as_: As):
        people = [county.finance.clerk, county.finance.second_clerk, county.finance.clerk]
        found: list[int] = []
        threads = [
            threading.Thread(target=lambda by=by: found.append(indicator_downloads.download(by=by))) for by in people
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert sum(found) == 120
        with as_(county.finance.clerk) as session:
            assert len(standing(session)) == 120
            assert len(books(session)) == 240
            assert sum(row.new_count for row in downloads(session)) == 120
            assert journal.verify(session) == []

    def test_the_sandboxes_indicators_re_read_are_equal(self, county: World, outside: Sandboxes, as_: As):
        indicator_downloads.download(by=county.finance.clerk)
        figures = outside.budget.ledger()["indicators"]
        with as_(county.finance.clerk) as session:
            rows = session.exec(select(BudgetIndicator)).all()
            assert {row.bgt_id: row.amount_fen for row in rows} == {
                row.bgt_id: figures[row.bgt_id]["available_fen"] for row in rows
            }

    def test_only_the_finance_clerk_downloads(self, county: World, outside: Sandboxes):
        for by in (county.department.clerk, county.finance.reviewer, county.league_department.clerk):
            with pytest.raises(NotAllowed):
                indicator_downloads.download(by=by)

    def test_the_job_tells_what_came(self, county: World, outside: Sandboxes, as_: As):
        by = county.finance.clerk
        with as_(by) as session:
            job = key(indicator_downloads.start_download(session, by=by).id)
        indicator_downloads.run_download(job, by.post_id)
        with as_(by) as session:
            assert session.get_one(Job, job).message == "新增指标 120 项，变更 0 项"

    def test_what_the_budget_system_refuses_is_told(
        self, county: World, outside: Sandboxes, as_: As, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setenv("YIKATONG_HOT_TOPIC", "另一类别")
        settings.cache_clear()
        boxes_wrong = {"MOF_DIV_CODE": county.code[:9], "HOT_TOPIC_CATE_NAME": "另一类别"}
        outside.budget.add_world([{"kind": "indicator", **item(county, "OTHER", **boxes_wrong)}])
        try:
            outside.use()
            assert indicator_downloads.download(by=county.finance.clerk) == 1
        finally:
            monkeypatch.undo()
            settings.cache_clear()
        assert DownloadRejected.__doc__


class TestSchedule:
    def test_each_finance_bureau_is_queued_once_in_its_hours(self, county: World, outside: Sandboxes, owner: Owner):
        """Two counties, two leagues and the region have a finance bureau in the world."""
        assert indicator_downloads.queue_due(SWEEP) == 5
        assert indicator_downloads.queue_due(SWEEP) == 0
        with owner() as session:
            advance(session, now(session) + timedelta(hours=6, minutes=1))
        assert indicator_downloads.queue_due(SWEEP) == 5
        with owner() as session:
            assert len(downloads(session)) == 5

    def test_the_schedule_can_be_switched_off(self, county: World, outside: Sandboxes, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("YIKATONG_INDICATOR_HOURS", "0")
        settings.cache_clear()
        try:
            assert indicator_downloads.queue_due(SWEEP) == 0
        finally:
            monkeypatch.undo()
            settings.cache_clear()

    def test_it_runs_as_a_named_system_principal_of_the_division(self, county: World, outside: Sandboxes, as_: As):
        indicator_downloads.queue_due(SWEEP)
        indicator_downloads.run_scheduled(county.code)
        with as_(county.finance.clerk) as session:
            (row,) = downloads(session)
            assert (row.status, row.scheduled, row.started_by) == (DownloadStatus.DONE, True, "指标定时下载")
            assert len(standing(session)) == 120

    def test_a_league_learns_what_it_received_and_passed_on(self, county: World, outside: Sandboxes, as_: As):
        indicator_downloads.run_scheduled(LEAGUE)
        indicator_downloads.download(by=county.league)
        with as_(county.league) as session:
            rows = session.exec(select(UpstreamIndicator)).all()
            assert [(row.amount_fen, row.distributed_fen) for row in rows] == [(100_000, 40_000)] * 3
            assert session.exec(select(BudgetIndicator)).all() == []
        with transaction(county.finance.clerk) as session:
            assert session.exec(select(UpstreamIndicator)).all() == []
