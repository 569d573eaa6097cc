"""Who gets in, who sees what, and what a GET may never do. （第二十三、三十条）"""

import re
from io import BytesIO

import httpx
import openpyxl
import pyotp
import pytest
import sqlalchemy as sa

from admin.middleware import OPEN, SIGNED_FOLDER
from admin.views import VIEWS
from models.base import RowScope
from models.households import Member
from models.rosters import RosterLine, RosterStatus
from tests.console import ConsoleServer, token_of
from tests.factories import PASSWORD, TOTP_SECRET, World, a_line, a_roster, login_name

BASE = "/console"
LOGIN = f"{BASE}/login"
STRANGE = [
    "/roster/details/abc",
    "/roster/details/0",
    "/roster/details/99999999999999999999",
    "/roster/details/-1",
    "/roster/details/1;2",
    "/roster/list?page=abc",
    "/roster/list?page=-1",
    "/roster/list?page=999999999999999",
    "/roster/list?q=%00",
    "/roster/list?key=zz",
    "/roster/list?f_status=nonsense",
    "/roster/details/1%00",
    "/nonsense/list",
    "/roster/edit/1",
    "/roster/create",
    "/roster/export/csv",
    "/roster/action/report",
    "/roster/details/1?page=x",
    "/roster/file/1/nonsense",
    "/roster/action/report?pks=x",
    "/roster/list?page=٣",
    "/roster/form/check",
    "/roster/form/check?pk=x",
]


@pytest.fixture
def filled(county: World, owner) -> dict[str, int]:
    """One roster on notice with its people and cards; the ids of what there is, by view."""
    with owner() as session:
        roster = a_roster(session, county, status=RosterStatus.ON_NOTICE, lines=[a_line(), a_line()])
        line, member, household, account = session.execute(
            sa.text("select id, member_id, household_id, account_id from roster_lines order by id limit 1")
        ).one()
        return {
            "roster": roster.id, "roster-line": line, "member": member, "household": household, "account": account
        }  # fmt: skip


def routes(console: ConsoleServer) -> list[tuple[str, str]]:
    """Every route of the console as method and path, with numbers for its parameters."""
    found = []
    for route in console.app.state.console.admin.router.routes:
        if route.name == "statics":
            continue
        path = route.path.replace("{identity}", "roster").replace("{of}", "roster").replace("{pk:path}", "1")
        path = path.replace("{key}", "1").replace("{column}", "file_id")
        found += [(method, f"{BASE}{path}") for method in route.methods - {"HEAD"}]
    return found


def about(path: str, filled: dict[str, int]) -> str:
    """Return the query by which a page learns its record: confirm pages of steps and of forms differ in it."""
    return f"?pks={filled['roster']}" if "/action/" in path else f"?pk={filled['roster']}" if "/form/" in path else ""


def list_paths(console: ConsoleServer) -> list[str]:
    views = console.app.state.console.views
    return [f"{BASE}/{view.identity}/list?tab=all" for view in views if view.is_model]


def log_in(console: ConsoleServer, client: httpx.Client, name: str, password: str, code: str) -> httpx.Response:
    page = client.get(LOGIN)
    form = {"csrf_token": token_of(page.text), "login": name, "password": password, "code": code}
    return client.post(LOGIN, data=form)


class TestLogin:
    def test_password_and_one_time_code_lead_to_the_inbox(self, console, county, owner):
        with owner() as session:
            name = login_name(session, county.township.clerk)
        with console.client() as client:
            answer = log_in(console, client, name, PASSWORD, pyotp.TOTP(TOTP_SECRET).now())
            assert answer.status_code == 303
            cookie = answer.headers["set-cookie"].lower()
            assert "httponly" in cookie and "samesite=lax" in cookie
            inbox = client.get(f"{BASE}/")
            assert inbox.status_code == 200 and county.township.clerk.name in inbox.text
            assert '<html lang="zh-CN">' in inbox.text

    def test_a_code_is_good_for_one_login_only(self, console, county, owner):
        with owner() as session:
            name = login_name(session, county.township.clerk)
        code = pyotp.TOTP(TOTP_SECRET).now()
        with console.client() as first, console.client() as second:
            assert log_in(console, first, name, PASSWORD, code).status_code == 303
            again = log_in(console, second, name, PASSWORD, code)
            assert again.status_code == 401 and "只能用一次" in again.text

    def test_the_login_form_needs_its_own_token(self, console, county, owner):
        with owner() as session:
            name = login_name(session, county.township.clerk)
        with console.client() as client:
            form = {"login": name, "password": PASSWORD, "code": pyotp.TOTP(TOTP_SECRET).now(), "csrf_token": "x"}
            assert client.post(LOGIN, data=form).status_code == 403

    def test_logout_ends_the_session_at_once_even_for_a_kept_cookie(self, console, county):
        with console.client(county.township.clerk) as client:
            token = token_of(client.get(f"{BASE}/").text)
            kept = dict(client.cookies)
            assert client.post(f"{BASE}/logout", data={"csrf_token": token}).status_code == 303
        with httpx.Client(base_url=console.url, cookies=kept, headers={"Origin": console.url}) as thief:
            assert thief.get(f"{BASE}/").status_code == 303

    def test_an_idle_session_ends(self, console, county, owner):
        with console.client(county.township.clerk) as client:
            assert client.get(f"{BASE}/").status_code == 200
            with owner() as session:
                session.execute(sa.text("update login_sessions set seen_at = seen_at - interval '9 hours'"))
            assert client.get(f"{BASE}/").headers["location"].startswith(LOGIN)

    def test_nobody_is_led_to_another_site_after_logging_in(self, console):
        with console.client() as client:
            for address in ("http:" + "//evil.example/", "//evil.example", "/console//evil.example", "/console/\\evil"):
                page = client.get(LOGIN, params={"next": address}).text
                assert 'name="next" value="/console/"' in page


