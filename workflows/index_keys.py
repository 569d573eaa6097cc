"""Rotation of the index key, apart from the encryption key: look-ups and uniqueness hold all along. （第三十条）

Until the very end every column keeps its values of the old generation, which all processes look up and PostgreSQL
keeps unique. Beside each column grows a twin with the values of the coming generation and the same indexes; a changed
value forgets its twin (trigger) and gets it anew. When hardly any is missing, one short transaction fills the rest,
lets the twins take the columns' places and switches the key file before it commits. A process that still holds the
old generation is refused by a CHECK, never obeyed. A run that was stopped or killed is taken up by the next.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from models.crypto import HIGHEST_ID, KeyRing, change_key_file, fresh_index_key, ring
from models.keys import KeyKind
from models.schema import owner_session
from models.sealed_columns import IndexColumn, index_columns
from models.settings import settings
from policies.refusals import Refused
from workflows.keys import KeyNumbersUsed, Progress, Run, Tell, one_at_a_time

ROWS_AT_ONCE = 5000
MOST_UNDER_LOCK = 5000
LOCK_TRIES = 60
LOCK_PATIENCE = "800ms"
"""How long the last step waits for running transactions before it lets everybody through and tries again: shorter
than PostgreSQL's deadlock_timeout, so that never a business transaction is the one that has to give way."""
PAUSE_S = 0.3
LOCK_NOT_AVAILABLE = "55P03"


class ConsoleBusy(Refused):
    """有长时间运行的业务事务，暂时不能切换索引。已完成的部分保留，请稍后再次执行 yikatong keys rotate-index。"""


def generation_stored(session: Session) -> int:
    """Return the generation that the columns hold."""
    return int(session.execute(sa.text("select generation from index_generation where id = 1")).scalar_one())


def rotate(tell: Tell) -> Progress:
    """Give every blind index the next generation's key. （第三十条）

    Raises RotationUnderWay, KeyNumbersUsed, ConsoleBusy, Stopped.
    """
    with one_at_a_time():
        columns, keys = index_columns(), _prepared()
        _grow(columns)
        with owner_session() as session:
            total = sum(_missing(session, column) for column in columns)
        run = Run(KeyKind.INDEX, keys.index_current + 1, total, tell)
        with run.ending():
            _fill(run, keys, columns)
            _switch(run, keys, columns)
            _validate(columns)
        return Progress(run.id, run.done, run.total, 0, None, "已完成")


def _prepared() -> KeyRing:
    """Bring the key file to what the database holds, with the coming generation's key in it."""
    with owner_session() as session:
        stored = generation_stored(session)

    def change(raw: dict[str, Any]) -> None:
        # A file that is ahead belongs to a run that was killed between its file and its commit.
        raw["index_current"] = stored
        raw["index_keys"].setdefault(str(stored + 1), fresh_index_key())

    if stored >= HIGHEST_ID:
        raise KeyNumbersUsed(number=HIGHEST_ID)
    change_key_file(settings().key_file, change)
    return ring(fresh=True)


def _outside(statements: Sequence[str]) -> None:
    """Run statements outside any transaction: indexes that are built beside the console's work."""
    engine = sa.create_engine(
        settings().database_url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool, hide_parameters=True
    )
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def _grow(columns: list[IndexColumn]) -> None:
    """Make the twins, their indexes and the triggers; what an earlier run has made stays."""
    _patiently(lambda session: [session.execute(sa.text(text)) for one in columns for text in _twin_sql(one)])
    with owner_session() as session:
        # An index whose building was killed is no index: it is made anew.
        names = [f"{index.name}_next" for one in columns for index in one.indexes] + [_todo(one) for one in columns]
        half = session.execute(
            sa.text(
                "select c.relname from pg_index i join pg_class c on c.oid = i.indexrelid"
                " where not i.indisvalid and c.relname = any (:names)"
            ),
            {"names": names},
        ).scalars()
        dropped = [f"drop index concurrently if exists {name}" for name in half]
    _outside(dropped + [text for one in columns for text in _index_sql(one)])


def _twin_sql(one: IndexColumn) -> list[str]:
    trigger = f"{one.table}_{one.name}_twin"
    return [
        f"alter table {one.table} add column if not exists {one.twin} bytea",
        f"create or replace trigger {trigger} before update of {one.name} on {one.table} for each row"
        f" when (old.{one.name} is distinct from new.{one.name} and new.{one.twin} is not distinct from old.{one.twin})"
        f" execute function forget_twin('{one.twin}')",
    ]


def _todo(one: IndexColumn) -> str:
    return f"todo_{one.table}_{one.name}"


def _key_names(one: IndexColumn) -> str:
    return ", ".join(name for name, _ in one.keys)


def _index_sql(one: IndexColumn) -> list[str]:
    made = [
        f"create index concurrently if not exists {_todo(one)} on {one.table} ({_key_names(one)})"
        f" where {one.name} is not null and {one.twin} is null"
    ]
    for index in one.indexes:
        names = ", ".join(one.twin if name == one.name else name for name in index.columns.keys())  # noqa: SIM118
        unique = "unique " if isinstance(index, sa.UniqueConstraint) or index.unique else ""
        made.append(f"create {unique}index concurrently if not exists {index.name}_next on {one.table} ({names})")
    return made


