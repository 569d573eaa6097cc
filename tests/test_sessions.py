"""Sessions end with what they were opened on; the door answers everybody alike. （第二十三、三十条）"""

import time
from collections.abc import Iterator
from datetime import date, timedelta
from statistics import median

import argon2
import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import ProgrammingError

from models.delegations import Delegation
from models.officers import ActingOfficer, OfficerSecret, Post, Role
from models.sessions import Factor, LoginWay
from policies.clock import today
from policies.refusals import NotAllowed, NotFound
from tests.console import ConsoleServer, open_session, running, token_of
from tests.factories import PASSWORD, TOTP_SECRET, World, login_name, totp_code
from workflows import logins, my_account, second_factor, sessions
from workflows.sessions import Origin

BASE = "/console"
LOGIN = f"{BASE}/login"
HERE = Origin("10.9.8.7", "Mozilla/5.0 (Windows NT 10.0) Chrome/140")


@pytest.fixture
def console(county: World, database: str) -> Iterator[ConsoleServer]:
    with running() as server:
        yield server


def send(client: httpx.Client, name: str, password: str, code: str) -> httpx.Response:
    page = client.get(LOGIN)
    form = {"csrf_token": token_of(page.text), "login": name, "password": password, "code": code}
    return client.post(LOGIN, data=form)


def lives(as_, token: str) -> bool:
    with as_(None) as session:
        return sessions.find(session, token) is not None


def statuses(owner) -> list[str]:
    with owner() as session:
        return list(session.execute(sa.text("select status from login_sessions order by id")).scalars())


class TestToken:
    def test_the_database_holds_no_token_and_the_application_no_secret(self, county, as_, owner):
        token = open_session(county.township.clerk)
        with owner() as session:
            stored = session.execute(sa.text("select token_hash from session_secrets")).scalar_one()
        assert bytes(stored) == sessions.token_hash(token) and token.encode() not in bytes(stored)
        for table in ("session_secrets", "officer_secrets", "recovery_codes", "former_passwords", "address_failures"):
            with pytest.raises(ProgrammingError, match="permission denied"), as_(county.township.clerk) as session:
                session.execute(sa.text(f"select * from {table}"))

    def test_each_login_has_a_new_token_and_new_form_token(self, county, as_):
        tokens = [open_session(county.township.clerk) for _ in range(3)]
        with as_(None) as session:
            forms = {sessions.find(session, token).csrf_token for token in tokens}
        assert len(set(tokens)) == 3 and len(forms) == 3

    def test_a_switch_of_post_gives_a_new_token_and_voids_the_old_one(self, county, as_, owner):
        clerk = county.township.clerk
        with owner() as session:
            session.add(a_post(county.second_township, clerk))
        token = open_session(clerk)
        with as_(None) as session:
            found = sessions.find(session, token)
            other = next(post for post in found.posts if post.post_id != clerk.post_id)
            fresh = sessions.switch_post(session, token, clerk.officer_id, other.key)
        assert not lives(as_, token)
        with as_(None) as session:
            now = sessions.find(session, fresh)
            assert (now.session_id, now.officer.post_id) == (found.session_id, other.post_id)
            assert now.csrf_token != found.csrf_token

    def test_nobody_acts_in_a_post_that_has_ended_or_is_anothers(self, county, as_):
        clerk = county.township.clerk
        token = open_session(clerk)
        for key in (f"{county.finance.reviewer.post_id}.0", "0.0", "x", "", f"{clerk.post_id}.7"):
            with pytest.raises(sessions.PostNotHeld), as_(None) as session:
                sessions.switch_post(session, token, clerk.officer_id, key)


def a_post(office, officer: ActingOfficer) -> Post:
    return Post(
        division_code=office.division_code, officer_id=officer.officer_id, organisation_id=office.organisation_id,
        role=Role.CLERK, valid_from=date(2024, 1, 1),
    )  # fmt: skip


