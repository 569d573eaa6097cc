-- The ranges of 0006 stay; sectors, banks and flows go.
do $down$
declare
    item record;
begin
    for item in select tablename, policyname from pg_policies
        where schemaname = 'public' and (policyname = 'sector_scope' or policyname like 'flow\_%') loop
        execute format('drop policy %I on %I', item.policyname, item.tablename);
    end loop;
end
$down$;
select drop_bank_scope(t, 'select') from unnest(array[
    'bank_batches', 'disbursements', 'agent_accounts', 'accounts', 'result_exceptions']) t;
drop trigger accounts_bank on accounts;
drop function bank_of_account();
drop function apply_sector(text, text, text);
drop function apply_flow(text, text, text);
drop function apply_bank_scope(text, text, text);
drop function drop_bank_scope(text, text);
drop function flows_to(text, bigint, text);
drop function bank_reach();
