"""What the outside knows, as one file for the sandboxes: people, bank accounts, agent accounts, indicators.

One JSON object a line, its `kind` first. The police know everybody of the registry, a few of them otherwise than we
do; the banks know the accounts, a few of them not; the budget system knows the indicators of both counties.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.people import (
    AGRICULTURAL,
    ALLOWANCE,
    COUNTY,
    GRASSLAND,
    LAND,
    RURAL_CREDIT,
    SECOND_COUNTY,
    Bank,
    Card,
    Population,
)
from policies.identities import luhn_digit

FILE = "world.jsonl"
FISCAL_YEAR = 2026
HOT_TOPIC, OTHER_TOPIC = "惠民惠农财政补贴资金", "“三保”支出"
COUNTY_NAMES = {COUNTY: "敖汉旗", SECOND_COUNTY: "阿巴嘎旗"}


@dataclass(frozen=True)
class DemoAgentAccount:
    """A county's agent account (代发户) at one of the two agent banks."""

    county_code: str
    bank: Bank
    serial: int

    @property
    def name(self) -> str:
        """Return the account's name."""
        return f"{COUNTY_NAMES[self.county_code]}财政局惠民惠农补贴资金代发户"

    @property
    def number(self) -> str:
        """Return the account's number: fictitious, 19 digits with a check digit, no card."""
        body = f"05{self.county_code[:6]}{self.bank.prefix}{self.serial:07d}"
        return body + luhn_digit(body)


AGENT_ACCOUNTS = tuple(
    DemoAgentAccount(county, bank, number)
    for number, (county, bank) in enumerate(
        ((COUNTY, RURAL_CREDIT), (COUNTY, AGRICULTURAL), (SECOND_COUNTY, RURAL_CREDIT), (SECOND_COUNTY, AGRICULTURAL)),
        1,
    )
)


@dataclass(frozen=True)
class Link:
    """A budget project that pays a subsidy project in a county, with the indicator it has in the budget system."""

    county_code: str
    project_code: str
    priority: int
    title: str
    amount_yuan: str
    document: str

    @property
    def pro_code(self) -> str:
        """Return the budget project's 21 characters: division, year, and what is opaque."""
        return f"{self.county_code[:6]}{FISCAL_YEAR % 100}{self.project_code}{self.priority:06d}"


LINKS = (
    Link(COUNTY, LAND, 1, "中央耕地地力保护补贴资金", "2600000.00", "赤财农指〔2026〕31号"),
    Link(COUNTY, LAND, 2, "自治区耕地地力保护补贴资金", "1800000.00", "赤财农指〔2026〕46号"),
    Link(COUNTY, GRASSLAND, 1, "草原生态保护补助奖励资金", "900000.00", "赤财农指〔2026〕52号"),
    Link(COUNTY, ALLOWANCE, 1, "困难群众救助补助资金", "1200000.00", "赤财社指〔2026〕18号"),
    Link(SECOND_COUNTY, LAND, 1, "中央耕地地力保护补贴资金", "100000.00", "锡财农指〔2026〕12号"),
    Link(SECOND_COUNTY, GRASSLAND, 1, "草原生态保护补助奖励资金", "2500000.00", "锡财农指〔2026〕27号"),
    Link(SECOND_COUNTY, ALLOWANCE, 1, "困难群众救助补助资金", "300000.00", "锡财社指〔2026〕9号"),
)
"""The land subsidy of 敖汉旗 needs both of its indicators: the first one does not suffice."""

UPSTREAM = (
    ("150400000", "内财农指〔2026〕88号", LAND, "耕地地力保护补贴资金", "9000000.00", "4400000.00"),
    ("150400000", "内财农指〔2026〕95号", GRASSLAND, "草原生态保护补助奖励资金", "900000.00", "900000.00"),
    ("152500000", "内财农指〔2026〕95号", GRASSLAND, "草原生态保护补助奖励资金", "6000000.00", "2500000.00"),
)
"""What two leagues received: document, subsidy, amount, and how much of it they have distributed; the rest rests."""

