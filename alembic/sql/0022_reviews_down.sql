-- Yearly review of every household: undone.
select 1;
