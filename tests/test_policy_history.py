"""Versions of the policy: kept, rolled back, imported, brought by a release; and what SQL alone can't do to them."""

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlmodel import select

from models.policy_changes import PolicyChangeStatus, PolicyEdition
from policies.enforcement import may, policy
from policies.permissions import Permission
from policies.policy_lines import PolicyInvalid, digest_of, seed_lines, to_csv
from tests.conftest import As, Owner, migrate
from tests.factories import World
from tests.test_policy_changes import a_draft, found, proposed, registrar
from workflows import policy_changes as changes
from workflows import policy_releases

STATUS = PolicyChangeStatus

FORBIDDEN = (
    "insert into policy_rules (role, level, kind, object, action, effect)"
    " values ('clerk', '*', '*', 'batch', 'release', 'allow')",
    "update policy_rules set effect = 'allow'",
    "delete from policy_rules where effect = 'deny'",
    "update policy_version set version = 1",
    "insert into policy_versions (policy_version, origin, title, reason, drafted_by, enabled_by, in_force_from,"
    " line_count, lines, digest) values (9, '', '', '', '', '', clock_timestamp(), 0, '', '')",
    "delete from policy_changes",
    "truncate policy_rules",
    "select policy_publish('x', null, 'x')",
)


class TestHistory:
    def test_rollback_is_a_change_with_the_lines_of_an_older_version(self, county: World, as_: As):
        first, second = county.security_admin, county.second_security_admin
        with as_(first) as session:
            original = policy(session).lines
            change = proposed(session, county)
        with as_(second) as session:
            changes.enable(session, found(session, change), by=second)
        with as_(second) as session:
            back = changes.draft(session, by=second, title="回滚", reason="试点结束", origin="version:1")
            changes.propose(session, back, by=second)
        with as_(first) as session:
            changes.enable(session, found(session, back), by=first)
        with as_(first) as session:
            assert set(policy(session).lines) == set(original)
            assert policy(session).version == 3
            assert not may(session, registrar(county), Permission.EXPORT_PLAIN)

    def test_every_version_is_kept_with_the_digest_that_python_computes(self, county: World, owner: Owner):
        with owner() as session:
            session.execute(sa.text("delete from policy_rules where object = 'journal'"))
        with owner() as session:
            kept = session.exec(select(PolicyEdition).order_by(PolicyEdition.policy_version)).all()
            assert [(one.policy_version, one.origin) for one in kept] == [(1, "初始装入"), (2, "数据库直接修改")]
            assert [digest_of(changes.stored_lines(one.lines)) for one in kept] == [one.digest for one in kept]
            assert [len(one.lines.splitlines()) for one in kept] == [one.line_count for one in kept]
            with pytest.raises(DBAPIError, match="只能追加"):
                session.execute(sa.text("update policy_versions set reason = 'x'"))

    def test_a_database_from_before_carries_its_rules_over_as_the_first_entry(self, database: str, owner: Owner):
        migrate("0008", down=True)
        with owner() as session:
            session.execute(sa.text("delete from policy_rules where object = 'journal'"))
        migrate()
        with owner() as session:
            (first,) = session.exec(select(PolicyEdition)).all()
            live = policy(session)
            assert (first.origin, first.policy_version) == ("升级前已有", live.version)
            assert set(changes.stored_lines(first.lines)) == set(live.lines) != set(seed_lines())
            made = policy_releases.load_policy(session)
            assert made is not None and set(changes.lines_of(made)) == set(seed_lines())
            assert set(policy(session).lines) == set(live.lines), "migrating overwrites nothing"

    def test_a_number_that_was_rolled_back_is_never_mistaken_for_the_version_in_force(
        self, county: World, owner: Owner
    ):
        with pytest.raises(ZeroDivisionError), owner() as session:
            session.execute(sa.text("delete from policy_rules where action = 'endorse' and effect = 'allow'"))
            assert not may(session, county.township.head, Permission.ROSTER_ENDORSE)
            raise ZeroDivisionError
        with owner() as session:
            session.execute(sa.text("delete from policy_rules where object = 'journal'"))
        with owner() as session:
            assert may(session, county.township.head, Permission.ROSTER_ENDORSE)
            assert not may(session, county.finance.clerk, Permission.JOURNAL_VIEW)


