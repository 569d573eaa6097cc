"""Organisations and officers' accounts: kept by administrators, never by oneself. （第四条、第二十三条、第三十条）"""

import re
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, select

from models.events import Event
from models.officers import Officer, OfficerSecret, Post
from models.organisations import Organisation, OrganisationKind
from models.schema import owner_session
from models.tickets import ticket_of
from policies.refusals import NotAllowed, ReasonMissing
from tests import one_database
from tests.conftest import As
from tests.console import open_session
from tests.world import COUNTY, SECOND_TOWNSHIP, World, an_id_number, an_officer, key
from workflows import officers, organisations
from workflows.officers import AlreadySo, LoginTaken, OfficerInvalid, PeerFactor
from workflows.organisations import OrganisationExists, OrganisationInvalid, OrganisationStaffed
from workflows.posts import OrganisationClosed, OwnAccount
from workflows.reveals import Revealed
from workflows.sessions import hasher

county, session, shared = one_database.county, one_database.session, one_database.shared

FREE = "150430104000"
"""A township of the county where nothing stands yet."""


def established(session: Session, world: World, **changes: Any) -> Organisation:
    asked = {
        "division_code": FREE, "kind": "township", "name": "某镇人民政府", "telephone": "0476-4300099",
    } | changes  # fmt: skip
    return organisations.establish(session, by=world.system_admin, **asked)


def registered(session: Session, world: World, **changes: Any) -> Revealed:
    asked = {
        "login": "aq.new", "name": "新来的", "id_number": an_id_number(),
        "organisation_id": str(world.township.organisation_id),
    } | changes  # fmt: skip
    return officers.register(session, by=world.security_admin, **asked)


def fact(shown: Revealed, title: str) -> str:
    return next(value for name, value in shown.values if name.startswith(title))


def newest(session: Session) -> Officer:
    return session.exec(select(Officer).order_by(sa.desc("id")).limit(1)).one()


class TestOrganisations:
    @pytest.mark.parametrize(("code", "kind", "more"), [
        (FREE, "township", {}), (COUNTY, "department", {"sector": "林草"}), (COUNTY, "bank", {"bank_id": "2"}),
        ("150400000000", "department", {"sector": "民政"}), ("150000000000", "bank", {"bank_id": "1"}),
    ])  # fmt: skip
    def test_the_system_administrator_establishes_every_kind_at_its_levels(self, session, county, code, kind, more):
        made = established(session, county, division_code=code, kind=kind, **more)
        assert (made.kind, made.division_code, made.closed_on) == (OrganisationKind(kind), code, None)

    def test_nobody_else_does(self, session, county):
        for by in (county.security_admin, county.audit_admin, county.region, county.finance.head):
            with pytest.raises(NotAllowed):
                organisations.establish(
                    session, by=by, division_code=FREE, kind="township", name="某镇", telephone="0476-4300099"
                )

    @pytest.mark.parametrize("wrong", [
        {"kind": "department", "sector": "农牧"}, {"kind": "nonsense"}, {"division_code": "999999999999"},
        {"kind": "township", "division_code": COUNTY}, {"telephone": "电话"}, {"telephone": ""}, {"name": "某"},
        {"kind": "department", "division_code": COUNTY}, {"kind": "bank", "division_code": COUNTY},
        {"kind": "bank", "division_code": COUNTY, "bank_id": "99"},
    ], ids=str)  # fmt: skip
    def test_what_does_not_fit_is_named(self, session, county, wrong):
        with pytest.raises(OrganisationInvalid):
            established(session, county, **wrong)

    def test_a_division_has_one_of_each_kind_and_one_department_per_sector(self, session, county):
        for more in ({"kind": "finance"}, {"kind": "department", "sector": "农牧"}, {"kind": "bank", "bank_id": "1"}):
            with pytest.raises(OrganisationExists):
                established(session, county, division_code=COUNTY, **more)
        established(session, county)
        with pytest.raises(OrganisationExists):
            established(session, county)

    def test_a_changed_name_shows_in_its_posts(self, session, county):
        office = session.get_one(Organisation, county.finance.organisation_id)
        organisations.keep(session, office, by=county.system_admin, name="新财政局", telephone="0476-4300000")
        session.expire_all()
        assert session.get_one(Post, county.finance.clerk.post_id).organisation == "新财政局"
        event = session.exec(select(Event).where(Event.verb == "keep")).one()
        assert event.facts["former"]["name"] != "新财政局"

    def test_an_organisation_with_people_in_post_is_not_closed(self, session, county):
        office = session.get_one(Organisation, county.finance.organisation_id)
        with pytest.raises(OrganisationStaffed, match="5 个"):
            organisations.close(session, office, by=county.system_admin, reason="撤并")

    def test_a_closed_one_makes_room_for_another(self, session, county):
        made = established(session, county)
        organisations.close(session, made, by=county.system_admin, reason="撤并")
        assert made.closed_on is not None
        with pytest.raises(OrganisationClosed):
            registered(session, county, organisation_id=str(made.id))
        established(session, county)


