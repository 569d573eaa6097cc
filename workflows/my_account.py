"""What officers do with their own account: password, second factor, recovery codes, sessions. （第二十三条、第三十条）

Each of them proves the person anew and gives the session a new token where it changes what the person may prove.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from models.sessions import LoginWay
from models.settings import settings
from policies.refusals import NotFound
from workflows import second_factor
from workflows.sessions import fresh_token, limits, token_hash

SYSTEMS = (("Windows", "Windows"), ("Android", "安卓"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Mac OS", "macOS"),
           ("Linux", "Linux"))  # fmt: skip
BROWSERS = (("Edg", "Edge"), ("QQBrowser", "QQ 浏览器"), ("MicroMessenger", "微信"), ("Firefox", "Firefox"),
            ("Chrome", "Chrome"), ("Safari", "Safari"))  # fmt: skip


@dataclass(frozen=True)
class MySession:
    """One of my sessions, as the page lists it."""

    id: int
    post: str
    way: str
    address: str
    agent: str
    started_at: datetime
    seen_at: datetime
    this: bool


@dataclass(frozen=True)
class AccountState:
    """What the page says of my account."""

    login: str
    password_changed_at: datetime | None
    has_totp: bool
    recovery_left: int
    identities: tuple[Any, ...]


def agent_in_words(agent: str) -> str:
    """Return a browser as people call it: Chrome（Windows）."""
    system = next((name for word, name in SYSTEMS if word in agent), "")
    browser = next((name for word, name in BROWSERS if word in agent), "")
    if not browser:
        return "其他程序" if agent else "未知"
    return f"{browser}（{system}）" if system else browser


def state(session: Session, token: str) -> AccountState:
    """Return the state of the account behind a session. Raises NotFound."""
    asked = {"token": token_hash(token)}
    row = session.execute(text("select * from account_state(:token)"), asked).one_or_none()
    if row is None:
        raise NotFound
    identities = session.execute(text("select * from openid_mine(:token)"), asked).all()
    return AccountState(row.login, row.password_changed_at, row.has_totp, row.recovery_left, tuple(identities))


def sessions(session: Session, token: str) -> list[MySession]:
    """Return my live sessions, this one first."""
    asked = {"token": token_hash(token), **limits()}
    rows = session.execute(text("select * from sessions_mine(:token, :idle, :longest)"), asked)
    return [
        MySession(
            row.id,
            row.post,
            LoginWay(row.way).label,
            row.address,
            agent_in_words(row.agent),
            row.started_at,
            row.seen_at,
            row.this,
        )
        for row in rows
    ]


def end_others(session: Session, token: str) -> int:
    """End all my other sessions; return how many."""
    return end_one(session, token, 0)


def end_one(session: Session, token: str, session_id: int) -> int:
    """End one of my sessions; return how many ended."""
    asked = {"token": token_hash(token), "which": session_id}
    return int(session.execute(text("select session_end_mine(:token, :which)"), asked).scalar_one())


def former_hashes(session: Session, token: str, current: str) -> list[str]:
    """Return the hashes a new password must not match: the current one and the former ones of the setting."""
    most = settings().security.password_history
    asked = {"token": token_hash(token), "most": most}
    return [current, *session.execute(text("select former_passwords_of(:token, :most)"), asked).scalars()]


def change_password(session: Session, token: str, chosen_hash: str) -> str:
    """Store a new password, whose quality has been checked; all other sessions end. Returns this one's new token.

    Raises NotFound.
    """
    fresh = fresh_token()
    asked = {
        "token": token_hash(token),
        "fresh": token_hash(fresh),
        "csrf": fresh_token(),
        "hash": chosen_hash,
        "keep": settings().security.password_history,
    }
    change = text("select password_change(:token, :fresh, :csrf, :hash, :keep)")
    if not session.execute(change, asked).scalar_one():
        raise NotFound
    return fresh


def enrol(session: Session, token: str, officer_id: int, secret: str, step: int) -> tuple[str, list[str]]:
    """Bind the authenticator app whose code has just been checked; all other sessions end.

    Returns this session's new token and the recovery codes, which are shown once. Raises NotFound.
    """
    fresh, codes = fresh_token(), second_factor.new_codes()
    hashes = [second_factor.code_hash(officer_id, code) for code in codes]
    if not second_factor.enrol(session, (token_hash(token), token_hash(fresh)), fresh_token(), secret, step, hashes):
        raise NotFound
    return fresh, codes


def renew_codes(session: Session, token: str, officer_id: int) -> list[str]:
    """Replace my recovery codes and return the new ones, which are shown once. Raises NotFound."""
    codes = second_factor.new_codes()
    hashes = [second_factor.code_hash(officer_id, code) for code in codes]
    if not second_factor.renew_codes(session, token_hash(token), hashes):
        raise NotFound
    return codes
