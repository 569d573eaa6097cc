"""All rules of one gate become ONE set-based statement with bound parameters. （第十八条）

No word of a rule enters the SQL: facts are columns of our own table of facts, everything else is a parameter. The
statement binds :division_code, :roster_id and :today besides; it returns a row per hit, and one row (line 0) per rule
that could not judge some lines because a fact is missing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Protocol

from policies.rules.facts import FACTS, Fact, Kind
from policies.rules.messages import Part, parts_of
from policies.rules.mistakes import RuleBroken, RuleMistake
from policies.rules.sources import GATE, NOTHING
from policies.rules.tree import Among, Between, Binary, Call, Known, Literal, Name, Node, Unary, Value, names_in
from policies.rules.types import DAYS_BETWEEN, checked

Parameters = dict[str, Value]


class Rule(Protocol):
    """What the compiler reads of a rule."""

    @property
    def code(self) -> str:
        """Return the code, unique within a gate."""

    @property
    def version(self) -> int:
        """Return the version that hits keep."""

    @property
    def name(self) -> str:
        """Return the Chinese name."""

    @property
    def light(self) -> str:
        """Return red, yellow or blue."""

    @property
    def expression(self) -> str:
        """Return the condition."""

    @property
    def message(self) -> str:
        """Return the template of the message."""


@dataclass
class Binder:
    """Collects the parameters; equal values share one."""

    parameters: Parameters = field(default_factory=dict)
    placed: dict[tuple[type, Value], str] = field(default_factory=dict)

    def put(self, value: Value) -> str:
        """Return the typed placeholder of a value."""
        key = (type(value), value)
        if key not in self.placed:
            name = f"p{len(self.parameters)}"
            self.parameters[name] = value
            self.placed[key] = f"cast(:{name} as {_sql_type(value)})"
        return self.placed[key]


def _sql_type(value: Value) -> str:
    match value:
        case bool():
            return "boolean"
        case int():
            return "integer"
        case Decimal():
            return "numeric"
        case date():
            return "date"
    return "text"


@dataclass(frozen=True)
class Compiled:
    """One rule, checked, with its SQL."""

    number: int
    rule: Rule
    condition: str
    facts: tuple[Fact, ...]
    parts: tuple[Part, ...]


def compile_gate(rules: Sequence[Rule]) -> tuple[str, Parameters]:
    """Return one SELECT over all lines of a roster for all these rules, and its parameters.

    The caller adds division_code, roster_id and today. Raises RuleBroken: a rule that can't be run stops the gate.
    """
    binder = Binder()
    compiled = [_compile(number, rule, binder) for number, rule in enumerate(rules, 1)]
    if not compiled:
        return NOTHING, {}
    facts = dict.fromkeys(fact for one in compiled for fact in (*one.facts, *_facts_of(one.parts)))
    columns, joins = _base(tuple(facts))
    statement = GATE.format(
        columns=columns,
        joins=joins,
        rules=", ".join(_row(one, binder) for one in compiled),
        marks=", ".join(
            f"case {one.condition} when true then {one.number} when false then null else -{one.number} end"
            for one in compiled
        ),
        messages=_cases((one.number, _message(one.parts, binder)) for one in compiled),
        evidence=_cases((one.number, _evidence(one.facts, binder)) for one in compiled),
        missing=_cases((one.number, _missing(one.facts, binder)) for one in compiled),
    )
    return statement, binder.parameters


def _cases(cases: Iterable[tuple[int, str]]) -> str:
    return "case b.rule " + " ".join(f"when {number} then {sql}" for number, sql in cases) + " end"


def _compile(number: int, rule: Rule, binder: Binder) -> Compiled:
    try:
        node, parts = checked(rule.expression), parts_of(rule.message)
    except RuleMistake as mistake:
        raise RuleBroken(code=rule.code, name=rule.name, problem=str(mistake)) from mistake
    facts = tuple(FACTS[name] for name in names_in(node))
    return Compiled(number, rule, condition_sql(node, binder), facts, parts)


def condition_sql(node: Node, binder: Binder) -> str:
    """Return the SQL of a checked tree, every node in parentheses; three-valued, as missing facts need it."""
    match node:
        case Literal():
            return binder.put(node.value)
        case Name():
            return f"b.f_{node.name}"
        case Unary(operator="abs"):
            return f"abs({condition_sql(node.operand, binder)})"
        case Unary():
            return f"({node.operator} {condition_sql(node.operand, binder)})"
        case Binary():
            return _binary(node.operator, condition_sql(node.left, binder), condition_sql(node.right, binder))
        case Between():
            value, low, high = (condition_sql(part, binder) for part in (node.value, node.low, node.high))
            return f"({value} between {low} and {high})"
        case Among():
            options = ", ".join(binder.put(option.value) for option in node.options)
            return f"({condition_sql(node.value, binder)} in ({options}))"
        case Known():
            return f"({condition_sql(node.fact, binder)} is not null)"
        case Call():  # refused by the type check
            raise AssertionError(node.function)


def _binary(operator: str, left: str, right: str) -> str:
    if operator == "/":
        return f"({left} / nullif({right}, 0))"  # a division by zero is not judged
    if operator == DAYS_BETWEEN:
        return f"cast({left} - {right} as numeric)"
    return f"({left} {'<>' if operator == '!=' else operator} {right})"


def _base(facts: tuple[Fact, ...]) -> tuple[str, str]:
    joins = dict.fromkeys(fact.source.join for fact in facts if fact.source is not None)
    return "".join(f", {_typed(fact)} as f_{fact.name}" for fact in facts), "\n".join(joins)


def _typed(fact: Fact) -> str:
    # Whole numbers would divide without remainder: numbers are numeric, always.
    return f"cast({fact.sql} as numeric)" if fact.kind in (Kind.NUMBER, Kind.MONEY) else f"({fact.sql})"


def _row(one: Compiled, binder: Binder) -> str:
    rule = one.rule
    cells = (binder.put(str(rule.code)), binder.put(rule.version), binder.put(rule.name), binder.put(str(rule.light)))
    return f"({one.number}, {', '.join(cells)})"


def _message(parts: Sequence[Part], binder: Binder) -> str:
    return (
        "(" + " || ".join(shown(part, binder) if isinstance(part, Fact) else binder.put(part) for part in parts) + ")"
    )


def _evidence(facts: Sequence[Fact], binder: Binder) -> str:
    pairs = [f"{binder.put(fact.title)}, {shown(fact, binder)}" for fact in facts if not fact.moving]
    return f"jsonb_build_object({', '.join(pairs)})"


def shown(fact: Fact, binder: Binder) -> str:
    """Return the SQL of a fact as officers read it; a missing one reads 未知."""
    column = f"b.f_{fact.name}"
    match fact.kind:
        case Kind.NUMBER:
            text = f"cast(trim_scale({column}) as text)"
        case Kind.MONEY:
            text = f"to_char({column}, 'FM999999999999990.00##')"
        case Kind.DATE:
            text = f"to_char({column}, 'YYYY-MM-DD')"
        case Kind.BOOLEAN:
            text = f"case when {column} then {binder.put('是')} when not {column} then {binder.put('否')} end"
        case Kind.CHOICE:
            labels = " ".join(f"when {binder.put(value)} then {binder.put(label)}" for value, label in fact.choices)
            text = f"case {column} {labels} else {column} end"
        case Kind.TEXT:
            text = column
    return f"coalesce({text}, {binder.put('未知')})"


def _missing(facts: Sequence[Fact], binder: Binder) -> str:
    cells = [f"case when b.f_{fact.name} is null then {binder.put(fact.title)} end" for fact in facts]
    return f"array[{', '.join(cells)}]" if cells else "cast(null as text[])"


def _facts_of(parts: Sequence[Part]) -> tuple[Fact, ...]:
    return tuple(part for part in parts if isinstance(part, Fact))
