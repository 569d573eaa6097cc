"""A project's formula gives the same fen in Python, in PostgreSQL and by an independent count. （第十六条）"""

import json
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from sqlmodel import Session

from models.projects import PolicyLevel
from policies.definitions import Definition
from policies.formulas import AmountMissing, FormulaWrong, check, program_of
from policies.formulas.fields import FieldsWrong
from policies.formulas.program import AmountOutside

FIELDS = {
    "type": "object",
    "properties": {
        "people": {"type": "integer", "title": "保障人口", "minimum": 0, "maximum": 20},
        "income": {"type": "number", "title": "月收入", "x-unit": "元"},
        "grade": {"type": "string", "title": "类别", "enum": ["A", "B", "C"]},
        "alone": {"type": "boolean", "title": "独居"},
        "since": {"type": "string", "title": "起始日", "format": "date"},
    },
    "required": ["people"],
}


def a_definition(formula: str = "数量 * 补贴标准", **fields: Any) -> Definition:
    values: dict[str, Any] = {"fields": FIELDS} | fields
    return Definition(
        code="X01", name="试点补贴", policy_level=PolicyLevel.REGION, sector="民政", formula=formula, **values
    )


def a_line(quantity: str = "1", standard: str = "100", **own: Any) -> dict[str, Any]:
    return {"quantity": Decimal(quantity), "standard": Decimal(standard), **own}


class TestAmounts:
    @pytest.mark.parametrize(
        ("formula", "line", "fen"),
        [
            ("数量 * 补贴标准", a_line("10.005", "76.3"), 76338),
            ("保障人口 * (补贴标准 - 月收入 / 12)", a_line(standard="436", people=3, income="1200"), 100800),
            ("min(数量, 50) × 补贴标准", a_line("80", "7.5"), 37500),
            ("if(类别 = 'A', 500, if(类别 = 'B', 300, 100)) * 保障人口", a_line(people=2, grade="B"), 60000),
            ("if(独居, 1.2, 1) * 补贴标准", a_line(standard="100", people=1, alone=True), 12000),
            ("round(补贴标准 / 3, 1) * 保障人口", a_line(standard="100", people=3), 9990),
            ("补贴标准 / 3 * 保障人口", a_line(standard="100", people=3), 10000),
            ("0.005", a_line(), 1),
            ("if(起始日 >= 2026-01-01, 10, 20)", a_line(since="2025-12-31"), 2000),
            ("if(月收入 unknown, 补贴标准, 补贴标准 - 月收入)", a_line(standard="80"), 8000),
            ("max(补贴标准 - 月收入, 50)", a_line(standard="80", income="79.99"), 5000),
        ],
    )
    def test_an_amount_is_rounded_half_up_to_the_fen_once(self, formula, line, fen):
        assert program_of(a_definition(formula)).amount_fen(line) == fen

    def test_a_missing_field_is_named(self):
        with pytest.raises(AmountMissing, match="月收入"):
            program_of(a_definition("补贴标准 - 月收入")).amount_fen(a_line())

    @pytest.mark.parametrize("formula", ["补贴标准 - 100", "补贴标准 - 200", "补贴标准 * 100000000"])
    def test_no_amount_is_zero_negative_or_beyond_reason(self, formula):
        with pytest.raises(AmountOutside):
            program_of(a_definition(formula)).amount_fen(a_line())


