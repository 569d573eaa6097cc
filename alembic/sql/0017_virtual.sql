-- Persons kept elsewhere (第十一条): the paying township references, the keeper reads who does; a transfer is confirmed
-- where the person is kept. Nobody writes across divisions: the functions below do, for those who hold the desks.
select apply_scope(t, 'ranged') from unnest(array['virtual_members', 'transfers']) t;
select apply_flow('virtual_members', 'project_id', 'subsidy_projects');
revoke delete on virtual_members, transfers from yikatong_app;
select watch_changes(t) from unnest(array['virtual_members', 'transfers']) t;
create policy own_select on virtual_members for select to yikatong_app
    using (status in ('in_force', 'ended') and keeper_code >= (select (ticket())[1])
        and keeper_code < (select (claims())[2]) and left(keeper_code, 6) <> (select (claims())[3]));

do $generation$
begin
    execute format('alter table virtual_members add constraint ck_virtual_members_account_index_generation'
        ' check (get_byte(account_index, 0) = %s)', coalesce((select g.generation from index_generation g), 1));
end
$generation$;

-- Whether a division lies inside the caller's range; whoever isn't the application (migrations, owner) may anywhere.
create function in_reach(code text) returns boolean language sql stable as $$
    select session_user <> 'yikatong_app' or coalesce(code collate "C" >= (select (ticket())[1])
        and code collate "C" < (select (claims())[2]) and left(code, 6) <> (select (claims())[3]), false)
$$;

-- A name as notices show it: 张*, 张*丰, 孛儿只斤·***; the same as policies.identities.mask_name.
create function masked_name(name text) returns text language sql immutable as $$
    select case when position('·' in name) between 1 and length(name) - 1
            then left(name, position('·' in name)) || repeat('*', length(name) - position('·' in name))
        when length(name) <= 1 then repeat('*', length(name))
        when length(name) = 2 then left(name, 1) || '*'
        else left(name, 1) || repeat('*', length(name) - 2) || right(name, 1) end
$$;

create function township_name(wanted text) returns text language sql stable as $$
    select c.name || d.name from divisions d join divisions c on c.code = left(d.code, 6) || '000000' where d.code = wanted
$$;

-- What only functions write: whom a record is about, the other side, the snapshot. The application moves the status
-- along, each step behind what must be there before it.
create function guard_virtual() returns trigger language plpgsql as $$
declare
    free constant text[] := array['status', 'version', 'arrived_at', 'started_on', 'ended_on', 'ended_for'];
begin
    if current_user <> 'yikatong_app' then
        return new;
    end if;
    if tg_op = 'INSERT' then
        if new.status <> 'proposed' or new.person <> '' or new.name <> '' or new.keeper_code <> ''
            or new.keeper_member_id <> 0 or coalesce(new.member_id, new.household_id) is not null
            or new.account_number is not null
        then
            raise exception '引用须先提出，对象由登记库核定' using errcode = '42501';
        end if;
    elsif to_jsonb(new) - free is distinct from to_jsonb(old) - free
        or new.status <> old.status and (old.status in ('refused', 'withdrawn', 'ended') or new.status = 'proposed')
        or new.status = 'approved' and (old.status <> 'proposed' or new.person = '')
            and new.status is distinct from old.status
        or new.status = 'in_force' and old.status <> 'in_force' and (old.status <> 'approved' or new.member_id is null)
    then
        raise exception '虚拟户内容由管理地登记，不能修改' using errcode = '42501';
    end if;
    return new;
end $$;
create trigger virtual_members_guarded before insert or update on virtual_members
    for each row execute function guard_virtual();

create function guard_transfer() returns trigger language plpgsql as $$
declare
    free constant text[] := array['status', 'version', 'arrived_at', 'refused_for', 'answered_at', 'evidence_count'];
begin
    if current_user <> 'yikatong_app' then
        return new;
    end if;
    if tg_op = 'INSERT' then
        if new.status <> 'requested' or new.side <> 'in' or new.person <> '' or new.pair_id <> 0
            or new.member_id is not null or new.change_id is not null
        then
            raise exception '迁移须由迁入地提出' using errcode = '42501';
        end if;
    elsif to_jsonb(new) - free is distinct from to_jsonb(old) - free
        or new.status <> old.status and (
            old.status in ('done', 'refused', 'withdrawn') or new.status in ('requested', 'asked')
            or new.status = 'sent' and (old.status <> 'requested' or new.person = '' or new.side <> 'in')
            or new.status = 'done' and (old.status <> 'asked' or new.change_id is null))
    then
        raise exception '迁移内容由双方登记，不能修改' using errcode = '42501';
    end if;
    return new;
end $$;
create trigger transfers_guarded before insert or update on transfers for each row execute function guard_transfer();

