"""Annual lists: the region publishes, leagues and counties select; what isn't listed makes no roster. （第六、七条）"""

from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import Session, select

from models.annual_lists import AnnualList, AnnualListStatus, ListChange
from models.catalogue_tasks import CatalogueTask, CatalogueTaskKind
from models.divisions import Level
from models.events import Event
from models.officers import ActingOfficer, Role, system_principal
from models.projects import PolicyLevel
from policies.clock import today
from policies.moves import OtherDivision
from policies.refusals import NotAllowed, ReasonMissing, SamePersonTwice, StepNotPossible
from reports.sheets.templates import LAND as SHEET
from reports.sheets.templates import write_sheet
from tests.conftest import As, Owner
from tests.factories import COUNTY, LAND, LEAGUE, REGION, World, a_project
from tests.listing import (
    GRASS,
    an_office,
    ids_of,
    next_year,
    own_project,
    project_of,
    published,
    tasks,
)
from tests.world import _officer, key
from workflows import annual_list_year, imports
from workflows import annual_lists as lists
from workflows.annual_list_offers import LISTED, below
from workflows.list_adoption import adopt_lists
from workflows.sessions import hasher

MANZHOULI, ERENHOT, HULUNBUIR = "150781000000", "152501000000", "150700000000"


class TestTheRegionPublishes:
    def test_one_drafts_another_publishes_and_every_bureau_below_is_told_at_once(self, session, county):
        office, year = county.region_finance, next_year(session)
        record = lists.draft(session, by=office.clerk, year=year)
        assert (record.edition, record.status, record.upper_id) == (1, AnnualListStatus.DRAFT, None)
        items = lists.items_of(session, record)
        assert {one.policy_level for one in items} == {PolicyLevel.CENTRAL, PolicyLevel.REGION}
        assert {one.change for one in items} == {ListChange.KEPT}  # last year's list had them all
        lists.submit(session, record, by=office.clerk)
        with pytest.raises(NotAllowed):
            lists.publish(session, record, by=office.clerk)
        lists.publish(session, record, by=office.reviewer)
        assert record.digest == lists.digest(session, record) != ""
        told = tasks(session)
        leagues = list(session.scalars(sa.text("select code from divisions where level = 'league'")))
        assert set(told) == {*leagues, MANZHOULI, ERENHOT} and len(leagues) == 12
        assert told[LEAGUE].due_on == date(year - 1, 12, 31)
        verbs = session.scalars(sa.select(Event.verb).filter_by(noun="annual_list", record_id=record.id))
        assert list(verbs) == ["begin", "submit", "publish"]

    def test_tasks_for_all_below_are_one_statement(self, session, county):
        record = lists.draft(session, by=county.region_finance.clerk, year=next_year(session))
        lists.submit(session, record, by=county.region_finance.clerk)
        said: list[str] = []
        connection = session.connection()
        sa.event.listen(connection, "before_cursor_execute", lambda *a: said.append(a[2]))
        lists.publish(session, record, by=county.region_finance.reviewer)
        assert sum(1 for one in said if "insert into catalogue_tasks" in one) == 1
        assert len(said) < 45

    def test_nobody_publishes_what_they_have_drafted(self, session, county):
        office = county.region_finance
        reviewer = _officer(session, hasher().hash("x" * 12), office.organisation_id, Role.REVIEWER, "one.more")
        record = lists.draft(session, by=office.clerk, year=next_year(session))
        lists.submit(session, record, by=office.clerk)
        twin = reviewer.__class__(**{**vars(reviewer), "person": office.clerk.person})
        with pytest.raises(SamePersonTwice):
            lists.publish(session, record, by=twin)

    @pytest.mark.parametrize("who", ["department.clerk", "township.clerk", "finance.auditor", "finance.reviewer"])
    def test_nobody_else_drafts(self, session, county, who):
        office, role = who.split(".")
        with pytest.raises(NotAllowed):
            lists.draft(session, by=getattr(getattr(county, office), role), year=next_year(session))

    def test_only_this_year_and_the_next_are_open_and_one_draft_at_a_time(self, session, county):
        clerk, year = county.region_finance.clerk, next_year(session)
        for wrong in (year + 1, year - 2, 0):
            with pytest.raises(lists.YearNotOpen, match=str(year)):
                lists.draft(session, by=clerk, year=wrong)
        first = lists.draft(session, by=clerk, year=year)
        with pytest.raises(lists.DraftOpen, match=first.number):
            lists.draft(session, by=county.region_finance.second_clerk, year=year)
        with pytest.raises(ReasonMissing):
            lists.withdraw(session, first, by=clerk, reason=" ")
        lists.withdraw(session, first, by=clerk, reason="重编")
        assert lists.draft(session, by=clerk, year=year).edition == 1

    def test_an_empty_list_and_a_supplement_without_change_are_refused(self, session, county):
        office, year = county.region_finance, next_year(session)
        record = lists.draft(session, by=office.clerk, year=year)
        lists.choose(session, record, by=office.clerk, project_ids=[], reasons={})
        with pytest.raises(lists.ListEmpty):
            lists.submit(session, record, by=office.clerk)
        again = lists.draft(session, by=office.clerk, year=year - 1)
        assert again.edition == 2
        with pytest.raises(lists.NothingChanged):
            lists.submit(session, again, by=office.clerk)

    def test_a_returned_draft_is_selected_anew_and_published(self, session, county):
        office, year = county.region_finance, next_year(session)
        record = lists.draft(session, by=office.clerk, year=year)
        lists.submit(session, record, by=office.clerk)
        with pytest.raises(StepNotPossible):
            lists.choose(session, record, by=office.clerk, project_ids=[], reasons={})
        lists.return_(session, record, by=office.reviewer, reason="少一项")
        land = project_of(session)
        lists.choose(session, record, by=office.clerk, project_ids=[key(land.id)], reasons={})
        lists.submit(session, record, by=office.clerk)
        lists.publish(session, record, by=office.reviewer)
        assert ids_of(session, record) == {land.id}

    def test_a_project_that_changed_after_submission_sends_the_list_back(self, session, county):
        office, year = county.region_finance, next_year(session)
        record = lists.draft(session, by=office.clerk, year=year)
        lists.submit(session, record, by=office.clerk)
        session.execute(sa.text("set local session_replication_role = replica"))
        session.execute(sa.text("update subsidy_projects set project_version = 2 where code = :code"), {"code": LAND})
        session.execute(sa.text("set local session_replication_role = origin"))
        with pytest.raises(lists.ListOutdated, match="耕地地力"):
            lists.publish(session, record, by=office.reviewer)
        lists.return_(session, record, by=office.reviewer, reason="项目已变更")
        lists.submit(session, record, by=office.clerk)
        lists.publish(session, record, by=office.reviewer)
        assert next(one for one in lists.items_of(session, record) if one.code == LAND).project_version == 2


