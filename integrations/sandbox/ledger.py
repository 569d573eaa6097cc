"""The ledger of a sandbox: one SQLite file that survives restarts, with a clock and faults of its own."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Asia/Shanghai")

COMMON = """
create table if not exists meta (key text primary key, value text not null);
create table if not exists faults (
    id integer primary key, kind text not null, path text not null, method text not null,
    times integer not null, seconds real not null);
"""


class Ledger:
    """One SQLite file, one writer at a time."""

    def __init__(self, path: Path, tables: str) -> None:
        """Open or make the ledger. tables: the sandbox's own `create table if not exists` statements."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._turn = threading.RLock()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("pragma journal_mode = wal")
        self._connection.executescript(COMMON + tables)

    @contextmanager
    def turn(self) -> Iterator[sqlite3.Connection]:
        """Open one transaction: commit at the end, roll back on any exception."""
        with self._turn:
            self._connection.execute("begin immediate")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("rollback")
                raise
            self._connection.execute("commit")

    def close(self) -> None:
        """Close the file."""
        with self._turn:
            self._connection.close()


def now(db: sqlite3.Connection) -> datetime:
    """Return the sandbox's moment: the wall clock moved by what the control endpoint asked."""
    moved = db.execute("select value from meta where key = 'moved_by'").fetchone()
    seconds = _wall(db) + (int(moved["value"]) if moved else 0)
    return datetime.fromtimestamp(seconds, ZONE)


def set_clock(db: sqlite3.Connection, moment: datetime) -> None:
    """Make it that moment."""
    moved_by = int(moment.timestamp()) - _wall(db)
    db.execute("insert or replace into meta values ('moved_by', ?)", (str(moved_by),))


def _wall(db: sqlite3.Connection) -> int:
    return int(db.execute("select strftime('%s', 'now')").fetchone()[0])


def take_fault(db: sqlite3.Connection, kinds: tuple[str, ...], method: str, path: str) -> sqlite3.Row | None:
    """Use up one ordered fault that fits this request; None when there is none."""
    waiting = db.execute("select * from faults where times > 0 order by id").fetchall()
    for fault in waiting:
        fits = path.startswith(fault["path"]) and fault["method"] in ("", method)
        if fault["kind"] in kinds and fits:
            db.execute("update faults set times = times - 1 where id = ?", (fault["id"],))
            found: sqlite3.Row = fault
            return found
    return None


def next_number(db: sqlite3.Connection, name: str) -> int:
    """Return the next number of a series."""
    row = db.execute("select value from meta where key = ?", (name,)).fetchone()
    number = (int(row["value"]) if row else 0) + 1
    db.execute("insert or replace into meta values (?, ?)", (name, str(number)))
    return number
