-- Row scope is proven by a ticket (DESIGN D2): the process signs who acts with which range, PostgreSQL checks the
-- signature under a key that the application's role can't read. Setting app.ticket by injected SQL sees nothing.

-- Whether a post still carries its holder's rights; 0 stands for the platform's own principals. PL/pgSQL keeps its
-- plans: it is asked once in every statement.
create function post_in_force(post bigint, delegation bigint) returns boolean
    language plpgsql stable parallel safe security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    until date;
begin
    if post = 0 then
        return true;
    end if;
    select p.valid_to into until from posts p join officers o on o.id = p.officer_id and o.active where p.id = post;
    return found and delegation = 0 and (until is null or until >= (
        select (clock_timestamp() + c.moved_by) at time zone 'Asia/Shanghai' from business_clock c)::date);
end $$;

-- What the process has signed, null when the signature is nobody's. 1 from, 2 to, 3 hole (6 digits or ''), 4 sector,
-- 5 bank, 6 officer, 7 person, 8 post, 9 delegation, 10 address.
create function claims() returns text[] language plpgsql stable parallel safe security definer
    set search_path = pg_catalog, public, pg_temp as $$
declare
    given constant text := current_setting('app.ticket', true);
    secret bytea;
begin
    if given is null or given = '' then
        return null;
    end if;
    select k.key into secret from ticket_keys k where k.id = 1;
    if encode(sha256(secret || sha256(secret || convert_to(substr(given, 66), 'UTF8'))), 'hex')
        is distinct from left(given, 64) then
        return null;
    end if;
    return string_to_array(substr(given, 66), '|');
end $$;

-- The claims while the post behind them is in force. A policy asks this for the range's beginning, which decides, and
-- claims() for the rest: the post is looked up once in a statement.
create function ticket() returns text[] language plpgsql stable parallel safe security definer
    set search_path = pg_catalog, public, pg_temp as $$
declare
    said constant text[] := claims();
begin
    return case when said is not null and post_in_force(said[8]::bigint, said[9]::bigint) then said end;
end $$;

