"""Applications: received, audited by the township's head, examined and decided by the department. （第十三、十四条）

What follows a decision, the notice and the register, is in `workflows/application_notices.py`.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col

from models.applications import Application, ApplicationSource, ApplicationStatus
from models.base import county_of
from models.divisions import Division, Level
from models.households import Member
from models.officers import ActingOfficer, system_principal
from models.organisations import OrganisationKind
from models.projects import SubsidyProject
from policies.clock import now
from policies.enforcement import allow
from policies.interests import require_other_household
from policies.lifecycles import Desk
from policies.lifecycles.applications import APPLICATION_LIFECYCLE
from policies.moves import begin, move, record_event, require_desk, title_of
from policies.permissions import Permission
from policies.refusals import FasterColleague, NotAllowed, NotFound, ReasonMissing, Refused, StepNotPossible
from workflows import application_rules as rules
from workflows.application_notices import publish_these
from workflows.application_register import qualify_these
from workflows.application_rules import AlreadyApplied, Asked, Settled
from workflows.attachments import Evidence, attach
from workflows.project_versions import in_force

__all__ = [
    "amend", "approve", "endorse", "enter", "examine", "publish", "reject", "resume", "return_", "withdraw",
    "withdraw_department",
]  # fmt: skip

NOUN = APPLICATION_LIFECYCLE.noun


class NotReceivedHere(Refused):
    """{title}不是主管部门受理的，请由受理的苏木乡镇撤回。"""


def enter(
    session: Session,
    *,
    by: ActingOfficer,
    project: SubsidyProject,
    id_number: str,
    asked: Asked,
    township: str = "",
    evidence: Sequence[Evidence] = (),
) -> Application:
    """Receive an application at the township's window or the department's desk. （第十三、十四条）

    Raises NotAllowed, OtherSector, ProjectStopped, NotListed, PersonUnknown, PersonGone, PersonUnchecked,
    StandardMissing, StandardUnknown, ValueWrong, AmountOutside, Excluded, AlreadyApplied.
    """
    allow(session, by, Permission.APPLICATION_ENTER)
    rules.require_own_sector(project.sector, by.sector)
    place = _place(session, by, township)
    definition = rules.require_open(session, project, place)
    member = rules.person_of(session, project, place, id_number)
    settled = rules.settle(session, project, definition, place, asked)
    rules.require_not_excluded(session, definition, member)
    rules.require_first(session, project, member, settled.component)
    application = _newborn(session, project, member, place, settled, by)
    application.evidence_count = len(evidence)
    desk = Desk.TOWNSHIP_CLERK if application.source == ApplicationSource.TOWNSHIP else Desk.DEPARTMENT_CLERK
    try:
        with session.begin_nested():
            begin(session, application, by=by, label="受理申请", desk=desk, facts={"amount_fen": settled.amount_fen})
    except IntegrityError as twice:
        raise AlreadyApplied from twice
    attach(session, NOUN, application.id or 0, place, evidence, by=by)
    session.flush()
    return application


def _newborn(
    session: Session, project: SubsidyProject, member: Member, place: str, settled: Settled, by: ActingOfficer
) -> Application:
    """Return the application, not yet added: what its project's flow asks for is fixed now. （第二十四条）"""
    head, notice = rules.stages(session, project)
    source = ApplicationSource.TOWNSHIP if by.kind == OrganisationKind.TOWNSHIP else ApplicationSource.DEPARTMENT
    moment = now(session)
    return Application(
        division_code=place,
        county_code=county_of(place),
        number=rules.next_number(session, "SQ", place),
        project_id=project.id or 0,
        project_name=project.name,
        project_version=project.project_version,
        sector=project.sector,
        source=source,
        household_id=member.household_id,
        member_id=member.id or 0,
        person=member.person,
        member_name=member.name,
        village=rules.home_of(session, member).village,
        unit=rules.unit_of(project),
        head_required=head,
        notice_required=notice,
        submitted_at=moment,
        status=ApplicationStatus.SUBMITTED if head else ApplicationStatus.ENDORSED,
        **_facts(settled),
    )


