"""From the end of a notice to the qualified register: whoever nobody objected to, set-based, by a person or the clock.

（第十四、十五条）
"""

from collections.abc import Sequence
from datetime import timedelta

import sqlalchemy as sa
from sqlmodel import Session, select

from models.applications import Application, QualificationNotice
from models.database import transaction
from models.officers import ActingOfficer
from models.qualifications import Qualification
from policies.clock import ZONE, now
from policies.enforcement import allow
from policies.moves import begin_many, move_many, record_event
from policies.notices import last_day
from policies.permissions import Permission
from policies.refusals import FasterColleague, Refused
from workflows import qualifications

NOUN = "qualification_notice"


class ObjectionWaits(Refused):
    """资格公示{number}有 {count} 件对整个公示的异议尚未处理；请先填写处理意见（第十五条）。"""


class NoticeStillRunning(Refused):
    """资格公示{number}至 {day} 届满，届满前不能列入资格名册（第十五条）。"""


READY = sa.text(
    """
    select a.id from applications a
    where a.division_code = :division and a.notice_id = :notice and a.status = 'on_notice'
        and not exists (select from qualification_objections o where o.division_code = a.division_code
            and o.notice_id = a.notice_id and o.application_id = a.id and (o.status = 'open' or o.upheld))
    order by a.id
    """
)
OPEN = sa.text(
    "select count(*) from qualification_objections where division_code = :division and notice_id = :notice"
    " and status = 'open' and application_id is null"
)


def conclude(session: Session, notice: QualificationNotice, *, by: ActingOfficer) -> QualificationNotice:
    """Put on the register what a notice has shown to its end without an open or upheld objection. （第十四、十五条）

    Raises NoticeStillRunning, ObjectionWaits.
    """
    allow(session, by, Permission.APPLICATION_NOTICE, notice)
    about = {"division": notice.division_code, "notice": notice.id}
    if notice.ends_at > now(session):
        raise NoticeStillRunning(number=notice.number, day=last_day(notice.ends_at))
    waiting = session.execute(OPEN, about).scalar_one()
    if waiting:
        raise ObjectionWaits(number=notice.number, count=waiting)
    ready = list(session.execute(READY, about).scalars())
    qualified = qualify_these(session, ready, by=by) if ready else 0
    facts = {"qualified": qualified, "left": len(ready) - qualified}
    record_event(session, notice, "conclude", by=by, label="公示期满，列入资格名册", noun=NOUN, facts=facts)
    return notice


REGISTER = sa.text(
    """
    insert into qualifications (division_code, county_code, number, project_id, project_name, sector, household_id,
        member_id, person, member_name, village, quantity, unit, standard, amount_fen, component, extra, valid_from,
        valid_to, application_id, status, version, qualified_at, arrived_at)
    select a.division_code, a.county_code, 'ZG' || left(a.division_code, 9) || to_char(cast(:day as date), 'YYYYMMDD')
            || to_char(nextval('application_numbers'), 'FM0000000'),
        a.project_id, a.project_name, a.sector, a.household_id, a.member_id, a.person, a.member_name, a.village,
        a.quantity, a.unit, a.standard, a.amount_fen, a.component, a.extra, a.valid_from, a.valid_to, a.id, 'active', 1,
        :moment, :moment
    from applications a
    where a.id = any (:ids) and a.status in ('on_notice', 'approved')
    order by a.id
    on conflict do nothing
    returning id, division_code, application_id
    """
)
TAKEN = sa.text("update applications set reason = :why where id = any (:ids) and status = 'rejected'")
LINK = sa.text(
    "update applications a set qualification_id = q.id"
    " from unnest(cast(:applications as bigint[]), cast(:qualifications as bigint[])) as q (application, id)"
    " where a.id = q.application"
)


def qualify_these(session: Session, ids: Sequence[int], *, by: ActingOfficer) -> int:
    """Make qualifications of decided applications; return how many. （第十四条）

    Whoever holds the same qualification elsewhere in the region gets no second one: that application is refused.
    """
    moment = now(session)
    asked = {"ids": list(ids), "moment": moment, "day": moment.astimezone(ZONE).date()}
    made = session.execute(REGISTER, asked).all()
    taken = sorted(set(ids) - {row.application_id for row in made})
    if taken and move_many(session, Application, "refuse_taken", taken, by=by):
        session.execute(TAKEN, {"ids": taken, "why": "该人员在其他地区已有同一资格"})
    if not made:
        return 0
    applications = [row.application_id for row in made]
    session.execute(LINK, {"applications": applications, "qualifications": [row.id for row in made]})
    begin_many(session, Qualification, made, by=by, label="列入资格名册", desk=None)
    moved = move_many(session, Application, "qualify", applications, by=by)
    if moved != len(made):
        raise FasterColleague(title="所列的资格申请")
    qualifications.suspend_gone(session, by=by, ids=[row.id for row in made])
    return len(made)


DUE = sa.text(
    "select n.id from qualification_notices n where n.ends_at <= :moment and n.ends_at > :since and exists ("
    " select from applications a where a.division_code = n.division_code and a.notice_id = n.id"
    " and a.status = 'on_notice' and not exists (select from qualification_objections o"
    " where o.division_code = a.division_code and o.notice_id = a.notice_id"
    " and (o.application_id = a.id and (o.status = 'open' or o.upheld)"
    " or o.application_id is null and o.status = 'open'))) order by n.ends_at limit 20"
)
REMEMBERED = timedelta(days=400)


def conclude_due(by: ActingOfficer) -> int:
    """Conclude the notices that are over and not objected to; return how many. （第十五条）"""
    with transaction(by) as session:
        moment = now(session)
        waiting = list(session.execute(DUE, {"moment": moment, "since": moment - REMEMBERED}).scalars())
    for number in waiting:
        with transaction(by) as session:
            notice = session.exec(select(QualificationNotice).where(QualificationNotice.id == number)).one()
            about = {"division": notice.division_code, "notice": notice.id}
            ready = list(session.execute(READY, about).scalars())
            done = qualify_these(session, ready, by=by)
            record_event(session, notice, "conclude", by=by, label="公示期满，列入资格名册", noun=NOUN,
                         facts={"qualified": done, "left": len(ready) - done})  # fmt: skip
    return len(waiting)
