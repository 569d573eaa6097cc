-- Exchange with the twelve bodies of Article 29: who may tell what, what was received, what it said of whom.

select apply_scope(t, 'reference') from unnest(array['exchange_bodies', 'exchange_batches']) t;
select apply_scope(t, 'closed') from unnest(array['exchange_keys', 'exchange_nonces', 'exchange_rows']) t;
select apply_scope(t, 'ranged') from unnest(array['exchange_facts', 'exchange_coverage']) t;
revoke insert, update, delete on exchange_facts, exchange_coverage from yikatong_app;
select watch_changes('exchange_bodies', '{last_number,last_received_at,last_applied_at,last_as_of}');
select watch_changes(t) from unnest(array['exchange_keys', 'exchange_batches', 'exchange_facts']) t;

-- Inserted under watch: the trail tells of them from their first row on.
insert into exchange_bodies (code, name, kinds) values
    ('finance', '财政', '{other}'),
    ('police', '公安', '{person,death}'),
    ('civil', '民政', '{rural_allowance,urban_allowance,extreme_poverty,orphan,death}'),
    ('labour', '人社', '{public_job}'),
    ('housing', '住建', '{housing}'),
    ('agriculture', '农牧',
        '{contracted_land,leased_in,leased_out,excluded_land,grassland,livestock,difficulty}'),
    ('health', '卫健', '{family_planning,death}'),
    ('veterans', '退役军人', '{veteran}'),
    ('emergency', '应急', '{other}'),
    ('forestry', '林草', '{grassland,forest,ranger}'),
    ('disabled', '残联', '{disability}'),
    ('tax', '税务', '{tax}');
set constraints all immediate;
set constraints all deferred;

do $generation$
begin
    execute format('alter table exchange_rows add constraint ck_exchange_rows_id_index_generation'
        ' check (get_byte(id_index, 0) = %s)', (select generation from index_generation where id = 1));
end
$generation$;

-- A key is set, and an interface switched, by a post that may keep the exchange.
create function exchange_keep(body bigint, sealed bytea, on_ boolean) returns boolean
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if not coalesce((select post_permits(p.role, g.level, g.kind, 'exchange:keep') from posts p
        join organisations g on g.id = p.organisation_id where p.id = ((ticket())[8])::bigint), false)
    then
        raise exception '无权维护共享接口' using errcode = '42501';
    end if;
    if sealed is not null then
        insert into exchange_keys (body_id, key) values (body, sealed)
        on conflict (body_id) do update set key = excluded.key;
    end if;
    update exchange_bodies b set enabled = on_ and (sealed is not null or b.key_set_at is not null),
        key_set_at = case when sealed is null then b.key_set_at else clock_timestamp() end
    where b.id = body;
    return found;
end $$;

-- The envelope of a body's key: it opens only in a process that holds the key file.
create function exchange_secret(body_code text) returns table (id bigint, name text, enabled boolean, kinds text[],
    last_number bigint, key bytea)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select b.id, b.name, b.enabled, b.kinds, b.last_number, k.key
    from exchange_bodies b join exchange_keys k on k.body_id = b.id
    where b.code = body_code and (select (ticket())[8]) = '0'
$$;

-- Admits a signed request once, in its time, and not too often: "", "late", "replayed" or "busy".
create function exchange_admit(body bigint, nonce_ text, signed_at double precision, slack integer, most integer)
    returns text language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if (ticket())[8] is distinct from '0' then
        raise exception '只供共享接口使用' using errcode = '42501';
    end if;
    if abs(extract(epoch from clock_timestamp()) - signed_at) > slack then
        return 'late';
    end if;
    delete from exchange_nonces n
    where n.body_id = body and n.admitted_at < clock_timestamp() - make_interval(secs => 3 * slack);
    insert into exchange_nonces (body_id, nonce, admitted_at) values (body, nonce_, clock_timestamp())
    on conflict do nothing;
    if not found then
        return 'replayed';
    end if;
    if (select count(*) from exchange_nonces n
        where n.body_id = body and n.admitted_at > clock_timestamp() - interval '1 minute') > most
    then
        return 'busy';
    end if;
    return '';
