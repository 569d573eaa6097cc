"""Search of the registry: whatever an officer types finds who is in range, and nobody else. （第十一条、第三十条）"""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from models.households import IdentityOutcome, Member, MemberStatus
from models.officers import Scope
from policies.identities import id_check, name_key
from tests.conftest import As, Owner
from tests.factories import SECOND_TOWNSHIP, World, a_household, a_member, an_account
from workflows.search import Kind, Sought, doubt, find, kind_of, tidy

NAMES = (
    "张三丰", "王海", "额", "乌云其木格", "额尔德尼巴雅尔", "包·乌日汗", "孛儿只斤·额尔敦巴特尔", "㛃䶮", "𠅤𬱖",
    "阿卜杜热西提·买买提",
)  # fmt: skip
OTHER = "152522100000"
WITH_X = next(body + "X" for body in (f"150430195603{tail:05d}" for tail in range(7000, 8000)) if id_check(body) == "X")


def named(found) -> list[str]:
    return [hit.member.name for hit in found.hits]


def parts_of(text: str) -> set[str]:
    """Return the parts of a name of one to five letters."""
    return {text[start:end] for start in range(len(text)) for end in range(start + 1, min(len(text), start + 5) + 1)}


@pytest.fixture
def people(county: World, owner: Owner) -> dict[str, Member]:
    """The names of the domain in one township, one of each in another county."""
    with owner() as session:
        home = a_household(session, county, head_name=NAMES[0], village="巴彦塔拉嘎查")
        made = {
            name: a_member(session, county, home, name=name, relation="02" if name == NAMES[0] else "20")
            for name in NAMES
        }
        there = a_household(session, county, township=OTHER, head_name="张三丰", village="巴彦塔拉嘎查")
        for name in NAMES:
            a_member(session, county, there, name=name, name_key=name_key(name))
        return made


class TestNames:
    @pytest.mark.parametrize("name", NAMES)
    def test_a_name_is_found_by_any_part_of_it(self, people, county: World, as_: As, name: str):
        bare = name.replace("·", "")
        parts = {
            bare[start:end] for start in range(len(bare)) for end in range(start + 1, min(len(bare), start + 5) + 1)
        }
        with as_(county.township.clerk) as session:
            missed = [part for part in parts if name not in named(find(session, Sought(part)))]
        assert missed == []

    @pytest.mark.parametrize("dot", ["·", "・", "•", "．", "‧", " ", "　", ""])
    @pytest.mark.parametrize("part", ["包{}乌日汗", "斤{}额尔敦"])
    def test_variants_of_the_middle_dot_are_one(self, people, county: World, as_: As, part: str, dot: str):
        with as_(county.township.clerk) as session:
            assert len(find(session, Sought(part.format(dot))).hits) == 1

    def test_the_letters_stand_in_the_order_typed(self, people, county: World, as_: As):
        with as_(county.township.clerk) as session:
            assert find(session, Sought("海王")).hits == []
            assert find(session, Sought("三张")).hits == []
            assert find(session, Sought("乌其")).hits == []

    def test_a_former_record_is_not_found_and_a_corrected_name_at_once(self, people, county: World, owner: Owner, as_):
        with owner() as session:
            former = a_member(session, county, name="白·朝鲁", current=False)
            session.execute(sa.text("update members set name = '王海燕', name_key = '王海燕' where name = '王海'"
                                    " and division_code like '150430%'"))  # fmt: skip
        with as_(county.township.clerk) as session:
            assert find(session, Sought("朝鲁")).hits == []
            assert find(session, Sought(former.id_number)).hits == []
            assert named(find(session, Sought("海燕"))) == ["王海燕"]


