-- What one step asks of the database (0015): the same links and the same trail in fewer statements.

-- One link per transaction and county over everything recorded in it, written at commit. One question finds what is not
-- linked yet, county by county in code order; the head is taken and moved on by one statement, which waits for a
-- colleague's and then goes on from theirs. Who, when and from where must be what the ticket proves: it is asked here,
-- once. A principal of the platform itself (officer 0) may record for the officer it works for.
create or replace function link_records() returns trigger language plpgsql
    security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    this constant bigint := pg_current_xact_id()::text::bigint;
    said text[];
    place text;
    fresh record;
    head event_heads;
begin
    if exists (select from event_heads h where h.county_code = new.county_code and h.transaction = this
               and new.id between h.linked_from and h.linked_to) then
        return null;
    end if;
    if new.transaction <> this then
        raise exception '记录不属于当前事务' using errcode = '42501';
    end if;
    said := ticket();
    place := coalesce(nullif(said[10], ''), host(inet_client_addr()), 'local');
    for fresh in
        select r.county_code, array_agg(r.id order by r.id) as ids, string_agg(r.digest, '' order by r.id) as digests,
            bool_and(r.sound) as sound
        from (
            select e.county_code, e.id, record_digest(e) as digest,
                e.recorded_at between transaction_timestamp() and clock_timestamp() and e.address = place
                    and (said is null or said[6] = '0' or e.officer_id = said[6]::bigint) as sound
            from events e where e.transaction = this
            union all
            select c.county_code, c.id, record_digest(c), c.address = place
                and c.officer_id = coalesce(said[6]::bigint, 0)
                and c.person = coalesce(said[7], '') and c.post_id = coalesce(said[8]::bigint, 0)
                and c.delegation_id = coalesce(said[9]::bigint, 0)
            from changes c where c.transaction = this
        ) r
        left join event_heads h on h.county_code = r.county_code and h.transaction = this
        where h.county_code is null or r.id not between h.linked_from and h.linked_to
        group by r.county_code order by r.county_code
    loop
        if not fresh.sound then
            raise exception '记录的办理人、时间或地址与凭证不符' using errcode = '42501';
        end if;
        loop
            update event_heads h set sequence = h.sequence + 1, hash = sha256(h.hash || fresh.digests),
                transaction = this,
                linked_from = least(fresh.ids[1], case when h.transaction = this then h.linked_from end),
                linked_to = greatest(fresh.ids[cardinality(fresh.ids)],
                                     case when h.transaction = this then h.linked_to end)
                where h.county_code = fresh.county_code returning h.* into head;
            exit when found;
            insert into event_heads (county_code, division_code, sequence, hash)
                values (fresh.county_code, fresh.county_code, 0, '\x00') on conflict (county_code) do nothing;
        end loop;
        insert into event_links (county_code, sequence, division_code, record_ids, hash)
            values (head.county_code, head.sequence, head.county_code, fresh.ids, head.hash);
    end loop;
    return null;
end $$;

-- Which posts carry a ticket: in force, and their holder's account active. Kept by triggers on both, whoever writes and
-- however, so that every statement looks up one row instead of joining post and officer. The officer is held before the
-- row is written: an account can't be closed beside it unseen.
select apply_scope('acting_posts', 'closed');
create function keep_acting_posts() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if tg_op = 'TRUNCATE' then
        truncate acting_posts;
    elsif tg_table_name = 'officers' then
        delete from acting_posts a using posts p where p.officer_id = new.id and a.post_id = p.id;
        insert into acting_posts (post_id, valid_to)
            select p.id, p.valid_to from posts p where p.officer_id = new.id and p.status = 'in_force' and new.active;
    else
        perform from officers o where o.id in (old.officer_id, new.officer_id) order by o.id for share;
        delete from acting_posts a where a.post_id in (old.id, new.id);
        insert into acting_posts (post_id, valid_to)
            select new.id, new.valid_to from officers o
            where o.id = new.officer_id and o.active and new.status = 'in_force';
    end if;
    return null;
end $$;
create trigger acting_posts_kept after insert or update or delete on posts
    for each row execute function keep_acting_posts();
create trigger acting_posts_emptied after truncate on posts
    for each statement execute function keep_acting_posts();
