"""What is on whose list, and what a division may select for a year. （第六条、第七条第一项）"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from models.annual_lists import AnnualList, AnnualListStatus
from models.base import REGION_CODE
from models.divisions import Division, Level
from models.projects import PolicyLevel, SubsidyProject
from policies.refusals import Refused

OWN_LEVELS = {
    Level.REGION: (PolicyLevel.CENTRAL, PolicyLevel.REGION),
    Level.LEAGUE: (PolicyLevel.LEAGUE,),
    Level.COUNTY: (PolicyLevel.COUNTY,),
}
"""Whose policies a division lists itself; everything else comes from the list above. （第六条）"""


class NotListed(Refused):
    """补贴项目“{project}”不在{place} {year} 年度项目清单中，不能造册；由旗县财政局在该年度清单中选择（第七条）。"""


@dataclass(frozen=True)
class Offer:
    """One project as the selection page shows it."""

    project_id: int
    code: str
    name: str
    sector: str
    domain: str
    policy_level: PolicyLevel
    project_version: int
    stopped: bool
    offered: bool
    """It may be selected: in the library, and in the list above unless it is the division's own."""
    own: bool
    last_year: bool
    current: bool
    """On the edition in force of this year."""
    chosen: bool
    before: bool
    """The edition before has it: of this year, else the last year's list."""
    reason: str

    @property
    def why_not(self) -> str:
        """Say why it can't be selected."""
        return "" if self.offered else "该项目已停用" if self.stopped else "上级清单没有该项目或已移出"


# --- what is in force ---------------------------------------------------------------------------------------------

LISTED = sa.text(
    """
    select exists (
        select from annual_list_items i
        where i.list_id = (select l.id from annual_lists l where l.division_code = :county and l.year = :year
                and l.status = 'published' order by l.edition desc limit 1)
            and i.project_id = :project and i.change <> 'dropped'
    )
    """
)


def require_listed(session: Session, project: SubsidyProject, county_code: str, day: date) -> None:
    """Let rosters be made only for what the county's finance has selected for that year. （第七条第一项）

    day: the beginning of the period that is paid. One indexed statement. Raises NotListed.
    """
    asked = {"county": county_code, "year": day.year, "project": project.id}
    if not session.execute(LISTED, asked).scalar_one():
        place = session.get_one(Division, county_code).name
        raise NotListed(project=project.name, place=place, year=day.year)


def latest(session: Session, division_code: str, year: int) -> AnnualList | None:
    """Return the edition in force of a division's list."""
    statement = select(AnnualList).where(
        AnnualList.division_code == division_code,
        AnnualList.year == year,
        AnnualList.status == AnnualListStatus.PUBLISHED,
    )
    return session.exec(statement.order_by(col(AnnualList.edition).desc()).limit(1)).first()


def upper_of(session: Session, division_code: str) -> Division | None:
    """Return whose list a division selects from; two cities select from the region's directly. （第七条第一项）"""
    place = session.get_one(Division, division_code)
    if place.level == Level.REGION:
        return None
    direct = place.level == Level.LEAGUE or place.region_direct_finance
    return session.get_one(Division, REGION_CODE if direct else f"{division_code[:4]}00000000")


BELOW = sa.text(
    "select code from divisions where not hidden and case cast(:level as text)"
    " when 'region' then level = 'league' or level = 'county' and region_direct_finance"
    " when 'league' then level = 'county' and parent_code = :code and not region_direct_finance"
    " else false end order by code"
)


def below(session: Session, division_code: str, level: Level) -> list[str]:
    """Return the divisions that select from this one's list. （第七条第一项）"""
    return list(session.execute(BELOW, {"level": level, "code": division_code}).scalars())


# --- what may be selected -----------------------------------------------------------------------------------------

