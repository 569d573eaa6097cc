"""No direct edits of the registry: PostgreSQL admits what an agreed change writes, and nothing else. （第十一条）"""

import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from models.crypto import ring
from models.database import transaction
from models.households import Household, Member
from models.officers import ActingOfficer, Role
from models.registry_changes import ChangeKind, ChangeStatus, RegistryChange
from policies.clock import now, today
from policies.moves import move
from policies.refusals import Refused, SamePersonTwice
from tests.changes import PAPER, agree, changes_assets, changes_households, changes_people, do_as
from tests.conftest import As, Owner
from tests.factories import World, a_household, a_member, an_asset, an_id_number, key, second_account
from workflows import registry_changes
from workflows.change_rules import PersonKept
from workflows.edges import edge

INSERTS = {
    "households": "insert into households (division_code, county_code, number, head_name, village_code, village,"
    " group_name, address, change_id) values (:division, :county, 'H-X', '某', '', '', '', '', :change)",
    "members": "insert into members (division_code, county_code, household_id, name, name_key, id_number, id_index,"
    " birth_date, sex, relation, ethnicity, status, added_on, change_id) values (:division, :county, :household, '某',"
    " '某', :sealed, :index, '2000-01-01', '1', '20', '01', 'alive', '2024-05-01', :change)",
    "assets": "insert into assets (division_code, county_code, household_id, kind, quantity, unit, as_of, source,"
    " change_id) values (:division, :county, :household, 'forest', 1, '亩', '2024-01-01', '', :change)",
    "certificates": "insert into certificates (division_code, county_code, member_id, kind, number, level, valid_from,"
    " source, as_of, change_id) values (:division, :county, :member, 'orphan', :sealed, '', '2024-01-01', 'township',"
    " '2024-01-01', :change)",
}  # fmt: skip
UPDATES = {
    "households": "update households set address = '改', change_id = :change where id = :household",
    "members": "update members set phone = null, change_id = :change where id = :member",
    "assets": "update assets set quantity = 9, change_id = :change where household_id = :household",
    "certificates": "update certificates set level = '改', change_id = :change where member_id = :member",
}
REGISTRY = tuple(INSERTS)
REFUSED, ALONE = "须经变更审核", "须由两人办理"


class Place:
    """A household with one person, an asset and a certificate, and what raw statements need."""

    def __init__(self, owner: Owner, county: World) -> None:
        with owner() as session:
            self.home = a_household(session, county)
            self.member = a_member(session, county, self.home)
            an_asset(session, self.home)
            self.keys: dict[str, Any] = {
                "division": self.home.division_code, "county": self.home.county_code, "household": self.home.id,
                "member": self.member.id, "sealed": ring().seal("某"), "index": ring().index("id", an_id_number()),
            }  # fmt: skip
            session.execute(sa.text(INSERTS["certificates"]), self.keys | {"change": 0})


@pytest.fixture
def place(owner: Owner, county: World) -> Place:
    return Place(owner, county)


def refused(session: Session, statement: str, keys: dict[str, Any], text: str = REFUSED) -> None:
    """Prove that PostgreSQL refuses a statement, not for want of rows."""
    names = {name: keys[name] for name in keys if f":{name}" in statement}
    with pytest.raises(DBAPIError, match=text) as failure, session.begin_nested():
        session.execute(sa.text(statement), names)
    assert isinstance(failure.value.orig, psycopg.errors.InsufficientPrivilege)


def all_refused(session: Session, place: Place, change: int) -> None:
    for table in REGISTRY:
        refused(session, INSERTS[table], place.keys | {"change": change})
        refused(session, UPDATES[table], place.keys | {"change": change})


def a_change(session: Session, place: Place, by: ActingOfficer, phone: str = "13900001111") -> RegistryChange:
    member = session.get_one(Member, place.member.id)
    return changes_people.change_member(session, member, by=by, phone=phone, reason="换号")


class TestDirectEdits:
    @pytest.mark.parametrize("desk", ["clerk", "head"])
    def test_raw_sql_writes_no_row_of_the_registry(self, county: World, as_: As, place: Place, desk: str):
        with as_(getattr(county.township, desk)) as session:
            all_refused(session, place, 0)
            all_refused(session, place, 987654)

    def test_and_deletes_none(self, county: World, as_: As, place: Place):
        with as_(county.township.clerk) as session:
            for table in (*REGISTRY, "registry_changes", "residences", "attachments"):
                refused(session, f"delete from {table}", {}, "permission denied")
            for statement in ("update residences set from_on = '2020-01-01'", "update attachments set size = 1"):
                refused(session, statement, {}, "permission denied")

    def test_the_orm_changes_none_either(self, county: World, as_: As, place: Place):
        with pytest.raises(DBAPIError, match=REFUSED), as_(county.township.head) as session:
            session.get_one(Member, place.member.id).name = "改名"

    def test_what_checks_and_reviews_keep_is_free(self, county: World, as_: As, place: Place):
        with as_(county.township.clerk) as session:
            session.execute(sa.text("update members set identity_outcome = 'match', identity_checked_at = now()"))
            session.execute(sa.text("update households set reviewed_on = '2024-05-01'"))


