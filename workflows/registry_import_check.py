"""Checking a received register: read, staged, compared with the registry; every problem told. （第十一条）

The body of a job that may be killed and run again: each chunk is staged in a transaction of its own.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from io import BytesIO
from pathlib import PurePath
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import sqlalchemy as sa
from sqlmodel import Session, col, select

from models.database import transaction
from models.jobs import Job, JobStatus
from models.officers import ActingOfficer
from models.registry_imports import ColumnAlias, RegistryImport
from models.registry_imports import RegistryImportStatus as S
from policies.clock import today
from policies.refusals import Refused
from reports.sheets.findings import SHOWN, Findings
from reports.sheets.marked import mark_book
from reports.sheets.registry import RegistrySheet
from reports.sheets.registry_files import Book, files_of, open_book
from reports.sheets.registry_templates import TEMPLATES, RegistryTemplate
from workflows.files import XLSX, content_of, store
from workflows.queue import finish, officer_of_post, progress
from workflows.registry_import_plans import PER_FILE, make_plan
from workflows.registry_import_preview import preview_of
from workflows.registry_import_rows import purge, stage, staged_upto

CHECK_JOB = "check_registry"
ZIP = "application/zip"
MARKED_SUFFIX = "-问题标注.xlsx"
MOST_LISTED = 20_000


class ImportMoved(Refused):
    """导入 {number} 已由他人处理（{status}），请刷新页面查看。"""


PROBLEMS = {
    "twice": ("id_number", "同一人在文件中重复，另见{place}", "请只保留一行"),
    "twice_asset": ("asset_kind", "同一户的同一种类、同一权证号重复，另见{place}", "请合并为一行，或填写各自的权证号"),
    "twice_account": ("account_number", "同一账号在文件中重复，另见{place}", "一个账号只能登记在一人名下，请核对"),
    "head_elsewhere": (
        "id_number", "户主由{township}登记，不能在本乡镇建户", "请由登记地办理迁移，或办理虚拟户引用（第十一条）",
    ),
    "no_household": (
        "household_number", "本乡镇没有登记这一户", "请核对户编号或户主身份证号；新户请用“户和人员登记表”",
    ),
    "closed_household": ("household_number", "该户已撤销", "请核对户编号；户已并入他户的，填并入后的户编号"),
    "other_name": ("name", "姓名与登记的姓名不一致", "请核对姓名和身份证号；更名、登记有误的，办理“更正身份信息”"),
    "other_household": ("household_number", "该人员登记在本乡镇另一户", "请核对；分户、转入他户的，办理相应的变更"),
    "not_alive": ("id_number", "该人员登记为死亡或迁出，不能变更", "请核对身份证号；登记有误的，先办理“恢复正常”"),
    "no_head": ("relation", "新户没有户主行", "每户须有且只有一位户主"),
    "two_heads": ("relation", "同一户有几位户主", "每户须有且只有一位户主；是几户的，填不同的户编号"),
    "other_head": ("relation", "户主与登记的户主不一致", "请核对；更换户主的，办理“变更户主”"),
    "home_differs": ("household_number", "同一户各行的嘎查村、小组、住址或户口性质不一致", "请改为一致"),
    "no_member": ("id_number", "该身份证号不在本乡镇基础信息库中", "请核对号码；新增对象先登记人员（第十二条）"),
    "account_taken": ("account_number", "该账号已登记在其他人名下", "请核对账号和持卡人（第十二条）"),
    "no_bank": ("bank_name", "开户银行不在代理金融机构名录中", "请填写名录中的名称（第三十四条）"),
}  # fmt: skip
"""What a problem of the plan is: the column, what, remedy."""

FOUND = sa.text(
    """
    select file_number, row_number, problem, coalesce(township, '') as township, other_place from import_plan
    where problem <> '' order by file_number, row_number limit :most
    """
)


@dataclass
class Part:
    """One sheet of one file of an upload, remembered once it has been read: no rows of it."""

    file: str
    sheet: str
    findings: Findings
    columns: dict[str, int] = field(default_factory=dict)


def run_check(job_id: int, post_id: int) -> None:
    """Read, stage and check one received register: the body of the job, safe to run again after any crash."""
    by = officer_of_post(post_id)
    with transaction(by) as session:
        job = session.get_one(Job, job_id)
        record = session.get_one(RegistryImport, job.arguments["import_id"])
        if record.status != S.RECEIVED:
            return
        content = content_of(session, record.file_id)
        run = Run(by, job_id, record, content, taught(session, record), today(session), staged_upto(session, record))
    try:
        run.read()
    except Refused as unreadable:
        run.refuse_unread(str(unreadable))
        return
    if not run.cancelled:
        run.conclude()


def taught(session: Session, record: RegistryImport) -> RegistryTemplate:
    """Return the template with the headers that the township has taught."""
    known = session.exec(
        select(ColumnAlias).where(
            ColumnAlias.division_code == record.division_code, ColumnAlias.subject == record.subject
        )
    )
    return TEMPLATES[record.subject].knowing({alias.label_key: alias.field for alias in known})


def sheets_of(book: Book, template: RegistryTemplate, day: date) -> list[RegistrySheet]:
    """Return the sheets that are registers: those with every required column, else the first that has any content."""
    found = []
    for name in book.sheet_names:
        sheet = RegistrySheet(book, name, template, day)
        if sheet.header is not None:
            found.append(sheet)
    whole = [sheet for sheet in found if sheet.readable]
    return whole or found[:1]


class Run:
    """One run of a check: reading file by file, its ends, each one transaction."""

    def __init__(
        self,
        by: ActingOfficer,
        job_id: int,
        record: RegistryImport,
        content: bytes,
        template: RegistryTemplate,
        day: date,
        staged: dict[int, int],
    ) -> None:
        self.by, self.job_id, self.record, self.content = by, job_id, record, content
        self.template, self.day, self.staged = template, day, staged
        self.parts: list[Part] = []
        self.maps: list[dict[str, Any]] = []
        self.rows = 0
        self.cancelled = False

    def read(self) -> None:
        """Read every file once; stage its rows chunk by chunk. Raises what `open_book` raises."""
        for sheet, file in self._sheets():
            part = Part(file, sheet.name, sheet.findings)
            self.parts.append(part)
            if sheet.header is None:
                sheet.findings.problem(0, -1, "没有找到表头", "请保留表头行，可下载空白模板")
                continue
            self.maps.append({"file": file} | sheet.column_map())
            part.columns = dict(sheet.header.columns)
            for chunk in sheet.chunks():
                total = max(sheet.height, sheet.row_count)
                if not progress(self.by, self.job_id, sheet.row_count, total, f"读取 {file}"):
                    self.cancel()
                    return
                if chunk.numbers[-1] > self.staged.get(len(self.parts), 0):
                    with transaction(self.by) as session:
                        stage(session, self.record, len(self.parts), chunk)
            sheet.finish()
            self.rows += sheet.row_count

    def _sheets(self) -> Iterator[tuple[RegistrySheet, str]]:
        for name, content in files_of(self.record.file_name, self.content):
            book = open_book(name, content)
            sheets = sheets_of(book, self.template, self.day)
            if not sheets:
                findings = Findings(next(iter(book.sheet_names), ""))
                findings.problem(0, -1, "没有找到表头", "请保留表头行，可下载空白模板")
                self.parts.append(Part(name, findings.sheet, findings))
            for sheet in sheets:
                yield sheet, name

    def conclude(self) -> None:
        """Ask the registry, then end the check: columns to map, problems, nothing to change, or a preview."""
        if any(one["missing"] for one in self.maps):
            self._ask_columns()
            return
        if not progress(self.by, self.job_id, self.rows, max(self.rows, 1), "与基础信息库核对"):
            self.cancel()
            return
        with transaction(self.by) as session:
            digest = make_plan(session, self.record)
            self._report(session)
            if not self._problems():
                self._end_checked(session, digest)
                return
        self._refuse()

    def _report(self, session: Session) -> None:
        for row in session.execute(FOUND, {"most": MOST_LISTED}):
            part = self.parts[row.file_number - 1]
            name, what, remedy = PROBLEMS[row.problem]
            said = what.format(township=row.township, place=self._place(row.other_place, row.file_number))
            column = part.columns.get(name, part.columns.get("id_number", part.columns.get("head_id_number", -1)))
            part.findings.problem(row.row_number, column, said, remedy)

    def _place(self, place: int, file_number: int) -> str:
        other, row = divmod(place, PER_FILE)
        part = self.parts[other - 1]
        return f"第 {row} 行" if other == file_number else f"“{part.file}”{part.sheet}第 {row} 行"

    def _problems(self) -> int:
        return sum(len(part.findings.problems) for part in self.parts)

    def _claim(self, session: Session) -> RegistryImport | None:
        """Return the import under lock if nobody has ended it meanwhile."""
        return session.execute(
            sa.select(RegistryImport)
            .where(col(RegistryImport.id) == self.record.id, col(RegistryImport.status) == S.RECEIVED)
            .with_for_update()
        ).scalar_one_or_none()

    def _end_checked(self, session: Session, digest: str) -> None:
        record = self._claim(session)
        if record is None:
            return
        self._note(record)
        for name, value in preview_of(session, record).items():
            setattr(record, name, value)
        changes = record.new_member_count + record.new_record_count + record.changed_count
        record.status = S.CHECKED if changes else S.UNCHANGED
        record.plan = digest
        message = (
            f"检查通过：新增 {record.new_member_count + record.new_record_count}，变动 {record.changed_count}，"
            f"无变动 {record.unchanged_count}，他处登记 {record.elsewhere_count}"
        )
        if not changes:
            purge(session, record)
            message = f"与基础信息库一致，无变动（{record.row_count} 行），没有需要复核的内容"
            if record.elsewhere_count:
                message = f"没有需要导入的内容：无变动 {record.unchanged_count}，由他处登记 {record.elsewhere_count}"
        record.message = message
        finish(session, self.job_id, JobStatus.DONE, message)

    def _note(self, record: RegistryImport) -> None:
        record.row_count = self.rows
        record.column_map = self.maps
        record.problem_count = self._problems()
        record.note_count = sum(len(part.findings.notes) for part in self.parts)
        listed = [
            {"file": part.file} | one.as_dict() for kind in ("problems", "notes") for part in self.parts
            for one in sorted(getattr(part.findings, kind), key=lambda one: (one.row, one.column))[:SHOWN]
        ]  # fmt: skip
        record.problems = listed[:SHOWN]

    def _ask_columns(self) -> None:
        """Leave it to the officer to say what the columns are."""
        with transaction(self.by) as session:
            record = self._claim(session)
            if record is None:
                return
            self._note(record)
            purge(session, record)
            record.status = S.COLUMNS
            record.message = "有必填的列没有认出，请在“对应列”中指明；指明一次后自动记住"
            finish(session, self.job_id, JobStatus.REFUSED, record.message)

    def _refuse(self) -> None:
        """Refuse the whole upload: give it back marked, keep nothing of its rows. （第三十条）"""
        name, marked = self._marked()
        with transaction(self.by) as session:
            record = self._claim(session)
            if record is None:
                return
            media = XLSX if name.endswith(".xlsx") else ZIP
            file = store(
                session, name, marked, by=self.by, division_code=record.division_code, media_type=media
            )  # fmt: skip
            purge(session, record)
            self._note(record)
            record.status, record.marked_file_id = S.REFUSED, file.id
            more = f"，页面显示前 {SHOWN} 条" if record.problem_count + record.note_count > SHOWN else ""
            record.message = (
                f"发现 {record.problem_count} 个问题，没有导入任何内容；请按标注文件逐项更正后重新上传{more}"
            )
            finish(session, self.job_id, JobStatus.REFUSED, record.message, file.id)

    def _marked(self) -> tuple[str, bytes]:
        """Return the upload with its cells marked: a workbook, or an archive of those that have problems."""
        by_file: dict[str, list[Any]] = {}
        for part in self.parts:
            by_file.setdefault(part.file, []).extend(part.findings.ordered())
        made = [
            (f"{PurePath(name).stem}{MARKED_SUFFIX}", mark_book(open_book(name, content), content, by_file[name]))
            for name, content in files_of(self.record.file_name, self.content)
            if any(one.kind == "problem" for one in by_file.get(name, ()))
        ]
        if len(made) == 1:
            return made[0]
        buffer = BytesIO()
        with ZipFile(buffer, "w", ZIP_DEFLATED) as package:
            for name, content in made:
                package.writestr(name, content)
        return f"{PurePath(self.record.file_name).stem}-问题标注.zip", buffer.getvalue()

    def refuse_unread(self, reason: str) -> None:
        """Refuse a file that can't be read at all: there is nothing to mark."""
        with transaction(self.by) as session:
            record = self._claim(session)
            if record is None:
                return
            purge(session, record)
            what, _, remedy = reason.partition("；")
            record.status, record.problem_count, record.message = S.REFUSED, 1, reason
            record.problems = [
                {"file": record.file_name, "kind": "problem", "sheet": "", "cell": "整个文件", "row": 0, "what": what,
                 "remedy": remedy}
            ]  # fmt: skip
            finish(session, self.job_id, JobStatus.REFUSED, reason)

    def cancel(self) -> None:
        """End a cancelled check: nothing of it stays."""
        self.cancelled = True
        with transaction(self.by) as session:
            record = self._claim(session)
            if record is None:
                return
            purge(session, record)
            record.status, record.message = S.CANCELLED, "已取消，没有导入任何内容"
            finish(session, self.job_id, JobStatus.CANCELLED, record.message)