class TestRange:
    def test_each_finds_what_lies_in_range_and_nothing_of_another_county(self, people, county: World, as_: As):
        with as_(county.township.clerk) as session:
            for name in NAMES:
                found = find(session, Sought(name))
                assert {hit.member.division_code for hit in found.hits} == {county.township.division_code}
        with as_(county.second_township.clerk) as session:
            assert [find(session, Sought(name)).hits for name in NAMES] == [[]] * len(NAMES)
        counts = {}
        for by in (county.finance.clerk, county.league, county.region, county.other_county.finance.clerk):
            with as_(by) as session:
                counts[by.level.value, by.division_code] = len(find(session, Sought("张三丰")).hits)
        assert counts == {
            ("county", county.code): 1, ("league", "150400000000"): 1, ("region", "150000000000"): 2,
            ("county", county.other_county.code): 1,
        }  # fmt: skip

    def test_a_hole_nobody_a_bank_and_a_forged_ticket_stay_out(self, people, county: World, as_: As):
        every = (Sought("张三丰"), Sought(village="塔拉"), Sought(status="alive"), Sought())
        with as_(replace(county.region, scope=Scope("0", ":", "152522", "152523"))) as session:
            for sought in every:
                assert {hit.member.county_code for hit in find(session, sought).hits} == {county.code}
        for by in (None, county.bank.clerk):
            with as_(by) as session:
                assert [find(session, sought).hits for sought in every] == [[]] * len(every)
        with as_(county.township.clerk) as session:
            session.execute(sa.text("select set_config('app.ticket', 'x' || current_setting('app.ticket'), true)"))
            found = session.execute(sa.text("select count(*) from search_people('张', '', '', '', '', '', 0, 50)"))
            assert found.scalar_one() == 0


class TestNumbers:
    def test_an_id_of_18_and_of_15_digits_a_phone_a_card_and_a_household(self, county: World, owner: Owner, as_: As):
        with owner() as session:
            member = a_member(session, county, id_number=WITH_X, phone="13904760001")
            account = an_account(session, member)
            home = session.execute(
                sa.text("select number from households where id = :id"), {"id": member.household_id}
            ).scalar_one()  # fmt: skip
        typed = {
            WITH_X: Kind.ID, WITH_X.lower(): Kind.ID, f" {WITH_X[:6]} {WITH_X[6:14]}-{WITH_X[14:]} ": Kind.ID,
            "".join(chr(ord(sign) + 0xFEE0) for sign in WITH_X): Kind.ID, WITH_X[:6] + WITH_X[8:17]: Kind.ID,
            "13904760001": Kind.PHONE,
            "139-0476-0001": Kind.PHONE, account.number: Kind.CARD, home: Kind.HOUSEHOLD, home.lower(): Kind.HOUSEHOLD,
        }  # fmt: skip
        with as_(county.township.clerk) as session:
            found = {text: find(session, Sought(tidy(text))) for text in typed}
        assert {text: one.kind for text, one in found.items()} == typed
        assert {text: [hit.member.id for hit in one.hits] for text, one in found.items()} == {
            text: [member.id] for text in typed
        }
        with as_(county.other_county.township.clerk) as session:
            assert all(find(session, Sought(tidy(text))).hits == [] for text in typed)

    def test_the_box_knows_what_was_typed(self):
        typed = {
            "": Kind.NOTHING, "王": Kind.NAME, "包·乌日汗": Kind.NAME, "6217370000000000014": Kind.CARD,
            "12345": Kind.HOUSEHOLD, "H1504301020000001": Kind.HOUSEHOLD, "18004760001": Kind.PHONE, "王2": Kind.NAME,
            "John": Kind.NAME, "𠅤": Kind.NAME, "15043019900100123X": Kind.ID,
        }  # fmt: skip
        assert {text: kind_of(text) for text in typed} == typed

    def test_a_number_that_is_nearly_an_id_says_what_is_wrong(self):
        wrong = WITH_X[:17] + "5"
        assert kind_of(wrong) == Kind.CARD
        assert doubt(wrong) == "校验位不正确"
        assert doubt(WITH_X) == ""
        assert doubt("13904760001") == ""