class TestMistakes:
    @pytest.mark.parametrize(
        ("formula", "column", "told"),
        [
            ("数量 * 补帖标准", 6, "补贴标准"),
            ("数量 * ", 6, "此处应为"),
            ("数量 / 补贴标准", 6, "只能除以固定的数字"),
            ("数量 / 0", 6, "不能除以零"),
            ("类别 * 2", 1, "只用于数字"),
            ("if(数量, 1, 2)", 4, "是否成立"),
            ("if(独居, 1)", 1, "应有 3 项"),
            ("min(1)", 1, "应有 2 至 10 项"),
            ("round(数量, 数量)", 11, "小数位数"),
            ("类别 = 'A'", 1, "应算出金额"),
            ("if(类别 = 'D', 1, 2)", 9, "A、B、C 之一"),
            ("sum(数量)", 1, "没有函数"),
            ("独居 = 1", 4, "不能与"),
        ],
    )
    def test_a_mistake_in_a_formula_is_pointed_at(self, formula, column, told):
        with pytest.raises(FormulaWrong, match=told) as refusal:
            check(a_definition(formula))
        assert refusal.value.fields["column"] == column
        assert refusal.value.fields["place"] == "formula"
        assert str(refusal.value).endswith("^")

    @pytest.mark.parametrize(
        ("name", "spec", "place", "told"),
        [
            ("Area", {"type": "number", "title": "面积"}, "fields.1.name", "字段名"),
            ("quantity", {"type": "number", "title": "面积"}, "fields.1.name", "字段名"),
            ("area", {"type": "number"}, "fields.1.title", "没有中文标题"),
            ("area", {"type": "number", "title": "补贴金额"}, "fields.1.title", "固定列相同"),
            ("area", {"type": "number", "title": "监护人手机号"}, "fields.1.title", "第三十条"),
            ("area", {"type": "array", "title": "面积"}, "fields.1.type", "不支持"),
            ("area", {"type": "number", "title": "面积", "minimum": 9, "maximum": 1}, "fields.1.minimum", "大于最大值"),
            ("area", {"type": "number", "title": "面积", "minimum": "x"}, "fields.1.minimum", "数字"),
            ("kind", {"type": "string", "title": "机型", "enum": ["大", "大"]}, "fields.1.options", "互不相同"),
            ("kind", {"type": "string", "title": "机型", "pattern": "("}, "fields.1.options", "第 1 个字符"),
            ("kind", {"type": "string", "title": "机型", "oneOf": []}, "fields.1.type", "oneOf"),
            ("kind", {"type": "string", "title": "机型", "minimum": 1}, "fields.1.minimum", "没有最小"),
        ],
    )
    def test_a_mistake_in_a_field_names_row_column_and_remedy(self, name, spec, place, told):
        with pytest.raises(FieldsWrong, match=told) as refusal:
            check(a_definition(fields={"type": "object", "properties": {name: spec}}))
        assert refusal.value.fields["place"] == place

    def test_component_and_publicness_name_fields_that_exist(self):
        for wrong in ({"component": ("plot",)}, {"public": {"plot": "shown"}}, {"rounding": "component"}):
            with pytest.raises(FieldsWrong):
                check(a_definition(**wrong))

    def test_a_required_field_is_one_of_the_fields(self):
        with pytest.raises(FieldsWrong, match="没有定义"):
            check(a_definition(fields={"type": "object", "properties": {}, "required": ["plot"]}))


# --- the same fen everywhere ------------------------------------------------------------------------------------------

Tree = tuple[str, Any]
"""What the generator makes, with an exact meaning of its own: text of the formula, and how it counts."""


def leaf(text: str, name: str) -> Tree:
    return text, lambda line: Fraction(str(line[name]))


LEAVES = some.sampled_from(
    [leaf("数量", "quantity"), leaf("补贴标准", "standard"), leaf("保障人口", "people"), leaf("月收入", "income")]
) | some.decimals(min_value=0, max_value=1000, places=2).map(lambda d: (str(d), lambda _: Fraction(str(d))))


def half_up(number: Fraction, places: int) -> Fraction:
    scaled = abs(number) * 10**places
    whole = int(scaled + Fraction(1, 2))
    return Fraction(whole if number >= 0 else -whole, 10**places)


