"""One inhabited database for all tests of a file that leave nothing behind: each has its transaction, rolled back.

Import `county`, `session` and `shared` into the file; tests that need committed rows take `as_` or `owner`, and with
them a database of their own.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlmodel import Session

from models.database import forget_engines
from tests.conftest import NUMBERS, WORLD, address, point_at, statement
from tests.world import World


@pytest.fixture(scope="module")
def shared(server: str, keys: Path, world_template: World) -> Iterator[str]:
    """Yield the owner's address of a clone of the world."""
    name = f"test_{next(NUMBERS)}"
    statement(server, f"create database {name} template {WORLD}")
    yield address(server, name)
    forget_engines()
    statement(server, f"drop database {name} with (force)")


@pytest.fixture
def county(world_template: World) -> World:
    """Return the world of either database."""
    return world_template


@pytest.fixture
def session(shared: str, keys: Path) -> Iterator[Session]:
    """Yield an owner's session whose transaction is rolled back."""
    point_at(shared, keys)
    engine = sa.create_engine(shared, poolclass=sa.NullPool, hide_parameters=True)
    with Session(engine, expire_on_commit=False) as session:
        yield session
