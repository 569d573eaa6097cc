"""Projects that exclude each other: a rule's fact, both ways, by person, household, component. （第十六、十八条）"""

from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import Session

from models.projects import SubsidyProject
from models.rosters import LineState, Roster, RosterStatus
from policies.definitions import Definition, Exclusion, ExclusionSubject, stored
from tests.conftest import As
from tests.factories import World, a_household, a_line, a_member, a_project, a_roster
from tests.test_warnings import found, warned
from workflows.project_versions import amend_version, in_force
from workflows.warnings import preview

RURAL_ALLOWANCE, EXTREME_POVERTY = "2081902", "2082101"
"""农村低保 × 特困供养: one person has one of them."""
LAND, RETIRED_LAND = "2130122", "2130201"
"""耕地地力 × 退耕还林: not for one parcel."""
BELT, SOY = "2130124", "2130135"
P, H, C = ExclusionSubject


def excluding(session: Session, county: World, code: str, other: str, subject: ExclusionSubject = P) -> SubsidyProject:
    """Return a project whose version in force excludes another."""
    project = a_project(session, county, code, standard="15.0000")
    amended(session, project, exclusions=(Exclusion(code=other, subject=subject, basis="试验"),))
    return project


def amended(session: Session, project: SubsidyProject, **said: Any) -> Definition:
    """Give a project its next version, as a change that has become effective does."""
    definition = in_force(project).model_copy(update=said)
    amend_version(session, project, definition, basis="试验", effective_on=date(2024, 1, 1))
    return definition


def judged(session: Session, county: World, as_: As, roster: Roster) -> dict[int, str]:
    """Return the messages of the rule of exclusive projects, by line, as the township's clerk has them."""
    session.commit()
    with as_(county.township.clerk) as own:
        mine = own.get_one(Roster, roster.id)
        preview(own, mine, by=county.township.clerk)
        return {one.line_sequence: one.message for one in warned(own, mine) if one.rule_code == "R07"}


class TestPersons:
    def test_whoever_has_the_one_does_not_have_the_other(self, session: Session, county: World, as_: As) -> None:
        project = excluding(session, county, RURAL_ALLOWANCE, EXTREME_POVERTY)
        person = a_member(session, county)
        other = a_project(session, county, EXTREME_POVERTY, standard="15.0000")
        a_roster(session, county, project=other, lines=[a_line(member=person)])
        roster = a_roster(session, county, project=project, lines=[a_line(), a_line(member=person)])
        hits = judged(session, county, as_, roster)
        assert set(hits) == {2}
        assert other.name in hits[2]

    def test_the_other_project_is_excluded_in_turn(self, session: Session, county: World, as_: As) -> None:
        project = excluding(session, county, RURAL_ALLOWANCE, EXTREME_POVERTY)
        other = a_project(session, county, EXTREME_POVERTY, standard="15.0000")
        person = a_member(session, county)
        a_roster(session, county, project=project, lines=[a_line(member=person)])
        roster = a_roster(session, county, project=other, lines=[a_line(member=person), a_line()])
        assert set(judged(session, county, as_, roster)) == {1}

    def test_another_person_of_the_household_may_have_it(self, session: Session, county: World, as_: As) -> None:
        project = excluding(session, county, RURAL_ALLOWANCE, EXTREME_POVERTY)
        other = a_project(session, county, EXTREME_POVERTY, standard="15.0000")
        home = a_household(session, county)
        head, child = a_member(session, county, home), a_member(session, county, home, relation="20", name="王小明")
        a_roster(session, county, project=other, lines=[a_line(member=child)])
        roster = a_roster(session, county, project=project, lines=[a_line(member=head)])
        assert judged(session, county, as_, roster) == {}

    @pytest.mark.parametrize("state", [LineState.STOPPED, LineState.HELD])
    def test_what_is_stopped_or_held_excludes_nothing(
        self, session: Session, county: World, as_: As, state: LineState
    ) -> None:
        project = excluding(session, county, RURAL_ALLOWANCE, EXTREME_POVERTY)
        other = a_project(session, county, EXTREME_POVERTY, standard="15.0000")
        person = a_member(session, county)
        a_roster(session, county, project=other, lines=[a_line(member=person, state=state)])
        roster = a_roster(session, county, project=project, lines=[a_line(member=person)])
        assert judged(session, county, as_, roster) == {}

    def test_another_period_excludes_nothing(self, session: Session, county: World, as_: As) -> None:
        project = excluding(session, county, RURAL_ALLOWANCE, EXTREME_POVERTY)
        other = a_project(session, county, EXTREME_POVERTY, standard="15.0000")
        person = a_member(session, county)
        former = {"period_start": date(2023, 1, 1), "period_end": date(2023, 12, 31)}
        a_roster(session, county, project=other, period="2023", lines=[a_line(member=person)], **former)
        roster = a_roster(session, county, project=project, lines=[a_line(member=person)])
        assert judged(session, county, as_, roster) == {}
        within = {"period_start": date(2024, 12, 1), "period_end": date(2025, 1, 31)}
        a_roster(session, county, project=other, period="2024-12", lines=[a_line(member=person)], **within)
        assert set(judged(session, county, as_, roster)) == {1}

    def test_a_closed_roster_counts_where_it_paid(self, session: Session, county: World, as_: As) -> None:
        project = excluding(session, county, RURAL_ALLOWANCE, EXTREME_POVERTY)
        other = a_project(session, county, EXTREME_POVERTY, standard="15.0000")
        person = a_member(session, county)
        closed = a_roster(session, county, project=other, lines=[a_line(member=person)], status=RosterStatus.CLOSED)
        roster = a_roster(session, county, project=project, lines=[a_line(member=person)])
        assert judged(session, county, as_, roster) == {}
        session.execute(sa.text("set session_replication_role = replica"))  # the claim alone, without its payment
        claim = (
            "insert into entitlement_successes (entitlement_key, division_code, disbursement_id)"
            " select entitlement_key, county_code, 1 from roster_lines where roster_id = :id"
        )
        session.execute(sa.text(claim), {"id": closed.id})
        session.execute(sa.text("set session_replication_role = origin"))
        assert set(judged(session, county, as_, roster)) == {1}


