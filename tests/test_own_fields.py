"""A project's own fields on lines and notices: corrections follow the roster's version, notices show what may be read.

（第十五条、第十六条第三项、第三十条）
"""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal as D
from typing import Any

import pytest
from sqlmodel import Session, select

from models.notices import Notice
from models.projects import SubsidyProject
from models.rosters import Roster, RosterLine
from policies.definitions import Definition, parse, stored
from policies.entitlements import entitlement_key
from policies.formulas.program import AmountMissing, AmountOutside
from policies.notices import HIDDEN, digest
from tests.console import ConsoleServer, running, token_of
from tests.factories import World, a_line, a_member, a_project, a_roster, again, lines_of
from workflows import rosters
from workflows.application_values import ValueWrong
from workflows.project_versions import amend_version, in_force
from workflows.roster_lines import change_amount

FIELDS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "slope": {"type": "number", "title": "坡度", "x-unit": "度", "minimum": 0, "x-public": "shown"},
        "kind": {"type": "string", "title": "草场类别", "enum": ["甲类", "乙类"], "x-public": "shown"},
        "fenced": {"type": "boolean", "title": "已围封", "x-public": "masked"},
        "place": {"type": "string", "title": "小地名", "x-public": "masked"},
        "signed": {"type": "string", "format": "date", "title": "签约日期"},
        "parcel": {"type": "string", "title": "地块编码"},
    },
    "required": ["slope", "kind"],
}
FORMULA = "数量 * 补贴标准 * if(草场类别 = '甲类', 1.2, 1) + 坡度"
OWN = {"slope": "3.5", "kind": "甲类", "fenced": True, "place": "二道沟", "signed": "2024-03-01", "parcel": "A1"}


def amended(session: Session, project: SubsidyProject, **said: Any) -> Definition:
    """Give a project its next version, as a change that has become effective does."""
    definition = parse(stored(in_force(project)) | said)
    amend_version(session, project, definition, basis="试验", effective_on=date(2024, 1, 1))
    return definition


@pytest.fixture
def project(session: Session, county: World) -> SubsidyProject:
    """Return a project with fields and a formula of its own."""
    found = a_project(session, county)
    amended(session, found, fields=FIELDS, formula=FORMULA, component=("parcel",))
    return found


def a_grazed_roster(session: Session, county: World, project: SubsidyProject, **extra: Any) -> Roster:
    """Make a roster of one line with the project's own fields."""
    line = a_line(amount_fen=18350, component="A1", extra=OWN | extra)
    return a_roster(session, county, project=project, lines=[line])


def corrected(session: Session, county: World, line: RosterLine, **own: Any) -> RosterLine:
    """Correct a line's own fields."""
    return change_amount(
        session, line, by=county.township.clerk, quantity=D(10), standard=D(15), reason="更正", own=OWN | own
    )


class TestCorrection:
    def test_the_amount_follows_the_formula(self, session, county, project):
        roster = a_grazed_roster(session, county, project)
        line = corrected(session, county, lines_of(session, roster)[0], kind="乙类", slope=D("4.25"))
        assert (line.amount_fen, line.extra["slope"], line.extra["kind"]) == (15425, "4.25", "乙类")
        assert again(session, roster).amount_fen == 15425

    def test_quantity_alone_leaves_the_own_fields(self, session, county, project):
        line = lines_of(session, a_grazed_roster(session, county, project))[0]
        change_amount(session, line, by=county.township.clerk, quantity=D(20), standard=D(15), reason="更正")
        assert (line.amount_fen, line.extra) == (36350, OWN)

    def test_another_component_is_another_entitlement(self, session, county, project):
        roster = a_grazed_roster(session, county, project)
        line = lines_of(session, roster)[0]
        before = line.entitlement_key
        corrected(session, county, line, parcel="B2")
        assert line.component == "B2"
        assert line.entitlement_key != before
        member = a_member(session, county)
        assert entitlement_key(project.code, roster.period, member.person, "B2") != line.entitlement_key

    @pytest.mark.parametrize(
        ("own", "words"),
        [
            ({"slope": None}, "坡度.*没有填写"),
            ({"slope": D("-1")}, "坡度"),
            ({"kind": "丙类"}, "草场类别"),
            ({"signed": "去年"}, "签约日期"),
            ({"strange": "1"}, "strange"),
        ],
    )
    def test_a_mistake_names_the_field(self, session, county, project, own, words):
        line = lines_of(session, a_grazed_roster(session, county, project))[0]
        with pytest.raises(ValueWrong, match=words):
            corrected(session, county, line, **own)

    def test_an_amount_that_is_not_positive_or_misses_a_field_is_refused(self, session, county, project):
        amended(session, project, formula="数量 * 补贴标准 - 坡度 * 100")
        line = lines_of(session, a_grazed_roster(session, county, project))[0]
        with pytest.raises(AmountOutside):
            corrected(session, county, line, slope=D(2))
        amended(session, project, formula="数量 * 补贴标准 * if(已围封, 2, 1)")
        other = lines_of(session, a_grazed_roster(session, county, project))[0]
        with pytest.raises(AmountMissing, match="已围封"):
            corrected(session, county, other, fenced=None)

    def test_a_roster_keeps_the_formula_of_its_version(self, session, county, project):
        roster = a_grazed_roster(session, county, project)
        amended(session, project, formula="数量 * 补贴标准", fields={}, component=())
        line = corrected(session, county, lines_of(session, roster)[0], slope=D(0))
        assert line.amount_fen == 18000
        plain = a_roster(session, county, project=project, period="2024补", lines=[a_line()])
        with pytest.raises(ValueWrong, match="slope"):
            change_amount(
                session, lines_of(session, plain)[0], by=county.township.clerk, quantity=D(1), standard=D(15),
                reason="更正", own={"slope": "1"},
            )  # fmt: skip


