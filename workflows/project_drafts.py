"""Filling in 《惠民惠农财政补贴项目申请表》: the region's department, a county's for league and county. （第七条）

A draft is saved as often as one likes and as it was typed; its mistakes are shown, and stop nothing before submission.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import PurePath
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from models.base import REGION_CODE
from models.divisions import Division, Level
from models.officers import ActingOfficer
from models.project_changes import ProjectChange, ProjectChangeKind, ProjectChangeStatus
from models.projects import PolicyLevel, ProjectStatus, SubsidyProject
from models.registry_changes import Attachment, DocumentKind
from policies.clock import now
from policies.definitions import Definition
from policies.enforcement import OtherSector, allow
from policies.lifecycles import Desk
from policies.moves import begin, move, record_event, title_of
from policies.permissions import Permission
from policies.refusals import FasterColleague, ReasonMissing, Refused, StepNotPossible
from workflows.attachments import Evidence, attach, attachments_of
from workflows.numbers import next_numbers
from workflows.project_sheets import TABLES, Sheet, filled, sheet_of
from workflows.project_versions import in_force

NOUN = "project_change"
DRAFTS = frozenset((ProjectChangeStatus.DRAFT, ProjectChangeStatus.LOCAL_DRAFT))
RETURNED = frozenset((ProjectChangeStatus.RETURNED, ProjectChangeStatus.LOCAL_RETURNED))
EDITABLE = DRAFTS | RETURNED
REGIONAL = frozenset((PolicyLevel.CENTRAL, PolicyLevel.REGION))


class OtherLevel(Refused):
    """{level}补贴项目由{who}填写申请表，您的岗位（{post}）不能填写；请联系其办理（第七条）。"""

    status_code = 403


class CodeTaken(Refused):
    """项目编码“{code}”已用于“{name}”，编码不能重复；请改用新的编码，或对该项目提出变更（第七条）。"""


class CodeWrong(Refused):
    """项目编码“{code}”不正确：须为 3 至 20 位数字或大写字母；请更正。"""

    status_code = 400


class AlreadyStopped(Refused):
    """“{project}”已停用，不能{kind}；需要恢复的，对该项目办理入库（第七条）。"""


class NotStopped(Refused):
    """“{project}”在库，不需要再入库；要改动的请办理变更（第七条）。"""


class NotAsked(Refused):
    """申请“{kind}”须先指定项目，请从项目库的项目页面提出。"""

    status_code = 400


def owner_of(level: PolicyLevel, division_code: str) -> str:
    """Return the division that owns a project of a level which an office of that division fills in."""
    if level in REGIONAL:
        return REGION_CODE
    return division_code[:4] + "00000000" if level == PolicyLevel.LEAGUE else division_code


def require_level(level: PolicyLevel, by: ActingOfficer, division_code: str = "") -> None:
    """Let the region's departments fill in for the centre and the region, a county's for itself and its league.

    division_code: the owner of a project that exists; what the region owns is its department's, whatever its level.
    （第七条第二项、第三项） Raises OtherLevel.
    """
    regional = division_code == REGION_CODE if division_code else level in REGIONAL
    own = regional or not division_code or division_code == owner_of(level, by.division_code)
    if own and by.level == (Level.REGION if regional else Level.COUNTY):
        return
    who = "自治区级补贴项目主管部门" if regional else "旗县（市、区）补贴项目主管部门"
    raise OtherLevel(level=level.label, who=who, post=by.post)


def draft(
    session: Session,
    *,
    by: ActingOfficer,
    kind: ProjectChangeKind,
    project: SubsidyProject | None = None,
    code: str = "",
    name: str = "",
    policy_level: PolicyLevel | None = None,
    reason: str = "",
    effective_on: date | None = None,
    definition: Definition | None = None,
) -> ProjectChange:
    """Begin a form: for a new project, for a change of one, or to stop it. （第七条）

    An 入库 of a stopped project takes it into the library again. Raises NotAllowed, OtherLevel, OtherSector,
    ReasonMissing, CodeWrong, CodeTaken, AlreadyStopped, NotStopped, NotAsked.
    """
    allow(session, by, Permission.PROJECT_CHANGE_DRAFT)
    if not reason.strip():
        raise ReasonMissing(step="填写项目申请表", field="申请理由")
    if project is not None:
        sheet, level = _of_project(project, kind, by), project.policy_level
    else:
        if kind != ProjectChangeKind.ADMIT:
            raise NotAsked(kind=kind.label)
        level = policy_level or (PolicyLevel.REGION if by.level == Level.REGION else PolicyLevel.COUNTY)
        sheet = _of_new(session, by, level, code.strip(), name.strip())
    require_level(level, by, project.division_code if project is not None else "")
    if kind == ProjectChangeKind.STOP and effective_on is None:
        raise ReasonMissing(step="填写停用申请", field="停用日期")
    return _begin(
        session, by, kind, project, level, sheet if definition is None else sheet_of(definition), reason.strip(),
        effective_on if kind == ProjectChangeKind.STOP else None,
    )  # fmt: skip


def _begin(
    session: Session, by: ActingOfficer, kind: ProjectChangeKind, project: SubsidyProject | None, level: PolicyLevel,
    sheet: Sheet, reason: str, day: date | None,
) -> ProjectChange:  # fmt: skip
    """Write the first draft of a form."""
    owner = project.division_code if project is not None else owner_of(level, by.division_code)
    local = owner != REGION_CODE
    change = ProjectChange(
        division_code=by.division_code,
        owner_code=owner,
        number=next_numbers(session, ProjectChange, "XM", by.division_code)[0],
        kind=kind,
        status=ProjectChangeStatus.LOCAL_DRAFT if local else ProjectChangeStatus.DRAFT,
        policy_level=level,
        sector=by.sector,
        code=sheet["code"],
        name=sheet["name"],
        project_id=project.id if project is not None else None,
        base_version=project.project_version if project is not None else 0,
        sheet=sheet,
        reason=reason,
        effective_on=day,
        prepared_at=now(session),
    )
    desk = Desk.DEPARTMENT_CLERK if local else Desk.REGION_DEPARTMENT_CLERK
    return begin(session, change, by=by, label=f"填写{kind.label}申请表", desk=desk)


def _of_project(project: SubsidyProject, kind: ProjectChangeKind, by: ActingOfficer) -> Sheet:
    """Return the form of a project as it is in the library."""
    if by.sector and project.sector != by.sector:
        raise OtherSector(sector=project.sector, own=by.sector)
    stopped = project.status == ProjectStatus.STOPPED
    if stopped and kind != ProjectChangeKind.ADMIT:
        raise AlreadyStopped(project=project.name, kind=kind.label)
    if not stopped and kind == ProjectChangeKind.ADMIT:
        raise NotStopped(project=project.name)
    return sheet_of(in_force(project))


def _of_new(session: Session, by: ActingOfficer, level: PolicyLevel, code: str, name: str) -> Sheet:
    """Return an empty form. Raises CodeWrong, CodeTaken, ReasonMissing."""
    if not name:
        raise ReasonMissing(step="填写项目申请表", field="项目名称")
    plain = all(letter.isascii() and (letter.isdigit() or letter.isupper()) for letter in code)
    if not (plain and 3 <= len(code) <= 20):
        raise CodeWrong(code=code)
    require_free_code(session, code)
    blank = Definition(code=code, name="待填", policy_level=level, sector=by.sector or "综合")
    return sheet_of(blank) | {"name": name}


NAMES = sa.text("select code, name from project_names(:codes)")


def names_of(session: Session, codes: Sequence[str]) -> dict[str, str]:
    """Return the names of the projects of these codes, whoever owns them; a code that is nobody's is missing."""
    return dict(session.execute(NAMES, {"codes": list(codes)}).tuples().all())