-- A virtual member's row holds what lines are made of and nothing else; no account is ever registered on it. One
-- look-up inside the other, no join: it stays fast where bulk work joins by hash alone.
create function refuse_virtual_account() returns trigger language plpgsql
    security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if (select h.status from households h where h.division_code = new.division_code and h.id = (
            select m.household_id from members m where m.division_code = new.division_code and m.id = new.member_id))
        = 'virtual'
    then
        raise exception '虚拟户的账户由管理地登记' using errcode = '42501';
    end if;
    return new;
end $$;
create trigger accounts_not_virtual before insert or update of member_id on accounts
    for each row execute function refuse_virtual_account();

-- Two different people at the keeper's and the head's desk of a record.
create function two_desks(noun_ text, record bigint) returns boolean language sql stable as $$
    select count(distinct h.person) > 1 and count(distinct h.desk) = 2 from desk_holders h
    where h.noun = noun_ and h.record_id = record and h.desk in ('township_keeper', 'township_head')
$$;

create function note_event(division text, noun_ text, record bigint, verb_ text, label_ text, before text, after_ text,
                           facts_ jsonb) returns void language sql as $$
    insert into events (county_code, division_code, noun, record_id, verb, label, officer_id, person, officer_name, post,
        from_status, to_status, opinion, facts, business_at)
    select left(division, 6) || '000000', division, noun_, record, verb_, label_,
        coalesce(o.id, 0), coalesce((claims())[7], ''), coalesce(o.name, '系统'), coalesce(g.name || case p.role
            when 'clerk' then '经办岗' when 'registrar' then '专职管理岗' when 'reviewer' then '审核岗'
            when 'head' then '负责人' else '' end, '系统任务'), before, after_, '', facts_, clock_timestamp() + (select c.moved_by from business_clock c)
    from (select 1) one
    left join officers o on o.id = nullif((claims())[6], '')::bigint
    left join posts p on p.id = nullif((claims())[8], '')::bigint
    left join organisations g on g.id = p.organisation_id
$$;

-- Whom a proposed reference is about: found or not, which township keeps the person, the masked name; nothing else.
create function virtual_bind(virtual bigint, wanted bytea)
    returns table (keeper text, name text, here boolean, known text)
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    v virtual_members;
    m members;
    standing text;
begin
    select * into v from virtual_members x where x.id = virtual for update;
    if v.id is null or not in_reach(v.division_code) or v.status <> 'proposed' or v.person <> '' then
        raise exception '没有可核定的引用' using errcode = '42501';
    end if;
    select * into m from members x where x.id_index = wanted and x.current;
    if m.id is null then
        return;
    end if;
    perform pg_advisory_xact_lock(hashtextextended('kept:' || m.person, 0));
    select x.number into standing from virtual_members x
    where x.division_code = v.division_code and x.person = m.person
        and coalesce(x.project_id, 0) in (0, coalesce(v.project_id, 0))
        and x.status in ('proposed', 'approved', 'in_force') limit 1;
    if m.division_code <> v.division_code and standing is null then
        update virtual_members x set keeper_code = m.division_code, keeper = township_name(m.division_code),
            keeper_member_id = m.id, person = m.person, name = masked_name(m.name) where x.id = virtual;
    end if;
    return query select township_name(m.division_code), masked_name(m.name), m.division_code = v.division_code,
        coalesce(standing, '');
end $$;

-- The snapshot: what the keeper's registry says now of the person and the account that is paid to.
create function virtual_snapshot(wanted bigint[]) returns void language plpgsql as $$
declare
    moment constant timestamptz := clock_timestamp() + (select c.moved_by from business_clock c);
