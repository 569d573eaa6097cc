"""A formula as a program: whole numbers over a denominator that is known beforehand, in Python and in PostgreSQL alike.

（第十六条） Nothing is divided before the end but by constants, so both count exactly; the fen is rounded half up, once
unless the formula rounds itself. A missing field makes an amount missing, as in the rules; only `known` says otherwise.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from math import lcm
from typing import Any

from policies.definitions import DEFAULT_FORMULA, Definition, stored
from policies.formulas.fields import day_of, decimal_of
from policies.formulas.language import Variable, checked, constant, variables_of
from policies.refusals import Refused
from policies.rules.facts import Kind
from policies.rules.tree import Among, Between, Binary, Call, Known, Literal, Name, Node, Unary, names_in

Values = Mapping[str, Any]
MOST_FEN = 10**11
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: bool(a == b), "!=": lambda a, b: bool(a != b), "<": lambda a, b: bool(a < b),
    "<=": lambda a, b: bool(a <= b), ">": lambda a, b: bool(a > b), ">=": lambda a, b: bool(a >= b),
}  # fmt: skip


class AmountMissing(Refused):
    """按项目公式不能计算金额：缺少{missing}；请补充后再办理。"""

    status_code = 400


class AmountOutside(Refused):
    """按项目公式算出的金额为 {amount} 元，应大于零且不超过 10 亿元；请核对数量、标准和项目字段。"""

    status_code = 400


@dataclass(frozen=True)
class Part:
    """A piece of the program; a number is a whole number over `den`."""

    run: Callable[[Values], Any]
    sql: str
    den: int = 0
    """0: no number."""

    def over(self, den: int) -> "Part":
        """Return the number over a multiple of its denominator."""
        factor, run = den // self.den, self.run
        if factor == 1:
            return self
        return Part(lambda v: None if (n := run(v)) is None else n * factor, f"({self.sql} * {factor}::numeric)", den)


@dataclass(frozen=True)
class Program:
    """What computes the amounts of a definition."""

    definition: Definition
    names: tuple[str, ...]
    plain: bool
    """Quantity × standard, no more: what sheets are checked against without a program."""
    sql: str
    """The amount in fen of a row `f` with quantity, standard and extra; null where a field is missing."""
    parameters: dict[str, Any]
    _run: Callable[[Values], int | None]

    def fen(self, values: Values) -> int | None:
        """Return the amount of one line in fen; None when a field that it needs is missing.

        values: quantity and standard as Decimal, the project's own fields as they are kept in `extra`.
        """
        return self._run(values)

    def amount_fen(self, values: Values) -> int:
        """Return the amount of one line in fen. Raises AmountMissing, AmountOutside."""
        found = self._run(values)
        if found is None:
            known = variables_of(self.definition)
            missing = [known[name].title for name in self.names if values.get(name) in (None, "")]
            raise AmountMissing(missing="、".join(missing) or "计算所需的字段")
        if not 0 < found <= MOST_FEN:
            sign = "-" if found < 0 else ""
            raise AmountOutside(amount=f"{sign}{abs(found) // 100}.{abs(found) % 100:02d}")
        return found


def program_of(definition: Definition) -> Program:
    """Return the program of a definition's formula. Raises FormulaWrong."""
    return _program(_Frozen(definition))


