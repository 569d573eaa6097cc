"""Rotation of the encryption key: a new key at once, the envelopes in batches, the old key at last. （第三十条）

Who runs this holds the owner's address: the batch reaches closed tables too. It looks at what is stored, so that a
run that was stopped or killed is taken up by the next; it works beside the console, because every update is guarded
by the very envelope that was read.
"""

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from models.crypto import HIGHEST_ID, EnvelopeBroken, KeyRing, change_key_file, ring
from models.keys import KeyKind, KeyRotation, RotationStatus
from models.officers import ActingOfficer
from models.schema import owner_session
from models.sealed_columns import SealedTable, sealed_tables
from models.settings import settings
from policies.enforcement import allow
from policies.moves import record_event
from policies.permissions import Permission
from policies.refusals import Refused

ROWS_AT_ONCE, FILES_AT_ONCE = 1000, 8
SHOWN_RUNS = 5
LOCK = 7_301_930
"""The advisory lock that admits one rotation at a time."""


class RotationUnderWay(Refused):
    """另一个密钥轮换正在进行：请等它完成，或先停止它。"""


class RotationOver(Refused):
    """该轮换已结束，不能再停止。请刷新页面查看结果。"""


class EnvelopesBroken(Refused):
    """{table} 有 {count} 条内容不能用现有密钥解开：请恢复当时的密钥文件，或从备份恢复这些记录后再次执行。"""


class KeyInUse(Refused):
    """密钥 {number} 下还有 {count} 条加密内容，不能停用。请先执行 yikatong keys rotate 完成轮换。"""


class KeyCurrent(Refused):
    """密钥 {number} 正用于加密新内容，不能停用。请先执行 yikatong keys rotate 换用新密钥。"""


class KeyUnknown(Refused):
    """密钥文件中没有密钥 {number}。执行 yikatong keys status 查看现有密钥。"""


class KeyNumbersUsed(Refused):
    """密钥编号已用到 {number}，不能再增加。请联系系统开发单位。"""


@dataclass(frozen=True)
class Progress:
    """How far a rotation is: rows done and in all, rows a second, seconds left if it can be told."""

    rotation_id: int
    done: int
    total: int
    per_second: int
    seconds_left: int | None
    stage: str


Tell = Callable[[Progress], None]
Rotation = Callable[[Tell], Progress]


class Stopped(Exception):
    """Somebody asked the batch to stop; what is done stays done."""


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Let no second rotation in while this one runs. Raises RotationUnderWay."""
    # Without a transaction: an open one would keep the indexes from being built beside the console's work.
    engine = sa.create_engine(
        settings().database_url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool, hide_parameters=True
    )
    with engine.connect() as connection:
        if not connection.execute(sa.text("select pg_try_advisory_lock(:key)"), {"key": LOCK}).scalar_one():
            raise RotationUnderWay
        yield


class Run:
    """One run's row: its progress is published after every batch, and the wish to stop is read there."""

    def __init__(self, kind: KeyKind, key_number: int, total: int, tell: Tell) -> None:
        """Write the row; runs that were killed before it are over."""
        self._tell, self._began, self.done, self.total, self._asked = tell, time.monotonic(), 0, total, False
        with owner_session() as session:
            session.execute(
                sa.text(
                    "update key_rotations set status = 'cancelled', stage = '中断', finished_at = clock_timestamp()"
                    " where status = 'running'"
                )
            )
            self.id: int = session.execute(
                sa.text(
                    "insert into key_rotations (kind, key_number, status, stage, done, total, per_second, started_at,"
                    " cancel_asked) values (:kind, :number, 'running', '', 0, :total, 0, clock_timestamp(), false)"
                    " returning id"
                ),
                {"kind": kind, "number": key_number, "total": total},
            ).scalar_one()

    def step(self, session: Session, rows: int, stage: str) -> None:
        """Write the progress in the batch's own transaction."""
        self.done += rows
        self.total = max(self.total, self.done)
        speed = self.done / max(time.monotonic() - self._began, 0.001)
        left = round((self.total - self.done) / speed) if self.done else None
        now = Progress(self.id, self.done, self.total, round(speed), left, stage)
        asked = session.execute(
            sa.text(
                "update key_rotations set done = :done, total = :total, per_second = :speed, seconds_left = :left,"
                " stage = :stage where id = :id returning cancel_asked"
            ),
            {"done": self.done, "total": self.total, "speed": now.per_second, "left": left, "stage": stage}
            | {"id": self.id},
        ).scalar_one()
        self._now, self._asked = now, asked

    def told(self) -> None:
        """Tell of a batch that is committed. Raises Stopped when somebody has asked for it."""
        self._tell(self._now)
        if self._asked:
            raise Stopped

    def end(self, status: RotationStatus, stage: str) -> None:
        """Write how it ended."""
        with owner_session() as session:
            session.execute(
                sa.text(
                    "update key_rotations set status = :status, stage = :stage, seconds_left = null,"
                    " finished_at = clock_timestamp() where id = :id"
                ),
                {"status": status, "stage": stage, "id": self.id},
            )

    @contextmanager
    def ending(self) -> Iterator[None]:
        """Keep the row true whatever happens: done, stopped, failed."""
        try:
            yield
        except (Stopped, KeyboardInterrupt):
            self.end(RotationStatus.CANCELLED, "已停止，可再次执行继续")
            raise
        except BaseException:
            self.end(RotationStatus.FAILED, "出错，可再次执行继续")
            raise
        self.end(RotationStatus.DONE, "已完成")


