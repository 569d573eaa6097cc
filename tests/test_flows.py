"""Flows as data: sub-steps inside the statutory desks and shorter times, never fewer desks. （第二十四条）"""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
import sqlalchemy as sa

from models.flows import FlowStatus, ProjectFlow
from models.rosters import Roster, RosterStatus
from policies.clock import ZONE, today
from policies.deadlines import BATCH_SENDING, DEPARTMENT_REVIEW, FINANCE_REVIEW, TOWNSHIP_NOTICE
from policies.enforcement import OtherSector
from policies.flows import (
    ApplicationStage,
    FlowWrong,
    RosterStage,
    digest_of,
    flow_days,
    parse,
)
from policies.lifecycles import Desk
from policies.moves import EVENT, _event, begin
from policies.refusals import NotAllowed, SamePersonTwice, StepNotPossible
from policies.working_days import add_working_days
from tests.factories import World, a_project, a_roster, again
from tests.flows import NAME, a_flow, a_substep, content, follows
from tests.world import _staffed
from workflows import flows, rosters
from workflows.flow_trials import try_out
from workflows.flows import FlowCodeWrong, FlowInUse, FlowNotEnabled, FlowOpen, TrialMissing


def told(raw: dict[str, Any]) -> list[tuple[str, str, int, str]]:
    """Where the mistakes of a flow stand."""
    with pytest.raises(FlowWrong) as refusal:
        parse(raw)
    return [(one.way, one.stage, one.row, one.field.strip("“”")) for one in refusal.value.fields["found"]]


