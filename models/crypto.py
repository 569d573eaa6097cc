"""Personal data at rest: authenticated envelopes and keyed blind indexes. （第三十条）

An envelope is: cipher (1 byte: 1 AES-256-GCM, 2 SM4-GCM) · key id (1 byte) · nonce (12 bytes) · ciphertext with tag;
new ones take the current key and the cipher that YIKATONG_CIPHER names, old ones open under the key they name.

A blind index is: generation (1 byte) · keyed hash (32 bytes). Generation n hashes what generation n-1 made, so that
the index key rotates from the stored values alone and nobody's number has to be opened for it; the value is secret as
long as any one key of the chain is.
"""

import fcntl
import hmac
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hmac import HMAC

from models.settings import settings

AES_GCM, SM4_GCM = 1, 2
CIPHERS = {"aes-256-gcm": AES_GCM, "sm4-gcm": SM4_GCM}
NONCE_BYTES = 12
TAG_BYTES = 16
HEADER_BYTES = 2
INDEX_BYTES = 33
HIGHEST_ID = 255
LOOK_EVERY_S = 0.05
"""Between transactions the key file is looked at no more often than this."""


class KeysMissing(Exception):
    """The key file is absent or unreadable: nothing personal can be written or read."""


class EnvelopeBroken(Exception):
    """The stored envelope doesn't open under its key: it was changed, or the key is another one."""


@dataclass(frozen=True, repr=False)
class IndexKey:
    """One generation of the blind index: its key and its hash ("sha256" or "sm3")."""

    key: bytes
    hash: str = "sha256"

    def digest(self, value: bytes) -> bytes:
        """Return the keyed hash of a value."""
        if self.hash == "sm3":
            mac = _sm3(self.key).copy()
            mac.update(value)
            return mac.finalize()
        return hmac.digest(self.key, value, sha256)


@dataclass(frozen=True, repr=False)
class KeyRing:
    """The encryption keys by id, the id and cipher that new envelopes take, and the chain of index keys."""

    current: int
    keys: dict[int, bytes]
    index_current: int
    index_keys: dict[int, IndexKey]
    ticket_key: bytes
    cipher: int = AES_GCM
    anchor_seed: bytes = b""

    @property
    def header(self) -> bytes:
        """Return the header of new envelopes: cipher and key id."""
        return bytes((self.cipher, self.current))

    def seal(self, text: str) -> bytes:
        """Return the envelope of `text`."""
        return self.seal_bytes(text.encode())

    def open(self, envelope: bytes) -> str:
        """Return the text of an envelope. Raises EnvelopeBroken."""
        return self.open_bytes(envelope).decode()

    def seal_bytes(self, content: bytes) -> bytes:
        """Return the envelope of a file's content."""
        nonce, header = os.urandom(NONCE_BYTES), self.header
        key = self.keys[self.current]
        if self.cipher == AES_GCM:
            return header + nonce + _aes(key).encrypt(nonce, content, header)
        encryptor = Cipher(algorithms.SM4(_sm4_key(key)), modes.GCM(nonce)).encryptor()
        encryptor.authenticate_additional_data(header)
        return header + nonce + encryptor.update(content) + encryptor.finalize() + encryptor.tag

    def open_bytes(self, envelope: bytes) -> bytes:
        """Return the content of an envelope. Raises EnvelopeBroken."""
        header, body = envelope[:HEADER_BYTES], envelope[HEADER_BYTES:]
        nonce, sealed = body[:NONCE_BYTES], body[NONCE_BYTES:]
        try:
            key = self.keys[header[1]]
            if header[0] == AES_GCM:
                return _aes(key).decrypt(nonce, sealed, header)
            if header[0] != SM4_GCM:
                raise EnvelopeBroken
            mode = modes.GCM(nonce, sealed[-TAG_BYTES:])
            decryptor = Cipher(algorithms.SM4(_sm4_key(key)), mode).decryptor()
            decryptor.authenticate_additional_data(header)
            return decryptor.update(sealed[:-TAG_BYTES]) + decryptor.finalize()
        except (InvalidTag, KeyError, IndexError, ValueError) as broken:
            raise EnvelopeBroken from broken

    def index(self, purpose: str, text: str) -> bytes:
        """Return the blind index of a normalised value: equal values of one purpose have equal indexes."""
        value = f"{purpose}\x00{text}".encode()
        for generation in range(1, self.index_current + 1):
            value = self.index_keys[generation].digest(value)
        return bytes((self.index_current,)) + value

    def next_index(self, stored: bytes) -> bytes:
        """Return what a stored index becomes in the generation after its own."""
        following = stored[0] + 1
        return bytes((following,)) + self.index_keys[following].digest(stored[1:])

    def anchor_key(self) -> Ed25519PrivateKey:
        """Return the key that signs the anchors of the audit chain (DESIGN D9); made when an older file has none."""
        if self.anchor_seed:
            return Ed25519PrivateKey.from_private_bytes(self.anchor_seed)
        change_key_file(settings().key_file, _add_anchor_seed)
        return ring().anchor_key()


@lru_cache(maxsize=16)
def _aes(key: bytes) -> AESGCM:
    return AESGCM(key)


