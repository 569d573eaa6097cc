"""Sub-steps of a flow at a roster: before the desk's own step, by the right desk, by another. （第二十三、二十四条）"""

from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import Session, select

from admin import inbox
from models.flows import RosterSubstep
from models.officers import Officer
from models.rosters import Roster, RosterLine, RosterStatus
from policies.interests import OwnHousehold
from policies.lifecycles import Desk
from policies.refusals import NotAllowed, ReasonMissing, SamePersonTwice
from tests.factories import World, a_line, a_member, a_project, a_roster, again, an_indicator
from tests.flows import a_flow, a_substep, content, follows
from workflows import roster_lines, rosters, substeps
from workflows.blockers import blockers
from workflows.checks import start_check
from workflows.substeps import NextDeskActed, NoSubstep, SignedAlready, SubstepsOpen

S = RosterStatus
CHECK = a_substep("spot_check", "department_clerk", "入户抽查", percent=40)
SIGN = a_substep("sign_off", "department_clerk", "第二人复核")
JOINT = a_substep("countersign", "department_reviewer", "分管领导会签")


@pytest.fixture
def quiet(session: Session, county: World) -> World:
    """The county without rules, with money: nothing but the flow holds a roster back."""
    session.execute(sa.text("update warning_rules set enabled = false"))
    an_indicator(session, county, a_project(session, county))
    return county


def a_running(session: Session, world: World, status: S, *substeps_: dict[str, Any], stage: str, **more: Any) -> Roster:
    """Make a roster in a status whose flow has sub-steps at one stage."""
    a_flow(session, world, content(stage, *substeps_))
    project = follows(session, a_project(session, world), "NM1")
    lines = more.pop("lines", [a_line() for _ in range(5)])
    return again(session, a_roster(session, world, project=project, status=status, lines=lines, **more))


class TestTheDesksOwnStepWaits:
    @pytest.mark.parametrize(
        ("status", "stage", "verb", "desk"),
        [
            (S.DRAFT, "notice", "publish_notice", Desk.TOWNSHIP_CLERK),
            (S.ON_NOTICE, "head", "endorse", Desk.TOWNSHIP_HEAD),
            (S.REPORTED, "department_clerk", "examine_department", Desk.DEPARTMENT_CLERK),
            (S.DEPARTMENT_EXAMINED, "department_reviewer", "pass_department", Desk.DEPARTMENT_REVIEWER),
            (S.DEPARTMENT_PASSED, "finance_clerk", "examine_finance", Desk.FINANCE_CLERK),
            (S.FINANCE_EXAMINED, "finance_reviewer", "pass_finance", Desk.FINANCE_REVIEWER),
        ],
    )
    def test_every_stage_waits_for_its_sub_steps_and_goes_on_after_them(
        self, session, quiet, status, stage, verb, desk
    ):
        roster = a_running(session, quiet, status, a_substep("spot_check", desk, "抽查", count=2), stage=stage)
        asked: dict[str, Any] = {"publish_notice": {"mode": "online"}, "endorse": {"attested": True}}.get(verb, {})
        by = officer(quiet, desk)
        with pytest.raises(SubstepsOpen, match=f"抽查：抽查（{desk.label}岗）"):
            getattr(rosters, verb)(session, roster, by=by, **asked)
        with pytest.raises(sa.exc.ProgrammingError, match="未办的流程子环节"), session.begin_nested():
            target = {S.DRAFT: "on_notice", S.ON_NOTICE: "endorsed", S.REPORTED: "department_examined",
                      S.DEPARTMENT_EXAMINED: "department_passed", S.DEPARTMENT_PASSED: "finance_examined",
                      S.FINANCE_EXAMINED: "final"}[status]  # fmt: skip
            session.execute(sa.text("update rosters set status = :s where id = :r"), {"s": target, "r": roster.id})
        substeps.take(session, roster, by=by, note="已逐户核对")
        assert roster.substep_desk is None
        assert getattr(rosters, verb)(session, roster, by=by, **asked).status != status

    def test_a_roster_without_a_flow_asks_the_database_nothing(self, session, quiet):
        roster = again(session, a_roster(session, quiet, status=S.REPORTED))
        asked: list[str] = []
        sa.event.listen(session.get_bind(), "before_cursor_execute", lambda *a: asked.append(a[2]))
        step = rosters.ROSTER_LIFECYCLE.step("examine_department", S.REPORTED)
        substeps.require_substeps(session, roster, step, by=quiet.department.clerk)
        assert asked == []

    def test_they_are_taken_in_their_order(self, session, quiet):
        roster = a_running(session, quiet, S.REPORTED, CHECK, JOINT, stage="department_clerk")
        assert (roster.substep_desk, roster.substep_name) == ("department_clerk", "入户抽查")
        with pytest.raises(NotAllowed, match="抽查：入户抽查"):
            substeps.take(session, roster, by=quiet.department.reviewer, note="同意")
        substeps.take(session, roster, by=quiet.department.clerk, note="无误")
        assert (roster.substep_desk, roster.substep_name) == ("department_reviewer", "分管领导会签")
        with pytest.raises(SubstepsOpen, match="会签：分管领导会签"):
            rosters.examine_department(session, roster, by=quiet.department.clerk)

    def test_returning_needs_no_sub_step(self, session, quiet):
        roster = a_running(session, quiet, S.REPORTED, CHECK, stage="department_clerk")
        assert rosters.return_(session, roster, by=quiet.department.clerk, reason="缺材料").status == S.RETURNED
        assert roster.substep_desk is None

    def test_nothing_is_taken_where_nothing_waits(self, session, quiet):
        roster = again(session, a_roster(session, quiet, status=S.REPORTED))
        with pytest.raises(NoSubstep):
            substeps.take(session, roster, by=quiet.department.clerk, note="x")


