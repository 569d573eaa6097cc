"""Who sees which rows, for every table there is: range, hole, sector, bank. （第四条、第十四条、第二十条、第三十条）"""

from dataclasses import replace
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlmodel import Session

from models.divisions import Division, Level
from models.officers import ActingOfficer, Role, Scope
from models.organisations import OrganisationKind
from models.settings import settings
from tests.conftest import As, Owner
from tests.factories import World
from tests.rows import (
    DOWNWARD,
    MARK,
    NEVER_CHANGED,
    RANGED,
    SCOPED,
    SECTOR,
    fill,
    insert,
    sample,
    seen,
    shown,
    table,
    where,
)
from workflows.queue import officer_of_post
from workflows.row_scope import SECTORED

BANK_TABLES = {"agent_accounts", "accounts", "bank_batches", "disbursements", "result_exceptions", "bank_replies",
               "bank_reply_rows", "account_batches", "account_batch_rows"}  # fmt: skip
"""Of these a bank's post sees the rows of its bank; of all others only what it wrote itself."""
FOREIGN = MARK + 1
DIRECT = {"150781000000": "150700000000", "152501000000": "152500000000"}
"""满洲里 and 二连浩特, and the leagues around them."""


@pytest.fixture
def filled(county: World, owner: Owner) -> World:
    """The world with one row of the county in every scoped table."""
    with owner() as session:
        fill(session, county.code)
    return county


def refused(failure: DBAPIError) -> bool:
    """Tell whether PostgreSQL refused for want of rights: a policy, a right, or a guard that says so."""
    return getattr(failure.orig, "sqlstate", "") == "42501"


class TestRange:
    def test_another_county_sees_no_row_of_any_table(self, filled: World, as_: As):
        with as_(filled.finance.clerk) as session:
            assert set(SCOPED) - shown(session, SCOPED) == set()
        other = filled.other_county
        for stranger in (
            other.finance.clerk,
            other.township.clerk,
            other.bank.clerk,
            filled.other_league_finance.clerk,
        ):
            with as_(stranger) as session:
                assert shown(session, SCOPED) == set()

    def test_the_levels_above_see_the_county(self, filled: World, as_: As):
        for by in (filled.league, filled.region):
            with as_(by) as session:
                assert set(RANGED) - shown(session, RANGED) == set()

    def test_a_township_sees_of_its_county_only_what_flows_down(self, filled: World, as_: As):
        with as_(filled.township.clerk) as session:
            assert shown(session, SCOPED) == set(DOWNWARD)

    def test_another_county_can_neither_change_nor_delete(self, filled: World, as_: As):
        for name in SCOPED:
            if name in NEVER_CHANGED:
                continue
            for verb in (f"update {name} set division_code = division_code", f"delete from {name}"):
                assert self.touched(as_, filled.other_county.finance.clerk, f"{verb} where {where(name)}") == 0

    @staticmethod
    def touched(as_: As, by: ActingOfficer, statement: str) -> int:
        try:
            with as_(by) as session:
                return int(session.execute(sa.text(statement)).rowcount)  # type: ignore[attr-defined]
        except ProgrammingError as failure:
            assert refused(failure)  # no right to delete at all
            return 0

    def test_another_county_cannot_write_into_the_county(self, county: World, as_: As):
        for name in SCOPED:
            with pytest.raises(DBAPIError) as failure, as_(county.other_county.finance.clerk) as session:
                insert(session, name, sample(name, county.code, FOREIGN))
            assert refused(failure.value), name

    def test_copy_into_a_table_with_row_policies_is_refused(self, county: World, database: str):
        with (
            psycopg.connect(settings().app_database_url.replace("+psycopg", "")) as connection,
            pytest.raises(psycopg.errors.FeatureNotSupported),
            connection.cursor().copy("copy rosters (id) from stdin") as copy,
        ):
            copy.write_row((1,))

    def test_what_flows_down_is_written_only_by_its_owner(self, filled: World, as_: As):
        for name in DOWNWARD:
            changed = f"update {name} set division_code = division_code where {where(name)}"
            assert self.touched(as_, filled.township.clerk, changed) == 0


