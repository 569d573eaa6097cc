"""Lists of the tests: an edition drafted, selected and published; what it asks of those below."""

import sqlalchemy as sa
from sqlmodel import Session, select

from models.annual_lists import AnnualList, ListChange
from models.catalogue_tasks import CatalogueTask, CatalogueTaskKind
from models.organisations import OrganisationKind
from models.projects import PolicyLevel, ProjectStatus, SubsidyProject
from policies.clock import today
from tests.factories import LAND, Office
from tests.world import _staffed
from workflows import annual_lists as lists
from workflows.sessions import hasher

GRASS = "2130135"


def next_year(session: Session) -> int:
    return today(session).year + 1


def project_of(session: Session, code: str = LAND) -> SubsidyProject:
    return session.exec(select(SubsidyProject).where(SubsidyProject.code == code)).one()


def ids_of(session: Session, record: AnnualList, *changes: ListChange) -> set[int]:
    wanted = changes or (ListChange.KEPT, ListChange.ADDED)
    return {one.project_id for one in lists.items_of(session, record) if one.change in wanted}


def published(session: Session, office: Office, year: int, *, drop: tuple[int, ...] = (), keep: tuple[int, ...] = (),
              reason: str = "停发") -> AnnualList:  # fmt: skip
    """Draft, select and publish an edition: without `drop`, or of `keep` alone."""
    record = lists.draft(session, by=office.clerk, year=year)
    chosen = set(keep) or ids_of(session, record) - set(drop)
    reasons = {one.project_id: reason for one in lists.offers(session, record.division_code, year)}
    lists.choose(session, record, by=office.clerk, project_ids=sorted(chosen), reasons=reasons)
    lists.submit(session, record, by=office.clerk)
    return lists.publish(session, record, by=office.reviewer)


def tasks(session: Session, kind: CatalogueTaskKind = CatalogueTaskKind.SELECT_LIST) -> dict[str, CatalogueTask]:
    found = session.exec(
        select(CatalogueTask).where(CatalogueTask.kind == kind, CatalogueTask.status == "finance")
    ).all()
    assert len({one.division_code for one in found}) == len(found)
    return {one.division_code: one for one in found}


def a_stop(session: Session, project: SubsidyProject) -> None:
    """Stop a project past the lifecycle of changes, as the owner."""
    session.execute(sa.text("set local session_replication_role = replica"))
    project.status = ProjectStatus.STOPPED
    session.flush()
    session.execute(sa.text("set local session_replication_role = origin"))


def own_project(session: Session, division: str, level: PolicyLevel, code: str) -> SubsidyProject:
    """Put a league's or county's own project into the library, as the owner."""
    session.execute(sa.text("set local session_replication_role = replica"))
    project = SubsidyProject(
        division_code=division, code=code, name=f"{code}补贴", sector="农牧", policy_level=level, definition={}
    )  # fmt: skip
    session.add(project)
    session.flush()
    session.execute(sa.text("set local session_replication_role = origin"))
    return project


def an_office(session: Session, code: str, login: str) -> Office:
    return _staffed(session, hasher().hash("x" * 12), code, OrganisationKind.FINANCE, login)
