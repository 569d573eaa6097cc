"""Imports of the registry at odds: two persons, two townships, a cancelled job, a killed worker. （第十一条）"""

import subprocess
import sys
import threading
import time
from datetime import date

import pytest
import sqlalchemy as sa
from sqlmodel import select

from models.crypto import id_index
from models.households import Household, Member
from models.jobs import JobStatus
from models.registry_changes import ChangeStatus, RegistryChange
from models.registry_imports import RegistryImportRow
from models.registry_imports import RegistryImportStatus as S
from policies.refusals import NotAllowed, SamePersonTwice
from reports.sheets.registry import RegistrySheet
from reports.sheets.registry_files import open_book
from reports.sheets.registry_templates import TEMPLATES
from tests.conftest import ROOT, As, Owner
from tests.factories import World
from tests.registers import (
    REGISTER,
    ImportDesk,
    csv_file,
    families,
    household,
    person,
    workbook,
)
from workflows import registry_changes
from workflows.jobs import cancel, follow
from workflows.registry_import_apply import give_back_stuck, run_apply
from workflows.registry_import_rows import stage

WAITING = sa.text(
    "select count(*) from pg_stat_activity where datname = current_database() and usename = 'yikatong_app'"
    " and wait_event_type = 'Lock'"
)


@pytest.fixture
def desk(county: World, as_: As) -> ImportDesk:
    return ImportDesk(county.township, as_)


@pytest.fixture
def second(county: World, as_: As) -> ImportDesk:
    return ImportDesk(county.second_township, as_)


class TestTwoPersons:
    def test_whoever_submits_can_t_agree(self, desk: ImportDesk) -> None:
        record = desk.submit(desk.bring(workbook(REGISTER, families(1))))
        with desk.as_(desk.clerk) as session, pytest.raises((NotAllowed, SamePersonTwice)):
            change = session.get_one(RegistryChange, record.change_id)
            registry_changes.approve(session, change, by=desk.clerk)

    def test_nobody_agrees_to_a_register_with_their_own_household(self, desk: ImportDesk, owner: Owner) -> None:
        rows = families(2)
        with owner() as session:
            session.execute(
                sa.text("update officers set person_index = :own where id = :id"),
                {"own": id_index(rows[1]["id_number"]), "id": desk.office.head.officer_id},
            )
        record = desk.apply(desk.submit(desk.bring(workbook(REGISTER, rows))))
        assert record.status == S.CHECKED and "您本人或家庭成员的登记" in record.message
        assert desk.count(Member) == 0

    def test_a_withdrawn_change_leaves_nothing(self, desk: ImportDesk) -> None:
        record = desk.submit(desk.bring(workbook(REGISTER, families(1))))
        with desk.as_(desk.clerk) as session:
            change = session.get_one(RegistryChange, record.change_id)
            registry_changes.withdraw(session, change, by=desk.clerk, reason="文件不对")
        desk.bring(workbook(REGISTER, families(1)))
        assert desk.again(record).status == S.CANCELLED
        with desk.as_(desk.clerk) as session:
            left = session.exec(select(RegistryImportRow).where(RegistryImportRow.import_id == record.id)).all()
        assert left == [] and desk.count(Member) == 0

    def test_what_has_moved_on_since_the_check_is_not_written(self, desk: ImportDesk, owner: Owner) -> None:
        rows = families(2)
        desk.whole(workbook(REGISTER, rows))
        rows[0]["phone"] = "13999998888"
        record = desk.submit(desk.bring(workbook(REGISTER, rows)))
        with owner() as session:
            session.execute(sa.text("update members set version = version + 1 where relation = '02'"))
        record = desk.apply(record)
        assert record.status == S.CHECKED and "重新检查" in record.message
        with desk.as_(desk.clerk) as session:
            statuses = set(session.exec(select(RegistryChange.status)).all())
        assert statuses == {ChangeStatus.APPLIED, ChangeStatus.RETURNED}
        assert "13999998888" not in {one.phone for one in desk.all(Member)}


