"""An agent bank answers at its own desk: verifications, results, notices. （第十二、二十、二十一、二十三、三十四条）"""

import pytest
import sqlalchemy as sa

from cli import banks
from models.accounts import Account, AccountStatus
from models.bank_replies import BankReply, BankReplyRow, ReplyKind, ReplyStatus
from models.events import Event
from models.jobs import Job, JobStatus, StoredFile
from policies.refusals import NotAllowed, NotFound, SamePersonTwice, StepNotPossible
from reports.sheets.bank_replies import write_template
from tests.bank_desk import OTHER, BankDesk, a_bank_office, answers, waiting_account
from tests.conftest import As, Owner
from tests.factories import World, a_card_number, a_line, a_member, a_roster, an_account
from tests.money import deliver_all
from workflows import account_answers, accounts, bank_replies, checks
from workflows.bank_replies import AnsweredAlready, NoticeNotFitting, PendingReply, SameReply


@pytest.fixture
def bank(county: World, owner: Owner) -> BankDesk:
    return BankDesk(owner, county.bank)


@pytest.fixture
def other(county: World, owner: Owner) -> BankDesk:
    with owner() as session:
        return BankDesk(owner, a_bank_office(session, county, OTHER, "ah.ny"))


@pytest.fixture
def account(county: World, owner: Owner) -> Account:
    with owner() as session:
        return waiting_account(session, county)


def events_of(bank: BankDesk, noun: str, record_id: int | None) -> list[Event]:
    with bank.owner() as session:
        found = sa.select(Event).where(Event.noun == noun, Event.record_id == record_id).order_by(sa.text("id"))
        return list(session.execute(found).scalars())


class TestByHand:
    def test_an_answer_changes_nothing_until_another_person_confirms_it(self, bank: BankDesk, account: Account):
        reply = bank.does(bank_replies.answer_account, account, state="verified")
        assert (reply.status, bank.again(account).status) == (ReplyStatus.PREPARED, AccountStatus.VERIFYING)
        reply = bank.confirms(reply)
        assert (reply.status, reply.done_count, bank.rows(reply)) == (ReplyStatus.APPLIED, 1, [("done", "")])
        assert bank.again(account).status == AccountStatus.VERIFIED

    def test_a_verified_account_becomes_the_payment_account_as_by_interface(
        self, bank: BankDesk, owner: Owner, county: World
    ):
        with owner() as session:
            member = a_member(session, county)
            old = an_account(session, member)
            new = waiting_account(session, county)
            new.member_id = member.id or 0
        bank.confirms(bank.does(bank_replies.answer_account, new, state="verified"))
        assert (bank.again(old).is_payment, bank.again(new).is_payment) == (False, True)

    def test_the_accounts_event_is_the_systems_in_the_name_of_the_reply(self, bank: BankDesk, account: Account):
        reply = bank.confirms(bank.does(bank_replies.answer_account, account, state="dormant"))
        event = events_of(bank, "account", account.id)[-1]
        assert (event.verb, event.officer_id, event.facts["reply"]) == ("fall_dormant", 0, reply.number)
        assert reply.number in event.officer_name

    def test_who_prepared_does_not_confirm(self, bank: BankDesk, account: Account):
        reply = bank.does(bank_replies.answer_account, account, state="verified")
        with pytest.raises(NotAllowed):
            bank.does(bank_replies.confirm, reply, by=bank.office.clerk)
        with pytest.raises((SamePersonTwice, NotAllowed)):
            bank.does(bank_replies.answer_account, account, by=bank.office.reviewer, state="verified")

    def test_a_returned_reply_applies_nothing_and_frees_the_account(self, bank: BankDesk, account: Account):
        reply = bank.does(bank_replies.answer_account, account, state="closed")
        with pytest.raises(PendingReply):
            bank.does(bank_replies.answer_account, account, state="verified")
        bank.does(bank_replies.return_, reply, by=bank.office.reviewer, reason="账号看错")
        assert bank.again(account).status == AccountStatus.VERIFYING
        with pytest.raises(StepNotPossible):
            bank.does(bank_replies.confirm, reply, by=bank.office.reviewer)
        assert bank.does(bank_replies.answer_account, account, state="verified").status == ReplyStatus.PREPARED

    def test_an_account_that_waits_for_nothing_is_not_answered(self, bank: BankDesk, owner: Owner, county: World):
        with owner() as session:
            verified = an_account(session, a_member(session, county))
        with pytest.raises(AnsweredAlready):
            bank.does(bank_replies.answer_account, verified, state="verified")

    def test_an_account_answered_meanwhile_is_skipped(self, bank: BankDesk, owner: Owner, account: Account):
        reply = bank.does(bank_replies.answer_account, account, state="verified")
        with owner() as session:
            session.get_one(Account, account.id).status = AccountStatus.REFUSED
        reply = bank.confirms(reply)
        assert (reply.skipped_count, bank.again(account).status) == (1, AccountStatus.REFUSED)

    def test_a_notice_lets_an_account_fall_dormant_once(self, bank: BankDesk, owner: Owner, county: World):
        with owner() as session:
            verified = an_account(session, a_member(session, county))
        bank.confirms(bank.does(bank_replies.notice_account, verified, state="dormant"))
        assert bank.again(verified).status == AccountStatus.DORMANT
        with pytest.raises(NoticeNotFitting):
            bank.does(bank_replies.notice_account, verified, state="dormant")