class TestLimits:
    @pytest.mark.parametrize(
        ("column", "age", "alive"),
        [("seen_at", "29 minutes", True), ("seen_at", "31 minutes", False), ("started_at", "13 hours", False)],
    )
    def test_a_session_ends_when_idle_and_at_its_absolute_limit(self, county, as_, owner, column, age, alive):
        token = open_session(county.township.clerk)
        with owner() as session:
            session.execute(sa.text(f"update login_sessions set {column} = {column} - interval '{age}'"))
        assert lives(as_, token) is alive

    def test_what_is_over_is_marked_so_at_the_next_login(self, county, as_, owner):
        open_session(county.township.clerk)
        with owner() as session:
            session.execute(sa.text("update login_sessions set seen_at = seen_at - interval '2 hours'"))
        open_session(county.township.head)
        assert statuses(owner) == ["expired", "live"]

    def test_activity_is_remembered_without_a_write_for_every_page(self, county, as_, owner):
        token = open_session(county.township.clerk)
        seen = sa.text("select seen_at, xmin::text from login_sessions")
        with owner() as session:
            before = session.execute(seen).one()
        assert lives(as_, token)
        with owner() as session:
            assert session.execute(seen).one() == before
            session.execute(sa.text("update login_sessions set seen_at = seen_at - interval '1 minute'"))
        assert lives(as_, token)
        with owner() as session:
            assert session.execute(seen).one().seen_at >= before.seen_at


ENDINGS = {
    "post ends": "update posts set valid_to = :day, status = 'ended' where officer_id = :officer",
    "post moves": "update posts set role = 'head' where officer_id = :officer",
    "officer suspended": "update officers set active = false where id = :officer",
    "password reset": "update officer_secrets set password_hash = 'x', password_changed_at = now() "
    "where officer_id = :officer",
    "must change": "update officer_secrets set must_change = true where officer_id = :officer",
    "factor forgotten": "update officer_secrets set totp_secret = null where officer_id = :officer",
}


class TestEndings:
    @pytest.mark.parametrize("change", ENDINGS)
    def test_password_post_and_status_end_every_session_at_once(self, county, as_, owner, change):
        clerk, head = county.township.clerk, county.township.head
        tokens, other = [open_session(clerk), open_session(clerk)], open_session(head)
        with owner() as session:
            day = today(session) - timedelta(days=1)
            session.execute(sa.text(ENDINGS[change]), {"officer": clerk.officer_id, "day": day})
        assert [lives(as_, token) for token in (*tokens, other)] == [False, False, True]
        assert statuses(owner)[0] in ("post_changed", "officer_changed", "credentials") and statuses(owner)[2] == "live"

    def test_a_new_post_ends_them_too(self, county, as_, owner):
        token = open_session(county.township.clerk)
        with owner() as session:
            session.add(a_post(county.second_township, county.township.clerk))
        assert not lives(as_, token)

    def test_what_changes_no_right_ends_nothing(self, county, as_, owner):
        token, officer = open_session(county.township.clerk), {"officer": county.township.clerk.officer_id}
        with owner() as session:
            session.execute(sa.text("update officers set name = '包改名' where id = :officer"), officer)
            session.execute(
                sa.text("update officer_secrets set failed_logins = 2 where officer_id = :officer"), officer
            )
            session.execute(sa.text("update posts set version = version + 1 where officer_id = :officer"), officer)
        assert lives(as_, token)

    def test_a_delegated_post_is_lost_with_its_delegation(self, county, as_, owner):
        absent, stand_in = county.township.clerk, county.township.second_clerk
        with owner() as session:
            day = today(session)
            lent = Delegation(
                division_code=absent.division_code, post_id=absent.post_id, holder_id=absent.officer_id,
                officer_id=stand_in.officer_id, title=absent.post, holder=absent.name, delegate=stand_in.name,
                valid_from=day, valid_to=day, reason="出差",
            )  # fmt: skip
            session.add(lent)
            session.flush()
            number = lent.id
        token = open_session(stand_in)
        with as_(None) as session:
            fresh = sessions.switch_post(session, token, stand_in.officer_id, f"{absent.post_id}.{number}")
            found = sessions.find(session, fresh)
        assert found.officer.delegation_id == number and "代" in found.officer.post
        with owner() as session:
            session.execute(sa.text("update delegations set status = 'revoked'"))
        assert not lives(as_, fresh)


