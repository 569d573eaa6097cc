"""The periodic bulletin: its figures are the journal's, its workbook says the same everywhere. （第三十三条）"""

import io
import zipfile
from dataclasses import replace
from datetime import date, datetime
from random import Random
from typing import Any

import openpyxl
import pytest
import sqlalchemy as sa
from sqlmodel import Session

from models.bank_batches import DisbursementStatus
from models.bulletins import Bulletin
from models.households import Member
from models.rosters import LineState, RosterStatus
from policies.clock import ZONE, today
from policies.refusals import NotAllowed
from reports.bulletins import families
from reports.bulletins.family import Figures, Heading, Span
from reports.bulletins.measures import Measures, Unit, span_before, year_before
from reports.bulletins.periodic import FAMILY, MAIN, MAIN_COLUMNS, main_rows
from reports.bulletins.periodic_words import COUNTED
from tests.conftest import As, Owner
from tests.factories import (
    World,
    a_line,
    a_project,
    a_roster,
    key,
    lines_of,
)
from tests.payments import Payments, earlier
from workflows import bulletins, journal
from workflows.files import content_of

GRASSLAND = "2130135"


def this_year(session: Session) -> dict[str, date]:
    day = today(session)
    return {"date_from": day.replace(month=1, day=1), "date_to": day}


def made(as_: As, by: Any, **span: date) -> Bulletin:
    with as_(by) as session:
        asked = span or this_year(session)
        return bulletins.make(session, by=by, family="periodic", **asked)


def workbook(as_: As, by: Any, bulletin: Bulletin, *, values: bool) -> Any:
    with as_(by) as session:
        content = content_of(session, bulletin.file_id)
    return openpyxl.load_workbook(io.BytesIO(content), data_only=values)


def table(sheet: Any) -> dict[str, dict[str, Any]]:
    """Return the main table's rows by place, each by column name."""
    names = [column.name for column in MAIN_COLUMNS]
    rows = {}
    for row in sheet.iter_rows(min_row=6, values_only=True):
        if row[1]:
            rows[row[1].strip("　")] = dict(zip(names, row, strict=False))
    return rows