def published(session: Session, county: World, roster: Roster) -> Notice:
    """Publish a roster and return the notice."""
    rosters.publish_notice(session, again(session, roster), by=county.township.clerk, mode="online")
    return session.exec(select(Notice).where(Notice.roster_id == roster.id, Notice.round == roster.notice_round)).one()


class TestNotice:
    def test_it_shows_just_what_the_project_lets_be_read(self, session, county, project):
        notice = published(session, county, a_grazed_roster(session, county, project))
        titles = [one["title"] for one in notice.content["columns"]]
        assert titles == [
            "嘎查村（社区）", "享受人", "数量", "补贴标准（元）", "补贴金额（元）",
            "坡度（度）", "草场类别", "已围封", "小地名",
        ]  # fmt: skip
        fields = notice.content["lines"][0]["fields"]
        assert fields == {"slope": "3.5", "kind": "甲类", "fenced": HIDDEN, "place": "二**"}
        assert "2024-03-01" not in str(notice.content["lines"])
        assert notice.digest == digest(notice.content)

    def test_fixed_columns_follow_the_project_too(self, session, county, project):
        said = {"quantity": "hidden", "standard": "masked", "village": "masked", "id_number": "shown"}
        amended(session, project, public=said)
        roster = a_grazed_roster(session, county, project)
        content = published(session, county, roster).content
        line, number = content["lines"][0], lines_of(session, roster)[0].id_number
        assert "quantity" not in line
        assert (line["standard"], line["village"], line["amount"]) == (HIDDEN, "东*", "183.50")
        assert number not in str(content)
        assert (line["id_number"][:3], line["id_number"][-4:]) == (number[:3], number[-4:])
        assert line["id_number"].count("*") == 11

    def test_a_name_may_be_shown_whole_or_not_at_all(self, session, county, project):
        for publicness, shown in (("shown", "王小明"), ("masked", "王*明"), ("hidden", HIDDEN)):
            amended(session, project, public={"name": publicness})
            roster = a_roster(
                session, county, project=project, period=publicness,
                lines=[a_line(name="王小明", amount_fen=18350, extra=OWN)],
            )  # fmt: skip
            assert published(session, county, roster).content["lines"][0]["name"] == shown

    def test_it_follows_the_version_of_its_roster_and_stays(self, session, county, project):
        roster = a_grazed_roster(session, county, project)
        amended(session, project, fields=FIELDS | {"properties": {}, "required": []}, public={"name": "shown"})
        notice = published(session, county, roster)
        assert "坡度（度）" in [one["title"] for one in notice.content["columns"]]
        assert "*" in notice.content["lines"][0]["name"]

    def test_a_changed_field_that_was_read_asks_for_a_supplement_with_just_that_line(self, session, county, project):
        lines = [a_line(amount_fen=18350, component=part, extra=OWN | {"parcel": part}) for part in ("A1", "A2")]
        roster = a_roster(session, county, project=project, lines=lines)
        published(session, county, roster)
        corrected(session, county, lines_of(session, roster)[1], place="三道沟", parcel="A2")
        assert again(session, roster).facts_changed
        rosters.reopen(session, roster, by=county.township.clerk)
        second = published(session, county, roster)
        assert [line["sequence"] for line in second.content["lines"]] == [2]
        assert second.content["supplementary"]

    def test_a_changed_field_that_nobody_reads_asks_for_none(self, session, county, project):
        roster = a_grazed_roster(session, county, project)
        published(session, county, roster)
        corrected(session, county, lines_of(session, roster)[0], signed="2024-04-01")
        assert not again(session, roster).facts_changed


@pytest.fixture
def console(county: World, database: str) -> Iterator[ConsoleServer]:
    """Run the console."""
    with running() as server:
        yield server


class TestConsole:
    def test_the_clerk_sees_and_corrects_own_fields_and_reads_the_notice(self, owner, county, console):
        with owner() as session:
            found = a_project(session, county)
            amended(session, found, fields=FIELDS, formula=FORMULA, component=("parcel",))
            roster = a_grazed_roster(session, county, found)
            key, line = roster.id, lines_of(session, roster)[0].id
        typed = {f"own_{name}": str(value) for name, value in OWN.items()} | {"own_fenced": "否", "own_slope": "5"}
        typed |= {"quantity": "10", "standard": "15", "reason": "更正坡度", "pks": str(line)}
        with console.client(county.township.clerk) as client:
            page = client.get(f"/console/roster/details/{key}?tab=roster_lines").text
            assert "坡度（度）" in page
            assert "二道沟" in page
            form = client.get(f"/console/roster-line/form/change-amount?pk={line}").text
            assert 'name="own_slope"' in form
            assert 'value="3.5"' in form
            typed["csrf_token"] = token_of(form)
            wrong = client.post("/console/roster-line/form/change-amount", data=typed | {"own_slope": "-3"})
            assert wrong.status_code == 400
            assert 'aria-describedby="e-own_slope"' in wrong.text
            assert "不小于" in wrong.text
            done = client.post("/console/roster-line/form/change-amount", data=typed)
            assert done.status_code == 303
            with owner() as session:
                kept = lines_of(session, session.get_one(Roster, key))[0]
                assert (kept.amount_fen, kept.extra["fenced"]) == (18500, False)
                notice = published(session, county, session.get_one(Roster, key)).id
            shown = client.get(f"/console/notice/details/{notice}").text
        assert "坡度（度）" in shown
        assert "二**" in shown
        assert "签约日期" not in shown
