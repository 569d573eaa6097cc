-- Standards dated and by division (第八条), local rules (第三十六条), the calendar of working days.

-- A standard knows its project's line and name, whoever writes it; what has been in force is never rewritten.
create function guard_standard() returns trigger language plpgsql
    security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if tg_op = 'DELETE' then
        raise exception '补贴标准不能删除，可定止期' using errcode = '42501';
    end if;
    if tg_op = 'INSERT' then
        select coalesce(max(p.sector), new.sector), coalesce(max(p.name), new.project_name)
            into new.sector, new.project_name from subsidy_projects p where p.id = new.project_id;
        return new;
    end if;
    if (new.division_code, new.project_id, new.sector, new.project_name)
            is distinct from (old.division_code, old.project_id, old.sector, old.project_name)
        or (new.standard_yuan, new.grade, new.valid_from, new.document, new.basis)
            is distinct from (old.standard_yuan, old.grade, old.valid_from, old.document, old.basis)
        or old.status = 'discarded' and new.status <> 'discarded'
        or old.status in ('in_force', 'ended') and new.status in ('proposed', 'discarded')
        or old.status = 'ended' and (new.valid_to is distinct from old.valid_to or new.status <> 'ended')
    then
        raise exception '补贴标准不能改写，请另拟新标准' using errcode = '42501';
    end if;
    return new;
end $$;
update project_standards s set sector = p.sector, project_name = p.name from subsidy_projects p where p.id = s.project_id;
create trigger project_standards_guarded before insert or update or delete on project_standards
    for each row execute function guard_standard();
create trigger project_standards_no_truncate before truncate on project_standards
    for each statement execute function refuse_change();
select apply_sector('project_standards');
revoke delete on project_standards from yikatong_app;

-- Local rules: content stands still from the proposal on; a settled one may only be filed or end early.
select apply_scope('local_rules', 'downward');
revoke delete on local_rules from yikatong_app;
select watch_changes('local_rules');
create sequence local_rule_numbers;
grant usage on sequence local_rule_numbers to yikatong_app;
create function guard_local_rule() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        raise exception '本地细则不能删除，可停止执行' using errcode = '42501';
    end if;
    if tg_op = 'INSERT' then
        if new.status <> 'proposed' and current_user = 'yikatong_app' then
            raise exception '本地细则须先拟定，再审定' using errcode = '42501';
        end if;
        if right(new.division_code, 6) <> '000000' or new.division_code = '150000000000' then
            raise exception '本地细则由盟市、旗县规定' using errcode = '42501';
        end if;
        return new;
    end if;
    if (new.division_code, new.number, new.parameter, new.value, new.law_value, new.valid_from, new.document_number,
            new.document_title, new.file_id)
        is distinct from (old.division_code, old.number, old.parameter, old.value, old.law_value, old.valid_from,
            old.document_number, old.document_title, old.file_id)
        or old.status in ('discarded', 'ended') and (new.status, new.valid_to) is distinct from (old.status, old.valid_to)
        or old.status in ('settled', 'filed') and new.status in ('proposed', 'discarded')
        or new.valid_to is distinct from old.valid_to and new.status not in ('settled', 'filed')
        or old.valid_to is not null and (new.valid_to is null or new.valid_to > old.valid_to)
    then
        raise exception '本地细则不能改写，请停止执行后另行拟定' using errcode = '42501';
    end if;
    return new;
end $$;
create trigger local_rules_guarded before insert or update or delete on local_rules
    for each row execute function guard_local_rule();
create trigger local_rules_no_truncate before truncate on local_rules
    for each statement execute function refuse_change();

-- The strictest value that a division's own rule or its league's sets on a day; null: none. A league's finance bureau
-- doesn't stand above a county that reports to the region directly. `more`: the stricter is the greater.
create function local_value(asked text, division text, on_day date, more boolean default false) returns integer
    language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    found_one integer;
begin
    select case when more then max(r.value) else min(r.value) end into found_one from local_rules r
    where r.parameter = asked and r.division_code in (left(division, 4) || '00000000', left(division, 6) || '000000')
        and r.status in ('settled', 'filed', 'ended')
        and r.valid_from <= on_day and (r.valid_to is null or r.valid_to >= on_day)
        and (r.division_code = left(division, 6) || '000000' or not exists (select from divisions d
            where d.code = left(division, 6) || '000000' and d.region_direct_finance));
    return found_one;
end $$;

-- The last day of a limit: law, local rule and the record's flow, whichever is the shortest; null: the calendar ends.
create function due_day(asked text, law integer, division text, start date, stages text[], flow bigint, project bigint)
    returns date language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    days integer := least(law, local_value(asked, division, start));
    shorter integer;
    last date;
