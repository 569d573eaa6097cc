"""Posts: proposed by one security administrator, confirmed by another, never for oneself. （第二十三、二十四条）"""

from collections.abc import Callable
from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, select

from models.base import REGION_CODE
from models.events import DeskHolder, Event
from models.officers import ActingOfficer, Officer, Post, PostStatus, Role
from policies.clock import today
from policies.duties import DutiesCollide
from policies.refusals import NotAllowed, SamePersonTwice, StepNotPossible
from tests import one_database
from tests.conftest import As, Owner
from tests.world import OTHER_COUNTY, SECOND_TOWNSHIP, World, an_officer, key
from workflows import posts
from workflows.posts import OfficerSuspended, OrganisationClosed, OwnAccount, PostDatesWrong, PostHeld, PostUnfit
from workflows.queue import PostEnded, officer_of_post
from workflows.sessions import posts_of

county, session, shared = one_database.county, one_database.session, one_database.shared


def proposed(session: Session, world: World, officer: Officer, **changes: object) -> Post:
    """Return a post that the first security administrator has proposed."""
    asked = {
        "officer_id": str(officer.id), "organisation_id": str(world.township.organisation_id),
        "role": Role.REGISTRAR.value, "valid_from": today(session),
    } | changes  # fmt: skip
    return posts.propose(session, by=world.security_admin, **asked)


def titles(session: Session, officer_id: int) -> list[str]:
    return [choice.title for choice in posts_of(session, officer_id)]


class TestPropose:
    def test_a_proposed_post_carries_no_right_until_it_is_confirmed(self, session, county):
        newcomer = an_officer(session, county.township.division_code)
        post = proposed(session, county, newcomer)
        assert (post.status, titles(session, key(newcomer.id))) == (PostStatus.PROPOSED, [])
        posts.confirm(session, post, by=county.second_security_admin)
        assert post.status == PostStatus.IN_FORCE
        assert titles(session, key(newcomer.id)) == [f"{post.organisation}专职管理岗"]

    def test_the_post_names_its_holder_and_organisation(self, session, county):
        newcomer = an_officer(session, county.township.division_code)
        post = proposed(session, county, newcomer)
        assert post.title == f"长胜镇人民政府专职管理岗（{newcomer.name}）"

    def test_nobody_proposes_themselves_not_even_by_a_second_account(self, session, county):
        twin = an_officer(session, REGION_CODE, person_of=county.security_admin)
        with pytest.raises(OwnAccount, match="本人任职"):
            proposed(session, county, twin)

    def test_whoever_keeps_no_posts_is_refused(self, session, county):
        newcomer = an_officer(session, county.township.division_code)
        for by in (county.system_admin, county.audit_admin, county.finance.reviewer, county.township.head):
            with pytest.raises(NotAllowed):
                posts.propose(
                    session, by=by, officer_id=str(newcomer.id), role=Role.CLERK.value, valid_from=today(session),
                    organisation_id=str(county.township.organisation_id),
                )  # fmt: skip

    @pytest.mark.parametrize("role", [Role.AUDITOR, Role.REVIEWER, Role.SECURITY_ADMIN, Role.SYSTEM, "nonsense"])
    def test_a_township_has_no_such_post(self, session, county, role):
        newcomer = an_officer(session, county.township.division_code)
        with pytest.raises(PostUnfit, match="经办岗、负责人、专职管理岗"):
            proposed(session, county, newcomer, role=str(role))

    def test_a_post_neither_begins_in_the_past_nor_ends_before_it_begins(self, session, county):
        newcomer = an_officer(session, county.township.division_code)
        day = today(session)
        for dates in ({"valid_from": day - timedelta(1)}, {"valid_to": day - timedelta(1)}):
            with pytest.raises(PostDatesWrong):
                proposed(session, county, newcomer, **dates)

    def test_the_same_post_is_not_held_twice_at_a_time(self, session, county):
        newcomer = an_officer(session, county.township.division_code)
        until = today(session) + timedelta(30)
        proposed(session, county, newcomer, valid_to=until)
        with pytest.raises(PostHeld):
            proposed(session, county, newcomer, valid_from=until)
        proposed(session, county, newcomer, valid_from=until + timedelta(1))

    def test_a_suspended_account_and_a_closed_organisation_get_no_post(self, session, county):
        gone = an_officer(session, county.township.division_code)
        gone.active = False
        session.flush()
        with pytest.raises(OfficerSuspended):
            proposed(session, county, gone)
        session.execute(sa.text("update organisations set closed_on = date '2024-05-01' where kind = 'township'"))
        with pytest.raises(OrganisationClosed):
            proposed(session, county, an_officer(session, county.township.division_code))

    def test_incompatible_posts_of_one_person_are_refused_over_all_accounts(self, session, county):
        twin = an_officer(session, county.finance.division_code, person_of=county.finance.clerk)
        with pytest.raises(DutiesCollide, match="经办岗.*审核岗"):
            proposed(
                session, county, twin, role=Role.REVIEWER.value, organisation_id=str(county.finance.organisation_id)
            )

    def test_township_staff_may_be_limited_to_a_sector(self, session, county):
        newcomer = an_officer(session, county.township.division_code)
        post = proposed(session, county, newcomer, role=Role.CLERK.value, sector="民政")
        posts.confirm(session, post, by=county.second_security_admin)
        row = session.execute(sa.text("select sector from posts_of(:o, :d)"), {"o": newcomer.id, "d": today(session)})
        assert row.scalar_one() == "民政"

    def test_who_is_transferred_keeps_one_account_above_all_their_posts(self, session, county):
        mover = an_officer(session, county.township.division_code)
        second = session.execute(
            sa.text("select id from organisations where division_code = :c"), {"c": SECOND_TOWNSHIP}
        ).scalar_one()
        proposed(session, county, mover, organisation_id=str(second))
        assert mover.division_code == county.code
        proposed(session, county, mover, organisation_id=str(county.other_county.township.organisation_id))
        assert mover.division_code == REGION_CODE and OTHER_COUNTY.startswith("1525")


