"""The verbs of a roster, from notice to final review. （第十六、十七、十八、三十一条）"""

from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import Session, select

from models.events import Event
from models.households import IdentityOutcome
from models.notices import Notice
from models.officers import Role
from models.rosters import LineState, PayeeRelation, Roster, RosterStatus
from policies import clock
from policies.refusals import NotAllowed, NotFound, ReasonMissing, SamePersonTwice, StepNotPossible
from policies.working_days import add_working_days
from tests.factories import World, a_line, a_project, a_roster, again, an_indicator, lines_of, second_account
from workflows import roster_lines, rosters
from workflows.allotment import NoLink
from workflows.notices import NoticePeriodMissing, object_, settle
from workflows.roster_conditions import (
    AccountMissing,
    CheckMissing,
    FactsChanged,
    IdentityNotValid,
    IndicatorShort,
    NoticeRunning,
    ObjectionsOpen,
    PayeeNotEntitled,
    RosterEmpty,
    TotalsDiffer,
)
from workflows.rosters import AttestationMissing, ModeUnknown, NothingChanged, StatementMissing
from workflows.warnings import StoppedByRedLight

S = RosterStatus


@pytest.fixture(autouse=True)
def _no_rules(session: Session) -> None:
    """What the law fixes holds with every warning rule switched off."""
    session.execute(sa.text("update warning_rules set enabled = false"))


def events_of(session: Session, roster: Roster) -> list[Any]:
    statement = select(Event).where(Event.noun == "roster", Event.record_id == roster.id).order_by(sa.text("id"))
    return list(session.exec(statement))


def advance_past(session: Session, notice: Notice) -> None:
    clock.advance(session, notice.ends_at + timedelta(hours=9))


class TestPublishNotice:
    def test_the_notice_hangs_for_the_days_the_county_department_has_set(self, session, county):
        roster = a_roster(session, county)
        rosters.publish_notice(session, roster, by=county.township.clerk, mode="online")
        notice = session.exec(select(Notice).where(Notice.roster_id == roster.id)).one()
        assert roster.status == S.ON_NOTICE
        assert notice.content["to"] == (clock.today(session) + timedelta(days=7)).isoformat()
        assert notice.ends_at.astimezone(clock.ZONE).date() == clock.today(session) + timedelta(days=8)
        assert len(notice.digest) == 64

    def test_without_a_period_set_there_is_no_default(self, session, county):
        project = a_project(session, county, notice_days=None)
        roster = a_roster(session, county, project=project)
        with pytest.raises(NoticePeriodMissing, match="敖汉旗农牧主管部门"):
            rosters.publish_notice(session, roster, by=county.township.clerk, mode="online")

    def test_it_needs_a_finished_check_and_says_how_many_lines_lack_it(self, session, county):
        roster = a_roster(session, county, lines=[a_line(), a_line(identity=None), a_line(identity=None)])
        with pytest.raises(CheckMissing, match="2 条明细.*序号 2、3"):
            rosters.publish_notice(session, roster, by=county.township.clerk, mode="online")

    def test_answers_without_a_finished_check_are_not_enough(self, session, county):
        roster = a_roster(session, county, checked_at=None)
        with pytest.raises(CheckMissing):
            rosters.publish_notice(session, roster, by=county.township.clerk, mode="online")

    def test_a_roster_without_active_lines_is_refused(self, session, county):
        roster = a_roster(session, county, lines=[a_line(state=LineState.STOPPED)])
        with pytest.raises(RosterEmpty):
            rosters.publish_notice(session, roster, by=county.township.clerk, mode="online")

    def test_an_offline_notice_needs_a_statement(self, session, county):
        roster = a_roster(session, county)
        with pytest.raises(StatementMissing):
            rosters.publish_notice(session, roster, by=county.township.clerk, mode="offline", statement=" ")
        rosters.publish_notice(session, roster, by=county.township.clerk, mode="offline", statement="张贴于村委会")
        assert roster.status == S.ON_NOTICE

    def test_an_unknown_mode_is_refused(self, session, county):
        with pytest.raises(ModeUnknown):
            rosters.publish_notice(session, a_roster(session, county), by=county.township.clerk, mode="radio")


