"""Factories: a small world of officers, and the things that happen in it, made by the owner's session.

`a_roster(session, world, lines=[a_line(deceased=True)])` makes what it needs (project, household, member, account).
Statuses beyond draft are set up directly, with the desks that led there seated and the notice published and over.
"""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlmodel import Session, select

from models.accounts import Account, AccountStatus
from models.base import Table, county_of
from models.crypto import account_index, id_index, phone_index
from models.divisions import Division
from models.events import DeskHolder
from models.households import Asset, Household, IdentityOutcome, Member, MemberStatus
from models.indicators import BudgetIndicator
from models.notices import Notice
from models.payment_orders import AgentAccount, AgentBank
from models.projects import NoticePeriod, ProjectLink, ProjectStandard, SubsidyProject
from models.rosters import LineState, PayeeRelation, Roster, RosterLine, RosterStatus
from policies.clock import now, today
from policies.entitlements import entitlement_key
from policies.identities import name_key
from policies.lifecycles import Desk
from policies.lifecycles.rosters import ROSTER_LIFECYCLE
from policies.working_days import add_working_days
from tests.world import (
    COUNTY,
    LEAGUE,
    NUMBERS,
    OTHER_COUNTY,
    OTHER_LEAGUE,
    OTHER_TOWNSHIP,
    PASSWORD,
    REGION,
    SECOND_TOWNSHIP,
    TOTP_SECRET,
    TOWNSHIP,
    County,
    Office,
    World,
    a_card_number,
    a_name,
    an_id_number,
    build_world,
    key,
    listed_years,
    login_name,
    second_account,
    totp_code,
)
from workflows.list_adoption import adopt_lists

LAND = "2130122"
"""耕地地力保护补贴"""

Row = TypeVar("Row", bound=Table)


# --- registry -----------------------------------------------------------------------------------------------------


def a_household(session: Session, world: World, *, township: str = "", **fields: Any) -> Household:
    """Make one household of the township."""
    code = township or world.township.division_code
    values: dict[str, Any] = {
        "division_code": code, "county_code": county_of(code), "number": f"H{code[:9]}{next(NUMBERS):07d}",
        "head_name": a_name(), "village": "东村", "group_name": "一组", "reviewed_on": today(session),
    }  # fmt: skip
    return _added(session, Household(**values | fields))


def a_member(
    session: Session, world: World, household: Household | None = None, *, id_number: str = "", **fields: Any
) -> Member:
    """Make one member (the head, with relation 02, of a household of their own when none is given)."""
    home = household or a_household(session, world)
    number = id_number or an_id_number(county=home.county_code)
    name = fields.get("name", home.head_name)
    born = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    phone = fields.get("phone", f"138{next(NUMBERS):08d}")
    values: dict[str, Any] = {
        "division_code": home.division_code, "county_code": home.county_code, "household_id": home.id, "name": name,
        "name_key": name_key(name), "id_number": number, "id_index": id_index(number), "birth_date": born,
        "sex": "1" if int(number[16]) % 2 else "2", "relation": "02", "phone": phone,
        "phone_index": phone_index(phone) if phone else None, "added_on": date(2024, 5, 1),
        "identity_outcome": IdentityOutcome.MATCH, "identity_checked_at": now(session),
    }  # fmt: skip
    return _added(session, Member(**values | fields))


def an_asset(session: Session, household: Household, quantity: str = "100", kind: str = "contracted_land") -> Asset:
    """Register a production asset of a household."""
    values = {"division_code": household.division_code, "county_code": household.county_code}
    return _added(session, Asset(**values, household_id=household.id, kind=kind, quantity=Decimal(quantity),
                                 unit="亩", as_of=date(2024, 1, 1), source="二轮承包"))  # fmt: skip


def an_account(session: Session, member: Member, *, number: str = "", **fields: Any) -> Account:
    """Register a social-security card of a member, verified unless a status is given."""
    card = number or a_card_number()
    status = fields.get("status", AccountStatus.VERIFIED)
    values: dict[str, Any] = {
        "division_code": member.division_code, "county_code": member.county_code, "member_id": member.id,
        "number": card, "number_index": account_index(card), "bank_name": "内蒙古农村信用社（农商银行）",
        "bank_code": "402191000008", "status": status,
        "verified_at": now(session) if status == AccountStatus.VERIFIED else None,
    }  # fmt: skip
    return _added(session, Account(**values | fields))


