"""Documents that prove something: known by content, limited, sealed, scoped like their record. （第十一、三十条）"""

import struct
import zlib

import pytest
import sqlalchemy as sa
from sqlmodel import Session

from models.households import Member
from models.registry_changes import DocumentKind
from policies.refusals import NotFound
from tests.changes import changes_people
from tests.conftest import As, Owner
from tests.factories import World, a_member
from workflows.attachments import (
    MOST_BYTES,
    MOST_FILES,
    DocumentNotKnown,
    DocumentTooBig,
    Evidence,
    TooManyDocuments,
    attach,
    attachments_of,
    media_type_of,
)
from workflows.files import content_of


def png() -> bytes:
    """Return a whole picture of one grey point."""

    def part(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = part(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + part(b"IDAT", zlib.compress(b"\x00\x80")) + part(b"IEND", b"")


JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00" + b"\x00" * 300 + b"\xff\xd9"
PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"
KNOWN = {"image/png": png(), "image/jpeg": JPEG, "application/pdf": PDF}
PROGRAM = b"MZ\x90\x00\x03" + b"\x00" * 400 + b"This program cannot be run in DOS mode."


class TestKnownByContent:
    @pytest.mark.parametrize("media", KNOWN)
    def test_whatever_the_file_is_called(self, media: str):
        for name in ("扫描件.jpg", "扫描件.pdf", "扫描件", "扫描件.exe", "..\\..\\扫描件.png"):
            assert media_type_of(Evidence(name, KNOWN[media])) == media

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            PROGRAM,
            b"PK\x03\x04" + b"\x00" * 100,
            b"<html><script>alert(1)</script></html>",
            b"<svg xmlns='http://www.w3.org/2000/svg'></svg>",
            b"GIF89a" + b"\x00" * 100,
            b"\xff\xd8\xff",
            b"\x89PNG\r\n\x1a\n",
            b"%PDF-",
            *(whole[: len(whole) * 2 // 3] for whole in KNOWN.values()),
            b" " + PDF,
            PROGRAM + PDF,
        ],
        ids=["empty", "program", "zip", "html", "svg", "gif", "jpeg head", "png head", "pdf head", "png cut",
             "jpeg cut", "pdf cut", "pdf late", "program before pdf"],
    )  # fmt: skip
    def test_renamed_truncated_empty_or_foreign_files_are_refused(self, content: bytes):
        with pytest.raises(DocumentNotKnown, match="身份证.jpg.*重新上传"):
            media_type_of(Evidence("C:\\照片\\身份证.jpg", content))

    def test_five_megabytes_and_not_one_byte_more(self):
        whole = JPEG[:-2] + b"\x00" * (MOST_BYTES - len(JPEG)) + JPEG[-2:]
        assert (len(whole), media_type_of(Evidence("大.jpg", whole))) == (MOST_BYTES, "image/jpeg")
        with pytest.raises(DocumentTooBig, match="5 MB"):
            media_type_of(Evidence("大.jpg", whole[:-2] + b"\x00" + whole[-2:]))


class TestKept:
    def test_a_change_keeps_its_documents_sealed(self, session: Session, county: World):
        member, by = a_member(session, county), county.township.clerk
        evidence = [
            Evidence("身份证.png", png(), DocumentKind.ID_CARD),
            Evidence("声明.pdf", PDF, DocumentKind.STATEMENT),
        ]
        change = changes_people.change_member(
            session, member, by=by, phone="13900001111", reason="换号", evidence=evidence
        )
        found = attachments_of(session, "registry_change", change.id or 0, change.division_code)
        assert [(one.kind, one.media_type, one.file_name) for one, _ in found] == [
            (DocumentKind.ID_CARD, "image/png", "身份证.png"), (DocumentKind.STATEMENT, "application/pdf", "声明.pdf"),
        ]  # fmt: skip
        assert change.evidence_count == 2
        assert content_of(session, found[0][0].file_id) == png()
        kept = session.execute(sa.text("select content from stored_files")).scalars().all()
        assert all(b"PNG" not in bytes(one) and b"PDF" not in bytes(one) for one in kept)
        assert {file.expires_at for _, file in found} == {None}

    def test_one_bad_document_keeps_none_and_proposes_nothing(self, county: World, owner: Owner, as_: As):
        with owner() as session:
            member = a_member(session, county)
        by = county.township.clerk
        with pytest.raises(DocumentNotKnown), as_(by) as session:
            found = session.get_one(Member, member.id)
            changes_people.change_member(session, found, by=by, phone="", reason="换号",
                                         evidence=[Evidence("好.pdf", PDF), Evidence("坏.pdf", PROGRAM)])  # fmt: skip
        with owner() as session:
            counts = "select (select count(*) from registry_changes), (select count(*) from attachments)"
            assert session.execute(sa.text(counts)).one() == (0, 0)

    def test_ten_at_once_are_too_many(self, session: Session, county: World):
        many = [Evidence(f"{number}.pdf", PDF) for number in range(MOST_FILES + 1)]
        with pytest.raises(TooManyDocuments, match="10 份"):
            attach(session, "member", 1, county.township.division_code, many, by=county.township.clerk)

    def test_another_township_sees_neither_the_entry_nor_the_file(self, county: World, owner: Owner, as_: As):
        with owner() as session:
            member = a_member(session, county)
        by = county.township.clerk
        with as_(by) as session:
            change = changes_people.change_member(session, session.get_one(Member, member.id), by=by, phone="",
                                                  reason="换号", evidence=[Evidence("声明.pdf", PDF)])  # fmt: skip
            (entry, file), *_ = attachments_of(session, "registry_change", change.id or 0, change.division_code)
        with as_(county.second_township.clerk) as session:
            assert attachments_of(session, "registry_change", change.id or 0, change.division_code) == []
            with pytest.raises(NotFound):
                content_of(session, file.id)
        assert entry.added_by == by.officer_id
