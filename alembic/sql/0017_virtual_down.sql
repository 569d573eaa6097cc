-- Persons kept elsewhere are referenced, and people move between townships: undone.
drop trigger accounts_not_virtual on accounts;
drop trigger registry_tasks_reach_keeper on registry_tasks;
drop function tell_keeper();
do $undo$
declare
    t text;
begin
    foreach t in array array['virtual_members', 'transfers'] loop
        execute format('drop trigger trail_insert on %I', t);
        execute format('drop trigger trail_update on %I', t);
        execute format('drop trigger trail_delete on %I', t);
        execute format('drop trigger trail_truncate on %I', t);
        execute format('drop function %I()', 'trail_of_' || t);
    end loop;
end
$undo$;
drop trigger virtual_members_guarded on virtual_members;
drop trigger transfers_guarded on transfers;
drop policy own_select on virtual_members;
drop function transfer_complete(bigint, bytea, bytea, bytea);
drop function transfer_obstacle(members);
drop function transfer_tell(bigint);
drop function transfer_ask(bigint);
drop function transfer_bind(bigint, bytea);
drop function virtual_failed(text, bigint[]);
drop function keeper_changed(bigint[], text, text);
drop function tell_payers(bigint[], text, text);
drop function virtual_refresh(text, bigint);
drop function virtual_take(bigint);
drop function virtual_lines(bigint[], bigint);
drop function virtual_snapshot(bigint[]);
drop function virtual_bind(bigint, bytea);
drop function note_event(text, text, bigint, text, text, text, text, jsonb);
drop function two_desks(text, bigint);
drop function refuse_virtual_account();
drop function guard_transfer();
drop function guard_virtual();
drop function township_name(text);
drop function masked_name(text);
drop function in_reach(text);
drop function own_interest(text, bytea[], text, bigint[]);
create function own_interest(wanted text, more bytea[], noun text, records bigint[]) returns integer[]
    language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    home text;
    kin bigint[];
    cards bigint[];
    mine bytea[] := own_indexes(wanted) || more;
    lines bigint[];
begin
    if noun in ('post', 'delegation') then
        return (select coalesce(array_agg(0), '{}') from posts p join officers o on o.id = p.officer_id
                where noun = 'post' and p.id = any (records) and o.person = wanted);
    end if;
    select k.division_code, array_agg(k.id) into home, kin
        from members m join members k on k.division_code = m.division_code and k.household_id = m.household_id
        where m.id_index = any (mine) group by k.division_code limit 1;
    if kin is null then
        return '{}';
    end if;
    select array_agg(a.id) into cards from accounts a where a.division_code = home and a.member_id = any (kin);
    if noun = 'account' then
        return (select coalesce(array_agg(0), '{}') from unnest(cards) c (id) where c.id = any (records));
    end if;
    select array_agg(found.id) into lines from (
        select l.id from roster_lines l where l.division_code = home and l.member_id = any (kin)
        union
        select l.id from accounts a join roster_lines l
            on l.division_code = a.division_code and l.account_index = a.number_index
        where a.division_code = home and a.member_id = any (kin)) found;
    if noun = 'bank_reply' then
        return (select coalesce(array_agg(distinct r.row_number order by r.row_number), '{}') from bank_reply_rows r
                where r.reply_id = any (records) and (r.account_id = any (cards) or r.reference in (
                    select d.end_to_end_id from disbursements d
                    where d.county_code = left(home, 6) || '000000' and d.line_id = any (lines))));
    end if;
    return (
        select coalesce(array_agg(l.sequence order by l.sequence), '{}')
        from roster_lines l
        where l.county_code = left(home, 6) || '000000' and l.id = any (lines) and case noun
            when 'roster' then l.roster_id = any (records) and l.state = 'active'
            when 'roster_line' then l.id = any (records)
            when 'failure' then exists (
                select from disbursements d join failures f
                    on f.county_code = d.county_code and f.disbursement_id = d.id
                where d.county_code = l.county_code and d.line_id = l.id and f.id = any (records))
            when 'refund' then exists (
                select from disbursements d join failures f
                    on f.county_code = d.county_code and f.disbursement_id = d.id
                where d.county_code = l.county_code and d.line_id = l.id and f.refund_id = any (records))
            when 'payment_order' then exists (
                select from disbursements d where d.county_code = l.county_code and d.line_id = l.id
                    and d.order_id = any (records) and d.status <> 'cancelled')
            when 'bank_batch' then exists (
                select from disbursements d where d.county_code = l.county_code and d.line_id = l.id
                    and d.batch_id = any (records) and d.status <> 'cancelled')
            else false end);
end $$;
