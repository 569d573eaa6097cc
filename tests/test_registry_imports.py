"""Imports of the registry: nothing half-imported, nobody twice, nothing without a second person. （第十一条）"""

import base64
import io
import zipfile
import zlib
from datetime import UTC, date, datetime
from typing import Any

import openpyxl
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import select

from integrations.iso20022 import pain001
from models.accounts import Account, AccountStatus
from models.crypto import id_index
from models.households import Asset, Household, HukouKind, Member
from models.outbox import OutboxMessage
from models.registry_changes import RegistryChange
from models.registry_imports import ColumnAlias, ImportSubject, RegistryImport, RegistryImportRow
from models.registry_imports import RegistryImportStatus as S
from models.residences import Residence
from policies.codes import ETHNICITIES
from policies.identities import mask_name
from policies.refusals import NotAllowed, ReasonMissing
from reports.sheets.marked import LIST_NAME
from tests import factories
from tests.conftest import As, Owner
from tests.factories import World
from tests.registers import (
    FIRST,
    NAMES,
    OLD_XLS,
    REGISTER,
    ImportDesk,
    csv_file,
    families,
    household,
    person,
    workbook,
)
from workflows import registry_import_files, registry_imports, search


@pytest.fixture
def desk(county: World, as_: As) -> ImportDesk:
    return ImportDesk(county.township, as_)


@pytest.fixture
def second(county: World, as_: As) -> ImportDesk:
    return ImportDesk(county.second_township, as_)


class TestRegister:
    def test_a_register_becomes_households_and_people_once_the_head_agrees(self, desk: ImportDesk) -> None:
        rows = families(8)
        record = desk.bring(workbook(REGISTER, rows))
        assert (record.status, record.new_household_count, record.new_member_count) == (S.CHECKED, 8, len(rows))
        assert sum(one["new"] for one in record.preview["villages"]) == len(rows)
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
        assert desk.count(Residence) == len(rows), "who lives where begins with the import"
        assert {member.change_id for member in members.values()} == {record.change_id}

    def test_the_same_file_twice_changes_nothing_and_says_so(self, desk: ImportDesk) -> None:
        content = workbook(REGISTER, families())
        desk.whole(content)
        again = desk.bring(content)
        assert (again.status, again.unchanged_count) == (S.UNCHANGED, again.row_count)
        assert "无变动" in again.message and desk.count(RegistryImportRow) == 0
        assert desk.count(RegistryChange) == 1

    def test_what_is_brought_again_with_changes_is_shown_old_and_new_and_written(self, desk: ImportDesk) -> None:
        rows = families(2)
        desk.whole(workbook(REGISTER, rows))
        for row in rows[1:]:
            row["village"] = "新村"
        rows[0] |= {"phone": "13911112222"}
        rows[2] |= {"relation": "儿媳", "ethnicity": "满族"}
        rows += household(person("新来户"))
        record = desk.bring(csv_file(REGISTER, rows, "gb18030"), name="变更.csv")
        assert (record.new_household_count, record.changed_count) == (1, 3)
        told = {(one["what"], one["old"], one["new"]) for one in record.preview["differences"]}
        assert ("联系电话", "138****0000", "139****2222") in told
        assert ("与户主关系", "妻", "儿媳") in told and ("嘎查村", "第2嘎查", "新村") in told
        assert all(row["name"] not in str(record.preview) for row in rows if len(row["name"]) > 1)
        record = desk.apply(desk.submit(record))
        members = {one.id_number: one for one in desk.all(Member)}
        assert members[rows[0]["id_number"]].phone == "13911112222"
        assert (members[rows[2]["id_number"]].relation, members[rows[2]["id_number"]].ethnicity) == ("38", "11")
        homes = {home.id: home for home in desk.all(Household)}
        assert homes[members[rows[1]["id_number"]].household_id].village == "新村"
        assert record.outcomes == {"1": "cccn"}

    def test_blank_cells_don_t_wipe_out_what_is_registered(self, desk: ImportDesk) -> None:
        rows = families(1)
        desk.whole(workbook(REGISTER, rows))
        bare = [{name: row[name] for name in ("name", "id_number", "relation", "head_id_number")} for row in rows]
        assert desk.bring(workbook(REGISTER, bare)).status == S.UNCHANGED

    def test_a_household_may_be_told_by_its_order_alone(self, desk: ImportDesk) -> None:
        rows = [{name: row.get(name, "") for name in ("name", "id_number", "relation")} for row in families(3)]
        record = desk.whole(workbook(REGISTER, rows))
        assert (record.new_household_count, desk.count(Member)) == (3, 6)

    def test_fifteen_digits_and_full_width_numbers_are_upgraded_and_said(self, desk: ImportDesk) -> None:
        first, second = person("甲"), person("乙")
        legacy = first["id_number"][:6] + first["id_number"][8:17]
        wide = second["id_number"].translate({ord(str(digit)): chr(ord("０") + digit) for digit in range(10)})
        rows = [household(first)[0] | {"id_number": legacy, "head_id_number": ""},
                household(second)[0] | {"id_number": wide, "head_id_number": ""}]  # fmt: skip
        record = desk.whole(workbook(REGISTER, rows))
        assert {one.id_number for one in desk.all(Member)} == {first["id_number"], second["id_number"]}
        assert {"15 位旧身份证号已升为 18 位"} <= {one["what"] for one in record.problems}

    def test_an_old_xls_workbook_is_read(self, desk: ImportDesk) -> None:
        record = desk.whole(zlib.decompress(base64.b64decode(OLD_XLS)), name="登记表.xls")
        assert {(one.name, one.relation) for one in desk.all(Member)} == {("包·乌日汗", "02"), ("王㛃", "12")}
        assert (record.new_household_count, record.new_member_count) == (1, 2)

    def test_an_archive_of_workbooks_and_csv_is_one_import(self, desk: ImportDesk) -> None:
        buffer, rows = io.BytesIO(), families(6)
        with zipfile.ZipFile(buffer, "w") as package:
            package.writestr("东村.xlsx", workbook(REGISTER, rows[:6]))
            package.writestr("西村.csv", csv_file(REGISTER, rows[6:]))
            package.writestr("说明.docx", b"not a register")
        record = desk.whole(buffer.getvalue(), name="全镇.zip")
        assert record.new_member_count == len(rows) == desk.count(Member)
        assert record.outcomes == {"1": "nnnnnn", "2": "n" * (len(rows) - 6)}