OFFERED = """
    select p.id as project_id, p.code, p.name, p.sector, p.domain, p.policy_level, p.project_version,
        p.status = 'stopped' as stopped,
        p.status = 'admitted' and (u.id is not null or p.own) as offered, p.own,
        y.id is not null as last_year, b.id is not null as current, coalesce(d.change <> 'dropped', false) as chosen,
        case when :edition > 1 then b.id is not null else y.id is not null end as before,
        coalesce(d.reason, '') as reason
    from (select q.*, q.division_code in (:division, :region) and q.policy_level = any (:levels) as own
        from subsidy_projects q) p
    left join annual_list_items u on u.list_id = :upper and u.project_id = p.id and u.change <> 'dropped'
    left join annual_list_items b on b.list_id = :base and b.project_id = p.id and b.change <> 'dropped'
    left join annual_list_items y on y.list_id = :last and y.project_id = p.id and y.change <> 'dropped'
    left join annual_list_items d on d.list_id = :draft and d.project_id = p.id
    where p.own and p.status = 'admitted' or u.id is not null or b.id is not null or y.id is not null
        or d.change <> 'dropped'
"""
FILTER = """
    where (:q = '' or strpos(name, :q) > 0 or starts_with(code, :q))
        and (:sector = '' or sector = :sector) and (:domain = '' or domain = :domain)
        and (:level = '' or policy_level = :level)
        and case :show when 'chosen' then chosen when 'open' then offered and not chosen
            when 'added' then chosen and not before when 'dropped' then before and not chosen
            when 'closed' then not offered else true end
"""
PAGE = """
    with o as materialized ({offered}), m as (select * from o {filter})
    select (select coalesce(json_agg(r), '[]') from (select * from m order by code limit :size offset :skip) r) as rows,
        (select count(*) from m) as found,
        (select array_agg(distinct sector order by sector) from o) as sectors,
        (select array_agg(distinct domain order by domain) from o where domain <> '') as domains,
        (select json_object_agg(policy_level, n) from (select policy_level, count(*) as n from o where chosen
            group by policy_level) c) as chosen,
        count(*) filter (where offered and not chosen) as open, count(*) filter (where chosen and not before) as added,
        count(*) filter (where before and not chosen) as dropped
    from o
"""
MATCHING = "select project_id from ({offered}) o {filter}"
FILTERS = ("q", "sector", "domain", "level", "show")


@dataclass(frozen=True)
class OfferPage:
    """One page of what is offered, and the counts over all of it."""

    rows: list[Offer]
    found: int
    sectors: list[str]
    domains: list[str]
    counts: dict[str, int]


def _asked(session: Session, division_code: str, year: int, draft: AnnualList | None) -> dict[str, Any]:
    place = session.get_one(Division, division_code)
    upper, base = upper_of(session, division_code), latest(session, division_code, year)
    above = latest(session, upper.code, year) if upper is not None else None
    former = latest(session, division_code, year - 1)
    return {
        "division": division_code, "region": REGION_CODE, "levels": list(OWN_LEVELS[place.level]),
        "upper": above.id if above else None, "base": base.id if base else None,
        "last": former.id if former else None, "draft": draft.id if draft else None,
        "edition": draft.edition if draft else base.edition + 1 if base else 1,
    }  # fmt: skip


def _offer(row: Mapping[str, Any]) -> Offer:
    return Offer(**{**row, "policy_level": PolicyLevel(row["policy_level"])})


def offers(session: Session, division_code: str, year: int, draft: AnnualList | None = None) -> list[Offer]:
    """Return every project that a division may select for a year, and what was on its lists. （第七条第一项）"""
    asked = _asked(session, division_code, year, draft)
    return [_offer(dict(row)) for row in session.execute(sa.text(f"{OFFERED} order by p.code"), asked).mappings()]


def offer_page(
    session: Session, draft: AnnualList, filters: Mapping[str, str], *, size: int, page: int = 1
) -> OfferPage:
    """Return one page of what a draft may select, filtered, and the counts over all: one statement."""
    asked = _asked(session, draft.division_code, draft.year, draft)
    row = session.execute(
        sa.text(PAGE.format(offered=OFFERED, filter=FILTER)),
        asked | _filters(filters) | {"size": size, "skip": (page - 1) * size},
    ).one()
    chosen = row.chosen or {}
    counts = {"已选": sum(chosen.values())} | {
        f"其中{level.label}": chosen[level] for level in PolicyLevel if chosen.get(level)
    }
    counts |= {"可选未选": row.open, "新增": row.added, "移出": row.dropped}
    return OfferPage([_offer(one) for one in row.rows], row.found, row.sectors or [], row.domains or [], counts)


def matching(session: Session, draft: AnnualList, filters: Mapping[str, str]) -> set[int]:
    """Return the projects that the filters of the selection page leave."""
    asked = _asked(session, draft.division_code, draft.year, draft) | _filters(filters)
    return set(session.execute(sa.text(MATCHING.format(offered=OFFERED, filter=FILTER)), asked).scalars())


def _filters(filters: Mapping[str, str]) -> dict[str, str]:
    return {name: filters.get(name, "") for name in FILTERS}
