"""What the trail costs: the same statements with the triggers on and off, in turns, in one run.

`ratio` of a statement: on to off. Of the verification: against one scan that hashes each record once.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from benchmarks.bench_import import _peak_mb
from benchmarks.population import throw_away_database
from models.base import REGION_CODE
from models.database import transaction
from models.divisions import Level
from models.officers import ActingOfficer, system_principal
from models.rosters import Roster, RosterLine
from tests.conftest import owner_session
from tests.factories import a_line, a_roster, build_world, key
from workflows import rosters
from workflows.audit import verify

ROUNDS = 3
TURNS, STEPS, WARM = 4, 50, 20
RECORDS = 100_000
REGION = system_principal(REGION_CODE, Level.REGION, "基准")
TRIGGERS = (
    "select format('alter table %s ' || :verb || ' trigger %I', tgrelid::regclass, tgname) from pg_trigger"
    " where not tgisinternal and (tgname like 'trail%' or tgname in ('events_linked', 'changes_linked'))"
)
MANY_EVENTS = """
do $many$
begin
    for batch in 1 .. {links} loop
        insert into events (county_code, division_code, noun, record_id, verb, label, officer_id, person,
            officer_name, post, from_status, to_status, opinion, facts, business_at)
        select '150430000000', '150430102000', 'bench', g, 'note', '', 0, '', '', '', '', '', '',
            jsonb_build_object('n', g), now() from generate_series(1, 5) g;
        commit;
    end loop;
end $many$
"""
"""Transactions of five events each: one link per transaction."""


def run(rows: int = 100_000) -> Iterator[dict[str, Any]]:
    """Yield the measures of bulk INSERT and UPDATE, of one transition, and of the verification."""
    with throw_away_database() as url:
        with owner_session(url) as session:
            world = build_world(session)
            roster = key(a_roster(session, world, lines=[a_line()]).id)
            session.execute(sa.text("analyze"))
        engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with engine.connect() as connection:
            insert, update = _statements()
            for name, statement in (("insert", insert), ("update", update)):
                spans = _in_turns(connection, lambda s=statement: _timed(connection, s, rows), ROUNDS)
                yield _line(f"audit_{name}", rows, *spans)
            steps = iter(_reported(connection, roster, 2 * TURNS * (STEPS + WARM)))
            taken = _in_turns(connection, lambda: _transitions(world.department.clerk, steps), TURNS)
            yield _line("audit_transition", TURNS * STEPS, *taken)
            yield _verification(connection)
        engine.dispose()


def _statements() -> tuple[str, str]:
    """Return INSERT … SELECT of lines like the first one, and an UPDATE of the same."""
    names = [column.name for column in RosterLine.__table__.columns if column.name != "id"]  # type: ignore[attr-defined]
    fresh = {
        "sequence": "g + (select max(sequence) from roster_lines)",
        "entitlement_key": "entitlement_key || g || now()",
    }
    chosen = ", ".join(fresh.get(name, name) for name in names)
    insert = (
        f"insert into roster_lines ({', '.join(names)}) select {chosen} from roster_lines, generate_series(1, :rows) g"  # noqa: S608 - columns
        " where id = (select min(id) from roster_lines)"
    )
    update = (
        "update roster_lines set note = note || 'x'"
        " where id in (select id from roster_lines order by id desc limit :rows)"
    )
    return insert, update


def _in_turns(connection: Connection, measure: Callable[[], float], rounds: int) -> tuple[float, float]:
    """Return the median with the triggers on and off, measured in turns."""
    found: dict[str, list[float]] = {"enable": [], "disable": []}
    for verb in ["enable", "disable"] * rounds:
        for statement in connection.execute(sa.text(TRIGGERS), {"verb": verb}).scalars().all():
            connection.exec_driver_sql(statement)
        found[verb].append(measure())
    for statement in connection.execute(sa.text(TRIGGERS), {"verb": "enable"}).scalars().all():
        connection.exec_driver_sql(statement)
    return statistics.median(found["enable"]), statistics.median(found["disable"])


def _timed(connection: Connection, statement: str, rows: int) -> float:
    started = time.perf_counter()
    connection.execute(sa.text(statement), {"rows": rows})
    return time.perf_counter() - started


def _reported(connection: Connection, roster: int, count: int) -> list[int]:
    """Make reported rosters like the given one and return their numbers."""
    names = [column.name for column in Roster.__table__.columns if column.name != "id"]  # type: ignore[attr-defined]
    fresh = {"number": "'B' || g", "status": "'reported'"}
    chosen = ", ".join(fresh.get(name, name) for name in names)
    made = connection.execute(
        sa.text(
            f"insert into rosters ({', '.join(names)}) select {chosen} from rosters, generate_series(1, :count) g"  # noqa: S608 - columns
            " where id = :roster returning id"
        ),
        {"count": count, "roster": roster},
    )
    return list(made.scalars())


def _transitions(by: ActingOfficer, rosters_left: Iterator[int]) -> float:
    """Return the median time of a return, each in a transaction of its own."""
    spans = []
    for _ in range(STEPS + WARM):
        started = time.perf_counter()
        with transaction(by) as session:
            rosters.return_(session, session.get_one(Roster, next(rosters_left)), by=by, reason="退回更正")
        spans.append(time.perf_counter() - started)
    return statistics.median(spans[WARM:])


def _verification(connection: Connection) -> dict[str, Any]:
    """Verify a chain of many records, against one scan that hashes each of them once."""
    connection.exec_driver_sql(MANY_EVENTS.format(links=RECORDS // 5))
    connection.exec_driver_sql("analyze")
    started = time.perf_counter()
    connection.exec_driver_sql("select count(record_digest(e)) from events e")
    floor = time.perf_counter() - started
    started = time.perf_counter()
    with transaction(REGION) as session:
        # What was written while the triggers were off is found, as it should be.
        broken = [chain for chain in verify(session) if chain.fault not in ("", "silent", "stray")]
    assert not broken, broken
    return _line("audit_verify", RECORDS, time.perf_counter() - started, floor)


def _line(name: str, rows: int, value: float, floor: float) -> dict[str, Any]:
    return {
        "name": name, "rows": rows, "value": round(value, 4), "floor": round(floor, 4),
        "ratio": round(value / floor, 2), "peak_mb": round(_peak_mb()),
    }  # fmt: skip
