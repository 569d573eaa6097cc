"""Amounts of money in capital numerals (大写), as vouchers and slips write them: no one can alter them by a stroke."""

DIGITS = "零壹贰叁肆伍陆柒捌玖"
PLACES = ("", "拾", "佰", "仟")
GROUPS = ("", "万", "亿", "万亿")
GROUP = 10_000


def capitals(amount_fen: int) -> str:
    """Return an amount in capital numerals: 壹仟零伍元叁角整, 零元整, 负贰元伍分."""
    yuan, fen = divmod(abs(amount_fen), 100)
    sign = "负" if amount_fen < 0 else ""
    jiao, rest = divmod(fen, 10)
    told = f"{_whole(yuan)}元" if yuan or not fen else ""
    if jiao:
        told += f"{DIGITS[jiao]}角"
    elif rest and yuan:
        told += "零"
    return sign + told + (f"{DIGITS[rest]}分" if rest else "整")


def _whole(number: int) -> str:
    """Return a whole number of yuan."""
    if number == 0:
        return "零"
    told, group, gap = "", 0, False
    while number:
        number, part = divmod(number, GROUP)
        if part:
            told = _four(part) + GROUPS[group] + ("零" if gap and told else "") + told
            gap = part < GROUP // 10
        elif told:
            gap = True
        group += 1
    return told


def _four(part: int) -> str:
    """Return four digits: a run of zeros between others is one 零."""
    told, gap = "", False
    for place, digit in reversed(list(enumerate(int(sign) for sign in reversed(str(part))))):
        if digit:
            told += ("零" if gap else "") + DIGITS[digit] + PLACES[place]
            gap = False
        else:
            gap = bool(told)
    return told
