"""The second factor: one-time codes by an authenticator app, and recovery codes for the day the phone is lost.

（第二十三条、第三十条） The QR code is drawn here; the secret leaves this program on the officer's own page only.
"""

import hmac
import secrets
from datetime import datetime
from hashlib import sha256

import pyotp
import segno
from sqlalchemy import text
from sqlmodel import Session

from models.crypto import EnvelopeBroken, ring
from models.organisations import OrganisationKind
from models.security import EVERYONE
from models.settings import settings
from policies.enforcement import policy
from policies.refusals import Refused

TOTP_PERIOD = 30
ISSUER = "一卡通"
CODES = 10
CODE_LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
CODE_LENGTH = 16
"""80 bits: a hash of it can't be searched through."""
READ = "view"


class CodeWrong(Refused):
    """动态口令不正确或已使用过。请核对验证器上的时间，等显示新的 6 位数字后再输入。"""

    status_code = 400


class EnrolmentStale(Refused):
    """绑定页面已过期，请重新打开绑定页面，扫描新的二维码。"""

    status_code = 409


def step_of(secret: str, code: str, at: datetime) -> int | None:
    """Return the step whose one-time code was typed, used or not; None when it is nobody's. Half a minute of drift."""
    totp = pyotp.TOTP(secret, interval=TOTP_PERIOD)
    now = totp.timecode(at)
    found = None
    for step in (now, now - 1, now + 1):
        if hmac.compare_digest(totp.generate_otp(step).encode(), code.strip().encode()):
            found = step
    return found


def new_secret() -> str:
    """Return a fresh secret of 160 bits."""
    return pyotp.random_base32()


def address_of(secret: str, login: str) -> str:
    """Return what the QR code says to the authenticator app."""
    return pyotp.TOTP(secret, name=login, issuer=ISSUER, interval=TOTP_PERIOD).provisioning_uri()


def drawn(address: str) -> str:
    """Return the QR code as an image that stands in the page itself: nothing is asked outside."""
    return segno.make(address, error="m", micro=False).png_data_uri(scale=5, border=4)


def grouped(letters: str) -> str:
    """Return a secret or a code in groups of four, as people type it."""
    return " ".join(letters[start : start + 4] for start in range(0, len(letters), 4))


def sealed_for(secret: str, session_id: int) -> str:
    """Return the secret as the enrolment form carries it: sealed, and for this session only."""
    return ring().seal(f"{session_id}|{secret}").hex()


def unsealed(envelope: str, session_id: int) -> str:
    """Return the secret of an enrolment form. Raises EnrolmentStale."""
    try:
        owner, _, secret = ring().open(bytes.fromhex(envelope)).partition("|")
    except (ValueError, EnvelopeBroken) as broken:
        raise EnrolmentStale from broken
    if owner != str(session_id) or not secret:
        raise EnrolmentStale
    return secret


def new_codes() -> list[str]:
    """Return ten recovery codes; shown once, stored as hashes."""
    return ["".join(secrets.choice(CODE_LETTERS) for _ in range(CODE_LENGTH)) for _ in range(CODES)]


def normalised(code: str) -> str:
    """Return a recovery code as it is hashed, however it was typed."""
    return "".join(letter for letter in code.upper() if letter.isalnum())


def code_hash(officer_id: int, code: str) -> bytes:
    """Return what is stored of a recovery code."""
    return sha256(f"recovery\x00{officer_id}\x00{normalised(code)}".encode()).digest()


def required(session: Session, posts: list[tuple[str, str, str]]) -> bool:
    """Tell whether an officer of these posts (role, level, kind) needs a second factor. （第二十三条）

    Whoever can change data does; whoever only reads, if the setting says so.
    """
    if settings().security.second_factor == EVERYONE:
        return True
    rules = policy(session)
    return any(
        word.partition(":")[2] != READ
        for role, level, kind in posts
        for word in rules.permissions(role, level, OrganisationKind(kind))
    )


def enrol(session: Session, hashes: tuple[bytes, bytes], csrf: str, secret: str, step: int, codes: list[bytes]) -> bool:
    """Bind the authenticator app whose code has just been checked; the session goes on under a new token.

    hashes: of the session's token and of the one that replaces it.
    """
    done = session.execute(
        text("select factor_confirm(:token, :fresh, :csrf, :secret, :step, :codes)"),
        {
            "token": hashes[0],
            "fresh": hashes[1],
            "csrf": csrf,
            "secret": ring().seal(secret),
            "step": step,
            "codes": codes,
        },
    ).scalar_one()
    return bool(done)


def renew_codes(session: Session, token_hash: bytes, codes: list[bytes]) -> bool:
    """Replace the recovery codes: the former ones are void."""
    asked = {"token": token_hash, "codes": codes}
    return bool(session.execute(text("select recovery_renew(:token, :codes)"), asked).scalar_one())
