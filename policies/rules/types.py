"""The type check of a condition, made when a rule is saved and again before it is compiled. （第十八条）

It also settles what a literal means: a choice's Chinese label becomes its stored value, a number added to a date
becomes days.
"""

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from policies.rules.facts import FACTS, Choices, Kind, near
from policies.rules.mistakes import TypeMismatch, UnknownFact
from policies.rules.parser import COMPARISONS, parse
from policies.rules.tree import Among, Between, Binary, Call, Known, Literal, Name, Node, Unary

ORDERED = (Kind.NUMBER, Kind.MONEY, Kind.DATE)
AMOUNTS = (Kind.NUMBER, Kind.MONEY)
MOST_DAYS = 36500
DAYS_BETWEEN = "days"
"""What `-` between two dates becomes."""


@dataclass(frozen=True)
class Type:
    """A kind; for a choice its values; plain: a number written in the rule, which may stand for money too."""

    kind: Kind
    choices: Choices = ()
    plain: bool = False

    @property
    def label(self) -> str:
        """Return the Chinese name."""
        return self.kind.label


BOOLEAN = Type(Kind.BOOLEAN)
Typed = tuple[Node, Type]


def checked(source: str) -> Node:
    """Return the tree of a condition, well typed, with facts by their English names.

    Raises SyntaxMistake, UnknownFact, TypeMismatch.
    """
    node, type_ = _Checker(source).check(parse(source))
    if type_.kind is not Kind.BOOLEAN:
        raise TypeMismatch(source, 0, f"整个条件应为是否成立，现为{type_.label}")
    return node


