"""The whole way of the money through the console, form by form, as one county's officers go it. （第十至二十二条）"""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from sqlmodel import Session, select

from demo.officers import FILE, read_accounts
from demo.story import money
from demo.story.ending import hold_invariants
from demo.story.rosters import pass_notices
from demo.story.scene import Scene, database_of
from demo.story.tell import PARTS
from models.accounts import Account, AccountStatus
from models.bank_batches import BankBatch
from models.failures import Failure, FailureRoute, Refund, RefundStatus
from models.indicators import BudgetIndicator
from models.jobs import Job, JobStatus
from models.payment_orders import PaymentOrder
from models.rosters import Roster, RosterLine, RosterStatus
from models.statements import ReconciliationStatus, Statement
from policies.identities import luhn_digit
from tests.console import ConsoleServer, running, token_of

PART = PARTS[5]
CHANGES = ({"status": "closed"}, {"status": "dormant"}, {"died": True})
"""What happens at the bank to the first three payees after the check: each item of Article 21 once."""


class Office:
    """The officers of the story at their browsers."""

    def __init__(self, scene: Scene, console: ConsoleServer, clients: ExitStack) -> None:
        self.scene, self.console, self.clients = scene, console, clients
        self.open: dict[str, httpx.Client] = {}
        self.passwords = {account.login: account.password for account in read_accounts(scene.home / FILE)}

    def browser(self, login: str) -> httpx.Client:
        if login not in self.open:
            self.open[login] = self.clients.enter_context(self.console.client(self.scene.by(login)))
        return self.open[login]

    def does(self, login: str, path: str, *records: object, files: object = None, **answers: str) -> None:
        """Open the confirm page, then post its form; both must succeed."""
        client, pks = self.browser(login), ",".join(str(record.id) for record in records)
        page = client.get(f"/console/{path}", params={"pks" if "/action/" in path else "pk": pks} if pks else {})
        assert page.status_code == 200, (path, page.status_code, page.text[-500:])
        form = {"csrf_token": token_of(page.text), "pks": pks, **answers}
        answer = client.post(f"/console/{path}", data=form, files=files)
        assert answer.status_code in (200, 303), (path, answer.status_code, answer.text[-1500:])
        assert not re.search("未办理 [1-9]", answer.text), answer.text[-1500:]

    def sees(self, login: str, path: str) -> str:
        page = self.browser(login).get(f"/console/{path}")
        assert page.status_code == 200, path
        return page.text

    def one(self, model: type, *where: object) -> object:
        with self.scene.look() as session:
            return session.exec(select(model).where(*where)).one()

    def all(self, model: type, *where: object) -> list:
        with self.scene.look() as session:
            return list(session.exec(select(model).where(*where).order_by(sa.text("id"))))

    def waits(self, what: str, done: Callable[[Session], object]) -> object:
        return self.scene.wait(what, done)

    def jobs_end(self) -> None:
        open_ = select(sa.func.count()).select_from(Job).where(Job.status.in_((JobStatus.QUEUED, JobStatus.RUNNING)))
        self.waits("后台任务", lambda session: session.exec(open_).one() == 0)
        assert {job.status for job in self.all(Job)} == {JobStatus.DONE}, [job.message for job in self.all(Job)]


@pytest.fixture
def office(server: str, home: Path) -> Iterator[Office]:
    with (
        Scene(database_of(server, "console_chain"), home / "console_chain", quiet=True) as scene,
        running() as console,
        ExitStack() as clients,
    ):
        yield Office(scene, console, clients)


def reviewed(office: Office) -> Roster:
    """From the workbook to the final review."""
    clerk, finance, department = (f"{PART.township}.clerk", PART.finance, PART.department)
    office.does(f"{finance}.clerk", "budget-indicator/form/download")
    office.does(
        clerk, "roster-import/form/new", files={"file": (PART.file, PART.path.read_bytes())}, project=PART.project,
        period="2026", period_start="2026-01-01", period_end="2026-12-31",
    )  # fmt: skip
    office.jobs_end()
    assert office.all(BudgetIndicator)
    roster = office.one(Roster)
    office.does(clerk, "roster/form/check", roster)
    office.jobs_end()
    office.does(clerk, "roster/action/publish-notice", roster, mode="online")
    pass_notices(office.scene)
    office.does(f"{PART.township}.head", "roster/action/endorse", roster, attested="yes", opinion="属实")
    office.does(clerk, "roster/action/report", roster)
    office.does(f"{department}.clerk", "roster/action/examine-department", roster)
    office.does(f"{department}.reviewer", "roster/action/pass-department", roster)
    office.does(f"{finance}.clerk", "roster/action/examine-finance", roster)
    office.does(f"{finance}.reviewer", "roster/action/pass-finance", roster)
    return office.one(Roster)


