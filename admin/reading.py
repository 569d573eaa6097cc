"""How the console reaches the database: questions read only on the async engine, verbs in a worker thread."""

from collections.abc import Callable
from typing import Any, TypeVar

import anyio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Session
from starlette.requests import Request

from models.database import async_engine, transaction
from models.officers import ActingOfficer
from workflows.edges import edge
from workflows.sessions import LiveSession

Answer = TypeVar("Answer")


async def reading(question: Callable[[Session], Answer]) -> Answer:
    """Answer a question in one read-only transaction of whoever acts: a GET can't change anything."""
    opened = AsyncSession(async_engine(), sync_session_class=Session, expire_on_commit=False)
    async with opened as session, session.begin():
        await session.execute(text("set transaction read only"))
        return await session.run_sync(question)  # type: ignore[arg-type]


async def reading_aside(by: ActingOfficer, question: Callable[[Session], Answer]) -> Answer:
    """Answer a long question (an export) read only in a worker thread, so that no page waits for it."""

    def run() -> Answer:
        with transaction(by) as session:
            session.execute(text("set transaction read only"))
            return question(session)

    return await anyio.to_thread.run_sync(run)


async def doing(by: ActingOfficer, verb: str, record: str, work: Callable[[Session], Answer]) -> Answer:
    """Run one verb in its own transaction, off the event loop; a refusal is recorded by the edge and raised on."""

    def run() -> Answer:
        with edge(by, verb, record) as session:
            return work(session)

    return await anyio.to_thread.run_sync(run)


async def as_nobody(work: Callable[[Session], Answer]) -> Answer:
    """Run what belongs to no officer yet (login), off the event loop."""

    def run() -> Answer:
        with transaction(None) as session:
            return work(session)

    return await anyio.to_thread.run_sync(run)


def live(request: Request) -> LiveSession:
    """Return the session of a request that the middleware let through."""
    found: LiveSession = request.scope["live"]
    return found


def coming(request: Request) -> LiveSession:
    """Return the session of a request, whether its login is complete or still at a first step."""
    found: LiveSession = request.scope["live"] if "live" in request.scope else request.scope["coming"]
    return found


def who(request: Request) -> ActingOfficer:
    """Return who acts."""
    return live(request).officer


def form_of(request: Request) -> Any:
    """Return the form that the middleware has already read (and whose token it has checked)."""
    return request.scope["form"]
