"""Public notices: period, content, objections; and the reveal of what is masked. （第十五、十六、三十条）"""

from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as some
from sqlmodel import Session, select

from models.events import Event
from models.notices import Notice, ObjectionStatus
from models.officers import ActingOfficer
from models.projects import NoticePeriod, NoticeStage, SubsidyProject
from models.rosters import Roster, RosterStatus
from policies.clock import ZONE
from policies.definitions import Definition, parse
from policies.enforcement import OtherSector
from policies.notices import HIDDEN, PublicLine, digest, ends_at, last_day, mark, public_line
from policies.refusals import FasterColleague, NotAllowed, NotFound, ReasonMissing, StepNotPossible
from tests.factories import World, a_line, a_member, a_project, a_roster, lines_of
from workflows import households, rosters
from workflows.notices import LineNotOnNotice, NoticeDaysWrong, object_, set_period, settle
from workflows.reveals import reveal_member


def a_definition(**said: object) -> Definition:
    plain = {"code": "9990001", "name": "试验补贴", "policy_level": "region", "sector": "农牧", "unit": "亩"}
    return parse(plain | said)


def published(session: Session, county: World, roster: Roster) -> Notice:
    rosters.publish_notice(session, roster, by=county.township.clerk, mode="online")
    return session.exec(select(Notice).where(Notice.roster_id == roster.id)).one()


class TestContent:
    def test_it_shows_project_person_standard_and_amount_and_nothing_else_of_the_person(self, session, county):
        roster = a_roster(session, county, lines=[a_line(name="孛儿只斤·额尔敦巴特尔"), a_line(name="张三丰")])
        lines = lines_of(session, roster)
        content = published(session, county, roster).content
        assert [line["name"] for line in content["lines"]] == ["孛儿只斤·" + "*" * 6, "张*丰"]
        assert content["project"] == roster.project_name
        assert content["lines"][0] | {"mark": ""} == {
            "sequence": 1, "village": "东村", "name": "孛儿只斤·" + "*" * 6, "quantity": "10",
            "unit": content["lines"][0]["unit"], "standard": "15", "amount": "150.00", "mark": "",
        }  # fmt: skip
        for line in lines:
            assert line.id_number not in str(content)
            assert line.account_number not in str(content)

    def test_where_the_project_is_not_to_be_published_names_and_villages_are_hidden(self, session, county):
        hidden = session.exec(select(SubsidyProject).where(~SubsidyProject.names_shown)).first()
        project = a_project(session, county, hidden.code)
        roster = a_roster(session, county, project=project, lines=[a_line(name="李四")])
        line = published(session, county, roster).content["lines"][0]
        assert (line["name"], line["village"]) == (HIDDEN, HIDDEN)

    def test_it_names_whom_to_call(self, session, county):
        content = published(session, county, a_roster(session, county)).content
        assert sorted(name[-3:] for name in content["telephones"]) == sorted(["民政府", "农牧局", "财政局"])

    def test_stopped_and_held_lines_are_not_on_it(self, session, county):
        roster = a_roster(session, county, lines=[a_line(), a_line(state="stopped"), a_line(state="held")])
        assert [line["sequence"] for line in published(session, county, roster).content["lines"]] == [1]

    def test_the_content_is_frozen_with_its_digest(self, session, county):
        roster = a_roster(session, county)
        notice = published(session, county, roster)
        session.execute(sa.text("update roster_lines set amount_fen = amount_fen + 1"))
        session.refresh(notice)
        assert notice.content["lines"][0]["amount"] == "150.00"
        assert notice.digest == digest(notice.content)

    def test_equal_facts_have_equal_marks_and_other_facts_others(self):
        facts = ("person", Decimal("10.50"), Decimal("15"), 15750, "")
        assert mark(*facts) == mark("person", Decimal("10.5"), Decimal("15.0000"), 15750, "")
        others = [("other", *facts[1:]), (*facts[:3], 15751, ""), (*facts[:4], "地块二")]
        assert mark(*facts) not in [mark(*other) for other in others]

    def test_large_round_quantities_are_written_out(self):
        line = PublicLine(1, "东村", "张三", Decimal("1000.000"), Decimal("100.0000"), 10_000_000, "")
        shown = public_line(line, a_definition())
        assert (shown["quantity"], shown["standard"], shown["amount"]) == ("1000", "100", "100000.00")