class TestMySessions:
    def test_i_see_where_i_am_logged_in_and_end_the_others(self, county, as_):
        clerk = county.township.clerk
        with as_(None) as session:
            tokens = [
                sessions.open_session(session, clerk.officer_id, LoginWay.PASSWORD, Factor.CODE, HERE) for _ in range(3)
            ]
        foreign = open_session(county.township.head)
        with as_(None) as session:
            mine = my_account.sessions(session, tokens[0])
            assert [one.this for one in mine] == [True, False, False]
            assert {(one.address, one.agent, one.post) for one in mine} == {
                ("10.9.8.7", "Chrome（Windows）", clerk.post)
            }
            assert my_account.end_one(session, tokens[0], mine[1].id) == 1
            assert my_account.end_others(session, tokens[0]) == 1
        assert [lives(as_, token) for token in (*tokens, foreign)] == [True, False, False, True]

    def test_nobody_ends_anothers_session_by_its_number(self, county, as_, owner):
        mine, theirs = open_session(county.township.clerk), open_session(county.finance.clerk)
        with owner() as session:
            number = session.execute(sa.text("select max(id) from login_sessions")).scalar_one()
        with as_(None) as session:
            assert my_account.end_one(session, mine, number) == 0
        assert lives(as_, theirs)

    def test_on_the_page_all_others_end_by_one_button_and_everything_by_the_other(self, console, county, as_):
        kept = open_session(county.township.clerk)
        with console.client(county.township.clerk) as client:
            page = client.get(f"{BASE}/me").text
            assert "本次登录" in page and "退出其他会话" in page and page.count("退出此会话") == 2
            form = {"csrf_token": token_of(page)}
            assert client.post(f"{BASE}/me/sessions", data=form | {"session": "others"}).status_code == 303
            assert not lives(as_, kept)
            assert client.post(f"{BASE}/me/sessions", data=form | {"session": "9x"}).status_code == 400
            answer = client.post(f"{BASE}/me/sessions", data=form | {"session": "all"})
            assert answer.headers["location"].startswith(LOGIN)
            assert client.get(f"{BASE}/me").status_code == 303


class TestAdministrators:
    def test_security_administrators_end_sessions_in_their_range_with_a_reason(self, console, county, as_, owner):
        token = open_session(county.township.clerk)
        with console.client(county.security_admin) as client:
            listed = client.get(f"{BASE}/login-session/list?tab=all").text
            assert county.township.clerk.name in listed and "在线" in listed
            with owner() as session:
                number = session.execute(sa.text("select min(id) from login_sessions")).scalar_one()
            form = {"csrf_token": token_of(listed), "pks": str(number), "reason": "设备遗失"}
            assert client.post(f"{BASE}/login-session/form/end", data=form).status_code == 303
        assert not lives(as_, token)
        with owner() as session:
            told = session.execute(sa.text("select opinion from events where verb = 'end_session'")).scalar_one()
        assert told == "设备遗失"

    def test_nobody_else_sees_or_ends_them(self, console, county, as_, owner):
        token = open_session(county.finance.clerk)
        with owner() as session:
            number = session.execute(sa.text("select min(id) from login_sessions")).scalar_one()
        for by in (county.finance.head, county.system_admin, county.audit_admin):
            with as_(by) as session:
                ended = session.execute(sa.text("select session_end_in_scope(:id)"), {"id": number}).scalar()
                assert not ended
        with console.client(county.finance.head) as client:
            assert client.get(f"{BASE}/login-session/list").status_code == 403
        assert lives(as_, token)

    def test_a_lock_is_lifted_for_others_only(self, county, as_, owner):
        clerk, admin = county.township.clerk, county.security_admin
        with owner() as session:
            names = {by.officer_id: login_name(session, by) for by in (clerk, admin)}
            session.execute(sa.text("update officer_secrets set failed_logins = 5, locked_until = now() + '1 h'"))
        with as_(admin) as session:
            logins.unlock_account(session, by=admin, login=names[clerk.officer_id])
        with pytest.raises(NotFound), as_(admin) as session:
            logins.unlock_account(session, by=admin, login=names[admin.officer_id])
        with pytest.raises(NotAllowed), as_(clerk) as session:
            logins.unlock_account(session, by=clerk, login=names[admin.officer_id])
        with owner() as session:
            left = session.execute(sa.text("select count(*) from officer_secrets where locked_until is null"))
            assert left.scalar_one() == 1


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
