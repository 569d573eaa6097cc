"""A roster made from the qualified register: amounts by formula and standards in force, the rest as an import does.

（第十六条） One transaction: a job that is cancelled or killed leaves nothing. Whoever can't be named is left out with
the reason; who joined and who left against the previous period is told.
"""

from datetime import date
from typing import Any, cast

import sqlalchemy as sa
from sqlmodel import Session, col, select

from models.base import county_of
from models.database import transaction
from models.imports import RosterImport
from models.jobs import Job, JobStatus
from models.officers import ActingOfficer
from models.projects import ProjectStatus, SubsidyProject
from models.qualifications import GenerationStatus, RosterGeneration
from models.rosters import Roster
from policies.clock import now
from policies.enforcement import allow
from policies.identities import mask_name
from policies.lifecycles import Desk
from policies.moves import begin
from policies.permissions import Permission
from policies.refusals import NotAllowed, Refused
from reports.sheets.own_columns import yuan
from workflows import qualifications, virtual_members
from workflows import roster_register_rows as rows
from workflows.annual_list_offers import require_listed
from workflows.flows import require_enabled
from workflows.import_rows import apply_of
from workflows.imports import PeriodWrong, ProjectStopped, RegistryChanged, new_roster, standards_of
from workflows.plans import by_hash
from workflows.queue import finish, officer_of_post, progress, start_job

GENERATE_JOB = "generate_roster"
STAGES = ("核对资格名册", "匹配人员和账户", "生成清册")


class NothingToRoster(Refused):
    """“{project}”{period}没有可列入清册的资格（未列入 {skipped} 笔）；请按未列入的原因处理后再次造册（第十六条）。"""


class GenerationUnderWay(Refused):
    """“{project}”{period}的清册正在生成，请等待结果，不必重复发起。"""


class _Cancelled(Exception):
    """The starter has asked to stop: nothing of it stays."""


def start(
    session: Session, *, by: ActingOfficer, project: SubsidyProject, period: str, period_start: date, period_end: date
) -> RosterGeneration:
    """Start to make the township's roster of a project and period from the register. （第十六条）

    Raises NotAllowed, ProjectStopped, PeriodWrong, NotListed, FlowNotEnabled, StandardMissing, GenerationUnderWay.
    """
    allow(session, by, Permission.ROSTER_GENERATE)
    if not Desk.TOWNSHIP_CLERK.seats(by):
        raise NotAllowed(post=by.post, permission=Permission.ROSTER_GENERATE.label)
    if project.status == ProjectStatus.STOPPED:
        raise ProjectStopped(project=project.name)
    if not period.strip() or period_start > period_end:
        raise PeriodWrong(period=period)
    county = county_of(by.division_code)
    require_listed(session, project, county, period_start)
    require_enabled(session, project)
    record = RosterGeneration(
        division_code=by.division_code,
        county_code=county,
        project_id=project.id or 0,
        project_name=project.name,
        sector=project.sector,
        period=period.strip(),
        period_start=period_start,
        period_end=period_end,
        received_at=now(session),
        received_by=by.officer_id,
    )
    standards_of(session, project, _as_import(record))
    _require_none_running(session, record)
    session.add(record)
    session.flush()
    title = f"由资格名册生成{project.short_name or project.name}清册（{record.period}）"
    start_job(session, by=by, kind=GENERATE_JOB, title=title, division_code=by.division_code,
              arguments={"generation_id": record.id})  # fmt: skip
    return record


def job_of(session: Session, record: RosterGeneration) -> Job | None:
    """Return the job of a generation, to follow its progress."""
    mine = sa.cast(Job.arguments["generation_id"], sa.Text) == str(record.id)
    statement = select(Job).where(Job.division_code == record.division_code, Job.kind == GENERATE_JOB, mine)
    return session.exec(statement.order_by(col(Job.id).desc())).first()


def _require_none_running(session: Session, record: RosterGeneration) -> None:
    same = select(RosterGeneration).where(
        RosterGeneration.division_code == record.division_code,
        RosterGeneration.project_id == record.project_id,
        RosterGeneration.period == record.period,
        RosterGeneration.status == GenerationStatus.RECEIVED,
    )
    for other in session.exec(same).all():
        job = job_of(session, other)
        if job is not None and job.status in (JobStatus.QUEUED, JobStatus.RUNNING):
            raise GenerationUnderWay(project=record.project_name, period=record.period)


def _as_import(record: RosterGeneration) -> RosterImport:
    """Return what the import's own steps ask of a record; it is never kept."""
    return RosterImport(
        division_code=record.division_code, county_code=record.county_code, project_id=record.project_id,
        sector=record.sector, period=record.period, period_start=record.period_start, period_end=record.period_end,
        file_id=0, file_name="", sha256="", received_at=record.received_at, received_by=record.received_by,
    )  # fmt: skip


