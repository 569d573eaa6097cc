"""docs/regulation.md and the articles cited in the code say the same."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
DIGITS = {"零": 0, "一": 1, "二": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9}
CITED = re.compile(r"第([零一二三四五六七八九十、至]+)条")
ROOMS = ("models", "policies", "workflows", "integrations", "reports", "admin", "jobs", "demo")


def number(text: str) -> int:
    """三十八 → 38."""
    tens, _, ones = text.rpartition("十")
    if "十" not in text:
        return DIGITS[text]
    return (DIGITS[tens] if tens else 1) * 10 + (DIGITS[ones] if ones else 0)


def articles_in(text: str) -> set[int]:
    found: set[int] = set()
    for citation in CITED.findall(text):
        for part in citation.split("、"):
            low, _, high = part.partition("至")
            try:
                found |= set(range(number(low), number(high or low) + 1))
            except KeyError:
                continue
    return found


def listed() -> set[int]:
    rows = (ROOT / "docs/regulation.md").read_text().splitlines()
    return {int(m[1]) for row in rows if (m := re.match(r"\| 第 (\d+) 条 \|.*\| implemented", row))}


def cited() -> set[int]:
    return set().union(*(articles_in(path.read_text()) for room in ROOMS for path in (ROOT / room).rglob("*.py")))


def test_every_article_listed_as_implemented_is_cited_in_the_code():
    assert listed() - cited() == set()


def test_every_article_cited_in_the_code_is_listed_as_implemented():
    assert cited() - listed() == set()


def test_article_numbers_are_read_as_an_official_reads_them():
    assert articles_in("（第十六条第三项、第十八条）") == {16, 18}
    assert articles_in("（第六至十条）") == {6, 7, 8, 9, 10}
    assert articles_in("（第三十一、三十三条）") == {31, 33}
