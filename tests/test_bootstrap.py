"""`yikatong bootstrap`: two security administrators, nothing else; from them a whole county. （第二十三、三十一条）"""

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from sqlmodel import Session, select
from typer.testing import CliRunner

from cli import app
from models.divisions import Level
from models.officers import ActingOfficer, Officer, OfficerSecret, Post, PostStatus, Role
from models.organisations import Organisation
from policies.clock import today
from tests.conftest import As, Owner
from tests.world import an_id_number
from workflows import officers, organisations, posts
from workflows.bootstrap import BegunAlready, Credentials, Founder, FoundersWrong, OfficerUnknown, bootstrap, reset
from workflows.passwords import hasher
from workflows.queue import officer_from
from workflows.sessions import posts_of

TABLES = ("organisations", "officers", "posts", "delegations", "households", "rosters", "login_sessions")
OFFICES: tuple[tuple[str, str, str, str, tuple[Role, ...]], ...] = (
    ("150000000000", "finance", "", "", (Role.CLERK, Role.REVIEWER, Role.AUDITOR)),
    ("150400000000", "finance", "", "", (Role.CLERK,)),
    ("150430000000", "finance", "", "", (Role.CLERK, Role.REVIEWER, Role.HEAD, Role.AUDITOR)),
    ("150430000000", "department", "农牧", "", (Role.CLERK, Role.REVIEWER, Role.HEAD)),
    ("150430000000", "department", "民政", "", (Role.CLERK, Role.REVIEWER)),
    ("150430000000", "bank", "", "1", (Role.CLERK, Role.REVIEWER)),
    ("150430102000", "township", "", "", (Role.CLERK, Role.HEAD, Role.REGISTRAR)),
    ("150430103000", "township", "", "", (Role.CLERK, Role.HEAD)),
)


def founders() -> list[Founder]:
    return [Founder(f"anquan.{number}", f"安全{number}", an_id_number()) for number in ("yi", "er")]


def begun(session: Session) -> list[Credentials]:
    return bootstrap(session, founders())


def acting(session: Session, login: str) -> ActingOfficer:
    post = session.exec(
        select(Post.id).join(Officer, Officer.id == Post.officer_id).where(Officer.login == login)
    ).one()
    row = session.execute(
        sa.text("select * from officer_in_post(:post, :day)"), {"post": post, "day": today(session)}
    ).one()
    return officer_from(session, row)


class TestBootstrap:
    def test_it_makes_the_platform_and_two_security_administrators_and_nothing_else(self, database, owner: Owner):
        with owner() as session:
            made = begun(session)
            counts = {name: session.execute(sa.text(f"select count(*) from {name}")).scalar_one() for name in TABLES}
            assert counts == dict.fromkeys(TABLES, 0) | {"organisations": 1, "officers": 2, "posts": 2}
            held = session.exec(select(Post)).all()
            assert {(post.role, post.status) for post in held} == {(Role.SECURITY_ADMIN, PostStatus.IN_FORCE)}
            secrets = session.exec(select(OfficerSecret).order_by(OfficerSecret.officer_id)).all()
            for one, secret in zip(made, secrets, strict=True):
                assert hasher().verify(one.password, secret.password_hash)
                assert secret.must_change and secret.totp_secret == one.totp_secret
            assert len({one.password for one in made} | {one.totp_secret for one in made}) == 4

    def test_it_refuses_when_one_is_or_has_ever_been_there(self, database, owner: Owner):
        with owner() as session:
            begun(session)
        with owner() as session, pytest.raises(BegunAlready):
            begun(session)
        with owner() as session:
            session.execute(sa.text("update posts set status = 'ended'"))
            session.execute(sa.text("update officers set active = false"))
        with owner() as session, pytest.raises(BegunAlready):
            begun(session)

    def test_they_are_two_people(self, database, owner: Owner):
        one, two = founders()
        same = Founder(two.login, two.name, one.id_number)
        for wrong in ([one], [one, one], [one, same]):
            with owner() as session, pytest.raises(FoundersWrong):
                bootstrap(session, wrong)

    def test_of_two_who_begin_at_once_one_is_told(self, database, owner: Owner):
        def attempt(_: int) -> str:
            try:
                with owner() as session:
                    begun(session)
            except BegunAlready:
                return "refused"
            return "begun"

        with ThreadPoolExecutor(2) as threads:
            assert sorted(threads.map(attempt, range(2))) == ["begun", "refused"]

    def test_the_operator_resets_a_security_administrator_on_record(self, database, owner: Owner):
        with owner() as session:
            first = begun(session)[0]
            fresh = reset(session, first.login)
            assert fresh.password != first.password and fresh.totp_secret != first.totp_secret
            label = session.execute(sa.text("select label from events where verb = 'reset_by_operator'")).scalar_one()
            assert label == "运维人员重置登录凭据"
            with pytest.raises(OfficerUnknown):
                reset(session, "nobody")


