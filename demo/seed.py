"""The demo's data, loaded once by the owner: offices, registry, standards, notice periods, budget links, accounts.

A second start finds everything there and keeps it; a lost file of accounts or world is written anew. The clock, the
statuses and the money are never set here: what has happened, happens through the verbs. （第六至十二条）
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import sqlalchemy as sa
from sqlmodel import Session

from demo.catalogue import load_catalogue
from demo.officers import FILE as OFFICERS_FILE
from demo.officers import load_offices, read_accounts, renew_accounts
from demo.people import ALLOWANCE, COUNTY, GRASSLAND, LAND, SECOND_COUNTY, Population
from demo.population import population
from demo.registry import load_registry
from demo.world import AGENT_ACCOUNTS, LINKS, write_world
from demo.world import FILE as WORLD_FILE
from models.crypto import account_index
from models.households import Household
from models.payment_orders import AgentAccount, AgentBank
from models.projects import NoticePeriod, NoticeStage, ProjectLink, ProjectStandard, SubsidyProject
from workflows.list_adoption import adopt_lists

NOTICE_DAYS = 7
LIST_YEARS = (2025, 2026)
"""The years whose lists were there before the platform; the next year's is made on it."""

STANDARDS = (
    (COUNTY, LAND, "76.3000", date(2025, 1, 1), date(2025, 12, 31), "敖农牧发〔2025〕21号（演示）"),
    (COUNTY, LAND, "78.5500", date(2026, 1, 1), None, "敖农牧发〔2026〕18号（演示）"),
    (COUNTY, GRASSLAND, "2.6000", date(2026, 1, 1), None, "敖农牧发〔2026〕19号（演示）"),
    (COUNTY, ALLOWANCE, "436.0000", date(2026, 1, 1), None, "敖民政发〔2026〕7号（演示）"),
    (SECOND_COUNTY, LAND, "71.2000", date(2026, 1, 1), None, "阿农牧发〔2026〕9号（演示）"),
    (SECOND_COUNTY, GRASSLAND, "2.3500", date(2026, 1, 1), None, "阿农牧发〔2026〕10号（演示）"),
    (SECOND_COUNTY, ALLOWANCE, "452.0000", date(2026, 1, 1), None, "阿民政发〔2026〕5号（演示）"),
)
"""County, project, yuan per unit, validity, document; the numbers are the demo's own, the form is the counties'."""


@dataclass(frozen=True)
class Seeded:
    """Where the demo's files are, and whether this start loaded the data."""

    fresh: bool
    officers_file: Path
    world_file: Path


def standard_of(county_code: str, project_code: str) -> Decimal:
    """Return the standard in force in the demo's period."""
    found = [Decimal(row[2]) for row in STANDARDS if row[:2] == (county_code, project_code) and row[4] is None]
    return found[0]


def seed(owner_url: str, home: Path) -> Seeded:
    """Load the demo's data into a migrated database with reference data; again, keep what is there.

    owner_url: the owner's address (row policies don't hold for it); home: the data folder of the demo, which must
    already hold the key file that the settings name.
    """
    people = population()
    engine = sa.create_engine(owner_url, poolclass=sa.NullPool, hide_parameters=True)
    officers_file, world_file = home / OFFICERS_FILE, home / WORLD_FILE
    with Session(engine, expire_on_commit=False) as session, session.begin():
        fresh = not session.execute(sa.select(sa.exists().select_from(Household))).scalar_one()
        if fresh:
            _load(session, people, officers_file)
        elif not _readable(officers_file):
            renew_accounts(session, officers_file)
        if fresh or not world_file.exists():
            write_world(world_file, people)
    return Seeded(fresh, officers_file, world_file)


def _load(session: Session, people: Population, officers_file: Path) -> None:
    projects = _project_ids(session)
    session.execute(
        sa.insert(ProjectStandard),
        [
            {
                "division_code": county,
                "project_id": projects[code],
                "standard_yuan": Decimal(yuan),
                "valid_from": begin,
                "valid_to": end,
                "document": document,
            }
            for county, code, yuan, begin, end, document in STANDARDS
        ],
    )
    session.execute(
        sa.insert(NoticePeriod),
        [
            {
                "division_code": county,
                "project_id": projects[code],
                "stage": NoticeStage.ROSTER,
                "notice_days": NOTICE_DAYS,
            }
            for county in (COUNTY, SECOND_COUNTY)
            for code in (LAND, GRASSLAND, ALLOWANCE)
        ],
    )
    session.execute(
        sa.insert(ProjectLink),
        [
            {
                "division_code": link.county_code,
                "project_id": projects[link.project_code],
                "pro_code": link.pro_code,
                "priority": link.priority,
            }
            for link in LINKS
        ],
    )
    adopt_lists(session, [COUNTY, SECOND_COUNTY], LIST_YEARS)
    _load_agent_accounts(session)
    load_registry(session, people)
    load_offices(session, officers_file)
    load_catalogue(session, people)


def _load_agent_accounts(session: Session) -> None:
    banks = {bank.prefix: bank.id for bank in session.execute(sa.select(AgentBank)).scalars()}
    session.execute(
        sa.insert(AgentAccount),
        [
            {
                "division_code": account.county_code,
                "bank_id": banks[account.bank.prefix],
                "name": account.name,
                "number": account.number,
                "number_index": account_index(account.number),
            }
            for account in AGENT_ACCOUNTS
        ],
    )


def _project_ids(session: Session) -> dict[str, int]:
    rows = session.execute(sa.select(SubsidyProject.code, SubsidyProject.id))  # type: ignore[call-overload]
    return {row.code: row.id for row in rows}


def _readable(file: Path) -> bool:
    try:
        return bool(read_accounts(file))
    except (OSError, ValueError, TypeError):
        return False
