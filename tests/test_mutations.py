"""Take each of the eight mechanisms away in a copy of the source or schema: its named test must then fail.

The copy runs with the same interpreter. A test counts as failing only by its own assertion, never by an error in the
set-up; and all eight pass in the unmutated copy.
"""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".yikatong", "__pycache__", ".*_cache", ".hypothesis", "screenshots")
EIGHT = "tests/test_the_eight.py"


@dataclass(frozen=True)
class Mutation:
    """One mechanism, the file that holds it, what is taken out of it, and the test that must notice."""

    name: str
    file: str
    old: str
    new: str
    test: str


MUTATIONS = (
    Mutation(
        "row policy",
        "alembic/sql/0006_tickets.sql",
        "'division_code >= (select (ticket())[1]) and division_code < (select (claims())[2])'",
        "'division_code < (select (claims())[2])'",
        "test_an_officer_of_another_county_sees_no_roster",
    ),
    Mutation(
        "Casbin rule",
        "policies/seed.csv",
        "p, head, township, township, roster, endorse, allow\n",
        "",
        "test_the_head_of_a_township_may_endorse_its_rosters",
    ),
    Mutation(
        "step",
        "policies/lifecycles/rosters.py",
        'Step("withdraw", S.REPORTED',
        'Step("withdraw", S.CLOSED',
        "test_a_township_withdraws_a_roster_until_the_department_has_acted",
    ),
    Mutation(
        "guarded WHERE",
        "policies/moves.py",
        "sa.update(model).where(guard)",
        'sa.update(model).where(columns["id"] == record.id)',
        "test_of_two_officers_who_act_on_what_they_read_the_second_is_refused",
    ),
    Mutation(
        "token check",
        "admin/middleware.py",
        "if not genuine(request, form, expected):",
        "if form is None:",
        "test_a_state_change_without_the_sessions_token_is_refused",
    ),
    Mutation(
        "same-person constraint",
        "alembic/versions/0001_tables_1.py",
        "sa.PrimaryKeyConstraint('noun', 'record_id', 'person', name=op.f('pk_desk_holders')),",
        "",
        "test_one_person_cannot_be_seated_at_two_desks_of_one_record",
    ),
    Mutation(
        "outbox key",
        "alembic/versions/0001_tables_1.py",
        "sa.PrimaryKeyConstraint('id', name=op.f('pk_outbox')),\n"
        "    sa.UniqueConstraint('business_key', name=op.f('uq_outbox_business_key'))",
        "sa.PrimaryKeyConstraint('id', name=op.f('pk_outbox'))",
        "test_one_question_is_put_to_the_outside_once_for_ever",
    ),
    Mutation(
        "zero-sum of the journal",
        "alembic/sql/guards.sql",
        "having sum(amount_fen) <> 0",
        "having false",
        "test_a_booking_that_does_not_sum_to_zero_is_refused",
    ),
)


def copied(folder: Path) -> Path:
    copy = folder / "copy"
    shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
    return copy


def run_eight(copy: Path, test: str = "") -> subprocess.CompletedProcess[str]:
    """Run the named tests in the copy; the copy's packages come first on the path, not the installed ones."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0", EIGHT]
    return subprocess.run(
        [*command, *(["-k", test] if test else [])],
        cwd=copy,
        env={k: v for k, v in os.environ.items() if not k.startswith(("YIKATONG", "PYTEST"))}
        | {"PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_all_eight_hold_in_the_copy_as_it_is(tmp_path: Path):
    done = run_eight(copied(tmp_path))
    assert done.returncode == 0, done.stdout[-3000:]
    assert re.search(r"\b8 passed", done.stdout)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_taking_it_away_is_noticed(mutation: Mutation, tmp_path: Path):
    copy = copied(tmp_path)
    file = copy / mutation.file
    text = file.read_text()
    assert text.count(mutation.old) >= 1, "the mechanism has moved: point the mutation at it again"
    file.write_text(text.replace(mutation.old, mutation.new))
    done = run_eight(copy, mutation.test)
    assert done.returncode == 1, done.stdout[-3000:]
    assert re.search(r"\b1 failed", done.stdout)
    assert re.search(r"AssertionError|DID NOT RAISE|^E +assert ", done.stdout, re.MULTILINE), done.stdout[-3000:]
