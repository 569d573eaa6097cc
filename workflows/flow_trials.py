"""Trying a flow: what it would have asked of past rosters of its sector, before it is enabled. （第二十四条）

Read from what happened: how long each stayed at an organisation, who sits at which desk there. Nothing is changed.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from models.flows import FlowStatus, ProjectFlow
from models.officers import ActingOfficer
from models.organisations import OrganisationKind
from policies.clock import now, today
from policies.enforcement import allow
from policies.flows import APPLICATION_PLACES, ROSTER_PLACES, SIGNATURES, FlowContent, RosterStage, Stage, parse
from policies.lifecycles import Desk
from policies.moves import record_event, title_of
from policies.permissions import Permission
from policies.refusals import StepNotPossible
from workflows.flows import written

MOST_ROSTERS = 200
SYNTHETIC_LINES = 100
SHOWN = 20
PERSONS_NEEDED = 2
"""One takes the desk's own step, another signs: that nobody signs twice. （第二十三条）"""


@dataclass(frozen=True)
class Past:
    """One roster that a flow is tried on."""

    id: int
    number: str
    township: str
    division_code: str
    county_code: str
    lines: int


def try_out(session: Session, flow: ProjectFlow, *, by: ActingOfficer) -> ProjectFlow:
    """Try a draft on the sector's latest rosters, a made-up one when there is none; the result stays on the draft.

    （第二十四条） Raises StepNotPossible, FlowWrong, FasterColleague.
    """
    allow(session, by, Permission.FLOW_DRAFT, flow)
    if flow.status != FlowStatus.DRAFT:
        raise StepNotPossible(title=title_of(flow), status=flow.status.label, step="试运行")
    result = trial_of(session, flow.sector, parse(flow.content))
    written(session, flow, trial=result, trial_digest=flow.digest, tried_at=now(session))
    facts = {"digest": flow.digest, "rosters": result["rosters"], "conflicts": result["conflicts"]}
    desk = Desk.REGION_DEPARTMENT_CLERK
    record_event(session, flow, "try_out", by=by, label="试运行", desk=desk, facts=facts)
    return flow


PAST = sa.text(
    "select id, number, township, division_code, county_code, line_count from rosters"
    " where sector = :sector and status <> 'draft' order by id desc limit :most"
)


def trial_of(session: Session, sector: str, content: FlowContent) -> dict[str, Any]:
    """Return what a flow would have asked of the sector's past rosters."""
    rows = session.execute(PAST, {"sector": sector, "most": MOST_ROSTERS}).tuples()
    past = [Past(*row) for row in rows]
    tried = past or [Past(0, "虚拟清册", "", "", "", SYNTHETIC_LINES)]
    stays = _stays(session, past)
    conflicts = _conflicts(session, sector, past, content)
    places = Counter((one["place"], one["desk"], one["held"]) for one in conflicts)
    return {
        "rosters": len(past),
        "synthetic": not past,
        "lines": sum(one.lines for one in tried),
        "stages": [_stage(stage, tried, stays) for stage in content.roster],
        "application": [_application(stage) for stage in content.application],
        "per_roster": sum(len(stage.substeps) for stage in content.roster),
        "conflicts": len({one["number"] for one in conflicts}),
        "examples": conflicts[:SHOWN],
        "places": [
            {"place": place, "desk": desk, "held": held, "needed": PERSONS_NEEDED, "rosters": count}
            for (place, desk, held), count in places.most_common(SHOWN)
        ],
    }


def _stage(stage: Stage, tried: Sequence[Past], stays: Mapping[str, list[int]]) -> dict[str, Any]:
    """Return one stage: its sub-steps over all rosters, and how many stayed longer than the flow's own limit."""
    place = ROSTER_PLACES[RosterStage(stage.code)]
    law = place.limit.working_days if place.limit is not None else None
    measured = stays.get(place.limit.code, []) if place.limit is not None else []
    allowed = stage.days or law
    return {
        "code": stage.code,
        "label": RosterStage(stage.code).label,
        "law_days": law,
        "days": stage.days,
        "measured": len(measured),
        "over": sum(days > allowed for days in measured) if allowed is not None else 0,
        "over_law": sum(days > law for days in measured) if law is not None else 0,
        "longest": max(measured, default=0),
        "substeps": [
            {
                "name": substep.name,
                "kind": substep.kind.label,
                "desk": substep.desk.label,
                "times": len(tried),
                "drawn": sum(substep.drawn_of(one.lines) for one in tried),
            }
            for substep in stage.substeps
        ],
    }


