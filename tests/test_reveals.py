"""Personal data in full: with a reason, counted, recorded before it is shown, listed for the auditor. （第三十条）"""

import pytest
import sqlalchemy as sa
from sqlmodel import select

from models.accounts import Account
from models.events import Event
from models.households import Member
from models.keys import Reveal
from models.officers import Role
from models.rosters import RosterLine
from models.settings import settings
from policies.enforcement import policy
from policies.permissions import Permission
from policies.refusals import NotAllowed, NotFound, ReasonMissing
from tests.conftest import As, Owner
from tests.console import running
from tests.factories import World, a_line, a_roster
from tests.world import second_account
from workflows.edges import edge
from workflows.reveals import ReasonPersonal, RevealsUsedUp, reveal_account, reveal_line, reveal_member

WHY = "核对来访群众身份"
MAY = Permission.MEMBER_REVEAL


@pytest.fixture
def line(county: World, owner: Owner) -> RosterLine:
    """A line of the township with its member and account."""
    with owner() as session:
        a_roster(session, county, lines=[a_line()])
        return session.exec(select(RosterLine)).one()


def limits(monkeypatch: pytest.MonkeyPatch, hour: int, day: int) -> None:
    monkeypatch.setenv("YIKATONG_REVEALS_PER_HOUR", str(hour))
    monkeypatch.setenv("YIKATONG_REVEALS_PER_DAY", str(day))
    settings.cache_clear()


class TestReveal:
    def test_member_account_and_line_are_shown_and_each_is_recorded_once(self, line, county: World, as_: As):
        by = county.township.clerk
        with as_(by) as session:
            member, account = session.get_one(Member, line.member_id), session.get_one(Account, line.account_id)
            shown = [
                reveal_member(session, member, by=by, reason=WHY),
                reveal_account(session, account, by=by, reason=WHY),
                reveal_line(session, session.exec(select(RosterLine)).one(), by=by, reason=f" {WHY} "),
            ]
        values = [dict(one.values) for one in shown]
        assert (values[0]["身份证号"], values[0]["手机号"]) == (member.id_number, member.phone)
        assert values[1]["账号"] == account.number
        assert (values[2]["身份证号"], values[2]["收款账号"]) == (member.id_number, account.number)
        with as_(by) as session:
            rows = session.exec(select(Reveal).order_by(Reveal.id)).all()
            events = session.exec(select(Event).where(Event.verb == "reveal").order_by(Event.id)).all()
        assert [(row.noun, row.record_id, row.reason, row.officer_id) for row in rows] == [
            ("member", member.id, WHY, by.officer_id), ("account", account.id, WHY, by.officer_id),
            ("roster_line", line.id, WHY, by.officer_id),
        ]  # fmt: skip
        assert [event.noun for event in events] == ["member", "account", "roster_line"]
        written = str([row.model_dump() for row in rows]) + str([event.model_dump() for event in events])
        assert not any(secret in written for secret in (member.id_number, account.number, member.phone, member.name))

    @pytest.mark.parametrize("reason", ["", "   ", "查看", "a b"])
    def test_a_missing_or_empty_reason_shows_and_records_nothing(self, line, county: World, as_: As, reason: str):
        by = county.township.clerk
        with pytest.raises(ReasonMissing), as_(by) as session:
            reveal_member(session, session.get_one(Member, line.member_id), by=by, reason=reason)
        with as_(by) as session:
            assert session.exec(select(Reveal)).all() == []

    def test_a_reason_that_quotes_a_number_is_refused(self, line, county: World, as_: As):
        by = county.township.clerk
        with pytest.raises(ReasonPersonal), as_(by) as session:
            member = session.get_one(Member, line.member_id)
            reveal_member(session, member, by=by, reason=f"核对 {member.id_number}")

    def test_a_refused_commit_shows_nothing_without_a_record(self, line, county: World, as_: As):
        by = county.township.clerk
        with pytest.raises(RuntimeError), as_(by) as session:
            reveal_member(session, session.get_one(Member, line.member_id), by=by, reason=WHY)
            raise RuntimeError
        with as_(by) as session:
            assert session.exec(select(Event).where(Event.verb == "reveal")).all() == []

    def test_nobody_without_the_permission_or_out_of_range_sees_anything(self, line, county: World, owner: Owner, as_):
        with owner() as session:
            held = policy(session).permissions
            allowed = {by.post_id for by in county.everyone if MAY in held(by.role, by.level, by.kind)}
            member = session.get_one(Member, line.member_id)
        for by in county.everyone:
            if by.post_id in allowed and by.scope.covers(member.division_code):
                continue
            with pytest.raises((NotAllowed, NotFound)), as_(by) as session:
                reveal_member(session, member, by=by, reason=WHY)

    def test_the_list_cannot_be_changed_by_the_application(self, line, county: World, as_: As):
        by = county.township.clerk
        with as_(by) as session:
            reveal_member(session, session.get_one(Member, line.member_id), by=by, reason=WHY)
        for verb in ("update reveals set reason = 'x'", "delete from reveals"):
            with pytest.raises(sa.exc.ProgrammingError), as_(by) as session:
                session.execute(sa.text(verb))


