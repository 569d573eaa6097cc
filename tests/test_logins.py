"""The door answers everybody alike; failures lock; who sits at the screen is asked again. （第二十、二十三、三十条）"""

import time
from statistics import median

import argon2
import httpx
import pytest
import sqlalchemy as sa

from admin.exports import PLAIN_ASKS
from models.officers import ActingOfficer, OfficerSecret
from policies.lifecycles import LIFECYCLES
from policies.permissions import Permission as P
from tests.console import open_session, token_of
from tests.factories import PASSWORD, TOTP_SECRET, login_name, totp_code
from workflows import logins, second_factor, sessions
from workflows.sessions import Origin

BASE = "/console"
LOGIN = f"{BASE}/login"
HERE = Origin("10.9.8.7", "Mozilla/5.0 (Windows NT 10.0) Chrome/140")


def send(client: httpx.Client, name: str, password: str, code: str) -> httpx.Response:
    page = client.get(LOGIN)
    form = {"csrf_token": token_of(page.text), "login": name, "password": password, "code": code}
    return client.post(LOGIN, data=form)


def lives(as_, token: str) -> bool:
    with as_(None) as session:
        return sessions.find(session, token) is not None


class TestDoor:
    """Unknown account, wrong password, wrong code, locked, suspended: one message, one status, one price."""

    @pytest.fixture
    def cases(self, console, county, owner) -> dict[str, tuple[str, str, str]]:
        with owner() as session:
            known, locked, gone = (
                login_name(session, by)
                for by in (county.township.clerk, county.township.head, county.township.reviewer)
            )
            session.execute(
                sa.text("update officer_secrets set locked_until = now() + interval '1 h' where officer_id = :id"),
                {"id": county.township.head.officer_id},
            )
            session.execute(
                sa.text("update officers set active = false where id = :id"),
                {"id": county.township.reviewer.officer_id},
            )
        return {
            "unknown account": ("nobody.at.all", PASSWORD, "000000"),
            "wrong password": (known, "kanal-7-trommel", totp_code()),
            "wrong code": (known, PASSWORD, "000000"),
            "no code": (known, PASSWORD, ""),
            "a recovery code that is none": (known, PASSWORD, "ABCD EFGH JKLM NPQR"),
            "locked account": (locked, PASSWORD, totp_code()),
            "suspended account": (gone, PASSWORD, totp_code()),
        }

    def test_the_bytes_are_the_same_and_argon2_runs_once_each_time(self, console, cases, monkeypatch):
        runs: list[str] = []
        genuine = argon2.PasswordHasher.verify

        def counted(self, stored, password):
            runs.append(stored)
            return genuine(self, stored, password)

        monkeypatch.setattr(argon2.PasswordHasher, "verify", counted)
        answers = {}
        with console.client() as client:
            for case, (name, password, code) in cases.items():
                token = token_of(client.get(LOGIN).text)
                before = len(runs)
                form = {"csrf_token": token, "login": name, "password": password, "code": code}
                answer = client.post(LOGIN, data=form)
                assert len(runs) == before + 1, case
                kept = sorted((key, value) for key, value in answer.headers.items() if key not in ("date",))
                text = answer.text.replace(f'value="{name}"', 'value=""')
                length = str(len(answer.content) - len(name.encode()))
                answers[case] = (
                    answer.status_code,
                    text,
                    [(k, length if k == "content-length" else v) for k, v in kept],
                )
        first = answers["unknown account"]
        assert first[0] == 401
        assert {case for case, told in answers.items() if told != first} == set()

    def test_they_take_the_same_class_of_time(self, console, cases):
        took: dict[str, list[float]] = {case: [] for case in cases}
        with console.client() as client:
            token = token_of(client.get(LOGIN).text)
            for _ in range(6):
                for case, (name, password, code) in cases.items():
                    form = {"csrf_token": token, "login": name, "password": password, "code": code}
                    began = time.perf_counter()
                    client.post(LOGIN, data=form)
                    took[case].append(time.perf_counter() - began)
        medians = [median(times) for times in took.values()]
        assert max(medians) < 2.5 * min(medians)

    def test_the_failure_is_told_to_the_audit_without_what_was_typed(self, console, owner):
        with console.client() as client:
            send(client, "my-password-typed-as-login", "s3cret-s3cret", "000000")
        with owner() as session:
            row = session.execute(sa.text("select * from refusals")).one()
        assert (row.verb, row.officer_id, row.record) == ("login", 0, "127.0.0.1")
        assert not any("typed" in str(value) or "s3cret" in str(value) for value in row)


