-- Login and sessions (第二十三条、第三十条). The application's role reads the sessions of its range and changes none;
-- what a browser must show, passwords, codes and failures are reached by these functions only.
select apply_scope('login_sessions', 'ranged');
select apply_scope('openid_identities', 'ranged');
select apply_scope('session_secrets', 'closed');
select apply_scope('recovery_codes', 'closed');
select apply_scope('former_passwords', 'closed');
select apply_scope('address_failures', 'closed');
revoke insert, update, delete on login_sessions, openid_identities from yikatong_app;

-- Recorded in the same transaction, whatever the officer's range: who changed what proves an identity, and when.
create function security_event(officer bigint, verb text, label text, who bigint) returns void
    language sql security definer set search_path = pg_catalog, public, pg_temp as $$
    insert into events (county_code, division_code, noun, record_id, verb, label, officer_id, person, officer_name,
                        post, from_status, to_status, opinion, facts, business_at)
    select case when right(o.division_code, 8) = '00000000' then o.division_code
               else left(o.division_code, 6) || '000000' end,
        o.division_code, 'officer', o.id, verb, label, w.id, w.person, w.name, '', '', '', '', '{}',
        clock_timestamp() + c.moved_by
    from officers o, officers w, business_clock c where o.id = officer and w.id = who
$$;

create function end_sessions(officer bigint, why text, but bigint default 0) returns void
    language sql security definer set search_path = pg_catalog, public, pg_temp as $$
    update login_sessions set status = why, ended_at = clock_timestamp()
    where officer_id = officer and status = 'live' and id <> but
$$;

-- For the verbs of people: every session of an officer in the caller's range ends (all may be named by the owner).
create function session_end_all(officer bigint, why text default 'revoked') returns void
    language sql security definer set search_path = pg_catalog, public, pg_temp as $$
    select end_sessions(o.id, why) from officers o where o.id = officer and (
        session_user <> 'yikatong_app'
        or (o.division_code >= (select (ticket())[1]) and o.division_code < (select (ticket())[2])
            and left(o.division_code, 6) <> (select (ticket())[3])))
$$;

-- A session never outlives what it was opened on: the post, the officer's account, the password, the second factor.
create function sessions_follow_posts() returns trigger language plpgsql
    security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if tg_op <> 'INSERT' then
        perform end_sessions(old.officer_id, 'post_changed');
    end if;
    if tg_op <> 'DELETE' then
        perform end_sessions(new.officer_id, 'post_changed');
    end if;
    return null;
end $$;
create trigger sessions_follow_new_posts after insert on posts for each row
    when (new.status = 'in_force') execute function sessions_follow_posts();
create trigger sessions_follow_posts after delete or update of officer_id, organisation_id, role, sector, status,
    valid_from, valid_to on posts for each row
    when (old.status = 'in_force' or old.status = 'proposed') execute function sessions_follow_posts();

create function sessions_follow_officers() returns trigger language plpgsql
    security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform end_sessions(new.id, 'officer_changed');
    return null;
end $$;
create trigger sessions_follow_officers after update on officers for each row
    when (old.active is distinct from new.active or old.login is distinct from new.login
          or old.person is distinct from new.person or old.division_code is distinct from new.division_code)
    execute function sessions_follow_officers();

create function sessions_follow_secrets() returns trigger language plpgsql
    security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform end_sessions(new.officer_id, 'credentials');
    if new.totp_secret is null then
        delete from recovery_codes where officer_id = new.officer_id;
    end if;
    return null;
end $$;
create trigger sessions_follow_secrets after update on officer_secrets for each row
    when (old.password_changed_at is distinct from new.password_changed_at
          or old.must_change is distinct from new.must_change or old.totp_secret is distinct from new.totp_secret)
    execute function sessions_follow_secrets();

-- Logging in -------------------------------------------------------------------------------------------------------
drop function login_officer(text);
create function login_officer(wanted text)
    returns table (id bigint, name text, login text, password_hash text, totp_secret bytea, totp_last_step bigint,
                   active boolean, locked_until timestamptz, recovery bytea[], at timestamptz)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select o.id, o.name, o.login, s.password_hash, s.totp_secret, s.totp_last_step, o.active, s.locked_until,
        array(select c.code_hash from recovery_codes c where c.officer_id = o.id and c.used_at is null),
        clock_timestamp()
    from officers o join officer_secrets s on s.officer_id = o.id where o.login = wanted
$$;

