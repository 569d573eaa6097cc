"""The job queue as workflows see it: tasks by name, in the caller's own transaction (DESIGN D10).

Workflows never import `jobs/`; a task is enqueued by its name and is there if, and only if, the verb commits.
"""

from contextvars import ContextVar
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from procrastinate import App, PsycopgConnector
from sqlmodel import Session

from models.database import transaction
from models.divisions import Level
from models.jobs import Job, JobStatus
from models.officers import ActingOfficer, Role, Scope
from models.organisations import OrganisationKind
from policies.clock import now, today

queue = App(connector=PsycopgConnector())
"""The module-level application; `jobs/` registers its tasks here and opens the worker's connections."""


STANDING_IN: ContextVar[int] = ContextVar("standing_in", default=0)
"""The delegation that the running job was started under; 0 for the officer's own post. `follow` sets it."""


class PostEnded(Exception):
    """The officer behind a job no longer holds the post: the job must not run on."""


def enqueue(session: Session, task: str, *, lock: str | None = None, **arguments: Any) -> int:
    """Enqueue a task by name in this transaction; `lock`: jobs of one lock run one after the other."""
    statement = sa.text(
        "select procrastinate_defer_jobs_v1(array[row('default', :task, 0, :lock, null, cast(:args as jsonb), null)"
        "::procrastinate_job_to_defer_v1])"
    ).bindparams(sa.bindparam("args", type_=sa.JSON))
    ids = session.execute(statement, {"task": task, "lock": lock, "args": arguments}).scalar_one()
    return int(ids[0])


def start_job(
    session: Session,
    *,
    by: ActingOfficer,
    kind: str,
    title: str,
    division_code: str,
    arguments: dict[str, Any] | None = None,
    roster_id: int | None = None,
) -> Job:
    """Write a job that officers can follow and enqueue the task `kind` with its id."""
    job = Job(
        division_code=division_code,
        kind=kind,
        title=title,
        officer_id=by.officer_id,
        post_id=by.post_id,
        delegation_id=by.delegation_id,
        arguments=arguments or {},
        queued_at=now(session),
        roster_id=roster_id,
    )
    session.add(job)
    session.flush()
    enqueue(session, kind, lock=f"{kind}:{job.id}", job_id=job.id, post_id=by.post_id)
    return job


def postpone(session: Session, job_id: int, minutes: int) -> None:
    """Leave a job to its starter for a while: workers take it up only if the starter should have died by then."""
    session.execute(
        sa.text(
            "update procrastinate_jobs set scheduled_at = clock_timestamp() + make_interval(mins => :minutes)"
            " where status = 'todo' and args ->> 'job_id' = cast(:job as text)"
        ),
        {"job": job_id, "minutes": minutes},
    )


def progress(by: ActingOfficer, job_id: int, done: int, total: int, stage: str) -> bool:
    """Publish a job's progress at once, in a transaction of its own; return False when its owner cancelled it."""
    with transaction(by) as session:
        statement = sa.text(
            "update jobs set done = :done, total = :total, stage = :stage where id = :job returning cancel_asked"
        )
        asked = session.execute(statement, {"done": done, "total": total, "stage": stage, "job": job_id}).scalar()
    return not asked


def finish(session: Session, job_id: int, status: JobStatus, message: str, file_id: int | None = None) -> None:
    """Write a job's end; in the transaction of the work it reports."""
    session.execute(
        sa.text(
            "update jobs set status = cast(:status as varchar), message = :message, file_id = coalesce(:file, file_id),"
            " finished_at = :at, done = case when cast(:status as varchar) = 'done' then total else done end"
            " where id = :job"
        ),
        {"status": status, "message": message, "file": file_id, "at": now(session), "job": job_id},
    )


def officer_of_post(post_id: int, delegation_id: int | None = None) -> ActingOfficer:
    """Return who a job acts as, read anew: a lost post or delegation loses the job too. Raises PostEnded.

    delegation_id: None takes the delegation of the running job.
    """
    by_delegation = STANDING_IN.get() if delegation_id is None else delegation_id
    with transaction(None) as session:
        row = session.execute(
            sa.text("select * from officer_in_post(:post, :day, :delegation)"),
            {"post": post_id, "day": today(session), "delegation": by_delegation},
        ).one_or_none()
        if row is None:
            raise PostEnded
        return officer_from(session, row)


def officer_from(session: Session, row: Any) -> ActingOfficer:
    """Return the acting officer of a row of `officer_in_post` or `session_find`, with the post's row scope.

    A league's finance bureau has a hole where a county reports to the region directly (DESIGN D2).
    """
    kind, level = OrganisationKind(row.kind), Level(row.level)
    scope = Scope.of(row.division_code, level)
    if kind == OrganisationKind.FINANCE and level == Level.LEAGUE:
        hole = session.execute(
            sa.text(
                "select code from divisions where region_direct_finance and level = 'county'"
                " and parent_code = :league limit 1"
            ),
            {"league": row.division_code},
        ).scalar_one_or_none()
        if hole is not None:
            inner = Scope.of(hole, Level.COUNTY)
            scope = replace(scope, hole_start=inner.start, hole_end=inner.end)
    return ActingOfficer(
        officer_id=row.officer_id,
        person=row.person,
        name=row.name,
        post_id=row.post_id,
        role=Role(row.role),
        organisation_id=row.organisation_id,
        organisation=row.organisation,
        kind=kind,
        level=level,
        division_code=row.division_code,
        sector=row.sector,
        scope=scope,
        bank_id=row.bank_id,
        delegation_id=row.delegation_id,
        absent=row.absent,
        only=None if row.permissions is None else frozenset(row.permissions),
    )
