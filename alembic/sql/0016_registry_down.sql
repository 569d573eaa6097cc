-- The registry as it was before changes were records.
alter table duty_pairs disable trigger duty_pairs_guarded;
delete from duty_pairs where one = 'registry_change:propose' and other = 'registry_change:approve' and statutory;
alter table duty_pairs enable always trigger duty_pairs_guarded;
set constraints all immediate;
set constraints all deferred;
drop function keepers_of(bytea[]);
create function keepers_of(indexes bytea[]) returns table (id_index bytea, township text)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select m.id_index, c.name || d.name
    from members m join divisions d on d.code = m.division_code join divisions c on c.code = m.county_code
    where m.id_index = any (indexes)
$$;
drop trigger residences_begin on members;
drop trigger residences_go_on on members;
drop function residences_follow();
do $undo$
declare
    t text;
begin
    foreach t in array array['households', 'members', 'assets', 'certificates'] loop
        execute format('drop trigger registry_guard_insert on %I', t);
        execute format('drop trigger registry_guard_update on %I', t);
        execute format('drop function %I()', 'registry_guard_of_' || t);
    end loop;
    foreach t in array array['registry_changes', 'registry_tasks', 'attachments', 'certificates', 'residences'] loop
        execute format('drop trigger trail_insert on %I', t);
        execute format('drop trigger trail_update on %I', t);
        execute format('drop trigger trail_delete on %I', t);
        execute format('drop trigger trail_truncate on %I', t);
        execute format('drop function %I()', 'trail_of_' || t);
    end loop;
end
$undo$;
drop function guard_registry(text, text[]);
drop trigger registry_changes_guarded on registry_changes;
drop function guard_registry_change();
grant delete on households, members, assets to yikatong_app;
drop sequence registry_task_numbers;
do $names$
declare
    body text := pg_get_functiondef((select oid from pg_proc where proname = 'trail_body'));
begin
    body := replace(body, $a$t in ('households', 'transfers') and name = 'address'$a$,
        $a$t = 'households' and name = 'address'$a$);
    execute replace(body, $a$or name = 'subject' and t in ('registry_changes', 'household_reviews')
            or name = 'name' and t in$a$, $a$or name = 'name' and t in$a$);
end
$names$;
