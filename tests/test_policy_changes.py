"""A change of the policy: drafted by one, enabled by another, versioned, rolled back. （第二十三、二十四条）"""

import threading
from dataclasses import replace

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, select

from models.officers import ActingOfficer, Role
from models.policy_changes import PolicyChange, PolicyChangeStatus
from policies.enforcement import may, policy
from policies.permissions import Permission
from policies.policy_lines import seed_lines, to_csv
from policies.refusals import NotAllowed, NotFound, SamePersonTwice, StepNotPossible
from tests.conftest import As, Owner
from tests.factories import World, second_account
from workflows import policy_changes as changes
from workflows.edges import edge

STATUS = PolicyChangeStatus


def a_draft(session: Session, county: World, *, head: str = "allow") -> PolicyChange:
    """A draft that lets the township's 专职管理岗 export plain data; head="deny": the head endorses no more."""
    change = changes.draft(session, by=county.security_admin, title="调整专职管理岗权限", reason="试点")
    wanted = {("registrar", "export:plain"): "allow", ("head", "roster:endorse"): head}
    return changes.set_cells(session, change, by=county.security_admin, level="township", kind="township", cells=wanted)


def proposed(session: Session, county: World, *, head: str = "allow") -> PolicyChange:
    return changes.propose(session, a_draft(session, county, head=head), by=county.security_admin)


LENT = sa.text(
    "insert into delegations (division_code, post_id, holder_id, officer_id, title, holder, delegate, valid_from,"
    " valid_to, permissions, reason, status, version) select division_code, id, officer_id, :to, 'x', 'x', 'x',"
    " business_day(), business_day(), :limit, 'x', 'in_force', 1 from posts where id = :post"
)


def found(session: Session, change: PolicyChange) -> PolicyChange:
    return session.get_one(PolicyChange, change.id)