class TestMistakesHaveAPlace:
    @pytest.mark.parametrize("stage", RosterStage, ids=str)
    def test_a_flow_that_lacks_a_statutory_stage_is_refused_by_its_name(self, stage):
        raw = content()
        raw["roster"] = [one for one in raw["roster"] if one["code"] != stage]
        with pytest.raises(FlowWrong, match=f"{stage.label}.*法定环节缺失"):
            parse(raw)

    @pytest.mark.parametrize("stage", ApplicationStage, ids=str)
    def test_of_an_application_only_head_and_notice_are_optional(self, stage):
        raw = content()
        raw["application"] = [one for one in raw["application"] if one["code"] != stage]
        if stage in (ApplicationStage.HEAD, ApplicationStage.NOTICE):
            assert len(parse(raw).application) == 4
        else:
            assert told(raw) == [("application", stage, 0, "")]

    @pytest.mark.parametrize(
        ("stage", "days", "fits"),
        [("notice", 6, False), ("notice", 5, True), ("department_clerk", 3, False), ("department_clerk", 1, True),
         ("department_reviewer", 1, False), ("head", 1, False), ("finance_clerk", 3, False)],
    )  # fmt: skip
    def test_a_time_is_never_longer_than_the_laws(self, stage, days, fits):
        raw = content(stage, days=days)
        if fits:
            assert parse(raw)
        else:
            assert told(raw) == [("roster", stage, 0, "办理时限（工作日）")]

    @pytest.mark.parametrize(
        ("stage", "substep", "field"),
        [
            ("department_clerk", a_substep(name=""), "名称"),
            ("department_clerk", a_substep(name="  "), "名称"),
            ("department_clerk", a_substep(desk="nobody"), "办理岗"),
            ("department_clerk", a_substep(desk="bank_clerk"), "办理岗"),
            ("department_clerk", a_substep(kind="blessing"), "方式"),
            ("department_clerk", a_substep("countersign", "township_head"), "办理岗"),
            ("department_clerk", a_substep("countersign", "finance_clerk"), "办理岗"),
            ("department_clerk", a_substep("countersign", "department_clerk"), "办理岗"),
            ("department_clerk", a_substep("sign_off", "department_reviewer"), "办理岗"),
            ("department_clerk", a_substep("spot_check"), "抽查比例（%）"),
            ("department_clerk", a_substep("spot_check", percent=101), "抽查比例（%）"),
            ("department_clerk", a_substep("spot_check", count=5, note_required=False), "须填意见"),
            ("department_clerk", a_substep(percent=10), "抽查比例（%）"),
            ("department_clerk", a_substep() | {"colour": "red"}, "colour"),
        ],
    )
    def test_a_sub_step_that_cannot_be_points_at_stage_row_and_field(self, stage, substep, field):
        good = a_substep("spot_check", "department_clerk", "入户抽查", percent=5)
        assert told(content(stage, good, substep)) == [("roster", stage, 2, field)]

    def test_two_rows_of_one_name_and_a_desk_that_would_sign_twice_are_refused(self):
        first = a_substep("countersign", "department_reviewer", "分管领导会签")
        assert told(content("department_clerk", first, first | {"name": "再会签"})) == [
            ("roster", "department_clerk", 2, "办理岗")
        ]
        check = a_substep("spot_check", "department_clerk", "抽查", count=1)
        assert told(content("department_clerk", check, check)) == [("roster", "department_clerk", 2, "名称")]

    def test_unknown_doubled_and_disordered_stages_are_refused(self):
        raw = content()
        raw["roster"].append({"code": "blessing"})
        assert told(raw) == [("roster", "blessing", 0, "")]
        raw["roster"][-1] = {"code": "head"}
        assert told(raw)[0] == ("roster", "head", 0, "")
        raw["roster"] = raw["roster"][5::-1]
        assert told(raw) == [("roster", "finance_reviewer", 0, "")]

    def test_every_mistake_is_told_at_once(self):
        raw = content("department_clerk", a_substep(name=" "), days=9)
        raw["roster"] = [one for one in raw["roster"] if one["code"] != "head"]
        assert len(told(raw)) == 3
        shape = content("department_clerk", a_substep(name=""), a_substep("countersign", name="会签"), days=9)
        assert told(shape) == [
            ("roster", "department_clerk", 1, "名称"),
            ("roster", "department_clerk", 0, "办理时限（工作日）"),
            ("roster", "department_clerk", 2, "办理岗"),
        ]
        assert told(content("notice", days="三")) == [("roster", "notice", 0, "办理时限（工作日）")]  # type: ignore[arg-type]

    def test_a_share_is_rounded_up_and_a_count_is_the_least(self):
        check = parse(content("head", a_substep("spot_check", "township_head", "抽查", percent=10, count=3)))
        one = check.roster[1].substeps[0]
        assert [one.drawn_of(lines) for lines in (0, 2, 11, 31, 1000)] == [0, 2, 3, 4, 100]


@pytest.fixture
def clerk(county: World) -> Any:
    return county.region_department.clerk


@pytest.fixture
def reviewer(county: World) -> Any:
    return county.region_department.reviewer


