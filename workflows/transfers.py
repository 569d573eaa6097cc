"""Transfers between townships: asked for where the person lives, confirmed by the head where the person is kept.

（第十一条）The record moves in one function of PostgreSQL, which itself asks for the three people; each township keeps
its own side of the history.
"""

import json
from collections.abc import Sequence
from datetime import date

import sqlalchemy as sa
from sqlmodel import Session, select

from models.base import county_of
from models.crypto import ring
from models.households import Household, HouseholdStatus
from models.officers import ActingOfficer
from models.transfers import Transfer
from policies.clock import now, today
from policies.codes import HEAD, RELATIONS, SELF
from policies.enforcement import allow
from policies.interests import require_disinterested
from policies.lifecycles import Desk
from policies.lifecycles.transfers import TRANSFER_LIFECYCLE
from policies.moves import begin, hold_desk, move, require_desk, title_of
from policies.permissions import Permission
from policies.refusals import FasterColleague, ReasonMissing, Refused
from workflows.attachments import Evidence, attach
from workflows.numbers import next_numbers
from workflows.virtual_members import KeptHere, KeptNowhere, index_of, require_seat

NOUN = "transfer"

BIND = sa.text("select keeper, name, here, known, movable from transfer_bind(:record, :wanted)")
ASK = sa.text("select transfer_ask(:record)")
TELL = sa.text("select transfer_tell(:record)")
PLACE = sa.text("select township_name(:code)")
COMPLETE = sa.text("select transfer_complete(:record, :before, :came, :left)")


class TransferUnderWay(Refused):
    """该人员已由{township}提出迁移，尚未办结，不能同时迁往两处；请与对方联系（第十一条）。"""


class NotMovable(Refused):
    """{keeper}登记的该人员状态不能迁移；请与管理地核实后再提出（第十一条）。"""


class StillRunning(Refused):
    """{title}现在不能确认：{obstacle}。请先办结，或不同意迁出并写明原因（第十一条）。"""


class MovesLater(Refused):
    """迁移日期 {day} 晚于今天，不能办理尚未发生的迁移；请核对日期（第十一条）。"""

    status_code = 400


class HouseholdUnknown(Refused):
    """本乡镇没有在册的户编号 {number}；请核对户编号，或留空另立新户（第十一条）。"""

    status_code = 400


class RelationWrong(Refused):
    """与户主关系不正确：迁入现有户不能登记为户主或本人，另立新户的只能是户主（第十一条）。"""

    status_code = 400


def request(
    session: Session,
    *,
    by: ActingOfficer,
    id_number: str,
    reason: str,
    into_number: str = "",
    relation: str = HEAD,
    effective_on: date | None = None,
    village: str = "",
    group_name: str = "",
    address: str = "",
    evidence: Sequence[Evidence] = (),
) -> Transfer:
    """Ask for a person whom another township keeps to be kept here: whom, into which household, why. （第十一条）

    into_number: an existing household of the township; "" for a new one with the person as head. Raises IdNumberWrong,
    KeptNowhere, KeptHere, TransferUnderWay, NotMovable, HouseholdUnknown, RelationWrong, MovesLater, ReasonMissing.
    """
    allow(session, by, Permission.REGISTRY_CHANGE_PROPOSE)
    require_seat(by)
    day = effective_on or today(session)
    if not reason.strip():
        raise ReasonMissing(step="提出迁移", field="迁移原因")
    if day > today(session):
        raise MovesLater(day=day)
    wanted, home = index_of(id_number), _household(session, by, into_number.strip())
    if relation not in RELATIONS or (home is None) != (relation == HEAD) or (home is not None and relation == SELF):
        raise RelationWrong
    record = Transfer(
        division_code=by.division_code,
        county_code=county_of(by.division_code),
        number=next_numbers(session, Transfer, "QY", by.division_code)[0],
        reason=reason.strip(),
        effective_on=day,
        household_id=home.id if home else None,
        relation=relation,
        village=home.village if home else village.strip(),
        group_name=home.group_name if home else group_name.strip(),
        address="" if home else address.strip(),
        evidence_count=len(evidence),
        prepared_at=now(session),
    )
    begin(session, record, by=by, label="提出迁移", desk=Desk.TOWNSHIP_KEEPER)
    _bind(session, record, wanted)
    attach(session, NOUN, record.id or 0, record.division_code, evidence, by=by)
    session.refresh(record)
    return record


def _bind(session: Session, record: Transfer, wanted: bytes) -> None:
    """Have PostgreSQL say whom the transfer is about. Raises KeptNowhere, KeptHere, TransferUnderWay, NotMovable."""
    answer = session.execute(BIND, {"record": record.id, "wanted": wanted}).one_or_none()
    if answer is None:
        raise KeptNowhere
    if answer.here:
        raise KeptHere
    if answer.known:
        raise TransferUnderWay(township=answer.known)
    if not answer.movable:
        raise NotMovable(keeper=answer.keeper)


