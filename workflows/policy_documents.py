"""The policy documents behind each version of a project, with their files. （第七条）"""

from datetime import date

import sqlalchemy as sa
from sqlmodel import Session, col, select

from models.crypto import ring
from models.project_changes import PolicyDocument, ProjectChange
from models.projects import SubsidyProject
from policies.definitions import Definition
from policies.refusals import NotFound
from workflows.files import Download
from workflows.project_drafts import own_files


def documents_of(session: Session, project_id: int, number: int) -> list[PolicyDocument]:
    """Return the documents of a version of a project."""
    statement = select(PolicyDocument).where(
        PolicyDocument.project_id == project_id, PolicyDocument.project_version == number
    )
    return list(session.exec(statement.order_by(col(PolicyDocument.id))))


def keep_documents(session: Session, change: ProjectChange, project: SubsidyProject, definition: Definition) -> None:
    """Keep the documents of a change that becomes effective; a file of the former version stays with its document."""
    files = own_files(session, change, change.sheet)
    former = {
        one.attachment_id: one for one in documents_of(session, project.id or 0, change.base_version)
        if one.attachment_id
    }  # fmt: skip
    made = []
    for one in definition.documents:
        file, kept = files.get(one.attachment_id), former.get(one.attachment_id)
        if file is None and project.project_version == change.base_version:  # a stop adds what is new, no more
            continue
        made.append(
            PolicyDocument(
                division_code=project.division_code, project_id=project.id or 0,
                project_version=project.project_version, sector=project.sector, number=one.number, title=one.title,
                issuer=one.issuer, issued_on=_day(one.issued_on), valid_to=_day(one.valid_to),
                file_id=file.file_id if file else (kept.file_id if kept else None),
                file_name=file.file_name if file else (kept.file_name if kept else ""),
                attachment_id=one.attachment_id if file or kept else 0,
            )
        )  # fmt: skip
    session.add_all(made)
    session.flush()


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


FILE = sa.text("select name, media_type, content from policy_file(:document)")


def file_of(session: Session, document_id: int) -> Download:
    """Return the file of a policy document of the library, whoever owns it. Raises NotFound."""
    row = session.execute(FILE, {"document": document_id}).one_or_none()
    if row is None:
        raise NotFound
    return Download(row.name, ring().open_bytes(row.content), row.media_type)
