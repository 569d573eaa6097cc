"""What the public is told: prepared, published, replaced, withdrawn, frozen with its digest. （第八、九、二十六条）"""

from collections.abc import Sequence
from datetime import date

import sqlalchemy as sa
from sqlmodel import Session, col, select

from models.annual_lists import AnnualList, AnnualListStatus
from models.base import REGION_CODE
from models.catalogue_tasks import CatalogueTaskKind
from models.divisions import Division, Level
from models.officers import ActingOfficer
from models.organisations import OrganisationKind
from models.projects import PolicyLevel, SubsidyProject
from models.publications import SHOWN, Publication, PublicationKind, PublicationStatus
from policies.clock import today
from policies.enforcement import allow
from policies.lifecycles import Desk, Step
from policies.lifecycles.publications import PUBLICATION_LIFECYCLE
from policies.moves import begin, move, record_event, require_desk, require_home
from policies.permissions import Permission
from policies.refusals import ReasonMissing, Refused
from workflows.catalogue_tasks import Errand, raise_tasks, vanish
from workflows.project_versions import in_force
from workflows.publication_content import (
    Content,
    digest_of,
    list_content,
    office_of,
    policy_content,
    said,
    standard_content,
    standard_rows,
)

SUBJECT = "publication"
LEVELS = {
    PolicyLevel.CENTRAL: Level.REGION,
    PolicyLevel.REGION: Level.REGION,
    PolicyLevel.LEAGUE: Level.LEAGUE,
    PolicyLevel.COUNTY: Level.COUNTY,
}
"""Whose department publishes a policy: the region's for central ones too. （第八条）"""
DESKS = {
    OrganisationKind.FINANCE: (PublicationStatus.FINANCE_DRAFT, Desk.OWN_FINANCE_CLERK),
    OrganisationKind.DEPARTMENT: (PublicationStatus.DEPARTMENT_DRAFT, Desk.OWN_DEPARTMENT_CLERK),
}
DRAFTS = (PublicationStatus.FINANCE_DRAFT, PublicationStatus.DEPARTMENT_DRAFT)
READY = (PublicationStatus.FINANCE_READY, PublicationStatus.DEPARTMENT_READY)


class WrongPublisher(Refused):
    """{what}由{rightful}发布，{own}不能发布；请由该部门拟稿（第八条谁主管、谁负责、谁公开）。"""

    status_code = 403


class ContactMissing(Refused):
    """公开“{title}”须写明{field}，请补充后提交（第二十六条）。"""

    status_code = 400


class NothingToPublish(Refused):
    """“{title}”还没有可公开的内容：{why}（第八条）。"""


class DraftUnderWay(Refused):
    """同一事项已有一稿正在办理（{number}，{status}），请在该稿上办理，不要另拟。"""


class ContentOutdated(Refused):
    """“{title}”拟稿后，所依据的项目、标准或清单已有变动，不能照原稿发布；请退回经办岗更新内容后再发布（第九条）。"""


# --- prepared -----------------------------------------------------------------------------------------------------


def prepare_list(
    session: Session, annual_list: AnnualList, *, by: ActingOfficer, contact: str = "", telephone: str = ""
) -> Publication:
    """Prepare the publication of a list: the finance bureau of that division. （第八条）

    Raises NotAllowed, WrongPublisher, NothingToPublish, ContactMissing, DraftUnderWay.
    """
    allow(session, by, Permission.PUBLICATION_PREPARE)
    place = session.get_one(Division, annual_list.division_code).name
    if by.kind != OrganisationKind.FINANCE or by.division_code != annual_list.division_code:
        raise WrongPublisher(what=f"“{annual_list.title}”", rightful=f"{place}财政部门", own=by.organisation)
    if annual_list.status != AnnualListStatus.PUBLISHED:
        raise NothingToPublish(title=annual_list.title, why="清单尚未发布，请先由审核岗发布清单")
    record = Publication(
        division_code=by.division_code, number=_number(session, by), kind=PublicationKind.LIST,
        title=annual_list.title, list_id=annual_list.id, year=annual_list.year, source_version=annual_list.edition,
        status=PublicationStatus.FINANCE_DRAFT, content={}, digest="", contact="", telephone="",
    )  # fmt: skip
    return _begin(session, record, list_content(session, annual_list), contact, telephone, by)


def prepare(
    session: Session, project: SubsidyProject, *, by: ActingOfficer, kind: PublicationKind, contact: str = "",
    telephone: str = "",
) -> Publication:  # fmt: skip
    """Prepare the publication of a project's policy or standards: the department of that level. （第八条）

    Raises NotAllowed, WrongPublisher, NothingToPublish, ContactMissing, DraftUnderWay.
    """
    allow(session, by, Permission.PUBLICATION_PREPARE)
    require_publisher(session, project, kind, by)
    place = session.get_one(Division, by.division_code).name
    title = f"{place}{project.name}{'政策' if kind == PublicationKind.POLICY else '标准'}"
    content = content_of(session, project, kind, by.division_code)
    if kind == PublicationKind.STANDARD and not content["rows"]:
        raise NothingToPublish(title=title, why="本级没有现行的补贴标准，请先拟定并审核标准")
    record = Publication(
        division_code=by.division_code, number=_number(session, by), kind=kind, title=title, sector=project.sector,
        project_id=project.id, source_version=project.project_version, status=PublicationStatus.DEPARTMENT_DRAFT,
        content={}, digest="", contact="", telephone="",
    )  # fmt: skip
    office = office_of(in_force(project), contact, telephone)
    return _begin(session, record, content, office["contact"], office["telephone"], by)


