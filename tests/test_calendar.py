"""The calendar of working days: imported, enabled by another, every open limit counted anew. （第十七条等）"""

from datetime import date, datetime, timedelta
from io import BytesIO

import pytest
import sqlalchemy as sa
import xlsxwriter
from sqlmodel import Session, select

from models.clock import CalendarDay, CalendarStatus, CalendarVersion
from models.events import Event
from models.jobs import Job
from models.rosters import Roster
from policies.clock import ZONE, today
from policies.refusals import NotAllowed, ReasonMissing
from policies.working_days import CalendarMissing, add_working_days
from reports.sheets.calendar import ArrangementWrong, CalendarFileWrong, read
from tests.conftest import As
from tests.factories import World, key
from tests.test_local_rules import a_roster_of
from workflows import calendar
from workflows.calendar import ArrangementUnderWay, PastDaysChanged, YearOutOfReach

NOTICE = "国办发明电〔2026〕9号"
HOLIDAYS = (date(2027, 1, 1), *(date(2027, 2, 5) + timedelta(n) for n in range(7)), date(2027, 1, 4))
MAKE_UPS = (date(2027, 1, 9), date(2027, 2, 20))


def arrangement(*holidays: date, make_ups: tuple[date, ...] = MAKE_UPS) -> tuple[str, bytes]:
    """Return a file like the State Council's: holidays and make-up days."""
    rows = [f"{day},否,放假" for day in holidays or HOLIDAYS] + [f"{day},是,调休上班" for day in make_ups]
    return "2027.csv", ("日期,是否上班,说明\n" + "\n".join(rows)).encode()


def imported(session: Session, county: World, *holidays: date, **more) -> CalendarVersion:
    file = arrangement(*holidays, **more)
    return calendar.import_arrangement(
        session, by=county.region_finance.clerk, year=2027, document=NOTICE, file=file
    )  # fmt: skip


def applied(session: Session, county: World, *holidays: date, **more) -> CalendarVersion:
    record = imported(session, county, *holidays, **more)
    calendar.enable(session, record, by=county.region_finance.reviewer)
    calendar.recompute(session, record, county.region_finance.reviewer)
    return record


class TestFile:
    def test_what_is_not_listed_follows_its_weekday(self):
        days, listed = read(*arrangement(), 2027)
        assert len(days) == 365 and listed == len(HOLIDAYS) + len(MAKE_UPS)
        assert days[date(2027, 1, 9)] == (True, "调休上班") and days[date(2027, 1, 4)] == (False, "放假")
        assert days[date(2027, 3, 1)] == (True, "") and days[date(2027, 3, 6)] == (False, "")

    def test_a_workbook_with_true_dates_is_read(self):
        out = BytesIO()
        with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
            sheet = book.add_worksheet()
            sheet.write_row(0, 0, ["说明", "日期", "是否上班"])
            sheet.write_string(1, 0, "元旦")
            sheet.write_datetime(1, 1, datetime(2027, 1, 1), book.add_format({"num_format": "yyyy-mm-dd"}))
            sheet.write_string(1, 2, "休")
        assert read("a.xlsx", out.getvalue(), 2027)[0][date(2027, 1, 1)] == (False, "元旦")

    def test_every_mistake_is_told_with_its_row_and_remedy(self):
        rows = "日期,是否上班,说明\n2027-01-01,否,\n2027-13-01,否,\n2026-01-01,否,\n2027-02-01,也许,\n2027-01-01,否,"
        with pytest.raises(ArrangementWrong) as refused:
            read("a.csv", rows.encode(), 2027)
        for words in (
            "第 3 行日期",
            "第 4 行日期 2026-01-01 不在 2027 年",
            "第 5 行是否上班“也许”",
            "第 6 行日期 2027-01-01 重复",
        ):
            assert words in str(refused.value)

    @pytest.mark.parametrize(("name", "content"), [("a.xlsx", b"x"), ("a.csv", b""), ("a.csv", "甲,乙\n1,2".encode())])
    def test_what_is_no_such_file_is_refused(self, name, content):
        with pytest.raises(CalendarFileWrong):
            read(name, content, 2027)


class TestTwoPeople:
    def test_the_regions_finance_imports_and_another_enables(self, session, county):
        record = imported(session, county)
        assert (record.status, record.changed_count) == (
            CalendarStatus.IMPORTED,
            len(calendar.differences(session, record)),
        )
        with pytest.raises(NotAllowed):
            calendar.enable(session, record, by=county.region_finance.clerk)
        for by in (county.league_finance.clerk, county.finance.clerk, county.system_admin):
            with pytest.raises(NotAllowed):
                calendar.import_arrangement(session, by=by, year=2027, document=NOTICE, file=arrangement())
        with pytest.raises(ReasonMissing):
            calendar.return_(session, record, by=county.region_finance.reviewer, reason=" ")
        calendar.return_(session, record, by=county.region_finance.reviewer, reason="文件有误")
        assert record.status == CalendarStatus.DISCARDED

    def test_one_arrangement_at_a_time_and_no_year_is_jumped_over(self, session, county):
        imported(session, county)
        with pytest.raises(ArrangementUnderWay):
            imported(session, county)
        with pytest.raises(YearOutOfReach, match="2028"):
            calendar.import_arrangement(
                session, by=county.region_finance.clerk, year=2035, document=NOTICE, file=arrangement()
            )

    def test_days_that_have_passed_stay(self, session, county):
        day = next(one.day for one in calendar.days_of(session, 2026) if one.working and one.day.weekday() < 5)
        rows = f"日期,是否上班,说明\n{day},否,放假".encode()
        with pytest.raises(PastDaysChanged, match=str(day)):
            calendar.import_arrangement(
                session, by=county.region_finance.clerk, year=2026, document=NOTICE, file=("a.csv", rows)
            )


