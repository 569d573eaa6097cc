"""One-card accounts: the card first, two people for a change, the bank before anybody is paid. （第十二、二十一条）"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from sqlmodel import select

from integrations.banks import AccountAnswer, AccountNotice
from models.accounts import Account, AccountRefusal, AccountStatus
from models.accounts import AccountNotice as Kept
from models.base import REGION_CODE
from models.database import transaction
from models.divisions import Level
from models.households import Member, MemberStatus
from models.officers import Role, system_principal
from models.registry_changes import Attachment, DocumentKind
from models.registry_tasks import RegistryTask
from policies.interests import OwnHousehold
from policies.refusals import FasterColleague, NotAllowed, ReasonMissing, Refused, SamePersonTwice, StepNotPossible
from tests.account_desk import AccountDesk, payment_accounts
from tests.conftest import Owner
from tests.factories import (
    World,
    a_card_number,
    a_household,
    a_line,
    a_member,
    a_roster,
    an_account,
    lines_of,
    second_account,
)
from tests.money import SWEEP
from tests.world import _officer, hasher
from workflows import account_answers, account_notices, accounts
from workflows.account_answers import apply_answers
from workflows.accounts import AccountKnown, AccountTaken, CardNumberWrong, ChangeProposed, HolderGone
from workflows.attachments import Evidence

S = AccountStatus
PHOTO = Evidence("社保卡.jpg", b"\xff\xd8\xff card \xff\xd9", DocumentKind.BANK_CARD)


@pytest.fixture
def desk(county: World, owner: Owner) -> AccountDesk:
    return AccountDesk(owner, county)


@pytest.fixture
def newcomer(county: World, owner: Owner) -> Member:
    """Somebody without any account."""
    with owner() as session:
        an_account(session, a_member(session, county))  # so that a bank is known
        return a_member(session, county)


@pytest.fixture
def holder(county: World, owner: Owner) -> Member:
    """Somebody with a verified bank account that is no card."""
    with owner() as session:
        member = a_member(session, county)
        an_account(session, member, is_card=False)
        return member


BANK = "内蒙古农村信用社（农商银行）"


def a_change(desk: AccountDesk, member: Member, **fields: object) -> Account:
    told = {"number": a_card_number(), "reason": "换发社会保障卡", "bank_name": BANK} | fields
    return desk.does(accounts.register, member, **told)


class TestFirstAccount:
    def test_a_new_persons_card_goes_to_the_bank_at_once_and_pays_once_verified(self, desk, newcomer):
        card = desk.does(accounts.register, newcomer, number=a_card_number(), bank_name=BANK)
        assert (card.status, card.is_payment, card.card_required) == (S.VERIFYING, True, True)
        assert desk.answers(card, "verified").status == S.VERIFIED

    def test_a_new_persons_account_that_is_no_card_is_not_verified(self, desk, newcomer):
        card = desk.does(accounts.register, newcomer, number=a_card_number(), bank_name=BANK)
        card = desk.answers(card, "verified", is_card=False)
        assert (card.status, card.refused_for, card.verified_at) == (S.REFUSED, AccountRefusal.WRONG_KIND, None)
        assert "社会保障卡" in card.answer

    def test_a_refused_first_account_is_followed_by_another_first_one(self, desk, newcomer):
        desk.answers(desk.does(accounts.register, newcomer, number=a_card_number(), bank_name=BANK), "unknown")
        second = desk.does(accounts.register, newcomer, number=a_card_number(), bank_name=BANK)
        desk.answers(second, "verified")
        assert [one.is_payment for one in desk.accounts_of(newcomer.id)] == [False, True]

    @pytest.mark.parametrize("number", ["", "123", "6217370000000000000", "62173７0000000000012"])
    def test_a_number_that_is_no_card_is_refused(self, desk, newcomer, number):
        with pytest.raises(CardNumberWrong):
            desk.does(accounts.register, newcomer, number=number, bank_name=BANK)

    def test_the_dead_get_no_account(self, desk, newcomer, owner):
        with owner() as session:
            session.get_one(Member, newcomer.id).status = MemberStatus.DEAD
        with pytest.raises(HolderGone):
            desk.does(accounts.register, newcomer, number=a_card_number(), bank_name=BANK)

    def test_the_registrar_registers_too(self, desk, newcomer, owner, county):
        with owner() as session:
            registrar = _officer(
                session, hasher().hash("x"), county.township.organisation_id, Role.REGISTRAR, "registrar.one"
            )
        card = desk.does(accounts.register, newcomer, by=registrar, number=a_card_number(), bank_name=BANK)
        assert card.status == S.VERIFYING


class TestChange:
    def test_a_change_is_true_only_when_the_head_has_agreed_and_the_bank_verified(self, desk, holder):
        change = a_change(desk, holder)
        assert (change.status, change.is_payment) == (S.PROPOSED, False)
        assert desk.confirms(change).status == S.VERIFYING
        old, new = desk.accounts_of(holder.id)
        assert (old.is_payment, new.is_payment) == (True, False)
        desk.answers(change, "verified")
        old, new = desk.accounts_of(holder.id)
        assert (old.status, old.is_payment, new.is_payment) == (S.VERIFIED, False, True)

    def test_a_refused_card_leaves_the_old_account_serving(self, desk, holder):
        change = desk.answers(desk.confirms(a_change(desk, holder)), "frozen", text="账户已挂失")
        assert (change.status, change.refused_for, change.answer) == (S.REFUSED, AccountRefusal.FROZEN, "账户已挂失")
        old, new = desk.accounts_of(holder.id)
        assert (old.status, old.is_payment, new.is_payment) == (S.VERIFIED, True, False)

    def test_a_change_says_why(self, desk, holder):
        with pytest.raises(ReasonMissing):
            a_change(desk, holder, reason=" ")

    def test_its_evidence_is_kept_with_it(self, desk, holder, owner):
        change = a_change(desk, holder, evidence=(PHOTO,))
        with owner() as session:
            [kept] = session.exec(select(Attachment).where(Attachment.noun == "account"))
        assert (kept.record_id, kept.media_type) == (change.id, "image/jpeg")

    def test_whoever_proposed_does_not_agree(self, desk, holder, owner, county):
        change = a_change(desk, holder)
        with pytest.raises(NotAllowed):
            desk.does(accounts.confirm, change)
        with owner() as session:
            twin = second_account(session, county.township.clerk, county.township.organisation_id, Role.HEAD)
        with pytest.raises(SamePersonTwice):
            desk.does(accounts.confirm, change, by=twin)

    def test_nobody_agrees_to_a_change_of_their_own_household(self, desk, holder, owner, county):
        change = a_change(desk, holder)
        with owner() as session:
            session.execute(
                sa.text("update officers set person_index = :index where id = :id"),
                {"index": holder.id_index, "id": county.township.head.officer_id},
            )
        with pytest.raises(OwnHousehold):
            desk.confirms(change)

    def test_postgresql_lets_no_change_through_without_two_people(self, desk, holder):
        change = a_change(desk, holder)
        with pytest.raises(sa.exc.ProgrammingError, match="两人"), transaction(desk.world.township.clerk) as session:
            session.execute(sa.text("update accounts set status = 'registered' where id = :id"), {"id": change.id})
        with pytest.raises(sa.exc.ProgrammingError, match="验证"), transaction(desk.world.township.clerk) as session:
            session.execute(sa.text("update accounts set status = 'verified' where id = :id"), {"id": change.id})

    def test_a_rejected_change_can_be_proposed_again(self, desk, holder, county):
        change = desk.does(accounts.reject, a_change(desk, holder), by=county.township.head, reason="照片不清")
        assert change.status == S.REJECTED
        assert desk.does(accounts.repropose, change, opinion="已重新拍照").status == S.PROPOSED
        assert desk.does(accounts.withdraw, change, reason="本人改主意").status == S.REJECTED

    def test_one_change_at_a_time(self, desk, holder):
        a_change(desk, holder)
        with pytest.raises(ChangeProposed):
            a_change(desk, holder)

    def test_no_other_account_takes_the_place_of_a_verified_card(self, desk, owner, county):
        with owner() as session:
            member = a_member(session, county)
            an_account(session, member)
        change = desk.answers(desk.confirms(a_change(desk, member)), "verified", is_card=False)
        assert (change.status, change.refused_for) == (S.REFUSED, AccountRefusal.WRONG_KIND)

    def test_asking_again_about_an_old_account_does_not_make_it_pay(self, desk, holder):
        desk.answers(desk.confirms(a_change(desk, holder)), "verified")
        old = desk.accounts_of(holder.id)[0]
        desk.does(accounts.recheck, old)
        desk.answers(old, "verified", is_card=False)
        assert [one.is_payment for one in desk.accounts_of(holder.id)] == [False, True]


class TestOneCardOnePerson:
    def test_a_card_of_another_county_is_refused_and_only_the_township_is_told(self, desk, newcomer, owner, county):
        with owner() as session:
            other = a_member(session, county, _household(session, county))
            taken = an_account(session, other).number
        with pytest.raises(AccountTaken) as refusal:
            desk.does(accounts.register, newcomer, number=taken, bank_name=BANK)
        assert "阿巴嘎旗" in str(refusal.value)
        assert other.name not in str(refusal.value)

    def test_ones_own_card_is_known_not_taken(self, desk, holder):
        change = a_change(desk, holder)
        with pytest.raises(AccountKnown):
            a_change(desk, holder, number=change.number)

    def test_two_officers_register_one_card_for_two_people_at_once_and_one_is_told(self, desk, owner, county):
        with owner() as session:
            an_account(session, a_member(session, county))
            pairs = [(a_member(session, county), a_member(session, county, _household(session, county)))
                     for _ in range(5)]  # fmt: skip
        offices = (county.township.clerk, county.other_county.township.clerk)
        ready = Barrier(2)

        def attempt(place: int, number: str, member: Member) -> str:
            ready.wait(30)
            try:
                desk.does(accounts.register, member, by=offices[place], number=number, bank_name=BANK)
            except Refused as refusal:
                return type(refusal).__name__
            return "won"

        with ThreadPoolExecutor(2) as threads:
            for pair in pairs:
                number = a_card_number()
                told = sorted(threads.map(lambda place, n=number, p=pair: attempt(place, n, p[place]), (0, 1)))
                assert told == ["AccountTaken", "won"]

    def test_accounts_that_two_people_share_are_found_at_night_and_forgotten_when_they_part(self, desk, owner, county):
        with owner() as session:
            one, two = a_member(session, county), a_member(session, county, _household(session, county))
            first = an_account(session, one)
            second = an_account(session, two, number=first.number)
        region = system_principal(REGION_CODE, Level.REGION, "定时任务")
        assert account_notices.sweep_shared(region) == 2
        assert account_notices.sweep_shared(region) == 0
        assert desk.tasks(one.id) == desk.tasks(two.id) == {"account_shared": "open"}
        with owner() as session:
            session.get_one(Account, second.id).status = S.CLOSED
        account_notices.sweep_shared(region)
        assert desk.tasks(one.id) == desk.tasks(two.id) == {"account_shared": "gone"}


def _household(session, county):
    return a_household(session, county, township=county.other_county.township.division_code)


class TestWhatBanksTell:
    @pytest.mark.parametrize(
        ("state", "status", "task"),
        [("dormant", S.DORMANT, "account_dormant"), ("closed", S.CLOSED, "account_closed"),
         ("name_differs", S.REFUSED, "account_name")],
    )  # fmt: skip
    def test_a_notice_opens_a_task_without_a_clock_that_goes_with_the_difference(
        self, desk, holder, owner, state, status, task
    ):
        [account] = desk.accounts_of(holder.id)
        tell(owner, account, state)
        assert desk.again(account).status == status
        assert desk.tasks(holder.id) == {task: "open"}
        assert not hasattr(RegistryTask, "due_on")
        desk.answers(desk.confirms(a_change(desk, holder)), "verified")
        assert desk.tasks(holder.id) == {task: "gone"}

    def test_a_dormant_account_that_was_activated_is_asked_about_and_its_task_goes(self, desk, holder, owner):
        [account] = desk.accounts_of(holder.id)
        tell(owner, account, "dormant")
        desk.does(accounts.recheck, account)
        desk.answers(account, "verified", is_card=False)
        assert (desk.again(account).status, desk.tasks(holder.id)) == (S.VERIFIED, {"account_dormant": "gone"})

    def test_an_old_account_beside_a_verified_one_concerns_nobody(self, desk, holder, owner):
        desk.answers(desk.confirms(a_change(desk, holder)), "verified")
        tell(owner, desk.accounts_of(holder.id)[0], "closed")
        assert desk.accounts_of(holder.id)[0].status == S.CLOSED
        assert desk.tasks(holder.id) == {}

    def test_each_notice_is_taken_once_and_kept_without_the_number(self, desk, holder, owner):
        [account] = desk.accounts_of(holder.id)
        told = [
            AccountNotice(7, account.number, "dormant", "不动户"),
            AccountNotice(8, a_card_number(), "closed", "已销户"),
            AccountNotice(9, account.number, "verified", ""),
        ]
        for _ in range(2):
            with owner() as session:
                account_notices.take_notices(session, told[:2], by=SWEEP)
        with owner() as session:
            account_notices.take_notices(session, told, by=SWEEP)
            kept = list(session.exec(select(Kept).order_by(sa.text("sequence"))))
        assert [(one.sequence, one.outcome.value) for one in kept] == [(7, "done"), (8, "unknown"), (9, "skipped")]
        assert all("*" in one.shown for one in kept)

    def test_a_notice_reaches_the_rosters_that_are_not_ordered_yet(self, owner, county):
        with owner() as session:
            roster = a_roster(session, county, lines=[a_line()])
            [line] = lines_of(session, roster)
            account = session.get_one(Account, line.account_id)
            account_notices.take_notices(session, [AccountNotice(1, account.number, "closed", "已销户")], by=SWEEP)
        with owner() as session:
            assert lines_of(session, roster)[0].account_state == "closed"


def tell(owner: Owner, account: Account, state: str) -> None:
    with owner() as session:
        answer = AccountAnswer(str(account.id), state, account.is_card, "银行通知")  # type: ignore[arg-type]
        account_answers.notice(session, {account.id: answer}, by=SWEEP)


STATES = ("verified", "unknown", "closed", "dormant", "frozen", "name_differs", "wrong_kind")
VERBS = ("change", "confirm", "reject", "withdraw", "repropose", "submit", "recheck", "answer", "notice")
STEP = some.tuples(
    some.sampled_from(VERBS), some.integers(0, 5), some.sampled_from(STATES), some.booleans(),
)  # fmt: skip


class TestLifecycle:
    @settings(max_examples=30, deadline=None,
              suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])  # fmt: skip
    @given(steps=some.lists(STEP, min_size=3, max_size=14), old=some.booleans())
    def test_there_is_one_payment_account_at_most_and_no_unverified_one_ever_takes_over(
        self, session, county, steps, old
    ):
        with session.begin_nested() as save:
            member = a_member(session, county)
            an_account(session, a_member(session, county))
            if old:
                an_account(session, member, is_card=False)
            for verb, place, state, is_card in steps:
                before = paying(session, member)
                try:
                    with session.begin_nested():
                        step(session, county, member, verb, place, state, is_card)
                except (StepNotPossible, Refused, FasterColleague):
                    pass
                session.expire_all()
                after = paying(session, member)
                assert max(count for _, count in payment_accounts(session)) <= 1
                if after is not None and before is not None and after[0] != before[0]:
                    assert after[1] == "verified"  # only a verified account takes the payments over
                if before is not None and before[1] == "verified":
                    assert after is not None  # and somebody who was paid never loses the account by a change
            save.rollback()


def paying(session, member):
    row = session.execute(
        sa.text("select id, status from accounts where member_id = :member and is_payment"), {"member": member.id}
    ).one_or_none()
    return None if row is None else (row.id, row.status)


def step(session, county, member, verb, place, state, is_card):
    """Take one step at random on one of the person's accounts."""
    clerk, head = county.township.clerk, county.township.head
    mine = list(session.exec(select(Account).where(Account.member_id == member.id).order_by(sa.text("id"))))
    if verb == "change" or not mine:
        accounts.register(session, member, by=clerk, number=a_card_number(), bank_name=BANK, reason="换卡")
        return
    account = mine[place % len(mine)]
    if verb in ("answer", "notice"):
        answer = AccountAnswer(str(account.id), state, is_card, "答复")
        if verb == "answer":
            apply_answers(session, [answer], by=SWEEP)
        else:
            account_answers.notice(session, {account.id: answer}, by=SWEEP)
        return
    asked = {"reason": "核对"} if verb in ("reject", "withdraw") else {}
    by = head if verb in ("confirm", "reject") else clerk
    getattr(accounts, verb)(session, account, by=replace(by), **asked)
