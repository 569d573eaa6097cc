"""Any sequence of changes leaves each living person in one household with one head, and history whole. （第十一条）

The model knows of each person where they went on which day, and whether they are held to be dead; everything else is
PostgreSQL's answer.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlmodel import Session, select

from models.households import Household, HouseholdStatus, Member, MemberStatus
from models.registry_changes import RegistryChange
from policies.codes import HEAD
from tests.changes import changes_households, changes_people, do, family
from tests.factories import World, an_id_number, key
from workflows.residences import household_on, residences_of

BEGIN = date(2024, 5, 1)
"""The day on which the factories' people came into the registry."""

PICK = some.integers(0, 10**6)
STEP = some.integers(0, 3)


@dataclass
class Life:
    """What the model knows of a person."""

    went: list[tuple[date, int | None]] = field(default_factory=list)
    """On this day to this household; None: away."""
    dead: date | None = None

    @property
    def home(self) -> int | None:
        """Where they live now."""
        return None if self.dead else self.went[-1][1]

    def on(self, day: date) -> int | None:
        """Where they lived on a day."""
        if self.dead and day >= self.dead:
            return None
        found = [home for since, home in self.went if since <= day]
        return found[-1] if found else None


class Registry(RuleBasedStateMachine):
    """A township's registry and its model."""

    session: Session
    world: World

    def __init__(self) -> None:
        super().__init__()
        self.savepoint = self.session.begin_nested()
        self.lives: dict[int, Life] = {}
        self.homes: list[int] = []
        self.day = BEGIN
        for relations in (("10", "20"), ("30",)):
            home, people = family(self.session, self.world, *relations)
            self.homes.append(key(home.id))
            self.lives |= {key(one.id): Life([(BEGIN, key(home.id))]) for one in people}

    def teardown(self) -> None:
        self.savepoint.rollback()
        self.session.expunge_all()

    # --- choosing -----------------------------------------------------------------------------------------------

    def inhabited(self) -> dict[int, list[int]]:
        """Return who lives where now."""
        found: dict[int, list[int]] = {}
        for person, life in self.lives.items():
            if life.home is not None:
                found.setdefault(life.home, []).append(person)
        return found

    def member(self, number: int) -> Member:
        return self.session.get_one(Member, number)

    def home(self, number: int) -> Household:
        return self.session.get_one(Household, number)

    def head_of(self, home: int) -> int:
        return next(one for one in self.inhabited()[home] if self.member(one).relation == HEAD)

    def successor(self, person: int, home: int, pick: int) -> dict[str, int]:
        """Return whom a change must name as the new head when this person goes."""
        others = [one for one in self.inhabited()[home] if one != person]
        if not others or self.member(person).relation != HEAD:
            return {}
        return {"head_id": others[pick % len(others)]}

    def do(self, verb: Callable[..., RegistryChange], record: Any = None, **asked: Any) -> RegistryChange:
        return do(self.session, self.world.township, verb, record, **asked)

    def later(self, days: int) -> date:
        self.day += timedelta(days=days)
        return self.day

    def made(self, change: RegistryChange) -> int:
        home = self.session.exec(select(Household).where(Household.change_id == change.id)).all()
        return max(key(one.id) for one in home)

    # --- changes ------------------------------------------------------------------------------------------------

    @rule(days=STEP)
    def new_household(self, days: int) -> None:
        change = self.do(
            changes_households.new_household, name="新某", id_number=an_id_number(), effective_on=self.later(days)
        )
        home = self.made(change)
        self.homes.append(home)
        member = self.session.exec(select(Member).where(Member.household_id == home)).one()
        self.lives[key(member.id)] = Life([(self.day, home)])

    @precondition(lambda self: self.inhabited())
    @rule(days=STEP, pick=PICK)
    def born(self, days: int, pick: int) -> None:
        home = sorted(self.inhabited())[pick % len(self.inhabited())]
        change = self.do(changes_people.new_member, self.home(home), name="小某", id_number=an_id_number(),
                         relation="20", effective_on=self.later(days))  # fmt: skip
        member = self.session.exec(select(Member).where(Member.change_id == change.id)).one()
        self.lives[key(member.id)] = Life([(self.day, home)])

    @precondition(lambda self: any(len(people) > 1 for people in self.inhabited().values()))
    @rule(days=STEP, pick=PICK, more=PICK)
    def split(self, days: int, pick: int, more: int) -> None:
        large = {home: people for home, people in self.inhabited().items() if len(people) > 1}
        home = sorted(large)[pick % len(large)]
        going = [
            one for place, one in enumerate(large[home]) if place == more % len(large[home]) or (more >> place) & 1
        ]
        going = going[: len(large[home]) - 1]
        staying = [one for one in large[home] if one not in going]
        stay = {} if self.head_of(home) in staying else {"stay_head_id": staying[pick % len(staying)]}
        change = self.do(changes_households.split, self.home(home), member_ids=going, head_id=going[more % len(going)],
                         effective_on=self.later(days), **stay)  # fmt: skip
        new = self.made(change)
        self.homes.append(new)
        for one in going:
            self.lives[one].went.append((self.day, new))

    @precondition(lambda self: len(self.inhabited()) > 1)
    @rule(days=STEP, pick=PICK, more=PICK)
    def join(self, days: int, pick: int, more: int) -> None:
        home, into = self.two(pick, more)
        people = self.inhabited()[home]
        self.do(
            changes_households.join, self.home(home), into_number=self.home(into).number, effective_on=self.later(days)
        )
        for one in people:
            self.lives[one].went.append((self.day, into))

    def two(self, pick: int, more: int) -> tuple[int, int]:
        homes = sorted(self.inhabited())
        first = homes[pick % len(homes)]
        others = [one for one in homes if one != first]
        return first, others[more % len(others)]

    @precondition(lambda self: len(self.inhabited()) > 1)
    @rule(days=STEP, pick=PICK, more=PICK)
    def move(self, days: int, pick: int, more: int) -> None:
        home, into = self.two(pick, more)
        person = self.inhabited()[home][more % len(self.inhabited()[home])]
        self.do(changes_people.move_member, self.member(person), into_number=self.home(into).number, relation="80",
                effective_on=self.later(days), **self.successor(person, home, pick))  # fmt: skip
        self.lives[person].went.append((self.day, into))

    def somebody(self, pick: int) -> tuple[int, int]:
        here = sorted((person, life.home) for person, life in self.lives.items() if life.home is not None)
        return here[pick % len(here)]

    @precondition(lambda self: self.inhabited())
    @rule(days=STEP, pick=PICK, more=PICK, late=some.sampled_from([0, 0, 1, 5, 20]))
    def die(self, days: int, pick: int, more: int, late: int) -> None:
        person, home = self.somebody(pick)
        died = max(self.later(days) - timedelta(days=late), BEGIN)
        self.do(changes_people.register_death, self.member(person), died_on=died, **self.successor(person, home, more))
        self.lives[person].dead = died

    @precondition(lambda self: self.inhabited())
    @rule(days=STEP, pick=PICK, more=PICK)
    def leave(self, days: int, pick: int, more: int) -> None:
        person, home = self.somebody(pick)
        self.do(changes_people.register_leave, self.member(person), destination="河北省", effective_on=self.later(days),
                **self.successor(person, home, more))  # fmt: skip
        self.lives[person].went.append((self.day, None))

    @precondition(lambda self: self.inhabited())
    @rule(pick=PICK)
    def miss(self, pick: int) -> None:
        person, _ = self.somebody(pick)
        if self.member(person).status == MemberStatus.ALIVE:
            self.do(changes_people.register_missing, self.member(person), effective_on=self.day)

    @precondition(lambda self: any(life.home is None for life in self.lives.values()))
    @rule(days=STEP, pick=PICK)
    def restore(self, days: int, pick: int) -> None:
        away = sorted(person for person, life in self.lives.items() if life.home is None)
        person = away[pick % len(away)]
        life, day = self.lives[person], self.later(days)
        self.do(changes_people.restore, self.member(person), relation="80", effective_on=day)
        if life.dead:
            life.dead = None
        if life.went[-1][1] is None:
            life.went.append((day, self.member(person).household_id))

    @precondition(lambda self: any(len(people) > 1 for people in self.inhabited().values()))
    @rule(days=STEP, pick=PICK, more=PICK)
    def another_head(self, days: int, pick: int, more: int) -> None:
        large = {home: people for home, people in self.inhabited().items() if len(people) > 1}
        home = sorted(large)[pick % len(large)]
        others = [one for one in large[home] if one != self.head_of(home)]
        self.do(changes_households.change_head, self.home(home), head_id=others[more % len(others)],
                effective_on=self.later(days))  # fmt: skip

    # --- what must hold -----------------------------------------------------------------------------------------

    @invariant()
    def one_household_each_one_head_per_household(self) -> None:
        inhabited = self.inhabited()
        for person, life in self.lives.items():
            if life.home is not None:
                assert self.member(person).household_id == life.home
        for number in self.homes:
            home, people = self.home(number), inhabited.get(number, [])
            heads = [one for one in people if self.member(one).relation == HEAD]
            assert len(heads) == (1 if people else 0)
            assert home.status == (HouseholdStatus.ACTIVE if people else HouseholdStatus.CLOSED)
            assert (home.closed_on is None) == bool(people)
            if heads:
                assert home.head_name == self.member(heads[0]).name

    @invariant()
    def history_is_complete(self) -> None:
        rows = self.session.execute(
            sa.text("select member_id, household_id, from_on, until_on from residences where member_id = any (:ids)"),
            {"ids": list(self.lives)},
        ).all()
        for person, life in self.lives.items():
            stays = [row for row in rows if row.member_id == person]
            assert sum(row.until_on is None for row in stays) == (0 if life.home is None else 1)
            for day in self.days():
                found = [
                    row.household_id for row in stays
                    if row.from_on <= day and (row.until_on is None or row.until_on > day)
                    and (life.dead is None or day < life.dead)
                ]  # fmt: skip
                assert found == ([] if life.on(day) is None else [life.on(day)]), (person, day)

    @invariant()
    def who_lived_where_on_a_day_is_answered(self) -> None:
        for number in self.homes[-2:]:
            for day in (BEGIN, self.day - timedelta(days=4), self.day):
                found = household_on(self.session, self.home(number), day)
                wanted = {person for person, life in self.lives.items() if life.on(day) == number}
                assert {one.member.id for one in found} == wanted
        person = next(iter(self.lives))
        stays = residences_of(self.session, self.member(person))
        for day in self.days():
            shown = [stay.household_id for stay in stays if stay.from_on <= day and (stay.until_on or date.max) > day]
            assert shown == [home for home in (self.lives[person].on(day),) if home is not None]

    def days(self) -> Iterator[date]:
        return (BEGIN + timedelta(days=number) for number in range(-1, (self.day - BEGIN).days + 2))


def test_any_sequence_of_changes_keeps_the_registry_whole(session: Session, county: World):
    class Township(Registry):
        pass

    Township.session, Township.world = session, county
    run_state_machine_as_test(
        Township,
        settings=settings(max_examples=8, stateful_step_count=14, deadline=None,
                          suppress_health_check=list(HealthCheck)),
    )  # fmt: skip
