"""The rule language: what it accepts, what it refuses and where, and that it becomes one statement. （第十八条）"""

import csv
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import Session

from policies.rules import facts as fact_table
from policies.rules.book import check_rule
from policies.rules.compiler import Binder, compile_gate, condition_sql
from policies.rules.facts import FACTS, Kind
from policies.rules.messages import parts_of
from policies.rules.mistakes import RuleBroken, RuleMistake, SyntaxMistake, TypeMismatch, UnknownFact
from policies.rules.parser import parse
from policies.rules.tree import Among, Between, Binary, Known, Literal, Name, Node, Unary
from policies.rules.types import checked
from tests.factories import World, a_line, a_roster
from workflows.rules import SEED


@dataclass(frozen=True)
class ARule:
    """A rule that never saw the database."""

    expression: str
    message: str = "提示"
    code: str = "T01"
    version: int = 1
    name: str = "试验规则"
    light: str = "red"


def num(value: object) -> Literal:
    """Return a number's literal."""
    return Literal(Decimal(str(value)))


class TestParser:
    @pytest.mark.parametrize(
        ("text", "tree"),
        [
            ("a or b and c", Binary("or", Name("a"), Binary("and", Name("b"), Name("c")))),
            ("not a and b", Binary("and", Unary("not", Name("a")), Name("b"))),
            ("a + b * c > d", Binary(">", Binary("+", Name("a"), Binary("*", Name("b"), Name("c"))), Name("d"))),
            ("a - b - c = d", Binary("=", Binary("-", Binary("-", Name("a"), Name("b")), Name("c")), Name("d"))),
            ("a between 1 and 2 and b", Binary("and", Between(Name("a"), num(1), num(2)), Name("b"))),
            ("a not in (1, -2)", Unary("not", Among(Name("a"), (num(1), num(-2))))),
            ("a is unknown", Unary("not", Known(Name("a")))),
            ("死亡日期 未知 或 金额 ≥ 30%", Binary("or", Unary("not", Known(Name("死亡日期"))),
                                           Binary(">=", Name("金额"), num("0.3")))),
            ("（金额 ＞ ３） 且 a", Binary("and", Binary(">", Name("金额"), num(3)), Name("a"))),
            ("a = “甲‘乙”", Binary("=", Name("a"), Literal("甲‘乙"))),
            ("d <> 2025-01-31", Binary("!=", Name("d"), Literal(date(2025, 1, 31)))),
            ("abs(-a) < 1", Binary("<", Unary("abs", Unary("-", Name("a"))), num(1))),
            ("true = false", Binary("=", Literal(True), Literal(False))),
        ],
    )  # fmt: skip
    def test_a_condition_reads_as_officers_mean_it(self, text: str, tree: Node) -> None:
        assert placeless(parse(text)) == tree

    @pytest.mark.parametrize(
        ("text", "line", "column", "problem"),
        [
            ("", 1, 1, "不能为空"),
            ("金额 >", 1, 5, "此处应为"),
            ("金额 > 3 金额", 1, 8, "多出了内容"),
            ("金额 >\n 数量 ^ 2", 2, 5, "不能识别"),
            ("(金额 > 3", 1, 8, "右括号"),
            ("1 < 金额 < 3", 1, 8, "不能连写"),
            ("金额 in 3", 1, 7, "括号"),
            ("金额 in (数量)", 1, 8, "固定的取值"),
            ("村 = '东村", 1, 5, "引号"),
            ("d > 2025-02-30", 1, 5, "不是有效日期"),
            ("金额 > 1234567890123456", 1, 6, "数字最多"),
            ("round(金额) > 3", 1, 1, "没有函数"),
            ("金额 between 1 2", 1, 14, "下限 and 上限"),
            ("(金额 + 1) 未知", 1, 10, "只有数据项"),
            ("not " * 60 + "a", 1, 165, "嵌套太深"),
            ("(" * 60, 1, 41, "嵌套太深"),
            ("1 + " * 300 + "1 = 1", 1, 801, "太复杂"),
        ],
    )
    def test_a_mistake_is_shown_at_its_place(self, text: str, line: int, column: int, problem: str) -> None:
        with pytest.raises(SyntaxMistake) as refusal:
            parse(text)
        assert (refusal.value.fields["line"], refusal.value.fields["column"]) == (line, column)
        assert problem in str(refusal.value)

    def test_the_pointer_stands_beneath_the_mistake(self) -> None:
        with pytest.raises(UnknownFact) as refusal:
            checked("金额 > 3 and\n 承包面 > 2")
        first, source, caret = str(refusal.value).split("\n")
        assert "第 2 行第 2 列" in first
        assert "是否指“承包面积”" in first
        assert (source, caret) == (" 承包面 > 2", " ^")


