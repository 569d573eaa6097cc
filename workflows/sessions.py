"""Logging in and out, the session on the server, and the post an officer acts in. （第二十三条、第三十条）

The password is checked outside any transaction (Argon2 takes its time): look up, check, open.
"""

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Any

import pyotp
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import text
from sqlmodel import Session

from models.crypto import ring
from models.officers import ActingOfficer, Role
from models.settings import settings
from policies.clock import ZONE, today
from policies.refusals import Refused
from workflows.queue import officer_from

LOCK_AFTER = 5
LOCK_FOR = timedelta(minutes=15)
TOTP_PERIOD = 30


class LoginWrong(Refused):
    """登录名、口令或动态口令不正确。连续 5 次失败，账号将锁定 15 分钟。"""

    status_code = 401


class LoginLocked(Refused):
    """连续登录失败次数过多，账号已锁定至 {until}。请届时再试，或联系安全管理员。"""

    status_code = 401


class CodeUsed(Refused):
    """该动态口令已使用过。请等待验证器显示新的动态口令（最多 30 秒）后再登录。"""

    status_code = 401


class NoPost(Refused):
    """您目前没有在任岗位，不能办理业务。请联系安全管理员核对任职信息。"""

    status_code = 403


class PasswordWrong(Refused):
    """复核身份未通过：口令不正确，本次业务没有办理。请重新输入您的登录口令。"""

    status_code = 403


@dataclass(frozen=True)
class Candidate:
    """Who claims to be logging in, before anything is proven."""

    officer_id: int
    password_hash: str
    totp_secret: str | None
    totp_last_step: int
    active: bool
    locked_until: datetime | None
    at: datetime
    """The wall clock of the database: authenticator apps know no business time."""


@dataclass(frozen=True)
class PostChoice:
    """One post the officer may act in."""

    post_id: int
    title: str


@dataclass(frozen=True)
class LiveSession:
    """A session found by its token: who acts, the token against forged forms, and the choice of posts."""

    officer: ActingOfficer
    csrf_token: str
    posts: tuple[PostChoice, ...]


@lru_cache(maxsize=1)
def hasher() -> PasswordHash:
    """Return the password hasher; cheaper outside production, where only demo accounts exist."""
    if settings().movable_clock:
        return PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8192, parallelism=1),))
    return PasswordHash((Argon2Hasher(),))


@lru_cache(maxsize=1)
def _nobody() -> str:
    return hasher().hash(secrets.token_hex(16))


def token_hash(token: str) -> bytes:
    """Return what is stored of a session token."""
    return hmac.digest(ring().ticket_key, token.encode(), sha256)


def look_up(session: Session, login: str) -> Candidate | None:
    """Return the officer of a login name, or None."""
    question = text("select *, clock_timestamp() as at from login_officer(:login)")
    return _candidate(session.execute(question, {"login": login}).one_or_none())


def look_up_session(session: Session, token: str) -> Candidate | None:
    """Return the officer of a live session, whose password is asked again, or None."""
    question = text("select *, clock_timestamp() as at from session_officer(:token)")
    return _candidate(session.execute(question, {"token": token_hash(token)}).one_or_none())


def _candidate(row: Any) -> Candidate | None:
    if row is None:
        return None
    secret = None if row.totp_secret is None else ring().open(bytes(row.totp_secret))
    return Candidate(row.id, row.password_hash, secret, row.totp_last_step, row.active, row.locked_until, row.at)


def check(candidate: Candidate | None, password: str, code: str = "") -> int:
    """Return the step of the one-time code once password and code are right; takes its time, holds no connection.

    Raises LoginWrong (whose `.keep` counts the failure), LoginLocked, CodeUsed.
    """
    right = hasher().verify(password, candidate.password_hash if candidate else _nobody())
    if candidate is None:
        raise LoginWrong
    if candidate.locked_until is not None and candidate.locked_until > candidate.at:
        raise LoginLocked(until=f"{candidate.locked_until.astimezone(ZONE):%H:%M}")
    step = _code_step(candidate, code)
    if not right or not candidate.active or step is None:
        wrong = LoginWrong()
        wrong.keep = lambda session: count_failure(session, candidate.officer_id)
        raise wrong
    if step <= candidate.totp_last_step:
        raise CodeUsed
    return step