class TestHouseholdsAndComponents:
    def test_a_household_has_one_of_two(self, session: Session, county: World, as_: As) -> None:
        project = excluding(session, county, RURAL_ALLOWANCE, "2081901", H)
        other = a_project(session, county, "2081901", standard="15.0000")
        home = a_household(session, county)
        head, child = a_member(session, county, home), a_member(session, county, home, relation="20", name="王小明")
        a_roster(session, county, project=other, lines=[a_line(member=child)])
        roster = a_roster(session, county, project=project, lines=[a_line(member=head), a_line()])
        assert set(judged(session, county, as_, roster)) == {1}

    def test_a_parcel_has_one_of_two_and_another_parcel_the_other(
        self, session: Session, county: World, as_: As
    ) -> None:
        project = excluding(session, county, RETIRED_LAND, LAND, C)
        other = a_project(session, county, LAND)
        person = a_member(session, county)
        planted = [a_line(member=person, component=part) for part in ("地块一", "地块二")]
        a_roster(session, county, project=other, lines=planted)
        retired = [a_line(member=person, component=part) for part in ("地块二", "地块三", "")]
        roster = a_roster(session, county, project=project, lines=retired)
        assert set(judged(session, county, as_, roster)) == {1}


class TestVersions:
    def test_each_roster_is_judged_by_the_version_it_was_made_under(
        self, session: Session, county: World, as_: As
    ) -> None:
        project = a_project(session, county, RURAL_ALLOWANCE, standard="15.0000")
        other = a_project(session, county, EXTREME_POVERTY, standard="15.0000")
        person = a_member(session, county)
        a_roster(session, county, project=other, lines=[a_line(member=person)])
        before = a_roster(session, county, project=project, lines=[a_line(member=person)])
        excluding(session, county, RURAL_ALLOWANCE, EXTREME_POVERTY)
        after = a_roster(session, county, project=project, period="2024补", lines=[a_line(member=person)])
        assert judged(session, county, as_, before) == {}
        assert set(judged(session, county, as_, after)) == {1}

    def test_what_a_version_says_is_kept_as_written(self, session: Session, county: World, as_: As) -> None:
        project = excluding(session, county, RURAL_ALLOWANCE, EXTREME_POVERTY)
        assert stored(in_force(project))["exclusions"] == [
            {"code": EXTREME_POVERTY, "subject": "person", "basis": "试验"}
        ]


class TestAcrossTownships:
    def test_another_townships_roster_counts_and_shows_the_projects_name_only(
        self, session: Session, county: World, as_: As
    ) -> None:
        project = excluding(session, county, RURAL_ALLOWANCE, EXTREME_POVERTY)
        other = a_project(session, county, EXTREME_POVERTY, standard="15.0000")
        person = a_member(session, county)
        there = a_member(session, county, a_household(session, county, township=county.second_township.division_code))
        session.execute(sa.text("update members set person = :p where id = :id"), {"p": person.person, "id": there.id})
        a_roster(session, county, project=other, township=county.second_township, lines=[a_line(member=there)])
        mine = a_roster(session, county, project=project, lines=[a_line(), a_line(member=person)])
        session.commit()
        assert set(judged(session, county, as_, mine)) == {2}
        asked = sa.text("select count(*) from exclusions_met(:division, :roster)")
        key = {"division": mine.division_code, "roster": mine.id}
        for by, rows in ((county.township.clerk, 1), (county.second_township.clerk, 0), (county.league, 1)):
            with as_(by) as own:
                assert own.execute(asked, key).scalar_one() == rows


class TestFormulas:
    def test_an_amount_by_a_formula_is_not_held_against_quantity_and_standard(
        self, session: Session, county: World
    ) -> None:
        project = a_project(session, county)
        plain = a_roster(session, county, project=project, lines=[a_line(amount_fen=18000)])
        preview(session, plain, by=county.township.clerk)
        assert found(session, plain) == {1: ["R11"]}
        amended(session, project, formula="数量 * 补贴标准 * 1.2")
        formula = a_roster(session, county, project=project, period="2024补", lines=[a_line(amount_fen=18000)])
        preview(session, formula, by=county.township.clerk)
        assert found(session, formula) == {}
