"""Rules are data: a row fires without a restart, one officer saves, another enables. （第十八条、第三十六条）"""

from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import Session, select

from models.base import REGION_CODE
from models.warnings import Gate, WarningRule
from policies.clock import today
from policies.refusals import NotAllowed, NotFound, SamePersonTwice
from policies.rules.mistakes import RuleBroken, TypeMismatch, UnknownFact
from tests.conftest import As, Owner
from tests.factories import World, a_roster
from tests.test_warnings import Change, a_sound_line, found
from workflows import rules
from workflows.warnings import Lights, StoppedByRedLight, preview, screen

INSERT = (
    "insert into warning_rules (division_code, code, version, name, light, subject, gates, expression, message,"
    " article, enabled, valid_from) values (:division, 'Z99', :version, '面积过大', 'red', 'line', '{report}',"
    " :expression, '面积 {数量} 亩', '', true, :valid_from)"
)


def a_row(session: Session, expression: str = "数量 > 9", **fields: Any) -> None:
    """Insert a rule as plain SQL."""
    values = {"division": REGION_CODE, "version": 1, "expression": expression, "valid_from": date(2024, 4, 2)}
    session.execute(sa.text(INSERT), values | fields)


class TestRulesAreData:
    def test_a_rule_inserted_as_a_row_fires_without_a_restart(self, session: Session, county: World) -> None:
        roster = a_roster(session, county, lines=[a_sound_line()])
        assert screen(session, roster, Gate.REPORT, by=county.township.clerk) == Lights()
        a_row(session)
        with pytest.raises(StoppedByRedLight) as refusal:
            screen(session, roster, Gate.REPORT, by=county.township.clerk)
        assert [(hit.rule, hit.message) for hit in refusal.value.hits] == [("Z99", "面积 10 亩")]
        assert screen(session, roster, Gate.FINANCE, by=county.finance.clerk) == Lights()

    def test_a_disabled_rule_takes_its_warnings_along(self, session: Session, county: World) -> None:
        roster = a_roster(session, county, lines=[a_sound_line()])
        a_row(session)
        preview(session, roster, by=county.township.clerk)
        assert found(session, roster) == {1: ["Z99"]}
        session.execute(sa.text("update warning_rules set enabled = false where code = 'Z99'"))
        assert screen(session, roster, Gate.REPORT, by=county.township.clerk) == Lights()
        assert found(session, roster) == {}

    @pytest.mark.parametrize(
        ("division", "fires"),
        [("150430000000", True), ("150400000000", True), ("152522000000", False), ("150430102000", False)],
    )
    def test_a_rule_binds_its_own_county_league_or_region(
        self, session: Session, county: World, division: str, fires: bool
    ) -> None:
        a_row(session, division=division)
        roster = a_roster(session, county, lines=[a_sound_line()])
        preview(session, roster, by=county.township.clerk)
        assert found(session, roster) == ({1: ["Z99"]} if fires else {})

    def test_a_county_cannot_loosen_the_regions_rule(self, session: Session, county: World) -> None:
        a_row(session)
        a_row(session, "数量 > 9999", division=county.code, version=7)
        roster = a_roster(session, county, lines=[a_sound_line()])
        preview(session, roster, by=county.township.clerk)
        assert found(session, roster) == {1: ["Z99"]}

    def test_a_rule_counts_from_its_day_and_the_highest_version_wins(self, session: Session, county: World) -> None:
        a_row(session)
        a_row(session, "数量 > 9999", version=2, valid_from=today(session) + timedelta(days=1))
        roster = a_roster(session, county, lines=[a_sound_line()])
        preview(session, roster, by=county.township.clerk)
        assert found(session, roster) == {1: ["Z99"]}
        session.execute(sa.text("update warning_rules set valid_from = '2024-04-02' where version = 2"))
        preview(session, roster, by=county.township.clerk)
        assert found(session, roster) == {}

    def test_a_row_that_can_not_run_stops_the_gate_with_its_position(self, session: Session, county: World) -> None:
        a_row(session, "数量 > 9 and 身份证 = '1'")
        roster = a_roster(session, county, lines=[a_sound_line()])
        with pytest.raises(RuleBroken, match=r"Z99.*第 1 行第 12 列"):
            screen(session, roster, Gate.REPORT, by=county.township.clerk)

    def test_a_gate_is_one_statement(self, session: Session, county: World) -> None:
        roster = a_roster(session, county, lines=[a_sound_line()] * 3)
        seen: list[str] = []
        connection = session.connection()

        @sa.event.listens_for(connection, "before_cursor_execute")
        def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
            seen.append(statement)

        preview(session, roster, by=county.township.clerk)
        assert (
            len(
                [
                    statement
                    for statement in seen
                    if "roster_lines l\n" in statement or "join roster_lines l" in statement
                ]
            )
            == 2
        )
        assert len([statement for statement in seen if "insert into roster_warnings" in statement]) == 1
        assert not [statement for statement in seen if ";" in statement]


