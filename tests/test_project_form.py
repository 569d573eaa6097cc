"""《惠民惠农财政补贴项目申请表》 in the console: nothing typed is lost, mistakes at their fields. （第七条）"""

from collections.abc import Iterator

import httpx
import pytest
from sqlmodel import select

from models.project_changes import PolicyDocument, ProjectChange
from models.project_changes import ProjectChangeStatus as S
from tests.conftest import As
from tests.console import ConsoleServer, running, token_of
from tests.factories import REGION, World
from tests.library import FILE, REGION_WAY, a_definition, admitted, begun, officer, step

NEW = {"code": "9990001", "name": "新补贴", "policy_level": "region", "reason": "政策出台"}
TYPED = {
    "code": "9990001", "name": "新补贴", "budget_funded": "yes", "funding_object": "person", "contact": "张某",
    "telephone": "0471-1234567", "guide": "带身份证申报", "period_kind": "year", "payout.month": "12",
    "payout.day": "31", "standard_setter": "region", "formula": "面积 * 补贴标准", "rounding": "line",
    "payee": "either", "heir_allowed": "yes", "standards.0.division_code": REGION, "standards.0.yuan": "12.3456",
    "standards.0.valid_from": "2026-01-01", "fields.0.name": "area", "fields.0.title": "面积",
    "fields.0.type": "number", "fields.0.unit": "亩", "fields.0.required": "yes", "fields.0.minimum": "0",
    "fields.0.publicness": "shown", "documents.0.number": "内农发〔2026〕1号", "documents.0.title": "通知",
    "documents.0.issuer": "自治区农牧厅",
}  # fmt: skip


@pytest.fixture
def console(county: World) -> Iterator[ConsoleServer]:
    with running() as made:
        yield made


def post(client: httpx.Client, page: str, data: dict[str, str], to: str = "", file: bool = False) -> httpx.Response:
    token = token_of(client.get(page).text)
    files = {"documents.0.file": (FILE.name, FILE.content, "application/pdf")} if file else {"x": ("", b"")}
    return client.post(to or page, data={"csrf_token": token} | data, files=files)


def drafted(client: httpx.Client) -> str:
    made = client.post(
        "/console/project-change/form/new",
        data={"csrf_token": token_of(client.get("/console/project-change/form/new").text)} | NEW,
    )
    assert made.status_code == 303, made.text
    return made.headers["location"].split("/")[-1].split("?")[0]


def test_a_form_is_saved_checked_and_submitted(console: ConsoleServer, as_: As, county: World):
    with console.client(county.region_department.clerk) as client:
        key = drafted(client)
        page = f"/console/project-form/{key}"
        assert "提交前需要填写或更正" in client.get(page).text
        wrong = TYPED | {"version": "1", "then": "submit", "formula": "面积 * 补贴标", "standards.0.yuan": "很多"}
        saved = post(client, page, wrong, file=True)
        assert saved.headers["location"] == f"{page}?done=check"
        shown = client.get(saved.headers["location"]).text
        assert 'value="面积 * 补贴标"' in shown and 'value="很多"' in shown and "e-standards.1.yuan" in shown
        right = TYPED | {"version": "2", "then": "submit", "documents.0.attachment_id": papers(as_, county, key)}
        again = post(client, page, right)
        assert again.headers["location"] == f"/console/project-change/action/submit?pks={key}"
        assert "内容齐全" in client.get(page).text
        paper = client.get(f"/console/project-change/paper/{key}/{papers(as_, county, key)}")
        assert paper.content == FILE.content
    step(as_, county, int(key), *REGION_WAY[0])
    with console.client(county.region_department.clerk) as client:
        assert client.get(page).status_code == 403
        record = client.get(f"/console/project-change/details/{key}").text
        assert "面积（area）" in record and "12.3456 元" in record


def papers(as_: As, county: World, key: str) -> str:
    with as_(county.region_department.clerk) as session:
        rows = session.get_one(ProjectChange, int(key)).sheet["documents"]
        return str(rows[0]["attachment_id"])


