-- The catalogue's ground is taken away.
alter table duty_pairs disable trigger duty_pairs_guarded;
delete from duty_pairs where kind = 'permission' and one in ('project_change:draft', 'project_change:examine', 'exception:propose', 'annual_list:draft', 'publication:prepare',
    'standard:propose', 'flow:draft', 'local_rule:propose', 'calendar:import',
    'allocation:draft', 'application:enter', 'application:examine', 'qualification:end');
alter table duty_pairs enable always trigger duty_pairs_guarded;
drop trigger rosters_project_version on rosters;
drop function keep_project_version();
drop trigger trail_insert on project_versions;
drop trigger trail_update on project_versions;
drop trigger trail_delete on project_versions;
drop trigger trail_truncate on project_versions;
drop function trail_of_project_versions();
drop trigger trail_insert on catalogue_tasks;
drop trigger trail_update on catalogue_tasks;
drop trigger trail_delete on catalogue_tasks;
drop trigger trail_truncate on catalogue_tasks;
drop function trail_of_catalogue_tasks();
drop sequence catalogue_task_numbers;
