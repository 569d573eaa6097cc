"""Lists and publications in the console: clicks only, looked at in Chromium at 1440 and 390 px. （第六、八条）"""

import os
import re
from pathlib import Path

import pytest
from sqlmodel import select

from models.annual_lists import AnnualList
from models.publications import Publication, PublicationStatus
from tests.factories import a_project, key
from tests.listing import next_year, published
from tests.test_browser import SIZES, opened, require_sound
from tests.test_registry_console import BASE, post

SHOTS = os.environ.get("SHOTS", "")
"""A folder for photographs of the pages, for whoever looks at them."""


def the(owner, model, **keys):
    with owner() as session:
        return session.exec(select(model).filter_by(**keys).order_by(model.id.desc())).first()


def test_from_the_region_to_the_county_by_clicks(console, county, owner):
    with owner() as session:
        year = next_year(session)
    with console.client(county.region_finance.clerk) as client:
        answer = post(client, "/annual-list/form/new", year=str(year), note="")
        assert answer.status_code == 303, answer.text
        page = client.get(answer.headers["location"]).text
        assert "选择项目" in page and "提交发布" in page
        record = the(owner, AnnualList, year=year)
        choose = f"/annual-lists/{record.id}/choose"
        shown = client.get(f"{BASE}{choose}?sector=农牧").text
        ids = re.findall(r'name="ids" value="(\d+)" checked', shown)
        assert ids and "全选筛选出的" in shown
        saved = post(client, choose, sector="农牧", shown=",".join(ids), ids=ids[1:], do="save", reason="停发",
                     **{f"reason.{ids[0]}": "政策废止"})  # fmt: skip
        assert saved.status_code == 303
        assert "已保存草稿" in client.get(saved.headers["location"]).text
        again = the(owner, AnnualList, year=year)
        assert (again.item_count, again.dropped_count) == (record.item_count - 1, 1)
        nothing = post(client, choose, do="none")
        assert nothing.status_code == 303 and the(owner, AnnualList, year=year).item_count == 0
        assert post(client, choose, do="all", sector="农牧").status_code == 303
        assert the(owner, AnnualList, year=year).item_count == len(ids)
        assert post(client, choose, do="former").status_code == 303
        assert the(owner, AnnualList, year=year).item_count == record.item_count
        wrong = post(client, choose, do="save", shown="1", ids="999999")
        assert wrong.status_code == 409 and "项目库没有该项目" in wrong.text
        assert client.get(f"{BASE}/annual-lists/x/choose").status_code == 404
        assert post(client, "/annual-list/action/submit", pks=record.id).status_code == 303
    with console.client(county.region_finance.reviewer) as client:
        assert record.title in client.get(f"{BASE}/").text
        assert post(client, "/annual-list/action/publish", pks=record.id, opinion="同意").status_code == 303
    with console.client(county.league_finance.clerk) as client:
        assert "选择确定" in client.get(f"{BASE}/").text
        assert post(client, choose, do="none").status_code in (403, 404)
        answer = post(client, "/annual-list/form/new", year=str(year), note="")
        assert answer.status_code == 303, answer.text
        mine = the(owner, AnnualList, year=year)
        assert "依据上级清单" in client.get(f"{BASE}/annual-lists/{mine.id}/choose").text
    with console.client(county.finance.clerk) as client:
        early = post(client, "/annual-list/form/new", year=str(year), note="")
        assert early.status_code == 409 and "赤峰市尚未发布" in early.text
    with console.client(county.department.clerk) as client:
        assert post(client, choose, do="all").status_code == 403


def test_the_rightful_office_publishes_by_clicks_and_another_is_told_whose_it_is(console, county, owner):
    with owner() as session:
        project = a_project(session, county)
    who = {"project": project.id, "contact": "王敏", "telephone": "0476-4320000"}
    with console.client(county.department.clerk) as client:
        wrong = post(client, "/publication/form/project", kind="policy", **who)
        assert wrong.status_code == 403 and "自治区农牧主管部门" in wrong.text
        missing = post(client, "/publication/form/project", kind="standard", **who | {"telephone": ""})
        assert missing.status_code == 400 and "联系电话" in missing.text
        made = post(client, "/publication/form/project", kind="standard", **who)
        assert made.status_code == 303, made.text
        record = the(owner, Publication)
        assert "15.0000" in client.get(made.headers["location"]).text
        assert post(client, "/publication/action/submit", pks=record.id).status_code == 303
    with console.client(county.department.reviewer) as client:
        assert post(client, "/publication/action/publish", pks=record.id, opinion="").status_code == 303
    assert the(owner, Publication).status == PublicationStatus.DEPARTMENT_SHOWN
    with console.client(county.township.clerk) as client:
        page = client.get(f"{BASE}/publication/details/{record.id}").text
        assert "王敏" in page and "action/withdraw" not in page
    with console.client(county.department.clerk) as client:
        assert post(client, "/publication/form/renew", pks=record.id, contact="王敏", telephone="1").status_code == 303


@pytest.mark.parametrize("size", SIZES, ids=["1440", "390"])
def test_every_page_is_sound(browser, console, county, owner, size):
    with owner() as session:
        year, project = next_year(session), a_project(session, county)
        published(session, county.region_finance, year)
        published(session, county.league_finance, year)
    with console.client(county.finance.clerk) as client:
        post(client, "/annual-list/form/new", year=str(year), note="按上级清单编制")
        record = the(owner, AnnualList, year=year)
        ids = re.findall(r'name="ids" value="(\d+)"', client.get(f"{BASE}/annual-lists/{record.id}/choose").text)
        post(client, f"/annual-lists/{record.id}/choose", shown=",".join(ids), ids=ids[3:], do="save", reason="停发")
    with console.client(county.department.clerk) as client:
        post(client, "/publication/form/project", kind="standard", project=key(project.id), contact="王敏",
             telephone="0476-4320000")  # fmt: skip
        text = the(owner, Publication)
    with console.client(county.finance.clerk) as client:
        listed = the(owner, AnnualList, year=year - 1, division_code=county.code)
        post(client, "/annual-list/form/publicise", pks=listed.id, contact="李强", telephone="0476-4321111")
        shown = the(owner, Publication)
    for officer, pages in (
        (county.finance.clerk, {
            "lists": "/annual-list/list?tab=all", "list": f"/annual-list/details/{record.id}",
            "choose": f"/annual-lists/{record.id}/choose", "new": "/annual-list/form/new",
            "chosen": f"/annual-lists/{record.id}/choose?show=dropped", "tasks": "/catalogue-task/list?tab=all",
            "list-text": f"/publication/details/{shown.id}",
        }),
        (county.department.clerk, {
            "texts": "/publication/list?tab=all", "text": f"/publication/details/{text.id}",
            "text-new": "/publication/form/project", "inbox": "/",
        }),
    ):  # fmt: skip
        page = opened(browser, console, officer, size)
        for name, path in pages.items():
            page.goto(f"{console.url}/console{path}")
            require_sound(page)
            if SHOTS:
                page.screenshot(path=Path(SHOTS) / f"{name}-{size[0]}.png", full_page=True)
