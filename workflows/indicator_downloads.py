"""Downloads of indicators: page by page, each kept with its cursor, on demand and on schedule. （第十条）

An interrupted download goes on at its page, whoever starts the next one; two at once share the same row and take
turns, so that a page is kept once and the end is the same.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlalchemy import text
from sqlmodel import Session

from integrations import budget_system
from integrations.budget_system import IndicatorPage
from integrations.errors import Rejected, Unavailable
from models.base import county_of
from models.database import transaction
from models.divisions import Division, Level
from models.indicator_downloads import DownloadStatus, IndicatorDownload
from models.jobs import Job, JobStatus
from models.officers import ActingOfficer, system_principal
from models.settings import settings
from policies.clock import now
from policies.enforcement import allow
from policies.moves import record_event
from policies.permissions import Permission
from policies.refusals import Refused
from workflows import money_at_rest
from workflows.edges import edge
from workflows.indicator_keeping import Kept, keep_items, keep_upstream
from workflows.jobs import Waiting
from workflows.queue import enqueue, finish, officer_of_post, progress, start_job

log = structlog.get_logger()

DOWNLOAD = "download_indicators"
SCHEDULED = "scheduled_indicators"
NOUN = "indicator_download"
RESUMED_WITHIN = timedelta(hours=24)
"""An interrupted download older than this begins anew: what changed before its cursor would be missed."""
AT_ONCE = 10
"""How many divisions a sweep queues: the next round comes in seconds."""


class DownloadRejected(Refused):
    """{partner}没有受理指标下载：{text}（代码 {code}）；请联系系统管理员检查接口后重新下载。"""


@dataclass(frozen=True)
class Place:
    """Where a download stands."""

    id: int
    cursor: str


def download(*, by: ActingOfficer) -> int:
    """Download the division's indicators of the class 惠民惠农财政补贴资金; return how many are new. （第十条）

    The budget system is asked with nothing open; each page is kept in a transaction of its own and repeating it changes
    nothing. Raises NotAllowed, Unavailable, DownloadRejected.
    """
    with edge(by, "download", "预算指标") as session:
        allow(session, by, Permission.INDICATOR_DOWNLOAD)
    return _run(county_of(by.division_code), by=by).new


def start_download(session: Session, *, by: ActingOfficer) -> Job:
    """Start the download of the finance bureau's indicators, at any level, as a job of the officer. （第十条）"""
    allow(session, by, Permission.INDICATOR_DOWNLOAD)
    return start_job(session, by=by, kind=DOWNLOAD, title="下载预算指标", division_code=county_of(by.division_code))


def run_download(job_id: int, post_id: int) -> None:
    """Run the download job. Raises Waiting while the budget system can't be reached, PostEnded."""
    by = officer_of_post(post_id)
    with edge(by, "download", "预算指标") as session:
        allow(session, by, Permission.INDICATOR_DOWNLOAD)
    pages = [0]

    def tell() -> None:
        pages[0] += 1
        progress(by, job_id, pages[0], pages[0] + 1, f"下载预算指标，已保存 {pages[0]} 页")

    progress(by, job_id, 0, 1, "下载预算指标")
    try:
        kept = _run(county_of(by.division_code), by=by, tell=tell)
    except Unavailable as away:
        raise Waiting(str(away)) from away
    more = f"，{kept.faults} 项未能保存，见“项目与指标待办”" if kept.faults else ""
    with edge(by, "download", "预算指标") as session:
        finish(session, job_id, JobStatus.DONE, f"新增指标 {kept.new} 项，变更 {kept.changed} 项{more}")


# --- on schedule ----------------------------------------------------------------------------------------------------

DUE = text(
    """
    select o.division_code, o.level from organisations o
    left join lateral (select greatest(d.started_at, d.seen_at) as at from indicator_downloads d
        where d.division_code = o.division_code order by d.started_at desc limit 1) l on true
    where o.kind = 'finance' and o.level in ('county', 'league', 'region') and o.closed_on is null
        and (l.at is null or l.at <= :before)
    order by l.at nulls first, o.division_code limit :most
    """
)


def queue_due(by: ActingOfficer) -> int:
    """Queue the download of each finance bureau's division whose last one is hours old. （第十条）

    At most once per YIKATONG_INDICATOR_HOURS; 0 switches the schedule off. Return how many were queued.
    """
    hours = settings().indicator_hours
    if not hours or not settings().budget_url:
        return 0
    with transaction(by) as session:
        moment = now(session)
        due = session.execute(DUE, {"before": moment - timedelta(hours=hours), "most": AT_ONCE}).all()
        for row in due:
            principal = _principal(row.division_code, Level(row.level))
            _take(session, row.division_code, by=principal, scheduled=True)
            enqueue(session, SCHEDULED, lock=f"{SCHEDULED}:{row.division_code}", division_code=row.division_code)
    return len(due)


def run_scheduled(division_code: str) -> None:
    """Download a division's indicators as the system, within the division's range. （第十条） Raises Waiting."""
    with transaction(system_principal(division_code, Level.REGION)) as session:
        level = session.get_one(Division, division_code).level
    by = _principal(division_code, level)
    try:
        _run(division_code, by=by, scheduled=True)
    except Unavailable as away:
        raise Waiting(str(away)) from away
    except DownloadRejected as refused:
        log.warning("indicators rejected", division=division_code, code=refused.fields["code"])


def _principal(division_code: str, level: Level) -> ActingOfficer:
    return system_principal(division_code, level, "指标定时下载")


# --- the pages ------------------------------------------------------------------------------------------------------