class TestFilters:
    def test_village_status_and_outcome_narrow_together(self, people, county: World, owner: Owner, as_: As):
        with owner() as session:
            home = a_household(session, county, village="乌兰图嘎查", township=SECOND_TOWNSHIP)
            a_member(session, county, home, name="王海", status=MemberStatus.DEAD)
            a_member(session, county, home, name="王海明", identity_outcome=None)
            a_member(session, county, home, name="李强", identity_outcome=IdentityOutcome.MISMATCH)
        asked = {
            Sought("王海"): ["王海", "王海", "王海明"], Sought("王海", village="乌兰"): ["王海", "王海明"],
            Sought(village="图嘎"): ["李强", "王海", "王海明"], Sought("海", status="dead"): ["王海"],
            Sought(status="dead"): ["王海"], Sought(status="missing"): [], Sought(outcome="unchecked"): ["王海明"],
            Sought(outcome="mismatch"): ["李强"], Sought(village="图嘎", status="dead"): ["王海"],
            Sought("王", village="图嘎", outcome="unchecked"): ["王海明"], Sought(village="没有"): [],
            Sought(status="dead", outcome="mismatch"): [],
        }  # fmt: skip
        with as_(county.finance.clerk) as session:
            found = {sought: sorted(named(find(session, sought))) for sought in asked}
        assert found == asked

    def test_pages_follow_each_other_without_gap_or_double(self, county: World, owner: Owner, as_: As):
        with owner() as session:
            for township in (county.township.division_code, OTHER, SECOND_TOWNSHIP):
                home = a_household(session, county, township=township, village="塔拉嘎查")
                for number in range(4):
                    a_member(session, county, home, name="王王海" if number % 2 else f"王{'明华海'[number % 3]}")
        for sought in (Sought("王"), Sought(village="塔拉"), Sought(status="alive"), Sought()):
            with as_(county.region) as session:
                whole = [hit.member.id for hit in find(session, sought).hits]
                pages, after = [], None
                for _ in range(20):
                    found = find(session, sought, after=after, limit=3)
                    pages += [hit.member.id for hit in found.hits]
                    after = found.next
                    if after is None:
                        break
            assert len(whole) == 12
            assert pages == whole

    def test_villages_follow_the_households(self, county: World, owner: Owner, as_: As):
        with owner() as session:
            home = a_household(session, county, village="老村")
            a_member(session, county, home, name="王海")
            session.execute(sa.text("update households set village = '新村' where id = :id"), {"id": home.id})
        with as_(county.township.clerk) as session:
            assert find(session, Sought(village="老村")).hits == []
            assert named(find(session, Sought(village="新村"))) == ["王海"]
        with pytest.raises(sa.exc.ProgrammingError), as_(county.township.clerk) as session:
            session.execute(sa.text("insert into villages (division_code, county_code, name) values ('x', 'x', 'x')"))


HOSTILE = (
    "'; drop table members; --", "%", "_", "%%", "王%", "\\", "\\1", "' or '1'='1", "{王,海}", "王') or true --", "*",
    ".*", "\u202e王", "王\u200b海\u200b\u200b\u200b\u200b\u200b\u200b", "null", "{}", '"', "$1", "(", "[a-z]", "🐎",
)  # fmt: skip


class TestHostile:
    def test_words_like_code_are_words(self, people, county: World, as_: As):
        with as_(county.township.clerk) as session:
            for typed in map(tidy, (*HOSTILE, "王" * 10_000)):
                for sought in (Sought(typed), Sought(village=typed), Sought(typed, village=typed)):
                    assert sought.empty or set(named(find(session, sought))) <= {"王海"}, typed
            assert len(find(session, Sought()).hits) == len(NAMES)

    def test_nul_and_overlong_are_cut(self):
        assert tidy("王\x00海") == "王海"
        assert tidy("\x00") == ""
        assert len(tidy("王" * 10_000)) == 64
        assert tidy(" " * 200 + "王") == "王"
