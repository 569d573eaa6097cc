-- Back to the settings of 0005: its own files make the policies and functions again after this.
do $down$
declare
    item record;
begin
    for item in select tablename, policyname from pg_policies where schemaname = 'public' loop
        execute format('drop policy %I on %I', item.policyname, item.tablename);
        execute format('alter table %I disable row level security', item.tablename);
    end loop;
end
$down$;
drop function apply_scope(text, text);
drop function login_officer(text);
drop function login_failed(bigint, integer, interval);
drop function login_succeeded(bigint, bigint);
drop function session_find(bytea, interval, date);
drop function session_officer(bytea);
drop function session_open(bytea, bigint, bigint, text);
drop function session_end(bytea);
drop function session_confirm(bytea);
drop function session_switch(bytea, bigint);
drop function officer_in_post(bigint, date, bigint);
drop function posts_of(bigint, date);
drop function entitlements_rostered(text, bigint);
drop function entitlements_paid(text[]);
drop function keepers_of(bytea[]);
drop function advance_clock(interval);
drop function ticket();
drop function claims();
drop function post_in_force(bigint, bigint);
