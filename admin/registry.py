"""The registry's changes and tasks: old beside new, documents for a reason, differences. （第十一、十六、三十条）"""

import io
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session
from starlette.requests import Request

from admin import registry_forms
from admin.base import ConsoleView, Form, Menu, Related
from admin.fields import MASKS
from admin.forms import Shown
from admin.registry_shown import compared, items, labels, plain, size_text
from models.accounts import Account
from models.base import Table
from models.events import Event
from models.household_reviews import HouseholdReview
from models.households import Household, Member
from models.officers import ActingOfficer
from models.registry_changes import Attachment, ChangeKind, RegistryChange
from models.registry_imports import RegistryImport
from models.registry_tasks import RegistryTask
from models.residences import Residence
from models.rosters import Roster
from policies.lifecycles import Ask, Desk
from policies.lifecycles.registry_changes import REGISTRY_CHANGE_LIFECYCLE
from policies.lifecycles.registry_tasks import REGISTRY_TASK_LIFECYCLE
from policies.permissions import Permission as P
from workflows import (  # the modules of the changes register what a kind of change writes
    changes_assets,  # noqa: F401
    changes_households,  # noqa: F401
    changes_people,  # noqa: F401
    household_reviews,
    registry_changes,
    registry_documents,
)
from workflows.attachments import attachments_of
from workflows.files import Download
from workflows.registry_documents import Document

WHY = Ask("reason", "查看事由", "text", help="将记入明文查看记录，供监督检查")
DOCUMENTS = Ask("documents", "查看哪些材料", "rows", required=False)
HOW = Ask("how", "方式", "choice", choices=(("view", "在页面上查看"), ("download", "下载")))
IMAGES = ("image/jpeg", "image/png")
ZIP = "application/zip"


def documents_tab(noun: str, permission: P) -> Related:
    """Return the tab that lists a record's documents; their names stay out of it, they may hold people's names."""
    attachment: Any = Attachment
    return Related(
        "佐证材料", Attachment, "record_id", ("kind", "media_type", "size", "added_at"), permission,
        together=True, where=(attachment.noun == noun,),
    )  # fmt: skip


def options_of(noun: str) -> Any:
    """Return the choices of a record's documents."""

    def options(session: Session, by: ActingOfficer, record: Any) -> Sequence[tuple[str, str]]:
        return labels([one for one, _ in attachments_of(session, noun, record.id, record.division_code)])

    return options


def usual(session: Session, by: ActingOfficer, record: Any, asked: Mapping[str, str]) -> Mapping[str, str]:
    """Return what a look is mostly for: all documents on the page, the head's for approval."""
    noun = registry_changes.NOUN if isinstance(record, RegistryChange) else household_reviews.NOUN
    shown = [str(one.id) for one, _ in attachments_of(session, noun, record.id, record.division_code)]
    reason = "办理复核，核对佐证材料" if Desk.TOWNSHIP_HEAD.seats(by) else ""
    return {"documents": ",".join(shown), "how": "view", "reason": reason}


def show_change(
    session: Session, change: RegistryChange, *, by: ActingOfficer, reason: str, documents: list[int], how: str
) -> Shown | Download:
    """Show a change's documents, and to whom it is permitted its contents in full beside them. （第三十条）"""
    full = registry_documents.may_read(session, by) and how == "view"
    found = _documents(session, change, registry_changes.NOUN, by, reason, documents) if documents or not full else []
    if how == "download":
        return packed(found, change.number)
    told = items(*registry_documents.contents(session, change, by=by, reason=reason), plain) if full else []
    return papers_page(change, found, told, reason)


def show_review(
    session: Session, review: HouseholdReview, *, by: ActingOfficer, reason: str, documents: list[int], how: str
) -> Shown | Download:
    """Show what was photographed at a household. （第三十条）"""
    found = _documents(session, review, household_reviews.NOUN, by, reason, documents)
    return packed(found, review.number) if how == "download" else papers_page(review, found, [], reason)