def _household(session: Session, by: ActingOfficer, number: str) -> Household | None:
    if not number:
        return None
    home = session.exec(
        select(Household).where(
            Household.division_code == by.division_code,
            Household.number == number,
            Household.status == HouseholdStatus.ACTIVE,
        )
    ).one_or_none()
    if home is None:
        raise HouseholdUnknown(number=number[:40])
    return home


def approve(session: Session, record: Transfer, *, by: ActingOfficer, opinion: str = "") -> Transfer:
    """Agree as the receiving township's head: the keeper is asked, with the documents. （第十一条）

    Raises OwnHousehold, KeptNowhere when nobody elsewhere keeps the person any more.
    """
    allow(session, by, Permission.REGISTRY_CHANGE_APPROVE, record)
    require_disinterested(session, NOUN, [record.id or 0], by=by, title=title_of(record), step="审批同意")
    move(session, record, "approve", by=by, opinion=opinion)
    if not session.execute(ASK, {"record": record.id}).scalar_one():
        raise KeptNowhere
    session.refresh(record)
    return record


def decline(session: Session, record: Transfer, *, by: ActingOfficer, reason: str) -> Transfer:
    """Don't agree, as the receiving township's head: the keeper is never asked. （第十一条） Raises ReasonMissing."""
    allow(session, by, Permission.REGISTRY_CHANGE_APPROVE, record)
    return _answer(session, record, "decline", by, reason)


def withdraw(session: Session, record: Transfer, *, by: ActingOfficer, reason: str) -> Transfer:
    """Take a transfer back before it is confirmed; the keeper is told. （第十一条）

    Raises ReasonMissing, FasterColleague.
    """
    allow(session, by, Permission.REGISTRY_CHANGE_PROPOSE, record)
    _answer(session, record, "withdraw", by, reason)
    if record.pair_id:
        _tell(session, record)
    return record


def refuse(session: Session, record: Transfer, *, by: ActingOfficer, reason: str) -> Transfer:
    """Refuse, as the keeper's head, to let a person go; the reason reaches the other township. （第十一条）

    Raises ReasonMissing, FasterColleague.
    """
    allow(session, by, Permission.REGISTRY_CHANGE_APPROVE, record)
    _answer(session, record, "refuse", by, reason)
    _tell(session, record)
    return record


def _answer(session: Session, record: Transfer, verb: str, by: ActingOfficer, reason: str) -> Transfer:
    if not reason.strip():
        raise ReasonMissing(step="办理迁移", field="原因")
    record.refused_for, record.answered_at = reason.strip(), now(session)
    session.flush()
    return move(session, record, verb, by=by, opinion=reason)


def _tell(session: Session, record: Transfer) -> None:
    """Carry the answer to the other township's record. Raises FasterColleague when it has answered already."""
    if not session.execute(TELL, {"record": record.id}).scalar_one():
        raise FasterColleague(title=title_of(record))


def confirm(session: Session, record: Transfer, *, by: ActingOfficer, opinion: str = "") -> Transfer:
    """Confirm, as the keeper's head, that a person has moved: the record moves at once. （第十一条）

    Verified accounts and certificates go with it, entitlements hang on the same person, both townships keep their
    history. Raises OwnHousehold, StillRunning, naming the roster, failure or change that still runs here.
    """
    allow(session, by, Permission.REGISTRY_CHANGE_APPROVE, record)
    step = TRANSFER_LIFECYCLE.step("confirm", record.status, title_of(record))
    require_desk(step, by)
    require_disinterested(session, NOUN, [record.id or 0], by=by, title=title_of(record), step=step.label)
    hold_desk(session, record, step.desk, by, NOUN)
    obstacle = session.execute(COMPLETE, {"record": record.id} | _shown(session, record)).scalar_one()
    if obstacle:
        raise StillRunning(title=title_of(record), obstacle=obstacle)
    session.refresh(record)
    return move(session, record, "confirm", by=by, opinion=opinion)


def _shown(session: Session, record: Transfer) -> dict[str, bytes]:
    """Return what the change shows on either side: where from and where to, nothing of the person."""

    def sealed(place: str) -> bytes:
        return ring().seal(json.dumps({"shown": {"管理地": place}, "facts": {}}, ensure_ascii=False))

    here = session.execute(PLACE, {"code": record.division_code}).scalar_one()
    return {"before": sealed(here), "came": sealed(record.partner), "left": sealed(record.partner)}
