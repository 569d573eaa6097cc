-- Identity checks of the registry.
select 1;
