"""The columns of a project's own fields: each cell read by its schema, every problem told. （第十六条）"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from policies.definitions import Definition
from policies.formulas import Program
from policies.formulas.fields import properties, required
from policies.formulas.values import read_value
from policies.refusals import Refused
from reports.sheets import cells
from reports.sheets.templates import OWN

Tell = Callable[[int, str, str, str], None]
"""Row number, name of the column, what is wrong, remedy."""


class OwnColumns:
    """Reads the own columns of a definition."""

    def __init__(self, definition: Definition) -> None:
        self.specs = dict(properties(definition))
        self.required = required(definition)

    def read(self, raw: Mapping[str, Sequence[Any]], numbers: Sequence[int], tell: Tell) -> list[dict[str, Any]]:
        """Return the values of each row by field name, as they are kept; empty optional cells are left out."""
        found: list[dict[str, Any]] = [{} for _ in numbers]
        for name, spec in self.specs.items():
            column = raw.get(OWN + name)
            needed = name in self.required
            known: dict[Any, tuple[Any, str, str]] = {}
            for place, number in enumerate(numbers):
                given = "" if column is None else column[place]
                key = (type(given), given)
                if key not in known:  # columns repeat themselves: a choice is read once
                    known[key] = read_value(spec, given)
                value, what, remedy = known[key]
                if what:
                    tell(number, OWN + name, what, remedy)
                elif value is not None:
                    found[place][name] = value
                elif needed:
                    tell(number, OWN + name, "必填项没有填写", "请填写该项")
        return found


def check_amounts(
    program: Program,
    rows: Iterable[tuple[int, int, int, int, Mapping[str, Any]]],
    standards: Sequence[Decimal],
    tell: Tell,
) -> None:
    """Compare amounts with the project's formula; standards only where the formula reads them. （第十六条）

    rows: row number, quantity in thousandths, standard in ten-thousandths of a yuan, amount in fen, own fields.
    """
    allowed = {int(standard.scaleb(cells.STANDARD_PLACES)) for standard in standards}
    listed = "、".join(f"{standard.normalize():f}" for standard in standards)
    for number, milli, units, amount, extra in rows:
        if "standard" in program.names and units and units not in allowed:
            tell(number, "standard", "补贴标准与公布的标准不一致", f"本期公布的标准为 {listed} 元，请更正")
            continue
        quantity, standard = Decimal(milli).scaleb(-cells.AREA_PLACES), Decimal(units).scaleb(-cells.STANDARD_PLACES)
        try:
            expected = program.amount_fen({**extra, "quantity": quantity, "standard": standard})
        except Refused as wrong:
            what, _, remedy = str(wrong).partition("；")
            tell(number, "amount", what, remedy or "请核对各列后更正")
            continue
        if amount and amount != expected:
            what = f"补贴金额 {yuan(amount)} 元不等于“{program.definition.formula}”"
            tell(number, "amount", what, f"按公式四舍五入到分，应为 {yuan(expected)} 元")


def yuan(amount_fen: int) -> str:
    """Return fen as yuan with two decimals."""
    return f"{amount_fen // 100}.{amount_fen % 100:02d}"
