-- Flows as data are taken away again.
drop trigger rosters_keep_flow on rosters;
drop trigger rosters_take_flow on rosters;
drop trigger roster_substeps_guarded on roster_substeps;
drop trigger project_flows_guarded on project_flows;
drop trigger project_flows_no_truncate on project_flows;
drop function keep_flow();
drop function take_flow();
drop function guard_substep();
drop function guard_flow();
drop function next_substep(bigint, text, text, bigint, integer);
do $undo$
declare
    t text;
begin
    foreach t in array array['project_flows', 'roster_substeps'] loop
        execute format('drop trigger trail_insert on %I', t);
        execute format('drop trigger trail_update on %I', t);
        execute format('drop trigger trail_delete on %I', t);
        execute format('drop trigger trail_truncate on %I', t);
        execute format('drop function %I()', 'trail_of_' || t);
    end loop;
end
$undo$;
