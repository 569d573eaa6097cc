"""Changes of the project library: 入库, 变更 and 停用, by the level whose policy it is. （第七条、第九条）

The only caller of `admit_version` and `amend_version`: PostgreSQL lets the library be written in no other transaction.
"""

from collections.abc import Callable, Sequence

import sqlalchemy as sa
from sqlmodel import Session, col, select

from models.catalogue_tasks import CatalogueTaskKind
from models.divisions import Division
from models.officers import ActingOfficer
from models.project_changes import ProjectChange, ProjectChangeKind, ProjectChangeStatus
from models.projects import ProjectStatus, SubsidyProject
from models.publications import SHOWN, Publication
from models.registry_changes import DocumentKind
from policies.clock import now, today
from policies.definitions import digest_of, parse, stored
from policies.enforcement import allow
from policies.moves import move
from policies.permissions import Permission
from policies.refusals import ReasonMissing, Refused
from workflows import publications
from workflows.attachments import Evidence, attach
from workflows.catalogue_tasks import Errand, raise_tasks
from workflows.policy_documents import keep_documents
from workflows.project_drafts import (
    NOUN,
    AlreadyStopped,
    CodeTaken,
    CodeWrong,
    NotAsked,
    NotStopped,
    OtherLevel,
    draft,
    own_files,
    require_free_code,
    require_version,
    save,
)
from workflows.project_rules import mistakes_of
from workflows.project_sheets import read
from workflows.project_versions import admit_version, amend_version
from workflows.standards import put_in_force

__all__ = [
    "AlreadyStopped", "CodeTaken", "CodeWrong", "NotAsked", "NotStopped", "OtherLevel", "draft", "mistakes_of", "save",
]  # fmt: skip


class SheetWrong(Refused):
    """申请表还有 {count} 处需要更正，不能提交。{first}；请在申请表中逐项更正后再提交（第七条）。"""

    status_code = 400


class Overtaken(Refused):
    """申请 {number} 依据第 {base} 版，“{project}”现行第 {version} 版，已有变动；请退回填报岗位核对（第九条）。"""


def submit(session: Session, change: ProjectChange, *, by: ActingOfficer, opinion: str = "") -> ProjectChange:
    """Submit a form to the department's reviewer: its content is fixed from now on. （第七条）

    Raises NotAllowed, StepNotPossible, SheetWrong, Overtaken, CodeTaken.
    """
    allow(session, by, Permission.PROJECT_CHANGE_DRAFT, change)
    if change.status in (ProjectChangeStatus.DRAFT, ProjectChangeStatus.LOCAL_DRAFT):
        _fix(session, change)
    return move(session, change, "submit", by=by, opinion=opinion)


def _fix(session: Session, change: ProjectChange) -> None:
    """Make the definition that the form says, if there is nothing wrong with it."""
    wrong = mistakes_of(session, change)
    if wrong:
        raise SheetWrong(count=len(wrong), first=wrong[0].message, field=wrong[0].place)
    _require_current(session, change)
    definition, _ = read(change.sheet)
    assert definition is not None  # else there were mistakes
    change.code, change.name = definition.code, definition.name
    change.definition, change.digest = stored(definition), digest_of(definition)
    change.document_count = len(own_files(session, change, change.sheet))
    session.flush()


LOCK = sa.text("select pg_advisory_xact_lock(hashtextextended('project:' || :code, 0))")


def _require_current(session: Session, change: ProjectChange) -> SubsidyProject | None:
    """Return the change's project, if it is as it was when the form was filled in. Raises Overtaken, CodeTaken."""
    if change.project_id is None:
        require_free_code(session, change.code)
        return None
    project = session.get_one(SubsidyProject, change.project_id, populate_existing=True)
    stopped = project.status == ProjectStatus.STOPPED
    if project.project_version != change.base_version or stopped != (change.kind == ProjectChangeKind.ADMIT):
        raise Overtaken(
            number=change.number, project=project.name, version=project.project_version, base=change.base_version
        )
    return project


def sign(session: Session, change: ProjectChange, *, by: ActingOfficer, opinion: str = "") -> ProjectChange:
    """Sign a form as the department's reviewer. （第七条、第二十三条） Raises Overtaken, CodeTaken."""
    return _onward(session, change, "sign", Permission.PROJECT_CHANGE_SIGN, by, opinion)


def _onward(
    session: Session, change: ProjectChange, verb: str, permission: Permission, by: ActingOfficer, opinion: str
) -> ProjectChange:
    """Take one step onward with a change that still fits the library."""
    allow(session, by, permission, change)
    move(session, change, verb, by=by, opinion=opinion)
    _require_current(session, change)
    return change


