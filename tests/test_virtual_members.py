"""Virtual households: referenced with two people's consent, masked, edited by nobody but the keeper. （第十一条）"""

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlmodel import select

from models.accounts import Account
from models.events import Event
from models.households import Household, HouseholdStatus, Member, MemberStatus
from models.registry_tasks import RegistryTask, TaskKind
from models.rosters import LineState, RosterStatus
from models.virtual_members import VirtualMember, VirtualStatus
from policies.identities import mask_name
from policies.refusals import NotAllowed, NotFound, ReasonMissing
from tests.conftest import As, Owner
from tests.factories import World, a_line, a_member, a_roster, again, an_id_number, key
from tests.virtual import ADDRESS, CARD, ID_NUMBER, NAME, PHONE, kept_elsewhere, referenced
from workflows import virtual_members as virtual


class TestPropose:
    def test_the_answer_is_the_keeping_township_and_a_masked_name_and_nothing_more(
        self, county: World, owner: Owner, as_: As
    ):
        kept_elsewhere(county, owner)
        clerk = county.township.clerk
        with as_(clerk) as session:
            record = virtual.propose(session, by=clerk, id_number=ID_NUMBER.lower(), reason="承包草场")
            shown = str(record.model_dump())
        assert record.status == VirtualStatus.PROPOSED
        assert record.keeper_code == county.other_county.township.division_code
        assert record.name == mask_name(NAME)
        assert record.account_number is None and record.member_id is None
        assert not any(secret in shown for secret in (ID_NUMBER, CARD, PHONE, ADDRESS, NAME))
        with owner() as session:
            event = session.exec(select(Event).where(Event.noun == "virtual_member")).one()
        assert (event.verb, event.officer_id) == ("begin", clerk.officer_id)

    def test_nobody_kept_and_those_kept_here_cannot_be_referenced(self, county: World, owner: Owner, as_: As):
        with owner() as session:
            mine = a_member(session, county)
        clerk = county.township.clerk
        with as_(clerk) as session, pytest.raises(virtual.KeptNowhere):
            virtual.propose(session, by=clerk, id_number=an_id_number(), reason="承包草场")
        with as_(clerk) as session, pytest.raises(virtual.KeptHere):
            virtual.propose(session, by=clerk, id_number=mine.id_number, reason="承包草场")
        with as_(clerk) as session, pytest.raises(virtual.IdNumberWrong):
            virtual.propose(session, by=clerk, id_number="152522197803120410", reason="承包草场")
        with as_(clerk) as session, pytest.raises(ReasonMissing):
            virtual.propose(session, by=clerk, id_number=ID_NUMBER, reason=" ")

    def test_a_second_reference_of_the_same_project_is_refused(self, county: World, owner: Owner, as_: As):
        kept_elsewhere(county, owner)
        record = referenced(county, as_)
        clerk = county.township.clerk
        with as_(clerk) as session, pytest.raises(virtual.AlreadyReferenced, match=record.number):
            virtual.propose(session, by=clerk, id_number=ID_NUMBER, reason="再来一次")

    def test_the_head_does_not_propose_and_the_county_neither(self, county: World, as_: As):
        for officer in (county.township.head, county.finance.clerk):
            with as_(officer) as session, pytest.raises(NotAllowed):
                virtual.propose(session, by=officer, id_number=ID_NUMBER, reason="承包草场")

    def test_looking_up_says_the_township_and_is_recorded_without_the_person(
        self, county: World, owner: Owner, as_: As
    ):
        kept_elsewhere(county, owner)
        clerk = county.township.clerk
        with as_(clerk) as session:
            told = virtual.look_up(session, by=clerk, id_number=ID_NUMBER, reason="群众咨询")
        assert "阿巴嘎旗" in told.values[0][1]
        with owner() as session:
            event = session.exec(select(Event).where(Event.verb == "look_up")).one()
        assert event.facts["found"] is True and ID_NUMBER not in str(event.model_dump())


class TestApprove:
    def test_it_brings_a_local_row_without_phone_and_address_and_no_account(self, county: World, owner: Owner, as_: As):
        stranger = kept_elsewhere(county, owner)
        record = referenced(county, as_)
        assert record.status == VirtualStatus.IN_FORCE and record.account_state == "verified"
        with as_(county.township.clerk) as session:
            local = session.exec(select(Member).where(Member.id == record.member_id)).one()
            home = session.exec(select(Household).where(Household.id == record.household_id)).one()
            accounts = session.exec(select(Account)).all()
        assert (local.person, local.current, local.phone, home.address) == (stranger.person, False, None, "")
        assert home.status == HouseholdStatus.VIRTUAL and accounts == []
        with owner() as session:
            open_stays = session.execute(sa.text("select count(*) from residences where until_on is null")).scalar_one()
        assert open_stays == 1

    def test_whoever_proposed_does_not_approve_and_a_function_asks_for_two_people(
        self, county: World, owner: Owner, as_: As
    ):
        kept_elsewhere(county, owner)
        clerk, head = county.township.clerk, county.township.head
        with as_(clerk) as session:
            record = virtual.propose(session, by=clerk, id_number=ID_NUMBER, reason="承包草场")
        with as_(clerk) as session, pytest.raises(NotAllowed):
            virtual.approve(session, again(session, record), by=clerk)
        for officer in (county.second_township.head, county.other_county.township.head):
            with as_(officer) as session, pytest.raises(NotFound):
                virtual.approve(session, record, by=officer)
        with as_(head) as session, pytest.raises(DBAPIError, match="负责人审批"):
            session.execute(sa.text("select virtual_take(:id)"), {"id": record.id})
        with as_(head) as session, pytest.raises(DBAPIError, match="不能修改"):
            session.execute(sa.text("update virtual_members set status = 'in_force'"))

    def test_the_application_writes_no_person_and_no_account_on_a_reference(self, county: World, owner: Owner, as_: As):
        kept_elsewhere(county, owner)
        record = referenced(county, as_)
        for column in ("person", "name", "keeper_code", "bank_name"):
            with as_(county.township.clerk) as session, pytest.raises(DBAPIError, match="不能修改"):
                session.execute(sa.text(f"update virtual_members set {column} = 'x'"))
        with as_(county.township.clerk) as session, pytest.raises(DBAPIError, match="由管理地登记"):
            session.execute(
                sa.text(
                    "insert into accounts (division_code, county_code, member_id, number, number_index, bank_name,"
                    " bank_code, is_card, is_payment, status, version, answer, registered_by) select division_code,"
                    " county_code, :member, account_number, account_index, bank_name, bank_code, true, true,"
                    " 'registered', 1, '', 0 from virtual_members"
                ),
                {"member": record.member_id},
            )
        with as_(county.township.clerk) as session, pytest.raises(DBAPIError, match="须经变更审核"):
            session.execute(sa.text("update members set name = '某' where id = :id"), {"id": record.member_id})