# --- catalogue and money ------------------------------------------------------------------------------------------


def a_project(
    session: Session, world: World, code: str = LAND, *, standard: str | None = "15.0000", notice_days: int | None = 7,
    link: bool = True, county: str = "", listed: bool = True, also: tuple[int, ...] = (),
) -> SubsidyProject:  # fmt: skip
    """Return a project of the catalogue, listed, with standard, notice period and budget link in the county (once).

    also: years whose lists are wanted beside those of the world.
    """
    place = county or world.code
    project = session.exec(select(SubsidyProject).where(SubsidyProject.code == code)).one()
    keys = {"division_code": place, "project_id": project.id}
    if standard is not None and not _exists(session, ProjectStandard, **keys):
        session.add(ProjectStandard(**keys, standard_yuan=Decimal(standard), valid_from=date(2024, 1, 1)))
    if notice_days is not None and not _exists(session, NoticePeriod, **keys):
        session.add(NoticePeriod(**keys, notice_days=notice_days))
    if link and not _exists(session, ProjectLink, **keys):
        session.add(ProjectLink(**keys, pro_code=f"{place[:6]}24{code[-7:]:0>13}"))
    session.flush()
    years = [*listed_years(session), *also]
    if listed and not _listed(session, place, project, years):
        adopt_lists(session, [place], years)
    return project


def _listed(session: Session, county: str, project: SubsidyProject, years: list[int]) -> bool:
    """Tell whether the county's lists of every year have the project."""
    asked = {"county": county, "project": project.id, "years": years}
    found = session.execute(
        sa.text(
            "select count(distinct l.year) from annual_lists l join annual_list_items i on i.list_id = l.id"
            " where l.division_code = :county and l.year = any (:years) and l.status = 'published'"
            " and i.project_id = :project and i.change <> 'dropped'"
        ),
        asked,
    )
    return bool(found.scalar_one() == len(years))


def an_agent_account(session: Session, world: World, *, county: str = "", prefix: str = "402") -> AgentAccount:
    """Open an agent account (代发户) of the county at an agent bank, by the bank's prefix."""
    bank = session.exec(select(AgentBank).where(AgentBank.prefix == prefix)).one()
    number = f"0476{next(NUMBERS):012d}"
    return _added(session, AgentAccount(division_code=county or world.code, bank_id=bank.id, 
        name="一卡通代发户",
                                        number=number, number_index=account_index(number)))  # fmt: skip


def an_indicator(
    session: Session, world: World, project: SubsidyProject, *, amount_fen: int = 100_000_000, county: str = ""
) -> BudgetIndicator:
    """Download an indicator of the project's budget link, without its journal entry."""
    place = county or world.code
    link = session.exec(
        select(ProjectLink).where(ProjectLink.division_code == place, ProjectLink.project_id == project.id)
    ).one()
    number = next(NUMBERS)
    return _added(session, BudgetIndicator(
        division_code=place, bgt_id=f"BGT{number:017d}", fiscal_year=now(session).year,
        document_number=f"赤财指〔2024〕{number}号", pro_code=link.pro_code, pro_name=project.name,
        hot_topic="惠民惠农财政补贴资金", agency_code="001", fund_type_code="111", exp_func_code="2130122",
        gov_eco_code="50903", dep_eco_code="30310", amount_fen=amount_fen, available_fen=amount_fen,
    ))  # fmt: skip


# --- rosters ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """What a line is to be; `member` None makes a fresh household with its head."""

    name: str = ""
    member: Member | None = None
    quantity: str = "10"
    standard: str = "15.0000"
    amount_fen: int | None = None
    deceased: date | None = None
    identity: IdentityOutcome | None = IdentityOutcome.MATCH
    account: bool = True
    account_state: str | None = "verified"
    component: str = ""
    state: LineState = LineState.ACTIVE
    relation: PayeeRelation = PayeeRelation.SELF
    contracted: str | None = "100"
    fields: dict[str, Any] = field(default_factory=dict)


