"""Who lived where when stays answerable, whatever happened since. （第十一条）"""

from datetime import date, timedelta

import pytest
from sqlmodel import Session, select

from models.households import Household, Member
from models.registry_changes import ChangeKind
from models.residences import Residence
from policies.clock import today
from policies.codes import HEAD
from tests.changes import changes_households, changes_people, do, family
from tests.conftest import As, Owner
from tests.factories import World, an_id_number, key
from workflows.residences import household_on, residences_of

BEGIN = date(2024, 5, 1)
"""The day on which the factories' people came into the registry."""


def who(session: Session, home: Household, day: date) -> dict[int, str]:
    return {key(one.member.id): one.relation for one in household_on(session, home, day)}


def test_a_household_is_shown_as_it_was_on_any_day(session: Session, county: World):
    home, (head, wife, son) = family(session, county, "10", "20")
    days = [BEGIN + timedelta(days=number) for number in (100, 200, 300)]
    do(session, county.township, changes_households.split, home, member_ids=[son.id], head_id=son.id,
       effective_on=days[0])  # fmt: skip
    do(session, county.township, changes_people.register_death, head, died_on=days[1], head_id=wife.id)
    do(session, county.township, changes_people.new_member, home, name="小明", relation="20", id_number=an_id_number(),
       effective_on=days[2])  # fmt: skip
    born = session.exec(select(Member).where(Member.name == "小明")).one()
    assert who(session, home, BEGIN - timedelta(days=1)) == {}
    assert who(session, home, BEGIN) == {head.id: HEAD, wife.id: "10", son.id: "20"}
    assert who(session, home, days[0]) == {head.id: HEAD, wife.id: "10"}
    assert who(session, home, days[1]) == {wife.id: HEAD}
    assert who(session, home, days[2]) == {wife.id: HEAD, born.id: "20"}
    assert household_on(session, home, BEGIN)[0].is_head


def test_a_persons_stays_follow_one_another_with_what_began_and_ended_them(session: Session, county: World):
    _, (_, daughter) = family(session, county, "30")
    into, _ = family(session, county)
    first, second = BEGIN + timedelta(days=10), BEGIN + timedelta(days=20)
    do(session, county.township, changes_people.move_member, daughter, into_number=into.number, relation="38",
       effective_on=first)  # fmt: skip
    do(session, county.township, changes_people.register_leave, daughter, destination="河北", effective_on=second)
    stays = residences_of(session, daughter)
    assert [(stay.from_on, stay.until_on, stay.began_by, stay.ended_by) for stay in stays] == [
        (BEGIN, first, ChangeKind.IMPORT, ChangeKind.MOVE),
        (first, second, ChangeKind.MOVE, ChangeKind.LEAVE),
    ]
    assert [stay.household_number for stay in stays][1] == into.number


def test_a_death_registered_late_ends_what_came_after_it(session: Session, county: World):
    home, (head, wife) = family(session, county, "10")
    do(
        session,
        county.township,
        changes_households.change_head,
        home,
        head_id=wife.id,
        effective_on=BEGIN + timedelta(9),
    )
    do(session, county.township, changes_people.register_death, head, died_on=BEGIN + timedelta(5))
    assert who(session, home, BEGIN + timedelta(4)) == {head.id: HEAD, wife.id: "10"}
    assert head.id not in who(session, home, BEGIN + timedelta(5))
    assert head.id not in who(session, home, BEGIN + timedelta(9))
    assert residences_of(session, head)[-1].until_on == BEGIN + timedelta(5)


def test_who_came_after_a_death_was_not_there_before(session: Session, county: World):
    home, (head,) = family(session, county)
    came = BEGIN + timedelta(days=30)
    do(session, county.township, changes_people.new_member, home, name="小明", relation="20", id_number=an_id_number(),
       effective_on=came)  # fmt: skip
    born = session.exec(select(Member).where(Member.name == "小明")).one()
    do(session, county.township, changes_people.register_death, head, died_on=BEGIN + timedelta(9), head_id=born.id)
    assert who(session, home, came - timedelta(days=1)) == {}
    assert who(session, home, came) == {born.id: HEAD}


def test_the_wrongly_dead_have_lived_there_all_the_time(session: Session, county: World):
    home, (head,) = family(session, county)
    do(session, county.township, changes_people.register_death, head, died_on=BEGIN + timedelta(9))
    do(session, county.township, changes_people.restore, head)
    for number in (0, 8, 9, 10, 400):
        assert who(session, home, BEGIN + timedelta(days=number)) == {head.id: HEAD}


def test_the_missing_still_live_where_they_were(session: Session, county: World):
    home, (head,) = family(session, county)
    do(session, county.township, changes_people.register_missing, head)
    assert who(session, home, today(session)) == {head.id: HEAD}


@pytest.mark.parametrize("verb", ["new", "end"])
def test_nobody_writes_history_but_the_database(county: World, owner: Owner, as_: As, verb: str):
    with owner() as session:
        _, (head,) = family(session, county)
    with pytest.raises(Exception, match="permission denied"), as_(county.township.head) as session:
        if verb == "new":
            session.add(Residence(division_code=head.division_code, county_code=head.county_code, person="x",
                                  household_id=head.household_id, member_id=key(head.id), relation=HEAD,
                                  from_on=BEGIN, began_by=ChangeKind.IMPORT))  # fmt: skip
        else:
            session.exec(select(Residence)).one().until_on = BEGIN


def test_history_is_seen_in_ones_own_township_only(county: World, owner: Owner, as_: As):
    with owner() as session:
        home, (head,) = family(session, county)
    with as_(county.second_township.clerk) as session:
        assert household_on(session, home, BEGIN) == []
        assert residences_of(session, head) == []
    with as_(county.township.clerk) as session:
        assert who(session, home, BEGIN) == {head.id: HEAD}