class TestTypes:
    @pytest.mark.parametrize(
        ("text", "column"),
        [
            ("金额", 1),
            ("金额 > 数量", 4),
            ("金额 * 金额 > 1", 4),
            ("数量 / 金额 > 1", 4),
            ("金额 + 死亡日期 > 1", 4),
            ("死亡日期 + 数量 > 所属期起", 8),
            ("死亡日期 + 1.5 > 所属期起", 8),
            ("死亡日期 + 99999999 > 所属期起", 8),
            ("死亡日期 > '2025-01-01'", 6),
            ("嘎查村 > '甲'", 5),
            ("使用社保卡 = 1", 7),
            ("有手机号 and 金额", 10),
            ("not 金额", 5),
            ("核查结果 = '死了'", 8),
            ("核查结果 in ('死亡', 3)", 16),
            ("核查结果 = 账户状态", 6),
            ("嘎查村 between '甲' and '乙'", 5),
            ("abs(死亡日期) > 1", 1),
            ("-有手机号 = true", 1),
        ],
    )
    def test_a_type_error_is_refused_with_its_position(self, text: str, column: int) -> None:
        with pytest.raises(TypeMismatch) as refusal:
            checked(text)
        assert (refusal.value.fields["line"], refusal.value.fields["column"]) == (1, column)

    @pytest.mark.parametrize(
        "text", ["承包面 > 1", "数量 > 1 and 身份证号 = '1'", "l.id_number = '1'", "姓名 = '张三'"]
    )
    def test_nothing_but_the_listed_facts_can_be_reached(self, text: str) -> None:
        with pytest.raises(RuleMistake):
            checked(text)

    def test_no_fact_is_a_name_or_a_number_of_a_person(self) -> None:
        secret = ("id_number", "account_number", ".phone,", "l.name", "m.name", "head_name", "payee_name", "id_index")
        assert [fact.name for fact in fact_table.ALL if any(word in fact.sql for word in secret)] == []

    def test_every_fact_has_one_english_and_one_chinese_name(self) -> None:
        names = [name for fact in fact_table.ALL for name in (fact.name, fact.title, *fact.also)]
        assert len(names) == len(set(names)) == len(FACTS)

    def test_chinese_labels_of_choices_become_stored_values(self) -> None:
        node = checked("核查结果 in ('死亡', 'mismatch')")
        assert isinstance(node, Among)
        assert [option.value for option in node.options] == ["dead", "mismatch"]


class TestCompiler:
    def test_no_word_of_a_rule_enters_the_sql(self) -> None:
        bad = "x'); drop table rosters; --"
        rule = ARule(f'嘎查村 = "{bad}"', message=bad, code=bad, name=bad)
        sql, parameters = compile_gate([rule])
        assert "drop table" not in sql
        assert bad in parameters.values()

    def test_all_rules_of_a_gate_are_one_statement(self) -> None:
        sql, _ = compile_gate([ARule("金额 > 1", code="A"), ARule("数量 > 1", code="B"), ARule("年龄 > 1", code="C")])
        assert ";" not in sql
        assert sql.count("join roster_lines l") == 1

    def test_a_broken_rule_stops_the_gate_and_says_which(self) -> None:
        with pytest.raises(RuleBroken, match="T09.*第 1 行第 1 列"):
            compile_gate([ARule("金额 > 1"), ARule("不存在 > 1", code="T09")])

    @pytest.mark.parametrize("message", ["", "{不存在}", "{金额:>9}", "{金额!r}", "{", "{}", "{金额.real}"])
    def test_a_message_names_only_listed_facts(self, message: str) -> None:
        with pytest.raises(RuleMistake, match="提示第 1 行"):
            check_rule("金额 > 1", message)

    def test_braces_may_be_doubled(self) -> None:
        assert parts_of("{{甲}} {金额}")[-1] == FACTS["金额"]


# --- any well-typed condition compiles, and PostgreSQL accepts and evaluates it ------------------------------------

NAMES = {kind: sorted({fact.title for fact in fact_table.ALL if fact.kind is kind}) for kind in Kind}
PLAIN = st.decimals(min_value=0, max_value=10**9, places=3, allow_nan=False).map(lambda value: f"{value:f}")
DATES = st.dates(date(1900, 1, 1), date(2100, 1, 1)).map(str)
TEXTS = st.text("甲乙丙 abc%:{}\\", max_size=6).map(lambda text: f"'{text}'")
CHOSEN = st.sampled_from([fact for fact in fact_table.ALL if fact.kind is Kind.CHOICE])
ORDER = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
EQUAL = st.sampled_from(["=", "!="])


def numbers(depth: int, money: bool) -> st.SearchStrategy[str]:
    """Draw an arithmetic term of one type."""
    kind = Kind.MONEY if money else Kind.NUMBER
    if depth == 0:
        return st.sampled_from(NAMES[kind])
    same, other = numbers(depth - 1, money), numbers(depth - 1, False)
    return st.one_of(
        same,
        st.tuples(same, st.sampled_from("+-"), same).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(same, st.sampled_from("*/"), st.one_of(other, PLAIN)).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        same.map(lambda term: f"abs({term})"),
        same.map(lambda term: f"-{term}"),
        *([] if money else [st.tuples(days(), days()).map(lambda t: f"({t[0]} - {t[1]})")]),
    )


