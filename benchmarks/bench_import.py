"""Import of a roster workbook: the whole job against the least that any import must do.

Floor, in the same run: reading with calamine, the XML pass, encrypting the same fields, COPY to a staging table,
INSERT … SELECT of the same rows into `roster_lines` under the same policies, indexes and foreign keys. Each side runs
in a fresh process, so that `peak_mb` is its own.
"""

import multiprocessing
import resource
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlmodel import Session

from benchmarks.population import Township, settled_township
from models.base import county_of
from models.crypto import ring
from models.database import transaction
from models.jobs import Job
from models.officers import ActingOfficer
from models.projects import SubsidyProject
from policies.entitlements import entitlement_key
from policies.identities import name_key
from reports.sheets.templates import LAND, write_sheet
from reports.sheets.workbooks import open_workbook, rows_of
from workflows import imports
from workflows.queue import officer_of_post

PERIOD = "2026"
STAGED_TYPES = [
    "int4", *["int8"] * 3, *["text"] * 4, "text", "bytea", "bytea", "bytea", "bytea", "text", *["int8"] * 3, "text",
]  # fmt: skip


def run(rows: int = 100_000) -> Iterator[dict[str, Any]]:
    """Yield the measure of an import of `rows` lines."""
    with settled_township(rows) as township:
        content = write_sheet(LAND, "耕地地力保护补贴清册", township.rows(), total=True)
        with transaction(township.clerk) as session:
            project = session.get_one(SubsidyProject, township.project_id)
            record = imports.receive(
                session, by=township.clerk, project=project, period=PERIOD, period_start=date(2026, 1, 1),
                period_end=date(2026, 12, 31), file_name="清册.xlsx", content=content,
            )  # fmt: skip
            job = imports.job_of(session, record)
        assert job is not None
        roster_id = _floor_roster(township)
        floor, _ = _apart(_floor, content, township, roster_id)
        value, peak = _apart(_import, job.id or 0, job.post_id, rows)
    yield {
        "name": "import",
        "rows": rows,
        "value": round(value, 2),
        "floor": round(floor, 2),
        "ratio": round(value / floor, 2),
        "peak_mb": round(peak),
    }


def _apart(work: Callable[..., None], *arguments: Any) -> tuple[float, float]:
    """Run work in a process of its own; return its seconds and its peak memory in MB."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_timed, (work, *arguments))


def _timed(work: Callable[..., None], *arguments: Any) -> tuple[float, float]:
    start = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - start, _peak_mb()


def _peak_mb() -> float:
    """Return this process's own peak: ru_maxrss would carry the parent's over the fork."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def _import(job_id: int, post_id: int, rows: int) -> None:
    imports.run_import(job_id, post_id)
    with transaction(officer_of_post(post_id)) as session:
        message = session.get_one(Job, job_id).message
    if f"{rows} 笔" not in message:
        raise RuntimeError(message)


def _floor_roster(township: Township) -> int:
    """Make the empty roster that the floor's rows go to."""
    code = township.clerk.division_code
    with transaction(township.clerk) as session:
        made = session.execute(
            sa.text(
                "insert into rosters (division_code, county_code, number, project_id, project_name, sector, township,"
                " period, period_start, period_end, status, version, line_count, amount_fen, paid_fen, generated_at,"
                " arrived_at, notice_round, facts_changed, prepared_by) values (:code, :county, 'FLOOR', :project, '',"
                " '', '', 'floor', '2026-01-01', '2026-12-31', 'draft', 1, 0, 0, 0, now(), now(), 0, false, 0)"
                " returning id"
            ),
            {"code": code, "county": county_of(code), "project": township.project_id},
        )
        return int(made.scalar_one())


def _floor(content: bytes, township: Township, roster_id: int) -> None:
    book = open_workbook(content, "清册.xlsx")
    values = [row for _, row in rows_of(book.sheet("清册"))]
    book.hidden("清册")
    with transaction(township.clerk) as session:
        session.execute(sa.text(STAGING))
        driver = session.connection().connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        with driver.cursor() as cursor, cursor.copy("copy staging from stdin (format binary)") as copy:
            copy.set_types(STAGED_TYPES)
            for row in _sealed(values, township):
                copy.write_row(row)
        _take_over(session, township.clerk, roster_id)


def _sealed(values: list[list[Any]], township: Township) -> Iterator[tuple[Any, ...]]:
    keys = ring()
    for place in range(township.size):
        row = values[place + 4]
        index = keys.index("id", row[4])
        yield (
            place + 1, township.first_household + place, township.first_member + place, township.first_account + place,
            row[1], row[2], row[3], name_key(row[3]), row[12], keys.seal(row[4]), index, keys.seal(row[13]),
            keys.index("account", row[13]), row[14], round(row[9] * 1000), round(row[10] * 10000),
            round(row[11] * 100), entitlement_key("floor", PERIOD, index.hex()),
        )  # fmt: skip


STAGING = """
create temporary table staging (
    row_number integer, household_id bigint, member_id bigint, account_id bigint, village text, group_name text,
    name text, name_key text, payee_name text, id_number bytea, id_index bytea, account_number bytea,
    account_index bytea, bank_name text, quantity_milli bigint, standard_units bigint, amount_fen bigint,
    entitlement_key text
) on commit drop
"""

TAKE_OVER = """
insert into roster_lines (county_code, division_code, roster_id, sector, sequence, household_id, member_id, village,
    group_name, head_name, name, id_number, id_index, payee_name, payee_relation, account_id, account_number,
    account_index, bank_name, bank_code, quantity, standard, amount_fen, component, entitlement_key, state,
    state_reason, note, account_is_card, phone_present)
select :county, :division, :roster, '', row_number, household_id, member_id, village, group_name, name, name, id_number,
    id_index, payee_name, 'self', account_id, account_number, account_index, bank_name, '', quantity_milli / 1000.0,
    standard_units / 10000.0, amount_fen, '', entitlement_key, 'active', '', '', true, true
from staging
"""


def _take_over(session: Session, clerk: ActingOfficer, roster_id: int) -> None:
    code = clerk.division_code
    session.execute(sa.text(TAKE_OVER), {"county": county_of(code), "division": code, "roster": roster_id})


if __name__ == "__main__":
    import json
    import sys

    for measure in run(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000):
        print(json.dumps(measure))
