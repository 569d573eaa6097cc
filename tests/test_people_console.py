"""Organisations, officers, posts, delegations and leaving through the console. （第二十三、三十一条）"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from models.officers import ActingOfficer
from policies.clock import today
from tests import one_database
from tests.conftest import Owner, owner_session, point_at
from tests.console import ConsoleServer, running, token_of
from tests.test_handover import waiting_roster
from tests.world import World, an_id_number, an_officer

BASE = "/console"


county, shared = one_database.county, one_database.shared


@pytest.fixture(scope="module")
def console(shared: str, keys: Path) -> Iterator[ConsoleServer]:
    """One server and one database for the file: every test acts on people of its own."""
    point_at(shared, keys)
    with running() as server:
        yield server


@pytest.fixture
def owner(shared: str) -> Owner:
    return lambda: owner_session(shared)


def sent(client: httpx.Client, path: str, page: str = "", **form: Any) -> httpx.Response:
    """Open a form's page and send it as the page would."""
    token = token_of(client.get(f"{BASE}{page or path}").text)
    return client.post(f"{BASE}{path}", data={"csrf_token": token} | form)


def one(owner: Owner, question: str) -> Any:
    with owner() as session:
        return session.execute(sa.text(question)).scalar_one()


def day_of(owner: Owner) -> str:
    with owner() as session:
        return today(session).isoformat()


class TestOfficersAndPosts:
    def test_from_registration_to_a_confirmed_post_by_two_administrators(self, console, county, owner):
        number, day = an_id_number(), day_of(owner)
        with console.client(county.security_admin) as first:
            shown = sent(
                first, "/officer/form/register", login="aq.xin", name="新来的", id_number=number,
                organisation_id=str(county.township.organisation_id),
            )  # fmt: skip
            password = re.search(r"([a-z2-9]{5}-){3}[a-z2-9]{5}", shown.text)
            assert shown.status_code == 200 and password and number not in shown.text
            officer = one(owner, "select id from officers where login = 'aq.xin'")
            page = f"/officer/form/propose?pk={officer}"
            proposed = sent(
                first, "/officer/form/propose", page, pks=str(officer), role="registrar", valid_from=day,
                organisation_id=str(county.township.organisation_id),
            )  # fmt: skip
            post = one(owner, f"select id from posts where officer_id = {officer}")
            assert proposed.status_code == 303
            again = first.get(f"{BASE}/officer/details/{officer}").text
            assert password.group() not in again and "待复核" in again
            own = sent(first, "/post/action/confirm", f"/post/details/{post}", pks=str(post))
            assert own.status_code == 409 and "安全管理拟定" in own.text
        with console.client(county.second_security_admin) as second:
            assert "新来的" in second.get(f"{BASE}/").text
            asked = second.get(f"{BASE}/post/action/confirm", params={"pks": post})
            assert f"专职管理岗，{day} 起" in asked.text
            assert sent(second, "/post/action/confirm", f"/post/details/{post}", pks=str(post)).status_code == 303
        assert one(owner, f"select status from posts where id = {post}") == "in_force"
        with console.client(county.finance.clerk) as overseer:
            assert (
                "贝子府镇人民政府" in (page := overseer.get(f"{BASE}/registrars").text) and "长胜镇人民政府" not in page
            )

    def test_an_administrator_changes_an_organisation_with_its_fields_filled(self, console, county, owner):
        with console.client(county.system_admin) as client:
            key = county.second_township.organisation_id
            page = client.get(f"{BASE}/organisation/form/keep", params={"pk": key}).text
            assert 'value="贝子府镇人民政府"' in page
            done = sent(client, "/organisation/form/keep", f"/organisation/form/keep?pk={key}", pks=str(key),
                        name="贝子府镇政府", telephone="0476-4300012")  # fmt: skip
            assert done.status_code == 303
        assert one(owner, f"select telephone from organisations where id = {key}") == "0476-4300012"

    def test_business_posts_open_none_of_it_but_their_own_page(self, console, county):
        for by in (county.township.head, county.finance.clerk, county.bank.clerk):
            with console.client(by) as client:
                for path in ("organisation/list", "officer/list", "post/list", f"handover/{by.officer_id}"):
                    assert client.get(f"{BASE}/{path}").status_code == 403, path
                own = client.get(f"{BASE}/own")
                assert own.status_code == 200 and by.post in own.text
        with console.client(county.township.head) as client:
            assert client.get(f"{BASE}/registrars").status_code == 403


