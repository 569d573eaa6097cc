"""The console in Chromium at 1440 and 390 px: usable without sideways scrolling, without serious axe findings."""

import os
from pathlib import Path

import pyotp
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from models.officers import ActingOfficer
from models.rosters import RosterStatus
from tests.conftest import CHROMIUM
from tests.console import COOKIE, ConsoleServer, open_session
from tests.factories import PASSWORD, TOTP_SECRET, World, a_line, a_roster, login_name

SIZES = ((1440, 900), (390, 844))

if not Path(CHROMIUM).exists() and not os.environ.get("CI"):
    pytest.skip(
        "没有找到 Chromium：请执行 apt-get install chromium fonts-noto-cjk，再运行本测试", allow_module_level=True
    )


@pytest.fixture
def roster(county: World, owner) -> int:
    with owner() as session:
        lines = [a_line(), a_line(deceased=True), *(a_line() for _ in range(6))]
        return a_roster(session, county, status=RosterStatus.ON_NOTICE, lines=lines, notice_over=False).id


def opened(browser: Browser, console: ConsoleServer, officer: ActingOfficer | None, size: tuple[int, int]) -> Page:
    """A page of the officer's own browser; whatever leaves our own address fails the test."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, locale="zh-CN")
    if officer:
        context.add_cookies([{"name": COOKIE, "value": open_session(officer), "url": console.url}])
    page = context.new_page()
    foreign: list[str] = []
    page.on("request", lambda request: request.url.startswith((console.url, "data:")) or foreign.append(request.url))
    page.on(
        "console",
        lambda said: said.type == "error" and "the server responded" not in said.text and foreign.append(said.text),
    )
    page.foreign = foreign  # type: ignore[attr-defined]
    return page


def require_sound(page: Page) -> None:
    """No sideways scroll, no serious axe finding, nothing from outside, no refused script or style."""
    page.wait_for_load_state()
    wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wider <= 0, f"{page.url} scrolls sideways by {wider} px"
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    serious = [
        (one["id"], [node["html"][:120] for node in one["nodes"]])
        for one in found
        if one["impact"] in ("serious", "critical")
    ]
    assert serious == [], page.url
    assert page.foreign == [], page.url  # type: ignore[attr-defined]
    assert page.evaluate("document.documentElement.lang") == "zh-CN"


@pytest.mark.parametrize("size", SIZES, ids=["1440", "390"])
class TestPages:
    def test_login_by_password_and_code(self, browser, console, county, owner, size):
        with owner() as session:
            name = login_name(session, county.township.head)
        page = opened(browser, console, None, size)
        page.goto(f"{console.url}/console/login")
        require_sound(page)
        page.get_by_label("登录名").fill(name)
        page.get_by_label("口令", exact=True).fill(PASSWORD)
        page.get_by_label("动态口令").fill(pyotp.TOTP(TOTP_SECRET).now())
        page.get_by_role("button", name="登录").click()
        page.wait_for_url("**/console/")
        assert page.get_by_role("heading", name="待办").is_visible()
        page.context.close()

    def test_inbox_roster_and_confirm_page(self, browser, console, county, roster, size):
        page = opened(browser, console, county.township.head, size)
        page.goto(f"{console.url}/console/")
        require_sound(page)
        page.get_by_role("link", name="去办理").click()
        require_sound(page)
        blocker = page.locator(".blocker").first
        box = blocker.bounding_box()
        assert box and box["y"] + box["height"] < size[1], "what blocks the roster must be readable without scrolling"
        assert "第十六条" in blocker.inner_text() and "届满" in page.locator(".blockers").inner_text()
        assert page.locator(".btn-primary:visible").count() == 1
        page.get_by_role("link", name="负责人审核", exact=True).click()
        require_sound(page)
        page.get_by_label("本人确认").check()
        page.get_by_role("button", name="负责人审核").click()
        assert "届满后方可" in page.get_by_role("alert").inner_text()
        require_sound(page)
        page.context.close()

    def test_every_list_and_the_tabs_of_a_roster(self, browser, console, county, roster, size):
        page = opened(browser, console, county.finance.clerk, size)
        for view in console.app.state.console.views:
            if view.is_model and view.category and view.permission.value.split(":")[0] != "audit":
                answer = page.goto(f"{console.url}{view.menu_url}?tab=all")
                assert answer and answer.status in (200, 403), view.identity
                if answer.status == 200:
                    require_sound(page)
        for tab in ("roster_lines", "roster_warnings", "notices", "objections", "details", "events"):
            page.goto(f"{console.url}/console/roster/details/{roster}?tab={tab}")
            require_sound(page)
        page.context.close()


class TestAmounts:
    def test_amounts_stand_right_and_name_their_unit(self, browser, console, county, roster):
        page = opened(browser, console, county.township.clerk, SIZES[0])
        page.goto(f"{console.url}/console/roster/list?tab=all")
        head = page.locator("th", has_text="应发金额（元）")
        assert head.evaluate("e => getComputedStyle(e).textAlign") == "right"
        cell = page.locator("td.num", has_text="1,200.00").first
        assert cell.evaluate("e => getComputedStyle(e).textAlign") == "right"
        page.context.close()


class TestMenu:
    def test_on_a_small_screen_the_menu_opens_by_its_button(self, browser, console, county):
        page = opened(browser, console, county.township.clerk, SIZES[1])
        page.goto(f"{console.url}/console/")
        assert not page.locator("#menu").is_visible()
        page.get_by_role("button", name="菜单").click()
        assert page.locator("#menu").is_visible()
        require_sound(page)
        page.get_by_role("link", name="发放清册").click()
        page.wait_for_url("**/roster/list")
        page.context.close()
