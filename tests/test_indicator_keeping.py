"""What arrives: the newest version wins, a wrong item leaves others alone, departments are told at once. （第十条）"""

import random
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import Session, select

from models.catalogue_tasks import CatalogueTask, CatalogueTaskKind, CatalogueTaskStatus
from models.indicator_downloads import IndicatorFault
from models.indicators import BudgetIndicator
from policies.moves import OtherDivision
from policies.refusals import NotAllowed, NotFound
from tests.conftest import As, Owner
from tests.factories import World, a_project
from tests.test_indicators import CODE, item
from tests.world import key
from workflows import indicator_arrivals, indicator_keeping, indicator_links, journal
from workflows.indicator_arrivals import NothingToAcknowledge
from workflows.indicator_items import parse
from workflows.indicators import shift


def tasks(session: Session, kind: CatalogueTaskKind) -> list[CatalogueTask]:
    found = sa.select(CatalogueTask).where(CatalogueTask.kind == kind).order_by(sa.text("id"))
    return list(session.execute(found).scalars())


def standing(session: Session) -> list[tuple[Any, ...]]:
    rows = session.exec(select(BudgetIndicator)).all()
    return sorted((row.bgt_id, row.amount_fen, row.available_fen, row.pro_name, row.deleted) for row in rows)


class TestVersions:
    def test_an_older_version_never_takes_the_place_of_a_newer_one(self, county: World, as_: As):
        by = county.finance.clerk
        for amount, moment in (("1500.00", "2026-03-02 08:00:00"), ("1000.00", "2026-03-01 08:00:00")):
            with as_(by) as session:
                indicator_keeping.keep(session, [item(county, amount=amount, UPDATE_TIME=moment)], by=by)
        with as_(by) as session:
            assert session.exec(select(BudgetIndicator)).one().amount_fen == 150_000

    def test_what_the_budget_system_deleted_is_worth_nothing(self, county: World, as_: As):
        by = county.finance.clerk
        for fields in ({"UPDATE_TIME": "2026-03-01 08:00:00"}, {"UPDATE_TIME": "2026-03-02 08:00:00", "IS_DELETED": 1}):
            with as_(by) as session:
                indicator_keeping.keep(session, [item(county, **fields)], by=by)
        with as_(by) as session:
            row = session.exec(select(BudgetIndicator)).one()
            assert (row.amount_fen, row.available_fen, row.deleted) == (0, 0, True)
            assert journal.verify(session) == []

    def test_what_is_unchanged_is_neither_locked_nor_written(self, county: World, as_: As):
        by = county.finance.clerk
        with as_(by) as session:
            indicator_keeping.keep(session, [item(county)], by=by)
        with as_(by) as session:
            before = session.execute(sa.text("select xmin, xmax from budget_indicators")).one()
            assert indicator_keeping.keep(session, [item(county)], by=by) == indicator_keeping.Kept()
            assert session.execute(sa.text("select xmin, xmax from budget_indicators")).one() == before

    def test_the_class_code_is_kept_beside_its_name(self, county: World, as_: As):
        with as_(county.finance.clerk) as session:
            indicator_keeping.keep(session, [item(county, HOT_TOPIC_CATE_CODE="09")], by=county.finance.clerk)
            row = session.exec(select(BudgetIndicator)).one()
            assert (row.hot_topic, row.hot_topic_code) == ("惠民惠农财政补贴资金", "09")


WRONG = [
    ("AMOUNT", "一百"), ("AMOUNT", "-1"), ("AMOUNT", "1.234"), ("AMOUNT", None), ("DIS_AMT", "2000"),
    ("FISCAL_YEAR", "今年"), ("FISCAL_YEAR", 1), ("DOC_DATE", "2026/3/1"), ("UPDATE_TIME", "昨天"),
    ("PRO_CODE", ""), ("PRO_NAME", "长" * 201), ("BGT_DEC", "坏\x00字"),
]  # fmt: skip