class TestNames:
    def test_names_survive_import_search_mask_export_and_bank_file(self, desk: ImportDesk) -> None:
        rows = [row for name in NAMES for row in household(person(name))]
        desk.whole(csv_file(REGISTER, rows), name="登记表.csv")
        with desk.as_(desk.clerk) as session:
            for row in rows:
                found = session.exec(select(Member).where(Member.id_index == id_index(row["id_number"]))).one()
                assert found.name == row["name"] and mask_name(found.name) != found.name
                hits = search.find(session, search.Sought(row["name"].replace("·", "•"))).hits
                assert row["name"] in {hit.member.name for hit in hits}
            made = registry_import_files.filled_template(session, by=desk.clerk, subject=REGISTER, reason="核对姓名")
        sheet = openpyxl.load_workbook(io.BytesIO(made.content)).worksheets[0]
        names = {str(cell.value) for column in sheet.iter_cols(9, 9, FIRST) for cell in column}
        assert names == set(NAMES)
        payments = [
            pain001.CreditTransfer(f"E{place}", 100, member.name, factories.a_card_number())
            for place, member in enumerate(desk.all(Member))
        ]
        file = pain001.CreditTransferFile(
            "PC1", datetime(2026, 1, 1, tzinfo=UTC), date(2026, 1, 1), "代发户", "0476000000000001", "402191000008",
            len(payments), 100 * len(payments), payments,
        )  # fmt: skip
        text = pain001.write(file).decode()
        assert all(f">{name}<" in text for name in NAMES)


