"""Standards, notice periods, local rules and the calendar by clicks, looked at in Chromium. （第八、十五、三十六条）"""

import os
import re
from datetime import date, timedelta
from pathlib import Path
from time import perf_counter

import pytest
import sqlalchemy as sa
from sqlmodel import select

from models.clock import CalendarStatus, CalendarVersion
from models.local_rules import LocalRule, LocalRuleStatus
from models.officers import ActingOfficer
from models.projects import NoticePeriod, ProjectStandard, StandardStatus, SubsidyProject
from policies.clock import today
from tests.console import ConsoleServer, token_of
from tests.factories import LAND, a_project, key
from tests.test_browser import SIZES, opened, require_sound
from tests.test_calendar import NOTICE, arrangement
from tests.test_registry_console import BASE, post

SHOTS = os.environ.get("SHOTS", "")


def the(owner, model, **keys):
    with owner() as session:
        return session.exec(select(model).filter_by(**keys).order_by(model.id.desc())).first()


def test_a_standard_is_proposed_and_confirmed_by_clicks(console, county, owner):
    with owner() as session:
        project = a_project(session, county, standard=None)
    with console.client(county.department.clerk) as client:
        form = client.get(f"{BASE}/project-standard/form/propose").text
        assert project.name in form and "低保" not in form
        asked = {"project": str(project.id), "yuan": "7.12345", "valid_from": "2026-01-01", "document": "敖农发1号"}
        wrong = post(client, "/project-standard/form/propose", **asked)
        assert wrong.status_code == 400 and "四位小数" in wrong.text and "7.12345" in wrong.text
        made = post(client, "/project-standard/form/propose", **(asked | {"yuan": "7.1234"}))
        assert made.status_code == 303, made.text
    record = the(owner, ProjectStandard, project_id=project.id)
    with console.client(county.department.reviewer) as client:
        page = client.get(f"{BASE}/project-standard/details/{record.id}").text
        assert "7.1234" in page and "审核通过" in page
        assert project.name in client.get(f"{BASE}/project-standard/list").text
        done = post(client, "/project-standard/action/confirm", pks=str(record.id))
        assert done.status_code in (200, 303)
    assert the(owner, ProjectStandard, project_id=project.id).status == StandardStatus.IN_FORCE


def test_notice_periods_are_set_for_many_projects_and_the_history_is_shown(console, county, owner):
    with console.client(county.department.clerk) as client:
        page = client.get(f"{BASE}/notice-periods").text
        ids = re.findall(r'name="ids" value="(\d+)"', page)
        assert "未设定" in page and len(ids) > 5
        done = client.post(f"{BASE}/notice-periods", data={"csrf_token": token_of(page), "stage": "roster", "days": "7",
                                                           "do": "ticked", "ids": ids[:3]})  # fmt: skip
        assert done.status_code == 303, done.text
        after = client.get(done.headers["location"]).text
        assert "已设定 3 个项目的公示期" in after and "7 天" in after and "设定记录" in after
        wrong = client.post(f"{BASE}/notice-periods", data={"csrf_token": token_of(page), "stage": "roster",
                                                            "days": "99", "do": "all"})  # fmt: skip
        assert wrong.status_code == 400 and "1 至 60" in wrong.text
        rest = client.post(f"{BASE}/notice-periods", data={"csrf_token": token_of(page), "stage": "eligibility",
                                                           "days": "5", "do": "all"})  # fmt: skip
        assert rest.status_code == 303
    with owner() as session:
        rows = session.exec(select(NoticePeriod).where(NoticePeriod.division_code == county.code)).all()
        assert sorted({(str(one.stage), one.notice_days) for one in rows}) == [("eligibility", 5), ("roster", 7)]
    for other in (county.finance.clerk, county.township.clerk, county.league_department.clerk):
        with console.client(other) as client:
            assert client.get(f"{BASE}/notice-periods").status_code in (403, 404)


def test_a_local_rule_from_proposal_to_filing_by_clicks(console, county, owner):
    with owner() as session:
        day = today(session)
    asked = {"parameter": "department_review", "value": "3", "valid_from": str(day), "document_number": "敖财发3号",
             "document_title": "敖汉旗实施细则"}  # fmt: skip
    with console.client(county.finance.clerk) as client:
        wrong = post(client, "/local-rule/form/propose", **asked)
        assert wrong.status_code == 400 and "本地数值 3 个工作日，办法规定为 2 个工作日" in wrong.text
        assert post(client, "/local-rule/form/propose", **(asked | {"value": "1"})).status_code == 303
    record = the(owner, LocalRule, parameter="department_review")
    with console.client(county.finance.reviewer) as client:
        assert post(client, "/local-rule/action/settle", pks=str(record.id)).status_code in (200, 303)
        assert "未备案" in client.get(f"{BASE}/local-rule/details/{record.id}").text
        shown = client.get(f"{BASE}/limits").text
        assert "细则" in shown and "主管部门审核时限" in shown
    with console.client(county.region_finance.clerk) as client:
        assert "请备案" in client.get(f"{BASE}/").text
        assert post(client, "/local-rule/action/file", pks=str(record.id)).status_code in (200, 303)
    assert the(owner, LocalRule, parameter="department_review").status == LocalRuleStatus.FILED