class TestNobodyTwice:
    def test_people_of_another_township_are_left_out_and_named_by_township(
        self, desk: ImportDesk, second: ImportDesk
    ) -> None:
        rows = families(3)
        desk.whole(workbook(REGISTER, rows))
        mine = household(person("新户主"), rows[2] | {"relation": "妻"})
        record = second.bring(workbook(REGISTER, mine))
        assert (record.status, record.new_member_count, record.elsewhere_count) == (S.CHECKED, 1, 1)
        assert record.preview["elsewhere"][0]["people"] == 1 and "敖汉旗" in record.preview["elsewhere"][0]["township"]
        record = second.apply(second.submit(record))
        assert second.count(Member) == 1 and record.outcomes == {"1": "ne"}

    def test_two_townships_at_once_one_is_told_and_nothing_of_it_stays(
        self, desk: ImportDesk, second: ImportDesk
    ) -> None:
        rows = families(3)
        records = [one.submit(one.bring(workbook(REGISTER, rows))) for one in (desk, second)]
        jobs = [one.approve(record) for one, record in zip((desk, second), records, strict=True)]
        threads = [threading.Thread(target=follow, args=(job.id, job.post_id, run_apply)) for job in jobs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        ended = [one.again(record) for one, record in zip((desk, second), records, strict=True)]
        assert {record.status for record in ended} == {S.APPLIED, S.CHECKED}
        told = next(record for record in ended if record.status == S.CHECKED)
        assert f"{len(rows)} 人刚刚由" in told.message and "敖汉旗" in told.message
        assert {desk.count(Member), second.count(Member)} == {len(rows), 0}
        assert {desk.count(Household), second.count(Household)} == {3, 0}


class TestCancelAndCrash:
    def test_a_cancelled_check_leaves_nothing(self, desk: ImportDesk) -> None:
        record = desk.receive(workbook(REGISTER, families(2)))
        job = desk.job(record)
        with desk.as_(desk.clerk) as session:
            session.execute(sa.text("update jobs set cancel_asked = true where id = :job"), {"job": job.id})
        record = desk.check(record)
        assert (record.status, desk.job(record).status) == (S.CANCELLED, JobStatus.CANCELLED)
        assert desk.count(RegistryImportRow) == 0

    def test_a_cancelled_write_leaves_nothing_and_gives_the_change_back(self, desk: ImportDesk) -> None:
        record = desk.submit(desk.bring(workbook(REGISTER, families(2))))
        job = desk.approve(record)
        with desk.as_(desk.office.head) as session:
            session.execute(sa.text("update jobs set cancel_asked = true where id = :job"), {"job": job.id})
        follow(job.id or 0, job.post_id, run_apply)
        record = desk.again(record)
        assert record.status == S.CHECKED and desk.count(Member) == desk.count(Household) == 0
        assert desk.all(RegistryChange)[0].status == ChangeStatus.RETURNED
        assert desk.apply(desk.submit(record)).status == S.APPLIED, "submitted again it is written"

    def test_a_write_whose_job_was_cancelled_in_the_queue_goes_back_by_sweep(self, desk: ImportDesk) -> None:
        record = desk.submit(desk.bring(workbook(REGISTER, families(1))))
        job = desk.approve(record)
        with desk.as_(desk.office.head) as session:
            cancel(session, session.get_one(type(job), job.id), by=desk.office.head)
        assert give_back_stuck(desk.clerk) == 1
        assert desk.again(record).status == S.CHECKED

    def test_a_check_that_was_killed_goes_on_where_it_was(self, desk: ImportDesk) -> None:
        rows = families(6)
        content = csv_file(REGISTER, rows)
        record = desk.receive(content, name="登记表.csv")
        with desk.as_(desk.clerk) as session:  # what a killed worker leaves: its first rows staged, the job running
            sheet = RegistrySheet(open_book("登记表.csv", content), "CSV", TEMPLATES[REGISTER], date(2026, 1, 1))
            stage(session, record, 1, next(iter(sheet.chunks(4))))
            session.execute(sa.text("update jobs set status = 'running'"))
        assert desk.count(RegistryImportRow) == 4
        record = desk.check(record)
        assert record.status == S.CHECKED and desk.count(RegistryImportRow) == len(rows)

    def test_a_worker_killed_while_it_writes_has_written_nothing_and_the_next_writes_all(
        self, desk: ImportDesk, database: str
    ) -> None:
        record = desk.submit(desk.bring(workbook(REGISTER, families(2))))
        job = desk.approve(record)
        work = (
            "from workflows.jobs import follow; from workflows.registry_import_apply import run_apply;"
            f" follow({job.id}, {job.post_id}, run_apply)"
        )
        engine = sa.create_engine(database, poolclass=sa.NullPool)
        with engine.connect() as holder, holder.begin():
            holder.exec_driver_sql("lock table residences in share mode")
            worker = subprocess.Popen([sys.executable, "-c", work], cwd=ROOT)
            with engine.connect() as watcher:
                for _ in range(600):
                    if watcher.execute(WAITING).scalar_one():
                        break
                    watcher.rollback()
                    time.sleep(0.1)
                else:
                    pytest.fail("the worker never came to write")
            worker.kill()
            worker.wait()
        assert desk.count(Member) == desk.count(Household) == 0
        assert desk.all(RegistryChange)[0].status == ChangeStatus.APPROVED
        follow(job.id or 0, job.post_id, run_apply)
        assert desk.again(record).status == S.APPLIED and desk.count(Member) == 3

    def test_run_twice_a_job_writes_once(self, desk: ImportDesk) -> None:
        record = desk.submit(desk.bring(workbook(REGISTER, families(2))))
        job = desk.approve(record)
        follow(job.id or 0, job.post_id, run_apply)
        run_apply(job.id or 0, job.post_id)
        assert desk.count(Household) == 2
