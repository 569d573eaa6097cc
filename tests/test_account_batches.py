"""Cards replaced in bulk, and a county that changes its agent bank: row by row, by two people. （第十二、二十三条）"""

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import select

from integrations.sandbox.launch import Sandboxes
from models.account_batches import AccountBatch, BatchStatus
from models.accounts import Account, AccountStatus
from models.base import REGION_CODE
from models.database import transaction
from models.divisions import Level
from models.households import Member, MemberStatus
from models.jobs import Job, JobStatus
from models.officers import system_principal
from models.outbox import OutboxMessage
from models.settings import settings
from policies.refusals import NotAllowed, SamePersonTwice, StepNotPossible
from tests.account_desk import AccountDesk, cards
from tests.bank_desk import OTHER, RURAL, a_bank_office, without_interface
from tests.conftest import Owner
from tests.factories import World, a_card_number, a_household, a_member, an_account
from tests.money import deliver_all, sandboxes_in
from workflows import account_batch_apply, account_batches
from workflows.account_batches import BankChoice, NothingToReplace, SameList
from workflows.account_notices import fetch_notices
from workflows.files import content_of

S = AccountStatus


@pytest.fixture(scope="module")
def boxes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandboxes]:
    with sandboxes_in(tmp_path_factory.mktemp("outside")) as started:
        yield started


@pytest.fixture
def outside(database: str, boxes: Sandboxes, monkeypatch: pytest.MonkeyPatch) -> Sandboxes:
    """The sandboxes, to which this test's settings point."""
    for name, value in boxes.environment().items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    return boxes


@pytest.fixture
def desk(county: World, owner: Owner) -> AccountDesk:
    return AccountDesk(owner, county)


def people(owner: Owner, county: World, count: int, **fields: Any) -> list[tuple[Member, Account]]:
    """Make people of the township, each with a verified account."""
    with owner() as session:
        members = [a_member(session, county) for _ in range(count)]
        return [(member, an_account(session, member, **fields)) for member in members]


def row(member: Member, account: Account | None, **told: str) -> dict[str, str]:
    """Return one row of a list."""
    old = account.number if account is not None else ""
    return {"name": member.name, "old_number": old, "new_number": a_card_number()} | told


class TestReplacement:
    def test_a_township_replaces_cards_by_two_people_and_the_bank_verifies_them(self, outside, desk, owner, county):
        mine = people(owner, county, 3)
        rows = [row(*one) for one in mine]
        lines = [
            {"kind": "account", "number": told["new_number"], "holder_name": member.name,
             "holder_id": member.id_number, "bank_code": "402191000008",
             "status": "active" if place < 2 else "closed"}
            for place, (told, (member, _)) in enumerate(zip(rows, mine, strict=True))
        ]  # fmt: skip
        outside.bank.add_world(lines)
        batch = desk.sends(cards(*rows))
        assert (batch.status, batch.ready_count, batch.problem_count) == (BatchStatus.CHECKED, 3, 0)
        batch = desk.carries(batch)
        assert (batch.status, batch.done_count) == (BatchStatus.APPLIED, 3)
        assert [[one.is_payment for one in desk.accounts_of(member.id)] for member, _ in mine] == [[True, False]] * 3
        assert deliver_all() == 0
        found = [[(one.status, one.is_payment) for one in desk.accounts_of(member.id)] for member, _ in mine]
        done = [(S.CLOSED, False), (S.VERIFIED, True)]
        assert found == [
            done,
            done,
            [(S.VERIFIED, True), (S.CLOSED, False)],
        ]  # a closed card leaves the old one serving
        with owner() as session:
            assert session.execute(sa.text("select count(new_number) from account_batch_rows")).scalar_one() == 0
            assert account_batches.standing(session, batch) == {"verified": 2, "closed": 1}
            assert all("62" not in str(one.payload) for one in session.exec(select(OutboxMessage)))

    def test_a_bank_at_its_desk_is_not_asked_over_the_wire(self, desk, owner, county):
        with owner() as session:
            without_interface(session)
        [one] = people(owner, county, 1)
        desk.carries(desk.sends(cards(row(*one))))
        assert (desk.accounts_of(one[0].id)[1].status, deliver_all()) == (S.VERIFYING, 0)

    def test_a_person_without_account_gets_the_first_card_by_id_number(self, desk, owner, county):
        with owner() as session:
            member = a_member(session, county)
        told = row(member, None, id_number=member.id_number, bank_name="内蒙古农村信用社（农商银行）")
        batch = desk.carries(desk.sends(cards(told)))
        assert batch.done_count == 1
        assert [one.status for one in desk.accounts_of(member.id)] == [S.VERIFYING]

    def test_text_files_of_a_banks_own_system_are_read(self, desk, owner, county):
        [(member, account)] = people(owner, county, 1)
        text = f"户名,原卡号,新卡号\r\n{member.name},{account.number},{a_card_number()}\r\n"
        batch = desk.sends(text.encode("gb18030"), name="换卡.csv")
        assert (batch.status, batch.ready_count) == (BatchStatus.CHECKED, 1)

    def test_a_list_that_cannot_be_read_is_refused_whole(self, desk):
        batch = desk.sends("姓名,说明\r\n张三,无\r\n".encode(), name="换卡.csv")
        assert batch.status == BatchStatus.REFUSED
        assert batch.problems


