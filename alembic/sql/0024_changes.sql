-- Two records of one person become one (第十一条): payments, claims and accounts lie in several tables and, for who has
-- moved, in several townships. The application can't write them; this function does, for a change that two people have
-- taken and that is being applied in this very transaction.

-- How many entitlements of these people are neither done nor given up: all records of a person count, wherever they are.
-- What was cancelled on an ordered roster may be ordered again at any moment.
create function payments_under_way(members bigint[]) returns bigint
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select count(distinct l.id) from members m
    join members s on s.person = m.person
    join roster_lines l on l.division_code = s.division_code and l.member_id = s.id
    join rosters r on r.division_code = l.division_code and r.id = l.roster_id
    join disbursements d on d.county_code = l.county_code and d.line_id = l.id
    where m.id = any (payments_under_way.members) and (session_user <> 'yikatong_app'
            or m.division_code >= (select (ticket())[1]) and m.division_code < (select (claims())[2])
                and left(m.division_code, 6) <> (select (claims())[3]))
        and (d.status in ('reserved', 'pending', 'sent', 'unknown') or exists (select from failures f
            where f.county_code = d.county_code and f.disbursement_id = d.id
                and f.status in ('open', 'notified', 'corrected', 'reported'))
            or d.status = 'cancelled' and l.state = 'active' and r.status in ('ordered', 'part_paid')
                and not exists (select from disbursements o where o.county_code = d.county_code
                    and o.line_id = d.line_id and o.status <> 'cancelled'))
$$;

-- Which of these changes concern a person's own household: nobody agrees to those (第二十三条).
create function own_changes(wanted text, more bytea[], changes bigint[]) returns bigint[]
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select coalesce(array_agg(distinct c.id), '{}') from members m
    join registry_changes c on c.division_code = m.division_code
        and (c.household_id = m.household_id or c.member_id = m.id)
    where m.id_index = any (own_indexes(wanted) || more) and c.id = any (changes)
$$;

create function merge_records(change bigint, loser bigint, kept bigint)
    returns table (verdict text, roster_id bigint, lines bigint)
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    c registry_changes;
    l members;
    k members;
    theirs bigint[];
    twice bigint[];
begin
    select * into c from registry_changes x where x.id = change;
    select * into l from members x where x.id = loser for update;
    select * into k from members x where x.id = kept for update;
    if c.id is null or c.kind <> 'merge' or c.member_id is distinct from l.id or c.status <> 'applied'
        or session_user = 'yikatong_app' and c.applied_in <> pg_current_xact_id()::text
        or l.division_code <> c.division_code or k.division_code is distinct from c.division_code
        or not l.current or not k.current or l.person = k.person
    then
        raise exception '合并须经变更审核' using errcode = '42501';
    end if;
    select array_agg(x.id) into theirs from members x where x.person = l.person;
    -- Whoever is ordering one of these rosters has read the former keys: their step finds another version, or is seen.
    update rosters r set version = r.version + 1
    where r.status = 'final' and exists (select from roster_lines o where o.division_code = r.division_code
        and o.roster_id = r.id and o.member_id = any (theirs));
    if payments_under_way(array[l.id, k.id]) > 0 then
        raise exception '两条记录还有补贴正在支付' using errcode = '55006';
    end if;

    -- What both were paid stays claimed under both keys: it can't be paid a third time, and the township is told.
    select coalesce(array_agg(o.id), '{}') into twice
    from roster_lines o
    join rosters r on r.division_code = o.division_code and r.id = o.roster_id
    join subsidy_projects p on p.id = r.project_id
    join entitlement_successes s on s.entitlement_key = o.entitlement_key
    join entitlement_successes t on t.entitlement_key = encode(sha256(convert_to(p.code || '|' || r.period || '|'
        || k.person || '|' || o.component, 'UTF8')), 'hex')
    where o.member_id = any (theirs);

    update roster_lines o set entitlement_key = encode(sha256(convert_to(p.code || '|' || r.period || '|' || k.person
        || '|' || o.component, 'UTF8')), 'hex')
    from rosters r, subsidy_projects p
    where o.member_id = any (theirs) and o.id <> all (twice) and r.division_code = o.division_code
        and r.id = o.roster_id and p.id = r.project_id;
    update entitlement_successes s set entitlement_key = o.entitlement_key
    from disbursements d, roster_lines o
    where o.member_id = any (theirs) and o.id <> all (twice) and d.county_code = o.county_code and d.line_id = o.id
        and s.division_code = d.county_code and s.disbursement_id = d.id;
    update disbursements d set entitlement_key = o.entitlement_key
    from roster_lines o
    where o.member_id = any (theirs) and o.id <> all (twice) and d.county_code = o.county_code and d.line_id = o.id;

    update accounts a set is_payment = false where a.division_code = l.division_code and a.member_id = l.id
        and a.is_payment and exists (select from accounts b where b.division_code = k.division_code
            and b.member_id = k.id and b.is_payment);
    update accounts a set member_id = k.id where a.division_code = l.division_code and a.member_id = l.id
        and a.status not in ('proposed', 'rejected', 'closed') and not exists (select from accounts b
            where b.division_code = k.division_code and b.member_id = k.id and b.number_index = a.number_index);
    update certificates x set member_id = k.id, change_id = c.id
    where x.division_code = l.division_code and x.member_id = l.id and x.ended_on is null;

    update members x set current = false, merged_into = k.id, left_on = c.effective_on, change_id = c.id,
        version = x.version + 1 where x.id = l.id;
    update members x set person = k.person where x.id = any (theirs);
    update residences x set person = k.person, change_id = c.id where x.person = l.person;
    return query select 'paid_twice', o.roster_id, count(*) from roster_lines o where o.id = any (twice)
        group by o.roster_id;
end $$;