def test_rows_are_added_and_struck_out(console: ConsoleServer, as_: As, county: World):
    number = begun(as_, county.region_department.clerk, a_definition())
    page = f"/console/project-form/{number}"
    with console.client(county.region_department.clerk) as client:
        more = post(client, page, TYPED | {"then": "fields"})
        assert more.headers["location"] == f"{page}?more=fields#fields"
        assert 'name="fields.3.name"' in client.get(f"{page}?more=fields").text
        post(client, page, TYPED | {"then": "save", "fields.0.drop": "yes"})
    with as_(county.region_department.clerk) as session:
        assert session.get_one(ProjectChange, number).sheet["fields"] == []


def test_a_file_that_is_no_document_loses_nothing(console: ConsoleServer, as_: As, county: World):
    number = begun(as_, county.region_department.clerk, a_definition())
    page = f"/console/project-form/{number}"
    with console.client(county.region_department.clerk) as client:
        data = {"csrf_token": token_of(client.get(page).text)} | TYPED | {"guide": "刚刚写的指南"}
        refused = client.post(page, data=data, files={"documents.0.file": ("x.pdf", b"no pdf", "application/pdf")})
        assert refused.status_code == 400
        assert "刚刚写的指南" in refused.text and "不是完整的" in refused.text


def test_two_windows_do_not_overwrite_each_other(console: ConsoleServer, as_: As, county: World):
    number = begun(as_, county.region_department.clerk, a_definition())
    page = f"/console/project-form/{number}"
    with console.client(county.region_department.clerk) as client:
        assert post(client, page, TYPED | {"version": "2"}).status_code == 303
        late = post(client, page, TYPED | {"version": "2", "name": "第二个窗口"})
        assert late.status_code == 409 and "第二个窗口" in late.text


def test_others_open_no_form(console: ConsoleServer, as_: As, county: World):
    number = begun(as_, county.region_department.clerk, a_definition())
    for by in (county.region_department.reviewer, county.region_finance.clerk, county.department.clerk):
        with console.client(by) as client:
            assert client.get(f"/console/project-form/{number}").status_code in (403, 404)


def test_the_library_shows_versions_documents_and_what_differs(console: ConsoleServer, as_: As, county: World):
    number = admitted(as_, county)
    with as_(county.region_department.clerk) as session:
        document = session.exec(select(PolicyDocument)).one().id
    page = f"/console/subsidy-project/details/{number}"
    with console.client(county.township.clerk) as client:
        assert "第 1 版的内容" in client.get(f"{page}?tab=project_versions").text
        assert "内农发〔2026〕1号" in client.get(f"{page}?tab=policy_documents").text
        assert client.get(f"/console/policy-file/{document}").content == FILE.content
    with console.client(county.region_department.clerk) as client:
        assert f"/console/subsidy-project/form/amend?pk={number}" in client.get(page).text
        data = {"csrf_token": token_of(client.get(f"/console/subsidy-project/form/amend?pk={number}").text)}
        made = client.post("/console/subsidy-project/form/amend", data=data | {"pks": str(number), "reason": "提标"})
        assert "/console/project-change/details/" in made.headers["location"]
    with console.client(county.department.clerk) as client:
        assert "form/amend" not in client.get(page).text


def test_finance_takes_its_steps_from_the_inbox(console: ConsoleServer, as_: As, county: World):
    number = begun(as_, county.region_department.clerk, a_definition())
    for verb, name in REGION_WAY[:2]:
        step(as_, county, number, verb, name)
    with console.client(officer(county, "region_finance.clerk")) as client:
        assert f"/console/project-change/details/{number}" in client.get("/console/").text
        page = f"/console/project-change/action/examine?pks={number}"
        data = {"csrf_token": token_of(client.get(page).text), "pks": str(number)}
        assert client.post("/console/project-change/action/examine", data=data).status_code == 303
    with as_(county.region_finance.clerk) as session:
        assert session.get_one(ProjectChange, number).status == S.EXAMINED
