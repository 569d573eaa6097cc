"""Adjusting the lines of a roster before it is with the county; its sums follow in the same transaction. （第十六条）

After publication, holding or stopping a line needs no new notice; another amount or a line nobody has seen does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from models.households import IdentityOutcome, Member
from models.officers import ActingOfficer
from models.rosters import LineState, PayeeRelation, Roster, RosterLine, RosterStatus
from policies.definitions import Definition
from policies.enforcement import allow
from policies.entitlements import entitlement_key
from policies.formulas import component_of, program_of
from policies.formulas.fields import properties
from policies.interests import require_disinterested
from policies.lifecycles import Desk
from policies.moves import record_event, title_of
from policies.notices import mark, published_fields
from policies.permissions import Permission
from policies.refusals import FasterColleague, ReasonMissing, Refused, StepNotPossible
from workflows.application_values import expected_fen, read_values
from workflows.notices import published_marks
from workflows.project_versions import followed_by

EDITABLE = (RosterStatus.DRAFT, RosterStatus.ON_NOTICE, RosterStatus.ENDORSED, RosterStatus.RETURNED)
"""Where the township may still adjust lines, and where a check may run."""


THOUSANDTH, TEN_THOUSANDTH = Decimal("0.001"), Decimal("0.0001")
"""What a quantity and a standard are kept to; the amount is computed from what is kept."""


class LineStateWrong(Refused):
    """{title}序号 {sequence} 的明细当前为“{state}”，不能办理“{step}”；请刷新后核对明细状态。"""


class PersonDead(Refused):
    """{title}序号 {sequence} 的享受人已死亡，不能恢复发放；符合继续发放条件的，请转录给继承人（第十六条第一项）。"""


class AmountWrong(Refused):
    """{title}序号 {sequence} 按数量 {quantity}、标准 {standard} 计算的金额不大于零；请更正数量或标准。"""

    status_code = 400


@dataclass(frozen=True)
class Totals:
    """What the active lines of a roster add up to."""

    line_count: int
    amount_fen: int


def totals(session: Session, roster: Roster) -> Totals:
    """Return the sums of a roster's active lines."""
    row = session.execute(
        sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(col(RosterLine.amount_fen)), 0)).where(
            col(RosterLine.division_code) == roster.division_code,
            col(RosterLine.roster_id) == roster.id,
            col(RosterLine.state) == LineState.ACTIVE,
        )
    ).one()
    return Totals(int(row[0]), int(row[1]))


def line_amount_fen(quantity: Decimal, standard: Decimal) -> int:
    """Return quantity × standard in fen, rounded half up (DESIGN D6)."""
    return int((quantity * standard * 100).quantize(Decimal(1), ROUND_HALF_UP))


def hold(session: Session, line: RosterLine, *, by: ActingOfficer, reason: str) -> RosterLine:
    """Hold a line back; the rest of the roster goes on. （第十六条第一、二项）

    Raises StepNotPossible, ReasonMissing, LineStateWrong, FasterColleague.
    """
    return _set_state(session, line, LineState.HELD, (LineState.ACTIVE,), "缓发", by, reason)


def stop(session: Session, line: RosterLine, *, by: ActingOfficer, reason: str) -> RosterLine:
    """Stop a line: the person has died without an heir, or isn't entitled. （第十六条第一项）

    Raises StepNotPossible, ReasonMissing, LineStateWrong, FasterColleague.
    """
    return _set_state(session, line, LineState.STOPPED, (LineState.ACTIVE, LineState.HELD), "停发", by, reason)


def release_line(session: Session, line: RosterLine, *, by: ActingOfficer, reason: str) -> RosterLine:
    """Let a held or stopped line go with its roster again; one never published needs a new notice. （第十六条）

    Raises OwnHousehold, PersonDead, and as `hold` does.
    """
    roster = _roster_of(session, line)
    _allow_edit(session, roster, by, "恢复发放", reason)
    _require_other(session, roster, line, by, "恢复发放")
    if line.identity_outcome == IdentityOutcome.DEAD and line.payee_relation != PayeeRelation.HEIR:
        raise PersonDead(title=title_of(roster), sequence=line.sequence)
    seen = published_marks(session, roster) if roster.notice_round else set()
    changed = bool(seen) and (line.sequence, _mark_of(session, line, followed_by(session, roster))) not in seen
    return _set_state(
        session, line, LineState.ACTIVE, (LineState.HELD, LineState.STOPPED), "恢复发放", by, reason, changed=changed
    )


def change_amount(
    session: Session,
    line: RosterLine,
    *,
    by: ActingOfficer,
    quantity: Decimal,
    standard: Decimal,
    reason: str,
    own: Mapping[str, Any] | None = None,
) -> RosterLine:
    """Change quantity, standard or own fields and with them the amount, by the roster's version. （第十六条）

    Once published, another published fact asks for a new notice. `own` None leaves the own fields as they are.
    Raises StepNotPossible, ReasonMissing, OwnHousehold, ValueWrong, AmountWrong, AmountMissing, AmountOutside,
    FasterColleague.
    """
    roster = _roster_of(session, line)
    _allow_edit(session, roster, by, "更正金额", reason)
    _require_other(session, roster, line, by, "更正金额")
    definition = followed_by(session, roster)
    values = _recomputed(session, roster, line, definition, quantity, standard, own)
    former = {name: _plain(getattr(line, name)) for name in values if name != "entitlement_key"}
    published = _mark_of(session, line, definition)
    _write(session, line, {"amount_fen": line.amount_fen}, values)
    _carry(session, roster, changed=roster.notice_round > 0 and published != _mark_of(session, line, definition))
    facts = {"sequence": line.sequence, "before": former, "amount_fen": line.amount_fen}
    _record(session, roster, "change_amount", "更正金额", by, reason, facts)
    return line


