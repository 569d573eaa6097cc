"""Starting sandboxes: one in this process (the command line), or all three as processes (tests, story, demo)."""

import argparse
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import Self

import httpx
import uvicorn
from starlette.types import ASGIApp

from integrations.sandbox import bank, bank_book, budget, police
from integrations.sandbox.control import SandboxControl
from integrations.sandbox.ledger import Ledger
from integrations.sandbox.world import lines_of
from integrations.transport import Partner
from models.settings import settings

KINDS = ("police", "bank", "budget")
KEY_VARIABLE = "YIKATONG_PARTNER_KEY"
ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 30.0
STOP_SECONDS = 5.0
TICK_SECONDS = 0.5


class SandboxFailed(Exception):
    """A sandbox did not start; the message tells which and the end of its log."""


@dataclass(frozen=True)
class Options:
    """How a sandbox behaves beyond its address."""

    bank_url: str = ""
    delay_seconds: float = 0
    fund_on_inquiry: bool = True
    page_size: int = 50
    parent: int = 0


def partner_key(folder: Path) -> str:
    """Return the shared secret: the environment's, else the folder's own, made at the first start (mode 0600)."""
    named = os.environ.get(KEY_VARIABLE, "")
    if named:
        return named
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = folder / "partner.key"
    if not file.exists():
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as target:
            target.write(secrets.token_hex(32))
    return file.read_text().strip()


def main(kind: str, host: str, port: int, folder: Path, world: Path | None, options: Options | None = None) -> None:
    """Run one sandbox until it is told to end; its ledger is `folder`/KIND.sqlite3.

    world: the world file, read at every start; what the ledger already knows stays as it is.
    """
    options = options or Options()
    app, ledger, tick = _make(kind, folder, world, options)
    ended = threading.Event()
    watch = threading.Thread(target=_watch, args=(ended, tick, options.parent), daemon=True)
    watch.start()
    try:
        uvicorn.run(app, host=host, port=port, access_log=False, log_level="warning", timeout_graceful_shutdown=1)
    finally:
        ended.set()
        watch.join(STOP_SECONDS)
        ledger.close()


def _make(kind: str, folder: Path, world: Path | None, options: Options) -> tuple[ASGIApp, Ledger, Callable[[], None]]:
    """Return the app of one kind, its ledger and what it does by itself every moment."""
    key = partner_key(folder)
    tables = {"police": police.TABLES, "budget": budget.TABLES, "bank": bank_book.TABLES}[kind]
    load = {"police": police.load, "budget": budget.load, "bank": bank.load}[kind]
    ledger = Ledger(folder / f"{kind}.sqlite3", tables)
    if world is not None:
        with ledger.turn() as db:
            load(db, list(lines_of(world)))
    if kind == "police":
        return police.make_app(ledger, key), ledger, lambda: None
    if kind == "bank":
        return bank.make_app(ledger, key, options.delay_seconds), ledger, lambda: None
    partner = Partner("代理银行（沙箱）", options.bank_url, key, 10) if options.bank_url else None
    office = budget.BudgetOffice(ledger, partner, options.fund_on_inquiry)
    return budget.make_app(ledger, key, office, options.page_size), ledger, office.tick


def _watch(ended: threading.Event, tick: Callable[[], None], parent: int) -> None:
    """Do what is due every moment, and end this process when the one that started it is gone."""
    while not ended.wait(TICK_SECONDS):
        if parent and os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)
            return
        tick()