def paid(office: Office, roster: Roster) -> None:
    """From the payment order to the bank's results, three of which fail."""
    reviewer = f"{PART.department}.reviewer"
    office.does(f"{PART.department}.clerk", "roster/form/draft-orders", roster)
    orders = office.all(PaymentOrder)
    office.does(reviewer, "payment-order/action/release", *orders, password=office.passwords[reviewer])
    office.waits("拨付", lambda session: money._all_credited(session, len(orders)))
    for line, change in zip(office.all(RosterLine, RosterLine.sequence <= len(CHANGES)), CHANGES, strict=True):
        office.scene.sandboxes.bank.set_account(line.account_number, **change)
    for order in orders:
        office.does(f"{PART.finance}.clerk", "payment-order/form/prepare-batch", order)
    release_batches(office, office.all(BankBatch))


def release_batches(office: Office, batches: list[BankBatch]) -> None:
    reviewer = f"{PART.finance}.reviewer"
    office.does(reviewer, "bank-batch/action/release", *batches, password=office.passwords[reviewer])
    money._await_settled(office.scene, batches)


def followed(office: Office) -> None:
    """Each failure its way: account changed, dormant activated, dead removed and refunded."""
    clerk, finance = f"{PART.township}.clerk", PART.finance
    office.does(f"{finance}.clerk", "failure/action/notify", *office.all(Failure))
    closed, dormant, dead = (
        office.one(Failure, Failure.route == route)
        for route in (FailureRoute.CHANGE_ACCOUNT, FailureRoute.ACTIVATE, FailureRoute.REMOVE)
    )
    office.does(
        clerk, "failure/action/correct", closed, account_number=spare_card(office, closed), resolution="换了新卡"
    )
    office.does(f"{PART.township}.head", "account/action/confirm", office.one(Account, Account.status == "proposed"))
    line = office.one(RosterLine, RosterLine.id == dormant.line_id)
    office.scene.sandboxes.bank.set_account(line.account_number, status="active")
    office.does(clerk, "failure/action/activate", dormant, resolution="已到网点激活")
    office.does(clerk, "failure/action/report-unpayable", dead, resolution="已死亡")
    office.does(f"{PART.department}.clerk", "failure/action/remove", dead, resolution="移出清册")
    members = [office.one(RosterLine, RosterLine.id == one.line_id).member_id for one in (closed, dormant)]
    verified = select(sa.func.count()).select_from(Account)
    verified = verified.where(
        Account.member_id.in_(members), Account.is_payment, Account.status == AccountStatus.VERIFIED
    )
    office.waits("账户验证", lambda session: session.exec(verified).one() == 2)
    known = {batch.id for batch in office.all(BankBatch)}
    office.does(f"{finance}.clerk", "failure/form/reissue")
    release_batches(office, [batch for batch in office.all(BankBatch) if batch.id not in known])
    office.does(f"{finance}.clerk", "refund/form/prepare")
    reviewer = f"{finance}.reviewer"
    office.does(reviewer, "refund/action/release", *office.all(Refund), password=office.passwords[reviewer])
    open_ = select(sa.func.count()).select_from(Refund).where(Refund.status != RefundStatus.RETURNED)
    office.waits("退款", lambda session: session.exec(open_).one() == 0)


def spare_card(office: Office, failure: Failure) -> str:
    """Let the bank issue the payee a new card."""
    line = office.one(RosterLine, RosterLine.id == failure.line_id)
    body = "620040999999999990"
    number = body + luhn_digit(body)
    office.scene.sandboxes.bank.add_world([
        {"kind": "account", "number": number, "holder_name": line.name, "holder_id": line.id_number,
         "bank_code": line.bank_code, "status": "active", "is_card": True}
    ])  # fmt: skip
    return number


def reconciled(office: Office) -> None:
    """Each agent account's statement of each day on which money moved."""
    office.scene.next_working_day()
    for account_id, _, day in money._days(office.scene):
        office.does(
            f"{PART.finance}.clerk", "statement/form/reconcile", agent_account_id=str(account_id), day=day.isoformat()
        )
    office.jobs_end()
    assert {statement.status for statement in office.all(Statement)} == {ReconciliationStatus.AGREED}


@pytest.mark.timeout(600)
def test_a_county_pays_its_rosters_through_the_console_alone(office: Office):
    roster = reviewed(office)
    assert roster.status == RosterStatus.FINAL
    paid(office, roster)
    followed(office)
    reconciled(office)
    region = "zizhiqu.caizheng.clerk"
    office.does(region, "bulletin/form/make", family="periodic", date_from="2026-01-01", date_to="2026-12-31")
    figures = hold_invariants(office.scene)
    assert figures["paid_fen"] == office.one(Roster).paid_fen > 0
    assert f"{figures['paid_fen'] / 100:,.2f}" in office.sees(region, "bulletin/list")