ECONOMIC = {
    LAND: ("2130122", "50903", "30310", "045001"),
    GRASSLAND: ("2130135", "50903", "30310", "045001"),
    ALLOWANCE: ("2081902", "50901", "30305", "032001"),
}
"""Functional class, economic class of the government and of the department, budget unit."""


def write_world(file: Path, people: Population) -> None:
    """Write the world for the sandboxes; whole or the former one, and readable by its owner only."""
    half = file.with_suffix(".half")
    half.unlink(missing_ok=True)
    descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        for row in world(people):
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")
    half.replace(file)


def world(people: Population) -> Iterator[dict[str, Any]]:
    """Yield what the outside knows, one object at a time."""
    yield from _persons(people)
    yield from _accounts(people)
    for account in AGENT_ACCOUNTS:
        yield {
            "kind": "agent_account",
            "number": account.number,
            "name": account.name,
            "bank_code": account.bank.cnaps[account.county_code],
            "division_code": account.county_code,
        }
    for number, link in enumerate(LINKS, 1):
        yield _indicator(link, number, HOT_TOPIC)
    for number, (division, document, code, title, amount, passed_on) in enumerate(UPSTREAM, 901):
        link = Link(f"{division}000", code, 1, title, amount, document)
        yield _indicator(link, number, HOT_TOPIC) | {"DIS_AMT": passed_on, "SUP_BGT_DOC_NO": ""}
    yield _indicator(
        Link(COUNTY, LAND, 9, "农业生产发展资金（项目管理）", "5000000.00", "赤财农指〔2026〕60号"), 99, OTHER_TOPIC
    )


def _persons(people: Population) -> Iterator[dict[str, Any]]:
    for home in people.homes:
        for person in home.people:
            yield {
                "kind": "person",
                "id_number": person.id_number,
                "name": person.police_name or person.name,
                "died_on": person.died_on.isoformat() if person.died_on else None,
            }


def _accounts(people: Population) -> Iterator[dict[str, Any]]:
    held = [person.card for home in people.homes for person in home.people if person.card]
    spare = [peculiar.spare for peculiar in people.peculiar.values() if peculiar.spare]
    known: dict[str, Card] = {}
    for card in (*held, *spare):
        if card.bank_status:
            known.setdefault(card.number, card)
    for card in known.values():
        yield {
            "kind": "account",
            "number": card.number,
            "holder_name": card.holder,
            "holder_id": card.holder_id,
            "bank_code": card.bank_code,
            "status": card.bank_status,
            "is_card": card.is_card,
        }


def _indicator(link: Link, number: int, topic: str) -> dict[str, Any]:
    function, government, department, agency = ECONOMIC[link.project_code]
    return {
        "kind": "indicator",
        "BGT_ID": f"{link.county_code[:6]}{FISCAL_YEAR}{number:022d}",
        "MOF_DIV_CODE": link.county_code[:9],
        "FISCAL_YEAR": FISCAL_YEAR,
        "COR_BGT_DOC_NO": link.document,
        "BGT_DOC_TITLE": f"关于下达{FISCAL_YEAR}年{link.title}预算的通知",
        "DOC_DATE": f"{FISCAL_YEAR}-04-15",
        "BGT_DEC": link.title,
        "SUP_BGT_DOC_NO": next(
            (one[1] for one in UPSTREAM if one[0][:4] == link.county_code[:4] and one[2] == link.project_code), ""
        ),
        "PRO_CODE": link.pro_code,
        "PRO_NAME": link.title,
        "HOT_TOPIC_CATE_NAME": topic,
        "AGENCY_CODE": agency,
        "FUND_TYPE_CODE": "111",
        "EXP_FUNC_CODE": function,
        "GOV_BGT_ECO_CODE": government,
        "DEP_BGT_ECO_CODE": department,
        "AMOUNT": link.amount_yuan,
        "DIS_AMT": "0.00",
        "CUR_AMT": link.amount_yuan,
        "PAY_APP_AMT": "0.00",
        "UPDATE_TIME": f"{FISCAL_YEAR}-04-15 09:00:00",
        "IS_DELETED": "2",
    }
