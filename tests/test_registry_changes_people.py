"""Changes of people: new and nobody twice, dead, missing, gone, back, to another household. （第十一条）"""

from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import Session, select

from models.events import Event
from models.households import Household, HouseholdStatus, HukouKind, Member, MemberStatus
from policies.clock import today
from policies.codes import HEAD
from policies.identities import name_key
from policies.person_fields import FieldWrong
from tests.changes import changes_households, changes_people, do, family
from tests.factories import SECOND_TOWNSHIP, World, a_household, a_member, an_id_number
from workflows import change_rules
from workflows.change_rules import (
    DayTooEarly,
    HeadNeeded,
    HouseholdHasNoHead,
    MemberNotHere,
    PersonHere,
    PersonKept,
)
from workflows.changes_people import RelationNeeded
from workflows.registry_changes import (
    EffectiveLater,
)

NAMES = ("乌云其木格", "孛儿只斤·额尔敦巴特尔", "包・乌日汗", "㛃", "𠅤𬱖", "𱍐𲎯", "Ayan Bek", "欧")
"""Names of DOMAIN section 6: Mongolian, with variants of ·, rare, beyond the BMP, newer than this program's tables."""


class TestNewPeople:
    @pytest.mark.parametrize("name", NAMES)
    def test_a_new_household_keeps_the_name_as_given(self, session: Session, county: World, name: str):
        number = an_id_number()
        change = do(session, county.township, changes_households.new_household, name=f" {name} ", id_number=number,
                    village="东村", hukou_kind="rural", ethnicity="02", phone="139 0000 1111")  # fmt: skip
        home = session.exec(select(Household).where(Household.change_id == change.id)).one()
        head = session.exec(select(Member).where(Member.change_id == change.id)).one()
        assert (home.head_name, head.name, head.name_key) == (name, name, name_key(name))
        assert (head.relation, head.household_id, head.phone) == (HEAD, home.id, "13900001111")
        assert (home.village, home.hukou_kind, home.status) == ("东村", HukouKind.RURAL, HouseholdStatus.ACTIVE)
        assert head.identity_outcome is None

    def test_birth_date_and_sex_follow_from_the_number(self, session: Session, county: World):
        home = self.home(session, county)
        number = an_id_number(born=date(2001, 2, 3))
        do(session, county.township, changes_people.new_member, home, name="小明", id_number=number, relation="20")
        member = session.exec(select(Member).where(Member.name == "小明")).one()
        assert (member.birth_date, member.sex) == (date(2001, 2, 3), "1" if int(number[16]) % 2 else "2")

    def home(self, session: Session, county: World) -> Household:
        return family(session, county)[0]

    def test_an_old_number_of_15_digits_is_kept_as_18(self, session: Session, county: World):
        number = "150426570101123"
        do(session, county.township, changes_people.new_member, self.home(session, county), name="老王",
           id_number=number, relation="51")  # fmt: skip
        member = session.exec(select(Member).where(Member.name == "老王")).one()
        assert (member.id_number[:17], len(member.id_number)) == ("15042619570101123", 18)
        assert member.birth_date == date(1957, 1, 1)

    def test_a_small_x_is_kept_as_x(self, session: Session, county: World):
        number = next(found for found in iter(an_id_number, None) if found.endswith("X"))
        do(session, county.township, changes_people.new_member, self.home(session, county), name="老王",
           id_number=number.lower(), relation="51")  # fmt: skip
        assert session.exec(select(Member).where(Member.name == "老王")).one().id_number == number

    @pytest.mark.parametrize(
        ("field", "asked"),
        [
            ("姓名", {"name": " "}),
            ("姓名", {"name": "张3"}),
            ("姓名", {"name": "张,三"}),
            ("姓名", {"name": "··"}),
            ("姓名", {"name": "张\ue000"}),
            ("姓名", {"name": "张" * 61}),
            ("身份证号", {"id_number": ""}),
            ("身份证号", {"id_number": "1504261957010112"}),
            ("身份证号", {"id_number": "150426195702301234"}),
            ("身份证号", {"id_number": "15042619570101123Y"}),
            ("身份证号", {"id_number": "150426195701011231"}),
            ("与户主关系", {"relation": HEAD}),
            ("与户主关系", {"relation": "01"}),
            ("与户主关系", {"relation": "XX"}),
            ("民族", {"ethnicity": "57"}),
            ("手机号", {"phone": "1380000"}),
            ("发生日期", {"effective_on": date(1900, 1, 1)}),
        ],
    )
    def test_a_wrong_field_is_named_with_its_remedy(self, session: Session, county: World, field: str, asked: Any):
        right = {"name": "小明", "id_number": an_id_number(), "relation": "20"}
        with pytest.raises(FieldWrong, match=f"“{field}”.*；请") as refusal:
            changes_people.new_member(session, self.home(session, county), by=county.township.clerk, reason="出生",
                                      **right | asked)  # fmt: skip
        assert all(str(value) not in str(refusal.value) for value in asked.values() if len(str(value)) > 6)

    def test_a_number_born_later_than_today_is_refused(self, session: Session, county: World):
        number = an_id_number(born=today(session) + timedelta(days=1))
        with pytest.raises(FieldWrong, match="晚于今天"):
            changes_people.new_member(session, self.home(session, county), by=county.township.clerk, name="小明",
                                      id_number=number, relation="20", reason="出生")  # fmt: skip

    def test_a_foreign_village_code_is_refused(self, session: Session, county: World):
        by = county.township.clerk
        for code in ("150430999201", "1", f"{SECOND_TOWNSHIP[:9]}201"):
            with pytest.raises(FieldWrong, match="嘎查村代码"):
                changes_households.new_household(session, by=by, name="张三", id_number=an_id_number(), reason="新",
                                                 village_code=code)  # fmt: skip

    def test_nobody_is_registered_twice_in_a_township(self, session: Session, county: World):
        known = a_member(session, county)
        with pytest.raises(PersonHere, match="正常.*转入他户"):
            changes_households.new_household(session, by=county.township.clerk, name="张三",
                                             id_number=known.id_number, reason="新")  # fmt: skip

    def test_nor_in_the_region_and_the_keepers_name_alone_is_told(self, session: Session, county: World):
        known = a_member(
            session, county, a_household(session, county, township=county.other_county.township.division_code)
        )
        with pytest.raises(PersonKept, match="由.+登记.*跨苏木乡镇迁移.*虚拟户引用") as refusal:
            changes_households.new_household(session, by=county.township.clerk, name="张三",
                                             id_number=known.id_number, reason="新")  # fmt: skip
        assert known.name not in str(refusal.value)
        assert known.id_number not in str(refusal.value)

    def test_a_new_person_waits_for_the_police(self, session: Session, county: World):
        do(session, county.township, changes_people.new_member, self.home(session, county), name="小明",
           id_number=an_id_number(), relation="20")  # fmt: skip
        assert session.execute(sa.text("select count(*) from jobs where kind = 'check_identities'")).scalar_one() == 1

    def test_a_household_without_a_head_takes_nobody(self, session: Session, county: World):
        with pytest.raises(HouseholdHasNoHead):
            changes_people.new_member(session, a_household(session, county), by=county.township.clerk, name="小明",
                                      id_number=an_id_number(), relation="20", reason="出生")  # fmt: skip


