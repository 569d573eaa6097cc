"""Versions of a project: each frozen for ever, one in force; made by a project change only. （第七、九条）"""

from datetime import date

import sqlalchemy as sa
from sqlmodel import Session

from models.projects import ProjectStatus, ProjectVersion, SubsidyProject
from models.rosters import Roster
from policies.clock import now, today
from policies.definitions import Definition, columns_of, digest_of, parse, stored


def version_of(session: Session, project_id: int, number: int) -> Definition:
    """Return the definition that a roster of that version follows."""
    raw = session.execute(
        sa.text("select definition from project_versions where project_id = :project and number = :number"),
        {"project": project_id, "number": number},
    ).scalar_one()
    return parse(raw)


def followed_by(session: Session, roster: Roster) -> Definition:
    """Return the definition that a roster follows, as its row says: a trigger wrote its version. （第九条）"""
    raw = session.execute(
        sa.text(
            "select v.definition from rosters r join project_versions v on v.project_id = r.project_id"
            " and v.number = r.project_version where r.division_code = :division and r.id = :roster"
        ),
        {"division": roster.division_code, "roster": roster.id},
    ).scalar_one()
    return parse(raw)


def in_force(project: SubsidyProject) -> Definition:
    """Return the definition of the version in force."""
    return parse(project.definition)


def is_stopped(session: Session, project: SubsidyProject) -> bool:
    """Tell whether nothing new is begun for a project: it is stopped, and the day of the stop has come. （第九条）"""
    day = project.stopped_on
    return project.status == ProjectStatus.STOPPED and (day is None or day <= today(session))


def admit_version(
    session: Session, definition: Definition, *, division_code: str, basis: str, effective_on: date
) -> SubsidyProject:
    """Put a project that did not exist into the library with its first version. （第七条）"""
    project = SubsidyProject(division_code=division_code, **columns_of(definition), status=ProjectStatus.ADMITTED)
    session.add(project)
    session.flush()
    _freeze(session, project, definition, basis, effective_on)
    return project


def amend_version(
    session: Session, project: SubsidyProject, definition: Definition, *, basis: str, effective_on: date
) -> SubsidyProject:
    """Give a project its next version; what was made under an earlier one keeps it. （第九条）"""
    for name, value in columns_of(definition).items():
        setattr(project, name, value)
    project.project_version += 1
    session.flush()
    _freeze(session, project, definition, basis, effective_on)
    return project


def _freeze(session: Session, project: SubsidyProject, definition: Definition, basis: str, effective_on: date) -> None:
    session.add(
        ProjectVersion(
            division_code=project.division_code,
            project_id=project.id or 0,
            sector=project.sector,
            number=project.project_version,
            definition=stored(definition),
            digest=digest_of(definition),
            basis=basis,
            effective_on=effective_on,
            made_at=now(session),
        )
    )
    session.flush()
