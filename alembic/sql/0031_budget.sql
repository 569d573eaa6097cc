-- Budget indicators (第十条): how downloads stand, what was not kept, how a county draws down; allocation plans
-- (第三十二条).
select apply_scope(t, 'ranged') from unnest(array['upstream_indicators', 'project_drawdowns', 'indicator_downloads',
    'indicator_faults']) t;
select apply_flow('project_drawdowns', 'project_id', 'subsidy_projects');
select apply_scope(t, 'downward') from unnest(array['allocation_plans', 'allocation_lines']) t;
select apply_sector('allocation_plans');
select apply_flow('allocation_plans', 'project_id', 'subsidy_projects');
revoke delete on upstream_indicators, project_drawdowns, indicator_downloads, indicator_faults, allocation_plans
    from yikatong_app;
revoke update on allocation_lines from yikatong_app;
select watch_changes(t) from unnest(array['upstream_indicators', 'project_drawdowns', 'indicator_faults',
    'allocation_plans', 'allocation_lines']) t;
create sequence allocation_plan_numbers;
grant usage on sequence allocation_plan_numbers to yikatong_app;

-- One more kind of task: an item of a download that could not be kept.
alter table catalogue_tasks drop constraint ck_catalogue_tasks_cataloguetaskkind;
alter table catalogue_tasks add constraint ck_catalogue_tasks_cataloguetaskkind check (kind in ('publish_list',
    'select_list', 'stale_publication', 'standard_ending', 'indicator_arrived', 'indicator_unmapped',
    'indicator_refused', 'money_at_rest', 'local_rule'));

-- A plan's content stands still from its submission on; only its status goes on, and what confirming writes.
create function guard_allocation_plan() returns trigger language plpgsql as $$
begin
    if current_user <> 'yikatong_app' then
        return new;
    end if;
    if tg_op = 'INSERT' then
        if new.status <> 'draft' then
            raise exception '分配方案须先编制，再审核' using errcode = '42501';
        end if;
        return new;
    end if;
    if (new.division_code, new.sector, new.number, new.document_number, new.project_id, new.edition)
        is distinct from (old.division_code, old.sector, old.number, old.document_number, old.project_id, old.edition)
        or old.status <> 'draft' and (new.title, new.project_name, new.fiscal_year, new.total_fen, new.line_count)
            is distinct from (old.title, old.project_name, old.fiscal_year, old.total_fen, old.line_count)
        or old.status in ('withdrawn', 'superseded')
        or old.status = 'confirmed' and old.confirmed_on is not null and (new.status not in ('confirmed', 'superseded')
            or (new.confirmed_on, new.issue_due_on) is distinct from (old.confirmed_on, old.issue_due_on))
    then
        raise exception '已审核的分配方案不能改写，请编制补充方案' using errcode = '42501';
    end if;
    return new;
end $$;
create trigger allocation_plans_guarded before insert or update on allocation_plans
    for each row execute function guard_allocation_plan();

create function guard_allocation_line() returns trigger language plpgsql as $$
declare
    about constant allocation_lines := case tg_op when 'DELETE' then old else new end;
begin
    if current_user = 'yikatong_app' and not exists (select from allocation_plans p
        where p.division_code = about.division_code and p.id = about.plan_id and p.status = 'draft')
    then
        raise exception '已提交的分配方案，明细不能改写' using errcode = '42501';
    end if;
    return about;
end $$;
create trigger allocation_lines_guarded before insert or update or delete on allocation_lines
    for each row execute function guard_allocation_line();

-- Asked at commit: the lines add up to the plan's total, and two people stand behind a confirmed one.
create function require_whole_allocation() returns trigger language plpgsql as $$
begin
    if (select coalesce(sum(l.amount_fen), 0) from allocation_lines l
        where l.division_code = new.division_code and l.plan_id = new.id) <> new.total_fen
    then
        raise exception '分配明细合计与分配总额不符' using errcode = '23514';
    end if;
    if current_user = 'yikatong_app' and new.status = 'confirmed' and (select count(distinct h.person)
        from desk_holders h where h.noun = 'allocation_plan' and h.record_id = new.id) < 2
    then
        raise exception '分配方案须由两人办理' using errcode = '42501';
    end if;
    return null;
end $$;
create constraint trigger allocation_plans_whole after update on allocation_plans deferrable initially deferred
    for each row when (new.status in ('submitted', 'confirmed')) execute function require_whole_allocation();

-- Which subsidy other counties pay from budget projects like these: the project's id and how many counties, nothing else.
create function link_suggestions(suffixes text[], names text[])
    returns table (suffix text, pro_name text, project_id bigint, counties bigint)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select s.suffix, null, l.project_id, count(distinct l.division_code)
    from unnest(suffixes) as s (suffix) join project_links l on substr(l.pro_code, 9) = s.suffix
    where (select (ticket())[1]) <> ''
    group by s.suffix, l.project_id
    union all
    select null, n.name, l.project_id, count(distinct l.division_code)
    from unnest(names) as n (name)
    join budget_indicators i on i.pro_name = n.name
    join project_links l on l.division_code = i.division_code and l.pro_code = i.pro_code
    where (select (ticket())[1]) <> ''
    group by n.name, l.project_id
$$;
create index ix_project_links_suffix on project_links (substr(pro_code, 9));
revoke execute on function link_suggestions(text[], text[]) from public;
grant execute on function link_suggestions(text[], text[]) to yikatong_app;

update budget_indicators set arrived_at = coalesce(document_date::timestamptz, now());