class TestFaults:
    @pytest.mark.parametrize(("field", "value"), WRONG)
    def test_a_wrong_field_is_told_by_key_and_field_and_the_others_are_kept(
        self, county: World, as_: As, field: str, value: Any
    ):
        by = county.finance.clerk
        wrong = {**item(county, "BAD"), field: value}
        with as_(by) as session:
            kept = indicator_keeping.keep(session, [item(county, "A"), wrong, item(county, "B")], by=by)
            assert (kept.new, kept.faults) == (2, 1)
            fault = session.exec(select(IndicatorFault)).one()
            assert (fault.bgt_id, fault.field) == ("BAD", field)
            assert "更正后重新下载" in fault.problem or "核对后重新下载" in fault.problem or "补齐" in fault.problem
            assert "BAD" in tasks(session, CatalogueTaskKind.INDICATOR_REFUSED)[0].detail
            assert journal.verify(session) == []

    def test_an_item_that_is_none_and_one_without_a_key_are_told(self, county: World):
        items: list[Any] = ["x", {**item(county), "BGT_ID": ""}]
        assert [fault.bgt_id for fault in parse(items, county.code).faults] == ["第 1 条", "第 2 条"]

    def test_a_fault_goes_when_the_indicator_can_be_kept(self, county: World, as_: As):
        by = county.finance.clerk
        for amount in ("错", "100.00"):
            with as_(by) as session:
                indicator_keeping.keep(session, [item(county, amount=amount)], by=by)
        with as_(by) as session:
            assert session.exec(select(IndicatorFault)).one().gone_at is not None
            (task,) = tasks(session, CatalogueTaskKind.INDICATOR_REFUSED)
            assert task.status == CatalogueTaskStatus.GONE

    def test_an_indicator_cut_below_its_use_is_refused_alone(self, county: World, as_: As):
        by = county.finance.clerk
        with as_(by) as session:
            indicator_keeping.keep(session, [item(county, "A"), item(county, "B")], by=by)
            row = session.exec(select(BudgetIndicator).where(BudgetIndicator.bgt_id == "A")).one()
            shift(session, county.code, "reserve", "r1", indicator_id=key(row.id), amount_fen=90_000)
        with as_(by) as session:
            cut = [item(county, "A", amount="899.99"), item(county, "B", amount="10.00")]
            kept = indicator_keeping.keep(session, cut, by=by)
            assert (kept.changed, kept.faults) == (1, 1)
            assert [(row[0], row[1]) for row in standing(session)] == [("A", 100_000), ("B", 1_000)]
            fault = session.exec(select(IndicatorFault)).one()
            assert (fault.bgt_id, fault.field) == ("A", "AMOUNT")
            assert "低于已占用" in fault.problem
            assert journal.verify(session) == []


