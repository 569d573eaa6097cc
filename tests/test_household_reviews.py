"""Yearly reviews: prepared by one, signed by another, singly or by the village; who is overdue. （第十一、三十一条）"""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from models.divisions import Level
from models.events import DeskHolder, Event
from models.household_reviews import HouseholdReview, ReviewStatus
from models.households import Household, HouseholdStatus
from models.officers import Officer, Role
from policies.clock import today
from policies.deadlines import HOUSEHOLD_REVIEW
from policies.interests import OwnHousehold
from policies.refusals import NotAllowed, NotFound, ReasonMissing, SamePersonTwice
from tests.conftest import As, Owner
from tests.factories import SECOND_TOWNSHIP, World, a_household, a_member, key, second_account
from workflows import household_reviews
from workflows.edges import edge
from workflows.household_reviews import (
    NotePersonal,
    NothingToReview,
    NotReviewable,
    ReviewedAlready,
    TooManyAtOnce,
    VisitLater,
)


def found(session, **told):
    return {"visited_on": today(session), "finding": "agrees", "checked": ["members", "assets"]} | told


@pytest.fixture
def homes(county: World, owner: Owner) -> list[int]:
    """Three households of 东村, two of which nobody has looked into for more than a year, and one of 西村."""
    with owner() as session:
        old = today(session) - timedelta(days=400)
        made = [a_household(session, county, reviewed_on=day) for day in (old, None, today(session))]
        made.append(a_household(session, county, village="西村", reviewed_on=old))
        return [key(one.id) for one in made]


