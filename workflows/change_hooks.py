"""Whom a change of a person concerns beyond the registry: the police check, the townships that reference them.

（第十一条、第十六条第一项）
"""

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from sqlmodel import Session

from models.officers import ActingOfficer


def _verb(module: str, name: str) -> Any:
    return getattr(import_module(module), name, None) if find_spec(module) else None


def check_people(session: Session, ids: Sequence[int], by: ActingOfficer) -> None:
    """Have the police asked about new or corrected people; until they answer nobody is rostered. （第十六条第一项）"""
    verb = _verb("workflows.identity_checks", "check_members")
    if verb is not None and ids:
        verb(session, list(ids), by=by)


def tell_payers(session: Session, ids: Sequence[int], what: str) -> None:
    """Tell the townships that reference these people what has changed where they are kept. （第十一条）"""
    verb = _verb("workflows.virtual_members", "tell_references")
    if verb is not None and ids:
        verb(session, list(ids), what)


def find_paid_after_death(session: Session, ids: Sequence[int]) -> None:
    """Raise a task for each roster that paid for a period after these people's death. （第十六条第一项）"""
    verb = _verb("workflows.identity_checks", "find_paid_after_death")
    if verb is not None:
        verb(session, list(ids))
