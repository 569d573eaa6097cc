"""Lifecycles as data: every post × status × verb of a roster, random walks, the pages in docs. （第二十三条）"""

import inspect
from dataclasses import replace
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from sqlmodel import Session

from models.base import Labelled
from models.divisions import Level
from models.events import DeskHolder
from models.officers import ActingOfficer, Role, Scope
from models.organisations import OrganisationKind
from models.rosters import Roster, RosterStatus
from policies import clock
from policies.enforcement import Policy, seed_lines
from policies.lifecycles import LIFECYCLES, Desk, Lifecycle, Step
from policies.lifecycles.rosters import ROSTER_LIFECYCLE
from policies.moves import begin, move
from policies.refusals import NotAllowed, NotFound, SamePersonTwice, StepNotPossible
from policies.working_days import next_working_day
from scripts.lifecycle_docs import PAGES
from tests.factories import World, a_project, a_roster, an_indicator
from workflows import rosters

ROOT = Path(__file__).parent.parent
POLICY = Policy(0, seed_lines())
STEPS = [(lifecycle, step) for lifecycle in LIFECYCLES.values() for step in lifecycle.steps]
DESK_STEPS = [step for step in ROSTER_LIFECYCLE.steps if step.desk is not None]
ROSTER_DESKS = tuple(dict.fromkeys(step.desk for step in DESK_STEPS))
VERBS = tuple(dict.fromkeys(step.verb for step in DESK_STEPS))
PLACES = (
    (OrganisationKind.TOWNSHIP, Level.TOWNSHIP),
    *product((OrganisationKind.DEPARTMENT, OrganisationKind.FINANCE), (Level.COUNTY, Level.LEAGUE, Level.REGION)),
    (OrganisationKind.BANK, Level.COUNTY),
    (OrganisationKind.PLATFORM, Level.REGION),
)
POSTS = [(role, level, kind) for (kind, level), role in product(PLACES, Role)]
ANSWERS: dict[str, dict[str, Any]] = {
    "publish_notice": {"mode": "online"},
    "endorse": {"attested": True},
    "return_": {"reason": "请核对"},
}


def name_of(pair: tuple[Lifecycle, Step]) -> str:
    return f"{pair[0].noun}:{pair[1].source}-{pair[1].verb}"


class TestTables:
    @pytest.mark.parametrize("pair", STEPS, ids=name_of)
    def test_whoever_sits_at_the_desk_holds_the_permission(self, pair):
        _, step = pair
        if step.desk is None:
            assert step.permission is None
            return
        kind, level, role = step.desk.post
        assert step.permission is not None
        levels = tuple(Level) if step.desk.home else (level,)
        assert any(step.permission in POLICY.permissions(role, one, kind) for one in levels)

    @pytest.mark.parametrize("lifecycle", LIFECYCLES.values(), ids=lambda one: one.noun)
    def test_one_verb_leads_to_one_place(self, lifecycle):
        keys = [(step.verb, step.source) for step in lifecycle.steps]
        assert len(keys) == len(set(keys))

    @pytest.mark.parametrize("lifecycle", LIFECYCLES.values(), ids=lambda one: one.noun)
    def test_every_status_is_reached_and_every_status_but_the_ends_leads_on(self, lifecycle):
        statuses = list(type(lifecycle.steps[0].source))
        reached = {statuses[0]} | {step.target for step in lifecycle.steps} | {s.resume_at for s in lifecycle.steps}
        assert set(statuses) - reached - lifecycle.begins == set()
        onward = {step.source for step in lifecycle.steps if step.forward}
        assert set(statuses) - onward <= set(lifecycle.ends)

    @pytest.mark.parametrize("step", DESK_STEPS, ids=lambda step: f"{step.source}-{step.verb}")
    def test_a_step_of_a_roster_has_its_verb_with_the_fields_its_page_asks(self, step):
        verb = getattr(rosters, step.verb)
        keywords = [
            name for name, one in inspect.signature(verb).parameters.items()
            if one.kind == inspect.Parameter.KEYWORD_ONLY and name != "by"
        ]  # fmt: skip
        assert keywords == [ask.name for ask in step.asks]

    def test_the_law_fixes_six_desks_of_a_roster(self):
        assert {str(desk) for desk in ROSTER_DESKS} == {
            "township_clerk", "township_head", "department_clerk", "department_reviewer", "finance_clerk",
            "finance_reviewer",
        }  # fmt: skip


def officer(world: World, role: Role, level: Level, kind: OrganisationKind) -> ActingOfficer:
    """Return somebody in this post whose range covers the county: only post and desk decide here."""
    return replace(
        world.region, person=f"{role}-{level}-{kind}", role=role, level=level, kind=kind, sector="农牧",
        scope=Scope("0", ":"),
    )  # fmt: skip


def expected(status: RosterStatus, verb: str, post: tuple[Role, Level, OrganisationKind]) -> type[Exception] | None:
    steps = [step for step in ROSTER_LIFECYCLE.steps if step.verb == verb]
    if steps[0].permission not in POLICY.permissions(*post):
        return NotAllowed
    step = next((step for step in steps if step.source == status), None)
    if step is None:
        return StepNotPossible
    role, level, kind = post
    assert step.desk is not None
    return None if step.desk.post == (kind, level, role) else NotAllowed


