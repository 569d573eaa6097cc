-- Persons kept elsewhere are referenced, and people move between townships: undone.
select 1;
