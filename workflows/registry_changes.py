"""Changes of the registry: proposed with old, new and evidence, true once a second person agrees. （第十一、二十三条）

A kind of change is one plan: from what the registry says now and what is asked it makes a draft (old, new, and how to
write it), or refuses. It is planned once to propose and once more to apply, so that nothing is written which has been
overtaken. Bulk kinds register an `Applier` of their own. PostgreSQL admits writes to the registry only in the
transaction that applies a change which two people have taken.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from sqlalchemy import BigInteger, LargeBinary, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Session, col, select

from models.base import county_of
from models.crypto import id_index
from models.households import Household, Member
from models.officers import ActingOfficer
from models.registry_changes import PROVEN, ChangeKind, ChangeStatus, RegistryChange
from policies.clock import now, today
from policies.enforcement import allow
from policies.identities import normalise_id
from policies.interests import OwnHousehold, later_indexes
from policies.lifecycles import LIFECYCLES, Desk
from policies.moves import begin, move, title_of
from policies.permissions import Permission
from policies.refusals import ReasonMissing, Refused
from workflows.attachments import Evidence, attach
from workflows.numbers import next_numbers
from workflows.queue import start_job

NOUN = "registry_change"


class NothingChanges(Refused):
    """变更后与变更前完全相同，没有需要复核的内容；请核对填写的项目（第十一条）。"""

    status_code = 400


class EvidenceMissing(Refused):
    """“{kind}”须有佐证材料；请在“佐证材料”中上传证件或证明的照片、扫描件或 PDF（第十一条）。"""

    status_code = 400


class EffectiveLater(Refused):
    """发生日期 {day} 晚于今天，不能登记尚未发生的事；请核对日期（第十一条）。"""

    status_code = 400


class ChangeUnderWay(Refused):
    """{subject}已有变更单 {number} 等待复核；请等待复核，或先撤回原变更单（第十一条）。"""


class Overtaken(Refused):
    """变更单 {number} 提出后登记信息已有变动，不能按原内容写入；请退回经办人，由其核对后重新提交（第十一条）。"""


class NotAmendable(Refused):
    """“{kind}”变更单不能直接改写内容；请撤回后重新提出（第十一条）。"""


@dataclass(frozen=True)
class Applier:
    """How one kind of change becomes true."""

    apply: Callable[[Session, RegistryChange, dict[str, Any], ActingOfficer], None]
    """Writes the registry with `change_id` of the change on every row; raises Refused when the facts have moved on."""
    job: str = ""
    """The task that applies it instead, when it is bulk work; `apply` is then called by the job."""


APPLIERS: dict[ChangeKind, Applier] = {}


@dataclass(frozen=True)
class About:
    """What a change is about: the township, the day it happened, and the record as it stands now."""

    division_code: str
    day: date
    household: Household | None = None
    member: Member | None = None


Write = Callable[[Session, RegistryChange, ActingOfficer], None]


@dataclass(frozen=True)
class Draft:
    """What a change shows as old and new, and how it is written once two people agree."""

    after: Mapping[str, str]
    write: Write
    before: Mapping[str, str] = field(default_factory=dict)
    subject: str = ""
    row_count: int = 1


Plan = Callable[..., Draft]
PLANS: dict[ChangeKind, Plan] = {}
"""By kind: `plan(session, about, **asked)`; asked is what the officer filled in, as JSON keeps it."""


def planned(kind: ChangeKind) -> Callable[[Plan], Plan]:
    """Register a plan as that of its kind, applied in the approving transaction."""

    def register(plan: Plan) -> Plan:
        PLANS[kind] = plan
        APPLIERS[kind] = Applier(apply_plan)
        return plan

    return register


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
    day = _happened(session, reason, effective_on)
    old, new = dict(before or {}), dict(after)
    if old == new:
        raise NothingChanges
    division = record.division_code if record is not None else by.division_code
    _require_free(session, division, kind, household, member)
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
        prepared_at=now(session),
    )
    begin(session, change, by=by, label=f"提出{kind.label}", desk=Desk.TOWNSHIP_KEEPER)
    attach(session, NOUN, change.id or 0, division, evidence, by=by)
    return change


def plan_change(
    session: Session,
    kind: ChangeKind,
    *,
    by: ActingOfficer,
    reason: str,
    evidence: Sequence[Evidence] = (),
    effective_on: date | None = None,
    household: Household | None = None,
    member: Member | None = None,
    asked: Mapping[str, Any],
) -> RegistryChange:
    """Propose what a plan drafts from the fields that were asked. （第十一条）

    Raises EvidenceMissing, and as `propose` and the plan do.
    """
    record = member or household
    allow(session, by, Permission.REGISTRY_CHANGE_PROPOSE, record)
    about = About(
        record.division_code if record is not None else by.division_code,
        _happened(session, reason, effective_on),
        household,
        member,
    )
    kept = _kept(asked)
    draft = PLANS[kind](session, about, **kept)
    if kind in PROVEN and not evidence:
        raise EvidenceMissing(kind=kind.label)
    return propose(
        session, kind, by=by, reason=reason, effective_on=about.day, before=draft.before, after=draft.after,
        household=household, member=member, subject=draft.subject, evidence=evidence, row_count=draft.row_count,
        facts={"asked": kept},
    )  # fmt: skip


def _happened(session: Session, reason: str, effective_on: date | None) -> date:
    day = effective_on or today(session)
    if not reason.strip():
        raise ReasonMissing(step="基础信息变更", field="变更原因")
    if day > today(session):
        raise EffectiveLater(day=day)
    return day


def _kept(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was asked as JSON keeps it: a plan sees the same when it is proposed and when it is applied."""
    found: dict[str, Any] = json.loads(json.dumps(dict(asked), ensure_ascii=False, default=str))
    return found


