"""One household, one file (一户一档): people, assets, accounts, payments by year. （第十一条、第三十条）"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from models.accounts import Account
from models.certificates import Certificate
from models.households import Asset, Household, Member
from models.officers import ActingOfficer
from policies.enforcement import allow
from policies.permissions import Permission

YEARS = sa.text(
    """
    select extract(year from r.period_start)::int as year, r.project_name, count(*) as lines,
        sum(l.amount_fen)::bigint as amount_fen,
        count(*) filter (where d.status = 'paid') as paid_lines,
        coalesce(sum(l.amount_fen) filter (where d.status = 'paid'), 0)::bigint as paid_fen
    from members m
    join roster_lines l on l.division_code = m.division_code and l.member_id = m.id and l.state <> 'stopped'
    join rosters r on r.division_code = l.division_code and r.id = l.roster_id
    left join lateral (select x.status from disbursements x where x.county_code = l.county_code and x.line_id = l.id
        order by x.attempt desc limit 1) d on true
    where m.division_code = :division and m.household_id = :household
    group by 1, 2 order by 1 desc, 2
    """
)


@dataclass(frozen=True, repr=False)
class HouseholdFile:
    """Everything that one household's file holds; never printed by accident."""

    household: Household
    members: Sequence[Member]
    certificates: Sequence[Certificate]
    assets: Sequence[Asset]
    accounts: Sequence[Account]
    years: Sequence[Any]
    amount_fen: int
    paid_fen: int


def household_file(session: Session, household: Household, *, by: ActingOfficer) -> HouseholdFile:
    """Return the file of a household as it stands today. （第十一条） Raises NotAllowed."""
    allow(session, by, Permission.HOUSEHOLD_VIEW, household)
    place = household.division_code
    members = session.exec(
        select(Member)
        .where(Member.division_code == place, Member.household_id == household.id)
        .order_by(col(Member.current).desc(), col(Member.relation), col(Member.id))
    ).all()
    ids = [member.id for member in members]
    certificates = session.exec(
        select(Certificate)
        .where(Certificate.division_code == place, col(Certificate.member_id).in_(ids))
        .order_by(col(Certificate.member_id), col(Certificate.kind))
    ).all()
    assets = session.exec(
        select(Asset)
        .where(Asset.division_code == place, Asset.household_id == household.id, col(Asset.ended_on).is_(None))
        .order_by(col(Asset.kind), col(Asset.id))
    ).all()
    accounts = session.exec(
        select(Account)
        .where(Account.division_code == place, col(Account.member_id).in_(ids))
        .order_by(col(Account.member_id), col(Account.is_payment).desc(), col(Account.id))
    ).all()
    rows = session.execute(YEARS, {"division": place, "household": household.id}).all()
    return HouseholdFile(
        household, members, certificates, assets, accounts, rows, sum(row.amount_fen for row in rows),
        sum(row.paid_fen for row in rows),
    )  # fmt: skip
