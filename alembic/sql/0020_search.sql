-- Search of the registry at ten million people.
select 1;