def _stale(table: SealedTable) -> str:
    return " or ".join(f"(length({name}) > 0 and substring({name} from 1 for 2) <> :header)" for name in table.columns)


def stale_counts(session: Session, header: bytes) -> dict[SealedTable, int]:
    """Return how many rows of each table hold an envelope of another key or cipher."""
    return {
        table: session.execute(
            sa.text(f"select count(*) from {table.name} where {_stale(table)}"),  # noqa: S608 - names of our models
            {"header": header},
        ).scalar_one()
        for table in sealed_tables()
    }


def add_key() -> int:
    """Add an encryption key that new envelopes take at once; return its number. Raises KeyNumbersUsed."""

    def change(raw: dict[str, Any]) -> None:
        number = max(int(key) for key in raw["keys"]) + 1
        if number > HIGHEST_ID:
            raise KeyNumbersUsed(number=HIGHEST_ID)
        raw["keys"][str(number)] = secrets.token_hex(32)
        raw["current"] = number

    change_key_file(settings().key_file, change)
    return ring().current


def rotate(tell: Tell) -> Progress:
    """Add a key, unless an earlier rotation is unfinished, and re-encrypt everything under it. （第三十条）

    Raises RotationUnderWay, EnvelopesBroken, Stopped.
    """
    with one_at_a_time():
        with owner_session() as session:
            total = sum(stale_counts(session, ring().header).values())
            if total == 0:
                add_key()
                total = sum(stale_counts(session, ring().header).values())
        keys = ring(fresh=True)
        run = Run(KeyKind.ENVELOPES, keys.current, total, tell)
        with run.ending():
            while _pass(run, keys):
                continue
        return Progress(run.id, run.done, run.total, 0, None, "已完成")


def _pass(run: Run, keys: KeyRing) -> int:
    """Go once over all tables; return how many rows are still to be done. Raises EnvelopesBroken, Stopped."""
    broken: dict[str, int] = {}
    for table in sealed_tables():
        after: tuple[Any, ...] = ()
        while rows := _batch(run, keys, table, after, broken):
            after = tuple(rows[-1][: len(table.keys)])
    with owner_session() as session:
        left = sum(stale_counts(session, keys.header).values())
    if broken and left <= sum(broken.values()):
        name, count = next(iter(broken.items()))
        raise EnvelopesBroken(table=name, count=count)
    return left


def _batch(
    run: Run, keys: KeyRing, table: SealedTable, after: tuple[Any, ...], broken: dict[str, int]
) -> Sequence[sa.Row[Any]]:
    names = ", ".join(name for name, _ in table.keys)
    where = f"({names}) > ({', '.join(f':after{n}' for n in range(len(table.keys)))}) and" if after else ""
    asked = sa.text(
        f"select {names}, {', '.join(table.columns)} from {table.name} where {where} ({_stale(table)})"  # noqa: S608
        f" order by {names} limit :most"
    )
    values = {f"after{n}": value for n, value in enumerate(after)}
    values |= {"header": keys.header, "most": FILES_AT_ONCE if table.files else ROWS_AT_ONCE}
    with owner_session() as session:
        rows = session.execute(asked, values).all()
        fresh = [(row, sealed) for row in rows if (sealed := _resealed(keys, table, row, broken)) is not None]
        if fresh:
            _write(session, table, fresh)
        run.step(session, len(fresh), table.title)
    run.told()
    return rows


