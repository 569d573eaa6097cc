"""A project's own fields: columns of the template, checked cell by cell, kept with the line, counted by its formula.

（第七条、第十六条、第三十一条）
"""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from io import BytesIO
from typing import Any

import openpyxl
import pytest
from sqlmodel import select

from models.imports import ImportStatus, RosterImport
from models.projects import PolicyLevel, SubsidyProject
from models.rosters import Roster, RosterLine
from policies.definitions import Definition, PayeeMode
from reports.sheets.templates import template_of, write_template
from tests import factories
from tests.conftest import As, Owner
from tests.factories import World
from workflows import imports
from workflows.jobs import follow
from workflows.project_versions import admit_version, amend_version

FIELDS = {
    "type": "object",
    "properties": {
        "plot": {"type": "string", "title": "地块编号", "pattern": "[A-Z][0-9]{1,4}", "description": "如 A12"},
        "kind": {"type": "string", "title": "种植方式", "enum": ["带状复合", "净作"]},
        "coefficient": {"type": "number", "title": "标准亩系数", "minimum": 0.1, "maximum": 3},
        "irrigated": {"type": "boolean", "title": "水浇地"},
        "sown_on": {"type": "string", "title": "播种日期", "format": "date"},
    },
    "required": ["plot", "kind", "coefficient"],
}
FORMULA = "数量 * 标准亩系数 * 补贴标准 + if(种植方式 = '带状复合', 150, 0) * 数量"
HEADS = ["户主姓名", "收款人姓名", "银行账号", "享受人", "享受人身份证号", "数量", "补贴标准", "补贴金额", "地块编号",
         "种植方式", "标准亩系数", "水浇地", "播种日期"]  # fmt: skip
GOOD = [10, 20, 1800, "A1", "带状复合", 1.5, "是", "2026-05-01"]


def a_definition(**fields: Any) -> Definition:
    values: dict[str, Any] = {
        "fields": FIELDS, "formula": FORMULA, "component": ("plot",), "public": {"kind": "shown"},
    }  # fmt: skip
    return Definition(
        code="X88", name="带状复合种植补贴", policy_level=PolicyLevel.REGION, sector="农牧", **values | fields
    )


class Desk:
    """A township that pays a project with fields of its own."""

    def __init__(self, owner: Owner, as_: As, world: World, definition: Definition) -> None:
        self.as_, self.world, self.owner = as_, world, owner
        with owner() as session:
            admit_version(
                session, definition, division_code="150000000000", basis="测试", effective_on=date(2026, 1, 1)
            )
            self.project = factories.a_project(session, world, definition.code, standard="20")
            home = factories.a_household(session, world, head_name="王建国")
            self.head = factories.a_member(session, world, home, name="王建国")
            self.wife = factories.a_member(session, world, home, name="李秀兰", relation="10")
            self.accounts = {
                one.id: factories.an_account(session, one).number for one in (self.head, self.wife)
            }  # fmt: skip

    def row(self, *own: Any, person: Any = None, payee: str = "") -> list[Any]:
        who = person or self.head
        receiver = self.head if payee == self.head.name else who
        return ["王建国", payee, self.accounts[receiver.id], who.name, who.id_number, *(own or GOOD)]

    def bring(self, *rows: list[Any]) -> RosterImport:
        book = openpyxl.Workbook()
        sheet = book.active
        for line in (HEADS, *rows):
            sheet.append(line)
        buffer = BytesIO()
        book.save(buffer)
        clerk = self.world.township.clerk
        with self.as_(clerk) as session:
            project = session.get_one(SubsidyProject, self.project.id)
            record = imports.receive(
                session, by=clerk, project=project, period="2026", period_start=date(2026, 1, 1),
                period_end=date(2026, 12, 31), file_name="清册.xlsx", content=buffer.getvalue(),
            )  # fmt: skip
            job = imports.job_of(session, record)
        follow(job.id, job.post_id, imports.run_import)
        with self.as_(clerk) as session:
            return session.get_one(RosterImport, record.id)

    def lines(self) -> list[RosterLine]:
        with self.as_(self.world.township.clerk) as session:
            return list(session.exec(select(RosterLine).order_by(RosterLine.sequence)))


@pytest.fixture
def desk(owner: Owner, as_: As, county: World) -> Callable[..., Desk]:
    return lambda **fields: Desk(owner, as_, county, a_definition(**fields))


