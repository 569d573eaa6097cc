-- Search of the registry at ten million people (DESIGN D2). No operator for "contains" is leakproof, so under a policy
-- its index goes unused: what is searched by a part of a name, a village or a state goes through `search_people`, which
-- applies the caller's range itself and returns ids; the page then reads the rows under the policies.

-- A name as it is indexed: its characters, each behind the county's six digits, so that one county's 王 is a list of its
-- own: a GIN index can't stop early, so no list may be the region's. One and two characters are found as well as five.
create function name_letters(county text, name text) returns text[] language sql immutable parallel safe as $$
    select string_to_array(rtrim(regexp_replace(replace(name, '·', ''), '(.)', left(county, 6) || '\1 ', 'g')), ' ')
$$;
create index ix_members_name_letters on members using gin (name_letters(county_code, name_key)) where current;
create index ix_members_gone on members (division_code, id) where status <> 'alive';
create index ix_members_unmatched on members (division_code, id)
    where identity_outcome is null or identity_outcome <> 'match';
create index ix_members_former_id_index on members (id_index) where not current;
create index ix_members_merged_into on members (merged_into) where merged_into is not null;

-- The villages that households name, kept by the database itself: a search by a part of a village's name reads
-- thousands of rows here instead of millions there.
select apply_scope('villages', 'ranged');
revoke insert, update, delete on villages from yikatong_app;
create function villages_follow() returns trigger language plpgsql
    security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    insert into villages (division_code, county_code, name)
    select distinct f.division_code, f.county_code, f.village from fresh f
    where f.village <> '' and not exists (select from villages v
        where v.division_code = f.division_code and v.name = f.village)
    on conflict do nothing;
    return null;
end $$;
create trigger villages_begin after insert on households referencing new table as fresh
    for each statement execute function villages_follow();
create trigger villages_go_on after update on households referencing new table as fresh
    for each statement execute function villages_follow();
insert into villages (division_code, county_code, name)
select distinct h.division_code, h.county_code, h.village from households h where h.village <> '';

-- Ids of current people by a part of the name, a part of the village, a state and what the police said, a page at a
-- time: the next page begins after the last place, key and id of this one. A plan made before the words are known would
-- rather walk the range than the letters: the range is compared in a way that no index answers.
create function search_people(word text, village_word text, wanted text, outcome text, after_place text,
    after_key text, after_id bigint, most integer) returns table (id bigint, place text, sort_key text)
    language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    low constant text := (ticket())[1];
    high constant text := (claims())[2];
    hole constant text := (claims())[3];
    bare constant text := replace(word, '·', '');
    from_place constant text := greatest(after_place collate "C", low collate "C");
    from_id constant bigint := case when from_place = after_place then after_id else 0 end;
    rest integer := least(greatest(most, 0), 1000);
