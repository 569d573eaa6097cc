"""The calendar of working days: month grids, arrangements, their differences and what they move. （第十七条等）"""

from itertools import groupby
from typing import Any

from sqladmin import expose
from sqlmodel import Session
from starlette.requests import Request
from starlette.responses import Response

from admin import pages
from admin.base import BASE, ConsoleView, Form, Menu
from admin.money_pages import MoneyPage, granted_of
from admin.reading import reading
from models.clock import CalendarDay, CalendarStatus, CalendarVersion
from models.officers import ActingOfficer
from policies.clock import today
from policies.lifecycles import Ask, Desk
from policies.lifecycles.calendar import CALENDAR_LIFECYCLE
from policies.permissions import Permission as P
from workflows import calendar

HOW = "三列：日期、是否上班、说明（.xlsx 或 .csv）；只列放假和调休上班的日期即可，未列的按周一至周五上班"
WEEKDAYS = "一二三四五六日"
SATURDAY = 5


class CalendarVersionView(ConsoleView, model=CalendarVersion):
    """放假安排。"""

    category, icon = Menu.CATALOGUE, "fa-solid fa-calendar-plus"
    permission = P.CALENDAR_VIEW
    lifecycle, verbs = CALENDAR_LIFECYCLE, "workflows.calendar"
    opens = "all"
    record_template = "calendar_version"
    column_list = ["number", "year", "document", "changed_count", "moved_count", "status", "applied_at"]
    headline = ("year", "document", "listed_count", "changed_count", "moved_count", "applied_at")
    search_text = ("number", "document")
    filters = ("status",)
    forms = (
        Form(
            "import", "导入放假安排", P.CALENDAR_IMPORT, calendar.import_arrangement,
            (
                Ask("year", "年度", "integer", help="一个文件一个年度"),
                Ask("document", "文件文号", "text", help="国务院办公厅关于节假日安排的通知的文号"),
                Ask("file", "文件", "file", help=HOW),
            ),
            seats=Desk.REGION_FINANCE_CLERK.seats,
            consequence="先看差异；由自治区财政厅审核岗启用后，全区工作日历更新，未办结事项的期限随之重算。",
        ),
        Form(
            "resume", "重新生效", P.CALENDAR_ENABLE, calendar.resume, on_record=True,
            statuses=(CalendarStatus.ENABLED,), seats=Desk.REGION_FINANCE_REVIEWER.seats,
            consequence="后台任务没有完成的，重新执行一次；全部完成才生效。",
        ),
    )  # fmt: skip

    def title(self, record: Any) -> str:
        """Return the year."""
        return f"{record.year} 年放假安排（{record.number}）"

    def extra(self, session: Session, record: Any, by: ActingOfficer, granted: frozenset[str]) -> dict[str, Any]:
        """Return the days that change, and the open limits that would move."""
        return {
            "differences": calendar.differences(session, record), "moves": calendar.would_move(session, record),
            "weekdays": WEEKDAYS,
        }  # fmt: skip


class CalendarView(MoneyPage):
    """工作日历。"""

    name, category, icon = "工作日历", Menu.CATALOGUE, "fa-solid fa-calendar-days"
    permission = P.CALENDAR_VIEW
    root_url = menu_url = f"{BASE}/calendar"

    @expose("/calendar", identity="calendar")
    async def year(self, request: Request) -> Response:
        """Show a year in month grids: holidays, make-up days, what is provisional."""
        self.admit(request)
        given = request.query_params.get("year", "")

        def question(session: Session) -> dict[str, Any]:
            day, known = today(session), calendar.years(session)
            chosen = int(given) if given.isascii() and given.isdigit() and len(given) == 4 else day.year
            chosen = min(max(chosen, known[0]), known[-1]) if known else chosen
            days = calendar.days_of(session, chosen)
            return {"today": day, "known": known, "chosen": chosen, "months": months(days), "days": days}

        found = await reading(question)
        days = found.pop("days")
        return await pages.render(
            request, "calendar", title=self.name, view=self, weekdays=WEEKDAYS,
            provisional=any(one.provisional for one in days), working=sum(one.working for one in days),
            sources=sorted({one.source for one in days if one.source}),
            imports=P.CALENDAR_IMPORT in granted_of(request), **found,
        )  # fmt: skip


def months(days: Any) -> list[tuple[int, list[list[tuple[CalendarDay, str] | None]]]]:
    """Return each month's weeks, Monday first: the day and what it is."""
    return [(number, _weeks(list(group))) for number, group in groupby(days, key=lambda one: one.day.month)]


def _weeks(days: list[CalendarDay]) -> list[list[tuple[CalendarDay, str] | None]]:
    cells: list[tuple[CalendarDay, str] | None] = [None] * days[0].day.weekday()
    cells += [(one, _kind(one)) for one in days]
    cells += [None] * (-len(cells) % 7)
    return [cells[at : at + 7] for at in range(0, len(cells), 7)]


def _kind(one: CalendarDay) -> str:
    """Return what a day is: work, rest, a holiday on a weekday, a make-up day on a weekend."""
    weekday = one.day.weekday() < SATURDAY
    return {(True, True): "work", (True, False): "makeup", (False, True): "holiday", (False, False): "rest"}[
        (one.working, weekday)
    ]
