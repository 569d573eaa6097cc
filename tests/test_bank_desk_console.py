"""An agent bank's desk in the console, form by form; another bank finds none of it. （第十二、二十、三十四条）"""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from sqlmodel import select

from models.accounts import Account, AccountStatus
from models.bank_replies import BankReply, ReplyKind, ReplyStatus
from models.keys import Reveal
from models.officers import ActingOfficer
from reports.sheets.bank_replies import write_template
from reports.sheets.workbooks import open_workbook
from tests.bank_desk import OTHER, BankDesk, a_bank_office, answers, waiting_account, without_interface
from tests.conftest import Owner
from tests.console import ConsoleServer, running, token_of
from tests.factories import World
from tests.money import Money
from tests.world import PASSWORD


class Browsers:
    """The officers of two banks at their browsers, on one county with a batch that was sent."""

    def __init__(self, county: World, owner: Owner, console: ConsoleServer, clients: ExitStack) -> None:
        self.owner, self.console, self.clients = owner, console, clients
        self.money = Money(county, owner)
        with owner() as session:
            without_interface(session)
            self.account = waiting_account(session, county)
            self.batch = self.money.send_by_hand(session)
            self.other = BankDesk(owner, a_bank_office(session, county, OTHER, "ah.ny"))
        self.bank = BankDesk(owner, county.bank)
        self.clerk, self.reviewer = self.of(county.bank.clerk), self.of(county.bank.reviewer)

    def of(self, officer: ActingOfficer) -> httpx.Client:
        """Return the officer's browser, closed with the test."""
        return self.clients.enter_context(self.console.client(officer))

    def does(self, client: httpx.Client, path: str, *, files: Any = None, **told: str) -> httpx.Response:
        """Open the confirm page, then post its form."""
        key = told.get("pks", "")
        page = client.get(f"/console/{path}", params={"pks" if "/action/" in path else "pk": key} if key else {})
        assert page.status_code == 200, (path, page.status_code, page.text[-800:])
        return client.post(f"/console/{path}", data={"csrf_token": token_of(page.text), **told}, files=files)

    def reply(self) -> BankReply:
        """Return the latest reply as it stands."""
        with self.owner() as session:
            return session.exec(select(BankReply).order_by(sa.text("id desc"))).first()  # type: ignore[return-value]


@pytest.fixture
def desk(county: World, owner: Owner) -> Iterator[Browsers]:
    with running() as console, ExitStack() as clients:
        yield Browsers(county, owner, console, clients)


class TestStartPage:
    def test_it_shows_what_waits_and_how_long(self, desk: Browsers):
        page = desk.clerk.get("/console/").text
        assert re.search(r"<strong>1</strong>\s*户等待本行答复", page)
        assert re.search(r"<strong>1</strong>\s*个批次等待返回结果", page)
        assert "返回发放结果" in page
        assert "通报" not in page

    def test_a_batch_past_its_three_days_is_red(self, desk: Browsers, owner: Owner):
        with owner() as session:
            session.execute(sa.text("update bank_batches set due_on = date '2024-05-06'"))
        page = desk.clerk.get("/console/").text
        assert "is-late" in page
        assert "个已逾期" in page

    def test_the_menu_holds_the_banks_own_pages_only(self, desk: Browsers):
        page = desk.clerk.get("/console/").text
        entries = set(re.findall(r'class="side-link[^"]*"[^>]*>\s*<i[^>]*></i><span>([^<]+)</span>', page))
        assert {"银行回复", "代发批次", "发放明细", "一卡通账户"} <= entries
        assert not entries & {"发放清册", "补贴对象（户）", "预算指标", "资金支付单", "发放失败", "通报", "预警规则"}


class TestByHand:
    def test_clerk_answers_reviewer_confirms_with_the_password(self, desk: Browsers):
        done = desk.does(
            desk.clerk, "account/form/answer", pks=str(desk.account.id), state="verified", card="yes", words=""
        )
        assert done.status_code == 303, done.text[-800:]
        reply = desk.reply()
        inbox = desk.reviewer.get("/console/").text
        assert reply.number in inbox
        path = "bank-reply/action/confirm"
        wrong = desk.does(desk.reviewer, path, pks=str(reply.id), password="wrong", opinion="")
        assert (wrong.status_code, desk.reply().status) == (403, ReplyStatus.PREPARED)
        done = desk.does(desk.reviewer, path, pks=str(reply.id), password=PASSWORD, opinion="")
        assert done.status_code == 303, done.text[-800:]
        desk.bank.work()
        assert desk.bank.again(desk.account).status == AccountStatus.VERIFIED
        page = desk.reviewer.get(f"/console/bank-reply/details/{reply.id}").text
        assert "已登记 1 行" in page
        assert desk.account.number not in page

    def test_the_clerk_finds_no_button_to_confirm(self, desk: Browsers):
        desk.does(desk.clerk, "account/form/notice", pks=str(desk.account.id), state="dormant", words="")
        reply = desk.reply()
        assert "action/confirm" not in desk.clerk.get(f"/console/bank-reply/details/{reply.id}").text
        assert desk.clerk.get("/console/bank-reply/action/confirm", params={"pks": reply.id}).status_code in (403, 409)

    def test_a_payment_is_answered_on_its_own_page(self, desk: Browsers):
        payment = desk.money.disbursements()[0]
        done = desk.does(
            desk.clerk, "disbursement/form/result", pks=str(payment.id), outcome="failed", code="AC04", words="",
            settled_on="",
        )  # fmt: skip
        assert done.status_code == 303, done.text[-800:]
        assert (desk.reply().kind, desk.reply().row_count) == (ReplyKind.RESULTS, 1)


