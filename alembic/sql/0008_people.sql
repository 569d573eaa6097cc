-- Who holds which post when, and who may say so (第二十三条). What the workflows refuse by name, the triggers here
-- refuse to any SQL of the application's role.

-- The role of the post that the ticket names; null for nobody and for the platform's own principals.
create function acting_role() returns text
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select p.role from posts p where p.id = ((ticket())[8])::bigint
$$;

create function business_day() returns date
    language sql stable parallel safe security definer set search_path = pg_catalog, public, pg_temp as $$
    select ((clock_timestamp() + c.moved_by) at time zone 'Asia/Shanghai')::date from business_clock c
$$;

-- The name of the holder and of the organisation stand in the post itself: lists need no joins over scoped tables.
create function name_post() returns trigger language plpgsql
    security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    select coalesce(max(o.name), '') into new.holder from officers o where o.id = new.officer_id;
    select coalesce(max(g.name), '') into new.organisation from organisations g where g.id = new.organisation_id;
    return new;
end $$;
update posts p set holder = o.name, organisation = g.name from officers o, organisations g
    where o.id = p.officer_id and g.id = p.organisation_id;
create trigger posts_named before insert on posts for each row execute function name_post();

create function rename_posts() returns trigger language plpgsql
    security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    update posts set organisation = new.name where organisation_id = new.id;
    return null;
end $$;
create trigger organisations_renamed after update of name on organisations
    for each row when (old.name is distinct from new.name) execute function rename_posts();

-- Nobody but the three administrators' own kinds writes organisations, officers and posts.
create function guard_organisations() returns trigger language plpgsql as $$
begin
    if current_user = 'yikatong_app' and acting_role() is distinct from 'system_admin' then
        raise exception '机构只能由系统管理员维护' using errcode = '42501';
    end if;
    return null;
end $$;
create trigger organisations_guarded after insert or update on organisations
    for each row execute function guard_organisations();

create function guard_officers() returns trigger language plpgsql as $$
declare
    who constant text := acting_role();
begin
    if current_user <> 'yikatong_app' then
        return null;
    end if;
    if who is null or who not in ('security_admin', 'system_admin') or (ticket())[7] = new.person and tg_op = 'UPDATE' then
        raise exception '用户只能由管理员维护，且不得为本人' using errcode = '42501';
    end if;
    if tg_op = 'UPDATE' and (who <> 'security_admin' or (new.login, new.name, new.person, new.person_index)
            is distinct from (old.login, old.name, old.person, old.person_index)) then
        raise exception '用户登记后只能停用、恢复或调动' using errcode = '42501';
    end if;
    return null;
end $$;
create trigger officers_guarded after insert or update on officers for each row execute function guard_officers();

create function guard_posts() returns trigger language plpgsql as $$
declare
    own constant text := (ticket())[7];
    theirs constant text := (select o.person from officers o where o.id = new.officer_id);
begin
    if current_user <> 'yikatong_app' then
        return null;
    end if;
    if acting_role() is distinct from 'security_admin' or own = theirs then
        raise exception '任职只能由安全管理员办理，且不得为本人' using errcode = '42501';
    end if;
    if tg_op = 'INSERT' then
        if new.status <> 'proposed' or new.proposed_by <> own then
            raise exception '任职须先拟任' using errcode = '42501';
        end if;
        return null;
    end if;
    if (new.division_code, new.officer_id, new.organisation_id, new.role, new.sector, new.valid_from, new.proposed_by)
            is distinct from (old.division_code, old.officer_id, old.organisation_id, old.role, old.sector,
            old.valid_from, old.proposed_by)
        or coalesce(new.valid_to, 'infinity') > coalesce(old.valid_to, 'infinity')
        or (old.status, new.status) not in (('proposed', 'proposed'), ('proposed', 'in_force'), ('proposed', 'refused'),
            ('in_force', 'in_force'), ('in_force', 'ended'), ('ended', 'ended'))
        or (old.status = 'proposed' and new.status = 'in_force' and own = old.proposed_by) then
        raise exception '任职拟定后不得改动，须由另一名安全管理员复核' using errcode = '42501';
    end if;
    return null;
end $$;
create trigger posts_guarded after insert or update on posts for each row execute function guard_posts();

-- A delegation is the holder's own act, inside the post's dates, to another natural person; afterwards it only ends.
create function guard_delegations() returns trigger language plpgsql
    security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    lent posts;
    said constant text[] := ticket();
