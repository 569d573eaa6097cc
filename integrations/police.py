"""The police's network check of identities. （第十一条、第十六条第一项）"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from integrations import transport
from models.households import IdentityOutcome

CHUNK = 1000
"""How many people one request carries at most."""


@dataclass(frozen=True)
class PersonQuery:
    """One person to be checked; `reference` is ours (a line's or member's id) and comes back with the answer."""

    reference: str
    name: str
    id_number: str


@dataclass(frozen=True)
class PersonAnswer:
    """What the police know of one person; `died_on` may be missing even for the dead."""

    reference: str
    outcome: IdentityOutcome
    died_on: date | None


def check_people(people: Sequence[PersonQuery]) -> list[PersonAnswer]:
    """Ask the police about people, in the order given; asking again changes nothing. （第十六条第一项）

    Raises Unavailable when they can't be reached, Rejected when they refuse the request.
    """
    answers: list[PersonAnswer] = []
    for start in range(0, len(people), CHUNK):
        asked = people[start : start + CHUNK]
        body = {"people": [{"reference": p.reference, "name": p.name, "id_number": p.id_number} for p in asked]}
        told = transport.police().read("POST", "/people/check", body).json()["answers"]
        answers += [_answer(one) for one in told]
    return answers


def _answer(told: dict[str, Any]) -> PersonAnswer:
    died_on = told["died_on"]
    return PersonAnswer(
        reference=str(told["reference"]),
        outcome=IdentityOutcome(told["outcome"]),
        died_on=date.fromisoformat(died_on) if died_on else None,
    )
