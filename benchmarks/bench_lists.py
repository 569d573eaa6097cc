"""Every list of the console with many rows, opened by a county's officer, against two plain questions.

`rows` rows of each table that a view lists, a tenth of them another county's; the officer is whichever of the county's
may see the view. The floor asks the same table, as the owner with the range written out, for one page and a count.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import httpx
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert

from admin.base import ConsoleView
from admin.views import VIEWS
from benchmarks.bench_import import _peak_mb
from benchmarks.population import throw_away_database
from models.base import DivisionCode
from models.crypto import BlindIndex, Sealed, SealedFile
from policies.enforcement import Policy, seed_lines
from tests.conftest import owner_session
from tests.console import ConsoleServer, running
from tests.factories import World, build_world
from tests.rows import MARK, SAMPLES

COUNTYS = ("journal_entries", "postings", "bank_batches", "payment_orders")
"""Tables that carry the county's code beside the division's, which is the county's too."""
TIMES, CHUNK, FIRST = 20, 2_000, 1_000_000
MOMENT, DAY = datetime(2026, 5, 1, 9, tzinfo=UTC), date(2026, 5, 1)


def run(rows: int = 10_000) -> Iterator[dict[str, Any]]:
    """Yield the 95th percentile of each view's list, of all records and of one's own work."""
    with throw_away_database() as url:
        with owner_session(url) as session:
            world = build_world(session)
        views = [view for view in VIEWS if issubclass(view, ConsoleView) and _viewer(world, view) is not None]
        for view in views:
            with owner_session(url) as session:
                _fill(session, view.model.__table__, world, rows)
        with owner_session(url) as session:
            session.execute(sa.text("analyze"))
        with running() as server:
            for view in views:
                floor = _floor(url, view.model.__table__, world)
                for tab in ("all", "todo"):
                    yield _measured(server, world, view, tab, floor, rows)


def _viewer(world: World, view: type[ConsoleView]) -> Any:
    """Return an officer of the county who may open the view's list, if there is one."""
    policy = Policy(0, seed_lines())
    for office in (world.department, world.finance, world.township):
        for by in (office.clerk, office.reviewer, office.head):
            if view.permission in policy.permissions(by.role, by.level, by.kind):
                return by
    return None


def _fill(session: Any, table: sa.Table, world: World, rows: int) -> None:
    """Write rows past every guard; what is there already stays."""
    session.execute(sa.text("set local session_replication_role = replica"))
    for start in range(0, rows, CHUNK):
        numbers = range(FIRST + start, FIRST + min(rows, start + CHUNK))
        # What a division may have one of only, stays one.
        session.execute(insert(table).on_conflict_do_nothing(), [_row(table, number, world) for number in numbers])
    session.execute(sa.text("set local session_replication_role = origin"))


def _row(table: sa.Table, number: int, world: World) -> dict[str, Any]:
    other = number % 10 == 0
    county = world.other_county if other else world
    at_home = "county_code" in table.columns and table.name not in COUNTYS
    place = county.township.division_code if at_home else county.code
    row: dict[str, Any] = {}
    for column in table.columns:
        if isinstance(column.type, DivisionCode) or column.name == "division_code":
            row[column.name] = county.code if column.name == "county_code" else place
        elif column.name == "sector":
            row[column.name] = "农牧"
        elif column.name == "id" or not column.nullable:
            row[column.name] = _value(column, number)
    given = {name: number if value == MARK else value for name, value in SAMPLES.get(table.name, {}).items()}
    return row | given


def _value(column: "sa.Column[Any]", number: int) -> Any:
    kind = column.type
    if isinstance(kind, sa.Enum):
        return kind.enums[0]
    if isinstance(kind, Sealed):
        return f"15043019550101{number % 10_000:04d}"
    if isinstance(kind, ARRAY):
        return []
    if isinstance(kind, JSONB):
        return {}
    if isinstance(kind, sa.Numeric):
        return Decimal(1)
    if isinstance(kind, BlindIndex | SealedFile):
        return b"\x01" + number.to_bytes(32, "big") if isinstance(kind, BlindIndex) else b"x"
    try:
        python: type[Any] = kind.python_type
    except NotImplementedError:
        python = str
    values: dict[type[Any], Any] = {
        bool: False, bytes: number.to_bytes(32, "big"), date: DAY, datetime: MOMENT,
        int: number if isinstance(kind, sa.BigInteger) and not column.name.endswith("_fen") else 1,
    }  # fmt: skip
    return values.get(python, f"x{number}")


def _p95(ask: Callable[[], object]) -> float:
    ask()
    taken = []
    for _ in range(TIMES):
        start = time.perf_counter()
        ask()
        taken.append(time.perf_counter() - start)
    return statistics.quantiles(taken, n=20)[-1]


def _floor(url: str, table: sa.Table, world: World) -> float:
    columns: Any = table.columns
    low = world.code[:6]
    inside = (
        (columns["division_code"] >= low, columns["division_code"] < f"{low}A") if "division_code" in columns else ()
    )
    order = columns["id"].desc() if "id" in columns else next(iter(table.primary_key.columns))
    page = sa.select(table).where(*inside).order_by(order).limit(50)
    count = sa.select(sa.func.count()).select_from(table).where(*inside)
    with owner_session(url) as session:
        return _p95(lambda: (session.execute(page).all(), session.execute(count).all()))


def _measured(
    server: ConsoleServer, world: World, view: type[ConsoleView], tab: str, floor: float, rows: int
) -> dict[str, Any]:
    path = f"/console/{view.identity}/list?tab={tab}"  # type: ignore[attr-defined]

    def ask(client: httpx.Client) -> None:
        answer = client.get(path)
        if answer.status_code != 200:
            raise RuntimeError(f"{path}: {answer.status_code}")

    with server.client(_viewer(world, view)) as client:
        value = _p95(lambda: ask(client))
    return {
        "name": f"lists_{view.identity}_{tab}", "rows": rows, "value": round(value, 4), "floor": round(floor, 4),  # type: ignore[attr-defined]
        "ratio": round(value / floor, 2), "peak_mb": round(_peak_mb()),
    }  # fmt: skip