def join(
    session: Session,
    change: ProjectChange,
    *,
    by: ActingOfficer,
    joint_document: str,
    evidence: Sequence[Evidence] = (),
    opinion: str = "",
) -> ProjectChange:
    """Join the county department's form as its finance bureau, by a joint document. （第七条第三项联合行文）

    Raises ReasonMissing, Overtaken, DocumentNotKnown.
    """
    allow(session, by, Permission.PROJECT_CHANGE_JOIN, change)
    if not joint_document.strip():
        raise ReasonMissing(step="联合行文", field="联合行文文号")
    move(session, change, "join", by=by, opinion=opinion, facts={"joint_document": joint_document.strip()})
    change.joint_document = joint_document.strip()
    kept = [Evidence(one.name, one.content, DocumentKind.JOINT) for one in evidence]
    attach(session, NOUN, change.id or 0, change.division_code, kept, by=by)
    session.flush()
    _require_current(session, change)
    return change


def verify(session: Session, change: ProjectChange, *, by: ActingOfficer, opinion: str = "") -> ProjectChange:
    """Verify a county's form as the league's department, then as its finance bureau. （第七条第三项）

    满洲里 and 二连浩特 have no finance bureau above them in the league: that step is passed over at once.
    """
    _onward(session, change, "verify", Permission.PROJECT_CHANGE_VERIFY, by, opinion)
    if change.status != ProjectChangeStatus.DEPARTMENT_VERIFIED:
        return change
    if session.get_one(Division, change.division_code).region_direct_finance:
        move(session, change, "pass_over", by=by, facts={"basis": "财政由自治区直接管理"})
    return change


def examine(session: Session, change: ProjectChange, *, by: ActingOfficer, opinion: str = "") -> ProjectChange:
    """Examine a form as the region's finance clerk. （第七条第二项、第三项）"""
    return _onward(session, change, "examine", Permission.PROJECT_CHANGE_EXAMINE, by, opinion)


def admit(session: Session, change: ProjectChange, *, by: ActingOfficer, opinion: str = "") -> ProjectChange:
    """Let a central or regional change become effective, in this very transaction. （第七条第二项）"""
    return _effect(session, change, "admit", by, opinion)


def file(session: Session, change: ProjectChange, *, by: ActingOfficer, opinion: str = "") -> ProjectChange:
    """File a league's or county's change (备案): it becomes effective in this very transaction. （第七条第三项）"""
    return _effect(session, change, "file", by, opinion)


def _effect(session: Session, change: ProjectChange, verb: str, by: ActingOfficer, opinion: str) -> ProjectChange:
    """Write what the change says into the library. Raises Overtaken, CodeTaken."""
    allow(session, by, Permission.PROJECT_CHANGE_ADMIT, change)
    session.execute(LOCK, {"code": change.code})
    project = _require_current(session, change)
    move(session, change, verb, by=by, opinion=opinion)
    EFFECTS[change.kind](session, change, project, by)
    session.flush()
    return change


def _enter(session: Session, change: ProjectChange, project: SubsidyProject | None, by: ActingOfficer) -> None:
    """Put the version of a change in force: the first, or the next."""
    definition, day = parse(change.definition), today(session)
    if project is None:
        project = admit_version(
            session, definition, division_code=change.owner_code, basis=change.number, effective_on=day
        )
        change.project_id = project.id
    else:
        project.status, project.stopped_on = ProjectStatus.ADMITTED, None
        amend_version(session, project, definition, basis=change.number, effective_on=day)
    change.effective_at = now(session)
    session.flush()
    put_in_force(session, project, definition.standards, basis=change.number)
    keep_documents(session, change, project, definition)
    publications.raise_stale(session, project, by=by)


def _stop(session: Session, change: ProjectChange, project: SubsidyProject | None, by: ActingOfficer) -> None:
    """Stop a project from its day on: no new roster begins, those under way go on. （第七条、第九条停发）"""
    assert project is not None
    project.status, project.stopped_on = ProjectStatus.STOPPED, change.effective_on
    change.effective_at = now(session)
    session.flush()
    keep_documents(session, change, project, parse(change.definition))
    _tell_stopped(session, project, by)


