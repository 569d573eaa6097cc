"""The console's search and window: nothing typed stands in an address, results are masked, slips print. （第三十条）"""

import re
from collections.abc import Iterator
from urllib.parse import unquote

import httpx
import pytest

from models.households import Member
from tests.conftest import Owner
from tests.console import ConsoleServer, running, token_of
from tests.factories import World, a_household, a_line, a_member, a_roster, an_account, an_asset

PLACE = "巴彦塔拉嘎查"


@pytest.fixture
def member(county: World, owner: Owner) -> Member:
    """A person with a card, an asset and a line, and a namesake in another county."""
    with owner() as session:
        home = a_household(session, county, head_name="包·乌日汗", village=PLACE)
        made = a_member(session, county, home, phone="13904760001")
        an_account(session, made)
        an_asset(session, home)
        a_roster(session, county, lines=[a_line(member=made)])
        other = a_household(session, county, head_name="包·乌日汗", township=county.other_county.township.division_code)
        a_member(session, county, other)
        return made


@pytest.fixture
def console(member: Member) -> Iterator[ConsoleServer]:
    with running() as server:
        yield server


def ask(browser: httpx.Client, page: str, **fields: str) -> httpx.Response:
    """Fill a page's form in and follow where it leads."""
    form = {"csrf_token": token_of(browser.get(page).text)} | fields
    return browser.post(page, data=form, follow_redirects=True)


def test_the_search_page_finds_masks_and_hides_what_was_typed(console: ConsoleServer, county: World, member: Member):
    with console.client(county.township.clerk) as browser:
        listed = browser.get("/console/member/list").text
        assert 'action="/console/people"' in listed
        for typed in ("乌日汗", "包・乌", member.id_number, "139 0476 0001"):
            found = ask(browser, "/console/people", q=typed)
            assert found.status_code == 200
            assert found.text.count("/console/member/details/") == 1, typed
            assert f"/console/member/details/{member.id}" in found.text
            assert typed not in unquote(str(found.url))
            for secret in (member.id_number, "13904760001", member.name):
                assert secret not in found.text.replace('value="乌日汗"', "")
        by_village = ask(browser, "/console/people", village="塔拉", status="alive", outcome="match")
        assert by_village.text.count("/console/member/details/") == 1
        assert browser.get(by_village.url).status_code == 200  # reloads
        assert "没有符合条件" in ask(browser, "/console/people", q="没有的人").text
    with console.client(county.second_township.clerk) as browser:
        assert "/console/member/details/" not in ask(browser, "/console/people", q="乌日汗").text
        assert "/console/member/details/" not in browser.get(by_village.url).text


def test_nonsense_is_refused_or_finds_nothing(console: ConsoleServer, county: World):
    with console.client(county.township.clerk) as browser:
        for seal in ("x", "AAAA", "%00", "A" * 9000, "..%2f"):
            assert browser.get(f"/console/people?s={seal}").status_code == 400
        assert ask(browser, "/console/people", status="odd").status_code == 400
        for typed in ("'; drop table members; --", "%", "\x00", "王" * 500, "{}", "\\1"):
            answer = ask(browser, "/console/people", q=typed)
            assert answer.status_code == (400 if "\x00" in typed else 200)
            assert "/console/member/details/" not in answer.text
        for key in ("0", "x", "9" * 30, "1%00"):
            for page in (f"/console/window/{key}", f"/console/window/{key}/slip", f"/console/household-file/{key}"):
                assert browser.get(page).status_code in (400, 404)


def test_the_window_shows_records_and_prints(console: ConsoleServer, county: World, member: Member):
    with console.client(county.township.clerk) as browser:
        wrong = ask(browser, "/console/window", number=member.name, purpose="self", reason="")
        assert wrong.status_code == 400
        assert "姓名不能用于窗口查询" in wrong.text
        assert member.name not in wrong.text
        page = ask(browser, "/console/window", number=member.id_number, purpose="self", reason="")
        assert page.status_code == 200
        assert re.search(r"/console/window/\d+$", str(page.url))
        slip = browser.get(f"{page.url}/slip")
        file = browser.get(f"/console/household-file/{member.household_id}")
    assert "待公示" in page.text
    for word in ("查询单", "仅供本人查询", "零元整", "0476-4300000", "查询编号", "耕地地力保护补贴"):
        assert word in slip.text
    for word in ("一户一档", "承包耕地", "家庭成员", "一卡通账户", "历年补贴", "零元整"):
        assert word in file.text
    for text in (page.text, slip.text, file.text):
        assert member.id_number not in text
        assert member.name not in text
        assert "//" not in text.replace(console.url, "")  # nothing comes from another host
    with console.client(county.township.second_clerk) as browser:
        assert browser.get(str(page.url)).status_code == 404
    with console.client(county.finance.auditor) as browser:
        listed = browser.get("/console/enquiry/list").text
        assert "本人查询" in listed
        assert browser.get("/console/window").status_code == 403
        assert browser.get(str(page.url)).status_code == 403
    with console.client(county.other_county.township.clerk) as browser:
        assert browser.get(f"/console/household-file/{member.household_id}").status_code == 404
        assert browser.get("/console/enquiry/list").status_code == 403
