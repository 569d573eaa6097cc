-- Rights: the application reads the trail in its range and writes none of it.
select apply_scope('changes', 'ranged');
select apply_scope('event_archives', 'ranged');
revoke insert, update, delete on changes, event_archives from yikatong_app;

-- What recorded changes of a county add up to, by table: rows and fen; ids null: all that are still here.
create function trail_sums(county text, ids bigint[]) returns jsonb language sql stable
    set search_path = pg_catalog, public, pg_temp as $$
    select coalesce(jsonb_object_agg(s.table_name, s.sums), '{}') from (
        select m.table_name, jsonb_object_agg(m.name, m.total) as sums from (
            select u.table_name, u.name, sum(u.amount) as total from (
                select c.table_name, a.key as name, a.value::numeric as amount
                from changes c cross join lateral jsonb_each_text(c.after) a
                where c.county_code = county and (ids is null or c.id = any (ids))
                union all
                select c.table_name, b.key, -b.value::numeric
                from changes c cross join lateral jsonb_each_text(c.before) b
                where c.county_code = county and (ids is null or c.id = any (ids))
            ) u group by u.table_name, u.name
        ) m group by m.table_name
    ) s
$$;

-- The one way records leave the database: whole links from the chain's beginning, older than the retention, already
-- written to a signed file whose digest stays behind in the closing link. The owner alone may call it.
create function archive_records(county text, last bigint, file text, file_digest bytea, keep_days integer)
    returns bigint language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    young constant timestamptz := clock_timestamp() - make_interval(days => greatest(keep_days, 180));
    first bigint;
    closing event_links;
    ids bigint[];
    sums jsonb;
begin
    perform from event_heads h where h.county_code = county for update;
    select coalesce(max(a.last_sequence), 0) + 1 into first from event_archives a where a.county_code = county;
    select * into closing from event_links l where l.county_code = county and l.sequence = last;
    if closing.county_code is null or last < first then
        raise exception '第 % 环不能归档', last using errcode = '22023';
    end if;
    select array_agg(i) into ids from event_links l cross join lateral unnest(l.record_ids) i
        where l.county_code = county and l.sequence between first and last;
    if exists (select from events e where e.county_code = county and e.id = any (ids) and e.recorded_at > young)
        or exists (select from changes c where c.county_code = county and c.id = any (ids) and c.recorded_at > young) then
        raise exception '保存期内的记录不能归档' using errcode = '42501';
    end if;
    sums := trail_sums(county, ids);
    perform set_config('app.archiving', pg_current_xact_id()::text, true);
    delete from events e where e.county_code = county and e.id = any (ids);
    delete from changes c where c.county_code = county and c.id = any (ids);
    delete from event_links l where l.county_code = county and l.sequence between first and last;
    perform set_config('app.archiving', '', true);
    insert into event_archives (county_code, division_code, first_sequence, last_sequence, record_count, hash, sums,
                                file_name, file_digest)
        values (county, county, first, last, cardinality(ids), closing.hash, sums, file, file_digest);
    return cardinality(ids);
end $$;
revoke execute on function archive_records(text, bigint, text, bytea, integer) from public;
