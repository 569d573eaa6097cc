"""The example workbooks fit the seeded registry; the broken one is refused whole. （第十六条）"""

import io
from pathlib import Path

import openpyxl
import pytest
import sqlalchemy as sa
from sqlmodel import select

from demo.examples import EXAMPLES, FOLDER, SPOILS, Example
from demo.people import PERIOD, PERIOD_END, PERIOD_START
from demo.population import population
from demo.seed import seed, standard_of
from integrations.sandbox.launch import Sandboxes
from models.database import transaction
from models.imports import ImportStatus, RosterImport
from models.projects import SubsidyProject
from models.rosters import Roster
from reports.sheets.rosters import RosterSheet
from tests.conftest import Owner
from tests.test_population import acting
from workflows import checks, imports

BY_FILE = {example.file: example for example in EXAMPLES}


def opened(content: bytes) -> list[list[object]]:
    book = openpyxl.load_workbook(io.BytesIO(content))
    return [[cell.value for cell in row] for sheet in book.worksheets for row in sheet.iter_rows()]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.file)
class TestFiles:
    def test_the_committed_file_is_what_the_population_gives(self, example: Example) -> None:
        assert opened(example.content(population())) == opened((FOLDER / example.file).read_bytes())

    def test_only_the_broken_one_has_problems(self, example: Example) -> None:
        standard = standard_of(example.township[:6] + "000000", example.project)
        sheet = RosterSheet((FOLDER / example.file).read_bytes(), example.file, example.template, [standard])
        assert sum(len(chunk.numbers) for chunk in sheet.chunks()) == len(example.rows(population()))
        assert bool(sheet.finish().problems) == example.broken


def test_the_rosters_of_the_main_county_hold_two_thousand_lines() -> None:
    land = [example for example in EXAMPLES if example.project == "2130122" and not example.broken]
    assert sum(len(example.rows(population())) for example in land) == 2000


def test_the_broken_one_is_refused_whole_and_the_corrected_one_imports(
    database: str, owner: Owner, tmp_path: Path
) -> None:
    seed(database, tmp_path)
    refused = imported(owner, BY_FILE["shuangjing-land-2026-broken.xlsx"])
    assert refused.status == ImportStatus.REFUSED
    assert refused.problem_count >= len(SPOILS) - 1
    applied = imported(owner, BY_FILE["shuangjing-land-2026.xlsx"])
    assert (applied.status, applied.row_count, applied.problem_count) == (ImportStatus.APPLIED, 100, 0)
    second_county = imported(owner, BY_FILE["bieligutai-grassland-2026.xlsx"])
    assert (second_county.status, second_county.row_count) == (ImportStatus.APPLIED, 120)


def imported(owner: Owner, example: Example) -> RosterImport:
    logins = {"150430103000": "beizifu", "150430102000": "changsheng", "152522100000": "bieligutai"}
    by = acting(owner, f"{logins[example.township]}.clerk")
    with transaction(by) as session:
        project = session.exec(select(SubsidyProject).where(SubsidyProject.code == example.project)).one()
        record = imports.receive(
            session,
            by=by,
            project=project,
            period=PERIOD,
            period_start=PERIOD_START,
            period_end=PERIOD_END,
            file_name=example.file,
            content=(FOLDER / example.file).read_bytes(),
        )
        job = session.execute(sa.text("select max(id) from jobs")).scalar_one()
    imports.run_import(job, by.post_id)
    with transaction(by) as session:
        return session.get_one(RosterImport, record.id)


class TestPeculiarPeople:
    def test_each_raises_the_lights_it_is_said_to_and_nobody_else_a_red_or_yellow_one(
        self, database: str, owner: Owner, tmp_path: Path
    ) -> None:
        seeded = seed(database, tmp_path)
        people = population()
        with Sandboxes(seeded.world_file, tmp_path / "sandboxes") as outside:
            outside.use()
            record = imported(owner, BY_FILE["changsheng-land-2026.xlsx"])
            assert record.status == ImportStatus.APPLIED, record.problems[:3]
            by = acting(owner, "changsheng.clerk")
            with transaction(by) as session:
                job = checks.start_check(session, session.get_one(Roster, record.roster_id), by=by).id
            checks.run_check(job, by.post_id)
        with transaction(by) as session:
            rows = session.execute(
                sa.text(
                    "select h.number, w.light, w.rule_code from roster_warnings w"
                    " join roster_lines l on l.division_code = w.division_code and l.id = w.line_id"
                    " join households h on h.division_code = l.division_code and h.id = l.household_id where w.live"
                )
            ).all()
        numbers = {one.home_number: key for key, one in people.peculiar.items()}
        found = sorted((numbers.get(row.number, row.number), row.light, row.rule_code) for row in rows)
        assert found == sorted(
            [
                ("dead_before_period", "red", "R01"),
                ("name_mismatch", "red", "R03"),
                ("closed_account", "red", "R12"),
                ("unknown_account", "red", "R12"),
                ("unknown_account", "blue", "R36"),
                ("shared_account_namesake", "red", "R12"),
                ("shared_account_namesake", "yellow", "R24"),
                ("shared_account", "yellow", "R24"),
                ("area_above_contract", "yellow", "R23"),
                ("no_card", "blue", "R36"),
                ("no_phone", "blue", "R32"),
            ]
        )
