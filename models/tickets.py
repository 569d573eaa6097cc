"""Tickets: the process signs who acts with which range, PostgreSQL checks it before it shows a row (DESIGN D2).

A setting alone is no wall: injected SQL can set it. The signature's key is derived from the key file and stands in a
table that the application's role can't read; `ticket()` in the database verifies it once per statement.
"""

import hmac
from datetime import date
from hashlib import sha256
from typing import ClassVar

import sqlalchemy as sa
from sqlmodel import Session

from models.base import RowScope, Table, column
from models.crypto import ring
from models.officers import ActingOfficer
from models.organisations import OrganisationKind

PURPOSE = b"row scope ticket"


class TicketKey(Table, table=True):
    """The key that tickets are verified under; one row."""

    __tablename__ = "ticket_keys"
    __row_scope__: ClassVar[RowScope] = RowScope.CLOSED
    __title__: ClassVar[str] = "凭证密钥"

    id: int = column("编号", 1, sa_type=sa.Integer, primary_key=True)
    key: bytes = column("凭证密钥", sa_type=sa.LargeBinary, help="校验数据范围凭证的签名")


class ActingPost(Table, table=True):
    """A post that carries a ticket: in force, its holder's account active. PostgreSQL keeps it by triggers."""

    __tablename__ = "acting_posts"
    __row_scope__: ClassVar[RowScope] = RowScope.CLOSED
    __title__: ClassVar[str] = "凭证有效的岗位"

    post_id: int = column("岗位", sa_type=sa.BigInteger, primary_key=True)
    valid_to: date | None = column("任职止", None, nullable=True)


def _key() -> bytes:
    return hmac.digest(ring().ticket_key, PURPOSE, sha256)


def ticket_of(by: ActingOfficer | None) -> str:
    """Return the signed ticket of whoever acts: 64 hex digits, "!", claims; "" for nobody, who sees no row.

    Raises KeysMissing.
    """
    if by is None:
        return ""
    claims = "|".join(_claims(by))
    secret = _key()
    return f"{sha256(secret + sha256(secret + claims.encode()).digest()).hexdigest()}!{claims}"


def _claims(by: ActingOfficer) -> tuple[str, ...]:
    scope = by.scope
    bank = by.kind == OrganisationKind.BANK
    return (
        "" if bank else scope.start,
        "" if bank else scope.end,
        scope.hole_start,
        by.sector,
        str(by.bank_id) if bank else "",
        str(by.officer_id),
        by.person,
        str(by.post_id),
        str(by.delegation_id),
        by.address.replace("|", ""),
    )


def install_ticket_key(session: Session) -> None:
    """Write this key file's ticket key into the database; as the owner, whenever the schema is brought up to date."""
    session.execute(
        sa.text("insert into ticket_keys (id, key) values (1, :key) on conflict (id) do update set key = excluded.key"),
        {"key": _key()},
    )
