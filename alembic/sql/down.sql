do $down$
declare
    item record;
begin
    for item in select tablename, policyname from pg_policies where schemaname = 'public' loop
        execute format('drop policy %I on %I', item.policyname, item.tablename);
        execute format('alter table %I disable row level security', item.tablename);
    end loop;
    for item in select tgname, tgrelid::regclass as tab from pg_trigger
        where not tgisinternal and tgrelid::regclass::text not like 'procrastinate%' loop
        execute format('drop trigger %I on %s', item.tgname, item.tab);
    end loop;
    for item in select c.oid::regclass as tab from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = 'public' and c.relkind = 'r' and c.relname like 'procrastinate%' loop
        execute format('drop table if exists %s cascade', item.tab);
    end loop;
    for item in select p.oid::regprocedure as fun from pg_proc p join pg_namespace n on n.oid = p.pronamespace
        where n.nspname = 'public' loop
        execute format('drop function if exists %s cascade', item.fun);
    end loop;
    for item in select t.oid::regtype as typ from pg_type t join pg_namespace n on n.oid = t.typnamespace
        where n.nspname = 'public' and t.typname like 'procrastinate%' and t.typtype in ('e', 'c')
          and t.typrelid = 0 or (n.nspname = 'public' and t.typname like 'procrastinate%' and t.typtype = 'c') loop
        execute format('drop type if exists %s cascade', item.typ);
    end loop;
    delete from policy_version;
    delete from business_clock;
end
$down$;
revoke all on all tables in schema public from yikatong_app;
revoke usage on schema public from yikatong_app;