class TestTownshipsWithoutRegistrar:
    def test_the_levels_above_see_theirs_until_somebody_is_in_force(self, county: World, as_: As, owner):
        asked = organisations.townships_without_registrar
        for by, count in ((county.finance.clerk, 2), (county.league, 2), (county.region, 4)):
            with as_(by) as session:
                assert len(asked(session)) == count == organisations.count_townships(session)
        with owner() as session:
            newcomer = an_officer(session, SECOND_TOWNSHIP)
            session.execute(
                sa.text(
                    "insert into posts (division_code, officer_id, organisation_id, role, sector, valid_from)"
                    " select division_code, :officer, id, 'registrar', '', date '2024-04-02' from organisations"
                    " where division_code = :code"
                ),
                {"officer": newcomer.id, "code": SECOND_TOWNSHIP},
            )
        with as_(county.finance.clerk) as session:
            found = asked(session)
            assert [(one.county, one.name, one.last_until) for one in found] == [("敖汉旗", "长胜镇人民政府", "")]
        with as_(county.other_county.finance.clerk) as session:
            assert len(asked(session)) == 2

    def test_a_suspended_or_ended_registrar_counts_for_nothing(self, county: World, as_: As, owner):
        with owner() as session:
            newcomer = an_officer(session, county.township.division_code)
            session.add(
                Post(
                    division_code=county.township.division_code,
                    officer_id=key(newcomer.id),
                    role="registrar",
                    organisation_id=county.township.organisation_id,
                    valid_from="2024-04-02",
                )  # fmt: skip
            )
            number = newcomer.id
        for change in (
            "update officers set active = false where id = :id",
            "update officers set active = true where id = :id",
            "update posts set valid_to = date '2024-04-03' where officer_id = :id",
        ):
            with owner() as session:
                session.execute(sa.text(change), {"id": number})
            with as_(county.finance.clerk) as session:
                missing = {one.name for one in organisations.townships_without_registrar(session)}
            assert ("长胜镇人民政府" in missing) is ("true" not in change)