class TestEnable:
    def test_what_one_drafts_a_second_enables_and_it_counts_at_once(self, county: World, as_: As):
        with as_(county.security_admin) as session:
            before = policy(session).version
            change = proposed(session, county)
            assert not may(session, registrar(county), Permission.EXPORT_PLAIN)
        with as_(county.second_security_admin) as session:
            changes.enable(session, found(session, change), by=county.second_security_admin)
        with as_(county.audit_admin) as session:
            assert may(session, registrar(county), Permission.EXPORT_PLAIN)
            assert policy(session).version == before + 1
            entry = changes.edition(session, before + 1)
            assert (entry.change_id, entry.drafted_by, entry.enabled_by, entry.digest) == (
                change.id, county.security_admin.name, county.second_security_admin.name, change.digest,
            )  # fmt: skip
            assert changes.stored_lines(entry.lines) == changes.lines_of(change)

    def test_nobody_enables_what_they_drafted_not_even_with_a_second_account(
        self, county: World, as_: As, owner: Owner
    ):
        with as_(county.security_admin) as session:
            change = proposed(session, county)
        with owner() as session:
            post = county.security_admin
            twin = second_account(session, post, post.organisation_id, Role.SECURITY_ADMIN)
        for by in (county.security_admin, twin):
            with as_(by) as session, pytest.raises(SamePersonTwice):
                changes.enable(session, found(session, change), by=by)

    def test_whoever_edits_a_colleagues_draft_has_drafted_it_too(self, county: World, as_: As):
        second = county.second_security_admin
        with as_(county.security_admin) as session:
            change = a_draft(session, county)
        with as_(second) as session:
            again = found(session, change)
            cells = {("registrar", "key:view"): "allow"}
            changes.set_cells(session, again, by=second, level="township", kind="township", cells=cells)
        with as_(county.security_admin) as session:
            changes.propose(session, found(session, change), by=county.security_admin)
        with as_(second) as session, pytest.raises(SamePersonTwice):
            changes.enable(session, found(session, change), by=second)

    def test_no_other_administrator_drafts_or_enables(self, county: World, as_: As):
        with as_(county.security_admin) as session:
            change = proposed(session, county)
        for by in (county.system_admin, county.audit_admin):
            with as_(by) as session:
                with pytest.raises(NotAllowed):
                    changes.draft(session, by=by, title="x", reason="y")
                with pytest.raises(NotAllowed):
                    changes.enable(session, found(session, change), by=by)

    def test_a_county_neither_sees_nor_touches_a_change(self, county: World, as_: As):
        with as_(county.security_admin) as session:
            change = proposed(session, county)
        with as_(county.finance.reviewer) as session:
            assert session.exec(select(PolicyChange)).all() == []
            with pytest.raises(NotFound):
                changes.enable(session, change, by=county.finance.reviewer)

    def test_an_older_base_is_refused_until_the_change_is_merged(self, county: World, as_: As):
        first, second = county.security_admin, county.second_security_admin
        with as_(first) as session:
            early, late = a_draft(session, county), a_draft(session, county, head="deny")
            changes.propose(session, early, by=first)
        with as_(second) as session:
            changes.enable(session, found(session, early), by=second)
        with as_(first) as session, pytest.raises(changes.PolicyMoved, match="现行已是版本 2"):
            changes.propose(session, found(session, late), by=first)
        with as_(first) as session:
            merged = changes.rebase(session, found(session, late), by=first)
            assert merged.base_version == policy(session).version
            assert merged.summary == "新增 1 行，删除 1 行"
            changes.propose(session, merged, by=first)

    def test_of_two_changes_enabled_at_once_the_slower_is_refused(self, county: World, as_: As):
        first, second = county.security_admin, county.second_security_admin
        with as_(first) as session:
            one, other = proposed(session, county), proposed(session, county, head="deny")
        refusals: list[Exception] = []

        def enable_the_other() -> None:
            try:
                with as_(second) as session:
                    changes.enable(session, found(session, other), by=second)
            except changes.PolicyMoved as moved:
                refusals.append(moved)

        slower = threading.Thread(target=enable_the_other)
        with as_(second) as session:
            changes.enable(session, found(session, one), by=second)
            slower.start()  # it asks for the base while this transaction is still open, and waits for the row
            slower.join(timeout=2)
            assert slower.is_alive()
        slower.join()
        assert [type(one) for one in refusals] == [changes.PolicyMoved]
        with as_(first) as session:
            assert found(session, other).status == STATUS.PROPOSED
            assert may(session, county.township.head, Permission.ROSTER_ENDORSE)

    def test_conflicting_duties_are_refused_with_their_list(self, county: World, as_: As):
        first, second = county.security_admin, county.second_security_admin
        with as_(first) as session:
            change = changes.draft(session, by=first, title="合并岗位", reason="人手不足")
            cells = {("clerk", "batch:release"): "allow"}
            changes.set_cells(session, change, by=first, level="county", kind="finance", cells=cells)
            told = changes.consequences_of(session, change)
            assert ("旗县（市、区）财政部门经办岗", "batch:prepare", "batch:release") in told.new_conflicts
            changes.propose(session, change, by=first)
        with (
            as_(second) as session,
            pytest.raises(
                changes.DutiesUnited, match=r"旗县（市、区）财政部门经办岗兼有 batch:prepare 与 batch:release"
            ),
        ):
            changes.enable(session, found(session, change), by=second)

    def test_one_person_in_two_posts_of_an_organisation_counts_as_one(self, county: World, as_: As, owner: Owner):
        with owner() as session:
            second_account(session, county.department.clerk, county.department.organisation_id, Role.HEAD)
        with as_(county.security_admin) as session:
            change = changes.draft(session, by=county.security_admin, title="部门负责人审核", reason="试点")
            cells = {("head", "roster:pass"): "allow"}
            changes.set_cells(session, change, by=county.security_admin, level="county", kind="department", cells=cells)
            told = changes.consequences_of(session, change)
            assert [(one, other) for _, one, other in told.new_conflicts] == [("roster:examine", "roster:pass")]
            assert county.department.clerk.organisation in told.new_conflicts[0][0]

    def test_a_policy_that_nobody_could_change_again_is_refused(self, county: World, as_: As):
        first, second = county.security_admin, county.second_security_admin
        with as_(first) as session:
            change = changes.draft(session, by=first, title="收回", reason="试点")
            cells = {("security_admin", "policy:enable"): ""}
            changes.set_cells(session, change, by=first, level="region", kind="platform", cells=cells)
            changes.propose(session, change, by=first)
        with as_(second) as session, pytest.raises(changes.NobodyKeepsThePolicy, match="policy:enable"):
            changes.enable(session, found(session, change), by=second)


