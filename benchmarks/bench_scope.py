"""The price of row scope: policies that read a ticket, against a plain setting and against a literal WHERE.

One table of lines and its rosters, a tenth as many; each question is asked up to 48 times per policy in rounds, by the
application; the fastest tenth is compared with the same question of the owner with the limits written out.
"""

import statistics
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from sqlalchemy.engine import make_url

from benchmarks.bench_import import _peak_mb
from benchmarks.population import throw_away_database
from models.officers import ActingOfficer, Scope
from models.settings import settings
from models.tickets import ticket_of
from tests.conftest import owner_session
from tests.factories import build_world

ROUNDS, TIMES, WARM = 4, 12, 2
ENOUGH = 0.5
"""Seconds after which a slow question has been asked often enough in one round."""
SECTOR = "农牧"
REGION = Scope("0", ":")

LAY_OUT = """
create table bench_rosters (id bigint primary key, division_code text collate "C" not null, sector text not null);
create table bench_lines (id bigint primary key, division_code text collate "C" not null, roster_id bigint not null,
    sector text not null, bank_id bigint not null, amount_fen bigint not null, note text not null);
insert into bench_rosters select r, '1504' || lpad((r % 100)::text, 2, '0') || lpad((100 + r / 100 % 20)::text, 3, '0')
    || '000', (array['农牧', '民政', '林草', '人社', '残联'])[1 + r / 2000 % 5] from generate_series(1, {rosters}) r;
insert into bench_lines select g, r.division_code, r.id, r.sector, 1 + g % 4, g, repeat('x', 200)
    from generate_series(1, {rows}) g join bench_rosters r on r.id = 1 + g % {rosters};
create index on bench_rosters (division_code, id);
create index on bench_lines (division_code, id);
select apply_scope('bench_rosters', 'ranged');
select apply_sector('bench_rosters');
select apply_scope('bench_lines', 'ranged');
"""
SETTING = (
    "division_code >= (select current_setting('app.from', true))"
    " and division_code < (select current_setting('app.to', true))"
    " and not (division_code >= (select current_setting('app.hole_from', true))"
    " and division_code < (select current_setting('app.hole_to', true)))"
)
PARENT = "roster_id in (select r.id from bench_rosters r)"
FRESH = """
do $$ declare p record; begin
    for p in select policyname from pg_policies where tablename = 'bench_lines' loop
        execute format('drop policy %I on bench_lines', p.policyname);
    end loop;
end $$;
select apply_scope('bench_lines', 'ranged');
"""
OR_BANK = (
    "create policy bank_select on bench_lines for select to yikatong_app using ((select (ticket())[5]) <> ''"
    " and bank_id = (select nullif((ticket())[5], '')::bigint))"
)
POLICIES: dict[str, tuple[str, bool]] = {
    "setting": (f"drop policy scope_select on bench_lines; create policy scope_select on bench_lines for select"
                f" to yikatong_app using ({SETTING})", False),
    "ticket": ("", False),
    "ticket, one range for banks too": ("select apply_bank_scope('bench_lines', 'select')", False),
    "ticket, banks by a second policy": (OR_BANK, False),
    "ticket, sector of every post": ("select apply_sector('bench_lines')", False),
    "ticket, sector in a column": ("select apply_sector('bench_lines')", True),
    "ticket, sector of the parent": (f"select apply_sector('bench_lines', '{PARENT}')", True),
}  # fmt: skip
"""Each way to write the limit, and whether a department asks, whose sector limits it too."""
QUESTIONS = {
    "page of 50": "select * from bench_lines{where} order by division_code, id limit 50",
    "count to 10,001": "select count(*) from (select 1 from bench_lines{where} limit 10001) capped",
    "by id": "select * from bench_lines{where_and} id = {id}",
}


@dataclass
class Asked:
    """Who asks, and the limits that a literal WHERE would write out."""

    by: ActingOfficer
    place: str
    id: int

    def literal(self, sector: bool) -> str:
        """Return the limits written out."""
        scope = self.by.scope
        told = f" where division_code >= '{scope.start}' and division_code < '{scope.end}'"
        return told + (f" and sector = '{SECTOR}'" if sector else "")


def run(rows: int = 1_000_000) -> Iterator[dict[str, Any]]:
    """Yield the time of each question under each policy, with its ratio to the literal WHERE."""
    with throw_away_database() as url:
        with owner_session(url) as session:
            world = build_world(session)
        plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        app = make_url(settings().app_database_url).set(drivername="postgresql").render_as_string(hide_password=False)
        rosters = max(rows // 10, 100)
        with psycopg.connect(plain, autocommit=True) as owner, psycopg.connect(app) as reader:
            owner.execute(LAY_OUT.format(rows=rows, rosters=rosters))
            owner.execute("analyze bench_rosters, bench_lines")
            own = owner.execute("select id from bench_lines where division_code like '150430%' and sector = '农牧'")
            number = own.fetchone()
            assert number is not None
            for place, scope in (("county", world.finance.clerk.scope), ("region", REGION)):
                asked = Asked(replace(world.finance.clerk, scope=scope), place, number[0])
                for found in _compared(owner, reader, asked):
                    yield {"name": "scope", "rows": rows, "peak_mb": round(_peak_mb()), **found}


def _compared(owner: psycopg.Connection, reader: psycopg.Connection, asked: Asked) -> Iterator[dict[str, Any]]:
    """Ask everything in rounds, so that what else the machine does falls on all alike."""
    floors: dict[tuple[str, bool], list[float]] = defaultdict(list)
    values: dict[tuple[str, str], list[float]] = defaultdict(list)
    for _ in range(ROUNDS):
        for question, text in QUESTIONS.items():
            for sector in (False, True):
                floors[question, sector] += _timed(owner, _words(text, asked, asked.literal(sector)), "")
        for policy, (made, sector) in POLICIES.items():
            owner.execute(FRESH)
            if made:
                owner.execute(made)
            ticket = ticket_of(replace(asked.by, sector=SECTOR if sector else ""))
            for question, text in QUESTIONS.items():
                values[policy, question] += _timed(reader, _words(text, asked, ""), ticket, asked.by.scope)
    for (policy, question), times in values.items():
        value, floor = _quiet(times), _quiet(floors[question, POLICIES[policy][1]])
        yield {
            "scope": asked.place, "policy": policy, "question": question, "value": round(value, 6),
            "floor": round(floor, 6), "ratio": round(value / floor, 2),
        }  # fmt: skip


def _quiet(times: list[float]) -> float:
    """Return the tenth percentile: what else the machine does is no part of the price."""
    return statistics.quantiles(times, n=10)[0] if len(times) > 1 else times[0]


def _words(text: str, asked: Asked, where: str) -> bytes:
    return text.format(where=where, where_and=f"{where} and" if where else " where", id=asked.id).encode()


def _timed(connection: psycopg.Connection, question: bytes, ticket: str, scope: Scope = REGION) -> list[float]:
    """Return the seconds of one question, each time in a transaction of its own that holds the ticket."""
    times = []
    for _ in range(TIMES + WARM):
        with connection.transaction(force_rollback=True):
            connection.execute(
                "select set_config('app.ticket', %s, true), set_config('app.from', %s, true),"
                " set_config('app.to', %s, true), set_config('app.hole_from', '', true),"
                " set_config('app.hole_to', '', true)",
                (ticket, scope.start, scope.end),
            )
            start = time.perf_counter()
            connection.execute(question).fetchall()
            times.append(time.perf_counter() - start)
        if sum(times) > ENOUGH:
            break
    return times[WARM:] or times
