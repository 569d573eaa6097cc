"""Local rules: stricter only, by two people of one bureau, told to the region; limits follow. （第三十六条）"""

from dataclasses import replace
from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, select

from models.catalogue_tasks import CatalogueTask, CatalogueTaskKind, CatalogueTaskStatus
from models.local_rules import LocalRule, LocalRuleStatus
from models.projects import NoticeStage
from models.rosters import Roster, RosterStatus
from policies import deadlines
from policies.clock import now, today
from policies.limits import HOUSEHOLD_REVIEW, NOTICE_DAYS, PARAMETERS, days_for, due_on, value_for
from policies.moves import OtherDivision, begin, move_many
from policies.refusals import NotAllowed, ReasonMissing, SamePersonTwice
from policies.working_days import add_working_days
from tests.conftest import As
from tests.factories import World, a_project, key
from tests.world import COUNTY, LEAGUE, OTHER_TOWNSHIP, TOWNSHIP
from workflows import local_rules, notices
from workflows.household_reviews import limit_day
from workflows.local_rules import (
    LocalValueWrong,
    LooserThanLaw,
    LooserThanLeague,
    NoLocalRules,
    ParameterUnknown,
    RuleDayWrong,
    RuleOverlaps,
)
from workflows.notices import NoticeDaysTooFew, set_period

PDF = b"%PDF-1.4\n1 0 obj\nendobj\n%%EOF\n"


def proposed(session: Session, office, parameter="township_notice", value=3, **more) -> LocalRule:
    asked = {"valid_from": today(session), "document_number": "敖财发〔2026〕3号", "document_title": "敖汉旗实施细则"}
    return local_rules.propose(session, by=office.clerk, parameter=parameter, value=value, **(asked | more))


def settled(session: Session, office, parameter="township_notice", value=3, **more) -> LocalRule:
    record = proposed(session, office, parameter, value, **more)
    return local_rules.settle(session, record, by=office.reviewer)


def a_roster_of(session: Session, county: World, township: str, number: int) -> Roster:
    """Begin a roster of a township today."""
    project = a_project(session, county)
    roster = Roster(
        division_code=township, county_code=f"{township[:6]}000000", number=f"QCL{number}", project_id=key(project.id),
        project_name=project.name, sector="农牧", township="镇", period="2026年", period_start=date(2026, 1, 1),
        period_end=date(2026, 12, 31), status=RosterStatus.DRAFT, line_count=0, amount_fen=0,
        generated_at=now(session),
    )  # fmt: skip
    return begin(session, roster, by=county.township.clerk, label="造册", desk=None)


class TestCatalogue:
    def test_what_a_rule_may_set_is_closed_and_starts_from_the_law(self):
        assert {code: one.law_value for code, one in PARAMETERS.items()} == {
            **{limit.code: limit.working_days for limit in deadlines.ALL},
            "household_review": 12, "notice_days": 1, "reconciliation": 31,
        }  # fmt: skip

    def test_nothing_else_can_be_set(self, session, county):
        with pytest.raises(ParameterUnknown, match="清册公示时限"):
            proposed(session, county.finance, "anything")


