"""Corrections of who somebody is, and two records of one person merged with all their payments. （第十一、十六条）"""

from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import Session, select

from models.accounts import Account
from models.bank_batches import DisbursementStatus, EntitlementSuccess
from models.crypto import id_index
from models.events import Event
from models.households import HouseholdStatus, IdentityOutcome, Member, MemberStatus
from models.registry_changes import ChangeKind
from models.registry_tasks import RegistryTask, TaskKind, TaskStatus
from models.rosters import Roster, RosterLine, RosterStatus
from policies.clock import today
from policies.codes import HEAD
from policies.entitlements import entitlement_key
from policies.identities import name_key
from policies.person_fields import FieldWrong
from tests.changes import PAPER, agree, changes_people, do, do_as, family, fresh
from tests.conftest import As, Owner
from tests.factories import (
    LAND,
    SECOND_TOWNSHIP,
    World,
    a_household,
    a_line,
    a_member,
    a_roster,
    an_account,
    an_agent_account,
    an_id_number,
    key,
    lines_of,
)
from tests.payments import Payments
from workflows.allotment import EntitlementTaken, open_lines
from workflows.change_rules import HeadNeeded, MemberNotHere, PersonKept
from workflows.changes_identity import KeptElsewhere, KeptUnknown, MoneyUnderWay, OtherRecord, SameRecord
from workflows.registry_tasks import raise_tasks
from workflows.residences import residences_of


class TestCorrect:
    def test_a_wrong_number_takes_birth_sex_and_index_with_it(self, session: Session, county: World):
        member, number = a_member(session, county), an_id_number(born=date(1970, 1, 2))
        member.police_died_on = date(2020, 1, 1)
        do(session, county.township, changes_people.correct_identity, member, id_number=number)
        assert (member.id_number, member.id_index) == (number, id_index(number))
        assert (member.birth_date, member.sex) == (date(1970, 1, 2), "1" if int(number[16]) % 2 else "2")
        assert (member.identity_outcome, member.identity_checked_at, member.police_died_on) == (None, None, None)

    def test_the_police_are_asked_about_the_corrected_person(self, session: Session, county: World):
        do(session, county.township, changes_people.correct_identity, a_member(session, county), name="乌云其木格")
        assert session.execute(sa.text("select count(*) from jobs where kind = 'check_identities'")).scalar_one() == 1

    def test_a_renamed_head_renames_the_household(self, session: Session, county: World):
        home, (head, wife) = family(session, county, "10")
        do(session, county.township, changes_people.correct_identity, head, name="孛儿只斤·额尔敦巴特尔")
        assert (head.name, home.head_name) == ("孛儿只斤·额尔敦巴特尔",) * 2
        assert head.name_key == name_key("孛儿只斤・额尔敦巴特尔")
        do(session, county.township, changes_people.correct_identity, wife, name="𱍐𲎯")
        assert (wife.name, home.head_name) == ("𱍐𲎯", head.name)

    def test_a_number_of_15_digits_becomes_18(self, session: Session, county: World):
        member = a_member(session, county)
        session.execute(sa.text("update members set id_number = id_number where id = :id"), {"id": member.id})
        member.id_number = "150426570101123"
        session.flush()
        do(session, county.township, changes_people.correct_identity, member, id_number="150426570101123")
        assert (member.id_number[:17], len(member.id_number)) == ("15042619570101123", 18)

    def test_a_number_that_another_record_has_is_refused_by_where_it_is(self, session: Session, county: World):
        member, other = a_member(session, county), a_member(session, county)
        away = a_member(session, county, a_household(session, county, township=SECOND_TOWNSHIP))
        by = county.township.clerk
        with pytest.raises(OtherRecord, match="合并重复人员"):
            changes_people.correct_identity(session, member, by=by, id_number=other.id_number, reason="更正")
        with pytest.raises(PersonKept, match="登记"):
            changes_people.correct_identity(session, member, by=by, id_number=away.id_number, reason="更正")

    def test_even_when_it_was_taken_after_the_proposal(self, session: Session, county: World):
        member, number = a_member(session, county), an_id_number()
        change = changes_people.correct_identity(
            session, member, by=county.township.clerk, id_number=number, reason="更正", evidence=(PAPER,)
        )
        a_member(session, county, id_number=number)
        with pytest.raises(OtherRecord):
            agree(session, county.township, change)

    def test_a_wrong_name_or_number_is_refused(self, session: Session, county: World):
        member, by = a_member(session, county), county.township.clerk
        for asked in ({"name": "张3"}, {"id_number": member.id_number[:-1] + "?"}, {"id_number": "1"}):
            with pytest.raises(FieldWrong):
                changes_people.correct_identity(session, member, by=by, reason="更正", **asked)