create function address_locked(wanted bytea) returns boolean
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select exists (select from address_failures where address_index = wanted and locked_until > clock_timestamp())
$$;

-- One failure: counted for the account and for the address, each with a lock that doubles; told to the audit without
-- what was typed, which may have been a password. An address already locked can't lock further accounts.
drop function login_failed(bigint, integer, interval);
create function login_failed(officer bigint, origin bytea, shown text, account_tries integer, address_tries integer,
                             lock_for interval, longest interval) returns void
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    barred constant boolean := origin is not null and address_locked(origin);
begin
    if not barred then
        update officer_secrets set failed_logins = failed_logins + 1,
            locked_until = case when (failed_logins + 1) % account_tries = 0 then clock_timestamp()
                + least(longest, lock_for * power(2, least(20, (failed_logins + 1) / account_tries - 1)))
                else locked_until end
        where officer_id = officer and (locked_until is null or locked_until <= clock_timestamp());
    end if;
    if origin is not null then
        insert into address_failures as a (address_index, failures, last_at) values (origin, 1, clock_timestamp())
        on conflict (address_index) do update set last_at = clock_timestamp(),
            failures = case when a.last_at < clock_timestamp() - interval '1 day' then 1 else a.failures + 1 end,
            locked_until = case
                when a.last_at >= clock_timestamp() - interval '1 day' and (a.failures + 1) % address_tries = 0
                then clock_timestamp()
                    + least(longest, lock_for * power(2, least(20, (a.failures + 1) / address_tries - 1)))
                else a.locked_until end;
        delete from address_failures where last_at < clock_timestamp() - interval '2 days';
        insert into refusals (division_code, officer_id, officer_name, post, verb, record, refusal, message)
        select coalesce(o.division_code, '150000000000'), coalesce(o.id, 0), coalesce(o.name, '未知用户'), '', 'login',
            shown, 'LoginWrong', '登录失败'
        from (select 1) one left join officers o on o.id = officer;
    end if;
end $$;

-- The one-time code's step or the recovery code is used up here, once; false when somebody was faster.
drop function login_succeeded(bigint, bigint);
create function login_succeeded(officer bigint, step bigint, recovery bytea, origin bytea, tries integer)
    returns boolean
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    update officer_secrets set failed_logins = 0, locked_until = null,
        totp_last_step = coalesce(step, totp_last_step)
    where officer_id = officer and (step is null or totp_last_step < step);
    if not found then
        return false;
    end if;
    if recovery is not null then
        update recovery_codes set used_at = clock_timestamp()
        where officer_id = officer and code_hash = recovery and used_at is null;
        if not found then
            return false;
        end if;
        perform security_event(officer, 'use_recovery_code', '使用恢复码登录', officer);
    end if;
    update address_failures set failures = greatest(0, failures - tries) where address_index = origin;
    return true;
end $$;

create function password_upgrade(officer bigint, weak text, strong text) returns void
    language sql security definer set search_path = pg_catalog, public, pg_temp as $$
    update officer_secrets set password_hash = strong where officer_id = officer and password_hash = weak
$$;

-- Sessions ---------------------------------------------------------------------------------------------------------
create function live_session(token bytea) returns bigint
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select s.id from session_secrets k join login_sessions s on s.id = k.session_id and s.status = 'live'
    where k.token_hash = token
$$;

drop function session_open(bytea, bigint, bigint, text);
create function session_open(token bytea, csrf text, officer bigint, post_id bigint, delegation_id bigint, post text,
                             way text, factor text, address text, agent text) returns bigint
    language sql security definer set search_path = pg_catalog, public, pg_temp as $$
    with opened as (
        insert into login_sessions (division_code, officer_id, officer_name, post_id, delegation_id, post, status,
                                    way, factor, address, agent, started_at, seen_at, confirmed_at, code_at)
        select o.division_code, o.id, o.name, session_open.post_id, session_open.delegation_id, session_open.post,
            'live', session_open.way, session_open.factor, session_open.address, session_open.agent,
            clock_timestamp(), clock_timestamp(), case when session_open.way = 'password' then clock_timestamp() end,
            case when session_open.factor in ('code', 'recovery') then clock_timestamp() end
        from officers o where o.id = officer
        returning id)
    insert into session_secrets (session_id, token_hash, csrf_token) select id, token, csrf from opened
    returning session_id
$$;

