-- The registry (第十一条): nothing of it is changed but by a change that two people have taken; who lived where when is
-- kept by the database itself.
select apply_scope(t, 'ranged')
from unnest(array['registry_changes', 'registry_tasks', 'attachments', 'certificates', 'residences']) t;
revoke delete on registry_changes, registry_tasks, attachments, certificates, households, members, assets
    from yikatong_app;
revoke insert, update, delete on residences from yikatong_app;
revoke update on attachments from yikatong_app;
-- The trail masks what screens mask, in the new tables too: the persons that changes and reviews are about, and the
-- address somebody moves to.
do $names$
declare
    body text := pg_get_functiondef((select oid from pg_proc where proname = 'trail_body'));
    told text;
begin
    told := replace(body, $a$t = 'households' and name = 'address'$a$,
        $a$t in ('households', 'transfers') and name = 'address'$a$);
    told := replace(told, $a$or name = 'name' and t in ('members', 'roster_lines', 'failures')$a$,
        $a$or name = 'subject' and t in ('registry_changes', 'household_reviews')
            or name = 'name' and t in ('members', 'roster_lines', 'failures')$a$);
    if told = body or position('household_reviews' in told) = 0 or position('transfers' in told) = 0 then
        raise exception 'trail_body has another text';
    end if;
    execute told;
end
$names$;
select watch_changes(t) from unnest(array['registry_changes', 'registry_tasks', 'attachments', 'certificates',
    'residences', 'households', 'members', 'assets']) t;

-- A change begins as a proposal, says the same to the end, and is applied only when two desks have held it. The
-- transaction that applies it is the only one that may write what it is about.
create function guard_registry_change() returns trigger language plpgsql as $$
begin
    if current_user <> 'yikatong_app' then
        return new;
    end if;
    if tg_op = 'INSERT' then
        if new.status <> 'submitted' or new.applied_in <> '' then
            raise exception '变更须先提出，再复核' using errcode = '42501';
        end if;
        return new;
    end if;
    if old.status in ('approved', 'applied', 'withdrawn') and (new.kind, new.household_id, new.member_id, new.fields,
        new.before, new.after, new.effective_on, new.reason) is distinct from (old.kind, old.household_id,
        old.member_id, old.fields, old.before, old.after, old.effective_on, old.reason)
    then
        raise exception '已复核的变更不能改写' using errcode = '42501';
    end if;
    new.applied_in := old.applied_in;
    if new.status = 'applied' and old.status = 'approved' then
        if (select count(distinct h.person) from desk_holders h
            where h.noun = 'registry_change' and h.record_id = new.id
                and h.desk in ('township_keeper', 'township_head')) < 2
        then
            raise exception '变更须由两人办理' using errcode = '42501';
        end if;
        new.applied_in := pg_current_xact_id()::text;
    elsif new.status = 'applied' and old.status <> 'applied' then
        raise exception '变更须先复核同意' using errcode = '42501';
    end if;
    return new;
end $$;
create trigger registry_changes_guarded before insert or update on registry_changes
    for each row execute function guard_registry_change();

-- Makes the guard of a table of the registry: what the application writes names a change of the same township that is
-- applied in this very transaction. free: columns that checks and reviews keep by themselves.
create function guard_registry(t text, free text[] default '{}') returns void
    language plpgsql set search_path = pg_catalog, public, pg_temp as $make$
declare
    kept text;
begin
    select string_agg(format('%%1$s.%I', a.attname), ', ' order by a.attnum) into kept from pg_attribute a
    where a.attrelid = t::regclass and a.attnum > 0 and not a.attisdropped and a.attname <> all (free);
    execute format($body$
        create or replace function public.%1$I() returns trigger language plpgsql as $guard$
        begin
            if current_user <> 'yikatong_app' then
                return null;
            end if;
            if tg_op = 'INSERT' then
                perform 1 from fresh f where not exists (select from registry_changes c where c.id = f.change_id
                    and c.division_code = f.division_code and c.applied_in = pg_current_xact_id()::text);
            else
                perform 1 from fresh f join stale s on s.id = f.id
                where (%3$s) is distinct from (%4$s) and not exists (select from registry_changes c
                    where c.id = f.change_id and c.division_code = f.division_code
                        and c.applied_in = pg_current_xact_id()::text);
            end if;
            if found then
                raise exception '%% 不能直接修改，须经变更审核', tg_table_name using errcode = '42501';
            end if;
            return null;
        end $guard$$body$, 'registry_guard_of_' || t, t, format(kept, 'f'), format(kept, 's'));
    execute format('drop trigger if exists registry_guard_insert on %I', t);
    execute format('drop trigger if exists registry_guard_update on %I', t);
    execute format('create trigger registry_guard_insert after insert on %I referencing new table as fresh'
        ' for each statement execute function public.%I()', t, 'registry_guard_of_' || t);
    execute format('create trigger registry_guard_update after update on %I referencing old table as stale'
        ' new table as fresh for each statement execute function public.%I()', t, 'registry_guard_of_' || t);
