"""The lights of a roster: run at its gates, explained, acknowledged, carried along. （第十八条）"""

import re
from dataclasses import dataclass
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from models.officers import ActingOfficer
from models.rosters import Roster
from models.rosters import RosterStatus as S
from models.warnings import Gate, Light, RosterWarning
from policies.clock import now
from policies.enforcement import allow
from policies.lifecycles.base import Desk
from policies.moves import record_event
from policies.permissions import Permission
from policies.refusals import NotFound, Refused
from policies.rules.book import rules_in_force
from policies.rules.compiler import compile_gate
from workflows.plans import by_hash

SHORTEST_TEXT = 5
MOST_HITS_TOLD = 500
LONG_NUMBER = re.compile(r"\d{11}")
CHECKED = "已核实，符合有关政策要求"

STANDS_AT: dict[S, tuple[Gate, Desk]] = {
    **dict.fromkeys((S.DRAFT, S.ON_NOTICE, S.ENDORSED, S.RETURNED), (Gate.REPORT, Desk.TOWNSHIP_CLERK)),
    **dict.fromkeys((S.REPORTED, S.DEPARTMENT_EXAMINED), (Gate.DEPARTMENT, Desk.DEPARTMENT_CLERK)),
    **dict.fromkeys((S.DEPARTMENT_PASSED, S.FINANCE_EXAMINED), (Gate.FINANCE, Desk.FINANCE_CLERK)),
}
"""At which gate and before whose desk a roster stands; later its warnings are history."""

KEEP = """
with hits as materialized ({gate}),
kept as (
    insert into roster_warnings as w (division_code, county_code, roster_id, sector, line_id, line_sequence,
        rule_code, rule_version, rule_name, light, gate, message, evidence, skipped, raised_at, explanation,
        explained_by, live)
    select :division_code, :county_code, :roster_id, :sector, h.line_id, h.sequence, h.rule_code, h.version,
        h.rule_name, h.light, :gate, h.message, h.evidence, h.skipped, :moment, '', '', true
    from hits h
    on conflict (division_code, roster_id, line_id, rule_code) do update set
        line_sequence = excluded.line_sequence, rule_version = excluded.rule_version, rule_name = excluded.rule_name,
        light = excluded.light, message = excluded.message, evidence = excluded.evidence, live = true,
        gate = case when {same} then w.gate else excluded.gate end,
        raised_at = case when {same} then w.raised_at else excluded.raised_at end,
        explanation = case when {same} then w.explanation else '' end,
        explained_by = case when {same} then w.explained_by else '' end,
        explained_at = case when {same} then w.explained_at end
    where not w.live or not ({same}) or w.message <> excluded.message
),
gone as (
    update roster_warnings w set live = false
    where w.division_code = :division_code and w.roster_id = :roster_id and w.live
        and (w.rule_code = any (:ran) or w.rule_code <> all (:in_force))
        and not exists (select from hits h where h.line_id = w.line_id and h.rule_code = w.rule_code)
)
select count(*) from hits
"""
SAME = "(w.rule_version, w.light, w.evidence) = (excluded.rule_version, excluded.light, excluded.evidence)"
"""An explanation holds as long as the rule's version and what it found are the same."""

STANDING = """
from roster_warnings w left join roster_lines l on l.county_code = w.county_code and l.id = w.line_id
where w.division_code = :division_code and w.roster_id = :roster_id and w.live and w.rule_code = any (:ran)
    and (w.skipped or l.state = 'active')
"""
COUNTS = (
    "select w.light, count(*) as found, count(*) filter (where w.explanation = '') as open,"
    " count(*) filter (where w.skipped) as skipped" + STANDING + "group by w.light"
)
TOLD = (
    "select w.rule_code as rule, w.rule_version as version, w.rule_name as name, w.light, w.line_sequence as sequence,"
    " w.message, w.skipped" + STANDING + "and w.light = any (:lights) and (w.light = 'red' or w.explanation = '')"
    " order by array_position(array['red', 'yellow', 'blue'], cast(w.light as text)), w.line_sequence, w.rule_code"
    " limit :most"
)


@dataclass(frozen=True)
class Hit:
    """One warning as told to the officer; sequence 0: the roster as a whole."""

    rule: str
    version: int
    name: str
    light: str
    sequence: int
    message: str
    skipped: bool

    def __str__(self) -> str:
        """Return how an officer reads it."""
        place = f"序号 {self.sequence}" if self.sequence else "全册"
        return f"{place}“{self.name}”：{self.message}"


@dataclass(frozen=True)
class Lights:
    """How many warnings stand on the active lines of a roster at one gate; open: not yet explained or acknowledged."""

    red: int = 0
    yellow: int = 0
    blue: int = 0
    yellow_open: int = 0
    blue_open: int = 0
    skipped: int = 0

    @property
    def facts(self) -> dict[str, int]:
        """Return the counts for the step's event."""
        return {"red": self.red, "yellow": self.yellow, "blue": self.blue, "skipped": self.skipped}


class GateClosed(Refused):
    """清册触发 {count} 条预警，暂不能继续办理（第十八条）。"""

    hits: tuple[Hit, ...] = ()


