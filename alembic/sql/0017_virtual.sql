-- Persons kept elsewhere are referenced, and people move between townships.
select 1;
