"""Transfers between townships: three people's hands, one record, both histories. （第十一条）"""

import threading
from datetime import date

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlmodel import select

from models.accounts import Account
from models.certificates import Certificate, CertificateKind
from models.households import Household, HouseholdStatus, Member, MemberStatus
from models.registry_changes import Attachment, ChangeKind, RegistryChange
from models.residences import Residence
from models.rosters import RosterStatus
from models.transfers import Transfer, TransferSide, TransferStatus
from models.virtual_members import VirtualMember, VirtualStatus
from policies.entitlements import entitlement_key
from policies.refusals import NotAllowed, NotFound, Refused
from tests.conftest import As, Owner
from tests.factories import World, a_household, a_line, a_member, a_roster, again, key
from tests.virtual import ADDRESS, CARD, ID_NUMBER, NAME, PHONE, asked_for, kept_elsewhere, other_side, referenced
from workflows import transfers
from workflows.attachments import Evidence, attachments_of, media_type_of
from workflows.files import content_of

PAPER = Evidence("户口簿.pdf", b"%PDF-1.7\nhukou\n%%EOF")


class TestRequest:
    def test_until_it_is_confirmed_the_township_and_a_masked_name_are_all_that_is_told(
        self, county: World, owner: Owner, as_: As
    ):
        kept_elsewhere(county, owner)
        record = asked_for(county, as_, evidence=(PAPER,))
        assert (record.status, record.side) == (TransferStatus.SENT, TransferSide.IN)
        with as_(county.township.clerk) as session:
            shown = str(session.exec(select(Transfer)).one().model_dump())
        assert not any(secret in shown for secret in (ID_NUMBER, CARD, PHONE, ADDRESS, NAME))
        keeper = county.other_county.township.head
        with as_(keeper) as session:
            mine = session.exec(select(Transfer)).one()
            papers = attachments_of(session, "transfer", key(mine.id), mine.division_code)
            assert (mine.side, mine.status) == (TransferSide.OUT, TransferStatus.ASKED)
            assert content_of(session, papers[0][1].id) == PAPER.content
            assert session.exec(select(Attachment)).one().file_name == "户口簿.pdf"
        assert media_type_of(PAPER) == "application/pdf"

    def test_what_cannot_be_is_refused(self, county: World, owner: Owner, as_: As):
        kept_elsewhere(county, owner, status=MemberStatus.DEAD, died_on=date(2024, 6, 1))
        clerk = county.township.clerk

        def refused(refusal: type[Refused], **fields: object) -> None:
            with as_(clerk) as session, pytest.raises(refusal):
                transfers.request(session, by=clerk, reason="迁居", **{"id_number": ID_NUMBER, **fields})

        refused(transfers.NotMovable)
        refused(transfers.MovesLater, effective_on=date(2099, 1, 1))
        refused(transfers.HouseholdUnknown, into_number="没有这一户", relation="20")
        refused(transfers.RelationWrong, relation="20")
        with as_(county.township.head) as session, pytest.raises(NotAllowed):
            transfers.request(session, by=county.township.head, id_number=ID_NUMBER, reason="迁居")


