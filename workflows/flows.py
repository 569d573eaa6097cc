"""A department's flow: drafted, tried on past rosters, enabled by a second person, never changed afterwards.

（第二十四条） A project names a flow by its code; a roster takes the version in force when it is made and keeps it.
"""

import re
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from models.base import REGION_CODE
from models.flows import FlowStatus, ProjectFlow
from models.officers import ActingOfficer
from models.projects import SubsidyProject
from policies.clock import today
from policies.enforcement import allow
from policies.flows import ApplicationStage, FlowContent, Stage, digest_of, flow_days, parse, stored
from policies.lifecycles import Desk
from policies.moves import begin, move, move_many, record_event, title_of
from policies.permissions import Permission
from policies.refusals import FasterColleague, NotAllowed, ReasonMissing, Refused, StepNotPossible
from policies.steps import require_step
from workflows.numbers import next_numbers

__all__ = [
    "application_stages", "discard", "draft", "enable", "enabled", "end", "flow_days", "propose", "require_enabled",
    "return_", "revise", "save", "withdraw",
]  # fmt: skip

LETTERS = "LC"
CODE = re.compile(r"[0-9A-Z]{2,20}")
SHOWN = 5


class FlowCodeWrong(Refused):
    """流程编码“{code}”不正确：{remedy}（第二十四条）。"""

    status_code = 400


class FlowOpen(Refused):
    """流程 {code} 已有正在办理的版本（{number}，{status}）；请在该版本上修改，或先作废后再编制（第二十四条）。"""


class TrialMissing(Refused):
    """{title}还没有按现在的内容试运行；请先由编制岗“试运行”，核对结果后再办理（第二十四条）。"""


class FlowInUse(Refused):
    """{title}正被 {count} 个补贴项目选用（{projects}），不能停用；请先变更这些项目的流程（第七条、第二十四条）。"""


class FlowNotEnabled(Refused):
    """补贴项目“{project}”选用的流程 {flow} 没有已启用的版本，不能造册；请自治区主管部门启用流程（第二十四条）。"""


def draft(session: Session, *, by: ActingOfficer, code: str, name: str, reason: str) -> ProjectFlow:
    """Begin a new version of a flow from the version in force, else from the statutory way. （第二十四条）

    Raises NotAllowed, ReasonMissing, FlowCodeWrong, FlowOpen.
    """
    allow(session, by, Permission.FLOW_DRAFT)
    if by.division_code != REGION_CODE or not by.sector:
        raise NotAllowed(post=by.post, permission=Permission.FLOW_DRAFT.label)
    code, name, reason = code.strip().upper(), name.strip(), reason.strip()
    if not CODE.fullmatch(code):
        raise FlowCodeWrong(code=code[:20], remedy="请用 2 至 20 个数字和大写字母")
    if not name or not reason:
        raise ReasonMissing(step="编制流程", field="流程名称和制定依据")
    _require_none_open(session, by.sector, code)
    former = in_force(session, by.sector, code)
    content = former.content if former is not None else stored(FlowContent.statutory())
    flow = ProjectFlow(
        division_code=REGION_CODE,
        number=next_numbers(session, ProjectFlow, LETTERS, REGION_CODE)[0],
        sector=by.sector,
        code=code,
        name=name[:40],
        reason=reason,
        content=content,
        digest=digest_of(content),
        drafted_by=by.name,
    )
    facts = {"code": code, "origin": former.number if former is not None else "法定流程", "digest": flow.digest}
    return begin(session, flow, by=by, label="编制流程", desk=Desk.REGION_DEPARTMENT_CLERK, facts=facts)


def revise(session: Session, flow: ProjectFlow, *, by: ActingOfficer, reason: str) -> ProjectFlow:
    """Begin the next version of an enabled flow under its code and name. （第二十四条） Raises as `draft` does."""
    return draft(session, by=by, code=flow.code, name=flow.name, reason=reason)


def _require_none_open(session: Session, sector: str, code: str) -> None:
    opened = session.exec(
        select(ProjectFlow).where(
            ProjectFlow.sector == sector,
            ProjectFlow.code == code,
            col(ProjectFlow.status).in_((FlowStatus.DRAFT, FlowStatus.PROPOSED)),
        )
    ).first()
    if opened is not None:
        raise FlowOpen(code=code, number=opened.number, status=opened.status.label)


def save(
    session: Session, flow: ProjectFlow, *, by: ActingOfficer, content: Mapping[str, Any], name: str = ""
) -> ProjectFlow:
    """Write a draft's content; another content than the tried one needs another trial. （第二十四条）

    Raises FlowWrong with every mistake and its place, StepNotPossible, FasterColleague.
    """
    allow(session, by, Permission.FLOW_DRAFT, flow)
    if flow.status != FlowStatus.DRAFT:
        raise StepNotPossible(title=title_of(flow), status=flow.status.label, step="修改")
    held = stored(parse(content))
    written(session, flow, content=held, digest=digest_of(held), name=(name.strip() or flow.name)[:40])
    facts = {"digest": flow.digest}
    record_event(session, flow, "save", by=by, label="修改流程", desk=Desk.REGION_DEPARTMENT_CLERK, facts=facts)
    return flow


def written(session: Session, flow: ProjectFlow, **values: Any) -> None:
    """Write a flow's fields as it was read. Raises FasterColleague."""
    columns: Any = ProjectFlow
    done = session.scalars(
        sa.update(ProjectFlow)
        .where(columns.id == flow.id, columns.status == flow.status, columns.version == flow.version)
        .values(**values, version=flow.version + 1)
        .returning(ProjectFlow),
        execution_options={"synchronize_session": False, "populate_existing": True},
    )
    if done.one_or_none() is None:
        raise FasterColleague(title=title_of(flow))


