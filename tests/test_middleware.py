"""Every form is ours, every page is bare of inline code, every mistake is answered in plain words. （第三十条）"""

import re
from ipaddress import ip_network
from types import SimpleNamespace

import httpx
import pytest
import sqlalchemy as sa
from starlette.requests import Request

from admin import origins
from admin.middleware import HEADERS, OPEN
from models.rosters import RosterStatus
from models.security import Security
from models.settings import settings
from tests.console import COOKIE, ConsoleServer, open_session, token_of
from tests.factories import a_line, a_roster

BASE = "/console"
EVIL = "http:" + "//evil.example"
INLINE = re.compile(r"<script(?![^>]*\bsrc=)|<style|<[a-z][^<>]*\s(on[a-z]+|style)\s*=\s*[\"']|javascript:", re.I)


def bare(console: ConsoleServer, officer) -> httpx.Client:
    """A client that says nothing of where its forms come from."""
    cookies = httpx.Cookies()
    cookies.set(COOKIE, open_session(officer), domain="127.0.0.1", path=BASE)
    return httpx.Client(base_url=console.url, cookies=cookies)


class TestOrigin:
    def test_same_origin_is_said_by_origin_else_referer_else_fetch_site(self, console, county):
        own = console.url
        cases = [
            ({"Origin": own}, True),
            ({"Origin": own, "Referer": f"{EVIL}/x"}, True),
            ({"Origin": EVIL, "Referer": f"{own}/console/"}, False),
            ({"Origin": EVIL, "Sec-Fetch-Site": "same-origin"}, False),
            ({"Origin": "null"}, False),
            ({"Origin": ""}, False),
            ({"Origin": own + ".evil.example"}, False),
            ({"Origin": own.upper()}, False),
            ({"Referer": f"{own}/console/roster/list"}, True),
            ({"Referer": f"{EVIL}/?{own}/"}, False),
            ({"Referer": f"{own}@evil.example/"}, False),
            ({"Referer": "http://[::1"}, False),
            ({"Referer": ""}, False),
            ({"Sec-Fetch-Site": "same-origin"}, True),
            ({"Sec-Fetch-Site": "same-site"}, False),
            ({"Sec-Fetch-Site": "cross-site"}, False),
            ({"Sec-Fetch-Site": "none"}, False),
            ({}, False),
        ]
        with bare(console, county.township.clerk) as client:
            token = token_of(client.get(f"{BASE}/").text)
            for headers, ours in cases:
                answer = client.post(
                    f"{BASE}/me/sessions", data={"csrf_token": token, "session": "others"}, headers=headers
                )
                assert answer.status_code == (303 if ours else 403), headers

    def test_the_login_form_asks_the_same(self, console):
        with httpx.Client(base_url=console.url) as client:
            token = token_of(client.get(f"{BASE}/login").text)
            form = {"csrf_token": token, "login": "x", "password": "x"}
            assert client.post(f"{BASE}/login", data=form).status_code == 403
            assert client.post(f"{BASE}/login", data=form, headers={"Origin": EVIL}).status_code == 403
            assert client.post(f"{BASE}/login", data=form, headers={"Origin": console.url}).status_code == 401

    def test_behind_a_proxy_the_public_address_is_the_origin(self, console, county, monkeypatch):
        monkeypatch.setenv("YIKATONG_PUBLIC_URL", "https:" + "//ykt.example")
        settings.cache_clear()
        with bare(console, county.township.clerk) as client:
            token = token_of(client.get(f"{BASE}/").text)
            form = {"csrf_token": token, "session": "others"}
            for origin, status in (("https:" + "//ykt.example", 303), (console.url, 403)):
                answer = client.post(f"{BASE}/me/sessions", data=form, headers={"Origin": origin})
                assert answer.status_code == status

    def test_every_unsafe_method_needs_the_token(self, console, county):
        with console.client(county.township.clerk) as client:
            for method in ("POST", "PUT", "PATCH", "DELETE", "PROPFIND", "X-STRANGE"):
                assert client.request(method, f"{BASE}/roster/list").status_code == 403, method
                assert client.request(method, f"{BASE}/nonsense").status_code == 403, method

    def test_a_replayed_form_token_of_an_ended_session_opens_nothing(self, console, county):
        with console.client(county.township.clerk) as client:
            token = token_of(client.get(f"{BASE}/").text)
            kept = client.cookies[COOKIE]
            client.post(f"{BASE}/logout", data={"csrf_token": token})
            client.cookies.set(COOKIE, kept, domain="127.0.0.1", path=BASE)
            answer = client.post(f"{BASE}/clock", data={"csrf_token": token})
            assert (answer.status_code, answer.headers["location"]) == (303, f"{BASE}/login")


