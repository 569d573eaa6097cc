-- Back to one index key without a generation, and to entitlements that hang on it.
drop function stop_rotation(bigint);
drop function reveals_made();
drop function forget_twin();
alter table members drop constraint ck_members_id_index_generation;
alter table members drop constraint ck_members_phone_index_generation;
alter table accounts drop constraint ck_accounts_number_index_generation;
alter table agent_accounts drop constraint ck_agent_accounts_number_index_generation;
alter table officers drop constraint ck_officers_person_index_generation;
alter table roster_lines drop constraint ck_roster_lines_id_index_generation;
alter table roster_lines drop constraint ck_roster_lines_account_index_generation;
alter table import_rows drop constraint ck_import_rows_id_index_generation;
alter table import_rows drop constraint ck_import_rows_account_index_generation;
update members set id_index = substring(id_index from 2), phone_index = substring(phone_index from 2);
update accounts set number_index = substring(number_index from 2);
update agent_accounts set number_index = substring(number_index from 2);
update officers set person_index = substring(person_index from 2);
update roster_lines set id_index = substring(id_index from 2), account_index = substring(account_index from 2);
update import_rows set id_index = substring(id_index from 2), account_index = substring(account_index from 2);
update roster_lines l set entitlement_key = encode(sha256(convert_to(
    p.code || '|' || o.period || '|' || encode(l.id_index, 'hex') || '|' || l.component, 'UTF8')), 'hex')
from rosters o, subsidy_projects p
where o.division_code = l.division_code and o.id = l.roster_id and p.id = o.project_id;
update disbursements d set entitlement_key = l.entitlement_key from roster_lines l
where l.county_code = d.county_code and l.id = d.line_id;
update entitlement_successes s set entitlement_key = d.entitlement_key from disbursements d
where d.county_code = s.division_code and d.id = s.disbursement_id;