GOOD = {
    "code": "NM-01", "name": "面积过大", "light": "yellow", "gates": ["report"], "expression": "数量 > 9",
    "message": "面积 {数量} 亩",
}  # fmt: skip


class TestSavingRules:
    def test_one_officer_saves_another_enables(self, session: Session, county: World) -> None:
        finance = county.region_finance
        rule = rules.save_rule(session, by=finance.clerk, **GOOD)
        roster = a_roster(session, county, lines=[a_sound_line()])
        preview(session, roster, by=county.township.clerk)
        assert found(session, roster) == {}
        assert rules.try_rule(session, rule, roster, by=finance.clerk) == rules.Trial(1, "")
        rules.enable_rule(session, rule, by=finance.reviewer)
        preview(session, roster, by=county.township.clerk)
        assert found(session, roster) == {1: ["NM-01"]}

    def test_the_same_person_can_not_enable_what_they_saved(self, session: Session, county: World) -> None:
        rule = rules.save_rule(session, by=county.region_finance.clerk, **GOOD)
        rule.saved_by = county.region_finance.reviewer.person
        with pytest.raises(SamePersonTwice):
            rules.enable_rule(session, rule, by=county.region_finance.reviewer)
        with pytest.raises(NotAllowed):
            rules.enable_rule(session, rule, by=county.region_finance.clerk)

    def test_a_changed_rule_is_a_new_version_and_the_former_goes(self, session: Session, county: World) -> None:
        finance = county.finance
        first = rules.enable_rule(session, rules.save_rule(session, by=finance.clerk, **GOOD), by=finance.reviewer)
        second = rules.save_rule(session, by=finance.clerk, **GOOD | {"expression": "数量 > 99"})
        assert (second.version, second.enabled) == (2, False)
        rules.enable_rule(session, second, by=finance.reviewer)
        session.refresh(first)
        assert (first.enabled, second.enabled) == (False, True)
        rules.disable_rule(session, second, by=finance.reviewer)
        assert not second.enabled

    @pytest.mark.parametrize(
        ("change", "refusal"),
        [
            ({"expression": "面积面积 > 9"}, UnknownFact),
            ({"expression": "数量 > 有手机号"}, TypeMismatch),
            ({"message": "{身份证号}"}, UnknownFact),
            ({"code": "nm"}, rules.RuleInvalid),
            ({"name": " "}, rules.RuleInvalid),
            ({"light": "green"}, rules.RuleInvalid),
            ({"gates": []}, rules.RuleInvalid),
            ({"gates": ["payment"]}, rules.RuleInvalid),
            ({"code": "R01"}, rules.CodeTaken),
        ],
    )
    def test_a_wrong_rule_is_not_saved(
        self, session: Session, county: World, change: Change, refusal: type[Exception]
    ) -> None:
        with pytest.raises(refusal):
            rules.save_rule(session, by=county.finance.clerk, **GOOD | change)

    def test_a_township_saves_no_rules(self, session: Session, county: World) -> None:
        with pytest.raises(NotAllowed):
            rules.save_rule(session, by=county.township.clerk, **GOOD)

    def test_a_county_can_not_switch_the_regions_rule(self, session: Session, county: World) -> None:
        rule = session.exec(select(WarningRule).where(WarningRule.code == "R01")).one()
        with pytest.raises(NotFound):
            rules.disable_rule(session, rule, by=county.finance.reviewer)

    def test_row_policy_keeps_a_countys_rules_to_itself(self, county: World, as_: As) -> None:
        with as_(county.finance.clerk) as session:
            rules.save_rule(session, by=county.finance.clerk, **GOOD)
        mine = sa.text("select count(*) from warning_rules where code = 'NM-01'")
        seen = {}
        for name, by in {"township": county.township.clerk, "other": county.other_county.finance.clerk}.items():
            with as_(by) as session:
                seen[name] = session.execute(mine).scalar_one()
        assert seen == {"township": 1, "other": 0}

    def test_the_seed_is_loaded_once(self, owner: Owner) -> None:
        with owner() as session:
            assert rules.seed_rules(session) == 0
            assert session.execute(sa.text("select count(*) from warning_rules")).scalar_one() == 17