end $$;

-- Receives a batch: its number once for ever, its rows staged. Returns the batch of that number as it now stands, and
-- whether it is new; the caller compares the digest.
create function exchange_receive(body bigint, number_ bigint, digest_ text, receipt_ text, rows_ jsonb)
    returns table (id bigint, fresh boolean)
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    moment constant timestamptz := clock_timestamp() + (select c.moved_by from business_clock c);
    found_ bigint;
    highest bigint;
begin
    if (ticket())[8] is distinct from '0' then
        raise exception '只供共享接口使用' using errcode = '42501';
    end if;
    perform 1 from exchange_bodies b where b.id = body for update;
    select b.id into found_ from exchange_batches b where b.body_id = body and b.number = number_;
    if found then
        return query select found_, false;
        return;
    end if;
    update exchange_bodies b set last_number = greatest(b.last_number, number_), last_received_at = moment
    where b.id = body returning b.last_number into highest;
    insert into exchange_batches (body_id, body_name, number, receipt, digest, status, row_count, outcomes, missing,
        last_as_of, received_at)
    select body, b.name, number_, receipt_, digest_, 'received', jsonb_array_length(rows_), '{}', array(
            select n from generate_series(greatest(1, highest - 1000), highest) n
            where n <> number_ and not exists (select from exchange_batches o where o.body_id = body and o.number = n)
            order by n limit 100),
        (select max((r ->> 'as_of')::date) from jsonb_array_elements(rows_) r), moment
    from exchange_bodies b where b.id = body
    returning exchange_batches.id into found_;
    insert into exchange_rows (batch_id, row_number, id_index, name_digest, kind, number, level, quantity, state,
        died_on, valid_from, valid_to, ended, as_of)
    select found_, r.row_number, decode(r.id_index, 'hex'), decode(r.name_digest, 'hex'), r.kind,
        decode(r.number, 'hex'), r.level, r.quantity, r.state, r.died_on, r.valid_from, r.valid_to, r.ended, r.as_of
    from jsonb_to_recordset(rows_) as r (row_number integer, id_index text, name_digest text, kind text, number text,
        level text, quantity numeric, state text, died_on date, valid_from date, valid_to date, ended boolean,
        as_of date);
    return query select found_, true;
end $$;

-- What the township has registered against what a body says: the first difference of a row, or null.
create function exchange_difference(r exchange_rows, receipt text, source_ text, floor_ numeric, share numeric)
    returns text language sql stable set search_path = pg_catalog, public, pg_temp as $$
    select case
        when r.kind in ('person', 'death') then (
            select case
                when r.name_digest is not null
                    and r.name_digest <> sha256(convert_to(receipt || ':' || m.name_key, 'UTF8')) then 'name'
                when r.state = 'dead' and m.status <> 'dead' then 'dead'
                when r.state = 'alive' and m.status = 'dead' then 'alive' end
            from members m where m.division_code = r.place and m.id = r.member_id)
        when r.quantity is not null then (
            select case when abs(told.total - own.total) > greatest(floor_, own.total * share) then 'area' end
            from members m,
                lateral (select coalesce(sum(f.quantity) filter (where not f.ended), 0) as total
                    from members o join exchange_facts f on f.division_code = o.division_code and f.member_id = o.id
                        and f.source = source_ and f.kind = r.kind
                    where o.division_code = m.division_code and o.household_id = m.household_id and o.current) told,
                lateral (select coalesce(sum(a.quantity), 0) as total from assets a
                    where a.division_code = m.division_code and a.household_id = m.household_id and a.kind = r.kind
                        and a.ended_on is null) own
            where m.division_code = r.place and m.id = r.member_id)
        else (
            select case
                when r.ended then 'ended'
                when r.level <> '' and c.level <> '' and c.level <> r.level then 'level'
                when c.valid_to is distinct from r.valid_to then 'validity' end
            from certificates c
            where c.division_code = r.place and c.member_id = r.member_id and c.kind = r.kind
                and c.source = 'township' and c.ended_on is null
            order by c.id desc limit 1)
    end
