"""Unified login: an identity at the provider is linked to an officer beforehand, never made by logging in.

（第二十三条、第三十条） The provider's word stands for the password; the second factor is the provider's, when its
token says so, or ours.
"""

import json

from sqlalchemy import text
from sqlmodel import Session

from integrations.oidc import Flow, Identity
from models.crypto import EnvelopeBroken, ring
from models.officers import ActingOfficer
from models.sessions import Factor, LoginWay, OpenIdentity
from models.settings import settings
from policies.enforcement import allow
from policies.permissions import Permission
from policies.refusals import NotFound, Refused
from workflows import sessions
from workflows.logins import candidate_of
from workflows.sessions import Origin, token_hash

FLOW_SECONDS = 600
LONGEST_LABEL = 64


class OpenIdRefused(Refused):
    """统一身份认证未成功，可能已超时或在其他窗口重新发起。请返回登录页重试，或改用口令登录。"""

    status_code = 401


class NotLinked(Refused):
    """统一身份认证已通过，但该身份没有绑定可用的本系统用户。请先用口令登录后在“我的账号”绑定，或联系安全管理员。"""

    status_code = 403


class LinkedAlready(Refused):
    """该统一身份已绑定其他用户或本用户，不能重复绑定。请先解除原绑定。"""


class OpenIdOff(Refused):
    """本系统没有配置统一身份认证，请用口令登录。"""

    status_code = 404


def wall_clock(session: Session) -> int:
    """Return the database's clock in seconds: flows and tokens know no business time."""
    return int(session.execute(text("select extract(epoch from clock_timestamp())::bigint")).scalar_one())


def packed(flow: Flow) -> str:
    """Return a flow as the browser carries it to the provider and back: sealed."""
    words = [flow.state, flow.nonce, flow.verifier, flow.next, flow.session_id, flow.at]
    return ring().seal(json.dumps(["openid", *words])).hex()


def unpacked(envelope: str, state: str, at: int) -> Flow:
    """Return the flow that the browser brings back, if it is the one that set out lately. Raises OpenIdRefused."""
    try:
        kind, *words = json.loads(ring().open(bytes.fromhex(envelope)))
        flow = Flow(*words)
    except (ValueError, TypeError, EnvelopeBroken) as broken:
        raise OpenIdRefused from broken
    if kind != "openid" or not state or flow.state != state or not 0 <= at - flow.at <= FLOW_SECONDS:
        raise OpenIdRefused
    return flow


def enter(session: Session, identity: Identity, origin: Origin) -> str:
    """Open a session for the officer linked to an identity and return its token. Raises NotLinked, NoPost."""
    asked = {"issuer": identity.issuer, "subject": identity.subject}
    row = session.execute(text("select * from openid_officer(:issuer, :subject)"), asked).one_or_none()
    candidate = candidate_of(row)
    if candidate is None or not candidate.active or candidate.locked:
        raise NotLinked
    factor = Factor.PROVIDER if identity.strong else Factor.NONE
    return sessions.open_session(session, candidate.officer_id, LoginWay.OPENID, factor, origin)


def packed_identity(identity: Identity, session_id: int) -> str:
    """Return an identity as the page that asks for confirmation carries it: sealed, for this session only."""
    words = ["identity", session_id, identity.issuer, identity.subject, identity.label]
    return ring().seal(json.dumps(words)).hex()


def unpacked_identity(envelope: str, session_id: int) -> Identity:
    """Return the identity of a confirmed page. Raises OpenIdRefused."""
    try:
        kind, owner, issuer, subject, label = json.loads(ring().open(bytes.fromhex(envelope)))
    except (ValueError, TypeError, EnvelopeBroken) as broken:
        raise OpenIdRefused from broken
    if kind != "identity" or owner != session_id:
        raise OpenIdRefused
    return Identity(issuer, subject, label, False)


def link_mine(session: Session, token: str, identity: Identity) -> None:
    """Link an identity to the officer of the session, who has just proven themselves anew. Raises LinkedAlready."""
    asked = {
        "token": token_hash(token),
        "issuer": identity.issuer,
        "subject": identity.subject,
        "label": identity.label,
    }
    if not session.execute(text("select openid_link_mine(:token, :issuer, :subject, :label)"), asked).scalar():
        raise LinkedAlready


def unlink_mine(session: Session, token: str, identity_id: int) -> None:
    """Unlink an identity of the session's officer. Raises NotFound."""
    asked = {"which": identity_id, "token": token_hash(token)}
    if not session.execute(text("select openid_unlink(:which, :token)"), asked).scalar():
        raise NotFound


def link(session: Session, *, by: ActingOfficer, login: str, subject: str, label: str = "") -> None:
    """Link another officer's identity beforehand, as security administrator. （第二十三条）

    Raises NotAllowed, OpenIdOff, NotFound, LinkedAlready.
    """
    allow(session, by, Permission.OFFICER_RESET)
    chosen = settings().security.openid
    if not chosen.on:
        raise OpenIdOff
    known = text("select 1 from officers where login = :login")
    if session.execute(known, {"login": login}).scalar() is None:
        raise NotFound
    asked = {"login": login, "issuer": chosen.issuer, "subject": subject, "label": label[:LONGEST_LABEL]}
    if not session.execute(text("select openid_link_in_scope(:login, :issuer, :subject, :label)"), asked).scalar():
        raise LinkedAlready


def unlink(session: Session, identity: OpenIdentity, *, by: ActingOfficer) -> None:
    """Unlink an officer's identity; sessions opened by it end. （第二十三条） Raises NotAllowed, NotFound."""
    allow(session, by, Permission.OFFICER_RESET, identity)
    if not session.execute(text("select openid_unlink(:which)"), {"which": identity.id}).scalar():
        raise NotFound