class TestWithoutLogin:
    def test_every_route_leads_to_the_login(self, console, county):
        with console.client() as client:
            for method, path in routes(console):
                if path in OPEN:
                    continue
                answer = client.request(method, path)
                if path.startswith(SIGNED_FOLDER):
                    assert answer.status_code == 401, (method, path)
                    continue
                assert answer.status_code == 303, (method, path)
                assert answer.headers["location"].startswith(LOGIN), (method, path)


class TestForgedForms:
    def test_every_post_without_the_token_is_refused_and_changes_nothing(self, console, county, filled, owner):
        with console.client(county.township.clerk) as client:
            before = fingerprint(owner)
            posts = [
                path for method, path in routes(console) if method == "POST" and path.startswith(BASE) and path != LOGIN
            ]
            assert len(posts) > 30
            for path in posts:
                for form in ({}, {"csrf_token": "forged", "pks": str(filled["roster"])}):
                    answer = client.post(path, data=form)
                    assert answer.status_code == 403, path
                    assert "没有执行" in answer.text
            assert fingerprint(owner) == before

    def test_another_sites_form_with_a_stolen_token_is_refused(self, console, county):
        with console.client(county.township.clerk) as client:
            token = token_of(client.get(f"{BASE}/").text)
            answer = client.post(
                f"{BASE}/clock", data={"csrf_token": token}, headers={"Origin": "http:" + "//evil.example"}
            )
            assert answer.status_code == 403

    def test_a_token_of_another_session_is_refused(self, console, county):
        with console.client(county.township.clerk) as mine, console.client(county.finance.clerk) as theirs:
            token = token_of(theirs.get(f"{BASE}/").text)
            assert mine.post(f"{BASE}/clock", data={"csrf_token": token}).status_code == 403


class TestOtherCounties:
    def test_see_no_row_on_any_list_and_404_by_id(self, console, county, filled):
        for officer in (county.other_county.township.clerk, county.other_county.finance.clerk):
            with console.client(officer) as client:
                for path in list_paths(console):
                    page = client.get(path)
                    assert page.status_code in (200, 403), path
                    if page.status_code == 200 and not is_shared(path):
                        assert "合计 0 条" in page.text, path
                for identity, key in filled.items():
                    answer = client.get(f"{BASE}/{identity}/details/{key}")
                    assert answer.status_code in (403, 404), identity
                assert client.get(f"{BASE}/roster/details/{filled['roster']}").status_code == 404

    def test_cannot_act_on_a_record_by_its_id(self, console, county, filled, owner):
        with console.client(county.other_county.township.head) as client:
            token = token_of(client.get(f"{BASE}/").text)
            path = f"{BASE}/roster/action/endorse"
            assert client.get(path, params={"pks": filled["roster"]}).status_code == 404
            before = fingerprint(owner)
            form = {"csrf_token": token, "pks": str(filled["roster"]), "attested": "yes"}
            assert client.post(path, data=form).status_code == 404
            assert fingerprint(owner) == before

    def test_the_own_county_does_see_them(self, console, county, filled):
        with console.client(county.township.clerk) as client:
            page = client.get(f"{BASE}/roster/list?tab=all")
            assert "合计 1 条" in page.text and "300.00 元" in page.text
            assert client.get(f"{BASE}/roster/details/{filled['roster']}").status_code == 200

    def test_another_department_sees_neither_list_nor_record(self, console, county, filled):
        with console.client(county.civil_affairs.clerk) as client:
            assert "合计 0 条" in client.get(f"{BASE}/roster/list?tab=all").text
            assert client.get(f"{BASE}/roster/details/{filled['roster']}").status_code == 404


