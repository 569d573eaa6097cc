do $down$
declare
    item record;
begin
    for item in select tgname, tgrelid::regclass as tab from pg_trigger
        where not tgisinternal and (tgname like 'trail\_%' or tgname = 'append_only_truncate') loop
        execute format('drop trigger %I on %s', item.tgname, item.tab);
    end loop;
    for item in select p.oid::regprocedure as fun from pg_proc p join pg_namespace n on n.oid = p.pronamespace
        where n.nspname = 'public' and p.proname like 'trail\_of\_%' loop
        execute format('drop function %s', item.fun);
    end loop;
end
$down$;
drop trigger changes_linked on changes;
drop trigger events_linked on events;
drop trigger events_append_only on events;
drop trigger changes_append_only on changes;
drop trigger links_append_only on event_links;
drop trigger refusals_append_only on refusals;
drop trigger desk_holders_append_only on desk_holders;
drop trigger archives_append_only on event_archives;
alter table events alter column address drop default;
drop function archive_records(text, bigint, text, bytea, integer);
drop function trail_sums(text, bigint[]);
drop function link_records();
drop function record_digest(events);
drop function record_digest(changes);
drop function refuse_record_change();
drop function watch_changes(text, text[], text[]);
drop function trail_body(text, text[], text[], text[], text[], text[]);
drop function trail_shown(text, jsonb, text[], text[]);
drop function trail_sides(text[], text, text);
drop function trail_list(text[], text, text, text);
drop function trail_template();
drop function trail_county(text);
drop function trail_name(text);
drop function trail_digest(bytea);