class TestTwoPeople:
    def test_whoever_proposed_does_not_confirm_and_nobody_skips_a_step(self, desk, owner, county):
        batch = desk.sends(cards(*[row(*one) for one in people(owner, county, 1)]))
        with pytest.raises(StepNotPossible):
            desk.does(account_batches.confirm, batch, by=county.township.head)
        desk.does(account_batches.propose, batch)
        with pytest.raises((NotAllowed, SamePersonTwice)):
            desk.does(account_batches.confirm, batch)
        with pytest.raises(NotAllowed):
            desk.does(account_batches.confirm, batch, by=county.finance.reviewer)

    def test_a_returned_list_registers_nothing_and_may_be_sent_again(self, desk, owner, county):
        [one] = people(owner, county, 1)
        content = cards(row(*one))
        batch = desk.sends(content)
        with pytest.raises(SameList):
            desk.sends(content)
        desk.does(account_batches.propose, batch)
        batch = desk.does(account_batches.return_, batch, by=county.township.head, reason="请附人社部门文件")
        assert batch.status == BatchStatus.RETURNED
        assert len(desk.accounts_of(one[0].id)) == 1
        assert desk.sends(content).status == BatchStatus.CHECKED

    def test_postgresql_lets_no_batch_through_without_two_people(self, desk, owner, county):
        batch = desk.sends(cards(*[row(*one) for one in people(owner, county, 1)]))
        with pytest.raises(sa.exc.ProgrammingError, match="两人"), transaction(county.township.clerk) as session:
            session.execute(sa.text("update account_batches set status = 'confirmed' where id = :id"), {"id": batch.id})

    def test_a_list_without_a_good_row_is_not_proposed(self, desk, owner, county):
        [(member, account)] = people(owner, county, 1)
        batch = desk.sends(cards(row(member, account, name="别人")))
        with pytest.raises(NothingToReplace):
            desk.does(account_batches.propose, batch)


class TestJob:
    def test_a_cancelled_job_stops_and_goes_on_with_the_next_row(self, desk, owner, county, monkeypatch):
        monkeypatch.setattr(account_batch_apply, "CHUNK", 2)
        batch = desk.sends(cards(*[row(*one) for one in people(owner, county, 5)]))
        desk.does(account_batches.propose, batch)
        desk.does(account_batches.confirm, batch, by=county.township.head)
        register, calls = account_batch_apply._Apply._register, []

        def cancels(self: Any, *told: Any) -> None:
            register(self, *told)
            calls.append(1)
            if len(calls) == 1:
                with owner() as session:
                    session.execute(sa.text("update jobs set cancel_asked = true where status = 'running'"))

        monkeypatch.setattr(account_batch_apply._Apply, "_register", cancels)
        desk.work()
        batch = desk.again(batch)
        assert (batch.status, batch.done_count, batch.ready_count) == (BatchStatus.STOPPED, 2, 3)
        desk.does(account_batches.resume, batch, by=county.township.head)
        desk.work()
        batch = desk.again(batch)
        assert (batch.status, batch.done_count, len(calls)) == (BatchStatus.APPLIED, 5, 3)

    def test_a_killed_worker_leaves_whole_chunks_and_the_batch_is_taken_up(self, desk, owner, county, monkeypatch):
        monkeypatch.setattr(account_batch_apply, "CHUNK", 2)
        batch = desk.sends(cards(*[row(*one) for one in people(owner, county, 5)]))
        desk.does(account_batches.propose, batch)
        desk.does(account_batches.confirm, batch, by=county.township.head)
        taken, calls = account_batch_apply._moved_on, []

        def breaks(*told: Any) -> Any:
            calls.append(1)
            if len(calls) == 2:
                raise RuntimeError("worker gone")
            return taken(*told)

        monkeypatch.setattr(account_batch_apply, "_moved_on", breaks)
        with pytest.raises(RuntimeError):
            desk.work()
        with owner() as session:
            assert session.execute(sa.text("select count(*) from accounts where batch_id > 0")).scalar_one() == 2
        desk.does(account_batches.resume, batch, by=county.township.head)
        desk.work()
        assert desk.again(batch).done_count == 5

    def test_what_changed_since_the_check_is_not_replaced(self, desk, owner, county):
        mine = people(owner, county, 3)
        rows = [row(*one) for one in mine]
        batch = desk.sends(cards(*rows))
        desk.does(account_batches.propose, batch)
        with owner() as session:
            session.get_one(Member, mine[0][0].id).status = MemberStatus.DEAD
            an_account(session, a_member(session, county), number=rows[1]["new_number"])
        desk.does(account_batches.confirm, batch, by=county.township.head)
        desk.work()
        assert (desk.again(batch).done_count, desk.again(batch).problem_count) == (1, 2)


