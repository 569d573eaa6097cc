-- The trail (DESIGN D9): every change of a business row, by any path, leaves who, when, from where, old and new in the
-- same transaction.

-- What the trail says instead of a value: of envelopes, indexes, secrets and documents a digest, of names a mask.
create function trail_digest(content bytea) returns text language sql immutable parallel safe as $$
    select '#' || left(encode(sha256(content), 'hex'), 16)
$$;
create function trail_name(name text) returns text language sql immutable parallel safe as $$
    select left(name, 1) || repeat('*', greatest(length(name) - 1, 0))
$$;
create function trail_county(division text) returns text language sql immutable parallel safe as $$
    select case when substr(division, 5) = '00000000' then division else left(division, 6) || '000000' end
$$;
-- Whoever acts, as the ticket claims: at commit link_records asks once whether the ticket is genuine.
alter table events alter column address set default coalesce(
    nullif(split_part(substr(current_setting('app.ticket', true), 66), '|', 10), ''), host(inet_client_addr()), 'local');
alter table events alter column transaction set default pg_current_xact_id()::text::bigint;
alter table changes alter column transaction set default pg_current_xact_id()::text::bigint;

create function trail_shown(name text, value jsonb, hidden text[], named text[]) returns jsonb
    language sql stable parallel safe as $$
    select case when name = any (hidden) then to_jsonb(trail_digest(convert_to(value #>> '{}', 'UTF8')))
        when name = any (named) then to_jsonb(trail_name(value #>> '{}')) else value end
$$;

-- An expression for each of the names, joined: `pattern` takes side and name.
create function trail_list(names text[], pattern text, side text, glue text default ', ') returns text
    language sql immutable set search_path = pg_catalog, public, pg_temp as $$
    select coalesce(string_agg(format(pattern, side, name), glue order by place), '')
    from unnest(names) with ordinality as u (name, place)
$$;

-- The body of a table's trigger function: few rows with old and new; many with count, sums and a digest in key order,
-- each row hashed first (offset 0), so that the sort carries 32 bytes a row.
create function trail_template() returns text language sql immutable as $template$ select $body$
declare
    who text[];
    few bigint := 1;
begin
    if tg_op in ('INSERT', 'UPDATE') then
        select count(*) into few from (select from fresh limit 21) first;
    elsif tg_op = 'DELETE' then
        select count(*) into few from (select from stale limit 21) first;
    end if;
    if few = 0 then
        return null;
    end if;
    who := string_to_array(substr(current_setting('app.ticket', true), 66), '|');
    if tg_op = 'INSERT' and few < 21 then
        insert into changes ({columns}, before, after, rows)
        select {head_n}, null, {sums_n}, jsonb_agg(jsonb_build_object('key', {key_n}, 'new', {shown_n}) order by {keys_n})
        from fresh n group by {county_n};
    elsif tg_op = 'INSERT' then
        insert into changes ({columns}, before, after, digest)
        select {head_s}, null, {sums_s}, sha256(string_agg(s.line, '' order by {keys_s}))
        from (select {side_n}, sha256(record_send({line_n})) as line from fresh n offset 0) s
        group by s.county;
    elsif tg_op = 'UPDATE' and few < 21 then
        insert into changes ({columns}, before, after, rows)
        select {head_p}, {sums_op}, {sums_np},
            jsonb_agg(jsonb_build_object('key', p.key, 'old', d.old, 'new', d.new) order by p.key)
        from (select {pair_o}, {pair_n}, {pair} from stale o full join fresh n on {joined} offset 0) p
        cross join lateral (
            select jsonb_object_agg(f, trail_shown(f, p.was -> f, {hidden}, {named})) as old,
                jsonb_object_agg(f, trail_shown(f, p.became -> f, {hidden}, {named})) as new
            from jsonb_object_keys(coalesce(p.became, p.was)) f
            where (p.was -> f) is distinct from (p.became -> f) and f <> all ({unseen})) d
        cross join lateral unnest(case when p.co = p.cn then array[p.cn] else array[p.co, p.cn] end) as c (county)
        where d.old is not null and c.county is not null
        group by c.county;
    elsif tg_op = 'UPDATE' then
        insert into changes ({columns}, before, after, digest)
        select {head_u}, b.sums, a.sums, a.digest
        from (
            select s.county, min(s.division) as low, max(s.division) as high, count(*) as many, {sums_s} as sums
            from (select {side_o} from stale o) s group by s.county
        ) b full join (
            select s.county, min(s.division) as low, max(s.division) as high, count(*) as many, {sums_s} as sums,
                sha256(string_agg(s.line, '' order by {keys_s})) as digest
            from (select {side_n}, sha256(record_send({line_n})) as line from fresh n offset 0) s group by s.county
        ) a using (county);
    elsif tg_op = 'DELETE' and few < 21 then
        insert into changes ({columns}, before, after, rows)
        select {head_o}, {sums_o}, null, jsonb_agg(jsonb_build_object('key', {key_o}, 'old', {shown_o}) order by {keys_o})
        from stale o group by {county_o};
    elsif tg_op = 'DELETE' then
        insert into changes ({columns}, before, after, digest)
        select {head_s}, {sums_s}, null, sha256(string_agg(s.line, '' order by {keys_s}))
        from (select {side_o}, sha256(record_send({line_o})) as line from stale o offset 0) s
        group by s.county;
    else
        insert into changes ({columns}, before, after, digest)
        select {head_s}, {sums_s}, null, sha256(string_agg(s.line, '' order by {keys_s}))
        from (select {side_o}, sha256(record_send({line_o})) as line from {table} o offset 0) s
        group by s.county;
        if not found then
            insert into changes ({columns}, before) values ('150000000000', '150000000000', tg_table_name, 'truncate', 0,
                null, {who}, '{"rows": 0}');
        end if;
    end if;
    return null;
end $body$ $template$;

-- Makes a table's trigger function and triggers; call again after adding a column (a test tells when it is forgotten).
-- unseen: columns whose change alone is no change of business (progress, counters); operations: only those.
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

-- Fills the template: the words in braces are expressions over the table's own columns.
create function trail_body(t text, names text[], kinds text[], keys text[], fen text[], unseen text[]) returns text
    language plpgsql stable set search_path = pg_catalog, public, pg_temp as $$
declare
    who constant text := 'coalesce(who[6]::bigint, 0), coalesce(who[7], ''''), coalesce(who[8]::bigint, 0),'
        ' coalesce(who[9]::bigint, 0), coalesce(nullif(who[10], ''''), host(inet_client_addr()), ''local''),'
        ' session_user, case when who[6] is null then left(current_setting(''application_name''), 64) else '''' end';
    divided constant boolean := 'division_code' = any (names);
    numbered constant boolean := 'id' = any (names);
    division constant text := case when divided then '%1$s.division_code' else '''150000000000''::text' end;
    county constant text := case when divided then 'trail_county(%1$s.division_code)' else '''150000000000''::text' end;
    content constant boolean := 'content' = any (names) and kinds[array_position(names, 'content')] = 'bytea';
    row_of text := 'to_jsonb(%1$s)';
    hidden text[];
    named text[];
    words jsonb;
    side text;
    body text := trail_template();
    word record;
begin
    select coalesce(array_agg(name) filter (where kind in ('bytea', 'jsonb', 'json')
            or name ~ '(hash|secret|token|password)$' or name = 'name_key' or t = 'households' and name = 'address'), '{}'),
        coalesce(array_agg(name) filter (where name in ('head_name', 'payee_name', 'holder_name', 'member_name')
            or name = 'name' and t in ('members', 'roster_lines', 'failures')), '{}')
        into hidden, named from unnest(names, kinds) as u (name, kind);
    if content then  -- files: their digest alone, never megabytes of JSON
        row_of := 'to_jsonb((select r from (select ' || trail_list(array_remove(names, 'content'), '%%1$s.%2$I', '')
            || ', trail_digest(%1$s.content) as content) r))';
        hidden := array_remove(hidden, 'content');
    end if;
    words := jsonb_build_object(
        'columns', 'county_code, division_code, table_name, operation, row_count, record_id, officer_id, person, post_id,'
            ' delegation_id, address, database_user, application',
        'who', who,
        'table', format('%I', t),
        'joined', trail_list(keys, 'o.%2$I = n.%2$I', '', ' and '),
        'hidden', format('%L::text[]', hidden),
        'named', format('%L::text[]', named),
        'unseen', format('%L::text[]', unseen),
        'pair', format('%s as division, %s as id, concat_ws(''/'', %s) as key',
            case when divided then 'coalesce(n.division_code, o.division_code)' else division end,
            case when numbered then 'coalesce(n.id, o.id)' else 'null::bigint' end,
            trail_list(keys, 'coalesce(n.%2$I, o.%2$I)', '')),
        'head_p', format('c.county, case when min(p.division) = max(p.division) then min(p.division) else c.county end,'
            ' %L, ''update'', count(*), case when count(*) = 1 then min(p.id) end, %s', t, who),
        'sums_op', trail_sides(fen, 'p.co = c.county', 'p."o_%2$s"'),
        'sums_np', trail_sides(fen, 'p.cn = c.county', 'p."n_%2$s"'),
        'head_s', format('s.county, case when min(s.division) = max(s.division) then min(s.division) else s.county end,'
            ' %L, lower(tg_op), count(*), null, %s', t, who),
        'head_u', format('county, case when least(a.low, b.low) = greatest(a.high, b.high) then coalesce(a.low, b.low)'
            ' else county end, %L, ''update'', greatest(a.many, b.many), null, %s', t, who),
        'sums_s', 'jsonb_build_object(''rows'', count(*)'
            || trail_list(fen, ', %2$L, coalesce(sum(s."f_%2$s"), 0)', '', '') || ')',
        'keys_s', trail_list(keys, 's."k_%2$s"', ''));
    foreach side in array array['o', 'n'] loop
        words := words || jsonb_build_object(
            'county_' || side, format(county, side),
            'head_' || side, format('%1$s, case when min(%2$s) = max(%2$s) then min(%2$s) else %1$s end, %3$L,'
                ' lower(tg_op), count(*), %4$s, %5$s', format(county, side), format(division, side), t,
                case when numbered then format('case when count(*) = 1 then min(%s.id) end', side) else 'null' end, who),
            'sums_' || side, 'jsonb_build_object(''rows'', count(*)'
                || trail_list(fen, ', %2$L, coalesce(sum(%1$s.%2$I), 0)', side, '') || ')',
            'key_' || side, 'concat_ws(''/'', ' || trail_list(keys, '%s.%I', side) || ')',
            'keys_' || side, trail_list(keys, '%s.%I', side),
            'shown_' || side, format(row_of, side) || case when hidden || named = '{}' then '' else
                ' || jsonb_build_object(' || concat_ws(', ',
                    nullif(trail_list(hidden, '%2$L, trail_digest(convert_to(%1$s.%2$I::text, ''UTF8''))', side), ''),
                    nullif(trail_list(named, '%2$L, trail_name(%1$s.%2$I)', side), '')) || ')' end,
            'line_' || side, 'row(' || trail_list(names, '%s.%I', side) || ')',
            'side_' || side, format('%s as county, %s as division%s%s', format(county, side), format(division, side),
                trail_list(keys, ', %1$s.%2$I as "k_%2$s"', side, ''), trail_list(fen, ', %1$s.%2$I as "f_%2$s"', side, '')),
            'pair_' || side, format('case when %s.%I is not null then %s end as c%s, %s as %s%s', side, keys[1],
                format(county, side), side, format(row_of, side),
                case side when 'o' then 'was' else 'became' end, trail_list(fen, ', %1$s.%2$I as "%1$s_%2$s"', side, '')));
    end loop;
    for word in select key, value from jsonb_each_text(words) loop
        body := replace(body, '{' || word.key || '}', word.value);
    end loop;
    return body;
end $$;

-- Count and sums of one side of an update.
create function trail_sides(fen text[], filter text, value text) returns text language sql immutable
    set search_path = pg_catalog, public, pg_temp as $$
    select format('jsonb_build_object(''rows'', count(*) filter (where %1$s)', filter)
        || trail_list(fen, ', %2$L, coalesce(sum(' || value || ') filter (where ' || filter || '), 0)', '', '') || ')'
$$;

-- What is hashed of a record: row(…)::text quotes, so that no text can pass for two columns; moments as numbers,
-- whatever the session's time zone.
create function record_digest(e events) returns bytea language sql stable as $$
    select sha256(convert_to(row('event', e.county_code, e.id, e.division_code, e.noun, e.record_id, e.verb, e.label,
        e.desk, e.officer_id, e.person, e.officer_name, e.post, e.from_status, e.to_status, e.opinion, e.facts,
        e.address, e.transaction, extract(epoch from e.business_at), extract(epoch from e.recorded_at))::text, 'UTF8'))
$$;
create function record_digest(c changes) returns bytea language sql stable as $$
    select sha256(convert_to(row('change', c.county_code, c.id, c.division_code, c.table_name, c.operation, c.row_count,
        c.record_id, c.before, c.after, c.rows, encode(c.digest, 'hex'), c.officer_id, c.person, c.post_id,
        c.delegation_id, c.address, c.database_user, c.application, c.transaction,
        extract(epoch from c.recorded_at))::text, 'UTF8'))
$$;
