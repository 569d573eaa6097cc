"""The pages of indicators, money at rest and allocation plans, as officers of each level meet them. （第十条）"""

from collections.abc import Iterator
from io import BytesIO

import openpyxl
import pytest
import sqlalchemy as sa
from sqlmodel import select

from models.allocation_plans import AllocationPlan
from models.catalogue_tasks import CatalogueTask, CatalogueTaskKind
from models.indicators import BudgetIndicator
from models.projects import ProjectLink, SubsidyProject
from tests.conftest import As, Owner
from tests.console import ConsoleServer, running, token_of
from tests.factories import LAND, World, a_project
from tests.money import SWEEP, a_funded_indicator, a_second_link
from tests.test_indicators import CODE, item
from tests.world import COUNTY, LEAGUE, key
from workflows import indicator_keeping
from workflows.indicators import shift


@pytest.fixture
def console(county: World) -> Iterator[ConsoleServer]:
    with running() as server:
        yield server


PAGES = ("budget-indicator/list", "indicator-download/list", "indicator-fault/list", "upstream-indicator/list",
         "project-funds", "budget-links", "money-at-rest", "allocation-plan/list")  # fmt: skip


class TestPages:
    def test_whoever_may_see_indicators_opens_each_page_and_a_township_none(
        self, county: World, console: ConsoleServer
    ):
        for by in (county.finance.clerk, county.department.clerk, county.league, county.region_department.clerk):
            with console.client(by) as browser:
                for page in PAGES:
                    assert browser.get(f"/console/{page}").status_code == 200, (by.post, page)
        with console.client(county.township.clerk) as browser:
            for page in PAGES:
                assert browser.get(f"/console/{page}").status_code == 403

    def test_an_indicator_shows_its_history_with_balances(self, county: World, console: ConsoleServer, owner: Owner):
        with owner() as session:
            row = a_funded_indicator(session, county, a_project(session, county), amount_fen=100_000)
            shift(session, county.code, "reserve", "r", indicator_id=key(row.id), amount_fen=30_000)
        with console.client(county.finance.clerk) as browser:
            page = browser.get(f"/console/budget-indicator/details/{row.id}?tab=ledger").text
        assert all(words in page for words in ("占用", "300.00", "700.00", "1,000.00", "指标下达或调整"))

    def test_finance_maps_what_is_suggested_by_a_click(
        self, county: World, console: ConsoleServer, owner: Owner, as_: As
    ):
        with owner() as session:
            project = a_project(session, county, link=False)
            told = [item(county, PRO_NAME=f"{project.name}（2026）")]
            indicator_keeping.keep_items(session, told, county.code, by=SWEEP)
        with console.client(county.finance.clerk) as browser:
            page = browser.get("/console/budget-links").text
            assert f"对应到 {project.name}" in page
            asked = {"csrf_token": token_of(page), "pro_code": CODE, "project": str(project.id)}
            assert "自动随之对应" in browser.post("/console/budget-links", data=asked, follow_redirects=True).text
            wrong = browser.post("/console/budget-links", data=asked | {"project": ""})
            assert (wrong.status_code, "请选择补贴项目" in wrong.text) == (400, True)
        with as_(county.finance.clerk) as session:
            assert session.exec(select(ProjectLink.pro_code)).all() == [CODE]
        with console.client(county.department.clerk) as browser:
            page = browser.get("/console/budget-links").text
            token = token_of(page)
            assert browser.post("/console/budget-links", data=asked | {"csrf_token": token}).status_code == 403

    def test_the_order_is_changed_by_clicks(self, county: World, console: ConsoleServer, owner: Owner, as_: As):
        with owner() as session:
            project = a_project(session, county)
            a_funded_indicator(session, county, project)
            second = a_second_link(session, county.code, project)
        with console.client(county.finance.clerk) as browser:
            url = f"/console/project-funds/{project.id}"
            token = token_of(browser.get(url).text)
            asked = {"csrf_token": token, "do": "shift", "step": "up", "pro_code": second.pro_code}
            assert "已办理：调整支用顺序" in browser.post(url, data=asked, follow_redirects=True).text
            choice = {"csrf_token": token, "do": "drawdown", "drawdown": "descending"}
            assert "已办理：选择支用方式" in browser.post(url, data=choice, follow_redirects=True).text
            odd = {"csrf_token": token, "do": "link", "pro_code": "12"}
            refused = browser.post(url, data=odd)
            assert (refused.status_code, "须为 21 位" in refused.text) == (400, True)
            assert browser.get(f"{url}?division=150525000000").status_code == 404
        with as_(county.finance.clerk) as session:
            rows = session.exec(select(ProjectLink).order_by(sa.text("priority"))).all()
            assert rows[0].pro_code == second.pro_code

    def test_the_department_acknowledges_by_a_click(self, county: World, console: ConsoleServer, owner: Owner, as_: As):
        with owner() as session:
            project = a_project(session, county)
            code = session.exec(select(ProjectLink.pro_code).where(ProjectLink.project_id == project.id)).one()
            indicator_keeping.keep_items(session, [item(county, PRO_CODE=code)], county.code, by=SWEEP)
            number = session.exec(select(BudgetIndicator.id)).one()
        with console.client(county.department.clerk) as browser:
            url = "/console/budget-indicator/form/acknowledge"
            page = browser.get(f"{url}?pk={number}").text
            asked = {"csrf_token": token_of(page), "pks": str(number), "note": "下周造册"}
            answer = browser.post(url, data=asked, follow_redirects=True)
            assert answer.status_code == 200
        with as_(county.department.clerk) as session:
            kind = CatalogueTaskKind.INDICATOR_ARRIVED
            task = session.exec(select(CatalogueTask).where(CatalogueTask.kind == kind)).one()
            assert (task.status, task.note) == ("settled", "下周造册")

    def test_money_at_rest_by_stage_place_and_project_and_as_a_workbook(
        self, county: World, console: ConsoleServer, owner: Owner
    ):
        with owner() as session:
            indicator_keeping.keep_items(session, [item(county)], county.code, by=SWEEP)
        with console.client(county.region) as browser:
            for query in ("stage=mapping", "stage=mapping&view=place", f"stage=mapping&view=place&division={LEAGUE}",
                          "stage=mapping&view=project", "stage=mapping&late=yes"):  # fmt: skip
                page = browser.get(f"/console/money-at-rest?{query}")
                assert (page.status_code, "1,000.00" in page.text) == (200, True), query
            file = browser.get("/console/money-at-rest/export.xlsx?stage=mapping").content
            sheet = openpyxl.load_workbook(BytesIO(file)).active
            assert sheet is not None
            assert [sheet["A2"].value, sheet["E2"].value] == ["敖汉旗", 1000]
            for query in ("stage=x", "view=x"):
                assert browser.get(f"/console/money-at-rest?{query}").status_code == 400
        with console.client(county.finance.clerk) as browser:
            assert browser.get(f"/console/money-at-rest?division={LEAGUE}").status_code == 404