def _resealed(
    keys: KeyRing, table: SealedTable, row: sa.Row[Any], broken: dict[str, int]
) -> tuple[bytes | None, ...] | None:
    """Return the row's envelopes under the current key; None when one doesn't open."""
    try:
        return tuple(
            None if old is None else old if not old or old[:2] == keys.header else keys.seal_bytes(keys.open_bytes(old))
            for old in row[len(table.keys) :]
        )
    except EnvelopeBroken:
        broken[table.title] = broken.get(table.title, 0) + 1
        return None


def _write(session: Session, table: SealedTable, fresh: list[tuple[sa.Row[Any], tuple[bytes | None, ...]]]) -> None:
    """Write the new envelopes where the old ones still stand: what was written meanwhile is never lost."""
    width, places = len(table.keys), range(len(table.columns))
    arrays = [f"cast(:k{n} as {kind}[])" for n, (_, kind) in enumerate(table.keys)]
    arrays += [f"cast(:o{n} as bytea[])" for n in places] + [f"cast(:n{n} as bytea[])" for n in places]
    columns = [f"k{n}" for n in range(width)] + [f"o{n}" for n in places] + [f"n{n}" for n in places]
    sets = ", ".join(f"{name} = v.n{n}" for n, name in enumerate(table.columns))
    match = [f"t.{name} = v.k{n}" for n, (name, _) in enumerate(table.keys)]
    match += [f"t.{name} is not distinct from v.o{n}" for n, name in enumerate(table.columns)]
    values: dict[str, Any] = {f"k{n}": [row[n] for row, _ in fresh] for n in range(width)}
    values |= {f"o{n}": [row[width + n] for row, _ in fresh] for n in places}
    values |= {f"n{n}": [new[n] for _, new in fresh] for n in places}
    session.execute(
        sa.text(
            f"update {table.name} t set {sets} from unnest({', '.join(arrays)}) as v({', '.join(columns)})"  # noqa: S608
            f" where {' and '.join(match)}"
        ),
        values,
    )


def envelopes_by_key(session: Session) -> dict[int, int]:
    """Return how many envelopes each key still opens."""
    found: dict[int, int] = {number: 0 for number in ring().keys}
    for table in sealed_tables():
        for name in table.columns:
            rows = session.execute(
                sa.text(
                    f"select get_byte({name}, 1), count(*) from {table.name} where length({name}) > 2 group by 1"  # noqa: S608
                )
            )
            for number, count in rows.tuples():
                found[number] = found.get(number, 0) + count
    return found


def latest_runs(session: Session) -> list[KeyRotation]:
    """Return the last rotations, the newest first."""
    return list(session.exec(select(KeyRotation).order_by(col(KeyRotation.id).desc()).limit(SHOWN_RUNS)))


def retire(number: int) -> None:
    """Take a key that opens nothing any more out of the key file; old backups no longer open. （第三十条）

    Raises KeyUnknown, KeyCurrent, KeyInUse, RotationUnderWay.
    """
    with one_at_a_time(), owner_session() as session:
        keys = ring(fresh=True)
        if number not in keys.keys:
            raise KeyUnknown(number=number)
        if number == keys.current:
            raise KeyCurrent(number=number)
        # Writers wait until the file is written: no envelope slips in between counting and retiring.
        tables = ", ".join(dict.fromkeys(table.name for table in sealed_tables()))
        session.execute(sa.text(f"lock table {tables} in share mode"))
        count = envelopes_by_key(session).get(number, 0)
        if count:
            raise KeyInUse(number=number, count=count)
        change_key_file(settings().key_file, lambda raw: raw["keys"].pop(str(number)))


@dataclass(frozen=True)
class _Stopping:
    """What the event of a stop is written about: a rotation belongs to no division, its stop to the officer's."""

    division_code: str
    id: int
    status: str = ""


def stop(session: Session, rotation: KeyRotation, *, by: ActingOfficer) -> KeyRotation:
    """Ask a running rotation to stop after its batch. （第三十条） Raises NotAllowed, RotationOver."""
    allow(session, by, Permission.KEY_VIEW)
    asked = session.execute(sa.text("select stop_rotation(:id)"), {"id": rotation.id})
    if not asked.scalar_one_or_none():
        raise RotationOver
    about = _Stopping(by.division_code, rotation.id or 0)
    record_event(session, about, "stop", by=by, label="停止密钥轮换", noun="key_rotation")
    return rotation
