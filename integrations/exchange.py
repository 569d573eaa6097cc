"""The exchange with other departments as both sides sign it, and the client of a department. （第二十九条）

The signature is the one of all our interfaces (HMAC-SHA-256 over method, path and content); what stands for the content
is the head: body, time, random string and the digest of the bytes, so that a request is refused before it is read.
"""

import json
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import httpx

from integrations.errors import Unavailable, Unknown
from integrations.signature import HEADER, genuine, sign

BATCHES = "/exchange/v1/batches"
STATE = "/exchange/v1/state"
BODY, TIMESTAMP, NONCE, DIGEST = "X-Yikatong-Body", "X-Yikatong-Timestamp", "X-Yikatong-Nonce", "X-Yikatong-Digest"
MEDIA_TYPE = "application/x-ndjson"


@dataclass(frozen=True)
class Head:
    """What is signed besides method and path."""

    body: str
    timestamp: str
    nonce: str
    digest: str

    def content(self) -> bytes:
        """Return the bytes that are signed."""
        return "\n".join((self.body, self.timestamp, self.nonce, self.digest)).encode()


def signature_of(key: str, method: str, path: str, head: Head) -> str:
    """Return the signature of a request."""
    return sign(key, method, path, head.content())


def signed_by(key: str, method: str, path: str, head: Head, signature: str) -> bool:
    """Tell whether the request was signed with the key."""
    return genuine(key, method, path, head.content(), signature)


def pack(body: str, number: int, rows: Sequence[dict[str, Any]]) -> bytes:
    """Return a batch: the envelope with count and digest, then one row a line."""
    content = b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)
    envelope = {"body": body, "number": number, "rows": len(rows), "digest": sha256(content).hexdigest()}
    return json.dumps(envelope).encode() + b"\n" + content


@dataclass
class Department:
    """A department's own system as it sends batches; tests and the demo play it."""

    url: str
    body: str
    key: str
    now: Callable[[], float] = field(default=time.time)  # noqa: TID251 - the department's own clock, not ours
    patience_seconds: float = 60

    def send(self, number: int, rows: Sequence[dict[str, Any]]) -> httpx.Response:
        """Send one batch; sending it again is safe. Raises Unavailable, Unknown."""
        return self.request("POST", BATCHES, pack(self.body, number, rows))

    def receipt(self, number: int) -> httpx.Response:
        """Ask what became of a batch. Raises Unavailable, Unknown."""
        return self.request("GET", f"{BATCHES}/{number}")

    def state(self) -> httpx.Response:
        """Ask for the last number and the missing ones. Raises Unavailable, Unknown."""
        return self.request("GET", STATE)

    def request(self, method: str, path: str, content: bytes = b"", **headers: str) -> httpx.Response:
        """Sign and send; `headers` replace what would be signed. Raises Unavailable, Unknown."""
        digest = sha256(content).hexdigest()
        head = Head(self.body, str(int(self.now())), secrets.token_hex(16), digest)
        signed = {
            BODY: head.body,
            TIMESTAMP: head.timestamp,
            NONCE: head.nonce,
            DIGEST: head.digest,
            HEADER: signature_of(self.key, method, path, head),
            "Content-Type": MEDIA_TYPE,
        }
        try:
            with httpx.Client(base_url=self.url, timeout=self.patience_seconds, trust_env=False) as client:
                return client.request(method, path, content=content, headers=signed | headers)
        except (httpx.ConnectError, httpx.ConnectTimeout) as unreachable:
            raise Unavailable("一卡通平台", "连接不上") from unreachable
        except httpx.TransportError as silence:
            raise Unknown("一卡通平台") from silence
