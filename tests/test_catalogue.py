"""The catalogue of row policies: what models declare is what PostgreSQL has, for every table. （第三十条）"""

import importlib
import pkgutil
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import ProgrammingError
from sqlmodel import Session

import models
from models.base import RowScope, Table
from models.officers import ActingOfficer
from models.settings import APP_ROLE, settings
from tests.conftest import As, Owner
from tests.factories import World

for _module in pkgutil.iter_modules(models.__path__):
    importlib.import_module(f"models.{_module.name}")


def tables() -> dict[str, RowScope]:
    """Every declared table and its row scope."""
    found: dict[str, RowScope] = {}
    waiting = list(Table.__subclasses__())
    while waiting:
        model = waiting.pop()
        waiting += model.__subclasses__()
        if hasattr(model, "__table__"):
            found[str(model.__tablename__)] = model.__row_scope__
    return found


def of(*scopes: RowScope) -> list[str]:
    return sorted(name for name, scope in tables().items() if scope in scopes)


RANGED, DOWNWARD = of(RowScope.RANGE), of(RowScope.DOWNWARD)
SCOPED = {*RANGED, *DOWNWARD}
EDITABLE_REFERENCE = {"policy_rules"}
"""Reference rows that security officers change in the console."""
REGION_WIDE_KEYS = {("events", "desk_holders")}
"""Links whose key needs no division: a noun and its number are unique over the whole region."""
WITHOUT_DELETE = {"changes", "desk_holders", "event_archives", "event_heads", "event_links", "events",
                  "journal_entries", "postings", "refusals"}  # fmt: skip
WITHOUT_INSERT = {"changes", "event_archives", "event_heads", "event_links"}

SAMPLES: dict[str, dict[str, Any]] = {
    "budget_indicators": {"reserved_fen": 0, "requested_fen": 0, "paid_fen": 0},
    "project_links": {"pro_code": "1504302400000000000A1"},
    "notice_periods": {"notice_days": 7},
    "delegations": {"officer_id": 2},
}


def sample(table: sa.Table, division: str) -> dict[str, Any]:
    """Return a row that fills every column the table insists on."""
    row: dict[str, Any] = {}
    for column in table.columns:
        if column.identity is not None or (column.nullable and column.name not in ("division_code", "county_code")):
            continue
        if column.name in ("division_code", "county_code"):
            row[column.name] = division
        elif isinstance(column.type, sa.Enum):
            row[column.name] = column.type.enums[0]
        else:
            row[column.name] = _value(column)
    return row | SAMPLES.get(table.name, {})


def _value(column: "sa.Column[Any]") -> Any:
    kind = str(column.type.compile(dialect=sa.dialects.postgresql.dialect())).upper()  # type: ignore[attr-defined]
    words = {"BYTEA": "\\x01", "BOOLEAN": True, "DATE": "2024-05-01", "JSONB": "{}", "TEXT[]": "{}"}
    if kind in words:
        return words[kind]
    if "TIME" in kind:
        return "2024-05-01T09:00:00+08:00"
    return 1 if any(word in kind for word in ("INT", "NUMERIC")) else "x"


@pytest.fixture
def filled(county: World, owner: Owner) -> World:
    """The world with at least one row of the county in every ranged table."""
    with owner() as session:
        session.execute(sa.text("set local session_replication_role = replica"))
        for name in RANGED:
            row = sample(Table.metadata.tables[name], county.code)
            names, values = ", ".join(row), ", ".join(f":{key}" for key in row)
            session.execute(sa.text(f"insert into {name} ({names}) values ({values})"), row)
    return county


def seen(session: Session, names: list[str]) -> dict[str, int]:
    return {name: session.execute(sa.text(f"select count(*) from {name}")).scalar_one() for name in names}


