"""The catalogue of row policies: what models declare is what PostgreSQL has, for every table. （第三十条）"""

import re

import sqlalchemy as sa
from sqlmodel import Session

from models.base import RowScope
from models.settings import APP_ROLE
from tests.conftest import Owner
from tests.rows import DOWNWARD, NEVER_CHANGED, NEVER_INSERTED, RANGED, SCOPED, of, table, tables
from workflows.row_scope import FLOWING, OWN, SECTOR_OF_ITSELF, SECTORED, declared, expected_policies, flows

REGION_WIDE_KEYS = {("events", "desk_holders")}
"""Links whose key needs no division: a noun and its number are unique over the whole region."""

BOUNDS = "(division_code >= ( SELECT (ticket())[1] AS ticket)) AND (division_code < ( SELECT (claims())[2] AS claims))"
HOLE = '("left"(division_code, 6) <> ( SELECT (claims())[3] AS claims))'
BANK_BOUNDS = re.compile(
    r"\(division_code >= \( SELECT COALESCE\(NULLIF\(\(ticket\(\)\)\[1\], ''::text\), \(bank_reach\(\)\)\[1\]\)"
    r" AS [a-z\"]+\)\)"
    r" AND \(division_code < \( SELECT COALESCE\(NULLIF\(\(claims\(\)\)\[2\], ''::text\), \(bank_reach\(\)\)\[2\]\)"
    r" AS [a-z\"]+\)\)"
    r" AND \(\"left\"\(division_code, 6\) <> \( SELECT \(claims\(\)\)\[3\] AS claims\)\)"
    r" AND \(\(\( SELECT \(claims\(\)\)\[5\] AS claims\) = ''::text\) OR "
)
"""One half-open range and the hole; then, for a bank's post alone, what of it is its own."""


FIRST_OWN_OID = 16384
"""PostgreSQL's own objects have lower numbers."""


class TestPolicies:
    def test_every_table_has_the_policies_it_declares(self, owner: Owner):
        with owner() as session:
            rows = session.execute(
                sa.text(
                    "select c.relname, c.relrowsecurity, array(select array[p.policyname, p.permissive]"
                    " from pg_policies p where p.tablename = c.relname and p.roles = array[cast(:role as name)])"
                    " as policies from pg_class c where c.relnamespace = 'public'::regnamespace"
                    " and c.relkind in ('r', 'p') and not c.relispartition"
                    " and c.relname not like 'procrastinate%' and c.relname <> 'alembic_version'"
                ),
                {"role": APP_ROLE},
            ).all()
            everybody = session.execute(
                sa.text("select count(*) from pg_policies where roles <> array[cast(:role as name)]"),
                {"role": APP_ROLE},
            ).scalar_one()
        assert {row.relname: (row.relrowsecurity, {tuple(one) for one in row.policies}) for row in rows} == {
            name: (name in SCOPED, expected_policies(model)) for name, model in declared().items()
        }
        assert everybody == 0

    def test_every_range_is_half_open_and_read_from_the_ticket(self, session: Session):
        rows = session.execute(
            sa.text(
                "select tablename, cmd, said from pg_policies, lateral (values (qual), (with_check)) w (said)"
                " where schemaname = 'public' and policyname like 'scope\\_%' and said is not null"
            )
        ).all()
        reads = {row.said for row in rows if row.tablename in DOWNWARD and row.cmd == "SELECT"}
        others = {row.said for row in rows if not (row.tablename in DOWNWARD and row.cmd == "SELECT")}
        plain = f"({BOUNDS} AND {HOLE})"
        banked = {said for said in others if "bank_reach" in said}
        assert others - banked == {plain}
        assert {said for said in banked if not BANK_BOUNDS.match(said[1:])} == set()
        assert len(reads) == 1
        assert plain in next(iter(reads))
        assert not any(word in said for said in others | reads for word in ("~~", "'*'", "bpchar"))

    def test_sectors_narrow_and_never_widen(self, session: Session):
        rows = session.execute(
            sa.text("select tablename, permissive, qual, with_check from pg_policies where policyname = 'sector_scope'")
        ).all()
        assert {row.tablename for row in rows} == SECTORED
        assert {row.permissive for row in rows} == {"RESTRICTIVE"}
        assert all("(claims())[4]" in row.qual and row.with_check is None for row in rows)
        with_sector = {name for name in tables() if "sector" in table(name).columns}
        assert with_sector - SECTORED == SECTOR_OF_ITSELF
        assert with_sector - SECTOR_OF_ITSELF <= SECTORED

    def test_what_is_ones_own_asks_the_ticket_who_one_is(self, session: Session):
        rows = session.execute(
            sa.text("select tablename, qual, with_check from pg_policies where policyname like 'own\\_%'")
        ).all()
        assert {row.tablename for row in rows} == set(OWN)
        assert all("ticket()" in f"{row.qual} {row.with_check}" for row in rows)


