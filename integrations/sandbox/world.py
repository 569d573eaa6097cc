"""The world file: one JSON object a line, from which each sandbox takes what it knows."""

import json
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

_DOTS = str.maketrans("・•．‧∙", "·····")


def lines_of(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a world file."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.strip():
                yield json.loads(line)


def of_kind(lines: Iterable[Mapping[str, Any]], *kinds: str) -> list[Mapping[str, Any]]:
    """Return the lines of these kinds."""
    return [line for line in lines if line["kind"] in kinds]


def same_name(one: str, other: str) -> bool:
    """Tell whether two names are the same person's: NFC, one kind of ·, no spaces (DOMAIN section 6)."""
    return _plain(one) == _plain(other)


def _plain(name: str) -> str:
    return "".join(unicodedata.normalize("NFC", name).translate(_DOTS).split())
