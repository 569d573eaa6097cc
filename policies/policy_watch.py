"""Every process loads a new policy when PostgreSQL says there is one, before the next question (DESIGN D3).

A thread of its own with a connection of its own listens on channel `policy`. It only saves the next question the
loading: `allow` compares the version in its own transaction all the same (decision 0003), so a listener that has lost
its connection costs time, never a wrong answer.
"""

import select
import socket
import threading
from types import TracebackType
from typing import Self

import psycopg.conninfo
import structlog
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from models.database import transaction
from models.settings import settings
from policies.enforcement import held_version, policy
from policies.policy_lines import PolicyInvalid

LISTEN = "listen policy"
RETRY_S = 1.0
KEEPALIVES: dict[str, str | int] = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3,
              "application_name": "yikatong-policy"}  # fmt: skip

log = structlog.get_logger()


class PolicyWatch:
    """The listener of one process: a context manager that ends its thread cleanly."""

    def __init__(self) -> None:
        self._url = settings().app_database_url
        self._stopping = threading.Event()
        self._bell: socket.socket
        self._ringer: socket.socket
        self._thread = threading.Thread(target=self._run, name="policy-watch", daemon=True)

    def __enter__(self) -> Self:
        """Load the policy once and begin to listen. Raises PolicyInvalid: nobody serves with a policy it can't read."""
        try:
            self._load()
        except DBAPIError as away:  # a process may start before its database: the thread goes on trying
            log.warning("policy not loaded yet", problem=type(away).__name__)
        self._bell, self._ringer = socket.socketpair()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the thread and its connection."""
        self._stopping.set()
        self._ringer.send(b"!")
        self._thread.join()
        self._bell.close()
        self._ringer.close()

    @property
    def version(self) -> int | None:
        """Return the version that this process holds compiled, without asking the database."""
        return held_version(str(make_url(self._url)))

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._listen()
            except (psycopg.Error, DBAPIError) as lost:
                log.warning("policy listener lost its connection", problem=type(lost).__name__)
                self._stopping.wait(RETRY_S)

    def _listen(self) -> None:
        url = make_url(self._url).set(drivername="postgresql")
        address = psycopg.conninfo.make_conninfo(url.render_as_string(hide_password=False), **KEEPALIVES)
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(LISTEN)
            self._reload()  # what changed while nobody listened
            while not self._stopping.is_set():
                select.select([connection.fileno(), self._bell.fileno()], [], [])
                if list(connection.notifies(timeout=0)):
                    self._reload()

    def _reload(self) -> None:
        """Load a new version; one that can't be read is reported, and every verb refuses until it is mended."""
        try:
            self._load()
        except PolicyInvalid as invalid:
            log.error("policy invalid", problem=str(invalid))

    def _load(self) -> None:
        with transaction(None) as session:
            found = policy(session)
        log.info("policy loaded", version=found.version, lines=len(found.lines))