class TestExport:
    def test_what_is_exported_and_brought_back_changes_nothing(self, desk: ImportDesk, owner: Owner) -> None:
        desk.whole(workbook(REGISTER, families(8)))
        with owner() as session:
            for number, home in enumerate(session.exec(select(Household)).all()):
                factories.an_asset(session, home, f"{10.5 + number}")
            for member in session.exec(select(Member).where(Member.relation == "02")).all():
                factories.an_account(session, member)
        for subject in ImportSubject:
            with desk.as_(desk.clerk) as session:
                made = registry_import_files.filled_template(session, by=desk.clerk, subject=subject, reason="批量核对")
            record = desk.bring(made.content, subject)
            assert record.status == S.UNCHANGED, (subject, record.message, record.problems, record.preview)
            assert record.row_count == record.unchanged_count > 0

    def test_the_download_says_why_and_is_recorded(self, desk: ImportDesk) -> None:
        with desk.as_(desk.clerk) as session, pytest.raises(ReasonMissing):
            registry_import_files.filled_template(session, by=desk.clerk, subject=REGISTER, reason="看")
        with desk.as_(desk.clerk) as session:
            registry_import_files.filled_template(session, by=desk.clerk, subject=REGISTER, reason="年度批量核对")
            shown = session.execute(sa.text("select title, row_count from reveals")).one()
        assert tuple(shown) == ("户和人员登记表（当前登记）", 0)


SOME_PEOPLE = st.lists(
    st.lists(
        st.tuples(
            st.sampled_from(NAMES),
            st.sampled_from(["妻", "长子", "女", "母亲", "其他"]),
            st.sampled_from(sorted(ETHNICITIES)),
            st.sampled_from(["", "13800000001", "04764300000"]),
        ),
        max_size=3,
    ),
    min_size=1,
    max_size=4,
)
TEXTS = st.text("东西南北村组号·0123456789 ()（）-a", max_size=12).map(str.strip)


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    people=SOME_PEOPLE,
    texts=st.tuples(TEXTS, TEXTS, TEXTS),
    kind=st.sampled_from([kind for kind in HukouKind if kind != HukouKind.UNKNOWN]),
    as_csv=st.booleans(),
)
def test_whatever_was_imported_comes_back_as_no_change(
    desk: ImportDesk, people: list[Any], texts: tuple[str, str, str], kind: HukouKind, as_csv: bool
) -> None:
    rows = []
    for others in people:
        village, group, address = texts
        head = person("阿拉坦", phone="13911112222")
        rest = [person(name, relation, ethnicity=code, phone=phone) for name, relation, code, phone in others]
        rows += household(head, *rest, village=village, group_name=group, address=address, hukou_kind=kind.label)
    desk.whole(csv_file(REGISTER, rows) if as_csv else workbook(REGISTER, rows))
    with desk.as_(desk.clerk) as session:
        made = registry_import_files.filled_template(session, by=desk.clerk, subject=REGISTER, reason="批量核对")
    record = desk.bring(made.content)
    assert record.status == S.UNCHANGED, (record.message, record.problems[:3], record.preview)


class TestAssetsAndAccounts:
    def test_assets_are_registered_and_updated_by_household_kind_and_certificate(self, desk: ImportDesk) -> None:
        rows = families(2)
        desk.whole(workbook(REGISTER, rows))
        land = {"head_id_number": rows[0]["id_number"], "asset_kind": "承包耕地", "quantity": 30.5,
                "as_of": "2024-01-01", "source": "二轮承包"}  # fmt: skip
        herd = {"head_id_number": rows[1]["id_number"], "asset_kind": "牲畜", "quantity": 120.0, "as_of": "2024-06-30"}
        record = desk.whole(workbook(ImportSubject.ASSETS, [land, herd]), ImportSubject.ASSETS)
        assert record.new_record_count == 2
        assert {(one.kind, float(one.quantity), one.unit) for one in desk.all(Asset)} == {
            ("contracted_land", 30.5, "亩"), ("livestock", 120.0, "头"),
        }  # fmt: skip
        changed = [land | {"quantity": 31.25, "as_of": "2026-01-01"}, herd]
        record = desk.whole(workbook(ImportSubject.ASSETS, changed), ImportSubject.ASSETS)
        assert (record.changed_count, record.unchanged_count) == (1, 1)
        assert [float(one.quantity) for one in desk.all(Asset)] == [31.25, 120.0]

    def test_accounts_go_to_the_bank_at_once_and_the_first_is_paid_to(self, desk: ImportDesk) -> None:
        rows = families(3)
        desk.whole(workbook(REGISTER, rows))
        cards = [
            {"name": row["name"], "id_number": row["id_number"], "account_number": factories.a_card_number(),
             "bank_name": "农村信用社"} for row in (rows[0], rows[1], rows[1])
        ]  # fmt: skip
        record = desk.whole(workbook(ImportSubject.ACCOUNTS, cards), ImportSubject.ACCOUNTS)
        assert record.new_record_count == 3, record.problems
        accounts = desk.all(Account)
        assert {one.status for one in accounts} == {AccountStatus.VERIFYING}
        assert [one.is_payment for one in accounts] == [True, True, False]
        assert {one.number for one in accounts} == {card["account_number"] for card in cards}
        assert desk.count(OutboxMessage) == 3
        assert desk.bring(workbook(ImportSubject.ACCOUNTS, cards), ImportSubject.ACCOUNTS).status == S.UNCHANGED


