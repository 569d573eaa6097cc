-- Segregation of duties (DESIGN D4, 第二十三条): pairs as data, the statutory ones fixed, and the trigger behind posts.
select apply_scope('duty_pairs', 'downward');
revoke delete on duty_pairs from yikatong_app;

-- A post fits a pattern: a role, or "*", and a kind of organisation if "@kind" is said.
create function duty_fits(pattern text, role text, kind text) returns boolean language sql immutable as $$
    select split_part(pattern, '@', 1) in ('*', role) and split_part(pattern, '@', 2) in ('', kind)
$$;

-- A division's pair binds the posts of the division and beneath.
create function duty_binds(pair text, division text) returns boolean language sql immutable as $$
    select pair in ('150000000000', left(division, 4) || '00000000', left(division, 6) || '000000', division)
$$;

-- What the policy in force lets a post do: a deny beats every allow.
create function post_permits(wanted_role text, wanted_level text, wanted_kind text, permission text) returns boolean
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select coalesce(bool_and(r.effect = 'allow'), false) from policy_rules r
    where r.role in ('*', wanted_role) and r.level in ('*', wanted_level) and r.kind in ('*', wanted_kind)
        and r.object = split_part(permission, ':', 1) and r.action = split_part(permission, ':', 2)
$$;

-- Whether a pair keeps two duties apart, whichever stands on which side.
create function duty_excludes(pair duty_pairs, one_role text, one_level text, one_kind text, other_role text,
                              other_level text, other_kind text) returns boolean language sql stable as $$
    select case pair.kind when 'role' then
        duty_fits(pair.one, one_role, one_kind) and duty_fits(pair.other, other_role, other_kind)
        or duty_fits(pair.one, other_role, other_kind) and duty_fits(pair.other, one_role, one_kind)
    else
        post_permits(one_role, one_level, one_kind, pair.one)
            and post_permits(other_role, other_level, other_kind, pair.other)
        or post_permits(other_role, other_level, other_kind, pair.one)
            and post_permits(one_role, one_level, one_kind, pair.other)
    end
$$;

-- Every duty of every natural person with its days: posts over all accounts, and posts held by delegation.
create view duties_held with (security_invoker = true) as
    select o.person, o.name as officer, p.id as post_id, 0::bigint as delegation_id, p.organisation_id, p.role,
        p.valid_from, p.valid_to
    from posts p join officers o on o.id = p.officer_id where p.status in ('proposed', 'in_force')
    union all
    select o.person, o.name, d.post_id, d.id, p.organisation_id, p.role, greatest(d.valid_from, p.valid_from),
        least(d.valid_to, p.valid_to)
    from delegations d join posts p on p.id = d.post_id join officers o on o.id = d.officer_id
    where d.status = 'in_force' and p.status in ('proposed', 'in_force')
        and daterange(d.valid_from, d.valid_to, '[]') && daterange(p.valid_from, p.valid_to, '[]');
comment on view duties_held is '每个自然人的岗位（含代办）及其有效期';
grant select on duties_held to yikatong_app;

-- Those who give one person duties wait for each other; what the first has committed the second sees.
create function lock_person(person text) returns void language sql as $$
    select pg_advisory_xact_lock(hashtextextended('duties:' || person, 0))
$$;

-- The verdict across counties: which duty of the person excludes the one asked for, from when to when.
create function duty_collisions(wanted_person text, wanted_organisation bigint, wanted_role text, wanted_from date,
                                wanted_to date, own_post bigint, own_delegation bigint)
    returns table (pair_id bigint, title text, organisation text, role text, since date, until date)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select t.id, t.title, g.name, d.role, greatest(wanted_from, d.valid_from), least(wanted_to, d.valid_to)
    from organisations a
    join duties_held d on d.person = wanted_person
        and not (d.post_id = own_post and d.delegation_id = own_delegation)
        and daterange(d.valid_from, d.valid_to, '[]') && daterange(wanted_from, wanted_to, '[]')
    join organisations g on g.id = d.organisation_id
    join duty_pairs t on t.status in ('in_force', 'ending')
        and (t.within = 'anywhere' or t.within = 'organisation' and g.id = a.id)
        and duty_binds(t.division_code, a.division_code) and duty_binds(t.division_code, g.division_code)
    where a.id = wanted_organisation
        and duty_excludes(t, wanted_role, a.level, a.kind, d.role, g.level, g.kind)
    order by t.statutory desc, t.id, d.post_id, d.delegation_id
$$;