class TestSelecting:
    def test_a_league_selects_from_the_region_and_a_county_from_its_league(self, session, county):
        year, land, grass = next_year(session), project_of(session), project_of(session, GRASS)
        with pytest.raises(lists.UpperNotPublished, match="内蒙古自治区"):
            lists.draft(session, by=county.league_finance.clerk, year=year)
        region = published(session, county.region_finance, year, drop=(key(grass.id),))
        with pytest.raises(lists.UpperNotPublished, match="赤峰市"):
            lists.draft(session, by=county.finance.clerk, year=year)
        own = own_project(session, LEAGUE, PolicyLevel.LEAGUE, "CF001")
        alien = own_project(session, "152500000000", PolicyLevel.LEAGUE, "XL001")
        draft = lists.draft(session, by=county.league_finance.clerk, year=year)
        offered = {one.project_id for one in lists.offers(session, LEAGUE, year, draft) if one.offered}
        assert {land.id, own.id} <= offered and not {grass.id, alien.id} & offered
        for wrong in (grass, alien):
            with pytest.raises(lists.NotOffered):
                lists.choose(session, draft, by=county.league_finance.clerk, project_ids=[key(wrong.id)], reasons={})
        lists.choose(
            session, draft, by=county.league_finance.clerk, project_ids=[key(land.id), key(own.id)], reasons={}
        )
        lists.submit(session, draft, by=county.league_finance.clerk)
        assert draft.upper_id == region.id
        lists.publish(session, draft, by=county.league_finance.reviewer)
        assert LEAGUE not in tasks(session)  # what asked for it has gone
        assert COUNTY in tasks(session)
        chosen = published(session, county.finance, year, keep=(key(land.id), key(own.id)))
        assert ids_of(session, chosen) == {land.id, own.id}
        assert COUNTY not in tasks(session)

    def test_a_county_lists_its_own_projects_and_nobody_elses(self, session, county):
        year = next_year(session)
        published(session, county.region_finance, year)
        published(session, county.league_finance, year)
        own = own_project(session, COUNTY, PolicyLevel.COUNTY, "AH001")
        other = own_project(session, county.other_county.code, PolicyLevel.COUNTY, "AB001")
        draft = lists.draft(session, by=county.finance.clerk, year=year)
        found = {one.project_id: one for one in lists.offers(session, COUNTY, year, draft)}
        assert found[key(own.id)].offered and other.id not in found

    @pytest.mark.parametrize(("city", "league"), [(MANZHOULI, HULUNBUIR), (ERENHOT, "152500000000")])
    def test_a_region_direct_city_selects_without_a_league(self, session, county, city, league):
        year = next_year(session)
        office = an_office(session, city, "direct")
        published(session, county.region_finance, year)
        assert city in tasks(session) and city not in below(session, league, Level.LEAGUE)
        record = published(session, office, year)
        assert session.get_one(AnnualList, record.upper_id).division_code == REGION
        assert city not in tasks(session)

    def test_nobody_selects_for_another_division(self, session, county):
        year = next_year(session)
        published(session, county.region_finance, year)
        published(session, county.league_finance, year)
        draft = lists.draft(session, by=county.finance.clerk, year=year)
        for by in (county.league_finance.clerk, county.region_finance.clerk):
            with pytest.raises(OtherDivision):
                lists.choose(session, draft, by=by, project_ids=[], reasons={})
            with pytest.raises(OtherDivision):
                lists.submit(session, draft, by=by)

    def test_through_the_applications_role_a_county_reads_its_leagues_list_and_writes_its_own(
        self, county: World, owner: Owner, as_: As
    ):
        with owner() as session:
            year = next_year(session)
            published(session, county.region_finance, year)
            league = published(session, county.league_finance, year)
        with as_(county.finance.clerk) as session:
            draft = lists.draft(session, by=county.finance.clerk, year=year)
            lists.submit(session, draft, by=county.finance.clerk)
        with as_(county.finance.reviewer) as session:
            lists.publish(session, session.get_one(AnnualList, draft.id), by=county.finance.reviewer)
        with as_(county.township.clerk) as session:
            lists.require_listed(session, project_of(session), COUNTY, date(year, 1, 1))
            assert lists.latest(session, LEAGUE, year).id == league.id
        with as_(county.other_county.finance.clerk) as session:
            assert lists.latest(session, COUNTY, year) is None