def require_free_code(session: Session, code: str) -> None:
    """Refuse a code that the library has. Raises CodeTaken."""
    taken = names_of(session, [code])
    if code in taken:
        raise CodeTaken(code=code, name=taken[code])


def require_version(change: ProjectChange, version: int | None) -> None:
    """Refuse to write over what somebody saved in the meantime. Raises FasterColleague."""
    if version is not None and version != change.version:
        raise FasterColleague(title=title_of(change))


def save(
    session: Session,
    change: ProjectChange,
    *,
    by: ActingOfficer,
    sheet: Mapping[str, Any],
    reason: str = "",
    effective_on: date | None = None,
    files: Mapping[int, Evidence] | None = None,
    version: int | None = None,
) -> ProjectChange:
    """Save a form as it was typed, mistakes and all; a returned one becomes a draft again. （第七条）

    files: the file of the policy document in that row, counted from 0. version: the one that was read. Raises
    NotAllowed, StepNotPossible, FasterColleague, DocumentNotKnown, DocumentTooBig.
    """
    allow(session, by, Permission.PROJECT_CHANGE_DRAFT, change)
    require_version(change, version)
    if change.status not in EDITABLE:
        raise StepNotPossible(title=title_of(change), status=change.status.label, step="填写申请表")
    require_level(change.policy_level, by, change.owner_code)
    if change.status in RETURNED:
        move(session, change, "revise", by=by)
    stops = change.kind == ProjectChangeKind.STOP  # the project itself stays as it is, only documents are added
    given = dict(change.sheet) | {"documents": sheet.get("documents", ())} if stops else dict(sheet)
    kept = _with_files(session, change, given, files or {}, by)
    kept |= {table: filled(kept, table) for table in TABLES}
    kept |= {"policy_level": change.policy_level.value, "sector": change.sector}
    if change.project_id is not None:
        kept["code"] = change.code
    change.sheet = kept
    change.code, change.name = str(kept.get("code", "")).strip(), str(kept.get("name", "")).strip()
    change.reason = reason.strip() or change.reason
    change.effective_on = (effective_on or change.effective_on) if change.kind == ProjectChangeKind.STOP else None
    change.document_count = len(own_files(session, change, kept))
    change.version += 1
    session.flush()
    record_event(session, change, "save", by=by, label="保存申请表", desk=_desk(change))
    return change