-- What people hold together today though a pair keeps it apart: found when a pair is added or an account joined.
create function duty_conflicts(day date)
    returns table (pair_id bigint, title text, officer text, one_organisation text, one_role text,
                   other_organisation text, other_role text, since date, until date)
    language sql stable as $$
    select t.id, t.title, a.officer, ga.name, a.role, gb.name, b.role, greatest(a.valid_from, b.valid_from),
        least(a.valid_to, b.valid_to)
    from duties_held a
    join duties_held b on b.person = a.person and (a.post_id, a.delegation_id) < (b.post_id, b.delegation_id)
    join organisations ga on ga.id = a.organisation_id
    join organisations gb on gb.id = b.organisation_id
    join duty_pairs t on t.status in ('in_force', 'ending')
        and (t.within = 'anywhere' or t.within = 'organisation' and ga.id = gb.id)
        and duty_binds(t.division_code, ga.division_code) and duty_binds(t.division_code, gb.division_code)
    where day >= a.valid_from and day >= b.valid_from and day <= coalesce(a.valid_to, day)
        and day <= coalesce(b.valid_to, day)
        and duty_excludes(t, a.role, ga.level, ga.kind, b.role, gb.level, gb.kind)
    order by t.statutory desc, t.id, a.officer, a.post_id
$$;

create function refuse_collision(person text, organisation bigint, role text, since date, until date, post bigint,
                                 delegation bigint) returns void
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    found record;
begin
    perform lock_person(person);
    select * into found from duty_collisions(person, organisation, role, since, until, post, delegation) limit 1;
    if found.pair_id is not null then
        raise exception '不相容岗位不能由一人担任：%', found.title
            using errcode = '23514', constraint = 'duties_compatible';
    end if;
end $$;

create function posts_compatible() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform refuse_collision((select o.person from officers o where o.id = new.officer_id), new.organisation_id,
                             new.role, new.valid_from, new.valid_to, new.id, 0);
    return null;
end $$;
revoke execute on function refuse_collision(text, bigint, text, date, date, bigint, bigint) from public;

create trigger posts_compatible after insert or update of officer_id, organisation_id, role, valid_from, valid_to,
    status on posts for each row when (new.status in ('proposed', 'in_force')) execute function posts_compatible();

create function delegations_compatible() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform refuse_collision((select o.person from officers o where o.id = new.officer_id), p.organisation_id, p.role,
                             new.valid_from, new.valid_to, p.id, new.id) from posts p where p.id = new.post_id;
    return null;
end $$;
create trigger delegations_compatible after insert or update of post_id, officer_id, valid_from, valid_to, status
    on delegations for each row when (new.status = 'in_force') execute function delegations_compatible();

-- Two accounts turn out to be one person: their posts must not collide either.
create function persons_compatible() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform refuse_collision(d.person, d.organisation_id, d.role, d.valid_from, d.valid_to, d.post_id, d.delegation_id)
    from duties_held d where d.person = new.person;
    return null;
end $$;
create trigger persons_compatible after update of person on officers
    for each row when (old.person is distinct from new.person) execute function persons_compatible();

-- The statutory pairs stay as they are for everybody, the owner too; added ones begin as proposals.
create function guard_duty_pairs() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        if current_user = 'yikatong_app' and (new.statutory or new.status <> 'proposed') then
            raise exception '法定的不相容岗位不能由应用添加' using errcode = '42501';
        end if;
        return new;
    end if;
    if old.statutory or tg_op = 'DELETE' then
        raise exception '不相容岗位不能删除，法定的不能修改' using errcode = '42501';
    end if;
    if (new.division_code, new.kind, new.one, new.other, new.within, new.statutory, new.proposed_by)
        is distinct from (old.division_code, old.kind, old.one, old.other, old.within, old.statutory, old.proposed_by)
    then
        raise exception '不相容岗位拟定后只能复核，不能改写' using errcode = '42501';
    end if;
    return new;
end $$;
create trigger duty_pairs_guarded before insert or update or delete on duty_pairs
    for each row execute function guard_duty_pairs();
create trigger duty_pairs_no_truncate before truncate on duty_pairs
    for each statement execute function refuse_change();
alter table duty_pairs enable always trigger duty_pairs_guarded;
alter table duty_pairs enable always trigger duty_pairs_no_truncate;

-- Who acts, by the ticket: nobody signs with another's name.
create function duty_signatures() returns trigger language plpgsql as $$
declare
    me constant text := (ticket())[7];
