"""The scene of the story: a throw-away database, three sandboxes, a worker; officers who act; a clock that moves on."""

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import Any, Self, TypeVar

import sqlalchemy as sa
import structlog
from alembic import command
from alembic.config import Config
from rich.console import Console
from sqlalchemy.engine import make_url
from sqlmodel import Session, select

from demo.officers import read_accounts
from demo.people import Population
from demo.population import population
from demo.seed import seed
from integrations.sandbox.launch import ROOT, Sandboxes
from models.base import REGION_CODE, Table
from models.crypto import make_key_file
from models.database import forget_engines, transaction
from models.divisions import Level
from models.officers import ActingOfficer, system_principal
from models.rosters import Roster
from models.settings import settings
from policies.clock import ZONE, advance, now, today
from policies.refusals import Refused
from policies.working_days import next_working_day
from workflows import reference_data
from workflows.edges import edge
from workflows.queue import officer_from

Row = TypeVar("Row", bound=Table)
Answer = TypeVar("Answer")

EXAMPLES = ROOT / "examples"
PATIENCE_S = 120.0
WATCHER = system_principal(REGION_CODE, Level.REGION, "全程核对")


class StoryBroken(Exception):
    """Something the story relies on did not happen: the message says what."""


@dataclass(frozen=True)
class Part:
    """One township's roster: its workbook, who prepares it, and the county offices that review it (login prefixes)."""

    file: str
    project: str
    township: str
    department: str
    finance: str

    @property
    def path(self) -> Path:
        """Return the workbook."""
        return EXAMPLES / self.file