def asked(peer: str, forwarded: tuple[str, ...] = ()) -> Request:
    headers = [(b"x-forwarded-for", line.encode()) for line in forwarded]
    return Request({"type": "http", "client": (peer, 1) if peer else None, "headers": headers})


class TestAddress:
    @pytest.mark.parametrize(
        ("peer", "forwarded", "address"),
        [
            ("203.0.113.9", (), "203.0.113.9"),
            ("203.0.113.9", ("198.51.100.1",), "203.0.113.9"),
            ("10.0.0.1", ("198.51.100.1",), "198.51.100.1"),
            ("10.0.0.1", ("1.2.3.4, 198.51.100.1",), "198.51.100.1"),
            ("10.0.0.1", ("1.2.3.4, 198.51.100.1, 10.0.0.2",), "198.51.100.1"),
            ("10.0.0.1", ("198.51.100.1", "10.0.0.2"), "198.51.100.1"),
            ("10.0.0.1", ("<script>|x",), "10.0.0.1"),
            ("10.0.0.1", (), "10.0.0.1"),
            ("", ("198.51.100.1",), ""),
            ("2001:db8::1", (), "2001:db8::1"),
        ],
    )
    def test_only_trusted_proxies_are_believed_and_only_their_own_hop(self, monkeypatch, peer, forwarded, address):
        rules = Security(trusted_proxies=(ip_network("10.0.0.0/8"),))
        monkeypatch.setattr(origins, "settings", lambda: SimpleNamespace(security=rules))
        assert origins.client_address(asked(peer, forwarded)) == address


class TestHeaders:
    def test_every_answer_carries_them_and_nothing_inline_is_allowed(self, console, county):
        policy = HEADERS["Content-Security-Policy"]
        assert "unsafe" not in policy and "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
        with console.client(county.township.clerk) as client:
            for path in ("/", f"{BASE}/", f"{BASE}/login", f"{BASE}/nonsense", "/health", "/assets/console.css", "/x"):
                answer = client.get(path)
                for name, value in HEADERS.items():
                    assert answer.headers[name] == value, (path, name)
                assert "server" not in answer.headers or answer.headers["server"] == "uvicorn"
            assert client.get(f"{BASE}/").headers["cache-control"] == "no-store"

    def test_no_page_has_inline_script_style_or_handlers(self, console, county, owner):
        with owner() as session:
            roster = a_roster(session, county, status=RosterStatus.ON_NOTICE, lines=[a_line(), a_line()]).id
        pages = [f"{BASE}/{view.identity}/list?tab=all" for view in console.app.state.console.views if view.is_model]
        pages += [f"{BASE}/roster/details/{roster}?tab={tab}" for tab in ("roster_lines", "details", "events")]
        pages += [
            f"{BASE}/me",
            *(f"{BASE}/me/{name}" for name in ("password", "second-factor", "recovery-codes")),
        ]
        pages += [f"{BASE}/", f"{BASE}/login", f"{BASE}/own", f"{BASE}/roster/action/endorse?pks={roster}", f"{BASE}/x"]
        seen = 0
        for officer in (county.township.head, county.security_admin, county.audit_admin, county.bank.clerk):
            with console.client(officer) as client:
                for path in pages:
                    answer = client.get(path)
                    assert answer.status_code < 500, path
                    found = INLINE.search(answer.text)
                    assert found is None, (path, found)
                    seen += answer.status_code == 200
        assert seen > 60

    def test_no_template_has_any(self):
        from admin.pages import TEMPLATES

        guilty = [path.name for path in TEMPLATES.rglob("*.html") if INLINE.search(path.read_text(encoding="utf-8"))]
        assert guilty == []