class TestCommand:
    def test_it_prints_passwords_and_secrets_once_and_then_refuses(self, database, owner: Owner, monkeypatch):
        monkeypatch.setenv("COLUMNS", "40")
        options = [word for one in founders() for word in
                   ("--login", one.login, "--name", one.name, "--id-number", one.id_number)]  # fmt: skip
        first = CliRunner().invoke(app, ["bootstrap", *options])
        assert first.exit_code == 0 and "anquan.yi" in first.output
        with owner() as session:
            secret = session.exec(select(OfficerSecret)).all()[0].totp_secret
        assert secret and secret in first.output
        again = CliRunner().invoke(app, ["bootstrap", *options])
        assert isinstance(again.exception, BegunAlready)

    def test_it_asks_for_what_is_not_given(self, database):
        answers = "".join(f"{one.login}\n{one.name}\n{one.id_number}\n" for one in founders())
        asked = CliRunner().invoke(app, ["bootstrap"], input=answers)
        assert asked.exit_code == 0 and "anquan.er" in asked.output


class Builder:
    """Everything that two security administrators can do, through the verbs, in the application's role."""

    def __init__(self, as_: As, first: ActingOfficer, second: ActingOfficer) -> None:
        self.as_, self.first, self.second, self.count = as_, first, second, 0

    def hire(self, organisation_id: int, role: Role) -> int:
        """Register an account and put it into a post; return its number."""
        self.count += 1
        login = f"ren.{self.count}"
        with self.as_(self.first) as session:
            officers.register(
                session, by=self.first, login=login, name=f"人员{self.count}", id_number=an_id_number(),
                organisation_id=str(organisation_id),
            )  # fmt: skip
            officer = session.exec(select(Officer).where(Officer.login == login)).one()
            post = posts.propose(
                session, by=self.first, officer_id=str(officer.id), organisation_id=str(organisation_id),
                role=role.value, valid_from=today(session),
            ).id  # fmt: skip
        with self.as_(self.second) as session:
            posts.confirm(session, session.get_one(Post, post), by=self.second)
            return officer.id or 0


def test_from_these_two_alone_a_whole_county_can_be_built_up(database, owner: Owner, as_: As):
    with owner() as session:
        first, second = (acting(session, one.login) for one in begun(session))
        platform = session.exec(select(Organisation.id)).one()
    builder = Builder(as_, first, second)
    builder.hire(platform, Role.AUDIT_ADMIN)
    builder.hire(platform, Role.SYSTEM_ADMIN)
    with owner() as session:
        keeper = acting(session, "ren.2")
    made = {}
    with as_(keeper) as session:
        for code, kind, sector, bank, roles in OFFICES:
            office = organisations.establish(
                session, by=keeper, division_code=code, kind=kind, name=f"{sector or kind}机构",
                telephone="0476-4300001", sector=sector, bank_id=bank,
            )  # fmt: skip
            made[office.id or 0] = roles
    hired = [builder.hire(number, role) for number, roles in made.items() for role in roles]
    with as_(None) as session:
        assert all(len(posts_of(session, number)) == 1 for number in hired)
    with owner() as session:
        clerk = acting(session, f"ren.{builder.count}")
        assert clerk.level == Level.TOWNSHIP
    with as_(first) as session:
        missing = organisations.townships_without_registrar(session)
        assert len(missing) == 1 and organisations.count_townships(session) == 2
