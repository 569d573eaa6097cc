"""Nobody is collected twice: whoever tries is told which township keeps the person, and nothing more. （第十一条）"""

from datetime import date

import pytest
import sqlalchemy as sa
from sqlmodel import Session, select

from models.crypto import id_index, phone_index
from models.households import Member, MemberStatus
from models.registry_tasks import RegistryTask, TaskKind
from models.rosters import LineState, RosterLine, RosterStatus
from models.virtual_members import VirtualMember
from policies.clock import today
from policies.identities import mask_name
from policies.interests import OwnHousehold, require_disinterested
from policies.refusals import Refused
from tests.changes import changes_households, changes_people, do_as
from tests.conftest import As, Owner
from tests.factories import World, a_household, a_line, a_member, a_roster, again, key
from tests.virtual import ADDRESS, CARD, ID_NUMBER, NAME, PHONE, a_stranger, asked_for, kept_elsewhere, other_side
from tests.virtual import referenced as referenced_by
from workflows import transfers, virtual_members
from workflows.change_rules import PersonKept


class TestTwice:
    def test_whoever_tries_by_any_way_learns_the_township_only(self, session: Session, county: World):
        a_stranger(session, county)
        clerk = county.township.clerk
        home = a_household(session, county)
        a_member(session, county, home)
        told = []
        for attempt in (
            lambda: changes_households.new_household(
                session, by=clerk, name="张三", id_number=ID_NUMBER, reason="新建"
            ),
            lambda: changes_people.new_member(
                session, home, by=clerk, name="张三", id_number=ID_NUMBER, relation="20", reason="新增"
            ),
        ):
            with pytest.raises(PersonKept) as refusal:
                attempt()
            told.append(str(refusal.value))
        for text in told:
            assert "阿巴嘎旗别力古台镇" in text and "迁移" in text and "虚拟户" in text
            assert not any(secret in text for secret in (ID_NUMBER, NAME, CARD, PHONE, ADDRESS, mask_name(NAME)))

    def test_postgresql_keeps_one_current_record_of_a_person_over_the_region(self, session: Session, county: World):
        a_stranger(session, county)
        with pytest.raises(sa.exc.IntegrityError, match="uq_members_id_index"):
            a_member(session, county, id_number=ID_NUMBER)

    def test_a_reference_makes_no_second_person(self, county: World, owner: Owner, as_: As):
        kept_elsewhere(county, owner)
        referenced_by(county, as_)
        with owner() as session:
            index = id_index(ID_NUMBER)
            current = session.execute(
                sa.text("select count(*) from members where id_index = :index and current"), {"index": index}
            ).scalar_one()
            phones = session.exec(select(Member).where(Member.phone_index == phone_index(PHONE))).all()
            townships = session.execute(sa.text("select * from keepers_of(:indexes)"), {"indexes": [index]}).all()
        assert (current, len(phones), len(townships)) == (1, 1, 1)


class TestDeathAtTheKeeper:
    def test_registered_and_approved_there_it_holds_the_payers_line(self, county: World, owner: Owner, as_: As):
        member = kept_elsewhere(county, owner)
        record = referenced_by(county, as_)
        with owner() as session:
            local = session.get_one(Member, record.member_id)
            roster = a_roster(
                session,
                county,
                status=RosterStatus.DEPARTMENT_PASSED,
                lines=[a_line(member=local, account=False), a_line()],
            )
            roster_id, day = key(roster.id), today(session)
        do_as(as_, county.other_county.township, changes_people.register_death, member, died_on=day)
        with as_(county.township.clerk) as session:
            line = session.exec(
                select(RosterLine).where(RosterLine.roster_id == roster_id, RosterLine.sequence == 1)
            ).one()
            task = session.exec(select(RegistryTask)).one()
            reference = session.exec(select(VirtualMember)).one()
        assert (line.state, line.died_on) == (LineState.HELD, day)
        assert "死亡" in line.state_reason and NAME not in task.detail
        assert (task.kind, task.roster_id) == (TaskKind.KEEPER_CHANGED, roster_id)
        assert (reference.person_status, reference.died_on) == (MemberStatus.DEAD, day)


class TestOwnInterest:
    def test_a_payers_officer_kept_elsewhere_does_not_judge_their_own_virtual_line(
        self, county: World, owner: Owner, as_: As
    ):
        kept_elsewhere(county, owner)
        record = referenced_by(county, as_)
        head = county.township.head
        with owner() as session:
            local = session.get_one(Member, record.member_id)
            roster = a_roster(session, county, lines=[a_line(), a_line(member=local, account=False)])
            session.execute(
                sa.text("update officers set person_index = :index where id = :id"),
                {"index": id_index(ID_NUMBER), "id": head.officer_id},
            )
        with as_(head) as session, pytest.raises(OwnHousehold, match="序号 2"):
            require_disinterested(session, "roster", [key(roster.id)], by=head, title="清册", step="负责人审核")

    def test_nobody_agrees_to_a_reference_or_a_transfer_of_themselves(self, county: World, owner: Owner, as_: As):
        kept_elsewhere(county, owner)
        clerk, head = county.township.clerk, county.township.head
        with owner() as session:
            session.execute(
                sa.text("update officers set person_index = :index where id = :id"),
                {"index": id_index(ID_NUMBER), "id": head.officer_id},
            )
        with as_(clerk) as session:
            reference = virtual_members.propose(session, by=clerk, id_number=ID_NUMBER, reason="承包草场")
            moving = transfers.request(session, by=clerk, id_number=ID_NUMBER, reason="迁居")
        with as_(head) as session, pytest.raises(OwnHousehold, match="您本人或家庭成员"):
            virtual_members.approve(session, again(session, reference), by=head)
        with as_(head) as session, pytest.raises(OwnHousehold, match="您本人或家庭成员"):
            transfers.approve(session, again(session, moving), by=head)


class TestAfterATransfer:
    def test_the_former_township_can_neither_roster_nor_reference_as_its_own(
        self, county: World, owner: Owner, as_: As
    ):
        kept_elsewhere(county, owner)
        keeper = county.other_county.township
        record = asked_for(county, as_, effective_on=date(2024, 5, 20))
        with as_(keeper.head) as session:
            transfers.confirm(session, other_side(session, record), by=keeper.head)
        with as_(keeper.clerk) as session:
            made = virtual_members.propose(session, by=keeper.clerk, id_number=ID_NUMBER, reason="草场仍在本地")
        assert made.keeper_code == county.township.division_code
        with as_(county.township.clerk) as session, pytest.raises(Refused):
            transfers.request(session, by=county.township.clerk, id_number=ID_NUMBER, reason="再迁")
        with as_(county.township.clerk) as session:
            assert again(session, record).status == "done"
