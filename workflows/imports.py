"""Importing a roster workbook: received, read, checked against the registry, applied or refused whole. （第十六条）

A file with any problem changes nothing: it comes back with its cells marked. Until the last transaction only staged,
encrypted rows exist; a job that is killed or cancelled leaves no roster, and one that runs again makes exactly one.
"""

from datetime import date
from decimal import Decimal
from hashlib import sha256
from pathlib import PurePath

import sqlalchemy as sa
from sqlmodel import Session, col, select

from models.base import county_of
from models.database import transaction
from models.divisions import Division
from models.imports import ImportStatus, RosterImport
from models.jobs import Job, JobStatus
from models.officers import ActingOfficer
from models.projects import SubsidyProject
from models.rosters import Roster
from policies.clock import now
from policies.enforcement import allow
from policies.formulas import program_of
from policies.lifecycles import Desk
from policies.moves import begin
from policies.permissions import Permission
from policies.refusals import Refused
from reports.sheets.findings import SHOWN
from reports.sheets.marked import mark
from reports.sheets.own_columns import yuan
from reports.sheets.rosters import RosterSheet
from reports.sheets.templates import template_of
from reports.sheets.workbooks import require_workbook
from workflows.annual_lists import require_listed
from workflows.files import content_of, store
from workflows.flows import require_enabled
from workflows.identity_checks import find_unchecked
from workflows.import_rows import apply_rows, clear_abandoned, find_unregistered, purge, stage, staged_upto
from workflows.project_versions import in_force, is_stopped
from workflows.queue import finish, officer_of_post, progress, start_job

IMPORT_JOB = "import_roster"
MARKED_SUFFIX = "-问题标注.xlsx"


class SameFile(Refused):
    """该文件已导入为清册 {number}，没有重复导入；如需更正，请修改后上传更正的文件。"""


class FileUnderWay(Refused):
    """该文件正在导入（上传于 {received}），请等待结果，不必重复上传。"""


class ProjectStopped(Refused):
    """补贴项目“{project}”已停用，不能再造册；请核对项目，或由主管部门办理入库（第七条）。"""


class PeriodWrong(Refused):
    """所属期“{period}”无效：须填写名称，且起始日期不晚于截止日期；请更正后再上传。"""

    status_code = 400


class StandardMissing(Refused):
    """补贴项目“{project}”在 {period} 没有公布的补贴标准，不能造册；请主管部门先公布标准（第八条）。"""


class RegistryChanged(Refused):
    """导入期间基础信息库有变动，清册没有生成；请再次上传同一文件。"""


def receive(
    session: Session,
    *,
    by: ActingOfficer,
    project: SubsidyProject,
    period: str,
    period_start: date,
    period_end: date,
    file_name: str,
    content: bytes,
) -> RosterImport:
    """Receive a roster workbook of the officer's township and start its import. （第十六条、第三十一条）

    Raises NotAllowed, FileEmpty, FileTooBig, WrongFileType, WorkbookEncrypted, WorkbookDamaged, ProjectStopped,
    PeriodWrong, StandardMissing, NotListed, SameFile, FileUnderWay.
    """
    allow(session, by, Permission.IMPORT_CREATE)
    name = PurePath(file_name.replace("\\", "/")).name or "清册.xlsx"
    require_workbook(content, name)
    if is_stopped(session, project):
        raise ProjectStopped(project=project.name)
    if not period.strip() or period_start > period_end:
        raise PeriodWrong(period=period)
    record = RosterImport(
        division_code=by.division_code,
        county_code=county_of(by.division_code),
        project_id=project.id or 0,
        sector=project.sector,
        period=period.strip(),
        period_start=period_start,
        period_end=period_end,
        file_id=0,
        file_name=name,
        sha256=sha256(content).hexdigest(),
        received_at=now(session),
        received_by=by.officer_id,
    )
    standards_of(session, project, record)
    require_listed(session, project, record.county_code, period_start)
    clear_abandoned(session)
    require_new_file(session, record, under_way=True)
    record.file_id = store(session, name, content, by=by, division_code=by.division_code).id or 0
    session.add(record)
    session.flush()
    title = f"导入{project.short_name or project.name}清册（{record.period}）"
    arguments = {"import_id": record.id}
    start_job(session, by=by, kind=IMPORT_JOB, title=title, division_code=by.division_code, arguments=arguments)
    return record


def job_of(session: Session, record: RosterImport) -> Job | None:
    """Return the job of an import, to follow its progress."""
    mine = sa.cast(Job.arguments["import_id"], sa.Text) == str(record.id)
    statement = select(Job).where(Job.division_code == record.division_code, Job.kind == IMPORT_JOB, mine)
    return session.exec(statement.order_by(col(Job.id).desc())).first()


