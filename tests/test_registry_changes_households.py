"""Changes of households: another head, split, joined, closed. （第十一条）"""

import pytest
from sqlmodel import Session, select

from models.events import Event
from models.households import Household, HouseholdStatus
from policies.clock import today
from policies.codes import HEAD
from tests.changes import changes_households, changes_people, do, family
from tests.factories import SECOND_TOWNSHIP, World, a_household, a_member, an_asset
from workflows.change_rules import (
    HeadNeeded,
    HouseholdNotActive,
    HouseholdUnknown,
    NotAHead,
)
from workflows.changes_households import NobodyToMove, SameHousehold, WholeHousehold


class TestHead:
    def test_another_head_renames_the_household_and_turns_the_relations_round(self, session: Session, county: World):
        home, (head, wife, son) = family(session, county, "10", "20")
        do(session, county.township, changes_households.change_head, home, head_id=wife.id, relations={son.id: "27"})
        assert home.head_name == wife.name
        assert [one.relation for one in (wife, son)] == [HEAD, "27"]
        assert head.relation == ("11" if head.sex == "1" else "12")

    def test_whoever_is_the_head_or_lives_elsewhere_becomes_none(self, session: Session, county: World):
        home, (head, _) = family(session, county, "10")
        stranger = a_member(session, county)
        for one in (head, stranger):
            with pytest.raises(NotAHead):
                changes_households.change_head(
                    session, home, by=county.township.clerk, head_id=one.id or 0, reason="改"
                )

    def test_a_household_without_a_head_is_given_one(self, session: Session, county: World):
        home = a_household(session, county)
        son = a_member(session, county, home, relation="20")
        do(session, county.township, changes_households.change_head, home, head_id=son.id)
        assert (son.relation, home.head_name) == (HEAD, son.name)


class TestSplitAndJoin:
    def test_some_of_a_household_form_their_own(self, session: Session, county: World):
        home, (head, wife, son, bride) = family(session, county, "10", "20", "38")
        do(session, county.township, changes_households.split, home, member_ids=[son.id, bride.id], head_id=son.id,
           address="北街 1 号", relations={bride.id: "10"})  # fmt: skip
        new = session.get_one(Household, son.household_id)
        assert (new.id != home.id, new.head_name, new.address, new.village) == (True, son.name, "北街 1 号", "东村")
        assert (son.relation, bride.relation, bride.household_id) == (HEAD, "10", new.id)
        assert (head.household_id, wife.household_id) == (home.id, home.id)

    def test_when_the_head_leaves_the_others_need_one(self, session: Session, county: World):
        home, (head, wife, son) = family(session, county, "10", "20")
        asked = {"member_ids": [head.id], "head_id": head.id}
        with pytest.raises(HeadNeeded, match="还有 2 名成员"):
            changes_households.split(session, home, by=county.township.clerk, reason="分户", **asked)
        do(session, county.township, changes_households.split, home, **asked, stay_head_id=wife.id)
        assert (wife.relation, home.head_name, head.relation) == (HEAD, wife.name, HEAD)
        assert son.household_id == home.id

    def test_not_nobody_not_everybody_not_a_stranger(self, session: Session, county: World):
        home, (head, wife) = family(session, county, "10")
        stranger = a_member(session, county)
        by = county.township.clerk
        for who, refusal in (
            ([], NobodyToMove), ([stranger.id], NobodyToMove), ([head.id, wife.id], WholeHousehold),
        ):  # fmt: skip
            with pytest.raises(refusal):
                changes_households.split(session, home, by=by, member_ids=who, head_id=wife.id or 0, reason="分户",
                                         stay_head_id=head.id or 0)  # fmt: skip
        with pytest.raises(NotAHead):
            changes_households.split(
                session, home, by=by, member_ids=[wife.id or 0], head_id=head.id or 0, reason="分户"
            )

    def test_a_household_goes_over_into_another_with_its_assets_and_is_closed(self, session: Session, county: World):
        home, (head, wife) = family(session, county, "10")
        into, (other,) = family(session, county)
        land = an_asset(session, home)
        do(session, county.township, changes_households.join, home, into_number=into.number, relations={head.id: "51"})
        assert [one.household_id for one in (head, wife)] == [into.id, into.id]
        assert [one.relation for one in (head, wife, other)] == ["51", "80", HEAD]
        assert (home.status, home.closed_on, land.household_id) == (HouseholdStatus.CLOSED, today(session), into.id)
        told = session.exec(select(Event).where(Event.noun == "household", Event.record_id == home.id)).one()
        assert into.number in told.label

    def test_not_into_itself_nor_one_that_is_closed_or_elsewhere(self, session: Session, county: World):
        home, _ = family(session, county)
        shut = a_household(session, county, status=HouseholdStatus.CLOSED)
        foreign = a_household(session, county, township=SECOND_TOWNSHIP)
        by = county.township.clerk
        with pytest.raises(SameHousehold):
            changes_households.join(session, home, by=by, into_number=home.number, reason="并户")
        for other in (shut, foreign):
            with pytest.raises(HouseholdUnknown, match=other.number):
                changes_households.join(session, home, by=by, into_number=other.number, reason="并户")

    def test_a_closed_household_changes_no_more(self, session: Session, county: World):
        home, (head,) = family(session, county)
        do(session, county.township, changes_people.register_leave, head, destination="河北省张家口市")
        with pytest.raises(HouseholdNotActive, match=home.number):
            changes_households.change_household(session, home, by=county.township.clerk, village="西村", reason="改")
