"""The inbound interface of the exchange: other departments' signed requests, outside the console. （第二十九、三十条）

The signature is checked before the content is read. Answers name rows and fields, never values; nothing of a request
is logged but its outcome.
"""

import re
import time
from collections import deque
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Any

import anyio
import structlog
from sqlmodel import Session
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from admin.origins import origin_of
from integrations.exchange import BATCHES, BODY, DIGEST, NONCE, STATE, TIMESTAMP, Head
from integrations.signature import HEADER
from models.database import transaction
from policies.exchange import FAILURES_PER_MINUTE, MAX_BYTES
from policies.refusals import NotFound, Refused
from workflows import exchange
from workflows.exchange import Caller, SignatureWrong, TooOften
from workflows.exchange_rows import BatchWrong, read_envelope

log = structlog.get_logger()

TOKEN = re.compile(r"[A-Za-z0-9_-]{16,64}")
HEX = re.compile(r"[0-9a-f]{64}")
CODE = re.compile(r"[a-z]{2,20}")
SECONDS = re.compile(r"[0-9]{9,11}")
NUMBER = re.compile(r"[1-9][0-9]{0,15}")
MINUTE_S = 60.0
MOST_ADDRESSES = 10_000


class TooBig(Refused):
    """批次超过 8 MB，没有接收；请拆成多个批次发送。"""

    status_code = 413


class DigestWrong(Refused):
    """内容与签名的摘要不符，没有接收；内容可能在传输中改变，请重新发送。"""

    status_code = 400


class Failures:
    """Requests with a wrong signature by address, of the last minute; each process counts its own."""

    def __init__(self) -> None:
        self._seen: dict[str, deque[float]] = {}

    def require(self, address: str) -> None:
        """Let nobody guess on. Raises TooOften."""
        seen = self._seen.get(address)
        while seen and seen[0] < time.monotonic() - MINUTE_S:
            seen.popleft()
        if seen and len(seen) >= FAILURES_PER_MINUTE:
            raise TooOften

    def note(self, address: str) -> None:
        """Count one more."""
        if len(self._seen) >= MOST_ADDRESSES:
            self._seen.clear()
        self._seen.setdefault(address, deque(maxlen=FAILURES_PER_MINUTE)).append(time.monotonic())


FAILURES = Failures()


async def _batches(request: Request) -> tuple[int, dict[str, Any]]:
    """Receive a batch."""
    caller = await admitted(request)
    content = await content_of(request)
    envelope, rest = await anyio.to_thread.run_sync(read_envelope, content)

    def work(session: Session) -> tuple[int, dict[str, Any]]:
        batch, fresh = exchange.receive(session, caller, envelope, rest)
        return (202 if fresh else 200), exchange.receipt_of(batch, batch.missing)

    return await doing(work)


async def _batch(request: Request) -> tuple[int, dict[str, Any]]:
    """Tell what became of a batch."""
    caller = await admitted(request)
    number = request.path_params["number"]
    if not NUMBER.fullmatch(number):
        raise NotFound

    def work(session: Session) -> tuple[int, dict[str, Any]]:
        batch = exchange.find(session, caller, int(number))
        if batch is None:
            raise NotFound
        return 200, exchange.receipt_of(batch, exchange.missing(session, caller.id))

    return await doing(work)


async def _state(request: Request) -> tuple[int, dict[str, Any]]:
    """Tell the last number, what is missing before it, and what the body may tell."""
    caller = await admitted(request)

    def work(session: Session) -> tuple[int, dict[str, Any]]:
        gaps = exchange.missing(session, caller.id)
        told = {"body": caller.code, "last_number": caller.last_number, "missing": gaps, "kinds": sorted(caller.kinds)}
        return 200, told

    return await doing(work)


async def admitted(request: Request) -> Caller:
    """Return who asks, by the signed head. Raises SignatureWrong, InterfaceOff, TooOften."""
    address = origin_of(request).address
    FAILURES.require(address)
    names = {BODY: CODE, TIMESTAMP: SECONDS, NONCE: TOKEN, DIGEST: HEX, HEADER: HEX}
    values = {name: request.headers.get(name, "") for name in names}
    try:
        if not all(form.fullmatch(values[name]) for name, form in names.items()) or request.url.query:
            raise SignatureWrong
        head = Head(values[BODY], values[TIMESTAMP], values[NONCE], values[DIGEST])
        signed = (request.method, request.url.path, head, values[HEADER])
        return await doing(lambda session: exchange.admit(session, *signed))
    except SignatureWrong:
        FAILURES.note(address)
        raise


async def content_of(request: Request) -> bytes:
    """Return the bytes that the signature speaks of. Raises TooBig, DigestWrong."""
    length = request.headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit() and len(length) < 12) or int(length) > MAX_BYTES:
        raise TooBig
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > MAX_BYTES:
            raise TooBig
    found = bytes(content)
    if sha256(found).hexdigest() != request.headers.get(DIGEST, ""):
        raise DigestWrong
    return found


async def doing(work: Callable[[Session], Any]) -> Any:
    """Run what a request asks for in one transaction of the interface's principal, off the event loop."""

    def run() -> Any:
        with transaction(exchange.principal()) as session:
            return work(session)

    return await anyio.to_thread.run_sync(run)


def answered(handler: Callable[[Request], Awaitable[tuple[int, dict[str, Any]]]]) -> Callable[[Request], Any]:
    """Return the handler as a route: JSON whatever happens."""

    async def answer(request: Request) -> Response:
        try:
            status, told = await handler(request)
        except Refused as refusal:
            return _refused(refusal)
        except ClientDisconnect:
            return Response(status_code=400)
        return JSONResponse(told, status)

    return answer


def _refused(refusal: Refused) -> Response:
    told: dict[str, Any] = {"code": type(refusal).__name__, "text": str(refusal)}
    if isinstance(refusal, BatchWrong):
        told["problems"] = [{"row": one.row, "field": one.field, "problem": one.problem} for one in refusal.problems]
    log.info("exchange refused", refusal=type(refusal).__name__)
    headers = {"Retry-After": "60"} if refusal.status_code == TooOften.status_code else {}
    return JSONResponse(told, refusal.status_code, headers)


EXCHANGE_ROUTES = (
    Route(BATCHES, answered(_batches), methods=["POST"]),
    Route(f"{BATCHES}/{{number}}", answered(_batch), methods=["GET"]),
    Route(STATE, answered(_state), methods=["GET"]),
)
