-- Exchange with the twelve bodies of Article 29.
select 1;
