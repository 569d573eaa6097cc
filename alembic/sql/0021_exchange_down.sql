-- Exchange undone: the tables go with their policies and checks, functions and their trail here.
drop function exchange_apply(bigint, numeric, numeric);
drop function exchange_difference(exchange_rows, text, text, numeric, numeric);
drop function exchange_receive(bigint, bigint, text, text, jsonb);
drop function exchange_admit(bigint, text, double precision, integer, integer);
drop function exchange_secret(text);
drop function exchange_keep(bigint, bytea, boolean);
do $undo$
declare
    t text;
    operation text;
begin
    foreach t in array array['exchange_bodies', 'exchange_keys', 'exchange_batches', 'exchange_facts'] loop
        foreach operation in array array['insert', 'update', 'delete', 'truncate'] loop
            execute format('drop trigger trail_%s on %I', operation, t);
        end loop;
        execute format('drop function %I()', 'trail_of_' || t);
    end loop;
end
$undo$;
