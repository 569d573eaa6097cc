"""The demo population: reproducible, valid and recognisably fictitious. （第十一、十二条）"""

import stat
from collections import Counter
from pathlib import Path

import pytest
import sqlalchemy as sa

from demo.names import LONG_NAMES, RARE_NAMES
from demo.officers import read_accounts
from demo.people import COUNTY, LAND, PLACES, Population
from demo.population import SEED, population
from demo.seed import seed, standard_of
from demo.world import LINKS, UPSTREAM, world
from models.accounts import Account
from models.crypto import id_index
from models.database import transaction
from models.households import Member
from models.officers import ActingOfficer
from policies.identities import cnaps_valid, is_valid_id, luhn_valid, sex_of
from tests.conftest import Owner, point_at
from workflows.queue import officer_of_post
from workflows.sessions import hasher


@pytest.fixture(scope="module")
def people() -> Population:
    return population()


def cards(people: Population) -> list[str]:
    spare = [one.spare.number for one in people.peculiar.values() if one.spare]
    return [person.card.number for home in people.homes for person in home.people if person.card] + spare


HASHES = "select o.login, s.password_hash from officers o join officer_secrets s on s.officer_id = o.id"


class TestPopulation:
    def test_the_same_seed_gives_the_same_people(self, people: Population) -> None:
        again = population.__wrapped__(SEED)
        assert again.digest == people.digest
        assert population.__wrapped__(SEED + 1).digest != people.digest

    def test_two_thousand_households_live_in_three_townships_of_the_county(self, people: Population) -> None:
        homes = [home for home in people.homes if home.county_code == COUNTY]
        assert len(homes) == 2000
        assert len({home.township_code for home in homes}) == 3
        assert len(people.homes) - len(homes) == 120

    def test_every_identity_number_is_valid_unique_and_fictitious(self, people: Population) -> None:
        persons = [(home, person) for home in people.homes for person in home.people]
        numbers = [person.id_number for _, person in persons]
        assert all(map(is_valid_id, numbers))
        assert len(set(numbers)) == len(numbers)
        assert all(person.id_number[:6] == home.county_code[:6] for home, person in persons)
        assert {number[14:15] for number in numbers} == {"9"}
        assert all(900 <= int(number[14:17]) <= 989 for number in numbers)
        assert all(sex_of(person.id_number) == person.sex for _, person in persons)

    def test_every_card_passes_luhn_and_has_nineteen_digits(self, people: Population) -> None:
        ordinary = [number for number in cards(people) if number.startswith("62")]
        assert all(len(number) == 19 and luhn_valid(number) for number in ordinary)
        twice = [number for number, times in Counter(cards(people)).items() if times > 1]
        shared = people.peculiar_home("shared_account").head.card
        assert shared is not None and twice == [shared.number]
        assert len(cards(people)) - len(ordinary) == 1

    def test_bank_codes_pass_their_check_digit(self, people: Population) -> None:
        codes = {home.head.card.bank_code for home in people.homes if home.head.card}
        assert len(codes) == 4
        assert all(map(cnaps_valid, codes))

    def test_telephones_lie_in_the_segment_that_nobody_holds(self, people: Population) -> None:
        phones = [home.head.phone for home in people.homes if home.head.phone]
        assert all(phone.startswith("1540") and len(phone) == 11 for phone in phones)
        assert len(set(phones)) == len(phones) == len(people.homes) - 1

    def test_names_are_long_short_and_rare(self, people: Population) -> None:
        names = {home.head.name for home in people.homes}
        assert names.issuperset((*LONG_NAMES, *RARE_NAMES))
        assert any("·" in name for name in names)

    def test_the_namesakes_share_name_and_sex(self, people: Population) -> None:
        first, second = (people.peculiar_home(key).head for key in ("shared_account", "shared_account_namesake"))
        assert (first.name, first.sex, first.card) == (second.name, "2", second.card)
        assert first.id_number != second.id_number

    def test_the_first_indicator_of_the_land_subsidy_does_not_suffice(self, people: Population) -> None:
        need = sum(home.land.subsidised for home in people.homes if home.county_code == COUNTY)
        have = [float(link.amount_yuan) for link in LINKS if (link.county_code, link.project_code) == (COUNTY, LAND)]
        assert have[0] < float(need * standard_of(COUNTY, LAND)) < sum(have)