def test_an_arrangement_is_imported_looked_at_and_enabled_by_clicks(console, county, owner):
    with console.client(county.region_finance.clerk) as client:
        page = client.get(f"{BASE}/calendar-version/form/import").text
        name, content = arrangement(date(2027, 1, 1), date(2027, 1, 4))
        made = client.post(
            f"{BASE}/calendar-version/form/import",
            data={"csrf_token": token_of(page), "year": "2027", "document": NOTICE}, files={"file": (name, content)},
        )  # fmt: skip
        assert made.status_code == 303, made.text
        shown = client.get(made.headers["location"]).text
        assert "2027-01-04" in shown and "启用后将改动的办理期限" in shown
        assert "暂定" in client.get(f"{BASE}/calendar?year=2027").text
        assert "班" in client.get(f"{BASE}/calendar?year=2026").text
    record = the(owner, CalendarVersion, year=2027)
    with console.client(county.region_finance.reviewer) as client:
        assert post(client, "/calendar-version/action/enable", pks=str(record.id)).status_code in (200, 303)
    assert the(owner, CalendarVersion, year=2027).status == CalendarStatus.ENABLED


def test_ten_thousand_rows_open_at_once(console, county, owner):
    with owner() as session:
        land = session.exec(select(SubsidyProject).where(SubsidyProject.code == LAND)).one()
        session.execute(
            sa.text(
                "insert into project_standards (division_code, project_id, standard_yuan, valid_from, document, grade)"
                " select '150430000000', :project, n, date '2026-01-01', '文' || n, n::text"
                " from generate_series(1, 10000) n"
            ),
            {"project": key(land.id)},
        )
        session.execute(
            sa.text(
                "insert into local_rules (division_code, number, parameter, title, value, unit, law_value, valid_from,"
                " document_number, document_title, status, version)"
                " select '150430000000', 'XZN' || n, 'township_notice',"
                " '清册公示时限', 3, '个工作日', 5, date '2030-01-01' + n, '文', '文', 'discarded', 1"
                " from generate_series(1, 10000) n"
            )
        )
        session.execute(
            sa.text(
                "insert into subsidy_projects (division_code, code, name, short_name, sector, domain, policy_level,"
                " funding_object, unit, period_kind, standard_note, exclusions_note, eligibility, gov_eco_code,"
                " names_shown, sheet_kind, status, source) select division_code, 'Z' || lpad(n::text, 6, '0'),"
                " '项目' || n, '', '农牧', '', policy_level, '户', '亩', '', '', '', '', '', true, 'generic',"
                " 'admitted', ''"
                " from subsidy_projects, generate_series(1, 10000) n where code = :land"
            ),
            {"land": LAND},
        )
        session.execute(sa.text("analyze project_standards, local_rules, subsidy_projects"))
    bare = quickest(console, county.department.clerk, "/project-change/list?tab=all")  # an empty list, as loaded as now
    for by, path in (
        (county.department.clerk, "/project-standard/list?tab=all"), (county.finance.clerk, "/local-rule/list?tab=all"),
        (county.department.clerk, "/notice-periods"), (county.department.clerk, "/notice-periods?missing=yes"),
        (county.department.clerk, "/notice-periods?q=项目99"),
    ):  # fmt: skip
        spent = quickest(console, by, path)
        assert spent < max(0.2, 4 * bare), (path, spent, bare)


def quickest(console: ConsoleServer, by: ActingOfficer, path: str) -> float:
    """Return the shortest of four times that a page takes."""
    spent = []
    with console.client(by) as client:
        for _ in range(4):
            begun = perf_counter()
            assert client.get(f"{BASE}{path}").status_code == 200
            spent.append(perf_counter() - begun)
    return min(spent)


@pytest.mark.parametrize("size", SIZES, ids=["1440", "390"])
def test_the_pages_look_right(console, county, owner, browser, size):
    with owner() as session:
        a_project(session, county)
        day = today(session)
    with console.client(county.finance.clerk) as client:
        asked = {"parameter": "department_review", "value": "1", "valid_from": str(day + timedelta(days=3)),
                 "document_number": "敖财发〔2026〕3号", "document_title": "敖汉旗一卡通发放管理实施细则"}  # fmt: skip
        assert post(client, "/local-rule/form/propose", **asked).status_code == 303
    rule = the(owner, LocalRule)
    with console.client(county.region_finance.clerk) as client:
        page = client.get(f"{BASE}/calendar-version/form/import").text
        client.post(
            f"{BASE}/calendar-version/form/import",
            data={"csrf_token": token_of(page), "year": "2027", "document": NOTICE}, files={"file": arrangement()},
        )  # fmt: skip
    version = the(owner, CalendarVersion)
    for by, path, name in (
        (county.department.clerk, "/notice-periods", "periods"),
        (county.department.clerk, "/project-standard/list", "standards"),
        (county.finance.reviewer, f"/local-rule/details/{rule.id}", "rule"),
        (county.finance.clerk, "/local-rule/form/propose", "rule-form"),
        (county.finance.clerk, "/limits", "limits"),
        (county.finance.clerk, "/calendar?year=2027", "calendar"),
        (county.region_finance.reviewer, f"/calendar-version/details/{version.id}", "version"),
    ):
        page = opened(browser, console, by, size)
        page.goto(f"{console.url}{BASE}{path}")
        require_sound(page)
        if SHOTS:
            page.screenshot(path=Path(SHOTS) / f"h5-{name}-{size[0]}.png", full_page=True)
        page.context.close()
