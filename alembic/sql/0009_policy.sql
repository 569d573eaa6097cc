-- The policy changes by one way only (Art. 23): a change that one security administrator drafted and a second one
-- enables. Every version is kept; whoever edits the rules past the console as owner leaves a version too.
select apply_scope('policy_changes', 'ranged');
select apply_scope('policy_versions', 'reference');
select apply_scope('policy_releases', 'reference');
revoke delete on policy_changes from yikatong_app;
revoke insert, update, delete on policy_rules from yikatong_app;

create trigger policy_versions_append_only before update or delete on policy_versions
    for each row execute function refuse_change();
create trigger policy_versions_no_truncate before truncate on policy_versions
    for each statement execute function refuse_change();
create trigger policy_changes_no_delete before delete on policy_changes
    for each row execute function refuse_change();
create trigger policy_changes_no_truncate before truncate on policy_changes
    for each statement execute function refuse_change();

-- What a change says is fixed once it is proposed, and it moves only along its lifecycle.
create function policy_change_guard() returns trigger language plpgsql
    security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if tg_op = 'INSERT' then
        if new.status <> 'draft' then
            raise exception '策略变更须从拟定开始' using errcode = '42501';
        end if;
        new.drafter := coalesce((ticket())[7], new.drafter);
        return new;
    end if;
    if old.status <> 'draft' and (new.division_code, new.number, new.title, new.reason, new.origin, new.base_version,
            new.lines, new.summary, new.digest, new.drafter, new.drafted_by) is distinct from (old.division_code,
            old.number, old.title, old.reason, old.origin, old.base_version, old.lines, old.summary, old.digest,
            old.drafter, old.drafted_by) then
        raise exception '策略变更提交后内容不能修改' using errcode = '42501';
    end if;
    if old.drafter <> '' and new.drafter <> old.drafter then
        raise exception '策略变更的拟定人不能修改' using errcode = '42501';
    end if;
    if new.status <> old.status and (old.status, new.status) not in (('draft', 'proposed'), ('draft', 'withdrawn'),
            ('proposed', 'enabled'), ('proposed', 'rejected'), ('proposed', 'withdrawn')) then
        raise exception '策略变更不能由 % 变为 %', old.status, new.status using errcode = '42501';
    end if;
    if new.status = 'proposed' and old.status = 'draft'
            and new.digest <> encode(sha256(convert_to(new.lines, 'UTF8')), 'hex') then
        raise exception '策略变更的摘要与内容不符' using errcode = '23514';
    end if;
    return new;
end $$;
create trigger policy_changes_guarded before insert or update on policy_changes
    for each row execute function policy_change_guard();

-- "Enabled" is true only of what has been put into force: checked at commit.
create function policy_change_in_force() returns trigger language plpgsql
    security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if new.status = 'enabled' and not exists (select from policy_versions v where v.change_id = new.id) then
        raise exception '策略变更 % 没有生效，不能标为已启用', new.number using errcode = '42501';
    end if;
    return null;
end $$;
create constraint trigger policy_changes_in_force after update on policy_changes deferrable initially deferred
    for each row execute function policy_change_in_force();

-- The rules in force as Casbin writes them, in their one order.
create function policy_text() returns text
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select coalesce(string_agg(line || E'\n', '' order by line collate "C"), '') from (
        select concat_ws(', ', 'p', role, level, kind, object, action, effect) as line from policy_rules) lines
$$;

-- The one writer of a version: raises the number, keeps the lines, tells every process. The stamp is an identity, so
-- that a number that was rolled back and given anew is never taken for the version that a process holds compiled.
create function policy_publish(from_where text, change policy_changes, who text) returns integer language plpgsql
    security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    fresh integer;
    entry bigint;
    said constant text := policy_text();
begin
    update policy_version set version = version + 1 returning version into fresh;
    insert into policy_versions (policy_version, origin, change_id, title, reason, drafted_by, enabled_by,
            in_force_from, line_count, lines, digest)
        select fresh, from_where, change.id, coalesce(change.title, from_where), coalesce(change.reason, ''),
            coalesce(change.drafted_by, ''), who, clock_timestamp(), (select count(*) from policy_rules), said,
            encode(sha256(convert_to(said, 'UTF8')), 'hex')
        returning id into entry;
    update policy_version set stamp = entry;
    perform pg_notify('policy', fresh::text);
    return fresh;
