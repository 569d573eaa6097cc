-- Search of the registry at ten million people: undone.
select 1;
