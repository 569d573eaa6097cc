"""The worker process: Procrastinate on the same database, tasks from `jobs.tasks`."""

import asyncio

from procrastinate import PsycopgConnector
from sqlalchemy.engine import make_url

from jobs.tasks import HEARTBEAT_S, STALLED_AFTER_S
from models.settings import settings
from policies.policy_watch import PolicyWatch
from workflows.queue import queue
from workflows.row_scope import require_safe

POLL_S = 1.0


def connector() -> PsycopgConnector:
    """Return the worker's connector for the application's role."""
    url = make_url(settings().app_database_url).set(drivername="postgresql")
    return PsycopgConnector(conninfo=url.render_as_string(hide_password=False))


async def work(concurrency: int = 2, *, until_idle: bool = False) -> None:
    """Run tasks until stopped; until_idle: until the queue is empty (tests). Raises PolicyInvalid."""
    with PolicyWatch(), queue.replace_connector(connector()) as app:
        async with app.open_async():
            await app.run_worker_async(
                concurrency=concurrency,
                wait=not until_idle,
                fetch_job_polling_interval=POLL_S,
                update_heartbeat_interval=HEARTBEAT_S,
                stalled_worker_timeout=STALLED_AFTER_S,
            )


def main(concurrency: int = 2) -> None:
    """Run a worker in this process. Raises NotSafe, PolicyInvalid."""
    require_safe()
    asyncio.run(work(concurrency))
