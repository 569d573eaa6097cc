"""Verbs: the compiled policy answers as pycasbin does, and a mistyped line is refused. （第二十三、二十四条）"""

from itertools import product

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as some
from sqlalchemy.exc import IntegrityError

from models.divisions import Level
from models.officers import Role
from models.organisations import OrganisationKind
from policies import policy_lines
from policies.enforcement import Line, OtherSector, Policy, PolicyInvalid, allow, may, seed_lines, validated
from policies.permissions import NOUN_TITLES, Permission
from policies.policy_lines import SEED, concerns, findings, ordered, read_csv, to_csv
from policies.refusals import NotAllowed, NotFound
from tests.factories import a_roster

POSTS = list(product(Role, Level, OrganisationKind))
POLICY = Policy(1, seed_lines())
ENFORCER = POLICY.enforcer()
PAIRS = tuple(permission.value.split(":") for permission in Permission)

PAIR = some.sampled_from(PAIRS)

words = some.tuples(
    some.sampled_from([*Role, "*"]),
    some.sampled_from([*Level, "*"]),
    some.sampled_from([*OrganisationKind, "*"]),
    some.sampled_from(PAIRS),
    some.sampled_from(["allow", "deny"]),
).map(lambda drawn: (str(drawn[0]), str(drawn[1]), str(drawn[2]), drawn[3][0], drawn[3][1], drawn[4]))


def compiled(policy: Policy, role: str, level: str, kind: str, noun: str, verb: str) -> bool:
    return f"{noun}:{verb}" in policy.permissions(role, level, kind)


def concrete(line: Line) -> tuple[str, str, str, str, str]:
    """Return a request that the line is about, word for word where it names words."""
    role, level, kind = (word if word != "*" else first for word, first in zip(line[:3], FIRSTS, strict=True))
    return role, level, kind, line[3], line[4]


FIRSTS = (Role.CLERK.value, Level.COUNTY.value, OrganisationKind.FINANCE.value)


class TestCompiledPolicy:
    def test_each_allow_and_each_deny_lines_exact_words_are_answered_as_pycasbin_answers(self):
        requests = {concrete(line) for line in seed_lines()}
        assert {line[5] for line in seed_lines()} == {"allow", "deny"}
        assert [one for one in requests if compiled(POLICY, *one) != ENFORCER.enforce(*one)] == []

    @settings(max_examples=300, deadline=None)
    @given(some.sampled_from(POSTS), some.sampled_from(PAIRS))
    def test_generated_requests_are_answered_as_pycasbin_answers(self, post, pair):
        request = (*map(str, post), *pair)
        assert compiled(POLICY, *request) == ENFORCER.enforce(*request)

    @settings(max_examples=60, deadline=None)
    @given(some.lists(words, min_size=1, max_size=12, unique=True), some.data())
    def test_generated_policies_are_answered_as_pycasbin_answers(self, lines, data):
        policy = Policy(1, validated(lines))
        enforcer = policy.enforcer()
        drawn = [(*map(str, data.draw(some.sampled_from(POSTS))), *data.draw(some.sampled_from(PAIRS)))]
        for request in [*map(concrete, lines), *drawn]:
            assert compiled(policy, *request) == enforcer.enforce(*request)

    @settings(max_examples=60, deadline=None)
    @given(some.lists(words, min_size=1, max_size=12, unique=True), some.data())
    def test_the_deciding_line_says_what_pycasbin_says_and_decides_by_itself(self, lines, data):
        policy = Policy(1, validated(lines))
        enforcer = policy.enforcer()
        requests = [*map(concrete, lines), (*map(str, data.draw(some.sampled_from(POSTS))), *data.draw(PAIR))]
        for *post, noun, verb in requests:
            told = policy.decision(tuple(post), f"{noun}:{verb}")
            assert told.allowed == enforcer.enforce(*post, noun, verb)
            if told.line is None:
                assert not any(line[3:5] == (noun, verb) and concerns(line, tuple(post)) for line in lines)
            else:
                assert told.line in lines and (told.line[5] == "allow") == told.allowed
                assert concerns(told.line, tuple(post)) and told.line[3:5] == (noun, verb)

    @settings(max_examples=60, deadline=None)
    @given(some.sampled_from(POSTS), some.frozensets(some.sampled_from([str(one) for one in Permission])))
    def test_a_delegation_carries_what_it_names_of_the_post_and_nothing_else(self, post, only):
        whole = POLICY.permissions(*map(str, post))
        assert POLICY.permissions(*map(str, post), only) == whole & only

    @settings(max_examples=60, deadline=None)
    @given(some.lists(words, min_size=1, max_size=12, unique=True))
    def test_without_what_is_found_useless_the_policy_answers_the_same(self, lines):
        useless = {found.line for found in findings(lines) if found.kind != "duplicate"}
        before, after = Policy(1, tuple(lines)), Policy(1, tuple(line for line in lines if line not in useless))
        assert all(before.permissions(*map(str, post)) == after.permissions(*map(str, post)) for post in POSTS)

    def test_a_deny_beats_every_allow(self):
        lines: list[Line] = [
            ("*", "*", "*", "roster", "pass", "deny"),
            ("reviewer", "county", "department", "roster", "pass", "allow"),
        ]
        assert not compiled(Policy(1, validated(lines)), "reviewer", "county", "department", "roster", "pass")

    def test_an_empty_policy_allows_nothing(self):
        assert not any(Policy(1, ()).permissions(*map(str, post)) for post in POSTS)


