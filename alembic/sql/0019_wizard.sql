-- Import of the registry (第十一条): a township's own rows; staged people are purged, imports and taught headers stay.
select apply_scope(t, 'ranged') from unnest(array['registry_imports', 'registry_import_rows', 'column_aliases']) t;
revoke delete on registry_imports from yikatong_app;
select watch_changes(t) from unnest(array['registry_imports', 'column_aliases']) t;

-- Staged blind indexes are of the generation in force, as everywhere.
do $generation$
declare
    c text;
begin
    foreach c in array array['id_index', 'head_index', 'phone_index', 'account_index'] loop
        execute format('alter table registry_import_rows add constraint ck_registry_import_rows_%s_generation'
            ' check (get_byte(%I, 0) = %s)', c, c, (select generation from index_generation where id = 1));
    end loop;
end
$generation$;
