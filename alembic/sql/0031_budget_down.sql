-- Downloads, drawdowns, plans and suggestions are taken away.
drop index ix_project_links_suffix;
drop function link_suggestions(text[], text[]);
drop trigger allocation_plans_whole on allocation_plans;
drop function require_whole_allocation();
drop trigger allocation_lines_guarded on allocation_lines;
drop function guard_allocation_line();
drop trigger allocation_plans_guarded on allocation_plans;
drop function guard_allocation_plan();
alter table catalogue_tasks drop constraint ck_catalogue_tasks_cataloguetaskkind;
delete from catalogue_tasks where kind = 'indicator_refused';
alter table catalogue_tasks add constraint ck_catalogue_tasks_cataloguetaskkind check (kind in ('publish_list',
    'select_list', 'stale_publication', 'standard_ending', 'indicator_arrived', 'indicator_unmapped',
    'money_at_rest', 'local_rule'));
drop sequence allocation_plan_numbers;
do $trail$
declare
    t text;
    op text;
begin
    foreach t in array array['upstream_indicators', 'project_drawdowns', 'indicator_faults', 'allocation_plans',
        'allocation_lines'] loop
        foreach op in array array['insert', 'update', 'delete', 'truncate'] loop
            execute format('drop trigger %I on %I', 'trail_' || op, t);
        end loop;
        execute format('drop function %I()', 'trail_of_' || t);
    end loop;
end
$trail$;
