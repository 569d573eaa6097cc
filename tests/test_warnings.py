"""Warnings at the gates: each seed rule fires and doesn't, red stops, yellow is explained, blue acknowledged."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import Session, col, select

from models.households import IdentityOutcome
from models.rosters import LineState, Roster, RosterStatus
from models.warnings import Gate, Light, RosterWarning, WarningRule
from policies.clock import today
from tests.conftest import As
from tests.factories import Line, World, a_card_number, a_household, a_line, a_member, a_project, a_roster, an_account
from workflows import warnings
from workflows.edges import edge
from workflows.warnings import ExplanationMissing, Lights, StoppedByRedLight, preview, screen

CONTRACTED = "100"


def a_sound_line(**fields: Any) -> Line:
    """A line that no seed rule has anything against."""
    return a_line(**{"contracted": CONTRACTED} | fields)


def warned(session: Session, roster: Roster) -> list[RosterWarning]:
    """Return the live warnings of a roster."""
    statement = select(RosterWarning).where(RosterWarning.roster_id == roster.id, col(RosterWarning.live))
    return list(session.exec(statement.order_by(col(RosterWarning.line_sequence), col(RosterWarning.rule_code))))


def found(session: Session, roster: Roster) -> dict[int, list[str]]:
    """Return the rules that fired, by the line's sequence (0: could not judge)."""
    result: dict[int, list[str]] = {}
    for warning in warned(session, roster):
        result.setdefault(warning.line_sequence, []).append(warning.rule_code)
    return result


def rules_of(session: Session) -> set[str]:
    """Return the codes of the rules."""
    return set(session.exec(select(WarningRule.code)))


Change = dict[str, Any]
DEAD_BEFORE, DEAD_WITHIN = date(2023, 12, 1), date(2024, 5, 1)
CASES: list[tuple[str, Line, Line]] = [
    # rule, a line on which it fires, a line on which it is silent
    ("R01", a_sound_line(deceased=DEAD_BEFORE), a_sound_line(deceased=DEAD_WITHIN)),
    ("R01", a_sound_line(identity=IdentityOutcome.DEAD), a_sound_line()),
    ("R42", a_sound_line(deceased=DEAD_WITHIN), a_sound_line(deceased=DEAD_BEFORE)),
    ("R42", a_sound_line(deceased=date(2024, 1, 1)), a_sound_line()),
    ("R03", a_sound_line(identity=IdentityOutcome.MISMATCH), a_sound_line()),
    ("R03", a_sound_line(identity=IdentityOutcome.NOT_FOUND), a_sound_line(deceased=DEAD_WITHIN)),
    ("R43", a_sound_line(identity=None), a_sound_line()),
    ("R11", a_sound_line(amount_fen=15001), a_sound_line(amount_fen=15000)),
    ("R11", a_sound_line(quantity="0.333", standard="15.0000", amount_fen=501), a_sound_line(quantity="0.333")),
    ("R11", a_sound_line(standard="16.0000"), a_sound_line(standard="14.0000")),
    ("R12", a_sound_line(account=False), a_sound_line()),
    ("R12", a_sound_line(account_state=None), a_sound_line(account_state="dormant")),
    ("R12", a_sound_line(account_state="closed"), a_sound_line()),
    ("R12", a_sound_line(account_state="name_differs"), a_sound_line()),
    ("R23", a_sound_line(contracted="9.998"), a_sound_line(contracted="9.999")),
    ("R25", a_sound_line(previous_amount_fen=11538), a_sound_line(previous_amount_fen=11539)),
    ("R25", a_sound_line(previous_amount_fen=21429), a_sound_line()),
    ("R30", a_sound_line(account_state="dormant"), a_sound_line()),
    ("R32", a_sound_line(phone_present=False), a_sound_line()),
    ("R35", a_sound_line(reviewed_on=None), a_sound_line()),
    ("R36", a_sound_line(account_is_card=False), a_sound_line()),
]