begin
    if cardinality(stages) > 0 and coalesce(flow, project) is not null then
        select min((s->>'days')::integer) into shorter
        from project_flows f, jsonb_array_elements(f.content->'roster') s
        where s->>'code' = any (stages) and f.id = coalesce(flow, (select v.id from subsidy_projects p
            join project_flows v on v.sector = p.sector and v.code = p.definition->>'flow' and v.status = 'in_force'
            where p.id = project));
        days := least(days, shorter);
    end if;
    select c.day into last from calendar_days c where c.day > start and c.working order by c.day
        offset greatest(days, 1) - 1 limit 1;
    return last;
end $$;
revoke execute on function local_value(text, text, date, boolean),
    due_day(text, integer, text, date, text[], bigint, bigint) from public;
grant execute on function local_value(text, text, date, boolean),
    due_day(text, integer, text, date, text[], bigint, bigint) to yikatong_app;

-- A settled rule is the region's task to file (备案), though whoever settled it doesn't reach the region.
create function tell_local_rule(rule bigint, told text, moment timestamptz) returns void language plpgsql
    security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    said constant text[] := ticket();
begin
    insert into catalogue_tasks (division_code, number, kind, sector, status, version, subject, subject_id, detail,
            found_on, arrived_at)
        select '150000000000', 'XD150000' || to_char(moment at time zone 'Asia/Shanghai', 'YYYYMMDD')
            || to_char(nextval('catalogue_task_numbers'), 'FM000000000'), 'local_rule', '', 'finance', 1, 'local_rule',
            r.id, told, (moment at time zone 'Asia/Shanghai')::date, moment
        from local_rules r where r.id = rule and r.status = 'settled'
            and r.division_code >= said[1] and r.division_code < said[2]
    on conflict do nothing;
end $$;
revoke execute on function tell_local_rule(bigint, text, timestamptz) from public;
grant execute on function tell_local_rule(bigint, text, timestamptz) to yikatong_app;

-- The calendar: an arrangement is imported, enabled by another person, then applied whole by one function.
select apply_scope(t, 'downward') from unnest(array['calendar_versions', 'calendar_version_days']) t;
revoke delete on calendar_versions from yikatong_app;
revoke update, delete on calendar_version_days from yikatong_app;
select watch_changes(t) from unnest(array['calendar_versions', 'calendar_version_days']) t;
create sequence calendar_version_numbers;
grant usage on sequence calendar_version_numbers to yikatong_app;
create function guard_calendar_version() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        raise exception '放假安排不能删除' using errcode = '42501';
    end if;
    if tg_op = 'INSERT' then
        if new.status <> 'imported' and current_user = 'yikatong_app' then
            raise exception '放假安排须先导入，再启用' using errcode = '42501';
        end if;
        return new;
    end if;
    if (new.division_code, new.number, new.year, new.document, new.listed_count)
            is distinct from (old.division_code, old.number, old.year, old.document, old.listed_count)
        or old.status in ('applied', 'discarded') and new.status <> old.status
        or new.status = 'applied' and old.status <> 'applied' and old.status <> 'enabled'
    then
        raise exception '已导入的放假安排不能改写，请重新导入' using errcode = '42501';
    end if;
    return new;
end $$;
create trigger calendar_versions_guarded before insert or update or delete on calendar_versions
    for each row execute function guard_calendar_version();

create function apply_calendar(arrangement bigint) returns integer language plpgsql
    security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    one calendar_versions;
    changed integer;
begin
    -- Who may enable an arrangement is decided by its own policies: only the region's range writes that status.
    select v.* into one from calendar_versions v where v.id = arrangement and v.status = 'enabled';
    if one.id is null then
        raise exception '放假安排尚未启用，不能生效' using errcode = '42501';
    end if;
    update calendar_version_days d set was_working = c.working from calendar_days c
        where d.version_id = one.id and c.day = d.day;
    select count(*) into changed from calendar_version_days d
        where d.version_id = one.id and d.was_working is distinct from d.working;
    insert into calendar_days (day, working, source, version, provisional)
        select d.day, d.working, one.document, 1, false from calendar_version_days d where d.version_id = one.id
    on conflict (day) do update set working = excluded.working, source = excluded.source,
        version = calendar_days.version + 1, provisional = false;
    return changed;
end $$;
revoke execute on function apply_calendar(bigint) from public;
grant execute on function apply_calendar(bigint) to yikatong_app;
