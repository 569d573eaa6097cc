"""Standards by division, and the notice periods of a county's projects. （第八、十五条）"""

from collections.abc import Mapping
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqladmin import expose
from sqlmodel import Session, col
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from admin import pages
from admin.base import BASE, ConsoleView, Form, Menu
from admin.money_pages import LAST_PAGE, ROWS, MoneyPage, granted_of, link, number_of, page_of
from admin.reading import doing, form_of, reading, who
from models.base import REGION_CODE
from models.divisions import Level
from models.officers import ActingOfficer
from models.organisations import OrganisationKind
from models.projects import NoticeStage, ProjectStandard, ProjectStatus, SubsidyProject
from policies.lifecycles import Ask, Desk
from policies.lifecycles.standards import STANDARD_LIFECYCLE
from policies.limits import NOTICE_DAYS, value_for
from policies.notices import DAYS_ALLOWED
from policies.permissions import Permission as P
from policies.refusals import NotFound, Refused
from workflows import notices, standards

PERIODS = f"{BASE}/notice-periods"
LONGEST = 60


def projects_to_set(session: Session, by: ActingOfficer, record: Any) -> list[tuple[str, str]]:
    """Return the projects whose standards the officer's department sets. （第八条）"""
    project = SubsidyProject
    rows = session.execute(
        sa.select(project.id, project.code, project.name, project.unit)  # type: ignore[call-overload]
        .where(
            col(project.sector) == by.sector,
            col(project.status) == ProjectStatus.ADMITTED,
            col(project.definition)["standard_setter"].astext == str(by.level),
        )
        .order_by(col(project.code))
    )
    return [(str(row.id), f"{row.code} {row.name}（元/{row.unit.removeprefix('元/') or '份'}）") for row in rows]


def propose(
    session: Session, *, by: ActingOfficer, project: int, yuan: str, valid_from: date, document: str, grade: str = "",
    valid_to: date | None = None, basis: str = "",
) -> ProjectStandard:  # fmt: skip
    """Propose a standard of a project that was chosen from the list."""
    found = session.get(SubsidyProject, project)
    if found is None:
        raise NotFound
    return standards.propose(
        session, by=by, project=found, yuan=yuan, valid_from=valid_from, document=document, grade=grade,
        valid_to=valid_to, basis=basis,
    )  # fmt: skip


class StandardView(ConsoleView, model=ProjectStandard):
    """补贴标准。"""

    category, icon = Menu.CATALOGUE, "fa-solid fa-scale-balanced"
    permission = P.PROJECT_VIEW
    lifecycle, verbs = STANDARD_LIFECYCLE, "workflows.standards"
    opens = "all"
    column_list = ["project_name", "grade", "standard_yuan", "division_code", "sector", "valid_from", "valid_to",
                   "document", "status"]  # fmt: skip
    headline = ("standard_yuan", "grade", "division_code", "sector", "valid_from", "valid_to", "document", "basis")
    column_details_list = ["project_name", "grade", "standard_yuan", "division_code", "sector", "valid_from",
                           "valid_to", "document", "basis", "status", "arrived_at"]  # fmt: skip
    title_field = "project_name"
    search_text = ("project_name", "document")
    filters = ("status",)
    forms = (
        Form(
            "propose", "拟定补贴标准", P.STANDARD_PROPOSE, propose,
            (
                Ask("project", "补贴项目", "row"),
                Ask("yuan", "标准（元）", "text", help="最多四位小数，如 7.5000"),
                Ask("grade", "档次", "text", required=False, help="分类分档的填写，如 A 类；同档次的标准前后接续"),
                Ask("valid_from", "执行起", "date", help="同档次原无止期的标准止于前一日"),
                Ask("valid_to", "执行止", "date", required=False, help="长期执行的不填"),
                Ask("document", "政策文件文号", "text"),
                Ask("basis", "拟定说明", required=False),
            ),
            (("project", projects_to_set),),
            seats=Desk.OWN_DEPARTMENT_CLERK.seats,
            consequence="由本部门审核岗审核后执行；已执行的标准不能改写，只能由新标准接续（第八条）。",
        ),
    )  # fmt: skip

    def links(self, record: Any) -> list[tuple[str, str]]:
        """Return the page of the project."""
        return [("补贴项目", f"{BASE}/subsidy-project/details/{record.project_id}")]


PERIOD_ROWS = """
select p.id, p.code, p.name, p.policy_level, n.notice_days, (select max(e.business_at) from events e
    where e.noun = 'notice_period' and e.record_id = n.id and e.division_code = :county) as set_at
from subsidy_projects p
left join notice_periods n on n.division_code = :county and n.project_id = p.id and n.stage = :stage
where p.sector = :sector and p.status = 'admitted' and p.division_code in (:county, left(:county, 4) || '00000000',
        :region) {narrow}
order by p.code limit :limit offset :skip
"""
PERIOD_COUNTS = """
select count(*) as found, count(*) filter (where n.id is null) as missing
from subsidy_projects p
left join notice_periods n on n.division_code = :county and n.project_id = p.id and n.stage = :stage
where p.sector = :sector and p.status = 'admitted' and p.division_code in (:county, left(:county, 4) || '00000000',
        :region) {narrow}
"""
NARROW = {
    "q": " and (starts_with(p.name, :q) or starts_with(p.code, :q))",
    "missing": " and n.id is null",
}
HISTORY = sa.text(
    """
    select e.business_at, e.officer_name, e.post, e.facts->>'stage' as stage, e.facts->>'project' as code, p.name,
        e.facts->>'before' as before, e.facts->>'days' as days
    from events e left join subsidy_projects p on p.code = e.facts->>'project'
    where e.county_code = :county and e.division_code = :county and e.noun = 'notice_period'
    order by e.id desc limit 50
    """
)


