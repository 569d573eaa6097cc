-- Accounts as they were before a change was two people's.
alter table duty_pairs disable trigger duty_pairs_guarded;
delete from duty_pairs where statutory and (one, other) in
    (('account:register', 'account:confirm'), ('account_batch:propose', 'account_batch:confirm'));
alter table duty_pairs enable always trigger duty_pairs_guarded;
set constraints all immediate;
set constraints all deferred;
select drop_bank_scope('accounts', 'select');
select apply_bank_scope('accounts', 'select',
    'bank_id = (select nullif((claims())[5], '''')::bigint) and status <> ''registered''');
select drop_bank_scope('desk_holders', 'select,insert');
select apply_bank_scope('desk_holders', 'select,insert',
    'noun = ''bank_reply'' and exists (select from bank_replies r where r.id = record_id)');
select drop_bank_scope('events', 'select,insert');
select apply_bank_scope('events', 'select',
    'officer_id::text = (select (ticket())[6])'
    ' or noun = ''bank_reply'' and exists (select from bank_replies r where r.id = record_id)');
select apply_bank_scope('events', 'insert',
    'officer_id::text = (select (ticket())[6]) and (noun = ''bank_reply'' and exists (select from bank_replies r'
    ' where r.id = record_id and r.division_code = events.division_code)'
    ' or noun = ''bank_batch'' and verb = ''download'' and exists (select from bank_batches b'
    ' where b.id = record_id and b.division_code = events.division_code))');
select drop_bank_scope('jobs', 'select,insert,update');
select apply_bank_scope('jobs', 'select,update',
    'post_id::text = (select (ticket())[8]) or kind in (''check_bank_reply'', ''apply_bank_reply'')'
    ' and exists (select from bank_replies r where r.id::text = jobs.arguments ->> ''reply_id'')');
select apply_bank_scope('jobs', 'insert',
    'post_id::text = (select (ticket())[8]) and kind in (''check_bank_reply'', ''apply_bank_reply'')');
select drop_bank_scope('stored_files', 'select');
select apply_bank_scope('stored_files', 'select',
    'owner_id::text = (select (ticket())[6])'
    ' or exists (select from bank_replies r where stored_files.id in (r.file_id, r.marked_file_id))'
    ' or exists (select from bank_batches b where b.file_id = stored_files.id and b.sent_at is not null)');
select drop_bank_scope('account_batch_rows', 'select');
select drop_bank_scope('account_batches', 'select,insert,update');
drop trigger accounts_guarded on accounts;
drop function guard_account();
drop trigger account_batches_guarded on account_batches;
drop function guard_account_batch();
drop function has_accounts(text);
drop function account_keepers(bytea[], text[]);
do $undo$
declare
    t text;
begin
    foreach t in array array['account_batches', 'account_notices'] loop
        execute format('drop trigger trail_insert on %I', t);
        execute format('drop trigger trail_update on %I', t);
        execute format('drop trigger trail_delete on %I', t);
        execute format('drop trigger trail_truncate on %I', t);
        execute format('drop function %I()', 'trail_of_' || t);
    end loop;
end
$undo$;
