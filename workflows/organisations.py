"""Organisations that take part, kept by the system administrator. （第四条、第二十六条、第三十一至三十四条）"""

import re
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from models.divisions import Division, Level
from models.officers import ActingOfficer
from models.organisations import Organisation, OrganisationKind
from models.payment_orders import AgentBank
from policies.clock import today
from policies.enforcement import allow
from policies.moves import record_event
from policies.permissions import Permission
from policies.refusals import FasterColleague, Refused

NOUN = "organisation"
TELEPHONE = re.compile(r"[0-9]{3,4}-?[0-9]{7,8}(-[0-9]{1,6})?|1[0-9]{10}|[0-9]{5,8}")
LEVELS_OF: dict[OrganisationKind, frozenset[Level]] = {
    OrganisationKind.TOWNSHIP: frozenset((Level.TOWNSHIP,)),
    OrganisationKind.DEPARTMENT: frozenset((Level.COUNTY, Level.LEAGUE, Level.REGION)),
    OrganisationKind.FINANCE: frozenset((Level.COUNTY, Level.LEAGUE, Level.REGION)),
    OrganisationKind.BANK: frozenset((Level.COUNTY, Level.LEAGUE, Level.REGION)),
    OrganisationKind.PLATFORM: frozenset((Level.COUNTY, Level.LEAGUE, Level.REGION)),
}
"""At which levels organisations of a kind exist. （第四条、第三十一至三十四条）"""


class OrganisationInvalid(Refused):
    """机构的“{field}”填写有误：{problem}，请更正后再保存。"""

    status_code = 400


class OrganisationExists(Refused):
    """{division}已有同类机构（{kind}{sector}），不能重复设立；原机构已撤并的，请先撤销原机构。"""


class OrganisationStaffed(Refused):
    """{name}还有 {count} 个在任或待复核的岗位，不能撤销；请先由安全管理员终止任职并交接。"""


def establish(
    session: Session,
    *,
    by: ActingOfficer,
    division_code: str,
    kind: str,
    name: str,
    telephone: str,
    sector: str = "",
    bank_id: str = "",
) -> Organisation:
    """Add an organisation of a division; one of each kind, and a department per sector. （第四条）

    Raises NotAllowed, OrganisationInvalid, OrganisationExists.
    """
    allow(session, by, Permission.ORGANISATION_KEEP)
    wanted = OrganisationKind(kind) if kind in list(OrganisationKind) else None
    if wanted is None:
        raise OrganisationInvalid(field="机构类别", problem="请从列表中选择")
    place = session.get(Division, division_code)
    if place is None or place.level not in LEVELS_OF[wanted] or not by.scope.covers(division_code):
        raise OrganisationInvalid(field="区划", problem=f"没有可设{wanted.label}的区划 {division_code}")
    _require_words(name, telephone)
    organisation = Organisation(
        division_code=place.code,
        name=name.strip(),
        kind=wanted,
        level=place.level,
        sector=_sector(wanted, sector),
        bank_id=_bank(session, wanted, bank_id),
        telephone=telephone.strip(),
    )
    try:
        with session.begin_nested():
            session.add(organisation)
    except IntegrityError as taken:
        raise OrganisationExists(division=place.name, kind=wanted.label, sector=organisation.sector) from taken
    record_event(session, organisation, "establish", by=by, label="设立机构", noun=NOUN, facts=_facts(organisation))
    return organisation


def keep(session: Session, organisation: Organisation, *, by: ActingOfficer, name: str, telephone: str) -> Organisation:
    """Change an organisation's name and telephone; its posts show the new name. （第二十六条）

    Raises NotFound, NotAllowed, OrganisationInvalid, FasterColleague.
    """
    allow(session, by, Permission.ORGANISATION_KEEP, organisation)
    _require_words(name, telephone)
    former = _facts(organisation)
    _write(session, organisation, name=name.strip(), telephone=telephone.strip())
    facts = _facts(organisation) | {"former": former}
    record_event(session, organisation, "keep", by=by, label="变更机构", noun=NOUN, facts=facts)
    return organisation


