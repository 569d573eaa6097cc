"""Fixtures: one embedded PostgreSQL per run, a fresh database per test, a small world of officers.

`database`   a fresh database (migrated, reference data); with `county` it also holds the world's officers
`county`     the `World` of tests/factories.py: who may act, in two counties of two leagues
`as_`        `with as_(county.township.clerk) as session:` one committed transaction of the application's role
`owner`      `with owner() as session:` one committed transaction of the owner, past every row policy
`session`    an open owner's session for the length of a test, for factories and verbs; never committed by itself

`PG=15` runs everything on Debian's PostgreSQL 15. A run inside another one (tests/test_mutations.py) borrows its
server: TEST_SERVER and TEST_KEYS name it and its key file, TEST_TEMPLATE the template, made unless it is there.
"""

import inspect
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.engine import make_url
from sqlmodel import Session

from models.cluster import Cluster
from models.crypto import make_key_file
from models.database import forget_engines, transaction
from models.officers import ActingOfficer
from models.settings import settings
from tests.factories import World, build_world
from workflows import reference_data

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.console import ConsoleServer

ROOT = Path(__file__).parent.parent
NAME = os.environ.get("TEST_TEMPLATE", "test")
REFERENCE = f"{NAME}_reference"
WORLD = f"{NAME}_world"
NUMBERS = count(1)

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--headless",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-extensions",
]

Owner = Callable[[], AbstractContextManager[Session]]
As = Callable[[ActingOfficer | None], AbstractContextManager[Session]]


SLOW_FIRST = ("test_crash", "test_mutations", "test_story", "test_console_chain", "test_launcher", "test_browser",
              "test_matrix", "test_concurrency", "test_routes_hostile", "test_new_subsidy_region",
              "test_new_subsidy_local")  # fmt: skip
"""Files of a minute or more: begun first, so that no worker is left alone with them at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the slow files first; everything else keeps its order."""
    items.sort(key=lambda item: SLOW_FIRST.index(item.path.stem) if item.path.stem in SLOW_FIRST else len(SLOW_FIRST))


MEMORY = Path("/dev/shm")
ROOM = 6 * 1024**3


def in_memory() -> Path | None:
    """Return the folder in memory if it has room for a run: a database is cloned there five times as fast."""
    spacious = MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM
    return MEMORY if spacious else None


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    """A folder that PostgreSQL's own user may enter, gone after the run."""
    folder = Path(tempfile.mkdtemp(prefix="ykt-", dir=in_memory()))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def server(home: Path) -> Iterator[str]:
    """The address of the embedded server (Debian's 15 with PG=15), or of the one that is lent."""
    if lent := os.environ.get("TEST_SERVER"):
        yield lent
        return
    version: Literal["15", "18"] = "15" if os.environ.get("PG") == "15" else "18"
    with Cluster(home, version, durable=False) as url:
        yield url


def address(server: str, name: str) -> str:
    """Return the owner's address of one database of the server."""
    return make_url(server).set(database=name).render_as_string(hide_password=False)


def point_at(url: str, keys: Path) -> None:
    """Point this process (and its children) at a database, as test."""
    os.environ |= {"YIKATONG_MODE": "test", "YIKATONG_DATABASE_URL": url, "YIKATONG_KEYS": str(keys)}
    os.environ |= {"YIKATONG_DATA": str(keys.parent)}
    settings.cache_clear()
    forget_engines()


def statement(server: str, sql: str) -> None:
    """Run one statement outside any transaction on the server's maintenance database."""
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool, hide_parameters=True)
    with engine.connect() as connection:
        connection.exec_driver_sql(sql)


def databases(server: str, name: str) -> list[str]:
    """Return the databases of the server whose names begin so."""
    with owner_session(server) as session:
        found = sa.text("select datname from pg_database where starts_with(datname, :name)")
        return list(session.scalars(found, {"name": name}))


def migrate(target: str = "head", *, down: bool = False) -> None:
    """Migrate the database that the settings name."""
    config = Config(toml_file=str(ROOT / "pyproject.toml"))
    (command.downgrade if down else command.upgrade)(config, target)