class TestConfirm:
    def test_whoever_proposed_does_not_confirm(self, session, county):
        post = proposed(session, county, an_officer(session, county.township.division_code))
        with pytest.raises(SamePersonTwice, match="安全管理拟定.*安全管理复核"):
            posts.confirm(session, post, by=county.security_admin)

    def test_nobody_confirms_their_own_post(self, session, county):
        twin = an_officer(session, county.township.division_code, person_of=county.second_security_admin)
        post = Post(
            division_code=county.township.division_code, officer_id=key(twin.id), role=Role.SECURITY_ADMIN,
            organisation_id=county.security_admin.organisation_id, valid_from=today(session),
            status=PostStatus.PROPOSED, proposed_by=county.security_admin.person,
        )  # fmt: skip
        session.add(post)
        session.flush()
        with pytest.raises(OwnAccount):
            posts.confirm(session, post, by=county.second_security_admin)

    def test_a_refused_or_withdrawn_proposal_carries_nothing_and_is_over(self, session, county):
        first = proposed(session, county, an_officer(session, county.township.division_code))
        posts.refuse(session, first, by=county.second_security_admin, reason="资料不全")
        second = proposed(session, county, an_officer(session, county.township.division_code))
        posts.withdraw(session, second, by=county.security_admin)
        for post in (first, second):
            assert post.status == PostStatus.REFUSED and titles(session, post.officer_id) == []
            with pytest.raises(StepNotPossible):
                posts.confirm(session, post, by=county.second_security_admin)

    def test_a_collision_that_arose_meanwhile_stops_the_confirmation(self, session, county):
        newcomer = an_officer(session, county.finance.division_code)
        office = str(county.finance.organisation_id)
        first = proposed(session, county, newcomer, role=Role.CLERK.value, organisation_id=office)
        with pytest.raises(DutiesCollide):
            proposed(session, county, newcomer, role=Role.REVIEWER.value, organisation_id=office)
        posts.confirm(session, first, by=county.second_security_admin)

    def test_both_are_named_in_the_record(self, session, county):
        post = proposed(session, county, an_officer(session, county.township.division_code))
        posts.confirm(session, post, by=county.second_security_admin)
        events = session.exec(select(Event).where(Event.noun == "post", Event.record_id == post.id)).all()
        assert [event.officer_name for event in events] == [
            county.security_admin.name, county.second_security_admin.name
        ]  # fmt: skip
        seats = session.exec(select(DeskHolder).where(DeskHolder.noun == "post")).all()
        assert {seat.desk for seat in seats} == {"security_drafter", "security_enabler"}