class TestLimits:
    @pytest.mark.parametrize(("hour", "day", "words"), [(2, 9, "1 小时"), (9, 2, "24 小时")])
    def test_more_than_the_setting_is_refused_and_recorded(
        self, line, county: World, as_: As, monkeypatch, hour: int, day: int, words: str
    ):
        limits(monkeypatch, hour, day)
        by = county.township.clerk
        for _ in range(2):
            with as_(by) as session:
                reveal_member(session, session.get_one(Member, line.member_id), by=by, reason=WHY)
        with pytest.raises(RevealsUsedUp, match=words), edge(by, "reveal") as session:
            reveal_member(session, session.get_one(Member, line.member_id), by=by, reason=WHY)
        with as_(by) as session:
            assert len(session.exec(select(Reveal)).all()) == 2
            assert session.scalar(sa.text("select refusal from refusals")) == "RevealsUsedUp"

    def test_it_counts_the_person_over_all_accounts_and_posts(self, line, county: World, owner, as_, monkeypatch):
        limits(monkeypatch, 2, 9)
        by = county.township.clerk
        with owner() as session:
            twin = second_account(session, by, county.township.organisation_id, Role.CLERK)
        for who in (by, twin):
            with as_(who) as session:
                reveal_member(session, session.get_one(Member, line.member_id), by=who, reason=WHY)
        with pytest.raises(RevealsUsedUp), as_(twin) as session:
            reveal_member(session, session.get_one(Member, line.member_id), by=twin, reason=WHY)

    def test_an_hour_later_it_is_allowed_again(self, line, county: World, owner: Owner, as_: As, monkeypatch):
        limits(monkeypatch, 1, 9)
        by = county.township.clerk
        with as_(by) as session:
            reveal_member(session, session.get_one(Member, line.member_id), by=by, reason=WHY)
        with owner() as session:
            session.execute(sa.text("set local session_replication_role = replica"))
            session.execute(sa.text("update reveals set revealed_at = revealed_at - interval '61 minutes'"))
        with as_(by) as session:
            reveal_member(session, session.get_one(Member, line.member_id), by=by, reason=WHY)

    def test_two_at_once_do_not_both_take_the_last_one(self, line, county: World, as_: As, monkeypatch):
        limits(monkeypatch, 1, 9)
        by = county.township.clerk
        with as_(by) as first:
            reveal_member(first, first.get_one(Member, line.member_id), by=by, reason=WHY)
            with pytest.raises(sa.exc.OperationalError, match="lock timeout"), as_(by) as second:
                second.execute(sa.text("set local lock_timeout = '100ms'"))
                reveal_member(second, second.get_one(Member, line.member_id), by=by, reason=WHY)
        with pytest.raises(RevealsUsedUp), as_(by) as second:
            reveal_member(second, second.get_one(Member, line.member_id), by=by, reason=WHY)


class TestAuditorsList:
    def test_auditor_and_audit_administrator_see_who_when_why_what_and_from_where(self, line, county: World, as_: As):
        by = county.township.clerk
        with as_(by) as session:
            member = session.get_one(Member, line.member_id)
            reveal_member(session, member, by=by, reason=WHY)
        with running() as console:
            for who in (county.finance.auditor, county.audit_admin):
                with console.client(who) as client:
                    page = client.get("/console/reveal/list")
                    assert page.status_code == 200
                    for words in (by.name, WHY, "完整身份信息", "页面查看"):
                        assert words in page.text, words
                    assert member.id_number not in page.text
                    assert "合计 1 条" in client.get("/console/reveal/list?f_kind=page").text
                    assert "合计 0 条" in client.get("/console/reveal/list?f_kind=export").text
            for who in (by, county.finance.clerk, county.system_admin):
                with console.client(who) as client:
                    assert client.get("/console/reveal/list").status_code == 403