@lru_cache(maxsize=16)
def _sm4_key(key: bytes) -> bytes:
    # SM4 takes 128 bits: a key of its own, so that one key never serves two ciphers.
    return hmac.digest(key, b"sm4-gcm", sha256)[:16]


@lru_cache(maxsize=16)
def _sm3(key: bytes) -> HMAC:
    return HMAC(key, hashes.SM3())


def make_key_file(path: Path) -> None:
    """Write a fresh key ring with mode 0600; refuses to overwrite (keys are never replaced, only added)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = {
        "current": 1,
        "keys": {"1": secrets.token_hex(32)},
        "index_current": 1,
        "index_keys": {"1": fresh_index_key()},
        "ticket_key": secrets.token_hex(32),
        "anchor_seed": secrets.token_hex(32),
    }
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(fresh, file)


def fresh_index_key() -> dict[str, str]:
    """Return a new index key of the hash that YIKATONG_INDEX names."""
    return {"key": secrets.token_hex(32), "hash": settings().index_hash}


def _add_anchor_seed(raw: dict[str, Any]) -> None:
    raw.setdefault("anchor_seed", secrets.token_hex(32))


def complete_key_file(path: Path) -> None:
    """Bring an older key file to today's form; a complete one is left alone. Raises KeysMissing."""
    raw = _read(path)
    if "index_key" in raw or "anchor_seed" not in raw:
        change_key_file(path, _add_anchor_seed)


def _modernise(raw: dict[str, Any]) -> None:
    # Before keys could rotate there was one index key without a generation: it is the first.
    if "index_key" in raw:
        raw["index_keys"] = {"1": {"key": raw.pop("index_key"), "hash": "sha256"}}
        raw["index_current"] = 1


def change_key_file(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change the key file under a lock and put it in place whole, mode 0600. Raises KeysMissing."""
    with _locked(path):
        raw = _read(path)
        _modernise(raw)
        change(raw)
        staging = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(staging, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(raw, file)
            file.flush()
            os.fsync(file.fileno())
        former = path.stat()
        if os.getuid() == 0:
            os.chown(staging, former.st_uid, former.st_gid)
        staging.replace(path)
    ring(fresh=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.with_name(f".{path.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _read(path: Path) -> dict[str, Any]:
    try:
        raw: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError) as problem:
        raise KeysMissing(f"密钥文件 {path.name} 缺失或损坏") from problem
    return raw


@lru_cache(maxsize=4)
def _load(path: Path, stamp: tuple[int, int, int], cipher: int) -> KeyRing:
    raw = _read(path)
    try:
        _modernise(raw)
        return KeyRing(
            current=int(raw["current"]),
            keys={int(number): bytes.fromhex(key) for number, key in raw["keys"].items()},
            index_current=int(raw["index_current"]),
            index_keys={
                int(number): IndexKey(bytes.fromhex(one["key"]), one["hash"])
                for number, one in raw["index_keys"].items()
            },
            ticket_key=bytes.fromhex(raw["ticket_key"]),
            cipher=cipher,
            anchor_seed=bytes.fromhex(raw.get("anchor_seed", "")),
        )
    except (ValueError, KeyError, TypeError) as problem:
        raise KeysMissing(f"密钥文件 {path.name} 缺失或损坏") from problem


_held: dict[str, Any] = {"until": 0.0, "ring": None, "settings": None}


def ring(*, fresh: bool = False) -> KeyRing:
    """Return the process's key ring, read anew when the file has changed. Raises KeysMissing."""
    chosen = settings()
    if not fresh and _held["settings"] is chosen and time.monotonic() < _held["until"]:
        held: KeyRing = _held["ring"]
        return held
    path = chosen.key_file
    try:
        found = path.stat()
    except OSError as problem:
        raise KeysMissing(f"密钥文件 {path.name} 缺失或损坏") from problem
    loaded = _load(path, (found.st_mtime_ns, found.st_ino, found.st_size), CIPHERS[chosen.cipher])
    _held.update(ring=loaded, settings=chosen, until=time.monotonic() + LOOK_EVERY_S)
    return loaded


@sa.event.listens_for(sa.Engine, "begin")
def _look_again(_: sa.Connection) -> None:
    # Every transaction begins with the keys in force: one `stat`.
    _held["until"] = 0.0


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


class SealedFile(sa.types.TypeDecorator[bytes]):
    """A file's envelope as it stands in PostgreSQL: opened where the file is asked for, and found by key rotation."""

    impl = sa.LargeBinary
    cache_ok = True

    def __repr__(self) -> str:
        """Return the form that migrations write."""
        return "SealedFile()"


class BlindIndex(sa.types.TypeDecorator[bytes]):
    """A blind index as `id_index()` and its like make it; index-key rotation finds its columns by this type."""

    impl = sa.LargeBinary
    cache_ok = True

    def __repr__(self) -> str:
        """Return the form that migrations write."""
        return "BlindIndex()"


def id_index(id_number: str) -> bytes:
    """Return the blind index of an ID number (upper-case X)."""
    return ring().index("id", id_number.strip().upper())


def account_index(number: str) -> bytes:
    """Return the blind index of a bank account number."""
    return ring().index("account", number.strip())


def phone_index(number: str) -> bytes:
    """Return the blind index of a telephone number."""
    return ring().index("phone", number.strip())
