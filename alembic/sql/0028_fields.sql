-- Exclusions of projects (第十六条、第十八条), and the formula's amount at the gates.

-- Which projects exclude this one: asked by the code that their versions name.
create index ix_project_versions_exclusions on project_versions using gin ((definition -> 'exclusions'));

-- Lines of a roster whose person, household or component has a project that excludes this one, in the same county and an
-- overlapping period: active on a roster under way, or paid. Either project's version, as its roster keeps it, may name
-- the other. Asked for a roster inside the caller's range: the names of the projects only, never the foreign line.
create function exclusions_met(division text, roster bigint) returns table (line_id bigint, projects text)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    with own as materialized (
        select r.id, r.division_code, r.county_code, r.project_id, r.period_start, r.period_end, p.code,
            v.definition -> 'exclusions' as exclusions
        from rosters r
        join subsidy_projects p on p.id = r.project_id
        join project_versions v on v.project_id = r.project_id and v.number = r.project_version
        where r.division_code = exclusions_met.division and r.id = exclusions_met.roster
            and r.division_code collate "C" >= (select (ticket())[1])
            and r.division_code collate "C" < (select (ticket())[2])
    ), excluding as (
        select p.id as project_id, cast(null as integer) as number, p.name, e.subject
        from own cross join lateral jsonb_to_recordset(coalesce(own.exclusions, '[]')) as e (code text, subject text)
        join subsidy_projects p on p.code = e.code and p.id <> own.project_id
        union
        select v.project_id, v.number, p.name, e.subject
        from own
        join project_versions v on v.definition -> 'exclusions' @> jsonb_build_array(jsonb_build_object('code', own.code))
            and v.project_id <> own.project_id
        join subsidy_projects p on p.id = v.project_id
        cross join lateral jsonb_to_recordset(v.definition -> 'exclusions') as e (code text, subject text)
        where e.code = own.code
    ), theirs as materialized (
        select distinct o.id, m.person, o.division_code, o.household_id, o.component, x.name,
            coalesce(x.subject, 'person') as subject
        from own
        cross join excluding x
        join rosters r on r.county_code = own.county_code and r.project_id = x.project_id
            and r.project_version = coalesce(x.number, r.project_version)
            and r.period_start <= own.period_end and r.period_end >= own.period_start
        join roster_lines o on o.division_code = r.division_code and o.roster_id = r.id and o.state = 'active'
        join members m on m.division_code = o.division_code and m.id = o.member_id
        where r.status <> 'closed'
            or exists (select from entitlement_successes s where s.entitlement_key = o.entitlement_key)
    ), mine as materialized (
        select l.id, m.person, l.division_code, l.household_id, l.component
        from own
        join roster_lines l on l.division_code = own.division_code and l.roster_id = own.id and l.state <> 'stopped'
        join members m on m.division_code = l.division_code and m.id = l.member_id
        where exists (select from theirs)
    ), met as (
        select l.id, t.name from mine l join theirs t on t.person = l.person
            and (t.subject <> 'component' or t.component = l.component and l.component <> '')
        union
        select l.id, t.name from mine l join theirs t on t.division_code = l.division_code
            and t.household_id = l.household_id and t.subject <> 'person'
            and (t.subject = 'household' or t.component = l.component and l.component <> '')
    )
    select met.id, string_agg(distinct met.name, '、' order by met.name) from met group by met.id
$$;
revoke execute on function exclusions_met(text, bigint) from public;
grant execute on function exclusions_met(text, bigint) to yikatong_app;

-- An amount by a project's own formula may be more than quantity times standard: it is checked against the formula when
-- it is written. A new version of the rule, so that former hits keep theirs.
insert into warning_rules (division_code, code, version, name, light, subject, gates, expression, message, article,
    enabled, valid_from, saved_by)
select division_code, code, version + 1, name, light, subject, gates,
    'not 金额按公式 and 金额 > 补贴标准 * 数量 + 0.005 or 补贴标准 > 政策标准', message, article, enabled, valid_from, saved_by
from warning_rules r
where r.division_code = '150000000000' and r.code = 'R11'
    and r.expression = '金额 > 补贴标准 * 数量 + 0.005 or 补贴标准 > 政策标准'
    and not exists (select from warning_rules n where n.division_code = r.division_code and n.code = r.code
        and n.version > r.version);
update warning_rules r set enabled = false
where r.division_code = '150000000000' and r.code = 'R11'
    and r.expression = '金额 > 补贴标准 * 数量 + 0.005 or 补贴标准 > 政策标准'
    and exists (select from warning_rules n where n.division_code = r.division_code and n.code = r.code
        and n.version > r.version and n.expression like 'not 金额按公式 and %');