def require_publisher(session: Session, project: SubsidyProject, kind: PublicationKind, by: ActingOfficer) -> None:
    """Let only the department of the level publish. （第八条谁主管、谁负责、谁公开） Raises WrongPublisher.

    A policy by the level whose policy it is; standards also by the level that sets them, each its own.
    """
    level = LEVELS[project.policy_level]
    levels = {level} | ({Level(in_force(project).standard_setter)} if kind == PublicationKind.STANDARD else set())
    here = by.level != level or project.division_code in (by.division_code, REGION_CODE)
    if by.kind == OrganisationKind.DEPARTMENT and by.sector == project.sector and by.level in levels and here:
        return
    rightful = "、".join(f"{Level(one).label}{project.sector}主管部门" for one in sorted(levels, key=list(Level).index))
    raise WrongPublisher(what=f"“{project.name}”的{kind.label}", rightful=rightful, own=by.organisation)


def content_of(session: Session, project: SubsidyProject, kind: PublicationKind, division_code: str) -> Content:
    """Return what there is to say of a project now."""
    if kind == PublicationKind.POLICY:
        return policy_content(session, project)
    return standard_content(project, standard_rows(session, project, [division_code])[division_code])


def _number(session: Session, by: ActingOfficer) -> str:
    serial = session.execute(sa.text("select to_char(nextval('publication_numbers'), 'FM000000')")).scalar_one()
    return f"GK{by.division_code[:6]}{today(session):%Y%m%d}{serial}"


def _same(record: Publication) -> tuple[sa.ColumnElement[bool], ...]:
    """Return the condition that a publication is about the same matter."""
    model = Publication
    project = col(model.project_id)
    return (
        col(model.division_code) == record.division_code,
        col(model.kind) == record.kind,
        project.is_(None) if record.project_id is None else project == record.project_id,
        col(model.year) == record.year,
    )


def _begin(
    session: Session, record: Publication, content: Content, contact: str, telephone: str, by: ActingOfficer
) -> Publication:
    lock = f"publication:{record.division_code}:{record.kind}:{record.project_id}:{record.year}"
    session.execute(sa.text("select pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": lock})
    other = session.exec(select(Publication).where(*_same(record), col(Publication.status).in_(DRAFTS + READY))).first()
    if other is not None:
        raise DraftUnderWay(number=other.number, status=other.status.label)
    _fill(record, content, contact, telephone)
    _, desk = DESKS[by.kind]
    return begin(session, record, by=by, label="拟稿公开内容", desk=desk, facts={"digest": record.digest})


def _fill(record: Publication, content: Content, contact: str, telephone: str) -> None:
    """Write content, whom to ask, and the digest over both. Raises ContactMissing."""
    for field, value in (("联系人", contact), ("联系电话", telephone)):
        if not value.strip():
            raise ContactMissing(title=record.title, field=field)
    record.contact, record.telephone = contact.strip(), telephone.strip()
    record.content = content | {"contact": record.contact, "telephone": record.telephone}
    record.digest = digest_of(record.content)


def refresh(session: Session, record: Publication, *, by: ActingOfficer, contact: str, telephone: str) -> Publication:
    """Take the content of a draft anew from its record, and say whom to ask. （第九、二十六条）

    Raises NotAllowed, OtherDivision, StepNotPossible, ContactMissing.
    """
    allow(session, by, Permission.PUBLICATION_PREPARE, record)
    step = _require_turn(record, "submit", by)
    content, version = _now(session, record)
    record.source_version = version
    _fill(record, content, contact, telephone)
    session.flush()
    record_event(session, record, "refresh", by=by, label="更新内容", desk=step.desk, facts={"digest": record.digest})
    return record


def _require_turn(record: Publication, verb: str, by: ActingOfficer) -> Step:
    """Let only the desk whose turn it is look further. Raises StepNotPossible, NotAllowed, OtherDivision."""
    step = PUBLICATION_LIFECYCLE.step(verb, record.status, f"公开内容{record.number}")
    require_desk(step, by)
    require_home(step, record, by)
    return step


def _now(session: Session, record: Publication) -> tuple[Content, int]:
    """Return what the record of a publication says now, and its version."""
    if record.kind == PublicationKind.LIST:
        newest = session.exec(
            select(AnnualList)
            .where(
                AnnualList.division_code == record.division_code,
                AnnualList.year == record.year,
                AnnualList.status == AnnualListStatus.PUBLISHED,
            )
            .order_by(col(AnnualList.edition).desc())
        ).first()
        assert newest is not None  # what was published once stays
        return list_content(session, newest), newest.edition
    project = session.get_one(SubsidyProject, record.project_id)
    return content_of(session, project, record.kind, record.division_code), project.project_version