def standards_of(session: Session, project: SubsidyProject, record: RosterImport) -> list[Decimal]:
    """Return the standards in force at the period's start: those of the nearest division that has any. （第八条）

    None where the project's formula reads no standard. Raises StandardMissing.
    """
    rows = session.execute(
        sa.text(
            "select division_code, standard_yuan from project_standards where project_id = :project"
            " and status in ('in_force', 'ended') and valid_from <= :day and (valid_to is null or valid_to >= :day)"
            " and division_code in (:township, :county, left(:county, 4) || '00000000', '150000000000')"
            " order by division_code desc, standard_yuan"
        ),
        {
            "project": project.id,
            "day": record.period_start,
            "township": record.division_code,
            "county": record.county_code,
        },
    ).all()
    if not rows and "standard" in program_of(in_force(project)).names:
        raise StandardMissing(project=project.name, period=record.period)
    return [row.standard_yuan for row in rows if row.division_code == rows[0].division_code]


def require_new_file(session: Session, record: RosterImport, *, under_way: bool = False) -> None:
    """Refuse a file that is imported already, or being imported. Raises SameFile, FileUnderWay."""
    same = select(RosterImport).where(
        RosterImport.division_code == record.division_code,
        RosterImport.project_id == record.project_id,
        RosterImport.period == record.period,
        RosterImport.sha256 == record.sha256,
    )
    applied = session.exec(same.where(RosterImport.status == ImportStatus.APPLIED)).first()
    if applied is not None:
        raise SameFile(number=session.get_one(Roster, applied.roster_id).number)
    if under_way:
        waiting = session.exec(same.where(RosterImport.status == ImportStatus.RECEIVED)).all()
        for other in waiting:
            job = job_of(session, other)
            if job is not None and job.status in (JobStatus.QUEUED, JobStatus.RUNNING):
                raise FileUnderWay(received=f"{other.received_at:%Y-%m-%d %H:%M}")


def run_import(job_id: int, post_id: int) -> None:
    """Read, check and apply one received workbook: the body of the job, safe to run again after any crash.

    Each chunk is staged in a transaction of its own; the roster comes into being in the last one.
    """
    by = officer_of_post(post_id)
    with transaction(by) as session:
        job = session.get_one(Job, job_id)
        record = session.get_one(RosterImport, job.arguments["import_id"])
        if record.status != ImportStatus.RECEIVED:
            return
        project = session.get_one(SubsidyProject, record.project_id)
        content = content_of(session, record.file_id)
        definition = in_force(project)
        standards = standards_of(session, project, record)
        staged = staged_upto(session, record)
    run = _Run(by, job_id, record, project, content)
    try:
        sheet = RosterSheet(content, record.file_name, template_of(definition), standards, definition)
    except Refused as unreadable:
        run.refuse_unread(str(unreadable))
        return
    for chunk in sheet.chunks():
        if not progress(by, job_id, sheet.row_count, max(sheet.height, sheet.row_count), "读取并加密明细"):
            run.cancel()
            return
        if chunk.numbers[-1] > staged:
            with transaction(by) as session:
                stage(session, record, chunk)
    sheet.finish()
    if not progress(by, job_id, sheet.row_count, sheet.row_count, "与基础信息库核对"):
        run.cancel()
        return
    run.conclude(sheet)