-- Gives a table its class of row policy and the application's role its rights: ranged, downward, reference, closed.
create function apply_scope(t text, kind text) returns void language plpgsql as $$
declare
    inside constant text :=
        'division_code >= (select (ticket())[1]) and division_code < (select (claims())[2])'
        ' and left(division_code, 6) <> (select (claims())[3])';
    above constant text :=
        '(select (ticket())[1]) <> '''' and division_code in (''150000000000'','
        ' (select left((claims())[1], 4)) || ''00000000'', (select left((claims())[1], 6)) || ''000000'')';
begin
    execute format('revoke all on %I from yikatong_app', t);
    if kind = 'reference' then
        execute format('grant select on %I to yikatong_app', t);
    end if;
    if kind in ('reference', 'closed') then
        return;
    end if;
    if kind not in ('ranged', 'downward') then
        raise exception 'unknown class of row scope: %', kind;
    end if;
    execute format('grant select, insert, update, delete on %I to yikatong_app', t);
    execute format('alter table %I enable row level security', t);
    execute format('create policy scope_insert on %I for insert to yikatong_app with check (%s)', t, inside);
    execute format('create policy scope_update on %I for update to yikatong_app using (%s) with check (%s)',
                   t, inside, inside);
    execute format('create policy scope_delete on %I for delete to yikatong_app using (%s)', t, inside);
    execute format('create policy scope_select on %I for select to yikatong_app using (%s)', t,
                   case kind when 'ranged' then inside else format('(%s) or (%s)', inside, above) end);
end $$;
revoke execute on function apply_scope(text, text) from public;

do $policies$
declare
    t text;
    item record;
begin
    for item in select tablename, policyname from pg_policies where schemaname = 'public' loop
        execute format('drop policy %I on %I', item.policyname, item.tablename);
    end loop;
    foreach t in array array[
        'accounts', 'agent_accounts', 'assets', 'bank_batches', 'budget_indicators', 'bulletins', 'desk_holders',
        'differences', 'disbursements', 'entitlement_successes', 'event_heads', 'event_links', 'events', 'failures',
        'households', 'import_rows', 'jobs', 'journal_entries', 'members', 'notices', 'objections', 'officers',
        'outbox', 'payment_orders', 'postings', 'posts', 'project_links', 'refunds', 'refusals', 'result_exceptions',
        'roster_imports', 'roster_lines', 'roster_warnings', 'rosters', 'statement_entries', 'statements',
        'stored_files'] loop
        perform apply_scope(t, 'ranged');
    end loop;
    foreach t in array array[
        'notice_periods', 'organisations', 'project_standards', 'subsidy_projects', 'warning_rules'] loop
        perform apply_scope(t, 'downward');
    end loop;
    perform apply_scope('officer_secrets', 'closed');
    perform apply_scope('ticket_keys', 'closed');
end
$policies$;
revoke update, delete on events, journal_entries, postings, refusals, desk_holders from yikatong_app;
revoke insert, update, delete on event_links, event_heads from yikatong_app;
revoke delete on officers, posts from yikatong_app;

-- What 0005 asked of the settings or of columns that have moved.
drop function entitlements_rostered(text, bigint);
create function entitlements_rostered(division text, roster bigint)
    returns table (entitlement_key text, townships text)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select l.entitlement_key, string_agg(distinct d.name, '、')
    from roster_lines l
    join roster_lines o on o.county_code = l.county_code and o.entitlement_key = l.entitlement_key
        and o.roster_id <> l.roster_id and o.state <> 'stopped'
    join rosters r on r.division_code = o.division_code and r.id = o.roster_id and r.status <> 'closed'
    join divisions d on d.code = o.division_code
    where l.division_code = division and l.roster_id = roster
        and division collate "C" >= (select (ticket())[1]) and division collate "C" < (select (ticket())[2])
    group by l.entitlement_key
$$;

drop function login_officer(text);
create function login_officer(wanted text)
    returns table (id bigint, name text, password_hash text, totp_secret bytea, totp_last_step bigint,
                   active boolean, failed_logins integer, locked_until timestamptz)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select o.id, o.name, s.password_hash, s.totp_secret, s.totp_last_step, o.active, s.failed_logins, s.locked_until
    from officers o join officer_secrets s on s.officer_id = o.id where o.login = wanted
$$;

drop function login_failed(bigint, integer, interval);
create function login_failed(officer bigint, lock_after integer, lock_for interval) returns timestamptz
    language sql security definer set search_path = pg_catalog, public, pg_temp as $$
    update officer_secrets set failed_logins = failed_logins + 1,
        locked_until = case when failed_logins + 1 >= lock_after then clock_timestamp() + lock_for end
    where officer_id = officer returning locked_until
$$;

drop function login_succeeded(bigint, bigint);
create function login_succeeded(officer bigint, step bigint) returns boolean
    language sql security definer set search_path = pg_catalog, public, pg_temp as $$
    update officer_secrets set failed_logins = 0, locked_until = null, totp_last_step = step
    where officer_id = officer and totp_last_step < step returning true
$$;

drop function posts_of(bigint, date);
create function posts_of(officer bigint, day date)
    returns table (post_id bigint, delegation_id bigint, role text, organisation_id bigint, organisation text,
                   kind text, level text, division_code text, sector text, bank_id bigint, absent text,
                   permissions text[])
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select p.id, 0::bigint, p.role, g.id, g.name, g.kind, g.level, g.division_code,
        coalesce(nullif(p.sector, ''), g.sector), coalesce(g.bank_id, 0), '', null::text[]
    from posts p join organisations g on g.id = p.organisation_id
    where p.officer_id = officer and p.valid_from <= day and (p.valid_to is null or p.valid_to >= day)
    order by p.id
$$;

drop function session_find(bytea, interval, date);
create function session_find(token bytea, idle interval, day date)
    returns table (officer_id bigint, person text, name text, post_id bigint, delegation_id bigint, role text,
                   organisation_id bigint, organisation text, kind text, level text, division_code text, sector text,
                   bank_id bigint, absent text, permissions text[], csrf_token text, confirmed_at timestamptz)
    language sql security definer set search_path = pg_catalog, public, pg_temp as $$
    update login_sessions s set seen_at = clock_timestamp()
    from officers o, lateral posts_of(o.id, day) p
    where s.token_hash = token and s.ended_at is null and s.seen_at > clock_timestamp() - idle
        and o.id = s.officer_id and o.active and p.post_id = s.post_id
    returning o.id, o.person, o.name, p.post_id, p.delegation_id, p.role, p.organisation_id, p.organisation, p.kind,
        p.level, p.division_code, p.sector, p.bank_id, p.absent, p.permissions, s.csrf_token, s.confirmed_at
$$;

drop function session_officer(bytea);
create function session_officer(token bytea)
    returns table (id bigint, name text, password_hash text, totp_secret bytea, totp_last_step bigint,
                   active boolean, failed_logins integer, locked_until timestamptz)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select o.id, o.name, c.password_hash, c.totp_secret, c.totp_last_step, o.active, c.failed_logins, c.locked_until
    from login_sessions s join officers o on o.id = s.officer_id join officer_secrets c on c.officer_id = o.id
    where s.token_hash = token and s.ended_at is null
$$;

-- Who acts in a post, read anew when a job runs: a lost post or delegation loses the job too.
drop function officer_in_post(bigint, date);
create function officer_in_post(wanted bigint, day date, delegation bigint default 0)
    returns table (officer_id bigint, person text, name text, post_id bigint, delegation_id bigint, role text,
                   organisation_id bigint, organisation text, kind text, level text, division_code text, sector text,
                   bank_id bigint, absent text, permissions text[])
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select o.id, o.person, o.name, p.post_id, p.delegation_id, p.role, p.organisation_id, p.organisation, p.kind,
        p.level, p.division_code, p.sector, p.bank_id, p.absent, p.permissions
    from posts held join officers o on o.id = held.officer_id and o.active, lateral posts_of(o.id, day) p
    where held.id = wanted and delegation = 0 and p.post_id = wanted and p.delegation_id = 0
$$;
