"""The policy console: drafted in the matrix, looked at, proposed, enabled by a second officer, rolled back."""

from itertools import product

import httpx
from playwright.sync_api import Browser, expect

from admin.middleware import MOST_FIELDS
from admin.policy_matrix import LEVELS, STATES, edited, matrix
from models.officers import ActingOfficer
from models.organisations import OrganisationKind
from policies.enforcement import may, policy
from policies.permissions import Permission
from policies.policy_lines import seed_lines, to_csv
from tests.conftest import As
from tests.console import ConsoleServer, token_of
from tests.factories import PASSWORD, World, a_roster, login_name
from tests.test_browser import SIZES, opened, require_sound
from workflows import policy_changes

BASE = "/console"


class TestTheWay:
    def test_draft_propose_enable_by_another_effect_at_once_and_rollback(self, browser, console, county, as_: As):
        first, second = county.security_admin, county.second_security_admin
        head = county.township.head
        draft_in_the_matrix(browser, console, first)
        enable(browser, console, second)
        with as_(None) as session:
            assert may(session, head, Permission.ORDER_VIEW) and not may(session, head, Permission.ROSTER_ENDORSE)
        draft_a_rollback(browser, console, second)
        with console.client(first) as client:
            key = (
                client.get(f"{BASE}/policy-change/list?tab=todo").text.split("/policy-change/details/")[1].split('"')[0]
            )
            told = {"pks": key, "password": PASSWORD}
            told["csrf_token"] = token_of(client.get(f"{BASE}/policy-change/action/enable?pks={key}").text)
            assert client.post(f"{BASE}/policy-change/action/enable", data=told).status_code == 303
        with as_(None) as session:
            assert may(session, head, Permission.ROSTER_ENDORSE) and not may(session, head, Permission.ORDER_VIEW)
            assert policy(session).version == 3
            assert set(policy(session).lines) == set(seed_lines())


def draft_in_the_matrix(browser: Browser, console: ConsoleServer, by: ActingOfficer) -> None:
    page = opened(browser, console, by, SIZES[0])
    page.goto(f"{console.url}{BASE}/policy/matrix?noun=order")
    require_sound(page)
    page.get_by_role("link", name="拟定变更").click()
    page.get_by_label("变更事项").fill("负责人查看资金支付单")
    page.get_by_label("变更理由").fill("乡镇负责人须掌握拨付进度")
    page.get_by_role("button", name="拟定变更").click()
    page.get_by_role("link", name="编辑权限矩阵").click()
    page.get_by_label("负责人：查看资金支付单", exact=True).select_option("allow")
    page.get_by_label("负责人：负责人审核清册", exact=True).select_option("deny")
    page.get_by_role("button", name="保存到草稿").click()
    expect(page.locator(".is-changed")).to_have_count(2)
    page.get_by_role("link", name="查看后果并提交").click()
    said = page.locator("main").inner_text()
    assert "4 人获得 order:view；4 人失去 roster:endorse；1 项权限无人持有；0 处冲突" in said
    require_sound(page)
    page.get_by_role("link", name="提交复核").click()
    page.get_by_role("button", name="提交复核").click()
    assert page.get_by_role("link", name="启用", exact=True).count() == 0, "not to whoever drafted it"
    page.context.close()


def enable(browser: Browser, console: ConsoleServer, by: ActingOfficer) -> None:
    page = opened(browser, console, by, SIZES[0])
    page.goto(f"{console.url}{BASE}/")
    page.get_by_role("link", name="去办理").click()
    page.get_by_role("link", name="启用", exact=True).click()
    assert "4 人失去 roster:endorse" in page.locator("main").inner_text()
    page.get_by_label("登录口令").fill("wrong")
    page.get_by_role("button", name="启用").click()
    assert "复核身份未通过" in page.locator("main").inner_text()
    page.go_back()
    page.get_by_label("登录口令").fill(PASSWORD)
    page.get_by_role("button", name="启用").click()
    page.wait_for_url("**/details/**")
    assert page.locator(".state", has_text="已启用").first.is_visible()
    page.context.close()


