"""Importing a township's registry from workbooks: received, checked, submitted, true once a second person agrees.

（第十一条）A register with any problem changes nothing; one without becomes ONE change of the registry, which
`registry_import_apply.py` writes in one transaction.
"""

from collections.abc import Mapping
from datetime import timedelta
from hashlib import sha256
from pathlib import PurePath

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select

from models.base import county_of
from models.jobs import Job
from models.officers import ActingOfficer
from models.registry_changes import ChangeKind
from models.registry_imports import ColumnAlias, ImportSubject, RegistryImport
from models.registry_imports import RegistryImportStatus as S
from policies.clock import now
from policies.enforcement import allow
from policies.permissions import Permission
from policies.refusals import Refused
from reports.sheets.registry_files import require_register
from reports.sheets.registry_templates import TEMPLATES
from reports.sheets.templates import label_key
from reports.sheets.workbooks import MAX_BYTES
from workflows.files import content_of, store
from workflows.numbers import next_numbers
from workflows.queue import start_job
from workflows.registry_changes import propose
from workflows.registry_import_apply import APPLY_JOB
from workflows.registry_import_check import CHECK_JOB, ZIP
from workflows.registry_import_rows import clear_abandoned, purge

KEPT_DAYS = 30
"""A checked register that nobody submits within this time is given up, as its file is."""


class ImportUnderWay(Refused):
    """该文件正在导入（{number}，{status}），不必重复上传；请在该导入的页面继续办理。"""


class ImportNotReady(Refused):
    """导入 {number} 当前状态为“{status}”，不能{step}；请刷新页面查看。"""


class ColumnsTwice(Refused):
    """“{title}”对应了两列（{labels}），一列只能对应一次；请改正后再确认。"""

    status_code = 400


class ColumnsMissing(Refused):
    """必填的“{title}”还没有对应的列；请选择对应的列，或在文件中补充这一列后重新上传。"""

    status_code = 400


def receive(
    session: Session,
    *,
    by: ActingOfficer,
    subject: ImportSubject,
    file_name: str,
    content: bytes,
    most_bytes: int = MAX_BYTES,
) -> RegistryImport:
    """Receive a register of the officer's township and start its check. （第十一条）

    Raises NotAllowed, FileEmpty, FileTooBig, WrongFileType, WorkbookEncrypted, WorkbookDamaged, TextUnreadable,
    ArchiveTooBig, ArchiveEmpty, ImportUnderWay.
    """
    allow(session, by, Permission.REGISTRY_CHANGE_PROPOSE)
    name = PurePath(file_name.replace("\\", "/")).name or "登记表.xlsx"
    require_register(name, content, most_bytes)
    moment = now(session)
    clear_abandoned(session, moment - timedelta(days=KEPT_DAYS))
    digest = sha256(content).hexdigest()
    _require_none_under_way(session, by, subject, digest)
    media = ZIP if name.lower().endswith(".zip") else "application/octet-stream"
    file = store(session, name, content, by=by, division_code=by.division_code, media_type=media)
    record = RegistryImport(
        division_code=by.division_code,
        county_code=county_of(by.division_code),
        number=next_numbers(session, RegistryImport, "DR", by.division_code)[0],
        subject=subject,
        file_id=file.id or 0,
        file_name=name,
        sha256=digest,
        received_at=moment,
        received_by=by.officer_id,
    )
    session.add(record)
    session.flush()
    _start_check(session, record, by)
    return record


def _require_none_under_way(session: Session, by: ActingOfficer, subject: ImportSubject, digest: str) -> None:
    found = session.exec(
        select(RegistryImport).where(
            RegistryImport.division_code == by.division_code,
            RegistryImport.subject == subject,
            RegistryImport.sha256 == digest,
            col(RegistryImport.status).in_((S.RECEIVED, S.COLUMNS, S.CHECKED, S.SUBMITTED)),
        )
    ).first()
    if found is not None:
        raise ImportUnderWay(number=found.number, status=found.status.label)


def _start_check(session: Session, record: RegistryImport, by: ActingOfficer) -> Job:
    title = f"检查{record.subject.label}（{record.number}）"
    return start_job(
        session, by=by, kind=CHECK_JOB, title=title, division_code=record.division_code,
        arguments={"import_id": record.id},
    )  # fmt: skip


def job_of(session: Session, record: RegistryImport) -> Job | None:
    """Return the latest job of an import, to follow its progress."""
    mine = sa.cast(Job.arguments["import_id"], sa.Text) == str(record.id)
    if record.change_id is not None:
        mine = sa.or_(mine, sa.cast(Job.arguments["change_id"], sa.Text) == str(record.change_id))
    statement = select(Job).where(
        Job.division_code == record.division_code, col(Job.kind).in_((CHECK_JOB, APPLY_JOB)), mine
    )
    return session.exec(statement.order_by(col(Job.id).desc())).first()