class TestLocks:
    @staticmethod
    def fail(as_, times: int, officer_id: int | None, origin: Origin) -> None:
        for _ in range(times):
            with as_(None) as session:
                logins.count_failure(session, officer_id, origin)

    @staticmethod
    def locked_minutes(owner, officer_id: int) -> int:
        with owner() as session:
            left = session.execute(
                sa.text(
                    "select extract(epoch from locked_until - clock_timestamp()) / 60 from officer_secrets"
                    " where officer_id = :id"
                ),
                {"id": officer_id},
            ).scalar_one()
        return round(left or 0)

    def test_each_lock_of_an_account_is_longer_up_to_a_limit(self, county, as_, owner):
        officer = county.township.clerk.officer_id
        locks = []
        for _ in range(6):
            self.fail(as_, 5, officer, Origin())
            locks.append(self.locked_minutes(owner, officer))
            with owner() as session:  # time passes
                session.execute(sa.text("update officer_secrets set locked_until = now() - interval '1 s'"))
        assert locks == [15, 30, 60, 120, 240, 240]

    def test_tries_during_the_lock_do_not_lengthen_it(self, county, as_, owner):
        officer = county.township.clerk.officer_id
        self.fail(as_, 12, officer, Origin())
        assert self.locked_minutes(owner, officer) == 15

    def test_an_address_is_barred_after_many_failures_and_locks_no_further_accounts(self, county, as_, owner):
        with owner() as session:
            names = [login_name(session, by) for by in (county.township.clerk, county.finance.clerk)]
        self.fail(as_, 20, None, HERE)
        with as_(None) as session:
            for name in names:
                candidate, barred = logins.look_up(session, name, HERE)
                assert barred and candidate is not None
                with pytest.raises(logins.LoginWrong):
                    logins.check(candidate, barred, PASSWORD, totp_code(), HERE)
            assert not logins.look_up(session, names[0], Origin("10.9.8.6"))[1]
        self.fail(as_, 10, county.township.clerk.officer_id, HERE)
        assert self.locked_minutes(owner, county.township.clerk.officer_id) == 0
        with owner() as session:
            assert "10.9.8.7" not in str(session.execute(sa.text("select * from address_failures")).all())
        with as_(county.security_admin) as session:
            logins.unlock_address(session, by=county.security_admin, address="10.9.8.7")
        with as_(None) as session:
            assert not logins.look_up(session, names[0], HERE)[1]

    def test_a_login_clears_the_accounts_failures(self, county, as_, owner):
        clerk = county.township.clerk
        self.fail(as_, 3, clerk.officer_id, HERE)
        enter(as_, owner, clerk)
        with owner() as session:
            secret = session.get_one(OfficerSecret, clerk.officer_id)
            assert (secret.failed_logins, secret.locked_until) == (0, None)


def enter(as_, owner, officer: ActingOfficer, password: str = PASSWORD, code: str = "") -> str:
    """Log in as the form does and return the token."""
    with owner() as session:
        name = login_name(session, officer)
    with as_(None) as session:
        candidate, barred = logins.look_up(session, name, HERE)
    proof = logins.check(candidate, barred, password, code or totp_code(), HERE)
    with as_(None) as session:
        return logins.enter(session, candidate, proof, HERE)


class TestStoredPassword:
    def test_a_weaker_hash_is_replaced_at_login_and_no_session_ends_by_it(self, county, as_, owner):
        clerk = county.township.clerk
        kept = open_session(clerk)
        weak = argon2.PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
        with owner() as session:
            session.execute(
                sa.text("update officer_secrets set password_hash = :weak where officer_id = :id"),
                {"weak": weak, "id": clerk.officer_id},
            )
        token = enter(as_, owner, clerk)
        with owner() as session:
            assert "m=8192" in session.get_one(OfficerSecret, clerk.officer_id).password_hash
        assert lives(as_, token) and lives(as_, kept)


class TestReauthentication:
    def test_money_policies_and_exports_ask_for_it_wherever_they_are_offered(self):
        wanted = {P.ORDER_RELEASE, P.BATCH_RELEASE, P.REFUND_RELEASE, P.POLICY_ENABLE}
        steps = [
            (lifecycle.noun, step)
            for lifecycle in LIFECYCLES.values()
            for step in lifecycle.steps
            if step.permission in wanted and step.desk and step.forward
        ]
        assert len(steps) > 3
        bare = [(noun, step.verb) for noun, step in steps if not any(ask.kind == "password" for ask in step.asks)]
        assert bare == []
        assert any(ask.kind == "password" for ask in PLAIN_ASKS)

    def confirmed(self, owner, column: str, ago: str | None) -> None:
        value = f"now() - interval '{ago}'" if ago else "null"
        with owner() as session:
            session.execute(sa.text(f"update login_sessions set {column} = {value}"))

    def test_a_code_is_due_when_the_last_proof_is_older_than_the_setting(self, county, as_, owner):
        token = open_session(county.finance.reviewer)
        due = []
        for ago in ("29 minutes", "31 minutes", None):
            self.confirmed(owner, "code_at", ago)
            with as_(None) as session:
                due.append(sessions.find(session, token).code_due)
        assert due == [False, True, True]

    def test_password_and_due_code_are_both_needed_and_the_code_is_used_up(self, county, as_, owner):
        token = open_session(county.finance.reviewer)
        with as_(None) as session:
            candidate = logins.look_up_session(session, token)
        for password, code in ((PASSWORD, "000000"), (PASSWORD, ""), ("wrong", totp_code())):
            with pytest.raises(logins.PasswordWrong) as told:
                logins.recheck(candidate, password, code)
            assert told.value.keep is not None
        step = logins.recheck(candidate, PASSWORD, second_factor.pyotp.TOTP(TOTP_SECRET).at(candidate.at))
        assert step is not None
        with as_(None) as session:
            logins.confirm(session, token, candidate.officer_id, step)
        with pytest.raises(logins.PasswordWrong), as_(None) as session:
            logins.confirm(session, token, candidate.officer_id, step)
        with owner() as session:
            moments = session.execute(sa.text("select confirmed_at, code_at from login_sessions")).one()
        assert all(moment is not None for moment in moments)


class TestNoPost:
    def test_an_officer_without_a_post_is_told_so_once_proven(self, county, as_, owner):
        with owner() as session:
            session.execute(
                sa.text("update posts set status = 'ended' where officer_id = :id"),
                {"id": county.township.clerk.officer_id},
            )
        with pytest.raises(sessions.NoPost):
            enter(as_, owner, county.township.clerk)