class Scene:
    """Everything that must stand before the first chapter, and the hands of the narrator."""

    def __init__(self, database_url: str, home: Path, *, quiet: bool = False) -> None:
        """Keep an empty database of the owner and a folder of its own."""
        self.database_url, self.home = database_url, home
        self.console = Console(quiet=quiet, highlight=False)
        self.people: Population = population()
        self.officers: dict[str, ActingOfficer] = {}
        self.worker: subprocess.Popen[bytes] | None = None
        self.chapter = 0
        self.parts: dict[str, Part] = {}
        """Which part each roster number is."""

    def __enter__(self) -> Self:
        """Migrate, load, start the outside and a worker."""
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
        self.home.mkdir(parents=True, exist_ok=True)
        keys = self.home / "keys.json"
        if not keys.exists():
            make_key_file(keys)
        self._point(keys)
        command.upgrade(Config(toml_file=str(ROOT / "pyproject.toml")), "head")
        owner = sa.create_engine(self.database_url, poolclass=sa.NullPool, hide_parameters=True)
        with Session(owner) as session, session.begin():
            reference_data.load(session)
        seeded = seed(self.database_url, self.home)
        self.sandboxes = Sandboxes(seeded.world_file, self.home / "sandboxes")
        self.sandboxes.__enter__()
        self.sandboxes.use()
        self._point(keys)
        self._seat(read_accounts(seeded.officers_file))
        with transaction(WATCHER) as session:
            self.sandboxes.set_clock(now(session))
        self.start_worker()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the worker and the outside."""
        self.stop_worker()
        self.sandboxes.__exit__(kind, error, trace)
        forget_engines()

    def _point(self, keys: Path) -> None:
        os.environ |= {
            "YIKATONG_MODE": "test",
            "YIKATONG_DATABASE_URL": self.database_url,
            "YIKATONG_DATA": str(self.home),
            "YIKATONG_KEYS": str(keys),
            "YIKATONG_INDICATOR_HOURS": "0",  # the story downloads when it tells of it, not when the clock says so
        }
        settings.cache_clear()
        forget_engines()

    def _seat(self, accounts: Sequence[Any]) -> None:
        owner = sa.create_engine(self.database_url, poolclass=sa.NullPool, hide_parameters=True)
        with Session(owner) as session:
            posts = sa.text("select p.id from posts p join officers o on o.id = p.officer_id where o.login = :login")
            for account in accounts:
                post = session.execute(posts, {"login": account.login}).scalar_one()
                found = {"post": post, "day": today(session)}
                row = session.execute(sa.text("select * from officer_in_post(:post, :day)"), found).one()
                self.officers[account.login] = officer_from(session, row)

    def start_worker(self) -> None:
        """Start a worker process."""
        with (self.home / "worker.log").open("ab") as log:
            self.worker = subprocess.Popen(
                [sys.executable, "-m", "jobs"], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def stop_worker(self, *, kill: bool = False) -> None:
        """Stop the worker: kindly, or as a power cut would."""
        if self.worker is None:
            return
        (self.worker.kill if kill else self.worker.terminate)()
        self.worker.wait(30)
        self.worker = None

    def title(self, text: str) -> None:
        """Begin a chapter."""
        self.chapter += 1
        self.console.rule(f"[bold]第 {self.chapter} 章　{text}", align="left")

    def say(self, text: str) -> None:
        """Tell one step with its figures."""
        with transaction(WATCHER) as session:
            moment = now(session)
        self.console.print(f"[dim]{moment:%m-%d %H:%M}[/dim]　{text}")

    def by(self, login: str) -> ActingOfficer:
        """Return an officer of the demo."""
        return self.officers[login]

    def do(self, login: str, verb: Callable[..., Answer], *records: Table, **asked: Any) -> Answer:
        """Let an officer do one verb at the edge, on records re-read in its own transaction."""
        by = self.by(login)
        with edge(by, verb.__name__, "、".join(str(getattr(record, "number", "")) for record in records)) as session:
            return verb(session, *(self.reread(session, record) for record in records), by=by, **asked)

    def refused(self, kind: type[Refused], login: str, verb: Callable[..., Any], *records: Table, **asked: Any) -> str:
        """Let an officer try what must be refused, and tell the refusal. Raises StoryBroken when it passes."""
        try:
            self.do(login, verb, *records, **asked)
        except kind as refusal:
            self.say(f"[yellow]拒绝[/yellow]（{self.by(login).post}）：{refusal}")
            return str(refusal)
        raise StoryBroken(f"{verb.__name__} 应以 {kind.__name__} 拒绝，却通过了")

    @staticmethod
    def reread(session: Session, record: Row) -> Row:
        """Return the record as it now stands, in this transaction; what is only passed on stays."""
        keys = sa.inspect(record, raiseerr=True).identity
        found = session.get(type(record), keys, populate_existing=True) if keys else None
        if found is None:
            raise StoryBroken(f"{type(record).__name__} {keys} 不在办理人的范围内")
        return found

    @contextmanager
    def look(self) -> Iterator[Session]:
        """Look at everything, as the narrator."""
        with transaction(WATCHER) as session:
            yield session

    def wait(self, what: str, done: Callable[[Session], Any], seconds: float = PATIENCE_S) -> Any:
        """Wait until the worker has brought something about. Raises StoryBroken after the patience."""
        until = monotonic() + seconds
        while monotonic() < until:
            with self.look() as session:
                answer = done(session)
            if answer:
                return answer
            if self.worker is not None and self.worker.poll() is not None:
                raise StoryBroken(f"后台进程已退出（{self.worker.returncode}），见 {self.home / 'worker.log'}")
            sleep(0.2)
        raise StoryBroken(f"等待{what}超过 {seconds:.0f} 秒")

    def holds(self, what: str, done: Callable[[Session], Any], seconds: float = 4.0) -> None:
        """See that something does not happen while the outside is shut. Raises StoryBroken when it does."""
        until = monotonic() + seconds
        while monotonic() < until:
            with self.look() as session:
                if done(session):
                    raise StoryBroken(f"{what}：不应发生，却发生了")
            sleep(0.2)

    def pass_time(self, until: datetime) -> None:
        """Move the business clock forward, and the outside's with it."""
        with self.look() as session:
            moment = advance(session, until)
        self.sandboxes.set_clock(moment)

    def next_working_day(self) -> None:
        """Go on to the opening hour of the next working day."""
        with self.look() as session:
            opening = next_working_day(session, today(session))
        self.pass_time(opening)

    def rosters(self) -> list[Roster]:
        """Return all rosters by number."""
        with self.look() as session:
            return list(session.exec(select(Roster).order_by(sa.text("number"))))


def yuan(amount_fen: int) -> str:
    """Return an amount as the story prints it."""
    return f"{amount_fen / 100:,.2f} 元"


def after(moment: datetime) -> datetime:
    """Return nine o'clock of the day after a moment: a notice that ends at midnight is over then."""
    return datetime.combine(moment.astimezone(ZONE).date() + timedelta(days=1), time(9), ZONE)


def database_of(server: str, name: str) -> str:
    """Create a database on a server and return its address."""
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql(f'drop database if exists "{name}" with (force)')
        connection.exec_driver_sql(f'create database "{name}"')
    return make_url(server).set(database=name).render_as_string(hide_password=False)
