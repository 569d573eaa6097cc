"""Import of the registry: many townships' registers from workbooks and CSV in one run, against the least of any import.

One run: each register is received, checked, submitted, agreed to and written, by two processes on two cores. Floor, in
the same run with the same files, processes, policies, indexes, foreign keys and triggers: reading, the XML pass,
encrypting the same fields, COPY to a staging table, INSERT … SELECT into households and members. Meanwhile the console
lists households and people; `list_p95_ms` is what an officer waits then.
"""

import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlmodel import Session

from benchmarks.bench_import import _peak_mb
from benchmarks.population import throw_away_database
from benchmarks.registers import FIELDS, Township, settle
from models.base import county_of
from models.crypto import ring
from models.database import engine, forget_engines, transaction
from models.officers import ActingOfficer
from models.registry_changes import ChangeKind, RegistryChange
from models.registry_imports import ImportSubject, RegistryImport, RegistryImportStatus
from policies.codes import RELATIONS
from policies.identities import name_key
from policies.moves import move
from reports.sheets.registry_files import open_book
from reports.sheets.workbooks import rows_of
from tests.conftest import address, owner_session, point_at, statement
from tests.console import running
from tests.factories import build_world
from workflows import registry_changes, registry_imports
from workflows.jobs import follow
from workflows.queue import officer_of_post
from workflows.registry_import_apply import run_apply
from workflows.registry_import_check import run_check

PROCESSES = 2
MOST_BYTES = 200 * 1024 * 1024
PAGES = ("/console/household/list", "/console/member/list")
PLACE = {one.name: place for place, one in enumerate(FIELDS)}


def run(rows: int = 100_000) -> Iterator[dict[str, Any]]:
    """Yield the measure of an import of `rows` people in one run."""
    with throw_away_database() as url, tempfile.TemporaryDirectory() as folder:
        with owner_session(url) as session:
            viewer = build_world(session).region
            townships = settle(session, Path(folder), rows)
        with owner_session(url) as session:
            session.execute(sa.text("analyze"))
        forget_engines()
        server = url.rsplit("/", 1)[0]
        statement(address(url, "postgres"), "create database floor template bench")
        floor, floor_peak = _together(_floor, townships, address(url, "floor"))
        statement(address(url, "postgres"), "drop database floor with (force)")
        print(f"registry：下限 {floor:.0f} 秒，开始导入 {len(townships)} 个苏木乡镇……", file=sys.stderr, flush=True)
        with watched(url, viewer) as waits:
            value, peak = _together(_bring, townships, url)
        with owner_session(url) as session:
            people = session.execute(sa.text("select count(*) from members where current")).scalar_one()
            homes = session.execute(sa.text("select count(*) from households")).scalar_one()
        if people != rows:
            raise RuntimeError(f"{people} people instead of {rows} ({server})")
    waits.sort()
    yield {
        "name": "registry",
        "rows": rows,
        "value": round(value, 2),
        "floor": round(floor, 2),
        "ratio": round(value / floor, 2),
        "peak_mb": round(peak),
        "floor_peak_mb": round(floor_peak),
        "households": homes,
        "townships": len(townships),
        "lists": len(waits),
        "list_p50_ms": round(statistics.median(waits) * 1000) if waits else None,
        "list_p95_ms": round(waits[int(len(waits) * 0.95)] * 1000) if waits else None,
    }


def _together(work: Callable[[Township], float], townships: list[Township], url: str) -> tuple[float, float]:
    """Let two fresh processes work through the townships; return the seconds and the highest peak of memory in MB."""
    point_at(url, _keys())
    start = time.perf_counter()
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        peaks = list(pool.map(work, townships))
    return time.perf_counter() - start, max(peaks)


def _keys() -> Path:
    from models.settings import settings

    return settings().key_file


@contextmanager
def watched(url: str, viewer: ActingOfficer) -> Iterator[list[float]]:
    """Read the console's lists over and over, as the region's clerk who sees everybody; yield how long each took."""
    point_at(url, _keys())
    waits: list[float] = []
    over = threading.Event()

    def look(console: Any) -> None:
        with console.client(viewer) as client:
            while not over.is_set():
                for page in PAGES:
                    start = time.perf_counter()
                    client.get(page).raise_for_status()
                    waits.append(time.perf_counter() - start)
                over.wait(0.3)

    with running() as console:
        thread = threading.Thread(target=look, args=(console,))
        thread.start()
        try:
            yield waits
        finally:
            over.set()
            thread.join(30)


# --- the run ------------------------------------------------------------------------------------------------------


