"""Virtual households: a township pays a person whom another township keeps, sees what that needs and edits nothing.

（第十一条）Whom a reference is about, where the person is kept and the snapshot are answered by named functions of
PostgreSQL; nothing of the keeper's registry is read here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlmodel import Session, col, select

from models.base import county_of
from models.crypto import id_index
from models.officers import ActingOfficer
from models.projects import SubsidyProject
from models.rosters import Roster
from models.virtual_members import VirtualMember
from policies.clock import now, today
from policies.enforcement import allow
from policies.identities import is_valid_id, normalise_id
from policies.interests import require_disinterested
from policies.lifecycles import Desk
from policies.moves import begin, move, record_event, title_of
from policies.permissions import Permission
from policies.refusals import NotAllowed, NotFound, ReasonMissing, Refused
from workflows.numbers import next_numbers
from workflows.reveals import Revealed

NOUN = "virtual_member"

BIND = sa.text("select keeper, name, here, known from virtual_bind(:record, :wanted)")
TAKE = sa.text("select virtual_take(:record)")
REFRESH = sa.text("select virtual_refresh(:division, :roster)")
CHANGED = sa.text("select keeper_changed(:members, :what, :detail)")
KEPT = sa.text("select township from keepers_of(:indexes)")

TOLD = {
    "death": "管理地已办理死亡登记：未终审的明细已缓发，已终审的请即报主管部门停发",
    "missing": "管理地已办理失踪登记：未终审的明细已缓发，已终审的请即报主管部门停发",
    "account": "管理地登记的收款账户有变动，请核对清册明细",
    "identity": "管理地已更正身份信息，请核对清册明细",
    "moved": "管理地已变更，账户和身份信息由新的管理地维护",
}
"""What the paying townships read, by what happened at the keeper's; free of personal data."""


class IdNumberWrong(Refused):
    """身份证号不正确：须为 18 位并通过校验；请对照证件逐位核对后重新填写（第十一条）。"""

    status_code = 400


class KeptNowhere(Refused):
    """全区没有苏木乡镇登记该身份证号，不能引用或迁移；请核对号码，确属新增对象的在本乡镇建档并核查身份（第十一条）。"""


class KeptHere(Refused):
    """该人员已由本乡镇登记，不需要引用或迁移；请直接造册，或在基础信息库中查看（第十一条）。"""


class AlreadyReferenced(Refused):
    """该人员已有引用 {number}，同一项目不能重复引用；请直接使用，或先撤回、终止原引用（第十一条）。"""


class KeeperGone(Refused):
    """{title}的管理地已没有现存记录，或该人员已迁入本乡镇，引用不能生效；请撤回后核对（第十一条）。"""


@dataclass(frozen=True)
class Asked:
    """What a question about a person not kept here is recorded on."""

    division_code: str
    id: int = 0


def index_of(id_number: str) -> bytes:
    """Return the blind index of a typed ID number. Raises IdNumberWrong."""
    number = normalise_id(id_number)
    if not is_valid_id(number):
        raise IdNumberWrong
    return id_index(number)


def require_seat(by: ActingOfficer) -> None:
    """Let only the township's keeper desk ask. Raises NotAllowed."""
    if not Desk.TOWNSHIP_KEEPER.seats(by):
        raise NotAllowed(post=by.post, permission=Permission.REGISTRY_CHANGE_PROPOSE.label)


def look_up(session: Session, *, by: ActingOfficer, id_number: str, reason: str) -> Revealed:
    """Say whether a person is kept, and by which township; who asked and why is recorded, not about whom. （第十一条）

    Raises IdNumberWrong, ReasonMissing, NotAllowed.
    """
    allow(session, by, Permission.REGISTRY_CHANGE_PROPOSE)
    require_seat(by)
    if not reason.strip():
        raise ReasonMissing(step="查询登记地", field="查询事由")
    found = session.execute(KEPT, {"indexes": [index_of(id_number)]}).scalars().first()
    record_event(
        session, Asked(by.division_code), "look_up", by=by, label="查询登记地", noun=NOUN, opinion=reason.strip(),
        facts={"found": found is not None, "keeper": found or ""},
    )  # fmt: skip
    told = found or "全区没有苏木乡镇登记该身份证号"
    ways = "可办理虚拟户引用（在本地发放），或跨乡镇迁移（人已迁来居住）" if found else "新增对象可在本乡镇建档"
    return Revealed("登记地", (("登记地", told), ("可以办理", ways)))


