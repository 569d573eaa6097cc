"""A row of every table, written by the owner past every guard: what the proofs of row scope look for."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from models.base import RowScope, Table
from workflows.row_scope import declared

MARK = 900_001
"""The number that sample rows carry in their ids, so that they refer to each other and to nothing else."""
SECTOR = "农牧"

SAMPLES: dict[str, dict[str, Any]] = {
    "annual_lists": {"year": MARK},
    "account_batches": {"source": "bank", "file_id": 0},
    "account_batch_rows": {"batch_id": MARK},
    "accounts": {"status": "verifying"},
    "budget_indicators": {"amount_fen": 1, "available_fen": 1, "reserved_fen": 0, "requested_fen": 0, "paid_fen": 0},
    "delegations": {"officer_id": 1},
    "duty_pairs": {"other": "y", "statutory": False},
    "events": {"noun": "roster"},
    "indicator_downloads": {"status": "done"},
    "jobs": {"roster_id": MARK},
    "notice_periods": {"notice_days": 7},
    "publications": {"kind": "policy", "project_id": MARK},
    "registry_tasks": {"member_id": MARK},
    "rosters": {"project_version": 0},
    "upstream_indicators": {"amount_fen": 2, "distributed_fen": 1},
}
"""What a table insists on beyond its types, or what another table's policy looks for."""


def tables() -> dict[str, RowScope]:
    """Return every declared table and its row scope."""
    return {name: model.__row_scope__ for name, model in declared().items()}


def of(*scopes: RowScope) -> list[str]:
    """Return the tables of these classes, in order."""
    return sorted(name for name, scope in tables().items() if scope in scopes)


RANGED, DOWNWARD = of(RowScope.RANGE), of(RowScope.DOWNWARD)
SCOPED = sorted({*RANGED, *DOWNWARD})

NEVER_CHANGED = {
    "account_notices", "application_batches", "application_results", "attachments", "calendar_version_days",
    "changes", "desk_holders", "enquiries", "event_archives", "event_heads", "event_links", "events",
    "exchange_coverage", "exchange_facts", "journal_entries", "login_sessions", "openid_identities",
    "policy_documents", "postings", "project_versions", "qualification_lines", "qualification_notices", "refusals",
    "residences", "reveals", "roster_substeps", "villages",
}  # fmt: skip
"""Scoped tables of which the application may neither change nor delete a row."""
NEVER_INSERTED = {
    "changes", "event_archives", "event_heads", "event_links", "exchange_coverage", "exchange_facts",
    "login_sessions", "openid_identities", "residences", "villages",
}  # fmt: skip
"""Scoped tables that only functions and triggers write."""


def table(name: str) -> sa.Table:
    """Return a table as declared."""
    return Table.metadata.tables[name]


def sample(name: str, division: str, mark: int = MARK, **fields: Any) -> dict[str, Any]:
    """Return a row that fills every column the table insists on; ids are `mark`, texts end in it."""
    row: dict[str, Any] = {}
    for column in table(name).columns:
        if column.name in ("division_code", "county_code"):
            row[column.name] = division
        elif column.name == "sector":
            row[column.name] = SECTOR
        elif column.name == "bank_id":
            row[column.name] = 1
        elif isinstance(column.type, sa.Enum):
            row[column.name] = column.type.enums[0]
        elif column.name == "id" or not column.nullable:
            row[column.name] = _value(column, mark)
    given = {key: mark if value == MARK else value for key, value in SAMPLES.get(name, {}).items()}
    if name == "project_links":
        given["pro_code"] = f"{mark:08d}2400000000000"
    return row | given | {key: value for key, value in fields.items() if key in row}


def _value(column: "sa.Column[Any]", mark: int) -> Any:
    kind = str(column.type.compile(dialect=sa.dialects.postgresql.dialect())).upper()  # type: ignore[attr-defined]
    words = {
        "BYTEA": b"\x01" + mark.to_bytes(32, "big"), "BOOLEAN": True, "DATE": "2024-05-01", "JSONB": "{}",
        "INTERVAL": "0", "BIGINT": mark,
    }  # fmt: skip
    if kind in words:
        return words[kind]
    if kind.endswith("[]"):
        return "{}"
    if "TIME" in kind:
        return "2024-05-01T09:00:00+08:00"
    return 1 if any(word in kind for word in ("INT", "NUMERIC")) else f"x{mark}"


def insert(session: Session, name: str, row: dict[str, Any], conflict: str = "") -> None:
    """Write one row."""
    names, values = ", ".join(row), ", ".join(f":{key}" for key in row)
    session.execute(sa.text(f"insert into {name} ({names}) values ({values}) {conflict}"), row)


def fill(
    session: Session, division: str, mark: int = MARK, names: Collection[str] = tuple(SCOPED), **fields: Any
) -> None:
    """Write one row into every scoped table, past every guard and foreign key."""
    session.execute(sa.text("set local session_replication_role = replica"))
    for name in names:
        head = "(county_code) do update set sequence = excluded.sequence" if name == "event_heads" else "do nothing"
        insert(session, name, sample(name, division, mark, **fields), f"on conflict {head}")
    session.execute(sa.text("set local session_replication_role = origin"))


def where(name: str, mark: int = MARK) -> str:
    """Return the condition that finds the sample row of a table, whoever else has rows there."""
    numbers = [column.name for column in table(name).columns if isinstance(column.type, sa.BigInteger)]
    own = [key for key in numbers if key not in ("bank_id", "size") and not key.endswith("_fen")]
    return f"{own[0]} = {mark}"


def seen(session: Session, names: list[str], mark: int = MARK) -> dict[str, int]:
    """Return how many sample rows of each table a session sees: one statement."""
    parts = " union all ".join(f"select '{name}', count(*) from {name} where {where(name, mark)}" for name in names)
    return dict(session.execute(sa.text(parts)).tuples().all())


def shown(session: Session, names: list[str], mark: int = MARK) -> set[str]:
    """Return the tables of which a session sees a sample row."""
    return {name for name, count in seen(session, names, mark).items() if count}
