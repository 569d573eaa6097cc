"""A change's old and new side by side, masked by the title of each item as everywhere else. （第三十条）"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from admin.fields import EMPTY, MASKS
from models.registry_changes import Attachment, RegistryChange
from workflows.registry_changes import shown_of

OPEN_TITLES = ("权证号", "户编号", "原户编号", "转入户编号", "嘎查村代码")
"""Numbers of land certificates, households and villages: nobody's personal data."""
BY_WORD = (
    ("身份证", "id"), ("证件号", "id"), ("证号", "id"), ("手机", "phone"), ("电话", "phone"), ("账号", "card"),
    ("卡号", "card"), ("住址", "address"), ("地址", "address"),
)  # fmt: skip
OF_PEOPLE = ("姓名", "户主", "成员", "继承人", "监护人", "持有人")
"""What such a title ends with names people."""
"""What the titles of a change's items say about their masks, the first that fits."""
LONG_NUMBER = re.compile(r"(?<![0-9A-Za-z])\d{11,}[Xx]?")
NAMES = re.compile(r"[^、，,；;\s]+")
NOTE = re.compile(r"[（(:：].*$")


@dataclass(frozen=True)
class Item:
    """One item of a change."""

    title: str
    old: str
    new: str
    changed: bool


def mask_of(title: str) -> str:
    """Return the mask of an item by its title; '' when it is nobody's personal data."""
    if title in OPEN_TITLES:
        return ""
    return "name" if title.endswith(OF_PEOPLE) else next((mask for word, mask in BY_WORD if word in title), "")


def masked(title: str, text: str) -> str:
    """Return an item's text masked; a number as long as an ID or account is masked whatever the title says."""
    mask = mask_of(title)
    if mask == "name":
        text = NAMES.sub(lambda found: _name(found[0]), text)
    elif mask:
        return MASKS[mask](text)
    return LONG_NUMBER.sub(lambda found: MASKS["id"](found[0]), text) if title not in OPEN_TITLES else text


def _name(word: str) -> str:
    """Return one name of several masked, with what stands in brackets behind it."""
    note = NOTE.search(word)
    name = word[: note.start()] if note else word
    return f"{MASKS['name'](name)}{note[0] if note else ''}"


def items(before: Mapping[str, Any], after: Mapping[str, Any], show: Callable[[str, str], str] = masked) -> list[Item]:
    """Return the items of a change, those that change first; `show` says how a value is shown."""
    titles = [*after, *(title for title in before if title not in after)]
    found = [
        Item(
            title,
            show(title, str(before[title])) if before.get(title) else EMPTY,
            show(title, str(after[title])) if after.get(title) else EMPTY,
            title in after and before.get(title) != after[title],
        )
        for title in titles
    ]
    return sorted(found, key=lambda item: not item.changed)


def compared(change: RegistryChange) -> list[Item]:
    """Return a change's items as its page shows them."""
    return items(shown_of(change.before), shown_of(change.after))


def plain(_: str, text: str) -> str:
    """Return a value in full: only where the reveal has been recorded. （第三十条）"""
    return text


def size_text(size: int) -> str:
    """Return a file's size as people say it."""
    return f"{size / 1024 / 1024:.1f} MB" if size >= 1024 * 1024 else f"{max(1, size // 1024)} KB"


def labels(documents: Sequence[Attachment]) -> list[tuple[str, str]]:
    """Return the choices of documents: number → kind, type and size; names of files may hold names of people."""
    words = {"image/jpeg": "照片", "image/png": "图片", "application/pdf": "PDF"}
    return [
        (str(one.id), f"{one.kind.label}（{words.get(one.media_type, '文件')}，{size_text(one.size)}）")
        for one in documents
    ]