def _code_step(candidate: Candidate, code: str) -> int | None:
    """Return the step whose code was typed, used or not; None when it is nobody's."""
    if candidate.totp_secret is None:
        return candidate.totp_last_step + 1
    totp = pyotp.TOTP(candidate.totp_secret, interval=TOTP_PERIOD)
    now = totp.timecode(candidate.at)
    for step in (now, now - 1, now + 1):
        if hmac.compare_digest(totp.generate_otp(step).encode(), code.strip().encode()):
            return step
    return None


def count_failure(session: Session, officer_id: int) -> None:
    """Count one failed login; the fifth in a row locks."""
    session.execute(
        text("select login_failed(:officer, :after, :lock_for)"),
        {"officer": officer_id, "after": LOCK_AFTER, "lock_for": LOCK_FOR},
    )


def open_session(session: Session, candidate: Candidate, step: int) -> str:
    """Open a session in the officer's first post and return its token. Raises NoPost, LoginWrong."""
    fresh = session.execute(
        text("select login_succeeded(:officer, :step)"), {"officer": candidate.officer_id, "step": step}
    ).scalar_one_or_none()
    if not fresh and candidate.totp_secret is not None:
        raise LoginWrong
    posts = posts_of(session, candidate.officer_id)
    if not posts:
        raise NoPost
    token = secrets.token_urlsafe(32)
    session.execute(
        text("select session_open(:token, :officer, :post, :csrf)"),
        {
            "token": token_hash(token),
            "officer": candidate.officer_id,
            "post": posts[0].post_id,
            "csrf": secrets.token_urlsafe(32),
        },
    )
    return token


def posts_of(session: Session, officer_id: int) -> tuple[PostChoice, ...]:
    """Return the posts an officer holds today."""
    rows = session.execute(
        text("select post_id, organisation, role from posts_of(:officer, :day)"),
        {"officer": officer_id, "day": today(session)},
    )
    return tuple(PostChoice(row.post_id, f"{row.organisation}{Role(row.role).label}") for row in rows)


def find(session: Session, token: str) -> LiveSession | None:
    """Return the live session of a token and remember the activity; None when unknown, ended or idle too long."""
    row = session.execute(
        text("select * from session_find(:token, :idle, :day)"),
        {
            "token": token_hash(token),
            "idle": timedelta(minutes=settings().session_idle_minutes),
            "day": today(session),
        },
    ).one_or_none()
    if row is None:
        return None
    return LiveSession(officer_from(session, row), row.csrf_token, posts_of(session, row.officer_id))


def recheck(candidate: Candidate | None, password: str) -> None:
    """Check the password again before money is released; holds no connection. （第二十条、第二十三条）

    Raises PasswordWrong (whose `.keep` counts the failure), LoginLocked.
    """
    if candidate is None:
        raise PasswordWrong
    if candidate.locked_until is not None and candidate.locked_until > candidate.at:
        raise LoginLocked(until=f"{candidate.locked_until.astimezone(ZONE):%H:%M}")
    if not hasher().verify(password, candidate.password_hash):
        wrong = PasswordWrong()
        wrong.keep = lambda session: count_failure(session, candidate.officer_id)
        raise wrong


def confirm(session: Session, token: str) -> None:
    """Remember that the person at this session has just proven who they are."""
    session.execute(text("select session_confirm(:token)"), {"token": token_hash(token)})


def switch_post(session: Session, token: str, post_id: int) -> None:
    """Act in another post of the same officer; forms of the old post lose their token."""
    session.execute(text("select session_switch(:token, :post)"), {"token": token_hash(token), "post": post_id})


def logout(session: Session, token: str) -> None:
    """End the session at once."""
    session.execute(text("select session_end(:token)"), {"token": token_hash(token)})