def officer(world: World, desk: Desk) -> Any:
    office = {"township": world.township, "department": world.department, "finance": world.finance}[desk.split("_")[0]]
    return {"clerk": office.clerk, "reviewer": office.reviewer, "head": office.head}[desk.split("_")[1]]


class TestSpotCheck:
    def test_the_lines_are_drawn_by_nobodys_choice_and_written_down(self, session, quiet):
        roster = a_running(session, quiet, S.REPORTED, CHECK, stage="department_clerk")
        one = substeps.open_substeps(session, roster)[0]
        drawn = substeps.drawn(session, roster, one)
        assert len(drawn) == 2 and drawn == substeps.drawn(session, roster, one)
        assert (
            f"抽中 2 笔，序号 {drawn[0]}、{drawn[1]}" in substeps.told(session, quiet.department.clerk, roster)["note"]
        )
        with pytest.raises(ReasonMissing, match="抽查结果"):
            substeps.take(session, roster, by=quiet.department.clerk, note=" ")
        substeps.take(session, roster, by=quiet.department.clerk, note="两户均真实")
        taken = session.exec(select(RosterSubstep)).one()
        assert (taken.drawn, taken.note, taken.flow_id) == (drawn, "两户均真实", roster.flow_id)

    def test_whoever_checked_may_take_the_desks_own_step(self, session, quiet):
        roster = a_running(session, quiet, S.REPORTED, CHECK, stage="department_clerk")
        substeps.take(session, roster, by=quiet.department.clerk, note="无误")
        assert rosters.examine_department(session, roster, by=quiet.department.clerk).status == S.DEPARTMENT_EXAMINED


class TestFourEyes:
    def test_a_second_signature_is_another_persons(self, session, quiet):
        roster = a_running(session, quiet, S.REPORTED, SIGN, stage="department_clerk")
        substeps.take(session, roster, by=quiet.department.second_clerk, note="同意")
        with pytest.raises(SignedAlready, match="第二人复核"):
            rosters.examine_department(session, roster, by=quiet.department.second_clerk)
        rosters.examine_department(session, roster, by=quiet.department.clerk)

    def test_a_countersignature_is_not_given_by_whoever_examined_in_any_round(self, session, quiet):
        joint = a_substep("countersign", "department_clerk", "经办会签")
        roster = a_running(session, quiet, S.REPORTED, joint, stage="department_reviewer")
        rosters.examine_department(session, roster, by=quiet.department.clerk)
        with pytest.raises(SignedAlready, match="主管部门初审"):
            substeps.take(session, roster, by=quiet.department.clerk, note="同意")
        rosters.return_(session, roster, by=quiet.department.reviewer, reason="缺材料")
        rosters.resume(session, roster, by=quiet.township.clerk)
        rosters.examine_department(session, roster, by=quiet.department.second_clerk)
        for by in (quiet.department.clerk, quiet.department.second_clerk):
            with pytest.raises(SignedAlready):
                substeps.take(session, roster, by=by, note="同意")

    def test_whoever_countersigned_does_not_pass(self, session, quiet):
        roster = a_running(session, quiet, S.REPORTED, JOINT, stage="department_clerk")
        substeps.take(session, roster, by=quiet.department.reviewer, note="同意")
        rosters.examine_department(session, roster, by=quiet.department.clerk)
        with pytest.raises(SignedAlready, match="分管领导会签"):
            rosters.pass_department(session, roster, by=quiet.department.reviewer)
        another = replace(quiet.department.reviewer, person="another-reviewer")
        assert rosters.pass_department(session, roster, by=another).status == S.DEPARTMENT_PASSED

    def test_nobody_sits_at_two_desks_by_a_sub_step(self, session, quiet):
        roster = a_running(session, quiet, S.REPORTED, JOINT, stage="department_clerk")
        twin = replace(quiet.department.reviewer, person=quiet.township.clerk.person)
        with pytest.raises(SamePersonTwice):
            substeps.take(session, roster, by=twin, note="同意")
        substeps.take(session, roster, by=quiet.department.reviewer, note="同意")
        again_as_clerk = replace(quiet.department.clerk, person=quiet.department.reviewer.person)
        with pytest.raises((SamePersonTwice, SignedAlready)):
            rosters.examine_department(session, roster, by=again_as_clerk)

    def test_nobody_signs_for_their_own_household(self, session, quiet):
        member = a_member(session, quiet)
        session.get_one(Officer, quiet.department.second_clerk.officer_id).person_index = member.id_index
        session.flush()
        roster = a_running(
            session, quiet, S.REPORTED, SIGN, stage="department_clerk", lines=[a_line(member=member), a_line()]
        )
        with pytest.raises(OwnHousehold):
            substeps.take(session, roster, by=quiet.department.second_clerk, note="同意")

    def test_other_desks_other_counties_and_other_sectors_are_refused(self, session, quiet):
        roster = a_running(session, quiet, S.REPORTED, SIGN, stage="department_clerk")
        for by in (quiet.department.reviewer, quiet.township.clerk, quiet.finance.clerk):
            with pytest.raises(NotAllowed):
                substeps.take(session, roster, by=by, note="同意")
        for by in (quiet.civil_affairs.clerk, quiet.other_county.department.clerk, quiet.region_department.clerk):
            with pytest.raises(Exception, match=r"没有|主管部门负责"):
                substeps.take(session, roster, by=by, note="同意")