def _documents(
    session: Session, record: Any, noun: str, by: ActingOfficer, reason: str, documents: list[int]
) -> list[Document]:
    return registry_documents.show(session, record, noun, by=by, reason=reason, documents=documents)


def papers_page(record: Any, found: list[Document], told: list[Any], reason: str) -> Shown:
    """Return the page that shows documents, with what else is told of their record."""
    shown = [
        (one.attachment, size_text(one.attachment.size), one.data_url if one.attachment.media_type in IMAGES else "")
        for one in found
    ]
    return Shown("registry_documents", {"record": record, "documents": shown, "items": told, "reason": reason})


def packed(found: list[Document], number: str) -> Download:
    """Return one document as it is, several in one file."""
    if len(found) == 1:
        return Download(found[0].attachment.file_name, found[0].content, found[0].attachment.media_type)
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for place, one in enumerate(found, 1):
            archive.writestr(f"{place:02d}-{one.attachment.kind.label}-{one.attachment.file_name}", one.content)
    return Download(f"{number}-佐证材料.zip", target.getvalue(), ZIP)


def documents_form(run: Any, noun: str, permission: P, where: tuple[Any, ...] = ()) -> Form:
    """Return the form that asks why documents are to be seen."""
    return Form(
        "documents", "查看材料和完整内容" if noun == registry_changes.NOUN else "查看材料", permission, run,
        (WHY, DOCUMENTS, HOW), (("documents", options_of(noun)),),
        "材料含完整个人信息；查看人、时间、事由和份数将被记录，每次查看各记一次（第三十条）。",
        on_record=True, present=usual, where=where,
    )  # fmt: skip


class RegistryChangeView(ConsoleView, model=RegistryChange):
    """基础信息变更。"""

    category, icon = Menu.REGISTRY, "fa-solid fa-pen-to-square"
    permission = P.REGISTRY_CHANGE_VIEW
    lifecycle, verbs = REGISTRY_CHANGE_LIFECYCLE, "workflows.registry_changes"
    record_template = "registry_change"
    column_list = ["number", "kind", "subject", "division_code", "fields", "effective_on", "evidence_count", "status",
                   "prepared_at"]  # fmt: skip
    headline = ("kind", "subject", "division_code", "effective_on", "row_count", "evidence_count", "applied_at")
    column_details_list = [
        "number", "kind", "subject", "division_code", "effective_on", "reason", "fields", "row_count",
        "evidence_count", "status", "prepared_at", "arrived_at", "applied_at", "returned_for",
    ]  # fmt: skip
    search_text = ("number",)
    filters = ("status", "kind")
    order = ("-division_code", "-id")
    noun = registry_changes.NOUN
    related = (documents_tab(registry_changes.NOUN, P.REGISTRY_CHANGE_VIEW),)
    forms = (
        documents_form(show_change, registry_changes.NOUN, P.REGISTRY_CHANGE_VIEW),
        *registry_forms.amendments(),
    )
    makers = (
        registry_forms.forms((registry_forms.NEW_HOUSEHOLD, *registry_forms.HOUSEHOLD_PROPOSALS)),
        registry_forms.forms(registry_forms.MEMBER_PROPOSALS),
    )

    def extra(self, session: Session, record: Any, by: ActingOfficer, granted: frozenset[str]) -> dict[str, Any]:
        """Return old beside new, who proposed it, and what it is about."""
        return {"items": compared(record), "proposed": first_event(session, self.noun, record),
                "about": subjects(session, record)}  # fmt: skip


def first_event(session: Session, noun: str, record: Any) -> Any:
    """Return the event of a record's beginning: by whom, in which post, when."""
    event: Any = Event
    return session.execute(
        sa.select(event).where(event.noun == noun, event.record_id == record.id).order_by(event.id).limit(1)
    ).scalar_one_or_none()