class TestFigures:
    def test_the_totals_equal_the_journal_to_the_fen_and_change_with_one_reversal(
        self, county: World, owner: Owner, as_: As
    ) -> None:
        with owner() as session:
            land = Payments(session, county, "2130122")
            land.pay(0, 1, 2)
            expected = land.amount(0, 1, 2)
        before = made(as_, county.region_finance.clerk)
        assert (before.paid_fen, before.paid_count) == (expected, 3)
        with owner() as session:
            land.session = session
            attempt = session.merge(land.attempts[1])
            attempt.status = DisbursementStatus.REVERSED
            session.flush()
            journal.book_reversals(session, land.county, "reverse:1", [key(attempt.id)], today(session))
        after = made(as_, county.region_finance.clerk)
        assert (after.paid_fen, after.paid_count) == (expected - land.attempts[1].amount_fen, 2)
        assert after.digest != before.digest
        assert after.number != before.number

    @pytest.mark.parametrize("seed", range(3))
    def test_generated_journals_agree_in_every_row(self, county: World, owner: Owner, as_: As, seed: int) -> None:
        random = Random(seed)
        with owner() as session:
            groups = [
                Payments(session, county, code, other=other, lines=8)
                for code, other in (("2130122", False), (GRASSLAND, False), (GRASSLAND, True))
            ]
            for group in groups:
                paid = sorted(random.sample(range(8), random.randint(1, 7)))
                group.pay(*paid)
                for place in range(8):
                    if place in paid and random.random() < 0.3:
                        group.reverse(place)
                    elif place not in paid and random.random() < 0.6:
                        group.fail(place, random.choice(["closed", "dormant", "dead", "unspecified"]))
            net = dict(
                session.execute(
                    sa.text("select county_code, sum(amount_fen) from postings where ledger = 'paid' group by 1")
                ).tuples().all()
            )  # fmt: skip
            due = sum(group.amount(*range(8)) for group in groups)
        bulletin = made(as_, county.region_finance.auditor)
        units = [Unit(**{**row, "measures": Measures(**row["measures"])}) for row in bulletin.figures["units"]]
        assert bulletin.paid_fen == sum(net.values())
        for code, fen in net.items():
            assert sum(unit.measures.paid_fen for unit in units if unit.county_code == code) == fen
        assert sum(unit.measures.due_fen for unit in units) == due
        for unit in units:
            one = unit.measures
            reasons = (one.unpaid_account, one.unpaid_death, one.unpaid_indicator, one.unpaid_notice, one.unpaid_other)
            assert one.due_count - one.paid_count == sum(reasons)
            assert one.timely_count == one.card_count == one.paid_count

    def test_each_reason_for_which_a_line_is_unpaid_is_told_apart(self, county: World, owner: Owner, as_: As) -> None:
        with owner() as session:
            land = Payments(session, county, "2130122")
            land.pay(0)
            land.fail(1, "closed")
            land.fail(2, "dead")
            land.attempts[3].status = DisbursementStatus.RESERVED
            a_roster(session, county, project=a_project(session, county, GRASSLAND), status=RosterStatus.ON_NOTICE)
        total = made(as_, county.finance.clerk).figures["total"]
        names = ("unpaid_account", "unpaid_death", "unpaid_indicator", "unpaid_notice", "unpaid_other", "failed_count")
        assert [total[name] for name in names] == [1, 1, 1, 1, 2, 2]

    def test_a_line_removed_and_rostered_again_is_due_once(self, county: World, owner: Owner, as_: As) -> None:
        with owner() as session:
            land = Payments(session, county, "2130122", lines=2)
            land.fail(0, "closed")
            gone = lines_of(session, land.roster)[0]
            gone.state = LineState.STOPPED
            session.flush()
            member = session.execute(sa.select(Member).filter_by(id=gone.member_id)).scalar_one()
            a_roster(session, county, project=land.project, lines=[a_line(member=member)])
        assert made(as_, county.finance.clerk).figures["total"]["due_count"] == 2

    def test_a_payment_after_the_banks_three_days_is_late(self, county: World, owner: Owner, as_: As) -> None:
        with owner() as session:
            land = Payments(session, county, "2130122")
            credited = datetime(2026, 2, 12, 10, tzinfo=ZONE)
            land.order.credited_at = credited
            land.pay(0, on=date(2026, 2, 14))
            land.pay(1, on=date(2026, 2, 24))
            land.pay(2, on=date(2026, 2, 25))
        total = made(as_, county.finance.clerk).figures["total"]
        assert (total["paid_count"], total["timely_count"]) == (3, 2), "02-14 is a make-up Saturday, 02-15…23 a break"

    def test_an_earlier_year_is_compared_and_not_counted(self, county: World, owner: Owner, as_: As) -> None:
        with owner() as session:
            land = Payments(session, county, "2130122")
            land.pay(0)
            earlier(session, land, 1)
            expected, year_ago = land.amount(0), land.amount(1)
        bulletin = made(as_, county.finance.clerk)
        assert bulletin.paid_fen == expected
        assert bulletin.figures["total"]["year_ago_fen"] == year_ago
        assert bulletin.figures["total"]["due_count"] == 5, "what was paid before the period is not due in it"

    def test_a_county_sees_its_own_figures_only(self, county: World, owner: Owner, as_: As) -> None:
        with owner() as session:
            Payments(session, county, "2130122").pay(0, 1)
            other = Payments(session, county, GRASSLAND, other=True)
            other.pay(0)
            expected = other.amount(0)
        bulletin = made(as_, county.other_county.finance.clerk)
        assert bulletin.paid_fen == expected
        assert {row["county_code"] for row in bulletin.figures["units"]} == {county.other_county.code}


