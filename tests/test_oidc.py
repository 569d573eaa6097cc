"""Unified login against providers in processes of their own: an independent one, and one that lies. （第三十条）"""

import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import sqlalchemy as sa

from integrations import oidc as client_side
from models.security import OpenIdSettings
from models.settings import SettingWrong, settings
from policies.refusals import NotAllowed, NotFound
from tests.conftest import ROOT
from tests.console import COOKIE, token_of
from tests.factories import PASSWORD, World, login_name, totp_code
from workflows import oidc

BASE = "/console"
CLIENT, SECRET = "yikatong", "a secret:with/signs"
LIES = (
    "other issuer", "other iss", "other audience", "two audiences", "other nonce", "no nonce", "expired",
    "from tomorrow", "no subject", "number as subject", "no signature", "shared secret", "other key",
)  # fmt: skip


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def started(command: list[str], url: str) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(200):
        try:
            httpx.get(f"{url}/.well-known/openid-configuration", trust_env=False).raise_for_status()
            return process
        except httpx.HTTPError:
            time.sleep(0.1)
    process.kill()
    raise AssertionError("the provider doesn't start")


@pytest.fixture(scope="module")
def liar() -> Iterator[str]:
    """The provider that checks everything it is asked and can be told to lie."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = started([sys.executable, "-m", "tests.provider", str(port), CLIENT, SECRET], url)
    yield url
    process.terminate()
    process.wait(10)


@pytest.fixture(scope="module")
def independent() -> Iterator[str]:
    """A provider that other people wrote."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = started([sys.executable, "-m", "oidc_provider_mock", "--port", str(port), "--host", "127.0.0.1"], url)
    yield url
    process.terminate()
    process.wait(10)


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database: str):
    """Configure the provider of one address."""

    def choose(issuer: str, **more: str) -> OpenIdSettings:
        (tmp_path / "secret").write_text(SECRET + "\n")
        words = {"ISSUER": issuer, "CLIENT_ID": CLIENT, "SECRET_FILE": str(tmp_path / "secret")} | more
        for name, value in words.items():
            monkeypatch.setenv(f"YIKATONG_OIDC_{name}", value)
        settings.cache_clear()
        client_side._discovered.cache_clear()
        return settings().security.openid

    yield choose
    settings.cache_clear()


def link(as_, owner, county: World, issuer: str, subject: str = "officer-1") -> str:
    with owner() as session:
        name = login_name(session, county.township.clerk)
    with as_(county.security_admin) as session:
        oidc.link(session, by=county.security_admin, login=name, subject=subject, label="bao.wurihan")
    return name


def told(liar: str, lie: str = "", amr: str = "pwd") -> None:
    httpx.get(f"{liar}/set", params={"lie": lie, "amr": amr}, trust_env=False)


def there_and_back(client: httpx.Client, start: str = f"{BASE}/openid/login") -> httpx.Response:
    """Follow the browser to the provider and back to our callback."""
    out = client.get(start)
    assert out.status_code == 303, out.text
    back = httpx.get(out.headers["location"], trust_env=False)
    return client.get(back.headers["location"])


class TestOff:
    def test_without_configuration_there_is_no_button_and_no_way(self, console, county):
        with console.client() as client:
            assert "openid" not in client.get(f"{BASE}/login").text
            assert client.get(f"{BASE}/openid/login").status_code == 404
            assert client.get(f"{BASE}/openid/callback?code=x&state=y").status_code == 401
        with console.client(county.township.clerk) as client:
            assert "绑定统一身份" not in client.get(f"{BASE}/me").text

    def test_half_a_configuration_or_an_open_line_refuses_to_start(self, configured):
        with pytest.raises(SettingWrong):
            configured("http:" + "//login.example")
        with pytest.raises(SettingWrong):
            configured("https:" + "//login.example", CLIENT_ID="")


