"""A person kept in one county and paid in another, for the tests of virtual households and transfers."""

from typing import Any

from sqlmodel import Session

from models.accounts import Account
from models.households import Household, Member
from models.transfers import Transfer
from models.virtual_members import VirtualMember
from tests.conftest import As, Owner
from tests.factories import World, a_household, a_member, again, an_account
from workflows import transfers, virtual_members

ADDRESS, PHONE = "呼格吉勒巷甲七号", "13947600431"
CARD, ID_NUMBER = "6217371522520431006", "152522197803120412"
NAME = "孛儿只斤·额尔敦"


def a_stranger(session: Session, world: World, **fields: Any) -> Member:
    """Register a person with a verified card in the township of the other county."""
    home = a_household(
        session, world, township=world.other_county.township.division_code, head_name=NAME, address=ADDRESS
    )
    member = a_member(session, world, home, id_number=ID_NUMBER, phone=PHONE, **fields)
    an_account(session, member, number=CARD)
    return member


def kept_elsewhere(world: World, owner: Owner, **fields: Any) -> Member:
    """Register the stranger, committed."""
    with owner() as session:
        return a_stranger(session, world, **fields)


def referenced(world: World, as_: As, id_number: str = ID_NUMBER, project: int | None = None) -> VirtualMember:
    """Bring a reference of the first township into force: proposed by the clerk, approved by the head."""
    with as_(world.township.clerk) as session:
        record = virtual_members.propose(
            session, by=world.township.clerk, id_number=id_number, reason="在本地承包草场", project=project
        )
    with as_(world.township.head) as session:
        return virtual_members.approve(session, again(session, record), by=world.township.head)


def asked_for(world: World, as_: As, id_number: str = ID_NUMBER, **fields: Any) -> Transfer:
    """Ask for a person, with the consent of the receiving township's head."""
    with as_(world.township.clerk) as session:
        record = transfers.request(session, by=world.township.clerk, id_number=id_number, reason="已迁来居住", **fields)
    with as_(world.township.head) as session:
        return transfers.approve(session, again(session, record), by=world.township.head)


def other_side(session: Session, record: Transfer) -> Transfer:
    """Return the keeper's record of a transfer."""
    return session.get_one(Transfer, record.pair_id, populate_existing=True)


__all__ = ["Account", "Household"]
