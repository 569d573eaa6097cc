"""List the code that cites an article of the regulation: `python scripts/article.py 18`."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
ROOMS = ("policies", "workflows", "reports", "integrations", "models", "admin", "jobs", "demo")
DIGITS = "〇一二三四五六七八九"
LAST_ARTICLE = 38


def chinese(number: int) -> str:
    """Return a number below 100 as the regulation writes it: 十八, 二十, 三十一."""
    tens, ones = divmod(number, 10)
    head = ("" if tens == 1 else DIGITS[tens]) + "十" if tens else ""
    return head + (DIGITS[ones] if ones else "")


def citations(number: int) -> list[tuple[str, int, str]]:
    """Return (file, line, text) of every line that cites the article, also inside lists (第十九、二十条)."""
    listed = re.compile(r"第([〇一二三四五六七八九十、至]+)条")
    found = []
    for path in sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py")):
        for line, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if any(number in _numbers(match) for match in listed.findall(text)):
                found.append((str(path.relative_to(ROOT)), line, text.strip()))
    return found


def _numbers(listed: str) -> set[int]:
    values = {chinese(number): number for number in range(1, LAST_ARTICLE + 1)}
    found: set[int] = set()
    for part in listed.split("、"):
        first, _, last = part.partition("至")
        if first in values:
            found |= set(range(values[first], values.get(last, values[first]) + 1))
    return found


def main() -> int:
    """Print the citations of the article given on the command line."""
    given = sys.argv[1] if len(sys.argv) == 2 else ""
    if not given.isdigit() or not 1 <= int(given) <= LAST_ARTICLE:
        print(f"用法：make article N=18（1–{LAST_ARTICLE}）", file=sys.stderr)
        return 2
    found = citations(int(given))
    print(f"第{chinese(int(given))}条：{len(found)} 处")
    for path, line, text in found:
        print(f"  {path}:{line}  {text}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