class _Run:
    """One run of an import: its ends, each one transaction."""

    def __init__(
        self, by: ActingOfficer, job_id: int, record: RosterImport, project: SubsidyProject, content: bytes
    ) -> None:
        self.by, self.job_id, self.record, self.project, self.content = by, job_id, record, project, content

    def conclude(self, sheet: RosterSheet) -> None:
        """Apply a sheet without problems, else refuse it."""
        try:
            with transaction(self.by) as session:
                find_unregistered(session, self.record, sheet)
                find_unchecked(session, self.record, sheet)
                if not sheet.findings.problems:
                    self._apply(session, sheet)
                    return
        except Refused as refusal:
            sheet.findings.problem(0, -1, str(refusal), "")
        self.refuse(sheet)

    def _claim(self, session: Session) -> RosterImport | None:
        """Return the import under lock if nobody has ended it meanwhile."""
        record = session.execute(
            sa.select(RosterImport)
            .where(col(RosterImport.id) == self.record.id, col(RosterImport.status) == ImportStatus.RECEIVED)
            .with_for_update()
        ).scalar_one_or_none()
        return record

    def _apply(self, session: Session, sheet: RosterSheet) -> None:
        record = self._claim(session)
        if record is None:
            return
        lock = f"roster:{record.division_code}"
        session.execute(sa.text("select pg_advisory_xact_lock(hashtextextended(:lock, 0))"), {"lock": lock})
        require_new_file(session, record)
        roster = begin(
            session,
            new_roster(session, record, self.project, self.by, sheet),
            by=self.by,
            label="导入生成清册",
            desk=Desk.TOWNSHIP_CLERK,
            facts={"import": record.id, "lines": sheet.row_count, "amount_fen": sheet.amount_fen},
        )
        if apply_rows(session, record, roster) != sheet.row_count:
            raise RegistryChanged
        purge(session, record)
        record.status = ImportStatus.APPLIED
        record.roster_id = roster.id
        self._note_result(record, sheet)
        session.execute(
            sa.text("update jobs set roster_id = :roster where id = :job"), {"roster": roster.id, "job": self.job_id}
        )
        message = f"已生成清册 {roster.number}：{roster.line_count} 笔，{yuan(roster.amount_fen)} 元"
        finish(session, self.job_id, JobStatus.DONE, message)

    def _note_result(self, record: RosterImport, sheet: RosterSheet) -> None:
        record.row_count = sheet.row_count
        record.amount_fen = sheet.amount_fen
        record.problem_count = len(sheet.findings.problems)
        record.note_count = len(sheet.findings.notes)
        record.problems = sheet.findings.shown()

    def refuse(self, sheet: RosterSheet) -> None:
        """Refuse the whole file: give it back marked, keep nothing of its rows. （第三十条）"""
        findings = sheet.findings.ordered()
        marked = mark(self.content, findings)
        with transaction(self.by) as session:
            record = self._claim(session)
            if record is None:
                return
            name = f"{PurePath(record.file_name).stem}{MARKED_SUFFIX}"
            file = store(session, name, marked, by=self.by, division_code=record.division_code)
            purge(session, record)
            record.status = ImportStatus.REFUSED
            record.marked_file_id = file.id
            self._note_result(record, sheet)
            more = f"，页面显示前 {SHOWN} 条" if len(findings) > SHOWN else ""
            message = f"发现 {record.problem_count} 个问题，没有导入任何明细；请按标注文件逐项更正后重新上传{more}"
            finish(session, self.job_id, JobStatus.REFUSED, message, file.id)

    def refuse_unread(self, reason: str) -> None:
        """Refuse a file that can't be read at all: there is nothing to mark."""
        with transaction(self.by) as session:
            record = self._claim(session)
            if record is None:
                return
            record.status = ImportStatus.REFUSED
            record.problem_count = 1
            what, _, remedy = reason.partition("；")
            finding = {"kind": "problem", "sheet": "", "cell": "整个文件", "row": 0, "what": what, "remedy": remedy}
            record.problems = [finding]
            finish(session, self.job_id, JobStatus.REFUSED, reason)

    def cancel(self) -> None:
        """End a cancelled import: nothing of it stays."""
        with transaction(self.by) as session:
            record = self._claim(session)
            if record is None:
                return
            purge(session, record)
            record.status = ImportStatus.CANCELLED
            finish(session, self.job_id, JobStatus.CANCELLED, "已取消，没有导入任何明细")


def new_roster(
    session: Session, record: RosterImport, project: SubsidyProject, by: ActingOfficer, sheet: RosterSheet
) -> Roster:
    """Return the roster of an import, numbered within its township, project and year; not yet added.

    Raises FlowNotEnabled.
    """
    require_enabled(session, project)
    moment = now(session)
    prefix = f"{record.division_code[:9]}-{record.period_start.year}-{project.code}-"
    last = session.execute(
        sa.text(
            "select coalesce(max(split_part(number, '-', 4)::integer), 0) from rosters"
            " where division_code = :division and starts_with(number, :prefix)"
        ),
        {"division": record.division_code, "prefix": prefix},
    ).scalar_one()
    return Roster(
        division_code=record.division_code,
        county_code=record.county_code,
        number=f"{prefix}{last + 1:04d}",
        project_id=record.project_id,
        project_name=project.name,
        project_version=project.project_version,
        sector=project.sector,
        township=session.get_one(Division, record.division_code).name,
        period=record.period,
        period_start=record.period_start,
        period_end=record.period_end,
        line_count=sheet.row_count,
        amount_fen=sheet.amount_fen,
        generated_at=moment,
        arrived_at=moment,
        source_file_id=record.file_id,
        prepared_by=by.officer_id,
    )
