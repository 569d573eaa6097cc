"""The registry's pages in Chromium at 1440 and 390 px: sound, and worked by the keyboard alone. （第十一条）"""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from models.registry_changes import RegistryChange
from policies.clock import today
from tests.factories import a_household, a_member, an_account, an_asset, key
from tests.test_browser import SIZES, opened, require_sound
from tests.test_registry_console import PHOTO


@pytest.fixture
def family(county, owner) -> dict[str, int]:
    """A household of two that is overdue for review."""
    with owner() as session:
        household = a_household(session, county, reviewed_on=today(session) - timedelta(days=400))
        head = a_member(session, county, household)
        a_member(session, county, household, name="包·乌日汗", relation="10")
        an_account(session, head)
        an_asset(session, household)
        return {"household": key(household.id), "head": key(head.id)}


@pytest.mark.parametrize("size", SIZES, ids=["1440", "390"])
class TestRegistry:
    def test_a_death_is_proposed_by_keyboard_and_every_page_is_sound(
        self,
        browser,
        console,
        county,
        owner,
        family,
        size,
    ):
        page = opened(browser, console, county.township.clerk, size)
        base = f"{console.url}/console"
        for path in (
            f"/household/details/{family['household']}", f"/household/details/{family['household']}?tab=residences",
            f"/household/form/split?pk={family['household']}", "/review-progress",
            "/review-progress/village?village=东村",
        ):  # fmt: skip
            page.goto(base + path)
            require_sound(page)
        page.goto(f"{base}/member/details/{family['head']}")
        page.locator("details.more summary").focus()
        page.keyboard.press("Enter")
        require_sound(page)
        page.locator(".more-list a", has_text="死亡登记").focus()
        page.keyboard.press("Enter")
        page.wait_for_url("**/form/death**")
        with owner() as session:
            page.get_by_label("死亡日期").fill(today(session).isoformat())
        page.get_by_label("变更原因").fill("医学死亡证明")
        document = {"name": "证明.jpg", "mimeType": "image/jpeg", "buffer": PHOTO}
        page.get_by_label("文件 1").set_input_files(document)
        page.get_by_role("button", name="死亡登记").click()
        assert "请同时指定新户主" in page.get_by_role("alert").inner_text()
        assert page.evaluate("document.activeElement.id") == "f-head_id", "the keyboard stands at the field in question"
        assert page.get_by_label("变更原因").input_value() == "医学死亡证明"
        page.foreign.clear()
        require_sound(page)
        page.get_by_label("留下成员中的新户主").select_option(index=1)
        page.get_by_label("文件 1").set_input_files(document)
        page.get_by_role("button", name="死亡登记").click()
        page.wait_for_url("**/registry-change/details/**")
        require_sound(page)
        with owner() as session:
            assert session.execute(sa.select(sa.func.count()).select_from(RegistryChange)).scalar_one() == 1
        page.context.close()