def _bring(township: Township) -> float:
    """Take one township's register all the way; return this process's peak memory."""
    clerk, head = officer_of_post(township.clerk_post), officer_of_post(township.head_post)
    with transaction(clerk) as session:
        record = registry_imports.receive(
            session, by=clerk, subject=ImportSubject.REGISTER, file_name=township.file.name,
            content=township.file.read_bytes(), most_bytes=MOST_BYTES,
        )  # fmt: skip
        job = registry_imports.job_of(session, record)
    assert job is not None
    follow(job.id or 0, job.post_id, run_check)
    with transaction(clerk) as session:
        record = session.get_one(RegistryImport, record.id)
        if record.status != RegistryImportStatus.CHECKED:
            raise RuntimeError(f"{record.message}: {record.problems[:3]}")
        registry_imports.submit(session, record, by=clerk, reason="首次建档")
    with transaction(head) as session:
        change = session.get_one(RegistryChange, record.change_id)
        registry_changes.approve(session, change, by=head)
        job = registry_imports.job_of(session, record)
    assert job is not None
    follow(job.id or 0, job.post_id, run_apply)
    with transaction(clerk) as session:
        record = session.get_one(RegistryImport, record.id)
    if record.status != RegistryImportStatus.APPLIED:
        raise RuntimeError(record.message)
    return _peak_mb()


# --- the floor ----------------------------------------------------------------------------------------------------

STAGING = """
create temporary table staging (
    home integer, head boolean, village text, group_name text, address text, name text, name_key text, id_number bytea,
    id_index bytea, birth_date date, sex text, relation text, ethnicity text, phone bytea, phone_index bytea
) on commit drop
"""
STAGED_TYPES = ["int4", "bool", *["text"] * 5, "bytea", "bytea", "date", *["text"] * 3, "bytea", "bytea"]
FLOOR_HOMES = """
insert into households (division_code, county_code, number, head_name, village_code, village, group_name, address,
    hukou_kind, status, version, change_id)
select :division, :county, 'F' || :division || home, name, '', village, group_name, address, 'rural', 'active', 1,
    :change
from staging where head
"""
FLOOR_PEOPLE = """
insert into members (division_code, county_code, household_id, name, name_key, id_number, id_index, birth_date, sex,
    relation, ethnicity, phone, phone_index, status, added_on, version, change_id)
select :division, :county, h.id, s.name, s.name_key, s.id_number, s.id_index, s.birth_date, s.sex, s.relation,
    s.ethnicity, s.phone, s.phone_index, 'alive', :day, 1, :change
from staging s join households h on h.division_code = :division and h.number = 'F' || :division || s.home
"""


def _floor(township: Township) -> float:
    clerk, head = officer_of_post(township.clerk_post), officer_of_post(township.head_post)
    with transaction(clerk) as session:
        change = registry_changes.propose(session, ChangeKind.IMPORT, by=clerk, reason="floor", after={"a": "b"})
    with transaction(head) as session:
        change = session.get_one(RegistryChange, change.id)
        move(session, change, "approve", by=head)
    with transaction(head) as session:
        change = session.get_one(RegistryChange, change.id)
        move(session, change, "apply", by=head)
        _load(session, township, change.id or 0)
    return _peak_mb()


def _load(session: Session, township: Township, change: int) -> None:
    book = open_book(township.file.name, township.file.read_bytes())
    name = book.sheet_names[0]
    book.hidden(name)
    session.execute(sa.text(STAGING))
    driver = session.connection().connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    with driver.cursor() as cursor, cursor.copy("copy staging from stdin (format binary)") as copy:
        copy.set_types(STAGED_TYPES)
        for row in _sealed(rows_of(book.sheet(name))):
            copy.write_row(row)
    session.execute(sa.text("set local enable_nestloop = off"))
    code = township.code
    asked = {"division": code, "county": county_of(code), "change": change, "day": date(2026, 11, 25)}
    session.execute(sa.text(FLOOR_HOMES), {name: asked[name] for name in ("division", "county", "change")})
    session.execute(sa.text(FLOOR_PEOPLE), asked)


def _sealed(rows: Iterator[tuple[int, list[Any]]]) -> Iterator[tuple[Any, ...]]:
    keys = ring()
    seal, index = keys.seal, keys.index
    relations = {label: code for code, label in RELATIONS.items()}
    home = 0
    next(rows)
    for _, row in rows:
        village, group, address, _, _, head, name, number, relation, _, _, ethnicity, phone = row
        first = number == head
        home += first
        yield (
            home, first, village, group, address, name, name_key(name), seal(number), index("id", number),
            date(int(number[6:10]), int(number[10:12]), int(number[12:14])), "1" if int(number[16]) % 2 else "2",
            relations[relation], "02" if ethnicity == "蒙古族" else "01", seal(phone), index("phone", phone),
        )  # fmt: skip


if __name__ == "__main__":
    import json

    for measure in run(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000):
        print(json.dumps(measure))
    engine.cache_clear()
