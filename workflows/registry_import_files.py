"""Workbooks of an import that go back to the township: marked, with each row's result, or filled from the registry.

（第十一、三十条）
"""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from io import BytesIO
from pathlib import PurePath
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import sqlalchemy as sa
import xlsxwriter
from sqlmodel import Session

from models.crypto import ring
from models.divisions import Division
from models.households import AssetKind, HukouKind
from models.jobs import StoredFile
from models.officers import ActingOfficer
from models.registry_imports import ImportSubject, RegistryImport
from policies.clock import today
from policies.codes import ETHNICITIES, RELATIONS, SEXES
from policies.enforcement import allow
from policies.permissions import Permission
from policies.refusals import NotFound
from reports.sheets.findings import NOTE, Finding
from reports.sheets.marked import mark_book
from reports.sheets.registry_files import files_of, open_book
from reports.sheets.registry_templates import HEADER_ROW, SAFE, TEMPLATES, begin_sheet, write_template
from reports.sheets.templates import Field
from workflows.files import XLSX, Download, content_of
from workflows.registry_import_check import ZIP, sheets_of, taught
from workflows.reveals import record_list, require_reason

OUTCOMES = {"n": "已新增", "c": "已更新", "u": "无变动", "e": "由其他苏木乡镇登记，未导入"}
ROWS_AT_ONCE = 2_000


def marked_file(session: Session, record: RegistryImport, *, by: ActingOfficer) -> Download:
    """Return a refused upload with its cells marked. Raises NotAllowed, NotFound."""
    allow(session, by, Permission.REGISTRY_CHANGE_PROPOSE, record)
    return _stored(session, record.marked_file_id)


def source_file(session: Session, record: RegistryImport, *, by: ActingOfficer) -> Download:
    """Return the upload to the second person, who must know what is agreed to. Raises NotAllowed, NotFound."""
    allow(session, by, Permission.REGISTRY_CHANGE_APPROVE, record)
    return _stored(session, record.file_id)


def _stored(session: Session, file_id: int | None) -> Download:
    file = session.get(StoredFile, file_id) if file_id else None
    if file is None:
        raise NotFound
    return Download(file.name, content_of(session, file_id), file.media_type)


def result_file(session: Session, record: RegistryImport, *, by: ActingOfficer) -> Download:
    """Return the upload with the outcome of each of its rows. Raises NotAllowed, NotFound."""
    allow(session, by, Permission.REGISTRY_CHANGE_PROPOSE, record)
    template, day = taught(session, record), today(session)
    made, number = [], 0
    for name, content in files_of(record.file_name, content_of(session, record.file_id)):
        book, findings = open_book(name, content), []
        for sheet in sheets_of(book, template, day):
            number += 1
            outcomes = iter(record.outcomes.get(str(number), ""))
            rows = (row for chunk in sheet.chunks() for row in chunk.numbers)
            findings += [
                Finding(NOTE, sheet.name, row, -1, OUTCOMES[code]) for row, code in zip(rows, outcomes, strict=False)
            ]
        made.append((f"{PurePath(name).stem}-导入结果.xlsx", mark_book(book, content, findings, anew=True)))
    if len(made) == 1:
        return Download(made[0][0], made[0][1], XLSX)
    buffer = BytesIO()
    with ZipFile(buffer, "w", ZIP_DEFLATED) as package:
        for name, content in made:
            package.writestr(name, content)
    return Download(f"{PurePath(record.file_name).stem}-导入结果.zip", buffer.getvalue(), ZIP)


BANKS = sa.text("select name from agent_banks order by id")


def empty_template(session: Session, subject: ImportSubject, *, by: ActingOfficer) -> Download:
    """Return the empty workbook of a register, with the drop-downs of the officer's place."""
    content = write_template(subject, _unit(session, by), tuple(session.execute(BANKS).scalars()))
    return Download(f"{subject.label}（空白）.xlsx", content, XLSX)


def _unit(session: Session, by: ActingOfficer) -> str:
    place = session.get(Division, by.division_code)
    return place.name if place else ""