class _Checker:
    """Walks one tree; keeps the source for the pointer."""

    def __init__(self, source: str) -> None:
        self.source = source

    def mismatch(self, at: int, problem: str) -> TypeMismatch:
        return TypeMismatch(self.source, at, problem)

    def check(self, node: Node) -> Typed:
        match node:
            case Literal():
                return node, _literal_type(node)
            case Name():
                return self.name(node)
            case Unary():
                return self.unary(node)
            case Binary(operator="and" | "or"):
                left, right = self.truth(node.left, node.operator), self.truth(node.right, node.operator)
                return replace(node, left=left, right=right), BOOLEAN
            case Binary() if node.operator in COMPARISONS:
                return self.comparison(node)
            case Binary():
                return self.arithmetic(node)
            case Between():
                return self.between(node)
            case Among():
                return self.among(node)
            case Known():
                return replace(node, fact=self.name(node.fact)[0]), BOOLEAN
            case Call():  # the rules' parser makes none
                raise self.mismatch(node.at, f"预警规则不能使用“{node.function}”")

    def name(self, node: Name) -> tuple[Name, Type]:
        fact = FACTS.get(node.name) or FACTS.get(node.name.lower())
        if fact is None:
            raise UnknownFact(self.source, node.at, f"“{node.name}”{near(node.name)}")
        return replace(node, name=fact.name), Type(fact.kind, fact.choices)

    def truth(self, node: Node, operator: str) -> Node:
        found, type_ = self.check(node)
        if type_.kind is not Kind.BOOLEAN:
            raise self.mismatch(node.at, f"{operator} 两边应为是否成立，此处为{type_.label}")
        return found

    def unary(self, node: Unary) -> Typed:
        if node.operator == "not":
            return replace(node, operand=self.truth(node.operand, "not")), BOOLEAN
        operand, type_ = self.check(node.operand)
        if type_.kind not in AMOUNTS:
            raise self.mismatch(node.at, f"{node.operator} 只用于数字或金额，此处为{type_.label}")
        return replace(node, operand=operand), type_

    def comparison(self, node: Binary) -> Typed:
        (left, left_type), (right, right_type) = self.check(node.left), self.check(node.right)
        left, right = self.alike(left, left_type, right, right_type, node.at)
        if node.operator not in ("=", "!=") and left_type.kind not in ORDERED:
            raise self.mismatch(node.at, f"{left_type.label}不能比较大小，只能用 = 或 !=")
        return replace(node, left=left, right=right), BOOLEAN

    def between(self, node: Between) -> Typed:
        value, type_ = self.check(node.value)
        if type_.kind not in ORDERED:
            raise self.mismatch(node.at, f"{type_.label}不能比较大小，不能用 between")
        (low, low_type), (high, high_type) = self.check(node.low), self.check(node.high)
        value, low = self.alike(value, type_, low, low_type, node.low.at)
        value, high = self.alike(value, type_, high, high_type, node.high.at)
        return replace(node, value=value, low=low, high=high), BOOLEAN

    def among(self, node: Among) -> Typed:
        value, type_ = self.check(node.value)
        options: list[Literal] = []
        for option in node.options:
            value, settled = self.alike(value, type_, option, _literal_type(option), option.at)
            options.append(replace(option, value=settled.value) if isinstance(settled, Literal) else option)
        return replace(node, value=value, options=tuple(options)), BOOLEAN

    def alike(self, left: Node, left_type: Type, right: Node, right_type: Type, at: int) -> tuple[Node, Node]:
        """Return both sides settled to one type, or refuse."""
        if left_type.kind is Kind.CHOICE and isinstance(right, Literal):
            return left, self.choice(right, left_type)
        if right_type.kind is Kind.CHOICE and isinstance(left, Literal):
            return self.choice(left, right_type), right
        same = left_type.kind is right_type.kind and left_type.choices == right_type.choices
        if same or _both_amounts(left_type, right_type):
            return left, right
        raise self.mismatch(at, f"{left_type.label}不能与{right_type.label}比较")

    def choice(self, node: Literal, type_: Type) -> Literal:
        for value, label in type_.choices:
            if node.value in (value, label):
                return replace(node, value=value)
        allowed = "、".join(label for _, label in type_.choices)
        raise self.mismatch(node.at, f"取值应为 {allowed} 之一")

    def arithmetic(self, node: Binary) -> Typed:
        (left, left_type), (right, right_type) = self.check(node.left), self.check(node.right)
        if left_type.kind is Kind.DATE and node.operator in "+-" and right_type.kind is Kind.NUMBER:
            return replace(node, left=left, right=self.days(right)), left_type
        result = _result(node.operator, left_type, right_type)
        if result is None:
            raise self.mismatch(node.at, f"{left_type.label}与{right_type.label}不能用 {node.operator} 运算")
        operator = DAYS_BETWEEN if left_type.kind is Kind.DATE else node.operator
        return replace(node, left=left, right=right, operator=operator), result

    def days(self, node: Node) -> Literal:
        if isinstance(node, Literal) and isinstance(node.value, Decimal):
            days = node.value
            if days == days.to_integral_value() and days <= MOST_DAYS:
                return Literal(int(days), node.at)
        raise self.mismatch(node.at, f"日期只能加减固定的整天数，最多 {MOST_DAYS} 天")


def _literal_type(node: Literal) -> Type:
    match node.value:
        case bool():
            return BOOLEAN
        case date():
            return Type(Kind.DATE)
        case str():
            return Type(Kind.TEXT)
    return Type(Kind.NUMBER, plain=True)


def _both_amounts(left: Type, right: Type) -> bool:
    return left.kind in AMOUNTS and right.kind in AMOUNTS and (left.plain or right.plain)


def _result(operator: str, left: Type, right: Type) -> Type | None:
    """Return the type of an arithmetic operation, or None where it makes no sense."""
    kinds = (left.kind, right.kind)
    if kinds == (Kind.DATE, Kind.DATE) and operator == "-":
        return Type(Kind.NUMBER)
    if not all(kind in AMOUNTS for kind in kinds):
        return None
    money = Kind.MONEY in kinds
    plain = left.plain and right.plain
    match operator:
        case "+" | "-":
            fits = left.kind is right.kind or left.plain or right.plain
            return Type(Kind.MONEY if money else Kind.NUMBER, plain=plain) if fits else None
        case "*":
            return (
                None if kinds == (Kind.MONEY, Kind.MONEY) else Type(Kind.MONEY if money else Kind.NUMBER, plain=plain)
            )
    if kinds == (Kind.NUMBER, Kind.MONEY):
        return None
    return Type(Kind.MONEY if kinds == (Kind.MONEY, Kind.NUMBER) else Kind.NUMBER, plain=plain)