def a_line(*, deceased: bool | date = False, **fields: Any) -> Line:
    """Describe a line of a roster; deceased=True died before the period, a date died then.

    What is no field of `Line` is written to the roster line as it stands.
    """
    died = date(2023, 12, 1) if deceased is True else deceased or None
    known = {name: fields.pop(name) for name in list(fields) if name in Line.__dataclass_fields__}
    outcome = {"identity": IdentityOutcome.DEAD} if died else {}
    return Line(deceased=died, fields=fields, **outcome | known)


def a_roster(
    session: Session,
    world: World,
    *,
    status: RosterStatus = RosterStatus.DRAFT,
    lines: list[Line] | None = None,
    project: SubsidyProject | None = None,
    township: Office | None = None,
    period: str = "2024",
    notice_over: bool = True,
    **fields: Any,
) -> Roster:
    """Make a roster of a township in a status, with its lines, notice and the desks that led there."""
    office = township or world.township
    place = session.get_one(Division, office.division_code)
    item = project or a_project(session, world, county=county_of(place.code))
    moment = now(session)
    values: dict[str, Any] = {
        "division_code": place.code, "county_code": county_of(place.code), "project_id": item.id,
        "number": f"QC{place.code[:9]}{next(NUMBERS):06d}", "project_name": item.name, "sector": item.sector,
        "township": place.name, "period": period, "period_start": date(2024, 1, 1), "period_end": date(2024, 12, 31),
        "status": status, "generated_at": moment, "arrived_at": moment, "prepared_by": office.clerk.officer_id,
        "checked_at": moment,
    }  # fmt: skip
    limit = ROSTER_LIFECYCLE.due(status)
    if limit is not None:
        values["due_on"] = add_working_days(session, moment.date(), limit.working_days)
    roster = _added(session, Roster(**values | fields))
    for sequence, line in enumerate(lines or [a_line()], 1):
        _write_line(session, world, roster, item, line, sequence)
    session.flush()
    rows = session.exec(select(RosterLine).where(RosterLine.roster_id == roster.id)).all()
    active = [row for row in rows if row.state == LineState.ACTIVE]
    roster.line_count, roster.amount_fen = len(active), sum(row.amount_fen for row in active)
    _seat_desks(session, world, roster, status)
    if status != RosterStatus.DRAFT:
        _hang_notice(session, roster, moment, notice_over)
    session.flush()
    return roster


def lines_of(session: Session, roster: Roster) -> list[RosterLine]:
    """Return the lines of a roster in their order."""
    statement = select(RosterLine).where(RosterLine.roster_id == roster.id).order_by(sa.text("sequence"))
    return list(session.exec(statement))


def again(session: Session, record: Row) -> Row:
    """Return the record as it now stands in the database, in this session."""
    keys = sa.inspect(record).identity
    assert keys is not None
    return session.get_one(type(record), keys, populate_existing=True)


def _write_line(
    session: Session, world: World, roster: Roster, project: SubsidyProject, line: Line, sequence: int
) -> None:
    member = line.member or _fresh_member(session, world, roster, line)
    home = session.get_one(Household, key(member.household_id))
    account = _account_of(session, member) if line.account else None
    if account is None and line.account:
        account = an_account(session, member)
    exact = Decimal(line.quantity) * Decimal(line.standard) * 100
    amount = line.amount_fen or int(exact.quantize(Decimal(1), ROUND_HALF_UP))
    values: dict[str, Any] = {
        "county_code": roster.county_code, "division_code": roster.division_code, "roster_id": roster.id,
        "sector": roster.sector, "sequence": sequence, "household_id": home.id, "member_id": member.id,
        "village": home.village, "group_name": home.group_name, "head_name": home.head_name, "name": member.name,
        "id_number": member.id_number, "id_index": member.id_index, "payee_name": member.name,
        "payee_relation": line.relation, "quantity": Decimal(line.quantity), "standard": Decimal(line.standard),
        "amount_fen": amount, "component": line.component, "state": line.state,
        "entitlement_key": entitlement_key(project.code, roster.period, member.person, line.component),
        "identity_outcome": line.identity, "identity_checked_at": now(session) if line.identity else None,
        "died_on": line.deceased, "member_added_on": member.added_on, "reviewed_on": home.reviewed_on,
        "contracted_area_mu": Decimal(line.contracted) if line.contracted else None, "phone_present": True,
    }  # fmt: skip
    if account is not None:
        values |= {
            "account_id": account.id, "account_number": account.number, "account_index": account.number_index,
            "bank_name": account.bank_name, "bank_code": account.bank_code, "account_state": line.account_state,
            "account_is_card": account.is_card,
            "account_checked_at": now(session) if line.account_state else None,
        }  # fmt: skip
    session.add(RosterLine(**values | line.fields))


