"""Mapping: by county finance, in draw-down order, not ended while an order lives; what projects can pay. （第十条）"""

import pytest
import sqlalchemy as sa
from sqlmodel import Session, select

from models.indicators import BudgetIndicator, Drawdown
from models.projects import ProjectLink, SubsidyProject
from models.rosters import RosterStatus
from policies.refusals import NotAllowed, NotFound
from tests.conftest import As, Owner
from tests.factories import LAND, World, a_line, a_project, a_roster, lines_of
from tests.money import a_funded_indicator, a_second_link
from tests.payments import Payments
from tests.test_indicators import CODE, item
from tests.world import OTHER_COUNTY, key
from workflows import indicator_funds, indicator_keeping, indicator_links
from workflows.allotment import sources
from workflows.indicator_links import LinkInUse, PriorityWrong, ProCodeWrong
from workflows.indicators import shift

SECOND = CODE[:-1] + "8"
THIRD = CODE[:-1] + "9"


@pytest.fixture
def project(county: World, owner: Owner) -> SubsidyProject:
    with owner() as session:
        return a_project(session, county, link=False)


def order(session: Session) -> list[str]:
    rows = session.exec(select(ProjectLink).order_by(sa.text("priority"), sa.text("pro_code"))).all()
    return [row.pro_code for row in rows]


class TestLink:
    def test_links_are_made_one_after_the_other_and_moved_by_clicks(
        self, county: World, as_: As, project: SubsidyProject
    ):
        by = county.finance.clerk
        with as_(by) as session:
            for code in (CODE, SECOND, THIRD):
                indicator_links.link(session, by=by, project=project, pro_code=code)
        for code, step, expected in (
            (THIRD, "up", [CODE, THIRD, SECOND]),
            (CODE, "down", [THIRD, CODE, SECOND]),
        ):
            with as_(by) as session:
                indicator_links.shift_link(session, project, by=by, pro_code=code, step=step)
            with as_(by) as session:
                assert order(session) == expected
        for code, step in ((THIRD, "up"), (SECOND, "down"), (CODE, "sideways")):
            with pytest.raises(NotFound), as_(by) as session:
                indicator_links.shift_link(session, project, by=by, pro_code=code, step=step)

    @pytest.mark.parametrize("wrong", ["", "123", "15043024a1b2c3d4e5f67", CODE + "9"])
    def test_a_wrong_code_is_refused(self, county: World, as_: As, project: SubsidyProject, wrong: str):
        with pytest.raises(ProCodeWrong), as_(county.finance.clerk) as session:
            indicator_links.link(session, by=county.finance.clerk, project=project, pro_code=wrong)

    def test_a_wrong_order_is_refused(self, county: World, as_: As, project: SubsidyProject):
        with pytest.raises(PriorityWrong), as_(county.finance.clerk) as session:
            indicator_links.link(session, by=county.finance.clerk, project=project, pro_code=CODE, priority=0)

    def test_only_county_finances_clerk_maps(self, county: World, as_: As, project: SubsidyProject):
        for by in (county.finance.reviewer, county.department.clerk, county.league, county.region):
            with pytest.raises(NotAllowed), as_(by) as session:
                indicator_links.link(session, by=by, project=project, pro_code=CODE)

    def test_what_was_changed_is_remembered(self, county: World, as_: As, project: SubsidyProject):
        by = county.finance.clerk
        with as_(by) as session:
            indicator_links.link(session, by=by, project=project, pro_code=CODE)
            indicator_links.choose_drawdown(session, project, by=by, drawdown="ascending")
            indicator_links.unlink(session, project, by=by, pro_code=CODE)
        with as_(by) as session:
            about = indicator_funds.of_project(session, county.code, key(project.id), project.code, limit=10)
            labels = [row.label for row in about["history"]]
            assert labels == ["解除预算项目对应", "支用方式：可用少的先支用", "对应预算项目"]
            assert order(session) == []

    def test_a_link_is_not_ended_while_a_payment_order_lives(self, county: World, session: Session):
        Payments(session, county, LAND, lines=2)
        code = session.exec(select(ProjectLink.pro_code).where(ProjectLink.division_code == county.code)).one()
        session.execute(sa.text("update payment_orders set status = 'rejected'"))
        number = session.execute(sa.text("select number from payment_orders")).scalar_one()
        project = session.exec(select(SubsidyProject).where(SubsidyProject.code == LAND)).one()
        with pytest.raises(LinkInUse, match=number):
            indicator_links.unlink(session, project, by=county.finance.clerk, pro_code=code)


