"""The formula's words and types: the rules' language over a line's quantity, standard and the project's own fields.

（第十六条） Facts are called by their Chinese title or their name; functions: abs, min, max, round(x, n), if(c, a, b).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from difflib import get_close_matches
from typing import Any

from policies.definitions import Definition
from policies.formulas.fields import properties, title_of
from policies.refusals import Refused
from policies.rules.facts import Kind
from policies.rules.mistakes import RuleMistake, TypeMismatch, UnknownFact
from policies.rules.parser import COMPARISONS, parse
from policies.rules.tree import Among, Between, Binary, Call, Known, Literal, Name, Node, Unary

FUNCTIONS: Mapping[str, tuple[str, int, int]] = {
    "min": ("min", 2, 10), "最小": ("min", 2, 10), "max": ("max", 2, 10), "最大": ("max", 2, 10),
    "round": ("round", 1, 2), "四舍五入": ("round", 1, 2), "if": ("if", 3, 3), "如果": ("if", 3, 3),
}  # fmt: skip
"""What may be called: the function, and how many operands it takes."""
MOST_ROUND = 6


class FormulaWrong(Refused):
    """金额公式第 {line} 行第 {column} 列：{problem}{pointer}"""

    status_code = 400


@dataclass(frozen=True)
class Variable:
    """What a formula may name."""

    name: str
    title: str
    kind: Kind
    places: int = 0
    """Decimals of a number as it is kept."""
    choices: tuple[str, ...] = ()
    own: bool = True
    """One of the project's own fields, kept in `extra`."""
    optional: bool = False


QUANTITY = Variable("quantity", "数量", Kind.NUMBER, 3, own=False)
STANDARD = Variable("standard", "补贴标准", Kind.NUMBER, 4, own=False)


def variables_of(definition: Definition) -> dict[str, Variable]:
    """Return what the project's formula may name, by name and by title."""
    needed = set(definition.fields.get("required", ()))
    found = {called: one for one in (QUANTITY, STANDARD) for called in (one.name, one.title)} | {"标准": STANDARD}
    for name, spec in properties(definition).items():
        one = _variable(name, spec, optional=name not in needed)
        found |= {one.name: one, one.title: one}
    return found


def _variable(name: str, spec: Mapping[str, Any], *, optional: bool) -> Variable:
    title = title_of(name, spec)
    match spec.get("type"):
        case "number":
            return Variable(name, title, Kind.NUMBER, 6, optional=optional)
        case "integer":
            return Variable(name, title, Kind.NUMBER, optional=optional)
        case "boolean":
            return Variable(name, title, Kind.BOOLEAN, optional=optional)
    if spec.get("format") == "date":
        return Variable(name, title, Kind.DATE, optional=optional)
    if "enum" in spec:
        return Variable(name, title, Kind.CHOICE, choices=tuple(map(str, spec["enum"])), optional=optional)
    return Variable(name, title, Kind.TEXT, optional=optional)


def checked(definition: Definition) -> Node:
    """Return the tree of the project's formula, well typed, with its variables by name. Raises FormulaWrong."""
    source = definition.formula
    try:
        node, kind = _Checker(source, variables_of(definition)).check(parse(source, FUNCTIONS))
        if kind is not Kind.NUMBER:
            raise TypeMismatch(source, 0, f"公式应算出金额（元），现为{kind.label}")
    except RuleMistake as mistake:
        told = {name: mistake.fields[name] for name in ("line", "column", "pointer")}
        problem = str(mistake.fields["problem"]).replace("条件", "公式")
        raise FormulaWrong(place="formula", problem=problem, **told) from mistake
    return node


Typed = tuple[Node, Kind]