class TestEndorse:
    def on_notice(self, session: Session, county: World, **fields: Any) -> Roster:
        return a_roster(session, county, status=S.ON_NOTICE, **fields)

    def test_the_head_endorses_once_the_notice_has_run(self, session, county):
        roster = self.on_notice(session, county)
        rosters.endorse(session, roster, by=county.township.head, attested=True, opinion="属实")
        assert roster.status == S.ENDORSED
        assert events_of(session, roster)[-1].facts == {"attested": True}

    def test_a_running_notice_holds_it_back_with_the_date(self, session, county):
        roster = self.on_notice(session, county, notice_over=False)
        with pytest.raises(NoticeRunning, match=r"\d{4}-\d\d-\d\d"):
            rosters.endorse(session, roster, by=county.township.head, attested=True)

    def test_the_last_day_counts_whole(self, session, county):
        session.execute(sa.text("update business_clock set movable = true"))
        roster = a_roster(session, county)
        rosters.publish_notice(session, roster, by=county.township.clerk, mode="online")
        notice = session.exec(select(Notice).where(Notice.roster_id == roster.id)).one()
        clock.advance(session, notice.ends_at - timedelta(minutes=1))
        with pytest.raises(NoticeRunning):
            rosters.endorse(session, roster, by=county.township.head, attested=True)
        clock.advance(session, notice.ends_at)
        rosters.endorse(session, roster, by=county.township.head, attested=True)
        assert roster.status == S.ENDORSED

    def test_without_the_attestation_nothing_is_endorsed(self, session, county):
        roster = self.on_notice(session, county)
        for attested in (False, "on", None):
            with pytest.raises(AttestationMissing):
                rosters.endorse(session, roster, by=county.township.head, attested=attested)

    def test_an_open_objection_holds_it_back_until_settled(self, session, county):
        roster = self.on_notice(session, county)
        objection = object_(session, roster, by=county.township.clerk, text="面积与实际不符")
        with pytest.raises(ObjectionsOpen, match="1 件"):
            rosters.endorse(session, roster, by=county.township.head, attested=True)
        settle(session, objection, by=county.township.clerk, answer="已复核，面积无误")
        rosters.endorse(session, roster, by=county.township.head, attested=True)
        assert roster.status == S.ENDORSED

    def test_the_clerk_cannot_endorse(self, session, county):
        with pytest.raises(NotAllowed):
            rosters.endorse(session, self.on_notice(session, county), by=county.township.clerk, attested=True)


class TestReport:
    def report(self, session: Session, county: World, **fields: Any) -> Roster:
        roster = a_roster(session, county, status=S.ENDORSED, **fields)
        return rosters.report(session, roster, by=county.township.clerk)

    def test_the_department_has_two_working_days_from_the_report(self, session, county):
        roster = self.report(session, county)
        assert roster.status == S.REPORTED
        assert roster.due_on == add_working_days(session, clock.today(session), 2)

    def test_changed_facts_need_a_new_notice_first(self, session, county):
        with pytest.raises(FactsChanged):
            self.report(session, county, facts_changed=True)

    @pytest.mark.parametrize("outcome", [IdentityOutcome.MISMATCH, IdentityOutcome.NOT_FOUND, IdentityOutcome.DEAD])
    def test_whom_the_police_do_not_confirm_is_not_paid(self, session, county, outcome):
        with pytest.raises(IdentityNotValid, match="1 条明细.*序号 2"):
            self.report(session, county, lines=[a_line(), a_line(identity=outcome)])

    def test_the_dead_persons_heir_may_go_on(self, session, county):
        line = a_line(deceased=date(2024, 8, 1), relation=PayeeRelation.HEIR)
        assert self.report(session, county, lines=[line]).status == S.REPORTED

    def test_nobody_but_person_head_guardian_or_heir_is_paid(self, session, county):
        with pytest.raises(PayeeNotEntitled, match="序号 1"):
            self.report(session, county, lines=[a_line(payee_name="债主甲")])
        with pytest.raises(PayeeNotEntitled):
            self.report(session, county, lines=[a_line(payee_name="债主甲", relation=PayeeRelation.HEAD)])

    def test_the_middle_dot_of_a_name_is_one_dot_whatever_its_shape(self, session, county):
        line = a_line(name="包·乌日汗", payee_name="包•乌日汗")
        assert self.report(session, county, lines=[line]).status == S.REPORTED

    def test_a_line_without_account_is_not_paid(self, session, county):
        with pytest.raises(AccountMissing):
            self.report(session, county, lines=[a_line(account=False)])

    def test_stopping_the_bad_lines_frees_the_rest(self, session, county):
        lines = [a_line(), a_line(identity=IdentityOutcome.DEAD, state=LineState.STOPPED)]
        assert self.report(session, county, lines=lines).line_count == 1

    def test_sums_that_differ_from_the_lines_are_refused(self, session, county):
        roster = a_roster(session, county, status=S.ENDORSED)
        roster.amount_fen += 1
        with pytest.raises(TotalsDiffer):
            rosters.report(session, roster, by=county.township.clerk)