def _application(stage: Stage) -> dict[str, Any]:
    place = next(code for code in APPLICATION_PLACES if code == stage.code)
    return {"label": place.label, "days": stage.days, "substeps": [substep.name for substep in stage.substeps]}


STAYS = sa.text(
    """
    with moved as (
        select e.record_id, e.to_status as status, cast(e.business_at at time zone 'Asia/Shanghai' as date) as came,
            cast(lead(e.business_at) over (partition by e.record_id order by e.id) at time zone 'Asia/Shanghai' as date)
                as went
        from events e where e.noun = 'roster' and e.record_id = any (:ids) and e.from_status <> e.to_status
    ), stayed as (
        select m.record_id, l.code, sum((select count(*) from calendar_days c
            where c.working and c.day > m.came and c.day <= m.went)) as days
        from moved m join unnest(cast(:statuses as text[]), cast(:codes as text[])) as l (status, code)
            on l.status = m.status
        where m.went is not null group by m.record_id, l.code
    )
    select code, cast(days as integer) from stayed
    """
)


def _stays(session: Session, past: Sequence[Past]) -> dict[str, list[int]]:
    """Return the working days that each roster stayed at what the law limits, by the limit's code."""
    shared = {place.desk.post[:2]: place.limit for place in ROSTER_PLACES.values() if place.limit is not None}
    asked = {
        str(place.status): limit.code
        for code, place in ROSTER_PLACES.items()
        if (limit := place.limit or (shared.get(place.desk.post[:2]) if code != RosterStage.HEAD else None))
    }
    keys = {"ids": [one.id for one in past], "statuses": list(asked), "codes": list(asked.values())}
    found: dict[str, list[int]] = {}
    for code, days in session.execute(STAYS, keys) if past else ():
        found.setdefault(code, []).append(days)
    return found


SEATED = sa.text(
    """
    select g.division_code, g.kind, p.role, count(distinct o.person) as held
    from posts p join organisations g on g.id = p.organisation_id join officers o on o.id = p.officer_id and o.active
    where p.status = 'in_force' and p.valid_from <= :day and (p.valid_to is null or p.valid_to >= :day)
        and g.division_code = any (:places)
        and (g.kind <> 'department' or coalesce(nullif(p.sector, ''), g.sector) = :sector)
    group by g.division_code, g.kind, p.role
    """
)
ACTED = sa.text(
    "select distinct on (record_id, desk) record_id, desk, officer_name, label from events"
    " where noun = 'roster' and record_id = any (:ids) and desk = any (:desks) and from_status <> to_status"
    " order by record_id, desk, id"
)


def _conflicts(session: Session, sector: str, past: Sequence[Past], content: FlowContent) -> list[dict[str, Any]]:
    """Return the rosters where too few people sit at a desk: the same would have signed twice. （第二十三条）"""
    signing: dict[Desk, str] = {}
    for stage in content.roster:
        for substep in stage.substeps:
            if substep.kind in SIGNATURES:
                signing.setdefault(substep.desk, f"{substep.kind.label}：{substep.name}")
    if not signing or not past:
        return []
    places = sorted({code for one in past for code in (one.division_code, one.county_code)})
    keys = {"day": today(session), "places": places, "sector": sector}
    held = {(row.division_code, row.kind, row.role): row.held for row in session.execute(SEATED, keys)}
    asked = {"ids": [one.id for one in past], "desks": [str(desk) for desk in signing]}
    acted = {(row.record_id, row.desk): (row.officer_name, row.label) for row in session.execute(ACTED, asked)}
    names = dict(
        session.execute(
            sa.text("select code, name from divisions where code = any (:places)"), {"places": places}
        ).tuples().all()
    )  # fmt: skip
    found = []
    for one in past:
        for desk, name in signing.items():
            kind, _, role = desk.post
            place = one.division_code if kind == OrganisationKind.TOWNSHIP else one.county_code
            seated = held.get((place, str(kind), str(role)), 0)
            if seated < PERSONS_NEEDED:
                officer, did = acted.get((one.id, str(desk)), ("", ""))
                found.append(
                    {"number": one.number, "place": names.get(place, place), "desk": desk.label, "held": seated,
                     "officer": officer, "did": did, "substep": name}
                )  # fmt: skip
    return found