class TestDeadMissingGoneBack:
    def test_the_death_of_the_head_asks_for_another_when_others_live_there(self, session: Session, county: World):
        home, (head, wife, _) = family(session, county, "10", "20")
        day = today(session) - timedelta(days=30)
        with pytest.raises(HeadNeeded, match="死亡后.*还有 2 名成员"):
            changes_people.register_death(session, head, by=county.township.clerk, died_on=day, reason="病故")
        do(session, county.township, changes_people.register_death, head, died_on=day, head_id=wife.id)
        assert (head.status, head.died_on, wife.relation, home.head_name) == (MemberStatus.DEAD, day, HEAD, wife.name)
        assert home.status == HouseholdStatus.ACTIVE

    def test_a_household_whose_last_member_dies_is_closed_and_says_why(self, session: Session, county: World):
        home, (head,) = family(session, county)
        do(session, county.township, changes_people.register_death, head, died_on=today(session))
        assert (home.status, home.closed_on) == (HouseholdStatus.CLOSED, today(session))
        told = session.exec(select(Event).where(Event.noun == "household", Event.record_id == home.id)).one()
        assert told.label == "撤销户：最后一名成员死亡"

    @pytest.mark.parametrize(("day", "refusal"), [(date(2999, 1, 1), EffectiveLater), (date(1900, 1, 1), FieldWrong)])
    def test_nobody_dies_before_birth_nor_in_the_future(self, session: Session, county: World, day: date, refusal: Any):
        with pytest.raises(refusal):
            changes_people.register_death(session, a_member(session, county), by=county.township.clerk, died_on=day,
                                          reason="病故")  # fmt: skip

    def test_the_dead_do_nothing_but_come_back(self, session: Session, county: World):
        home, (head, wife) = family(session, county, "10")
        do(session, county.township, changes_people.register_death, wife, died_on=today(session))
        by = county.township.clerk
        for verb, asked in (
            (changes_people.change_member, {"phone": "13900001111"}),
            (changes_people.register_death, {"died_on": today(session)}),
            (changes_people.register_missing, {}),
            (changes_people.register_leave, {"destination": "河北"}),
            (changes_people.move_member, {"into_number": home.number, "relation": "20"}),
        ):  # fmt: skip
            with pytest.raises(MemberNotHere, match="死亡"):
                verb(session, wife, by=by, reason="改", **asked)
        do(session, county.township, changes_people.restore, wife)
        assert (wife.status, wife.died_on, wife.relation) == (MemberStatus.ALIVE, None, "10")

    def test_who_was_wrongly_dead_comes_back_as_head_of_the_empty_household(self, session: Session, county: World):
        home, (head,) = family(session, county)
        do(session, county.township, changes_people.register_death, head, died_on=today(session) - timedelta(days=9))
        do(session, county.township, changes_people.restore, head)
        assert (home.status, home.closed_on, head.relation) == (HouseholdStatus.ACTIVE, None, HEAD)

    def test_who_was_the_head_comes_back_to_the_one_that_is(self, session: Session, county: World):
        _, (head, wife) = family(session, county, "10")
        do(session, county.township, changes_people.register_death, head, died_on=today(session), head_id=wife.id)
        with pytest.raises(RelationNeeded):
            changes_people.restore(session, head, by=county.township.clerk, reason="误登")
        do(session, county.township, changes_people.restore, head, relation="10")
        assert (head.relation, wife.relation) == ("10", HEAD)

    def test_the_missing_stay_where_they_are_and_are_found_again(self, session: Session, county: World):
        home, (head,) = family(session, county)
        do(session, county.township, changes_people.register_missing, head)
        assert (head.status, head.relation, home.status) == (MemberStatus.MISSING, HEAD, HouseholdStatus.ACTIVE)
        do(session, county.township, changes_people.restore, head)
        assert head.status == MemberStatus.ALIVE

    def test_leaving_says_where_to_and_coming_back_not_before(self, session: Session, county: World):
        _, (_, wife) = family(session, county, "10")
        by = county.township.clerk
        with pytest.raises(FieldWrong, match="迁往地"):
            changes_people.register_leave(session, wife, by=by, destination=" ", reason="迁出")
        do(session, county.township, changes_people.register_leave, wife, destination="河北")
        assert (wife.status, wife.left_on) == (MemberStatus.MOVED, today(session))
        with pytest.raises(FieldWrong, match="发生日期"):
            changes_people.restore(session, wife, by=by, reason="回来", effective_on=today(session) - timedelta(days=1))
        do(session, county.township, changes_people.restore, wife)
        assert (wife.status, wife.left_on) == (MemberStatus.ALIVE, None)


