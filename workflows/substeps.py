"""Sub-steps of a roster's flow: taken inside the statutory desks, before the desk's own step. （第二十三、二十四条）

A roster without a flow of its own asks nothing here. What is open is kept on the roster by PostgreSQL, from the flow's
version that the roster began with; sub-steps taken count again after a return unless a published fact has changed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from models.crypto import ring
from models.flows import ProjectFlow, RosterSubstep, SubstepKind
from models.officers import ActingOfficer
from models.rosters import LineState, Roster, RosterLine
from policies.clock import now
from policies.enforcement import allow
from policies.flows import ROSTER_PLACES, SIGNATURES, FlowContent, RosterStage, Substep
from policies.interests import require_disinterested
from policies.lifecycles import Step
from policies.lifecycles.rosters import ROSTER_LIFECYCLE
from policies.moves import record_event, title_of
from policies.permissions import Permission
from policies.refusals import FasterColleague, NotAllowed, ReasonMissing, Refused

STATUTORY = ("begin", *dict.fromkeys(
    step.verb for step in ROSTER_LIFECYCLE.steps
    if step.forward and step.source in {place.status for place in ROSTER_PLACES.values()}
))  # fmt: skip
"""The steps by which a person answers for a roster: whoever has taken one adds no signature to it."""

SHOWN_DRAWN = 60


class SubstepsOpen(Refused):
    """{title}在“{stage}”环节有流程子环节尚未办理：{substeps}；办理后才能继续（第二十四条）。"""


class NoSubstep(Refused):
    """{title}现在没有待办的流程子环节；可先查看办理进度，刷新后重试（第二十四条）。"""


class SignedAlready(Refused):
    """{officer}已办理过{title}的“{done}”，不能再办理“{step}”；请由{desk}岗的另一人办理（第二十三条）。"""


class NextDeskActed(Refused):
    """{title}已由{post}办理流程子环节“{name}”，不能撤回；需要更正的，请其退回（第十七条）。"""


@dataclass(frozen=True)
class Open:
    """One sub-step that a roster waits for."""

    stage: RosterStage
    position: int
    substep: Substep

    @property
    def label(self) -> str:
        """Return how officers name it."""
        return f"{self.substep.kind.label}：{self.substep.name}"


def content_of(session: Session, roster: Roster) -> FlowContent | None:
    """Return the flow that a roster keeps; None: the statutory way."""
    if roster.flow_id is None:
        return None
    held = session.execute(sa.select(col(ProjectFlow.content)).where(col(ProjectFlow.id) == roster.flow_id))
    return FlowContent.model_validate(held.scalar_one())


def open_substeps(session: Session, roster: Roster) -> list[Open]:
    """Return the sub-steps that are to be taken before the roster leaves its stage, in order."""
    content = content_of(session, roster) if roster.substep_desk is not None else None
    stage = content.stage_at(roster.status) if content is not None else None
    if stage is None:
        return []
    taken = set(session.exec(_taken(roster, RosterSubstep.position).where(RosterSubstep.stage == stage.code)))
    return [
        Open(RosterStage(stage.code), position, substep)
        for position, substep in enumerate(stage.substeps)
        if position not in taken
    ]


def _taken(roster: Roster, what: Any) -> Any:
    """Return a select over the sub-steps that count for a roster now."""
    return select(what).where(
        RosterSubstep.division_code == roster.division_code,
        RosterSubstep.roster_id == roster.id,
        RosterSubstep.substep_round == roster.substep_round,
    )


def require_substeps(session: Session, roster: Roster, step: Step, *, by: ActingOfficer) -> None:
    """Let a step of a desk be taken once its sub-steps are, by somebody who signed none of them. （第二十三、二十四条）

    Asks nothing of a roster without a flow. Raises SubstepsOpen, SignedAlready, NextDeskActed.
    """
    if roster.flow_id is None or step.desk is None:
        return
    if step.undoes:
        _require_untouched(session, roster)
    if not step.forward or step.verb not in STATUTORY:
        return
    waiting = open_substeps(session, roster)
    if waiting:
        told = "、".join(f"{one.label}（{one.substep.desk.label}岗）" for one in waiting)
        raise SubstepsOpen(title=title_of(roster), stage=waiting[0].stage.label, substeps=told)
    signed = session.exec(
        select(RosterSubstep)
        .where(RosterSubstep.division_code == roster.division_code, RosterSubstep.roster_id == roster.id)
        .where(RosterSubstep.person == by.person, col(RosterSubstep.kind).in_(SIGNATURES))
        .limit(1)
    ).first()
    if signed is not None:
        raise SignedAlready(
            officer=by.name, title=title_of(roster), done=f"{signed.kind.label}：{signed.name}", step=step.label,
            desk=step.desk.label,
        )  # fmt: skip


def _require_untouched(session: Session, roster: Roster) -> None:
    """Let a roster be withdrawn until the next desk has acted: a sub-step is an act of it. Raises NextDeskActed."""
    code = next((code for code, place in ROSTER_PLACES.items() if place.status == roster.status), "")
    acted = session.exec(
        _taken(roster, RosterSubstep)
        .where(RosterSubstep.stage == str(code), RosterSubstep.taken_at >= roster.arrived_at)
        .limit(1)
    ).first()
    if acted is not None:
        raise NextDeskActed(title=title_of(roster), post=acted.post, name=acted.name)


def take(session: Session, roster: Roster, *, by: ActingOfficer, note: str = "") -> Roster:
    """Take the sub-step that a roster waits for. （第二十三、二十四条）

    Raises NotFound, OtherSector, NotAllowed, NoSubstep, ReasonMissing, OwnHousehold, SignedAlready, SamePersonTwice,
    FasterColleague.
    """
    allow(session, by, Permission.ROSTER_SUBSTEP, roster)
    waiting = open_substeps(session, roster)
    if not waiting:
        raise NoSubstep(title=title_of(roster))
    one, note = waiting[0], note.strip()
    if not one.substep.desk.seats(by):
        raise NotAllowed(post=by.post, permission=f"{one.label}（{one.substep.desk.label}）")
    if one.substep.note_required and not note:
        raise ReasonMissing(step=one.label, field="抽查结果" if one.substep.percent or one.substep.count else "意见")
    title = title_of(roster)
    require_disinterested(session, "roster", [roster.id or 0], by=by, title=title, step=one.label)
    _require_another(session, roster, one, by)
    _require_unmoved(session, roster)
    sequences = drawn(session, roster, one)
    facts: dict[str, Any] = {"stage": one.stage.label, "kind": str(one.substep.kind), "flow": roster.flow_id}
    facts |= {"drawn": sequences} if sequences else {}
    label = f"{one.stage.label}环节{one.label}"
    record_event(session, roster, "substep", by=by, label=label, desk=one.substep.desk, opinion=note, facts=facts)
    _write(session, roster, one, by, note, sequences)
    return roster


def _require_another(session: Session, roster: Roster, one: Open, by: ActingOfficer) -> None:
    """Let a signature be added only by somebody who doesn't answer for the roster already. Raises SignedAlready."""
    if one.substep.kind not in SIGNATURES:
        return
    done = session.execute(
        sa.text(
            "select coalesce((select label from events where person = :person and noun = 'roster'"
            " and record_id = :record and verb = any (:verbs) order by id limit 1),"
            " (select name from roster_substeps where division_code = :division and roster_id = :record"
            " and substep_round = :round and stage = :stage and person = :person and kind <> :check limit 1))"
        ),
        {
            "person": by.person, "record": roster.id, "division": roster.division_code, "verbs": list(STATUTORY),
            "round": roster.substep_round, "stage": str(one.stage), "check": str(SubstepKind.SPOT_CHECK),
        },
    ).scalar_one_or_none()  # fmt: skip
    if done is not None:
        desk = one.substep.desk.label
        raise SignedAlready(officer=by.name, title=title_of(roster), done=done, step=one.label, desk=desk)