def map_columns(
    session: Session, record: RegistryImport, *, by: ActingOfficer, columns: Mapping[str, str]
) -> RegistryImport:
    """Say which headers stand for which columns; the township's next files are read alike. （第十一条）

    columns: header as written → name of the field, "" to leave the column out. Raises NotAllowed, ImportNotReady,
    ColumnsTwice, ColumnsMissing.
    """
    allow(session, by, Permission.REGISTRY_CHANGE_PROPOSE, record)
    _require(record, "对应列", S.COLUMNS, S.REFUSED, S.CHECKED, S.UNCHANGED)
    template = TEMPLATES[record.subject]
    names = {one.name for one in template.fields}
    chosen = {label: name for label, name in columns.items() if name in names or not name}
    for one in template.fields:
        labels = [label for label, name in chosen.items() if name == one.name]
        if len(labels) > 1:
            raise ColumnsTwice(title=one.title, labels="、".join(labels))
        if one.required and not labels:
            raise ColumnsMissing(title=one.title)
    moment = now(session)
    rows = [
        {"division_code": record.division_code, "subject": record.subject, "label_key": label_key(label),
         "label": label, "field": name, "learned_at": moment, "learned_by": by.officer_id}
        for label, name in chosen.items() if _is_taught(record, label, name)
    ]  # fmt: skip
    if rows:
        statement = insert(ColumnAlias).values(rows)
        kept = {name: statement.excluded[name] for name in ("label", "field", "learned_at", "learned_by")}
        session.execute(
            statement.on_conflict_do_update(index_elements=["division_code", "subject", "label_key"], set_=kept)
        )
    return _check_again(session, record, by)


def _is_taught(record: RegistryImport, label: str, name: str) -> bool:
    """Tell whether the header says something else than what is built in."""
    built_in = TEMPLATES[record.subject].match(label)
    return (built_in.name if built_in else "") != name or any(
        one["label"] == label and one["field"] != name for part in record.column_map for one in part["columns"]
    )


def check_again(session: Session, record: RegistryImport, *, by: ActingOfficer) -> RegistryImport:
    """Compare a register anew with the registry as it stands now. （第十一条） Raises NotAllowed, ImportNotReady."""
    allow(session, by, Permission.REGISTRY_CHANGE_PROPOSE, record)
    _require(record, "重新检查", S.CHECKED, S.UNCHANGED, S.REFUSED)
    return _check_again(session, record, by)


def _check_again(session: Session, record: RegistryImport, by: ActingOfficer) -> RegistryImport:
    content_of(session, record.file_id)
    purge(session, record)
    record.status, record.message, record.problems, record.preview = S.RECEIVED, "", [], {}
    record.marked_file_id = None
    session.add(record)
    session.flush()
    _start_check(session, record, by)
    return record


def submit(session: Session, record: RegistryImport, *, by: ActingOfficer, reason: str) -> RegistryImport:
    """Submit a checked register as one change: true once a second person agrees. （第十一、二十三条）

    Raises NotAllowed, ImportNotReady, ReasonMissing.
    """
    allow(session, by, Permission.REGISTRY_CHANGE_PROPOSE, record)
    _require(record, "提交", S.CHECKED)
    shown = {
        "登记表": record.subject.label,
        "文件": record.file_name,
        "行数": str(record.row_count),
        "新建户": str(record.new_household_count),
        "新增": str(record.new_member_count + record.new_record_count),
        "变动": str(record.changed_count),
        "无变动": str(record.unchanged_count),
        "他处登记（不导入）": str(record.elsewhere_count),
    }
    change = propose(
        session, ChangeKind.IMPORT, by=by, reason=reason, before={}, after=shown,
        row_count=record.new_member_count + record.new_record_count + record.changed_count,
        facts={"import_id": record.id, "plan": record.plan},
    )  # fmt: skip
    record.status, record.change_id = S.SUBMITTED, change.id
    record.message = f"已提交变更单 {change.number}，等待负责人复核"
    session.add(record)
    session.flush()
    return record


def discard(session: Session, record: RegistryImport, *, by: ActingOfficer) -> RegistryImport:
    """Give up a register that was not submitted: nothing stays. （第三十条） Raises NotAllowed, ImportNotReady."""
    allow(session, by, Permission.REGISTRY_CHANGE_PROPOSE, record)
    _require(record, "放弃", S.COLUMNS, S.CHECKED)
    purge(session, record)
    record.status, record.message = S.CANCELLED, "已放弃，没有导入任何内容"
    session.add(record)
    session.flush()
    return record


def _require(record: RegistryImport, step: str, *statuses: S) -> None:
    if record.status not in statuses:
        raise ImportNotReady(number=record.number, status=record.status.label, step=step)
