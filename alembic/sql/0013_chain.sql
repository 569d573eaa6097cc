-- Records are written once. Only the archive takes some away, in a transaction that says so (see archive_records).
create function refuse_record_change() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' and current_setting('app.archiving', true) = pg_current_xact_id()::text then
        return old;
    end if;
    raise exception '% 只能追加，不能修改或删除', tg_table_name using errcode = '42501';
end $$;

drop trigger events_append_only on events;
drop trigger events_no_truncate on events;
create trigger events_append_only before update or delete on events
    for each row execute function refuse_record_change();
create trigger changes_append_only before update or delete on changes
    for each row execute function refuse_record_change();
create trigger links_append_only before update or delete on event_links
    for each row execute function refuse_record_change();
create trigger refusals_append_only before update or delete on refusals for each row execute function refuse_change();
create trigger desk_holders_append_only before update or delete on desk_holders
    for each row execute function refuse_change();
create trigger archives_append_only before update or delete on event_archives
    for each row execute function refuse_change();
do $truncate$
declare
    t text;
begin
    foreach t in array array['events', 'changes', 'event_links', 'event_heads', 'refusals', 'desk_holders',
                             'event_archives'] loop
        execute format('create trigger append_only_truncate before truncate on %I for each statement'
                       ' execute function refuse_change()', t);
    end loop;
end
$truncate$;

-- One link per transaction and county over everything recorded in it, written at commit while the heads of the counties
-- concerned are held, in code order. Who, when and from where must be what the ticket proves: it is asked here, once.
-- A principal of the platform itself (officer 0) may record for the officer it works for.
create function link_records() returns trigger language plpgsql
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

create constraint trigger events_linked after insert on events deferrable initially deferred
    for each row execute function link_records();
create constraint trigger changes_linked after insert on changes deferrable initially deferred
    for each row execute function link_records();