class TestDelegation:
    def grant(self, console: ConsoleServer, county: World, day: str, **form: Any) -> httpx.Response:
        with console.client(county.township.clerk) as client:
            page = client.get(f"{BASE}/delegation/form/grant").text
            assert county.township.second_clerk.name in page and county.finance.clerk.name not in page
            return sent(
                client, "/delegation/form/grant", officer_id=str(county.township.second_clerk.officer_id),
                valid_from=day, valid_to=day, reason="年休", **form,
            )  # fmt: skip

    def test_the_delegate_switches_in_the_header_and_acts_with_what_was_lent(self, console, county, owner):
        made = self.grant(console, county, day_of(owner), permissions=["roster:view", "delegation:view"])
        assert made.status_code == 303
        number = one(owner, "select max(id) from delegations")
        absent = f"（代 {county.township.clerk.name}）"
        with console.client(county.township.second_clerk) as client:
            page = client.get(f"{BASE}/own").text
            assert absent in page
            key = f"{county.township.clerk.post_id}.{number}"
            switched = client.post(f"{BASE}/post", data={"csrf_token": token_of(page), "post": key})
            assert switched.status_code == 303
            now = client.get(f"{BASE}/own").text
            assert f"当前：长胜镇人民政府经办岗{absent}" in now.replace(" ：", "：")
            assert client.get(f"{BASE}/roster/list").status_code == 200
            assert client.get(f"{BASE}/household/list").status_code == 403
            assert client.get(f"{BASE}/delegation/form/grant").status_code == 403
            within = sent(client, "/delegation/form/end", f"/delegation/form/end?pk={number}", pks=str(number))
            assert within.status_code == 409 and "切换回本人岗位" in within.text
            with console.client(county.township.clerk) as holder:
                ended = sent(holder, "/delegation/form/end", f"/delegation/form/end?pk={number}", pks=str(number))
                assert ended.status_code == 303
            assert client.get(f"{BASE}/roster/list").status_code == 303  # the lent post is gone, and its session
        assert one(owner, f"select status from delegations where id = {number}") == "ended"

    def test_a_permission_that_is_not_the_holders_cannot_be_smuggled_in(self, console, county, owner):
        refused = self.grant(console, county, day_of(owner), permissions=["batch:release"])
        assert refused.status_code == 400 and "复核代发批次" in refused.text

    def test_a_bank_clerk_may_be_stood_in_for_too(self, console, county, owner):
        day = day_of(owner)
        with console.client(county.bank.clerk) as client:
            done = sent(
                client, "/delegation/form/grant", officer_id=str(county.bank.second_clerk.officer_id), valid_from=day,
                valid_to=day, reason="年休",
            )  # fmt: skip
            assert done.status_code == 303, done.text
            assert county.bank.second_clerk.name in client.get(f"{BASE}/own").text


class TestLeaving:
    def leaving(self, console: ConsoleServer, by: ActingOfficer, leaver: int, **form: Any) -> httpx.Response:
        with console.client(by) as client:
            return sent(client, f"/handover/{leaver}", **form)

    def test_open_things_come_first_then_a_successor_or_a_gap(self, console, county, owner):
        head, day = county.township.head, day_of(owner)
        with owner() as session:
            waiting_roster(session, county)
            newcomer = an_officer(session, county.township.division_code).id
        with console.client(county.security_admin) as client:
            page = client.get(f"{BASE}/handover/{head.officer_id}").text
            assert "待办发放清册" in page and "仅此一人" in page
            assert "待办发放清册 1" in client.get(f"{BASE}/officer/details/{head.officer_id}").text
        form = {"on": day, "reason": "调离", f"successor_{head.post_id}": "", f"gap_{head.post_id}": ""}
        refused = self.leaving(console, county.security_admin, head.officer_id, **form)
        assert refused.status_code == 409 and "接任人" in refused.text and 'value="调离"' in refused.text
        named = form | {f"successor_{head.post_id}": str(newcomer)}
        done = self.leaving(console, county.security_admin, head.officer_id, **named)
        assert done.status_code == 303
        assert one(owner, f"select status from posts where id = {head.post_id}") == "ended"
        assert one(owner, f"select status from posts where officer_id = {newcomer}") == "proposed"

    @pytest.mark.parametrize("wrong", [{"on": "x"}, {"on": ""}, {"successor_99": "x", "on": "2020-01-01"}], ids=str)
    def test_strange_answers_are_refused_in_words(self, console, county, wrong):
        form = {"reason": "调离"} | wrong
        answer = self.leaving(console, county.security_admin, county.finance.clerk.officer_id, **form)
        assert answer.status_code == 400 and "离任日期" in answer.text
