"""Builders of registers: people in rows, workbooks and CSV files of them; the desk that imports them."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlmodel import select

from models.jobs import Job
from models.officers import ActingOfficer
from models.registry_changes import RegistryChange
from models.registry_imports import ImportSubject, RegistryImport
from models.registry_imports import RegistryImportStatus as S
from reports.sheets.registry_templates import TEMPLATES
from reports.sheets.templates import Template, write_sheet
from tests import factories
from tests.conftest import As
from tests.factories import Office
from workflows import registry_changes, registry_imports
from workflows.jobs import follow
from workflows.registry_import_apply import run_apply
from workflows.registry_import_check import run_check

REGISTER = ImportSubject.REGISTER

FIRST = 4
"""The first data row below title, unit and header of what `workbook` writes."""
OLD_XLS = (
    "eNrtWF1IU2EYfr6zHfeTzm1poIEMISv14qxpLcJWQUlQQzNQI6gtB4VDY0bQD2TpIpAi6MroRvAmArObLOwi6caLYJEXQRBoP1ddBUVB"
    "utP7vTtbs7xwUJJxnsP3fu//+c75fs95kfLMjjyonMMv2AkL0roDRXk6QcWRFdwgu65LNlvbqegmVhUcdurIIhWTJc9tsg9lf89Bwbh1"
    "iijwlspRnEa4tyfmW0Hs4TZEhGxDE1GBO6RxoYJb5WV6gulapvfZ8wnTXay5zrSJfGfFEaRC4dqgMYo7lGq2uSDzTnDMa9b4UY5pOYov"
    "3RQZXxW7E6ci8X/TUGUtxiio35pjPbFEJD6LMurAUXzRfcDn7Ex96jP1K6sXIP23xXrbEvpbihXoh36cB3iSBmSdVVos4sLZ8aGT1+Zx"
    "FcUky0IeM50lh60Q924shKeGvrapEK7wtuiOcF/r94tk9sRTMdKpbRM4EP4Qa497aUA3ag0Bzb+9sVELEK81dJCjjLFADA++b0vFSB7q"
    "e7Y1zzeoaX7N798SCAqIyU4i++NOufTzUuFetFSU8BQqJtqFUuY9PJHctBnM3/308mC0JXSMNf28PWQ2kQ3yuaHjsoygYBdbLEylpZYj"
    "6phe4azrma9kWkbDn+qalnKD2TfAPoNsraH7BBgzoY15/Cbikx9bH1Ul34U2Ez/WPHe+bOxVaATVtKl1Uby8BlAv6sXtYYnHoWwtjAXn"
    "DdOK3xYfu+I22q4bO2UpFuBk1sM0I8m3I3KSYryrjGQhyWLkEkvkEpzLavgLzqXmJJmrKCfJXDYjl7JELoVz2Q3/TK85cpLM5cxJMtca"
    "eSBQvHgoA2l5/QknTJgwYcKECRMmTKwqCD6IZg7f8nCpGgd7m/FfZ4FK2vxN8t/iEHrpOkMfpnvRQ3UC5woaP+ugimwuscyY7P9CiXa6"
    "ewLdiHI7ugsev/RhJvKfZ9mB7j83hQq9f7qQdv7l+/8ASWfm5w=="
)
"""A .xls workbook of a household of two, packed: nothing that we depend on writes the format."""
NAMES = ("额尔德尼巴雅尔", "包·乌日汗", "孛儿只斤·额尔敦巴特尔", "王㛃", "𠅤玉兰", "乌云其木格", "金", "阿拉坦・其其格")
"""Names of DOMAIN section 6: continuous, dotted, rare, outside the BMP, of one character, with another dot."""


def person(name: str, relation: str = "户主", *, born: date | None = None, **fields: Any) -> dict[str, Any]:
    """Return one row of a register."""
    number = fields.pop("id_number", "") or factories.an_id_number(born)
    return {"name": name, "id_number": number, "relation": relation, "ethnicity": "蒙古族"} | fields


def household(*people: dict[str, Any], **fields: Any) -> list[dict[str, Any]]:
    """Return the rows of a household: each bears the household's columns."""
    head = next(one for one in people if one["relation"] == "户主")
    values = {"village": "东村", "group_name": "一组", "address": "东村 1 号", "hukou_kind": "农业（农牧区）户口",
              "head_name": head["name"], "head_id_number": head["id_number"]} | fields  # fmt: skip
    return [values | one for one in people]