class TestPlans:
    def asked(self, browser: object, as_: As, county: World, **fields: str) -> dict[str, str]:
        with as_(county.league_department.clerk) as session:
            project = session.exec(select(SubsidyProject.id).where(SubsidyProject.code == LAND)).one()
        page = browser.get("/console/allocation-form").text  # type: ignore[attr-defined]
        return {"csrf_token": token_of(page), "project": str(project), "document_number": "内财农指〔2026〕9号",
                "title": "分配方案", "fiscal_year": "2026", "total": "3,000.00"} | fields  # fmt: skip

    def test_a_plan_is_pasted_and_mistakes_come_back_at_their_rows(
        self, county: World, console: ConsoleServer, as_: As
    ):
        with console.client(county.league_department.clerk) as browser:
            asked = self.asked(browser, as_, county, pasted="敖汉旗\t1000\n甲乙旗\t2000")
            page = browser.post("/console/allocation-form", data=asked)
            assert page.status_code == 400
            assert "第 2 行地区：没有名为“甲乙旗”" in page.text
            assert "甲乙旗\t2000" in page.text
            right = asked | {"pasted": "敖汉旗\t1000\n红山区\t2000"}
            record = browser.post("/console/allocation-form", data=right, follow_redirects=True)
            assert all(words in record.text for words in ("敖汉旗", "1,000.00", "未下达", "提交审核"))

    def test_a_plan_is_typed_place_by_place_or_uploaded(self, county: World, console: ConsoleServer, as_: As):
        with console.client(county.league_department.clerk) as browser:
            asked = self.asked(browser, as_, county, total="12.34") | {f"a.{COUNTY}": "12.34"}
            assert browser.post("/console/allocation-form", data=asked).status_code == 303
            template = browser.get("/console/allocation-form/template.xlsx").content
            book = openpyxl.load_workbook(BytesIO(template))
            book.active["C2"] = 5  # type: ignore[index]
            buffer = BytesIO()
            book.save(buffer)
            other = self.asked(browser, as_, county, total="5", document_number="另一文号")
            files = {"file": ("方案.xlsx", buffer.getvalue())}
            assert browser.post("/console/allocation-form", data=other, files=files).status_code == 303
            broken = browser.post("/console/allocation-form", data=other, files={"file": ("方案.xlsx", b"x")})
            assert broken.status_code == 400
        with as_(county.league_department.clerk) as session:
            totals = session.exec(select(AllocationPlan.total_fen).order_by(sa.text("1"))).all()
            assert totals == [500, 1_234]

    def test_only_departments_above_the_county_draft(self, county: World, console: ConsoleServer):
        for by in (county.department.clerk, county.league, county.region, county.league_department.reviewer):
            with console.client(by) as browser:
                assert browser.get("/console/allocation-form").status_code == 403
