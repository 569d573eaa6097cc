"""A bank without interface from verification to results: the county ends exactly where an interface would take it.

（第十二、二十、二十一、三十四条）
"""

from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import select

from integrations.sandbox.bank_files import read_order, write_results
from models.accounts import Account, AccountStatus
from models.bank_batches import BankBatch, BankBatchStatus
from models.bank_replies import ReplyKind, ReplyStatus
from models.events import Event
from models.outbox import OutboxMessage
from policies.clock import now, today
from reports.sheets.bank_replies import ANSWERS, write_template
from reports.sheets.workbooks import open_workbook
from tests.bank_desk import BankDesk, without_interface
from tests.conftest import Owner
from tests.factories import Line, World, a_line
from tests.money import SWEEP, Money
from workflows import bank_batches, bank_desk, bank_replies, outbox, payment_orders

SAID = (("failed", "AC04", "账户已销户"), ("failed", "DORMANT", "不动户"), ("paid", "", ""), ("paid", "", ""))
"""What becomes of the four payments, whichever way the bank tells it."""


def lines() -> list[Line]:
    return [a_line(quantity=str(quantity)) for quantity in (10, 20, 30, 40)]


def message(batch: BankBatch, money: Money, places: tuple[int, ...]) -> bytes:
    """The bank's pain.002 about some payments of a batch."""
    with money.owner() as session:
        moment = now(session)
    payments = [one for one in money.disbursements() if one.batch_id == batch.id]
    told = [
        {
            "end_to_end_id": payments[place].end_to_end_id,
            "amount_fen": payments[place].amount_fen,
            "status": "ACSC" if SAID[place][0] == "paid" else "RJCT",
            "code": SAID[place][1],
            "text": SAID[place][2],
        }
        for place in places
    ]
    return write_results(f"R-{batch.number}", batch.number, "PART", moment, told)


ENDS: dict[str, str] = {
    "payments": "select line_sequence, amount_fen, status, failure_class, settled_on from disbursements"
    " where batch_id = :batch order by 1",
    "failures": "select f.line_sequence, f.amount_fen, f.failure_class, f.route, f.status from failures f"
    " join disbursements d on d.id = f.disbursement_id where d.batch_id = :batch order by 1",
    "accounts": "select d.line_sequence, a.status from disbursements d join roster_lines l on l.id = d.line_id"
    " join accounts a on a.id = l.account_id where d.batch_id = :batch order by 1",
    "claims": "select count(*) from entitlement_successes s join disbursements d on d.id = s.disbursement_id"
    " where d.batch_id = :batch",
    "books": "select p.ledger, sum(p.amount_fen) from postings p join disbursements d on d.id = p.disbursement_id"
    " where d.batch_id = :batch group by 1 order by 1",
    "batch": "select status, paid_count, paid_fen, failed_count, failed_fen from bank_batches where id = :batch",
    "roster": "select r.status, r.paid_fen from rosters r where r.id = (select min(roster_id) from disbursements"
    " where batch_id = :batch)",
}


def ends(money: Money, batch: BankBatch) -> dict[str, list[tuple[Any, ...]]]:
    """What the county is left with: payments, failures, accounts, claims, books, batch, roster."""
    with money.owner() as session:
        return {
            name: [tuple(row) for row in session.execute(sa.text(question), {"batch": batch.id})]
            for name, question in ENDS.items()
        }


def by_interface(county: World, owner: Owner) -> dict[str, list[tuple[Any, ...]]]:
    """Let the same four payments be answered over the wire."""
    money = Money(county, owner, lines=lines())
    with owner() as session:
        batch = money.send_by_hand(session)
    with owner() as session:
        locked = session.exec(select(BankBatch).where(BankBatch.id == batch.id).with_for_update()).one()
        bank_batches.apply_file(session, locked, message(batch, money, (0, 1, 2, 3)), by=SWEEP)
    return ends(money, batch)


def sent_at_the_desk(money: Money) -> BankBatch:
    """Release a batch and deliver it: a bank without interface is asked nothing."""
    with money.owner() as session:
        batch = bank_batches.prepare(session, money.fund_by_hand(session), by=money.finance.clerk)
        bank_batches.release(session, batch, by=money.finance.reviewer)
    with money.owner() as session:
        letter = session.exec(select(OutboxMessage).where(OutboxMessage.business_key == batch.number)).one()
    assert outbox.deliver(letter.id or 0, letter.division_code)
    with money.owner() as session:
        return session.get_one(BankBatch, batch.id)


