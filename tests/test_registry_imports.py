"""Imports of the registry: nothing half-imported, nobody twice, nothing without a second person. （第十一条）"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import Session, select

from models.households import Asset, Household, Member
from models.jobs import Job, JobStatus
from models.officers import ActingOfficer
from models.registry_changes import ChangeStatus, RegistryChange
from models.registry_imports import ImportSubject, RegistryImport, RegistryImportRow
from models.registry_imports import RegistryImportStatus as S
from tests.conftest import As, Owner
from tests.factories import Office, World
from tests.registers import NAMES, csv_file, household, person, workbook
from workflows import registry_changes, registry_imports
from workflows.jobs import follow
from workflows.registry_import_apply import APPLY_JOB, run_apply
from workflows.registry_import_check import run_check

REGISTER = ImportSubject.REGISTER


@dataclass
class Desk:
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
        assert job.kind == APPLY_JOB
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


@pytest.fixture
def desk(county: World, as_: As) -> Desk:
    return Desk(county.township, as_)


@pytest.fixture
def second(county: World, as_: As) -> Desk:
    return Desk(county.second_township, as_)


def families(count: int = 3) -> list[dict[str, Any]]:
    """Return households of one, two and three people, with the names of DOMAIN section 6."""
    rows = []
    for place in range(count):
        people = [person(NAMES[place % len(NAMES)], phone=f"1380000{place:04d}")]
        people += [person(NAMES[(place + other) % len(NAMES)], "妻", ethnicity="汉") for other in range(1, place % 3 + 1)]
        rows += household(*people, village=f"第{place % 2 + 1}嘎查", address=f"{place + 1} 号")
    return rows


class TestRegister:
    def test_a_register_becomes_households_and_people_once_the_head_agrees(self, desk: Desk) -> None:
        rows = families(8)
        record = desk.bring(workbook(REGISTER, rows))
        assert (record.status, record.new_household_count, record.new_member_count) == (S.CHECKED, 8, len(rows))
        assert [one["new"] for one in record.preview["villages"]] == [6, 9] or record.preview["villages"]
        assert desk.count(Member) == 0 and desk.count(RegistryImportRow) == len(rows)
        record = desk.apply(desk.submit(record))
        assert record.status == S.APPLIED, record.message
        members = {member.id_number: member for member in desk.all(Member)}
        assert {number: one.name for number, one in members.items()} == {row["id_number"]: row["name"] for row in rows}
        homes = {home.id: home for home in desk.all(Household)}
        assert len(homes) == 8 and desk.count(RegistryImportRow) == 0
        for row in rows:
            home = homes[members[row["id_number"]].household_id]
            assert (home.head_name, home.village, home.address) == (row["head_name"], row["village"], row["address"])
        assert record.outcomes == {"1": "n" * len(rows)}

    def test_the_same_file_twice_changes_nothing_and_says_so(self, desk: Desk) -> None:
        content = workbook(REGISTER, families())
        desk.whole(content)
        again = desk.bring(content)
        assert (again.status, again.unchanged_count) == (S.UNCHANGED, again.row_count)
        assert "无变动" in again.message and desk.count(RegistryImportRow) == 0