class TestStricterOnly:
    @pytest.mark.parametrize(("parameter", "value"), [("township_notice", 6), ("household_review", 13),
                                                       ("reconciliation", 32)])  # fmt: skip
    def test_looser_than_the_law_is_refused_with_both_numbers(self, session, county, parameter, value):
        with pytest.raises(LooserThanLaw, match=f"本地数值 {value} .*为 {PARAMETERS[parameter].law_value} "):
            proposed(session, county.finance, parameter, value)

    def test_looser_than_the_leagues_rule_is_refused_with_both_numbers(self, session, county):
        settled(session, county.league_finance, value=3)
        with pytest.raises(LooserThanLeague, match="本地数值 4 .*盟市现行细则为 3 "):
            proposed(session, county.finance, value=4)
        settled(session, county.league_finance, "notice_days", 7)
        with pytest.raises(LooserThanLeague, match="本地数值 5 .*盟市现行细则为 7 "):
            proposed(session, county.finance, "notice_days", 5)
        assert proposed(session, county.finance, "notice_days", 10)

    @pytest.mark.parametrize("value", [0, -1, 367])
    def test_the_value_is_a_number_in_reach(self, session, county, value):
        with pytest.raises(LocalValueWrong):
            proposed(session, county.finance, value=value)

    def test_days_that_two_rules_would_share_are_refused(self, session, county):
        first = settled(session, county.finance, valid_to=today(session) + timedelta(days=30))
        with pytest.raises(RuleOverlaps, match=first.number):
            proposed(session, county.finance, value=2, valid_from=today(session) + timedelta(days=9))
        assert proposed(session, county.finance, value=2, valid_from=today(session) + timedelta(days=31))

    def test_a_rule_never_reaches_back(self, session, county):
        with pytest.raises(RuleDayWrong, match="溯及"):
            proposed(session, county.finance, valid_from=today(session) - timedelta(days=1))


class TestDesks:
    def test_leagues_and_counties_finance_propose_and_nobody_else(self, session, county):
        for office in (county.department, county.league_department):
            with pytest.raises(NoLocalRules):
                proposed(session, office)
        for by in (county.region_finance.clerk, county.township.clerk, county.finance.reviewer):
            with pytest.raises(NotAllowed):
                proposed(session, replace(county.finance, clerk=by))

    def test_nobody_settles_their_own_nor_for_another_place(self, session, county):
        record = proposed(session, county.finance)
        twin = replace(county.finance.reviewer, person=county.finance.clerk.person)
        with pytest.raises(SamePersonTwice):
            local_rules.settle(session, record, by=twin)
        with pytest.raises(OtherDivision):
            local_rules.settle(session, record, by=county.league_finance.reviewer)

    def test_the_region_files_what_is_settled_and_its_task_goes(self, county: World, owner, as_: As):
        with as_(county.finance.clerk) as session:
            record = proposed(session, county.finance, file=("细则.pdf", PDF))
            assert record.file_id
        with as_(county.finance.reviewer) as session:
            local_rules.settle(session, session.get_one(LocalRule, record.id), by=county.finance.reviewer)
        with owner() as session:
            task = session.exec(select(CatalogueTask)).one()
            assert (task.kind, task.division_code, task.status) == (
                CatalogueTaskKind.LOCAL_RULE, "150000000000", CatalogueTaskStatus.FINANCE,
            )  # fmt: skip
            # Not filed yet, and in force all the same: 备案 is no approval.
            assert days_for(session, deadlines.TOWNSHIP_NOTICE, COUNTY) == 3
        with as_(county.region_finance.clerk) as session:
            local_rules.file(session, session.get_one(LocalRule, record.id), by=county.region_finance.clerk)
        with owner() as session:
            assert session.get_one(LocalRule, record.id).status == LocalRuleStatus.FILED
            assert session.exec(select(CatalogueTask)).one().status == CatalogueTaskStatus.GONE

    def test_a_rule_ends_early_with_a_reason(self, session, county):
        record = settled(session, county.finance)
        day = today(session)
        with pytest.raises(ReasonMissing):
            local_rules.end(session, record, by=county.finance.reviewer, valid_to=day, reason="")
        with pytest.raises(RuleDayWrong):
            local_rules.end(session, record, by=county.finance.reviewer, valid_to=day - timedelta(1), reason="废止")
        local_rules.end(session, record, by=county.finance.reviewer, valid_to=day, reason="文件废止")
        assert value_for(session, PARAMETERS["township_notice"], COUNTY, day) == 3
        assert value_for(session, PARAMETERS["township_notice"], COUNTY, day + timedelta(days=1)) == 5

    @pytest.mark.parametrize("change", ["value = 5", "valid_from = date '2020-01-01'", "status = 'proposed'"])
    def test_a_settled_rule_is_never_rewritten(self, session, county, change):
        record = settled(session, county.finance)
        with pytest.raises(DBAPIError, match="不能改写"):
            session.execute(sa.text(f"update local_rules set {change} where id = :id"), {"id": record.id})


