"""Leaving and hand-over; and a township of two people that works end to end. （第二十三、三十一条）"""

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlmodel import Session, select

from models.delegations import Delegation, DelegationStatus
from models.events import Event
from models.jobs import Job, JobStatus
from models.officers import ActingOfficer, Officer, Post, PostStatus, Role
from models.rosters import RosterStatus
from policies.clock import today
from policies.duties import DutiesCollide
from policies.refusals import NotAllowed, SamePersonTwice
from tests import one_database
from tests.conftest import As, Owner
from tests.console import open_session
from tests.factories import World, a_project, a_roster, an_indicator
from tests.test_delegations import lent
from tests.world import an_officer, key
from workflows import handover, posts, rosters
from workflows.handover import Held, LeavingDateWrong, Succession, SuccessorMissing
from workflows.posts import OwnAccount
from workflows.queue import start_job
from workflows.sessions import find, posts_of

county, session, shared = one_database.county, one_database.session, one_database.shared


def held(session: Session, officer: ActingOfficer) -> Held:
    return handover.open_things(session, session.get_one(Officer, officer.officer_id))[0]


def leave(session: Session, officer: ActingOfficer, world: World, **asked: object) -> Officer:
    found = session.get_one(Officer, officer.officer_id)
    return handover.leave(
        session, found, **({"by": world.security_admin, "on": today(session), "reason": "调离"} | asked)
    )


def waiting_roster(session: Session, world: World) -> None:
    session.execute(sa.text("update warning_rules set enabled = false"))
    a_roster(session, world, status=RosterStatus.ON_NOTICE)


class TestOpenThings:
    def test_what_waits_at_the_desks_of_the_post_is_counted_in_its_range_only(self, session, county):
        waiting_roster(session, county)
        mine, other = held(session, county.township.head), held(session, county.second_township.head)
        assert [(one.label, one.count) for one in mine.waiting] == [("待办发放清册", 1)]
        assert (mine.sole, mine.urgent, other.waiting, other.urgent) == (True, True, (), False)

    def test_a_department_counts_its_own_sector(self, session, county):
        session.execute(sa.text("update warning_rules set enabled = false"))
        a_roster(session, county, status=RosterStatus.DEPARTMENT_EXAMINED)
        assert held(session, county.department.reviewer).urgent
        assert held(session, county.civil_affairs.reviewer).waiting == ()

    def test_a_colleague_of_the_same_role_can_do_it(self, session, county):
        clerk = held(session, county.township.clerk)
        assert (clerk.title, clerk.sole) == ("长胜镇人民政府经办岗", False)

    def test_final_rosters_wait_for_a_payment_order(self, session, county):
        session.execute(sa.text("update warning_rules set enabled = false"))
        a_roster(session, county, status=RosterStatus.FINAL)
        labels = [one.label for one in held(session, county.department.clerk).waiting]
        assert labels == ["待生成资金支付单的清册"]

    def test_running_jobs_and_given_delegations_are_the_officers_own(self, session, county):
        clerk = county.township.clerk
        start_job(session, by=clerk, kind="nothing", title="试", division_code=clerk.division_code)
        lent(session, clerk, county.township.second_clerk)
        assert {one.label: one.count for one in held(session, clerk).own} == {
            "进行中的后台任务": 1, "本岗位有效的委托": 1
        }  # fmt: skip


