"""A project's own fields and its amount, as data: JSON Schema and a formula. （第七条、第十六条，DESIGN D6、D12）

`check` tells what is wrong where it is written; `program_of` makes of a definition what computes amounts: in Python for
one line or a sheet, in PostgreSQL for a whole roster. Both compute with whole numbers over a fixed denominator, so that
they agree to the fen.
"""

from policies.definitions import Definition
from policies.formulas.fields import check_fields
from policies.formulas.language import FormulaWrong, Variable, variables_of
from policies.formulas.program import AmountMissing, Program, program_of
from policies.formulas.values import component_of

__all__ = [
    "AmountMissing",
    "FormulaWrong",
    "Program",
    "Variable",
    "check",
    "component_of",
    "program_of",
    "variables_of",
]


def check(definition: Definition) -> None:
    """Tell the first mistake in fields, component, publicness or formula. （第七条）

    Raises FieldsWrong, FormulaWrong: their field `place` names the place on the form.
    """
    check_fields(definition)
    program_of(definition)