-- Ends what has been idle or open for too long: asked at every login.
create function session_sweep(idle interval, longest interval) returns void
    language sql security definer set search_path = pg_catalog, public, pg_temp as $$
    update login_sessions set status = 'expired', ended_at = clock_timestamp() where id in (
        select id from login_sessions where status = 'live'
            and (seen_at < clock_timestamp() - idle or started_at < clock_timestamp() - longest)
        for update skip locked)
$$;

-- Finds the session, refuses the ended, the idle and the old, and remembers the activity four times a minute.
drop function session_find(bytea, interval, date);
create function session_find(token bytea, idle interval, longest interval, day date)
    returns table (officer_id bigint, person text, name text, post_id bigint, delegation_id bigint, role text,
                   organisation_id bigint, organisation text, kind text, level text, division_code text, sector text,
                   bank_id bigint, absent text, permissions text[], csrf_token text, session_id bigint, way text,
                   factor text, confirmed_at timestamptz, code_at timestamptz, at timestamptz, must_change boolean,
                   password_changed_at timestamptz, has_totp boolean)
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
#variable_conflict use_column
declare
    mine constant bigint := live_session(token);
    moment constant timestamptz := clock_timestamp();
begin
    update login_sessions s set seen_at = moment
    where s.id = mine and s.seen_at > moment - idle and s.seen_at < moment - interval '15 seconds';
    return query
        select o.id, o.person, o.name, p.post_id, p.delegation_id, p.role, p.organisation_id, p.organisation, p.kind,
            p.level, p.division_code, p.sector, p.bank_id, p.absent, p.permissions, k.csrf_token, s.id, s.way::text,
            s.factor::text, s.confirmed_at, s.code_at, moment, c.must_change, c.password_changed_at,
            c.totp_secret is not null
        from login_sessions s join session_secrets k on k.session_id = s.id
            join officers o on o.id = s.officer_id and o.active join officer_secrets c on c.officer_id = o.id,
            lateral posts_of(o.id, day) p
        where s.id = mine and s.seen_at > moment - idle and s.started_at > moment - longest
            and p.post_id = s.post_id and p.delegation_id = s.delegation_id;
end $$;

-- The officer of a live session, whose password or code is asked again.
drop function session_officer(bytea);
create function session_officer(token bytea)
    returns table (id bigint, name text, login text, password_hash text, totp_secret bytea, totp_last_step bigint,
                   active boolean, locked_until timestamptz, recovery bytea[], at timestamptz)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select l.* from login_sessions s join officers o on o.id = s.officer_id, lateral login_officer(o.login) l
    where s.id = live_session(token)
$$;

drop function session_confirm(bytea);
create function session_confirm(token bytea, by_code boolean) returns void
    language sql security definer set search_path = pg_catalog, public, pg_temp as $$
    update login_sessions set confirmed_at = clock_timestamp(),
        code_at = case when by_code then clock_timestamp() else code_at end
    where id = live_session(token)
$$;

-- A new token for the same session: after a switch of post, a new password, a new second factor.
create function session_rotate(which bigint, fresh bytea, csrf text) returns void
    language sql security definer set search_path = pg_catalog, public, pg_temp as $$
    update session_secrets set token_hash = fresh, csrf_token = csrf where session_id = which
$$;

-- Our second factor after the provider's word.
create function session_prove(token bytea, fresh bytea, csrf text, proof text) returns boolean
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    mine constant bigint := live_session(token);
begin
    update login_sessions set factor = proof, code_at = clock_timestamp() where id = mine;
    perform session_rotate(mine, fresh, csrf);
    return mine is not null;
end $$;

drop function session_switch(bytea, bigint);
create function session_switch(token bytea, fresh bytea, csrf text, wanted bigint, delegation bigint, title text,
                               day date) returns boolean
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    mine constant bigint := live_session(token);
begin
    update login_sessions s set post_id = wanted, delegation_id = delegation, post = title
    where s.id = mine and exists (select from posts_of(s.officer_id, day) p
                                  where p.post_id = wanted and p.delegation_id = delegation);
    if not found then
        return false;
    end if;
    perform session_rotate(mine, fresh, csrf);
    return true;
end $$;

drop function session_end(bytea);
create function session_end(token bytea) returns void
    language sql security definer set search_path = pg_catalog, public, pg_temp as $$
    update login_sessions set status = 'logged_out', ended_at = clock_timestamp() where id = live_session(token)
$$;

