"""The audit administrator's pages: search, old and new, state of the chains, export. （第二十三、三十条）"""

from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO

import httpx
import pytest
import sqlalchemy as sa
from python_calamine import CalamineWorkbook

from models.rosters import Roster
from policies.moves import record_event
from tests.conftest import As, Owner
from tests.console import ConsoleServer, running, token_of
from tests.factories import PASSWORD, World, a_roster, totp_code
from workflows.trail import run_verify


@pytest.fixture
def roster(county: World, owner: Owner, as_: As) -> Roster:
    """A roster with a note, written from a known address."""
    with owner() as session:
        made = a_roster(session, county)
    by = replace(county.township.clerk, address="10.8.0.3")
    with as_(by) as session:
        record_event(session, made, "note", by=by, label="备注", opinion="核对无误")
        session.execute(sa.text("update rosters set version = version + 1 where id = :id"), {"id": made.id})
    return made


@pytest.fixture
def console(roster: Roster) -> Iterator[ConsoleServer]:
    with running() as server:
        yield server


def rows(page: httpx.Response) -> int:
    assert page.status_code == 200, page.text[:400]
    return page.text.count("/console/audit/record/")


class TestSearch:
    def test_by_record_officer_verb_address_and_county(self, console: ConsoleServer, county: World, roster: Roster):
        with console.client(county.audit_admin) as browser:
            everything = rows(browser.get("/console/audit"))
            asked = {
                "record": {"table": "rosters", "number": roster.number},
                "officer": {"officer": county.township.clerk.name},
                "verb": {"verb": "备注"},
                "address": {"address": "10.8.0.3"},
                "change": {"kind": "change", "verb": "修改", "table": "rosters"},
            }
            found = {name: rows(browser.get("/console/audit", params=query)) for name, query in asked.items()}
            assert {name for name, count in found.items() if not 0 < count < everything} == set()
            assert rows(browser.get("/console/audit", params={"county": county.other_county.code, "verb": "备注"})) == 0
            assert rows(browser.get("/console/audit", params={"until": "2020-01-01", "since": "2019-01-01"})) == 0

    def test_old_and_new_are_read_in_chinese(self, console: ConsoleServer, county: World, roster: Roster):
        with console.client(county.audit_admin) as browser:
            page = browser.get("/console/audit", params={"address": "10.8.0.3", "kind": "change"})
            link = page.text.split("/console/audit/record/change/")[1].split('"')[0]
            detail = browser.get(f"/console/audit/record/change/{link}")
        for word in ("修改 发放清册", "版本", str(roster.version), str(roster.version + 1), "10.8.0.3", "备注", "环"):
            assert word in detail.text

    @pytest.mark.parametrize(
        "address", ["?page=0", "?page=x", "?since=x", "?kind=x", "?table=x", "/record/change/x", "/record/x/1",
                    "/record/event/999999999"],
    )  # fmt: skip
    def test_nonsense_is_400_or_404(self, console: ConsoleServer, county: World, address: str):
        with console.client(county.audit_admin) as browser:
            assert browser.get(f"/console/audit{address}").status_code in (400, 404)

    def test_nobody_else_gets_in(self, console: ConsoleServer, county: World):
        for by in (county.finance.clerk, county.finance.auditor, county.system_admin):
            with console.client(by) as browser:
                for path in ("/console/audit", "/console/chain", "/console/audit/export"):
                    assert browser.get(path).status_code == 403


class TestChainPage:
    def test_a_verification_runs_as_a_job_and_tells_its_result(
        self, console: ConsoleServer, county: World, owner: Owner
    ):
        with console.client(county.audit_admin) as browser:
            page = browser.get("/console/chain")
            assert "还没有锚点" in page.text
            answer = browser.post("/console/chain/verify", data={"csrf_token": token_of(page.text)})
            assert answer.status_code == 303
            with owner() as session:
                job = session.execute(sa.text("select id, post_id from jobs where kind = 'verify_chains'")).one()
            run_verify(job.id, job.post_id)
            assert "条链全部完整" in browser.get("/console/chain").text


class TestExport:
    def test_it_asks_who_and_why_and_is_recorded(self, console: ConsoleServer, county: World, owner: Owner):
        with console.client(county.audit_admin) as browser:
            page = browser.get("/console/audit/export", params={"verb": "备注"})
            form = {"csrf_token": token_of(page.text), "verb": "备注", "reason": "年度检查取证"}
            refused = browser.post("/console/audit/export", data=form | {"password": "wrong"})
            assert refused.status_code in (401, 403)
            sent = browser.post(
                "/console/audit/export", data=form | {"password": PASSWORD, "password_code": totp_code()}
            )
        assert sent.status_code == 200, sent.text[:300]
        lines = CalamineWorkbook.from_filelike(BytesIO(sent.content)).get_sheet_by_index(0).to_python()
        assert (len(lines), lines[1][2], lines[1][7]) == (2, "备注", "10.8.0.3")
        with owner() as session:
            told = session.execute(sa.text("select row_count, reason from reveals where noun = 'audit'")).one()
        assert tuple(told) == (1, "年度检查取证")