class TestLights:
    """Every gate runs the rules in force; what the law fixes is asked besides."""

    @pytest.fixture(autouse=True)
    def _rules(self, session: Session, _no_rules: None) -> None:
        session.execute(sa.text("update warning_rules set enabled = (light = 'red')"))

    @pytest.mark.parametrize(
        ("status", "verb", "desk"),
        [
            (S.ENDORSED, "report", "township.clerk"),
            (S.REPORTED, "examine_department", "department.clerk"),
            (S.DEPARTMENT_EXAMINED, "pass_department", "department.reviewer"),
            (S.DEPARTMENT_PASSED, "examine_finance", "finance.clerk"),
            (S.FINANCE_EXAMINED, "pass_finance", "finance.reviewer"),
            (S.RETURNED, "resume", "township.clerk"),
        ],
    )
    def test_a_red_light_stops_the_roster_at_every_gate(self, session, county, status, verb, desk):
        project = a_project(session, county)
        an_indicator(session, county, project)
        resume = S.REPORTED if status == S.RETURNED else None
        lines = [a_line(contracted="100"), a_line(deceased=True, contracted="100")]
        roster = a_roster(session, county, status=status, project=project, resume_status=resume, lines=lines)
        office, post = desk.split(".")
        with pytest.raises(StoppedByRedLight) as refusal:
            getattr(rosters, verb)(session, roster, by=getattr(getattr(county, office), post))
        assert {hit.sequence for hit in refusal.value.hits} == {2}
        assert roster.status == status

    def test_the_lights_go_with_the_event(self, session, county):
        roster = a_roster(session, county, status=S.ENDORSED, lines=[a_line(contracted="100")])
        rosters.report(session, roster, by=county.township.clerk)
        assert events_of(session, roster)[-1].facts["lights"]["red"] == 0


class TestReviews:
    def test_every_desk_in_turn_brings_the_roster_to_final(self, session, county):
        project = a_project(session, county)
        an_indicator(session, county, project)
        roster = a_roster(session, county, project=project, status=S.REPORTED)
        department, finance = county.department, county.finance
        rosters.examine_department(session, roster, by=department.clerk, opinion="同意")
        shared = roster.due_on
        rosters.pass_department(session, roster, by=department.reviewer)
        rosters.examine_finance(session, roster, by=finance.clerk)
        rosters.pass_finance(session, roster, by=finance.reviewer)
        assert roster.status == S.FINAL
        assert shared is not None
        assert roster.due_on is None
        assert [e.opinion for e in events_of(session, roster)][0] == "同意"

    def test_the_departments_two_desks_share_one_clock(self, session, county):
        roster = a_roster(session, county, status=S.REPORTED)
        due = roster.due_on
        rosters.examine_department(session, roster, by=county.department.clerk)
        assert roster.due_on == due

    def test_the_final_pass_needs_indicators_that_cover_the_sum(self, session, county):
        project = a_project(session, county)
        an_indicator(session, county, project, amount_fen=14_999)
        roster = a_roster(session, county, project=project, status=S.FINANCE_EXAMINED)
        with pytest.raises(IndicatorShort, match="150.00 元，可用指标只有 149.99 元，缺 0.01 元"):
            rosters.pass_finance(session, roster, by=county.finance.reviewer)

    def test_without_a_linked_budget_project_nothing_passes_finally(self, session, county):
        project = a_project(session, county, link=False)
        roster = a_roster(session, county, project=project, status=S.FINANCE_EXAMINED)
        session.execute(sa.text("delete from project_links"))
        with pytest.raises(NoLink):
            rosters.pass_finance(session, roster, by=county.finance.reviewer)

    def test_the_final_pass_reserves_nothing(self, session, county):
        project = a_project(session, county)
        indicator = an_indicator(session, county, project)
        roster = a_roster(session, county, project=project, status=S.FINANCE_EXAMINED)
        rosters.pass_finance(session, roster, by=county.finance.reviewer)
        assert again(session, indicator).reserved_fen == 0

    def test_an_indicator_of_another_budget_project_does_not_count(self, session, county):
        project = a_project(session, county)
        indicator = an_indicator(session, county, project)
        indicator.pro_code = "150430249999999999999"
        roster = a_roster(session, county, project=project, status=S.FINANCE_EXAMINED)
        with pytest.raises(IndicatorShort, match="只有 0.00 元"):
            rosters.pass_finance(session, roster, by=county.finance.reviewer)

    def test_another_departments_officers_cannot_examine(self, session, county):
        roster = a_roster(session, county, status=S.REPORTED)
        with pytest.raises(Exception, match="“农牧”主管部门负责"):
            rosters.examine_department(session, roster, by=county.civil_affairs.clerk)

    def test_another_county_finds_nothing(self, session, county):
        roster = a_roster(session, county, status=S.REPORTED)
        with pytest.raises(NotFound):
            rosters.examine_department(session, roster, by=county.other_county.department.clerk)


