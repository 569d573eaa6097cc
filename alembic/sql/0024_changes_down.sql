drop function merge_records(bigint, bigint, bigint);
drop function own_changes(text, bytea[], bigint[]);
drop function payments_under_way(bigint[]);
