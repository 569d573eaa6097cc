"""Imports: every peculiarity of workbooks has its outcome; nothing is half-imported. （第十六条）"""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest
from sqlalchemy import text
from sqlmodel import Session, select

from models.database import forget_engines, transaction
from models.events import Event
from models.imports import ImportRow, ImportStatus, RosterImport
from models.jobs import Job, JobStatus
from models.officers import ActingOfficer
from models.projects import PolicyLevel, SubsidyProject
from models.rosters import Roster, RosterLine, RosterStatus
from policies.definitions import Definition, columns_of
from policies.entitlements import ENTITLEMENT_SQL, entitlement_key
from policies.identities import luhn_valid
from policies.refusals import NotAllowed, Refused
from reports.sheets.marked import LIST_NAME
from reports.sheets.rosters import RosterSheet
from reports.sheets.templates import GENERIC, LAND, write_template
from tests import factories
from tests.conftest import WORLD, As, Owner, address, owner_session, point_at, statement
from tests.factories import World
from tests.peculiarities import ACCEPTED, NOTED, REFUSED, TABLE, Peculiarity, as_markdown
from tests.workbooks import People, Person, plain, repacked, strict
from workflows import imports
from workflows.files import content_of
from workflows.import_rows import stage
from workflows.jobs import cancel, follow

DOCS = Path(__file__).parent.parent / "docs" / "workbooks.md"


@dataclass
class Desk:
    """The township clerk with a registry, a project and workbooks."""

    world: World
    people: People
    project: SubsidyProject
    as_: As

    @property
    def clerk(self) -> ActingOfficer:
        return self.world.township.clerk

    def receive(
        self, content: bytes, period: str = "2026", by: ActingOfficer | None = None
    ) -> tuple[RosterImport, Job]:
        year = int(period[:4])
        with self.as_(by or self.clerk) as session:
            record = imports.receive(
                session, by=by or self.clerk, project=self.project, period=period, period_start=date(year, 1, 1),
                period_end=date(year, 12, 31), file_name="清册.xlsx", content=content,
            )  # fmt: skip
            job = imports.job_of(session, record)
            assert job is not None
        return record, job

    def run(self, job: Job) -> RosterImport:
        follow(job.id or 0, job.post_id, imports.run_import)
        with self.as_(self.clerk) as session:
            return session.get_one(RosterImport, job.arguments["import_id"])

    def bring(self, content: bytes, period: str = "2026") -> RosterImport:
        return self.run(self.receive(content, period)[1])

    def count(self, table: type[Roster] | type[RosterLine] | type[ImportRow]) -> int:
        with self.as_(self.clerk) as session:
            return len(session.exec(select(table)).all())


def _person(
    session: Session, world: World, name: str, *, id_number: str = "", card: str = "", township: str = ""
) -> Person:
    home = factories.a_household(session, world, head_name=name, township=township)
    member = factories.a_member(session, world, home, name=name, id_number=id_number)
    account = factories.an_account(session, member, number=card)
    return Person(name, member.id_number, account.number)


def _id_with_x() -> str:
    return next(number for number in iter(factories.an_id_number, "") if number.endswith("X"))


def _settle(session: Session, world: World) -> tuple[People, SubsidyProject]:
    passbook = "10430207788000124"
    assert not luhn_valid(passbook)
    known = (
        _person(session, world, "王建国"),
        _person(session, world, "额尔德尼巴雅尔", id_number=_id_with_x()),
        _person(session, world, "包·乌日汗"),
        _person(session, world, "李秀兰", card=passbook),
    )
    elsewhere = _person(session, world, "陈桂春", township=world.second_township.division_code)
    stranger = Person("赵无名", factories.an_id_number(), factories.a_card_number())
    member = session.exec(select(factories.Member).where(factories.Member.name == "王建国")).one()
    factories.an_asset(session, session.get_one(factories.Household, member.household_id), "30")
    return People(known, stranger, elsewhere), factories.a_project(session, world, also=(2027,))


@pytest.fixture
def desk(owner: Owner, county: World, as_: As) -> Desk:
    with owner() as session:
        people, project = _settle(session, county)
    return Desk(county, people, project, as_)


@pytest.fixture(scope="module")
def lasting_desk(server: str, keys: Path, world_template: World) -> Iterator[tuple[str, Desk]]:
    """One database for the whole table: each case brings a period of its own."""
    statement(server, f"create database peculiar_table template {WORLD}")
    url = address(server, "peculiar_table")
    point_at(url, keys)
    with owner_session(url) as session:
        people, project = _settle(session, world_template)
    yield url, Desk(world_template, people, project, transaction)
    forget_engines()
    statement(server, "drop database peculiar_table with (force)")