class TestConfirm:
    def test_the_record_moves_with_accounts_certificates_and_history(self, county: World, owner: Owner, as_: As):
        former = kept_elsewhere(county, owner)
        with owner() as session:
            session.add(
                Certificate(
                    division_code=former.division_code, county_code=former.county_code, member_id=key(former.id),
                    kind=CertificateKind.DISABILITY, number="A1", valid_from=date(2024, 1, 1), as_of=date(2024, 1, 1),
                )
            )  # fmt: skip
            home = a_household(session, county)
            a_member(session, county, home)
        reference = referenced(county, as_)
        record = asked_for(county, as_, into_number=home.number, relation="20", effective_on=date(2024, 5, 20))
        keeper = county.other_county.township.head
        with as_(keeper) as session:
            done = transfers.confirm(session, other_side(session, record), by=keeper)
        assert done.status == TransferStatus.DONE
        with as_(county.township.clerk) as session:
            here = session.exec(select(Member).where(Member.current, Member.person == former.person)).one()
            account = session.exec(select(Account)).one()
            certificate = session.exec(select(Certificate)).one()
            change = session.exec(select(RegistryChange)).one()
            stay = session.exec(select(Residence).where(Residence.person == former.person)).one()
            mine = session.exec(select(Transfer)).one()
            ended = session.exec(select(VirtualMember)).one()
        assert (here.household_id, here.relation, here.status) == (home.id, "20", MemberStatus.ALIVE)
        assert here.id_number == ID_NUMBER and here.phone == PHONE
        assert (account.number, account.is_payment, account.status.value) == (CARD, True, "verified")
        assert (certificate.member_id, certificate.number) == (here.id, "A1")
        assert (change.kind, change.member_id, here.change_id) == (ChangeKind.TRANSFER, here.id, change.id)
        assert (stay.from_on, stay.until_on, stay.began_by) == (date(2024, 5, 20), None, ChangeKind.TRANSFER)
        assert (mine.status, mine.member_id) == (TransferStatus.DONE, here.id)
        assert (ended.id, ended.status) == (reference.id, VirtualStatus.ENDED)
        with as_(county.other_county.township.clerk) as session:
            old = session.exec(select(Member)).one()
            left = session.exec(select(Residence)).one()
            assert session.exec(select(Household)).one().status == HouseholdStatus.CLOSED
            assert session.exec(select(Account)).one().is_payment is False
            assert session.exec(select(RegistryChange)).one().kind == ChangeKind.TRANSFER
        assert (old.id, old.current, old.status, old.left_on) == (
            former.id, False, MemberStatus.MOVED, date(2024, 5, 20),
        )  # fmt: skip
        assert (left.until_on, left.ended_by) == (date(2024, 5, 20), ChangeKind.TRANSFER)

    def test_into_a_new_household_the_person_is_its_head(self, county: World, owner: Owner, as_: As):
        kept_elsewhere(county, owner)
        record = asked_for(county, as_, village="南村", address="新居")
        keeper = county.other_county.township.head
        with as_(keeper) as session:
            transfers.confirm(session, other_side(session, record), by=keeper)
        with as_(county.township.clerk) as session:
            home = session.exec(select(Household)).one()
            head = session.exec(select(Member)).one()
        assert (home.head_name, home.village, home.address) == (NAME, "南村", "新居")
        assert (head.relation, head.household_id) == ("02", home.id)

    def test_an_open_roster_of_the_keeper_is_named_and_stops_it(self, county: World, owner: Owner, as_: As):
        member = kept_elsewhere(county, owner)
        with owner() as session:
            roster = a_roster(
                session, county, township=county.other_county.township, status=RosterStatus.REPORTED,
                lines=[a_line(member=session.merge(member))],
            )  # fmt: skip
            number = roster.number
        record = asked_for(county, as_)
        keeper = county.other_county.township.head
        with as_(keeper) as session, pytest.raises(transfers.StillRunning, match=number):
            transfers.confirm(session, other_side(session, record), by=keeper)
        with as_(keeper) as session:
            assert session.exec(select(Member)).one().current
            transfers.refuse(session, other_side(session, record), by=keeper, reason="清册尚未发放")
        with as_(county.township.clerk) as session:
            mine = session.exec(select(Transfer)).one()
        assert (mine.status, mine.refused_for) == (TransferStatus.REFUSED, "清册尚未发放")

    def test_a_head_of_others_is_followed_in_the_household_first(self, county: World, owner: Owner, as_: As):
        member = kept_elsewhere(county, owner)
        with owner() as session:
            a_member(session, county, session.get_one(Household, member.household_id), relation="20", name="乙")
        record = asked_for(county, as_)
        keeper = county.other_county.township.head
        with as_(keeper) as session, pytest.raises(transfers.StillRunning, match="须先变更户主"):
            transfers.confirm(session, other_side(session, record), by=keeper)

    def test_the_function_asks_for_the_three_people_itself(self, county: World, owner: Owner, as_: As):
        kept_elsewhere(county, owner)
        record = asked_for(county, as_)
        asked = {"id": record.pair_id, "b": b"\x01"}
        complete = sa.text("select transfer_complete(:id, :b, :b, :b)")
        for officer in (county.other_county.township.head, county.other_county.township.clerk, county.township.head):
            with as_(officer) as session, pytest.raises(DBAPIError, match="须经迁入地提出、审批和管理地确认"):
                session.execute(complete, asked)
        with as_(county.township.head) as session, pytest.raises(NotFound):
            transfers.confirm(session, record, by=county.other_county.second_township.head)
        with as_(county.other_county.township.head) as session, pytest.raises(DBAPIError, match="不能修改"):
            session.execute(sa.text("update transfers set status = 'done'"))

    def test_what_was_paid_for_a_period_before_is_the_same_entitlement_after(
        self, county: World, owner: Owner, as_: As
    ):
        former = kept_elsewhere(county, owner)
        record = asked_for(county, as_)
        keeper = county.other_county.township.head
        with as_(keeper) as session:
            transfers.confirm(session, other_side(session, record), by=keeper)
        with as_(county.township.clerk) as session:
            here = session.exec(select(Member)).one()
        assert entitlement_key("2130122", "2024", here.person) == entitlement_key("2130122", "2024", former.person)


class TestWithdraw:
    def test_the_keeper_is_told_and_can_no_longer_confirm(self, county: World, owner: Owner, as_: As):
        kept_elsewhere(county, owner)
        record, clerk = asked_for(county, as_), county.township.clerk
        with as_(clerk) as session:
            transfers.withdraw(session, again(session, record), by=clerk, reason="不迁了")
        keeper = county.other_county.township.head
        with as_(keeper) as session, pytest.raises(Refused):
            transfers.confirm(session, other_side(session, record), by=keeper)
        asked_for_again = asked_for(county, as_)
        assert asked_for_again.status == TransferStatus.SENT


class TestTwoAtOnce:
    def test_of_two_townships_asking_for_one_person_at_once_one_wins(self, county: World, owner: Owner, as_: As):
        kept_elsewhere(county, owner)
        barrier, outcome = threading.Barrier(2), []

        def ask(office: object) -> None:
            clerk = office.clerk  # type: ignore[attr-defined]
            try:
                with as_(clerk) as session:
                    barrier.wait()
                    outcome.append(transfers.request(session, by=clerk, id_number=ID_NUMBER, reason="迁居").number)
            except transfers.TransferUnderWay as told:
                outcome.append(told)

        threads = [threading.Thread(target=ask, args=(one,)) for one in (county.township, county.second_township)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(isinstance(one, transfers.TransferUnderWay) for one in outcome) == [False, True]
