"""How strict login, sessions and passwords are: one place, read from the environment. （第三十条）

The defaults are a long-passphrase policy; where the grading of the system (等保) demands it, composition, rotation and
history are one setting away.
"""

import os
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from models.environment import SettingWrong, number, one_of, words

Network = IPv4Network | IPv6Network
PASSPHRASE, COMPOSITION = "passphrase", "composition"
WRITERS, EVERYONE = "writers", "everyone"


@dataclass(frozen=True)
class OpenIdSettings:
    """The provider of unified login; without an issuer there is none."""

    issuer: str = ""
    client_id: str = ""
    secret_file: Path | None = None
    label: str = "统一身份认证"
    factors: tuple[str, ...] = ("mfa", "otp", "hwk", "swk", "sms", "fpt", "face", "sc")
    """Values of `amr` that prove more than a password."""
    strong_acr: tuple[str, ...] = ()
    """Values of `acr` that prove a second factor."""

    @property
    def on(self) -> bool:
        """Tell whether officers may log in through the provider."""
        return bool(self.issuer and self.client_id)


@dataclass(frozen=True)
class Security:
    """Limits of sessions, lock-outs, passwords; who needs a second factor; whose word about addresses counts."""

    session_hours: int = 12
    """The absolute limit of a session, however busy."""
    second_factor: str = WRITERS
    """writers: everyone who can change data; everyone: read-only auditors too."""
    code_minutes: int = 30
    """How long one proof by one-time code holds when money is released, a policy enabled, data exported."""
    account_tries: int = 5
    address_tries: int = 20
    lock_minutes: int = 15
    longest_lock_minutes: int = 240
    password_rule: str = PASSPHRASE
    password_length: int = 12
    password_days: int = 0
    """After how many days a password must change; 0: never."""
    password_history: int = 0
    """How many former passwords may not come back."""
    argon_memory_kib: int = 65536
    argon_passes: int = 3
    trusted_proxies: tuple[Network, ...] = ()
    """Whose X-Forwarded-For is believed."""
    public_url: str = ""
    """The address under which browsers know the console, when a proxy stands in front; '' = the request's own."""
    openid: OpenIdSettings = OpenIdSettings()


def read_security() -> Security:
    """Return the settings of this environment. Raises SettingWrong."""
    rule = one_of("YIKATONG_PASSWORD_RULE", PASSPHRASE, (PASSPHRASE, COMPOSITION))
    composed = rule == COMPOSITION
    return Security(
        session_hours=number("YIKATONG_SESSION_HOURS", 12, 1, 72),
        second_factor=one_of("YIKATONG_SECOND_FACTOR", WRITERS, (WRITERS, EVERYONE)),
        code_minutes=number("YIKATONG_CODE_MINUTES", 30, 0, 1440),
        account_tries=number("YIKATONG_ACCOUNT_TRIES", 5, 3, 20),
        address_tries=number("YIKATONG_ADDRESS_TRIES", 20, 5, 1000),
        lock_minutes=number("YIKATONG_LOCK_MINUTES", 15, 1, 1440),
        longest_lock_minutes=number("YIKATONG_LONGEST_LOCK_MINUTES", 240, 1, 10080),
        password_rule=rule,
        password_length=number("YIKATONG_PASSWORD_LENGTH", 10 if composed else 12, 8 if composed else 12, 64),
        password_days=number("YIKATONG_PASSWORD_DAYS", 90 if composed else 0, 0, 3650),
        password_history=number("YIKATONG_PASSWORD_HISTORY", 5 if composed else 0, 0, 24),
        argon_memory_kib=number("YIKATONG_ARGON_MEMORY_KIB", 65536, 19456, 1048576),
        argon_passes=number("YIKATONG_ARGON_PASSES", 3, 1, 20),
        trusted_proxies=_networks("YIKATONG_TRUSTED_PROXIES"),
        public_url=_address("YIKATONG_PUBLIC_URL"),
        openid=_openid(),
    )


def _openid() -> OpenIdSettings:
    secret = os.environ.get("YIKATONG_OIDC_SECRET_FILE", "")
    made = OpenIdSettings(
        issuer=_issuer(),
        client_id=os.environ.get("YIKATONG_OIDC_CLIENT_ID", ""),
        secret_file=Path(secret) if secret else None,
        label=os.environ.get("YIKATONG_OIDC_LABEL", OpenIdSettings.label),
        factors=words("YIKATONG_OIDC_AMR", ",".join(OpenIdSettings.factors)),
        strong_acr=words("YIKATONG_OIDC_ACR"),
    )
    if bool(made.issuer) != bool(made.client_id):
        raise SettingWrong("环境变量 YIKATONG_OIDC_ISSUER 和 YIKATONG_OIDC_CLIENT_ID 须同时填写，或同时不填")
    return made


def _issuer() -> str:
    """Return the provider's name for itself, exactly as written: its tokens repeat it letter by letter."""
    name = "YIKATONG_OIDC_ISSUER"
    text = os.environ.get(name, "")
    if text and not _sound(urlsplit(text)):
        raise SettingWrong(f"环境变量 {name}={text} 无效：须是 https:// 开头的地址（本机可用 http://）")
    return text


def _address(name: str) -> str:
    text = os.environ.get(name, "").rstrip("/")
    if not text:
        return ""
    parts = urlsplit(text)
    if not _sound(parts) or parts.path or parts.query:
        raise SettingWrong(f"环境变量 {name}={text} 无效：只写协议、主机和端口，如 https://ykt.example")
    return text


def _sound(parts: SplitResult) -> bool:
    local = parts.hostname in ("127.0.0.1", "localhost", "::1")
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and local))


def _networks(name: str) -> tuple[Network, ...]:
    try:
        return tuple(ip_network(word) for word in words(name))
    except ValueError as wrong:
        raise SettingWrong(f"环境变量 {name} 无效：请填写地址或网段，用逗号分隔，如 10.0.0.0/8") from wrong