class TestRegister:
    def test_the_first_password_is_shown_once_and_must_be_changed(self, county: World, as_: As):
        with as_(county.security_admin) as session:
            shown = registered(session, county)
        password = fact(shown, "初始口令")
        assert re.fullmatch(r"([a-z2-9]{5}-){3}[a-z2-9]{5}", password)
        kept = secret_of("aq.new")
        assert hasher().verify(password, kept.password_hash) and kept.must_change

    def test_nothing_of_the_number_or_the_password_is_kept(self, session, county):
        number = an_id_number()
        with_acting(session, county)
        shown = registered(session, county, id_number=number)
        rows = session.execute(
            sa.text(
                "select to_jsonb(o)::text || to_jsonb(s)::text from officers o"
                " join officer_secrets s on s.officer_id = o.id order by o.id desc limit 1"
            )
        )
        kept = rows.scalar_one() + str(session.exec(select(Event).where(Event.noun == "officer")).one().facts)
        assert number not in kept and fact(shown, "初始口令") not in kept and '"must_change": true' in kept

    def test_a_second_account_of_one_person_is_recognised_and_nothing_more_is_said(self, session, county):
        number = an_id_number()
        with_acting(session, county)
        first = registered(session, county, id_number=number, login="aq.first", name="张三")
        again = registered(session, county, id_number=number.lower(), login="aq.second", name="张 三")
        people = session.execute(
            sa.text("select count(distinct person) from officers where login in ('aq.first', 'aq.second')")
        ).scalar_one()
        assert people == 1
        assert fact(first, "自然人") == "首次登记。" and "同一自然人" in fact(again, "自然人")
        told = str(again.values)
        assert "aq.first" not in told and "张三" not in told and number not in told

    @pytest.mark.parametrize("wrong", [
        {"login": "AB"}, {"login": "a"}, {"login": "1abc"}, {"login": "a b c"}, {"name": "张"},
        {"id_number": "150430199001011234"}, {"id_number": ""},
    ], ids=str)  # fmt: skip
    def test_what_is_wrong_is_named_without_the_number(self, session, county, wrong):
        with pytest.raises(OfficerInvalid) as refusal:
            registered(session, county, **wrong)
        assert "15043019900101" not in str(refusal.value)

    def test_a_login_is_taken_once(self, session, county):
        with_acting(session, county)
        registered(session, county)
        with pytest.raises(LoginTaken):
            registered(session, county)

    def test_nobody_registers_a_second_account_for_themselves(self, session, county):
        number = an_id_number()
        with_acting(session, county)
        registered(session, county, id_number=number, login="aq.self")
        person = newest(session).person
        session.execute(sa.text("update officers set person = :p where id = :id"),
                        {"p": county.security_admin.person, "id": newest(session).id})  # fmt: skip
        assert person != county.security_admin.person
        with pytest.raises(OwnAccount):
            registered(session, county, id_number=number, login="aq.self2")

    def test_business_posts_register_nobody(self, session, county):
        for by in (county.finance.head, county.audit_admin, county.township.clerk):
            with pytest.raises(NotAllowed):
                officers.register(session, by=by, login="aq.x", name="某某", id_number="", organisation_id="1")


def with_acting(session: Session, world: World) -> None:
    """Say that the security administrator acts, as the begin hook does."""
    session.execute(sa.text("select set_config('app.ticket', :t, true)"), {"t": ticket_of(world.security_admin)})