class StoppedByRedLight(GateClosed):
    """{count} 笔明细触发红灯预警，业务已中断：{first}。请更正或停发这些明细后再办理（第十八条）。"""


class ExplanationMissing(GateClosed):
    """还有 {yellow} 条黄灯预警未说明、{blue} 条蓝灯提示未核实：{first}。请经办人员说明、核实后再办理（第十八条）。"""


class ExplanationTooShort(Refused):
    """预警说明至少 {shortest} 个字，请写明核实的情况和依据。"""

    status_code = 400


class ExplanationTooPersonal(Refused):
    """预警说明中不要填写身份证号、账号或手机号（第三十条），请用清册序号指明人员。"""

    status_code = 400


class NotExplainable(Refused):
    """“{rule}”是红灯预警，不能以说明代替更正：请更正或停发该明细（第十八条）。"""


class NeedsExplanation(Refused):
    """“{rule}”是黄灯预警，须写明说明，不能只作核实（第十八条）。"""


class WarningGone(Refused):
    """该预警已不再有效，或已由其他岗位说明，请刷新后查看。"""


class OtherDesk(Refused):
    """清册现由“{desk}”岗办理，预警由该岗说明或核实，您的岗位（{post}）不能办理（第十八条）。"""

    status_code = 403


def screen(session: Session, roster: Roster, gate: Gate, *, by: ActingOfficer) -> Lights:
    """Run a gate's rules over a roster and let it through, or refuse. （第十八条）

    Red on an active line stops; yellow wants an explanation, blue an acknowledgement. The refusal keeps the hits in
    the refusal's own transaction. Raises StoppedByRedLight, ExplanationMissing, RuleBroken.
    """
    ran = _run(session, roster, gate)
    lights = _lights(session, roster, ran)
    refusal: GateClosed | None = None
    if lights.red:
        hits = _told(session, roster, ran, (Light.RED,))
        refusal = StoppedByRedLight(count=lights.red, first=hits[0])
    elif lights.yellow_open or lights.blue_open:
        hits = _told(session, roster, ran, (Light.YELLOW, Light.BLUE))
        count = lights.yellow_open + lights.blue_open
        refusal = ExplanationMissing(
            count=count, yellow=lights.yellow_open, blue=lights.blue_open, first=str(hits[0]).rstrip("。")
        )
    if refusal is not None:
        refusal.hits = hits
        refusal.keep = partial(_keep, roster.division_code, roster.id or 0, gate)
        raise refusal
    return lights


def preview(session: Session, roster: Roster, *, by: ActingOfficer, gate: Gate | None = None) -> Lights:
    """Run the rules of the gate before which the roster stands, refuse nothing: the check job's way. （第十八条）

    Raises RuleBroken.
    """
    default = STANDS_AT.get(roster.status)
    wanted = gate or (default[0] if default else Gate.FINANCE)
    return _lights(session, roster, _run(session, roster, wanted))


def explain(session: Session, warning: RosterWarning, *, by: ActingOfficer, text: str) -> RosterWarning:
    """Explain a yellow warning (or answer a blue one); the explanation goes with the roster. （第十八条）

    Raises NotFound, NotAllowed, OtherDesk, NotExplainable, WarningGone, ExplanationTooShort, ExplanationTooPersonal.
    """
    roster, desk = _require_desk(session, warning.division_code, warning.roster_id, by)
    if warning.light == Light.RED:
        raise NotExplainable(rule=warning.rule_name)
    return _answer_one(session, roster, desk, warning, by, "explain", _required_text(text))


def acknowledge(session: Session, warning: RosterWarning, *, by: ActingOfficer) -> RosterWarning:
    """Note that a blue warning was checked and fits the policy. （第十八条）

    Raises NotFound, NotAllowed, OtherDesk, NotExplainable, NeedsExplanation, WarningGone.
    """
    roster, desk = _require_desk(session, warning.division_code, warning.roster_id, by)
    if warning.light != Light.BLUE:
        wrong = NotExplainable if warning.light == Light.RED else NeedsExplanation
        raise wrong(rule=warning.rule_name)
    return _answer_one(session, roster, desk, warning, by, "acknowledge", CHECKED)


def explain_rule(session: Session, roster: Roster, *, by: ActingOfficer, rule_code: str, text: str) -> int:
    """Explain every open yellow (or blue) warning of one rule on the roster; return how many. （第十八条）

    Raises NotFound, NotAllowed, OtherDesk, WarningGone, ExplanationTooShort, ExplanationTooPersonal.
    """
    lights = (Light.YELLOW, Light.BLUE)
    return _answer_rule(session, roster, by, rule_code, "explain", _required_text(text), lights)


def acknowledge_rule(session: Session, roster: Roster, *, by: ActingOfficer, rule_code: str) -> int:
    """Acknowledge every open blue warning of one rule on the roster; return how many. （第十八条）

    Raises NotFound, NotAllowed, OtherDesk, WarningGone.
    """
    return _answer_rule(session, roster, by, rule_code, "acknowledge", CHECKED, (Light.BLUE,))


