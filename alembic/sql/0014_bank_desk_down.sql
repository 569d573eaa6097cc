-- The desk of the banks is taken away; the tables of replies go with their policies.
drop function bank_questions();
select drop_bank_scope(t, 'select,insert')
from unnest(array['desk_holders', 'events', 'stored_files', 'refusals', 'reveals', 'jobs']) t;
select drop_bank_scope('jobs', 'update');
