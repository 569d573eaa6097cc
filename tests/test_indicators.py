"""Indicators: downloaded by hot-topic class, linked, never overdrawn. （第十条）"""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import Session, select

from integrations.sandbox.launch import Sandboxes
from models.indicators import BudgetIndicator
from models.journal import JournalEntry
from models.projects import ProjectLink
from policies.refusals import NotAllowed
from tests.conftest import As, Owner
from tests.factories import World, a_project
from tests.money import a_funded_indicator, sandboxes_in
from tests.world import key
from workflows import indicators, journal
from workflows.indicators import IndicatorBelowUse, IndicatorOverdrawn, PriorityWrong, ProCodeWrong, shift

CODE = "15043024" + "A1B2C3D4E5F67"


def item(county: World, number: str = "BGT1", amount: str = "1000.00", **fields: Any) -> dict[str, Any]:
    """An indicator in the budget system's field names."""
    return {
        "BGT_ID": number, "MOF_DIV_CODE": county.code[:9], "FISCAL_YEAR": 2026, "COR_BGT_DOC_NO": "赤财农指〔2026〕1号",
        "BGT_DOC_TITLE": "关于下达资金的通知", "DOC_DATE": "2026-03-01", "PRO_CODE": CODE, "PRO_NAME": "耕地地力",
        "HOT_TOPIC_CATE_NAME": "惠民惠农财政补贴资金", "GOV_BGT_ECO_CODE": "50903", "AMOUNT": amount, **fields,
    }  # fmt: skip


class TestKeep:
    def test_an_indicator_is_kept_once_by_its_key(self, county: World, as_: As):
        by = county.finance.clerk
        for new in (2, 0):
            with as_(by) as session:
                assert indicators.keep(session, [item(county), item(county, "BGT2")], by=by) == new
        with as_(by) as session:
            assert [row.available_fen for row in session.exec(select(BudgetIndicator))] == [100_000, 100_000]
            assert len(session.exec(select(JournalEntry)).all()) == 2
            assert journal.verify(session) == []

    def test_a_raised_amount_raises_what_is_available_and_back_again(self, county: World, as_: As):
        by = county.finance.clerk
        for amount in ("1000.00", "1500.00", "1000.00", "1500.00"):
            with as_(by) as session:
                indicators.keep(session, [item(county, amount=amount)], by=by)
        with as_(by) as session:
            row = session.exec(select(BudgetIndicator)).one()
            assert (row.amount_fen, row.available_fen) == (150_000, 150_000)
            assert journal.verify(session) == []

    def test_what_was_distributed_further_down_is_not_ours(self, county: World, as_: As):
        with as_(county.finance.clerk) as session:
            indicators.keep(session, [item(county, DIS_AMT="400.00")], by=county.finance.clerk)
            assert session.exec(select(BudgetIndicator)).one().amount_fen == 60_000

    def test_another_class_or_another_county_is_left_out(self, county: World, as_: As):
        others = [
            item(county, "BGT3", HOT_TOPIC_CATE_NAME="“三保”支出"),
            item(county, "BGT4", MOF_DIV_CODE=county.other_county.code[:9]),
        ]
        with as_(county.finance.clerk) as session:
            assert indicators.keep(session, others, by=county.finance.clerk) == 0

    def test_an_indicator_is_not_cut_below_what_is_in_use(self, county: World, as_: As):
        by = county.finance.clerk
        with as_(by) as session:
            indicators.keep(session, [item(county)], by=by)
            row = session.exec(select(BudgetIndicator)).one()
            shift(session, county.code, "reserve", "r1", indicator_id=key(row.id), amount_fen=90_000)
        with pytest.raises(IndicatorBelowUse, match="赤财农指〔2026〕1号"), as_(by) as session:
            indicators.keep(session, [item(county, amount="899.99")], by=by)

    def test_only_the_finance_clerk_downloads(self, county: World, as_: As):
        with pytest.raises(NotAllowed), as_(county.department.clerk) as session:
            indicators.keep(session, [item(county)], by=county.department.clerk)


class TestLink:
    def test_a_project_is_linked_and_its_order_changed(self, county: World, as_: As, owner: Owner):
        with owner() as session:
            project = a_project(session, county, link=False)
        by = county.finance.clerk
        for priority in (1, 2):
            with as_(by) as session:
                indicators.link(session, by=by, project=project, pro_code=CODE, priority=priority)
        with as_(by) as session:
            assert [row.priority for row in session.exec(select(ProjectLink))] == [2]

    @pytest.mark.parametrize("wrong", ["", "123", "15043024a1b2c3d4e5f67", CODE + "9"])
    def test_a_wrong_code_is_refused(self, county: World, as_: As, owner: Owner, wrong: str):
        with owner() as session:
            project = a_project(session, county, link=False)
        with pytest.raises(ProCodeWrong), as_(county.finance.clerk) as session:
            indicators.link(session, by=county.finance.clerk, project=project, pro_code=wrong)

    def test_a_wrong_order_is_refused(self, county: World, as_: As, owner: Owner):
        with owner() as session:
            project = a_project(session, county, link=False)
        with pytest.raises(PriorityWrong), as_(county.finance.clerk) as session:
            indicators.link(session, by=county.finance.clerk, project=project, pro_code=CODE, priority=0)


class TestShift:
    def test_the_same_fact_is_booked_once(self, county: World, session: Session):
        row = a_funded_indicator(session, county, a_project(session, county), amount_fen=1000)
        asked = {"indicator_id": key(row.id), "amount_fen": 600}
        assert shift(session, county.code, "reserve", "one", **asked)
        assert not shift(session, county.code, "reserve", "one", **asked)
        session.refresh(row)
        assert (row.available_fen, row.reserved_fen) == (400, 600)

    def test_more_than_there_is_is_refused(self, county: World, session: Session):
        row = a_funded_indicator(session, county, a_project(session, county), amount_fen=1000)
        with pytest.raises(IndicatorOverdrawn, match=r"只有 10\.00 元，需要 10\.01 元"):
            shift(session, county.code, "reserve", "one", indicator_id=key(row.id), amount_fen=1001)

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.lists(st.tuples(st.sampled_from(sorted(indicators.SHIFTS)), st.integers(1, 700)), max_size=12))
    def test_whatever_is_shifted_the_indicator_is_conserved(
        self, county: World, session: Session, moves: list[tuple[str, int]]
    ):
        with session.begin_nested() as savepoint:
            row = a_funded_indicator(session, county, a_project(session, county), amount_fen=1000)
            for number, (kind, amount_fen) in enumerate(moves):
                try:
                    with session.begin_nested():
                        shift(session, county.code, kind, f"k{number}", indicator_id=key(row.id), amount_fen=amount_fen)
                except IndicatorOverdrawn:
                    continue
            assert journal.verify(session) == []
            savepoint.rollback()


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandboxes]:
    with sandboxes_in(tmp_path_factory.mktemp("outside")) as boxes:
        yield boxes


class TestDownload:
    def test_all_pages_are_downloaded_and_a_second_download_adds_nothing(
        self, county: World, outside: Sandboxes, as_: As
    ):
        outside.use()
        outside.budget.add_world([{"kind": "indicator", **item(county, f"PG{n:03d}")} for n in range(120)])
        assert indicators.download(by=county.finance.clerk) == 120
        assert indicators.download(by=county.finance.clerk) == 0
        with as_(county.finance.clerk) as session:
            assert len(session.exec(select(BudgetIndicator)).all()) == 120
            assert journal.verify(session) == []
