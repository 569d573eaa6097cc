"""The documents of a change or review, and a change's contents, in full: for a reason, recorded before it is shown.

（第十一、三十条）
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from models.officers import ActingOfficer
from models.registry_changes import Attachment, ChangeStatus, RegistryChange
from policies.enforcement import allow, may
from policies.moves import record_event
from policies.permissions import Permission
from policies.refusals import NotFound, StepNotPossible
from workflows import household_reviews, registry_changes
from workflows.attachments import Evidence, attach, attachments_of
from workflows.files import content_of
from workflows.registry_changes import shown_of
from workflows.reveals import record_shown

VIEWERS = {
    registry_changes.NOUN: Permission.REGISTRY_CHANGE_VIEW,
    household_reviews.NOUN: Permission.HOUSEHOLD_REVIEW_VIEW,
}
"""Whoever may see the record may see what proves it."""
LABEL = "佐证材料"
CONTENTS = "变更内容"


@dataclass(frozen=True, repr=False)
class Document:
    """One document in full."""

    attachment: Attachment
    content: bytes


def show(
    session: Session, record: Any, noun: str, *, by: ActingOfficer, reason: str, documents: Sequence[int]
) -> list[Document]:
    """Show documents of a record in full; one reveal tells of all that are shown at once. （第三十条）

    Raises NotAllowed, NotFound, ReasonMissing, ReasonPersonal, RevealsUsedUp.
    """
    allow(session, by, VIEWERS[noun], record)
    found = [one for one, _ in attachments_of(session, noun, record.id, record.division_code) if one.id in documents]
    if not found:
        raise NotFound
    kinds = [one.kind.label for one in found]
    record_shown(
        session, record, by=by, noun=noun, label=LABEL, fields=sorted(set(kinds)), count=len(found), reason=reason
    )
    return [Document(one, content_of(session, one.file_id)) for one in found]


def may_read(session: Session, by: ActingOfficer) -> bool:
    """Tell whether the post may read a change's contents in full: whoever keeps persons or agrees to changes."""
    return may(session, by, Permission.MEMBER_REVEAL) or may(session, by, Permission.REGISTRY_CHANGE_APPROVE)


def contents(
    session: Session, change: RegistryChange, *, by: ActingOfficer, reason: str
) -> tuple[dict[str, str], dict[str, str]]:
    """Show what was and what is to be, in full: whoever agrees must be able to compare. （第十一、三十条）

    Raises NotAllowed, NotFound, ReasonMissing, ReasonPersonal, RevealsUsedUp.
    """
    allow(session, by, Permission.REGISTRY_CHANGE_VIEW, change)
    if not may_read(session, by):
        allow(session, by, Permission.MEMBER_REVEAL, change)
    record_shown(
        session, change, by=by, noun=registry_changes.NOUN, label=CONTENTS, fields=change.fields, count=1, reason=reason
    )
    return shown_of(change.before), shown_of(change.after)


def supplement(
    session: Session, change: RegistryChange, *, by: ActingOfficer, evidence: Sequence[Evidence]
) -> RegistryChange:
    """Add documents to a change that was returned for want of them. （第十一条）

    Raises NotAllowed, NotFound, StepNotPossible, TooManyDocuments, DocumentTooBig, DocumentNotKnown.
    """
    allow(session, by, Permission.REGISTRY_CHANGE_PROPOSE, change)
    if change.status != ChangeStatus.RETURNED:
        raise StepNotPossible(title=f"变更单{change.number}", status=change.status.label, step="补充材料")
    added = attach(session, registry_changes.NOUN, change.id or 0, change.division_code, evidence, by=by)
    change.evidence_count += len(added)
    session.flush()
    facts = {"count": len(added), "kinds": sorted({one.kind for one in added})}
    record_event(session, change, "supplement", by=by, label="补充佐证材料", facts=facts)
    return change
