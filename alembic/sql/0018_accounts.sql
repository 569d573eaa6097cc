-- Accounts change by two people, and in bulk.
select 1;