class TestFiles:
    def test_the_list_of_verifications_is_downloaded_recorded_and_comes_back_filled_in(self, desk: Browsers):
        file = desk.does(desk.clerk, "account/form/waiting-list")
        assert file.headers["content-disposition"].startswith("attachment")
        rows = list(open_workbook(file.content, "x").sheet("银行回复").iter_rows())
        assert desk.account.number in [row[1] for row in rows]
        with desk.owner() as session:
            [reveal] = session.exec(select(Reveal)).all()
        assert (reveal.reason, reveal.row_count) == ("账户验证", 1)
        assert reveal.officer_id == desk.bank.office.clerk.officer_id
        upload = {"file": ("清单.xlsx", answers((desk.account, "不动户")))}
        done = desk.does(desk.clerk, "bank-reply/form/answers", files=upload)
        assert done.status_code == 303, done.text[-800:]
        desk.bank.work()
        page = desk.clerk.get(f"/console/bank-reply/details/{desk.reply().id}").text
        assert "不动户" in page
        assert desk.account.number not in page

    def test_a_file_with_problems_shows_each_and_gives_the_marked_workbook(self, desk: Browsers):
        upload = {"file": ("清单.xlsx", answers((desk.account, "也许")))}
        desk.does(desk.clerk, "bank-reply/form/answers", files=upload)
        desk.bank.work()
        reply = desk.reply()
        page = desk.clerk.get(f"/console/bank-reply/details/{reply.id}").text
        assert "整份退回" in page
        assert "无法识别" in page
        marked = desk.clerk.get(f"/console/bank-reply/file/{reply.id}/marked_file_id")
        assert "问题清单" in open_workbook(marked.content, "x").sheet_names

    def test_the_batch_file_is_fetched_and_the_county_sees_by_whom(self, desk: Browsers):
        file = desk.does(desk.clerk, "bank-batch/form/bank-file", pks=str(desk.batch.id))
        assert (file.status_code, desk.batch.number.encode() in file.content) == (200, True), file.text[:300]
        finance = desk.of(desk.money.finance.clerk)
        page = finance.get(f"/console/bank-batch/details/{desk.batch.id}", params={"tab": "events"}).text
        assert "代理银行领取代发报文" in page

    @pytest.mark.parametrize("kind", ReplyKind)
    def test_templates_are_offered(self, desk: Browsers, kind: ReplyKind):
        file = desk.clerk.get(f"/console/bank-forms/{kind}")
        assert "银行回复" in open_workbook(file.content, "x").sheet_names
        assert desk.clerk.get("/console/bank-forms/nothing").status_code == 404


class TestTheOtherBank:
    def test_all_pages_and_all_ids_show_it_nothing(self, desk: Browsers):
        results = write_template(ReplyKind.RESULTS, [
            {"reference": one.end_to_end_id, "amount": one.amount_fen / 100, "state": "成功"}
            for one in desk.money.disbursements()
        ])  # fmt: skip
        desk.does(desk.clerk, "bank-batch/form/results", pks=str(desk.batch.id), files={"file": ("结果.xlsx", results)})
        desk.bank.work()
        reply = desk.reply()
        payment = desk.money.disbursements()[0]
        marks = (reply.number, desk.batch.number, payment.end_to_end_id, payment.payee_name, desk.account.number[-4:])
        stranger = desk.of(desk.other.office.clerk)
        nouns = {"bank-reply": reply.id, "bank-batch": desk.batch.id, "disbursement": payment.id,
                 "account": desk.account.id}  # fmt: skip
        paths = ["", *(f"{noun}/list?tab={tab}" for noun in nouns for tab in ("todo", "all"))]
        for path in [*paths, *(f"{noun}/export.xlsx?tab=all" for noun in nouns)]:
            answer = stranger.get(f"/console/{path}")
            assert answer.status_code == 200, path
            assert not [mark for mark in marks if mark in answer.text], path
        gone = [f"{noun}/details/{key}" for noun, key in nouns.items()]
        gone += [f"bank-reply/file/{reply.id}/file_id", f"bank-batch/form/bank-file?pk={desk.batch.id}"]
        gone += [f"disbursement/form/result?pk={payment.id}", f"account/form/answer?pk={desk.account.id}"]
        gone += [f"bank-reply/action/withdraw?pks={reply.id}", f"bank-batch/form/results?pk={desk.batch.id}"]
        for path in gone:
            assert stranger.get(f"/console/{path}").status_code == 404, path
        assert token_of(stranger.get("/console/").text)
        empty = desk.does(stranger, "account/form/waiting-list")
        assert empty.status_code == 409

    def test_it_posts_nothing_onto_foreign_ids(self, desk: Browsers):
        stranger = desk.of(desk.other.office.clerk)
        token = token_of(stranger.get("/console/").text)
        told = {"csrf_token": token, "pks": str(desk.account.id), "state": "closed", "card": "yes", "words": ""}
        assert stranger.post("/console/account/form/answer", data=told).status_code == 404
        with desk.owner() as session:
            assert session.exec(select(BankReply)).all() == []
            assert session.get_one(Account, desk.account.id).status == AccountStatus.VERIFYING


def test_officers_of_the_county_open_no_page_of_the_bank(desk: Browsers):
    for by in (desk.money.finance.clerk, desk.money.township.clerk):
        client = desk.of(by)
        assert client.get("/console/bank-reply/list").status_code == 403
        assert client.get("/console/bank-forms/answers").status_code in (403, 303)
        assert "代理银行工作台" not in client.get("/console/").text
