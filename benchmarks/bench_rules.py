"""All rules of a gate over one roster, as one statement, against one plain scan of the same lines in the same run."""

import multiprocessing
import time
from collections.abc import Iterator
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, select

from benchmarks.bench_import import PERIOD, _peak_mb
from benchmarks.population import settled_township
from models.database import transaction
from models.projects import SubsidyProject
from models.rosters import Roster
from models.warnings import Gate
from policies.clock import today
from policies.rules.book import rules_in_force
from policies.rules.compiler import compile_gate
from reports.sheets.templates import LAND, write_sheet
from workflows import imports
from workflows.plans import by_hash
from workflows.queue import officer_of_post

SCAN = (
    "select count(*), sum(amount_fen), max(name) from roster_lines where division_code = :division and roster_id = :r"
)


def run(rows: int = 100_000) -> Iterator[dict[str, Any]]:
    """Yield the measure of one gate over a roster of `rows` lines."""
    with settled_township(rows) as township:
        content = write_sheet(LAND, "耕地地力保护补贴清册", township.rows(), total=True)
        with transaction(township.clerk) as session:
            record = imports.receive(
                session, by=township.clerk, project=session.get_one(SubsidyProject, township.project_id),
                period=PERIOD, period_start=date(2026, 1, 1), period_end=date(2026, 12, 31), file_name="清册.xlsx",
                content=content,
            )  # fmt: skip
            job = imports.job_of(session, record)
        assert job is not None
        imports.run_import(job.id or 0, job.post_id)
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            floor, value, rules, peak = pool.apply(_measure, (job.post_id,))
    yield {
        "name": "rules", "rows": rows, "value": round(value, 2), "floor": round(floor, 2),
        "ratio": round(value / floor, 2), "peak_mb": round(peak), "rules": rules, "statements": 1,
    }  # fmt: skip


def _measure(post_id: int) -> tuple[float, float, int, float]:
    """Scan and judge the roster in a fresh process; return floor, value, number of rules and peak memory."""
    with transaction(officer_of_post(post_id)) as session:
        session.execute(sa.text("set local work_mem = '64MB'"))
        roster = session.exec(select(Roster).where(Roster.period == PERIOD)).one()
        floor = _timed(session, SCAN, {"division": roster.division_code, "r": roster.id})
        day = today(session)
        rules = [one for one in rules_in_force(session, roster.county_code, day) if Gate.REPORT in one.gates]
        sql, parameters = compile_gate(rules)
        bound = parameters | {"division_code": roster.division_code, "roster_id": roster.id, "today": day}
        # The gate as compiled: our own facts and bound parameters, no word of a rule.
        with by_hash(session):
            value = _timed(session, f"select count(*) from ({sql}) as hits", bound)  # noqa: S608
    return floor, value, len(rules), _peak_mb()


def _timed(session: Session, sql: str, parameters: dict[str, Any]) -> float:
    session.execute(sa.text(sql), parameters).all()
    start = time.perf_counter()
    session.execute(sa.text(sql), parameters).all()
    return time.perf_counter() - start
