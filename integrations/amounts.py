"""Amounts at the border: integer fen inside, yuan with two decimals as text outside (DESIGN D6)."""

import re

_YUAN = re.compile(r"([+-]?)(\d{1,16})(?:\.(\d{1,5}))?")


def yuan_text(amount_fen: int) -> str:
    """Return an amount as yuan with two decimals, e.g. 123 → "1.23"."""
    sign = "-" if amount_fen < 0 else ""
    yuan, fen = divmod(abs(amount_fen), 100)
    return f"{sign}{yuan}.{fen:02d}"


def fen_of(text: str) -> int:
    """Return the fen of an amount written as yuan; digits beyond the fen must be zeros.

    Raises ValueError, whose message never repeats the text.
    """
    found = _YUAN.fullmatch(text.strip())
    if found is None:
        raise ValueError("金额不是数字")
    sign, yuan, decimals = found.groups()
    decimals = (decimals or "").ljust(2, "0")
    if decimals[2:].strip("0"):
        raise ValueError("金额小数超过两位")
    amount_fen = int(yuan) * 100 + int(decimals[:2])
    return -amount_fen if sign == "-" else amount_fen
