"""The second factor: first login in steps, enrolment by the officer, recovery codes. （第二十三、三十条）"""

import re
from html import unescape

import httpx
import pyotp
import pytest
import sqlalchemy as sa

from models.officers import ActingOfficer, OfficerSecret
from models.settings import settings
from policies.refusals import Refused
from tests.console import open_session, token_of
from tests.factories import PASSWORD, TOTP_SECRET, login_name, totp_code
from workflows import second_factor, sessions

BASE = "/console"
CHOSEN = "kanal-7-trommel-Ofen"


def fresh(owner, officer: ActingOfficer, *, must_change: bool = True) -> str:
    """Set an officer back to the day of registration: a password to change, no second factor. Returns the login."""
    with owner() as session:
        session.execute(
            sa.text("update officer_secrets set totp_secret = null, must_change = :must where officer_id = :id"),
            {"id": officer.officer_id, "must": must_change},
        )
        return login_name(session, officer)


def log_in(client: httpx.Client, name: str, password: str = PASSWORD, code: str = "") -> httpx.Response:
    page = client.get(f"{BASE}/login")
    form = {"csrf_token": token_of(page.text), "login": name, "password": password, "code": code}
    return client.post(f"{BASE}/login", data=form)


def step(client: httpx.Client, name: str, **form: str) -> httpx.Response:
    """Fill in one page of the account, with its own hidden fields."""
    page = client.get(f"{BASE}/me/{name}").text
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
    return client.post(f"{BASE}/me/{name}", data=hidden | form)


def secret_of(page: str) -> str:
    """Return the secret that the enrolment page shows as text."""
    found = re.search(r'class="secret"[^>]*>([A-Z2-7 ]+)<', page)
    assert found
    return found.group(1).replace(" ", "")


def codes_of(page: str) -> list[str]:
    return re.findall(r"<li>([2-9A-Z]{4}(?: [2-9A-Z]{4}){3})</li>", page)


def enrol(client: httpx.Client, **form: str) -> tuple[str, list[str]]:
    """Bind a new app as its owner does; return its secret and the recovery codes."""
    page = client.get(f"{BASE}/me/second-factor").text
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
    secret = secret_of(page)
    done = client.post(f"{BASE}/me/second-factor", data=hidden | {"code": pyotp.TOTP(secret).now()} | form)
    assert done.status_code == 200, done.text
    return secret, codes_of(done.text)


class TestFirstLogin:
    def test_password_then_second_factor_then_in_and_nothing_before(self, console, county, owner):
        name = fresh(owner, county.township.clerk)
        with console.client() as client:
            assert log_in(client, name).status_code == 303
            for path in ("/", "/roster/list", "/me", "/me/second-factor", "/own", "/member/export.xlsx"):
                answer = client.get(BASE + path)
                assert (answer.status_code, answer.headers["location"]) == (303, f"{BASE}/me/password"), path
            first = client.cookies["yikatong_session"]
            done = step(client, "password", current=PASSWORD, chosen=CHOSEN, again=CHOSEN)
            assert (done.status_code, done.headers["location"]) == (303, f"{BASE}/")
            assert client.cookies["yikatong_session"] != first
            assert client.get(f"{BASE}/").headers["location"] == f"{BASE}/me/second-factor"
            second = client.cookies["yikatong_session"]
            _, codes = enrol(client)
            assert len(set(codes)) == 10 and client.cookies["yikatong_session"] != second
            inbox = client.get(f"{BASE}/")
            assert inbox.status_code == 200 and county.township.clerk.name in inbox.text

    def test_before_the_last_step_no_verb_and_no_row_is_in_reach(self, console, county, owner):
        name = fresh(owner, county.township.clerk)
        with console.client() as client:
            log_in(client, name)
            page = client.get(f"{BASE}/me/password").text
            assert "主菜单" not in page and "待办" not in page
            answer = client.post(f"{BASE}/clock", data={"csrf_token": token_of(page)})
            assert (answer.status_code, answer.headers["location"]) == (303, f"{BASE}/me/password")
            assert client.post(f"{BASE}/me/password", data={"csrf_token": "x"}).status_code == 403
            assert client.post(f"{BASE}/logout", data={"csrf_token": token_of(page)}).status_code == 303

    def test_a_bad_new_password_is_refused_in_words(self, console, county, owner):
        name = fresh(owner, county.township.clerk)
        with console.client() as client:
            log_in(client, name)
            for current, chosen, again, words in (
                ("wrong", CHOSEN, CHOSEN, "口令或动态口令不正确"),
                (PASSWORD, CHOSEN, "kanal", "不一致"),
                (PASSWORD, "kurz", "kurz", "至少 12 个字符"),
                (PASSWORD, PASSWORD, PASSWORD, "不能与现用或最近用过的口令相同"),
                (PASSWORD, "passwordpassword", "passwordpassword", "常见口令"),
            ):
                refused = step(client, "password", current=current, chosen=chosen, again=again)
                assert refused.status_code in (400, 403) and words in unescape(refused.text), words
                assert chosen not in refused.text

    def test_a_wrong_code_binds_nothing_and_keeps_the_same_secret_on_the_page(self, console, county, owner):
        name = fresh(owner, county.township.clerk, must_change=False)
        with console.client() as client:
            log_in(client, name)
            page = client.get(f"{BASE}/me/second-factor").text
            assert "data:image/png;base64," in page
            hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
            again = client.post(f"{BASE}/me/second-factor", data=hidden | {"code": "000000"})
            assert again.status_code == 400 and secret_of(again.text) == secret_of(page)
        with owner() as session:
            assert session.get_one(OfficerSecret, county.township.clerk.officer_id).totp_secret is None

    def test_an_enrolment_page_of_another_session_binds_nothing(self, county, owner, as_):
        envelope = second_factor.sealed_for(second_factor.new_secret(), 7)
        for forged in ("", "zz", "00", envelope[:-2], "é"):
            with pytest.raises(second_factor.EnrolmentStale):
                second_factor.unsealed(forged, 7)
        with pytest.raises(second_factor.EnrolmentStale):
            second_factor.unsealed(envelope, 8)