end $make$;
revoke execute on function guard_registry(text, text[]) from public;
select guard_registry('households', array['reviewed_on']);
select guard_registry('members', array['identity_outcome', 'identity_checked_at', 'police_died_on']);
select guard_registry('assets');
select guard_registry('certificates');

-- History follows the members, whoever writes them: a stay begins with a living, current record and ends when the
-- person leaves the household, dies, or the relation to its head changes. A stay never begins before the former one has
-- ended: a death is registered with its own date, however late, while the relations that it changes belong to people who
-- came in the meantime.
create function residences_follow() returns trigger language plpgsql
    security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    day constant date := ((clock_timestamp() + (select c.moved_by from business_clock c))
        at time zone 'Asia/Shanghai')::date;
begin
    if tg_op = 'UPDATE' then
        update residences r set until_on = greatest(r.from_on, coalesce(c.effective_on, day)),
            ended_by = coalesce(c.kind, 'import'), change_id = f.change_id
        from fresh f join stale s on s.id = f.id left join registry_changes c on c.id = f.change_id
        where r.division_code = f.division_code and r.member_id = f.id and r.until_on is null
            and ((f.household_id, f.relation, f.person) is distinct from (s.household_id, s.relation, s.person)
                or not f.current or f.status in ('dead', 'moved'));
        insert into residences (division_code, county_code, household_id, member_id, person, relation, from_on,
            began_by, change_id)
        select f.division_code, f.county_code, f.household_id, f.id, f.person, f.relation,
            greatest(coalesce(c.effective_on, day), (select max(r.until_on) from residences r
                where r.division_code = f.division_code and r.member_id = f.id)),
            coalesce(c.kind, 'import'), f.change_id
        from fresh f join stale s on s.id = f.id left join registry_changes c on c.id = f.change_id
        where f.current and f.status in ('alive', 'missing')
            and (f.household_id, f.relation, f.person, f.current, f.status)
                is distinct from (s.household_id, s.relation, s.person, s.current, s.status)
            and not exists (select from residences r where r.person = f.person and r.until_on is null);
        return null;
    end if;
    insert into residences (division_code, county_code, household_id, member_id, person, relation, from_on, began_by,
        change_id)
    select f.division_code, f.county_code, f.household_id, f.id, f.person, f.relation,
        coalesce(c.effective_on, f.added_on), coalesce(c.kind, 'import'), f.change_id
    from fresh f left join registry_changes c on c.id = f.change_id
    where f.current and f.status in ('alive', 'missing');
    return null;
end $$;
create trigger residences_begin after insert on members referencing new table as fresh
    for each statement execute function residences_follow();
create trigger residences_go_on after update on members referencing old table as stale new table as fresh
    for each statement execute function residences_follow();
insert into residences (division_code, county_code, household_id, member_id, person, relation, from_on, began_by,
    change_id)
select m.division_code, m.county_code, m.household_id, m.id, m.person, m.relation, m.added_on, 'import', 0
from members m where m.status in ('alive', 'missing');
create sequence registry_task_numbers;
grant usage on sequence registry_task_numbers to yikatong_app;
set constraints all immediate;
set constraints all deferred;

drop function keepers_of(bytea[]);
create function keepers_of(indexes bytea[]) returns table (id_index bytea, township text)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select m.id_index, c.name || d.name
    from members m join divisions d on d.code = m.division_code join divisions c on c.code = m.county_code
    where m.id_index = any (indexes) and m.current
$$;

alter table duty_pairs disable trigger duty_pairs_guarded;
insert into duty_pairs (division_code, title, kind, one, other, within, basis, statutory, status, version, arrived_at,
                        proposed_by)
values ('150000000000', '基础信息变更提出与复核', 'permission', 'registry_change:propose', 'registry_change:approve',
        'organisation', '第十一条、第二十三条', true, 'in_force', 1, timestamptz '2024-04-02 00:00+08', '');
alter table duty_pairs enable always trigger duty_pairs_guarded;