def _run(session: Session, roster: Roster, gate: Gate) -> list[str]:
    """Find and keep a gate's hits in one statement; return the codes of the rules that ran."""
    moment = now(session)
    in_force = rules_in_force(session, roster.county_code, moment.date())
    rules = [rule for rule in in_force if gate in rule.gates]
    sql, parameters = compile_gate(rules)
    ran = [rule.code for rule in rules]
    bound = {
        "county_code": roster.county_code,
        "sector": roster.sector,
        "gate": gate.value,
        "moment": moment,
        "today": moment.date(),
        "ran": ran,
        "in_force": [rule.code for rule in in_force],
    }
    session.flush()
    with by_hash(session):
        session.execute(sa.text(KEEP.format(gate=sql, same=SAME)), parameters | bound | _key(roster))
    return ran


def _keep(division_code: str, roster_id: int, gate: Gate, session: Session) -> None:
    statement = select(Roster).where(Roster.division_code == division_code, Roster.id == roster_id)
    _run(session, session.exec(statement).one(), gate)


def _key(roster: Roster) -> dict[str, Any]:
    return {"division_code": roster.division_code, "roster_id": roster.id}


def _lights(session: Session, roster: Roster, ran: list[str]) -> Lights:
    rows = session.execute(sa.text(COUNTS), _key(roster) | {"ran": ran}).all()
    found = {row.light: row for row in rows}
    count = {light: found[light].found if light in found else 0 for light in Light}
    still = {light: found[light].open if light in found else 0 for light in Light}
    return Lights(
        red=count[Light.RED],
        yellow=count[Light.YELLOW],
        blue=count[Light.BLUE],
        yellow_open=still[Light.YELLOW],
        blue_open=still[Light.BLUE],
        skipped=sum(row.skipped for row in rows),
    )


def _told(session: Session, roster: Roster, ran: list[str], lights: tuple[Light, ...]) -> tuple[Hit, ...]:
    bound = {"ran": ran, "lights": [light.value for light in lights], "most": MOST_HITS_TOLD}
    return tuple(Hit(**row._mapping) for row in session.execute(sa.text(TOLD), _key(roster) | bound))


def _require_desk(session: Session, division_code: str, roster_id: int, by: ActingOfficer) -> tuple[Roster, Desk]:
    statement = select(Roster).where(Roster.division_code == division_code, Roster.id == roster_id)
    roster = session.exec(statement).one_or_none()
    if roster is None:
        raise NotFound
    allow(session, by, Permission.WARNING_EXPLAIN, roster)
    if roster.status not in STANDS_AT:
        raise WarningGone
    desk = STANDS_AT[roster.status][1]
    if not desk.seats(by):
        raise OtherDesk(desk=desk.label, post=by.post)
    return roster, desk


def _required_text(text: str) -> str:
    text = text.strip()
    if len(text) < SHORTEST_TEXT:
        raise ExplanationTooShort(shortest=SHORTEST_TEXT)
    if LONG_NUMBER.search(text):
        raise ExplanationTooPersonal
    return text


def _signature(by: ActingOfficer) -> str:
    return f"{by.post} {by.name}"


def _answer_one(
    session: Session, roster: Roster, desk: Desk, warning: RosterWarning, by: ActingOfficer, verb: str, text: str
) -> RosterWarning:
    mine = col(RosterWarning.explained_by).in_(("", _signature(by)))
    answered = _answer(session, roster, by, text, (col(RosterWarning.id) == warning.id) & mine)
    if not answered:
        raise WarningGone
    session.refresh(warning)
    _record(session, roster, desk, by, verb, warning.rule_code, 1)
    return warning


def _answer_rule(
    session: Session, roster: Roster, by: ActingOfficer, code: str, verb: str, text: str, lights: tuple[Light, ...]
) -> int:
    roster, desk = _require_desk(session, roster.division_code, roster.id or 0, by)
    open_ones = (
        (col(RosterWarning.rule_code) == code)
        & (col(RosterWarning.explanation) == "")
        & col(RosterWarning.light).in_(lights)
    )
    answered = _answer(session, roster, by, text, open_ones)
    if not answered:
        raise WarningGone
    _record(session, roster, desk, by, verb, code, answered)
    return answered


def _answer(session: Session, roster: Roster, by: ActingOfficer, text: str, which: sa.ColumnElement[bool]) -> int:
    done = session.execute(
        sa.update(RosterWarning)
        .where(
            col(RosterWarning.division_code) == roster.division_code,
            col(RosterWarning.roster_id) == roster.id,
            col(RosterWarning.live),
            which,
        )
        .values(explanation=text, explained_by=_signature(by), explained_at=now(session))
        .execution_options(synchronize_session=False)
    )
    return int(done.rowcount)  # type: ignore[attr-defined]  # an UPDATE's result has it; the stubs don't say so


def _record(
    session: Session, roster: Roster, desk: Desk, by: ActingOfficer, verb: str, rule_code: str, count: int
) -> None:
    label = "说明预警" if verb == "explain" else "核实提示"
    facts = {"rule": rule_code, "count": count}
    record_event(session, roster, f"{verb}_warning", by=by, label=label, desk=desk, facts=facts)
