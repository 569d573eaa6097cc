"""The period a subsidy is for, as officers write it: a year, a month, a quarter. （第十六条）"""

from datetime import date, datetime

from policies.refusals import Refused


class PeriodUnclear(Refused):
    """补贴所属期“{period}”看不懂，请写成 2026、2026-03 或 2026Q1。"""

    status_code = 400


def span(period: str) -> tuple[date, date]:
    """Return the first and last day of a period: a year, a month or a quarter. Raises PeriodUnclear."""
    text = period.strip().upper()
    for form, months in (("%Y-%m", 1), ("%Y", 12)):
        try:
            first = datetime.strptime(text, form).date()
        except ValueError:
            continue
        return first, _last_day(first, months)
    year, mark, quarter = text.partition("Q")
    if mark and len(year) == 4 and year.isascii() and year.isdigit() and quarter in ("1", "2", "3", "4"):
        first = date(int(year), int(quarter) * 3 - 2, 1)
        return first, _last_day(first, 3)
    raise PeriodUnclear(period=period)


def _last_day(first: date, months: int) -> date:
    years, month = divmod(first.month - 1 + months, 12)
    return date.fromordinal(date(first.year + years, month + 1, 1).toordinal() - 1)