class TestWhoNeedsIt:
    def stage(self, as_, officer: ActingOfficer) -> sessions.Stage:
        token = open_session(officer)
        with as_(None) as session:
            found = sessions.find(session, token)
            assert found is not None
            return found.stage

    def test_everyone_who_can_change_data_and_readers_by_setting(self, county, owner, as_, monkeypatch):
        writers = (county.township.clerk, county.finance.reviewer, county.security_admin, county.system_admin)
        reader = county.finance.auditor
        with owner() as session:
            session.execute(sa.text("update officer_secrets set totp_secret = null"))
            session.execute(
                sa.text("delete from policy_rules where role = 'auditor' and action <> 'view' and effect = 'allow'")
            )
        assert {self.stage(as_, one) for one in writers} == {sessions.Stage.ENROL}
        assert self.stage(as_, reader) == sessions.Stage.IN
        monkeypatch.setenv("YIKATONG_SECOND_FACTOR", "everyone")
        settings.cache_clear()
        assert self.stage(as_, reader) == sessions.Stage.ENROL

    def test_a_password_past_its_days_must_change_where_rotation_is_set(self, county, owner, as_, monkeypatch):
        with owner() as session:
            session.execute(sa.text("update officer_secrets set password_changed_at = now() - interval '91 days'"))
        assert self.stage(as_, county.township.clerk) == sessions.Stage.IN
        monkeypatch.setenv("YIKATONG_PASSWORD_RULE", "composition")
        settings.cache_clear()
        assert self.stage(as_, county.township.clerk) == sessions.Stage.PASSWORD


class TestChange:
    def test_a_new_password_ends_the_other_sessions_and_history_keeps_it_from_returning(
        self, console, county, owner, monkeypatch, as_
    ):
        monkeypatch.setenv("YIKATONG_PASSWORD_HISTORY", "3")
        settings.cache_clear()
        other = open_session(county.township.clerk)
        with console.client(county.township.clerk) as client:
            assert step(client, "password", current=PASSWORD, chosen=CHOSEN, again=CHOSEN).status_code == 303
            with as_(None) as session:
                assert sessions.find(session, other) is None
            page = client.get(f"{BASE}/me?done=password").text
            assert "口令已更换" in page
            back = step(client, "password", current=CHOSEN, chosen=PASSWORD, again=PASSWORD)
            assert back.status_code == 400 and "最近用过" in back.text
        with owner() as session:
            told = session.execute(sa.text("select verb, noun from events")).all()
            stored = session.execute(sa.text("select count(*) from former_passwords")).scalar_one()
        assert [tuple(one) for one in told] == [("change_password", "officer")] and stored == 1

    def test_another_app_is_bound_only_with_password_and_old_codes_die(self, console, county, owner):
        with console.client(county.township.clerk) as client:
            page = client.get(f"{BASE}/me/second-factor").text
            hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
            code = pyotp.TOTP(secret_of(page)).now()
            for password in ("", "wrong"):
                form = hidden | {"code": code, "password": password}
                assert client.post(f"{BASE}/me/second-factor", data=form).status_code == 403
            secret, _ = enrol(client, password=PASSWORD)
        with owner() as session:
            stored = session.get_one(OfficerSecret, county.township.clerk.officer_id)
            assert stored.totp_secret == secret != TOTP_SECRET