class TestCorrectedLines:
    def roster(self, session: Session, county: World, status: RosterStatus, member: Member) -> Roster:
        return a_roster(session, county, status=status, lines=[a_line(member=member), a_line()])

    @pytest.mark.parametrize("status", [RosterStatus.DRAFT, RosterStatus.ON_NOTICE, RosterStatus.ENDORSED])
    def test_open_rosters_take_the_corrected_name_without_a_new_notice(
        self, session: Session, county: World, status: RosterStatus
    ):
        member = a_member(session, county)
        roster = self.roster(session, county, status, member)
        do(session, county.township, changes_people.correct_identity, member, name="乌云其木格")
        line, other = (fresh(session, one) for one in lines_of(session, roster))
        assert (line.name, line.payee_name, line.head_name) == ("乌云其木格",) * 3
        assert (line.identity_outcome, other.identity_outcome) == (None, IdentityOutcome.MATCH)
        assert not fresh(session, roster).facts_changed
        told = session.exec(select(Event).where(Event.verb == "correct_person", Event.record_id == roster.id)).all()
        assert [(one.label, one.facts["number"]) for one in told] == [("更正姓名或身份证号", False)]

    def test_another_number_after_publication_asks_for_a_new_notice(self, session: Session, county: World):
        member, number = a_member(session, county), an_id_number()
        roster = self.roster(session, county, RosterStatus.ON_NOTICE, member)
        draft = self.roster(session, county, RosterStatus.DRAFT, member)
        do(session, county.township, changes_people.correct_identity, member, id_number=number)
        assert fresh(session, lines_of(session, roster)[0]).id_number == number
        assert fresh(session, roster).facts_changed
        assert not fresh(session, draft).facts_changed

    def test_what_is_with_the_county_stays_as_reported(self, session: Session, county: World):
        member = a_member(session, county)
        roster = self.roster(session, county, RosterStatus.REPORTED, member)
        former = member.name
        do(session, county.township, changes_people.correct_identity, member, name="乌云其木格")
        assert fresh(session, lines_of(session, roster)[0]).name == former

    def test_lines_paid_to_the_renamed_head_follow(self, session: Session, county: World):
        _, (head, son) = family(session, county, "20")
        roster = a_roster(session, county, lines=[a_line(member=son, relation="head", payee_name=head.name)])
        do(session, county.township, changes_people.correct_identity, head, name="乌云其木格")
        line = fresh(session, lines_of(session, roster)[0])
        assert (line.head_name, line.payee_name, line.name) == ("乌云其木格", "乌云其木格", son.name)


class TestDeath:
    def test_what_was_paid_for_after_death_is_told(self, session: Session, county: World):
        land = Payments(session, county, LAND, lines=2)
        land.pay(0)
        line = lines_of(session, land.roster)[0]
        member = session.get_one(Member, line.member_id)
        do(session, county.township, changes_people.register_death, member, died_on=date(2023, 12, 1))
        task = session.exec(select(RegistryTask).where(RegistryTask.kind == TaskKind.PAID_AFTER_DEATH)).one()
        assert (task.member_id, task.roster_id) == (member.id, land.roster.id)

    def test_the_task_that_the_police_opened_is_gone(self, session: Session, county: World):
        member = a_member(session, county)
        raise_tasks(session, TaskKind.DECEASED, [key(member.id)], source="police", detail="公安登记死亡")
        do(session, county.township, changes_people.register_death, member, died_on=today(session))
        assert session.exec(select(RegistryTask)).one().status == TaskStatus.GONE

    def test_what_was_paid_before_is_not(self, session: Session, county: World):
        land = Payments(session, county, LAND, lines=2)
        land.pay(0)
        member = session.get_one(Member, lines_of(session, land.roster)[0].member_id)
        do(session, county.township, changes_people.register_death, member, died_on=date(2024, 6, 1))
        assert session.exec(select(RegistryTask).where(RegistryTask.kind == TaskKind.PAID_AFTER_DEATH)).all() == []

    def test_open_lines_learn_of_the_death_and_of_its_being_wrong(self, session: Session, county: World):
        member, day = a_member(session, county), today(session) - timedelta(days=3)
        roster = a_roster(session, county, lines=[a_line(member=member)])
        do(session, county.township, changes_people.register_death, member, died_on=day)
        assert fresh(session, lines_of(session, roster)[0]).died_on == day
        do(session, county.township, changes_people.restore, member)
        assert fresh(session, lines_of(session, roster)[0]).died_on is None