class TestLogin:
    def test_the_independent_provider_logs_a_linked_officer_in_and_our_code_completes_it(
        self, console, county, independent, configured, as_, owner
    ):
        configured(independent)
        link(as_, owner, county, independent, "wurihan@example")
        with console.client() as client:
            page = client.get(f"{BASE}/login").text
            assert "统一身份认证" in page
            out = client.get(f"{BASE}/openid/login?next=/console/roster/list")
            query = parse_qs(urlsplit(out.headers["location"]).query)
            assert query["code_challenge_method"] == ["S256"] and query["nonce"] and query["state"]
            back = httpx.post(out.headers["location"], data={"sub": "wurihan@example"}, trust_env=False)
            assert back.status_code in (302, 303), back.text
            entered = client.get(back.headers["location"])
            assert (entered.status_code, entered.headers["location"]) == (303, f"{BASE}/roster/list")
            assert client.get(f"{BASE}/").headers["location"] == f"{BASE}/me/code"
            form = {"csrf_token": token_of(client.get(f"{BASE}/me/code").text)}
            first = client.cookies[COOKIE]
            assert client.post(f"{BASE}/me/code", data=form | {"code": "000000"}).status_code == 400
            assert client.post(f"{BASE}/me/code", data=form | {"code": totp_code()}).status_code == 303
            assert client.cookies[COOKIE] != first
            assert county.township.clerk.name in client.get(f"{BASE}/").text

    def test_the_providers_second_factor_counts_when_its_token_says_so(
        self, console, county, liar, configured, as_, owner
    ):
        configured(liar)
        link(as_, owner, county, liar)
        told(liar, amr="pwd otp")
        with console.client() as client:
            assert there_and_back(client).headers["location"] == f"{BASE}/"
            inbox = client.get(f"{BASE}/")
            assert inbox.status_code == 200
            out = client.post(f"{BASE}/logout", data={"csrf_token": token_of(inbox.text)})
            assert f"{liar}/goodbye" in unescape(client.get(out.headers["location"]).text)
        with owner() as session:
            row = session.execute(sa.text("select way, factor, status from login_sessions")).one()
        assert tuple(row) == ("openid", "provider", "logged_out")

    def test_nobody_is_made_an_officer_by_logging_in(self, console, county, liar, configured, owner):
        configured(liar)
        told(liar)
        with console.client() as client:
            answer = there_and_back(client)
            assert answer.status_code == 403 and "没有绑定" in answer.text and COOKIE not in client.cookies
        with owner() as session:
            assert session.execute(sa.text("select count(*) from login_sessions")).scalar_one() == 0

    def test_a_suspended_or_locked_officer_stays_out(self, console, county, liar, configured, as_, owner):
        configured(liar)
        link(as_, owner, county, liar)
        told(liar)
        for change, back in (
            ("officers set active = false", "officers set active = true"),
            ("officer_secrets set locked_until = now() + interval '1 h'", "officer_secrets set locked_until = null"),
        ):
            with owner() as session:
                session.execute(sa.text(f"update {change}"))
            with console.client() as client:
                assert there_and_back(client).status_code == 403
            with owner() as session:
                session.execute(sa.text(f"update {back}"))

    def test_no_lie_of_a_provider_is_believed(self, console, county, liar, configured, as_, owner):
        configured(liar)
        link(as_, owner, county, liar)
        for lie in LIES:
            told(liar, lie)
            with console.client() as client:
                answer = there_and_back(client)
                assert (answer.status_code, COOKIE in client.cookies) == (401, False), lie
                assert "officer-1" not in answer.text
        told(liar)
        with console.client() as client:
            assert there_and_back(client).status_code == 303

    def test_state_belongs_to_the_browser_that_set_out_and_serves_once(
        self, console, county, liar, configured, as_, owner
    ):
        configured(liar)
        link(as_, owner, county, liar)
        told(liar)
        with console.client() as client, console.client() as stranger:
            out = client.get(f"{BASE}/openid/login")
            back = httpx.get(out.headers["location"], trust_env=False).headers["location"]
            assert stranger.get(back).status_code == 401
            stranger.get(f"{BASE}/openid/login")
            assert stranger.get(back).status_code == 401
            assert client.get(re.sub(r"state=[^&]+", "state=x", back)).status_code == 401
            assert client.get(back).status_code == 401, "the flow is over after its first answer"

    def test_a_flow_is_sealed_and_lasts_ten_minutes(self, database):
        flow = client_side.Flow.begin(1000, next="/console/")
        envelope = oidc.packed(flow)
        assert flow.nonce not in envelope and oidc.unpacked(envelope, flow.state, 1600) == flow
        for forged, state, at in (
            (envelope, flow.state, 1601),
            (envelope, flow.state, 999),
            (envelope, "", 1000),
            (envelope[:-2], flow.state, 1000),
            ("", flow.state, 1000),
            ("zz", flow.state, 1000),
        ):
            with pytest.raises(oidc.OpenIdRefused):
                oidc.unpacked(forged, state, at)

    def test_a_provider_that_does_not_answer_leaves_the_password(self, console, county, configured):
        configured(f"http://127.0.0.1:{free_port()}")
        with console.client() as client:
            answer = client.get(f"{BASE}/openid/login")
            assert answer.status_code == 401 and 'name="password"' in answer.text