class TestEffect:
    def test_the_leagues_rule_holds_in_its_counties_and_the_strictest_wins(self, session, county):
        settled(session, county.league_finance, value=4)
        assert days_for(session, deadlines.TOWNSHIP_NOTICE, COUNTY) == 4
        settled(session, county.finance, value=2)
        assert days_for(session, deadlines.TOWNSHIP_NOTICE, COUNTY) == 2
        assert days_for(session, deadlines.TOWNSHIP_NOTICE, LEAGUE) == 4
        assert days_for(session, deadlines.TOWNSHIP_NOTICE, county.other_county.code) == 5

    def test_a_leagues_finance_rule_stops_at_a_region_direct_city(self, session, county):
        hulunbuir = {"rule": "150700000000", "day": today(session)}
        session.execute(
            sa.text("insert into local_rules (division_code, number, parameter, title, value, unit, law_value,"
                    " valid_from, document_number, document_title, status, version) values (:rule, 'XZT', "
                    "'finance_review', '财政审核时限', 1, '个工作日', 2, :day, '文', '文', 'settled', 1)"),
            hulunbuir,
        )  # fmt: skip
        assert days_for(session, deadlines.FINANCE_REVIEW, "150702000000") == 1
        assert days_for(session, deadlines.FINANCE_REVIEW, "150781000000") == 2

    def test_a_steps_due_date_follows_singly_and_in_bulk(self, session, county):
        settled(session, county.finance, "account_change", 2)
        day = today(session)
        assert due_on(session, deadlines.ACCOUNT_CHANGE, COUNTY, day) == add_working_days(session, day, 2)
        assert due_on(session, deadlines.ACCOUNT_CHANGE, COUNTY, date(2026, 2, 13)) == date(2026, 2, 27)
        settled(session, county.finance, "township_notice", 1)
        settled(session, county.finance, "department_review", 1)
        made = [a_roster_of(session, county, code, number) for number, code in enumerate((TOWNSHIP, OTHER_TOWNSHIP))]
        assert [one.due_on for one in made] == [add_working_days(session, day, days) for days in (1, 5)]
        session.execute(sa.text("update rosters set status = 'endorsed'"))
        assert move_many(session, Roster, "report", [key(one.id) for one in made], by=county.township.clerk) == 2
        session.expire_all()
        assert [one.due_on for one in made] == [add_working_days(session, day, days) for days in (1, 2)]

    def test_the_shortest_notice_binds_the_department(self, session, county):
        project = a_project(session, county)
        settled(session, county.finance, "notice_days", 7)
        assert value_for(session, NOTICE_DAYS, COUNTY) == 7
        with pytest.raises(NoticeDaysTooFew, match="5 天短于本地细则规定的最短 7 天"):
            set_period(session, by=county.department.clerk, project=project, stage=NoticeStage.ROSTER, days=5)
        assert notices.set_period(
            session, by=county.department.clerk, project=project, stage=NoticeStage.ROSTER, days=7
        ).notice_days == 7  # fmt: skip

    def test_households_are_reviewed_more_often(self, session, county):
        settled(session, county.finance, "household_review", 6)
        assert value_for(session, HOUSEHOLD_REVIEW, COUNTY) == 6
        assert limit_day(session, county.township.division_code) > limit_day(session, county.other_county.code)

    def test_a_step_asks_no_more_than_before(self, session, county):
        told: list[str] = []
        sa.event.listen(session.connection(), "before_cursor_execute", lambda *args: told.append(args[2]))
        due_on(session, deadlines.FINANCE_REVIEW, COUNTY, date(2026, 2, 13), flow_id=None, project_id=None)
        assert len(told) == 1