create function sessions_mine(token bytea, idle interval, longest interval)
    returns table (id bigint, post text, way text, address text, agent text, started_at timestamptz,
                   seen_at timestamptz, this boolean)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select s.id, s.post, s.way, s.address, s.agent, s.started_at, s.seen_at, s.id = me.id
    from login_sessions me join login_sessions s on s.officer_id = me.officer_id and s.status = 'live'
    where me.id = live_session(token) and s.seen_at > clock_timestamp() - idle
        and s.started_at > clock_timestamp() - longest
    order by s.id = me.id desc, s.seen_at desc
$$;

-- My own: one of them, or (which = 0) all the others.
create function session_end_mine(token bytea, which bigint) returns integer
    language sql security definer set search_path = pg_catalog, public, pg_temp as $$
    with ended as (
        update login_sessions s set status = 'logged_out', ended_at = clock_timestamp() from login_sessions me
        where me.id = live_session(token) and s.officer_id = me.officer_id and s.status = 'live'
            and (s.id = which or (which = 0 and s.id <> me.id)) returning s.id)
    select count(*)::integer from ended
$$;

-- Somebody else's, in the caller's range.
create function session_end_in_scope(which bigint) returns boolean
    language sql security definer set search_path = pg_catalog, public, pg_temp as $$
    update login_sessions set status = 'revoked', ended_at = clock_timestamp()
    where id = which and status = 'live' and acting_role() = 'security_admin'
        and division_code >= (select (ticket())[1]) and division_code < (select (ticket())[2])
        and left(division_code, 6) <> (select (ticket())[3])
    returning true
$$;

-- Passwords, second factor ------------------------------------------------------------------------------------------
create function former_passwords_of(token bytea, most integer) returns setof text
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select f.password_hash from former_passwords f join login_sessions s on s.officer_id = f.officer_id
    where s.id = live_session(token) order by f.id desc limit most
$$;

-- Only this session goes on, under a new token; all others end.
create function password_change(token bytea, fresh bytea, csrf text, chosen text, keep integer) returns boolean
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    mine constant bigint := live_session(token);
    who constant bigint := (select officer_id from login_sessions where id = mine);
begin
    if who is null then
        return false;
    end if;
    insert into former_passwords (officer_id, password_hash, replaced_at)
    select officer_id, password_hash, clock_timestamp() from officer_secrets where officer_id = who and keep > 0;
    delete from former_passwords where officer_id = who and id not in (
        select id from former_passwords where officer_id = who order by id desc limit keep);
    update officer_secrets set password_hash = chosen, password_changed_at = clock_timestamp(), must_change = false
    where officer_id = who;
    perform session_keep(mine, fresh, csrf);
    perform security_event(who, 'change_password', '更换口令', who);
    return true;
end $$;

create function session_keep(mine bigint, fresh bytea, csrf text) returns void
    language sql security definer set search_path = pg_catalog, public, pg_temp as $$
    update login_sessions set status = 'live', ended_at = null where id = mine;
    select session_rotate(mine, fresh, csrf)
$$;

create function factor_confirm(token bytea, fresh bytea, csrf text, secret bytea, step bigint, codes bytea[])
    returns boolean
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    mine constant bigint := live_session(token);
    who constant bigint := (select officer_id from login_sessions where id = mine);
begin
    if who is null then
        return false;
    end if;
    update officer_secrets set totp_secret = secret, totp_last_step = step where officer_id = who;
    perform session_keep(mine, fresh, csrf);
    update login_sessions set factor = 'code', code_at = clock_timestamp() where id = mine;
    perform recovery_write(who, codes);
    perform security_event(who, 'enrol_second_factor', '绑定动态口令', who);
    return true;
end $$;

create function recovery_write(officer bigint, codes bytea[]) returns void
    language sql security definer set search_path = pg_catalog, public, pg_temp as $$
    delete from recovery_codes where officer_id = officer;
    insert into recovery_codes (officer_id, code_hash, made_at) select officer, code, clock_timestamp()
    from unnest(codes) code
$$;

create function recovery_renew(token bytea, codes bytea[]) returns boolean
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    who constant bigint := (select officer_id from login_sessions where id = live_session(token));
begin
    if who is null then
        return false;
    end if;
    perform recovery_write(who, codes);
    perform security_event(who, 'renew_recovery_codes', '更换恢复码', who);
    return true;
end $$;

create function code_used(officer bigint, step bigint) returns boolean
    language sql security definer set search_path = pg_catalog, public, pg_temp as $$
    update officer_secrets set totp_last_step = step, failed_logins = 0
    where officer_id = officer and totp_last_step < step returning true
$$;