def grown(inner: some.SearchStrategy[Tree]) -> some.SearchStrategy[Tree]:
    two = some.tuples(inner, inner)
    return some.one_of(
        two.map(lambda p: (f"({p[0][0]} + {p[1][0]})", lambda v: p[0][1](v) + p[1][1](v))),
        two.map(lambda p: (f"({p[0][0]} - {p[1][0]})", lambda v: p[0][1](v) - p[1][1](v))),
        two.map(lambda p: (f"({p[0][0]} * {p[1][0]})", lambda v: p[0][1](v) * p[1][1](v))),
        two.map(lambda p: (f"min({p[0][0]}, {p[1][0]})", lambda v: min(p[0][1](v), p[1][1](v)))),
        two.map(lambda p: (f"max({p[0][0]}, {p[1][0]})", lambda v: max(p[0][1](v), p[1][1](v)))),
        some.tuples(inner, some.sampled_from([3, 7, 12, "0.3", "-1.5"])).map(
            lambda p: (f"({p[0][0]} / {p[1]})", lambda v: p[0][1](v) / Fraction(str(p[1])))
        ),
        some.tuples(inner, some.integers(0, 4)).map(
            lambda p: (f"round({p[0][0]}, {p[1]})", lambda v: half_up(p[0][1](v), p[1]))
        ),
        some.tuples(inner, inner, inner, inner).map(
            lambda p: (
                f"if({p[0][0]} > {p[1][0]} and 类别 in ('A', 'B') or 独居, {p[2][0]}, {p[3][0]})",
                lambda v: (
                    p[2][1](v) if (p[0][1](v) > p[1][1](v) and v["grade"] in ("A", "B")) or v["alone"] else p[3][1](v)
                ),
            )
        ),
        inner.map(lambda one: (f"(-abs({one[0]}))", lambda v: -abs(one[1](v)))),
    )


FORMULAS = some.recursive(LEAVES, grown, max_leaves=8).filter(lambda tree: len(tree[0]) <= 500)
LINES = some.fixed_dictionaries(
    {
        "quantity": some.decimals(0, 99999, places=3),
        "standard": some.decimals(0, 9999, places=4),
        "people": some.integers(0, 20),
        "income": some.decimals(0, 9999, places=2).map(str),
        "grade": some.sampled_from(["A", "B", "C"]),
        "alone": some.booleans(),
    }
)
STANDARD_COLUMNS = ("quantity", "standard")


def in_postgresql(session: Session, formula: str, lines: list[dict[str, Any]]) -> list[int | None]:
    program = program_of(a_definition(formula))
    rows = [
        {"quantity": str(one["quantity"]), "standard": str(one["standard"]),
         "extra": {name: value for name, value in one.items() if name not in STANDARD_COLUMNS}}
        for one in lines
    ]  # fmt: skip
    statement = sa.text(
        f"select {program.sql} from (select (r ->> 'quantity')::numeric(14, 3) as quantity,"
        " (r ->> 'standard')::numeric(14, 4) as standard, r -> 'extra' as extra, n"
        " from jsonb_array_elements(cast(:rows as jsonb)) with ordinality as t (r, n)) f order by n"
    )
    return list(session.execute(statement, {"rows": json.dumps(rows), **program.parameters}).scalars())


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(tree=FORMULAS, lines=some.lists(LINES, min_size=1, max_size=12))
def test_python_postgresql_and_an_independent_count_give_the_same_fen(session: Session, tree, lines):
    formula, meaning = tree
    program = program_of(a_definition(formula))
    expected = [int(half_up(meaning(line), 2) * 100) for line in lines]
    if any(abs(fen) > 10**17 for fen in expected):
        return
    assert [program.fen(line) for line in lines] == expected
    assert in_postgresql(session, formula, lines) == expected


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(tree=FORMULAS, lines=some.lists(LINES, min_size=1, max_size=8), data=some.data())
def test_a_missing_field_is_missing_in_python_and_in_postgresql(session: Session, tree, lines, data):
    lines = [
        {name: value for name, value in line.items() if name in STANDARD_COLUMNS or data.draw(some.booleans())}
        for line in lines
    ]
    program = program_of(a_definition(tree[0]))
    found = [program.fen(line) for line in lines]
    if any(abs(fen or 0) > 10**17 for fen in found):
        return
    assert in_postgresql(session, tree[0], lines) == found