begin
    update virtual_members v set person = k.person
    from members o join members k on k.id = o.merged_into and k.current
    where v.id = any (wanted) and v.status = 'in_force' and o.id = v.keeper_member_id and k.person <> v.person
        and not exists (select from virtual_members w where w.division_code = v.division_code and w.person = k.person
            and w.id <> v.id and coalesce(w.project_id, 0) = coalesce(v.project_id, 0)
            and w.status in ('proposed', 'approved', 'in_force'));
    update virtual_members v set keeper_code = m.division_code, keeper = township_name(m.division_code),
        keeper_member_id = m.id, name = masked_name(m.name), person_status = m.status, died_on = m.died_on,
        account_number = a.number, account_index = a.number_index, bank_name = coalesce(a.bank_name, ''),
        bank_code = coalesce(a.bank_code, ''), account_state = case when a.status in ('verified', 'dormant', 'closed')
            then a.status when a.status = 'refused' then 'unknown' end, account_is_card = a.is_card,
        account_verified_at = a.verified_at, refreshed_at = moment
    from members m
    left join accounts a on a.division_code = m.division_code and a.member_id = m.id and a.is_payment
    where v.id = any (wanted) and v.status in ('approved', 'in_force', 'ended') and m.person = v.person and m.current;
    update members s set person = m.person, name = m.name, name_key = m.name_key, id_number = m.id_number,
        id_index = m.id_index, birth_date = m.birth_date, sex = m.sex, ethnicity = m.ethnicity, status = m.status,
        died_on = m.died_on, identity_outcome = m.identity_outcome, identity_checked_at = m.identity_checked_at,
        police_died_on = m.police_died_on, version = s.version + 1
    from virtual_members v join members m on m.id = v.keeper_member_id
    where v.id = any (wanted) and s.division_code = v.division_code and s.id = v.member_id and not s.current
        and (s.name, s.id_index, s.status, s.died_on, s.identity_outcome, s.identity_checked_at, s.person)
            is distinct from (m.name, m.id_index, m.status, m.died_on, m.identity_outcome, m.identity_checked_at, m.person);
    update households h set head_name = s.name
    from virtual_members v join members s on s.division_code = v.division_code and s.id = v.member_id
    where v.id = any (wanted) and h.division_code = v.division_code and h.id = v.household_id
        and h.status = 'virtual' and h.head_name <> s.name;
end $$;

-- Lines that are still with the township take the snapshot; returns how many. only_of: one roster, 0 for all.
create function virtual_lines(wanted bigint[], only_of bigint) returns integer language plpgsql as $$
declare
    many integer;
begin
    update roster_lines l set name = s.name, id_number = s.id_number, id_index = s.id_index, head_name = s.name,
        payee_name = s.name, account_number = v.account_number, account_index = v.account_index,
        bank_name = v.bank_name, bank_code = v.bank_code, account_is_card = v.account_is_card,
        account_state = v.account_state, account_checked_at = v.account_verified_at
    from virtual_members v
    join members s on s.division_code = v.division_code and s.id = v.member_id
    join rosters r on r.division_code = v.division_code and r.status in ('draft', 'on_notice', 'endorsed', 'returned')
        and (only_of = 0 or r.id = only_of)
    where v.id = any (wanted) and l.division_code = v.division_code and l.member_id = v.member_id
        and l.roster_id = r.id and l.account_id is null and l.payee_relation in ('self', 'head');
    get diagnostics many = row_count;
    return many;
end $$;

-- Brings an approved reference into force: two people have taken it, and the township gets a local row for its lines.
create function virtual_take(virtual bigint) returns bigint
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    v virtual_members;
    m members;
    home bigint;
    row_id bigint;
begin
    select * into v from virtual_members x where x.id = virtual for update;
    if v.id is null or not in_reach(v.division_code) or v.status <> 'approved'
        or not two_desks('virtual_member', virtual)
    then
        raise exception '引用须由信息管理岗提出、负责人审批' using errcode = '42501';
    end if;
    select * into m from members x where x.person = v.person and x.current;
    if m.id is null or m.division_code = v.division_code then
        return 0;
    end if;
    select x.household_id, x.member_id into home, row_id from virtual_members x
    where x.division_code = v.division_code and x.person = v.person and x.member_id is not null limit 1;
    if row_id is null then
        insert into households (division_code, county_code, number, head_name, village_code, village, group_name,
            address, hukou_kind, status)
        values (v.division_code, v.county_code, v.number, m.name, '', '', '', '', 'unknown', 'virtual')
        returning id into home;
        row_id := nextval(pg_get_serial_sequence('public.members', 'id'));
        insert into members select (jsonb_populate_record(null::members, to_jsonb(m) || jsonb_build_object(
            'id', row_id, 'division_code', v.division_code, 'county_code', v.county_code, 'household_id', home,
            'relation', '02', 'phone', null, 'phone_index', null, 'current', false, 'version', 1, 'change_id', 0))).*;
    end if;
    update virtual_members x set household_id = home, member_id = row_id where x.id = virtual;
    perform virtual_snapshot(array[virtual]);
    return row_id;
end $$;

-- Takes the keeper's present entries for a township's references (of one roster, or all), and writes that it did.
create function virtual_refresh(division text, roster bigint) returns integer
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    wanted bigint[];
    many integer;