def draft_a_rollback(browser: Browser, console: ConsoleServer, by: ActingOfficer) -> None:
    page = opened(browser, console, by, SIZES[0])
    page.goto(f"{console.url}{BASE}/policy-edition/list")
    page.get_by_role("link", name="1", exact=True).click()
    require_sound(page)
    page.get_by_role("link", name="拟定回滚").click()
    page.get_by_label("变更事项").fill("回滚到版本 1")
    page.get_by_label("变更理由").fill("试点结束")
    page.get_by_role("button", name="拟定变更").click()
    page.get_by_role("link", name="提交复核").click()
    page.get_by_role("button", name="提交复核").click()
    page.wait_for_url("**/details/**")
    page.context.close()


class TestPages:
    def test_on_a_small_screen_the_matrix_and_the_questions_are_usable(self, browser, console, county, as_: As, owner):
        by = county.security_admin
        with as_(by) as session:
            key = policy_changes.draft(session, by=by, title="试点", reason="试点").id
        with owner() as session:
            roster, login = a_roster(session, county), login_name(session, county.township.clerk)
        page = opened(browser, console, by, SIZES[1])
        page.goto(f"{console.url}{BASE}/policy-changes/{key}/matrix?kind=finance&level=county&noun=batch")
        require_sound(page)
        page.get_by_label("负责人：查看代发批次", exact=True).select_option("allow")
        page.get_by_role("button", name="保存到草稿").click()
        assert page.locator(".is-changed").count() == 1
        page.goto(f"{console.url}{BASE}/policy-change/details/{key}")
        require_sound(page)
        page.goto(f"{console.url}{BASE}/policy/questions")
        page.locator("#who-permission").select_option("roster:endorse")
        page.locator("#who-division").fill(county.township.division_code)
        page.get_by_role("button", name="谁能办理").click()
        assert county.township.head.name in page.locator(".answer").inner_text()
        require_sound(page)
        page.locator("#why-officer").fill(login)
        page.locator("#why-permission").select_option("roster:notice")
        page.locator("#why-noun").select_option("roster")
        page.locator("#why-number").fill(roster.number)
        page.get_by_role("button", name="为什么").click()
        told = page.locator(".answer").inner_text()
        assert "能办理" in told and "数据范围" in told and "本人已在“乡镇经办”岗办理过该记录" in told
        assert page.url.endswith("/policy/questions"), "no name in the address"
        require_sound(page)
        page.context.close()


class TestRoutes:
    def test_others_get_no_page_and_change_nothing(self, console: ConsoleServer, county: World, as_: As):
        with as_(county.security_admin) as session:
            change = policy_changes.draft(session, by=county.security_admin, title="试点", reason="试点")
            lines = change.lines
        paths = ("/policy/matrix", f"/policy-changes/{change.id}/matrix", "/policy/questions", "/policy/policy.csv",
                 "/policy/versions/1/policy.csv", "/policy-change/list", "/policy-edition/details/1")  # fmt: skip
        with console.client(county.finance.reviewer) as client:
            assert {path: client.get(f"{BASE}{path}").status_code for path in paths} == dict.fromkeys(paths, 403)
        with console.client(county.audit_admin) as client:
            assert {path: client.get(f"{BASE}{path}").status_code for path in paths} == dict.fromkeys(paths, 200)
            token = token_of(client.get(f"{BASE}/policy/questions").text)
            done = save(client, change.id, token, change.version, **{"cell|clerk|roster:pass": "allow"})
            assert done.status_code == 403
        with as_(county.security_admin) as session:
            assert session.get_one(policy_changes.PolicyChange, change.id).lines == lines

    def test_strange_addresses_and_forms_are_refused_in_words(self, console: ConsoleServer, county: World, as_: As):
        with as_(county.security_admin) as session:
            change = policy_changes.draft(session, by=county.security_admin, title="试点", reason="试点")
        with console.client(county.security_admin) as client:
            for path in ("/policy/versions/99/matrix", "/policy/versions/x/policy.csv", "/policy-changes/0/matrix",
                         "/policy-changes/%D9%A3/matrix", "/policy/versions/9999999999999/matrix"):  # fmt: skip
                assert client.get(f"{BASE}{path}").status_code == 404, path
            for query in ("kind=x&level=y&noun=z", "kind=*&level=*", "kind=platform&level=village"):
                assert client.get(f"{BASE}/policy/matrix?{query}").status_code == 200, query
            token = token_of(client.get(f"{BASE}/policy-changes/{change.id}/matrix").text)
            stale = save(client, change.id, token, 99, **{"cell|clerk|roster:pass": "allow"})
            assert stale.status_code == 409 and "刚刚已被其他人" in stale.text
            wrong = save(client, change.id, token, change.version, **{"cell|clerk|roster:pass": "denny"})
            assert wrong.status_code == 400 and "没有这一格" in wrong.text
            assert save(client, change.id, "forged", change.version).status_code == 403
            asked = {"csrf_token": token, "question": "why", "officer": "nobody", "permission": "roster:pass"}
            assert client.post(f"{BASE}/policy/questions", data=asked).status_code == 404
            asked |= {"permission": "roster:veto"}
            assert client.post(f"{BASE}/policy/questions", data=asked).status_code == 404

    def test_the_file_goes_out_and_comes_in_and_a_wrong_line_is_named(self, console, county: World, as_: As):
        with as_(county.security_admin) as session:
            change = policy_changes.draft(session, by=county.security_admin, title="试点", reason="试点")
        form = f"{BASE}/policy-change/form/import"
        with console.client(county.security_admin) as client:
            text = client.get(f"{BASE}/policy/policy.csv").text
            assert text == to_csv(seed_lines())
            token = token_of(client.get(f"{form}?pk={change.id}").text)
            told = {"csrf_token": token, "pks": str(change.id)}
            wrong = client.post(form, data=told, files={"file": ("p.csv", f"{text}p, clerk, x\n".encode())})
            assert wrong.status_code == 400
            assert f"第 {len(text.splitlines()) + 1} 行无效：应有 6 列" in wrong.text
            alien = client.post(form, data=told, files={"file": ("p.csv", "p, 经办".encode("gb18030"))})
            assert alien.status_code == 400 and "UTF-8" in alien.text
            useless = f"{text}p, clerk, *, *, roster, pass, deny\np, clerk, county, finance, roster, pass, deny\n"
            right = client.post(form, data=told, files={"file": ("p.csv", useless.encode())})
            assert right.status_code == 303
            page = client.get(f"{BASE}/policy-change/details/{change.id}").text
            assert "行重复、被覆盖或不起作用" in page and "多余：已被“p, clerk, *, *, roster, pass, deny”包含" in page