class TestSeedRules:
    def test_a_sound_roster_raises_nothing(self, session: Session, county: World) -> None:
        roster = a_roster(session, county, lines=[a_sound_line(), a_sound_line()])
        assert screen(session, roster, Gate.REPORT, by=county.township.clerk) == Lights()
        assert warned(session, roster) == []

    def test_each_seed_rule_fires_and_does_not(self, session: Session, county: World) -> None:
        lines = [line for _, fires, silent in CASES for line in (fires, silent)]
        roster = a_roster(session, county, lines=lines)
        preview(session, roster, by=county.township.clerk)
        fired = found(session, roster)
        for number, (rule, _, _) in enumerate(CASES):
            assert rule in fired.get(2 * number + 1, []), f"case {number}: {rule} is silent"
            assert rule not in fired.get(2 * number + 2, []), f"case {number}: {rule} fires"
        others = {"R04", "R05", "R06", "R07", "R24"}  # have tests of their own
        assert {rule for rule, _, _ in CASES} | others == rules_of(session)

    def test_the_last_review_may_be_twelve_months_ago_and_no_more(self, session: Session, county: World) -> None:
        day = today(session)
        year_ago = session.execute(
            sa.text("select cast(:day - interval '12 months' as date)"), {"day": day}
        ).scalar_one()
        lines = [a_sound_line(reviewed_on=year_ago), a_sound_line(reviewed_on=year_ago - timedelta(days=1))]
        roster = a_roster(session, county, lines=lines)
        preview(session, roster, by=county.township.clerk)
        assert found(session, roster) == {2: ["R35"]}

    def test_the_households_area_is_summed_over_its_lines_and_rosters(self, session: Session, county: World) -> None:
        home = a_household(session, county)
        people = [a_member(session, county, home, name=name) for name in ("甲", "乙", "丙")]
        first = [a_sound_line(member=person, quantity="40") for person in people[:2]]
        roster = a_roster(session, county, lines=first)
        preview(session, roster, by=county.township.clerk)
        assert found(session, roster) == {}
        a_roster(session, county, lines=[a_sound_line(member=people[2], quantity="21")])
        preview(session, roster, by=county.township.clerk)
        assert found(session, roster) == {1: ["R23"], 2: ["R23"]}
        assert warned(session, roster)[0].message == "户累计补贴面积 101 亩，大于承包面积 100 亩"

    def test_the_area_rule_leaves_other_subsidies_alone(self, session: Session, county: World) -> None:
        project = a_project(session, county, "2130135")
        roster = a_roster(session, county, project=project, lines=[a_sound_line(contracted=None)])
        preview(session, roster, by=county.township.clerk)
        assert found(session, roster) == {}

    def test_one_account_of_two_payees_is_warned_on_each_line(self, session: Session, county: World) -> None:
        number = a_card_number()
        people = [a_member(session, county, name=name) for name in ("甲", "乙", "丙")]
        for person in people[:2]:
            an_account(session, person, number=number)
        roster = a_roster(session, county, lines=[a_sound_line(member=person) for person in people])
        preview(session, roster, by=county.township.clerk)
        assert found(session, roster) == {1: ["R24"], 2: ["R24"]}

    def test_the_head_who_receives_for_two_of_the_family_is_one_payee(self, session: Session, county: World) -> None:
        head = a_member(session, county)
        an_account(session, head)
        lines = [a_sound_line(member=head, component=part) for part in ("地块一", "地块二")]
        roster = a_roster(session, county, lines=lines)
        preview(session, roster, by=county.township.clerk)
        assert found(session, roster) == {}

    def test_two_lines_without_account_do_not_share_one(self, session: Session, county: World) -> None:
        roster = a_roster(session, county, lines=[a_sound_line(account=False), a_sound_line(account=False)])
        preview(session, roster, by=county.township.clerk)
        assert found(session, roster) == {1: ["R12"], 2: ["R12"]}

    def test_the_same_entitlement_twice_in_a_roster_marks_every_such_line(
        self, session: Session, county: World
    ) -> None:
        person = a_member(session, county)
        lines = [a_sound_line(member=person), a_sound_line(), a_sound_line(member=person)]
        roster = a_roster(session, county, lines=lines)
        preview(session, roster, by=county.township.clerk)
        assert found(session, roster) == {1: ["R04"], 3: ["R04"]}