class TestLeave:
    def test_posts_delegations_account_and_every_session_end_at_once(self, county: World, as_: As):
        clerk = county.township.clerk
        tokens = [open_session(clerk), open_session(clerk)]
        with as_(clerk) as session:
            given = lent(session, clerk, county.township.second_clerk).id
        with as_(county.security_admin) as session:
            leave(session, clerk, county)
        with as_(None) as session:
            assert [find(session, token) for token in tokens] == [None, None]
            assert posts_of(session, clerk.officer_id) == ()
            assert [one.delegation_id for one in posts_of(session, county.township.second_clerk.officer_id)] == [0]
        with as_(county.security_admin) as session:
            post = session.get_one(Post, clerk.post_id)
            assert (post.status, post.valid_to) == (PostStatus.ENDED, today(session))
            assert session.get_one(Delegation, given).status == DelegationStatus.ENDED
            assert session.get_one(Officer, clerk.officer_id).active is False

    def test_a_received_delegation_ends_too(self, session, county):
        taken = lent(session, county.township.clerk, county.township.second_clerk)
        leave(session, county.township.second_clerk, county)
        session.refresh(taken)
        assert taken.status == DelegationStatus.ENDED

    def test_whoever_alone_holds_a_role_in_which_something_waits_needs_a_successor_or_a_stated_gap(
        self, session, county
    ):
        waiting_roster(session, county)
        head = county.township.head
        with pytest.raises(SuccessorMissing, match=f"负责人只有{head.name}一人在任，且还有 1 件"):
            leave(session, head, county)
        with pytest.raises(SuccessorMissing):
            leave(session, head, county, successors={head.post_id: Succession(gap=" ")})
        leave(session, head, county, successors={head.post_id: Succession(gap="新任负责人下月到任")})
        event = session.exec(select(Event).where(Event.verb == "leave")).one()
        assert event.facts["gaps"] == {str(head.post_id): "新任负责人下月到任"}

    def test_the_successor_is_proposed_and_confirmed_by_another_administrator(self, session, county):
        waiting_roster(session, county)
        head, newcomer = county.township.head, an_officer(session, county.township.division_code)
        leave(session, head, county, successors={head.post_id: Succession(str(newcomer.id))})
        post = session.exec(select(Post).where(Post.officer_id == newcomer.id)).one()
        assert (post.status, post.role, post.organisation_id) == (
            PostStatus.PROPOSED, Role.HEAD, county.township.organisation_id
        )  # fmt: skip
        with pytest.raises(SamePersonTwice):
            posts.confirm(session, post, by=county.security_admin)
        posts.confirm(session, post, by=county.second_security_admin)
        assert [one.post_id for one in posts_of(session, key(newcomer.id))] == [post.id]

    def test_an_incompatible_successor_is_refused_and_nobody_leaves(self, session, county):
        waiting_roster(session, county)
        head, clerk = county.township.head, county.township.clerk
        with session.begin_nested() as save:
            with pytest.raises(DutiesCollide, match="经办岗.*负责人"):
                leave(session, head, county, successors={head.post_id: Succession(str(clerk.officer_id))})
            save.rollback()
        session.expire_all()
        assert session.get_one(Post, head.post_id).status == PostStatus.IN_FORCE

    def test_jobs_move_to_a_colleague_in_the_role_or_end(self, session, county):
        first, second = county.township.clerk, county.township.second_clerk
        job = start_job(session, by=first, kind="nothing", title="试", division_code=first.division_code)
        leave(session, first, county, successors={first.post_id: Succession(str(second.officer_id))})
        session.refresh(job)
        assert (job.officer_id, job.post_id, job.status) == (second.officer_id, second.post_id, JobStatus.QUEUED)
        assert session.exec(select(Post).where(Post.status == PostStatus.PROPOSED)).all() == []
        leave(session, second, county)
        session.expire_all()
        ended = session.get_one(Job, job.id)
        assert (ended.status, ended.message) == (JobStatus.CANCELLED, "发起人已离任，任务终止，未产生更改")

    def test_a_later_last_day_ends_everything_by_itself_then(self, session, county):
        clerk, day = county.township.clerk, today(session)
        given = lent(session, clerk, county.township.second_clerk)
        leave(session, clerk, county, on=day + timedelta(3))
        session.refresh(given)
        assert given.valid_to == day + timedelta(3)
        asked = sa.text("select count(*) from posts_of(:o, :d)")
        counts = [
            session.execute(asked, {"o": clerk.officer_id, "d": day + timedelta(after)}).scalar_one()
            for after in (0, 3, 4)
        ]
        assert counts == [1, 1, 0] and session.get_one(Officer, clerk.officer_id).active
        with pytest.raises(LeavingDateWrong):
            leave(session, county.township.head, county, on=day - timedelta(1))

    def test_only_security_administrators_and_never_for_oneself(self, session, county):
        for by in (county.system_admin, county.township.head):
            with pytest.raises(NotAllowed):
                leave(session, county.township.clerk, county, by=by)
        with pytest.raises(OwnAccount):
            leave(session, county.security_admin, county)

    def test_what_the_application_may_do_suffices(self, county: World, as_: As, owner: Owner):
        with owner() as session:
            waiting_roster(session, county)
            newcomer = an_officer(session, county.township.division_code).id
        head = county.township.head
        with as_(county.security_admin) as session:
            start_job(session, by=head, kind="nothing", title="试", division_code=head.division_code)
            leave(session, head, county, successors={head.post_id: Succession(str(newcomer))})


class TestTownshipOfTwo:
    def test_a_clerk_who_keeps_the_registry_and_a_head_bring_a_roster_to_the_county(self, session, county):
        session.execute(sa.text("update warning_rules set enabled = false"))
        leave(session, county.township.second_clerk, county)
        for role in ("reviewer", "auditor"):  # no township has these posts; the world's are for other tests
            leave(session, getattr(county.township, role), county)
        clerk, head = county.township.clerk, county.township.head
        second = posts.propose(
            session, by=county.security_admin, officer_id=str(clerk.officer_id), role=Role.REGISTRAR.value,
            organisation_id=str(county.township.organisation_id), valid_from=today(session),
        )  # fmt: skip
        posts.confirm(session, second, by=county.second_security_admin)
        assert len(posts_of(session, clerk.officer_id)) == 2
        project = a_project(session, county)
        an_indicator(session, county, project)
        roster = a_roster(session, county, project=project, status=RosterStatus.ON_NOTICE)
        rosters.endorse(session, roster, by=head, attested=True)
        rosters.report(session, roster, by=clerk)
        rosters.withdraw(session, roster, by=clerk)
        rosters.report(session, roster, by=clerk)
        assert roster.status == RosterStatus.REPORTED
        with pytest.raises(DutiesCollide):
            lent(session, clerk, head)
        assert replace(clerk, role=Role.REGISTRAR).person == clerk.person