def _run(
    division_code: str, *, by: ActingOfficer, scheduled: bool = False, tell: Callable[[], None] = lambda: None
) -> Kept:
    """Go on with the open download of a division, or begin one, to its end. Raises Unavailable, DownloadRejected."""
    with edge(by, "download", "预算指标") as session:
        place = _take(session, division_code, by=by, scheduled=scheduled, status=DownloadStatus.RUNNING)
    total = Kept()
    cursor: str | None = place.cursor
    while cursor is not None:
        try:
            page = budget_system.download_indicators(division_code, cursor=cursor)
        except Unavailable:
            _stop(place.id, by, DownloadStatus.INTERRUPTED, "对方系统暂时无法连接，将从本页继续")
            raise
        except Rejected as refused:
            facts = {"partner": refused.fields["partner"], "code": refused.code, "text": refused.text}
            _stop(place.id, by, DownloadStatus.REFUSED, str(DownloadRejected(**facts)))
            raise DownloadRejected(**facts) from refused
        with edge(by, "download", "预算指标") as session:
            cursor, kept = keep_page(session, place.id, cursor, page, by=by)
        total = Kept(total.new + kept.new, total.changed + kept.changed, total.faults + kept.faults)
        tell()
    return total


OPEN = text(
    "select id, cursor, status, started_at from indicator_downloads"
    " where division_code = :division and status in ('queued', 'running', 'interrupted') for update"
)
BEGIN = text(
    """
    insert into indicator_downloads (division_code, status, scheduled, cursor, pages, items, new_count, changed_count,
        fault_count, started_at, seen_at, started_by, message)
    values (:division, :status, :scheduled, '', 0, 0, 0, 0, 0, :moment, :moment, :who, '')
    on conflict do nothing returning id
    """
)
SET = text("update indicator_downloads set status = :status, seen_at = :moment, message = '' where id = :id")
ABANDON = text("update indicator_downloads set status = 'abandoned', ended_at = :moment where id = :id")


def _take(
    session: Session,
    division_code: str,
    *,
    by: ActingOfficer,
    scheduled: bool,
    status: DownloadStatus = DownloadStatus.QUEUED,
) -> Place:
    """Take up the division's open download where it stands, or begin one."""
    moment = now(session)
    begin = {"division": division_code, "status": status, "scheduled": scheduled, "moment": moment}
    begin["who"] = f"{by.post} {by.name}" if by.officer_id else by.name
    row = session.execute(OPEN, {"division": division_code}).one_or_none()
    if row is not None and row.started_at < moment - RESUMED_WITHIN:
        session.execute(ABANDON, {"id": row.id, "moment": moment})
        row = None
    if row is None:
        made = session.execute(BEGIN, begin).scalar_one_or_none()
        if made is not None:
            record = session.get_one(IndicatorDownload, made)
            record_event(session, record, "begin", by=by, label="开始下载指标", noun=NOUN)
            return Place(made, "")
        row = session.execute(OPEN, {"division": division_code}).one()  # a colleague began in the meantime
    goes_on = status if status == DownloadStatus.RUNNING else row.status
    session.execute(SET, {"id": row.id, "status": goes_on, "moment": moment})
    return Place(row.id, row.cursor)


LOCK = text("select * from indicator_downloads where id = :id for update")
AFTER = text(
    """
    update indicator_downloads set cursor = :cursor, pages = pages + 1, items = items + :items,
        new_count = new_count + :new, changed_count = changed_count + :changed, fault_count = fault_count + :faults,
        seen_at = :moment, status = :status, ended_at = :ended
    where id = :id
    """
)


def keep_page(
    session: Session, download_id: int, cursor: str, page: IndicatorPage, *, by: ActingOfficer
) -> tuple[str | None, Kept]:
    """Keep one page and move the cursor on, in one transaction; return the next cursor, None at the end. （第十条）

    When somebody else has gone further on the same download, their cursor is followed and nothing is kept twice.
    """
    row = session.execute(LOCK, {"id": download_id}).one()
    if row.status not in (DownloadStatus.RUNNING, DownloadStatus.QUEUED, DownloadStatus.INTERRUPTED):
        return None, Kept()
    if row.cursor != cursor:
        return row.cursor, Kept()
    keeper = keep_items if _is_county(row.division_code) else keep_upstream
    kept = keeper(session, page.items, row.division_code, by=by, download_id=download_id)
    over = not page.cursor or page.cursor == cursor
    moment = now(session)
    session.execute(
        AFTER,
        {
            "id": download_id, "cursor": page.cursor, "items": len(page.items), "new": kept.new,
            "changed": kept.changed, "faults": kept.faults, "moment": moment,
            "status": DownloadStatus.DONE if over else DownloadStatus.RUNNING, "ended": moment if over else None,
        },
    )  # fmt: skip
    if over:
        record = session.get_one(IndicatorDownload, download_id, populate_existing=True)
        counts = {"new": record.new_count, "changed": record.changed_count, "faults": record.fault_count}
        record_event(session, record, "finish", by=by, label="完成下载指标", noun=NOUN, facts=counts)
        money_at_rest.raise_for(session, row.division_code, by=by)
    return (None if over else page.cursor), kept


def _is_county(division_code: str) -> bool:
    return not division_code.endswith("00000000")


def _stop(download_id: int, by: ActingOfficer, status: DownloadStatus, message: str) -> None:
    """Write why a download stands still, in a transaction of its own."""
    with transaction(by) as session:
        session.execute(
            text(
                "update indicator_downloads set status = :status, message = :message, ended_at = :ended"
                " where id = :id and status in ('queued', 'running', 'interrupted')"
            ),
            {
                "id": download_id, "status": status, "message": message,
                "ended": now(session) if status == DownloadStatus.REFUSED else None,
            },
        )  # fmt: skip