class TestRights:
    def test_the_applications_role_neither_owns_nor_bypasses(self, session: Session):
        strong = sa.text(
            "select rolsuper or rolbypassrls or rolcreatedb or rolcreaterole"
            " or exists (select from pg_auth_members where member = r.oid)"
            " or exists (select from pg_class where relowner = r.oid)"
            " or exists (select from pg_proc where proowner = r.oid)"
            " or has_schema_privilege(r.oid, 'public', 'create') from pg_roles r where rolname = :role"
        )
        assert session.execute(strong, {"role": APP_ROLE}).scalar_one() is False

    def test_reference_tables_are_read_only_and_closed_ones_shut(self, owner: Owner):
        expected: dict[str, tuple[str, ...]] = {name: ("SELECT",) for name in of(RowScope.REFERENCE)}
        expected |= {name: () for name in of(RowScope.CLOSED)} | {"alembic_version": ()}
        assert {"ticket_keys", "officer_secrets"} <= set(of(RowScope.CLOSED))
        assert self.rights(owner, list(expected)) == expected

    def test_what_is_written_once_cannot_be_changed_by_the_application(self, owner: Owner):
        rights = self.rights(owner, SCOPED)
        assert {name for name in SCOPED if not {"UPDATE", "DELETE"} & set(rights[name])} == NEVER_CHANGED
        assert {name for name in SCOPED if "INSERT" not in rights[name]} == NEVER_INSERTED

    @staticmethod
    def rights(owner: Owner, names: list[str]) -> dict[str, tuple[str, ...]]:
        verbs = ("SELECT", "INSERT", "UPDATE", "DELETE")
        asked = ", ".join(f"has_table_privilege('{APP_ROLE}', t, '{verb}')" for verb in verbs)
        with owner() as session:
            rows = session.execute(
                sa.text(f"select t, {asked} from unnest(cast(:names as text[])) t"), {"names": names}
            ).all()
        return {row[0]: tuple(verb for verb, has in zip(verbs, row[1:], strict=True) if has) for row in rows}


class TestLinks:
    """Foreign keys bypass row policies: each is of one of three kinds, and a fourth fails here (DESIGN D2)."""

    def test_every_link_is_of_a_known_kind(self, session: Session):
        rows = session.execute(
            sa.text(
                "select conrelid::regclass::text as source, confrelid::regclass::text as target,"
                " array(select attname::text from pg_attribute a where a.attrelid = conrelid"
                " and a.attnum = any (conkey)) as columns, exists (select from pg_policies p"
                " where p.tablename = conrelid::regclass::text and p.permissive = 'RESTRICTIVE'"
                " and p.policyname = 'flow_' || (select attname from pg_attribute a where a.attrelid = conrelid"
                " and a.attnum = conkey[1])) as proven from pg_constraint where contype = 'f' and conparentid = 0"
                " and connamespace = 'public'::regnamespace and conrelid::regclass::text not like 'procrastinate%'"
            )
        ).all()
        found = {(row.source, row.target, tuple(row.columns)): self.kind(row) for row in rows}
        assert {link for link, kind in found.items() if kind == "unknown"} == set()
        assert {"division", "county", "flow"} <= set(found.values())

    @staticmethod
    def kind(row: sa.Row[tuple[str, str, list[str], bool]]) -> str:
        scope = tables()
        if scope[row.source] == RowScope.CLOSED or scope[row.target] == RowScope.REFERENCE:
            return "unseen"
        if (row.source, row.target) in REGION_WIDE_KEYS:
            return "region-wide"
        for name, kind in (("division_code", "division"), ("county_code", "county")):
            if name in row.columns and len(row.columns) > 1:
                return kind
        return "flow" if len(row.columns) == 1 and row.target in FLOWING and row.proven else "unknown"

    def test_a_flow_is_proven_wherever_an_id_flows(self, session: Session):
        rows = session.execute(
            sa.text("select tablename, policyname, with_check from pg_policies where policyname like 'flow\\_%'")
        ).all()
        assert {(row.tablename, row.policyname) for row in rows} == {
            (name, f"flow_{column}") for name in SCOPED for column in flows(table(name))
        }
        assert all("flows_to(" in row.with_check for row in rows)