class TestSuspendAndReset:
    def test_a_suspended_account_loses_its_sessions_and_cannot_act(self, county: World, as_: As):
        clerk = county.finance.clerk
        open_session(clerk)
        with as_(county.security_admin) as session:
            officers.suspend(
                session, session.get_one(Officer, clerk.officer_id), by=county.security_admin, reason="停职"
            )
        assert live_sessions(clerk.officer_id) == 0
        with as_(clerk) as session:
            assert session.execute(sa.text("select count(*) from organisations")).scalar_one() == 0
        with as_(county.second_security_admin) as session:
            one = session.get_one(Officer, clerk.officer_id)
            officers.restore(session, one, by=county.second_security_admin, reason="复职")
            with pytest.raises(AlreadySo):
                officers.restore(session, one, by=county.second_security_admin, reason="复职")

    def test_a_reset_password_is_new_and_ends_every_session(self, county: World, as_: As):
        clerk = county.finance.clerk
        open_session(clerk)
        with as_(county.security_admin) as session:
            shown = officers.reset_password(
                session, session.get_one(Officer, clerk.officer_id), by=county.security_admin, reason="遗忘口令"
            )
            login = session.get_one(Officer, clerk.officer_id).login
        kept = secret_of(login)
        assert hasher().verify(fact(shown, "初始口令"), kept.password_hash)
        assert kept.totp_secret is not None and live_sessions(clerk.officer_id) == 0

    def test_a_lost_second_factor_is_forgotten(self, county: World, as_: As):
        clerk = county.finance.clerk
        with as_(county.security_admin) as session:
            one = session.get_one(Officer, clerk.officer_id)
            officers.reset_second_factor(session, one, by=county.security_admin, reason="更换手机")
            login = one.login
        assert secret_of(login).totp_secret is None

    def test_one_security_administrator_cannot_become_both(self, county: World, as_: As):
        peer = county.second_security_admin.officer_id
        with pytest.raises(PeerFactor, match="reset-officer"), as_(county.security_admin) as session:
            officers.reset_second_factor(
                session, session.get_one(Officer, peer), by=county.security_admin, reason="更换手机"
            )
        with pytest.raises(DBAPIError), as_(county.security_admin) as session:
            session.execute(sa.text("select second_factor_forget(:id)"), {"id": peer})

    def test_nobody_acts_on_their_own_account(self, county: World, as_: As):
        by = county.security_admin
        for verb in (officers.suspend, officers.reset_password, officers.reset_second_factor):
            with pytest.raises(OwnAccount), as_(by) as session:
                verb(session, session.get_one(Officer, by.officer_id), by=by, reason="自己")
        for statement in ("update officers set active = false where id = :id", "select credentials_issue(:id, 'x')"):
            with pytest.raises(DBAPIError), as_(by) as session:
                session.execute(sa.text(statement), {"id": by.officer_id})

    def test_a_reason_is_asked_and_only_security_administrators_may(self, county: World, as_: As):
        with as_(county.security_admin) as session:
            one = session.get_one(Officer, county.finance.clerk.officer_id)
            with pytest.raises(ReasonMissing):
                officers.suspend(session, one, by=county.security_admin, reason=" ")
        for by in (county.system_admin, county.audit_admin, county.finance.head):
            with as_(by) as session:
                one = session.get_one(Officer, county.finance.clerk.officer_id)
                for verb in (officers.suspend, officers.reset_password):
                    with pytest.raises(NotAllowed):
                        verb(session, one, by=by, reason="试一试")

    def test_no_sql_of_the_application_reaches_credentials_or_rewrites_an_officer(self, county: World, as_: As):
        clerk = county.finance.clerk
        for by, statement in (
            (county.finance.head, "update officers set active = false where id = :id"),
            (county.system_admin, "update officers set active = false where id = :id"),
            (county.security_admin, "update officers set person = 'x' where id = :id"),
            (county.security_admin, "update officers set login = 'x' where id = :id"),
            (county.system_admin, "select credentials_issue(:id, 'x')"),
            (county.finance.head, "select credentials_issue(:id, 'x')"),
            (county.finance.head, "select second_factor_forget(:id)"),
            (county.security_admin, "select password_hash from officer_secrets where officer_id = :id"),
            (county.security_admin, "update organisations set name = 'x' where :id > 0"),
            (county.finance.head, "update organisations set telephone = 'x' where level = 'county' and :id > 0"),
        ):  # fmt: skip
            with pytest.raises(DBAPIError), as_(by) as session:
                session.execute(sa.text(statement), {"id": clerk.officer_id})


def secret_of(login: str) -> OfficerSecret:
    with owner_session() as session:
        number = session.exec(select(Officer.id).where(Officer.login == login)).one()
        return session.get_one(OfficerSecret, number)


def live_sessions(officer_id: int) -> int:
    asked = sa.text("select count(*) from login_sessions where officer_id = :id and ended_at is null")
    with owner_session() as session:
        return session.execute(asked, {"id": officer_id}).scalar_one()
