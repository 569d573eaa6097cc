"""Take each of the eight mechanisms away in a copy of the source or of the schema: its named test must then fail.

The copy runs with the same interpreter, on this run's server. A test counts as failing only by its own assertion,
never by an error in the set-up; and all eight pass in the unmutated copy.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.conftest import REFERENCE, address, databases, owner_session, statement

ROOT = Path(__file__).parent.parent
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".yikatong", ".*_cache", ".hypothesis", "screenshots")
EIGHT = "tests/test_the_eight.py"


MUTANT = "mutant"
"""Databases of the runs in here begin so."""


@dataclass(frozen=True)
class Source:
    """A mechanism in a file: what is taken out of it, and the test that must notice. `loaded`: the file is data."""

    name: str
    file: str
    old: str
    new: str
    test: str
    loaded: bool = False


@dataclass(frozen=True)
class Schema:
    """A mechanism in the database: a query for the statements that take it away there, and the test that must notice.

    What the migrations made is changed, not their text: a later migration can't put the mechanism back unnoticed.
    """

    name: str
    statements: str
    test: str


SOURCES = (
    Source(
        "Casbin rule",
        "policies/seed.csv",
        "p, head, township, township, roster, endorse, allow\n",
        "",
        "test_the_head_of_a_township_may_endorse_its_rosters",
        loaded=True,
    ),
    Source(
        "step",
        "policies/lifecycles/rosters.py",
        'Step("withdraw", S.REPORTED',
        'Step("withdraw", S.CLOSED',
        "test_a_township_withdraws_a_roster_until_the_department_has_acted",
    ),
    Source(
        "guarded WHERE",
        "policies/moves.py",
        "sa.update(model).where(guard)",
        'sa.update(model).where(columns["id"] == record.id)',
        "test_of_two_officers_who_act_on_what_they_read_the_second_is_refused",
    ),
    Source(
        "token check",
        "admin/middleware.py",
        "if not genuine(request, form, expected):",
        "if form is None:",
        "test_a_state_change_without_the_sessions_token_is_refused",
    ),
)
FROM_THE_RANGES_BEGINNING = "(division_code >= ( SELECT (ticket())[1] AS ticket)) AND "
SCHEMAS = (
    Schema(
        "row policy",
        f"""
        select format('alter policy %I on %I', policyname, tablename)
            || coalesce(' using (' || replace(qual, '{FROM_THE_RANGES_BEGINNING}', '') || ')', '')
            || coalesce(' with check (' || replace(with_check, '{FROM_THE_RANGES_BEGINNING}', '') || ')', '')
        from pg_policies where strpos(coalesce(qual, '') || coalesce(with_check, ''), '{FROM_THE_RANGES_BEGINNING}') > 0
        """,
        "test_an_officer_of_another_county_sees_no_roster",
    ),
    Schema(
        "same-person constraint",
        "select format('alter table desk_holders drop constraint %I', conname) from pg_constraint"
        " where conname = 'pk_desk_holders'",
        "test_one_person_cannot_be_seated_at_two_desks_of_one_record",
    ),
    Schema(
        "outbox key",
        "select format('alter table outbox drop constraint %I', conname) from pg_constraint"
        " where conname = 'uq_outbox_business_key'",
        "test_one_question_is_put_to_the_outside_once_for_ever",
    ),
    Schema(
        "zero-sum of the journal",
        "select replace(pg_get_functiondef(oid), 'having sum(amount_fen) <> 0', 'having false') from pg_proc"
        " where strpos(prosrc, 'having sum(amount_fen) <> 0') > 0",
        "test_a_booking_that_does_not_sum_to_zero_is_refused",
    ),
)


@pytest.fixture
def mutant(server: str, database_url: str) -> Iterator[str]:
    """The name of a copy of the migrated template, for a run of its own; nothing of it is left."""
    statement(server, f"create database {MUTANT}_reference template {REFERENCE}")
    yield MUTANT
    for name in databases(server, MUTANT):
        statement(server, f"drop database {name} with (force)")


def copied(folder: Path) -> Path:
    copy = folder / "copy"
    shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
    return copy


def run_eight(source: Path, lent: dict[str, str], test: str = "") -> subprocess.CompletedProcess[str]:
    """Run the named tests in this source; its packages come first on the path, not the installed ones."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0", EIGHT]
    return subprocess.run(
        [*command, *(["-k", test] if test else [])],
        cwd=source,
        env={k: v for k, v in os.environ.items() if not k.startswith(("YIKATONG", "PYTEST"))}
        | {"PYTHONPATH": str(source)}
        | lent,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture
def lent(server: str, keys: Path, mutant: str) -> dict[str, str]:
    """What a run inside this one borrows."""
    return {"TEST_SERVER": server, "TEST_KEYS": str(keys), "TEST_TEMPLATE": mutant}


def test_all_eight_hold_in_the_copy_as_it_is(tmp_path: Path, lent: dict[str, str]):
    done = run_eight(copied(tmp_path), lent)
    assert done.returncode == 0, done.stdout[-3000:]
    assert re.search(r"\b8 passed", done.stdout)


def noticed(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 1, done.stdout[-3000:]
    assert re.search(r"\b1 failed", done.stdout)
    assert re.search(r"AssertionError|DID NOT RAISE|^E +assert ", done.stdout, re.MULTILINE), done.stdout[-3000:]


@pytest.mark.parametrize("mutation", SOURCES, ids=lambda mutation: mutation.name)
def test_taking_it_out_of_the_source_is_noticed(mutation: Source, tmp_path: Path, server: str, lent: dict[str, str]):
    copy = copied(tmp_path)
    file = copy / mutation.file
    text = file.read_text()
    assert text.count(mutation.old) >= 1, "the mechanism has moved: point the mutation at it again"
    file.write_text(text.replace(mutation.old, mutation.new))
    if mutation.loaded:  # the run then migrates and loads for itself
        statement(server, f"drop database {MUTANT}_reference")
    noticed(run_eight(copy, lent, mutation.test))


@pytest.mark.parametrize("mutation", SCHEMAS, ids=lambda mutation: mutation.name)
def test_taking_it_out_of_the_schema_is_noticed(mutation: Schema, server: str, lent: dict[str, str]):
    with owner_session(address(server, f"{MUTANT}_reference")) as session:
        statements = session.scalars(sa.text(mutation.statements)).all()
        assert statements, "the mechanism has moved: point the mutation at it again"
        session.connection().exec_driver_sql(";\n".join(statements))
    noticed(run_eight(ROOT, lent, mutation.test))
