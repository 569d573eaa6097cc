"""The registry as officers read it: people and property. （第十一条）"""

from sqlmodel import Session, col, select

from models.accounts import Account
from models.households import Asset, Household, Member
from models.rosters import RosterLine

SHOWN_LINES = 100


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