begin
    select * into lent from posts p where p.id = new.post_id;
    if tg_op = 'INSERT' then
        if lent.id is null or lent.officer_id <> new.holder_id or lent.status <> 'in_force'
            or new.valid_from < lent.valid_from or new.valid_to > coalesce(lent.valid_to, 'infinity')
            or (select count(distinct o.person) from officers o where o.id in (new.holder_id, new.officer_id)) < 2 then
            raise exception '委托须由在任人在任期内委托他人' using errcode = '23514', constraint = 'delegations_within';
        end if;
        if session_user = 'yikatong_app' and (said is null or said[9] <> '0' or said[8]::bigint <> new.post_id
                or said[6]::bigint <> new.holder_id) then
            raise exception '委托只能由岗位任职人本人办理' using errcode = '42501';
        end if;
        return null;
    end if;
    if (new.division_code, new.post_id, new.holder_id, new.officer_id, new.valid_from, new.permissions, new.reason)
            is distinct from (old.division_code, old.post_id, old.holder_id, old.officer_id, old.valid_from,
            old.permissions, old.reason)
        or new.valid_to > old.valid_to or (old.status <> 'in_force' and new.status <> old.status) then
        raise exception '委托只能提前结束或撤销' using errcode = '42501';
    end if;
    if session_user = 'yikatong_app' and (said is null or said[6]::bigint not in (new.holder_id, new.officer_id))
            and acting_role() is distinct from 'security_admin' then
        raise exception '委托只能由双方或安全管理员结束' using errcode = '42501';
    end if;
    return null;
end $$;
create trigger delegations_guarded after insert or update on delegations
    for each row execute function guard_delegations();

-- Everyone sees their own: the post they hold, the delegations they gave and were given, wherever their range ends.
create policy own_select on posts for select to yikatong_app
    using (officer_id = (select (ticket())[6])::bigint);
create policy own_select on delegations for select to yikatong_app
    using ((select (ticket())[6])::bigint in (holder_id, officer_id));
create policy own_insert on delegations for insert to yikatong_app
    with check (holder_id = (select (ticket())[6])::bigint);
create policy own_update on delegations for update to yikatong_app
    using ((select (ticket())[6])::bigint in (holder_id, officer_id))
    with check ((select (ticket())[6])::bigint in (holder_id, officer_id));
-- A bank's ordinary range is empty: what its people record about their own delegations is written here.
create policy own_insert on events for insert to yikatong_app
    with check (noun = 'delegation' and officer_id = (select (ticket())[6])::bigint and exists (
        select from delegations d where d.id = record_id and d.division_code = events.division_code
            and d.division_code like left(county_code, 6) || '%'));
revoke delete on organisations, delegations from yikatong_app;
select apply_flow('delegations', id, 'officers') from unnest(array['holder_id', 'officer_id']) id;

-- The posts an officer may act in on a day: their own in force, then those that absent colleagues delegated.
drop function posts_of(bigint, date);
create function posts_of(officer bigint, day date)
    returns table (post_id bigint, delegation_id bigint, role text, organisation_id bigint, organisation text,
                   kind text, level text, division_code text, sector text, bank_id bigint, absent text,
                   permissions text[])
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select p.id, 0::bigint, p.role, g.id, g.name, g.kind, g.level, g.division_code,
        coalesce(nullif(p.sector, ''), g.sector), coalesce(g.bank_id, 0), ''::text, null::text[]
    from posts p join organisations g on g.id = p.organisation_id
    where p.officer_id = officer and p.status = 'in_force'
        and p.valid_from <= day and (p.valid_to is null or p.valid_to >= day)
    union all
    select p.id, d.id, p.role, g.id, g.name, g.kind, g.level, g.division_code,
        coalesce(nullif(p.sector, ''), g.sector), coalesce(g.bank_id, 0), h.name, d.permissions
    from delegations d join posts p on p.id = d.post_id join organisations g on g.id = p.organisation_id
        join officers h on h.id = p.officer_id and h.active
    where d.officer_id = officer and d.status = 'in_force' and day between d.valid_from and d.valid_to
        and p.status = 'in_force' and p.valid_from <= day and (p.valid_to is null or p.valid_to >= day)
    order by 2, 1
$$;

drop function officer_in_post(bigint, date, bigint);
create function officer_in_post(wanted bigint, day date, delegation bigint default 0)
    returns table (officer_id bigint, person text, name text, post_id bigint, delegation_id bigint, role text,
                   organisation_id bigint, organisation text, kind text, level text, division_code text, sector text,
                   bank_id bigint, absent text, permissions text[])
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select o.id, o.person, o.name, p.post_id, p.delegation_id, p.role, p.organisation_id, p.organisation, p.kind,
        p.level, p.division_code, p.sector, p.bank_id, p.absent, p.permissions
    from posts held left join delegations d on d.id = delegation and d.post_id = held.id
        join officers o on o.id = case delegation when 0 then held.officer_id else d.officer_id end and o.active,
        lateral posts_of(o.id, day) p
    where held.id = wanted and p.post_id = wanted and p.delegation_id = delegation
$$;