def save(client: httpx.Client, key: int | None, token: str, version: int, **cells: str) -> httpx.Response:
    told = {"csrf_token": token, "version": str(version), "level": "county", "kind": "department"} | cells
    return client.post(f"{BASE}/policy-changes/{key}/matrix", data=told)


class TestMatrix:
    def test_every_line_of_a_policy_stands_in_exactly_one_cell(self):
        lines = seed_lines()
        found = set()
        for level, kind in product((*LEVELS, "*"), (*OrganisationKind, "*")):
            shown = matrix(lines, lines, {"level": str(level), "kind": str(kind)})
            found |= {
                (square.role, str(level), str(kind), *row.permission.split(":"), square.own)
                for group in shown.groups
                for row in group.rows
                for square in row.squares
                if square.own
            }
        assert found == set(lines)

    def test_the_widest_matrix_fits_one_form(self):
        shown = matrix(seed_lines(), seed_lines(), {"level": "*", "kind": "*"})
        fields = sum(len(row.squares) for group in shown.groups for row in group.rows)
        assert fields + 5 <= MOST_FIELDS

    def test_only_what_differs_is_taken_from_the_form(self):
        shown = matrix(seed_lines(), seed_lines(), {"level": "township", "kind": "township"})
        form = {square.name: square.own for group in shown.groups for row in group.rows for square in row.squares}
        assert edited(shown, form) == {}
        assert edited(shown, form | {"cell|head|roster:view": "deny", "cell|head|roster:veto": "allow"}) == {
            ("head", "roster:view"): "deny"
        }

    def test_a_cell_names_the_line_that_decides_when_it_is_not_its_own(self):
        shown = matrix(seed_lines(), seed_lines(), {"level": "county", "kind": "finance", "noun": "batch"})
        squares = {square.name: square for group in shown.groups for row in group.rows for square in row.squares}
        other = squares["cell|auditor|batch:release"]
        assert (other.own, other.allowed, other.decides) == ("", False, "p, auditor, *, *, batch, release, deny")
        own = squares["cell|reviewer|batch:release"]
        assert (own.own, own.allowed, own.decides, own.state) == ("allow", True, "", dict(STATES)["allow"])
