-- Entitlements hang on a person's random mark, not on the blind index: that one changes when its key rotates.
update roster_lines l set entitlement_key = encode(sha256(convert_to(
    p.code || '|' || o.period || '|' || m.person || '|' || l.component, 'UTF8')), 'hex')
from rosters o, subsidy_projects p, members m
where o.division_code = l.division_code and o.id = l.roster_id and p.id = o.project_id
    and m.division_code = l.division_code and m.id = l.member_id;
update disbursements d set entitlement_key = l.entitlement_key from roster_lines l
where l.county_code = d.county_code and l.id = d.line_id;
update entitlement_successes s set entitlement_key = d.entitlement_key from disbursements d
where d.county_code = s.division_code and d.id = s.disbursement_id;

-- Every blind index says its generation in its first byte; a process with stale keys is refused, not obeyed.
update members set id_index = '\x01'::bytea || id_index, phone_index = '\x01'::bytea || phone_index;
update accounts set number_index = '\x01'::bytea || number_index;
update agent_accounts set number_index = '\x01'::bytea || number_index;
update officers set person_index = '\x01'::bytea || person_index;
update roster_lines set id_index = '\x01'::bytea || id_index, account_index = '\x01'::bytea || account_index;
update import_rows set id_index = '\x01'::bytea || id_index, account_index = '\x01'::bytea || account_index;
alter table members add constraint ck_members_id_index_generation check (get_byte(id_index, 0) = 1);
alter table members add constraint ck_members_phone_index_generation check (get_byte(phone_index, 0) = 1);
alter table accounts add constraint ck_accounts_number_index_generation check (get_byte(number_index, 0) = 1);
alter table agent_accounts
    add constraint ck_agent_accounts_number_index_generation check (get_byte(number_index, 0) = 1);
alter table officers add constraint ck_officers_person_index_generation check (get_byte(person_index, 0) = 1);
alter table roster_lines add constraint ck_roster_lines_id_index_generation check (get_byte(id_index, 0) = 1);
alter table roster_lines
    add constraint ck_roster_lines_account_index_generation check (get_byte(account_index, 0) = 1);
alter table import_rows add constraint ck_import_rows_id_index_generation check (get_byte(id_index, 0) = 1);
alter table import_rows add constraint ck_import_rows_account_index_generation check (get_byte(account_index, 0) = 1);
insert into index_generation (id, generation) values (1, 1);

-- While an index key rotates, a changed value forgets its twin of the coming generation; the batch fills it again.
create function forget_twin() returns trigger language plpgsql as $$
begin
    return jsonb_populate_record(new, jsonb_build_object(tg_argv[0], null));
end $$;

-- How often the acting person has seen personal data in full: counted over all their posts and accounts, one at a
-- time, so that two requests at once don't both take the last one.
create function reveals_made() returns table (in_hour bigint, in_day bigint)
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    who constant text := (ticket())[7];
begin
    perform pg_advisory_xact_lock(hashtextextended('reveal:' || who, 0));
    return query select count(*) filter (where r.revealed_at > clock_timestamp() - interval '1 hour'), count(*)
        from reveals r where r.person = who and r.revealed_at > clock_timestamp() - interval '1 day';
end $$;

-- The security administrator's wish to stop a rotation; the batch looks after every chunk.
create function stop_rotation(rotation bigint) returns boolean
    language sql security definer set search_path = pg_catalog, public, pg_temp as $$
    update key_rotations set cancel_asked = true
    where id = rotation and status = 'running' and (select ticket()) is not null returning true
$$;

select apply_scope('reveals', 'ranged');
revoke update, delete on reveals from yikatong_app;
select apply_scope('key_rotations', 'reference');
select apply_scope('index_generation', 'reference');
