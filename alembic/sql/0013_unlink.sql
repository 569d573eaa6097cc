-- The recipe of 0005 again, one link per event.
create function event_digest(previous bytea, e events) returns bytea language sql immutable as $$
    select sha256(previous || convert_to(concat_ws('|', e.county_code, e.id, e.division_code, e.noun, e.record_id,
        e.verb, e.desk, e.officer_id, e.person, e.officer_name, e.post, e.from_status, e.to_status, e.opinion,
        e.facts::text, extract(epoch from e.business_at), extract(epoch from e.recorded_at)), 'UTF8'))
$$;
delete from event_links;
insert into event_links (county_code, sequence, division_code, record_ids, event_id, hash)
    select e.county_code, row_number() over (partition by e.county_code order by e.id), e.county_code, '{}', e.id, '\x00'
    from events e;
do $unlink$
declare
    link record;
    previous bytea;
    county text := '';
begin
    for link in
        select l.county_code, l.sequence, e as event
        from event_links l join events e on e.county_code = l.county_code and e.id = l.event_id
        order by l.county_code, l.sequence
    loop
        previous := event_digest(case when link.county_code = county then previous else '\x00' end, link.event);
        county := link.county_code;
        update event_links l set hash = previous where l.county_code = county and l.sequence = link.sequence;
        update event_heads h set hash = previous, sequence = link.sequence where h.county_code = county;
    end loop;
end
$unlink$;
delete from event_heads h where not exists (select from event_links l where l.county_code = h.county_code);

create function link_event() returns trigger language plpgsql
    security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    head event_heads;
    fresh bytea;
begin
    insert into event_heads (county_code, division_code, sequence, hash)
        values (new.county_code, new.county_code, 0, '\x00') on conflict (county_code) do nothing;
    select * into head from event_heads where county_code = new.county_code for update;
    fresh := event_digest(head.hash, new);
    insert into event_links (county_code, sequence, division_code, event_id, hash)
        values (new.county_code, head.sequence + 1, new.county_code, new.id, fresh);
    update event_heads set sequence = head.sequence + 1, hash = fresh where county_code = new.county_code;
    return null;
end $$;
create constraint trigger events_linked after insert on events deferrable initially deferred
    for each row execute function link_event();
create trigger events_append_only before update or delete on events for each row execute function refuse_change();
create trigger links_append_only before update or delete on event_links for each row execute function refuse_change();
create trigger events_no_truncate before truncate on events for each statement execute function refuse_change();
