"""Changes of the registry: proposed with old, new and evidence, true once a second person agrees. （第十一、二十三条）

A kind of change is one `Applier`; its module registers it in APPLIERS. PostgreSQL admits writes to the registry only
in the transaction that applies a change which two people have taken.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlmodel import Session, col, select

from models.base import county_of
from models.households import Household, Member
from models.officers import ActingOfficer
from models.registry_changes import ChangeKind, ChangeStatus, RegistryChange
from policies.clock import now, today
from policies.enforcement import allow
from policies.lifecycles import Desk
from policies.moves import begin, move
from policies.permissions import Permission
from policies.refusals import ReasonMissing, Refused
from workflows.attachments import Evidence, attach
from workflows.numbers import next_numbers
from workflows.queue import start_job

NOUN = "registry_change"


class NothingChanges(Refused):
    """变更后与变更前完全相同，没有需要复核的内容；请核对填写的项目（第十一条）。"""

    status_code = 400


class EffectiveLater(Refused):
    """发生日期 {day} 晚于今天，不能登记尚未发生的事；请核对日期（第十一条）。"""

    status_code = 400


class ChangeUnderWay(Refused):
    """{subject}已有变更单 {number} 等待复核；请等待复核，或先撤回原变更单（第十一条）。"""


@dataclass(frozen=True)
class Applier:
    """How one kind of change becomes true."""

    apply: Callable[[Session, RegistryChange, dict[str, Any], ActingOfficer], None]
    """Writes the registry with `change_id` of the change on every row; raises Refused when the facts have moved on."""
    job: str = ""
    """The task that applies it instead, when it is bulk work; `apply` is then called by the job."""


APPLIERS: dict[ChangeKind, Applier] = {}


def propose(
    session: Session,
    kind: ChangeKind,
    *,
    by: ActingOfficer,
    reason: str,
    effective_on: date | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any],
    household: Household | None = None,
    member: Member | None = None,
    subject: str = "",
    evidence: Sequence[Evidence] = (),
    row_count: int = 1,
    facts: Mapping[str, Any] | None = None,
) -> RegistryChange:
    """Propose a change: nothing of it is true before a second person has agreed. （第十一条）

    before, after: titles of fields → what is shown (strings), old and new; `facts`: what the applier needs beyond
    them. All is kept encrypted. Raises NotAllowed, NotFound, ReasonMissing, EffectiveLater, NothingChanges,
    ChangeUnderWay, DocumentTooBig, DocumentNotKnown.
    """
    record = member or household
    allow(session, by, Permission.REGISTRY_CHANGE_PROPOSE, record)
    day = effective_on or today(session)
    if not reason.strip():
        raise ReasonMissing
    if day > today(session):
        raise EffectiveLater(day=day)
    old, new = dict(before or {}), dict(after)
    if old == new:
        raise NothingChanges
    division = record.division_code if record is not None else by.division_code
    _require_free(session, division, kind, household, member)
    moment = now(session)
    change = RegistryChange(
        division_code=division,
        county_code=county_of(division),
        number=next_numbers(session, RegistryChange, "BG", division)[0],
        kind=kind,
        household_id=household.id if household else (member.household_id if member else None),
        member_id=member.id if member else None,
        subject=subject or (member.name if member else (household.head_name if household else "")),
        effective_on=day,
        reason=reason.strip(),
        fields=[name for name in new if old.get(name) != new[name]],
        before=_sealed(old, {}),
        after=_sealed(new, dict(facts or {})),
        row_count=row_count,
        evidence_count=len(evidence),
        prepared_at=moment,
    )
    begin(session, change, by=by, label=f"提出{kind.label}", desk=Desk.TOWNSHIP_KEEPER)
    attach(session, NOUN, change.id or 0, division, evidence, by=by)
    return change


def _sealed(shown: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    return json.dumps({"shown": shown, "facts": facts}, ensure_ascii=False, default=str)


def shown_of(text: str) -> dict[str, str]:
    """Return what a change's `before` or `after` shows: titles of fields → values; personal data, mask it."""
    found: dict[str, str] = json.loads(text)["shown"]
    return found


def facts_of(change: RegistryChange) -> dict[str, Any]:
    """Return what the applier of a change needs."""
    found: dict[str, Any] = json.loads(change.after)["facts"]
    return found


def _require_free(
    session: Session, division: str, kind: ChangeKind, household: Household | None, member: Member | None
) -> None:
    """One change at a time of one kind and person (or household). Raises ChangeUnderWay."""
    if household is None and member is None:
        return
    open_ones = select(RegistryChange).where(
        RegistryChange.division_code == division,
        RegistryChange.kind == kind,
        RegistryChange.household_id == (household.id if household else member.household_id if member else None),
        col(RegistryChange.member_id).is_not_distinct_from(member.id if member else None),
        col(RegistryChange.status).in_((ChangeStatus.SUBMITTED, ChangeStatus.RETURNED, ChangeStatus.APPROVED)),
    )
    found = session.exec(open_ones).first()
    if found is not None and kind not in (ChangeKind.NEW_MEMBER, ChangeKind.ASSET, ChangeKind.CERTIFICATE):
        raise ChangeUnderWay(subject="该户" if member is None else "该成员", number=found.number)


def approve(session: Session, change: RegistryChange, *, by: ActingOfficer, opinion: str = "") -> RegistryChange:
    """Agree to a change as the second person: it is written into the registry at once, bulk by a job. （第十一条）"""
    allow(session, by, Permission.REGISTRY_CHANGE_APPROVE, change)
    move(session, change, "approve", by=by, opinion=opinion)
    applier = APPLIERS[change.kind]
    if applier.job:
        title = f"{change.kind.label}（{change.number}）"
        start_job(session, by=by, kind=applier.job, title=title, division_code=change.division_code,
                  arguments={"change_id": change.id})  # fmt: skip
        return change
    return apply(session, change, by=by)


def apply(session: Session, change: RegistryChange, *, by: ActingOfficer) -> RegistryChange:
    """Write an agreed change into the registry: only this transaction may. （第十一条）"""
    move(session, change, "apply", by=by)
    change.applied_at = now(session)
    session.flush()
    APPLIERS[change.kind].apply(session, change, facts_of(change), by)
    session.flush()
    return change


def return_(session: Session, change: RegistryChange, *, by: ActingOfficer, reason: str) -> RegistryChange:
    """Give a change back to whoever proposed it. （第十一条） Raises ReasonMissing."""
    allow(session, by, Permission.REGISTRY_CHANGE_APPROVE, change)
    if not reason.strip():
        raise ReasonMissing
    move(session, change, "return_", by=by, opinion=reason)
    change.returned_for = reason.strip()
    session.flush()
    return change


def resubmit(session: Session, change: RegistryChange, *, by: ActingOfficer, opinion: str = "") -> RegistryChange:
    """Submit a returned change again. （第十一条）"""
    allow(session, by, Permission.REGISTRY_CHANGE_PROPOSE, change)
    return move(session, change, "resubmit", by=by, opinion=opinion)


def withdraw(session: Session, change: RegistryChange, *, by: ActingOfficer, reason: str) -> RegistryChange:
    """Take a change back before it is agreed to. （第十一条） Raises ReasonMissing."""
    allow(session, by, Permission.REGISTRY_CHANGE_PROPOSE, change)
    if not reason.strip():
        raise ReasonMissing
    return move(session, change, "withdraw", by=by, opinion=reason)
