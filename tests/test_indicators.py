"""Indicators: downloaded by hot-topic class, linked, never overdrawn. （第十条）"""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import Session, select

from models.indicators import BudgetIndicator
from models.journal import JournalEntry
from policies.refusals import NotAllowed
from tests.conftest import As
from tests.factories import World, a_project
from tests.money import a_funded_indicator
from tests.world import key
from workflows import indicator_keeping, indicators, journal
from workflows.indicators import IndicatorOverdrawn, shift

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
                assert indicator_keeping.keep(session, [item(county), item(county, "BGT2")], by=by).new == new
        with as_(by) as session:
            assert [row.available_fen for row in session.exec(select(BudgetIndicator))] == [100_000, 100_000]
            assert len(session.exec(select(JournalEntry)).all()) == 2
            assert journal.verify(session) == []

    def test_a_raised_amount_raises_what_is_available_and_back_again(self, county: World, as_: As):
        by = county.finance.clerk
        for amount in ("1000.00", "1500.00", "1000.00", "1500.00"):
            with as_(by) as session:
                indicator_keeping.keep(session, [item(county, amount=amount)], by=by)
        with as_(by) as session:
            row = session.exec(select(BudgetIndicator)).one()
            assert (row.amount_fen, row.available_fen) == (150_000, 150_000)
            assert journal.verify(session) == []

    def test_what_was_distributed_further_down_is_not_ours(self, county: World, as_: As):
        with as_(county.finance.clerk) as session:
            indicator_keeping.keep(session, [item(county, DIS_AMT="400.00")], by=county.finance.clerk)
            assert session.exec(select(BudgetIndicator)).one().amount_fen == 60_000

    def test_another_class_or_another_county_is_left_out(self, county: World, as_: As):
        others = [
            item(county, "BGT3", HOT_TOPIC_CATE_NAME="“三保”支出"),
            item(county, "BGT4", MOF_DIV_CODE=county.other_county.code[:9]),
        ]
        with as_(county.finance.clerk) as session:
            assert indicator_keeping.keep(session, others, by=county.finance.clerk).new == 0

    def test_only_the_finance_clerk_downloads(self, county: World, as_: As):
        with pytest.raises(NotAllowed), as_(county.department.clerk) as session:
            indicator_keeping.keep(session, [item(county)], by=county.department.clerk)


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
