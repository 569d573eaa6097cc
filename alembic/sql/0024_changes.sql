-- Changes of the registry that the application can't write by itself.
select 1;
