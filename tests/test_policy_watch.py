"""Every process loads a new policy when it is enabled, without being asked anything. (DESIGN D3)"""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from models.settings import settings
from policies.enforcement import PolicyInvalid, policy
from policies.policy_watch import PolicyWatch
from tests.conftest import ROOT, As, Owner
from tests.factories import World

PATIENCE_S = 60.0

BREAK = sa.text(
    "update policy_rules set role = 'clark' where id = (select min(id) from policy_rules where object = 'journal')"
)


def until(holds: Callable[[], bool]) -> bool:
    """Wait until something holds, or for a minute."""
    ends = time.monotonic() + PATIENCE_S
    while not holds() and time.monotonic() < ends:
        time.sleep(0.05)
    return holds()


def change_something(owner: Owner, noun: str = "journal") -> int:
    with owner() as session:
        session.execute(sa.text("delete from policy_rules where object = :noun"), {"noun": noun})
    with owner() as session:
        return int(session.execute(sa.text("select version from policy_version")).scalar_one())


@pytest.fixture
def processes(database: str, tmp_path: Path) -> Iterator[dict[str, Path]]:
    """A web server and a worker, each a process of its own; their logs."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    running, logs = [], {}
    for name, command in (("serve", ("serve", "--port", port)), ("worker", ("worker", "--concurrency", "1"))):
        logs[name] = tmp_path / f"{name}.log"
        with logs[name].open("w") as log:
            running.append(
                subprocess.Popen(
                    [sys.executable, "-m", "cli", *command], cwd=ROOT, env=os.environ, stdout=log, stderr=log
                )
            )
    yield logs
    for process in running:
        process.send_signal(signal.SIGINT)
    for process in running:
        process.wait(30)


class TestTwoProcesses:
    def test_both_load_a_new_version_without_a_request(self, owner: Owner, processes: dict[str, Path]):
        def said(version: int) -> bool:
            return all(f"version={version}" in plain(log) for log in processes.values())

        assert until(lambda: said(1)), {name: log.read_text()[-500:] for name, log in processes.items()}
        version = change_something(owner)
        assert version == 2
        assert until(lambda: said(version)), {name: log.read_text()[-500:] for name, log in processes.items()}


def plain(log: Path) -> str:
    """The log without colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", log.read_text())


class TestWatch:
    def test_the_next_question_finds_the_version_compiled(self, county: World, owner: Owner, as_: As):
        with PolicyWatch() as watch:
            assert watch.version == 1
            version = change_something(owner)
            assert until(lambda: watch.version == version)
            with as_(county.security_admin) as session:
                assert policy(session).version == version

    def test_a_cut_connection_is_made_again_and_nothing_is_missed(self, database: str, owner: Owner):
        with PolicyWatch() as watch:
            assert until(lambda: listeners(owner) == 1)
            with owner() as session:
                session.execute(
                    sa.text(
                        "select pg_terminate_backend(pid) from pg_stat_activity"
                        " where application_name = 'yikatong-policy' and datname = current_database()"
                    )
                )
            version = change_something(owner)
            assert until(lambda: watch.version == version)
            assert until(lambda: listeners(owner) == 1)

    def test_it_ends_cleanly(self, database: str, owner: Owner):
        with PolicyWatch():
            assert until(lambda: listeners(owner) == 1)
        assert [thread.name for thread in threading.enumerate() if thread.name == "policy-watch"] == []
        assert until(lambda: listeners(owner) == 0)

    def test_nobody_starts_with_a_policy_that_cannot_be_read(self, database: str, owner: Owner):
        with owner() as session:
            session.execute(BREAK)
        with pytest.raises(PolicyInvalid, match="clark"), PolicyWatch():
            pass

    def test_one_that_breaks_later_is_reported_and_mended_by_the_next(self, database: str, owner: Owner):
        with PolicyWatch() as watch:
            with owner() as session:
                session.execute(BREAK)
            time.sleep(0.2)
            assert watch.version == 1
            version = change_something(owner)
            assert until(lambda: watch.version == version)

    def test_a_process_may_start_before_its_database(self, database: str, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("YIKATONG_APP_DATABASE_URL", "postgresql+psycopg://nobody@127.0.0.1:1/none")
        settings.cache_clear()
        with PolicyWatch() as watch:
            assert watch.version is None


def listeners(owner: Owner) -> int:
    with owner() as session:
        asked = "select count(*) from pg_stat_activity where application_name = 'yikatong-policy'"
        return int(session.execute(sa.text(f"{asked} and datname = current_database()")).scalar_one())