class TestTemplate:
    def test_the_template_has_the_projects_own_columns_with_drop_downs_and_notes(self, desk):
        sheet = openpyxl.load_workbook(BytesIO(write_template(desk().project))).active
        heads = [cell.value for cell in sheet[3]]
        assert {"*地块编号", "*种植方式", "*标准亩系数", "水浇地", "播种日期"} <= set(heads)
        offered = {next(iter(one.sqref.ranges)).min_col: one.formula1 for one in sheet.data_validations.dataValidation}
        assert offered[heads.index("*种植方式") + 1] == '"带状复合,净作"'
        assert offered[heads.index("水浇地") + 1] == '"是,否"'
        assert "如 A12" in sheet.cell(3, heads.index("*地块编号") + 1).comment.text

    def test_a_column_that_the_formula_does_not_read_is_not_asked(self):
        asked = {one.name for one in template_of(a_definition(formula="标准亩系数 * 100")).required}
        assert "standard" not in asked and {"own_plot", "own_coefficient", "amount"} <= asked


class TestImport:
    def test_fields_are_kept_and_the_amount_is_the_formulas(self, desk):
        place = desk()
        assert place.bring(place.row()).status == ImportStatus.APPLIED
        (line,) = place.lines()
        assert line.amount_fen == 180000
        assert line.component == "A1"
        assert line.extra == {
            "plot": "A1", "kind": "带状复合", "coefficient": "1.5", "irrigated": True, "sown_on": "2026-05-01"
        }  # fmt: skip

    def test_a_figure_that_the_formula_does_not_read_may_stay_blank(self, desk):
        place = desk(formula="标准亩系数 * 100")
        assert place.bring(place.row("", "", 150, "A1", "净作", 1.5, "", "")).status == ImportStatus.APPLIED
        assert [line.amount_fen for line in place.lines()] == [15000]

    def test_two_plots_of_one_person_are_two_entitlements(self, desk):
        place = desk()
        record = place.bring(place.row(), place.row(10, 20, 200, "B2", "净作", 1, "", ""))
        assert record.status == ImportStatus.APPLIED
        assert len({line.entitlement_key for line in place.lines()}) == 2

    def test_every_mistake_is_told_with_its_cell_and_remedy_and_nothing_is_imported(self, desk):
        place = desk()
        record = place.bring(
            place.row(10, 20, 300, "一号", "带状复合", 1.5, "是", ""),
            place.row(10, 20, 300, "A2", "套种", 1.5, "大概", "五月"),
            place.row(10, 20, 300, "A3", "净作", 9, "", ""),
            place.row(10, 20, 300, "", "净作", "很多", "", ""),
            place.row(10, 21, 315, "A5", "净作", 1.5, "", ""),
            place.row(10, 20, 299.99, "A6", "净作", 1.5, "", ""),
        )
        assert record.status == ImportStatus.REFUSED and not place.lines()
        told = [item for item in record.problems if item["kind"] == "problem"]
        found = {(item["cell"], item["what"], item["remedy"]) for item in told}
        cells = {cell for cell, _, _ in found}
        assert {"I2", "J3", "L3", "M3", "K4", "I5", "K5", "G6", "H7"} <= cells
        assert all(remedy for _, _, remedy in found)
        assert any("应为 300.00 元" in remedy for cell, _, remedy in found if cell == "H7")

    def test_a_project_that_pays_the_person_is_not_paid_to_the_head(self, desk):
        place = desk(payee=PayeeMode.PERSON)
        record = place.bring(place.row(person=place.wife, payee="王建国"))
        assert [item["what"] for item in record.problems] == ["收款人不是享受人本人"]

    def test_a_project_that_pays_the_head_is_not_paid_to_another(self, desk):
        place = desk(payee=PayeeMode.HEAD)
        record = place.bring(place.row(person=place.wife))
        assert [item["what"] for item in record.problems] == ["收款人不是户主"]

    def test_a_roster_keeps_the_version_it_was_read_with(self, desk):
        place = desk()
        place.bring(place.row())
        with place.owner() as session:
            project = session.get_one(SubsidyProject, place.project.id)
            other = a_definition(formula="数量 * 1")
            amend_version(session, project, other, basis="变更", effective_on=date(2026, 6, 1))
        with place.as_(place.world.township.clerk) as session:
            assert session.exec(select(Roster.project_version)).all() == [1]
            assert session.get_one(SubsidyProject, place.project.id).project_version == 2
        assert place.lines()[0].amount_fen == int(Decimal("1800.00") * 100)
