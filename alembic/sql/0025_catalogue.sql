-- The catalogue's ground (第六至十条): versions of projects, tasks of finance bureaus and departments, the duties that
-- nobody unites.
select apply_scope('project_versions', 'downward');
select apply_sector('project_versions');
select apply_flow('project_versions', 'project_id', 'subsidy_projects');
revoke update, delete on project_versions from yikatong_app;
select watch_changes('project_versions');
select apply_scope('catalogue_tasks', 'ranged');
select apply_sector('catalogue_tasks');
revoke delete on catalogue_tasks from yikatong_app;
select watch_changes('catalogue_tasks');
create sequence catalogue_task_numbers;
grant usage on sequence catalogue_task_numbers to yikatong_app;

-- Projects that were there before have their first version from what they were.
insert into project_versions (division_code, project_id, sector, number, definition, digest, basis, effective_on, made_at)
select p.division_code, p.id, p.sector, 1, d.definition, encode(sha256(convert_to(d.definition::text, 'UTF8')), 'hex'),
    p.source, date '2024-04-02', now()
from subsidy_projects p, lateral (select jsonb_build_object('code', p.code, 'name', p.name, 'short_name',
    left(p.short_name, 7), 'policy_level', p.policy_level, 'sector', p.sector, 'domain', p.domain, 'funding_object',
    case when p.funding_object like '%户%' then 'household' else 'person' end, 'eligibility', p.eligibility, 'unit', p.unit,
    'gov_eco_code', p.gov_eco_code, 'standard_note', p.standard_note, 'exclusions_note', p.exclusions_note,
    'sheet_kind', p.sheet_kind, 'standard_setter', 'county', 'source', p.source, 'public',
    case when p.names_shown then '{}'::jsonb else '{"name": "hidden"}'::jsonb end) as definition) d;
update subsidy_projects p set definition = v.definition from project_versions v
where v.project_id = p.id and v.number = p.project_version;
update rosters set project_version = 1;

-- A roster keeps the version it was made under, whoever writes it.
create function keep_project_version() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        if new.project_version = 0 then
            select p.project_version into new.project_version from subsidy_projects p where p.id = new.project_id;
        elsif not exists (select from project_versions v
            where v.project_id = new.project_id and v.number = new.project_version)
        then
            raise exception '补贴项目没有第 % 版', new.project_version using errcode = '23503';
        end if;
    elsif (new.project_id, new.project_version) is distinct from (old.project_id, old.project_version) then
        raise exception '清册的项目版本在造册后不变' using errcode = '42501';
    end if;
    return new;
end $$;
create trigger rosters_project_version before insert or update of project_id, project_version on rosters
    for each row execute function keep_project_version();

alter table duty_pairs disable trigger duty_pairs_guarded;
insert into duty_pairs (division_code, title, kind, one, other, within, basis, statutory, status, version, arrived_at,
                        proposed_by)
values
    ('150000000000', '项目申请填写与审签', 'permission', 'project_change:draft', 'project_change:sign', 'organisation', '第七条、第二十三条', true, 'in_force', 1,
        timestamptz '2024-04-02 00:00+08', ''),
    ('150000000000', '项目申请初审与办理', 'permission', 'project_change:examine', 'project_change:admit', 'organisation', '第七条、第二十三条', true, 'in_force', 1,
        timestamptz '2024-04-02 00:00+08', ''),
    ('150000000000', '不纳入项目登记与复核', 'permission', 'exception:propose', 'exception:confirm', 'organisation', '第二条、第二十三条', true, 'in_force', 1,
        timestamptz '2024-04-02 00:00+08', ''),
    ('150000000000', '项目清单编制与发布', 'permission', 'annual_list:draft', 'annual_list:publish', 'organisation', '第六条、第二十三条', true, 'in_force', 1,
        timestamptz '2024-04-02 00:00+08', ''),
    ('150000000000', '公开内容拟稿与发布', 'permission', 'publication:prepare', 'publication:publish', 'organisation', '第八条、第二十三条', true, 'in_force', 1,
        timestamptz '2024-04-02 00:00+08', ''),
    ('150000000000', '补贴标准拟定与审核', 'permission', 'standard:propose', 'standard:confirm', 'organisation', '第八条、第二十三条', true, 'in_force', 1,
        timestamptz '2024-04-02 00:00+08', ''),
    ('150000000000', '发放管理流程编制与启用', 'permission', 'flow:draft', 'flow:enable', 'organisation', '第二十三条、第二十四条', true, 'in_force', 1,
        timestamptz '2024-04-02 00:00+08', ''),
    ('150000000000', '本地细则拟定与审定', 'permission', 'local_rule:propose', 'local_rule:enable', 'organisation', '第二十三条、第三十六条', true, 'in_force', 1,
        timestamptz '2024-04-02 00:00+08', ''),
    ('150000000000', '工作日历导入与启用', 'permission', 'calendar:import', 'calendar:enable', 'organisation', '第十七条、第二十三条', true, 'in_force', 1,
        timestamptz '2024-04-02 00:00+08', ''),
    ('150000000000', '分配方案编制与审核', 'permission', 'allocation:draft', 'allocation:confirm', 'organisation', '第二十三条、第三十二条', true, 'in_force', 1,
        timestamptz '2024-04-02 00:00+08', ''),
    ('150000000000', '资格申请录入与审核', 'permission', 'application:enter', 'application:endorse', 'organisation', '第十四条、第二十三条', true, 'in_force', 1,
        timestamptz '2024-04-02 00:00+08', ''),
    ('150000000000', '资格申请初审与审批', 'permission', 'application:examine', 'application:pass', 'organisation', '第十四条、第二十三条', true, 'in_force', 1,
        timestamptz '2024-04-02 00:00+08', ''),
    ('150000000000', '资格终止与复核', 'permission', 'qualification:end', 'qualification:confirm', 'organisation', '第十四条、第二十三条', true, 'in_force', 1,
        timestamptz '2024-04-02 00:00+08', '');
alter table duty_pairs enable always trigger duty_pairs_guarded;