class TestEveryPostStatusAndVerb:
    """The negative space first: whatever must refuse refuses by name, and what may passes."""

    @pytest.fixture
    def ready(self, session: Session, county: World) -> World:
        session.execute(sa.text("update warning_rules set enabled = false"))
        an_indicator(session, county, a_project(session, county))
        return county

    def a_ready_roster(self, session: Session, world: World, status: RosterStatus) -> Roster:
        resume = RosterStatus.REPORTED if status == RosterStatus.RETURNED else None
        return a_roster(session, world, status=status, resume_status=resume)

    @pytest.mark.parametrize("status", RosterStatus, ids=str)
    def test_only_the_desk_whose_turn_it_is_acts(self, session, ready, status):
        roster = self.a_ready_roster(session, ready, status)
        passed = []
        for post, verb in product(POSTS, VERBS):
            by, wanted = officer(ready, *post), expected(status, verb, post)
            call = getattr(rosters, verb)
            if wanted is None:
                passed.append(verb)
                with session.begin_nested() as save:
                    roster.facts_changed = verb == "reopen"
                    moved = call(session, roster, by=by, **ANSWERS.get(verb, {}))
                    target = ROSTER_LIFECYCLE.step(verb, status).target or RosterStatus.REPORTED
                    assert moved.status == target
                    save.rollback()
                session.refresh(roster)
                continue
            with pytest.raises(wanted):
                call(session, roster, by=by, **ANSWERS.get(verb, {}))
        assert sorted(passed) == sorted(step.verb for step in DESK_STEPS if step.source == status)
        assert (roster.status, roster.version) == (status, 1)

    @pytest.mark.parametrize("verb", VERBS)
    def test_whoever_is_responsible_elsewhere_finds_nothing(self, session, ready, verb):
        step = next(step for step in DESK_STEPS if step.verb == verb)
        roster = self.a_ready_roster(session, ready, RosterStatus(step.source))
        kind, level, role = step.desk.post
        elsewhere = Scope.of(ready.other_county.code, Level.COUNTY)
        by = replace(officer(ready, role, level, kind), scope=elsewhere)
        with pytest.raises(NotFound):
            getattr(rosters, verb)(session, roster, by=by, **ANSWERS.get(verb, {}))


def sitting(world: World, desk: Desk) -> ActingOfficer:
    """Return the officer of the world who sits at the desk."""
    offices = {
        OrganisationKind.TOWNSHIP: world.township,
        OrganisationKind.DEPARTMENT: world.department,
        OrganisationKind.FINANCE: world.finance,
    }
    kind, _, role = desk.post
    found: ActingOfficer = getattr(offices[kind], role)
    return found


def hold_invariants(session: Session, roster: Roster) -> None:
    running = ROSTER_LIFECYCLE.due(roster.status) is not None
    assert (roster.due_on is not None) == running
    assert (roster.resume_status is not None) == (roster.status == RosterStatus.RETURNED)
    assert roster.days_left is None or roster.status == RosterStatus.RETURNED
    people = session.scalars(sa.select(DeskHolder.person).where(DeskHolder.record_id == roster.id)).all()
    assert len(people) == len(set(people))


class TestWalks:
    """Random walks over the table, with the wrong people on the way and days going by."""

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=some.data())
    def test_every_walk_keeps_the_invariants(self, session, county, data):
        session.execute(sa.text("update business_clock set movable = true"))
        system = replace(county.region, role=Role.SYSTEM, person="system")
        with session.begin_nested() as save:
            roster = begun(session, county)
            for _ in range(data.draw(some.integers(1, 14))):
                ways: list[Step] = list(ROSTER_LIFECYCLE.steps_from(roster.status))
                if not ways:
                    break
                step = data.draw(some.sampled_from(ways))
                if data.draw(some.booleans()):
                    wrong = data.draw(some.sampled_from([desk for desk in ROSTER_DESKS if desk != step.desk]))
                    refuse_the_wrong(session, roster, step, sitting(county, wrong), system)
                by = sitting(county, step.desk) if step.desk else system
                version = roster.version
                move(session, roster, step.verb, by=by)
                assert roster.version == version + 1
                assert roster.status == (step.target or roster.status)
                hold_invariants(session, roster)
                if data.draw(some.integers(0, 4)) == 0:
                    clock.advance(session, next_working_day(session, clock.today(session)) + timedelta(hours=1))
            save.rollback()
        session.expunge_all()


def begun(session: Session, world: World) -> Roster:
    template = a_roster(session, world)
    values = template.model_dump(exclude={"id", "number", "due_on"}) | {"number": f"{template.number}-2"}
    desk, clerk = Desk.TOWNSHIP_CLERK, world.township.clerk
    return begin(session, Roster(**values), by=clerk, label="导入清册", desk=desk)


def refuse_the_wrong(session: Session, roster: Roster, step: Step, wrong: ActingOfficer, system: ActingOfficer) -> None:
    """Let somebody of another desk try the step, in their own post and in the right one."""
    if step.desk is None:
        return
    status = roster.status
    with pytest.raises(NotAllowed):
        move(session, roster, step.verb, by=wrong)
    seated = session.execute(
        sa.select(DeskHolder.desk).where(DeskHolder.record_id == roster.id, DeskHolder.person == wrong.person)
    ).scalar_one_or_none()
    kind, level, role = step.desk.post
    if seated is not None:
        with pytest.raises(SamePersonTwice):
            move(session, roster, step.verb, by=replace(wrong, kind=kind, level=level, role=role))
    assert roster.status == status


@pytest.mark.parametrize("path", PAGES)
def test_the_page_in_docs_says_what_the_tables_say(path):
    written = (ROOT / path).read_text(encoding="utf-8")
    assert written == PAGES[path](), "请执行 python scripts/lifecycle_docs.py 重新生成"


def test_a_label_is_told_with_every_value():
    for lifecycle in LIFECYCLES.values():
        for status in type(lifecycle.steps[0].source):
            assert isinstance(status, Labelled)
            assert status.label