class TestOne:
    def test_what_the_head_signs_counts_from_the_visit(self, homes, county: World, as_: As):
        clerk, head = county.township.clerk, county.township.head
        with as_(clerk) as session:
            day = today(session) - timedelta(days=3)
            home = session.get_one(Household, homes[0])
            review = household_reviews.prepare(session, home, by=clerk, **found(session, visited_on=day))
        with as_(clerk) as session:
            assert session.get_one(Household, homes[0]).reviewed_on != day
        with as_(head) as session:
            signed = household_reviews.sign(session, session.get_one(HouseholdReview, review.id), by=head)
            assert (signed.status, signed.signed_at is not None) == (ReviewStatus.SIGNED, True)
        with as_(clerk) as session:
            assert session.get_one(Household, homes[0]).reviewed_on == day
            verbs = session.execute(
                sa.select(Event.verb, Event.desk).filter_by(noun="household_review").order_by(Event.id)
            ).all()
        assert verbs == [("begin", "township_keeper"), ("sign", "township_head")]

    def test_whoever_prepared_it_cannot_sign_it(self, homes, county: World, as_: As, owner: Owner):
        clerk = county.township.clerk
        with owner() as session:
            twin = second_account(session, clerk, county.township.organisation_id, Role.HEAD)
        with as_(clerk) as session:
            review = household_reviews.prepare(
                session, session.get_one(Household, homes[0]), by=clerk, **found(session)
            )
        with pytest.raises(SamePersonTwice), edge(twin, "sign") as session:
            household_reviews.sign(session, session.get_one(HouseholdReview, review.id), by=twin)
        with pytest.raises(NotAllowed), edge(clerk, "sign") as session:
            household_reviews.sign(session, session.get_one(HouseholdReview, review.id), by=clerk)

    def test_a_head_prepares_nothing_and_another_township_finds_nothing(self, homes, county: World, as_: As):
        head, stranger = county.township.head, county.second_township.clerk
        with pytest.raises(NotAllowed), edge(head, "prepare") as session:
            household_reviews.prepare(session, session.get_one(Household, homes[0]), by=head, **found(session))
        with as_(county.township.clerk) as session:
            home = session.get_one(Household, homes[0])
        with pytest.raises(NotFound), edge(stranger, "prepare") as session:
            household_reviews.prepare(session, home, by=stranger, **found(session))

    def test_one_review_a_year_unless_it_was_withdrawn(self, homes, county: World, as_: As):
        clerk = county.township.clerk
        with as_(clerk) as session:
            review = household_reviews.prepare(
                session, session.get_one(Household, homes[0]), by=clerk, **found(session)
            )
        with pytest.raises(ReviewedAlready, match=review.number), edge(clerk, "prepare") as session:
            household_reviews.prepare(session, session.get_one(Household, homes[0]), by=clerk, **found(session))
        with as_(clerk) as session:
            household_reviews.withdraw(session, session.get_one(HouseholdReview, review.id), by=clerk, reason="录错")
            household_reviews.prepare(session, session.get_one(Household, homes[0]), by=clerk, **found(session))

    def test_returned_it_goes_back_and_comes_again(self, homes, county: World, as_: As):
        clerk, head = county.township.clerk, county.township.head
        with as_(clerk) as session:
            review = household_reviews.prepare(
                session, session.get_one(Household, homes[0]), by=clerk, **found(session)
            )
        with pytest.raises(ReasonMissing), edge(head, "return_") as session:
            household_reviews.return_(session, session.get_one(HouseholdReview, review.id), by=head, reason=" ")
        with as_(head) as session:
            household_reviews.return_(
                session, session.get_one(HouseholdReview, review.id), by=head, reason="未核对资产"
            )
        with as_(clerk) as session:
            again = household_reviews.resubmit(session, session.get_one(HouseholdReview, review.id), by=clerk)
            assert (again.status, again.returned_for) == (ReviewStatus.PREPARED, "未核对资产")
        with as_(head) as session:
            household_reviews.sign(session, session.get_one(HouseholdReview, review.id), by=head)

    @pytest.mark.parametrize(
        ("told", "refusal"),
        [
            ({"note": "电话 13800000001"}, NotePersonal),
            ({"checked": []}, ReasonMissing),
            ({"checked": ["nothing"]}, ReasonMissing),
            ({"finding": "perhaps"}, ReasonMissing),
        ],
    )
    def test_what_is_written_must_be_sound(self, homes, county: World, as_: As, told, refusal):
        clerk = county.township.clerk
        with pytest.raises(refusal), edge(clerk, "prepare") as session:
            household_reviews.prepare(session, session.get_one(Household, homes[0]), by=clerk, **found(session, **told))

    def test_a_visit_of_tomorrow_and_a_closed_household_are_refused(self, homes, county: World, owner: Owner):
        clerk = county.township.clerk
        with pytest.raises(VisitLater), edge(clerk, "prepare") as session:
            told = found(session, visited_on=today(session) + timedelta(days=1))
            household_reviews.prepare(session, session.get_one(Household, homes[0]), by=clerk, **told)
        with owner() as session:
            session.get_one(Household, homes[1]).status = HouseholdStatus.CLOSED
        with pytest.raises(NotReviewable), edge(clerk, "prepare") as session:
            household_reviews.prepare(session, session.get_one(Household, homes[1]), by=clerk, **found(session))


