-- Accounts (第十二条): a change is two people's, a card is one person's over the whole region, and only a bank's own
-- desk says with a file that its new cards are good.
select apply_scope(t, 'ranged') from unnest(array['account_batches', 'account_batch_rows', 'account_notices']) t;
revoke delete on account_batches, account_notices from yikatong_app;
revoke update on account_notices from yikatong_app;
select watch_changes(t) from unnest(array['accounts', 'account_batches', 'account_notices']) t;

-- Staged blind indexes are of the generation in force, as everywhere.
do $generation$
declare
    c text;
begin
    foreach c in array array['id_index', 'old_index', 'new_index'] loop
        execute format('alter table account_batch_rows add constraint ck_account_batch_rows_%s_generation'
            ' check (get_byte(%I, 0) = %s)', c, c, (select generation from index_generation where id = 1));
    end loop;
end
$generation$;

-- Whose card is it already? Over the whole region, by person: the township alone is told, never the person.
-- asked: one person per number; '' asks about anybody.
create function account_keepers(indexes bytea[], persons text[]) returns table (number_index bytea, township text)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select distinct on (a.number_index) a.number_index, c.name || d.name
    from unnest(indexes, persons) as asked (number_index, person)
    join accounts a on a.number_index = asked.number_index
        and a.status in ('proposed', 'registered', 'verifying', 'verified', 'dormant')
    join members m on m.division_code = a.division_code and m.id = a.member_id
    join divisions d on d.code = a.division_code
    join divisions c on c.code = a.county_code
    where m.person <> asked.person
    order by a.number_index, a.is_payment desc, a.id
$$;

-- Has the person any account that was once usable, or is on its way? One who moved keeps the answer.
create function has_accounts(wanted text) returns boolean
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select exists (select from members m join accounts a on a.division_code = m.division_code and a.member_id = m.id
        where m.person = wanted and (a.verified_at is not null
            or a.status in ('proposed', 'registered', 'verifying', 'verified', 'dormant', 'closed')))
$$;

-- What the application can't do by itself: let a proposed change through without two people, or call an account
-- verified that no bank has verified.
create function guard_account() returns trigger language plpgsql as $$
begin
    if current_user <> 'yikatong_app' then
        return new;
    end if;
    if tg_op = 'INSERT' then
        if new.status in ('verified', 'dormant') and not exists (select from account_batches b where b.id = new.batch_id
            and b.status = 'confirmed' and b.source = 'bank' and left(new.division_code, 6) = left(b.division_code, 6))
        then
            raise exception '账户须经代理银行验证' using errcode = '42501';
        end if;
        return new;
    end if;
    if old.status = 'proposed' and new.status = 'registered' and (select count(distinct h.person) from desk_holders h
        where h.noun = 'account' and h.record_id = new.id and h.desk in ('township_keeper', 'township_head')) < 2
    then
        raise exception '账户变更须由两人办理' using errcode = '42501';
    end if;
    if new.status = 'verified' and old.status not in ('verified', 'verifying', 'dormant') then
        raise exception '账户须经代理银行验证' using errcode = '42501';
    end if;
    return new;
end $$;
create trigger accounts_guarded before insert or update of status on accounts
    for each row execute function guard_account();

create function guard_account_batch() returns trigger language plpgsql as $$
begin
    if current_user <> 'yikatong_app' then
        return new;
    end if;
    if tg_op = 'INSERT' then
        if new.status <> 'received' then
            raise exception '换卡批次须先核对，再由两人办理' using errcode = '42501';
        end if;
        return new;
    end if;
    if (new.kind, new.source, new.bank_id, new.from_bank_id, new.file_id, new.sha256, new.division_code)
        is distinct from (old.kind, old.source, old.bank_id, old.from_bank_id, old.file_id, old.sha256,
            old.division_code)
    then
        raise exception '换卡批次不能改写' using errcode = '42501';
    end if;
    if new.status = 'confirmed' and old.status <> 'confirmed' and (
        (select count(distinct h.person) from desk_holders h where h.noun = 'account_batch' and h.record_id = new.id
            and h.desk in ('township_keeper', 'township_head', 'finance_clerk', 'finance_reviewer')) < 2
        or new.source = 'bank' and (select count(distinct h.person) from desk_holders h
            where h.noun = 'account_batch' and h.record_id = new.id and h.desk in ('bank_clerk', 'bank_reviewer')) < 2)
    then
        raise exception '批量换卡须由两人办理' using errcode = '42501';
    end if;
    return new;