def filled_in(list_: bytes, words: dict[str, str]) -> bytes:
    """The downloaded list as the bank returns it: its own column filled in."""
    names = [field.name for field in ANSWERS.fields]
    rows = [dict(zip(names, row, strict=False)) for row in open_workbook(list_, "x").sheet("银行回复").iter_rows()]
    told = [
        row | {"state": words[row["account_number"]], "sequence": ""} for row in rows if row["account_number"] in words
    ]
    return write_template(ReplyKind.ANSWERS, told)


@pytest.fixture
def desk(county: World, owner: Owner) -> BankDesk:
    return BankDesk(owner, county.bank)


def test_the_county_ends_exactly_where_an_interface_would_take_it(county: World, owner: Owner, desk: BankDesk):
    wanted = by_interface(county, owner)
    with owner() as session:
        without_interface(session)
    money = Money(county, owner, lines=lines())
    accounts = accounts_of(money)
    with owner() as session:
        session.execute(sa.text("update accounts set status = 'verifying' where id = any (:ids)"),
                        {"ids": [account.id for account in accounts]})  # fmt: skip
    # The bank fetches what waits, fills it in and returns it; another person confirms.
    file = desk.does(bank_desk.waiting_list)
    reply = desk.sends(ReplyKind.ANSWERS, filled_in(file.content, {one.number: "验证通过" for one in accounts}))
    assert (reply.status, reply.row_count) == (ReplyStatus.PREPARED, 4), reply.problems
    desk.confirms(reply)
    assert {desk.again(account).status for account in accounts} == {AccountStatus.VERIFIED}
    # It fetches the batch's own message.
    batch = sent_at_the_desk(money)
    assert (batch.status, batch.due_on is not None) == (BankBatchStatus.SENT, True)
    order = read_order(desk.does(bank_desk.batch_file, batch).content)
    assert (order.message_id, len(order.payments or [])) == (batch.number, 4)
    # One result by hand, the others by message.
    first = next(one for one in money.disbursements() if one.batch_id == batch.id)
    outcome, code, words = SAID[0]
    by_hand = desk.does(bank_replies.answer_payment, first, outcome=outcome, code=code, words=words)
    desk.confirms(by_hand)
    content = message(batch, money, (1, 2, 3))
    rest = desk.confirms(desk.sends(ReplyKind.RESULTS, content, name="回盘.xml", batch=batch))
    assert (rest.done_count, rest.exception_count) == (3, 0)
    assert ends(money, batch) == wanted
    assert money.problems() == []


def accounts_of(money: Money) -> list[Account]:
    with money.owner() as session:
        found = sa.select(Account).join(
            sa.table("roster_lines", sa.column("account_id"), sa.column("roster_id")).alias("l"),
            sa.text("l.account_id = accounts.id"),
        )
        return list(session.execute(found.where(sa.text("l.roster_id = :r")), {"r": money.roster_id}).scalars())


@pytest.fixture
def batch(county: World, owner: Owner) -> tuple[Money, BankBatch]:
    money = Money(county, owner, lines=lines())
    with owner() as session:
        without_interface(session)
    return money, sent_at_the_desk(money)


