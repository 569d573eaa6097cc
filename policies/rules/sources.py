"""The skeleton of the one statement, and the joins that facts may need; each is added only when used.

Every statement binds :division_code, :roster_id and :today. What lies beyond the officer's own range is asked of two
definer functions that return a verdict, never a foreign row (DESIGN D2).
"""

from dataclasses import dataclass

GATE = """
with r as materialized (
    select ro.*, p.code as project_code, p.sheet_kind, s.standard_yuan as policy_standard,
        cast(:today as date) as today,
        coalesce(replace(v.definition ->> 'formula', ' ', ''), '数量*补贴标准') <> '数量*补贴标准' as own_formula
    from rosters ro
    left join subsidy_projects p on p.id = ro.project_id
    left join project_versions v on v.project_id = ro.project_id and v.number = ro.project_version
    left join lateral (
        select ps.standard_yuan from project_standards ps
        where ps.project_id = ro.project_id and ps.status in ('in_force', 'ended')
            and ps.division_code in (ro.division_code, ro.county_code, left(ro.county_code, 4) || '00000000',
                                     '150000000000')
            and ps.valid_from <= ro.period_end and (ps.valid_to is null or ps.valid_to >= ro.period_start)
        order by ps.division_code desc, ps.valid_from desc limit 1
    ) s on true
    where ro.division_code = :division_code and ro.id = :roster_id
),
base as (
    select l.id as line_id, l.sequence{columns}
    from r
    join roster_lines l on l.division_code = r.division_code and l.roster_id = r.id
        and l.division_code = :division_code and l.roster_id = :roster_id
    {joins}
    where l.state <> 'stopped'
),
rules (rule, code, version, name, light) as (values {rules}),
marked as (
    select b.*, array_remove(array[{marks}], null) as marks from base b
),
judged as materialized (
    select b.*, abs(m.mark) as rule, m.mark > 0 as fires
    from marked b cross join lateral unnest(b.marks) m (mark)
    where b.marks <> '{{}}'
),
skips as (
    select b.rule, count(*) as lines, (array_agg(b.sequence order by b.sequence))[1:10] as sequences
    from judged b where not b.fires group by b.rule
),
gaps as (
    select b.rule, array_agg(distinct t.title) as titles
    from judged b cross join lateral unnest({missing}) t (title)
    where not b.fires and t.title is not null group by b.rule
)
select b.line_id, b.sequence, u.code as rule_code, u.version, u.name as rule_name, u.light, false as skipped,
    {messages} as message, {evidence} as evidence
from judged b join rules u on u.rule = b.rule
where b.fires
union all
select 0, 0, u.code, u.version, u.name, case u.light when 'red' then 'yellow' else 'blue' end, true,
    '规则“' || u.name || '”有 ' || s.lines || ' 笔明细未能判断（序号 ' || array_to_string(s.sequences, '、')
        || case when s.lines > 10 then ' 等' else '' end || '），缺少：'
        || coalesce(array_to_string(g.titles, '、'), '有效的计算结果'),
    jsonb_build_object('未能判断笔数', s.lines, '序号', s.sequences, '缺少', g.titles)
from skips s join rules u on u.rule = s.rule left join gaps g on g.rule = s.rule
"""
"""One statement per gate. Each line is marked once: n where rule n fires, -n where it can't be judged; clean lines end
there. A row per hit, and one row (line 0) per rule that could not judge some lines.

Stopped lines have left the roster: no rule looks at them. A township's code sorts behind its county's, so the
standard is the most local one in force. What a red rule could not judge is yellow (to be explained), the rest blue.
"""

NOTHING = """
select cast(null as bigint) as line_id, cast(null as integer) as sequence, cast(null as text) as rule_code,
    cast(null as integer) as version, cast(null as text) as rule_name, cast(null as text) as light,
    false as skipped, cast(null as text) as message, cast(null as jsonb) as evidence
where false
"""
"""The statement of a gate without rules."""


@dataclass(frozen=True)
class Source:
    """One join on the line `l` and its roster `r`."""

    name: str
    join: str


MEMBER = Source("member", "left join members m on m.division_code = l.division_code and m.id = l.member_id")

HOUSEHOLD_AREA = Source(
    "household_area",
    """left join (
    select o.household_id, sum(o.quantity) as area
    from r join rosters ro on ro.division_code = r.division_code and ro.project_id = r.project_id
        and ro.period = r.period
    join roster_lines o on o.division_code = ro.division_code and o.roster_id = ro.id and o.state <> 'stopped'
    where ro.division_code = :division_code and o.division_code = :division_code
    group by o.household_id
) area on area.household_id = l.household_id""",
)
"""The household's whole area of one project and period, over all rosters of the township."""

SHARED_ACCOUNT = Source(
    "shared_account",
    """left join (
    select payees.account_index, count(*) as people from (
        select distinct o.account_index, o.household_id, o.payee_name from roster_lines o
        where o.division_code = :division_code and o.roster_id = :roster_id and o.state <> 'stopped'
            and o.account_index is not null
    ) payees group by payees.account_index having count(*) > 1
) shared on shared.account_index = l.account_index""",
)
"""How many payees share the account: the head who receives for two of the family is one."""

SAME_ROSTER = Source(
    "same_roster",
    """left join (
    select o.entitlement_key, count(*) as lines from roster_lines o
    where o.division_code = :division_code and o.roster_id = :roster_id and o.state <> 'stopped'
    group by o.entitlement_key having count(*) > 1
) same on same.entitlement_key = l.entitlement_key""",
)

OTHER_ROSTERS = Source(
    "other_rosters",
    """left join entitlements_rostered(:division_code, :roster_id) others
    on others.entitlement_key = l.entitlement_key""",
)

PAID = Source(
    "paid",
    """left join entitlements_paid((
    select array_agg(o.entitlement_key) from roster_lines o
    where o.division_code = :division_code and o.roster_id = :roster_id
)) paid on paid.entitlement_key = l.entitlement_key""",
)

EXCLUDED = Source(
    "excluded", "left join exclusions_met(:division_code, :roster_id) excluded on excluded.line_id = l.id"
)
"""Projects of the county that exclude this one for the same person, household or component. （第十六条）"""

CERTIFICATES = Source(
    "certificates",
    """left join (
    select c.member_id, array_agg(distinct cast(c.kind as text)) as kinds
    from r join certificates c on c.division_code = r.division_code
        and c.valid_from <= r.period_end and coalesce(c.valid_to, r.period_start) >= r.period_start
        and coalesce(c.ended_on, 'infinity') > r.period_start
    where c.division_code = :division_code
    group by c.member_id
) held on held.member_id = l.member_id
left join members keeper on keeper.division_code = l.division_code and keeper.id = l.member_id
cross join (
    select coalesce(array_agg(distinct k.kind), cast('{}' as text[])) as kinds
    from r cross join exchange_bodies b cross join lateral unnest(b.kinds) k (kind)
    where b.enabled and b.last_applied_at is not null and b.last_as_of >= r.today - b.fresh_days
) told""",
)
"""Which certificates a person holds in the period, and of which kinds a connected body tells. （第二十九条）

What no connected body tells, and whoever another township keeps, is not known here.
"""
