-- Applications, the qualified register and departments' own systems (第十三至十六条、第二十九条).

select apply_scope('application_agreements', 'reference');
select apply_scope(t, 'ranged') from unnest(array['applications', 'qualification_notices', 'qualification_objections',
    'qualifications', 'roster_generations', 'qualification_lines', 'application_batches', 'application_results']) t;
select apply_sector(t) from unnest(array['applications', 'qualification_notices', 'qualification_objections',
    'qualifications', 'roster_generations', 'qualification_lines', 'application_batches', 'application_results']) t;
select apply_flow(t, 'project_id', 'subsidy_projects') from unnest(array['applications', 'qualification_notices',
    'qualifications', 'roster_generations']) t;
revoke update, delete on qualification_notices, qualification_lines, application_batches, application_results
    from yikatong_app;
revoke delete on applications, qualification_objections, qualifications, roster_generations from yikatong_app;
select watch_changes(t) from unnest(array['application_agreements', 'applications', 'qualification_notices',
    'qualification_objections', 'qualifications', 'roster_generations', 'application_batches']) t;

create sequence application_numbers;
grant usage on sequence application_numbers to yikatong_app;

-- Whom, what and from where an application is about never changes: a mistake is withdrawn and entered anew.
create function keep_application() returns trigger language plpgsql as $$
begin
    if (new.division_code, new.project_id, new.project_version, new.person, new.member_id, new.source, new.body,
        new.external_number, new.number)
        is distinct from (old.division_code, old.project_id, old.project_version, old.person, old.member_id, old.source,
            old.body, old.external_number, old.number)
        and session_user = 'yikatong_app'
    then
        raise exception '申请的对象、项目和来源在受理后不变' using errcode = '42501';
    end if;
    return new;
end $$;
create trigger applications_kept before update on applications for each row execute function keep_application();

-- What a department's own system reads back: each new state of an application that came from it.
create function tell_department() returns trigger language plpgsql as $$
begin
    insert into application_results (division_code, county_code, sector, body, application_id, kind, state, told_at)
    values (new.division_code, new.county_code, new.sector, new.body, new.id, 'state', new.status,
        clock_timestamp() + (select c.moved_by from business_clock c));
    return null;
end $$;
create trigger applications_told_new after insert on applications for each row
    when (new.body <> '') execute function tell_department();
create trigger applications_told after update of status on applications for each row
    when (new.body <> '' and new.status is distinct from old.status) execute function tell_department();

-- What a change of the registry says of a person is noted at their qualifications, whoever writes it; the sweep suspends.
create function note_gone() returns trigger language plpgsql security definer
    set search_path = pg_catalog, public, pg_temp as $$
begin
    update qualifications q set gone = true
    where q.division_code = new.division_code and not q.gone and q.status <> 'ended'
        and q.member_id = case tg_table_name when 'members' then new.id else (to_jsonb(new) ->> 'member_id')::bigint end;
    return null;
end $$;
create trigger members_gone after update of status, current on members for each row
    when (new.status <> 'alive' and new.status is distinct from old.status or old.current and not new.current)
    execute function note_gone();
create trigger virtual_members_gone after update of status, person_status on virtual_members for each row
    when (old.status = 'in_force' and (new.status <> 'in_force'
        or new.person_status is distinct from old.person_status and new.person_status <> 'alive'))
    execute function note_gone();

-- What is agreed with a body beside its key, by a post that may keep the exchange.
create function application_agree(body bigint, line_ text, counts boolean, document_ text) returns boolean
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if session_user = 'yikatong_app' and not coalesce((select post_permits(p.role, g.level, g.kind, 'exchange:keep')
        from posts p join organisations g on g.id = p.organisation_id where p.id = ((ticket())[8])::bigint), false)
    then
        raise exception '无权维护协同约定' using errcode = '42501';
    end if;
    insert into application_agreements (body_id, line, examination_counts, document, agreed_at)
    values (body, line_, counts, document_, clock_timestamp() + (select c.moved_by from business_clock c))
    on conflict (body_id) do update set line = excluded.line, examination_counts = excluded.examination_counts,
        document = excluded.document, agreed_at = excluded.agreed_at;
    return found;
end $$;
revoke execute on function application_agree(bigint, text, boolean, text) from public;
grant execute on function application_agree(bigint, text, boolean, text) to yikatong_app;

-- Events of these nouns are read by the sector's own department, as those of rosters are (0007): the policy that stands
-- is taken as it is and given three more nouns.
do $events$
declare
    said text := (select p.qual from pg_policies p where p.tablename = 'events' and p.policyname = 'sector_scope');
begin
    execute 'drop policy sector_scope on events';
    execute format('create policy sector_scope on events as restrictive for select to yikatong_app using (%s)',
        replace(said, 'ELSE true', $more$WHEN 'application'::text THEN EXISTS (SELECT FROM applications a
            WHERE a.id = events.record_id)
        WHEN 'qualification'::text THEN EXISTS (SELECT FROM qualifications q WHERE q.id = events.record_id)
        WHEN 'qualification_notice'::text THEN EXISTS (SELECT FROM qualification_notices n
            WHERE n.id = events.record_id)
        ELSE true$more$));
end
$events$;
