"""Jobs as officers follow them: started, refused, failed, cancelled; apart from the record's status (DESIGN D10)."""

from collections.abc import Callable

import structlog
from sqlalchemy import text
from sqlmodel import Session

from models.base import REGION_CODE
from models.database import transaction
from models.divisions import Level
from models.jobs import Job, JobStatus
from models.officers import ActingOfficer, system_principal
from policies.clock import now
from policies.permissions import Permission
from policies.refusals import NotAllowed, Refused
from workflows.edges import note_refusal
from workflows.queue import STANDING_IN, PostEnded, finish, officer_of_post

log = structlog.get_logger()

ENDED = (JobStatus.DONE, JobStatus.REFUSED, JobStatus.FAILED, JobStatus.CANCELLED)


class Waiting(Exception):
    """The other side can't be reached yet: the task is to be retried, nothing has been lost."""


class NotYourJob(Refused):
    """任务“{title}”由{owner}发起，只有发起人可以取消。"""


def cancel(session: Session, job: Job, *, by: ActingOfficer) -> Job:
    """Ask a running job to stop at its next chunk; a queued one stops at once. Raises NotYourJob, NotAllowed."""
    if job.officer_id != by.officer_id:
        raise NotYourJob(title=job.title, owner="其他人员")
    if job.status in ENDED:
        raise NotAllowed(post=by.post, permission=f"{Permission.JOB_VIEW.label}（任务已结束）")
    job.cancel_asked = True
    if job.status == JobStatus.QUEUED:
        job.status = JobStatus.CANCELLED
        job.finished_at = now(session)
        job.message = "已取消，未产生任何更改"
    session.add(job)
    return job


def follow(job_id: int, post_id: int, work: Callable[[int, int], None]) -> None:
    """Run a job's work and keep its state true whatever happens: done, refused with the reason, failed, cancelled.

    It runs in the post, and under the delegation, that the job's row names now: a job may have been handed over.
    The work publishes its own progress and writes `done` in its own last transaction. Raises Waiting for a retry.
    """
    keeper = system_principal(REGION_CODE, Level.REGION, "后台任务")
    with transaction(keeper) as session:
        started = session.execute(
            text(
                "update jobs set status = 'running', started_at = coalesce(started_at, :at)"
                " where id = :job and status in ('queued', 'running') returning title, post_id, delegation_id"
            ),
            {"job": job_id, "at": now(session)},
        ).one_or_none()
    if started is None:
        return
    standing = STANDING_IN.set(started.delegation_id)
    try:
        work(job_id, started.post_id)
    except Refused as refusal:
        note_refusal(officer_of_post(started.post_id), "job", started.title, refusal)
        _end(keeper, job_id, JobStatus.REFUSED, str(refusal))
    except PostEnded:
        _end(keeper, job_id, JobStatus.FAILED, "发起人的岗位已变动，任务未继续执行")
    except Waiting as waiting:
        with transaction(keeper) as session:
            session.execute(
                text("update jobs set message = :why where id = :job"),
                {"why": f"等待对方系统恢复：{waiting}", "job": job_id},
            )
        raise
    except Exception:
        _end(keeper, job_id, JobStatus.FAILED, "处理出错，已通知系统管理员；数据未受影响，可重新发起")
        raise
    finally:
        STANDING_IN.reset(standing)


def _end(keeper: ActingOfficer, job_id: int, status: JobStatus, message: str) -> None:
    log.info("job ended", job=job_id, status=status)
    with transaction(keeper) as session:
        finish(session, job_id, status, message)