class TestForgedChanges:
    def test_a_change_that_is_not_agreed_to_opens_nothing(self, county: World, as_: As, place: Place):
        with as_(county.township.clerk) as session:
            all_refused(session, place, key(a_change(session, place, county.township.clerk).id))

    def test_nor_one_that_was_applied_in_another_transaction(self, county: World, as_: As, place: Place):
        change = do_as(as_, county.township, changes_people.change_member, place.member, phone="13900001111")
        with as_(county.township.head) as session:
            all_refused(session, place, key(change.id))

    def test_nor_one_of_another_township_applied_in_this_very_transaction(
        self, county: World, as_: As, owner: Owner, place: Place
    ):
        with owner() as session:
            elsewhere = a_household(session, county, township=county.second_township.division_code)
            other = a_member(session, county, elsewhere)
        second = county.second_township
        with as_(second.clerk) as session:
            member = session.get_one(Member, other.id)
            change = changes_people.change_member(session, member, by=second.clerk, phone="13900001111", reason="换号")
        with as_(second.head) as session:
            agree(session, second, session.get_one(RegistryChange, change.id))
            outside = "row-level security|须经变更审核"
            for table in REGISTRY:
                refused(session, INSERTS[table], place.keys | {"change": change.id}, outside)
                names = {"change": change.id, "household": place.home.id, "member": place.member.id}
                found = {name: value for name, value in names.items() if f":{name}" in UPDATES[table]}
                assert session.execute(sa.text(UPDATES[table]), found).rowcount == 0

    def test_its_mark_cannot_be_written_by_the_application(self, county: World, as_: As, place: Place):
        with as_(county.township.clerk) as session:
            change = a_change(session, place, county.township.clerk)
            session.execute(
                sa.text("update registry_changes set applied_in = pg_current_xact_id()::text where id = :id"),
                {"id": change.id},
            )
            assert session.execute(sa.text("select applied_in from registry_changes")).scalar_one() == ""
            for status in ("applied", "approved"):
                statement = f"update registry_changes set status = '{status}' where id = :change"
                if status == "applied":
                    refused(session, statement, {"change": change.id}, "须先复核同意")
            all_refused(session, place, key(change.id))

    def test_one_person_alone_applies_nothing(self, county: World, as_: As, place: Place):
        with as_(county.township.clerk) as session:
            change = a_change(session, place, county.township.clerk)
            number = {"change": change.id}
            session.execute(sa.text("update registry_changes set status = 'approved' where id = :change"), number)
            refused(session, "update registry_changes set status = 'applied' where id = :change", number, ALONE)

    def test_nor_with_a_second_account_of_the_same_person(self, county: World, as_: As, owner: Owner, place: Place):
        with owner() as session:
            twin = second_account(session, county.township.clerk, county.township.organisation_id, Role.HEAD)
        with as_(county.township.clerk) as session:
            change = a_change(session, place, county.township.clerk)
        with as_(twin) as session:
            found = session.get_one(RegistryChange, change.id)
            with pytest.raises(SamePersonTwice):
                registry_changes.approve(session, found, by=twin)
            session.execute(
                sa.text("update registry_changes set status = 'approved' where id = :change"), {"change": change.id}
            )
            refused(session, "update registry_changes set status = 'applied' where id = :change",
                    {"change": change.id}, ALONE)  # fmt: skip

    def test_a_change_is_born_a_proposal(self, county: World, as_: As, place: Place):
        with pytest.raises(DBAPIError, match="变更须先提出，再复核"), as_(county.township.clerk) as session:
            session.add(
                RegistryChange(
                    division_code=place.home.division_code, county_code=place.home.county_code, number="BG-X",
                    kind=ChangeKind.MEMBER, status=ChangeStatus.APPROVED, effective_on=today(session), reason="伪造",
                    fields=[], before="{}", after="{}", prepared_at=now(session),
                )
            )  # fmt: skip

    def test_what_was_agreed_to_says_the_same_to_the_end(self, county: World, as_: As, place: Place):
        with as_(county.township.clerk) as session:
            change = a_change(session, place, county.township.clerk)
        with as_(county.township.head) as session:
            found = session.get_one(RegistryChange, change.id)
            move(session, found, "approve", by=county.township.head)
            names = {"change": found.id, "sealed": ring().seal("{}")}
            refused(session, "update registry_changes set after = :sealed where id = :change", names, "不能改写")
            refused(
                session, "update registry_changes set effective_on = '2020-01-01' where id = :change", names, "不能改写"
            )

    def test_the_merge_of_records_is_none_of_the_applications_without_its_change(
        self, county: World, as_: As, owner: Owner, place: Place
    ):
        with owner() as session:
            other = a_member(session, county)
        with as_(county.township.clerk) as session:
            change = a_change(session, place, county.township.clerk)
            names = {"change": change.id, "member": place.member.id, "kept": other.id}
            refused(session, "select * from merge_records(:change, :member, :kept)", names)