PEOPLE = """
select h.number as household_number, h.village, h.group_name, h.address, h.hukou_kind, h.head_name, head.id_number as
    head_id_number, m.name, m.id_number, m.relation, m.sex, m.birth_date, m.ethnicity, m.phone
from members m
join households h on h.division_code = m.division_code and h.id = m.household_id
left join members head on head.division_code = h.division_code and head.household_id = h.id and head.current
    and head.relation = '02'
where m.division_code = :division and m.current and m.status <> 'moved' and h.status = 'active' {heads}
order by h.village, h.group_name, h.id, m.relation <> '02', m.relation, m.id
"""
ASSETS = """
select h.number as household_number, h.head_name, head.id_number as head_id_number, a.kind as asset_kind, a.quantity,
    a.unit, a.as_of, a.source, a.certificate_number
from assets a
join households h on h.division_code = a.division_code and h.id = a.household_id
left join members head on head.division_code = h.division_code and head.household_id = h.id and head.current
    and head.relation = '02'
where a.division_code = :division and a.ended_on is null and h.status = 'active' order by h.village, h.id, a.kind, a.id
"""
ACCOUNTS = """
select m.name, m.id_number, a.number as account_number, a.bank_name
from accounts a join members m on m.division_code = a.division_code and m.id = a.member_id
where a.division_code = :division and m.current and a.status not in ('closed', 'rejected') order by m.id, a.id
"""
QUESTIONS = {
    ImportSubject.REGISTER: PEOPLE.format(heads=""),
    ImportSubject.HOUSEHOLDS: PEOPLE.format(heads="and m.relation = '02'"),
    ImportSubject.MEMBERS: PEOPLE.format(heads=""),
    ImportSubject.ASSETS: ASSETS,
    ImportSubject.ACCOUNTS: ACCOUNTS,
}
LABELS: dict[str, Mapping[Any, str]] = {
    "relation": RELATIONS, "ethnicity": ETHNICITIES, "sex": SEXES, "hukou_kind": {k: k.label for k in HukouKind},
    "asset_kind": {k: k.label for k in AssetKind},
}  # fmt: skip


def filled_template(session: Session, *, by: ActingOfficer, subject: ImportSubject, reason: str) -> Download:
    """Return the township's own registry as a register, to be corrected and brought back. （第十一、三十条）

    It holds personal data in full: the reason, count and digest are recorded. Raises NotAllowed, ReasonMissing,
    RevealsUsedUp.
    """
    allow(session, by, Permission.REGISTRY_CHANGE_PROPOSE)
    require_reason(reason)
    template, buffer, count = TEMPLATES[subject], BytesIO(), 0
    with xlsxwriter.Workbook(buffer, SAFE) as book:
        banks = tuple(session.execute(BANKS).scalars())
        sheet, text = begin_sheet(book, template, _unit(session, by), banks)
        for count, row in enumerate(_rows(session, subject, by.division_code), 1):
            for place, one in enumerate(template.fields):
                value = str(count) if one.name == "sequence" else _value(one, row)
                if isinstance(value, str):
                    sheet.write_string(HEADER_ROW + count, place, value, text)
                else:
                    sheet.write_number(HEADER_ROW + count, place, value)
    title = f"{subject.label}（当前登记）"
    digest = sha256(buffer.getvalue()).hexdigest()
    record_list(session, by=by, noun="registry_import", title=title, count=count, digest=digest, reason=reason)
    return Download(f"{title}.xlsx", buffer.getvalue(), XLSX)


def _rows(session: Session, subject: ImportSubject, division: str) -> Iterator[Any]:
    asked = session.execute(
        sa.text(QUESTIONS[subject]), {"division": division}, execution_options={"yield_per": ROWS_AT_ONCE}
    )
    yield from asked.mappings()


def _value(one: Field, row: Any) -> str | float:
    """Return a cell of the registry as officers write it."""
    value = row.get(one.name)
    if value is None:
        return ""
    if one.name in LABELS:
        return LABELS[one.name].get(value, str(value))
    if isinstance(value, bytes | memoryview):
        return ring().open(bytes(value))
    return float(value) if one.number else str(value)