class NoticePeriodView(MoneyPage):
    """公示期。"""

    name, category, icon = "公示期", Menu.CATALOGUE, "fa-solid fa-hourglass-half"
    permission = P.PROJECT_VIEW
    root_url = menu_url = PERIODS

    def is_accessible(self, request: Request) -> bool:
        """Let a county's department in: it alone sets how long its notices hang. （第十五条）"""
        by = who(request)
        mine = by.kind == OrganisationKind.DEPARTMENT and by.level == Level.COUNTY
        return mine and self.permission in granted_of(request)

    is_visible = is_accessible

    @expose("/notice-periods", identity="notice-periods")
    async def overview(self, request: Request) -> Response:
        """Show the department's projects and the days that are set for a stage."""
        return await self._page(request, dict(request.query_params))

    @expose("/notice-periods", methods=["POST"], identity="notice-periods-do")
    async def change(self, request: Request) -> Response:
        """Set the days of everything that was ticked, or of everything the filters leave."""
        self._enter(request)
        self.admit(request, P.NOTICE_SET_PERIOD)
        by, form = who(request), form_of(request)
        typed = {name: str(value) for name, value in form.items()}
        ticked = [number_of(str(one)) for one in form.getlist("ids")]
        stage = _stage(typed)
        text = typed.get("days", "").strip()
        days = int(text) if text.isascii() and text.isdigit() and len(text) < 5 else -1

        def work(session: Session) -> int:
            if days not in DAYS_ALLOWED:
                raise notices.NoticeDaysWrong(low=DAYS_ALLOWED.start, high=DAYS_ALLOWED.stop - 1, days=text or "（空）")
            ids = _all_of(session, by, stage, typed) if typed.get("do") == "all" else ticked
            return len(notices.set_periods(session, by=by, projects=ids, stage=stage, days=days))

        try:
            done = await doing(by, "set_period", "公示期", work)
        except Refused as refusal:
            return await self._page(request, typed, refusal)
        return RedirectResponse(f"{PERIODS}?stage={stage}&done={done}", status_code=303)

    def _enter(self, request: Request) -> None:
        if not self.is_accessible(request):
            self.admit(request, P.NOTICE_SET_PERIOD)
            raise NotFound

    async def _page(self, request: Request, asked: Mapping[str, str], refusal: Refused | None = None) -> Response:
        self.admit(request)
        by, stage, page = who(request), _stage(asked), page_of(request)

        def question(session: Session) -> dict[str, Any]:
            narrow, given = _narrow(asked, by, stage)
            counts = session.execute(sa.text(PERIOD_COUNTS.format(narrow=narrow)), given).one()
            given |= {"limit": ROWS, "skip": (page - 1) * ROWS}
            return {
                "counts": counts, "rows": session.execute(sa.text(PERIOD_ROWS.format(narrow=narrow)), given).all(),
                "history": session.execute(HISTORY, {"county": by.division_code}).all(),
                "least": value_for(session, NOTICE_DAYS, by.division_code),
            }  # fmt: skip

        found = await reading(question)
        last = min(max(1, -(-found["counts"].found // ROWS)), LAST_PAGE)
        return await pages.render(
            request, "notice_periods", 200 if refusal is None else refusal.status_code, title=self.name, view=self,
            asked=asked, stage=stage, stages=list(NoticeStage), page=page, pages=last,
            message="" if refusal is None else str(refusal), labels={str(one): one.label for one in NoticeStage},
            changes=P.NOTICE_SET_PERIOD in granted_of(request), link=lambda **to: link(request, **to), **found,
        )  # fmt: skip


def _stage(asked: Mapping[str, str]) -> NoticeStage:
    given = asked.get("stage", "")
    return NoticeStage(given) if given in list(NoticeStage) else NoticeStage.ROSTER


def _narrow(asked: Mapping[str, str], by: ActingOfficer, stage: NoticeStage) -> tuple[str, dict[str, Any]]:
    query = asked.get("q", "").strip().replace("\x00", "")[:LONGEST]
    narrow = (NARROW["q"] if query else "") + (NARROW["missing"] if asked.get("missing") else "")
    given = {"county": by.division_code, "sector": by.sector, "stage": stage, "region": REGION_CODE}
    return narrow, given | ({"q": query} if query else {})


def _all_of(session: Session, by: ActingOfficer, stage: NoticeStage, asked: Mapping[str, str]) -> list[int]:
    narrow, given = _narrow(asked, by, stage)
    rows = session.execute(sa.text(PERIOD_ROWS.format(narrow=narrow)), given | {"limit": 100_000, "skip": 0})
    return [row.id for row in rows]