create function account_state(token bytea)
    returns table (login text, password_changed_at timestamptz, has_totp boolean, recovery_left integer)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select o.login, c.password_changed_at, c.totp_secret is not null,
        (select count(*)::integer from recovery_codes r where r.officer_id = o.id and r.used_at is null)
    from login_sessions s join officers o on o.id = s.officer_id join officer_secrets c on c.officer_id = o.id
    where s.id = live_session(token)
$$;

create function address_unlock(wanted bytea) returns boolean
    language sql security definer set search_path = pg_catalog, public, pg_temp as $$
    delete from address_failures where address_index = wanted and acting_role() = 'security_admin' returning true
$$;

create function account_unlock(login_name text) returns boolean
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    who bigint;
begin
    update officer_secrets s set failed_logins = 0, locked_until = null from officers o
    where o.login = login_name and s.officer_id = o.id and acting_role() = 'security_admin'
        and o.division_code >= (ticket())[1] and o.division_code < (ticket())[2]
        and left(o.division_code, 6) <> (ticket())[3] and o.person <> (ticket())[7]
    returning o.id into who;
    if who is null then
        return false;
    end if;
    perform security_event(who, 'unlock', '解除登录锁定', ((ticket())[6])::bigint);
    return true;
end $$;

-- Unified login ------------------------------------------------------------------------------------------------------
create function openid_officer(provider text, who text)
    returns table (id bigint, name text, login text, password_hash text, totp_secret bytea, totp_last_step bigint,
                   active boolean, locked_until timestamptz, recovery bytea[], at timestamptz)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select l.* from openid_identities i join officers o on o.id = i.officer_id, lateral login_officer(o.login) l
    where i.issuer = provider and i.subject = who
$$;

create function openid_link(officer bigint, provider text, who text, shown text, linker bigint) returns boolean
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    insert into openid_identities (division_code, officer_id, officer_name, issuer, subject, label, linked_at,
                                   linked_by)
    select o.division_code, o.id, o.name, provider, who, shown, clock_timestamp(), w.name
    from officers o, officers w where o.id = officer and w.id = linker
    on conflict (issuer, subject) do nothing;
    if not found then
        return false;
    end if;
    perform security_event(officer, 'link_identity', '绑定统一身份', linker);
    return true;
end $$;

-- The officer's own by the session's token.
create function openid_link_mine(token bytea, provider text, who text, shown text) returns boolean
    language sql security definer set search_path = pg_catalog, public, pg_temp as $$
    select openid_link(s.officer_id, provider, who, shown, s.officer_id) from login_sessions s
    where s.id = live_session(token)
$$;

-- Another officer's, in the range of the ticket, which also says who links.
create function openid_link_in_scope(login_name text, provider text, who text, shown text) returns boolean
    language sql security definer set search_path = pg_catalog, public, pg_temp as $$
    select openid_link(o.id, provider, who, shown, ((select ticket())[6])::bigint) from officers o
    where o.login = login_name and acting_role() = 'security_admin' and o.person <> (select (ticket())[7])
        and o.division_code >= (select (ticket())[1])
        and o.division_code < (select (ticket())[2]) and left(o.division_code, 6) <> (select (ticket())[3])
$$;

create function openid_unlink(which bigint, token bytea default null) returns boolean
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    gone openid_identities;
    mine constant bigint := (select officer_id from login_sessions where id = live_session(token));
begin
    delete from openid_identities i where i.id = which and (i.officer_id = mine or (token is null and acting_role() = 'security_admin'
        and i.division_code >= (ticket())[1] and i.division_code < (ticket())[2]
        and left(i.division_code, 6) <> (ticket())[3])) returning * into gone;
    if gone.id is null then
        return false;
    end if;
    perform end_sessions(gone.officer_id, 'credentials', coalesce(live_session(token), 0));
    perform security_event(gone.officer_id, 'unlink_identity', '解除统一身份绑定',
                           coalesce(mine, ((ticket())[6])::bigint));
    return true;
end $$;

create function openid_mine(token bytea) returns table (id bigint, label text, linked_at timestamptz)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select i.id, i.label, i.linked_at from openid_identities i join login_sessions s on s.officer_id = i.officer_id
    where s.id = live_session(token) order by i.id
$$;

-- The helpers that check nothing themselves are for the other functions only.
revoke execute on function security_event(bigint, text, text, bigint), end_sessions(bigint, text, bigint),
    session_rotate(bigint, bytea, text), session_keep(bigint, bytea, text), recovery_write(bigint, bytea[]),
    openid_link(bigint, text, text, text, bigint) from public;