class TestReturn:
    def test_a_returned_roster_resumes_at_the_desk_that_returned_it(self, session, county):
        roster = a_roster(session, county, status=S.DEPARTMENT_PASSED)
        rosters.return_(session, roster, by=county.finance.clerk, reason="序号 1 的标准请核对")
        assert (roster.status, roster.due_on, roster.resume_status) == (S.RETURNED, None, S.DEPARTMENT_PASSED)
        rosters.resume(session, roster, by=county.township.clerk)
        assert (roster.status, roster.resume_status) == (S.DEPARTMENT_PASSED, None)

    def test_the_clock_stops_while_it_is_returned_and_goes_on_with_what_is_left(self, session, county):
        session.execute(sa.text("update business_clock set movable = true"))
        roster = a_roster(session, county, status=S.REPORTED)
        rosters.return_(session, roster, by=county.department.clerk, reason="请补充")
        assert roster.days_left == 2
        clock.advance(session, clock.now(session) + timedelta(days=20))
        rosters.resume(session, roster, by=county.township.clerk)
        assert roster.due_on == add_working_days(session, clock.today(session), 2)

    def test_the_reason_is_asked(self, session, county):
        roster = a_roster(session, county, status=S.REPORTED)
        with pytest.raises(ReasonMissing):
            rosters.return_(session, roster, by=county.department.clerk, reason="  ")

    def test_another_desk_of_the_department_cannot_return_it(self, session, county):
        roster = a_roster(session, county, status=S.REPORTED)
        with pytest.raises(NotAllowed, match="主管部门经办"):
            rosters.return_(session, roster, by=county.department.reviewer, reason="请补充")

    def test_changed_facts_go_through_notice_and_endorsement_again(self, session, county):
        roster = a_roster(session, county, status=S.RETURNED, resume_status=S.REPORTED, lines=[a_line(), a_line()])
        line = lines_of(session, roster)[0]
        clerk, reason = county.township.clerk, "面积更正"
        roster_lines.change_amount(session, line, by=clerk, quantity=line.quantity * 2, standard=line.standard,
                                   reason=reason)  # fmt: skip
        again(session, roster)
        with pytest.raises(FactsChanged):
            rosters.resume(session, roster, by=clerk)
        rosters.reopen(session, roster, by=clerk)
        assert (roster.status, roster.resume_status, roster.days_left) == (S.DRAFT, None, None)
        assert roster.due_on == add_working_days(session, clock.today(session), 5)
        rosters.publish_notice(session, roster, by=clerk, mode="online")
        assert (roster.notice_round, roster.facts_changed) == (2, False)

    def test_without_a_change_there_is_nothing_to_publish_again(self, session, county):
        roster = a_roster(session, county, status=S.RETURNED, resume_status=S.REPORTED)
        with pytest.raises(NothingChanged):
            rosters.reopen(session, roster, by=county.township.clerk)


class TestWithdraw:
    def test_each_organisation_withdraws_until_the_next_has_acted(self, session, county):
        ways = (
            (S.REPORTED, rosters.withdraw, county.township.clerk, S.ENDORSED),
            (S.DEPARTMENT_PASSED, rosters.withdraw_department, county.department.reviewer, S.DEPARTMENT_EXAMINED),
            (S.FINAL, rosters.withdraw_finance, county.finance.reviewer, S.FINANCE_EXAMINED),
        )
        for status, verb, by, back in ways:
            roster = a_roster(session, county, status=status)
            assert verb(session, roster, by=by).status == back

    def test_once_the_department_has_examined_the_township_cannot_withdraw(self, session, county):
        roster = a_roster(session, county, status=S.DEPARTMENT_EXAMINED)
        with pytest.raises(StepNotPossible, match="主管部门已初审"):
            rosters.withdraw(session, roster, by=county.township.clerk)

    def test_withdrawing_gives_the_department_no_fresh_clock(self, session, county):
        session.execute(sa.text("update business_clock set movable = true"))
        roster = a_roster(session, county, status=S.DEPARTMENT_EXAMINED)
        due = roster.due_on
        rosters.pass_department(session, roster, by=county.department.reviewer)
        clock.advance(session, clock.now(session) + timedelta(days=10))
        rosters.withdraw_department(session, roster, by=county.department.reviewer)
        assert roster.due_on == due


class TestSamePerson:
    def test_a_second_account_of_the_clerk_cannot_endorse(self, session, county):
        roster = a_roster(session, county, status=S.ON_NOTICE)
        twin = second_account(session, county.township.clerk, county.township.organisation_id, Role.HEAD)
        with pytest.raises(SamePersonTwice, match="乡镇经办.*乡镇负责人"):
            rosters.endorse(session, roster, by=twin, attested=True)