class TestWhoSees:
    def test_the_keeper_sees_who_references_once_it_is_in_force_and_nobody_else(
        self, county: World, owner: Owner, as_: As
    ):
        kept_elsewhere(county, owner)
        keeper, clerk = county.other_county.township, county.township.clerk
        with as_(clerk) as session:
            record = virtual.propose(session, by=clerk, id_number=ID_NUMBER, reason="承包草场")
        with as_(keeper.clerk) as session:
            assert session.exec(select(VirtualMember)).all() == []
        with as_(county.township.head) as session:
            virtual.approve(session, again(session, record), by=county.township.head)
        seeing = (keeper.clerk, county.other_county.finance.clerk, county.finance.clerk, county.region)
        for officer in seeing:
            with as_(officer) as session:
                assert session.exec(select(VirtualMember)).one().division_code == county.township.division_code
        for officer in (county.second_township.clerk, county.other_county.second_township.clerk, None):
            with as_(officer) as session:
                assert session.exec(select(VirtualMember)).all() == []

    def test_the_keeper_changes_nothing_of_a_reference(self, county: World, owner: Owner, as_: As):
        kept_elsewhere(county, owner)
        record, keeper = referenced(county, as_), county.other_county.township.clerk
        with as_(keeper) as session, pytest.raises(NotFound):
            virtual.end(session, session.exec(select(VirtualMember)).one(), by=keeper, reason="不同意")
        with as_(keeper) as session:
            assert session.execute(sa.text("update virtual_members set ended_for = 'x'")).rowcount == 0
            assert session.exec(select(Member).where(Member.id == record.member_id)).all() == []


class TestTellReferences:
    @pytest.fixture
    def roster(self, county: World, owner: Owner, as_: As) -> int:
        """A roster of the paying township with a line for the stranger and one of its own."""
        kept_elsewhere(county, owner)
        record = referenced(county, as_)
        with owner() as session:
            local = session.get_one(Member, record.member_id)
            virtual_line = a_line(member=local, account=False, account_number="", account_state="verified")
            made = a_roster(session, county, status=RosterStatus.REPORTED, lines=[virtual_line, a_line()])
            return key(made.id)

    def told(self, county: World, as_: As, what: str, **values: object) -> int:
        keeper = county.other_county.township.clerk
        with as_(keeper) as session:
            member = session.exec(select(Member)).one()
            return virtual.tell_references(session, [key(member.id)], what)

    def test_a_death_at_the_keeper_holds_the_line_and_raises_a_task(
        self, county: World, owner: Owner, as_: As, roster: int
    ):
        with owner() as session:
            session.execute(
                sa.text("update members set status = 'dead', died_on = '2026-11-01' where current and id_index ="
                        " (select id_index from members where not current)")
            )  # fmt: skip
        assert self.told(county, as_, "death") == 1
        with as_(county.township.clerk) as session:
            task = session.exec(select(RegistryTask)).one()
            held = session.execute(sa.text("select line_count, amount_fen, version from rosters")).one()
            record = session.exec(select(VirtualMember)).one()
        assert (task.kind, task.roster_id, task.source) == (TaskKind.KEEPER_CHANGED, roster, "keeper")
        assert record.person_status == MemberStatus.DEAD
        with owner() as session:
            first, second = session.execute(
                sa.text("select state, amount_fen from roster_lines where roster_id = :id order by sequence"),
                {"id": roster},
            ).all()
        assert (first.state, second.state) == (LineState.HELD, LineState.ACTIVE)
        assert (held.line_count, held.amount_fen, held.version) == (1, second.amount_fen, 2)

    def test_another_county_is_told_nothing_of_others_and_tells_nothing_of_them(
        self, county: World, owner: Owner, as_: As, roster: int
    ):
        with owner() as session:
            stranger = session.exec(select(Member).where(Member.current, Member.id_index.is_not(None))).first()
        with as_(county.second_township.clerk) as session:
            assert virtual.tell_references(session, [key(stranger.id)], "death") == 0
        with owner() as session:
            assert session.exec(select(RegistryTask)).all() == []