class TestDeclarations:
    def test_every_table_has_the_policies_it_declares(self, owner: Owner):
        with owner() as session:
            rows = session.execute(
                sa.text(
                    "select c.relname, c.relrowsecurity, array(select p.policyname || ':' || p.cmd from pg_policies p"
                    " where p.tablename = c.relname and p.roles = array[cast(:role as name)]"
                    " and p.permissive = 'PERMISSIVE' order by 1) as policies"
                    " from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'public'"
                    " and c.relkind in ('r', 'p') and c.relname not like 'procrastinate%'"
                    " and c.relname <> 'alembic_version'"
                ),
                {"role": APP_ROLE},
            ).all()
        whole = [f"scope_{verb.lower()}:{verb}" for verb in ("DELETE", "INSERT", "SELECT", "UPDATE")]
        assert {row.relname: (row.relrowsecurity, row.policies) for row in rows} == {
            name: (True, whole) if name in SCOPED else (False, []) for name in tables()
        }

    def test_using_and_with_check_are_the_same_half_open_range_everywhere(self, owner: Owner):
        with owner() as session:
            rows = session.execute(
                sa.text("select tablename, cmd, qual, with_check from pg_policies where schemaname = 'public'")
            ).all()
        downward_reads = {row.qual for row in rows if row.tablename in DOWNWARD and row.cmd == "SELECT"}
        others = {
            text
            for row in rows
            for text in (row.qual, row.with_check)
            if text is not None and not (row.tablename in DOWNWARD and row.cmd == "SELECT")
        }
        assert len(others) == 1
        (inside,) = others
        assert "app.scope_from" in inside
        assert "app.scope_to" in inside
        assert not any(word in inside for word in ("~~", "'*'", "bpchar"))
        assert len(downward_reads) == 1

    def test_the_applications_role_neither_owns_nor_bypasses(self, owner: Owner):
        with owner() as session:
            role = session.execute(
                sa.text(
                    "select rolsuper, rolbypassrls, rolcreatedb, rolcreaterole from pg_roles where rolname = :role"
                ),
                {"role": APP_ROLE},
            ).one()
            owned = session.execute(
                sa.text(
                    "select count(*) from pg_class where relowner = (select oid from pg_roles where rolname = :role)"
                ),
                {"role": APP_ROLE},
            ).scalar_one()
            member = session.execute(
                sa.text("select count(*) from pg_auth_members where member = (select oid from pg_roles"
                        " where rolname = :role)"),
                {"role": APP_ROLE},
            ).scalar_one()  # fmt: skip
            creates = session.execute(
                sa.text("select has_schema_privilege(:role, 'public', 'create')"), {"role": APP_ROLE}
            ).scalar_one()
        assert (tuple(role), owned, member, creates) == ((False,) * 4, 0, 0, False)

    def test_reference_tables_are_read_only_and_closed_ones_shut(self, owner: Owner):
        expected = {name: ("SELECT",) for name in of(RowScope.REFERENCE)}
        expected |= {name: () for name in of(RowScope.CLOSED)}
        expected |= {name: ("SELECT", "INSERT", "UPDATE", "DELETE") for name in EDITABLE_REFERENCE}
        expected["alembic_version"] = ()
        assert self.rights(owner, list(expected)) == expected

    def test_what_is_written_once_cannot_be_changed_by_the_application(self, owner: Owner):
        rights = self.rights(owner, RANGED)
        assert {name for name in RANGED if "DELETE" not in rights[name]} == WITHOUT_DELETE
        assert {name for name in RANGED if "UPDATE" not in rights[name]} == WITHOUT_DELETE
        assert {name for name in RANGED if "INSERT" not in rights[name]} == WITHOUT_INSERT

    @staticmethod
    def rights(owner: Owner, names: list[str]) -> dict[str, tuple[str, ...]]:
        verbs = ("SELECT", "INSERT", "UPDATE", "DELETE")
        asked = ", ".join(f"has_table_privilege('{APP_ROLE}', t, '{verb}')" for verb in verbs)
        with owner() as session:
            rows = session.execute(
                sa.text(f"select t, {asked} from unnest(cast(:names as text[])) t"), {"names": names}
            ).all()
        return {row[0]: tuple(verb for verb, has in zip(verbs, row[1:], strict=True) if has) for row in rows}

    def test_every_link_between_ranged_tables_carries_the_division(self, owner: Owner):
        with owner() as session:
            rows = session.execute(
                sa.text(
                    "select conrelid::regclass::text as source, confrelid::regclass::text as target,"
                    " array(select attname::text from pg_attribute a where a.attrelid = conrelid"
                    " and a.attnum = any (conkey)) as columns from pg_constraint where contype = 'f'"
                )
            ).all()
        links = [row for row in rows if row.source in RANGED and row.target in RANGED]
        loose = [
            (row.source, row.target)
            for row in links
            if len(row.columns) < 2 or not {"division_code", "county_code"} & set(row.columns)
        ]
        assert len(links) > 20
        assert set(loose) == REGION_WIDE_KEYS

    def test_every_definer_function_has_a_fixed_search_path(self, owner: Owner):
        with owner() as session:
            rows = session.execute(
                sa.text(
                    "select p.oid::regprocedure::text, p.proconfig from pg_proc p join pg_namespace n"
                    " on n.oid = p.pronamespace where n.nspname = 'public' and p.prosecdef"
                )
            ).all()
        assert len(rows) > 5
        assert {name for name, config in rows if config != ["search_path=pg_catalog, public, pg_temp"]} == set()

    def test_no_view_and_no_partition_opens_a_way_round(self, owner: Owner):
        with owner() as session:
            odd = session.execute(
                sa.text(
                    "select relname from pg_class c join pg_namespace n on n.oid = c.relnamespace"
                    " where n.nspname = 'public' and (relkind in ('v', 'm', 'f') or relispartition)"
                )
            ).all()
        assert odd == []


