"""Delegation for absence: a colleague acts in the post for a time, never wider, never onward. （第二十三条）"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from threading import Event as Signal
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, select

from models.delegations import Delegation, DelegationStatus
from models.events import Event
from models.jobs import Job
from models.officers import ActingOfficer, Officer, Post, PostStatus
from models.rosters import RosterStatus
from models.tickets import ticket_of
from policies.clock import today
from policies.duties import DutiesCollide
from policies.enforcement import permissions_of
from policies.refusals import NotAllowed, SamePersonTwice, StepNotPossible
from tests import one_database
from tests.conftest import As, Owner
from tests.factories import World, a_roster
from tests.world import an_officer, key
from workflows import delegations, posts, rosters
from workflows.delegations import (
    ColleagueUnfit,
    DelegatedAlready,
    DelegationDatesWrong,
    DelegationTooWide,
    NotRedelegable,
)
from workflows.jobs import follow
from workflows.queue import PostEnded, officer_from, officer_of_post, start_job
from workflows.sessions import posts_of

county, session, shared = one_database.county, one_database.session, one_database.shared

OFFICES = ("township", "department", "finance")


def lent(session: Session, by: ActingOfficer, to: ActingOfficer, **changes: Any) -> Delegation:
    """Lend the post of `by` for today and the nine days after."""
    day = today(session)
    asked = {
        "officer_id": str(to.officer_id), "valid_from": day, "valid_to": day + timedelta(9), "reason": "年休",
    } | changes  # fmt: skip
    with_ticket(session, by)
    return delegations.grant(session, by=by, **asked)


def with_ticket(session: Session, by: ActingOfficer) -> None:
    """Say who acts, as the begin hook does."""
    session.execute(sa.text("select set_config('app.ticket', :t, true)"), {"t": ticket_of(by)})


def standing_in(session: Session, delegation: Delegation, day: date | None = None) -> ActingOfficer:
    """Return who acts in the lent post on a day."""
    row = session.execute(
        sa.text("select * from officer_in_post(:post, :day, :delegation)"),
        {"post": delegation.post_id, "day": day or today(session), "delegation": delegation.id},
    ).one()
    return officer_from(session, row)


class TestGrant:
    def test_the_delegate_acts_in_the_post_with_their_own_name_and_person(self, session, county):
        clerk = county.township.second_clerk
        delegation = lent(session, county.township.clerk, clerk)
        by = standing_in(session, delegation)
        assert (by.officer_id, by.person, by.name) == (clerk.officer_id, clerk.person, clerk.name)
        assert (by.post_id, by.role, by.scope) == (
            county.township.clerk.post_id, county.township.clerk.role, county.township.clerk.scope
        )  # fmt: skip
        assert by.post == f"长胜镇人民政府经办岗（代 {county.township.clerk.name}）"

    def test_the_delegate_finds_the_post_among_their_own(self, session, county):
        lent(session, county.township.clerk, county.township.second_clerk)
        titles = [choice.post_id for choice in posts_of(session, county.township.second_clerk.officer_id)]
        assert titles == [county.township.second_clerk.post_id, county.township.clerk.post_id]

    def test_what_the_delegate_does_is_recorded_as_done_for_the_holder(self, session, county):
        session.execute(sa.text("update warning_rules set enabled = false"))
        delegation = lent(session, county.township.clerk, county.township.second_clerk)
        roster = a_roster(session, county, status=RosterStatus.ENDORSED)
        rosters.report(session, roster, by=standing_in(session, delegation))
        event = session.exec(select(Event).where(Event.verb == "report")).one()
        assert event.post.endswith(f"（代 {county.township.clerk.name}）")
        assert (event.officer_name, event.person) == (
            county.township.second_clerk.name, county.township.second_clerk.person
        )  # fmt: skip

    def test_a_delegation_does_not_let_one_person_act_at_two_desks(self, session, county):
        session.execute(sa.text("update warning_rules set enabled = false"))
        reviewer, stranger = county.department.reviewer, county.civil_affairs.clerk
        roster = a_roster(session, county, status=RosterStatus.DEPARTMENT_EXAMINED)
        delegation = lent(session, reviewer, stranger)
        by = standing_in(session, delegation)
        rosters.pass_department(session, roster, by=by)
        with pytest.raises(SamePersonTwice):
            rosters.examine_finance(session, roster, by=replace(county.finance.clerk, person=by.person))

    def test_nobody_lends_to_an_incompatible_colleague(self, session, county):
        with pytest.raises(DutiesCollide, match="经办岗.*审核岗"):
            lent(session, county.finance.reviewer, county.finance.clerk)

    def test_nor_to_their_own_second_account_or_a_stranger(self, session, county):
        twin = an_officer(session, county.township.division_code, person_of=county.township.clerk)
        post = Post(
            division_code=county.township.division_code, officer_id=key(twin.id), role="clerk",
            organisation_id=county.township.organisation_id, valid_from=date(2024, 1, 1),
        )  # fmt: skip
        session.add(post)
        session.flush()
        own = replace(county.township.clerk, officer_id=key(twin.id))
        for to in (own, county.second_township.clerk, county.finance.second_clerk, county.other_county.township.clerk):
            with pytest.raises(ColleagueUnfit):
                lent(session, county.township.clerk, to)

    def test_a_post_is_lent_within_its_own_dates(self, session, county):
        clerk, day = county.township.clerk, today(session)
        session.execute(
            sa.text("update posts set valid_to = :d where id = :p"), {"d": day + timedelta(5), "p": clerk.post_id}
        )
        for wrong in (
            {"valid_to": day + timedelta(6)}, {"valid_from": day - timedelta(1)}, {"valid_to": day - timedelta(1)},
        ):  # fmt: skip
            with pytest.raises(DelegationDatesWrong):
                lent(session, clerk, county.township.second_clerk, **wrong)
        assert lent(session, clerk, county.township.second_clerk, valid_to=day + timedelta(5)).id

    def test_a_lent_post_is_not_lent_on(self, session, county):
        delegation = lent(session, county.township.clerk, county.township.second_clerk)
        by = standing_in(session, delegation)
        with pytest.raises(NotRedelegable, match=county.township.clerk.name):
            delegations.grant(
                session, by=by, officer_id=str(county.township.auditor.officer_id), valid_from=today(session),
                valid_to=today(session), reason="转托",
            )  # fmt: skip

    def test_administrators_lend_nothing(self, session, county):
        with pytest.raises(NotAllowed):
            lent(session, county.security_admin, county.second_security_admin)

    def test_one_post_is_lent_to_one_colleague_at_a_time(self, session, county):
        day = today(session)
        lent(session, county.township.clerk, county.township.second_clerk, valid_to=day)
        with pytest.raises(DelegatedAlready):
            lent(session, county.township.clerk, county.township.second_clerk)
        tomorrow = day + timedelta(1)
        assert lent(session, county.township.clerk, county.township.second_clerk, valid_from=tomorrow).id

    def test_of_two_grants_in_the_same_moment_one_is_told(self, county: World, as_: As):
        clerk, first, tried = county.township.clerk, Signal(), Signal()

        def attempt(leads: bool) -> str:
            with as_(clerk) as session:
                if not leads:
                    first.wait(20)
                    tried.set()
                try:
                    lent(session, clerk, county.township.second_clerk)
                except DelegatedAlready:
                    return "refused"
                if leads:
                    first.set()
                    tried.wait(20)
                return "granted"

        with ThreadPoolExecutor(2) as threads:
            both = (threads.submit(attempt, True), threads.submit(attempt, False))
            assert [one.result(30) for one in both] == ["granted", "refused"]


class TestNeverWider:
    @settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=some.data())
    def test_a_delegates_permissions_are_a_subset_of_the_holders_and_end_with_it(self, session, county, data):
        office = getattr(county, data.draw(some.sampled_from(OFFICES)))
        holder, delegate, day = office.clerk, office.second_clerk, today(session)
        with session.begin_nested() as save:
            with_ticket(session, holder)
            held = permissions_of(session, holder)
            chosen = data.draw(some.lists(some.sampled_from(sorted(held - delegations.ALONE)), unique=True))
            length = data.draw(some.integers(0, 20))
            delegation = lent(session, holder, delegate, permissions=chosen, valid_to=day + timedelta(length))
            by = standing_in(session, delegation)
            assert permissions_of(session, by) == (frozenset(chosen) if chosen else held)
            for offset in (-1, 0, length, length + 1):
                asked = {"o": delegate.officer_id, "d": day + timedelta(offset)}
                rows = session.execute(sa.text("select delegation_id from posts_of(:o, :d)"), asked).scalars().all()
                assert (delegation.id in rows) == (0 <= offset <= length)
            save.rollback()
        session.expunge_all()

    def test_what_the_holder_lacks_cannot_be_lent(self, session, county):
        with pytest.raises(DelegationTooWide, match="复核代发批次"):
            lent(session, county.township.clerk, county.township.second_clerk, permissions=["batch:release"])
        with pytest.raises(DelegationTooWide, match="委托代办"):
            lent(session, county.township.clerk, county.township.second_clerk, permissions=["delegation:grant"])

    def test_only_what_is_named_is_lent(self, session, county):
        delegation = lent(session, county.township.clerk, county.township.second_clerk, permissions=["roster:view"])
        by = standing_in(session, delegation)
        roster = a_roster(session, county, status=RosterStatus.ENDORSED)
        with pytest.raises(NotAllowed, match="（代 "):
            rosters.report(session, roster, by=by)


class TestEnd:
    def gone(self, session: Session, delegation: Delegation) -> bool:
        rows = session.execute(
            sa.text("select delegation_id from posts_of(:o, :d)"),
            {"o": delegation.officer_id, "d": today(session)},
        )
        return delegation.id not in rows.scalars().all()

    def test_it_ends_by_itself_after_its_last_day(self, session, county):
        delegation = lent(session, county.township.clerk, county.township.second_clerk)
        assert not self.gone(session, delegation)
        session.execute(sa.text("update business_clock set moved_by = moved_by + interval '10 days'"))
        assert self.gone(session, delegation) and delegation.status == DelegationStatus.IN_FORCE

    def test_it_ends_with_the_post_and_with_the_holders_account(self, session, county):
        clerk = county.township.clerk
        delegation = lent(session, clerk, county.township.second_clerk)
        session.get_one(Officer, clerk.officer_id).active = False
        session.flush()
        assert self.gone(session, delegation)
        session.get_one(Officer, clerk.officer_id).active = True
        session.get_one(Post, clerk.post_id).status = PostStatus.ENDED
        session.flush()
        assert self.gone(session, delegation)

    def test_both_sides_may_end_it_early_and_nobody_else(self, session, county):
        for side in ("clerk", "second_clerk"):
            delegation = lent(session, county.township.clerk, county.township.second_clerk)
            for other in (county.township.head, county.finance.clerk):
                with pytest.raises(NotAllowed):
                    delegations.end(session, delegation, by=other)
            delegations.end(session, delegation, by=getattr(county.township, side))
            assert self.gone(session, delegation)

    def test_a_security_administrator_revokes_it_with_a_reason(self, session, county):
        delegation = lent(session, county.township.clerk, county.township.second_clerk)
        with pytest.raises(NotAllowed):
            delegations.revoke(session, delegation, by=county.township.head, reason="停职")
        delegations.revoke(session, delegation, by=county.security_admin, reason="停职调查")
        assert self.gone(session, delegation)
        with pytest.raises(StepNotPossible):
            delegations.end(session, delegation, by=county.township.clerk)

    def test_both_sides_see_it_and_another_county_does_not(self, county: World, as_: As):
        with as_(county.township.clerk) as session:
            lent(session, county.township.clerk, county.township.second_clerk)
        for by, count in (
            (county.township.clerk, 1), (county.township.second_clerk, 1), (county.other_county.finance.clerk, 0),
        ):  # fmt: skip
            with as_(by) as session:
                assert len(session.exec(select(Delegation)).all()) == count


class TestJobsAndTickets:
    def test_a_job_started_while_standing_in_runs_as_the_delegate(self, county: World, as_: As):
        with as_(county.township.clerk) as session:
            delegation = lent(session, county.township.clerk, county.township.second_clerk)
            by = standing_in(session, delegation)
        with as_(by) as session:
            job = start_job(session, by=by, kind="nothing", title="试", division_code=by.division_code)
            number = key(job.id)
        ran: list[ActingOfficer] = []
        follow(number, by.post_id, lambda _, post: ran.append(officer_of_post(post)))
        assert [(one.officer_id, one.delegation_id, one.absent) for one in ran] == [
            (county.township.second_clerk.officer_id, delegation.id, county.township.clerk.name)
        ]

    def test_a_revoked_delegation_loses_the_job_and_the_ticket(self, county: World, as_: As, owner: Owner):
        with as_(county.township.clerk) as session:
            delegation = lent(session, county.township.clerk, county.township.second_clerk)
            by = standing_in(session, delegation)
        asked = sa.text("select count(*) from jobs")
        with as_(by) as session:
            start_job(session, by=by, kind="nothing", title="试", division_code=by.division_code)
            assert session.execute(asked).scalar_one() == 1
        with as_(county.security_admin) as session:
            found = session.get_one(Delegation, delegation.id)
            delegations.revoke(session, found, by=county.security_admin, reason="停职调查")
        with as_(by) as session:
            assert session.execute(asked).scalar_one() == 0
        with pytest.raises(PostEnded):
            officer_of_post(by.post_id, by.delegation_id)


class TestBehindTheVerbs:
    def row(self, county: World, **changes: Any) -> dict[str, Any]:
        return {
            "division_code": county.township.division_code, "post_id": county.township.clerk.post_id,
            "holder_id": county.township.clerk.officer_id, "officer_id": county.township.second_clerk.officer_id,
            "title": "", "holder": "", "delegate": "", "valid_from": date(2024, 1, 1), "valid_to": date(2099, 1, 1),
            "reason": "", "status": "in_force", "version": 1,
        } | changes  # fmt: skip

    def test_nobody_lends_what_is_not_theirs(self, county: World, as_: As):
        for by in (county.township.head, county.finance.clerk, county.security_admin):
            with pytest.raises(DBAPIError, match="任职人本人|policy"), as_(by) as session:
                session.execute(sa.insert(Delegation).values(**self.row(county)))

    def test_a_delegation_is_neither_widened_nor_brought_back(self, county: World, as_: As):
        with as_(county.township.clerk) as session:
            number = lent(session, county.township.clerk, county.township.second_clerk, permissions=["roster:view"]).id
        for change in ("permissions = null", "valid_to = valid_to + 1", "reason = 'x'"):
            with pytest.raises(DBAPIError, match="提前结束"), as_(county.township.clerk) as session:
                session.execute(sa.text(f"update delegations set {change} where id = {number}"))
        with as_(county.township.second_clerk) as session:
            delegations.end(session, session.get_one(Delegation, number), by=county.township.second_clerk)
        with pytest.raises(DBAPIError, match="提前结束"), as_(county.township.clerk) as session:
            session.execute(sa.text(f"update delegations set status = 'in_force' where id = {number}"))

    def test_a_colleague_in_the_division_does_not_end_it_by_sql(self, county: World, as_: As):
        with as_(county.township.clerk) as session:
            number = lent(session, county.township.clerk, county.township.second_clerk).id
        with pytest.raises(DBAPIError, match="双方"), as_(county.finance.clerk) as session:
            session.execute(sa.text(f"update delegations set status = 'ended' where id = {number}"))


def test_a_job_row_remembers_its_delegation(county: World, as_: As):
    with as_(county.finance.clerk) as session:
        job = start_job(session, by=county.finance.clerk, kind="nothing", title="试", division_code=county.code)
        assert session.get_one(Job, job.id).delegation_id == 0


def test_ending_a_post_takes_its_delegation_along(session: Session, county: World):
    delegation = lent(session, county.township.clerk, county.township.second_clerk)
    posts.end(session, session.get_one(Post, county.township.clerk.post_id), by=county.security_admin, reason="轮岗")
    assert [one.post_id for one in posts_of(session, delegation.officer_id)] == [county.township.second_clerk.post_id]