# --- published, replaced, withdrawn -------------------------------------------------------------------------------


def submit(session: Session, record: Publication, *, by: ActingOfficer) -> Publication:
    """Give a draft to the reviewer: its content is frozen from here. （第八、二十三条）"""
    allow(session, by, Permission.PUBLICATION_PREPARE, record)
    return move(session, record, "submit", by=by)


def publish(session: Session, record: Publication, *, by: ActingOfficer, opinion: str = "") -> Publication:
    """Tell the public; what was told about the same matter is replaced, and stays readable. （第八、九条）

    Raises NotAllowed, SamePersonTwice, OtherDivision, ContentOutdated.
    """
    allow(session, by, Permission.PUBLICATION_PUBLISH, record)
    _require_turn(record, "publish", by)
    if said(record.content) != _now(session, record)[0]:
        raise ContentOutdated(title=record.title)
    former = session.exec(select(Publication).where(*_same(record), col(Publication.status).in_(SHOWN))).first()
    record.published_on = today(session)
    if former is not None:
        former.ended_on = record.published_on
        move(session, former, "replace", by=by, facts={"replaced_by": record.number})
        record.replaces_id = former.id
    session.flush()
    move(session, record, "publish", by=by, opinion=opinion, facts={"digest": record.digest})
    _settle_stale(session, former, by)
    return record


def _settle_stale(session: Session, former: Publication | None, by: ActingOfficer) -> None:
    if former is not None:
        place = former.division_code
        vanish(session, CatalogueTaskKind.STALE_PUBLICATION, SUBJECT, [former.id or 0], by=by, division_code=place)


def return_(session: Session, record: Publication, *, by: ActingOfficer, reason: str) -> Publication:
    """Give a submitted text back to the clerk. （第二十三条） Raises ReasonMissing."""
    allow(session, by, Permission.PUBLICATION_PUBLISH, record)
    _require_reason("退回", "退回原因", reason)
    return move(session, record, "return_", by=by, opinion=reason.strip())


def discard(session: Session, record: Publication, *, by: ActingOfficer, reason: str) -> Publication:
    """Give up a draft. （第八条） Raises ReasonMissing."""
    allow(session, by, Permission.PUBLICATION_PREPARE, record)
    _require_reason("作废", "作废原因", reason)
    return move(session, record, "discard", by=by, opinion=reason.strip())


def withdraw(session: Session, record: Publication, *, by: ActingOfficer, reason: str) -> Publication:
    """Take what is shown away from the public, with the reason. （第九条） Raises ReasonMissing."""
    allow(session, by, Permission.PUBLICATION_PUBLISH, record)
    _require_reason("撤下", "撤下原因", reason)
    _require_turn(record, "withdraw", by)
    record.ended_on, record.ended_for = today(session), reason.strip()
    session.flush()
    move(session, record, "withdraw", by=by, opinion=reason.strip())
    _settle_stale(session, record, by)
    return record


def _require_reason(step: str, field: str, reason: str) -> None:
    if not reason.strip():
        raise ReasonMissing(step=step, field=field)


# --- read, and compared -------------------------------------------------------------------------------------------


def published(session: Session, division_code: str, kind: PublicationKind, day: date) -> Sequence[Publication]:
    """Return what the public of a division reads on a day: of its own and of those above it. （第八条）

    A text is read from the day it is published until the day it is replaced or withdrawn.
    """
    above = {division_code, f"{division_code[:6]}000000", f"{division_code[:4]}00000000", REGION_CODE}
    model = Publication
    statement = select(model).where(
        col(model.division_code).in_(sorted(above)),
        col(model.kind) == kind,
        col(model.published_on) <= day,
        sa.or_(col(model.ended_on).is_(None), col(model.ended_on) > day),
    )
    return session.exec(statement.order_by(col(model.division_code), col(model.title), col(model.id))).all()


def stale_of(session: Session, project: SubsidyProject) -> Sequence[Publication]:
    """Return the publications in force whose content differs from the project's version or standards in force.

    Asked when a change becomes effective or a standard changes; two statements, in the caller's range. （第九条）
    """
    shown = session.exec(
        select(Publication).where(Publication.project_id == project.id, col(Publication.status).in_(SHOWN))
    ).all()
    if not shown:
        return []
    policy = policy_content(session, project)
    rows = standard_rows(session, project, [one.division_code for one in shown])
    return [
        one
        for one in shown
        if said(one.content)
        != (policy if one.kind == PublicationKind.POLICY else standard_content(project, rows[one.division_code]))
    ]


def raise_stale(session: Session, project: SubsidyProject, *, by: ActingOfficer) -> int:
    """Tell whoever in the caller's range published what is stale now; return how many tasks are new. （第九条）"""
    errands = [
        Errand(one.division_code, one.sector, SUBJECT, one.id or 0,
               f"已公开的“{one.title}”与现行的项目、标准不一致，请拟稿替换或撤下")
        for one in stale_of(session, project)
        if by.scope.covers(one.division_code)
    ]  # fmt: skip
    return raise_tasks(session, CatalogueTaskKind.STALE_PUBLICATION, errands)