def close(session: Session, organisation: Organisation, *, by: ActingOfficer, reason: str) -> Organisation:
    """Close an organisation in which nobody holds a post any more. （第四条）

    Raises NotFound, NotAllowed, OrganisationStaffed, FasterColleague.
    """
    allow(session, by, Permission.ORGANISATION_KEEP, organisation)
    day = today(session)
    staffed = sa.text(
        "select count(*) from posts where organisation_id = :id and status in ('proposed', 'in_force')"
        " and (valid_to is null or valid_to >= :day)"
    )
    count = session.execute(staffed, {"id": organisation.id, "day": day}).scalar_one()
    if count:
        raise OrganisationStaffed(name=organisation.name, count=count)
    _write(session, organisation, closed_on=day)
    record_event(session, organisation, "close", by=by, label="撤销机构", noun=NOUN, opinion=reason.strip())
    return organisation


@dataclass(frozen=True)
class Unattended:
    """A township without 专职管理岗."""

    organisation_id: int
    county: str
    name: str
    telephone: str
    last_until: str
    """The last day of the last registrar, "" when there never was one."""


def townships_without_registrar(session: Session) -> list[Unattended]:
    """Return the townships of the caller's range where nobody holds the 专职管理岗 today. （第三十一条）"""
    statement = sa.text(
        "select g.id, c.name as county, g.name, g.telephone,"
        " coalesce((select to_char(max(e.valid_to), 'YYYY-MM-DD') from posts e where e.organisation_id = g.id"
        "  and e.role = 'registrar' and e.status in ('in_force', 'ended')), '') as last_until"
        " from organisations g join divisions c on c.code = left(g.division_code, 6) || '000000'"
        " where g.kind = 'township' and g.closed_on is null and not exists (select from posts p"
        "  join officers o on o.id = p.officer_id and o.active where p.organisation_id = g.id"
        "  and p.role = 'registrar' and p.status = 'in_force' and p.valid_from <= :day"
        "  and (p.valid_to is null or p.valid_to >= :day)) order by g.division_code, g.id"
    )
    rows = session.execute(statement, {"day": today(session)})
    return [Unattended(row.id, row.county, row.name, row.telephone, row.last_until) for row in rows]


def count_townships(session: Session) -> int:
    """Return how many townships take part in the caller's range."""
    statement = sa.text("select count(*) from organisations where kind = 'township' and closed_on is null")
    return int(session.execute(statement).scalar_one())


def _require_words(name: str, telephone: str) -> None:
    if not 2 <= len(name.strip()) <= 60:
        raise OrganisationInvalid(field="机构名称", problem="应为 2–60 个字")
    if not TELEPHONE.fullmatch(telephone.strip()):
        raise OrganisationInvalid(field="联系电话", problem="应为区号加号码（如 0476-4300011）或手机号")


def _sector(kind: OrganisationKind, sector: str) -> str:
    word = sector.strip()
    if kind != OrganisationKind.DEPARTMENT:
        return ""
    if not 2 <= len(word) <= 20:
        raise OrganisationInvalid(field="主管领域", problem="主管部门须填写主管领域，如 农牧、民政")
    return word


def _bank(session: Session, kind: OrganisationKind, bank_id: str) -> int | None:
    if kind != OrganisationKind.BANK:
        return None
    if not bank_id.isascii() or not bank_id.isdigit() or session.get(AgentBank, int(bank_id[:9])) is None:
        raise OrganisationInvalid(field="代理银行", problem="代理金融机构须选择所属银行")
    return int(bank_id)


def _write(session: Session, organisation: Organisation, **values: object) -> None:
    """Change an open organisation; no row means that somebody has closed it meanwhile."""
    table = Organisation.__table__  # type: ignore[attr-defined]
    guard = (table.c.id == organisation.id) & table.c.closed_on.is_(None)
    done = session.execute(sa.update(Organisation).where(guard).values(**values))
    if done.rowcount == 0:  # type: ignore[attr-defined]
        raise FasterColleague(title=organisation.name)
    session.refresh(organisation)


def _facts(organisation: Organisation) -> dict[str, str]:
    return {"name": organisation.name, "telephone": organisation.telephone, "sector": organisation.sector}
