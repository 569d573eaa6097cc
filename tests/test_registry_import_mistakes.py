"""The workbook of mistakes of each register: every one is told at its cell, with a remedy; nothing is imported."""

import io
from datetime import date
from pathlib import Path

import openpyxl
import pytest
from sqlmodel import select

from models.households import Asset, Household, Member
from models.registry_imports import ImportSubject, RegistryImportRow
from models.registry_imports import RegistryImportStatus as S
from policies.refusals import Refused
from reports.sheets.marked import LIST_NAME
from reports.sheets.registry_cells import RELATION_CODES, coded, dates, names, phones
from reports.sheets.registry_files import open_book, require_register
from reports.sheets.registry_templates import HEADER_ROW, TEMPLATES, write_template
from tests import registry_mistakes
from tests.conftest import As, Owner
from tests.factories import World
from tests.registers import FIRST, NAMES, REGISTER, ImportDesk, csv_file, families, workbook
from workflows import registry_import_files


@pytest.fixture
def desk(county: World, as_: As) -> ImportDesk:
    return ImportDesk(county.township, as_)


def test_every_mistake_of_every_register_is_told_at_its_cell(desk: ImportDesk, county: World, owner: Owner) -> None:
    with owner() as session:
        known = registry_mistakes.settle(session, county)
    before, missed = [desk.count(model) for model in (Household, Member, Asset)], []
    for subject, mistakes in registry_mistakes.MISTAKES.items():
        assert len(mistakes) >= 20
        record = desk.bring(registry_mistakes.build(subject, known), subject)
        assert record.status == S.REFUSED
        told = {(one["cell"], one["what"]): one for one in record.problems if one["kind"] == "problem"}
        for place, mistake in enumerate(mistakes):
            cell = registry_mistakes.cell_of(subject, place)
            found = [one for (at, what), one in told.items() if at == cell and mistake.says in what]
            if not found or not found[0]["remedy"]:
                missed.append((subject, mistake.title, cell, [key for key in told if key[0].endswith(cell[1:])]))
        with desk.as_(desk.clerk) as session:
            made = registry_import_files.marked_file(session, desk.again(record), by=desk.clerk)
        book = openpyxl.load_workbook(io.BytesIO(made.content))
        assert book.sheetnames[0] == LIST_NAME
        first = book.worksheets[1][registry_mistakes.cell_of(subject, 0)]
        assert first.comment is not None and first.fill.start_color.rgb.endswith("FFC7CE")
    assert missed == []
    assert [desk.count(model) for model in (Household, Member, Asset)] == before
    with desk.as_(desk.clerk) as session:
        assert session.exec(select(RegistryImportRow)).all() == []


def test_the_docs_show_the_same_mistakes() -> None:
    assert registry_mistakes.as_markdown() in Path(registry_mistakes.DOCS).read_text(encoding="utf-8")


class TestTemplates:
    @pytest.mark.parametrize("subject", list(ImportSubject))
    def test_a_template_has_drop_downs_notes_and_an_example_that_is_not_read(
        self, desk: ImportDesk, subject: ImportSubject
    ) -> None:
        content = write_template(subject, "测试镇", ("农村信用社",))
        sheet = openpyxl.load_workbook(io.BytesIO(content)).worksheets[0]
        titles = [str(cell.value).strip("*") for cell in sheet[HEADER_ROW + 1]]
        assert titles == [one.title for one in TEMPLATES[subject].fields]
        listed = [one for one in TEMPLATES[subject].fields if getattr(one, "choices", ())]
        lists = sheet.data_validations.dataValidation
        assert len(lists) == len(listed) + (subject == ImportSubject.ACCOUNTS)
        assert all(one.type == "list" for one in lists)
        assert any(cell.comment for cell in sheet[HEADER_ROW + 1])
        record = desk.bring(content, subject)
        assert [one["what"] for one in record.problems] == ["表头下没有内容", "示例行，已跳过"]


class TestFiles:
    @pytest.mark.parametrize(
        ("content", "says"),
        [
            (b"", "空文件"),
            (b"%PDF-1.7", "PDF"),
            (b"<html><table></table></html>", "网页"),
            (b"PK\x03\x04broken", "已损坏"),
            (b"\x00\x01\x02", "二进制"),
            (b"\xff\xfe\xff\x80abc", "GB18030"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600, "无法识别"),
        ],
    )
    def test_what_is_no_register_is_refused_with_a_remedy(self, content: bytes, says: str) -> None:
        with pytest.raises(Refused, match="；请") as refusal:
            require_register("登记表.csv", content)
        assert says in str(refusal.value)

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
    def test_csv_is_read_in_its_encoding(self, encoding: str) -> None:
        rows = families(8)
        book = open_book("登记表.csv", csv_file(REGISTER, rows, encoding))
        read = list(book.sheet("CSV").iter_rows())
        place = [one.title for one in TEMPLATES[REGISTER].fields].index("姓名")
        assert [row[place] for row in read[1:]] == [row["name"] for row in rows]

    def test_cells_kept_from_spreadsheets_are_read_as_text(self) -> None:
        book = open_book("a.csv", b'="150430",\'6217,\t138\n')
        assert list(book.sheet("CSV").iter_rows()) == [["150430", "6217", "138"]]

    def test_a_workbook_s_hidden_rows_are_read_and_said(self, desk: ImportDesk) -> None:
        book = openpyxl.load_workbook(io.BytesIO(workbook(REGISTER, families(2))))
        book.worksheets[0].row_dimensions[FIRST + 1].hidden = True
        buffer = io.BytesIO()
        book.save(buffer)
        record = desk.bring(buffer.getvalue())
        assert (record.status, record.row_count) == (S.CHECKED, 3)
        assert any("被隐藏" in one["what"] for one in record.problems)


class TestCells:
    def test_relations_and_ethnicities_are_known_by_name_by_code_and_by_custom(self) -> None:
        column = coded(["妻", "12", "妻子", "配偶", 51.0, "父亲", "外星人"], RELATION_CODES, "与户主关系")
        assert column.values[:6] == ["12", "12", "12", "10", "51", "51"]
        assert list(column.problems) == [6]

    def test_no_name_is_refused_for_its_script_or_length(self) -> None:
        assert names(list(NAMES)).problems == {}
        assert names(["𠅤玉兰"]).notes and not names(["包·乌日汗"]).notes

    def test_telephones_and_dates_are_normalised(self) -> None:
        assert phones(["138 0000 0001", "0476-4300000", 13800000001.0, "+8613800000001"]).values == [
            "13800000001", "04764300000", "13800000001", "13800000001",
        ]  # fmt: skip
        day = date(2024, 1, 5)
        assert dates(["2024/1/5", "2024年1月5日", "20240105", "2024.01.05", day], date(2026, 1, 1)).values == [day] * 5
