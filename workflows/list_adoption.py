"""Lists that were there before the platform: taken over by the owner, one edition for each year. （第六条）

For the first load of a county, the demo, tests and benchmarks; officers make lists by `workflows/annual_lists.py`.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlmodel import Session

from models.base import REGION_CODE
from policies.clock import now

BEGIN = sa.text(
    """
    insert into annual_lists (division_code, number, year, edition, title, status, version, upper_id, item_count,
        added_count, dropped_count, note, digest, arrived_at)
    select d.code,
        'QD' || left(d.code, 6) || '-' || y.year || '-' || to_char(nextval('annual_list_numbers'), 'FM00000'),
        y.year, coalesce(b.edition, 0) + 1,
        d.name || y.year || '年度补贴项目清单'
            || case when b.edition is null then '' else '（补充第' || b.edition || '号）' end,
        'draft', 1, u.id, 0, 0, 0, '启用平台前的清单', '', :moment
    from divisions d
    cross join unnest(cast(:years as integer[])) as y (year)
    left join lateral (select l.id, l.edition from annual_lists l where l.division_code = d.code and l.year = y.year
        and l.status = 'published' order by l.edition desc limit 1) b on true
    left join lateral (select l.id from annual_lists l where l.division_code = case d.level when 'league' then :region
            when 'county' then case when d.region_direct_finance then :region else left(d.code, 4) || '00000000' end end
        and l.year = y.year and l.status = 'published' order by l.edition desc limit 1) u on true
    where d.code = any (:codes) and exists (select from subsidy_projects p
        where p.division_code in (d.code, left(d.code, 4) || '00000000', :region) and p.status = 'admitted'
            and (p.policy_level in ('central', 'region')
                or p.policy_level = 'league' and d.level <> 'region' and not d.region_direct_finance
                or p.policy_level = 'county' and d.level = 'county')
            and not exists (select from annual_list_items i where i.list_id = b.id and i.project_id = p.id
                and i.change <> 'dropped'))
    returning id
    """
)
FILL = sa.text(
    """
    insert into annual_list_items (division_code, list_id, project_id, code, name, sector, domain, policy_level,
        project_version, change, reason)
    select l.division_code, l.id, p.id, p.code, p.name, p.sector, p.domain, p.policy_level, p.project_version,
        case when exists (select from annual_lists b join annual_list_items i on i.list_id = b.id
            where b.division_code = l.division_code and b.year = l.year and b.edition = l.edition - 1
                and b.status = 'published' and i.project_id = p.id and i.change <> 'dropped')
            then 'kept' else 'added' end, ''
    from annual_lists l join divisions d on d.code = l.division_code
    join subsidy_projects p on p.division_code in (d.code, left(d.code, 4) || '00000000', :region)
        and p.status = 'admitted' and (p.policy_level in ('central', 'region')
            or p.policy_level = 'league' and d.level <> 'region' and not d.region_direct_finance
            or p.policy_level = 'county' and d.level = 'county')
    where l.id = any (:ids)
    """
)
DIGEST = """
    select encode(sha256(convert_to(coalesce(string_agg(concat_ws('|', i.code, i.name, i.sector, i.policy_level,
        i.project_version, i.change, i.reason), chr(10) order by i.code collate "C"), ''), 'UTF8')), 'hex')
    from annual_list_items i where i.list_id = {list}
"""
"""The SHA-256 over the items of an edition, in the order of their codes."""
PUBLISH = """
    update annual_lists l set status = 'published', published_at = :moment, digest = ({digest}),
        item_count = (select count(*) from annual_list_items i where i.list_id = l.id and i.change <> 'dropped'),
        added_count = (select count(*) from annual_list_items i where i.list_id = l.id and i.change = 'added')
    where l.id = any (:ids)
"""


def adopt_lists(session: Session, counties: Sequence[str], years: Sequence[int]) -> int:
    """Publish for these counties and whoever is above them lists of everything the library has. （第六、七条）

    What is listed already stays; a project that is missing comes by a supplementary edition. As the owner. Return how
    many editions are new.
    """
    leagues = sorted({f"{code[:4]}00000000" for code in counties})
    made = 0
    for codes in ([REGION_CODE], leagues, sorted(counties)):  # from above: each names the list it was selected from
        asked = {"codes": list(codes), "years": list(years), "region": REGION_CODE, "moment": now(session)}
        ids = list(session.execute(BEGIN, asked).scalars())
        if ids:
            session.execute(FILL, {"ids": ids, "region": REGION_CODE})
            session.execute(
                sa.text(PUBLISH.format(digest=DIGEST.format(list="l.id"))), {"ids": ids, "moment": now(session)}
            )
        made += len(ids)
    return made
