"""What scope, decision and event cost: a list page of 50 rows and a transition, with the mechanism on and off.

Both ways in one process, the same requests through the whole application, in turns, on the same rows. Off means: the
application's role passes row security, every question about permission is answered with yes at once, no event is
written and no trigger of the tables runs. Logging in, forms, pages and the segregation of duties (the seat at the desk,
one's own interest, and the ticket that both ask who acts) are the same; what those cost on top is the third measure. A
fourth asks for one's own interest in a roster of `rows` lines, against one scan of them.
"""

import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import httpx
import sqlalchemy as sa
from sqlmodel import Session

from admin import middleware
from admin.app import create_app
from benchmarks.bench_import import _peak_mb
from benchmarks.population import _settle, throw_away_database
from models import database
from models.database import forget_engines
from models.rosters import RosterStatus
from models.settings import APP_ROLE
from policies import enforcement, interests, moves
from policies.interests import require_disinterested
from policies.permissions import Permission
from tests.conftest import owner_session
from tests.console import COOKIE, open_session, token_of
from tests.factories import World, a_line, a_member, a_roster, an_account, build_world
from tests.world import key

REQUESTS, BLOCK, WARM = 200, 50, 10
WRITTEN = ("rosters", "roster_lines", "events", "desk_holders")
ROSTER, HERE = "/console/roster", "http://testserver"


def run(rows: int = 100_000) -> Iterator[dict[str, Any]]:
    """Yield the price of the mechanism on a page and on a step, and of the own-interest question at `rows` lines."""
    with throw_away_database() as url:
        with owner_session(url) as session:
            world = build_world(session)
            first = _settle(session, world.township.division_code, rows)[1]
        with owner_session(url) as session:
            yield _interest(session, world, first, rows)
        with owner_session(url) as session:
            rosters = _waiting(session, world)
        with owner_session(url) as session:
            session.execute(sa.text("analyze"))
        found = asyncio.run(_measure(url, world, rosters))
    for name, (on, off) in found.items():
        yield {
            "name": name, "rows": REQUESTS, "value": round(on, 5), "floor": round(off, 5), "ratio": round(on / off, 3),
            "peak_mb": round(_peak_mb()),
        }  # fmt: skip


