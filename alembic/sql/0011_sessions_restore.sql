-- The functions as 0005 and 0006 made them, word for word.

create function login_officer(wanted text)
    returns table (id bigint, name text, password_hash text, totp_secret bytea, totp_last_step bigint,
                   active boolean, failed_logins integer, locked_until timestamptz)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select o.id, o.name, s.password_hash, s.totp_secret, s.totp_last_step, o.active, s.failed_logins, s.locked_until
    from officers o join officer_secrets s on s.officer_id = o.id where o.login = wanted
$$;

create function login_failed(officer bigint, lock_after integer, lock_for interval) returns timestamptz
    language sql security definer set search_path = pg_catalog, public, pg_temp as $$
    update officer_secrets set failed_logins = failed_logins + 1,
        locked_until = case when failed_logins + 1 >= lock_after then clock_timestamp() + lock_for end
    where officer_id = officer returning locked_until
$$;

create function login_succeeded(officer bigint, step bigint) returns boolean
    language sql security definer set search_path = pg_catalog, public, pg_temp as $$
    update officer_secrets set failed_logins = 0, locked_until = null, totp_last_step = step
    where officer_id = officer and totp_last_step < step returning true
$$;

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

create function session_officer(token bytea)
    returns table (id bigint, name text, password_hash text, totp_secret bytea, totp_last_step bigint,
                   active boolean, failed_logins integer, locked_until timestamptz)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select o.id, o.name, c.password_hash, c.totp_secret, c.totp_last_step, o.active, c.failed_logins, c.locked_until
    from login_sessions s join officers o on o.id = s.officer_id join officer_secrets c on c.officer_id = o.id
    where s.token_hash = token and s.ended_at is null
$$;

create function session_open(token bytea, officer bigint, post bigint, csrf text) returns void
    language sql security definer set search_path = pg_catalog, public, pg_temp as $$
    insert into login_sessions (token_hash, officer_id, post_id, csrf_token, started_at, seen_at, confirmed_at)
    values (token, officer, post, csrf, clock_timestamp(), clock_timestamp(), clock_timestamp())
$$;

create function session_end(token bytea) returns void
    language sql security definer set search_path = pg_catalog, public, pg_temp as $$
    update login_sessions set ended_at = clock_timestamp() where token_hash = token and ended_at is null
$$;

create function session_confirm(token bytea) returns void
    language sql security definer set search_path = pg_catalog, public, pg_temp as $$
    update login_sessions set confirmed_at = clock_timestamp() where token_hash = token and ended_at is null
$$;

create function session_switch(token bytea, post bigint) returns void
    language sql security definer set search_path = pg_catalog, public, pg_temp as $$
    update login_sessions s set post_id = post,
        csrf_token = replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '')
    where s.token_hash = token and s.ended_at is null
        and exists (select 1 from posts p where p.id = post and p.officer_id = s.officer_id)
$$;
