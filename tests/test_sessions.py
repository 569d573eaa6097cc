"""Sessions end with what they were opened on, and with whoever ends them. （第二十三、三十条）"""

from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import ProgrammingError

from models.delegations import Delegation
from models.officers import ActingOfficer, Post, Role
from models.sessions import Factor, LoginWay
from policies.clock import today
from policies.refusals import NotAllowed, NotFound
from tests.console import open_session, token_of
from tests.factories import PASSWORD, login_name, totp_code
from workflows import logins, my_account, sessions
from workflows.sessions import Origin

BASE = "/console"
LOGIN = f"{BASE}/login"
HERE = Origin("10.9.8.7", "Mozilla/5.0 (Windows NT 10.0) Chrome/140")


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

    def test_a_login_at_the_same_browser_ends_the_session_before(self, console, county, as_, owner):
        with owner() as session:
            name = login_name(session, county.township.head)
        with console.client(county.township.clerk) as client:
            former = client.cookies["yikatong_session"]
            form = {"login": name, "password": PASSWORD, "code": totp_code()}
            token = token_of(client.get(LOGIN).text)
            assert client.post(LOGIN, data=form | {"csrf_token": token}).status_code == 303
            assert client.cookies["yikatong_session"] != former and not lives(as_, former)
            assert county.township.head.name in client.get(f"{BASE}/").text

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
    def test_a_session_ends_when_idle_and_at_its_absolute_limit(self, county, as_, owner):
        cases = (("seen_at", "29 minutes", True), ("seen_at", "31 minutes", False), ("started_at", "13 hours", False))
        for column, age, alive in cases:
            token = open_session(county.township.clerk)
            with owner() as session:
                session.execute(
                    sa.text(
                        f"update login_sessions set {column} = {column} - interval '{age}'"
                        " where id = (select max(id) from login_sessions)"
                    )
                )
            assert lives(as_, token) is alive, (column, age)

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
    def test_password_post_and_status_end_every_session_at_once(self, county, as_, owner):
        """Each change befalls an officer of its own; the last officer is left alone."""
        *concerned, spared = county.everyone[: len(ENDINGS) + 1]
        tokens = {by.officer_id: [open_session(by), open_session(by)] for by in (*concerned, spared)}
        for by, change in zip(concerned, ENDINGS, strict=True):
            with owner() as session:
                day = today(session) - timedelta(days=1)
                session.execute(sa.text(ENDINGS[change]), {"officer": by.officer_id, "day": day})
            assert [lives(as_, token) for token in tokens[by.officer_id]] == [False, False], change
            assert [lives(as_, token) for token in tokens[spared.officer_id]] == [True, True], change
        assert set(statuses(owner)) == {"post_changed", "officer_changed", "credentials", "live"}

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
            told = session.execute(sa.text("select opinion, address from events where verb = 'end_session'")).one()
        assert tuple(told) == ("设备遗失", "127.0.0.1"), "the ticket carries the administrator's address into the trail"

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
