"""Reading XML that others made: no entities, no network, bounded, in any namespace or none."""

from collections.abc import Iterator
from datetime import date, datetime
from functools import lru_cache
from io import BytesIO
from typing import Any

from lxml import etree

from integrations.amounts import fen_of
from integrations.errors import Unreadable

MAX_BYTES = 512 * 1024 * 1024


def walk(document: str, content: bytes, *tags: str, schema: Any = None) -> Iterator[Any]:
    """Yield the elements named `tags` (in any namespace) as each ends; the caller clears what it has read.

    document: what the file is, for officers; schema: checked in the same pass when given.
    Raises Unreadable, which names a line but never any content.
    """
    if not content.strip():
        raise Unreadable(document, "文件是空的")
    if len(content) > MAX_BYTES:
        raise Unreadable(document, f"文件超过 {MAX_BYTES // 1024 // 1024} MB")
    parser = etree.iterparse(
        BytesIO(content),
        events=("end",),
        tag=[f"{{*}}{tag}" for tag in tags],
        schema=schema,
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    begun = False
    try:
        for _, element in parser:
            if not begun:
                begun = True
                if element.getroottree().docinfo.doctype:
                    raise Unreadable(document, "文件带有 DTD 声明，出于安全不予读取")
            yield element
    except etree.XMLSyntaxError as wrong:
        raise Unreadable(document, f"第 {wrong.lineno or 1} 行附近的 XML 不完整或不符合格式") from None


def local(element: Any) -> str:
    """Return an element's name without its namespace; "" for an entity."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def parts(element: Any) -> dict[str, Any]:
    """Return an element's children by name (the last of each), in one pass: looking each up costs as much as this."""
    return {one.tag.rpartition("}")[2]: one for one in element if isinstance(one.tag, str)}


def plain(element: Any | None) -> str:
    """Return an element's own text, stripped; "" when there is no element."""
    return (element.text or "").strip() if element is not None else ""


def child(element: Any, name: str) -> Any | None:
    """Return the first child of that name, whatever its namespace."""
    return next(element.iterchildren(f"{{*}}{name}"), None)


def children(element: Any, name: str) -> list[Any]:
    """Return all children of that name, whatever their namespace."""
    return list(element.iterchildren(f"{{*}}{name}"))


def text(element: Any, *path: str) -> str:
    """Return the text at the end of a path of children, stripped; "" when any of them is missing."""
    for name in path:
        element = child(element, name)
        if element is None:
            return ""
    return plain(element)


def amount_fen(element: Any | None, *path: str) -> int | None:
    """Return the amount at the end of a path in fen; None when it is missing, masked or not in CNY."""
    for name in path:
        element = child(element, name) if element is not None else None
    if element is None:
        return None
    if element.get("Ccy", "CNY") != "CNY":
        return None
    try:
        return fen_of(element.text or "")
    except ValueError:
        return None


def day(element: Any | None, *path: str) -> date | None:
    """Return the date at the end of a path: a Dt, a DtTm or the element's own text; None when there is none."""
    for name in path:
        element = child(element, name) if element is not None else None
    if element is None:
        return None
    return _date_of(plain(element) or text(element, "Dt") or text(element, "DtTm"))


@lru_cache(maxsize=1024)
def _date_of(said: str) -> date | None:
    try:
        return datetime.fromisoformat(said).date() if said else None
    except ValueError:
        return None


def drop_previous(element: Any) -> None:
    """Free an element that has been read and the like-named one before it, so that memory stays flat."""
    element.clear(keep_tail=True)
    before = element.getprevious()
    if before is not None and before.tag == element.tag:
        element.getparent().remove(before)