WAYS = {
    "who acts, from the ticket": "acting_role bank_reach business_day claims flows_to officer_in_post post_in_force"
    " post_permits posts_of seat_and_tell ticket",
    "logging in, and one's own session": "account_state account_unlock address_locked address_unlock code_used"
    " credentials_issue factor_confirm former_passwords_of live_session login_failed login_officer login_succeeded"
    " openid_link_in_scope openid_link_mine openid_mine openid_officer openid_unlink password_change"
    " password_upgrade recovery_renew second_factor_forget session_confirm session_end session_end_all"
    " session_end_in_scope session_end_mine session_find session_officer session_open session_prove session_sweep"
    " session_switch sessions_mine",
    "across divisions: the verdict, masked evidence, never the row": "account_keepers colleagues duty_collisions"
    " entitlements_paid has_accounts"
    " entitlements_rostered exclusions_met keepers_of own_indexes own_interest person_of",
    "the bank desk": "bank_questions",
    "searching inside the caller's range, ids only": "search_people",
    "the window: whose number it is, how many payments are elsewhere": "enquiry_persons payments_elsewhere",
    "persons kept elsewhere: for those who hold the record's desks": "keeper_changed transfer_ask transfer_bind"
    " transfer_complete transfer_tell virtual_bind virtual_failed virtual_refresh virtual_take",
    "changes of the registry: one's own, what hangs on them, two records merged": "merge_records own_changes"
    " payments_under_way",
    "other departments' data, signed and applied by the system; their keys": "exchange_admit exchange_apply"
    " exchange_keep exchange_receive exchange_secret",
    "what is agreed with a department's own system beside its key": "application_agree",
    "what other counties pay from like budget projects: the subsidy's id and how many": "link_suggestions",
    "the policy": "policy_enable policy_text",
    "limits of a place: one number or day, no row; the region's task to file; the calendar": "apply_calendar due_day"
    " local_value tell_local_rule",
    "counters and the clock": "advance_clock reveals_made stop_rotation",
    "the library of projects, public to all who work": "policy_file project_names",
}
"""The named ways across a policy: whoever adds one says here what it is for."""


class TestWaysRound:
    def test_every_definer_function_has_a_fixed_search_path(self, session: Session):
        rows = session.execute(
            sa.text(
                "select p.oid::regprocedure::text, p.proconfig from pg_proc p"
                " where p.pronamespace = 'public'::regnamespace and p.prosecdef"
            )
        ).all()
        assert len(rows) > 40
        assert {name for name, config in rows if config != ["search_path=pg_catalog, public, pg_temp"]} == set()

    def test_no_function_of_ours_stands_where_no_dump_finds_it(self, session: Session):
        ours = sa.text("select proname from pg_proc where pronamespace = 'pg_catalog'::regnamespace and oid >= :first")
        assert list(session.scalars(ours, {"first": FIRST_OWN_OID})) == []

    def test_the_ways_across_a_policy_are_these(self, session: Session):
        found = session.execute(
            sa.text(
                "select distinct p.proname from pg_proc p where p.pronamespace = 'public'::regnamespace and p.prosecdef"
                " and p.prorettype <> 'trigger'::regtype and has_function_privilege(:role, p.oid, 'execute')"
            ),
            {"role": APP_ROLE},
        )
        assert set(found.scalars()) == {name for names in WAYS.values() for name in names.split()}

    def test_no_view_and_no_partition_opens_a_way_round(self, session: Session):
        odd = session.execute(
            sa.text(
                "select relname from pg_class c where c.relnamespace = 'public'::regnamespace"
                " and (relkind in ('m', 'f') or relkind = 'v'"
                " and not coalesce(reloptions, '{}') && array['security_invoker=true']"
                " or relispartition and relkind in ('r', 'p') and (has_table_privilege(:role, c.oid, 'select')"
                " or has_table_privilege(:role, c.oid, 'insert, update, delete, truncate')))"
            ),
            {"role": APP_ROLE},
        )
        assert odd.scalars().all() == []


def test_no_ranged_table_is_left_out_of_the_proofs():
    assert len(RANGED) > 30
    assert set(RANGED) | set(DOWNWARD) == set(SCOPED)