class TestAcrossTownships:
    """What lies beyond the township's own rows is asked of functions that return a verdict only (第十一条)."""

    def _two_rosters(self, session: Session, county: World, **other: Any) -> tuple[Roster, Roster]:
        person = a_member(session, county)
        mine = a_roster(session, county, lines=[a_sound_line(), a_sound_line(member=person)])
        key = session.execute(
            sa.text("select entitlement_key from roster_lines where roster_id = :id and sequence = 2"), {"id": mine.id}
        ).scalar_one()
        theirs = a_roster(
            session, county, township=county.second_township, lines=[a_sound_line(entitlement_key=key)], **other
        )
        session.commit()
        return mine, theirs

    def test_the_same_entitlement_on_another_townships_roster_is_red(
        self, session: Session, county: World, as_: As
    ) -> None:
        mine, _ = self._two_rosters(session, county)
        with as_(county.township.clerk) as own:
            preview(own, own.get_one(Roster, mine.id), by=county.township.clerk)
            assert found(own, mine) == {2: ["R05"]}
            assert "已列入其他清册（" in warned(own, mine)[0].message

    def test_a_stopped_line_or_a_closed_roster_there_is_no_duplicate(
        self, session: Session, county: World, as_: As
    ) -> None:
        mine, theirs = self._two_rosters(session, county, status=RosterStatus.CLOSED)
        with as_(county.township.clerk) as own:
            preview(own, own.get_one(Roster, mine.id), by=county.township.clerk)
            assert found(own, mine) == {}
        session.execute(sa.text("update rosters set status = 'draft' where id = :id"), {"id": theirs.id})
        session.execute(sa.text("update roster_lines set state = 'stopped' where roster_id = :id"), {"id": theirs.id})
        session.commit()
        with as_(county.township.clerk) as own:
            preview(own, own.get_one(Roster, mine.id), by=county.township.clerk)
            assert found(own, mine) == {}

    def test_the_function_answers_for_rosters_of_the_callers_range_only(
        self, session: Session, county: World, as_: As
    ) -> None:
        mine, _ = self._two_rosters(session, county)
        asked = sa.text("select count(*) from entitlements_rostered(:division, :roster)")
        key = {"division": mine.division_code, "roster": mine.id}
        for by, rows in ((county.township.clerk, 1), (county.second_township.clerk, 0), (county.league, 1)):
            with as_(by) as own:
                assert own.execute(asked, key).scalar_one() == rows

    def test_an_entitlement_paid_in_another_county_is_red(self, session: Session, county: World, as_: As) -> None:
        roster = a_roster(session, county, lines=[a_sound_line(), a_sound_line()])
        session.execute(sa.text("set session_replication_role = replica"))  # the claim alone, without its payment
        session.execute(
            sa.text(
                "insert into entitlement_successes (entitlement_key, division_code, disbursement_id)"
                " select entitlement_key, '152522000000', 1 from roster_lines where roster_id = :id and sequence = 1"
            ),
            {"id": roster.id},
        )
        session.execute(sa.text("set session_replication_role = origin"))
        session.commit()
        with as_(county.township.clerk) as own:
            preview(own, own.get_one(Roster, roster.id), by=county.township.clerk)
            assert found(own, roster) == {1: ["R06"]}
            assert "阿巴嘎旗" in warned(own, roster)[0].message