class TestHole:
    """A league's finance bureau doesn't supervise its region-direct city; the league's departments do."""

    @pytest.fixture(params=sorted(DIRECT))
    def city(self, request: pytest.FixtureRequest, county: World, owner: Owner) -> str:
        with owner() as session:
            fill(session, request.param)
        return str(request.param)

    def test_the_reference_data_know_both_cities(self, owner: Owner):
        with owner() as session:
            direct = sa.select(Division.code, Division.parent_code).where(Division.region_direct_finance)  # type: ignore[call-overload]
            assert dict(session.execute(direct).tuples().all()) == DIRECT

    def test_its_finance_sees_no_row_of_the_city_and_its_department_does(
        self, county: World, owner: Owner, as_: As, city: str
    ):
        finance = self.a_post(owner, DIRECT[city], OrganisationKind.FINANCE, county.league)
        department = self.a_post(owner, DIRECT[city], OrganisationKind.DEPARTMENT, county.league, SECTOR)
        assert finance.scope == Scope.of(DIRECT[city], Level.LEAGUE).__class__(
            DIRECT[city][:4], f"{int(DIRECT[city][:4]) + 1}", city[:6], f"{int(city[:6]) + 1}"
        )
        with as_(finance) as session:
            assert shown(session, SCOPED) == set()
        for by in (department, county.region):
            with as_(by) as session:
                assert set(RANGED) - shown(session, RANGED) == set()

        for name in SCOPED:
            with pytest.raises(DBAPIError) as failure, as_(finance) as session:
                insert(session, name, sample(name, city, FOREIGN))
            assert refused(failure.value), name

    @staticmethod
    def a_post(
        owner: Owner, league: str, kind: OrganisationKind, officer: ActingOfficer, sector: str = ""
    ) -> ActingOfficer:
        """Give an officer of the world a post in a bureau of the league, and act in it."""
        with owner() as session:
            session.execute(sa.text("set local session_replication_role = replica"))
            place = {"league": league, "kind": kind, "sector": sector}
            found = sa.text(
                "select id from organisations where (division_code, kind, sector) = (:league, :kind, :sector)"
            )
            bureau = (
                session.execute(found, place).scalar()
                or session.execute(
                    sa.text(
                        "insert into organisations (division_code, name, kind, level, sector, telephone)"
                        " values (:league, '盟市局', :kind, 'league', :sector, '') returning id"
                    ),
                    place,
                ).scalar_one()
            )
            row = sample("posts", league, bureau + FOREIGN) | {
                "officer_id": officer.officer_id, "organisation_id": bureau, "role": Role.CLERK, "sector": "",
                "status": "in_force", "valid_from": "2024-01-01",
            }  # fmt: skip
            insert(session, "posts", row)
        return officer_of_post(row["id"])


class TestSector:
    """Departments see their own sector's rows, by PostgreSQL. （第十四条）"""

    def test_the_department_of_another_sector_sees_none_of_them(self, filled: World, as_: As):
        with as_(filled.department.clerk) as session:
            assert set(SCOPED) - shown(session, SCOPED) == set()
        with as_(filled.civil_affairs.clerk) as session:
            assert set(SCOPED) - shown(session, SCOPED) == SECTORED

    def test_a_post_in_a_township_with_a_sector_of_its_own_sees_that_sector(self, county: World, owner: Owner, as_: As):
        with owner() as session:
            fill(session, county.township.division_code, names=SECTORED, county_code=county.code)
        clerk = county.township.clerk
        for sector, hidden in (("", set()), (SECTOR, set()), ("民政", SECTORED)):
            with as_(replace(clerk, sector=sector)) as session:
                assert SECTORED - shown(session, sorted(SECTORED)) == hidden

    def test_another_sector_can_neither_write_nor_change(self, filled: World, as_: As):
        by = filled.civil_affairs.clerk
        for name in sorted(SECTORED - NEVER_CHANGED):
            changed = f"update {name} set division_code = division_code where {where(name)}"
            assert TestRange.touched(as_, by, changed) == 0
        for name in sorted(SECTORED):
            if "sector" not in table(name).columns:
                continue
            with pytest.raises(DBAPIError) as failure, as_(by) as session:
                insert(session, name, sample(name, filled.code, FOREIGN))
            assert refused(failure.value), name

    def test_a_row_cannot_be_moved_into_another_sector(self, filled: World, as_: As):
        with pytest.raises(ProgrammingError, match="row-level security"), as_(filled.department.clerk) as session:
            session.execute(sa.text(f"update rosters set sector = '民政' where id = {MARK}"))

    def test_a_child_cannot_claim_another_sector_than_its_parent(self, filled: World, session: Session):
        for name in ("roster_lines", "roster_warnings", "notices", "objections", "bank_batches", "refunds"):
            with pytest.raises(DBAPIError) as failure, session.begin_nested():
                session.execute(sa.text(f"update {name} set sector = '民政' where {where(name)}"))
            assert getattr(failure.value.orig, "sqlstate", "") == "23503", name
            session.rollback()

    def test_a_department_has_a_sector(self, session: Session, county: World):
        with pytest.raises(DBAPIError, match="ck_organisations_department_sector"):
            insert(session, "organisations", sample("organisations", county.code) | {
                "kind": "department", "level": "county", "sector": "",
            })  # fmt: skip


