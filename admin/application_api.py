"""The interface of departments' own systems: applications in, decisions and payments out. （第十四条第二项）

The same signed requests as the exchange of data (`admin/exchange_api.py`): admitted before anything is read, answers
name rows and fields, never values.
"""

from typing import Any

import anyio
from sqlmodel import Session
from starlette.requests import Request
from starlette.routing import Route

from admin.exchange_api import NUMBER, admitted, answered, content_of, doing
from integrations.applications import APPLICATIONS, RESULTS
from policies.refusals import NotFound
from workflows import application_exchange, application_results
from workflows.exchange_rows import read_envelope


async def _push(request: Request) -> tuple[int, dict[str, Any]]:
    """Take a batch of applications and decisions, whole or not at all."""
    caller = await admitted(request)
    content = await content_of(request)
    envelope, rest = await anyio.to_thread.run_sync(read_envelope, content)

    def work(session: Session) -> tuple[int, dict[str, Any]]:
        batch, fresh = application_exchange.receive(session, caller, envelope, rest)
        return (201 if fresh else 200), application_exchange.receipt_of(batch)

    return await doing(work)  # type: ignore[no-any-return]


async def _batch(request: Request) -> tuple[int, dict[str, Any]]:
    """Tell what became of a batch."""
    caller = await admitted(request)
    number = request.path_params["number"]
    if not NUMBER.fullmatch(number):
        raise NotFound

    def work(session: Session) -> tuple[int, dict[str, Any]]:
        batch = application_exchange.find(session, caller, int(number))
        if batch is None:
            raise NotFound
        return 200, application_exchange.receipt_of(batch)

    return await doing(work)  # type: ignore[no-any-return]


async def _results(request: Request) -> tuple[int, dict[str, Any]]:
    """Tell the states and payments after a cursor."""
    caller = await admitted(request)
    cursor = request.path_params["cursor"]

    def gather(session: Session) -> int:
        application_exchange.agreement_of(session, caller)
        return application_results.harvest(session, caller, cursor)

    await doing(gather)  # in a transaction of its own: what it writes can then be read
    return 200, await doing(lambda session: application_results.page(session, caller, cursor))


APPLICATION_ROUTES = (
    Route(APPLICATIONS, answered(_push), methods=["POST"]),
    Route(f"{APPLICATIONS}/{{number}}", answered(_batch), methods=["GET"]),
    Route(f"{RESULTS}/{{cursor}}", answered(_results), methods=["GET"]),
)
