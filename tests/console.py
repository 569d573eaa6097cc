"""The console as a browser meets it: a real server on a free loopback port, one client per officer."""

import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import uvicorn

from admin.app import create_app
from models.database import transaction
from models.officers import ActingOfficer
from models.sessions import Factor, LoginWay
from workflows import sessions

COOKIE = "yikatong_session"
START_TRIES = 200


@dataclass
class ConsoleServer:
    """A running console."""

    url: str
    app: object

    def client(self, officer: ActingOfficer | None = None) -> httpx.Client:
        """Return a browser of the officer, logged in (or of nobody)."""
        cookies = httpx.Cookies()
        if officer:
            cookies.set(COOKIE, open_session(officer), domain="127.0.0.1", path="/console")
        # A browser says where a form comes from.
        return httpx.Client(base_url=self.url, cookies=cookies, headers={"Origin": self.url}, timeout=30)


def open_session(officer: ActingOfficer) -> str:
    """Log an officer in past the form and return the session's token."""
    with transaction(None) as session:
        return sessions.open_session(
            session, officer.officer_id, LoginWay.PASSWORD, Factor.CODE, post_id=officer.post_id
        )


def token_of(page: str) -> str:
    """Return the form token of a page."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found, "the page has no form token"
    return found.group(1)


@contextmanager
def running() -> Iterator[ConsoleServer]:
    """Run the console on a free port until the end of the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    app = create_app()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="critical", proxy_headers=False))
    thread = threading.Thread(target=server.run)
    thread.start()
    for _ in range(START_TRIES):
        if server.started:
            break
        time.sleep(0.05)
    try:
        yield ConsoleServer(f"http://127.0.0.1:{port}", app)
    finally:
        server.should_exit = True
        thread.join(timeout=20)