end $$;
revoke execute on function policy_publish(text, policy_changes, text) from public;

-- Any other change of the rules (the owner's: seed, repair) is a version of its own.
drop trigger policy_rules_versioned on policy_rules;
drop function raise_policy_version();
create function raise_policy_version() returns trigger language plpgsql
    security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    known constant boolean := exists (select from policy_versions);
begin
    if coalesce(current_setting('app.policy_change', true), '') = '' then
        perform policy_publish(
            case when known then '数据库直接修改' else '初始装入' end, null,
            case when known then session_user::text else '' end);
    end if;
    return null;
end $$;
create trigger policy_rules_versioned after insert or update or delete or truncate on policy_rules
    for each statement execute function raise_policy_version();

-- Puts a change into force: returns the new version, or 0 when another version has come into force since it was
-- drafted. Refuses whatever the console would have refused: the status, the second person, the text.
create function policy_enable(wanted bigint) returns integer language plpgsql
    security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    c policy_changes;
    said constant text[] := ticket();
    enabler text;
    wanted_lines text[];
    fresh integer;
begin
    select * into c from policy_changes where id = wanted for update;
    if c.status is distinct from 'enabled' or exists (select from policy_versions where change_id = wanted) then
        raise exception '策略变更 % 不在待启用状态', wanted using errcode = '42501';
    end if;
    select h.person into enabler from desk_holders h
        where h.noun = 'policy_change' and h.record_id = wanted and h.desk = 'security_enabler';
    if enabler is null or enabler = c.drafter or not exists (select from desk_holders h
            where h.noun = 'policy_change' and h.record_id = wanted and h.desk = 'security_drafter'
                and h.person <> enabler) then
        raise exception '策略变更 % 须由另一名安全管理员启用', wanted using errcode = '42501';
    end if;
    if said is null and session_user = 'yikatong_app' or said is not null and (said[7] <> enabler
            or not exists (select from posts p where p.id = said[8]::bigint and p.role = 'security_admin')) then
        raise exception '策略变更 % 只能由安全管理员本人启用', wanted using errcode = '42501';
    end if;
    if c.digest <> encode(sha256(convert_to(c.lines, 'UTF8')), 'hex')
            or c.lines !~ '^(p(, [a-z_*]+){5}, (allow|deny)\n)+$' then
        raise exception '策略变更 % 的内容不完整', wanted using errcode = '23514';
    end if;
    perform from policy_version where version = c.base_version for update;
    if not found then
        return 0;
    end if;
    perform set_config('app.policy_change', wanted::text, true);
    wanted_lines := string_to_array(rtrim(c.lines, E'\n'), E'\n');
    delete from policy_rules r where not exists (select from unnest(wanted_lines) line
        where line = concat_ws(', ', 'p', r.role, r.level, r.kind, r.object, r.action, r.effect));
    insert into policy_rules (role, level, kind, object, action, effect)
        select w[2], w[3], w[4], w[5], w[6], w[7]
        from unnest(wanted_lines) line, string_to_array(line, ', ') w
        on conflict on constraint uq_policy_rules_role_level_kind_object_action_effect do nothing;
    perform set_config('app.policy_change', '', true);
    fresh := policy_publish('变更启用', c,
        coalesce((select o.name from officers o where o.id = said[6]::bigint), session_user::text));
    return fresh;
end $$;

-- What was in force before there was a history is its first entry; an empty policy starts to count with the seed.
update policy_version set version = 0 where not exists (select from policy_rules);
insert into policy_versions (policy_version, origin, title, reason, drafted_by, enabled_by, in_force_from, line_count,
        lines, digest)
    select v.version, '升级前已有', '升级前已有的策略', '', '', '', clock_timestamp(), (select count(*) from policy_rules),
        policy_text(), encode(sha256(convert_to(policy_text(), 'UTF8')), 'hex')
    from policy_version v where v.version > 0;
update policy_version set stamp = coalesce((select max(id) from policy_versions), 0);