class TestMissingFacts:
    def test_a_missing_registry_area_is_skipped_and_said_so_never_passed(self, session: Session, county: World) -> None:
        lines = [a_sound_line(), a_sound_line(contracted=None), a_sound_line(contracted=None)]
        roster = a_roster(session, county, lines=lines)
        with pytest.raises(ExplanationMissing) as refusal:
            screen(session, roster, Gate.REPORT, by=county.township.clerk)
        (hit,) = refusal.value.hits
        assert (hit.rule, hit.sequence, hit.skipped, hit.light) == ("R23", 0, True, "blue")
        assert "2 笔明细未能判断（序号 2、3），缺少：承包面积" in hit.message

    def test_what_a_red_rule_could_not_judge_wants_an_explanation(self, session: Session, county: World) -> None:
        project = a_project(session, county, "2081902", standard=None)
        roster = a_roster(session, county, project=project, lines=[a_sound_line()])
        preview(session, roster, by=county.township.clerk)
        (warning,) = warned(session, roster)
        assert (warning.rule_code, warning.light, warning.skipped) == ("R11", Light.YELLOW, True)
        assert warning.evidence["缺少"] == ["政策标准"]

    def test_once_the_fact_is_there_the_note_goes(self, session: Session, county: World) -> None:
        roster = a_roster(session, county, lines=[a_sound_line(contracted=None)])
        preview(session, roster, by=county.township.clerk)
        assert found(session, roster) == {0: ["R23"]}
        session.execute(sa.text("update roster_lines set contracted_area_mu = 10"))
        preview(session, roster, by=county.township.clerk)
        assert found(session, roster) == {}


@pytest.fixture
def stood(session: Session, county: World) -> Callable[..., Roster]:
    """Rosters made and committed, for verbs of the application's role."""

    def make(*lines: Line, status: RosterStatus = RosterStatus.ENDORSED) -> Roster:
        roster = a_roster(session, county, status=status, lines=list(lines))
        session.commit()
        return roster

    return make


