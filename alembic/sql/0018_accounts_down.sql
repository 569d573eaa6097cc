-- Accounts change by two people, and in bulk: undone.
select 1;
