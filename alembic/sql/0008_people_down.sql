-- Back to the posts of 0006: in force by their dates alone.
drop trigger posts_guarded on posts;
drop trigger posts_named on posts;
drop trigger officers_guarded on officers;
drop trigger organisations_guarded on organisations;
drop trigger organisations_renamed on organisations;
drop policy own_select on posts;
drop policy own_insert on events;
drop function colleagues(date);
drop function person_of(bytea);
drop function credentials_issue(bigint, text);
drop function second_factor_forget(bigint);
drop table delegations;
drop function guard_delegations();
drop function guard_posts();
drop function guard_officers();
drop function guard_organisations();
drop function rename_posts();
drop function name_post();
drop function acting_role();
drop function business_day();
grant delete on organisations to yikatong_app;

drop function officer_in_post(bigint, date, bigint);
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
drop function post_in_force(bigint, bigint);
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
create or replace function ticket() returns text[] language plpgsql stable parallel safe security definer
    set search_path = pg_catalog, public, pg_temp as $$
declare
    said constant text[] := claims();
begin
    return case when said is not null and post_in_force(said[8]::bigint, said[9]::bigint) then said end;
end $$;