class TestResults:
    def test_strangers_and_contradictions_go_to_the_exceptions_desk(
        self, desk: BankDesk, batch: tuple[Money, BankBatch]
    ):
        money, sent = batch
        payments = money.disbursements()
        told = [{"reference": one.end_to_end_id, "amount": one.amount_fen / 100, "state": "成功"} for one in payments]
        desk.confirms(desk.sends(ReplyKind.RESULTS, write_template(ReplyKind.RESULTS, told), batch=sent))
        told[0] |= {"state": "失败", "code": "AC04"}
        told[1]["amount"] = 1.0
        told.append({"reference": "UNKNOWN-1", "amount": 5.0, "state": "成功"})
        reply = desk.sends(ReplyKind.RESULTS, write_template(ReplyKind.RESULTS, told), batch=sent)
        assert (reply.status, reply.note_count) == (ReplyStatus.PREPARED, 5)
        reply = desk.confirms(reply)
        assert [outcome for outcome, _ in desk.rows(reply)] == [
            "exception", "exception", "skipped", "skipped", "exception",
        ]  # fmt: skip
        assert {one.status.value for one in money.disbursements()} == {"paid"}
        assert money.problems() == []

    def test_one_word_on_the_whole_batch_answers_what_is_open(self, desk: BankDesk, batch: tuple[Money, BankBatch]):
        money, sent = batch
        desk.confirms(desk.does(bank_replies.answer_payment, money.disbursements()[0], outcome="failed", code="AC01"))
        desk.confirms(desk.does(bank_replies.answer_batch, sent, outcome="paid"))
        assert [one.status.value for one in money.disbursements()] == ["failed", "paid", "paid", "paid"]
        assert desk.again(sent).status == BankBatchStatus.SETTLED

    def test_the_whole_batch_refused_puts_its_lines_back(self, desk: BankDesk, batch: tuple[Money, BankBatch]):
        money, sent = batch
        desk.confirms(desk.does(bank_replies.answer_batch, sent, outcome="failed", code="FF01", words="格式有误"))
        assert desk.again(sent).status == BankBatchStatus.REFUSED
        assert {one.status.value for one in money.disbursements()} == {"reserved"}

    def test_a_message_about_another_batch_is_refused(self, desk: BankDesk, batch: tuple[Money, BankBatch]):
        money, sent = batch
        content = message(sent, money, (0,)).replace(sent.number.encode(), b"PC0000")
        reply = desk.sends(ReplyKind.RESULTS, content, name="回盘.xml", batch=sent)
        assert (reply.status, "属于批次 PC0000" in reply.problems[0]["what"]) == (ReplyStatus.REFUSED, True)
        broken = desk.sends(ReplyKind.RESULTS, b"<html>", name="回盘.xml", batch=sent)
        assert (broken.status, broken.problem_count) == (ReplyStatus.REFUSED, 1)

    def test_the_batchs_event_names_the_banks_reply(self, desk: BankDesk, batch: tuple[Money, BankBatch]):
        _, sent = batch
        reply = desk.confirms(desk.does(bank_replies.answer_batch, sent, outcome="paid"))
        with desk.owner() as session:
            found = sa.select(Event).where(Event.noun == "bank_batch", Event.verb == "results")
            event = session.execute(found).scalars().one()
        assert (event.facts["report"], reply.number in event.officer_name) == (reply.number, True)


class TestNotices:
    def test_lines_on_their_way_are_told_how_they_will_go(self, desk: BankDesk, batch: tuple[Money, BankBatch]):
        money, _ = batch
        dormant, closed = accounts_of(money)[:2]
        rows = [
            {"account_number": dormant.number, "state": "不动户"},
            {"account_number": closed.number, "state": "已销户"},
        ]
        reply = desk.confirms(desk.sends(ReplyKind.NOTICES, write_template(ReplyKind.NOTICES, rows)))
        told = desk.rows(reply)
        assert "激活后重付（第二十一条第二项）" in told[0][1]
        assert "变更账户（第二十一条第一项）" in told[1][1]

    def test_a_roster_not_ordered_yet_knows_of_it_at_the_next_gate(self, desk: BankDesk, county: World, owner: Owner):
        money = Money(county, owner, lines=lines())
        account = accounts_of(money)[0]
        desk.confirms(desk.does(bank_replies.notice_account, account, state="dormant"))
        with owner() as session:
            state = session.execute(
                sa.text("select account_state from roster_lines where account_id = :id"), {"id": account.id}
            ).scalar_one()
        assert state == "dormant"


def test_the_banks_three_days_run_though_nobody_tells_of_the_moneys_arrival(county: World, owner: Owner):
    money = Money(county, owner, lines=lines())
    with owner() as session:
        without_interface(session)
        order = money.fund_by_hand(session)
        order.credited_at = None
    assert date.min < due(money, sent_unfunded(money))


def sent_unfunded(money: Money) -> BankBatch:
    """Send a batch of the order that is funded but not known to have arrived; the sweep notes the arrival."""
    payment_orders.ask_funding(SWEEP)
    with money.owner() as session:
        order = session.get_one(type(money.order()), money.order().id)
        batch = bank_batches.prepare(session, order, by=money.finance.clerk)
        return money.sent(session, batch)


def due(money: Money, batch: BankBatch) -> date:
    with money.owner() as session:
        found = session.get_one(BankBatch, batch.id).due_on
        assert found is not None
        assert found > today(session)
        return found