def _recomputed(
    session: Session,
    roster: Roster,
    line: RosterLine,
    definition: Definition,
    quantity: Decimal,
    standard: Decimal,
    own: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Return the columns of a line as they follow from what was typed; another component is another entitlement."""
    quantity, standard = quantity.quantize(THOUSANDTH, ROUND_HALF_UP), standard.quantize(TEN_THOUSANDTH, ROUND_HALF_UP)
    values: dict[str, Any] = {"quantity": quantity, "standard": standard}
    if program_of(definition).plain and not properties(definition) and not own:
        amount_fen = line_amount_fen(quantity, standard)
        if amount_fen <= 0:
            raise AmountWrong(title=title_of(roster), sequence=line.sequence, quantity=quantity, standard=standard)
        return values | {"amount_fen": amount_fen}
    extra = dict(line.extra) if own is None else read_values(definition, own)
    values |= {"extra": extra, "amount_fen": expected_fen(definition, quantity, standard, extra)}
    if definition.component and (component := component_of(definition, extra)) != line.component:
        person = _person(session, line)
        key = entitlement_key(definition.code, roster.period, person, component)
        values |= {"component": component, "entitlement_key": key}
    return values


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Decimal) else value


def _person(session: Session, line: RosterLine) -> str:
    return session.exec(
        select(Member.person).where(Member.division_code == line.division_code, Member.id == line.member_id)
    ).one()


def _mark_of(session: Session, line: RosterLine, definition: Definition) -> str:
    """Return the digest of the line's facts that a notice shows."""
    shown = published_fields(definition, line.extra)
    return mark(_person(session, line), line.quantity, line.standard, line.amount_fen, line.component, shown)


def _set_state(
    session: Session,
    line: RosterLine,
    target: LineState,
    sources: tuple[LineState, ...],
    label: str,
    by: ActingOfficer,
    reason: str,
    *,
    changed: bool = False,
) -> RosterLine:
    roster = _roster_of(session, line)
    _allow_edit(session, roster, by, label, reason)
    former = line.state
    if former not in sources:
        raise LineStateWrong(title=title_of(roster), sequence=line.sequence, state=former.label, step=label)
    _write(session, line, {"state": former}, {"state": target, "state_reason": reason.strip()})
    _carry(session, roster, changed=changed)
    facts = {"sequence": line.sequence, "from": str(former), "to": str(target), "amount_fen": line.amount_fen}
    _record(session, roster, f"line_{target}", label, by, reason, facts)
    return line


def _roster_of(session: Session, line: RosterLine) -> Roster:
    return session.exec(
        select(Roster).where(Roster.division_code == line.division_code, Roster.id == line.roster_id)
    ).one()


def _allow_edit(session: Session, roster: Roster, by: ActingOfficer, label: str, reason: str) -> None:
    allow(session, by, Permission.ROSTER_EDIT, roster)
    if roster.status not in EDITABLE:
        raise StepNotPossible(title=title_of(roster), status=roster.status.label, step=label)
    if not reason.strip():
        raise ReasonMissing(step=label, field="原因")


def _require_other(session: Session, roster: Roster, line: RosterLine, by: ActingOfficer, label: str) -> None:
    """Let nobody correct or release a line of their own household. （第二十三条） Raises OwnHousehold."""
    require_disinterested(session, "roster_line", [line.id or 0], by=by, title=title_of(roster), step=label)


def _write(session: Session, line: RosterLine, read: dict[str, Any], values: dict[str, Any]) -> None:
    """Write a line, guarded by what was read."""
    columns: Any = RosterLine
    done = session.execute(
        sa.update(RosterLine)
        .where(columns.county_code == line.county_code, columns.id == line.id)
        .where(*(getattr(columns, name) == value for name, value in read.items()))
        .values(**values),
        execution_options={"synchronize_session": False},
    )
    if done.rowcount == 0:  # type: ignore[attr-defined]
        raise FasterColleague(title=f"序号 {line.sequence} 的明细")
    session.refresh(line)


def _carry(session: Session, roster: Roster, *, changed: bool) -> None:
    """Carry the sums of the active lines to the roster, guarded by the status that allowed the edit."""
    now_standing = totals(session, roster)
    columns: Any = Roster
    done = session.execute(
        sa.update(Roster)
        .where(columns.id == roster.id, columns.status == roster.status, columns.version == roster.version)
        .values(
            line_count=now_standing.line_count,
            amount_fen=now_standing.amount_fen,
            facts_changed=sa.or_(columns.facts_changed, sa.literal(changed)),
            version=columns.version + 1,
        ),
        execution_options={"synchronize_session": False},
    )
    if done.rowcount == 0:  # type: ignore[attr-defined]
        raise FasterColleague(title=title_of(roster))
    session.refresh(roster)


def _record(
    session: Session, roster: Roster, verb: str, label: str, by: ActingOfficer, reason: str, facts: dict[str, Any]
) -> None:
    record_event(
        session, roster, verb, by=by, label=label, desk=Desk.TOWNSHIP_CLERK, opinion=reason.strip(), facts=facts
    )
