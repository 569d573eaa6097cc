"""Which columns hold envelopes and which hold blind indexes: found from the models, never from a list. （第三十条）"""

import importlib
import pkgutil
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlmodel import SQLModel

import models
from models.base import Table
from models.crypto import BlindIndex, Sealed, SealedFile


@dataclass(frozen=True)
class SealedTable:
    """A table with envelopes: its key with PostgreSQL's types, the columns sealed, and whether they are whole files."""

    name: str
    title: str
    keys: tuple[tuple[str, str], ...]
    columns: tuple[str, ...]
    files: bool


@dataclass(frozen=True)
class IndexColumn:
    """A column of blind indexes, with the key of its table and what PostgreSQL must keep of it."""

    table: str
    title: str
    keys: tuple[tuple[str, str], ...]
    name: str
    nullable: bool
    comment: str
    indexes: tuple[sa.Index | sa.UniqueConstraint, ...]

    @property
    def twin(self) -> str:
        """Return the name of the column of the coming generation, there only while the key rotates."""
        return f"{self.name}_next"


def _tables() -> list[sa.Table]:
    for module in pkgutil.iter_modules(models.__path__):
        importlib.import_module(f"models.{module.name}")
    return sorted(SQLModel.metadata.tables.values(), key=lambda table: table.name)


def _titles() -> dict[str, str]:
    """Return how officers call each table."""
    found: dict[str, str] = {}
    waiting = list(Table.__subclasses__())
    while waiting:
        model = waiting.pop()
        waiting += model.__subclasses__()
        found[str(model.__tablename__)] = model.__title__
    return found


def _keys(table: sa.Table) -> tuple[tuple[str, str], ...]:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    kinds = ((column.name, column.type.compile(dialect).lower()) for column in table.primary_key.columns)
    return tuple((name, "text" if kind.startswith(("text", "varchar")) else kind) for name, kind in kinds)


def sealed_tables() -> list[SealedTable]:
    """Return every table that holds envelopes, in the order of their names."""
    tables, titles = _tables(), _titles()
    found = []
    for table in tables:
        for kind in (Sealed, SealedFile):
            columns = tuple(column.name for column in table.columns if isinstance(column.type, kind))
            if columns:
                found.append(SealedTable(table.name, titles[table.name], _keys(table), columns, kind is SealedFile))
    return found


def index_columns() -> list[IndexColumn]:
    """Return every column of blind indexes, in the order of their tables' names."""
    tables, titles = _tables(), _titles()
    return [
        IndexColumn(
            table.name,
            titles[table.name],
            _keys(table),
            column.name,
            bool(column.nullable),
            column.comment or "",
            _indexes(table, column),
        )
        for table in tables
        for column in table.columns
        if isinstance(column.type, BlindIndex)
    ]


def _indexes(table: sa.Table, column: sa.Column[Any]) -> tuple[sa.Index | sa.UniqueConstraint, ...]:
    found: list[sa.Index | sa.UniqueConstraint] = [*table.indexes]
    found += [one for one in table.constraints if isinstance(one, sa.UniqueConstraint)]
    return tuple(sorted((one for one in found if column.name in one.columns), key=lambda one: str(one.name)))