def _place(session: Session, by: ActingOfficer, township: str) -> str:
    """Return the township that an application is made in. Raises NotFound, ReasonMissing, NotAllowed."""
    if by.kind == OrganisationKind.TOWNSHIP:
        return by.division_code
    if by.kind != OrganisationKind.DEPARTMENT or by.level != Level.COUNTY:
        raise NotAllowed(post=by.post, permission=Permission.APPLICATION_ENTER.label)
    if not township:
        raise ReasonMissing(step="受理申请", field="苏木乡镇")
    known = session.get(Division, township) if by.scope.covers(township) else None
    if known is None or known.level != Level.TOWNSHIP:
        raise NotFound
    return township


def _facts(settled: Settled) -> dict[str, Any]:
    return {
        "quantity": settled.quantity,
        "standard": settled.standard,
        "amount_fen": settled.amount_fen,
        "component": settled.component,
        "extra": settled.values,
        "valid_from": settled.valid_from,
        "valid_to": settled.valid_to,
    }


def amend(
    session: Session,
    application: Application,
    *,
    by: ActingOfficer,
    asked: Asked,
    evidence: Sequence[Evidence] = (),
) -> Application:
    """Amend a returned application; the head audits it again. （第十四条） Raises as `enter` does.

    What a department's system had approved was something else: its approval counts for nothing any more.
    """
    allow(session, by, Permission.APPLICATION_ENTER, application)
    step = APPLICATION_LIFECYCLE.step("resume", application.status, title_of(application))
    require_desk(step, by)
    project = session.get_one(SubsidyProject, application.project_id)
    settled = rules.settle(session, project, in_force(project), application.division_code, asked)
    if settled.component != application.component:
        member = rules.person_of_application(session, application)
        rules.require_first(session, project, member, settled.component, application.id or 0)
    columns: type[Application] = Application
    done = session.execute(
        sa.update(Application)
        .where(
            col(columns.id) == application.id,
            col(columns.version) == application.version,
            col(columns.status) == ApplicationStatus.RETURNED,
        )
        .values(
            **_facts(settled),
            amended=True,
            examined_outside=False,
            evidence_count=application.evidence_count + len(evidence),
            resume_status=ApplicationStatus.SUBMITTED if application.head_required else ApplicationStatus.ENDORSED,
            version=application.version + 1,
        ),
        execution_options={"synchronize_session": False},
    )
    if done.rowcount == 0:  # type: ignore[attr-defined]
        raise FasterColleague(title=title_of(application))
    attach(session, NOUN, application.id or 0, application.division_code, evidence, by=by)
    session.flush()
    session.refresh(application)
    facts = {"amount_fen": settled.amount_fen, "documents": len(evidence)}
    record_event(session, application, "amend", by=by, label="补正申请", desk=Desk.TOWNSHIP_CLERK, facts=facts)
    return application


def resume(session: Session, application: Application, *, by: ActingOfficer, opinion: str = "") -> Application:
    """Submit a returned application again: amended to the head, unchanged to whoever returned it. （第十四条）"""
    allow(session, by, Permission.APPLICATION_ENTER, application)
    rules.require_alive(session, rules.person_of_application(session, application))
    return _told(session, move(session, application, "resume", by=by, opinion=opinion), reason="")


def endorse(session: Session, application: Application, *, by: ActingOfficer, opinion: str = "") -> Application:
    """Audit an application as the township's head. （第三十一条）

    What the department has approved in its own system goes to its reviewer, if that is agreed. Raises OwnHousehold.
    """
    allow(session, by, Permission.APPLICATION_ENDORSE, application)
    _judge(session, application, by, "endorse")
    move(session, application, "endorse", by=by, opinion=opinion)
    return accept_outside(session, application)


def accept_outside(session: Session, application: Application) -> Application:
    """Let the department's own approval count as its examination where that is agreed. （第十四条第二项）"""
    if application.examined_outside and application.status == ApplicationStatus.ENDORSED:
        system = system_principal(application.division_code, Level.TOWNSHIP, "部门业务系统")
        move(session, application, "accept", by=system, facts={"body": application.body})
    return application


def examine(session: Session, application: Application, *, by: ActingOfficer, opinion: str = "") -> Application:
    """Examine an application as the department's clerk. （第十四条） Raises OtherSector, OwnHousehold."""
    allow(session, by, Permission.APPLICATION_EXAMINE, application)
    _judge(session, application, by, "examine")
    return move(session, application, "examine", by=by, opinion=opinion)