begin
    if not in_reach(division) then
        raise exception '不在管辖范围内' using errcode = '42501';
    end if;
    select array_agg(v.id) into wanted from virtual_members v
    where v.division_code = division and (roster = 0 and v.status = 'in_force'
        or v.status in ('in_force', 'ended') and exists (select from roster_lines l
            where l.division_code = v.division_code and l.member_id = v.member_id and l.roster_id = roster));
    if wanted is null then
        return 0;
    end if;
    perform virtual_snapshot(wanted);
    many := virtual_lines(wanted, roster);
    if roster <> 0 and many > 0 then
        perform note_event(division, 'roster', roster, 'virtual_snapshot', '取得虚拟户快照', '', '',
            jsonb_build_object('lines', many, 'references', (
                select jsonb_agg(v.number order by v.number) from virtual_members v where v.id = any (wanted))));
    end if;
    return cardinality(wanted);
end $$;

-- Tells the paying townships: a task for each open roster, the snapshot anew, and nothing more is paid to the dead.
create function tell_payers(wanted bigint[], what text, detail_ text) returns integer
    language plpgsql as $$
declare
    moment constant timestamptz := clock_timestamp() + (select c.moved_by from business_clock c);
    day constant date := (moment at time zone 'Asia/Shanghai')::date;
    told integer;
    item record;
begin
    if wanted is null then
        return 0;
    end if;
    perform virtual_snapshot(wanted);
    perform virtual_lines(wanted, 0);
    if what in ('death', 'missing') then
        for item in
            with held as (
                update roster_lines l set state = 'held', state_reason = detail_,
                    died_on = coalesce(v.died_on, l.died_on),
                    identity_outcome = case what when 'death' then 'dead' else l.identity_outcome end
                from virtual_members v join rosters r on r.division_code = v.division_code
                    and r.status in ('draft', 'on_notice', 'endorsed', 'reported', 'department_examined',
                        'department_passed', 'finance_examined', 'returned')
                where v.id = any (wanted) and l.division_code = v.division_code and l.member_id = v.member_id
                    and l.roster_id = r.id and l.state = 'active'
                returning l.roster_id, l.amount_fen, l.sequence
            ), sums as (
                select h.roster_id, count(*) as many, sum(h.amount_fen) as fen, array_agg(h.sequence) as sequences
                from held h group by h.roster_id
            )
            update rosters r set line_count = r.line_count - s.many, amount_fen = r.amount_fen - s.fen,
                version = r.version + 1
            from sums s where r.id = s.roster_id
            returning r.division_code, r.id, r.status, s.sequences, s.fen
        loop
            perform note_event(item.division_code, 'roster', item.id, 'line_held', '管理地变动，缓发', item.status,
                item.status, jsonb_build_object('sequences', item.sequences, 'amount_fen', item.fen, 'what', what));
        end loop;
    end if;
    with open_rosters as (
        select distinct v.division_code, v.county_code, v.household_id, v.member_id, r.id as roster_id
        from virtual_members v
        left join roster_lines l on l.division_code = v.division_code and l.member_id = v.member_id
            and l.state <> 'stopped'
            and exists (select from rosters o where o.division_code = l.division_code and o.id = l.roster_id
                and o.status not in ('paid', 'closed'))
        left join rosters r on r.division_code = l.division_code and r.id = l.roster_id
        where v.id = any (wanted) and v.member_id is not null
    )
    insert into registry_tasks (division_code, county_code, number, kind, status, version, household_id, member_id,
        roster_id, source, detail, found_on, arrived_at)
    select o.division_code, o.county_code, 'DB' || left(o.division_code, 9) || to_char(day, 'YYYYMMDD')
            || to_char(nextval('registry_task_numbers'), 'FM000000000'),
        'keeper_changed', 'open', 1, o.household_id, o.member_id, o.roster_id, 'keeper', detail_, day, moment
    from open_rosters o
    on conflict (division_code, kind, coalesce(member_id, 0), coalesce(account_id, 0), coalesce(roster_id, 0))
        where status = 'open'
    do update set detail = case when position(excluded.detail in registry_tasks.detail) > 0 then registry_tasks.detail
        else registry_tasks.detail || '；' || excluded.detail end;
    get diagnostics told = row_count;
    return told;
end $$;

-- The keeper says that something changed of its people: death, missing, account, identity, moved.
create function keeper_changed(members_ bigint[], what text, detail_ text) returns integer
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    return tell_payers((
        with told as (select m.* from members m where m.id = any (members_) and in_reach(m.division_code))
        select array_agg(distinct found.id) from (
            select v.id from told t join virtual_members v on v.person = t.person and v.status = 'in_force'
            union all
            select v.id from told t join virtual_members v on v.keeper_code = t.division_code
                and v.keeper_member_id = t.id and v.status = 'in_force') found), what, detail_);
end $$;

-- A payment to a virtual member failed: the keeper's account follows the bank's notice, the keeper gets the task.
create function virtual_failed(county text, attempts bigint[]) returns integer
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    moment constant timestamptz := clock_timestamp() + (select c.moved_by from business_clock c);
    day constant date := (moment at time zone 'Asia/Shanghai')::date;
    item record;
    told integer := 0;
