"""A project's own fields as an application fills them, its component and its amount: as `policies/formulas` says.

（第十三、十四条） A refusal names the field and the remedy, never what was typed: refusals are kept.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from policies.definitions import Definition
from policies.formulas import component_of, program_of
from policies.formulas.fields import properties, required, title_of
from policies.formulas.values import LONG_NUMBER, read_value, shown
from policies.refusals import Refused

__all__ = [
    "LONG_NUMBER", "ValueWrong", "amount_sql", "component_of", "expected_fen", "properties", "read_values", "shown",
    "title_of", "wrong_values",
]  # fmt: skip

TYPED = 20


class ValueWrong(Refused):
    """项目字段“{field}”{problem}；{remedy}。"""

    status_code = 400


def wrong_values(definition: Definition, given: Mapping[str, Any]) -> tuple[dict[str, Any], list[tuple[str, str, str]]]:
    """Return the fields' values as they are kept, and for each mistake the field, the problem and the remedy."""
    known, needed = properties(definition), required(definition)
    problems = [(name, "不是本项目的字段", "请删去") for name in given if name not in known]
    values: dict[str, Any] = {}
    for name, spec in known.items():
        value, problem, remedy = read_value(spec, given.get(name))
        if problem:
            problems.append((name, _unquoted(problem, given[name]), remedy))
        elif value is not None:
            values[name] = value
        elif name in needed:
            problems.append((name, "没有填写", "请补充后提交"))
    return values, problems


def _unquoted(problem: str, given: Any) -> str:
    typed = str(given).strip()[:TYPED]
    return problem.replace(f"“{typed}”", "").replace(typed, "").strip() if typed else problem


def read_values(definition: Definition, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields' values as they are kept. Raises ValueWrong naming the field, the mistake and the remedy."""
    values, problems = wrong_values(definition, given)
    if problems:
        name, problem, remedy = problems[0]
        field = title_of(name, properties(definition).get(name, {}))
        raise ValueWrong(field=field[:TYPED], problem=problem, remedy=remedy)
    return values


def expected_fen(definition: Definition, quantity: Decimal, standard: Decimal, values: Mapping[str, Any]) -> int:
    """Return the amount by the project's formula, half up to the fen. Raises AmountMissing, AmountOutside."""
    return program_of(definition).amount_fen({"quantity": quantity, "standard": standard, **values})


def amount_sql(definition: Definition) -> tuple[str, dict[str, Any]]:
    """Return the same amount as PostgreSQL computes it of a row `f`, with its parameters."""
    program = program_of(definition)
    return program.sql, program.parameters
