-- The named ways across a policy (DESIGN D2): each does one thing and returns no more than it must.
create function login_officer(wanted text)
    returns table (id bigint, name text, password_hash text, totp_secret bytea, totp_last_step bigint,
                   active boolean, failed_logins integer, locked_until timestamptz)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select o.id, o.name, o.password_hash, o.totp_secret, o.totp_last_step, o.active, o.failed_logins, o.locked_until
    from officers o where o.login = wanted
$$;

create function login_failed(officer bigint, lock_after integer, lock_for interval) returns timestamptz
    language sql security definer set search_path = pg_catalog, public, pg_temp as $$
    update officers set failed_logins = failed_logins + 1,
        locked_until = case when failed_logins + 1 >= lock_after then clock_timestamp() + lock_for end
    where id = officer returning locked_until
$$;

create function login_succeeded(officer bigint, step bigint) returns boolean
    language sql security definer set search_path = pg_catalog, public, pg_temp as $$
    update officers set failed_logins = 0, locked_until = null, totp_last_step = step
    where id = officer and totp_last_step < step returning true
$$;

create function posts_of(officer bigint, day date)
    returns table (post_id bigint, role text, organisation_id bigint, organisation text, kind text, level text,
                   division_code text, sector text)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select p.id, p.role, g.id, g.name, g.kind, g.level, g.division_code, g.sector
    from posts p join organisations g on g.id = p.organisation_id
    where p.officer_id = officer and p.valid_from <= day and (p.valid_to is null or p.valid_to >= day)
    order by p.id
$$;

create function session_open(token bytea, officer bigint, post bigint, csrf text) returns void
    language sql security definer set search_path = pg_catalog, public, pg_temp as $$
    insert into login_sessions (token_hash, officer_id, post_id, csrf_token, started_at, seen_at, confirmed_at)
    values (token, officer, post, csrf, clock_timestamp(), clock_timestamp(), clock_timestamp())
$$;

-- One update finds the session, refuses the ended and the idle, and remembers the activity.
create function session_find(token bytea, idle interval, day date)
    returns table (officer_id bigint, person text, name text, post_id bigint, role text, organisation_id bigint,
                   organisation text, kind text, level text, division_code text, sector text, csrf_token text,
                   confirmed_at timestamptz)
    language sql security definer set search_path = pg_catalog, public, pg_temp as $$
    update login_sessions s set seen_at = clock_timestamp()
    from officers o, posts p, organisations g
    where s.token_hash = token and s.ended_at is null and s.seen_at > clock_timestamp() - idle
        and o.id = s.officer_id and o.active and p.id = s.post_id and p.officer_id = o.id
        and p.valid_from <= day and (p.valid_to is null or p.valid_to >= day) and g.id = p.organisation_id
    returning o.id, encode(o.person_index, 'hex'), o.name, p.id, p.role, g.id, g.name, g.kind, g.level,
        g.division_code, g.sector, s.csrf_token, s.confirmed_at
$$;

create function session_end(token bytea) returns void
    language sql security definer set search_path = pg_catalog, public, pg_temp as $$
    update login_sessions set ended_at = clock_timestamp() where token_hash = token and ended_at is null
$$;

create function session_confirm(token bytea) returns void
    language sql security definer set search_path = pg_catalog, public, pg_temp as $$
    update login_sessions set confirmed_at = clock_timestamp() where token_hash = token and ended_at is null
$$;

-- Whose password is asked again before money is released.
create function session_officer(token bytea)
    returns table (id bigint, name text, password_hash text, totp_secret bytea, totp_last_step bigint,
                   active boolean, failed_logins integer, locked_until timestamptz)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select o.id, o.name, o.password_hash, o.totp_secret, o.totp_last_step, o.active, o.failed_logins, o.locked_until
    from login_sessions s join officers o on o.id = s.officer_id where s.token_hash = token and s.ended_at is null
$$;

create function session_switch(token bytea, post bigint) returns void
    language sql security definer set search_path = pg_catalog, public, pg_temp as $$
    update login_sessions s set post_id = post,
        csrf_token = replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '')
    where s.token_hash = token and s.ended_at is null
        and exists (select 1 from posts p where p.id = post and p.officer_id = s.officer_id)
$$;

-- The officer behind a job: re-read when the job runs, so that a lost post loses the job too.
create function officer_in_post(wanted bigint, day date)
    returns table (officer_id bigint, person text, name text, post_id bigint, role text, organisation_id bigint,
                   organisation text, kind text, level text, division_code text, sector text)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select o.id, encode(o.person_index, 'hex'), o.name, p.id, p.role, g.id, g.name, g.kind, g.level,
        g.division_code, g.sector
    from posts p join officers o on o.id = p.officer_id join organisations g on g.id = p.organisation_id
    where p.id = wanted and o.active and p.valid_from <= day and (p.valid_to is null or p.valid_to >= day)
$$;

-- Across counties: the verdict only, never the foreign row.
create function entitlements_paid(keys text[]) returns table (entitlement_key text, county text)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select s.entitlement_key, d.name from entitlement_successes s join divisions d on d.code = s.division_code
    where s.entitlement_key = any (keys)
$$;

-- The same entitlement on other rosters of the county: asked for a roster inside the caller's range, townships only.
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
        and division >= current_setting('app.scope_from', true) collate "C"
        and division < current_setting('app.scope_to', true) collate "C"
    group by l.entitlement_key
$$;

create function keepers_of(indexes bytea[]) returns table (id_index bytea, township text)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select m.id_index, c.name || d.name
    from members m join divisions d on d.code = m.division_code join divisions c on c.code = m.county_code
    where m.id_index = any (indexes)
$$;

create function advance_clock(step interval) returns boolean
    language sql security definer set search_path = pg_catalog, public, pg_temp as $$
    update business_clock set moved_by = moved_by + step where movable and step > interval '0' returning true
$$;