def _fresh_member(session: Session, world: World, roster: Roster, line: Line) -> Member:
    home = a_household(session, world, township=roster.division_code, **({"head_name": line.name} if line.name else {}))
    dead = {"status": MemberStatus.DEAD, "died_on": line.deceased} if line.deceased else {}
    return a_member(session, world, home, **dead)


def _account_of(session: Session, member: Member) -> Account | None:
    return session.exec(select(Account).where(Account.member_id == member.id, Account.is_payment)).one_or_none()


WAY = (
    (RosterStatus.DRAFT, Desk.TOWNSHIP_CLERK),
    (RosterStatus.ON_NOTICE, Desk.TOWNSHIP_CLERK),
    (RosterStatus.ENDORSED, Desk.TOWNSHIP_HEAD),
    (RosterStatus.REPORTED, Desk.TOWNSHIP_CLERK),
    (RosterStatus.DEPARTMENT_EXAMINED, Desk.DEPARTMENT_CLERK),
    (RosterStatus.DEPARTMENT_PASSED, Desk.DEPARTMENT_REVIEWER),
    (RosterStatus.FINANCE_EXAMINED, Desk.FINANCE_CLERK),
    (RosterStatus.FINAL, Desk.FINANCE_REVIEWER),
)
"""The desk that brought a roster into each status; later statuses are the system's."""


def _seat_desks(session: Session, world: World, roster: Roster, status: RosterStatus) -> None:
    county: County = world if roster.county_code == world.code else world.other_county
    township = county.township if roster.division_code == county.township.division_code else county.second_township
    people = {
        Desk.TOWNSHIP_CLERK: township.clerk, Desk.TOWNSHIP_HEAD: township.head,
        Desk.DEPARTMENT_CLERK: county.department.clerk, Desk.DEPARTMENT_REVIEWER: county.department.reviewer,
        Desk.FINANCE_CLERK: county.finance.clerk, Desk.FINANCE_REVIEWER: county.finance.reviewer,
    }  # fmt: skip
    order = [reached for reached, _ in WAY]
    until = order.index(status) if status in order else (1 if status == RosterStatus.RETURNED else len(order) - 1)
    for desk in dict.fromkeys(desk for _, desk in WAY[: until + 1]):
        session.add(DeskHolder(division_code=roster.division_code, noun=ROSTER_LIFECYCLE.noun,
                               record_id=key(roster.id), person=people[desk].person, desk=desk))  # fmt: skip


def _hang_notice(session: Session, roster: Roster, moment: datetime, over: bool) -> None:
    published = moment - timedelta(days=8) if over else moment
    roster.notice_round = 1
    session.add(Notice(
        division_code=roster.division_code, county_code=roster.county_code, roster_id=key(roster.id), round=1,
        sector=roster.sector, published_at=published, ends_at=published + timedelta(days=7),
        line_count=roster.line_count, content={"lines": []}, digest="",
    ))  # fmt: skip


def _added(session: Session, row: Row) -> Row:
    session.add(row)
    session.flush()
    return row


def _exists(session: Session, model: type[Table], **keys: Any) -> bool:
    return session.execute(sa.select(sa.exists(sa.select(model).filter_by(**keys)))).scalar_one()  # type: ignore[call-overload]


__all__ = [
    "COUNTY", "LAND", "LEAGUE", "NUMBERS", "OTHER_COUNTY", "OTHER_LEAGUE", "OTHER_TOWNSHIP", "PASSWORD", "REGION",
    "SECOND_TOWNSHIP", "TOTP_SECRET", "TOWNSHIP", "County", "Line", "Office", "World", "a_card_number", "a_household",
    "a_line", "a_member", "a_name", "a_project", "a_roster", "again", "an_account", "an_agent_account", "an_asset",
    "an_id_number", "an_indicator", "build_world", "key", "lines_of", "login_name", "second_account", "totp_code",
]  # fmt: skip
