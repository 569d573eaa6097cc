"""Button → confirm page → POST with token → workflow, as an officer does it. （第十六至十八、二十三条）"""

from datetime import date

import httpx
import pytest
import sqlalchemy as sa

from models.database import transaction
from models.officers import Post, Role
from models.rosters import Roster, RosterStatus
from policies.lifecycles import LIFECYCLES
from tests.console import token_of
from tests.factories import (
    PASSWORD,
    World,
    a_line,
    a_project,
    a_roster,
    an_agent_account,
    an_indicator,
    second_account,
)
from workflows import payment_orders
from workflows.rules import seed_rules

BASE = "/console"


def roster_in(owner, county: World, status: RosterStatus, **fields) -> int:
    with owner() as session:
        return a_roster(session, county, status=status, **fields).id


def status_of(owner, roster: int) -> str:
    with owner() as session:
        return session.execute(sa.text("select status from rosters where id = :id"), {"id": roster}).scalar_one()


def post(client: httpx.Client, path: str, **form) -> httpx.Response:
    token = token_of(client.get(f"{BASE}/").text)
    return client.post(f"{BASE}{path}", data={"csrf_token": token, **form})


class TestConfirmPage:
    def test_it_says_what_how_many_how_much_and_who_is_next(self, console, county, owner):
        roster = roster_in(owner, county, RosterStatus.ON_NOTICE, lines=[a_line(), a_line()])
        with console.client(county.township.head) as client:
            page = client.get(f"{BASE}/roster/action/endorse", params={"pks": roster})
            assert page.status_code == 200
            for words in ("确认：负责人审核", "2 笔", "300.00 元", "乡镇经办岗（上报）", "第三十一条", "负责人已审核"):
                assert words in page.text, words
            assert status_of(owner, roster) == "on_notice"

    def test_the_post_moves_the_record_and_leads_back_to_it(self, console, county, owner):
        roster = roster_in(owner, county, RosterStatus.ON_NOTICE)
        with console.client(county.township.head) as client:
            answer = post(client, "/roster/action/endorse", pks=roster, attested="yes", opinion="情况属实")
            assert answer.status_code == 303
            page = client.get(answer.headers["location"])
            assert "已办理：负责人审核" in page.text
        assert status_of(owner, roster) == "endorsed"

    def test_a_missing_attestation_is_refused_in_words(self, console, county, owner):
        roster = roster_in(owner, county, RosterStatus.ON_NOTICE)
        with console.client(county.township.head) as client:
            answer = post(client, "/roster/action/endorse", pks=roster)
            assert answer.status_code == 400 and "须填写" in answer.text
        assert status_of(owner, roster) == "on_notice"

    def test_a_second_submit_is_refused_not_repeated(self, console, county, owner):
        roster = roster_in(owner, county, RosterStatus.ON_NOTICE)
        with console.client(county.township.head) as client:
            first = post(client, "/roster/action/endorse", pks=roster, attested="yes")
            second = post(client, "/roster/action/endorse", pks=roster, attested="yes")
        assert (first.status_code, second.status_code) == (303, 409)
        assert "当前状态" in second.text

    def test_several_records_get_a_result_each(self, console, county, owner):
        ready = roster_in(owner, county, RosterStatus.ON_NOTICE, period="2024-1")
        running_notice = roster_in(owner, county, RosterStatus.ON_NOTICE, period="2024-2", notice_over=False)
        with console.client(county.township.head) as client:
            answer = post(client, "/roster/action/endorse", pks=f"{ready},{running_notice}", attested="yes")
            assert answer.status_code == 200
            assert "办理成功 1 件，未办理 1 件" in answer.text and "届满" in answer.text
        assert (status_of(owner, ready), status_of(owner, running_notice)) == ("endorsed", "on_notice")