$$;
revoke execute on function exchange_difference(exchange_rows, text, text, numeric, numeric) from public;

-- Applies a batch, once: persons are matched by blind index and never created; what is older than what the same body
-- has said is passed over; the body's own certificates follow; what the township registered stays as it is. Returns
-- the members whose difference is told ('' where it has gone).
create function exchange_apply(batch bigint, floor_ numeric, share numeric) returns table (member_id bigint, conflict text)
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
#variable_conflict use_column
declare
    moment constant timestamptz := clock_timestamp() + (select c.moved_by from business_clock c);
    about exchange_batches;
    source_ text;
    before_ bigint[];
begin
    if (ticket())[8] is distinct from '0' then
        raise exception '只供共享接口使用' using errcode = '42501';
    end if;
    select b.* into about from exchange_batches b where b.id = batch and b.status = 'received' for update;
    if not found then
        return;
    end if;
    select b.code into source_ from exchange_bodies b where b.id = about.body_id;

    update exchange_rows r set member_id = m.id, place = m.division_code from members m
    where r.batch_id = batch and m.id_index = r.id_index and m.current;
    update exchange_rows r set outcome = 'unknown' where r.batch_id = batch and r.member_id is null;
    update exchange_rows r set outcome = 'older'
    from (select o.row_number, row_number() over (partition by o.member_id, o.kind
            order by o.as_of desc, o.row_number desc) as nth
        from exchange_rows o where o.batch_id = batch and o.outcome = '') o
    where r.batch_id = batch and r.row_number = o.row_number and o.nth > 1;
    update exchange_rows r set outcome = case when f.as_of > r.as_of then 'older' else 'unchanged' end
    from exchange_facts f
    where r.batch_id = batch and r.outcome = '' and f.division_code = r.place and f.member_id = r.member_id
        and f.source = source_ and f.kind = r.kind and (f.as_of > r.as_of or f.as_of = r.as_of
            and (f.level, f.quantity, f.state, f.died_on, f.valid_from, f.valid_to, f.ended)
                is not distinct from (r.level, r.quantity, r.state, r.died_on, r.valid_from, r.valid_to, r.ended));
    update exchange_rows r set outcome = 'applied' where r.batch_id = batch and r.outcome = '';

    insert into exchange_coverage as c (division_code, source, fact_count, last_as_of)
    select left(r.place, 6) || '000000', source_, count(*) filter (where not exists (select from exchange_facts f
            where f.division_code = r.place and f.member_id = r.member_id and f.source = source_
                and f.kind = r.kind)), max(r.as_of)
    from exchange_rows r where r.batch_id = batch and r.outcome = 'applied' group by 1 order by 1
    on conflict (division_code, source) do update set fact_count = c.fact_count + excluded.fact_count,
        last_as_of = greatest(c.last_as_of, excluded.last_as_of);
    insert into exchange_facts as f (division_code, county_code, member_id, source, kind, level, quantity, state,
        died_on, valid_from, valid_to, ended, as_of, batch_id)
    select r.place, left(r.place, 6) || '000000', r.member_id, source_, r.kind, r.level, r.quantity, r.state,
        r.died_on, r.valid_from, r.valid_to, r.ended, r.as_of, batch
    from exchange_rows r where r.batch_id = batch and r.outcome = 'applied' order by r.place, r.member_id
    on conflict (division_code, member_id, source, kind) do update set level = excluded.level,
        quantity = excluded.quantity, state = excluded.state, died_on = excluded.died_on,
        valid_from = excluded.valid_from, valid_to = excluded.valid_to, ended = excluded.ended, as_of = excluded.as_of,
        batch_id = excluded.batch_id;

    update certificates c set number = r.number, level = r.level, valid_from = coalesce(r.valid_from, c.valid_from),
        valid_to = r.valid_to, as_of = r.as_of, ended_on = case when r.ended then r.as_of end
    from exchange_rows r
    where r.batch_id = batch and r.outcome = 'applied' and r.quantity is null and r.kind not in ('person', 'death')
        and c.division_code = r.place and c.member_id = r.member_id and c.kind = r.kind and c.source = source_;
    insert into certificates (division_code, county_code, member_id, kind, number, level, valid_from, valid_to, source,
        as_of)
    select r.place, left(r.place, 6) || '000000', r.member_id, r.kind, r.number, r.level,
        coalesce(r.valid_from, r.as_of), r.valid_to, source_, r.as_of
    from exchange_rows r
    where r.batch_id = batch and r.outcome = 'applied' and r.quantity is null and r.kind not in ('person', 'death')
        and not r.ended and not exists (select from certificates c where c.division_code = r.place
            and c.member_id = r.member_id and c.kind = r.kind and c.source = source_);

    before_ := array(select f.member_id from exchange_facts f join exchange_rows r on r.place = f.division_code
        and r.member_id = f.member_id where r.batch_id = batch and f.conflict is not null);
    update exchange_facts f set conflict = d.difference
    from exchange_rows r,
        lateral (select exchange_difference(r, about.receipt, source_, floor_, share) as difference) d
    where r.batch_id = batch and r.outcome in ('applied', 'unchanged') and f.division_code = r.place
        and f.member_id = r.member_id and f.source = source_ and f.kind = r.kind
        and f.conflict is distinct from d.difference;

    update exchange_batches b set status = 'applied', applied_at = moment,
        applied_count = n.applied, unchanged_count = n.unchanged, older_count = n.older, unknown_count = n.unknown,
        conflict_count = coalesce(jsonb_array_length(n.differs), 0),
        outcomes = jsonb_strip_nulls(jsonb_build_object('unknown', n.unknowns, 'older', n.olders,
            'conflict', n.differs))
    from (select count(*) filter (where r.outcome = 'applied') as applied,
            count(*) filter (where r.outcome = 'unchanged') as unchanged,
            count(*) filter (where r.outcome = 'older') as older,
            count(*) filter (where r.outcome = 'unknown') as unknown,
            jsonb_agg(r.row_number order by r.row_number) filter (where r.outcome = 'unknown') as unknowns,
            jsonb_agg(r.row_number order by r.row_number) filter (where r.outcome = 'older') as olders,
            jsonb_agg(r.row_number order by r.row_number) filter (where f.conflict is not null) as differs
        from exchange_rows r left join exchange_facts f on r.outcome in ('applied', 'unchanged')
            and f.division_code = r.place and f.member_id = r.member_id and f.source = source_ and f.kind = r.kind
        where r.batch_id = batch) n
    where b.id = batch;
    update exchange_bodies b set last_applied_at = moment,
        last_as_of = greatest(b.last_as_of, about.last_as_of) where b.id = about.body_id;

    return query
        select f.member_id, f.conflict::text from exchange_facts f join exchange_rows r on r.place = f.division_code
            and r.member_id = f.member_id and r.kind = f.kind
        where r.batch_id = batch and r.outcome in ('applied', 'unchanged') and f.source = source_
            and f.conflict is not null
        union
        select m, '' from unnest(before_) m where not exists (
            select from exchange_facts f where f.member_id = m and f.conflict is not null
                and f.division_code in (select r.place from exchange_rows r
                    where r.batch_id = batch and r.member_id = m));
    delete from exchange_rows r where r.batch_id = batch;
end $$;