begin
    if not in_reach(county) then
        raise exception '不在管辖范围内' using errcode = '42501';
    end if;
    for item in
        select distinct on (m.id) m.division_code, m.county_code, m.household_id, m.id as member_id, a.id as account_id,
            a.status, d.failure_class
        from disbursements d
        join roster_lines l on l.county_code = d.county_code and l.id = d.line_id and l.account_id is null
        join virtual_members v on v.division_code = l.division_code and v.member_id = l.member_id
        join members m on m.person = v.person and m.current
        left join accounts a on a.division_code = m.division_code and a.member_id = m.id
            and a.number_index = l.account_index
        where d.county_code = county and d.id = any (attempts) and d.failure_class in
            ('dormant', 'closed', 'invalid', 'frozen', 'lost_card', 'name_differs', 'wrong_kind')
        order by m.id, d.id desc
    loop
        if item.failure_class in ('dormant', 'closed') and item.status in ('verified', 'dormant')
            and item.status <> item.failure_class
        then
            update accounts a set status = item.failure_class, version = a.version + 1 where a.id = item.account_id;
            perform note_event(item.division_code, 'account', item.account_id,
                case item.failure_class when 'dormant' then 'fall_dormant' else 'close' end,
                case item.failure_class when 'dormant' then '银行通知不动户' else '已销户' end, item.status,
                item.failure_class, '{"source": "virtual"}');
        end if;
        insert into registry_tasks (division_code, county_code, number, kind, status, version, household_id, member_id,
            account_id, source, detail, found_on, arrived_at)
        values (item.division_code, item.county_code, 'DB' || left(item.division_code, 9) || to_char(day, 'YYYYMMDD')
                || to_char(nextval('registry_task_numbers'), 'FM000000000'),
            case item.failure_class when 'dormant' then 'account_dormant' when 'name_differs' then 'account_name'
                else 'account_closed' end, 'open', 1, item.household_id, item.member_id, item.account_id, 'bank',
            '其他苏木乡镇按虚拟户发放失败，须通知补贴对象变更或激活账户', day, moment)
        on conflict do nothing;
        told := told + 1;
    end loop;
    return told;
end $$;

-- Whom a requested transfer is about; the same answer as for a reference.
create function transfer_bind(transfer bigint, wanted bytea)
    returns table (keeper text, name text, here boolean, known text, movable boolean)
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    t transfers;
    m members;
    standing text;
begin
    select * into t from transfers x where x.id = transfer for update;
    if t.id is null or not in_reach(t.division_code) or t.status <> 'requested' or t.person <> '' then
        raise exception '没有可核定的迁移' using errcode = '42501';
    end if;
    select * into m from members x where x.id_index = wanted and x.current;
    if m.id is null then
        return;
    end if;
    perform pg_advisory_xact_lock(hashtextextended('kept:' || m.person, 0));
    select township_name(x.division_code) into standing from transfers x
    where x.person = m.person and x.side = 'in' and x.status in ('requested', 'sent') limit 1;
    if m.division_code <> t.division_code and standing is null and m.status in ('alive', 'missing') then
        update transfers x set partner_code = m.division_code, partner = township_name(m.division_code),
            person = m.person, name = masked_name(m.name) where x.id = transfer;
    end if;
    return query select township_name(m.division_code), masked_name(m.name), m.division_code = t.division_code,
        coalesce(standing, ''), m.status in ('alive', 'missing');
end $$;

-- Puts the question to the keeper: a record of its own, with the documents.
create function transfer_ask(transfer bigint) returns bigint
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    t transfers;
    m members;
    made bigint;
    paper record;
    copy_ bigint;
