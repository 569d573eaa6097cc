"""The peculiar people of the demo, all in one list: each makes one rule fire or one case of Article 21 happen.

What the registry, the police and the banks say of them differs here on purpose. Those "after the check" are in order
when they are checked; the story (or a newcomer, through the sandbox's control) changes them at the bank afterwards.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from demo.names import LONG_NAMES, MONGOLIAN, RARE_NAMES
from demo.people import Card, Home, Peculiar, Population

EXTRA_AREA = Decimal("6.500")
"""By how much the roster of the land subsidy exceeds the contracted area of `area_above_contract`."""

NAMESAKE = "王秀兰"
PASSBOOK = "10430207788000123"

Spare = Callable[[Home], Card]
Change = Callable[[Home], Home]


def _head(home: Home, **facts: Any) -> Home:
    return replace(home, people=(replace(home.head, **facts), *home.people[1:]))


def _card(home: Home, **facts: Any) -> Home:
    card = home.head.card
    return _head(home, card=replace(card, **facts) if card is not None else None)


def _named(home: Home, name: str) -> Home:
    renamed = _head(home, name=name)
    return _card(renamed, holder=name)


def _other_name(name: str) -> str:
    return name[:-1] + ("祥" if name[-1] != "祥" else "翔")


LIST: tuple[tuple[str, str, int, Change], ...] = (
    # fmt: off
    ("dead_before_period", "公安核查：所属期前已死亡（红灯）", 11, lambda h: _head(h, died_on=date(2025, 3, 18))),
    ("name_mismatch", "公安核查：姓名不一致（红灯）", 37, lambda h: _head(h, police_name=_other_name(h.head.name))),
    ("closed_account", "银行验证：已销户（红灯）", 58, lambda h: _card(h, bank_status="closed")),
    ("unknown_account", "银行验证：账户不存在（红灯）", 83, lambda h: _card(h, bank_status="")),
    ("unverified_account", "账户已登记、尚未验证，核查时验证通过", 104, lambda h: _card(h, verified=False)),
    ("shared_account", "与同名的另一户共用账号（黄灯）", 139, lambda h: _named(h, NAMESAKE)),
    (
        "shared_account_namesake",
        "误登同名者账号（黄灯；银行：证件不符，红灯）",
        619,
        lambda h: _named(h, NAMESAKE),
    ),
    ("area_above_contract", "清册面积超过承包面积（黄灯）", 149, lambda h: h),
    (
        "no_card",
        "存量对象用存折，未用社会保障卡（蓝灯）",
        172,
        lambda h: _card(h, number=PASSBOOK, is_card=False),
    ),
    ("no_phone", "没有手机号（蓝灯）", 195, lambda h: _head(h, phone="")),
    ("closes_after_check", "核查后销户：更正账户后补发（第二十一条第一项）", 218, lambda h: h),
    ("unreachable_after_check", "核查后销户且无法联系：移出清册（第二十一条第一项）", 241, lambda h: h),
    ("dormant_after_check", "核查后成为不动户：激活后补发（第二十一条第二项）", 264, lambda h: h),
    ("dies_after_check", "核查后死亡：移出清册并退款（第二十一条第三项）", 287, lambda h: h),
    ("added_this_year", "当年新增对象，用社会保障卡", 310, lambda h: _head(h, added_on=date(2026, 2, 10))),
    # fmt: on
)
"""Key, what it is, the place of the household in 长胜镇, and what is changed about it."""

WITH_SPARE = (
    "closed_account",
    "unknown_account",
    "shared_account_namesake",
    "closes_after_check",
    "dormant_after_check",
)
LONG_NAMES_FROM, RARE_NAMES_FROM = 1702, 401
"""Where the long names (敖润苏莫苏木) and the rare characters (长胜镇) begin."""


def set_apart(homes: Sequence[Home], spare: Spare) -> Population:
    """Return the population in which the households of the list are what they are said to be."""
    changed = list(homes)
    for _, _, place, change in LIST:
        changed[place] = change(changed[place])
    for number, name in enumerate(RARE_NAMES):
        changed[RARE_NAMES_FROM + number] = _named(changed[RARE_NAMES_FROM + number], name)
    for number, name in enumerate(LONG_NAMES):
        place = LONG_NAMES_FROM + number
        changed[place] = _named(_head(changed[place], ethnicity=MONGOLIAN), name)
    places = {key: place for key, _, place, _ in LIST}
    shared = changed[places["shared_account"]].head.card
    changed[places["shared_account_namesake"]] = _head(changed[places["shared_account_namesake"]], card=shared)
    peculiar = {
        key: Peculiar(key, title, changed[place].number, spare(changed[place]) if key in WITH_SPARE else None)
        for key, title, place, _ in LIST
    }
    return Population(tuple(changed), peculiar)