class TestMistypedPolicy:
    good: Line = ("clerk", "county", "finance", "roster", "view", "allow")

    @pytest.mark.parametrize(
        ("column", "word", "told"),
        [
            (0, "clark", "岗位"),
            (1, "country", "级别"),
            (2, "finanse", "机构类别"),
            (3, "rooster", "权限"),
            (4, "veiw", "权限"),
            (5, "denny", "效力"),
            (5, "", "效力"),
        ],
    )
    def test_a_mistyped_word_is_refused_with_its_line(self, column, word, told):
        wrong = list(self.good)
        wrong[column] = word
        with pytest.raises(PolicyInvalid, match=f"第 2 行.*{told}"):
            validated([self.good, tuple(wrong)])  # type: ignore[list-item]

    def test_a_line_with_a_missing_word_is_refused(self):
        with pytest.raises(PolicyInvalid, match="6 列"):
            validated([self.good[:5]])  # type: ignore[list-item]

    def test_an_unknown_type_in_the_seed_is_refused(self, tmp_path, monkeypatch):
        seed = tmp_path / "seed.csv"
        seed.write_text("q, clerk, county, finance, roster, view, allow\n", encoding="utf-8")
        monkeypatch.setattr(policy_lines, "SEED", seed)
        with pytest.raises(PolicyInvalid, match="未知的类型“q”"):
            seed_lines()

    def test_a_mistyped_row_in_the_database_stops_every_verb_rather_than_being_ignored(self, session, county):
        session.execute(sa.text("update policy_rules set role = 'clark' where effect = 'deny' and role = 'auditor'"))
        with pytest.raises(PolicyInvalid):
            may(session, county.township.clerk, Permission.ROSTER_VIEW)

    def test_postgresql_itself_takes_no_mistyped_effect(self, session, county):
        with pytest.raises(IntegrityError, match="effect"):
            session.execute(sa.text("update policy_rules set effect = 'denny' where effect = 'deny'"))


