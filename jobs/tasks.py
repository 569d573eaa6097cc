"""Tasks by name: thin calls of workflows, each idempotent; one that must wait for the outside is retried."""

from procrastinate import BaseRetryStrategy, RetryDecision
from procrastinate.jobs import Job, Status

from jobs.sweeps import anchor_heads, sweep_all
from models.base import REGION_CODE
from models.divisions import Level
from models.officers import system_principal
from workflows import accounts, bank_batches, payment_orders, refunds  # noqa: F401 - they fill the outbox's topics
from workflows.account_batch_apply import run_apply as run_batch_apply
from workflows.account_batch_check import run_check as run_batch_check
from workflows.account_batches import APPLY_JOB as CARDS_APPLY
from workflows.account_batches import CHECK_JOB as CARDS_CHECK
from workflows.account_notices import sweep_shared
from workflows.bank_replies import APPLY_JOB, CHECK_JOB
from workflows.bank_reply_apply import run_apply
from workflows.bank_reply_check import run_check as run_reply_check
from workflows.calendar import APPLY_JOB as CALENDAR
from workflows.calendar import run_apply as run_calendar
from workflows.checks import run_check
from workflows.exchange import APPLY as EXCHANGE
from workflows.exchange import apply as apply_batch
from workflows.identity_checks import CHECK_JOB as IDENTITY_JOB
from workflows.identity_checks import run_checks, sweep_identities
from workflows.imports import run_import
from workflows.indicator_downloads import DOWNLOAD, SCHEDULED, run_download, run_scheduled
from workflows.jobs import Waiting, follow
from workflows.outbox import DELIVER, deliver
from workflows.queue import queue
from workflows.registry_import_apply import APPLY_JOB as IMPORT_REGISTRY
from workflows.registry_import_apply import run_apply as run_registry_import
from workflows.registry_import_check import CHECK_JOB as CHECK_REGISTRY
from workflows.registry_import_check import run_check as run_registry_check
from workflows.roster_generation import GENERATE_JOB
from workflows.roster_generation import run as run_generation
from workflows.statements import RECONCILE, run_reconciliation
from workflows.trail import VERIFY, run_verify

LONGEST_PAUSE_S = 60


class UntilAnswered(BaseRetryStrategy):
    """2, 3, 4 … seconds between tries, at most a minute, without end: a closed counter opens again."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        """Try again only what waits for the outside; anything else is a bug and stays failed."""
        if not isinstance(exception, Waiting):
            return None
        return RetryDecision(retry_in={"seconds": min(2 + job.attempts, LONGEST_PAUSE_S)})


UNTIL_ANSWERED = UntilAnswered()

SWEEP_CRON = "* * * * * */5"
"""Every five seconds: the sixth field is the seconds."""
NIGHT_CRON = "40 18 * * *"
"""By the clock of UTC: 02:40 here."""
ANCHOR_CRON = "* * * * *"
"""Looked at every minute, done as often as the setting says."""
STALLED_AFTER_S = 6
HEARTBEAT_S = 1


@queue.task(name=DELIVER, retry=UNTIL_ANSWERED)
def deliver_message(outbox_id: int, division_code: str) -> None:
    """Put one question of the outbox to the outside, or ask what became of it."""
    if not deliver(outbox_id, division_code):
        raise Waiting("对方尚未答复")


@queue.task(name="import_roster", retry=UNTIL_ANSWERED)
def import_roster(job_id: int, post_id: int) -> None:
    """Read, check and apply one uploaded roster workbook."""
    follow(job_id, post_id, run_import)


@queue.task(name=GENERATE_JOB, retry=UNTIL_ANSWERED)
def generate_roster(job_id: int, post_id: int) -> None:
    """Make one roster from the qualified register."""
    follow(job_id, post_id, run_generation)


@queue.task(name=CHECK_REGISTRY, retry=UNTIL_ANSWERED)
def check_registry(job_id: int, post_id: int) -> None:
    """Read one uploaded register and compare it with the registry."""
    follow(job_id, post_id, run_registry_check)


@queue.task(name=IMPORT_REGISTRY, retry=UNTIL_ANSWERED)
def import_registry(job_id: int, post_id: int) -> None:
    """Write one agreed register into the registry."""
    follow(job_id, post_id, run_registry_import)


@queue.task(name=CHECK_JOB, retry=UNTIL_ANSWERED)
def check_bank_reply(job_id: int, post_id: int) -> None:
    """Read and match one file of an agent bank."""
    follow(job_id, post_id, run_reply_check)


@queue.task(name=APPLY_JOB, retry=UNTIL_ANSWERED)
def apply_bank_reply(job_id: int, post_id: int) -> None:
    """Apply one confirmed reply of an agent bank."""
    follow(job_id, post_id, run_apply)


@queue.task(name=CARDS_CHECK, retry=UNTIL_ANSWERED)
def check_account_batch(job_id: int, post_id: int) -> None:
    """Read and judge one list of replaced cards."""
    follow(job_id, post_id, run_batch_check)


@queue.task(name=CARDS_APPLY, retry=UNTIL_ANSWERED)
def apply_account_batch(job_id: int, post_id: int) -> None:
    """Register one confirmed list of replaced cards."""
    follow(job_id, post_id, run_batch_apply)


@queue.task(name="check_roster", retry=UNTIL_ANSWERED)
def check_roster(job_id: int, post_id: int) -> None:
    """Ask police and banks about a roster's lines, then run the warning rules."""
    follow(job_id, post_id, run_check)