class TestValidity:
    @pytest.mark.parametrize(("begins", "ends", "held"), [
        (0, None, True), (0, 0, True), (1, None, False), (-5, -1, False), (-5, 3, True),
    ])  # fmt: skip
    def test_a_post_is_held_from_its_first_to_its_last_day(self, session, county, begins, ends, held):
        newcomer = an_officer(session, county.township.division_code)
        day = today(session)
        post = Post(
            division_code=county.township.division_code, officer_id=key(newcomer.id), role=Role.CLERK,
            organisation_id=county.township.organisation_id, valid_from=day + timedelta(begins),
            valid_to=None if ends is None else day + timedelta(ends),
        )  # fmt: skip
        session.add(post)
        session.flush()
        assert bool(titles(session, key(newcomer.id))) is held
        asked = {"post": post.id, "day": day}
        found = session.execute(sa.text("select 1 from officer_in_post(:post, :day)"), asked).first()
        assert (found is not None) is held

    def test_an_ended_post_is_no_longer_held_the_same_day(self, session, county):
        clerk = county.township.second_clerk
        post = session.get_one(Post, clerk.post_id)
        posts.end(session, post, by=county.security_admin, reason="轮岗")
        assert (post.status, post.valid_to, titles(session, clerk.officer_id)) == (PostStatus.ENDED, today(session), [])

    def test_a_job_in_an_ended_post_does_not_run_on(self, county, owner):
        with owner() as session:
            session.execute(
                sa.text("update posts set status = 'ended' where id = :p"), {"p": county.finance.clerk.post_id}
            )
        with pytest.raises(PostEnded):
            officer_of_post(county.finance.clerk.post_id)

    def test_a_ticket_of_an_ended_post_sees_no_row(self, county, owner, as_):
        asked = sa.text("select count(*) from organisations")
        with as_(county.finance.clerk) as session:
            assert session.execute(asked).scalar_one() > 0
        with owner() as session:
            session.execute(
                sa.text("update posts set status = 'ended' where id = :p"), {"p": county.finance.clerk.post_id}
            )
        with as_(county.finance.clerk) as session:
            assert session.execute(asked).scalar_one() == 0

    def test_ending_ones_own_post_is_refused(self, session, county):
        with pytest.raises(OwnAccount):
            posts.end(
                session, session.get_one(Post, county.security_admin.post_id), by=county.security_admin, reason="x y"
            )


ENDED = sa.text("update posts set status = 'ended' where id = :p")
Attempt = Callable[[Session, World], object]


def insert(**changes: object) -> Attempt:
    def attempt(session: Session, world: World) -> object:
        row = {
            "division_code": world.township.division_code, "officer_id": world.finance.clerk.officer_id,
            "organisation_id": world.township.organisation_id, "role": "registrar", "valid_from": date(2024, 1, 1),
            "status": "proposed", "proposed_by": world.security_admin.person, "sector": "", "version": 1,
        } | changes  # fmt: skip
        return session.execute(sa.insert(Post).values(**row))

    return attempt


class TestBehindTheVerbs:
    """What the verbs refuse, PostgreSQL refuses to any SQL of the application's role."""

    def refused(self, as_: As, by: ActingOfficer, attempt: Attempt, world: World) -> None:
        with pytest.raises(DBAPIError, match="任职|不相容|policy"), as_(by) as session:
            attempt(session, world)

    def test_only_a_security_administrator_writes_posts(self, county: World, as_: As):
        for by in (county.system_admin, county.finance.reviewer, county.township.head):
            self.refused(as_, by, insert(), county)

    def test_no_post_is_born_in_force(self, county: World, as_: As):
        self.refused(as_, county.security_admin, insert(status="in_force"), county)

    def test_nobody_proposes_in_anothers_name_or_themselves(self, county: World, as_: As):
        self.refused(as_, county.security_admin, insert(proposed_by="another"), county)
        own = insert(officer_id=county.security_admin.officer_id)
        self.refused(as_, county.security_admin, own, county)

    def test_a_proposal_is_neither_confirmed_by_its_author_nor_rewritten(self, county: World, as_: As, owner: Owner):
        with as_(county.security_admin) as session:
            newcomer = an_officer_id(owner, county)
            post = key(proposed(session, county, session.get_one(Officer, newcomer)).id)
        for change in ("status = 'in_force'", "role = 'head'", "valid_to = null, valid_from = '2020-01-01'",
                       "officer_id = officer_id + 1", "proposed_by = 'x'"):  # fmt: skip
            by = county.security_admin if "status" in change else county.second_security_admin
            self.refused(
                as_, by, lambda s, _, c=change: s.execute(sa.text(f"update posts set {c} where id = {post}")), county
            )
        with as_(county.second_security_admin) as session:
            posts.confirm(session, session.get_one(Post, post), by=county.second_security_admin)


def an_officer_id(owner: Owner, world: World) -> int:
    with owner() as session:
        return key(an_officer(session, world.township.division_code).id)
