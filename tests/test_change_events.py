"""Every change of a business row, by any path, leaves who, when, from where, old and new. （第二十三、三十条）"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from sqlmodel import Session

from models.events import Change
from models.rosters import Roster, RosterLine
from models.trail import TOLD_BY_EVENTS, UNWATCHED
from tests.conftest import As, Owner
from tests.factories import World, a_line, a_roster, lines_of
from tests.test_catalogue import tables
from workflows.audit import sleeping_guards

NEW = "select coalesce(max(id), 0) from changes"


@pytest.fixture
def roster(county: World, owner: Owner) -> Roster:
    """A roster of three lines."""
    with owner() as session:
        return a_roster(session, county, lines=[a_line(), a_line(), a_line()])


@contextmanager
def watching(owner: Owner) -> Iterator[list[Change]]:
    """Collect the changes that the block leaves."""
    with owner() as session:
        before = session.execute(sa.text(NEW)).scalar_one()
    found: list[Change] = []
    yield found
    with owner() as session:
        found += session.execute(sa.select(Change).where(Change.id > before).order_by(Change.id)).scalars()


def copied(session: Session, table: str, where: str, **values: str) -> sa.TextClause:
    columns = [row[0] for row in session.execute(
        sa.text("select attname from pg_attribute where attrelid = cast(:t as regclass) and attnum > 0"
                " and not attisdropped and attname <> 'id'"), {"t": table})]  # fmt: skip
    selected = ", ".join(values.get(name, name) for name in columns)
    return sa.text(f"insert into {table} ({', '.join(columns)}) select {selected} from {where}")


class TestEveryTable:
    def test_each_table_is_watched_or_named_with_its_reason(self, owner: Owner, database: str):
        with owner() as session:
            watched = set(session.execute(sa.text(
                "select c.relname from pg_trigger t join pg_class c on c.oid = t.tgrelid"
                " where t.tgname = 'trail_update' and t.tgenabled = 'O'")).scalars())  # fmt: skip
            assert watched | UNWATCHED.keys() == {*tables(), "alembic_version"}
            assert watched & UNWATCHED.keys() == set()
            assert set(TOLD_BY_EVENTS) <= watched
            assert sleeping_guards(session) == []
        assert all(len(reason) > 5 for reason in UNWATCHED.values())

    def test_no_column_is_left_out_of_the_digest(self, owner: Owner, database: str):
        with owner() as session:
            rows = session.execute(sa.text(
                "select c.relname, a.attname from pg_trigger t join pg_class c on c.oid = t.tgrelid"
                " join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped"
                " join pg_proc p on p.oid = t.tgfoid where t.tgname = 'trail_update'"
                " and p.prosrc not like '%n.' || quote_ident(a.attname) || '%'")).all()  # fmt: skip
        assert rows == [], "after adding a column: select watch_changes('table')"

    def test_what_screens_mask_is_never_plain_in_the_trail(self, owner: Owner, database: str):
        with owner() as session:
            for name, table in sa.inspect(RosterLine).local_table.metadata.tables.items():
                if name in UNWATCHED:
                    continue
                body = session.execute(
                    sa.text("select prosrc from pg_proc where proname = :name"), {"name": f"trail_of_{name}"}
                ).scalar_one()
                masked = [c.name for c in table.columns if c.info.get("mask") and c.info["mask"] != "account"]
                assert [c for c in masked if f"trail_name(n.{c})" not in body and f"(n.{c}::text" not in body] == []


class TestByAnyPath:
    def test_an_update_keeps_old_and_new_of_the_changed_columns(
        self, roster: Roster, county: World, owner: Owner, as_: As
    ):
        by = replace(county.township.clerk, address="10.8.0.3")
        with watching(owner) as found, as_(by) as session:
            session.execute(sa.text("update rosters set version = version + 1 where id = :id"), {"id": roster.id})
        (change,) = found
        assert (change.table_name, change.operation, change.record_id) == ("rosters", "update", roster.id)
        assert change.rows == [{"key": str(roster.id), "old": {"version": roster.version},
                                "new": {"version": roster.version + 1}}]  # fmt: skip
        assert (change.officer_id, change.person, change.post_id, change.address) == (
            by.officer_id, by.person, by.post_id, "10.8.0.3",
        )  # fmt: skip
        assert (change.county_code, change.division_code) == (county.code, roster.division_code)

    def test_an_insert_and_a_delete_keep_the_whole_row_without_personal_data(
        self, roster: Roster, owner: Owner, county: World
    ):
        with owner() as session:
            (line, *_) = lines_of(session, roster)
            made = copied(session, "roster_lines", f"roster_lines where id = {line.id}", sequence="99")
        with watching(owner) as found, owner() as session:
            session.execute(made)
            session.execute(sa.text("delete from roster_lines where sequence = 99"))
        inserted, deleted = found
        assert (inserted.operation, deleted.operation) == ("insert", "delete")
        assert (inserted.after["amount_fen"], deleted.before["amount_fen"]) == (line.amount_fen, line.amount_fen)
        said = json.dumps([inserted.rows, deleted.rows], ensure_ascii=False)
        assert inserted.rows[0]["new"]["name"] == line.name[0] + "*" * (len(line.name) - 1)
        assert inserted.rows[0]["new"]["id_number"].startswith("#")
        assert [
            word for word in (line.name, line.id_number, line.account_number, "\\\\x") if word and word in said
        ] == []

    def test_the_owner_is_told_by_database_user_program_and_address(self, roster: Roster, owner: Owner, database: str):
        with watching(owner) as found, psycopg.connect(
            database.replace("+psycopg", ""), application_name="psql"
        ) as console:  # fmt: skip
            console.execute("update rosters set version = version + 1")
        (change,) = found
        assert (change.officer_id, change.application, change.address) == (0, "psql", "local")
        assert change.database_user

    def test_many_rows_are_a_count_sums_and_one_digest(self, roster: Roster, owner: Owner):
        with owner() as session:
            made = copied(session, "roster_lines", "roster_lines, generate_series(1, 40) g where sequence = 1",
                          sequence="1000 + g", entitlement_key="entitlement_key || g")  # fmt: skip
        with watching(owner) as found, owner() as session:
            session.execute(made)
            session.execute(sa.text("update roster_lines set amount_fen = amount_fen + 1 where sequence > 1000"))
            session.execute(sa.text("delete from roster_lines where sequence > 1000"))
        assert [(c.operation, c.row_count, c.rows) for c in found] == [
            ("insert", 40, None), ("update", 40, None), ("delete", 40, None),
        ]  # fmt: skip
        assert found[1].after["amount_fen"] - found[1].before["amount_fen"] == 40
        assert {len(c.digest or b"") for c in found} == {32}

    def test_copy_truncate_and_cascade(self, roster: Roster, owner: Owner, database: str):
        with watching(owner) as found, psycopg.connect(database.replace("+psycopg", "")) as console:
            with console.cursor().copy(
                "copy calendar_days (day, working, source, version, provisional) from stdin"
            ) as c:
                c.write_row(("2039-01-01", True, "试", 1, False))
            console.execute("create table parents (id bigint primary key, division_code text)")
            console.execute("create table children (id bigint primary key, division_code text,"
                            " parent bigint references parents on delete cascade)")  # fmt: skip
            console.execute("select watch_changes('parents'), watch_changes('children')")
            console.execute("insert into parents values (1, '150430102000'), (2, '152522100000')")
            console.execute("insert into children values (1, '150430102000', 1), (2, '152522100000', 2)")
            console.execute("delete from parents where id = 1")
            console.execute("truncate parents cascade")
        told = [(c.table_name, c.operation, c.county_code[:6], c.row_count) for c in found]
        assert told[0] == ("calendar_days", "insert", "150000", 1)
        assert sorted(told[1:5]) == [
            ("children", "insert", "150430", 1), ("children", "insert", "152522", 1),
            ("parents", "insert", "150430", 1), ("parents", "insert", "152522", 1),
        ]  # fmt: skip
        assert sorted(told[5:]) == [
            ("children", "delete", "150430", 1), ("children", "truncate", "152522", 1),
            ("parents", "delete", "150430", 1), ("parents", "truncate", "152522", 1),
        ]  # fmt: skip

    def test_a_row_that_moves_to_another_county_is_told_in_both(self, roster: Roster, county: World, owner: Owner):
        with owner() as session:
            household = session.execute(sa.text("select min(id) from objections")).scalar_one()
            assert household is None
            session.execute(
                sa.text("create table movers (id bigint primary key, division_code text, amount_fen bigint)")
            )
            session.execute(sa.text("select watch_changes('movers')"))
            session.execute(sa.text("insert into movers values (1, '150430102000', 500)"))
        with watching(owner) as found, owner() as session:
            session.execute(sa.text("update movers set division_code = '152522100000'"))
        sums: list[Any] = [(c.county_code[:6], c.before["amount_fen"], c.after["amount_fen"]) for c in found]
        assert sorted(sums) == [("150430", 500, 0), ("152522", 0, 500)]

    def test_what_only_counts_progress_is_no_change_of_business(self, county: World, owner: Owner):
        with watching(owner) as found, owner() as session:
            session.execute(
                sa.text("update officer_secrets set failed_logins = failed_logins + 1 where officer_id = 1")
            )
        assert found == []

    def test_a_forged_ticket_is_refused_at_commit(self, roster: Roster, county: World, as_: As):
        refused = pytest.raises(sa.exc.ProgrammingError, match="不符")
        with refused, as_(county.township.clerk) as session:
            session.execute(sa.text("update rosters set version = version + 1 where id = :id"), {"id": roster.id})
            ticket = session.execute(sa.text("select current_setting('app.ticket')")).scalar_one()
            forged = ticket.replace(f"|{county.township.clerk.officer_id}|", "|1|")
            session.execute(sa.text("select set_config('app.ticket', :t, true)"), {"t": forged})
            session.execute(sa.text("set constraints all immediate"))
