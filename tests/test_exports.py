"""Exports: masked as on the page; in full only with permission, reason and proof of who asks, recorded. （第三十条）"""

from collections.abc import Iterator
from hashlib import sha256
from io import BytesIO

import httpx
import openpyxl
import pytest
import sqlalchemy as sa
from sqlmodel import select

from admin import exports
from models.events import Event
from models.households import Member
from models.keys import Reveal, RevealKind
from tests.conftest import As, Owner
from tests.console import ConsoleServer, running, token_of
from tests.factories import PASSWORD, World, a_member, an_account

LIST = "/console/member"
WHY = "专项检查抽样核对"


@pytest.fixture
def console(county: World, database: str) -> Iterator[ConsoleServer]:
    """A running console."""
    with running() as server:
        yield server


@pytest.fixture
def people(county: World, owner: Owner) -> list[Member]:
    """Three people of the county; the name of one looks like a formula."""
    with owner() as session:
        found = [a_member(session, county) for _ in range(3)]
        found[0].name = "=HYPERLINK(1)"
        session.add(found[0])
        an_account(session, found[0])
        return found


def cells(content: bytes) -> list[list[str]]:
    sheet = openpyxl.load_workbook(BytesIO(content)).active
    assert all(cell.data_type != "f" for row in sheet.iter_rows() for cell in row)
    return [[str(cell.value or "") for cell in row] for row in sheet.iter_rows()]


def ask(client: httpx.Client, path: str = f"{LIST}/export-plain", **changed: str) -> httpx.Response:
    page = client.get(path)
    form = {"csrf_token": token_of(page.text), "reason": WHY, "password": PASSWORD}
    return client.post(path, data=form | changed)


class TestMasked:
    def test_it_is_masked_for_everyone_even_who_may_export_in_full(self, console, county, people):
        for by in (county.township.clerk, county.finance.auditor):
            with console.client(by) as client:
                rows = cells(client.get(f"{LIST}/export.xlsx").content)
            assert len(rows) == 4
            text = str(rows)
            assert not any(secret in text for one in people for secret in (one.id_number, one.phone))
            assert people[1].name not in text

    def test_more_rows_than_can_be_exported_are_refused_not_cut(self, console, county, people, monkeypatch):
        monkeypatch.setattr(exports, "MOST_ROWS", 2)
        with console.client(county.township.clerk) as client:
            answer = client.get(f"{LIST}/export.xlsx")
        assert answer.status_code >= 400
        assert "缩小范围" in answer.text


class TestInFull:
    def test_it_shows_everything_in_the_officers_range_and_neutralises_formulas(self, console, county, people):
        with console.client(county.finance.auditor) as client:
            answer = ask(client)
        assert answer.status_code == 200, answer.text
        rows = cells(answer.content)
        assert {row[1] for row in rows[1:]} == {one.id_number for one in people}
        assert "=HYPERLINK(1)" in {row[0] for row in rows[1:]}

    def test_it_is_recorded_with_columns_count_and_digest_before_it_is_sent(self, console, county, people, as_: As):
        by = county.finance.auditor
        with console.client(by) as client:
            content = ask(client).content
        with as_(by) as session:
            kept = session.exec(select(Reveal)).one()
            event = session.exec(select(Event).where(Event.verb == "export")).one()
        assert (kept.kind, kept.row_count, kept.reason, kept.digest) == (
            RevealKind.EXPORT, 3, WHY, sha256(content).hexdigest()
        )  # fmt: skip
        assert "身份证号" in kept.title
        assert (event.officer_id, event.opinion, event.facts["count"]) == (by.officer_id, WHY, 3)
        assert not any(one.id_number in str(event.facts) + kept.title for one in people)

    @pytest.mark.parametrize(
        ("changed", "words"),
        [({"reason": ""}, "须填写"), ({"reason": "看"}, "不少于"), ({"password": "wrong"}, "复核身份未通过")],
    )
    def test_without_a_reason_or_the_right_password_nothing_leaves(self, console, county, people, as_, changed, words):
        with console.client(county.finance.auditor) as client:
            answer = ask(client, **changed)
        assert answer.status_code >= 400
        assert words in answer.text
        assert not any(one.id_number in answer.text for one in people)
        with as_(county.finance.auditor) as session:
            assert session.exec(select(Reveal)).all() == []

    def test_who_lacks_the_permission_has_neither_button_nor_page_nor_post(self, console, county, people):
        path = f"{LIST}/export-plain"
        for by in (county.township.clerk, county.finance.clerk, county.system_admin):
            with console.client(by) as client:
                assert "export-plain" not in client.get(f"{LIST}/list").text
                assert client.get(path).status_code == 403
                form = {"csrf_token": token_of(client.get("/console/").text), "reason": WHY, "password": PASSWORD}
                assert client.post(path, data=form).status_code == 403

    def test_the_button_stands_on_lists_that_hide_something(self, console, county, people):
        with console.client(county.finance.auditor) as client:
            assert "export-plain" in client.get(f"{LIST}/list").text
            assert "export-plain" not in client.get("/console/bank-batch/list").text
            assert client.get("/console/bank-batch/export-plain").status_code == 403

    def test_it_exports_what_was_searched_for_only(self, console, county, people, as_: As):
        with console.client(county.finance.auditor) as client:
            rows = cells(ask(client, f"{LIST}/export-plain?f_status=dead").content)
        assert len(rows) == 1
        with as_(county.finance.auditor) as session:
            assert session.scalar(sa.text("select row_count from reveals")) == 0