def _waiting(session: Session, world: World) -> list[int]:
    """Make rosters on notice that has run out: one for each step that will be taken."""
    session.execute(sa.text("update warning_rules set enabled = false"))
    member = a_member(session, world)
    an_account(session, member)
    needed = (3 * REQUESTS // BLOCK + 1) * (BLOCK + WARM)
    made = [
        a_roster(session, world, status=RosterStatus.ON_NOTICE, period=f"P{number}", lines=[a_line(member=member)])
        for number in range(needed)
    ]
    return [key(roster.id) for roster in made]


# --- on and off ---------------------------------------------------------------------------------------------------


@contextmanager
def mechanism_off(url: str, duties: bool) -> Iterator[None]:
    """Take scope, decision and event away until the end of the block; the duties' questions too unless they stay."""
    _owner(url, f"alter role {APP_ROLE} bypassrls", *(f"alter table {table} disable trigger user" for table in WRITTEN))
    forget_engines()
    yes: dict[Any, Callable[..., Any]] = {
        enforcement.allow: lambda *_, **__: None,
    }
    if not duties:
        yes |= {
            interests.require_disinterested: lambda *_, **__: None,
            moves.hold_desk: lambda *_, **__: None,
        }
    modules = [module for name, module in sys.modules.items() if name.split(".")[0] in ("workflows", "policies")]
    named = [
        patch.object(module, name, yes[value])
        for module in modules
        for name, value in list(vars(module).items())
        if callable(value) and getattr(value, "__hash__", None) and value in yes
    ]
    others = [
        patch.object(moves, "_write_event", lambda *_, **__: None),
        patch.object(
            moves,
            "_seat_and_tell",
            lambda session, record, desk, by, noun, _: moves.hold_desk(session, record, desk, by, noun),
        ),
        *([] if duties else [patch.object(database, "_hooked", lambda engine: engine)]),
        patch.object(middleware, "permissions_of", lambda *_: frozenset(Permission)),
    ]
    for one in (*named, *others):
        one.start()
    try:
        yield
    finally:
        for one in (*others, *named):
            one.stop()
        _owner(
            url,
            f"alter role {APP_ROLE} nobypassrls",
            *(f"alter table {table} enable trigger user" for table in WRITTEN),
        )
        forget_engines()


def _owner(url: str, *statements: str) -> None:
    with owner_session(url) as session:
        for statement in statements:
            session.execute(sa.text(statement))


# --- requests -----------------------------------------------------------------------------------------------------


async def _measure(url: str, world: World, rosters: list[int]) -> dict[str, tuple[float, float]]:
    app = create_app()
    waiting = iter(rosters)
    times: dict[tuple[str, str], list[float]] = {}
    await _block(app, world, waiting, {}, "on")  # untimed: the chain gets a past, and the planner statistics of it
    _owner(url, "analyze")
    for _ in range(REQUESTS // BLOCK):
        await _block(app, world, waiting, times, "on")
        for off, duties in (("off", True), ("all off", False)):
            with mechanism_off(url, duties):
                await _block(app, world, waiting, times, off)
    median = {name: statistics.median(taken) for name, taken in times.items()}
    return {
        "mechanism_list": (median["list", "on"], median["list", "off"]),
        "mechanism_step": (median["step", "on"], median["step", "off"]),
        "mechanism_and_duties_step": (median["step", "on"], median["step", "all off"]),
    }


async def _block(
    app: Any, world: World, waiting: Iterator[int], times: dict[tuple[str, str], list[float]], on: str
) -> None:
    clerk, head = _browser(app, world.department.clerk), _browser(app, world.township.head)
    async with clerk, head:
        token = token_of((await head.get("/console/")).text)

        async def page() -> httpx.Response:
            return await clerk.get(f"{ROSTER}/list", params={"tab": "all"})

        async def step() -> httpx.Response:
            form = {"csrf_token": token, "pks": str(next(waiting)), "attested": "yes"}
            return await head.post(f"{ROSTER}/action/endorse", data=form)

        await _timed(page, 200, times.setdefault(("list", on), []))
        await _timed(step, 303, times.setdefault(("step", on), []))


def _browser(app: Any, officer: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app),
        base_url=HERE,
        cookies={COOKIE: open_session(officer)},
        headers={"Origin": HERE},
    )


async def _timed(ask: Callable[[], Awaitable[httpx.Response]], status: int, times: list[float]) -> None:
    for number in range(WARM + BLOCK):
        start = time.perf_counter()
        answer = await ask()
        if number >= WARM:
            times.append(time.perf_counter() - start)
        if answer.status_code != status:
            raise RuntimeError(f"unexpected answer {answer.status_code}")


# --- own interest -------------------------------------------------------------------------------------------------

LINES = sa.text(
    """
    insert into roster_lines (county_code, division_code, roster_id, sector, sequence, household_id, member_id, village,
        group_name, head_name, name, id_number, id_index, payee_name, payee_relation, account_id, account_number,
        account_index, bank_name, bank_code, quantity, standard, amount_fen, component, entitlement_key, state,
        state_reason, note, phone_present)
    select m.county_code, m.division_code, :roster, :sector, row_number() over (order by m.id),
        m.household_id, m.id, '', '', m.name, m.name, m.id_number, m.id_index, m.name, 'self', a.id, a.number,
        a.number_index, '', '', 1, 15, 1500, '', 'bench' || m.id, 'active', '', '', false
    from members m join accounts a on a.division_code = m.division_code and a.member_id = m.id
    where m.id >= :first
    """
)
SCAN = sa.text("select count(*), max(name) from roster_lines where division_code = :division and roster_id = :roster")


def _interest(session: Session, world: World, first: int, rows: int) -> dict[str, Any]:
    """Ask a resident official for their own interest in a roster of the whole township."""
    by = world.township.head
    roster = a_roster(session, world, lines=[a_line()])
    session.execute(sa.text("delete from roster_lines where roster_id = :roster"), {"roster": roster.id})
    session.execute(LINES, {"roster": roster.id, "sector": roster.sector, "first": first})
    own = sa.text("update officers set person_index = (select id_index from members where id = :m) where id = :id")
    session.execute(own, {"m": first + rows // 2, "id": by.officer_id})
    session.execute(sa.text("analyze"))
    asked = {"division": roster.division_code, "roster": roster.id}

    def ask() -> None:
        try:
            require_disinterested(session, "roster", [key(roster.id)], by=by, title="清册", step="审核")
        except interests.OwnHousehold:
            return
        raise RuntimeError("the own line was not found")

    value, floor = _median(ask), _median(lambda: session.execute(SCAN, asked).all())
    session.execute(sa.text("delete from roster_lines where roster_id = :roster"), {"roster": roster.id})
    session.execute(sa.text("delete from rosters where id = :roster"), {"roster": roster.id})
    return {
        "name": "mechanism_interest", "rows": rows, "value": round(value, 5), "floor": round(floor, 5),
        "ratio": round(value / floor, 4), "peak_mb": round(_peak_mb()),
    }  # fmt: skip


def _median(ask: Callable[[], object], times: int = 20) -> float:
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        ask()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)