class TestArrival:
    def mapped(self, county: World, owner: Owner, as_: As) -> None:
        with owner() as session:
            project = a_project(session, county, link=False)
        with as_(county.finance.clerk) as session:
            indicator_links.link(session, by=county.finance.clerk, project=project, pro_code=CODE)

    def test_a_mapped_indicator_is_told_to_its_department_by_the_next_working_day(
        self, county: World, as_: As, owner: Owner
    ):
        self.mapped(county, owner, as_)
        with as_(county.finance.clerk) as session:
            indicator_keeping.keep(session, [item(county)], by=county.finance.clerk)
        with as_(county.department.clerk) as session:
            (task,) = tasks(session, CatalogueTaskKind.INDICATOR_ARRIVED)
            assert (task.sector, task.status) == ("农牧", CatalogueTaskStatus.DEPARTMENT)
            assert task.due_on is not None
            assert "1000.00 元" in task.detail
        with as_(county.civil_affairs.clerk) as session:
            assert tasks(session, CatalogueTaskKind.INDICATOR_ARRIVED) == []

    def test_one_that_pays_nothing_yet_is_told_to_finance_once_for_its_budget_project(self, county: World, as_: As):
        with as_(county.finance.clerk) as session:
            indicator_keeping.keep(session, [item(county), item(county, "BGT2")], by=county.finance.clerk)
        with as_(county.finance.clerk) as session:
            indicator_keeping.keep(session, [item(county, "BGT3")], by=county.finance.clerk)
            (task,) = tasks(session, CatalogueTaskKind.INDICATOR_UNMAPPED)
            assert task.status == CatalogueTaskStatus.FINANCE

    def test_mapping_settles_finances_task_and_tells_the_department(self, county: World, as_: As, owner: Owner):
        with as_(county.finance.clerk) as session:
            indicator_keeping.keep(session, [item(county), item(county, "BGT2")], by=county.finance.clerk)
        self.mapped(county, owner, as_)
        with as_(county.finance.clerk) as session:
            assert [one.status for one in tasks(session, CatalogueTaskKind.INDICATOR_UNMAPPED)] == ["gone"]
            assert len(tasks(session, CatalogueTaskKind.INDICATOR_ARRIVED)) == 2

    def test_the_department_acknowledges(self, county: World, as_: As, owner: Owner):
        self.mapped(county, owner, as_)
        with as_(county.finance.clerk) as session:
            indicator_keeping.keep(session, [item(county)], by=county.finance.clerk)
        by = county.department.clerk
        with as_(by) as session:
            row = session.exec(select(BudgetIndicator)).one()
            indicator_arrivals.acknowledge(session, row, by=by, note="下周造册")
        with as_(by) as session:
            (task,) = tasks(session, CatalogueTaskKind.INDICATOR_ARRIVED)
            assert (task.status, task.note) == (CatalogueTaskStatus.SETTLED, "下周造册")
            row = session.exec(select(BudgetIndicator)).one()
            with pytest.raises(NothingToAcknowledge):
                indicator_arrivals.acknowledge(session, row, by=by)

    def test_nobody_else_acknowledges(self, county: World, as_: As, owner: Owner):
        self.mapped(county, owner, as_)
        with as_(county.finance.clerk) as session:
            indicator_keeping.keep(session, [item(county)], by=county.finance.clerk)
        others = (county.finance.clerk, county.civil_affairs.clerk, county.department.reviewer,
                  county.league_department.clerk, county.other_county.department.clerk)  # fmt: skip
        for by in others:
            with as_(county.finance.clerk) as session:
                row = session.exec(select(BudgetIndicator)).one()
            with pytest.raises((NotAllowed, NothingToAcknowledge, NotFound, OtherDivision)), as_(by) as session:
                indicator_arrivals.acknowledge(session, row, by=by)


VERSIONS = st.lists(st.tuples(st.sampled_from("ABCD"), st.integers(1, 6)), min_size=1, max_size=12)


class TestAnyOrder:
    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(versions=VERSIONS, seed=st.integers(0, 9999), cuts=st.integers(1, 4))
    def test_whatever_comes_twice_or_in_another_order_ends_in_the_same_indicators(
        self, county: World, session: Session, versions: list[tuple[str, int]], seed: int, cuts: int
    ):
        """What a version says follows from its key and moment, as it does at the source."""
        by = county.finance.clerk
        told = [
            item(county, name, amount=f"{(ord(name) + moment) * 7 % 5 * 100}.00", PRO_NAME=f"第{moment}版",
                 UPDATE_TIME=f"2026-03-0{moment} 08:00:00")
            for name, moment in versions
        ]  # fmt: skip
        again = told + told[::2]
        random.Random(seed).shuffle(again)
        ends = []
        for items in (told, again):
            step = max(1, len(items) // cuts)
            with session.begin_nested() as savepoint:
                for at in range(0, len(items), step):
                    indicator_keeping.keep(session, items[at : at + step], by=by)
                assert journal.verify(session) == []
                session.expire_all()
                ends.append(standing(session))
                savepoint.rollback()
        assert ends[0] == ends[1]
