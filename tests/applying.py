"""Applications as the tests make them: entered, and carried to any status by the officers of the world."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, select

from models.applications import Application, ApplicationSource, ApplicationStatus, QualificationNotice
from models.households import Member
from models.officers import ActingOfficer
from models.projects import NoticePeriod, NoticeStage, SubsidyProject
from models.qualifications import Qualification, QualificationStatus
from policies.clock import now, today
from tests.factories import LAND, World, a_member, a_project, an_account
from tests.world import NUMBERS, key
from workflows import application_register, applications
from workflows.application_rules import Asked


def a_notice_period(session: Session, world: World, project: SubsidyProject, days: int = 7) -> None:
    """Let the county's department set how long the notice of qualifications hangs."""
    session.add(
        NoticePeriod(
            division_code=world.code, project_id=key(project.id), stage=NoticeStage.ELIGIBILITY, notice_days=days
        )
    )
    session.flush()


def entered(
    session: Session,
    world: World,
    member: Member | None = None,
    *,
    by: ActingOfficer | None = None,
    project: SubsidyProject | None = None,
    quantity: str = "10",
    **more: Any,
) -> Application:
    """Enter an application of a member (of a fresh one with a card when none is given)."""
    chosen = project or a_project(session, world)
    person = member or a_member(session, world)
    if member is None:
        an_account(session, person)
    asked = Asked(Decimal(quantity), **{name: more.pop(name) for name in list(more) if name in Asked.__annotations__})
    return applications.enter(
        session, by=by or world.township.clerk, project=chosen, id_number=person.id_number, asked=asked, **more
    )


def carried(session: Session, world: World, application: Application, status: ApplicationStatus) -> Application:
    """Carry an application onward until it stands in a status of the straight way."""
    way = (
        (ApplicationStatus.ENDORSED, lambda: applications.endorse(session, application, by=world.township.head)),
        (ApplicationStatus.EXAMINED, lambda: applications.examine(session, application, by=world.department.clerk)),
        (ApplicationStatus.APPROVED, lambda: applications.approve(session, application, by=world.department.reviewer)),
        (ApplicationStatus.ON_NOTICE, lambda: applications.publish(session, application, by=world.department.clerk)),
        (ApplicationStatus.QUALIFIED, lambda: conclude(session, world, application)),
    )
    reached_by = [reached for reached, _ in way]
    begun = reached_by.index(application.status) + 1 if application.status in reached_by else 0
    for reached, step in way[begun:]:
        if application.status == status:
            break
        step()
        assert application.status == reached
    return application


def notice_of(session: Session, application: Application) -> QualificationNotice:
    return session.exec(select(QualificationNotice).where(QualificationNotice.id == application.notice_id)).one()


def conclude(session: Session, world: World, application: Application) -> Application:
    """Let the notice run out, and conclude it."""
    over(session, application)
    application_register.conclude(session, notice_of(session, application), by=world.department.clerk)
    session.refresh(application)
    return application


def over(session: Session, application: Application) -> None:
    """Let the notice of an application have run out."""
    session.execute(
        sa.text("update qualification_notices set ends_at = :end where id = :id"),
        {"end": now(session) - timedelta(hours=1), "id": application.notice_id},
    )
    session.refresh(notice_of(session, application))


def qualified(session: Session, world: World, member: Member | None = None, **more: Any) -> Qualification:
    """Carry an application all the way and return the qualification."""
    application = carried(session, world, entered(session, world, member, **more), ApplicationStatus.QUALIFIED)
    return session.exec(select(Qualification).where(Qualification.id == application.qualification_id)).one()


def an_application_in(session: Session, county: World, status: Any) -> Application:
    """Return an application in a status, however it came there."""
    member, moment = a_member(session, county), now(session)
    project = session.exec(select(SubsidyProject).where(SubsidyProject.code == LAND)).one()
    application = Application(
        division_code=member.division_code, county_code=member.county_code, number=f"SQ{next(NUMBERS)}",
        project_id=key(project.id), project_name=project.name, project_version=1, sector=project.sector,
        source=ApplicationSource.TOWNSHIP, household_id=member.household_id, member_id=key(member.id),
        person=member.person, member_name=member.name, quantity=Decimal(10), standard=Decimal(15), amount_fen=15000,
        valid_from=today(session), status=ApplicationStatus(status), submitted_at=moment, arrived_at=moment,
        resume_status=ApplicationStatus.SUBMITTED if status == ApplicationStatus.RETURNED else None,
    )  # fmt: skip
    session.add(application)
    session.flush()
    return application


def a_qualification_in(session: Session, county: World, status: Any) -> Qualification:
    """Return a qualification in a status, however it came there."""
    application = an_application_in(session, county, ApplicationStatus.QUALIFIED)
    qualification = Qualification(
        division_code=application.division_code, county_code=application.county_code, number=f"ZG{next(NUMBERS)}",
        project_id=application.project_id, project_name=application.project_name, sector=application.sector,
        household_id=application.household_id, member_id=application.member_id, person=application.person,
        member_name=application.member_name, quantity=Decimal(10), standard=Decimal(15), amount_fen=15000,
        valid_from=date(2024, 1, 1), application_id=key(application.id), status=QualificationStatus(status),
        resume_status=QualificationStatus.ACTIVE if status == QualificationStatus.ENDING else None,
        qualified_at=now(session), arrived_at=now(session),
    )  # fmt: skip
    session.add(qualification)
    session.flush()
    return qualification