class TestColumns:
    def test_a_header_that_nobody_knows_is_mapped_once_and_remembered(self, desk: ImportDesk) -> None:
        rows = families(2)
        content = csv_file(REGISTER, rows).replace("姓名,身份证号,".encode(), "农牧民,证照编码,".encode())
        record = desk.bring(content, name="登记表.csv")
        assert record.status == S.COLUMNS and desk.count(RegistryImportRow) == 0
        assert record.column_map[0]["missing"] == ["name", "id_number"]
        labels = {one["label"]: one["field"] for one in record.column_map[0]["columns"]}
        with desk.as_(desk.clerk) as session:
            found = session.get_one(RegistryImport, record.id)
            with pytest.raises(registry_imports.ColumnsMissing, match="身份证号"):
                registry_imports.map_columns(session, found, by=desk.clerk, columns=labels | {"农牧民": "name"})
            chosen = labels | {"农牧民": "name", "证照编码": "id_number"}
            registry_imports.map_columns(session, found, by=desk.clerk, columns=chosen)
        record = desk.check(desk.again(record))
        assert record.status == S.CHECKED and record.new_member_count == len(rows)
        assert {one.label: one.field for one in desk.all(ColumnAlias)} == {"农牧民": "name", "证照编码": "id_number"}
        with desk.as_(desk.clerk) as session:
            registry_imports.discard(session, session.get_one(RegistryImport, record.id), by=desk.clerk)
        assert desk.bring(content, name="再传.csv").status == S.CHECKED

    def test_what_one_township_teaches_another_doesn_t_see(self, desk: ImportDesk, second: ImportDesk) -> None:
        content = csv_file(REGISTER, families(1)).replace("姓名,身份证号,".encode(), "农牧民,身份证号,".encode())
        record = desk.bring(content, name="登记表.csv")
        labels = {one["label"]: one["field"] for one in record.column_map[0]["columns"]} | {"农牧民": "name"}
        with desk.as_(desk.clerk) as session:
            found = session.get_one(RegistryImport, record.id)
            registry_imports.map_columns(session, found, by=desk.clerk, columns=labels)
        assert desk.check(desk.again(record)).status == S.CHECKED
        assert second.bring(content, name="登记表.csv").status == S.COLUMNS and second.count(ColumnAlias) == 0


class TestResult:
    def test_each_row_says_what_became_of_it(self, desk: ImportDesk) -> None:
        rows = families(2)
        desk.whole(workbook(REGISTER, rows[:1]))
        record = desk.whole(csv_file(REGISTER, rows), name="登记表.csv")
        with desk.as_(desk.clerk) as session:
            found = session.get_one(RegistryImport, record.id)
            made = registry_import_files.result_file(session, found, by=desk.clerk)
        book = openpyxl.load_workbook(io.BytesIO(made.content))
        listed = [[str(cell.value) for cell in row] for row in book[LIST_NAME].iter_rows(2)]
        assert [row[3] for row in listed] == ["无变动", "已新增", "已新增"]

    def test_only_the_township_s_keepers_download_it(self, desk: ImportDesk, second: ImportDesk, county: World) -> None:
        record = desk.whole(workbook(REGISTER, families(1)))
        for stranger in (county.department.clerk, county.finance.auditor):
            with desk.as_(stranger) as session, pytest.raises(NotAllowed):
                found = session.get_one(RegistryImport, record.id)
                registry_import_files.result_file(session, found, by=stranger)
        with desk.as_(second.clerk) as session:
            assert session.get(RegistryImport, record.id) is None