class TestAuthoring:
    def test_a_clerk_drafts_and_the_reviewer_enables(self, session, county, clerk, reviewer):
        flow = a_flow(session, county)
        assert (flow.status, flow.flow_version, flow.enabled_by) == (FlowStatus.IN_FORCE, 1, reviewer.name)
        assert flows.enabled(session, "农牧") == [("NM1", f"{NAME}（第 1 版）")]
        assert flows.enabled(session, "民政") == []

    def test_only_the_regions_department_of_the_sector_authors(self, session, county, clerk):
        for by in (
            county.department.clerk,
            county.region_finance.clerk,
            county.league_department.clerk,
            county.system_admin,
        ):
            with pytest.raises(NotAllowed):
                flows.draft(session, by=by, code="NM9", name=NAME, reason="规程")
        civil = _staffed(session, "x", "150000000000", "department", "nmg.mz", "民政")
        flow = a_flow(session, county, enabled=False)
        with pytest.raises(OtherSector):
            flows.save(session, flow, by=civil.clerk, content=content())
        with pytest.raises(OtherSector):
            flows.enable(session, flow, by=civil.reviewer)

    def test_nobody_enables_what_they_drafted(self, session, county, clerk, reviewer):
        flow = a_flow(session, county, enabled=False)
        flows.propose(session, flow, by=clerk)
        with pytest.raises(SamePersonTwice):
            flows.enable(session, flow, by=replace(reviewer, person=clerk.person))

    def test_it_is_enabled_only_after_a_trial_of_this_very_content(self, session, county, clerk, reviewer):
        flow = flows.draft(session, by=clerk, code="NM1", name=NAME, reason="规程")
        with pytest.raises(TrialMissing):
            flows.propose(session, flow, by=clerk)
        try_out(session, flow, by=clerk)
        flows.save(session, flow, by=clerk, content=content("head", days=None) | content("notice", days=3))
        with pytest.raises(TrialMissing):
            flows.propose(session, flow, by=clerk)
        try_out(session, flow, by=clerk)
        flows.propose(session, flow, by=clerk)
        flows.return_(session, flow, by=reviewer, reason="时限再短些")
        flows.save(session, flow, by=clerk, content=content("notice", days=2))
        with pytest.raises(TrialMissing):
            flows.propose(session, flow, by=clerk)

    @pytest.mark.parametrize("stage", ["notice", "head", "department_reviewer", "finance_reviewer"])
    def test_without_notice_head_or_second_signature_it_is_not_enabled(self, session, county, clerk, reviewer, stage):
        flow = a_flow(session, county, enabled=False)
        raw = content()
        raw["roster"] = [one for one in raw["roster"] if one["code"] != stage]
        with pytest.raises(FlowWrong, match="法定环节缺失"):
            flows.save(session, flow, by=clerk, content=raw)
        flows.propose(session, flow, by=clerk)
        digest = digest_of(raw)
        session.execute(sa.text("set local session_replication_role = replica"))
        session.execute(
            sa.update(ProjectFlow)
            .values(content=raw, digest=digest, trial_digest=digest)
            .where(ProjectFlow.id == flow.id)
        )
        session.execute(sa.text("set local session_replication_role = origin"))
        flow = again(session, flow)
        with pytest.raises(FlowWrong, match="法定环节缺失"):
            flows.enable(session, flow, by=reviewer)
        with pytest.raises(sa.exc.ProgrammingError, match="缺法定环节"), session.begin_nested():
            session.execute(sa.update(ProjectFlow).values(status="in_force").where(ProjectFlow.id == flow.id))

    def test_an_enabled_version_never_changes_and_none_is_deleted(self, session, county, clerk):
        flow = a_flow(session, county)
        with pytest.raises(StepNotPossible):
            flows.save(session, flow, by=clerk, content=content())
        for change in ("content = '{}'", "name = 'x'", "flow_version = 9", "code = 'X9'", "status = 'draft'"):
            with pytest.raises(sa.exc.ProgrammingError), session.begin_nested():
                session.execute(sa.text(f"update project_flows set {change} where id = :id"), {"id": flow.id})
        with pytest.raises(sa.exc.ProgrammingError), session.begin_nested():
            session.execute(sa.text("delete from project_flows where id = :id"), {"id": flow.id})

    def test_a_new_version_supersedes_the_old_one_and_begins_from_it(self, session, county, clerk, reviewer):
        first = a_flow(session, county, content("notice", days=3))
        second = flows.revise(session, first, by=clerk, reason="缩短时限")
        assert second.content == first.content
        with pytest.raises(FlowOpen):
            flows.draft(session, by=clerk, code="nm1", name=NAME, reason="另一份")
        try_out(session, second, by=clerk)
        flows.propose(session, second, by=clerk)
        flows.enable(session, second, by=reviewer)
        assert (second.flow_version, again(session, first).status) == (2, FlowStatus.SUPERSEDED)

    def test_a_code_is_digits_and_capitals(self, session, county, clerk):
        for code in ("", "一号", "A", "A-1", "A" * 21):
            with pytest.raises(FlowCodeWrong):
                flows.draft(session, by=clerk, code=code, name=NAME, reason="规程")

    def test_a_flow_that_projects_name_is_not_ended(self, session, county, reviewer):
        flow = a_flow(session, county)
        project = follows(session, a_project(session, county), "NM1")
        with pytest.raises(FlowInUse, match=project.name):
            flows.end(session, flow, by=reviewer, reason="政策到期")
        follows(session, project, "")
        assert flows.end(session, flow, by=reviewer, reason="政策到期").status == FlowStatus.ENDED
        follows(session, project, "NM1")
        with pytest.raises(FlowNotEnabled):
            flows.require_enabled(session, project)

    def test_what_the_application_writes_is_held_to_the_same_guards(self, county, as_):
        with as_(county.region_department.clerk) as session:
            flow = a_flow(session, county, enabled=False)
            flows.propose(session, flow, by=county.region_department.clerk)
        with as_(county.region_department.reviewer) as session:
            flows.enable(session, again(session, flow), by=county.region_department.reviewer)
        for reader in (county.township.clerk, county.department.clerk, county.finance.clerk):
            with as_(reader) as session:
                assert len(flows.enabled(session, "农牧")) == 1
        with as_(county.civil_affairs.clerk) as session:
            assert flows.enabled(session, "农牧") == []