class TestDrawdown:
    @pytest.mark.parametrize(
        ("drawdown", "expected"),
        [(Drawdown.ASCENDING, [10, 20, 30]), (Drawdown.DESCENDING, [30, 20, 10]), (None, [20, 10, 30])],
    )
    def test_of_one_priority_by_availability_as_the_county_chose(
        self, county: World, session: Session, drawdown: Drawdown | None, expected: list[int]
    ):
        project = a_project(session, county)
        for number, fen in enumerate((20, 10, 30), 1):
            row = a_funded_indicator(session, county, project, amount_fen=fen)
            row.document_date = sa.func.make_date(2026, 1, number)  # type: ignore[assignment]
        session.flush()
        if drawdown:
            indicator_links.choose_drawdown(session, project, by=county.finance.clerk, drawdown=drawdown)
        roster = a_roster(session, county, status=RosterStatus.FINAL, project=project, lines=[a_line()])
        assert [one.available_fen for one in sources(session, roster)] == expected

    def test_priority_comes_before_availability(self, county: World, session: Session):
        project = a_project(session, county)
        first = a_funded_indicator(session, county, project, amount_fen=90)
        second = a_second_link(session, county.code, project)
        indicator_keeping.keep(
            session, [item(county, "SMALL", amount="0.10", PRO_CODE=second.pro_code)], by=county.finance.clerk
        )
        indicator_links.choose_drawdown(session, project, by=county.finance.clerk, drawdown="ascending")
        roster = a_roster(session, county, status=RosterStatus.FINAL, project=project, lines=[a_line()])
        assert [one.indicator_id for one in sources(session, roster)][0] == first.id


class TestUnmapped:
    def test_the_countys_own_link_of_last_year_is_suggested_first(
        self, county: World, as_: As, project: SubsidyProject
    ):
        by = county.finance.clerk
        with as_(by) as session:
            indicator_links.link(session, by=by, project=project, pro_code=CODE[:6] + "23" + CODE[8:])
            indicator_keeping.keep(session, [item(county, PRO_NAME="没有人认得的名称")], by=by)
            (row,) = indicator_links.unmapped(session, limit=10)
            assert (row.pro_code, row.amount_fen) == (CODE, 100_000)
            assert [(one.name, one.reason) for one in row.suggestions] == [(project.name, "本地往年对应")]
            assert indicator_links.count_unmapped(session) == (1, 100_000)

    def test_other_counties_links_are_suggested_by_name_only(
        self, county: World, as_: As, owner: Owner, project: SubsidyProject
    ):
        with owner() as session:
            session.add(ProjectLink(division_code=OTHER_COUNTY, project_id=key(project.id),
                                    pro_code=f"{OTHER_COUNTY[:6]}26{CODE[8:]}"))  # fmt: skip
        by = county.finance.clerk
        with as_(by) as session:
            indicator_keeping.keep(session, [item(county, PRO_NAME="没有人认得的名称")], by=by)
            (row,) = indicator_links.unmapped(session, limit=10)
            assert [(one.name, one.reason) for one in row.suggestions] == [(project.name, "其他 1 个旗县如此对应")]
            columns = session.execute(sa.text("select * from link_suggestions(:s, :n)"), {"s": [CODE[8:]], "n": []})
            assert list(columns.keys()) == ["suffix", "pro_name", "project_id", "counties"]
        with as_(None) as session:
            nothing = sa.text("select count(*) from link_suggestions(:s, :n)")
            assert session.execute(nothing, {"s": [CODE[8:]], "n": []}).scalar_one() == 0

    def test_a_like_name_is_suggested_last(self, county: World, as_: As, project: SubsidyProject):
        by = county.finance.clerk
        with as_(by) as session:
            indicator_keeping.keep(session, [item(county, PRO_NAME=f"2026年{project.name}资金")], by=by)
            (row,) = indicator_links.unmapped(session, limit=10)
            assert [(one.name, one.reason) for one in row.suggestions] == [(project.name, "名称相近")]

    def test_later_indicators_follow_by_themselves(self, county: World, as_: As, project: SubsidyProject):
        by = county.finance.clerk
        with as_(by) as session:
            indicator_links.link(session, by=by, project=project, pro_code=CODE)
            indicator_keeping.keep(session, [item(county)], by=by)
            indicator_keeping.keep(session, [item(county, "LATER")], by=by)
            assert indicator_links.unmapped(session, limit=10) == []
            (row,) = indicator_funds.per_project(session, limit=10)
            assert (row.indicators, row.available_fen) == (2, 200_000)


