"""Alembic's environment: the owner's address from the settings, the tables from models/."""

import importlib
import pkgutil

import sqlalchemy as sa
from alembic import context
from sqlmodel import SQLModel
from sqlmodel.sql.sqltypes import AutoString

import models
from models.base import DivisionCode
from models.settings import settings

for module in pkgutil.iter_modules(models.__path__):
    importlib.import_module(f"models.{module.name}")


def include_object(item: object, name: str | None, kind: str, reflected: bool, compare_to: object) -> bool:
    """Leave alone what migrations keep as reviewed SQL: the job queue's own tables."""
    return not (reflected and (name or "").startswith(("procrastinate_", "ix_procrastinate")))


def compare_type(_: object, __: object, ___: object, stored: object, declared: object) -> bool | None:
    """SQLModel's unbounded string is PostgreSQL's text; everything else as Alembic sees it."""
    return False if isinstance(stored, sa.Text) and isinstance(declared, AutoString | DivisionCode) else None


def run() -> None:
    """Run the migrations in one transaction on one connection."""
    given = context.config.attributes.get("connection")
    engine = None if given is not None else sa.create_engine(settings().database_url, poolclass=sa.NullPool)
    with given.begin() if engine is None else engine.begin() as connection:
        context.configure(
            connection=given if engine is None else connection,
            target_metadata=SQLModel.metadata,
            include_object=include_object,
            compare_type=compare_type,
        )
        context.run_migrations()


run()
