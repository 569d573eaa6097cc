"""Flows of the tests: a statutory way with one stage filled, a flow in force, a project that follows it."""

from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from models.flows import FlowStatus, ProjectFlow
from models.projects import SubsidyProject
from policies.clock import now
from policies.flows import FlowContent, digest_of, stored
from tests.factories import REGION, World, again
from tests.world import NUMBERS
from workflows import flows
from workflows.flow_trials import try_out

NAME = "农牧补贴发放流程"


def a_substep(
    kind: str = "sign_off", desk: str = "department_clerk", name: str = "加签一人", **more: Any
) -> dict[str, Any]:
    return {"kind": kind, "desk": desk, "name": name} | more


def content(stage: str = "", *substeps: dict[str, Any], days: int | None = None, way: str = "roster") -> dict[str, Any]:
    """The statutory way with one stage filled."""
    made = stored(FlowContent.statutory())
    for one in made[way]:
        if one["code"] == stage:
            one |= {"substeps": list(substeps), "days": days}
    return made


def a_flow(
    session: Session, world: World, raw: dict[str, Any] | None = None, *, code: str = "NM1", enabled: bool = True
) -> ProjectFlow:
    """Make a flow as the department does: drafted, written, tried, proposed, enabled."""
    clerk, reviewer = world.region_department.clerk, world.region_department.reviewer
    flow = flows.draft(session, by=clerk, code=code, name=NAME, reason="自治区农牧厅发放管理规程")
    flows.save(session, flow, by=clerk, content=raw or content())
    try_out(session, flow, by=clerk)
    if enabled:
        flows.propose(session, flow, by=clerk)
        flows.enable(session, flow, by=reviewer)
    return flow


def follows(session: Session, project: SubsidyProject, code: str) -> SubsidyProject:
    """Let a project name a flow, as a change of the project does."""
    session.execute(sa.text("set local session_replication_role = replica"))
    value = "definition = jsonb_set(definition, '{flow}', to_jsonb(cast(:code as text)))"
    for table, key in (("project_versions", "project_id"), ("subsidy_projects", "id")):
        session.execute(
            sa.text(f"update {table} set {value} where {key} = :id"),
            {"code": code, "id": project.id},
        )
    session.execute(sa.text("set local session_replication_role = origin"))
    return again(session, project)


def a_flow_in(session: Session, county: World, status: Any) -> ProjectFlow:
    content, number = stored(FlowContent.statutory()), next(NUMBERS)
    flow = ProjectFlow(
        division_code=REGION, number=f"LC{number}", sector="农牧", code=f"NM{number}", name="试验", reason="试验",
        content=content, digest=digest_of(content), trial_digest=digest_of(content), drafted_by="某",
        status=FlowStatus(status), arrived_at=now(session),
    )  # fmt: skip
    session.add(flow)
    session.flush()
    return flow