begin
    select * into t from transfers x where x.id = transfer for update;
    if t.id is null or not in_reach(t.division_code) or t.side <> 'in' or t.status <> 'sent' or t.pair_id <> 0
        or not two_desks('transfer', transfer)
    then
        raise exception '迁移须由迁入地两人办理后送管理地' using errcode = '42501';
    end if;
    select * into m from members x where x.person = t.person and x.current;
    if m.id is null or m.division_code = t.division_code then
        return 0;
    end if;
    insert into transfers (division_code, county_code, number, side, status, version, partner_code, partner, pair_id,
        person, name, reason, effective_on, household_id, member_id, relation, village_code, village, group_name,
        address, evidence_count, prepared_at, arrived_at, refused_for)
    values (m.division_code, m.county_code, t.number || 'C', 'out', 'asked', 1, t.division_code,
        township_name(t.division_code), t.id, t.person, masked_name(m.name), t.reason, t.effective_on, m.household_id,
        m.id, m.relation, '', '', '', '', t.evidence_count, t.prepared_at,
        clock_timestamp() + (select c.moved_by from business_clock c), '')
    returning id into made;
    for paper in
        select a.* from attachments a
        where a.division_code = t.division_code and a.noun = 'transfer' and a.record_id = t.id order by a.id
    loop
        copy_ := nextval(pg_get_serial_sequence('public.stored_files', 'id'));
        insert into stored_files select (jsonb_populate_record(null::stored_files, to_jsonb(f) || jsonb_build_object(
            'id', copy_, 'division_code', m.division_code))).* from stored_files f where f.id = paper.file_id;
        insert into attachments select (jsonb_populate_record(null::attachments, to_jsonb(a) || jsonb_build_object(
            'id', nextval(pg_get_serial_sequence('public.attachments', 'id')), 'division_code', m.division_code,
            'county_code', m.county_code, 'record_id', made, 'file_id', copy_))).* from attachments a
        where a.id = paper.id;
    end loop;
    update transfers x set pair_id = made, partner_code = m.division_code, partner = township_name(m.division_code)
    where x.id = transfer;
    perform note_event(m.division_code, 'transfer', made, 'begin', '收到迁移请求', '', 'asked', '{}');
    return made;
end $$;

-- Carries an answer to the other side's record: withdrawn by whoever asked, refused by whoever keeps.
create function transfer_tell(transfer bigint) returns boolean
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    t transfers;
    other transfers;
begin
    select * into t from transfers x where x.id = transfer;
    if t.id is null or not in_reach(t.division_code) or t.pair_id = 0 or not (
        t.side = 'in' and t.status = 'withdrawn' or t.side = 'out' and t.status = 'refused')
    then
        raise exception '没有可转告的答复' using errcode = '42501';
    end if;
    update transfers x set status = t.status, version = x.version + 1, refused_for = t.refused_for,
        answered_at = clock_timestamp() + (select c.moved_by from business_clock c)
    where x.id = t.pair_id and x.status in ('sent', 'asked') returning * into other;
    if other.id is null then
        return false;
    end if;
    perform note_event(other.division_code, 'transfer', other.id, t.status,
        case t.status when 'refused' then '管理地不同意' else '迁入地已撤回' end,
        case t.side when 'in' then 'asked' else 'sent' end, other.status, '{}');
    return true;
end $$;

-- What still runs at the keeper for a person and keeps the record there; empty: nothing.
create function transfer_obstacle(m members) returns text language plpgsql stable as $$
declare
    found text;
begin
    select string_agg(distinct r.number, '、') into found from roster_lines l
    join rosters r on r.division_code = l.division_code and r.id = l.roster_id
    where l.division_code = m.division_code and l.member_id = m.id and l.state <> 'stopped'
        and r.status not in ('paid', 'closed')
        and not exists (select from disbursements d where d.county_code = l.county_code and d.line_id = l.id
            and d.status = 'paid');
    if found is not null then
        return '清册 ' || found || ' 尚未发放完毕';
    end if;
    select string_agg(distinct r.number, '、') into found from failures f
    join roster_lines l on l.county_code = f.county_code and l.id = f.line_id
    join rosters r on r.division_code = l.division_code and r.id = l.roster_id
    where l.division_code = m.division_code and l.member_id = m.id
        and f.status not in ('settled', 'refunded', 'replaced');
    if found is not null then
        return '清册 ' || found || ' 的发放失败尚未处理完毕';
    end if;
    select string_agg(c.number, '、') into found from registry_changes c
    where c.division_code = m.division_code and c.member_id = m.id and c.status in ('submitted', 'returned', 'approved');
    if found is not null then
        return '变更单 ' || found || ' 尚未办结';
    end if;
    if m.relation = '02' and exists (select from members o where o.division_code = m.division_code
        and o.household_id = m.household_id and o.id <> m.id and o.current and o.status in ('alive', 'missing'))
    then
        return '该成员是户主，户内还有其他成员，须先变更户主';
    end if;
    return '';
end $$;

-- The transfer itself: a new current record under the same person where the person lives, the former one closed where
-- it was kept, verified accounts and certificates with it. Three people have taken it: two here, one there.
create function transfer_complete(transfer bigint, before_ bytea, after_in bytea, after_out bytea) returns text
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    o transfers;
    i transfers;
    m members;
    moment constant timestamptz := clock_timestamp() + (select c.moved_by from business_clock c);
    why text;
    c_in bigint;
    c_out bigint;
    home bigint;
    paid_to bigint;
    fresh bigint := nextval(pg_get_serial_sequence('public.members', 'id'));
