-- What no application code may get round: balanced, append-only books; a hash chain of events; policy versions.
create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% 只能追加，不能修改或删除', tg_table_name using errcode = '42501';
end $$;

create trigger events_append_only before update or delete on events for each row execute function refuse_change();
create trigger links_append_only before update or delete on event_links for each row execute function refuse_change();
create trigger entries_append_only before update or delete on journal_entries
    for each row execute function refuse_change();
create trigger postings_append_only before update or delete on postings for each row execute function refuse_change();
create trigger events_no_truncate before truncate on events for each statement execute function refuse_change();
create trigger entries_no_truncate before truncate on journal_entries
    for each statement execute function refuse_change();
create trigger postings_no_truncate before truncate on postings for each statement execute function refuse_change();

-- Double entry (DESIGN D6): one statement's postings sum to zero per entry. Statement-level: linear in the lines.
create function postings_balance() returns trigger language plpgsql as $$
begin
    if exists (select 1 from fresh group by county_code, entry_id having sum(amount_fen) <> 0) then
        raise exception '凭证借贷不平' using errcode = '23514', constraint = 'postings_zero_sum';
    end if;
    return null;
end $$;
create trigger postings_zero_sum after insert on postings referencing new table as fresh
    for each statement execute function postings_balance();

-- The hash chain of events (DESIGN D9): linked at commit, when the county's head row is taken for the shortest time.
create function event_digest(previous bytea, e events) returns bytea language sql immutable as $$
    select sha256(previous || convert_to(concat_ws('|', e.county_code, e.id, e.division_code, e.noun, e.record_id,
        e.verb, e.desk, e.officer_id, e.person, e.officer_name, e.post, e.from_status, e.to_status, e.opinion,
        e.facts::text, extract(epoch from e.business_at), extract(epoch from e.recorded_at)), 'UTF8'))
$$;

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

create function raise_policy_version() returns trigger language plpgsql
    security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    update policy_version set version = version + 1;
    perform pg_notify('policy', '');
    return null;
end $$;
create trigger policy_rules_versioned after insert or update or delete or truncate on policy_rules
    for each statement execute function raise_policy_version();
insert into policy_version (id, version) values (1, 1);
insert into business_clock (id, moved_by, movable) values (1, interval '0', false);
