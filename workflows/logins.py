"""Who comes in: password and second factor at the door, and again before money, policies or personal data move.

（第二十条、第二十三条、第三十条） The password is checked outside any transaction (Argon2 takes its time): look up,
check, enter. Whatever goes wrong at the door has one message, one status and one price: nobody learns there which
accounts exist.
"""

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from models.crypto import ring
from models.officers import ActingOfficer
from models.sessions import Factor, LoginWay
from models.settings import settings
from policies.clock import ZONE
from policies.enforcement import allow
from policies.permissions import Permission
from policies.refusals import NotFound, Refused
from workflows import passwords, second_factor
from workflows.passwords import hasher
from workflows.sessions import Origin, fresh_token, open_session, token_hash


class LoginWrong(Refused):
    """登录未成功：登录名、口令或动态口令不正确，或因多次失败暂时锁定。请核对后重试，每个动态口令只能用一次；仍不成功请联系安全管理员。"""

    status_code = 401


class AccountLocked(Refused):
    """连续验证失败次数过多，账号已锁定至 {until}。请届时再试，或联系安全管理员。"""

    status_code = 403


class PasswordWrong(Refused):
    """复核身份未通过：口令或动态口令不正确，本次业务没有办理。请重新输入。"""

    status_code = 403


@dataclass(frozen=True)
class Candidate:
    """Who claims to be logging in, before anything is proven."""

    officer_id: int
    name: str
    login: str
    password_hash: str
    totp_secret: str | None
    totp_last_step: int
    active: bool
    locked_until: datetime | None
    recovery: tuple[bytes, ...]
    at: datetime
    """The wall clock of the database: authenticator apps know no business time."""

    @property
    def locked(self) -> bool:
        """Tell whether the account is locked now."""
        return self.locked_until is not None and self.locked_until > self.at


@dataclass(frozen=True)
class Proof:
    """What was proven beside the password: the step of a one-time code, or a recovery code."""

    step: int | None = None
    recovery: bytes | None = None
    stronger_hash: str | None = None
    """The password's hash under today's parameters, when the stored one is weaker."""

    @property
    def factor(self) -> Factor:
        """Return the kind of the proof."""
        if self.recovery is not None:
            return Factor.RECOVERY
        return Factor.NONE if self.step is None else Factor.CODE


def look_up(session: Session, login: str, origin: Origin) -> tuple[Candidate | None, bool]:
    """Return the officer of a login name, or None; and whether the address is barred for now."""
    row = session.execute(text("select * from login_officer(:login)"), {"login": login}).one_or_none()
    barred = session.execute(text("select address_locked(:address)"), {"address": origin.index}).scalar_one()
    return candidate_of(row), bool(barred)


def look_up_session(session: Session, token: str) -> Candidate | None:
    """Return the officer of a live session, whose password is asked again, or None."""
    question = text("select * from session_officer(:token)")
    return candidate_of(session.execute(question, {"token": token_hash(token)}).one_or_none())


def candidate_of(row: Any) -> Candidate | None:
    """Return the candidate of a row of `login_officer`."""
    if row is None:
        return None
    secret = None if row.totp_secret is None else ring().open(bytes(row.totp_secret))
    return Candidate(
        officer_id=row.id,
        name=row.name,
        login=row.login,
        password_hash=row.password_hash,
        totp_secret=secret,
        totp_last_step=row.totp_last_step,
        active=row.active,
        locked_until=row.locked_until,
        recovery=tuple(bytes(one) for one in row.recovery),
        at=row.at,
    )


def check(candidate: Candidate | None, barred: bool, password: str, code: str, origin: Origin) -> Proof:
    """Return what proves the candidate; takes its time, holds no connection. （第三十条）

    Argon2 runs exactly once whoever asks and whatever is wrong. Raises LoginWrong, whose `.keep` counts the failure.
    """
    right, stronger = passwords.verified(password, candidate.password_hash if candidate else passwords.nobody())
    proof = _proof_of(candidate, code) if candidate else None
    if candidate is None or barred or candidate.locked or not candidate.active or not right or proof is None:
        raise _failed(LoginWrong(), candidate, origin)
    return Proof(proof.step, proof.recovery, stronger)


def _proof_of(candidate: Candidate, code: str) -> Proof | None:
    """Return the proof that the typed code is, an empty one when the account has no second factor, None if wrong."""
    if candidate.totp_secret is None:
        return Proof()
    step = second_factor.step_of(candidate.totp_secret, code, candidate.at)
    if step is not None:
        return Proof(step=step) if step > candidate.totp_last_step else None
    if len(second_factor.normalised(code)) == second_factor.CODE_LENGTH:
        given = second_factor.code_hash(candidate.officer_id, code)
        if any(hmac.compare_digest(given, one) for one in candidate.recovery):
            return Proof(recovery=given)
    return None


def _failed(refusal: Refused, candidate: Candidate | None, origin: Origin) -> Refused:
    officer_id = candidate.officer_id if candidate else None
    refusal.keep = lambda session: count_failure(session, officer_id, origin)
    return refusal