class TestDraft:
    def test_once_proposed_nothing_of_it_changes(self, county: World, as_: As, owner: Owner):
        with as_(county.security_admin) as session:
            change = proposed(session, county)
            with pytest.raises(StepNotPossible):
                changes.import_lines(session, change, by=county.security_admin, content=to_csv(seed_lines()))
        for column in ("lines", "title", "reason", "digest", "summary", "drafter"):
            for opened in (owner, lambda: as_(county.security_admin)):
                with pytest.raises(DBAPIError, match="不能修改"), opened() as session:
                    session.execute(sa.text(f"update policy_changes set {column} = 'x' where id = {change.id}"))

    def test_a_change_of_nothing_is_not_proposed(self, county: World, as_: As):
        with as_(county.security_admin) as session:
            change = changes.draft(session, by=county.security_admin, title="空", reason="空")
            with pytest.raises(changes.NothingChanged):
                changes.propose(session, change, by=county.security_admin)

    def test_rejected_or_withdrawn_it_never_comes_into_force(self, county: World, as_: As):
        first, second = county.security_admin, county.second_security_admin
        with as_(first) as session:
            one, other = proposed(session, county), proposed(session, county, head="deny")
            changes.withdraw(session, other, by=first)
        with as_(second) as session:
            changes.reject(session, found(session, one), by=second, reason="理由不足")
            for change in (one, other):
                with pytest.raises(StepNotPossible):
                    changes.enable(session, found(session, change), by=second)

    def test_an_unknown_cell_is_refused(self, county: World, as_: As):
        with as_(county.security_admin) as session:
            change = changes.draft(session, by=county.security_admin, title="x", reason="y")
            for cell, effect in ((("clark", "roster:view"), "allow"), (("clerk", "roster:veiw"), "allow"),
                                 (("clerk", "roster:view"), "denny")):  # fmt: skip
                with pytest.raises(changes.CellUnknown):
                    changes.set_cells(
                        session, change, by=county.security_admin, level="county", kind="finance", cells={cell: effect}
                    )


class TestConsequences:
    def test_they_count_the_officers_who_gain_and_lose(self, county: World, as_: As):
        with as_(county.security_admin) as session:
            change = changes.draft(session, by=county.security_admin, title="旗县财政负责人", reason="试点")
            cells = {("head", "order:view"): "allow"}
            changes.set_cells(session, change, by=county.security_admin, level="county", kind="finance", cells=cells)
            cells = {("clerk", "failure:correct"): ""}
            changes.set_cells(session, change, by=county.security_admin, level="township", kind="township", cells=cells)
            told = changes.consequences_of(session, change)
        texts = [effect.text for effect in told.effects]
        assert texts == ["2 人获得 order:view", "8 人失去 failure:correct"]
        assert told.headline == "2 人获得 order:view；8 人失去 failure:correct；1 项权限无人持有；0 处冲突"
        assert told.orphaned == [Permission.FAILURE_CORRECT]

    def test_a_delegate_counts_only_within_the_delegations_limits(self, county: World, as_: As, owner: Owner):
        with owner() as session:
            for lent, limit in ((county.finance.head, "order:view"), (county.other_county.finance.head, "job:view")):
                told = {"post": lent.post_id, "to": county.region_finance.auditor.officer_id, "limit": [limit]}
                session.execute(LENT, told)
        with as_(county.security_admin) as session:
            change = changes.draft(session, by=county.security_admin, title="旗县财政负责人", reason="试点")
            cells = {("head", "order:view"): "allow"}
            changes.set_cells(session, change, by=county.security_admin, level="county", kind="finance", cells=cells)
            (effect,) = changes.consequences_of(session, change).effects
        assert (effect.text, effect.delegated) == ("3 人获得 order:view", 1)


class TestRecord:
    def test_every_step_and_every_refusal_is_recorded(self, county: World, as_: As, owner: Owner):
        first, second = county.security_admin, county.second_security_admin
        with edge(first, "propose") as session:
            change = proposed(session, county)
        with pytest.raises(SamePersonTwice), edge(first, "enable", change.number) as session:
            changes.enable(session, found(session, change), by=first)
        with edge(second, "enable") as session:
            changes.enable(session, found(session, change), by=second)
        with owner() as session:
            verbs = session.execute(
                sa.text("select verb, desk from events where noun = 'policy_change' order by id")
            ).all()
            refusals = session.execute(sa.text("select refusal from refusals where verb = 'enable'")).scalars().all()
        assert [tuple(row) for row in verbs] == [
            ("begin", "security_drafter"), ("set_cells", "security_drafter"), ("propose", "security_drafter"),
            ("enable", "security_enabler"),
        ]  # fmt: skip
        assert refusals == ["SamePersonTwice"]


def registrar(county: World) -> ActingOfficer:
    """The township's 专职管理岗, who need not exist: only the kind of post is asked for."""
    return replace(county.township.clerk, role=Role.REGISTRAR)