def propose(session: Session, flow: ProjectFlow, *, by: ActingOfficer) -> ProjectFlow:
    """Hand a tried draft to the reviewer. （第二十三、二十四条） Raises FlowWrong, TrialMissing."""
    allow(session, by, Permission.FLOW_DRAFT, flow)
    _require_tried(flow)
    return move(session, flow, "propose", by=by, facts={"digest": flow.digest})


def withdraw(session: Session, flow: ProjectFlow, *, by: ActingOfficer) -> ProjectFlow:
    """Take a proposed version back to change it."""
    allow(session, by, Permission.FLOW_DRAFT, flow)
    return move(session, flow, "withdraw", by=by)


def discard(session: Session, flow: ProjectFlow, *, by: ActingOfficer) -> ProjectFlow:
    """Give a draft up."""
    allow(session, by, Permission.FLOW_DRAFT, flow)
    return move(session, flow, "discard", by=by)


def return_(session: Session, flow: ProjectFlow, *, by: ActingOfficer, reason: str) -> ProjectFlow:
    """Return a proposed version with the reason. Raises ReasonMissing."""
    allow(session, by, Permission.FLOW_ENABLE, flow)
    if not reason.strip():
        raise ReasonMissing(step="退回修改", field="退回原因")
    return move(session, flow, "return_", by=by, opinion=reason.strip())


def enable(session: Session, flow: ProjectFlow, *, by: ActingOfficer) -> ProjectFlow:
    """Bring a version into force; the former one serves only the rosters that began with it. （第二十三、二十四条）

    Raises FlowWrong, TrialMissing, SamePersonTwice.
    """
    allow(session, by, Permission.FLOW_ENABLE, flow)
    require_step(flow, "enable", by=by)
    _require_tried(flow)
    former = in_force(session, flow.sector, flow.code)
    if former is not None:
        move_many(session, ProjectFlow, "supersede", [former.id or 0], by=by)
    latest = sa.select(sa.func.coalesce(sa.func.max(col(ProjectFlow.flow_version)), 0)).where(
        col(ProjectFlow.sector) == flow.sector, col(ProjectFlow.code) == flow.code
    )
    number = session.execute(latest).scalar_one() + 1
    written(session, flow, flow_version=number, enabled_by=by.name, in_force_from=today(session))
    return move(session, flow, "enable", by=by, facts={"digest": flow.digest, "flow_version": number})


def _require_tried(flow: ProjectFlow) -> None:
    """Let only a whole flow go on that was tried as it stands. Raises FlowWrong, TrialMissing."""
    parse(flow.content)
    if flow.trial_digest != flow.digest or flow.digest != digest_of(flow.content):
        raise TrialMissing(title=title_of(flow))


def end(session: Session, flow: ProjectFlow, *, by: ActingOfficer, reason: str) -> ProjectFlow:
    """End a flow that no project names any longer; rosters that began with it end by it. （第九、二十四条）

    Raises ReasonMissing, FlowInUse.
    """
    allow(session, by, Permission.FLOW_ENABLE, flow)
    if not reason.strip():
        raise ReasonMissing(step="停用流程", field="停用原因")
    projects = session.exec(
        select(SubsidyProject.name).where(
            SubsidyProject.sector == flow.sector, col(SubsidyProject.definition)["flow"].astext == flow.code
        )
    ).all()
    if projects:
        shown = "、".join(projects[:SHOWN]) + ("等" if len(projects) > SHOWN else "")
        raise FlowInUse(title=title_of(flow), count=len(projects), projects=shown)
    return move(session, flow, "end", by=by, opinion=reason.strip())


def in_force(session: Session, sector: str, code: str) -> ProjectFlow | None:
    """Return the version in force of a flow."""
    return session.exec(
        select(ProjectFlow).where(
            ProjectFlow.sector == sector, ProjectFlow.code == code, ProjectFlow.status == FlowStatus.IN_FORCE
        )
    ).one_or_none()


def enabled(session: Session, sector: str) -> list[tuple[str, str]]:
    """Return the flows that a sector's projects may name: code and name with the version. （第二十四条）"""
    rows = session.execute(
        sa.select(col(ProjectFlow.code), col(ProjectFlow.name), col(ProjectFlow.flow_version))
        .where(col(ProjectFlow.sector) == sector, col(ProjectFlow.status) == FlowStatus.IN_FORCE)
        .order_by(col(ProjectFlow.code))
    )
    return [(code, f"{name}（第 {number} 版）") for code, name, number in rows]


def require_enabled(session: Session, project: SubsidyProject) -> ProjectFlow | None:
    """Return the flow that a new record of a project takes; None: the statutory way. Raises FlowNotEnabled."""
    code = str(project.definition.get("flow") or "")
    if not code:
        return None
    flow = in_force(session, project.sector, code)
    if flow is None:
        raise FlowNotEnabled(project=project.name, flow=code)
    return flow


def application_stages(session: Session, project: SubsidyProject) -> tuple[Stage, ...]:
    """Return the stages of an application for a project, in order: its flow's, else all five. （第十四条）

    An application keeps what it was given: whoever makes it stores the stages, or the flow's id. Raises FlowNotEnabled.
    """
    flow = require_enabled(session, project)
    if flow is None:
        return tuple(Stage(code=code) for code in ApplicationStage)
    return FlowContent.model_validate(flow.content).application
