-- The library as it was before changes of projects were records.
drop trigger subsidy_projects_guarded on subsidy_projects;
drop trigger project_versions_guarded on project_versions;
drop trigger policy_documents_guarded on policy_documents;
drop function guard_library();
drop trigger project_changes_guarded on project_changes;
drop function guard_project_changes();
drop trigger project_exceptions_guarded on project_exceptions;
drop function guard_project_exceptions();
drop function policy_file(bigint);
drop function project_names(text[]);
do $undo$
declare
    t text;
begin
    foreach t in array array['project_changes', 'policy_documents', 'project_exceptions'] loop
        execute format('drop trigger trail_insert on %I', t);
        execute format('drop trigger trail_update on %I', t);
        execute format('drop trigger trail_delete on %I', t);
        execute format('drop trigger trail_truncate on %I', t);
        execute format('drop function %I()', 'trail_of_' || t);
    end loop;
end
$undo$;
delete from attachments where kind in ('policy', 'joint');
