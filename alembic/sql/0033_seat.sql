-- One step's seat and event: what the policies of both tables ask, asked once, with plans that are kept. Null: the ticket
-- doesn't reach the record by its range (a bank, an officer's own record); the caller goes by the tables themselves.
-- Another desk than the one asked for: the person holds that one already, and nothing is written. （第二十三条）
create function seat_and_tell(county text, division text, kind text, record bigint, did text, said_as text, seat text,
    officer bigint, who text, officer_called text, in_post text, was text, became text, word text, told jsonb,
    moment timestamptz) returns text language plpgsql security definer
    set search_path = pg_catalog, public, pg_temp as $$
declare
    said constant text[] := ticket();
    held text;
begin
    if said is null or said[1] is null or division < said[1] or division >= said[2] or left(division, 6) = said[3]
        or said[6] <> '0' and (said[6]::bigint, said[7]) is distinct from (officer, who)
    then
        return null;
    end if;
    insert into desk_holders (division_code, noun, record_id, person, desk) values (division, kind, record, who, seat)
        on conflict do nothing;
    if not found then
        select h.desk into held from desk_holders h where h.noun = kind and h.record_id = record and h.person = who;
        if held is distinct from seat then
            return held;
        end if;
    end if;
    insert into events (county_code, division_code, noun, record_id, verb, label, desk, officer_id, person,
            officer_name, post, from_status, to_status, opinion, facts, business_at)
        values (county, division, kind, record, did, said_as, seat, officer, who, officer_called, in_post, was, became,
            word, told, moment);
    return seat;
end $$;
revoke execute on function seat_and_tell(text, text, text, bigint, text, text, text, bigint, text, text, text, text, text,
    text, jsonb, timestamptz) from public;
grant execute on function seat_and_tell(text, text, text, bigint, text, text, text, bigint, text, text, text, text, text,
    text, jsonb, timestamptz) to yikatong_app;
