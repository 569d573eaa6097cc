"""The qualified register: ended by two people of the department, suspended by what the registry says of the person.

（第十四条、第十六条第一项、第二十一条第三项）
"""

from collections.abc import Sequence
from datetime import date

import sqlalchemy as sa
from sqlmodel import Session, select

from models.database import transaction
from models.households import Member, MemberStatus
from models.officers import ActingOfficer
from models.qualifications import Qualification, SuspensionKind
from policies.enforcement import allow
from policies.interests import require_other_household
from policies.lifecycles.applications import QUALIFICATION_LIFECYCLE
from policies.moves import move, move_many, require_desk, title_of
from policies.permissions import Permission
from policies.refusals import ReasonMissing, Refused
from workflows.application_rules import impersonal, require_alive


class EndTooEarly(Refused):
    """“终止日期”不能早于有效期起 {since}；请更正后再提交。"""

    status_code = 400


class StillGone(Refused):
    """{title}的人员登记仍为“{status}”或已不在本乡镇，不能恢复；登记有误的先更正基础信息库（第十一条）。"""


def propose_end(
    session: Session, qualification: Qualification, *, by: ActingOfficer, ends_on: date | None, reason: str
) -> Qualification:
    """Propose to end a qualification from a day on, for a reason. （第十四条） Raises ReasonMissing, EndTooEarly."""
    allow(session, by, Permission.QUALIFICATION_END, qualification)
    step = QUALIFICATION_LIFECYCLE.step("propose_end", qualification.status, title_of(qualification))
    require_desk(step, by)
    if ends_on is None or not reason.strip():
        raise ReasonMissing(step=step.label, field="终止日期" if ends_on is None else "终止原因")
    if ends_on < qualification.valid_from:
        raise EndTooEarly(since=qualification.valid_from)
    kept = impersonal(reason, "终止原因")
    move(session, qualification, "propose_end", by=by, opinion=kept, facts={"ends_on": ends_on.isoformat()})
    qualification.end_reason, qualification.ends_on = kept, ends_on
    session.flush()
    return qualification


def confirm_end(
    session: Session, qualification: Qualification, *, by: ActingOfficer, opinion: str = ""
) -> Qualification:
    """Agree as the reviewer that a qualification ends. （第十四、二十三条） Raises OwnHousehold."""
    allow(session, by, Permission.QUALIFICATION_CONFIRM, qualification)
    _judge(session, qualification, by, "confirm_end")
    ends_on = qualification.ends_on.isoformat() if qualification.ends_on else None
    return move(session, qualification, "confirm_end", by=by, opinion=opinion, facts={"ends_on": ends_on})


def keep(session: Session, qualification: Qualification, *, by: ActingOfficer, reason: str) -> Qualification:
    """Refuse to end a qualification: it stands as before. （第十四、二十三条） Raises ReasonMissing."""
    allow(session, by, Permission.QUALIFICATION_CONFIRM, qualification)
    step = QUALIFICATION_LIFECYCLE.step("keep", qualification.status, title_of(qualification))
    if not reason.strip():
        raise ReasonMissing(step=step.label, field="原因")
    move(session, qualification, "keep", by=by, opinion=impersonal(reason, "原因"))
    qualification.end_reason, qualification.ends_on = "", None
    session.flush()
    return qualification


def reinstate(session: Session, qualification: Qualification, *, by: ActingOfficer, reason: str) -> Qualification:
    """Let a suspended qualification count again once the registry says the person is there. （第十四、二十三条）

    Raises StillGone, PersonGone, OwnHousehold, ReasonMissing.
    """
    allow(session, by, Permission.QUALIFICATION_CONFIRM, qualification)
    _judge(session, qualification, by, "reinstate")
    if not reason.strip():
        raise ReasonMissing(step="恢复资格", field="原因")
    if session.execute(GONE, {"ids": [qualification.id]}).one().why is not None:
        member = member_of(session, qualification)
        raise StillGone(title=title_of(qualification), status=MemberStatus(member.status).label)
    require_alive(session, member_of(session, qualification))
    move(session, qualification, "reinstate", by=by, opinion=impersonal(reason, "原因"))
    qualification.suspended_for = None
    session.flush()
    return qualification


def _judge(session: Session, qualification: Qualification, by: ActingOfficer, verb: str) -> None:
    step = QUALIFICATION_LIFECYCLE.step(verb, qualification.status, title_of(qualification))
    require_desk(step, by)
    require_other_household(
        session, Qualification, [qualification.id or 0], by=by, title=title_of(qualification), step=step.label
    )


def member_of(session: Session, qualification: Qualification) -> Member:
    """Return the person of a qualification."""
    return session.exec(
        select(Member).where(Member.division_code == qualification.division_code, Member.id == qualification.member_id)
    ).one()


# --- what the registry says ---------------------------------------------------------------------------------------

GONE = sa.text(
    """
    select q.id, q.status, case
            when m.status = 'alive' and m.current or v.person_status = 'alive' then null
            when coalesce(v.person_status, m.status) in ('dead', 'missing') then coalesce(v.person_status, m.status)
            when exists (select from virtual_members o where o.division_code = m.division_code
                and o.member_id = m.id) then 'unreferenced'
            else 'moved' end as why
    from qualifications q
    join members m on m.division_code = q.division_code and m.id = q.member_id
    left join lateral (select o.person_status from virtual_members o where o.division_code = m.division_code
        and o.member_id = m.id and o.status = 'in_force' and not m.current order by o.id limit 1) v on true
    where q.id = any (:ids)
    """
)
NOTED = sa.text("select id from qualifications where gone and status = 'active' order by id limit 5000")
MARK = sa.text("update qualifications set gone = false, suspended_for = :why where id = any (:ids)")


def suspend_gone(session: Session, *, by: ActingOfficer, ids: Sequence[int] | None = None) -> int:
    """Suspend the qualifications of people whom the registry calls dead, missing, moved; return how many. （第十六条）

    ids: only these; None: those that a change of the registry has noted.
    """
    asked = list(session.execute(NOTED).scalars()) if ids is None else list(ids)
    rows = session.execute(GONE, {"ids": asked}).all() if asked else []
    suspended = 0
    for why in SuspensionKind:
        gone = [row.id for row in rows if row.why == why and row.status == "active"]
        suspended += move_many(session, Qualification, "suspend", gone, by=by, facts={"why": str(why)}) if gone else 0
        session.execute(MARK, {"why": why, "ids": gone}) if gone else None
    back = [row.id for row in rows if row.why is None]
    if back:
        session.execute(sa.text("update qualifications set gone = false where id = any (:ids) and gone"), {"ids": back})
    return suspended


def sweep_gone(by: ActingOfficer) -> int:
    """Suspend what the registry has taken away since the last turn; return how many. （第十六条第一项）"""
    with transaction(by) as session:
        return suspend_gone(session, by=by)