LOCK = text("select pg_advisory_xact_lock(hashtextextended('registry:' || :division, 0))")
"""Changes of one township become true one after the other: each sees what the former has written."""
LOCK_PEOPLE = text(
    "select 1 from members where division_code = :division and household_id = :household order by id for update"
)


def apply_plan(session: Session, change: RegistryChange, facts: dict[str, Any], by: ActingOfficer) -> None:
    """Plan an agreed change anew and write it. Raises Overtaken, and whatever the plan refuses by now."""
    session.execute(LOCK, {"division": change.division_code})
    session.execute(LOCK_PEOPLE, {"division": change.division_code, "household": change.household_id})
    draft = PLANS[change.kind](session, _about(session, change), **facts["asked"])
    if dict(draft.before) != shown_of(change.before):
        raise Overtaken(number=change.number)
    draft.write(session, change, by)


def _about(session: Session, change: RegistryChange) -> About:
    """Return what a change is about, read anew."""
    household = member = None
    if change.member_id is not None:
        member = session.get_one(Member, change.member_id, populate_existing=True)
    elif change.household_id is not None:
        household = session.get_one(Household, change.household_id, populate_existing=True)
    return About(change.division_code, change.effective_on, household, member)


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


OWN = text("select own_changes(:person, :more, :changes)").bindparams(
    bindparam("more", type_=ARRAY(LargeBinary)), bindparam("changes", type_=ARRAY(BigInteger))
)
MINE = text("select own_indexes(:person)")


def _require_disinterested(session: Session, change: RegistryChange, by: ActingOfficer) -> None:
    """Let nobody agree to a change of their own household, nor to their own registration. Raises OwnHousehold."""
    if not by.officer_id:
        return
    more = later_indexes(session, by)
    own = session.execute(OWN, {"person": by.person, "more": more, "changes": [change.id]}).scalar_one()
    number = facts_of(change).get("asked", {}).get("id_number", "")
    mine = [bytes(one) for one in session.execute(MINE, {"person": by.person}).scalar_one()] if number else []
    if own or (number and id_index(normalise_id(number)) in [*mine, *more]):
        raise OwnHousehold(title=title_of(change), what="您本人或家庭成员", step="复核同意")


def approve(session: Session, change: RegistryChange, *, by: ActingOfficer, opinion: str = "") -> RegistryChange:
    """Agree to a change as the second person: it is written into the registry at once, bulk by a job. （第十一条）"""
    allow(session, by, Permission.REGISTRY_CHANGE_APPROVE, change)
    _require_disinterested(session, change, by)
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
        raise ReasonMissing(step="退回", field="退回原因")
    move(session, change, "return_", by=by, opinion=reason)
    change.returned_for = reason.strip()
    session.flush()
    return change


def resubmit(session: Session, change: RegistryChange, *, by: ActingOfficer, opinion: str = "") -> RegistryChange:
    """Submit a returned change again. （第十一条）"""
    allow(session, by, Permission.REGISTRY_CHANGE_PROPOSE, change)
    return move(session, change, "resubmit", by=by, opinion=opinion)


def amend(
    session: Session,
    change: RegistryChange,
    *,
    by: ActingOfficer,
    reason: str = "",
    effective_on: date | None = None,
    evidence: Sequence[Evidence] = (),
    opinion: str = "",
    **asked: Any,
) -> RegistryChange:
    """Submit a returned change again with other values, another day, reason or further documents. （第十一条）

    asked: the fields that change; the others stay as they were. Raises StepNotPossible, NotAmendable, NothingChanges,
    EffectiveLater, and whatever the plan refuses.
    """
    allow(session, by, Permission.REGISTRY_CHANGE_PROPOSE, change)
    LIFECYCLES[RegistryChange].step("resubmit", change.status, title_of(change))
    if change.kind not in PLANS:
        raise NotAmendable(kind=change.kind.label)
    kept = facts_of(change)["asked"] | _kept(asked)
    day = _happened(session, reason or change.reason, effective_on or change.effective_on)
    about = replace(_about(session, change), day=day)
    draft = PLANS[change.kind](session, about, **kept)
    old, new = dict(draft.before), dict(draft.after)
    if old == new:
        raise NothingChanges
    change.effective_on, change.reason = day, (reason or change.reason).strip()
    change.fields = [name for name in new if old.get(name) != new[name]]
    change.before, change.after = _sealed(old, {}), _sealed(new, {"asked": kept})
    change.row_count = draft.row_count
    change.evidence_count += len(evidence)
    attach(session, NOUN, change.id or 0, change.division_code, evidence, by=by)
    session.flush()
    return move(session, change, "resubmit", by=by, opinion=opinion)


def withdraw(session: Session, change: RegistryChange, *, by: ActingOfficer, reason: str) -> RegistryChange:
    """Take a change back before it is agreed to. （第十一条） Raises ReasonMissing."""
    allow(session, by, Permission.REGISTRY_CHANGE_PROPOSE, change)
    if not reason.strip():
        raise ReasonMissing(step="撤回", field="撤回原因")
    return move(session, change, "withdraw", by=by, opinion=reason)