def run(job_id: int, post_id: int) -> None:
    """Make the roster of one generation: the body of the job, in one transaction, safe to run again."""
    by = officer_of_post(post_id)
    try:
        with transaction(by) as session:
            job = session.get_one(Job, job_id)
            record = session.exec(
                select(RosterGeneration)
                .where(RosterGeneration.id == job.arguments["generation_id"])
                .where(RosterGeneration.status == GenerationStatus.RECEIVED)
                .with_for_update()
            ).one_or_none()
            if record is not None:
                _make(session, record, job_id, by)
    except _Cancelled:
        with transaction(by) as session:
            _end(session, job_id, GenerationStatus.CANCELLED)
            finish(session, job_id, JobStatus.CANCELLED, "已取消，没有生成清册")
    except Refused as refusal:
        with transaction(by) as session:
            _end(session, job_id, GenerationStatus.REFUSED, getattr(refusal, "findings", None))
            finish(session, job_id, JobStatus.REFUSED, str(refusal))


def _end(session: Session, job_id: int, status: GenerationStatus, findings: dict[str, Any] | None = None) -> None:
    job = session.get_one(Job, job_id)
    record = session.exec(select(RosterGeneration).where(RosterGeneration.id == job.arguments["generation_id"])).one()
    record.status = status
    if findings is not None:
        record.findings, record.skipped_count = findings, findings["counts"]["skipped"]
    session.flush()


def _make(session: Session, record: RosterGeneration, job_id: int, by: ActingOfficer) -> None:
    project = session.get_one(SubsidyProject, record.project_id)
    lock = f"roster:{record.division_code}"
    session.execute(sa.text("select pg_advisory_xact_lock(hashtextextended(:lock, 0))"), {"lock": lock})
    _tell(by, job_id, 0)
    qualifications.suspend_gone(session, by=by)
    virtual_members.refresh(session, record.division_code)
    source = _as_import(record)
    rows.candidates(session, record, project, standards_of(session, project, source))
    skipped = rows.skipped(session)
    totals = rows.totals(session)
    _tell(by, job_id, 1)
    if not totals.row_count:
        refusal = NothingToRoster(project=project.name, period=record.period, skipped=skipped["count"])
        refusal.findings = {"skipped": skipped["rows"], "counts": {"skipped": skipped["count"]}}  # type: ignore[attr-defined]
        raise refusal
    roster = begin(
        session, new_roster(session, source, project, by, cast(Any, totals)), by=by, label="由资格名册生成清册",
        desk=Desk.TOWNSHIP_CLERK,
        facts={"generation": record.id, "lines": totals.row_count, "amount_fen": totals.amount_fen},
    )  # fmt: skip
    _tell(by, job_id, 2)
    if _write_lines(session, record, roster, project) != totals.row_count:
        raise RegistryChanged
    virtual_members.refresh(session, record.division_code, roster)
    _finish(session, record, roster, totals, skipped)
    session.execute(
        sa.text("update jobs set roster_id = :roster where id = :job"), {"roster": roster.id, "job": job_id}
    )
    message = (
        f"已生成清册 {roster.number}：{totals.row_count} 笔，{yuan(totals.amount_fen)} 元；未列入 {skipped['count']} 笔"
    )
    finish(session, job_id, JobStatus.DONE, message)


def _tell(by: ActingOfficer, job_id: int, stage: int) -> None:
    if not progress(by, job_id, stage, len(STAGES), STAGES[stage]):
        raise _Cancelled


APPLY = apply_of("generated_rows")
LINES = sa.text(
    """
    insert into qualification_lines (county_code, line_id, division_code, roster_id, sector, qualification_id)
    select l.county_code, l.id, l.division_code, l.roster_id, l.sector, r.qualification_id
    from roster_lines l
    join register_rows r on r.member_id = l.member_id and r.component = l.component and r.skip = ''
    where l.division_code = :division and l.roster_id = :roster
    """
)


def _write_lines(session: Session, record: RosterGeneration, roster: Roster, project: SubsidyProject) -> int:
    """Write the lines with what the registry knows, by the import's own statement; return how many. （第十六条）"""
    about = {
        "division": record.division_code, "county": record.county_code, "roster": roster.id, "sector": roster.sector,
        "project": record.project_id, "project_code": project.code, "period": record.period,
        "period_start": record.period_start,
    }  # fmt: skip
    with by_hash(session):
        done = session.execute(sa.text(APPLY), about)
        session.execute(LINES, {"division": record.division_code, "roster": roster.id})
    return int(done.rowcount)  # type: ignore[attr-defined]


def _finish(
    session: Session, record: RosterGeneration, roster: Roster, totals: rows.Totals, skipped: dict[str, Any]
) -> None:
    """Tell who joined and who left against the previous period's rosters. （第十六条）"""
    joined, left = rows.compared(session, record, roster)
    record.joined_count = joined[0].many if joined else 0
    record.left_count = left[0].many if left else 0
    record.skipped_count = skipped["count"]
    record.line_count, record.amount_fen = totals.row_count, totals.amount_fen
    record.findings = {
        "joined": [{"sequence": row.sequence, "name": mask_name(row.name)} for row in joined],
        "left": [{"sequence": row.sequence, "name": mask_name(row.name), "what": rows.why_left(row)} for row in left],
        "skipped": skipped["rows"],
    }
    record.roster_id, record.status = roster.id, GenerationStatus.APPLIED
    session.flush()
