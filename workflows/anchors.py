"""Signed anchors: the heads of the chains, written every few minutes to a place outside the database. （第二十三条）

Whoever owns the database can recompute a chain; they can't sign its new head. Each line carries the digest of the line
before it, so that no line can be taken out of the middle unnoticed.
"""

import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlmodel import Session

from models.crypto import ring
from models.settings import settings
from policies.clock import ZONE
from policies.refusals import Refused

FIRST = "0" * 64
CHECKED = ".checked"
"""Touched by every anchoring, so that a quiet hour writes no line and is still known to have been looked at."""


class AnchorBroken(Refused):
    """锚点文件 {file} 第 {line} 行{problem}，不能作为核对依据；请改用异地保存的副本（第二十三条）。"""


class AnchorsMissing(Refused):
    """没有找到锚点文件 {file}；锚点由后台任务写入环境变量 YIKATONG_ANCHORS 指定的目录。"""


@dataclass(frozen=True)
class Anchor:
    """One line: a county's head as it stood at a moment."""

    county: str
    count: int
    hash: str
    at: str
    previous: str
    """Digest of the line before."""


def public_key() -> str:
    """Return the key that verifies anchors and archives, as hex: kept elsewhere, it proves who signed."""
    return ring().anchor_key().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


def sign(content: bytes) -> str:
    """Return the signature of a content under this installation's anchor key."""
    return ring().anchor_key().sign(content).hex()


def genuine(content: bytes, signature: str, key: str = "") -> bool:
    """Tell whether the signature is of this content, by the given public key or this installation's own."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key or public_key())).verify(bytes.fromhex(signature), content)
    except (InvalidSignature, ValueError):
        return False
    return True


def _content(anchor: Anchor) -> bytes:
    return json.dumps(asdict(anchor), sort_keys=True, separators=(",", ":")).encode()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one process at a time append: two writers would fork the lines' chain."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def files(folder: Path | None = None) -> list[Path]:
    """Return the anchor files, the oldest first."""
    return sorted((folder or settings().anchors).glob("*.jsonl"))


HEADS = """
select h.county_code, h.sequence, encode(h.hash, 'hex') as hash, clock_timestamp() as at from event_heads h
where h.sequence > 0 order by h.county_code
"""


def anchor(session: Session, folder: Path | None = None) -> int:
    """Write one signed line for each head that has moved since its last line; return how many. （第二十三条）"""
    place = folder or settings().anchors
    with _alone(place):
        heads = session.execute(sa.text(HEADS)).all()
        last, previous = _last_lines(place)
        file_name = f"{heads[0].at.astimezone(ZONE):%Y-%m}.jsonl" if heads else ""
        if not (place / file_name).is_file():
            last = {}
        lines = []
        for head in heads:
            if last.get(head.county_code) == (head.sequence, head.hash):
                continue
            made = Anchor(head.county_code, head.sequence, head.hash, head.at.astimezone(ZONE).isoformat(), previous)
            signed = asdict(made) | {"signature": sign(_content(made))}
            lines.append(json.dumps(signed, separators=(",", ":")).encode())
            previous = sha256(lines[-1]).hexdigest()
        if lines:
            with (place / file_name).open("ab") as file:
                file.write(b"\n".join(lines) + b"\n")
                file.flush()
                os.fsync(file.fileno())
        (place / CHECKED).touch()
    return len(lines)


def _last_lines(folder: Path) -> tuple[dict[str, tuple[int, str]], str]:
    """Return the heads in the newest file and the digest of its last line: each month begins with all heads."""
    last: dict[str, tuple[int, str]] = {}
    newest_first = [lines for file in reversed(files(folder)) if (lines := file.read_bytes().splitlines())]
    if not newest_first:
        return last, FIRST
    for line in newest_first[0]:
        said = json.loads(line)
        last[said["county"]] = (said["count"], said["hash"])
    return last, sha256(newest_first[0][-1]).hexdigest()


def read(paths: Iterable[Path], key: str = "") -> list[Anchor]:
    """Return the anchors of these files in order, each proven genuine. Raises AnchorBroken, AnchorsMissing."""
    found: list[Anchor] = []
    previous = ""
    for path in paths:
        if not path.is_file():
            raise AnchorsMissing(file=path)
        for number, line in enumerate(path.read_bytes().splitlines(), 1):
            made, signature = _parsed(path, number, line)
            if not genuine(_content(made), signature, key):
                raise AnchorBroken(file=path.name, line=number, problem="签名不符")
            if previous and made.previous != previous:
                raise AnchorBroken(file=path.name, line=number, problem="与上一行不相连（有行被删除或调换）")
            previous = sha256(line).hexdigest()
            found.append(made)
    return found


def _parsed(path: Path, number: int, line: bytes) -> tuple[Anchor, str]:
    try:
        said: dict[str, Any] = json.loads(line)
        signature = str(said.pop("signature"))
        return Anchor(**said), signature
    except (ValueError, TypeError, KeyError) as broken:
        raise AnchorBroken(file=path.name, line=number, problem="无法读取") from broken


def known(folder: Path | None = None) -> list[Anchor] | None:
    """Return this installation's own anchors, or None when there are none yet. Raises AnchorBroken."""
    found = files(folder)
    return read(found) if found else None


def newest(folder: Path | None = None) -> Anchor | None:
    """Return the last anchor written."""
    for file in reversed(files(folder)):
        lines = file.read_bytes().splitlines()
        if lines:
            return _parsed(file, len(lines), lines[-1])[0]
    return None


def is_due(session: Session, folder: Path | None = None) -> bool:
    """Tell whether the time between two anchorings (a setting) has passed."""
    mark = (folder or settings().anchors) / CHECKED
    if not mark.exists():
        return True
    elapsed = sa.text("select extract(epoch from clock_timestamp()) - :then")
    seconds = session.execute(elapsed, {"then": mark.stat().st_mtime}).scalar_one()
    return float(seconds) >= settings().anchor_minutes * 60