def _tell_stopped(session: Session, project: SubsidyProject, by: ActingOfficer) -> None:
    """Tell every department whose published policy or standard is of a project that has been stopped. （第九条）"""
    shown = session.exec(
        select(Publication).where(Publication.project_id == project.id, col(Publication.status).in_(SHOWN))
    ).all()
    told = f"项目自 {project.stopped_on} 起停用，请撤下或替换已公开的内容"
    errands = [
        Errand(one.division_code, one.sector, publications.SUBJECT, one.id or 0, f"“{one.title}”：{told}")
        for one in shown
        if by.scope.covers(one.division_code)
    ]
    raise_tasks(session, CatalogueTaskKind.STALE_PUBLICATION, errands)


Effect = Callable[[Session, ProjectChange, SubsidyProject | None, ActingOfficer], None]
EFFECTS: dict[ProjectChangeKind, Effect] = {
    ProjectChangeKind.ADMIT: _enter,
    ProjectChangeKind.AMEND: _enter,
    ProjectChangeKind.STOP: _stop,
}
"""What each kind of change writes."""

RETURNERS = {
    ProjectChangeStatus.SUBMITTED: Permission.PROJECT_CHANGE_SIGN,
    ProjectChangeStatus.LOCAL_SUBMITTED: Permission.PROJECT_CHANGE_SIGN,
    ProjectChangeStatus.LOCAL_SIGNED: Permission.PROJECT_CHANGE_JOIN,
    ProjectChangeStatus.JOINED: Permission.PROJECT_CHANGE_VERIFY,
    ProjectChangeStatus.DEPARTMENT_VERIFIED: Permission.PROJECT_CHANGE_VERIFY,
    ProjectChangeStatus.SIGNED: Permission.PROJECT_CHANGE_EXAMINE,
    ProjectChangeStatus.VERIFIED: Permission.PROJECT_CHANGE_EXAMINE,
}
"""What the desk that may return is allowed to do; at every other status: to let the change become effective."""


def return_(session: Session, change: ProjectChange, *, by: ActingOfficer, reason: str) -> ProjectChange:
    """Give a form back to whoever fills it in, from any desk. （第七条、第二十三条） Raises ReasonMissing."""
    allow(session, by, RETURNERS.get(change.status, Permission.PROJECT_CHANGE_ADMIT), change)
    if not reason.strip():
        raise ReasonMissing(step="退回", field="退回原因")
    move(session, change, "return_", by=by, opinion=reason.strip())
    change.returned_for = reason.strip()
    session.flush()
    return change


def resubmit(session: Session, change: ProjectChange, *, by: ActingOfficer, opinion: str = "") -> ProjectChange:
    """Submit a returned form unchanged: it goes back to the desk that returned it. Raises Overtaken."""
    return _onward(session, change, "resubmit", Permission.PROJECT_CHANGE_DRAFT, by, opinion)


def revise(session: Session, change: ProjectChange, *, by: ActingOfficer) -> ProjectChange:
    """Open a returned form for changes: it goes its whole way again. （第二十三条）"""
    allow(session, by, Permission.PROJECT_CHANGE_DRAFT, change)
    return move(session, change, "revise", by=by)


def rebase(session: Session, change: ProjectChange, *, by: ActingOfficer, version: int | None = None) -> ProjectChange:
    """Take over that the project has a newer version: the form stays as typed and is to be compared. （第九条）

    Raises NotAllowed, StepNotPossible, AlreadyStopped, NotStopped.
    """
    allow(session, by, Permission.PROJECT_CHANGE_DRAFT, change)
    require_version(change, version)
    if change.status in (ProjectChangeStatus.RETURNED, ProjectChangeStatus.LOCAL_RETURNED):
        move(session, change, "revise", by=by)
    project = session.get_one(SubsidyProject, change.project_id, populate_existing=True)
    if project.status == ProjectStatus.STOPPED and change.kind != ProjectChangeKind.ADMIT:
        raise AlreadyStopped(project=project.name, kind=change.kind.label)
    change.base_version = project.project_version
    change.version += 1
    session.flush()
    return change


def withdraw(session: Session, change: ProjectChange, *, by: ActingOfficer, reason: str) -> ProjectChange:
    """Take a form back before the region's finance department has examined it. （第七条） Raises ReasonMissing."""
    allow(session, by, Permission.PROJECT_CHANGE_DRAFT, change)
    if not reason.strip():
        raise ReasonMissing(step="撤回", field="撤回原因")
    return move(session, change, "withdraw", by=by, opinion=reason.strip())


def overtaken(session: Session, change: ProjectChange) -> str:
    """Tell why a change under way no longer fits the library; empty when it does."""
    try:
        _require_current(session, change)
    except Refused as refusal:
        return str(refusal)
    return ""