drop function post_in_force(bigint, bigint);
create function post_in_force(post bigint, delegation bigint) returns boolean
    language plpgsql stable parallel safe security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    until date;
begin
    if post = 0 then
        return true;
    end if;
    select p.valid_to into until from posts p join officers o on o.id = p.officer_id and o.active
    where p.id = post and p.status = 'in_force';
    if not found or until is not null and until < business_day() then
        return false;
    end if;
    return delegation = 0 or exists (
        select from delegations d join officers a on a.id = d.officer_id and a.active
        where d.id = delegation and d.post_id = post and d.status = 'in_force'
            and business_day() between d.valid_from and d.valid_to);
end $$;

-- Asked in every statement: one query for the key and the post, the clock only for a post with an end.
create or replace function ticket() returns text[] language plpgsql stable parallel safe security definer
    set search_path = pg_catalog, public, pg_temp as $$
declare
    given constant text := current_setting('app.ticket', true);
    said text[];
    secret bytea;
    until date;
begin
    if given is null or given = '' then
        return null;
    end if;
    said := string_to_array(substr(given, 66), '|');
    if said[8] = '0' then
        return claims();
    elsif said[8] !~ '^[0-9]{1,18}$' then
        return null;
    end if;
    select k.key, p.valid_to into secret, until
    from ticket_keys k, posts p join officers o on o.id = p.officer_id and o.active
    where k.id = 1 and p.id = said[8]::bigint and p.status = 'in_force';
    if not found or until is not null and until < business_day() then
        return null;
    elsif encode(sha256(secret || sha256(secret || convert_to(substr(given, 66), 'UTF8'))), 'hex')
        is distinct from left(given, 64) then
        return null;
    elsif said[9] <> '0' and not post_in_force(said[8]::bigint, said[9]::bigint) then
        return null;
    end if;
    return said;
end $$;

-- Whom the holder of a post may ask to stand in: officers in force of the same division, kind and bank.
create function colleagues(day date)
    returns table (officer_id bigint, person text, name text, role text, organisation text)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select distinct on (o.id) o.id, o.person, o.name, p.role, g.name
    from posts mine join organisations own on own.id = mine.organisation_id
        join organisations g on g.division_code = own.division_code and g.kind = own.kind
            and g.bank_id is not distinct from own.bank_id and g.closed_on is null
        join posts p on p.organisation_id = g.id and p.status = 'in_force'
            and p.valid_from <= day and (p.valid_to is null or p.valid_to >= day)
        join officers o on o.id = p.officer_id and o.active
    where mine.id = ((ticket())[8])::bigint and (ticket())[9] = '0' and o.person <> (ticket())[7]
    order by o.id, g.id <> own.id, p.id
$$;

-- A first password, shown once by whoever issues it; it must be changed at the first login. Never for oneself.
create function credentials_issue(officer bigint, hash text) returns void language plpgsql
    security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    who constant text := acting_role();
begin
    if who is null or who not in ('security_admin', 'system_admin')
        or (who = 'system_admin' and exists (select from officer_secrets s where s.officer_id = officer))
        or exists (select from officers o where o.id = officer and o.person = (ticket())[7]) then
        raise exception '登录凭据只能由安全管理员为他人重置' using errcode = '42501';
    end if;
    insert into officer_secrets (officer_id, password_hash, totp_last_step, failed_logins, password_changed_at,
                                 must_change)
        values (officer, hash, 0, 0, clock_timestamp(), true)
        on conflict (officer_id) do update set password_hash = excluded.password_hash, failed_logins = 0,
            locked_until = null, password_changed_at = excluded.password_changed_at, must_change = true;
end $$;

-- Forgets a lost second factor; the next login enrols a new one. A security administrator's own peers can't: with it
-- one of them would become both.
create function second_factor_forget(officer bigint) returns void language plpgsql
    security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if acting_role() is distinct from 'security_admin'
        or exists (select from officers o where o.id = officer and o.person = (ticket())[7])
        or exists (select from posts p where p.officer_id = officer and p.role = 'security_admin'
                   and p.status in ('proposed', 'in_force')) then
        raise exception '动态口令只能由安全管理员为他人重置' using errcode = '42501';
    end if;
    update officer_secrets set totp_secret = null, totp_last_step = 0 where officer_id = officer;
end $$;

-- The natural person behind an ID number's blind index, region-wide: the number of the person, nothing about them.
-- Whoever registers the same person at the same moment waits.
create function person_of(idx bytea) returns text language plpgsql
    security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if session_user = 'yikatong_app' and coalesce(acting_role(), '') not in ('security_admin', 'system_admin') then
        return null;
    end if;
    perform pg_advisory_xact_lock(hashtextextended(encode(idx, 'hex'), 8));
    return (select o.person from officers o where o.person_index = idx order by o.id limit 1);
end $$;