class TestReturnsAndWithdrawals:
    def test_after_a_return_without_changed_facts_they_count_again(self, session, quiet):
        roster = a_running(session, quiet, S.REPORTED, CHECK, stage="department_clerk")
        substeps.take(session, roster, by=quiet.department.clerk, note="无误")
        rosters.return_(session, roster, by=quiet.department.clerk, reason="缺材料")
        rosters.resume(session, roster, by=quiet.township.clerk)
        assert (roster.status, roster.substep_desk) == (S.REPORTED, None)
        rosters.examine_department(session, roster, by=quiet.department.clerk)

    def test_after_changed_facts_they_are_taken_again(self, session, quiet, forward):
        roster = a_running(session, quiet, S.REPORTED, CHECK, stage="department_clerk")
        substeps.take(session, roster, by=quiet.department.clerk, note="无误")
        rosters.return_(session, roster, by=quiet.department.clerk, reason="金额有误")
        roster.facts_changed = True
        rosters.reopen(session, roster, by=quiet.township.clerk)
        rosters.publish_notice(session, roster, by=quiet.township.clerk, mode="online")
        forward(session)
        rosters.endorse(session, roster, by=quiet.township.head, attested=True)
        rosters.report(session, roster, by=quiet.township.clerk)
        assert roster.substep_desk == "department_clerk"
        with pytest.raises(SubstepsOpen):
            rosters.examine_department(session, roster, by=quiet.department.clerk)

    @pytest.fixture
    def forward(self) -> Any:
        def run(session: Session) -> None:
            session.execute(sa.text("update notices set ends_at = now() - interval '1 day'"))

        return run

    def test_an_edit_of_the_draft_asks_for_its_sub_steps_anew(self, session, quiet):
        check = a_substep("spot_check", "township_clerk", "村级抽查", count=1)
        roster = a_running(session, quiet, S.DRAFT, check, stage="notice")
        substeps.take(session, roster, by=quiet.township.clerk, note="无误")
        assert roster.substep_desk is None
        line = session.execute(
            sa.text("select id from roster_lines where roster_id = :r limit 1"), {"r": roster.id}
        ).scalar_one()
        one = session.exec(select(RosterLine).where(RosterLine.id == line)).one()
        roster_lines.hold(session, one, by=quiet.township.clerk, reason="材料不全")
        roster = again(session, roster)
        assert (roster.substep_desk, roster.substep_round) == ("township_clerk", 1)
        with pytest.raises(SubstepsOpen):
            rosters.publish_notice(session, roster, by=quiet.township.clerk, mode="online")
        substeps.take(session, roster, by=quiet.township.clerk, note="再次核对")
        assert rosters.publish_notice(session, roster, by=quiet.township.clerk, mode="online").status == S.ON_NOTICE

    def test_a_check_of_the_draft_leaves_them(self, session, quiet):
        check = a_substep("spot_check", "township_clerk", "村级抽查", count=1)
        roster = a_running(session, quiet, S.DRAFT, check, stage="notice")
        substeps.take(session, roster, by=quiet.township.clerk, note="无误")
        start_check(session, roster, by=quiet.township.clerk)
        roster = again(session, roster)
        assert roster.substep_desk is None

    def test_a_roster_is_withdrawn_until_the_next_desk_has_taken_a_sub_step(self, session, quiet):
        roster = a_running(session, quiet, S.REPORTED, CHECK, stage="department_clerk")
        with session.begin_nested() as save:
            assert rosters.withdraw(session, roster, by=quiet.township.clerk).substep_desk is None
            save.rollback()
        session.refresh(roster)
        substeps.take(session, roster, by=quiet.department.clerk, note="无误")
        with pytest.raises(NextDeskActed, match="入户抽查"):
            rosters.withdraw(session, roster, by=quiet.township.clerk)

    def test_what_was_taken_counts_after_a_withdrawal(self, session, quiet):
        check = a_substep("spot_check", "department_reviewer", "复核抽查", count=1)
        roster = a_running(session, quiet, S.DEPARTMENT_EXAMINED, check, stage="department_reviewer")
        substeps.take(session, roster, by=quiet.department.reviewer, note="无误")
        rosters.pass_department(session, roster, by=quiet.department.reviewer)
        rosters.withdraw_department(session, roster, by=quiet.department.reviewer)
        assert (roster.status, roster.substep_desk) == (S.DEPARTMENT_EXAMINED, None)


