-- Every table is watched but for these, each for its reason (models.trail.UNWATCHED, filled in by the migration); the
-- trail begins with what each county holds now.
do $watch$
declare
    t text;
    fen text;
    divided boolean;
begin
    for t in
        select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = 'public' and c.relkind = 'r' and c.relname not like 'procrastinate%'
            and c.relname <> all (array{unwatched})
        order by 1
    loop
        perform watch_changes(t,
            case t
                when 'jobs' then array['done', 'total', 'stage', 'message', 'started_at', 'finished_at']
                when 'key_rotations' then array['stage', 'done', 'per_second', 'seconds_left']
                when 'outbox' then array['attempts', 'last_error']
                when 'officer_secrets' then array['totp_last_step', 'failed_logins', 'locked_until']
                else '{}' end,
            case t when 'desk_holders' then array['update', 'delete', 'truncate']
                else array['insert', 'update', 'delete', 'truncate'] end);
        continue when t = 'desk_holders';
        select exists (select from pg_attribute a where a.attrelid = t::regclass and a.attname = 'division_code')
            into divided;
        select coalesce(string_agg(format(', %L, coalesce(sum(%I), 0)', a.attname, a.attname), '' order by a.attname), '')
            into fen from pg_attribute a where a.attrelid = t::regclass and a.attname like '%\_fen'
                and not a.attisdropped and a.atttypid in ('bigint'::regtype, 'integer'::regtype);
        execute format(
            'insert into changes (county_code, division_code, table_name, operation, row_count, officer_id, person,'
            ' post_id, delegation_id, address, database_user, application, after)'
            ' select %1$s, %1$s, %2$L, ''baseline'', count(*), 0, '''', 0, 0, coalesce(host(inet_client_addr()), ''local''), session_user,'
            ' left(current_setting(''application_name''), 64), jsonb_build_object(''rows'', count(*)%3$s)'
            ' from %2$I group by %1$s', case when divided then 'trail_county(division_code)'
            else '''150000000000''::text' end, t, fen);
    end loop;
end
$watch$;
set constraints all immediate;
set constraints all deferred;
