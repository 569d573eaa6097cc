"""Yearly reviews through the console, one and by the village; who is overdue; masks of changes. （第十一、三十条）"""

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa

from admin.registry_shown import items, masked
from models.household_reviews import HouseholdReview
from models.households import Household
from policies.clock import today
from tests.conftest import Owner
from tests.factories import SECOND_TOWNSHIP, World, a_household, key
from tests.test_registry_console import BASE, photo, post


@pytest.fixture
def village(county: World, owner: Owner) -> list[int]:
    """Three households of 东村 that nobody has looked into for more than a year."""
    with owner() as session:
        old = today(session) - timedelta(days=400)
        return [key(a_household(session, county, reviewed_on=old).id) for _ in range(3)]


class TestReviews:
    def test_a_village_is_prepared_by_the_clerk_and_signed_by_the_head(self, console, county, owner, village):
        with owner() as session:
            day = today(session).isoformat()
        path = "/review-progress/village"
        with console.client(county.township.clerk) as client:
            page = client.get(f"{BASE}/review-progress").text
            assert "东村" in page and "登记复核" in page
            listed = client.get(f"{BASE}{path}", params={"village": "东村"}).text
            assert re.findall(r'name="ids" value="(\d+)" checked', listed) == [str(one) for one in village]
            told = {"village": "东村", "visited_on": day, "finding": "agrees", "checked": ["members", "assets"]}
            nothing = post(client, path, **told)
            assert nothing.status_code == 400 and "须填写户" in nothing.text
            answer = post(client, path, ids=village[:2], **told)
            assert answer.status_code == 303
            assert "登记 2 户，待负责人签署" in client.get(answer.headers["location"]).text
            wrong = post(client, path, ids=village[2], **told | {"note": "电话 13800000001"})
            assert wrong.status_code == 400 and "不要写证件号码" in wrong.text and "13800000001" in wrong.text
        with console.client(county.township.head) as client:
            assert "年度复核" in client.get(f"{BASE}/").text
            page = client.get(f"{BASE}{path}", params={"village": "东村"}).text
            ids = re.findall(r'name="ids" value="(\d+)" checked', page)
            assert len(ids) == 2 and "签署所选" in page
            answer = post(client, path, ids=ids, village="东村", opinion="同意")
            assert answer.status_code == 303
            assert "签署 2 户" in client.get(answer.headers["location"]).text
        with owner() as session:
            days = [session.get_one(Household, one).reviewed_on for one in village]
            assert [one == today(session) for one in days] == [True, True, False]

    def test_one_household_with_a_photo_returned_and_signed(self, console, county, owner, village):
        with owner() as session:
            day = today(session).isoformat()
        with console.client(county.township.clerk) as client:
            told = {"visited_on": day, "finding": "differs", "checked": "members", "note": "多一头牛"}
            answer = post(client, "/household/form/review", photo(), pks=village[0], **told)
            assert answer.status_code == 303
            page = client.get(answer.headers["location"]).text
            assert "已办理：登记年度复核" in page and "有出入" in page
            again = post(client, "/household/form/review", pks=village[0], **told)
            assert again.status_code == 409 and "不能重复登记" in again.text
        with owner() as session:
            review = session.execute(sa.select(HouseholdReview)).scalar_one()
        with console.client(county.township.head) as client:
            back = post(client, "/household-review/action/return", pks=review.id, reason="请核实牲畜头数")
            assert back.status_code == 303
        with console.client(county.township.clerk) as client:
            assert "请核实牲畜头数" in client.get(f"{BASE}/household-review/details/{review.id}").text
            assert post(client, "/household-review/action/resubmit", pks=review.id).status_code == 303
        with console.client(county.township.head) as client:
            assert post(client, "/household-review/action/sign", pks=review.id).status_code == 303
            assert day in client.get(f"{BASE}/household/details/{village[0]}").text

    def test_a_county_sees_its_townships_and_nobody_what_is_not_theirs(self, console, county, owner, village):
        with owner() as session:
            a_household(session, county, township=SECOND_TOWNSHIP, reviewed_on=None)
        with console.client(county.finance.clerk) as client:
            page = client.get(f"{BASE}/review-progress").text
            assert f"?division={SECOND_TOWNSHIP}" in page and "登记复核" not in page
            assert "东村" in client.get(f"{BASE}/review-progress", params={"division": SECOND_TOWNSHIP}).text
            refused = post(client, "/review-progress/village", ids=village, village="东村", visited_on="2024-05-01",
                           finding="agrees", checked="members")  # fmt: skip
            assert refused.status_code == 403
        with console.client(county.second_township.clerk) as client:
            other = {"division": county.township.division_code}
            assert client.get(f"{BASE}/review-progress", params=other).status_code == 404
            assert client.get(f"{BASE}/review-progress", params={"division": "x' or 1=1"}).status_code == 404
        with console.client(county.bank.clerk) as client:
            assert client.get(f"{BASE}/review-progress").status_code == 403


class TestMasks:
    @pytest.mark.parametrize(
        ("title", "value", "shown"),
        [
            ("姓名", "孛儿只斤·额尔敦", "孛儿只斤·***"),
            ("户主身份证号", "150430199001011234", "150430********1234"),
            ("手机号", "13800000001", "138****0001"),
            ("新户住址", "东村一组 12 号院", "东村一组 1****"),
            ("社会保障卡账号", "6217370000000000014", "621737*********0014"),
            ("证号", "15043019900101123442", "150430********3442"),
            ("成员", "张国强（子）、包·乌日汗（配偶）", "张*强（子）、包·***（配偶）"),
            ("新户户主", "张国强", "张*强"),
            ("人员状态", "正常", "正常"),
            ("与户主关系", "配偶", "配偶"),
            ("户编号", "H1504301020000316", "H1504301020000316"),
            ("权证号", "150430000000000012J", "150430000000000012J"),
            ("说明", "号码 150430199001011234 有误", "号码 150430********1234 有误"),
        ],
    )
    def test_an_item_is_masked_by_its_title(self, title, value, shown):
        assert masked(title, value) == shown

    def test_what_changes_stands_first_and_what_is_gone_is_shown(self):
        found = items({"民族": "汉族", "手机号": "13800000001"}, {"民族": "汉族", "手机号": ""})
        assert [(one.title, one.changed, one.new) for one in found] == [("手机号", True, "—"), ("民族", False, "汉族")]