class TestRefusals:
    def test_the_same_person_is_refused_at_a_second_desk_with_the_reason(self, console, county, owner):
        roster = roster_in(owner, county, RosterStatus.ON_NOTICE)
        with owner() as session:
            twin = second_account(session, county.township.clerk, county.township.organisation_id, Role.HEAD)
            session.execute(
                sa.text(
                    "insert into desk_holders (division_code, noun, record_id, person, desk)"
                    " values (:code, 'roster', :roster, :person, 'township_clerk') on conflict do nothing"
                ),
                {"code": county.township.division_code, "roster": roster, "person": twin.person},
            )
        with console.client(twin) as client:
            page = client.get(f"{BASE}/roster/details/{roster}")
            assert "您已在“乡镇经办”岗办理过" in page.text and "第二十三条" in page.text
            answer = post(client, "/roster/action/endorse", pks=roster, attested="yes")
            assert answer.status_code == 409
            assert "请换人办理（第二十三条）" in answer.text
        assert status_of(owner, roster) == "on_notice"
        with owner() as session:
            kinds = session.execute(sa.text("select refusal from refusals")).scalars().all()
        assert "SamePersonTwice" in kinds

    def test_a_running_notice_is_explained_with_its_end(self, console, county, owner):
        roster = roster_in(owner, county, RosterStatus.ON_NOTICE, notice_over=False)
        with console.client(county.township.head) as client:
            assert "届满" in client.get(f"{BASE}/roster/details/{roster}").text
            answer = post(client, "/roster/action/endorse", pks=roster, attested="yes")
            assert answer.status_code == 409 and "第十六条第三项" in answer.text

    def test_a_post_by_another_desk_is_refused_by_the_verb_not_only_by_the_button(self, console, county, owner):
        roster = roster_in(owner, county, RosterStatus.ON_NOTICE)
        for officer in (county.township.clerk, county.department.reviewer, county.finance.clerk):
            with console.client(officer) as client:
                page = client.get(f"{BASE}/roster/details/{roster}")
                assert "action/endorse" not in page.text
                assert post(client, "/roster/action/endorse", pks=roster, attested="yes").status_code == 403
        assert status_of(owner, roster) == "on_notice"

    def test_a_return_keeps_its_reason_where_the_township_reads_it(self, console, county, owner):
        roster = roster_in(owner, county, RosterStatus.REPORTED)
        with console.client(county.department.clerk) as client:
            answer = post(client, "/roster/action/return", pks=roster, reason="第 1 行面积与台账不符")
            assert answer.status_code == 303
        with console.client(county.township.clerk) as client:
            page = client.get(f"{BASE}/roster/details/{roster}")
            assert "退回原因：第 1 行面积与台账不符" in page.text

    def test_a_red_light_is_explained_line_by_line_with_the_way_to_it(self, console, county, owner):
        with owner() as session:
            seed_rules(session)
        roster = roster_in(owner, county, RosterStatus.ENDORSED, lines=[a_line(), a_line(deceased=True)])
        with console.client(county.township.clerk) as client:
            answer = post(client, "/roster/action/report", pks=roster)
            assert answer.status_code == 409
            for words in ("死亡人员领取", "序号 2", "红灯", "第十八条", f"details/{roster}?tab=roster_warnings"):
                assert words in answer.text, words
            page = client.get(f"{BASE}/roster/details/{roster}").text
            assert "红灯：死亡人员领取，1 笔" in page and "第十六条第一项" in page
        assert status_of(owner, roster) == "endorsed"


class TestPosts:
    def test_an_officer_of_two_posts_switches_and_the_old_forms_lose_their_token(self, console, county, owner):
        officer = county.township.clerk
        with owner() as session:
            second = county.second_township
            other = Post(
                division_code=second.division_code, officer_id=officer.officer_id,
                organisation_id=second.organisation_id, role=Role.CLERK, valid_from=date(2024, 1, 1),
            )  # fmt: skip
            session.add(other)
            session.flush()
            post_id = other.id
        here = roster_in(owner, county, RosterStatus.DRAFT)
        with console.client(officer) as client:
            old = token_of(client.get(f"{BASE}/").text)
            assert client.get(f"{BASE}/roster/details/{here}").status_code == 200
            assert client.post(f"{BASE}/post", data={"csrf_token": old, "post": f"{post_id}.0"}).status_code == 303
            assert client.get(f"{BASE}/roster/details/{here}").status_code == 404
            assert client.post(f"{BASE}/post", data={"csrf_token": old, "post": post_id}).status_code == 403

    def test_nobody_switches_to_a_post_of_somebody_else(self, console, county, owner):
        with console.client(county.township.clerk) as client:
            assert post(client, "/post", post=f"{county.finance.reviewer.post_id}.0").status_code == 409
            assert county.township.clerk.post in client.get(f"{BASE}/").text


class TestButtons:
    def test_every_step_of_a_desk_has_its_confirm_page_and_post(self, console, county):
        console_views = console.app.state.console.views
        paths = {route.path for route in console.app.state.console.admin.router.routes}
        for model, lifecycle in LIFECYCLES.items():
            view = next((v for v in console_views if getattr(v, "model", None) is model), None)
            steps = {step.verb for step in lifecycle.steps if step.desk}
            if view is None or not view.lifecycle:
                assert not steps
                continue
            for verb in steps:
                path = f"/{view.identity}/action/{verb.strip('_').replace('_', '-')}"
                assert path in paths, path
                assert callable(view.verb(verb)), verb

    def test_an_onward_button_is_the_only_primary_action(self, console, county, owner):
        roster = roster_in(owner, county, RosterStatus.REPORTED)
        with console.client(county.department.clerk) as client:
            text = client.get(f"{BASE}/roster/details/{roster}").text
            assert text.count("btn-primary") == 1 and "主管部门初审" in text and "退回" in text

    def test_the_inbox_shows_the_oldest_deadline_first_and_late_ones_red(self, console, county, owner):
        late = roster_in(owner, county, RosterStatus.REPORTED, period="2024-1")
        roster_in(owner, county, RosterStatus.REPORTED, period="2024-2")
        with owner() as session:
            session.execute(sa.text("update rosters set due_on = '2020-01-02' where id = :id"), {"id": late})
        with console.client(county.department.clerk) as client:
            text = client.get(f"{BASE}/").text
            assert "2 件" in text and "1 件已逾期" in text and 'class="is-late"' in text
            assert text.index(f"details/{late}") < text.index("2024-2")


