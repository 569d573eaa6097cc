"""The public notice of decided applications, the objections it draws, and the register it leads to. （第十五条）

A notice is of one township and project, its content frozen; whoever is objected to waits for the answer.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from models.applications import Application, ApplicationStatus, QualificationNotice, QualificationObjection
from models.base import county_of
from models.divisions import Division
from models.notices import ObjectionStatus
from models.officers import ActingOfficer
from models.projects import NoticePeriod, NoticeStage, SubsidyProject
from policies.clock import now
from policies.definitions import Definition, Publicness
from policies.enforcement import OtherSector, allow
from policies.formulas.fields import publicness_of
from policies.identities import mask_name
from policies.lifecycles import Desk
from policies.moves import move_many, record_event
from policies.notices import HIDDEN, digest, ends_at, last_day
from policies.permissions import Permission
from policies.refusals import FasterColleague, NotAllowed, NotFound, ReasonMissing, Refused
from workflows.application_rules import impersonal, next_number
from workflows.application_values import properties, shown, title_of
from workflows.notices import NoticePeriodMissing
from workflows.project_versions import in_force

NOUN = "qualification_notice"


class NothingApproved(Refused):
    """“{project}”没有已批准、待公示的申请；请先完成审批（第十五条）。"""


class NoticeOver(Refused):
    """资格公示{number}已于 {day} 届满，不再登记公示异议；届满后的反映按举报、咨询办理（第十五条）。"""


class NotOnThisNotice(Refused):
    """申请 {application} 不在本次公示中；请核对申请编号，或留空表示对整个公示的异议。"""

    status_code = 400


class UpheldOfWhom(Refused):
    """成立的异议须写明涉及哪份申请；请先按申请编号登记异议，再处理（第十五条）。"""

    status_code = 400


def notice_days(session: Session, project: SubsidyProject, county_code: str) -> int:
    """Return the period that the county's department has set for this stage; there is no default. （第十五条）

    Raises NoticePeriodMissing.
    """
    days = session.exec(
        select(NoticePeriod.notice_days).where(
            NoticePeriod.division_code == county_code,
            NoticePeriod.project_id == project.id,
            NoticePeriod.stage == NoticeStage.ELIGIBILITY,
        )
    ).one_or_none()
    if days is None:
        county = session.execute(sa.text("select name from divisions where code = :c"), {"c": county_code})
        raise NoticePeriodMissing(
            county=county.scalar_one(), sector=project.sector, project=f"{project.name}（资格公示环节）"
        )
    return days


def publish_batch(session: Session, *, by: ActingOfficer, project: str) -> list[QualificationNotice]:
    """Put all approved applications of a project on notice, one notice for each township. （第十五条）

    project: its code. Raises NotFound, OtherSector, NoticePeriodMissing, NothingApproved.
    """
    allow(session, by, Permission.APPLICATION_NOTICE)
    if not Desk.DEPARTMENT_CLERK.seats(by):
        raise NotAllowed(post=by.post, permission=Permission.APPLICATION_NOTICE.label)
    wanted = session.exec(select(SubsidyProject).where(SubsidyProject.code == project)).one_or_none()
    if wanted is None:
        raise NotFound
    if by.sector and wanted.sector != by.sector:
        raise OtherSector(sector=wanted.sector, own=by.sector)
    rows = session.execute(
        sa.text(
            "select division_code, array_agg(id order by id) as ids from applications"
            " where project_id = :project and status = 'approved' group by division_code order by division_code"
        ),
        {"project": wanted.id},
    ).all()
    made = [publish_these(session, wanted, row.division_code, row.ids, by=by) for row in rows]
    found = [notice for notice in made if notice is not None]
    if not found:
        raise NothingApproved(project=wanted.name)
    return found


def publish_these(
    session: Session, project: SubsidyProject, division_code: str, ids: Sequence[int], *, by: ActingOfficer
) -> QualificationNotice | None:
    """Freeze what the public may read of approved applications of one township and hang it. （第十五条）

    Return None when none of them is approved any more. Raises NoticePeriodMissing.
    """
    days = notice_days(session, project, county_of(division_code))
    rows = list(
        session.scalars(
            sa.select(Application)
            .where(
                col(Application.division_code) == division_code,
                col(Application.id).in_(ids),
                col(Application.project_id) == project.id,
                col(Application.status) == ApplicationStatus.APPROVED,
            )
            .order_by(col(Application.village), col(Application.id))
            .with_for_update(),
            execution_options={"populate_existing": True},
        )
    )
    if not rows:
        return None
    notice = _frozen(session, project, division_code, rows, days)
    chosen = [row.id or 0 for row in rows]
    session.execute(
        sa.text("update applications set notice_id = :notice where division_code = :division and id = any (:ids)"),
        {"notice": notice.id, "division": division_code, "ids": chosen},
    )
    facts = {"notice": notice.number, "digest": notice.digest}
    if move_many(session, Application, "publish", chosen, by=by, facts=facts) != len(chosen):
        raise FasterColleague(title="所选的资格申请")
    record_event(session, notice, "publish", by=by, label="资格公示", noun=NOUN, facts={"lines": len(rows)} | facts)
    return notice


def _frozen(
    session: Session, project: SubsidyProject, division_code: str, rows: Sequence[Application], days: int
) -> QualificationNotice:
    """Keep what the public may read of the applications, for as many days as are set. （第十五条）"""
    county = county_of(division_code)
    moment = now(session)
    end = ends_at(moment, days)
    township = session.get_one(Division, division_code).name
    content = {
        "title": f"关于{township}{project.name}资格审核情况的公示",
        "project": project.name,
        "township": township,
        "from": moment.date().isoformat(),
        "to": last_day(end).isoformat(),
        "telephones": _telephones(session, project, division_code, county),
        "lines": [public_line(place, row, in_force(project)) for place, row in enumerate(rows, 1)],
    }
    notice = QualificationNotice(
        division_code=division_code,
        county_code=county,
        number=next_number(session, "ZS", division_code),
        project_id=project.id or 0,
        project_name=project.name,
        sector=project.sector,
        published_at=moment,
        ends_at=end,
        line_count=len(rows),
        content=content,
        digest=digest(content),
    )
    session.add(notice)
    session.flush()
    return notice


def public_line(sequence: int, row: Application, definition: Definition) -> dict[str, Any]:
    """Return a line as the public may read it; what the project hides is hidden. （第十五条）"""
    named = definition.publicness("name") != Publicness.HIDDEN
    plain = {
        "quantity": f"{row.quantity.normalize():f}",
        "standard": f"{row.standard.normalize():f}",
        "amount": f"{row.amount_fen // 100}.{row.amount_fen % 100:02d}",
    }
    facts = {name: value if _is_open(definition, name) else HIDDEN for name, value in plain.items()}
    return {
        "sequence": sequence,
        "number": row.number,
        "village": row.village if named else HIDDEN,
        "name": mask_name(row.member_name) if named else HIDDEN,
        "unit": row.unit,
        **facts,
        "fields": _public_fields(row.extra, definition),
    }


def _is_open(definition: Definition, name: str) -> bool:
    return definition.publicness(name) == Publicness.SHOWN


def _public_fields(values: Mapping[str, Any], definition: Definition) -> list[list[str]]:
    """Return the project's own fields that may be read, by their titles."""
    return [
        [
            title_of(name, spec),
            shown(spec, values[name]) if publicness_of(definition, name) == Publicness.SHOWN else HIDDEN,
        ]
        for name, spec in properties(definition).items()
        if name in values and publicness_of(definition, name) != Publicness.HIDDEN
    ]


