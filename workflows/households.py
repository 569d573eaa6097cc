"""The registry as officers read it: people, property, and the reveal of what is masked. （第十一、三十条）"""

from dataclasses import dataclass

from sqlmodel import Session, col, select

from models.accounts import Account
from models.households import Asset, Household, Member
from models.officers import ActingOfficer
from models.rosters import RosterLine
from policies.enforcement import allow
from policies.moves import record_event
from policies.permissions import Permission
from policies.refusals import ReasonMissing

SHOWN_LINES = 100


@dataclass(frozen=True, repr=False)
class Revealed:
    """What stands behind the masks of one person; shown once, never stored, never printed by accident."""

    name: str
    id_number: str
    phone: str
    address: str


def reveal(session: Session, member: Member, *, by: ActingOfficer, reason: str) -> Revealed:
    """Show a person's full particulars for a stated reason, and record that they were shown. （第三十条）

    Raises ReasonMissing without a reason.
    """
    allow(session, by, Permission.MEMBER_REVEAL, member)
    if not reason.strip():
        raise ReasonMissing(step="查看完整身份信息", field="查看原因")
    address = session.exec(
        select(Household.address).where(
            Household.division_code == member.division_code, Household.id == member.household_id
        )
    ).one()
    shown = Revealed(member.name, member.id_number, member.phone or "", address)
    facts = {"fields": ["name", "id_number", "phone", "address"]}
    record_event(
        session, member, "reveal", by=by, label="查看完整身份信息", noun="member", opinion=reason.strip(), facts=facts
    )
    return shown


def members_of(session: Session, household: Household) -> list[Member]:
    """Return the people of a household, the head first. （第十一条）"""
    statement = (
        select(Member)
        .where(Member.division_code == household.division_code, Member.household_id == household.id)
        .order_by(col(Member.relation) != "02", col(Member.relation), col(Member.id))
    )
    return list(session.exec(statement))


def assets_of(session: Session, household: Household) -> list[Asset]:
    """Return the production assets of a household. （第十一条）"""
    statement = (
        select(Asset)
        .where(Asset.division_code == household.division_code, Asset.household_id == household.id)
        .order_by(col(Asset.kind), col(Asset.as_of).desc())
    )
    return list(session.exec(statement))


def accounts_of(session: Session, member: Member) -> list[Account]:
    """Return a person's accounts, the one that is paid to first. （第十二条）"""
    statement = (
        select(Account)
        .where(Account.division_code == member.division_code, Account.member_id == member.id)
        .order_by(col(Account.is_payment).desc(), col(Account.id).desc())
    )
    return list(session.exec(statement))


def lines_of(session: Session, household: Household) -> list[RosterLine]:
    """Return the latest roster lines of a household. （第十六条）"""
    statement = (
        select(RosterLine)
        .where(RosterLine.division_code == household.division_code, RosterLine.household_id == household.id)
        .order_by(col(RosterLine.id).desc())
        .limit(SHOWN_LINES)
    )
    return list(session.exec(statement))