class TestLinking:
    def test_an_officer_links_the_own_identity_with_password_and_unlinks_it(
        self, console, county, liar, configured, owner
    ):
        configured(liar)
        told(liar)
        with console.client(county.township.clerk) as client:
            assert there_and_back(client, f"{BASE}/me/link").headers["location"] == f"{BASE}/me/identity"
            page = client.get(f"{BASE}/me/identity").text
            assert "bao.wurihan" in page
            form = {"csrf_token": token_of(page)}
            assert client.post(f"{BASE}/me/identity", data=form | {"password": "wrong"}).status_code == 403
            assert client.post(f"{BASE}/me/identity", data=form | {"password": PASSWORD}).status_code == 303
            account = client.get(f"{BASE}/me").text
            number = re.search(r'name="identity" value="(\d+)"', account)
            assert number and "bao.wurihan" in account
            taken = number.group(1)
        with console.client(county.finance.clerk) as client:
            form = {"csrf_token": token_of(client.get(f"{BASE}/me").text), "identity": taken}
            assert client.post(f"{BASE}/me/unlink", data=form).status_code == 404
        with console.client(county.township.clerk) as client:
            form = {"csrf_token": token_of(client.get(f"{BASE}/me").text), "identity": taken}
            assert client.post(f"{BASE}/me/unlink", data=form).status_code == 303
        with owner() as session:
            verbs = session.execute(sa.text("select verb from events order by id")).scalars().all()
        assert verbs == ["link_identity", "unlink_identity"]

    def test_the_page_that_confirms_belongs_to_its_session(self, database):
        identity = client_side.Identity("https:" + "//login.example", "officer-1", "", False)
        envelope = oidc.packed_identity(identity, 7)
        assert oidc.unpacked_identity(envelope, 7) == identity
        for forged, number in ((envelope, 8), ("", 7), (envelope[:-4], 7)):
            with pytest.raises(oidc.OpenIdRefused):
                oidc.unpacked_identity(forged, number)

    def test_one_identity_has_one_officer_and_only_security_administrators_link_others(
        self, county, configured, as_, owner
    ):
        configured("https:" + "//login.example")
        name = link(as_, owner, county, "")
        admin = county.security_admin
        with pytest.raises(oidc.LinkedAlready), as_(admin) as session:
            oidc.link(session, by=admin, login=name, subject="officer-1")
        with pytest.raises(NotFound), as_(admin) as session:
            oidc.link(session, by=admin, login="nobody.at.all", subject="officer-2")
        with pytest.raises(NotAllowed), as_(county.system_admin) as session:
            oidc.link(session, by=county.system_admin, login=name, subject="officer-3")
        for by in (county.finance.head, county.system_admin):
            with as_(by) as session:
                asked = sa.text("select openid_link_in_scope(:login, 'i', 's', '')")
                assert not session.execute(asked, {"login": name}).scalar()

    def test_unlinking_ends_the_sessions(self, console, county, liar, configured, as_, owner):
        configured(liar)
        link(as_, owner, county, liar)
        told(liar, amr="mfa")
        with console.client() as client, console.client(county.security_admin) as admin:
            there_and_back(client)
            assert client.get(f"{BASE}/").status_code == 200
            listed = admin.get(f"{BASE}/open-identity/list?tab=all").text
            assert "bao.wurihan" in listed
            with owner() as session:
                number = session.execute(sa.text("select id from openid_identities")).scalar_one()
            form = {"csrf_token": token_of(listed), "pks": str(number)}
            assert admin.post(f"{BASE}/open-identity/form/unlink", data=form).status_code == 303
            assert client.get(f"{BASE}/").status_code == 303
            assert there_and_back(client).status_code == 403