def race(*runs: Callable[[], object]) -> list[object]:
    """Run all at the same moment; return what each gave or raised."""
    start, found = threading.Barrier(len(runs)), [None] * len(runs)

    def one(place: int) -> None:
        start.wait()
        try:
            found[place] = runs[place]()  # type: ignore[func-returns-value]
        except Refused as refusal:
            found[place] = refusal  # type: ignore[call-overload]

    threads = [threading.Thread(target=one, args=(place,)) for place in range(len(runs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return list(found)


class TestTheSameMoment:
    def proposals(self, county: World, as_: As, number: str) -> list[tuple[ActingOfficer, int]]:
        found = []
        for office in (county.township, county.other_county.township):
            with as_(office.clerk) as session:
                change = changes_households.new_household(session, by=office.clerk, name="张三", id_number=number,
                                                          reason="新", evidence=(PAPER,))  # fmt: skip
            found.append((office.head, key(change.id)))
        return found

    def approve(self, by: ActingOfficer, change_id: int) -> object:
        with edge(by, "approve", "变更单") as session:
            change = session.get_one(RegistryChange, change_id)
            return registry_changes.approve(session, change, by=by).status

    def test_of_two_townships_one_registers_and_the_other_is_told(self, county: World, as_: As, owner: Owner):
        for _ in range(3):
            number = an_id_number()
            pair = self.proposals(county, as_, number)
            found = race(*(lambda one=one: self.approve(*one) for one in pair))  # type: ignore[misc]
            assert found.count(ChangeStatus.APPLIED) == 1
            told = next(one for one in found if isinstance(one, Refused))
            assert isinstance(told, PersonKept)
            with owner() as session:
                index = ring().index("id", number)
                rows = session.execute(
                    sa.text("select d.name from members m join divisions d on d.code = m.division_code"
                            " where m.id_index = :index"), {"index": index},
                ).scalars().all()  # fmt: skip
                statuses = session.execute(
                    sa.text("select status from registry_changes where id = any (:ids) order by 1"),
                    {"ids": [change for _, change in pair]},
                ).scalars()
                assert len(rows) == 1
                assert rows[0] in str(told)
                assert list(statuses) == ["applied", "submitted"]

    def test_one_waits_for_the_others_commit_and_then_names_it(self, county: World, as_: As):
        (first, one), (second, two) = self.proposals(county, as_, an_id_number())
        written, told = threading.Event(), []

        def late() -> None:
            written.wait()
            try:
                self.approve(second, two)
            except PersonKept as refusal:
                told.append(str(refusal))

        thread = threading.Thread(target=late)
        thread.start()
        with transaction(first) as session:
            registry_changes.approve(session, session.get_one(RegistryChange, one), by=first)
            session.flush()
            written.set()
            thread.join(0.5)
            assert thread.is_alive()  # it waits: only the commit says who keeps the person
        thread.join()
        assert len(told) == 1
        assert "跨苏木乡镇迁移" in told[0]

    def test_two_changes_of_one_household_become_true_one_after_the_other(self, county: World, as_: As, owner: Owner):
        with owner() as session:
            home = a_household(session, county)
            head = a_member(session, county, home)
            wife = a_member(session, county, home, relation="10")
        clerk, office = county.township.clerk, county.township
        ids = []
        for verb, record, asked in (
            (changes_people.register_leave, head, {"destination": "河北", "head_id": wife.id}),
            (changes_people.register_leave, wife, {"destination": "河北"}),
        ):  # fmt: skip
            with as_(clerk) as session:
                change = verb(session, session.get_one(Member, record.id), by=clerk, reason="迁出", **asked)
                ids.append(key(change.id))
        found = race(*(lambda one=one: self.approve(office.head, one) for one in ids))  # type: ignore[misc]
        assert ChangeStatus.APPLIED in found
        with owner() as session:
            heads = session.execute(
                sa.text("select count(*) filter (where relation = '02'), count(*) from members"
                        " where household_id = :home and current and status in ('alive', 'missing')"),
                {"home": home.id},
            ).one()  # fmt: skip
            status = session.get_one(Household, home.id).status
            assert (heads[0], status) in {(1, "active"), (0, "closed")}
            assert (heads[1] == 0) == (status == "closed")


def test_what_two_people_agree_to_is_written_in_the_name_of_their_change(county: World, as_: As, place: Place):
    with as_(county.township.clerk) as session:
        day = today(session)
    change = do_as(as_, county.township, changes_assets.change_asset, place.home, kind="livestock", quantity="12",
                   unit="只", as_of=day, source="草畜核查")  # fmt: skip
    with as_(county.township.clerk) as session:
        assert session.execute(sa.text("select change_id from assets where unit = '只'")).scalar_one() == change.id