@contextmanager
def owner_session(url: str) -> Iterator[Session]:
    """One committed transaction of the owner."""
    engine = sa.create_engine(url, poolclass=sa.NullPool, hide_parameters=True)
    with Session(engine, expire_on_commit=False) as session, session.begin():
        yield session


@pytest.fixture(scope="session")
def keys(home: Path) -> Path:
    """The key file of this run; that of the lent server in a run inside another."""
    path = home / "keys.json"
    if lent := os.environ.get("TEST_KEYS"):
        shutil.copy(lent, path)
    else:
        make_key_file(path)
    return path


@pytest.fixture(scope="session")
def database_url(server: str, keys: Path) -> str:
    """The migrated template with reference data. Nobody may stay connected to it."""
    url = address(server, REFERENCE)
    point_at(url, keys)
    if REFERENCE in databases(server, REFERENCE):
        return url
    statement(server, f"create database {REFERENCE}")
    migrate()
    with owner_session(url) as session:
        reference_data.load(session)
    with owner_session(url) as session:
        session.execute(sa.text("analyze"))
    return url


@pytest.fixture(scope="session")
def world_template(server: str, database_url: str, keys: Path) -> World:
    """The template that also holds the world's organisations and officers."""
    statement(server, f"create database {WORLD} template {REFERENCE}")
    url = address(server, WORLD)
    point_at(url, keys)
    with owner_session(url) as session:
        return build_world(session)


KEPT: dict[str, str] = {}
"""The clone of each template that the last test has left as it was."""
COMMITS: list[None] = []


@sa.event.listens_for(sa.Engine, "commit")
def note_commit(_: sa.Connection) -> None:
    """Remember that something was committed: the test's database can't be used again."""
    COMMITS.append(None)


@pytest.fixture(autouse=True)
def environment() -> Iterator[None]:
    """Give every test the same settings, whatever the one before it asked for."""
    kept = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(kept)
    settings.cache_clear()


@pytest.fixture
def database(request: pytest.FixtureRequest, server: str, keys: Path) -> Iterator[str]:
    """A database cloned from the template; the settings of this process name it. Yields the owner's address.

    A test that works in `session` alone leaves nothing behind: the next one of its kind gets the same clone, unless
    anything was committed. Making one costs more than most tests.
    """
    inhabited = "county" in request.fixturenames
    request.getfixturevalue("world_template" if inhabited else "database_url")
    template = WORLD if inhabited else REFERENCE
    reusable = "session" in request.fixturenames and "database" not in direct(request)
    name = KEPT.pop(template, "") if reusable else ""
    if not name:
        name = f"{NAME}_{next(NUMBERS)}"
        statement(server, f"create database {name} template {template}")
    url = address(server, name)
    point_at(url, keys)
    shutil.rmtree(settings().anchors, ignore_errors=True)  # of another test's database
    COMMITS.clear()
    yield url
    forget_engines()
    if reusable and not COMMITS:
        KEPT[template] = name
    else:
        statement(server, f"drop database {name} with (force)")


def direct(request: pytest.FixtureRequest) -> list[str]:
    """Return the fixtures that the test itself asks for."""
    return list(inspect.signature(request.function).parameters)


@pytest.fixture
def county(database: str, world_template: World) -> World:
    """The world of the fresh database: a county with two townships, and another county in another league."""
    return world_template


@pytest.fixture
def owner(database: str) -> Owner:
    """Transactions of the owner, past every row policy."""
    return lambda: owner_session(database)


@pytest.fixture
def as_(database: str) -> As:
    """Transactions of the application's role, as an officer (None: nobody)."""
    return transaction


@pytest.fixture
def session(database: str) -> Iterator[Session]:
    """An open owner's session for the length of one test."""
    engine = sa.create_engine(database, poolclass=sa.NullPool, hide_parameters=True)
    with Session(engine, expire_on_commit=False) as session:
        yield session


@pytest.fixture
def console(county: World, database: str) -> Iterator["ConsoleServer"]:
    """The console on a free port, on the test's own database."""
    from tests.console import running

    with running() as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """Chromium for one file: for longer it would keep an event loop running under other tests."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield launched
        launched.close()