class TestMerge:
    """Two records of one person in a township."""

    def paid(self, session: Session, county: World, member: Member, period: str = "2024") -> Payments:
        land = Payments(session, county, LAND, lines=1)
        line = lines_of(session, land.roster)[0]
        session.execute(
            sa.text("update rosters set period = :period where id = :id"), {"period": period, "id": land.roster.id}
        )
        entitlement = entitlement_key(LAND, period, member.person)
        values = {"member": member.id, "home": member.household_id, "key": entitlement, "id": line.id}
        session.execute(
            sa.text(
                "update roster_lines set member_id = :member, household_id = :home, entitlement_key = :key"
                " where id = :id"
            ),
            values,
        )
        land.attempts[0].entitlement_key = entitlement
        session.flush()
        land.pay(0)
        session.add(EntitlementSuccess(entitlement_key=entitlement, division_code=land.county,
                                       disbursement_id=key(land.attempts[0].id)))  # fmt: skip
        session.flush()
        for row in (land.roster, line):
            session.refresh(row)
        return land

    def merge(self, session: Session, county: World, loser: Member, kept: Member, **asked: Any) -> None:
        do(session, county.township, changes_people.merge_person, loser, keep_id_number=kept.id_number, **asked)

    def claims(self, session: Session) -> set[str]:
        return set(session.execute(sa.text("select entitlement_key from entitlement_successes")).scalars())

    def test_one_enquiry_shows_all_payments_and_residences(self, session: Session, county: World):
        loser, kept = a_member(session, county), a_member(session, county)
        self.paid(session, county, loser)
        self.merge(session, county, loser, kept)
        assert (loser.current, loser.merged_into, loser.person) == (False, kept.id, kept.person)
        rows = session.execute(
            sa.text(
                "select count(*) from roster_lines l join members m on m.id = l.member_id where m.person = :person"
            ),
            {"person": kept.person},
        )
        assert rows.scalar_one() == 1
        stays = residences_of(session, kept)
        assert {stay.member_id for stay in stays} == {loser.id, kept.id}
        assert [stay.ended_by for stay in stays if stay.member_id == loser.id] == [ChangeKind.MERGE]

    def test_the_claims_come_under_the_surviving_person(self, session: Session, county: World):
        loser, kept = a_member(session, county), a_member(session, county)
        land = self.paid(session, county, loser)
        self.merge(session, county, loser, kept)
        wanted = entitlement_key(LAND, "2024", kept.person)
        assert self.claims(session) == {wanted}
        assert fresh(session, land.attempts[0]).entitlement_key == wanted
        assert fresh(session, lines_of(session, land.roster)[0]).entitlement_key == wanted
        with pytest.raises(sa.exc.IntegrityError), session.begin_nested():
            session.add(EntitlementSuccess(entitlement_key=wanted, division_code=land.county,
                                           disbursement_id=key(land.attempts[0].id)))  # fmt: skip
            session.flush()

    def test_what_both_were_paid_is_told_and_stays_claimed_twice(self, session: Session, county: World):
        loser, kept = a_member(session, county), a_member(session, county)
        former = entitlement_key(LAND, "2024", loser.person)
        theirs = self.paid(session, county, loser)
        self.paid(session, county, kept)
        self.paid(session, county, loser, "2023")
        self.merge(session, county, loser, kept)
        task = session.exec(select(RegistryTask).where(RegistryTask.kind == TaskKind.PAID_TWICE)).one()
        assert (task.member_id, task.roster_id) == (kept.id, theirs.roster.id)
        assert self.claims(session) == {
            former, entitlement_key(LAND, "2024", kept.person), entitlement_key(LAND, "2023", kept.person),
        }  # fmt: skip

    def test_every_paid_attempt_still_has_its_claim(self, session: Session, county: World):
        loser, kept = a_member(session, county), a_member(session, county)
        for member in (loser, kept):
            self.paid(session, county, member)
        self.merge(session, county, loser, kept)
        lonely = session.execute(
            sa.text("select count(*) from disbursements d full join entitlement_successes s"
                    " on s.division_code = d.county_code and s.disbursement_id = d.id"
                    " where d.status = 'paid' and s.entitlement_key is distinct from d.entitlement_key")
        )  # fmt: skip
        assert lonely.scalar_one() == 0

    @pytest.mark.parametrize("which", ["loser", "kept"])
    @pytest.mark.parametrize("status", ["reserved", "pending", "sent", "unknown"])
    def test_not_while_money_is_under_way(self, session: Session, county: World, which: str, status: str):
        pair = {"loser": a_member(session, county), "kept": a_member(session, county)}
        land = self.paid(session, county, pair[which])
        land.attempts[0].status = DisbursementStatus(status)
        session.flush()
        with pytest.raises(MoneyUnderWay, match="1 笔"):
            changes_people.merge_person(session, pair["loser"], by=county.township.clerk, reason="重复",
                                        keep_id_number=pair["kept"].id_number)  # fmt: skip

    def test_neither_is_paid_again_from_a_final_roster(self, session: Session, county: World):
        loser, kept = a_member(session, county), a_member(session, county)
        self.paid(session, county, kept)
        roster = a_roster(session, county, status=RosterStatus.FINAL, lines=[a_line(member=loser)])
        an_agent_account(session, county)
        version = roster.version
        open_lines(session, roster)
        self.merge(session, county, loser, kept)
        with pytest.raises(EntitlementTaken):
            open_lines(session, roster)
        assert fresh(session, roster).version == version + 1  # who has read it before can't order it any more

    def test_not_while_a_cancelled_line_waits_to_be_ordered_again(self, session: Session, county: World):
        loser, kept = a_member(session, county), a_member(session, county)
        land = self.paid(session, county, loser)
        session.execute(sa.text("delete from entitlement_successes"))
        land.attempts[0].status = DisbursementStatus.CANCELLED
        session.flush()
        with pytest.raises(MoneyUnderWay):
            changes_people.merge_person(session, loser, by=county.township.clerk, keep_id_number=kept.id_number,
                                        reason="重复")  # fmt: skip

    def test_accounts_and_certificates_go_over_and_one_is_paid_to(self, session: Session, county: World):
        loser, kept = a_member(session, county), a_member(session, county)
        theirs, own = an_account(session, loser), an_account(session, kept)
        self.merge(session, county, loser, kept)
        found = {one.id: fresh(session, one) for one in session.exec(select(Account)).all()}
        assert {one.member_id for one in found.values()} == {kept.id}
        assert (found[theirs.id].is_payment, found[own.id].is_payment) == (False, True)

    def test_the_household_of_the_second_record_is_closed_or_gets_a_head(self, session: Session, county: World):
        kept = a_member(session, county)
        home, (head, son) = family(session, county, "20")
        with pytest.raises(HeadNeeded):
            changes_people.merge_person(session, head, by=county.township.clerk, keep_id_number=kept.id_number,
                                        reason="重复")  # fmt: skip
        self.merge(session, county, head, kept, head_id=son.id)
        assert (son.relation, home.head_name, home.status) == (HEAD, son.name, HouseholdStatus.ACTIVE)
        self.merge(session, county, son, kept)
        assert fresh(session, home).status == HouseholdStatus.CLOSED
        assert {one.person for one in session.exec(select(Member)).all()} == {kept.person}

    def test_not_with_itself_nobody_or_one_kept_elsewhere(self, session: Session, county: World):
        member, by = a_member(session, county), county.township.clerk
        away = a_member(session, county, a_household(session, county, township=SECOND_TOWNSHIP))
        for number, refusal in (
            (member.id_number, SameRecord), (an_id_number(), KeptUnknown), (away.id_number, KeptElsewhere),
            ("1", FieldWrong),
        ):  # fmt: skip
            with pytest.raises(refusal):
                changes_people.merge_person(session, member, by=by, keep_id_number=number, reason="重复")

    def test_the_living_with_the_dead_only_after_a_correction(self, session: Session, county: World):
        loser, kept = a_member(session, county), a_member(session, county)
        do(session, county.township, changes_people.register_death, kept, died_on=today(session))
        with pytest.raises(MemberNotHere, match=MemberStatus.DEAD.label):
            changes_people.merge_person(session, loser, by=county.township.clerk, keep_id_number=kept.id_number,
                                        reason="重复")  # fmt: skip

    def test_a_merged_record_changes_no_more(self, session: Session, county: World):
        loser, kept = a_member(session, county), a_member(session, county)
        self.merge(session, county, loser, kept)
        with pytest.raises(MemberNotHere, match="并入"):
            changes_people.change_member(session, loser, by=county.township.clerk, phone="", reason="改")

    def test_the_number_of_a_merged_record_is_free_for_its_owner(self, session: Session, county: World):
        loser, kept = a_member(session, county), a_member(session, county)
        number = loser.id_number
        self.merge(session, county, loser, kept)
        a_member(session, county, id_number=number)

    def test_the_application_merges_for_an_agreed_change(self, owner: Owner, county: World, as_: As):
        with owner() as session:
            loser, kept = a_member(session, county), a_member(session, county)
            land = self.paid(session, county, loser)
        do_as(as_, county.township, changes_people.merge_person, loser, keep_id_number=kept.id_number)
        with owner() as session:
            assert self.claims(session) == {entitlement_key(LAND, "2024", kept.person)}
            line = session.exec(select(RosterLine).where(RosterLine.roster_id == land.roster.id)).one()
            assert line.member_id == loser.id
            assert session.get_one(Member, loser.id).merged_into == kept.id