class TestBanksOwnList:
    def test_it_is_the_banks_verification_once_its_reviewer_and_two_of_the_county_agree(self, desk, owner, county):
        mine = people(owner, county, 2)
        batch = desk.sends(cards(*[row(*one) for one in mine]), by=county.bank.clerk)
        assert (batch.status, batch.source.value, batch.ready_count) == (BatchStatus.BANK_CHECKED, "bank", 2)
        with pytest.raises(StepNotPossible):
            desk.does(account_batches.propose, batch, by=county.finance.clerk)
        desk.does(account_batches.vouch, batch, by=county.bank.reviewer)
        batch = desk.carries(batch, office=county.finance)
        assert (batch.status, batch.done_count, deliver_all()) == (BatchStatus.APPLIED, 2, 0)
        for member, _ in mine:
            assert [(one.status, one.is_payment) for one in desk.accounts_of(member.id)] == [
                (S.CLOSED, False), (S.VERIFIED, True),
            ]  # fmt: skip

    def test_a_bank_replaces_no_other_banks_accounts_and_sees_no_other_banks_list(self, desk, owner, county):
        with owner() as session:
            other = a_bank_office(session, county, OTHER, "ah.ny")
        batch = desk.sends(cards(*[row(*one) for one in people(owner, county, 1)]), by=other.clerk)
        assert (batch.ready_count, batch.problem_count) == (0, 1)
        with transaction(county.bank.clerk) as session:
            assert session.execute(sa.text("select count(*) from account_batches")).scalar_one() == 0

    def test_a_township_cannot_pass_its_list_off_as_a_banks(self, desk, owner, county):
        with pytest.raises(NotAllowed):
            desk.sends(cards(*[row(*one) for one in people(owner, county, 1)]), source="bank")


class TestChangeOfBank:
    def test_a_county_moves_from_one_bank_to_another_and_lists_who_has_no_card_yet(self, desk, owner, county):
        mine = people(owner, county, 3)
        banks = banks_of(owner)
        told = {"kind": "bank", "source": "county", "from_bank_id": banks[RURAL], "bank_id": banks[OTHER]}
        batch = desk.sends(cards(*[row(*one) for one in mine[:2]]), by=county.finance.clerk, **told)
        assert (batch.status, batch.ready_count, batch.missing_count) == (BatchStatus.COUNTY_CHECKED, 2, 1)
        with owner() as session:
            listed = str(content_of(session, batch.missing_file_id))
        assert mine[2][1].number not in listed
        batch = desk.carries(batch, office=county.finance)
        assert [desk.accounts_of(member.id)[-1].bank_id for member, _ in mine] == [
            banks[OTHER], banks[OTHER], banks[RURAL],
        ]  # fmt: skip

    def test_the_two_banks_are_two_and_only_a_county_changes_them(self, desk, owner, county):
        banks = banks_of(owner)
        content = cards(*[row(*one) for one in people(owner, county, 1)])
        with pytest.raises(BankChoice):
            desk.sends(content, by=county.finance.clerk, kind="bank", source="county", bank_id=banks[RURAL],
                       from_bank_id=banks[RURAL])  # fmt: skip
        with pytest.raises(NotAllowed):
            desk.sends(content, kind="bank", bank_id=banks[OTHER], from_bank_id=banks[RURAL])


def banks_of(owner: Owner) -> dict[str, int]:
    with owner() as session:
        return dict(session.execute(sa.text("select prefix, id from agent_banks")).tuples().all())