class TestPeriod:
    @given(some.datetimes(datetime(2024, 4, 2), datetime(2030, 1, 1)), some.integers(1, 60))
    def test_the_day_of_publication_does_not_count_and_the_last_day_counts_whole(self, moment, days):
        start = moment.replace(tzinfo=ZONE)
        end = ends_at(start, days)
        assert last_day(end) == start.date() + timedelta(days=days)
        assert end - start > timedelta(days=days)
        assert end.astimezone(ZONE).timetz().replace(tzinfo=None).isoformat() == "00:00:00"

    def set(self, session: Session, by: ActingOfficer, days: int, project: SubsidyProject) -> NoticePeriod:
        return set_period(session, by=by, project=project, stage=NoticeStage.ROSTER, days=days)

    def test_the_county_department_sets_it_and_sets_it_again(self, session, county):
        project = a_project(session, county, notice_days=None)
        self.set(session, county.department.clerk, 5, project)
        period = self.set(session, county.department.clerk, 10, project)
        assert (period.division_code, period.notice_days) == (county.code, 10)
        kept = session.exec(select(NoticePeriod).where(NoticePeriod.project_id == project.id)).all()
        assert len(kept) == 1

    @pytest.mark.parametrize("days", [0, -1, 61])
    def test_one_to_sixty_days_are_allowed(self, session, county, days):
        with pytest.raises(NoticeDaysWrong, match=f"“{days}”"):
            self.set(session, county.department.clerk, days, a_project(session, county))

    def test_another_department_does_not_set_it(self, session, county):
        with pytest.raises(OtherSector):
            self.set(session, county.civil_affairs.clerk, 7, a_project(session, county))

    def test_neither_township_nor_finance_nor_league_sets_it(self, session, county):
        for by in (county.township.clerk, county.finance.clerk, county.league_department.clerk):
            with pytest.raises(NotAllowed):
                self.set(session, by, 7, a_project(session, county))

    def test_a_running_notice_keeps_its_own(self, session, county):
        project = a_project(session, county)
        notice = published(session, county, a_roster(session, county, project=project))
        end = notice.ends_at
        self.set(session, county.department.clerk, 1, project)
        session.refresh(notice)
        assert notice.ends_at == end


class TestObjections:
    def test_one_is_registered_against_a_line_and_settled_with_an_answer(self, session, county):
        roster = a_roster(session, county)
        published(session, county, roster)
        objection = object_(session, roster, by=county.township.clerk, text="面积不实", line_sequence=1)
        settle(session, objection, by=county.township.clerk, answer="复核无误")
        assert (objection.status, objection.answer) == (ObjectionStatus.SETTLED, "复核无误")
        verbs = session.exec(select(Event.verb).where(Event.record_id == roster.id).order_by(sa.text("id"))).all()
        assert verbs[-2:] == ["object_", "settle"]

    def test_it_is_settled_once(self, session, county):
        roster = a_roster(session, county, status=RosterStatus.ON_NOTICE)
        objection = object_(session, roster, by=county.township.clerk, text="面积不实")
        settle(session, objection, by=county.township.clerk, answer="复核无误")
        with pytest.raises(FasterColleague):
            settle(session, objection, by=county.township.clerk, answer="另一答复")

    def test_a_line_that_is_not_on_the_notice_draws_none(self, session, county):
        roster = a_roster(session, county)
        published(session, county, roster)
        with pytest.raises(LineNotOnNotice, match="序号 9"):
            object_(session, roster, by=county.township.clerk, text="面积不实", line_sequence=9)

    def test_without_words_there_is_none(self, session, county):
        roster = a_roster(session, county, status=RosterStatus.ON_NOTICE)
        with pytest.raises(ReasonMissing):
            object_(session, roster, by=county.township.clerk, text=" ")

    def test_off_notice_none_is_registered(self, session, county):
        with pytest.raises(StepNotPossible):
            object_(session, a_roster(session, county), by=county.township.clerk, text="面积不实")


class TestReveal:
    def test_a_reveal_asks_a_reason_and_is_recorded_without_what_it_showed(self, session, county):
        member = a_member(session, county)
        shown = reveal_member(session, member, by=county.township.clerk, reason="核对身份证复印件")
        assert (dict(shown.values)["身份证号"], dict(shown.values)["手机号"]) == (member.id_number, member.phone)
        event = session.exec(select(Event).where(Event.noun == "member", Event.record_id == member.id)).one()
        assert (event.verb, event.opinion) == ("reveal", "核对身份证复印件")
        assert member.id_number not in str(event.facts)
        assert member.id_number not in repr(shown)

    def test_without_a_reason_nothing_is_shown(self, session, county):
        with pytest.raises(ReasonMissing):
            reveal_member(session, a_member(session, county), by=county.township.clerk, reason="  ")

    def test_who_has_no_task_with_the_person_sees_the_mask_only(self, session, county):
        member = a_member(session, county)
        for by in (county.finance.clerk, county.system_admin, county.region_finance.auditor):
            with pytest.raises((NotAllowed, NotFound)):
                reveal_member(session, member, by=by, reason="查看一下")

    def test_a_household_lists_its_head_first(self, session, county):
        head = a_member(session, county)
        home = session.get_one(households.Household, head.household_id)
        child = a_member(session, county, home, relation="20", name="王小明")
        assert [member.id for member in households.members_of(session, home)] == [head.id, child.id]
        assert households.accounts_of(session, head) == []
        assert households.assets_of(session, home) == []
        assert households.lines_of(session, home) == []


def test_the_calendar_day_of_the_notice_is_that_of_inner_mongolia():
    start = datetime(2024, 5, 6, 23, 30, tzinfo=ZONE)
    assert last_day(ends_at(start, 7)) == date(2024, 5, 13)
