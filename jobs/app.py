"""The worker: Procrastinate on the same database, tasks from `jobs.tasks`."""

import psycopg
from procrastinate import PsycopgConnector
from sqlalchemy.engine import make_url

from jobs import tasks
from models.settings import settings
from workflows.queue import queue

__all__ = ["connector", "queue", "tasks"]


def connector() -> PsycopgConnector:
    """Return the worker's connector for the application's role."""
    url = make_url(settings().app_database_url).set(drivername="postgresql")
    return PsycopgConnector(conninfo=url.render_as_string(hide_password=False), kwargs={"autocommit": True})


def driver_version() -> str:
    """Return psycopg's version, for the start-up line."""
    return psycopg.__version__