class TestRange:
    def test_another_county_sees_no_row_of_any_table(self, filled: World, as_: As):
        with as_(filled.finance.clerk) as session:
            assert {name for name, count in seen(session, RANGED).items() if count == 0} == set()
        other = filled.other_county
        for stranger in (other.finance.clerk, other.township.clerk, filled.other_league_finance.clerk):
            with as_(stranger) as session:
                assert {name for name, count in seen(session, RANGED).items() if count} == set()

    def test_the_levels_above_see_the_county(self, filled: World, as_: As):
        for by in (filled.league, filled.region):
            with as_(by) as session:
                assert {name for name, count in seen(session, RANGED).items() if count == 0} == set()

    def test_a_township_does_not_see_what_belongs_to_its_county(self, filled: World, as_: As):
        with as_(filled.township.clerk) as session:
            assert {name for name, count in seen(session, RANGED).items() if count} == set()

    def test_an_unset_scope_sees_nothing(self, filled: World, as_: As):
        with as_(None) as session:
            assert {name for name, count in seen(session, sorted(SCOPED)).items() if count} == set()

    def test_another_county_can_neither_change_nor_delete(self, filled: World, as_: As):
        changeable = sorted(set(RANGED) - WITHOUT_DELETE)
        with as_(filled.other_county.finance.clerk) as session:
            for name in changeable:
                changed = session.execute(sa.text(f"update {name} set division_code = division_code"))
                deleted = session.execute(sa.text(f"delete from {name}"))
                assert (name, changed.rowcount, deleted.rowcount) == (name, 0, 0)  # type: ignore[attr-defined]

    def test_another_county_cannot_write_into_the_county(self, county: World, as_: As):
        stranger = county.other_county.finance.clerk
        for name in sorted(set(RANGED) - WITHOUT_INSERT):
            row = sample(Table.metadata.tables[name], county.code)
            names, values = ", ".join(row), ", ".join(f":{key}" for key in row)
            with pytest.raises(ProgrammingError, match="row-level security"), as_(stranger) as session:
                session.execute(sa.text(f"insert into {name} ({names}) values ({values})"), row)

    def test_copy_into_a_table_with_row_policies_is_refused(self, county: World, database: str):
        with (
            psycopg.connect(settings().app_database_url.replace("+psycopg", "")) as connection,
            pytest.raises(psycopg.errors.FeatureNotSupported),
            connection.cursor().copy("copy rosters (id) from stdin") as copy,
        ):
            copy.write_row((1,))


class TestDownward:
    @pytest.mark.parametrize("name", DOWNWARD)
    def test_read_by_everyone_beneath_written_only_by_the_owner(self, county: World, owner: Owner, as_: As, name: str):
        row = sample(Table.metadata.tables[name], county.code)
        names, values = ", ".join(row), ", ".join(f":{key}" for key in row)
        with owner() as session:
            session.execute(sa.text("set local session_replication_role = replica"))
            session.execute(sa.text(f"insert into {name} ({names}) values ({values})"), row)
        asked = sa.text(f"select count(*) from {name} where division_code = :code")

        def count(by: ActingOfficer) -> int:
            with as_(by) as session:
                return session.execute(asked, {"code": county.code}).scalar_one()

        assert count(county.township.clerk) > 0
        assert count(county.finance.clerk) > 0
        assert count(county.other_county.finance.clerk) == 0
        with as_(county.township.clerk) as session:
            changed = session.execute(
                sa.text(f"update {name} set division_code = division_code where division_code = :code"),
                {"code": county.code},
            )
            assert changed.rowcount == 0  # type: ignore[attr-defined]

    def test_a_league_finance_bureau_does_not_see_its_region_direct_city(self, county: World, owner: Owner, as_: As):
        city = "152501000000"
        row = sample(Table.metadata.tables["bank_batches"], city)
        names, values = ", ".join(row), ", ".join(f":{key}" for key in row)
        with owner() as session:
            session.execute(sa.text("set local session_replication_role = replica"))
            session.execute(sa.text(f"insert into bank_batches ({names}) values ({values})"), row)
        counts = []
        for by in (county.other_league_finance.clerk, county.region):
            with as_(by) as session:
                counts.append(session.execute(sa.text("select count(*) from bank_batches")).scalar_one())
        assert counts == [0, 1]