class TestFunds:
    def test_amounts_by_project_and_what_final_rosters_still_need(self, county: World, session: Session):
        project = a_project(session, county)
        row = a_funded_indicator(session, county, project, amount_fen=20_000)
        a_funded_indicator(session, county, project, amount_fen=5_000)
        roster = a_roster(
            session, county, status=RosterStatus.FINAL, project=project, lines=[a_line(amount_fen=30_000)]
        )
        shift(session, county.code, "reserve", "r", indicator_id=key(row.id), amount_fen=2_000)
        (funds,) = indicator_funds.per_project(session, limit=10)
        assert (funds.amount_fen, funds.available_fen, funds.reserved_fen) == (25_000, 23_000, 2_000)
        assert (funds.needed_fen, funds.short_fen) == (30_000, 7_000)
        assert lines_of(session, roster)
        assert indicator_funds.in_all(session).available_fen == 23_000

    def test_the_history_of_an_indicator_has_its_balances(self, county: World, session: Session):
        row = a_funded_indicator(session, county, a_project(session, county), amount_fen=1_000)
        for number, kind in enumerate(("reserve", "request", "fund", "refund")):
            shift(session, county.code, kind, f"k{number}", indicator_id=key(row.id), amount_fen=600)
        count, rows = indicator_funds.ledger(session, county.code, key(row.id), limit=10)
        told = [(one.kind, one.moved_fen, one.available_fen, one.reserved_fen, one.requested_fen, one.paid_fen) for one in rows]  # fmt: skip  # noqa: E501
        assert count == 5
        assert told == [
            ("refund", 600, 1000, 0, 0, 0), ("fund", 600, 400, 0, 0, 600), ("request", 600, 400, 0, 600, 0),
            ("reserve", 600, 400, 600, 0, 0), ("indicator", 1000, 1000, 0, 0, 0),
        ]  # fmt: skip
        _, older = indicator_funds.ledger(session, county.code, key(row.id), limit=2, skip=3)
        assert [one.available_fen for one in older] == [400, 1000]

    def test_another_county_sees_nothing(self, county: World, as_: As, owner: Owner):
        with owner() as session:
            a_funded_indicator(session, county, a_project(session, county))
        with as_(county.other_county.finance.clerk) as session:
            assert indicator_funds.per_project(session, limit=10) == []
            assert indicator_links.unmapped(session, limit=10) == []
            assert session.exec(select(BudgetIndicator)).all() == []
        with as_(county.league) as session:
            assert len(indicator_funds.per_project(session, limit=10)) == 1