TELEPHONES = sa.text(
    "select name, telephone from organisations where (division_code = :township and kind = 'township')"
    " or (division_code = :county and kind = 'department' and sector = :sector) order by id"
)


def _telephones(session: Session, project: SubsidyProject, township: str, county: str) -> dict[str, str]:
    asked = {"township": township, "county": county, "sector": project.sector}
    return {row.name: row.telephone for row in session.execute(TELEPHONES, asked)}


# --- objections ---------------------------------------------------------------------------------------------------


def object_(
    session: Session, notice: QualificationNotice, *, by: ActingOfficer, text: str, application_number: str = ""
) -> QualificationObjection:
    """Register an objection to a notice, or to one application on it. （第十五条）

    Raises NoticeOver, ReasonMissing, ReasonNamesPerson, NotOnThisNotice.
    """
    allow(session, by, Permission.APPLICATION_NOTICE, notice)
    if not text.strip():
        raise ReasonMissing(step="登记公示异议", field="异议内容")
    if notice.ends_at <= now(session):
        raise NoticeOver(number=notice.number, day=last_day(notice.ends_at))
    about = None
    if application_number.strip():
        about = session.exec(
            select(Application).where(
                Application.division_code == notice.division_code,
                Application.notice_id == notice.id,
                Application.number == application_number.strip(),
            )
        ).one_or_none()
        if about is None:
            raise NotOnThisNotice(application=application_number.strip()[:40])
    objection = QualificationObjection(
        division_code=notice.division_code,
        county_code=notice.county_code,
        notice_id=notice.id or 0,
        sector=notice.sector,
        application_id=about.id if about else None,
        application_number=about.number if about else "",
        text=impersonal(text, "异议内容"),
        received_at=now(session),
    )
    session.add(objection)
    session.flush()
    facts = {"objection": objection.id, "application": objection.application_number}
    record_event(session, notice, "object_", by=by, label="登记公示异议", noun=NOUN, facts=facts)
    return objection


def settle(
    session: Session, objection: QualificationObjection, *, by: ActingOfficer, answer: str, upheld: bool = False
) -> QualificationObjection:
    """Answer an objection as the department's clerk; an upheld one keeps its application waiting. （第十五条）

    Raises NotAllowed, ReasonMissing, UpheldOfWhom, FasterColleague.
    """
    allow(session, by, Permission.APPLICATION_NOTICE, objection)
    if not Desk.DEPARTMENT_CLERK.seats(by):
        raise NotAllowed(post=by.post, permission="处理资格公示异议")
    if not answer.strip():
        raise ReasonMissing(step="处理公示异议", field="处理意见")
    if upheld and objection.application_id is None:
        raise UpheldOfWhom
    done = session.execute(
        sa.update(QualificationObjection)
        .where(
            col(QualificationObjection.id) == objection.id,
            col(QualificationObjection.status) == ObjectionStatus.OPEN,
        )
        .values(
            status=ObjectionStatus.SETTLED, upheld=upheld, settled_at=now(session),
            answer=impersonal(answer, "处理意见"),
        ),
        execution_options={"synchronize_session": False},
    )  # fmt: skip
    if done.rowcount == 0:  # type: ignore[attr-defined]
        raise FasterColleague(title="该公示异议")
    session.refresh(objection)
    notice = session.exec(
        select(QualificationNotice).where(
            QualificationNotice.division_code == objection.division_code, QualificationNotice.id == objection.notice_id
        )
    ).one()
    facts = {"objection": objection.id, "upheld": upheld, "application": objection.application_number}
    record_event(
        session, notice, "settle", by=by, label="处理公示异议", noun=NOUN, opinion=objection.answer, facts=facts
    )
    return objection
