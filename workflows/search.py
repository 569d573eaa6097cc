"""Finding people of the registry as officers look for them: one box that knows what was typed. （第十一条、第三十条）

Numbers are found through their blind index under the row policies. What is found by a part (a name, a village) or by a
rare state goes through `search_people`: no such operator is leakproof, so that function applies the range itself and
returns ids, and their rows are read under the policies like any others (DESIGN D2).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import sqlalchemy as sa
from sqlmodel import Session, col, select

from models.accounts import Account
from models.crypto import account_index, id_index, phone_index
from models.households import Household, Member
from policies.identities import (
    CARD_LENGTHS,
    ID_LENGTH,
    LEGACY_ID_LENGTH,
    half_width,
    id_problem,
    is_valid_id,
    name_key,
    normalise_id,
)

PAGE = 50
LONGEST = 64
SHORTEST_CARD = 10
UNCHECKED = "unchecked"
PHONE = re.compile(r"1\d{10}")
NEARLY_ID = re.compile(r"\d{17}X")
NUMBER_SIGNS = re.compile(r"[\s\-－]+")


class Kind(StrEnum):
    """What a text typed into the box is."""

    NOTHING = "nothing"
    ID = "id"
    PHONE = "phone"
    CARD = "card"
    HOUSEHOLD = "household"
    NAME = "name"


TITLES = {
    Kind.ID: "身份证号", Kind.PHONE: "手机号", Kind.CARD: "一卡通账号", Kind.HOUSEHOLD: "户编号", Kind.NAME: "姓名",
}  # fmt: skip


@dataclass(frozen=True)
class Sought:
    """What is looked for; empty fields don't narrow."""

    typed: str = ""
    village: str = ""
    status: str = ""
    outcome: str = ""

    @property
    def empty(self) -> bool:
        """Tell whether nothing at all is asked."""
        return not (self.typed or self.village or self.status or self.outcome)


@dataclass(frozen=True)
class Place:
    """Where the next page begins: after this one's last row."""

    place: str = ""
    key: str = ""
    id: int = 0


@dataclass(frozen=True, repr=False)
class Hit:
    """One person found, with the household; never printed by accident."""

    member: Member
    household: Household


@dataclass(frozen=True, repr=False)
class Found:
    """One page of what was found."""

    kind: Kind
    hits: list[Hit]
    next: Place | None = None


def tidy(text: str) -> str:
    """Return what was typed without what nobody types on purpose: NUL, outer spaces, more than the box holds."""
    return text.replace("\x00", "").strip()[:LONGEST].strip()


def kind_of(typed: str) -> Kind:
    """Tell what a text is: an ID of 18 or 15 characters, a phone, a card, a household's number, or part of a name.

    An 18-digit text that is no valid ID may be a bank account; a 15-digit one that is a legacy ID is one.
    """
    text = NUMBER_SIGNS.sub("", half_width(typed)).upper()
    if not text:
        return Kind.NOTHING
    if is_valid_id(normalise_id(text)) and len(text) >= LEGACY_ID_LENGTH:
        return Kind.ID
    if not text.isascii():
        return Kind.NAME
    if NEARLY_ID.fullmatch(text):
        return Kind.ID
    if text.isdigit():
        if PHONE.fullmatch(text):
            return Kind.PHONE
        return Kind.CARD if SHORTEST_CARD <= len(text) <= CARD_LENGTHS[-1] + 2 else Kind.HOUSEHOLD
    return Kind.HOUSEHOLD if any(letter.isdigit() for letter in text) else Kind.NAME


def doubt(typed: str) -> str:
    """Return what is wrong with a text that is as long as an identity number and is none; '' otherwise."""
    text = NUMBER_SIGNS.sub("", half_width(typed)).upper()
    looks = len(text) == ID_LENGTH and text[:-1].isascii() and text[:-1].isdigit()
    return id_problem(text) if looks else ""


def find(session: Session, sought: Sought, *, after: Place | None = None, limit: int = PAGE) -> Found:
    """Return one page of the people in the caller's range that fit. （第三十条）"""
    kind = kind_of(sought.typed)
    if kind in (Kind.NAME, Kind.NOTHING):
        return _by_part(session, sought, kind, after or Place(), limit)
    ids = _ids_by_number(session, kind, NUMBER_SIGNS.sub("", half_width(sought.typed)).upper(), limit)
    hits = [hit for hit in _read(session, ids) if _fits(hit, sought)]
    return Found(kind, hits)


def _by_part(session: Session, sought: Sought, kind: Kind, after: Place, limit: int) -> Found:
    rows = session.execute(
        sa.text(
            "select id, place, sort_key from"
            " search_people(:word, :village, :status, :outcome, :place, :key, :id, :most)"
        ),
        {
            "word": name_key(sought.typed), "village": sought.village, "status": sought.status,
            "outcome": sought.outcome, "place": after.place, "key": after.key, "id": after.id, "most": limit + 1,
        },
    ).all()  # fmt: skip
    shown = rows[:limit]
    last = shown[-1] if len(rows) > limit else None
    hits = _read(session, [row.id for row in shown])
    return Found(kind, hits, Place(last.place, last.sort_key, last.id) if last else None)


def _ids_by_number(session: Session, kind: Kind, number: str, limit: int) -> Sequence[int]:
    """Return the people of an exact number: equality is leakproof, so the policies keep their indexes."""
    statement = select(Member.id).where(Member.current)
    if kind == Kind.ID:
        statement = statement.where(Member.id_index == id_index(normalise_id(number)))
    elif kind == Kind.PHONE:
        statement = statement.where(Member.phone_index == phone_index(number))
    elif kind == Kind.CARD:
        held = select(Account.division_code, Account.member_id).where(Account.number_index == account_index(number))
        statement = statement.where(sa.tuple_(col(Member.division_code), col(Member.id)).in_(held))
    else:
        home = select(Household.division_code, Household.id).where(Household.number == number)
        statement = statement.where(sa.tuple_(col(Member.division_code), col(Member.household_id)).in_(home))
    return [found for found in session.exec(statement.order_by(col(Member.id)).limit(limit)) if found is not None]


def _read(session: Session, ids: Sequence[int]) -> list[Hit]:
    """Return the rows of these ids under the policies, in the order of the ids."""
    if not ids:
        return []
    statement = (
        select(Member, Household)
        .join(
            Household,
            (col(Household.division_code) == col(Member.division_code))
            & (col(Household.id) == col(Member.household_id)),
        )
        .where(col(Member.id).in_(ids))
    )
    found = {member.id: Hit(member, household) for member, household in session.exec(statement)}
    return [found[number] for number in ids if number in found]


def _fits(hit: Hit, sought: Sought) -> bool:
    """Tell whether a person found by a number also fits the filters; there are at most a page of them."""
    outcome = str(hit.member.identity_outcome or UNCHECKED)
    return (
        sought.village in hit.household.village
        and sought.status in ("", str(hit.member.status))
        and sought.outcome in ("", outcome)
    )


def villages(session: Session, limit: int = 500) -> list[str]:
    """Return names of villages in the caller's range, for the box that asks for one."""
    rows = session.execute(
        sa.text("select name from (select distinct name from villages limit :most) v order by name"), {"most": limit}
    )
    return list(rows.scalars())


def shown(sought: Sought) -> Sought:
    """Return the conditions as the page may repeat them: a number typed isn't shown again. （第三十条）"""
    personal = kind_of(sought.typed) in (Kind.ID, Kind.PHONE, Kind.CARD)
    return replace(sought, typed="") if personal else sought
