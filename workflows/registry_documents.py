"""The documents of a change or review, and a change's contents, in full: for a reason, recorded before it is shown.

（第十一、三十条）
"""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from models.officers import ActingOfficer
from models.registry_changes import Attachment, RegistryChange
from policies.enforcement import allow, may
from policies.permissions import Permission
from policies.refusals import ReasonMissing
from workflows import accounts, applications, household_reviews, registry_changes
from workflows.attachments import attachments_of
from workflows.files import content_of
from workflows.registry_changes import shown_of
from workflows.reveals import record_shown

VIEWERS = {
    accounts.NOUN: Permission.ACCOUNT_VIEW,
    applications.NOUN: Permission.APPLICATION_VIEW,
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

    @property
    def data_url(self) -> str:
        """Return the content inside the page itself: no address of its own, nothing for a cache to keep."""
        return f"data:{self.attachment.media_type};base64,{b64encode(self.content).decode()}"


def show(
    session: Session, record: Any, noun: str, *, by: ActingOfficer, reason: str, documents: Sequence[int]
) -> list[Document]:
    """Show documents of a record in full; one reveal tells of all that are shown at once. （第三十条）

    Raises NotAllowed, NotFound, ReasonMissing, ReasonPersonal, RevealsUsedUp.
    """
    allow(session, by, VIEWERS[noun], record)
    found = [one for one, _ in attachments_of(session, noun, record.id, record.division_code) if one.id in documents]
    if not found:
        raise ReasonMissing(step="查看材料", field="查看哪些材料")
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