class TestRequireListed:
    def test_a_project_the_county_has_not_selected_makes_no_roster(self, county: World, owner: Owner, as_: As):
        with owner() as session:
            land, year = project_of(session), today(session).year
            published(session, county.finance, year, drop=(key(land.id),))
            a_project(session, county, listed=False)
        by = county.township.clerk
        asked: dict[str, Any] = {
            "by": by, "project": land, "period": str(year), "period_start": date(year, 1, 1),
            "period_end": date(year, 12, 31), "file_name": "清册.xlsx",
        }  # fmt: skip
        content = write_sheet(SHEET, "清册", ())
        with as_(by) as session, pytest.raises(lists.NotListed, match=f"敖汉旗 {year} 年度项目清单.*旗县财政局"):
            imports.receive(session, content=content, **asked)
        with as_(by) as session:  # last year's list still has it
            lists.require_listed(session, land, COUNTY, date(year - 1, 7, 1))

    def test_it_is_one_indexed_statement(self, session, county):
        said: list[str] = []
        sa.event.listen(session.connection(), "before_cursor_execute", lambda *a: said.append(a[2]))
        lists.require_listed(session, project_of(session), COUNTY, today(session))
        assert len([one for one in said if "annual_list" in one]) == 1
        session.execute(sa.text("set enable_seqscan = off"))
        plan = "\n".join(
            session.scalars(sa.text("explain " + str(LISTED)), {"county": COUNTY, "year": 2024, "project": 1})
        )
        assert "uq_annual_lists_edition" in plan and "uq_annual_list_items_list_id_project_id" in plan, plan

    def test_adoption_lists_what_is_missing_once(self, session, county):
        assert adopt_lists(session, [COUNTY], [2024]) == 0
        own_project(session, COUNTY, PolicyLevel.COUNTY, "AH002")
        assert adopt_lists(session, [COUNTY], [2024]) == 1
        assert lists.latest(session, COUNTY, 2024).edition == 2
        assert adopt_lists(session, [COUNTY], [2024]) == 0


class TestTheYear:
    def at(self, owner: Owner, day: date) -> None:
        with owner() as session:
            _move(session, day)

    def system(self) -> ActingOfficer:
        return system_principal(REGION, Level.REGION, "定时任务")

    def open(self, owner: Owner) -> list[CatalogueTask]:
        with owner() as session:
            return list(session.exec(select(CatalogueTask).order_by("division_code")))

    def test_from_october_each_bureau_is_asked_once_and_reminded_before_the_end(self, county: World, owner: Owner):
        with owner() as session:
            year = today(session).year + 1
        self.at(owner, date(year, 9, 30))
        assert annual_list_year.ask_for_lists(self.system()) == 0
        self.at(owner, date(year, 10, 1))
        first = annual_list_year.ask_for_lists(self.system())
        asked = self.open(owner)
        kinds = {one.division_code: one.kind for one in asked}
        assert len(asked) == first > 100 and kinds[REGION] == CatalogueTaskKind.PUBLISH_LIST
        assert {kinds[LEAGUE], kinds[COUNTY], kinds[MANZHOULI]} == {CatalogueTaskKind.SELECT_LIST}
        assert {one.due_on for one in asked} == {date(year, 12, 31)}
        assert annual_list_year.ask_for_lists(self.system()) == 0
        with owner() as session:
            lists_of_all = published(session, county.region_finance, year + 1)
            assert lists_of_all.edition == 1
            assert len(tasks(session)) == first - 1  # the region's own has vanished, nobody is asked twice
        self.at(owner, date(year, 12, 10))
        assert annual_list_year.ask_for_lists(self.system()) == first - 1
        assert annual_list_year.ask_for_lists(self.system()) == 0
        waiting = [one for one in self.open(owner) if one.status == "finance"]
        assert all(one.detail.startswith("催办，距期限不足 20 个工作日") for one in waiting) and waiting


def _move(session: Session, day: date) -> None:
    session.execute(
        sa.text(
            "update business_clock set moved_by = cast(:day as timestamp) at time zone 'Asia/Shanghai'"
            " + interval '10 hours' - clock_timestamp()"
        ),
        {"day": day.isoformat()},
    )