begin
    perform 1 from transfers x where x.id = transfer or x.pair_id = transfer order by x.id for update;
    select * into o from transfers x where x.id = transfer;
    select * into i from transfers x where x.id = o.pair_id;
    if o.id is null or not in_reach(o.division_code) or o.side <> 'out' or o.status <> 'asked' or i.status <> 'sent'
        or i.pair_id <> o.id or not two_desks('transfer', i.id)
        or not exists (select from desk_holders h where h.noun = 'transfer' and h.record_id = o.id
            and h.desk = 'township_head' and not exists (select from desk_holders k where k.noun = 'transfer'
                and k.record_id = i.id and k.person = h.person))
    then
        raise exception '迁移须经迁入地提出、审批和管理地确认' using errcode = '42501';
    end if;
    perform pg_advisory_xact_lock(hashtextextended('kept:' || o.person, 0));
    select * into m from members x where x.division_code = o.division_code and x.id = o.member_id for update;
    if not m.current or m.status not in ('alive', 'missing') then
        return '该成员已不是本乡镇的现存记录';
    end if;
    why := transfer_obstacle(m);
    if why <> '' then
        return why;
    end if;
    insert into registry_changes (division_code, county_code, number, kind, status, version, household_id, member_id,
        subject, effective_on, reason, fields, before, after, row_count, evidence_count, prepared_at, arrived_at,
        applied_at, applied_in, returned_for)
    select s.division_code, s.county_code, 'BG' || s.number, 'transfer', 'applied', 1, s.household_id, s.member_id,
        m.name, i.effective_on, i.reason, array['苏木乡镇', '户'], before_,
        case s.side when 'in' then after_in else after_out end, 1, s.evidence_count, s.prepared_at, moment, moment,
        pg_current_xact_id()::text, ''
    from transfers s where s.id in (i.id, o.id);
    select c.id into c_in from registry_changes c where c.number = 'BG' || i.number;
    select c.id into c_out from registry_changes c where c.number = 'BG' || o.number;
    update members x set current = false, status = 'moved', left_on = i.effective_on, change_id = c_out,
        version = x.version + 1 where x.division_code = m.division_code and x.id = m.id;
    update households h set status = 'closed', closed_on = i.effective_on, change_id = c_out, version = h.version + 1
    where h.division_code = m.division_code and h.id = m.household_id and not exists (
        select from members k where k.division_code = h.division_code and k.household_id = h.id and k.current
            and k.status in ('alive', 'missing'));
    home := i.household_id;
    if home is null then
        insert into households (division_code, county_code, number, head_name, village_code, village, group_name,
            address, hukou_kind, status, change_id)
        values (i.division_code, i.county_code, 'H' || i.number, m.name, i.village_code, i.village, i.group_name,
            i.address, 'unknown', 'active', c_in) returning id into home;
    end if;
    insert into members select (jsonb_populate_record(null::members, to_jsonb(m) || jsonb_build_object(
        'id', fresh, 'division_code', i.division_code, 'county_code', i.county_code, 'household_id', home,
        'relation', i.relation, 'version', 1, 'change_id', c_in))).*;
    update accounts a set is_payment = false where a.division_code = m.division_code and a.member_id = m.id
        and a.is_payment returning a.id into paid_to;
    insert into accounts select (jsonb_populate_record(null::accounts, to_jsonb(a) || jsonb_build_object(
        'id', nextval(pg_get_serial_sequence('public.accounts', 'id')), 'division_code', i.division_code,
        'county_code', i.county_code, 'member_id', fresh, 'version', 1,
        'is_payment', a.id is not distinct from paid_to,
        'status', case a.status when 'verifying' then 'registered' else a.status end))).*
    from accounts a where a.division_code = m.division_code and a.member_id = m.id
        and a.status in ('registered', 'verifying', 'verified', 'refused', 'dormant');
    insert into certificates select (jsonb_populate_record(null::certificates, to_jsonb(c) || jsonb_build_object(
        'id', nextval(pg_get_serial_sequence('public.certificates', 'id')), 'division_code', i.division_code,
        'county_code', i.county_code, 'member_id', fresh, 'change_id', c_in))).*
    from certificates c where c.division_code = m.division_code and c.member_id = m.id and c.ended_on is null;
    update virtual_members v set status = 'ended', ended_on = i.effective_on, ended_for = '该人员已迁入本苏木乡镇',
        version = v.version + 1
    where v.division_code = i.division_code and v.person = m.person and v.status in ('proposed', 'approved', 'in_force');
    update transfers x set answered_at = moment, change_id = c_out where x.id = o.id;
    update transfers x set status = 'done', version = x.version + 1, household_id = home, member_id = fresh,
        answered_at = moment, change_id = c_in where x.id = i.id;
    update registry_changes c set household_id = home, member_id = fresh where c.id = c_in;
    perform note_event(i.division_code, 'transfer', i.id, 'complete', '管理地已确认，迁移完成', 'sent', 'done', '{}');
    perform note_event(i.division_code, 'registry_change', c_in, 'apply', '写入基础信息库', 'approved', 'applied',
        jsonb_build_object('transfer', i.number));
    perform note_event(o.division_code, 'registry_change', c_out, 'apply', '写入基础信息库', 'approved', 'applied',
        jsonb_build_object('transfer', o.number));
    perform tell_payers((select array_agg(v.id) from virtual_members v where v.person = m.person
        and v.status = 'in_force'), 'moved', '管理地已变更，账户和身份信息由新的管理地维护');
    return '';
