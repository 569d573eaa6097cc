"""The syntax tree of a condition; every node knows its place in the source."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

Value = Decimal | str | date | bool | int


@dataclass(frozen=True)
class Literal:
    """A number, a text, a date or a truth value; an int is a number of days."""

    value: Value
    at: int = 0


@dataclass(frozen=True)
class Name:
    """A fact, called by its English or Chinese name."""

    name: str
    at: int = 0


@dataclass(frozen=True)
class Unary:
    """`not`, `-` or `abs` of one operand."""

    operator: str
    operand: "Node"
    at: int = 0


@dataclass(frozen=True)
class Binary:
    """Two operands: `and`, `or`, a comparison or arithmetic."""

    operator: str
    left: "Node"
    right: "Node"
    at: int = 0


@dataclass(frozen=True)
class Between:
    """A value within two bounds, both included."""

    value: "Node"
    low: "Node"
    high: "Node"
    at: int = 0


@dataclass(frozen=True)
class Among:
    """A value that is one of several literals."""

    value: "Node"
    options: tuple[Literal, ...]
    at: int = 0


@dataclass(frozen=True)
class Known:
    """Whether a fact is known, so that a rule may say what a missing one means."""

    fact: Name
    at: int = 0


@dataclass(frozen=True)
class Call:
    """A function of several operands: min, max, round, if (formulas of projects)."""

    function: str
    operands: tuple["Node", ...]
    at: int = 0


Node = Literal | Name | Unary | Binary | Between | Among | Known | Call


def names_in(node: Node) -> tuple[str, ...]:
    """Return the names of the facts a tree reads, each once, in order."""
    match node:
        case Literal():
            found: tuple[str, ...] = ()
        case Name():
            found = (node.name,)
        case Unary():
            found = names_in(node.operand)
        case Binary():
            found = names_in(node.left) + names_in(node.right)
        case Between():
            found = names_in(node.value) + names_in(node.low) + names_in(node.high)
        case Among():
            found = names_in(node.value)
        case Known():
            found = (node.fact.name,)
        case Call():
            found = tuple(name for operand in node.operands for name in names_in(operand))
    return tuple(dict.fromkeys(found))
