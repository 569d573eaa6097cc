"""The provider of unified login: OpenID Connect, code flow with PKCE, nonce and state.

Asked by the server, never trusted by the browser's word: the identity token's signature, issuer, audience, times and
nonce are checked. Off unless an issuer is configured.
"""

import json
import secrets
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import httpx
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from models.security import OpenIdSettings
from models.settings import settings

SCOPE = "openid profile"
ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")
"""Signatures by the provider's private key; never "none", never a shared secret."""
TIMEOUT = httpx.Timeout(10, connect=5)
CLOCK_LEEWAY_S = 60
LONGEST_SUBJECT = 255


class OpenIdFailed(Exception):
    """The provider's answer is missing or not to be believed; the message is for the log and names no person."""


@dataclass(frozen=True)
class Flow:
    """One way to the provider and back: what only the browser that set out can bring back."""

    state: str
    nonce: str
    verifier: str
    next: str = ""
    session_id: int = 0
    """The session that links an identity; 0 when somebody logs in."""
    at: int = 0
    """When it began, in seconds of the database's clock."""

    @classmethod
    def begin(cls, at: int, *, next: str = "", session_id: int = 0) -> "Flow":
        """Return a fresh flow."""
        token = secrets.token_urlsafe
        return cls(token(32), token(32), token(48), next, session_id, at)


@dataclass(frozen=True)
class Identity:
    """Who the provider says is at the browser."""

    issuer: str
    subject: str
    label: str
    strong: bool
    """Whether the provider has proven a second factor too."""


@dataclass(frozen=True)
class Provider:
    """What the provider says of itself."""

    chosen: OpenIdSettings
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    end_session_endpoint: str

    def address(self, flow: Flow, redirect_uri: str) -> str:
        """Return where the browser is sent to log in."""
        query = {
            "response_type": "code",
            "client_id": self.chosen.client_id,
            "redirect_uri": redirect_uri,
            "scope": SCOPE,
            "state": flow.state,
            "nonce": flow.nonce,
            "code_challenge": create_s256_code_challenge(flow.verifier),
            "code_challenge_method": "S256",
        }
        return _with_query(self.authorization_endpoint, query)

    def identify(self, flow: Flow, code: str, redirect_uri: str, at: int) -> Identity:
        """Exchange the code and return who logged in. Raises OpenIdFailed."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "client_id": self.chosen.client_id,
            "code_verifier": flow.verifier,
        }
        answer = _ask(self.token_endpoint, form, self._proof())
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise OpenIdFailed("答复中没有身份令牌")
        return self.believed(token, flow.nonce, at)

    def believed(self, token: str, nonce: str, at: int) -> Identity:
        """Return who an identity token names once everything in it is right. Raises OpenIdFailed."""
        try:
            decoded = jwt.decode(token, KeySet.import_key_set(self._keys()), algorithms=list(ALGORITHMS))
            claims = CodeIDToken(
                decoded.claims,
                decoded.header,
                options={"iss": {"essential": True, "value": self.chosen.issuer}, "aud": {"essential": True}},
                params={"nonce": nonce, "client_id": self.chosen.client_id},
            )
            claims.validate(now=at, leeway=CLOCK_LEEWAY_S)
        except (JoseError, ValueError, TypeError, KeyError) as wrong:
            raise OpenIdFailed(f"身份令牌不可信：{type(wrong).__name__}") from wrong
        audience = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
        subject = claims["sub"] if isinstance(claims["sub"], str) else ""
        if audience != [self.chosen.client_id] or not 0 < len(subject) <= LONGEST_SUBJECT:
            raise OpenIdFailed("身份令牌不是发给本系统的")
        return Identity(self.chosen.issuer, subject, _label(claims), _strong(claims, self.chosen))

    def goodbye(self, back: str) -> str:
        """Return where the browser may log out at the provider too; "" when the provider has no such page."""
        if not self.end_session_endpoint:
            return ""
        return _with_query(
            self.end_session_endpoint, {"client_id": self.chosen.client_id, "post_logout_redirect_uri": back}
        )

    def _keys(self) -> Any:
        return _ask(self.jwks_uri)

    def _proof(self) -> httpx.BasicAuth | None:
        """Return what proves this system to the provider: the secret of the file; nothing for a public client."""
        if self.chosen.secret_file is None:
            return None
        try:
            secret = self.chosen.secret_file.read_text(encoding="utf-8").strip()
        except OSError as missing:
            raise OpenIdFailed("客户端密钥文件读不出来") from missing
        return httpx.BasicAuth(quote(self.chosen.client_id, safe=""), quote(secret, safe=""))


def provider() -> Provider:
    """Return the provider that the settings name. Raises OpenIdFailed when there is none or it doesn't answer."""
    chosen = settings().security.openid
    if not chosen.on:
        raise OpenIdFailed("没有配置统一身份认证")
    return _discovered(chosen)


@lru_cache(maxsize=2)
def _discovered(chosen: OpenIdSettings) -> Provider:
    told = _ask(f"{chosen.issuer.rstrip('/')}/.well-known/openid-configuration")
    if told.get("issuer") != chosen.issuer:
        raise OpenIdFailed("认证平台自报的名称与设置不一致")
    return Provider(
        chosen,
        authorization_endpoint=_endpoint(told, chosen, "authorization_endpoint"),
        token_endpoint=_endpoint(told, chosen, "token_endpoint"),
        jwks_uri=_endpoint(told, chosen, "jwks_uri"),
        end_session_endpoint=_endpoint(told, chosen, "end_session_endpoint") if "end_session_endpoint" in told else "",
    )


def _endpoint(told: dict[str, Any], chosen: OpenIdSettings, name: str) -> str:
    address = told.get(name)
    if not isinstance(address, str) or urlsplit(address).scheme not in ("https", urlsplit(chosen.issuer).scheme):
        raise OpenIdFailed(f"认证平台的 {name} 缺失或不安全")
    return address


def _with_query(address: str, query: dict[str, str]) -> str:
    return f"{address}{'&' if '?' in address else '?'}{urlencode(query)}"


def _ask(address: str, form: dict[str, str] | None = None, proof: httpx.BasicAuth | None = None) -> dict[str, Any]:
    try:
        with httpx.Client(timeout=TIMEOUT, trust_env=False) as client:
            answer = (
                client.get(address)
                if form is None
                else client.post(address, data=form, auth=proof or httpx.USE_CLIENT_DEFAULT)
            )
            answer.raise_for_status()
            told = json.loads(answer.content)
    except (httpx.HTTPError, ValueError) as failure:
        raise OpenIdFailed(f"认证平台没有应答：{type(failure).__name__}") from failure
    if not isinstance(told, dict):
        raise OpenIdFailed("认证平台的答复无法读懂")
    return told


def _label(claims: dict[str, Any]) -> str:
    word = claims.get("preferred_username") or claims.get("name") or ""
    return str(word).replace("\x00", "")[:64]


def _strong(claims: dict[str, Any], chosen: OpenIdSettings) -> bool:
    methods = claims.get("amr")
    listed = {str(one) for one in methods} if isinstance(methods, list) else set()
    return bool(listed & set(chosen.factors)) or str(claims.get("acr", "")) in chosen.strong_acr