class TestReauthentication:
    def test_a_step_that_moves_money_asks_the_password_again(self, console, county):
        views = {view.identity: view for view in console.app.state.console.views if view.is_model}
        for identity, verb in (("payment-order", "release"), ("bank-batch", "release"), ("refund", "release")):
            steps = [step for step in views[identity].lifecycle.steps if step.verb == verb]
            assert any(ask.kind == "password" for step in steps for ask in step.asks), identity

    def test_a_wrong_password_is_refused_counted_and_noted(self, console, county, owner):
        with owner() as session:
            order = drafted_order(session, county)
        with console.client(county.department.reviewer) as client:
            answer = post(client, "/payment-order/action/release", pks=order, password="wrong")
            assert answer.status_code == 403 and "复核身份未通过" in answer.text
        with owner() as session:
            status = session.execute(sa.text("select status from payment_orders")).scalar_one()
            failed = session.execute(sa.text("select max(failed_logins) from officer_secrets")).scalar_one()
            noted = session.execute(sa.text("select refusal from refusals")).scalar_one()
        assert (status, failed, noted) == ("drafted", 1, "PasswordWrong")

    def test_the_right_password_releases(self, console, county, owner):
        with owner() as session:
            order = drafted_order(session, county)
        with console.client(county.department.reviewer) as client:
            page = client.get(f"{BASE}/payment-order/action/release", params={"pks": order})
            assert 'type="password"' in page.text
            answer = post(client, "/payment-order/action/release", pks=order, password=PASSWORD)
            assert answer.status_code == 303, answer.text
        with owner() as session:
            assert session.execute(sa.text("select status from payment_orders")).scalar_one() == "released"


def drafted_order(session, county: World) -> int:
    """Draft the payment order of a final roster as the department's clerk would."""
    project = a_project(session, county)
    an_indicator(session, county, project)
    an_agent_account(session, county)
    roster = a_roster(session, county, status=RosterStatus.FINAL, project=project)
    session.commit()
    with transaction(county.department.second_clerk) as own:
        return payment_orders.draft(own, own.get_one(Roster, roster.id), by=county.department.second_clerk)[0].id


class TestNotice:
    def test_the_notice_is_shown_as_the_public_reads_it(self, console, county, owner):
        roster = roster_in(owner, county, RosterStatus.DRAFT, lines=[a_line(name="包·乌日汗"), a_line()])
        with console.client(county.township.clerk) as client:
            assert post(client, "/roster/action/publish-notice", pks=roster, mode="online").status_code == 303
            tab = client.get(f"{BASE}/roster/details/{roster}?tab=notices").text
            assert "公示内容" in tab
            page = client.get(f"{BASE}/notice/details/1").text
            assert "发放清册的公示" in page and "150.00" in page and "包·乌日汗" not in page

    def test_the_empty_workbook_of_a_project_can_be_downloaded(self, console, county, owner):
        with console.client(county.township.clerk) as client:
            page = client.get(f"{BASE}/subsidy-project/details/1").text
            assert "下载清册模板" in page
            assert client.get(f"{BASE}/subsidy-project/template/1").content[:2] == b"PK"


class TestClock:
    def test_the_demo_button_moves_business_time_to_the_next_working_day(self, console, county, owner):
        with owner() as session:
            session.execute(sa.text("update business_clock set movable = true"))
            before = session.execute(sa.text("select moved_by from business_clock")).scalar_one()
        with console.client(county.township.clerk) as client:
            assert post(client, "/clock").status_code == 303
        with owner() as session:
            assert session.execute(sa.text("select moved_by from business_clock")).scalar_one() > before


class TestCorrectingALine:
    def line_of(self, owner, roster: int) -> int:
        with owner() as session:
            return session.execute(
                sa.text("select id from roster_lines where roster_id = :id"), {"id": roster}
            ).scalar_one()

    @pytest.mark.parametrize("wrong", ["NaN", "Infinity", "1e30", "十亩"])
    def test_what_is_no_quantity_is_refused_in_words(self, console, county, owner, wrong):
        line = self.line_of(owner, roster_in(owner, county, RosterStatus.DRAFT))
        with console.client(county.township.clerk) as client:
            answer = post(
                client, "/roster-line/form/change-amount", pks=line, quantity=wrong, standard="15", reason="核实面积"
            )
            assert answer.status_code == 400 and "数量（须为数字）" in answer.text

    def test_a_published_amount_that_changes_asks_for_a_new_notice(self, console, county, owner):
        roster = roster_in(owner, county, RosterStatus.ON_NOTICE)
        line = self.line_of(owner, roster)
        with console.client(county.township.clerk) as client:
            answer = post(
                client, "/roster-line/form/change-amount", pks=line, quantity="9.5", standard="15", reason="核实面积"
            )
            assert answer.status_code == 303
            assert "重新公示" in client.get(f"{BASE}/roster/details/{roster}").text
            assert post(client, "/roster/action/reopen", pks=roster).status_code == 303
        assert status_of(owner, roster) == "draft"
