"""Documents that prove something: known by their content, not by their name; kept encrypted, scoped like the record.

（第十一、三十条）
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from sqlmodel import Session, col, select

from models.base import county_of
from models.jobs import StoredFile
from models.officers import ActingOfficer
from models.registry_changes import Attachment, DocumentKind
from policies.clock import now
from policies.refusals import Refused
from workflows.files import store

MOST_BYTES = 5 * 1024 * 1024
MOST_FILES = 9
KINDS = ((b"\xff\xd8\xff", "image/jpeg", ".jpg"), (b"\x89PNG\r\n\x1a\n", "image/png", ".png"),
         (b"%PDF-", "application/pdf", ".pdf"))  # fmt: skip
"""First bytes → media type and ending; anything else is no document."""
ENDS = {"image/jpeg": b"\xff\xd9", "image/png": b"IEND\xaeB`\x82", "application/pdf": b"%%EOF"}
TAIL = 1024


@dataclass(frozen=True, repr=False)
class Evidence:
    """One uploaded document before it is kept."""

    name: str
    content: bytes
    kind: DocumentKind = DocumentKind.OTHER


class DocumentTooBig(Refused):
    """佐证材料“{name}”有 {size} MB，超过 5 MB；请压缩或降低拍照分辨率后重新上传。"""

    status_code = 413


class DocumentNotKnown(Refused):
    """佐证材料“{name}”不是完整的 JPG、PNG 图片或 PDF 文件；请拍照或扫描后重新上传。"""

    status_code = 400


class TooManyDocuments(Refused):
    """一次最多上传 9 份佐证材料，本次 {count} 份；请合并后重新上传。"""

    status_code = 400


def media_type_of(evidence: Evidence) -> str:
    """Tell a document's type by its content. Raises DocumentTooBig, DocumentNotKnown."""
    name = PurePath(evidence.name.replace("\\", "/")).name[:80]
    if len(evidence.content) > MOST_BYTES:
        raise DocumentTooBig(name=name, size=f"{len(evidence.content) / 1024 / 1024:.1f}")
    for start, media, _ in KINDS:
        if evidence.content.startswith(start) and ENDS[media] in evidence.content[-TAIL:]:
            return media
    raise DocumentNotKnown(name=name)


def attach(
    session: Session, noun: str, record_id: int, division_code: str, evidence: Sequence[Evidence], *, by: ActingOfficer
) -> list[Attachment]:
    """Keep documents for a record. （第十一条） Raises TooManyDocuments, DocumentTooBig, DocumentNotKnown."""
    if len(evidence) > MOST_FILES:
        raise TooManyDocuments(count=len(evidence))
    kept = []
    for one in evidence:
        media = media_type_of(one)
        name = PurePath(one.name.replace("\\", "/")).name or one.kind.label
        file = store(session, name, one.content, by=by, division_code=division_code, media_type=media, days=None)
        kept.append(
            Attachment(
                division_code=division_code,
                county_code=county_of(division_code),
                noun=noun,
                record_id=record_id,
                kind=one.kind,
                file_id=file.id or 0,
                file_name=name,
                media_type=media,
                size=len(one.content),
                added_by=by.officer_id,
                added_at=now(session),
            )
        )
    session.add_all(kept)
    session.flush()
    return kept


def attachments_of(
    session: Session, noun: str, record_id: int, division_code: str
) -> list[tuple[Attachment, StoredFile]]:
    """Return a record's documents with their files, the first uploaded first."""
    statement = (
        select(Attachment, StoredFile)
        .join(StoredFile, col(StoredFile.id) == col(Attachment.file_id))
        .where(Attachment.division_code == division_code, Attachment.noun == noun, Attachment.record_id == record_id)
        .order_by(col(Attachment.id))
    )
    return list(session.exec(statement))