def days() -> st.SearchStrategy[str]:
    """Draw a date term."""
    moved = st.tuples(st.sampled_from(NAMES[Kind.DATE]), st.sampled_from("+-"), st.integers(0, 36500))
    return st.one_of(st.sampled_from(NAMES[Kind.DATE]), DATES, moved.map(lambda t: f"({t[0]} {t[1]} {t[2]})"))


def conditions(depth: int = 3) -> st.SearchStrategy[str]:
    """Draw a well-typed condition."""
    amounts = st.booleans().flatmap(lambda money: st.tuples(numbers(1, money), ORDER, numbers(1, money)))
    simple = st.one_of(
        st.sampled_from(NAMES[Kind.BOOLEAN]),
        amounts.map(" ".join),
        st.tuples(numbers(2, True), ORDER, PLAIN).map(" ".join),
        st.tuples(days(), ORDER, days()).map(" ".join),
        st.tuples(days(), days(), days()).map(lambda t: f"{t[0]} between {t[1]} and {t[2]}"),
        st.tuples(st.sampled_from(NAMES[Kind.TEXT]), EQUAL, TEXTS).map(" ".join),
        st.tuples(st.sampled_from(NAMES[Kind.TEXT]), st.lists(TEXTS, min_size=1, max_size=3)).map(
            lambda t: f"{t[0]} not in ({', '.join(t[1])})"
        ),
        CHOSEN.flatmap(lambda fact: st.sampled_from(fact.choices).map(lambda c: f"{fact.title} != '{c[1]}'")),
        st.sampled_from(fact_table.ALL).map(lambda fact: f"{fact.title} 未知"),
    )
    if depth == 0:
        return simple
    inner = conditions(depth - 1)
    return st.one_of(
        simple,
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(" ".join),
        inner.map(lambda condition: f"not ({condition})"),
    )


def test_any_well_typed_condition_compiles_and_postgresql_runs_it(session: Session, county: World) -> None:
    bare = a_line(account=False, identity=None, contracted=None, reviewed_on=None, village="")
    roster = a_roster(session, county, lines=[a_line(deceased=True, contracted="3"), bare])

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(conditions(), min_size=1, max_size=3), st.sampled_from(fact_table.ALL))
    def accepted(texts: list[str], fact: fact_table.Fact) -> None:
        rules = [ARule(text, code=f"H{number}", message="甲{" + fact.title + "}") for number, text in enumerate(texts)]
        sql, parameters = compile_gate(rules)
        key = {"division_code": roster.division_code, "roster_id": roster.id, "today": date(2024, 6, 1)}
        found = session.execute(sa.text(sql), parameters | key).all()
        assert all(row.message and row.evidence is not None for row in found)

    accepted()


def test_conditions_without_facts_are_worth_what_python_says(session: Session) -> None:
    terms = st.integers(0, 50)

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        terms, terms, terms, st.sampled_from("+-*"), st.sampled_from(["<", "<=", "=", "!=", ">", ">="]), st.booleans()
    )
    def same(a: int, b: int, c: int, operator: str, order: str, negated: bool) -> None:
        text = f"{a} {operator} {b} * 2 {order} {c}"
        binder = Binder()
        sql = condition_sql(checked(f"not {text}" if negated else text), binder)
        python = text.replace("!=", "≠").replace(" = ", " == ").replace("≠", "!=")
        worth = session.execute(sa.text(f"select {sql}"), binder.parameters).scalar_one()
        assert worth == (eval(python) is not negated)

    same()


def placeless(node: Node) -> Node:
    """Return the tree without its places."""
    match node:
        case Literal():
            return Literal(node.value)
        case Name():
            return Name(node.name)
        case Unary():
            return Unary(node.operator, placeless(node.operand))
        case Binary():
            return Binary(node.operator, placeless(node.left), placeless(node.right))
        case Between():
            return Between(placeless(node.value), placeless(node.low), placeless(node.high))
        case Among():
            return Among(placeless(node.value), tuple(Literal(option.value) for option in node.options))
        case Known():
            return Known(Name(node.fact.name))


class TestDocumentation:
    PAGE = (Path(__file__).parent.parent / "docs" / "rules.md").read_text(encoding="utf-8")

    @pytest.mark.parametrize("fact", fact_table.ALL, ids=lambda fact: fact.name)
    def test_every_fact_is_in_the_docs(self, fact: fact_table.Fact) -> None:
        row = next(line for line in self.PAGE.splitlines() if f"| `{fact.name}` | {fact.kind.label} |" in line)
        assert row.startswith(f"| {fact.title}")
        assert all(label in row for _, label in fact.choices)

    def test_every_seed_rule_is_in_the_docs(self) -> None:
        with SEED.open(encoding="utf-8", newline="") as file:
            missing = [row["code"] for row in csv.DictReader(file) if f"`{row['expression']}`" not in self.PAGE]
        assert missing == []