begin
    if low is null or low = '' then
        return;
    end if;
    -- One statement with a limit inside and outside: the counties (the villages) are gone through in their order until
    -- the page is full, under one plan. A single letter beside a village or a rare state is looked for among the latter.
    if bare <> '' and (length(bare) > 1 or village_word = '' and wanted in ('', 'alive')) then
        return query
            select f.id, f.county_code::text, f.name_key::text
            from (
                select d.code, name_letters(d.code, bare) as letters from divisions d
                where d.level = 'county' and d.code >= rpad(left(low, 6), 12, '0') collate "C"
                    and d.code < high collate "C" and left(d.code, 6) <> hole and d.code >= after_place collate "C"
                order by d.code
            ) c, lateral (
                select m.id, m.county_code, m.name_key from members m
                where name_letters(m.county_code, m.name_key) @> c.letters and m.current
                    and strpos(replace(m.name_key, '·', ''), bare) > 0
                    and m.division_code || '' >= low collate "C" and m.division_code || '' < high collate "C"
                    and (wanted = '' or m.status = wanted)
                    and (outcome = '' or coalesce(m.identity_outcome, 'unchecked') = outcome)
                    and (village_word = '' or exists (select from households h where h.division_code = m.division_code
                        and h.id = m.household_id and strpos(h.village, village_word) > 0))
                    and (c.code > after_place or (m.name_key collate "C", m.id) > (after_key, after_id))
                order by m.name_key collate "C", m.id limit rest
            ) f limit rest;
    elsif village_word <> '' then
        return query
            select f.id, v.sorted, f.name_key::text
            from (
                select w.division_code, w.name, w.division_code || ' ' || w.name as sorted from villages w
                where w.division_code >= low and w.division_code < high and left(w.division_code, 6) <> hole
                    and strpos(w.name, village_word) > 0
                    and (w.division_code || ' ' || w.name) collate "C" >= after_place collate "C"
                order by (w.division_code || ' ' || w.name) collate "C"
            ) v, lateral (
                select m.id, m.name_key
                from households h join members m on m.division_code = h.division_code and m.household_id = h.id
                where h.division_code = v.division_code and h.village = v.name and h.status = 'active' and m.current
                    and (bare = '' or strpos(replace(m.name_key, '·', ''), bare) > 0)
                    and (wanted = '' or m.status = wanted)
                    and (outcome = '' or coalesce(m.identity_outcome, 'unchecked') = outcome)
                    and (v.sorted <> after_place or (m.name_key collate "C", m.id) > (after_key, after_id))
                order by m.name_key collate "C", m.id limit rest
            ) f limit rest;
    -- Without a longer word the order is that of the list; the rare states have an index of their own each. The range begins
    -- where the page does: two lower bounds would let the scan begin at the lesser.
    elsif wanted not in ('', 'alive') then
        return query
            select m.id, m.division_code::text, ''::text from members m
            where m.status <> 'alive' and m.status = wanted and m.current
                and (bare = '' or strpos(replace(m.name_key, '·', ''), bare) > 0)
                and m.division_code < high and left(m.division_code, 6) <> hole
                and (outcome = '' or coalesce(m.identity_outcome, 'unchecked') = outcome)
                and (m.division_code, m.id) > (from_place collate "C", from_id)
            order by m.division_code, m.id limit rest;
    elsif outcome not in ('', 'match') then
        return query
            select m.id, m.division_code::text, ''::text from members m
            where (m.identity_outcome is null or m.identity_outcome <> 'match') and m.current
                and coalesce(m.identity_outcome, 'unchecked') = outcome
                and m.division_code < high and left(m.division_code, 6) <> hole
                and (wanted = '' or m.status = wanted)
                and (m.division_code, m.id) > (from_place collate "C", from_id)
            order by m.division_code, m.id limit rest;
    else
        return query
            select m.id, m.division_code::text, ''::text from members m
            where m.current and m.division_code < high and left(m.division_code, 6) <> hole
                and (wanted = '' or m.status = wanted)
                and (outcome = '' or coalesce(m.identity_outcome, 'unchecked') = outcome)
                and (m.division_code, m.id) > (from_place collate "C", from_id)
            order by m.division_code, m.id limit rest;
    end if;
end $$;

-- The window (第二十六、三十条): one number, everything of the person. Whoever asks holds the permission.
select apply_scope('enquiries', 'ranged');
revoke update, delete on enquiries from yikatong_app;
select watch_changes('enquiries');

create function may_enquire() returns boolean language sql stable security definer
    set search_path = pg_catalog, public, pg_temp as $$
    select exists (select from posts p join organisations g on g.id = p.organisation_id
        where p.id = (select (ticket())[8]::bigint) and post_permits(p.role, g.level, g.kind, 'enquiry:make'))
$$;

-- One natural person under all the marks that transfers and merged records have left.
create function same_person(who text) returns text[] language plpgsql stable security definer
    set search_path = pg_catalog, public, pg_temp as $$
declare
    known text[] := array[who];
    grown text[];
begin
    loop
        select array_agg(distinct t.mark order by t.mark) into grown from (
            select unnest(known)
            union all
            select k.person from members m join members k on k.id = m.merged_into
            where m.person = any (known) and m.merged_into is not null
            union all
            select f.person from members m join members f on f.merged_into = m.id where m.person = any (known)
        ) t (mark);
        exit when grown = known or cardinality(grown) > 100;
        known := grown;
    end loop;
    return known;
end $$;
revoke execute on function may_enquire(), same_person(text) from public;

-- Whose number it is, over the whole region: random marks only, one row per natural person.
create function enquiry_persons(kind text, key bytea) returns table (persons text[])
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select distinct same_person(f.person) from (
        select m.person from members m where kind = 'id' and m.id_index = key and m.current
        union
        select m.person from members m where kind = 'id' and m.id_index = key and not m.current
        union
        select m.person from accounts a join members m on m.division_code = a.division_code and m.id = a.member_id
        where kind = 'account' and a.number_index = key
    ) f
    where may_enquire()
$$;

-- How many payments of a person the caller's range and sector don't show: the number alone, no place, no amount.
create function payments_elsewhere(persons text[]) returns bigint
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select count(*) from members m
    join roster_lines l on l.division_code = m.division_code and l.member_id = m.id and l.state <> 'stopped'
    where m.person = any (persons) and may_enquire()
        and not (m.division_code >= (select (ticket())[1]) and m.division_code < (select (claims())[2])
            and left(m.division_code, 6) <> (select (claims())[3])
            and (select (claims())[4]) in ('', l.sector))
$$;
