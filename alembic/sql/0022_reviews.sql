-- Yearly review of every household.
select 1;