def _desk(change: ProjectChange) -> Desk:
    return Desk.REGION_DEPARTMENT_CLERK if change.owner_code == REGION_CODE else Desk.DEPARTMENT_CLERK


def _with_files(
    session: Session, change: ProjectChange, sheet: Sheet, files: Mapping[int, Evidence], by: ActingOfficer
) -> Sheet:
    """Keep the uploaded files of policy documents, each with its row."""
    rows = [dict(row) for row in sheet.get("documents", ())]
    chosen = [place for place in sorted(files) if place < len(rows)]
    policies = [replace(files[place], kind=DocumentKind.POLICY) for place in chosen]
    for place, file in zip(
        chosen, attach(session, NOUN, change.id or 0, change.division_code, policies, by=by), strict=True
    ):
        rows[place]["attachment_id"] = str(file.id)
        rows[place]["title"] = str(rows[place].get("title") or PurePath(file.file_name).stem)
    return sheet | {"documents": rows}


def own_files(session: Session, change: ProjectChange, sheet: Mapping[str, Any]) -> dict[int, Attachment]:
    """Return the files that this very change brings and its form names, by the attachment's number."""
    named = {str(row.get("attachment_id") or "").strip() for row in sheet.get("documents", ())}
    found = attachments_of(session, NOUN, change.id or 0, change.division_code)
    return {file.id: file for file, _ in found if file.id is not None and str(file.id) in named}


def open_changes(session: Session, project: SubsidyProject) -> list[ProjectChange]:
    """Return the changes of a project that are under way, as the officer may see them."""
    ended = (ProjectChangeStatus.EFFECTIVE, ProjectChangeStatus.WITHDRAWN)
    statement = select(ProjectChange).where(
        ProjectChange.project_id == project.id, col(ProjectChange.status).not_in(ended)
    )
    return list(session.exec(statement.order_by(col(ProjectChange.id))))


def known_divisions(session: Session, codes: Sequence[str]) -> set[str]:
    """Return which of the codes are divisions."""
    return set(session.exec(select(Division.code).where(col(Division.code).in_(codes))))