class TestWorkbook:
    @pytest.fixture
    def bulletin(self, county: World, owner: Owner, as_: As) -> Bulletin:
        with owner() as session:
            land = Payments(session, county, "2130122")
            land.pay(0, 1, 2, 3)
            land.fail(4, "dormant")
            Payments(session, county, GRASSLAND).pay(0)
            Payments(session, county, GRASSLAND, other=True).pay(0, 1)
        return made(as_, county.region_finance.clerk)

    def test_rows_stand_by_league_with_counties_beneath_and_a_total(
        self, county: World, as_: As, bulletin: Bulletin
    ) -> None:
        rows = table(workbook(as_, county.region_finance.clerk, bulletin, values=True)[MAIN])
        assert {"赤峰市", "敖汉旗", "锡林郭勒盟", "阿巴嘎旗", "合计"} <= rows.keys()
        assert round(rows["合计"]["paid"] * 100) == bulletin.paid_fen
        assert rows["合计"]["paid_count"] == bulletin.paid_count == 7
        assert rows["合计"]["paid"] == pytest.approx(rows["赤峰市"]["paid"] + rows["锡林郭勒盟"]["paid"])
        assert rows["赤峰市"]["projects"] == 2
        assert rows["合计"]["paid_rate"] == pytest.approx(rows["合计"]["paid"] / rows["合计"]["due"])
        assert rows["合计"]["yearly"] == "—"

    def test_totals_and_rates_are_formulas_with_their_values(self, county: World, as_: As, bulletin: Bulletin) -> None:
        by = county.region_finance.clerk
        formulas = table(workbook(as_, by, bulletin, values=False)[MAIN])
        values = table(workbook(as_, by, bulletin, values=True)[MAIN])
        for place in ("合计", "赤峰市"):
            for name in ("due", "paid", "paid_rate", "unpaid_account", "red", "yearly"):
                assert str(formulas[place][name]).startswith("="), (place, name)
                assert values[place][name] is not None, (place, name)
        assert not str(formulas["敖汉旗"]["paid"]).startswith("=")

    def test_charts_are_native_and_the_print_is_set_up(self, county: World, as_: As, bulletin: Bulletin) -> None:
        by = county.region_finance.clerk
        with as_(by) as session:
            content = content_of(session, bulletin.file_id)
        parts = zipfile.ZipFile(io.BytesIO(content)).namelist()
        assert len([part for part in parts if part.startswith("xl/charts/chart")]) == 3
        for sheet in openpyxl.load_workbook(io.BytesIO(content)).worksheets:
            assert sheet.page_setup.orientation == "landscape"
            assert int(sheet.page_setup.paperSize) == 9
            assert "&P" in sheet.oddFooter.center.text and "&N" in sheet.oddFooter.center.text
        main = openpyxl.load_workbook(io.BytesIO(content))[MAIN]
        assert main.freeze_panes == "C6"
        assert main.print_title_rows == "$4:$5"
        assert "单位：元、笔" in main["H3"].value

    def test_every_measure_says_how_it_is_counted_and_the_digest_stands_in_the_book(
        self, county: World, as_: As, bulletin: Bulletin
    ) -> None:
        book = workbook(as_, county.region_finance.clerk, bulletin, values=True)
        told = "".join(str(cell) for row in book["口径"].iter_rows(values_only=True) for cell in row)
        for column in MAIN_COLUMNS:
            if column.group != "计算用" and column.name not in ("place",):
                assert (column.group or column.title).split("（")[0][:2] in told, column.title
        assert len(list(book["口径"].iter_rows())) == len(COUNTED) + 1
        facts = dict(book["摘要"].iter_rows(max_col=2, values_only=True))
        assert facts["数据摘要（SHA-256）"] == bulletin.digest
        assert facts["通报编号"] == bulletin.number

    def test_the_lead_paragraph_is_written_from_the_figures(self, county: World, as_: As, bulletin: Bulletin) -> None:
        text = workbook(as_, county.region_finance.clerk, bulletin, values=True)[MAIN]["A2"].value
        assert "7人次" in text
        assert "2个领域（农业、牧业）2项补贴" in text
        assert "账户1笔" in text