class TestDatabase:
    """What the application's role can't do by SQL of its own."""

    def test_it_writes_no_rule_and_no_history(self, county: World, as_: As):
        for statement in FORBIDDEN:
            with pytest.raises(DBAPIError, match="permission denied"), as_(county.security_admin) as session:
                session.execute(sa.text(statement))

    def test_it_enables_nothing_past_the_second_officer(self, county: World, as_: As):
        first, second = county.security_admin, county.second_security_admin
        with as_(first) as session:
            change = proposed(session, county)
        enable = sa.text("select policy_enable(:change)")
        told = {"change": change.id}
        for by in (first, second, county.system_admin):  # nobody has moved it to "enabled"
            with pytest.raises(DBAPIError, match="不在待启用状态"), as_(by) as session:
                session.execute(enable, told)
        with pytest.raises(DBAPIError, match="没有生效"), as_(first) as session:
            session.execute(sa.text("update policy_changes set status = 'enabled' where id = :change"), told)
        with pytest.raises(DBAPIError, match="另一名安全管理员"), as_(first) as session:
            session.execute(sa.text("update policy_changes set status = 'enabled' where id = :change"), told)
            session.execute(enable, told)
        with pytest.raises(DBAPIError, match=r"本人|desk_holders|经手|自然人"), as_(first) as session:  # a forged seat
            session.execute(sa.text("update policy_changes set status = 'enabled' where id = :change"), told)
            session.execute(
                sa.text("insert into desk_holders (division_code, noun, record_id, person, desk) values"
                        " ('150000000000', 'policy_change', :change, :person, 'security_enabler')"),
                told | {"person": second.person},
            )  # fmt: skip
            session.execute(enable, told)

    def test_a_draft_skips_no_step(self, county: World, as_: As):
        with as_(county.security_admin) as session:
            change = a_draft(session, county)
        with pytest.raises(DBAPIError, match="不能由 draft 变为 enabled"), as_(county.security_admin) as session:
            session.execute(sa.text(f"update policy_changes set status = 'enabled' where id = {change.id}"))


class TestCasbinCsv:
    def test_what_is_exported_is_imported_as_the_same_policy(self, county: World, as_: As):
        with as_(county.security_admin) as session:
            change = changes.draft(session, by=county.security_admin, title="导入", reason="试点")
            text = "# 注释\n\n" + to_csv(policy(session).lines)
            change, useless = changes.import_lines(session, change, by=county.security_admin, content=text)
            assert (changes.lines_of(change), useless) == (tuple(sorted(policy(session).lines, key=", ".join)), [])

    def test_a_mistyped_line_is_refused_with_its_number_and_the_draft_stays(self, county: World, as_: As):
        with as_(county.security_admin) as session:
            change = changes.draft(session, by=county.security_admin, title="导入", reason="试点")
            before = change.lines
            text = to_csv(seed_lines()) + "p, clerk, county, finance, roster, view, denny\n"
            with pytest.raises(PolicyInvalid, match=rf"第 {len(set(seed_lines())) + 1} 行无效：未知的效力“denny”"):
                changes.import_lines(session, change, by=county.security_admin, content=text)
            assert change.lines == before


class TestRelease:
    def test_a_release_reaches_an_edited_policy_as_a_ready_draft(
        self, county: World, as_: As, owner: Owner, monkeypatch
    ):
        first, second = county.security_admin, county.second_security_admin
        with as_(first) as session:
            edited = proposed(session, county, head="deny")
        with as_(second) as session:
            changes.enable(session, found(session, edited), by=second)
        new = ("registrar", "township", "township", "journal", "view", "allow")
        dropped = next(line for line in seed_lines() if line[3:5] == ("job", "view"))
        monkeypatch.setattr(
            policy_releases, "seed_lines", lambda: (*(line for line in seed_lines() if line != dropped), new)
        )
        with owner() as session:
            before = set(policy(session).lines)
            made = policy_releases.load_policy(session)
            assert made is not None and (made.summary, made.status) == ("新增 1 行，删除 1 行", STATUS.DRAFT)
            assert set(changes.lines_of(made)) == (before - {dropped}) | {new}
        with owner() as session:
            assert policy_releases.load_policy(session) is None, "one draft per release"
            assert set(policy(session).lines) == before, "the edited policy survives"
        with as_(first) as session:
            changes.propose(session, found(session, made), by=first)
        with as_(second) as session:
            changes.enable(session, found(session, made), by=second)
        with as_(second) as session:
            assert not may(session, county.township.head, Permission.ROSTER_ENDORSE), "the officers' own change stays"
            assert set(policy(session).lines) == (before - {dropped}) | {new}

    def test_lines_of_words_that_a_release_has_dropped_go_with_it(self, county: World, owner: Owner):
        with owner() as session:
            session.execute(sa.text("update policy_rules set action = 'vew' where object = 'journal'"))
        with owner() as session:
            with pytest.raises(PolicyInvalid):
                policy(session)
            policy_releases.load_policy(session)
            assert not may(session, county.finance.clerk, Permission.JOURNAL_VIEW)