def made_by(session: Session, record: Any) -> int | None:
    """Return the household that a change has made: a new one, or the one that was split off."""
    if not isinstance(record, RegistryChange) or record.kind not in (ChangeKind.NEW_HOUSEHOLD, ChangeKind.SPLIT):
        return None
    stay: Any = Residence
    return session.execute(
        sa.select(stay.household_id)
        .where(
            stay.division_code == record.division_code, stay.change_id == record.id, stay.began_by == record.kind,
            stay.household_id.is_distinct_from(record.household_id),
        )
        .limit(1)
    ).scalar_one_or_none()  # fmt: skip


def subjects(session: Session, record: Any) -> list[tuple[str, str, str]]:
    """Return what a change or task is about: title, masked name, address of the page."""
    found = []
    for title, model, number, identity, name in (
        ("户", Household, record.household_id, "household", "number"),
        ("新户", Household, made_by(session, record), "household", "number"),
        ("成员", Member, record.member_id, "member", "name"),
        ("账户", Account, getattr(record, "account_id", None), "account", "number"),
        ("清册", Roster, getattr(record, "roster_id", None), "roster", "number"),
        ("导入", RegistryImport, import_of(session, record), "registry-import", "number"),
    ):
        row = _seen(session, model, number)
        if row is not None:
            found.append((title, _named(row, name), f"/console/{identity}/details/{row.id}"))
    return found


def import_of(session: Session, record: Any) -> int | None:
    """Return the import whose rows a change writes: its preview is what the second person reads."""
    if not isinstance(record, RegistryChange) or record.kind != ChangeKind.IMPORT:
        return None
    made: Any = RegistryImport
    return session.execute(sa.select(made.id).where(made.change_id == record.id)).scalar_one_or_none()


def _seen(session: Session, model: type[Table], number: int | None) -> Any:
    """Return a row that the officer may see; another township's isn't there."""
    return session.get(model, number) if number else None


def _named(row: Any, name: str) -> str:
    mask = type(row).__table__.columns[name].info.get("mask", "")
    return MASKS[mask](getattr(row, name)) if mask else str(getattr(row, name))


class RegistryTaskView(ConsoleView, model=RegistryTask):
    """基础信息待办：差异。"""

    category, icon = Menu.REGISTRY, "fa-solid fa-clipboard-list"
    permission = P.REGISTRY_TASK_VIEW
    lifecycle, verbs = REGISTRY_TASK_LIFECYCLE, "workflows.registry_tasks"
    record_template = "registry_task"
    column_list = ["number", "kind", "division_code", "source", "detail", "found_on", "status", "settled_as"]
    headline = ("kind", "division_code", "source", "found_on", "settled_as")
    column_details_list = ["number", "kind", "division_code", "source", "detail", "found_on", "status", "arrived_at",
                           "settled_as", "note"]  # fmt: skip
    search_text = ("number",)
    filters = ("status", "kind")
    order = ("-division_code", "-id")
    noun = "registry_task"

    def extra(self, session: Session, record: Any, by: ActingOfficer, granted: frozenset[str]) -> dict[str, Any]:
        """Return the person, account or roster that the difference is about."""
        return {"about": subjects(session, record)}

    def panel(self, session: Session, request: Request, record: Any, tab: str) -> dict[str, Any]:
        """Return the forms on the person's page by which such a difference is mostly settled."""
        return {"remedies": remedies(record) if P.REGISTRY_CHANGE_PROPOSE in self.granted(request) else []}


REMEDIES = {
    "identity_mismatch": (("identity", "更正身份信息"),),
    "identity_not_found": (("identity", "更正身份信息"),),
    "deceased": (("death", "死亡登记"),),
    "data_conflict": (("change", "变更成员信息"), ("certificate", "登记或变更证件")),
}


def remedies(task: RegistryTask) -> list[tuple[str, str]]:
    """Return label and address of the forms that settle a task's kind of difference."""
    if task.member_id is None:
        return []
    return [
        (label, f"/console/member/form/{slug}?pk={task.member_id}") for slug, label in REMEDIES.get(task.kind.value, ())
    ]
