drop function merge_records(bigint, bigint, bigint);
drop function own_changes(text, bytea[], bigint[]);
drop function payments_under_way(bigint[]);
create or replace function residences_follow() returns trigger language plpgsql
    security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    day constant date := ((clock_timestamp() + (select c.moved_by from business_clock c))
        at time zone 'Asia/Shanghai')::date;
begin
    if tg_op = 'UPDATE' then
        update residences r set until_on = greatest(r.from_on, coalesce(c.effective_on, day)),
            ended_by = coalesce(c.kind, 'import'), change_id = f.change_id
        from fresh f join stale s on s.id = f.id left join registry_changes c on c.id = f.change_id
        where r.division_code = f.division_code and r.member_id = f.id and r.until_on is null
            and ((f.household_id, f.relation, f.person) is distinct from (s.household_id, s.relation, s.person)
                or not f.current or f.status in ('dead', 'moved'));
        insert into residences (division_code, county_code, household_id, member_id, person, relation, from_on,
            began_by, change_id)
        select f.division_code, f.county_code, f.household_id, f.id, f.person, f.relation,
            coalesce(c.effective_on, day), coalesce(c.kind, 'import'), f.change_id
        from fresh f join stale s on s.id = f.id left join registry_changes c on c.id = f.change_id
        where f.current and f.status in ('alive', 'missing')
            and (f.household_id, f.relation, f.person, f.current, f.status)
                is distinct from (s.household_id, s.relation, s.person, s.current, s.status)
            and not exists (select from residences r where r.person = f.person and r.until_on is null);
        return null;
    end if;
    insert into residences (division_code, county_code, household_id, member_id, person, relation, from_on, began_by,
        change_id)
    select f.division_code, f.county_code, f.household_id, f.id, f.person, f.relation,
        coalesce(c.effective_on, f.added_on), coalesce(c.kind, 'import'), f.change_id
    from fresh f left join registry_changes c on c.id = f.change_id
    where f.current and f.status in ('alive', 'missing');
    return null;
end $$;
