"""What the three sandboxes share: signatures, ordered faults, and the control endpoints."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import AwareDatetime, BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from integrations.sandbox.ledger import Ledger, now, set_clock, take_fault
from integrations.signature import HEADER, genuine

Load = Callable[[sqlite3.Connection, Iterable[Mapping[str, Any]]], None]
Figures = Callable[[sqlite3.Connection], dict[str, Any]]

TRANSPORT_FAULTS = ("error", "timeout", "lost_answer")


class Refusal(Exception):
    """The sandbox's final no: a code and a text for the caller."""

    def __init__(self, code: str, text: str, status: int = 422) -> None:
        """Keep the code, the text and the HTTP status."""
        super().__init__(text)
        self.code, self.text, self.status = code, text, status


class Clock(BaseModel):
    """What time it shall be."""

    now: AwareDatetime


class Fault(BaseModel):
    """Something to go wrong: which kind, how often, on which requests (path prefix and method, "" for any)."""

    kind: str
    times: int = 1
    path: str = ""
    method: str = ""
    seconds: float = 20


class World(BaseModel):
    """More lines of the world file, as objects."""

    lines: list[dict[str, Any]]


def make_service(title: str, ledger: Ledger, load: Load, figures: Figures, fault_kinds: tuple[str, ...]) -> FastAPI:
    """Return the app with health and control endpoints; the sandbox adds its own."""
    app = FastAPI(title=title, docs_url=None, redoc_url=None, openapi_url=None)
    known_faults = TRANSPORT_FAULTS + fault_kinds

    @app.exception_handler(Refusal)
    def refuse(_: Request, refusal: Refusal) -> JSONResponse:
        return JSONResponse({"code": refusal.code, "text": refusal.text}, refusal.status)

    @app.exception_handler(RequestValidationError)
    def explain(_: Request, wrong: RequestValidationError) -> JSONResponse:
        fields = "、".join(sorted({".".join(str(part) for part in error["loc"][1:]) for error in wrong.errors()}))
        return JSONResponse({"code": "FIELD_WRONG", "text": f"字段缺失或格式有误：{fields}"}, 422)

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.post("/control/clock")
    def clock(asked: Clock) -> dict[str, datetime]:
        with ledger.turn() as db:
            set_clock(db, asked.now)
            return {"now": now(db)}

    @app.post("/control/faults")
    def faults(asked: Fault) -> dict[str, str]:
        if asked.kind not in known_faults:
            raise Refusal("FAULT_UNKNOWN", f"故障类别只能是 {'、'.join(known_faults)}")
        with ledger.turn() as db:
            db.execute(
                "insert into faults (kind, path, method, times, seconds) values (?, ?, ?, ?, ?)",
                (asked.kind, asked.path, asked.method, asked.times, asked.seconds),
            )
        return {"status": "ok"}

    @app.post("/control/world")
    def world(asked: World) -> dict[str, str]:
        with ledger.turn() as db:
            load(db, asked.lines)
        return {"status": "ok"}

    @app.get("/control/ledger")
    def totals() -> dict[str, Any]:
        with ledger.turn() as db:
            return figures(db)

    return app


class Gate:
    """The door of a sandbox: only signed requests come in, and ordered faults happen here."""

    def __init__(self, app: ASGIApp, ledger: Ledger, key: str) -> None:
        """Stand before `app`."""
        self.app, self.ledger, self.key = app, ledger, key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request through, or not."""
        if scope["type"] != "http" or scope["path"] == "/health":
            await self.app(scope, receive, send)
            return
        body = await _whole(receive)
        if not self._signed(scope, body):
            answer = JSONResponse({"code": "SIGNATURE", "text": "签名无效"}, 401)
            await answer(scope, receive, send)
            return
        fault = None
        if not scope["path"].startswith("/control/"):
            fault = await run_in_threadpool(self._fault, scope["method"], scope["path"])
        if fault is None:
            await self.app(scope, _replay(body), send)
        else:
            await self._fail(fault, scope, body, send)

    def _signed(self, scope: Scope, body: bytes) -> bool:
        path = scope["raw_path"].decode()
        if scope["query_string"]:
            path += "?" + scope["query_string"].decode()
        signature = dict(scope["headers"]).get(HEADER.lower().encode(), b"").decode("latin-1")
        return genuine(self.key, scope["method"], path, body, signature)

    def _fault(self, method: str, path: str) -> sqlite3.Row | None:
        with self.ledger.turn() as db:
            return take_fault(db, TRANSPORT_FAULTS, method, path)

    async def _fail(self, fault: sqlite3.Row, scope: Scope, body: bytes, send: Send) -> None:
        """Fail before acting (error), or act and then answer too late (timeout) or not to the end (lost_answer)."""
        if fault["kind"] == "error":
            await JSONResponse({"code": "ERROR", "text": "内部错误"}, 500)(scope, _replay(body), send)
            return
        kept: list[Message] = []

        async def keep(message: Message) -> None:
            kept.append(message)

        await self.app(scope, _replay(body), keep)
        if fault["kind"] == "timeout":
            await asyncio.sleep(fault["seconds"])
            for message in kept:
                await send(message)
        else:
            headers = [(b"content-length", b"1000000")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b"{", "more_body": True})


async def _whole(receive: Receive) -> bytes:
    parts: list[bytes] = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _replay(body: bytes) -> Receive:
    """Return a `receive` that gives the body once and then waits as an open connection does."""
    given = False

    async def receive() -> Message:
        nonlocal given
        if given:
            await asyncio.Event().wait()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