class TestGets:
    def test_a_get_never_changes_anything(self, console, county, filled, owner):
        for officer in (county.township.clerk, county.township.head, county.department.clerk, county.finance.reviewer):
            with console.client(officer) as client:
                client.get(f"{BASE}/")
                before = fingerprint(owner)
                for method, path in routes(console):
                    if method == "GET":
                        client.get(path.replace("/details/1", f"/details/{filled['roster']}") + about(path, filled))
                for path in list_paths(console):
                    client.get(path)
                assert fingerprint(owner) == before

    def test_strange_addresses_get_a_plain_chinese_answer_not_an_error(self, console, county, filled):
        with console.client(county.township.clerk) as client:
            for path in STRANGE:
                answer = client.get(f"{BASE}{path}")
                assert answer.status_code in (400, 403, 404, 405), path
                assert 'lang="zh-CN"' in answer.text and "Traceback" not in answer.text


class TestHeaders:
    def test_pages_forbid_inline_scripts_frames_and_caches(self, console, county):
        with console.client(county.township.clerk) as client:
            page = client.get(f"{BASE}/")
            policy = page.headers["content-security-policy"]
            assert "script-src 'self'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
            assert page.headers["cache-control"] == "no-store"
            assert "<script>" not in page.text and "style=" not in page.text

    def test_nothing_is_loaded_from_outside(self, console, county, filled):
        with console.client(county.township.clerk) as client:
            for path in (f"{BASE}/", f"{BASE}/roster/list", f"{BASE}/roster/details/{filled['roster']}"):
                assert re.findall(r'(?:src|href)="(?:https?:)?//', client.get(path).text) == []


class TestMasks:
    def test_no_page_shows_a_whole_id_or_account_number(self, console, county, filled, owner):
        with owner() as session:
            plain = [
                value
                for line in session.execute(sa.select(RosterLine)).scalars()
                for value in (line.id_number, line.account_number)
            ]
        with console.client(county.township.clerk) as client:
            paths = [f"{BASE}/{identity}/details/{key}" for identity, key in filled.items()]
            paths += [f"{path}?tab={tab}" for path in paths for tab in ("details", "events")] + list_paths(console)
            for path in paths:
                text = client.get(path).text
                assert not any(number in text for number in plain if number), path

    def test_an_export_holds_the_same_rows_masked_and_no_formula(self, console, county, filled, owner):
        with owner() as session:
            session.execute(sa.text("update members set name = '=1+1' where id = :id"), {"id": filled["member"]})
            number = session.get_one(Member, filled["member"]).id_number
        with console.client(county.township.clerk) as client:
            content = client.get(f"{BASE}/member/export.xlsx").content
        sheet = openpyxl.load_workbook(BytesIO(content)).active
        cells = [str(cell.value) for row in sheet.iter_rows() for cell in row]
        assert sheet.max_row == 3 and not any(number in text for text in cells)
        assert all(cell.data_type != "f" for row in sheet.iter_rows() for cell in row)
        with console.client(county.other_county.township.clerk) as client:
            assert openpyxl.load_workbook(BytesIO(client.get(f"{BASE}/member/export.xlsx").content)).active.max_row == 1

    def test_a_reveal_asks_a_reason_and_is_recorded(self, console, county, filled, owner):
        with console.client(county.township.clerk) as client:
            path = f"{BASE}/member/form/reveal"
            page = client.get(path, params={"pk": filled["member"]})
            form = {"csrf_token": token_of(page.text), "pks": str(filled["member"]), "reason": ""}
            assert client.post(path, data=form).status_code == 400
            shown = client.post(path, data=form | {"reason": "核对来访群众身份"})
            assert shown.status_code == 200 and re.search(r"\b150430\d{11}[\dX]\b", shown.text)
        with owner() as session:
            reason = session.execute(sa.text("select opinion from events where verb = 'reveal'")).scalar_one()
            assert reason == "核对来访群众身份"

    def test_an_id_number_is_found_without_standing_in_the_address(self, console, county, filled, owner):
        with owner() as session:
            number = session.get_one(Member, filled["member"]).id_number
        with console.client(county.township.clerk) as client:
            token = token_of(client.get(f"{BASE}/member/list").text)
            answer = client.post(f"{BASE}/member/search", data={"csrf_token": token, "q": number})
            assert number not in answer.headers["location"]
            assert "合计 1 条" in client.get(answer.headers["location"]).text


def is_shared(path: str) -> bool:
    """Tell whether the list holds what flows downward and is read by every county."""
    shared = (RowScope.DOWNWARD, RowScope.REFERENCE)
    found = (view.identity for view in VIEWS if view.is_model and view.model.__row_scope__ in shared)
    return any(f"/{name}/" in path for name in (*found, "exchange-body"))


def fingerprint(owner) -> list[tuple[str, str]]:
    """Return what every table but the sessions holds: row versions, so that any write shows."""
    with owner() as session:
        tables = session.execute(
            sa.text(
                "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'"
                " and relname not in ('login_sessions', 'session_secrets', 'refusals') order by relname"
            )
        ).scalars()
        versions = "select count(*) || ':' || coalesce(max(xmin::text::bigint), 0) from "
        return [(table, session.execute(sa.text(f'{versions} "{table}"')).scalar_one()) for table in tables]
