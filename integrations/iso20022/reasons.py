"""Why a payment failed: the bank's code, proprietary word or free text → the class that Article 21 routes by."""

import re
from enum import StrEnum


class FailureClass(StrEnum):
    """The classes of failed payments; each has a way to go. （第二十一条）"""

    INVALID = "invalid"
    CLOSED = "closed"
    FROZEN = "frozen"
    LOST_CARD = "lost_card"
    DORMANT = "dormant"
    NAME_DIFFERS = "name_differs"
    LIMIT = "limit"
    AGENT_SHORT = "agent_short"
    DUPLICATE = "duplicate"
    DEAD = "dead"
    WRONG_KIND = "wrong_kind"
    BANK_CODE = "bank_code"
    UNSPECIFIED = "unspecified"


CODES: dict[str, FailureClass] = {
    "AC01": FailureClass.INVALID,
    "AC03": FailureClass.INVALID,
    "AC04": FailureClass.CLOSED,
    "AC07": FailureClass.CLOSED,
    "AC06": FailureClass.FROZEN,
    "AC14": FailureClass.WRONG_KIND,
    "AG01": FailureClass.DORMANT,
    "AM02": FailureClass.LIMIT,
    "AM14": FailureClass.LIMIT,
    "AM04": FailureClass.AGENT_SHORT,
    "AM05": FailureClass.DUPLICATE,
    "BE01": FailureClass.NAME_DIFFERS,
    "MD07": FailureClass.DEAD,
    "RC01": FailureClass.BANK_CODE,
    "DORMANT": FailureClass.DORMANT,
    "LOST": FailureClass.LOST_CARD,
}

# The first that fits wins: a text that names two causes follows the graver one.
WORDS: tuple[tuple[re.Pattern[str], FailureClass], ...] = (
    (re.compile("死亡|身故|已故|失踪|deceased", re.IGNORECASE), FailureClass.DEAD),
    (re.compile("挂失|lost", re.IGNORECASE), FailureClass.LOST_CARD),
    (re.compile("冻结|止付|查封|blocked|frozen", re.IGNORECASE), FailureClass.FROZEN),
    (re.compile("不动户|未激活|休眠|睡眠|久悬|dormant", re.IGNORECASE), FailureClass.DORMANT),
    (re.compile("销户|注销|已关户|closed", re.IGNORECASE), FailureClass.CLOSED),
    (re.compile("(户名|姓名|名称)[^，。；]*(不符|不一致|不匹配|有误|错误)"), FailureClass.NAME_DIFFERS),
    (re.compile("限额|超限"), FailureClass.LIMIT),
    (re.compile("(余额|头寸)[^，。；]*不足"), FailureClass.AGENT_SHORT),
    (re.compile("重复"), FailureClass.DUPLICATE),
    (re.compile("账户(类型|类别|性质)|卡种"), FailureClass.WRONG_KIND),
    (re.compile("联行号|行号"), FailureClass.BANK_CODE),
    (re.compile("(账号|账户|卡号)[^，。；]*(不存在|无效|有误|错误)|无此(账|户|卡)"), FailureClass.INVALID),
)


def failure_class(code: str, proprietary: str = "", text: str = "") -> FailureClass:
    """Return the class of a failure; what nobody can place is unspecified and goes to the exceptions desk."""
    code, word = code.strip().upper(), proprietary.strip().upper()
    if code == "AC06" and (word == "LOST" or "挂失" in text):
        return FailureClass.LOST_CARD
    found = CODES.get(code) or CODES.get(word)
    if found is not None:
        return found
    said = f"{proprietary} {text}"
    return next((kind for pattern, kind in WORDS if pattern.search(said)), FailureClass.UNSPECIFIED)