end $$;

-- What the police say of a person on another township's roster is told to the keeper, who alone can register it.
create function tell_keeper() returns trigger language plpgsql
    security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    insert into registry_tasks (division_code, county_code, number, kind, status, version, household_id, member_id,
        source, detail, found_on, arrived_at)
    select distinct m.division_code, m.county_code, new.number || 'G', new.kind, 'open', 1, m.household_id, m.id,
        new.source, '其他苏木乡镇造册时核查：' || new.detail, new.found_on, new.arrived_at
    from virtual_members v join members m on m.person = v.person and m.current
    where v.division_code = new.division_code and v.member_id = new.member_id
        and m.division_code <> new.division_code
    on conflict do nothing;
    return null;
end $$;
create trigger registry_tasks_reach_keeper after insert on registry_tasks for each row
    when (new.kind in ('identity_mismatch', 'identity_not_found', 'deceased')) execute function tell_keeper();

revoke execute on function virtual_snapshot(bigint[]), virtual_lines(bigint[], bigint),
    tell_payers(bigint[], text, text), transfer_obstacle(members), two_desks(text, bigint),
    note_event(text, text, bigint, text, text, text, text, jsonb) from public;

-- Where somebody has records in several townships, own interest looks at all of them, and at the lines that others pay.
drop function own_interest(text, bytea[], text, bigint[]);
create function own_interest(wanted text, more bytea[], noun text, records bigint[]) returns integer[]
    language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    kin bigint[];
    cards bigint[];
    counties text[];
    mine bytea[] := own_indexes(wanted) || more;
    lines bigint[];
begin
    if noun in ('post', 'delegation') then
        return (select coalesce(array_agg(0), '{}') from posts p join officers o on o.id = p.officer_id
                where noun = 'post' and p.id = any (records) and o.person = wanted);
    end if;
    select array_agg(distinct s.id) into kin
        from members m join members k on k.division_code = m.division_code and k.household_id = m.household_id
        join members s on s.person = k.person
        where m.id_index = any (mine) and m.current;
    if kin is null then
        return '{}';
    end if;
    if noun in ('virtual_member', 'transfer') then
        return (select coalesce(array_agg(0), '{}') from (
            select v.person from virtual_members v where noun = 'virtual_member' and v.id = any (records)
            union all
            select t.person from transfers t where noun = 'transfer' and t.id = any (records)) r
            where r.person in (select m.person from members m where m.id = any (kin)));
    end if;
    select array_agg(a.id) into cards from members m join accounts a
        on a.division_code = m.division_code and a.member_id = m.id where m.id = any (kin);
    if noun = 'account' then
        return (select coalesce(array_agg(0), '{}') from unnest(cards) c (id) where c.id = any (records));
    end if;
    if noun = 'account_batch' then  -- a list of replaced cards (0018): its rows that name an own account
        return (select coalesce(array_agg(b.row_number order by b.row_number), '{}') from account_batch_rows b
                where b.batch_id = any (records) and b.account_id = any (cards));
    end if;
    select array_agg(found.id), array_agg(distinct found.county_code) into lines, counties from (
        select l.id, l.county_code from members m join roster_lines l
            on l.division_code = m.division_code and l.member_id = m.id
        where m.id = any (kin)
        union
        select l.id, l.county_code from members m
        join accounts a on a.division_code = m.division_code and a.member_id = m.id
        join roster_lines l on l.division_code = a.division_code and l.account_index = a.number_index
        where m.id = any (kin)) found;
    if noun = 'bank_reply' then
        return (select coalesce(array_agg(distinct r.row_number order by r.row_number), '{}') from bank_reply_rows r
                where r.reply_id = any (records) and (r.account_id = any (cards) or r.reference in (
                    select d.end_to_end_id from disbursements d
                    where d.county_code = any (counties) and d.line_id = any (lines))));
    end if;
    return (
        select coalesce(array_agg(l.sequence order by l.sequence), '{}')
        from roster_lines l
        where l.county_code = any (counties) and l.id = any (lines) and case noun
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
