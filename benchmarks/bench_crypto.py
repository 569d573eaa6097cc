"""Keys at 100,000 people: sealing and indexing, rotating the encryption key and the index key, exporting in full.

Floors of the same run: the bare cipher for sealing; one plain UPDATE of the same columns for a rotation; the masked
export for the export in full.
"""

import os
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from admin import exports
from admin.households import MemberView
from benchmarks.population import Township, settled_township
from models.crypto import ring
from models.database import transaction
from models.schema import owner_session
from models.sealed_columns import index_columns, sealed_tables
from models.settings import settings
from workflows import index_keys, keys

NUMBER = "150428198001011234"


def run(rows: int = 100_000) -> Iterator[dict[str, Any]]:
    """Yield the measures for `rows` people with one account each."""
    with settled_township(rows) as township:
        yield from _envelopes(rows)
        yield _rotation("keys rotate", rows, _plain_envelopes(), keys.rotate)
        yield _rotation("keys rotate-index", rows, _plain_indexes(), index_keys.rotate)
        yield _export(rows, township)


def _timed(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _peak_mb() -> int:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def _line(name: str, rows: int, value: float, floor: float, **more: Any) -> dict[str, Any]:
    measures = {"value": round(value, 2), "floor": round(floor, 2), "ratio": round(value / floor, 2)}
    return {"name": name, "rows": rows, **measures, "peak_mb": _peak_mb(), **more}


def _envelopes(rows: int) -> Iterator[dict[str, Any]]:
    bare, nonce = AESGCM(bytes(32)), bytes(12)
    floor = _timed(lambda: [bare.encrypt(nonce, NUMBER.encode(), b"hh") for _ in range(rows)])
    for cipher in ("aes-256-gcm", "sm4-gcm"):
        os.environ["YIKATONG_CIPHER"] = cipher
        settings.cache_clear()
        held = ring(fresh=True)
        sealed = [held.seal(NUMBER) for _ in range(rows)]
        yield _line(f"seal {cipher}", rows, _timed(lambda held=held: [held.seal(NUMBER) for _ in range(rows)]), floor)
        opened = _timed(lambda held=held, sealed=sealed: [held.open(one) for one in sealed])
        yield _line(f"open {cipher}", rows, opened, floor)
    os.environ["YIKATONG_CIPHER"] = "aes-256-gcm"
    settings.cache_clear()
    held = ring(fresh=True)
    yield _line("index", rows, _timed(lambda: [held.index("id", NUMBER) for _ in range(rows)]), floor)


def _plain_envelopes() -> float:
    """Rewrite every envelope by one UPDATE per table: what any re-encryption must write."""
    return _rewritten([(table.name, table.columns) for table in sealed_tables()])


def _plain_indexes() -> float:
    """Rewrite every blind index by one UPDATE per column."""
    return _rewritten([(one.table, (one.name,)) for one in index_columns()])


def _rewritten(columns: Sequence[tuple[str, Sequence[str]]]) -> float:
    with owner_session() as session:
        tables = [(sa.table(name, *map(sa.column, names)), names) for name, names in columns]
        return _timed(
            lambda: [
                session.execute(sa.update(table).values({name: table.c[name].op("||")(b"") for name in names}))
                for table, names in tables
            ]
        )


def _rotation(name: str, rows: int, floor: float, rotate: keys.Rotation) -> dict[str, Any]:
    told: list[keys.Progress] = []
    value = _timed(lambda: rotate(told.append))
    return _line(name, rows, value, floor, changed=told[-1].done, per_second=told[-1].per_second)


def _export(rows: int, township: Township) -> dict[str, Any]:
    view, times = MemberView(), {}
    asked = exports.Asked(view, township.clerk, "all", [], view.fields(view.column_list))
    for plain in (False, True):
        with transaction(township.clerk) as session:
            times[plain] = _timed(lambda session=session, plain=plain: asked.workbook(session, plain=plain))
    return _line("export in full", rows, times[True], times[False])
