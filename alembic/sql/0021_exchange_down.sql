-- Exchange with the twelve bodies of Article 29: undone.
select 1;
