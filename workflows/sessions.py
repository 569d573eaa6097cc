"""The session on the server, and the post an officer acts in. （第二十三条、第三十条）

The browser holds a random token and nothing else; the session ends at logout, at the idle and at the absolute limit,
and with the post, the password or the officer's account it was opened on.
"""

import hmac
import secrets
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from models.base import Labelled
from models.crypto import ring
from models.database import POLICY
from models.officers import ActingOfficer, Role
from models.security import Security
from models.sessions import Factor, LoginSession, LoginWay
from models.settings import settings
from policies.clock import today
from policies.enforcement import allow
from policies.moves import record_event
from policies.permissions import Permission
from policies.refusals import Refused
from workflows import passwords, second_factor
from workflows.passwords import hasher as hasher
from workflows.queue import officer_from

AGENT_LENGTH = 200


class NoPost(Refused):
    """您目前没有在任岗位，不能办理业务。请联系安全管理员核对任职信息。"""

    status_code = 403


class PostNotHeld(Refused):
    """您现在不在该岗位任职，委托可能已结束。请从列表中选择其他岗位。"""

    status_code = 409


class SessionOver(Refused):
    """该会话已经结束，不必再办理。请刷新列表查看。"""


class Stage(Labelled):
    """How far a login has come: only at the last stage is there anything to see."""

    CODE = "code", "输入动态口令"
    PASSWORD = "password", "更换口令"
    ENROL = "second-factor", "绑定动态口令"
    IN = "in", "已登录"


@dataclass(frozen=True)
class Origin:
    """Where a request comes from."""

    address: str = ""
    agent: str = ""

    @property
    def index(self) -> bytes | None:
        """Return the blind index under which failures of the address are counted."""
        return ring().index("address", self.address) if self.address else None


@dataclass(frozen=True)
class PostChoice:
    """One post the officer may act in."""

    post_id: int
    delegation_id: int
    title: str
    kind: tuple[str, str, str]
    """Role, level and kind of organisation, as the policy asks."""

    @property
    def key(self) -> str:
        """Return the post as the switch in the header names it."""
        return f"{self.post_id}.{self.delegation_id}"


@dataclass(frozen=True)
class LiveSession:
    """A session found by its token: who acts, the token against forged forms, how far the login has come."""

    officer: ActingOfficer
    csrf_token: str
    posts: tuple[PostChoice, ...]
    session_id: int
    stage: Stage
    way: LoginWay
    code_due: bool
    """Whether the next re-authentication asks for a one-time code too."""

    @property
    def post_key(self) -> str:
        """Return the active post as the switch in the header names it."""
        return f"{self.officer.post_id}.{self.officer.delegation_id}"


def token_hash(token: str) -> bytes:
    """Return what is stored of a session token."""
    return hmac.digest(ring().ticket_key, token.encode(), sha256)


def fresh_token() -> str:
    """Return a token that nobody guesses."""
    return secrets.token_urlsafe(32)


def open_session(
    session: Session, officer_id: int, way: LoginWay, factor: Factor, origin: Origin | None = None, post_id: int = 0
) -> str:
    """Open a session of an officer whose identity is proven and return its token. Raises NoPost.

    post_id: the post to begin in, if it is held; else the first.
    """
    came = origin or Origin()
    posts = posts_of(session, officer_id)
    if not posts:
        raise NoPost
    chosen = next((post for post in posts if post.post_id == post_id), posts[0])
    token = fresh_token()
    session.execute(text("select session_sweep(:idle, :longest)"), limits())
    session.execute(
        text(
            "select session_open(:token, :csrf, :officer, :post, :delegation, :title, :way, :factor, :address, :agent)"
        ),
        {
            "token": token_hash(token),
            "csrf": fresh_token(),
            "officer": officer_id,
            "post": chosen.post_id,
            "delegation": chosen.delegation_id,
            "title": chosen.title,
            "way": way,
            "factor": factor,
            "address": came.address,
            "agent": came.agent.replace("\x00", "")[:AGENT_LENGTH],
        },
    )
    return token


