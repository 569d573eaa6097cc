"""Any history of changes and stops leaves every roster the version it was made under. （第七条、第九条）"""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlmodel import Session

from models.project_changes import ProjectChange, ProjectChangeKind
from models.projects import ProjectStatus, SubsidyProject
from policies.clock import today
from policies.definitions import (
    Definition,
    Document,
    Exclusion,
    PayeeMode,
    Payout,
    Publicness,
    Rounding,
    StandardRow,
    digest_of,
)
from tests.factories import REGION, World, a_roster
from tests.library import REGION_WAY, a_definition, amended, filled, project_of, take
from workflows import project_changes as changes
from workflows.project_sheets import read, sheet_of
from workflows.project_versions import is_stopped, version_of


class Library(RuleBasedStateMachine):
    """One project of the library, its changes under way, and the rosters made of it."""

    session: Session
    world: World

    def __init__(self) -> None:
        super().__init__()
        self.savepoint = self.session.begin_nested()
        self.history: list[str] = []
        self.rosters: dict[int, int] = {}
        self.open: list[tuple[ProjectChange, int, str]] = []
        change = filled(self.session, self.world.region_department.clerk, a_definition())
        self.finish(change)
        self.history.append("数量 * 补贴标准")
        self.stopped = False

    def teardown(self) -> None:
        self.savepoint.rollback()
        self.session.expunge_all()

    @property
    def project(self) -> SubsidyProject:
        return project_of(self.session)

    def finish(self, change: ProjectChange) -> None:
        for verb, name in REGION_WAY:
            take(self.session, self.world, change, verb, name)

    def draft(self, kind: ProjectChangeKind, formula: str, day: date | None = None) -> ProjectChange:
        by = self.world.region_department.clerk
        return amended(self.session, by, self.project, kind, day=day, formula=formula)

    @rule(number=some.integers(2, 99))
    @precondition(lambda self: not self.stopped and len(self.open) < 3)
    def begin(self, number: int) -> None:
        formula = f"数量 * 补贴标准 * {number}"
        self.open.append((self.draft(ProjectChangeKind.AMEND, formula), len(self.history), formula))

    @rule(pick=some.integers(0, 9))
    @precondition(lambda self: self.open)
    def settle(self, pick: int) -> None:
        change, base, formula = self.open.pop(pick % len(self.open))
        if self.stopped or base != len(self.history):
            try:
                self.finish(change)
            except changes.Overtaken:
                return
            raise AssertionError("a change that was overtaken became effective")
        self.finish(change)
        self.history.append(formula)

    @rule(days=some.integers(-5, 5))
    @precondition(lambda self: not self.stopped)
    def stop(self, days: int) -> None:
        self.finish(self.draft(ProjectChangeKind.STOP, self.history[-1], today(self.session) + timedelta(days=days)))
        self.stopped = True

    @rule(number=some.integers(2, 99))
    @precondition(lambda self: self.stopped)
    def admit_again(self, number: int) -> None:
        formula = f"数量 * 补贴标准 + {number}"
        self.finish(self.draft(ProjectChangeKind.ADMIT, formula))
        self.history.append(formula)
        self.stopped = False

    @rule()
    @precondition(lambda self: len(self.rosters) < 6)
    def roster(self) -> None:
        if not is_stopped(self.session, self.project):
            made = a_roster(self.session, self.world, project=self.project)
            self.rosters[made.id or 0] = len(self.history)

    @invariant()
    def every_roster_keeps_its_version(self) -> None:
        rows = self.session.execute(sa.text("select id, project_version from rosters")).tuples().all()
        assert dict(rows) == self.rosters
        number = self.project.id or 0
        for version in set(self.rosters.values()) | {len(self.history)}:
            assert version_of(self.session, number, version).formula == self.history[version - 1]
        assert self.project.project_version == len(self.history)
        assert (self.project.status == ProjectStatus.STOPPED) == self.stopped


def test_every_history_leaves_rosters_their_version(session: Session, county: World):
    Library.session, Library.world = session, county
    run_state_machine_as_test(
        Library,
        settings=settings(
            max_examples=5, stateful_step_count=7, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


WORDS = some.text(some.sampled_from("补贴农牧户亩AB1"), min_size=2, max_size=8)
FIELDS = some.dictionaries(
    some.sampled_from(("plot", "grade", "born", "count")),
    some.sampled_from((
        {"type": "string", "title": "地块"}, {"type": "string", "title": "等级", "enum": ["一等", "二等"]},
        {"type": "string", "title": "日期栏", "format": "date"}, {"type": "boolean", "title": "是否"},
        {"type": "integer", "title": "头数", "minimum": 0, "maximum": 10},
        {"type": "number", "title": "面积", "x-unit": "亩"},
        {"type": "string", "title": "编号", "pattern": "[0-9]+", "maxLength": 9},
    )),
)  # fmt: skip


@some.composite
def definitions(draw: Any) -> Definition:
    """Return a definition as somebody might fill it in."""
    fields = draw(FIELDS)
    schema = {
        "type": "object",
        "properties": {name: spec | {"x-order": n} for n, (name, spec) in enumerate(fields.items(), 1)},
    }
    needed = [name for name in fields if draw(some.booleans())]
    row = StandardRow(
        division_code=REGION, grade=draw(some.sampled_from(("", "一档"))), valid_from="2024-01-01",
        yuan=draw(some.decimals(Decimal("0.0001"), 9999, places=4)),
    )  # fmt: skip
    return a_definition(
        name=draw(WORDS), contact=draw(WORDS), online=draw(some.booleans()), payee=draw(some.sampled_from(PayeeMode)),
        rounding=draw(some.sampled_from(Rounding)), payout=Payout(days_after=draw(some.integers(0, 366))),
        fields=(schema | ({"required": needed} if needed else {})) if fields else {}, standards=(row,),
        component=tuple(name for name in fields if draw(some.booleans())),
        public={name: draw(some.sampled_from(Publicness)) for name in (*fields, "amount")},
        exclusions=tuple(Exclusion(code=code) for code in ("A01", "B02") if draw(some.booleans())),
        documents=(Document(number=draw(WORDS), title=draw(WORDS), issuer=draw(WORDS), issued_on="2026-01-01"),),
    )  # fmt: skip


@given(definition=definitions())
@settings(max_examples=40, deadline=None)
def test_the_form_says_just_what_the_definition_says(definition: Definition):
    again, mistakes = read(sheet_of(definition))
    assert not mistakes and again is not None
    assert digest_of(again) == digest_of(definition)