@queue.task(name=CALENDAR, retry=UNTIL_ANSWERED)
def apply_calendar(job_id: int, post_id: int) -> None:
    """Write an enabled arrangement of holidays and count the open limits anew."""
    follow(job_id, post_id, run_calendar)


@queue.task(name=DOWNLOAD, retry=UNTIL_ANSWERED)
def download_indicators(job_id: int, post_id: int) -> None:
    """Download a county's budget indicators."""
    follow(job_id, post_id, run_download)


@queue.task(name=SCHEDULED, retry=UNTIL_ANSWERED)
def scheduled_indicators(division_code: str) -> None:
    """Download the indicators of a division whose time has come."""
    run_scheduled(division_code)


@queue.task(name=RECONCILE, retry=UNTIL_ANSWERED)
def reconcile_statement(job_id: int, post_id: int) -> None:
    """Fetch and reconcile one day's statement of an agent account."""
    follow(job_id, post_id, run_reconciliation)


@queue.task(name=VERIFY, retry=UNTIL_ANSWERED)
def verify_chains(job_id: int, post_id: int) -> None:
    """Verify the hash chains in an auditor's range."""
    follow(job_id, post_id, run_verify)


@queue.task(name=IDENTITY_JOB, retry=UNTIL_ANSWERED)
def check_identities(job_id: int, post_id: int) -> None:
    """Ask the police about people of the registry."""
    follow(job_id, post_id, run_checks)


@queue.task(name=EXCHANGE)
def apply_exchange(batch_id: int) -> None:
    """Apply one batch of another department."""
    apply_batch(batch_id)


@queue.periodic(cron=ANCHOR_CRON)
@queue.task(name="compare_identities", queueing_lock="compare_identities", lock="compare_identities")
def compare_identities(timestamp: int) -> None:
    """Compare the registry with the police, at night."""
    sweep_identities(system_principal(REGION_CODE, Level.REGION, "定时任务"))


@queue.periodic(cron=ANCHOR_CRON)
@queue.task(name="anchor", queueing_lock="anchor", lock="anchor")
def anchor(timestamp: int) -> None:
    """Sign the heads of the chains when their time has come."""
    anchor_heads(system_principal(REGION_CODE, Level.REGION, "定时任务"))


@queue.periodic(cron=NIGHT_CRON)
@queue.task(name="shared_accounts", queueing_lock="shared_accounts", lock="shared_accounts")
def shared_accounts(timestamp: int) -> None:
    """Look for accounts that two people share."""
    sweep_shared(system_principal(REGION_CODE, Level.REGION, "定时任务"))


@queue.periodic(cron=SWEEP_CRON)
@queue.task(name="sweep", queueing_lock="sweep", lock="sweep")
def sweep(timestamp: int) -> None:
    """Ask after everything that is under way outside; purge what has expired."""
    sweep_all(system_principal(REGION_CODE, Level.REGION, "定时任务"))


@queue.periodic(cron=SWEEP_CRON)
@queue.task(name="rescue", queueing_lock="rescue", pass_context=False)
async def rescue(timestamp: int) -> None:
    """Hand the jobs of a killed worker to a living one; a sweep is not repeated, the next one is queued already."""
    for job in await queue.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER_S):
        if job.queueing_lock is not None and job.id is not None:
            await queue.job_manager.finish_job_by_id_async(job.id, status=Status.ABORTED, delete_job=False)
        else:
            await queue.job_manager.retry_job(job)