class TestTrial:
    def test_without_past_rosters_a_made_up_one_is_tried(self, session, county, clerk):
        raw = content("department_clerk", a_substep("spot_check", name="抽查", percent=5))
        flow = a_flow(session, county, raw, enabled=False)
        assert flow.trial["synthetic"] is True
        assert flow.trial["stages"][2]["substeps"][0]["drawn"] == 5

    def test_it_counts_sub_steps_and_what_stayed_too_long(self, session, county, clerk):
        roster = a_roster(session, county, status=RosterStatus.FINANCE_EXAMINED)
        for status, day in (
            ("reported", 4),
            ("department_examined", 5),
            ("department_passed", 6),
            ("finance_examined", 6),
        ):
            moment = datetime(2024, 6, day, 10, tzinfo=ZONE)
            session.execute(EVENT, _event(roster, "roster", "x", "办理", None, clerk, moment, "", status, "", {}))
        raw = content("department_clerk", a_substep("countersign", "department_reviewer", "会签"), days=1)
        trial = a_flow(session, county, raw, enabled=False).trial
        stage = trial["stages"][2]
        assert (trial["rosters"], trial["per_roster"], stage["measured"], stage["longest"]) == (1, 1, 1, 2)
        assert (stage["over"], stage["over_law"]) == (1, 0)

    def test_it_tells_where_one_person_would_have_signed_twice(self, session, county, clerk):
        a_roster(session, county, status=RosterStatus.FINAL)
        raw = content("department_clerk", a_substep("countersign", "department_reviewer", "会签"))
        trial = a_flow(session, county, raw, enabled=False).trial
        assert trial["conflicts"] == 1
        assert trial["places"][0] | {"place": ""} == {
            "place": "", "desk": Desk.DEPARTMENT_REVIEWER.label, "held": 1, "needed": 2, "rosters": 1,
        }  # fmt: skip
        second = a_flow(session, county, content("department_clerk", a_substep()), code="NM2", enabled=False)
        assert second.trial["conflicts"] == 0  # two clerks sit there