begin
    if current_user = 'yikatong_app' and exists (
        select from unnest(array[new.proposed_by, new.confirmed_by, new.end_proposed_by, new.ended_by],
                           case when tg_op = 'UPDATE' then array[old.proposed_by, old.confirmed_by,
                                old.end_proposed_by, old.ended_by] else array[null, null, null, null] end)
            as signed (new_name, old_name)
        where new_name is distinct from old_name and new_name is not null and new_name is distinct from me)
    then
        raise exception '只能以本人名义拟定或复核' using errcode = '42501';
    end if;
    return new;
end $$;
create trigger duty_pairs_signed before insert or update on duty_pairs
    for each row execute function duty_signatures();

insert into duty_pairs (division_code, title, kind, one, other, within, basis, statutory, status, version, arrived_at,
                        proposed_by)
select '150000000000', p.title, p.kind, p.one, p.other, p.within, p.basis, true, 'in_force', 1,
    timestamptz '2024-04-02 00:00+08', ''
from (values
    ('经办岗与审核岗', 'role', 'clerk', 'reviewer', 'organisation', '第二十三条'),
    ('经办岗与负责人', 'role', 'clerk', 'head', 'organisation', '第二十三条、第三十一条'),
    ('专职管理岗与负责人', 'role', 'registrar', 'head', 'organisation', '第二十三条、第三十一条'),
    ('财政监督岗与经办岗', 'role', 'auditor', 'clerk', 'organisation', '第二十三条、第三十三条'),
    ('财政监督岗与审核岗', 'role', 'auditor', 'reviewer', 'organisation', '第二十三条、第三十三条'),
    ('财政监督岗与负责人', 'role', 'auditor', 'head', 'organisation', '第二十三条、第三十三条'),
    ('财政监督岗与专职管理岗', 'role', 'auditor', 'registrar', 'organisation', '第二十三条、第三十三条'),
    ('系统管理员与安全管理员', 'role', 'system_admin', 'security_admin', 'anywhere', '第二十三条（三权分立）'),
    ('系统管理员与审计管理员', 'role', 'system_admin', 'audit_admin', 'anywhere', '第二十三条（三权分立）'),
    ('安全管理员与审计管理员', 'role', 'security_admin', 'audit_admin', 'anywhere', '第二十三条（三权分立）'),
    ('系统管理员与经办岗', 'role', 'system_admin', 'clerk', 'anywhere', '第二十三条（三权分立）'),
    ('系统管理员与审核岗', 'role', 'system_admin', 'reviewer', 'anywhere', '第二十三条（三权分立）'),
    ('系统管理员与负责人', 'role', 'system_admin', 'head', 'anywhere', '第二十三条（三权分立）'),
    ('系统管理员与专职管理岗', 'role', 'system_admin', 'registrar', 'anywhere', '第二十三条（三权分立）'),
    ('系统管理员与财政监督岗', 'role', 'system_admin', 'auditor', 'anywhere', '第二十三条（三权分立）'),
    ('安全管理员与经办岗', 'role', 'security_admin', 'clerk', 'anywhere', '第二十三条（三权分立）'),
    ('安全管理员与审核岗', 'role', 'security_admin', 'reviewer', 'anywhere', '第二十三条（三权分立）'),
    ('安全管理员与负责人', 'role', 'security_admin', 'head', 'anywhere', '第二十三条（三权分立）'),
    ('安全管理员与专职管理岗', 'role', 'security_admin', 'registrar', 'anywhere', '第二十三条（三权分立）'),
    ('安全管理员与财政监督岗', 'role', 'security_admin', 'auditor', 'anywhere', '第二十三条（三权分立）'),
    ('审计管理员与经办岗', 'role', 'audit_admin', 'clerk', 'anywhere', '第二十三条（三权分立）'),
    ('审计管理员与审核岗', 'role', 'audit_admin', 'reviewer', 'anywhere', '第二十三条（三权分立）'),
    ('审计管理员与负责人', 'role', 'audit_admin', 'head', 'anywhere', '第二十三条（三权分立）'),
    ('审计管理员与专职管理岗', 'role', 'audit_admin', 'registrar', 'anywhere', '第二十三条（三权分立）'),
    ('审计管理员与财政监督岗', 'role', 'audit_admin', 'auditor', 'anywhere', '第二十三条（三权分立）'),
    ('公示与负责人审核', 'permission', 'roster:notice', 'roster:endorse', 'organisation', '第二十三条、第三十一条'),
    ('上报与负责人审核', 'permission', 'roster:report', 'roster:endorse', 'organisation', '第二十三条、第三十一条'),
    ('主管部门初审与审核', 'permission', 'roster:examine', 'roster:pass', 'organisation', '第十七条、第二十三条'),
    ('财政初审与终审', 'permission', 'roster:finance_examine', 'roster:finance_pass', 'organisation',
     '第十七条、第二十三条'),
    ('支付单生成与复核', 'permission', 'order:draft', 'order:release', 'organisation', '第十九条、第二十三条'),
    ('代发批次生成与复核', 'permission', 'batch:prepare', 'batch:release', 'organisation', '第二十条、第二十三条'),
    ('退款单生成与复核', 'permission', 'refund:prepare', 'refund:release', 'organisation', '第二十二条、第二十三条'),
    ('预警规则维护与启用', 'permission', 'rule:save', 'rule:enable', 'organisation', '第十八条、第二十三条'),
    ('银行回复录入与复核', 'permission', 'bank_reply:prepare', 'bank_reply:confirm', 'organisation',
     '第二十条、第二十三条'),
    ('不相容岗位拟定与启用', 'permission', 'duty:propose', 'duty:confirm', 'record', '第二十三条'),
    ('权限策略拟定与启用', 'permission', 'policy:draft', 'policy:enable', 'record', '第二十三条、第二十四条'),
    ('任职拟定与复核', 'permission', 'post:propose', 'post:confirm', 'record', '第二十三条')
) as p (title, kind, one, other, within, basis);

