-- Import of the registry from workbooks: undone.
select 1;
