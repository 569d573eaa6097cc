"""A project's own fields of a roster's lines: columns of the tab, and questions of the correction. （第十六条）

Both follow the version of the project that the roster was made under.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlmodel import Session, select

from admin.fields import EMPTY, Cell, FieldView
from models.officers import ActingOfficer
from models.rosters import Roster, RosterLine
from policies.definitions import Definition
from policies.formulas.fields import properties, title_of
from policies.formulas.fields import required as needed_of
from policies.lifecycles import Ask
from workflows import roster_lines
from workflows.project_versions import followed_by

OWN = "own_"
"""What the names of the project's own fields begin with on the form."""
YES_NO = (("是", "是"), ("否", "否"))
QUANTITY = Ask("quantity", "数量", "number")
STANDARD = Ask("standard", "补贴标准（元）", "number")
REASON = Ask("reason", "原因", help="写明依据，随清册进入下一步审核")


@dataclass(frozen=True)
class OwnField(FieldView):
    """One of the project's own fields as a column."""

    def cell(self, record: Any, divisions: dict[str, str]) -> Cell:
        """Return the line's value of the field."""
        value = record.extra.get(self.name)
        return Cell(EMPTY if value in (None, "") else written(value), self.kind)


def written(value: Any) -> str:
    """Return a kept value as it is read and typed."""
    if isinstance(value, bool):
        return "是" if value else "否"
    return "" if value is None else str(value)


def own_columns(session: Session, roster: Roster) -> Sequence[FieldView]:
    """Return the columns of the project's own fields, in the order in which the project names them."""
    return [
        OwnField(name, _headed(name, spec), _kind(spec), help=str(spec.get("description", "")))
        for name, spec in properties(followed_by(session, roster)).items()
    ]


def _kind(spec: Mapping[str, Any]) -> str:
    return "number" if spec.get("type") in ("number", "integer") else "text"


def _headed(name: str, spec: Mapping[str, Any]) -> str:
    unit = spec.get("x-unit")
    return f"{title_of(name, spec)}（{unit}）" if unit else title_of(name, spec)


def asked(session: Session, by: ActingOfficer, line: RosterLine) -> tuple[Ask, ...]:
    """Return what a correction of the line asks: quantity, standard, the project's own fields, the reason."""
    definition = _definition(session, line)
    needed = needed_of(definition)
    own = (_ask(name, spec, needed=name in needed) for name, spec in properties(definition).items())
    return (QUANTITY, STANDARD, *own, REASON)


def _ask(name: str, spec: Mapping[str, Any], *, needed: bool) -> Ask:
    choices: tuple[tuple[str, str], ...] = ()
    kind = "text"
    match spec.get("type"):
        case "boolean":
            kind, choices = "choice", YES_NO
        case "number" | "integer":
            kind = "number"
        case _ if spec.get("format") == "date":
            kind = "date"
        case _ if "enum" in spec:
            kind, choices = "choice", tuple((str(one), str(one)) for one in spec["enum"])
    unit, more = spec.get("x-unit", ""), spec.get("description", "")
    told = "；".join(str(part) for part in (f"单位：{unit}" if unit else "", more) if part)
    return Ask(f"{OWN}{name}", title_of(name, spec), kind, required=needed, choices=choices, help=told)


def present(session: Session, by: ActingOfficer, line: RosterLine, given: Mapping[str, str]) -> Mapping[str, str]:
    """Return what the line holds, so that only what is wrong is typed again."""
    own = {f"{OWN}{name}": written(line.extra.get(name)) for name in properties(_definition(session, line))}
    return {"quantity": f"{line.quantity.normalize():f}", "standard": f"{line.standard.normalize():f}"} | own


def _definition(session: Session, line: RosterLine) -> Definition:
    statement = select(Roster).where(Roster.division_code == line.division_code, Roster.id == line.roster_id)
    return followed_by(session, session.exec(statement).one())


def correct(
    session: Session,
    line: RosterLine,
    *,
    by: ActingOfficer,
    quantity: Decimal,
    standard: Decimal,
    reason: str,
    **own: str | Decimal | date | None,
) -> RosterLine:
    """Correct the line by what the form says. （第十六条）"""
    typed = {name.removeprefix(OWN): value for name, value in own.items()} or None
    return roster_lines.change_amount(
        session, line, by=by, quantity=quantity, standard=standard, reason=reason, own=typed
    )