create trigger acting_posts_kept after update on officers
    for each row when (old.active is distinct from new.active) execute function keep_acting_posts();
alter table posts enable always trigger acting_posts_kept;
alter table posts enable always trigger acting_posts_emptied;
alter table officers enable always trigger acting_posts_kept;
insert into acting_posts (post_id, valid_to)
    select p.id, p.valid_to from posts p join officers o on o.id = p.officer_id and o.active
    where p.status = 'in_force';

-- Asked in every statement: two look-ups for the key and the post, the clock only for a post with an end.
create or replace function ticket() returns text[] language plpgsql stable parallel safe security definer
    set search_path = pg_catalog, public, pg_temp as $$
declare
    given constant text := current_setting('app.ticket', true);
    said text[];
    post bigint;
    secret bytea;
    until date;
begin
    if given is null or given = '' then
        return null;
    end if;
    said := string_to_array(substr(given, 66), '|');
    if said[8] = '0' then
        return claims();
    elsif said[8] !~ '^[0-9]{1,18}$' then
        return null;
    end if;
    post := said[8]::bigint;
    select k.key, a.valid_to into secret, until
    from acting_posts a, ticket_keys k where a.post_id = post and k.id = 1;
    if not found or until is not null and until < business_day() then
        return null;
    elsif encode(sha256(secret || sha256(secret || convert_to(substr(given, 66), 'UTF8'))), 'hex')
        is distinct from left(given, 64) then
        return null;
    elsif said[9] <> '0' and not post_in_force(post, said[9]::bigint) then
        return null;
    end if;
    return said;
end $$;

-- The trail's functions stood in pg_catalog (the first schema of their maker's path), which no dump holds: a restored
-- database would have had no trail. They stand in public, and new ones are made there.
do $move$
declare
    f text;
begin
    for f in select p.proname from pg_proc p
             where p.pronamespace = 'pg_catalog'::regnamespace and p.proname like 'trail\_of\_%' loop
        execute format('alter function pg_catalog.%I() set schema public', f);
    end loop;
end
$move$;
drop function watch_changes(text, text[], text[]);
create function watch_changes(t text, unseen text[] default '{}',
                              operations text[] default '{insert,update,delete,truncate}') returns void
    language plpgsql set search_path = pg_catalog, public, pg_temp as $make$
declare
    place constant regclass := t::regclass;
    names text[];
    kinds text[];
    keys text[];
    fen text[];
    operation text;
begin
    select array_agg(a.attname::text order by a.attnum), array_agg(format_type(a.atttypid, null) order by a.attnum)
        into names, kinds from pg_attribute a where a.attrelid = place and a.attnum > 0 and not a.attisdropped;
    select array_agg(a.attname::text order by k.nth) into keys
        from (select i.* from pg_index i where i.indrelid = place and i.indisunique and i.indexprs is null
              order by i.indisprimary desc, i.indexrelid limit 1) i
        cross join lateral unnest(i.indkey) with ordinality as k (attnum, nth)
        join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum;
    select coalesce(array_agg(name order by name), '{}') into fen from unnest(names, kinds) as u (name, kind)
        where name like '%\_fen' and kind in ('bigint', 'integer');
    execute format('create or replace function public.%I() returns trigger language plpgsql security definer'
        ' set search_path = pg_catalog, public, pg_temp as %L', 'trail_of_' || t,
        trail_body(t, names, kinds, keys, fen, unseen));
    execute format('revoke execute on function public.%I() from public', 'trail_of_' || t);
    foreach operation in array array['insert', 'update', 'delete', 'truncate'] loop
        execute format('drop trigger if exists trail_%s on %I', operation, t);
        continue when operation <> all (operations);
        execute format('create trigger trail_%s %s %s on %I %s for each statement execute function public.%I()',
            operation, case operation when 'truncate' then 'before' else 'after' end, operation, t,
            case operation when 'insert' then 'referencing new table as fresh'
                when 'update' then 'referencing old table as stale new table as fresh'
                when 'delete' then 'referencing old table as stale' else '' end, 'trail_of_' || t);
    end loop;
end $make$;
revoke execute on function watch_changes(text, text[], text[]) from public;