class TestMove:
    def test_a_person_goes_over_to_another_household(self, session: Session, county: World):
        home, (_, daughter) = family(session, county, "30")
        into, _ = family(session, county)
        do(session, county.township, changes_people.move_member, daughter, into_number=into.number, relation="38")
        assert (daughter.household_id, daughter.relation, home.status) == (into.id, "38", HouseholdStatus.ACTIVE)

    def test_the_last_one_to_go_closes_the_household(self, session: Session, county: World):
        home, (head,) = family(session, county)
        into, _ = family(session, county)
        do(session, county.township, changes_people.move_member, head, into_number=into.number, relation="51")
        assert (home.status, head.relation) == (HouseholdStatus.CLOSED, "51")

    def test_the_head_does_not_go_without_another(self, session: Session, county: World):
        home, (head, wife) = family(session, county, "10")
        into, _ = family(session, county)
        asked = {"into_number": into.number, "relation": "51"}
        with pytest.raises(HeadNeeded):
            changes_people.move_member(session, head, by=county.township.clerk, reason="转入", **asked)
        do(session, county.township, changes_people.move_member, head, **asked, head_id=wife.id)
        assert (wife.relation, home.head_name) == (HEAD, wife.name)

    def test_nothing_happens_to_somebody_before_they_came(self, session: Session, county: World):
        _, (_, daughter) = family(session, county, "30")
        into, _ = family(session, county)
        with pytest.raises(DayTooEarly, match="2024-05-01"):
            changes_people.move_member(session, daughter, by=county.township.clerk, into_number=into.number,
                                       relation="38", reason="转入", effective_on=date(2024, 4, 30))  # fmt: skip


def test_a_clash_that_is_none_of_ours_is_no_refusal(session: Session, county: World):
    with pytest.raises(sa.exc.IntegrityError), change_rules.nobody_twice(session, county.code, an_id_number()):
        session.execute(sa.text("insert into households (division_code) values ('1')"))