class TestGates:
    def test_a_red_light_stops_the_roster(self, stood: Callable[..., Roster], county: World, as_: As) -> None:
        roster = stood(a_sound_line(), a_sound_line(deceased=True))
        with as_(county.township.clerk) as session, pytest.raises(StoppedByRedLight) as refusal:
            screen(session, session.get_one(Roster, roster.id), Gate.REPORT, by=county.township.clerk)
        assert [(hit.rule, hit.sequence) for hit in refusal.value.hits] == [("R01", 2)]
        assert "1 笔明细" in str(refusal.value)
        assert "序号 2“死亡人员领取”" in str(refusal.value)

    def test_the_hits_survive_the_refusals_rollback(self, stood: Callable[..., Roster], county: World, as_: As) -> None:
        roster = stood(a_sound_line(deceased=True))
        with pytest.raises(StoppedByRedLight), edge(county.township.clerk, "report", roster.number) as session:
            screen(session, session.get_one(Roster, roster.id), Gate.REPORT, by=county.township.clerk)
        with as_(county.township.clerk) as session:
            assert found(session, roster) == {1: ["R01"]}
            assert session.execute(sa.text("select count(*) from refusals")).scalar_one() == 1

    def test_stopping_the_red_lines_frees_the_rest(self, session: Session, county: World) -> None:
        roster = a_roster(session, county, lines=[a_sound_line(), a_sound_line(deceased=True)])
        with pytest.raises(StoppedByRedLight):
            screen(session, roster, Gate.REPORT, by=county.township.clerk)
        session.execute(sa.text("update roster_lines set state = 'stopped' where sequence = 2"))
        assert screen(session, roster, Gate.REPORT, by=county.township.clerk) == Lights()
        assert warned(session, roster) == []

    def test_a_held_line_keeps_its_warning_and_does_not_stop(self, session: Session, county: World) -> None:
        held = a_sound_line(deceased=True, state=LineState.HELD)
        roster = a_roster(session, county, lines=[a_sound_line(), held])
        assert screen(session, roster, Gate.REPORT, by=county.township.clerk).red == 0
        assert found(session, roster) == {2: ["R01"]}

    def test_yellow_without_explanation_stops_and_explained_travels(
        self, stood: Callable[..., Roster], county: World, as_: As
    ) -> None:
        roster = stood(a_sound_line(contracted="5"))
        clerk = county.township.clerk
        with pytest.raises(ExplanationMissing) as refusal, edge(clerk, "report", roster.number) as session:
            screen(session, session.get_one(Roster, roster.id), Gate.REPORT, by=clerk)
        assert (refusal.value.fields["yellow"], refusal.value.fields["blue"]) == (1, 0)
        with as_(clerk) as session:
            (warning,) = warned(session, roster)
            warnings.explain(session, warning, by=clerk, text="流转入五亩，合同已核实存档")
        with as_(clerk) as session:
            lights = screen(session, session.get_one(Roster, roster.id), Gate.REPORT, by=clerk)
            assert (lights.yellow, lights.yellow_open) == (1, 0)
            session.execute(sa.text("update rosters set status = 'reported'"))
        with as_(county.department.clerk) as session:
            screen(session, session.get_one(Roster, roster.id), Gate.DEPARTMENT, by=county.department.clerk)
            (warning,) = warned(session, roster)
            assert warning.explanation == "流转入五亩，合同已核实存档"
            assert clerk.name in warning.explained_by
            assert warning.gate == Gate.REPORT

    def test_an_explanation_falls_when_the_evidence_changes(self, session: Session, county: World) -> None:
        clerk = county.township.clerk
        roster = a_roster(session, county, lines=[a_sound_line(contracted="5"), a_sound_line(phone_present=False)])
        preview(session, roster, by=clerk)
        warnings.explain_rule(session, roster, by=clerk, rule_code="R23", text="流转入五亩，合同已核实存档")
        warnings.acknowledge_rule(session, roster, by=clerk, rule_code="R32")
        assert screen(session, roster, Gate.REPORT, by=clerk).blue == 1
        session.execute(sa.text("update roster_lines set quantity = 11, amount_fen = 16500 where sequence = 1"))
        session.expire_all()
        with pytest.raises(ExplanationMissing) as refusal:
            screen(session, roster, Gate.REPORT, by=clerk)
        assert [hit.rule for hit in refusal.value.hits] == ["R23"]

    def test_blue_passes_once_acknowledged(self, session: Session, county: World) -> None:
        clerk = county.township.clerk
        roster = a_roster(session, county, lines=[a_sound_line(phone_present=False)])
        with pytest.raises(ExplanationMissing) as refusal:
            screen(session, roster, Gate.REPORT, by=clerk)
        assert refusal.value.fields["blue"] == 1
        (warning,) = warned(session, roster)
        warnings.acknowledge(session, warning, by=clerk)
        assert screen(session, roster, Gate.REPORT, by=clerk).blue_open == 0
        assert screen(session, roster, Gate.DEPARTMENT, by=clerk) == Lights()

    def test_at_most_500_hits_are_told(self, session: Session, county: World) -> None:
        roster = a_roster(session, county, lines=[a_sound_line(identity=None)] * 501)
        with pytest.raises(StoppedByRedLight) as refusal:
            screen(session, roster, Gate.REPORT, by=county.township.clerk)
        assert (refusal.value.fields["count"], len(refusal.value.hits)) == (501, 500)

    def test_a_preview_refuses_nothing(self, session: Session, county: World) -> None:
        lines = [a_sound_line(deceased=True), a_sound_line(contracted="5"), a_sound_line(phone_present=False)]
        roster = a_roster(session, county, lines=lines)
        lights = preview(session, roster, by=county.township.clerk)
        assert (lights.red, lights.yellow, lights.blue) == (1, 1, 1)

    def test_evidence_holds_what_the_rule_saw_and_no_personal_data(self, session: Session, county: World) -> None:
        roster = a_roster(session, county, lines=[a_sound_line(deceased=DEAD_BEFORE)])
        preview(session, roster, by=county.township.clerk)
        (warning,) = warned(session, roster)
        assert warning.evidence == {"核查结果": "死亡", "死亡日期": "2023-12-01", "所属期起": "2024-01-01"}