@pytest.fixture
def table_desk(lasting_desk: tuple[str, Desk], keys: Path) -> Iterator[Desk]:
    point_at(lasting_desk[0], keys)
    yield lasting_desk[1]
    forget_engines()


def _whats(record: RosterImport, kind: str) -> list[tuple[str, str, str]]:
    return [(item["cell"], item["what"], item["remedy"]) for item in record.problems if item["kind"] == kind]


@pytest.mark.parametrize("case", TABLE, ids=lambda case: case.code)
def test_every_peculiarity_has_its_outcome(table_desk: Desk, case: Peculiarity) -> None:
    desk, period = table_desk, f"2026·{case.code}"
    content = case.build(desk.people)
    rosters = desk.count(Roster)
    if case.where == "上传时":
        with pytest.raises(Refused, match="；请") as refusal:
            desk.receive(content, period)
        assert case.says in str(refusal.value)
        return
    record = desk.bring(content, period)
    assert desk.count(ImportRow) == 0
    if case.outcome == REFUSED:
        assert record.status == ImportStatus.REFUSED, record.problems
        found = [item for item in _whats(record, "problem") if case.says in item[1]]
        assert found, record.problems
        assert all(remedy for _, _, remedy in found)
        assert desk.count(Roster) == rosters
    else:
        assert record.status == ImportStatus.APPLIED, record.problems
        found = [item for item in _whats(record, "note") if case.says in item[1]]
        assert found if case.outcome == NOTED else case.outcome == ACCEPTED
        with desk.as_(desk.clerk) as session:
            lines = session.exec(select(RosterLine).where(RosterLine.roster_id == record.roster_id)).all()
        assert len(lines) == case.lines == record.row_count
    assert set(case.expected_cells) <= {cell for cell, _, _ in found}, found


def test_the_docs_show_the_same_table() -> None:
    assert as_markdown() in DOCS.read_text(encoding="utf-8")
    assert len({case.code for case in TABLE}) == len(TABLE) >= 24


class TestReceive:
    def test_a_township_head_may_not_import(self, desk: Desk) -> None:
        with pytest.raises(NotAllowed):
            desk.receive(plain(desk.people), by=desk.world.township.head)

    def test_without_a_published_standard_there_is_no_roster(self, desk: Desk) -> None:
        with pytest.raises(imports.StandardMissing, match="第八条"):
            desk.receive(plain(desk.people), "2019")

    def test_a_file_under_way_is_not_received_twice(self, desk: Desk) -> None:
        content = plain(desk.people)
        desk.receive(content)
        with pytest.raises(imports.FileUnderWay):
            desk.receive(content)

    def test_the_same_file_again_names_its_roster(self, desk: Desk) -> None:
        content = plain(desk.people)
        desk.bring(content)
        with pytest.raises(imports.SameFile, match="2026-2130122-0001"):
            desk.receive(content)

    def test_another_period_may_bring_the_same_file(self, desk: Desk) -> None:
        content = plain(desk.people)
        assert desk.bring(content).status == desk.bring(content, "2027").status == ImportStatus.APPLIED
        with desk.as_(desk.clerk) as session:
            numbers = [roster.number for roster in session.exec(select(Roster).order_by("id")).all()]
            later = session.exec(select(RosterLine).where(RosterLine.previous_amount_fen != None)).all()  # noqa: E711
        assert numbers == ["150430102-2026-2130122-0001", "150430102-2027-2130122-0001"]
        assert [line.previous_amount_fen for line in later] == [line.amount_fen for line in later] != []