def count_failure(session: Session, officer_id: int | None, origin: Origin) -> None:
    """Count one failure for the account and for the address; each locks for longer every time. （第三十条）"""
    rules = settings().security
    session.execute(
        text("select login_failed(:officer, :address, :shown, :account, :addresses, :lock, :longest)"),
        {
            "officer": officer_id,
            "address": origin.index,
            "shown": origin.address,
            "account": rules.account_tries,
            "addresses": rules.address_tries,
            "lock": timedelta(minutes=rules.lock_minutes),
            "longest": timedelta(minutes=rules.longest_lock_minutes),
        },
    )


def enter(session: Session, candidate: Candidate, proof: Proof, origin: Origin) -> str:
    """Use the proof up, open a session in the officer's first post and return its token. Raises NoPost, LoginWrong."""
    if not _use_up(session, candidate, proof, origin):
        raise LoginWrong
    if proof.stronger_hash is not None:
        session.execute(
            text("select password_upgrade(:officer, :weak, :strong)"),
            {
                "officer": candidate.officer_id,
                "weak": candidate.password_hash,
                "strong": proof.stronger_hash,
            },
        )
    return open_session(session, candidate.officer_id, LoginWay.PASSWORD, proof.factor, origin)


def _use_up(session: Session, candidate: Candidate, proof: Proof, origin: Origin) -> bool:
    """Use the code up, once, whoever is faster; clear the failures."""
    asked = {
        "officer": candidate.officer_id,
        "step": proof.step,
        "recovery": proof.recovery,
        "address": origin.index,
        "tries": settings().security.account_tries,
    }
    use = text("select login_succeeded(:officer, :step, :recovery, :address, :tries)")
    return bool(session.execute(use, asked).scalar_one())


def recheck(candidate: Candidate | None, password: str, code: str | None) -> int | None:
    """Check who sits at the screen before money, policies or personal data move; holds no connection.

    （第二十条、第二十三条、第三十条）
    code: the one-time code, or None when the last proof still holds. Returns its step.
    Raises PasswordWrong (whose `.keep` counts the failure), AccountLocked.
    """
    if candidate is None:
        raise PasswordWrong
    right = hasher().verify(password, candidate.password_hash)
    if candidate.locked:
        assert candidate.locked_until is not None
        raise AccountLocked(until=f"{candidate.locked_until.astimezone(ZONE):%H:%M}")
    step = None
    if code is not None and candidate.totp_secret is not None:
        step = second_factor.step_of(candidate.totp_secret, code, candidate.at)
        right = right and step is not None and step > candidate.totp_last_step
    if not right:
        raise _failed(PasswordWrong(), candidate, Origin())
    return step


def confirm(session: Session, token: str, officer_id: int, step: int | None) -> None:
    """Remember that the person at this session has just proven who they are; a code is used up.

    Raises PasswordWrong.
    """
    used = text("select code_used(:officer, :step)")
    if step is not None and not session.execute(used, {"officer": officer_id, "step": step}).scalar():
        raise PasswordWrong
    asked = {"token": token_hash(token), "by_code": step is not None}
    session.execute(text("select session_confirm(:token, :by_code)"), asked)


def proven_by_code(candidate: Candidate | None, code: str, origin: Origin) -> Proof:
    """Return what the code proves after the provider's word stood for the password.

    Raises CodeWrong, whose `.keep` counts the failure.
    """
    proof = _proof_of(candidate, code) if candidate else None
    if candidate is None or proof is None or candidate.locked or proof.factor == Factor.NONE:
        raise _failed(second_factor.CodeWrong(), candidate, origin)
    return proof


def complete(session: Session, token: str, candidate: Candidate, proof: Proof, origin: Origin) -> str:
    """Use the code up and complete the login under a new token, which is returned. Raises CodeWrong."""
    if not _use_up(session, candidate, proof, origin):
        raise second_factor.CodeWrong
    fresh = fresh_token()
    asked = {"token": token_hash(token), "fresh": token_hash(fresh), "csrf": fresh_token(), "proof": proof.factor}
    if not session.execute(text("select session_prove(:token, :fresh, :csrf, :proof)"), asked).scalar():
        raise second_factor.CodeWrong
    return fresh


def unlock_account(session: Session, *, by: ActingOfficer, login: str) -> None:
    """Clear the failures of another officer's account. （第二十三条） Raises NotAllowed, NotFound."""
    allow(session, by, Permission.OFFICER_RESET)
    if not session.execute(text("select account_unlock(:login)"), {"login": login}).scalar():
        raise NotFound


def unlock_address(session: Session, *, by: ActingOfficer, address: str) -> None:
    """Clear the failures of a network address, which is stored as a blind index only. Raises NotAllowed, NotFound."""
    allow(session, by, Permission.OFFICER_RESET)
    asked = {"address": Origin(address.strip()).index}
    if not session.execute(text("select address_unlock(:address)"), asked).scalar():
        raise NotFound
