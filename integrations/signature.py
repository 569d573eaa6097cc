"""The shared-secret signature of a request: HMAC-SHA-256 over method, path and body."""

import hashlib
import hmac

HEADER = "X-Yikatong-Signature"


def sign(key: str, method: str, path: str, body: bytes) -> str:
    """Return the signature of one request; `path` includes the query."""
    message = f"{method.upper()}\n{path}\n".encode() + body
    return hmac.new(key.encode(), message, hashlib.sha256).hexdigest()


def genuine(key: str, method: str, path: str, body: bytes, signature: str) -> bool:
    """Tell whether the signature is that of somebody who holds the key."""
    return hmac.compare_digest(sign(key, method, path, body), signature)