class TestMany:
    def test_a_village_is_prepared_and_signed_in_two_steps(self, homes, county: World, as_: As):
        clerk, head = county.township.clerk, county.township.head
        with as_(clerk) as session:
            listed = household_reviews.to_review(session, clerk.division_code, "东村")
            assert [one.id for one in listed] == [homes[1], homes[0]]
            made = household_reviews.prepare_many(session, [one.id for one in listed], by=clerk, **found(session))
            assert len(made) == 2
            assert household_reviews.to_review(session, clerk.division_code, "东村") == []
        with as_(head) as session:
            waiting = household_reviews.to_sign(session, head.division_code, "东村")
            assert household_reviews.sign_many(session, [one.id for one in waiting], by=head) == 2
            assert household_reviews.to_sign(session, head.division_code, "东村") == []
        with as_(clerk) as session:
            days = [session.get_one(Household, one).reviewed_on for one in homes]
            assert days[0] == days[1] == today(session)
            desks = session.execute(sa.select(DeskHolder.desk).filter_by(noun="household_review")).scalars().all()
        assert sorted(desks) == ["township_head", "township_head", "township_keeper", "township_keeper"]

    def test_another_townships_households_are_passed_over(self, homes, county: World, owner: Owner, as_: As):
        with owner() as session:
            foreign = key(a_household(session, county, township=SECOND_TOWNSHIP, reviewed_on=None).id)
        clerk = county.township.clerk
        with pytest.raises(NothingToReview), edge(clerk, "prepare") as session:
            household_reviews.prepare_many(session, [foreign], by=clerk, **found(session))
        with as_(clerk) as session:
            assert len(household_reviews.prepare_many(session, [foreign, homes[0]], by=clerk, **found(session))) == 1

    def test_too_many_at_once_are_refused_and_nobody_signs_twice(self, homes, county: World, as_: As):
        clerk, head = county.township.clerk, county.township.head
        with pytest.raises(TooManyAtOnce), edge(clerk, "prepare") as session:
            household_reviews.prepare_many(session, list(range(1, 502)), by=clerk, **found(session))
        with as_(clerk) as session:
            made = household_reviews.prepare_many(session, homes, by=clerk, **found(session))
        with as_(head) as session:
            assert household_reviews.sign_many(session, made, by=head) == len(homes)
        with pytest.raises(NotFound), edge(head, "sign") as session:
            household_reviews.sign_many(session, made, by=head)

    def test_nobody_signs_for_their_own_household(self, homes, county: World, owner: Owner, as_: As):
        clerk, head = county.township.clerk, county.township.head
        with owner() as session:
            mine = a_member(session, county, session.get_one(Household, homes[0]))
            session.get_one(Officer, head.officer_id).person_index = mine.id_index
        with as_(clerk) as session:
            made = household_reviews.prepare_many(session, homes[:2], by=clerk, **found(session))
        with pytest.raises(OwnHousehold, match="您本人的家庭"), edge(head, "sign") as session:
            household_reviews.sign_many(session, made, by=head)
        with as_(head) as session:
            reviews = [session.get_one(HouseholdReview, one) for one in made]
            others = [one.id for one in reviews if one.household_id != homes[0]]
            assert household_reviews.sign_many(session, others, by=head) == 1

    def test_the_database_refuses_a_signature_without_a_second_person(self, homes, county: World, as_: As):
        clerk = county.township.clerk
        with as_(clerk) as session:
            made = household_reviews.prepare_many(session, homes[:1], by=clerk, **found(session))
        for statement in (
            "update household_reviews set status = 'signed'",
            "insert into household_reviews (division_code, county_code, number, household_id, year, status, version,"
            " village, subject, visited_on, finding, checked, note, returned_for) select division_code, county_code,"
            " 'x', household_id, 1999, 'signed', 1, '', '', visited_on, finding, checked, '', ''"
            " from household_reviews",
            "delete from household_reviews",
        ):
            with pytest.raises(sa.exc.DBAPIError) as refused, as_(clerk) as session:
                session.execute(sa.text(statement))
            assert refused.value.orig.sqlstate == "42501", statement
        assert made


class TestOverdue:
    def test_a_township_counts_its_villages_and_a_county_its_townships(
        self, homes, county: World, owner: Owner, as_: As
    ):
        with owner() as session:
            a_household(session, county, township=SECOND_TOWNSHIP, reviewed_on=today(session))
            a_household(session, county, status=HouseholdStatus.CLOSED, reviewed_on=None)
        clerk = county.township.clerk
        with as_(clerk) as session:
            household_reviews.prepare_many(session, homes[:1], by=clerk, **found(session))
            rows = household_reviews.progress(session, Level.TOWNSHIP, clerk.scope.start, clerk.scope.end)
        seen = {row.key: (row.households, row.overdue, row.never, row.waiting, row.share) for row in rows}
        assert seen == {"东村": (3, 2, 1, 1, 33), "西村": (1, 1, 0, 0, 0)}
        officer = county.finance.clerk
        with as_(officer) as session:
            rows = household_reviews.progress(session, Level.COUNTY, officer.scope.start, officer.scope.end)
        assert [(row.key, row.households, row.overdue) for row in rows] == [
            (county.township.division_code, 4, 3), (SECOND_TOWNSHIP, 1, 0),
        ]  # fmt: skip

    def test_the_limit_is_a_year_as_of_business_today(self, county: World, as_: As):
        with as_(county.township.clerk) as session:
            day = today(session)
            assert HOUSEHOLD_REVIEW.months == 12
            assert household_reviews.limit_day(session) == day.replace(year=day.year - 1)