def approve(session: Session, application: Application, *, by: ActingOfficer, opinion: str = "") -> Application:
    """Approve as the department's reviewer; a project whose flow asks for no notice qualifies at once. （第十四条）

    Raises OtherSector, OwnHousehold, PersonGone.
    """
    allow(session, by, Permission.APPLICATION_PASS, application)
    _judge(session, application, by, "approve")
    rules.require_alive(session, rules.person_of_application(session, application))
    move(session, application, "approve", by=by, opinion=opinion)
    if not application.notice_required:
        qualify_these(session, [application.id or 0], by=by)
        session.refresh(application)
    return application


def reject(session: Session, application: Application, *, by: ActingOfficer, reason: str) -> Application:
    """Refuse an application for a reason that the applicant is told. （第十四条） Raises ReasonMissing, OtherSector."""
    allow(session, by, Permission.APPLICATION_PASS, application)
    return _with_reason(session, application, "reject", by, reason, "不予批准的原因")


def return_(session: Session, application: Application, *, by: ActingOfficer, reason: str) -> Application:
    """Give an application back to the township for a reason. （第十四条） Raises ReasonMissing, NotAllowed."""
    step = APPLICATION_LIFECYCLE.step("return_", application.status, title_of(application))
    allow(session, by, step.permission or Permission.APPLICATION_EXAMINE, application)
    return _with_reason(session, application, "return_", by, reason, "退回原因", amended=False)


def withdraw(session: Session, application: Application, *, by: ActingOfficer, reason: str) -> Application:
    """Take an application back at the township's window. （第十三条） Raises ReasonMissing."""
    allow(session, by, Permission.APPLICATION_ENTER, application)
    return _with_reason(session, application, "withdraw", by, reason, "撤回原因")


def withdraw_department(session: Session, application: Application, *, by: ActingOfficer, reason: str) -> Application:
    """Take back what the department's desk received. （第十三条） Raises NotReceivedHere, ReasonMissing."""
    allow(session, by, Permission.APPLICATION_ENTER, application)
    step = APPLICATION_LIFECYCLE.step("withdraw_department", application.status, title_of(application))
    require_desk(step, by)
    if application.source != ApplicationSource.DEPARTMENT:
        raise NotReceivedHere(title=title_of(application))
    return _with_reason(session, application, "withdraw_department", by, reason, "撤回原因")


def publish(session: Session, application: Application, *, by: ActingOfficer) -> Application:
    """Put one approved application on public notice. （第十五条） Raises NoticePeriodMissing, StepNotPossible."""
    allow(session, by, Permission.APPLICATION_NOTICE, application)
    step = APPLICATION_LIFECYCLE.step("publish", application.status, title_of(application))
    require_desk(step, by)
    project = session.get_one(SubsidyProject, application.project_id)
    if not publish_these(session, project, application.division_code, [application.id or 0], by=by):
        raise StepNotPossible(title=title_of(application), status=application.status.label, step=step.label)
    session.refresh(application)
    return application


def _judge(session: Session, application: Application, by: ActingOfficer, verb: str) -> None:
    """Let nobody judge an application of their own household. （第二十三条） Raises OwnHousehold, StepNotPossible."""
    step = APPLICATION_LIFECYCLE.step(verb, application.status, title_of(application))
    require_desk(step, by)
    require_other_household(
        session, Application, [application.id or 0], by=by, title=title_of(application), step=step.label
    )


def _with_reason(
    session: Session, application: Application, verb: str, by: ActingOfficer, reason: str, field: str, **more: Any
) -> Application:
    step = APPLICATION_LIFECYCLE.step(verb, application.status, title_of(application))
    if not reason.strip():
        raise ReasonMissing(step=step.label, field=field)
    kept = rules.impersonal(reason, field)
    move(session, application, verb, by=by, opinion=kept)
    return _told(session, application, reason=kept, **more)


def _told(session: Session, application: Application, **values: Any) -> Application:
    """Write what goes with a step that has been taken in this transaction."""
    for name, value in values.items():
        setattr(application, name, value)
    session.flush()
    return application
