-- The desk of the banks is taken away; the tables of replies go with their policies.
drop function bank_questions();
drop trigger trail_insert on bank_replies;
drop trigger trail_update on bank_replies;
drop trigger trail_delete on bank_replies;
drop trigger trail_truncate on bank_replies;
drop function trail_of_bank_replies();
drop trigger trail_insert on bank_reply_rows;
drop trigger trail_update on bank_reply_rows;
drop trigger trail_delete on bank_reply_rows;
drop trigger trail_truncate on bank_reply_rows;
drop function trail_of_bank_reply_rows();
select drop_bank_scope(t, 'select,insert')
from unnest(array['desk_holders', 'events', 'stored_files', 'refusals', 'reveals', 'jobs']) t;
select drop_bank_scope('jobs', 'update');
