"""Passwords: how they are stored, which are good enough, how they change. （第三十条）

By default a long passphrase that nobody guesses first: no composition, no rotation. Where 等保 demands them,
composition, rotation and history are settings. Argon2id takes its time: never inside a transaction.
"""

import secrets
from collections import Counter
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from models.security import COMPOSITION, Security
from models.settings import settings
from policies.refusals import Refused

COMMON = Path(__file__).parent.parent / "data" / "common_passwords.txt"
LONGEST = 256
SHORTEST_NAME = 4
"""A login of fewer letters may well stand in a password by chance."""
FEWEST_LETTERS = 5
"""How many different characters a password needs: fewer are a pattern."""
KINDS_WANTED = 3


class PasswordTooShort(Refused):
    """新口令至少 {length} 个字符，现有 {given} 个。可以用一句好记的话，中间可有空格。"""

    status_code = 400


class PasswordTooLong(Refused):
    """新口令最多 {longest} 个字符，请缩短后重试。"""

    status_code = 400


class PasswordCommon(Refused):
    """该口令属于常见口令或简单的重复、连续字符，容易被猜中，请另选一个。"""

    status_code = 400


class PasswordNamesOwner(Refused):
    """新口令不能包含您的登录名或姓名，请另选一个。"""

    status_code = 400


class PasswordOneKind(Refused):
    """新口令须包含大写字母、小写字母、数字、符号中的至少 {wanted} 类，现有 {given} 类。"""

    status_code = 400


class PasswordAgain(Refused):
    """新口令不能与现用或最近用过的口令相同，请另选一个。"""

    status_code = 400


class PasswordsDiffer(Refused):
    """两次输入的新口令不一致，请重新输入。"""

    status_code = 400


@lru_cache(maxsize=4)
def _hasher(passes: int, memory_kib: int) -> PasswordHash:
    return PasswordHash((Argon2Hasher(time_cost=passes, memory_cost=memory_kib, parallelism=1),))


def hasher() -> PasswordHash:
    """Return the password hasher; cheaper outside production, where only demo accounts exist."""
    if settings().movable_clock:
        return _hasher(1, 8192)
    rules = settings().security
    return _hasher(rules.argon_passes, rules.argon_memory_kib)


@lru_cache(maxsize=4)
def _nobody(_: PasswordHash) -> str:
    return hasher().hash(secrets.token_hex(16))


def nobody() -> str:
    """Return a hash that belongs to nobody: an unknown login takes as long as a known one."""
    return _nobody(hasher())


def verified(password: str, stored: str) -> tuple[bool, str | None]:
    """Tell whether the password is right, and return its hash anew when the stored one is weaker than today's."""
    return hasher().verify_and_update(password, stored)


@lru_cache(maxsize=1)
def common() -> frozenset[str]:
    """Return the common passwords, lower case."""
    lines = COMMON.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


def require_good(password: str, *, login: str, name: str) -> None:
    """Refuse a password that the rules in force don't allow; never says which part was guessed.

    Raises PasswordTooShort, PasswordTooLong, PasswordCommon, PasswordNamesOwner, PasswordOneKind.
    """
    rules = settings().security
    if len(password) < rules.password_length:
        raise PasswordTooShort(length=rules.password_length, given=len(password))
    if len(password) > LONGEST:
        raise PasswordTooLong(longest=LONGEST)
    folded = password.casefold().strip()
    own = [word for word in (*login.casefold().split("."), login.casefold()) if len(word) >= SHORTEST_NAME]
    if (name and name in password) or any(word in folded for word in own):
        raise PasswordNamesOwner
    if _guessable(folded):
        raise PasswordCommon
    kinds = len(_kinds(password))
    if rules.password_rule == COMPOSITION and kinds < KINDS_WANTED:
        raise PasswordOneKind(wanted=KINDS_WANTED, given=kinds)


def _guessable(folded: str) -> bool:
    """Tell whether the password is on the list, a repetition, a run, or hardly more than one of the list."""
    bare = "".join(letter for letter in folded if letter.isalnum())
    if folded in common() or bare in common() or len(set(folded)) < FEWEST_LETTERS or _is_run(folded):
        return True
    most = Counter(folded).most_common(1)[0][1]
    return most * 2 > len(folded) or _repeats(folded)


def _is_run(text: str) -> bool:
    """Tell whether nearly every character follows its neighbour: 123456789012, abcdefghijkl, and backwards."""
    steps = [(ord(after) - ord(before)) for before, after in zip(text, text[1:], strict=False)]
    runs = max(steps.count(1), steps.count(-1))
    return runs * 4 >= len(steps) * 3


def _repeats(text: str) -> bool:
    """Tell whether a short piece is only written again and again: abcabcabcabc, 13801380138013."""
    return any(text == (text[:size] * len(text))[: len(text)] for size in range(1, len(text) // 2 + 1) if size <= 6)


def _kinds(password: str) -> set[str]:
    tests = (("digit", str.isdigit), ("upper", str.isupper), ("lower", str.islower))
    return {next((kind for kind, is_one in tests if is_one(letter)), "sign") for letter in password}


def require_new(password: str, stored: list[str]) -> None:
    """Refuse a password that is or was the officer's; takes its time. Raises PasswordAgain."""
    if any(hasher().verify(password, one) for one in stored):
        raise PasswordAgain


def expired(changed_at: datetime | None, at: datetime) -> bool:
    """Tell whether the password is older than the setting allows; one of unknown age is."""
    days = settings().security.password_days
    return days > 0 and (changed_at is None or changed_at < at - timedelta(days=days))


def rules_in_words(rules: Security | None = None) -> list[str]:
    """Return the rules in force, as the page tells them."""
    said = rules or settings().security
    told = [f"至少 {said.password_length} 个字符，可用汉字和空格"]
    if said.password_rule == COMPOSITION:
        told.append(f"大写字母、小写字母、数字、符号中至少 {KINDS_WANTED} 类")
    told.append("不含登录名、姓名，不是常见口令或连续、重复的字符")
    if said.password_history:
        told.append(f"与最近 {said.password_history} 次用过的口令不同")
    if said.password_days:
        told.append(f"每 {said.password_days} 天更换一次")
    return told