-- Own interest (DESIGN D4c): which rows of the records pay whoever acts, a member of their household, or an account
-- of theirs. The verdict only, of oneself only, past the range: a bank's desk sees no household. Found by index.
create function own_indexes(wanted text) returns bytea[]
    language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if session_user = 'yikatong_app' and wanted is distinct from (ticket())[7] then
        raise exception '只能查询本人' using errcode = '42501';
    end if;
    return (select coalesce(array_agg(distinct o.person_index), '{}') from officers o where o.person = wanted);
end $$;

create function own_interest(wanted text, more bytea[], noun text, records bigint[]) returns integer[]
    language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    home text;
    kin bigint[];
    cards bigint[];
    mine bytea[] := own_indexes(wanted) || more;
    lines bigint[];
begin
    if noun in ('post', 'delegation') then
        return (select coalesce(array_agg(0), '{}') from posts p join officers o on o.id = p.officer_id
                where noun = 'post' and p.id = any (records) and o.person = wanted);
    end if;
    select k.division_code, array_agg(k.id) into home, kin
        from members m join members k on k.division_code = m.division_code and k.household_id = m.household_id
        where m.id_index = any (mine) group by k.division_code limit 1;
    if kin is null then
        return '{}';
    end if;
    select array_agg(a.id) into cards from accounts a where a.division_code = home and a.member_id = any (kin);
    if noun = 'account' then
        return (select coalesce(array_agg(0), '{}') from unnest(cards) c (id) where c.id = any (records));
    end if;
    select array_agg(found.id) into lines from (
        select l.id from roster_lines l where l.division_code = home and l.member_id = any (kin)
        union
        select l.id from accounts a join roster_lines l
            on l.division_code = a.division_code and l.account_index = a.number_index
        where a.division_code = home and a.member_id = any (kin)) found;
    if noun = 'bank_reply' then
        return (select coalesce(array_agg(distinct r.row_number order by r.row_number), '{}') from bank_reply_rows r
                where r.reply_id = any (records) and (r.account_id = any (cards) or r.reference in (
                    select d.end_to_end_id from disbursements d
                    where d.county_code = left(home, 6) || '000000' and d.line_id = any (lines))));
    end if;
    return (
        select coalesce(array_agg(l.sequence order by l.sequence), '{}')
        from roster_lines l
        where l.county_code = left(home, 6) || '000000' and l.id = any (lines) and case noun
            when 'roster' then l.roster_id = any (records) and l.state = 'active'
            when 'roster_line' then l.id = any (records)
            when 'failure' then exists (
                select from disbursements d join failures f
                    on f.county_code = d.county_code and f.disbursement_id = d.id
                where d.county_code = l.county_code and d.line_id = l.id and f.id = any (records))
            when 'refund' then exists (
                select from disbursements d join failures f
                    on f.county_code = d.county_code and f.disbursement_id = d.id
                where d.county_code = l.county_code and d.line_id = l.id and f.refund_id = any (records))
            when 'payment_order' then exists (
                select from disbursements d where d.county_code = l.county_code and d.line_id = l.id
                    and d.order_id = any (records) and d.status <> 'cancelled')
            when 'bank_batch' then exists (
                select from disbursements d where d.county_code = l.county_code and d.line_id = l.id
                    and d.batch_id = any (records) and d.status <> 'cancelled')
            else false end);
end $$;