def _missing(session: Session, one: IndexColumn) -> int:
    asked = f"select count(*) from {one.table} where {one.name} is not null and {one.twin} is null"  # noqa: S608
    return int(session.execute(sa.text(asked)).scalar_one())


def _fill(run: Run, keys: KeyRing, columns: list[IndexColumn]) -> None:
    """Fill the twins until so few are missing that the last step can do the rest."""
    missing = MOST_UNDER_LOCK + 1
    while missing > MOST_UNDER_LOCK:
        for one in columns:
            filled = ROWS_AT_ONCE
            while filled == ROWS_AT_ONCE:
                with owner_session() as session:
                    filled = _fill_batch(session, keys, one)
                    run.step(session, filled, one.title)
                run.told()
        with owner_session() as session:
            missing = sum(_missing(session, one) for one in columns)


def _fill_batch(session: Session, keys: KeyRing, one: IndexColumn) -> int:
    """Fill the twins of one batch of rows, where the value they were made from still stands; return how many."""
    names = _key_names(one)
    rows = session.execute(
        sa.text(
            f"select {names}, {one.name} from {one.table} where {one.name} is not null and {one.twin} is null"  # noqa: S608
            f" order by {names} limit :most"
        ),
        {"most": ROWS_AT_ONCE},
    ).all()
    if not rows:
        return 0
    width = len(one.keys)
    arrays = [f"cast(:k{n} as {kind}[])" for n, (_, kind) in enumerate(one.keys)]
    match = [f"t.{name} = v.k{n}" for n, (name, _) in enumerate(one.keys)]
    values: dict[str, Any] = {f"k{n}": [row[n] for row in rows] for n in range(width)}
    values |= {"old": [row[width] for row in rows], "new": [keys.next_index(bytes(row[width])) for row in rows]}
    session.execute(
        sa.text(
            f"update {one.table} t set {one.twin} = v.new from unnest({', '.join(arrays)}, cast(:old as bytea[]),"  # noqa: S608
            f" cast(:new as bytea[])) as v({', '.join(f'k{n}' for n in range(width))}, old, new)"
            f" where {' and '.join(match)} and t.{one.name} = v.old"
        ),
        values,
    )
    return len(rows)


def _patiently(work: Callable[[Session], Any]) -> None:
    """Run short work that locks whole tables: it waits for no one longer than a moment. Raises ConsoleBusy."""
    for _ in range(LOCK_TRIES):
        try:
            with owner_session() as session:
                session.execute(sa.text(f"set local lock_timeout = '{LOCK_PATIENCE}'"))
                work(session)
            return
        except OperationalError as busy:
            if getattr(busy.orig, "sqlstate", "") != LOCK_NOT_AVAILABLE:
                raise
            time.sleep(PAUSE_S)
    raise ConsoleBusy


def _switch(run: Run, keys: KeyRing, columns: list[IndexColumn]) -> None:
    """Let the twins take the columns' places in one transaction, the key file with it."""

    def work(session: Session) -> None:
        tables = ", ".join(dict.fromkeys(one.table for one in columns))
        session.execute(sa.text(f"lock table {tables} in access exclusive mode"))
        for one in columns:
            while filled := _fill_batch(session, keys, one):
                run.step(session, filled, one.title)
        following = keys.index_current + 1
        for one in columns:
            for text in _swap_sql(one, following):
                session.execute(sa.text(text))
        session.execute(sa.text("update index_generation set generation = :next"), {"next": following})
        _set_current(following)

    try:
        _patiently(work)
    except BaseException:
        # The database knows whether it has committed.
        with owner_session() as session:
            _set_current(generation_stored(session))
        raise


def _set_current(generation: int) -> None:
    change_key_file(settings().key_file, lambda raw: raw.update(index_current=generation))


def _check(one: IndexColumn) -> str:
    return f"ck_{one.table}_{one.name}_generation"


def _swap_sql(one: IndexColumn, generation: int) -> list[str]:
    table = f"alter table {one.table}"
    comment = one.comment.replace("'", "''").replace(":", "\\:")
    made = [
        f"drop trigger {one.table}_{one.name}_twin on {one.table}",
        f"drop index {_todo(one)}",
        f"{table} drop column {one.name}",
        f"{table} rename column {one.twin} to {one.name}",
        f"comment on column {one.table}.{one.name} is '{comment}'",
        f"{table} add constraint {_check(one)} check (get_byte({one.name}, 0) = {generation}) not valid",
    ]
    if not one.nullable:
        made.append(f"{table} alter column {one.name} set not null")
    for index in one.indexes:
        if isinstance(index, sa.UniqueConstraint):
            made.append(f"{table} add constraint {index.name} unique using index {index.name}_next")
        else:
            made.append(f"alter index {index.name}_next rename to {index.name}")
    return made


def _validate(columns: list[IndexColumn]) -> None:
    """Let PostgreSQL prove the generation of every row; the console works meanwhile."""
    _outside([f"alter table {one.table} validate constraint {_check(one)}" for one in columns])
