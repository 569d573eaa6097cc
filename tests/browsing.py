"""The running application asked in this process, without a socket between: thousands of requests in a minute."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import sqlalchemy as sa
from starlette.routing import BaseRoute, Mount, Route

from models.officers import ActingOfficer
from tests.conftest import Owner
from tests.console import COOKIE, open_session, token_of

HERE, HOME = "http://testserver", "/console/"
UNHASHED = ("login_sessions", "session_secrets", "refusals", "changes", "event_links", "event_heads")
"""What asking writes by itself: the session of whoever asks, that something was refused, and the trail of both."""


@asynccontextmanager
async def browser(app: Any, officer: ActingOfficer | None = None) -> AsyncIterator[httpx.AsyncClient]:
    """Open a browser of an officer, logged in (or of nobody)."""
    cookies = httpx.Cookies()
    if officer is not None:
        cookies.set(COOKIE, open_session(officer), domain="testserver.local", path="/console")
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url=HERE, cookies=cookies, headers={"Origin": HERE}, timeout=60
    ) as client:
        yield client


async def form_token(client: httpx.AsyncClient) -> str:
    """Return the form token of the browser's session."""
    return token_of((await client.get(HOME)).text)


def digest(owner: Owner) -> dict[str, str]:
    """Return what every table but `UNHASHED` holds: row versions, so that any write shows."""
    with owner() as session:
        tables = session.execute(
            sa.text(
                "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'"
                " and relname <> all (:left_out) order by relname"
            ),
            {"left_out": list(UNHASHED)},
        ).scalars()
        versions = "select count(*) || ':' || coalesce(max(xmin::text::bigint), 0) from "
        return {table: session.execute(sa.text(f'{versions} "{table}"')).scalar_one() for table in tables}


def changed(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Return the tables that hold something else now."""
    return sorted(table for table in after if before.get(table) != after[table])


def route_table(routes: list[BaseRoute], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Go through every route of the application: method and path as declared; folders of files are left out."""
    for route in routes:
        path = prefix + getattr(route, "path", "")
        if isinstance(route, Mount):
            yield from route_table(route.routes, path)
        elif isinstance(route, Route):
            yield from ((method, path) for method in sorted((route.methods or {"GET"}) - {"HEAD"}))
