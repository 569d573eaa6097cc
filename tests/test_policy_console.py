"""The policy console: drafted in the matrix, looked at, proposed, enabled by a second officer, rolled back."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from admin.policy_matrix import matrix
from models.officers import ActingOfficer
from policies.enforcement import may, policy
from policies.permissions import NOUN_TITLES, Permission
from policies.policy_lines import seed_lines, to_csv
from tests.conftest import As, Owner
from tests.console import COOKIE, ConsoleServer, open_session, running, token_of
from tests.factories import PASSWORD, World, login_name
from tests.test_browser import CHROMIUM, FLAGS, SIZES, opened, require_sound
from workflows import policy_changes

BASE = "/console"
MOST_FIELDS = 1000
"""What the server reads of one form."""


@pytest.fixture
def console(county: World, database: str) -> Iterator[ConsoleServer]:
    with running() as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield launched
        launched.close()


class TestTheWay:
    def test_draft_propose_enable_by_another_effect_at_once_and_rollback(self, browser, console, county, as_: As):
        first, second = county.security_admin, county.second_security_admin
        head = county.township.head
        page = opened(browser, console, first, SIZES[0])
        page.goto(f"{console.url}{BASE}/policy/matrix")
        require_sound(page)
        page.get_by_role("link", name="拟定变更").click()
        page.get_by_label("变更事项").fill("负责人查看资金支付单")
        page.get_by_label("变更理由").fill("乡镇负责人须掌握拨付进度")
        page.get_by_role("button", name="拟定变更").click()
        page.get_by_role("link", name="编辑权限矩阵").click()
        require_sound(page)
        page.get_by_label("负责人：查看资金支付单", exact=True).select_option("allow")
        page.get_by_label("负责人：负责人审核清册", exact=True).select_option("deny")
        page.get_by_role("button", name="保存到草稿").click()
        assert page.locator(".is-changed").count() == 2
        require_sound(page)
        page.get_by_role("link", name="查看后果并提交").click()
        text = page.locator("main").inner_text()
        assert "4 人获得 order:view；4 人失去 roster:endorse；1 项权限无人持有；0 处冲突" in text
        require_sound(page)
        page.get_by_role("link", name="提交复核").click()
        page.get_by_role("button", name="提交复核").click()
        assert page.get_by_role("link", name="启用", exact=True).count() == 0, "not to whoever drafted it"
        page.context.close()

        page = opened(browser, console, second, SIZES[0])
        page.goto(f"{console.url}{BASE}/")
        page.get_by_role("link", name="去办理").click()
        page.get_by_role("link", name="启用", exact=True).click()
        require_sound(page)
        assert "4 人失去 roster:endorse" in page.locator("main").inner_text()
        page.get_by_label("登录口令").fill("wrong")
        page.get_by_role("button", name="启用").click()
        assert "复核身份未通过" in page.locator("main").inner_text()
        page.go_back()
        page.get_by_label("登录口令").fill(PASSWORD)
        page.get_by_role("button", name="启用").click()
        page.wait_for_url("**/details/**")
        assert page.locator(".state", has_text="已启用").first.is_visible()
        with as_(None) as session:
            assert may(session, head, Permission.ORDER_VIEW) and not may(session, head, Permission.ROSTER_ENDORSE)
        page.goto(f"{console.url}{BASE}/policy-edition/list")
        require_sound(page)
        page.get_by_role("link", name="1", exact=True).click()
        require_sound(page)
        page.get_by_role("link", name="拟定回滚").click()
        page.get_by_label("变更事项").fill("回滚到版本 1")
        page.get_by_label("变更理由").fill("试点结束")
        page.get_by_role("button", name="拟定变更").click()
        page.get_by_role("link", name="提交复核").click()
        page.get_by_role("button", name="提交复核").click()
        page.context.close()

        with console.client(first) as client:
            listed = client.get(f"{BASE}/policy-change/list?tab=todo").text
            key = listed.split("/policy-change/details/")[1].split('"')[0]
            page_text = client.get(f"{BASE}/policy-change/action/enable?pks={key}").text
            told = {"csrf_token": token_of(page_text), "pks": key, "password": PASSWORD}
            done = client.post(f"{BASE}/policy-change/action/enable", data=told)
            assert done.status_code == 303, done.text
        with as_(None) as session:
            assert may(session, head, Permission.ROSTER_ENDORSE) and not may(session, head, Permission.ORDER_VIEW)
            assert policy(session).version == 3
            assert set(policy(session).lines) == set(seed_lines())
