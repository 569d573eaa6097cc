"""Settings of this process, read from the environment once."""

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from models.environment import SettingWrong as SettingWrong
from models.environment import number as _number
from models.security import Security, read_security

APP_ROLE = "yikatong_app"
MODES = ("production", "demo", "test")


@dataclass(frozen=True)
class Settings:
    """Where things are and how strict to be."""

    mode: str
    database_url: str
    app_database_url: str
    data_home: Path
    key_file: Path
    police_url: str
    budget_url: str
    bank_url: str
    host: str
    port: int
    session_idle_minutes: int
    secure_cookies: bool
    partner_key: str = ""
    partner_patience_seconds: float = 15
    anchors: Path = Path("anchors")
    anchor_minutes: int = 10
    audit_days: int = 180
    cipher: str = "aes-256-gcm"
    index_hash: str = "sha256"
    reveals_per_hour: int = 30
    reveals_per_day: int = 100
    hot_topic: str = ""
    indicator_hours: int = 6
    security: Security = Security()

    @property
    def movable_clock(self) -> bool:
        """Tell whether business time may be moved: never in production."""
        return self.mode in ("demo", "test")


def app_url(owner_url: str) -> str:
    """Return the same database's address for the application's own role."""
    url = make_url(owner_url).set(username=APP_ROLE, password=os.environ.get("YIKATONG_APP_PASSWORD"))
    return url.render_as_string(hide_password=False)


def _choice(name: str, allowed: tuple[str, ...]) -> str:
    """Return the setting, or the first of those allowed when it is not made."""
    text = os.environ.get(name, allowed[0])
    if text not in allowed:
        raise SettingWrong(f"环境变量 {name}={text} 无效：只能是 {'、'.join(allowed)}")
    return text


@lru_cache(maxsize=1)
def settings() -> Settings:
    """Return the settings of this process. Raises SettingWrong."""
    env = os.environ
    mode = env.get("YIKATONG_MODE", "production")
    if mode not in MODES:
        raise SettingWrong(f"环境变量 YIKATONG_MODE={mode} 无效：只能是 {'、'.join(MODES)}")
    owner = env.get("YIKATONG_DATABASE_URL", "")
    try:
        app = env.get("YIKATONG_APP_DATABASE_URL") or (app_url(owner) if owner else "")
    except ArgumentError as wrong:
        raise SettingWrong("环境变量 YIKATONG_DATABASE_URL 不是数据库地址，形如 postgresql+psycopg://…") from wrong
    home = Path(env.get("YIKATONG_DATA", ".yikatong")).resolve()
    return Settings(
        mode=mode,
        database_url=owner,
        app_database_url=app,
        data_home=home,
        key_file=Path(env.get("YIKATONG_KEYS", str(home / "keys.json"))),
        police_url=env.get("YIKATONG_POLICE_URL", ""),
        budget_url=env.get("YIKATONG_BUDGET_URL", ""),
        bank_url=env.get("YIKATONG_BANK_URL", ""),
        host=env.get("YIKATONG_HOST", "127.0.0.1"),
        port=_number("YIKATONG_PORT", 8000, 1, 65535),
        session_idle_minutes=_number("YIKATONG_IDLE_MINUTES", 30, 1, 480),
        secure_cookies=mode == "production",
        partner_key=env.get("YIKATONG_PARTNER_KEY", ""),
        partner_patience_seconds=_number("YIKATONG_PARTNER_SECONDS", 15, 1, 300),
        anchors=Path(env.get("YIKATONG_ANCHORS", str(home / "anchors"))).resolve(),
        anchor_minutes=_number("YIKATONG_ANCHOR_MINUTES", 10, 1, 60),
        audit_days=_number("YIKATONG_AUDIT_DAYS", 180, 180, 36500),
        cipher=_choice("YIKATONG_CIPHER", ("aes-256-gcm", "sm4-gcm")),
        index_hash=_choice("YIKATONG_INDEX", ("hmac-sha256", "hmac-sm3")).removeprefix("hmac-"),
        reveals_per_hour=_number("YIKATONG_REVEALS_PER_HOUR", 30, 1, 1000),
        reveals_per_day=_number("YIKATONG_REVEALS_PER_DAY", 100, 1, 10000),
        hot_topic=env.get("YIKATONG_HOT_TOPIC", "").strip(),
        indicator_hours=_number("YIKATONG_INDICATOR_HOURS", 6, 0, 720),
        security=read_security(),
    )