def workbook(subject: ImportSubject, rows: Sequence[dict[str, Any]]) -> bytes:
    """Return a workbook with the columns of the register's template."""
    template = TEMPLATES[subject]
    return write_sheet(Template(template.code, template.title, template.fields), template.title, rows, unit="测试镇")


def csv_file(subject: ImportSubject, rows: Sequence[dict[str, Any]], encoding: str = "utf-8-sig") -> bytes:
    """Return a CSV file with the columns of the register's template."""
    fields = TEMPLATES[subject].fields
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow([one.title for one in fields])
    for row in rows:
        writer.writerow([row.get(one.name, "") for one in fields])
    return buffer.getvalue().encode(encoding)


def families(count: int = 3) -> list[dict[str, Any]]:
    """Return households of one, two and three people, with the names of DOMAIN section 6."""
    rows = []
    for place in range(count):
        people = [person(NAMES[place % len(NAMES)], phone=f"1380000{place:04d}")]
        people += [
            person(NAMES[(place + other) % len(NAMES)], relation, ethnicity="汉")
            for other, relation in enumerate(("妻", "长子")[: place % 3], 1)
        ]
        rows += household(*people, village=f"第{place % 2 + 1}嘎查", address=f"{place + 1} 号")
    return rows


@dataclass
class ImportDesk:
    """A township's clerk and head with registers."""

    office: Office
    as_: As

    @property
    def clerk(self) -> ActingOfficer:
        return self.office.clerk

    def receive(self, content: bytes, subject: ImportSubject = REGISTER, name: str = "登记表.xlsx") -> RegistryImport:
        with self.as_(self.clerk) as session:
            return registry_imports.receive(session, by=self.clerk, subject=subject, file_name=name, content=content)

    def job(self, record: RegistryImport) -> Job:
        with self.as_(self.clerk) as session:
            job = registry_imports.job_of(session, record)
            assert job is not None
            return job

    def again(self, record: RegistryImport) -> RegistryImport:
        with self.as_(self.clerk) as session:
            return session.get_one(RegistryImport, record.id)

    def check(self, record: RegistryImport) -> RegistryImport:
        job = self.job(record)
        follow(job.id or 0, job.post_id, run_check)
        return self.again(record)

    def bring(self, content: bytes, subject: ImportSubject = REGISTER, name: str = "登记表.xlsx") -> RegistryImport:
        return self.check(self.receive(content, subject, name))

    def submit(self, record: RegistryImport) -> RegistryImport:
        with self.as_(self.clerk) as session:
            found = session.get_one(RegistryImport, record.id)
            return registry_imports.submit(session, found, by=self.clerk, reason="首次建档")

    def approve(self, record: RegistryImport) -> Job:
        with self.as_(self.office.head) as session:
            change = session.get_one(RegistryChange, record.change_id)
            registry_changes.approve(session, change, by=self.office.head)
        return self.job(record)

    def apply(self, record: RegistryImport) -> RegistryImport:
        job = self.approve(record)
        follow(job.id or 0, job.post_id, run_apply)
        return self.again(record)

    def whole(self, content: bytes, subject: ImportSubject = REGISTER, name: str = "登记表.xlsx") -> RegistryImport:
        record = self.bring(content, subject, name)
        assert record.status == S.CHECKED, record.problems or record.message
        return self.apply(self.submit(record))

    def all(self, model: type[Any]) -> Sequence[Any]:
        with self.as_(self.clerk) as session:
            return session.exec(select(model).order_by(sa.text("1"))).all()

    def count(self, model: type[Any]) -> int:
        return len(self.all(model))