class TestPure:
    HEADING = Heading(
        "TB1", "通报", "财政厅", "内蒙古自治区", Span(date(2026, 1, 1), date(2026, 6, 30)),
        datetime(2026, 7, 1, 9, tzinfo=ZONE), "某某",
    )  # fmt: skip
    UNIT = Unit(
        "150430000000", "敖汉旗", False, "150400000000", "赤峰市", "1", "=1+1", "农业",
        Measures(due_fen=300, paid_fen=100, due_count=3, paid_count=1, unpaid_other=2),
    )  # fmt: skip
    MANZHOULI = replace(
        UNIT,
        county_code="150781000000",
        county="满洲里市",
        direct=True,
        league_code="150700000000",
        league="呼伦贝尔市",
    )
    HAILAR = replace(MANZHOULI, county_code="150702000000", county="海拉尔区", direct=False)

    def test_text_that_begins_with_an_equals_sign_is_no_formula(self) -> None:
        book = openpyxl.load_workbook(io.BytesIO(self.write([self.UNIT])))
        cells = [cell for row in book["项目明细"].iter_rows() for cell in row if cell.value == "=1+1"]
        assert [cell.data_type for cell in cells] == ["s"]

    def test_manzhouli_stands_beside_its_league_and_the_total_says_so(self) -> None:
        rows = main_rows([self.UNIT, self.MANZHOULI, self.HAILAR])
        tops = {row.values["place"]: row for row in rows if row.level == 1}
        assert set(tops) == {"赤峰市", "呼伦贝尔市", "满洲里市（财政直管）"}
        assert tops["呼伦贝尔市"].values["paid"] == 1.0
        assert rows[-1].values["place"] == "合计（含财政直管的满洲里市）"
        assert rows[-1].values["paid"] == 3.0
        assert len(rows[-1].sum_of) == 3

    def test_leagues_are_ranked_by_the_share_paid(self) -> None:
        better = replace(self.HAILAR, measures=Measures(due_fen=300, paid_fen=300, due_count=3, paid_count=3))
        rows = main_rows([self.UNIT, better])
        assert [row.values["place"] for row in rows if row.level == 1] == ["呼伦贝尔市", "赤峰市"]

    def test_a_bulletin_without_any_figure_is_still_a_workbook(self) -> None:
        book = openpyxl.load_workbook(io.BytesIO(self.write([])))
        assert "没有应发" in book[MAIN]["A2"].value

    def test_months_are_compared_with_months(self) -> None:
        assert span_before(Span(date(2026, 3, 1), date(2026, 3, 31))) == Span(date(2026, 2, 1), date(2026, 2, 28))
        assert span_before(Span(date(2026, 1, 1), date(2026, 3, 31))) == Span(date(2025, 10, 1), date(2025, 12, 31))
        assert span_before(Span(date(2026, 3, 5), date(2026, 3, 9))) == Span(date(2026, 2, 28), date(2026, 3, 4))
        assert year_before(Span(date(2024, 2, 1), date(2024, 2, 29))) == Span(date(2023, 2, 1), date(2023, 2, 28))

    def test_families_are_found_by_themselves(self) -> None:
        assert families()["periodic"] is FAMILY

    def write(self, units: list[Unit]) -> bytes:
        rows = [{**vars(unit), "measures": vars(unit.measures)} for unit in units]
        data = {"units": rows, "year_ago": ["2025-01-01", "2025-06-30"], "previous": ["2025-07-01", "2025-12-31"]}
        return FAMILY.write(Figures(data, 0, 0), self.HEADING)


class TestRefusals:
    def test_who_may_not_make_bulletins_is_refused(self, county: World, as_: As) -> None:
        by = county.township.clerk
        with as_(by) as session, pytest.raises(NotAllowed):
            bulletins.make(session, by=by, family="periodic", date_from="2026-01-01", date_to="2026-02-01")

    @pytest.mark.parametrize(("start", "end"), [("2026-02-01", "2026-01-01"), ("2999-01-01", "2999-02-01"), ("", "x")])
    def test_days_that_make_no_period_are_refused(self, county: World, as_: As, start: str, end: str) -> None:
        by = county.finance.clerk
        with as_(by) as session, pytest.raises(bulletins.SpanWrong):
            bulletins.make(session, by=by, family="periodic", date_from=start, date_to=end)

    def test_an_unknown_family_is_refused_with_those_there_are(self, county: World, as_: As) -> None:
        by = county.finance.clerk
        with as_(by) as session, pytest.raises(bulletins.FamilyUnknown, match="periodic"):
            bulletins.make(session, by=by, family="monthly", date_from="2026-01-01", date_to="2026-01-31")
