"""Changes of the registry in tests: proposed by a township's clerk, agreed to by its head."""

from collections.abc import Callable
from typing import Any

from sqlmodel import Session

from models.households import Household, Member
from models.registry_changes import RegistryChange
from tests.conftest import As
from tests.factories import Office, World, a_household, a_member, again
from workflows import changes_assets, changes_households, changes_people, registry_changes
from workflows.attachments import Evidence

__all__ = ["PAPER", "agree", "changes_assets", "changes_households", "changes_people", "do", "do_as", "family"]

Verb = Callable[..., RegistryChange]
PAPER = Evidence("证明.pdf", b"%PDF-1.7\n1 0 obj\n%%EOF")
ON_PAPER = {
    "new_household", "new_member", "correct_identity", "register_death", "register_missing", "restore", "merge_person",
}  # fmt: skip
"""The verbs that nobody may take without a document."""


def do(session: Session, office: Office, verb: Verb, record: Any = None, **asked: Any) -> RegistryChange:
    """Propose by the clerk and agree by the head, in one session."""
    records = () if record is None else (record,)
    change = verb(session, *records, by=office.clerk, **_default(verb) | asked)
    return agree(session, office, change)


def _default(verb: Verb) -> dict[str, Any]:
    return {"reason": "群众申请"} | ({"evidence": (PAPER,)} if verb.__name__ in ON_PAPER else {})


def agree(session: Session, office: Office, change: RegistryChange) -> RegistryChange:
    """Agree as the head."""
    return registry_changes.approve(session, change, by=office.head)


def do_as(as_: As, office: Office, verb: Verb, record: Any = None, **asked: Any) -> RegistryChange:
    """Propose and agree in two committed transactions of the application's role."""
    with as_(office.clerk) as session:
        records = () if record is None else (session.get_one(type(record), record.id),)
        change = verb(session, *records, by=office.clerk, **_default(verb) | asked)
    with as_(office.head) as session:
        return agree(session, office, session.get_one(RegistryChange, change.id))


def family(session: Session, world: World, *relations: str) -> tuple[Household, list[Member]]:
    """Make a household: a head, and one person of each relation."""
    home = a_household(session, world)
    people = [a_member(session, world, home)]
    people += [a_member(session, world, home, relation=code, name=f"家人{code}") for code in relations]
    return home, people


def fresh(session: Session, record: Any) -> Any:
    """Return a record as it now stands."""
    return again(session, record)