class TestFile:
    """The policy as a Casbin file: read with its line numbers, written in its one order."""

    good = "p, clerk, county, finance, roster, view, allow\n"

    @settings(max_examples=60, deadline=None)
    @given(some.lists(words, min_size=1, max_size=12, unique=True))
    def test_what_is_written_is_read_again(self, lines):
        assert read_csv(to_csv(lines))[0] == ordered(lines)

    @pytest.mark.parametrize(
        ("line", "told"),
        [
            ("g, clerk, head", "第 3 行.*未知的类型“g”.*以 p 开头"),
            ("p, clerk, county, finance, roster, view", "第 3 行.*应有 6 列.*实有 5 列"),
            ("p, clerk, county, finance, roster, veiw, allow", "第 3 行.*是否应为 roster:view"),
            ("p, clerk, country, finance, roster, view, allow", "第 3 行.*未知的级别“country”，可用 region、league"),
            ("p, clerk, county, finance, roster, view, denny", "第 3 行.*只能是 allow或 deny"),
        ],
    )
    def test_a_wrong_line_is_refused_with_its_number_in_the_file_and_the_remedy(self, line, told):
        with pytest.raises(PolicyInvalid, match=told):
            read_csv(f"# 注释\n{self.good}{line}\n")

    def test_every_wrong_line_is_named_at_once(self):
        with pytest.raises(PolicyInvalid, match=r"第 1 行.*第 3 行"):
            read_csv(f"q, x\n{self.good}p, clerk\n")

    def test_an_empty_file_is_refused(self):
        with pytest.raises(PolicyInvalid, match="实有 0 行"):
            read_csv("# 注释\n")

    def test_doubles_and_shadowed_lines_are_reported_with_what_shadows_them(self):
        text = (
            f"{self.good}{self.good}p, clerk, *, *, roster, view, deny\np, *, *, *, order, view, allow\n"
            "p, clerk, *, finance, order, view, allow\n"
        )
        _, found = read_csv(text)
        assert [(one.number, one.kind, one.by[:3]) for one in found] == [
            (1, "denied", ("clerk", "*", "*")), (2, "duplicate", ("clerk", "county", "finance")),
            (5, "covered", ("*", "*", "*")),
        ]  # fmt: skip

    def test_the_seed_is_sorted_and_says_nothing_twice(self):
        assert SEED.read_text(encoding="utf-8") == to_csv(seed_lines()), "run scripts/lifecycle_docs.py"
        assert findings(seed_lines()) == []

    def test_every_noun_has_a_name(self):
        assert {one.split(":")[0] for one in Permission} - NOUN_TITLES.keys() == set()


class TestAllow:
    def test_a_change_of_the_policy_counts_in_the_next_question(self, session, county):
        assert may(session, county.township.head, Permission.ROSTER_ENDORSE)
        session.execute(sa.text("delete from policy_rules where object = 'roster' and action = 'endorse'"))
        assert not may(session, county.township.head, Permission.ROSTER_ENDORSE)
        with pytest.raises(NotAllowed, match="负责人审核清册"):
            allow(session, county.township.head, Permission.ROSTER_ENDORSE)

    def test_what_lies_outside_the_range_is_not_found(self, session, county):
        roster = a_roster(session, county)
        for stranger in (county.other_county.township.clerk, county.second_township.clerk, county.other_league_finance):
            by = getattr(stranger, "clerk", stranger)
            with pytest.raises(NotFound):
                allow(session, by, Permission.ROSTER_VIEW, roster)

    def test_another_department_keeps_its_hands_off(self, session, county):
        roster = a_roster(session, county)
        with pytest.raises(OtherSector):
            allow(session, county.civil_affairs.clerk, Permission.ROSTER_EXAMINE, roster)

    def test_every_permission_has_a_holder(self):
        held = frozenset().union(*(POLICY.permissions(*map(str, post)) for post in POSTS))
        assert set(Permission) - held == set()

    def test_administrators_hold_no_verb_of_the_business(self):
        theirs = (
            "organisation", "officer", "post", "delegation", "session", "policy", "duty", "audit", "key", "exchange",
        )  # fmt: skip
        for role in (Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN, Role.AUDIT_ADMIN):
            for level, kind in product(Level, OrganisationKind):
                held = POLICY.permissions(role, level, kind)
                assert [one for one in held if not one.endswith(":view") and one.split(":")[0] not in theirs] == []

    def test_nobody_both_prepares_and_releases(self):
        pairs = (("order:draft", "order:release"), ("batch:prepare", "batch:release"),
                 ("refund:prepare", "refund:release"), ("roster:examine", "roster:pass"),
                 ("roster:finance_examine", "roster:finance_pass"), ("roster:notice", "roster:endorse"))  # fmt: skip
        for post in POSTS:
            held = POLICY.permissions(*map(str, post))
            assert not [pair for pair in pairs if held.issuperset(pair)]