class TestWhatARosterTakes:
    def test_a_roster_without_a_flow_goes_the_way_of_the_law(self, session, county):
        roster = a_roster(session, county)
        assert (roster.flow_id, roster.substep_desk) == (None, None)

    def test_a_running_roster_keeps_the_version_it_began_with(self, session, county, clerk, reviewer):
        first = a_flow(session, county, content("department_clerk", a_substep(name="甲")))
        project = follows(session, a_project(session, county), "NM1")
        old = a_roster(session, county, project=project, status=RosterStatus.REPORTED)
        second = flows.revise(session, first, by=clerk, reason="改")
        flows.save(session, second, by=clerk, content=content())
        try_out(session, second, by=clerk)
        flows.propose(session, second, by=clerk)
        flows.enable(session, second, by=reviewer)
        new = a_roster(session, county, project=project, status=RosterStatus.REPORTED)
        assert (again(session, old).flow_id, old.substep_name) == (first.id, "甲")
        assert (again(session, new).flow_id, new.substep_name) == (second.id, None)
        with pytest.raises(sa.exc.ProgrammingError, match="造册后不变"), session.begin_nested():
            session.execute(sa.text("update rosters set flow_id = :f where id = :r"), {"f": second.id, "r": old.id})

    def test_no_roster_is_made_for_a_flow_that_is_not_in_force(self, session, county):
        project = follows(session, a_project(session, county), "NM7")
        with pytest.raises(FlowNotEnabled):
            flows.require_enabled(session, project)
        with pytest.raises(sa.exc.IntegrityError, match="没有已启用的版本"), session.begin_nested():
            a_roster(session, county, project=project)

    def test_its_days_are_the_flows_and_none_means_the_laws(self, session, county):
        flow = a_flow(session, county, content("notice", days=3) | {"application": content()["application"]})
        project = follows(session, a_project(session, county), "NM1")
        assert flow_days(session, TOWNSHIP_NOTICE, flow_id=flow.id) == 3
        assert flow_days(session, TOWNSHIP_NOTICE, flow_id=None, project_id=project.id) == 3
        for deadline in (DEPARTMENT_REVIEW, FINANCE_REVIEW, BATCH_SENDING):
            assert flow_days(session, deadline, flow_id=flow.id) is None
        assert flow_days(session, TOWNSHIP_NOTICE, flow_id=None) is None

    def test_an_application_takes_its_flows_stages(self, session, county):
        project = a_project(session, county)
        assert [one.code for one in flows.application_stages(session, project)] == list(ApplicationStage)
        raw = content()
        raw["application"] = [one for one in raw["application"] if one["code"] != "head"]
        a_flow(session, county, raw)
        stages = flows.application_stages(session, follows(session, project, "NM1"))
        assert [one.code for one in stages] == ["intake", "examine", "approve", "notice"]

    def test_a_flow_promises_nothing_of_an_application_that_nobody_would_do(self):
        raw = content("examine", a_substep("countersign", "department_reviewer", "会签"), days=9, way="application")
        assert told(raw) == [
            ("application", "examine", 0, "办理时限（工作日）"), ("application", "examine", 1, "")
        ]  # fmt: skip


class TestShorterTimes:
    def test_a_due_date_is_the_strictest_of_law_and_flow(self, session, county):
        raw = content("department_clerk", days=1)
        raw["roster"][0]["days"] = 2
        a_flow(session, county, raw)
        project = follows(session, a_project(session, county), "NM1")
        moment = today(session)
        assert add_working_days(session, moment, 1) < add_working_days(session, moment, 2)
        roster = again(session, a_roster(session, county, project=project, status=RosterStatus.ENDORSED))
        rosters.report(session, roster, by=county.township.clerk)
        assert roster.due_on == add_working_days(session, moment, 1)
        rosters.examine_department(session, roster, by=county.department.clerk)
        assert roster.due_on == add_working_days(session, moment, 1)  # one organisation, one clock
        rosters.pass_department(session, roster, by=county.department.reviewer)
        assert roster.due_on == add_working_days(session, moment, 2)  # finance: the law's

    def test_a_newborn_roster_has_its_flows_days_already(self, session, county):
        raw = content("notice", days=2)
        a_flow(session, county, raw)
        project = follows(session, a_project(session, county), "NM1")
        values = a_roster(session, county, project=project).model_dump(exclude={"id", "due_on", "number", "flow_id"})
        roster = Roster(**values | {"number": "QC-NEU", "substep_round": 0})
        begin(session, roster, by=county.township.clerk, label="导入清册", desk=Desk.TOWNSHIP_CLERK)
        assert roster.due_on == add_working_days(session, today(session), 2)