class TestWhatOfficersSee:
    def test_it_is_an_errand_of_the_right_desk_and_nobody_elses(self, session, quiet):
        roster = a_running(session, quiet, S.REPORTED, JOINT, stage="department_clerk")
        tasks = [task for task in inbox.tasks(session, quiet.department.reviewer) if task.record_id == roster.id]
        assert [(task.step, task.kind) for task in tasks] == [("分管领导会签", "发放清册")]
        for by in (quiet.department.clerk, quiet.civil_affairs.reviewer, quiet.finance.clerk):
            assert [task for task in inbox.tasks(session, by) if task.record_id == roster.id] == []
        substeps.take(session, roster, by=quiet.department.reviewer, note="同意")
        (task,) = (task for task in inbox.tasks(session, quiet.department.clerk) if task.record_id == roster.id)
        assert task.step == "主管部门初审"

    def test_the_page_says_what_waits_and_who_takes_it_and_the_timeline_what_was_taken(self, session, quiet):
        roster = a_running(session, quiet, S.REPORTED, JOINT, stage="department_clerk")
        told = [one for one in blockers(session, roster, quiet.department.clerk) if one.article == "第二十四条"]
        assert [(one.text, one.unblock) for one in told] == [
            ("“主管部门初审”环节待办会签：分管领导会签", "由主管部门审核岗办理")
        ]
        substeps.take(session, roster, by=quiet.department.reviewer, note="同意")
        event = session.execute(
            sa.text("select label, desk, opinion, facts->>'kind' as kind from events where verb = 'substep'")
        ).one()
        assert tuple(event) == ("主管部门初审环节会签：分管领导会签", "department_reviewer", "同意", "countersign")


class TestPostgreSQL:
    def test_the_application_writes_no_sub_step_that_does_not_wait(self, county, as_, owner):
        with owner() as session:
            roster = a_running(session, county, S.REPORTED, SIGN, stage="department_clerk")
        row = {"division_code": roster.division_code, "sector": "农牧", "roster_id": roster.id,
               "flow_id": roster.flow_id, "stage": "department_clerk", "position": 0,
               "substep_round": roster.substep_round,
               "kind": "sign_off", "name": "第二人复核", "desk": "department_clerk", "officer_id": 1, "person": "p",
               "officer_name": "某", "post": "岗", "note": "", "taken_at": roster.arrived_at}  # fmt: skip
        for wrong in ({"stage": "notice"}, {"position": 1}, {"desk": "department_reviewer"}, {"substep_round": 7}):
            refused = pytest.raises(sa.exc.ProgrammingError, match="没有这个待办")
            with refused, as_(county.department.clerk) as session:
                session.execute(sa.insert(RosterSubstep).values(**row | wrong))
        with as_(county.department.second_clerk) as session:
            mine = session.get_one(Roster, roster.id)
            substeps.take(session, mine, by=county.department.second_clerk, note="同意")
        for change in ("update roster_substeps set note = 'x'", "delete from roster_substeps"):
            with (
                pytest.raises(sa.exc.ProgrammingError, match="permission denied"),
                as_(county.department.clerk) as session,
            ):
                session.execute(sa.text(change))
        with as_(county.civil_affairs.clerk) as session:
            assert session.exec(select(RosterSubstep)).all() == []
