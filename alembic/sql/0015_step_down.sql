-- The functions as they were before 0015.
-- Asked in every statement: one query for the key and the post, the clock only for a post with an end.
create or replace function ticket() returns text[] language plpgsql stable parallel safe security definer
    set search_path = pg_catalog, public, pg_temp as $$
declare
    given constant text := current_setting('app.ticket', true);
    said text[];
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
    select k.key, p.valid_to into secret, until
    from ticket_keys k, posts p join officers o on o.id = p.officer_id and o.active
    where k.id = 1 and p.id = said[8]::bigint and p.status = 'in_force';
    if not found or until is not null and until < business_day() then
        return null;
    elsif encode(sha256(secret || sha256(secret || convert_to(substr(given, 66), 'UTF8'))), 'hex')
        is distinct from left(given, 64) then
        return null;
    elsif said[9] <> '0' and not post_in_force(said[8]::bigint, said[9]::bigint) then
        return null;
    end if;
    return said;
end $$;

create or replace function link_records() returns trigger language plpgsql
    security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    this constant bigint := pg_current_xact_id()::text::bigint;
    counties text[];
    said text[];
    place text;
    head event_heads;
    ids bigint[];
    fresh bytea;
    sound boolean;
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
    select array_agg(r.county_code order by r.county_code) into counties from (
        select county_code from events where transaction = this
        union select county_code from changes where transaction = this) r;
    if (select count(*) from event_heads h where h.county_code = any (counties)) < cardinality(counties) then
        insert into event_heads (county_code, division_code, sequence, hash)
            select code, code, 0, '\x00' from unnest(counties) code order by code on conflict (county_code) do nothing;
    end if;
    for head in select h.* from event_heads h where h.county_code = any (counties) order by h.county_code for update loop
        select array_agg(r.id order by r.id), sha256(head.hash || string_agg(r.digest, '' order by r.id)), bool_and(r.sound)
            into ids, fresh, sound
            from (
                select e.id, record_digest(e) as digest,
                    e.recorded_at between transaction_timestamp() and clock_timestamp() and e.address = place
                        and (said is null or said[6] = '0' or e.officer_id = said[6]::bigint) as sound
                from events e where e.transaction = this and e.county_code || '' = head.county_code
                union all
                select c.id, record_digest(c), c.address = place and c.officer_id = coalesce(said[6]::bigint, 0)
                    and c.person = coalesce(said[7], '') and c.post_id = coalesce(said[8]::bigint, 0)
                    and c.delegation_id = coalesce(said[9]::bigint, 0)
                from changes c where c.transaction = this and c.county_code || '' = head.county_code
            ) r
            where head.transaction is distinct from this or r.id not between head.linked_from and head.linked_to;
        continue when ids is null;
        if not sound then
            raise exception '记录的办理人、时间或地址与凭证不符' using errcode = '42501';
        end if;
        insert into event_links (county_code, sequence, division_code, record_ids, hash)
            values (head.county_code, head.sequence + 1, head.county_code, ids, fresh);
        update event_heads h set sequence = head.sequence + 1, hash = fresh, transaction = this,
            linked_from = least(ids[1], case when head.transaction = this then head.linked_from end),
            linked_to = greatest(ids[cardinality(ids)], case when head.transaction = this then head.linked_to end)
            where h.county_code = head.county_code;
    end loop;
    return null;
end $$;

drop trigger acting_posts_kept on officers;
drop trigger acting_posts_emptied on posts;
drop trigger acting_posts_kept on posts;
drop function keep_acting_posts();

do $move$
declare
    f text;
begin
    for f in select p.proname from pg_proc p
             where p.pronamespace = 'public'::regnamespace and p.proname like 'trail\_of\_%' loop
        execute format('alter function public.%I() set schema pg_catalog', f);
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
    execute format('create or replace function %I() returns trigger language plpgsql security definer'
        ' set search_path = pg_catalog, public, pg_temp as %L', 'trail_of_' || t,
        trail_body(t, names, kinds, keys, fen, unseen));
    execute format('revoke execute on function %I() from public', 'trail_of_' || t);
    foreach operation in array array['insert', 'update', 'delete', 'truncate'] loop
        execute format('drop trigger if exists trail_%s on %I', operation, t);
        continue when operation <> all (operations);
        execute format('create trigger trail_%s %s %s on %I %s for each statement execute function %I()',
            operation, case operation when 'truncate' then 'before' else 'after' end, operation, t,
            case operation when 'insert' then 'referencing new table as fresh'
                when 'update' then 'referencing old table as stale new table as fresh'
                when 'delete' then 'referencing old table as stale' else '' end, 'trail_of_' || t);
    end loop;
end $make$;
revoke execute on function watch_changes(text, text[], text[]) from public;