class TestWorkbook:
    def test_a_workbook_is_checked_whole_and_applied_row_by_row(self, bank: BankDesk, owner: Owner, county: World):
        with owner() as session:
            waiting = [waiting_account(session, county) for _ in range(4)]
        words = ("验证通过", "户名不符", "不动户", "已销户")
        reply = bank.sends(ReplyKind.ANSWERS, answers(*zip(waiting, words, strict=True)))
        assert (reply.status, reply.row_count) == (ReplyStatus.PREPARED, 4), reply.problems
        reply = bank.confirms(reply)
        assert [bank.again(one).status.value for one in waiting] == ["verified", "refused", "dormant", "closed"]
        assert reply.done_count == 4

    def test_any_problem_refuses_the_whole_file_and_gives_it_back_marked(
        self, bank: BankDesk, owner: Owner, county: World
    ):
        with owner() as session:
            good, foreign = waiting_account(session, county), waiting_account(session, county, prefix=OTHER)
        reply = bank.sends(ReplyKind.ANSWERS, answers((good, "验证通过"), (foreign, "验证通过"), (good, "大概可以")))
        assert (reply.status, reply.marked_file_id is not None) == (ReplyStatus.REFUSED, True)
        assert {problem["cell"] for problem in reply.problems} == {"B3", "B4", "B5", "F5"}
        assert any("没有登记为本行" in problem["what"] for problem in reply.problems)
        assert bank.rows(reply) == []
        assert bank.again(good).status == AccountStatus.VERIFYING

    def test_the_same_file_is_recognised_until_it_was_refused_or_withdrawn(self, bank: BankDesk, account: Account):
        content = answers((account, "验证通过"))
        reply = bank.sends(ReplyKind.ANSWERS, content)
        with pytest.raises(SameReply, match=reply.number):
            bank.sends(ReplyKind.ANSWERS, content)
        bank.does(bank_replies.withdraw, reply, reason="重新核对")
        assert bank.sends(ReplyKind.ANSWERS, content).status == ReplyStatus.PREPARED

    def test_a_job_that_was_stopped_goes_on_with_the_next_row(
        self, bank: BankDesk, owner: Owner, county: World, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr("workflows.bank_reply_apply.CHUNK", 2)
        with owner() as session:
            waiting = [waiting_account(session, county) for _ in range(5)]
        reply = bank.sends(ReplyKind.ANSWERS, answers(*((one, "验证通过") for one in waiting)))
        apply_answers, calls = account_answers.apply_answers, []

        def breaks(*told: object, **named: object) -> object:
            calls.append(1)
            if len(calls) == 2:
                raise RuntimeError("worker gone")
            return apply_answers(*told, **named)  # type: ignore[arg-type]

        monkeypatch.setattr(account_answers, "apply_answers", breaks)
        with pytest.raises(RuntimeError):
            bank.confirms(reply)
        assert [bank.again(one).status.value for one in waiting].count("verified") == 2
        with owner() as session:
            session.execute(sa.text("update jobs set status = 'queued' where status = 'failed'"))
        bank.work()
        assert {bank.again(one).status.value for one in waiting} == {"verified"}
        assert bank.again(reply).done_count == 5

    def test_notices_come_as_a_workbook_too(self, bank: BankDesk, owner: Owner, county: World):
        with owner() as session:
            one, two = (an_account(session, a_member(session, county)) for _ in range(2))
        rows = [{"account_number": one.number, "state": "不动户"}, {"account_number": two.number, "state": "销户"}]
        bank.confirms(bank.sends(ReplyKind.NOTICES, write_template(ReplyKind.NOTICES, rows)))
        assert (bank.again(one).status, bank.again(two).status) == (AccountStatus.DORMANT, AccountStatus.CLOSED)

    def test_files_lie_sealed_and_no_account_number_stays_in_the_rows(self, bank: BankDesk, account: Account):
        content = answers((account, "验证通过"))
        reply = bank.sends(ReplyKind.ANSWERS, content)
        with bank.owner() as session:
            assert content[:40] not in session.get_one(StoredFile, reply.file_id).content
            row = session.execute(sa.text("select bank_reply_rows::text from bank_reply_rows")).scalar_one()
        assert account.number not in row


class TestBankWithoutInterface:
    def test_nobody_asks_it_over_the_wire(self, bank: BankDesk, owner: Owner, county: World):
        with owner() as session:
            session.execute(sa.text("update agent_banks set interface = false where prefix = '402'"))
            member = a_member(session, county)
            an_account(session, member)
        with owner() as session:
            card = accounts.register(
                session, session.merge(member), by=county.township.clerk, number=a_card_number(), reason="换卡"
            )
            accounts.confirm(session, card, by=county.township.head)
        assert (bank.again(card).status, deliver_all()) == (AccountStatus.VERIFYING, 0)

    def test_a_rosters_check_asks_its_desk_instead(self, owner: Owner, county: World):
        with owner() as session:
            session.execute(sa.text("update agent_banks set interface = false where prefix = '402'"))
            states = (AccountStatus.REGISTERED, AccountStatus.VERIFIED, AccountStatus.DORMANT)
            members = [a_member(session, county) for _ in states]
            for member, status in zip(members, states, strict=True):
                an_account(session, member, status=status)
            lines = [a_line(member=member, account_state=None) for member in members]
            roster = a_roster(session, county, lines=lines)
            job = checks.start_check(session, roster, by=county.township.clerk)
            session.flush()
            key = (job.id or 0, roster.id)
        run = checks._begin(county.township.clerk, key[0])
        assert (run.accounts, checks._accounts_to_ask(run)) == (0, [])
        with owner() as session:
            session.execute(checks.TAKE_KNOWN_STATES, run.key | {"moment": run.since})
            found = session.execute(
                sa.text(
                    "select a.status, l.account_state from roster_lines l join accounts a on a.id = l.account_id"
                    " where l.roster_id = :roster order by l.sequence"
                ),
                {"roster": key[1]},
            )
            told = [tuple(row) for row in found]
        assert told == [("verifying", None), ("verified", "verified"), ("dormant", "dormant")]


class TestTwoBanks:
    def test_the_other_bank_sees_nothing_of_a_reply(self, bank: BankDesk, other: BankDesk, account: Account, as_: As):
        reply = bank.sends(ReplyKind.ANSWERS, answers((account, "验证通过")))
        tables = (BankReply, BankReplyRow, Account, StoredFile, Job, Event)
        with as_(other.office.clerk) as session:
            assert {model.__tablename__: session.scalar(sa.select(sa.func.count()).select_from(model))
                    for model in tables} == {model.__tablename__: 0 for model in tables}  # fmt: skip
        for verb, by in ((bank_replies.confirm, other.office.reviewer), (bank_replies.return_, other.office.reviewer)):
            with pytest.raises((NotFound, sa.exc.NoResultFound)):
                other.does(verb, reply, by=by, **({"reason": "x"} if verb is bank_replies.return_ else {}))

    def test_a_bank_writes_nothing_on_the_countys_rows(self, bank: BankDesk, account: Account, as_: As):
        for table in ("accounts", "bank_batches", "disbursements", "agent_accounts"):
            with as_(bank.office.clerk) as session:
                done = session.execute(sa.text(f"update {table} set division_code = division_code"))
                assert done.rowcount == 0, table
        with as_(bank.office.clerk) as session:
            assert session.scalar(sa.text("select count(*) from members")) == 0
            assert session.scalar(sa.text("select count(*) from accounts")) == 1

    def test_officers_of_the_county_prepare_no_replies(self, bank: BankDesk, county: World, account: Account):
        for by in (county.finance.clerk, county.township.clerk, county.bank.reviewer, county.bank.auditor):
            with pytest.raises(NotAllowed):
                bank.does(bank_replies.answer_account, account, by=by, state="verified")

    def test_every_job_ends(self, bank: BankDesk, account: Account):
        bank.confirms(bank.sends(ReplyKind.ANSWERS, answers((account, "验证通过"))))
        with bank.owner() as session:
            assert set(session.execute(sa.select(Job.status)).scalars()) == {JobStatus.DONE}


def test_the_operator_sets_which_bank_has_no_interface(database: str, capsys: pytest.CaptureFixture[str]):
    banks.banks(prefix="313", interface=False)
    assert "在平台办理" in capsys.readouterr().out
    with pytest.raises(banks.BankUnknown):
        banks.banks(prefix="999", interface=True)