def limits() -> dict[str, timedelta]:
    """Return the idle and the absolute limit of sessions."""
    now = settings()
    return {
        "idle": timedelta(minutes=now.session_idle_minutes),
        "longest": timedelta(hours=now.security.session_hours),
    }


def posts_of(session: Session, officer_id: int, day: date | None = None) -> tuple[PostChoice, ...]:
    """Return the posts an officer may act in today, those of absent colleagues included."""
    asked = {"officer": officer_id, "day": day or today(session)}
    rows = session.execute(text("select * from posts_of(:officer, :day)"), asked)
    return tuple(
        PostChoice(
            row.post_id,
            row.delegation_id,
            f"{row.organisation}{Role(row.role).label}" + (f"（代 {row.absent}）" if row.absent else ""),
            (row.role, row.level, row.kind),
        )
        for row in rows
    )


FIND = text(
    "select f.*, v.version as policy_number, v.stamp as policy_stamp"
    " from session_find(:token, :idle, :longest, :day) f cross join policy_version v"
)
"""The session and, in the same question, the policy in force: what follows asks what the post may do."""


def find(session: Session, token: str) -> LiveSession | None:
    """Return the live session of a token and remember the activity; None when unknown, ended, idle or too old."""
    day = today(session)
    asked = {"token": token_hash(token), "day": day, **limits()}
    row = session.execute(FIND, asked).one_or_none()
    if row is None:
        return None
    session.connection().info[POLICY] = (row.policy_number, row.policy_stamp)
    posts = posts_of(session, row.officer_id, day)
    return LiveSession(
        officer=officer_from(session, row),
        csrf_token=row.csrf_token,
        posts=posts,
        session_id=row.session_id,
        stage=_stage(session, row, posts),
        way=LoginWay(row.way),
        code_due=_code_due(row, settings().security),
    )


def _stage(session: Session, row: Any, posts: tuple[PostChoice, ...]) -> Stage:
    if row.factor == Factor.NONE and row.has_totp:
        return Stage.CODE
    if row.way == LoginWay.PASSWORD and (row.must_change or passwords.expired(row.password_changed_at, row.at)):
        return Stage.PASSWORD
    proven = row.has_totp or row.factor == Factor.PROVIDER
    if not proven and second_factor.required(session, [post.kind for post in posts]):
        return Stage.ENROL
    return Stage.IN


def _code_due(row: Any, rules: Security) -> bool:
    if not row.has_totp:
        return False
    return row.code_at is None or bool(row.code_at <= row.at - timedelta(minutes=rules.code_minutes))


def switch_post(session: Session, token: str, officer_id: int, key: str) -> str:
    """Act in another post of the same officer, under a new token; forms of the old post are void.

    Returns the new token. Raises PostNotHeld.
    """
    chosen = next((post for post in posts_of(session, officer_id) if post.key == key), None)
    if chosen is None:
        raise PostNotHeld
    fresh = fresh_token()
    asked = {
        "token": token_hash(token),
        "fresh": token_hash(fresh),
        "csrf": fresh_token(),
        "post": chosen.post_id,
        "delegation": chosen.delegation_id,
        "title": chosen.title,
        "day": today(session),
    }
    switch = text("select session_switch(:token, :fresh, :csrf, :post, :delegation, :title, :day)")
    if not session.execute(switch, asked).scalar_one():
        raise PostNotHeld
    return fresh


def logout(session: Session, token: str) -> None:
    """End the session at once."""
    session.execute(text("select session_end(:token)"), {"token": token_hash(token)})


def end_all(session: Session, officer_id: int) -> None:
    """End every session of an officer in the caller's range. （第二十三条）"""
    session.execute(text("select session_end_all(:officer)"), {"officer": officer_id})


def end(session: Session, record: LoginSession, *, by: ActingOfficer, reason: str) -> None:
    """End another officer's session as security administrator. （第二十三条）

    Raises NotAllowed, NotFound, SessionOver.
    """
    allow(session, by, Permission.SESSION_END, record)
    if not session.execute(text("select session_end_in_scope(:which)"), {"which": record.id}).scalar():
        raise SessionOver
    record_event(session, record, "end_session", by=by, label="结束会话", noun="session", opinion=reason.strip())
