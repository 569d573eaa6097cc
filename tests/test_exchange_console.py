"""The exchange in the console: states, coverage, keys shown once; the document's own example. （第二十九、三十条）"""

import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from integrations.exchange import BATCHES, Department, Head, signature_of
from tests.conftest import As, Owner
from tests.console import ConsoleServer, token_of
from tests.exchanging import Stage, a_row, exchanging
from tests.factories import World, a_member
from tests.world import PASSWORD

DOC = (Path(__file__).parent.parent / "docs" / "exchange.md").read_text()


@pytest.fixture
def stage(county: World, owner: Owner, as_: As) -> Iterator[Stage]:
    with exchanging(county, owner, as_) as made:
        yield made


def browser(stage: Stage, officer: object) -> httpx.Client:
    return ConsoleServer(stage.url, None).client(officer)  # type: ignore[arg-type]


def body_page(client: httpx.Client, name: str) -> str:
    found = re.search(rf'href="(/console/exchange-body/details/\d+)">{name}<', client.get("/console/exchange").text)
    assert found
    return found.group(1)


class TestPages:
    def test_each_bodys_state_its_gaps_and_the_countys_coverage_are_in_sight(self, stage, owner, county):
        with owner() as session:
            member = a_member(session, county)
        sender = stage.department("disabled")
        stage.department("tax")
        stage.send(sender, 1, a_row(member, as_of=stage.day.isoformat(), level="二级"))
        stage.send(sender, 3, a_row(member, as_of=stage.day.isoformat(), level="一级"))
        with browser(stage, county.finance.clerk) as client:
            page = client.get("/console/exchange").text
            assert [page.count(state) for state in ("已接入，尚无数据", "未接入</span>")] == [1, 10]
            assert '<span class="late">2</span>' in page
            assert "敖汉旗" in page
            assert "生成新密钥" not in client.get(body_page(client, "残联")).text
            batches = client.get("/console/exchange-batch/list?tab=all")
            assert batches.status_code == 200 and "残联" in batches.text
            detail = re.search(r'href="(/console/exchange-batch/details/\d+)', page)
            assert detail and client.get(detail.group(1)).status_code == 200
        with browser(stage, county.other_county.finance.clerk) as client:
            assert "管辖范围内还没有共享信息" in client.get("/console/exchange").text

    def test_differences_are_listed_where_they_are_and_name_nobody(self, stage, owner, county):
        with owner() as session:
            member = a_member(session, county)
        stage.send(stage.department("police"), 1, a_row(member, "person", state="alive", name="另有其人"))
        with browser(stage, county.township.clerk) as client:
            page = client.get("/console/exchange-fact/list?tab=all").text
            assert "姓名不一致" in page
            assert member.name not in page and member.id_number not in page
            assert "共享数据与登记不一致" in client.get("/console/registry-task/list").text

    def test_who_may_not_see_it_does_not(self, stage, county):
        with browser(stage, county.bank.clerk) as client:
            assert client.get("/console/exchange").status_code == 403
            assert client.get("/console/exchange-batch/list").status_code == 403


class TestKeys:
    def test_a_key_is_shown_once_to_whoever_has_proven_who_they_are(self, stage, county):
        with browser(stage, county.system_admin) as client:
            page = body_page(client, "残联")
            pk = page.rsplit("/", 1)[1]
            form = "/console/exchange-body/form/key"
            token = token_of(client.get(f"{form}?pk={pk}").text)
            wrong = client.post(form, data={"csrf_token": token, "pks": pk, "password": "not-this-2024"})
            assert "密钥（只显示这一次）" not in wrong.text
            shown = client.post(form, data={"csrf_token": token, "pks": pk, "password": PASSWORD})
            key = re.search(r"[0-9a-f]{64}", shown.text.split("只显示这一次", 1)[1])
            assert key
            assert key.group() not in client.get(page).text
            department = Department(stage.url, "disabled", key.group())
            assert department.state().status_code == 200
            off = {"csrf_token": token, "pks": pk, "reason": "系统改造"}
            assert client.post("/console/exchange-body/form/off", data=off).status_code == 303
            assert department.state().status_code == 403
            assert client.post("/console/exchange-body/form/on", data=off).status_code == 303
            assert department.state().status_code == 200

    def test_the_countys_officers_get_no_key(self, stage, county):
        with browser(stage, county.finance.clerk) as client:
            pk = body_page(client, "残联").rsplit("/", 1)[1]
            form = "/console/exchange-body/form/key"
            assert client.get(f"{form}?pk={pk}").status_code == 403
            token = token_of(client.get("/console/").text)
            asked = client.post(form, data={"csrf_token": token, "pks": pk, "password": PASSWORD})
            assert asked.status_code == 403


class TestDocument:
    def test_the_worked_example_is_right(self):
        blocks = re.findall(r"```\n(.*?)```", DOC, re.S)
        content, signed = blocks[0].encode(), blocks[1].rstrip("\n").split("\n")
        key = re.search(r"密钥 `([0-9a-f]{64})`", DOC)
        signature = re.search(r"签名：`([0-9a-f]{64})`", DOC)
        assert key and signature
        assert signed[:2] == ["POST", BATCHES]
        assert signed[5] == sha256(content).hexdigest()
        assert signature_of(key.group(1), "POST", BATCHES, Head(*signed[2:])) == signature.group(1)

    def test_every_body_and_kind_is_described(self, session):
        rows = session.connection().exec_driver_sql("select code, name, kinds from exchange_bodies").all()
        for code, name, kinds in rows:
            assert f"| {code} | {name} | {'、'.join(kinds)} |" in DOC
