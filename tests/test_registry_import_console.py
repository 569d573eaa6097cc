"""The wizard through its real forms: upload, columns, preview, second person, result. （第十一条）"""

import re

import httpx
import pytest

from models.officers import ActingOfficer
from models.registry_imports import RegistryImport
from models.registry_imports import RegistryImportStatus as S
from tests.conftest import As
from tests.console import ConsoleServer, running, token_of
from tests.factories import PASSWORD, World
from tests.registers import REGISTER, ImportDesk, csv_file, families, workbook
from workflows.jobs import follow
from workflows.registry_import_apply import run_apply

LIST = "/console/registry-import/"


@pytest.fixture
def desk(county: World, as_: As) -> ImportDesk:
    return ImportDesk(county.township, as_)


@pytest.fixture
def console(desk: ImportDesk):
    with running() as server:
        yield server


def post(browser: httpx.Client, page: str, action: str, files: dict | None = None, **fields: object) -> httpx.Response:
    """Fill in the form of a page and send it."""
    form = browser.get(page)
    assert form.status_code == 200, form.text
    return browser.post(action, data={"csrf_token": token_of(form.text)} | fields, files=files)


def upload(browser: httpx.Client, content: bytes, name: str = "登记表.xlsx") -> int:
    sent = post(browser, f"{LIST}form/new", f"{LIST}form/new", {"file": (name, content)}, subject="register")
    assert sent.status_code == 303, sent.text
    return int(re.search(r"details/(\d+)", sent.headers["location"]).group(1))  # type: ignore[union-attr]


def record_of(desk: ImportDesk, key: int) -> RegistryImport:
    with desk.as_(desk.clerk) as session:
        return session.get_one(RegistryImport, key)


def test_a_register_goes_from_upload_to_result(console: ConsoleServer, desk: ImportDesk) -> None:
    rows = families(4)
    content = workbook(REGISTER, rows)
    with console.client(desk.clerk) as clerk, console.client(desk.office.head) as head:
        key = upload(clerk, content)
        page = clerk.get(f"{LIST}details/{key}")
        assert "正在后台检查" in page.text and 'http-equiv="refresh"' in page.text
        desk.check(record_of(desk, key))
        page = clerk.get(f"{LIST}details/{key}")
        assert "检查通过：新增 7" in page.text and "分嘎查村" in page.text and "提交复核" in page.text
        assert all(row["id_number"] not in page.text for row in rows)
        sent = post(clerk, f"{LIST}form/submit?pk={key}", f"{LIST}form/submit", pks=str(key), reason="首次建档")
        assert sent.status_code == 303, sent.text
        record = record_of(desk, key)
        page = head.get(f"{LIST}details/{key}")
        assert "等待负责人复核" in page.text and f"/console/registry-change/details/{record.change_id}" in page.text
        source = post(head, f"{LIST}form/source?pk={key}", f"{LIST}form/source", pks=str(key))
        assert source.content == content
        told = head.get(f"/console/registry-change/details/{record.change_id}").text
        assert f"{LIST}details/{key}" in told and "新建户" in told
        change = f"/console/registry-change/action/approve?pks={record.change_id}"
        agreed = post(head, change, "/console/registry-change/action/approve", pks=str(record.change_id), opinion="")
        assert agreed.status_code == 303, agreed.text
        assert "负责人已同意，正在写入" in head.get(f"{LIST}details/{key}").text
        job = desk.job(record)
        follow(job.id or 0, job.post_id, run_apply)
        page = clerk.get(f"{LIST}details/{key}")
        assert "已导入：新建 4 户，新增 7" in page.text and "下载逐行结果" in page.text
        result = post(clerk, f"{LIST}form/result?pk={key}", f"{LIST}form/result", pks=str(key))
        assert result.content.startswith(b"PK")
        again = record_of(desk, upload(clerk, content))
        assert desk.check(again).status == S.UNCHANGED
        assert "无变动" in clerk.get(f"{LIST}details/{again.id}").text


def test_columns_are_mapped_on_a_page(console: ConsoleServer, desk: ImportDesk) -> None:
    content = csv_file(REGISTER, families(2)).replace("姓名,身份证号,".encode(), "农牧民,身份证号,".encode())
    with console.client(desk.clerk) as clerk:
        key = upload(clerk, content, "登记表.csv")
        desk.check(record_of(desk, key))
        page = clerk.get(f"{LIST}details/{key}")
        assert "有必填的列没有认出" in page.text and "缺少 姓名" in page.text
        columns = f"{LIST}columns/{key}"
        form = clerk.get(columns).text
        given = {
            name: (re.search(r'value="([^"]*)" selected', body) or [""] * 2)[1]
            for name, body in re.findall(r'<select[^>]*name="(column-\d+)">(.*?)</select>', form)
        }
        wrong = post(clerk, columns, columns, **given)
        assert wrong.status_code == 400 and "必填的“姓名”还没有对应的列" in wrong.text
        at = re.search(r'for="(column-\d+)">“农牧民”', form)
        assert at is not None
        sent = post(clerk, columns, columns, **given | {at.group(1): "name"})
        assert sent.status_code == 303, sent.text
        assert desk.check(record_of(desk, key)).status == S.CHECKED


def test_problems_are_listed_and_the_marked_file_given_back(console: ConsoleServer, desk: ImportDesk) -> None:
    rows = families(2)
    rows[0]["relation"] = "邻居"
    with console.client(desk.clerk) as clerk:
        key = upload(clerk, workbook(REGISTER, rows))
        desk.check(record_of(desk, key))
        page = clerk.get(f"{LIST}details/{key}")
        assert "整份没有导入" in page.text and "不在代码表中" in page.text
        marked = post(clerk, f"{LIST}form/marked?pk={key}", f"{LIST}form/marked", pks=str(key))
        assert marked.content.startswith(b"PK")
        refused = post(clerk, f"{LIST}form/new", f"{LIST}form/new", {"file": ("a.csv", b"%PDF")}, subject="register")
        assert refused.status_code == 400 and "PDF" in refused.text


def test_templates_and_the_present_registry_are_downloaded(console: ConsoleServer, desk: ImportDesk) -> None:
    with console.client(desk.clerk) as clerk:
        for subject in ("register", "accounts"):
            made = post(clerk, f"{LIST}form/template", f"{LIST}form/template", subject=subject)
            assert made.status_code == 200 and made.content.startswith(b"PK"), made.text
        asked = {"subject": "register", "reason": "年度批量核对", "password": "wrong"}
        assert post(clerk, f"{LIST}form/filled", f"{LIST}form/filled", **asked).status_code >= 400
        asked["password"] = PASSWORD
        assert post(clerk, f"{LIST}form/filled", f"{LIST}form/filled", **asked).content.startswith(b"PK")


def test_others_see_counts_but_neither_forms_nor_files(console: ConsoleServer, desk: ImportDesk, county: World) -> None:
    record = desk.bring(workbook(REGISTER, families(1)))
    others: tuple[ActingOfficer, ...] = (county.department.clerk, county.finance.clerk, desk.office.head)
    for officer in others:
        with console.client(officer) as browser:
            page = browser.get(f"{LIST}details/{record.id}")
            assert page.status_code == 200 and "form/submit" not in page.text
            assert browser.get(f"{LIST}form/new").status_code == 403
            assert browser.get(f"{LIST}columns/{record.id}").status_code == 403
    with console.client(county.second_township.clerk) as browser:
        assert browser.get(f"{LIST}details/{record.id}").status_code == 404
