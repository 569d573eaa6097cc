-- What the officers of an agent bank see and write (第三十四条): of the tables of the desk the rows of their own bank,
-- within the reach of their organisation. They write their replies and what goes with those; county rows they read.
select apply_scope('bank_replies', 'ranged');
select apply_scope('bank_reply_rows', 'ranged');
revoke delete on bank_replies from yikatong_app;
select watch_changes(t) from unnest(array['bank_replies', 'bank_reply_rows', 'agent_banks']) t;
select apply_bank_scope('bank_replies', 'select,insert,update');
select apply_bank_scope('bank_reply_rows', 'select,insert,update,delete');

-- What goes with a reply is whose the reply is: `exists` asks under the policies of the replies themselves.
select apply_bank_scope('desk_holders', 'select,insert',
    'noun = ''bank_reply'' and exists (select from bank_replies r where r.id = record_id)');
select apply_bank_scope('events', 'select',
    'officer_id::text = (select (ticket())[6])'
    ' or noun = ''bank_reply'' and exists (select from bank_replies r where r.id = record_id)');
select apply_bank_scope('events', 'insert',
    'officer_id::text = (select (ticket())[6]) and (noun = ''bank_reply'' and exists (select from bank_replies r'
    ' where r.id = record_id and r.division_code = events.division_code)'
    ' or noun = ''bank_batch'' and verb = ''download'' and exists (select from bank_batches b'
    ' where b.id = record_id and b.division_code = events.division_code))');
select apply_bank_scope('jobs', 'select,update',
    'post_id::text = (select (ticket())[8]) or kind in (''check_bank_reply'', ''apply_bank_reply'')'
    ' and exists (select from bank_replies r where r.id::text = jobs.arguments ->> ''reply_id'')');
select apply_bank_scope('jobs', 'insert',
    'post_id::text = (select (ticket())[8]) and kind in (''check_bank_reply'', ''apply_bank_reply'')');
select apply_bank_scope('stored_files', 'insert', 'owner_id::text = (select (ticket())[6])');
select apply_bank_scope('stored_files', 'select',
    'owner_id::text = (select (ticket())[6])'
    ' or exists (select from bank_replies r where stored_files.id in (r.file_id, r.marked_file_id))'
    ' or exists (select from bank_batches b where b.file_id = stored_files.id and b.sent_at is not null)');
select apply_bank_scope(t, 'select,insert', 'officer_id::text = (select (ticket())[6])')
from unnest(array['refusals', 'reveals']) t;

-- The questions that wait for the bank, with what an interface would be told: number, holder, ID. Asked under the
-- same reach as the accounts themselves.
create function bank_questions() returns table (account_id bigint, number bytea, holder text, id_number bytea,
                                                county text, township text)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select a.id, a.number, m.name, m.id_number, c.name, d.name
    from accounts a
    join members m on m.division_code = a.division_code and m.id = a.member_id
    join divisions d on d.code = a.division_code
    join divisions c on c.code = a.county_code
    where a.status = 'verifying' and a.bank_id = (select nullif((ticket())[5], '')::bigint)
        and a.division_code >= (select (bank_reach())[1]) and a.division_code < (select (bank_reach())[2])
    order by a.id
$$;