class TestBank:
    """A bank's post has an empty range; of the bank desk's tables it sees its bank's rows. （第二十条、第三十四条）"""

    @pytest.fixture
    def banks(self, filled: World, owner: Owner) -> World:
        """The county's rows of the first bank and of the second, and of both in the other county."""
        with owner() as session:
            fill(session, filled.code, FOREIGN, [name for name in SCOPED if name != "event_heads"], bank_id=2)
            fill(session, filled.other_county.code, FOREIGN + 1)
        return filled

    def test_a_bank_sees_its_own_rows_and_nothing_else(self, banks: World, as_: As):
        with as_(banks.bank.clerk) as session:
            assert shown(session, SCOPED) == BANK_TABLES
            assert shown(session, SCOPED, FOREIGN) == set()
            assert shown(session, SCOPED, FOREIGN + 1) == set()
            banked = [name for name in SCOPED if "bank_id" in table(name).columns and name != "organisations"]
            parts = " union ".join(f"select bank_id from {name}" for name in banked)
            assert set(session.execute(sa.text(parts)).scalars()) == {1}

    def test_an_account_is_shown_to_its_bank_once_it_is_to_be_verified(self, filled: World, owner: Owner, as_: As):
        with owner() as session:
            session.execute(sa.text("update accounts set status = 'registered'"))
        with as_(filled.bank.clerk) as session:
            assert seen(session, ["accounts"])["accounts"] == 0

    def test_the_county_sees_the_rows_of_every_bank(self, banks: World, as_: As):
        with as_(banks.finance.clerk) as session:
            assert set(SCOPED) - shown(session, SCOPED) == set()
            assert set(SCOPED) - shown(session, SCOPED, FOREIGN) == {"event_heads"}  # one head per county

    def test_a_bank_cannot_write_into_the_county(self, county: World, as_: As):
        for name in SCOPED:
            row = sample(name, county.code, FOREIGN, bank_id=2)
            with pytest.raises(DBAPIError) as failure, as_(county.bank.clerk) as session:
                insert(session, name, row)
            assert refused(failure.value), name

    def test_an_account_follows_its_bank_code(self, filled: World, owner: Owner):
        with owner() as session:
            codes = session.execute(sa.text("select id, prefix from agent_banks order by id")).tuples().all()
            for bank, prefix in codes:
                found = session.execute(
                    sa.text("update accounts set bank_code = :code, bank_id = 1 where id = :id returning bank_id"),
                    {"code": f"{prefix}191000000", "id": MARK},
                ).scalar_one()
                assert found == bank

    def test_a_batch_cannot_claim_another_bank_than_its_order(self, filled: World, session: Session):
        for name in ("bank_batches", "refunds", "payment_orders"):
            with pytest.raises(DBAPIError) as failure, session.begin_nested():
                session.execute(sa.text(f"update {name} set bank_id = 2 where {where(name)}"))
            assert getattr(failure.value.orig, "sqlstate", "") == "23503", name
            session.rollback()


class TestFlow:
    """An id that flows downward is written only beneath its owner. （第六条、第七条）"""

    CASES = ("rosters", "payment_orders", "roster_imports", "project_standards", "notice_periods", "project_links")

    def test_a_project_of_another_county_cannot_be_named(self, county: World, owner: Owner, as_: As):
        own, foreign, above = (self.a_project(owner, code) for code in
                               (county.code, county.other_county.code, "150000000000"))  # fmt: skip
        for name in self.CASES:
            for project, allowed in ((own, True), (above, True), (foreign, False)):
                row = sample(name, county.code, project) | {"project_id": project}
                assert self.writes(as_, county.finance.clerk, name, row) is allowed, name

    def test_a_department_cannot_name_a_project_of_another_sector(self, county: World, owner: Owner, as_: As):
        project = self.a_project(owner, county.code)
        for by, allowed in ((county.department.clerk, True), (county.civil_affairs.clerk, False)):
            row = sample("notice_periods", county.code, project + by.officer_id) | {"project_id": project}
            assert self.writes(as_, by, "notice_periods", row) is allowed

    @staticmethod
    def a_project(owner: Owner, code: str) -> int:
        with owner() as session:
            row = sample("subsidy_projects", code, MARK + int(code[:6]))
            insert(session, "subsidy_projects", row)
        return int(row["id"])

    @staticmethod
    def writes(as_: As, by: ActingOfficer, name: str, row: dict[str, Any]) -> bool:
        """Tell whether the policies let the row be written; other constraints don't matter here."""
        try:
            with as_(by) as session:
                insert(session, name, row)
        except DBAPIError as failure:
            return not refused(failure)
        return True

    def test_an_officer_or_organisation_flows_to_its_own_place(self, county: World, as_: As):
        asked = sa.text("select flows_to(:owner, :id, :code)")
        for owner, own, foreign in (
            ("officers", county.finance.clerk.officer_id, county.other_county.finance.clerk.officer_id),
            ("organisations", county.finance.organisation_id, county.other_county.finance.organisation_id),
        ):
            with as_(county.finance.clerk) as session:
                found = [
                    session.execute(asked, {"owner": owner, "id": one, "code": county.township.division_code}).scalar()
                    for one in (own, foreign)
                ]
            assert found == [True, False]