class TestRecoveryCodes:
    def test_one_code_lets_in_once_however_it_is_typed(self, console, county, owner):
        name = fresh(owner, county.township.clerk, must_change=False)
        with console.client() as client:
            log_in(client, name)
            _, codes = enrol(client)
        for typed, status in (
            (codes[0].lower(), 303),
            (codes[0], 401),
            (codes[1].replace(" ", "-"), 303),
            ("2222 2222 2222 2222", 401),
        ):
            with console.client() as client:
                assert log_in(client, name, code=typed).status_code == status, typed
        with owner() as session:
            used = session.execute(sa.text("select count(*) from recovery_codes where used_at is not null"))
            assert used.scalar_one() == 2
            stored = str(session.execute(sa.text("select code_hash from recovery_codes")).all())
            assert not any(code.replace(" ", "") in stored for code in codes)
            factors = session.execute(sa.text("select factor from login_sessions order by id")).scalars().all()
        assert factors == ["code", "recovery", "recovery"]

    def test_new_codes_void_the_former_ones(self, console, county, owner):
        name = fresh(owner, county.township.clerk, must_change=False)
        with console.client() as client:
            log_in(client, name)
            _, former = enrol(client)
            assert step(client, "recovery-codes", password="wrong").status_code == 403
            codes = codes_of(step(client, "recovery-codes", password=PASSWORD).text)
            assert len(set(codes) | set(former)) == 20
            assert "剩余恢复码 10 个" in client.get(f"{BASE}/me").text
        with console.client() as client:
            assert log_in(client, name, code=former[0]).status_code == 401
            assert log_in(client, name, code=codes[0]).status_code == 303

    def test_a_factor_that_is_forgotten_takes_its_codes_along(self, console, county, owner, as_):
        name = fresh(owner, county.township.clerk, must_change=False)
        with console.client() as client:
            log_in(client, name)
            enrol(client)
        with as_(county.security_admin) as session:
            session.execute(sa.text("select second_factor_forget(:id)"), {"id": county.township.clerk.officer_id})
        with owner() as session:
            assert session.execute(sa.text("select count(*) from recovery_codes")).scalar_one() == 0


class TestCode:
    def test_half_a_minute_of_drift_is_forgiven_and_no_more(self, owner, database):
        with owner() as session:
            at = session.execute(sa.text("select clock_timestamp()")).scalar_one()
        totp = pyotp.TOTP(TOTP_SECRET)
        now = totp.timecode(at)
        steps = [second_factor.step_of(TOTP_SECRET, totp.generate_otp(now + drift), at) for drift in range(-3, 4)]
        assert steps == [None, None, now - 1, now, now + 1, None, None]
        assert second_factor.step_of(TOTP_SECRET, "", at) is None
        assert second_factor.step_of(TOTP_SECRET, "口令口令口令", at) is None

    def test_one_code_opens_one_session_even_when_two_are_faster(self, county, owner, as_):
        from workflows import logins

        with owner() as session:
            name = login_name(session, county.township.clerk)
        code = totp_code()
        with as_(None) as session:
            candidate, barred = logins.look_up(session, name, sessions.Origin())
        proof = logins.check(candidate, barred, PASSWORD, code, sessions.Origin())
        with as_(None) as session:
            assert logins.enter(session, candidate, proof, sessions.Origin())
        with pytest.raises(Refused), as_(None) as session:
            logins.enter(session, candidate, proof, sessions.Origin())

    def test_the_code_is_drawn_here_and_names_system_and_login(self):
        address = second_factor.address_of(TOTP_SECRET, "aohan.caizheng.clerk")
        assert address.startswith("otpauth://totp/") and f"secret={TOTP_SECRET}" in address
        assert "aohan.caizheng.clerk" in address
        assert second_factor.drawn(address).startswith("data:image/png;base64,")