def free_port() -> int:
    """Return a port that is free on the loopback now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Sandboxes:
    """The three sandboxes as processes of their own on the loopback.

    with Sandboxes(world, folder) as sandboxes:
        sandboxes.use()                    # this process's settings now name them
        sandboxes.bank.set_account(...)    # SandboxControl: police, bank, budget
        sandboxes.stop("bank")             # … and start("bank") again on the same ledger
    """

    def __init__(
        self,
        world: Path,
        folder: Path,
        *,
        ports: dict[str, int] | None = None,
        delay_seconds: float = 0,
        fund_on_inquiry: bool = True,
        page_size: int = 50,
    ) -> None:
        """Prepare them. ports: by kind; what is missing gets a free one. The other options are those of Options."""
        self.world, self.folder = world.resolve(), folder.resolve()
        self.ports = {kind: (ports or {}).get(kind) or free_port() for kind in KINDS}
        self._arguments = ["--delay-seconds", str(delay_seconds), "--page-size", str(page_size)]
        if not fund_on_inquiry:
            self._arguments.append("--fund-by-itself")
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.key = partner_key(self.folder)
        self.police, self.bank, self.budget = (
            SandboxControl(self.url(kind), self.key) for kind in ("police", "bank", "budget")
        )

    def url(self, kind: str) -> str:
        """Return the address of one sandbox."""
        return f"http://127.0.0.1:{self.ports[kind]}"

    def environment(self) -> dict[str, str]:
        """Return the environment that points a process of ours at them."""
        return {
            "YIKATONG_POLICE_URL": self.url("police"),
            "YIKATONG_BUDGET_URL": self.url("budget"),
            "YIKATONG_BANK_URL": self.url("bank"),
            KEY_VARIABLE: self.key,
        }

    def use(self) -> None:
        """Point this process's settings at them."""
        os.environ.update(self.environment())
        settings.cache_clear()

    def start(self, *kinds: str) -> None:
        """Start sandboxes and wait until they answer. Raises SandboxFailed."""
        for kind in kinds:
            self._processes[kind] = self._spawn(kind)
        for kind in kinds:
            self._await(kind, self._processes[kind])

    def _spawn(self, kind: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "integrations.sandbox.launch", kind]
        command += ["--port", str(self.ports[kind]), "--folder", str(self.folder), "--world", str(self.world)]
        command += ["--bank-url", self.url("bank"), "--parent", str(os.getpid()), *self._arguments]
        with self._log(kind).open("ab") as output:
            # A session of its own: Ctrl-C reaches us, and we end it in order.
            return subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, KEY_VARIABLE: self.key},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _log(self, kind: str) -> Path:
        return self.folder / f"{kind}.log"

    def _await(self, kind: str, process: subprocess.Popen[bytes]) -> None:
        ends = monotonic() + START_SECONDS
        while monotonic() < ends and process.poll() is None:
            try:
                httpx.get(self.url(kind) + "/health", trust_env=False, timeout=2).raise_for_status()
                return
            except httpx.HTTPError:
                sleep(0.1)
        self.stop(kind)
        tail = self._log(kind).read_text(errors="replace")[-600:]
        raise SandboxFailed(f"沙箱 {kind} 没有启动（端口 {self.ports[kind]}），日志 {self._log(kind)} 末尾：\n{tail}")

    def stop(self, kind: str) -> None:
        """End one sandbox; its ledger stays."""
        process = self._processes.pop(kind, None)
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def set_clock(self, moment: datetime) -> None:
        """Make it that moment in all three."""
        for control in (self.police, self.bank, self.budget):
            control.set_clock(moment)

    def __enter__(self) -> Self:
        """Start all three. Raises SandboxFailed."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            self.start(*KINDS)
        except BaseException:
            self._stop_all()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End all three."""
        self._stop_all()

    def _stop_all(self) -> None:
        for kind in KINDS:
            self.stop(kind)


def _run() -> None:
    parser = argparse.ArgumentParser(prog="python -m integrations.sandbox.launch")
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--world", type=Path)
    parser.add_argument("--bank-url", default="")
    parser.add_argument("--delay-seconds", type=float, default=0)
    parser.add_argument("--fund-by-itself", action="store_true")
    parser.add_argument("--page-size", type=int, default=50)
    parser.add_argument("--parent", type=int, default=0)
    asked = parser.parse_args()
    options = Options(asked.bank_url, asked.delay_seconds, not asked.fund_by_itself, asked.page_size, asked.parent)
    main(asked.kind, asked.host, asked.port, asked.folder, asked.world, options)


if __name__ == "__main__":
    _run()