def test_a_list_with_twenty_mistakes_names_each_in_its_row_and_replaces_the_good_ones(desk, owner, county):
    """Each row but the first two has one mistake; the marked list names all of them, the good rows go on."""
    mine = people(owner, county, 22)
    with owner() as session:
        elsewhere = a_member(
            session, county, a_household(session, county, township=county.second_township.division_code)
        )
        away = an_account(session, elsewhere)
        dead = mine[14][0]
        session.get_one(Member, dead.id).status = MemberStatus.DEAD
        an_account(session, mine[15][0], status=S.PROPOSED, is_payment=False)
        spare = an_account(session, mine[16][0], is_payment=False)
        refused = an_account(session, mine[17][0], status=S.REFUSED, is_payment=False)
    twice = a_card_number()
    told = [row(*one) for one in mine]
    told[2] |= {"name": ""}
    told[3] |= {"new_number": ""}
    told[4] |= {"new_number": "123"}
    told[5] |= {"new_number": "6217370000000000000"}
    told[6] |= {"new_number": a_card_number("521737")}
    told[7] |= {"new_number": told[7]["old_number"]}
    told[8] |= {"old_number": ""}
    told[9] |= {"name": "另有其人"}
    told[10] |= {"old_number": a_card_number()}
    told[11] |= {"id_number": "15043019900101001X"}
    told[12] |= {"id_number": mine[0][0].id_number}
    told[13] |= {"new_number": away.number}
    told[16] |= {"old_number": spare.number}
    told[17] |= {"new_number": refused.number}
    told[18] |= {"new_number": twice}
    told[19] |= {"new_number": twice}
    told[20] |= {"bank_name": "火星银行"}
    told[21] |= {"old_number": told[1]["old_number"], "name": told[1]["name"]}
    batch = desk.sends(cards(*told))
    found = desk.rows(batch)
    assert {number - 3 for number, (outcome, _) in found.items() if outcome == "ready"} == {0}
    wrong = {number - 3: message for number, (outcome, message) in found.items() if outcome == "problem"}
    words = {
        1: "同一原账号", 2: "姓名未填写", 3: "未填写", 4: "16–19", 5: "校验", 6: "62", 7: "相同", 8: "都未填写",
        9: "姓名与登记", 10: "没有登记", 11: "身份证号", 12: "不一致", 13: "其他人名下", 14: "死亡", 15: "正在复核",
        16: "不是该人员当前", 17: "未验证通过", 18: "出现 2 次", 19: "出现 2 次", 20: "名录", 21: "同一原账号",
    }  # fmt: skip
    assert {place: word in wrong.get(place, "") for place, word in words.items()} == dict.fromkeys(words, True), wrong
    assert (batch.ready_count, batch.problem_count) == (1, 21)
    with owner() as session:
        marked = content_of(session, batch.marked_file_id)
    assert marked.startswith(b"PK")
    batch = desk.carries(batch)
    assert (batch.status, batch.done_count) == (BatchStatus.APPLIED, 1)
    assert isinstance(batch, AccountBatch)


def test_no_query_is_made_per_row(desk, owner, county):
    """Ten times as many rows are judged by as many statements."""
    counts = []
    for size in (3, 30):
        content = cards(*[row(*one) for one in people(owner, county, size)])
        statements: list[str] = []

        def note(conn: Any, cursor: Any, statement: str, *_: Any, kept: list[str] = statements) -> None:
            kept.append(statement)

        sa.event.listen(sa.Engine, "before_cursor_execute", note)
        try:
            batch = desk.sends(content)
        finally:
            sa.event.remove(sa.Engine, "before_cursor_execute", note)
        assert batch.ready_count == size
        counts.append(len(statements))
    assert abs(counts[0] - counts[1]) <= 2  # what a process learns once (the policy) is not asked again


def test_the_job_of_a_batch_tells_its_progress(desk, owner, county):
    batch = desk.sends(cards(*[row(*one) for one in people(owner, county, 1)]))
    desk.carries(batch)
    with owner() as session:
        jobs = list(session.exec(select(Job).order_by(sa.text("id"))))
    assert [(job.kind, job.status) for job in jobs] == [
        (account_batches.CHECK_JOB, JobStatus.DONE), (account_batches.APPLY_JOB, JobStatus.DONE),
    ]  # fmt: skip


def test_a_bank_tells_by_itself_over_its_interface_and_each_notice_is_taken_once(outside, desk, owner, county):
    [(member, account)] = people(owner, county, 1)
    outside.bank.add_world([
        {"kind": "account", "number": account.number, "holder_name": member.name, "holder_id": member.id_number,
         "bank_code": "402191000008", "status": "active"}
    ])  # fmt: skip
    outside.bank.set_account(account.number, status="dormant", tell=True)
    region = system_principal(REGION_CODE, Level.REGION, "定时任务")
    assert (fetch_notices(region), fetch_notices(region)) == (1, 0)
    assert (desk.again(account).status, desk.tasks(member.id)) == (S.DORMANT, {"account_dormant": "open"})
