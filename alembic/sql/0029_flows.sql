-- Flows as data (第二十四条): what PostgreSQL keeps of them, whoever writes.
select apply_scope('project_flows', 'downward');
select apply_sector('project_flows');
revoke delete on project_flows from yikatong_app;
select watch_changes('project_flows', '{trial}');
select apply_scope('roster_substeps', 'ranged');
select apply_sector('roster_substeps');
revoke update, delete on roster_substeps from yikatong_app;
select watch_changes('roster_substeps');

-- A flow has every statutory stage when it comes into force, was tried as it is, and never changes afterwards.
create function guard_flow() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        raise exception '流程版本不能删除' using errcode = '42501';
    end if;
    if tg_op = 'INSERT' then
        if new.division_code <> '150000000000' or (current_user = 'yikatong_app' and new.status <> 'draft') then
            raise exception '流程由自治区主管部门编制，须从编制开始' using errcode = '42501';
        end if;
        return new;
    end if;
    if (new.division_code, new.number, new.sector, new.code)
        is distinct from (old.division_code, old.number, old.sector, old.code)
        or (old.status <> 'draft' and (new.name, new.reason, new.content, new.digest, new.drafted_by)
            is distinct from (old.name, old.reason, old.content, old.digest, old.drafted_by))
    then
        raise exception '流程提交后内容固定' using errcode = '42501';
    end if;
    if old.status in ('in_force', 'superseded', 'ended', 'discarded')
        and (new.flow_version, new.enabled_by, new.in_force_from, new.trial, new.trial_digest)
            is distinct from (old.flow_version, old.enabled_by, old.in_force_from, old.trial, old.trial_digest)
    then
        raise exception '已启用的流程版本不变' using errcode = '42501';
    end if;
    if new.status <> old.status and not (old.status, new.status) in (('draft', 'proposed'), ('draft', 'discarded'),
        ('proposed', 'draft'), ('proposed', 'in_force'), ('in_force', 'superseded'), ('in_force', 'ended'))
    then
        raise exception '流程状态不能这样变更' using errcode = '42501';
    end if;
    if new.status = 'in_force' and old.status <> 'in_force' and (new.trial_digest <> new.digest or array(
        select s->>'code' from jsonb_array_elements(new.content->'roster') with ordinality as r (s, nth) order by nth)
        <> array['notice', 'head', 'department_clerk', 'department_reviewer', 'finance_clerk', 'finance_reviewer'])
    then
        raise exception '流程缺法定环节，或没有按现有内容试运行' using errcode = '42501';
    end if;
    return new;
end $$;
create trigger project_flows_guarded before insert or update or delete on project_flows
    for each row execute function guard_flow();
create trigger project_flows_no_truncate before truncate on project_flows
    for each statement execute function refuse_change();

-- The next sub-step that a roster waits for in its status: the first of its stage that nobody has taken in this round.
create function next_substep(flow bigint, standing text, division text, roster bigint, round integer,
    out stage text, out place integer, out desk text, out title text, out noted boolean)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select s->>'code', nth::integer - 1, b->>'desk', b->>'name', (b->>'note_required')::boolean
    from project_flows f, jsonb_array_elements(f.content->'roster') s,
        jsonb_array_elements(s->'substeps') with ordinality as r (b, nth)
    where f.id = flow and s->>'code' = case standing when 'draft' then 'notice' when 'on_notice' then 'head'
        when 'reported' then 'department_clerk' when 'department_examined' then 'department_reviewer'
        when 'department_passed' then 'finance_clerk' when 'finance_examined' then 'finance_reviewer' end
        and not exists (select from roster_substeps t where t.division_code = division and t.roster_id = roster
            and t.substep_round = round and t.stage = s->>'code' and t.position = nth - 1)
    order by nth limit 1
$$;
revoke execute on function next_substep(bigint, text, text, bigint, integer) from public;

-- A roster takes the version in force of the flow that its project's version names; fired after rosters_project_version.
create function take_flow() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    wanted text;
begin
    select nullif(v.definition->>'flow', '') into wanted from project_versions v
    where v.project_id = new.project_id and v.number = new.project_version;
    new.flow_id := null;
    new.substep_desk := null;
    new.substep_name := null;
    new.substep_note := false;
    new.substep_round := 0;
    if wanted is not null then
        select f.id into new.flow_id from project_flows f
        where f.sector = new.sector and f.code = wanted and f.status = 'in_force';
        if not found then
            raise exception '补贴项目选用的流程 % 没有已启用的版本', wanted using errcode = '23503';
        end if;
        select n.desk, n.title, n.noted into new.substep_desk, new.substep_name, new.substep_note
        from next_substep(new.flow_id, new.status, new.division_code, new.id, 0) n;
        new.substep_note := coalesce(new.substep_note, false);
    end if;
    return new;
end $$;
create trigger rosters_take_flow before insert on rosters for each row execute function take_flow();

-- A roster keeps its flow; what waits follows its status. An edit of the draft, or a new notice, asks for the sub-steps
-- anew; a return without changed facts leaves them counted. Nothing goes onward past an open sub-step.
create function keep_flow() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    taken constant boolean := new.substep_desk is distinct from old.substep_desk;
begin
    if new.flow_id is distinct from old.flow_id then
        raise exception '清册的办理流程在造册后不变' using errcode = '42501';
    end if;
    new.substep_round := old.substep_round;
    if new.notice_round <> old.notice_round
        or (old.status = 'draft' and new.status = 'draft' and new.version <> old.version and not taken)
    then
        new.substep_round := old.substep_round + 1;
    end if;
    if old.substep_desk is not null and (old.status, new.status) in (('draft', 'on_notice'), ('on_notice', 'endorsed'),
        ('reported', 'department_examined'), ('department_examined', 'department_passed'),
        ('department_passed', 'finance_examined'), ('finance_examined', 'final'))
    then
        raise exception '清册还有未办的流程子环节' using errcode = '42501';
    end if;
    if new.notice_round <> old.notice_round and new.status = old.status then
        new.substep_desk := old.substep_desk;
        new.substep_name := old.substep_name;
        new.substep_note := old.substep_note;
    else
        select n.desk, n.title, n.noted into new.substep_desk, new.substep_name, new.substep_note
        from next_substep(new.flow_id, new.status, new.division_code, new.id, new.substep_round) n;
        new.substep_note := coalesce(new.substep_note, false);
    end if;
    return new;
end $$;
create trigger rosters_keep_flow before update on rosters
    for each row when (old.flow_id is not null or new.flow_id is not null) execute function keep_flow();

-- A sub-step is taken where the roster waits for it, at the desk it waits for, in the roster's own round and flow.
create function guard_substep() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if not exists (
        select from rosters r, next_substep(r.flow_id, r.status, r.division_code, r.id, r.substep_round) n
        where r.division_code = new.division_code and r.id = new.roster_id and r.sector = new.sector
            and r.flow_id = new.flow_id and r.substep_round = new.substep_round
            and (n.stage, n.place, n.desk, n.title) = (new.stage, new.position, new.desk, new.name))
    then
        raise exception '清册现在没有这个待办的子环节' using errcode = '42501';
    end if;
    return new;
end $$;
create trigger roster_substeps_guarded before insert on roster_substeps
    for each row execute function guard_substep();