end $$;
create trigger account_batches_guarded before insert or update on account_batches
    for each row execute function guard_account_batch();

-- Banks see of the accounts those that wait for them or that they have answered, never a mere proposal; of the
-- batches their own files.
select drop_bank_scope('accounts', 'select');
select apply_bank_scope('accounts', 'select',
    'bank_id = (select nullif((claims())[5], '''')::bigint) and status not in (''proposed'', ''rejected'', ''registered'')');
select apply_bank_scope('account_batches', 'select,insert,update',
    'source = ''bank'' and bank_id = (select nullif((claims())[5], '''')::bigint)');
select apply_bank_scope('account_batch_rows', 'select',
    'exists (select from account_batches b where b.id = batch_id)');
select drop_bank_scope('desk_holders', 'select,insert');
select apply_bank_scope('desk_holders', 'select,insert',
    'noun = ''bank_reply'' and exists (select from bank_replies r where r.id = record_id)'
    ' or noun = ''account_batch'' and exists (select from account_batches b where b.id = record_id)');
select drop_bank_scope('events', 'select,insert');
select apply_bank_scope('events', 'select',
    'officer_id::text = (select (ticket())[6])'
    ' or noun = ''bank_reply'' and exists (select from bank_replies r where r.id = record_id)'
    ' or noun = ''account_batch'' and exists (select from account_batches b where b.id = record_id)');
select apply_bank_scope('events', 'insert',
    'officer_id::text = (select (ticket())[6]) and (noun = ''bank_reply'' and exists (select from bank_replies r'
    ' where r.id = record_id and r.division_code = events.division_code)'
    ' or noun = ''account_batch'' and exists (select from account_batches a'
    ' where a.id = record_id and a.division_code = events.division_code)'
    ' or noun = ''bank_batch'' and verb = ''download'' and exists (select from bank_batches b'
    ' where b.id = record_id and b.division_code = events.division_code))');
select drop_bank_scope('jobs', 'select,insert,update');
select apply_bank_scope('jobs', 'select,update',
    'post_id::text = (select (ticket())[8]) or kind in (''check_bank_reply'', ''apply_bank_reply'')'
    ' and exists (select from bank_replies r where r.id::text = jobs.arguments ->> ''reply_id'')'
    ' or kind = ''check_account_batch'''
    ' and exists (select from account_batches b where b.id::text = jobs.arguments ->> ''batch_id'')');
select apply_bank_scope('jobs', 'insert',
    'post_id::text = (select (ticket())[8])'
    ' and kind in (''check_bank_reply'', ''apply_bank_reply'', ''check_account_batch'')');
select drop_bank_scope('stored_files', 'select');
select apply_bank_scope('stored_files', 'select',
    'owner_id::text = (select (ticket())[6])'
    ' or exists (select from bank_replies r where stored_files.id in (r.file_id, r.marked_file_id))'
    ' or exists (select from account_batches a where stored_files.id in (a.file_id, a.marked_file_id))'
    ' or exists (select from bank_batches b where b.file_id = stored_files.id and b.sent_at is not null)');

alter table duty_pairs disable trigger duty_pairs_guarded;
insert into duty_pairs (division_code, title, kind, one, other, within, basis, statutory, status, version, arrived_at,
                        proposed_by)
select '150000000000', p.title, 'permission', p.one, p.other, 'organisation', '第十二条、第二十三条', true, 'in_force', 1,
    timestamptz '2024-04-02 00:00+08', ''
from (values ('账户登记变更与复核', 'account:register', 'account:confirm'),
             ('批量换卡提出与复核', 'account_batch:propose', 'account_batch:confirm')) as p (title, one, other);
alter table duty_pairs enable always trigger duty_pairs_guarded;
