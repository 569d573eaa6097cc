"""Files kept encrypted for a set time: uploads, marked workbooks, bank files, bulletins. （第三十条）"""

from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256

from sqlmodel import Session

from models.crypto import ring
from models.jobs import StoredFile
from models.officers import ActingOfficer
from policies.clock import now
from policies.refusals import NotFound

KEPT_DAYS = 30
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
XML = "application/xml"


@dataclass(frozen=True, repr=False)
class Download:
    """A file on its way to the officer's browser, when a verb makes one."""

    name: str
    content: bytes
    media_type: str = XLSX


def store(
    session: Session,
    name: str,
    content: bytes,
    *,
    by: ActingOfficer,
    division_code: str,
    media_type: str = XLSX,
    days: int | None = KEPT_DAYS,
) -> StoredFile:
    """Keep a file as an encrypted envelope; `days` None keeps it for good (issued bulletins)."""
    moment = now(session)
    file = StoredFile(
        division_code=division_code,
        name=name,
        media_type=media_type,
        size=len(content),
        sha256=sha256(content).hexdigest(),
        content=ring().seal_bytes(content),
        owner_id=by.officer_id,
        stored_at=moment,
        expires_at=None if days is None else moment + timedelta(days=days),
    )
    session.add(file)
    session.flush()
    return file


def content_of(session: Session, file_id: int | None) -> bytes:
    """Return a file's plain content. Raises NotFound when it is out of scope or purged."""
    file = session.get(StoredFile, file_id) if file_id is not None else None
    if file is None:
        raise NotFound
    return ring().open_bytes(file.content)
