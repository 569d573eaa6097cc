-- Row scope deepened (DESIGN D2): sectors, banks, and ids that flow downward. Every limit is one more half-open range
-- or one more AND: an OR between two ranges would cost every county its index.

-- The range of a bank's post: its ordinary range is empty, on the tables of the bank desk it is its organisation's.
create function bank_reach() returns text[] language sql stable parallel safe security definer
    set search_path = pg_catalog, public, pg_temp as $$
    select case g.level when 'region' then array['0', ':']
        else array[w.prefix, left(w.prefix, -1) || chr(ascii(right(w.prefix, 1)) + 1)] end
    from posts p join organisations g on g.id = p.organisation_id and g.kind = 'bank',
        lateral (select left(g.division_code, case g.level when 'league' then 4 when 'county' then 6 else 9 end)) w (prefix)
    where p.id = (select (ticket())[8]::bigint) and g.bank_id::text = (select (ticket())[5])
$$;

-- Whether an id flows down to a division: its owner is the row's division or above it, and of the writer's sector.
create function flows_to(owner text, id bigint, code text) returns boolean language sql stable security definer
    set search_path = pg_catalog, public, pg_temp as $$
    select o.division_code in (code, left(code, 9) || '000', left(code, 6) || '000000', left(code, 4) || '00000000',
                               '150000000000')
        and (select (ticket())[4]) in ('', o.sector)
    from (
        select p.division_code, p.sector from subsidy_projects p where owner = 'subsidy_projects' and p.id = flows_to.id
        union all
        select g.division_code, (ticket())[4] from organisations g where owner = 'organisations' and g.id = flows_to.id
        union all
        select f.division_code, (ticket())[4] from officers f where owner = 'officers' and f.id = flows_to.id
    ) o
$$;

-- A department, and a post with a sector of its own, sees its sector's rows. own: how a table without the column knows.
create function apply_sector(t text, own text default '', verb text default 'all') returns void language plpgsql as $$
begin
    execute format('create policy sector_scope on %I as restrictive for %s to yikatong_app using (%s)', t, verb,
        case own when '' then '(select (claims())[4]) in ('''', sector)'
        else format('(select (claims())[4]) = '''' or (%s)', own) end);
end $$;

-- An id that flows downward is written only where its owner stands above.
create function apply_flow(t text, id text, owner text) returns void language plpgsql as $$
begin
    execute format('create policy %I on %I as restrictive for all to yikatong_app using (true)'
        ' with check (%I is null or flows_to(%L, %I, division_code))', 'flow_' || id, t, id, owner, id);
end $$;

-- Opens verbs of a table to banks: within the bank's reach, and of what is there only what `own` says.
create function apply_bank_scope(t text, verbs text,
    own text default 'bank_id = (select nullif((claims())[5], '''')::bigint)') returns void language plpgsql as $$
declare
    verb text;
    inside constant text := format(
        'division_code >= (select coalesce(nullif((ticket())[1], ''''), (bank_reach())[1]))'
        ' and division_code < (select coalesce(nullif((claims())[2], ''''), (bank_reach())[2]))'
        ' and left(division_code, 6) <> (select (claims())[3])'
        ' and ((select (claims())[5]) = '''' or (%s))', own);
begin
    foreach verb in array string_to_array(verbs, ',') loop
        execute format('drop policy %I on %I', 'scope_' || verb, t);
        execute format('create policy %I on %I for %s to yikatong_app %s', 'scope_' || verb, t, verb,
            case verb when 'insert' then format('with check (%s)', inside)
            when 'update' then format('using (%s) with check (%s)', inside, inside)
            else format('using (%s)', inside) end);
    end loop;
end $$;

-- Shuts them again: the ordinary half-open range of apply_scope.
create function drop_bank_scope(t text, verbs text) returns void language plpgsql as $$
declare
    verb text;
    inside constant text :=
        'division_code >= (select (ticket())[1]) and division_code < (select (claims())[2])'
        ' and left(division_code, 6) <> (select (claims())[3])';
begin
    foreach verb in array string_to_array(verbs, ',') loop
        execute format('drop policy %I on %I', 'scope_' || verb, t);
        execute format('create policy %I on %I for %s to yikatong_app %s', 'scope_' || verb, t, verb,
            case verb when 'insert' then format('with check (%s)', inside)
            when 'update' then format('using (%s) with check (%s)', inside, inside)
            else format('using (%s)', inside) end);
    end loop;
end $$;
revoke execute on function apply_sector(text, text, text), apply_flow(text, text, text),
    apply_bank_scope(text, text, text), drop_bank_scope(text, text) from public;

-- The bank of an account follows from its CNAPS code, whoever writes it.
create function bank_of_account() returns trigger language plpgsql as $$
begin
    new.bank_id := (select min(b.id) from agent_banks b where b.prefix = left(new.bank_code, 3));
    return new;
end $$;
create trigger accounts_bank before insert or update of bank_code, bank_id on accounts
    for each row execute function bank_of_account();
update accounts set bank_id = null;

select apply_sector(t) from unnest(array[
    'rosters', 'roster_lines', 'roster_warnings', 'notices', 'objections', 'roster_imports', 'payment_orders',
    'bank_batches', 'disbursements', 'failures', 'refunds', 'subsidy_projects']) t;
select apply_sector('import_rows', 'import_id in (select i.id from roster_imports i)');
select apply_sector('result_exceptions', 'batch_id in (select b.id from bank_batches b)');
select apply_sector('jobs', 'roster_id is null or exists (select from rosters r where r.id = roster_id)', 'select');
select apply_sector('events',
    'case noun when ''roster'' then exists (select from rosters r where r.id = record_id)'
    ' when ''payment_order'' then exists (select from payment_orders o where o.id = record_id)'
    ' when ''bank_batch'' then exists (select from bank_batches b where b.id = record_id)'
    ' when ''refund'' then exists (select from refunds f where f.id = record_id)'
    ' when ''failure'' then exists (select from failures f where f.id = record_id) else true end', 'select');

select apply_flow(t, 'project_id', 'subsidy_projects') from unnest(array[
    'rosters', 'payment_orders', 'roster_imports', 'project_standards', 'notice_periods', 'project_links']) t;
select apply_flow('posts', 'organisation_id', 'organisations');
select apply_flow('posts', 'officer_id', 'officers');

select apply_bank_scope(t, 'select') from unnest(array['bank_batches', 'disbursements', 'agent_accounts']) t;
select apply_bank_scope('accounts', 'select',
    'bank_id = (select nullif((claims())[5], '''')::bigint) and status <> ''registered''');
select apply_bank_scope('result_exceptions', 'select', 'batch_id in (select b.id from bank_batches b)');
