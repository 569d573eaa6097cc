-- Import of the registry undone: the tables go with their policies and checks, their trail's functions here.
do $undo$
declare
    t text;
    operation text;
begin
    foreach t in array array['registry_imports', 'column_aliases'] loop
        foreach operation in array array['insert', 'update', 'delete', 'truncate'] loop
            execute format('drop trigger trail_%s on %I', operation, t);
        end loop;
        execute format('drop function %I()', 'trail_of_' || t);
    end loop;
end
$undo$;