def _require_unmoved(session: Session, roster: Roster) -> None:
    """Hold the roster as it was read until the transaction ends. Raises FasterColleague."""
    read = sa.text("select 1 from rosters where id = :id and status = :status and version = :version for update")
    keys = {"id": roster.id, "status": str(roster.status), "version": roster.version}
    if session.execute(read, keys).first() is None:
        raise FasterColleague(title=title_of(roster))


def _write(session: Session, roster: Roster, one: Open, by: ActingOfficer, note: str, sequences: list[int]) -> None:
    session.add(
        RosterSubstep(
            division_code=roster.division_code,
            sector=roster.sector,
            roster_id=roster.id or 0,
            flow_id=roster.flow_id or 0,
            stage=str(one.stage),
            position=one.position,
            substep_round=roster.substep_round,
            kind=one.substep.kind,
            name=one.substep.name,
            desk=str(one.substep.desk),
            officer_id=by.officer_id,
            person=by.person,
            officer_name=by.name,
            post=by.post,
            note=note,
            drawn=sequences,
            taken_at=now(session),
        )
    )
    session.flush()
    columns: Any = Roster
    session.scalars(  # PostgreSQL says what waits next
        sa.update(Roster)
        .where(columns.id == roster.id)
        .values(version=columns.version + 1, substep_desk=None)
        .returning(Roster),
        execution_options={"synchronize_session": False, "populate_existing": True},
    ).one()


def drawn(session: Session, roster: Roster, one: Open) -> list[int]:
    """Return the lines that a spot check draws: by a keyed digest that nobody can foresee, always the same."""
    number = one.substep.drawn_of(roster.line_count)
    if not number:
        return []
    seed = ring().index("draw", f"{roster.number}|{roster.substep_round}|{one.stage}|{one.position}").hex()
    line: Any = RosterLine
    rows = session.execute(
        sa.select(line.sequence)
        .where(line.division_code == roster.division_code, line.roster_id == roster.id)
        .where(line.state == LineState.ACTIVE)
        .order_by(sa.func.md5(sa.literal(seed).concat(sa.cast(line.sequence, sa.Text))), line.sequence)
        .limit(number)
    )
    return sorted(rows.scalars())


def told(session: Session, by: ActingOfficer, roster: Roster) -> Mapping[str, str]:
    """Return what stands beside the form of the next sub-step: stage, desk, and the lines to look at."""
    waiting = open_substeps(session, roster)
    if not waiting:
        return {}
    one = waiting[0]
    words = [f"“{one.stage.label}”环节 {one.label}，由{one.substep.desk.label}岗办理"]
    sequences = drawn(session, roster, one)
    if sequences:
        shown = "、".join(map(str, sequences[:SHOWN_DRAWN])) + ("…" if len(sequences) > SHOWN_DRAWN else "")
        words.append(f"系统抽中 {len(sequences)} 笔，序号 {shown}；请逐笔核查并填写结果")
    words += ["须填写意见"] if one.substep.note_required and not sequences else []
    return {"note": "；".join(words)}
