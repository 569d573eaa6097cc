-- Identity checks of the registry: undone.
select 1;