class TestWorld:
    def test_police_and_banks_differ_only_where_said(self, people: Population) -> None:
        rows = list(world(people))
        persons = {row["id_number"]: row for row in rows if row["kind"] == "person"}
        differing = [
            home.number
            for home in people.homes
            for person in home.people
            if persons[person.id_number]["name"] != person.name or persons[person.id_number]["died_on"]
        ]
        said = {people.peculiar[key].home_number for key in ("dead_before_period", "name_mismatch")}
        assert set(differing) == said
        accounts = {row["number"]: row["status"] for row in rows if row["kind"] == "account"}
        unknown, closed = (people.peculiar_home(key).head.card for key in ("unknown_account", "closed_account"))
        assert unknown is not None and unknown.number not in accounts
        assert closed is not None and accounts.pop(closed.number) == "closed"
        assert set(accounts.values()) == {"active"}

    def test_only_the_hot_topic_class_pays_subsidies(self, people: Population) -> None:
        indicators = [row for row in world(people) if row["kind"] == "indicator"]
        assert Counter(row["HOT_TOPIC_CATE_NAME"] for row in indicators) == {
            "惠民惠农财政补贴资金": len(LINKS) + len(UPSTREAM),
            "“三保”支出": 1,
        }


class TestSeed:
    def test_a_second_start_keeps_the_data(self, database: str, owner: Owner, tmp_path: Path, keys: Path) -> None:
        point_at(database, keys)
        first = seed(database, tmp_path)
        accounts = read_accounts(first.officers_file)
        again = seed(database, tmp_path)
        assert (first.fresh, again.fresh) == (True, False)
        assert read_accounts(again.officers_file) == accounts
        with owner() as session:
            counts = {
                table: session.execute(sa.text(f"select count(*) from {table}")).scalar_one()
                for table in ("households", "members", "accounts", "officers", "posts", "project_standards")
            }
        assert counts["households"] == 2120
        assert counts["accounts"] == 2120
        assert counts["members"] == sum(len(home.people) for home in population().homes)
        assert counts["officers"] == counts["posts"] == len(accounts)

    def test_the_registry_is_found_by_blind_index_and_opens_again(
        self, database: str, owner: Owner, tmp_path: Path
    ) -> None:
        seed(database, tmp_path)
        head = population().homes[0].head
        with owner() as session:
            member = session.execute(sa.select(Member).filter_by(id_index=id_index(head.id_number))).scalar_one()
            account = session.execute(sa.select(Account).filter_by(member_id=member.id)).scalar_one()
            stored = session.execute(sa.text("select id_number, phone from members where id = :id"), {"id": member.id})
            assert head.id_number.encode() not in bytes(stored.one().id_number)
        assert (member.id_number, member.phone) == (head.id_number, head.phone)
        assert head.card is not None and account.number == head.card.number

    def test_later_rows_take_later_keys(self, database: str, owner: Owner, tmp_path: Path) -> None:
        seed(database, tmp_path)
        with owner() as session:
            ahead = session.execute(
                sa.text("select nextval(pg_get_serial_sequence('members', 'id')) > max(id) from members")
            ).scalar_one()
        assert ahead is True

    def test_the_accounts_file_is_its_owners_only_and_its_passwords_are_right(
        self, database: str, owner: Owner, tmp_path: Path
    ) -> None:
        file = seed(database, tmp_path).officers_file
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        accounts = read_accounts(file)
        assert len({account.password for account in accounts}) == len(accounts)
        with owner() as session:
            stored = dict(session.execute(sa.text(HASHES)).tuples().all())
        one = accounts[0]
        assert hasher().verify(one.password, stored[one.login])

    def test_a_lost_accounts_file_gives_new_passwords(self, database: str, owner: Owner, tmp_path: Path) -> None:
        file = seed(database, tmp_path).officers_file
        before = read_accounts(file)[0]
        file.write_text("half writ")
        seed(database, tmp_path)
        after = read_accounts(file)[0]
        with owner() as session:
            stored = session.execute(
                sa.text(f"select password_hash from ({HASHES}) h where login = :login"),
                {"login": after.login},
            ).scalar_one()
        assert after.login == before.login and after.password != before.password
        assert hasher().verify(after.password, stored)

    def test_every_desk_of_both_counties_is_held_by_another_person(
        self, database: str, owner: Owner, tmp_path: Path
    ) -> None:
        seed(database, tmp_path)
        with owner() as session:
            persons, officers = session.execute(
                sa.text("select count(distinct person_index), count(*) from officers")
            ).one()
        assert persons == officers

    def test_an_officer_sees_the_own_county_only(self, database: str, owner: Owner, tmp_path: Path) -> None:
        seed(database, tmp_path)
        seen = []
        for login in ("aohan.caizheng.clerk", "abaga.caizheng.clerk", "changsheng.clerk", "zizhiqu.caizheng.auditor"):
            with transaction(acting(owner, login)) as session:
                seen.append(session.execute(sa.text("select count(*) from households")).scalar_one())
        assert seen == [2000, 120, PLACES[0].homes, 2120]


def acting(owner: Owner, login: str) -> ActingOfficer:
    with owner() as session:
        post = session.execute(
            sa.text("select p.id from posts p join officers o on o.id = p.officer_id where o.login = :login"),
            {"login": login},
        ).scalar_one()
    return officer_of_post(post)
