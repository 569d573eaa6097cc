"""Working days by the State Council's calendar, and business time that only demo and test may move."""

from datetime import date, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlmodel import Session

from policies import clock, deadlines
from policies.clock import ZONE
from policies.refusals import ClockFixed
from policies.working_days import CalendarMissing, add_working_days, next_working_day, working_days_left
from tests.conftest import As


class TestWorkingDays:
    @pytest.mark.parametrize(
        ("start", "days", "last"),
        [
            # The make-up Saturday 02-14 counts, the Spring Festival 02-15 … 02-23 doesn't.
            (date(2026, 2, 13), 5, date(2026, 2, 27)),
            (date(2026, 2, 13), 1, date(2026, 2, 14)),
            (date(2026, 2, 14), 1, date(2026, 2, 24)),
            # A limit that begins in a holiday runs from the first working day after it.
            (date(2026, 2, 18), 2, date(2026, 2, 25)),
            (date(2026, 5, 8), 2, date(2026, 5, 11)),
        ],
    )
    def test_make_up_saturdays_count_and_holidays_do_not(self, session, start, days, last):
        assert add_working_days(session, start, days) == last

    def test_a_limit_runs_over_the_turn_of_the_year(self, session):
        last = add_working_days(session, date(2026, 12, 30), 5)
        assert last > date(2027, 1, 4)
        assert working_days_left(session, date(2026, 12, 30), last) == 5

    def test_days_beyond_the_published_calendar_are_marked_provisional(self, session):
        kinds = session.execute(sa.text("select distinct provisional from calendar_days where day >= '2027-01-01'"))
        assert kinds.scalars().all() == [True]

    def test_beyond_the_calendar_nothing_is_guessed(self, session):
        last = session.execute(sa.text("select max(day) from calendar_days")).scalar_one()
        with pytest.raises(CalendarMissing, match=str(last)):
            add_working_days(session, last, 1)

    def test_what_is_left_is_negative_once_overdue(self, session):
        # 2026-05-09 is a make-up Saturday.
        assert working_days_left(session, date(2026, 5, 11), date(2026, 5, 8)) == -2
        assert working_days_left(session, date(2026, 5, 11), date(2026, 5, 11)) == 0
        assert working_days_left(session, date(2026, 5, 8), date(2026, 5, 11)) == 2

    def test_the_next_working_day_opens_at_nine(self, session):
        assert next_working_day(session, date(2026, 2, 14)) == datetime(2026, 2, 24, 9, tzinfo=ZONE)

    def test_adding_and_counting_agree_over_a_year(self, session):
        for ordinal in range(date(2026, 1, 1).toordinal(), date(2026, 12, 1).toordinal(), 11):
            start = date.fromordinal(ordinal)
            for days in (1, 2, 3, 5):
                assert working_days_left(session, start, add_working_days(session, start, days)) == days


class TestBusinessTime:
    def test_it_is_the_time_of_inner_mongolia(self, session):
        assert clock.now(session).tzinfo == ZONE
        assert clock.today(session) == clock.now(session).date()

    def test_outside_demo_and_test_it_cannot_be_moved(self, session):
        session.execute(sa.text("update business_clock set movable = false"))
        with pytest.raises(ClockFixed):
            clock.advance(session, clock.now(session) + timedelta(days=1))

    def test_it_is_moved_forward_only(self, session):
        session.execute(sa.text("update business_clock set movable = true"))
        with pytest.raises(ClockFixed):
            clock.advance(session, clock.now(session) - timedelta(days=1))
        until = clock.now(session) + timedelta(days=30)
        assert abs(clock.advance(session, until) - until) < timedelta(seconds=5)

    def test_no_officer_moves_it_by_writing_the_row(self, as_: As):
        with pytest.raises(sa.exc.ProgrammingError, match="permission denied"), as_(None) as session:
            session.execute(sa.text("update business_clock set moved_by = interval '9 days'"))


class TestDeadlines:
    def test_the_numbers_are_those_of_the_regulation(self, session: Session):
        assert {limit.code: limit.working_days for limit in deadlines.ALL} == {
            "township_notice": 5,
            "department_review": 2,
            "finance_review": 2,
            "batch_sending": 2,
            "bank_payment": 3,
            "account_change": 5,
        }
        assert all(limit.article.startswith("第") for limit in deadlines.ALL)
