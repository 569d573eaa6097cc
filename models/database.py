"""Engines and sessions. One `begin` hook writes the acting officer's ticket into every transaction (DESIGN D2)."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine
from sqlalchemy.ext.asyncio import AsyncSession as AsyncSession
from sqlmodel import Session

from models.officers import ACTING, ActingOfficer, acting
from models.settings import settings
from models.tickets import ticket_of

TICKET_SQL = "select set_config('app.ticket', %s, true), version, stamp from policy_version"
POLICY = "policy in force"
"""Where a connection keeps the number and stamp of the policy as its transaction began: one question instead of two."""


def _write_ticket(connection: sa.Connection) -> None:
    by = ACTING.get()
    if by is None:  # the setting ends with its transaction: a fresh one has none, and nobody sees no row
        connection.info.pop(POLICY, None)
        return
    _, version, stamp = connection.exec_driver_sql(TICKET_SQL, (ticket_of(by),)).one()
    connection.info[POLICY] = (version, stamp)


_MADE: list[sa.Engine | AsyncEngine] = []


def _hooked(engine: sa.Engine) -> sa.Engine:
    sa.event.listen(engine, "begin", _write_ticket)
    return engine


@lru_cache(maxsize=8)
def engine(url: str | None = None) -> sa.Engine:
    """Return the sync engine of the application's role, used by verbs, jobs and the command line."""
    made = _hooked(sa.create_engine(url or settings().app_database_url, hide_parameters=True, pool_pre_ping=True))
    _MADE.append(made)
    return made


@lru_cache(maxsize=8)
def async_engine(url: str | None = None) -> AsyncEngine:
    """Return the async engine of the application's role, used by the console's pages."""
    made = create_async_engine(url or settings().app_database_url, hide_parameters=True, pool_pre_ping=True)
    _hooked(made.sync_engine)
    _MADE.append(made)
    return made


@contextmanager
def transaction(by: ActingOfficer | None, url: str | None = None) -> Iterator[Session]:
    """Open one transaction as `by`: commit at the end, roll back on any exception.

    Only the edges (console action, job, command line) call this; verbs never commit.
    """
    with acting(by), Session(engine(url), expire_on_commit=False) as session, session.begin():
        yield session


def async_sessions(url: str | None = None) -> "async_sessionmaker[AsyncSession]":
    """Return the maker of async sessions for SQLAdmin."""
    return async_sessionmaker(async_engine(url), expire_on_commit=False)


def forget_engines() -> None:
    """Close pools and forget cached engines (tests switch databases)."""
    engine.cache_clear()
    async_engine.cache_clear()
    while _MADE:
        made = _MADE.pop()
        if isinstance(made, AsyncEngine):
            # A loop of its own in a thread of its own: the caller may stand in a running loop.
            with ThreadPoolExecutor(max_workers=1) as thread:
                thread.submit(asyncio.run, made.dispose()).result()
        else:
            made.dispose()
