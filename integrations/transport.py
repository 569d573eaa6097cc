"""One signed HTTP request to the outside, with time limits, and its outcome as an answer or a fact."""

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import httpx

from integrations.errors import Rejected, Unavailable, Unknown
from integrations.signature import HEADER, sign
from models.settings import settings

CONNECT_SECONDS = 5.0
# A bank file of 100,000 payments has 40 MB, which the other side checks before it answers.
SECONDS_PER_BYTE = 1e-6
# The other side has spoken, but not the one that knows: whether it acted is open.
GATEWAY_TIMEOUT = 504


@lru_cache(maxsize=1)
def _trust() -> ssl.SSLContext:
    return ssl.create_default_context()


@dataclass(frozen=True)
class Partner:
    """The other side of an interface: its name for officers, its address, the key and the patience with it."""

    name: str
    url: str
    key: str
    patience_seconds: float

    def read(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """Ask a question that changes nothing; any silence is Unavailable. Raises Unavailable, Rejected."""
        try:
            return self._send(method, path, body)
        except Unknown as silence:
            raise Unavailable(self.name, "等待答复超时") from silence

    def write(self, method: str, path: str, body: Any, extra: Mapping[str, str] | None = None) -> httpx.Response:
        """Send what changes something there. Raises Unavailable, Unknown, Rejected."""
        return self._send(method, path, body, extra)

    def _send(self, method: str, path: str, body: Any, extra: Mapping[str, str] | None = None) -> httpx.Response:
        if not self.url:
            raise Unavailable(self.name, "尚未配置接口地址")
        content = body if isinstance(body, bytes) else _as_json(body)
        kind = "application/xml" if isinstance(body, bytes) else "application/json"
        headers = {HEADER: sign(self.key, method, path, content), "Content-Type": kind, **(extra or {})}
        timeout = httpx.Timeout(self.patience_seconds + len(content) * SECONDS_PER_BYTE, connect=CONNECT_SECONDS)
        try:
            with httpx.Client(base_url=self.url, timeout=timeout, verify=_trust(), trust_env=False) as client:
                answer = client.request(method, path, content=content, headers=headers)
        except (httpx.ConnectError, httpx.ConnectTimeout) as unreachable:
            raise Unavailable(self.name, "连接不上") from unreachable
        except httpx.TransportError as silence:
            raise Unknown(self.name) from silence
        return self._judged(answer)

    def _judged(self, answer: httpx.Response) -> httpx.Response:
        if answer.status_code == GATEWAY_TIMEOUT:
            raise Unknown(self.name)
        if answer.status_code >= 500:
            raise Unavailable(self.name, f"服务异常 {answer.status_code}")
        if answer.status_code == 401:
            raise Unavailable(self.name, "签名未通过，请核对接口密钥")
        if answer.status_code >= 400 and answer.status_code != 404:
            code, text = _refusal(answer)
            raise Rejected(code, text, self.name)
        return answer


def _as_json(body: Any) -> bytes:
    return b"" if body is None else json.dumps(body, ensure_ascii=False, sort_keys=True).encode()


def _refusal(answer: httpx.Response) -> tuple[str, str]:
    try:
        told = answer.json()
        return str(told["code"]), str(told["text"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP{answer.status_code}", "请求未被接受"


def _partner(name: str, url: str) -> Partner:
    now = settings()
    return Partner(name, url, now.partner_key, now.partner_patience_seconds)


def police() -> Partner:
    """Return the police's network check as this process's settings name it."""
    return _partner("公安联网核查", settings().police_url)


def budget_system() -> Partner:
    """Return the budget system as this process's settings name it."""
    return _partner("预算管理一体化系统", settings().budget_url)


def agent_bank() -> Partner:
    """Return the agent bank's front end as this process's settings name it."""
    return _partner("代理银行", settings().bank_url)