class _Frozen:
    """A definition as a key: what is the same to a formula is the same program."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self._key = repr((definition.formula, stored(definition)["fields"]))

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Frozen) and self._key == other._key


@lru_cache(maxsize=256)
def _program(frozen: _Frozen) -> Program:
    definition = frozen.definition
    node = checked(definition)
    compiler = _Compiler(variables_of(definition))
    part = _rounded(compiler.part(node), 2)
    plain = definition.formula.replace(" ", "") == DEFAULT_FORMULA.replace(" ", "") and not definition.component
    return Program(
        definition, names_in(node), plain, f"cast({part.sql} as bigint)", compiler.parameters, part.run
    )  # fmt: skip


def _rounded(part: Part, places: int) -> Part:
    """Return a number as whole units of 10^-places, half away from zero: half up for what is paid."""
    scale, den, run = 2 * 10**places, part.den, part.run

    def whole(values: Values) -> int | None:
        number = run(values)
        if number is None:
            return None
        size: int = (abs(number) * scale + den) // (2 * den)
        return size if number >= 0 else -size

    sql = f"(sign({part.sql}) * div(abs({part.sql}) * {scale}::numeric + {den}::numeric, {2 * den}::numeric))"
    return Part(whole, sql, 1)


class _Compiler:
    """Makes the parts of one tree; texts and days of the formula become parameters of the statement."""

    def __init__(self, variables: Mapping[str, Variable]) -> None:
        self.variables = variables
        self.parameters: dict[str, Any] = {}

    def bound(self, value: Any, kind: str) -> str:
        name = f"formula_{len(self.parameters)}"
        self.parameters[name] = value
        return f"cast(:{name} as {kind})"

    def part(self, node: Node) -> Part:
        match node:
            case Literal():
                return self.literal(node)
            case Name():
                return self.variable(self.variables[node.name])
            case Unary():
                return self.unary(node)
            case Binary(operator="and" | "or"):
                return self.logic(node)
            case Binary(operator="+" | "-" | "*" | "/"):
                return self.arithmetic(node)
            case Binary():
                return _compared(node.operator, self.part(node.left), self.part(node.right))
            case Between():
                value = self.part(node.value)
                low = _compared(">=", value, self.part(node.low))
                return _both(low, _compared("<=", value, self.part(node.high)), "and")
            case Among():
                value = self.part(node.value)
                found = [_compared("=", value, self.part(option)) for option in node.options]
                result = found[0]
                for one in found[1:]:
                    result = _both(result, one, "or")
                return result
            case Known():
                known = self.part(node.fact)
                return Part(lambda v: known.run(v) is not None, f"({known.sql} is not null)")
            case Call():
                return self.call(node)

    def literal(self, node: Literal) -> Part:
        value = node.value
        match value:
            case bool():
                return Part(lambda _: value, "true" if value else "false")
            case Decimal():
                number, den = value.as_integer_ratio()
                return Part(lambda _: number, f"{number}::numeric", den)
            case date():
                return Part(lambda _: value, self.bound(value, "date"))
        return Part(lambda _: value, self.bound(str(value), "text"))

    def variable(self, one: Variable) -> Part:
        name = one.name
        text = f"nullif(f.extra ->> '{name}', '')"
        match one.kind:
            case Kind.NUMBER:
                scale = 10**one.places
                column = f"cast({text} as numeric)" if one.own else f"f.{name}"
                return Part(lambda v: _scaled(v.get(name), scale), f"({column} * {scale}::numeric)", scale)
            case Kind.BOOLEAN:
                return Part(lambda v: None if (x := v.get(name)) in (None, "") else bool(x), f"cast({text} as boolean)")
            case Kind.DATE:
                return Part(lambda v: None if (x := v.get(name)) in (None, "") else day_of(x), f"cast({text} as date)")
        return Part(lambda v: None if (x := v.get(name)) in (None, "") else str(x), text)

    def unary(self, node: Unary) -> Part:
        part = self.part(node.operand)
        run = part.run
        match node.operator:
            case "not":
                return Part(lambda v: None if (x := run(v)) is None else not x, f"(not {part.sql})")
            case "abs":
                return Part(lambda v: None if (x := run(v)) is None else abs(x), f"abs({part.sql})", part.den)
        return Part(lambda v: None if (x := run(v)) is None else -x, f"(-{part.sql})", part.den)

    def logic(self, node: Binary) -> Part:
        return _both(self.part(node.left), self.part(node.right), node.operator)

    def arithmetic(self, node: Binary) -> Part:
        left = self.part(node.left)
        if node.operator == "/":
            by = constant(node.right)
            assert by is not None  # the type check refused anything else
            number, den = by.as_integer_ratio()
            factor, run = (den if number > 0 else -den), left.run
            sql = f"({left.sql} * {factor}::numeric)" if factor > 0 else f"({left.sql} * ({factor})::numeric)"
            return Part(lambda v: None if (x := run(v)) is None else x * factor, sql, left.den * abs(number))
        right = self.part(node.right)
        if node.operator == "*":
            one, other = left.run, right.run
            return Part(
                lambda v: None if (x := one(v)) is None or (y := other(v)) is None else x * y,
                f"({left.sql} * {right.sql})",
                left.den * right.den,
            )
        den = lcm(left.den, right.den)
        left, right = left.over(den), right.over(den)
        one, other, minus = left.run, right.run, node.operator == "-"
        return Part(
            lambda v: None if (x := one(v)) is None or (y := other(v)) is None else (x - y if minus else x + y),
            f"({left.sql} {node.operator} {right.sql})",
            den,
        )

    def call(self, node: Call) -> Part:
        if node.function == "round":
            places = int(constant(node.operands[1]) or 0) if len(node.operands) == 2 else 0
            whole = _rounded(self.part(node.operands[0]), places)
            return Part(whole.run, whole.sql, 10**places)
        if node.function == "if":
            return self.branches(node)
        parts = [self.part(operand) for operand in node.operands]
        den = lcm(*(part.den for part in parts))
        parts = [part.over(den) for part in parts]
        choose = min if node.function == "min" else max

        def run(values: Values) -> Any:
            found = [part.run(values) for part in parts]
            return None if None in found else choose(found)

        word = "least" if node.function == "min" else "greatest"
        missing = " or ".join(f"{part.sql} is null" for part in parts)
        sql = f"(case when {missing} then null else {word}({', '.join(part.sql for part in parts)}) end)"
        return Part(run, sql, den)

    def branches(self, node: Call) -> Part:
        condition, one, other = (self.part(operand) for operand in node.operands)
        den = lcm(one.den, other.den)
        one, other = one.over(den), other.over(den)

        def run(values: Values) -> Any:
            met = condition.run(values)
            return None if met is None else one.run(values) if met else other.run(values)

        sql = f"(case when {condition.sql} then {one.sql} when not {condition.sql} then {other.sql} end)"
        return Part(run, sql, den)


def _scaled(value: Any, scale: int) -> int | None:
    number = value if isinstance(value, Decimal) else None if value in (None, "") else decimal_of(value)
    return None if number is None else int(number * scale)


def _compared(operator: str, left: Part, right: Part) -> Part:
    if left.den:
        den = lcm(left.den, right.den)
        left, right = left.over(den), right.over(den)
    one, other, compare = left.run, right.run, COMPARE[operator]
    return Part(
        lambda v: None if (x := one(v)) is None or (y := other(v)) is None else compare(x, y),
        f"({left.sql} {'<>' if operator == '!=' else operator} {right.sql})",
    )


def _both(left: Part, right: Part, operator: str) -> Part:
    """Return two truths joined, three-valued as PostgreSQL joins them."""
    decides = operator == "or"

    def run(values: Values) -> bool | None:
        one, other = left.run(values), right.run(values)
        if decides in (one, other):
            return decides
        return None if None in (one, other) else not decides

    return Part(run, f"({left.sql} {operator} {right.sql})")