class TestOpenAddresses:
    def test_are_exact_so_that_no_view_is_open_by_its_name(self, console):
        assert all(not path.endswith("*") for path in OPEN)
        with console.client() as client:
            for path in (
                "/login-session/list",
                "/login-session/details/1",
                "/loginx",
                "/openid/link",
                "/login/../roster/list",
            ):
                answer = client.get(BASE + path)
                assert answer.status_code == 303, path
                assert answer.headers["location"].startswith(f"{BASE}/login"), path


FIELD = b'--a\r\nContent-Disposition: form-data; name="f"\r\n\r\n\r\n'
BODIES = {
    "no boundary": ({"Content-Type": "multipart/form-data"}, b"x"),
    "broken parts": ({"Content-Type": "multipart/form-data; boundary=a"}, b"--a\r\nnonsense"),
    "too many fields": ({"Content-Type": "multipart/form-data; boundary=a"}, FIELD * 1200 + b"--a--"),
    "json": ({"Content-Type": "application/json"}, b"{}"),
    "bytes that are no text": ({"Content-Type": "application/x-www-form-urlencoded"}, b"csrf_token=%ff%fe&a=\xff\xfe"),
    "odd charset": ({"Content-Type": "multipart/form-data; boundary=a; charset=utf-7"}, b"--a--"),
}  # fmt: skip


class TestHostileInput:
    def test_a_broken_body_is_refused_in_words_before_and_after_login(self, console, county):
        with console.client(county.township.clerk) as client:
            for body, (headers, content) in BODIES.items():
                for path in (f"{BASE}/clock", f"{BASE}/login", f"{BASE}/me/password"):
                    answer = client.post(path, content=content, headers=headers)
                    assert answer.status_code in (400, 403, 413), (body, path)
                    assert "Traceback" not in answer.text and "<h1>" in answer.text

    def test_a_nul_in_a_field_is_refused(self, console, county):
        with console.client(county.township.clerk) as client:
            form = {"csrf_token": token_of(client.get(f"{BASE}/").text), "session": "1\x00"}
            answer = client.post(f"{BASE}/me/sessions", data=form)
            assert answer.status_code == 400 and "无效字符" in answer.text

    def test_strange_cookies_and_long_fields_are_answered(self, console, county):
        for cookie in ("x" * 4000, "é", "a b", "%00", '"'):
            with httpx.Client(base_url=console.url) as client:
                answer = client.get(f"{BASE}/", headers={"Cookie": f"{COOKIE}={cookie}".encode()})
                assert answer.status_code == 303
        with console.client(county.township.clerk) as client:
            token = token_of(client.get(f"{BASE}/").text)
            for path, form in (
                ("me/password", {"current": "x" * 5000, "chosen": "y" * 5000, "again": "y" * 5000}),
                ("me/second-factor", {"secret": "f" * 9000, "code": "1" * 900, "password": "x" * 9000}),
                ("me/sessions", {"session": "9" * 400}),
                ("me/unlink", {"identity": "9" * 400}),
                ("post", {"post": "9" * 400}),
                ("post", {"post": "٣.٠"}),
            ):
                answer = client.post(f"{BASE}/{path}", data={"csrf_token": token} | form)
                assert 400 <= answer.status_code < 500, (path, answer.status_code)

    def test_a_body_that_hides_its_length_is_refused(self, console, county):
        with console.client(county.township.clerk) as client:
            answer = client.post(f"{BASE}/clock", content=iter([b"csrf_token=x"]))
            assert answer.status_code == 413


class TestErrors:
    def test_what_nobody_foresaw_shows_a_number_and_nothing_else(self, console, county, owner):
        with console.client(county.township.clerk) as client:
            client.get(f"{BASE}/")
            with owner() as session:
                session.execute(sa.text("alter table rosters rename to rosters_away"))
            try:
                answer = client.get(f"{BASE}/roster/list?tab=all&q=150430199001011234")
            finally:
                with owner() as session:
                    session.execute(sa.text("alter table rosters_away rename to rosters"))
        assert answer.status_code == 500 and re.search(r"编号 [0-9a-f]{8}", answer.text)
        for word in ("select", "rosters", "Traceback", "psycopg", "150430199001011234", "File "):
            assert word not in answer.text, word