class _Checker:
    """Walks one tree; keeps the source for the pointer."""

    def __init__(self, source: str, variables: Mapping[str, Variable]) -> None:
        self.source, self.variables = source, variables

    def mismatch(self, at: int, problem: str) -> TypeMismatch:
        return TypeMismatch(self.source, at, problem)

    def check(self, node: Node) -> Typed:
        match node:
            case Literal():
                return node, _kind_of(node)
            case Name():
                return self.name(node)
            case Unary(operator="not"):
                return replace(node, operand=self.truth(node.operand)), Kind.BOOLEAN
            case Unary():
                return replace(node, operand=self.number(node.operand, node.operator)), Kind.NUMBER
            case Binary(operator="and" | "or"):
                return replace(node, left=self.truth(node.left), right=self.truth(node.right)), Kind.BOOLEAN
            case Binary() if node.operator in COMPARISONS:
                return self.comparison(node)
            case Binary():
                return self.arithmetic(node), Kind.NUMBER
            case Between():
                value, low = self.alike(node.value, node.low, node.at, ordered=True)
                value, high = self.alike(node.value, node.high, node.at, ordered=True)
                return replace(node, value=value, low=low, high=high), Kind.BOOLEAN
            case Among():
                pairs = [self.alike(node.value, option, option.at) for option in node.options]
                options = tuple(option for _, option in pairs if isinstance(option, Literal))
                return replace(node, value=pairs[0][0], options=options), Kind.BOOLEAN
            case Known():
                found = self.name(node.fact)[0]
                return replace(node, fact=found), Kind.BOOLEAN
            case Call():
                return self.call(node)

    def name(self, node: Name) -> tuple[Name, Kind]:
        found = self.variables.get(node.name) or self.variables.get(node.name.lower())
        if found is None:
            titles = sorted({one.title for one in self.variables.values()})
            near = get_close_matches(node.name, titles, n=1, cutoff=0.5)
            hint = f"，是否指“{near[0]}”" if near else f"，可用：{'、'.join(titles)}"
            raise UnknownFact(self.source, node.at, f"没有“{node.name}”{hint}")
        return replace(node, name=found.name), found.kind

    def truth(self, node: Node) -> Node:
        found, kind = self.check(node)
        if kind is not Kind.BOOLEAN:
            raise self.mismatch(node.at, f"此处应为是否成立，现为{kind.label}")
        return found

    def number(self, node: Node, operator: str) -> Node:
        found, kind = self.check(node)
        if kind is not Kind.NUMBER:
            raise self.mismatch(node.at, f"{operator} 只用于数字，此处为{kind.label}")
        return found

    def comparison(self, node: Binary) -> Typed:
        left, right = self.alike(node.left, node.right, node.at, ordered=node.operator not in ("=", "!="))
        return replace(node, left=left, right=right), Kind.BOOLEAN

    def alike(self, one: Node, other: Node, at: int, *, ordered: bool = False) -> tuple[Node, Node]:
        """Return both sides settled to one kind, or refuse."""
        (left, left_kind), (right, right_kind) = self.check(one), self.check(other)
        kinds = {left_kind, right_kind}
        if kinds == {Kind.CHOICE, Kind.TEXT} or kinds == {Kind.CHOICE}:
            self.choice(left, right)
        elif len(kinds) > 1:
            raise self.mismatch(at, f"{left_kind.label}不能与{right_kind.label}比较")
        if ordered and not kinds <= {Kind.NUMBER, Kind.DATE}:
            raise self.mismatch(at, f"{left_kind.label}不能比较大小")
        return left, right

    def choice(self, left: Node, right: Node) -> None:
        name, said = (left, right) if isinstance(left, Name) else (right, left)
        known = self.variables[name.name].choices if isinstance(name, Name) else ()
        if isinstance(said, Literal) and said.value not in known:
            raise self.mismatch(said.at, f"取值应为 {'、'.join(known)} 之一")

    def arithmetic(self, node: Binary) -> Binary:
        left, right = self.number(node.left, node.operator), self.number(node.right, node.operator)
        if node.operator == "/":
            value = constant(right)
            if value is None:
                raise self.mismatch(node.right.at, "只能除以固定的数字，以免各处算出的分不一致；请改写为乘以系数")
            if value == 0:
                raise self.mismatch(node.right.at, "不能除以零")
        return replace(node, left=left, right=right)

    def call(self, node: Call) -> Typed:
        if node.function == "round":
            if len(node.operands) == 2 and not _places(constant(node.operands[1])):
                raise self.mismatch(node.operands[1].at, f"小数位数应为 0 至 {MOST_ROUND} 的固定整数")
            rest = node.operands[1:]
            return replace(node, operands=(self.number(node.operands[0], "round"), *rest)), Kind.NUMBER
        if node.function == "if":
            condition = self.truth(node.operands[0])
            branches = tuple(self.number(one, "if 的结果") for one in node.operands[1:])
            return replace(node, operands=(condition, *branches)), Kind.NUMBER
        return replace(node, operands=tuple(self.number(one, node.function) for one in node.operands)), Kind.NUMBER


def constant(node: Node) -> Decimal | None:
    """Return the number that a tree always is, if it names nothing."""
    match node:
        case Literal(value=bool()):
            return None
        case Literal(value=Decimal() as value):
            return value
        case Unary(operator="-"):
            value_or_none = constant(node.operand)
            return None if value_or_none is None else -value_or_none
    return None


def _places(value: Decimal | None) -> bool:
    return value is not None and value == value.to_integral_value() and 0 <= value <= MOST_ROUND


def _kind_of(node: Literal) -> Kind:
    match node.value:
        case bool():
            return Kind.BOOLEAN
        case date():
            return Kind.DATE
        case str():
            return Kind.TEXT
    return Kind.NUMBER