class TestRecomputation:
    def due(self, session: Session, county: World, arrived: date, days: int, number: int = 1) -> Roster:
        """Return a roster whose limit of `days` runs from `arrived`."""
        roster = a_roster_of(session, county, county.township.division_code, number)
        roster.arrived_at = datetime(arrived.year, arrived.month, arrived.day, 10, tzinfo=ZONE)
        roster.due_on = add_working_days(session, arrived, days)
        session.flush()
        return roster

    def test_an_arrangement_moves_what_is_open_in_both_directions(self, session, county):
        later = self.due(session, county, date(2026, 12, 30), 5, 1)
        sooner = self.due(session, county, date(2027, 1, 5), 5, 2)
        apart = self.due(session, county, date(2026, 12, 1), 5, 3)
        before, rest = later.due_on, apart.due_on
        record = imported(session, county, date(2027, 1, 1), date(2027, 1, 4))
        assert calendar.would_move(session, record) == [("发放清册", 2)]
        calendar.enable(session, record, by=county.region_finance.reviewer)
        calendar.recompute(session, record, county.region_finance.reviewer)
        session.expire_all()
        # 12-31, 01-05, 01-06, 01-07, 01-08: the Monday of the provisional calendar is a holiday.
        assert later.due_on == date(2027, 1, 8) and later.due_on > before
        # 01-06, 01-07, 01-08, the make-up Saturday 01-09, 01-11.
        assert sooner.due_on == date(2027, 1, 11)
        assert apart.due_on == rest
        assert (record.status, record.moved_count) == (CalendarStatus.APPLIED, 2)

    def test_the_year_is_no_longer_provisional_and_says_its_source(self, session, county):
        applied(session, county)
        day = session.get_one(CalendarDay, date(2027, 1, 9))
        assert (day.working, day.provisional, day.source, day.version) == (True, False, NOTICE, 2)

    def test_returned_records_keep_the_days_they_have_left(self, session, county):
        roster = self.due(session, county, date(2026, 12, 30), 5)
        roster.due_on, roster.days_left = None, 2
        session.flush()
        applied(session, county, date(2027, 1, 1), date(2027, 1, 4))
        session.refresh(roster)
        assert (roster.due_on, roster.days_left) == (None, 2)

    def test_one_event_tells_of_the_whole(self, session, county):
        self.due(session, county, date(2026, 12, 30), 5)
        record = applied(session, county, date(2027, 1, 1), date(2027, 1, 4))
        told = session.exec(select(Event).where(Event.noun == "calendar", Event.verb == "apply")).one()
        assert (told.record_id, told.facts["roster"]) == (record.id, 1)

    def test_a_later_year_is_added(self, session, county):
        applied(session, county)
        rows = "日期,是否上班,说明\n2028-01-03,否,元旦".encode()
        record = calendar.import_arrangement(
            session, by=county.region_finance.clerk, year=2028, document="国办发明电〔2027〕8号", file=("a.csv", rows)
        )
        calendar.enable(session, record, by=county.region_finance.reviewer)
        calendar.recompute(session, record, county.region_finance.reviewer)
        assert add_working_days(session, date(2027, 12, 31), 1) == date(2028, 1, 4)


def test_the_job_applies_it_whole_as_the_reviewer(county: World, owner, as_: As):
    with owner() as session:
        roster = TestRecomputation().due(session, county, date(2026, 12, 30), 5)
        number = key(roster.id)
    with as_(county.region_finance.clerk) as session:
        record = imported(session, county, date(2027, 1, 1), date(2027, 1, 4))
    with as_(county.region_finance.reviewer) as session:
        calendar.enable(session, session.get_one(CalendarVersion, record.id), by=county.region_finance.reviewer)
        job = session.exec(select(Job).where(Job.kind == calendar.APPLY_JOB)).one()
    calendar.run_apply(key(job.id), county.region_finance.reviewer.post_id)
    with owner() as session:
        assert session.get_one(Roster, number).due_on == date(2027, 1, 8)
        done = session.get_one(Job, job.id)
        assert (done.status.value, "1 件未办结事项" in done.message) == ("done", True)
        assert session.get_one(CalendarVersion, record.id).status == CalendarStatus.APPLIED
    calendar.run_apply(key(job.id), county.region_finance.reviewer.post_id)  # again after a crash: nothing more


def test_nobody_but_the_function_writes_the_calendar(county: World, as_: As):
    for by in (county.region_finance.reviewer, county.system_admin):
        with as_(by) as session, pytest.raises(sa.exc.ProgrammingError, match="permission denied"):
            session.execute(sa.text("update calendar_days set working = true"))


def test_a_missing_year_says_who_imports_it(session):
    last = session.execute(sa.text("select max(day) from calendar_days")).scalar_one()
    with pytest.raises(CalendarMissing, match="自治区财政厅经办岗"):
        add_working_days(session, last, 1)


@pytest.mark.parametrize(
    ("start", "last"), [(date(2026, 2, 13), date(2026, 2, 27)), (date(2026, 12, 30), date(2027, 1, 7))]
)
def test_the_cases_of_the_domain(session, start, last):
    assert add_working_days(session, start, 5) == last
    assert today(session) < date(2027, 1, 1)
