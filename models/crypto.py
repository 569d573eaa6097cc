"""Personal data at rest: AES-256-GCM envelopes and keyed blind indexes. （第三十条）

An envelope is: version (1 byte) · key id (1 byte) · nonce (12 bytes) · ciphertext with tag. The key id lets keys
rotate; the blind index is HMAC-SHA-256 under a key of its own, separated by purpose.
"""

import hmac
import json
import os
import secrets
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from models.settings import settings

VERSION_AES_GCM = 1
NONCE_BYTES = 12
HEADER_BYTES = 2


class KeysMissing(Exception):
    """The key file is absent or unreadable: nothing personal can be written or read."""


class EnvelopeBroken(Exception):
    """The stored envelope doesn't open under its key: it was changed, or the key is another one."""


@dataclass(frozen=True)
class KeyRing:
    """The encryption keys by id, the id that new envelopes take, and the key of the blind index."""

    current: int
    keys: dict[int, bytes]
    index_key: bytes
    ticket_key: bytes

    def seal(self, text: str) -> bytes:
        """Return the envelope of `text`."""
        nonce = os.urandom(NONCE_BYTES)
        header = bytes((VERSION_AES_GCM, self.current))
        return header + nonce + _cipher(self.keys[self.current]).encrypt(nonce, text.encode(), header)

    def open(self, envelope: bytes) -> str:
        """Return the text of an envelope. Raises EnvelopeBroken."""
        return self.open_bytes(envelope).decode()

    def seal_bytes(self, content: bytes) -> bytes:
        """Return the envelope of a file's content."""
        nonce = os.urandom(NONCE_BYTES)
        header = bytes((VERSION_AES_GCM, self.current))
        return header + nonce + _cipher(self.keys[self.current]).encrypt(nonce, content, header)

    def open_bytes(self, envelope: bytes) -> bytes:
        """Return the content of an envelope. Raises EnvelopeBroken."""
        header, body = envelope[:HEADER_BYTES], envelope[HEADER_BYTES:]
        try:
            key = self.keys[header[1]]
            return _cipher(key).decrypt(body[:NONCE_BYTES], body[NONCE_BYTES:], header)
        except (InvalidTag, KeyError, IndexError) as broken:
            raise EnvelopeBroken from broken

    def index(self, purpose: str, text: str) -> bytes:
        """Return the blind index of a normalised value: equal values of one purpose have equal indexes."""
        return hmac.digest(self.index_key, f"{purpose}\x00{text}".encode(), sha256)


@lru_cache(maxsize=16)
def _cipher(key: bytes) -> AESGCM:
    return AESGCM(key)


def make_key_file(path: Path) -> None:
    """Write a fresh key ring with mode 0600; refuses to overwrite (keys are never replaced, only added)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ring = {
        "current": 1,
        "keys": {"1": secrets.token_hex(32)},
        "index_key": secrets.token_hex(32),
        "ticket_key": secrets.token_hex(32),
    }
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(ring, file)


@lru_cache(maxsize=4)
def _load(path: Path) -> KeyRing:
    try:
        raw = json.loads(path.read_text())
        return KeyRing(
            current=int(raw["current"]),
            keys={int(number): bytes.fromhex(key) for number, key in raw["keys"].items()},
            index_key=bytes.fromhex(raw["index_key"]),
            ticket_key=bytes.fromhex(raw["ticket_key"]),
        )
    except (OSError, ValueError, KeyError) as problem:
        raise KeysMissing(f"密钥文件 {path.name} 缺失或损坏") from problem


def ring() -> KeyRing:
    """Return the process's key ring. Raises KeysMissing."""
    return _load(settings().key_file)


class Sealed(sa.types.TypeDecorator[str]):
    """Text that is an envelope in PostgreSQL and plain only in memory."""

    impl = sa.LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> bytes | None:
        """Seal on the way in."""
        return None if value is None else ring().seal(value)

    def process_result_value(self, value: bytes | None, dialect: sa.Dialect) -> str | None:
        """Open on the way out."""
        return None if value is None else ring().open(bytes(value))

    def __repr__(self) -> str:
        """Return the form that migrations write."""
        return "Sealed()"


def id_index(id_number: str) -> bytes:
    """Return the blind index of an ID number (upper-case X)."""
    return ring().index("id", id_number.strip().upper())


def account_index(number: str) -> bytes:
    """Return the blind index of a bank account number."""
    return ring().index("account", number.strip())


def phone_index(number: str) -> bytes:
    """Return the blind index of a telephone number."""
    return ring().index("phone", number.strip())