class TestRunImport:
    def test_a_roster_begins_with_its_event_and_its_deadline(self, desk: Desk) -> None:
        record = desk.bring(plain(desk.people))
        with desk.as_(desk.clerk) as session:
            roster = session.get_one(Roster, record.roster_id)
            lines = session.exec(select(RosterLine).order_by("sequence")).all()
            event = session.exec(select(Event).where(Event.noun == "roster")).one()
            job = session.exec(select(Job)).one()
        assert roster.status == RosterStatus.DRAFT and roster.due_on is not None
        assert roster.line_count == 4 and roster.amount_fen == 73625 == sum(line.amount_fen for line in lines)
        assert [line.sequence for line in lines] == [1, 2, 3, 4]
        assert (event.verb, event.desk, event.officer_id) == ("begin", "township_clerk", desk.clerk.officer_id)
        assert job.status == JobStatus.DONE and job.roster_id == roster.id and roster.number in job.message

    def test_a_line_keeps_a_snapshot_of_person_account_and_land(self, desk: Desk) -> None:
        desk.bring(plain(desk.people))
        first = desk.people.known[0]
        with desk.as_(desk.clerk) as session:
            line = session.exec(select(RosterLine).where(RosterLine.sequence == 1)).one()
            person = session.get_one(factories.Member, line.member_id).person
        assert (line.name, line.id_number, line.account_number) == (first.name, first.id_number, first.account_number)
        assert (line.quantity, line.standard, line.amount_fen) == (Decimal("10.5"), Decimal(15), 15750)
        assert (line.contracted_area_mu, line.payee_relation, line.bank_code) == (Decimal(30), "self", "402191000008")
        assert line.entitlement_key == entitlement_key("2130122", "2026", person)
        assert line.phone_present and line.reviewed_on is not None and line.member_added_on == date(2024, 5, 1)
        assert line.account_state is None and line.identity_outcome is None

    def test_the_marked_workbook_comes_back_and_the_corrected_file_imports(self, desk: Desk) -> None:
        content = next(case for case in TABLE if case.code == "wrong_amount").build(desk.people)
        record = desk.bring(content)
        with desk.as_(desk.clerk) as session:
            marked = openpyxl.load_workbook(io.BytesIO(content_of(session, record.marked_file_id)))
            stored = session.execute(text("select content from stored_files")).scalars().all()
        assert marked.sheetnames == [LIST_NAME, "清册"]
        assert marked[LIST_NAME]["C2"].value == "L5" and "157.50" in marked[LIST_NAME]["E2"].value
        cell = marked["清册"]["L5"]
        assert cell.fill.start_color.rgb.endswith("FFC7CE") and "157.50" in cell.comment.text
        assert not any(envelope.startswith(b"PK") for envelope in map(bytes, stored))
        cell.value = 157.5
        corrected = io.BytesIO()
        marked.save(corrected)
        assert desk.bring(corrected.getvalue()).status == ImportStatus.APPLIED

    @pytest.mark.parametrize("way", ["large", "strict"])
    def test_a_workbook_that_is_written_anew_is_marked_alike(
        self, desk: Desk, way: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        content = next(case for case in TABLE if case.code == "wrong_amount").build(desk.people)
        if way == "strict":
            content = repacked(lambda _: content, strict)(desk.people)
        else:
            monkeypatch.setattr("reports.sheets.marked.EDITED_ROWS", 3)
        record = desk.bring(content)
        with desk.as_(desk.clerk) as session:
            marked = openpyxl.load_workbook(io.BytesIO(content_of(session, record.marked_file_id)))
        assert marked[LIST_NAME]["C2"].value == "L5"
        assert "157.50" in marked["清册"]["L5"].comment.text
        assert marked["清册"]["E6"].value == desk.people.known[1].id_number
        marked["清册"]["L5"].value = 157.5
        buffer = io.BytesIO()
        marked.save(buffer)
        assert desk.bring(buffer.getvalue()).status == ImportStatus.APPLIED

    def test_all_problems_are_collected_at_once(self, desk: Desk) -> None:
        book = openpyxl.load_workbook(io.BytesIO(plain(desk.people)))
        sheet = book.worksheets[0]
        sheet["E5"], sheet["L6"], sheet["D7"], sheet["K8"] = "1504301990", "约", "赵不同", 14
        buffer = io.BytesIO()
        book.save(buffer)
        record = desk.bring(buffer.getvalue())
        assert [cell for cell, _, _ in _whats(record, "problem")] == ["E5", "L6", "D7", "K8", "L9"]

    def test_problems_hold_no_number_and_no_full_name(self, desk: Desk) -> None:
        record = desk.bring(next(case for case in TABLE if case.code == "name_differs").build(desk.people))
        told = str(record.problems)
        for person in desk.people.known:
            assert person.id_number not in told and person.account_number not in told and person.name not in told

    def test_a_payee_may_be_the_head_of_the_household(self, desk: Desk, owner: Owner) -> None:
        head = desk.people.known[0]
        with owner() as session:
            member = session.exec(select(factories.Member).where(factories.Member.name == head.name)).one()
            home = session.get_one(factories.Household, member.household_id)
            child = factories.a_member(session, desk.world, home, name="王小宝", relation="20")
        book = openpyxl.load_workbook(io.BytesIO(plain(desk.people)))
        book.worksheets[0]["D5"], book.worksheets[0]["E5"] = child.name, child.id_number
        buffer = io.BytesIO()
        book.save(buffer)
        assert desk.bring(buffer.getvalue()).status == ImportStatus.APPLIED
        with desk.as_(desk.clerk) as session:
            line = session.exec(select(RosterLine).where(RosterLine.sequence == 1)).one()
        assert (line.name, line.payee_name, line.payee_relation) == (child.name, head.name, "head")
        assert line.account_number == head.account_number

    def test_an_entitlement_in_another_roster_is_noted(self, desk: Desk) -> None:
        desk.bring(plain(desk.people))
        again = openpyxl.load_workbook(io.BytesIO(plain(desk.people)))
        again.worksheets[0]["S5"] = "补充"
        buffer = io.BytesIO()
        again.save(buffer)
        record = desk.bring(buffer.getvalue())
        assert sum("已在清册" in what for _, what, _ in _whats(record, "note")) == 4

    def test_the_other_county_sees_nothing_of_it(self, desk: Desk) -> None:
        desk.bring(plain(desk.people))
        with desk.as_(desk.world.other_county.township.clerk) as session:
            assert not session.exec(select(Roster)).all() and not session.exec(select(RosterImport)).all()

    def test_the_generic_template_reads_its_own_columns(self, desk: Desk) -> None:
        definition = Definition(code="X01", name="测试", sector="民政", policy_level=PolicyLevel.REGION)
        project = SubsidyProject(division_code="150000000000", **columns_of(definition))
        assert RosterSheet(write_template(project), "空白.xlsx", GENERIC, [Decimal(1)]).readable


class Killed(Exception):
    """Stands for SIGKILL: the process ends between two transactions."""


def _killing(calls: int) -> Callable[..., None]:
    left = [calls]

    def stage_then_die(*args: object) -> None:
        stage(*args)  # type: ignore[arg-type]
        left[0] -= 1
        if not left[0]:
            raise Killed

    return stage_then_die


class TestCrash:
    @pytest.fixture(autouse=True)
    def two_rows_a_chunk(self, monkeypatch: pytest.MonkeyPatch) -> None:
        whole = RosterSheet.chunks
        monkeypatch.setattr(RosterSheet, "chunks", lambda self, size=2: whole(self, size))

    def test_a_run_begun_again_goes_on_where_it_stopped_and_makes_one_roster(
        self, desk: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _, job = desk.receive(plain(desk.people))
        with desk.as_(desk.clerk) as session:  # the first chunk was committed, then the worker died
            record = session.exec(select(RosterImport)).one()
            sheet = RosterSheet(plain(desk.people), "清册.xlsx", LAND, [Decimal(15)])
            stage(session, record, next(sheet.chunks()))
        staged: list[int] = []
        monkeypatch.setattr(imports, "stage", lambda *args: (staged.append(args[2].numbers[0]), stage(*args))[1])
        assert desk.run(job).status == ImportStatus.APPLIED
        assert staged == [7]
        desk.run(job)
        assert desk.count(Roster) == 1 and desk.count(RosterLine) == 4 and desk.count(ImportRow) == 0

    def test_a_crash_inside_a_chunk_leaves_no_part_of_it(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        _, job = desk.receive(plain(desk.people))
        monkeypatch.setattr(imports, "stage", _killing(2))
        with pytest.raises(Killed):
            imports.run_import(job.id or 0, job.post_id)
        assert desk.count(ImportRow) == 2 and desk.count(Roster) == 0
        monkeypatch.undo()
        assert desk.run(job).status == ImportStatus.APPLIED
        assert desk.count(Roster) == 1 and desk.count(RosterLine) == 4

    def test_what_a_failed_job_left_is_cleared_by_the_next_upload(
        self, desk: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        record, job = desk.receive(plain(desk.people))
        monkeypatch.setattr(imports, "stage", _killing(2))
        with pytest.raises(Killed):
            desk.run(job)  # the job is marked as failed
        assert desk.count(ImportRow) == 2
        monkeypatch.undo()
        desk.receive(plain(desk.people))
        assert desk.count(ImportRow) == 0
        with desk.as_(desk.clerk) as session:
            assert session.get_one(RosterImport, record.id).status == ImportStatus.CANCELLED

    def test_a_cancelled_import_leaves_nothing(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        _, job = desk.receive(plain(desk.people))

        def stage_and_cancel(*args: object) -> None:
            stage(*args)  # type: ignore[arg-type]
            with desk.as_(desk.clerk) as session:
                cancel(session, session.get_one(Job, job.id), by=desk.clerk)

        monkeypatch.setattr(imports, "stage", stage_and_cancel)
        record = desk.run(job)
        assert record.status == ImportStatus.CANCELLED
        assert desk.count(ImportRow) == desk.count(Roster) == 0
        with desk.as_(desk.clerk) as session:
            assert session.get_one(Job, job.id).status == JobStatus.CANCELLED


def test_postgresql_computes_the_same_entitlement_key(desk: Desk) -> None:
    sql = ENTITLEMENT_SQL.format(project=":p", period=":y", person=":i", component=":c")
    with desk.as_(desk.clerk) as session:
        found = session.execute(text(f"select {sql}"), {"p": "2130122", "y": "2026", "i": "5f", "c": "东地"})
        assert found.scalar_one() == entitlement_key("2130122", "2026", "5f", "东地")