def propose(
    session: Session,
    *,
    by: ActingOfficer,
    id_number: str,
    reason: str,
    project: SubsidyProject | int | str | None = None,
) -> VirtualMember:
    """Propose to pay a person whom another township keeps; the answer is the township and the masked name. （第十一条）

    project: the one subsidy it is for, None or 0 for all. Raises IdNumberWrong, ReasonMissing, KeptNowhere, KeptHere,
    AlreadyReferenced, NotAllowed.
    """
    allow(session, by, Permission.REGISTRY_CHANGE_PROPOSE)
    require_seat(by)
    if not reason.strip():
        raise ReasonMissing(step="提出虚拟户引用", field="引用原因")
    wanted, item = index_of(id_number), _project(session, project)
    record = VirtualMember(
        division_code=by.division_code,
        county_code=county_of(by.division_code),
        number=next_numbers(session, VirtualMember, "XN", by.division_code)[0],
        project_id=item.id if item else None,
        project_name=item.name if item else "全部项目",
        reason=reason.strip(),
        prepared_at=now(session),
    )
    begin(session, record, by=by, label="提出虚拟户引用", desk=Desk.TOWNSHIP_KEEPER)
    answer = session.execute(BIND, {"record": record.id, "wanted": wanted}).one_or_none()
    if answer is None:
        raise KeptNowhere
    if answer.here:
        raise KeptHere
    if answer.known:
        raise AlreadyReferenced(number=answer.known)
    session.refresh(record)
    return record


def _project(session: Session, project: SubsidyProject | int | str | None) -> SubsidyProject | None:
    if isinstance(project, SubsidyProject) or not project or not str(project).isdecimal():
        return project if isinstance(project, SubsidyProject) else None
    found = session.exec(select(SubsidyProject).where(col(SubsidyProject.id) == int(project))).one_or_none()
    if found is None:
        raise NotFound
    return found


def approve(session: Session, record: VirtualMember, *, by: ActingOfficer, opinion: str = "") -> VirtualMember:
    """Agree to a reference as the head: it comes into force, with the keeper's present entries. （第十一条）

    Raises OwnHousehold, KeeperGone when nobody elsewhere keeps the person any more.
    """
    allow(session, by, Permission.REGISTRY_CHANGE_APPROVE, record)
    require_disinterested(session, NOUN, [record.id or 0], by=by, title=title_of(record), step="审批同意")
    move(session, record, "approve", by=by, opinion=opinion)
    if not session.execute(TAKE, {"record": record.id}).scalar_one():
        raise KeeperGone(title=record.number)
    session.refresh(record)
    record.started_on = today(session)
    session.flush()
    return move(session, record, "begin", by=by)


def refuse(session: Session, record: VirtualMember, *, by: ActingOfficer, reason: str) -> VirtualMember:
    """Don't agree to a reference. （第十一条） Raises ReasonMissing."""
    allow(session, by, Permission.REGISTRY_CHANGE_APPROVE, record)
    return _close(session, record, "refuse", by, reason)


def withdraw(session: Session, record: VirtualMember, *, by: ActingOfficer, reason: str) -> VirtualMember:
    """Take a proposed reference back. （第十一条） Raises ReasonMissing."""
    allow(session, by, Permission.REGISTRY_CHANGE_PROPOSE, record)
    return _close(session, record, "withdraw", by, reason)


def end(session: Session, record: VirtualMember, *, by: ActingOfficer, reason: str) -> VirtualMember:
    """End a reference: no new roster takes the person, lines that exist go their way. （第十一条）

    Raises ReasonMissing.
    """
    allow(session, by, Permission.REGISTRY_CHANGE_PROPOSE, record)
    return _close(session, record, "end", by, reason)


def _close(session: Session, record: VirtualMember, verb: str, by: ActingOfficer, reason: str) -> VirtualMember:
    if not reason.strip():
        raise ReasonMissing(step="办理虚拟户", field="原因")
    record.ended_for, record.ended_on = reason.strip(), today(session)
    session.flush()
    return move(session, record, verb, by=by, opinion=reason)


# --- the keeper's news --------------------------------------------------------------------------------------------


def tell_references(session: Session, member_ids: Sequence[int], what: str) -> int:
    """Tell the townships that pay these people from elsewhere; return how many tasks they were given. （第十一条）

    what: death, missing, account, identity or moved. Rosters still with the paying township take the new entries; lines
    of the dead and the missing are held in rosters that aren't final yet. Nothing is told where nobody references.
    """
    if not member_ids:
        return 0
    told = {"members": list(member_ids), "what": what, "detail": TOLD[what]}
    return int(session.execute(CHANGED, told).scalar_one())


def refresh(session: Session, division_code: str, roster: Roster | None = None) -> int:
    """Take the keepers' present entries for a township's references (of one roster); return how many. （第十一条）"""
    asked = {"division": division_code, "roster": roster.id if roster else 0}
    return int(session.execute(REFRESH, asked).scalar_one())
