"""The command for a first load: many townships' registers in one run, each by its own clerk. （第十一条）"""

import zipfile
from pathlib import Path

import pytest
from sqlmodel import select

from cli.registry import NotAllImported, TownshipUnknown, _report, bring, sort_files, township_of
from models.households import Member
from models.registry_imports import ImportSubject, RegistryImport
from models.registry_imports import RegistryImportStatus as S
from tests.conftest import As
from tests.factories import World
from tests.registers import REGISTER, ImportDesk, csv_file, families, workbook


def test_an_archive_of_several_townships_becomes_one_import_each(county: World, as_: As, tmp_path: Path) -> None:
    first, second = county.township, county.second_township
    archive = tmp_path / "敖汉旗.zip"
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr(f"{first.division_code}-东片.xlsx", workbook(REGISTER, families(2)))
        package.writestr(f"{first.division_code[:9]}-西片.csv", csv_file(REGISTER, families(1)))
        package.writestr(f"{second.division_code}.csv", csv_file(REGISTER, families(1), "gb18030"))
    sorted_ = sort_files([archive])
    assert sorted(sorted_) == sorted([first.clerk.post_id, second.clerk.post_id])
    done = [bring(post, ImportSubject.REGISTER, uploads, "首次建档") for post, uploads in sorted_.items()]
    assert all(fine for _, _, fine, _ in done), done
    for office, people in ((first, 4), (second, 1)):
        desk = ImportDesk(office, as_)
        with as_(office.clerk) as session:
            record = session.exec(select(RegistryImport)).one()
        assert (record.status, record.new_member_count) == (S.SUBMITTED, people)
        assert desk.count(Member) == 0, "nothing is written before the head has agreed"
        assert desk.apply(record).status == S.APPLIED and desk.count(Member) == people


def test_a_file_of_no_township_is_refused_and_problems_are_told(county: World, as_: As, tmp_path: Path) -> None:
    stray = tmp_path / "登记表.csv"
    rows = families(1)
    stray.write_bytes(csv_file(REGISTER, rows))
    with pytest.raises(TownshipUnknown, match="--post"):
        sort_files([stray])
    post = county.township.clerk.post_id
    assert list(sort_files([stray], post)) == [post]
    rows[0]["relation"] = "邻居"
    done = bring(post, ImportSubject.REGISTER, [("登记表.csv", csv_file(REGISTER, rows))], "首次建档")
    assert not done[2] and "不在代码表中" in done[3][0]
    with pytest.raises(NotAllImported, match="1 份"):
        _report([done])


def test_a_township_is_known_by_code_or_by_a_name_of_its_own() -> None:
    known = {
        "150430102000": "长胜镇",
        "150430103000": "贝子府镇",
        "150101001000": "东街街道",
        "150102001000": "东街街道",
    }
    assert township_of("150430102000-户表.xlsx", known) == "150430102000"
    assert township_of("敖汉旗贝子府镇.csv", known) == "150430103000"
    assert township_of("东街街道.csv", known) == township_of("150999999.csv", known) == ""
