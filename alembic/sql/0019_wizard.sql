-- Import of the registry from workbooks.
select 1;
